// SPDX-License-Identifier: Apache-2.0
#include "repair.h"

#include "prune.h"
#include "taints.h"
#include "verify_room.h"

/* A room whose packs are damaged, and that knows it. */
static void open_damaged(struct room *room) {
        AUTO(verify_report_fini) struct verify_report report = {0};
        const char *name;

        room_init(room, true, ROOM_CHUNKS);
        for (unsigned i = 0; (name = room_name(room, "packs/", i)); i++)
                assert_true(target_sim_flip(room->sim, name, 3000, 1));
        room_verify(room, NULL, &report);
        assert_int_equal(report.n_damaged_points, 1);
        room_reopen(room);
}

static struct repair_result repair(struct room *room, const struct fixture_disk *disk) {
        const struct put_source source = fixture_source((struct fixture_disk *)(uintptr_t)disk);
        const struct repair_options options = {.n_threads = 1};
        AUTO(point_fini) struct point point = {0};
        struct repair_result result;
        struct err_note note;

        assert_ok(points_get(room->vault, &room->point, &point, &note));
        assert_ok(repair_disk(room->vault, &options, &point.manifest.disks.data[0], &source, &result, &note));
        return result;
}

static void assert_damaged_points(struct room *room, unsigned n) {
        AUTO(verify_report_fini) struct verify_report report = {0};
        AUTO(points_fini) struct points points = {0};
        struct err_note note;

        room_reopen(room);
        room_verify(room, NULL, &report);
        assert_int_equal(report.n_damaged_points, n);
        assert_ok(points_list(room->vault, &points, &note));
        assert_int_equal(points.list.n, 1); /* no point was made of it */
}

static void what_has_the_content_heals_the_point(void **state) {
        AUTO(room_fini) struct room room;
        struct repair_result result;
        struct err_note note;

        (void)state;
        open_damaged(&room);
        result = repair(&room, &room.disk);
        assert_true(result.is_same);
        assert_in_range(result.stored, 1, room.disk.size / 2); /* of it, what is damaged */
        assert_damaged_points(&room, 0);
        assert_ok(fixture_check_disk(room.vault, &room.point, &room.disk, &note));
        assert_int_equal(repair(&room, &room.disk).stored, 0);
}

/* A damaged copy is no copy: what was stored anew is not superfluous. */
static void what_was_healed_no_prune_takes_away(void **state) {
        const struct prune_options options = {.keep = {.last = 5}, .fill = 50};
        AUTO(room_fini) struct room room;
        struct err_note note;

        (void)state;
        open_damaged(&room);
        assert_true(repair(&room, &room.disk).is_same);
        for (int i = 0; i < 2; i++) {
                AUTO(prune_free) struct prune *prune = NULL;
                bool is_done = false;

                room_reopen(&room);
                assert_ok(prune_begin(room.vault, &options, &prune, &note));
                while (!is_done)
                        assert_ok(prune_step(prune, &is_done, &note));
        }
        assert_damaged_points(&room, 0);
        assert_ok(fixture_check_disk(room.vault, &room.point, &room.disk, &note));
}

static void other_content_heals_nothing(void **state) {
        AUTO(room_fini) struct room room;
        AUTO(fixture_disk_fini) struct fixture_disk other = {0};
        struct repair_result result;

        (void)state;
        open_damaged(&room);
        fixture_disk_resize(&other, room.disk.size);
        result = repair(&room, &other);
        assert_false(result.is_same);
        fixture_disk_resize(&other, 1000);
        result = repair(&room, &other);
        assert_true(!result.is_same && result.stored == 0);
        assert_damaged_points(&room, 1);
}

static void chunks_of_another_size_are_refused(void **state) {
        AUTO(room_fini) struct room room;
        const struct repair_options options = {.n_threads = 1};
        const struct vault_disk disk = {.name = (char[]){"d"}, .chunk = 2 * FIXTURE_CHUNK};
        struct put_source source = {.size = 0};
        struct repair_result result;
        struct err_note note;

        (void)state;
        room_init(&room, true, 3);
        assert_err(repair_disk(room.vault, &options, &disk, &source, &result, &note), ERR_UNSUPPORTED,
                   "chunks of");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_has_the_content_heals_the_point),
                cmocka_unit_test(what_was_healed_no_prune_takes_away),
                cmocka_unit_test(other_content_heals_nothing),
                cmocka_unit_test(chunks_of_another_size_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
