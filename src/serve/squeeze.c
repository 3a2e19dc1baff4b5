// SPDX-License-Identifier: Apache-2.0
#include "squeeze.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "http1_chunks.h"
#include "mem.h"

enum {
        PIECE_MAX = 1051000, /* a part has room for its frame and the chunk around it */
        CRLF_SIZE = 2,
};
_Static_assert(PACK_ROOM(PIECE_MAX) + HTTP1_CHUNK_HEAD_MAX + CRLF_SIZE <= PART_SIZE, "it has");

struct piece {
        uint64_t at, from; /* where it begins: as it goes out, and before */
        size_t n, from_n;  /* n 0: there is none */
};

struct squeeze {
        struct squeeze_options options;
        struct piece pieces[SQUEEZE_BACK]; /* the last ones that were made, in any order */
        unsigned next_place;
        uint64_t next_at, next_from; /* where what was made ends */
};

struct squeeze *squeeze_new(const struct squeeze_options *options) {
        struct squeeze *squeeze = mem_new(struct squeeze);

        assert(options->length > 0);
        squeeze->options = *options;
        return squeeze;
}

void squeeze_free(struct squeeze *squeeze) {
        free(squeeze);
}

static size_t end_size(const struct squeeze *squeeze) {
        return squeeze->options.is_chunked ? strlen(http1_chunks_end) : 0;
}

uint64_t squeeze_length(const struct squeeze *squeeze) {
        if (squeeze->next_from < squeeze->options.length)
                return UINT64_MAX;
        return squeeze->next_at + end_size(squeeze);
}

uint64_t squeeze_taken(const struct squeeze *squeeze) {
        return squeeze->next_from;
}

static const struct piece *find(const struct squeeze *squeeze, uint64_t at) {
        for (unsigned i = 0; i < SQUEEZE_BACK; i++)
                if (at >= squeeze->pieces[i].at && at - squeeze->pieces[i].at < squeeze->pieces[i].n)
                        return &squeeze->pieces[i];
        return NULL;
}

/* The frame goes into memory, with a chunk around it. */
static size_t put(const struct squeeze *squeeze, uint8_t *memory, struct span frame) {
        size_t n = 0;

        if (squeeze->options.is_chunked)
                n = http1_chunk_head(frame.n, (char *)memory);
        memcpy(memory + n, frame.data, frame.n);
        n += frame.n;
        if (squeeze->options.is_chunked) {
                memcpy(memory + n, "\r\n", CRLF_SIZE);
                n += CRLF_SIZE;
        }
        return n;
}

/* Of ret, at and from are said. */
static enum err make(struct squeeze *squeeze, struct part *part, struct piece *ret, struct err_note *note) {
        const struct squeeze_options *options = &squeeze->options;
        AUTO_FREE uint8_t *frame = NULL;
        struct span data;
        size_t n;

        if (options->read(options->user, part, ret->from, &data.data, &data.n, note))
                return note->code;
        data.n = (size_t)min_u64(data.n, PIECE_MAX);
        frame = mem_try(PACK_ROOM(data.n), 1);
        if (!frame)
                return err_set(note, ERR_NO_MEMORY, "compress %zu bytes: out of memory", data.n);
        if (pack_frame(options->kind, data, frame, PACK_ROOM(data.n), &n, note))
                return note->code;
        ret->from_n = data.n;
        ret->n = put(squeeze, part->memory, (struct span){frame, n});
        return ERR_NONE;
}

static enum err make_again(struct squeeze *squeeze, struct part *part, const struct piece *piece,
                           struct err_note *note) {
        struct piece again = {.at = piece->at, .from = piece->from};

        if (make(squeeze, part, &again, note))
                return note->code;
        if (again.n != piece->n || again.from_n != piece->from_n)
                return err_set(note, ERR_MISMATCH, "byte %" PRIu64 " is another than it was", piece->from);
        return ERR_NONE;
}

static enum err make_next(struct squeeze *squeeze, struct part *part, const struct piece **ret,
                          struct err_note *note) {
        struct piece *place = &squeeze->pieces[squeeze->next_place];
        struct piece piece = {.at = squeeze->next_at, .from = squeeze->next_from};

        if (make(squeeze, part, &piece, note))
                return note->code;
        squeeze->next_place = (squeeze->next_place + 1) % SQUEEZE_BACK;
        squeeze->next_at += piece.n;
        squeeze->next_from += piece.from_n;
        *place = piece;
        *ret = place;
        return ERR_NONE;
}

enum err squeeze_read(struct squeeze *squeeze, struct part *part, uint64_t at, const uint8_t **ret,
                      size_t *ret_n, struct err_note *note) {
        const struct piece *piece = find(squeeze, at);

        if (at >= squeeze->next_at && squeeze->next_from == squeeze->options.length) {
                size_t in = (size_t)(at - squeeze->next_at);

                assert(in <= end_size(squeeze));
                *ret_n = end_size(squeeze) - in;
                memcpy(part->memory, http1_chunks_end + in, *ret_n);
                *ret = part->memory;
                return ERR_NONE;
        }
        assert(piece || at == squeeze->next_at);
        if (piece ? make_again(squeeze, part, piece, note) : make_next(squeeze, part, &piece, note))
                return note->code;
        *ret = part->memory + (at - piece->at);
        *ret_n = piece->n - (size_t)(at - piece->at);
        return ERR_NONE;
}
