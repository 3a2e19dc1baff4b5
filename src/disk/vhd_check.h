// SPDX-License-Identifier: Apache-2.0
/* Looks at all of a VHD's metadata and says what is wrong; repairs what can be repaired, after saying what it would do.
 *
 * A finding is something to tell the user; it is not an error of the call.  Findings are ordered by severity and offset,
 * at most VHD_FINDINGS_MAX are kept (the rest is counted).  Checked: both footers and their equality; header; BAT entries
 * within the file, not over metadata, not over each other (O(n log n)); batmap checksum, bits of unallocated blocks, and,
 * with VHD_CHECK_BITMAPS, bits against bitmaps; locators (valid, no duplicate code, name equals the unicode name); parent
 * found and uuid equal, with VHD_CHECK_PARENT.  A block that ends past the file reads as zeros and is a warning.
 *
 * Errors: only what kept the check from looking (I/O, not a VHD at all, locked).  Threads: any; check changes nothing.
 */
#ifndef DISK_VHD_CHECK_H
#define DISK_VHD_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "io.h"
#include "vec.h"

enum finding_severity { FINDING_ERROR, FINDING_WARNING };

struct finding {
        enum finding_severity severity;
        const char           *part; /* borrowed, static: "footer copy", "footer", "header", "BAT", "batmap", "bitmap",
                                     * "locator", "parent" */
        uint64_t              at;   /* file offset */
        bool                  is_repairable;
        char                  text[200];   /* what is wrong */
        char                  repair[120]; /* what repair would do; empty where it can do nothing */
};

enum { VHD_FINDINGS_MAX = 1000 };

struct findings {
        VEC(struct finding) list; /* owned */
        uint64_t n_errors, n_warnings;
        uint64_t n_blocks, n_allocated; /* what was looked at */
        uint64_t n_sectors_held;        /* with VHD_CHECK_BITMAPS */
};
void findings_fini(struct findings *);
DEFINE_AUTO_IN_PLACE(struct findings, findings_fini);

enum { VHD_CHECK_BITMAPS = 1 << 0, VHD_CHECK_PARENT = 1 << 1 };

MUST_USE enum err vhd_check(struct io *, const char *path, unsigned flags, struct findings *ret, struct err_note *);

/* Mends what vhd_check calls repairable: footers from one another, the batmap from the bitmaps, locators and unicode name
 * from parent_path (may be NULL), BAT entries past the end of the file (dropped: what they named is lost already).
 * is_dry_run only fills ret with what would be done.  Each step leaves the file no worse, at every instant. */
MUST_USE enum err vhd_repair(struct io *, const char *path, const char *parent_path, bool is_dry_run, struct findings *ret,
                             struct err_note *);

#endif
