// SPDX-License-Identifier: Apache-2.0
#include "jsonrpc.h"

#include <string.h>

#include "json_text.h"

void jsonrpc_fini(struct jsonrpc *message) {
        json_decref(message->params);
        json_decref(message->result);
        json_decref(message->data);
        *message = (struct jsonrpc){0};
}

/* ---- decoding -------------------------------------------------------------------------------- */

static enum err take_object(json_t *from, const char *key, json_t **ret, struct err_note *note) {
        json_t *value = json_object_get(from, key);

        if (!value) {
                *ret = json_object();
                return ERR_NONE;
        }
        if (!json_is_object(value))
                return err_set(note, ERR_CORRUPT, "\"%s\" is not an object", key);
        *ret = json_incref(value);
        return ERR_NONE;
}

static enum err take_method(json_t *from, struct jsonrpc *ret, struct err_note *note) {
        json_t *method = json_object_get(from, "method");
        size_t n = json_string_length(method);

        if (!json_is_string(method) || n == 0 || n > JSONRPC_METHOD_MAX ||
            strlen(json_string_value(method)) != n)
                return err_set(note, ERR_CORRUPT, "\"method\" is not the name of one");
        memcpy(ret->method, json_string_value(method), n + 1);
        return take_object(from, "params", &ret->params, note);
}

/* As much as fits, never half a character. */
static void copy_cut(char *ret, size_t room, const char *text) {
        size_t n = strlen(text);

        if (n >= room) {
                n = room - 1;
                while (n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80)
                        n--;
        }
        memcpy(ret, text, n);
        ret[n] = 0;
}

static enum err take_error(json_t *from, struct jsonrpc *ret, struct err_note *note) {
        json_t *error = json_object_get(from, "error"), *code = json_object_get(error, "code"),
               *message = json_object_get(error, "message");

        if (!json_is_integer(code) || !json_is_string(message))
                return err_set(note, ERR_CORRUPT, "\"error\" has no code and message");
        ret->code = json_integer_value(code);
        copy_cut(ret->message, sizeof ret->message, json_string_value(message));
        return json_object_get(error, "data") ? take_object(error, "data", &ret->data, note) : ERR_NONE;
}

static enum err take_id(json_t *from, struct jsonrpc *ret, struct err_note *note) {
        json_t *id = json_object_get(from, "id");

        if (!json_is_integer(id))
                return err_set(note, ERR_CORRUPT, "\"id\" is not an integer");
        ret->id = json_integer_value(id);
        return ERR_NONE;
}

static enum err take_parts(json_t *from, struct jsonrpc *ret, struct err_note *note) {
        bool has_method = json_object_get(from, "method"), has_result = json_object_get(from, "result"),
             has_error = json_object_get(from, "error"), has_id = json_object_get(from, "id");

        if (has_method + has_result + has_error != 1)
                return err_set(note, ERR_CORRUPT, "it is not one of call, result and error");
        ret->kind = has_result  ? JSONRPC_RESULT
                    : has_error ? JSONRPC_ERROR
                    : has_id    ? JSONRPC_CALL
                                : JSONRPC_NOTIFICATION;
        if (ret->kind != JSONRPC_NOTIFICATION && take_id(from, ret, note))
                return note->code;
        switch (ret->kind) {
        case JSONRPC_CALL:
        case JSONRPC_NOTIFICATION:
                return take_method(from, ret, note);
        case JSONRPC_RESULT:
                return take_object(from, "result", &ret->result, note);
        case JSONRPC_ERROR:
                return take_error(from, ret, note);
        }
        return ERR_NONE;
}

enum err jsonrpc_decode(struct span line, struct jsonrpc *ret, struct err_note *note) {
        AUTO(json_decref) json_t *json = NULL;
        AUTO(jsonrpc_fini) struct jsonrpc message = {0};
        const char *version;

        if (json_text_decode(line, &json, note))
                return err_wrap(note, "message");
        version = json_string_value(json_object_get(json, "jsonrpc"));
        if (!version || strcmp(version, "2.0") != 0)
                return err_set(note, ERR_CORRUPT, "message: it is not JSON-RPC 2.0");
        if (take_parts(json, &message, note))
                return err_wrap(note, "message");
        *ret = message;
        message = (struct jsonrpc){0};
        return ERR_NONE;
}

/* ---- encoding -------------------------------------------------------------------------------- */

static json_t *json_of_error(const struct jsonrpc *message) {
        json_t *error = json_object();

        json_object_set_new(error, "code", json_integer(message->code));
        /* A file's name may be in it, and a note's text is cut anywhere. */
        json_object_set_new(error, "message", json_text_string(message->message));
        if (message->data)
                json_object_set(error, "data", message->data);
        return error;
}

enum err jsonrpc_encode(const struct jsonrpc *message, struct buf *ret, struct err_note *note) {
        AUTO(json_decref) json_t *json = json_object();

        json_object_set_new(json, "jsonrpc", json_string("2.0"));
        if (message->kind != JSONRPC_NOTIFICATION)
                json_object_set_new(json, "id", json_integer(message->id));
        switch (message->kind) {
        case JSONRPC_CALL:
        case JSONRPC_NOTIFICATION:
                json_object_set_new(json, "method", json_string(message->method));
                if (message->params)
                        json_object_set(json, "params", message->params);
                break;
        case JSONRPC_RESULT:
                json_object_set_new(json, "result",
                                    message->result ? json_incref(message->result) : json_object());
                break;
        case JSONRPC_ERROR:
                json_object_set_new(json, "error", json_of_error(message));
                break;
        }
        if (json_text_encode(json, JSON_COMPACT, ret, note))
                return note->code;
        buf_add(ret, "\n", 1);
        return ERR_NONE;
}
