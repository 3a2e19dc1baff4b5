// SPDX-License-Identifier: Apache-2.0
#include "vhd_bitmap.h"

#include <string.h>

/* Word w with bit 64 * w on top, so that leading zeros count sectors. */
static uint64_t word_get(const uint8_t *bits, uint32_t w) {
        uint64_t v;

        memcpy(&v, bits + (size_t)w * 8, 8);
        return __builtin_bswap64(v);
}

static void word_put(uint8_t *bits, uint32_t w, uint64_t v) {
        v = __builtin_bswap64(v);
        memcpy(bits + (size_t)w * 8, &v, 8);
}

/* Ones from bit `from` of a word (0 the highest) up to, not with, bit `to`; from < to <= 64. */
static uint64_t mask(uint32_t from, uint32_t to) {
        return UINT64_MAX >> from & UINT64_MAX << (64 - to);
}

bool vhd_bitmap_test(const uint8_t *bits, uint32_t i) {
        return bits[i >> 3] & 0x80u >> (i & 7);
}

void vhd_bitmap_set(uint8_t *bits, uint32_t i) {
        bits[i >> 3] |= (uint8_t)(0x80u >> (i & 7));
}

void vhd_bitmap_clear(uint8_t *bits, uint32_t i) {
        bits[i >> 3] &= (uint8_t) ~(0x80u >> (i & 7));
}

void vhd_bitmap_set_range(uint8_t *bits, uint32_t from, uint32_t n) {
        for (uint32_t end = from + n; from < end;) {
                uint32_t w = from / 64, to = end - w * 64 < 64 ? end - w * 64 : 64;

                word_put(bits, w, word_get(bits, w) | mask(from % 64, to));
                from = w * 64 + to;
        }
}

void vhd_bitmap_clear_range(uint8_t *bits, uint32_t from, uint32_t n) {
        for (uint32_t end = from + n; from < end;) {
                uint32_t w = from / 64, to = end - w * 64 < 64 ? end - w * 64 : 64;

                word_put(bits, w, word_get(bits, w) & ~mask(from % 64, to));
                from = w * 64 + to;
        }
}

/* The first bit at or behind from that differs from flip's; flip is all ones to look for clear ones. */
static uint32_t next(const uint8_t *bits, uint32_t from, uint32_t limit, uint64_t flip) {
        if (from >= limit)
                return limit;
        for (uint32_t w = from / 64; w * 64 < limit; w++) {
                uint64_t v = word_get(bits, w) ^ flip;
                uint32_t at;

                if (w == from / 64)
                        v &= UINT64_MAX >> from % 64;
                if (!v)
                        continue;
                at = w * 64 + (uint32_t)__builtin_clzll(v);
                return at < limit ? at : limit;
        }
        return limit;
}

uint32_t vhd_bitmap_next_set(const uint8_t *bits, uint32_t from, uint32_t limit) {
        return next(bits, from, limit, 0);
}

uint32_t vhd_bitmap_next_clear(const uint8_t *bits, uint32_t from, uint32_t limit) {
        return next(bits, from, limit, UINT64_MAX);
}

uint32_t vhd_bitmap_next_run(const uint8_t *bits, uint32_t from, uint32_t limit, bool *ret_is_set) {
        *ret_is_set = vhd_bitmap_test(bits, from);
        return next(bits, from, limit, *ret_is_set ? UINT64_MAX : 0);
}

uint32_t vhd_bitmap_count(const uint8_t *bits, uint32_t from, uint32_t limit) {
        uint32_t n = 0;

        while (from < limit) {
                uint32_t w = from / 64, to = limit - w * 64 < 64 ? limit - w * 64 : 64;

                n += (uint32_t)__builtin_popcountll(word_get(bits, w) & mask(from % 64, to));
                from = w * 64 + to;
        }
        return n;
}

bool vhd_bitmap_is_full(const uint8_t bits[VHD_BITMAP_SIZE]) {
        uint64_t all = UINT64_MAX;

        for (uint32_t w = 0; w < VHD_BITMAP_SIZE / 8; w++)
                all &= word_get(bits, w);
        return all == UINT64_MAX;
}

bool vhd_bitmap_is_empty(const uint8_t bits[VHD_BITMAP_SIZE]) {
        uint64_t any = 0;

        for (uint32_t w = 0; w < VHD_BITMAP_SIZE / 8; w++)
                any |= word_get(bits, w);
        return any == 0;
}
