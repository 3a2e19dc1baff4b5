// SPDX-License-Identifier: Apache-2.0
#include "xapi_call.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "xapi_async.h"
#include "xapi_check.h"
#include "xapi_error.h"
#include "xapi_inside.h"

/* ---- before ---------------------------------------------------------------------------------- */

/* The secret itself is told to nobody but who sent it. */
static bool check_session(struct xapi_call *call) {
        const char *ref = json_string_value(json_array_get(call->given, 0));
        struct err_note unused;

        if (!ref)
                return xapi_fail_type(call, "session_id");
        if (auth_check(xapi_host(call)->auth, ref, &call->who, &unused))
                return xapi_fail(call, "SESSION_INVALID", ref, NULL);
        snprintf(call->session, sizeof call->session, "%s", ref);
        return true;
}

static bool check_role(struct xapi_call *call) {
        AUTO_FREE char *why = NULL;
        char name[XAPI_NAME_MAX];

        if (call->who.role >= call->method->role)
                return true;
        snprintf(name, sizeof name, "%s", call->name);
        for (char *c = name; *c; c++)
                *c = (char)tolower((unsigned char)*c);
        why = mem_format("the role %s is needed, and the session has %s", role_name(call->method->role),
                         role_name(call->who.role));
        return xapi_fail(call, "RBAC_PERMISSION_DENIED", name, why, NULL);
}

static bool find_method(struct xapi_call *call) {
        struct xapi_target target = xapi_method_find(call->name);

        if (!target.method)
                return xapi_fail(call, "MESSAGE_METHOD_UNKNOWN", call->name, NULL);
        call->method = target.method;
        call->class = target.class;
        call->field = target.field;
        call->is_async = target.is_async;
        call->shape = target.method->result;
        if (call->shape.kind == XAPI_SHAPE_RECORD || call->shape.kind == XAPI_SHAPE_RECORDS)
                call->shape.class = call->class == XAPI_N_CLASSES ? call->shape.class : call->class;
        return true;
}

static bool has_session_param(struct xapi_call *call) {
        if (call->method->flags & XAPI_SESSIONLESS || json_array_size(call->given))
                return true;
        return xapi_fail(call, "MESSAGE_PARAMETER_COUNT_MISMATCH", call->name, "1", "0", NULL);
}

bool xapi_call_prepare(struct xapi_call *call) {
        json_decref(TAKE(call->params));
        if (!find_method(call) || !has_session_param(call))
                return false;
        if (call->method->flags & XAPI_SESSIONLESS)
                return xapi_check_params(call);
        return check_session(call) && check_role(call) && xapi_check_params(call);
}

struct pool *xapi_call_workers(const struct xapi_call *call) {
        if (call->method->flags & XAPI_LOGIN)
                return call->xapi->logins;
        return !call->is_async && call->method->flags & XAPI_SLOW ? call->xapi->slow : NULL;
}

/* ---- running --------------------------------------------------------------------------------- */

void xapi_call_run(struct xapi_call *call) {
        call->is_waiting = false;
        if (!xapi_call_prepare(call))
                return;
        if (call->is_async)
                (void)xapi_async_begin(call);
        else if (!call->method->run(call) && !call->error)
                (void)xapi_fail(call, "INTERNAL_ERROR", call->name, NULL);
}

void xapi_call_fini(struct xapi_call *call) {
        json_decref(TAKE(call->params));
        json_decref(TAKE(call->result));
        json_decref(TAKE(call->error));
}

/* ---- for handlers ---------------------------------------------------------------------------- */

struct host *xapi_host(const struct xapi_call *call) {
        return call->xapi->host;
}

const json_t *xapi_arg(const struct xapi_call *call, unsigned i) {
        return json_array_get(call->params, i);
}

bool xapi_has_arg(const struct xapi_call *call, unsigned i) {
        const json_t *value = xapi_arg(call, i);

        return value && !json_is_null(value);
}

const char *xapi_arg_text(const struct xapi_call *call, unsigned i) {
        const char *text = json_string_value(xapi_arg(call, i));

        return text ? text : "";
}

int64_t xapi_arg_int(const struct xapi_call *call, unsigned i) {
        return json_integer_value(xapi_arg(call, i));
}

double xapi_arg_float(const struct xapi_call *call, unsigned i) {
        return json_real_value(xapi_arg(call, i));
}

bool xapi_arg_bool(const struct xapi_call *call, unsigned i) {
        return json_is_true(xapi_arg(call, i));
}

struct uuid xapi_arg_ref(const struct xapi_call *call, unsigned i) {
        struct uuid uuid = {{0}};

        if (!xapi_ref_parse(xapi_arg_text(call, i), &uuid))
                return (struct uuid){{0}};
        return uuid;
}

struct progress *xapi_progress(const struct xapi_call *call) {
        return call->task ? task_progress(call->task) : NULL;
}

bool xapi_give(struct xapi_call *call, json_t *value) {
        json_decref(TAKE(call->result));
        call->result = value;
        return true;
}

bool xapi_give_text(struct xapi_call *call, const char *text) {
        return xapi_give(call, json_of_text(text));
}

bool xapi_give_ref(struct xapi_call *call, const struct uuid *uuid) {
        return xapi_give(call, json_string(xapi_ref_of(uuid).s));
}

bool xapi_give_nothing(struct xapi_call *call) {
        return xapi_give(call, NULL);
}
