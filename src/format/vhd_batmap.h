// SPDX-License-Identifier: Apache-2.0
/* The batmap: XenServer's addition behind the BAT, one bit per block that says "each of its sectors is
 * present", so that readers need not look at its bitmap.  A hint: where it is damaged, it is dropped and made
 * again.
 *
 * Its header has a computed place (vhd_batmap_header_at), the map itself a stored one.  Two sizes must not be
 * mixed up: the map has a bit for each BAT entry, rounded up; the checksum covers what libvhd's covers, which
 * is rounded *down* (floor(size / 16 MiB) bytes to a multiple of 512) and so at times less.
 *
 * The marker and the keyhash of encrypted images live in this header too, and are kept.  The data of an image
 * with a keyhash is ciphertext: vhd_batmap_check_plain before using any.
 *
 * Errors: see vhd.h.  Threads: any.
 */
#ifndef FORMAT_VHD_BATMAP_H
#define FORMAT_VHD_BATMAP_H

#include "vhd.h"
#include "vhd_footer.h"
#include "vhd_header.h"

#define VHD_BATMAP_HEADER_SIZE 512u
#define VHD_BATMAP_1_1         0x00010001u /* its checksum took the bytes as signed */
#define VHD_BATMAP_1_2         0x00010002u /* what is written */

struct vhd_batmap_disk {       /* offset */
        char cookie[8];        /*   0  "tdbatmap" */
        be64 map_offset;       /*   8  bytes */
        be32 map_sectors;      /*  16 */
        be32 version;          /*  20  0x00010002 */
        be32 checksum;         /*  24  of the map, not of this header */
        uint8_t marker;        /*  28 */
        uint8_t has_key;       /*  29  1: the data is encrypted */
        uint8_t nonce[32];     /*  30 */
        uint8_t hash[32];      /*  62  SHA-256 of nonce and key */
        uint8_t reserved[418]; /*  94 */
};
_Static_assert(sizeof(struct vhd_batmap_disk) == VHD_BATMAP_HEADER_SIZE, "a batmap header is one sector");
_Static_assert(_Alignof(struct vhd_batmap_disk) == 1, "it may be read at any address");

struct vhd_batmap {
        uint64_t map_offset;     /* bytes, a multiple of 512 */
        uint64_t map_size_bytes; /* a multiple of 512 */
        uint32_t version;        /* VHD_BATMAP_1_1 or _1_2 */
        uint32_t checksum;       /* as stored; vhd_batmap_seal renews it */
        uint8_t marker;
        uint8_t has_key; /* as stored; not 0: encrypted */
        uint8_t nonce[32];
        uint8_t hash[32];
        uint8_t reserved[418];
};

/* Does an image by this creator have one?  MAYBE: look for the cookie at the computed place. */
enum vhd_batmap_presence { VHD_BATMAP_NO, VHD_BATMAP_MAYBE, VHD_BATMAP_YES };
enum vhd_batmap_presence vhd_batmap_presence(const struct vhd_footer *);

MUST_USE enum err vhd_batmap_decode(const struct vhd_batmap_disk *, struct vhd_batmap *ret,
                                    struct err_note *);
MUST_USE enum err vhd_batmap_decode_span(struct span, struct vhd_batmap *ret,
                                         struct err_note *); /* of 512 bytes */
void vhd_batmap_encode(const struct vhd_batmap *, struct vhd_batmap_disk *ret);

/* A fresh one of version 1.2 with an empty map. */
void vhd_batmap_init(struct vhd_batmap *ret, uint64_t map_offset, uint32_t max_bat_entries);

/* The map has a bit for each block of size_bytes (a map of an image with a preallocated BAT may be shorter
 * than that BAT). */
MUST_USE enum err vhd_batmap_check_size(const struct vhd_batmap *, uint64_t size_bytes, struct err_note *);

/* The first bytes of the map that the checksum covers, of an image of this size: a multiple of 512. */
uint64_t vhd_batmap_sum_length(uint64_t size_bytes);

/* By the rule of the header's version, over the covered bytes (or the map's, if those are fewer). */
uint32_t vhd_batmap_checksum(const struct vhd_batmap *, struct span map, uint64_t size_bytes);
MUST_USE enum err vhd_batmap_check_map(const struct vhd_batmap *, struct span map, uint64_t size_bytes,
                                       struct err_note *);
void vhd_batmap_seal(struct vhd_batmap *, struct span map, uint64_t size_bytes); /* after the map changed */

/* ERR_UNSUPPORTED where a keyhash is set. */
MUST_USE enum err vhd_batmap_check_plain(const struct vhd_batmap *, struct err_note *);

#endif
