// SPDX-License-Identifier: Apache-2.0
#include "http_xva_export.h"

#include <string.h>
#include <strings.h>

#include "errand.h"
#include "http1_answer.h"
#include "http_outflow.h"
#include "mem.h"
#include "squeeze.h"
#include "xva_outlet.h"

_Static_assert((int)XVA_OUTLET_ROOM <= (int)PART_SIZE, "what the outlet reads at once fits");

struct export {
        struct http_house *house;       /* borrowed, outlives us */
        struct http_exchange *exchange; /* borrowed; NULL: gone */
        struct loop *loop;              /* borrowed, outlives us */
        struct http_asker asker;
        char *vm_text; /* owned; as it was asked for; NULL: not at all */
        struct uuid vm;
        enum pack_kind kind;
        bool is_chunked; /* where it is compressed */

        struct errand opening;
        unsigned status; /* of the answer, where it failed; 0: as the failure has it */
        struct err_note failure;
        struct xva_outlet *outlet; /* owned */
        struct squeeze *squeeze;   /* owned; NULL: not compressed */
};

static void export_free(struct export *export) {
        struct http_house *house = export->house;

        if (export->squeeze)
                squeeze_free(export->squeeze);
        http_asker_fini(&export->asker);
        free(export->vm_text);
        free(export);
        http_house_end(house);
}

static void fail_task(struct export *export, const struct err_note *why) {
        http_asker_fail_vm_task(&export->asker, why, &export->vm);
}

/* ---- opening: in a thread -------------------------------------------------------------------- */

/* What was wrong with the request is said to those alone who may know. */
static enum err begin_and_open(struct export *export, const struct err_note *wrong, struct err_note *note) {
        struct host *host = http_house_host(export->house);

        if (http_asker_begin_task(&export->asker, host, "Exporting VM", note))
                return note->code;
        if (wrong->code) {
                *note = *wrong;
                return note->code;
        }
        if (http_parse_object(export->vm_text, "ref", &export->vm, note))
                return note->code;
        return xva_outlet_open(host, &export->vm, &export->outlet, note);
}

static void run_opening(void *user) {
        struct export *export = user;
        const struct err_note wrong = export->failure;
        struct err_note note;

        if (http_asker_check(&export->asker, http_house_host(export->house), ROLE_READ_ONLY, &export->status,
                             &note)) {
                export->failure = note;
        } else if (begin_and_open(export, &wrong, &note)) {
                export->status = http_status_of(note.code);
                (void)err_wrap(&note, "export VM %s", uuid_format(&export->vm).s);
                export->failure = note;
        }
}

/* ---- flowing --------------------------------------------------------------------------------- */

static enum err read_plain(void *user, struct part *part, uint64_t at, const uint8_t **ret, size_t *ret_n,
                           struct err_note *note) {
        struct export *export = user;

        if (!part->batch)
                return err_set(note, ERR_NO_MEMORY, "no queue to read by");
        return xva_outlet_read(export->outlet, part->batch, at, part->memory, ret, ret_n, note);
}

static enum err flow_read(void *user, struct part *part, uint64_t at, const uint8_t **ret, size_t *ret_n,
                          struct err_note *note) {
        struct export *export = user;

        return export->squeeze ? squeeze_read(export->squeeze, part, at, ret, ret_n, note)
                               : read_plain(user, part, at, ret, ret_n, note);
}

static uint64_t flow_length(const void *user) {
        const struct export *export = user;

        return squeeze_length(export->squeeze);
}

static enum err flow_close(void *user, bool is_whole, struct err_note *note) {
        struct export *export = user;

        (void)is_whole;
        return xva_outlet_close(TAKE(export->outlet), note);
}

static void flow_ended(void *user, const struct err_note *why) {
        struct export *export = user;

        if (!why->code) {
                task_succeed(export->asker.task, "");
        } else {
                fail_task(export, why);
                http_house_log(export->house, "export of VM %s to %s: %s", uuid_format(&export->vm).s,
                               export->asker.peer, why->text);
        }
        export_free(export);
}

static const struct http_outflow_ops flow_ops = {
        .read = flow_read, .close = flow_close, .length = flow_length, .ended = flow_ended};

/* ---- the answer ------------------------------------------------------------------------------- */

static void put_line(struct buf *headers, const char *name, const char *value) {
        struct err_note unused;

        /* None of ours ends a line. */
        if (http1_put_field(headers, name, value, &unused))
                buf_print(headers, "%s: \r\n", name);
}

static void put_headers(struct buf *headers, const struct export *export) {
        AUTO_FREE char *file = mem_format("attachment; filename=\"%s.xva\"", uuid_format(&export->vm).s);

        put_line(headers, "Cache-Control", "no-cache, no-store");
        put_line(headers, "Content-Disposition", file);
        put_line(headers, "task-id", xapi_ref_of(task_uuid(export->asker.task)).s);
        if (export->squeeze && export->is_chunked)
                buf_print(headers, SQUEEZE_CHUNKED);
}

static void answer_open(struct export *export) {
        AUTO(buf_fini) struct buf headers = {0};
        struct http_outflow_options options = {
                .house = export->house,
                .exchange = export->exchange,
                .answer = {.status = 200, .type = "application/octet-stream", .length = HTTP_UNTIL_CLOSE},
                .task = export->asker.task,
                .session = export->asker.who.session,
                .ops = &flow_ops,
                .user = export,
        };
        const struct squeeze_options squeeze = {.kind = export->kind,
                                                .is_chunked = export->is_chunked,
                                                .length = xva_outlet_length(export->outlet),
                                                .read = read_plain,
                                                .user = export};

        if (export->kind == PACK_NONE)
                options.answer.length = xva_outlet_length(export->outlet);
        else
                export->squeeze = squeeze_new(&squeeze);
        put_headers(&headers, export);
        options.answer.headers = buf_text(&headers);
        http_outflow_begin(&options);
}

/* ---- before the first byte -------------------------------------------------------------------- */

static void refuse(struct export *export) {
        fail_task(export, &export->failure);
        if (export->exchange)
                http_refuse(export->exchange, export->status, &export->failure);
        export_free(export);
}

static void run_closing(void *user) {
        struct export *export = user;
        struct err_note ignored;

        if (flow_close(export, false, &ignored))
                http_house_log(export->house, "export: %s", ignored.text);
}

static void on_closed(void *user) {
        refuse(user);
}

static void on_opened(void *user) {
        struct export *export = user;

        if (export->failure.code) {
                refuse(export);
        } else if (!export->exchange) {
                (void)err_set(&export->failure, ERR_CLOSED, "the client went away before the first byte");
                export->opening = (struct errand){.run = run_closing, .ended = on_closed, .user = export};
                errand_begin(&export->opening, http_house_pool(export->house), export->loop);
        } else {
                answer_open(export);
        }
}

static void on_gone(void *user, const struct err_note *why) {
        struct export *export = user;

        (void)why;
        export->exchange = NULL;
}

static const struct http_exchange_ops exchange_ops = {.gone = on_gone};

/* ---- what is asked for ------------------------------------------------------------------------ */

/* XenAPI's true is gzip.  False: it is none of ours. */
static bool parse_compression(const char *text, enum pack_kind *ret) {
        static const struct {
                const char *word;
                enum pack_kind kind;
        } words[] = {{"false", PACK_NONE},
                     {"", PACK_NONE},
                     {"true", PACK_GZIP},
                     {"gzip", PACK_GZIP},
                     {"zstd", PACK_ZSTD}};

        *ret = PACK_NONE;
        for (unsigned i = 0; text && i < sizeof words / sizeof *words; i++)
                if (strcasecmp(text, words[i].word) == 0) {
                        *ret = words[i].kind;
                        return true;
                }
        return !text;
}

static void parse(struct export *export, const struct http1_head *head) {
        const char *ref = http1_parameter(head, "ref"), *uuid = http1_parameter(head, "uuid"),
                   *compression = http1_parameter(head, "use_compression");

        if (ref || uuid)
                export->vm_text = mem_text(ref ? ref : uuid);
        export->is_chunked = head->minor == 1;
        if (!parse_compression(compression, &export->kind))
                (void)err_set(&export->failure, ERR_INVALID, "use_compression= is false, true, gzip or zstd");
}

void http_xva_export_begin(void *user, struct http_exchange *exchange) {
        struct export *export = mem_new(struct export);

        http_house_begin(user);
        export->house = user;
        export->exchange = exchange;
        export->loop = http_loop(exchange);
        http_asker_init(&export->asker, exchange);
        parse(export, http_head(exchange));
        http_exchange_serve(exchange, &exchange_ops, export);
        export->opening = (struct errand){.run = run_opening, .ended = on_opened, .user = export};
        errand_begin(&export->opening, http_house_pool(export->house), export->loop);
}
