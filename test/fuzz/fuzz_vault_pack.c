// SPDX-License-Identifier: Apache-2.0
/* A pack whose trailer lies open: what decodes is written again as it was, and its blobs fill it.  The sum is
 * checked as it came, then what lies behind it whether it fits or not. */
#include "fuzz.h"

#include <string.h>

#include "vault_pack.h"

static void try_head(const uint8_t *bytes, struct vault_pack_head *ret) {
        uint8_t again[VAULT_PACK_HEAD];
        struct err_note note = {0};

        if (vault_pack_head_decode(bytes, ret, &note)) {
                MUST_HOLD((note.code == ERR_CORRUPT || note.code == ERR_UNSUPPORTED) && note.text[0]);
                return;
        }
        vault_pack_head_encode(ret, again);
        MUST_HOLD(memcmp(bytes, again, sizeof again) == 0);
}

static void try_entries(struct span bytes, const struct vault_pack_end *end) {
        AUTO(vault_pack_entries_fini) struct vault_pack_entries entries = {0};
        struct err_note note = {0};
        uint8_t again[VAULT_ENTRY_SIZE];
        uint64_t at = VAULT_PACK_HEAD;

        if (vault_pack_entries_decode(bytes, end, &entries, &note)) {
                MUST_HOLD(note.code == ERR_CORRUPT && note.text[0]);
                return;
        }
        MUST_HOLD(entries.list.n == end->n_blobs);
        for (size_t i = 0; i < entries.list.n; i++) {
                vault_pack_entry_encode(&entries.list.data[i], again);
                MUST_HOLD(memcmp(bytes.data + i * sizeof again, again, sizeof again) == 0);
                at += entries.list.data[i].stored;
        }
        MUST_HOLD(at == end->trailer_at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        struct vault_pack_head head = {0};
        struct vault_pack_end end, again;
        uint8_t bytes[VAULT_PACK_END];
        struct err_note note = {0};
        struct span trailer;

        if (n < VAULT_PACK_HEAD + VAULT_PACK_END)
                return 0;
        try_head(data, &head);
        if (vault_pack_end_decode(data + n - VAULT_PACK_END, n, &end, &note)) {
                MUST_HOLD((note.code == ERR_CORRUPT || note.code == ERR_CUT_SHORT) && note.text[0]);
                return 0;
        }
        trailer = (struct span){data + end.trailer_at, vault_pack_trailer_size(end.n_blobs)};
        if (vault_pack_end_check(&end, data + n - VAULT_PACK_END, data, trailer, &note))
                MUST_HOLD(note.code == ERR_CORRUPT);
        vault_pack_end_encode(&end, data, trailer, bytes);
        MUST_HOLD(memcmp(bytes, data + n - VAULT_PACK_END, VAULT_PACK_END - sizeof end.sum) == 0);
        if (vault_pack_end_decode(bytes, n, &again, &note) ||
            vault_pack_end_check(&again, bytes, data, trailer, &note))
                abort();
        trailer.n -= VAULT_TAG_SIZE;
        try_entries(trailer, &end);
        return 0;
}
