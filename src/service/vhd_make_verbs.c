// SPDX-License-Identifier: Apache-2.0
#include "vhd_verbs.h"

#include <inttypes.h>
#include <string.h>

#include "file_intent.h"
#include "mem.h"
#include "new_file.h"
#include "vhd_create.h"
#include "vhd_edit.h"
#include "vhd_meta.h"
#include "image.h"

static void put_uuid(struct verb_call *call, const struct uuid *uuid) {
        call_put(call, "uuid", json_string(uuid_format(uuid).s));
}

/* ---- create ---- */

static const struct param create_params[] = {
        FILE_PARAM("The file to make. It must not exist."),
        {.name = "size",
         .kind = PARAM_SIZE,
         .flags = PARAM_REQUIRED,
         .help = "Size of the disk, at most 2040G."},
        {.name = "fixed",
         .kind = PARAM_FLAG,
         .help = "A fixed VHD: the disk as it is, with a footer behind it."},
        {.name = "room-for",
         .kind = PARAM_SIZE,
         .help = "Size that it can be resized to later without moving anything."},
        {.name = "uuid", .kind = PARAM_UUID, .help = "Uuid in its footer (a fresh one where not given)."},
        {0},
};

static const struct field uuid_fields[] = {
        {"uuid", FIELD_UUID, "of the new VHD's footer", false},
        {"file", FIELD_TEXT, "as it was given", false},
        {"size", FIELD_SIZE, "of the disk, bytes", false},
        {0},
};

static enum err make_vhd(struct verb_call *call, const char *path, struct vhd_create_options *options,
                         struct err_note *note) {
        AUTO(new_file_fini) struct new_file made = {0};
        struct uuid uuid;

        if (new_file_begin(call->io, path, 0, &made, note) ||
            vhd_create(call->io, made.temporary, options, &uuid, note) || new_file_commit(&made, note))
                return err_wrap(note, "make %s", path);
        put_uuid(call, &uuid);
        call_put(call, "file", json_of_text(path));
        call_put(call, "size", json_of_u64(round_up(options->size, SECTOR)));
        return ERR_NONE;
}

static enum err run_create(struct verb_call *call, struct err_note *note) {
        struct vhd_create_options options = {.type = call_flag(call, "fixed") ? VHD_FIXED : VHD_DYNAMIC,
                                             .size = call_number(call, "size"),
                                             .room_for = call_number(call, "room-for")};

        if (call_has(call, "uuid") && !uuid_parse(call_text(call, "uuid"), &options.uuid))
                return call_usage(call, note, "--uuid is not a uuid");
        if (call_has(call, "room-for") && (options.type == VHD_FIXED || options.room_for < options.size))
                return call_usage(call, note, "--room-for is for dynamic VHDs, and not smaller than --size");
        return make_vhd(call, call_text(call, "file"), &options, note);
}

const struct verb vhd_create_verb = {
        .name = "create",
        .summary = "Makes an empty VHD.",
        .details = "It is written as XenServer writes it, and takes a few kilobytes until it is written to. "
                   "Prints the uuid of its footer.",
        .params = create_params,
        .shape = SHAPE_UUID,
        .fields = uuid_fields,
        .run = run_create,
};

/* ---- snapshot ---- */

static const struct param snapshot_params[] = {
        {.name = "parent",
         .kind = PARAM_PATH,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .shown = "PARENT",
         .help = "The VHD, or raw file, that it is made of. It must not be written to from now on."},
        {.name = "file",
         .kind = PARAM_PATH,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .shown = "CHILD",
         .help = "The differencing VHD to make. It must not exist."},
        {.name = "size",
         .kind = PARAM_SIZE,
         .help = "Size of the child's disk (its parent's where not given)."},
        {.name = "hide-parent",
         .kind = PARAM_FLAG,
         .help = "Marks the parent hidden, as an inner node of an SR."},
        {0},
};

/* What a child has to know of its parent. */
static enum err look_at_parent(struct io_file *file, struct vhd_parent *ret, uint64_t *ret_size,
                               struct err_note *note) {
        struct vhd_meta meta;
        struct io_stat stat;

        if (io_stat(file, &stat, note))
                return note->code;
        ret->modified_seconds = stat.modified_ns / 1000000000;
        ret->is_raw = image_kind_of_path(ret->path) == IMAGE_RAW;
        *ret_size = round_up(stat.size, SECTOR);
        if (ret->is_raw)
                return ERR_NONE;
        if (vhd_meta_read(file, 0, &meta, note))
                return note->code;
        ret->uuid = meta.footer.uuid;
        *ret_size = meta.footer.size_bytes;
        return ERR_NONE;
}

/* What is being coalesced into reads as a mixture until that is done, and may have no other child. */
static enum err check_no_coalesce(struct io *io, const char *path, struct err_note *note) {
        AUTO(vhd_intent_fini) struct vhd_intent intent = {0};
        AUTO_FREE char *command = NULL;
        AUTO_FREE char *canonical = NULL;
        bool is_found;

        if (io_canonical(io, path, &canonical, note) || file_intent_find(io, path, &is_found, &intent, note))
                return note->code;
        if (!is_found || strcmp(file_intent_child(&intent)->path, canonical) == 0)
                return ERR_NONE;
        command = file_intent_command(&intent);
        return err_set(note, ERR_BUSY, "it is part of a coalesce that is not done: '%s' ends it", command);
}

static enum err run_snapshot(struct verb_call *call, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        const char *path = call_text(call, "file");
        bool hides = call_flag(call, "hide-parent");
        struct vhd_parent parent = {.path = call_text(call, "parent"), .name_from = path};
        struct vhd_create_options options = {.type = VHD_DIFFERENCING, .parent = &parent};

        if (io_open(call->io, parent.path, hides ? IO_WRITE : IO_READ, &file, note) ||
            io_lock(file, hides ? IO_EXCLUSIVE : IO_SHARED, note) ||
            check_no_coalesce(call->io, parent.path, note) ||
            look_at_parent(file, &parent, &options.size, note))
                return err_wrap(note, "snapshot of %s", parent.path);
        if (hides && parent.is_raw)
                return call_usage(call, note,
                                  "--hide-parent: a raw file has no place to say that it is hidden");
        if (call_has(call, "size") && call_number(call, "size") < options.size)
                return err_set(note, ERR_INVALID, "%s: --size is less than the %" PRIu64 " bytes of %s", path,
                               options.size, parent.path);
        if (call_has(call, "size"))
                options.size = call_number(call, "size");
        if (make_vhd(call, path, &options, note))
                return note->code;
        if (hides && vhd_edit_set_hidden(file, true, note))
                return err_wrap(note, "hide %s", parent.path);
        call_put(call, "parent", json_of_text(parent.path));
        return ERR_NONE;
}

const struct verb vhd_snapshot_verb = {
        .name = "snapshot",
        .summary = "Makes a differencing VHD of a parent.",
        .details = "The child reads as the parent until it is written to. It finds the parent by a path "
                   "relative to its own folder. Prints the uuid of its footer.",
        .params = snapshot_params,
        .shape = SHAPE_UUID,
        .fields = uuid_fields,
        .run = run_snapshot,
};
