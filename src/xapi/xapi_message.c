// SPDX-License-Identifier: Apache-2.0
/* Messages: notes that clients and the host leave about an object, kept until somebody deletes them. */
#include <string.h>

#include "xapi_error.h"
#include "xapi_inside.h"
#include "xapi_message.h"
#include "xapi_method.h"

enum { MESSAGES_MAX = 10000 };

static bool fail_message(struct xapi_call *call, const struct err_note *note, const struct uuid *uuid) {
        return xapi_fail_of(call, note, XAPI_MESSAGE, uuid, call->name);
}

static enum err put_message(struct host *host, const struct xapi_note *of, struct uuid *ret,
                            struct err_note *note) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        uint8_t dice[16];
        json_t *record;

        io_random(host->io, dice, sizeof dice);
        *ret = uuid_from_random(dice);
        record = xapi_record_new(XAPI_MESSAGE, ret);
        json_object_set_new(record, "name", json_of_text(of->name));
        json_object_set(record, "priority", of->priority);
        json_object_set_new(record, "cls", json_of_text(of->cls));
        json_object_set_new(record, "obj_uuid", json_of_text(of->obj_uuid));
        json_object_set_new(record, "body", json_of_text(of->body));
        json_object_set_new(record, "timestamp",
                            json_string(xapi_time_of(io_wall_ns(host->io) / 1000000000).s));
        objects_begin(host->objects, &change);
        objects_put(change, XAPI_MESSAGE, ret, record);
        return objects_commit(TAKE(change), NULL, note);
}

static bool create(struct xapi_call *call) {
        const struct xapi_note of = {.name = xapi_arg_text(call, 0),
                                     .priority = (json_t *)xapi_arg(call, 1),
                                     .cls = xapi_arg_text(call, 2),
                                     .obj_uuid = xapi_arg_text(call, 3),
                                     .body = xapi_arg_text(call, 4)};
        struct uuid uuid;
        struct err_note note;

        if (objects_count(xapi_host(call)->objects, XAPI_MESSAGE) >= MESSAGES_MAX)
                return xapi_fail_not_allowed(call, "there are too many messages: delete some");
        if (put_message(xapi_host(call), &of, &uuid, &note))
                return fail_message(call, &note, &uuid);
        return xapi_give_ref(call, &uuid);
}

static bool is_equal(const json_t *record, const char *name, const char *text) {
        return !text || strcmp(json_string_value(json_object_get(record, name)), text) == 0;
}

/* What is said already, by whoever, is not said again until somebody has deleted it. */
static bool is_said(struct host *host, const struct xapi_note *of) {
        AUTO(json_decref) json_t *all = objects_all(host->objects, XAPI_MESSAGE);
        json_t *record;
        const char *ref;

        json_object_foreach(all, ref, record) {
                if (is_equal(record, "name", of->name) && is_equal(record, "obj_uuid", of->obj_uuid) &&
                    is_equal(record, "body", of->body))
                        return true;
        }
        return false;
}

void xapi_message_leave(struct host *host, const struct xapi_note *of) {
        struct uuid unused;
        struct err_note note;
        enum err failed = ERR_NONE;

        if (objects_count(host->objects, XAPI_MESSAGE) < MESSAGES_MAX && !is_said(host, of))
                failed = put_message(host, of, &unused, &note);
        (void)failed; /* what failed is the task's, too */
}

static bool destroy(struct xapi_call *call) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        struct uuid uuid = xapi_arg_ref(call, 0);
        struct err_note note;

        objects_begin(xapi_host(call)->objects, &change);
        if (!objects_remove(change, XAPI_MESSAGE, &uuid))
                return xapi_fail_handle(call, "message", xapi_arg_text(call, 0));
        if (objects_commit(TAKE(change), NULL, &note))
                return fail_message(call, &note, &uuid);
        return xapi_give_nothing(call);
}

/* Times as they are written are in the order of their texts.  class, object: NULL: any. */
static bool give_since(struct xapi_call *call, const char *class, const char *object, const char *since) {
        AUTO(json_decref) json_t *all = objects_all(xapi_host(call)->objects, XAPI_MESSAGE);
        json_t *chosen = json_object();
        json_t *record;
        const char *ref;

        json_object_foreach(
                all, ref,
                record) if (is_equal(record, "cls", class) && is_equal(record, "obj_uuid", object) &&
                            strcmp(json_string_value(json_object_get(record, "timestamp")), since) > 0)
                json_object_set(chosen, ref, record);
        return xapi_give(call, chosen);
}

static bool get(struct xapi_call *call) {
        return give_since(call, xapi_arg_text(call, 0), xapi_arg_text(call, 1), xapi_arg_text(call, 2));
}

static bool get_since(struct xapi_call *call) {
        return give_since(call, NULL, NULL, xapi_arg_text(call, 0));
}

#define CLS_PARAM                                                                                            \
        {                                                                                                    \
                .field = {                                                                                   \
                        .name = "cls",                                                                       \
                        .type = XAPI_ENUM,                                                                   \
                        .of = "VM|Host|SR|Pool|VMPP|VMSS|PVS_proxy|VDI|Certificate"                          \
                }                                                                                            \
        }

static const struct xapi_param create_params[] = {XAPI_TEXT_PARAM("name"),
                                                  XAPI_TYPED_PARAM("priority", XAPI_INT),
                                                  CLS_PARAM,
                                                  XAPI_TEXT_PARAM("obj_uuid"),
                                                  XAPI_TEXT_PARAM("body"),
                                                  {{0}, 0}};
static const struct xapi_param self_params[] = {XAPI_REF_PARAM("self", "message"), {{0}, 0}};
static const struct xapi_param get_params[] = {
        CLS_PARAM, XAPI_TEXT_PARAM("obj_uuid"), XAPI_TYPED_PARAM("since", XAPI_TIME), {{0}, 0}};
static const struct xapi_param since_params[] = {XAPI_TYPED_PARAM("since", XAPI_TIME), {{0}, 0}};

#define GIVES_MESSAGES                                                                                       \
        { .kind = XAPI_SHAPE_RECORDS, .class = XAPI_MESSAGE }

const struct xapi_method xapi_message_methods[] = {
        {"message.create", create_params, XAPI_GIVES(XAPI_REF), ROLE_OPERATOR, XAPI_NOW, create},
        {"message.destroy", self_params, XAPI_GIVES_NOTHING, ROLE_OPERATOR, XAPI_NOW, destroy},
        {"message.get", get_params, GIVES_MESSAGES, ROLE_READ_ONLY, XAPI_NOW, get},
        {"message.get_since", since_params, GIVES_MESSAGES, ROLE_READ_ONLY, XAPI_NOW, get_since},
        {0},
};
