// SPDX-License-Identifier: Apache-2.0
#include "vhd_verbs.h"

#include "vhd_resize_file.h"

/* ---- resize ---------------------------------------------------------------------------------- */

static const struct param resize_params[] = {
        FILE_PARAM("The VHD to grow. Nobody else may have it open."),
        {.name = "size",
         .kind = PARAM_SIZE,
         .flags = PARAM_REQUIRED,
         .help = "Its new size, not less than it has."},
        {0},
};

static const struct field resize_fields[] = {
        {"file", FIELD_TEXT, "as it was given", false},
        {"old_size", FIELD_SIZE, "bytes, before", false},
        {"size", FIELD_SIZE, "bytes, now", false},
        {0},
};

static enum err run_resize(struct verb_call *call, struct err_note *note) {
        const char *path = call_text(call, "file");
        uint64_t old_size, size;

        if (vhd_resize_file(call->io, path, call_number(call, "size"), &old_size, &size, note))
                return err_wrap(note, "resize %s", path);
        call_put(call, "file", json_of_text(path));
        call_put(call, "old_size", json_of_u64(old_size));
        call_put(call, "size", json_of_u64(size));
        return ERR_NONE;
}

const struct verb vhd_resize_verb = {
        .name = "resize",
        .summary = "Makes the disk of a VHD larger.",
        .details = "Where the BAT has no room, the first blocks are moved out of its way; a file beside the "
                   "VHD, named '.NAME.resize', keeps what is needed to finish or undo this after a crash: "
                   "run resize or repair again.",
        .params = resize_params,
        .shape = SHAPE_RECORD,
        .fields = resize_fields,
        .run = run_resize,
};
