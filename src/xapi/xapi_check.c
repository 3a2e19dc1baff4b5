// SPDX-License-Identifier: Apache-2.0
#include "xapi_check.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xapi_error.h"

/* ---- values ---------------------------------------------------------------------------------- */

static json_t *int_of(const json_t *given) {
        const char *text = json_string_value(given);
        char *end;
        long long value;

        if (!text || !*text)
                return NULL;
        errno = 0;
        value = strtoll(text, &end, 10);
        return *end || errno ? NULL : json_integer(value);
}

static json_t *float_of(const json_t *given) {
        const char *text = json_string_value(given);
        char *end;
        double value;

        if (json_is_integer(given))
                return json_real((double)json_integer_value(given));
        if (!text || !*text)
                return NULL;
        value = strtod(text, &end);
        return *end || !isfinite(value) ? NULL : json_real(value);
}

/* What came as another JSON type than the one it is; NULL: as it is. */
static json_t *converted(const struct xapi_field *field, const json_t *given) {
        if (field->type == XAPI_INT && json_is_string(given))
                return int_of(given);
        if (field->type == XAPI_FLOAT && !json_is_real(given))
                return float_of(given);
        return NULL;
}

json_t *xapi_check_value(const struct xapi_field *field, const json_t *given) {
        json_t *value = converted(field, given);
        struct err_note unused;

        if (!value)
                value = json_deep_copy(given);
        if (!value || !xapi_value_check(field, value, &unused))
                return value;
        json_decref(value);
        return NULL;
}

/* ---- references ------------------------------------------------------------------------------ */

static bool check_session_ref(struct xapi_call *call, const char *ref, struct uuid *ret) {
        struct err_note unused;
        struct auth_who who;

        if (auth_check(xapi_host(call)->auth, ref, &who, &unused))
                return false;
        *ret = who.session;
        return true;
}

bool xapi_check_ref(struct xapi_call *call, const char *class, const char *ref, struct uuid *ret) {
        enum xapi_class_id id = xapi_class_find(class);
        AUTO(json_decref) json_t *record = NULL;

        if (id == XAPI_SESSION && check_session_ref(call, ref, ret))
                return true;
        if (id == XAPI_N_CLASSES || !xapi_ref_parse(ref, ret))
                return xapi_fail_handle(call, class, ref);
        record = objects_get(xapi_host(call)->objects, id, ret);
        return record ? true : xapi_fail_handle(call, class, ref);
}

/* ---- parameters ------------------------------------------------------------------------------ */

static bool check_member(struct xapi_call *call, enum xapi_class_id class, json_t *record, const char *name,
                         const json_t *given) {
        const struct xapi_field *field = xapi_field_find(class, name);
        json_t *value;

        if (!field)
                return true; /* of a later version, or of the client's own */
        value = xapi_check_value(field, given);
        if (!value)
                return xapi_fail_type(call, name);
        json_object_set_new(record, name, value);
        return true;
}

/* Only what the class knows is in it. */
static json_t *check_record(struct xapi_call *call, const struct xapi_param *param, const json_t *given) {
        enum xapi_class_id class = xapi_class_find(param->field.of);
        json_t *record, *value;
        const char *name;

        if (!json_is_object(given)) {
                (void)xapi_fail_type(call, param->field.name);
                return NULL;
        }
        record = json_object();
        json_object_foreach((json_t *)given, name, value) {
                if (check_member(call, class, record, name, value))
                        continue;
                json_decref(record);
                return NULL;
        }
        return record;
}

bool xapi_check_required(struct xapi_call *call, enum xapi_class_id class, const json_t *record) {
        for (const struct xapi_field *field = xapi_classes[class].fields; field->name; field++)
                if (field->is_required && !json_object_get(record, field->name))
                        return xapi_fail_type(call, field->name);
        return true;
}

static bool check_is_there(struct xapi_call *call, const struct xapi_param *param, const json_t *value) {
        const char *ref = json_string_value(value);
        struct uuid unused;

        if (strcmp(ref, XAPI_NULL_REF) == 0 && (param->flags & XAPI_NULLABLE))
                return true;
        return xapi_check_ref(call, param->field.of, ref, &unused);
}

/* A reference need not look like one to be unknown. */
static json_t *check_ref_param(struct xapi_call *call, const struct xapi_param *param, const json_t *given) {
        if (!json_is_string(given)) {
                (void)xapi_fail_type(call, param->field.name);
                return NULL;
        }
        return check_is_there(call, param, given) ? json_copy((json_t *)given) : NULL;
}

json_t *xapi_check_param(struct xapi_call *call, const struct xapi_param *param, const json_t *given) {
        json_t *value;

        if (param->flags & XAPI_ANY)
                return json_deep_copy(given);
        if (param->flags & XAPI_RECORD)
                return check_record(call, param, given);
        if (param->field.type == XAPI_REF)
                return check_ref_param(call, param, given);
        value = xapi_check_value(&param->field, given);
        if (!value)
                (void)xapi_fail_type(call, param->field.name);
        return value;
}

static bool fail_count(struct xapi_call *call, unsigned wanted, size_t n) {
        char want[24], got[24];

        snprintf(want, sizeof want, "%u", wanted);
        snprintf(got, sizeof got, "%zu", n);
        return xapi_fail(call, "MESSAGE_PARAMETER_COUNT_MISMATCH", call->name, want, got, NULL);
}

bool xapi_check_params(struct xapi_call *call) {
        const struct xapi_method *method = call->method;
        size_t first = method->flags & XAPI_SESSIONLESS ? 0 : 1;
        size_t n = json_array_size(call->given) - first;
        unsigned n_max = xapi_method_n_params(method);

        if (n < xapi_method_n_needed(method) || n > n_max)
                return fail_count(call, n_max, n);
        call->params = json_array();
        for (unsigned i = 0; i < n_max; i++) {
                json_t *value = i < n ? xapi_check_param(call, &method->params[i],
                                                         json_array_get(call->given, first + i))
                                      : json_null();

                if (!value)
                        return false;
                json_array_append_new(call->params, value);
        }
        return true;
}
