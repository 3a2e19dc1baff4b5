// SPDX-License-Identifier: Apache-2.0
/* The footer: the 512 bytes that say what a VHD is.  It stands at the end of the file and, but for fixed
 * images, once more at 0; each of the two is authoritative for somebody, so they are kept equal.
 *
 * A struct vhd_footer is made only by vhd_footer_decode, which checks every rule, or by vhd_footer_init,
 * which keeps them.  So encoding cannot fail.  Bytes we do not understand are kept and written back.
 *
 * Read besides the specification: `v_poison` in place of the cookie (a resize was under way: is_poisoned; the
 * image may be looked at and not used), the 511-byte footer of old Virtual PC, a fixed image's
 * data_offset of 32 ones, and checksums of tapdisk 0.1 and 1.1, which forgot to count the hidden byte.
 *
 * Errors: see vhd.h.  Threads: any.
 */
#ifndef FORMAT_VHD_FOOTER_H
#define FORMAT_VHD_FOOTER_H

#include "uuid.h"
#include "vhd.h"
#include "vhd_geometry.h"

#define VHD_FOOTER_SIZE       512u
#define VHD_FOOTER_SIZE_OLD   511u /* what Virtual PC before 2004 wrote, without the last zero */
#define VHD_FOOTER_CHECKSUM   64u  /* where in it */
#define VHD_FEATURE_TEMPORARY 1u
#define VHD_FEATURE_RESERVED  2u   /* must be set */
#define VHD_HEADER_AT         512u /* where we put the header: a footer's data_offset */

#define VHD_CREATOR_VERSION(major, minor) ((uint32_t)(major) << 16 | (uint32_t)(minor))

struct vhd_footer_disk {       /* offset */
        char cookie[8];        /*   0  "conectix", or "v_poison" */
        be32 features;         /*   8  2 always set, 1: temporary */
        be32 version;          /*  12  0x00010000 */
        be64 data_offset;      /*  16  of the header; all ones: a fixed image */
        be32 timestamp;        /*  24  seconds since 2000 */
        char creator[4];       /*  28  "tap\0": XenServer and we */
        be32 creator_version;  /*  32  major << 16 | minor */
        be32 creator_os;       /*  36 */
        be64 original_size;    /*  40  bytes, when it was made */
        be64 current_size;     /*  48  bytes: the size */
        be16 cylinders;        /*  56 */
        uint8_t heads;         /*  58 */
        uint8_t sectors;       /*  59  of a track */
        be32 type;             /*  60  2 fixed, 3 dynamic, 4 differencing */
        be32 checksum;         /*  64  ~sum of all bytes, this field taken as 0 */
        uint8_t uuid[16];      /*  68  RFC 4122 order */
        uint8_t saved;         /*  84  kept, not used */
        uint8_t hidden;        /*  85  XenServer: 1 for a node that users do not see */
        uint8_t reserved[426]; /*  86  zeros */
};
_Static_assert(sizeof(struct vhd_footer_disk) == VHD_FOOTER_SIZE, "a footer is one sector");
_Static_assert(_Alignof(struct vhd_footer_disk) == 1, "it may be read at any address");
_Static_assert(offsetof(struct vhd_footer_disk, checksum) == VHD_FOOTER_CHECKSUM,
               "as the specification says");
_Static_assert(offsetof(struct vhd_footer_disk, hidden) == 85, "where XenServer looks");

struct vhd_footer {
        enum vhd_type type;
        bool is_hidden;
        bool is_poisoned;   /* a resize was interrupted: do not use before it is undone */
        bool had_no_hidden; /* its checksum left out the hidden byte; encoding mends that */
        uint8_t saved;
        char creator[4];
        uint32_t creator_version;
        uint32_t creator_os;
        uint32_t features;
        uint32_t timestamp;   /* see vhd_time_to_unix */
        uint64_t data_offset; /* bytes; of no meaning in a fixed image */
        uint64_t original_size_bytes;
        uint64_t size_bytes;          /* the size */
        struct vhd_geometry geometry; /* as read; not to be trusted */
        struct uuid uuid;
        uint8_t reserved[426];
};

MUST_USE enum err vhd_footer_decode(const struct vhd_footer_disk *, struct vhd_footer *ret,
                                    struct err_note *);

/* The same for bytes of any length: 512, or the 511 of old Virtual PC.  ERR_CUT_SHORT for others. */
MUST_USE enum err vhd_footer_decode_span(struct span, struct vhd_footer *ret, struct err_note *);

void vhd_footer_encode(const struct vhd_footer *, struct vhd_footer_disk *ret);

/* A fresh one as tapdisk writes it: creator "tap\0" 1.3, geometry by the rule.  The size has passed
 * vhd_check_size. */
void vhd_footer_init(struct vhd_footer *ret, enum vhd_type, uint64_t size_bytes, const struct uuid *,
                     uint32_t timestamp);

/* Gives it a new size and the geometry that goes with it; the original size stays. */
void vhd_footer_resize(struct vhd_footer *, uint64_t size_bytes);

bool vhd_footer_is_by_tapdisk(const struct vhd_footer *); /* creator "tap\0": XenServer, XCP-ng, we */
bool vhd_footer_equal(const struct vhd_footer *,
                      const struct vhd_footer *); /* they encode to the same bytes */

#endif
