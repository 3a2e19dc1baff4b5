// SPDX-License-Identifier: Apache-2.0
#include "diff.h"

#include "point_room.h"

static void assert_differs(struct room *room, const struct point *before, uint64_t at, uint64_t n) {
        AUTO(diff_fini) struct diff diff = {0}, back = {0};
        struct err_note note;

        assert_ok(diff_disks(room->vault, &before->manifest.disks.data[0], room_disk(room), &diff, &note));
        assert_ok(diff_disks(room->vault, room_disk(room), &before->manifest.disks.data[0], &back, &note));
        assert_int_equal(diff.extents.n, n > 0);
        assert_int_equal(back.extents.n, n > 0);
        assert_int_equal(diff.bytes, n);
        if (n > 0) {
                assert_int_equal(diff.extents.data[0].at, at);
                assert_int_equal(diff.extents.data[0].n, n);
                assert_memory_equal(back.extents.data, diff.extents.data, sizeof diff.extents.data[0]);
        }
}

static void disks_differ_in_the_chunks_that_do(void **state) {
        AUTO(room_close) struct room room = {0};
        AUTO(point_fini) struct point before = {0};
        struct vault_name first;
        struct err_note note;

        (void)state;
        room_open(&room);
        first = room.point.name;
        assert_ok(points_get(room.vault, &first, &before, &note));
        assert_differs(&room, &before, 0, 0);
        fixture_disk_write(&room.disk, 10 * MIB + 5, 2 * FIXTURE_CHUNK, 50);
        room_put(&room);
        assert_differs(&room, &before, 10 * MIB, 3 * FIXTURE_CHUNK);
}

static void what_a_disk_grew_by_differs_where_it_is_not_zeros(void **state) {
        AUTO(room_close) struct room room = {0};
        AUTO(point_fini) struct point before = {0};
        struct vault_name first;
        uint64_t size;
        struct err_note note;

        (void)state;
        room_open(&room);
        first = room.point.name;
        size = room.disk.size;
        assert_ok(points_get(room.vault, &first, &before, &note));
        fixture_disk_resize(&room.disk, size + 20 * MIB);
        room_put(&room);
        assert_differs(&room, &before, 0, 0);
        fixture_disk_write(&room.disk, size + 20 * MIB - 3, 3, 60);
        room_put(&room);
        assert_differs(&room, &before, (size + 20 * MIB) / FIXTURE_CHUNK * FIXTURE_CHUNK,
                       (size + 20 * MIB) % FIXTURE_CHUNK);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(disks_differ_in_the_chunks_that_do),
                cmocka_unit_test(what_a_disk_grew_by_differs_where_it_is_not_zeros),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
