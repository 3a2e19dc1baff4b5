// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>

#include "mem.h"
#include "stream_inside.h"

static const struct stream_reader_ops *ops_of(enum stream_format format) {
        switch (format) {
        case STREAM_RAW:
                return &stream_raw_ops;
        case STREAM_VHD:
                return &stream_vhd_ops;
        case STREAM_CHUNKS:
                return &stream_chunks_ops;
        }
        return NULL;
}

enum err stream_sink_new(enum stream_format format, uint64_t total, stream_begin begin, void *user,
                         struct stream_sink **ret, struct err_note *note) {
        struct stream_sink *sink = mem_new(struct stream_sink);

        (void)note;
        sink->ops = ops_of(format);
        sink->total = total;
        sink->begin = begin;
        sink->user = user;
        sink->gathered = mem_aligned(4096, STREAM_PIECE_MAX);
        sink->raw.size = total;
        sink->head.size = total > UINT64_MAX - SECTOR ? UINT64_MAX : round_up(total, SECTOR);
        *ret = sink;
        return ERR_NONE;
}

void stream_sink_free(struct stream_sink *sink) {
        vec_fini(&sink->vhd.blocks);
        free(sink->gathered);
        free(sink);
}

uint64_t stream_sink_taken(const struct stream_sink *sink) {
        return sink->taken;
}

const struct stream_head *stream_sink_head(const struct stream_sink *sink) {
        return &sink->head;
}

bool stream_sink_is_whole(const struct stream_sink *sink) {
        return !sink->failure.code && sink->ops->is_whole(sink);
}

enum err stream_cut_short(uint64_t at, uint64_t of, struct err_note *note) {
        if (of == UINT64_MAX)
                return err_set(note, ERR_CUT_SHORT, "the stream ends at byte %" PRIu64 ", before it is whole",
                               at);
        return err_set(note, ERR_CUT_SHORT, "the stream ends at byte %" PRIu64 " of %" PRIu64, at, of);
}

enum err stream_sink_begin(struct stream_sink *sink, struct err_note *note) {
        uint64_t size = sink->head.size;
        struct chain *chain = NULL;

        if (sink->begin(sink->user, &sink->head, &chain, note))
                return note->code;
        if (size != UINT64_MAX && size > chain_size(chain))
                return err_set(note, ERR_INVALID,
                               "the stream's disk has %" PRIu64 " bytes, that to write to %" PRIu64, size,
                               chain_size(chain));
        sink->target = (struct stream_target){chain, sink->head.is_delta};
        return ERR_NONE;
}

/* ---- feeding ---- */

static enum err remember(struct stream_sink *sink, enum err e, const struct err_note *note) {
        if (e)
                sink->failure = *note;
        return e;
}

static enum err failed_before(const struct stream_sink *sink, struct err_note *note) {
        if (sink->failure.code)
                *note = sink->failure;
        return sink->failure.code;
}

/* A piece that lies in one is not copied.  *used: bytes of data that are no longer needed. */
static enum err take_some(struct stream_sink *sink, const uint8_t *data, size_t n, size_t *used,
                          struct err_note *note) {
        uint64_t at = sink->taken - sink->n_gathered, skip = 0;
        const uint8_t *piece = data;
        size_t want = 0, part;

        if (sink->ops->next(sink, at, &skip, &want, note))
                return note->code;
        if (skip > 0) {
                *used = (size_t)min_u64(skip, n);
                return ERR_NONE;
        }
        if (want == 0) {
                if (sink->total == UINT64_MAX)
                        return err_set(note, ERR_CORRUPT,
                                       "the stream goes on behind its end at byte %" PRIu64, at);
                *used = n;
                return ERR_NONE;
        }
        part = n < want - sink->n_gathered ? n : want - sink->n_gathered;
        *used = part;
        if (part < want) {
                memcpy(sink->gathered + sink->n_gathered, data, part);
                piece = sink->gathered;
        }
        if (sink->n_gathered + part < want) {
                sink->n_gathered += part;
                return ERR_NONE;
        }
        sink->n_gathered = 0;
        return sink->ops->take(sink, at, piece, note);
}

static enum err push(struct stream_sink *sink, const uint8_t *data, size_t n, struct err_note *note) {
        if (n > sink->total - sink->taken)
                return err_set(note, ERR_CORRUPT, "the stream goes on behind its end at byte %" PRIu64,
                               sink->total);
        while (n > 0) {
                size_t used = 0;
                enum err e = take_some(sink, data, n, &used, note);

                sink->taken += used;
                if (e)
                        return e;
                data += used;
                n -= used;
        }
        return ERR_NONE;
}

enum err stream_sink_push(struct stream_sink *sink, const void *data, size_t n, struct err_note *note) {
        if (failed_before(sink, note))
                return note->code;
        return remember(sink, push(sink, data, n, note), note);
}

static enum err end(struct stream_sink *sink, struct err_note *note) {
        uint64_t data_end = 0;

        if (sink->ops->end(sink, sink->taken - sink->n_gathered, sink->gathered, sink->n_gathered, &data_end,
                           note) ||
            stream_target_pass(&sink->target, chain_size(sink->target.chain) - data_end, data_end, note))
                return note->code;
        return chain_flush(sink->target.chain, note);
}

enum err stream_sink_end(struct stream_sink *sink, struct err_note *note) {
        if (failed_before(sink, note))
                return note->code;
        if (sink->has_ended)
                return ERR_NONE;
        sink->has_ended = true;
        return remember(sink, end(sink, note), note);
}
