// SPDX-License-Identifier: Apache-2.0
/* vhd_leaf_flush: the order of vhd_leaf.h, step by step. */
#include "mem.h"
#include "vhd_bat.h"
#include "vhd_leaf_inside.h"

/* What one flush brings down. */
struct set_aside {
        VEC(struct leaf_bitmap) bitmaps; /* owned copies: bits as they were when the flush began */
        VEC(struct left_slot) left;      /* owned */
        struct left_slots leaving;       /* owned; they keep their slots */
        size_t n_punched;                /* slots whose punch the first sync makes durable */
};

enum err leaf_sync(struct vhd_leaf *leaf, struct err_note *note) {
        if (io_sync(leaf->vhd->image.file, note) == ERR_NONE)
                return ERR_NONE;
        /* [D6] what it covered is unknown, and asking again would lie */
        atomic_store(&leaf->vhd->image.has_failed, true);
        return err_wrap(note, "flush %s", leaf->vhd->image.path);
}

enum err leaf_punch(struct vhd_leaf *leaf, struct err_note *note) {
        struct vhd_slots slots;
        enum err e = ERR_NONE;
        size_t n_done = 0;

        pthread_mutex_lock(&leaf->space_lock);
        slots = vhd_space_take_punchable(&leaf->space);
        pthread_mutex_unlock(&leaf->space_lock);
        if (slots.list.n > 0) {
                e = vhd_space_punch(&leaf->space, &slots, &n_done, note);
                atomic_store(&leaf->has_unsynced, true);
        }
        pthread_mutex_lock(&leaf->space_lock);
        vhd_space_give_punched(&leaf->space, &slots, n_done);
        pthread_mutex_unlock(&leaf->space_lock);
        return e;
}

/* Step 0, under the locks. */
static void set_aside(struct vhd_leaf *leaf, struct set_aside *set) {
        VEC_EACH (&leaf->all, each) {
                struct leaf_bitmap *bitmap = *each;

                if (!bitmap->is_dirty && !bitmap->is_new)
                        continue;
                *vec_add(&set->bitmaps) = *bitmap;
                if (bitmap->is_dirty)
                        leaf_count_unflushed(leaf, -1);
                bitmap->is_dirty = false;
                bitmap->in_flush = true;
        }
        leaf->n_dirty = 0;
        VEC_EACH (&leaf->left, each)
                *vec_add(&set->left) = *each;
        leaf->left.n = 0;
        leave_collect(leaf, &set->leaving);
        set->n_punched = leaf->space.punched.list.n;
}

/* A write of metadata failed: nothing is lost, it waits again. */
static void put_back(struct vhd_leaf *leaf, struct set_aside *set) {
        pthread_mutex_lock(&leaf->lock);
        VEC_EACH (&set->bitmaps, copy) {
                struct leaf_bitmap *bitmap = map_get(&leaf->bitmaps, map_key_u64(copy->block));

                if (bitmap && bitmap->where == copy->where) {
                        leaf_bitmap_set_dirty(leaf, bitmap);
                        bitmap->in_flush = false;
                }
        }
        VEC_EACH (&set->left, each)
                *vec_add(&leaf->left) = *each;
        pthread_mutex_unlock(&leaf->lock);
}

static enum err write_bitmaps(struct vhd_leaf *leaf, struct set_aside *set, bool new_ones,
                              struct err_note *note) {
        VEC_EACH (&set->bitmaps, copy)
                if (copy->is_new == new_ones && io_write(leaf->vhd->image.file, copy->bits, sizeof copy->bits,
                                                         (uint64_t)copy->where * SECTOR, note))
                        return note->code;
        return ERR_NONE;
}

/* The sectors of a table that are marked, each run of them in one write. */
static enum err write_changed(struct vhd_leaf *leaf, const void *table, uint32_t n_sectors,
                              const uint8_t *changed, uint64_t at, struct err_note *note) {
        uint32_t i = 0, end;

        while ((i = vhd_bitmap_next_set(changed, i, n_sectors)) < n_sectors) {
                end = vhd_bitmap_next_clear(changed, i, n_sectors);
                if (io_write(leaf->vhd->image.file, (const uint8_t *)table + (uint64_t)i * SECTOR,
                             (uint64_t)(end - i) * SECTOR, at + (uint64_t)i * SECTOR, note))
                        return note->code;
                i = end;
        }
        return ERR_NONE;
}

/* A write that failed leaves its sectors marked: what the file has of them is not known. */
static enum err write_batmap(struct vhd_leaf *leaf, struct err_note *note) {
        uint32_t n_sectors = (uint32_t)(leaf->batmap_bytes / SECTOR);
        struct vhd_image *vhd = leaf->vhd;
        struct vhd_batmap_disk header;

        vhd_batmap_seal(&vhd->meta.batmap, (struct span){leaf->batmap_image, leaf->batmap_bytes},
                        vhd->image.size);
        vhd_batmap_encode(&vhd->meta.batmap, &header);
        atomic_store(&leaf->has_unsynced, true);
        if (write_changed(leaf, leaf->batmap_image, n_sectors, leaf->batmap_changed,
                          vhd->meta.batmap.map_offset, note) ||
            io_write(vhd->image.file, &header, sizeof header, vhd->meta.batmap_header_at, note))
                return err_wrap(note, "write the batmap");
        memset(leaf->batmap_changed, 0, leaf_marks_size(leaf->batmap_bytes));
        leaf->is_batmap_stale = false;
        return ERR_NONE;
}

static void mark_batmap(struct vhd_leaf *leaf, uint64_t block) {
        vhd_bitmap_set(leaf->batmap_changed, (uint32_t)(block / (8 * SECTOR)));
}

static void clear_batmap_bit(struct vhd_leaf *leaf, uint64_t block) {
        if (vhd_bitmap_test(leaf->batmap_image, (uint32_t)block)) {
                vhd_bitmap_clear(leaf->batmap_image, (uint32_t)block);
                mark_batmap(leaf, block);
                leaf->is_batmap_stale = true;
        }
}

/* A block that leaves its slot loses its batmap bit before the BAT can name another slot for it. */
static enum err clear_batmap_bits(struct vhd_leaf *leaf, struct set_aside *set, struct err_note *note) {
        if (!leaf->batmap_image)
                return ERR_NONE;
        VEC_EACH (&set->left, each)
                clear_batmap_bit(leaf, each->block);
        VEC_EACH (&set->leaving.list, each)
                clear_batmap_bit(leaf, each->block);
        return leaf->is_batmap_stale ? write_batmap(leaf, note) : ERR_NONE;
}

static void mark_changed(uint8_t *changed, uint64_t block) {
        vhd_bitmap_set(changed, (uint32_t)(block * sizeof(be32) / SECTOR));
}

static uint32_t bat_page_of(uint64_t block) {
        return (uint32_t)(block * sizeof(be32) / LEAF_BAT_PAGE);
}

static bool is_bat_known(const struct vhd_leaf *leaf, uint64_t block) {
        return vhd_bitmap_test(leaf->bat_known, bat_page_of(block));
}

/* Nobody but flushes writes the BAT, and each of them has read what it changes. */
static enum err know_bat(struct vhd_leaf *leaf, uint64_t block, struct err_note *note) {
        uint64_t at = (uint64_t)bat_page_of(block) * LEAF_BAT_PAGE;
        size_t n = (size_t)min_u64(leaf->bat_bytes - at, LEAF_BAT_PAGE);

        if (is_bat_known(leaf, block))
                return ERR_NONE;
        if (io_read(leaf->vhd->image.file, (uint8_t *)leaf->bat_image + at, n,
                    leaf->vhd->meta.header.table_offset + at, note))
                return err_wrap(note, "read the BAT");
        vhd_bitmap_set(leaf->bat_known, bat_page_of(block));
        return ERR_NONE;
}

/* All that the set changes, before any of it does. */
static enum err know_what_changes(struct vhd_leaf *leaf, const struct set_aside *set, struct err_note *note) {
        VEC_EACH (&set->left, each)
                if (know_bat(leaf, each->block, note))
                        return note->code;
        VEC_EACH (&set->bitmaps, copy)
                if (copy->is_new && know_bat(leaf, copy->block, note))
                        return note->code;
        VEC_EACH (&set->leaving.list, each)
                if (know_bat(leaf, each->block, note))
                        return note->code;
        return ERR_NONE;
}

static void clear_entry(struct vhd_leaf *leaf, const struct left_slot *left, uint8_t *changed) {
        if (be32_get(leaf->bat_image[left->block]) == left->where)
                leaf->bat_image[left->block] = be32_put(VHD_BAT_UNUSED);
        mark_changed(changed, left->block);
}

/* The entries enter the BAT's image here and nowhere else: these blocks' bitmaps are durable.  What leaves is
 * cleared last: it stays out even if it came with this same flush. */
static void change_bat(struct vhd_leaf *leaf, struct set_aside *set, uint8_t *changed) {
        VEC_EACH (&set->left, each)
                clear_entry(leaf, each, changed);
        VEC_EACH (&set->bitmaps, copy)
                if (copy->is_new) {
                        leaf->bat_image[copy->block] = be32_put(copy->where);
                        mark_changed(changed, copy->block);
                }
        VEC_EACH (&set->leaving.list, each)
                clear_entry(leaf, each, changed);
}

static enum err write_bat(struct vhd_leaf *leaf, struct set_aside *set, struct err_note *note) {
        uint32_t n_sectors = (uint32_t)(leaf->bat_bytes / SECTOR);
        AUTO_FREE uint8_t *changed = mem_zero(leaf_marks_size(leaf->bat_bytes));

        if (know_what_changes(leaf, set, note))
                return note->code;
        change_bat(leaf, set, changed);
        if (write_changed(leaf, leaf->bat_image, n_sectors, changed, leaf->vhd->meta.header.table_offset,
                          note))
                return err_wrap(note, "write the BAT");
        return ERR_NONE;
}

/* Step 1: after this sync all data that the set's bits speak of is durable, and the new blocks' bitmaps. */
static enum err first_half(struct vhd_leaf *leaf, struct set_aside *set, struct err_note *note) {
        if (clear_batmap_bits(leaf, set, note) || write_bitmaps(leaf, set, true, note))
                return note->code;
        atomic_store(&leaf->has_unsynced, false);
        if (leaf_sync(leaf, note))
                return note->code;
        pthread_mutex_lock(&leaf->space_lock);
        vhd_space_synced(&leaf->space, set->n_punched);
        pthread_mutex_unlock(&leaf->space_lock);
        return ERR_NONE;
}

/* Step 2: what makes it visible to whoever opens the file. */
static enum err second_half(struct vhd_leaf *leaf, struct set_aside *set, struct err_note *note) {
        if (set->bitmaps.n == 0 && set->left.n == 0 && set->leaving.list.n == 0)
                return ERR_NONE;
        if (write_bat(leaf, set, note) || write_bitmaps(leaf, set, false, note))
                return note->code;
        return leaf_sync(leaf, note);
}

/* Step 3a: the BAT names them no more, durably.  Readers that found them before have gone: then their bytes
 * can go. */
static enum err punch_left(struct vhd_leaf *leaf, struct set_aside *set, struct err_note *note) {
        if (set->left.n > 0)
                image_wait_readers(&leaf->vhd->image);
        pthread_mutex_lock(&leaf->space_lock);
        VEC_EACH (&set->left, each)
                *vec_add(&leaf->space.punchable.list) = each->where;
        pthread_mutex_unlock(&leaf->space_lock);
        return leaf_punch(leaf, note);
}

/* Step 3b: their bitmaps are durable and full. */
static enum err set_batmap_bits(struct vhd_leaf *leaf, struct set_aside *set, struct err_note *note) {
        bool has_changed = false;

        if (!leaf->batmap_image)
                return ERR_NONE;
        VEC_EACH (&set->bitmaps, copy) {
                if (!vhd_bitmap_is_full(copy->bits) ||
                    vhd_bitmap_test(leaf->batmap_image, (uint32_t)copy->block))
                        continue;
                if (know_bat(leaf, copy->block, note))
                        return note->code;
                /* One that has left is held in memory for a while yet. */
                if (be32_get(leaf->bat_image[copy->block]) != copy->where)
                        continue;
                vhd_bitmap_set(leaf->batmap_image, (uint32_t)copy->block);
                mark_batmap(leaf, copy->block);
                has_changed = true;
        }
        return has_changed ? write_batmap(leaf, note) : ERR_NONE;
}

/* A bitmap that is whole on disk and known to be whole need not stay in memory. */
static void settle(struct vhd_leaf *leaf, struct set_aside *set) {
        pthread_mutex_lock(&leaf->lock);
        VEC_EACH (&set->bitmaps, copy) {
                struct leaf_bitmap *bitmap = map_get(&leaf->bitmaps, map_key_u64(copy->block));

                if (!bitmap || bitmap->where != copy->where)
                        continue;
                bitmap->is_new = false;
                bitmap->in_flush = false;
        }
        leave_done(leaf, &set->leaving);
        leaf_bitmaps_trim(leaf);
        pthread_mutex_unlock(&leaf->lock);
}

static enum err bring_down(struct vhd_leaf *leaf, struct set_aside *set, struct err_note *note) {
        if (first_half(leaf, set, note) || second_half(leaf, set, note)) {
                put_back(leaf, set);
                return note->code;
        }
        settle(leaf, set);
        /* All is durable: what fails from here on is tidying, done again by the next flush or the next
         * open. */
        if (punch_left(leaf, set, note) || set_batmap_bits(leaf, set, note))
                leaf->is_batmap_stale = leaf->batmap_image != NULL;
        return ERR_NONE;
}

enum err vhd_leaf_flush(struct vhd_leaf *leaf, struct err_note *note) {
        struct set_aside set = {0};
        enum err e = ERR_NONE;

        pthread_mutex_lock(&leaf->flush_turn);
        if (atomic_load(&leaf->vhd->image.has_failed)) {
                e = err_set(note, ERR_IO, "flush %s: an earlier sync failed; open the disk anew",
                            leaf->vhd->image.path);
        } else {
                pthread_mutex_lock(&leaf->space_lock);
                pthread_mutex_lock(&leaf->lock);
                set_aside(leaf, &set);
                pthread_mutex_unlock(&leaf->lock);
                pthread_mutex_unlock(&leaf->space_lock);
                if (set.bitmaps.n > 0 || set.left.n > 0 || set.leaving.list.n > 0 ||
                    atomic_load(&leaf->has_unsynced) || leaf->is_batmap_stale)
                        e = bring_down(leaf, &set, note);
        }
        pthread_mutex_unlock(&leaf->flush_turn);
        vec_fini(&set.bitmaps);
        vec_fini(&set.left);
        vec_fini(&set.leaving.list);
        return e;
}

uint64_t vhd_leaf_unflushed_since(struct vhd_leaf *leaf) {
        uint64_t since;

        pthread_mutex_lock(&leaf->lock);
        since = leaf->n_dirty || leaf->left.n || leaf->n_asked ? leaf->dirty_since : UINT64_MAX;
        pthread_mutex_unlock(&leaf->lock);
        return since;
}
