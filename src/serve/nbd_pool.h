// SPDX-License-Identifier: Apache-2.0
/* The memory for the data of one connection's requests, had at its beginning: a request does not allocate.
 *
 * Pieces are taken lowest first, so that who has few requests under way touches little of it.  Whoever is
 * told that there is no room asks again when a piece was given back; all of it free, any request fits.
 *
 * Errors: none.  Threads: its owner's; what lies in a piece, whoever has it.
 */
#ifndef SERVE_NBD_POOL_H
#define SERVE_NBD_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

enum { NBD_POOL_SIZE = 36 << 20, NBD_POOL_PIECES_MAX = 128 };

struct nbd_pool;

struct nbd_pool *nbd_pool_new(void);
void nbd_pool_free(struct nbd_pool *);
DEFINE_AUTO(struct nbd_pool *, nbd_pool_free);

/* NULL: no room for now.  0 < n <= NBD_POOL_SIZE. */
uint8_t *nbd_pool_take(struct nbd_pool *, size_t n);
void nbd_pool_give(struct nbd_pool *, uint8_t *piece);
/* To be called now and then: while all of it is free, what a burst has touched goes back to the machine. */
void nbd_pool_rest(struct nbd_pool *);
size_t nbd_pool_touched(const struct nbd_pool *); /* bytes that the machine gives us at most */

#endif
