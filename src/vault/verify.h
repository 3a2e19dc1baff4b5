// SPDX-License-Identifier: Apache-2.0
/* Proving that what a vault has is what was put there, and saying where it is not.
 *
 *      verify(vault, &options, &report, note)
 *      … report.findings …
 *      verify_report_fini(&report)
 *
 * Every object but packs is opened, always.  Packs are read in order, by as many threads as there are cores:
 *
 *      VERIFY_TAGS      sums, trailers, and the tag of each blob
 *      VERIFY_CONTENT   besides, each blob is decompressed and its id computed anew
 *      VERIFY_TREE      every sealed point is walked from its disks' roots: what it needs is there
 *
 * When each was read is kept (read_record.h); which are read is VERIFY_ALL, those never read, or a share of
 * those longest unread.  A run over all of them that was interrupted is gone on with by the next.
 *
 * Damage is recorded in the vault (taints.h): what is damaged counts as not there, so the next put of that
 * content heals it, and a point that needs it is nobody's parent.  Packs that are recorded so are read in
 * every run, by content; what fits again is taken out of the record.
 *
 * Errors: of the target as a whole; ERR_CANCELLED, by step: what was read by then is kept.  Damage is no
 * error but a finding.
 * Threads: one at a time, nobody else is at work in this struct vault; step is called in the caller's.
 * Memory: 2 bits an index entry, 32 bytes a pack, and for each thread what a blob reader has.
 */
#ifndef VAULT_VERIFY_H
#define VAULT_VERIFY_H

#include "points.h"
#include "vault.h"

enum { VERIFY_TAGS = 1, VERIFY_CONTENT = 2, VERIFY_TREE = 4, VERIFY_ALL_LEVELS = 7 };
enum verify_which { VERIFY_ALL, VERIFY_NEW, VERIFY_SHARE };

struct verify_options {
        unsigned levels; /* 0: all */
        enum verify_which which;
        unsigned percent;   /* of VERIFY_SHARE: of the bytes of all packs, 1 to 100 */
        bool begins_anew;   /* an interrupted run is not gone on with */
        bool records_taint; /* a key that may write, and the wish to */
        const char *record; /* borrowed; the file of read_record.h; NULL: none */
        unsigned n_threads; /* 0: as many as cores */
        /* Bytes of packs gone through, of how many; may cancel.  NULL: none */
        enum err (*step)(void *user, uint64_t done, uint64_t all, struct err_note *); /* borrowed */
        void *user; /* borrowed; handed to step */
};

enum verify_what {
        VERIFY_IN_OBJECT, /* it is damaged */
        VERIFY_IN_PACK,   /* as a whole */
        VERIFY_IN_BLOB,
        VERIFY_IN_DISK, /* a range of a point's disk */
};
struct verify_finding {
        enum verify_what what;
        char *object;            /* owned; its name on the target: of the pack, of the point's manifest */
        struct vault_place blob; /* of a blob */
        uint64_t at, n;          /* in the pack; of the disk */
        struct vault_id id;      /* of a blob */
        struct vault_name point; /* of a disk, and */
        char *of, *disk;         /* owned; the point's name and the disk's; NULL elsewhere */
        char *text;              /* owned; what is wrong */
};
const char *verify_what_text(enum verify_what); /* "object", "pack", "blob", "disk" */

struct verify_report {
        VEC(struct verify_finding) findings; /* owned, and each */
        uint64_t n_packs, n_bytes;           /* that the vault has */
        uint64_t n_packs_read, n_bytes_read, n_blobs_read;
        uint64_t n_loose;          /* packs that no index knows: slow to open, or just being put; no damage */
        uint64_t n_objects;        /* other than packs */
        uint64_t n_points;         /* that were walked */
        uint64_t n_damaged_points; /* that are not whole */
        bool has_resumed;
        bool has_taint; /* something is recorded as damaged, by now */
};
void verify_report_fini(struct verify_report *);
DEFINE_AUTO_IN_PLACE(struct verify_report, verify_report_fini);

MUST_USE enum err verify(struct vault *, const struct verify_options *, struct verify_report *ret,
                         struct err_note *);

#endif
