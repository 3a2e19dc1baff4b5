// SPDX-License-Identifier: Apache-2.0
/* Text as people write and read it: sizes, durations, times.
 *
 * Errors: parsing says whether the text was one.  Threads: any.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"

struct text {
        char s[40];
};

/* "512", "64K", "64M", "1.5G", "2T", also with "iB" or "B"; powers of 1024; nothing after. */
MUST_USE bool text_parse_size(const char *text, uint64_t *ret_bytes);
MUST_USE bool text_parse_u64(const char *text, uint64_t *ret); /* decimal digits only */
/* "90", "90s", "15m", "2h", "1d"; below 10^8 of each. */
MUST_USE bool text_parse_seconds(const char *text, uint64_t *ret);

struct text text_size(uint64_t bytes);        /* "1.5 GiB" */
struct text text_rate(uint64_t bytes, uint64_t ns); /* "310 MiB/s" */
struct text text_duration(uint64_t ns);       /* "3m 20s", "0.4s" */
struct text text_time(int64_t unix_seconds);  /* "2026-11-21T03:20:42Z" */
/* Just what text_time writes, of the years 1000 to 9999. */
MUST_USE bool text_parse_time(const char *text, int64_t *ret_unix_seconds);
bool        text_starts_with(const char *text, const char *start);
bool        text_ends_with(const char *text, const char *end);

#endif
