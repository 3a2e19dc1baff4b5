// SPDX-License-Identifier: Apache-2.0
#include "sr_kit.h"

#include "gc_rows.h"
#include "store_sqlite.h"

static struct catalog *open_catalog(struct io *io) {
        struct err_note note = {0};
        struct catalog *catalog = NULL;

        assert_ok(catalog_open(io, "/catalog.db", store_sqlite_open, STORE_WRITE | STORE_CREATE, &catalog,
                               &note));
        return catalog;
}

static void put_raw(struct catalog *catalog, const char *table, const char *key, const char *value) {
        struct store_change *change;
        struct err_note note = {0};

        assert_ok(catalog_begin(catalog, &change, &note));
        assert_ok(store_put(change, table, key, value, strlen(value), &note));
        assert_ok(store_commit(change, &note));
}

static void settings_last(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(catalog_close) struct catalog *catalog = open_catalog(io);
        struct gc_settings settings = {.is_paused = true, .limit = 50 * MIB}, got;
        struct store_change *change;
        struct err_note note = {0};

        assert_ok(gc_settings_read(catalog, &got, &note));
        assert_true(!got.is_paused && got.limit == 0);
        assert_ok(catalog_begin(catalog, &change, &note));
        assert_ok(gc_settings_put(change, &settings, &note));
        assert_ok(store_commit(change, &note));
        assert_ok(gc_settings_read(catalog, &got, &note));
        assert_true(got.is_paused && got.limit == 50 * MIB);
        assert_ok(gc_settings_read(NULL, &got, &note));
        assert_false(got.is_paused);
}

static void settings_of_before_guests_and_windows_are_read(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(catalog_close) struct catalog *catalog = open_catalog(io);
        struct gc_settings got;
        struct err_note note = {0};

        put_raw(catalog, "gc", "settings", "{\"paused\":true,\"limit\":77}");
        assert_ok(gc_settings_read(catalog, &got, &note));
        assert_true(got.is_paused && got.limit == 77);
        assert_true(!got.ignores_guests && got.windows.n == 0);
        put_raw(catalog, "gc", "settings",
                "{\"limit\":77,\"guests\":5,\"windows\":[\"sat\",\"someday\",7,\"01:00-02:00=1M\"],\"new\":"
                "1}");
        assert_ok(gc_settings_read(catalog, &got, &note));
        assert_true(!got.is_paused && got.limit == 77 && !got.ignores_guests);
        assert_int_equal(got.windows.n, 2);
        assert_string_equal(window_format(&got.windows.list[0]).s, "sat 00:00-24:00");
        assert_true(got.windows.list[1].limit == MIB);
}

static void guests_and_windows_last(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(catalog_close) struct catalog *catalog = open_catalog(io);
        struct gc_settings settings = {.ignores_guests = true}, got;
        struct store_change *change;
        struct err_note note = {0};

        for (unsigned i = 0; i < WINDOWS_MAX; i++) {
                assert_ok(window_parse("mon-fri 22:00-06:00=200M", &settings.windows.list[i], &note));
                settings.windows.list[i].from = (uint16_t)(1300 + i);
        }
        settings.windows.n = WINDOWS_MAX;
        assert_ok(catalog_begin(catalog, &change, &note));
        assert_ok(gc_settings_put(change, &settings, &note));
        assert_ok(store_commit(change, &note));
        assert_ok(gc_settings_read(catalog, &got, &note));
        assert_true(got.ignores_guests);
        assert_int_equal(got.windows.n, WINDOWS_MAX);
        for (unsigned i = 0; i < WINDOWS_MAX; i++)
                assert_string_equal(window_format(&got.windows.list[i]).s,
                                    window_format(&settings.windows.list[i]).s);
}

static void a_damaged_row_is_no_row(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(catalog_close) struct catalog *catalog = open_catalog(io);
        AUTO(gc_failures_fini) struct gc_failures failures = {0};
        AUTO(gc_history_fini) struct gc_history history = {0};
        struct gc_settings got;
        struct err_note note = {0};

        put_raw(catalog, "gc", "settings", "{\"paused\":tr");
        put_raw(catalog, "gc_failure", "nonsense", "{}");
        put_raw(catalog, "gc_failure", "01000000-0000-0000-0000-000000000000", "[]");
        put_raw(catalog, "gc_failure", "02000000-0000-0000-0000-000000000000", "{\"text\":5,\"times\":-3}");
        put_raw(catalog, "gc_history", "0000000000000001", "7");
        assert_ok(gc_settings_read(catalog, &got, &note));
        assert_true(!got.is_paused && got.limit == 0);
        assert_ok(gc_failures_read(catalog, &failures, &note));
        assert_int_equal(failures.list.n, 1);
        assert_string_equal(failures.list.data[0].text, "");
        assert_int_equal(failures.list.data[0].times, 0);
        assert_ok(gc_history_read(catalog, &history, &note));
        assert_int_equal(history.list.n, 0);
}

static void a_failure_is_kept_until_it_is_dropped(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(catalog_close) struct catalog *catalog = open_catalog(io);
        AUTO(gc_failures_fini) struct gc_failures failures = {0};
        struct gc_failure failure = {
                .tree = {{7}}, .text = (char[]){"sync failed"}, .times = 3, .at = 100, .again_at = 220};
        struct store_change *change;
        struct err_note note = {0};

        assert_ok(catalog_begin(catalog, &change, &note));
        assert_ok(gc_failure_put(change, &failure, &note));
        assert_ok(store_commit(change, &note));
        assert_ok(gc_failures_read(catalog, &failures, &note));
        assert_int_equal(failures.list.n, 1);
        assert_string_equal(failures.list.data[0].text, "sync failed");
        assert_int_equal(failures.list.data[0].times, 3);
        assert_int_equal(failures.list.data[0].at, 100);
        assert_int_equal(failures.list.data[0].again_at, 220);
        assert_true(uuid_equal(&failures.list.data[0].tree, &failure.tree));
        gc_failures_fini(&failures);
        assert_ok(catalog_begin(catalog, &change, &note));
        assert_ok(gc_failure_drop(change, &failure.tree, &note));
        assert_ok(store_commit(change, &note));
        assert_ok(gc_failures_read(catalog, &failures, &note));
        assert_int_equal(failures.list.n, 0);
}

static void add_past(struct catalog *catalog, struct store_change *change, uint64_t bytes, uint64_t ms) {
        struct gc_past past = {.target = {{1}},
                               .top = {{2}},
                               .name = (char[]){"disk"},
                               .direction = (char[]){"push"},
                               .result = (char[]){"io"},
                               .text = (char[]){"why"},
                               .began = 10,
                               .ended = 20,
                               .lasted_ms = ms,
                               .bytes = bytes,
                               .layers = 2};
        struct err_note note = {0};

        assert_ok(gc_past_add(catalog, change, &past, &note));
}

static void the_last_thousand_are_kept(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(catalog_close) struct catalog *catalog = open_catalog(io);
        AUTO(gc_history_fini) struct gc_history history = {0};
        struct store_change *change;
        struct err_note note = {0};
        const struct gc_past *last;

        assert_ok(catalog_begin(catalog, &change, &note));
        for (unsigned i = 0; i < GC_PAST_MAX; i++) {
                char key[20];

                (void)snprintf(key, sizeof key, "%016u", i + 5);
                assert_ok(store_put(change, "gc_history", key, "{}", 2, &note));
        }
        add_past(catalog, change, 7, 8);
        add_past(catalog, change, 9, 10);
        assert_ok(store_commit(change, &note));
        assert_ok(gc_history_read(catalog, &history, &note));
        assert_int_equal(history.list.n, GC_PAST_MAX);
        assert_int_equal(history.list.data[0].number, 7);
        last = &history.list.data[GC_PAST_MAX - 1];
        assert_int_equal(last->number, GC_PAST_MAX + 6);
        assert_int_equal(last->bytes, 9);
        assert_int_equal(last->lasted_ms, 10);
        assert_int_equal(last->layers, 2);
        assert_int_equal(last->began, 10);
        assert_int_equal(last->ended, 20);
        assert_string_equal(last->name, "disk");
        assert_string_equal(last->direction, "push");
        assert_string_equal(last->result, "io");
        assert_string_equal(last->text, "why");
        assert_int_equal(last->target.b[0], 1);
        assert_int_equal(last->top.b[0], 2);
}

static void the_rate_is_of_the_last_that_moved_enough(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(catalog_close) struct catalog *catalog = open_catalog(io);
        AUTO(gc_history_fini) struct gc_history history = {0};
        struct store_change *change;
        struct err_note note = {0};

        assert_int_equal(gc_history_rate(&history), 0);
        assert_ok(catalog_begin(catalog, &change, &note));
        add_past(catalog, change, 1000 * MIB, 1); /* long ago */
        for (unsigned i = 0; i < 10; i++)
                add_past(catalog, change, 100 * MIB, 2000);
        add_past(catalog, change, 100, 100000); /* nothing to speak of */
        assert_ok(store_commit(change, &note));
        assert_ok(gc_history_read(catalog, &history, &note));
        assert_int_equal(gc_history_rate(&history), 50 * MIB);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(settings_last),
                cmocka_unit_test(settings_of_before_guests_and_windows_are_read),
                cmocka_unit_test(guests_and_windows_last),
                cmocka_unit_test(a_damaged_row_is_no_row),
                cmocka_unit_test(a_failure_is_kept_until_it_is_dropped),
                cmocka_unit_test(the_last_thousand_are_kept),
                cmocka_unit_test(the_rate_is_of_the_last_that_moved_enough),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
