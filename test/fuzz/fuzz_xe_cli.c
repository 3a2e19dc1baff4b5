// SPDX-License-Identifier: Apache-2.0
/* What comes over the connection of an `xe`: banner and messages.  What decodes encodes to the same bytes. */
#include "fuzz.h"

#include <string.h>

#include "xe_cli.h"

static void try_messages(struct span bytes) {
        while (bytes.n) {
                AUTO(buf_fini) struct buf again = {0};
                struct xe_message message;
                struct err_note note = {0};
                size_t used;

                if (xe_decode(bytes, 4096, &message, &used, &note)) {
                        MUST_HOLD((note.code == ERR_CORRUPT || note.code == ERR_TOO_LARGE) && note.text[0]);
                        return;
                }
                if (used == 0)
                        return;
                xe_encode(&message, &again);
                MUST_HOLD(again.n == used && memcmp(again.data, bytes.data, used) == 0);
                bytes = (struct span){bytes.data + used, bytes.n - used};
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        struct err_note note = {0};
        size_t used = 0;

        if (xe_banner_decode((struct span){data, n}, &used, &note))
                MUST_HOLD(note.code == ERR_CORRUPT || note.code == ERR_UNSUPPORTED);
        MUST_HOLD(used == 0 || used == XE_BANNER_SIZE);
        try_messages((struct span){data + used, n - used});
        return 0;
}
