// SPDX-License-Identifier: Apache-2.0
/* What a client sends, given to a nbd_wire in pieces of any size, and told in lines of text:
 *
 *      flags
 *      option 7 "disk" infos 8
 *      refused 8 80000003
 *      request 1 flags 0 at 4096 +512
 *      data 512 sum 1234
 *      over corrupt: no request begins here
 *
 * The kit grants GO, EXPORT_NAME and STARTTLS at once, as a server would.
 * Threads: one.
 */
#ifndef TEST_UNIT_FORMAT_NBD_KIT_H
#define TEST_UNIT_FORMAT_NBD_KIT_H

#include <inttypes.h>

#include "check.h"
#include "mem.h"
#include "nbd_context.h"
#include "nbd_wire.h"
#include "nbd_wire_client.h"

struct kit {
        struct nbd_wire wire;
        struct buf held, said;
        uint64_t n_data, sum;
        bool is_over;
};

static inline void kit_fini(struct kit *kit) {
        nbd_wire_fini(&kit->wire);
        buf_fini(&kit->held);
        buf_fini(&kit->said);
}
DEFINE_AUTO_IN_PLACE(struct kit, kit_fini);

static inline void kit_tell_queries(struct kit *kit, const struct nbd_option *option) {
        struct span left = option->queries;

        for (uint32_t i = 0; i < option->n_queries; i++) {
                struct nbd_query query = nbd_query_take(&left);

                buf_print(&kit->said, " query %u", (unsigned)query.kind);
        }
        assert_int_equal(left.n, 0);
}

static inline void kit_tell_option(struct kit *kit, const struct nbd_option *option) {
        buf_print(&kit->said, "option %u", option->code);
        if (option->name.data)
                buf_print(&kit->said, " \"%.*s\"", (int)option->name.n, (const char *)option->name.data);
        if (option->infos)
                buf_print(&kit->said, " infos %x", option->infos);
        kit_tell_queries(kit, option);
        buf_print(&kit->said, option->has_contexts ? " contexts\n" : "\n");
        if (option->code == NBD_OPT_GO || option->code == NBD_OPT_EXPORT_NAME)
                nbd_wire_start(&kit->wire);
        if (option->code == NBD_OPT_STARTTLS)
                nbd_wire_secured(&kit->wire);
}

static inline void kit_tell(struct kit *kit, const struct nbd_event *event) {
        switch (event->kind) {
        case NBD_MORE:
                break;
        case NBD_CLIENT_FLAGS:
                buf_print(&kit->said, "flags\n");
                break;
        case NBD_OPTION:
                kit_tell_option(kit, &event->option);
                break;
        case NBD_REFUSED:
                assert_non_null(event->refusal.text);
                buf_print(&kit->said, "refused %u %x\n", event->refusal.option, event->refusal.type);
                break;
        case NBD_REQUEST:
                buf_print(&kit->said, "request %u flags %x at %" PRIu64 " +%u\n", event->request.type,
                          event->request.flags, event->request.offset, event->request.length);
                break;
        case NBD_PAYLOAD:
                assert_true(event->data.n > 0);
                kit->n_data += event->data.n;
                for (size_t i = 0; i < event->data.n; i++)
                        kit->sum += event->data.data[i];
                if (nbd_wire_left(&kit->wire) > 0)
                        break;
                buf_print(&kit->said, "data %" PRIu64 " sum %" PRIu64 "\n", kit->n_data, kit->sum);
                kit->n_data = kit->sum = 0;
                break;
        }
}

/* One event from bytes that end where their memory ends. */
static inline bool kit_next(struct kit *kit) {
        AUTO_FREE uint8_t *copy = malloc(kit->held.n + 1);
        uint8_t *end = copy + 1; /* malloc(0) aside */
        struct err_note note = {0};
        struct nbd_event event;
        size_t used;

        if (kit->held.n)
                memcpy(end, kit->held.data, kit->held.n);
        if (nbd_wire_next(&kit->wire, (struct span){end, kit->held.n}, &used, &event, &note)) {
                buf_print(&kit->said, "over %s: %s\n", err_name(note.code), note.text);
                kit->is_over = true;
                return false;
        }
        assert_true(used <= kit->held.n);
        kit_tell(kit, &event);
        kit->held.n -= used;
        memmove(kit->held.data, kit->held.data + used, kit->held.n);
        /* It asks for more than lies there, and for no more than it promised to. */
        if (event.kind == NBD_MORE)
                assert_true(event.need > kit->held.n && event.need <= NBD_WIRE_NEED);
        return event.kind != NBD_MORE;
}

static inline void kit_feed(struct kit *kit, struct span bytes, size_t piece) {
        while (bytes.n > 0 && !kit->is_over) {
                size_t n = bytes.n < piece ? bytes.n : piece;

                buf_add(&kit->held, bytes.data, n);
                bytes = (struct span){bytes.data + n, bytes.n - n};
                while (!kit->is_over && kit_next(kit))
                        ;
        }
}

/* The same bytes all at once and in small pieces: the same is told. */
static inline void kit_check(enum nbd_tls tls, const struct buf *bytes, const char *want, const char *name) {
        static const size_t pieces[] = {SIZE_MAX, 1, 3, 29};

        for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
                AUTO(kit_fini) struct kit kit = {0};

                nbd_wire_init(&kit.wire, tls);
                kit_feed(&kit, (struct span){bytes->data, bytes->n}, pieces[i]);
                if (strcmp(buf_text(&kit.said), want) != 0) {
                        print_error("%s, pieces of %zu: it said\n%swanted\n%s", name, pieces[i],
                                    buf_text(&kit.said), want);
                        fail();
                }
        }
}

static inline struct span kit_text(const char *text) {
        return (struct span){(const uint8_t *)text, strlen(text)};
}

static inline void kit_ask(struct buf *to, uint16_t type, uint16_t flags, uint64_t at, uint32_t n) {
        struct nbd_request request = {
                .type = type, .flags = flags, .offset = at, .length = n, .cookie = {1, 2, 3, 4, 5, 6, 7, 8}};

        nbd_ask(&request, buf_extend(to, sizeof(struct nbd_request_wire)));
}

#endif
