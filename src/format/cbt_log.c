// SPDX-License-Identifier: Apache-2.0
#include "cbt_log.h"

#include <inttypes.h>

#include "base64.h"

enum { GROUP = 4 }; /* bytes of a text's bitmap that belong together */

enum err cbt_log_decode(const struct cbt_log_disk *disk, uint64_t file_size, struct cbt_log *ret,
                        struct err_note *note) {
        uint32_t is_consistent = le32_get(disk->is_consistent);
        struct cbt_log log = {.is_consistent = is_consistent, .size_bytes = le64_get(disk->size_bytes)};

        if (is_consistent > 1)
                return err_set(note, ERR_CORRUPT,
                               "log of changed blocks: neither consistent nor inconsistent: %u",
                               is_consistent);
        if (log.size_bytes > CBT_SIZE_MAX)
                return err_set(note, ERR_CORRUPT, "log of changed blocks: a disk of %" PRIu64 " bytes",
                               log.size_bytes);
        if (file_size < CBT_HEADER_SIZE + cbt_bitmap_size(log.size_bytes))
                return err_set(note, ERR_CUT_SHORT,
                               "log of changed blocks: %" PRIu64 " bytes, its disk needs %" PRIu64, file_size,
                               CBT_HEADER_SIZE + cbt_bitmap_size(log.size_bytes));
        memcpy(log.parent.b, disk->parent, sizeof log.parent.b);
        memcpy(log.child.b, disk->child, sizeof log.child.b);
        memcpy(log.reserved, disk->reserved, sizeof log.reserved);
        *ret = log;
        return ERR_NONE;
}

void cbt_log_encode(const struct cbt_log *log, struct cbt_log_disk *ret) {
        memcpy(ret->parent, log->parent.b, sizeof ret->parent);
        memcpy(ret->child, log->child.b, sizeof ret->child);
        ret->is_consistent = le32_put(log->is_consistent);
        memcpy(ret->reserved, log->reserved, sizeof ret->reserved);
        ret->size_bytes = le64_put(log->size_bytes);
}

uint64_t cbt_bitmap_size(uint64_t size_bytes) {
        return div_up(div_up(size_bytes, CBT_BLOCK_SIZE), 8);
}

bool cbt_bitmap_test(const uint8_t *bits, uint64_t block) {
        return bits[block / 8] >> block % 8 & 1;
}

static void mark(uint8_t *bits, uint64_t block) {
        bits[block / 8] |= (uint8_t)(1u << block % 8);
}

void cbt_bitmap_mark(uint8_t *bits, uint64_t size_bytes, uint64_t at, uint64_t n) {
        uint64_t block, end;

        if (n == 0 || at >= size_bytes)
                return;
        block = at / CBT_BLOCK_SIZE;
        end = div_up(at + min_u64(n, size_bytes - at), CBT_BLOCK_SIZE);
        for (; block < end && block % 8; block++)
                mark(bits, block);
        for (; end - block >= 8; block += 8)
                bits[block / 8] = 0xff;
        for (; block < end; block++)
                mark(bits, block);
}

/* Of the bitmap's byte i, the bits that stand for a block of the disk. */
static uint8_t mask_of(uint64_t i, uint64_t size_bytes) {
        uint64_t blocks = div_up(size_bytes, CBT_BLOCK_SIZE);

        return blocks - 8 * i >= 8 ? 0xff : (uint8_t)(0xff >> (8 - (blocks - 8 * i)));
}

enum err cbt_bitmap_unite(uint8_t *bits, uint64_t size_bytes, const uint8_t *older, uint64_t older_size_bytes,
                          struct err_note *note) {
        if (older_size_bytes > size_bytes)
                return err_set(note, ERR_MISMATCH,
                               "log of changed blocks: the older disk has %" PRIu64
                               " bytes, the newer %" PRIu64,
                               older_size_bytes, size_bytes);
        for (uint64_t i = 0; i < cbt_bitmap_size(older_size_bytes); i++)
                bits[i] |= older[i] & mask_of(i, older_size_bytes);
        return ERR_NONE;
}

static uint8_t reversed(uint8_t byte) {
        byte = (uint8_t)((byte & 0xf0) >> 4 | (byte & 0x0f) << 4);
        byte = (uint8_t)((byte & 0xcc) >> 2 | (byte & 0x33) << 2);
        return (uint8_t)((byte & 0xaa) >> 1 | (byte & 0x55) << 1);
}

void cbt_bitmap_to_text(const uint8_t *bits, uint64_t size_bytes, struct buf *ret) {
        AUTO(buf_fini) struct buf turned = {0};
        uint64_t n = cbt_bitmap_size(size_bytes);
        uint8_t *bytes = buf_extend(&turned, round_up(n, GROUP));

        for (uint64_t i = 0; i < n; i++)
                bytes[i] = reversed(bits[i] & mask_of(i, size_bytes));
        base64_encode((struct span){turned.data, turned.n}, ret);
}

enum err cbt_bitmap_from_text(struct span text, uint64_t size_bytes, uint8_t *bits, struct err_note *note) {
        AUTO(buf_fini) struct buf turned = {0};
        uint64_t n = cbt_bitmap_size(size_bytes);

        if (!base64_decode(text, &turned))
                return err_set(note, ERR_CORRUPT, "changed blocks: this is no base64");
        if (turned.n < n)
                return err_set(note, ERR_CUT_SHORT, "changed blocks: %zu bytes, the disk needs %" PRIu64,
                               turned.n, n);
        for (uint64_t i = 0; i < n; i++)
                bits[i] = reversed(turned.data[i]) & mask_of(i, size_bytes);
        return ERR_NONE;
}
