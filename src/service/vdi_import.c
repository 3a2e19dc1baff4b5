// SPDX-License-Identifier: Apache-2.0
#include "vdi_import.h"

#include <inttypes.h>
#include <string.h>

#include "bytes.h"
#include "mem.h"
#include "text.h"

enum { PIECE = 1024 * 1024, GRANULE = 64 * 1024 };

/* ---- where it comes from --------------------------------------------------------------------- */

static enum err push(const struct vdi_import *import, struct vdi_inlet *inlet, const void *data, size_t n,
                     struct err_note *note) {
        if (vdi_inlet_push(inlet, data, n, note))
                return note->code;
        return progress_step(import->progress, vdi_inlet_taken(inlet), note);
}

static enum err from_stream(const struct vdi_import *import, struct vdi_inlet *inlet, struct err_note *note) {
        AUTO_FREE uint8_t *piece = mem_aligned(4096, PIECE);

        for (;;) {
                size_t n = 0;

                if (io_stream_read(import->input, piece, PIECE, &n, note))
                        return note->code;
                if (n == 0)
                        return progress_step(import->progress, vdi_inlet_taken(inlet), note);
                if (push(import, inlet, piece, n, note))
                        return note->code;
        }
}

/* Holes are pushed as zeros that nobody has to read. */
static enum err from_file(const struct vdi_import *import, struct io_file *file, uint64_t size,
                          struct vdi_inlet *inlet, struct err_note *note) {
        AUTO_FREE uint8_t *piece = mem_aligned(4096, PIECE), *zeros = mem_zero(PIECE);
        uint64_t start = 0, end = 0;

        for (uint64_t at = 0; at < size;) {
                const uint8_t *data = zeros;
                size_t n;

                if (at >= end && io_next_data(file, at, &start, &end, note))
                        return note->code;
                n = (size_t)min_u64(PIECE, at < start ? start - at : at < end ? end - at : size - at);
                if (at >= start && at < end) {
                        data = piece;
                        if (io_read(file, piece, n, at, note))
                                return note->code;
                }
                if (push(import, inlet, data, n, note))
                        return note->code;
                at += n;
        }
        return ERR_NONE;
}

static enum err data_of(struct io_file *file, uint64_t size, uint64_t *ret, struct err_note *note) {
        *ret = 0;
        for (uint64_t at = 0; at < size;) {
                uint64_t start = 0, end = 0;

                if (io_next_data(file, at, &start, &end, note))
                        return note->code;
                if (end <= start)
                        break;
                *ret += end - start;
                at = end;
        }
        return ERR_NONE;
}

static enum err check_space(const struct vdi_import *import, struct io_file *file, uint64_t size,
                            struct err_note *note) {
        struct io_space space;
        uint64_t data;

        if (import->force)
                return ERR_NONE;
        if (data_of(file, size, &data, note) || sr_space(import->sr, &space, note))
                return note->code;
        if (data <= space.free)
                return ERR_NONE;
        return err_set(note, ERR_NO_SPACE,
                       "the SR has %s free, up to %s are needed (--force tries all the same)",
                       text_size(space.free).s, text_size(data).s);
}

/* ---- a raw stream of unknown length ---------------------------------------------------------- */

/* A disk's size must be known before its first byte: what comes is kept in a file of the SR's folder first.
 * An owner's open removes it, should it be left there. */
static enum err keep_stream(const struct vdi_import *import, struct io_file *file, uint64_t *ret_size,
                            struct err_note *note) {
        AUTO_FREE uint8_t *piece = mem_aligned(4096, GRANULE);
        uint64_t at = 0;

        for (;;) {
                size_t n = 0;

                if (io_stream_read(import->input, piece, GRANULE, &n, note) ||
                    progress_step(import->progress, at, note))
                        return note->code;
                if (n == 0)
                        break;
                if (!bytes_are_zero(piece, n) && io_write(file, piece, n, at, note))
                        return note->code;
                at += n;
        }
        *ret_size = at;
        return io_truncate(file, at, note);
}

/* Opens it; its name is gone already, so that nothing is left whatever happens. */
static enum err open_kept(const struct vdi_import *import, struct io_file **ret, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE char *path = NULL;
        struct uuid uuid;
        uint8_t dice[16];

        io_random(import->io, dice, sizeof dice);
        uuid = uuid_from_random(dice);
        path = mem_format("%s/.%s.raw.new", sr_where(import->sr), uuid_format(&uuid).s);
        if (io_open(import->io, path, IO_WRITE | IO_CREATE | IO_PRIVATE, &file, note) ||
            io_unlink(import->io, path, note))
                return note->code;
        *ret = TAKE(file);
        return ERR_NONE;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum err take_bytes(const struct vdi_import *import, struct io_file *file, uint64_t total,
                           struct vdi_inlet *inlet, struct err_note *note) {
        return file ? from_file(import, file, total, inlet, note) : from_stream(import, inlet, note);
}

/* Without the turn: however slow the writer, the SR goes on. */
static enum err take_in(const struct vdi_import *import, struct io_file *file, uint64_t total,
                        struct vdi_inlet_result *ret, struct err_note *note) {
        AUTO(vdi_inlet_free) struct vdi_inlet *inlet = NULL;
        const struct vdi_inlet_ask ask = {.sr = import->sr,
                                          .turn = import->turn,
                                          .format = import->format,
                                          .total = total,
                                          .name = import->name,
                                          .description = import->description,
                                          .onto = import->onto,
                                          .takes_any = import->force};

        if (vdi_inlet_new(&ask, &inlet, note) || take_bytes(import, file, total, inlet, note) ||
            vdi_inlet_commit(inlet, ret, note))
                return note->code;
        return ERR_NONE;
}

/* file: NULL where it comes from the input. */
static enum err take(const struct vdi_import *import, struct io_file *file, uint64_t total,
                     struct vdi_inlet_result *ret, struct err_note *note) {
        enum err failed;

        progress_begin(import->progress, "import", total == UINT64_MAX ? 0 : total);
        turn_give(import->turn);
        failed = take_in(import, file, total, ret, note);
        turn_take(import->turn, "vdi import");
        if (!failed)
                progress_end(import->progress);
        return failed;
}

static enum err take_file(const struct vdi_import *import, struct vdi_inlet_result *ret,
                          struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct io_stat stat;

        if (io_open(import->io, import->path, IO_READ, &file, note) || io_stat(file, &stat, note))
                return note->code;
        if (stat.is_directory)
                return err_set(note, ERR_INVALID, "%s is a directory", import->path);
        if (io_lock(file, IO_SHARED, note) || check_space(import, file, stat.size, note))
                return note->code;
        return take(import, file, stat.size, ret, note);
}

static enum err take_unknown(const struct vdi_import *import, struct vdi_inlet_result *ret,
                             struct err_note *note) {
        AUTO(io_close) struct io_file *kept = NULL;
        uint64_t size = 0;
        enum err failed;

        progress_begin(import->progress, "receive", 0);
        if (open_kept(import, &kept, note))
                return note->code;
        turn_give(import->turn);
        failed = keep_stream(import, kept, &size, note);
        turn_take(import->turn, "vdi import");
        if (failed)
                return failed;
        if (size == 0)
                return err_set(note, ERR_CUT_SHORT, "standard input was empty");
        return take(import, kept, size, ret, note);
}

enum err vdi_import_run(const struct vdi_import *import, struct vdi_inlet_result *ret,
                        struct err_note *note) {
        *ret = (struct vdi_inlet_result){0};
        if (import->path)
                return take_file(import, ret, note);
        if (import->format == STREAM_RAW && import->size == 0)
                return take_unknown(import, ret, note);
        return take(import, NULL, import->format == STREAM_RAW ? import->size : UINT64_MAX, ret, note);
}
