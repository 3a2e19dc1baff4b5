// SPDX-License-Identifier: Apache-2.0
#include "vhd_space.h"

#include <stdlib.h>

#include "image.h"
#include "vhd_layout.h"

enum {
        BLOCK_SPAN = VHD_BITMAP_SECTORS + VHD_BLOCK_SECTORS, /* sectors that a block fills */
        STRIDE_MOST = 256,                                   /* slots to grow by at once: half a GiB */
};

static int compare_down(const void *a, const void *b) {
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return (x < y) - (x > y);
}

static bool do_ascend(const uint32_t *sectors, size_t n) {
        for (size_t i = 1; i < n; i++)
                if (sectors[i] < sectors[i - 1])
                        return false;
        return true;
}

/* By bytes, the lowest first: a full disk has a million blocks, and qsort would take longer than all else of
 * opening it.  Four passes, an even number: the result is where it began. */
static void sort_up(uint32_t *sectors, size_t n) {
        AUTO_FREE uint32_t *room = NULL;
        uint32_t *from = sectors, *to;

        if (do_ascend(sectors, n))
                return;
        room = to = mem_grow(NULL, n, sizeof *room);
        for (unsigned shift = 0; shift < 32; shift += 8) {
                size_t place[256] = {0}, sum = 0;
                uint32_t *swap = from;

                for (size_t i = 0; i < n; i++)
                        place[from[i] >> shift & 0xff]++;
                for (unsigned d = 0; d < 256; d++) {
                        size_t count = place[d];

                        place[d] = sum;
                        sum += count;
                }
                for (size_t i = 0; i < n; i++)
                        to[place[from[i] >> shift & 0xff]++] = from[i];
                from = to;
                to = swap;
        }
}

void vhd_space_init(struct vhd_space *space, struct io_file *file, const struct vhd_footer *footer,
                    uint64_t headers_end, uint64_t footer_at, uint64_t growth_bytes,
                    struct vhd_slots *blocks) {
        uint64_t at = vhd_slot_align(div_up(headers_end, SECTOR));

        memset(space, 0, sizeof *space);
        space->file = file;
        space->limit = footer_at / SECTOR;
        space->stride = max_u64(1, growth_bytes / (VHD_STRIDE_SECTORS * SECTOR));
        vhd_footer_encode(footer, &space->footer);

        sort_up(blocks->list.data, blocks->list.n);
        VEC_EACH (&blocks->list, block) {
                for (; at + BLOCK_SPAN <= *block; at += VHD_STRIDE_SECTORS)
                        *vec_add(&space->punchable.list) = (uint32_t)at;
                at = vhd_slot_align(max_u64(at, (uint64_t)*block + BLOCK_SPAN));
        }
        space->next = at;
        space->end = div_up(headers_end, SECTOR);
        if (blocks->list.n)
                space->end =
                        max_u64(space->end, (uint64_t)blocks->list.data[blocks->list.n - 1] + BLOCK_SPAN);
}

void vhd_space_fini(struct vhd_space *space) {
        vec_fini(&space->free.list);
        vec_fini(&space->punchable.list);
        vec_fini(&space->punched.list);
}

static enum err sync_file(struct vhd_space *space, struct err_note *note) {
        if (io_sync(space->file, note) == ERR_NONE)
                return ERR_NONE;
        space->did_sync_fail = true;
        return note->code;
}

static enum err write_footer(struct vhd_space *space, uint64_t sector, struct err_note *note) {
        if (io_write(space->file, &space->footer, sizeof space->footer, sector * SECTOR, note) ||
            sync_file(space, note))
                return err_wrap(note, "write the footer at sector %llu", (unsigned long long)sector);
        return ERR_NONE;
}

/* Space first, then the footer at the new end, durable, before any data below it: a crash finds the copy at 0
 * and either end's footer, and never guest data where a footer is looked for. */
static enum err grow_by(struct vhd_space *space, uint64_t n, struct err_note *note) {
        uint64_t limit = space->next + n * VHD_STRIDE_SECTORS;

        struct err_note unused;

        if (io_truncate(space->file, (limit + 1) * SECTOR, note) || write_footer(space, limit, note)) {
                /* The old footer still stands where it was; if this fails too, the next open mends the
                 * end. */
                if (io_truncate(space->file, (space->limit + 1) * SECTOR, &unused))
                        return note->code;
                return note->code;
        }
        space->limit = limit;
        return ERR_NONE;
}

static enum err grow(struct vhd_space *space, uint64_t n_wanted, struct err_note *note) {
        /* Each growth costs a sync: the larger the file, the longer its strides. */
        uint64_t half = space->next / VHD_STRIDE_SECTORS / 2;
        uint64_t n = min_u64(max_u64(space->stride, min_u64(half, STRIDE_MOST)), max_u64(1, n_wanted));
        enum err e = grow_by(space, n, note);

        if (e == ERR_NO_SPACE && n > 1)
                e = grow_by(space, 1, note);
        return e ? err_wrap(note, "grow the file") : ERR_NONE;
}

enum err vhd_space_take(struct vhd_space *space, uint64_t n_wanted, uint32_t *ret_sector,
                        struct err_note *note) {
        if (space->free.list.n > 0) {
                *ret_sector = space->free.list.data[--space->free.list.n];
                return ERR_NONE;
        }
        if (space->next + BLOCK_SPAN > UINT32_MAX)
                return err_set(note, ERR_TOO_LARGE, "the file has no place for another block below 2 TiB");
        if (space->next + BLOCK_SPAN > space->limit && grow(space, n_wanted, note))
                return note->code;
        *ret_sector = (uint32_t)space->next;
        space->end = space->next + BLOCK_SPAN;
        space->next += VHD_STRIDE_SECTORS;
        return ERR_NONE;
}

struct vhd_slots vhd_space_take_punchable(struct vhd_space *space) {
        struct vhd_slots slots = space->punchable;

        space->punchable = (struct vhd_slots){0};
        return slots;
}

enum err vhd_space_punch(const struct vhd_space *space, const struct vhd_slots *slots, size_t *n_done,
                         struct err_note *note) {
        for (; *n_done < slots->list.n; ++*n_done)
                if (image_zero_file(space->file, (uint64_t)BLOCK_SPAN * SECTOR,
                                    (uint64_t)slots->list.data[*n_done] * SECTOR, note))
                        return note->code;
        return ERR_NONE;
}

void vhd_space_give_punched(struct vhd_space *space, struct vhd_slots *slots, size_t n_done) {
        for (size_t i = 0; i < slots->list.n; i++)
                *vec_add(i < n_done ? &space->punched.list : &space->punchable.list) = slots->list.data[i];
        vec_fini(&slots->list);
}

void vhd_space_synced(struct vhd_space *space, size_t n_punched) {
        if (n_punched == 0)
                return;
        for (size_t i = 0; i < n_punched; i++)
                *vec_add(&space->free.list) = space->punched.list.data[i];
        memmove(space->punched.list.data, space->punched.list.data + n_punched,
                (space->punched.list.n - n_punched) * sizeof *space->punched.list.data);
        space->punched.list.n -= n_punched;
        qsort(space->free.list.data, space->free.list.n, sizeof *space->free.list.data, compare_down);
}

enum err vhd_space_tighten(struct vhd_space *space, struct err_note *note) {
        if (space->end >= space->limit)
                return ERR_NONE;
        if (write_footer(space, space->end, note) ||
            io_truncate(space->file, (space->end + 1) * SECTOR, note) || sync_file(space, note))
                return err_wrap(note, "give the end of the file back");
        space->limit = space->end;
        return ERR_NONE;
}
