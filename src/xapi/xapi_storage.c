// SPDX-License-Identifier: Apache-2.0
/* Verbs of SRs and VDIs for the methods of both: which SR it is, the call, and the objects that follow. */
#include <string.h>

#include "xapi_error.h"
#include "xapi_inside.h"

const struct host_sr *xapi_sr_find(struct xapi_call *call, const struct uuid *uuid) {
        const struct host_sr *sr = host_sr_find(xapi_host(call), uuid);

        if (!sr)
                (void)xapi_fail_handle(call, "SR", xapi_ref_of(uuid).s);
        return sr;
}

const struct host_sr *xapi_sr_of_vdi(struct xapi_call *call, const struct uuid *vdi) {
        AUTO(json_decref) json_t *ref = objects_field(xapi_host(call)->objects, XAPI_VDI, vdi, "SR");
        struct uuid sr = {{0}};

        if (!ref || !xapi_ref_parse(json_string_value(ref), &sr)) {
                (void)xapi_fail_handle(call, "VDI", xapi_ref_of(vdi).s);
                return NULL;
        }
        return xapi_sr_find(call, &sr);
}

struct uuid xapi_uuid_of(const json_t *result) {
        const char *text = json_string_value(json_object_get(result, "uuid"));
        struct uuid uuid = {{0}};

        return text && uuid_parse(text, &uuid) ? uuid : (struct uuid){{0}};
}

static enum err run(struct xapi_call *call, const struct host_sr *sr, const char *noun, const char *verb,
                    json_t *params, json_t **ret, struct err_note *note) {
        enum err failed;

        json_object_set_new(params, "sr", json_of_text(sr_where(sr->sr)));
        failed = host_call(xapi_host(call), noun, verb, params, xapi_progress(call), ret, note);
        xapi_mirror_now(call->xapi->mirror, sr);
        return failed;
}

bool xapi_sr_verb(struct xapi_call *call, const struct host_sr *sr, const char *noun, const char *verb,
                  json_t *params, json_t **ret) {
        struct err_note note;

        if (run(call, sr, noun, verb, params, ret, &note))
                return xapi_fail_of(call, &note, XAPI_SR, &sr->uuid, verb);
        return true;
}

/* Base copies are nobody's to change. */
static bool check_managed(struct xapi_call *call, const struct uuid *vdi) {
        AUTO(json_decref) json_t *managed = objects_field(xapi_host(call)->objects, XAPI_VDI, vdi, "managed");

        if (json_is_false(managed))
                return xapi_fail(call, "VDI_NOT_MANAGED", xapi_ref_of(vdi).s, NULL);
        return true;
}

bool xapi_vdi_verb(struct xapi_call *call, const struct uuid *vdi, const char *verb, json_t *params,
                   const char *operation, json_t **ret) {
        const struct host_sr *sr = xapi_sr_of_vdi(call, vdi);
        struct err_note note;

        if (!sr || !check_managed(call, vdi)) {
                json_decref(params);
                return false;
        }
        json_object_set_new(params, "vdi", json_string(uuid_format(vdi).s));
        if (run(call, sr, "vdi", verb, params, ret, &note))
                return xapi_fail_of(call, &note, XAPI_VDI, vdi, operation);
        return true;
}

bool xapi_vdi_set(struct xapi_call *call, const struct uuid *vdi, json_t *params) {
        return xapi_vdi_verb(call, vdi, "set", params, "update", NULL) && xapi_give_nothing(call);
}
