// SPDX-License-Identifier: Apache-2.0
#include "acceptor.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

#include "local.h"
#include "mem.h"
#include "vec.h"

#define ACCEPT_AGAIN_NS UINT64_C(100000000)

struct listener {
        struct acceptor *acceptor; /* borrowed, outlives us */
        bool is_tcp;
        int fd;
        char *path;               /* owned; NULL: TCP */
        struct loop_watch *watch; /* owned */
};

struct acceptor {
        struct acceptor_options options;
        VEC(struct listener *) listeners; /* owned, and each */
        struct loop_timer *again;         /* owned; there was no descriptor left */
        pthread_mutex_t mutex;            /* guards what is below */
        pthread_cond_t changed;
        unsigned n;        /* let in, and not gone */
        unsigned n_coming; /* of these, on the way to their reactors */
        unsigned n_posted; /* calls of ours that the loop is to make */
        bool is_full;
};

/* From when it is let in until it is gone. */
struct guest {
        struct acceptor *acceptor; /* borrowed, outlives us */
        struct reactor *reactor;   /* borrowed, outlives us */
        int fd;
        struct tcp_address peer;
        bool is_tcp;
};

/* ---- room ------------------------------------------------------------------------------------ */

static void want(struct acceptor *acceptor, bool wants) {
        VEC_EACH (&acceptor->listeners, each) {
                loop_want((*each)->watch, wants ? LOOP_READ : 0);
        }
}

static bool take_room(struct acceptor *acceptor) {
        bool has_room;

        pthread_mutex_lock(&acceptor->mutex);
        has_room = acceptor->n < acceptor->options.n_max;
        acceptor->is_full = !has_room;
        acceptor->n += has_room;
        acceptor->n_coming += has_room;
        pthread_mutex_unlock(&acceptor->mutex);
        return has_room;
}

static void give_room_back(struct acceptor *acceptor) {
        pthread_mutex_lock(&acceptor->mutex);
        acceptor->n--;
        acceptor->n_coming--;
        pthread_mutex_unlock(&acceptor->mutex);
}

static void on_room(void *user) {
        struct acceptor *acceptor = user;

        want(acceptor, true);
        pthread_mutex_lock(&acceptor->mutex);
        acceptor->n_posted--;
        pthread_mutex_unlock(&acceptor->mutex);
}

/* Any thread.  The acceptor may be freed from here on, unless it was full. */
static void on_closed(void *user) {
        AUTO_FREE struct guest *guest = user;
        struct acceptor *acceptor = guest->acceptor;

        reactor_leave(guest->reactor);
        pthread_mutex_lock(&acceptor->mutex);
        acceptor->n--;
        if (acceptor->is_full) {
                acceptor->is_full = false;
                acceptor->n_posted++;
                loop_post(acceptor->options.loop, on_room, acceptor);
        }
        pthread_cond_broadcast(&acceptor->changed);
        pthread_mutex_unlock(&acceptor->mutex);
}

/* ---- letting in ------------------------------------------------------------------------------ */

/* The reactor's thread. */
static void on_coming(void *user) {
        struct guest *guest = user;
        struct acceptor *acceptor = guest->acceptor;
        struct tcp_address peer = guest->peer;
        const struct arrival arrival = {
                .fd = guest->fd, .peer = peer.s, .is_tcp = guest->is_tcp, .closed = on_closed, .user = guest};

        acceptor->options.come(acceptor->options.user, reactor_loop(guest->reactor), &arrival);
        pthread_mutex_lock(&acceptor->mutex);
        acceptor->n_coming--;
        pthread_cond_broadcast(&acceptor->changed);
        pthread_mutex_unlock(&acceptor->mutex);
}

static void hand_over(const struct listener *listener, int fd, const struct tcp_address *peer) {
        struct acceptor *acceptor = listener->acceptor;
        struct guest *guest = mem_new(struct guest);

        *guest = (struct guest){.acceptor = acceptor,
                                .reactor = reactors_least_busy(acceptor->options.reactors),
                                .fd = fd,
                                .peer = *peer,
                                .is_tcp = listener->is_tcp};
        reactor_enter(guest->reactor);
        loop_post(reactor_loop(guest->reactor), on_coming, guest);
}

static unsigned unsent_share(struct acceptor *acceptor) {
        unsigned n;

        pthread_mutex_lock(&acceptor->mutex);
        n = acceptor->n;
        pthread_mutex_unlock(&acceptor->mutex);
        return tcp_unsent_share(&acceptor->options.unsent, n);
}

static enum err accept_one(const struct listener *listener, int *ret_fd, struct tcp_address *ret_peer,
                           struct err_note *note) {
        struct tcp_options tuned = tcp_defaults;

        if (!listener->is_tcp) {
                snprintf(ret_peer->s, sizeof ret_peer->s, "a client of the unix socket");
                return local_accept_any(listener->fd, ret_fd, note);
        }
        tuned.unsent_max = unsent_share(listener->acceptor);
        if (tcp_accept(listener->fd, ret_fd, ret_peer, note))
                return note->code;
        if (*ret_fd >= 0 && tuned.unsent_max > 0 && tcp_tune(*ret_fd, &tuned, note)) {
                tcp_close(*ret_fd);
                return note->code;
        }
        return ERR_NONE;
}

static void on_again(void *user) {
        struct acceptor *acceptor = user;

        acceptor->again = NULL;
        want(acceptor, true);
}

static void on_connection(void *user, unsigned events) {
        struct listener *listener = user;
        struct acceptor *acceptor = listener->acceptor;
        struct tcp_address peer;
        struct err_note note;
        int fd = -1;

        (void)events;
        if (!take_room(acceptor)) {
                want(acceptor, false);
                return;
        }
        if (accept_one(listener, &fd, &peer, &note)) {
                /* Out of descriptors, say: whoever waits is still there a moment later. */
                acceptor->options.log(acceptor->options.log_user, note.text);
                want(acceptor, false);
                if (!acceptor->again)
                        acceptor->again =
                                loop_after(acceptor->options.loop, ACCEPT_AGAIN_NS, on_again, acceptor);
                fd = -1;
        }
        if (fd >= 0)
                hand_over(listener, fd, &peer);
        else
                give_room_back(acceptor);
}

/* ---- listening ------------------------------------------------------------------------------- */

static enum err add_listener(struct acceptor *acceptor, int fd, const char *path, struct err_note *note) {
        struct listener *listener = mem_new(struct listener);

        *listener = (struct listener){
                .acceptor = acceptor, .is_tcp = !path, .fd = fd, .path = path ? mem_text(path) : NULL};
        if (loop_watch(acceptor->options.loop, fd, LOOP_READ, on_connection, listener, &listener->watch,
                       note)) {
                if (path)
                        local_unlisten_at(path);
                local_close(fd);
                free(listener->path);
                free(listener);
                return note->code;
        }
        *vec_add(&acceptor->listeners) = listener;
        return ERR_NONE;
}

enum err acceptor_listen_tcp(struct acceptor *acceptor, const char *address, struct tcp_address *ret,
                             struct err_note *note) {
        int fd;

        if (tcp_listen(address, &fd, note))
                return note->code;
        if (tcp_address_of(fd, ret, note)) {
                tcp_close(fd);
                return note->code;
        }
        return add_listener(acceptor, fd, NULL, note);
}

enum err acceptor_listen_unix(struct acceptor *acceptor, const char *path, struct err_note *note) {
        int fd;

        if (local_listen_at(path, &fd, note))
                return note->code;
        return add_listener(acceptor, fd, path, note);
}

static void stop_listening(struct listener *listener) {
        loop_unwatch(listener->watch);
        if (listener->path)
                local_unlisten_at(listener->path);
        local_close(listener->fd);
        free(listener->path);
        free(listener);
}

void acceptor_stop(struct acceptor *acceptor) {
        while (acceptor->listeners.n > 0)
                stop_listening(acceptor->listeners.data[--acceptor->listeners.n]);
        if (acceptor->again)
                loop_cancel(TAKE(acceptor->again));
        pthread_mutex_lock(&acceptor->mutex);
        while (acceptor->n_coming > 0)
                pthread_cond_wait(&acceptor->changed, &acceptor->mutex);
        acceptor->is_full = false;
        pthread_mutex_unlock(&acceptor->mutex);
}

struct acceptor *acceptor_new(const struct acceptor_options *options) {
        struct acceptor *acceptor = mem_new(struct acceptor);

        acceptor->options = *options;
        pthread_mutex_init(&acceptor->mutex, NULL);
        pthread_cond_init(&acceptor->changed, NULL);
        return acceptor;
}

static bool is_posted(struct acceptor *acceptor) {
        bool is;

        pthread_mutex_lock(&acceptor->mutex);
        is = acceptor->n_posted > 0;
        pthread_mutex_unlock(&acceptor->mutex);
        return is;
}

void acceptor_free(struct acceptor *acceptor) {
        acceptor_stop(acceptor);
        /* What was posted to our own loop has its turn first. */
        while (is_posted(acceptor))
                (void)loop_round(acceptor->options.loop, 0);
        assert(acceptor->n == 0);
        vec_fini(&acceptor->listeners);
        pthread_cond_destroy(&acceptor->changed);
        pthread_mutex_destroy(&acceptor->mutex);
        free(acceptor);
}
