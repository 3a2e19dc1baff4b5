// SPDX-License-Identifier: Apache-2.0
#include "nbd_guest.h"

#include <assert.h>
#include <stdio.h>

#include "bytes.h"
#include "mem.h"
#include "nbd_guest_inside.h"

enum {
        IN_MAX = 256 << 10,
        /* of one client, before others of the loop have theirs */
        TURN_REQUESTS = 64,
        TURN_BYTES = 256 << 10,
};
_Static_assert((int)NBD_WIRE_NEED <= (int)IN_MAX, "an option fits");

/* ---- the end --------------------------------------------------------------------------------- */

static void stop_timer(struct nbd_guest *guest) {
        if (guest->timer)
                loop_cancel(TAKE(guest->timer));
}

static void release(void *user) {
        struct nbd_guest *guest = user;

        nbd_guest_forget_contexts(guest);
        if (guest->looked_at)
                nbd_export_release(guest->house.exports, guest->looked_at);
        if (guest->export)
                nbd_export_release(guest->house.exports, guest->export);
        guest->house.gone(guest->house.host, guest);
        nbd_wire_fini(&guest->wire);
        if (guest->pool)
                nbd_pool_free(guest->pool);
        free(guest->slots);
        buf_fini(&guest->talk);
        pthread_mutex_destroy(&guest->mutex);
        free(guest);
}

/* May be called from any callback of the connection. */
void nbd_guest_go(struct nbd_guest *guest) {
        stop_timer(guest);
        nbd_guest_stop_patience(guest);
        if (guest->conn)
                conn_free(TAKE(guest->conn));
        guest->state = GUEST_GONE;
        nbd_guest_drop_held(guest);
        nbd_guest_settle(guest);
}

static void on_ended(void *user, const struct err_note *why) {
        struct nbd_guest *guest = user;

        if (guest->state == GUEST_SECURING) {
                AUTO_FREE char *text = mem_format("TLS with %s: %s", guest->peer, why->text);

                guest->house.log(guest->house.user, text);
        }
        nbd_guest_go(guest);
}

static void on_timer(void *user) {
        struct nbd_guest *guest = user;

        guest->timer = NULL;
        if (guest->n_running > 0 || guest->is_asking)
                guest->timer = loop_after(guest->house.loop, NBD_DRAIN_NS, on_timer, guest);
        else
                nbd_guest_go(guest);
}

void nbd_guest_leave(struct nbd_guest *guest) {
        if (guest->state == GUEST_LEAVING || guest->state == GUEST_GONE)
                return;
        guest->state = GUEST_LEAVING;
        guest->timer = loop_after(guest->house.loop, NBD_DRAIN_NS, on_timer, guest);
}

static bool has_to_send(const struct nbd_guest *guest) {
        return guest->talk.n > guest->talk_at || guest->to_send || guest->held;
}

/* Leaving, once all is said the other side has until the timer to go by itself: so it gets all of it. */
void nbd_guest_settle(struct nbd_guest *guest) {
        if (guest->n_running > 0 || guest->is_asking || guest->is_released)
                return;
        if (guest->state == GUEST_GONE) {
                guest->is_released = true;
                loop_post(guest->house.loop, release, guest);
        } else if (guest->state == GUEST_LEAVING && !has_to_send(guest) && !guest->is_finishing) {
                guest->is_finishing = true;
                conn_finish(guest->conn);
        }
}

void nbd_guest_drain(struct nbd_guest *guest) {
        if (guest->state == GUEST_SECURING)
                nbd_guest_go(guest);
        else
                nbd_guest_leave(guest);
        nbd_guest_settle(guest);
}

void nbd_guest_tick(struct nbd_guest *guest) {
        if (guest->pool && !guest->was_busy)
                nbd_pool_rest(guest->pool);
        guest->was_busy = false;
}

/* ---- hearing --------------------------------------------------------------------------------- */

static void begin_tls(struct nbd_guest *guest) {
        struct cover *cover = NULL;
        struct err_note note;

        nbd_guest_pump(guest);
        assert(!has_to_send(guest));
        if (tls_cover_new(guest->house.keys, NULL, &cover, &note)) {
                guest->house.log(guest->house.user, note.text);
                nbd_guest_go(guest);
                return;
        }
        guest->state = GUEST_SECURING;
        conn_secure(guest->conn, cover, TLS_PATIENCE_NS);
}

static void on_secured(void *user) {
        struct nbd_guest *guest = user;

        guest->state = GUEST_TALKING;
        nbd_wire_secured(&guest->wire);
}

static void take_event(struct nbd_guest *guest, const struct nbd_event *event) {
        switch (event->kind) {
        case NBD_MORE:
        case NBD_CLIENT_FLAGS:
                break;
        case NBD_OPTION:
                nbd_guest_take_option(guest, &event->option);
                break;
        case NBD_REFUSED:
                nbd_guest_refuse_option(guest, &event->refusal);
                break;
        case NBD_REQUEST:
                if (event->request.type == NBD_CMD_DISC) {
                        nbd_guest_leave(guest);
                } else if (!nbd_guest_take_request(guest, &event->request)) {
                        guest->waiting = event->request;
                        guest->is_waiting = true;
                }
                break;
        case NBD_PAYLOAD:
                nbd_guest_take_payload(guest, event->data);
                break;
        }
}

static void begin_turn(struct nbd_guest *guest) {
        guest->n_heard = 0;
        guest->n_copied = 0;
}

static void on_break_over(void *user) {
        struct nbd_guest *guest = user;

        guest->has_break = false;
        begin_turn(guest);
        if (guest->conn)
                nbd_guest_begin_held(guest);
        nbd_guest_listen(guest);
        nbd_guest_settle(guest);
}

bool nbd_guest_has_turn(struct nbd_guest *guest) {
        if (!guest->has_break && (guest->n_heard >= TURN_REQUESTS || guest->n_copied >= TURN_BYTES)) {
                guest->has_break = true;
                loop_post(guest->house.loop, on_break_over, guest); /* which comes before its release */
        }
        return !guest->has_break;
}

/* Options are answered one by one, and what there is no room for is not heard. */
static bool may_hear(struct nbd_guest *guest) {
        if (!guest->conn || (guest->state != GUEST_TALKING && guest->state != GUEST_SERVING) ||
            !nbd_guest_has_turn(guest))
                return false;
        if (guest->is_waiting && nbd_guest_take_request(guest, &guest->waiting))
                guest->is_waiting = false;
        if (guest->state == GUEST_SERVING)
                return !guest->is_waiting;
        return !guest->is_asking && guest->talk.n == guest->talk_at && conn_unsent(guest->conn) == 0;
}

/* False: there is no more now. */
static bool hear_one(struct nbd_guest *guest) {
        struct nbd_event event = {0};
        struct err_note unused;
        size_t n, used = 0;
        const uint8_t *data = conn_peek(guest->conn, &n);

        if (nbd_wire_next(&guest->wire, (struct span){data, n}, &used, &event, &unused)) {
                nbd_guest_go(guest);
                return false;
        }
        take_event(guest, &event);
        if (guest->conn && guest->state != GUEST_SERVING)
                nbd_guest_pump(guest);
        if (guest->conn)
                conn_skip(guest->conn, used);
        if (event.kind == NBD_MORE && guest->wire.state == NBD_SECURING && guest->conn)
                begin_tls(guest);
        return event.kind != NBD_MORE;
}

/* All that is there first, then what it asks for in one go. */
void nbd_guest_listen(struct nbd_guest *guest) {
        while (may_hear(guest) && hear_one(guest))
                ;
        nbd_guest_pump(guest);
        nbd_reads_go(guest->house.reads);
}

static void on_got(void *user) {
        struct nbd_guest *guest = user;

        if (!guest->has_break)
                begin_turn(guest);
        nbd_guest_listen(guest);
        nbd_guest_settle(guest);
}

static void on_drained(void *user) {
        struct nbd_guest *guest = user;

        if (!guest->has_break)
                begin_turn(guest);
        nbd_guest_pump(guest);
        nbd_guest_listen(guest);
        nbd_guest_settle(guest);
}

enum err nbd_guest_new(const struct nbd_house *house, int fd, const char *peer, struct nbd_guest **ret,
                       struct err_note *note) {
        struct nbd_guest *guest = mem_new(struct nbd_guest);
        struct conn_options options = {.in_max = IN_MAX,
                                       .out_max = NBD_OUT_MAX,
                                       .got = on_got,
                                       .drained = on_drained,
                                       .secured = on_secured,
                                       .ended = on_ended,
                                       .user = guest};

        guest->house = *house;
        if (conn_new(house->loop, fd, &options, &guest->conn, note)) {
                free(guest);
                return note->code;
        }
        snprintf(guest->peer, sizeof guest->peer, "%s", peer);
        guest->last_to_send = &guest->to_send;
        guest->last_done = &guest->done;
        pthread_mutex_init(&guest->mutex, NULL);
        nbd_wire_init(&guest->wire, house->tls);
        nbd_guest_greet(guest);
        *ret = guest;
        return ERR_NONE;
}
