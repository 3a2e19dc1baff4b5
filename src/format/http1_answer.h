// SPDX-License-Identifier: Apache-2.0
/* The head of an answer, written.  No I/O.
 *
 *      http1_put_field(&headers, "Location", where, note)      one line of `headers`
 *      http1_put_answer(&answer, &bytes, note)
 *
 * What is put in cannot end a line and begin another: a CR, LF or zero byte in a value is refused.
 *
 * Errors: ERR_INVALID, and nothing was added.  Threads: any.
 */
#ifndef FORMAT_HTTP1_ANSWER_H
#define FORMAT_HTTP1_ANSWER_H

#include <stdbool.h>

#include "buf.h"
#include "err.h"

struct http1_answer {
        unsigned status;     /* 100 to 599 */
        int64_t now_s;       /* unix time, for Date; 0: no Date */
        const char *type;    /* borrowed; Content-Type; NULL: none */
        const char *headers; /* borrowed; lines, each ended by CR LF; NULL: none */
        bool has_length, is_chunked;
        uint64_t length;
        const char *connection; /* borrowed; "close", "keep-alive"; NULL: none */
};

MUST_USE enum err http1_put_answer(const struct http1_answer *, struct buf *, struct err_note *);
MUST_USE enum err http1_put_field(struct buf *, const char *name, const char *value, struct err_note *);
/* The same of a value of our own making, which ends no line: where it does, it is left empty. */
void http1_put_own_field(struct buf *, const char *name, const char *value);

const char *http1_reason(unsigned status); /* "Not Found"; "" where it has none */
bool http1_has_no_body(unsigned status);   /* 1xx, 204, 304 */

struct http1_date {
        char s[32];
};
struct http1_date http1_date(int64_t unix_seconds); /* "Sun, 06 Nov 1994 08:49:37 GMT" */

#endif
