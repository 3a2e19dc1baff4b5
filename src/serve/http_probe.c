// SPDX-License-Identifier: Apache-2.0
#include "http_probe.h"

#include "mem.h"

#define FIRST_BYTE_NS UINT64_C(1000000000)

struct probe {
        struct http_exchange *exchange; /* borrowed */
        struct loop_timer *timer;       /* owned */
        void (*begin)(void *user, struct http_exchange *);
        void *user; /* borrowed, outlives us */
};

static void answer(struct http_exchange *exchange) {
        const struct http_answer nothing = {.status = 200};

        http_answer(exchange, &nothing);
        http_answer_end(exchange);
}

/* Nobody of us is called any more. */
static struct http_exchange *leave(struct probe *probe) {
        static const struct http_exchange_ops nobody;
        struct http_exchange *exchange = probe->exchange;

        if (probe->timer)
                loop_cancel(probe->timer);
        http_exchange_serve(exchange, &nobody, NULL);
        free(probe);
        return exchange;
}

static void on_time(void *user) {
        struct probe *probe = user;

        probe->timer = NULL;
        answer(leave(probe));
}

static void on_got(void *user) {
        struct probe was = *(struct probe *)user;
        size_t n;

        (void)http_body_peek(was.exchange, &n);
        if (n == 0)
                return;
        (void)leave(user);
        was.begin(was.user, was.exchange);
}

static void on_gone(void *user, const struct err_note *why) {
        struct probe *probe = user;

        (void)why;
        loop_cancel(probe->timer);
        free(probe);
}

static const struct http_exchange_ops ops = {.got = on_got, .gone = on_gone};

void http_probe_or(struct http_exchange *exchange, void (*begin)(void *, struct http_exchange *),
                   void *user) {
        const struct http1_head *head = http_head(exchange);
        struct probe *probe;

        if (!head->has_length || http1_parameter(head, "task_id") ||
            (head->length != 0 && head->length != HTTP_LENGTH_UNKNOWN)) {
                begin(user, exchange);
                return;
        }
        if (head->length == 0) {
                answer(exchange);
                return;
        }
        probe = mem_new(struct probe);
        *probe = (struct probe){.exchange = exchange, .begin = begin, .user = user};
        probe->timer = loop_after(http_loop(exchange), FIRST_BYTE_NS, on_time, probe);
        http_exchange_serve(exchange, &ops, probe);
        http_body_accept(exchange);
}
