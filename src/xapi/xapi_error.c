// SPDX-License-Identifier: Apache-2.0
#include "xapi_error.h"

#include <stdarg.h>

bool xapi_fail(struct xapi_call *call, const char *code, ...) {
        const char *text;
        va_list list;

        if (call->error)
                return false;
        call->error = json_array();
        json_array_append_new(call->error, json_string(code));
        va_start(list, code);
        while ((text = va_arg(list, const char *)))
                json_array_append_new(call->error, json_of_text(text));
        va_end(list);
        return false;
}

bool xapi_fail_handle(struct xapi_call *call, const char *class, const char *ref) {
        return xapi_fail(call, "HANDLE_INVALID", class, ref, NULL);
}

bool xapi_fail_type(struct xapi_call *call, const char *name) {
        return xapi_fail(call, "FIELD_TYPE_ERROR", name, NULL);
}

bool xapi_fail_value(struct xapi_call *call, const char *name, const char *value, const char *why) {
        return xapi_fail(call, "VALUE_NOT_SUPPORTED", name, value, why, NULL);
}

bool xapi_fail_not_allowed(struct xapi_call *call, const char *why) {
        return xapi_fail(call, "OPERATION_NOT_ALLOWED", why, NULL);
}

/* ---- ours into theirs ------------------------------------------------------------------------ */

struct failed {
        const struct err_note *note; /* borrowed */
        enum xapi_class_id class;
        struct xapi_ref ref;
        const char *operation; /* borrowed, static */
};

static bool fail_busy(struct xapi_call *call, const struct failed *failed) {
        if (failed->class == XAPI_VDI)
                return xapi_fail(call, "VDI_IN_USE", failed->ref.s, failed->operation, failed->note->text,
                                 NULL);
        return xapi_fail(call, "OTHER_OPERATION_IN_PROGRESS", xapi_classes[failed->class].name, failed->ref.s,
                         failed->note->text, NULL);
}

static bool fail_read_only(struct xapi_call *call, const struct failed *failed) {
        if (failed->class == XAPI_VDI)
                return xapi_fail(call, "VDI_READONLY", failed->ref.s, failed->note->text, NULL);
        return xapi_fail(call, "SR_OPERATION_NOT_SUPPORTED", failed->ref.s, failed->note->text, NULL);
}

/* Too long a chain is what sm calls 109.  Disks that are too large were refused before. */
static bool fail_too_large(struct xapi_call *call, const struct failed *failed) {
        if (failed->class == XAPI_VDI &&
            (strcmp(failed->operation, "snapshot") == 0 || strcmp(failed->operation, "clone") == 0))
                return xapi_fail(call, "SR_BACKEND_FAILURE_109", "", failed->note->text, "", NULL);
        return xapi_fail_not_allowed(call, failed->note->text);
}

static bool fail_cancelled(struct xapi_call *call) {
        struct xapi_ref ref = {XAPI_NULL_REF};

        if (call->task)
                ref = xapi_ref_of(task_uuid(call->task));
        return xapi_fail(call, "TASK_CANCELLED", ref.s, NULL);
}

static bool fail_as(struct xapi_call *call, const struct failed *failed) {
        const char *text = failed->note->text;

        switch (failed->note->code) {
        case ERR_NO_SPACE:
                return xapi_fail(call, "SR_BACKEND_FAILURE_44", "", text, "", NULL);
        case ERR_BUSY:
                return fail_busy(call, failed);
        case ERR_NOT_FOUND:
                return xapi_fail(call, "HANDLE_INVALID", xapi_classes[failed->class].name, failed->ref.s,
                                 text, NULL);
        case ERR_READ_ONLY:
                return fail_read_only(call, failed);
        case ERR_TOO_LARGE:
                return fail_too_large(call, failed);
        case ERR_CANCELLED:
                return fail_cancelled(call);
        case ERR_UNSUPPORTED:
                return xapi_fail(call, "SR_OPERATION_NOT_SUPPORTED", failed->ref.s, text, NULL);
        case ERR_EXISTS:
        case ERR_DENIED:
        case ERR_INVALID:
        case ERR_MISMATCH:
                return xapi_fail_not_allowed(call, text);
        case ERR_IO:
        case ERR_CORRUPT:
        case ERR_CUT_SHORT:
                return xapi_fail(call, "VDI_IO_ERROR", text, NULL);
        case ERR_NONE:
        case ERR_NO_MEMORY:
        case ERR_CLOSED:
                break;
        }
        return xapi_fail(call, "INTERNAL_ERROR", text, NULL);
}

bool xapi_fail_of(struct xapi_call *call, const struct err_note *note, enum xapi_class_id class,
                  const struct uuid *uuid, const char *operation) {
        struct failed failed = {
                .note = note, .class = class, .ref = xapi_ref_of(uuid), .operation = operation};

        return fail_as(call, &failed);
}
