// SPDX-License-Identifier: Apache-2.0
/* A body that is compressed while it goes out, for http_outflow: piece by piece, each a frame of its own
 * (pack.h), so that what was given back while the reader stood still is just made again.
 *
 *      squeeze = squeeze_new(&options)
 *      squeeze_read(squeeze, part, at, &data, &n, note)     `at` and n in bytes as they go out
 *      squeeze_length(squeeze)                              UINT64_MAX until the last piece was read
 *
 * Reads go on where the last one ended, or back by at most SQUEEZE_BACK pieces.  HTTP's chunks are made here
 * too, since they are part of what is sent again; so the answer has SQUEEZE_CHUNKED among its headers, and
 * HTTP_UNTIL_CLOSE.  Their end is not read with the last piece, but by itself.
 *
 * Errors: those of read and pack.h; ERR_MISMATCH: a piece was not read again as it was.
 * Threads: one at a time.  Memory: a part's more while it reads, nothing in between.
 */
#ifndef SERVE_SQUEEZE_H
#define SERVE_SQUEEZE_H

#include "pack.h"
#include "parts.h"

enum { SQUEEZE_BACK = 4 };
#define SQUEEZE_CHUNKED "Transfer-Encoding: chunked\r\n"

struct squeeze;

struct squeeze_options {
        enum pack_kind kind;
        bool is_chunked; /* else it ends when the connection does */
        uint64_t length; /* of the body before, not 0 */
        /* Bytes of it from `at` on, at least one; *ret lies in part's memory.  The same again for the same
         * `at`. */
        enum err (*read)(void *user, struct part *, uint64_t at, const uint8_t **ret, size_t *ret_n,
                         struct err_note *); /* borrowed */
        void *user;                          /* borrowed; handed to read */
};
struct squeeze *squeeze_new(const struct squeeze_options *);
void squeeze_free(struct squeeze *);
DEFINE_AUTO(struct squeeze *, squeeze_free);

MUST_USE enum err squeeze_read(struct squeeze *, struct part *, uint64_t at, const uint8_t **ret,
                               size_t *ret_n, struct err_note *);
uint64_t squeeze_length(const struct squeeze *);
uint64_t squeeze_taken(const struct squeeze *); /* bytes of the body before */

#endif
