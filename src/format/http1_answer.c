// SPDX-License-Identifier: Apache-2.0
#include "http1_answer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
        unsigned status;
        const char *reason;
} reasons[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {423, "Locked"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
};

const char *http1_reason(unsigned status) {
        for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
                if (reasons[i].status == status)
                        return reasons[i].reason;
        return "";
}

bool http1_has_no_body(unsigned status) {
        return status < 200 || status == 204 || status == 304;
}

/* ---- dates ----------------------------------------------------------------------------------- */

struct date {
        int64_t year;
        unsigned month, day; /* from 1 */
};

/* Years begin in March: then the day that is there in some years only is the last. */
static struct date date_of(int64_t days) {
        int64_t day = days + 719468; /* since March 1st of year 0 */
        int64_t era = (day >= 0 ? day : day - 146096) / 146097, in_era = day - era * 146097,
                year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365,
                in_year = in_era - (365 * year + year / 4 - year / 100);
        unsigned month = (unsigned)((5 * in_year + 2) / 153);

        return (struct date){.year = era * 400 + year + (month >= 10),
                             .month = month < 10 ? month + 3 : month - 9,
                             .day = (unsigned)(in_year - (153 * (int64_t)month + 2) / 5 + 1)};
}

struct http1_date http1_date(int64_t seconds) {
        static const char weekdays[][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"},
                          months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        const int64_t year_9999 = 253402300799;
        struct http1_date text;
        struct date date;
        int64_t days, left;

        seconds = seconds < 0 ? 0 : seconds > year_9999 ? year_9999 : seconds;
        days = seconds / 86400;
        left = seconds % 86400;
        date = date_of(days);
        snprintf(text.s, sizeof text.s, "%s, %02u %s %04u %02u:%02u:%02u GMT", weekdays[days % 7], date.day,
                 months[date.month - 1], (unsigned)(date.year % 10000), (unsigned)(left / 3600),
                 (unsigned)(left / 60 % 60), (unsigned)(left % 60));
        return text;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static bool is_value(const char *text, size_t n) {
        for (size_t i = 0; i < n; i++) {
                uint8_t c = (uint8_t)text[i];

                if ((c < ' ' && c != '\t') || c == 0x7f)
                        return false;
        }
        return true;
}

static bool is_name(const char *text, size_t n) {
        for (size_t i = 0; i < n; i++) {
                char c = text[i];
                bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

                if (!is_letter && !(c >= '0' && c <= '9') && !(c && strchr("!#$%&'*+-.^_`|~", c)))
                        return false;
        }
        return n > 0;
}

/* Each "Name: value" and its CR LF. */
static bool are_lines(const char *text) {
        while (*text) {
                const char *end = strstr(text, "\r\n"), *colon = strchr(text, ':');

                if (!end || !colon || colon > end || !is_name(text, (size_t)(colon - text)) ||
                    !is_value(colon + 1, (size_t)(end - colon - 1)))
                        return false;
                text = end + 2;
        }
        return true;
}

enum err http1_put_field(struct buf *buf, const char *name, const char *value, struct err_note *note) {
        if (!is_name(name, strlen(name)) || !is_value(value, strlen(value)))
                return err_set(note, ERR_INVALID, "an answer's header cannot have a line's end in it");
        buf_print(buf, "%s: %s\r\n", name, value);
        return ERR_NONE;
}

void http1_put_own_field(struct buf *buf, const char *name, const char *value) {
        struct err_note unused;

        if (http1_put_field(buf, name, value, &unused))
                buf_print(buf, "%s: \r\n", name);
}

enum err http1_put_answer(const struct http1_answer *answer, struct buf *buf, struct err_note *note) {
        assert(answer->status >= 100 && answer->status <= 599);
        if ((answer->type && !is_value(answer->type, strlen(answer->type))) ||
            (answer->headers && !are_lines(answer->headers)))
                return err_set(note, ERR_INVALID, "an answer's header is not one line");
        buf_print(buf, "HTTP/1.1 %u %s\r\n", answer->status, http1_reason(answer->status));
        if (answer->now_s)
                buf_print(buf, "Date: %s\r\n", http1_date(answer->now_s).s);
        if (answer->type)
                buf_print(buf, "Content-Type: %s\r\n", answer->type);
        if (answer->has_length)
                buf_print(buf, "Content-Length: %" PRIu64 "\r\n", answer->length);
        if (answer->is_chunked)
                buf_print(buf, "Transfer-Encoding: chunked\r\n");
        if (answer->connection)
                buf_print(buf, "Connection: %s\r\n", answer->connection);
        if (answer->headers)
                buf_add(buf, answer->headers, strlen(answer->headers));
        buf_add(buf, "\r\n", 2);
        return ERR_NONE;
}
