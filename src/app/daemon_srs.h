// SPDX-License-Identifier: Apache-2.0
/* The SRs of a daemon, as its configuration names them: opened and owned until the end, each with its
 * keeper, known by their names in the state directory.
 *
 * Errors: those of opening, with the SR's section in front.  Threads: the main one.
 */
#ifndef APP_DAEMON_SRS_H
#define APP_DAEMON_SRS_H

#include "config.h"
#include "host.h"
#include "house.h"

struct daemon_srs {
        struct doors *doors;     /* owned */
        struct keepers *keepers; /* owned */
        struct house house;
        VEC(struct host_sr) each;
};

/* call: where they are opened; its keepers, and the options', are ours from daemon_srs_init on. */
void daemon_srs_init(struct daemon_srs *);
void daemon_srs_fini(struct daemon_srs *); /* waits until the calls of others have ended */
DEFINE_AUTO_IN_PLACE(struct daemon_srs, daemon_srs_fini);

MUST_USE enum err daemon_srs_open(struct daemon_srs *, const struct config *, const struct verb_call *,
                                  const struct rpc_server_options *, struct err_note *);

#endif
