// SPDX-License-Identifier: Apache-2.0
/* What a client sends.  The first byte says how the decoder is set up (its lower bits: TLS; 3 of them: past
 * the handshake) and, with its upper bits, in which pieces the rest comes.  In pieces and at once the same is
 * heard; a request is written again as the bytes that it was; what is granted fits the disk. */
#include "fuzz.h"

#include <string.h>

#include "nbd_context.h"
#include "nbd_reply.h"
#include "nbd_wire.h"
#include "nbd_wire_client.h"

static uint64_t mix(uint64_t sum, const void *data, size_t n) { /* FNV-1a */
        for (size_t i = 0; i < n; i++)
                sum = (sum ^ ((const uint8_t *)data)[i]) * 0x100000001B3;
        return sum;
}

static uint64_t mix_number(uint64_t sum, uint64_t v) {
        return mix(sum, &v, sizeof v);
}

static uint64_t hear_option(struct nbd_wire *wire, const struct nbd_option *option, uint64_t sum) {
        struct span queries = option->queries;

        MUST_HOLD(option->name.n <= NBD_NAME_MAX);
        sum = mix(mix_number(sum, option->code), option->name.data, option->name.n);
        sum = mix_number(mix_number(sum, option->infos), option->has_contexts);
        for (uint32_t i = 0; i < option->n_queries; i++)
                sum = mix_number(sum, nbd_query_take(&queries).kind);
        MUST_HOLD(queries.n == 0);
        if (option->code == NBD_OPT_STARTTLS)
                nbd_wire_secured(wire);
        if (option->code == NBD_OPT_EXPORT_NAME || option->code == NBD_OPT_GO)
                nbd_wire_start(wire);
        return sum;
}

static uint64_t hear_request(const struct nbd_request *request, const uint8_t *bytes, uint64_t sum) {
        struct nbd_session session = {.size = 1 << 30,
                                      .flags = nbd_session_flags(request->cookie[0] & 1, true),
                                      .has_structured = true,
                                      .n_contexts = 1};
        struct nbd_verdict verdict = nbd_request_check(request, &session);
        uint8_t again[sizeof(struct nbd_request_wire)];

        nbd_ask(request, again);
        MUST_HOLD(memcmp(again, bytes, sizeof again) == 0);
        MUST_HOLD((verdict.error == NBD_OK) == (verdict.text == NULL));
        MUST_HOLD(verdict.error != NBD_OK || range_fits(request->offset, request->length, session.size));
        MUST_HOLD(verdict.error != NBD_OK || nbd_command_name(request->type)[0] != '?');
        return mix(mix_number(sum, verdict.error), again, sizeof again);
}

static uint64_t hear(struct nbd_wire *wire, const struct nbd_event *event, const uint8_t *bytes,
                     uint64_t sum) {
        uint8_t reply[NBD_OPTION_REPLY_MAX];

        switch (event->kind) {
        case NBD_MORE:
                return sum;
        case NBD_CLIENT_FLAGS:
                return mix_number(sum, wire->no_zeroes);
        case NBD_OPTION:
                return hear_option(wire, &event->option, sum);
        case NBD_REFUSED:
                return mix(sum, reply, nbd_put_refusal(&event->refusal, reply));
        case NBD_REQUEST:
                return hear_request(&event->request, bytes, sum);
        case NBD_PAYLOAD:
                return mix(sum, event->data.data, event->data.n);
        }
        return sum;
}

static uint64_t run(unsigned how, const uint8_t *data, size_t n, size_t piece) {
        AUTO(nbd_wire_fini) struct nbd_wire wire;
        struct err_note note = {0};
        uint64_t sum = 0xCBF29CE484222325;
        size_t at = 0, until = 0, used;
        struct nbd_event event;

        nbd_wire_init(&wire, how % 4 == 3 ? NBD_TLS_NONE : how % 4);
        if (how % 4 == 3)
                wire.state = NBD_REQUESTS;
        while (until < n) {
                until = n - until < piece ? n : until + piece;
                do {
                        if (nbd_wire_next(&wire, (struct span){data + at, until - at}, &used, &event,
                                          &note)) {
                                MUST_HOLD(note.code == ERR_CORRUPT || note.code == ERR_DENIED);
                                return mix_number(sum, note.code);
                        }
                        MUST_HOLD(used <= until - at);
                        sum = hear(&wire, &event, data + at, sum);
                        at += used;
                        MUST_HOLD(event.kind != NBD_MORE ||
                                  (event.need > until - at && event.need <= NBD_WIRE_NEED));
                } while (event.kind != NBD_MORE);
        }
        return mix_number(sum, wire.left);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        /* Bytes behind STARTTLS are refused when they are seen: with it, or not until the next piece. */
        if (n > 0 && data[0] % 4 != 1 && data[0] % 4 != 2)
                MUST_HOLD(run(data[0], data + 1, n - 1, SIZE_MAX) ==
                          run(data[0], data + 1, n - 1, 1 + data[0] / 4));
        else if (n > 0)
                (void)run(data[0], data + 1, n - 1, 1 + data[0] / 4);
        return 0;
}
