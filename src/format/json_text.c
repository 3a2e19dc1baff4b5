// SPDX-License-Identifier: Apache-2.0
#include "json_text.h"

#include <stdbool.h>

#include "mem.h"

/* The parser calls itself for each level: a line of brackets alone must not end the stack. */
static bool is_too_deep(struct span text) {
        unsigned depth = 0;
        bool is_string = false;

        for (size_t i = 0; i < text.n; i++) {
                uint8_t c = text.data[i];

                if (is_string && c == '\\')
                        i++;
                else if (c == '"')
                        is_string = !is_string;
                else if (!is_string && (c == '{' || c == '['))
                        depth++;
                else if (!is_string && (c == '}' || c == ']') && depth > 0)
                        depth--;
                if (depth > JSON_TEXT_DEPTH_MAX)
                        return true;
        }
        return false;
}

enum err json_text_decode(struct span text, json_t **ret, struct err_note *note) {
        json_error_t error;
        json_t *json;

        if (is_too_deep(text))
                return err_set(note, ERR_CORRUPT, "deeper than %d levels", JSON_TEXT_DEPTH_MAX);
        json = json_loadb((const char *)text.data, text.n, JSON_REJECT_DUPLICATES, &error);
        if (!json)
                return err_set(note, ERR_CORRUPT, "%s", error.text);
        *ret = json;
        return ERR_NONE;
}

static int add_bytes(const char *data, size_t n, void *user) {
        buf_add(user, data, n);
        return 0;
}

enum err json_text_encode(const json_t *json, size_t flags, struct buf *ret, struct err_note *note) {
        size_t before = ret->n;

        if (json_dump_callback(json, add_bytes, ret, flags) < 0) {
                ret->n = before;
                return err_set(note, ERR_UNSUPPORTED, "a name in it is not UTF-8 text");
        }
        return ERR_NONE;
}

json_t *json_text_string(const char *text) {
        AUTO_FREE char *clean = NULL;
        json_t *json = json_string(text);

        if (json)
                return json;
        clean = mem_text(text);
        for (char *c = clean; *c; c++)
                *c = (uint8_t)*c >= 0x80 ? '?' : *c;
        return json_string(clean);
}
