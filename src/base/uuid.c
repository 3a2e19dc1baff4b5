// SPDX-License-Identifier: Apache-2.0
#include "uuid.h"

#include <stdio.h>
#include <string.h>

#include "hex.h"

struct uuid uuid_from_random(const uint8_t random[16]) {
        struct uuid u;

        memcpy(u.b, random, 16);
        u.b[6] = (uint8_t)((u.b[6] & 0x0f) | 0x40);
        u.b[8] = (uint8_t)((u.b[8] & 0x3f) | 0x80);
        return u;
}

bool uuid_parse(const char *text, struct uuid *ret) {
        struct uuid u;
        int n = 0;

        for (int i = 0; i < 36; i++) {
                int digit;

                if (i == 8 || i == 13 || i == 18 || i == 23) {
                        if (text[i] != '-')
                                return false;
                        continue;
                }
                digit = hex_digit(text[i]);
                if (digit < 0)
                        return false;
                u.b[n / 2] = (uint8_t)(n % 2 ? u.b[n / 2] << 4 | digit : digit);
                n++;
        }
        if (text[36] != '\0')
                return false;
        *ret = u;
        return true;
}

struct uuid_text uuid_format(const struct uuid *u) {
        struct uuid_text t;
        size_t at = 0;

        for (int i = 0; i < 16; i++) {
                if (i == 4 || i == 6 || i == 8 || i == 10)
                        t.s[at++] = '-';
                snprintf(t.s + at, sizeof t.s - at, "%02x", u->b[i]);
                at += 2;
        }
        return t;
}

bool uuid_is_null(const struct uuid *u) {
        static const struct uuid null;

        return uuid_equal(u, &null);
}

bool uuid_equal(const struct uuid *a, const struct uuid *b) {
        return memcmp(a->b, b->b, sizeof a->b) == 0;
}

int uuid_compare(const struct uuid *a, const struct uuid *b) {
        return memcmp(a->b, b->b, sizeof a->b);
}
