// SPDX-License-Identifier: Apache-2.0
/* Strict UTF-8 to and from UTF-16 in bytes, big- or little-endian: over-long forms, lone surrogates, code
 * points past 0x10FFFF and embedded zeros are refused, so each text has one form on either side.
 *
 * Errors: ERR_CORRUPT for bytes that are no text (the offset is named).  Threads: any.
 */
#ifndef FORMAT_UTF16_H
#define FORMAT_UTF16_H

#include "buf.h"
#include "bytes.h"
#include "err.h"

enum utf16_order { UTF16_BIG, UTF16_LITTLE };

/* Appends to ret; after an error ret holds what came before. */
MUST_USE enum err utf16_from_utf8(struct span utf8, enum utf16_order, struct buf *ret, struct err_note *);
MUST_USE enum err utf16_to_utf8(struct span utf16, enum utf16_order, struct buf *ret, struct err_note *);

/* Is it UTF-8 without zeros? */
MUST_USE enum err utf8_check(struct span utf8, struct err_note *);

#endif
