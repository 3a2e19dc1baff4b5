// SPDX-License-Identifier: Apache-2.0
/* One NBD client, from its greeting to its end.
 *
 *      TALKING ──STARTTLS──> SECURING ──> TALKING        options, each answered before the next is heard
 *         └──GO, EXPORT_NAME──> SERVING                  requests, many at once, answered as they end
 *      any ──DISC, ABORT, drain, a mistake──> LEAVING    what is under way ends and is answered
 *      any ──the other side is gone──> GONE              what is under way ends
 *
 * Reads are mostly done where they arrive (nbd_reads.h), all else by threads that may wait (nbd_work.h).
 *
 * Memory is bounded: NBD_REQUESTS_MAX requests and their data in a pool had at the beginning, and what the
 * connection may hold.  Where there is no room for a request nothing more is read until one was answered.  Of
 * reads no more is done than the client takes: what is ready for it lies in the pool, and nowhere else, and
 * while that is 2 MiB nothing more is begun; one who does not read stands still, and costs no more.
 *
 * Nobody is heard for long without a break: the loop's other clients come in between.  Nobody is dropped for
 * being slow once it is served; who has not come so far in NBD_BEGIN_NS, without the time in which it waited
 * for us, is dropped: a place is for who uses it.
 *
 * Errors: the client is told; of disks also the log.  Threads: the loop's.
 * Ownership: a guest frees itself, and says so by `gone`.
 */
#ifndef SERVE_NBD_GUEST_H
#define SERVE_NBD_GUEST_H

#include "loop.h"
#include "nbd_export.h"
#include "nbd_reads.h"
#include "nbd_wire.h"
#include "tls.h"

struct nbd_guest;

enum { NBD_REQUESTS_MAX = 128 };
/* How long, when we leave, a client may take to read what was answered. */
#define NBD_DRAIN_NS UINT64_C(5000000000)
/* How long a client may take from its greeting until it is served. */
#define NBD_BEGIN_NS UINT64_C(60000000000)

/* What all guests of a server share. */
struct nbd_house {
        struct loop *loop;           /* borrowed */
        struct nbd_reads *reads;     /* borrowed; of the same loop */
        unsigned *n_away;            /* borrowed; requests of the loop's guests that threads have */
        struct nbd_exports *exports; /* borrowed */
        const struct tls_keys *keys; /* borrowed; NULL where tls is NBD_TLS_NONE */
        enum nbd_tls tls;
        bool needs_session;                           /* in the names of exports (nbd_shelf.h) */
        uint64_t begin_ns;                            /* 0: NBD_BEGIN_NS */
        void (*log)(void *user, const char *text);    /* borrowed */
        void *user;                                   /* borrowed; handed to log */
        void (*gone)(void *host, struct nbd_guest *); /* borrowed; it is freed after that */
        void *host;                                   /* borrowed; handed to gone */
};

/* fd: a connected socket, ours from now on also where it fails.  peer is for the log. */
MUST_USE enum err nbd_guest_new(const struct nbd_house *, int fd, const char *peer, struct nbd_guest **ret,
                                struct err_note *);
/* Nothing more is begun; it goes when what is under way was answered. */
void nbd_guest_drain(struct nbd_guest *);
/* To be called about each second: memory of a burst is given back after a second without requests. */
void nbd_guest_tick(struct nbd_guest *);

#endif
