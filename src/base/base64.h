// SPDX-License-Identifier: Apache-2.0
/* Base64 (RFC 4648, section 4): with padding, without line breaks.
 *
 * Errors: decoding says whether the text was base64, whole and in its only form; else it adds nothing.
 * Threads: any.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>

#include "buf.h"
#include "bytes.h"

void base64_encode(struct span, struct buf *);               /* adds the text */
MUST_USE bool base64_decode(struct span text, struct buf *); /* adds the bytes */

#endif
