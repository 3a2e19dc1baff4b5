// SPDX-License-Identifier: Apache-2.0
#include "vhd_leaf.h"

#include <inttypes.h>

#include "mem.h"
#include "vhd_bat.h"
#include "vhd_edit.h"
#include "vhd_leaf_inside.h"

enum { CLEAN_BITMAPS_MAX = 8192 }; /* 4 MiB of bitmaps that need not be kept */

/* ---- open, close ---- */

struct opening {
        struct vhd_leaf *leaf;   /* borrowed */
        struct vhd_slots blocks; /* owned */
};

static enum err take_entry(void *user, uint64_t block, uint32_t entry, struct err_note *note) {
        struct opening *opening = user;

        if (vhd_image_check_entry(opening->leaf->vhd, block, entry, false, note))
                return note->code;
        atomic_init(&opening->leaf->slots[block], slot_make(entry, false));
        opening->leaf->n_held++;
        *vec_add(&opening->blocks.list) = entry;
        return ERR_NONE;
}

static uint32_t next_bit(const struct vhd_leaf *leaf, const uint8_t *believed, uint32_t from) {
        uint32_t n = (uint32_t)leaf->n_blocks;

        return believed ? vhd_bitmap_next_set(believed, from, n) : n;
}

/* What the file may have otherwise than the image: all of a batmap that is not believed; else what no bit is
 * believed of, which the checksum may cover nevertheless. */
static void mark_unknown(struct vhd_leaf *leaf, bool is_believed) {
        uint64_t covered = vhd_batmap_sum_length(leaf->vhd->meta.footer.size_bytes) * 8,
                 first = is_believed ? min_u64(covered, leaf->n_blocks) / (8 * SECTOR) : 0,
                 n = leaf->batmap_bytes / SECTOR;

        if (first < n)
                vhd_bitmap_set_range(leaf->batmap_changed, (uint32_t)first, (uint32_t)(n - first));
}

/* A bit of a block that the BAT lacks would be believed once the block is there.  A batmap that cannot be
 * believed starts again from nothing. */
static enum err take_batmap(struct vhd_leaf *leaf, bool is_fresh, struct err_note *note) {
        AUTO_FREE uint8_t *believed = NULL;

        if (!leaf->vhd->meta.has_batmap)
                return ERR_NONE;
        leaf->batmap_bytes = vhd_batmap_size(leaf->vhd->meta.header.max_bat_entries);
        leaf->batmap_bytes = min_u64(leaf->batmap_bytes, leaf->vhd->meta.batmap.map_size_bytes);
        leaf->batmap_image = mem_zero(leaf->batmap_bytes);
        leaf->batmap_changed = mem_zero(leaf_marks_size(leaf->batmap_bytes));
        if (is_fresh)
                return ERR_NONE;
        if (vhd_image_batmap(leaf->vhd, &believed, note))
                return note->code;
        leaf->is_batmap_stale = !believed;
        mark_unknown(leaf, believed);
        for (uint32_t block = next_bit(leaf, believed, 0); block < leaf->n_blocks;
             block = next_bit(leaf, believed, block + 1)) {
                image_slot slot = atomic_load(&leaf->slots[block]);

                if (!(slot & SLOT_HELD)) {
                        vhd_bitmap_set(leaf->batmap_changed, block / (8 * SECTOR));
                        leaf->is_batmap_stale = true;
                        continue;
                }
                vhd_bitmap_set(leaf->batmap_image, block);
                atomic_init(&leaf->slots[block], slot | SLOT_WHOLE);
        }
        return ERR_NONE;
}

static struct vhd_leaf *leaf_new(struct vhd_image *vhd) {
        struct vhd_leaf *leaf = mem_new(struct vhd_leaf);

        leaf->vhd = vhd;
        leaf->is_counted = vhd->image.is_leaf;
        leaf->n_blocks = image_blocks(&vhd->image);
        leaf->slots = mem_table(leaf->n_blocks * sizeof *leaf->slots);
        leaf->bat_bytes = round_up(leaf->n_blocks * sizeof(be32), SECTOR);
        leaf->bat_image = mem_table(leaf->bat_bytes);
        leaf->bat_known = mem_zero(leaf_pages_size(leaf->bat_bytes));
        pthread_mutex_init(&leaf->flush_turn, NULL);
        pthread_mutex_init(&leaf->space_lock, NULL);
        pthread_mutex_init(&leaf->lock, NULL);
        return leaf;
}
DEFINE_AUTO(struct vhd_leaf *, vhd_leaf_free);

static enum err take_tables(struct opening *opening, struct err_note *note) {
        struct vhd_image *vhd = opening->leaf->vhd;

        /* What a killed process left in the page cache is read below: it must not be gone after a power
         * cut. */
        if (io_sync(vhd->image.file, note) || vhd_image_each_block(vhd, take_entry, opening, note))
                return note->code;
        /* A crash between the two footers of one change leaves them different.  The end is made good before
         * data can be written there [D4]. */
        return vhd_edit_mend_footers(vhd->image.file, &vhd->meta, note);
}

enum err vhd_leaf_open(struct vhd_image *vhd, bool is_fresh, struct vhd_leaf **ret, struct err_note *note) {
        AUTO(vhd_leaf_free) struct vhd_leaf *leaf = leaf_new(vhd);
        struct opening opening = {.leaf = leaf};
        enum err e = is_fresh ? ERR_NONE : take_tables(&opening, note);

        if (!e) {
                leave_take_unpublished(leaf, &opening.blocks);
                vhd_space_init(&leaf->space, vhd->image.file, &vhd->meta.footer, vhd->reserved.end,
                               vhd->meta.end_footer_at, vhd->image.images->options.growth_bytes,
                               &opening.blocks);
                e = take_batmap(leaf, is_fresh, note);
        }
        vec_fini(&opening.blocks.list);
        if (e)
                return e;
        *ret = TAKE(leaf);
        return ERR_NONE;
}

/* [D6] Also one that only a footer was waiting for: it covered all that the file held. */
static void mark_failed_sync(struct vhd_leaf *leaf) {
        if (leaf->space.did_sync_fail)
                atomic_store(&leaf->vhd->image.has_failed, true);
}

enum err vhd_leaf_close(struct vhd_leaf *leaf, struct err_note *note) {
        if (vhd_leaf_flush(leaf, note))
                return note->code;
        /* On a full file system there may be no block for the footer at its new place: then the end stays
         * where it is. */
        if (vhd_space_tighten(&leaf->space, note) && note->code != ERR_NO_SPACE) {
                mark_failed_sync(leaf);
                return note->code;
        }
        return atomic_load(&leaf->has_unsynced) ? leaf_sync(leaf, note) : ERR_NONE;
}

void vhd_leaf_free(struct vhd_leaf *leaf) {
        VEC_EACH (&leaf->all, bitmap)
                free(*bitmap);
        leaf_count_unflushed(leaf, -(int64_t)leaf->n_dirty);
        leave_fini(leaf);
        vec_fini(&leaf->all);
        vec_fini(&leaf->left);
        map_fini(&leaf->bitmaps);
        vhd_space_fini(&leaf->space);
        mem_table_free(leaf->slots, leaf->n_blocks * sizeof *leaf->slots);
        mem_table_free(leaf->bat_image, leaf->bat_bytes);
        free(leaf->bat_known);
        free(leaf->batmap_image);
        free(leaf->batmap_changed);
        pthread_mutex_destroy(&leaf->lock);
        pthread_mutex_destroy(&leaf->space_lock);
        pthread_mutex_destroy(&leaf->flush_turn);
        free(leaf);
}

/* ---- reading ---- */

image_slot vhd_leaf_slot(struct vhd_leaf *leaf, uint64_t block) {
        return atomic_load(&leaf->slots[block]);
}

void vhd_leaf_slots(struct vhd_leaf *leaf, uint64_t first, uint64_t n, image_slot *ret) {
        for (uint64_t i = 0; i < n; i++)
                ret[i] = atomic_load_explicit(&leaf->slots[first + i], memory_order_relaxed);
}

void vhd_leaf_load(struct vhd_leaf *leaf, struct image_slots *ret) {
        for (uint64_t block = 0; block < leaf->n_blocks; block++) {
                image_slot slot = atomic_load(&leaf->slots[block]);

                if (slot & SLOT_HELD)
                        *vec_add(&ret->held) = (struct image_held){block, slot};
        }
}

enum err vhd_leaf_look(struct vhd_leaf *leaf, uint64_t block, image_slot *ret,
                       uint8_t ret_bits[IMAGE_BITMAP_SIZE], struct err_note *note) {
        struct leaf_bitmap *bitmap;
        enum err e = ERR_NONE;
        image_slot slot;

        pthread_mutex_lock(&leaf->lock);
        slot = atomic_load(&leaf->slots[block]);
        if (slot & SLOT_HELD && !(slot & SLOT_WHOLE)) {
                e = leaf_bitmap_get(leaf, block, &bitmap, note);
                if (!e)
                        memcpy(ret_bits, bitmap->bits, IMAGE_BITMAP_SIZE);
        }
        pthread_mutex_unlock(&leaf->lock);
        if (!e)
                *ret = slot;
        return e;
}

bool vhd_leaf_look_now(struct vhd_leaf *leaf, uint64_t block, image_slot *ret,
                       uint8_t ret_bits[IMAGE_BITMAP_SIZE]) {
        const struct leaf_bitmap *bitmap = NULL;
        image_slot slot;

        if (pthread_mutex_trylock(&leaf->lock))
                return false;
        slot = atomic_load(&leaf->slots[block]);
        if (slot & SLOT_HELD && !(slot & SLOT_WHOLE))
                bitmap = map_get(&leaf->bitmaps, map_key_u64(block));
        if (bitmap)
                memcpy(ret_bits, bitmap->bits, IMAGE_BITMAP_SIZE);
        pthread_mutex_unlock(&leaf->lock);
        *ret = slot;
        return bitmap || !(slot & SLOT_HELD) || slot & SLOT_WHOLE;
}

bool vhd_leaf_bits(struct vhd_leaf *leaf, uint64_t block, uint32_t where, uint8_t ret[IMAGE_BITMAP_SIZE]) {
        const struct leaf_bitmap *bitmap;
        bool is_here;

        pthread_mutex_lock(&leaf->lock);
        bitmap = map_get(&leaf->bitmaps, map_key_u64(block));
        is_here = bitmap && bitmap->where == where;
        if (is_here)
                memcpy(ret, bitmap->bits, IMAGE_BITMAP_SIZE);
        pthread_mutex_unlock(&leaf->lock);
        return is_here;
}

uint64_t vhd_leaf_footer_at(struct vhd_leaf *leaf) {
        return leaf->space.limit * SECTOR;
}

/* ---- bitmaps in memory ---- */

static struct leaf_bitmap *bitmap_add(struct vhd_leaf *leaf, uint64_t block, uint32_t where) {
        struct leaf_bitmap *bitmap = mem_new(struct leaf_bitmap);

        leaf_bitmaps_trim(leaf);
        bitmap->block = block;
        bitmap->where = where;
        bitmap->at = leaf->all.n;
        map_put(&leaf->bitmaps, map_key_u64(block), bitmap);
        *vec_add(&leaf->all) = bitmap;
        return bitmap;
}

enum err leaf_bitmap_get(struct vhd_leaf *leaf, uint64_t block, struct leaf_bitmap **ret,
                         struct err_note *note) {
        struct leaf_bitmap *bitmap = map_get(&leaf->bitmaps, map_key_u64(block));
        uint32_t where = slot_where(atomic_load(&leaf->slots[block]));
        uint8_t bits[IMAGE_BITMAP_SIZE];

        if (!bitmap) {
                if (io_read(leaf->vhd->image.file, bits, sizeof bits, (uint64_t)where * SECTOR, note))
                        return err_wrap(note, "%s: read bitmap of block %" PRIu64, leaf->vhd->image.path,
                                        block);
                bitmap = bitmap_add(leaf, block, where);
                memcpy(bitmap->bits, bits, sizeof bits);
        }
        *ret = bitmap;
        return ERR_NONE;
}

/* Only leaves count: what waits of blocks that are moved is bounded by whoever moves them, and flushing a
 * leaf would not make it less. */
void leaf_count_unflushed(struct vhd_leaf *leaf, int64_t n_bitmaps) {
        if (leaf->is_counted)
                atomic_fetch_add(&leaf->vhd->image.images->unflushed,
                                 (uint64_t)(n_bitmaps * IMAGE_BITMAP_SIZE));
}

/* The end first, as in vhd_edit.h.  What the file grows by from now on ends with the new footer too. */
static enum err write_footers(struct vhd_leaf *leaf, struct err_note *note) {
        struct io_file *file = leaf->vhd->image.file;
        struct vhd_footer_disk *footer = &leaf->space.footer;
        enum err e;

        pthread_mutex_lock(&leaf->space_lock);
        vhd_footer_encode(&leaf->vhd->meta.footer, footer);
        e = io_write(file, footer, sizeof *footer, leaf->space.limit * SECTOR, note);
        pthread_mutex_unlock(&leaf->space_lock);
        if (e || leaf_sync(leaf, note) || io_write(file, footer, sizeof *footer, 0, note))
                return note->code;
        return leaf_sync(leaf, note);
}

enum err vhd_leaf_set_hidden(struct vhd_leaf *leaf, bool is_hidden, struct err_note *note) {
        leaf->vhd->meta.footer.is_hidden = is_hidden;
        return write_footers(leaf, note);
}

enum err vhd_leaf_set_dynamic(struct vhd_leaf *leaf, struct err_note *note) {
        leaf->vhd->meta.footer.type = VHD_DYNAMIC;
        return write_footers(leaf, note);
}

void vhd_leaf_count(struct vhd_leaf *leaf) {
        pthread_mutex_lock(&leaf->lock);
        if (!leaf->is_counted) {
                leaf->is_counted = true;
                leaf_count_unflushed(leaf, (int64_t)leaf->n_dirty);
        }
        pthread_mutex_unlock(&leaf->lock);
}

void leaf_note_waiting(struct vhd_leaf *leaf) {
        if (leaf->left.n == 0 && leaf->n_dirty == 0 && leaf->n_asked == 0)
                leaf->dirty_since = io_now_ns(leaf->vhd->image.images->io);
}

void leaf_bitmap_set_dirty(struct vhd_leaf *leaf, struct leaf_bitmap *bitmap) {
        if (bitmap->is_dirty)
                return;
        leaf_note_waiting(leaf);
        bitmap->is_dirty = true;
        leaf->n_dirty++;
        leaf_count_unflushed(leaf, 1);
}

void leaf_bitmap_forget(struct vhd_leaf *leaf, struct leaf_bitmap *bitmap) {
        struct leaf_bitmap *last = leaf->all.data[leaf->all.n - 1];

        if (bitmap->is_dirty) {
                leaf->n_dirty--;
                leaf_count_unflushed(leaf, -1);
        }
        map_remove(&leaf->bitmaps, map_key_u64(bitmap->block));
        leaf->all.data[bitmap->at] = last;
        last->at = bitmap->at;
        leaf->all.n--;
        free(bitmap);
}

void leaf_bitmaps_trim(struct vhd_leaf *leaf) {
        size_t kept = 0;

        if (leaf->all.n < CLEAN_BITMAPS_MAX + leaf->n_dirty)
                return;
        for (size_t i = 0; i < leaf->all.n; i++) {
                struct leaf_bitmap *bitmap = leaf->all.data[i];

                if (bitmap->is_dirty || bitmap->is_new || bitmap->in_flush || i % 2) {
                        bitmap->at = kept;
                        leaf->all.data[kept++] = bitmap;
                        continue;
                }
                map_remove(&leaf->bitmaps, map_key_u64(bitmap->block));
                free(bitmap);
        }
        leaf->all.n = kept;
}

/* ---- writing ---- */

/* Gives the block a slot, under the space_lock.  Its bitmap gets its place in the file now, zeros, so that
 * the flush needs no space; whatever lay there before cannot be taken for bits, because the BAT entry follows
 * only after the bitmap's sync. */
static enum err allocate(struct vhd_leaf *leaf, uint64_t block, struct err_note *note) {
        static const uint8_t empty[IMAGE_BITMAP_SIZE];
        uint64_t n_wanted;
        uint32_t where;

        if (leaf->vhd->image.is_leaf && atomic_load(&leaf->vhd->image.images->are_held_back))
                return err_set(note, ERR_NO_SPACE,
                               "the SR is full; what is left of it is kept for the coalesce under way");
        pthread_mutex_lock(&leaf->lock);
        n_wanted = leaf->n_blocks - leaf->n_held;
        pthread_mutex_unlock(&leaf->lock);
        if (vhd_space_take(&leaf->space, n_wanted, &where, note)) {
                mark_failed_sync(leaf);
                return note->code;
        }
        if (io_write(leaf->vhd->image.file, empty, sizeof empty, (uint64_t)where * SECTOR, note)) {
                *vec_add(&leaf->space.punchable.list) = where;
                return note->code;
        }
        pthread_mutex_lock(&leaf->lock);
        bitmap_add(leaf, block, where)->is_new = true;
        leaf->n_held++;
        atomic_store(&leaf->slots[block], slot_make(where, false));
        pthread_mutex_unlock(&leaf->lock);
        return ERR_NONE;
}

static enum err allocate_once(struct vhd_leaf *leaf, uint64_t block, struct err_note *note) {
        enum err e = ERR_NONE;

        pthread_mutex_lock(&leaf->space_lock);
        if (!(atomic_load(&leaf->slots[block]) & SLOT_HELD))
                e = allocate(leaf, block, note);
        pthread_mutex_unlock(&leaf->space_lock);
        return e;
}

/* The slot to write to, with its bitmap in memory unless it is whole. */
enum err vhd_leaf_prepare(struct vhd_leaf *leaf, uint64_t block, image_slot *ret, struct err_note *note) {
        struct leaf_bitmap *unused;
        enum err e = ERR_NONE;

        pthread_mutex_lock(&leaf->lock);
        while (!((*ret = atomic_load(&leaf->slots[block])) & SLOT_HELD) && !e) {
                pthread_mutex_unlock(&leaf->lock);
                e = allocate_once(leaf, block, note);
                pthread_mutex_lock(&leaf->lock);
        }
        if (!e && !(*ret & SLOT_WHOLE))
                e = leaf_bitmap_get(leaf, block, &unused, note);
        pthread_mutex_unlock(&leaf->lock);
        return e;
}

/* The data is in the file: now readers may see it here, and the next flush may say so on disk. */
static enum err set_bits(struct vhd_leaf *leaf, uint64_t block, uint32_t first, uint32_t n,
                         struct err_note *note) {
        struct leaf_bitmap *bitmap;
        enum err e = ERR_NONE;
        image_slot slot;

        pthread_mutex_lock(&leaf->lock);
        slot = atomic_load(&leaf->slots[block]);
        if (!(slot & SLOT_WHOLE))
                e = leaf_bitmap_get(leaf, block, &bitmap, note);
        if (!e && !(slot & SLOT_WHOLE) && vhd_bitmap_next_clear(bitmap->bits, first, first + n) < first + n) {
                vhd_bitmap_set_range(bitmap->bits, first, n);
                leaf_bitmap_set_dirty(leaf, bitmap);
                if (vhd_bitmap_is_full(bitmap->bits))
                        atomic_store(&leaf->slots[block], slot | SLOT_WHOLE);
        }
        pthread_mutex_unlock(&leaf->lock);
        return e;
}

enum err vhd_leaf_wrote(struct vhd_leaf *leaf, uint64_t block, uint32_t first, uint32_t n,
                        struct err_note *note) {
        atomic_store(&leaf->has_unsynced, true);
        return set_bits(leaf, block, first, n, note);
}

enum err vhd_leaf_write(struct vhd_leaf *leaf, const void *data, uint64_t n, uint64_t at,
                        struct err_note *note) {
        uint64_t block = at / IMAGE_BLOCK_SIZE, in_block = at % IMAGE_BLOCK_SIZE;
        const struct image *image = &leaf->vhd->image;
        image_slot slot;
        enum err e;

        if (vhd_leaf_prepare(leaf, block, &slot, note))
                return note->code;
        e = io_write(image->file, data, n, image_data_at(image, slot) + in_block, note);
        atomic_store(&leaf->has_unsynced, true);
        if (e)
                return e;
        return set_bits(leaf, block, (uint32_t)(in_block / SECTOR), (uint32_t)(n / SECTOR), note);
}

/* Nothing below holds the block and nobody writes to it: its slot is let go, its batmap bit goes with the
 * next flush.  False: it is being moved, and what was copied below must not show: zeros are written instead.
 */
static bool let_go(struct vhd_leaf *leaf, uint64_t block) {
        struct leaf_bitmap *bitmap;
        image_slot slot;

        pthread_mutex_lock(&leaf->lock);
        if (leave_is_under_way(leaf, block)) {
                pthread_mutex_unlock(&leaf->lock);
                return false;
        }
        slot = atomic_exchange(&leaf->slots[block], SLOT_ABSENT);
        bitmap = map_get(&leaf->bitmaps, map_key_u64(block));
        if (bitmap)
                leaf_bitmap_forget(leaf, bitmap);
        leaf->n_held--;
        leaf_note_waiting(leaf);
        *vec_add(&leaf->left) = (struct left_slot){block, slot_where(slot)};
        pthread_mutex_unlock(&leaf->lock);
        return true;
}

enum err vhd_leaf_zero(struct vhd_leaf *leaf, uint64_t n, uint64_t at, bool is_over_data, bool may_free,
                       struct err_note *note) {
        uint64_t block = at / IMAGE_BLOCK_SIZE, in_block = at % IMAGE_BLOCK_SIZE;
        const struct image *image = &leaf->vhd->image;
        image_slot slot = vhd_leaf_slot(leaf, block);
        enum err e;

        if (!(slot & SLOT_HELD) && !is_over_data)
                return ERR_NONE;
        if (slot & SLOT_HELD && may_free) {
                if (let_go(leaf, block))
                        return ERR_NONE;
                is_over_data = true;
        }
        if (vhd_leaf_prepare(leaf, block, &slot, note))
                return note->code;
        e = image_zero_file(image->file, n, image_data_at(image, slot) + in_block, note);
        atomic_store(&leaf->has_unsynced, true);
        if (e || !is_over_data)
                return e;
        return set_bits(leaf, block, (uint32_t)(in_block / SECTOR), (uint32_t)(n / SECTOR), note);
}
