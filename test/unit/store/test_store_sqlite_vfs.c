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
#include "sweep.h"
#include "text.h"

static const char path[] = "/srv/rows.sqlite";

/* ---- a small history, and what each step of it leaves ---- */

enum { N_STEPS = 6, MANY = 8 };

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
                if (put_many(change, 1500, note) || store_delete(change, "u", "x", note))
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

/* From wherever it stands until end steps are done, or the first error; *done counts the steps acknowledged.
 */
static enum err run_history(struct io *io, unsigned *done, unsigned end, struct err_note *note) {
        AUTO(store_close) struct store *store = NULL;

        if (store_sqlite_open(io, path, STORE_CREATE, &store, note))
                return note->code;
        for (; *done < end; ++*done)
                if (commit_step(store, *done, note))
                        return note->code;
        return ERR_NONE;
}

/* Opens what is left, which always works and is sound; says how many steps are there: all that were
 * acknowledged, and the next one wholly or not at all. */
static enum err look(struct io *io, unsigned done, unsigned *ret_found, struct err_note *note) {
        AUTO(store_close) struct store *store = NULL;
        AUTO(buf_fini) struct buf got = {0};

        if (store_sqlite_open(io, path, STORE_CREATE, &store, note) || store_check(store, note) ||
            content_of(store, &got, note))
                return note->code;
        if (is_content(&got, done))
                *ret_found = done;
        else if (done < N_STEPS && is_content(&got, done + 1))
                *ret_found = done + 1;
        else
                return sweep_violation(note, "the content is neither that of step %u nor of the next", done);
        return ERR_NONE;
}

static unsigned steps_found(struct io *io, unsigned done) {
        unsigned found = 0;
        struct err_note note;

        assert_ok(look(io, done, &found, &note));
        return found;
}

/* ---- dying ---- */

static enum err make_dir(struct io *io, void *ctx, struct err_note *note) {
        (void)ctx;
        return io_make_dir(io, "/srv", note) || io_sync_dir(io, "/", note) ? note->code : ERR_NONE;
}

static enum err history(struct io *io, void *ctx, struct err_note *note) {
        unsigned *done = ctx;

        *done = 0;
        return run_history(io, done, N_STEPS, note);
}

static enum err put_probe(struct io *io, struct err_note *note) {
        AUTO(store_close) struct store *store = NULL;
        AUTO(store_abort) struct store_change *change = NULL;

        if (store_sqlite_open(io, path, STORE_WRITE, &store, note) || store_begin(store, &change, note) ||
            store_put(change, "probe", "p", "p", 1, note))
                return note->code;
        return store_commit(TAKE(change), note);
}

static enum err is_whole_and_usable(struct io *io, void *ctx, enum sweep_outcome outcome,
                                    struct err_note *note) {
        unsigned done = *(unsigned *)ctx, found;

        (void)outcome;
        if (look(io, done, &found, note) || put_probe(io, note) || look(io, found, &found, note))
                return note->code;
        return ERR_NONE;
}

static void after_any_crash_or_error_every_acknowledged_commit_is_there(void **state) {
        unsigned done;
        struct sweep sweep = {.name = "store_sqlite",
                              .ctx = &done,
                              .setup = make_dir,
                              .operate = history,
                              .check = is_whole_and_usable,
                              .max_points = 100,
                              .recoveries = 2};

        (void)state;
        assert_int_equal(sweep_crash(&sweep, IO_SIM_STYLES), 0);
        sweep.max_points = 40; /* errors are met again below, each of them, on a handle that goes on */
        assert_int_equal(sweep_fail(&sweep, 1), 0);
}

static struct io *machine(uint64_t seed) {
        struct io *io = io_sim_new(seed, 0);
        struct err_note note;

        assert_ok(make_dir(io, NULL, &note));
        return io;
}

/* A row of one page and more, of which each change alters every other byte.  SQLite's journal has a checksum
 * of a few bytes of each page, an even number of bytes apart: what is left of an older journal's page may
 * pass it. */
static enum err alter(struct store *store, bool odd, unsigned round, struct err_note *note) {
        AUTO(store_abort) struct store_change *change = NULL;
        char value[3001] = {0};

        for (size_t i = 0; i < sizeof value - 1; i++)
                value[i] = (char)(i % 2 == odd ? 'a' + round : '-');
        if (store_begin(store, &change, note) || put_text(change, "v", value, note))
                return note->code;
        return store_commit(TAKE(change), note);
}

static bool is_of_one_round(const struct buf *value, bool odd, unsigned round) {
        for (size_t i = 0; i < value->n; i++)
                if (value->data[i] != (i % 2 == odd ? 'a' + round : '-'))
                        return false;
        return value->n == 3000;
}

static bool tear(uint64_t n, bool odd) {
        AUTO(io_free) struct io *io = machine(n);
        AUTO(store_close) struct store *store = NULL;
        struct err_note note;
        unsigned round = 0;

        assert_ok(store_sqlite_open(io, path, STORE_CREATE, &store, &note));
        for (; round < 3; round++)
                assert_ok(alter(store, odd, round, &note));
        io_sim_die_at(io, n, IO_SIM_BEFORE);
        if (alter(store, odd, round, &note) == ERR_NONE && !io_sim_is_dead(io))
                return false;
        for (uint64_t seed = 1; seed <= 3 * IO_SIM_STYLES; seed++) {
                struct io *after = io_sim_fork(io);
                struct store *found;
                AUTO(buf_fini) struct buf got = {0};

                io_sim_crash(after, seed);
                assert_ok(store_sqlite_open(after, path, STORE_WRITE, &found, &note));
                assert_ok(store_get(found, "t", "v", &got, &note));
                assert_true(is_of_one_round(&got, odd, round) || is_of_one_round(&got, odd, round - 1));
                store_close(found);
                io_free(after);
        }
        return true;
}

static void a_torn_journal_is_not_rolled_back(void **state) {
        (void)state;
        for (unsigned odd = 0; odd < 2; odd++)
                for (uint64_t n = 1; tear(n, odd); n++)
                        ;
}

/* A kernel may show what a failed sync did not write down, and then sync it no more.  The simulated one does
 * not; so what is looked at is that the verdict, "committed", is written again before it is synced. */
struct verdict {
        unsigned n_writes, n_syncs;
        bool is_bare; /* synced before it was written */
};

static void watch_journal(void *user, const char *verb, const char *of) {
        struct verdict *verdict = user;

        if (!text_ends_with(of, "-journal"))
                return;
        if (strcmp(verb, "sync") == 0 && verdict->n_syncs++ == 0)
                verdict->is_bare = verdict->n_writes == 0;
        verdict->n_writes += strcmp(verb, "write") == 0;
}

static bool has_cold_journal(struct io *io) {
        AUTO_FREE char *name = mem_format("%s-journal", path);
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note;
        char first = 1;
        size_t n;

        if (io_open(io, name, IO_READ, &file, &note))
                return false;
        assert_ok(io_read_some(file, &first, 1, 0, &n, &note));
        return n == 1 && first == 0;
}

static void the_verdict_of_a_leftover_journal_is_written_again(void **state) {
        unsigned points = 0;

        (void)state;
        for (uint64_t n = 1;; n++) {
                AUTO(io_free) struct io *io = machine(n);
                AUTO(store_close) struct store *store = NULL;
                struct verdict verdict = {0};
                struct err_note note;
                unsigned done = 0;

                io_sim_die_at(io, n, IO_SIM_BEFORE);
                if (run_history(io, &done, N_STEPS, &note) == ERR_NONE && !io_sim_is_dead(io))
                        break;
                io_sim_kill(io);
                if (!has_cold_journal(io))
                        continue;
                points++;
                io_sim_set_watch(io, watch_journal, &verdict);
                assert_ok(store_sqlite_open(io, path, STORE_CREATE, &store, &note));
                io_sim_set_watch(io, NULL, NULL);
                assert_true(verdict.n_syncs > 0);
                assert_false(verdict.is_bare);
        }
        assert_true(points > 5);
}

/* The process is killed, the next one reads, then the power fails: what the next one was shown stays so. */
static void what_was_read_after_a_kill_survives_a_crash(void **state) {
        unsigned points = 0;

        (void)state;
        for (uint64_t n = 1;; n++) {
                AUTO(io_free) struct io *io = machine(n);
                struct err_note note;
                unsigned done = 0, shown;

                io_sim_die_at(io, n, IO_SIM_BEFORE);
                if (run_history(io, &done, N_STEPS, &note) == ERR_NONE && !io_sim_is_dead(io))
                        break;
                io_sim_kill(io);
                shown = steps_found(io, done);
                for (uint64_t seed = 1; seed <= IO_SIM_STYLES; seed++, points++) {
                        AUTO(io_free) struct io *after = io_sim_fork(io);

                        io_sim_crash(after, seed);
                        assert_int_equal(steps_found(after, shown), shown);
                }
                assert_ok(run_history(io, &shown, N_STEPS, &note)); /* as is what it did on top of that */
                io_sim_crash(io, n);
                assert_int_equal(steps_found(io, N_STEPS), N_STEPS);
        }
        assert_true(points > 500);
}

/* Of a store that was closed well, one process is killed in its first commit, and the next dies in its own:
 * it may not rely on names that the first one made. */
enum { CLOSED_STEPS = 3 };

static bool die_after_a_kill(struct io *killed, unsigned done, uint64_t m, uint64_t seed) {
        AUTO(io_free) struct io *io = io_sim_fork(killed);
        struct err_note note;

        io_sim_die_at(io, m, IO_SIM_BEFORE);
        if (run_history(io, &done, done + 1, &note) == ERR_NONE && !io_sim_is_dead(io))
                return false;
        for (uint64_t i = 0; i < 3 * IO_SIM_STYLES; i++) {
                AUTO(io_free) struct io *after = io_sim_fork(io);

                io_sim_crash(after, seed + i);
                (void)steps_found(after, done);
        }
        return true;
}

static void names_made_by_a_killed_process_are_not_relied_on(void **state) {
        AUTO(io_free) struct io *closed = machine(1);
        struct store *store;
        struct err_note note;

        (void)state;
        assert_ok(store_sqlite_open(closed, path, STORE_CREATE, &store, &note));
        for (unsigned i = 0; i < CLOSED_STEPS; i++)
                assert_ok(commit_step(store, i, &note));
        store_close(store);
        io_sim_crash(closed, 1);
        for (uint64_t n = 1;; n++) {
                AUTO(io_free) struct io *io = io_sim_fork(closed);
                AUTO(io_free) struct io *aside = NULL;
                unsigned done = CLOSED_STEPS;

                io_sim_die_at(io, n, IO_SIM_BEFORE);
                (void)!run_history(io, &done, CLOSED_STEPS + 1, &note);
                if (!io_sim_is_dead(io) || done > CLOSED_STEPS)
                        break;
                io_sim_kill(io);
                aside = io_sim_fork(io); /* as who looks also settles and tidies */
                if (steps_found(aside, done) > done)
                        continue; /* its commit was as good as done, and needs no journal any more */
                for (uint64_t m = 1; die_after_a_kill(io, done, m, (n * 100 + m) * 3 * IO_SIM_STYLES);)
                        m++;
        }
}

/* ---- failing ---- */

/* One commit, with each of its calls failing in turn: what the same handle reads then stays so. */
static bool fail_one_commit(uint64_t n, uint64_t seed) {
        AUTO(io_free) struct io *io = machine(seed);
        AUTO(store_close) struct store *store = NULL;
        AUTO(buf_fini) struct buf got = {0};
        struct err_note note;
        unsigned shown;

        assert_ok(store_sqlite_open(io, path, STORE_CREATE, &store, &note));
        io_sim_fail_at(io, n, ERR_IO, false);
        if (commit_step(store, 0, &note) == ERR_NONE && !io_sim_fired(io))
                return false;
        io_sim_heal(io);
        assert_ok(content_of(store, &got, &note));
        shown = is_content(&got, 1);
        assert_true(shown || is_content(&got, 0));
        for (uint64_t i = 1; i <= IO_SIM_STYLES; i++) {
                AUTO(io_free) struct io *after = io_sim_fork(io);

                io_sim_crash(after, i);
                assert_int_equal(steps_found(after, shown), shown);
        }
        return true;
}

static void what_was_read_after_a_failed_commit_survives_a_crash(void **state) {
        unsigned points = 0;

        (void)state;
        for (uint64_t seed = 1; seed <= IO_SIM_STYLES; seed++)
                for (uint64_t n = 1; fail_one_commit(n, seed); n++)
                        points++;
        assert_true(points > 50);
}

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
        *late += is_there;
        if (!is_there)
                assert_ok(commit_step(store, step, &note));
}

static bool fail_once(uint64_t n, enum err err, bool forever, unsigned *late) {
        AUTO(io_free) struct io *io = machine(n);
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
        assert_true(points > 200 && late > 0 && late < points / 8);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(after_any_crash_or_error_every_acknowledged_commit_is_there),
                cmocka_unit_test(a_torn_journal_is_not_rolled_back),
                cmocka_unit_test(the_verdict_of_a_leftover_journal_is_written_again),
                cmocka_unit_test(what_was_read_after_a_kill_survives_a_crash),
                cmocka_unit_test(names_made_by_a_killed_process_are_not_relied_on),
                cmocka_unit_test(what_was_read_after_a_failed_commit_survives_a_crash),
                cmocka_unit_test(after_any_error_the_handle_goes_on),
        };
        return cmocka_run_group_tests(tests, make_wanted, free_wanted);
}
