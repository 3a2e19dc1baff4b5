// SPDX-License-Identifier: Apache-2.0
/* What a directory as a target has of its own: folders, temporary files, what lies beside. */
#include "check.h"

#include "io_sim.h"
#include "target_dir.h"

static const int64_t hour_ns = (int64_t)3600 * 1000 * 1000 * 1000;

static struct target *made(struct io *io) {
        struct target *target = NULL;
        struct err_note note;

        assert_ok(target_dir_create(io, "/vault", &target, &note));
        return target;
}

static size_t count(struct io *io, const char *path) {
        AUTO(io_names_fini) struct io_names names = {0};
        struct err_note note;

        assert_ok(io_list(io, path, &names, &note));
        return names.names.n;
}

static void write_file(struct io *io, const char *path) {
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note;

        assert_ok(io_open(io, path, IO_CREATE, &file, &note));
        assert_ok(io_write(file, "foreign", 7, 0, &note));
}

static void create_refuses_what_is_not_empty(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct target *target;
        struct err_note note;

        (void)state;
        assert_err(target_dir_create(io, "/no/vault", &target, &note), ERR_NOT_FOUND, "/no/vault");
        assert_err(target_dir_open(io, "/vault", &target, &note), ERR_NOT_FOUND, "/vault");
        target = made(io);
        assert_ok(target_put(target, "config", "x", 1, &note));
        target_close(target);
        assert_err(target_dir_create(io, "/vault", &target, &note), ERR_EXISTS, "config");
        assert_ok(target_dir_open(io, "/vault", &target, &note));
        target_close(target);
        write_file(io, "/file");
        assert_err(target_dir_open(io, "/file", &target, &note), ERR_INVALID, "no directory");
}

static void create_takes_an_empty_file_system(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note;

        (void)state;
        assert_ok(io_make_dir(io, "/vault", &note));
        assert_ok(io_make_dir(io, "/vault/lost+found", &note));
        target_close(made(io));
}

static void a_new_vault_is_durable(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(target_close) struct target *target = NULL;
        struct err_note note;

        (void)state;
        target_close(made(io));
        io_sim_crash(io, 0);
        assert_ok(target_dir_open(io, "/vault", &target, &note));
}

static void what_lies_beside_is_not_listed(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(target_close) struct target *target = made(io);
        AUTO(target_list_fini) struct target_list list = {0};
        struct err_note note;

        (void)state;
        assert_ok(target_put(target, "packs/00/0001", "x", 1, &note));
        write_file(io, "/vault/packs/.hidden");
        write_file(io, "/vault/READ_ME");
        write_file(io, "/vault/.tmp/put-1");
        assert_ok(target_list(target, "", &list, &note));
        assert_int_equal(list.items.n, 1);
}

static void a_put_leaves_nothing_behind(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(target_close) struct target *target = made(io);
        struct err_note note;

        (void)state;
        assert_ok(target_put(target, "packs/00/0001", "x", 1, &note));
        assert_err(target_put(target, "packs/00/0001", "x", 1, &note), ERR_EXISTS, "packs/00/0001");
        assert_ok(target_replace(target, "config", "x", 1, &note));
        io_sim_fail_at(io, 1, ERR_NO_SPACE, false);
        assert_err(target_put(target, "packs/00/0002", "x", 1, &note), ERR_NO_SPACE, "packs/00/0002");
        assert_int_equal(count(io, "/vault/.tmp"), 0);
        assert_int_equal(io_sim_open_files(io), 0);
}

/* Two syncs a new folder, one an object: what was there is asked for once in a target's life. */
static void folders_are_synced_once(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(target_close) struct target *target = made(io);
        uint64_t before = io_sim_traffic(io).dir_syncs;
        struct err_note note;

        (void)state;
        assert_ok(target_put(target, "packs/00/0001", "x", 1, &note));
        assert_int_equal(io_sim_traffic(io).dir_syncs - before, 3);
        assert_ok(target_put(target, "packs/00/0002", "x", 1, &note));
        assert_int_equal(io_sim_traffic(io).dir_syncs - before, 4);
}

static void a_folder_of_a_process_that_died_is_synced(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(target_close) struct target *target = made(io);
        char got;
        size_t n;
        struct err_note note;

        (void)state;
        assert_ok(io_make_dir(io, "/vault/points", &note));
        assert_ok(target_put(target, "points/a", "x", 1, &note));
        io_sim_crash(io, 0);
        assert_ok(target_read(target, "points/a", 0, &got, 1, &n, &note));
}

static void only_old_leftovers_are_swept(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(target_close) struct target *target = made(io);
        struct err_note note;

        (void)state;
        assert_ok(target_dir_sweep(target, &note));
        assert_ok(target_put(target, "config", "x", 1, &note));
        write_file(io, "/vault/.tmp/put-1");
        io_sim_advance(io, (uint64_t)(20 * hour_ns));
        write_file(io, "/vault/.tmp/put-2");
        assert_ok(target_dir_sweep(target, &note));
        assert_int_equal(count(io, "/vault/.tmp"), 2);
        io_sim_advance(io, (uint64_t)(5 * hour_ns));
        assert_ok(target_dir_sweep(target, &note));
        assert_int_equal(count(io, "/vault/.tmp"), 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(create_refuses_what_is_not_empty),
                cmocka_unit_test(create_takes_an_empty_file_system),
                cmocka_unit_test(a_new_vault_is_durable),
                cmocka_unit_test(what_lies_beside_is_not_listed),
                cmocka_unit_test(a_put_leaves_nothing_behind),
                cmocka_unit_test(folders_are_synced_once),
                cmocka_unit_test(a_folder_of_a_process_that_died_is_synced),
                cmocka_unit_test(only_old_leftovers_are_swept),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
