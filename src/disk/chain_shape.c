// SPDX-License-Identifier: Apache-2.0
/* What chain.h calls changing the shape: a layer on top, a layer out, blocks that moved between layers. */
#include <assert.h>

#include "chain_inside.h"
#include "chain_move.h"
#include "mem.h"

/* ---- a layer on top ---- */

/* What came between the flush and the freeze: in all files that changes went to. */
static enum err tidy_all(struct chain *chain, struct err_note *note) {
        struct image *leaf = chain_leaf(chain);

        for (size_t i = 0; chain->move && i + 1 < chain->move->n; i++)
                if (chain->move->run[i]->ops->flush(chain->move->run[i], note))
                        return note->code;
        return leaf ? image_tidy(leaf, note) : ERR_NONE;
}

enum err chain_freeze(struct chain *chain, struct err_note *note) {
        enum err e = chain_settle(chain, note);

        if (e)
                return e;
        ranges_freeze(&chain->ranges);
        pthread_rwlock_wrlock(&chain->shape);
        e = tidy_all(chain, note);
        pthread_rwlock_unlock(&chain->shape);
        if (e)
                ranges_thaw(&chain->ranges);
        return e;
}

void chain_thaw(struct chain *chain) {
        ranges_thaw(&chain->ranges);
}

static void rename_image(struct image *image, const char *path) {
        free(image->path);
        image->path = mem_text(path);
}

void chain_replace_view(struct chain *chain, struct chain_map *map, struct image *leaf) {
        struct chain_view *old = chain_view(chain), *fresh = mem_new(struct chain_view);

        *fresh = (struct chain_view){map, map->n_layers, leaf};
        atomic_store(&chain->view, fresh);
        readers_wait(&chain->readers);
        if (old->map != map)
                chain_map_free(old->map);
        free(old);
}

/* The old leaf answers as a frozen layer in the new view, and still as a leaf to readers of the old one: both
 * are true, since all its bits are in the file, or in the memory of a write side that stays.  When these have
 * gone, it is a leaf no more. */
void chain_push_leaf(struct chain *chain, struct image *new_leaf, const char *base_path,
                     const char *leaf_path) {
        struct image *base = chain_leaf(chain);
        struct chain_map *map = chain_view(chain)->map;

        pthread_rwlock_wrlock(&chain->shape);
        pthread_mutex_lock(&chain->publishing);
        chain_replace_move(chain, NULL);
        *vec_add(&chain->layers) = new_leaf;
        image_add_readers(new_leaf, &chain->readers);
        rename_image(base, base_path);
        rename_image(new_leaf, leaf_path);
        if (!chain_map_push(map, base))
                map = chain_map_pushed(map, base, chain->images->options.owners_cache_bytes);
        chain_replace_view(chain, map, new_leaf);
        atomic_store(&chain->leaf, new_leaf);
        image_end_leaf(base);
        pthread_mutex_unlock(&chain->publishing);
        pthread_rwlock_unlock(&chain->shape);
}

/* ---- blocks that moved, layers that go ---- */

/* CHAIN_LAYERS_MAX: it is not among the frozen ones. */
static unsigned find_layer(const struct chain_map *map, const struct image *image) {
        for (unsigned i = 0; i < map->n_layers; i++)
                if (map->layers[i] == image)
                        return i;
        return CHAIN_LAYERS_MAX;
}

bool chain_passes(const struct chain *chain, const struct image *image) {
        VEC_EACH (&chain->layers, layer)
                if (*layer == image)
                        return true;
        return false;
}

static void replace_map_without(struct chain *chain, unsigned layer) {
        chain_replace_view(
                chain,
                chain_map_without(chain_view(chain)->map, layer, chain->images->options.owners_cache_bytes),
                chain_leaf(chain));
}

static void publish(struct chain *chain, const struct image *target, const struct image *top,
                    const uint64_t *blocks, size_t n) {
        struct chain_map *map = chain_view(chain)->map;
        unsigned at = find_layer(map, target), up_to = find_layer(map, top);

        if (at == CHAIN_LAYERS_MAX)
                return;
        assert(image_has_write(target));
        chain_map_look_at_sizes(map);
        for (size_t i = 0; i < n; i++)
                while (!chain_map_move(map, at, up_to, blocks[i])) {
                        replace_map_without(chain, CHAIN_LAYERS_MAX);
                        map = chain_view(chain)->map;
                }
}

void chain_publish_moved(struct chain *chain, const struct image *target, const struct image *top,
                         const uint64_t *blocks, size_t n) {
        pthread_mutex_lock(&chain->publishing);
        publish(chain, target, top, blocks, n);
        pthread_mutex_unlock(&chain->publishing);
}

static bool is_in_map(const struct chain_map *map, const struct image *image, uint64_t block) {
        uint64_t entry = chain_map_entry(map, block);

        for (unsigned i = 0, n = chain_map_holders(entry); i < n; i++)
                if (map->layers[chain_map_holder(map, entry, i).layer] == image)
                        return true;
        return false;
}

/* What is known of who owns which of the block's sectors is known no more; a block that is new in the image
 * gets its place in the map. */
void chain_note_change(struct chain *chain, const struct image *image, uint64_t block) {
        struct chain_map *map;

        if (image == chain_leaf(chain))
                return;
        pthread_mutex_lock(&chain->publishing);
        map = chain_view(chain)->map;
        if (is_in_map(map, image, block))
                chain_map_forget_owners(map, block);
        else
                publish(chain, image, image, &block, 1);
        pthread_mutex_unlock(&chain->publishing);
}

static void let_go(struct chain *chain, size_t at) {
        struct image *layer = chain->layers.data[at];

        vec_remove_at(&chain->layers, at);
        image_remove_readers(layer, &chain->readers);
        image_unref(layer);
}

static void take_out(struct chain *chain, const struct image *image) {
        unsigned at = find_layer(chain_view(chain)->map, image);

        if (at == CHAIN_LAYERS_MAX)
                return;
        replace_map_without(chain, at);
        let_go(chain, at);
}

void chain_take_out(struct chain *chain, const struct image *image) {
        pthread_mutex_lock(&chain->publishing);
        take_out(chain, image);
        pthread_mutex_unlock(&chain->publishing);
}

void chain_take_out_below(struct chain *chain, const struct image *top, unsigned n) {
        uint64_t cache_bytes = chain->images->options.owners_cache_bytes;
        unsigned at;

        pthread_mutex_lock(&chain->publishing);
        at = top == chain_leaf(chain) ? chain_view(chain)->map->n_layers
                                      : find_layer(chain_view(chain)->map, top);
        assert(at >= n && at < chain->layers.n);
        chain_replace_view(chain, chain_map_collapsed(chain_view(chain)->map, at - n, at, cache_bytes),
                           chain_leaf(chain));
        for (unsigned i = 0; i < n; i++)
                let_go(chain, at - n);
        pthread_mutex_unlock(&chain->publishing);
}

/* What a whole block of the target covers is not in the chain's map, but will be asked for when the guest
 * trims that block. */
enum err chain_prepare_pivot(struct chain *chain, struct err_note *note) {
        struct chain_move *move = chain->move;
        struct chain_map *below;

        if (chain_map_new(chain->layers.data, (unsigned)(chain->layers.n - move->n), chain->size,
                          chain->images->options.owners_cache_bytes, &below, note))
                return err_wrap(note, "look at what lies below %s", move->run[0]->path);
        if (move->below)
                chain_map_free(move->below);
        move->below = below;
        return ERR_NONE;
}

/* Top down: readers of each view in between read the same. */
void chain_pivot(struct chain *chain, const char *leaf_path) {
        struct chain_move *move = chain->move;
        struct image *target = move->run[0], *leaf = chain_leaf(chain);
        struct chain_map *below = TAKE(move->below);

        pthread_rwlock_wrlock(&chain->shape);
        pthread_mutex_lock(&chain->publishing);
        for (size_t i = move->n - 2; i > 0; i--)
                take_out(chain, move->run[i]);
        chain_replace_move(chain, NULL);
        image_begin_leaf(target);
        rename_image(target, leaf_path);
        chain_replace_view(chain, below, target);
        atomic_store(&chain->leaf, target);
        image_end_leaf(leaf);
        let_go(chain, chain->layers.n - 1);
        pthread_mutex_unlock(&chain->publishing);
        pthread_rwlock_unlock(&chain->shape);
}

/* ---- names that are not durable yet ---- */

void chain_hold_flush(struct chain *chain) {
        pthread_mutex_lock(&chain->gate);
        chain->is_flush_held = true;
        pthread_mutex_unlock(&chain->gate);
}

void chain_release_flush(struct chain *chain, bool did_fail) {
        pthread_mutex_lock(&chain->gate);
        chain->is_flush_held = false;
        chain->did_names_fail = chain->did_names_fail || did_fail;
        pthread_cond_broadcast(&chain->gate_opened);
        pthread_mutex_unlock(&chain->gate);
}
