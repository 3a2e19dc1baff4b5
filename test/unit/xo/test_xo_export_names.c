// SPDX-License-Identifier: Apache-2.0
#include "xo_export_names.h"

#include <string.h>

#include "check.h"
#include "json_text.h"
#include "xo_meta.h"

#define VM  "5f2e3f5e-9bd9-4c5a-8d3c-0d1f6b8f2a01"
#define VDI "11111111-2222-4333-8444-555555555555"

struct place {
        struct vault vault;
        struct point point;
        struct vault_disk disks[2];
};

static char web[] = "web", raw[] = "a.raw", other_raw[] = "b.raw", vdi_name[] = VDI;

static void open_place(struct place *place) {
        *place = (struct place){.vault.config.id = {{1}}, .point.name = {{2}}};
        place->point.manifest.name = web;
        place->point.manifest.time = 1767232800;
        place->disks[0] = (struct vault_disk){.name = raw, .size = 1000, .chunk = 65536};
        place->disks[1] = (struct vault_disk){.name = vdi_name, .size = 2000, .chunk = 65536};
        place->point.manifest.disks.data = place->disks;
        place->point.manifest.disks.n = 2;
}

static void uuids_are_the_same_each_time_and_no_others(void **state) {
        struct place place, other;
        struct xo_names names, again;
        struct uuid vdi, vhd, of_other, vdi_of_name;

        (void)state;
        open_place(&place);
        open_place(&other);
        other.point.name.b[0] = 3;
        xo_names_of(&place.vault, &place.point, &names);
        xo_names_of(&other.vault, &other.point, &again);
        assert_memory_equal(&names, &again, sizeof names); /* points of one name are of one VM */
        vdi = xo_names_vdi(&names, &place.disks[0]);
        vdi_of_name = xo_names_vdi(&names, &place.disks[1]);
        assert_string_equal(uuid_format(&vdi_of_name).s, VDI);
        assert_false(uuid_equal(&vdi, &vdi_of_name));
        vhd = xo_names_vhd(&place.vault, &place.point, &place.disks[0]);
        of_other = xo_names_vhd(&other.vault, &other.point, &other.disks[0]);
        assert_false(uuid_equal(&vhd, &of_other));
        other.vault.config.id.b[0] = 9;
        xo_names_of(&other.vault, &other.point, &again);
        assert_false(uuid_equal(&names.vm, &again.vm) || uuid_equal(&names.job, &again.job));
}

static void what_a_point_knows_of_its_vm_is_used(void **state) {
        AUTO(json_decref) json_t *vm = json_pack("{s:s, s:s}", "uuid", VM, "name_label", "db");
        AUTO(json_decref) json_t *source = json_pack("{s:{s:s}, s:s}", "xo", "vdi", VDI, "label", "root");
        AUTO(json_decref) json_t *json = NULL;
        AUTO(xo_meta_fini) struct xo_meta read = {0};
        AUTO(buf_fini) struct buf text = {0};
        const bool are_children[2] = {true, false};
        struct place place;
        struct xo_export_meta meta;
        struct err_note note;

        (void)state;
        open_place(&place);
        place.point.manifest.vm = vm;
        place.disks[0].source = source;
        place.disks[1].name = other_raw;
        meta = (struct xo_export_meta){.vault = &place.vault,
                                       .point = &place.point,
                                       .when = "20260101T020000Z",
                                       .are_children = are_children};
        xo_names_of(&place.vault, &place.point, &meta.names);
        json = xo_export_meta(&meta);
        assert_non_null(json);
        assert_ok(json_text_encode(json, 0, &text, &note));
        assert_ok(xo_meta_decode((struct span){text.data, text.n}, &read, &note));
        assert_string_equal(uuid_format(&read.vm_uuid).s, VM);
        assert_string_equal(read.vm_name, "db");
        assert_int_equal(read.time, 1767232800000);
        assert_int_equal(read.disks.n, 2);
        assert_string_equal(read.origin, "01000000000000000000000000000000/02000000000000000000000000000000");
        for (size_t i = 0; i < 2; i++)
                if (strcmp(read.disks.data[i].vdi, VDI) == 0)
                        assert_string_equal(read.disks.data[i].label, "root");
}

static void times_are_names(void **state) {
        AUTO_FREE char *name = xo_names_time(1767232800);

        (void)state;
        assert_string_equal(name, "20260101T020000Z");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(uuids_are_the_same_each_time_and_no_others),
                cmocka_unit_test(what_a_point_knows_of_its_vm_is_used),
                cmocka_unit_test(times_are_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
