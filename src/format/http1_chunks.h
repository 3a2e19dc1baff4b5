// SPDX-License-Identifier: Apache-2.0
/* A chunked body, as it comes: which bytes are frame and which are data.  No I/O, no memory.
 *
 *      http1_chunks_frame(&chunks, bytes, &n, note)    n bytes in front are frame: done with
 *      chunks.left                                     so many bytes of data come next
 *      http1_chunks_skip(&chunks, n)                   n of them, at most left, are done with
 *      chunks.is_whole                                 the last chunk, and what comes behind it, is done with
 *
 * Extensions are skipped, HTTP1_CHUNK_LINE_MAX bytes of a line at most; trailers too, HTTP1_TRAILERS_MAX in
 * all.
 *
 * Errors: ERR_CORRUPT, it is no chunk; ERR_TOO_LARGE, one of these bounds.  It stays wrong then.
 * Threads: its owner's.
 */
#ifndef FORMAT_HTTP1_CHUNKS_H
#define FORMAT_HTTP1_CHUNKS_H

#include <stdbool.h>

#include "bytes.h"
#include "err.h"

enum { HTTP1_CHUNK_LINE_MAX = 1024, HTTP1_TRAILERS_MAX = 8192, HTTP1_CHUNK_HEAD_MAX = 20 };

enum http1_chunk_state {
        HTTP1_CHUNK_SIZE,
        HTTP1_CHUNK_EXTENSION,
        HTTP1_CHUNK_SIZE_LF,
        HTTP1_CHUNK_DATA,
        HTTP1_CHUNK_DATA_CR,
        HTTP1_CHUNK_DATA_LF,
        HTTP1_CHUNK_TRAILER_FIRST, /* of a line: CR ends it all */
        HTTP1_CHUNK_TRAILER,
        HTTP1_CHUNK_TRAILER_LF,
        HTTP1_CHUNK_LAST_LF,
        HTTP1_CHUNK_WHOLE,
        HTTP1_CHUNK_WRONG,
};

/* Valid when zeroed. */
struct http1_chunks {
        enum http1_chunk_state state;
        uint64_t left; /* bytes of data that come next */
        bool is_whole;
        unsigned n_digits, n_line, n_trailers; /* bytes of the line, of all trailers */
};

MUST_USE enum err http1_chunks_frame(struct http1_chunks *, struct span, size_t *ret_n, struct err_note *);
void http1_chunks_skip(struct http1_chunks *, uint64_t n);

/* The frame of a chunk of n > 0 bytes that we send: in front of it; CR LF goes behind it. */
size_t http1_chunk_head(uint64_t n, char ret[HTTP1_CHUNK_HEAD_MAX]);
extern const char http1_chunks_end[]; /* "0" CR LF CR LF */

#endif
