// SPDX-License-Identifier: Apache-2.0
#include "call_kit.h"

#include "registry.h"
#include "sweep.h"

static const struct uuid one = {{1, 1}}, two = {{2, 2}};

static void make_sr(struct io *io, const char *path) {
        AUTO_FREE char *inside = mem_format("%s/.catena", path);
        struct err_note note = {0};

        assert_ok(io_make_dir(io, path, &note));
        assert_ok(io_make_dir(io, inside, &note));
}

static enum err put(struct io *io, const struct uuid *uuid, const char *name, const char *path,
                    struct err_note *note) {
        return registry_put(io, KIT_STATE, uuid, name, path, false, note);
}

static void assert_resolves(struct io *io, const char *text, const char *want) {
        AUTO_FREE char *path = NULL;
        struct err_note note = {0};
        bool read_only;

        assert_ok(registry_resolve(io, KIT_STATE, text, &path, &read_only, &note));
        assert_string_equal(path, want);
}

static enum err resolve(struct io *io, const char *text, struct err_note *note) {
        AUTO_FREE char *path = NULL;
        bool read_only;

        return registry_resolve(io, KIT_STATE, text, &path, &read_only, note);
}

static void an_sr_is_found_by_path_uuid_and_name(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};

        (void)state;
        make_sr(io, "/a");
        assert_ok(put(io, &one, "main", "/a", &note));
        assert_resolves(io, "/a", "/a");
        assert_resolves(io, "main", "/a");
        assert_resolves(io, uuid_format(&one).s, "/a");
        assert_err(resolve(io, "other", &note), ERR_NOT_FOUND, "no SR is named 'other'");
}

static void a_path_works_without_any_registry(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO_FREE char *path = NULL;
        struct err_note note = {0};
        bool read_only;

        (void)state;
        assert_ok(registry_resolve(io, NULL, "/anything", &path, &read_only, &note));
        assert_string_equal(path, "/anything");
        assert_err(registry_put(io, NULL, &one, "n", "/", false, &note), ERR_INVALID, "XDG_STATE_HOME");
        kit_put_file(io, "/file", "x", 1);
        assert_ok(io_make_dir(io, KIT_STATE, &note));
        kit_put_file(io, KIT_STATE "/srs.json", "no json", 7);
        assert_resolves(io, "/a/b", "/a/b");
        assert_err(resolve(io, "main", &note), ERR_CORRUPT, "srs.json is damaged");
}

static void a_name_that_two_share_is_refused_with_both(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};

        (void)state;
        make_sr(io, "/a");
        make_sr(io, "/b");
        assert_ok(put(io, &one, "main", "/a", &note));
        assert_ok(put(io, &two, "main", "/b", &note));
        assert_err(resolve(io, "main", &note), ERR_INVALID, uuid_format(&one).s);
        assert_non_null(strstr(note.text, uuid_format(&two).s));
        assert_resolves(io, uuid_format(&two).s, "/b");
}

static void one_whose_folder_is_gone_stands_in_nobodys_way(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};

        (void)state;
        make_sr(io, "/a");
        make_sr(io, "/b");
        assert_ok(put(io, &one, "main", "/a", &note));
        assert_ok(put(io, &two, "main", "/b", &note));
        assert_ok(io_remove_dir(io, "/a/.catena", &note));
        assert_resolves(io, "main", "/b");
        assert_ok(io_remove_dir(io, "/a", &note));
        assert_resolves(io, "main", "/b");
        assert_ok(registry_drop(io, KIT_STATE, "/b", &note));
        assert_resolves(io, "main", "/a"); /* what is to be said of it, its opener says */
}

static void the_same_folder_has_one_entry(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(registry_fini) struct registry registry = {0};
        struct err_note note = {0};

        (void)state;
        make_sr(io, "/a");
        assert_ok(put(io, &one, "old", "/a", &note));
        assert_ok(put(io, &two, "new", "/a/.", &note));
        assert_ok(registry_read(io, KIT_STATE, &registry, &note));
        assert_int_equal(registry.list.n, 1);
        assert_string_equal(registry.list.data[0].name, "new");
        assert_true(registry.list.data[0].is_there);
        assert_err(resolve(io, "old", &note), ERR_NOT_FOUND, "old");
}

static void members_of_later_versions_are_kept(void **state) {
        static const char text[] =
                "{\"srs\": [{\"uuid\": \"01010101-0101-4101-8101-010101010101\", \"name\": \"n\", "
                "\"path\": \"/x\", \"colour\": 7}], \"version\": 9}";
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO_FREE uint8_t *now = NULL;
        struct err_note note = {0};
        size_t n;

        (void)state;
        make_sr(io, "/a");
        assert_ok(io_make_dir(io, KIT_STATE, &note));
        kit_put_file(io, KIT_STATE "/srs.json", text, sizeof text - 1);
        assert_ok(put(io, &one, "main", "/a", &note));
        now = kit_get_file(io, KIT_STATE "/srs.json", &n);
        assert_non_null(strstr((char *)now, "\"colour\": 7"));
        assert_non_null(strstr((char *)now, "\"version\": 9"));
}

static void a_folder_adopted_read_only_stays_so_by_any_name(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        static const char *const names[] = {"ro", "/a", "/a/../a"};

        (void)state;
        make_sr(io, "/a");
        assert_ok(registry_put(io, KIT_STATE, &one, "ro", "/a", true, &note));
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
                AUTO_FREE char *path = NULL;
                bool read_only = false;

                assert_ok(registry_resolve(io, KIT_STATE, names[i], &path, &read_only, &note));
                assert_true(read_only);
        }
}

static void whoever_keeps_the_lock_is_waited_for_but_not_for_ever(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(io_close) struct io_file *lock = NULL;
        struct err_note note = {0};
        uint64_t began;

        (void)state;
        make_sr(io, "/a");
        assert_ok(put(io, &one, "main", "/a", &note));
        assert_ok(io_open(io, KIT_STATE "/lock", IO_WRITE, &lock, &note));
        assert_ok(io_lock(lock, IO_EXCLUSIVE, &note));
        began = io_now_ns(io);
        assert_int_equal(put(io, &two, "main", "/a", &note), ERR_BUSY);
        assert_true(io_now_ns(io) - began > 1000000000);
}

/* ---- at every instant ------------------------------------------------------------------------ */

static enum err set_up(struct io *io, void *ctx, struct err_note *note) {
        (void)ctx;
        make_sr(io, "/a");
        make_sr(io, "/b");
        return put(io, &one, "first", "/a", note);
}

static enum err add_second(struct io *io, void *ctx, struct err_note *note) {
        (void)ctx;
        return put(io, &two, "second", "/b", note);
}

static enum err has_first_and_perhaps_second(struct io *io, void *ctx, enum sweep_outcome outcome,
                                             struct err_note *note) {
        AUTO(registry_fini) struct registry registry = {0};

        (void)ctx;
        if (registry_read(io, KIT_STATE, &registry, note))
                return note->code;
        if (registry.list.n < 1 || strcmp(registry.list.data[0].name, "first") != 0)
                return sweep_violation(note, "the first is gone");
        if (outcome == SWEEP_DONE && registry.list.n != 2)
                return sweep_violation(note, "the second is not there");
        return ERR_NONE;
}

static void a_crash_leaves_the_old_list_or_the_new_one(void **state) {
        (void)state;
        assert_int_equal(sweep_all(&(struct sweep){.name = "registry",
                                                   .setup = set_up,
                                                   .operate = add_second,
                                                   .check = has_first_and_perhaps_second},
                                   4),
                         0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_sr_is_found_by_path_uuid_and_name),
                cmocka_unit_test(a_path_works_without_any_registry),
                cmocka_unit_test(a_name_that_two_share_is_refused_with_both),
                cmocka_unit_test(one_whose_folder_is_gone_stands_in_nobodys_way),
                cmocka_unit_test(the_same_folder_has_one_entry),
                cmocka_unit_test(members_of_later_versions_are_kept),
                cmocka_unit_test(a_folder_adopted_read_only_stays_so_by_any_name),
                cmocka_unit_test(whoever_keeps_the_lock_is_waited_for_but_not_for_ever),
                cmocka_unit_test(a_crash_leaves_the_old_list_or_the_new_one),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
