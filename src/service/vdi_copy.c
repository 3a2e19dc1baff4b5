// SPDX-License-Identifier: Apache-2.0
#include "vdi_copy.h"

#include <string.h>

#include "bytes.h"
#include "mem.h"

enum { PIECE = 1024 * 1024, GRANULE = 64 * 1024 };

/* ---- bytes: no turn is held ---- */

/* Runs of what is not zero go over; the rest of a new disk reads as zeros. */
static enum err write_data(struct chain *to, const uint8_t *data, size_t n, uint64_t at,
                           struct err_note *note) {
        for (size_t start = 0, end; start < n; start = end) {
                bool is_zero = bytes_are_zero(data + start, min_u64(GRANULE, n - start));

                for (end = start; end < n; end += min_u64(GRANULE, n - end))
                        if (bytes_are_zero(data + end, min_u64(GRANULE, n - end)) != is_zero)
                                break;
                if (!is_zero && chain_write(to, data + start, end - start, at + start, note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err copy_run(const struct vdi_copy *copy, struct chain *from, struct chain *to,
                         const struct extent *run, uint8_t *piece, struct err_note *note) {
        for (uint64_t at = run->at; at < run->at + run->n;) {
                /* Pieces end where granules do. */
                size_t n = (size_t)min_u64(PIECE - at % PIECE, run->at + run->n - at);

                if (chain_read(from, piece, n, at, note) || write_data(to, piece, n, at, note) ||
                    progress_step(copy->progress, at + n, note))
                        return note->code;
                at += n;
        }
        return ERR_NONE;
}

static enum err copy_bytes(const struct vdi_copy *copy, struct chain *from, struct chain *to,
                           struct err_note *note) {
        AUTO_FREE uint8_t *piece = mem_aligned(4096, PIECE);
        uint64_t size = chain_size(from);

        progress_begin(copy->progress, "copy", size);
        for (uint64_t at = 0; at < size;) {
                struct extent run;

                if (chain_extent_at(from, NULL, at, size - at, &run, note) ||
                    (run.kind == EXTENT_DATA && copy_run(copy, from, to, &run, piece, note)) ||
                    progress_step(copy->progress, run.at + run.n, note))
                        return note->code;
                at = run.at + run.n;
        }
        progress_end(copy->progress);
        return ERR_NONE;
}

/* ---- where it goes ---- */

static enum err take_in(const struct vdi_copy *copy, struct chain *from, const struct vdi_row *row,
                        const struct uuid *uuid, struct uuid *ret, struct err_note *note) {
        const struct vdi_options options = {.name = copy->name,
                                            .description = copy->description,
                                            .size = chain_size(from),
                                            .kind = IMAGE_VHD,
                                            .uuid = uuid,
                                            .like = row};
        struct sr_import *into = NULL;
        enum err failed;

        turn_take(copy->to_turn, "vdi copy");
        failed = sr_import_begin(copy->to, &options, &into, note);
        turn_give(copy->to_turn);
        if (!failed)
                failed = copy_bytes(copy, from, sr_import_chain(into), note);
        turn_take(copy->to_turn, "vdi copy");
        if (!failed)
                failed = sr_import_commit(into, &row->stream_uuid, ret, note);
        else if (into)
                sr_import_abort(into);
        turn_give(copy->to_turn);
        return failed;
}

/* ---- where it comes from ---- */

static enum err need(const struct vdi_copy *copy, const char *verb, bool must_be_closed, struct vdi_row *ret,
                     struct err_note *note) {
        const struct vdi *vdi = sr_get_vdi(copy->sr, &copy->vdi);

        if (!vdi)
                return err_set(note, ERR_NOT_FOUND, "no VDI %s in SR %s", uuid_format(&copy->vdi).s,
                               sr_where(copy->sr));
        if ((must_be_closed || !vdi->is_read_only) && sr_vdi_need_closed(copy->sr, &copy->vdi, verb, note))
                return note->code;
        vdi = sr_get_vdi(copy->sr, &copy->vdi);
        vdi_row_copy(&vdi->row, ret);
        return ERR_NONE;
}

/* The turn is the caller's again when it returns, and nothing of ours is open. */
static enum err copy_row(const struct vdi_copy *copy, const struct vdi_row *row, const struct uuid *uuid,
                         struct uuid *ret, struct err_note *note) {
        struct chain *from = NULL;
        struct err_note ignored;
        enum err failed;

        if (sr_open_chain(copy->sr, &copy->vdi, CHAIN_READ, &from, note))
                return note->code;
        turn_give(copy->turn);
        failed = take_in(copy, from, row, uuid, ret, note);
        turn_take(copy->turn, "vdi copy");
        /* Whatever it says, nothing was to be written. */
        (void)!sr_close_chain(copy->sr, from, &ignored);
        return failed;
}

enum err vdi_copy_run(const struct vdi_copy *copy, struct uuid *ret, struct err_note *note) {
        AUTO(vdi_row_fini) struct vdi_row row = {0};

        if (need(copy, "copy", false, &row, note))
                return note->code;
        if (strcmp(row.name, uuid_format(&row.uuid).s) == 0)
                *row.name = 0; /* it has none: so will the copy */
        row.is_snapshot = false;
        row.snapshot_of = (struct uuid){0};
        row.snapshot_time = 0;
        return copy_row(copy, &row, copy->uuid, ret, note);
}

/* ---- move ---- */

/* The copy is durable, and the source could not be deleted: somebody opened it meanwhile. */
static enum err take_back(const struct vdi_copy *copy, struct err_note *note) {
        struct err_note why;
        enum err failed;

        turn_give(copy->turn);
        turn_take(copy->to_turn, "vdi move");
        failed = sr_vdi_delete(copy->to, &copy->vdi, &why);
        turn_give(copy->to_turn);
        turn_take(copy->turn, "vdi move");
        if (failed)
                return err_wrap(note, "its copy is whole and stays in %s (%s); the source stays too",
                                sr_where(copy->to), why.text);
        return note->code;
}

static enum err delete_source(const struct vdi_copy *copy, struct err_note *note) {
        if (sr_vdi_delete(copy->sr, &copy->vdi, note) == ERR_NONE)
                return ERR_NONE;
        if (note->code == ERR_BUSY && sr_get_vdi(copy->sr, &copy->vdi))
                return take_back(copy, note);
        /* It may be half gone: the copy is what is sure. */
        return err_wrap(note, "its copy is whole in %s; the source could not be deleted", sr_where(copy->to));
}

enum err vdi_move_run(const struct vdi_copy *copy, struct err_note *note) {
        AUTO(vdi_row_fini) struct vdi_row row = {0};
        struct vdi_copy move = *copy;
        struct uuid unused;

        if (copy->sr == copy->to)
                return err_set(note, ERR_INVALID, "VDI %s is in SR %s already", uuid_format(&copy->vdi).s,
                               sr_where(copy->to));
        if (need(copy, "move", true, &row, note))
                return note->code;
        move.name = move.description = NULL;
        if (copy_row(&move, &row, &copy->vdi, &unused, note))
                return note->code;
        return delete_source(&move, note);
}
