// SPDX-License-Identifier: Apache-2.0
/* What the HTTP handlers that stream disks share: the daemon, threads that may wait, memory to stream with;
 * and what each of them begins with: who asks, for which task, and how he is refused.
 *
 * Errors: http_status_of and http_task_error translate, nobody else does.
 * Threads: any, but what is said below.  Ownership: a house outlives its streams; free waits for them.
 */
#ifndef SERVE_HTTP_HOUSE_H
#define SERVE_HTTP_HOUSE_H

#include "host.h"
#include "http_server.h"
#include "parts.h"
#include "pool.h"
#include "tcp.h"

struct http_house;

/* Both are borrowed. */
struct http_house *http_house_new(struct host *, struct pool *);
void http_house_free(
        struct http_house *); /* while the loops still run, once the server gives no more to handlers */
DEFINE_AUTO(struct http_house *, http_house_free);

struct host *http_house_host(const struct http_house *);
struct pool *http_house_pool(const struct http_house *);
struct parts *http_house_parts(const struct http_house *);
void http_house_begin(struct http_house *); /* one more stream */
void http_house_end(struct http_house *);   /* one fewer */

/* ---- who asks ---- */

/* What a request says of who sends it, kept beyond the exchange. */
struct http_asker {
        char *ref;             /* owned; of a session; NULL: none */
        char *user, *password; /* owned; NULL: none */
        char *task_ref;        /* owned; NULL: none was made for this */
        char peer[TCP_ADDRESS_SIZE];

        struct auth_who who; /* once he was let in */
        struct task *task;   /* shared, counted; once joined or made */
};
void http_asker_init(struct http_asker *, const struct http_exchange *); /* the loop's thread */
void http_asker_fini(struct http_asker *); /* a task that was not ended has failed */

/* May wait.  ERR_DENIED: he is not known (*ret_status 401), or may not (403). */
MUST_USE enum err http_asker_check(struct http_asker *, struct host *, enum role needs, unsigned *ret_status,
                                   struct err_note *);
/* Takes up the task that was named, or makes one. */
MUST_USE enum err http_asker_begin_task(struct http_asker *, struct host *, const char *label,
                                        struct err_note *);

/* A reference or a uuid. */
MUST_USE enum err http_parse_object(const char *text, const char *what, struct uuid *ret, struct err_note *);

/* ---- how it ends ---- */

unsigned http_status_of(enum err);
/* A new reference: what a task of the XenAPI says of it. */
json_t *http_task_error(const struct err_note *, const struct uuid *vdi);
/* The loop's thread, as all on exchanges: the handler's state may go, nobody is called any more. */
void http_leave(struct http_exchange *);
/* The answer says why, and the exchange is left. */
void http_refuse(struct http_exchange *, unsigned status, const struct err_note *);
/* The same, with the end of the asker's task, if he has one. */
void http_asker_fail_task(struct http_asker *, const struct err_note *, const struct uuid *vdi);
/* Of a VM that goes out; of one that comes into an SR. */
void http_asker_fail_vm_task(struct http_asker *, const struct err_note *, const struct uuid *vm);
void http_asker_fail_sr_task(struct http_asker *, const struct err_note *, const struct uuid *sr);
void http_house_log(struct http_house *, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
