// SPDX-License-Identifier: Apache-2.0
#include "mover_batch.h"

#include <inttypes.h>

#include "mover_tally.h"
#include "vhd_bitmap.h"

enum {
        PAGE_SECTORS = 8,               /* a file takes space in pages of 4 KiB: one byte of a bitmap */
        SHARE_MIN = 64 * 1024 / SECTOR, /* what is shorter is copied sooner than shared */
};

void mover_batch_reset(struct mover_batch *batch) {
        batch->blocks.n = 0;
        batch->runs.n = 0;
        batch->space = 0;
        batch->sharable = 0;
        batch->shortage.code = ERR_NONE;
}

void mover_batch_fini(struct mover_batch *batch) {
        vec_fini(&batch->blocks);
        vec_fini(&batch->runs);
}

bool mover_run_sharable(const struct mover_run *run, uint32_t *ret_first, uint32_t *ret_n) {
        uint64_t skip = (uint64_t)run->first * SECTOR, page = PAGE_SECTORS * SECTOR;
        uint32_t from = (uint32_t)round_up(run->first, PAGE_SECTORS),
                 to = (uint32_t)round_down(run->first + run->n, PAGE_SECTORS);

        /* Of another writer's file a block may begin anywhere. */
        if (!is_multiple(run->from_at - skip, page) || !is_multiple(run->to_at - skip, page) ||
            to < from + SHARE_MIN)
                return false;
        *ret_first = from;
        *ret_n = to - from;
        return true;
}

static void count_sharable(struct mover_batch *batch, size_t first_run) {
        uint32_t first, n;

        for (size_t i = first_run; i < batch->runs.n; i++)
                if (mover_run_sharable(&batch->runs.data[i], &first, &n))
                        batch->sharable += (uint64_t)n * SECTOR;
}

static uint64_t space_of(const uint8_t taken[IMAGE_BITMAP_SIZE]) {
        uint64_t pages = 1; /* the bitmap's own */

        for (unsigned i = 0; i < IMAGE_BITMAP_SIZE; i++)
                pages += taken[i] != 0;
        return pages * PAGE_SECTORS * SECTOR;
}

/* What one layer has of the block and no layer above it: its runs; they are taken from then on. */
static uint32_t add_runs(struct mover_batch *batch, const struct mover_run *proto,
                         const uint8_t has[IMAGE_BITMAP_SIZE], uint32_t limit,
                         uint8_t taken[IMAGE_BITMAP_SIZE]) {
        uint8_t open[IMAGE_BITMAP_SIZE];
        uint32_t count = 0, s = 0, end;

        for (unsigned i = 0; i < IMAGE_BITMAP_SIZE; i++)
                open[i] = has[i] & (uint8_t)~taken[i];
        while ((s = vhd_bitmap_next_set(open, s, limit)) < limit) {
                struct mover_run *run = vec_add(&batch->runs);

                end = vhd_bitmap_next_clear(open, s, limit);
                *run = *proto;
                run->from_at += (uint64_t)s * SECTOR;
                run->first = s;
                run->n = end - s;
                vhd_bitmap_set_range(taken, s, end - s);
                count += end - s;
                s = end;
        }
        return count;
}

/* What the image has itself is nobody else's to give. */
static void keep_own(const uint8_t has[IMAGE_BITMAP_SIZE], uint32_t limit, uint8_t taken[IMAGE_BITMAP_SIZE]) {
        uint32_t s = 0, end;

        while ((s = vhd_bitmap_next_set(has, s, limit)) < limit) {
                end = vhd_bitmap_next_clear(has, s, limit);
                vhd_bitmap_set_range(taken, s, end - s);
                s = end;
        }
}

/* From the top down, so that the newest owner of a sector is the one that counts. */
static enum err find_runs(struct mover_batch *batch, struct image *const *run, size_t n, size_t into,
                          uint64_t block, uint8_t taken[IMAGE_BITMAP_SIZE], struct err_note *note) {
        struct mover_batch_block *entry = &batch->blocks.data[batch->blocks.n - 1];
        size_t lowest = into == 0 ? 1 : 0;

        for (size_t i = n; i-- > lowest;) {
                uint32_t limit = mover_sectors_below(mover_seen(run, n, i), block);
                uint8_t has[IMAGE_BITMAP_SIZE];
                struct mover_run proto;
                image_slot slot;

                if (limit == 0 || vhd_bitmap_next_clear(taken, 0, limit) >= limit)
                        continue;
                if (run[i]->ops->look(run[i], block, &slot, has, note))
                        return err_wrap(note, "look at block %" PRIu64 " of %s", block, run[i]->path);
                if (!(slot & SLOT_HELD))
                        continue;
                if (slot & SLOT_WHOLE)
                        memset(has, 0xff, sizeof has);
                if (i == into) {
                        keep_own(has, limit, taken);
                        continue;
                }
                proto = (struct mover_run){.layer = (unsigned)i,
                                           .of = (uint32_t)(batch->blocks.n - 1),
                                           .from_at = image_data_at(run[i], slot)};
                entry->n_sectors += add_runs(batch, &proto, has, limit, taken);
        }
        return ERR_NONE;
}

/* The block's place in the target.  Once the space is short only blocks that have one are tried. */
static enum err find_place(struct mover_batch *batch, struct image *target, size_t first_run,
                           struct err_note *note) {
        struct mover_batch_block *entry = &batch->blocks.data[batch->blocks.n - 1];
        enum err e = ERR_NO_SPACE;
        image_slot slot;

        if (!batch->shortage.code || target->ops->slot(target, entry->block) & SLOT_HELD)
                e = target->ops->prepare(target, entry->block, &slot, note);
        if (e == ERR_NO_SPACE) {
                if (!batch->shortage.code)
                        batch->shortage = *note;
                entry->is_short = true;
                batch->runs.n = first_run;
                return ERR_NONE;
        }
        if (e)
                return err_wrap(note, "a place for block %" PRIu64 " in %s", entry->block, target->path);
        for (size_t i = first_run; i < batch->runs.n; i++)
                batch->runs.data[i].to_at =
                        image_data_at(target, slot) + (uint64_t)batch->runs.data[i].first * SECTOR;
        return ERR_NONE;
}

enum err mover_batch_add(struct mover_batch *batch, struct image *const *run, size_t n, size_t into,
                         uint64_t block, struct err_note *note) {
        uint8_t taken[IMAGE_BITMAP_SIZE] = {0};
        size_t first_run = batch->runs.n;

        *vec_add(&batch->blocks) = (struct mover_batch_block){.block = block};
        if (find_runs(batch, run, n, into, block, taken, note))
                return note->code;
        if (batch->runs.n == first_run)
                return ERR_NONE; /* nothing of it can be seen: it only leaves */
        if (find_place(batch, run[into], first_run, note))
                return note->code;
        if (batch->runs.n > first_run)
                batch->space += space_of(taken);
        count_sharable(batch, first_run);
        return ERR_NONE;
}

void mover_batch_give_back(const struct mover_batch *batch, struct image *target) {
        struct err_note unused;

        VEC_EACH (&batch->runs, run)
                if (batch->blocks.data[run->of].is_short &&
                    io_punch(target->file, (uint64_t)run->n * SECTOR, run->to_at, &unused))
                        return; /* where nothing can be punched nothing is given back */
}
