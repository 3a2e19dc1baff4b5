// SPDX-License-Identifier: Apache-2.0
/* What moves bytes of disks: export, import, write; and what says where they lie: map, diff. */
#include <inttypes.h>
#include <string.h>

#include "mem.h"
#include "sr_call.h"
#include "vdi_export.h"
#include "vdi_import.h"
#include "vdi_verbs.h"
#include "vhd_map.h"

static bool is_stream(const char *path) {
        return strcmp(path, "-") == 0;
}

/* ---- export ---------------------------------------------------------------------------------- */

static const struct param export_params[] = {
        SR_PARAM,
        VDI_PARAM("vdi", "VDI", "The disk or snapshot: its uuid or name."),
        {.name = "output",
         .letter = 'o',
         .kind = PARAM_PATH,
         .flags = PARAM_REQUIRED,
         .help = "The file to make; one that is there is replaced when the new one is whole. '-': standard "
                 "output."},
        {.name = "format",
         .kind = PARAM_CHOICE,
         .choices = "vhd|raw",
         .help = "Where not given: vhd for *.vhd, else raw; for '-' it must be given."},
        {.name = "base",
         .kind = PARAM_TEXT,
         .shown = "SNAPSHOT",
         .help = "A delta: a differencing VHD of exactly the sectors that differ from this snapshot."},
        {.name = "force", .kind = PARAM_FLAG, .help = "Begins although there seems to be too little space."},
        {.name = "read-only",
         .kind = PARAM_FLAG,
         .help = "Changes nothing in the SR: it is not remembered what was given out."},
        {0},
};

static const struct field export_fields[] = {
        {"file", FIELD_TEXT, "the file, or '-'", false},
        {"format", FIELD_TEXT, "vhd or raw", false},
        {"uuid", FIELD_UUID, "of the stream's footer; null: raw", false},
        {"parent", FIELD_UUID, "footer uuid that the delta was made against; null: a whole disk", false},
        {"size", FIELD_SIZE, "of the disk, bytes", false},
        {"length", FIELD_SIZE, "of the stream, bytes", false},
        {"data", FIELD_SIZE, "of these, bytes of blocks with data", false},
        {0},
};

/* By --format, else by the name; *ret_is_known is false for a stream without --format. */
static enum stream_format format_of(const struct verb_call *call, const char *path, bool *ret_is_known) {
        const char *format = call_text(call, "format");

        *ret_is_known = format || !is_stream(path);
        if (format)
                return strcmp(format, "vhd") == 0 ? STREAM_VHD : STREAM_RAW;
        return image_kind_of_path(path) == IMAGE_VHD ? STREAM_VHD : STREAM_RAW;
}

static void put_export(struct verb_call *call, const struct vdi_export *export,
                       const struct vdi_export_result *result) {
        call_put(call, "file", json_of_text(export->path ? export->path : "-"));
        call_put(call, "format", json_string(export->format == STREAM_VHD ? "vhd" : "raw"));
        call_put(call, "uuid", sr_json_of_uuid(&result->uuid));
        call_put(call, "parent", sr_json_of_uuid(&result->parent));
        call_put(call, "size", json_of_u64(result->size));
        call_put(call, "length", json_of_u64(result->length));
        call_put(call, "data", json_of_u64(result->data));
}

static enum err run_export(struct verb_call *call, struct err_note *note) {
        struct sr *sr;
        const char *path = call_text(call, "output");
        struct vdi_export export = {.io = call->io,
                                    .path = is_stream(path) ? NULL : path,
                                    .output = call->output,
                                    .ignore_space = call_flag(call, "force"),
                                    .progress = call->progress};
        struct vdi_export_result result;
        const struct vdi *vdi, *base;
        bool is_known;

        export.format = format_of(call, path, &is_known);
        if (!is_known)
                return call_usage(call, note, "--format is missing: '-' does not tell it");
        if (!export.path && call_need_output(call, note))
                return note->code;
        if (call_has(call, "base") && export.format == STREAM_RAW)
                return call_usage(call, note, "--base is for VHD: a raw disk cannot say what differs");
        if (sr_call_open(call, SR_OWN, &sr, note) || sr_call_find(call, sr, "vdi", &vdi, note))
                return note->code;
        export.sr = sr;
        export.turn = call->turn;
        export.is_read_only = sr_call_is_read_only(call);
        export.vdi = vdi->row.uuid;
        if (call_has(call, "base")) {
                if (sr_call_find(call, sr, "base", &base, note))
                        return note->code;
                export.base = base->row.uuid;
        }
        if (vdi_export_run(&export, &result, note))
                return err_wrap(note, "export %s to %s", call_text(call, "vdi"),
                                export.path ? export.path : "standard output");
        put_export(call, &export, &result);
        return ERR_NONE;
}

const struct verb vdi_export_verb = {
        .name = "export",
        .summary = "Writes a disk, or what differs from a snapshot, to a file or pipe.",
        .details = "The length is known before the first byte; a reader of a pipe may be slow. A file is "
                   "synced, and there "
                   "whole or not at all. The SR remembers what it gave out, so that an import of a delta can "
                   "tell "
                   "whether it fits.",
        .params = export_params,
        .shape = SHAPE_NOTHING,
        .fields = export_fields,
        .run = run_export,
};

/* ---- import ---------------------------------------------------------------------------------- */

static const struct param import_params[] = {
        SR_PARAM,
        {.name = "file",
         .kind = PARAM_PATH,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .help = "A raw disk or a VHD. '-': standard input, with --format."},
        NAME_PARAM,
        DESCRIPTION_PARAM,
        {.name = "format",
         .kind = PARAM_CHOICE,
         .choices = "vhd|raw",
         .help = "Where not given: vhd for *.vhd, else raw; content is never asked."},
        {.name = "size",
         .kind = PARAM_SIZE,
         .help = "Of a raw disk from standard input. Without it all of it is kept in the SR's directory "
                 "first."},
        {.name = "onto",
         .kind = PARAM_TEXT,
         .shown = "VDI",
         .help = "Applies a delta to this VDI, which must hold what the delta was made against."},
        {.name = "force",
         .kind = PARAM_FLAG,
         .help = "With --onto: whatever the VDI holds, and a whole disk too, which replaces it. Begins "
                 "although there "
                 "seems to be too little space."},
        {0},
};

static const struct field import_fields[] = {
        {"uuid", FIELD_UUID, "of the VDI", false},
        {"stream", FIELD_UUID, "of the footer that came; null: raw", false},
        {"delta", FIELD_BOOL, "whether it was one", false},
        {"size", FIELD_SIZE, "of the disk, bytes", false},
        {"taken", FIELD_SIZE, "bytes that came", false},
        {0},
};

static enum err check_import(struct verb_call *call, bool format_is_known, enum stream_format format,
                             struct err_note *note) {
        if (!format_is_known)
                return call_usage(call, note, "--format is missing: '-' does not tell it");
        if (call_has(call, "onto") && (call_has(call, "name") || call_has(call, "description")))
                return call_usage(
                        call, note,
                        "--onto names a VDI that is there: --name and --description are for new ones");
        if (call_has(call, "size") && (format != STREAM_RAW || !is_stream(call_text(call, "file"))))
                return call_usage(call, note, "--size is for raw disks from standard input");
        if (call_has(call, "size") && call_number(call, "size") == 0)
                return call_usage(call, note, "--size is 0");
        return ERR_NONE;
}

static enum err run_import(struct verb_call *call, struct err_note *note) {
        struct sr *sr;
        const char *path = call_text(call, "file");
        struct vdi_import import = {.io = call->io,
                                    .path = is_stream(path) ? NULL : path,
                                    .input = call->input,
                                    .size = call_number(call, "size"),
                                    .name = call_text(call, "name"),
                                    .description = call_text(call, "description"),
                                    .force = call_flag(call, "force"),
                                    .progress = call->progress};
        struct vdi_inlet_result result;
        const struct vdi *onto;
        bool is_known;

        import.format = format_of(call, path, &is_known);
        if ((!import.path && call_need_input(call, note)) ||
            check_import(call, is_known, import.format, note) || sr_call_open(call, SR_OWN, &sr, note))
                return note->code;
        import.sr = sr;
        import.turn = call->turn;
        if (call_has(call, "onto")) {
                if (sr_call_find(call, sr, "onto", &onto, note))
                        return note->code;
                import.onto = onto->row.uuid;
        }
        if (vdi_import_run(&import, &result, note))
                return err_wrap(note, "import %s", import.path ? import.path : "standard input");
        sr_call_put_uuid(call, &result.vdi);
        call_put(call, "stream", sr_json_of_uuid(&result.stream));
        call_put(call, "delta", json_boolean(result.is_delta));
        call_put(call, "size", json_of_u64(result.size));
        call_put(call, "taken", json_of_u64(result.taken));
        return ERR_NONE;
}

const struct verb vdi_import_verb = {
        .name = "import",
        .summary = "Makes a disk of a raw file, a VHD or a pipe; or applies a delta to one.",
        .details = "Prints the VDI's uuid. A stream that is short, too long or damaged is an error and "
                   "leaves nothing; what "
                   "a delta is applied to is as before then.",
        .params = import_params,
        .shape = SHAPE_UUID,
        .fields = import_fields,
        .run = run_import,
};

/* ---- write ----------------------------------------------------------------------------------- */

enum { WRITE_PIECE = 1024 * 1024 };

static const struct param write_params[] = {
        SR_PARAM,
        VDI_PARAM("vdi", "VDI", "The disk: its uuid or name."),
        {.name = "offset",
         .kind = PARAM_SIZE,
         .fallback = "0",
         .help = "Where in the disk the first byte goes."},
        {0},
};

static const struct field write_fields[] = {
        {"uuid", FIELD_UUID, "of the VDI", false},
        {"offset", FIELD_NUMBER, "where the first byte went", false},
        {"written", FIELD_SIZE, "bytes", false},
        {0},
};

static enum err write_input(struct verb_call *call, struct chain *chain, uint64_t *ret_written,
                            struct err_note *note) {
        AUTO_FREE uint8_t *piece = mem_aligned(4096, WRITE_PIECE);
        uint64_t at = call_number(call, "offset"), size = chain_size(chain);

        *ret_written = 0;
        progress_begin(call->progress, "write", 0);
        for (;;) {
                size_t n = 0;

                if (io_stream_read(call->input, piece, WRITE_PIECE, &n, note) ||
                    progress_step(call->progress, *ret_written, note))
                        return note->code;
                if (n == 0)
                        break;
                if (!range_fits(at, n, size))
                        return err_set(note, ERR_INVALID,
                                       "standard input goes past the end of the disk, which has %" PRIu64
                                       " bytes; the first %" PRIu64 " bytes of it were written",
                                       size, *ret_written);
                if (chain_write(chain, piece, n, at, note))
                        return note->code;
                at += n;
                *ret_written += n;
        }
        progress_end(call->progress);
        return ERR_NONE;
}

static enum err run_write(struct verb_call *call, struct err_note *note) {
        struct sr *sr;
        struct err_note close_note = {0};
        struct chain *chain = NULL;
        const struct vdi *vdi;
        uint64_t written;
        struct uuid uuid;
        enum err failed;

        if (call_need_input(call, note) || sr_call_open(call, SR_OWN, &sr, note) ||
            sr_call_find(call, sr, "vdi", &vdi, note))
                return note->code;
        uuid = vdi->row.uuid; /* which a scan within lets go */
        sr_call_put_uuid(call, &uuid);
        if (sr_open_chain(sr, &uuid, CHAIN_WRITE, &chain, note))
                return err_wrap(note, "write to VDI %s", call_text(call, "vdi"));
        sr_call_rest(call);
        failed = write_input(call, chain, &written, note);
        sr_call_resume(call);
        if (sr_close_chain(sr, chain, &close_note) && !failed) {
                *note = close_note;
                failed = close_note.code;
        }
        if (failed)
                return err_wrap(note, "write to VDI %s", call_text(call, "vdi"));
        call_put(call, "offset", json_of_u64(call_number(call, "offset")));
        call_put(call, "written", json_of_u64(written));
        return ERR_NONE;
}

const struct verb vdi_write_verb = {
        .name = "write",
        .summary = "Writes standard input into a disk.",
        .details = "For scripts and tests. All of it is durable when the command has ended.",
        .params = write_params,
        .shape = SHAPE_NOTHING,
        .fields = write_fields,
        .run = run_write,
};

/* ---- map ------------------------------------------------------------------------------------- */

static const struct param map_params[] = {
        SR_PARAM, VDI_PARAM("vdi", "VDI", "The disk: its uuid or name."), {0}};

static enum err run_map(struct verb_call *call, struct err_note *note) {
        struct sr *sr;
        struct chain *chain = NULL;
        const struct vdi *vdi;
        json_t *extents = NULL;
        struct err_note ignored;
        enum err failed;

        if (sr_call_open(call, SR_READ_ONLY, &sr, note) || sr_call_find(call, sr, "vdi", &vdi, note) ||
            sr_open_chain(sr, &vdi->row.uuid, CHAIN_READ, &chain, note))
                return note->code;
        failed = vhd_map_of_chain(chain, &extents, note);
        (void)!sr_close_chain(sr, chain, &ignored);
        if (failed)
                return failed;
        call_put(call, "extents", extents);
        return ERR_NONE;
}

const struct verb vdi_map_verb = {
        .name = "map",
        .summary = "Shows which bytes of a disk lie where.",
        .details = "One row for each run of bytes that lie together, through the chain.",
        .params = map_params,
        .shape = SHAPE_TABLE,
        .rows = "extents",
        .fields = vhd_map_fields,
        .run = run_map,
};

/* ---- diff ------------------------------------------------------------------------------------ */

static const struct param diff_params[] = {
        SR_PARAM,
        VDI_PARAM("base", "BASE", "The older: a snapshot's uuid or name."),
        VDI_PARAM("vdi", "VDI", "The newer: a disk's or snapshot's uuid or name."),
        {0},
};

static const struct field diff_fields[] = {{"start", FIELD_NUMBER, "where in the disk, bytes", false},
                                           {"length", FIELD_NUMBER, "bytes", false},
                                           {0}};

static enum err list_changes(struct verb_call *call, struct chain *chain, struct chain *base,
                             struct err_note *note) {
        json_t *rows = json_array();
        uint64_t changed = 0, size = chain_size(chain);

        call_put(call, "changes", rows);
        for (uint64_t at = 0; at < size;) {
                struct extent extent = {0};

                if (chain_extent_at(chain, base, at, size - at, &extent, note))
                        return note->code;
                if (extent.kind == EXTENT_DATA) {
                        json_array_append_new(rows, json_pack("{s:I, s:I}", "start", (json_int_t)extent.at,
                                                              "length", (json_int_t)extent.n));
                        changed += extent.n;
                }
                at = extent.at + extent.n;
        }
        call_put(call, "changed", json_of_u64(changed));
        return ERR_NONE;
}

static enum err run_diff(struct verb_call *call, struct err_note *note) {
        struct sr *sr;
        struct chain *chain = NULL, *base_chain = NULL;
        const struct vdi *vdi, *base;
        struct err_note ignored;
        enum err failed;

        if (sr_call_open(call, SR_READ_ONLY, &sr, note) || sr_call_find(call, sr, "vdi", &vdi, note) ||
            sr_call_find(call, sr, "base", &base, note) ||
            sr_open_chain(sr, &vdi->row.uuid, CHAIN_READ, &chain, note))
                return note->code;
        failed = sr_open_chain(sr, &base->row.uuid, CHAIN_READ, &base_chain, note);
        if (!failed)
                failed = list_changes(call, chain, base_chain, note);
        if (base_chain)
                (void)!sr_close_chain(sr, base_chain, &ignored);
        (void)!sr_close_chain(sr, chain, &ignored);
        return failed;
}

const struct verb vdi_diff_verb = {
        .name = "diff",
        .summary = "Shows which bytes of two disks may differ.",
        .details = "From the layers that the two do not share, exact to 512 bytes; no data is read. With "
                   "--json, \"changed\" "
                   "is their sum.",
        .params = diff_params,
        .shape = SHAPE_TABLE,
        .rows = "changes",
        .fields = diff_fields,
        .run = run_diff,
};
