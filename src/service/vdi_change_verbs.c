// SPDX-License-Identifier: Apache-2.0
/* What changes the tree of an SR: disks made, snapshotted, cloned, reverted, deleted, resized. */
#include <string.h>

#include "sr_call.h"
#include "vdi_verbs.h"

static const struct field made_fields[] = {{"uuid", FIELD_UUID, "of the new VDI", false}, {0}};
static const struct field vdi_fields[] = {{"uuid", FIELD_UUID, "of the VDI", false}, {0}};

/* The SR, and the VDI of the parameter "vdi". */
static enum err open_vdi(struct verb_call *call, struct sr **ret, struct uuid *ret_vdi,
                         struct err_note *note) {
        const struct vdi *vdi;

        if (sr_call_open(call, SR_OWN, ret, note) || sr_call_find(call, *ret, "vdi", &vdi, note))
                return note->code;
        *ret_vdi = vdi->row.uuid;
        return ERR_NONE;
}

/* ---- create ---------------------------------------------------------------------------------- */

static const struct param create_params[] = {
        SR_PARAM,
        NAME_PARAM,
        DESCRIPTION_PARAM,
        {.name = "size",
         .kind = PARAM_SIZE,
         .flags = PARAM_REQUIRED,
         .help = "Size of the disk, at most 2040G."},
        {.name = "kind",
         .kind = PARAM_CHOICE,
         .choices = "vhd|fixed|raw",
         .fallback = "vhd",
         .help = "Of its file: a dynamic VHD, a fixed VHD, raw."},
        {0},
};

static enum err run_create(struct verb_call *call, struct err_note *note) {
        struct sr *sr;
        const char *kind = call_text(call, "kind");
        struct vdi_options options = {.name = call_text(call, "name"),
                                      .description = call_text(call, "description"),
                                      .size = call_number(call, "size"),
                                      .kind = strcmp(kind, "raw") == 0 ? IMAGE_RAW : IMAGE_VHD,
                                      .is_fixed = strcmp(kind, "fixed") == 0};
        struct uuid uuid;

        if (sr_call_open(call, SR_OWN, &sr, note) || sr_vdi_create(sr, &options, &uuid, note))
                return note->code;
        sr_call_put_uuid(call, &uuid);
        return ERR_NONE;
}

const struct verb vdi_create_verb = {
        .name = "create",
        .summary = "Makes an empty disk.",
        .details = "Prints its uuid.",
        .params = create_params,
        .shape = SHAPE_UUID,
        .fields = made_fields,
        .run = run_create,
};

/* ---- snapshot, clone ------------------------------------------------------------------------- */

static const struct param fork_params[] = {
        SR_PARAM, VDI_PARAM("vdi", "VDI", "The disk: its uuid or name."), NAME_PARAM, DESCRIPTION_PARAM, {0},
};

typedef enum err (*fork_verb)(struct sr *, const struct uuid *, const struct vdi_options *, struct uuid *,
                              struct err_note *);

static enum err run_fork(struct verb_call *call, fork_verb fork, struct err_note *note) {
        struct sr *sr;
        struct vdi_options options = {.name = call_text(call, "name"),
                                      .description = call_text(call, "description")};
        struct uuid vdi, made;

        if (open_vdi(call, &sr, &vdi, note) || fork(sr, &vdi, &options, &made, note))
                return note->code;
        sr_call_put_uuid(call, &made);
        return ERR_NONE;
}

static enum err run_snapshot(struct verb_call *call, struct err_note *note) {
        return run_fork(call, sr_vdi_snapshot, note);
}

static enum err run_clone(struct verb_call *call, struct err_note *note) {
        return run_fork(call, sr_vdi_clone, note);
}

const struct verb vdi_snapshot_verb = {
        .name = "snapshot",
        .summary = "Takes a snapshot of a disk.",
        .details = "The snapshot reads for ever as the disk does now, and is never written. Prints its uuid.",
        .params = fork_params,
        .shape = SHAPE_UUID,
        .fields = made_fields,
        .run = run_snapshot,
};

const struct verb vdi_clone_verb = {
        .name = "clone",
        .summary = "Makes a writable disk that begins as another is now.",
        .details = "The two share what neither writes. Prints the new one's uuid.",
        .params = fork_params,
        .shape = SHAPE_UUID,
        .fields = made_fields,
        .run = run_clone,
};

/* ---- revert ---------------------------------------------------------------------------------- */

static const struct param revert_params[] = {
        SR_PARAM,
        VDI_PARAM("vdi", "VDI", "The disk: its uuid or name. What it holds now is lost."),
        VDI_PARAM("snapshot", "SNAPSHOT", "What it will read as: a snapshot's uuid or name."),
        {0},
};

static enum err run_revert(struct verb_call *call, struct err_note *note) {
        struct sr *sr;
        const struct vdi *snapshot;
        struct uuid vdi, from;

        if (open_vdi(call, &sr, &vdi, note) || sr_call_find(call, sr, "snapshot", &snapshot, note))
                return note->code;
        from = snapshot->row.uuid;
        sr_call_put_uuid(call, &vdi);
        return sr_vdi_revert(sr, &vdi, &from, note);
}

const struct verb vdi_revert_verb = {
        .name = "revert",
        .summary = "Makes a disk read as a snapshot does.",
        .details = "Nobody may have it open: what is connected to it is named.",
        .params = revert_params,
        .shape = SHAPE_NOTHING,
        .fields = vdi_fields,
        .run = run_revert,
};

/* ---- delete ---------------------------------------------------------------------------------- */

static const struct param delete_params[] = {
        SR_PARAM, VDI_PARAM("vdi", "VDI", "The disk or snapshot: its uuid or name."), {0}};

static enum err run_delete(struct verb_call *call, struct err_note *note) {
        struct sr *sr;
        struct uuid vdi;

        if (open_vdi(call, &sr, &vdi, note))
                return note->code;
        sr_call_put_uuid(call, &vdi);
        return sr_vdi_delete(sr, &vdi, note);
}

const struct verb vdi_delete_verb = {
        .name = "delete",
        .summary = "Deletes a disk or snapshot.",
        .details = "It is gone at once for users. Bytes that others stand on stay, in a hidden node. "
                   "Nobody may have it open: what is connected to it is named.",
        .params = delete_params,
        .shape = SHAPE_NOTHING,
        .fields = vdi_fields,
        .run = run_delete,
};

/* ---- resize ---------------------------------------------------------------------------------- */

static const struct param resize_params[] = {
        SR_PARAM,
        VDI_PARAM("vdi", "VDI", "The disk: its uuid or name."),
        {.name = "size",
         .kind = PARAM_SIZE,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .shown = "SIZE",
         .help = "Its new size, not less than it has. Also as --size SIZE."},
        {0},
};

static const struct field resize_fields[] = {
        {"uuid", FIELD_UUID, "of the VDI", false}, {"size", FIELD_SIZE, "bytes, now", false}, {0}};

static enum err run_resize(struct verb_call *call, struct err_note *note) {
        struct sr *sr;
        struct uuid vdi;

        if (open_vdi(call, &sr, &vdi, note) || sr_vdi_resize(sr, &vdi, call_number(call, "size"), note))
                return note->code;
        sr_call_put_uuid(call, &vdi);
        call_put(call, "size", json_of_u64(sr_get_vdi(sr, &vdi)->node->size));
        return ERR_NONE;
}

const struct verb vdi_resize_verb = {
        .name = "resize",
        .summary = "Makes a disk larger.",
        .details = "Guests that 'catena serve' has connected to it go on with the size that they know, and "
                   "see the "
                   "new one when they connect again.",
        .params = resize_params,
        .shape = SHAPE_NOTHING,
        .fields = resize_fields,
        .run = run_resize,
};
