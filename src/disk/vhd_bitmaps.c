// SPDX-License-Identifier: Apache-2.0
#include "vhd_bitmaps.h"

#include <stdlib.h>

#include "bytes.h"

enum { DEPTH = 32 };

void vhd_bitmaps_fini(struct vhd_bitmaps *b) {
        vec_fini(&b->keys);
}

void vhd_bitmaps_add(struct vhd_bitmaps *b, uint32_t block, uint32_t entry) {
        *vec_add(&b->keys) = (uint64_t)entry << 32 | block;
}

static int compare(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

struct slot {
        struct io_request request;
        struct iovec vec;
        uint32_t block;
        uint8_t bits[VHD_BITMAP_SIZE];
};

static void submit(struct io_queue *queue, struct io_file *file, struct slot *slot, uint64_t key) {
        slot->block = (uint32_t)key;
        slot->vec = (struct iovec){slot->bits, sizeof slot->bits};
        slot->request = (struct io_request){
                .op = IO_OP_READ,
                .file = file,
                .vec = &slot->vec,
                .n_vec = 1,
                .at = (key >> 32) * VHD_SECTOR,
                .user = slot,
        };
        io_submit(queue, &slot->request);
}

static enum err take(const struct io_request *request, vhd_bitmaps_fn *fn, void *user,
                     struct err_note *note) {
        const struct slot *slot = request->user;

        if (request->result) {
                *note = request->note;
                return err_wrap(note, "read the bitmap of block %u", slot->block);
        }
        return fn(user, slot->block, slot->bits, note);
}

struct reading {
        struct io_file *file; /* borrowed for the call */
        const uint64_t *keys; /* borrowed for the call; sorted */
        size_t next, n;
        uint64_t data, hole; /* [data, hole) is the last run of data that was looked up; 0, 0: none yet */
        vhd_bitmaps_fn *fn;  /* borrowed, a function */
        void *user;          /* borrowed for the call */
};

static enum err is_hole(struct reading *r, uint64_t at, bool *ret, struct err_note *note) {
        if (at >= r->hole && io_next_data(r->file, at, &r->data, &r->hole, note))
                return note->code;
        *ret = at + VHD_BITMAP_SIZE <= r->data;
        return ERR_NONE;
}

/* The next bitmap that must be read; those that lie in a hole on the way there are zeros.  *ret_has: there is
 * one. */
static enum err next_key(struct reading *r, uint64_t *ret, bool *ret_has, struct err_note *note) {
        static const uint8_t zeros[VHD_BITMAP_SIZE];
        bool hole;

        for (*ret_has = false; r->next < r->n; r->next++) {
                uint64_t key = r->keys[r->next];

                if (is_hole(r, (key >> 32) * VHD_SECTOR, &hole, note))
                        return note->code;
                if (!hole) {
                        *ret = key;
                        *ret_has = true;
                        r->next++;
                        return ERR_NONE;
                }
                if (r->fn(r->user, (uint32_t)key, zeros, note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err submit_next(struct reading *r, struct io_queue *queue, struct slot *slot,
                            struct err_note *note) {
        uint64_t key;
        bool has;

        if (next_key(r, &key, &has, note))
                return note->code;
        if (has)
                submit(queue, r->file, slot, key);
        return ERR_NONE;
}

static enum err read_all(struct reading *r, struct io_queue *queue, struct slot *slots,
                         struct err_note *note) {
        for (unsigned i = 0; i < DEPTH; i++)
                if (submit_next(r, queue, &slots[i], note))
                        return note->code;
        while (io_in_flight(queue)) {
                struct io_request *done[DEPTH];
                unsigned n = io_reap(queue, 1, done, DEPTH);

                for (unsigned i = 0; i < n; i++)
                        if (take(done[i], r->fn, r->user, note) || submit_next(r, queue, done[i]->user, note))
                                return note->code;
        }
        return ERR_NONE;
}

enum err vhd_bitmaps_read(struct vhd_bitmaps *b, struct io *io, struct io_file *file, vhd_bitmaps_fn *fn,
                          void *user, struct err_note *note) {
        AUTO_FREE struct slot *slots = mem_zero(DEPTH * sizeof *slots);
        AUTO(io_queue_free) struct io_queue *queue = NULL; /* freed first: it waits for what is in flight */
        struct reading reading = {.file = file, .keys = b->keys.data, .n = b->keys.n, .fn = fn, .user = user};

        if (b->keys.n == 0)
                return ERR_NONE;
        qsort(b->keys.data, b->keys.n, sizeof *b->keys.data, compare);
        if (io_queue_new(io, DEPTH, &queue, note))
                return note->code;
        return read_all(&reading, queue, slots, note);
}
