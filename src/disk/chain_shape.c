// SPDX-License-Identifier: Apache-2.0
/* What chain.h calls changing the shape: a layer on top, a layer out, blocks that moved between layers. */
#include <assert.h>

#include "chain_inside.h"
#include "mem.h"

/* ---- a layer on top ---- */

enum err chain_freeze(struct chain *chain, struct err_note *note) {
        enum err e = chain_flush(chain, note);
        struct image *leaf;

        if (e)
                return e;
        ranges_freeze(&chain->ranges);
        pthread_rwlock_wrlock(&chain->shape);
        leaf = chain_leaf(chain);
        if (leaf)
                e = image_tidy(leaf, note);
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
        *vec_add(&chain->layers) = new_leaf;
        image_add_readers(new_leaf, &chain->readers);
        rename_image(base, base_path);
        rename_image(new_leaf, leaf_path);
        if (!chain_map_push(map, base))
                map = chain_map_pushed(map, base, chain->images->options.owners_cache_bytes);
        chain_replace_view(chain, map, new_leaf);
        atomic_store(&chain->leaf, new_leaf);
        image_end_leaf(base);
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

void chain_publish_moved(struct chain *chain, const struct image *target, const struct image *top,
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

void chain_take_out(struct chain *chain, const struct image *image) {
        unsigned at = find_layer(chain_view(chain)->map, image);
        struct image *layer;

        if (at == CHAIN_LAYERS_MAX)
                return;
        layer = chain->layers.data[at];
        replace_map_without(chain, at);
        vec_remove_at(&chain->layers, at);
        image_remove_readers(layer, &chain->readers);
        image_unref(layer);
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
