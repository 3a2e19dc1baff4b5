// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bytes.h"

static const char units[] = "KMGTPE";

bool text_parse_u64(const char *text, uint64_t *ret) {
        uint64_t v = 0;

        if (*text == '\0')
                return false;
        for (; *text; text++) {
                if (*text < '0' || *text > '9')
                        return false;
                if (!mul_u64(v, 10, &v) || !add_u64(v, (uint64_t)(*text - '0'), &v))
                        return false;
        }
        *ret = v;
        return true;
}

bool text_parse_seconds(const char *text, uint64_t *ret) {
        static const struct {
                char unit;
                uint64_t seconds;
        } of[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
        char digits[9];
        size_t n = strlen(text);
        uint64_t seconds = 1, number;

        for (size_t i = 0; i < sizeof of / sizeof *of && n > 0; i++)
                if (text[n - 1] == of[i].unit) {
                        seconds = of[i].seconds;
                        n--;
                        break;
                }
        if (n >= sizeof digits)
                return false;
        memcpy(digits, text, n);
        digits[n] = '\0';
        if (!text_parse_u64(digits, &number))
                return false;
        *ret = number * seconds;
        return true;
}

/* The exponent of 1024 that the unit names, or -1. */
static int unit_of(const char *text) {
        const char *unit;

        if (*text == '\0' || strcmp(text, "B") == 0)
                return 0;
        unit = strchr(units, *text >= 'a' && *text <= 'z' ? *text - 'a' + 'A' : *text);
        if (!unit)
                return -1;
        text++;
        if (*text == '\0' || strcmp(text, "B") == 0 || strcmp(text, "iB") == 0)
                return (int)(unit - units) + 1;
        return -1;
}

bool text_parse_size(const char *text, uint64_t *ret_bytes) {
        uint64_t whole = 0, bytes;
        double part = 0, place = 0.1;
        const char *at = text;
        int unit;

        for (; *at >= '0' && *at <= '9'; at++)
                if (!mul_u64(whole, 10, &whole) || !add_u64(whole, (uint64_t)(*at - '0'), &whole))
                        return false;
        if (at == text)
                return false;
        if (*at == '.')
                for (at++; *at >= '0' && *at <= '9'; at++, place /= 10)
                        part += place * (*at - '0');
        unit = unit_of(at);
        if (unit < 0 || (unit == 0 && part > 0))
                return false;
        if (!mul_u64(whole, (uint64_t)1 << (10 * unit), &bytes) ||
            !add_u64(bytes, (uint64_t)(part * (double)((uint64_t)1 << (10 * unit)) + 0.5), &bytes))
                return false;
        *ret_bytes = bytes;
        return true;
}

struct text text_size(uint64_t bytes) {
        double v = (double)bytes;
        struct text t;
        int unit = -1;

        while (v >= 1024 && units[unit + 1]) {
                v /= 1024;
                unit++;
        }
        if (unit < 0)
                snprintf(t.s, sizeof t.s, "%" PRIu64 " B", bytes);
        else
                snprintf(t.s, sizeof t.s,
                         v < 9.995   ? "%.2f %ciB"
                         : v < 99.95 ? "%.1f %ciB"
                                     : "%.0f %ciB",
                         v, units[unit]);
        return t;
}

struct text text_rate(uint64_t bytes, uint64_t ns) {
        struct text size = text_size(ns ? (uint64_t)((double)bytes * 1e9 / (double)ns) : 0), t;

        snprintf(t.s, sizeof t.s, "%.30s/s", size.s);
        return t;
}

struct text text_duration(uint64_t ns) {
        uint64_t seconds = ns / 1000000000;
        struct text t;

        if (seconds < 10)
                snprintf(t.s, sizeof t.s, "%.1fs", (double)ns / 1e9);
        else if (seconds < 60)
                snprintf(t.s, sizeof t.s, "%" PRIu64 "s", seconds);
        else if (seconds < 3600)
                snprintf(t.s, sizeof t.s, "%" PRIu64 "m %02" PRIu64 "s", seconds / 60, seconds % 60);
        else if (seconds < 86400)
                snprintf(t.s, sizeof t.s, "%" PRIu64 "h %02" PRIu64 "m", seconds / 3600, seconds / 60 % 60);
        else
                snprintf(t.s, sizeof t.s, "%" PRIu64 "d %02" PRIu64 "h", seconds / 86400,
                         seconds / 3600 % 24);
        return t;
}

struct text text_time(int64_t unix_seconds) {
        time_t when = (time_t)unix_seconds;
        struct text t;
        struct tm tm;

        gmtime_r(&when, &tm);
        strftime(t.s, sizeof t.s, "%Y-%m-%dT%H:%M:%SZ", &tm);
        return t;
}

bool text_parse_time(const char *text, int64_t *ret_unix_seconds) {
        struct tm tm = {0};
        int64_t seconds;

        if (strlen(text) != 20 || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ", &tm.tm_year, &tm.tm_mon,
                                         &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
                return false;
        tm.tm_year -= 1900;
        tm.tm_mon -= 1;
        seconds = timegm(&tm);
        /* Days that a month has not, blanks, signs: all are written otherwise than they stood. */
        if (strcmp(text_time(seconds).s, text) != 0)
                return false;
        *ret_unix_seconds = seconds;
        return true;
}

bool text_starts_with(const char *text, const char *start) {
        return strncmp(text, start, strlen(start)) == 0;
}

bool text_ends_with(const char *text, const char *end) {
        size_t n = strlen(text), m = strlen(end);

        return n >= m && memcmp(text + n - m, end, m) == 0;
}
