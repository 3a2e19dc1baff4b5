// SPDX-License-Identifier: Apache-2.0
#include "rpc_guest.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "rpc_server.h"

/* News that is not taken is not worth more. */
enum { PROGRESS_UNSENT_MAX = 16 * 1024, SAID_MAX = 256 * 1024 };

enum guest_state { GUEST_CALLING, GUEST_BEGINNING, GUEST_RUNNING, GUEST_ANSWERING, GUEST_GONE };

struct rpc_guest {
        struct rpc_house house;
        enum guest_state state;
        struct conn *conn; /* owned; NULL: the caller is gone */
        struct local_peer peer;
        struct loop_timer *timer; /* owned; NULL: we are not waiting for him */
        uint64_t n_sent;          /* when the timer was set */
        bool did_begin;
        char method[JSONRPC_METHOD_MAX + 1];

        /* The call's thread has these from RUNNING until it has posted on_done. */
        struct verb_call call;
        json_t *params;                 /* owned */
        char *state_dir;                /* owned */
        struct io_file *input, *output; /* owned; NULL: there is none */
        struct progress progress;
        atomic_bool is_cancelled;
        struct buf answer;

        pthread_t thread;
        pthread_mutex_t mutex; /* guards what is below */
        struct rpc_progress shown;
        bool is_shown, is_posted;
        struct buf said; /* lines that wait to be sent, as messages */
};

/* ---- the end --------------------------------------------------------------------------------- */

static void release_call(struct rpc_guest *guest) {
        verb_call_fini(&guest->call);
        json_decref(TAKE(guest->params));
        free(TAKE(guest->state_dir));
        if (guest->input)
                io_close(TAKE(guest->input));
        if (guest->output)
                io_close(TAKE(guest->output));
}

static void release(void *user) {
        struct rpc_guest *guest = user;

        guest->house.gone(guest->house.user, guest, guest->did_begin);
        release_call(guest);
        buf_fini(&guest->answer);
        buf_fini(&guest->said);
        pthread_mutex_destroy(&guest->mutex);
        free(guest);
}

static void stop_timer(struct rpc_guest *guest) {
        if (guest->timer)
                loop_cancel(TAKE(guest->timer));
}

/* May be called from any callback of the connection: released when that has returned. */
static void leave(struct rpc_guest *guest) {
        if (guest->state == GUEST_GONE)
                return;
        guest->state = GUEST_GONE;
        stop_timer(guest);
        if (guest->conn)
                conn_free(TAKE(guest->conn));
        loop_post(guest->house.loop, release, guest);
}

static void on_ended(void *user, const struct err_note *why) {
        struct rpc_guest *guest = user;

        (void)why;
        if (guest->state != GUEST_RUNNING) {
                leave(guest);
                return;
        }
        /* It undoes what it did; then we are done with it. */
        conn_free(TAKE(guest->conn));
        atomic_store(&guest->is_cancelled, true);
}

/* ---- patience -------------------------------------------------------------------------------- */

static void on_timer(void *user) {
        struct rpc_guest *guest = user;
        uint64_t n = guest->conn ? conn_n_sent(guest->conn) : 0;

        guest->timer = NULL;
        if (guest->state == GUEST_CALLING || n == guest->n_sent) {
                leave(guest);
                return;
        }
        guest->n_sent = n;
        guest->timer = loop_after(guest->house.loop, RPC_PATIENCE_NS, on_timer, guest);
}

static void wait_for_guest(struct rpc_guest *guest) {
        stop_timer(guest);
        guest->n_sent = guest->conn ? conn_n_sent(guest->conn) : 0;
        guest->timer = loop_after(guest->house.loop, RPC_PATIENCE_NS, on_timer, guest);
}

/* ---- answering ------------------------------------------------------------------------------- */

static void send_answer(struct rpc_guest *guest, const struct buf *answer) {
        struct err_note unused;

        guest->state = GUEST_ANSWERING;
        if (!guest->conn || conn_send(guest->conn, answer->data, answer->n, &unused) ||
            conn_unsent(guest->conn) == 0)
                leave(guest);
        else
                wait_for_guest(guest);
}

static void refuse(struct rpc_guest *guest, int64_t code, const struct err_note *why) {
        AUTO(buf_fini) struct buf answer = {0};

        rpc_put_error(code, VERB_DONE, why, &answer);
        send_answer(guest, &answer);
}

/* ---- running: the call's own thread ---------------------------------------------------------- */

static void send_news(void *user) {
        struct rpc_guest *guest = user;
        AUTO(buf_fini) struct buf lines = {0};
        struct rpc_progress shown;
        struct err_note unused;
        bool is_shown;

        pthread_mutex_lock(&guest->mutex);
        lines = guest->said;
        guest->said = (struct buf){0};
        shown = guest->shown;
        is_shown = guest->is_shown;
        guest->is_shown = guest->is_posted = false;
        pthread_mutex_unlock(&guest->mutex);
        if (!guest->conn || conn_unsent(guest->conn) > PROGRESS_UNSENT_MAX)
                return;
        if (is_shown)
                rpc_put_progress(&shown, &lines);
        (void)!conn_send(guest->conn, lines.data, lines.n, &unused);
}

/* The mutex is held. */
static void post_news(struct rpc_guest *guest) {
        if (!guest->is_posted)
                loop_post(guest->house.loop, send_news, guest);
        guest->is_posted = true;
}

static void show_progress(void *user, const struct progress *progress) {
        struct rpc_guest *guest = user;

        pthread_mutex_lock(&guest->mutex);
        guest->shown = (struct rpc_progress){
                .done = progress->done, .total = progress->total, .has_ended = progress->has_ended};
        snprintf(guest->shown.doing, sizeof guest->shown.doing, "%s", progress->doing);
        guest->is_shown = true;
        post_news(guest);
        pthread_mutex_unlock(&guest->mutex);
}

static void say_line(void *user, const char *line) {
        struct rpc_guest *guest = user;

        pthread_mutex_lock(&guest->mutex);
        if (guest->said.n < SAID_MAX)
                rpc_put_said(line, &guest->said);
        post_news(guest);
        pthread_mutex_unlock(&guest->mutex);
}

/* Posted after all news, so the guest is still there for that. */
static void on_done(void *user) {
        struct rpc_guest *guest = user;

        pthread_join(guest->thread, NULL);
        release_call(guest);
        send_answer(guest, &guest->answer);
}

static void *run(void *user) {
        struct rpc_guest *guest = user;
        struct err_note note = {0};
        enum err failed = verb_call_run(&guest->call, &note);

        if (failed && guest->call.is_not_here)
                rpc_put_error(RPC_NOT_HERE, VERB_DONE, &note, &guest->answer);
        else
                rpc_put_answer(&guest->call, failed, &note, &guest->answer);
        loop_post(guest->house.loop, on_done, guest);
        return NULL;
}

/* ---- beginning ------------------------------------------------------------------------------- */

static void start(struct rpc_guest *guest) {
        struct err_note note;
        int failed;

        guest->state = GUEST_RUNNING;
        failed = pthread_create(&guest->thread, NULL, run, guest);
        if (!failed)
                return;
        guest->state = GUEST_BEGINNING;
        (void)err_set(&note, ERR_NO_MEMORY, "begin %s: %s", guest->method, strerror(failed));
        refuse(guest, JSONRPC_VERB_FAILED, &note);
}

/* Nothing is done before the caller can know that it may have been: he would try again elsewhere. */
static void begin(struct rpc_guest *guest) {
        AUTO(buf_fini) struct buf line = {0};
        struct err_note note;

        stop_timer(guest);
        if (!guest->house.may_begin(guest->house.user, guest)) {
                (void)err_set(&note, ERR_CLOSED, "the owner is leaving");
                refuse(guest, RPC_NOT_HERE, &note);
                return;
        }
        guest->did_begin = true;
        guest->state = GUEST_BEGINNING;
        rpc_put_notice(RPC_BEGUN, &line);
        if (conn_send(guest->conn, line.data, line.n, &note))
                leave(guest);
        else if (conn_unsent(guest->conn) == 0)
                start(guest);
        else
                wait_for_guest(guest);
}

static void on_drained(void *user) {
        struct rpc_guest *guest = user;

        if (guest->state == GUEST_BEGINNING) {
                stop_timer(guest);
                start(guest);
        } else if (guest->state == GUEST_ANSWERING) {
                leave(guest);
        }
}

/* ---- calling --------------------------------------------------------------------------------- */

static enum err take_stream(struct rpc_guest *guest, unsigned flags, const char *name, struct io_file **ret,
                            struct err_note *note) {
        int fd = conn_take_fd(guest->conn);

        if (fd < 0)
                return err_set(note, ERR_CORRUPT, "%s did not come with the call", name);
        return io_adopt_stream(guest->house.io, fd, flags, name, &guest->is_cancelled, ret, note);
}

static enum err take_call(struct rpc_guest *guest, struct span line, struct err_note *note) {
        AUTO(jsonrpc_fini) struct jsonrpc message = {0};
        struct rpc_call call;

        if (jsonrpc_decode(line, &message, note) ||
            rpc_take_call(&message, !guest->house.keeper, &call, note))
                return note->code;
        snprintf(guest->method, sizeof guest->method, "%s", message.method);
        guest->params = call.params;
        if (guest->house.state_dir)
                call.state_dir = guest->house.state_dir;
        guest->state_dir = call.state_dir ? mem_text(call.state_dir) : NULL;
        if ((call.has_input && take_stream(guest, IO_READ, "standard input", &guest->input, note)) ||
            (call.has_output && take_stream(guest, IO_WRITE, "standard output", &guest->output, note)))
                return note->code;
        guest->progress = (struct progress){.io = guest->house.io,
                                            .show = show_progress,
                                            .say = say_line,
                                            .user = guest,
                                            .is_cancelled = &guest->is_cancelled};
        guest->call = (struct verb_call){.verb = call.verb,
                                         .params = guest->params,
                                         .io = guest->house.io,
                                         .state_dir = guest->state_dir,
                                         .input = guest->input,
                                         .output = guest->output,
                                         .progress = &guest->progress,
                                         .self = guest->house.self,
                                         .keeper = guest->house.keeper,
                                         .keepers = guest->house.keepers,
                                         .host = guest->house.host,
                                         .is_of_other = guest->house.keeper != NULL};
        return ERR_NONE;
}

/* After his call the only thing that he can say is "cancel". */
static void take_notice(struct rpc_guest *guest, struct span line) {
        AUTO(jsonrpc_fini) struct jsonrpc message = {0};
        struct err_note unused;

        if (!jsonrpc_decode(line, &message, &unused) && message.kind == JSONRPC_NOTIFICATION &&
            strcmp(message.method, RPC_CANCEL) == 0)
                atomic_store(&guest->is_cancelled, true);
}

static void on_got(void *user) {
        struct rpc_guest *guest = user;
        struct err_note note = {0};

        while (guest->conn) {
                size_t n, used = 0;
                const uint8_t *data = conn_peek(guest->conn, &n);
                struct span line;

                if (!rpc_find_line(data, n, &line, &used))
                        break;
                if (guest->state != GUEST_CALLING)
                        take_notice(guest, line);
                else if (take_call(guest, line, &note))
                        refuse(guest, JSONRPC_INVALID_REQUEST, &note);
                else
                        begin(guest);
                if (guest->conn)
                        conn_skip(guest->conn, used);
        }
        if (guest->conn && conn_is_full(guest->conn)) {
                (void)err_set(&note, ERR_TOO_LARGE, "a message is longer than %d bytes", RPC_CALL_MAX);
                if (guest->state == GUEST_CALLING)
                        refuse(guest, JSONRPC_INVALID_REQUEST, &note);
                else
                        on_ended(guest, &note);
        }
}

/* ---- for the server -------------------------------------------------------------------------- */

enum err rpc_guest_new(const struct rpc_house *house, int fd, const struct local_peer *peer,
                       struct rpc_guest **ret, struct err_note *note) {
        struct rpc_guest *guest = mem_new(struct rpc_guest);
        struct conn_options options = {.in_max = RPC_CALL_MAX,
                                       .out_max = RPC_ANSWER_MAX + 2 * SAID_MAX,
                                       .got = on_got,
                                       .drained = on_drained,
                                       .ended = on_ended,
                                       .user = guest};

        guest->house = *house;
        guest->peer = *peer;
        if (conn_new(house->loop, fd, &options, &guest->conn, note)) {
                free(guest);
                return note->code;
        }
        pthread_mutex_init(&guest->mutex, NULL);
        wait_for_guest(guest);
        *ret = guest;
        return ERR_NONE;
}

void rpc_guest_cancel(struct rpc_guest *guest) {
        atomic_store(&guest->is_cancelled, true);
}

bool rpc_guest_has_begun(const struct rpc_guest *guest) {
        return guest->did_begin;
}

void rpc_guest_dismiss(struct rpc_guest *guest) {
        leave(guest);
}

const char *rpc_guest_method(const struct rpc_guest *guest) {
        return guest->method;
}

uint64_t rpc_guest_pid(const struct rpc_guest *guest) {
        return guest->peer.pid;
}
