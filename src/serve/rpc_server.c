// SPDX-License-Identifier: Apache-2.0
#include "rpc_server.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "rpc_guest.h"
#include "thread.h"

#define SOCKET_NAME "owner.sock"

enum { ACCEPT_AGAIN_NS = 100000000, LOOK_EVERY_NS = 50000000, SAY_AFTER_NS = 500000000 };

struct guest_row {
        struct rpc_guest *guest; /* owned by itself */
        bool did_begin;
        char method[JSONRPC_METHOD_MAX + 1];
        uint64_t pid;
};

struct rpc_server {
        struct io *io; /* borrowed, outlives us */
        struct rpc_server_options options;
        char *folder;     /* owned; of the socket; NULL: not open */
        const char *name; /* borrowed, static; of the socket */
        int listener;
        struct loop *loop; /* owned */
        struct rpc_house house;
        struct loop_watch *watch; /* owned; the loop's thread alone; NULL: no more are taken */
        pthread_t thread;

        pthread_mutex_t mutex; /* guards what is below */
        pthread_cond_t changed;
        VEC(struct guest_row) guests; /* changed by the loop's thread alone */
        unsigned n_begun;
        bool is_closed; /* no call begins any more */
};

struct rpc_server *rpc_server_new(struct io *io, const struct rpc_server_options *options) {
        struct rpc_server *server = mem_new(struct rpc_server);
        pthread_condattr_t attributes;

        server->io = io;
        server->options = *options;
        server->listener = -1;
        pthread_mutex_init(&server->mutex, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&server->changed, &attributes);
        pthread_condattr_destroy(&attributes);
        return server;
}

void rpc_server_free(struct rpc_server *server) {
        assert(!server->folder);
        pthread_cond_destroy(&server->changed);
        pthread_mutex_destroy(&server->mutex);
        free(server);
}

/* ---- guests: the loop's thread --------------------------------------------------------------- */

static struct guest_row *row_of(struct rpc_server *server, const struct rpc_guest *guest) {
        VEC_EACH (&server->guests, each) {
                if (each->guest == guest)
                        return each;
        }
        return NULL;
}

static bool may_begin(void *user, struct rpc_guest *guest) {
        struct rpc_server *server = user;
        bool may;

        pthread_mutex_lock(&server->mutex);
        /* Those that have begun are cancelled once: nobody may begin behind that. */
        may = !server->is_closed && !(server->options.hurry && atomic_load(server->options.hurry));
        if (may) {
                struct guest_row *row = row_of(server, guest);

                row->did_begin = true;
                snprintf(row->method, sizeof row->method, "%s", rpc_guest_method(guest));
                server->n_begun++;
        }
        pthread_mutex_unlock(&server->mutex);
        return may;
}

static void on_gone(void *user, struct rpc_guest *guest, bool did_begin) {
        struct rpc_server *server = user;

        pthread_mutex_lock(&server->mutex);
        vec_remove_at(&server->guests, (size_t)(row_of(server, guest) - server->guests.data));
        server->n_begun -= did_begin;
        pthread_cond_signal(&server->changed);
        pthread_mutex_unlock(&server->mutex);
        if (server->watch)
                loop_want(server->watch, LOOP_READ);
        else if (server->guests.n == 0)
                loop_stop(server->loop);
}

static void accept_again(void *user) {
        struct rpc_server *server = user;

        if (server->watch)
                loop_want(server->watch, LOOP_READ);
}

static void on_connection(void *user, unsigned events) {
        struct rpc_server *server = user;
        struct err_note note = {0};
        struct local_peer peer;
        struct rpc_guest *guest;
        enum err failed = ERR_NONE;
        int fd = -1;

        (void)events;
        if (server->guests.n >= RPC_GUESTS_MAX) {
                loop_want(server->watch, 0);
                return;
        }
        failed = local_accept(server->listener, &fd, &peer, &note);
        if (failed && failed != ERR_DENIED) {
                /* Out of descriptors, say: whoever waits is still there a moment later. */
                loop_want(server->watch, 0);
                (void)loop_after(server->loop, ACCEPT_AGAIN_NS, accept_again, server);
        }
        if (failed || fd < 0 || rpc_guest_new(&server->house, fd, &peer, &guest, &note))
                return;
        pthread_mutex_lock(&server->mutex);
        *vec_add(&server->guests) = (struct guest_row){.guest = guest, .pid = peer.pid};
        pthread_mutex_unlock(&server->mutex);
}

static void cancel_all(void *user) {
        struct rpc_server *server = user;

        VEC_EACH (&server->guests, each) {
                rpc_guest_cancel(each->guest);
        }
}

/* Nobody has begun; those who have not are sent away and find out who the owner is then. */
static void close_down(void *user) {
        struct rpc_server *server = user;

        loop_unwatch(TAKE(server->watch));
        VEC_EACH (&server->guests, each) {
                rpc_guest_dismiss(each->guest);
        }
        if (server->guests.n == 0)
                loop_stop(server->loop);
}

static void *run(void *user) {
        struct rpc_server *server = user;

        loop_run(server->loop);
        return NULL;
}

/* ---- the door -------------------------------------------------------------------------------- */

static void let_go(struct rpc_server *server, bool may_remove) {
        if (may_remove)
                local_unlisten(server->folder, server->name);
        if (server->loop)
                loop_free(TAKE(server->loop));
        if (server->listener >= 0)
                local_close(server->listener);
        server->listener = -1;
        server->watch = NULL;
        vec_fini(&server->guests);
        free(TAKE(server->folder));
}

static enum err begin(struct rpc_server *server, struct err_note *note) {
        int failed;

        if (loop_new(server->io, &server->loop, note) ||
            loop_watch(server->loop, server->listener, LOOP_READ, on_connection, server, &server->watch,
                       note))
                return note->code;
        server->house.loop = server->loop;
        failed = thread_start(&server->thread, run, server);
        return failed ? err_set(note, ERR_NO_MEMORY, "start a thread: %s", strerror(failed)) : ERR_NONE;
}

/* keeper: of the SR whose socket it is; NULL: of none. */
static enum err open_at(struct rpc_server *server, const char *folder, const char *name,
                        struct keeper *keeper, struct err_note *note) {
        const struct rpc_server_options *options = &server->options;

        assert(!server->folder);
        if (local_listen(folder, name, &server->listener, note))
                return note->code;
        server->folder = mem_text(folder);
        server->name = name;
        server->is_closed = false;
        server->house = (struct rpc_house){.io = server->io,
                                           .keeper = keeper,
                                           .keepers = options->keepers,
                                           .host = options->host,
                                           .state_dir = options->state_dir,
                                           .self = options->self,
                                           .may_begin = may_begin,
                                           .gone = on_gone,
                                           .user = server};
        if (begin(server, note))
                let_go(server, true);
        return note->code;
}

static const char *open_door(void *user, struct keeper *keeper, const char *folder) {
        struct err_note unused = {0};

        return open_at(user, folder, SOCKET_NAME, keeper, &unused) ? NULL : SOCKET_NAME;
}

enum err rpc_server_open(struct rpc_server *server, const char *folder, const char *name,
                         struct err_note *note) {
        note->code = ERR_NONE;
        return open_at(server, folder, name, NULL, note);
}

/* The mutex is held. */
static void say_who_is_waited_for(struct rpc_server *server) {
        VEC_EACH (&server->guests, each) {
                if (each->did_begin) {
                        server->options.waits(server->options.user, each->method, each->pid);
                        return;
                }
        }
}

static void wait_for_all(struct rpc_server *server) {
        uint64_t say_at = io_now_ns(server->io) + SAY_AFTER_NS;
        bool did_say = !server->options.waits, did_cancel = !server->options.hurry;

        pthread_mutex_lock(&server->mutex);
        while (server->n_begun > 0) {
                uint64_t now = io_now_ns(server->io), until = now + LOOK_EVERY_NS;
                struct timespec at = {.tv_sec = (time_t)(until / 1000000000),
                                      .tv_nsec = (long)(until % 1000000000)};

                if (!did_cancel && atomic_load(server->options.hurry)) {
                        loop_post(server->loop, cancel_all, server);
                        did_cancel = true;
                }
                if (!did_say && now >= say_at) {
                        say_who_is_waited_for(server);
                        did_say = true;
                }
                pthread_cond_timedwait(&server->changed, &server->mutex, &at);
        }
        server->is_closed = true;
        pthread_mutex_unlock(&server->mutex);
}

static void close_door(void *user, bool may_remove) {
        struct rpc_server *server = user;

        wait_for_all(server);
        loop_post(server->loop, close_down, server);
        pthread_join(server->thread, NULL);
        let_go(server, may_remove);
}

void rpc_server_close(struct rpc_server *server) {
        close_door(server, true);
}

struct keeper_door rpc_server_door(struct rpc_server *server) {
        return (struct keeper_door){.open = open_door, .close = close_door, .user = server};
}
