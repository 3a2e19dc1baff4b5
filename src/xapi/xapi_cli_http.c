// SPDX-License-Identifier: Apache-2.0
#include "xapi_cli_http.h"

#include <stddef.h>
#include <string.h>

#include "xapi_cli.h"
#include "xapi_inside.h"
#include "xe_cli.h"

enum { IN_MAX = 4096, OUT_MAX = 4096 };
#define SECOND_NS (UINT64_C(1) * 1000000000)
#define BANNER_NS (30 * SECOND_NS)
#define SILENT_NS (600 * SECOND_NS) /* of who transfers and does not, or is to type and does not */
#define LOOK_NS   (2 * SECOND_NS)   /* at a task that nothing was heard of */
#define LINGER_NS (30 * SECOND_NS)  /* of who does not read the rest */

enum state { BODY, BANNER, LOGIN, COMMAND, TRANSFER, PROMPT, TASK, BYE };

/* One client.  The loop's, but cli while it is with a worker. */
struct talk {
        struct xapi *xapi;              /* borrowed */
        struct loop *loop;              /* borrowed */
        struct http_exchange *exchange; /* borrowed; until it is the connection that counts */
        struct conn *conn;              /* owned; NULL: not yet, or gone */
        struct loop_timer *timer;       /* owned; of what the client has to do in time */
        enum state state;
        struct buf body, out;
        size_t n_sent; /* of out */
        char peer[64];
        struct xapi_cli cli;
        enum xapi_cli_next next; /* what the worker says */
        bool is_with_worker, is_over, is_finishing;
        uint32_t n_typing; /* bytes of a line that are still to come */
        size_t n_typed;    /* of cli.typed */
        struct xapi_waiter waiter;
        struct xapi_talk listed;
};

static struct talk *talk_of(struct xapi_talk *listed) {
        return (struct talk *)((char *)listed - offsetof(struct talk, listed));
}

/* A password is in it. */
static void forget_body(struct talk *talk) {
        if (talk->body.data)
                explicit_bzero(talk->body.data, talk->body.n);
        buf_fini(&talk->body);
}

/* Ends what is left of it, when nobody else has it. */
static void release(struct talk *talk) {
        talk->is_over = true;
        xapi_waiters_remove(talk->xapi->waiters, &talk->waiter);
        if (talk->timer)
                loop_cancel(TAKE(talk->timer));
        if (talk->conn)
                conn_free(TAKE(talk->conn));
        if (!xapi_talks_strike(talk->xapi->talks, &talk->listed))
                return;
        xapi_cli_fini(&talk->cli);
        forget_body(talk);
        buf_fini(&talk->out);
        free(talk);
}

/* ---- with a worker --------------------------------------------------------------------------- */

static void on_done(void *user);

static void work(void *user) {
        struct talk *talk = user;
        struct xapi_cli *cli = &talk->cli;

        switch (talk->state) {
        case LOGIN:
                talk->next = xapi_cli_log_in(cli);
                break;
        case COMMAND:
                talk->next = xapi_cli_run(cli);
                break;
        case TRANSFER:
        case PROMPT:
        case TASK:
                talk->next = xapi_cli_go_on(cli);
                break;
        case BODY:
        case BANNER:
        case BYE:
                xapi_cli_end(cli);
                break;
        }
        loop_post(talk->loop, on_done, talk);
}

/* ---- in the loop ----------------------------------------------------------------------------- */

/* Who only looks is never behind those that wait for an SR. */
static struct pool *workers_for(const struct talk *talk) {
        bool may_wait = talk->state == PROMPT || (talk->state == COMMAND && !xapi_cli_only_looks(&talk->cli));

        if (talk->state == LOGIN)
                return talk->xapi->logins;
        return may_wait ? talk->xapi->slow : talk->xapi->quick;
}

static void hand_over(struct talk *talk, enum state state) {
        talk->state = state;
        talk->is_with_worker = true;
        if (pool_call(workers_for(talk), work, talk))
                return;
        /* Too many wait: it ends, but not under the feet of who called. */
        if (talk->conn)
                conn_free(TAKE(talk->conn));
        talk->state = BYE;
        loop_post(talk->loop, on_done, talk);
}

/* Whether there may be a session, and a task, that have to be put away. */
static bool is_in_command(const struct talk *talk) {
        return talk->state != BODY && talk->state != BANNER && talk->state != BYE;
}

static void on_late(void *user);

static void set_timer(struct talk *talk, uint64_t ns) {
        if (talk->timer)
                loop_cancel(TAKE(talk->timer));
        if (ns)
                talk->timer = loop_after(talk->loop, ns, on_late, talk);
}

/* Who says nothing, but has his transfer going, is waited for. */
static void on_late(void *user) {
        struct talk *talk = user;

        talk->timer = NULL;
        if (talk->state == TRANSFER && xapi_cli_is_moving(&talk->cli)) {
                set_timer(talk, SILENT_NS);
                return;
        }
        conn_free(TAKE(talk->conn));
        if (is_in_command(talk))
                hand_over(talk, BYE);
        else
                release(talk);
}

/* The client is gone, or is to go.  What a worker has goes on to its end. */
static void lose(struct talk *talk) {
        set_timer(talk, 0);
        if (talk->conn)
                conn_free(TAKE(talk->conn));
        if (talk->is_with_worker)
                return;
        xapi_waiters_remove(talk->xapi->waiters, &talk->waiter);
        if (is_in_command(talk))
                hand_over(talk, BYE);
        else
                release(talk);
}

static bool is_all_sent(const struct talk *talk) {
        return talk->n_sent == talk->out.n;
}

/* False: the client is gone, and perhaps the talk. */
static bool flush(struct talk *talk) {
        struct err_note unused;
        size_t n = 1;

        while (n && !is_all_sent(talk)) {
                struct iovec rest = {talk->out.data + talk->n_sent, talk->out.n - talk->n_sent};

                if (conn_offer(talk->conn, &rest, 1, &n, &unused)) {
                        lose(talk);
                        return false;
                }
                talk->n_sent += n;
                if (n && talk->state == BYE)
                        set_timer(talk, LINGER_NS);
        }
        if (is_all_sent(talk) && talk->state == BYE && !talk->is_with_worker && !talk->is_finishing) {
                talk->is_finishing = true;
                conn_finish(talk->conn);
        }
        return true;
}

static void forget_sent(struct talk *talk) {
        if (!is_all_sent(talk))
                return;
        buf_fini(&talk->out);
        talk->n_sent = 0;
}

static void on_wake(struct xapi_waiter *waiter) {
        hand_over((struct talk *)((char *)waiter - offsetof(struct talk, waiter)), TASK);
}

static void park(struct talk *talk) {
        talk->state = TASK;
        talk->waiter.loop = talk->loop;
        talk->waiter.wake = on_wake;
        talk->waiter.generation = talk->cli.wait_generation;
        talk->waiter.until_ns = io_now_ns(loop_io(talk->loop)) + LOOK_NS;
        xapi_waiters_add(talk->xapi->waiters, &talk->waiter);
}

static void heard(struct talk *talk);

static void go_on(struct talk *talk) {
        switch (talk->next) {
        case XAPI_CLI_RUNS:
                hand_over(talk, COMMAND);
                break;
        case XAPI_CLI_HEARS:
                talk->state = TRANSFER;
                set_timer(talk, SILENT_NS);
                heard(talk);
                break;
        case XAPI_CLI_ASKS:
                talk->state = PROMPT;
                set_timer(talk, SILENT_NS);
                heard(talk);
                break;
        case XAPI_CLI_WAITS:
                park(talk);
                break;
        case XAPI_CLI_ENDS:
                hand_over(talk, BYE);
                break;
        }
}

static void on_done(void *user) {
        struct talk *talk = user;
        struct buf *said = &talk->cli.out;

        talk->is_with_worker = false;
        if (!talk->conn) {
                if (talk->state == BYE)
                        release(talk);
                else
                        hand_over(talk, BYE);
                return;
        }
        forget_sent(talk);
        if (said->n)
                buf_add(&talk->out, said->data, said->n);
        buf_fini(said);
        if (talk->state == BYE)
                set_timer(talk, LINGER_NS);
        if (flush(talk) && talk->state != BYE)
                go_on(talk);
}

/* ---- what the client says -------------------------------------------------------------------- */

static void take_answer(struct talk *talk, enum xe_kind kind) {
        if (kind == XE_WAIT) {
                set_timer(talk, SILENT_NS);
                return;
        }
        set_timer(talk, 0);
        talk->cli.has_failed = kind == XE_FAILED;
        talk->cli.heard_ns = io_now_ns(loop_io(talk->loop));
        hand_over(talk, TRANSFER);
}

/* False: it is no more. */
static bool hear_answer(struct talk *talk, struct span came, size_t *ret_used) {
        struct xe_message message;
        struct err_note unused;

        if (xe_decode(came, XE_ANSWER_MAX, &message, ret_used, &unused) ||
            (*ret_used && message.kind != XE_WAIT && message.kind != XE_OK && message.kind != XE_FAILED)) {
                lose(talk);
                return false;
        }
        if (*ret_used) {
                conn_skip(talk->conn, *ret_used);
                take_answer(talk, message.kind);
        }
        return true;
}

static void take_typed(struct talk *talk, struct span came, size_t *ret_used) {
        size_t room = sizeof talk->cli.typed - 1 - talk->n_typed;
        size_t n = min_u64(came.n, talk->n_typing), kept = min_u64(n, room);

        if (kept)
                memcpy(talk->cli.typed + talk->n_typed, came.data, kept);
        talk->n_typed += kept;
        talk->n_typing -= (uint32_t)n;
        *ret_used = n;
        conn_skip(talk->conn, n);
}

/* A line comes as its length, its bytes, and an end.  False: it is no more. */
static bool hear_typed(struct talk *talk, struct span came, size_t *ret_used) {
        struct xe_message message;
        struct err_note unused;

        if (talk->n_typing) {
                take_typed(talk, came, ret_used);
                return true;
        }
        if (xe_decode(came, XE_ANSWER_MAX, &message, ret_used, &unused) ||
            (*ret_used && message.kind != XE_OK && message.kind != XE_CHUNK && message.kind != XE_END) ||
            (*ret_used && message.kind == XE_CHUNK && message.n > IN_MAX)) {
                lose(talk);
                return false;
        }
        if (*ret_used)
                conn_skip(talk->conn, *ret_used);
        if (*ret_used && message.kind == XE_CHUNK)
                talk->n_typing = message.n;
        if (*ret_used && message.kind == XE_END) {
                set_timer(talk, 0);
                hand_over(talk, PROMPT);
        }
        return true;
}

static void hear_banner(struct talk *talk, struct span came) {
        struct err_note unused;
        size_t n;

        if (xe_banner_decode(came, &n, &unused)) {
                lose(talk);
                return;
        }
        if (!n)
                return;
        conn_skip(talk->conn, n);
        set_timer(talk, 0);
        hand_over(talk, LOGIN);
}

static void heard(struct talk *talk) {
        size_t n, used = 1;
        const uint8_t *data;

        while (used && !talk->is_with_worker && (talk->state == TRANSFER || talk->state == PROMPT)) {
                data = conn_peek(talk->conn, &n);
                if (!(talk->state == PROMPT ? hear_typed : hear_answer)(talk, (struct span){data, n}, &used))
                        return;
        }
        if (talk->state != BANNER)
                return;
        data = conn_peek(talk->conn, &n);
        hear_banner(talk, (struct span){data, n});
}

static void on_heard(void *user) {
        heard(user);
}

static void on_drained(void *user) {
        (void)flush(user);
}

static void on_ended(void *user, const struct err_note *why) {
        (void)why;
        lose(user);
}

static void on_drain(struct xapi_talk *listed) {
        struct talk *talk = talk_of(listed);

        if (talk->is_over)
                release(talk);
        else if (talk->conn)
                lose(talk);
}

/* ---- the exchange ---------------------------------------------------------------------------- */

static void begin(struct talk *talk) {
        const struct conn_options options = {.in_max = IN_MAX,
                                             .out_max = OUT_MAX,
                                             .got = on_heard,
                                             .drained = on_drained,
                                             .ended = on_ended,
                                             .user = talk};
        struct err_note note;

        if (xapi_cli_ask_parse(&talk->body, &talk->cli.ask, &note)) {
                http_answer_text(talk->exchange, 400, "text/plain", note.text);
                return;
        }
        talk->listed = (struct xapi_talk){.loop = talk->loop, .drain = on_drain};
        if (!xapi_talks_add(talk->xapi->talks, &talk->listed)) {
                http_answer_text(talk->exchange, 503, "text/plain",
                                 "too many clients, or the daemon is stopping\n");
                return;
        }
        forget_body(talk);
        talk->conn = http_hijack(TAKE(talk->exchange), &options);
        talk->state = BANNER;
        set_timer(talk, BANNER_NS);
        xe_banner_encode(&talk->out);
        if (flush(talk))
                heard(talk);
}

static void too_large(struct talk *talk) {
        http_answer_text(talk->exchange, 413, "text/plain", "a command is at most 200 KiB\n");
}

static void on_got(void *user) {
        struct talk *talk = user;
        const uint8_t *data;
        size_t n;

        if (http_is_answered(talk->exchange))
                return;
        while ((data = http_body_peek(talk->exchange, &n)) && n) {
                if (talk->body.n + n > XAPI_CLI_BODY_MAX) {
                        too_large(talk);
                        return;
                }
                buf_add(&talk->body, data, n);
                http_body_skip(talk->exchange, n);
        }
        if (http_body_is_whole(talk->exchange))
                begin(talk);
}

static void on_gone(void *user, const struct err_note *why) {
        (void)why;
        release(user);
}

static const struct http_exchange_ops ops = {.got = on_got, .gone = on_gone};

void xapi_cli_http(void *user, struct http_exchange *exchange) {
        struct xapi *xapi = user;
        struct talk *talk = mem_new(struct talk);
        uint64_t n = http_body_length(exchange);

        talk->xapi = xapi;
        talk->exchange = exchange;
        talk->loop = http_loop(exchange);
        snprintf(talk->peer, sizeof talk->peer, "%s", http_peer(exchange));
        talk->cli.xapi = xapi;
        talk->cli.peer = talk->peer;
        http_exchange_serve(exchange, &ops, talk);
        if (n != HTTP_CHUNKED && n > XAPI_CLI_BODY_MAX)
                too_large(talk);
        else
                http_body_accept(exchange);
}
