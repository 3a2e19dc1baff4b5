// SPDX-License-Identifier: Apache-2.0
/* The stream is a row of parts:
 *
 *      raw    frame | frame | …
 *      VHD    head | frame | frame | … | footer
 *
 * A frame is one block: of a VHD the page whose last sector is the bitmap, then 2 MiB of data, so frames
 * follow one another without a gap (4104 sectors) and begin at multiples of 4 KiB; the first page's beginning
 * is the head's end.  In the memory of a read, bytes keep their places within a page. */
#include "stream_plan.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "mem.h"
#include "vhd_bat.h"
#include "vhd_bitmap.h"
#include "vhd_head.h"

enum {
        PAGE = STREAM_PLAN_PAGE,
        FRAME_HEAD = PAGE, /* of a VHD's frame */
};
#define FRAME_NONE UINT64_MAX

/* The frame that was looked at last. */
struct frame {
        uint64_t index; /* FRAME_NONE: none yet */
        uint64_t block;
        uint8_t shown[IMAGE_BITMAP_SIZE]; /* the bitmap that is sent */
        uint8_t read[IMAGE_BITMAP_SIZE];  /* sectors that are read; the others are zeros */
};

struct stream_plan {
        struct chain *chain; /* borrowed, outlives us */
        struct chain *base;  /* borrowed, outlives us; NULL: none */
        bool is_vhd, has_whole_blocks;
        uint64_t disk_size;

        struct vhd_head head; /* of a VHD */
        uint8_t *encoded;     /* owned; the head's head_n bytes, while it is read; else NULL */
        uint64_t head_n;
        uint64_t frames_at; /* where the first frame begins, or its head's page */
        uint64_t frame_head, frame_size;
        uint64_t frames_end;
        struct vhd_footer_disk footer;
        uint64_t length;
        uint64_t n_held;   /* blocks that are sent */
        uint8_t *held;     /* owned; of a VHD: a bit for each block that is sent */
        uint8_t *promised; /* owned; of a VHD: the batmap */
        struct frame frame;
};

/* ---- what the stream consists of ------------------------------------------------------------------------
 */

static enum err check_options(const struct stream_source_options *options, struct err_note *note) {
        if (options->format == STREAM_CHUNKS)
                return err_set(note, ERR_INVALID, "chunks are only taken in");
        if (options->format == STREAM_RAW)
                return options->base ? err_set(note, ERR_INVALID, "a raw stream cannot be a delta")
                                     : ERR_NONE;
        if (uuid_is_null(&options->uuid))
                return err_set(note, ERR_INVALID, "a VHD needs a uuid");
        if (options->base && (uuid_is_null(&options->parent_uuid) || !options->parent_name))
                return err_set(note, ERR_INVALID, "a delta needs its parent's uuid and name");
        return ERR_NONE;
}

static void plan_raw(struct stream_plan *plan) {
        uint64_t n = div_up(plan->disk_size, IMAGE_BLOCK_SIZE);

        for (uint64_t block = 0; block < n; block++)
                plan->n_held += chain_block_is_held(plan->chain, NULL, block);
        plan->frame_size = IMAGE_BLOCK_SIZE;
        plan->frames_end = plan->length = plan->disk_size;
}

/* Which blocks are sent, and what the batmap says of them. */
static void plan_blocks(struct stream_plan *plan) {
        for (uint32_t block = 0; block < plan->head.layout.max_bat_entries; block++) {
                bool is_cut = (block + 1) * IMAGE_BLOCK_SIZE > plan->disk_size;

                if (!chain_block_is_held(plan->chain, plan->base, block))
                        continue;
                plan->n_held++;
                vhd_bitmap_set(plan->held, block);
                if (!is_cut &&
                    (plan->has_whole_blocks || chain_block_is_whole(plan->chain, plan->base, block)))
                        vhd_bitmap_set(plan->promised, block);
        }
}

static void place_frames(struct stream_plan *plan) {
        const struct vhd_layout *layout = &plan->head.layout;

        plan->head_n = plan->frames_end = layout->headers_end;
        plan->frame_head = FRAME_HEAD;
        plan->frame_size = FRAME_HEAD + IMAGE_BLOCK_SIZE;
        plan->frames_at = (layout->first_block_sector + VHD_BITMAP_SECTORS) * VHD_SECTOR - FRAME_HEAD;
        if (plan->n_held > 0) {
                plan->head_n = layout->first_block_sector * VHD_SECTOR;
                plan->frames_end = plan->frames_at + plan->n_held * plan->frame_size;
        }
        plan->length = plan->frames_end + VHD_FOOTER_SIZE;
}

static enum err make_head(struct stream_plan *plan, const struct stream_source_options *options,
                          struct err_note *note) {
        struct io *io = chain_images(plan->chain)->io;
        AUTO(vhd_parent_names_fini) struct vhd_parent_names names = {0};
        struct vhd_head_options head = {
                .type = plan->base ? VHD_DIFFERENCING : VHD_DYNAMIC,
                .size = plan->disk_size,
                .uuid = options->uuid,
                .made_seconds = options->made_seconds ? options->made_seconds : io_wall_ns(io) / 1000000000,
                .parent_uuid = options->parent_uuid,
        };

        if (plan->base && vhd_parent_names_of_relative(options->parent_name, &names, note))
                return note->code;
        return vhd_head_init(&plan->head, &head, plan->base ? &names : NULL, note);
}

static enum err plan_vhd(struct stream_plan *plan, const struct stream_source_options *options,
                         struct err_note *note) {
        size_t n;

        if (vhd_check_size(plan->disk_size, note) || make_head(plan, options, note))
                return note->code;
        n = (size_t)plan->head.layout.batmap_size;
        plan->held = mem_try(n, 1);
        plan->promised = mem_try(n, 1);
        if (!plan->held || !plan->promised)
                return err_set(note, ERR_NO_MEMORY, "a bit for each of %u blocks: out of memory",
                               plan->head.layout.max_bat_entries);
        plan_blocks(plan);
        place_frames(plan);
        vhd_footer_encode(&plan->head.footer, &plan->footer);
        return ERR_NONE;
}

enum err stream_plan_new(struct chain *chain, const struct stream_source_options *options,
                         struct stream_plan **ret, struct err_note *note) {
        AUTO(stream_plan_free) struct stream_plan *plan = mem_new(struct stream_plan);

        plan->chain = chain;
        plan->base = options->base;
        plan->is_vhd = options->format == STREAM_VHD;
        plan->has_whole_blocks = options->has_whole_blocks;
        plan->disk_size = chain_size(chain);
        plan->frame.index = FRAME_NONE;
        if (check_options(options, note) || (plan->is_vhd && plan_vhd(plan, options, note)))
                return note->code;
        if (!plan->is_vhd)
                plan_raw(plan);
        *ret = TAKE(plan);
        return ERR_NONE;
}

void stream_plan_free(struct stream_plan *plan) {
        vhd_head_fini(&plan->head);
        free(plan->encoded);
        free(plan->held);
        free(plan->promised);
        free(plan);
}

uint64_t stream_plan_length(const struct stream_plan *plan) {
        return plan->length;
}

uint64_t stream_plan_data(const struct stream_plan *plan) {
        return min_u64(plan->n_held * IMAGE_BLOCK_SIZE, plan->length);
}

/* ---- the head ------------------------------------------------------------------------------- */

static enum err encode_head(struct stream_plan *plan, struct err_note *note) {
        const struct vhd_layout *layout = &plan->head.layout;
        AUTO_FREE uint32_t *bat = mem_try(layout->max_bat_entries, sizeof *bat);
        uint64_t n = 0;

        plan->encoded = mem_try((size_t)plan->head_n, 1);
        if (!bat || !plan->encoded)
                return err_set(note, ERR_NO_MEMORY, "a head of %" PRIu64 " bytes: out of memory",
                               plan->head_n);
        for (uint32_t block = 0; block < layout->max_bat_entries; block++)
                bat[block] = vhd_bitmap_test(plan->held, block)
                                     ? (uint32_t)vhd_slot_sector(layout->first_block_sector, n++)
                                     : VHD_BAT_UNUSED;
        vhd_head_encode(&plan->head, bat, plan->promised, plan->encoded);
        return ERR_NONE;
}

/* ---- one frame ------------------------------------------------------------------------------------------
 */

/* Sets the bits of the sectors that are held above base. */
static enum err held_sectors(struct stream_plan *plan, struct chain *base, uint8_t bits[IMAGE_BITMAP_SIZE],
                             struct err_note *note) {
        uint64_t first = plan->frame.block * IMAGE_BLOCK_SIZE;
        uint64_t end = min_u64(first + IMAGE_BLOCK_SIZE, plan->disk_size);
        struct extent extent;

        memset(bits, 0, IMAGE_BITMAP_SIZE);
        for (uint64_t at = first; at < end; at += extent.n) {
                if (chain_extent_at(plan->chain, base, at, end - at, &extent, note))
                        return err_wrap(note, "look at %" PRIu64 " of the disk", at);
                if (extent.kind == EXTENT_DATA)
                        vhd_bitmap_set_range(bits, (uint32_t)((at - first) / SECTOR),
                                             (uint32_t)(extent.n / SECTOR));
        }
        return ERR_NONE;
}

static void show_all(struct stream_plan *plan) {
        uint64_t n = min_u64(IMAGE_BLOCK_SIZE, plan->disk_size - plan->frame.block * IMAGE_BLOCK_SIZE);

        memset(plan->frame.shown, 0, IMAGE_BITMAP_SIZE);
        vhd_bitmap_set_range(plan->frame.shown, 0, (uint32_t)(n / SECTOR));
}

static enum err load_bits(struct stream_plan *plan, struct err_note *note) {
        struct frame *frame = &plan->frame;

        if (!plan->is_vhd)
                return held_sectors(plan, NULL, frame->read, note);
        if (plan->has_whole_blocks) {
                show_all(plan);
                return held_sectors(plan, NULL, frame->read, note);
        }
        if (held_sectors(plan, plan->base, frame->read, note))
                return note->code;
        /* The batmap has been sent.  Bits that are gone since then mean zeros now: those are sent as such. */
        if (vhd_bitmap_test(plan->promised, (uint32_t)frame->block))
                memset(frame->read, 0xff, sizeof frame->read);
        memcpy(frame->shown, frame->read, sizeof frame->shown);
        return ERR_NONE;
}

static uint64_t block_of_frame(const struct stream_plan *plan, uint64_t index) {
        uint32_t n_blocks = (uint32_t)div_up(plan->disk_size, IMAGE_BLOCK_SIZE);
        bool is_ahead = plan->frame.index != FRAME_NONE && plan->frame.index < index;
        uint32_t block = is_ahead ? (uint32_t)plan->frame.block + 1 : 0;
        uint64_t i = is_ahead ? plan->frame.index + 1 : 0;

        for (;; i++, block++) {
                block = vhd_bitmap_next_set(plan->held, block, n_blocks);
                if (i == index)
                        return block;
        }
}

/* Frames are looked at in their order, so the next one's block is found at once; but for those that are asked
 * for again after an error. */
static enum err look_at_frame(struct stream_plan *plan, uint64_t index, struct err_note *note) {
        struct frame *frame = &plan->frame, before = *frame;

        if (frame->index == index)
                return ERR_NONE;
        frame->block = plan->is_vhd ? block_of_frame(plan, index) : index;
        frame->index = index;
        if (load_bits(plan, note)) {
                *frame = before;
                return note->code;
        }
        return ERR_NONE;
}

/* ---- reading ---------------------------------------------------------------------------------- */

static uint64_t frame_of(const struct stream_plan *plan, uint64_t at) {
        return (at - plan->frames_at) / plan->frame_size;
}
static uint64_t in_frame(const struct stream_plan *plan, uint64_t at) {
        return (at - plan->frames_at) % plan->frame_size;
}
static bool is_in_frames(const struct stream_plan *plan, uint64_t at) {
        return at >= plan->head_n && at < plan->frames_end;
}

/* The run of sectors of one kind that begins at `at`, within the frame that was looked at: its bytes. */
static uint64_t run_at(const struct stream_plan *plan, uint64_t at, bool *ret_is_data) {
        uint32_t sector = (uint32_t)((in_frame(plan, at) - plan->frame_head) / SECTOR);
        uint32_t end = vhd_bitmap_next_run(plan->frame.read, sector, IMAGE_BLOCK_SECTORS, ret_is_data);

        return min_u64((uint64_t)(end - sector) * SECTOR, plan->frames_end - at);
}

enum err stream_plan_hole(struct stream_plan *plan, uint64_t from, uint64_t *ret, struct err_note *note) {
        uint64_t at = round_down(from, SECTOR), n;
        bool is_data;

        *ret = 0;
        if (!is_in_frames(plan, from))
                return ERR_NONE;
        if (look_at_frame(plan, frame_of(plan, at), note))
                return note->code;
        if (in_frame(plan, at) < plan->frame_head)
                return ERR_NONE;
        n = run_at(plan, at, &is_data) - (from - at);
        if (!is_data && n >= STREAM_HOLE_MIN)
                *ret = n;
        return ERR_NONE;
}

/* The rest of a frame's first page, up to n bytes of it. */
static void put_frame_head(struct stream_plan *plan, uint8_t *memory, uint64_t in, uint64_t n) {
        uint64_t bitmap_in = FRAME_HEAD - IMAGE_BITMAP_SIZE, bits_in = max_u64(in, bitmap_in);

        if (in < bitmap_in)
                memset(memory, 0, min_u64(bitmap_in - in, n));
        if (in + n > bits_in)
                memcpy(memory + (bits_in - in), plan->frame.shown + (bits_in - bitmap_in), in + n - bits_in);
}

/* A read of frames: what lies in memory, or will once the batch is read. */
struct reading {
        struct chain_batch *batch; /* borrowed */
        uint8_t *memory;           /* borrowed; begins with the page of `from` */
        uint64_t from, end;        /* in the stream, whole sectors */
};

/* What is put into memory from `at` on: its bytes; 0 where a hole begins. */
static uint64_t put_run(struct stream_plan *plan, const struct reading *reading, uint64_t at) {
        uint8_t *memory = reading->memory + (at - round_down(reading->from, PAGE));
        uint64_t in = in_frame(plan, at), n;
        bool is_data;

        if (in < plan->frame_head) {
                n = min_u64(plan->frame_head - in, reading->end - at);
                put_frame_head(plan, memory, in, n);
                return n;
        }
        n = run_at(plan, at, &is_data);
        if (!is_data && n >= STREAM_HOLE_MIN && at > reading->from)
                return 0;
        n = min_u64(n, reading->end - at);
        if (is_data)
                chain_batch_add(reading->batch, memory, n,
                                plan->frame.block * IMAGE_BLOCK_SIZE + (in - plan->frame_head));
        else
                memset(memory, 0, n);
        return n;
}

static enum err read_frames(struct stream_plan *plan, const struct reading *reading, uint64_t *ret_end,
                            struct err_note *note) {
        uint64_t at = reading->from, n;

        for (; at < reading->end; at += n) {
                if (look_at_frame(plan, frame_of(plan, at), note)) {
                        if (at > reading->from)
                                break; /* what comes before it can be sent */
                        return note->code;
                }
                n = put_run(plan, reading, at);
                if (n == 0)
                        break;
        }
        *ret_end = at;
        return chain_batch_read(reading->batch, plan->chain, note);
}

/* Of the n bytes at `from` as many as fit. */
static void copy_part(const void *from, uint64_t has, uint8_t *memory, size_t n, const uint8_t **ret,
                      size_t *ret_n) {
        *ret = memory;
        *ret_n = min_u64(has, n);
        memcpy(memory, from, *ret_n);
}

enum err stream_plan_read(struct stream_plan *plan, struct chain_batch *batch, uint64_t at, uint8_t *memory,
                          size_t n, const uint8_t **ret, size_t *ret_n, struct err_note *note) {
        uint64_t from = round_down(at, SECTOR), page = round_down(at, PAGE);
        struct reading reading = {batch, memory, from,
                                  min_u64(page + round_down(n, SECTOR), plan->frames_end)};
        uint64_t end = from;

        assert(n > PAGE);
        *ret = memory;
        *ret_n = 0;
        if (at < plan->head_n) {
                if (!plan->encoded && encode_head(plan, note))
                        return note->code;
                copy_part(plan->encoded + at, plan->head_n - at, memory, n, ret, ret_n);
                return ERR_NONE;
        }
        free(TAKE(plan->encoded));
        if (at >= plan->length)
                return ERR_NONE;
        if (at >= plan->frames_end) {
                copy_part((const uint8_t *)&plan->footer + (at - plan->frames_end), plan->length - at, memory,
                          n, ret, ret_n);
                return ERR_NONE;
        }
        if (read_frames(plan, &reading, &end, note))
                return note->code;
        *ret = memory + (at - page);
        *ret_n = end - at;
        return ERR_NONE;
}
