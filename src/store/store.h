// SPDX-License-Identifier: Apache-2.0
/* Small tables with transactions: what an SR's catalog, jobs and runs are kept in.
 *
 * A store holds tables; a table holds rows; a row is a key (text) and a value (bytes).  A table is there as
 * soon as it has a row.  Keys are ordered by their bytes.
 *
 *      AUTO(store_abort) struct store_change *change = NULL;
 *
 *      if (store_begin(store, &change, note) ||
 *          store_put(change, "vdi", uuid, text, n, note) ||
 *          store_delete(change, "intent", uuid, note))
 *              return err_wrap(note, "rename vdi %s", uuid);
 *      return store_commit(TAKE(change), note);
 *
 * What a caller may count on, the same for every maker (store_sqlite, store_sim):
 *   - a change is all or nothing, also across a crash; once store_commit said success it is durable
 *   - a change that was not committed, or whose commit failed, is not seen; only a *crash* during the
 *     commit, or a commit that failed at its very last step, may turn out either way, and it is the same
 *     way ever after
 *   - what a read returned without a change under way is durable: no crash takes it back
 *   - reads see the change that is under way
 *   - one change at a time; beginning a second is the caller's mistake
 *   - a store opened to be read writes nothing, ever, and shows what was committed when it was opened
 *   - after an error of the device the handle stays usable: the change is lost (its commit repeats the
 *     error), the next call starts afresh from what is durable
 *   - a store has one opener who may write; the next is told ERR_BUSY
 *
 * Errors: ERR_CORRUPT names the file.  ERR_NO_SPACE: the change is lost, all else is as before.
 * ERR_READ_ONLY: to begin a change of a store opened to be read.  Empty or over-long names and values are
 * ERR_INVALID or ERR_TOO_LARGE, and like ERR_MISMATCH and ERR_NOT_FOUND they leave the change as it was.
 * Threads: one at a time.
 * Ownership: the maker's open gives a store to the caller, who closes it.  Keys and values are copied.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "bytes.h"
#include "cleanup.h"
#include "err.h"

struct store;
struct store_change;

enum {
        STORE_NAME_MAX = 1024,     /* bytes of a table's name, and of a key */
        STORE_VALUE_MAX = 1 << 20, /* bytes of a value */
};

enum store_flags {
        STORE_WRITE = 0,
        STORE_CREATE = 1 << 0,    /* make it where there is none; without this that is ERR_NOT_FOUND */
        STORE_READ_ONLY = 1 << 1, /* not together with STORE_CREATE */
};

void store_close(struct store *);             /* aborts the change under way */
const char *store_name(const struct store *); /* for messages: the path it was opened with */
DEFINE_AUTO(struct store *, store_close);

/* ---- reading ---- */

/* *ret's content is replaced, and left alone where there is no such row (ERR_NOT_FOUND). */
MUST_USE enum err store_get(struct store *, const char *table, const char *key, struct buf *ret,
                            struct err_note *);

/* Called for a row; anything but ERR_NONE ends the walk and is what store_each returns.  It may read the
 * store, and must not change it: collect first, then change. */
typedef enum err (*store_row_fn)(void *user, const char *key, const void *value, size_t n, struct err_note *);

/* All rows of a table whose key starts with prefix ("" for all), ordered by key. */
MUST_USE enum err store_each(struct store *, const char *table, const char *prefix, store_row_fn, void *user,
                             struct err_note *);

/* Reads everything there is: ERR_CORRUPT with the first thing that is wrong. */
MUST_USE enum err store_check(struct store *, struct err_note *);

/* ---- changing ---- */

MUST_USE enum err store_begin(struct store *, struct store_change **ret, struct err_note *);
MUST_USE enum err store_put(struct store_change *, const char *table, const char *key, const void *value,
                            size_t n, struct err_note *);
MUST_USE enum err store_delete(struct store_change *, const char *table, const char *key,
                               struct err_note *); /* a row that is not there is deleted already */

/* The same, only where the row is now as expected (NULL: there is none); else ERR_MISMATCH, and nothing is
 * changed. */
MUST_USE enum err store_put_if(struct store_change *, const char *table, const char *key,
                               const struct span *expected, const void *value, size_t n, struct err_note *);
MUST_USE enum err store_delete_if(struct store_change *, const char *table, const char *key,
                                  const struct span *expected, struct err_note *); /* expected is not NULL */

/* Both end the change, whatever they return. */
MUST_USE enum err store_commit(struct store_change *, struct err_note *);
void store_abort(struct store_change *);
DEFINE_AUTO(struct store_change *, store_abort);

#endif
