// SPDX-License-Identifier: Apache-2.0
#include "chunk_cache.h"

#include <pthread.h>
#include <string.h>

#include "mem.h"

enum { ROWS_MIN = 2, ROWS_MAX = 1024 };

struct cache_row {
        uint64_t chunk;
        uint64_t used_at; /* the higher, the later */
        unsigned n_users; /* who load or copy: it stays what it is */
        bool has_data, is_loading;
        uint8_t *data; /* owned; NULL: never used */
};

struct chunk_cache {
        struct chunk_cache_options options;
        pthread_mutex_t lock; /* all below, but data that has a user */
        pthread_cond_t news;  /* a row was loaded, or let go */
        uint64_t clock;
        unsigned n_rows;
        struct cache_row *rows; /* owned */
};

struct chunk_cache *chunk_cache_new(const struct chunk_cache_options *options) {
        struct chunk_cache *cache = mem_new(struct chunk_cache);
        size_t n = options->bytes / options->chunk;

        cache->options = *options;
        cache->n_rows = (unsigned)(n < ROWS_MIN ? ROWS_MIN : n > ROWS_MAX ? ROWS_MAX : n);
        cache->rows = mem_zero(cache->n_rows * sizeof *cache->rows);
        pthread_mutex_init(&cache->lock, NULL);
        pthread_cond_init(&cache->news, NULL);
        return cache;
}

void chunk_cache_free(struct chunk_cache *cache) {
        if (!cache)
                return;
        for (unsigned i = 0; i < cache->n_rows; i++)
                free(cache->rows[i].data);
        free(cache->rows);
        pthread_cond_destroy(&cache->news);
        pthread_mutex_destroy(&cache->lock);
        free(cache);
}

static struct cache_row *find(struct chunk_cache *cache, uint64_t chunk) {
        for (unsigned i = 0; i < cache->n_rows; i++) {
                struct cache_row *row = &cache->rows[i];

                if ((row->has_data || row->is_loading) && row->chunk == chunk)
                        return row;
        }
        return NULL;
}

/* The one that was not used for longest and that nobody uses. */
static struct cache_row *find_free(struct chunk_cache *cache) {
        struct cache_row *ret = NULL;

        for (unsigned i = 0; i < cache->n_rows; i++) {
                struct cache_row *row = &cache->rows[i];

                if (row->n_users == 0 && (!ret || row->used_at < ret->used_at))
                        ret = row;
        }
        return ret;
}

/* With the lock, which it lets go meanwhile. */
static enum err load(struct chunk_cache *cache, struct cache_row *row, uint64_t chunk,
                     struct err_note *note) {
        enum err failed;

        row->chunk = chunk;
        row->has_data = false;
        row->is_loading = true;
        if (!row->data)
                row->data = mem_aligned(4096, cache->options.chunk);
        pthread_mutex_unlock(&cache->lock);
        failed = cache->options.load(cache->options.user, chunk, row->data, note);
        pthread_mutex_lock(&cache->lock);
        row->is_loading = false;
        row->has_data = failed == ERR_NONE;
        pthread_cond_broadcast(&cache->news);
        return failed;
}

/* A row that has the chunk and one more user.  Who waited for another's loading that failed tries himself. */
static enum err take(struct chunk_cache *cache, uint64_t chunk, struct cache_row **ret,
                     struct err_note *note) {
        for (;;) {
                struct cache_row *row = find(cache, chunk);
                bool is_there = row != NULL;

                if (!row)
                        row = find_free(cache);
                if (!row || row->is_loading) {
                        pthread_cond_wait(&cache->news, &cache->lock);
                        continue;
                }
                row->n_users++;
                if (!is_there && load(cache, row, chunk, note)) {
                        row->n_users--;
                        return note->code;
                }
                row->used_at = ++cache->clock;
                *ret = row;
                return ERR_NONE;
        }
}

enum err chunk_cache_read(struct chunk_cache *cache, uint64_t chunk, size_t at, void *ret, size_t n,
                          struct err_note *note) {
        struct cache_row *row = NULL;
        enum err failed;

        pthread_mutex_lock(&cache->lock);
        failed = take(cache, chunk, &row, note);
        if (!failed) {
                pthread_mutex_unlock(&cache->lock);
                memcpy(ret, row->data + at, n);
                pthread_mutex_lock(&cache->lock);
                row->n_users--;
                pthread_cond_broadcast(&cache->news);
        }
        pthread_mutex_unlock(&cache->lock);
        return failed;
}
