// SPDX-License-Identifier: Apache-2.0
/* What is said to be compressed, given in pieces and taken in pieces, whose sizes the first two bytes say:
 * nothing more comes than there is room for, all of the input is taken, and it ends. */
#include "fuzz.h"

#include <string.h>

#include "pack.h"

enum { OUT_MAX = 4 << 20 };

static void try_pieces(struct unpack *unpack, struct span data, size_t piece, size_t room) {
        static uint8_t memory[256];
        struct err_note note = {0};
        uint64_t n_all = 0;

        while (data.n > 0 && n_all < OUT_MAX) {
                struct span given = {data.data, (size_t)min_u64(piece, data.n)};
                size_t n, n_given = given.n;

                do {
                        if (unpack_some(unpack, &given, memory, room, &n, &note)) {
                                MUST_HOLD(note.text[0]);
                                return;
                        }
                        MUST_HOLD(n <= room);
                        n_all += n;
                } while ((given.n > 0 || n == room) && n_all < OUT_MAX);
                data = (struct span){data.data + n_given, data.n - n_given};
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        struct unpack *unpack;
        struct err_note note;
        enum pack_kind kind;

        if (n < 2 + PACK_MAGIC_SIZE)
                return 0;
        kind = pack_kind_of(data + 2);
        if (kind == PACK_NONE || unpack_new(kind, &unpack, &note))
                return 0;
        try_pieces(unpack, (struct span){data + 2, n - 2}, (size_t)data[0] + 1, (size_t)data[1] + 1);
        (void)unpack_is_at_end(unpack);
        unpack_free(unpack);
        return 0;
}
