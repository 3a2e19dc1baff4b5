// SPDX-License-Identifier: Apache-2.0
/* The NBD server of a daemon, which runs in a thread of its own.
 *
 *      daemon_nbd_open(&options, &nbd, note)    it listens, and the verbs on the SRs tell of it
 *      daemon_nbd_close(nbd)                    drains; every disk is flushed and closed
 *
 * Clients of the XenAPI open disks by names with their sessions in them, and read them.  Where other hosts
 * reach it, only they do, unless the configuration says otherwise.
 *
 * Errors: those of nbd_server.h.  Threads: the main one.
 */
#ifndef APP_DAEMON_NBD_H
#define APP_DAEMON_NBD_H

#include "config.h"
#include "daemon_tls.h"
#include "host.h"
#include "house.h"
#include "nbd_server.h"

struct daemon_nbd;

struct daemon_nbd_options {
        struct io *io;                             /* borrowed */
        const struct config *config;               /* borrowed */
        const struct daemon_tls *tls;              /* borrowed */
        struct house *house;                       /* borrowed */
        struct auth *auth;                         /* borrowed, outlives it; whose sessions may read */
        struct reactors *reactors;                 /* borrowed, outlive it */
        const char *host;                          /* borrowed; this host's name */
        const char *address;                       /* borrowed; what clients call it */
        void (*log)(void *user, const char *text); /* borrowed */
        void *user;                                /* borrowed; handed to it */
};

/* Whether it is wanted at all. */
bool daemon_nbd_is_wanted(const struct config *);
MUST_USE enum err daemon_nbd_open(const struct daemon_nbd_options *, struct daemon_nbd **ret,
                                  struct err_note *);
MUST_USE enum err daemon_nbd_reload(struct daemon_nbd *, const struct daemon_tls *, struct err_note *);
void daemon_nbd_stop(struct daemon_nbd *); /* nobody new; it drains meanwhile */
void daemon_nbd_close(struct daemon_nbd *);
DEFINE_AUTO(struct daemon_nbd *, daemon_nbd_close);

/* Where clients reach it over TCP; ours as long as it is open. */
const struct host_place *daemon_nbd_places(const struct daemon_nbd *, size_t *ret_n);
void daemon_nbd_say_where(const struct daemon_nbd *); /* a line for each place, on standard output */

#endif
