// SPDX-License-Identifier: Apache-2.0
/* A log of changed blocks: which 64 KiB of a disk were written since the log began, as XenServer keeps it
 * beside a VHD (docs/format/cbt.md).  A header of 48 bytes, then one bit a block, the lowest of a byte first.
 *
 * Logs form a chain along snapshots; what changed between two is the union of the logs from behind the older
 * to the newer.
 *
 * Nothing here is atomic: who shares a bitmap with a writer locks.  A bitmap is cbt_bitmap_size bytes; bits
 * behind the disk's end mean nothing, are set by nobody and told to nobody.
 *
 * Errors: ERR_CORRUPT, ERR_CUT_SHORT, ERR_MISMATCH, with a sentence.  Threads: any.
 */
#ifndef FORMAT_CBT_LOG_H
#define FORMAT_CBT_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "bytes.h"
#include "err.h"
#include "uuid.h"

enum { CBT_BLOCK_SIZE = 65536, CBT_HEADER_SIZE = 48 };
#define CBT_SIZE_MAX (64 * TIB) /* of a disk: a bitmap of 128 MiB */

struct cbt_log_disk {          /* offset */
        uint8_t parent[16];    /*   0  uuid of the older disk's log; null: none   */
        uint8_t child[16];     /*  16  of the newer's; null: none                 */
        le32 is_consistent;    /*  32  1: whoever wrote it came to a proper end   */
        uint8_t reserved[4];   /*  36                                             */
        le64 size_bytes;       /*  40  of the disk                                */
};
_Static_assert(sizeof(struct cbt_log_disk) == CBT_HEADER_SIZE, "the bitmap follows at once");
_Static_assert(_Alignof(struct cbt_log_disk) == 1, "may be read at any address");

struct cbt_log {
        struct uuid parent, child;
        bool is_consistent;
        uint8_t reserved[4]; /* kept as it was */
        uint64_t size_bytes;
};

/* file_size: of header and bitmap; the file may be longer than both. */
MUST_USE enum err cbt_log_decode(const struct cbt_log_disk *, uint64_t file_size, struct cbt_log *ret,
                                 struct err_note *);
void cbt_log_encode(const struct cbt_log *, struct cbt_log_disk *ret);

uint64_t cbt_bitmap_size(uint64_t size_bytes); /* in bytes, of a disk of that size */
bool cbt_bitmap_test(const uint8_t *bits, uint64_t block);
/* Each block that [at, at + n) touches; what lies behind the disk's end is left out. */
void cbt_bitmap_mark(uint8_t *bits, uint64_t size_bytes, uint64_t at, uint64_t n);
/* Adds the older log's bits.  A disk never shrinks: ERR_MISMATCH where the older is larger. */
MUST_USE enum err cbt_bitmap_unite(uint8_t *bits, uint64_t size_bytes, const uint8_t *older,
                                   uint64_t older_size_bytes, struct err_note *);

/* As VDI.list_changed_blocks has it: base64 of the bits with the highest of a byte first, and so many zero
 * bytes behind them that 32 bits, which are 2 MiB, are always there together. */
void cbt_bitmap_to_text(const uint8_t *bits, uint64_t size_bytes, struct buf *);
MUST_USE enum err cbt_bitmap_from_text(struct span text, uint64_t size_bytes, uint8_t *bits,
                                       struct err_note *); /* all of them are written */

#endif
