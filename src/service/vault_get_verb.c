// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "reading.h"
#include "vault_call.h"
#include "vault_file.h"
#include "vault_verbs.h"

static const struct param get_params[] = {
        VAULT_PARAM,
        KEY_PARAMS,
        POINT_PARAM(POINT_HELP),
        {.name = "output",
         .letter = 'o',
         .kind = PARAM_PATH,
         .flags = PARAM_REQUIRED,
         .shown = "FILE",
         .help = "The file or block device to write. A file that is there is replaced when the new one is "
                 "whole."},
        DISK_PARAM("Which of the point's disks; not needed where it has one."),
        {.name = "format",
         .kind = PARAM_CHOICE,
         .choices = "raw|vhd",
         .help = "Of the file. Where not given: vhd for *.vhd, else raw."},
        {.name = "no-hash",
         .kind = PARAM_FLAG,
         .help = "Checks that chunks are as they were stored, but not their ids again: faster."},
        {0},
};

static const struct field get_fields[] = {
        {"point", FIELD_TEXT, "its id", false},
        {"disk", FIELD_TEXT, "its name", false},
        {"file", FIELD_TEXT, "that was written", false},
        {"size", FIELD_SIZE, "of the disk, bytes", false},
        {"data", FIELD_SIZE, "of these, bytes that are not zeros", false},
        {"verified", FIELD_BOOL, "every chunk and node had its id, up to the disk's own", false},
        {0},
};

struct restoring {
        struct vault_sink sink;
        struct verb_call *call;  /* borrowed */
        struct reading *reading; /* borrowed */
};

static enum err write_chunk(void *user, const void *data, size_t n, uint64_t at, struct err_note *note) {
        struct restoring *restoring = user;

        return vault_sink_write(&restoring->sink, data, n, at, note);
}

static enum err step(void *user, uint64_t done, struct err_note *note) {
        struct restoring *restoring = user;
        bool was_broken = restoring->reading->is_broken;

        reading_go_on(restoring->reading);
        if (restoring->reading->is_broken && !was_broken)
                progress_say(restoring->call->progress, VAULT_READING_BROKEN);
        return progress_step(restoring->call->progress, done, note);
}

static enum image_kind kind_of(const struct verb_call *call) {
        const char *format = call_text(call, "format");

        if (!format)
                return image_kind_of_path(call_text(call, "output"));
        return strcmp(format, "vhd") == 0 ? IMAGE_VHD : IMAGE_RAW;
}

static enum err restore(struct verb_call *call, struct vault *vault, const struct vault_disk *disk,
                        struct reading *reading, struct get_count *ret, struct err_note *note) {
        enum image_kind kind = kind_of(call);
        struct restoring restoring = {.call = call, .reading = reading};
        const struct get_sink sink = {.write = write_chunk,
                                      .step = step,
                                      .user = &restoring,
                                      .trusts_tags = call_flag(call, "no-hash")};
        enum err failed;

        if (vault_sink_open(call->io, call_text(call, "output"), kind, disk->size, &restoring.sink, note))
                return note->code;
        progress_begin(call->progress, "restore", disk->size);
        failed = restoring.sink.is_device ? vault_sink_zero(&restoring.sink, disk->size, 0, note) : ERR_NONE;
        if (!failed)
                failed = get_all(vault, disk, &sink, ret, note);
        if (!failed)
                failed = vault_sink_commit(&restoring.sink, note);
        if (!failed)
                progress_end(call->progress);
        vault_sink_fini(&restoring.sink);
        return failed;
}

static enum err run_get(struct verb_call *call, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(point_fini) struct point point = {0};
        const struct vault_disk *disk = NULL;
        AUTO(reading_end) struct reading reading = {0};
        struct get_count count = {0};

        if (vault_call_open(call, &vault, note) ||
            points_find(vault, call_text(call, "point"), NULL, &point, note) ||
            vault_call_disk(call, &point.manifest, &disk, note) ||
            reading_begin(vault, &point.name, 1, &reading, note) ||
            restore(call, vault, disk, &reading, &count, note))
                return err_wrap(note, "restore point %s", call_text(call, "point"));
        call_put(call, "point", json_string(vault_name_format(&point.name).s));
        call_put(call, "disk", json_of_text(disk->name));
        call_put(call, "file", json_of_text(call_text(call, "output")));
        call_put(call, "size", json_of_u64(disk->size));
        call_put(call, "data", json_of_u64(count.data));
        call_put(call, "verified", json_boolean(!call_flag(call, "no-hash")));
        return ERR_NONE;
}

const struct verb vault_get_verb = {
        .name = "get",
        .summary = "Restores a disk of a point to a file or device.",
        .details = "What was zeros stays a hole. The file appears when it is whole and synced, and is "
                   "removed where "
                   "anything fails; a device is written in place.",
        .params = get_params,
        .shape = SHAPE_NOTHING,
        .fields = get_fields,
        .run = run_get,
        .is_local = true,
};
