// SPDX-License-Identifier: Apache-2.0
/* Small files with secrets in them, mode 0600, that are replaced whole: at every instant, and after any
 * crash, the old bytes are there or the new ones.
 *
 * Errors: those of io.h; what was half-made is cleaned up by the next write.
 * Threads: any; of one path one writer at a time.
 */
#ifndef SERVICE_PRIVATE_FILE_H
#define SERVICE_PRIVATE_FILE_H

#include "buf.h"
#include "io.h"

enum { PRIVATE_FILE_MAX = 1 << 20 };

/* Adds its bytes to *ret.  ERR_NOT_FOUND; ERR_TOO_LARGE: of more than PRIVATE_FILE_MAX bytes. */
MUST_USE enum err private_file_read(struct io *, const char *path, struct buf *ret, struct err_note *);
/* Durable when it says success. */
MUST_USE enum err private_file_write(struct io *, const char *path, const void *data, size_t n,
                                     struct err_note *);

#endif
