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
        NOBODY = 0xff, /* OWNER_NONE in a cell */
};

/* A block in the table.  seq is odd while it is written: who reads it looks at seq before and after, and each
 * load of what lies between is ordered before the second look, each store behind the first change. */
struct cell {
        _Atomic uint32_t seq;
        _Atomic bool was_used;  /* since another block wanted the cell */
        _Atomic uint64_t block; /* + 1; 0: none */
        _Atomic uint64_t word;
        _Atomic uint8_t of[PAGES];
};

/* A block in a list. */
struct entry {
        uint64_t block, word;
        size_t at;     /* in all */
        bool was_used; /* since the hand came by */
        bool is_by_page;
        uint16_t of[]; /* PAGES or IMAGE_BLOCK_SECTORS */
};

/* Whoever writes a cell, too, has the lock of its shard. */
struct shard {
        _Alignas(64) pthread_mutex_t lock;
        struct map by_block;      /* -> struct entry, which all->data owns */
        VEC(struct entry *) all;  /* owned, and each entry */
        size_t hand;              /* of the clock that looks for what nobody used */
        uint64_t bytes;           /* of the list */
        uint64_t n_cells;         /* in use */
        _Atomic bool has_entries; /* there is something in the list */
        _Atomic uint64_t drops;   /* the ticket: what was found out before the last one may be old */
};

struct owners {
        uint64_t limit; /* bytes of one shard's list */
        uint64_t n_cells;
        struct cell *cell; /* owned; n_cells */
        struct shard shard[SHARDS];
};

static uint64_t entry_bytes(bool is_by_page) {
        return sizeof(struct entry) + (is_by_page ? PAGES : IMAGE_BLOCK_SECTORS) * sizeof(uint16_t);
}

/* Half of it is for the table, which takes memory only where it is used. */
struct owners *owners_new(uint64_t limit_bytes, uint64_t n_blocks) {
        struct owners *owners = mem_aligned(64, sizeof *owners);

        memset(owners, 0, sizeof *owners);
        owners->n_cells = min_u64(limit_bytes / 2 / sizeof(struct cell), n_blocks);
        owners->cell = mem_zero(owners->n_cells * sizeof *owners->cell);
        owners->limit = (limit_bytes - owners->n_cells * sizeof(struct cell)) / SHARDS;
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
        free(owners->cell);
        free(owners);
}

/* NULL: there is no table. */
static struct cell *cell_of(struct owners *owners, uint64_t block) {
        return owners->n_cells ? &owners->cell[block % owners->n_cells] : NULL;
}

/* Blocks that share a cell share a shard.  Neighbours go to different ones: a sequential reader does not wait
 * for itself. */
static struct shard *shard_of(struct owners *owners, uint64_t block) {
        return &owners->shard[(owners->n_cells ? block % owners->n_cells : block) % SHARDS];
}

/* ---- cells ---- */

static unsigned owner_in(const struct cell *cell, unsigned page) {
        return atomic_load_explicit(&cell->of[page], memory_order_acquire);
}

static bool find_in_cell(struct cell *cell, uint64_t block, uint64_t word, unsigned sector, unsigned limit,
                         uint16_t *ret_owner, unsigned *ret_end) {
        uint32_t seq = atomic_load_explicit(&cell->seq, memory_order_acquire);
        unsigned page = sector / PAGE_SECTORS, end = page + 1, owner;

        if (seq % 2 || atomic_load_explicit(&cell->block, memory_order_acquire) != block + 1 ||
            atomic_load_explicit(&cell->word, memory_order_acquire) != word)
                return false;
        owner = owner_in(cell, page);
        while (end * PAGE_SECTORS < limit && owner_in(cell, end) == owner)
                end++;
        if (atomic_load_explicit(&cell->seq, memory_order_relaxed) != seq)
                return false; /* it was given to another block meanwhile */
        if (!atomic_load_explicit(&cell->was_used, memory_order_relaxed))
                atomic_store_explicit(&cell->was_used, true, memory_order_relaxed);
        *ret_owner = owner == NOBODY ? OWNER_NONE : (uint16_t)owner;
        *ret_end = end * PAGE_SECTORS < limit ? end * PAGE_SECTORS : limit;
        return true;
}

/* Under the lock.  of NULL: the cell is emptied. */
static void write_cell(struct cell *cell, uint64_t block, uint64_t word, const uint16_t *of) {
        uint32_t seq = atomic_load_explicit(&cell->seq, memory_order_relaxed);

        atomic_store_explicit(&cell->seq, seq + 1, memory_order_relaxed);
        atomic_store_explicit(&cell->block, of ? block + 1 : 0, memory_order_release);
        atomic_store_explicit(&cell->word, word, memory_order_release);
        for (unsigned i = 0; of && i < PAGES; i++)
                atomic_store_explicit(&cell->of[i], (uint8_t)of[i * PAGE_SECTORS], memory_order_release);
        atomic_store_explicit(&cell->was_used, false, memory_order_relaxed);
        atomic_store_explicit(&cell->seq, seq + 2, memory_order_release);
}

/* Under the lock.  False: another block uses the cell, and has used it lately. */
static bool put_in_cell(struct shard *shard, struct cell *cell, uint64_t block, uint64_t word,
                        const uint16_t *of) {
        uint64_t in_it = atomic_load_explicit(&cell->block, memory_order_relaxed);

        if (in_it && in_it != block + 1 &&
            atomic_exchange_explicit(&cell->was_used, false, memory_order_relaxed))
                return false;
        shard->n_cells += in_it == 0;
        write_cell(cell, block, word, of);
        return true;
}

/* ---- lists ---- */

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

static bool find_in_list(struct shard *shard, uint64_t block, uint64_t word, unsigned sector, unsigned limit,
                         uint16_t *ret_owner, unsigned *ret_end) {
        struct entry *entry;
        bool is_here;

        pthread_mutex_lock(&shard->lock);
        entry = map_get(&shard->by_block, map_key_u64(block));
        is_here = entry && entry->word == word;
        if (is_here) {
                unsigned each = entry->is_by_page ? PAGE_SECTORS : 1;
                unsigned i = sector / each, end = i + 1;

                entry->was_used = true;
                while (end * each < limit && entry->of[end] == entry->of[i])
                        end++;
                *ret_owner = entry->of[i];
                *ret_end = end * each < limit ? end * each : limit;
        }
        pthread_mutex_unlock(&shard->lock);
        return is_here;
}

/* Under the lock. */
static void put_in_list(struct shard *shard, uint64_t limit, uint64_t block, uint64_t word, bool is_by_page,
                        const uint16_t *of) {
        uint64_t bytes = entry_bytes(is_by_page);
        struct entry *entry;

        if (bytes > limit)
                return;
        make_room(shard, bytes, limit);
        entry = mem_zero(bytes);
        entry->block = block;
        entry->word = word;
        entry->is_by_page = is_by_page;
        for (unsigned i = 0; i < (is_by_page ? (unsigned)PAGES : (unsigned)IMAGE_BLOCK_SECTORS); i++)
                entry->of[i] = of[is_by_page ? i * PAGE_SECTORS : i];
        map_put(&shard->by_block, map_key_u64(block), entry);
        entry->at = shard->all.n;
        *vec_add(&shard->all) = entry;
        shard->bytes += bytes;
        atomic_store(&shard->has_entries, true);
}

/* ---- both ---- */

bool owners_find(struct owners *owners, uint64_t block, uint64_t word, unsigned sector, unsigned limit,
                 uint16_t *ret_owner, unsigned *ret_end, uint64_t *ret_ticket) {
        struct cell *cell = cell_of(owners, block);
        struct shard *shard;

        if (cell && find_in_cell(cell, block, word, sector, limit, ret_owner, ret_end))
                return true;
        shard = shard_of(owners, block);
        *ret_ticket = atomic_load(&shard->drops);
        return atomic_load(&shard->has_entries) &&
               find_in_list(shard, block, word, sector, limit, ret_owner, ret_end);
}

/* Under the lock. */
static void forget(struct owners *owners, struct shard *shard, uint64_t block) {
        struct entry *entry = map_get(&shard->by_block, map_key_u64(block));
        struct cell *cell = cell_of(owners, block);

        if (entry)
                remove_entry(shard, entry);
        if (cell && atomic_load_explicit(&cell->block, memory_order_relaxed) == block + 1) {
                write_cell(cell, 0, 0, NULL);
                shard->n_cells--;
        }
}

void owners_drop(struct owners *owners, uint64_t block) {
        struct shard *shard = shard_of(owners, block);

        pthread_mutex_lock(&shard->lock);
        atomic_fetch_add(&shard->drops, 1);
        forget(owners, shard, block);
        pthread_mutex_unlock(&shard->lock);
}

static bool are_pages_whole(const uint16_t *of) {
        for (unsigned i = 0; i < IMAGE_BLOCK_SECTORS; i++)
                if (of[i] != of[i - i % PAGE_SECTORS])
                        return false;
        return true;
}

static bool are_owners_few(const uint16_t *of) {
        for (unsigned i = 0; i < IMAGE_BLOCK_SECTORS; i += PAGE_SECTORS)
                if (of[i] >= NOBODY && of[i] != OWNER_NONE)
                        return false;
        return true;
}

void owners_put(struct owners *owners, uint64_t block, uint64_t word, const uint16_t of[IMAGE_BLOCK_SECTORS],
                uint64_t ticket) {
        struct shard *shard = shard_of(owners, block);
        struct cell *cell = cell_of(owners, block);
        bool is_by_page = are_pages_whole(of), fits_cell = is_by_page && cell && are_owners_few(of);

        pthread_mutex_lock(&shard->lock);
        if (atomic_load(&shard->drops) == ticket) {
                forget(owners, shard, block);
                if (!fits_cell || !put_in_cell(shard, cell, block, word, of))
                        put_in_list(shard, owners->limit, block, word, is_by_page, of);
        }
        pthread_mutex_unlock(&shard->lock);
}

uint64_t owners_bytes(struct owners *owners) {
        uint64_t bytes = 0;

        for (int i = 0; i < SHARDS; i++) {
                pthread_mutex_lock(&owners->shard[i].lock);
                bytes += owners->shard[i].bytes + owners->shard[i].n_cells * sizeof(struct cell);
                pthread_mutex_unlock(&owners->shard[i].lock);
        }
        return bytes;
}
