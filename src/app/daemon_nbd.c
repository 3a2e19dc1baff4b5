// SPDX-License-Identifier: Apache-2.0
#include "daemon_nbd.h"

#include <stdio.h>
#include <string.h>

#include "address.h"
#include "auth.h"
#include "buf.h"
#include "mem.h"
#include "thread.h"

struct daemon_nbd {
        struct daemon_nbd_options options;
        struct nbd_server *server; /* owned */
        struct served served;
        struct served told;            /* what others are told of: where a disk's name is enough */
        char *unix_path;               /* owned; canonical */
        const char **tcp;              /* owned; as the configuration has them */
        VEC(struct host_place) places; /* owned; where others reach it */
        pthread_t thread;
        bool is_running;
        atomic_bool stop;
};

bool daemon_nbd_is_wanted(const struct config *config) {
        return config->nbd_unix || (config->nbd.each.list.n > 0 && !config->nbd.is_off);
}

static void *run(void *user) {
        struct daemon_nbd *nbd = user;

        nbd_server_run(nbd->server, &nbd->stop);
        return NULL;
}

/* What is reached from elsewhere and protected by TLS alone would be open to whoever speaks TLS. */
static bool needs_session(const struct config *config) {
        VEC_EACH (&config->nbd.each.list, each) {
                struct address address;

                if (!config->nbd.allows_plain && address_parse(each->text, &address) &&
                    !address_is_loopback(&address))
                        return true;
        }
        return false;
}

static bool may_read(void *user, const char *session, const struct uuid *vdi UNUSED) {
        struct daemon_nbd *nbd = user;
        struct auth_who who;
        struct err_note unused;

        return auth_check(nbd->options.auth, session, &who, &unused) == ERR_NONE;
}

static enum err open_server(struct daemon_nbd *nbd, struct err_note *note) {
        const struct config *config = nbd->options.config;
        const struct config_listen *listen = &config->nbd;
        struct tls_options tls = {.certificate_file = nbd->options.tls->certificate_file,
                                  .key_file = nbd->options.tls->key_file};
        struct nbd_server_options options = {.io = nbd->options.io,
                                             .reactors = nbd->options.reactors,
                                             .shelves = nbd->options.house->shelves,
                                             .unix_path = config->nbd_unix,
                                             .tls = listen->tls == CONFIG_TLS_OFF ? NULL : &tls,
                                             .needs_session = needs_session(config),
                                             .requires_tls = listen->tls == CONFIG_TLS_REQUIRED,
                                             .n_guests_max = (unsigned)listen->n_connections,
                                             .log = nbd->options.log,
                                             .user = nbd->options.user};

        options.shelves.may_read = may_read;
        options.shelves.user = nbd;
        nbd->tcp = mem_zero((listen->each.list.n + 1) * sizeof *nbd->tcp);
        VEC_EACH (&listen->each.list, each) {
                if (!listen->is_off)
                        nbd->tcp[options.n_tcp++] = each->text;
        }
        options.tcp = nbd->tcp;
        return nbd_server_open(&options, &nbd->server, note);
}

static enum err tell(struct daemon_nbd *nbd, struct err_note *note) {
        const struct config *config = nbd->options.config;

        if (config->nbd_unix && io_canonical(nbd->options.io, config->nbd_unix, &nbd->unix_path, note))
                return note->code;
        nbd->served = (struct served){.unix_path = nbd->unix_path,
                                      .host = nbd->options.host,
                                      .tls = config->nbd.tls == CONFIG_TLS_OFF ? SERVED_PLAIN : SERVED_X509,
                                      .requires_tls = config->nbd.tls == CONFIG_TLS_REQUIRED,
                                      .knows_names = nbd->options.house->calls.n == 1};
        nbd->served.tcp = nbd_server_tcp(nbd->server, &nbd->served.n_tcp);
        nbd->told = nbd->served;
        if (needs_session(config))
                nbd->told.n_tcp = 0;
        if (nbd->told.n_tcp || nbd->told.unix_path)
                house_tell(nbd->options.house, &nbd->told);
        return ERR_NONE;
}

/* One that is all addresses of this host is what clients call it. */
static void add_place(struct daemon_nbd *nbd, const char *text) {
        struct host_place place = {0};
        struct address address;

        if (!address_parse(text, &address))
                return;
        snprintf(place.host, sizeof place.host, "%s",
                 address_is_any(&address) ? nbd->options.address : address.host);
        place.port = address.port;
        VEC_EACH (&nbd->places, each) {
                if (strcmp(each->host, place.host) == 0 && each->port == place.port)
                        return;
        }
        *vec_add(&nbd->places) = place;
}

enum err daemon_nbd_open(const struct daemon_nbd_options *options, struct daemon_nbd **ret,
                         struct err_note *note) {
        AUTO(daemon_nbd_close) struct daemon_nbd *nbd = mem_new(struct daemon_nbd);
        int failed;

        nbd->options = *options;
        if (open_server(nbd, note) || tell(nbd, note))
                return note->code;
        for (size_t i = 0; i < nbd->served.n_tcp; i++)
                add_place(nbd, nbd->served.tcp[i]);
        failed = thread_start(&nbd->thread, run, nbd);
        if (failed)
                return err_set(note, ERR_NO_MEMORY, "start a thread: %s", strerror(failed));
        nbd->is_running = true;
        *ret = TAKE(nbd);
        return ERR_NONE;
}

enum err daemon_nbd_reload(struct daemon_nbd *nbd, const struct daemon_tls *tls, struct err_note *note) {
        const struct tls_options options = {.certificate_file = tls->certificate_file,
                                            .key_file = tls->key_file};

        return nbd_server_reload(nbd->server, &options, note);
}

void daemon_nbd_stop(struct daemon_nbd *nbd) {
        atomic_store(&nbd->stop, true);
}

void daemon_nbd_close(struct daemon_nbd *nbd) {
        daemon_nbd_stop(nbd);
        if (nbd->is_running)
                pthread_join(nbd->thread, NULL);
        house_tell(nbd->options.house, NULL);
        if (nbd->server)
                nbd_server_close(nbd->server);
        free(nbd->unix_path);
        free(nbd->tcp);
        vec_fini(&nbd->places);
        free(nbd);
}

const struct host_place *daemon_nbd_places(const struct daemon_nbd *nbd, size_t *ret_n) {
        *ret_n = nbd->places.n;
        return nbd->places.data;
}

static void say(const struct daemon_nbd *nbd, const char *tcp) {
        AUTO(buf_fini) struct buf uri = {0};

        served_put_uri(&uri, &nbd->served, tcp, nbd->served.requires_tls, "");
        printf("listening nbd %s\n", buf_text(&uri));
}

void daemon_nbd_say_where(const struct daemon_nbd *nbd) {
        for (size_t i = 0; i < nbd->served.n_tcp; i++)
                say(nbd, nbd->served.tcp[i]);
        if (nbd->served.unix_path)
                say(nbd, NULL);
}
