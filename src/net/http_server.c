// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <stdio.h>

#include "http_inside.h"
#include "mem.h"

/* ---- routes ---------------------------------------------------------------------------------- */

/* "/a" is /a, /a/ and /a/b, not /ab. */
static bool is_below(const char *path, const char *top) {
        size_t n = strlen(top);

        if (strncmp(path, top, n) != 0)
                return false;
        return path[n] == 0 || path[n] == '/' || (n > 0 && top[n - 1] == '/');
}

const struct http_route *http_server_route(const struct http_server *server, const char *path) {
        const struct http_route *best = NULL;

        for (size_t i = 0; i < server->options.n_routes; i++) {
                const struct http_route *route = &server->options.routes[i];

                if (is_below(path, route->path) && (!best || strlen(route->path) > strlen(best->path)))
                        best = route;
        }
        return best;
}

/* ---- who is inside --------------------------------------------------------------------------- */

/* The server may be freed from here on. */
static void leave(struct http_server *server) {
        pthread_mutex_lock(&server->mutex);
        if (--server->n_inside == 0)
                pthread_cond_broadcast(&server->left);
        pthread_mutex_unlock(&server->mutex);
}

void http_hall_log(const struct http_hall *hall, const char *peer, const char *text) {
        const struct http_server_options *options = &hall->server->options;
        char line[ERR_TEXT_SIZE + TCP_ADDRESS_SIZE];

        snprintf(line, sizeof line, "%s: %s", peer, text);
        if (options->log)
                options->log(options->user, line);
}

/* ---- a hall ---------------------------------------------------------------------------------- */

static void on_tick(void *user) {
        struct http_hall *hall = user;

        hall->tick = loop_after(hall->loop, HTTP_TICK_NS, on_tick, hall);
        /* From behind: one that breaks takes itself out, and the last comes to its place. */
        for (size_t i = hall->conns.n; i-- > 0;)
                if (i < hall->conns.n)
                        http_conn_tick(hall->conns.data[i]);
}

static void stop_timers(struct http_hall *hall) {
        if (hall->tick)
                loop_cancel(TAKE(hall->tick));
        if (hall->patience)
                loop_cancel(TAKE(hall->patience));
}

void http_hall_add(struct http_hall *hall, struct http_conn *conn) {
        conn->place = hall->conns.n;
        *vec_add(&hall->conns) = conn;
        if (!hall->tick)
                hall->tick = loop_after(hall->loop, HTTP_TICK_NS, on_tick, hall);
}

void http_hall_remove(struct http_hall *hall, struct http_conn *conn) {
        struct http_conn *last = hall->conns.data[--hall->conns.n];
        struct http_server *server = hall->server;

        hall->conns.data[conn->place] = last;
        last->place = conn->place;
        if (hall->conns.n == 0)
                stop_timers(hall);
        atomic_fetch_sub(&server->n_connections, 1);
        leave(server);
}

static void break_all(void *user) {
        struct http_hall *hall = user;
        struct err_note why = {0};

        hall->patience = NULL;
        (void)err_set(&why, ERR_CANCELLED, "the server stops");
        for (size_t i = hall->conns.n; i-- > 0;)
                if (i < hall->conns.n)
                        http_conn_break(hall->conns.data[i], &why);
}

static void on_drain(void *user) {
        struct http_hall *hall = user;
        struct http_server *server = hall->server;

        hall->is_draining = true;
        for (size_t i = hall->conns.n; i-- > 0;)
                if (i < hall->conns.n)
                        http_conn_close_idle(hall->conns.data[i]);
        if (hall->conns.n > 0)
                hall->patience = loop_after(hall->loop, server->options.drain_ns, break_all, hall);
        leave(server);
}

/* The loop's; NULL: we are draining. */
static struct http_hall *hall_of(struct http_server *server, struct loop *loop) {
        struct http_hall *hall = NULL;

        pthread_mutex_lock(&server->mutex);
        VEC_EACH (&server->halls, each) {
                if ((*each)->loop == loop)
                        hall = *each;
        }
        if (server->is_draining) {
                hall = NULL;
        } else if (!hall) {
                hall = mem_new(struct http_hall);
                *hall = (struct http_hall){.server = server, .loop = loop};
                *vec_add(&server->halls) = hall;
        }
        if (hall)
                server->n_inside++;
        pthread_mutex_unlock(&server->mutex);
        return hall;
}

/* ---- the server ------------------------------------------------------------------------------ */

enum err http_server_new(const struct http_server_options *options, struct http_server **ret,
                         struct err_note *note) {
        struct http_server *server = mem_new(struct http_server);

        (void)note;
        server->options = *options;
        if (!server->options.drain_ns)
                server->options.drain_ns = HTTP_DRAIN_NS;
        if (!server->options.look)
                server->options.look = tcp_look;
        pthread_mutex_init(&server->mutex, NULL);
        pthread_cond_init(&server->left, NULL);
        *ret = server;
        return ERR_NONE;
}

void http_server_free(struct http_server *server) {
        http_server_drain(server);
        pthread_mutex_lock(&server->mutex);
        while (server->n_inside > 0)
                pthread_cond_wait(&server->left, &server->mutex);
        pthread_mutex_unlock(&server->mutex);
        VEC_EACH (&server->halls, each) {
                vec_fini(&(*each)->conns);
                free(*each);
        }
        vec_fini(&server->halls);
        pthread_cond_destroy(&server->left);
        pthread_mutex_destroy(&server->mutex);
        free(server);
}

void http_server_give(struct http_server *server, struct loop *loop, const struct arrival *arrival) {
        struct http_hall *hall = hall_of(server, loop);

        if (!hall) {
                tcp_close(arrival->fd);
                if (arrival->closed)
                        arrival->closed(arrival->user);
                return;
        }
        atomic_fetch_add(&server->n_connections, 1);
        http_conn_new(hall, arrival);
}

void http_server_come(void *server, struct loop *loop, const struct arrival *arrival) {
        http_server_give(server, loop, arrival);
}

/* Where nobody is connected nothing is posted: a loop that is not run any more would hold it for ever. */
void http_server_drain(struct http_server *server) {
        pthread_mutex_lock(&server->mutex);
        if (!server->is_draining && server->n_inside > 0) {
                VEC_EACH (&server->halls, each) {
                        server->n_inside++;
                        loop_post((*each)->loop, on_drain, *each);
                }
        }
        server->is_draining = true;
        pthread_mutex_unlock(&server->mutex);
}

unsigned http_server_n_connections(const struct http_server *server) {
        return atomic_load(&server->n_connections);
}
