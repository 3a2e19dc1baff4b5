// SPDX-License-Identifier: Apache-2.0
#include "xo_lock.h"

#include "check.h"
#include "io_sim.h"

#define PATH   "/vm.lock"
#define SECOND UINT64_C(1000000000)

static uint64_t inode_of(struct io *io) {
        struct io_stat stat;
        struct err_note note;

        assert_ok(io_stat_path(io, PATH, &stat, &note));
        assert_true(stat.is_directory);
        return stat.inode;
}

static void it_is_there_while_it_is_held_and_made_anew(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(io_names_fini) struct io_names names = {0};
        struct xo_lock lock;
        struct err_note note;
        uint64_t first;

        (void)state;
        assert_ok(xo_lock_take(io, PATH, &lock, &note));
        first = inode_of(io);
        assert_ok(xo_lock_keep(&lock, &note));
        assert_int_equal(inode_of(io), first); /* it is not time yet */
        io_sim_advance(io, XO_LOCK_KEEP_SECONDS * SECOND);
        assert_ok(xo_lock_keep(&lock, &note));
        assert_int_not_equal(inode_of(io), first);
        xo_lock_release(&lock);
        assert_ok(io_list(io, "/", &names, &note));
        assert_int_equal(names.names.n, 0);
        xo_lock_release(&lock); /* twice is once */
}

static void a_dead_ones_goes_and_it_takes_its_time(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(xo_lock_release) struct xo_lock lock = {0};
        uint64_t before = io_now_ns(io);
        struct err_note note;

        (void)state;
        assert_ok(io_make_dir(io, PATH, &note));
        assert_ok(xo_lock_take(io, PATH, &lock, &note));
        assert_true(io_now_ns(io) - before >= XO_LOCK_DEAD_SECONDS * SECOND);
        assert_int_equal(inode_of(io), lock.inode);
}

static void who_was_taken_for_dead_sees_it(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct xo_lock held, lock;
        struct err_note note;

        (void)state;
        assert_ok(xo_lock_take(io, PATH, &held, &note));
        /* What another process would do meanwhile: it has taken the lock, since we seemed dead. */
        assert_ok(io_remove_dir(io, PATH, &note));
        assert_ok(xo_lock_take(io, PATH, &lock, &note));
        io_sim_advance(io, XO_LOCK_KEEP_SECONDS * SECOND);
        assert_err(xo_lock_keep(&held, &note), ERR_BUSY, "another took the lock");
        xo_lock_release(&held);
        assert_int_equal(inode_of(io), lock.inode); /* it is the other's */
        xo_lock_release(&lock);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_is_there_while_it_is_held_and_made_anew),
                cmocka_unit_test(a_dead_ones_goes_and_it_takes_its_time),
                cmocka_unit_test(who_was_taken_for_dead_sees_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
