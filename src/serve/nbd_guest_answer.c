// SPDX-License-Identifier: Apache-2.0
/* Answers: put together block by block, and handed to the kernel from where they lie. */
#include <string.h>

#include "bytes.h"
#include "nbd_guest_inside.h"

enum { BLOCKS_AT_ONCE = 64 /* handed to the kernel by one call */ };
_Static_assert(NBD_HEAD_ROOM >= sizeof(struct nbd_data_wire) &&
                       NBD_HEAD_ROOM >= sizeof(struct nbd_status_wire),
               "the largest head that data follows fits");

void nbd_guest_free_slot(struct nbd_guest *guest, struct nbd_slot *slot) {
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
                nbd_guest_free_slot(guest, slot);
        }
}

/* Answers to options, which come before all others.  False: some of them still wait. */
static bool pump_talk(struct nbd_guest *guest) {
        size_t n = (size_t)min_u64(guest->talk.n - guest->talk_at, NBD_OUT_MAX - conn_unsent(guest->conn));
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
                nbd_guest_begin_held(guest);
        }
}
