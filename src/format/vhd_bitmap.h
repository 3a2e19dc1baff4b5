// SPDX-License-Identifier: Apache-2.0
/* A block's bitmap: one bit for each of its 4096 sectors, the highest bit of a byte first.  1: the sector is
 * present here; 0: ask the parent.  The same functions serve batmaps, which are longer: bits is memory of a
 * multiple of 8 bytes that holds bit limit - 1 (from + n - 1); no function touches a byte behind the 8 in
 * which its last bit lies.
 *
 * On the data path, so in words of 64 bits.  Nothing here is atomic: who shares a bitmap with a writer locks.
 *
 * Errors: none; from <= limit is the caller's promise.  Threads: any.
 */
#ifndef FORMAT_VHD_BITMAP_H
#define FORMAT_VHD_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "vhd.h"

bool vhd_bitmap_test(const uint8_t *bits, uint32_t i);
void vhd_bitmap_set(uint8_t *bits, uint32_t i);
void vhd_bitmap_clear(uint8_t *bits, uint32_t i);
void vhd_bitmap_set_range(uint8_t *bits, uint32_t from, uint32_t n);
void vhd_bitmap_clear_range(uint8_t *bits, uint32_t from, uint32_t n);

/* The first bit at or behind from that is set (clear); limit where there is none. */
uint32_t vhd_bitmap_next_set(const uint8_t *bits, uint32_t from, uint32_t limit);
uint32_t vhd_bitmap_next_clear(const uint8_t *bits, uint32_t from, uint32_t limit);

/* The run of equal bits that begins at from (< limit): its end, and whether it is one of set bits. */
uint32_t vhd_bitmap_next_run(const uint8_t *bits, uint32_t from, uint32_t limit, bool *ret_is_set);

uint32_t vhd_bitmap_count(const uint8_t *bits, uint32_t from,
                          uint32_t limit); /* of set bits in [from, limit) */

/* Of a whole block's bitmap, all 4096 bits. */
bool vhd_bitmap_is_full(const uint8_t bits[VHD_BITMAP_SIZE]);
bool vhd_bitmap_is_empty(const uint8_t bits[VHD_BITMAP_SIZE]);

#endif
