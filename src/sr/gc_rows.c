// SPDX-License-Identifier: Apache-2.0
#include "gc_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"

#define TABLE_GC      "gc"
#define TABLE_FAILURE "gc_failure"
#define TABLE_HISTORY "gc_history"
#define KEY_SETTINGS  "settings"

/* Of a coalesce that moved less than this, time is claims and syncs. */
#define TELLING_BYTES ((uint64_t)4 * MIB)
enum { TELLING_COUNT = 10 };

static void json_decref_any(json_t *json) {
        json_decref(json);
}
DEFINE_AUTO(json_t *, json_decref_any);

static json_t *text_of(const char *text) {
        json_t *json = json_string(text ? text : "");

        return json ? json : json_string("?");
}

static char *take_text(const json_t *json, const char *member) {
        const char *text = json_string_value(json_object_get(json, member));

        return mem_text(text ? text : "");
}

static int64_t take_integer(const json_t *json, const char *member) {
        return (int64_t)json_integer_value(json_object_get(json, member));
}

static uint64_t take_count(const json_t *json, const char *member) {
        int64_t value = take_integer(json, member);

        return value > 0 ? (uint64_t)value : 0;
}

static struct uuid take_uuid(const json_t *json, const char *member) {
        const char *text = json_string_value(json_object_get(json, member));
        struct uuid uuid = {0};

        if (text && !uuid_parse(text, &uuid))
                return (struct uuid){0};
        return uuid;
}

/* NULL where it is no object. */
static json_t *parse(const void *value, size_t n) {
        json_t *json = json_loadb(value, n, 0, NULL);

        if (json_is_object(json))
                return json;
        json_decref(json);
        return NULL;
}

static enum err put(struct store_change *change, const char *table, const char *key, json_t *row,
                    struct err_note *note) {
        AUTO(json_decref_any) json_t *json = row;
        AUTO_FREE char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);

        if (!text)
                return err_set(note, ERR_NO_MEMORY, "write row %s of %s: out of memory", key, table);
        return store_put(change, table, key, text, strlen(text), note);
}

/* ---- settings ---- */

static void take_windows(const json_t *list, struct windows *ret) {
        const json_t *each;
        struct err_note unused;
        size_t i;

        json_array_foreach(list, i, each) {
                const char *text = json_string_value(each);

                if (text && ret->n < WINDOWS_MAX &&
                    window_parse(text, &ret->list[ret->n], &unused) == ERR_NONE)
                        ret->n++;
        }
}

static json_t *json_of_windows(const struct windows *windows) {
        json_t *list = json_array();

        for (unsigned i = 0; i < windows->n; i++)
                json_array_append_new(list, text_of(window_format(&windows->list[i]).s));
        return list;
}

enum err gc_settings_read(struct catalog *catalog, struct gc_settings *ret, struct err_note *note) {
        AUTO(json_decref_any) json_t *json = NULL;
        AUTO(buf_fini) struct buf value = {0};
        enum err err = ERR_NOT_FOUND;

        *ret = (struct gc_settings){0};
        if (catalog)
                err = store_get(catalog_store(catalog), TABLE_GC, KEY_SETTINGS, &value, note);
        if (err)
                return err == ERR_NOT_FOUND ? ERR_NONE : err;
        json = parse(value.data, value.n);
        ret->is_paused = json_is_true(json_object_get(json, "paused"));
        ret->limit = take_count(json, "limit");
        ret->ignores_guests = json_is_false(json_object_get(json, "guests"));
        take_windows(json_object_get(json, "windows"), &ret->windows);
        return ERR_NONE;
}

enum err gc_settings_put(struct store_change *change, const struct gc_settings *settings,
                         struct err_note *note) {
        return put(change, TABLE_GC, KEY_SETTINGS,
                   json_pack("{s:b, s:I, s:b, s:o}", "paused", (int)settings->is_paused, "limit",
                             (json_int_t)settings->limit, "guests", (int)!settings->ignores_guests, "windows",
                             json_of_windows(&settings->windows)),
                   note);
}

/* ---- failures ---- */

void gc_failures_fini(struct gc_failures *failures) {
        VEC_EACH (&failures->list, each) {
                free(each->text);
        }
        vec_fini(&failures->list);
}

static enum err add_failure(void *user, const char *key, const void *value, size_t n,
                            struct err_note *note UNUSED) {
        AUTO(json_decref_any) json_t *json = parse(value, n);
        struct gc_failures *failures = user;
        struct uuid tree;

        if (json && uuid_parse(key, &tree))
                *vec_add(&failures->list) = (struct gc_failure){
                        .tree = tree,
                        .text = take_text(json, "text"),
                        .times = (unsigned)take_count(json, "times"),
                        .at = take_integer(json, "at"),
                        .again_at = take_integer(json, "again_at"),
                };
        return ERR_NONE;
}

enum err gc_failures_read(struct catalog *catalog, struct gc_failures *ret, struct err_note *note) {
        AUTO(gc_failures_fini) struct gc_failures failures = {0};

        if (catalog && store_each(catalog_store(catalog), TABLE_FAILURE, "", add_failure, &failures, note))
                return note->code;
        *ret = failures;
        failures = (struct gc_failures){0};
        return ERR_NONE;
}

enum err gc_failure_put(struct store_change *change, const struct gc_failure *failure,
                        struct err_note *note) {
        return put(change, TABLE_FAILURE, uuid_format(&failure->tree).s,
                   json_pack("{s:o, s:I, s:I, s:I}", "text", text_of(failure->text), "times",
                             (json_int_t)failure->times, "at", (json_int_t)failure->at, "again_at",
                             (json_int_t)failure->again_at),
                   note);
}

enum err gc_failure_drop(struct store_change *change, const struct uuid *tree, struct err_note *note) {
        return store_delete(change, TABLE_FAILURE, uuid_format(tree).s, note);
}

/* ---- history ---- */

struct past_key {
        char s[24];
};

/* In the order of their numbers, also as text. */
static struct past_key key_of(uint64_t number) {
        struct past_key key;

        (void)snprintf(key.s, sizeof key.s, "%016" PRIu64, number);
        return key;
}

void gc_past_fini(struct gc_past *past) {
        free(past->name);
        free(past->direction);
        free(past->result);
        free(past->text);
        *past = (struct gc_past){0};
}

void gc_history_fini(struct gc_history *history) {
        VEC_EACH (&history->list, each) {
                gc_past_fini(each);
        }
        vec_fini(&history->list);
}

static enum err add_past(void *user, const char *key, const void *value, size_t n,
                         struct err_note *note UNUSED) {
        AUTO(json_decref_any) json_t *json = parse(value, n);
        struct gc_history *history = user;

        if (!json)
                return ERR_NONE;
        *vec_add(&history->list) = (struct gc_past){
                .number = strtoull(key, NULL, 10),
                .target = take_uuid(json, "target"),
                .top = take_uuid(json, "top"),
                .name = take_text(json, "name"),
                .direction = take_text(json, "direction"),
                .result = take_text(json, "result"),
                .text = take_text(json, "text"),
                .began = take_integer(json, "began"),
                .ended = take_integer(json, "ended"),
                .lasted_ms = take_count(json, "lasted_ms"),
                .bytes = take_count(json, "bytes"),
                .layers = (unsigned)take_count(json, "layers"),
        };
        return ERR_NONE;
}

enum err gc_history_read(struct catalog *catalog, struct gc_history *ret, struct err_note *note) {
        AUTO(gc_history_fini) struct gc_history history = {0};

        if (catalog && store_each(catalog_store(catalog), TABLE_HISTORY, "", add_past, &history, note))
                return note->code;
        *ret = history;
        history = (struct gc_history){0};
        return ERR_NONE;
}

struct numbers {
        VEC(uint64_t) list; /* owned; ascending */
};

static enum err add_number(void *user, const char *key, const void *value UNUSED, size_t n UNUSED,
                           struct err_note *note UNUSED) {
        struct numbers *numbers = user;

        *vec_add(&numbers->list) = strtoull(key, NULL, 10);
        return ERR_NONE;
}

static enum err drop_old(struct store_change *change, const struct numbers *numbers, struct err_note *note) {
        for (size_t i = 0; i + GC_PAST_MAX <= numbers->list.n; i++)
                if (store_delete(change, TABLE_HISTORY, key_of(numbers->list.data[i]).s, note))
                        return note->code;
        return ERR_NONE;
}

static json_t *json_of_past(const struct gc_past *past) {
        return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "target",
                         uuid_format(&past->target).s, "top", uuid_format(&past->top).s, "name",
                         text_of(past->name), "direction", text_of(past->direction), "result",
                         text_of(past->result), "text", text_of(past->text), "began", (json_int_t)past->began,
                         "ended", (json_int_t)past->ended, "lasted_ms", (json_int_t)past->lasted_ms, "bytes",
                         (json_int_t)past->bytes, "layers", (json_int_t)past->layers);
}

enum err gc_past_add(struct catalog *catalog, struct store_change *change, struct gc_past *past,
                     struct err_note *note) {
        struct numbers numbers = {0};
        enum err err = store_each(catalog_store(catalog), TABLE_HISTORY, "", add_number, &numbers, note);

        if (!err) {
                past->number = numbers.list.n ? numbers.list.data[numbers.list.n - 1] + 1 : 1;
                err = drop_old(change, &numbers, note);
        }
        vec_fini(&numbers.list);
        if (err)
                return err;
        return put(change, TABLE_HISTORY, key_of(past->number).s, json_of_past(past), note);
}

uint64_t gc_history_rate(const struct gc_history *history) {
        uint64_t bytes = 0, ms = 0;
        unsigned n = 0;

        for (size_t i = history->list.n; i-- > 0 && n < TELLING_COUNT;) {
                const struct gc_past *past = &history->list.data[i];

                if (past->bytes < TELLING_BYTES || past->lasted_ms == 0)
                        continue;
                bytes += past->bytes;
                ms += past->lasted_ms;
                n++;
        }
        return n ? (uint64_t)((double)bytes * 1000 / (double)ms) : 0;
}
