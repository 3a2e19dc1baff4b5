// SPDX-License-Identifier: Apache-2.0
#include "store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "store_ops.h"

void store_init(struct store *store, const struct store_ops *ops, const char *name, bool read_only) {
        *store = (struct store){.ops = ops, .name = mem_text(name), .read_only = read_only};
        store->change.store = store;
}

void store_fini(struct store *store) {
        free(store->name);
}

void store_close(struct store *store) {
        assert(store->walks == 0);
        if (store->change.active)
                store_abort(&store->change);
        store->ops->close(store);
}

const char *store_name(const struct store *store) {
        return store->name;
}

static enum err name_check(const struct store *store, const char *what, const char *name,
                           struct err_note *note) {
        size_t n = strlen(name);

        if (n == 0)
                return err_set(note, ERR_INVALID, "%s: empty %s", store->name, what);
        if (n > STORE_NAME_MAX)
                return err_set(note, ERR_TOO_LARGE, "%s: a %s of %zu bytes, at most %d are possible",
                               store->name, what, n, STORE_NAME_MAX);
        return ERR_NONE;
}

static enum err row_check(const struct store *store, const char *table, const char *key,
                          struct err_note *note) {
        if (name_check(store, "table name", table, note))
                return note->code;
        return name_check(store, "key", key, note);
}

static enum err value_check(const struct store *store, const char *table, const char *key, size_t n,
                            struct err_note *note) {
        if (row_check(store, table, key, note))
                return note->code;
        if (n > STORE_VALUE_MAX)
                return err_set(note, ERR_TOO_LARGE,
                               "%s: put %s/%s: a value of %zu bytes, at most %d are possible", store->name,
                               table, key, n, STORE_VALUE_MAX);
        return ERR_NONE;
}

/* The change under way is lost, because the maker may have lost it; all that is left is to end it. */
static enum err lost(struct store *store, struct err_note *note) {
        if (store->change.active && note->code != ERR_MISMATCH && note->code != ERR_NOT_FOUND)
                store->change.failed = *note;
        return note->code;
}

/* Reads and changes go on as long as the change under way has not failed. */
static enum err failed_before(const struct store *store, struct err_note *note) {
        if (store->change.active && store->change.failed.code) {
                *note = store->change.failed;
                return note->code;
        }
        return ERR_NONE;
}

enum err store_get(struct store *store, const char *table, const char *key, struct buf *ret,
                   struct err_note *note) {
        if (row_check(store, table, key, note) || failed_before(store, note))
                return note->code;
        if (store->ops->get(store, table, key, ret, note)) {
                err_wrap(note, "get %s/%s", table, key);
                return lost(store, note);
        }
        return ERR_NONE;
}

/* Tells the caller's errors, which say nothing about the store, from the maker's. */
struct walk {
        store_row_fn fn;
        void *user; /* borrowed from the caller of store_each */
        bool ended_by_caller;
};

static enum err walk_row(void *user, const char *key, const void *value, size_t n, struct err_note *note) {
        struct walk *walk = user;
        enum err err = walk->fn(walk->user, key, value, n, note);

        walk->ended_by_caller = err != ERR_NONE;
        return err;
}

enum err store_each(struct store *store, const char *table, const char *prefix, store_row_fn fn, void *user,
                    struct err_note *note) {
        struct walk walk = {.fn = fn, .user = user};
        enum err err;

        if (name_check(store, "table name", table, note) || failed_before(store, note))
                return note->code;
        store->walks++;
        err = store->ops->each(store, table, prefix, walk_row, &walk, note);
        store->walks--;
        if (err == ERR_NONE || walk.ended_by_caller)
                return err;
        err_wrap(note, "list %s", table);
        return lost(store, note);
}

enum err store_check(struct store *store, struct err_note *note) {
        if (failed_before(store, note))
                return note->code;
        if (store->ops->check(store, note))
                return lost(store, note);
        return ERR_NONE;
}

enum err store_begin(struct store *store, struct store_change **ret, struct err_note *note) {
        assert(!store->change.active && store->walks == 0);
        if (store->read_only)
                return err_set(note, ERR_READ_ONLY, "%s: opened to be read only", store->name);
        if (store->ops->begin(store, note))
                return note->code;
        store->change = (struct store_change){.store = store, .active = true};
        *ret = &store->change;
        return ERR_NONE;
}

/* What every changing call asks first. */
static struct store *store_of(struct store_change *change) {
        assert(change->active && change->store->walks == 0);
        return change->store;
}

enum err store_put(struct store_change *change, const char *table, const char *key, const void *value,
                   size_t n, struct err_note *note) {
        struct store *store = store_of(change);

        if (value_check(store, table, key, n, note) || failed_before(store, note))
                return note->code;
        if (store->ops->put(store, table, key, (struct span){value, n}, note)) {
                err_wrap(note, "put %s/%s", table, key);
                return lost(store, note);
        }
        return ERR_NONE;
}

enum err store_delete(struct store_change *change, const char *table, const char *key,
                      struct err_note *note) {
        struct store *store = store_of(change);

        if (row_check(store, table, key, note) || failed_before(store, note))
                return note->code;
        if (store->ops->delete (store, table, key, note)) {
                err_wrap(note, "delete %s/%s", table, key);
                return lost(store, note);
        }
        return ERR_NONE;
}

enum err store_put_if(struct store_change *change, const char *table, const char *key,
                      const struct span *expected, const void *value, size_t n, struct err_note *note) {
        struct store *store = store_of(change);

        if (value_check(store, table, key, n, note) || failed_before(store, note))
                return note->code;
        if (store->ops->put_if(store, table, key, expected, (struct span){value, n}, note)) {
                err_wrap(note, "put %s/%s", table, key);
                return lost(store, note);
        }
        return ERR_NONE;
}

enum err store_delete_if(struct store_change *change, const char *table, const char *key,
                         const struct span *expected, struct err_note *note) {
        struct store *store = store_of(change);

        assert(expected);
        if (row_check(store, table, key, note) || failed_before(store, note))
                return note->code;
        if (store->ops->delete_if(store, table, key, expected, note)) {
                err_wrap(note, "delete %s/%s", table, key);
                return lost(store, note);
        }
        return ERR_NONE;
}

enum err store_commit(struct store_change *change, struct err_note *note) {
        struct store *store = store_of(change);

        if (failed_before(store, note)) {
                store_abort(change);
                return note->code;
        }
        change->active = false;
        if (store->ops->commit(store, note))
                return err_wrap(note, "commit");
        return ERR_NONE;
}

void store_abort(struct store_change *change) {
        struct store *store = store_of(change);

        change->active = false;
        store->ops->abort(store);
}
