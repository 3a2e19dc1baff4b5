// SPDX-License-Identifier: Apache-2.0
#include "print.h"

#include <string.h>

#include "mem.h"
#include "text.h"

/* ---- values ---- */

void print_safely(struct buf *buf, const char *text) {
        for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
                /* C1 controls are c2 80 … c2 9f in UTF-8. */
                bool is_c1 = at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0;

                if (*at < 0x20 || *at == 0x7f || is_c1)
                        buf_print(buf, "?");
                else
                        buf_add(buf, at, 1);
                at += is_c1;
        }
}

static void add_value(struct buf *buf, const struct field *field, const json_t *value) {
        if (!value || json_is_null(value)) {
                buf_print(buf, "-");
                return;
        }
        if (json_is_boolean(value)) {
                buf_print(buf, json_is_true(value) ? "yes" : "no");
                return;
        }
        if (json_is_string(value)) {
                print_safely(buf, json_string_value(value));
                return;
        }
        if (!json_is_integer(value)) {
                char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

                buf_print(buf, "%s", text ? text : "?");
                free(text);
                return;
        }
        if (field->kind == FIELD_SIZE)
                buf_print(buf, "%s", text_size((uint64_t)json_integer_value(value)).s);
        else if (field->kind == FIELD_TIME)
                buf_print(buf, "%s", text_time(json_integer_value(value)).s);
        else
                buf_print(buf, "%lld", (long long)json_integer_value(value));
}

/* How many columns a text takes: characters, not bytes. */
static size_t columns_of(const char *text) {
        size_t n = 0;

        for (; *text; text++)
                n += ((unsigned char)*text & 0xc0) != 0x80;
        return n;
}

static void pad(struct buf *buf, size_t n) {
        buf_print(buf, "%*s", (int)n, "");
}

/* ---- shapes ---- */

/* "a.b" is b of the object a; NULL: there is none. */
static const json_t *find_value(const json_t *record, const char *name) {
        for (const char *dot; record && (dot = strchr(name, '.')); name = dot + 1)
                record = json_object_getn(record, name, (size_t)(dot - name));
        return record ? json_object_get(record, name) : NULL;
}

static void add_name(struct buf *buf, const char *name) {
        for (const char *at = name; *at; at++)
                buf_print(buf, "%c", *at == '_' || *at == '.' ? ' ' : *at);
}

/* "code MacX, offset 3072, …" */
static void add_members(struct buf *buf, const json_t *object) {
        static const struct field plain = {.kind = FIELD_TEXT};
        bool is_first = true;
        const char *name;
        json_t *value;

        json_object_foreach((json_t *)object, name, value) {
                buf_print(buf, "%s%s ", is_first ? "" : ", ", name);
                add_value(buf, &plain, value);
                is_first = false;
        }
}

static void add_list(struct buf *buf, const json_t *list, size_t indent) {
        json_t *each;
        size_t i;

        if (json_array_size(list) == 0)
                buf_print(buf, "-");
        json_array_foreach(list, i, each) {
                if (i) {
                        buf_print(buf, "\n");
                        pad(buf, indent);
                }
                if (json_is_object(each))
                        add_members(buf, each);
                else
                        add_value(buf, &(struct field){.kind = FIELD_TEXT}, each);
        }
}

static void add_lines(struct buf *buf, const char *text, size_t indent) {
        AUTO_FREE char *copy = mem_text(text);

        for (char *line = copy, *next; line; line = next) {
                next = strchr(line, '\n');
                if (next)
                        *next++ = 0;
                if (line != copy)
                        pad(buf, indent);
                print_safely(buf, line);
                if (next)
                        buf_print(buf, "\n");
        }
}

static void print_record(struct buf *buf, const struct field *fields, const json_t *record) {
        size_t widest = 0;

        for (const struct field *field = fields; field->name; field++)
                if (!field->is_detail && find_value(record, field->name) && strlen(field->name) > widest)
                        widest = strlen(field->name);
        for (const struct field *field = fields; field->name; field++) {
                const json_t *value = find_value(record, field->name);

                if (field->is_detail || !value)
                        continue;
                add_name(buf, field->name);
                pad(buf, widest - strlen(field->name) + 2);
                if (json_is_array(value))
                        add_list(buf, value, widest + 2);
                else if (field->kind == FIELD_LINES && json_is_string(value))
                        add_lines(buf, json_string_value(value), widest + 2);
                else
                        add_value(buf, field, value);
                if (field->kind == FIELD_SIZE && json_is_integer(value))
                        buf_print(buf, " (%lld bytes)", (long long)json_integer_value(value));
                buf_print(buf, "\n");
        }
}

enum { COLUMNS_MAX = 24 };

struct table {
        const struct field *fields[COLUMNS_MAX]; /* borrowed, static */
        size_t widths[COLUMNS_MAX];
        size_t n;
};

static bool is_right(const struct field *field) {
        return field->kind == FIELD_SIZE || field->kind == FIELD_NUMBER;
}

/* The text of one cell; of a tree's first column with its branch in front. */
static void add_cell(struct buf *buf, const struct table *table, size_t column, const json_t *row,
                     bool is_tree) {
        if (is_tree && column == 0)
                pad(buf, 2 * (size_t)json_integer_value(json_object_get(row, "level")));
        add_value(buf, table->fields[column], json_object_get(row, table->fields[column]->name));
}

static void measure(struct table *table, const json_t *rows, bool is_tree) {
        size_t i;
        json_t *row;

        for (size_t c = 0; c < table->n; c++)
                table->widths[c] = strlen(table->fields[c]->name);
        json_array_foreach(rows, i, row) {
                for (size_t c = 0; c < table->n; c++) {
                        AUTO(buf_fini) struct buf cell = {0};

                        add_cell(&cell, table, c, row, is_tree);
                        if (columns_of(buf_text(&cell)) > table->widths[c])
                                table->widths[c] = columns_of(buf_text(&cell));
                }
        }
}

static void add_row(struct buf *buf, const struct table *table, const json_t *row, bool is_tree) {
        for (size_t c = 0; c < table->n; c++) {
                AUTO(buf_fini) struct buf cell = {0};
                size_t gap;

                if (row)
                        add_cell(&cell, table, c, row, is_tree);
                else
                        buf_print(&cell, "%s", table->fields[c]->name);
                gap = table->widths[c] - columns_of(buf_text(&cell));
                if (is_right(table->fields[c]))
                        pad(buf, gap);
                buf_print(buf, "%s", buf_text(&cell));
                if (c + 1 == table->n)
                        break;
                if (!is_right(table->fields[c]))
                        pad(buf, gap);
                buf_print(buf, "  ");
        }
        buf_print(buf, "\n");
}

static void print_table(struct buf *buf, const struct field *fields, const json_t *rows, bool is_tree) {
        struct table table = {0};
        size_t i;
        json_t *row;

        for (const struct field *field = fields; field->name && table.n < COLUMNS_MAX; field++)
                if (!field->is_detail)
                        table.fields[table.n++] = field;
        if (json_array_size(rows) == 0)
                return;
        measure(&table, rows, is_tree);
        add_row(buf, &table, NULL, false);
        json_array_foreach(rows, i, row) add_row(buf, &table, row, is_tree);
}

static void print_finding(struct buf *buf, const json_t *finding, bool has_colour) {
        const char *severity = json_string_value(json_object_get(finding, "severity"));
        const char *part = json_string_value(json_object_get(finding, "part"));
        const char *text = json_string_value(json_object_get(finding, "text"));
        const char *repair = json_string_value(json_object_get(finding, "repair"));
        bool is_error = severity && strcmp(severity, "error") == 0;

        buf_print(buf, "%s%s%s  %s at %lld: ", has_colour ? (is_error ? "\033[31m" : "\033[33m") : "",
                  severity ? severity : "", has_colour ? "\033[0m" : "", part ? part : "",
                  (long long)json_integer_value(json_object_get(finding, "at")));
        print_safely(buf, text ? text : "");
        if (repair && *repair) {
                buf_print(buf, "\n       repair: ");
                print_safely(buf, repair);
        }
        buf_print(buf, "\n");
}

/* "files" is an array of objects, each with "file", "findings" and a "summary". */
static void print_findings(struct buf *buf, const json_t *files, bool has_colour) {
        size_t i, k;
        json_t *file, *finding;

        json_array_foreach(files, i, file) {
                json_array_foreach(json_object_get(file, "findings"), k, finding)
                        print_finding(buf, finding, has_colour);
                print_safely(buf, json_string_value(json_object_get(file, "file")));
                buf_print(buf, ": ");
                print_safely(buf, json_string_value(json_object_get(file, "summary")));
                buf_print(buf, "\n");
        }
}

static void print_alone(struct buf *buf, const json_t *value) {
        const char *text = json_string_value(value);

        buf_print(buf, "%s\n", text ? text : "-");
}

void print_result(struct buf *buf, const struct verb *verb, const json_t *result, bool has_colour) {
        switch (verb->shape) {
        case SHAPE_NOTHING:
                return;
        case SHAPE_UUID:
                print_alone(buf, json_object_get(result, "uuid"));
                return;
        case SHAPE_FIRST:
                print_alone(buf, json_object_get(result, verb->fields[0].name));
                return;
        case SHAPE_RECORD:
                print_record(buf, verb->fields, result);
                return;
        case SHAPE_TABLE:
        case SHAPE_TREE:
                print_table(buf, verb->fields, json_object_get(result, verb->rows),
                            verb->shape == SHAPE_TREE);
                return;
        case SHAPE_FINDINGS:
                print_findings(buf, json_object_get(result, verb->rows), has_colour);
                return;
        }
}

/* ---- JSON ---- */

void print_json(struct buf *buf, const json_t *value) {
        char *text = json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(9));

        buf_print(buf, "%s\n", text ? text : "{}");
        free(text);
}

void print_json_line(struct buf *buf, const json_t *value) {
        char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(9));

        buf_print(buf, "%s\n", text ? text : "{}");
        free(text);
}

void print_json_error(struct buf *buf, const char *code, const char *message) {
        AUTO(json_decref)
        json_t *error = json_pack("{s:{s:s, s:o}}", "error", "code", code, "message", json_of_text(message));

        print_json(buf, error);
}
