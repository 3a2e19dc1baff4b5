// SPDX-License-Identifier: Apache-2.0
/* Bytes as hexadecimal digits.  Ours are lower case, and only these are read back: one text for each value.
 *
 * Errors: parsing says whether the text is one.  Threads: any.
 */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

int hex_digit(char c); /* its value, in either case; -1: it is none */

void hex_format(const uint8_t *bytes, size_t n, char *ret);        /* 2 * n digits and an end */
MUST_USE bool hex_parse(const char *text, uint8_t *ret, size_t n); /* just 2 * n digits */

#endif
