// SPDX-License-Identifier: Apache-2.0
/* A growable run of bytes, held in place and valid when zeroed; also the way to build text.
 *
 * Errors: none (see mem.h).  Threads: its owner's.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct buf {
        uint8_t *data; /* owned; after buf_text it ends with a zero byte not counted in n */
        size_t   n;
        size_t   room;
};

void        buf_add(struct buf *, const void *bytes, size_t n);
void       *buf_extend(struct buf *, size_t n); /* n more bytes, zeroed, to be filled */
void        buf_print(struct buf *, const char *fmt, ...) PRINTF_LIKE(2, 3);
const char *buf_text(struct buf *); /* as a C string; lives until the next change */
void        buf_fini(struct buf *);

DEFINE_AUTO_IN_PLACE(struct buf, buf_fini);

#endif
