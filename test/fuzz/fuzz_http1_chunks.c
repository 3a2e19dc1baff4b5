// SPDX-License-Identifier: Apache-2.0
/* A chunked body: in pieces of the size that the first byte says it is the same as in one. */
#include "fuzz.h"

#include <string.h>

#include "buf.h"
#include "http1_chunks.h"

struct result {
        struct buf data;
        size_t used;
        bool is_whole, is_wrong;
};

static void decode(const uint8_t *data, size_t n, size_t piece, struct result *ret) {
        struct http1_chunks chunks = {0};
        size_t until = 0;

        while (!chunks.is_whole && ret->used < n) {
                struct err_note note = {0};
                size_t frame = 0;
                uint64_t some;

                until = until < n - min_u64(n, piece) ? until + piece : n;
                if (until < ret->used)
                        continue;
                if (http1_chunks_frame(&chunks, (struct span){data + ret->used, until - ret->used}, &frame,
                                       &note)) {
                        MUST_HOLD(note.code == ERR_CORRUPT || note.code == ERR_TOO_LARGE);
                        ret->is_wrong = true;
                        return;
                }
                ret->used += frame;
                MUST_HOLD(ret->used <= until);
                some = chunks.state == HTTP1_CHUNK_DATA ? min_u64(chunks.left, until - ret->used) : 0;
                buf_add(&ret->data, data + ret->used, some);
                http1_chunks_skip(&chunks, some);
                ret->used += some;
        }
        ret->is_whole = chunks.is_whole;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct result one = {0}, many = {0};

        if (size == 0)
                return 0;
        decode(data + 1, size - 1, size, &one);
        decode(data + 1, size - 1, 1 + data[0] % 64, &many);
        MUST_HOLD(one.is_whole == many.is_whole && one.is_wrong == many.is_wrong);
        MUST_HOLD(one.data.n == many.data.n);
        MUST_HOLD(one.data.n == 0 || memcmp(one.data.data, many.data.data, one.data.n) == 0);
        MUST_HOLD(one.is_wrong || one.used == many.used);
        buf_fini(&one.data);
        buf_fini(&many.data);
        return 0;
}
