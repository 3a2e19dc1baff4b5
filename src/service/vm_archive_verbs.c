// SPDX-License-Identifier: Apache-2.0
/* VMs out and in: export, import. */
#include <string.h>

#include "mem.h"
#include "sr_call.h"
#include "vm_archive.h"
#include "vm_verbs.h"

/* A stream's. */
static bool is_stream(const char *path) {
        return strcmp(path, "-") == 0;
}

/* ---- export ---------------------------------------------------------------------------------- */

static const struct param export_params[] = {
        {.name = "vm",
         .kind = PARAM_TEXT,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .shown = "VM",
         .help = "The VM, halted, or a snapshot: its uuid or name."},
        {.name = "output",
         .letter = 'o',
         .kind = PARAM_PATH,
         .flags = PARAM_REQUIRED,
         .help = "The file to make; one that is there is replaced when the new one is whole. '-': standard "
                 "output."},
        {.name = "compress",
         .kind = PARAM_CHOICE,
         .choices = "none|zstd|gzip",
         .fallback = "none",
         .help = "How: zstd is the faster."},
        {.name = "force", .kind = PARAM_FLAG, .help = "Begins although there seems to be too little space."},
        {0},
};

static const struct field export_fields[] = {
        {"uuid", FIELD_UUID, "of the VM", false},
        {"file", FIELD_TEXT, "the file, or '-'", false},
        {"length", FIELD_SIZE, "of the archive before it was compressed, bytes", false},
        {"written", FIELD_SIZE, "bytes that were written", false},
        {0},
};

static enum pack_kind kind_of(const char *text) {
        return strcmp(text, "zstd") == 0 ? PACK_ZSTD : strcmp(text, "gzip") == 0 ? PACK_GZIP : PACK_NONE;
}

static enum err run_export(struct verb_call *call, struct err_note *note) {
        const char *path = call_text(call, "output");
        struct vm_export export = {.host = call->host,
                                   .kind = kind_of(call_text(call, "compress")),
                                   .path = is_stream(path) ? NULL : path,
                                   .output = call->output,
                                   .ignore_space = call_flag(call, "force"),
                                   .progress = call->progress};
        uint64_t length, written;

        if ((!export.path && call_need_output(call, note)) || vm_call_find(call, "vm", &export.vm, note))
                return note->code;
        if (vm_export_run(&export, &length, &written, note))
                return err_wrap(note, "export VM %s to %s", call_text(call, "vm"),
                                export.path ? export.path : "standard output");
        sr_call_put_uuid(call, &export.vm);
        call_put(call, "file", json_of_text(path));
        call_put(call, "length", json_of_u64(length));
        call_put(call, "written", json_of_u64(written));
        return ERR_NONE;
}

const struct verb vm_export_verb = {
        .name = "export",
        .summary = "Writes a VM with its disks to a file or pipe, as an XVA.",
        .details = "As XCP-ng and XenServer import it, with a checksum for each block. Nobody may write to "
                   "the disks meanwhile: of a VM that runs, export a snapshot. A file is synced, and there "
                   "whole or "
                   "not at all.",
        .params = export_params,
        .shape = SHAPE_NOTHING,
        .fields = export_fields,
        .run = run_export,
        .needs_host = true,
};

/* ---- import ---------------------------------------------------------------------------------- */

static const struct param import_params[] = {
        {.name = "file",
         .kind = PARAM_PATH,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .help = "An XVA, compressed by zstd or gzip or not. '-': standard input."},
        {.name = "sr",
         .kind = PARAM_TEXT,
         .shown = "SR",
         .help = "Where its disks go: an SR's directory, name or uuid; the pool's default, or the only one, "
                 "where not given."},
        {.name = "restore",
         .kind = PARAM_FLAG,
         .help = "With the uuid and the MACs that it had. A VM of that uuid is replaced, if it is halted and "
                 "of a lower version; its disks stay."},
        {.name = "force",
         .kind = PARAM_FLAG,
         .help = "Takes blocks that are wrong by their checksum; with --restore replaces a VM of any "
                 "version."},
        {0},
};

static const struct field import_fields[] = {
        {"uuid", FIELD_UUID, "of the VM", false},
        {"taken", FIELD_SIZE, "bytes that came", false},
        {0},
};

static enum err find_sr(struct verb_call *call, const struct host_sr **ret, struct err_note *note) {
        struct uuid uuid;

        if (!call_has(call, "sr")) {
                *ret = host_default_sr(call->host);
                return *ret ? ERR_NONE
                            : err_set(note, ERR_INVALID,
                                      "--sr is missing: there is no default, and more than one");
        }
        if (vm_call_find_sr(call, "sr", &uuid, note))
                return note->code;
        *ret = host_sr_find(call->host, &uuid);
        return ERR_NONE;
}

static enum err run_import(struct verb_call *call, struct err_note *note) {
        const char *path = call_text(call, "file");
        struct vm_import import = {.host = call->host,
                                   .path = is_stream(path) ? NULL : path,
                                   .input = call->input,
                                   .restores = call_flag(call, "restore"),
                                   .is_forced = call_flag(call, "force"),
                                   .progress = call->progress};
        struct uuid vm;
        uint64_t taken;

        if ((!import.path && call_need_input(call, note)) || find_sr(call, &import.sr, note))
                return note->code;
        if (vm_import_run(&import, &vm, &taken, note))
                return err_wrap(note, "import VM from %s", import.path ? import.path : "standard input");
        sr_call_put_uuid(call, &vm);
        call_put(call, "taken", json_of_u64(taken));
        return ERR_NONE;
}

const struct verb vm_import_verb = {
        .name = "import",
        .summary = "Makes a VM of an XVA from a file or pipe.",
        .details = "As XCP-ng, XenServer and 'vm export' write it. Prints the VM's uuid. What is short or "
                   "damaged is an error and leaves nothing.",
        .params = import_params,
        .shape = SHAPE_UUID,
        .fields = import_fields,
        .run = run_import,
        .needs_host = true,
};
