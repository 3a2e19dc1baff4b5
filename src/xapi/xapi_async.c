// SPDX-License-Identifier: Apache-2.0
#include "xapi_async.h"

#include "xapi_error.h"
#include "xapi_inside.h"
#include "xapi_method.h"
#include "xapi_reply.h"

/* A call that lives on when its client has been answered. */
struct async {
        struct xapi_call call;
        struct task *task; /* shared, counted */
        char *name;        /* owned */
};

static void async_free(struct async *async) {
        xapi_call_fini(&async->call);
        if (async->task)
                task_unref(async->task);
        free(async->name);
        free(async);
}
DEFINE_AUTO(struct async *, async_free);

static void end(struct async *async) {
        AUTO(buf_fini) struct buf result = {0};
        struct xapi_call *call = &async->call;

        if (call->error && task_is_cancelled(async->task) &&
            strcmp(json_string_value(json_array_get(call->error, 0)), "TASK_CANCELLED") == 0) {
                task_end_cancelled(async->task);
        } else if (call->error) {
                task_fail(async->task, json_incref(call->error));
        } else {
                xapi_reply_value(call, &result);
                task_succeed(async->task, buf_text(&result));
        }
}

static void run(void *user) {
        struct async *async = user;
        struct xapi_call *call = &async->call;

        if (task_is_cancelled(async->task))
                (void)xapi_fail(call, "TASK_CANCELLED", xapi_ref_of(task_uuid(async->task)).s, NULL);
        else if (!call->method->run(call) && !call->error)
                (void)xapi_fail(call, "INTERNAL_ERROR", call->name, NULL);
        end(async);
        async_free(async);
}

/* What was checked goes with it; nothing of the client's request does. */
static struct async *async_of(const struct xapi_call *call) {
        struct async *async = mem_new(struct async);

        async->name = mem_text(call->name);
        async->call = *call;
        async->call.name = async->name;
        async->call.given = NULL;
        async->call.peer = "";
        async->call.is_async = false;
        async->call.result = async->call.error = NULL;
        json_incref(async->call.params);
        return async;
}

bool xapi_async_begin(struct xapi_call *call) {
        AUTO(async_free) struct async *async = async_of(call);
        struct task_options options = {.label = async->name, .session = call->who.session};
        struct err_note note;
        struct uuid uuid;

        if (tasks_begin(xapi_host(call)->tasks, &options, &async->task, &note))
                return xapi_fail(call, "INTERNAL_ERROR", note.text, NULL);
        async->call.task = async->task;
        uuid = *task_uuid(async->task);
        if (!pool_call(call->xapi->background, run, async))
                return xapi_fail(call, "TOO_MANY_PENDING_TASKS", NULL);
        (void)TAKE(async);
        call->shape = (struct xapi_shape){.kind = XAPI_SHAPE_VALUE, .type = XAPI_REF};
        return xapi_give_ref(call, &uuid);
}
