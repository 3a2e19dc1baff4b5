// SPDX-License-Identifier: Apache-2.0
#include "chain.h"

#include <inttypes.h>

#include "chain_inside.h"
#include "mem.h"
#include "vhd_bitmap.h"

/* ---- open, close ---- */

static void chain_free(struct chain *chain) {
        struct chain_view *view = chain_view(chain);

        if (view) {
                chain_map_free(view->map);
                free(view);
        }
        chain_replace_move(chain, NULL);
        while (chain->layers.n > 0) {
                struct image *layer = chain->layers.data[--chain->layers.n];

                image_remove_readers(layer, &chain->readers);
                if (layer->is_leaf)
                        image_end_leaf(layer);
                image_unref(layer);
        }
        vec_fini(&chain->layers);
        pthread_mutex_destroy(&chain->publishing);
        pthread_cond_destroy(&chain->gate_opened);
        pthread_mutex_destroy(&chain->gate);
        pthread_rwlock_destroy(&chain->shape);
        ranges_fini(&chain->ranges);
        readers_fini(&chain->readers);
        free(chain);
}
DEFINE_AUTO(struct chain *, chain_free);

static struct chain *chain_new(struct images *images) {
        struct chain *chain = mem_aligned(64, sizeof *chain);

        memset(chain, 0, sizeof *chain);
        chain->images = images;
        readers_init(&chain->readers);
        ranges_init(&chain->ranges);
        pthread_rwlock_init(&chain->shape, NULL);
        pthread_mutex_init(&chain->gate, NULL);
        pthread_mutex_init(&chain->publishing, NULL);
        pthread_cond_init(&chain->gate_opened, NULL);
        return chain;
}

static enum err refuse_loop(const struct chain *chain, const char *path, struct err_note *note) {
        struct io_stat stat;

        if (io_stat_path(chain->images->io, path, &stat, note))
                return note->code;
        VEC_EACH (&chain->layers, layer)
                if ((*layer)->device == stat.device && (*layer)->inode == stat.inode)
                        return err_set(note, ERR_MISMATCH, "%s is its own ancestor: the parents form a loop",
                                       path);
        if (chain->layers.n >= CHAIN_LAYERS_MAX)
                return err_set(note, ERR_UNSUPPORTED, "more than %d layers", CHAIN_LAYERS_MAX);
        return ERR_NONE;
}

static enum err check_uuid(const struct image *child, const struct image *parent, struct err_note *note) {
        if (child->parent_is_raw || uuid_equal(&child->parent_uuid, &parent->uuid))
                return ERR_NONE;
        return err_set(note, ERR_MISMATCH, "%s has the uuid %s, but %s was made over %s", parent->path,
                       uuid_format(&parent->uuid).s, child->path, uuid_format(&child->parent_uuid).s);
}

static enum err open_parent_at(struct chain *chain, struct image *child, const char *path,
                               struct err_note *note) {
        AUTO(image_unref) struct image *parent = NULL;

        if (refuse_loop(chain, path, note))
                return note->code;
        if (images_open(chain->images, path, child->parent_is_raw ? IMAGE_RAW : IMAGE_VHD, false, &parent,
                        note))
                return err_wrap(note, "open the parent of %s", child->path);
        if (check_uuid(child, parent, note))
                return note->code;
        *vec_add(&chain->layers) = TAKE(parent);
        return ERR_NONE;
}

/* Appends the parent of the last layer; layers grow downward while the chain is being opened. */
static enum err open_parent(struct chain *chain, struct err_note *note) {
        struct image *child = chain->layers.data[chain->layers.n - 1];
        AUTO_FREE char *path = NULL;
        AUTO_FREE char *named = NULL;
        struct err_note unused;
        enum err e;

        if (image_parent_path(child, &path, note))
                return note->code;
        e = open_parent_at(chain, child, path, note);
        /* A change of parents that was cut short has written the new path already, and not yet the new uuid
         * and name.  What has that uuid and name is the parent still. */
        if (e && image_parent_path_by_name(child, &named, &unused) == ERR_NONE && strcmp(path, named) != 0 &&
            open_parent_at(chain, child, named, &unused) == ERR_NONE)
                return ERR_NONE;
        return e;
}

static void turn_bottom_first(struct chain *chain) {
        for (size_t i = 0, j = chain->layers.n - 1; i < j; i++, j--) {
                struct image *swap = chain->layers.data[i];

                chain->layers.data[i] = chain->layers.data[j];
                chain->layers.data[j] = swap;
        }
}

static enum err first_view(struct chain *chain, struct image *leaf, struct err_note *note) {
        unsigned n_frozen = (unsigned)chain->layers.n - (leaf != NULL);
        struct chain_view *view;
        struct chain_map *map;

        if (chain_map_new(chain->layers.data, n_frozen, chain->size,
                          chain->images->options.owners_cache_bytes, &map, note))
                return note->code;
        view = mem_new(struct chain_view);
        *view = (struct chain_view){map, map->n_layers, leaf};
        atomic_store(&chain->leaf, leaf);
        atomic_store(&chain->view, view);
        return ERR_NONE;
}

enum err chain_open(struct images *images, const char *path, enum chain_mode mode, struct chain **ret,
                    struct err_note *note) {
        AUTO(chain_free) struct chain *chain = chain_new(images);
        bool as_leaf = mode == CHAIN_WRITE;
        struct image *top;

        if (images_open(images, path, image_kind_of_path(path), as_leaf, &top, note))
                return note->code;
        *vec_add(&chain->layers) = top;
        chain->size = top->size;
        while (chain->layers.data[chain->layers.n - 1]->has_parent)
                if (open_parent(chain, note))
                        return note->code;
        turn_bottom_first(chain);
        VEC_EACH (&chain->layers, layer)
                image_add_readers(*layer, &chain->readers);
        if (first_view(chain, as_leaf ? top : NULL, note))
                return note->code;
        *ret = TAKE(chain);
        return ERR_NONE;
}

enum err chain_close(struct chain *chain, struct err_note *note) {
        struct image *leaf = chain_leaf(chain);
        enum err e = ERR_NONE;

        /* Closing acknowledges, as a flush does: [D6] holds for both. */
        if (leaf)
                e = chain_wait_for_names(chain, note) ? note->code : image_tidy(leaf, note);
        chain_free(chain);
        return e;
}

void chain_abandon(struct chain *chain) {
        chain_free(chain);
}

uint64_t chain_size(const struct chain *chain) {
        return chain->size;
}

unsigned chain_depth(const struct chain *chain) {
        return (unsigned)chain->layers.n;
}

const struct image *chain_layer(const struct chain *chain, unsigned i) {
        return chain->layers.data[chain->layers.n - 1 - i];
}

struct images *chain_images(const struct chain *chain) {
        return chain->images;
}

uint64_t chain_map_size(struct chain *chain) {
        return chain_map_bytes(chain_view(chain)->map);
}

/* ---- how long it took ---- */

uint64_t chain_now_ns(const struct chain *chain) {
        return io_now_ns(chain->images->io);
}

uint64_t chain_begins(struct chain *chain) {
        return latency_is_wanted(&chain->latency) ? chain_now_ns(chain) : CHAIN_UNTIMED;
}

void chain_took(struct chain *chain, enum latency_kind kind, uint64_t n, uint64_t began_ns) {
        bool is_bulk = (kind == LATENCY_READ || kind == LATENCY_WRITE) && n > LATENCY_BULK_OVER;

        if (began_ns != CHAIN_UNTIMED)
                latency_add(&chain->latency, is_bulk ? LATENCY_BULK : kind, chain_now_ns(chain) - began_ns);
}

void chain_latency(const struct chain *chain, struct latency_counts *ret) {
        latency_look(&chain->latency, ret);
}

/* ---- who owns a sector ---- */

enum err chain_check_range(const struct chain *chain, const char *what, uint64_t n, uint64_t at,
                           struct err_note *note) {
        if (range_fits(at, n, chain_size(chain)))
                return ERR_NONE;
        return err_set(note, ERR_INVALID, "%s %" PRIu64 " at %" PRIu64 ": the disk ends at %" PRIu64, what, n,
                       at, chain_size(chain));
}

/* A run of sectors of one block with one owner; holder.slot SLOT_ABSENT: nobody. */
struct owner_run {
        struct image *image; /* borrowed; NULL: nobody */
        unsigned layer;      /* from the bottom */
        image_slot slot;
        unsigned end; /* sector in the block */
};

/* Whether what is not in memory may be read. */
enum look_from { FROM_MEMORY, FROM_FILES };

static enum err refuse_to_read(struct err_note *note) {
        return err_set(note, ERR_BUSY, "it is not in memory");
}

static enum err look_at_leaf(const struct chain_view *view, uint64_t block, enum look_from from,
                             image_slot *slot, uint8_t bits[IMAGE_BITMAP_SIZE], struct err_note *note) {
        const struct image_ops *ops = view->leaf->ops;

        if (from == FROM_FILES)
                return ops->look(view->leaf, block, slot, bits, note);
        return ops->look_now(view->leaf, block, slot, bits) ? ERR_NONE : refuse_to_read(note);
}

/* What the leaf says; true: the run is the leaf's.  False: it lies below, up to ret->end at most. */
static enum err leaf_run(const struct chain_view *view, uint64_t block, unsigned sector, enum look_from from,
                         struct owner_run *ret, bool *ret_is_leaf, struct err_note *note) {
        image_slot slot = view->leaf->ops->slot(view->leaf, block);
        uint8_t bits[IMAGE_BITMAP_SIZE];

        if (slot & SLOT_HELD && !(slot & SLOT_WHOLE) && look_at_leaf(view, block, from, &slot, bits, note))
                return note->code;
        *ret_is_leaf = slot & SLOT_HELD;
        if (slot & SLOT_HELD && !(slot & SLOT_WHOLE))
                ret->end = vhd_bitmap_next_run(bits, sector, ret->end, ret_is_leaf);
        if (*ret_is_leaf) {
                ret->image = view->leaf;
                ret->layer = view->n_frozen;
                ret->slot = slot;
        }
        return ERR_NONE;
}

static enum err map_run(const struct chain_view *view, uint64_t block, unsigned sector, enum look_from from,
                        struct owner_run *ret, struct err_note *note) {
        uint64_t entry = chain_map_entry(view->map, block);
        struct chain_holder holder;
        bool is_held;

        if (from == FROM_MEMORY) {
                if (!chain_map_owner_known(view->map, block, entry, sector, ret->end, &holder, &is_held,
                                           &ret->end))
                        return refuse_to_read(note);
        } else if (chain_map_owner(view->map, block, entry, sector, ret->end, &holder, &is_held, &ret->end,
                                   note)) {
                return note->code;
        }
        if (is_held) {
                ret->image = view->map->layers[holder.layer];
                ret->layer = holder.layer;
                ret->slot = holder.slot;
        }
        return ERR_NONE;
}

/* The leaf is asked before the map: what leaves it is in the map by then. */
static enum err run_at(const struct chain_view *view, uint64_t block, unsigned sector, unsigned limit,
                       enum look_from from, struct owner_run *ret, struct err_note *note) {
        bool is_held = false;

        *ret = (struct owner_run){.end = limit};
        if (view->leaf && leaf_run(view, block, sector, from, ret, &is_held, note))
                return note->code;
        return is_held ? ERR_NONE : map_run(view, block, sector, from, ret, note);
}

/* ---- reading ---- */

struct chain_hold chain_hold_begin(struct chain *chain) {
        struct readers_hold hold = readers_begin(&chain->readers);

        return (struct chain_hold){hold.phase, hold.shard};
}

void chain_hold_end(struct chain *chain, struct chain_hold hold) {
        readers_end(&chain->readers, (struct readers_hold){hold.phase, hold.shard});
}

static enum err find_segment(struct chain *chain, uint64_t at, uint64_t n, enum look_from from,
                             struct chain_segment *ret, struct err_note *note) {
        uint64_t block = at / IMAGE_BLOCK_SIZE, in_block = at % IMAGE_BLOCK_SIZE;
        uint64_t end = min_u64(in_block + n, IMAGE_BLOCK_SIZE), data_end;
        struct owner_run run;

        if (run_at(chain_view(chain), block, (unsigned)(in_block / SECTOR), (unsigned)div_up(end, SECTOR),
                   from, &run, note))
                return note->code;
        *ret = (struct chain_segment){.at = at, .n = min_u64(end, (uint64_t)run.end * SECTOR) - in_block};
        if (!run.image)
                return ERR_NONE;
        ret->layer = run.layer;
        ret->file_at = image_data_at(run.image, run.slot) + in_block;
        data_end = atomic_load_explicit(&run.image->data_end, memory_order_relaxed);
        if (ret->file_at >= data_end)
                return ERR_NONE; /* a block that the file cuts short reads as zeros from there */
        ret->file = run.image->file;
        ret->n = min_u64(ret->n, data_end - ret->file_at);
        return ERR_NONE;
}

enum err chain_segment_at(struct chain *chain, uint64_t at, uint64_t n, struct chain_segment *ret,
                          struct err_note *note) {
        return find_segment(chain, at, n, FROM_FILES, ret, note);
}

bool chain_segment_now(struct chain *chain, uint64_t at, uint64_t n, struct chain_segment *ret) {
        struct err_note unused;

        return range_fits(at, n, chain_size(chain)) &&
               find_segment(chain, at, n, FROM_MEMORY, ret, &unused) == ERR_NONE;
}

static enum err read_held(struct chain *chain, uint8_t *ret, size_t n, uint64_t at, struct err_note *note) {
        while (n > 0) {
                struct chain_segment segment;

                if (chain_segment_at(chain, at, n, &segment, note))
                        return note->code;
                if (!segment.file)
                        memset(ret, 0, segment.n);
                else if (io_read(segment.file, ret, segment.n, segment.file_at, note))
                        return err_wrap(note, "read %" PRIu64 " at %" PRIu64 " of the disk from %s",
                                        segment.n, at, io_path(segment.file));
                ret += segment.n;
                at += segment.n;
                n -= segment.n;
        }
        return ERR_NONE;
}

enum err chain_read_inside(struct chain *chain, void *ret, size_t n, uint64_t at, struct err_note *note) {
        struct chain_hold hold;
        enum err e;

        if (chain_check_range(chain, "read", n, at, note))
                return note->code;
        hold = chain_hold_begin(chain);
        e = read_held(chain, ret, n, at, note);
        chain_hold_end(chain, hold);
        return e;
}

enum err chain_read(struct chain *chain, void *ret, size_t n, uint64_t at, struct err_note *note) {
        uint64_t began_ns = chain_begins(chain);

        if (chain_read_inside(chain, ret, n, at, note))
                return note->code;
        chain_took(chain, LATENCY_READ, n, began_ns);
        return ERR_NONE;
}

/* ---- extents ---- */

static bool is_same_file(const struct image *a, const struct image *b) {
        return a->device == b->device && a->inode == b->inode;
}

static const struct image *layer_of(const struct chain_view *view, unsigned i) {
        if (i < view->n_frozen)
                return view->map->layers[i];
        return i == view->n_frozen ? view->leaf : NULL;
}

/* What one question about extents is about: the views of that moment, under a hold of both chains. */
struct asking {
        const struct chain_view *view, *base; /* borrowed under the holds; base may be NULL */
        unsigned floor, base_floor;      /* of either: layers up to the last that the two have in common */
        struct chain *of_view, *of_base; /* borrowed from the caller */
        struct chain_hold hold, base_hold;
};

/* 0: the layer is not among those from `from` on. */
static unsigned find_above(const struct chain_view *view, unsigned from, const struct image *image) {
        const struct image *layer;

        for (unsigned i = from; (layer = layer_of(view, i)); i++)
                if (is_same_file(layer, image))
                        return i;
        return 0;
}

/* Where a layer goes out of both chains, it goes out of one a moment sooner: what it held is above the floor
 * of neither. */
static void find_floors(const struct chain_view *a, const struct chain_view *b, unsigned *ret_a,
                        unsigned *ret_b) {
        const struct image *of_a, *of_b;
        unsigned i = 0, j = 0, skip;

        *ret_a = *ret_b = 0;
        while ((of_a = layer_of(a, i)) && (of_b = layer_of(b, j))) {
                if (is_same_file(of_a, of_b)) {
                        *ret_a = ++i;
                        *ret_b = ++j;
                } else if ((skip = find_above(b, j + 1, of_a))) {
                        j = skip;
                } else if ((skip = find_above(a, i + 1, of_b))) {
                        i = skip;
                } else {
                        break;
                }
        }
}

static struct asking ask_begin(struct chain *chain, struct chain *base) {
        struct asking ask = {.of_view = chain, .of_base = base, .hold = chain_hold_begin(chain)};

        ask.view = chain_view(chain);
        if (base) {
                ask.base_hold = chain_hold_begin(base);
                ask.base = chain_view(base);
                find_floors(ask.view, ask.base, &ask.floor, &ask.base_floor);
        }
        return ask;
}

static void ask_end(const struct asking *ask) {
        if (ask->of_base)
                chain_hold_end(ask->of_base, ask->base_hold);
        chain_hold_end(ask->of_view, ask->hold);
}

static bool is_block_held_above(const struct chain_view *view, unsigned floor, uint64_t block) {
        uint64_t entry = chain_map_entry(view->map, block);

        if (block >= view->map->n_blocks)
                return false;
        if (view->leaf && view->leaf->ops->slot(view->leaf, block) & SLOT_HELD)
                return true;
        return chain_map_holders(entry) > 0 && chain_map_holder(view->map, entry, 0).layer >= floor;
}

/* Of the layers that hold a block only the lowest can be whole; all of them are above the floor if it is. */
static bool is_block_whole_above(const struct chain_view *view, unsigned floor, uint64_t block) {
        const struct chain_map *map = view->map;
        uint64_t entry = chain_map_entry(map, block);
        unsigned n = chain_map_holders(entry);
        struct chain_holder lowest;

        if (block >= map->n_blocks)
                return false;
        if (view->leaf && view->n_frozen >= floor && view->leaf->ops->slot(view->leaf, block) & SLOT_WHOLE)
                return true;
        if (n == 0)
                return false;
        lowest = chain_map_holder(map, entry, n - 1);
        return lowest.layer >= floor && lowest.slot & SLOT_WHOLE &&
               atomic_load(&map->seen[lowest.layer]) >= min_u64((block + 1) * IMAGE_BLOCK_SIZE, map->size);
}

typedef bool (*ask_above)(const struct chain_view *, unsigned floor, uint64_t block);

static bool ask_block(struct chain *chain, struct chain *base, uint64_t block, ask_above above) {
        struct asking ask = ask_begin(chain, base);
        bool answer = above(ask.view, ask.floor, block) || (base && above(ask.base, ask.base_floor, block));

        ask_end(&ask);
        return answer;
}

bool chain_block_is_held(struct chain *chain, struct chain *base, uint64_t block) {
        return ask_block(chain, base, block, is_block_held_above);
}

bool chain_block_is_whole(struct chain *chain, struct chain *base, uint64_t block) {
        return ask_block(chain, base, block, is_block_whole_above);
}

/* Whether the sectors from `sector` on are held above the floor; *end is drawn in to where that changes. */
static enum err kind_above(const struct chain_view *view, unsigned floor, uint64_t block, unsigned sector,
                           bool *ret_is_held, unsigned *end, struct err_note *note) {
        struct owner_run run;

        *ret_is_held = false;
        if (!is_block_held_above(view, floor, block))
                return ERR_NONE;
        if (run_at(view, block, sector, *end, FROM_FILES, &run, note))
                return note->code;
        *ret_is_held = run.image && run.layer >= floor;
        *end = run.end;
        return ERR_NONE;
}

/* One run within a block. */
static enum err extent_in_block(const struct asking *ask, uint64_t at, uint64_t n, struct extent *ret,
                                struct err_note *note) {
        uint64_t block = at / IMAGE_BLOCK_SIZE, in_block = at % IMAGE_BLOCK_SIZE;
        unsigned end = (unsigned)(min_u64(in_block + n, IMAGE_BLOCK_SIZE) / SECTOR),
                 first = (unsigned)(in_block / SECTOR);
        bool is_held, is_held_in_base = false;

        if (kind_above(ask->view, ask->floor, block, first, &is_held, &end, note))
                return note->code;
        if (ask->base && !is_held &&
            kind_above(ask->base, ask->base_floor, block, first, &is_held_in_base, &end, note))
                return note->code;
        *ret = (struct extent){at, (uint64_t)end * SECTOR - in_block,
                               is_held || is_held_in_base ? EXTENT_DATA : EXTENT_HOLE};
        return ERR_NONE;
}

static enum err extent_held(const struct asking *ask, uint64_t at, uint64_t n, struct extent *ret,
                            struct err_note *note) {
        struct extent more;

        if (extent_in_block(ask, at, n, ret, note))
                return note->code;
        while (ret->n < n) {
                if (extent_in_block(ask, at + ret->n, n - ret->n, &more, note))
                        return note->code;
                if (more.kind != ret->kind)
                        break;
                ret->n += more.n;
        }
        return ERR_NONE;
}

enum err chain_extent_at(struct chain *chain, struct chain *base, uint64_t at, uint64_t n, struct extent *ret,
                         struct err_note *note) {
        struct asking ask;
        enum err e;

        if (chain_check_range(chain, "extents of", n, at, note))
                return note->code;
        if (!is_multiple(at | n, SECTOR) || n == 0)
                return err_set(note, ERR_INVALID, "extents of %" PRIu64 " at %" PRIu64 ": not whole sectors",
                               n, at);
        ask = ask_begin(chain, base);
        e = extent_held(&ask, at, n, ret, note);
        ask_end(&ask);
        return e;
}
