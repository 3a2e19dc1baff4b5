// SPDX-License-Identifier: Apache-2.0
#include "daemon.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "daemon_dir.h"
#include "daemon_http.h"
#include "daemon_log.h"
#include "daemon_nbd.h"
#include "daemon_routes.h"
#include "daemon_srs.h"
#include "daemon_tls.h"
#include "host.h"
#include "host_records.h"
#include "loop.h"
#include "mem.h"
#include "rpc_server.h"
#include "service_manager.h"
#include "state_dir.h"
#include "store_sqlite.h"
#include "vms.h"

#define LOOK_EVERY_NS UINT64_C(100000000)
#define TICK_EVERY_NS UINT64_C(60000000000)

struct daemon {
        struct daemon_options options;
        struct io *io; /* borrowed */
        struct daemon_log log;
        char name[HOST_NAME_MAX + 1]; /* this host's */
        struct sr_self self;
        char *dir;            /* owned; the state directory */
        struct io_file *lock; /* owned */
        struct daemon_tls tls;
        struct loop *loop;         /* owned; the main thread's */
        struct reactors *reactors; /* owned; of HTTP and NBD */
        struct objects *objects;   /* owned */
        struct tasks *tasks;       /* owned */
        struct auth *auth;         /* owned */
        struct daemon_srs srs;
        struct host host;                /* of all these */
        struct certificate *certificate; /* owned; the one that is shown; NULL: TLS is off */
        char *address;                   /* owned; what clients call it */
        struct daemon_nbd *nbd;          /* owned; NULL: none */
        struct daemon_routes routes;
        struct daemon_http *http;   /* owned; NULL: none */
        struct rpc_server *control; /* owned */
        bool is_control_open;
        atomic_bool is_stopping; /* calls of others are cancelled */
        struct service_manager manager;
};

/* ---- beginning ------------------------------------------------------------------------------- */

static enum err take_dir(struct daemon *daemon, struct err_note *note) {
        AUTO_FREE char *usual = state_dir_usual();
        const char *path = daemon->options.config->state_dir ? daemon->options.config->state_dir : usual;

        if (!path)
                return err_set(note, ERR_INVALID, "where state is kept is not said: [daemon] state-dir");
        return daemon_dir_take(daemon->io, path, &daemon->dir, &daemon->lock, note);
}

/* The first place that others reach; else this host's own name. */
static char *find_address(const struct daemon *daemon) {
        const struct config *config = daemon->options.config;

        if (config->address)
                return mem_text(config->address);
        VEC_EACH (&config->http.each.list, each) {
                struct address address;

                if (address_parse(each->text, &address) && !address_is_any(&address))
                        return mem_text(address.host);
        }
        return config->http.each.list.n ? mem_text(daemon->name) : mem_text("127.0.0.1");
}

static bool wants_tls(const struct config *config) {
        return (!config->http.is_off && config->http.tls != CONFIG_TLS_OFF) ||
               (daemon_nbd_is_wanted(config) && config->nbd.tls != CONFIG_TLS_OFF);
}

static enum err find_tls(struct daemon *daemon, const struct config *config, struct daemon_tls *ret,
                         struct err_note *note) {
        const char *more[] = {daemon->address};
        const struct daemon_tls_options options = {.state_dir = daemon->dir,
                                                   .certificate = config->certificate,
                                                   .key = config->key,
                                                   .host = daemon->name,
                                                   .more = more,
                                                   .n_more = 1};

        return daemon_tls_find(daemon->io, &options, ret, note);
}

static enum err open_objects(struct daemon *daemon, struct err_note *note) {
        AUTO_FREE char *path = mem_format("%s/state.db", daemon->dir);

        if (objects_open(daemon->io, path, store_sqlite_open, &daemon->objects, note))
                return err_wrap(note, "open %s", path);
        daemon->tasks = tasks_new(daemon->io, daemon->objects);
        if (auth_open(daemon->io, daemon->dir, daemon->objects, &daemon->auth, note))
                return err_wrap(note, "open the accounts in %s", daemon->dir);
        return host_records_find(daemon->io, daemon->objects, daemon->name, daemon->address,
                                 &daemon->host.uuid, &daemon->host.pool, note);
}

static struct rpc_server_options rpc_options(struct daemon *daemon) {
        return (struct rpc_server_options){.self = &daemon->self,
                                           .keepers = daemon->srs.keepers,
                                           .host = &daemon->host,
                                           .state_dir = daemon->dir,
                                           .hurry = &daemon->is_stopping};
}

static enum err open_srs(struct daemon *daemon, struct err_note *note) {
        const struct rpc_server_options options = rpc_options(daemon);
        struct progress silent = {.io = daemon->io};
        const struct verb_call call = {
                .io = daemon->io, .state_dir = daemon->dir, .self = &daemon->self, .progress = &silent};

        if (daemon_srs_open(&daemon->srs, daemon->options.config, &call, &options, note))
                return note->code;
        VEC_EACH (&daemon->srs.house.calls, each) {
                each->progress = NULL; /* it ends with this scope */
        }
        daemon->host.srs = daemon->srs.each.data;
        daemon->host.n_srs = daemon->srs.each.n;
        return vms_recover(&daemon->host, note);
}

static enum err open_nbd(struct daemon *daemon, struct err_note *note) {
        const struct daemon_nbd_options options = {.io = daemon->io,
                                                   .config = daemon->options.config,
                                                   .tls = &daemon->tls,
                                                   .house = &daemon->srs.house,
                                                   .auth = daemon->host.auth,
                                                   .reactors = daemon->reactors,
                                                   .host = daemon->name,
                                                   .address = daemon->address,
                                                   .log = daemon_log_line,
                                                   .user = &daemon->log};

        if (!daemon_nbd_is_wanted(daemon->options.config))
                return ERR_NONE;
        if (daemon_nbd_open(&options, &daemon->nbd, note))
                return err_wrap(note, "[nbd]");
        daemon->host.nbd_places = daemon_nbd_places(daemon->nbd, &daemon->host.n_nbd_places);
        daemon->host.nbd_has_tls = daemon->options.config->nbd.tls != CONFIG_TLS_OFF;
        return ERR_NONE;
}

static enum err open_http(struct daemon *daemon, struct err_note *note) {
        struct daemon_http_options options = {.config = daemon->options.config,
                                              .tls = &daemon->tls,
                                              .loop = daemon->loop,
                                              .reactors = daemon->reactors,
                                              .log = daemon_log_line,
                                              .user = &daemon->log};

        if (daemon_routes_open(&daemon->routes, &daemon->host, note))
                return note->code;
        if (!daemon_http_is_wanted(daemon->options.config))
                return ERR_NONE;
        options.routes = daemon->routes.all.data;
        options.n_routes = daemon->routes.all.n;
        if (daemon_http_open(&options, &daemon->http, note))
                return err_wrap(note, "[http]");
        daemon->host.http_port = daemon_http_port(daemon->http);
        return ERR_NONE;
}

static enum err open_control(struct daemon *daemon, struct err_note *note) {
        const struct rpc_server_options options = rpc_options(daemon);

        daemon->control = rpc_server_new(daemon->io, &options);
        if (rpc_server_open(daemon->control, daemon->dir, CONTROL_SOCKET, note))
                return err_wrap(note, "listen at %s/" CONTROL_SOCKET, daemon->dir);
        daemon->is_control_open = true;
        return ERR_NONE;
}

/* What every protocol is given; the rest is filled in when it is there. */
static void begin_host(struct daemon *daemon) {
        struct host *host = &daemon->host;

        host->io = daemon->io;
        host->state_dir = daemon->dir;
        host->self = &daemon->self;
        host->keepers = daemon->srs.keepers;
        host->objects = daemon->objects;
        host->tasks = daemon->tasks;
        host->auth = daemon->auth;
        host->address = daemon->address;
        if (daemon->tls.pem)
                daemon->certificate = certificate_new(daemon->tls.pem);
        host->certificate = daemon->certificate;
        host->log = daemon_log_line;
        host->user = &daemon->log;
}

static enum err open_all(struct daemon *daemon, struct err_note *note) {
        const struct config *config = daemon->options.config;

        if (take_dir(daemon, note))
                return note->code;
        daemon->address = find_address(daemon);
        if ((wants_tls(config) && find_tls(daemon, config, &daemon->tls, note)) ||
            loop_new(daemon->io, &daemon->loop, note) ||
            reactors_new(daemon->io, 0, &daemon->reactors, note) || open_objects(daemon, note))
                return note->code;
        begin_host(daemon);
        /* Who reaches it finds all of it there. */
        if (open_srs(daemon, note) || open_nbd(daemon, note) || open_http(daemon, note) ||
            open_control(daemon, note))
                return note->code;
        return ERR_NONE;
}

enum err daemon_open(const struct daemon_options *options, struct daemon **ret, struct err_note *note) {
        AUTO(daemon_close) struct daemon *daemon = mem_new(struct daemon);

        daemon->options = *options;
        daemon->io = options->io;
        daemon->log.io = options->io;
        atomic_init(&daemon->log.level, (int)options->config->log);
        gethostname(daemon->name, sizeof daemon->name - 1);
        daemon->self =
                (struct sr_self){.host = daemon->name, .pid = (uint64_t)getpid(), .command = "catenad"};
        service_manager_find(&daemon->manager);
        daemon_srs_init(&daemon->srs);
        if (open_all(daemon, note))
                return note->code;
        *ret = TAKE(daemon);
        return ERR_NONE;
}

/* ---- telling --------------------------------------------------------------------------------- */

void daemon_say_where(struct daemon *daemon) {
        printf("state-dir %s\n", daemon->dir);
        printf("admin-password %s\n", auth_password_path(daemon->auth));
        if (daemon->tls.pem)
                printf("certificate sha256 %s\n", daemon->tls.fingerprint.s);
        printf("listening control %s/" CONTROL_SOCKET "\n", daemon->dir);
        if (daemon->http)
                daemon_http_say_where(daemon->http);
        if (daemon->nbd)
                daemon_nbd_say_where(daemon->nbd);
        printf("ready\n");
        (void)fflush(stdout);
        service_manager_tell(&daemon->manager, "READY=1");
}

/* ---- running --------------------------------------------------------------------------------- */

static void on_tick(void *user) {
        struct daemon *daemon = user;

        tasks_tick(daemon->tasks);
        auth_tick(daemon->auth);
        (void)loop_after(daemon->loop, TICK_EVERY_NS, on_tick, daemon);
}

static void on_watchdog(void *user) {
        struct daemon *daemon = user;

        service_manager_tell(&daemon->manager, "WATCHDOG=1");
        (void)loop_after(daemon->loop, daemon->manager.watchdog_ns / 2, on_watchdog, daemon);
}

static void complain(struct daemon *daemon, const struct err_note *note) {
        daemon_log(&daemon->log, CONFIG_LOG_ERROR, "reload: %s", note->text);
}

/* The same files, replaced, or others. */
static void reload_tls(struct daemon *daemon, const struct config *config) {
        AUTO(daemon_tls_fini) struct daemon_tls tls = {0};
        struct err_note note = {0};

        if (!daemon->tls.pem)
                return;
        if (find_tls(daemon, config, &tls, &note)) {
                complain(daemon, &note);
                return;
        }
        if ((daemon->http && daemon_http_reload(daemon->http, &tls, &note)) ||
            (daemon->nbd && daemon_nbd_reload(daemon->nbd, &tls, &note))) {
                complain(daemon, &note);
                return;
        }
        if (strcmp(tls.fingerprint.s, daemon->tls.fingerprint.s) != 0)
                daemon_log(&daemon->log, CONFIG_LOG_INFO, "certificate sha256 %s", tls.fingerprint.s);
        certificate_set(daemon->certificate, tls.pem);
        daemon_tls_fini(&daemon->tls);
        daemon->tls = tls;
        tls = (struct daemon_tls){0};
}

static void take_config(struct daemon *daemon, const struct config *config) {
        AUTO_FREE char *rest = config_needs_restart(daemon->options.config, config);
        struct err_note note = {0};

        atomic_store(&daemon->log.level, (int)config->log);
        reload_tls(daemon, config);
        if (auth_reload(daemon->auth, &note))
                complain(daemon, &note);
        daemon_log(&daemon->log, CONFIG_LOG_INFO, "reloaded%s%s%s", rest ? "; what changed in " : "",
                   rest ? rest : "", rest ? " needs a restart" : "");
}

/* What can change while it runs does; a file that is wrong changes nothing. */
static void reload(struct daemon *daemon) {
        AUTO(config_fini) struct config config = {0};
        struct err_note note = {0};

        service_manager_tell(&daemon->manager, "RELOADING=1");
        if (config_read(daemon->io, daemon->options.config_path, &config, &note))
                daemon_log(&daemon->log, CONFIG_LOG_ERROR, "reload: nothing changes: %s", note.text);
        else
                take_config(daemon, &config);
        service_manager_tell(&daemon->manager, "READY=1");
}

void daemon_run(struct daemon *daemon, struct daemon_signals *signals) {
        on_tick(daemon);
        if (daemon->manager.watchdog_ns)
                on_watchdog(daemon);
        while (!atomic_load(&signals->stop)) {
                if (atomic_exchange(&signals->reload, false))
                        reload(daemon);
                (void)loop_round(daemon->loop, LOOK_EVERY_NS);
        }
        service_manager_tell(&daemon->manager, "STOPPING=1");
        daemon_log(&daemon->log, CONFIG_LOG_INFO, "stopping");
}

/* ---- the end --------------------------------------------------------------------------------- */

void daemon_close(struct daemon *daemon) {
        atomic_store(&daemon->is_stopping, true);
        if (daemon->tasks)
                tasks_cancel_all(daemon->tasks);
        if (daemon->http)
                daemon_http_stop(daemon->http);
        if (daemon->nbd)
                daemon_nbd_stop(daemon->nbd);
        daemon_routes_drain(&daemon->routes);
        if (daemon->is_control_open)
                rpc_server_close(daemon->control);
        if (daemon->control)
                rpc_server_free(daemon->control);
        daemon_routes_drain(&daemon->routes);
        if (daemon->http)
                daemon_http_close(daemon->http);
        daemon_routes_close(&daemon->routes);
        if (daemon->nbd)
                daemon_nbd_close(daemon->nbd);
        daemon_srs_fini(&daemon->srs);
        if (daemon->auth)
                auth_close(daemon->auth);
        if (daemon->tasks)
                tasks_free(daemon->tasks);
        if (daemon->objects)
                objects_close(daemon->objects);
        if (daemon->reactors)
                reactors_free(daemon->reactors);
        if (daemon->loop)
                loop_free(daemon->loop);
        if (daemon->certificate)
                certificate_free(daemon->certificate);
        daemon_tls_fini(&daemon->tls);
        if (daemon->lock)
                io_close(daemon->lock);
        free(daemon->address);
        free(daemon->dir);
        free(daemon);
}
