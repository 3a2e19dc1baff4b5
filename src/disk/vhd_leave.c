// SPDX-License-Identifier: Apache-2.0
/* Blocks that leave an image because they were moved into another (image.h has the four steps).
 *
 *   leave ──> ASKED ──flush──> DONE ──forget_left──> FORGOTTEN ──punch_left──> gone
 *                ^ a flush that failed leaves it here; the next one clears the entry again
 */
#include <assert.h>

#include "mem.h"
#include "vhd_leaf_inside.h"

/* ---- the list ---- */

static struct leaver *leaver_add(struct vhd_leaf *leaf, uint64_t block, uint32_t where,
                                 enum leave_state state) {
        struct leaver *leaver = mem_new(struct leaver);

        *leaver = (struct leaver){.block = block, .where = where, .state = state};
        *vec_add(&leaf->leavers) = leaver;
        map_put(&leaf->leaving, map_key_u64(block), leaver);
        return leaver;
}

void leave_fini(struct vhd_leaf *leaf) {
        VEC_EACH (&leaf->leavers, leaver)
                free(*leaver);
        vec_fini(&leaf->leavers);
        map_fini(&leaf->leaving);
}

bool leave_is_under_way(const struct vhd_leaf *leaf, uint64_t block) {
        return map_get(&leaf->leaving, map_key_u64(block)) != NULL;
}

/* ---- leave ---- */

void vhd_leaf_leave(struct vhd_leaf *leaf, uint64_t block) {
        struct leaver *leaver;
        image_slot slot;

        pthread_mutex_lock(&leaf->lock);
        slot = atomic_load(&leaf->slots[block]);
        assert(slot & SLOT_HELD);
        leaver = map_get(&leaf->leaving, map_key_u64(block));
        leaf_note_waiting(leaf);
        if (!leaver || leaver->state == LEAVE_DONE)
                leaf->n_asked++;
        if (!leaver)
                leaver_add(leaf, block, slot_where(slot), LEAVE_ASKED);
        else
                leaver->state = LEAVE_ASKED;
        pthread_mutex_unlock(&leaf->lock);
}

/* ---- the flush ---- */

void leave_collect(struct vhd_leaf *leaf, struct left_slots *ret) {
        if (leaf->n_asked == 0)
                return;
        VEC_EACH (&leaf->leavers, each)
                if ((*each)->state == LEAVE_ASKED)
                        *vec_add(&ret->list) = (struct left_slot){(*each)->block, (*each)->where};
}

void leave_done(struct vhd_leaf *leaf, const struct left_slots *left) {
        VEC_EACH (&left->list, each) {
                struct leaver *leaver = map_get(&leaf->leaving, map_key_u64(each->block));

                if (!leaver || leaver->state != LEAVE_ASKED)
                        continue;
                leaver->state = LEAVE_DONE;
                leaf->n_asked--;
        }
}

/* ---- forgetting ---- */

static void forget(struct vhd_leaf *leaf, struct leaver *leaver) {
        struct leaf_bitmap *bitmap = map_get(&leaf->bitmaps, map_key_u64(leaver->block));

        atomic_store(&leaf->slots[leaver->block], SLOT_ABSENT);
        leaf->n_held--;
        if (bitmap)
                leaf_bitmap_forget(leaf, bitmap);
        map_remove(&leaf->leaving, map_key_u64(leaver->block));
        leaver->state = LEAVE_FORGOTTEN;
}

void vhd_leaf_forget_left(struct vhd_leaf *leaf) {
        pthread_mutex_lock(&leaf->lock);
        VEC_EACH (&leaf->leavers, each)
                if ((*each)->state == LEAVE_DONE)
                        forget(leaf, *each);
        pthread_mutex_unlock(&leaf->lock);
}

/* ---- punching ---- */

static void take_forgotten(struct vhd_leaf *leaf) {
        size_t kept = 0;

        for (size_t i = 0; i < leaf->leavers.n; i++) {
                struct leaver *leaver = leaf->leavers.data[i];

                if (leaver->state != LEAVE_FORGOTTEN) {
                        leaf->leavers.data[kept++] = leaver;
                        continue;
                }
                *vec_add(&leaf->space.punchable.list) = leaver->where;
                free(leaver);
        }
        leaf->leavers.n = kept;
}

/* In turn with flushes: one in flight may still write a bitmap of a block that was forgotten after it had
 * begun. */
enum err vhd_leaf_punch_left(struct vhd_leaf *leaf, struct err_note *note) {
        enum err e;

        pthread_mutex_lock(&leaf->flush_turn);
        pthread_mutex_lock(&leaf->space_lock);
        pthread_mutex_lock(&leaf->lock);
        take_forgotten(leaf);
        pthread_mutex_unlock(&leaf->lock);
        pthread_mutex_unlock(&leaf->space_lock);
        e = leaf_punch(leaf, note);
        pthread_mutex_unlock(&leaf->flush_turn);
        return e ? err_wrap(note, "punch what left %s", leaf->vhd->image.path) : ERR_NONE;
}

/* ---- from one write side to the next ---- */

void vhd_leaf_keep_unpublished(struct vhd_leaf *leaf, struct image *image) {
        VEC_EACH (&leaf->leavers, each)
                if ((*each)->state != LEAVE_FORGOTTEN)
                        *vec_add(&image->unpublished) = (struct image_held){
                                (*each)->block, atomic_load(&leaf->slots[(*each)->block])};
}

static bool does_any_chain_pass(struct image *image) {
        bool does;

        pthread_mutex_lock(&image->readers_lock);
        does = image->readers.n > 0;
        pthread_mutex_unlock(&image->readers_lock);
        return does;
}

/* Where the BAT names the block still, or again, nothing has left. */
void leave_take_unpublished(struct vhd_leaf *leaf, struct vhd_slots *blocks) {
        struct image *image = &leaf->vhd->image;

        if (does_any_chain_pass(image))
                VEC_EACH (&image->unpublished, each) {
                        if (atomic_load(&leaf->slots[each->block]) & SLOT_HELD)
                                continue;
                        atomic_init(&leaf->slots[each->block], slot_make(slot_where(each->slot), false));
                        leaf->n_held++;
                        *vec_add(&blocks->list) = slot_where(each->slot);
                        leaver_add(leaf, each->block, slot_where(each->slot), LEAVE_DONE);
                }
}
