// SPDX-License-Identifier: Apache-2.0
#include "xapi_cli_print.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "xapi_cli.h"

#define NOTHING "<not in database>"

/* ---- values, shown --------------------------------------------------------------------------- */

static void add_plain(struct buf *to, const json_t *value) {
        const char *text = json_string_value(value);

        if (text && strcmp(text, XAPI_NULL_REF) == 0)
                buf_print(to, NOTHING);
        else if (text)
                buf_print(to, "%s",
                          text_starts_with(text, XAPI_REF_PREFIX) ? text + strlen(XAPI_REF_PREFIX) : text);
        else if (json_is_integer(value))
                buf_print(to, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (json_is_real(value))
                buf_print(to, "%.3f", json_real_value(value));
        else if (json_is_boolean(value))
                buf_print(to, json_is_true(value) ? "true" : "false");
}

char *xapi_cli_text(const struct xapi_field *field, const json_t *value) {
        AUTO(buf_fini) struct buf text = {0};
        const char *key;
        const json_t *each;
        size_t i;

        if (xapi_cli_is_set(field)) {
                json_array_foreach(value, i, each) {
                        buf_print(&text, i ? "; " : "");
                        add_plain(&text, each);
                }
        } else if (xapi_cli_is_map(field)) {
                json_object_foreach((json_t *)value, key, each) {
                        buf_print(&text, text.n ? "; %s: " : "%s: ", key);
                        add_plain(&text, each);
                }
        } else {
                add_plain(&text, value);
        }
        return mem_text(buf_text(&text));
}

/* ---- what a reference means ------------------------------------------------------------------ */

static void add_further(struct xapi_cli *cli, const struct xapi_field *field, const json_t *value,
                        const char *further, struct buf *to);

/* The next field of the path, of one object. */
static void add_step(struct xapi_cli *cli, const struct xapi_field *field, const json_t *ref,
                     const char *further, struct buf *to) {
        size_t n = strcspn(further, ".");
        AUTO_FREE char *name = mem_format("%.*s", (int)n, further);
        AUTO_FREE char *getter = mem_format("%s.get_%s", field->of, name);
        AUTO(json_decref) json_t *value = xapi_cli_try(cli, getter, json_pack("[O]", ref));
        const struct xapi_field *next = xapi_field_find(xapi_class_find(field->of), name);
        AUTO_FREE char *text = NULL;

        if (value && further[n]) {
                add_further(cli, next, value, further + n + 1, to);
                return;
        }
        text = value ? xapi_cli_text(next, value) : mem_text(NOTHING);
        buf_print(to, "%s", text);
}

static void add_further(struct xapi_cli *cli, const struct xapi_field *field, const json_t *value,
                        const char *further, struct buf *to) {
        const json_t *each;
        size_t i;

        if (!xapi_cli_is_set(field)) {
                add_step(cli, field, value, further, to);
                return;
        }
        json_array_foreach(value, i, each) {
                buf_print(to, i ? "; " : "");
                add_step(cli, field, each, further, to);
        }
}

char *xapi_cli_shown(struct xapi_cli *cli, const struct xapi_cli_column *column, const json_t *record) {
        const json_t *value = json_object_get(record, column->field->name);
        AUTO(buf_fini) struct buf text = {0};

        if (column->further) {
                add_further(cli, column->field, value, column->further, &text);
                return mem_text(buf_text(&text));
        }
        if (column->field->type == XAPI_ENUM && json_is_string(value))
                return mem_text(xapi_cli_word(column, json_string_value(value)));
        return xapi_cli_text(column->field, value);
}

/* ---- records --------------------------------------------------------------------------------- */

void xapi_cli_add_record(struct xapi_cli *cli, struct buf *to, const xapi_cli_columns *columns,
                         const json_t *record) {
        int width = 0;

        VEC_EACH (columns, column) {
                int n = (int)strlen(column->name) + 4;

                width = n > width ? n : width;
        }
        VEC_EACH (columns, column) {
                AUTO_FREE char *text = xapi_cli_shown(cli, column, record);
                bool is_first = column == columns->data;
                int rest = width - (int)strlen(column->name);

                buf_print(to, "%*s%s (%s)%*s: %s\n", is_first ? 0 : rest, "", column->name,
                          xapi_cli_kind(column), is_first ? rest : 0, "", text);
        }
}

/* ---- values, taken --------------------------------------------------------------------------- */

static json_t *integer_of(const char *text) {
        char *end;
        long long number;

        errno = 0;
        number = strtoll(text, &end, 10);
        return *text && !*end && !errno ? json_integer(number) : NULL;
}

static json_t *real_of(const char *text) {
        char *end;
        double number = strtod(text, &end);

        return *text && !*end ? json_real(number) : NULL;
}

static json_t *boolean_of(const char *text) {
        if (strcmp(text, "true") == 0)
                return json_true();
        return strcmp(text, "false") == 0 ? json_false() : NULL;
}

static json_t *reference_of(const char *text) {
        struct uuid uuid;

        return uuid_parse(text, &uuid) ? json_string(xapi_ref_of(&uuid).s) : NULL;
}

static json_t *strings_of(const char *text) {
        AUTO_FREE char *copy = mem_text(text);
        json_t *list = json_array();
        char *at = copy;

        for (char *word; (word = strsep(&at, ","));)
                if (*word)
                        json_array_append_new(list, json_string(word));
        return list;
}

json_t *xapi_cli_value(const struct xapi_field *field, const char *text) {
        switch (field->type) {
        case XAPI_STRING:
        case XAPI_TIME:
        case XAPI_ENUM:
                return json_string(text);
        case XAPI_INT:
                return integer_of(text);
        case XAPI_FLOAT:
                return real_of(text);
        case XAPI_BOOL:
                return boolean_of(text);
        case XAPI_REF:
                return reference_of(text);
        case XAPI_STRINGS:
        case XAPI_ENUMS:
                return strings_of(text);
        case XAPI_REFS:
        case XAPI_INTS:
        case XAPI_MAP:
        case XAPI_ENUM_MAP:
        case XAPI_CHOICE_MAP:
        case XAPI_REF_MAP:
        case XAPI_INT_MAP:
                return NULL;
        }
        return NULL;
}
