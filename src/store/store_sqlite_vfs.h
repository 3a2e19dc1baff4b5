// SPDX-License-Identifier: Apache-2.0
/* SQLite's files on io.h, so that the simulator crashes the real SQLite, and so that an error says which file
 * could not be written and why instead of "disk I/O error".
 *
 * One is made for each open store, and knows SQLite under a name of its own.  It promises what the rollback
 * journal needs and SQLite leaves to the file system:
 *
 *   [V1] the main file is locked from its opening to its closing; SQLite's own locks are then words only
 *   [V2] the first sync after a name came or went also syncs the directory, so that no page of the main file
 *        is written while its journal might not be found after a crash; names that were there are not trusted
 *        either, as their maker may have died before its sync
 *   [V3] a journal left behind with an empty header, which says that its change is committed, has that header
 *        made durable before anything is read: its writer may have died before its sync
 *   [V4] opened to be read, all files are copies in memory: SQLite can roll a hot journal back there, and no
 *        byte and no name on disk is touched
 *
 * Errors: SQLite's codes go to SQLite; what io said is kept for store_sqlite_vfs_error.
 * Threads: one at a time.  Ownership: outlives the sqlite3 connections that use its name.
 */
#ifndef STORE_STORE_SQLITE_VFS_H
#define STORE_STORE_SQLITE_VFS_H

#include <stdbool.h>

#include "cleanup.h"
#include "err.h"

struct io;
struct store_sqlite_vfs;

MUST_USE enum err store_sqlite_vfs_new(struct io *, bool read_only, struct store_sqlite_vfs **ret,
                                       struct err_note *);
void store_sqlite_vfs_free(struct store_sqlite_vfs *);
DEFINE_AUTO(struct store_sqlite_vfs *, store_sqlite_vfs_free);

const char *store_sqlite_vfs_name(const struct store_sqlite_vfs *);

/* The first error of io since the last clearing, which is the cause of those after it; NULL where there was
 * none. */
const struct err_note *store_sqlite_vfs_error(const struct store_sqlite_vfs *);
void store_sqlite_vfs_clear_error(struct store_sqlite_vfs *);

/* Read-only: all is in memory, let others have the file. */
void store_sqlite_vfs_unlock(struct store_sqlite_vfs *);

/* All is committed and well: the main file's close takes its empty journal away. */
void store_sqlite_vfs_tidy(struct store_sqlite_vfs *);

#endif
