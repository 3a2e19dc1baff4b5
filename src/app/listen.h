// SPDX-License-Identifier: Apache-2.0
/* What the verbs share that serve disks by NBD until they are told to stop (listen_params.h): they say where
 * they listen, serve, and drain.
 *
 *      listen_check(call, note)                    before anything is opened
 *      listen_and_serve(&listen, call, note)
 *
 * Errors: of the check, the caller's mistake; those of nbd_server.h.  Threads: the main one.
 */
#ifndef APP_LISTEN_H
#define APP_LISTEN_H

#include "nbd_shelf.h"
#include "served.h"
#include "verbs.h"

struct listen {
        struct io *io;              /* borrowed; that all their files can be read by */
        struct nbd_shelves shelves; /* borrowed */
        struct served served;       /* what is known of it before it listens */
        void (*tell)(void *user,
                     const struct served *served); /* borrowed; NULL, and at last of none: nobody */
        void *user;                                /* borrowed; handed to it */
};

MUST_USE enum err listen_check(struct verb_call *, struct err_note *);
MUST_USE enum err listen_and_serve(const struct listen *, struct verb_call *, struct err_note *);

#endif
