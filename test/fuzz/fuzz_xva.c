// SPDX-License-Identifier: Apache-2.0
/* The members of an XVA, one a line: a byte that says how much data, its name.  No block leaves its disk or
 * comes before one that was there, and names are printed as they were. */
#include "fuzz.h"

#include <string.h>

#include "xva.h"

static void try_name(const char *member) {
        struct xva_name name, again;

        xva_name_parse(member, &name);
        if (name.kind == XVA_OTHER)
                return;
        xva_name_parse(xva_name_print(&name).s, &again);
        MUST_HOLD(name.kind == again.kind && name.number == again.number &&
                  strcmp(name.disk, again.disk) == 0);
}

/* Each byte of a disk at most once: known[] is how far. */
static void try_step(struct xva_walk *walk, const struct tar_member *member, uint64_t *known) {
        struct err_note note = {0};
        struct xva_step step;

        if (xva_walk_next(walk, member, &step, &note)) {
                MUST_HOLD(note.text[0]);
                return;
        }
        MUST_HOLD(step.n == member->size_bytes);
        if (step.what == XVA_SKIP)
                return;
        MUST_HOLD(step.disk < walk->n);
        if (step.what == XVA_TAKE_BLOCK) {
                MUST_HOLD(step.n <= XVA_BLOCK &&
                          range_fits(step.at, step.n, walk->disks[step.disk].size_bytes));
                MUST_HOLD(step.at >= known[step.disk]);
                known[step.disk] = step.at + step.n;
        } else {
                MUST_HOLD(step.n == (step.checksum == XVA_SHA1 ? XVA_SHA1_SIZE : XVA_XXH64_SIZE));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        struct xva_disk disks[] = {{.ref = "Ref:4", .size_bytes = 3 * MIB + 512},
                                   {.ref = "Ref:10", .size_bytes = MIB}};
        uint64_t known[2] = {0};
        struct xva_walk walk;

        if (n == 0)
                return 0;
        xva_walk_init(&walk, disks, 2, data[0] & 1);
        for (size_t at = 1; at < n;) {
                static const uint64_t sizes[] = {0, 512, MIB, MIB + 1, 40, 16, UINT64_MAX, 1};
                const uint8_t *end = memchr(data + at, '\n', n - at);
                size_t length = (end ? (size_t)(end - data) : n) - at;
                struct tar_member member = {.size_bytes = sizes[data[at] & 7], .is_file = true};

                if (length > 1 && length - 1 <= TAR_NAME_READ_MAX) {
                        memcpy(member.name, data + at + 1, length - 1);
                        try_name(member.name);
                        try_step(&walk, &member, known);
                }
                at += length + 1;
        }
        return 0;
}
