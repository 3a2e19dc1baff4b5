// SPDX-License-Identifier: Apache-2.0
#include "xapi.h"

#include "mem.h"
#include "xapi_cli_http.h"
#include "xapi_http.h"
#include "xapi_inside.h"

/* Slow ones wait for their SR most of the time, so there are more of them than cores. */
enum {
        QUICK_THREADS = 4,
        SLOW_THREADS = 16,
        LOGIN_THREADS = 2,
        TASK_THREADS = 16,
        CALLS_MAX = 20000,
        TASKS_MAX = 2000
};

static void set_routes(struct xapi *xapi) {
        static const struct http_route routes[XAPI_N_ROUTES] = {
                {.path = "/jsonrpc", .methods = HTTP_POST | HTTP_OPTIONS, .begin = xapi_http_json},
                {.path = "/json", .methods = HTTP_POST | HTTP_OPTIONS, .begin = xapi_http_json},
                {.path = "/cli", .methods = HTTP_POST, .begin = xapi_cli_http},
                {.path = "/",
                 .methods = HTTP_POST | HTTP_OPTIONS | HTTP_GET | HTTP_HEAD,
                 .begin = xapi_http_any},
        };

        for (unsigned i = 0; i < XAPI_N_ROUTES; i++) {
                xapi->routes[i] = routes[i];
                xapi->routes[i].user = xapi;
        }
}

enum err xapi_new(struct host *host, struct xapi **ret, struct err_note *note) {
        AUTO(xapi_free) struct xapi *xapi = mem_new(struct xapi);

        xapi->host = host;
        pthread_mutex_init(&xapi->mutex, NULL);
        pthread_cond_init(&xapi->left, NULL);
        set_routes(xapi);
        xapi->registered = xapi_registered_new();
        xapi->waiters = xapi_waiters_new(host->objects);
        xapi->talks = xapi_talks_new();
        xapi->quick = pool_new_bounded(QUICK_THREADS, CALLS_MAX);
        xapi->slow = pool_new_bounded(SLOW_THREADS, CALLS_MAX);
        xapi->logins = pool_new_bounded(LOGIN_THREADS, CALLS_MAX);
        xapi->background = pool_new_bounded(TASK_THREADS, TASKS_MAX);
        xapi->gc = xapi_gc_new(host, xapi->background);
        if (xapi_mirror_new(host, &xapi->mirror, note))
                return note->code;
        *ret = TAKE(xapi);
        return ERR_NONE;
}

void xapi_drain(struct xapi *xapi) {
        atomic_store(&xapi->is_draining, true);
        xapi_waiters_wake(xapi->waiters);
        xapi_talks_drain(xapi->talks);
}

void xapi_enter(struct xapi *xapi) {
        pthread_mutex_lock(&xapi->mutex);
        xapi->n_calls++;
        pthread_mutex_unlock(&xapi->mutex);
}

void xapi_leave(struct xapi *xapi) {
        pthread_mutex_lock(&xapi->mutex);
        xapi->n_calls--;
        pthread_cond_signal(&xapi->left);
        pthread_mutex_unlock(&xapi->mutex);
}

/* What workers gave back lies with the loops still. */
static void wait_for_loops(struct xapi *xapi) {
        pthread_mutex_lock(&xapi->mutex);
        while (xapi->n_calls)
                pthread_cond_wait(&xapi->left, &xapi->mutex);
        pthread_mutex_unlock(&xapi->mutex);
}

/* Those that hand on come before those that they hand on to. */
void xapi_free(struct xapi *xapi) {
        xapi_talks_free(xapi->talks);
        pool_free(xapi->quick);
        pool_free(xapi->slow);
        pool_free(xapi->logins);
        wait_for_loops(xapi);
        pool_free(xapi->background);
        xapi_gc_free(xapi->gc);
        if (xapi->mirror)
                xapi_mirror_free(xapi->mirror);
        xapi_waiters_free(xapi->waiters);
        xapi_registered_free(xapi->registered);
        pthread_cond_destroy(&xapi->left);
        pthread_mutex_destroy(&xapi->mutex);
        free(xapi);
}

const struct http_route *xapi_routes(const struct xapi *xapi, size_t *ret_n) {
        *ret_n = XAPI_N_ROUTES;
        return xapi->routes;
}
