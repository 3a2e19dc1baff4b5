// SPDX-License-Identifier: Apache-2.0
#include "nbd_reads.h"

#include <assert.h>
#include <string.h>

#include "mem.h"

enum { DEPTH = 256, AT_ONCE = 64 };

/* One request of the queue. */
struct piece {
        struct io_request request;
        struct iovec vec;
        struct nbd_read *read; /* borrowed */
        struct piece *next;    /* borrowed; another that is free */
};

struct nbd_reads {
        struct io_queue *queue;   /* owned */
        struct loop_watch *watch; /* owned; NULL: the queue tells nobody, and is waited for */
        struct piece *pieces;     /* owned; DEPTH of them */
        struct piece *free;       /* borrowed: of pieces */
        unsigned n_free;
        struct nbd_reader *told, **last_told; /* borrowed; to be called when what has ended is seen */
        bool is_going, must_go_on;
};

/* ---- making ---------------------------------------------------------------------------------- */

static void on_ended(void *user, unsigned events) {
        (void)events;
        nbd_reads_go(user);
}

static void free_piece(struct nbd_reads *reads, struct piece *piece) {
        piece->next = reads->free;
        reads->free = piece;
        reads->n_free++;
}

enum err nbd_reads_new(struct loop *loop, struct nbd_reads **ret, struct err_note *note) {
        AUTO(nbd_reads_free) struct nbd_reads *reads = mem_new(struct nbd_reads);
        int fd;

        reads->last_told = &reads->told;
        reads->pieces = mem_zero(DEPTH * sizeof *reads->pieces);
        for (unsigned i = 0; i < DEPTH; i++)
                free_piece(reads, &reads->pieces[i]);
        if (io_queue_new(loop_io(loop), DEPTH, &reads->queue, note))
                return err_wrap(note, "make a queue for reads");
        fd = io_queue_fd(reads->queue);
        if (fd >= 0 && loop_watch(loop, fd, LOOP_READ, on_ended, reads, &reads->watch, note))
                return note->code;
        *ret = TAKE(reads);
        return ERR_NONE;
}

void nbd_reads_free(struct nbd_reads *reads) {
        assert(!reads->queue || io_in_flight(reads->queue) == 0);
        if (reads->watch)
                loop_unwatch(reads->watch);
        if (reads->queue)
                io_queue_free(reads->queue);
        free(reads->pieces);
        free(reads);
}

/* ---- beginning ------------------------------------------------------------------------------- */

/* The segments of a read, as many as may be; 0: more of them, or not known. */
static unsigned find_segments(const struct nbd_read *read, struct chain_segment segments[NBD_READ_PIECES]) {
        uint64_t at = read->at, end = read->at + read->n;
        unsigned n = 0;

        while (at < end && n < NBD_READ_PIECES) {
                if (!chain_segment_now(read->chain, at, end - at, &segments[n]))
                        return 0;
                at += segments[n++].n;
        }
        return at == end ? n : 0;
}

static void submit(struct nbd_reads *reads, struct nbd_read *read, const struct chain_segment *segment) {
        struct piece *piece = reads->free;

        reads->free = piece->next;
        reads->n_free--;
        piece->read = read;
        piece->vec = (struct iovec){read->data + (segment->at - read->at), segment->n};
        piece->request.op = IO_OP_READ;
        piece->request.file = segment->file;
        piece->request.vec = &piece->vec;
        piece->request.n_vec = 1;
        piece->request.at = segment->file_at;
        piece->request.user = piece;
        read->n_left++;
        io_submit(reads->queue, &piece->request);
}

static void tell(struct nbd_reads *reads, struct nbd_read *read) {
        struct nbd_reader *reader = read->reader;

        chain_hold_end(read->chain, read->hold);
        if (!read->has_failed)
                chain_took(read->chain, LATENCY_READ, read->n, read->began_ns);
        reader->ended(reader->user, read, !read->has_failed);
        if (reader->is_told)
                return;
        reader->is_told = true;
        reader->next = NULL;
        *reads->last_told = reader;
        reads->last_told = &reader->next;
}

bool nbd_reads_begin(struct nbd_reads *reads, struct nbd_read *read) {
        struct chain_segment segments[NBD_READ_PIECES];
        unsigned n;

        if (read->n == 0 || read->n > NBD_READ_MAX || reads->n_free < NBD_READ_PIECES)
                return false;
        read->hold = chain_hold_begin(read->chain);
        read->began_ns = chain_begins(read->chain);
        n = find_segments(read, segments);
        if (n == 0) {
                chain_hold_end(read->chain, read->hold);
                return false;
        }
        read->has_failed = false;
        read->n_left = 0;
        read->n_pieces = n;
        for (unsigned i = 0; i < n; i++) {
                read->pieces[i].n = (uint32_t)segments[i].n;
                read->pieces[i].is_hole =
                        !segments[i].file && read->holes_from && segments[i].n >= read->holes_from;
                if (segments[i].file)
                        submit(reads, read, &segments[i]);
                else if (!read->pieces[i].is_hole)
                        memset(read->data + (segments[i].at - read->at), 0, segments[i].n);
        }
        if (read->n_left == 0)
                tell(reads, read);
        return true;
}

/* ---- ending ---------------------------------------------------------------------------------- */

static void end_piece(struct nbd_reads *reads, struct piece *piece) {
        struct nbd_read *read = piece->read;

        read->has_failed |= piece->request.result != ERR_NONE;
        free_piece(reads, piece);
        if (--read->n_left == 0)
                tell(reads, read);
}

/* All that has ended; where nothing would tell of the rest, all of it. */
static void reap(struct nbd_reads *reads) {
        struct io_request *ended[AT_ONCE];
        unsigned n;

        do {
                n = io_reap(reads->queue, reads->watch ? 0 : 1, ended, AT_ONCE);
                for (unsigned i = 0; i < n; i++)
                        end_piece(reads, ended[i]->user);
        } while (n > 0);
}

static void call_told(struct nbd_reads *reads) {
        struct nbd_reader *reader = TAKE(reads->told);

        reads->last_told = &reads->told;
        while (reader) {
                struct nbd_reader *next = reader->next;

                reader->is_told = false;
                reader->rested(reader->user);
                reader = next;
        }
}

/* Who was told may begin more, and comes here again: that is done here, not deeper and deeper. */
void nbd_reads_go(struct nbd_reads *reads) {
        reads->must_go_on = true;
        if (reads->is_going)
                return;
        reads->is_going = true;
        while (reads->must_go_on) {
                reads->must_go_on = false;
                reap(reads);
                call_told(reads);
        }
        reads->is_going = false;
}
