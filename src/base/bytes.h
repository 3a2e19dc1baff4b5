// SPDX-License-Identifier: Apache-2.0
/* Numbers in bytes: fixed-width big- and little-endian fields that are not numbers until they are asked,
 * checked sums and products for what comes from disk or wire, and rounding.
 *
 * Errors: add_u64, mul_u64 and friends return false where the result does not fit, and leave *ret alone.
 * Threads: any.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cleanup.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)

enum { SECTOR = 512 };

typedef struct { uint8_t b[2]; } be16;
typedef struct { uint8_t b[4]; } be32;
typedef struct { uint8_t b[8]; } be64;

static inline uint16_t be16_get(be16 f) {
        return (uint16_t)(f.b[0] << 8 | f.b[1]);
}
static inline uint32_t be32_get(be32 f) {
        uint32_t v;

        memcpy(&v, f.b, 4);
        return __builtin_bswap32(v);
}
static inline uint64_t be64_get(be64 f) {
        uint64_t v;

        memcpy(&v, f.b, 8);
        return __builtin_bswap64(v);
}
static inline be16 be16_put(uint16_t v) {
        return (be16){{(uint8_t)(v >> 8), (uint8_t)v}};
}
static inline be32 be32_put(uint32_t v) {
        be32 f;

        v = __builtin_bswap32(v);
        memcpy(f.b, &v, 4);
        return f;
}
static inline be64 be64_put(uint64_t v) {
        be64 f;

        v = __builtin_bswap64(v);
        memcpy(f.b, &v, 8);
        return f;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "be*_get swap unconditionally, le*_get never");

typedef struct { uint8_t b[4]; } le32;
typedef struct { uint8_t b[8]; } le64;

static inline uint32_t le32_get(le32 f) {
        uint32_t v;

        memcpy(&v, f.b, 4);
        return v;
}
static inline uint64_t le64_get(le64 f) {
        uint64_t v;

        memcpy(&v, f.b, 8);
        return v;
}
static inline le32 le32_put(uint32_t v) {
        le32 f;

        memcpy(f.b, &v, 4);
        return f;
}
static inline le64 le64_put(uint64_t v) {
        le64 f;

        memcpy(f.b, &v, 8);
        return f;
}

MUST_USE static inline bool add_u64(uint64_t a, uint64_t b, uint64_t *ret) {
        uint64_t sum;

        if (__builtin_add_overflow(a, b, &sum))
                return false;
        *ret = sum;
        return true;
}
MUST_USE static inline bool mul_u64(uint64_t a, uint64_t b, uint64_t *ret) {
        uint64_t product;

        if (__builtin_mul_overflow(a, b, &product))
                return false;
        *ret = product;
        return true;
}

/* each is a power of two.  round_up may wrap where v is within each of the top: check v first. */
static inline uint64_t round_down(uint64_t v, uint64_t each) {
        return v & ~(each - 1);
}
static inline uint64_t round_up(uint64_t v, uint64_t each) {
        return (v + each - 1) & ~(each - 1);
}
static inline bool is_multiple(uint64_t v, uint64_t each) {
        return (v & (each - 1)) == 0;
}
static inline uint64_t div_up(uint64_t v, uint64_t each) {
        return v / each + (v % each != 0);
}
static inline uint64_t min_u64(uint64_t a, uint64_t b) {
        return a < b ? a : b;
}
static inline uint64_t max_u64(uint64_t a, uint64_t b) {
        return a > b ? a : b;
}

/* [at, at + n) lies within [0, size), also where at + n would wrap. */
static inline bool range_fits(uint64_t at, uint64_t n, uint64_t size) {
        return n <= size && at <= size - n;
}

/* The span of bytes a decoder may look at: pointer and length together. */
struct span {
        const uint8_t *data; /* borrowed from the caller for the call */
        size_t         n;
};

bool bytes_are_zero(const void *data, size_t n);

#endif
