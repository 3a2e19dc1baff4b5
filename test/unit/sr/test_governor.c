// SPDX-License-Identifier: Apache-2.0
/* The governor against a simulated disk: the faster something is moved, the longer guests' requests take. */
#include "check.h"

#include "bytes.h"
#include "governor.h"

#define US     ((uint64_t)1000)
#define MS     ((uint64_t)1000 * 1000)
#define SECOND ((uint64_t)1000 * MS)
#define MIB_S  ((double)MIB)

/* One guest who asks one thing after another, and a mover who moves as fast as he may. */
struct world {
        struct governor governor;
        struct latency_counts guests;
        uint64_t now_ns, dice;
        double fastest; /* of the mover */
        uint64_t at_rest_ns;
        double hurts_at; /* moved so fast, a request takes twice as long; 0: it never does */
        double noise;    /* share of it by which single requests differ */
        double bursts;   /* share of the time in which all take ten times as long, whoever moves what */
        enum latency_kind kind;
        bool is_asking;
        uint64_t think_ns; /* between two requests */

        uint64_t moved, rested_ns;
        double narrowest, rate; /* rate: of the last interval */
        uint64_t n, sum_ns;     /* of requests */
};

static double roll(struct world *w) {
        w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
        return (double)(w->dice >> 33) / (double)((uint64_t)1 << 31);
}

static void ask(struct world *w, uint64_t ns) {
        double burst = roll(w) < w->bursts ? 10 : 1;
        double takes = burst * (double)w->at_rest_ns * (1 + (w->hurts_at > 0 ? w->rate / w->hurts_at : 0));

        for (uint64_t past = 0; w->is_asking && past < ns;) {
                uint64_t took = (uint64_t)(takes * (1 + w->noise * (roll(w) - 0.5)));

                w->guests.n[w->kind][latency_step_of(took)]++;
                w->guests.sum_ns[w->kind] += took;
                w->n++;
                w->sum_ns += took;
                past += took + w->think_ns;
        }
}

static void world_init(struct world *w) {
        *w = (struct world){.now_ns = 77 * SECOND,
                            .dice = 5,
                            .fastest = 800 * MIB_S,
                            .at_rest_ns = 100 * US,
                            .hurts_at = 100 * MIB_S,
                            .noise = 0.4,
                            .narrowest = 1e18,
                            .kind = LATENCY_READ};
        governor_begin(&w->governor, w->now_ns, &w->guests);
}

/* As gc does it: in small steps, each of which takes its time, and judged when it is due. */
static void go_on(struct world *w, uint64_t ns) {
        uint64_t until = w->now_ns + ns, moved = 0;

        while (w->now_ns < until) {
                uint64_t window = governor_window(&w->governor), step = 10 * MS;

                w->rate = window == GOVERNOR_FREE_WINDOW || (double)window > w->fastest ? w->fastest
                                                                                        : (double)window;
                if (window == 0)
                        w->rested_ns += step;
                else if ((double)window < w->narrowest)
                        w->narrowest = (double)window;
                ask(w, step);
                moved += (uint64_t)(w->rate * (double)step / 1e9);
                w->now_ns += step;
                if (governor_is_due(&w->governor, w->now_ns)) {
                        w->moved += moved;
                        governor_judge(&w->governor, w->now_ns, moved, &w->guests);
                        moved = 0;
                }
        }
}

static uint64_t mean_of(struct world *w, uint64_t ns) {
        w->n = w->sum_ns = 0;
        go_on(w, ns);
        return w->n ? w->sum_ns / w->n : 0;
}

static void without_guests_it_goes_at_full_speed(void **state UNUSED) {
        struct world w;

        world_init(&w);
        for (int i = 0; i < 100; i++) {
                go_on(&w, 300 * MS);
                assert_true(governor_window(&w.governor) == GOVERNOR_FREE_WINDOW);
                assert_int_equal(governor_rest_ns(&w.governor, w.now_ns), 0);
        }
        assert_int_equal(w.rested_ns, 0);
}

static void a_guest_who_comes_is_looked_at_at_rest_first(void **state UNUSED) {
        struct world w;

        world_init(&w);
        go_on(&w, SECOND);
        w.is_asking = true;
        go_on(&w, 260 * MS);
        assert_int_equal(governor_window(&w.governor), 0);
        assert_true(governor_rest_ns(&w.governor, w.now_ns) > 0);
        go_on(&w, 400 * MS);
        assert_true(w.governor.state == GOVERNOR_HOLDING);
        assert_true(governor_window(&w.governor) < (uint64_t)w.fastest);
        assert_int_equal(w.governor.verdict.n, 0);
}

static void it_narrows_until_guests_hardly_feel_it(void **state UNUSED) {
        struct world w;
        uint64_t mean;

        world_init(&w);
        w.is_asking = true;
        go_on(&w, 20 * SECOND);
        mean = mean_of(&w, 60 * SECOND);
        assert_true(mean <= w.at_rest_ns * 3 / 2);
        /* And no further than that takes. */
        assert_true(w.governor.window > 15 * MIB_S && w.governor.window < 80 * MIB_S);
        assert_int_equal(w.governor.verdict.kind, LATENCY_READ);
        assert_int_equal(w.governor.verdict.percent, 99);
        assert_true(w.governor.verdict.took_ns > w.governor.verdict.at_rest_ns);
}

static void writes_and_flushes_count_as_well(void **state UNUSED) {
        static const enum latency_kind kinds[] = {LATENCY_WRITE, LATENCY_FLUSH};

        for (unsigned i = 0; i < 2; i++) {
                struct world w;

                world_init(&w);
                w.kind = kinds[i];
                w.is_asking = true;
                go_on(&w, 20 * SECOND);
                assert_true(w.governor.window < 80 * MIB_S);
                assert_int_equal(w.governor.verdict.kind, kinds[i]);
        }
}

static void it_widens_when_guests_do_not_feel_it_any_more(void **state UNUSED) {
        struct world w;

        world_init(&w);
        w.is_asking = true;
        go_on(&w, 30 * SECOND);
        assert_true(w.governor.window < 80 * MIB_S);
        w.hurts_at = 0;
        go_on(&w, 30 * SECOND);
        assert_true(w.governor.window >= w.fastest);
        w.moved = 0;
        go_on(&w, 30 * SECOND);
        /* But for looks at rest it holds nothing back. */
        assert_true((double)w.moved > 0.9 * w.fastest * 30);
}

static void however_guests_suffer_something_is_moved(void **state UNUSED) {
        struct world w;

        world_init(&w);
        w.is_asking = true;
        w.hurts_at = MIB_S / 100; /* the least is felt */
        w.think_ns = MS;          /* else they would never be done asking */
        go_on(&w, 30 * SECOND);
        assert_true(w.narrowest >= (double)GOVERNOR_FLOOR);
        assert_true(governor_window(&w.governor) == 0 || governor_window(&w.governor) < 2 * GOVERNOR_FLOOR);
        w.moved = w.rested_ns = 0;
        go_on(&w, 60 * SECOND);
        assert_true(w.moved > GOVERNOR_FLOOR * 60 / 2);
        assert_true(w.rested_ns < 30 * SECOND);
}

static void when_the_last_guest_has_gone_it_is_free_again(void **state UNUSED) {
        struct world w;

        world_init(&w);
        w.is_asking = true;
        go_on(&w, 20 * SECOND);
        w.is_asking = false;
        go_on(&w, 3 * SECOND);
        assert_true(governor_window(&w.governor) == GOVERNOR_FREE_WINDOW);
        /* Who comes back finds what was learned. */
        w.is_asking = true;
        go_on(&w, SECOND);
        assert_true(w.governor.state == GOVERNOR_HOLDING && w.governor.window < 80 * MIB_S);
}

/* A guest turns to something that is slow by its nature: he does not suffer. */
static void what_is_slow_at_rest_too_does_not_narrow_it(void **state UNUSED) {
        struct world w;
        double before;

        world_init(&w);
        w.hurts_at = 0;
        w.is_asking = true;
        go_on(&w, 60 * SECOND);
        before = w.governor.window;
        w.narrowest = 1e18;
        w.at_rest_ns = 3 * MS;
        go_on(&w, 10 * SECOND);
        assert_true(w.narrowest >= 0.9 * before);
        w.at_rest_ns = 10 * US;
        go_on(&w, 10 * SECOND);
        assert_true(w.narrowest >= 0.9 * before);
}

static void what_gets_fast_at_rest_narrows_it_again(void **state UNUSED) {
        struct world w;

        world_init(&w);
        w.is_asking = true;
        w.at_rest_ns = 5 * MS;
        w.hurts_at = 0;
        go_on(&w, 60 * SECOND);
        assert_true(w.governor.window >= w.fastest);
        w.at_rest_ns = 100 * US; /* and ten times that while something is moved */
        w.hurts_at = 80 * MIB_S;
        go_on(&w, 20 * SECOND);
        assert_true(w.governor.window < 80 * MIB_S);
}

static void noise_alone_narrows_it_little(void **state UNUSED) {
        for (uint64_t seed = 1; seed <= 20; seed++) {
                struct world w;

                world_init(&w);
                w.dice = seed;
                w.hurts_at = 0;
                w.noise = 1.6; /* from a fifth to nine fifths */
                w.is_asking = true;
                w.think_ns = seed % 2 ? 0 : 10 * MS; /* hundreds of requests a second, or thousands */
                go_on(&w, 60 * SECOND);
                w.moved = 0;
                go_on(&w, 60 * SECOND);
                assert_true((double)w.moved > 0.7 * w.fastest * 60);
        }
}

static void what_others_do_to_guests_narrows_it_little(void **state UNUSED) {
        for (uint64_t seed = 1; seed <= 20; seed++) {
                struct world w;

                world_init(&w);
                w.dice = seed;
                w.hurts_at = 0;
                w.bursts = (double)(seed % 5) / 50; /* up to a twelfth of the time */
                w.is_asking = true;
                go_on(&w, 60 * SECOND);
                w.moved = 0;
                go_on(&w, 120 * SECOND);
                if ((double)w.moved < 0.5 * w.fastest * 120)
                        print_error("seed %d: %.0f MiB/s\n", (int)seed, (double)w.moved / 120 / MIB_S);
                assert_true((double)w.moved > 0.3 * w.fastest * 120);
        }
}

static void who_asks_hardly_ever_is_no_reason_to_rest(void **state UNUSED) {
        struct world w;

        world_init(&w);
        w.is_asking = true;
        w.at_rest_ns = 5 * MS;
        w.hurts_at = 0;
        go_on(&w, SECOND);
        w.rested_ns = 0;
        w.think_ns = 5 * MS;
        for (int i = 0; i < 60; i++) { /* a few at a time, then nothing */
                w.is_asking = true;
                go_on(&w, 30 * MS);
                w.is_asking = false;
                go_on(&w, 970 * MS);
        }
        assert_true(w.rested_ns < 60 * SECOND / 5);
        assert_true(w.governor.window > 100 * MIB_S);
}

static void after_a_pause_it_begins_anew(void **state UNUSED) {
        struct world w;

        world_init(&w);
        w.is_asking = true;
        go_on(&w, 20 * SECOND);
        w.now_ns += 1000 * SECOND;
        ask(&w, SECOND);
        governor_begin(&w.governor, w.now_ns, &w.guests);
        assert_true(governor_window(&w.governor) == GOVERNOR_FREE_WINDOW);
        assert_false(governor_is_due(&w.governor, w.now_ns));
        w.is_asking = false;
        go_on(&w, SECOND);
        assert_true(governor_window(&w.governor) == GOVERNOR_FREE_WINDOW);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(without_guests_it_goes_at_full_speed),
                cmocka_unit_test(a_guest_who_comes_is_looked_at_at_rest_first),
                cmocka_unit_test(it_narrows_until_guests_hardly_feel_it),
                cmocka_unit_test(writes_and_flushes_count_as_well),
                cmocka_unit_test(it_widens_when_guests_do_not_feel_it_any_more),
                cmocka_unit_test(however_guests_suffer_something_is_moved),
                cmocka_unit_test(when_the_last_guest_has_gone_it_is_free_again),
                cmocka_unit_test(what_is_slow_at_rest_too_does_not_narrow_it),
                cmocka_unit_test(what_gets_fast_at_rest_narrows_it_again),
                cmocka_unit_test(noise_alone_narrows_it_little),
                cmocka_unit_test(what_others_do_to_guests_narrows_it_little),
                cmocka_unit_test(who_asks_hardly_ever_is_no_reason_to_rest),
                cmocka_unit_test(after_a_pause_it_begins_anew),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
