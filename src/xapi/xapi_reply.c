// SPDX-License-Identifier: Apache-2.0
#include "xapi_reply.h"

#include <stdio.h>
#include <string.h>

#include "xmlrpc.h"

void xapi_request_fini(struct xapi_request *request) {
        json_decref(TAKE(request->params));
        json_decref(TAKE(request->id));
}

/* ---- requests -------------------------------------------------------------------------------- */

static enum err set_name(struct xapi_request *request, const char *name, struct err_note *note) {
        if (strlen(name) >= sizeof request->name)
                return err_set(note, ERR_CORRUPT, "a method's name is longer than %zu bytes",
                               sizeof request->name);
        snprintf(request->name, sizeof request->name, "%s", name);
        return ERR_NONE;
}

static enum err take_json(const json_t *message, struct xapi_request *ret, struct err_note *note) {
        const char *name = json_string_value(json_object_get(message, "method"));
        json_t *params = json_object_get(message, "params");
        json_t *id = json_object_get(message, "id");

        if (!json_is_object(message))
                return err_set(note, ERR_CORRUPT, "a request is an object");
        if (json_object_get(message, "jsonrpc"))
                ret->wire = XAPI_JSON_2;
        if (!json_is_string(id) && !json_is_integer(id))
                return err_set(note, ERR_CORRUPT, "id is a text or an integer");
        ret->id = json_incref(id);
        if (!name)
                return err_set(note, ERR_CORRUPT, "method is a text");
        if (params && !json_is_array(params))
                return err_set(note, ERR_CORRUPT, "params is an array");
        ret->params = params ? json_incref(params) : json_array();
        return set_name(ret, name, note);
}

static enum err decode_json(const struct buf *body, struct xapi_request *ret, struct err_note *note) {
        AUTO(json_decref) json_t *message = NULL;
        json_error_t error;

        ret->wire = XAPI_JSON_1;
        message = json_loadb((const char *)body->data, body->n, JSON_REJECT_DUPLICATES, &error);
        if (!message)
                return err_set(note, ERR_CORRUPT, "no JSON: at %d: %s", error.position, error.text);
        return take_json(message, ret, note);
}

static enum err decode_xml(const struct buf *body, struct xapi_request *ret, struct err_note *note) {
        AUTO(xmlrpc_call_fini) struct xmlrpc_call call = {0};

        ret->wire = XAPI_XML;
        if (xmlrpc_decode_call((struct span){body->data, body->n}, &call, note))
                return note->code;
        ret->params = TAKE(call.params);
        return set_name(ret, call.method, note);
}

enum err xapi_request_decode(bool is_xml, const struct buf *body, struct xapi_request *ret,
                             struct err_note *note) {
        return is_xml ? decode_xml(body, ret, note) : decode_json(body, ret, note);
}

/* ---- shapes ---------------------------------------------------------------------------------- */

static const struct xapi_field *fields_of_event(const json_t *event) {
        const char *class = json_string_value(json_object_get(event, "class"));
        enum xapi_class_id id = class ? xapi_class_find(class) : XAPI_N_CLASSES;

        return id == XAPI_N_CLASSES ? NULL : xapi_classes[id].fields;
}

static const struct xmlrpc_shape count_shape = {.form = XMLRPC_I4};
static const struct xmlrpc_member event_members[] = {
        {"snapshot", {.form = XMLRPC_RECORD, .fields_of = fields_of_event}},
        {0},
};
static const struct xmlrpc_shape event_shape = {.form = XMLRPC_STRUCT, .members = event_members};
static const struct xmlrpc_member batch_members[] = {
        {"events", {.form = XMLRPC_EACH, .each = &event_shape}},
        {"valid_ref_counts", {.form = XMLRPC_EACH, .each = &count_shape}},
        {0},
};

/* *room: where a shape that the result needs may lie. */
static struct xmlrpc_shape shape_of(const struct xapi_shape *shape, struct xmlrpc_shape *room) {
        switch (shape->kind) {
        case XAPI_SHAPE_VALUE:
                return xmlrpc_shape_of(shape->type);
        case XAPI_SHAPE_RECORD:
                return (struct xmlrpc_shape){.form = XMLRPC_RECORD,
                                             .fields = xapi_classes[shape->class].fields};
        case XAPI_SHAPE_RECORDS:
                *room = (struct xmlrpc_shape){.form = XMLRPC_RECORD,
                                              .fields = xapi_classes[shape->class].fields};
                return (struct xmlrpc_shape){.form = XMLRPC_EACH, .each = room};
        case XAPI_SHAPE_EVENTS:
                return (struct xmlrpc_shape){.form = XMLRPC_EACH, .each = &event_shape};
        case XAPI_SHAPE_BATCH:
                return (struct xmlrpc_shape){.form = XMLRPC_STRUCT, .members = batch_members};
        case XAPI_SHAPE_VOID:
        case XAPI_SHAPE_PLAIN:
                break;
        }
        return (struct xmlrpc_shape){.form = XMLRPC_PLAIN};
}

void xapi_reply_value(const struct xapi_call *call, struct buf *ret) {
        struct xmlrpc_shape room, shape = shape_of(&call->shape, &room);

        if (call->result)
                xmlrpc_add_value(ret, call->result, &shape);
}

/* ---- replies --------------------------------------------------------------------------------- */

/* One method's value has nothing around it. */
static void add_xml(const struct xapi_request *request, const struct xapi_call *call, struct buf *ret) {
        struct xmlrpc_shape room, shape = shape_of(&call->shape, &room);
        AUTO(json_decref) json_t *value = call->result ? json_incref(call->result) : json_string("");

        if (call->error)
                xmlrpc_add_failure(ret, call->error);
        else if (strcmp(request->name, "system.listMethods") == 0)
                xmlrpc_add_bare(ret, value, &shape);
        else
                xmlrpc_add_success(ret, value, &shape);
}

static int add_chunk(const char *data, size_t n, void *user) {
        buf_add(user, data, n);
        return 0;
}

static void add_json(const struct xapi_request *request, const struct xapi_call *call, struct buf *ret) {
        AUTO(json_decref) json_t *value = call->result ? json_incref(call->result) : json_string("");
        AUTO(json_decref) json_t *reply = NULL;
        AUTO(json_decref) json_t *details = NULL;

        if (request->wire == XAPI_JSON_1) {
                reply = json_pack("{s:O?, s:O?, s:O}", "result", call->error ? json_null() : value, "error",
                                  call->error ? call->error : json_null(), "id", request->id);
        } else if (call->error) {
                details = json_copy(call->error);
                json_array_remove(details, 0);
                reply = json_pack("{s:s, s:{s:i, s:O, s:O}, s:O}", "jsonrpc", "2.0", "error", "code", 1,
                                  "message", json_array_get(call->error, 0), "data", details, "id",
                                  request->id);
        } else {
                reply = json_pack("{s:s, s:O, s:O}", "jsonrpc", "2.0", "result", value, "id", request->id);
        }
        json_dump_callback(reply, add_chunk, ret, JSON_COMPACT);
}

void xapi_reply_add(const struct xapi_request *request, const struct xapi_call *call, struct buf *ret) {
        if (request->wire == XAPI_XML)
                add_xml(request, call, ret);
        else
                add_json(request, call, ret);
}
