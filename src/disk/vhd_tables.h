// SPDX-License-Identifier: Apache-2.0
/* BAT and batmap of a VHD that nobody has open as an image, held in memory to be changed as a whole: what
 * growing needs.  vhd_resize.h has the order of the steps and why.
 *
 * Errors: those of io; ERR_CORRUPT where an entry or the batmap is damaged, and a repair is to come first.
 * Threads: the owner of the file.
 */
#ifndef DISK_VHD_TABLES_H
#define DISK_VHD_TABLES_H

#include "io.h"
#include "vhd_meta.h"

struct vhd_tables {
        struct io_file *file; /* borrowed; open for writing, outlives us */
        struct vhd_meta meta;
        struct vhd_reserved reserved;
        uint32_t *bat;   /* owned; n_room entries */
        uint8_t *map;    /* owned; map_size bytes; NULL without a batmap */
        size_t map_size; /* of the batmap, as far as it can matter */
        uint32_t n;      /* blocks of the image's size */
        uint32_t n_room; /* entries that fit the table's sectors: the header's number, and what it leaves
                            unused */
};
void vhd_tables_fini(struct vhd_tables *);
DEFINE_AUTO_IN_PLACE(struct vhd_tables, vhd_tables_fini);

/* Reads and checks all of it: no block out of place, cut off or upon another, no part missing.  A batmap
 * whose checksum is wrong is taken for an empty one. */
MUST_USE enum err vhd_tables_read(struct io_file *, const struct vhd_meta *, struct vhd_tables *ret,
                                  struct err_note *);

/* Nothing is left of what lies past the image's end, durable: batmap, last block's bitmap, entries. */
MUST_USE enum err vhd_tables_clear_past_end(struct vhd_tables *, struct err_note *);
/* A larger BAT and batmap, for at least n_blocks; behind clear_past_end.  meta is what the file says
 * afterwards. */
MUST_USE enum err vhd_tables_make_room(struct vhd_tables *, uint32_t n_blocks, struct err_note *);
/* Have BAT and batmap room already? */
bool vhd_tables_have_room(const struct vhd_tables *, uint32_t n_blocks);
/* After a crash in the middle of clearing: a batmap whose checksum is wrong becomes an empty one. */
MUST_USE enum err vhd_tables_drop_bad_batmap(struct io_file *, const struct vhd_meta *, struct err_note *);

#endif
