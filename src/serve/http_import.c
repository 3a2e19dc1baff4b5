// SPDX-License-Identifier: Apache-2.0
#include "http_import.h"

#include <string.h>
#include <strings.h>

#include "http_inflow.h"
#include "http_probe.h"
#include "mem.h"
#include "vdi_inlet.h"

struct import {
        struct http_house *house; /* borrowed, outlives us */
        struct http_asker asker;
        char *vdi_text, *sr_text; /* owned; NULL: not said */
        enum stream_format format;
        uint64_t total;           /* bytes that will come; UINT64_MAX: not known */
        struct err_note wrong;    /* with the request; code ERR_NONE: nothing */
        const struct host_sr *sr; /* borrowed, outlives us */
        struct uuid vdi;          /* null: a new one */
        struct vdi_inlet *inlet;  /* owned */
        struct vdi_inlet_result result;
};

/* ---- opening: in a thread --------------------------------------------------------------------- */

static enum err find_target(struct import *import, struct err_note *note) {
        struct host *host = http_house_host(import->house);
        struct uuid sr;

        if (!import->vdi_text && !import->sr_text)
                return err_set(note, ERR_INVALID, "where to is not said: vdi=, or sr_id=");
        if (import->vdi_text) {
                if (http_parse_object(import->vdi_text, "vdi", &import->vdi, note))
                        return note->code;
                import->sr = host_sr_of_vdi(host, &import->vdi);
        } else {
                if (http_parse_object(import->sr_text, "sr_id", &sr, note))
                        return note->code;
                import->sr = host_sr_find(host, &sr);
        }
        if (!import->sr)
                return err_set(note, ERR_NOT_FOUND, "%s is not of this host",
                               import->vdi_text ? "the VDI" : "the SR");
        if (!import->vdi_text && import->format == STREAM_RAW && import->total == UINT64_MAX)
                return err_set(note, ERR_INVALID,
                               "the size of the disk is not known: Content-Length is missing");
        return ERR_NONE;
}

static enum err open_inlet(struct import *import, struct err_note *note) {
        const struct vdi_inlet_ask ask = {.sr = import->sr->sr,
                                          .turn = import->sr->turn,
                                          .format = import->format,
                                          .total = import->total,
                                          .name = "Imported VDI",
                                          .onto = import->vdi,
                                          .takes_any = true,
                                          .keeps_size = true};

        return vdi_inlet_new(&ask, &import->inlet, note);
}

/* What was wrong with the request is said to those alone who may know. */
static enum err flow_open(void *user, unsigned *ret_status, struct err_note *note) {
        struct import *import = user;
        struct host *host = http_house_host(import->house);

        if (http_asker_check(&import->asker, host, ROLE_OPERATOR, ret_status, note) ||
            http_asker_begin_task(&import->asker, host, "Importing VDI", note))
                return note->code;
        if (import->wrong.code) {
                *ret_status = 404;
                *note = import->wrong;
                return note->code;
        }
        if (find_target(import, note) || open_inlet(import, note))
                return err_wrap(note, "import VDI");
        return ERR_NONE;
}

/* ---- the flow ---------------------------------------------------------------------------------- */

static enum err flow_push(void *user, const void *data, size_t n, struct err_note *note) {
        struct import *import = user;

        return vdi_inlet_push(import->inlet, data, n, note);
}

static bool flow_is_whole(const void *user) {
        const struct import *import = user;

        return vdi_inlet_is_whole(import->inlet);
}

static uint64_t flow_taken(const void *user) {
        const struct import *import = user;

        return vdi_inlet_taken(import->inlet);
}

static enum err flow_commit(void *user, struct err_note *note) {
        struct import *import = user;

        return vdi_inlet_commit(import->inlet, &import->result, note);
}

static void flow_discard(void *user) {
        struct import *import = user;

        if (import->inlet)
                vdi_inlet_free(TAKE(import->inlet));
}

static void flow_ended(void *user, const struct err_note *why) {
        struct import *import = user;
        AUTO_FREE char *result = mem_format("<value>%s</value>", xapi_ref_of(&import->result.vdi).s);

        if (why->code)
                http_asker_fail_task(&import->asker, why, &import->vdi);
        else
                task_succeed(import->asker.task, result);
        http_asker_fini(&import->asker);
        free(import->vdi_text);
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

static char *text_or_null(const char *text) {
        return text && *text ? mem_text(text) : NULL;
}

static void parse(struct import *import, const struct http1_head *head) {
        const char *format = http1_parameter(head, "format"), *sr = http1_parameter(head, "sr_id");
        bool is_raw = !format || strcasecmp(format, "raw") == 0,
             has_chunks = http1_parameter(head, "chunked");

        import->vdi_text = text_or_null(http1_parameter(head, "vdi"));
        import->sr_text = text_or_null(sr ? sr : http1_parameter(head, "sr_uuid"));
        import->format = is_raw ? STREAM_RAW : STREAM_VHD;
        import->total = head->has_length ? head->length : UINT64_MAX;
        if (is_raw && import->total == HTTP_LENGTH_UNKNOWN)
                import->total = UINT64_MAX;
        if (!is_raw && strcasecmp(format, "vhd") != 0)
                (void)err_set(&import->wrong, ERR_UNSUPPORTED, "Unknown format %.20s", format);
        else if (has_chunks && !is_raw)
                (void)err_set(&import->wrong, ERR_UNSUPPORTED, "Cannot handle chunked VHD");
        else if (has_chunks)
                import->format = STREAM_CHUNKS;
        if (has_chunks)
                import->total = UINT64_MAX;
}

static void begin(void *user, struct http_exchange *exchange) {
        const struct http1_head *head = http_head(exchange);
        struct http_inflow_options options = {
                .house = user, .exchange = exchange, .what = "import VDI", .ops = &flow_ops};
        struct import *import;

        import = mem_new(struct import);
        import->house = user;
        http_asker_init(&import->asker, exchange);
        parse(import, head);
        options.asker = &import->asker;
        options.total = import->total;
        options.user = import;
        http_inflow_begin(&options);
}

void http_import_begin(void *user, struct http_exchange *exchange) {
        http_probe_or(exchange, begin, user);
}
