// SPDX-License-Identifier: Apache-2.0
#include "readers.h"

#include <sched.h>
#include <string.h>

static _Atomic unsigned   next_shard;
static _Thread_local unsigned my_shard = READERS_SHARDS;

void readers_init(struct readers *r) {
        memset(r, 0, sizeof *r);
        pthread_mutex_init(&r->turn, NULL);
}

void readers_fini(struct readers *r) {
        pthread_mutex_destroy(&r->turn);
}

struct readers_hold readers_begin(struct readers *r) {
        struct readers_hold hold;

        if (my_shard == READERS_SHARDS)
                my_shard = atomic_fetch_add(&next_shard, 1) % READERS_SHARDS;
        hold.shard = my_shard;
        hold.phase = atomic_load(&r->phase);
        atomic_fetch_add(&r->shard[hold.shard].in[hold.phase], 1);
        return hold;
}

void readers_end(struct readers *r, struct readers_hold hold) {
        atomic_fetch_sub(&r->shard[hold.shard].in[hold.phase], 1);
}

static void wait_for_phase(struct readers *r, unsigned phase) {
        for (unsigned i = 0; i < READERS_SHARDS; i++)
                while (atomic_load(&r->shard[i].in[phase]) != 0)
                        sched_yield();
}

void readers_wait(struct readers *r) {
        pthread_mutex_lock(&r->turn);
        for (int i = 0; i < 2; i++) {
                unsigned old = atomic_load(&r->phase);

                atomic_store(&r->phase, 1 - old);
                wait_for_phase(r, old);
        }
        pthread_mutex_unlock(&r->turn);
}
