// SPDX-License-Identifier: Apache-2.0
/* The objects of a host on the real SQLite, and files with secrets, under crashes and errors at every call:
 * a change is there whole or not at all, what was acknowledged stays, and after a change that failed memory
 * shows what was before it.
 */
#include "check.h"

#include "mem.h"
#include "objects.h"
#include "private_file.h"
#include "store_sqlite.h"
#include "sweep.h"

#define DIR  "/state"
#define PATH DIR "/state.db"

/* ---- objects: a small history, and how it reads after each of its changes ---- */

static struct uuid uuid_of(uint8_t i) {
        return (struct uuid){{0x7e, 0x57, i}};
}

static void put(struct objects_change *change, enum xapi_class_id class, uint8_t i, const char *label) {
        struct uuid uuid = uuid_of(i);
        json_t *record = xapi_record_new(class, &uuid);

        (void)json_object_set_new(record, "name_label", json_string(label));
        objects_put(change, class, &uuid, record);
}

static void make(struct objects_change *change) {
        put(change, XAPI_VM, 1, "a");
        put(change, XAPI_VDI, 2, "b");
        put(change, XAPI_VDI, 3, "c");
}

static void rename_both(struct objects_change *change) {
        struct uuid vm = uuid_of(1), vdi = uuid_of(2);

        (void)objects_set(change, XAPI_VM, &vm, "name_label", json_string("A"));
        (void)objects_set(change, XAPI_VDI, &vdi, "name_label", json_string("B"));
}

static void exchange(struct objects_change *change) {
        struct uuid vdi = uuid_of(3);

        (void)objects_remove(change, XAPI_VDI, &vdi);
        put(change, XAPI_VDI, 4, "d");
}

/* Volatile, but that the VM is gone. */
static void forget(struct objects_change *change) {
        struct uuid vm = uuid_of(1);

        objects_change_is_volatile(change);
        (void)objects_remove(change, XAPI_VM, &vm);
}

static const struct {
        void (*make)(struct objects_change *);
        const char *after;
} history[] = {
        {make, "a b c . "},
        {rename_both, "A B c . "},
        {exchange, "A B . d "},
        {forget, ". B . d "},
};

enum { N_HISTORY = sizeof history / sizeof *history };

struct objects_ctx {
        size_t acknowledged;
        bool has_lied; /* memory showed something else after a change that failed */
};

static void read_state(struct objects *objects, struct buf *ret) {
        for (uint8_t i = 1; i <= 4; i++) {
                struct uuid uuid = uuid_of(i);
                json_t *label = objects_field(objects, i == 1 ? XAPI_VM : XAPI_VDI, &uuid, "name_label");

                buf_print(ret, "%s ", label ? json_string_value(label) : ".");
                json_decref(label);
        }
}

static bool reads_as(struct objects *objects, size_t n_changes) {
        AUTO(buf_fini) struct buf state = {0};

        read_state(objects, &state);
        return strcmp(buf_text(&state), n_changes ? history[n_changes - 1].after : ". . . . ") == 0;
}

static enum err setup_objects(struct io *io, void *ctx, struct err_note *note) {
        (void)ctx;
        return io_make_dir(io, DIR, note);
}

static enum err operate_objects(struct io *io, void *user, struct err_note *note) {
        AUTO(objects_close) struct objects *objects = NULL;
        struct objects_ctx *ctx = user;

        *ctx = (struct objects_ctx){0};
        if (objects_open(io, PATH, store_sqlite_open, &objects, note))
                return note->code;
        for (size_t i = 0; i < N_HISTORY; i++) {
                struct objects_change *change;

                objects_begin(objects, &change);
                history[i].make(change);
                if (objects_commit(change, NULL, note)) {
                        ctx->has_lied = !reads_as(objects, i);
                        return note->code;
                }
                ctx->acknowledged++;
        }
        return ERR_NONE;
}

static enum err check_usable(struct objects *objects, struct err_note *note) {
        struct objects_change *change;

        objects_begin(objects, &change);
        put(change, XAPI_VDI, 9, "usable");
        return objects_commit(change, NULL, note);
}

static enum err check_objects(struct io *io, void *user, enum sweep_outcome outcome, struct err_note *note) {
        AUTO(objects_close) struct objects *objects = NULL;
        const struct objects_ctx *ctx = user;
        AUTO(buf_fini) struct buf state = {0};

        if (ctx->has_lied)
                return sweep_violation(note, "memory shows a change that failed");
        if (outcome == SWEEP_DONE && ctx->acknowledged != N_HISTORY)
                return sweep_violation(note, "it said success too early");
        if (objects_open(io, PATH, store_sqlite_open, &objects, note))
                return note->code;
        if (!reads_as(objects, ctx->acknowledged) &&
            (ctx->acknowledged == N_HISTORY || !reads_as(objects, ctx->acknowledged + 1))) {
                read_state(objects, &state);
                return sweep_violation(note, "after %zu changes it reads %s", ctx->acknowledged,
                                       buf_text(&state));
        }
        return check_usable(objects, note);
}

static void objects_survive_anything(void **state) {
        struct objects_ctx ctx = {0};
        const struct sweep sweep = {.name = "objects",
                                    .ctx = &ctx,
                                    .setup = setup_objects,
                                    .operate = operate_objects,
                                    .check = check_objects,
                                    .max_points = 120};

        (void)state;
        assert_int_equal(sweep_all(&sweep, 0), 0);
}

/* ---- files with secrets ---- */

#define SECRET DIR "/secret"
#define OLD    "the old secret, which is somewhat longer than the new one"
#define NEW    "the new secret"

struct file_ctx {
        const char *before; /* NULL: none */
};

static enum err setup_file(struct io *io, void *user, struct err_note *note) {
        const struct file_ctx *ctx = user;

        if (io_make_dir(io, DIR, note))
                return note->code;
        return ctx->before ? private_file_write(io, SECRET, ctx->before, strlen(ctx->before), note)
                           : ERR_NONE;
}

static enum err operate_file(struct io *io, void *user, struct err_note *note) {
        (void)user;
        return private_file_write(io, SECRET, NEW, strlen(NEW), note);
}

static enum err check_file(struct io *io, void *user, enum sweep_outcome outcome, struct err_note *note) {
        const struct file_ctx *ctx = user;
        AUTO(buf_fini) struct buf text = {0};
        enum err err = private_file_read(io, SECRET, &text, note);
        bool is_old = err == ERR_NOT_FOUND ? !ctx->before
                                           : ctx->before && strcmp(buf_text(&text), ctx->before) == 0;
        bool is_new = !err && strcmp(buf_text(&text), NEW) == 0;

        if (err && err != ERR_NOT_FOUND)
                return err;
        if (!is_new && (!is_old || outcome == SWEEP_DONE))
                return sweep_violation(note, "it reads \"%s\"", err ? err_text(err) : buf_text(&text));
        return ERR_NONE;
}

static void a_file_is_old_or_new_and_never_half(void **state) {
        struct file_ctx none = {NULL}, old = {OLD};
        struct sweep sweep = {.name = "private-new",
                              .ctx = &none,
                              .setup = setup_file,
                              .operate = operate_file,
                              .check = check_file};

        (void)state;
        assert_int_equal(sweep_all(&sweep, 0), 0);
        sweep.name = "private-replaced";
        sweep.ctx = &old;
        assert_int_equal(sweep_all(&sweep, 0), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(objects_survive_anything),
                cmocka_unit_test(a_file_is_old_or_new_and_never_half),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
