// SPDX-License-Identifier: Apache-2.0
#include "http_export.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "http1_answer.h"
#include "http_opening.h"
#include "http_outflow.h"
#include "mem.h"
#include "stream_plan.h"
#include "vdi_outlet.h"

struct export {
        struct http_house *house; /* borrowed, outlives us */
        struct http_asker asker;
        char *vdi_text, *base_text; /* owned; as they were asked for; base NULL: none */
        struct vdi_outlet_ask ask;
        bool is_for_xapi; /* /export_raw_vdi: a task, and no Range */

        unsigned wrong_status;
        struct err_note wrong;    /* with what is asked for */
        const struct host_sr *sr; /* borrowed, outlives us; NULL: not found yet */
        struct vdi_outlet outlet;
        struct stream_plan *plan; /* owned */
};

static void export_free(struct export *export) {
        struct http_house *house = export->house;

        if (export->plan)
                stream_plan_free(export->plan);
        http_asker_fini(&export->asker);
        free(export->vdi_text);
        free(export->base_text);
        free(export);
        http_house_end(house);
}

/* ---- opening: in a thread -------------------------------------------------------------------- */

static enum err find_vdi(struct export *export, struct err_note *note) {
        struct host *host = http_house_host(export->house);

        if (http_parse_object(export->vdi_text, "vdi", &export->ask.vdi, note) ||
            (export->base_text && http_parse_object(export->base_text, "base", &export->ask.base, note)))
                return note->code;
        export->sr = host_sr_of_vdi(host, &export->ask.vdi);
        if (!export->sr)
                return err_set(note, ERR_NOT_FOUND, "VDI %s is not in any SR of this host",
                               uuid_format(&export->ask.vdi).s);
        return ERR_NONE;
}

static enum err open_outlet(struct export *export, struct err_note *note) {
        struct host *host = http_house_host(export->house);
        enum err failed;

        turn_take(export->sr->turn, "export");
        failed = vdi_outlet_open(export->sr->sr, host->io, &export->ask, &export->outlet, note);
        turn_give(export->sr->turn);
        return failed;
}

static enum err close_outlet(struct export *export, bool is_whole, struct err_note *note) {
        enum err failed;

        turn_take(export->sr->turn, "export");
        failed = vdi_outlet_close(&export->outlet, is_whole, note);
        turn_give(export->sr->turn);
        return failed;
}

static enum err open_plan(struct export *export, struct err_note *note) {
        struct stream_source_options options;
        struct err_note ignored;

        if (find_vdi(export, note) || open_outlet(export, note))
                return note->code;
        options = vdi_outlet_options(&export->outlet);
        if (!stream_plan_new(export->outlet.chain, &options, &export->plan, note))
                return ERR_NONE;
        if (close_outlet(export, false, &ignored))
                http_house_log(export->house, "export: %s", ignored.text);
        return note->code;
}

/* What was wrong with the request is said to those alone who may know. */
static enum err begin_and_open(struct export *export, unsigned *ret_status, struct err_note *note) {
        struct host *host = http_house_host(export->house);

        if (export->is_for_xapi && http_asker_begin_task(&export->asker, host, "Exporting VDI", note))
                return note->code;
        if (export->wrong.code) {
                *ret_status = export->wrong_status;
                *note = export->wrong;
                return note->code;
        }
        return open_plan(export, note);
}

static enum err open_all(void *user, unsigned *ret_status, struct err_note *note) {
        struct export *export = user;

        if (http_asker_check(&export->asker, http_house_host(export->house), ROLE_READ_ONLY, ret_status,
                             note))
                return note->code;
        if (begin_and_open(export, ret_status, note))
                return err_wrap(note, "export VDI %s", uuid_format(&export->ask.vdi).s);
        return ERR_NONE;
}

/* ---- flowing --------------------------------------------------------------------------------- */

static enum err flow_read(void *user, struct part *part, uint64_t at, const uint8_t **ret, size_t *ret_n,
                          struct err_note *note) {
        struct export *export = user;

        if (!part->batch)
                return err_set(note, ERR_NO_MEMORY, "no queue to read by");
        if (stream_plan_read(export->plan, part->batch, at, part->memory, PART_SIZE, ret, ret_n, note))
                return err_wrap(note, "byte %" PRIu64 " of the stream", at);
        return ERR_NONE;
}

static enum err flow_close(void *user, bool is_whole, struct err_note *note) {
        struct export *export = user;

        stream_plan_free(TAKE(export->plan));
        return close_outlet(export, is_whole, note);
}

static void flow_ended(void *user, const struct err_note *why) {
        struct export *export = user;

        if (!why->code && export->asker.task) {
                task_succeed(export->asker.task, "");
        } else if (why->code) {
                http_asker_fail_task(&export->asker, why, &export->ask.vdi);
                http_house_log(export->house, "export of VDI %s to %s: %s", uuid_format(&export->ask.vdi).s,
                               export->asker.peer, why->text);
        }
        export_free(export);
}

static const struct http_outflow_ops flow_ops = {.read = flow_read, .close = flow_close, .ended = flow_ended};

/* ---- the answer ------------------------------------------------------------------------------- */

static const char *type_of(const struct export *export) {
        return export->ask.format == STREAM_VHD ? "application/vhd" : "application/octet-stream";
}

static void put_headers(struct buf *headers, const struct export *export) {
        AUTO_FREE char *file = mem_format("attachment; filename=\"%s.%s\"", uuid_format(&export->ask.vdi).s,
                                          export->ask.format == STREAM_VHD ? "vhd" : "raw");

        http1_put_own_field(headers, "Cache-Control", "no-cache, no-store");
        http1_put_own_field(headers, "Content-Disposition", file);
        if (export->asker.task)
                http1_put_own_field(headers, "task-id", xapi_ref_of(task_uuid(export->asker.task)).s);
        if (!export->is_for_xapi)
                http1_put_own_field(headers, "Accept-Ranges", "bytes");
}

/* Which part is asked for.  False: it lies outside. */
static bool choose_range(const struct export *export, const struct http1_head *head,
                         struct http_answer *answer, struct buf *headers, uint64_t *ret_at) {
        uint64_t length = answer->length, n = length;
        AUTO_FREE char *text = NULL;

        *ret_at = 0;
        if (export->is_for_xapi)
                return true;
        switch (http1_range(head, length, ret_at, &n)) {
        case HTTP1_RANGE_NONE:
                *ret_at = 0;
                return true;
        case HTTP1_RANGE_ONE:
                text = mem_format("bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, *ret_at, *ret_at + n - 1, length);
                http1_put_own_field(headers, "Content-Range", text);
                answer->status = 206;
                answer->length = n;
                return true;
        case HTTP1_RANGE_OUTSIDE:
                break;
        }
        return false;
}

static bool answer_open(void *user, struct http_exchange *exchange, unsigned *ret_status,
                        struct err_note *why) {
        struct export *export = user;
        AUTO(buf_fini) struct buf headers = {0};
        const struct http1_head *head = http_head(exchange);
        struct http_outflow_options options = {
                .house = export->house,
                .exchange = exchange,
                .answer = {.status = 200,
                           .type = type_of(export),
                           .length = stream_plan_length(export->plan)},
                .has_no_body = head->method == HTTP_HEAD,
                .task = export->asker.task,
                .session = export->asker.who.session,
                .ops = &flow_ops,
                .user = export,
        };

        if (!choose_range(export, head, &options.answer, &headers, &options.at)) {
                *ret_status = 416;
                (void)err_set(why, ERR_INVALID, "the stream has %" PRIu64 " bytes", options.answer.length);
                return false;
        }
        put_headers(&headers, export);
        options.answer.headers = buf_text(&headers);
        http_outflow_begin(&options);
        return true;
}

/* ---- the beginning ---------------------------------------------------------------------------- */

static enum err close_unsent(void *user, struct err_note *note) {
        return flow_close(user, false, note);
}

static void refused(void *user, const struct err_note *why) {
        struct export *export = user;

        http_asker_fail_task(&export->asker, why, &export->ask.vdi);
        export_free(export);
}

static const struct http_opening_ops opening_ops = {
        .open = open_all, .close = close_unsent, .answer = answer_open, .refused = refused};

static void begin(struct http_house *house, struct http_exchange *exchange, struct export *export) {
        const struct http_opening_options options = {
                .house = house, .exchange = exchange, .ops = &opening_ops, .user = export};

        export->house = house;
        http_asker_init(&export->asker, exchange);
        http_opening_begin(&options);
}

/* ---- what is asked for ------------------------------------------------------------------------ */

/* False: it is none of ours. */
static bool parse_format(const char *text, enum stream_format *ret) {
        *ret = text && strcasecmp(text, "vhd") == 0 ? STREAM_VHD : STREAM_RAW;
        return *ret == STREAM_VHD || !text || strcasecmp(text, "raw") == 0;
}

static char *text_or_null(const char *text) {
        return text && *text ? mem_text(text) : NULL;
}

void http_export_begin(void *user, struct http_exchange *exchange) {
        const struct http1_head *head = http_head(exchange);
        const char *format = http1_parameter(head, "format"), *exact = http1_parameter(head, "exact");
        bool is_exact = exact && strcmp(exact, "0") != 0 && strcasecmp(exact, "false") != 0;
        struct export *export = mem_new(struct export);

        export->is_for_xapi = true;
        export->vdi_text = text_or_null(http1_parameter(head, "vdi"));
        export->base_text = text_or_null(http1_parameter(head, "base"));
        export->ask.is_quiet = true;
        export->ask.has_whole_blocks = !is_exact;
        if (!parse_format(format, &export->ask.format)) {
                export->wrong_status = 404;
                (void)err_set(&export->wrong, ERR_UNSUPPORTED, "Unknown format %.20s", format);
        } else if (export->base_text && export->ask.format != STREAM_VHD) {
                export->wrong_status = 400;
                (void)err_set(&export->wrong, ERR_INVALID, "base= is for format=vhd");
        }
        begin(user, exchange, export);
}

void http_vdi_begin(void *user, struct http_exchange *exchange) {
        const char *name = http_head(exchange)->path + strlen("/vdi"), *dot = strrchr(name, '.');
        struct export *export = mem_new(struct export);

        export->ask.is_quiet = true;
        export->ask.has_whole_blocks = true;
        if (*name != '/' || !dot || !parse_format(dot + 1, &export->ask.format)) {
                export->wrong_status = 404;
                (void)err_set(&export->wrong, ERR_NOT_FOUND, "disks are /vdi/UUID.raw and /vdi/UUID.vhd");
        } else {
                export->vdi_text = mem_format("%.*s", (int)(dot - name - 1), name + 1);
        }
        begin(user, exchange, export);
}
