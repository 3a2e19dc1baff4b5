// SPDX-License-Identifier: Apache-2.0
/* When packs of a vault were read: the input as it is, and with the sum that it should have.  What decodes is
 * encoded to the same bytes. */
#include "fuzz.h"

#include <string.h>

#include "read_record.h"
#include "vault_sum.h"

static void try_bytes(struct span bytes) {
        AUTO(read_record_fini) struct read_record record = {0};
        AUTO(buf_fini) struct buf again = {0};
        struct err_note note = {0};

        if (read_record_decode(bytes, &record, &note)) {
                MUST_HOLD(note.code == ERR_CORRUPT && note.text[0]);
                return;
        }
        read_record_encode(&record, &again);
        MUST_HOLD(again.n == bytes.n && memcmp(again.data, bytes.data, bytes.n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        AUTO(buf_fini) struct buf summed = {0};
        const struct span bytes = {data, n};
        uint8_t sum[32];

        try_bytes(bytes);
        vault_sum(&bytes, 1, sum);
        buf_add(&summed, data, n);
        buf_add(&summed, sum, sizeof sum);
        try_bytes((struct span){summed.data, summed.n});
        return 0;
}
