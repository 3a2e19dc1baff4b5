// SPDX-License-Identifier: Apache-2.0
/* The bytes of an archive in a file, compressed by gzip or zstd or not, at any place.
 *
 * What is compressed can be unpacked from its beginning alone: it is, as far as somebody asks, and what came
 * last is kept, so that threads that go through it side by side find what they want.  Who asks for what is
 * behind that has it unpacked anew: right, and slow.
 *
 * Errors: those of io.h and pack.h; ERR_CUT_SHORT.
 * Threads: reading: any, at once; else one.
 * Memory: compressed: XO_XVA_KEPT.
 */
#ifndef SERVICE_XO_XVA_BYTES_H
#define SERVICE_XO_XVA_BYTES_H

#include "io.h"

/* Above what a put's threads are apart (put_pipeline.c): 68 batches of a MiB. */
enum { XO_XVA_KEPT = 128 << 20 };

struct xo_xva_bytes;
MUST_USE enum err xo_xva_bytes_open(struct io *, const char *path, struct xo_xva_bytes **ret,
                                    struct err_note *);
void xo_xva_bytes_close(struct xo_xva_bytes *);
DEFINE_AUTO(struct xo_xva_bytes *, xo_xva_bytes_close);

/* All n. */
MUST_USE enum err xo_xva_bytes_read(struct xo_xva_bytes *, void *ret, size_t n, uint64_t at,
                                    struct err_note *);
/* Up to n, which is no more than a MiB; 0 where just there is the end, and ERR_CUT_SHORT behind it. */
MUST_USE enum err xo_xva_bytes_read_some(struct xo_xva_bytes *, void *ret, size_t n, uint64_t at,
                                         size_t *ret_n, struct err_note *);

#endif
