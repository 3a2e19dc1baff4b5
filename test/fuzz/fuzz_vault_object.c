// SPDX-License-Identifier: Apache-2.0
/* An envelope, as it came and with the sum that its bytes have, so that what lies behind the sum is reached
 * too: what decodes is written again as it was. */
#include "fuzz.h"

#include <string.h>

#include "vault_object.h"

static void try_object(struct span bytes, enum vault_object_kind kind) {
        AUTO(buf_fini) struct buf again = {0};
        uint8_t bound[VAULT_OBJECT_BOUND];
        struct err_note note = {0};
        struct vault_object object;

        if (vault_object_decode(bytes, kind, NULL, &object, &note)) {
                MUST_HOLD((note.code == ERR_CORRUPT || note.code == ERR_UNSUPPORTED) && note.text[0]);
                return;
        }
        vault_object_begin(&object.head, object.body, &again);
        if (object.head.is_signed) {
                buf_add(&again, object.signer, VAULT_SIGNER_SIZE);
                MUST_HOLD(again.n == object.signed_part.n);
                buf_add(&again, object.signature, VAULT_SIGNATURE_SIZE);
        }
        vault_object_end(&again);
        MUST_HOLD(again.n == bytes.n && memcmp(again.data, bytes.data, again.n) == 0);
        vault_object_bind(&object.head, bound);
        MUST_HOLD(memcmp(bound, bytes.data, VAULT_OBJECT_BOUND - 8) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        enum vault_object_kind kind = n > 5 ? (enum vault_object_kind)data[5] : VAULT_CONFIG;
        AUTO(buf_fini) struct buf summed = {0};

        try_object((struct span){data, n}, kind);
        if (n < VAULT_OBJECT_SUM)
                return 0;
        buf_add(&summed, data, n - VAULT_OBJECT_SUM);
        vault_object_end(&summed);
        try_object((struct span){summed.data, summed.n}, kind);
        return 0;
}
