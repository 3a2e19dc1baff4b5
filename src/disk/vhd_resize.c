// SPDX-License-Identifier: Apache-2.0
#include "vhd_resize.h"

#include <inttypes.h>
#include <string.h>

#include "mem.h"
#include "vhd_edit.h"
#include "vhd_meta.h"
#include "vhd_tables.h"

/* ---- the plan ---- */

static const char magic[8] = "vhdgrow1";

struct plan_disk {                     /* offset */
        char magic[8];                 /*   0  "vhdgrow1" */
        be32 checksum;                 /*   8  ~sum of all bytes, this field taken as 0 */
        be32 is_fixed;                 /*  12  0 or 1 */
        be64 old_size;                 /*  16  bytes, of the disk */
        be64 new_size;                 /*  24 */
        be64 file_size;                /*  32  before */
        be64 footer_at;                /*  40  of the footer at the end, before */
        uint8_t uuid[16];              /*  48  of the image */
        struct vhd_footer_disk footer; /* 64  as it stood at the end: a fixed image's, to be known again */
};
_Static_assert(sizeof(struct plan_disk) == 64 + 512, "no holes");

struct plan {
        bool is_fixed;
        uint64_t old_size, new_size, file_size, footer_at;
        struct uuid uuid;
        struct vhd_footer_disk footer;
};

static void plan_encode(const struct plan *plan, struct buf *ret) {
        struct plan_disk disk = {
                .is_fixed = be32_put(plan->is_fixed),
                .old_size = be64_put(plan->old_size),
                .new_size = be64_put(plan->new_size),
                .file_size = be64_put(plan->file_size),
                .footer_at = be64_put(plan->footer_at),
                .footer = plan->footer,
        };

        memcpy(disk.magic, magic, sizeof magic);
        memcpy(disk.uuid, plan->uuid.b, sizeof disk.uuid);
        disk.checksum = be32_put(vhd_checksum(&disk, sizeof disk, offsetof(struct plan_disk, checksum)));
        buf_fini(ret);
        buf_add(ret, &disk, sizeof disk);
}

static enum err plan_decode(const struct buf *bytes, struct plan *ret, struct err_note *note) {
        struct plan_disk disk;

        if (bytes->n != sizeof disk)
                return err_set(note, ERR_CORRUPT, "resize plan: has %zu bytes, not %zu", bytes->n,
                               sizeof disk);
        memcpy(&disk, bytes->data, sizeof disk);
        if (memcmp(disk.magic, magic, sizeof magic) != 0 ||
            be32_get(disk.checksum) != vhd_checksum(&disk, sizeof disk, offsetof(struct plan_disk, checksum)))
                return err_set(note, ERR_CORRUPT, "resize plan: is damaged");
        *ret = (struct plan){
                .is_fixed = be32_get(disk.is_fixed) != 0,
                .old_size = be64_get(disk.old_size),
                .new_size = be64_get(disk.new_size),
                .file_size = be64_get(disk.file_size),
                .footer_at = be64_get(disk.footer_at),
                .footer = disk.footer,
        };
        memcpy(ret->uuid.b, disk.uuid, sizeof disk.uuid);
        if (ret->is_fixed && (!range_fits(ret->footer_at, VHD_FOOTER_SIZE_OLD, ret->file_size) ||
                              ret->file_size - ret->footer_at > VHD_FOOTER_SIZE))
                return err_set(note, ERR_CORRUPT, "resize plan: is damaged");
        return ERR_NONE;
}

static enum err read_meta(struct io_file *file, struct vhd_meta *ret, struct err_note *note) {
        if (vhd_meta_read(file, 0, ret, note))
                return note->code;
        if (ret->footer.is_poisoned)
                return err_set(
                        note, ERR_UNSUPPORTED,
                        "an interrupted resize by another tool disabled the image: undo it with that tool");
        return ERR_NONE;
}

static enum err check_sizes(uint64_t old_size, uint64_t new_size, struct err_note *note) {
        if (new_size > VHD_MAX_SIZE)
                return err_set(note, ERR_TOO_LARGE,
                               "%" PRIu64 " bytes are more than a VHD can hold, 2040 GiB", new_size);
        if (new_size < old_size)
                return err_set(note, ERR_INVALID,
                               "%" PRIu64 " bytes are less than it has, %" PRIu64 ": a VHD can only grow",
                               new_size, old_size);
        return ERR_NONE;
}

/* The footer of a fixed image as it stands there, to be known again. */
static enum err remember_footer(struct io_file *file, struct plan *plan, struct err_note *note) {
        if (!is_multiple(plan->footer_at, VHD_SECTOR))
                return err_set(note, ERR_UNSUPPORTED,
                               "its footer is at %" PRIu64
                               ", which is not a multiple of 512: convert it first",
                               plan->footer_at);
        return io_read(file, &plan->footer, (size_t)(plan->file_size - plan->footer_at), plan->footer_at,
                       note);
}

static enum err make_plan(struct io_file *file, uint64_t new_size, struct buf *ret, struct err_note *note) {
        AUTO(vhd_tables_fini) struct vhd_tables tables = {0};
        struct vhd_meta meta;
        struct plan plan;

        if (read_meta(file, &meta, note) || check_sizes(meta.footer.size_bytes, new_size, note))
                return note->code;
        plan = (struct plan){
                .is_fixed = meta.footer.type == VHD_FIXED,
                .old_size = meta.footer.size_bytes,
                .new_size = max_u64(meta.footer.size_bytes, round_up(new_size, VHD_SECTOR)),
                .file_size = meta.file_size,
                .footer_at = meta.end_footer_at,
                .uuid = meta.footer.uuid,
        };
        if (plan.is_fixed ? remember_footer(file, &plan, note) : vhd_tables_read(file, &meta, &tables, note))
                return note->code;
        plan_encode(&plan, ret);
        return ERR_NONE;
}

enum err vhd_resize_plan(struct io_file *file, uint64_t new_size, struct buf *ret_plan,
                         struct err_note *note) {
        if (make_plan(file, new_size, ret_plan, note))
                return err_wrap(note, "resize %s", io_path(file));
        return ERR_NONE;
}

static enum err check_plan(const struct plan *plan, const struct vhd_meta *meta, struct err_note *note) {
        uint64_t size = meta->footer.size_bytes;

        if (!uuid_equal(&plan->uuid, &meta->footer.uuid))
                return err_set(note, ERR_MISMATCH, "the resize plan is for the image %s, this is %s",
                               uuid_format(&plan->uuid).s, uuid_format(&meta->footer.uuid).s);
        if (size != plan->old_size && size != plan->new_size)
                return err_set(note, ERR_MISMATCH,
                               "the resize plan goes from %" PRIu64 " to %" PRIu64
                               " bytes, the image has %" PRIu64,
                               plan->old_size, plan->new_size, size);
        return ERR_NONE;
}

/* ---- dynamic, differencing ---- */

static enum err write_new_size(struct io_file *file, const struct vhd_meta *meta, uint64_t size,
                               struct err_note *note) {
        struct vhd_footer footer = meta->footer;

        if (footer.size_bytes != size)
                vhd_footer_resize(&footer, size);
        return vhd_edit_write_footers(file, meta, &footer, note);
}

static enum err grow_tables(struct io_file *file, const struct vhd_meta *meta, uint64_t new_size,
                            struct err_note *note) {
        AUTO(vhd_tables_fini) struct vhd_tables tables = {0};

        /* What was read is durable, so that no slot is taken that an older BAT on disk still names. */
        if (io_sync(file, note) || vhd_tables_read(file, meta, &tables, note) ||
            vhd_tables_clear_past_end(&tables, note))
                return note->code;
        if (!vhd_tables_have_room(&tables, vhd_blocks_of(new_size)) &&
            vhd_tables_make_room(&tables, vhd_blocks_of(new_size), note))
                return note->code;
        return write_new_size(file, &tables.meta, new_size, note);
}

/* ---- fixed ---- */

static enum err zero_range(struct io_file *file, uint64_t from, uint64_t to, struct err_note *note) {
        static const uint8_t zeros[64 * 1024];

        if (from >= to)
                return ERR_NONE;
        if (!io_punch(file, to - from, from, note))
                return ERR_NONE;
        if (note->code != ERR_UNSUPPORTED)
                return note->code;
        for (; from < to; from += min_u64(to - from, sizeof zeros))
                if (io_write(file, zeros, (size_t)min_u64(to - from, sizeof zeros), from, note))
                        return note->code;
        return ERR_NONE;
}

/* The old footer, where it still stands, is the disk's now, and zeros.  Behind a footer at the new end that
 * is durable. */
static enum err zero_old_footer(struct io_file *file, const struct plan *plan, struct err_note *note) {
        uint8_t bytes[VHD_FOOTER_SIZE];
        uint64_t n = plan->file_size - plan->footer_at; /* 512, or the 511 of old Virtual PC */

        if (plan->footer_at >= plan->new_size)
                return ERR_NONE; /* it lies past the new end as well, and was written over */
        if (io_read(file, bytes, (size_t)n, plan->footer_at, note))
                return note->code;
        /* Anything else may be a guest's by now; zeros may be those of a try that was never synced. */
        if (memcmp(bytes, &plan->footer, (size_t)n) != 0 && !bytes_are_zero(bytes, (size_t)n))
                return ERR_NONE;
        memset(bytes, 0, sizeof bytes);
        if (io_write(file, bytes, (size_t)n, plan->footer_at, note) || io_sync(file, note))
                return err_wrap(note, "zero the old footer");
        return ERR_NONE;
}

/* It has a footer of the new size, perhaps one that was never synced: written once more, it is. */
static enum err finish_fixed(struct io_file *file, const struct vhd_meta *meta, const struct plan *plan,
                             struct err_note *note) {
        if (vhd_edit_write_footers(file, meta, &meta->footer, note))
                return note->code;
        return zero_old_footer(file, plan, note);
}

static enum err grow_fixed(struct io_file *file, const struct vhd_meta *meta, const struct plan *plan,
                           struct err_note *note) {
        uint64_t end = max_u64(plan->new_size, plan->footer_at);
        struct vhd_footer footer = meta->footer;
        struct vhd_footer_disk disk;
        struct err_note ignored;

        if (plan->new_size == plan->old_size)
                return ERR_NONE;
        /* What lies between the disk and its footer becomes the disk's. */
        if (plan->footer_at > plan->old_size &&
            (zero_range(file, plan->old_size, min_u64(plan->footer_at, plan->new_size), note) ||
             io_sync(file, note)))
                return note->code;
        vhd_footer_resize(&footer, plan->new_size);
        vhd_footer_encode(&footer, &disk);
        if (io_truncate(file, max_u64(end + sizeof disk, plan->file_size), note) ||
            io_write(file, &disk, sizeof disk, end, note)) {
                (void)!io_truncate(file, plan->file_size, &ignored); /* the old footer is the last again */
                return err_wrap(note, "grow the file");
        }
        if (io_sync(file, note))
                return err_wrap(note, "grow the file");
        return zero_old_footer(file, plan, note);
}

/* The file grew and its new footer did not get there: the old one tells where it ended. */
static enum err undo_fixed(struct io_file *file, const struct plan *plan, struct err_note *note) {
        struct vhd_footer_disk disk = {0};
        struct vhd_footer end;
        struct err_note ignored;
        struct io_stat stat;

        if (io_stat(file, &stat, note))
                return note->code;
        if (stat.size <= plan->file_size)
                return ERR_NONE;
        if (io_read(file, &disk, sizeof disk, stat.size - sizeof disk, note))
                return note->code;
        if (!vhd_footer_decode(&disk, &end, &ignored) && end.type == VHD_FIXED &&
            uuid_equal(&end.uuid, &plan->uuid))
                return ERR_NONE; /* it did */
        memset(&disk, 0, sizeof disk);
        if (io_read(file, &disk, (size_t)(plan->file_size - plan->footer_at), plan->footer_at, note))
                return note->code;
        if (memcmp(&disk, &plan->footer, sizeof disk) != 0)
                return err_set(note, ERR_CORRUPT,
                               "neither the old footer at %" PRIu64 " nor a new one is there",
                               plan->footer_at);
        if (io_truncate(file, plan->file_size, note) || io_sync(file, note))
                return err_wrap(note, "cut it to its old size");
        return ERR_NONE;
}

/* ---- verbs ---- */

static enum err apply(struct io_file *file, const struct buf *bytes, struct err_note *note) {
        struct plan plan;
        struct vhd_meta meta;

        if (plan_decode(bytes, &plan, note) || read_meta(file, &meta, note) || check_plan(&plan, &meta, note))
                return note->code;
        if (plan.is_fixed)
                return meta.footer.size_bytes == plan.new_size ? finish_fixed(file, &meta, &plan, note)
                                                               : grow_fixed(file, &meta, &plan, note);
        if (vhd_edit_finish_header(file, &meta, note))
                return note->code;
        if (meta.footer.size_bytes == plan.new_size)
                return write_new_size(file, &meta, plan.new_size, note);
        if (vhd_tables_drop_bad_batmap(file, &meta, note))
                return note->code;
        return grow_tables(file, &meta, plan.new_size, note);
}

enum err vhd_resize_apply(struct io_file *file, const struct buf *plan, struct err_note *note) {
        if (apply(file, plan, note))
                return err_wrap(note, "resize %s", io_path(file));
        return ERR_NONE;
}

static enum err recover_fixed(struct io_file *file, const struct plan *plan, uint64_t *ret_size,
                              struct err_note *note) {
        struct vhd_meta meta;

        /* First: as long as it has no footer at its end, its first bytes, a guest's, would be asked what it
         * is. */
        if (undo_fixed(file, plan, note) || read_meta(file, &meta, note) || check_plan(plan, &meta, note))
                return note->code;
        *ret_size = meta.footer.size_bytes;
        return meta.footer.size_bytes == plan->new_size ? finish_fixed(file, &meta, plan, note) : ERR_NONE;
}

static enum err recover_tables(struct io_file *file, const struct plan *plan, uint64_t *ret_size,
                               struct err_note *note) {
        struct vhd_meta meta;

        if (read_meta(file, &meta, note) || check_plan(plan, &meta, note) ||
            vhd_edit_finish_header(file, &meta, note) || vhd_tables_drop_bad_batmap(file, &meta, note))
                return note->code;
        *ret_size = meta.footer.size_bytes;
        /* Both footers say the same, whichever it is: where one says the new size the table has room for it.
         */
        return write_new_size(file, &meta, meta.footer.size_bytes, note);
}

enum err vhd_resize_recover(struct io_file *file, const struct buf *bytes, uint64_t *ret_size,
                            struct err_note *note) {
        struct plan plan;

        if (plan_decode(bytes, &plan, note) || (plan.is_fixed ? recover_fixed(file, &plan, ret_size, note)
                                                              : recover_tables(file, &plan, ret_size, note)))
                return err_wrap(note, "recover the resize of %s", io_path(file));
        return ERR_NONE;
}
