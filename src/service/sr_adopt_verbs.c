// SPDX-License-Identifier: Apache-2.0
#include "mem.h"
#include "registry.h"
#include "sr_call.h"
#include "sr_verbs.h"

/* ---- adopt ----------------------------------------------------------------------------------- */

static const struct param adopt_params[] = {
        {.name = "dir",
         .kind = PARAM_PATH,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .shown = "DIR",
         .help = "A directory of VHDs, as XCP-ng's file SR lays it out."},
        {.name = "name", .kind = PARAM_TEXT, .help = "Its name (that of the directory where not given)."},
        {.name = "dry-run", .kind = PARAM_FLAG, .help = "Only lists what lies there and what would be done."},
        {.name = "read-only",
         .kind = PARAM_FLAG,
         .help = "Only gives the directory a name here. Not a byte in it is ever changed."},
        {0},
};

static const struct field adopt_fields[] = {
        {"uuid", FIELD_UUID, "of the SR; null where it was only listed", false},
        {"name", FIELD_TEXT, "of the SR", false},
        {"path", FIELD_TEXT, "its folder", false},
        {"vdis", FIELD_NUMBER, "disks that users see", false},
        {"hidden", FIELD_NUMBER, "inner nodes, and what waits to be deleted", false},
        {"damaged", FIELD_NUMBER, "that cannot be read, or something below cannot", false},
        {"others", FIELD_NUMBER, "files that mean nothing here; they stay", false},
        {"findings", FIELD_OBJECT, "what is wrong, each with uuid and text", false},
        {"steps", FIELD_OBJECT,
         "what sm left unfinished, each with uuid, text, and refused: it stands in the way", false},
        {"warnings", FIELD_OBJECT, "a list of text; missing where there are none", true},
        {0},
};

static void put_adoption(struct verb_call *call, const struct adoption *adoption) {
        json_t *findings = json_array(), *steps = json_array();

        for (size_t i = 0; i < adoption->findings.list.n; i++) {
                const struct sr_notice *notice = &adoption->findings.list.data[i];

                json_array_append_new(findings,
                                      json_pack("{s:o, s:o}", "uuid", sr_json_of_uuid(&notice->uuid), "text",
                                                json_of_text(notice->text)));
        }
        for (size_t i = 0; i < adoption->steps.n; i++) {
                const struct adopt_step *step = &adoption->steps.data[i];

                json_array_append_new(
                        steps, json_pack("{s:o, s:o, s:b}", "uuid", sr_json_of_uuid(&step->uuid), "text",
                                         json_of_text(step->text), "refused", (int)step->is_refused));
        }
        call_put(call, "vdis", json_integer(adoption->n_vdis));
        call_put(call, "hidden", json_integer(adoption->n_hidden));
        call_put(call, "damaged", json_integer(adoption->n_damaged));
        call_put(call, "others", json_integer(adoption->n_others));
        call_put(call, "findings", findings);
        call_put(call, "steps", steps);
}

/* Nothing of the folder is touched: only the registry learns of it. */
static enum err adopt_read_only(struct verb_call *call, const char *dir, const char *name,
                                struct err_note *note) {
        struct uuid uuid;
        uint8_t dice[16];

        io_random(call->io, dice, sizeof dice);
        uuid = uuid_from_random(dice);
        if (registry_put(call->io, call->state_dir, &uuid, name, dir, true, note))
                return note->code;
        sr_call_put_uuid(call, &uuid);
        return ERR_NONE;
}

/* One that was an SR before keeps its name, where none is given. */
static enum err adopt_whole(struct verb_call *call, const char *dir, struct err_note *note) {
        struct sr_options options = sr_call_options(call, SR_OWN);
        AUTO(sr_close) struct sr *sr = NULL;
        struct uuid uuid;

        if (sr_adopt(call->io, dir, call_text(call, "name"), &options, &uuid, note))
                return note->code;
        options.mode = SR_READ_ONLY;
        if (sr_open(call->io, dir, &options, &sr, note))
                return note->code;
        call_put(call, "name", json_of_text(sr_info(sr)->name));
        sr_call_register(call, &uuid, sr_info(sr)->name, dir);
        return ERR_NONE;
}

static enum err run_adopt(struct verb_call *call, struct err_note *note) {
        const char *dir = call_text(call, "dir");
        AUTO(adoption_fini) struct adoption adoption = {0};
        AUTO_FREE char *name = sr_call_name(call, dir);
        enum err failed = ERR_NONE;

        if (sr_adopt_list(call->io, dir, &adoption, note))
                return err_wrap(note, "adopt %s", dir);
        call_put(call, "uuid", json_null());
        call_put(call, "name", json_of_text(name));
        call_put(call, "path", json_of_text(dir));
        put_adoption(call, &adoption);
        if (adoption.n_damaged)
                call->outcome = VERB_FINDINGS;
        if (!call_flag(call, "dry-run"))
                failed = call_flag(call, "read-only") ? adopt_read_only(call, dir, name, note)
                                                      : adopt_whole(call, dir, note);
        return failed ? err_wrap(note, "adopt %s", dir) : ERR_NONE;
}

const struct verb sr_adopt_verb = {
        .name = "adopt",
        .summary = "Makes an SR of a directory that holds disks already.",
        .details = "What XCP-ng's storage manager left unfinished is finished or undone first; --dry-run "
                   "shows that. The "
                   "host must not use the directory any more. Exits with 4 where a file is damaged: its tree "
                   "is shown so, "
                   "the others are as good as ever.",
        .params = adopt_params,
        .shape = SHAPE_RECORD,
        .fields = adopt_fields,
        .run = run_adopt,
};

/* ---- release --------------------------------------------------------------------------------- */

static const struct param release_params[] = {SR_POSITIONAL, {0}};

static const struct field release_fields[] = {{"path", FIELD_TEXT, "the directory, now without names", false},
                                              {0}};

static enum err run_release(struct verb_call *call, struct err_note *note) {
        struct sr *sr;
        AUTO_FREE char *path = NULL;

        if (sr_call_open(call, SR_OWN, &sr, note))
                return note->code;
        path = mem_text(sr_where(sr));
        if (call->is_kept)
                return err_set(note, ERR_BUSY,
                               "release %s: a daemon serves it: take it out of its configuration first",
                               path);
        if (sr_release(sr, note))
                return err_wrap(note, "release %s", path);
        call_put(call, "path", json_of_text(path));
        return registry_drop(call->io, call->state_dir, path, note);
}

const struct verb sr_release_verb = {
        .name = "release",
        .summary = "Hands a directory back: it is no SR of ours any more.",
        .details =
                "Its disks stay, as plain VHD files; names, descriptions and what is a snapshot of what go.",
        .params = release_params,
        .shape = SHAPE_NOTHING,
        .fields = release_fields,
        .run = run_release,
};
