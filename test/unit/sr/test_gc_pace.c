// SPDX-License-Identifier: Apache-2.0
/* How fast gc goes, and when, with an engine that moves nothing: each of its steps is a MiB and takes 4 ms,
 * so it could do 250 MiB/s.  Meanwhile a guest reads from another disk, one page after another; what he feels
 * of a step is up to the test.
 */
#include "sr_kit.h"

#include <stdlib.h>
#include <time.h>

#include "chain.h"
#include "gc.h"

#define US     ((uint64_t)1000)
#define MS     ((uint64_t)1000 * 1000)
#define SECOND ((uint64_t)1000 * 1000 * 1000)
#define HOUR   (3600 * SECOND)

enum { STEP_MS = 4 };

/* ---- the engine, and a guest ---- */

static struct fake {
        unsigned n_steps; /* of a coalesce */
        unsigned n_open, n_begun, n_done;
        struct gc_pace pace;

        struct io *io;       /* borrowed */
        struct chain *guest; /* borrowed; NULL: there is none */
        uint64_t at_rest_ns; /* that his read takes */
        double hurts;        /* so many times that during a step */
} fake;

struct fake_coalesce {
        struct sr *sr;
        struct uuid top;
        unsigned n;
};

static enum err fake_price(struct sr *sr UNUSED, const struct node *const *run UNUSED, size_t n UNUSED,
                           struct plan_price *ret, struct err_note *note UNUSED) {
        *ret = (struct plan_price){.push_bytes = fake.n_steps * MIB};
        return ERR_NONE;
}

static enum err fake_begin(struct sr *sr, const struct gc_run *run, void **ret,
                           struct err_note *note UNUSED) {
        struct fake_coalesce *coalesce = mem_new(struct fake_coalesce);

        *coalesce = (struct fake_coalesce){.sr = sr, .top = run->nodes[run->n - 1]};
        fake.pace = run->pace;
        fake.n_open++;
        fake.n_begun++;
        *ret = coalesce;
        return ERR_NONE;
}

static bool fake_needs_turn(void *user UNUSED) {
        return true;
}

static void fake_pace(void *user UNUSED, const struct gc_pace *pace) {
        fake.pace = *pace;
}

/* Time goes on, and the guest reads all the while. */
static void pass(uint64_t ns, double hurts) {
        uint64_t takes = (uint64_t)((double)fake.at_rest_ns * hurts);

        if (!fake.guest) {
                io_sim_advance(fake.io, ns);
                return;
        }
        for (uint64_t past = 0; past < ns; past += takes) {
                uint64_t began = chain_begins(fake.guest);

                io_sim_advance(fake.io, takes);
                chain_took(fake.guest, LATENCY_READ, 4096, began);
        }
}

static enum err fake_step(void *user, bool *ret_is_done, struct err_note *note) {
        struct fake_coalesce *coalesce = user;

        pass(STEP_MS * MS, fake.hurts);
        if (++coalesce->n < fake.n_steps)
                return ERR_NONE;
        *ret_is_done = true;
        fake.n_done++;
        return sr_vdi_delete(coalesce->sr, &coalesce->top, note);
}

static void fake_progress(void *user, struct gc_progress *ret) {
        const struct fake_coalesce *coalesce = user;

        *ret = (struct gc_progress){
                .bytes_total = fake.n_steps * MIB, .bytes_done = coalesce->n * MIB, .phase = "copy"};
}

static void fake_end(void *user) {
        fake.n_open--;
        free(user);
}

static const struct gc_engine fake_engine = {fake_price, fake_begin,    fake_needs_turn, fake_pace,
                                             fake_step,  fake_progress, fake_end};

/* ---- a world ---- */

struct world {
        struct io *io;
        struct sr *sr;
        struct gc *gc;
        struct uuid guest;
        struct gc_turn turn; /* the last */
};

/* A hidden base, and upon it the VDI: what a deleted snapshot leaves. */
static void make_run(struct world *w, const char *name) {
        struct uuid vdi = kit_vdi(w->sr, name), snapshot;

        kit_write(w->sr, &vdi, "A");
        snapshot = kit_snapshot(w->sr, &vdi, "s");
        kit_delete(w->sr, &snapshot);
}

static void world_init(struct world *w, unsigned n_steps, bool has_guest) {
        struct gc_options options = {.engine = &fake_engine};
        struct err_note note = {0};

        *w = (struct world){.io = io_sim_new(1, 0)};
        fake = (struct fake){.n_steps = n_steps, .io = w->io, .at_rest_ns = 100 * US, .hurts = 1};
        w->sr = kit_create(w->io);
        make_run(w, "a");
        if (has_guest) {
                w->guest = kit_vdi(w->sr, "guest");
                assert_ok(sr_open_chain(w->sr, &w->guest, CHAIN_WRITE, &fake.guest, &note));
        }
        assert_ok(gc_new(w->sr, &options, &w->gc, &note));
}

static void world_fini(struct world *w) {
        struct err_note note = {0};

        gc_free(w->gc);
        assert_int_equal(fake.n_open, 0); /* all that began was ended */
        if (fake.guest)
                assert_ok(sr_close_chain(w->sr, fake.guest, &note));
        sr_close(w->sr);
        io_free(w->io);
}

static void step(struct world *w) {
        struct err_note note = {0};

        assert_ok(gc_step(w->gc, &w->turn, &note));
        if (w->turn.what == GC_WAITS) /* as gc run: never slept through */
                pass(min_u64(w->turn.wait_ns, 50 * MS), 1);
}

/* MiB a second that were moved. */
static double go_on(struct world *w, uint64_t ns) {
        uint64_t began = io_now_ns(w->io), before = gc_sums(w->gc).bytes_done;

        while (io_now_ns(w->io) - began < ns) {
                step(w);
                assert_true(w->turn.what == GC_WORKED || w->turn.what == GC_WAITS);
        }
        return (double)(gc_sums(w->gc).bytes_done - before) / (double)MIB * (double)SECOND /
               (double)(io_now_ns(w->io) - began);
}

static struct gc_settings settings_of(struct world *w) {
        struct gc_settings settings;
        struct err_note note = {0};

        assert_ok(gc_settings_of(w->sr, &settings, &note));
        return settings;
}

static void set(struct world *w, const struct gc_settings *settings) {
        struct err_note note = {0};

        assert_ok(gc_set(w->sr, settings, &note));
}

static struct gc_held held_of(struct world *w, char *ret_reason) {
        AUTO(gc_status_fini) struct gc_status status = {0};
        struct err_note note = {0};

        assert_ok(gc_status(w->sr, &fake_engine, &status, &note));
        if (ret_reason) {
                assert_int_equal(status.items.n, 1);
                memcpy(ret_reason, status.items.data[0].reason, PLAN_REASON_SIZE);
        }
        return status.held;
}

/* ---- guests ---- */

static void without_guests_it_never_waits(void **state UNUSED) {
        struct world w;
        struct gc_held held;
        char reason[PLAN_REASON_SIZE];

        world_init(&w, 5000, false);
        assert_true(go_on(&w, 15 * SECOND) > 249);
        assert_int_equal(fake.pace.depth, 0);
        assert_int_equal(fake.pace.batch_bytes, 32 * MIB);
        held = held_of(&w, reason);
        assert_true(held.guests == GOVERNOR_FREE && held.guests_window == GOVERNOR_FREE_WINDOW);
        assert_true(held.allowed == 0);
        assert_string_equal(reason, "");
        world_fini(&w);
}

static void guests_that_suffer_hold_it_back(void **state UNUSED) {
        struct world w;
        struct gc_held held;
        char reason[PLAN_REASON_SIZE];

        world_init(&w, 50000, true);
        fake.hurts = 4;
        (void)go_on(&w, 15 * SECOND);
        assert_true(go_on(&w, 20 * SECOND) < 25);
        held = held_of(&w, reason);
        while (held.guests != GOVERNOR_HOLDING) { /* it may be looking */
                (void)go_on(&w, 10 * MS);
                held = held_of(&w, reason);
        }
        assert_true(held.allowed == held.guests_window && held.allowed >= GOVERNOR_FLOOR);
        assert_true(held.allowed < 64 * MIB);
        assert_non_null(strstr(reason, "held back to "));
        assert_non_null(strstr(reason, "of a read is "));
        /* In small pieces too. */
        assert_true(fake.pace.batch_bytes <= 8 * MIB && fake.pace.depth > 0 && fake.pace.depth <= 2);
        world_fini(&w);
}

static void guests_that_do_not_hold_nothing_back(void **state UNUSED) {
        struct world w;

        world_init(&w, 50000, true);
        (void)go_on(&w, 15 * SECOND);
        assert_true(go_on(&w, 20 * SECOND) > 0.9 * 250);
        world_fini(&w);
}

static void it_widens_when_they_do_not_any_more(void **state UNUSED) {
        struct world w;

        world_init(&w, 50000, true);
        fake.hurts = 4;
        (void)go_on(&w, 15 * SECOND);
        assert_true(go_on(&w, 10 * SECOND) < 25);
        fake.hurts = 1;
        (void)go_on(&w, 20 * SECOND);
        assert_true(go_on(&w, 10 * SECOND) > 0.9 * 250);
        world_fini(&w);
}

static void when_they_have_gone_it_goes_at_full_speed(void **state UNUSED) {
        struct world w;
        struct chain *guest;

        world_init(&w, 50000, true);
        fake.hurts = 4;
        (void)go_on(&w, 15 * SECOND);
        guest = fake.guest;
        fake.guest = NULL;
        (void)go_on(&w, 4 * SECOND);
        assert_true(go_on(&w, 5 * SECOND) > 249);
        assert_int_equal(fake.pace.depth, 0);
        fake.guest = guest;
        world_fini(&w);
}

static void who_comes_late_does_not_pay_for_what_was_moved_before(void **state UNUSED) {
        struct world w;
        struct chain *guest;

        world_init(&w, 50000, true);
        guest = TAKE(fake.guest);
        (void)go_on(&w, 60 * SECOND);
        fake.guest = guest;
        (void)go_on(&w, SECOND);
        assert_true(held_of(&w, NULL).guests != GOVERNOR_FREE);
        assert_true(go_on(&w, 10 * SECOND) > 50);
        world_fini(&w);
}

/* However long they suffer, and however much: it ends, in as many steps as without them. */
static void however_they_suffer_it_ends(void **state UNUSED) {
        struct world w;
        uint64_t began;

        world_init(&w, 300, true);
        fake.hurts = 1000;
        began = io_now_ns(w.io);
        for (unsigned i = 0; w.turn.what != GC_IDLE && i < 100000; i++)
                step(&w);
        assert_int_equal(w.turn.what, GC_IDLE);
        assert_int_equal(fake.n_done, 1);
        assert_int_equal(gc_sums(w.gc).bytes_done, 300 * MIB);
        /* With the floor, and the time that looks take. */
        assert_true(io_now_ns(w.io) - began < 300 * SECOND / 4 * 2);
        world_fini(&w);
}

static void they_are_ignored_from_when_that_is_set(void **state UNUSED) {
        struct world w;
        struct gc_settings settings;

        world_init(&w, 50000, true);
        fake.hurts = 4;
        (void)go_on(&w, 15 * SECOND);
        assert_true(go_on(&w, 5 * SECOND) < 25);
        settings = settings_of(&w);
        settings.ignores_guests = true;
        set(&w, &settings);
        assert_true(go_on(&w, SECOND) > 240); /* within a second */
        assert_true(held_of(&w, NULL).guests == GOVERNOR_FREE);
        settings.ignores_guests = false;
        set(&w, &settings);
        (void)go_on(&w, SECOND);
        assert_true(held_of(&w, NULL).guests != GOVERNOR_FREE);
        assert_true(go_on(&w, 10 * SECOND) < 50);
        world_fini(&w);
}

static void a_limit_holds_beside_them(void **state UNUSED) {
        struct world w;
        struct gc_settings settings = {.limit = 2 * MIB};

        world_init(&w, 50000, true);
        fake.hurts = 4;
        set(&w, &settings);
        (void)go_on(&w, 15 * SECOND);
        assert_true(go_on(&w, 20 * SECOND) <= 2.2);
        assert_true(go_on(&w, 20 * SECOND) > 1.5);
        world_fini(&w);
}

static void what_closed_chains_have_asked_counts(void **state UNUSED) {
        struct latency_counts before, now;
        struct err_note note = {0};
        struct world w;

        world_init(&w, 10, true);
        pass(10 * MS, 1);
        sr_latency(w.sr, &before);
        assert_int_equal(latency_n(&before, LATENCY_READ), 100);
        assert_ok(sr_close_chain(w.sr, TAKE(fake.guest), &note));
        sr_latency(w.sr, &now);
        assert_int_equal(latency_n(&now, LATENCY_READ), 100);
        world_fini(&w);
}

/* ---- windows ---- */

/* 2026-01-01, a Thursday, 00:00 local time is where a simulated clock begins. */
static struct gc_settings windows(const char *spec) {
        struct gc_settings settings = {0};
        struct err_note note = {0};

        settings.windows.n = 1;
        assert_ok(window_parse(spec, &settings.windows.list[0], &note));
        return settings;
}

static void at(struct world *w, unsigned hour, unsigned minute) {
        io_sim_set_wall(w->io, (1767225600 + (int64_t)hour * 3600 + minute * 60) * (int64_t)SECOND);
}

static void outside_its_window_it_waits_and_says_until_when(void **state UNUSED) {
        struct world w;
        struct gc_settings settings = windows("22:00-06:00");
        struct gc_held held;
        char reason[PLAN_REASON_SIZE];

        world_init(&w, 3, false);
        set(&w, &settings);
        at(&w, 18, 50);
        step(&w);
        assert_int_equal(w.turn.what, GC_SHUT);
        assert_true(w.turn.wait_ns == 3 * HOUR + HOUR / 6);
        assert_int_equal(fake.n_begun, 0);
        held = held_of(&w, reason);
        assert_string_equal(reason, "outside its window: opens in 3h 10m");
        assert_true(held.opens_at == 1767225600 + 22 * 3600);
        io_sim_advance(w.io, w.turn.wait_ns - SECOND);
        step(&w);
        assert_int_equal(w.turn.what, GC_SHUT);
        assert_true(w.turn.wait_ns == SECOND);
        io_sim_advance(w.io, w.turn.wait_ns);
        for (int i = 0; i < 6 && w.turn.what != GC_IDLE; i++)
                step(&w);
        assert_int_equal(w.turn.what, GC_IDLE);
        assert_int_equal(fake.n_done, 1);
        assert_true(held_of(&w, NULL).opens_at == 0);
        world_fini(&w);
}

static void when_its_window_shuts_it_stops_and_goes_on_at_the_next(void **state UNUSED) {
        AUTO(gc_history_fini) struct gc_history history = {0};
        struct gc_settings settings = windows("thu,fri 22:00-06:00");
        struct err_note note = {0};
        struct world w;

        world_init(&w, 50000, false);
        set(&w, &settings);
        at(&w, 29, 59); /* Friday 05:59 */
        assert_true(go_on(&w, 59 * SECOND) > 240);
        assert_int_equal(fake.n_open, 1);
        io_sim_advance(w.io, SECOND);
        step(&w);
        assert_int_equal(w.turn.what, GC_SHUT);
        assert_int_equal(fake.n_open, 0); /* no claim is held */
        assert_true(w.turn.wait_ns <= 16 * HOUR && w.turn.wait_ns > 16 * HOUR - 2 * SECOND);
        assert_ok(gc_history_of(w.sr, &history, &note));
        assert_int_equal(history.list.n, 1);
        assert_string_equal(history.list.data[0].result, "cancelled");
        io_sim_advance(w.io, w.turn.wait_ns);
        (void)go_on(&w, SECOND);
        assert_int_equal(fake.n_open, 1);
        assert_int_equal(fake.n_begun, 2);
        world_fini(&w);
}

static void a_window_set_while_it_runs_acts_at_once(void **state UNUSED) {
        struct gc_settings shut = windows("03:00-04:00"), open = {0};
        struct world w;

        world_init(&w, 50000, false);
        at(&w, 12, 0);
        (void)go_on(&w, SECOND);
        assert_int_equal(fake.n_open, 1);
        set(&w, &shut);
        step(&w);
        assert_int_equal(w.turn.what, GC_SHUT);
        assert_int_equal(fake.n_open, 0);
        set(&w, &open);
        (void)go_on(&w, SECOND);
        assert_int_equal(fake.n_open, 1);
        world_fini(&w);
}

static void a_window_has_its_own_limit(void **state UNUSED) {
        struct gc_settings settings = windows("08:00-18:00=3M");
        struct err_note note = {0};
        struct world w;

        settings.windows.n = 2;
        assert_ok(window_parse("18:00-08:00", &settings.windows.list[1], &note));
        world_init(&w, 50000, false);
        set(&w, &settings);
        at(&w, 17, 59);
        assert_true(go_on(&w, 50 * SECOND) < 3.3);
        assert_true(held_of(&w, NULL).allowed == 3 * MIB);
        io_sim_advance(w.io, 20 * SECOND);
        assert_true(go_on(&w, 10 * SECOND) > 240);
        assert_int_equal(fake.n_begun, 1); /* all in one */
        settings.limit = MIB;
        set(&w, &settings);
        at(&w, 9, 0);
        assert_true(go_on(&w, 20 * SECOND) < 1.2); /* the lower of the two */
        world_fini(&w);
}

static void a_clock_that_is_put_back_shuts_it_again(void **state UNUSED) {
        struct gc_settings settings = windows("10:00-11:00");
        struct world w;

        world_init(&w, 50000, false);
        set(&w, &settings);
        at(&w, 9, 59);
        step(&w);
        assert_int_equal(w.turn.what, GC_SHUT);
        at(&w, 5, 0);
        step(&w);
        assert_true(w.turn.what == GC_SHUT && w.turn.wait_ns == 5 * HOUR);
        at(&w, 10, 0);
        (void)go_on(&w, SECOND);
        at(&w, 9, 0);
        step(&w);
        assert_true(w.turn.what == GC_SHUT && w.turn.wait_ns == HOUR);
        assert_int_equal(fake.n_open, 0);
        world_fini(&w);
}

static void without_work_a_window_is_no_reason_to_wait(void **state UNUSED) {
        struct gc_settings settings = windows("22:00-06:00");
        struct world w;

        world_init(&w, 2, false);
        while (w.turn.what != GC_IDLE)
                step(&w);
        set(&w, &settings);
        at(&w, 12, 0);
        step(&w);
        assert_int_equal(w.turn.what, GC_IDLE);
        assert_true(w.turn.wait_ns == UINT64_MAX);
        world_fini(&w);
}

static void garbage_goes_at_any_time(void **state UNUSED) {
        struct gc_settings settings = windows("22:00-06:00");
        struct err_note note = {0};
        struct io_file *file;
        struct uuid garbage;
        struct world w;
        unsigned n;

        world_init(&w, 2, false);
        set(&w, &settings);
        at(&w, 12, 0);
        garbage = kit_vdi(w.sr, "g");
        {
                AUTO_FREE char *path = mem_format("%s/%s.vhd", KIT_DIR, uuid_format(&garbage).s);

                assert_ok(io_open(w.io, path, IO_READ, &file, &note));
        }
        assert_ok(io_lock(file, IO_SHARED, &note));
        kit_delete(w.sr, &garbage);
        io_close(file);
        n = kit_n_files(w.io);
        gc_look_again(w.gc);
        step(&w);
        assert_int_equal(w.turn.what, GC_WORKED);
        assert_int_equal(kit_n_files(w.io), n - 1);
        step(&w);
        assert_int_equal(w.turn.what, GC_SHUT);
        assert_int_equal(fake.n_begun, 0);
        world_fini(&w);
}

static void windows_last(void **state UNUSED) {
        struct gc_settings settings = windows("mon-fri 22:00-06:00=200M"), got;
        struct err_note note = {0};
        struct world w;

        settings.ignores_guests = true;
        world_init(&w, 2, false);
        set(&w, &settings);
        gc_free(w.gc);
        sr_close(w.sr);
        w.sr = kit_open(w.io);
        {
                struct gc_options options = {.engine = &fake_engine};

                assert_ok(gc_new(w.sr, &options, &w.gc, &note));
        }
        got = settings_of(&w);
        assert_true(got.ignores_guests);
        assert_int_equal(got.windows.n, 1);
        assert_string_equal(window_format(&got.windows.list[0]).s,
                            window_format(&settings.windows.list[0]).s);
        at(&w, 12, 0);
        step(&w);
        assert_int_equal(w.turn.what, GC_SHUT);
        world_fini(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(without_guests_it_never_waits),
                cmocka_unit_test(guests_that_suffer_hold_it_back),
                cmocka_unit_test(guests_that_do_not_hold_nothing_back),
                cmocka_unit_test(it_widens_when_they_do_not_any_more),
                cmocka_unit_test(when_they_have_gone_it_goes_at_full_speed),
                cmocka_unit_test(who_comes_late_does_not_pay_for_what_was_moved_before),
                cmocka_unit_test(however_they_suffer_it_ends),
                cmocka_unit_test(they_are_ignored_from_when_that_is_set),
                cmocka_unit_test(a_limit_holds_beside_them),
                cmocka_unit_test(what_closed_chains_have_asked_counts),
                cmocka_unit_test(outside_its_window_it_waits_and_says_until_when),
                cmocka_unit_test(when_its_window_shuts_it_stops_and_goes_on_at_the_next),
                cmocka_unit_test(a_window_set_while_it_runs_acts_at_once),
                cmocka_unit_test(a_window_has_its_own_limit),
                cmocka_unit_test(a_clock_that_is_put_back_shuts_it_again),
                cmocka_unit_test(without_work_a_window_is_no_reason_to_wait),
                cmocka_unit_test(garbage_goes_at_any_time),
                cmocka_unit_test(windows_last),
        };

        if (setenv("TZ", "UTC0", 1) != 0)
                return 1;
        tzset();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
