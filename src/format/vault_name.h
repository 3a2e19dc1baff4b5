// SPDX-License-Identifier: Apache-2.0
/* Names and ids of a vault, as bytes and as text.  docs/format/vault.md.
 *
 * Errors: parsing says whether the text is one.  Threads: any.
 */
#ifndef FORMAT_VAULT_NAME_H
#define FORMAT_VAULT_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"

/* Of an object: random. */
struct vault_name {
        uint8_t b[16];
};
/* Of content. */
struct vault_id {
        uint8_t b[32];
};
struct vault_name_text {
        char s[33];
};
struct vault_id_text {
        char s[65];
};

bool vault_name_is_null(const struct vault_name *);
int vault_name_compare(const struct vault_name *, const struct vault_name *);
struct vault_name_text vault_name_format(const struct vault_name *);      /* vault_name_format(&n).s */
MUST_USE bool vault_name_parse(const char *text, struct vault_name *ret); /* 32 lower-case digits, no more */

bool vault_id_is_null(const struct vault_id *);
int vault_id_compare(const struct vault_id *, const struct vault_id *);
struct vault_id_text vault_id_format(const struct vault_id *);
MUST_USE bool vault_id_parse(const char *text, struct vault_id *ret); /* 64 lower-case digits, no more */

#endif
