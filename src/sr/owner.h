// SPDX-License-Identifier: Apache-2.0
/* Who owns an SR: a locked file, `.catena/owner`, that says so in words.
 *
 *      host: storage-3
 *      pid: 4711
 *      command: catena vdi import
 *      since: 2026-11-21T03:20:42Z
 *      socket: owner.sock              in the same folder; missing: it cannot be called
 *
 * The lock is what binds; the words are for people, and for hosts whose locks we cannot see: words of another
 * host are believed.  An owner that leaves empties the file; one that died on this host leaves words without
 * a lock, which the next one replaces.
 *
 * Errors: ERR_BUSY names the owner, and what to do where it is on another host and gone.
 * Threads: the owner of the SR.
 */
#ifndef SR_OWNER_H
#define SR_OWNER_H

#include "io.h"
#include "sr.h"

/* path: of the file, in a folder that is there. */
MUST_USE enum err owner_take(struct io *, const char *path, const struct sr_self *, struct io_file **ret,
                             struct err_note *);
/* ERR_BUSY with the owner's words, for who met it in another way. */
enum err owner_say_busy(struct io *, const char *path, struct err_note *);
void owner_leave(struct io_file *); /* empties and closes */
DEFINE_AUTO(struct io_file *, owner_leave);

#endif
