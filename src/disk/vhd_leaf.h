// SPDX-License-Identifier: Apache-2.0
/* The write side of a VHD image: of a leaf, or of a frozen image whose blocks are moved.
 *
 * Data goes to the file at once; what says that it is there waits in memory: bits of bitmaps, BAT entries,
 * bits of the batmap.  A flush brings it down in this order [D3]:
 *
 *   0  set aside: the bitmaps that changed, copied now.  Bits set from here on wait for the next flush
 *   1  write: bitmaps of blocks that are not in the BAT on disk; cleared batmap bits.            SYNC
 *   2  write: BAT entries of those blocks, cleared BAT entries, bitmaps of the other blocks.     SYNC
 *   3  punch slots that were let go, once no reader resolves to them.  Write: set batmap bits.
 *
 * A slot that a trim let go of is absent at once and punched by the flush.  A block that leaves (image.h)
 * keeps its slot: the flush only clears its batmap bit and its BAT entry, which no flush ever writes again;
 * bits that are set in it meanwhile go to its old bitmap.
 *
 * Why this order: a BAT entry that lands before its bitmap lets old bytes be read as bits.  A bit that lands
 * before its data shows what was there before.  A batmap bit that lands before its bitmap makes two readers
 * disagree; one that stays when its block gets another slot does so too, so it is cleared before the new BAT
 * entry is written.  The BAT is written from its own image (bat_image), which an entry enters only in the
 * flush that synced its bitmap: what readers see now (slots) may be ahead of that.
 *
 * Two images of the same thing never wait: each metadata sector has one image in memory, changed before it is
 * written, and flushes take turns, so at most one write of it is in flight.
 *
 * Errors: after a failed sync nothing is acknowledged any more [D6].  A failed write of metadata fails the
 * flush; the next flush writes it again.  ERR_NO_SPACE in a write leaves the disk as it was: a block's bitmap
 * is given its place when the block is, so that a flush needs no space.
 * Threads: any; the chain keeps writers of one sector apart, and gives zero the whole range alone.
 */
#ifndef DISK_VHD_LEAF_H
#define DISK_VHD_LEAF_H

#include "image.h"

struct vhd_image;
struct vhd_leaf;

/* Reads BAT and batmap, mends what a crash left: batmap bits without a block, footers that differ.  is_fresh:
 * the file was just made and synced, so there is nothing to read and nothing to mend. */
MUST_USE enum err vhd_leaf_open(struct vhd_image *, bool is_fresh, struct vhd_leaf **ret, struct err_note *);
/* flush, tighten: the file is as it should be */
MUST_USE enum err vhd_leaf_close(struct vhd_leaf *, struct err_note *);
void vhd_leaf_free(struct vhd_leaf *); /* writes nothing */

image_slot vhd_leaf_slot(struct vhd_leaf *, uint64_t block); /* under a hold of the chain's readers */
void vhd_leaf_slots(struct vhd_leaf *, uint64_t first, uint64_t n, image_slot *ret); /* likewise */
void vhd_leaf_load(struct vhd_leaf *, struct image_slots *ret);
MUST_USE enum err vhd_leaf_look(struct vhd_leaf *, uint64_t block, image_slot *ret,
                                uint8_t ret_bits[IMAGE_BITMAP_SIZE], struct err_note *);
bool vhd_leaf_look_now(struct vhd_leaf *, uint64_t block, image_slot *ret,
                       uint8_t ret_bits[IMAGE_BITMAP_SIZE]); /* see struct image_ops */

/* Whole sectors, within one block. */
MUST_USE enum err vhd_leaf_write(struct vhd_leaf *, const void *data, uint64_t n, uint64_t at,
                                 struct err_note *);
MUST_USE enum err vhd_leaf_zero(struct vhd_leaf *, uint64_t n, uint64_t at, bool is_over_data, bool may_free,
                                struct err_note *);
/* See struct image_ops.  bits: false where the bitmap at `where` is not in memory, so the file's is true. */
bool vhd_leaf_bits(struct vhd_leaf *, uint64_t block, uint32_t where, uint8_t ret[IMAGE_BITMAP_SIZE]);
MUST_USE enum err vhd_leaf_prepare(struct vhd_leaf *, uint64_t block, image_slot *ret, struct err_note *);
MUST_USE enum err vhd_leaf_wrote(struct vhd_leaf *, uint64_t block, uint32_t first, uint32_t n,
                                 struct err_note *);
void vhd_leaf_leave(struct vhd_leaf *, uint64_t block);
void vhd_leaf_forget_left(struct vhd_leaf *);
MUST_USE enum err vhd_leaf_punch_left(struct vhd_leaf *, struct err_note *);
/* Before it is freed: the blocks that left and were not forgotten are noted in image->unpublished. */
void vhd_leaf_keep_unpublished(struct vhd_leaf *, struct image *);
MUST_USE enum err vhd_leaf_flush(struct vhd_leaf *, struct err_note *);
uint64_t vhd_leaf_unflushed_since(struct vhd_leaf *);
/* In both footers, durable. */
MUST_USE enum err vhd_leaf_set_hidden(struct vhd_leaf *, bool is_hidden, struct err_note *);
MUST_USE enum err vhd_leaf_set_dynamic(struct vhd_leaf *, struct err_note *);
/* Its waiting bits count against the bound of all leaves from now on. */
void vhd_leaf_count(struct vhd_leaf *);
uint64_t vhd_leaf_footer_at(struct vhd_leaf *); /* where the file's end is now, bytes */

#endif
