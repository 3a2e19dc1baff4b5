// SPDX-License-Identifier: Apache-2.0
/* A VHD from front to back: footer copy, header, BAT, the batmap's header (data may be encrypted), then
 * blocks by their place, then the footer.  What lies between is passed over. */
#include <inttypes.h>

#include "stream_inside.h"
#include "vhd_bitmap.h"

enum { BAT_PIECE = 64 * 1024 };

static uint64_t block_at(uint64_t key) {
        return (key >> 32) * VHD_SECTOR;
}
static uint32_t block_of(uint64_t key) {
        return (uint32_t)key;
}

/* A total that no VHD can have says only that the length is not known. */
static bool is_total_known(const struct stream_sink *sink) {
        return sink->total <= 2 * VHD_MAX_SIZE;
}

/* ---- the head ---------------------------------------------------------------------------------------------
 */

/* No footer in front: a fixed VHD, whose data begins here.  If it is none, the end will tell. */
static enum err become_fixed(struct stream_sink *sink, const uint8_t *piece, struct err_note *note) {
        struct err_note why = *note;

        if (!is_total_known(sink) || sink->total < VHD_FOOTER_SIZE + VHD_MIN_SIZE ||
            !is_multiple(sink->total, VHD_SECTOR) || sink->total - VHD_FOOTER_SIZE > VHD_MAX_SIZE)
                return err_set(
                        note, why.code,
                        "not a VHD: at byte 0 of the stream: %s (a fixed one can be taken only where the "
                        "stream's length is known)",
                        why.text);
        sink->ops = &stream_raw_ops;
        sink->raw = (struct stream_raw){.size = sink->total - VHD_FOOTER_SIZE, .has_footer = true};
        sink->head = (struct stream_head){.size = sink->raw.size};
        /* Its first sector goes the way that the others will. */
        memmove(sink->gathered, piece, VHD_FOOTER_SIZE);
        sink->n_gathered = VHD_FOOTER_SIZE;
        return ERR_NONE;
}

static enum err take_copy(struct stream_sink *sink, const uint8_t *piece, struct err_note *note) {
        struct stream_vhd *vhd = &sink->vhd;
        enum err e = vhd_footer_decode((const struct vhd_footer_disk *)piece, &vhd->footer, note);

        if (!e && vhd->footer.type == VHD_FIXED)
                e = err_set(note, ERR_CORRUPT, "a footer of a fixed disk");
        if (e)
                return become_fixed(sink, piece, note);
        if (vhd->footer.is_poisoned)
                return err_set(note, ERR_CORRUPT,
                               "at byte 0 of the stream: a footer that an interrupted resize disabled");
        sink->head = (struct stream_head){
                .size = vhd->footer.size_bytes,
                .uuid = vhd->footer.uuid,
                .is_delta = vhd->footer.type == VHD_DIFFERENCING,
        };
        vhd->n_blocks = vhd_blocks_of(vhd->footer.size_bytes);
        vhd->step = STREAM_VHD_HEADER;
        return ERR_NONE;
}

static enum err take_header(struct stream_sink *sink, uint64_t at, const uint8_t *piece,
                            struct err_note *note) {
        struct stream_vhd *vhd = &sink->vhd;

        if (vhd_header_decode((const struct vhd_header_disk *)piece, &vhd->header, note) ||
            vhd_header_check_size(&vhd->header, vhd->footer.size_bytes, note))
                return err_wrap(note, "the VHD's header, at byte %" PRIu64 " of the stream", at);
        if (sink->head.is_delta)
                sink->head.parent_uuid = vhd->header.parent_uuid;
        vhd->step = STREAM_VHD_BAT;
        return ERR_NONE;
}

static int compare(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

static uint32_t bat_piece(const struct stream_vhd *vhd) {
        return (uint32_t)min_u64(vhd->n_blocks - vhd->n_bat, BAT_PIECE / sizeof(be32));
}

static void take_bat(struct stream_vhd *vhd, const be32 *entries) {
        uint32_t n = bat_piece(vhd);

        for (uint32_t i = 0; i < n; i++) {
                uint32_t sector = vhd_bat_get(entries, i);

                if (sector != VHD_BAT_UNUSED)
                        *vec_add(&vhd->blocks) = (uint64_t)sector << 32 | (vhd->n_bat + i);
        }
        vhd->n_bat += n;
        if (vhd->n_bat < vhd->n_blocks)
                return;
        if (vhd->blocks.n)
                qsort(vhd->blocks.data, vhd->blocks.n, sizeof *vhd->blocks.data, compare);
        vhd->step = STREAM_VHD_BATMAP;
}

static void take_batmap(struct stream_vhd *vhd, const uint8_t *piece) {
        struct err_note unused;

        /* A damaged one is no batmap: it is but a hint. */
        vhd->has_batmap = !vhd_batmap_decode((const struct vhd_batmap_disk *)piece, &vhd->batmap, &unused) &&
                          !vhd_batmap_check_size(&vhd->batmap, vhd->footer.size_bytes, &unused);
}

/* Blocks lie behind `at`, in nothing's way and not upon each other. */
static enum err check_blocks(const struct stream_vhd *vhd, const struct vhd_reserved *reserved, uint64_t at,
                             struct err_note *note) {
        for (size_t i = 0; i < vhd->blocks.n; i++) {
                uint64_t key = vhd->blocks.data[i], before = i > 0 ? vhd->blocks.data[i - 1] : 0;
                uint32_t block = block_of(key);

                if (vhd_bat_check_entry(block, (uint32_t)(key >> 32), reserved, UINT64_MAX, note))
                        return err_wrap(note, "byte %" PRIu64 " of the stream", block_at(key));
                if (i > 0 && block_at(key) < vhd_block_end((uint32_t)(before >> 32)))
                        return err_set(note, ERR_CORRUPT,
                                       "blocks %u and %u lie upon each other at byte %" PRIu64
                                       " of the stream",
                                       block_of(before), block, block_at(key));
                if (block_at(key) < at)
                        return err_set(note, ERR_UNSUPPORTED,
                                       "block %u, at byte %" PRIu64
                                       ", lies before the end of the BAT, %" PRIu64
                                       ": such a VHD cannot be read as a stream",
                                       block, block_at(key), at);
        }
        return ERR_NONE;
}

/* All that comes before the blocks is there. */
static enum err finish_head(struct stream_sink *sink, uint64_t at, struct err_note *note) {
        struct stream_vhd *vhd = &sink->vhd;
        struct vhd_reserved reserved;

        if (vhd_reserved_of(&vhd->footer, &vhd->header, vhd->has_batmap, vhd->batmap.map_offset,
                            vhd->batmap.map_size_bytes, &reserved, note) ||
            (vhd->has_batmap && vhd_batmap_check_plain(&vhd->batmap, note)) ||
            check_blocks(vhd, &reserved, at, note))
                return err_wrap(note, "a VHD that cannot be taken");
        vhd->end = round_up(reserved.end, VHD_SECTOR);
        if (vhd->blocks.n)
                vhd->end = max_u64(vhd->end,
                                   vhd_block_end((uint32_t)(vhd->blocks.data[vhd->blocks.n - 1] >> 32)));
        if (vhd->end > 2 * VHD_MAX_SIZE)
                return err_set(note, ERR_CORRUPT, "the VHD's metadata goes up to byte %" PRIu64, vhd->end);
        if (vhd->end + VHD_FOOTER_SIZE_OLD > sink->total)
                return stream_cut_short(sink->total, vhd->end + VHD_FOOTER_SIZE, note);
        vhd->step = STREAM_VHD_BLOCKS;
        return stream_sink_begin(sink, note);
}

/* ---- blocks and end ---- */

static enum err take_block(struct stream_sink *sink, const uint8_t *piece, struct err_note *note) {
        struct stream_vhd *vhd = &sink->vhd;
        uint32_t block = block_of(vhd->blocks.data[vhd->n_taken++]);
        uint64_t n = min_u64(VHD_BLOCK_SIZE, vhd->footer.size_bytes - block * VHD_BLOCK_SIZE);

        return stream_target_put(&sink->target, block, piece, piece + VHD_BITMAP_SIZE, n, note);
}

/* "the same" as the copy in front, but for what may differ after a crash between the two. */
static enum err check_footer(const struct stream_vhd *vhd, struct span data, struct err_note *note) {
        struct vhd_footer footer;

        if (vhd_footer_decode_span(data, &footer, note))
                return note->code;
        if (footer.type != vhd->footer.type || footer.size_bytes != vhd->footer.size_bytes ||
            !uuid_equal(&footer.uuid, &vhd->footer.uuid) || footer.data_offset != vhd->footer.data_offset)
                return err_set(note, ERR_CORRUPT, "it is the footer of another VHD than the copy in front");
        return ERR_NONE;
}

/* At the place where it should be, or somewhere behind it: then only the last one counts, see vhd_end. */
static enum err take_footer(struct stream_sink *sink, uint64_t at, const uint8_t *piece,
                            struct err_note *note) {
        struct stream_vhd *vhd = &sink->vhd;

        memcpy(&vhd->last, piece, sizeof vhd->last);
        if (vhd->n_after++ > 0)
                return ERR_NONE;
        if (!check_footer(vhd, (struct span){piece, VHD_FOOTER_SIZE}, note))
                vhd->step = STREAM_VHD_ENDED;
        else if (!is_total_known(sink) && sink->total != UINT64_MAX)
                return err_wrap(note, "the VHD's end, at byte %" PRIu64 " of the stream", at);
        return ERR_NONE;
}

/* What the stream lacks of a disk that is whole. */
static enum err pass_absent(struct stream_sink *sink, struct err_note *note) {
        const struct stream_vhd *vhd = &sink->vhd;
        uint64_t n_words = div_up(vhd->n_blocks, 64), size = vhd->footer.size_bytes;
        AUTO_FREE uint8_t *present = mem_try((size_t)n_words, 8);
        uint32_t end;
        bool is_present;

        if (sink->target.is_delta)
                return ERR_NONE;
        if (!present)
                return err_set(note, ERR_NO_MEMORY, "a map of %u blocks: out of memory", vhd->n_blocks);
        VEC_EACH (&vhd->blocks, key)
                vhd_bitmap_set(present, block_of(*key));
        for (uint32_t block = 0; block < vhd->n_blocks; block = end) {
                uint64_t at = block * VHD_BLOCK_SIZE;

                end = vhd_bitmap_next_run(present, block, vhd->n_blocks, &is_present);
                if (!is_present &&
                    stream_target_pass(&sink->target, min_u64(size, end * VHD_BLOCK_SIZE) - at, at, note))
                        return note->code;
        }
        return ERR_NONE;
}

/* ---- the reader ---- */

/* Up to `to`, which must not lie behind us. */
static enum err go_to(uint64_t at, uint64_t to, const char *what, uint64_t *ret_skip, struct err_note *note) {
        if (to < at)
                return err_set(note, ERR_UNSUPPORTED,
                               "the VHD's %s is at byte %" PRIu64
                               ", before what belongs in front of it (at byte %" PRIu64
                               "): it cannot be read as a stream",
                               what, to, at);
        *ret_skip = to - at;
        return ERR_NONE;
}

/* Whether there is room for a batmap before the first block, and a reason to look for one. */
static bool may_have_batmap(const struct stream_vhd *vhd, uint64_t at) {
        uint64_t batmap_at = vhd_batmap_header_at(&vhd->header);

        return vhd_batmap_presence(&vhd->footer) != VHD_BATMAP_NO && batmap_at >= at &&
               (vhd->blocks.n == 0 || block_at(vhd->blocks.data[0]) >= batmap_at + VHD_BATMAP_HEADER_SIZE);
}

static enum err next_block(struct stream_vhd *vhd, uint64_t at, uint64_t *ret_skip, size_t *ret_n,
                           struct err_note *note) {
        uint64_t to = vhd->n_taken < vhd->blocks.n ? block_at(vhd->blocks.data[vhd->n_taken]) : vhd->end;

        if (vhd->n_taken == vhd->blocks.n && at >= to) {
                vhd->step = STREAM_VHD_FOOTER;
                *ret_n = VHD_FOOTER_SIZE;
                return ERR_NONE;
        }
        *ret_n = VHD_BITMAP_SIZE + VHD_BLOCK_SIZE;
        return go_to(at, to, "next block", ret_skip, note);
}

static enum err vhd_next(struct stream_sink *sink, uint64_t at, uint64_t *ret_skip, size_t *ret_n,
                         struct err_note *note) {
        struct stream_vhd *vhd = &sink->vhd;

        switch (vhd->step) {
        case STREAM_VHD_COPY:
                *ret_n = VHD_FOOTER_SIZE;
                return ERR_NONE;
        case STREAM_VHD_HEADER:
                *ret_n = VHD_HEADER_SIZE;
                return go_to(at, vhd->footer.data_offset, "header", ret_skip, note);
        case STREAM_VHD_BAT:
                *ret_n = bat_piece(vhd) * sizeof(be32);
                return go_to(at, vhd->header.table_offset + vhd->n_bat * sizeof(be32), "BAT", ret_skip, note);
        case STREAM_VHD_BATMAP:
                *ret_n = VHD_BATMAP_HEADER_SIZE;
                if (may_have_batmap(vhd, at))
                        return go_to(at, vhd_batmap_header_at(&vhd->header), "batmap", ret_skip, note);
                if (finish_head(sink, at, note))
                        return note->code;
                return next_block(vhd, at, ret_skip, ret_n, note);
        case STREAM_VHD_BLOCKS:
                return next_block(vhd, at, ret_skip, ret_n, note);
        case STREAM_VHD_FOOTER:
                *ret_n = VHD_FOOTER_SIZE;
                return ERR_NONE;
        case STREAM_VHD_ENDED:
                return ERR_NONE;
        }
        return ERR_NONE;
}

static enum err vhd_take(struct stream_sink *sink, uint64_t at, const uint8_t *piece, struct err_note *note) {
        struct stream_vhd *vhd = &sink->vhd;

        switch (vhd->step) {
        case STREAM_VHD_COPY:
                return take_copy(sink, piece, note);
        case STREAM_VHD_HEADER:
                return take_header(sink, at, piece, note);
        case STREAM_VHD_BAT:
                take_bat(vhd, (const be32 *)piece);
                return ERR_NONE;
        case STREAM_VHD_BATMAP:
                take_batmap(vhd, piece);
                return finish_head(sink, at + VHD_BATMAP_HEADER_SIZE, note);
        case STREAM_VHD_BLOCKS:
                return take_block(sink, piece, note);
        case STREAM_VHD_FOOTER:
                return take_footer(sink, at, piece, note);
        case STREAM_VHD_ENDED:
                break;
        }
        return ERR_NONE;
}

/* Where the stream should have ended, as far as that is known. */
static uint64_t expected_length(const struct stream_sink *sink) {
        if (is_total_known(sink))
                return sink->total;
        return sink->vhd.step < STREAM_VHD_BLOCKS ? UINT64_MAX : sink->vhd.end + VHD_FOOTER_SIZE;
}

static enum err vhd_end(struct stream_sink *sink, uint64_t at, const uint8_t *piece, size_t n,
                        uint64_t *ret_data_end, struct err_note *note) {
        struct stream_vhd *vhd = &sink->vhd;
        bool is_old = n == VHD_FOOTER_SIZE_OLD; /* of an old Virtual PC */
        struct span footer = {(const uint8_t *)&vhd->last, VHD_FOOTER_SIZE};

        *ret_data_end = vhd->footer.size_bytes;
        if (vhd->step == STREAM_VHD_ENDED)
                return pass_absent(sink, note);
        if (is_old)
                footer = (struct span){piece, n};
        if (vhd->step != STREAM_VHD_FOOTER || (n > 0 && !is_old) || (vhd->n_after == 0 && !is_old) ||
            (is_total_known(sink) && at + n < sink->total))
                return stream_cut_short(at + n, expected_length(sink), note);
        if (check_footer(vhd, footer, note))
                return err_wrap(note, "the VHD's end, at byte %" PRIu64 " of the stream", at + n - footer.n);
        return pass_absent(sink, note);
}

static bool vhd_is_whole(const struct stream_sink *sink) {
        return sink->vhd.step == STREAM_VHD_ENDED;
}

const struct stream_reader_ops stream_vhd_ops = {
        .next = vhd_next,
        .take = vhd_take,
        .end = vhd_end,
        .is_whole = vhd_is_whole,
};
