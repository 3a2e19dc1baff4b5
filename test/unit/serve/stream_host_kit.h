// SPDX-License-Identifier: Apache-2.0
/* A host on a simulated machine with one SR, whose disks are streamed over the simulated net by a client that
 * says what a test has it say.  Jobs run where they are added, so all is one thread's.  Threads: one.
 */
#ifndef TEST_UNIT_SERVE_STREAM_HOST_KIT_H
#define TEST_UNIT_SERVE_STREAM_HOST_KIT_H

#include "check.h"

#include "../net/http_kit.h"
#include "http_db_dump.h"
#include "http_export.h"
#include "http_import.h"
#include "http_xva_export.h"
#include "http_xva_import.h"
#include "store_sqlite.h"

enum { KIT_DISK = 5 * 1024 * 1024 + 1536 };

struct stream_kit {
        struct http_kit http;
        struct objects *objects; /* owned */
        struct tasks *tasks;     /* owned */
        struct auth *auth;       /* owned */
        struct sr *sr;           /* owned */
        struct turn turn;
        struct host_sr of_host;
        struct host host;
        struct pool *pool;        /* owned */
        struct http_house *house; /* owned */
        struct auth_session session;
        struct buf log;
        struct uuid vdi;
        uint8_t *data; /* owned; what vdi holds: KIT_DISK bytes */
};

static inline void stream_kit_log(void *user, const char *line) {
        struct stream_kit *kit = user;

        buf_print(&kit->log, "%s\n", line);
}

static inline void stream_kit_write(struct stream_kit *kit, uint64_t at, size_t n, uint8_t value) {
        struct chain *chain;
        struct err_note note;

        memset(kit->data + at, value, n);
        assert_ok(sr_open_chain(kit->sr, &kit->vdi, CHAIN_WRITE, &chain, &note));
        assert_ok(chain_write(chain, kit->data + at, n, at, &note));
        assert_ok(sr_close_chain(kit->sr, chain, &note));
}

static inline void stream_kit_make_disk(struct stream_kit *kit) {
        const struct vdi_options options = {.name = "a", .size = KIT_DISK, .kind = IMAGE_VHD};
        struct err_note note;

        kit->data = mem_zero(KIT_DISK);
        assert_ok(sr_vdi_create(kit->sr, &options, &kit->vdi, &note));
        stream_kit_write(kit, 5000, 70000, 'a');
        stream_kit_write(kit, 4 * 1024 * 1024 + 512, 1024, 'b');
        stream_kit_write(kit, KIT_DISK - 512, 512, 'z');
}

static inline void stream_kit_log_in(struct stream_kit *kit) {
        AUTO(io_close) struct io_file *file = NULL;
        char password[64] = "";
        struct io_stat stat;
        struct err_note note;

        assert_ok(io_open(kit->http.io, auth_password_path(kit->auth), IO_READ, &file, &note));
        assert_ok(io_stat(file, &stat, &note));
        assert_true(stat.size < sizeof password);
        assert_ok(io_read(file, password, (size_t)stat.size, 0, &note));
        password[strcspn(password, "\n")] = 0;
        assert_ok(auth_login(kit->auth, "root", password, "test", &kit->session, &note));
}

static inline void stream_kit_init(struct stream_kit *kit) {
        struct http_route routes[6] = {{"/export_raw_vdi", HTTP_GET, http_export_begin, NULL},
                                       {"/import_raw_vdi", HTTP_PUT, http_import_begin, NULL},
                                       {"/vdi", HTTP_GET | HTTP_HEAD, http_vdi_begin, NULL},
                                       {"/export", HTTP_GET, http_xva_export_begin, NULL},
                                       {"/import", HTTP_PUT, http_xva_import_begin, NULL},
                                       {"/pool/xmldbdump", HTTP_GET | HTTP_PUT, http_db_dump_begin, NULL}};
        struct err_note note = {0};
        struct io *io;

        *kit = (struct stream_kit){0};
        http_kit_init_with(&kit->http, NULL, routes, sizeof routes / sizeof *routes);
        io = kit->http.io;
        assert_ok(sr_create(io, "/sr", "main", NULL, &kit->of_host.uuid, &note));
        assert_ok(sr_open(io, "/sr", NULL, &kit->sr, &note));
        turn_init(&kit->turn, io);
        kit->of_host.sr = kit->sr;
        kit->of_host.turn = &kit->turn;
        assert_ok(io_make_dir(io, "/state", &note));
        assert_ok(objects_open(io, "/state/state.db", store_sqlite_open, &kit->objects, &note));
        kit->tasks = tasks_new(io, kit->objects);
        assert_ok(auth_open(io, "/state", kit->objects, &kit->auth, &note));
        kit->host = (struct host){.io = io,
                                  .state_dir = "/state",
                                  .objects = kit->objects,
                                  .tasks = kit->tasks,
                                  .auth = kit->auth,
                                  .srs = &kit->of_host,
                                  .n_srs = 1,
                                  .log = stream_kit_log,
                                  .user = kit};
        kit->pool = pool_new(0);
        kit->house = http_house_new(&kit->host, kit->pool);
        for (unsigned i = 0; i < KIT_ROUTES_MAX; i++)
                if (!kit->http.routes[i].user)
                        kit->http.routes[i].user = kit->house;
        stream_kit_log_in(kit);
        stream_kit_make_disk(kit);
}

static inline void stream_kit_fini(struct stream_kit *kit) {
        http_kit_hang_up(&kit->http);
        http_kit_run(&kit->http, 7200);
        http_house_free(kit->house);
        pool_free(kit->pool);
        auth_close(kit->auth);
        tasks_free(kit->tasks);
        objects_close(kit->objects);
        sr_close(kit->sr);
        turn_fini(&kit->turn);
        assert_int_equal(io_sim_open_files(kit->http.io), 0);
        buf_fini(&kit->log);
        free(kit->data);
        http_kit_fini(&kit->http);
}

/* Sends a request with nothing behind its head; with %s for the session. */
static inline void stream_kit_ask(struct stream_kit *kit, const struct net_weather *weather, uint64_t seed,
                                  const char *method, const char *target, const char *headers) {
        AUTO_FREE char *text = mem_format("%s %s%csession_id=%s HTTP/1.1\r\nHost: h\r\n%s\r\n", method,
                                          target, strchr(target, '?') ? '&' : '?', kit->session.ref, headers);

        http_kit_connect(&kit->http, seed, weather);
        http_kit_tell(&kit->http, text);
}

/* Of what was heard: what stands behind the head. */
static inline const uint8_t *stream_kit_body(struct stream_kit *kit, size_t *ret_n) {
        const char *text = http_kit_heard(&kit->http), *end = strstr(text, "\r\n\r\n");

        assert_non_null(end);
        *ret_n = kit->http.heard.n - (size_t)(end + 4 - text);
        return (const uint8_t *)end + 4;
}

static inline unsigned stream_kit_status(struct stream_kit *kit) {
        unsigned status = 0;

        if (kit->http.heard.n > 12)
                (void)sscanf(http_kit_heard(&kit->http), "HTTP/1.1 %u", &status);
        return status;
}

/* The only task there is: its status, "" where there is none; *ret_error is its first word. */
static inline const char *stream_kit_task(struct stream_kit *kit, const char **ret_error) {
        AUTO(json_decref) json_t *all = objects_all(kit->objects, XAPI_TASK);
        static char status[32], error[64];
        const char *key;
        json_t *task;

        *status = *error = 0;
        *ret_error = error;
        json_object_foreach(all, key, task) {
                const char *code = json_string_value(json_array_get(json_object_get(task, "error_info"), 0));

                snprintf(status, sizeof status, "%s", json_string_value(json_object_get(task, "status")));
                snprintf(error, sizeof error, "%s", code ? code : "");
        }
        return status;
}

static inline void stream_kit_forget_tasks(struct stream_kit *kit) {
        AUTO(json_decref) json_t *all = objects_all(kit->objects, XAPI_TASK);
        const char *key;
        json_t *task;

        json_object_foreach(all, key, task) {
                struct err_note note;
                struct uuid uuid;

                assert_true(xapi_ref_parse(key, &uuid));
                assert_ok(tasks_destroy(kit->tasks, &uuid, &note));
        }
}

#endif
