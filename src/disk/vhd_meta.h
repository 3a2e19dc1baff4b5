// SPDX-License-Identifier: Apache-2.0
/* What a VHD file says of itself: both footers, the header, the batmap's header.  The one place that decides
 * which footer counts (docs/why/003-which-footer-counts.md):
 *
 *   - a valid footer at the end that says "fixed" and whose size fits the file makes it a fixed image.  Asked
 *     first: the first sector of a fixed image belongs to its guest, who must not be able to turn it into
 *     something with parents
 *   - else the copy at 0 is read; the footer at the end counts when it is valid and its uuid and creator
 *     match the copy's.  One that does not match is taken for guest data that a crash left there, and for no
 *     footer
 *   - where the copy is damaged the file is refused, unless VHD_META_REPAIR is given: then the footer at the
 *     end counts
 *
 * An interrupted resize of another tool ("v_poison" in either footer) can be looked at: footer.is_poisoned.
 * Whoever opens it for use refuses.
 *
 * Errors: ERR_CORRUPT names the part, its offset, what is wrong with it and what to do; ERR_UNSUPPORTED where
 * a footer or header is whole but of a kind that is not read.  I/O errors as they are. Threads: any; does not
 * change the file.
 */
#ifndef DISK_VHD_META_H
#define DISK_VHD_META_H

#include "buf.h"
#include "io.h"
#include "vhd_bat.h"
#include "vhd_batmap.h"
#include "vhd_footer.h"
#include "vhd_header.h"
#include "vhd_layout.h"
#include "vhd_locator.h"

enum { VHD_META_REPAIR = 1 << 0 };

enum vhd_part_state {
        VHD_PART_VALID,
        VHD_PART_DAMAGED,
        VHD_PART_DIFFERS, /* valid, but not the same bytes as its twin */
};

struct vhd_meta {
        struct vhd_footer footer; /* the one that counts */
        struct vhd_header header; /* not for fixed images */
        uint64_t file_size;
        uint64_t end_footer_at; /* where the footer at the end lies, or should: behind the last block */
        enum vhd_part_state copy_state; /* of the footer at 0; VALID for fixed images, which have none */
        enum vhd_part_state end_state;  /* of the one at the end; where the two differ but match, it counts */
        struct err_note copy_note, end_note; /* why, where not VALID */
        bool end_is_old;                     /* the footer at the end has 511 bytes */
        bool is_header_torn; /* a change of parent was cut short: the second sector was made from the payloads
                              */
        bool has_batmap;
        uint64_t batmap_header_at;
        struct vhd_batmap batmap;    /* decoded header, where has_batmap */
        struct err_note batmap_note; /* why there is none although the creator says so; code ERR_NONE: fine */
};

MUST_USE enum err vhd_meta_read(struct io_file *, unsigned flags, struct vhd_meta *ret, struct err_note *);

/* The three steps of the above, for who goes on where one of them fails: footers (all but end_footer_at where
 * the end is damaged), header, batmap header.  vhd_meta_read_header also says whether the BAT is large enough
 * (ERR_CORRUPT); ret->header is filled then too.  vhd_meta_read_batmap_header fails only for I/O. */
MUST_USE enum err vhd_meta_read_footers(struct io_file *, unsigned flags, struct vhd_meta *ret,
                                        struct err_note *);
MUST_USE enum err vhd_meta_read_header(struct io_file *, struct vhd_meta *, struct err_note *);
MUST_USE enum err vhd_meta_read_batmap_header(struct io_file *, struct vhd_meta *, struct err_note *);

/* The BAT as it is in the file: entries 0 … n - 1 (n at most header.max_bat_entries); numbers, VHD_BAT_UNUSED
 * where unallocated.  Not checked against anything. */
MUST_USE enum err vhd_meta_read_bat(struct io_file *, const struct vhd_meta *, uint32_t *ret, uint64_t n,
                                    struct err_note *);
/* The batmap's bytes, checked against its checksum (ERR_CORRUPT); n_blocks is vhd_meta_blocks or more, and
 * ret has room for as many bits, rounded up to 512. */
MUST_USE enum err vhd_meta_read_batmap(struct io_file *, const struct vhd_meta *, uint8_t *ret,
                                       uint64_t n_blocks, struct err_note *);

/* The bytes of a locator's payload in its space, at most VHD_LOCATOR_MAX. */
MUST_USE enum err vhd_meta_read_payload(struct io_file *, const struct vhd_meta *, const struct vhd_locator *,
                                        struct buf *ret, struct err_note *);

/* What no block may touch.  ERR_CORRUPT where two parts lie upon each other; ret is filled then too. */
MUST_USE enum err vhd_meta_reserved(const struct vhd_meta *, struct vhd_reserved *ret, struct err_note *);

/* A fresh batmap, of the size and at the place that follow from the header, would lie on nothing else. */
bool vhd_meta_has_batmap_room(const struct vhd_meta *, const uint32_t *bat, uint64_t n);

/* Where the footer belongs, given the first n BAT entries: behind metadata and every block that begins in the
 * file. */
uint64_t vhd_meta_data_end(const struct vhd_meta *, const uint32_t *bat, uint64_t n);

static inline uint64_t vhd_meta_blocks(const struct vhd_meta *meta) {
        return div_up(meta->footer.size_bytes, VHD_BLOCK_SIZE);
}

#endif
