// SPDX-License-Identifier: Apache-2.0
/* Where a vault's objects lie: one ops table.  A directory (target_dir.h), a bucket of S3 (target_s3.h), a
 * simulated one whose objects appear late (target_sim.h).
 *
 * What a caller may count on, the same for every maker:
 *   - a put that succeeded is durable, whole, and read by whoever asks for it by its name from then on; one
 *     that failed may have happened, or happen later
 *   - what is seen of a put that did not succeed may be gone after a crash, until target_settle
 *   - a listing may lack what was put less than list_lag seconds ago, and may have what was deleted then
 *   - a remove that succeeded may come late, or be undone by a put that comes again: whoever needs it gone
 *     looks
 *   - what was put once has these bytes for ever; a put of a name that is there is ERR_EXISTS or replaces it
 *     by the same bytes (nobody relies on either), but for names put with replace; of a mark, *.broken, whose
 *     being there says all, several may come at once with bytes of their own, and any of them stays
 *   - names are of a-z, 0-9, '.', '-' and '/', at most TARGET_NAME_MAX bytes; none of their parts is empty
 *     or begins with '.'.  What else lies there is not listed
 *
 * Errors: ERR_NOT_FOUND; ERR_INVALID, no name; those of io.h, with the object's name in front.  What may be
 * tried again has been tried again when an error comes.
 * Threads: any, many at once.
 */
#ifndef VAULT_TARGET_H
#define VAULT_TARGET_H

#include <stdbool.h>
#include <sys/uio.h>

#include "buf.h"
#include "err.h"
#include "vec.h"

enum { TARGET_NAME_MAX = 200 };

struct target;

struct target_item {
        char *name; /* owned; whole, not behind the prefix alone */
        uint64_t size;
};
struct target_list {
        VEC(struct target_item) items; /* owned, and each; sorted by name */
};
void target_list_fini(struct target_list *);
DEFINE_AUTO_IN_PLACE(struct target_list, target_list_fini);

/* What a maker fills in; target.c is the only caller, checks names and says them in errors. */
struct target_ops {
        const char *kind; /* borrowed, static; "directory": what people see */
        /* Adds to an empty ret, in any order, all whose names begin with prefix, which is empty or ends with
         * '/'; target.c sorts, and releases what is there on failure. */
        enum err (*list)(struct target *, const char *prefix, struct target_list *ret, struct err_note *);
        /* Fewer than n only at the object's end. */
        enum err (*read)(struct target *, const char *name, uint64_t at, void *ret, size_t n, size_t *ret_n,
                         struct err_note *);
        enum err (*size)(struct target *, const char *name, uint64_t *ret, struct err_note *);
        enum err (*put)(struct target *, const char *name, const struct iovec *, unsigned n, bool replace,
                        struct err_note *);
        enum err (*remove)(struct target *, const char *name, struct err_note *); /* may be gone already */
        /* NULL: what is seen is durable always. */
        enum err (*settle)(struct target *, const char *prefix, struct err_note *);
        void (*free)(struct target *);
};

/* What every maker begins with. */
struct target {
        const struct target_ops *ops; /* borrowed, static */
        char *where;                  /* owned; for people: a path, s3://… */
};

bool target_name_is_valid(const char *name);
MUST_USE enum err target_list(struct target *, const char *prefix, struct target_list *ret,
                              struct err_note *);
MUST_USE enum err target_read(struct target *, const char *name, uint64_t at, void *ret, size_t n,
                              size_t *ret_n, struct err_note *);
MUST_USE enum err target_size(struct target *, const char *name, uint64_t *ret, struct err_note *);
/* The whole object, at most max bytes: ERR_TOO_LARGE. */
MUST_USE enum err target_get(struct target *, const char *name, size_t max, struct buf *ret,
                             struct err_note *);
MUST_USE enum err target_put(struct target *, const char *name, const void *data, size_t n,
                             struct err_note *);
/* The same of bytes in pieces, n of them. */
MUST_USE enum err target_put_vec(struct target *, const char *name, const struct iovec *, unsigned n,
                                 struct err_note *);
/* For `config` alone: whatever was there before is there until the new is. */
MUST_USE enum err target_replace(struct target *, const char *name, const void *data, size_t n,
                                 struct err_note *);
/* What was listed or read by now, of names that begin with prefix (as for a listing), is durable, whoever put
 * it: he may have died before his put was, and whoever relies on such an object cannot know. */
MUST_USE enum err target_settle(struct target *, const char *prefix, struct err_note *);
/* Gone already: success. */
MUST_USE enum err target_remove(struct target *, const char *name, struct err_note *);
void target_close(struct target *);
DEFINE_AUTO(struct target *, target_close);

#endif
