// SPDX-License-Identifier: Apache-2.0
/* What chain.c (opening, reading, shape) and chain_write.c (changing) share; nobody else includes this.
 *
 * Threads: `view` is replaced, and its map changed, with `publishing`, at any time; it is read under a hold,
 * once for each question, or with `publishing`; `leaf` and `move` change only while nobody is inside a range
 * or has `shape`; `layers` is the owner's; `shape` is held by who flushes and, alone, by who changes the
 * leaf; `gate` guards the two booleans below it.  Order: gate, then shape, then publishing.
 */
#ifndef DISK_CHAIN_INSIDE_H
#define DISK_CHAIN_INSIDE_H

#include <pthread.h>

#include "chain.h"
#include "chain_map.h"
#include "latency.h"
#include "ranges.h"
#include "readers.h"

/* What a reader sees: the leaf, asked anew each time, over the map of all below it. */
struct chain_view {
        struct chain_map *map; /* owned by the last view that has it */
        unsigned n_frozen; /* layers of the map that are this view's; one pushed meanwhile is its leaf yet */
        /* borrowed from the chain, whose count holds it; NULL in a chain opened for reading */
        struct image *leaf;
};

/* Where changes go while blocks move down from under the leaf, see chain_move.h. */
struct chain_move {
        struct image **run; /* owned array; the images are borrowed from layers */
        size_t n;
        uint64_t n_blocks;
        bool *is_mirrored;       /* owned; n_blocks: each read and changed inside a range over the block */
        struct chain_map *below; /* owned; of the layers under the target, for the pivot; NULL: not yet */
};

struct chain {
        struct images *images;             /* borrowed, outlives us */
        uint64_t size;                     /* bytes */
        _Atomic(struct chain_view *) view; /* owned */
        _Atomic(struct image *) leaf; /* borrowed from layers; the view's, NULL in one opened for reading */
        VEC(struct image *) layers;   /* owned counts; [0] is the bottom, the leaf is the last */
        struct readers readers;
        struct ranges ranges;       /* changes in flight */
        struct chain_move *move;    /* owned; NULL: all changes go to the leaf */
        pthread_mutex_t publishing; /* who changes the map */
        pthread_rwlock_t shape;
        pthread_mutex_t gate;
        pthread_cond_t gate_opened;
        bool is_flush_held;
        /* the directory's sync failed: nothing is acknowledged any more */
        bool did_names_fail;
        struct latency latency; /* of its users' requests */
};

static inline struct chain_view *chain_view(struct chain *chain) {
        return atomic_load(&chain->view);
}
static inline struct image *chain_leaf(struct chain *chain) {
        return atomic_load(&chain->leaf);
}

/* Which images a change of a block goes to, in this order; inside a range over it. */
struct chain_aims {
        struct image *image[2]; /* borrowed from layers */
        unsigned n;
};
struct chain_aims chain_aims_of(const struct chain *, uint64_t block);
/* After the change: readers find what a layer below the leaf has got. */
void chain_note_change(struct chain *, const struct image *, uint64_t block);
/* With `shape`, alone, and no change in flight. */
void chain_replace_move(struct chain *, struct chain_move *);

/* The owner replaces the view; what only the old one had is freed when no reader can have it. */
void chain_replace_view(struct chain *, struct chain_map *, struct image *leaf);

/* While names are not durable yet; an error where they never will be. */
MUST_USE enum err chain_wait_for_names(struct chain *, struct err_note *);

uint64_t chain_now_ns(const struct chain *);
/* Within a request of a user: it counts for no latency. */
MUST_USE enum err chain_read_inside(struct chain *, void *ret, size_t n, uint64_t at, struct err_note *);

MUST_USE enum err chain_check_range(const struct chain *, const char *what, uint64_t n, uint64_t at,
                                    struct err_note *);

#endif
