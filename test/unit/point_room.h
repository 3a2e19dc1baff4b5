// SPDX-License-Identifier: Apache-2.0
/* A vault with one point of a disk with holes, and an io in which that disk lies, for tests.
 * Errors: none, they fail the test.  Threads: one. */
#ifndef TEST_UNIT_POINT_ROOM_H
#define TEST_UNIT_POINT_ROOM_H

#include "check.h"

#include "fixture_vault.h"
#include "image.h"
#include "point_io.h"
#include "points.h"
#include "target_sim.h"

struct room {
        struct io *io, *points; /* owned */
        struct target_sim *target;
        struct vault *vault;
        struct fixture_disk disk;
        struct point point;
        struct images images; /* of points */
};

static inline const struct vault_disk *room_disk(const struct room *room) {
        return &room->point.manifest.disks.data[0];
}

static inline void room_put(struct room *room) {
        struct vault_name name;
        struct err_note note;

        assert_ok(fixture_put_disk(room->vault, &room->disk, NULL, &name, &note));
        point_fini(&room->point);
        assert_ok(points_get(room->vault, &name, &room->point, &note));
}

static inline void room_open(struct room *room) {
        struct err_note note;

        room->io = io_sim_new(1, 0);
        room->points = point_io_new(room->io);
        images_init(&room->images, room->points, NULL);
        room->target = target_sim_new(1);
        assert_ok(fixture_vault_make(room->io, target_sim_open(room->target), true, &room->vault, &note));
        fixture_disk_resize(&room->disk, 40 * MIB + 777);
        fixture_disk_write(&room->disk, 3, 5 * MIB, 1);
        fixture_disk_write(&room->disk, 20 * MIB + 5, 3 * MIB, 2);
        fixture_disk_write(&room->disk, 40 * MIB, 777, 3);
        room_put(room);
}

static inline void room_close(struct room *room) {
        point_fini(&room->point);
        fixture_disk_fini(&room->disk);
        images_fini(&room->images);
        vault_close(room->vault);
        target_sim_free(room->target);
        io_free(room->points);
        io_free(room->io);
}
DEFINE_AUTO_IN_PLACE(struct room, room_close);

#endif
