// SPDX-License-Identifier: Apache-2.0
/* Looks at all of a VHD's metadata and says what is wrong; repairs what can be repaired, after saying what it
 * would do.
 *
 * A finding is something to tell the user; it is not an error of the call.  Findings are ordered by severity
 * and offset, at most VHD_FINDINGS_MAX are kept (the rest is counted).  Checked:
 *
 *   footers   each by itself, and that they are equal; an image that another tool's resize disabled
 *   header    each rule, and that no two parts of the metadata lie upon each other
 *   BAT       entries lie in the file, not over metadata, not over each other (in time proportional to their
 *             number: a second for 2040 GiB).  A block that ends past the file reads as zeros: a warning
 *   batmap    header, checksum, no bit without a block; with VHD_CHECK_BITMAPS, no bit whose bitmap lacks a
 *             sector
 *   locators  legal, no code twice, each names what the header names
 *   parent    with VHD_CHECK_PARENT: it is found, and is the one that is meant
 *   reserved  bytes that are not zero: a warning.  We keep them
 *
 * What others write differently and what harms nobody is no finding: geometry of any size, 511-byte footers,
 * blocks in any order and alignment, bits past the end of the disk.
 *
 * Errors: only what kept the check from looking (I/O, not a VHD at all, open for writing elsewhere:
 * ERR_BUSY).
 * Threads: any; check changes nothing.
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
        const char *part; /* borrowed, static: "footer copy", "footer", "header", "BAT", "batmap", "bitmap",
                           * "locator", "parent"; of others "coalesce" */
        uint64_t at;      /* file offset */
        bool is_repairable;
        char text[200];   /* what is wrong */
        char repair[120]; /* what repair would do; empty where it can do nothing */
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

/* For who adds findings of his own; then, once, findings_sort. */
void findings_add(struct findings *, enum finding_severity, const char *part, uint64_t at, const char *repair,
                  const char *fmt, ...) PRINTF_LIKE(6, 7);
void findings_sort(struct findings *);

enum { VHD_CHECK_BITMAPS = 1 << 0, VHD_CHECK_PARENT = 1 << 1 };

/* Under a shared lock.  ret is filled anew. */
MUST_USE enum err vhd_check(struct io *, const char *path, unsigned flags, struct findings *ret,
                            struct err_note *);
/* The same for a file that is open, and locked by the caller if he wants. */
MUST_USE enum err vhd_check_file(struct io *, struct io_file *, unsigned flags, struct findings *ret,
                                 struct err_note *);

/* Mends what vhd_check calls repairable, under an exclusive lock: footers from one another, a header cut in
 * two, the batmap from the bitmaps, BAT entries past the end of the file (dropped: what they named is lost
 * already), locators and unicode name from parent_path.  That may be NULL: then names stay; ERR_MISMATCH
 * where it is not the parent that the image's uuid means.  is_dry_run changes nothing.  ret is what was found
 * before, with what was (or would be) done.  Each step leaves the file no worse, at every instant, and is
 * durable before the next. */
MUST_USE enum err vhd_repair(struct io *, const char *path, const char *parent_path, bool is_dry_run,
                             struct findings *ret, struct err_note *);

#endif
