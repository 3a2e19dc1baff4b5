// SPDX-License-Identifier: Apache-2.0
/* A descriptor that is closed when its scope ends, unless it was taken:
 *
 *      AUTO(fd_fini) struct fd fd = {-1};
 *      fd.fd = socket(…);
 *      … *ret_fd = fd_take(&fd);
 *
 * Errors: none.  Threads: its owner's.
 */
#ifndef NET_FD_H
#define NET_FD_H

#include <unistd.h>

#include "cleanup.h"

struct fd {
        int fd; /* -1: none */
};

static inline void fd_fini(struct fd *fd) {
        if (fd->fd >= 0)
                close(fd->fd);
}
DEFINE_AUTO_IN_PLACE(struct fd, fd_fini);

static inline int fd_take(struct fd *fd) {
        int taken = fd->fd;

        fd->fd = -1;
        return taken;
}

#endif
