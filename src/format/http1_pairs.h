// SPDX-License-Identifier: Apache-2.0
/* Names and values in one text, taken apart and decoded once: a query (a=1&b=x%20y), a form, cookies (a=1;
 * b=2).
 *
 *      http1_pairs_add_query(&pairs, span, note)
 *      http1_pairs_get(&pairs, "vdi")                  the first of that name; NULL: none
 *
 * In a query "+" is a space, and what stands without "=" has the value "".  No name or value has a zero byte.
 * Cookies that are not percent-encoded well are taken as they are: that is no promise of theirs.
 *
 * Errors: ERR_CORRUPT, a "%" without two digits, a zero byte; ERR_TOO_LARGE, more than HTTP1_PAIRS_MAX.
 * Threads: its owner's.  Ownership: a pairs owns its text; what get returns lives until fini.
 */
#ifndef FORMAT_HTTP1_PAIRS_H
#define FORMAT_HTTP1_PAIRS_H

#include <stdbool.h>

#include "bytes.h"
#include "err.h"
#include "vec.h"

enum { HTTP1_PAIRS_MAX = 256 };

struct http1_pair {
        char *name, *value; /* owned; value is in name's memory */
};

/* Valid when zeroed. */
struct http1_pairs {
        VEC(struct http1_pair) list; /* owned */
};

void http1_pairs_fini(struct http1_pairs *);
DEFINE_AUTO_IN_PLACE(struct http1_pairs, http1_pairs_fini);

MUST_USE enum err http1_pairs_add_query(struct http1_pairs *, struct span, struct err_note *);
MUST_USE enum err http1_pairs_add_cookies(struct http1_pairs *, struct span, struct err_note *);
const char *http1_pairs_get(const struct http1_pairs *, const char *name);

/* Decodes into ret, which has room for n + 1 bytes; *ret_n is without the zero byte that ends it. */
MUST_USE enum err http1_unescape(struct span, bool plus_is_space, char *ret, size_t *ret_n,
                                 struct err_note *);

#endif
