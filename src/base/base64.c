// SPDX-License-Identifier: Apache-2.0
#include "base64.h"

static const char digits[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct span bytes, struct buf *ret) {
        char *text = buf_extend(ret, (bytes.n + 2) / 3 * 4);

        for (size_t i = 0; i < bytes.n; i += 3, text += 4) {
                size_t n = bytes.n - i < 3 ? bytes.n - i : 3;
                uint32_t three = (uint32_t)bytes.data[i] << 16;

                three |= n > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
                three |= n > 2 ? bytes.data[i + 2] : 0;
                text[0] = digits[three >> 18];
                text[1] = digits[three >> 12 & 63];
                text[2] = n > 1 ? digits[three >> 6 & 63] : '=';
                text[3] = n > 2 ? digits[three & 63] : '=';
        }
}

static int value_of(uint8_t digit) {
        const char *found = digit ? strchr(digits, digit) : NULL;

        return found ? (int)(found - digits) : -1;
}

/* Four digits make three bytes, at the end fewer; bits that belong to no byte are zero.  0: these do not. */
static size_t decode_four(const uint8_t *text, bool is_last, uint8_t ret[3]) {
        size_t n = !is_last || text[3] != '=' ? 4 : text[2] != '=' ? 3 : 2;
        uint32_t bits = 0;

        for (size_t i = 0; i < 4; i++) {
                int value = i < n ? value_of(text[i]) : 0;

                if (value < 0)
                        return 0;
                bits = bits << 6 | (uint32_t)value;
        }
        if ((n == 3 && bits & 0xff) || (n == 2 && bits & 0xffff))
                return 0;
        ret[0] = (uint8_t)(bits >> 16);
        ret[1] = (uint8_t)(bits >> 8);
        ret[2] = (uint8_t)bits;
        return n - 1;
}

bool base64_decode(struct span text, struct buf *ret) {
        size_t before = ret->n;

        if (text.n % 4)
                return false;
        for (size_t i = 0; i < text.n; i += 4) {
                uint8_t bytes[3];
                size_t n = decode_four(text.data + i, i + 4 == text.n, bytes);

                if (n == 0) {
                        ret->n = before;
                        return false;
                }
                buf_add(ret, bytes, n);
        }
        return true;
}
