// SPDX-License-Identifier: Apache-2.0
/* A host with two SRs on a simulated machine, its XenAPI, and a session of its administrator.
 *
 * Errors: fail the test.  Threads: the test's.
 */
#ifndef TEST_UNIT_XAPI_HOUSE_H
#define TEST_UNIT_XAPI_HOUSE_H

#include "check.h"

#include "io_sim.h"
#include "store_sqlite.h"
#include "xapi_error.h"
#include "xapi_inside.h"

enum { N_SRS = 2 };

struct house {
        struct io *io; /* owned */
        char dir[64];  /* where all of it lies; empty: the root */
        char state_dir[96];
        struct keepers *keepers;    /* owned */
        struct keeper *each[N_SRS]; /* owned */
        struct host_sr srs[N_SRS];
        struct host host;
        struct xapi *xapi;           /* owned */
        struct auth_session session; /* of root */
        struct xapi_call call;       /* the last one */
};

UNUSED static const struct sr_self house_self = {.host = "alpha", .pid = 7, .command = "catenad"};

static void house_open_sr(struct house *house, size_t i) {
        static const char *const names[N_SRS] = {"one", "two"};
        AUTO_FREE char *folder = mem_format("%s/%s", house->dir, names[i]);
        struct host_sr *sr = &house->srs[i];
        struct err_note note = {0};

        if (sr_create(house->io, folder, names[i], NULL, &sr->uuid, &note))
                assert_int_equal(note.code, ERR_EXISTS);
        sr->keeper = house->each[i] = keeper_new(house->io, &house_self, NULL);
        assert_ok(keeper_enter(sr->keeper, folder, "open", NULL, &sr->sr, &sr->turn, &note));
        sr->uuid = sr_info(sr->sr)->uuid;
        keeper_leave(sr->keeper);
        keepers_add(house->keepers, sr_where(sr->sr), sr->keeper);
}

static char *house_password(struct house *house) {
        char text[256] = "";
        struct io_file *file;
        struct err_note note = {0};
        size_t n;

        assert_ok(io_open(house->io, auth_password_path(house->host.auth), IO_READ, &file, &note));
        assert_ok(io_read_some(file, text, sizeof text - 1, 0, &n, &note));
        io_close(file);
        text[strcspn(text, "\n")] = 0;
        return mem_text(text);
}

static void house_log_in(struct house *house) {
        AUTO_FREE char *password = house_password(house);
        struct err_note note = {0};

        assert_ok(auth_login(house->host.auth, "root", password, "test", &house->session, &note));
}

/* All that a daemon has; what is durable is found again. */
static void house_start(struct house *house) {
        AUTO_FREE char *path = NULL;
        struct err_note note = {0};

        snprintf(house->state_dir, sizeof house->state_dir, "%s/state", house->dir);
        path = mem_format("%s/state.db", house->state_dir);
        if (io_make_dir(house->io, house->state_dir, &note))
                assert_int_equal(note.code, ERR_EXISTS);
        house->keepers = keepers_new();
        for (size_t i = 0; i < N_SRS; i++)
                house_open_sr(house, i);
        house->host = (struct host){.io = house->io,
                                    .state_dir = house->state_dir,
                                    .self = &house_self,
                                    .keepers = house->keepers,
                                    .srs = house->srs,
                                    .n_srs = N_SRS,
                                    .uuid = {{1}},
                                    .pool = {{2}},
                                    .address = "192.0.2.7"};
        assert_ok(objects_open(house->io, path, store_sqlite_open, &house->host.objects, &note));
        house->host.tasks = tasks_new(house->io, house->host.objects);
        assert_ok(auth_open(house->io, house->state_dir, house->host.objects, &house->host.auth, &note));
        assert_ok(xapi_new(&house->host, &house->xapi, &note));
        house_log_in(house);
}

static void house_stop(struct house *house) {
        xapi_call_fini(&house->call);
        tasks_cancel_all(house->host.tasks);
        xapi_free(house->xapi);
        auth_close(house->host.auth);
        tasks_free(house->host.tasks);
        objects_close(house->host.objects);
        for (size_t i = 0; i < N_SRS; i++)
                keeper_free(house->each[i]);
        keepers_free(house->keepers);
}

UNUSED static int house_set_up(void **state) {
        struct house *house = calloc(1, sizeof *house);

        house->io = io_sim_new(1, 0);
        house_start(house);
        *state = house;
        return 0;
}

UNUSED static int house_tear_down(void **state) {
        struct house *house = *state;

        house_stop(house);
        io_free(house->io);
        free(house);
        return 0;
}

/* ---- calls ---- */

/* takes params; the session goes in front.  What it came to lies in house->call until the next. */
static void house_run(struct house *house, const char *name, json_t *params) {
        json_array_insert_new(params, 0, json_string(house->session.ref));
        xapi_call_fini(&house->call);
        house->call = (struct xapi_call){.xapi = house->xapi, .name = name, .given = params, .peer = "test"};
        xapi_call_run(&house->call);
        json_decref(params);
        house->call.given = NULL;
}

/* Borrowed from house->call. */
UNUSED static json_t *house_ok(struct house *house, const char *name, json_t *params) {
        house_run(house, name, params);
        if (house->call.error) {
                char *text = json_dumps(house->call.error, 0);

                print_error("%s: %s\n", name, text);
                free(text);
                fail();
        }
        return house->call.result;
}

/* code and what follows, as text. */
UNUSED static void house_fails(struct house *house, const char *name, json_t *params, const char *code,
                               const char *first) {
        house_run(house, name, params);
        if (!house->call.error)
                fail_msg("%s did not fail", name);
        assert_string_equal(json_string_value(json_array_get(house->call.error, 0)), code);
        if (first)
                assert_string_equal(json_string_value(json_array_get(house->call.error, 1)), first);
}

/* The caller's to free. */
UNUSED static char *house_text(struct house *house, const char *name, json_t *params) {
        return mem_text(json_string_value(house_ok(house, name, params)));
}

UNUSED static char *house_sr(struct house *house, size_t i) {
        return mem_text(xapi_ref_of(&house->srs[i].uuid).s);
}

UNUSED static char *house_make_vdi(struct house *house, const char *name, int64_t size) {
        AUTO_FREE char *sr = house_sr(house, 0);

        return house_text(house, "VDI.create",
                          json_pack("[{s:s, s:s, s:I}]", "SR", sr, "name_label", name, "virtual_size",
                                    (json_int_t)size));
}

UNUSED static char *house_make_vm(struct house *house, const char *name) {
        return house_text(house, "VM.create", json_pack("[{s:s}]", "name_label", name));
}

/* A field of an object, as get_record says it; a new reference. */
UNUSED static json_t *house_field(struct house *house, const char *class, const char *ref,
                                  const char *field) {
        AUTO_FREE char *name = mem_format("%s.get_record", class);

        return json_incref(json_object_get(house_ok(house, name, json_pack("[s]", ref)), field));
}

UNUSED static bool house_field_is(struct house *house, const char *class, const char *ref, const char *field,
                                  json_t *want) {
        AUTO(json_decref) json_t *taken = want;
        AUTO(json_decref) json_t *value = house_field(house, class, ref, field);
        char *text;

        if (json_equal(value, taken))
                return true;
        text = json_dumps(value, JSON_ENCODE_ANY);
        print_error("%s is %s\n", field, text);
        free(text);
        return false;
}

#endif
