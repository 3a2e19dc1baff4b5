// SPDX-License-Identifier: Apache-2.0
/* The sweeps: the real SQLite on a simulated machine, which dies at each of its changing calls, and fails
 * each of those that can fail. */
#include "check.h"

#include "io.h"
#include "io_sim.h"
#include "mem.h"
#include "store.h"
#include "store_sim.h"
#include "store_sqlite.h"

static const char path[] = "/srv/rows.sqlite";

/* ---- a small history, and what each step of it leaves ---- */

enum { N_STEPS = 6, MANY = 16 };

static enum err put_text(struct store_change *change, const char *key, const char *value,
                         struct err_note *note) {
        return store_put(change, "t", key, value, strlen(value), note);
}

static enum err put_many(struct store_change *change, size_t n, struct err_note *note) {
        AUTO_FREE char *value = mem_zero(n + 1);

        memset(value, 'm', n);
        for (unsigned i = 0; i < MANY; i++) {
                char key[16];

                snprintf(key, sizeof key, "many %02u", i);
                if (put_text(change, key, value, note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err delete_many(struct store_change *change, struct err_note *note) {
        for (unsigned i = 0; i < MANY; i += 2) {
                char key[16];

                snprintf(key, sizeof key, "many %02u", i);
                if (store_delete(change, "t", key, note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err do_step(struct store_change *change, unsigned step, struct err_note *note) {
        switch (step) {
        case 0:
                return put_text(change, "a", "one", note);
        case 1: /* several in one */
                if (put_text(change, "b", "two", note) || put_text(change, "c", "three", note) ||
                    put_text(change, "a", "four", note) || store_put(change, "u", "x", "five", 4, note))
                        return note->code;
                return ERR_NONE;
        case 2:
                return store_delete(change, "t", "b", note);
        case 3: /* many pages */
                return put_many(change, 300, note);
        case 4: /* pages become free */
                return delete_many(change, note);
        default: /* and are used again, for a value of many pages */
                if (put_many(change, 2000, note) || store_delete(change, "u", "x", note))
                        return note->code;
                return ERR_NONE;
        }
}

static enum err commit_step(struct store *store, unsigned step, struct err_note *note) {
        AUTO(store_abort) struct store_change *change = NULL;

        if (store_begin(store, &change, note) || do_step(change, step, note))
                return note->code;
        return store_commit(TAKE(change), note);
}

static enum err add_row(void *user, const char *key, const void *value, size_t n, struct err_note *note) {
        (void)note;
        buf_print(user, "%s=", key);
        buf_add(user, value, n);
        buf_print(user, "\n");
        return ERR_NONE;
}

static enum err content_of(struct store *store, struct buf *ret, struct err_note *note) {
        ret->n = 0;
        if (store_each(store, "t", "", add_row, ret, note))
                return note->code;
        buf_print(ret, "--\n");
        return store_each(store, "u", "", add_row, ret, note);
}

/* What is there after the first n steps; the other maker is the model. */
static struct buf wanted[N_STEPS + 1];

static int make_wanted(void **state) {
        AUTO(store_sim_free) struct store_sim *sim = store_sim_new("model");
        AUTO(store_close) struct store *store = NULL;
        struct err_note note;

        (void)state;
        assert_ok(store_sim_open(sim, STORE_CREATE, &store, &note));
        for (unsigned i = 0; i <= N_STEPS; i++) {
                assert_ok(content_of(store, &wanted[i], &note));
                if (i < N_STEPS)
                        assert_ok(commit_step(store, i, &note));
        }
        return 0;
}

static int free_wanted(void **state) {
        (void)state;
        for (unsigned i = 0; i <= N_STEPS; i++)
                buf_fini(&wanted[i]);
        return 0;
}

static bool is_content(const struct buf *got, unsigned n_steps) {
        const struct buf *want = &wanted[n_steps];

        return got->n == want->n && memcmp(got->data, want->data, got->n) == 0;
}

/* ---- running it ---- */

static struct io *machine(void) {
        struct io *io = io_sim_new(1, 0);
        struct err_note note;

        assert_ok(io_make_dir(io, "/srv", &note));
        assert_ok(io_sync_dir(io, "/", &note));
        return io;
}

/* From wherever it stands until the end or the first error; *done counts the steps acknowledged. */
static enum err run_history(struct io *io, unsigned *done, struct err_note *note) {
        AUTO(store_close) struct store *store = NULL;

        if (store_sqlite_open(io, path, STORE_CREATE, &store, note))
                return note->code;
        for (; *done < N_STEPS; ++*done)
                if (commit_step(store, *done, note))
                        return note->code;
        return ERR_NONE;
}

/* Opens what is left, which always works and is sound; says how many steps are there: all that were
 * acknowledged, and the next one wholly or not at all. */
static unsigned steps_found(struct io *io, unsigned done) {
        AUTO(store_close) struct store *store = NULL;
        AUTO(buf_fini) struct buf got = {0};
        struct err_note note;

        assert_ok(store_sqlite_open(io, path, STORE_CREATE, &store, &note));
        assert_ok(store_check(store, &note));
        assert_ok(content_of(store, &got, &note));
        if (is_content(&got, done))
                return done;
        assert_true(done < N_STEPS && is_content(&got, done + 1));
        return done + 1;
}

/* ---- dying ---- */

static void after_any_crash_every_acknowledged_commit_is_there(void **state) {
        unsigned points = 0, kept = 0;

        (void)state;
        for (uint64_t n = 1;; n++) {
                AUTO(io_free) struct io *io = machine();
                struct err_note note;
                unsigned done = 0;

                io_sim_die_at(io, n, n % 2 ? IO_SIM_BEFORE : IO_SIM_DURING);
                if (run_history(io, &done, &note) == ERR_NONE && !io_sim_is_dead(io))
                        break;
                for (uint64_t seed = 1; seed <= IO_SIM_STYLES; seed++, points++) {
                        AUTO(io_free) struct io *after = io_sim_fork(io);
                        unsigned found;

                        io_sim_crash(after, seed);
                        found = steps_found(after, done);
                        kept += found > done;
                        assert_ok(run_history(after, &found, &note)); /* and it goes on from there */
                        io_sim_crash(after, seed + 1);
                        assert_int_equal(steps_found(after, N_STEPS), N_STEPS);
                }
        }
        print_message("%u crashes, %u of them kept the commit that was not acknowledged\n", points, kept);
        assert_true(points > 800 && kept > 0 && kept < points / 2);
}

static void a_crash_during_the_recovery_changes_nothing(void **state) {
        unsigned points = 0;

        (void)state;
        for (uint64_t n = 1;; n += 3) { /* a third of the places, as there are many below each */
                AUTO(io_free) struct io *io = machine();
                struct err_note note;
                unsigned done = 0;

                io_sim_die_at(io, n, n % 2 ? IO_SIM_BEFORE : IO_SIM_DURING);
                if (run_history(io, &done, &note) == ERR_NONE && !io_sim_is_dead(io))
                        break;
                io_sim_crash(io, n);
                for (uint64_t m = 1;; m++, points++) {
                        AUTO(io_free) struct io *again = io_sim_fork(io);
                        struct store *store;

                        io_sim_die_at(again, m, m % 2 ? IO_SIM_BEFORE : IO_SIM_DURING);
                        if (store_sqlite_open(again, path, STORE_CREATE, &store, &note) == ERR_NONE)
                                store_close(store);
                        if (!io_sim_is_dead(again))
                                break;
                        io_sim_crash(again, m + n);
                        (void)steps_found(again, done);
                }
        }
        assert_true(points > 200);
}

/* The process is killed, the next one reads, then the power fails: what the next one was shown stays so. */
static void what_was_read_after_a_kill_survives_a_crash(void **state) {
        unsigned points = 0;

        (void)state;
        for (uint64_t n = 1;; n++) {
                AUTO(io_free) struct io *io = machine();
                struct err_note note;
                unsigned done = 0, shown;

                io_sim_die_at(io, n, n % 2 ? IO_SIM_BEFORE : IO_SIM_DURING);
                if (run_history(io, &done, &note) == ERR_NONE && !io_sim_is_dead(io))
                        break;
                io_sim_kill(io);
                shown = steps_found(io, done);
                for (uint64_t seed = 1; seed <= IO_SIM_STYLES; seed++, points++) {
                        AUTO(io_free) struct io *after = io_sim_fork(io);

                        io_sim_crash(after, seed);
                        assert_int_equal(steps_found(after, shown), shown);
                }
        }
        assert_true(points > 800);
}

/* ---- failing ---- */

/* A step that failed is tried again on the same handle: it is there only if its commit failed at the very
 * end. */
static void finish_step(struct io *io, struct store *store, unsigned step, unsigned *late) {
        AUTO(buf_fini) struct buf got = {0};
        struct err_note note;
        bool is_there;

        if (commit_step(store, step, &note) == ERR_NONE)
                return;
        assert_true(io_sim_fired(io));
        io_sim_heal(io);
        assert_ok(content_of(store, &got, &note));
        is_there = is_content(&got, step + 1);
        assert_true(is_there || is_content(&got, step));
        for (uint64_t seed = 1; seed <= IO_SIM_STYLES; seed++) { /* what was read stays so */
                AUTO(io_free) struct io *after = io_sim_fork(io);

                io_sim_crash(after, seed);
                assert_int_equal(steps_found(after, step + is_there), step + is_there);
        }
        *late += is_there;
        if (!is_there)
                assert_ok(commit_step(store, step, &note));
}

static bool fail_once(uint64_t n, enum err err, bool forever, unsigned *late) {
        AUTO(io_free) struct io *io = machine();
        AUTO(store_close) struct store *store = NULL;
        AUTO(buf_fini) struct buf got = {0};
        struct err_note note;
        bool fired;

        io_sim_fail_at(io, n, err, forever);
        if (store_sqlite_open(io, path, STORE_CREATE, &store, &note)) {
                assert_true(io_sim_fired(io));
                assert_int_equal(note.code, err);
                io_sim_heal(io);
                assert_ok(store_sqlite_open(io, path, STORE_CREATE, &store, &note));
        }
        for (unsigned i = 0; i < N_STEPS; i++)
                finish_step(io, store, i, late);
        fired = io_sim_fired(io);
        io_sim_heal(io);
        assert_ok(content_of(store, &got, &note));
        assert_true(is_content(&got, N_STEPS));
        assert_ok(store_check(store, &note));
        store_close(TAKE(store));
        io_sim_crash(io, n);
        assert_int_equal(steps_found(io, N_STEPS), N_STEPS);
        return fired;
}

static void after_any_error_the_handle_goes_on(void **state) {
        static const enum err errs[] = {ERR_IO, ERR_NO_SPACE};
        unsigned points = 0, late = 0;

        (void)state;
        for (unsigned i = 0; i < 4; i++)
                for (uint64_t n = 1; fail_once(n, errs[i / 2], i % 2, &late); n++)
                        points++;
        print_message("%u errors, %u commits that failed were there all the same\n", points, late);
        assert_true(points > 400 && late > 0 && late < points / 10);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(after_any_crash_every_acknowledged_commit_is_there),
                cmocka_unit_test(a_crash_during_the_recovery_changes_nothing),
                cmocka_unit_test(what_was_read_after_a_kill_survives_a_crash),
                cmocka_unit_test(after_any_error_the_handle_goes_on),
        };
        return cmocka_run_group_tests(tests, make_wanted, free_wanted);
}
