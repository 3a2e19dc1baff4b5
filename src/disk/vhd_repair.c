// SPDX-License-Identifier: Apache-2.0
/* The mending half of vhd_check.h.  Each step looks for itself at what is there, so that a repair that was
 * cut off is finished by the next; and is durable before the next step relies on it. */
#include "vhd_check.h"

#include <string.h>

#include "mem.h"
#include "vhd_bitmap.h"
#include "vhd_bitmaps.h"
#include "vhd_edit.h"
#include "vhd_meta.h"

static bool is_about_content(enum err err) {
        return err == ERR_CORRUPT || err == ERR_UNSUPPORTED;
}

/* ---- footers, header ---- */

/* From one another: at each instant the one that was valid stands. */
static enum err mend_footers(struct io *io, struct io_file *file, struct err_note *note) {
        struct vhd_meta meta;
        uint8_t dice[16];

        if (vhd_meta_read_footers(file, VHD_META_REPAIR, &meta, note))
                return note->code;
        if (meta.footer.is_poisoned)
                return ERR_NONE;
        if (meta.end_state == VHD_PART_DAMAGED && vhd_meta_read(file, VHD_META_REPAIR, &meta, note))
                return is_about_content(note->code) ? ERR_NONE
                                                    : note->code; /* where it belongs is not known */
        if (meta.copy_state == VHD_PART_VALID && meta.end_state == VHD_PART_VALID &&
            !uuid_is_null(&meta.footer.uuid))
                return ERR_NONE;
        if (uuid_is_null(&meta.footer.uuid)) {
                io_random(io, dice, sizeof dice);
                meta.footer.uuid = uuid_from_random(dice);
        }
        return vhd_edit_write_footers(file, &meta, &meta.footer, note);
}

/* ---- BAT, batmap ---- */

struct tables {
        struct vhd_meta meta;
        struct vhd_reserved reserved;
        uint32_t *bat;   /* owned */
        uint8_t *before; /* owned; the batmap as it is, zeros where there is none that counts */
        uint8_t *after;  /* owned; as it shall be */
        uint32_t n;      /* blocks */
        size_t map_size; /* bytes of each map that matter */
        bool is_sealed;  /* before counts */
};

static void tables_fini(struct tables *t) {
        free(t->bat);
        free(t->before);
        free(t->after);
}
DEFINE_AUTO_IN_PLACE(struct tables, tables_fini);

static enum vhd_bat_fault fault_of(const struct tables *t, uint32_t block) {
        return vhd_bat_fault_of(t->bat[block], &t->reserved, t->meta.end_footer_at);
}

static enum err read_tables(struct io_file *file, struct tables *t, struct err_note *note) {
        t->n = (uint32_t)vhd_meta_blocks(&t->meta);
        t->map_size = (size_t)round_up(div_up(t->n, 8), VHD_SECTOR);
        t->bat = mem_try(t->n, sizeof *t->bat);
        t->before = mem_zero(t->map_size);
        t->after = mem_zero(t->map_size);
        if (!t->bat)
                return err_set(note, ERR_NO_MEMORY, "repair a BAT of %u entries: out of memory", t->n);
        (void)!vhd_meta_reserved(&t->meta, &t->reserved, note);
        if (vhd_meta_read_bat(file, &t->meta, t->bat, t->n, note))
                return note->code;
        if (!t->meta.has_batmap)
                return ERR_NONE;
        if (vhd_meta_read_batmap(file, &t->meta, t->before, t->n, note)) {
                memset(t->before, 0, t->map_size);
                return note->code == ERR_CORRUPT ? ERR_NONE : note->code;
        }
        t->is_sealed = true;
        return ERR_NONE;
}

static enum err set_if_full(void *user, uint32_t block, const uint8_t bits[VHD_BITMAP_SIZE],
                            struct err_note *note) {
        struct tables *t = user;
        uint64_t n = min_u64(t->meta.footer.size_bytes - block * VHD_BLOCK_SIZE, VHD_BLOCK_SIZE) / VHD_SECTOR;

        (void)note;
        if (vhd_bitmap_next_clear(bits, 0, (uint32_t)n) == n)
                vhd_bitmap_set(t->after, block);
        return ERR_NONE;
}

/* May the block have a bit?  One that is cut off is not all there, but a sealed batmap's word for it stands.
 */
static bool may_have_bit(const struct tables *t, uint32_t block) {
        if (t->bat[block] == VHD_BAT_UNUSED || (t->is_sealed && !vhd_bitmap_test(t->before, block)))
                return false;
        if (t->is_sealed)
                return fault_of(t, block) != VHD_BAT_OUTSIDE &&
                       range_fits((uint64_t)t->bat[block] * VHD_SECTOR, VHD_BITMAP_SIZE, t->meta.file_size);
        return fault_of(t, block) == VHD_BAT_GOOD;
}

/* A bit for each block that is all there; where the old batmap counts, no bit that it does not have. */
static enum err make_map(struct io *io, struct io_file *file, struct tables *t, struct err_note *note) {
        AUTO(vhd_bitmaps_fini) struct vhd_bitmaps bitmaps = {0};

        for (uint32_t i = 0; i < t->n; i++)
                if (may_have_bit(t, i))
                        vhd_bitmaps_add(&bitmaps, i, t->bat[i]);
        return vhd_bitmaps_read(&bitmaps, io, file, set_if_full, t, note);
}

/* The map, then the header that seals it.  Between the two its checksum is wrong, and whoever looks drops it:
 * it is a hint. */
static enum err write_batmap(struct io_file *file, struct tables *t, struct err_note *note) {
        struct vhd_batmap *batmap = &t->meta.batmap;
        struct vhd_batmap_disk disk;

        if (!t->meta.has_batmap)
                vhd_batmap_init(batmap, t->meta.batmap_header_at + VHD_BATMAP_HEADER_SIZE,
                                t->meta.header.max_bat_entries);
        vhd_batmap_seal(batmap, (struct span){t->after, t->map_size}, t->meta.footer.size_bytes);
        vhd_batmap_encode(batmap, &disk);
        if (io_write(file, t->after, (size_t)min_u64(t->map_size, batmap->map_size_bytes), batmap->map_offset,
                     note) ||
            io_sync(file, note) || io_write(file, &disk, sizeof disk, t->meta.batmap_header_at, note) ||
            io_sync(file, note))
                return err_wrap(note, "write the batmap");
        return ERR_NONE;
}

static enum err mend_batmap(struct io *io, struct io_file *file, struct tables *t, struct err_note *note) {
        if (!t->meta.has_batmap &&
            (!t->meta.batmap_note.code || !vhd_meta_has_batmap_room(&t->meta, t->bat, t->n)))
                return ERR_NONE;
        if (make_map(io, file, t, note))
                return note->code;
        if (t->is_sealed && memcmp(t->before, t->after, t->map_size) == 0)
                return ERR_NONE;
        return write_batmap(file, t, note);
}

/* Behind the batmap, which has no bit for them any more: a bit never stands without its entry. */
static enum err drop_entries(struct io_file *file, const struct tables *t, struct err_note *note) {
        const be32 unused = be32_put(VHD_BAT_UNUSED);
        bool any = false;

        for (uint32_t i = 0; i < t->n; i++) {
                if (fault_of(t, i) != VHD_BAT_OUTSIDE)
                        continue;
                if (io_write(file, &unused, sizeof unused, t->meta.header.table_offset + (uint64_t)i * 4,
                             note))
                        return err_wrap(note, "drop BAT entry %u", i);
                any = true;
        }
        return any ? io_sync(file, note) : ERR_NONE;
}

static enum err mend_tables(struct io *io, struct io_file *file, const struct vhd_meta *meta,
                            struct err_note *note) {
        AUTO(tables_fini) struct tables t = {.meta = *meta};

        if (read_tables(file, &t, note))
                return note->code == ERR_CORRUPT ? ERR_NONE : note->code;
        if (mend_batmap(io, file, &t, note) || drop_entries(file, &t, note))
                return note->code;
        return ERR_NONE;
}

/* ---- parent ---- */

/* What is at the path is the parent that the header means. */
static enum err know_parent(struct io *io, const struct vhd_meta *meta, const char *path,
                            struct vhd_parent *ret, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_parent parent = {.path = path, .is_raw = uuid_is_null(&meta->header.parent_uuid)};
        struct vhd_meta found;
        struct io_stat stat;

        if (io_open(io, path, IO_READ, &file, note) || io_stat(file, &stat, note))
                return note->code;
        parent.modified_seconds = stat.modified_ns / 1000000000;
        if (!parent.is_raw) {
                if (vhd_meta_read_footers(file, 0, &found, note))
                        return err_wrap(note, "read %s", path);
                parent.uuid = found.footer.uuid;
        }
        if (!uuid_equal(&parent.uuid, &meta->header.parent_uuid))
                return err_set(note, ERR_MISMATCH, "%s has the uuid %s, the parent that is meant has %s",
                               path, uuid_format(&parent.uuid).s, uuid_format(&meta->header.parent_uuid).s);
        *ret = parent;
        return ERR_NONE;
}

/* Asked before anything is changed. */
static enum err check_parent_path(struct io *io, struct io_file *file, const char *path,
                                  struct err_note *note) {
        struct vhd_parent ignored;
        struct vhd_meta meta;

        if (vhd_meta_read(file, VHD_META_REPAIR, &meta, note))
                return is_about_content(note->code) ? ERR_NONE : note->code; /* the findings say so */
        if (meta.footer.type != VHD_DIFFERENCING)
                return err_set(note, ERR_INVALID, "a %s image has no parent",
                               vhd_type_name(meta.footer.type));
        return know_parent(io, &meta, path, &ignored, note);
}

static enum err mend_names(struct io *io, struct io_file *file, const struct vhd_meta *meta, const char *path,
                           struct err_note *note) {
        struct vhd_parent parent;

        if (know_parent(io, meta, path, &parent, note))
                return note->code;
        return vhd_edit_set_parent(io, file, &parent, note);
}

/* ---- all of it ---- */

static enum err mend(struct io *io, struct io_file *file, const char *parent_path, struct err_note *note) {
        struct vhd_meta meta;

        if (mend_footers(io, file, note))
                return note->code;
        if (vhd_meta_read(file, 0, &meta, note))
                return is_about_content(note->code) ? ERR_NONE : note->code; /* the findings say so */
        if (meta.footer.is_poisoned || meta.footer.type == VHD_FIXED)
                return ERR_NONE;
        if (vhd_edit_finish_header(file, &meta, note) || mend_tables(io, file, &meta, note))
                return note->code;
        return parent_path ? mend_names(io, file, &meta, parent_path, note) : ERR_NONE;
}

enum err vhd_repair(struct io *io, const char *path, const char *parent_path, bool is_dry_run,
                    struct findings *ret, struct err_note *note) {
        unsigned flags = VHD_CHECK_BITMAPS | (parent_path ? VHD_CHECK_PARENT : 0);
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(io, path, is_dry_run ? IO_READ : IO_WRITE, &file, note) ||
            io_lock(file, is_dry_run ? IO_SHARED : IO_EXCLUSIVE, note) ||
            (parent_path && check_parent_path(io, file, parent_path, note)))
                return err_wrap(note, "repair %s", path);
        if (vhd_check_file(io, file, flags, ret, note))
                return note->code;
        if (!is_dry_run && mend(io, file, parent_path, note))
                return err_wrap(note, "repair %s", path);
        return ERR_NONE;
}
