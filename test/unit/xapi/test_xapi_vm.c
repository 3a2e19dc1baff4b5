// SPDX-License-Identifier: Apache-2.0
#include "house.h"

#include "vms.h"

enum { BLOCK = 2 << 20 };

static char *make_vm(struct house *house, const char *name) {
        return house_text(house, "VM.create",
                          json_pack("[{s:s, s:s, s:i, s:{s:s}, s:[]}]", "name_label", name,
                                    "name_description", "", "memory_static_max", 1 << 30, "other_config", "a",
                                    "b", "tags"));
}

static char *attach(struct house *house, const char *vm, const char *vdi, const char *device) {
        return house_text(house, "VBD.create",
                          json_pack("[{s:s, s:s, s:s, s:s, s:s, s:b}]", "VM", vm, "VDI", vdi, "userdevice",
                                    device, "mode", "RW", "type", "Disk", "empty", 0));
}

static void a_vm_has_disks(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vm = make_vm(house, "web");
        AUTO_FREE char *vdi = house_make_vdi(house, "root", BLOCK);
        AUTO_FREE char *vbd = NULL;

        assert_true(house_field_is(house, "VM", vm, "name_label", json_string("web")));
        assert_true(house_field_is(house, "VM", vm, "power_state", json_string("Halted")));
        assert_true(house_field_is(house, "VM", vm, "other_config", json_pack("{s:s}", "a", "b")));
        vbd = attach(house, vm, vdi, "0");
        assert_true(house_field_is(house, "VM", vm, "VBDs", json_pack("[s]", vbd)));
        assert_true(house_field_is(house, "VDI", vdi, "VBDs", json_pack("[s]", vbd)));
        assert_string_equal(json_string_value(json_array_get(
                                    house_ok(house, "VM.get_allowed_VBD_devices", json_pack("[s]", vm)), 0)),
                            "1");
        house_fails(house, "VBD.create",
                    json_pack("[{s:s, s:s, s:s}]", "VM", vm, "VDI", vdi, "userdevice", "0"),
                    "DEVICE_ALREADY_EXISTS", NULL);
        (void)house_ok(house, "VBD.set_mode", json_pack("[s, s]", vbd, "RO"));
        (void)house_ok(house, "VBD.destroy", json_pack("[s]", vbd));
        assert_true(house_field_is(house, "VM", vm, "VBDs", json_array()));
        assert_true(house_field_is(house, "VDI", vdi, "VBDs", json_array()));
        (void)house_ok(house, "VM.destroy", json_pack("[s]", vm));
        house_fails(house, "VM.destroy", json_pack("[s]", vm), "HANDLE_INVALID", "VM");
        (void)house_ok(house, "VDI.get_record", json_pack("[s]", vdi));
}

static void a_disk_that_is_deleted_leaves_its_vm(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vm = make_vm(house, "web");
        AUTO_FREE char *vdi = house_make_vdi(house, "root", BLOCK);
        AUTO_FREE char *vbd = attach(house, vm, vdi, "0");

        (void)house_ok(house, "VDI.destroy", json_pack("[s]", vdi));
        assert_true(house_field_is(house, "VM", vm, "VBDs", json_array()));
        house_fails(house, "VBD.get_record", json_pack("[s]", vbd), "HANDLE_INVALID", "VBD");
}

static void a_snapshot_has_snapshots_of_all_disks_but_those_left_out(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vm = make_vm(house, "web");
        AUTO_FREE char *root = house_make_vdi(house, "root", BLOCK);
        AUTO_FREE char *data = house_make_vdi(house, "data", BLOCK);
        AUTO_FREE char *a = attach(house, vm, root, "0");
        AUTO_FREE char *b = attach(house, vm, data, "1");
        AUTO_FREE char *whole = NULL;
        AUTO_FREE char *part = NULL;
        AUTO(json_decref) json_t *vbds = NULL;
        AUTO(json_decref) json_t *some = NULL;
        AUTO(json_decref) json_t *vdi = NULL;

        (void)house_ok(house, "VDI.add_to_other_config", json_pack("[s, s, s]", root, "k", "v"));
        whole = house_text(house, "VM.snapshot", json_pack("[s, s]", vm, "snap"));
        assert_true(house_field_is(house, "VM", whole, "is_a_snapshot", json_true()));
        assert_true(house_field_is(house, "VM", whole, "snapshot_of", json_string(vm)));
        assert_true(house_field_is(house, "VM", whole, "name_label", json_string("snap")));
        assert_true(house_field_is(house, "VM", vm, "snapshots", json_pack("[s]", whole)));
        vbds = house_field(house, "VM", whole, "VBDs");
        assert_int_equal(json_array_size(vbds), 2);
        vdi = house_field(house, "VBD", json_string_value(json_array_get(vbds, 0)), "VDI");
        assert_true(house_field_is(house, "VDI", json_string_value(vdi), "is_a_snapshot", json_true()));
        assert_true(house_field_is(house, "VDI", json_string_value(vdi), "VBDs",
                                   json_pack("[s]", json_string_value(json_array_get(vbds, 0)))));
        part = house_text(house, "VM.snapshot", json_pack("[s, s, [s]]", vm, "part", data));
        some = house_field(house, "VM", part, "VBDs");
        assert_int_equal(json_array_size(some), 1);
        (void)house_ok(house, "VM.revert", json_pack("[s]", whole));
}

static void clones_and_copies_are_vms_of_their_own(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vm = make_vm(house, "web");
        AUTO_FREE char *root = house_make_vdi(house, "root", BLOCK);
        AUTO_FREE char *vbd = attach(house, vm, root, "0");
        AUTO_FREE char *two = house_sr(house, 1);
        AUTO_FREE char *clone = house_text(house, "VM.clone", json_pack("[s, s]", vm, "twin"));
        AUTO_FREE char *copy = house_text(house, "VM.copy", json_pack("[s, s, s]", vm, "other", two));
        AUTO(json_decref) json_t *vbds = house_field(house, "VM", copy, "VBDs");
        AUTO(json_decref)
        json_t *vdi = house_field(house, "VBD", json_string_value(json_array_get(vbds, 0)), "VDI");

        assert_true(house_field_is(house, "VM", clone, "is_a_snapshot", json_false()));
        assert_true(house_field_is(house, "VM", clone, "name_label", json_string("twin")));
        assert_true(house_field_is(house, "VDI", json_string_value(vdi), "SR", json_string(two)));
}

static void what_is_blocked_is_not_done(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vm = make_vm(house, "web");

        (void)house_ok(house, "VM.add_to_blocked_operations", json_pack("[s, s, s]", vm, "destroy", "mine"));
        house_fails(house, "VM.destroy", json_pack("[s]", vm), "OPERATION_BLOCKED", vm);
        house_fails(house, "VM.assert_operation_valid", json_pack("[s, s]", vm, "destroy"),
                    "OPERATION_BLOCKED", vm);
        (void)house_ok(house, "VM.update_allowed_operations", json_pack("[s]", vm));
        (void)house_ok(house, "VM.remove_from_blocked_operations", json_pack("[s, s]", vm, "destroy"));
        (void)house_ok(house, "VM.assert_operation_valid", json_pack("[s, s]", vm, "destroy"));
        (void)house_ok(house, "VM.destroy", json_pack("[s]", vm));
}

static void nothing_is_run_here(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vm = make_vm(house, "web");
        AUTO_FREE char *vdi = house_make_vdi(house, "root", BLOCK);
        AUTO_FREE char *vbd = attach(house, vm, vdi, "0");
        struct err_note note = {0};
        struct uuid uuid;

        house_fails(house, "VM.start", json_pack("[s, b, b]", vm, 0, 0), "OPERATION_NOT_ALLOWED", NULL);
        house_fails(house, "VM.hard_shutdown", json_pack("[s]", vm), "VM_BAD_POWER_STATE", vm);
        house_fails(house, "VM.checkpoint", json_pack("[s, s]", vm, "c"), "VM_BAD_POWER_STATE", vm);
        house_fails(house, "VBD.plug", json_pack("[s]", vbd), "OPERATION_NOT_ALLOWED", NULL);
        house_fails(house, "VBD.unplug", json_pack("[s]", vbd), "DEVICE_ALREADY_DETACHED", vbd);
        assert_true(xapi_ref_parse(vm, &uuid));
        assert_ok(vms_set_power_state(&house->host, &uuid, "Running", &note));
        house_fails(house, "VM.checkpoint", json_pack("[s, s]", vm, "c"), "OPERATION_NOT_ALLOWED", NULL);
        (void)house_ok(house, "VM.power_state_reset", json_pack("[s]", vm));
}

/* As if nothing that clients said of it had ever been kept. */
static void forget_vdi(struct house *house, const char *vdi) {
        struct objects_change *change;
        struct err_note note = {0};
        struct uuid uuid;

        assert_true(xapi_ref_parse(vdi, &uuid));
        objects_begin(house->host.objects, &change);
        assert_true(objects_remove(change, XAPI_VDI, &uuid));
        assert_ok(objects_commit(change, NULL, &note));
}

static void a_vm_has_its_disks_after_a_restart(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vm = make_vm(house, "web");
        AUTO_FREE char *vdi = house_make_vdi(house, "root", BLOCK);
        AUTO_FREE char *vbd = attach(house, vm, vdi, "0");

        forget_vdi(house, vdi);
        house_stop(house);
        memset(&house->call, 0, sizeof house->call);
        house_start(house);
        assert_true(house_field_is(house, "VM", vm, "VBDs", json_pack("[s]", vbd)));
        assert_true(house_field_is(house, "VDI", vdi, "VBDs", json_pack("[s]", vbd)));
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, house_set_up, house_tear_down)
        const struct CMUnitTest tests[] = {
                CASE(a_vm_has_disks),
                CASE(a_disk_that_is_deleted_leaves_its_vm),
                CASE(a_snapshot_has_snapshots_of_all_disks_but_those_left_out),
                CASE(clones_and_copies_are_vms_of_their_own),
                CASE(what_is_blocked_is_not_done),
                CASE(nothing_is_run_here),
                CASE(a_vm_has_its_disks_after_a_restart),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
