// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <jansson.h>

#include "bar.h"
#include "bytes.h"
#include "io_sim.h"

/* Half of 2 GiB in ten steps of a second. */
static struct progress half_way(struct io *io) {
        struct progress progress = {.io = io};
        struct err_note note;

        progress_begin(&progress, "copy", 2 * GIB);
        for (unsigned i = 1; i <= 10; i++) {
                io_sim_advance(io, 1000000000);
                if (progress_step(&progress, i * GIB / 10, &note))
                        fail();
        }
        return progress;
}

static void a_bar_shows_share_rate_and_time_left(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(buf_fini) struct buf buf = {0};
        struct progress progress = half_way(io);

        (void)state;
        bar_draw(&(struct bar){.style = BAR_TERMINAL}, &progress, 80, &buf);
        assert_string_equal(
                buf_text(&buf),
                "copy  50% [============>           ]  1.00 GiB of 2.00 GiB  102 MiB/s  10s left");
        assert_true(buf.n <= 80);
}

static void a_narrow_terminal_gets_numbers_only(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(buf_fini) struct buf buf = {0};
        struct progress progress = half_way(io);

        (void)state;
        bar_draw(&(struct bar){.style = BAR_TERMINAL}, &progress, 40, &buf);
        assert_null(strchr(buf_text(&buf), '['));
        assert_non_null(strstr(buf_text(&buf), "50%"));
}

static void without_a_total_there_is_no_share(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(buf_fini) struct buf buf = {0};
        struct progress progress = half_way(io);

        (void)state;
        progress.total = 0;
        bar_draw(&(struct bar){.style = BAR_LINES}, &progress, 0, &buf);
        assert_string_equal(buf_text(&buf), "copy  1.00 GiB  102 MiB/s");
}

static void colours_come_only_where_asked_for(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(buf_fini) struct buf plain = {0}, coloured = {0};
        struct progress progress = half_way(io);

        (void)state;
        bar_draw(&(struct bar){.style = BAR_TERMINAL}, &progress, 80, &plain);
        bar_draw(&(struct bar){.style = BAR_TERMINAL, .has_colour = true}, &progress, 80, &coloured);
        assert_null(strchr(buf_text(&plain), '\033'));
        assert_non_null(strchr(buf_text(&coloured), '\033'));
}

static void as_json_it_is_one_object(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(buf_fini) struct buf buf = {0};
        struct progress progress = half_way(io);
        json_t *object, *inner;

        (void)state;
        bar_draw(&(struct bar){.style = BAR_JSON}, &progress, 0, &buf);
        object = json_loads(buf_text(&buf), 0, NULL);
        assert_non_null(object);
        inner = json_object_get(object, "progress");
        assert_int_equal(json_integer_value(json_object_get(inner, "done")), 1 << 30);
        assert_true(json_real_value(json_object_get(inner, "left_seconds")) > 9.9);
        json_decref(object);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_bar_shows_share_rate_and_time_left),
                cmocka_unit_test(a_narrow_terminal_gets_numbers_only),
                cmocka_unit_test(without_a_total_there_is_no_share),
                cmocka_unit_test(colours_come_only_where_asked_for),
                cmocka_unit_test(as_json_it_is_one_object),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
