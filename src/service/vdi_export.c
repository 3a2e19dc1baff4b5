// SPDX-License-Identifier: Apache-2.0
#include "vdi_export.h"

#include <string.h>

#include "mem.h"
#include "new_file.h"
#include "text.h"

/* ---- who is who ------------------------------------------------------------------------------ */

/* What the state of a VDI is called in streams: what it was called last time, if it was not written since.  A
 * snapshot is never written: its file's own uuid will do, so that it is called the same by everyone who can
 * only read. */
static struct uuid state_uuid(struct io *io, const struct vdi *vdi) {
        uint8_t dice[16];

        if (!uuid_is_null(&vdi->row.stream_uuid))
                return vdi->row.stream_uuid;
        if (vdi->row.is_snapshot && !uuid_is_null(&vdi->node->footer_uuid))
                return vdi->node->footer_uuid;
        io_random(io, dice, sizeof dice);
        return uuid_from_random(dice);
}

static enum err find(struct sr *sr, const struct uuid *uuid, const struct vdi **ret, struct err_note *note) {
        *ret = sr_get_vdi(sr, uuid);
        return *ret ? ERR_NONE : err_set(note, ERR_NOT_FOUND, "VDI %s is not there", uuid_format(uuid).s);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static enum err to_stream(const struct vdi_export *export, struct stream_source *source,
                          struct err_note *note) {
        uint64_t length = stream_source_length(source);

        while (stream_source_at(source) < length) {
                const void *data;
                size_t n;

                if (stream_source_peek(source, &data, &n, note) ||
                    io_stream_write(export->output, data, n, note))
                        return note->code;
                stream_source_skip(source, n);
                if (progress_step(export->progress, stream_source_at(source), note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err to_file(const struct vdi_export *export, struct stream_source *source, struct io_file *file,
                        struct err_note *note) {
        uint64_t length = stream_source_length(source);

        while (stream_source_at(source) < length) {
                uint64_t hole = stream_source_hole(source);
                const void *data;
                size_t n;

                if (hole > 0) {
                        stream_source_skip(source, hole);
                        continue;
                }
                if (stream_source_peek(source, &data, &n, note) ||
                    io_write(file, data, n, stream_source_at(source), note))
                        return note->code;
                stream_source_skip(source, n);
                if (progress_step(export->progress, stream_source_at(source), note))
                        return note->code;
        }
        if (io_truncate(file, length, note)) /* it may end in a hole */
                return note->code;
        return io_sync(file, note);
}

static enum err make_file(const struct vdi_export *export, struct stream_source *source,
                          struct err_note *note) {
        AUTO(new_file_fini) struct new_file made = {0};
        AUTO(io_close) struct io_file *file = NULL;
        struct io_space space;

        if (new_file_begin(export->io, export->path, NEW_FILE_REPLACE, &made, note))
                return note->code;
        if (!export->ignore_space && !io_space(export->io, made.folder, &space, note) &&
            space.free < stream_source_data(source))
                return err_set(note, ERR_NO_SPACE,
                               "%s has %s free, %s are needed (--force tries all the same)", made.folder,
                               text_size(space.free).s, text_size(stream_source_data(source)).s);
        if (io_open(export->io, made.temporary, IO_WRITE | IO_CREATE, &file, note) ||
            to_file(export, source, file, note))
                return note->code;
        return new_file_commit(&made, note);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum err send(const struct vdi_export *export, struct chain *chain, struct chain *base,
                     struct vdi_export_result *ret, struct err_note *note) {
        AUTO(stream_source_free) struct stream_source *source = NULL;
        AUTO_FREE char *name = mem_format("%s.vhd", uuid_format(&export->base).s);
        struct stream_source_options options = {.format = export->format,
                                                .base = base,
                                                .uuid = ret->uuid,
                                                .parent_uuid = ret->parent,
                                                .parent_name = base ? name : NULL};

        if (stream_source_new(chain, &options, &source, note))
                return note->code;
        ret->length = stream_source_length(source);
        ret->data = stream_source_data(source);
        ret->size = chain_size(chain);
        progress_begin(export->progress, "export", ret->length);
        if (export->path ? make_file(export, source, note) : to_stream(export, source, note))
                return note->code;
        progress_end(export->progress);
        return ERR_NONE;
}

static enum err send_chains(const struct vdi_export *export, struct vdi_export_result *ret,
                            struct err_note *note) {
        struct chain *chain = NULL, *base = NULL;
        bool is_delta = !uuid_is_null(&export->base);
        struct err_note ignored;
        enum err failed;

        failed = sr_open_chain(export->sr, &export->vdi, CHAIN_READ, &chain, note);
        if (!failed && is_delta)
                failed = sr_open_chain(export->sr, &export->base, CHAIN_READ, &base, note);
        if (!failed) {
                /* However slow the reader: the SR goes on. */
                turn_give(export->turn);
                failed = send(export, chain, base, ret, note);
                turn_take(export->turn, "vdi export");
        }
        if (base && sr_close_chain(export->sr, base, failed ? &ignored : note) && !failed)
                failed = note->code;
        if (chain && sr_close_chain(export->sr, chain, failed ? &ignored : note) && !failed)
                failed = note->code;
        return failed;
}

enum err vdi_export_run(const struct vdi_export *export, struct vdi_export_result *ret,
                        struct err_note *note) {
        const struct vdi *vdi, *base;

        *ret = (struct vdi_export_result){0};
        if (find(export->sr, &export->vdi, &vdi, note))
                return note->code;
        if (export->format == STREAM_VHD)
                ret->uuid = state_uuid(export->io, vdi);
        if (!uuid_is_null(&export->base)) {
                if (find(export->sr, &export->base, &base, note))
                        return note->code;
                if (!base->row.is_snapshot)
                        return err_set(note, ERR_INVALID,
                                       "the base %s is no snapshot: it may have changed since",
                                       base->row.name);
                ret->parent = state_uuid(export->io, base);
        }
        if (send_chains(export, ret, note))
                return note->code;
        if (export->format != STREAM_VHD || export->is_read_only)
                return ERR_NONE;
        return sr_vdi_set_stream(export->sr, &export->vdi, &ret->uuid, note);
}
