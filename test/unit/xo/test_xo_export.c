// SPDX-License-Identifier: Apache-2.0
#include "xo_export.h"

#include <string.h>

#include "chain.h"
#include "fixture_xo.h"
#include "mem.h"
#include "point_room.h"
#include "xo_points.h"

struct remote {
        struct room room;
        struct xo_export export;
};

static void open_remote(struct remote *remote) {
        struct err_note note;

        room_open(&remote->room);
        assert_ok(io_make_dir(remote->room.io, FIXTURE_XO, &note));
        remote->export =
                (struct xo_export){.vault = remote->room.vault, .io = remote->room.io, .dir = FIXTURE_XO};
}

static void close_remote(struct remote *remote) {
        room_close(&remote->room);
}
DEFINE_AUTO_IN_PLACE(struct remote, close_remote);

/* The room's point becomes a child of that one. */
static void put_after(struct remote *remote, const struct vault_name *parent, int64_t time) {
        struct room *room = &remote->room;
        struct fixture_put options = {.parent = parent, .time = time};
        struct vault_name name;
        struct err_note note;

        fixture_disk_write(&room->disk, 9 * MIB, 1000, (uint8_t)time);
        assert_ok(fixture_put_disk(room->vault, &room->disk, &options, &name, &note));
        point_fini(&room->point);
        assert_ok(points_get(room->vault, &name, &room->point, &note));
}

static void put_child(struct remote *remote, int64_t time) {
        const struct vault_name parent = remote->room.point.name;

        put_after(remote, &parent, time);
}

static struct xo_exported export_it(struct remote *remote) {
        struct xo_exported got;
        struct err_note note;

        assert_ok(xo_export_point(&remote->export, &remote->room.point, &got, &note));
        free(TAKE(got.path));
        return got;
}

/* The newest one there reads as the room's disk. */
static void assert_newest_is_the_disk(struct remote *remote, size_t n_points) {
        struct room *room = &remote->room;
        AUTO(xo_remote_fini) struct xo_remote there = {0};
        AUTO(xo_points_fini) struct xo_points points = {0};
        AUTO_FREE uint8_t *bytes = mem_zero(room->disk.size);
        AUTO_FREE char *path = NULL;
        const struct xo_point *newest;
        struct images images;
        struct chain *chain;
        struct err_note note;

        assert_ok(xo_remote_open(room->io, FIXTURE_XO, NULL, &there, &note));
        assert_ok(xo_points_list(&there, &points, &note));
        assert_int_equal(points.list.n, n_points);
        newest = &points.list.data[n_points - 1];
        path = mem_format(FIXTURE_XO "/%s/%s", newest->folder, newest->meta.disks.data[0].vhd);
        images_init(&images, room->io, &(struct images_options){.is_read_only = true});
        assert_ok(chain_open(&images, path, CHAIN_READ, &chain, &note));
        assert_int_equal(chain_size(chain), round_up(room->disk.size, SECTOR));
        assert_ok(chain_read(chain, bytes, room->disk.size, 0, &note));
        assert_memory_equal(bytes, room->disk.bytes.data, room->disk.size);
        chain_abandon(chain);
        images_fini(&images);
}

static void a_child_of_the_newest_is_a_delta(void **state) {
        AUTO(close_remote) struct remote remote = {0};
        struct xo_exported got;

        (void)state;
        open_remote(&remote);
        got = export_it(&remote);
        assert_int_equal(got.n_deltas, 0);
        put_child(&remote, 2000);
        got = export_it(&remote);
        assert_true(got.n_deltas == 1 && got.bytes == VHD_BLOCK_SIZE);
        assert_newest_is_the_disk(&remote, 2);
        assert_true(export_it(&remote).was_there);
        assert_newest_is_the_disk(&remote, 2);
}

static void of_one_second_the_later_is_named_later(void **state) {
        AUTO(close_remote) struct remote remote = {0};

        (void)state;
        open_remote(&remote);
        (void)export_it(&remote);
        put_child(&remote, 1000);
        assert_int_equal(export_it(&remote).n_deltas, 1);
        assert_newest_is_the_disk(&remote, 2);
}

static void what_is_not_the_newests_child_is_whole(void **state) {
        AUTO(close_remote) struct remote remote = {0};

        (void)state;
        open_remote(&remote);
        (void)export_it(&remote);
        put_child(&remote, 2000);
        put_child(&remote, 3000);
        assert_int_equal(export_it(&remote).n_deltas, 0);
        assert_newest_is_the_disk(&remote, 2);
        put_child(&remote, 4000);
        remote.export.is_full = true;
        assert_int_equal(export_it(&remote).n_deltas, 0);
        /* Its clock was wrong: a name before its parent's would be no chain. */
        remote.export.is_full = false;
        put_child(&remote, 500);
        assert_int_equal(export_it(&remote).n_deltas, 0);
}

static void no_vhd_has_two_children(void **state) {
        AUTO(close_remote) struct remote remote = {0};
        struct vault_name first;

        (void)state;
        open_remote(&remote);
        first = remote.room.point.name;
        (void)export_it(&remote);
        put_child(&remote, 2000);
        assert_int_equal(export_it(&remote).n_deltas, 1);
        put_after(&remote, &first, 3000);
        assert_int_equal(export_it(&remote).n_deltas, 0);
        assert_newest_is_the_disk(&remote, 3);
}

static void where_it_cannot_be_it_says_why(void **state) {
        AUTO(close_remote) struct remote remote = {0};
        struct xo_exported got;
        struct err_note note;

        (void)state;
        open_remote(&remote);
        fixture_xo_write(remote.room.io, "encryption.json", "{\"algorithm\": \"aes-256-gcm\"}", 28);
        assert_err(xo_export_point(&remote.export, &remote.room.point, &got, &note), ERR_UNSUPPORTED,
                   "is encrypted");
        xo_exported_fini(&got);
        remote.export.dir = "/nowhere";
        assert_err(xo_export_point(&remote.export, &remote.room.point, &got, &note), ERR_NOT_FOUND,
                   "/nowhere");
        xo_exported_fini(&got);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_child_of_the_newest_is_a_delta),
                cmocka_unit_test(of_one_second_the_later_is_named_later),
                cmocka_unit_test(what_is_not_the_newests_child_is_whole),
                cmocka_unit_test(no_vhd_has_two_children),
                cmocka_unit_test(where_it_cannot_be_it_says_why),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
