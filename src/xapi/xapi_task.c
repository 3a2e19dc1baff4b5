// SPDX-License-Identifier: Apache-2.0
/* Tasks that clients make for work of their own, or for a transfer that carries the task's reference. */
#include <string.h>

#include "xapi_error.h"
#include "xapi_fields.h"
#include "xapi_inside.h"
#include "xapi_method.h"

static bool fail_task(struct xapi_call *call, const struct err_note *note, const struct uuid *task) {
        return xapi_fail_of(call, note, XAPI_TASK, task, call->name);
}

static bool create(struct xapi_call *call) {
        struct task_options options = {.label = xapi_arg_text(call, 0),
                                       .description = xapi_arg_text(call, 1),
                                       .session = call->who.session};
        struct err_note note;
        struct uuid task = {{0}};

        if (tasks_create(xapi_host(call)->tasks, &options, &task, &note))
                return fail_task(call, &note, &task);
        return xapi_give_ref(call, &task);
}

static bool destroy(struct xapi_call *call) {
        struct uuid task = xapi_arg_ref(call, 0);
        struct err_note note;

        if (tasks_destroy(xapi_host(call)->tasks, &task, &note))
                return fail_task(call, &note, &task);
        return xapi_give_nothing(call);
}

/* One that has ended meanwhile is what was wanted. */
static bool cancel(struct xapi_call *call) {
        struct uuid task = xapi_arg_ref(call, 0);
        struct err_note note;
        enum err failed = tasks_cancel(xapi_host(call)->tasks, &task, &note);

        if (failed && failed != ERR_BUSY)
                return fail_task(call, &note, &task);
        return xapi_give_nothing(call);
}

static bool set_progress(struct xapi_call *call) {
        struct uuid task = xapi_arg_ref(call, 0);
        double done = xapi_arg_float(call, 1);

        return xapi_fields_set(call, XAPI_TASK, &task, "progress",
                               json_real(done < 0   ? 0
                                         : done > 1 ? 1
                                                    : done));
}

static bool set_result(struct xapi_call *call) {
        struct uuid task = xapi_arg_ref(call, 0);

        return xapi_fields_set(call, XAPI_TASK, &task, "result", json_of_text(xapi_arg_text(call, 1)));
}

static bool set_error_info(struct xapi_call *call) {
        struct uuid task = xapi_arg_ref(call, 0);

        return xapi_fields_set(call, XAPI_TASK, &task, "error_info", json_deep_copy(xapi_arg(call, 1)));
}

/* With what was set before as its result, or its error. */
static void end_task(struct task *task, const json_t *record, const char *status) {
        json_t *result = json_object_get(record, "result");

        if (strcmp(status, "success") == 0)
                task_succeed(task, json_string_value(result));
        else if (strcmp(status, "failure") == 0)
                task_fail(task, json_deep_copy(json_object_get(record, "error_info")));
        else
                task_end_cancelled(task);
}

static bool set_status(struct xapi_call *call) {
        AUTO(json_decref) json_t *record = NULL;
        AUTO(task_unref) struct task *task = NULL;
        const char *status = xapi_arg_text(call, 1);
        struct uuid uuid = xapi_arg_ref(call, 0);
        struct err_note note;

        record = xapi_fields_record(call, XAPI_TASK, &uuid);
        if (!record)
                return false;
        if (strcmp(status, "cancelling") == 0)
                return cancel(call);
        if (strcmp(status, json_string_value(json_object_get(record, "status"))) == 0 ||
            strcmp(status, "pending") == 0)
                return xapi_give_nothing(call);
        if (tasks_join(xapi_host(call)->tasks, &uuid, &task, &note))
                return fail_task(call, &note, &uuid);
        end_task(task, record, status);
        return xapi_give_nothing(call);
}

static const struct xapi_param create_params[] = {
        XAPI_TEXT_PARAM("label"), XAPI_TEXT_PARAM("description"), {{0}, 0}};
static const struct xapi_param self_params[] = {XAPI_REF_PARAM("self", "task"), {{0}, 0}};
static const struct xapi_param progress_params[] = {
        XAPI_REF_PARAM("self", "task"), XAPI_TYPED_PARAM("value", XAPI_FLOAT), {{0}, 0}};
static const struct xapi_param status_params[] = {
        XAPI_REF_PARAM("self", "task"),
        {.field = {.name = "value", .type = XAPI_ENUM, .of = "pending|success|failure|cancelling|cancelled"}},
        {{0}, 0}};
static const struct xapi_param result_params[] = {
        XAPI_REF_PARAM("self", "task"), XAPI_TEXT_PARAM("value"), {{0}, 0}};
static const struct xapi_param error_params[] = {
        XAPI_REF_PARAM("self", "task"), XAPI_TYPED_PARAM("value", XAPI_STRINGS), {{0}, 0}};

const struct xapi_method xapi_task_methods[] = {
        {"task.create", create_params, XAPI_GIVES(XAPI_REF), ROLE_READ_ONLY, XAPI_NOW, create},
        {"task.destroy", self_params, XAPI_GIVES_NOTHING, ROLE_READ_ONLY, XAPI_NOW, destroy},
        {"task.cancel", self_params, XAPI_GIVES_NOTHING, ROLE_OPERATOR, 0, cancel},
        {"task.set_progress", progress_params, XAPI_GIVES_NOTHING, ROLE_OPERATOR, XAPI_NOW, set_progress},
        {"task.set_status", status_params, XAPI_GIVES_NOTHING, ROLE_OPERATOR, XAPI_NOW, set_status},
        {"task.set_result", result_params, XAPI_GIVES_NOTHING, ROLE_OPERATOR, XAPI_NOW, set_result},
        {"task.set_error_info", error_params, XAPI_GIVES_NOTHING, ROLE_OPERATOR, XAPI_NOW, set_error_info},
        {0},
};
