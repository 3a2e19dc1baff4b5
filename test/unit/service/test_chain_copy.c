// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "chain_copy.h"
#include "mem.h"
#include "sr/sr_kit.h"

/* "a" and what it was before, "s"; and a disk "b" to copy into. */
struct scene {
        struct io *io; /* owned */
        struct sr *sr; /* owned */
        struct uuid a, s, b;
        struct chain *from, *base, *to; /* owned by the SR */
        struct progress progress;
        atomic_bool stops;
};

static int set_up(void **state) {
        struct scene *s = calloc(1, sizeof *s);
        struct err_note note = {0};

        s->io = io_sim_new(1, 0);
        s->sr = kit_create(s->io);
        s->a = kit_vdi(s->sr, "a");
        s->b = kit_vdi(s->sr, "b");
        kit_write(s->sr, &s->a, "AB");
        s->s = kit_snapshot(s->sr, &s->a, "s");
        kit_write(s->sr, &s->a, "X.C");
        kit_write(s->sr, &s->b, "...D");
        assert_ok(sr_open_chain(s->sr, &s->a, CHAIN_READ, &s->from, &note));
        assert_ok(sr_open_chain(s->sr, &s->s, CHAIN_READ, &s->base, &note));
        assert_ok(sr_open_chain(s->sr, &s->b, CHAIN_WRITE, &s->to, &note));
        s->progress = (struct progress){.io = s->io, .is_cancelled = &s->stops};
        progress_begin(&s->progress, "copy", KIT_SIZE);
        *state = s;
        return 0;
}

static int tear_down(void **state) {
        struct scene *s = *state;
        struct err_note note = {0};

        assert_ok(sr_close_chain(s->sr, s->from, &note));
        assert_ok(sr_close_chain(s->sr, s->base, &note));
        assert_ok(sr_close_chain(s->sr, s->to, &note));
        sr_close(s->sr);
        io_free(s->io);
        free(s);
        return 0;
}

static struct chain_copy order_of(struct scene *s, bool has_base, bool is_fresh) {
        return (struct chain_copy){.from = s->from,
                                   .base = has_base ? s->base : NULL,
                                   .to = s->to,
                                   .is_fresh = is_fresh,
                                   .progress = &s->progress};
}

static void all_of_it_goes_over_what_is_there_zeros_too(void **state) {
        struct scene *s = *state;
        const struct chain_copy copy = order_of(s, false, false);
        struct err_note note = {0};

        assert_ok(chain_copy_run(&copy, &note));
        assert_string_equal(kit_read_chain(s->to).s, "XBC.");
        assert_int_equal(s->progress.done, KIT_SIZE);
}

static void into_a_fresh_one_zeros_are_not_written(void **state) {
        struct scene *s = *state;
        const struct chain_copy copy = order_of(s, false, true);
        struct err_note note = {0};

        assert_ok(chain_copy_run(&copy, &note));
        assert_string_equal(kit_read_chain(s->to).s, "XBCD"); /* which this one was not */
}

static void with_a_base_only_what_differs_goes(void **state) {
        struct scene *s = *state;
        const struct chain_copy copy = order_of(s, true, false);
        struct err_note note = {0};
        uint64_t n;

        assert_ok(chain_copy_count(&copy, &n, &note));
        assert_ok(chain_copy_run(&copy, &note));
        assert_string_equal(kit_read_chain(s->to).s, "X.CD");
        assert_int_equal(s->progress.done, n);
        assert_in_range(n, 2 * 4096, 2 * 8192);
}

static void what_is_zeros_now_is_so_there(void **state) {
        struct scene *s = *state;
        const struct chain_copy copy = order_of(s, true, false);
        struct err_note note = {0};
        struct chain *writer;

        assert_ok(sr_close_chain(s->sr, s->from, &note));
        assert_ok(sr_open_chain(s->sr, &s->a, CHAIN_WRITE, &writer, &note));
        assert_ok(chain_write_zeroes(writer, 2 * MIB, 2 * MIB, &note));
        assert_ok(chain_write(s->to, "B", 1, 2 * MIB, &note));
        assert_ok(sr_close_chain(s->sr, writer, &note));
        assert_ok(sr_open_chain(s->sr, &s->a, CHAIN_READ, &s->from, &note));
        assert_ok(chain_copy_run(
                &(struct chain_copy){
                        .from = s->from, .base = s->base, .to = s->to, .progress = copy.progress},
                &note));
        assert_string_equal(kit_read_chain(s->to).s, "X.CD");
}

static void it_stops_when_it_is_told(void **state) {
        struct scene *s = *state;
        const struct chain_copy copy = order_of(s, true, false);
        struct err_note note = {0};

        atomic_store(&s->stops, true);
        assert_err(chain_copy_run(&copy, &note), ERR_CANCELLED, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(all_of_it_goes_over_what_is_there_zeros_too, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(into_a_fresh_one_zeros_are_not_written, set_up, tear_down),
                cmocka_unit_test_setup_teardown(with_a_base_only_what_differs_goes, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_is_zeros_now_is_so_there, set_up, tear_down),
                cmocka_unit_test_setup_teardown(it_stops_when_it_is_told, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
