// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "io_sim.h"
#include "new_file.h"
#include "sweep.h"

static enum err put(struct io *io, const char *path, const char *text, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(io, path, IO_WRITE | IO_CREATE, &file, note) ||
            io_write(file, text, strlen(text), 0, note))
                return note->code;
        return io_sync(file, note);
}

static enum err get(struct io *io, const char *path, char ret[16], struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        size_t n;

        if (io_open(io, path, IO_READ, &file, note) || io_read_some(file, ret, 15, 0, &n, note))
                return note->code;
        ret[n] = '\0';
        return ERR_NONE;
}

static enum err make(struct io *io, const char *path, unsigned flags, const char *text,
                     struct err_note *note) {
        AUTO(new_file_fini) struct new_file made = {0};

        if (new_file_begin(io, path, flags, &made, note) || put(io, made.temporary, text, note))
                return note->code;
        return new_file_commit(&made, note);
}

static size_t count_names(struct io *io) {
        AUTO(io_names_fini) struct io_names names = {0};
        struct err_note note = {0};

        assert_ok(io_list(io, "/", &names, &note));
        return names.names.n;
}

static void a_file_gets_its_name_when_it_is_whole(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        char text[16];

        (void)state;
        assert_ok(make(io, "/f.vhd", 0, "new", &note));
        assert_ok(get(io, "/f.vhd", text, &note));
        assert_string_equal(text, "new");
        assert_int_equal(count_names(io), 1);
}

static void what_is_there_is_kept_unless_it_may_be_replaced(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        char text[16];

        (void)state;
        assert_ok(make(io, "/f.vhd", 0, "old", &note));
        assert_err(make(io, "/f.vhd", 0, "new", &note), ERR_EXISTS, "/f.vhd exists already");
        assert_ok(get(io, "/f.vhd", text, &note));
        assert_string_equal(text, "old");
        assert_ok(make(io, "/f.vhd", NEW_FILE_REPLACE, "new", &note));
        assert_ok(get(io, "/f.vhd", text, &note));
        assert_string_equal(text, "new");
        assert_int_equal(count_names(io), 1);
}

static void a_name_taken_meanwhile_is_kept(void **state) {
        for (unsigned lacks = 0; lacks <= IO_SIM_NO_LINK; lacks += IO_SIM_NO_LINK) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                AUTO(new_file_fini) struct new_file made = {0};
                struct err_note note = {0};
                char text[16];

                io_sim_set_lacks(io, lacks);
                assert_ok(new_file_begin(io, "/f", 0, &made, &note));
                assert_ok(put(io, made.temporary, "mine", &note));
                assert_ok(put(io, "/f", "theirs", &note));
                assert_err(new_file_commit(&made, &note), ERR_EXISTS, "/f exists already");
                assert_ok(get(io, "/f", text, &note));
                assert_string_equal(text, "theirs");
        }
        (void)state;
}

static void what_is_in_use_is_not_replaced(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(io_close) struct io_file *user = NULL;
        struct err_note note = {0};

        (void)state;
        assert_ok(make(io, "/f", 0, "old", &note));
        assert_ok(io_open(io, "/f", IO_READ, &user, &note));
        assert_ok(io_lock(user, IO_SHARED, &note));
        assert_err(make(io, "/f", NEW_FILE_REPLACE, "new", &note), ERR_BUSY, "replace /f");
}

static void what_is_no_place_for_a_file_is_refused(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};

        (void)state;
        assert_ok(io_make_dir(io, "/d", &note));
        assert_err(make(io, "/d", NEW_FILE_REPLACE, "x", &note), ERR_INVALID, "/d is a directory");
        assert_err(make(io, "/d/", 0, "x", &note), ERR_INVALID, "names no file");
        assert_err(make(io, "/none/f", 0, "x", &note), ERR_NOT_FOUND, "/none");
}

static void one_that_is_given_up_leaves_nothing(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct new_file made = {0};

        (void)state;
        assert_ok(new_file_begin(io, "/f.vhd", 0, &made, &note));
        assert_int_equal(made.temporary[1], '.');
        assert_string_equal(made.temporary + strlen(made.temporary) - 4, ".vhd");
        assert_ok(put(io, made.temporary, "half", &note));
        new_file_fini(&made);
        assert_int_equal(count_names(io), 0);
}

/* ---- at every instant ---- */

static enum err make_old(struct io *io, void *ctx, struct err_note *note) {
        return make(io, "/f", 0, ctx ? ctx : "old", note);
}

static enum err replace(struct io *io, void *ctx, struct err_note *note) {
        (void)ctx;
        return make(io, "/f", NEW_FILE_REPLACE, "new", note);
}

static enum err is_old_or_new(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        char text[16];

        (void)ctx;
        if (get(io, "/f", text, note))
                return note->code;
        if (strcmp(text, "new") != 0 && (outcome == SWEEP_DONE || strcmp(text, "old") != 0))
                return sweep_violation(note, "/f holds '%s'", text);
        return ERR_NONE;
}

static void a_crash_leaves_the_old_file_or_the_new_one(void **state) {
        (void)state;
        assert_int_equal(sweep_all(&(struct sweep){.name = "replace",
                                                   .setup = make_old,
                                                   .operate = replace,
                                                   .check = is_old_or_new},
                                   0),
                         0);
}

static enum err make_nothing(struct io *io, void *ctx, struct err_note *note) {
        (void)ctx;
        return io_sync_dir(io, "/", note);
}

static enum err make_new(struct io *io, void *ctx, struct err_note *note) {
        (void)ctx;
        return make(io, "/f", 0, "new", note);
}

static enum err is_new_or_none(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        char text[16];
        enum err failed = get(io, "/f", text, note);

        (void)ctx;
        if (failed == ERR_NOT_FOUND && outcome != SWEEP_DONE)
                return ERR_NONE;
        if (failed || strcmp(text, "new") != 0)
                return sweep_violation(note, "/f is not whole");
        return ERR_NONE;
}

static void a_crash_leaves_no_half_file(void **state) {
        (void)state;
        assert_int_equal(sweep_all(&(struct sweep){.name = "make",
                                                   .setup = make_nothing,
                                                   .operate = make_new,
                                                   .check = is_new_or_none},
                                   0),
                         0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_file_gets_its_name_when_it_is_whole),
                cmocka_unit_test(what_is_there_is_kept_unless_it_may_be_replaced),
                cmocka_unit_test(a_name_taken_meanwhile_is_kept),
                cmocka_unit_test(what_is_in_use_is_not_replaced),
                cmocka_unit_test(what_is_no_place_for_a_file_is_refused),
                cmocka_unit_test(one_that_is_given_up_leaves_nothing),
                cmocka_unit_test(a_crash_leaves_the_old_file_or_the_new_one),
                cmocka_unit_test(a_crash_leaves_no_half_file),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
