// SPDX-License-Identifier: Apache-2.0
#include "vdi_import.h"

#include <inttypes.h>
#include <string.h>

#include "bytes.h"
#include "mem.h"
#include "text.h"

enum { PIECE = 1024 * 1024, GRANULE = 64 * 1024 };

struct taking {
        const struct vdi_import *import; /* borrowed */
        struct sr_import *into;          /* owned */
};

static void taking_fini(struct taking *taking) {
        if (taking->into)
                sr_import_abort(taking->into);
}
DEFINE_AUTO_IN_PLACE(struct taking, taking_fini);

/* ---- where it goes --------------------------------------------------------------------------- */

/* A delta fits only what it was made against. */
static enum err check_state(const struct vdi_import *import, const struct vdi *vdi,
                            const struct stream_head *head, struct err_note *note) {
        const struct uuid *state = &vdi->row.stream_uuid;

        if (import->force)
                return ERR_NONE;
        if (!head->is_delta)
                return err_set(
                        note, ERR_INVALID,
                        "this is a whole disk, no delta; with --force it replaces all that VDI %s holds",
                        vdi->row.name);
        if (uuid_is_null(state))
                return err_set(note, ERR_MISMATCH,
                               "the delta was made against %s; VDI %s has been written to since it last took "
                               "something in or "
                               "gave it out, or never did (--force applies it all the same)",
                               uuid_format(&head->parent_uuid).s, vdi->row.name);
        if (!uuid_equal(state, &head->parent_uuid))
                return err_set(
                        note, ERR_MISMATCH,
                        "the delta was made against %s; VDI %s holds %s (--force applies it all the same)",
                        uuid_format(&head->parent_uuid).s, vdi->row.name, uuid_format(state).s);
        return ERR_NONE;
}

static enum err begin_onto(struct taking *taking, const struct stream_head *head, struct err_note *note) {
        const struct vdi_import *import = taking->import;
        const struct vdi *vdi = sr_get_vdi(import->sr, &import->onto);

        if (!vdi)
                return err_set(note, ERR_NOT_FOUND, "VDI %s is gone", uuid_format(&import->onto).s);
        if (check_state(import, vdi, head, note))
                return note->code;
        if (head->size < vdi->node->size)
                return err_set(note, ERR_INVALID,
                               "it is of a disk of %" PRIu64 " bytes; VDI %s has %" PRIu64
                               " and a disk cannot become smaller",
                               head->size, vdi->row.name, vdi->node->size);
        return sr_import_begin_onto(import->sr, &import->onto, head->size, &taking->into, note);
}

static enum err begin_new(struct taking *taking, const struct stream_head *head, struct err_note *note) {
        const struct vdi_import *import = taking->import;
        struct vdi_options options = {.name = import->name,
                                      .description = import->description,
                                      .size = head->size,
                                      .kind = IMAGE_VHD};

        if (head->is_delta)
                return err_set(note, ERR_INVALID,
                               "this is a delta, made against %s: --onto names the VDI that holds that",
                               uuid_format(&head->parent_uuid).s);
        return sr_import_begin(import->sr, &options, &taking->into, note);
}

/* Called without the turn, once it is known what comes. */
static enum err begin(void *user, const struct stream_head *head, struct chain **ret, struct err_note *note) {
        struct taking *taking = user;
        const struct vdi_import *import = taking->import;
        enum err failed;

        turn_take(import->turn, "vdi import");
        failed = uuid_is_null(&import->onto) ? begin_new(taking, head, note) : begin_onto(taking, head, note);
        turn_give(import->turn);
        if (failed)
                return failed;
        *ret = sr_import_chain(taking->into);
        return ERR_NONE;
}

/* ---- where it comes from --------------------------------------------------------------------- */

static enum err push(const struct vdi_import *import, struct stream_sink *sink, const void *data, size_t n,
                     struct err_note *note) {
        if (stream_sink_push(sink, data, n, note))
                return note->code;
        return progress_step(import->progress, stream_sink_taken(sink), note);
}

static enum err from_stream(const struct vdi_import *import, struct stream_sink *sink,
                            struct err_note *note) {
        AUTO_FREE uint8_t *piece = mem_aligned(4096, PIECE);

        for (;;) {
                size_t n = 0;

                if (io_stream_read(import->input, piece, PIECE, &n, note))
                        return note->code;
                if (n == 0)
                        return progress_step(import->progress, stream_sink_taken(sink), note);
                if (push(import, sink, piece, n, note))
                        return note->code;
        }
}

/* Holes are pushed as zeros that nobody has to read. */
static enum err from_file(const struct vdi_import *import, struct io_file *file, uint64_t size,
                          struct stream_sink *sink, struct err_note *note) {
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
                if (push(import, sink, data, n, note))
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
                           struct stream_sink *sink, struct err_note *note) {
        enum err failed;

        /* However slow the writer: the SR goes on. */
        turn_give(import->turn);
        failed = file ? from_file(import, file, total, sink, note) : from_stream(import, sink, note);
        if (!failed)
                failed = stream_sink_end(sink, note);
        turn_take(import->turn, "vdi import");
        return failed;
}

/* file: NULL where it comes from the input. */
static enum err take(const struct vdi_import *import, struct io_file *file, uint64_t total,
                     struct vdi_import_result *ret, struct err_note *note) {
        AUTO(taking_fini) struct taking taking = {.import = import};
        AUTO(stream_sink_free) struct stream_sink *sink = NULL;
        const struct stream_head *head;

        progress_begin(import->progress, "import", total == UINT64_MAX ? 0 : total);
        if (stream_sink_new(import->format, total, begin, &taking, &sink, note))
                return note->code;
        if (take_bytes(import, file, total, sink, note))
                return note->code;
        head = stream_sink_head(sink);
        ret->stream = head->uuid;
        ret->is_delta = head->is_delta;
        ret->size = chain_size(sr_import_chain(taking.into));
        ret->taken = stream_sink_taken(sink);
        if (sr_import_commit(TAKE(taking.into), &ret->stream, &ret->vdi, note))
                return note->code;
        progress_end(import->progress);
        return ERR_NONE;
}

static enum err take_file(const struct vdi_import *import, struct vdi_import_result *ret,
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

static enum err take_unknown(const struct vdi_import *import, struct vdi_import_result *ret,
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

enum err vdi_import_run(const struct vdi_import *import, struct vdi_import_result *ret,
                        struct err_note *note) {
        *ret = (struct vdi_import_result){0};
        if (import->path)
                return take_file(import, ret, note);
        if (import->format == STREAM_RAW && import->size == 0)
                return take_unknown(import, ret, note);
        return take(import, NULL, import->format == STREAM_RAW ? import->size : UINT64_MAX, ret, note);
}
