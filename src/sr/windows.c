// SPDX-License-Identifier: Apache-2.0
#include "windows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "text.h"

enum { DAYS = 7, ALL_DAYS = (1 << DAYS) - 1, LOOK_DAYS = 15 };

static const char *const day_names[DAYS] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

/* ---- parsing ---- */

static bool parse_day(const char **text, unsigned *ret) {
        for (unsigned i = 0; i < DAYS; i++) {
                if (strncmp(*text, day_names[i], 3) == 0) {
                        *text += 3;
                        *ret = i;
                        return true;
                }
        }
        return false;
}

/* "mon-fri,sun"; false where it is none. */
static bool parse_days(const char **text, uint8_t *ret) {
        unsigned first, last;

        *ret = 0;
        do {
                if (!parse_day(text, &first))
                        return false;
                last = first;
                if (**text == '-') {
                        ++*text;
                        if (!parse_day(text, &last))
                                return false;
                }
                for (unsigned day = first;; day = (day + 1) % DAYS) {
                        *ret |= (uint8_t)(1 << day);
                        if (day == last)
                                break;
                }
        } while (**text == ',' && ++*text);
        return true;
}

static bool parse_digits(const char **text, unsigned *ret) {
        unsigned n = 0;

        for (*ret = 0; **text >= '0' && **text <= '9' && n < 2; n++)
                *ret = *ret * 10 + (unsigned)(*(*text)++ - '0');
        return n == 2;
}

static bool parse_time(const char **text, uint16_t *ret) {
        unsigned hour, minute;

        if (!parse_digits(text, &hour) || *(*text)++ != ':' || !parse_digits(text, &minute) || minute > 59 ||
            hour * 60 + minute > WINDOW_DAY)
                return false;
        *ret = (uint16_t)(hour * 60 + minute);
        return true;
}

static bool parse_times(const char **text, struct window *window) {
        return parse_time(text, &window->from) && *(*text)++ == '-' && parse_time(text, &window->to);
}

static void skip_spaces(const char **text) {
        while (**text == ' ')
                ++*text;
}

static enum err refuse(const char *text, const char *why, struct err_note *note) {
        return err_set(note, ERR_INVALID, "'%s': %s, such as 'mon-fri 22:00-06:00=200M' or 'sat,sun'", text,
                       why);
}

static enum err parse_limit(const char *text, const char *limit, uint64_t *ret, struct err_note *note) {
        if (!text_parse_size(limit, ret))
                return refuse(text, "what stands behind '=' is a size for each second", note);
        if (*ret < GC_LIMIT_AT_LEAST)
                return refuse(text, "a window's limit is at least 64K", note);
        return ERR_NONE;
}

enum err window_parse(const char *text, struct window *ret, struct err_note *note) {
        struct window window = {.days = ALL_DAYS, .from = 0, .to = WINDOW_DAY};
        const char *at = text;

        skip_spaces(&at);
        if (*at == '\0' || *at == '=')
                return refuse(text, "a window has days or times", note);
        if (*at < '0' || *at > '9') {
                if (!parse_days(&at, &window.days))
                        return refuse(text, "days are mon to sun", note);
                if (*at && *at != ' ' && *at != '=')
                        return refuse(text, "days are mon to sun", note);
                skip_spaces(&at);
        }
        if (*at >= '0' && *at <= '9' && !parse_times(&at, &window))
                return refuse(text, "times are two from 00:00 to 24:00", note);
        if (window.from == window.to || window.from == WINDOW_DAY)
                return refuse(text, "it would never be open; times are two that differ", note);
        skip_spaces(&at);
        if (*at == '=' && parse_limit(text, at + 1, &window.limit, note))
                return note->code;
        if (*at && *at != '=')
                return refuse(text, "a window is days, times and a limit", note);
        *ret = window;
        return ERR_NONE;
}

/* ---- formatting ---- */

/* Runs of days as ranges: "mon-wed,sun". */
static void format_days(uint8_t days, char *s, size_t room) {
        size_t n = 0;

        for (unsigned day = 0; day < DAYS; day++) {
                unsigned last = day;

                if (!(days & 1 << day))
                        continue;
                while (last + 1 < DAYS && days & 1 << (last + 1))
                        last++;
                n += (size_t)snprintf(s + n, room - n, "%s%s", n ? "," : "", day_names[day]);
                if (last > day)
                        n += (size_t)snprintf(s + n, room - n, "%s%s", last > day + 1 ? "-" : ",",
                                              day_names[last]);
                day = last;
        }
}

/* In the largest unit that it is a multiple of. */
static void format_limit(uint64_t limit, char *s, size_t room) {
        static const char units[] = "TGMK";
        unsigned bits = 40, i = 0;

        for (; bits && limit % ((uint64_t)1 << bits); bits -= 10)
                i++;
        (void)snprintf(s, room, "=%" PRIu64 "%.1s", limit >> bits, units + i);
}

struct window_text window_format(const struct window *window) {
        char days[DAYS * 4 + 1] = "", limit[24] = "";
        struct window_text text;

        if (window->days != ALL_DAYS)
                format_days(window->days, days, sizeof days);
        if (window->limit)
                format_limit(window->limit, limit, sizeof limit);
        (void)snprintf(text.s, sizeof text.s, "%s%s%02u:%02u-%02u:%02u%s", days, *days ? " " : "",
                       window->from / 60u, window->from % 60u, window->to / 60u, window->to % 60u, limit);
        return text;
}

/* ---- deciding ---- */

static bool has_day(const struct window *window, unsigned day) {
        return window->days & 1 << day;
}

static bool is_open(const struct window *window, struct window_moment moment) {
        unsigned yesterday = (moment.day + DAYS - 1) % DAYS;

        if (window->from < window->to)
                return has_day(window, moment.day) && moment.minute >= window->from &&
                       moment.minute < window->to;
        return (has_day(window, moment.day) && moment.minute >= window->from) ||
               (has_day(window, yesterday) && moment.minute < window->to);
}

bool windows_are_open(const struct windows *windows, struct window_moment moment, uint64_t *ret_limit) {
        bool is_any = windows->n == 0;

        *ret_limit = 0;
        for (unsigned i = 0; i < windows->n; i++) {
                const struct window *window = &windows->list[i];

                if (!is_open(window, moment))
                        continue;
                if (!is_any || window->limit == 0)
                        *ret_limit = window->limit;
                else if (*ret_limit && window->limit > *ret_limit)
                        *ret_limit = window->limit;
                is_any = true;
        }
        return is_any;
}

struct window_moment window_moment_of(int64_t unix_seconds) {
        time_t when = (time_t)unix_seconds;
        struct tm tm = {0};

        localtime_r(&when, &tm);
        return (struct window_moment){.day = (unsigned)(tm.tm_wday + DAYS - 1) % DAYS,
                                      .minute = (unsigned)(tm.tm_hour * 60 + tm.tm_min)};
}

/* Minute by minute, so that it is right on days on which the clock is put forward or back. */
int64_t windows_next_open(const struct windows *windows, int64_t now, window_clock clock) {
        int64_t until = now + (int64_t)LOOK_DAYS * WINDOW_DAY * 60;
        uint64_t unused;

        for (int64_t at = now; at < until; at += 60 - at % 60) {
                if (windows_are_open(windows, clock(at), &unused))
                        return at;
        }
        return INT64_MAX;
}
