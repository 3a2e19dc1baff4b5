// SPDX-License-Identifier: Apache-2.0
/* What takes a disk from one SR to another: copy, move. */
#include "sr_call.h"
#include "vdi_copy.h"
#include "vdi_move.h"
#include "vdi_verbs.h"

#define TO_PARAM(text)                                                                                       \
        { .name = "to", .kind = PARAM_TEXT, .flags = PARAM_REQUIRED, .shown = "SR", .help = text }

static const struct param copy_params[] = {
        SR_PARAM,
        VDI_PARAM("vdi", "VDI", "The disk or snapshot: its uuid or name."),
        TO_PARAM("Where to: the SR's directory, name or uuid; it may be the same."),
        {.name = "into",
         .kind = PARAM_TEXT,
         .shown = "VDI",
         .help = "A closed disk of that SR, by its uuid or name, that gets it: it reads as before until it "
                 "reads "
                 "as the other does."},
        {.name = "base",
         .kind = PARAM_TEXT,
         .shown = "VDI",
         .help = "With --into: what that disk holds already, a disk or snapshot of the first SR. Only what "
                 "differs from it is copied."},
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

/* Looked up in its own SR's turn, the caller's given back meanwhile: two are not held. */
static enum err find_into(struct verb_call *call, const struct sr_other *other, struct uuid *ret,
                          struct err_note *note) {
        const struct vdi *vdi;
        enum err err;

        sr_call_rest(call);
        turn_take(other->turn, "vdi copy");
        err = sr_call_find(call, other->sr, "into", &vdi, note);
        if (!err)
                *ret = vdi->row.uuid;
        turn_give(other->turn);
        sr_call_resume(call);
        return err;
}

/* uuids: room for those that are named. */
static enum err find_more(struct verb_call *call, const struct sr_other *other, struct vdi_copy *copy,
                          struct uuid uuids[2], struct err_note *note) {
        const struct vdi *vdi;

        if (call_has(call, "base") && !call_has(call, "into"))
                return err_set(note, ERR_INVALID, "--base is of a disk that holds it: name that with --into");
        if (call_has(call, "base")) {
                if (sr_call_find(call, copy->sr, "base", &vdi, note))
                        return note->code;
                uuids[0] = vdi->row.uuid;
                copy->base = &uuids[0];
        }
        if (!call_has(call, "into"))
                return ERR_NONE;
        copy->into = &uuids[1];
        return find_into(call, other, &uuids[1], note);
}

static enum err run_copy(struct verb_call *call, struct err_note *note) {
        AUTO(sr_other_fini) struct sr_other other = {0};
        struct vdi_copy copy;
        struct uuid made, more[2];

        if (open_both(call, &other, &copy, note) || find_more(call, &other, &copy, more, note))
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
                   "cannot be copied: take a snapshot, and copy that. Prints the copy's uuid, or that of the "
                   "disk that it went into.",
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
        .details =
                "It keeps its uuid, name, description and tags. It is deleted where it was once it is "
                "durable "
                "where it goes. Clients of NBD may be connected to it and write, where they are served both "
                "SRs: they wait for a moment at the end, and go on in the other SR. Whoever else has it open "
                "is named.",
        .params = move_params,
        .shape = SHAPE_UUID,
        .fields = moved_fields,
        .run = run_move,
};
