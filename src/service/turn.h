// SPDX-License-Identifier: Apache-2.0
/* A turn at something that one at a time may use, an SR say: a mutex with the name of its holder.
 *
 * Verbs hold their SR's turn from sr_call_open until they have ended.  One that only moves bytes for a while
 * gives it back meanwhile, so that others work beside it:
 *
 *      turn_give(turn);                nothing of the SR is touched, but chains that it has open
 *      … read, write, wait …
 *      turn_take(turn, "vdi export");  what was looked up before may have changed: look again
 *
 * First come, first served: a long verb that gives and takes in a loop does not starve the others.
 *
 * Errors: turn_take_unless is ERR_CANCELLED where it was asked to stop.  Threads: any; whoever took it gives
 * it, in whichever thread.
 */
#ifndef SERVICE_TURN_H
#define SERVICE_TURN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "io.h"

enum { TURN_HOLDER_SIZE = 64 };

struct turn {
        struct io *io;         /* borrowed; its clock */
        pthread_mutex_t mutex; /* guards what is below */
        pthread_cond_t moved;  /* the queue moved on */
        /* Those who wait hold tickets; a ticket whose holder went away is skipped. */
        uint64_t next_ticket, serving;
        uint64_t *left; /* owned; tickets above `serving` whose holders went away */
        unsigned n_left, room_left;
        bool is_held;
        char holder[TURN_HOLDER_SIZE];
        void (*given)(void *user); /* borrowed; or NULL */
        void *user;                /* borrowed; handed to given */
};

void turn_init(struct turn *, struct io *);
void turn_fini(struct turn *); /* nobody holds or wants it */

/* All but init and fini take NULL for a turn that nobody else wants, and do nothing then.  who is for people,
 * cut to TURN_HOLDER_SIZE. */
void turn_take(struct turn *, const char *who);
MUST_USE enum err turn_take_unless(struct turn *, const char *who, const atomic_bool *stop,
                                   struct err_note *);
void turn_give(struct turn *);

/* given is called each time the turn was given back, but for those who say that they changed nothing: it is
 * short, and does nothing with the turn.  NULL: nobody wants to know any more, and no call is under way
 * when this returns. */
void turn_set_given(struct turn *, void (*given)(void *user), void *user);
void turn_give_unchanged(struct turn *);

/* Who has it now; empty: nobody. */
void turn_holder(struct turn *, char ret[TURN_HOLDER_SIZE]);
unsigned turn_n_waiting(struct turn *);

#endif
