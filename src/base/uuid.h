// SPDX-License-Identifier: Apache-2.0
/* UUIDs in RFC 4122 byte order, as VHD files hold them.  Dice come from the caller (io_random), so that a
 * simulated run repeats.
 *
 * Errors: parsing says whether the text is one.  Threads: any.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"

struct uuid {
        uint8_t b[16];
};

enum { UUID_TEXT_SIZE = 37 }; /* with its terminator */

struct uuid_text {
        char s[UUID_TEXT_SIZE];
};

struct uuid       uuid_from_random(const uint8_t random[16]); /* version 4 */
MUST_USE bool     uuid_parse(const char *text, struct uuid *ret); /* 8-4-4-4-12, any case, nothing after */
struct uuid_text  uuid_format(const struct uuid *);           /* lower case: uuid_format(&u).s */
bool              uuid_is_null(const struct uuid *);
bool              uuid_equal(const struct uuid *, const struct uuid *);
int               uuid_compare(const struct uuid *, const struct uuid *);

#endif
