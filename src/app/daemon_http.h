// SPDX-License-Identifier: Apache-2.0
/* The HTTP server of a daemon: it listens where the configuration says, and hands each connection to a
 * reactor.
 *
 *      daemon_http_open(&options, &http, note)
 *      daemon_http_stop(http)                   nobody new
 *      daemon_http_close(http)                  nobody new; answers under way end, or break after a while
 *
 * Which paths there are is told by who opens it: no protocol is known here.
 *
 * Errors: those of listening and of the keys.  Threads: the main one.
 */
#ifndef APP_DAEMON_HTTP_H
#define APP_DAEMON_HTTP_H

#include "config.h"
#include "daemon_tls.h"
#include "http_server.h"

struct daemon_http;

struct daemon_http_options {
        const struct config *config;     /* borrowed */
        const struct daemon_tls *tls;    /* borrowed */
        const struct http_route *routes; /* borrowed */
        size_t n_routes;
        struct loop *loop;                         /* borrowed; that listens */
        struct reactors *reactors;                 /* borrowed, outlive it */
        void (*log)(void *user, const char *text); /* borrowed */
        void *user;                                /* borrowed; handed to log */
};

bool daemon_http_is_wanted(const struct config *);
MUST_USE enum err daemon_http_open(const struct daemon_http_options *, struct daemon_http **ret,
                                   struct err_note *);
MUST_USE enum err daemon_http_reload(struct daemon_http *, const struct daemon_tls *, struct err_note *);
void daemon_http_stop(struct daemon_http *);
void daemon_http_close(struct daemon_http *);
DEFINE_AUTO(struct daemon_http *, daemon_http_close);

unsigned daemon_http_port(const struct daemon_http *);  /* the first that is listened on */
void daemon_http_say_where(const struct daemon_http *); /* a line for each place, on standard output */

#endif
