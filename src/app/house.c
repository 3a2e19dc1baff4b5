// SPDX-License-Identifier: Apache-2.0
#include "house.h"

#include <string.h>

#include "keeper.h"
#include "registry.h"
#include "sr_call.h"

/* Each is opened by a call of its own, which has it until the end. */
static const struct param open_params[] = {SR_PARAM, {0}};
static const struct verb open_verb = {.name = "serve", .params = open_params};

void house_fini(struct house *house) {
        VEC_EACH (&house->calls, call) {
                sr_call_resume(call);
                sr_call_end(call);
                json_decref(call->params);
        }
        vec_fini(&house->calls);
        vec_fini(&house->each);
}

static enum err check_is_new(const struct house *house, const struct verb_call *call, const char *text,
                             struct err_note *note) {
        AUTO_FREE char *path = NULL, *canonical = NULL;
        bool unused;

        if (registry_resolve(call->io, call->state_dir, text, &path, &unused, note) ||
            io_canonical(call->io, path, &canonical, note))
                return note->code;
        VEC_EACH (&house->calls, each) {
                if (strcmp(sr_where(each->sr), canonical) == 0)
                        return err_set(note, ERR_EXISTS, "the SR %s is named twice", text);
        }
        return ERR_NONE;
}

enum err house_add(struct house *house, struct doors *doors, const struct verb_call *call, const char *text,
                   struct err_note *note) {
        struct verb_call one = *call;
        struct sr *sr = NULL;

        if (check_is_new(house, call, text, note))
                return note->code;
        one.verb = &open_verb;
        one.params = json_pack("{s:s}", "sr", text);
        one.keeper = doors_add(doors);
        if (sr_call_open(&one, SR_OWN, &sr, note) == ERR_NONE && sr_call_is_read_only(&one))
                (void)err_set(note, ERR_READ_ONLY, "%s was adopted read-only: its disks are not served",
                              text);
        else if (sr) {
                *vec_add(&house->each) = (struct nbd_shelf){.sr = sr, .turn = one.turn};
                *vec_add(&house->calls) = one;
                house->shelves.each = house->each.data;
                house->shelves.n = house->each.n;
                doors_know(doors, sr_where(sr), one.keeper);
                sr_call_rest(&one);
                return ERR_NONE;
        }
        sr_call_end(&one);
        json_decref(one.params);
        return note->code;
}

void house_tell(struct house *house, const struct served *served) {
        VEC_EACH (&house->calls, call) {
                sr_call_resume(call);
                keeper_set_served(call->keeper, served);
                sr_call_rest(call);
        }
}
