// SPDX-License-Identifier: Apache-2.0
#include "owners.h"

#include <pthread.h>

#include "map.h"
#include "mem.h"
#include "vec.h"

enum {
        SHARDS = 16,
        PAGE_SECTORS = 8,
        PAGES = IMAGE_BLOCK_SECTORS / PAGE_SECTORS,
};

struct entry {
        uint64_t block, word;
        size_t at;     /* in all */
        bool was_used; /* since the hand came by */
        bool is_by_page;
        uint16_t of[]; /* PAGES or IMAGE_BLOCK_SECTORS */
};

struct shard {
        _Alignas(64) pthread_mutex_t lock;
        struct map by_block;     /* -> struct entry, which all->data owns */
        VEC(struct entry *) all; /* owned, and each entry */
        size_t hand;             /* of the clock that looks for what nobody used */
        uint64_t bytes;
        uint64_t drops; /* the ticket: what was found out before the last one may be old */
};

struct owners {
        uint64_t limit; /* bytes of one shard */
        struct shard shard[SHARDS];
};

static uint64_t entry_bytes(bool is_by_page) {
        return sizeof(struct entry) + (is_by_page ? PAGES : IMAGE_BLOCK_SECTORS) * sizeof(uint16_t);
}

struct owners *owners_new(uint64_t limit_bytes) {
        struct owners *owners = mem_aligned(64, sizeof *owners);

        memset(owners, 0, sizeof *owners);
        owners->limit = limit_bytes / SHARDS;
        for (int i = 0; i < SHARDS; i++)
                pthread_mutex_init(&owners->shard[i].lock, NULL);
        return owners;
}

void owners_free(struct owners *owners) {
        for (int i = 0; i < SHARDS; i++) {
                struct shard *shard = &owners->shard[i];

                VEC_EACH (&shard->all, entry)
                        free(*entry);
                vec_fini(&shard->all);
                map_fini(&shard->by_block);
                pthread_mutex_destroy(&shard->lock);
        }
        free(owners);
}

/* Neighbours go to different shards: a sequential reader does not wait for itself. */
static struct shard *shard_of(struct owners *owners, uint64_t block) {
        return &owners->shard[block % SHARDS];
}

bool owners_find(struct owners *owners, uint64_t block, uint64_t word, unsigned sector, unsigned limit,
                 uint16_t *ret_owner, unsigned *ret_end, uint64_t *ret_ticket) {
        struct shard *shard = shard_of(owners, block);
        struct entry *entry;

        pthread_mutex_lock(&shard->lock);
        entry = map_get(&shard->by_block, map_key_u64(block));
        *ret_ticket = shard->drops;
        if (entry && entry->word != word)
                entry = NULL;
        if (entry) {
                unsigned each = entry->is_by_page ? PAGE_SECTORS : 1;
                unsigned i = sector / each, end = i + 1;

                entry->was_used = true;
                while (end * each < limit && entry->of[end] == entry->of[i])
                        end++;
                *ret_owner = entry->of[i];
                *ret_end = end * each < limit ? end * each : limit;
        }
        pthread_mutex_unlock(&shard->lock);
        return entry != NULL;
}

static bool is_by_page(const uint16_t *of) {
        for (unsigned i = 0; i < IMAGE_BLOCK_SECTORS; i++)
                if (of[i] != of[i - i % PAGE_SECTORS])
                        return false;
        return true;
}

static void remove_entry(struct shard *shard, struct entry *entry) {
        struct entry *last = shard->all.data[--shard->all.n];

        map_remove(&shard->by_block, map_key_u64(entry->block));
        shard->all.data[entry->at] = last;
        last->at = entry->at;
        shard->bytes -= entry_bytes(entry->is_by_page);
        free(entry);
}

/* The hand goes round: what was used since it came by stays once more. */
static void make_room(struct shard *shard, uint64_t need, uint64_t limit) {
        while (shard->all.n > 0 && shard->bytes + need > limit) {
                struct entry *entry;

                if (shard->hand >= shard->all.n)
                        shard->hand = 0;
                entry = shard->all.data[shard->hand];
                if (entry->was_used) {
                        entry->was_used = false;
                        shard->hand++;
                        continue;
                }
                remove_entry(shard, entry);
        }
}

void owners_drop(struct owners *owners, uint64_t block) {
        struct shard *shard = shard_of(owners, block);
        struct entry *entry;

        pthread_mutex_lock(&shard->lock);
        shard->drops++;
        entry = map_get(&shard->by_block, map_key_u64(block));
        if (entry)
                remove_entry(shard, entry);
        pthread_mutex_unlock(&shard->lock);
}

void owners_put(struct owners *owners, uint64_t block, uint64_t word, const uint16_t of[IMAGE_BLOCK_SECTORS],
                uint64_t ticket) {
        struct shard *shard = shard_of(owners, block);
        bool by_page = is_by_page(of);
        uint64_t bytes = entry_bytes(by_page);
        struct entry *entry, *old;

        if (bytes > owners->limit)
                return;
        entry = mem_zero(bytes);
        entry->block = block;
        entry->word = word;
        entry->is_by_page = by_page;
        for (unsigned i = 0; i < (by_page ? (unsigned)PAGES : (unsigned)IMAGE_BLOCK_SECTORS); i++)
                entry->of[i] = of[by_page ? i * PAGE_SECTORS : i];

        pthread_mutex_lock(&shard->lock);
        old = map_get(&shard->by_block, map_key_u64(block));
        if (shard->drops != ticket || (old && old->word == word)) {
                free(entry);
        } else {
                if (old)
                        remove_entry(shard, old);
                make_room(shard, bytes, owners->limit);
                map_put(&shard->by_block, map_key_u64(block), entry);
                entry->at = shard->all.n;
                *vec_add(&shard->all) = entry;
                shard->bytes += bytes;
        }
        pthread_mutex_unlock(&shard->lock);
}

uint64_t owners_bytes(struct owners *owners) {
        uint64_t bytes = 0;

        for (int i = 0; i < SHARDS; i++) {
                pthread_mutex_lock(&owners->shard[i].lock);
                bytes += owners->shard[i].bytes;
                pthread_mutex_unlock(&owners->shard[i].lock);
        }
        return bytes;
}
