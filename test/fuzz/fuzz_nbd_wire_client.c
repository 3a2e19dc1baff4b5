// SPDX-License-Identifier: Apache-2.0
/* What a server sends.  The first byte says in which state the client is (its lower bits) and, with the
 * others, in which pieces the rest comes.  In pieces and at once the same is heard; heads of data and holes
 * are written again as the bytes that they were. */
#include "fuzz.h"

#include <string.h>

#include "nbd_reply.h"
#include "nbd_wire_client.h"

static uint64_t mix(uint64_t sum, const void *data, size_t n) { /* FNV-1a */
        for (size_t i = 0; i < n; i++)
                sum = (sum ^ ((const uint8_t *)data)[i]) * 0x100000001B3;
        return sum;
}

static uint64_t mix_number(uint64_t sum, uint64_t v) {
        return mix(sum, &v, sizeof v);
}

static void write_again(const struct nbd_heard *heard, const uint8_t *bytes) {
        struct nbd_request request = {.length = 0};
        uint8_t again[NBD_ANSWER_MAX];
        size_t n = 0;

        memcpy(request.cookie, heard->cookie, sizeof request.cookie);
        if (heard->type == NBD_CHUNK_DATA)
                n = nbd_put_data(&request, heard->offset, (uint32_t)heard->length, heard->is_last, again);
        if (heard->type == NBD_CHUNK_HOLE)
                n = nbd_put_hole(&request, heard->offset, (uint32_t)heard->length, heard->is_last, again);
        if (n > 0)
                again[4] = bytes[4], again[5] = bytes[5]; /* flags that nobody knows are let pass */
        MUST_HOLD(memcmp(again, bytes, n) == 0);
}

static uint64_t hear(struct nbd_client *client, const struct nbd_heard *heard, const uint8_t *bytes,
                     uint64_t sum) {
        if (heard->kind == NBD_HEARD_NOTHING)
                return sum;
        if (heard->kind == NBD_HEARD_DATA)
                return mix(sum, heard->data.data, heard->data.n);
        if (heard->kind == NBD_HEARD_CHUNK)
                write_again(heard, bytes);
        if (heard->kind == NBD_HEARD_SIMPLE && heard->error == NBD_OK)
                nbd_client_expect(client, heard->cookie[0]);
        if (heard->kind == NBD_HEARD_OPTION && heard->option == NBD_OPT_GO && heard->type == NBD_REP_ACK)
                nbd_client_start(client);
        MUST_HOLD(heard->extents.n % sizeof(struct nbd_extent_wire) == 0);
        sum = mix_number(mix_number(sum, heard->kind), heard->type);
        sum = mix_number(mix_number(sum, heard->size), heard->offset);
        sum = mix_number(mix_number(sum, heard->error), heard->context);
        sum = mix(sum, heard->extents.data, heard->extents.n);
        return mix(sum, heard->text.data, heard->text.n);
}

static uint64_t run(unsigned how, const uint8_t *data, size_t n, size_t piece) {
        struct nbd_client client;
        struct err_note note = {0};
        uint64_t sum = 0xCBF29CE484222325;
        size_t at = 0, until = 0, used;
        struct nbd_heard heard;

        nbd_client_init(&client);
        client.state = how % 4;
        client.no_zeroes = how >> 7;
        while (until < n) {
                until = n - until < piece ? n : until + piece;
                do {
                        if (nbd_client_next(&client, (struct span){data + at, until - at}, &used, &heard,
                                            &note)) {
                                MUST_HOLD(note.code == ERR_CORRUPT || note.code == ERR_TOO_LARGE);
                                return mix_number(sum, note.code);
                        }
                        MUST_HOLD(used <= until - at);
                        sum = hear(&client, &heard, data + at, sum);
                        at += used;
                        MUST_HOLD(heard.kind != NBD_HEARD_NOTHING ||
                                  (heard.need > until - at && heard.need <= NBD_CLIENT_REPLY_MAX));
                } while (heard.kind != NBD_HEARD_NOTHING);
        }
        return mix_number(sum, client.left);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        if (n > 0)
                MUST_HOLD(run(data[0], data + 1, n - 1, SIZE_MAX) ==
                          run(data[0], data + 1, n - 1, 1 + (data[0] >> 2 & 31)));
        return 0;
}
