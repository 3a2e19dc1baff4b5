// SPDX-License-Identifier: Apache-2.0
#include "bar.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "text.h"

enum { QUIET_NS = 1000 * 1000 * 1000, LINE_EVERY_NS = 1000 * 1000 * 1000, CELLS_MIN = 5, CELLS_MAX = 40 };

static unsigned percent_of(const struct progress *p) {
        return p->total ? (unsigned)((double)(p->done < p->total ? p->done : p->total) * 100 /
                                     (double)p->total)
                        : 0;
}

static void add_cells(const struct bar *bar, struct buf *buf, unsigned percent, unsigned cells) {
        unsigned full = cells * percent / 100;

        buf_print(buf, " [%s", bar->has_colour ? "\033[32m" : "");
        for (unsigned i = 0; i < cells; i++)
                buf_print(buf, "%c", i < full ? '=' : i == full ? '>' : ' ');
        buf_print(buf, "%s]", bar->has_colour ? "\033[0m" : "");
}

static void add_numbers(struct buf *buf, const struct progress *p) {
        uint64_t rate = progress_rate(p), left = progress_left_ns(p);

        buf_print(buf, "  %s", text_size(p->done).s);
        if (p->total)
                buf_print(buf, " of %s", text_size(p->total).s);
        if (rate)
                buf_print(buf, "  %s", text_rate(rate, 1000000000).s);
        if (left != UINT64_MAX && !p->has_ended)
                buf_print(buf, "  %s left", text_duration(left).s);
}

static void draw_text(const struct bar *bar, const struct progress *p, unsigned columns, struct buf *buf) {
        AUTO(buf_fini) struct buf numbers = {0};
        size_t used;

        add_numbers(&numbers, p);
        buf_print(buf, "%s", p->doing);
        if (p->total) {
                buf_print(buf, " %3u%%", percent_of(p));
                used = buf->n + numbers.n + 4;
                if (bar->style == BAR_TERMINAL && columns > used + CELLS_MIN)
                        add_cells(bar, buf, percent_of(p),
                                  columns - (unsigned)used < CELLS_MAX ? columns - (unsigned)used
                                                                       : CELLS_MAX);
        }
        buf_add(buf, numbers.data, numbers.n);
}

static void draw_json(const struct progress *p, struct buf *buf) {
        uint64_t left = progress_left_ns(p);

        buf_print(buf, "{\"progress\": {\"doing\": \"%s\", \"done\": %llu, \"total\": ", p->doing,
                  (unsigned long long)p->done);
        if (p->total)
                buf_print(buf, "%llu", (unsigned long long)p->total);
        else
                buf_print(buf, "null");
        buf_print(buf, ", \"rate\": %llu, \"left_seconds\": ", (unsigned long long)progress_rate(p));
        if (left == UINT64_MAX)
                buf_print(buf, "null}}");
        else
                buf_print(buf, "%.1f}}", (double)left / 1e9);
}

void bar_draw(const struct bar *bar, const struct progress *p, unsigned columns, struct buf *buf) {
        if (bar->style == BAR_JSON)
                draw_json(p, buf);
        else
                draw_text(bar, p, columns, buf);
}

static unsigned terminal_columns(void) {
        struct winsize size;

        if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || size.ws_col == 0)
                return 80;
        return size.ws_col;
}

void bar_show(void *user, const struct progress *p) {
        struct bar *bar = user;
        AUTO(buf_fini) struct buf text = {0};

        if (bar->style == BAR_NONE)
                return;
        if (bar->style == BAR_TERMINAL) {
                if (!bar->is_drawn && (p->has_ended || p->now_ns - p->began_ns < QUIET_NS))
                        return;
                bar_draw(bar, p, terminal_columns() - 1, &text);
                fprintf(stderr, "\r%s\033[K%s", buf_text(&text), p->has_ended ? "\n" : "");
                bar->is_drawn = !p->has_ended;
        } else {
                if (!p->has_ended && p->now_ns - bar->drawn_ns < LINE_EVERY_NS && bar->drawn_ns)
                        return;
                bar->drawn_ns = p->now_ns;
                bar_draw(bar, p, 0, &text);
                fprintf(stderr, "%s\n", buf_text(&text));
        }
        fflush(stderr);
}

void bar_say(void *user, const char *line) {
        const struct bar *bar = user;

        fprintf(stderr, "%s%s\n", bar->is_drawn ? "\r\033[K" : "", line);
        fflush(stderr);
}

void bar_clear(struct bar *bar) {
        if (bar->is_drawn)
                fprintf(stderr, "\n");
        bar->is_drawn = false;
}
