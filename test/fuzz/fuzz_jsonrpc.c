// SPDX-License-Identifier: Apache-2.0
/* A line from the owner's socket: what decodes is written again as a message that decodes to the same. */
#include "fuzz.h"

#include <string.h>

#include "jsonrpc.h"

static bool is_same(const json_t *a, const json_t *b) {
        return (!a && !b) || json_equal(a, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AUTO(jsonrpc_fini) struct jsonrpc first = {0}, second = {0};
        AUTO(buf_fini) struct buf line = {0};
        struct err_note note = {0};

        if (jsonrpc_decode((struct span){data, size}, &first, &note)) {
                MUST_HOLD(note.code == ERR_CORRUPT && note.text[0]);
                return 0;
        }
        if (jsonrpc_encode(&first, &line, &note))
                abort();
        MUST_HOLD(line.data[line.n - 1] == '\n' && !memchr(line.data, '\n', line.n - 1));
        if (jsonrpc_decode((struct span){line.data, line.n - 1}, &second, &note))
                abort();
        MUST_HOLD(first.kind == second.kind && first.id == second.id && first.code == second.code);
        MUST_HOLD(strcmp(first.method, second.method) == 0 && strcmp(first.message, second.message) == 0);
        MUST_HOLD(is_same(first.params, second.params) && is_same(first.result, second.result) &&
                  is_same(first.data, second.data));
        return 0;
}
