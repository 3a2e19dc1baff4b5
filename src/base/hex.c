// SPDX-License-Identifier: Apache-2.0
#include "hex.h"

int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void hex_format(const uint8_t *bytes, size_t n, char *ret) {
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < n; i++) {
                *ret++ = digits[bytes[i] >> 4];
                *ret++ = digits[bytes[i] & 15];
        }
        *ret = '\0';
}

static bool is_lower(char c) {
        return c < 'A' || c > 'F';
}

static bool are_digits(const char *text, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (hex_digit(text[i]) < 0 || !is_lower(text[i]))
                        return false;
        return text[n] == '\0';
}

bool hex_parse(const char *text, uint8_t *ret, size_t n) {
        if (!are_digits(text, 2 * n))
                return false;
        for (size_t i = 0; i < n; i++)
                ret[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
        return true;
}
