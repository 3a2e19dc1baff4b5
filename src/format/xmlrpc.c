// SPDX-License-Identifier: Apache-2.0
#include "xmlrpc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- text -------------------------------------------------------------------------------------- */

/* How many bytes the character has that begins here; 0: these are no character that XML can carry. */
static size_t character_length(const uint8_t *at, size_t n) {
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        size_t length = at[0] < 0x80 ? 1 : at[0] < 0xc0 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
        uint32_t code;

        if (length <= 1)
                return length;
        if (length > n || at[0] >= 0xf8)
                return 0;
        code = at[0] & (0x7fu >> length);
        for (size_t i = 1; i < length; i++) {
                if ((at[i] & 0xc0) != 0x80)
                        return 0;
                code = code << 6 | (at[i] & 0x3fu);
        }
        if (code < least[length] || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff || code == 0xfffe ||
            code == 0xffff)
                return 0;
        return length;
}

/* What stands for a byte that does not stand for itself; NULL: it does. */
static const char *escape_of(uint8_t byte) {
        switch (byte) {
        case '&':
                return "&amp;";
        case '<':
                return "&lt;";
        case '>':
                return "&gt;";
        case '"':
                return "&quot;";
        case '\r':
                return "&#13;";
        case '\t':
        case '\n':
                return NULL;
        default:
                return byte < 0x20 ? "" : NULL;
        }
}

static void add(struct buf *xml, const char *text) {
        buf_add(xml, text, strlen(text));
}

/* Runs of what needs no change go at once. */
static void add_text(struct buf *xml, const char *text, size_t n) {
        const uint8_t *bytes = (const uint8_t *)text;
        size_t done = 0, at = 0;

        while (at < n) {
                size_t length = character_length(bytes + at, n - at);
                const char *instead = length == 0 ? "?" : length == 1 ? escape_of(bytes[at]) : NULL;

                if (instead) {
                        buf_add(xml, bytes + done, at - done);
                        add(xml, instead);
                        done = at + 1;
                }
                at += length ? length : 1;
        }
        buf_add(xml, bytes + done, n - done);
}

/* ---- writing ------------------------------------------------------------------------------------- */

static enum xmlrpc_form form_of(enum xapi_type type) {
        return type == XAPI_TIME ? XMLRPC_TIME : type == XAPI_FLOAT ? XMLRPC_DOUBLE : XMLRPC_PLAIN;
}

struct xmlrpc_shape xmlrpc_shape_of(enum xapi_type type) {
        return (struct xmlrpc_shape){.form = form_of(type)};
}

static void add_double(struct buf *xml, double number) {
        char digits[40];

        snprintf(digits, sizeof digits, "%.16g", number);
        buf_print(xml, "<double>%s%s</double>", digits, strpbrk(digits, ".en") ? "" : ".0");
}

static void add_integer(struct buf *xml, json_int_t number, enum xmlrpc_form form) {
        if (form == XMLRPC_DOUBLE)
                add_double(xml, (double)number);
        else
                buf_print(xml,
                          form == XMLRPC_I4 ? "<i4>%" JSON_INTEGER_FORMAT "</i4>" : "%" JSON_INTEGER_FORMAT,
                          number);
}

static void add_string(struct buf *xml, const json_t *value, enum xmlrpc_form form) {
        if (form == XMLRPC_TIME)
                add(xml, "<dateTime.iso8601>");
        add_text(xml, json_string_value(value), json_string_length(value));
        if (form == XMLRPC_TIME)
                add(xml, "</dateTime.iso8601>");
}

static void add_array(struct buf *xml, const json_t *array, const struct xmlrpc_shape *shape) {
        const struct xmlrpc_shape *each = shape->form == XMLRPC_EACH ? shape->each : NULL;

        add(xml, "<array><data>");
        for (size_t i = 0; i < json_array_size(array); i++)
                xmlrpc_add_value(xml, json_array_get(array, i), each);
        add(xml, "</data></array>");
}

/* Records mostly have their fields in their table's order: *cursor is where the last one was found. */
static enum xmlrpc_form form_of_field(const struct xapi_field *fields, const char *name, size_t *cursor) {
        for (size_t i = *cursor; fields[i].name; i++)
                if (strcmp(fields[i].name, name) == 0) {
                        *cursor = i + 1;
                        return form_of(fields[i].type);
                }
        for (size_t i = 0; i < *cursor; i++)
                if (strcmp(fields[i].name, name) == 0) {
                        *cursor = i + 1;
                        return form_of(fields[i].type);
                }
        return XMLRPC_PLAIN;
}

static struct xmlrpc_shape shape_of_member(const json_t *holder, const struct xmlrpc_shape *shape,
                                           const char *name, size_t *cursor) {
        struct xmlrpc_shape member = {.form = XMLRPC_PLAIN};

        if (shape->form == XMLRPC_EACH && shape->each)
                member = *shape->each;
        if (shape->form == XMLRPC_RECORD && shape->fields)
                member.form = form_of_field(shape->fields, name, cursor);
        for (const struct xmlrpc_member *m = shape->form == XMLRPC_STRUCT ? shape->members : NULL;
             m && m->name; m++)
                if (strcmp(m->name, name) == 0)
                        member = m->shape;
        if (member.form == XMLRPC_RECORD && !member.fields && member.fields_of)
                member.fields = member.fields_of(holder);
        return member;
}

static void add_object(struct buf *xml, const json_t *object, const struct xmlrpc_shape *shape) {
        json_t *all = (json_t *)(uintptr_t)object; /* walking it does not change it */
        size_t cursor = 0;

        add(xml, "<struct>");
        for (void *at = json_object_iter(all); at; at = json_object_iter_next(all, at)) {
                const char *name = json_object_iter_key(at);
                struct xmlrpc_shape member = shape_of_member(object, shape, name, &cursor);

                add(xml, "<member><name>");
                add_text(xml, name, strlen(name));
                add(xml, "</name>");
                xmlrpc_add_value(xml, json_object_iter_value(at), &member);
                add(xml, "</member>");
        }
        add(xml, "</struct>");
}

void xmlrpc_add_value(struct buf *xml, const json_t *value, const struct xmlrpc_shape *shape) {
        static const struct xmlrpc_shape plain = {.form = XMLRPC_PLAIN};

        if (!shape)
                shape = &plain;
        add(xml, "<value>");
        switch (json_typeof(value)) {
        case JSON_STRING:
                add_string(xml, value, shape->form);
                break;
        case JSON_INTEGER:
                add_integer(xml, json_integer_value(value), shape->form);
                break;
        case JSON_REAL:
                add_double(xml, json_real_value(value));
                break;
        case JSON_TRUE:
                add(xml, "<boolean>1</boolean>");
                break;
        case JSON_FALSE:
                add(xml, "<boolean>0</boolean>");
                break;
        case JSON_NULL:
                add(xml, "<nil/>");
                break;
        case JSON_ARRAY:
                add_array(xml, value, shape);
                break;
        case JSON_OBJECT:
                add_object(xml, value, shape);
                break;
        }
        add(xml, "</value>");
}

#define XML_HEAD      "<?xml version=\"1.0\"?>"
#define RESPONSE_HEAD XML_HEAD "<methodResponse><params><param>"
#define RESPONSE_TAIL "</param></params></methodResponse>"
#define STATUS_HEAD   "<value><struct><member><name>Status</name><value>"
#define STATUS_TAIL   "</member></struct></value>"

void xmlrpc_add_success(struct buf *xml, const json_t *value, const struct xmlrpc_shape *shape) {
        add(xml, RESPONSE_HEAD STATUS_HEAD "Success</value></member><member><name>Value</name>");
        xmlrpc_add_value(xml, value, shape);
        add(xml, STATUS_TAIL RESPONSE_TAIL);
}

void xmlrpc_add_failure(struct buf *xml, const json_t *description) {
        add(xml, RESPONSE_HEAD STATUS_HEAD "Failure</value></member><member><name>ErrorDescription</name>");
        xmlrpc_add_value(xml, description, NULL);
        add(xml, STATUS_TAIL RESPONSE_TAIL);
}

void xmlrpc_add_bare(struct buf *xml, const json_t *value, const struct xmlrpc_shape *shape) {
        add(xml, RESPONSE_HEAD);
        xmlrpc_add_value(xml, value, shape);
        add(xml, RESPONSE_TAIL);
}

void xmlrpc_add_fault(struct buf *xml, int code, const char *text) {
        buf_print(xml,
                  XML_HEAD "<methodResponse><fault><value><struct><member><name>faultCode</name>"
                           "<value><int>%d</int></value></member><member><name>faultString</name><value>",
                  code);
        add_text(xml, text, strlen(text));
        add(xml, "</value></member></struct></value></fault></methodResponse>");
}

void xmlrpc_add_call(struct buf *xml, const char *method, const json_t *params) {
        add(xml, XML_HEAD "<methodCall><methodName>");
        add_text(xml, method, strlen(method));
        add(xml, "</methodName><params>");
        for (size_t i = 0; i < json_array_size(params); i++) {
                add(xml, "<param>");
                xmlrpc_add_value(xml, json_array_get(params, i), NULL);
                add(xml, "</param>");
        }
        add(xml, "</params></methodCall>");
}
