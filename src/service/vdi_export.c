// SPDX-License-Identifier: Apache-2.0
#include "vdi_export.h"

#include <string.h>

#include "new_file.h"
#include "text.h"
#include "vdi_outlet.h"

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

static enum err send(const struct vdi_export *export, const struct vdi_outlet *outlet,
                     struct vdi_export_result *ret, struct err_note *note) {
        AUTO(stream_source_free) struct stream_source *source = NULL;
        const struct stream_source_options options = vdi_outlet_options(outlet);

        if (stream_source_new(outlet->chain, &options, &source, note))
                return note->code;
        ret->length = stream_source_length(source);
        ret->data = stream_source_data(source);
        ret->size = chain_size(outlet->chain);
        ret->uuid = outlet->uuid;
        ret->parent = outlet->parent;
        progress_begin(export->progress, "export", ret->length);
        if (export->path ? make_file(export, source, note) : to_stream(export, source, note))
                return note->code;
        progress_end(export->progress);
        return ERR_NONE;
}

enum err vdi_export_run(const struct vdi_export *export, struct vdi_export_result *ret,
                        struct err_note *note) {
        const struct vdi_outlet_ask ask = {
                .vdi = export->vdi, .base = export->base, .format = export->format};
        struct vdi_outlet outlet;
        struct err_note ignored;
        enum err failed, unclosed;

        *ret = (struct vdi_export_result){0};
        if (vdi_outlet_open(export->sr, export->io, &ask, &outlet, note))
                return note->code;
        /* However slow the reader: the SR goes on. */
        turn_give(export->turn);
        failed = send(export, &outlet, ret, note);
        turn_take(export->turn, "vdi export");
        unclosed = vdi_outlet_close(&outlet, !failed && !export->is_read_only, failed ? &ignored : note);
        return failed ? failed : unclosed;
}
