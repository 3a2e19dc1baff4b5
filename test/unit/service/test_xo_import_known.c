// SPDX-License-Identifier: Apache-2.0
#include "xo_import_known.h"

#include "check.h"
#include "fixture_vault.h"
#include "fixture_xo.h"
#include "io_sim.h"
#include "json_text.h"
#include "mem.h"
#include "put.h"
#include "taints.h"
#include "target_sim.h"

struct place {
        struct io *io;              /* owned */
        struct target_sim *target;  /* owned */
        struct vault *vault;        /* owned */
        struct fixture_disk disk;   /* owned */
        struct xo_point point;      /* its parts are texts of ours */
        struct xo_meta_disk of;     /* likewise */
        struct vault_name imported; /* the point that says where it came from */
};

static void put(struct place *place, const json_t *about, struct vault_name *ret) {
        const struct put_options options = {.name = "vm", .time = 1000};
        struct put_disk disk = {
                .name = FIXTURE_XO_VDI, .source = fixture_source(&place->disk), .about = about};
        struct put *put;
        struct err_note note;

        assert_ok(put_begin(place->vault, &options, &put, &note));
        assert_ok(put_disk(put, &disk, &note));
        assert_ok(put_commit(put, ret, NULL, &note));
}

static char point_name[] = "20260101T020000Z", vdi_name[] = FIXTURE_XO_VDI, label[] = "root";

static void open_place(struct place *place) {
        const struct uuid vhd = fixture_xo_uuid(1);
        AUTO(json_decref) json_t *about = NULL;
        struct vault_name other;
        struct err_note note;

        place->io = io_sim_new(1, 0);
        place->target = target_sim_new(1);
        place->point = (struct xo_point){.name = point_name};
        assert_true(uuid_parse(FIXTURE_XO_VM, &place->point.meta.vm_uuid));
        place->of = (struct xo_meta_disk){.vdi = vdi_name, .label = label};
        assert_ok(fixture_vault_make(place->io, target_sim_open(place->target), true, &place->vault, &note));
        fixture_disk_resize(&place->disk, 1000);
        about = xo_known_about(&place->point, &place->of, &vhd);
        assert_non_null(about);
        put(place, about, &place->imported);
        put(place, NULL, &other);
}

static void close_place(struct place *place) {
        fixture_disk_fini(&place->disk);
        vault_close(place->vault);
        target_sim_free(place->target);
        io_free(place->io);
}
DEFINE_AUTO_IN_PLACE(struct place, close_place);

static void points_are_known_by_what_their_disks_say(void **state) {
        AUTO(close_place) struct place place = {0};
        struct xo_known known = {0};
        const struct xo_known_point *found;
        const struct uuid *vm = &place.point.meta.vm_uuid, first = fixture_xo_uuid(1), none = {0},
                          second = fixture_xo_uuid(2);
        struct err_note note;

        (void)state;
        open_place(&place);
        assert_ok(xo_known_read(place.vault, &known, &note));
        assert_int_equal(known.list.n, 1);
        found = xo_known_find(&known, vm, "20260101T020000Z");
        assert_non_null(found);
        assert_memory_equal(&found->name, &place.imported, sizeof found->name);
        assert_null(xo_known_find(&known, vm, "20260102T020000Z"));
        assert_null(xo_known_find(&known, &first, "20260101T020000Z"));
        assert_true(xo_known_has(found, vm, FIXTURE_XO_VDI, &first));
        assert_false(xo_known_has(found, vm, FIXTURE_XO_VDI, &second));
        assert_false(xo_known_has(found, vm, "another", &first));
        assert_false(xo_known_has(found, &first, FIXTURE_XO_VDI, &first));
        assert_false(xo_known_has(found, vm, FIXTURE_XO_VDI, &none));
        xo_known_fini(&known);
}

static void one_that_is_damaged_is_not_found(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(vault_taint_fini) struct vault_taint nothing = {0};
        AUTO(vault_taint_fini) struct vault_taint taint = {0};
        struct xo_known known = {0};
        struct err_note note;

        (void)state;
        open_place(&place);
        *vec_add(&taint.points) = place.imported;
        assert_ok(taints_replace(place.vault, &nothing, &taint, &note));
        assert_ok(xo_known_read(place.vault, &known, &note));
        assert_null(xo_known_find(&known, &place.point.meta.vm_uuid, "20260101T020000Z"));
        xo_known_fini(&known);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(points_are_known_by_what_their_disks_say),
                cmocka_unit_test(one_that_is_damaged_is_not_found),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
