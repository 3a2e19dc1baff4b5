// SPDX-License-Identifier: Apache-2.0
/* The stream is a row of parts:
 *
 *      raw    frame | frame | …
 *      VHD    head | frame | frame | … | footer
 *
 * A frame is one block: of a VHD the page whose last sector is the bitmap, then 2 MiB of data, so frames
 * follow one another without a gap (4104 sectors) and begin at multiples of 4 KiB; the first page's beginning
 * is the head's end. Data is read into the window, which holds the next bytes of the stream and starts at a
 * page too.  A run of zeros that is long enough to be worth skipping is never in the window: it ends before
 * it, and is answered from a page of zeros. */
#include "stream.h"

#include <assert.h>
#include <inttypes.h>

#include "chain_batch.h"
#include "mem.h"
#include "vhd_bat.h"
#include "vhd_bitmap.h"
#include "vhd_head.h"

enum {
        PAGE = 4096,
        HOLE_MIN = 64 * 1024, /* shorter runs of zeros are sent with what stands around them */
        FRAME_HEAD = PAGE,    /* of a VHD's frame */
};
#define WINDOW     (2 * (FRAME_HEAD + IMAGE_BLOCK_SIZE))
#define FRAME_NONE UINT64_MAX

static const uint8_t zeros[HOLE_MIN];

/* The frame that was looked at last. */
struct frame {
        uint64_t index; /* FRAME_NONE: none yet */
        uint64_t block;
        uint8_t shown[IMAGE_BITMAP_SIZE]; /* the bitmap that is sent */
        uint8_t read[IMAGE_BITMAP_SIZE];  /* sectors that are read; the others are zeros */
};

struct stream_source {
        struct chain *chain; /* borrowed, outlives us */
        struct chain *base;  /* borrowed, outlives us; NULL: none */
        bool is_vhd, has_whole_blocks;
        uint64_t disk_size;

        uint8_t *head; /* owned; NULL once it was sent, or in a raw stream */
        uint64_t head_n;
        uint64_t frames_at; /* where the first frame begins, or its head's page */
        uint64_t frame_head, frame_size;
        uint64_t frames_end;
        struct vhd_footer_disk footer;
        uint64_t length;
        uint64_t n_held;   /* blocks that are sent */
        uint8_t *held;     /* owned; of a VHD: a bit for each block that is sent */
        uint8_t *promised; /* owned; of a VHD: the batmap */

        uint64_t at; /* the next byte */
        struct frame frame;
        uint8_t *window; /* owned; WINDOW bytes */
        uint64_t window_at, window_end;
        struct chain_batch *batch; /* owned */
};

/* ---- what the stream consists of ------------------------------------------------------------------------
 */

static enum err check_options(const struct stream_source_options *options, struct err_note *note) {
        if (options->format == STREAM_RAW)
                return options->base ? err_set(note, ERR_INVALID, "a raw stream cannot be a delta")
                                     : ERR_NONE;
        if (uuid_is_null(&options->uuid))
                return err_set(note, ERR_INVALID, "a VHD needs a uuid");
        if (options->base && (uuid_is_null(&options->parent_uuid) || !options->parent_name))
                return err_set(note, ERR_INVALID, "a delta needs its parent's uuid and name");
        return ERR_NONE;
}

static void plan_raw(struct stream_source *source) {
        uint64_t n = div_up(source->disk_size, IMAGE_BLOCK_SIZE);

        for (uint64_t block = 0; block < n; block++)
                source->n_held += chain_block_is_held(source->chain, NULL, block);
        source->frame_size = IMAGE_BLOCK_SIZE;
        source->frames_end = source->length = source->disk_size;
}

/* Which blocks are sent, where they go, and what the batmap says of them. */
static void plan_blocks(struct stream_source *source, const struct vhd_layout *layout, uint32_t *bat) {
        for (uint32_t block = 0; block < layout->max_bat_entries; block++) {
                bool is_cut = (block + 1) * IMAGE_BLOCK_SIZE > source->disk_size;

                bat[block] = VHD_BAT_UNUSED;
                if (!chain_block_is_held(source->chain, source->base, block))
                        continue;
                bat[block] = (uint32_t)vhd_slot_sector(layout->first_block_sector, source->n_held++);
                vhd_bitmap_set(source->held, block);
                if (!is_cut &&
                    (source->has_whole_blocks || chain_block_is_whole(source->chain, source->base, block)))
                        vhd_bitmap_set(source->promised, block);
        }
}

static void place_frames(struct stream_source *source, const struct vhd_layout *layout) {
        source->head_n = source->frames_end = layout->headers_end;
        source->frame_head = FRAME_HEAD;
        source->frame_size = FRAME_HEAD + IMAGE_BLOCK_SIZE;
        source->frames_at = (layout->first_block_sector + VHD_BITMAP_SECTORS) * VHD_SECTOR - FRAME_HEAD;
        if (source->n_held > 0) {
                source->head_n = layout->first_block_sector * VHD_SECTOR;
                source->frames_end = source->frames_at + source->n_held * source->frame_size;
        }
        source->length = source->frames_end + VHD_FOOTER_SIZE;
}

static enum err make_head(struct stream_source *source, const struct stream_source_options *options,
                          struct vhd_head *ret, struct err_note *note) {
        struct io *io = chain_images(source->chain)->io;
        AUTO(vhd_parent_names_fini) struct vhd_parent_names names = {0};
        struct vhd_head_options plan = {
                .type = source->base ? VHD_DIFFERENCING : VHD_DYNAMIC,
                .size = source->disk_size,
                .uuid = options->uuid,
                .made_seconds = io_wall_ns(io) / 1000000000,
                .parent_uuid = options->parent_uuid,
        };

        if (source->base && vhd_parent_names_of_relative(options->parent_name, &names, note))
                return note->code;
        return vhd_head_init(ret, &plan, source->base ? &names : NULL, note);
}

static enum err plan_vhd(struct stream_source *source, const struct stream_source_options *options,
                         struct err_note *note) {
        AUTO(vhd_head_fini) struct vhd_head head = {0};
        AUTO_FREE uint32_t *bat = NULL;

        if (vhd_check_size(source->disk_size, note) || make_head(source, options, &head, note))
                return note->code;
        bat = mem_try(head.layout.max_bat_entries, sizeof *bat);
        source->held = mem_try((size_t)head.layout.batmap_size, 1);
        source->promised = mem_try((size_t)head.layout.batmap_size, 1);
        if (!bat || !source->held || !source->promised)
                return err_set(note, ERR_NO_MEMORY, "a BAT of %u entries: out of memory",
                               head.layout.max_bat_entries);
        plan_blocks(source, &head.layout, bat);
        place_frames(source, &head.layout);
        source->head = mem_try((size_t)source->head_n, 1);
        if (!source->head)
                return err_set(note, ERR_NO_MEMORY, "a head of %" PRIu64 " bytes: out of memory",
                               source->head_n);
        vhd_head_encode(&head, bat, source->promised, source->head);
        vhd_footer_encode(&head.footer, &source->footer);
        return ERR_NONE;
}

enum err stream_source_new(struct chain *chain, const struct stream_source_options *options,
                           struct stream_source **ret, struct err_note *note) {
        AUTO(stream_source_free) struct stream_source *source = mem_new(struct stream_source);

        source->chain = chain;
        source->base = options->base;
        source->is_vhd = options->format == STREAM_VHD;
        source->has_whole_blocks = options->has_whole_blocks;
        source->disk_size = chain_size(chain);
        source->frame.index = FRAME_NONE;
        if (check_options(options, note))
                return note->code;
        if (source->is_vhd && plan_vhd(source, options, note))
                return note->code;
        if (!source->is_vhd)
                plan_raw(source);
        source->window = mem_aligned(PAGE, WINDOW);
        if (chain_batch_new(chain, &source->batch, note))
                return note->code;
        *ret = TAKE(source);
        return ERR_NONE;
}

void stream_source_free(struct stream_source *source) {
        if (source->batch)
                chain_batch_free(source->batch);
        free(source->window);
        free(source->head);
        free(source->held);
        free(source->promised);
        free(source);
}

uint64_t stream_source_length(const struct stream_source *source) {
        return source->length;
}

uint64_t stream_source_data(const struct stream_source *source) {
        return min_u64(source->n_held * IMAGE_BLOCK_SIZE, source->length);
}

uint64_t stream_source_at(const struct stream_source *source) {
        return source->at;
}

/* ---- one frame ------------------------------------------------------------------------------------------
 */

/* Sets the bits of the sectors that are held above base. */
static enum err held_sectors(struct stream_source *source, struct chain *base,
                             uint8_t bits[IMAGE_BITMAP_SIZE], struct err_note *note) {
        uint64_t first = source->frame.block * IMAGE_BLOCK_SIZE;
        uint64_t end = min_u64(first + IMAGE_BLOCK_SIZE, source->disk_size);
        struct extent extent;

        memset(bits, 0, IMAGE_BITMAP_SIZE);
        for (uint64_t at = first; at < end; at += extent.n) {
                if (chain_extent_at(source->chain, base, at, end - at, &extent, note))
                        return err_wrap(note, "look at %" PRIu64 " of the disk", at);
                if (extent.kind == EXTENT_DATA)
                        vhd_bitmap_set_range(bits, (uint32_t)((at - first) / SECTOR),
                                             (uint32_t)(extent.n / SECTOR));
        }
        return ERR_NONE;
}

static void show_all(struct stream_source *source) {
        uint64_t n = min_u64(IMAGE_BLOCK_SIZE, source->disk_size - source->frame.block * IMAGE_BLOCK_SIZE);

        memset(source->frame.shown, 0, IMAGE_BITMAP_SIZE);
        vhd_bitmap_set_range(source->frame.shown, 0, (uint32_t)(n / SECTOR));
}

static enum err load_bits(struct stream_source *source, struct err_note *note) {
        struct frame *frame = &source->frame;

        if (!source->is_vhd)
                return held_sectors(source, NULL, frame->read, note);
        if (source->has_whole_blocks) {
                show_all(source);
                return held_sectors(source, NULL, frame->read, note);
        }
        if (held_sectors(source, source->base, frame->read, note))
                return note->code;
        /* The batmap has been sent.  Bits that are gone since then mean zeros now: those are sent as such. */
        if (vhd_bitmap_test(source->promised, (uint32_t)frame->block))
                memset(frame->read, 0xff, sizeof frame->read);
        memcpy(frame->shown, frame->read, sizeof frame->shown);
        return ERR_NONE;
}

static uint64_t block_of_frame(const struct stream_source *source, uint64_t index) {
        uint32_t n_blocks = (uint32_t)div_up(source->disk_size, IMAGE_BLOCK_SIZE);
        bool is_ahead = source->frame.index != FRAME_NONE && source->frame.index < index;
        uint32_t block = is_ahead ? (uint32_t)source->frame.block + 1 : 0;
        uint64_t i = is_ahead ? source->frame.index + 1 : 0;

        for (;; i++, block++) {
                block = vhd_bitmap_next_set(source->held, block, n_blocks);
                if (i == index)
                        return block;
        }
}

/* Frames are looked at in their order, so the next one's block is found at once; but for those that are asked
 * for again after an error. */
static enum err look_at_frame(struct stream_source *source, uint64_t index, struct err_note *note) {
        struct frame *frame = &source->frame, before = *frame;

        if (frame->index == index)
                return ERR_NONE;
        frame->block = source->is_vhd ? block_of_frame(source, index) : index;
        frame->index = index;
        if (load_bits(source, note)) {
                *frame = before;
                return note->code;
        }
        return ERR_NONE;
}

/* ---- the window -------------------------------------------------------------------------------------------
 */

static uint64_t frame_of(const struct stream_source *source, uint64_t at) {
        return (at - source->frames_at) / source->frame_size;
}
static uint64_t in_frame(const struct stream_source *source, uint64_t at) {
        return (at - source->frames_at) % source->frame_size;
}

/* The run of sectors of one kind that begins at `at`, within the frame that was looked at: its bytes. */
static uint64_t run_at(const struct stream_source *source, uint64_t at, bool *ret_is_data) {
        uint32_t sector = (uint32_t)((in_frame(source, at) - source->frame_head) / SECTOR);
        uint32_t end = vhd_bitmap_next_run(source->frame.read, sector, IMAGE_BLOCK_SECTORS, ret_is_data);

        return min_u64((uint64_t)(end - sector) * SECTOR, source->frames_end - at);
}

static bool is_in_frames(const struct stream_source *source) {
        return source->at >= source->head_n && source->at < source->frames_end;
}
static bool is_in_window(const struct stream_source *source) {
        return source->at >= source->window_at && source->at < source->window_end;
}

/* Of long runs of zeros only: see HOLE_MIN. */
static enum err hole_at(struct stream_source *source, uint64_t *ret, struct err_note *note) {
        uint64_t at = round_down(source->at, SECTOR), n;
        bool is_data;

        *ret = 0;
        if (!is_in_frames(source) || is_in_window(source))
                return ERR_NONE;
        if (look_at_frame(source, frame_of(source, at), note))
                return note->code;
        if (in_frame(source, at) < source->frame_head)
                return ERR_NONE;
        n = run_at(source, at, &is_data) - (source->at - at);
        if (!is_data && n >= HOLE_MIN)
                *ret = n;
        return ERR_NONE;
}

/* The rest of a frame's first page. */
static void put_frame_head(struct stream_source *source, uint8_t *memory, uint64_t in) {
        uint64_t bitmap_in = FRAME_HEAD - IMAGE_BITMAP_SIZE;

        if (in < bitmap_in)
                memset(memory, 0, bitmap_in - in);
        memcpy(memory + (max_u64(in, bitmap_in) - in),
               source->frame.shown + (max_u64(in, bitmap_in) - bitmap_in),
               FRAME_HEAD - max_u64(in, bitmap_in));
}

/* What is put into the window from `at` on, up to end: its bytes; 0 where a hole begins. */
static uint64_t put_run(struct stream_source *source, uint64_t at, uint64_t end) {
        uint8_t *memory = source->window + (at - source->window_at);
        uint64_t in = in_frame(source, at), n;
        bool is_data;

        if (in < source->frame_head) {
                put_frame_head(source, memory, in);
                return source->frame_head - in;
        }
        n = run_at(source, at, &is_data);
        if (!is_data && n >= HOLE_MIN && at > source->at)
                return 0;
        n = min_u64(n, end - at);
        if (is_data)
                chain_batch_add(source->batch, memory, n,
                                source->frame.block * IMAGE_BLOCK_SIZE + (in - source->frame_head));
        else
                memset(memory, 0, n);
        return n;
}

static enum err fill_window(struct stream_source *source, struct err_note *note) {
        uint64_t at = round_down(source->at, SECTOR), n, end;

        free(TAKE(source->head));
        source->window_at = source->window_end = round_down(at, PAGE);
        end = min_u64(source->window_at + WINDOW, source->frames_end);
        for (; at < end; at += n) {
                if (look_at_frame(source, frame_of(source, at), note)) {
                        if (at > source->at)
                                break; /* what comes before it can be sent */
                        return note->code;
                }
                n = put_run(source, at, end);
                if (n == 0)
                        break;
        }
        if (chain_batch_read(source->batch, note))
                return note->code;
        source->window_end = at;
        return ERR_NONE;
}

/* ---- pulling ----------------------------------------------------------------------------------------------
 */

enum err stream_source_peek(struct stream_source *source, const void **ret, size_t *ret_n,
                            struct err_note *note) {
        uint64_t at = source->at, hole;

        *ret = zeros;
        *ret_n = 0;
        if (at >= source->length)
                return ERR_NONE;
        if (at < source->head_n) {
                *ret = source->head + at;
                *ret_n = source->head_n - at;
                return ERR_NONE;
        }
        if (at >= source->frames_end) {
                *ret = (const uint8_t *)&source->footer + (at - source->frames_end);
                *ret_n = source->length - at;
                return ERR_NONE;
        }
        if (hole_at(source, &hole, note))
                return note->code;
        if (hole > 0) {
                *ret_n = min_u64(hole, sizeof zeros);
                return ERR_NONE;
        }
        if (!is_in_window(source) && fill_window(source, note))
                return note->code;
        *ret = source->window + (at - source->window_at);
        *ret_n = source->window_end - at;
        return ERR_NONE;
}

void stream_source_skip(struct stream_source *source, uint64_t n) {
        assert(n <= source->length - source->at);
        source->at += n;
}

uint64_t stream_source_hole(struct stream_source *source) {
        struct err_note unused;
        uint64_t hole;

        return hole_at(source, &hole, &unused) ? 0 : hole; /* who pulls next is told */
}

enum err stream_source_pull(struct stream_source *source, void *ret, size_t n, size_t *ret_n,
                            struct err_note *note) {
        uint8_t *to = ret;
        size_t done = 0;

        while (done < n) {
                const void *data;
                size_t piece;

                if (stream_source_peek(source, &data, &piece, note)) {
                        if (done > 0)
                                break;
                        return note->code;
                }
                if (piece == 0)
                        break;
                piece = piece < n - done ? piece : n - done;
                memcpy(to + done, data, piece);
                stream_source_skip(source, piece);
                done += piece;
        }
        *ret_n = done;
        return ERR_NONE;
}
