// SPDX-License-Identifier: Apache-2.0
#include "vhd_image.h"

#include "flat_image.h"
#include "mem.h"
#include "vhd_bat.h"
#include "vhd_bitmap.h"
#include "vhd_leaf.h"
#include "parent_search.h"

enum { BAT_PIECE = 16384 }; /* entries read at a time */

enum err vhd_image_check_entry(const struct vhd_image *vhd, uint64_t block, uint32_t entry, bool may_be_cut,
                               struct err_note *note) {
        enum vhd_bat_fault fault = vhd_bat_fault_of(entry, &vhd->reserved, vhd->meta.end_footer_at);

        if (fault == VHD_BAT_GOOD || (fault == VHD_BAT_CUT && may_be_cut))
                return ERR_NONE;
        if (vhd_bat_check_entry((uint32_t)block, entry, &vhd->reserved, vhd->meta.end_footer_at, note))
                return err_wrap(note, "%s (see `catena vhd check`)", vhd->image.path);
        return ERR_NONE;
}

static enum err visit_piece(const be32 *piece, uint32_t n, uint64_t first, vhd_bat_visit visit, void *user,
                            struct err_note *note) {
        for (uint32_t group = 0; group < n; group += VHD_BAT_GROUP)
                for (unsigned used = vhd_bat_used_of(piece + group); used; used &= used - 1) {
                        uint32_t i = group + (uint32_t)__builtin_ctz(used);

                        if (visit(user, first + i, be32_get(piece[i]), note))
                                return note->code;
                }
        return ERR_NONE;
}

enum err vhd_image_each_block(struct vhd_image *vhd, vhd_bat_visit visit, void *user, struct err_note *note) {
        uint64_t n = image_blocks(&vhd->image);
        be32 piece[BAT_PIECE];

        for (uint64_t first = 0; first < n; first += BAT_PIECE) {
                uint32_t count = (uint32_t)min_u64(BAT_PIECE, n - first);
                uint32_t filled = (uint32_t)round_up(count, VHD_BAT_GROUP);

                memset(piece + count, 0xff, (filled - count) * sizeof *piece);
                if (io_read(vhd->image.file, piece, count * sizeof *piece,
                            vhd->meta.header.table_offset + first * sizeof *piece, note))
                        return err_wrap(note, "%s: read BAT", vhd->image.path);
                if (visit_piece(piece, count, first, visit, user, note))
                        return note->code;
        }
        return ERR_NONE;
}

/* Only bits that the checksum covers are believed: libvhd leaves the last ones out of it. */
enum err vhd_image_batmap(struct vhd_image *vhd, uint8_t **ret, struct err_note *note) {
        uint64_t n = image_blocks(&vhd->image);
        uint64_t covered = vhd_batmap_sum_length(vhd->meta.footer.size_bytes) * 8;
        AUTO_FREE uint8_t *map = NULL;
        enum err e;

        *ret = NULL;
        if (!vhd->meta.has_batmap)
                return ERR_NONE;
        map = mem_zero(round_up(div_up(n, 8), SECTOR));
        e = vhd_meta_read_batmap(vhd->image.file, &vhd->meta, map, n, note);
        if (e == ERR_CORRUPT || e == ERR_CUT_SHORT)
                return ERR_NONE;
        if (e)
                return err_wrap(note, "%s: read batmap", vhd->image.path);
        for (uint64_t block = covered; block < n; block++)
                vhd_bitmap_clear(map, (uint32_t)block);
        *ret = TAKE(map);
        return ERR_NONE;
}

static struct vhd_leaf *leaf_of(struct image *image) {
        return atomic_load(&vhd_image_of(image)->leaf);
}

struct load {
        struct vhd_image *vhd;     /* borrowed */
        struct image_slots *slots; /* borrowed */
        const uint8_t *batmap;     /* borrowed; may be NULL */
};

static enum err load_block(void *user, uint64_t block, uint32_t entry, struct err_note *note) {
        struct load *load = user;

        if (!vhd_bat_is_plainly_good(entry, &load->vhd->reserved, load->vhd->meta.end_footer_at) &&
            vhd_image_check_entry(load->vhd, block, entry, true, note))
                return note->code;
        *vec_add(&load->slots->held) = (struct image_held){
                block, slot_make(entry, load->batmap && vhd_bitmap_test(load->batmap, (uint32_t)block))};
        return ERR_NONE;
}

static enum err vhd_load(struct image *image, struct image_slots *ret, struct err_note *note) {
        struct vhd_image *vhd = vhd_image_of(image);
        AUTO_FREE uint8_t *batmap = NULL;

        if (leaf_of(image)) {
                vhd_leaf_load(leaf_of(image), ret);
                return ERR_NONE;
        }
        if (vhd_image_batmap(vhd, &batmap, note))
                return note->code;
        return vhd_image_each_block(vhd, load_block, &(struct load){vhd, ret, batmap}, note);
}

/* A bitmap that is not in memory is on disk as it is. */
static enum err vhd_bitmap_read(struct image *image, uint64_t block, image_slot slot,
                                uint8_t ret[IMAGE_BITMAP_SIZE], struct err_note *note) {
        struct vhd_leaf *leaf = leaf_of(image);

        if (leaf && vhd_leaf_bits(leaf, block, slot_where(slot), ret))
                return ERR_NONE;
        if (io_read(image->file, ret, IMAGE_BITMAP_SIZE, (uint64_t)slot_where(slot) * SECTOR, note))
                return err_wrap(note, "%s: read bitmap of block %llu", image->path,
                                (unsigned long long)block);
        return ERR_NONE;
}

static image_slot vhd_slot(struct image *image, uint64_t block) {
        return vhd_leaf_slot(leaf_of(image), block);
}
static void vhd_slots(struct image *image, uint64_t first, uint64_t n, image_slot *ret) {
        vhd_leaf_slots(leaf_of(image), first, n, ret);
}
static enum err vhd_look(struct image *image, uint64_t block, image_slot *ret,
                         uint8_t ret_bits[IMAGE_BITMAP_SIZE], struct err_note *note) {
        return vhd_leaf_look(leaf_of(image), block, ret, ret_bits, note);
}

static bool vhd_look_now(struct image *image, uint64_t block, image_slot *ret,
                         uint8_t ret_bits[IMAGE_BITMAP_SIZE]) {
        return vhd_leaf_look_now(leaf_of(image), block, ret, ret_bits);
}
static enum err vhd_write(struct image *image, const void *data, uint64_t n, uint64_t at,
                          struct err_note *note) {
        return vhd_leaf_write(leaf_of(image), data, n, at, note);
}
static enum err vhd_zero(struct image *image, uint64_t n, uint64_t at, bool is_over_data, bool may_free,
                         struct err_note *note) {
        return vhd_leaf_zero(leaf_of(image), n, at, is_over_data, may_free, note);
}
static enum err vhd_flush(struct image *image, struct err_note *note) {
        return vhd_leaf_flush(leaf_of(image), note);
}
static uint64_t vhd_unflushed_since(struct image *image) {
        return vhd_leaf_unflushed_since(leaf_of(image));
}

static enum err vhd_tidy(struct image *image, struct err_note *note) {
        return vhd_leaf_close(leaf_of(image), note);
}

static enum err vhd_prepare(struct image *image, uint64_t block, image_slot *ret, struct err_note *note) {
        return vhd_leaf_prepare(leaf_of(image), block, ret, note);
}
static enum err vhd_wrote(struct image *image, uint64_t block, uint32_t first_sector, uint32_t n,
                          struct err_note *note) {
        return vhd_leaf_wrote(leaf_of(image), block, first_sector, n, note);
}
static void vhd_leave(struct image *image, uint64_t block) {
        vhd_leaf_leave(leaf_of(image), block);
}
static void vhd_forget_left(struct image *image) {
        vhd_leaf_forget_left(leaf_of(image));
}
static enum err vhd_punch_left(struct image *image, struct err_note *note) {
        return vhd_leaf_punch_left(leaf_of(image), note);
}

static enum err refuse_what_is_not_ours_to_use(const struct vhd_image *vhd, bool for_writing,
                                               struct err_note *note) {
        if (vhd->meta.footer.is_poisoned && for_writing)
                return err_set(
                        note, ERR_BUSY,
                        "a resize of this file was interrupted; finish or undo it with vhd-util revert");
        if (vhd_header_check_size(&vhd->meta.header, vhd->meta.footer.size_bytes, note))
                return note->code;
        if (vhd->meta.has_batmap && vhd_batmap_check_plain(&vhd->meta.batmap, note))
                return note->code;
        return ERR_NONE;
}

/* ---- beginning and ending a write side ---- */

/* It may have grown: while its table stays where it was, no block has moved. */
static enum err check_same(const struct vhd_image *vhd, const struct vhd_meta *now, struct err_note *note) {
        const struct vhd_meta *then = &vhd->meta;

        if (now->footer.type != VHD_FIXED && now->footer.size_bytes >= vhd->image.size &&
            uuid_equal(&now->footer.uuid, &then->footer.uuid) &&
            now->header.table_offset == then->header.table_offset)
                return ERR_NONE;
        return err_set(note, ERR_MISMATCH, "%s was made smaller or given another table while it was open",
                       vhd->image.path);
}

static enum err look_again(struct vhd_image *vhd, struct err_note *note) {
        struct vhd_meta meta;

        if (vhd_meta_read(vhd->image.file, 0, &meta, note) || check_same(vhd, &meta, note))
                return note->code;
        vhd->meta = meta;
        vhd->image.size = meta.footer.size_bytes;
        vhd->image.is_hidden = meta.footer.is_hidden;
        if (vhd_meta_reserved(&vhd->meta, &vhd->reserved, note) ||
            refuse_what_is_not_ours_to_use(vhd, true, note))
                return note->code;
        return ERR_NONE;
}

/* Footers and parent may have been changed since it was opened: all that is written from now on is made of
 * what they say now. */
static enum err vhd_begin(struct image *image, struct err_note *note) {
        struct vhd_image *vhd = vhd_image_of(image);
        struct vhd_leaf *leaf;

        if (look_again(vhd, note) || vhd_leaf_open(vhd, false, &leaf, note))
                return note->code;
        image->unpublished.n = 0;
        atomic_store(&image->data_end, UINT64_MAX);
        atomic_store(&vhd->leaf, leaf);
        return ERR_NONE;
}

static enum err vhd_set_hidden(struct image *image, bool is_hidden, struct err_note *note) {
        return vhd_leaf_set_hidden(leaf_of(image), is_hidden, note);
}

static void vhd_begin_leaf(struct image *image) {
        vhd_leaf_count(leaf_of(image));
}

static void vhd_end(struct image *image) {
        struct vhd_image *vhd = vhd_image_of(image);
        struct vhd_leaf *leaf = atomic_exchange(&vhd->leaf, NULL);

        if (!leaf)
                return;
        image_wait_readers(image);
        vhd_leaf_keep_unpublished(leaf, image);
        vhd->meta.end_footer_at = vhd_leaf_footer_at(leaf);
        vhd->meta.file_size = vhd->meta.end_footer_at + VHD_FOOTER_SIZE;
        vhd_leaf_free(leaf);
}

static const struct image_ops vhd_ops = {
        .kind = "vhd",
        .load = vhd_load,
        .bitmap = vhd_bitmap_read,
        .slot = vhd_slot,
        .slots = vhd_slots,
        .look = vhd_look,
        .look_now = vhd_look_now,
        .write = vhd_write,
        .zero = vhd_zero,
        .flush = vhd_flush,
        .unflushed_since = vhd_unflushed_since,
        .tidy = vhd_tidy,
        .prepare = vhd_prepare,
        .wrote = vhd_wrote,
        .leave = vhd_leave,
        .forget_left = vhd_forget_left,
        .punch_left = vhd_punch_left,
        .set_hidden = vhd_set_hidden,
        .begin = vhd_begin,
        .begin_leaf = vhd_begin_leaf,
        .end = vhd_end,
        .free = vhd_end,
};

static void fill_common(struct vhd_image *vhd) {
        const struct vhd_footer *footer = &vhd->meta.footer;
        struct image *image = &vhd->image;

        image->ops = &vhd_ops;
        image->size = footer->size_bytes;
        image->data_skip = VHD_BITMAP_SIZE;
        image->data_end = image->is_leaf ? UINT64_MAX : vhd->meta.end_footer_at;
        image->uuid = footer->uuid;
        image->is_hidden = footer->is_hidden;
        image->has_parent = footer->type == VHD_DIFFERENCING;
        image->parent_uuid = vhd->meta.header.parent_uuid;
        image->parent_is_raw = vhd_header_has_raw_parent(&vhd->meta.header, footer->type);
}

static void vhd_image_drop(struct vhd_image *vhd) {
        vhd_end(&vhd->image);
        pthread_mutex_destroy(&vhd->image.readers_lock);
        free(vhd->image.path);
        free(vhd);
}
DEFINE_AUTO(struct vhd_image *, vhd_image_drop);

enum err vhd_image_new(struct images *images, struct io_file *file, bool as_leaf, bool is_fresh,
                       struct image **ret, struct err_note *note) {
        AUTO(vhd_image_drop) struct vhd_image *vhd = mem_new(struct vhd_image);
        struct vhd_leaf *leaf = NULL;

        image_init(&vhd->image);
        if (vhd_meta_read(file, 0, &vhd->meta, note))
                return note->code;
        if (vhd->meta.footer.type == VHD_FIXED)
                return flat_image_new_fixed(images, file, &vhd->meta.footer, as_leaf, ret, note);

        vhd->image.is_leaf = as_leaf;
        vhd->image.images = images;
        vhd->image.file = file;
        vhd->image.path = mem_text(io_path(file));
        if (vhd_reserved_of(&vhd->meta.footer, &vhd->meta.header, vhd->meta.has_batmap,
                            vhd->meta.batmap.map_offset, vhd->meta.batmap.map_size_bytes, &vhd->reserved,
                            note) ||
            refuse_what_is_not_ours_to_use(vhd, as_leaf, note))
                return note->code;
        fill_common(vhd);
        if (as_leaf && vhd_leaf_open(vhd, is_fresh, &leaf, note))
                return note->code;
        atomic_store(&vhd->leaf, leaf);
        *ret = &TAKE(vhd)->image;
        return ERR_NONE;
}
