// SPDX-License-Identifier: Apache-2.0
/* What store.h promises, asked of every maker. */
#include "check.h"

#include <stdlib.h>
#include <unistd.h>

#include "io.h"
#include "mem.h"
#include "store.h"
#include "store_sim.h"
#include "store_sqlite.h"

/* ---- the makers ---- */

/* A place where one store can lie, and a way to open it. */
struct place {
        struct io *io;         /* owned; or NULL */
        struct store_sim *sim; /* owned; or NULL */
        char dir[64];          /* "": nothing on disk */
        char path[96];
};

struct maker {
        const char *name;
        void (*make)(struct place *);
};

static void make_sim(struct place *place) {
        place->sim = store_sim_new("rows");
}

static void make_sqlite(struct place *place) {
        place->io = io_posix_new();
        snprintf(place->dir, sizeof place->dir, "test_store_XXXXXX");
        assert_non_null(mkdtemp(place->dir));
        snprintf(place->path, sizeof place->path, "%s/rows.sqlite", place->dir);
}

static const struct maker makers[] = {
        {"store_sim", make_sim},
        {"store_sqlite", make_sqlite},
};

static void place_fini(struct place *place) {
        if (place->sim)
                store_sim_free(place->sim);
        if (place->io)
                io_free(place->io);
        if (place->dir[0]) {
                char journal[128];

                snprintf(journal, sizeof journal, "%s-journal", place->path);
                unlink(journal);
                unlink(place->path);
                assert_int_equal(rmdir(place->dir), 0);
        }
}

static enum err place_open(struct place *place, unsigned flags, struct store **ret, struct err_note *note) {
        if (place->sim)
                return store_sim_open(place->sim, flags, ret, note);
        return store_sqlite_open(place->io, place->path, flags, ret, note);
}

/* ---- short words ---- */

static void put(struct store *store, const char *table, const char *key, const char *value) {
        struct store_change *change;
        struct err_note note;

        assert_ok(store_begin(store, &change, &note));
        assert_ok(store_put(change, table, key, value, strlen(value), &note));
        assert_ok(store_commit(change, &note));
}

/* value NULL: there is no such row */
static void assert_row(struct store *store, const char *table, const char *key, const char *value) {
        AUTO(buf_fini) struct buf got = {0};
        struct err_note note;

        if (!value) {
                assert_err(store_get(store, table, key, &got, &note), ERR_NOT_FOUND, key);
                return;
        }
        assert_ok(store_get(store, table, key, &got, &note));
        assert_string_equal(buf_text(&got), value);
}

static enum err add_key(void *user, const char *key, const void *value, size_t n, struct err_note *note) {
        (void)note;
        buf_print(user, "%s=%.*s ", key, (int)n, (const char *)value);
        return ERR_NONE;
}

static void assert_rows(struct store *store, const char *table, const char *prefix, const char *want) {
        AUTO(buf_fini) struct buf got = {0};
        struct err_note note;

        assert_ok(store_each(store, table, prefix, add_key, &got, &note));
        assert_string_equal(buf_text(&got), want);
}

/* ---- what is promised ---- */

static void what_was_committed_is_there_after_the_next_opening(struct place *place) {
        AUTO(store_close) struct store *store = NULL;
        struct store_change *change;
        struct err_note note;

        assert_ok(place_open(place, STORE_CREATE, &store, &note));
        put(store, "vdi", "a", "one");
        put(store, "vdi", "b", "two");
        put(store, "lease", "a", "three");
        put(store, "vdi", "a", "one again");
        assert_ok(store_begin(store, &change, &note));
        assert_ok(store_delete(change, "vdi", "b", &note));
        assert_ok(store_delete(change, "vdi", "never there", &note));
        assert_row(store, "vdi", "b", NULL); /* reads see the change under way */
        assert_ok(store_commit(change, &note));
        store_close(TAKE(store));

        assert_ok(place_open(place, STORE_WRITE, &store, &note));
        assert_row(store, "vdi", "a", "one again");
        assert_row(store, "vdi", "b", NULL);
        assert_row(store, "lease", "a", "three");
        assert_row(store, "lease", "b", NULL);
        assert_row(store, "nothing", "a", NULL);
        assert_ok(store_check(store, &note));
        store_close(TAKE(store));
        assert_ok(place_open(place, STORE_CREATE, &store, &note)); /* makes nothing where one is */
        assert_row(store, "lease", "a", "three");
}

static void an_aborted_change_was_never_there(struct place *place) {
        AUTO(store_close) struct store *store = NULL;
        struct store_change *change;
        struct err_note note;

        assert_ok(place_open(place, STORE_CREATE, &store, &note));
        put(store, "t", "changed", "old");
        put(store, "t", "deleted", "old");
        assert_ok(store_begin(store, &change, &note));
        assert_ok(store_put(change, "t", "changed", "new", 3, &note));
        assert_ok(store_put(change, "t", "changed", "newer", 5, &note));
        assert_ok(store_put(change, "t", "added", "new", 3, &note));
        assert_ok(store_delete(change, "t", "deleted", &note));
        assert_rows(store, "t", "", "added=new changed=newer ");
        store_abort(change);
        assert_rows(store, "t", "", "changed=old deleted=old ");

        assert_ok(store_begin(store, &change, &note));
        assert_ok(store_put(change, "t", "changed", "new", 3, &note));
        store_close(TAKE(store)); /* aborts */
        assert_ok(place_open(place, STORE_WRITE, &store, &note));
        assert_rows(store, "t", "", "changed=old deleted=old ");
}

static void conditional_changes_compare_first(struct place *place) {
        const struct span one = {(const uint8_t *)"one", 3}, two = {(const uint8_t *)"two", 3},
                          empty = {NULL, 0};
        AUTO(store_close) struct store *store = NULL;
        struct store_change *change;
        struct err_note note;

        assert_ok(place_open(place, STORE_CREATE, &store, &note));
        assert_ok(store_begin(store, &change, &note));
        assert_err(store_put_if(change, "claim", "a", &one, "two", 3, &note), ERR_MISMATCH, "claim/a");
        assert_err(store_delete_if(change, "claim", "a", &one, &note), ERR_MISMATCH, "claim/a");
        assert_ok(store_put_if(change, "claim", "a", NULL, "one", 3, &note));
        assert_err(store_put_if(change, "claim", "a", NULL, "two", 3, &note), ERR_MISMATCH, "claim/a");
        assert_err(store_put_if(change, "claim", "a", &two, "two", 3, &note), ERR_MISMATCH, "claim/a");
        assert_row(store, "claim", "a", "one");
        assert_ok(store_put_if(change, "claim", "a", &one, "two", 3, &note));
        assert_ok(
                store_put_if(change, "claim", "a", &two, "two", 3, &note)); /* the same again counts as put */
        assert_err(store_delete_if(change, "claim", "a", &one, &note), ERR_MISMATCH, "claim/a");
        assert_ok(store_put_if(change, "claim", "b", NULL, NULL, 0, &note));
        assert_err(store_put_if(change, "claim", "b", NULL, "x", 1, &note), ERR_MISMATCH, "claim/b");
        assert_ok(store_put_if(change, "claim", "b", &empty, "one", 3, &note));
        assert_ok(store_commit(change, &note)); /* a mismatch harms nothing */
        assert_rows(store, "claim", "", "a=two b=one ");
        assert_ok(store_begin(store, &change, &note));
        assert_ok(store_delete_if(change, "claim", "a", &two, &note));
        assert_ok(store_commit(change, &note));
        assert_rows(store, "claim", "", "b=one ");
}

static void rows_are_listed_in_the_order_of_their_keys_bytes(struct place *place) {
        AUTO(store_close) struct store *store = NULL;
        struct err_note note;

        assert_ok(place_open(place, STORE_CREATE, &store, &note));
        put(store, "t", "b", "1");
        put(store, "t", "a/2", "2");
        put(store, "t", "a", "3");
        put(store, "t", "B", "4");
        put(store, "t", "a/10", "5");
        put(store, "t", "\xc3\xa4", "6");
        put(store, "s", "a/3", "7");
        put(store, "u", "a/4", "8");
        put(store, "t", "a/\x01", "9");
        assert_rows(store, "t", "", "B=4 a=3 a/\x01=9 a/10=5 a/2=2 b=1 \xc3\xa4=6 ");
        assert_rows(store, "t", "a/", "a/\x01=9 a/10=5 a/2=2 ");
        assert_rows(store, "t", "a", "a=3 a/\x01=9 a/10=5 a/2=2 ");
        assert_rows(store, "t", "b/", "");
        assert_rows(store, "s", "", "a/3=7 ");
        assert_rows(store, "nothing", "", "");
}

struct count {
        struct store *store; /* borrowed */
        unsigned n, stop_at;
        char last[32];
};

static enum err count_row(void *user, const char *key, const void *value, size_t n, struct err_note *note) {
        struct count *count = user;

        assert_true(strcmp(count->last, key) < 0);
        assert_int_equal(n, strlen(key));
        assert_memory_equal(value, key, n);
        assert_true(n < sizeof count->last);
        memcpy(count->last, key, n + 1);
        assert_row(count->store, "many", key, key); /* a walk may read */
        if (++count->n == count->stop_at)
                return err_set(note, ERR_CANCELLED, "enough");
        return ERR_NONE;
}

static void a_walk_sees_every_row_once_or_ends_where_told(struct place *place) {
        AUTO(store_close) struct store *store = NULL;
        struct store_change *change;
        struct count count = {0}, few = {.stop_at = 300};
        struct err_note note;

        assert_ok(place_open(place, STORE_CREATE, &store, &note));
        assert_ok(store_begin(store, &change, &note));
        for (unsigned i = 0; i < 1000; i++) {
                char key[16];

                snprintf(key, sizeof key, "%u", i * 7);
                assert_ok(store_put(change, "many", key, key, strlen(key), &note));
        }
        count.store = few.store = store;
        assert_ok(store_each(store, "many", "", count_row, &count, &note));
        assert_int_equal(count.n, 1000);
        assert_err(store_each(store, "many", "", count_row, &few, &note), ERR_CANCELLED, "enough");
        assert_int_equal(few.n, 300);
        assert_ok(store_commit(change, &note)); /* the caller's own error did no harm */
}

static void values_are_any_bytes_from_none_to_a_mebibyte(struct place *place) {
        AUTO(store_close) struct store *store = NULL;
        AUTO(buf_fini) struct buf got = {0};
        AUTO_FREE uint8_t *large = mem_zero(STORE_VALUE_MAX + 1);
        struct store_change *change;
        struct err_note note;

        for (size_t i = 0; i < STORE_VALUE_MAX; i++)
                large[i] = (uint8_t)(i * i >> 8);
        assert_ok(place_open(place, STORE_CREATE, &store, &note));
        assert_ok(store_begin(store, &change, &note));
        assert_ok(store_put(change, "t", "none", NULL, 0, &note));
        assert_ok(store_put(change, "t", "zeros", "\0\0", 2, &note));
        for (unsigned i = 0; i < 4; i++) {
                char key[16];

                snprintf(key, sizeof key, "large %u", i);
                assert_ok(store_put(change, "t", key, large, STORE_VALUE_MAX, &note));
        }
        assert_err(store_put(change, "t", "larger", large, STORE_VALUE_MAX + 1, &note), ERR_TOO_LARGE,
                   "t/larger");
        assert_ok(store_commit(change, &note));
        store_close(TAKE(store));
        assert_ok(place_open(place, STORE_WRITE, &store, &note));
        buf_print(&got, "is replaced");
        assert_ok(store_get(store, "t", "none", &got, &note));
        assert_int_equal(got.n, 0);
        assert_ok(store_get(store, "t", "zeros", &got, &note));
        assert_int_equal(got.n, 2);
        assert_memory_equal(got.data, "\0\0", 2);
        assert_ok(store_get(store, "t", "large 3", &got, &note));
        assert_int_equal(got.n, STORE_VALUE_MAX);
        assert_memory_equal(got.data, large, STORE_VALUE_MAX);
        assert_row(store, "t", "larger", NULL);
}

static void names_are_checked(struct place *place) {
        AUTO(store_close) struct store *store = NULL;
        AUTO(buf_fini) struct buf got = {0};
        char longest[STORE_NAME_MAX + 2];
        struct store_change *change;
        struct err_note note;

        memset(longest, 'x', sizeof longest);
        longest[STORE_NAME_MAX + 1] = '\0';
        assert_ok(place_open(place, STORE_CREATE, &store, &note));
        assert_ok(store_begin(store, &change, &note));
        assert_err(store_put(change, "", "key", "v", 1, &note), ERR_INVALID, "empty table name");
        assert_err(store_put(change, "t", "", "v", 1, &note), ERR_INVALID, "empty key");
        assert_err(store_put(change, "t", longest, "v", 1, &note), ERR_TOO_LARGE, "key of 1025 bytes");
        assert_err(store_put(change, longest, "k", "v", 1, &note), ERR_TOO_LARGE, "table name of 1025 bytes");
        assert_err(store_get(store, "t", "", &got, &note), ERR_INVALID, "empty key");
        longest[STORE_NAME_MAX] = '\0';
        assert_ok(store_put(change, longest, longest, "v", 1, &note));
        assert_ok(store_commit(change, &note));
        assert_row(store, longest, longest, "v");
}

static void a_second_opener_is_told_that_the_first_has_it(struct place *place) {
        AUTO(store_close) struct store *store = NULL;
        struct store *second;
        struct err_note note;

        assert_ok(place_open(place, STORE_CREATE, &store, &note));
        assert_err(place_open(place, STORE_WRITE, &second, &note), ERR_BUSY, "rows");
        put(store, "t", "a", "still well");
        assert_err(place_open(place, STORE_READ_ONLY, &second, &note), ERR_BUSY, "rows");
        store_close(TAKE(store));
        assert_ok(place_open(place, STORE_WRITE, &store, &note));
        assert_row(store, "t", "a", "still well");
}

static void without_create_there_must_be_one(struct place *place) {
        struct store *store;
        struct err_note note;

        assert_err(place_open(place, STORE_WRITE, &store, &note), ERR_NOT_FOUND, "rows");
        assert_err(place_open(place, STORE_READ_ONLY, &store, &note), ERR_NOT_FOUND, "rows");
        assert_err(place_open(place, STORE_WRITE, &store, &note), ERR_NOT_FOUND, "rows");
}

static void a_reader_sees_what_was_committed_when_it_opened(struct place *place) {
        AUTO(store_close) struct store *store = NULL;
        AUTO(store_close) struct store *reader = NULL;
        struct store_change *change;
        struct err_note note;

        assert_ok(place_open(place, STORE_CREATE, &store, &note));
        put(store, "t", "a", "one");
        store_close(TAKE(store));
        assert_ok(place_open(place, STORE_READ_ONLY, &reader, &note));
        assert_ok(place_open(place, STORE_WRITE, &store, &note));
        put(store, "t", "a", "two");
        assert_row(reader, "t", "a", "one");
        assert_rows(reader, "t", "", "a=one ");
        assert_ok(store_check(reader, &note));
        assert_err(store_begin(reader, &change, &note), ERR_READ_ONLY, "rows");
        assert_row(store, "t", "a", "two");
}

/* ---- every one with every maker ---- */

struct promise {
        const char *name;
        void (*check)(struct place *);
};

#define PROMISE(name)                                                                                        \
        { #name, name }
static const struct promise promises[] = {
        PROMISE(what_was_committed_is_there_after_the_next_opening),
        PROMISE(an_aborted_change_was_never_there),
        PROMISE(conditional_changes_compare_first),
        PROMISE(rows_are_listed_in_the_order_of_their_keys_bytes),
        PROMISE(a_walk_sees_every_row_once_or_ends_where_told),
        PROMISE(values_are_any_bytes_from_none_to_a_mebibyte),
        PROMISE(names_are_checked),
        PROMISE(a_second_opener_is_told_that_the_first_has_it),
        PROMISE(without_create_there_must_be_one),
        PROMISE(a_reader_sees_what_was_committed_when_it_opened),
};

enum { N_MAKERS = sizeof makers / sizeof makers[0], N_PROMISES = sizeof promises / sizeof promises[0] };

struct pair {
        const struct maker *maker;     /* borrowed, static */
        const struct promise *promise; /* borrowed, static */
};

static void the_maker_keeps_the_promise(void **state) {
        const struct pair *pair = *state;
        struct place place = {0};

        pair->maker->make(&place);
        pair->promise->check(&place);
        place_fini(&place);
}

int main(void) {
        static struct CMUnitTest tests[N_MAKERS * N_PROMISES];
        static struct pair pairs[N_MAKERS * N_PROMISES];
        static char names[N_MAKERS * N_PROMISES][128];

        for (size_t i = 0; i < N_MAKERS * N_PROMISES; i++) {
                pairs[i] = (struct pair){&makers[i / N_PROMISES], &promises[i % N_PROMISES]};
                snprintf(names[i], sizeof names[i], "%s: %s", pairs[i].maker->name, pairs[i].promise->name);
                tests[i] = (struct CMUnitTest){.name = names[i],
                                               .test_func = the_maker_keeps_the_promise,
                                               .initial_state = &pairs[i]};
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
