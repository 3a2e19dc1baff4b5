// SPDX-License-Identifier: Apache-2.0
#include "point_io.h"

#include "mem.h"
#include "point_room.h"

static struct io_file *add_disk(struct room *room, const char *name) {
        const struct get_options options = {0};
        struct get *get;
        struct err_note note;

        assert_ok(get_open(room->vault, room_disk(room), &options, &get, &note));
        return point_io_add(room->points, name, get, room->disk.size);
}

static void a_queue_reads_disks_and_files_alike(void **state) {
        AUTO(room_close) struct room room = {0};
        AUTO(io_close) struct io_file *disk = NULL, *file = NULL;
        AUTO(io_queue_free) struct io_queue *queue = NULL;
        uint8_t got[2][1000];
        struct io_request requests[2] = {0}, *ended[2];
        struct iovec vecs[2];
        struct err_note note;

        (void)state;
        room_open(&room);
        disk = add_disk(&room, "disk");
        assert_ok(io_open(room.points, "/file", IO_CREATE, &file, &note));
        assert_ok(io_write(file, room.disk.bytes.data + 777, 1000, 0, &note));
        assert_ok(io_queue_new(room.points, 2, &queue, &note));
        for (unsigned i = 0; i < 2; i++) {
                vecs[i] = (struct iovec){got[i], sizeof got[i]};
                requests[i] = (struct io_request){.op = IO_OP_READ,
                                                  .file = i ? file : disk,
                                                  .vec = &vecs[i],
                                                  .n_vec = 1,
                                                  .at = i ? 0 : 777};
                io_submit(queue, &requests[i]);
        }
        assert_int_equal(io_reap(queue, 2, ended, 2), 2);
        for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(requests[i].result, ERR_NONE);
                assert_memory_equal(got[i], room.disk.bytes.data + 777, sizeof got[i]);
        }
}

static void a_disk_is_found_by_its_name_in_any_folder(void **state) {
        AUTO(room_close) struct room room = {0};
        AUTO(io_close) struct io_file *disk = NULL;
        AUTO_FREE char *path = NULL;
        struct io_stat stat, opened;
        struct err_note note;

        (void)state;
        room_open(&room);
        assert_err(io_stat_path(room.points, "/a/disk", &stat, &note), ERR_NOT_FOUND, "/a/disk");
        disk = add_disk(&room, "disk");
        assert_ok(io_stat_path(room.points, "/a/disk", &stat, &note));
        assert_ok(io_stat(disk, &opened, &note));
        assert_int_equal(stat.size, room.disk.size);
        assert_true(stat.device == opened.device && stat.inode == opened.inode);
        assert_ok(io_canonical(room.points, "/b/disk", &path, &note));
        assert_string_equal(path, "/b/disk");
}

static void nothing_changes_a_disk(void **state) {
        AUTO(room_close) struct room room = {0};
        AUTO(io_close) struct io_file *disk = NULL;
        struct io_file *again;
        uint8_t byte;
        struct err_note note;

        (void)state;
        room_open(&room);
        disk = add_disk(&room, "disk");
        assert_err(io_open(room.points, "/disk", IO_READ, &again, &note), ERR_BUSY, "open already");
        assert_err(io_read(disk, &byte, 1, room.disk.size, &note), ERR_CUT_SHORT, "");
        assert_ok(io_lock(disk, IO_SHARED, &note));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_queue_reads_disks_and_files_alike),
                cmocka_unit_test(a_disk_is_found_by_its_name_in_any_folder),
                cmocka_unit_test(nothing_changes_a_disk),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
