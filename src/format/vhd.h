// SPDX-License-Identifier: Apache-2.0
/* What all parts of the VHD format share: its numbers, the kinds of image, its clock and its checksum.
 *
 *      fixed         data, footer
 *      dynamic,      footer copy, header, BAT, batmap header, batmap, [locator data], blocks, footer
 *      differencing
 *
 * A block is 2 MiB of data behind its 512-byte bitmap; the BAT names each block's bitmap by sector.
 * Everything on disk is big-endian unless a comment says otherwise.  Codecs of this floor never read or write
 * a file, and look at no clock: they turn bytes into structs that keep every rule, and back.
 *
 * Errors: ERR_CORRUPT for bytes that no rule allows, ERR_UNSUPPORTED for what others may write and we do not
 * read, ERR_CUT_SHORT for fewer bytes than there must be, ERR_INVALID and ERR_TOO_LARGE for what a caller
 * asked. Each text names the field, its value and what was expected. Threads: any; nothing here has state.
 */
#ifndef FORMAT_VHD_H
#define FORMAT_VHD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "err.h"

#define VHD_SECTOR         512u
#define VHD_BLOCK_SIZE     ((uint64_t)2 * MIB)
#define VHD_BLOCK_SECTORS  4096u
#define VHD_BITMAP_SIZE    512u
#define VHD_BITMAP_SECTORS 1u
#define VHD_STRIDE_SECTORS                                                                                   \
        4104u /* bitmap, data and the gap that puts the next block's data at a multiple of 4 KiB */
#define VHD_BAT_UNUSED    0xFFFFFFFFu
#define VHD_NO_OFFSET     UINT64_MAX             /* a data_offset that names nothing */
#define VHD_MAX_SIZE      ((uint64_t)2040 * GIB) /* 2^32 sectors hold no more blocks than these */
#define VHD_MAX_BLOCKS    1044480u               /* of an image of VHD_MAX_SIZE */
#define VHD_MIN_SIZE      ((uint64_t)VHD_SECTOR) /* the least that is read */
#define VHD_MIN_NEW_SIZE  VHD_BLOCK_SIZE         /* the least that is made */
#define VHD_EPOCH_SECONDS 946684800              /* 2000-01-01T00:00:00Z, unix */
#define VHD_VERSION       0x00010000u            /* of footer and header */
_Static_assert(VHD_MAX_BLOCKS *VHD_BLOCK_SIZE == VHD_MAX_SIZE, "the two say the same");

enum vhd_type {
        VHD_FIXED = 2,
        VHD_DYNAMIC = 3,
        VHD_DIFFERENCING = 4,
};

const char *vhd_type_name(enum vhd_type); /* "fixed", "dynamic", "differencing" */

/* Seconds since 2000 as files hold them; what is before 2000 or behind 2136 becomes the nearest there is. */
uint32_t vhd_time_from_unix(int64_t unix_seconds);
int64_t vhd_time_to_unix(uint32_t vhd_seconds);

/* One's complement of the sum of the bytes, with the four at field_at taken as zeros. */
uint32_t vhd_checksum(const void *data, size_t n, size_t field_at);

/* Blocks that hold size_bytes, the last one perhaps in part. */
uint32_t vhd_blocks_of(uint64_t size_bytes);

/* May an image of this size be read (any multiple of 512), and may one be made (of 2 MiB)?  ERR_INVALID,
 * ERR_UNSUPPORTED over 2040 GiB. */
MUST_USE enum err vhd_check_size(uint64_t size_bytes, struct err_note *);
MUST_USE enum err vhd_check_new_size(uint64_t size_bytes, struct err_note *);

#endif
