// SPDX-License-Identifier: Apache-2.0
/* What a disk may read as: the model that random histories are held against.
 *
 * Only some sectors of each block are looked at (four windows of eight), but all of each of these. For each
 * the model has the content that must be read now, and the contents that a crash may bring back: the one of
 * the last flush, and all since. Contents are told apart by a hash.
 *
 *      write, zero           now is the new content; the one before may come back
 *      may_write, may_zero   it failed, or was declined: either may be read, until model_settle sees which
 *      flushed               nothing but now
 *      restarted             what is read must be one of them, and then stays so
 *
 * Units: bytes, where not said otherwise.  Errors: ERR_MISMATCH, a violation, with sector and generations.
 * Threads: one.  Ownership: a model_disk is its holder's, ended by model_fini.
 */
#ifndef TEST_SIM_HISTORY_MODEL_H
#define TEST_SIM_HISTORY_MODEL_H

#include "bytes.h"
#include "err.h"

enum {
        MODEL_BLOCK_SECTORS = 4096,
        MODEL_WINDOWS = 4,
        MODEL_WINDOW = 8, /* sectors */
        MODEL_OLDER = 12, /* contents that may come back, besides now */
};
#define MODEL_BLOCK ((uint64_t)2 * MIB)

struct model_sector {
        uint64_t now;
        uint64_t other; /* while is_loose: may be read as well as now */
        uint64_t older[MODEL_OLDER];
        uint8_t n_older;
        bool is_loose;
        uint8_t touched; /* the highest layer in which it may have been written, counted from 1; 0: never */
};

struct model_disk {
        uint64_t size;
        uint64_t n;                   /* sectors that are looked at */
        struct model_sector *sectors; /* owned */
        uint8_t (*bytes)[SECTOR];     /* owned; the content that is now */
        uint8_t layer;                /* the top's number */
};

void model_init(struct model_disk *, uint64_t size); /* zeros, durable */
void model_copy(const struct model_disk *, struct model_disk *ret);
void model_fini(struct model_disk *);
void model_grow(struct model_disk *, uint64_t size); /* what is new are durable zeros */

/* Which sector of the disk the model's i-th is; the first model sector of a window, at random by dice. */
uint64_t model_sector_at(uint64_t i);

/* Would this change of [at, at + n) leave room for what may come back? */
bool model_has_room(const struct model_disk *, uint64_t n, uint64_t at);
/* data NULL: zeros */
void model_write(struct model_disk *, const uint8_t *data, uint64_t n, uint64_t at);
void model_may_write(struct model_disk *, const uint8_t *data, uint64_t n, uint64_t at);
void model_flushed(struct model_disk *);
/* Whatever a crash, a kill or a failed sync did: any content that may come back may be read. */
bool model_is_durable(const struct model_disk *); /* nothing may come back */

/* How strictly what is read is judged, and what the model learns of it. */
enum model_look {
        MODEL_STRICT,    /* it is what must be read */
        MODEL_SETTLE,    /* ... which is now known of the sectors that a failed change left open */
        MODEL_RESTARTED, /* it may be what may come back; and is durable, for it was read by a writer's open
                          */
        MODEL_PEEK,      /* the same, but nothing is learned: it was read by a reader */
};
/* data: [at, at + n) of the disk, as it was read; whole sectors. */
MUST_USE enum err model_check(struct model_disk *, enum model_look, const uint8_t *data, uint64_t n,
                              uint64_t at, struct err_note *);

/* Does what must be read differ in model sector i? */
bool model_differs(const struct model_disk *, const struct model_disk *, uint64_t i);
/* Both read the same now. */
bool model_equals(const struct model_disk *, const struct model_disk *);

#endif
