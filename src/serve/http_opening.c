// SPDX-License-Identifier: Apache-2.0
#include "http_opening.h"

#include "errand.h"
#include "mem.h"

struct http_opening {
        struct http_opening_options options;
        struct http_exchange *exchange; /* borrowed; NULL: gone */
        struct loop *loop;              /* borrowed, outlives us */
        struct errand errand;
        unsigned status; /* of the answer, where it failed; 0: as the failure has it */
        struct err_note failure;
};

static void refuse(struct http_opening *opening) {
        const struct http_opening_options *options = &opening->options;
        unsigned status = opening->status ? opening->status : http_status_of(opening->failure.code);

        if (opening->exchange)
                http_refuse(opening->exchange, status, &opening->failure);
        options->ops->refused(options->user, &opening->failure);
        free(opening);
}

static void run_closing(void *user) {
        struct http_opening *opening = user;
        const struct http_opening_options *options = &opening->options;
        struct err_note ignored;

        if (options->ops->close(options->user, &ignored))
                http_house_log(options->house, "export: %s", ignored.text);
}

static void on_closed(void *user) {
        refuse(user);
}

/* It is open, and nothing of it will be sent. */
static void close_again(struct http_opening *opening) {
        opening->errand = (struct errand){.run = run_closing, .ended = on_closed, .user = opening};
        errand_begin(&opening->errand, http_house_pool(opening->options.house), opening->loop);
}

static void run_opening(void *user) {
        struct http_opening *opening = user;
        struct err_note note;

        if (opening->options.ops->open(opening->options.user, &opening->status, &note))
                opening->failure = note;
}

static void on_opened(void *user) {
        struct http_opening *opening = user;
        const struct http_opening_options *options = &opening->options;

        if (opening->failure.code) {
                refuse(opening);
        } else if (!opening->exchange) {
                (void)err_set(&opening->failure, ERR_CLOSED, "the client went away before the first byte");
                close_again(opening);
        } else if (options->ops->answer(options->user, opening->exchange, &opening->status,
                                        &opening->failure)) {
                free(opening);
        } else {
                close_again(opening);
        }
}

static void on_gone(void *user, const struct err_note *why) {
        struct http_opening *opening = user;

        (void)why;
        opening->exchange = NULL;
}

static const struct http_exchange_ops exchange_ops = {.gone = on_gone};

void http_opening_begin(const struct http_opening_options *options) {
        struct http_opening *opening = mem_new(struct http_opening);

        http_house_begin(options->house);
        opening->options = *options;
        opening->exchange = options->exchange;
        opening->loop = http_loop(options->exchange);
        http_exchange_serve(options->exchange, &exchange_ops, opening);
        opening->errand = (struct errand){.run = run_opening, .ended = on_opened, .user = opening};
        errand_begin(&opening->errand, http_house_pool(options->house), opening->loop);
}
