// SPDX-License-Identifier: Apache-2.0
/* JSON from outside and to outside: read with a bound on its depth, and with no member twice; written into a
 * buf.
 *
 * Errors: ERR_CORRUPT, the text says what is wrong; ERR_UNSUPPORTED, what shall be written is not UTF-8.
 * Threads: any.
 */
#ifndef FORMAT_JSON_TEXT_H
#define FORMAT_JSON_TEXT_H

#include <jansson.h>

#include "buf.h"
#include "bytes.h"
#include "err.h"

enum { JSON_TEXT_DEPTH_MAX = 32 }; /* of objects and arrays within one another */

DEFINE_AUTO(json_t *, json_decref);

/* An object or array, and nothing after it. */
MUST_USE enum err json_text_decode(struct span, json_t **ret, struct err_note *);
/* Adds the text; flags are jansson's.  On failure, adds nothing. */
MUST_USE enum err json_text_encode(const json_t *, size_t flags, struct buf *ret, struct err_note *);

/* A string of any bytes: where they are not UTF-8, each above 127 is a question mark. */
json_t *json_text_string(const char *text);

#endif
