// SPDX-License-Identifier: Apache-2.0
#include "nbd_pool.h"

#include <assert.h>
#include <string.h>

#include "bytes.h"
#include "mem.h"

/* Pieces begin at lines of the processor's cache. */
enum { ALIGNMENT = 64, PAGE = 4096, KEPT = 1 << 20 };

struct piece {
        size_t at, n;
};

struct nbd_pool {
        uint8_t *memory;                          /* owned */
        struct piece pieces[NBD_POOL_PIECES_MAX]; /* in the order of their places */
        unsigned n_pieces;
        size_t touched; /* no byte from here on was ever part of a piece */
};

struct nbd_pool *nbd_pool_new(void) {
        struct nbd_pool *pool = mem_new(struct nbd_pool);

        pool->memory = mem_aligned(PAGE, NBD_POOL_SIZE);
        return pool;
}

void nbd_pool_free(struct nbd_pool *pool) {
        free(pool->memory);
        free(pool);
}

static void insert(struct nbd_pool *pool, unsigned i, struct piece piece) {
        memmove(&pool->pieces[i + 1], &pool->pieces[i], (pool->n_pieces - i) * sizeof *pool->pieces);
        pool->pieces[i] = piece;
        pool->n_pieces++;
}

uint8_t *nbd_pool_take(struct nbd_pool *pool, size_t n) {
        size_t at = 0;

        assert(n > 0 && n <= NBD_POOL_SIZE);
        n = (size_t)round_up(n, ALIGNMENT);
        if (pool->n_pieces == NBD_POOL_PIECES_MAX)
                return NULL;
        for (unsigned i = 0; i <= pool->n_pieces; i++) {
                size_t until = i < pool->n_pieces ? pool->pieces[i].at : NBD_POOL_SIZE;

                if (until - at >= n) {
                        insert(pool, i, (struct piece){at, n});
                        pool->touched = (size_t)max_u64(pool->touched, at + n);
                        return pool->memory + at;
                }
                at = until + (i < pool->n_pieces ? pool->pieces[i].n : 0);
        }
        return NULL;
}

void nbd_pool_give(struct nbd_pool *pool, uint8_t *piece) {
        for (unsigned i = 0; i < pool->n_pieces; i++) {
                if (pool->memory + pool->pieces[i].at != piece)
                        continue;
                pool->n_pieces--;
                memmove(&pool->pieces[i], &pool->pieces[i + 1], (pool->n_pieces - i) * sizeof *pool->pieces);
                return;
        }
        assert(!"a piece of this pool");
}

void nbd_pool_rest(struct nbd_pool *pool) {
        if (pool->n_pieces > 0 || pool->touched <= KEPT)
                return;
        free(pool->memory);
        pool->memory = mem_aligned(PAGE, NBD_POOL_SIZE);
        pool->touched = 0;
}

size_t nbd_pool_touched(const struct nbd_pool *pool) {
        return pool->touched;
}
