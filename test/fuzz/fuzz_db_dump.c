// SPDX-License-Identifier: Apache-2.0
/* What a client says is a dump: it is refused with a sentence, or counted. */
#include "fuzz.h"

#include "db_dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        struct db_dump_count count = {0};
        struct err_note note = {0};

        if (db_dump_check((struct span){data, n}, &count, &note))
                MUST_HOLD(note.code && note.text[0]);
        else
                MUST_HOLD(count.n_rows <= n && count.n_tables <= n);
        return 0;
}
