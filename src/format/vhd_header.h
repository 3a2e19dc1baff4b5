// SPDX-License-Identifier: Apache-2.0
/* The header of a dynamic or differencing image: 1024 bytes at the footer's data_offset.  It says where the
 * BAT is, how many entries it has, and who the parent is.
 *
 * A struct vhd_header is made only by vhd_header_decode, which checks every rule that stands by itself, or by
 * vhd_header_init; so encoding cannot fail.  What depends on more than these bytes is asked for:
 * vhd_header_check_type, vhd_header_check_size, vhd_locator_check.  Bytes we do not understand are kept.
 *
 * A relink within the locators' room changes uuid, time, name and the locators' lengths.  Payloads have a
 * place of their own in the file: see vhd_locator.h.
 *
 * Errors: see vhd.h.  A block size other than 2 MiB is ERR_UNSUPPORTED.  Threads: any.
 */
#ifndef FORMAT_VHD_HEADER_H
#define FORMAT_VHD_HEADER_H

#include "uuid.h"
#include "vhd.h"

#define VHD_HEADER_SIZE     1024u
#define VHD_HEADER_CHECKSUM 36u /* where in it */
#define VHD_LOCATORS        8u
#define VHD_NAME_SIZE       512u
#define VHD_NAME_UNITS      255u /* of UTF-16 in a parent's name, without a terminator */

struct vhd_locator_disk { /* offset */
        be32 code;        /*   0  see enum vhd_locator_code */
        be32 space;       /*   4  bytes (XenServer, Microsoft) or sectors (specification) */
        be32 length;      /*   8  bytes of payload, no terminator */
        be32 reserved;    /*  12 */
        be64 offset;      /*  16  bytes from the file's start */
};
_Static_assert(sizeof(struct vhd_locator_disk) == 24, "as the specification says");

struct vhd_header_disk {                    /* offset */
        char cookie[8];                     /*   0  "cxsparse" */
        be64 data_offset;                   /*   8  all ones */
        be64 table_offset;                  /*  16  of the BAT, bytes */
        be32 version;                       /*  24  0x00010000 */
        be32 max_bat;                       /*  28  entries; more than the size needs: preallocated */
        be32 block_size;                    /*  32  bytes, 2 MiB */
        be32 checksum;                      /*  36  ~sum of all bytes, this field taken as 0 */
        uint8_t parent_uuid[16];            /*  40  of the parent's footer; zeros: a raw parent */
        be32 parent_time;                   /*  56  the parent file's mtime, seconds since 2000 */
        be32 reserved;                      /*  60 */
        uint8_t parent_name[VHD_NAME_SIZE]; /*  64  UTF-16BE, zeros behind it */
        struct vhd_locator_disk locator[VHD_LOCATORS]; /* 576 */
        uint8_t rest[256];                             /* 768 */
};
_Static_assert(sizeof(struct vhd_header_disk) == VHD_HEADER_SIZE, "a header is two sectors");
_Static_assert(_Alignof(struct vhd_header_disk) == 1, "it may be read at any address");
_Static_assert(offsetof(struct vhd_header_disk, checksum) == VHD_HEADER_CHECKSUM,
               "as the specification says");
_Static_assert(offsetof(struct vhd_header_disk, locator) == 576, "as the specification says");

struct vhd_locator {
        uint32_t code;  /* an enum vhd_locator_code, or what another wrote */
        uint32_t space; /* as written; see vhd_locator_space */
        uint32_t length;
        uint32_t reserved;
        uint64_t offset;
};

struct vhd_header {
        uint64_t table_offset; /* bytes, a multiple of 512 */
        uint32_t max_bat_entries;
        uint64_t block_size; /* always VHD_BLOCK_SIZE */
        struct uuid parent_uuid;
        uint32_t parent_timestamp;
        uint32_t reserved;
        uint8_t parent_name[VHD_NAME_SIZE]; /* as it stands there; see vhd_header_name */
        struct vhd_locator locator[VHD_LOCATORS];
        uint8_t rest[256];
};

MUST_USE enum err vhd_header_decode(const struct vhd_header_disk *, struct vhd_header *ret,
                                    struct err_note *);
MUST_USE enum err vhd_header_decode_span(struct span, struct vhd_header *ret,
                                         struct err_note *); /* of 1024 bytes */
/* Of one that cannot be decoded, only what it still says of its parent: no rule was checked, and it is never
 * to be encoded. */
void vhd_header_salvage(const struct vhd_header_disk *, struct vhd_header *ret);
void vhd_header_encode(const struct vhd_header *, struct vhd_header_disk *ret);

/* A fresh one without a parent.  table_offset is a multiple of 512. */
void vhd_header_init(struct vhd_header *ret, uint64_t table_offset, uint32_t max_bat_entries);

/* A finding, not a reason to refuse: a dynamic image whose parent's name, uuid, time or locators are not
 * empty (ERR_CORRUPT), or a differencing one that names no parent in any way. */
MUST_USE enum err vhd_header_check_type(const struct vhd_header *, enum vhd_type, struct err_note *);

/* The BAT has an entry for each block of size_bytes.  ERR_CORRUPT. */
MUST_USE enum err vhd_header_check_size(const struct vhd_header *, uint64_t size_bytes, struct err_note *);

/* A differencing image with a raw parent: its uuid is null. */
bool vhd_header_has_raw_parent(const struct vhd_header *, enum vhd_type);

/* The parent's name as UTF-8, empty where there is none.  *ret is the caller's to free.  ERR_CORRUPT where it
 * is no text. */
MUST_USE enum err vhd_header_name(const struct vhd_header *, char **ret, struct err_note *);

/* name: the base name in UTF-8.  ERR_INVALID where it is empty or no text, ERR_TOO_LARGE over 255 UTF-16
 * units; the header is then as before. */
MUST_USE enum err vhd_header_set_parent(struct vhd_header *, const struct uuid *, uint32_t timestamp,
                                        const char *name, struct err_note *);
void vhd_header_clear_parent(struct vhd_header *); /* uuid, time, name and locators: it becomes dynamic */

/* ---- locators: where the payloads are ---- */

enum vhd_locator_code {
        VHD_LOCATOR_NONE = 0,
        VHD_LOCATOR_WI2R = 0x57693272, /* deprecated */
        VHD_LOCATOR_WI2K = 0x5769326B, /* deprecated */
        VHD_LOCATOR_W2RU = 0x57327275, /* UTF-16LE, relative */
        VHD_LOCATOR_W2KU = 0x57326B75, /* UTF-16LE, absolute; XenServer writes it relative */
        VHD_LOCATOR_MAC = 0x4D616320,  /* alias blob */
        VHD_LOCATOR_MACX = 0x4D616358, /* UTF-8, file:// URL */
};

/* Room for the payload in bytes.  Below 512 the space is in sectors, a multiple of 512 is in bytes; false:
 * neither. */
MUST_USE bool vhd_locator_space(const struct vhd_locator *, uint64_t *ret_bytes);

/* The rules of one locator: an unused one is all zeros, the space is a legal one that holds the length, the
 * place does not lie in the footer's copy and does not wrap.  ERR_CORRUPT; ERR_UNSUPPORTED for a code that is
 * not known. */
MUST_USE enum err vhd_locator_check(const struct vhd_locator *, struct err_note *);

/* "MacX", "W2ku" and so on; "????" for what is not known. */
const char *vhd_locator_name(uint32_t code);

#endif
