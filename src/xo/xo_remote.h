// SPDX-License-Identifier: Apache-2.0
/* A remote of Xen Orchestra: a directory with its backups, as it is read.
 *
 *      xo_remote_open(io, dir, key, &remote, note)
 *      xo_remote_read(&remote, path, limit, &bytes, note)      a whole file, decrypted
 *      xo_remote_fini(&remote)
 *
 * Errors: ERR_NOT_FOUND, no remote; ERR_DENIED, it is encrypted and no key was given, or another one;
 * ERR_TOO_LARGE, a file above the limit; those of io.h and xo_crypt.h, with the file's name.
 * Threads: any, once open.
 */
#ifndef XO_REMOTE_H
#define XO_REMOTE_H

#include "buf.h"
#include "io.h"
#include "xo_crypt.h"

enum { XO_JSON_MAX = 16 << 20 }; /* bytes of a document */

struct xo_remote {
        struct io *io; /* borrowed, outlives it */
        char *dir;     /* owned */
        enum xo_cipher cipher;
        uint8_t key[XO_KEY_SIZE];
};

/* key: NULL: none. */
MUST_USE enum err xo_remote_open(struct io *, const char *dir, const uint8_t key[XO_KEY_SIZE],
                                 struct xo_remote *ret, struct err_note *);
void xo_remote_fini(struct xo_remote *);
DEFINE_AUTO_IN_PLACE(struct xo_remote, xo_remote_fini);

/* Paths are from the remote's directory. */
char *xo_remote_path(const struct xo_remote *, const char *path); /* for io.h; the caller's to free */
/* Adds to an empty ret. */
MUST_USE enum err xo_remote_read(const struct xo_remote *, const char *path, size_t limit, struct buf *ret,
                                 struct err_note *);
MUST_USE enum err xo_remote_list(const struct xo_remote *, const char *path, struct io_names *ret,
                                 struct err_note *);

#endif
