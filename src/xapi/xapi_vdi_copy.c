// SPDX-License-Identifier: Apache-2.0
/* Disks that go from one SR to another. */
#include <string.h>

#include "xapi_error.h"
#include "xapi_fields.h"
#include "xapi_inside.h"
#include "xapi_method.h"
#include "xapi_records.h"

static bool is_null(struct xapi_call *call, unsigned i) {
        return !xapi_has_arg(call, i) || strcmp(xapi_arg_text(call, i), XAPI_NULL_REF) == 0;
}

static json_t *params_to(const struct host_sr *to) {
        return json_pack("{s:o}", "to", json_of_text(sr_where(to->sr)));
}

/* The verb, then both SRs' objects follow. */
static bool run(struct xapi_call *call, const char *verb, const char *operation, json_t *params,
                struct uuid *ret) {
        struct uuid vdi = xapi_arg_ref(call, 0);
        AUTO(json_decref) json_t *made = NULL;

        if (!xapi_vdi_verb(call, &vdi, verb, params, operation, &made))
                return false;
        xapi_mirror_all(call->xapi->mirror);
        *ret = xapi_uuid_of(made);
        return true;
}

static bool commit(struct xapi_call *call, struct objects_change *change, const struct uuid *vdi) {
        struct err_note note;

        return !objects_commit(change, NULL, &note) || xapi_fail_of(call, &note, XAPI_VDI, vdi, call->name);
}

static void keep_fields(struct objects_change *change, const struct uuid *vdi, const json_t *from) {
        for (const char *const *name = xapi_vdi_of_clients; *name; name++)
                (void)objects_set(change, XAPI_VDI, vdi, *name, json_incref(json_object_get(from, *name)));
}

/* ---- copy ------------------------------------------------------------------------------------ */

static json_t *params_of_copy(const struct host_sr *to, const json_t *record) {
        json_t *params = params_to(to);

        json_object_set(params, "name", json_object_get(record, "name_label"));
        json_object_set(params, "description", json_object_get(record, "name_description"));
        return params;
}

static bool copy_to_new(struct xapi_call *call, const json_t *record) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        struct uuid sr = xapi_arg_ref(call, 1), made;
        const struct host_sr *to = xapi_sr_find(call, &sr);

        if (!to || !run(call, "copy", "copy", params_of_copy(to, record), &made))
                return false;
        objects_begin(xapi_host(call)->objects, &change);
        keep_fields(change, &made, record);
        return commit(call, TAKE(change), &made) && xapi_give_ref(call, &made);
}

/* What they are compared by are the layers of one SR. */
static bool check_base(struct xapi_call *call, const json_t *record) {
        struct uuid base = xapi_arg_ref(call, 2);
        AUTO(json_decref) json_t *other = xapi_fields_record(call, XAPI_VDI, &base);

        if (!other)
                return false;
        return json_equal(json_object_get(other, "SR"), json_object_get(record, "SR")) ||
               xapi_fail_value(call, "base_vdi", xapi_arg_text(call, 2), "it is in another SR");
}

static bool check_into(struct xapi_call *call, const json_t *record, const json_t *into) {
        const char *sr = json_string_value(json_object_get(into, "SR"));
        AUTO_FREE char *size = json_dumps(json_object_get(record, "virtual_size"), JSON_ENCODE_ANY);

        if (!is_null(call, 1) && strcmp(xapi_arg_text(call, 1), sr) != 0)
                return xapi_fail_value(call, "sr", xapi_arg_text(call, 1), "into_vdi is in another SR");
        if (json_integer_value(json_object_get(into, "virtual_size")) <
            json_integer_value(json_object_get(record, "virtual_size")))
                return xapi_fail(call, "VDI_TOO_SMALL", xapi_arg_text(call, 3), size, NULL);
        return true;
}

/* It keeps all that is said of it. */
static bool copy_into(struct xapi_call *call, const json_t *record) {
        struct uuid into = xapi_arg_ref(call, 3), made;
        AUTO(json_decref) json_t *target = xapi_fields_record(call, XAPI_VDI, &into);
        const struct host_sr *to;
        json_t *params;

        if (!target || !check_into(call, record, target) ||
            (!is_null(call, 2) && !check_base(call, record)) || !(to = xapi_sr_of_vdi(call, &into)))
                return false;
        params = params_to(to);
        json_object_set_new(params, "into", json_string(uuid_format(&into).s));
        if (!is_null(call, 2)) {
                struct uuid base = xapi_arg_ref(call, 2);

                json_object_set_new(params, "base", json_string(uuid_format(&base).s));
        }
        return run(call, "copy", "copy", params, &made) && xapi_give_ref(call, &made);
}

static bool copy(struct xapi_call *call) {
        struct uuid vdi = xapi_arg_ref(call, 0);
        AUTO(json_decref) json_t *record = xapi_fields_record(call, XAPI_VDI, &vdi);

        if (!record)
                return false;
        if (!is_null(call, 3))
                return copy_into(call, record);
        if (!is_null(call, 2))
                return xapi_fail_value(call, "base_vdi", xapi_arg_text(call, 2),
                                       "into_vdi holds it: say which");
        return copy_to_new(call, record);
}

/* ---- move ------------------------------------------------------------------------------------ */

/* It keeps its reference, and what clients said of it (xapi_mirror.h); VMs have it where they had it. */
static bool move(struct xapi_call *call) {
        struct uuid vdi = xapi_arg_ref(call, 0), sr = xapi_arg_ref(call, 1), made;
        AUTO(json_decref) json_t *record = xapi_fields_record(call, XAPI_VDI, &vdi);
        const struct host_sr *to = record ? xapi_sr_find(call, &sr) : NULL;

        return to && run(call, "move", "pool_migrate", params_to(to), &made) && xapi_give_ref(call, &made);
}

#define VDI_OPTIONAL(its_name)                                                                               \
        { .field = {.name = its_name, .type = XAPI_REF, .of = "VDI"}, .flags = XAPI_OPTIONAL | XAPI_NULLABLE }

static const struct xapi_param copy_params[] = {
        XAPI_REF_PARAM("vdi", "VDI"),
        {.field = {.name = "sr", .type = XAPI_REF, .of = "SR"}, .flags = XAPI_NULLABLE},
        VDI_OPTIONAL("base_vdi"),
        VDI_OPTIONAL("into_vdi"),
        {{0}, 0}};
static const struct xapi_param move_params[] = {
        XAPI_REF_PARAM("vdi", "VDI"),
        XAPI_REF_PARAM("sr", "SR"),
        {.field = {.name = "options", .type = XAPI_MAP}, .flags = XAPI_OPTIONAL},
        {{0}, 0}};

const struct xapi_method xapi_vdi_copy_methods[] = {
        {"VDI.copy", copy_params, XAPI_GIVES(XAPI_REF), ROLE_OPERATOR, XAPI_SLOW, copy},
        {"VDI.pool_migrate", move_params, XAPI_GIVES(XAPI_REF), ROLE_OPERATOR, XAPI_SLOW, move},
        {0},
};
