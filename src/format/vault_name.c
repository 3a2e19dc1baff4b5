// SPDX-License-Identifier: Apache-2.0
#include "vault_name.h"

#include <string.h>

#include "bytes.h"
#include "hex.h"

bool vault_name_is_null(const struct vault_name *name) {
        return bytes_are_zero(name->b, sizeof name->b);
}

int vault_name_compare(const struct vault_name *a, const struct vault_name *b) {
        return memcmp(a->b, b->b, sizeof a->b);
}

struct vault_name_text vault_name_format(const struct vault_name *name) {
        struct vault_name_text text;

        hex_format(name->b, sizeof name->b, text.s);
        return text;
}

bool vault_name_parse(const char *text, struct vault_name *ret) {
        return hex_parse(text, ret->b, sizeof ret->b);
}

bool vault_id_is_null(const struct vault_id *id) {
        return bytes_are_zero(id->b, sizeof id->b);
}

int vault_id_compare(const struct vault_id *a, const struct vault_id *b) {
        return memcmp(a->b, b->b, sizeof a->b);
}

struct vault_id_text vault_id_format(const struct vault_id *id) {
        struct vault_id_text text;

        hex_format(id->b, sizeof id->b, text.s);
        return text;
}

bool vault_id_parse(const char *text, struct vault_id *ret) {
        return hex_parse(text, ret->b, sizeof ret->b);
}
