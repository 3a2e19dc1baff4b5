// SPDX-License-Identifier: Apache-2.0
#include "daemon_http.h"

#include <stdio.h>

#include "acceptor.h"
#include "address.h"
#include "mem.h"
#include "vec.h"

#define USUAL_PLACE "127.0.0.1:8443"
#define USUAL_PLAIN "127.0.0.1:8080"

struct daemon_http {
        bool has_tls;
        struct tls_keys *keys;      /* owned; NULL: without TLS */
        struct http_server *server; /* owned */
        struct acceptor *acceptor;  /* owned */
        VEC(struct tcp_address) places;
};

bool daemon_http_is_wanted(const struct config *config) {
        return !config->http.is_off;
}

static enum err load_keys(struct daemon_http *http, const struct daemon_tls *tls, struct err_note *note) {
        const struct tls_options options = {.certificate_file = tls->certificate_file,
                                            .key_file = tls->key_file};

        return http->has_tls ? tls_keys_load(&options, &http->keys, note) : ERR_NONE;
}

static enum err listen_at(struct daemon_http *http, const char *address, struct err_note *note) {
        struct tcp_address place;

        if (acceptor_listen_tcp(http->acceptor, address, &place, note))
                return note->code;
        *vec_add(&http->places) = place;
        return ERR_NONE;
}

static enum err listen_all(struct daemon_http *http, const struct config_listen *listen,
                           struct err_note *note) {
        if (listen->each.list.n == 0)
                return listen_at(http, http->has_tls ? USUAL_PLACE : USUAL_PLAIN, note);
        VEC_EACH (&listen->each.list, each) {
                if (listen_at(http, each->text, note))
                        return err_wrap(note, "%s", each->where);
        }
        return ERR_NONE;
}

enum err daemon_http_open(const struct daemon_http_options *options, struct daemon_http **ret,
                          struct err_note *note) {
        const struct config_listen *listen = &options->config->http;
        AUTO(daemon_http_close) struct daemon_http *http = mem_new(struct daemon_http);
        struct http_server_options of_server = {.routes = options->routes,
                                                .n_routes = options->n_routes,
                                                .log = options->log,
                                                .user = options->user};
        struct acceptor_options of_acceptor = {
                .loop = options->loop,
                .reactors = options->reactors,
                .n_max = listen->n_connections ? (unsigned)listen->n_connections : CONFIG_CONNECTIONS_MAX,
                .unsent = {.together = HTTP_UNSENT_TOGETHER,
                           .least = HTTP_UNSENT_LEAST,
                           .most = HTTP_UNSENT_MOST},
                .come = http_server_come,
                .log = options->log,
                .log_user = options->user};

        http->has_tls = listen->tls != CONFIG_TLS_OFF;
        if (load_keys(http, options->tls, note))
                return note->code;
        of_server.keys = http->keys;
        if (http_server_new(&of_server, &http->server, note))
                return note->code;
        of_acceptor.user = http->server;
        http->acceptor = acceptor_new(&of_acceptor);
        if (listen_all(http, listen, note))
                return note->code;
        *ret = TAKE(http);
        return ERR_NONE;
}

enum err daemon_http_reload(struct daemon_http *http, const struct daemon_tls *tls, struct err_note *note) {
        const struct tls_options options = {.certificate_file = tls->certificate_file,
                                            .key_file = tls->key_file};

        return http->keys ? tls_keys_reload(http->keys, &options, note) : ERR_NONE;
}

void daemon_http_stop(struct daemon_http *http) {
        if (http->acceptor)
                acceptor_stop(http->acceptor);
        if (http->server)
                http_server_drain(http->server);
}

void daemon_http_close(struct daemon_http *http) {
        daemon_http_stop(http);
        if (http->server)
                http_server_free(http->server);
        if (http->acceptor)
                acceptor_free(http->acceptor);
        if (http->keys)
                tls_keys_free(http->keys);
        vec_fini(&http->places);
        free(http);
}

unsigned daemon_http_port(const struct daemon_http *http) {
        struct address address;

        return http->places.n && address_parse(http->places.data[0].s, &address) ? address.port : 0;
}

void daemon_http_say_where(const struct daemon_http *http) {
        VEC_EACH (&http->places, place) {
                printf("listening http %s://%s\n", http->has_tls ? "https" : "http", place->s);
        }
}
