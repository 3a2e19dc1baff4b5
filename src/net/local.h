// SPDX-License-Identifier: Apache-2.0
/* Unix sockets in a folder: for processes of one host and one user.
 *
 * A socket is named by its folder and its name within; it is bound and reached through the folder's
 * descriptor, so that the 107 bytes of a socket's address are enough for a folder of any path.  It has mode
 * 0600 from its first instant, and whoever connects is asked for his uid besides: a file system may not check
 * modes.
 *
 * Errors: ERR_UNSUPPORTED where the file system has no sockets; ERR_CLOSED where nobody listens (any more);
 * ERR_NOT_FOUND; ERR_DENIED.  Threads: any.  Ownership: descriptors are the caller's.
 */
#ifndef NET_LOCAL_H
#define NET_LOCAL_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

enum { LOCAL_NAME_MAX = 64 };

/* Listens; a socket file of that name is replaced: the caller knows that nobody listens on it.  Accepting
 * does not block. */
MUST_USE enum err local_listen(const char *folder, const char *name, int *ret_fd, struct err_note *);
/* Nobody finds it any more.  Closing the descriptor is the caller's. */
void local_unlisten(const char *folder, const char *name);

/* The same by a path, for guests that others may have been let in by (chmod, a group): whoever may open the
 * file may come.  A socket that nobody listens on is replaced; ERR_BUSY where somebody does, ERR_EXISTS where
 * it is another kind of file. */
MUST_USE enum err local_listen_at(const char *path, int *ret_fd, struct err_note *);
void local_unlisten_at(const char *path);
/* *ret_fd is -1 where nobody waits any more. */
MUST_USE enum err local_accept_any(int listener, int *ret_fd, struct err_note *);

struct local_peer {
        uint32_t uid;
        uint64_t pid;
};

/* *ret_fd is -1 where nobody waits any more.  ERR_DENIED, and the connection is closed, where the peer is
 * neither of our own uid nor root. */
MUST_USE enum err local_accept(int listener, int *ret_fd, struct local_peer *ret, struct err_note *);
/* The listener too must be of our own uid or root. */
MUST_USE enum err local_connect(const char *folder, const char *name, int *ret_fd, struct err_note *);

/* Whether someone of uid may talk to us. */
bool local_is_trusted(uint32_t uid);

bool local_is_open(int fd); /* whether it is a descriptor at all */
void local_close(int fd);

MUST_USE enum err local_pair(int ret_fds[2], struct err_note *); /* two ends, of nobody else */

#endif
