// SPDX-License-Identifier: Apache-2.0
/* Which points of a vault are kept: a pure decision.
 *
 * Of each name the newest N good ones are kept, N being at least 1, and all that are newer than the last of
 * these, good or not; of other names than the one asked for, all.  Newest is what was seen first latest; of
 * those that were seen first at the same time, by their own.  A point dated later than it was first seen is
 * kept and counts for nothing: its clock cannot be believed, and it would push good ones out.
 *
 * Errors: none.  Threads: any.
 */
#ifndef VAULT_KEEP_H
#define VAULT_KEEP_H

#include <stddef.h>

#include "vault_name.h"

/* Clocks of two machines that are both right differ by less. */
enum { KEEP_CLOCKS_DIFFER = 24 * 3600 };

enum keep_why {
        KEEP_OTHER_NAME, /* the rule is not for it */
        KEEP_LAST,       /* one of the last N */
        KEEP_DATED,      /* later than it was first seen */
        KEEP_IN_USE,     /* somebody reads it */
        KEEP_NOT,        /* it may go */
};
const char *keep_why_text(enum keep_why);

struct keep_point {
        struct vault_name point;
        const char *name;         /* borrowed */
        int64_t time, first_seen; /* seconds since 1970; its own; by the admin's clock */
        uint64_t sequence;        /* of its writer's points: the order within a second */
        bool is_good;             /* sealed, and no damage is known */
        bool is_in_use;
        enum keep_why why; /* filled in */
};
struct keep_rule {
        unsigned last;    /* at least 1 counts; 0: all are kept */
        const char *name; /* borrowed; NULL: of every name */
};
/* Sorts them: by name, newest first. */
void keep_choose(struct keep_point *, size_t n, const struct keep_rule *);

#endif
