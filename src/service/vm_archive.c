// SPDX-License-Identifier: Apache-2.0
#include "vm_archive.h"

#include "mem.h"
#include "new_file.h"
#include "text.h"
#include "xva_inlet.h"
#include "xva_outlet.h"

enum { PIECE = 1024 * 1024 };

/* ---- out ------------------------------------------------------------------------------------- */

struct out {
        const struct vm_export *export; /* borrowed */
        struct xva_outlet *outlet;      /* borrowed */
        struct io_file *file;           /* owned; NULL: to a stream */
        uint64_t written;
        struct buf gathered; /* owned; that is not compressed yet: small frames compress badly */
        uint8_t *frame;      /* owned; room for what is compressed; NULL: nothing is */
};

static void out_fini(struct out *out) {
        buf_fini(&out->gathered);
        free(out->frame);
        if (out->file)
                io_close(out->file);
}
DEFINE_AUTO_IN_PLACE(struct out, out_fini);

static enum err write_out(struct out *out, const void *data, size_t n, struct err_note *note) {
        if (out->file ? io_write(out->file, data, n, out->written, note)
                      : io_stream_write(out->export->output, data, n, note))
                return note->code;
        out->written += n;
        return ERR_NONE;
}

static enum err write_frame(struct out *out, struct err_note *note) {
        const struct span data = {out->gathered.data, out->gathered.n};
        size_t n;

        if (data.n == 0)
                return ERR_NONE;
        if (pack_frame(out->export->kind, data, out->frame, PACK_ROOM(data.n), &n, note) ||
            write_out(out, out->frame, n, note))
                return note->code;
        out->gathered.n = 0;
        return ERR_NONE;
}

static enum err put(struct out *out, const uint8_t *data, size_t n, struct err_note *note) {
        if (out->export->kind == PACK_NONE)
                return write_out(out, data, n, note);
        if (out->gathered.n > 0 && out->gathered.n + n > XVA_OUTLET_ROOM && write_frame(out, note))
                return note->code;
        buf_add(&out->gathered, data, n);
        return ERR_NONE;
}

static enum err write_all(struct out *out, struct err_note *note) {
        AUTO(chain_batch_free) struct chain_batch *batch = NULL;
        AUTO_FREE uint8_t *memory = mem_aligned(4096, XVA_OUTLET_ROOM);
        struct progress *progress = out->export->progress;
        uint64_t at = 0, length = xva_outlet_length(out->outlet);

        if (chain_batch_new(out->export->host->io, &batch, note))
                return note->code;
        if (out->export->kind != PACK_NONE)
                out->frame = mem_grow(NULL, PACK_ROOM(XVA_OUTLET_ROOM), 1);
        progress_begin(progress, "export", length);
        while (at < length) {
                const uint8_t *data;
                size_t n;

                if (xva_outlet_read(out->outlet, batch, at, memory, &data, &n, note) ||
                    put(out, data, n, note) || progress_step(progress, at + n, note))
                        return note->code;
                at += n;
        }
        if (write_frame(out, note))
                return note->code;
        progress_end(progress);
        return ERR_NONE;
}

/* How much a compressed one will take nobody knows. */
static enum err check_space(const struct out *out, const char *folder, struct err_note *note) {
        const struct vm_export *export = out->export;
        uint64_t length = xva_outlet_length(out->outlet);
        struct io_space space;

        if (export->ignore_space || export->kind != PACK_NONE ||
            io_space(export->host->io, folder, &space, note) || space.free >= length)
                return ERR_NONE;
        return err_set(note, ERR_NO_SPACE, "%s has %s free, %s are needed (--force tries all the same)",
                       folder, text_size(space.free).s, text_size(length).s);
}

static enum err make_file(struct out *out, struct err_note *note) {
        struct io *io = out->export->host->io;
        AUTO(new_file_fini) struct new_file made = {0};

        if (new_file_begin(io, out->export->path, NEW_FILE_REPLACE, &made, note) ||
            check_space(out, made.folder, note) ||
            io_open(io, made.temporary, IO_WRITE | IO_CREATE, &out->file, note) || write_all(out, note) ||
            io_sync(out->file, note))
                return note->code;
        io_close(TAKE(out->file));
        return new_file_commit(&made, note);
}

enum err vm_export_run(const struct vm_export *export, uint64_t *ret_length, uint64_t *ret_written,
                       struct err_note *note) {
        AUTO(out_fini) struct out out = {.export = export};
        struct err_note ignored;
        enum err failed;

        if (xva_outlet_open(export->host, &export->vm, &out.outlet, note))
                return note->code;
        *ret_length = xva_outlet_length(out.outlet);
        failed = export->path ? make_file(&out, note) : write_all(&out, note);
        /* Nothing was to be written to the disks. */
        (void)!xva_outlet_close(out.outlet, &ignored);
        *ret_written = out.written;
        return failed;
}

/* ---- in -------------------------------------------------------------------------------------- */

/* What comes behind the end, as tar pads it, is read, so that who writes it is not cut off, and forgotten. */
static enum err push(const struct vm_import *import, struct xva_inlet *inlet, const void *data, size_t n,
                     struct err_note *note) {
        if (!xva_inlet_is_whole(inlet) && xva_inlet_push(inlet, data, n, note))
                return note->code;
        return progress_step(import->progress, xva_inlet_taken(inlet), note);
}

static enum err read_stream(const struct vm_import *import, struct xva_inlet *inlet, uint8_t *memory,
                            struct err_note *note) {
        size_t n;

        progress_begin(import->progress, "import", 0);
        do {
                if (io_stream_read(import->input, memory, PIECE, &n, note) ||
                    push(import, inlet, memory, n, note))
                        return note->code;
        } while (n > 0);
        return ERR_NONE;
}

static enum err read_file(const struct vm_import *import, struct xva_inlet *inlet, uint8_t *memory,
                          struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct io_stat stat;
        size_t n;

        if (io_open(import->host->io, import->path, IO_READ, &file, note) || io_stat(file, &stat, note))
                return note->code;
        if (stat.is_directory)
                return err_set(note, ERR_INVALID, "%s is a directory", import->path);
        if (io_lock(file, IO_SHARED, note))
                return note->code;
        progress_begin(import->progress, "import", stat.size);
        for (uint64_t at = 0; at < stat.size && !xva_inlet_is_whole(inlet); at += n) {
                n = (size_t)min_u64(PIECE, stat.size - at);
                if (io_read(file, memory, n, at, note) || push(import, inlet, memory, n, note))
                        return note->code;
        }
        return ERR_NONE;
}

enum err vm_import_run(const struct vm_import *import, struct uuid *ret_vm, uint64_t *ret_taken,
                       struct err_note *note) {
        const struct xva_inlet_ask ask = {.host = import->host,
                                          .sr = import->sr,
                                          .restores = import->restores,
                                          .is_forced = import->is_forced};
        AUTO(xva_inlet_free) struct xva_inlet *inlet = NULL;
        AUTO_FREE uint8_t *memory = mem_aligned(4096, PIECE);

        if (xva_inlet_new(&ask, &inlet, note) ||
            (import->path ? read_file(import, inlet, memory, note)
                          : read_stream(import, inlet, memory, note)) ||
            xva_inlet_commit(inlet, ret_vm, note))
                return note->code;
        *ret_taken = xva_inlet_taken(inlet);
        progress_end(import->progress);
        return ERR_NONE;
}
