// SPDX-License-Identifier: Apache-2.0
#include "vault_member.h"

#include <assert.h>
#include <inttypes.h>

#include "hex.h"
#include "mem.h"
#include "text.h"
#include "vault_pack.h"

enum err vault_body_load(struct span text, json_t **ret, struct err_note *note) {
        AUTO(json_decref) json_t *json = NULL;

        if (text.n > VAULT_BODY_MAX)
                return err_set(note, ERR_TOO_LARGE, "%zu bytes, at most %d are read", text.n, VAULT_BODY_MAX);
        if (json_text_decode(text, &json, note))
                return note->code;
        if (!json_is_object(json))
                return err_set(note, ERR_CORRUPT, "it is not an object");
        *ret = TAKE(json);
        return ERR_NONE;
}

void vault_body_add(json_t *json, struct buf *ret) {
        AUTO(json_decref) json_t *body = json;
        struct err_note note;
        enum err error = json_text_encode(body, JSON_COMPACT | JSON_SORT_KEYS, ret, &note);

        assert(!error); /* no text comes in but as UTF-8 */
}

/* ---- taking ---------------------------------------------------------------------------------- */

bool vault_member_is_null(const json_t *from, const char *key) {
        const json_t *value = json_object_get(from, key);

        return !value || json_is_null(value);
}

static enum err wrong(const json_t *from, const char *key, const char *what, struct err_note *note) {
        if (!json_object_get(from, key))
                return err_set(note, ERR_CORRUPT, "\"%s\" is missing", key);
        return err_set(note, ERR_CORRUPT, "\"%s\" is not %s", key, what);
}

enum err vault_take_text(const json_t *from, const char *key, const char **ret, struct err_note *note) {
        const char *text = json_string_value(json_object_get(from, key));

        if (!text)
                return wrong(from, key, "text", note);
        *ret = text;
        return ERR_NONE;
}

enum err vault_take_number(const json_t *from, const char *key, uint64_t min, uint64_t max, uint64_t *ret,
                           struct err_note *note) {
        const json_t *value = json_object_get(from, key);
        json_int_t number = json_integer_value(value);

        if (!json_is_integer(value))
                return wrong(from, key, "an integer", note);
        if (number < 0 || (uint64_t)number < min || (uint64_t)number > max)
                return err_set(note, ERR_CORRUPT,
                               "\"%s\" is %" JSON_INTEGER_FORMAT ", not from %" PRIu64 " to %" PRIu64, key,
                               number, min, max);
        *ret = (uint64_t)number;
        return ERR_NONE;
}

enum err vault_take_bool(const json_t *from, const char *key, bool *ret, struct err_note *note) {
        const json_t *value = json_object_get(from, key);

        if (!json_is_boolean(value))
                return wrong(from, key, "true or false", note);
        *ret = json_is_true(value);
        return ERR_NONE;
}

enum err vault_take_time(const json_t *from, const char *key, int64_t *ret, struct err_note *note) {
        const char *text = json_string_value(json_object_get(from, key));

        return text && text_parse_time(text, ret) ? ERR_NONE : wrong(from, key, "a time", note);
}

enum err vault_take_hex(const json_t *from, const char *key, uint8_t *ret, size_t n, struct err_note *note) {
        const char *text = json_string_value(json_object_get(from, key));

        if (!text || !hex_parse(text, ret, n))
                return wrong(from, key, "hexadecimal, or not of its length", note);
        return ERR_NONE;
}

enum err vault_take_object(const json_t *from, const char *key, json_t **ret_borrowed,
                           struct err_note *note) {
        json_t *value = json_object_get(from, key);

        if (!json_is_object(value))
                return wrong(from, key, "an object", note);
        *ret_borrowed = value;
        return ERR_NONE;
}

enum err vault_take_array(const json_t *from, const char *key, json_t **ret_borrowed, struct err_note *note) {
        json_t *value = json_object_get(from, key);

        if (!json_is_array(value))
                return wrong(from, key, "an array", note);
        *ret_borrowed = value;
        return ERR_NONE;
}

enum err vault_take_names(const json_t *from, const char *key, struct vault_name **ret_owned, size_t *ret_n,
                          struct err_note *note) {
        AUTO_FREE struct vault_name *names = NULL;
        json_t *array, *each;
        size_t i;

        if (vault_take_array(from, key, &array, note))
                return note->code;
        names = mem_grow(NULL, json_array_size(array) + 1, sizeof *names);
        json_array_foreach(array, i, each) {
                const char *text = json_string_value(each);

                if (!text || !vault_name_parse(text, &names[i]))
                        return err_set(note, ERR_CORRUPT, "\"%s\": %zu is not a name", key, i);
        }
        *ret_n = json_array_size(array);
        *ret_owned = TAKE(names);
        return ERR_NONE;
}

enum err vault_take_chunk(const json_t *from, uint32_t *ret, struct err_note *note) {
        uint64_t chunk;

        if (vault_take_number(from, "chunk", VAULT_CHUNK_MIN, VAULT_CHUNK_MAX, &chunk, note))
                return note->code;
        if (!vault_is_chunk_size(chunk))
                return err_set(note, ERR_CORRUPT, "\"chunk\" is not a power of two");
        *ret = (uint32_t)chunk;
        return ERR_NONE;
}

enum err vault_take_word(const json_t *from, const char *key, const char *const *words, unsigned n,
                         unsigned *ret, struct err_note *note) {
        const char *text;

        if (vault_take_text(from, key, &text, note))
                return note->code;
        for (unsigned i = 0; i < n; i++)
                if (strcmp(text, words[i]) == 0) {
                        *ret = i;
                        return ERR_NONE;
                }
        return err_set(note, ERR_UNSUPPORTED, "\"%s\" is \"%s\"", key, text);
}

/* ---- putting --------------------------------------------------------------------------------- */

void vault_put_text(json_t *to, const char *key, const char *text) {
        json_object_set_new(to, key, json_text_string(text));
}

void vault_put_number(json_t *to, const char *key, uint64_t number) {
        json_object_set_new(to, key, json_integer((json_int_t)number));
}

void vault_put_bool(json_t *to, const char *key, bool value) {
        json_object_set_new(to, key, json_boolean(value));
}

void vault_put_time(json_t *to, const char *key, int64_t unix_seconds) {
        vault_put_text(to, key, text_time(unix_seconds).s);
}

void vault_put_hex(json_t *to, const char *key, const uint8_t *bytes, size_t n) {
        AUTO_FREE char *text = mem_grow(NULL, 2 * n + 1, 1);

        hex_format(bytes, n, text);
        vault_put_text(to, key, text);
}

void vault_put_names(json_t *to, const char *key, const struct vault_name *names, size_t n) {
        json_t *array = json_array();

        for (size_t i = 0; i < n; i++)
                json_array_append_new(array, json_string(vault_name_format(&names[i]).s));
        json_object_set_new(to, key, array);
}

void vault_put_json(json_t *to, const char *key, json_t *value) {
        json_object_set_new(to, key, value ? json_incref(value) : json_null());
}
