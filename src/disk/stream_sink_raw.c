// SPDX-License-Identifier: Apache-2.0
/* A raw stream, and what is left of a fixed VHD: data, then a footer. */
#include <inttypes.h>

#include "stream_inside.h"

static enum err begin(struct stream_sink *sink, struct err_note *note) {
        struct stream_raw *raw = &sink->raw;

        if (stream_sink_begin(sink, note))
                return note->code;
        if (raw->size == UINT64_MAX)
                raw->size = sink->head.size = chain_size(sink->target.chain);
        /* Disks are made in whole blocks; what is missing here is more than that. */
        if (!raw->has_footer && round_up(raw->size, IMAGE_BLOCK_SIZE) < chain_size(sink->target.chain))
                return err_set(note, ERR_CUT_SHORT, "the stream has %" PRIu64 " bytes, the disk %" PRIu64,
                               raw->size, chain_size(sink->target.chain));
        return ERR_NONE;
}

static bool raw_is_whole(const struct stream_sink *sink) {
        return sink->raw.is_ended;
}

static enum err raw_next(struct stream_sink *sink, uint64_t at, uint64_t *ret_skip, size_t *ret_n,
                         struct err_note *note) {
        struct stream_raw *raw = &sink->raw;

        (void)ret_skip;
        if (!sink->target.chain && begin(sink, note))
                return note->code;
        if (at < raw->size)
                *ret_n = (size_t)min_u64(IMAGE_BLOCK_SIZE, raw->size - at);
        else if (raw->has_footer && !raw->is_ended)
                *ret_n = VHD_FOOTER_SIZE;
        return ERR_NONE;
}

static enum err take_footer(struct stream_sink *sink, uint64_t at, const uint8_t *piece,
                            struct err_note *note) {
        struct vhd_footer footer;

        if (vhd_footer_decode((const struct vhd_footer_disk *)piece, &footer, note))
                return err_wrap(note, "the stream's last 512 bytes, at %" PRIu64, at);
        if (footer.type != VHD_FIXED || footer.size_bytes != sink->raw.size)
                return err_set(note, ERR_CORRUPT,
                               "no footer copy at byte 0, and the footer at byte %" PRIu64
                               " is of a %s disk of %" PRIu64
                               " bytes: not a VHD that can be read as a stream",
                               at, vhd_type_name(footer.type), footer.size_bytes);
        sink->head.uuid = footer.uuid;
        return ERR_NONE;
}

static enum err raw_take(struct stream_sink *sink, uint64_t at, const uint8_t *piece, struct err_note *note) {
        struct stream_raw *raw = &sink->raw;
        uint64_t n = min_u64(IMAGE_BLOCK_SIZE, raw->size - at);

        if (at >= raw->size) {
                if (take_footer(sink, at, piece, note))
                        return note->code;
                raw->is_ended = true;
                return ERR_NONE;
        }
        raw->is_ended = at + n == raw->size && !raw->has_footer;
        return stream_target_put(&sink->target, at / IMAGE_BLOCK_SIZE, NULL, piece, n, note);
}

static enum err raw_end(struct stream_sink *sink, uint64_t at, const uint8_t *piece, size_t n,
                        uint64_t *ret_data_end, struct err_note *note) {
        (void)piece;
        if (!sink->target.chain && begin(sink, note))
                return note->code;
        *ret_data_end = sink->raw.size;
        if (sink->raw.is_ended)
                return ERR_NONE;
        return stream_cut_short(at + n, sink->raw.size + (sink->raw.has_footer ? VHD_FOOTER_SIZE : 0), note);
}

const struct stream_reader_ops stream_raw_ops = {
        .next = raw_next,
        .take = raw_take,
        .end = raw_end,
        .is_whole = raw_is_whole,
};
