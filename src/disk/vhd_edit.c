// SPDX-License-Identifier: Apache-2.0
#include "vhd_edit.h"

#include <inttypes.h>
#include <string.h>

#include "mem.h"

/* ---- footers ---- */

enum err vhd_edit_write_footers(struct io_file *file, const struct vhd_meta *meta,
                                const struct vhd_footer *footer, struct err_note *note) {
        struct vhd_footer_disk disk;

        vhd_footer_encode(footer, &disk);
        if (io_write(file, &disk, sizeof disk, meta->end_footer_at, note) || io_sync(file, note))
                return err_wrap(note, "write the footer");
        if (footer->type == VHD_FIXED)
                return ERR_NONE;
        /* One of the two is durable at each instant: without the sync above a crash could take both. */
        if (io_write(file, &disk, sizeof disk, 0, note) || io_sync(file, note))
                return err_wrap(note, "write the footer copy");
        return ERR_NONE;
}

/* The first sector of [at, end) that is that footer; end where there is none. */
static enum err find_footer(struct io_file *file, const struct vhd_footer_disk *footer, uint64_t at,
                            uint64_t end, uint64_t *ret, struct err_note *note) {
        struct vhd_footer_disk piece[128];

        for (size_t n; at < end; at += n) {
                n = (size_t)min_u64(sizeof piece, end - at);
                if (io_read(file, piece, n, at, note))
                        return note->code;
                for (size_t i = 0; i < n / sizeof *piece; i++)
                        if (memcmp(&piece[i], footer, sizeof *footer) == 0) {
                                *ret = at + i * sizeof *piece;
                                return ERR_NONE;
                        }
        }
        *ret = end;
        return ERR_NONE;
}

/* A growth first makes the file longer; the footer at its old end stands until data goes over it.  Nothing
 * but that footer, all bytes of it, is taken for it. */
static enum err take_back_growth(struct io_file *file, struct vhd_meta *meta, bool *ret_did,
                                 struct err_note *note) {
        uint64_t n = vhd_meta_blocks(meta), end = round_down(meta->file_size, VHD_SECTOR), at;
        AUTO_FREE uint32_t *bat = mem_try((size_t)n, sizeof *bat);
        struct vhd_footer_disk footer;

        if (!bat)
                return err_set(note, ERR_NO_MEMORY, "read a BAT of %" PRIu64 " entries: out of memory", n);
        vhd_footer_encode(&meta->footer, &footer);
        if (vhd_meta_read_bat(file, meta, bat, n, note) ||
            find_footer(file, &footer, vhd_meta_data_end(meta, bat, n), end, &at, note))
                return note->code;
        *ret_did = at < end;
        if (!*ret_did)
                return ERR_NONE;
        if (io_truncate(file, at + sizeof footer, note) || io_sync(file, note))
                return note->code;
        meta->file_size = at + sizeof footer;
        meta->end_footer_at = at;
        meta->end_state = VHD_PART_VALID;
        return ERR_NONE;
}

enum err vhd_edit_mend_footers(struct io_file *file, struct vhd_meta *meta, struct err_note *note) {
        bool has_ended = meta->end_state != VHD_PART_DAMAGED, did_take_back;
        struct err_note why;
        enum err e;

        if (meta->copy_state == VHD_PART_VALID && meta->end_state == VHD_PART_VALID)
                return ERR_NONE;
        e = vhd_edit_write_footers(file, meta, &meta->footer, note);
        if (e != ERR_NO_SPACE || has_ended || meta->footer.type == VHD_FIXED)
                return e;
        if (take_back_growth(file, meta, &did_take_back, &why)) {
                *note = why;
                return why.code;
        }
        return did_take_back ? ERR_NONE : e;
}

static enum err read_for_writing(struct io_file *file, struct vhd_meta *ret, struct err_note *note) {
        if (vhd_meta_read(file, 0, ret, note))
                return note->code;
        if (ret->footer.is_poisoned)
                return err_set(
                        note, ERR_UNSUPPORTED,
                        "an interrupted resize by another tool disabled the image: undo it with that tool");
        return ERR_NONE;
}

enum err vhd_edit_set_hidden(struct io_file *file, bool is_hidden, struct err_note *note) {
        const char *what = is_hidden ? "hide" : "unhide";
        struct vhd_meta meta;

        if (read_for_writing(file, &meta, note))
                return err_wrap(note, "%s %s", what, io_path(file));
        /* Written even where it says so already: whoever wrote that may have failed to sync it. */
        if (vhd_edit_mend_footers(file, &meta, note))
                return err_wrap(note, "%s %s", what, io_path(file));
        meta.footer.is_hidden = is_hidden;
        if (vhd_edit_write_footers(file, &meta, &meta.footer, note))
                return err_wrap(note, "%s %s", what, io_path(file));
        return ERR_NONE;
}

/* ---- length ---- */

static enum err find_cut(struct io_file *file, const struct vhd_meta *meta, uint64_t *ret,
                         struct err_note *note) {
        uint64_t n = vhd_meta_blocks(meta);
        AUTO_FREE uint32_t *bat = mem_try((size_t)n, sizeof *bat);

        if (!bat)
                return err_set(note, ERR_NO_MEMORY, "read a BAT of %" PRIu64 " entries: out of memory", n);
        if (vhd_meta_read_bat(file, meta, bat, n, note))
                return note->code;
        *ret = vhd_meta_data_end(meta, bat, n);
        return ERR_NONE;
}

/* The new footer is durable before the old one goes with the rest. */
static enum err cut(struct io_file *file, struct vhd_meta *meta, uint64_t end, struct err_note *note) {
        struct vhd_footer_disk disk;

        vhd_footer_encode(&meta->footer, &disk);
        if (io_write(file, &disk, sizeof disk, end, note) || io_sync(file, note) ||
            io_truncate(file, end + sizeof disk, note))
                return note->code;
        return io_sync(file, note);
}

enum err vhd_edit_cut(struct io_file *file, struct err_note *note) {
        struct vhd_meta meta;
        uint64_t end = 0;

        if (read_for_writing(file, &meta, note) || vhd_edit_mend_footers(file, &meta, note))
                return err_wrap(note, "cut %s", io_path(file));
        if (meta.footer.type == VHD_FIXED)
                return err_set(note, ERR_INVALID, "cut %s: a fixed image has all its blocks", io_path(file));
        if (find_cut(file, &meta, &end, note))
                return err_wrap(note, "cut %s", io_path(file));
        if (end + VHD_SECTOR > meta.end_footer_at) /* the two may not lie upon each other */
                return ERR_NONE;
        if (cut(file, &meta, end, note))
                return err_wrap(note, "cut %s", io_path(file));
        return ERR_NONE;
}

/* ---- parent ---- */

/* The first sector commits.  Of the second one only locator lengths and the end of a long name may differ,
 * which vhd_meta_read finds out from the payloads as long as it is missing; or all of that is gone. */
enum err vhd_edit_write_header(struct io_file *file, const struct vhd_meta *meta,
                               const struct vhd_header *header, struct err_note *note) {
        uint64_t at = meta->footer.data_offset;
        union {
                struct vhd_header_disk header;
                uint8_t sector[2][VHD_SECTOR];
        } before, after;

        vhd_header_encode(&meta->header, &before.header);
        vhd_header_encode(header, &after.header);
        if (io_write(file, after.sector[0], VHD_SECTOR, at, note) || io_sync(file, note))
                return err_wrap(note, "write the header");
        if (memcmp(before.sector[1], after.sector[1], VHD_SECTOR) == 0)
                return ERR_NONE;
        if (io_write(file, after.sector[1], VHD_SECTOR, at + VHD_SECTOR, note) || io_sync(file, note))
                return err_wrap(note, "write the header's second half");
        return ERR_NONE;
}

/* What an earlier call left half done: the first sector is there, the second follows from it. */
enum err vhd_edit_finish_header(struct io_file *file, struct vhd_meta *meta, struct err_note *note) {
        struct vhd_header_disk disk;

        if (!meta->is_header_torn)
                return ERR_NONE;
        vhd_header_encode(&meta->header, &disk);
        if (io_write(file, (const uint8_t *)&disk + VHD_SECTOR, VHD_SECTOR,
                     meta->footer.data_offset + VHD_SECTOR, note) ||
            io_sync(file, note))
                return err_wrap(note, "finish the header");
        meta->is_header_torn = false;
        return ERR_NONE;
}

/* No block may lie where payloads are written. */
static enum err check_places(struct io_file *file, const struct vhd_meta *meta, struct err_note *note) {
        uint32_t n = (uint32_t)vhd_meta_blocks(meta);
        AUTO_FREE uint32_t *bat = mem_try(n, sizeof *bat);
        struct vhd_reserved reserved;

        if (!bat)
                return err_set(note, ERR_NO_MEMORY, "read a BAT of %u entries: out of memory", n);
        if (vhd_meta_reserved(meta, &reserved, note) || vhd_meta_read_bat(file, meta, bat, n, note))
                return note->code;
        if (reserved.end > max_u64(meta->end_footer_at, meta->file_size))
                return err_set(note, ERR_CORRUPT, "metadata goes up to %" PRIu64 ", past the end of the file",
                               reserved.end);
        for (uint32_t i = 0; i < n; i++)
                if (bat[i] != VHD_BAT_UNUSED && vhd_bat_check_entry(i, bat[i], &reserved, UINT64_MAX, note))
                        return note->code;
        return ERR_NONE;
}

/* Fits the payload to the locator's space and, where it can, to the length it has. */
static enum err fit(struct vhd_locator *locator, const struct buf *payload, struct buf *ret,
                    struct err_note *note) {
        uint64_t space;

        if (vhd_locator_check(locator, note))
                return note->code;
        (void)!vhd_locator_space(locator, &space);
        if (payload->n > space)
                return err_set(note, ERR_TOO_LARGE,
                               "locator %s: a parent's path of %zu bytes does not fit its space, %" PRIu64,
                               vhd_locator_name(locator->code), payload->n, space);
        buf_add(ret, payload->data, payload->n);
        if (!vhd_parent_stretch(ret, locator->code, locator->length))
                locator->length = (uint32_t)payload->n;
        (void)buf_extend(ret, (size_t)min_u64(space, max_u64(ret->n, VHD_LOCATOR_MAX)) -
                                      ret->n); /* zeros: they show its length */
        return ERR_NONE;
}

struct payloads {
        struct buf of[VHD_LOCATORS]; /* padded to the space; empty where nothing is written */
};

static void payloads_fini(struct payloads *payloads) {
        for (unsigned i = 0; i < VHD_LOCATORS; i++)
                buf_fini(&payloads->of[i]);
}
DEFINE_AUTO_IN_PLACE(struct payloads, payloads_fini);

static enum err fit_all(struct vhd_header *header, const struct vhd_parent_names *names, struct payloads *ret,
                        struct err_note *note) {
        unsigned n = 0;

        for (unsigned i = 0; i < VHD_LOCATORS; i++) {
                const struct buf *payload = vhd_parent_payload(names, header->locator[i].code);

                if (!payload)
                        continue;
                if (fit(&header->locator[i], payload, &ret->of[i], note))
                        return note->code;
                n++;
        }
        if (n == 0)
                return err_set(note, ERR_UNSUPPORTED, "the header has no locator that can hold a path");
        return ERR_NONE;
}

static enum err write_payloads(struct io_file *file, const struct vhd_header *header,
                               const struct payloads *payloads, struct err_note *note) {
        for (unsigned i = 0; i < VHD_LOCATORS; i++)
                if (payloads->of[i].n &&
                    io_write(file, payloads->of[i].data, payloads->of[i].n, header->locator[i].offset, note))
                        return err_wrap(note, "write locator %s", vhd_locator_name(header->locator[i].code));
        return io_sync(file, note);
}

static enum err set_parent(struct io *io, struct io_file *file, const struct vhd_parent *parent,
                           struct err_note *note) {
        AUTO(vhd_parent_names_fini) struct vhd_parent_names names = {0};
        AUTO(payloads_fini) struct payloads payloads = {0};
        struct vhd_meta meta;
        struct vhd_header header;

        if (read_for_writing(file, &meta, note))
                return note->code;
        if (meta.footer.type != VHD_DIFFERENCING)
                return err_set(note, ERR_INVALID, "a %s image has no parent",
                               vhd_type_name(meta.footer.type));
        if (parent->is_raw != uuid_is_null(&parent->uuid))
                return err_set(note, ERR_INVALID, "a raw parent has no uuid, and only that");
        header = meta.header;
        if (vhd_parent_names_of(io, parent, io_path(file), &names, note) ||
            vhd_header_set_parent(&header, &parent->uuid, vhd_time_from_unix(parent->modified_seconds),
                                  names.name, note) ||
            fit_all(&header, &names, &payloads, note) || check_places(file, &meta, note))
                return note->code;
        /* Payloads first: what the header then names is there to be found. */
        if (vhd_edit_finish_header(file, &meta, note) || write_payloads(file, &meta.header, &payloads, note))
                return note->code;
        return vhd_edit_write_header(file, &meta, &header, note);
}

enum err vhd_edit_set_parent(struct io *io, struct io_file *file, const struct vhd_parent *parent,
                             struct err_note *note) {
        if (set_parent(io, file, parent, note))
                return err_wrap(note, "point %s at the parent %s", io_path(file), parent->path);
        return ERR_NONE;
}

static enum err clear_parent(struct io_file *file, struct vhd_meta *meta, struct err_note *note) {
        struct vhd_header header;

        if (vhd_edit_finish_header(file, meta, note))
                return note->code;
        header = meta->header;
        vhd_header_clear_parent(&header);
        return vhd_edit_write_header(file, meta, &header, note);
}

enum err vhd_edit_clear_parent(struct io_file *file, struct err_note *note) {
        struct vhd_meta meta;

        if (read_for_writing(file, &meta, note))
                return note->code;
        if (meta.footer.type != VHD_DYNAMIC)
                return err_set(note, ERR_INVALID, "a %s image cannot be without a parent's name",
                               vhd_type_name(meta.footer.type));
        return clear_parent(file, &meta, note);
}

static enum err drop_parent(struct io_file *file, struct err_note *note) {
        struct vhd_meta meta;

        if (read_for_writing(file, &meta, note))
                return note->code;
        if (meta.footer.type == VHD_FIXED)
                return err_set(note, ERR_INVALID, "a fixed image has no parent");
        if (vhd_edit_mend_footers(file, &meta, note))
                return note->code;
        meta.footer.type = VHD_DYNAMIC;
        if (vhd_edit_write_footers(file, &meta, &meta.footer, note))
                return note->code;
        return clear_parent(file, &meta, note);
}

enum err vhd_edit_drop_parent(struct io_file *file, struct err_note *note) {
        return drop_parent(file, note) ? err_wrap(note, "make %s do without a parent", io_path(file))
                                       : ERR_NONE;
}
