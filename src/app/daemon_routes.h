// SPDX-License-Identifier: Apache-2.0
/* What a daemon answers over HTTP: the paths of its protocols in one table, and what their handlers need.
 *
 *      daemon_routes_open(&routes, &host, note)
 *      … routes.all … an HTTP server has them
 *      daemon_routes_drain(&routes)     before that server is closed: who waits for news is answered
 *      daemon_routes_close(&routes)     behind it, while the reactors run: waits for what is under way
 *
 *      /healthz                            "ok": it lives; for whoever watches it, without a password
 *      /export_raw_vdi, /import_raw_vdi    disks, for XenAPI clients
 *      /vdi/UUID.raw, /vdi/UUID.vhd        disks, for people
 *      /export, /import                    VMs and their disks, as XVA
 *      /pool/xmldbdump                     what the host knows of itself
 *      all else                            the XenAPI (xapi.h)
 *
 * Errors: those of the protocols.  Threads: the main one; the routes themselves, any reactor's.
 */
#ifndef APP_DAEMON_ROUTES_H
#define APP_DAEMON_ROUTES_H

#include "host.h"
#include "http_house.h"
#include "vec.h"
#include "xapi.h"

struct daemon_routes {
        struct pool *pool;        /* owned; NULL: it is not open */
        struct http_house *house; /* owned */
        struct xapi *xapi;        /* owned */
        VEC(struct http_route) all;
};

MUST_USE enum err daemon_routes_open(struct daemon_routes *ret, struct host *, struct err_note *);
void daemon_routes_drain(struct daemon_routes *);
void daemon_routes_close(struct daemon_routes *);

#endif
