// SPDX-License-Identifier: Apache-2.0
/* Disks: made, snapshotted, cloned, copied, deleted, resized, named. */
#include <string.h>

#include "bytes.h"
#include "vhd.h"
#include "vms.h"
#include "xapi_check.h"
#include "xapi_error.h"
#include "xapi_fields.h"
#include "xapi_inside.h"
#include "xapi_method.h"
#include "xapi_records.h"

/* Sizes are whole blocks, as clients that read block by block count on. */
#define SIZE_STEP (2 * MIB)

static bool round_size(struct xapi_call *call, int64_t given, uint64_t *ret) {
        AUTO_FREE char *text = mem_format("%lld", (long long)given);
        AUTO_FREE char *most = mem_format("%lld", (long long)VHD_MAX_SIZE);

        if (given <= 0)
                return xapi_fail_value(call, "virtual_size", text, "a disk has at least one byte");
        if ((uint64_t)given > VHD_MAX_SIZE)
                return xapi_fail(call, "VDI_TOO_LARGE", text, most, NULL);
        *ret = ((uint64_t)given + SIZE_STEP - 1) / SIZE_STEP * SIZE_STEP;
        return true;
}

/* ---- what clients own of a new disk ---------------------------------------------------------- */

/* Of sm_config, what does not follow from the file stays beside what does. */
static void set_sm_config(struct objects_change *change, const struct uuid *vdi, const json_t *given) {
        AUTO(json_decref) json_t *record = objects_change_get(change, XAPI_VDI, vdi);
        json_t *config = json_deep_copy(given);

        json_object_del(config, "vhd-parent");
        json_object_update(config, json_object_get(record, "sm_config"));
        (void)objects_set(change, XAPI_VDI, vdi, "sm_config", config);
}

static bool keep_fields(struct xapi_call *call, const struct uuid *vdi, const json_t *from) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        struct err_note note;

        objects_begin(xapi_host(call)->objects, &change);
        for (const char *const *name = xapi_vdi_of_clients; *name; name++) {
                json_t *value = json_object_get(from, *name);

                if (value)
                        (void)objects_set(change, XAPI_VDI, vdi, *name, json_incref(value));
        }
        if (json_object_get(from, "read_only"))
                (void)objects_set(change, XAPI_VDI, vdi, "read_only",
                                  json_incref(json_object_get(from, "read_only")));
        if (json_object_get(from, "sm_config"))
                set_sm_config(change, vdi, json_object_get(from, "sm_config"));
        if (objects_commit(TAKE(change), NULL, &note))
                return xapi_fail_of(call, &note, XAPI_VDI, vdi, "create");
        return true;
}

/* ---- create ---------------------------------------------------------------------------------- */

static const char *text_in(const json_t *record, const char *name) {
        const char *text = json_string_value(json_object_get(record, name));

        return text ? text : "";
}

static bool set_tags(struct xapi_call *call, const struct uuid *vdi, const json_t *record) {
        json_t *tags = json_object_get(record, "tags");

        return !json_array_size(tags) || xapi_vdi_set(call, vdi, json_pack("{s:O}", "tag", tags));
}

static bool create(struct xapi_call *call) {
        const json_t *record = xapi_arg(call, 0);
        AUTO(json_decref) json_t *made = NULL;
        const char *sr_ref = text_in(record, "SR");
        const struct host_sr *sr;
        struct uuid uuid;
        uint64_t size;

        if (!xapi_check_required(call, XAPI_VDI, record) || !xapi_check_ref(call, "SR", sr_ref, &uuid) ||
            !round_size(call, json_integer_value(json_object_get(record, "virtual_size")), &size))
                return false;
        sr = xapi_sr_find(call, &uuid);
        if (!sr ||
            !xapi_sr_verb(call, sr, "vdi", "create",
                          json_pack("{s:s, s:s, s:I}", "name", text_in(record, "name_label"), "description",
                                    text_in(record, "name_description"), "size", (json_int_t)size),
                          &made))
                return false;
        uuid = xapi_uuid_of(made);
        return keep_fields(call, &uuid, record) && set_tags(call, &uuid, record) &&
               xapi_give_ref(call, &uuid);
}

/* ---- snapshot, clone ------------------------------------------------------------------------- */

static bool fork_vdi(struct xapi_call *call, const char *verb) {
        struct uuid vdi = xapi_arg_ref(call, 0);
        AUTO(json_decref) json_t *record = xapi_fields_record(call, XAPI_VDI, &vdi);
        AUTO(json_decref) json_t *kept = NULL;
        AUTO(json_decref) json_t *made = NULL;
        struct uuid uuid;

        if (!record || !xapi_vdi_verb(call, &vdi, verb,
                                      json_pack("{s:s, s:s}", "name", text_in(record, "name_label"),
                                                "description", text_in(record, "name_description")),
                                      verb, &made))
                return false;
        uuid = xapi_uuid_of(made);
        kept = json_copy(record);
        json_object_del(kept, "sm_config");
        json_object_del(kept, "read_only");
        return keep_fields(call, &uuid, kept) && xapi_give_ref(call, &uuid);
}

static bool take_snapshot(struct xapi_call *call) {
        return fork_vdi(call, "snapshot");
}

static bool make_clone(struct xapi_call *call) {
        return fork_vdi(call, "clone");
}

/* ---- destroy, resize ------------------------------------------------------------------------- */

static bool is_attached(struct xapi_call *call, const json_t *vbds) {
        json_t *each;
        size_t i;

        json_array_foreach((json_t *)vbds, i, each) {
                AUTO(json_decref) json_t *attached = NULL;
                struct uuid vbd;

                if (xapi_ref_parse(json_string_value(each), &vbd))
                        attached =
                                objects_field(xapi_host(call)->objects, XAPI_VBD, &vbd, "currently_attached");
                if (json_is_true(attached))
                        return true;
        }
        return false;
}

/* A VM's place for a disk that is no more is none. */
static void remove_vbds(struct xapi_call *call, const json_t *vbds) {
        struct err_note unused;
        struct uuid vbd;
        json_t *each;
        size_t i;

        json_array_foreach((json_t *)vbds, i, each) if (xapi_ref_parse(json_string_value(each), &vbd))(
                void) !vms_vbd_destroy(xapi_host(call), &vbd, &unused);
}

static bool destroy(struct xapi_call *call) {
        struct uuid vdi = xapi_arg_ref(call, 0);
        AUTO(json_decref) json_t *vbds = objects_field(xapi_host(call)->objects, XAPI_VDI, &vdi, "VBDs");
        const struct host_sr *sr = xapi_sr_of_vdi(call, &vdi);

        if (is_attached(call, vbds))
                return xapi_fail(call, "VDI_IN_USE", xapi_arg_text(call, 0), "destroy", NULL);
        if (!sr || !xapi_vdi_verb(call, &vdi, "delete", json_object(), "destroy", NULL))
                return false;
        remove_vbds(call, vbds);
        xapi_gc_kick(call->xapi->gc, sr);
        return xapi_give_nothing(call);
}

static bool resize(struct xapi_call *call) {
        struct uuid vdi = xapi_arg_ref(call, 0);
        uint64_t size;

        return round_size(call, xapi_arg_int(call, 1), &size) &&
               xapi_vdi_verb(call, &vdi, "resize", json_pack("{s:I}", "size", (json_int_t)size), "resize",
                             NULL) &&
               xapi_give_nothing(call);
}

/* ---- fields that have a say of their own ----------------------------------------------------- */

static bool set_name(struct xapi_call *call, const char *key) {
        struct uuid vdi = xapi_arg_ref(call, 0);

        return xapi_vdi_set(call, &vdi, json_pack("{s:s}", key, xapi_arg_text(call, 1)));
}

static bool set_name_label(struct xapi_call *call) {
        return set_name(call, "name");
}

static bool set_name_description(struct xapi_call *call) {
        return set_name(call, "description");
}

static bool set_value(struct xapi_call *call, const char *name) {
        struct uuid vdi = xapi_arg_ref(call, 0);

        return xapi_fields_set(call, XAPI_VDI, &vdi, name, json_deep_copy(xapi_arg(call, 1)));
}

static bool set_sharable(struct xapi_call *call) {
        return set_value(call, "sharable");
}

static bool set_read_only(struct xapi_call *call) {
        return set_value(call, "read_only");
}

static bool set_on_boot(struct xapi_call *call) {
        return set_value(call, "on_boot");
}

static bool set_allow_caching(struct xapi_call *call) {
        return set_value(call, "allow_caching");
}

static bool update(struct xapi_call *call) {
        struct uuid vdi = xapi_arg_ref(call, 0);
        const struct host_sr *sr = xapi_sr_of_vdi(call, &vdi);

        if (!sr)
                return false;
        xapi_mirror_now(call->xapi->mirror, sr);
        return xapi_give_nothing(call);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define END                                                                                                  \
        { {0}, 0 }
static const struct xapi_param record_params[] = {
        {.field = {.name = "record", .type = XAPI_REF, .of = "VDI"}, .flags = XAPI_RECORD}, END};
static const struct xapi_param self_params[] = {XAPI_REF_PARAM("self", "VDI"), END};
static const struct xapi_param fork_params[] = {
        XAPI_REF_PARAM("vdi", "VDI"),
        {.field = {.name = "driver_params", .type = XAPI_MAP}, .flags = XAPI_OPTIONAL},
        END};
static const struct xapi_param size_params[] = {XAPI_REF_PARAM("vdi", "VDI"),
                                                XAPI_TYPED_PARAM("size", XAPI_INT), END};
static const struct xapi_param text_params[] = {XAPI_REF_PARAM("self", "VDI"), XAPI_TEXT_PARAM("value"), END};
static const struct xapi_param bool_params[] = {XAPI_REF_PARAM("self", "VDI"),
                                                XAPI_TYPED_PARAM("value", XAPI_BOOL), END};
static const struct xapi_param boot_params[] = {
        XAPI_REF_PARAM("self", "VDI"),
        {.field = {.name = "value", .type = XAPI_ENUM, .of = "reset|persist"}},
        END};

#define VDI_METHOD(verb, params, gives, run)                                                                 \
        { "VDI." verb, params, gives, ROLE_OPERATOR, XAPI_SLOW, run }

const struct xapi_method xapi_vdi_methods[] = {
        VDI_METHOD("create", record_params, XAPI_GIVES(XAPI_REF), create),
        VDI_METHOD("snapshot", fork_params, XAPI_GIVES(XAPI_REF), take_snapshot),
        VDI_METHOD("clone", fork_params, XAPI_GIVES(XAPI_REF), make_clone),
        VDI_METHOD("destroy", self_params, XAPI_GIVES_NOTHING, destroy),
        VDI_METHOD("resize", size_params, XAPI_GIVES_NOTHING, resize),
        VDI_METHOD("resize_online", size_params, XAPI_GIVES_NOTHING, resize),
        VDI_METHOD("set_name_label", text_params, XAPI_GIVES_NOTHING, set_name_label),
        VDI_METHOD("set_name_description", text_params, XAPI_GIVES_NOTHING, set_name_description),
        VDI_METHOD("set_sharable", bool_params, XAPI_GIVES_NOTHING, set_sharable),
        VDI_METHOD("set_read_only", bool_params, XAPI_GIVES_NOTHING, set_read_only),
        VDI_METHOD("set_on_boot", boot_params, XAPI_GIVES_NOTHING, set_on_boot),
        VDI_METHOD("set_allow_caching", bool_params, XAPI_GIVES_NOTHING, set_allow_caching),
        VDI_METHOD("update", self_params, XAPI_GIVES_NOTHING, update),
        {0},
};
