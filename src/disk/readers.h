// SPDX-License-Identifier: Apache-2.0
/* Who is reading now: lets a writer wait until every reader that may still see the old state has gone,
 * without readers ever waiting for a writer.
 *
 *      reader: hold = readers_begin(r);  p = atomic_load(&shared);  … use p …;  readers_end(r, hold);
 *      writer: atomic_store(&shared, fresh);  readers_wait(r);  free(old);
 *
 * Why two phases: a reader may have read the phase and not yet have counted itself when the writer turns it.
 * Such a reader loads `shared` after its count, and so sees the fresh state; but its count stays in the phase
 * that the next wait does not turn away from, so each wait empties both.
 *
 * Errors: none.  Threads: any; waits take turns.  A reader must not wait for a writer.
 */
#ifndef DISK_READERS_H
#define DISK_READERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum { READERS_SHARDS = 16 };

struct readers {
        struct {
                _Alignas(64) _Atomic uint64_t in[2];
        } shard[READERS_SHARDS];
        _Atomic unsigned phase;
        pthread_mutex_t turn; /* one waiter at a time */
};

struct readers_hold {
        unsigned phase, shard;
};

void readers_init(struct readers *);
void readers_fini(struct readers *);
struct readers_hold readers_begin(struct readers *);
void readers_end(struct readers *, struct readers_hold);
void readers_wait(struct readers *);

#endif
