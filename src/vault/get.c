// SPDX-License-Identifier: Apache-2.0
#include "get.h"

#include <pthread.h>

#include "chunk_cache.h"
#include "get_inside.h"
#include "mem.h"
#include "node_reader.h"

#define CACHE_DEFAULT (16 * MIB)
enum { READERS_MAX = 64 };

struct get {
        struct vault *vault; /* borrowed, outlives it */
        struct get_options options;
        struct id_tree_shape shape;
        struct chunk_cache *cache; /* owned */

        pthread_mutex_t lock; /* all below */
        struct get_tree tree;
        struct blob_reader *idle[READERS_MAX]; /* owned; nobody reads with them now */
        unsigned n_idle;
};

/* ---- a disk's tree ---- */

enum err get_tree_open(struct vault *vault, const struct vault_disk *disk, struct get_tree *ret,
                       struct err_note *note) {
        struct id_tree_shape shape;
        struct vault_id id;

        id_tree_shape_of(disk->size, disk->chunk, &shape);
        keyring_disk_id(vault->keyring, disk->size, disk->chunk, &disk->root, &id);
        if (vault_id_compare(&id, &disk->id) != 0)
                return err_set(note, ERR_CORRUPT, "disk %s: its id is not that of its size and root",
                               disk->name);
        ret->reader = node_reader_new(vault->blobs);
        ret->walk = id_walk_new(&(struct id_nodes){node_reader_read, ret->reader}, &shape, &disk->root);
        return ERR_NONE;
}

void get_tree_close(struct get_tree *tree) {
        id_walk_free(tree->walk);
        node_reader_free(tree->reader);
        *tree = (struct get_tree){0};
}

enum err get_chunk(struct blobs *blobs, struct blob_reader *reader, const struct get_want *want, void *ret,
                   struct err_note *note) {
        struct blob_place place;

        if (!blobs_find(blobs, &want->id, &place))
                return err_set(note, ERR_NOT_FOUND, "at %llu: the vault lacks chunk %s",
                               (unsigned long long)want->at, vault_id_format(&want->id).s);
        if (place.blob.type != VAULT_CHUNK || place.blob.length != want->chunk)
                return err_set(note, ERR_CORRUPT, "at %llu: %s is no chunk of %u bytes",
                               (unsigned long long)want->at, vault_id_format(&want->id).s, want->chunk);
        if (blob_read(reader, &place, want->checks_id, ret, note))
                return err_wrap(note, "at %llu", (unsigned long long)want->at);
        return ERR_NONE;
}

/* ---- any range ---- */

static struct blob_reader *take_reader(struct get *get) {
        struct blob_reader *reader = NULL;

        pthread_mutex_lock(&get->lock);
        if (get->n_idle > 0)
                reader = get->idle[--get->n_idle];
        pthread_mutex_unlock(&get->lock);
        return reader ? reader : blob_reader_new(get->vault->blobs);
}

static void give_reader(struct get *get, struct blob_reader *reader) {
        bool is_kept;

        pthread_mutex_lock(&get->lock);
        is_kept = get->n_idle < READERS_MAX;
        if (is_kept)
                get->idle[get->n_idle++] = reader;
        pthread_mutex_unlock(&get->lock);
        if (!is_kept)
                blob_reader_free(reader);
}

static enum err id_of(struct get *get, uint64_t n, struct vault_id *ret, struct err_note *note) {
        enum err failed;

        pthread_mutex_lock(&get->lock);
        failed = id_walk_chunk(get->tree.walk, n, ret, note);
        pthread_mutex_unlock(&get->lock);
        if (failed)
                return err_wrap(note, "at %llu", (unsigned long long)n * get->shape.chunk);
        return ERR_NONE;
}

static enum err load(struct get *get, uint64_t n, const struct vault_id *id, void *ret,
                     struct err_note *note) {
        const struct get_want want = {.id = *id,
                                      .at = n * get->shape.chunk,
                                      .chunk = get->shape.chunk,
                                      .checks_id = !get->options.trusts_tags};
        struct blob_reader *reader = take_reader(get);
        enum err failed = get_chunk(get->vault->blobs, reader, &want, ret, note);

        give_reader(get, reader);
        return failed;
}

static enum err load_for_cache(void *user, uint64_t n, void *ret, struct err_note *note) {
        struct get *get = user;
        struct vault_id id;

        if (id_of(get, n, &id, note))
                return note->code;
        return load(get, n, &id, ret, note);
}

/* Of zeros nothing is kept, and of a whole chunk neither: whoever reads so reads it once. */
static enum err read_chunk(struct get *get, uint64_t n, size_t at, void *ret, size_t size,
                           struct err_note *note) {
        struct vault_id id;

        if (id_of(get, n, &id, note))
                return note->code;
        if (vault_id_is_null(&id)) {
                memset(ret, 0, size);
                return ERR_NONE;
        }
        if (size == get->shape.chunk)
                return load(get, n, &id, ret, note);
        return chunk_cache_read(get->cache, n, at, ret, size, note);
}

enum err get_read(struct get *get, void *ret, size_t n, uint64_t at, struct err_note *note) {
        uint32_t chunk = get->shape.chunk;

        if (!range_fits(at, n, get->shape.size))
                return err_set(note, ERR_INVALID, "read %zu at %llu: the disk has %llu bytes", n,
                               (unsigned long long)at, (unsigned long long)get->shape.size);
        while (n > 0) {
                size_t inside = (size_t)(at % chunk);
                size_t part = (size_t)min_u64(n, chunk - inside);

                if (read_chunk(get, at / chunk, inside, ret, part, note))
                        return note->code;
                ret = (uint8_t *)ret + part;
                at += part;
                n -= part;
        }
        return ERR_NONE;
}

/* The first chunk from n on that is zeros. */
static enum err end_of_data(struct get *get, uint64_t n, uint64_t *ret, struct err_note *note) {
        struct vault_id id;

        for (; n < get->shape.n_chunks; n++) {
                if (id_walk_chunk(get->tree.walk, n, &id, note))
                        return note->code;
                if (vault_id_is_null(&id))
                        break;
        }
        *ret = n;
        return ERR_NONE;
}

enum err get_next_data(struct get *get, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                       struct err_note *note) {
        uint64_t first = 0, end = 0;
        enum err failed;

        pthread_mutex_lock(&get->lock);
        failed = id_walk_next(get->tree.walk, at / get->shape.chunk, &first, note);
        if (!failed)
                failed = end_of_data(get, first, &end, note);
        pthread_mutex_unlock(&get->lock);
        if (failed)
                return failed;
        *ret_start = min_u64(get->shape.size, max_u64(at, first * get->shape.chunk));
        *ret_end = min_u64(get->shape.size, end * get->shape.chunk);
        return ERR_NONE;
}

enum err get_open(struct vault *vault, const struct vault_disk *disk, const struct get_options *options,
                  struct get **ret, struct err_note *note) {
        AUTO(get_close) struct get *get = mem_new(struct get);
        struct chunk_cache_options cache = {.chunk = disk->chunk, .load = load_for_cache, .user = get};

        get->vault = vault;
        get->options = *options;
        pthread_mutex_init(&get->lock, NULL);
        if (get_tree_open(vault, disk, &get->tree, note))
                return note->code;
        get->shape = *id_walk_shape(get->tree.walk);
        cache.bytes = options->cache_bytes ? options->cache_bytes : CACHE_DEFAULT;
        get->cache = chunk_cache_new(&cache);
        *ret = TAKE(get);
        return ERR_NONE;
}

void get_close(struct get *get) {
        if (!get)
                return;
        chunk_cache_free(get->cache);
        get_tree_close(&get->tree);
        for (unsigned i = 0; i < get->n_idle; i++)
                blob_reader_free(get->idle[i]);
        pthread_mutex_destroy(&get->lock);
        free(get);
}
