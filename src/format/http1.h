// SPDX-License-Identifier: Apache-2.0
/* The head of an HTTP/1 request: from its first line to the empty one.  No I/O.
 *
 *      n = http1_head_length(bytes, &looked_at)        0: it is not whole yet
 *      http1_head_decode(head's bytes, &head, note)
 *      http1_header(&head, "user-agent"), http1_query(&head, "vdi"), http1_cookie(…) …
 *      http1_head_fini(&head)
 *
 * Where two readers could take a request for two different ones, it is refused: lines that end without CR,
 * folded lines, blanks before a colon, more than one Content-Length, or one beside a Transfer-Encoding, or
 * anything but digits in it.  A path is decoded, begins with "/", and has no "." or ".." for a part, no
 * control characters; only that of OPTIONS may be "*".  A Host may be missing: we are one host.
 *
 * Errors, each with its status: ERR_CORRUPT 400; ERR_UNSUPPORTED 501, a method or a coding that we do not
 * have; ERR_MISMATCH 505, another version; ERR_TOO_LARGE 431, more than HTTP1_FIELDS_MAX lines or too many
 * parameters.  Texts never quote what came.
 * Threads: any, once decoded; one meanwhile.  Ownership: a head has a copy of all; what it returns lives
 * until fini.
 */
#ifndef FORMAT_HTTP1_H
#define FORMAT_HTTP1_H

#include "http1_pairs.h"

enum { HTTP1_FIELDS_MAX = 100, HTTP1_BASIC_MAX = 512 };

enum http_method {
        HTTP_GET = 1,
        HTTP_HEAD = 2,
        HTTP_POST = 4,
        HTTP_PUT = 8,
        HTTP_DELETE = 16,
        HTTP_OPTIONS = 32,
};

struct http1_field {
        const char *name, *value; /* borrowed from the head's text; value without blanks around it */
};

struct http1_head {
        enum http_method method;
        unsigned minor;    /* of the version: 0 or 1 */
        char *path;        /* owned; decoded */
        const char *query; /* borrowed from text; as it came; "" where there is none */

        bool has_length, is_chunked; /* of the body; neither: there is none */
        uint64_t length;             /* where it has one */
        bool keeps_alive;            /* as far as the other side is concerned */
        bool expects_continue;

        char *text;                     /* owned */
        VEC(struct http1_field) fields; /* owned */
        struct http1_pairs queries, cookies;
};

/* With the empty line; 0: not yet.  *looked_at is 0 at first, and kept by the caller between calls with the
 * same bytes and more. */
size_t http1_head_length(struct span, size_t *looked_at);

MUST_USE enum err http1_head_decode(struct span, struct http1_head *ret, struct err_note *);
void http1_head_fini(struct http1_head *);
DEFINE_AUTO_IN_PLACE(struct http1_head, http1_head_fini);

const char *http_method_name(enum http_method); /* "GET" */

/* NULL: there is none.  Of several the first; names of headers in any case, the others as they are. */
const char *http1_header(const struct http1_head *, const char *name);
const char *http1_query(const struct http1_head *, const char *name);
const char *http1_cookie(const struct http1_head *, const char *name);
const char *http1_parameter(const struct http1_head *, const char *name); /* of the query, else the cookie */
/* Whether the value of such headers, a list with commas, has the word, in any case. */
bool http1_header_has(const struct http1_head *, const char *name, const char *word);

struct http1_basic {
        char user[HTTP1_BASIC_MAX], password[HTTP1_BASIC_MAX];
};
/* Authorization: Basic; false: there is none, or it is none. */
bool http1_basic(const struct http1_head *, struct http1_basic *ret);
/* Authorization: Bearer, what stands behind it; NULL: there is none. */
const char *http1_bearer(const struct http1_head *);

enum http1_range { HTTP1_RANGE_NONE, HTTP1_RANGE_ONE, HTTP1_RANGE_OUTSIDE /* 416 */ };
/* Of something of `size` bytes.  NONE, and all of it is meant, also where several are asked for, or one under
 * a condition: that is allowed. */
enum http1_range http1_range(const struct http1_head *, uint64_t size, uint64_t *ret_at, uint64_t *ret_n);

#endif
