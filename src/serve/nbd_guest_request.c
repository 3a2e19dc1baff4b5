// SPDX-License-Identifier: Apache-2.0
/* Requests, from their header until their answer lies ready: small reads by the reactor, all else by
 * threads. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "mem.h"
#include "nbd_guest_inside.h"

#define BASE_AGAIN_NS UINT64_C(1000000)

enum { AHEAD_MAX = 2 << 20 /* bytes read before their client has taken what came before */ };
_Static_assert((int)NBD_REQUESTS_MAX <= (int)NBD_POOL_PIECES_MAX, "each has its piece");
_Static_assert((int)NBD_BLOCK_MAX + (int)NBD_HEAD_ROOM <= (int)NBD_POOL_SIZE, "the largest fits");

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

/* ---- in a worker's thread ---- */

static void leave_bases(const struct nbd_guest *guest, unsigned n) {
        for (unsigned i = 0; i < n; i++)
                if (guest->bases[i])
                        nbd_lane_leave(guest->bases[i]->lane);
}

/* The disks that the job compares with, as they are now: they step aside too.  False: one of them does. */
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

/* ---- in the loop's again ---- */

static void begin_errand(struct nbd_guest *guest, struct nbd_slot *slot) {
        ++*guest->house.n_away;
        slot->errand = (struct nbd_errand){.run = run_job, .user = slot};
        nbd_work_add(guest->export->lane, &slot->errand);
}

/* False: there is no room now. */
static bool give_piece(struct nbd_guest *guest, struct nbd_slot *slot, size_t room) {
        slot->piece = room ? nbd_pool_take(guest->pool, NBD_HEAD_ROOM + room) : NULL;
        slot->job.data = slot->piece ? slot->piece + NBD_HEAD_ROOM : NULL;
        return slot->piece || room == 0;
}

/* The pieces that were read, as parts of the answer. */
static void tell_parts(struct nbd_slot *slot) {
        const struct nbd_read *read = &slot->read;
        uint32_t at = 0;

        slot->job.n_parts = 0;
        for (unsigned i = 0; i < read->n_pieces; i++) {
                nbd_job_add_part(&slot->job, at, read->pieces[i].n, read->pieces[i].is_hole);
                at += read->pieces[i].n;
        }
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
        tell_parts(slot);
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

        return (guest->ahead == 0 || guest->ahead + n <= AHEAD_MAX) && nbd_guest_has_turn(guest) &&
               give_piece(guest, slot, n);
}

/* The chain is the one that it is now, and stays so from enter to leave. */
static bool begin_in_reactor(struct nbd_guest *guest, struct nbd_slot *slot) {
        const struct nbd_export *export = guest->export;

        if (!nbd_lane_enter(export->lane))
                return false;
        slot->read.chain = export->chain;
        if (export->chain && nbd_reads_begin(guest->house.reads, &slot->read)) {
                guest->n_copied += slot->read.n;
                return true;
        }
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
        slot->read.holes_from = nbd_job_finds_holes(&slot->job) ? NBD_HOLE_MIN : 0;
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

void nbd_guest_begin_held(struct nbd_guest *guest) {
        while (guest->held && may_begin_read(guest, guest->held))
                begin_read(guest, take_held(guest));
}

/* Nobody will take them. */
void nbd_guest_drop_held(struct nbd_guest *guest) {
        while (guest->held)
                nbd_guest_free_slot(guest, take_held(guest));
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
bool nbd_guest_take_request(struct nbd_guest *guest, const struct nbd_request *request) {
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

void nbd_guest_take_payload(struct nbd_guest *guest, struct span data) {
        struct nbd_slot *slot = guest->receiving;

        if (slot->piece)
                memcpy(slot->job.data + slot->received, data.data, data.n);
        slot->received += (uint32_t)data.n;
        if (nbd_wire_left(&guest->wire) == 0)
                begin_job(guest, TAKE(guest->receiving));
}

void nbd_guest_start(struct nbd_guest *guest) {
        guest->state = GUEST_SERVING;
        guest->reader = (struct nbd_reader){.ended = on_read_ended, .rested = on_rested, .user = guest};
        guest->last_held = &guest->held;
        guest->pool = nbd_pool_new();
        guest->slots = mem_zero(NBD_REQUESTS_MAX * sizeof *guest->slots);
        for (unsigned i = 0; i < NBD_REQUESTS_MAX; i++)
                nbd_guest_free_slot(guest, &guest->slots[i]);
        nbd_wire_start(&guest->wire);
}
