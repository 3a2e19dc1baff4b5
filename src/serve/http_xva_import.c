// SPDX-License-Identifier: Apache-2.0
#include "http_xva_import.h"

#include <strings.h>

#include "http_inflow.h"
#include "http_probe.h"
#include "mem.h"
#include "xmlrpc.h"
#include "xva_inlet.h"

struct import {
        struct http_house *house; /* borrowed, outlives us */
        struct http_asker asker;
        char *sr_text; /* owned; NULL: not said */
        bool restores, is_forced;
        const struct host_sr *sr; /* borrowed, outlives us */
        struct xva_inlet *inlet;  /* owned; NULL: not open, or over */
        struct uuid vm;           /* once committed */
};

/* ---- where to ---------------------------------------------------------------------------------- */

static enum err find_sr(struct import *import, struct err_note *note) {
        struct host *host = http_house_host(import->house);
        struct uuid sr;

        if (import->sr_text && http_parse_object(import->sr_text, "sr_id", &sr, note))
                return note->code;
        import->sr = import->sr_text ? host_sr_find(host, &sr) : host_default_sr(host);
        if (import->sr)
                return ERR_NONE;
        if (import->sr_text)
                return err_set(note, ERR_NOT_FOUND, "the SR is not of this host");
        return err_set(note, ERR_INVALID,
                       "where to is not said: sr_id= is missing, and the pool has no default SR");
}

/* ---- the flow: in threads ---------------------------------------------------------------------- */

static enum err open_inlet(struct import *import, struct err_note *note) {
        const struct xva_inlet_ask ask = {.host = http_house_host(import->house),
                                          .sr = import->sr,
                                          .restores = import->restores,
                                          .is_forced = import->is_forced,
                                          .task = *task_uuid(import->asker.task)};

        return xva_inlet_new(&ask, &import->inlet, note);
}

static enum err flow_open(void *user, unsigned *ret_status, struct err_note *note) {
        struct import *import = user;
        struct host *host = http_house_host(import->house);

        if (http_asker_check(&import->asker, host, ROLE_OPERATOR, ret_status, note) ||
            http_asker_begin_task(&import->asker, host, "Importing VM", note))
                return note->code;
        if (find_sr(import, note) || open_inlet(import, note))
                return err_wrap(note, "import VM");
        return ERR_NONE;
}

static enum err flow_push(void *user, const void *data, size_t n, struct err_note *note) {
        struct import *import = user;

        return xva_inlet_push(import->inlet, data, n, note);
}

static bool flow_is_whole(const void *user) {
        const struct import *import = user;

        return xva_inlet_is_whole(import->inlet);
}

static uint64_t flow_taken(const void *user) {
        const struct import *import = user;

        return xva_inlet_taken(import->inlet);
}

static enum err flow_commit(void *user, struct err_note *note) {
        struct import *import = user;

        return xva_inlet_commit(import->inlet, &import->vm, note);
}

static void flow_discard(void *user) {
        struct import *import = user;

        if (import->inlet)
                xva_inlet_free(TAKE(import->inlet));
}

/* ---- the end ------------------------------------------------------------------------------------ */

static void succeed(struct import *import) {
        AUTO(json_decref) json_t *refs = json_pack("[s]", xapi_ref_of(&import->vm).s);
        AUTO(buf_fini) struct buf result = {0};

        xmlrpc_add_value(&result, refs, NULL);
        task_succeed(import->asker.task, buf_text(&result));
}

static void flow_ended(void *user, const struct err_note *why) {
        static const struct uuid nothing;
        struct import *import = user;

        if (why->code)
                http_asker_fail_sr_task(&import->asker, why, import->sr ? &import->sr->uuid : &nothing);
        else
                succeed(import);
        http_asker_fini(&import->asker);
        free(import->sr_text);
        free(import);
}

static const struct http_inflow_ops flow_ops = {.open = flow_open,
                                                .push = flow_push,
                                                .is_whole = flow_is_whole,
                                                .taken = flow_taken,
                                                .commit = flow_commit,
                                                .discard = flow_discard,
                                                .ended = flow_ended};

/* ---- what is asked for -------------------------------------------------------------------------- */

static bool is_true(const struct http1_head *head, const char *parameter) {
        const char *value = http1_parameter(head, parameter);

        return value && strcasecmp(value, "true") == 0;
}

static void parse(struct import *import, const struct http1_head *head) {
        const char *sr = http1_parameter(head, "sr_id");

        if (!sr)
                sr = http1_parameter(head, "sr_uuid");
        import->sr_text = sr && *sr ? mem_text(sr) : NULL;
        import->restores = is_true(head, "restore");
        import->is_forced = is_true(head, "force");
}

static void begin(void *user, struct http_exchange *exchange) {
        const struct http1_head *head = http_head(exchange);
        struct http_inflow_options options = {.house = user,
                                              .exchange = exchange,
                                              .total = head->has_length ? head->length : UINT64_MAX,
                                              .what = "import VM",
                                              .ops = &flow_ops};
        struct import *import;

        import = mem_new(struct import);
        import->house = user;
        http_asker_init(&import->asker, exchange);
        parse(import, head);
        options.asker = &import->asker;
        options.user = import;
        http_inflow_begin(&options);
}

void http_xva_import_begin(void *user, struct http_exchange *exchange) {
        http_probe_or(exchange, begin, user);
}
