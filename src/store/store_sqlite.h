// SPDX-License-Identifier: Apache-2.0
/* A store in one SQLite file, on files of io.h.
 *
 * The file is an ordinary database that the sqlite3 shell reads: one table `store` (tab, key, value),
 * application id "Catn", user_version the format.  Its journal lies beside it as `<path>-journal` while the
 * store is open, and after a crash; the two belong together and are moved together (store_sqlite_set_aside
 * does).
 *
 * A commit costs four syncs: the journal's pages, its header, the file, the empty header.  One more, of the
 * directory, comes with the first commit.  Opening what was closed well costs none.
 *
 * Opened with STORE_READ_ONLY, the file is read whole into memory, rolled back there if its writer crashed,
 * and let go: nothing on disk changes and no later opener is kept out.  While a writer has it open that is
 * ERR_BUSY.  Only to such a reader may a commit show that a crash in the same moment takes back.
 *
 * Errors: ERR_CORRUPT: damaged, or its tables are not ours; ERR_MISMATCH: a database of something else;
 * ERR_UNSUPPORTED: written by a newer Catena; ERR_BUSY: open elsewhere; each names the file.
 * Threads: one at a time, as all of store.h.  Ownership: io is borrowed and outlives the store.
 */
#ifndef STORE_STORE_SQLITE_H
#define STORE_STORE_SQLITE_H

#include "store.h"

struct io;

/* flags: enum store_flags */
MUST_USE enum err store_sqlite_open(struct io *, const char *path, unsigned flags, struct store **ret,
                                    struct err_note *);

/* Gives a closed store and its journal another name in the same directory, durably, so that a new one can be
 * made. */
MUST_USE enum err store_sqlite_set_aside(struct io *, const char *path, const char *to, struct err_note *);

#endif
