// SPDX-License-Identifier: Apache-2.0
#include "target_limit.h"

#include "check.h"
#include "io_sim.h"
#include "mem.h"
#include "target_sim.h"

enum { SECOND = 1000000000, OBJECT = 1000 };

struct place {
        struct io *io;
        struct target_sim *sim;
        struct target *target;
        atomic_bool stop;
};

static void open_place(struct place *place, uint64_t up, uint64_t down) {
        const struct target_limit_options options = {.up = up, .down = down, .stop = &place->stop};

        place->io = io_sim_new(1, 0);
        place->sim = target_sim_new(1);
        place->target = target_limit_new(place->io, target_sim_open(place->sim), &options);
}

static void close_place(struct place *place) {
        target_close(place->target);
        target_sim_free(place->sim);
        io_free(place->io);
}
DEFINE_AUTO_IN_PLACE(struct place, close_place);

static void put_all(struct place *place, unsigned n) {
        uint8_t bytes[OBJECT] = {1};
        struct err_note note;

        for (unsigned i = 0; i < n; i++) {
                AUTO_FREE char *name = mem_format("a/%u", i);

                assert_ok(target_put(place->target, name, bytes, sizeof bytes, &note));
        }
}

/* By the simulated clock, which only sleeping moves. */
static void what_is_put_and_read_takes_its_time(void **state) {
        AUTO(close_place) struct place place = {0};
        uint64_t began, took;
        struct err_note note;

        (void)state;
        open_place(&place, 500, 2000);
        began = io_now_ns(place.io);
        put_all(&place, 11);
        took = io_now_ns(place.io) - began; /* all but the last one's own time */
        assert_in_range(took / 1000000, 19900, 20100);
        began = io_now_ns(place.io);
        for (unsigned i = 0; i < 11; i++) {
                AUTO(buf_fini) struct buf got = {0};
                AUTO_FREE char *name = mem_format("a/%u", i);

                assert_ok(target_get(place.target, name, OBJECT, &got, &note));
                assert_int_equal(got.n, OBJECT);
        }
        took = io_now_ns(place.io) - began;
        assert_in_range(took / 1000000, 4900, 5600);
}

static void without_a_limit_nothing_waits(void **state) {
        AUTO(close_place) struct place place = {0};
        uint64_t began;

        (void)state;
        open_place(&place, 0, 0);
        began = io_now_ns(place.io);
        put_all(&place, 50);
        assert_true(io_now_ns(place.io) - began < SECOND);
}

static void who_is_asked_to_stop_does_not_wait(void **state) {
        AUTO(close_place) struct place place = {0};
        uint8_t bytes[OBJECT] = {1};
        struct err_note note;

        (void)state;
        open_place(&place, 1, 0);
        put_all(&place, 1);
        atomic_store(&place.stop, true);
        assert_err(target_put(place.target, "b", bytes, sizeof bytes, &note), ERR_CANCELLED, "cancelled");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_put_and_read_takes_its_time),
                cmocka_unit_test(without_a_limit_nothing_waits),
                cmocka_unit_test(who_is_asked_to_stop_does_not_wait),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
