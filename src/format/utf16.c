// SPDX-License-Identifier: Apache-2.0
#include "utf16.h"

#include <stdbool.h>

enum {
        HIGH_SURROGATE = 0xD800,
        LOW_SURROGATE = 0xDC00,
        SURROGATE_END = 0xE000,
        PLANE = 0x10000,
        TOP = 0x10FFFF
};

/* The code point at *at, which moves behind it; 0 where there is none. */
static uint32_t utf8_next(struct span utf8, size_t *at) {
        static const uint32_t least[] = {0x01, 0x80, 0x800, 0x10000};
        uint8_t first = utf8.data[*at];
        unsigned more = first < 0x80   ? 0
                        : first < 0xC0 ? 4
                        : first < 0xE0 ? 1
                        : first < 0xF0 ? 2
                        : first < 0xF8 ? 3
                                       : 4;
        uint32_t point;

        if (more == 4 || more >= utf8.n - *at)
                return 0;
        point = more == 0 ? first : first & (0x3Fu >> more);
        for (unsigned i = 1; i <= more; i++) {
                uint8_t next = utf8.data[*at + i];

                if ((next & 0xC0) != 0x80)
                        return 0;
                point = point << 6 | (next & 0x3F);
        }
        if (point < least[more] || point > TOP || (point >= HIGH_SURROGATE && point < SURROGATE_END))
                return 0;
        *at += more + 1;
        return point;
}

static void utf8_add(struct buf *ret, uint32_t point) {
        uint8_t bytes[4];
        size_t n;

        if (point < 0x80) {
                bytes[0] = (uint8_t)point;
                n = 1;
        } else if (point < 0x800) {
                bytes[0] = (uint8_t)(0xC0 | point >> 6);
                n = 2;
        } else if (point < PLANE) {
                bytes[0] = (uint8_t)(0xE0 | point >> 12);
                n = 3;
        } else {
                bytes[0] = (uint8_t)(0xF0 | point >> 18);
                n = 4;
        }
        for (size_t i = 1; i < n; i++)
                bytes[i] = (uint8_t)(0x80 | (point >> (6 * (n - 1 - i)) & 0x3F));
        buf_add(ret, bytes, n);
}

static void unit_add(struct buf *ret, enum utf16_order order, uint32_t unit) {
        uint8_t high = (uint8_t)(unit >> 8), low = (uint8_t)unit;
        uint8_t bytes[2] = {order == UTF16_BIG ? high : low, order == UTF16_BIG ? low : high};

        buf_add(ret, bytes, sizeof bytes);
}

static uint32_t unit_at(struct span utf16, enum utf16_order order, size_t at) {
        const uint8_t *b = utf16.data + at;

        return order == UTF16_BIG ? (uint32_t)(b[0] << 8 | b[1]) : (uint32_t)(b[1] << 8 | b[0]);
}

enum err utf8_check(struct span utf8, struct err_note *note) {
        for (size_t at = 0; at < utf8.n;)
                if (!utf8_next(utf8, &at))
                        return err_set(note, ERR_CORRUPT, "byte %zu of %zu is not UTF-8 text (0x%02x)", at,
                                       utf8.n, utf8.data[at]);
        return ERR_NONE;
}

enum err utf16_from_utf8(struct span utf8, enum utf16_order order, struct buf *ret, struct err_note *note) {
        for (size_t at = 0; at < utf8.n;) {
                uint32_t point = utf8_next(utf8, &at);

                if (!point)
                        return err_set(note, ERR_CORRUPT, "byte %zu of %zu is not UTF-8 text (0x%02x)", at,
                                       utf8.n, utf8.data[at]);
                if (point >= PLANE) {
                        unit_add(ret, order, HIGH_SURROGATE + ((point - PLANE) >> 10));
                        point = LOW_SURROGATE + ((point - PLANE) & 0x3FF);
                }
                unit_add(ret, order, point);
        }
        return ERR_NONE;
}

enum err utf16_to_utf8(struct span utf16, enum utf16_order order, struct buf *ret, struct err_note *note) {
        if (utf16.n % 2)
                return err_set(note, ERR_CORRUPT, "UTF-16 text has an odd length of %zu bytes", utf16.n);
        for (size_t at = 0; at < utf16.n; at += 2) {
                uint32_t point = unit_at(utf16, order, at);

                if (point >= HIGH_SURROGATE && point < SURROGATE_END) {
                        uint32_t low = at + 2 < utf16.n ? unit_at(utf16, order, at + 2) : 0;

                        if (point >= LOW_SURROGATE || low < LOW_SURROGATE || low >= SURROGATE_END)
                                return err_set(note, ERR_CORRUPT,
                                               "unit at %zu of %zu is half a pair (0x%04x)", at, utf16.n,
                                               point);
                        point = PLANE + ((point - HIGH_SURROGATE) << 10) + (low - LOW_SURROGATE);
                        at += 2;
                }
                if (point == 0)
                        return err_set(note, ERR_CORRUPT, "UTF-16 text has a zero at %zu of %zu", at,
                                       utf16.n);
                utf8_add(ret, point);
        }
        return ERR_NONE;
}
