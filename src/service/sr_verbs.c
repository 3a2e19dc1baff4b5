// SPDX-License-Identifier: Apache-2.0
#include "sr_verbs.h"

#include "registry.h"
#include "sr_call.h"

const struct verb *const sr_verbs[] = {
        &sr_create_verb, &sr_adopt_verb, &sr_release_verb, &sr_forget_verb, &sr_list_verb, &sr_show_verb,
        &sr_set_verb,    &sr_scan_verb,  &sr_check_verb,   &sr_health_verb, NULL,
};

static const struct field made_fields[] = {
        {"uuid", FIELD_UUID, "of the SR", false},
        {"name", FIELD_TEXT, "of the SR", false},
        {"path", FIELD_TEXT, "its folder", false},
        {"warnings", FIELD_OBJECT, "a list of text; missing where there are none", true},
        {0},
};

/* ---- create ---------------------------------------------------------------------------------- */

static const struct param create_params[] = {
        {.name = "dir",
         .kind = PARAM_PATH,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .shown = "DIR",
         .help = "The directory; it is made where it is missing."},
        {.name = "name", .kind = PARAM_TEXT, .help = "Its name (that of the directory where not given)."},
        {0},
};

static enum err run_create(struct verb_call *call, struct err_note *note) {
        const char *dir = call_text(call, "dir");
        struct sr_options options = sr_call_options(call, SR_OWN);
        AUTO_FREE char *name = sr_call_name(call, dir);
        struct uuid uuid;

        if (sr_create(call->io, dir, name, &options, &uuid, note))
                return note->code;
        call_put(call, "name", json_of_text(name));
        call_put(call, "path", json_of_text(dir));
        sr_call_register(call, &uuid, name, dir);
        return ERR_NONE;
}

const struct verb sr_create_verb = {
        .name = "create",
        .summary = "Makes an SR of a directory.",
        .details = "Prints its uuid. Where disks lie in the directory already, nothing is done: 'sr adopt' "
                   "takes them.",
        .params = create_params,
        .shape = SHAPE_UUID,
        .fields = made_fields,
        .run = run_create,
};

/* ---- list ------------------------------------------------------------------------------------ */

static const struct param no_params[] = {{0}};

static const struct field list_fields[] = {
        {"name", FIELD_TEXT, "of the SR", false},
        {"uuid", FIELD_UUID, "of the SR", false},
        {"path", FIELD_TEXT, "its folder", false},
        {"there", FIELD_BOOL, "whether the folder is there", false},
        {"read_only", FIELD_BOOL, "it is never written", false},
        {0},
};

static enum err run_list(struct verb_call *call, struct err_note *note) {
        AUTO(registry_fini) struct registry registry = {0};
        json_t *rows = json_array();

        call_put(call, "srs", rows);
        if (registry_read(call->io, call->state_dir, &registry, note))
                return note->code;
        VEC_EACH (&registry.list, entry) {
                json_array_append_new(
                        rows,
                        json_pack("{s:o, s:o, s:o, s:b, s:b}", "name", json_of_text(entry->name), "uuid",
                                  sr_json_of_uuid(&entry->uuid), "path", json_of_text(entry->path), "there",
                                  (int)entry->is_there, "read_only", (int)entry->read_only));
        }
        return ERR_NONE;
}

const struct verb sr_list_verb = {
        .name = "list",
        .summary = "Lists the SRs that have been made or adopted here.",
        .details = "Those are the ones that can be named without their path.",
        .params = no_params,
        .shape = SHAPE_TABLE,
        .rows = "srs",
        .fields = list_fields,
        .run = run_list,
};

/* ---- show ------------------------------------------------------------------------------------ */

static const struct param sr_params[] = {SR_POSITIONAL, {0}};

static const struct field show_fields[] = {
        {"name", FIELD_TEXT, "of the SR", false},
        {"uuid", FIELD_UUID, "of the SR; null: a folder of VHDs that was never made one", false},
        {"path", FIELD_TEXT, "its folder", false},
        {"description", FIELD_TEXT, "as it was described", false},
        {"created", FIELD_TIME, "seconds since 1970", false},
        {"max_depth", FIELD_NUMBER, "layers that a snapshot may lead to; 0: no limit", false},
        {"vdis", FIELD_NUMBER, "disks that users see", false},
        {"snapshots", FIELD_NUMBER, "of these", false},
        {"nodes", FIELD_NUMBER, "files", false},
        {"hidden", FIELD_NUMBER, "of these: inner nodes, and what waits to be deleted", false},
        {"damaged", FIELD_NUMBER, "of these: cannot be read, or something below cannot", false},
        {"deepest", FIELD_NUMBER, "files in the longest chain", false},
        {"allocated", FIELD_SIZE, "bytes that its files take", false},
        {"free", FIELD_SIZE, "bytes that are free in the file system", false},
        {"total", FIELD_SIZE, "bytes of the file system", false},
        {"read_only", FIELD_BOOL, "opened so", true},
        {0},
};

static void put_counts(struct verb_call *call, struct sr *sr) {
        const struct tree *tree = sr_tree(sr);
        unsigned hidden = 0, damaged = 0, deepest = 0, snapshots = 0;
        uint64_t allocated = 0;

        for (size_t i = 0; i < tree->nodes.n; i++) {
                const struct node *node = tree->nodes.data[i];

                hidden += node->is_hidden;
                damaged += node->error.code != ERR_NONE;
                allocated += node->is_alias ? 0 : node->allocated;
                deepest = node->depth > deepest ? node->depth : deepest;
        }
        for (size_t i = 0; i < sr_n_vdis(sr); i++)
                snapshots += sr_vdi_at(sr, i)->row.is_snapshot;
        call_put(call, "vdis", json_of_u64(sr_n_vdis(sr)));
        call_put(call, "snapshots", json_integer(snapshots));
        call_put(call, "nodes", json_of_u64(tree->nodes.n));
        call_put(call, "hidden", json_integer(hidden));
        call_put(call, "damaged", json_integer(damaged));
        call_put(call, "deepest", json_integer(deepest));
        call_put(call, "allocated", json_of_u64(allocated));
}

static enum err put_sr(struct verb_call *call, struct sr *sr, struct err_note *note) {
        const struct sr_row *row = sr_info(sr);
        struct io_space space;

        call_put(call, "name", json_of_text(row->name));
        call_put(call, "uuid", sr_json_of_uuid(&row->uuid));
        call_put(call, "path", json_of_text(sr_where(sr)));
        call_put(call, "description", json_of_text(row->description));
        call_put(call, "created", json_integer(row->created));
        call_put(call, "max_depth", json_integer(row->max_depth));
        call_put(call, "read_only", json_boolean(sr_call_is_read_only(call)));
        put_counts(call, sr);
        if (sr_space(sr, &space, note))
                return note->code;
        call_put(call, "free", json_of_u64(space.free));
        call_put(call, "total", json_of_u64(space.total));
        return ERR_NONE;
}

static enum err run_show(struct verb_call *call, struct err_note *note) {
        struct sr *sr;

        if (sr_call_open(call, SR_READ_ONLY, &sr, note))
                return note->code;
        return put_sr(call, sr, note);
}

const struct verb sr_show_verb = {
        .name = "show",
        .summary = "Shows an SR.",
        .details = "Changes nothing.",
        .params = sr_params,
        .shape = SHAPE_RECORD,
        .fields = show_fields,
        .run = run_show,
};

/* ---- set ------------------------------------------------------------------------------------- */

static const struct param set_params[] = {
        SR_POSITIONAL,
        {.name = "name", .kind = PARAM_TEXT, .help = "Its new name."},
        {.name = "description", .kind = PARAM_TEXT, .help = "Its new description."},
        {.name = "max-depth",
         .kind = PARAM_NUMBER,
         .help = "Layers that a snapshot may lead to; 0: no limit. XCP-ng's is 30."},
        {0},
};

static enum err run_set(struct verb_call *call, struct err_note *note) {
        struct sr *sr;
        unsigned max_depth = (unsigned)call_number(call, "max-depth");
        struct sr_settings settings = {.name = call_text(call, "name"),
                                       .description = call_text(call, "description"),
                                       .max_depth = call_has(call, "max-depth") ? &max_depth : NULL};

        if (!settings.name && !settings.description && !settings.max_depth)
                return call_usage(call, note, "nothing to set: --name, --description or --max-depth");
        if (call_number(call, "max-depth") > 100000)
                return call_usage(call, note, "--max-depth is at most 100000");
        if (sr_call_open(call, SR_OWN, &sr, note) || sr_set(sr, &settings, note))
                return note->code;
        if (settings.name && registry_put(call->io, call->state_dir, &sr_info(sr)->uuid, settings.name,
                                          sr_where(sr), sr_call_is_read_only(call), note))
                return err_wrap(note, "the SR has its new name, but it is not known here");
        return put_sr(call, sr, note);
}

const struct verb sr_set_verb = {
        .name = "set",
        .summary = "Changes an SR's name, description or limit.",
        .params = set_params,
        .shape = SHAPE_NOTHING,
        .fields = show_fields,
        .run = run_set,
};

/* ---- scan ------------------------------------------------------------------------------------ */

static const struct field scan_fields[] = {
        {"name", FIELD_TEXT, "of the SR", true},
        {"uuid", FIELD_UUID, "of the SR", true},
        {"vdis", FIELD_NUMBER, "disks that users see", false},
        {"nodes", FIELD_NUMBER, "files", false},
        {"hidden", FIELD_NUMBER, "of these: inner nodes, and what waits to be deleted", false},
        {"damaged", FIELD_NUMBER, "of these: cannot be read, or something below cannot", false},
        {"removed", FIELD_NUMBER, "files that nothing needed any more", false},
        {"freed", FIELD_SIZE, "bytes that they took", false},
        {"waiting", FIELD_OBJECT, "what could not go, each with uuid and text", false},
        {0},
};

static json_t *json_of_notices(const struct sr_notices *notices) {
        json_t *list = json_array();

        for (size_t i = 0; i < notices->list.n; i++)
                json_array_append_new(list, json_pack("{s:o, s:o}", "uuid",
                                                      sr_json_of_uuid(&notices->list.data[i].uuid), "text",
                                                      json_of_text(notices->list.data[i].text)));
        return list;
}

static enum err run_scan(struct verb_call *call, struct err_note *note) {
        struct sr *sr;
        AUTO(sr_notices_fini) struct sr_notices waiting = {0};
        unsigned removed = 0;
        uint64_t freed = 0;

        if (sr_call_open(call, SR_OWN, &sr, note) || sr_scan(sr, note))
                return note->code;
        if (!sr_call_is_read_only(call) && sr_garbage(sr, &removed, &freed, &waiting, note))
                return note->code;
        if (put_sr(call, sr, note))
                return note->code;
        call_put(call, "removed", json_integer(removed));
        call_put(call, "freed", json_of_u64(freed));
        call_put(call, "waiting", json_of_notices(&waiting));
        if (json_integer_value(json_object_get(call->result, "damaged")))
                call->outcome = VERB_FINDINGS;
        return ERR_NONE;
}

const struct verb sr_scan_verb = {
        .name = "scan",
        .summary = "Reads the directory anew and removes what nothing needs.",
        .details = "Mends the catalog by what lies there: files are the truth. Exits with 4 where a file is "
                   "damaged.",
        .params = sr_params,
        .shape = SHAPE_RECORD,
        .fields = scan_fields,
        .run = run_scan,
};

/* ---- forget ---------------------------------------------------------------------------------- */

static enum err run_forget(struct verb_call *call, struct err_note *note) {
        AUTO_FREE char *path = NULL;
        bool read_only;

        if (registry_resolve(call->io, call->state_dir, call_text(call, "sr"), &path, &read_only, note))
                return note->code;
        call_put(call, "path", json_of_text(path));
        return registry_drop(call->io, call->state_dir, path, note);
}

static const struct field forget_fields[] = {{"path", FIELD_TEXT, "its folder, which stays as it is", false},
                                             {0}};

const struct verb sr_forget_verb = {
        .name = "forget",
        .summary = "Forgets an SR's name; the SR stays as it is.",
        .params = sr_params,
        .shape = SHAPE_NOTHING,
        .fields = forget_fields,
        .run = run_forget,
};
