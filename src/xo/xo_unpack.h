// SPDX-License-Identifier: Apache-2.0
/* Files that Xen Orchestra compresses each as a whole.
 *
 * Errors: ERR_CORRUPT, damaged or longer than it may be; ERR_UNSUPPORTED, another way of compressing.
 * Threads: any.
 */
#ifndef XO_UNPACK_H
#define XO_UNPACK_H

#include "bytes.h"
#include "err.h"

enum xo_filter { XO_AS_IS, XO_BROTLI, XO_GZIP };

MUST_USE enum err xo_filter_named(const char *name, enum xo_filter *ret, struct err_note *);
/* Not XO_AS_IS.  At most room bytes. */
MUST_USE enum err xo_unpack(enum xo_filter, struct span packed, uint8_t *ret, size_t room, size_t *ret_n,
                            struct err_note *);

#endif
