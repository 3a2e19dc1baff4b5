// SPDX-License-Identifier: Apache-2.0
#include "http_inflow.h"

#include <inttypes.h>
#include <string.h>

#include "errand.h"
#include "http_probe.h"
#include "mem.h"

#define TICK_EVERY_NS UINT64_C(1000000000)

enum inflow_state {
        INFLOW_OPENING,
        INFLOW_RECEIVING,
        INFLOW_COMMITTING,
        INFLOW_OVER,
};

/* Bytes of the body, in memory. */
struct piece {
        struct part *part; /* owned; NULL: none */
        size_t n;
};

struct inflow {
        struct http_inflow_options options;
        struct http_exchange *exchange; /* borrowed; NULL: gone */
        struct loop *loop;              /* borrowed, outlives us */
        enum inflow_state state;
        unsigned status;         /* of a refusal; 0: as the failure's code has it */
        struct err_note failure; /* the first */

        struct piece filling; /* what came, and is not being written */
        bool is_waiting;      /* for a part */
        bool has_moved;       /* since the last tick */
        struct parts_wait wait;
        struct loop_timer *tick;  /* owned; NULL: not set */
        struct err_note gone_why; /* the sender is gone; code ERR_NONE: it is not */
        struct buf rest;          /* owned; what had come when it went */
        bool did_write_rest;

        struct errand errand; /* one at a time; what follows is its, until it has ended */
        bool is_away;         /* the errand is under way */
        struct piece writing;
        struct err_note away_failure;
};

static void pump(struct inflow *);

static struct parts *parts_of(const struct inflow *flow) {
        return http_house_parts(flow->options.house);
}

static struct task *task_of(const struct inflow *flow) {
        return flow->options.asker->task;
}

/* ---- parts, errands --------------------------------------------------------------------------- */

static void give(struct inflow *flow, struct piece *piece) {
        if (piece->part)
                parts_give(parts_of(flow), TAKE(piece->part));
        piece->n = 0;
}

static void send_away(struct inflow *flow, void (*run)(void *), void (*ended)(void *)) {
        flow->is_away = true;
        flow->errand = (struct errand){.run = run, .ended = ended, .user = flow};
        errand_begin(&flow->errand, http_house_pool(flow->options.house), flow->loop);
}

/* In the errand. */
static void fail_away(struct inflow *flow, const struct err_note *note) {
        flow->away_failure = *note;
}

/* ---- the end ---------------------------------------------------------------------------------- */

static void answer(struct inflow *flow) {
        struct http_exchange *exchange = TAKE(flow->exchange);
        const struct http_answer done = {.status = 200, .headers = "Cache-Control: no-cache, no-store\r\n"};

        if (!exchange)
                return;
        http_leave(exchange);
        if (flow->failure.code) {
                http_refuse(exchange, flow->status ? flow->status : http_status_of(flow->failure.code),
                            &flow->failure);
                return;
        }
        http_answer(exchange, &done);
        http_answer_end(exchange);
}

static void on_discarded(void *user) {
        struct inflow *flow = user;
        struct http_house *house = flow->options.house;

        flow->state = INFLOW_OVER;
        give(flow, &flow->filling);
        give(flow, &flow->writing);
        if (flow->tick)
                loop_cancel(TAKE(flow->tick));
        flow->options.ops->ended(flow->options.user, &flow->failure);
        answer(flow);
        buf_fini(&flow->rest);
        free(flow);
        http_house_end(house);
}

static void run_discarding(void *user) {
        struct inflow *flow = user;

        flow->options.ops->discard(flow->options.user);
}

/* Nothing is under way but perhaps a part, whose call comes before the errand's end. */
static void finish(struct inflow *flow) {
        flow->state = INFLOW_COMMITTING;
        if (flow->is_waiting && parts_forget(parts_of(flow), &flow->wait))
                flow->is_waiting = false;
        send_away(flow, run_discarding, on_discarded);
}

/* ---- errands ----------------------------------------------------------------------------------- */

static void run_opening(void *user) {
        struct inflow *flow = user;
        struct err_note note;

        if (flow->options.ops->open(flow->options.user, &flow->status, &note))
                fail_away(flow, &note);
}

static void push(struct inflow *flow, const void *data, size_t n) {
        struct err_note note;

        if (flow->options.ops->push(flow->options.user, data, n, &note)) {
                (void)err_wrap(&note, "%s", flow->options.what);
                fail_away(flow, &note);
        }
}

static void run_writing(void *user) {
        struct inflow *flow = user;

        push(flow, flow->writing.part->memory, flow->writing.n);
}

static void run_writing_rest(void *user) {
        struct inflow *flow = user;

        push(flow, flow->rest.data, flow->rest.n);
}

static void run_committing(void *user) {
        struct inflow *flow = user;
        struct err_note note;

        if (flow->options.ops->commit(flow->options.user, &note)) {
                (void)err_wrap(&note, "%s", flow->options.what);
                fail_away(flow, &note);
        }
}

static void come_back(struct inflow *flow) {
        flow->is_away = false;
        give(flow, &flow->writing);
        if (!flow->failure.code)
                flow->failure = flow->away_failure;
}

static void on_away_ended(void *user) {
        come_back(user);
        pump(user);
}

/* ---- receiving --------------------------------------------------------------------------------- */

/* False: it was cancelled. */
static bool tell_progress(struct inflow *flow) {
        const struct http_inflow_options *options = &flow->options;
        struct err_note note;

        if (flow->state != INFLOW_RECEIVING ||
            !progress_step(task_progress(task_of(flow)), options->ops->taken(options->user), &note))
                return true;
        flow->failure = note;
        return false;
}

/* Takes what has come of the body into a part, as much as there is room for. */
static void fill(struct inflow *flow) {
        struct piece *piece = &flow->filling;
        const uint8_t *data;
        size_t n;

        while (flow->exchange && piece->n < PART_SIZE) {
                data = http_body_peek(flow->exchange, &n);
                if (n == 0 || flow->is_waiting)
                        return;
                if (!piece->part)
                        piece->part = parts_take(parts_of(flow), &flow->wait);
                flow->is_waiting = !piece->part;
                if (flow->is_waiting)
                        return;
                n = (size_t)min_u64(n, PART_SIZE - piece->n);
                memcpy(piece->part->memory + piece->n, data, n);
                piece->n += n;
                flow->has_moved = true;
                http_body_skip(flow->exchange, n);
        }
}

/* Whether something that came is being written now. */
static bool write_some(struct inflow *flow) {
        if (flow->filling.n > 0) {
                flow->writing = flow->filling;
                flow->filling = (struct piece){0};
                send_away(flow, run_writing, on_away_ended);
        } else if (flow->rest.n > 0 && !flow->did_write_rest) {
                flow->did_write_rest = true;
                send_away(flow, run_writing_rest, on_away_ended);
        }
        return flow->is_away;
}

static bool has_ended(const struct inflow *flow) {
        return !flow->exchange || http_body_is_whole(flow->exchange);
}

/* All that came is written. */
static void receive_end(struct inflow *flow) {
        bool is_whole = flow->options.ops->is_whole(flow->options.user);

        if (!is_whole && !flow->exchange) {
                flow->failure = flow->gone_why;
                (void)err_wrap(&flow->failure, "%s: after %" PRIu64 " bytes", flow->options.what,
                               flow->options.ops->taken(flow->options.user));
                finish(flow);
        } else if (is_whole || has_ended(flow)) {
                flow->state = INFLOW_COMMITTING;
                send_away(flow, run_committing, on_away_ended);
        }
}

static void pump(struct inflow *flow) {
        if (flow->state == INFLOW_RECEIVING && !flow->failure.code)
                fill(flow);
        if (flow->is_away || flow->state == INFLOW_OVER)
                return;
        if (flow->failure.code || flow->state == INFLOW_COMMITTING || !tell_progress(flow)) {
                finish(flow);
                return;
        }
        if (!write_some(flow))
                receive_end(flow);
}

/* ---- from the exchange ------------------------------------------------------------------------- */

static void on_got(void *user) {
        struct inflow *flow = user;

        if (flow->state == INFLOW_RECEIVING)
                pump(flow);
}

static void on_part(void *user) {
        struct inflow *flow = user;
        struct parts *parts = parts_of(flow);

        flow->is_waiting = false;
        if (flow->state == INFLOW_RECEIVING)
                pump(flow);
        parts_pass(parts);
}

/* What had come and was not taken yet may be all that was missing. */
static void on_gone(void *user, const struct err_note *why) {
        struct inflow *flow = user;
        const uint8_t *data;
        size_t n;

        flow->gone_why = *why;
        if (!why->code)
                (void)err_set(&flow->gone_why, ERR_CLOSED, "the client went away");
        if (flow->state == INFLOW_RECEIVING) {
                data = http_body_peek(flow->exchange, &n);
                buf_add(&flow->rest, data, n);
        }
        flow->exchange = NULL;
        if (flow->state == INFLOW_RECEIVING)
                pump(flow);
}

static const struct http_exchange_ops exchange_ops = {.got = on_got, .gone = on_gone};

static void on_tick(void *user) {
        struct inflow *flow = user;
        const struct uuid *session = &flow->options.asker->who.session;

        flow->tick = loop_after(flow->loop, TICK_EVERY_NS, on_tick, flow);
        if (flow->has_moved && !uuid_is_null(session))
                auth_touch(http_house_host(flow->options.house)->auth, session);
        flow->has_moved = false;
        if (flow->state == INFLOW_RECEIVING && !flow->is_away && task_is_cancelled(task_of(flow)))
                pump(flow);
}

static void on_opened(void *user) {
        struct inflow *flow = user;
        uint64_t total = flow->options.total;

        come_back(flow);
        if (!flow->failure.code) {
                flow->state = INFLOW_RECEIVING;
                flow->tick = loop_after(flow->loop, TICK_EVERY_NS, on_tick, flow);
                progress_begin(task_progress(task_of(flow)), "import",
                               total >= HTTP_LENGTH_UNKNOWN ? 0 : total);
                if (flow->exchange)
                        http_body_accept(flow->exchange);
        }
        pump(flow);
}

void http_inflow_begin(const struct http_inflow_options *options) {
        struct inflow *flow = mem_new(struct inflow);

        http_house_begin(options->house);
        flow->options = *options;
        flow->exchange = options->exchange;
        flow->loop = http_loop(options->exchange);
        flow->wait = (struct parts_wait){.call = on_part, .user = flow, .loop = flow->loop};
        http_exchange_serve(flow->exchange, &exchange_ops, flow);
        send_away(flow, run_opening, on_opened);
}
