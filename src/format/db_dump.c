// SPDX-License-Identifier: Apache-2.0
#include "db_dump.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include <expat.h>

DEFINE_AUTO(XML_Parser, XML_ParserFree);

/* ---- writing --------------------------------------------------------------------------------- */

/* In quotes, of an attribute.  What XML cannot carry is left out. */
static void put_text(struct buf *to, const char *text) {
        for (const char *at = text; *at; at++) {
                switch (*at) {
                case '&':
                        buf_print(to, "&amp;");
                        break;
                case '<':
                        buf_print(to, "&lt;");
                        break;
                case '"':
                        buf_print(to, "&quot;");
                        break;
                case '\n':
                case '\r':
                case '\t':
                        buf_print(to, "&#%d;", *at);
                        break;
                default:
                        if ((unsigned char)*at >= ' ')
                                buf_add(to, at, 1);
                }
        }
}

static void put_attribute(struct buf *to, const char *name, const char *value) {
        buf_print(to, " %s=\"", name);
        put_text(to, value);
        buf_print(to, "\"");
}

static void add_quoted(struct buf *to, const char *text) {
        buf_print(to, "'");
        for (; *text; text++) {
                if (*text == '\'' || *text == '\\')
                        buf_print(to, "\\");
                buf_add(to, text, 1);
        }
        buf_print(to, "'");
}

static void add_expression(struct buf *to, const json_t *value);

/* Within a set or a map all is in quotes. */
static void add_element(struct buf *to, const json_t *value) {
        AUTO(buf_fini) struct buf text = {0};

        if (json_is_string(value)) {
                add_quoted(to, json_string_value(value));
                return;
        }
        add_expression(&text, value);
        add_quoted(to, buf_text(&text));
}

static void add_set(struct buf *to, const json_t *set) {
        json_t *each;
        size_t i;

        buf_print(to, "(");
        json_array_foreach(set, i, each) {
                buf_print(to, i ? " " : "");
                add_element(to, each);
        }
        buf_print(to, ")");
}

static void add_map(struct buf *to, const json_t *map) {
        bool is_first = true;
        const char *key;
        json_t *each;

        buf_print(to, "(");
        json_object_foreach((json_t *)(uintptr_t)map, key, each) {
                buf_print(to, is_first ? "(" : " (");
                add_quoted(to, key);
                buf_print(to, " ");
                add_element(to, each);
                buf_print(to, ")");
                is_first = false;
        }
        buf_print(to, ")");
}

static void add_expression(struct buf *to, const json_t *value) {
        switch (json_typeof(value)) {
        case JSON_STRING:
                buf_print(to, "%s", json_string_value(value));
                break;
        case JSON_INTEGER:
                buf_print(to, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
                break;
        case JSON_REAL:
                buf_print(to, "%.17g", json_real_value(value));
                break;
        case JSON_TRUE:
        case JSON_FALSE:
                buf_print(to, "%s", json_is_true(value) ? "true" : "false");
                break;
        case JSON_ARRAY:
                add_set(to, value);
                break;
        case JSON_OBJECT:
                add_map(to, value);
                break;
        case JSON_NULL:
                break;
        }
}

static void put_row(struct buf *to, const char *ref, json_t *record) {
        const char *field;
        json_t *value;

        buf_print(to, "<row");
        put_attribute(to, "ref", ref);
        json_object_foreach(record, field, value) {
                AUTO(buf_fini) struct buf text = {0};

                add_expression(&text, value);
                put_attribute(to, field, buf_text(&text));
        }
        buf_print(to, "/>\n");
}

void db_dump_encode(const json_t *manifest, const json_t *tables, struct buf *ret) {
        const char *key, *table, *ref;
        json_t *value, *rows, *record;

        buf_print(ret, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<database>\n<manifest>\n");
        json_object_foreach((json_t *)(uintptr_t)manifest, key, value) {
                buf_print(ret, "<pair");
                put_attribute(ret, "key", key);
                put_attribute(ret, "value", json_string_value(value));
                buf_print(ret, "/>\n");
        }
        buf_print(ret, "</manifest>\n");
        json_object_foreach((json_t *)(uintptr_t)tables, table, rows) {
                buf_print(ret, "<table");
                put_attribute(ret, "name", table);
                buf_print(ret, ">\n");
                json_object_foreach(rows, ref, record) put_row(ret, ref, record);
                buf_print(ret, "</table>\n");
        }
        buf_print(ret, "</database>\n");
}

/* ---- checking -------------------------------------------------------------------------------- */

struct check {
        XML_Parser parser; /* borrowed */
        struct db_dump_count count;
        unsigned depth;
        bool has_manifest, is_in_table;
        struct err_note note; /* code ERR_NONE: all is well so far */
};

static void refuse(struct check *check, const char *why, const char *what) {
        if (!check->note.code)
                (void)err_set(&check->note, ERR_CORRUPT, "line %lu: %.40s: %s",
                              (unsigned long)XML_GetCurrentLineNumber(check->parser), what, why);
        XML_StopParser(check->parser, XML_FALSE);
}

static bool has_attribute(const char **attributes, const char *name) {
        for (; *attributes; attributes += 2)
                if (strcmp(*attributes, name) == 0)
                        return true;
        return false;
}

static void begin_table(struct check *check, const char **attributes) {
        if (!check->has_manifest || !has_attribute(attributes, "name")) {
                refuse(check, "it has no name, or stands before the manifest", "table");
                return;
        }
        check->is_in_table = true;
        check->count.n_tables++;
}

static void begin_row(struct check *check, const char **attributes) {
        if (!has_attribute(attributes, "ref")) {
                refuse(check, "it has no ref", "row");
                return;
        }
        check->count.n_rows++;
}

static void on_begin(void *user, const char *name, const char **attributes) {
        struct check *check = user;
        unsigned depth = check->depth++;

        if (depth == 0 && strcmp(name, "database") == 0)
                return;
        if (depth == 1 && strcmp(name, "manifest") == 0 && !check->has_manifest) {
                check->has_manifest = true;
                check->is_in_table = false;
        } else if (depth == 1 && strcmp(name, "table") == 0) {
                begin_table(check, attributes);
        } else if (depth == 2 && check->is_in_table && strcmp(name, "row") == 0) {
                begin_row(check, attributes);
        } else if (depth != 2 || check->is_in_table || strcmp(name, "pair") != 0) {
                refuse(check, "it does not belong here", name);
        }
}

static void on_end(void *user, const char *name) {
        struct check *check = user;

        (void)name;
        check->depth--;
}

static void on_doctype(void *user, const char *name, const char *sysid, const char *pubid, int has_subset) {
        (void)sysid;
        (void)pubid;
        (void)has_subset;
        refuse(user, "a document type is not taken", name);
}

enum err db_dump_check(struct span xml, struct db_dump_count *ret, struct err_note *note) {
        AUTO(XML_ParserFree) XML_Parser parser = NULL;
        struct check check = {0};

        if (xml.n > INT_MAX)
                return err_set(note, ERR_TOO_LARGE, "a dump of %zu bytes", xml.n);
        parser = XML_ParserCreate("UTF-8");
        if (!parser)
                return err_set(note, ERR_NO_MEMORY, "read a dump: out of memory");
        check.parser = parser;
        XML_SetUserData(parser, &check);
        XML_SetElementHandler(parser, on_begin, on_end);
        XML_SetStartDoctypeDeclHandler(parser, on_doctype);
        if (XML_Parse(parser, (const char *)xml.data, (int)xml.n, true) == XML_STATUS_ERROR &&
            !check.note.code)
                refuse(&check, XML_ErrorString(XML_GetErrorCode(parser)), "no XML");
        if (!check.note.code && !check.has_manifest)
                refuse(&check, "it has no manifest", "database");
        if (check.note.code) {
                *note = check.note;
                return note->code;
        }
        *ret = check.count;
        return ERR_NONE;
}
