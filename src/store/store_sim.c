// SPDX-License-Identifier: Apache-2.0
#include "store_sim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "store_ops.h"
#include "vec.h"

struct row {
        char *table;    /* owned */
        char *key;      /* owned */
        uint8_t *value; /* owned; NULL: there is no such row (only in the undo list) */
        size_t n;
};

struct rows {
        VEC(struct row) list;
};

struct store_sim {
        char *name;       /* owned */
        struct rows rows; /* ordered by table and key; the change under way is in them */
        struct rows undo; /* what the change under way replaced, oldest first */
        bool is_made, is_open;
        uint64_t calls;
        uint64_t trap; /* the call that fails; 0: none */
        enum err trap_err;
        bool trap_after, trap_kills, is_dead;
};

struct sim_store {
        struct store store;     /* first */
        struct store_sim *sim;  /* borrowed, outlives us; or copy */
        struct store_sim *copy; /* owned; read-only: what was committed at the opening, without faults */
};

static struct store_sim *sim_of(struct store *store) {
        return ((struct sim_store *)store)->sim;
}

/* ---- rows ---- */

static uint8_t *copy_value(struct span value) {
        uint8_t *copy = mem_zero(value.n + 1);

        if (value.n)
                memcpy(copy, value.data, value.n);
        return copy;
}

static void row_fini(struct row *row) {
        free(row->table);
        free(row->key);
        free(row->value);
}

static void rows_fini(struct rows *rows) {
        VEC_EACH (&rows->list, row)
                row_fini(row);
        vec_fini(&rows->list);
}

/* The place of the first row that is not before (table, key). */
static size_t rows_place(const struct rows *rows, const char *table, const char *key) {
        size_t low = 0, high = rows->list.n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const struct row *row = &rows->list.data[middle];
                int order = strcmp(row->table, table);

                if (order == 0)
                        order = strcmp(row->key, key);
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static struct row *rows_find(const struct rows *rows, const char *table, const char *key) {
        size_t place = rows_place(rows, table, key);
        struct row *row;

        if (place == rows->list.n)
                return NULL;
        row = &rows->list.data[place];
        if (strcmp(row->table, table) != 0 || strcmp(row->key, key) != 0)
                return NULL;
        return row;
}

static struct row *rows_insert(struct rows *rows, size_t place, const char *table, const char *key) {
        struct row *row;

        (void)vec_add(&rows->list);
        row = &rows->list.data[place];
        memmove(row + 1, row, (rows->list.n - 1 - place) * sizeof *row);
        *row = (struct row){.table = mem_text(table), .key = mem_text(key)};
        return row;
}

static void rows_set(struct rows *rows, const char *table, const char *key, const struct span *value) {
        struct row *row = rows_find(rows, table, key);

        if (!value) {
                if (row) {
                        row_fini(row);
                        vec_remove_at(&rows->list, (size_t)(row - rows->list.data));
                }
                return;
        }
        if (!row)
                row = rows_insert(rows, rows_place(rows, table, key), table, key);
        free(row->value);
        row->value = copy_value(*value);
        row->n = value->n;
}

/* Sets a row and remembers what was there.  value NULL deletes it. */
static void sim_set(struct store_sim *sim, const char *table, const char *key, const struct span *value) {
        const struct row *old = rows_find(&sim->rows, table, key);
        struct row *undo = rows_insert(&sim->undo, sim->undo.list.n, table, key);

        if (old) {
                undo->value = copy_value((struct span){old->value, old->n});
                undo->n = old->n;
        }
        rows_set(&sim->rows, table, key, value);
}

static void sim_undo(struct store_sim *sim) {
        for (size_t i = sim->undo.list.n; i-- > 0;) {
                const struct row *old = &sim->undo.list.data[i];
                struct span value = {old->value, old->n};

                rows_set(&sim->rows, old->table, old->key, old->value ? &value : NULL);
        }
        rows_fini(&sim->undo);
}

/* ---- faults ---- */

static enum err sim_err(struct store_sim *sim, enum err err, struct err_note *note) {
        return err_set(note, err, "%s: %s (simulated, call %llu)", sim->name, err_text(err),
                       (unsigned long long)sim->calls);
}

static bool sim_is_trapped(const struct store_sim *sim, bool after) {
        return sim->trap != 0 && sim->calls == sim->trap && sim->trap_after == after;
}

static enum err sim_trapped(struct store_sim *sim, struct err_note *note) {
        sim->is_dead = sim->trap_kills;
        return sim_err(sim, sim->trap_err, note);
}

/* Around each call: may it start, and will its caller hear that it went well. */
static enum err call_begin(struct store_sim *sim, struct err_note *note) {
        sim->calls++;
        if (sim->is_dead)
                return sim_err(sim, ERR_IO, note);
        return sim_is_trapped(sim, false) ? sim_trapped(sim, note) : ERR_NONE;
}

static enum err call_end(struct store_sim *sim, struct err_note *note) {
        return sim_is_trapped(sim, true) ? sim_trapped(sim, note) : ERR_NONE;
}

/* ---- the calls ---- */

static enum err sim_get(struct store *store, const char *table, const char *key, struct buf *ret,
                        struct err_note *note) {
        struct store_sim *sim = sim_of(store);
        const struct row *row;

        if (call_begin(sim, note))
                return note->code;
        row = rows_find(&sim->rows, table, key);
        if (!row)
                return err_set(note, ERR_NOT_FOUND, "there is no such row");
        ret->n = 0;
        buf_add(ret, row->value, row->n);
        return call_end(sim, note);
}

static enum err sim_each(struct store *store, const char *table, const char *prefix, store_row_fn fn,
                         void *user, struct err_note *note) {
        struct store_sim *sim = sim_of(store);
        size_t n_prefix = strlen(prefix);

        if (call_begin(sim, note))
                return note->code;
        for (size_t i = rows_place(&sim->rows, table, prefix); i < sim->rows.list.n; i++) {
                const struct row *row = &sim->rows.list.data[i];
                enum err err;

                if (strcmp(row->table, table) != 0 || strncmp(row->key, prefix, n_prefix) != 0)
                        break;
                err = fn(user, row->key, row->value, row->n, note);
                if (err)
                        return err;
        }
        return call_end(sim, note);
}

static enum err sim_check(struct store *store, struct err_note *note) {
        return call_begin(sim_of(store), note) || call_end(sim_of(store), note) ? note->code : ERR_NONE;
}

static enum err sim_begin(struct store *store, struct err_note *note) {
        return sim_check(store, note);
}

static enum err sim_put(struct store *store, const char *table, const char *key, struct span value,
                        struct err_note *note) {
        struct store_sim *sim = sim_of(store);

        if (call_begin(sim, note))
                return note->code;
        sim_set(sim, table, key, &value);
        return call_end(sim, note);
}

static enum err sim_delete(struct store *store, const char *table, const char *key, struct err_note *note) {
        struct store_sim *sim = sim_of(store);

        if (call_begin(sim, note))
                return note->code;
        sim_set(sim, table, key, NULL);
        return call_end(sim, note);
}

static bool is_as_expected(const struct store_sim *sim, const char *table, const char *key,
                           const struct span *expected) {
        const struct row *row = rows_find(&sim->rows, table, key);

        if (!row || !expected)
                return !row && !expected;
        return row->n == expected->n && (row->n == 0 || memcmp(row->value, expected->data, row->n) == 0);
}

static enum err set_if(struct store_sim *sim, const char *table, const char *key, const struct span *expected,
                       const struct span *value, struct err_note *note) {
        if (call_begin(sim, note))
                return note->code;
        if (!is_as_expected(sim, table, key, expected))
                return err_set(note, ERR_MISMATCH, "the row is not as expected");
        sim_set(sim, table, key, value);
        return call_end(sim, note);
}

static enum err sim_put_if(struct store *store, const char *table, const char *key,
                           const struct span *expected, struct span value, struct err_note *note) {
        return set_if(sim_of(store), table, key, expected, &value, note);
}

static enum err sim_delete_if(struct store *store, const char *table, const char *key,
                              const struct span *expected, struct err_note *note) {
        return set_if(sim_of(store), table, key, expected, NULL, note);
}

static void sim_abort(struct store *store) {
        sim_undo(sim_of(store));
}

static enum err sim_commit(struct store *store, struct err_note *note) {
        struct store_sim *sim = sim_of(store);

        if (call_begin(sim, note)) {
                sim_undo(sim);
                return note->code;
        }
        rows_fini(&sim->undo);
        return call_end(sim, note);
}

static void sim_close(struct store *store) {
        struct sim_store *s = (struct sim_store *)store;

        s->sim->is_open = false;
        if (s->copy)
                store_sim_free(s->copy);
        store_fini(store);
        free(s);
}

static const struct store_ops sim_ops = {
        .close = sim_close,
        .get = sim_get,
        .each = sim_each,
        .check = sim_check,
        .begin = sim_begin,
        .put = sim_put,
        .delete = sim_delete,
        .put_if = sim_put_if,
        .delete_if = sim_delete_if,
        .commit = sim_commit,
        .abort = sim_abort,
};

/* ---- the whole ---- */

struct store_sim *store_sim_new(const char *name) {
        struct store_sim *sim = mem_new(struct store_sim);

        sim->name = mem_text(name);
        return sim;
}

void store_sim_free(struct store_sim *sim) {
        assert(!sim->is_open);
        rows_fini(&sim->rows);
        rows_fini(&sim->undo);
        free(sim->name);
        free(sim);
}

static struct store_sim *sim_copy(const struct store_sim *sim) {
        struct store_sim *copy = store_sim_new(sim->name);

        for (size_t i = 0; i < sim->rows.list.n; i++) {
                const struct row *row = &sim->rows.list.data[i];
                struct row *to = rows_insert(&copy->rows, copy->rows.list.n, row->table, row->key);

                to->value = copy_value((struct span){row->value, row->n});
                to->n = row->n;
        }
        return copy;
}

enum err store_sim_open(struct store_sim *sim, unsigned flags, struct store **ret, struct err_note *note) {
        struct sim_store *s;

        assert(!(flags & STORE_READ_ONLY) || !(flags & STORE_CREATE));
        if (call_begin(sim, note))
                return note->code;
        if (sim->is_open)
                return err_set(note, ERR_BUSY, "%s: in use", sim->name);
        if (!sim->is_made && !(flags & STORE_CREATE))
                return err_set(note, ERR_NOT_FOUND, "%s: no such store", sim->name);
        sim->is_made = true;
        if (call_end(sim, note))
                return note->code;
        s = mem_new(struct sim_store);
        store_init(&s->store, &sim_ops, sim->name, flags & STORE_READ_ONLY);
        if (flags & STORE_READ_ONLY)
                s->sim = s->copy = sim_copy(sim);
        else
                s->sim = sim;
        s->sim->is_open = true;
        *ret = &s->store;
        return ERR_NONE;
}

uint64_t store_sim_calls(const struct store_sim *sim) {
        return sim->calls;
}

void store_sim_fail_at(struct store_sim *sim, uint64_t n, enum err err, bool after_effect) {
        sim->trap = n ? sim->calls + n : 0;
        sim->trap_err = err;
        sim->trap_after = after_effect;
        sim->trap_kills = false;
}

void store_sim_crash_at(struct store_sim *sim, uint64_t n, bool after_effect) {
        store_sim_fail_at(sim, n, ERR_IO, after_effect);
        sim->trap_kills = true;
}

bool store_sim_is_dead(const struct store_sim *sim) {
        return sim->is_dead;
}

void store_sim_restart(struct store_sim *sim) {
        assert(!sim->is_open);
        sim->is_dead = false;
        sim->trap = 0;
}
