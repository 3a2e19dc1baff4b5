// SPDX-License-Identifier: Apache-2.0
#include "http_xva_export.h"

#include <string.h>
#include <strings.h>

#include "http1_answer.h"
#include "http_opening.h"
#include "http_outflow.h"
#include "mem.h"
#include "squeeze.h"
#include "xva_outlet.h"

_Static_assert((int)XVA_OUTLET_ROOM <= (int)PART_SIZE, "what the outlet reads at once fits");

struct export {
        struct http_house *house; /* borrowed, outlives us */
        struct http_asker asker;
        char *vm_text; /* owned; as it was asked for; NULL: not at all */
        struct uuid vm;
        enum pack_kind kind;
        bool is_chunked; /* where it is compressed */

        struct err_note wrong;     /* with what is asked for */
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

/* ---- opening: in a thread -------------------------------------------------------------------- */

/* What was wrong with the request is said to those alone who may know. */
static enum err begin_and_open(struct export *export, struct err_note *note) {
        struct host *host = http_house_host(export->house);

        if (http_asker_begin_task(&export->asker, host, "Exporting VM", note))
                return note->code;
        if (export->wrong.code) {
                *note = export->wrong;
                return note->code;
        }
        if (http_parse_object(export->vm_text, "ref", &export->vm, note))
                return note->code;
        return xva_outlet_open(host, &export->vm, &export->outlet, note);
}

static enum err open_all(void *user, unsigned *ret_status, struct err_note *note) {
        struct export *export = user;

        if (http_asker_check(&export->asker, http_house_host(export->house), ROLE_READ_ONLY, ret_status,
                             note))
                return note->code;
        if (begin_and_open(export, note))
                return err_wrap(note, "export VM %s", uuid_format(&export->vm).s);
        return ERR_NONE;
}

/* ---- flowing --------------------------------------------------------------------------------- */

static enum err read_plain(void *user, struct part *part, uint64_t at, const uint8_t **ret, size_t *ret_n,
                           struct err_note *note) {
        struct export *export = user;

        if (!part->batch)
                return err_set(note, ERR_NO_MEMORY, "no queue to read by");
        return xva_outlet_read(export->outlet, part->batch, at, part->memory, ret, ret_n, note);
}

static enum err read_squeezed(void *user, struct part *part, uint64_t at, const uint8_t **ret, size_t *ret_n,
                              struct err_note *note) {
        struct export *export = user;

        return squeeze_read(export->squeeze, part, at, ret, ret_n, note);
}

static uint64_t flow_length(const void *user) {
        const struct export *export = user;

        return squeeze_length(export->squeeze);
}

static uint64_t flow_taken(const void *user) {
        const struct export *export = user;

        return squeeze_taken(export->squeeze);
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
                http_asker_fail_vm_task(&export->asker, why, &export->vm);
                http_house_log(export->house, "export of VM %s to %s: %s", uuid_format(&export->vm).s,
                               export->asker.peer, why->text);
        }
        export_free(export);
}

static const struct http_outflow_ops plain_ops = {
        .read = read_plain, .close = flow_close, .ended = flow_ended};
static const struct http_outflow_ops squeezed_ops = {.read = read_squeezed,
                                                     .close = flow_close,
                                                     .ended = flow_ended,
                                                     .length = flow_length,
                                                     .taken = flow_taken};

/* ---- the answer ------------------------------------------------------------------------------- */

static void put_headers(struct buf *headers, const struct export *export) {
        AUTO_FREE char *file = mem_format("attachment; filename=\"%s.xva\"", uuid_format(&export->vm).s);

        http1_put_own_field(headers, "Cache-Control", "no-cache, no-store");
        http1_put_own_field(headers, "Content-Disposition", file);
        http1_put_own_field(headers, "task-id", xapi_ref_of(task_uuid(export->asker.task)).s);
        if (export->squeeze && export->is_chunked)
                buf_print(headers, SQUEEZE_CHUNKED);
}

static bool answer_open(void *user, struct http_exchange *exchange, unsigned *ret_status,
                        struct err_note *why) {
        struct export *export = user;
        AUTO(buf_fini) struct buf headers = {0};
        struct http_outflow_options options = {
                .house = export->house,
                .exchange = exchange,
                .answer = {.status = 200, .type = "application/octet-stream", .length = HTTP_UNTIL_CLOSE},
                .task = export->asker.task,
                .session = export->asker.who.session,
                .total = xva_outlet_length(export->outlet),
                .ops = export->kind == PACK_NONE ? &plain_ops : &squeezed_ops,
                .user = export,
        };
        const struct squeeze_options squeeze = {.kind = export->kind,
                                                .is_chunked = export->is_chunked,
                                                .length = xva_outlet_length(export->outlet),
                                                .read = read_plain,
                                                .user = export};

        (void)ret_status;
        (void)why;
        if (export->kind == PACK_NONE)
                options.answer.length = xva_outlet_length(export->outlet);
        else
                export->squeeze = squeeze_new(&squeeze);
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

        http_asker_fail_vm_task(&export->asker, why, &export->vm);
        export_free(export);
}

static const struct http_opening_ops opening_ops = {
        .open = open_all, .close = close_unsent, .answer = answer_open, .refused = refused};

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
                (void)err_set(&export->wrong, ERR_INVALID, "use_compression= is false, true, gzip or zstd");
}

void http_xva_export_begin(void *user, struct http_exchange *exchange) {
        struct export *export = mem_new(struct export);
        const struct http_opening_options options = {
                .house = user, .exchange = exchange, .ops = &opening_ops, .user = export};

        export->house = user;
        http_asker_init(&export->asker, exchange);
        parse(export, http_head(exchange));
        http_opening_begin(&options);
}
