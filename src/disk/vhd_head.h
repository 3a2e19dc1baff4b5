// SPDX-License-Identifier: Apache-2.0
/* The head of a fresh VHD, all that lies before its blocks, laid out and filled as tapdisk does: creator
 * tap 1.3, batmap 1.2, three locators.  vhd_create puts it into a file, stream_source sends it.
 *
 * Errors: ERR_INVALID and ERR_TOO_LARGE for a parent's name that no header can hold.  Threads: any; no I/O.
 */
#ifndef DISK_VHD_HEAD_H
#define DISK_VHD_HEAD_H

#include "vhd_batmap.h"
#include "vhd_layout.h"
#include "vhd_parent.h"

struct vhd_head_options {
        enum vhd_type type;
        uint64_t size;        /* bytes, has passed vhd_check_size */
        uint64_t room_for;    /* size that the BAT has room for; 0, or less than size: size */
        struct uuid uuid;     /* of the footer; not null */
        int64_t made_seconds; /* since 1970 */
        bool is_hidden;
        struct uuid parent_uuid; /* of a differencing one; null: the parent is raw */
        int64_t parent_seconds;  /* since 1970 */
};

struct vhd_head {
        struct vhd_layout layout;
        struct vhd_footer footer;
        struct vhd_header header;
        struct vhd_batmap batmap;
        struct vhd_parent_names names;
};

/* names: of a differencing one, taken over (left empty); else NULL. */
MUST_USE enum err vhd_head_init(struct vhd_head *ret, const struct vhd_head_options *,
                                struct vhd_parent_names *names, struct err_note *);
void vhd_head_fini(struct vhd_head *);
DEFINE_AUTO_IN_PLACE(struct vhd_head, vhd_head_fini);

/* The bytes [0, layout.headers_end) of a dynamic or differencing one; ret is zeros before.  bat: its
 * layout.max_bat_entries entries, NULL: none is used.  batmap: layout.batmap_size bytes, NULL: zeros. */
void vhd_head_encode(const struct vhd_head *, const uint32_t *bat, const uint8_t *batmap, uint8_t *ret);
/* The same without the BAT, which may be large: before takes layout.bat_at bytes, behind those that follow
 * the BAT's end. */
void vhd_head_encode_ends(const struct vhd_head *, const uint8_t *batmap, uint8_t *before, uint8_t *behind);

#endif
