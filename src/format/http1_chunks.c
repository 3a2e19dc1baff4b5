// SPDX-License-Identifier: Apache-2.0
#include "http1_chunks.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "hex.h"

enum { DIGITS_MAX = 16 };

const char http1_chunks_end[] = "0\r\n\r\n";

static enum err wrong(struct http1_chunks *chunks, struct err_note *note) {
        chunks->state = HTTP1_CHUNK_WRONG;
        return err_set(note, ERR_CORRUPT, "the body: what comes is no chunk");
}

static enum err too_large(struct http1_chunks *chunks, struct err_note *note) {
        chunks->state = HTTP1_CHUNK_WRONG;
        return err_set(note, ERR_TOO_LARGE,
                       "the body: a chunk's line, or what comes behind all, is too long");
}

static bool is_text(uint8_t c) {
        return c == '\t' || (c >= ' ' && c != 0x7f);
}

static bool take_size(struct http1_chunks *chunks, uint8_t c) {
        int digit = hex_digit((char)c);

        if (digit >= 0) {
                if (chunks->n_digits++ == DIGITS_MAX)
                        return false;
                chunks->left = chunks->left << 4 | (unsigned)digit;
                return true;
        }
        if (chunks->n_digits == 0)
                return false;
        chunks->state = c == '\r' ? HTTP1_CHUNK_SIZE_LF : HTTP1_CHUNK_EXTENSION;
        return c == '\r' || c == ';' || c == ' ' || c == '\t';
}

static bool take_text(struct http1_chunks *chunks, uint8_t c, enum http1_chunk_state after) {
        if (c == '\r')
                chunks->state = after;
        return c == '\r' || is_text(c);
}

static void begin_size(struct http1_chunks *chunks) {
        chunks->state = HTTP1_CHUNK_SIZE;
        chunks->n_digits = 0;
        chunks->left = 0;
}

/* One byte of frame; false: it may not come here. */
static bool take(struct http1_chunks *chunks, uint8_t c) {
        switch (chunks->state) {
        case HTTP1_CHUNK_SIZE:
                return take_size(chunks, c);
        case HTTP1_CHUNK_EXTENSION:
                return take_text(chunks, c, HTTP1_CHUNK_SIZE_LF);
        case HTTP1_CHUNK_SIZE_LF:
                chunks->state = chunks->left > 0 ? HTTP1_CHUNK_DATA : HTTP1_CHUNK_TRAILER_FIRST;
                chunks->n_line = 0;
                return c == '\n';
        case HTTP1_CHUNK_DATA_CR:
                chunks->state = HTTP1_CHUNK_DATA_LF;
                return c == '\r';
        case HTTP1_CHUNK_DATA_LF:
                begin_size(chunks);
                return c == '\n';
        case HTTP1_CHUNK_TRAILER_FIRST:
                chunks->state = c == '\r' ? HTTP1_CHUNK_LAST_LF : HTTP1_CHUNK_TRAILER;
                return c == '\r' || is_text(c);
        case HTTP1_CHUNK_TRAILER:
                return take_text(chunks, c, HTTP1_CHUNK_TRAILER_LF);
        case HTTP1_CHUNK_TRAILER_LF:
                chunks->state = HTTP1_CHUNK_TRAILER_FIRST;
                return c == '\n';
        case HTTP1_CHUNK_LAST_LF:
                chunks->state = HTTP1_CHUNK_WHOLE;
                return c == '\n';
        case HTTP1_CHUNK_DATA:
        case HTTP1_CHUNK_WHOLE:
        case HTTP1_CHUNK_WRONG:
                break;
        }
        return false;
}

static bool is_frame(const struct http1_chunks *chunks) {
        return chunks->state != HTTP1_CHUNK_DATA && chunks->state != HTTP1_CHUNK_WHOLE;
}

static bool is_trailer(const struct http1_chunks *chunks) {
        return chunks->state >= HTTP1_CHUNK_TRAILER_FIRST && chunks->state <= HTTP1_CHUNK_LAST_LF;
}

enum err http1_chunks_frame(struct http1_chunks *chunks, struct span in, size_t *ret_n,
                            struct err_note *note) {
        size_t i = 0;

        for (; i < in.n && is_frame(chunks); i++) {
                if (is_trailer(chunks) ? chunks->n_trailers++ == HTTP1_TRAILERS_MAX
                                       : chunks->n_line++ == HTTP1_CHUNK_LINE_MAX)
                        return too_large(chunks, note);
                if (!take(chunks, in.data[i]))
                        return wrong(chunks, note);
        }
        if (chunks->state == HTTP1_CHUNK_WRONG)
                return wrong(chunks, note);
        chunks->is_whole = chunks->state == HTTP1_CHUNK_WHOLE;
        *ret_n = i;
        return ERR_NONE;
}

void http1_chunks_skip(struct http1_chunks *chunks, uint64_t n) {
        assert(n == 0 || (chunks->state == HTTP1_CHUNK_DATA && n <= chunks->left));
        chunks->left -= n;
        if (chunks->state == HTTP1_CHUNK_DATA && chunks->left == 0)
                chunks->state = HTTP1_CHUNK_DATA_CR;
}

size_t http1_chunk_head(uint64_t n, char ret[HTTP1_CHUNK_HEAD_MAX]) {
        return (size_t)snprintf(ret, HTTP1_CHUNK_HEAD_MAX, "%" PRIx64 "\r\n", n);
}
