// SPDX-License-Identifier: Apache-2.0
/* What a maker of stores provides.  Only the makers and store.c include this.
 *
 * store.c checks names and sizes, keeps to one change at a time, refuses changes of a read-only store, and
 * remembers an error that ended a change early; so a maker sees only what is well-formed, and after an error
 * of its own (anything but ERR_MISMATCH and ERR_NOT_FOUND) no more of that change than its abort.
 *
 * Errors: the maker's note says what failed on which file; store.c puts which row of which table in front.
 * Threads: one at a time.
 */
#ifndef STORE_STORE_OPS_H
#define STORE_STORE_OPS_H

#include "store.h"

struct store_ops {
        void (*close)(struct store *); /* frees it */
        enum err (*get)(struct store *, const char *table, const char *key, struct buf *ret,
                        struct err_note *);
        enum err (*each)(struct store *, const char *table, const char *prefix, store_row_fn, void *user,
                         struct err_note *);
        enum err (*check)(struct store *, struct err_note *);
        enum err (*begin)(struct store *, struct err_note *);
        enum err (*put)(struct store *, const char *table, const char *key, struct span value,
                        struct err_note *);
        enum err (*delete)(struct store *, const char *table, const char *key, struct err_note *);
        /* expected NULL: only where there is no such row */
        enum err (*put_if)(struct store *, const char *table, const char *key, const struct span *expected,
                           struct span value, struct err_note *);
        enum err (*delete_if)(struct store *, const char *table, const char *key, const struct span *expected,
                              struct err_note *);
        enum err (*commit)(struct store *, struct err_note *); /* ends the change also where it fails */
        void (*abort)(struct store *);
};

struct store_change {
        struct store *store;    /* borrowed: the store this is a part of */
        bool active;            /* begun, and neither committed nor aborted */
        struct err_note failed; /* code is not ERR_NONE: the error that ended it early */
};

/* The first member of each maker's own struct. */
struct store {
        const struct store_ops *ops; /* borrowed, static */
        char *name;                  /* owned; freed by store_fini */
        bool read_only;
        unsigned walks; /* store_each calls under way */
        struct store_change change;
};

void store_init(struct store *, const struct store_ops *, const char *name, bool read_only);
void store_fini(struct store *);

#endif
