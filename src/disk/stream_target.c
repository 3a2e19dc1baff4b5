// SPDX-License-Identifier: Apache-2.0
#include "stream_target.h"

#include "vhd_bitmap.h"

enum { GRANULE = 64 * 1024 }; /* zeros shorter than this are written with what stands around them */

/* Bytes up to the next granule of the disk, at most n. */
static uint64_t granule_at(uint64_t at, uint64_t n) {
        return min_u64(n, GRANULE - at % GRANULE);
}

/* The run of granules that are zeros, or are not, at the beginning of n bytes. */
static uint64_t run_of(const uint8_t *data, uint64_t n, uint64_t at, bool *ret_is_zero) {
        uint64_t end = granule_at(at, n);

        *ret_is_zero = bytes_are_zero(data, end);
        while (end < n) {
                uint64_t piece = granule_at(at + end, n - end);

                if (bytes_are_zero(data + end, piece) != *ret_is_zero)
                        break;
                end += piece;
        }
        return end;
}

/* Sectors that the stream holds. */
static enum err put_held(struct stream_target *target, const uint8_t *data, uint64_t n, uint64_t at,
                         bool is_fresh, struct err_note *note) {
        while (n > 0) {
                bool is_zero;
                uint64_t run = run_of(data, n, at, &is_zero);

                if (!is_zero && chain_write(target->chain, data, run, at, note))
                        return note->code;
                if (is_zero && !is_fresh && chain_write_zeroes(target->chain, run, at, note))
                        return note->code;
                data += run;
                at += run;
                n -= run;
        }
        return ERR_NONE;
}

enum err stream_target_put_at(struct stream_target *target, uint64_t at, const void *data, uint64_t n,
                              struct err_note *note) {
        bool is_fresh = !chain_block_is_held(target->chain, NULL, at / IMAGE_BLOCK_SIZE);

        return put_held(target, data, n, at, is_fresh, note);
}

enum err stream_target_put(struct stream_target *target, uint64_t block, const uint8_t *bits,
                           const void *data, uint64_t n, struct err_note *note) {
        bool is_fresh = !chain_block_is_held(target->chain, NULL, block), is_held;
        uint64_t start = block * IMAGE_BLOCK_SIZE;
        uint32_t end = (uint32_t)(n / SECTOR), next;

        if (!bits)
                return put_held(target, data, n, start, is_fresh, note);
        for (uint32_t s = 0; s < end; s = next) {
                uint64_t at = (uint64_t)s * SECTOR, run;

                next = vhd_bitmap_next_run(bits, s, end, &is_held);
                run = (uint64_t)(next - s) * SECTOR;
                if (is_held && put_held(target, (const uint8_t *)data + at, run, start + at, is_fresh, note))
                        return note->code;
                if (!is_held && !is_fresh && !target->is_delta &&
                    chain_write_zeroes(target->chain, run, start + at, note))
                        return note->code;
        }
        return ERR_NONE;
}

enum err stream_target_pass(struct stream_target *target, uint64_t n, uint64_t at, struct err_note *note) {
        if (target->is_delta)
                return ERR_NONE;
        while (n > 0) {
                uint64_t piece = min_u64(n, IMAGE_BLOCK_SIZE - at % IMAGE_BLOCK_SIZE);

                if (chain_block_is_held(target->chain, NULL, at / IMAGE_BLOCK_SIZE) &&
                    chain_write_zeroes(target->chain, piece, at, note))
                        return note->code;
                at += piece;
                n -= piece;
        }
        return ERR_NONE;
}
