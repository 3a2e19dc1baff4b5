// SPDX-License-Identifier: Apache-2.0
#include "sync.h"

#include "point_room.h"

/* The room's vault, and another one with other keys. */
struct two {
        struct room room;
        struct target_sim *target;
        struct vault *vault;
        struct fixture_disk first; /* the disk as it was in the first point */
};

static void open_two(struct two *two) {
        struct vault_name before, name;
        struct fixture_put options = {.parent = &before, .time = 2000};
        struct err_note note;

        room_open(&two->room);
        before = two->room.point.name;
        buf_add(&two->first.bytes, two->room.disk.bytes.data, two->room.disk.bytes.n);
        two->first.size = two->room.disk.size;
        two->target = target_sim_new(2);
        assert_ok(fixture_vault_make(two->room.io, target_sim_open(two->target), false, &two->vault, &note));
        fixture_disk_write(&two->room.disk, 9 * MIB, 1000, 70);
        fixture_disk_resize(&two->room.disk, 30 * MIB + 5);
        assert_ok(fixture_put_disk(two->room.vault, &two->room.disk, &options, &name, &note));
}

static void close_two(struct two *two) {
        vault_close(two->vault);
        target_sim_free(two->target);
        fixture_disk_fini(&two->first);
        room_close(&two->room);
}
DEFINE_AUTO_IN_PLACE(struct two, close_two);

static enum err sync_all(struct vault *from, struct vault *to, struct sync_count *ret,
                         struct err_note *note) {
        const struct sync_options options = {0};
        AUTO(sync_free) struct sync *sync = NULL;
        struct sync_todo todo;

        if (sync_begin(from, to, &options, &sync, note))
                return note->code;
        while (sync_todo(sync, &todo))
                if (sync_step(sync, note))
                        return note->code;
        *ret = sync_count(sync);
        return ERR_NONE;
}

static void assert_copied(struct two *two) {
        AUTO(points_fini) struct points points = {0};
        struct err_note note;

        assert_ok(points_list(two->vault, &points, &note));
        assert_int_equal(points.list.n, 2);
        assert_ok(fixture_check_disk(two->vault, &points.list.data[0].name, &two->first, &note));
        assert_ok(fixture_check_disk(two->vault, &points.list.data[1].name, &two->room.disk, &note));
        assert_memory_equal(&points.list.data[1].manifest.parent, &points.list.data[0].name,
                            sizeof points.list.data[0].name);
}

static void points_arrive_and_a_second_run_sends_nothing(void **state) {
        AUTO(close_two) struct two two = {0};
        struct sync_count count;
        struct err_note note;

        (void)state;
        open_two(&two);
        assert_ok(sync_all(two.room.vault, two.vault, &count, &note));
        assert_int_equal(count.n_sent, 2);
        /* Of the second what differs, and the chunk at its end. */
        assert_in_range(count.read, two.first.size / 5, 12 * MIB);
        assert_copied(&two);
        assert_ok(sync_all(two.room.vault, two.vault, &count, &note));
        assert_int_equal(count.n_there, 2);
        assert_int_equal(count.n_sent, 0);
        assert_ok(sync_all(two.vault, two.room.vault, &count, &note));
        assert_int_equal(count.n_sent, 0);
}

static void a_disk_that_became_smaller_arrives(void **state) {
        AUTO(close_two) struct two two = {0};
        AUTO(points_fini) struct points points = {0};
        struct vault_name parent, name;
        struct fixture_put options = {.parent = &parent, .time = 3000};
        struct sync_count count;
        struct err_note note;

        (void)state;
        open_two(&two);
        assert_ok(points_list(two.room.vault, &points, &note));
        parent = points.list.data[1].name;
        fixture_disk_resize(&two.room.disk, 22 * MIB + 5);
        fixture_disk_write(&two.room.disk, 22 * MIB, 5, 80);
        assert_ok(fixture_put_disk(two.room.vault, &two.room.disk, &options, &name, &note));
        assert_ok(sync_all(two.room.vault, two.vault, &count, &note));
        points_fini(&points);
        points = (struct points){0};
        assert_ok(points_list(two.vault, &points, &note));
        assert_int_equal(points.list.n, 3);
        assert_ok(fixture_check_disk(two.vault, &points.list.data[2].name, &two.room.disk, &note));
        /* As what differs from its parent. */
        assert_memory_equal(&points.list.data[2].manifest.parent, &points.list.data[1].name, sizeof name);
}

/* Clocks disagree: the child says that it is older. */
static void a_parent_goes_first_whatever_the_clocks_said(void **state) {
        AUTO(room_close) struct room room = {0};
        AUTO(target_sim_free) struct target_sim *target = target_sim_new(3);
        AUTO(vault_close) struct vault *other = NULL;
        AUTO(points_fini) struct points points = {0};
        struct vault_name parent, name;
        struct fixture_put options = {.parent = &parent, .time = 10};
        struct sync_count count;
        struct err_note note;

        (void)state;
        room_open(&room);
        parent = room.point.name;
        assert_ok(fixture_put_disk(room.vault, &room.disk, &options, &name, &note));
        assert_ok(fixture_vault_make(room.io, target_sim_open(target), false, &other, &note));
        assert_ok(sync_all(room.vault, other, &count, &note));
        assert_ok(points_list(other, &points, &note));
        assert_int_equal(points.list.n, 2);
        assert_memory_equal(&points.list.data[0].manifest.parent, &points.list.data[1].name, sizeof name);
}

/* How much there is to read is said before any of it is: holes are nothing. */
static void holes_are_not_counted_as_to_be_read(void **state) {
        AUTO(close_two) struct two two = {0};
        AUTO(fixture_disk_fini) struct fixture_disk sparse = {0};
        AUTO(sync_free) struct sync *sync = NULL;
        const struct sync_options options = {.since = 5000};
        struct fixture_put putting = {.time = 5000};
        struct sync_todo todo;
        struct vault_name name;
        struct err_note note;

        (void)state;
        open_two(&two);
        fixture_disk_resize(&sparse, 30 * MIB + 5);
        fixture_disk_write(&sparse, 9 * MIB, 1000, 70);
        assert_ok(fixture_put_disk(two.room.vault, &sparse, &putting, &name, &note));
        assert_ok(sync_begin(two.room.vault, two.vault, &options, &sync, &note));
        assert_true(sync_todo(sync, &todo));
        assert_in_range(todo.bytes, 1000, MIB);
        assert_int_equal(sync_count(sync).bytes, todo.bytes);
        assert_int_equal(todo.through, sparse.size);
        assert_ok(sync_step(sync, &note));
        assert_int_equal(sync_count(sync).read, todo.bytes);
}

/* At each call of the other vault's target, with and without its effect. */
static void a_run_that_dies_anywhere_goes_on(void **state) {
        uint64_t n = 1;
        bool died = true;

        (void)state;
        for (; died; n += getenv("CATENA_SOAK") ? 1 : 3) {
                AUTO(close_two) struct two two = {0};
                struct sync_count count;
                struct err_note note;

                open_two(&two);
                target_sim_die_at(two.target, n, n % 2);
                died = sync_all(two.room.vault, two.vault, &count, &note) != ERR_NONE;
                target_sim_restart(two.target);
                vault_close(two.vault);
                assert_ok(fixture_vault_open(two.room.io, target_sim_open(two.target), false, &two.vault,
                                             &note));
                assert_ok(sync_all(two.room.vault, two.vault, &count, &note));
                assert_copied(&two);
        }
        assert_true(n > 10);
}

static void a_vault_is_not_sent_to_itself(void **state) {
        AUTO(room_close) struct room room = {0};
        struct sync_count count;
        struct err_note note;

        (void)state;
        room_open(&room);
        assert_err(sync_all(room.vault, room.vault, &count, &note), ERR_INVALID, "the same vault");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(points_arrive_and_a_second_run_sends_nothing),
                cmocka_unit_test(a_disk_that_became_smaller_arrives),
                cmocka_unit_test(a_parent_goes_first_whatever_the_clocks_said),
                cmocka_unit_test(holes_are_not_counted_as_to_be_read),
                cmocka_unit_test(a_run_that_dies_anywhere_goes_on),
                cmocka_unit_test(a_vault_is_not_sent_to_itself),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
