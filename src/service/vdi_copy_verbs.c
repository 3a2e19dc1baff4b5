// SPDX-License-Identifier: Apache-2.0
/* What takes a disk from one SR to another: copy, move. */
#include "sr_call.h"
#include "vdi_copy.h"
#include "vdi_verbs.h"

#define TO_PARAM(text)                                                                                       \
        { .name = "to", .kind = PARAM_TEXT, .flags = PARAM_REQUIRED, .shown = "SR", .help = text }

static const struct param copy_params[] = {
        SR_PARAM,
        VDI_PARAM("vdi", "VDI", "The disk or snapshot: its uuid or name."),
        TO_PARAM("Where to: the SR's directory, name or uuid; it may be the same."),
        NAME_PARAM,
        DESCRIPTION_PARAM,
        {0},
};
static const struct param move_params[] = {
        SR_PARAM,
        VDI_PARAM("vdi", "VDI", "The disk or snapshot: its uuid or name."),
        TO_PARAM("Where to: the SR's directory, name or uuid."),
        {0},
};
static const struct field copied_fields[] = {{"uuid", FIELD_UUID, "of the new VDI", false},
                                             {"sr", FIELD_UUID, "of the SR that it is in", false},
                                             {0}};
static const struct field moved_fields[] = {{"uuid", FIELD_UUID, "of the VDI, as before", false},
                                            {"sr", FIELD_UUID, "of the SR that it is in", false},
                                            {0}};

static enum err open_both(struct verb_call *call, struct sr_other *other, struct vdi_copy *ret,
                          struct err_note *note) {
        const struct vdi *vdi;
        struct sr *sr;

        sr_call_name_other(call, "to");
        if (sr_call_open(call, SR_OWN, &sr, note) || sr_call_open_other(call, "to", other, note) ||
            sr_call_find(call, sr, "vdi", &vdi, note))
                return note->code;
        *ret = (struct vdi_copy){.sr = sr,
                                 .turn = call->turn,
                                 .to = other->sr,
                                 .to_turn = other->turn,
                                 .vdi = vdi->row.uuid,
                                 .progress = call->progress};
        return ERR_NONE;
}

static void put(struct verb_call *call, const struct uuid *vdi, const struct sr_other *other) {
        sr_call_put_uuid(call, vdi);
        call_put(call, "sr", sr_json_of_uuid(&sr_info(other->sr)->uuid));
}

static enum err run_copy(struct verb_call *call, struct err_note *note) {
        AUTO(sr_other_fini) struct sr_other other = {0};
        struct vdi_copy copy;
        struct uuid made;

        if (open_both(call, &other, &copy, note))
                return note->code;
        copy.name = call_text(call, "name");
        copy.description = call_text(call, "description");
        if (vdi_copy_run(&copy, &made, note))
                return err_wrap(note, "copy VDI %s", call_text(call, "vdi"));
        put(call, &made, &other);
        return ERR_NONE;
}

const struct verb vdi_copy_verb = {
        .name = "copy",
        .summary = "Makes a disk of what another holds, in any SR.",
        .details = "The copy shares nothing with the disk. It is there whole or not at all. A disk that is "
                   "written "
                   "cannot be copied: take a snapshot, and copy that. Prints the copy's uuid.",
        .params = copy_params,
        .shape = SHAPE_UUID,
        .fields = copied_fields,
        .run = run_copy,
};

static enum err run_move(struct verb_call *call, struct err_note *note) {
        AUTO(sr_other_fini) struct sr_other other = {0};
        struct vdi_copy move;

        if (open_both(call, &other, &move, note))
                return note->code;
        if (vdi_move_run(&move, note))
                return err_wrap(note, "move VDI %s", call_text(call, "vdi"));
        put(call, &move.vdi, &other);
        return ERR_NONE;
}

const struct verb vdi_move_verb = {
        .name = "move",
        .summary = "Takes a disk to another SR.",
        .details = "It keeps its uuid, name, description and tags. It is deleted where it was once it is "
                   "durable "
                   "where it goes. Nobody may have it open: what is connected to it is named.",
        .params = move_params,
        .shape = SHAPE_UUID,
        .fields = moved_fields,
        .run = run_move,
};
