// SPDX-License-Identifier: Apache-2.0
#include "nbd_guest.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "mem.h"
#include "nbd_guest_inside.h"

#define BASE_AGAIN_NS UINT64_C(1000000)

enum {
        IN_MAX = 256 << 10,
        OUT_MAX = 384 << 10, /* of answers to options: one is not heard before the last was sent */
        HEAD_ROOM = 64,      /* before the data: the head of an answer goes with it in one piece */
        AHEAD_MAX = 1 << 20, /* bytes read before their client has taken what came before */
        BLOCKS_AT_ONCE = 64, /* handed to the kernel by one call */
        BREAK_AFTER = 64,    /* requests of one client, while others have some too */
};
_Static_assert((int)NBD_WIRE_NEED <= (int)IN_MAX, "an option fits");
_Static_assert(HEAD_ROOM >= sizeof(struct nbd_data_wire) && HEAD_ROOM >= sizeof(struct nbd_status_wire),
               "the largest head that data follows fits");
_Static_assert((int)NBD_REQUESTS_MAX <= (int)NBD_POOL_PIECES_MAX, "each has its piece");
_Static_assert((int)NBD_BLOCK_MAX + (int)HEAD_ROOM <= (int)NBD_POOL_SIZE, "the largest fits");

static void begin_held(struct nbd_guest *);
static void drop_held(struct nbd_guest *);

/* ---- the end --------------------------------------------------------------------------------- */

static void stop_timers(struct nbd_guest *guest) {
        if (guest->timer)
                loop_cancel(TAKE(guest->timer));
        if (guest->break_)
                loop_cancel(TAKE(guest->break_));
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
        stop_timers(guest);
        nbd_guest_stop_patience(guest);
        if (guest->conn)
                conn_free(TAKE(guest->conn));
        guest->state = GUEST_GONE;
        drop_held(guest);
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

/* ---- sending --------------------------------------------------------------------------------- */

static void free_slot(struct nbd_guest *guest, struct nbd_slot *slot) {
        if (slot->piece && slot->job.request.type == NBD_CMD_READ)
                guest->ahead -= slot->job.request.length;
        if (slot->piece)
                nbd_pool_give(guest->pool, TAKE(slot->piece));
        slot->next = guest->free;
        guest->free = slot;
}

static void put_block(struct nbd_slot *slot, const uint8_t *from, size_t n) {
        slot->from = from;
        slot->left = n;
}

/* The head takes the place of what lies before the data, which was sent already. */
static void put_with_head(struct nbd_slot *slot, size_t n_head, uint8_t *data, size_t n) {
        memcpy(data - n_head, slot->head, n_head);
        put_block(slot, data - n_head, n_head + n);
}

static void put_part(struct nbd_slot *slot, unsigned i) {
        const struct nbd_job *job = &slot->job;
        const struct nbd_part *part = &job->parts[i];
        uint64_t at = job->request.offset + part->at;
        bool is_last = i + 1 == job->n_parts;

        if (part->is_hole)
                put_block(slot, slot->head, nbd_put_hole(&job->request, at, part->n, is_last, slot->head));
        else
                put_with_head(slot, nbd_put_data(&job->request, at, part->n, is_last, slot->head),
                              job->data + part->at, part->n);
}

static void put_status(struct nbd_slot *slot, unsigned i) {
        const struct nbd_job *job = &slot->job;
        size_t n_head = nbd_put_status(&job->request, job->contexts[i].id, job->n_extents[i],
                                       i + 1 == job->n_contexts, slot->head);

        put_with_head(slot, n_head, job->data + (size_t)i * NBD_EXTENTS_BYTES,
                      job->n_extents[i] * sizeof(struct nbd_extent_wire));
}

static bool is_success(const struct nbd_slot *slot, enum nbd_command type) {
        return slot->job.request.type == type && !slot->job.error;
}

/* Blocks of the answer: a head, and mostly data behind it. */
static unsigned count_blocks(const struct nbd_guest *guest, const struct nbd_slot *slot) {
        if (is_success(slot, NBD_CMD_READ) && guest->session.has_structured)
                return slot->job.n_parts;
        return is_success(slot, NBD_CMD_BLOCK_STATUS) ? slot->job.n_contexts : 1;
}

static void put_next_block(struct nbd_guest *guest, struct nbd_slot *slot) {
        const struct nbd_job *job = &slot->job;
        unsigned i = slot->n_blocks++;

        if (is_success(slot, NBD_CMD_READ) && guest->session.has_structured)
                put_part(slot, i);
        else if (is_success(slot, NBD_CMD_READ))
                put_with_head(slot, nbd_put_simple(&job->request, slot->head), job->data,
                              job->request.length);
        else if (is_success(slot, NBD_CMD_BLOCK_STATUS))
                put_status(slot, i);
        else
                put_block(slot, slot->head,
                          nbd_put_answer(&guest->session, &job->request, job->error, slot->text, slot->head));
}

/* What is to go next, as much as one call may take.  Of one answer one block at a time: the next one's head
 * is put where this one's bytes lie. */
static unsigned gather(struct nbd_guest *guest, struct iovec vec[BLOCKS_AT_ONCE], size_t *ret_n) {
        unsigned n = 0;

        *ret_n = 0;
        for (struct nbd_slot *slot = guest->to_send; slot && n < BLOCKS_AT_ONCE; slot = slot->next) {
                if (slot->left == 0)
                        put_next_block(guest, slot);
                vec[n++] = (struct iovec){(uint8_t *)(uintptr_t)slot->from, slot->left};
                *ret_n += slot->left;
                if (slot->n_blocks < count_blocks(guest, slot))
                        break;
        }
        return n;
}

static void have_sent(struct nbd_guest *guest, size_t n) {
        while (n > 0) {
                struct nbd_slot *slot = guest->to_send;
                size_t some = (size_t)min_u64(n, slot->left);

                slot->from += some;
                slot->left -= some;
                n -= some;
                if (slot->left > 0 || slot->n_blocks < count_blocks(guest, slot))
                        continue;
                guest->to_send = slot->next;
                if (!guest->to_send)
                        guest->last_to_send = &guest->to_send;
                free_slot(guest, slot);
        }
}

/* Answers to options, which come before all others.  False: some of them still wait. */
static bool pump_talk(struct nbd_guest *guest) {
        size_t n = (size_t)min_u64(guest->talk.n - guest->talk_at, OUT_MAX - conn_unsent(guest->conn));
        struct err_note unused;

        /* Where it fails the connection is at its end, which `ended` tells. */
        if (n > 0 && conn_send(guest->conn, guest->talk.data + guest->talk_at, n, &unused) == ERR_NONE)
                guest->talk_at += n;
        if (guest->talk_at < guest->talk.n)
                return false;
        guest->talk.n = guest->talk_at = 0;
        return true;
}

void nbd_guest_pump(struct nbd_guest *guest) {
        size_t n = 0, taken = 0;

        if (!guest->conn || guest->state == GUEST_SECURING || !pump_talk(guest))
                return;
        while (guest->to_send && taken == n) {
                struct iovec vec[BLOCKS_AT_ONCE];
                unsigned n_vec = gather(guest, vec, &n);
                struct err_note unused;

                if (conn_offer(guest->conn, vec, n_vec, &taken, &unused))
                        break;
                have_sent(guest, taken);
                begin_held(guest);
        }
}

/* ---- requests -------------------------------------------------------------------------------- */

static void queue_answer(struct nbd_guest *guest, struct nbd_slot *slot) {
        slot->next = NULL;
        *guest->last_to_send = slot;
        guest->last_to_send = &slot->next;
}

static void log_failure(struct nbd_guest *guest, const struct nbd_job *job) {
        AUTO_FREE char *text = NULL;

        if (job->error != NBD_EIO && job->error != NBD_ENOSPC && job->error != NBD_ENOMEM)
                return;
        text = mem_format("%s: %s %" PRIu32 " at %" PRIu64 ": %s", guest->export->name,
                          nbd_command_name(job->request.type), job->request.length, job->request.offset,
                          job->note.text);
        /* Guests try again; once is enough. */
        if (strncmp(text, guest->logged, sizeof guest->logged - 1) == 0)
                return;
        snprintf(guest->logged, sizeof guest->logged, "%s", text);
        guest->house.log(guest->house.user, text);
}

static void on_done(void *user) {
        struct nbd_guest *guest = user;
        struct nbd_slot *slot;

        pthread_mutex_lock(&guest->mutex);
        slot = TAKE(guest->done);
        guest->last_done = &guest->done;
        guest->is_posted = false;
        pthread_mutex_unlock(&guest->mutex);
        while (slot) {
                struct nbd_slot *next = slot->next;

                guest->n_running--;
                --*guest->house.n_away;
                if (slot->job.error) {
                        log_failure(guest, &slot->job);
                        slot->text = slot->job.note.text;
                }
                queue_answer(guest, slot);
                slot = next;
        }
        nbd_guest_pump(guest);
        nbd_guest_listen(guest);
        nbd_guest_settle(guest);
}

/* ---- what threads do: theirs until begin_errand ---- */

static void leave_bases(const struct nbd_guest *guest, unsigned n) {
        for (unsigned i = 0; i < n; i++)
                if (guest->bases[i])
                        nbd_lane_leave(guest->bases[i]->lane);
}

/* The disks that the job compares with, as they are now: they step aside too.  False: one of them just does. */
static bool enter_bases(struct nbd_slot *slot) {
        const struct nbd_guest *guest = slot->guest;

        for (unsigned i = 0; i < slot->job.n_contexts; i++) {
                const struct nbd_export *base = guest->bases[i];

                if (base && !nbd_lane_enter(base->lane)) {
                        leave_bases(guest, i);
                        return false;
                }
                slot->contexts[i] = (struct nbd_asked){.id = i + 1, .base = base ? base->chain : NULL};
                if (base && !base->chain)
                        slot->job.chain = NULL; /* EIO */
        }
        return true;
}

static void say_done(struct nbd_slot *slot) {
        struct nbd_guest *guest = slot->guest;
        bool posts;

        pthread_mutex_lock(&guest->mutex);
        slot->next = NULL;
        *guest->last_done = slot;
        guest->last_done = &slot->next;
        posts = !guest->is_posted;
        guest->is_posted = true;
        pthread_mutex_unlock(&guest->mutex);
        if (posts)
                loop_post(guest->house.loop, on_done, guest);
}

static void run_job(void *user) {
        struct nbd_slot *slot = user;
        struct nbd_guest *guest = slot->guest;
        bool compares = slot->job.request.type == NBD_CMD_BLOCK_STATUS;

        slot->job.chain = guest->export->chain; /* which may be another than when it came */
        if (compares && !enter_bases(slot)) {
                /* Not waited for here: whoever has the base step aside may wait for this lane next. */
                io_sleep_ns(loop_io(guest->house.loop), BASE_AGAIN_NS);
                nbd_work_add(guest->export->lane, &slot->errand);
                return;
        }
        nbd_job_run(&slot->job);
        if (compares)
                leave_bases(guest, slot->job.n_contexts);
        say_done(slot);
}

static void begin_errand(struct nbd_guest *guest, struct nbd_slot *slot) {
        ++*guest->house.n_away;
        slot->errand = (struct nbd_errand){.run = run_job, .user = slot};
        nbd_work_add(guest->export->lane, &slot->errand);
}

/* False: there is no room now. */
static bool give_piece(struct nbd_guest *guest, struct nbd_slot *slot, size_t room) {
        slot->piece = room ? nbd_pool_take(guest->pool, HEAD_ROOM + room) : NULL;
        slot->job.data = slot->piece ? slot->piece + HEAD_ROOM : NULL;
        return slot->piece || room == 0;
}

/* One that failed is done again, in full, by who can say why. */
static void on_read_ended(void *user, struct nbd_read *read, bool is_ok) {
        struct nbd_guest *guest = user;
        struct nbd_slot *slot = (struct nbd_slot *)((char *)read - offsetof(struct nbd_slot, read));

        nbd_lane_leave(guest->export->lane);
        if (!is_ok) {
                begin_errand(guest, slot);
                return;
        }
        guest->n_running--;
        slot->job.parts[0] = (struct nbd_part){.n = slot->job.request.length};
        slot->job.n_parts = 1;
        queue_answer(guest, slot);
}

static void on_rested(void *user) {
        struct nbd_guest *guest = user;

        nbd_guest_pump(guest);
        nbd_guest_listen(guest);
        nbd_guest_settle(guest);
}

/* False: what was read before is to be sent first.  So a client who takes his time has little read for him,
 * and the memory that is read into is sent, and read into again, while it is in the processor's cache. */
static bool may_begin_read(struct nbd_guest *guest, struct nbd_slot *slot) {
        uint32_t n = slot->job.request.length;

        return (guest->ahead == 0 || guest->ahead + n <= AHEAD_MAX) && give_piece(guest, slot, n);
}

/* The chain is the one that it is now, and stays so from enter to leave. */
static bool begin_in_reactor(struct nbd_guest *guest, struct nbd_slot *slot) {
        const struct nbd_export *export = guest->export;

        if (!nbd_lane_enter(export->lane))
                return false;
        slot->read.chain = export->chain;
        if (export->chain && nbd_reads_begin(guest->house.reads, &slot->read))
                return true;
        nbd_lane_leave(export->lane);
        return false;
}

static void begin_read(struct nbd_guest *guest, struct nbd_slot *slot) {
        const struct nbd_request *request = &slot->job.request;

        guest->ahead += request->length;
        guest->n_running++;
        slot->read.reader = &guest->reader;
        slot->read.data = slot->job.data;
        slot->read.at = request->offset;
        slot->read.n = request->length;
        if (!begin_in_reactor(guest, slot))
                begin_errand(guest, slot);
}

static void begin_job(struct nbd_guest *guest, struct nbd_slot *slot) {
        if (slot->is_refused) {
                queue_answer(guest, slot);
                return;
        }
        if (slot->job.request.type != NBD_CMD_READ) {
                guest->n_running++;
                begin_errand(guest, slot);
        } else if (!guest->held && may_begin_read(guest, slot)) {
                begin_read(guest, slot);
        } else {
                slot->next = NULL;
                *guest->last_held = slot;
                guest->last_held = &slot->next;
        }
}

static struct nbd_slot *take_held(struct nbd_guest *guest) {
        struct nbd_slot *slot = guest->held;

        guest->held = slot->next;
        if (!guest->held)
                guest->last_held = &guest->held;
        return slot;
}

static void begin_held(struct nbd_guest *guest) {
        while (guest->held && may_begin_read(guest, guest->held))
                begin_read(guest, take_held(guest));
}

/* Nobody will take them. */
static void drop_held(struct nbd_guest *guest) {
        while (guest->held)
                free_slot(guest, take_held(guest));
}

/* Only what is asked later: a slot is large. */
static void fill_slot(struct nbd_guest *guest, struct nbd_slot *slot, const struct nbd_request *request,
                      const struct nbd_verdict *verdict) {
        slot->guest = guest;
        slot->is_refused = verdict->error != NBD_OK;
        slot->text = verdict->text;
        slot->received = 0;
        slot->n_blocks = 0;
        slot->left = 0;
        slot->job.request = *request;
        slot->job.may_have_holes = guest->session.has_structured && !(request->flags & NBD_CMD_DF);
        slot->job.contexts = slot->contexts;
        slot->job.n_contexts = guest->n_contexts;
        slot->job.error = verdict->error;
}

/* False: there is no room for it yet. */
static bool take_request(struct nbd_guest *guest, const struct nbd_request *request) {
        struct nbd_verdict verdict = nbd_request_check(request, &guest->session);
        bool needs_none = verdict.error || request->type == NBD_CMD_READ; /* a read's comes when it begins */
        size_t room = needs_none ? 0 : nbd_job_room(request, guest->n_contexts);
        struct nbd_slot *slot = guest->free;

        if (!slot || !give_piece(guest, slot, room))
                return false;
        guest->free = slot->next;
        guest->was_busy = true;
        guest->n_heard++;
        fill_slot(guest, slot, request, &verdict);
        if (nbd_wire_left(&guest->wire) > 0)
                guest->receiving = slot;
        else
                begin_job(guest, slot);
        return true;
}

static void take_payload(struct nbd_guest *guest, struct span data) {
        struct nbd_slot *slot = guest->receiving;

        if (slot->piece)
                memcpy(slot->job.data + slot->received, data.data, data.n);
        slot->received += (uint32_t)data.n;
        if (nbd_wire_left(&guest->wire) == 0)
                begin_job(guest, TAKE(guest->receiving));
}

void nbd_guest_start(struct nbd_guest *guest) {
        guest->state = GUEST_SERVING;
        guest->pool = nbd_pool_new();
        guest->slots = mem_zero(NBD_REQUESTS_MAX * sizeof *guest->slots);
        for (unsigned i = 0; i < NBD_REQUESTS_MAX; i++)
                free_slot(guest, &guest->slots[i]);
        nbd_wire_start(&guest->wire);
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
                } else if (!take_request(guest, &event->request)) {
                        guest->waiting = event->request;
                        guest->is_waiting = true;
                }
                break;
        case NBD_PAYLOAD:
                take_payload(guest, event->data);
                break;
        }
}

static void on_break_over(void *user) {
        struct nbd_guest *guest = user;

        guest->break_ = NULL;
        guest->n_heard = 0;
        nbd_guest_listen(guest);
        nbd_guest_settle(guest);
}

/* Options are answered one by one, and what there is no room for is not heard. */
static bool may_hear(struct nbd_guest *guest) {
        if (!guest->conn || (guest->state != GUEST_TALKING && guest->state != GUEST_SERVING))
                return false;
        if (guest->n_heard >= BREAK_AFTER && !guest->break_)
                guest->break_ = loop_after(guest->house.loop, 0, on_break_over, guest);
        if (guest->break_)
                return false;
        if (guest->is_waiting && take_request(guest, &guest->waiting))
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

        if (!guest->break_)
                guest->n_heard = 0;
        nbd_guest_listen(guest);
        nbd_guest_settle(guest);
}

static void on_drained(void *user) {
        struct nbd_guest *guest = user;

        nbd_guest_pump(guest);
        nbd_guest_listen(guest);
        nbd_guest_settle(guest);
}

enum err nbd_guest_new(const struct nbd_house *house, int fd, const char *peer, struct nbd_guest **ret,
                       struct err_note *note) {
        struct nbd_guest *guest = mem_new(struct nbd_guest);
        struct conn_options options = {.in_max = IN_MAX,
                                       .out_max = OUT_MAX,
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
        guest->last_held = &guest->held;
        guest->reader = (struct nbd_reader){.ended = on_read_ended, .rested = on_rested, .user = guest};
        pthread_mutex_init(&guest->mutex, NULL);
        nbd_wire_init(&guest->wire, house->tls);
        nbd_guest_greet(guest);
        *ret = guest;
        return ERR_NONE;
}
