// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <stdlib.h>
#include <time.h>

#include "bytes.h"
#include "windows.h"

enum { HOUR = 3600, DAY = 24 * HOUR };
#define NEVER INT64_MAX

static struct windows windows_of(const char *const *specs, unsigned n) {
        struct windows windows = {.n = n};
        struct err_note note = {0};

        for (unsigned i = 0; i < n; i++)
                assert_ok(window_parse(specs[i], &windows.list[i], &note));
        return windows;
}

static void what_is_written_is_understood(void **state UNUSED) {
        static const struct {
                const char *text;
                uint8_t days;
                unsigned from, to;
                uint64_t limit;
                const char *as; /* NULL: the same */
        } table[] = {
                {"22:00-06:00", 0x7f, 1320, 360, 0, NULL},
                {"00:00-24:00", 0x7f, 0, 1440, 0, NULL},
                {"mon-sun", 0x7f, 0, 1440, 0, "00:00-24:00"},
                {"sat,sun", 0x60, 0, 1440, 0, "sat,sun 00:00-24:00"},
                {"sat,sun 00:00-24:00", 0x60, 0, 1440, 0, NULL},
                {"mon-fri 22:00-06:00=200M", 0x1f, 1320, 360, 200 * MIB, NULL},
                {"  wed   12:00-12:01 =64K", 0x04, 720, 721, 64 * KIB, "wed 12:00-12:01=64K"},
                {"fri-mon 01:02-03:04", 0x71, 62, 184, 0, "mon,fri-sun 01:02-03:04"},
                {"mon,wed,fri", 0x15, 0, 1440, 0, "mon,wed,fri 00:00-24:00"},
                {"tue=1G", 0x02, 0, 1440, 1024 * MIB, "tue 00:00-24:00=1G"},
                {"tue=100000", 0x02, 0, 1440, 100000, "tue 00:00-24:00=100000"},
                {"tue=1.5T", 0x02, 0, 1440, 1536 * (uint64_t)1024 * MIB, "tue 00:00-24:00=1536G"},
                {"23:59-24:00", 0x7f, 1439, 1440, 0, NULL},
                {"22:00-00:00", 0x7f, 1320, 0, 0, NULL},
        };

        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct err_note note = {0};
                struct window window, again;
                struct window_text text;

                assert_ok(window_parse(table[i].text, &window, &note));
                assert_int_equal(window.days, table[i].days);
                assert_int_equal(window.from, table[i].from);
                assert_int_equal(window.to, table[i].to);
                assert_int_equal(window.limit, table[i].limit);
                text = window_format(&window);
                assert_string_equal(text.s, table[i].as ? table[i].as : table[i].text);
                assert_ok(window_parse(text.s, &again, &note));
                assert_true(again.limit == window.limit && again.days == window.days &&
                            again.from == window.from && again.to == window.to);
        }
}

static void every_set_of_days_is_written_so_that_it_is_understood(void **state UNUSED) {
        for (unsigned days = 1; days < 128; days++) {
                struct window window = {.days = (uint8_t)days, .from = 5, .to = 6, .limit = UINT64_MAX / 4},
                              got;
                struct err_note note = {0};

                assert_ok(window_parse(window_format(&window).s, &got, &note));
                assert_int_equal(got.days, days);
                assert_true(got.limit == window.limit);
        }
}

static void what_is_wrong_is_said(void **state UNUSED) {
        static const struct {
                const char *text, *says;
        } table[] = {
                {"", "days or times"},
                {"   ", "days or times"},
                {"=50M", "days or times"},
                {"always", "mon to sun"},
                {"mo", "mon to sun"},
                {"monday", "mon to sun"},
                {"mon-", "mon to sun"},
                {"mon,", "mon to sun"},
                {"mon, tue", "mon to sun"},
                {"MON", "mon to sun"},
                {"22:00", "00:00 to 24:00"},
                {"22:00-", "00:00 to 24:00"},
                {"2:00-3:00", "00:00 to 24:00"},
                {"22:60-23:00", "00:00 to 24:00"},
                {"22:00-24:01", "00:00 to 24:00"},
                {"25:00-26:00", "00:00 to 24:00"},
                {"22.00-23.00", "00:00 to 24:00"},
                {"22:000-23:00", "00:00 to 24:00"},
                {"22:00-22:00", "never be open"},
                {"24:00-06:00", "never be open"},
                {"22:00-06:00 mon", "days, times and a limit"},
                {"mon 22:00-06:00 50M", "days, times and a limit"},
                {"mon 22:00-06:00=", "a size"},
                {"mon 22:00-06:00=fast", "a size"},
                {"mon 22:00-06:00=0", "at least 64K"},
                {"mon 22:00-06:00=63K", "at least 64K"},
        };

        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct err_note note = {0};
                struct window window;

                assert_int_equal(window_parse(table[i].text, &window, &note), ERR_INVALID);
                if (!strstr(note.text, table[i].says))
                        print_error("'%s': %s\n", table[i].text, note.text);
                assert_non_null(strstr(note.text, table[i].says));
        }
}

/* "fri 21:59" */
static struct window_moment moment_of(const char *text) {
        static const char names[][4] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
        struct window_moment moment = {0};

        while (strncmp(text, names[moment.day], 3) != 0)
                moment.day++;
        moment.minute = (unsigned)(atoi(text + 4) * 60 + atoi(text + 7));
        return moment;
}

static void a_window_is_open_from_its_beginning_to_before_its_end(void **state UNUSED) {
        static const struct {
                const char *spec, *at;
                bool is_open;
        } table[] = {
                {"22:00-06:00", "mon 21:59", false},
                {"22:00-06:00", "mon 22:00", true},
                {"22:00-06:00", "mon 23:59", true},
                {"22:00-06:00", "tue 00:00", true},
                {"22:00-06:00", "tue 05:59", true},
                {"22:00-06:00", "tue 06:00", false},
                {"08:00-12:00", "sun 07:59", false},
                {"08:00-12:00", "sun 08:00", true},
                {"08:00-12:00", "sun 11:59", true},
                {"08:00-12:00", "sun 12:00", false},
                /* It belongs to the day on which it begins. */
                {"fri 22:00-06:00", "fri 05:00", false},
                {"fri 22:00-06:00", "fri 22:00", true},
                {"fri 22:00-06:00", "sat 05:59", true},
                {"fri 22:00-06:00", "sat 22:00", false},
                {"sun 22:00-06:00", "mon 05:59", true},
                {"sun 22:00-06:00", "sun 05:59", false},
                {"mon-fri 22:00-06:00", "mon 05:00", false},
                {"mon-fri 22:00-06:00", "sat 05:00", true},
                {"sat,sun", "fri 23:59", false},
                {"sat,sun", "sat 00:00", true},
                {"sat,sun", "sun 23:59", true},
                {"sat,sun", "mon 00:00", false},
                {"wed 12:00-12:01", "wed 11:59", false},
                {"wed 12:00-12:01", "wed 12:00", true},
                {"wed 12:00-12:01", "wed 12:01", false},
                {"23:59-24:00", "wed 23:59", true},
                {"23:59-24:00", "wed 00:00", false},
                {"tue 22:00-00:00", "tue 23:59", true},
                {"tue 22:00-00:00", "wed 00:00", false},
                {"00:01-00:00", "wed 00:00", false},
                {"00:01-00:00", "wed 00:01", true},
        };

        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct windows windows = windows_of(&table[i].spec, 1);
                uint64_t limit;
                bool is_open = windows_are_open(&windows, moment_of(table[i].at), &limit);

                if (is_open != table[i].is_open)
                        print_error("%s at %s\n", table[i].spec, table[i].at);
                assert_int_equal(is_open, table[i].is_open);
        }
}

static void of_several_the_one_that_allows_most_counts(void **state UNUSED) {
        static const char *const specs[] = {"mon-fri 08:00-18:00=10M", "12:00-13:00=50M", "mon 12:30-12:40",
                                            "20:00-21:00=64K"};
        static const struct {
                const char *at;
                bool is_open;
                uint64_t limit;
        } table[] = {
                {"mon 07:59", false, 0}, {"mon 08:00", true, 10 * MIB}, {"mon 12:00", true, 50 * MIB},
                {"mon 12:30", true, 0},  {"tue 12:30", true, 50 * MIB}, {"sun 12:30", true, 50 * MIB},
                {"sun 08:00", false, 0}, {"mon 13:00", true, 10 * MIB}, {"sun 20:59", true, 64 * KIB},
        };
        struct windows windows = windows_of(specs, 4), turned = windows, none = {0};
        uint64_t limit;

        for (unsigned i = 0; i < 4; i++)
                turned.list[i] = windows.list[3 - i];
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                assert_int_equal(windows_are_open(&windows, moment_of(table[i].at), &limit),
                                 table[i].is_open);
                assert_int_equal(limit, table[i].limit);
                assert_int_equal(windows_are_open(&turned, moment_of(table[i].at), &limit), table[i].is_open);
                assert_int_equal(limit, table[i].limit);
        }
        assert_true(windows_are_open(&none, moment_of("wed 03:00"), &limit));
        assert_int_equal(limit, 0);
}

/* ---- when next ---- */

static void set_zone(const char *zone) {
        assert_int_equal(setenv("TZ", zone, 1), 0);
        tzset();
}

/* Rules as POSIX writes them, so that no list of zones is needed: central Europe. */
#define EUROPE "CET-1CEST,M3.5.0,M10.5.0/3"
#define MON    1767571200 /* Monday 2026-01-05, 00:00 UTC */

static void the_next_opening_is_told(void **state UNUSED) {
        static const struct {
                const char *zone, *spec;
                int64_t now, next;
        } table[] = {
                {"UTC0", "22:00-06:00", MON + 18 * HOUR + 3000, MON + 22 * HOUR},
                {"UTC0", "22:00-06:00", MON + 22 * HOUR - 1, MON + 22 * HOUR},
                {"UTC0", "22:00-06:00", MON + 23 * HOUR, MON + 23 * HOUR}, /* it is open */
                {"UTC0", "22:00-06:00", MON + 6 * HOUR, MON + 22 * HOUR},
                {"UTC0", "mon 00:00-00:01", MON + 60, MON + 7 * DAY},
                {"UTC0", "sun 23:59-24:00", MON, MON + 7 * DAY - 60},
                {"UTC0", "sat,sun", MON + 5, MON + 5 * DAY},
                {"UTC-5:30", "06:00-07:00", MON, MON + HOUR / 2},  /* 05:30 there */
                {"UTC+8", "sun 16:30-17:00", MON, MON + HOUR / 2}, /* Sunday 16:00 there */
                {EUROPE, "22:00-06:00", MON + 12 * HOUR, MON + 21 * HOUR},
                /* 2026-03-29, 02:00 becomes 03:00 at 01:00 UTC.  What would begin in the hour that is not,
                 * begins after it; what would be open within it only is not that day. */
                {EUROPE, "sun 02:30-05:00", 1774742400, 1774746000},
                {EUROPE, "sun 02:30-02:45", 1774742400, 1774746000 + 7 * DAY - HOUR / 2},
                {EUROPE, "12:00-13:00", 1774742400, 1774742400 + 10 * HOUR},
                /* 2026-10-25, 03:00 becomes 02:00 at 01:00 UTC: half past two is twice. */
                {EUROPE, "sun 02:30-02:45", 1792886400, 1792886400 + HOUR / 2},
                {EUROPE, "sun 02:30-02:45", 1792886400 + HOUR, 1792886400 + HOUR + HOUR / 2},
                {EUROPE, "sun 12:00-13:00", 1792886400, 1792886400 + 11 * HOUR},
        };

        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct windows windows = windows_of(&table[i].spec, 1);
                int64_t next;

                set_zone(table[i].zone);
                next = windows_next_open(&windows, table[i].now, window_moment_of);
                if (next != table[i].next)
                        print_error("%zu: %s in %s: %lld s off\n", i, table[i].spec, table[i].zone,
                                    (long long)(next - table[i].next));
                assert_true(next == table[i].next);
        }
}

/* Against the opposite way of asking: each minute of a year with both changes of the clock. */
static void it_is_never_open_before_it_opens(void **state UNUSED) {
        static const char *const specs[] = {"mon-fri 22:00-06:00", "sun 01:30-03:30", "sat 12:00-12:01"};
        struct windows windows = windows_of(specs, 3);
        int64_t next = 0;

        set_zone(EUROPE);
        for (int64_t at = MON; at < MON + 366 * DAY; at += 60) {
                uint64_t limit;
                bool is_open = windows_are_open(&windows, window_moment_of(at), &limit);

                if (next <= at)
                        next = windows_next_open(&windows, at, window_moment_of);
                assert_true(is_open == (next == at));
        }
}

static struct window_moment always_noon(int64_t unix_seconds UNUSED) {
        return (struct window_moment){.day = 2, .minute = 720};
}

static void what_never_opens_is_never(void **state UNUSED) {
        const char *spec = "thu 01:00-02:00";
        struct windows windows = windows_of(&spec, 1);

        assert_true(windows_next_open(&windows, MON, always_noon) == NEVER);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_written_is_understood),
                cmocka_unit_test(every_set_of_days_is_written_so_that_it_is_understood),
                cmocka_unit_test(what_is_wrong_is_said),
                cmocka_unit_test(a_window_is_open_from_its_beginning_to_before_its_end),
                cmocka_unit_test(of_several_the_one_that_allows_most_counts),
                cmocka_unit_test(the_next_opening_is_told),
                cmocka_unit_test(it_is_never_open_before_it_opens),
                cmocka_unit_test(what_never_opens_is_never),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
