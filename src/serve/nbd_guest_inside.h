// SPDX-License-Identifier: Apache-2.0
/* What the parts of nbd_guest.h share: nbd_guest.c, its life, and what it hears; nbd_guest_talk.c, options;
 * nbd_guest_request.c, requests; nbd_guest_answer.c, answers.
 *
 * Errors: none.  Threads: the loop's, but `done`, which is the worker's that ended a request.
 */
#ifndef SERVE_NBD_GUEST_INSIDE_H
#define SERVE_NBD_GUEST_INSIDE_H

#include <pthread.h>

#include "conn.h"
#include "nbd_guest.h"
#include "nbd_job.h"
#include "nbd_pool.h"
#include "tcp.h"

enum {
        NBD_OUT_MAX = 384 << 10, /* of answers to options: one is not heard before the last was sent */
        NBD_HEAD_ROOM = 64,      /* before the data: the head of an answer goes with it in one piece */
};

enum nbd_guest_state { GUEST_TALKING, GUEST_SECURING, GUEST_SERVING, GUEST_LEAVING, GUEST_GONE };

/* One request, from its header until its answer is with the connection. */
struct nbd_slot {
        struct nbd_guest *guest; /* borrowed */
        struct nbd_job job;
        struct nbd_asked contexts[NBD_CONTEXTS_MAX]; /* of the job, while it runs */
        struct nbd_read read;                        /* where it is one for the reactor */
        struct nbd_errand errand;
        bool is_refused;       /* the answer is job.error and text */
        const char *text;      /* borrowed; or NULL */
        uint8_t *piece;        /* owned by the pool; NULL: it needs none, or none yet */
        uint32_t received;     /* of a write's data */
        struct nbd_slot *next; /* borrowed; of those that are free, done, or wait to be sent */

        uint8_t head[NBD_ANSWER_MAX];
        unsigned n_blocks;   /* of the answer, begun to be sent */
        const uint8_t *from; /* borrowed; what is left of the last one */
        size_t left;
};

struct nbd_guest {
        struct nbd_house house;
        enum nbd_guest_state state;
        char peer[TCP_ADDRESS_SIZE];
        struct conn *conn; /* owned; NULL: the other side is gone */
        struct nbd_wire wire;
        struct loop_timer *timer; /* owned; while we wait for it to read, leaving */
        bool is_finishing, is_released;

        struct loop_timer *patience; /* owned; until it is served */
        uint64_t begin_by_ns, asked_ns;

        struct nbd_ask ask; /* the exports have it while is_asking */
        bool is_asking;
        uint32_t option; /* that is being answered */
        unsigned infos;
        struct buf talk; /* answers to options, from talk_at on not with the connection yet */
        size_t talk_at;
        struct nbd_export *looked_at; /* shared, counted; by INFO: GO of it comes next, most likely */

        /* From the last SET_META_CONTEXT on: context i + 1 tells what was changed since bases[i]. */
        struct nbd_export *bases[NBD_CONTEXTS_MAX]; /* shared, counted; NULL: it is base:allocation */
        unsigned n_contexts;

        /* From GO on. */
        struct nbd_export *export; /* shared, counted */
        struct nbd_session session;
        struct nbd_pool *pool;      /* owned */
        struct nbd_slot *slots;     /* owned */
        struct nbd_slot *free;      /* borrowed */
        struct nbd_slot *receiving; /* borrowed; the write whose data is coming */
        struct nbd_request waiting; /* there is no room for it yet */
        bool is_waiting;
        bool was_busy; /* since the last tick */
        struct nbd_reader reader;
        size_t n_copied;  /* bytes of reads begun by the reactor, likewise */
        unsigned n_heard; /* requests, without a break */
        bool has_break;   /* until the others of the round have had their turn */
        unsigned n_running;
        uint64_t ahead;                           /* bytes of reads that were begun and are not sent */
        struct nbd_slot *held, **last_held;       /* borrowed; reads that wait for others to be sent */
        struct nbd_slot *to_send, **last_to_send; /* borrowed */
        char logged[ERR_TEXT_SIZE];               /* what was logged last */

        pthread_mutex_t mutex;              /* guards what is below */
        struct nbd_slot *done, **last_done; /* borrowed; ended, not seen by the loop's thread */
        bool is_posted;
};

/* ---- nbd_guest_talk.c ---- */

void nbd_guest_take_option(struct nbd_guest *, const struct nbd_option *);
void nbd_guest_refuse_option(struct nbd_guest *, const struct nbd_refusal *);
void nbd_guest_greet(struct nbd_guest *); /* and waits for it to begin */
void nbd_guest_stop_patience(struct nbd_guest *);
void nbd_guest_forget_contexts(struct nbd_guest *);

/* ---- nbd_guest_request.c ---- */

void nbd_guest_start(struct nbd_guest *); /* GO was granted */
/* False: there is no room for it yet. */
bool nbd_guest_take_request(struct nbd_guest *, const struct nbd_request *);
void nbd_guest_take_payload(struct nbd_guest *, struct span);
void nbd_guest_begin_held(struct nbd_guest *); /* as many as may begin */
void nbd_guest_drop_held(struct nbd_guest *);  /* nobody will take them */

/* ---- nbd_guest_answer.c ---- */

void nbd_guest_pump(struct nbd_guest *); /* hands on what waits to be sent */
void nbd_guest_free_slot(struct nbd_guest *, struct nbd_slot *);

/* ---- nbd_guest.c ---- */

void nbd_guest_listen(struct nbd_guest *); /* looks at what has come */
/* False: others of the loop come first now; it goes on by itself. */
bool nbd_guest_has_turn(struct nbd_guest *);
void nbd_guest_leave(struct nbd_guest *);
void nbd_guest_go(struct nbd_guest *);     /* at once: a mistake that nobody can be told */
void nbd_guest_settle(struct nbd_guest *); /* after anything that may have been the last */

#endif
