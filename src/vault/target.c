// SPDX-License-Identifier: Apache-2.0
#include "target.h"

#include <stdlib.h>
#include <string.h>

/* Of an object that is fetched whole, what the first read asks for: most objects are shorter. */
enum { FIRST_READ = 256 * 1024 };

void target_list_fini(struct target_list *list) {
        VEC_EACH (&list->items, each)
                free(each->name);
        vec_fini(&list->items);
}

static bool is_name(const char *name, size_t n) {
        if (n == 0 || n > TARGET_NAME_MAX || name[n - 1] == '/')
                return false;
        for (size_t i = 0; i < n; i++) {
                bool begins_part = i == 0 || name[i - 1] == '/';

                if ((name[i] == '.' || name[i] == '/') && begins_part)
                        return false;
                if (!(name[i] >= 'a' && name[i] <= 'z') && !(name[i] >= '0' && name[i] <= '9') &&
                    name[i] != '.' && name[i] != '-' && name[i] != '/')
                        return false;
        }
        return true;
}

bool target_name_is_valid(const char *name) {
        return is_name(name, strlen(name));
}

static enum err check_name(const char *name, struct err_note *note) {
        if (target_name_is_valid(name))
                return ERR_NONE;
        return err_set(note, ERR_INVALID, "'%.*s' is no name of an object", TARGET_NAME_MAX, name);
}

static int compare_items(const void *a, const void *b) {
        return strcmp(((const struct target_item *)a)->name, ((const struct target_item *)b)->name);
}

static enum err check_prefix(const char *prefix, struct err_note *note) {
        size_t n = strlen(prefix);

        if (n > 0 && (prefix[n - 1] != '/' || !is_name(prefix, n - 1)))
                return err_set(note, ERR_INVALID, "'%.*s' is no folder of objects", TARGET_NAME_MAX, prefix);
        return ERR_NONE;
}

enum err target_settle(struct target *target, const char *prefix, struct err_note *note) {
        if (check_prefix(prefix, note))
                return note->code;
        if (target->ops->settle && target->ops->settle(target, prefix, note))
                return err_wrap(note, "settle %s", *prefix ? prefix : target->where);
        return ERR_NONE;
}

enum err target_list(struct target *target, const char *prefix, struct target_list *ret,
                     struct err_note *note) {
        AUTO(target_list_fini) struct target_list list = {0};

        if (check_prefix(prefix, note))
                return note->code;
        if (target->ops->list(target, prefix, &list, note))
                return err_wrap(note, "list %s", *prefix ? prefix : target->where);
        if (list.items.n > 1)
                qsort(list.items.data, list.items.n, sizeof *list.items.data, compare_items);
        *ret = list;
        list = (struct target_list){0};
        return ERR_NONE;
}

enum err target_read(struct target *target, const char *name, uint64_t at, void *ret, size_t n, size_t *ret_n,
                     struct err_note *note) {
        if (check_name(name, note))
                return note->code;
        if (target->ops->read(target, name, at, ret, n, ret_n, note))
                return err_wrap(note, "read %s", name);
        return ERR_NONE;
}

enum err target_size(struct target *target, const char *name, uint64_t *ret, struct err_note *note) {
        if (check_name(name, note))
                return note->code;
        if (target->ops->size(target, name, ret, note))
                return err_wrap(note, "size of %s", name);
        return ERR_NONE;
}

/* What follows the first read, which found no end. */
static enum err get_rest(struct target *target, const char *name, size_t max, struct buf *got,
                         struct err_note *note) {
        size_t had = got->n, n;
        uint64_t size;

        if (target_size(target, name, &size, note))
                return note->code;
        if (size > max)
                return err_set(note, ERR_TOO_LARGE, "read %s: it has more than %zu bytes", name, max);
        if (size <= had)
                return ERR_NONE;
        if (target_read(target, name, had, buf_extend(got, (size_t)size - had), (size_t)size - had, &n, note))
                return note->code;
        if (had + n < size)
                return err_set(note, ERR_CUT_SHORT, "read %s: it ends at %zu of %zu", name, had + n,
                               (size_t)size);
        return ERR_NONE;
}

enum err target_get(struct target *target, const char *name, size_t max, struct buf *ret,
                    struct err_note *note) {
        AUTO(buf_fini) struct buf got = {0};
        size_t n;

        if (target_read(target, name, 0, buf_extend(&got, FIRST_READ), FIRST_READ, &n, note))
                return note->code;
        got.n = n;
        if (n == FIRST_READ && get_rest(target, name, max, &got, note))
                return note->code;
        if (got.n > max)
                return err_set(note, ERR_TOO_LARGE, "read %s: it has more than %zu bytes", name, max);
        buf_add(ret, got.data, got.n);
        return ERR_NONE;
}

static enum err put_pieces(struct target *target, const char *name, const struct iovec *pieces, unsigned n,
                           bool replace, struct err_note *note) {
        if (check_name(name, note))
                return note->code;
        if (target->ops->put(target, name, pieces, n, replace, note))
                return err_wrap(note, "put %s", name);
        return ERR_NONE;
}

enum err target_put_vec(struct target *target, const char *name, const struct iovec *pieces, unsigned n,
                        struct err_note *note) {
        return put_pieces(target, name, pieces, n, false, note);
}

enum err target_put(struct target *target, const char *name, const void *data, size_t n,
                    struct err_note *note) {
        return put_pieces(target, name, &(struct iovec){.iov_base = (void *)data, .iov_len = n}, 1, false,
                          note);
}

enum err target_replace(struct target *target, const char *name, const void *data, size_t n,
                        struct err_note *note) {
        return put_pieces(target, name, &(struct iovec){.iov_base = (void *)data, .iov_len = n}, 1, true,
                          note);
}

enum err target_remove(struct target *target, const char *name, struct err_note *note) {
        if (check_name(name, note))
                return note->code;
        if (target->ops->remove(target, name, note))
                return err_wrap(note, "remove %s", name);
        return ERR_NONE;
}

void target_close(struct target *target) {
        free(target->where);
        target->ops->free(target);
}
