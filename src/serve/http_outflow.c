// SPDX-License-Identifier: Apache-2.0
#include "http_outflow.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "errand.h"
#include "mem.h"

#define TICK_EVERY_NS UINT64_C(1000000000)

enum outflow_state {
        OUTFLOW_BODY,    /* all but the tail */
        OUTFLOW_CLOSING, /* an errand reads the tail and closes */
        OUTFLOW_ENDING,  /* the tail goes, or went */
        OUTFLOW_FAILING, /* waits for what is read, then closes */
        OUTFLOW_OVER,
};

/* Bytes that were read ahead: [at, at + n) of the body. */
struct slot {
        struct part *part;   /* owned; NULL: none */
        const uint8_t *data; /* borrowed from part */
        size_t n;
};

struct http_outflow {
        struct http_outflow_options options;
        struct loop *loop;              /* borrowed, outlives us */
        struct http_exchange *exchange; /* borrowed; NULL: gone */
        enum outflow_state state;
        uint64_t at, tail_at, end; /* sent up to at; UINT64_MAX: not known yet, as ops->length has it */
        uint64_t taken;            /* as ops->taken has it */
        struct slot front, back;   /* what goes next, and after that */
        bool is_stalled;           /* until the kernel takes more */
        bool has_moved;            /* since the last tick */
        struct parts_wait wait;
        bool is_waiting;                    /* for a part: wait's call is to come */
        struct loop_timer *patience, *tick; /* owned; NULL: not set */

        struct errand reading; /* into `read`, from read_at on */
        bool is_reading;
        struct slot read;
        uint64_t read_at;
        struct err_note read_failure; /* the errand's, until it has ended; as what follows */

        struct errand closing;
        bool closes_whole;
        struct err_note close_failure;
        uint8_t tail[OUTFLOW_TAIL];
        struct err_note why; /* the first that failed */
};

static void pump(struct http_outflow *);

/* ---- parts ----------------------------------------------------------------------------------- */

static void give(struct http_outflow *flow, struct slot *slot) {
        if (slot->part)
                parts_give(http_house_parts(flow->options.house), TAKE(slot->part));
        *slot = (struct slot){0};
}

static void stop_timer(struct loop_timer **timer) {
        if (*timer)
                loop_cancel(TAKE(*timer));
}

/* One that was posted already comes before whatever is posted later. */
static void leave_line(struct http_outflow *flow) {
        if (flow->is_waiting && parts_forget(http_house_parts(flow->options.house), &flow->wait))
                flow->is_waiting = false;
}

static void on_patience(void *user) {
        struct http_outflow *flow = user;

        flow->patience = NULL;
        leave_line(flow);
        give(flow, &flow->front);
        give(flow, &flow->back);
}

static void on_part(void *user) {
        struct http_outflow *flow = user;
        struct parts *parts = http_house_parts(flow->options.house);

        flow->is_waiting = false;
        pump(flow);
        parts_pass(parts);
}

/* NULL: on_part comes. */
static struct part *take(struct http_outflow *flow) {
        struct part *part = parts_take(http_house_parts(flow->options.house), &flow->wait);

        flow->is_waiting = !part;
        return part;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void end(struct http_outflow *flow) {
        const struct http_outflow_options *options = &flow->options;

        flow->state = OUTFLOW_OVER;
        stop_timer(&flow->tick);
        stop_timer(&flow->patience);
        options->ops->ended(options->user, &flow->why);
        free(flow);
}

static enum err read_tail(struct http_outflow *flow, struct err_note *note) {
        const struct http_outflow_ops *ops = flow->options.ops;

        for (uint64_t at = flow->tail_at; at < flow->end;) {
                const uint8_t *data;
                size_t n;

                if (ops->read(flow->options.user, flow->read.part, at, &data, &n, note))
                        return note->code;
                n = (size_t)min_u64(n, flow->end - at);
                memcpy(flow->tail + (at - flow->tail_at), data, n);
                at += n;
        }
        return ERR_NONE;
}

/* In a thread: nothing is read beside it. */
static void run_closing(void *user) {
        struct http_outflow *flow = user;
        struct err_note *failure = &flow->close_failure, note;
        bool is_whole = flow->closes_whole;

        if (is_whole && read_tail(flow, &note)) {
                is_whole = false;
                *failure = note;
        }
        if (flow->options.ops->close(flow->options.user, is_whole, &note) && !failure->code)
                *failure = note;
}

static void on_closed(void *user) {
        struct http_outflow *flow = user;

        give(flow, &flow->read);
        if (!flow->why.code)
                flow->why = flow->close_failure;
        if (flow->why.code && flow->exchange)
                http_abort(TAKE(flow->exchange));
        if (flow->why.code) {
                end(flow);
                return;
        }
        flow->state = OUTFLOW_ENDING;
        pump(flow);
}

static void begin_closing(struct http_outflow *flow) {
        flow->state = OUTFLOW_CLOSING;
        flow->closes_whole = !flow->why.code;
        errand_begin(&flow->closing, http_house_pool(flow->options.house), flow->loop);
}

/* What failed first is told; the exchange ends at once, the rest when nothing is read any more. */
static void fail(struct http_outflow *flow, const struct err_note *why) {
        if (!flow->why.code)
                flow->why = *why;
        if (flow->exchange)
                http_abort(TAKE(flow->exchange));
        if (flow->state == OUTFLOW_CLOSING || flow->state == OUTFLOW_OVER)
                return; /* the errand's end sees it */
        if (flow->state == OUTFLOW_ENDING) {
                end(flow);
                return;
        }
        flow->state = OUTFLOW_FAILING;
        give(flow, &flow->front);
        give(flow, &flow->back);
        leave_line(flow);
        if (!flow->is_reading)
                begin_closing(flow);
}

/* ---- reading ahead --------------------------------------------------------------------------- */

static void run_reading(void *user) {
        struct http_outflow *flow = user;
        struct slot *slot = &flow->read;
        struct err_note note;

        if (flow->options.ops->read(flow->options.user, slot->part, flow->read_at, &slot->data, &slot->n,
                                    &note))
                flow->read_failure = note;
        else
                slot->n = (size_t)min_u64(slot->n, flow->tail_at - flow->read_at);
}

/* Where what was before it has been given back, or nothing goes for long, it is read again later. */
static bool is_useful(const struct http_outflow *flow) {
        bool follows = flow->read_at == flow->at + flow->front.n;

        return follows && (!flow->is_stalled || flow->patience);
}

/* Nothing is being read. */
static void ask_how_far(struct http_outflow *flow) {
        if (flow->options.ops->taken)
                flow->taken = flow->options.ops->taken(flow->options.user);
        if (flow->end != UINT64_MAX)
                return;
        flow->end = flow->options.ops->length(flow->options.user);
        if (flow->end != UINT64_MAX)
                flow->tail_at = flow->read_at + flow->read.n;
        assert(flow->end - flow->tail_at <= OUTFLOW_TAIL);
}

static void on_read(void *user) {
        struct http_outflow *flow = user;

        flow->is_reading = false;
        if (flow->read_failure.code || flow->state == OUTFLOW_FAILING) {
                give(flow, &flow->read);
                fail(flow, &flow->read_failure);
                return;
        }
        ask_how_far(flow);
        if (is_useful(flow)) {
                *(flow->front.part ? &flow->back : &flow->front) = flow->read;
                flow->read = (struct slot){0};
        } else {
                give(flow, &flow->read);
        }
        pump(flow);
}

static void read_ahead(struct http_outflow *flow) {
        uint64_t next = flow->at + flow->front.n + flow->back.n;

        if (flow->is_reading || flow->is_stalled || flow->back.part || flow->is_waiting ||
            next >= flow->tail_at)
                return;
        flow->read.part = take(flow);
        if (!flow->read.part)
                return;
        flow->read_at = next;
        flow->is_reading = true;
        errand_begin(&flow->reading, http_house_pool(flow->options.house), flow->loop);
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Offers bytes; false where not all were taken, or it failed. */
static bool offer(struct http_outflow *flow, const uint8_t *data, size_t n, size_t *ret_n) {
        const struct iovec vec = {.iov_base = (void *)(uintptr_t)data, .iov_len = n};
        struct err_note note;

        *ret_n = 0;
        if (http_offer(flow->exchange, &vec, 1, ret_n, &note)) {
                fail(flow, &note);
                return false;
        }
        flow->at += *ret_n;
        flow->has_moved |= *ret_n > 0;
        flow->is_stalled = *ret_n < n;
        return !flow->is_stalled;
}

static bool tell_progress(struct http_outflow *flow) {
        struct task *task = flow->options.task;
        uint64_t done = flow->options.ops->taken ? flow->taken : flow->at - flow->options.at;
        struct err_note note;

        if (!task || !progress_step(task_progress(task), done, &note))
                return true;
        fail(flow, &note);
        return false;
}

static void wait_patiently(struct http_outflow *flow) {
        if (!flow->patience)
                flow->patience = loop_after(flow->loop, OUTFLOW_PATIENCE_NS, on_patience, flow);
}

/* False: nothing more goes now. */
static bool send_front(struct http_outflow *flow) {
        struct slot *front = &flow->front;
        bool is_all;
        size_t n;

        is_all = offer(flow, front->data, front->n, &n);
        if (flow->state != OUTFLOW_BODY || !tell_progress(flow))
                return false;
        front->data += n;
        front->n -= n;
        if (!is_all) {
                wait_patiently(flow);
                return false;
        }
        give(flow, front);
        flow->front = flow->back;
        flow->back = (struct slot){0};
        return true;
}

static void send_body(struct http_outflow *flow) {
        while (flow->front.part && !flow->is_stalled) {
                read_ahead(flow);
                if (!send_front(flow))
                        return;
        }
        if (flow->at < flow->tail_at) {
                read_ahead(flow);
                return;
        }
        /* A part to read the tail into. */
        if (!flow->is_waiting && !flow->is_reading) {
                flow->read.part = take(flow);
                if (flow->read.part)
                        begin_closing(flow);
        }
}

static void send_tail(struct http_outflow *flow) {
        size_t n = (size_t)(flow->end - flow->at), taken;

        if (flow->options.has_no_body)
                flow->at = flow->end;
        else if (n > 0 && !offer(flow, flow->tail + (flow->at - flow->tail_at), n, &taken))
                return;
        if (tell_progress(flow))
                http_answer_end(flow->exchange);
}

static void pump(struct http_outflow *flow) {
        if (flow->state == OUTFLOW_BODY)
                send_body(flow);
        else if (flow->state == OUTFLOW_ENDING && flow->exchange)
                send_tail(flow);
}

/* ---- from outside ---------------------------------------------------------------------------- */

static void on_drained(void *user) {
        struct http_outflow *flow = user;

        flow->is_stalled = false;
        stop_timer(&flow->patience);
        pump(flow);
}

static void on_gone(void *user, const struct err_note *why) {
        struct http_outflow *flow = user;
        struct err_note note = *why;

        flow->exchange = NULL;
        if (!note.code && flow->state == OUTFLOW_ENDING && flow->at == flow->end) {
                end(flow);
                return;
        }
        if (!note.code)
                (void)err_set(&note, ERR_CLOSED, "the connection ended");
        if (flow->end == UINT64_MAX)
                (void)err_wrap(&note, "send byte %" PRIu64, flow->at);
        else
                (void)err_wrap(&note, "send byte %" PRIu64 " of %" PRIu64, flow->at - flow->options.at,
                               flow->end - flow->options.at);
        fail(flow, &note);
}

static void on_tick(void *user) {
        struct http_outflow *flow = user;
        struct err_note note = {0};

        flow->tick = loop_after(flow->loop, TICK_EVERY_NS, on_tick, flow);
        if (flow->has_moved && !uuid_is_null(&flow->options.session))
                auth_touch(http_house_host(flow->options.house)->auth, &flow->options.session);
        flow->has_moved = false;
        if (flow->options.task && task_is_cancelled(flow->options.task)) {
                (void)err_set(&note, ERR_CANCELLED, "cancelled at byte %" PRIu64,
                              flow->at - flow->options.at);
                fail(flow, &note);
        }
}

static const struct http_exchange_ops exchange_ops = {.drained = on_drained, .gone = on_gone};

void http_outflow_begin(const struct http_outflow_options *options) {
        struct http_outflow *flow = mem_new(struct http_outflow);
        uint64_t n = options->answer.length;
        bool is_known = n < HTTP_UNTIL_CLOSE;

        assert(is_known || (n == HTTP_UNTIL_CLOSE && options->ops->length && options->at == 0));
        flow->options = *options;
        flow->exchange = options->exchange;
        flow->loop = http_loop(options->exchange);
        flow->at = options->at;
        flow->end = is_known ? options->at + n : UINT64_MAX;
        flow->tail_at = is_known && !options->has_no_body ? flow->end - min_u64(n, OUTFLOW_TAIL) : flow->end;
        if (options->has_no_body)
                flow->at = flow->tail_at = flow->end;
        flow->wait = (struct parts_wait){.call = on_part, .user = flow, .loop = flow->loop};
        flow->reading = (struct errand){.run = run_reading, .ended = on_read, .user = flow};
        flow->closing = (struct errand){.run = run_closing, .ended = on_closed, .user = flow};
        flow->tick = loop_after(flow->loop, TICK_EVERY_NS, on_tick, flow);
        if (options->task)
                progress_begin(task_progress(options->task), "export", is_known ? n : options->total);
        http_exchange_serve(flow->exchange, &exchange_ops, flow);
        http_answer(flow->exchange, &options->answer);
        pump(flow);
}
