// SPDX-License-Identifier: Apache-2.0
/* Chunks, as vhd-tool and xapi have them: heads of 12 bytes, each followed by so many bytes of the disk; a
 * head of zeros ends it.
 *
 *      0   u64, little endian   where on the disk
 *      8   u32, little endian   how many bytes */
#include <inttypes.h>

#include "stream_inside.h"

enum { HEAD_SIZE = 12 };

/* Chunks say nothing of the disk: the one that begin gives is written to, where they say. */
static enum err begin(struct stream_sink *sink, struct err_note *note) {
        sink->head.is_delta = true;
        sink->head.size = UINT64_MAX;
        return stream_sink_begin(sink, note);
}

static bool chunks_is_whole(const struct stream_sink *sink) {
        return sink->chunks.is_ended;
}

static enum err chunks_next(struct stream_sink *sink, uint64_t at, uint64_t *ret_skip, size_t *ret_n,
                            struct err_note *note) {
        const struct stream_chunks *chunks = &sink->chunks;

        (void)at;
        (void)ret_skip;
        if (!sink->target.chain && begin(sink, note))
                return note->code;
        if (chunks->left > 0)
                *ret_n = (size_t)min_u64(chunks->left, IMAGE_BLOCK_SIZE - chunks->at % IMAGE_BLOCK_SIZE);
        else if (!chunks->is_ended)
                *ret_n = HEAD_SIZE;
        return ERR_NONE;
}

static uint64_t le(const uint8_t *bytes, unsigned n) {
        uint64_t value = 0;

        while (n-- > 0)
                value = value << 8 | bytes[n];
        return value;
}

static enum err take_head(struct stream_sink *sink, uint64_t at, const uint8_t *head, struct err_note *note) {
        uint64_t offset = le(head, 8), n = le(head + 8, 4), size = chain_size(sink->target.chain);

        if (n > size || offset > size - n)
                return err_set(note, ERR_CORRUPT,
                               "the chunk at byte %" PRIu64 ": %" PRIu64 " bytes at %" PRIu64
                               " lie behind the disk's end at %" PRIu64,
                               at, n, offset, size);
        sink->chunks.at = offset;
        sink->chunks.left = n;
        sink->chunks.is_ended = offset == 0 && n == 0;
        return ERR_NONE;
}

static enum err chunks_take(struct stream_sink *sink, uint64_t at, const uint8_t *piece,
                            struct err_note *note) {
        struct stream_chunks *chunks = &sink->chunks;
        uint64_t n = min_u64(chunks->left, IMAGE_BLOCK_SIZE - chunks->at % IMAGE_BLOCK_SIZE), to = chunks->at;

        if (chunks->left == 0)
                return take_head(sink, at, piece, note);
        chunks->at += n;
        chunks->left -= n;
        return stream_target_put_at(&sink->target, to, piece, n, note);
}

static enum err chunks_end(struct stream_sink *sink, uint64_t at, const uint8_t *piece, size_t n,
                           uint64_t *ret_data_end, struct err_note *note) {
        (void)piece;
        if (!sink->chunks.is_ended)
                return stream_cut_short(at + n, UINT64_MAX, note);
        *ret_data_end = chain_size(sink->target.chain);
        return ERR_NONE;
}

const struct stream_reader_ops stream_chunks_ops = {
        .next = chunks_next, .take = chunks_take, .end = chunks_end, .is_whole = chunks_is_whole};
