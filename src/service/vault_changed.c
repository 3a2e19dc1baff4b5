// SPDX-License-Identifier: Apache-2.0
#include "vault_changed.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "mem.h"
#include "verbs.h"

enum { EXTENTS_MAX = 1000000 };
#define FILE_MAX (UINT64_C(256) << 20)

void vault_changed_fini(struct vault_changed *changed) {
        free(changed->since);
        vec_fini(&changed->extents);
        *changed = (struct vault_changed){0};
}

static enum err take_extent(const json_t *json, size_t i, struct put_extent *ret, struct err_note *note) {
        const json_t *offset = json_object_get(json, "offset"), *length = json_object_get(json, "length");
        uint64_t unused;

        if (!json_is_integer(offset) || !json_is_integer(length) || json_integer_value(offset) < 0 ||
            json_integer_value(length) < 0)
                return err_set(note, ERR_CORRUPT, "extent %zu needs offset and length, in bytes", i);
        *ret = (struct put_extent){(uint64_t)json_integer_value(offset),
                                   (uint64_t)json_integer_value(length)};
        return add_u64(ret->at, ret->n, &unused)
                       ? ERR_NONE
                       : err_set(note, ERR_CORRUPT, "extent %zu ends behind any disk", i);
}

static int compare(const void *a, const void *b) {
        const struct put_extent *x = a, *y = b;

        return (x->at > y->at) - (x->at < y->at);
}

/* In order, those that touch or overlap joined, empty ones left out. */
static void join(struct vault_changed *changed) {
        struct put_extent *list = changed->extents.data;
        size_t n = 0;

        qsort(list, changed->extents.n, sizeof *list, compare);
        for (size_t i = 0; i < changed->extents.n; i++) {
                if (list[i].n == 0)
                        continue;
                if (n > 0 && list[i].at <= list[n - 1].at + list[n - 1].n)
                        list[n - 1].n = max_u64(list[n - 1].n, list[i].at + list[i].n - list[n - 1].at);
                else
                        list[n++] = list[i];
        }
        changed->extents.n = n;
}

static enum err take_extents(const json_t *list, struct vault_changed *ret, struct err_note *note) {
        const json_t *json;
        size_t i;

        if (!json_is_array(list))
                return err_set(note, ERR_CORRUPT, "extents is missing, or no list");
        if (json_array_size(list) > EXTENTS_MAX)
                return err_set(note, ERR_TOO_LARGE, "more than %d extents", EXTENTS_MAX);
        json_array_foreach(list, i, json) {
                struct put_extent extent;

                if (take_extent(json, i, &extent, note))
                        return note->code;
                *vec_add(&ret->extents) = extent;
        }
        join(ret);
        return ERR_NONE;
}

enum err vault_changed_decode(struct span bytes, struct vault_changed *ret, struct err_note *note) {
        AUTO(vault_changed_fini) struct vault_changed changed = {0};
        AUTO(json_decref) json_t *json = NULL;
        json_error_t why;

        json = json_loadb((const char *)bytes.data, bytes.n, JSON_REJECT_DUPLICATES, &why);
        if (!json)
                return err_set(note, ERR_CORRUPT, "line %d: %s", why.line, why.text);
        if (!json_is_string(json_object_get(json, "since")))
                return err_set(note, ERR_CORRUPT, "since is missing, or no text");
        changed.since = mem_text(json_string_value(json_object_get(json, "since")));
        if (take_extents(json_object_get(json, "extents"), &changed, note))
                return note->code;
        *ret = changed;
        changed = (struct vault_changed){0};
        return ERR_NONE;
}

enum err vault_changed_read(struct io *io, const char *path, struct vault_changed *ret,
                            struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE uint8_t *bytes = NULL;
        struct io_stat stat;

        if (io_open(io, path, IO_READ, &file, note) || io_stat(file, &stat, note))
                return err_wrap(note, "read %s", path);
        if (stat.size > FILE_MAX)
                return err_set(note, ERR_TOO_LARGE, "read %s: more than 256 MiB", path);
        bytes = mem_try(stat.size + 1, 1);
        if (!bytes)
                return err_set(note, ERR_NO_MEMORY, "read %s: out of memory", path);
        if (io_read(file, bytes, stat.size, 0, note) ||
            vault_changed_decode((struct span){bytes, stat.size}, ret, note))
                return err_wrap(note, "read %s", path);
        return ERR_NONE;
}

enum err vault_changed_check(const struct vault_changed *changed, const struct vault_name *point,
                             const struct vault_disk *disk, struct err_note *note) {
        const char *state = json_string_value(json_object_get(disk->source, "state"));

        if (strcmp(changed->since, vault_name_format(point).s) == 0 ||
            (state && strcmp(changed->since, state) == 0))
                return ERR_NONE;
        return err_set(note, ERR_MISMATCH, "the changes are since '%s', the parent is point %s%s%s",
                       changed->since, vault_name_format(point).s, state ? " of state " : "",
                       state ? state : "");
}
