// SPDX-License-Identifier: Apache-2.0
/* What the files of verify share; nobody else includes this.
 *
 * Errors: as verify.h says.  Threads: one at a time.
 */
#ifndef VAULT_VERIFY_INSIDE_H
#define VAULT_VERIFY_INSIDE_H

#include "read_record.h"
#include "reading.h"
#include "verify.h"

/* A pack that is listed. */
struct verify_pack {
        struct vault_name name;
        uint64_t size;
        uint64_t read_at; /* when it was last read as deep as is asked for now */
        bool is_tainted, is_chosen;
};

struct verify_run {
        struct vault *vault;                  /* borrowed */
        const struct verify_options *options; /* borrowed */
        unsigned levels;
        uint64_t now;                       /* seconds since 1970, when it began */
        struct read_record record;          /* owned */
        VEC(struct verify_pack) packs;      /* owned; ascending by name */
        struct points points;               /* owned; those that are walked */
        struct reading reading;             /* owned; of these */
        struct vault_taint before;          /* owned; what was recorded */
        struct vault_taint after;           /* owned; what is to be */
        VEC(struct vault_place) unreadable; /* owned; of `after`, what no reader can have */
        struct verify_report *report;       /* borrowed */
};

struct verify_finding *verify_find(struct verify_run *, enum verify_what, const char *object,
                                   const char *text);

void verify_forget(struct verify_run *, size_t n); /* all findings but the first n */

/* ---- verify_choose.c: which packs are read ---- */

MUST_USE enum err verify_choose(struct verify_run *, struct err_note *);

/* ---- verify_packs.c ---- */

MUST_USE enum err verify_packs(struct verify_run *, struct err_note *);

/* ---- verify_objects.c: opens all others, and collects the points ---- */

MUST_USE enum err verify_objects(struct verify_run *, struct err_note *);

/* ---- verify_tree.c ---- */

MUST_USE enum err verify_tree(struct verify_run *, struct err_note *);

#endif
