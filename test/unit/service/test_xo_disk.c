// SPDX-License-Identifier: Apache-2.0
#include "xo_disk.h"

#include "check.h"
#include "fixture_xo.h"
#include "io_sim.h"
#include "mem.h"
#include "xo_folder.h"

static void the_topmost_says_what_changed(void **state) {
        AUTO(io_free) struct io *below = io_sim_new(1, 0);
        AUTO(io_free) struct io *io = xo_io_new(below);
        AUTO(xo_remote_fini) struct xo_remote remote = {0};
        AUTO(xo_folder_fini) struct xo_folder folder = {0};
        const struct uuid days[] = {fixture_xo_uuid(1), fixture_xo_uuid(2)};
        struct images images;
        struct err_note note;

        (void)state;
        fixture_xo_disk(below, 1, "ab.", 0);
        fixture_xo_disk(below, 2, "x..", 1);
        assert_ok(xo_remote_open(below, FIXTURE_XO, NULL, &remote, &note));
        assert_ok(xo_folder_load(&remote, io, FIXTURE_XO_FOLDER, &folder, &note));
        images_init(&images, io, &(struct images_options){.is_read_only = true});
        for (unsigned day = 1; day <= 2; day++) {
                AUTO(xo_disk_fini) struct xo_disk disk = {0};
                AUTO_FREE char *name = fixture_xo_alias(day);
                AUTO_FREE char *path = NULL;
                uint64_t start, end;
                uint8_t byte;

                assert_ok(xo_folder_find(&folder, name, &path, &note));
                assert_ok(xo_disk_open(&images, path, &disk, &note));
                assert_true(uuid_equal(&disk.uuid, &days[day - 1]));
                assert_int_equal(uuid_equal(&disk.parent, &days[0]), day == 2);
                assert_int_equal(disk.changed.n, day - 1);
                if (day == 2)
                        assert_true(disk.changed.data[0].at == 0 && disk.changed.data[0].n == VHD_BLOCK_SIZE);
                assert_ok(disk.source.read(disk.source.user, &byte, 1, 5, &note));
                assert_int_equal(byte, day == 2 ? 'x' : 'a');
                assert_ok(disk.source.next_data(disk.source.user, 512, &start, &end, &note));
                assert_true(start == 512 && end > 512 && end <= 2 * VHD_BLOCK_SIZE);
                assert_ok(disk.source.next_data(disk.source.user, 2 * VHD_BLOCK_SIZE, &start, &end, &note));
                assert_true(start == disk.source.size && end == disk.source.size);
        }
        images_fini(&images);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_topmost_says_what_changed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
