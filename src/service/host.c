// SPDX-License-Identifier: Apache-2.0
#include "host.h"

#include "sr.h"
#include "turn.h"

static enum err find_verb(const char *noun_name, const char *verb_name, const struct verb **ret,
                          struct err_note *note) {
        const struct noun *noun = verbs_find_noun(noun_name);

        *ret = noun ? verbs_find(noun, verb_name) : NULL;
        if (*ret)
                return ERR_NONE;
        return err_set(note, ERR_UNSUPPORTED, "'%s %s' is no verb", noun_name, verb_name);
}

enum err host_call(struct host *host, const char *noun, const char *verb, json_t *params,
                   struct progress *progress, json_t **ret, struct err_note *note) {
        AUTO(json_decref) json_t *given = params;
        struct progress silent = {.io = host->io};
        AUTO(verb_call_fini)
        struct verb_call call = {.params = given,
                                 .io = host->io,
                                 .state_dir = host->state_dir,
                                 .progress = progress ? progress : &silent,
                                 .self = host->self,
                                 .keepers = host->keepers,
                                 .host = host};

        if (find_verb(noun, verb, &call.verb, note) || verb_call_run(&call, note))
                return note->code;
        if (ret)
                *ret = json_incref(call.result);
        return ERR_NONE;
}

const struct host_sr *host_sr_of_vdi(struct host *host, const struct uuid *vdi) {
        for (size_t i = 0; i < host->n_srs; i++) {
                const struct host_sr *each = &host->srs[i];
                bool has_it;

                turn_take(each->turn, "look for a VDI");
                has_it = sr_get_vdi(each->sr, vdi) != NULL;
                turn_give_unchanged(each->turn);
                if (has_it)
                        return each;
        }
        return NULL;
}

const struct host_sr *host_sr_find(struct host *host, const struct uuid *sr) {
        for (size_t i = 0; i < host->n_srs; i++)
                if (uuid_equal(&host->srs[i].uuid, sr))
                        return &host->srs[i];
        return NULL;
}

const struct host_sr *host_default_sr(struct host *host) {
        AUTO(json_decref) json_t *ref = objects_field(host->objects, XAPI_POOL, &host->pool, "default_SR");
        const struct host_sr *sr = NULL;
        struct uuid uuid;

        if (ref && xapi_ref_parse(json_string_value(ref), &uuid))
                sr = host_sr_find(host, &uuid);
        return sr ? sr : host->n_srs == 1 ? &host->srs[0] : NULL;
}
