// SPDX-License-Identifier: Apache-2.0
#include "service/call_kit.h"

#include "chain.h"
#include "sweep.h"
#include "vhd_resize_file.h"

enum { OLD = 5 * 1024 * 1024, DATA = 4 * 1024 * 1024 };
#define NEW ((uint64_t)3 * GIB) /* a larger BAT: the first blocks have to move */

static enum err make(struct io *io, void *ctx, struct err_note *note) {
        AUTO_FREE uint8_t *data = mem_zero(OLD);

        (void)ctx;
        memset(data, 7, DATA);
        kit_put_file(io, "/a.raw", data, OLD);
        kit_do(io, "vhd", "convert", "{'source': '/a.raw', 'file': '/a.vhd'}");
        return io_sync_dir(io, "/", note);
}

static enum err resize(struct io *io, void *ctx, struct err_note *note) {
        uint64_t before, after;

        (void)ctx;
        return vhd_resize_file(io, "/a.vhd", NEW, &before, &after, note);
}

static enum err look(struct io *io, uint64_t *ret_size, struct err_note *note) {
        AUTO_FREE uint8_t *got = mem_zero(OLD), *want = mem_zero(OLD);
        struct chain *chain = NULL;
        struct images images;
        enum err failed;

        memset(want, 7, DATA);
        images_init(&images, io, NULL);
        failed = chain_open(&images, "/a.vhd", CHAIN_READ, &chain, note);
        if (!failed)
                failed = chain_read(chain, got, OLD, 0, note);
        if (!failed)
                *ret_size = chain_size(chain);
        if (chain)
                chain_abandon(chain);
        images_fini(&images);
        if (!failed && memcmp(got, want, OLD) != 0)
                return sweep_violation(note, "it reads otherwise");
        return failed;
}

static enum err is_old_or_new(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        uint64_t size;

        (void)ctx;
        if (vhd_resize_file_recover(io, "/a.vhd", note) || look(io, &size, note))
                return note->code;
        if (kit_is_there(io, "/.a.vhd.resize"))
                return sweep_violation(note, "the plan is left");
        if (size != NEW && (size != OLD || outcome == SWEEP_DONE))
                return sweep_violation(note, "it has %llu bytes", (unsigned long long)size);
        return ERR_NONE;
}

static void a_crash_leaves_the_old_size_or_the_new_one(void **state) {
        (void)state;
        assert_int_equal(sweep_all(&(struct sweep){.name = "resize file",
                                                   .setup = make,
                                                   .operate = resize,
                                                   .check = is_old_or_new,
                                                   .max_points = 60},
                                   2),
                         0);
}

static void a_vhd_grows_and_no_plan_is_left(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        uint64_t before, after, size;

        (void)state;
        assert_ok(make(io, NULL, &note));
        assert_ok(vhd_resize_file(io, "/a.vhd", NEW, &before, &after, &note));
        assert_true(before == OLD && after == NEW);
        assert_ok(look(io, &size, &note));
        assert_true(size == NEW);
        assert_int_equal(kit_count_names(io, "/"), 2);
        assert_err(vhd_resize_file(io, "/a.vhd", OLD, &before, &after, &note), ERR_INVALID, "");
        assert_int_equal(kit_count_names(io, "/"), 2);
}

static void one_that_is_open_elsewhere_is_not_touched(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(io_close) struct io_file *user = NULL;
        struct err_note note = {0};
        uint64_t before, after;

        (void)state;
        assert_ok(make(io, NULL, &note));
        assert_ok(io_open(io, "/a.vhd", IO_READ, &user, &note));
        assert_ok(io_lock(user, IO_SHARED, &note));
        assert_int_equal(vhd_resize_file(io, "/a.vhd", NEW, &before, &after, &note), ERR_BUSY);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_vhd_grows_and_no_plan_is_left),
                cmocka_unit_test(one_that_is_open_elsewhere_is_not_touched),
                cmocka_unit_test(a_crash_leaves_the_old_size_or_the_new_one),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
