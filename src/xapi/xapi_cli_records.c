// SPDX-License-Identifier: Apache-2.0
/* vdi-list and its like: what follows from the table of classes. */
#include <string.h>

#include "text.h"
#include "xapi_cli.h"
#include "xapi_cli_select.h"
#include "xapi_inside.h"

static json_t *call_class(struct xapi_cli *cli, const struct xapi_cli_kind *kind, const char *verb,
                          json_t *params) {
        AUTO_FREE char *method = mem_format("%s.%s", xapi_classes[kind->class].name, verb);

        return xapi_cli_call(cli, method, params);
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* Who splits the line at its commas finds each value whole. */
static void add_minimal(struct xapi_cli *cli, struct buf *to, bool is_first,
                        const struct xapi_cli_column *column, const json_t *record) {
        AUTO_FREE char *text = xapi_cli_shown(cli, column, record);

        if (!is_first)
                buf_print(to, ",");
        for (const char *c = text; *c; c++)
                buf_print(to, *c == ',' || *c == '\\' ? "\\%c" : "%c", *c);
}

static void print_minimal(struct xapi_cli *cli, const xapi_cli_columns *columns, json_t *chosen) {
        AUTO(buf_fini) struct buf text = {0};
        bool is_first = true;
        json_t *record;
        const char *ref;

        json_object_foreach(chosen, ref, record) {
                add_minimal(cli, &text, is_first, &columns->data[0], record);
                is_first = false;
        }
        xapi_cli_print(cli, "%s", buf_text(&text));
}

static void print_chosen(struct xapi_cli *cli, const xapi_cli_columns *columns, json_t *chosen) {
        json_t *record;
        const char *ref;

        if (cli->ask.is_minimal) {
                print_minimal(cli, columns, chosen);
                return;
        }
        json_object_foreach(chosen, ref, record) {
                xapi_cli_print_record(cli, columns, record);
        }
}

static void list(struct xapi_cli *cli, const struct xapi_cli_kind *kind) {
        const char *params = xapi_cli_named(&cli->ask, "params");
        const char *shown = params ? params : cli->ask.is_minimal ? "uuid" : kind->shown;
        AUTO(json_decref) json_t *chosen = NULL;
        xapi_cli_columns columns = {0};
        xapi_cli_filters filters = {0};

        if (xapi_cli_columns_choose(cli, kind, shown, &columns) &&
            xapi_cli_filters_make(cli, kind, true, NULL, &filters))
                chosen = xapi_cli_select(cli, kind, &filters);
        if (chosen)
                print_chosen(cli, &columns, chosen);
        vec_fini(&columns);
        vec_fini(&filters);
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* "=/=" is the other way round: the value that is not wanted begins with "/=". */
static void turn_round(xapi_cli_filters *filters) {
        VEC_EACH (filters, each) {
                each->is_not = text_starts_with(each->value, "/=");
                each->value += each->is_not ? 2 : 0;
        }
}

static enum xapi_cli_next wait_for(struct xapi_cli *cli) {
        const char *class = xapi_cli_needed(cli, "class");
        const struct xapi_cli_kind *kind = class ? xapi_cli_kind_named(class) : NULL;
        AUTO(json_decref) json_t *chosen = NULL;
        xapi_cli_filters filters = {0};

        if (!class)
                return XAPI_CLI_ENDS;
        if (!kind)
                return xapi_cli_fail(cli, "Unknown class: %s", class);
        cli->then = wait_for;
        cli->wait_generation = objects_generation(cli->xapi->host->objects);
        if (xapi_cli_filters_make(cli, kind, true, "class", &filters)) {
                turn_round(&filters);
                chosen = xapi_cli_select(cli, kind, &filters);
        }
        vec_fini(&filters);
        return chosen && !json_object_size(chosen) ? XAPI_CLI_WAITS : XAPI_CLI_ENDS;
}

const struct xapi_cli_action xapi_cli_wait_actions[] = {{"event-wait", wait_for}, {0}};

/* ---- fields, read ---------------------------------------------------------------------------- */

static json_t *record_of(struct xapi_cli *cli, const struct xapi_cli_kind *kind) {
        AUTO_FREE char *ref = xapi_cli_ref(cli, kind->class, "uuid");

        return ref ? call_class(cli, kind, "get_record", json_pack("[s]", ref)) : NULL;
}

static void list_params(struct xapi_cli *cli, const struct xapi_cli_kind *kind) {
        AUTO(json_decref) json_t *record = record_of(cli, kind);
        xapi_cli_columns columns = {0};

        if (record && xapi_cli_columns_choose(cli, kind, "all", &columns))
                xapi_cli_print_record(cli, &columns, record);
        vec_fini(&columns);
}

static bool param_named(struct xapi_cli *cli, const struct xapi_cli_kind *kind, struct xapi_cli_column *ret) {
        const char *name = xapi_cli_needed(cli, "param-name");

        return name && xapi_cli_column_named(cli, kind, name, ret);
}

static void get_param(struct xapi_cli *cli, const struct xapi_cli_kind *kind) {
        const char *key = xapi_cli_named(&cli->ask, "param-key");
        struct xapi_cli_column column;
        AUTO(json_decref) json_t *record = NULL;
        AUTO_FREE char *text = NULL;
        const json_t *value;

        if (param_named(cli, kind, &column))
                record = record_of(cli, kind);
        if (!record)
                return;
        value = json_object_get(record, column.field->name);
        if (!key) {
                text = xapi_cli_shown(cli, &column, record);
                xapi_cli_print(cli, "%s", text);
        } else if (json_is_string(json_object_get(value, key))) {
                xapi_cli_print(cli, "%s", json_string_value(json_object_get(value, key)));
        } else {
                (void)xapi_cli_fail(cli, "Key %s not found in map", key);
        }
}

/* ---- fields, set ----------------------------------------------------------------------------- */

/* One call of "verb field" with these; takes params. */
static bool change(struct xapi_cli *cli, const struct xapi_cli_kind *kind, const char *verb,
                   const struct xapi_field *field, json_t *params) {
        AUTO_FREE char *name = mem_format("%s%s", verb, field->name);
        AUTO(json_decref) json_t *done = call_class(cli, kind, name, params);

        return done;
}

static bool set_key(struct xapi_cli *cli, const struct xapi_cli_kind *kind, const char *ref,
                    const struct xapi_field *field, const char *key, const char *value) {
        return change(cli, kind, "remove_from_", field, json_pack("[s, s]", ref, key)) &&
               change(cli, kind, "add_to_", field, json_pack("[s, s, s]", ref, key, value));
}

static bool set_one(struct xapi_cli *cli, const struct xapi_cli_kind *kind, const char *ref,
                    const struct xapi_cli_pair *pair) {
        const char *colon = strchr(pair->name, ':');
        AUTO_FREE char *name = mem_format("%.*s", (int)strcspn(pair->name, ":"), pair->name);
        struct xapi_cli_column column;
        json_t *value;

        if (!xapi_cli_column_named(cli, kind, name, &column))
                return false;
        if (column.further) {
                (void)xapi_cli_fail(cli, "Field is read-only: %s", name);
                return false;
        }
        if (colon && xapi_cli_is_map(column.field))
                return set_key(cli, kind, ref, column.field, colon + 1, pair->value);
        value = xapi_cli_value(column.field, pair->value);
        if (value)
                return change(cli, kind, "set_", column.field, json_pack("[s, o]", ref, value));
        (void)xapi_cli_fail(cli, "No value of %s: %s", name, pair->value);
        return false;
}

/* A word of the command that is about the object, and not about which one. */
static bool is_about_it(const char *name) {
        static const char *const words[] = {"uuid", "param-name", "param-key"};

        for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
                if (strcmp(words[i], name) == 0)
                        return false;
        return !xapi_cli_is_own_word(name);
}

static void set_params(struct xapi_cli *cli, const struct xapi_cli_kind *kind) {
        AUTO_FREE char *ref = xapi_cli_ref(cli, kind->class, "uuid");

        if (!ref)
                return;
        VEC_EACH (&cli->ask.named, each) {
                if (is_about_it(each->name) && !set_one(cli, kind, ref, each))
                        return;
        }
}

static void add_param(struct xapi_cli *cli, const struct xapi_cli_kind *kind) {
        const char *key = xapi_cli_named(&cli->ask, "param-key");
        struct xapi_cli_column column;
        AUTO_FREE char *ref = param_named(cli, kind, &column) ? xapi_cli_ref(cli, kind->class, "uuid") : NULL;

        if (!ref)
                return;
        if (!xapi_cli_is_map(column.field)) {
                key = xapi_cli_needed(cli, "param-key");
                (void)(key && change(cli, kind, "add_", column.field, json_pack("[s, s]", ref, key)));
                return;
        }
        VEC_EACH (&cli->ask.named, each) {
                if (is_about_it(each->name) && !change(cli, kind, "add_to_", column.field,
                                                       json_pack("[s, s, s]", ref, each->name, each->value)))
                        return;
        }
}

static void remove_param(struct xapi_cli *cli, const struct xapi_cli_kind *kind) {
        struct xapi_cli_column column;
        AUTO_FREE char *ref = param_named(cli, kind, &column) ? xapi_cli_ref(cli, kind->class, "uuid") : NULL;
        const char *key = ref ? xapi_cli_needed(cli, "param-key") : NULL;
        const char *verb = ref && xapi_cli_is_map(column.field) ? "remove_from_" : "remove_";

        (void)(key && change(cli, kind, verb, column.field, json_pack("[s, s]", ref, key)));
}

static void clear_param(struct xapi_cli *cli, const struct xapi_cli_kind *kind) {
        struct xapi_cli_column column;
        AUTO_FREE char *ref = param_named(cli, kind, &column) ? xapi_cli_ref(cli, kind->class, "uuid") : NULL;

        if (ref)
                (void)change(cli, kind, "set_", column.field,
                             json_pack("[s, o]", ref, xapi_field_default(column.field)));
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct kind_verb {
        const char *name; /* borrowed, static */
        void (*run)(struct xapi_cli *, const struct xapi_cli_kind *);
} verbs[] = {
        {"list", list},
        {"param-list", list_params},
        {"param-get", get_param},
        {"param-set", set_params},
        {"param-add", add_param},
        {"param-remove", remove_param},
        {"param-clear", clear_param},
};
enum { N_VERBS = sizeof verbs / sizeof *verbs };

bool xapi_cli_records(struct xapi_cli *cli, const char *command) {
        for (const struct xapi_cli_kind *kind = xapi_cli_kinds; kind->name; kind++) {
                size_t n = strlen(kind->name);

                if (!text_starts_with(command, kind->name) || command[n] != '-')
                        continue;
                for (unsigned i = 0; i < N_VERBS; i++) {
                        if (strcmp(verbs[i].name, command + n + 1) != 0)
                                continue;
                        verbs[i].run(cli, kind);
                        return true;
                }
        }
        return false;
}

void xapi_cli_help_records(struct xapi_cli *cli) {
        for (const struct xapi_cli_kind *kind = xapi_cli_kinds; kind->name; kind++)
                for (unsigned i = 0; i < N_VERBS; i++)
                        xapi_cli_print(cli, "%s-%s", kind->name, verbs[i].name);
}
