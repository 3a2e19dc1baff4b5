// SPDX-License-Identifier: Apache-2.0
/* What one daemon has and is: its SRs, objects, tasks and accounts, and how verbs are called in it.  Every
 * protocol of the daemon (XenAPI, HTTP, its control socket) is given this and nothing else.
 *
 * Errors: those of the verb.  Threads: any; its members guard themselves.
 */
#ifndef SERVICE_HOST_H
#define SERVICE_HOST_H

#include "auth.h"
#include "certificate.h"
#include "keepers.h"
#include "objects.h"
#include "tasks.h"
#include "verbs.h"

struct host_sr { /* one that this daemon owns */
        struct uuid uuid;
        struct sr *sr;         /* borrowed; touched with its turn */
        struct turn *turn;     /* borrowed */
        struct keeper *keeper; /* borrowed */
};

struct host_place {     /* where something is reached over TCP */
        char host[256]; /* a name or number, without brackets */
        unsigned port;
};

struct host {
        struct io *io;              /* borrowed */
        const char *state_dir;      /* borrowed */
        const struct sr_self *self; /* borrowed */
        struct keepers *keepers;    /* borrowed */
        struct objects *objects;    /* borrowed */
        struct tasks *tasks;        /* borrowed */
        struct auth *auth;          /* borrowed */
        const struct host_sr *srs;  /* borrowed; do not change while it serves */
        size_t n_srs;
        struct uuid uuid, pool; /* of the objects host and pool */
        const char *address;    /* borrowed; what clients call it, without a port */
        unsigned http_port;
        const struct host_place *nbd_places;       /* borrowed; do not change while it serves */
        size_t n_nbd_places;                       /* 0: no NBD over TCP */
        bool nbd_has_tls;                          /* with that certificate */
        struct certificate *certificate;           /* borrowed; NULL: TLS is off */
        void (*log)(void *user, const char *line); /* borrowed */
        void *user;                                /* borrowed; handed to log */
};

/* Runs a verb as the command would: "vdi", "snapshot", {"sr": uuid, "vdi": …}.  takes params.  *ret (may
 * be NULL) is a new reference.  progress may be NULL. */
MUST_USE enum err host_call(struct host *, const char *noun, const char *verb, json_t *params,
                            struct progress *, json_t **ret, struct err_note *);
/* Which of the SRs has the VDI; NULL: none.  Takes and gives their turns. */
const struct host_sr *host_sr_of_vdi(struct host *, const struct uuid *vdi);
const struct host_sr *host_sr_find(struct host *, const struct uuid *sr); /* or NULL */
const struct host_sr *host_default_sr(struct host *); /* the pool's, else the only one; NULL: neither */

#endif
