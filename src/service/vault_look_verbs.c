// SPDX-License-Identifier: Apache-2.0
/* What is in a vault: list, show. */
#include <string.h>

#include "taints.h"
#include "vault_call.h"
#include "vault_verbs.h"

#define POINT_FIELDS                                                                                         \
        {"point", FIELD_TEXT, "its id", false}, {"name", FIELD_TEXT, "of what", false},                      \
                {"time", FIELD_TIME, "when its content was what it is", false},                              \
                {"size", FIELD_SIZE, "of its disks, bytes", false}, {                                        \
                "added", FIELD_SIZE, "bytes that the vault had not before", false                            \
        }

/* ---- list ---- */

static const struct param list_params[] = {
        VAULT_PARAM,
        KEY_PARAMS,
        {.name = "name", .kind = PARAM_TEXT, .help = "Only points of this name."},
        {0},
};
static const struct field list_fields[] = {
        POINT_FIELDS,
        {"parent", FIELD_TEXT, "the point that it was made from; null: none", true},
        {"disks", FIELD_OBJECT, "name, size, id, added of each", true},
        {"damaged", FIELD_BOOL, "verify found that it needs what is damaged or gone", false},
        {0},
};

static enum err run_list(struct verb_call *call, struct err_note *note) {
        const char *name = call_text(call, "name");
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(points_fini) struct points points = {0};
        AUTO(vault_taint_fini) struct vault_taint taint = {0};
        json_t *rows, *row;

        if (vault_call_open(call, &vault, note) || points_list(vault, &points, note) ||
            taints_read(vault, &taint, note))
                return err_wrap(note, "list vault %s", call_text(call, "vault"));
        rows = json_array();
        VEC_EACH (&points.list, each) {
                if (name && strcmp(each->manifest.name, name) != 0)
                        continue;
                row = vault_json_of_point(each);
                json_object_set_new(row, "damaged", json_boolean(taint_has_point(&taint, &each->name)));
                json_array_append_new(rows, row);
        }
        call_put(call, "points", rows);
        call_put(call, "unsealed", json_of_u64(points.n_unsealed));
        call_put(call, "damaged", json_of_u64(points.n_damaged));
        if (points.n_damaged)
                call->outcome = VERB_FINDINGS;
        return ERR_NONE;
}

const struct verb vault_list_verb = {
        .name = "list",
        .summary = "Lists the points of a vault, oldest first.",
        .details = "A point that a run is still making, or that one left unfinished, is not shown.",
        .params = list_params,
        .shape = SHAPE_TABLE,
        .rows = "points",
        .fields = list_fields,
        .run = run_list,
        .is_local = true,
};

/* ---- show ---- */

static const struct param show_params[] = {VAULT_PARAM, KEY_PARAMS, POINT_PARAM(POINT_HELP), {0}};
static const struct field show_fields[] = {
        POINT_FIELDS,
        {"parent", FIELD_TEXT, "the point that it was made from; null: none", false},
        {"disks", FIELD_OBJECT, "name, size, id, added of each", false},
        {"vm", FIELD_OBJECT, "what was said of the VM; null: nothing", true},
        {0},
};

static enum err run_show(struct verb_call *call, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(point_fini) struct point point = {0};
        AUTO(json_decref) json_t *row = NULL;
        const char *key;
        json_t *value;

        if (vault_call_open(call, &vault, note) ||
            points_find(vault, call_text(call, "point"), NULL, &point, note))
                return err_wrap(note, "show point %s", call_text(call, "point"));
        row = vault_json_of_point(&point);
        json_object_foreach(row, key, value) {
                call_put(call, key, json_incref(value));
        }
        call_put(call, "vm", point.manifest.vm ? json_incref(point.manifest.vm) : json_null());
        return ERR_NONE;
}

const struct verb vault_show_verb = {
        .name = "show",
        .summary = "Shows a point.",
        .params = show_params,
        .shape = SHAPE_RECORD,
        .fields = show_fields,
        .run = run_show,
        .is_local = true,
};
