// SPDX-License-Identifier: Apache-2.0
/* Keeps an SR open for all the calls of one process: the verb that the process was started for, and those
 * that other processes send while it owns the SR.
 *
 *      keeper_new(io, self, door)
 *      verb_call_run with .keeper              opens the SR, holds its turn; others may be served meanwhile
 *      keeper_free                             waits until the verbs of others have ended; the SR is let go
 *
 * How others reach us is handed down as a door: its socket listens from the moment on that the SR is ours,
 * and before anybody can read so.
 *
 * Errors: those of sr_open; ERR_CLOSED where a call of another came too early or too late: it is sent again.
 * Threads: any; the turn is what guards the SR.  new, free: the one that the process was started with.
 */
#ifndef SERVICE_KEEPER_H
#define SERVICE_KEEPER_H

#include <stdatomic.h>

#include "sr.h"
#include "turn.h"

struct keeper;
struct served;

struct keeper_door {
        /* Listens in that folder: the socket's name, static; NULL where it cannot be. */
        const char *(*open)(void *user, struct keeper *, const char *folder); /* borrowed */
        /* Waits until the calls of others have ended, then takes no more.  may_remove: the socket's file is
         * still ours to remove. */
        void (*close)(void *user, bool may_remove); /* borrowed */
        void *user;                                 /* borrowed; handed to both */
};

/* self and door (may be NULL: nobody reaches us) are copied; what they point at is borrowed. */
struct keeper *keeper_new(struct io *, const struct sr_self *, const struct keeper_door *);
/* Waits until the verbs of others have ended, and takes no more: of several keepers all are closed before one
 * is freed, since a verb may use two SRs. */
void keeper_close_door(struct keeper *);
void keeper_free(struct keeper *);
DEFINE_AUTO(struct keeper *, keeper_free);

/* Takes the turn, opening the SR where it is not open yet; of one keeper all calls are to one SR.  *stop ends
 * the wait for the turn. */
MUST_USE enum err keeper_enter(struct keeper *, const char *dir, const char *who, const atomic_bool *stop,
                               struct sr **ret, struct turn **ret_turn, struct err_note *);
/* For the call of another: only where dir, a canonical path, is open here. */
MUST_USE enum err keeper_join(struct keeper *, const char *dir, const char *who, const atomic_bool *stop,
                              struct sr **ret, struct turn **ret_turn, struct err_note *);
void keeper_leave(struct keeper *); /* gives the turn */

/* Where the SR's VDIs are served meanwhile: told by whoever serves them, and borrowed until he says NULL.
 * Both with the turn. */
void keeper_set_served(struct keeper *, const struct served *);
const struct served *keeper_served(const struct keeper *);

#endif
