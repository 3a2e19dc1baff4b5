// SPDX-License-Identifier: Apache-2.0
#include "xo_points.h"

#include <string.h>

#include "check.h"
#include "fixture_xo.h"
#include "io_sim.h"

static void points_come_by_time_and_what_is_none_is_told(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(xo_remote_fini) struct xo_remote remote = {0};
        AUTO(xo_points_fini) struct xo_points points = {0};
        struct err_note note;

        (void)state;
        for (unsigned day = 3; day > 0; day--)
                fixture_xo_meta(io, day);
        fixture_xo_write(io, FIXTURE_XO_VMS "/broken.json", "{", 1);
        fixture_xo_write(io, FIXTURE_XO_VMS "/.hidden.json", "{", 1);
        fixture_xo_write(io, FIXTURE_XO_VMS "/cache.json.gz", "x", 1);
        fixture_xo_write(io, "xo-vm-backups/.queue/x.json", "{", 1);
        assert_ok(xo_remote_open(io, FIXTURE_XO, NULL, &remote, &note));
        assert_ok(xo_points_list(&remote, &points, &note));
        assert_int_equal(points.list.n, 3);
        assert_string_equal(points.list.data[0].name, "20260101T020000Z");
        assert_string_equal(points.list.data[2].name, "20260103T020000Z");
        assert_string_equal(points.list.data[2].folder, FIXTURE_XO_VMS);
        assert_string_equal(points.list.data[1].meta.disks.data[0].vdi, FIXTURE_XO_VDI);
        assert_int_equal(points.left.n, 1);
        assert_non_null(strstr(points.left.data[0].path, "broken.json"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(points_come_by_time_and_what_is_none_is_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
