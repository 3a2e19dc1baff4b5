// SPDX-License-Identifier: Apache-2.0
/* A queue whose requests the kernel does by itself: one ring a queue.
 *
 * A queue may go from thread to thread, so the ring is not tied to one (no SINGLE_ISSUER and what needs it).
 * A thread that ends takes back what it had submitted (ECANCELED): that is asked for again, like what a
 * signal broke off and what was done in part.
 *
 * Requests are handed to the kernel in small batches: at once while it has nothing to do, else when a few
 * have come together, and always before a wait.
 *
 * Where the kernel gives no ring (forbidden, too old, out of memory or files), the queue is a pool.
 *
 * Threads: as io.h says of a queue: one at a time. */
#include "io_posix.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>

#include "bytes.h"

enum {
        BATCH = 8,
        REST_VECTORS =
                16, /* of a request that was done in part: the next call does this many, or comes again */
        MOST_ENTRIES = 32768, /* the kernel's own limit */
};

/* A request in flight. */
struct slot {
        struct io_request *request; /* borrowed from its submitter until reaped; NULL: free */
        struct slot *next_free;     /* borrowed: another of the same array */
        uint64_t done;
        struct iovec rest[REST_VECTORS]; /* what the kernel looks at after a part was done */
};

struct ring {
        struct io_queue queue;
        struct io_uring uring;
        struct slot *slots; /* owned; depth of them */
        struct slot *free;  /* borrowed: one of slots */
        unsigned n_waiting; /* put into the ring, not yet shown to the kernel */
        unsigned n_kernel;  /* shown to the kernel, not yet ended */
        bool uses_workers;
};

/* Shows the kernel what waits. */
static void flush(struct ring *ring) {
        while (ring->n_waiting > 0) {
                int n = io_uring_submit(&ring->uring);

                if (n >= 0) {
                        ring->n_waiting -= (unsigned)n;
                        ring->n_kernel += (unsigned)n;
                        continue;
                }
                /* The kernel is short of something for now; the others are our mistakes. */
                assert(n == -EINTR || n == -EAGAIN || n == -EBUSY || n == -ENOMEM);
                sched_yield();
        }
}

static void put(struct ring *ring, struct slot *slot) {
        struct io_request *request = slot->request;
        int fd = io_posix_file(request->file)->fd;
        const struct iovec *vec = request->vec;
        unsigned n_vec = request->n_vec < IOV_MAX ? request->n_vec : IOV_MAX;
        struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

        assert(sqe); /* the ring has as many entries as requests may be in flight */
        if (slot->done > 0) {
                n_vec = io_posix_rest(request, slot->done, slot->rest, REST_VECTORS);
                vec = slot->rest;
        }
        switch (request->op) {
        case IO_OP_READ:
                io_uring_prep_readv(sqe, fd, vec, n_vec, request->at + slot->done);
                break;
        case IO_OP_WRITE:
                io_uring_prep_writev(sqe, fd, vec, n_vec, request->at + slot->done);
                break;
        case IO_OP_SYNC:
                io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
                break;
        }
        if (ring->uses_workers)
                io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
        io_uring_sqe_set_data(sqe, slot);
        ring->n_waiting++;
}

static void uring_submit(struct io_queue *queue, struct io_request *request) {
        struct ring *ring = (struct ring *)queue;
        struct slot *slot = ring->free;

        ring->free = slot->next_free;
        slot->request = request;
        slot->done = 0;
        put(ring, slot);
        if (ring->n_kernel == 0 || ring->n_waiting >= BATCH)
                flush(ring);
}

/* What the kernel answered; whether the request has ended.  If not, the rest of it is to be put again. */
static bool has_ended(struct slot *slot, int answer) {
        struct io_request *request = slot->request;
        uint64_t n = io_request_size(request);

        if (answer == -EINTR || answer == -EAGAIN || answer == -ECANCELED)
                return false;
        if (answer < 0 || request->op == IO_OP_SYNC) {
                io_posix_end(request, answer < 0 ? -answer : 0);
                return true;
        }
        slot->done += (uint64_t)answer;
        if (slot->done >= n)
                io_posix_end(request, 0);
        else if (answer > 0)
                return false;
        else if (request->op == IO_OP_READ)
                io_posix_end_short(request);
        else
                io_posix_end(request, EIO);
        return true;
}

static unsigned take_ended(struct ring *ring, struct io_request **ret, unsigned max) {
        struct io_uring_cqe *cqe;
        unsigned n = 0;

        while (n < max && io_uring_peek_cqe(&ring->uring, &cqe) == 0) {
                struct slot *slot = io_uring_cqe_get_data(cqe);
                int answer = cqe->res;

                io_uring_cqe_seen(&ring->uring, cqe);
                ring->n_kernel--;
                if (!has_ended(slot, answer)) {
                        put(ring, slot);
                        continue;
                }
                ret[n++] = TAKE(slot->request);
                slot->next_free = ring->free;
                ring->free = slot;
        }
        return n;
}

static unsigned uring_reap(struct io_queue *queue, unsigned min, struct io_request **ret, unsigned max) {
        struct ring *ring = (struct ring *)queue;
        unsigned n;

        flush(ring); /* what the page cache holds has ended when that returns */
        n = take_ended(ring, ret, max);
        while (n < min) {
                struct io_uring_cqe *cqe;
                int err;

                flush(ring); /* what was submitted since, or put again */
                err = io_uring_wait_cqe(&ring->uring, &cqe);
                assert(err == 0 || err == -EINTR || err == -EAGAIN || err == -EBUSY || err == -ENOMEM);
                n += take_ended(ring, ret + n, max - n);
        }
        flush(ring);
        return n;
}

static int uring_fd(struct io_queue *queue) {
        return ((struct ring *)queue)->uring.ring_fd;
}

static void uring_free(struct io_queue *queue) {
        struct ring *ring = (struct ring *)queue;

        io_uring_queue_exit(&ring->uring);
        free(ring->slots);
        free(ring);
}

static const struct io_queue_ops uring_ops = {
        .free = uring_free, .submit = uring_submit, .reap = uring_reap, .fd = uring_fd};

static enum err uring_new(struct io *io, unsigned depth, struct io_queue **ret, struct err_note *note) {
        struct ring *ring;

        if (((struct io_posix *)io)->uring_is_forbidden || depth > MOST_ENTRIES)
                return io_pool_new(io, depth, ret, note);
        ring = mem_new(struct ring);
        if (io_uring_queue_init(depth, &ring->uring, 0) < 0) {
                free(ring);
                return io_pool_new(io, depth, ret, note);
        }
        ring->queue.ops = &uring_ops;
        ring->uses_workers = ((struct io_posix *)io)->uring_uses_workers;
        ring->slots = mem_grow(NULL, depth, sizeof *ring->slots);
        for (unsigned i = 0; i < depth; i++) {
                ring->slots[i].request = NULL;
                ring->slots[i].next_free = ring->free;
                ring->free = &ring->slots[i];
        }
        *ret = &ring->queue;
        return ERR_NONE;
}

void io_uring_forbid(struct io *io) {
        ((struct io_posix *)io)->uring_is_forbidden = true;
}

void io_uring_use_workers(struct io *io) {
        ((struct io_posix *)io)->uring_uses_workers = true;
}

bool io_uring_is_used(const struct io_queue *queue) {
        return queue->ops == &uring_ops;
}

struct io *io_uring_new(void) {
        struct io *io = io_posix_new();

        ((struct io_posix *)io)->ops.queue_new = uring_new;
        return io;
}
