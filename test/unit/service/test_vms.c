// SPDX-License-Identifier: Apache-2.0
#include "vms_kit.h"

static struct err_note note; /* of the last call */

struct fixture {
        struct io *io; /* owned */
        struct kit kit;
        struct uuid a, b, vm; /* "web": disk 0 a, in /one, disk 1 b, in /two */
};

static int set_up(void **state) {
        struct fixture *f = calloc(1, sizeof *f);
        struct vms_disk disks[2] = {{.is_bootable = true}};
        const struct vms_options options = {.name = "web", .disks = disks, .n_disks = 2};

        f->io = io_sim_new(1, 0);
        assert_ok(kit_make(f->io, &note));
        assert_ok(kit_open(f->io, &f->kit, &note));
        assert_ok(kit_disk(&f->kit, 0, "a", "A.", &f->a, &note));
        assert_ok(kit_disk(&f->kit, 1, "b", "B.", &f->b, &note));
        disks[0].vdi = f->a;
        disks[1].vdi = f->b;
        assert_ok(vms_create(&f->kit.host, &options, &f->vm, &note));
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        struct fixture *f = *state;

        kit_close(&f->kit);
        io_free(f->io);
        free(f);
        return 0;
}

static json_t *record(struct fixture *f, const struct uuid *vm) {
        json_t *it = objects_get(f->kit.objects, XAPI_VM, vm);

        assert_non_null(it);
        return it;
}

static const char *text(const json_t *object, const char *field) {
        return json_string_value(json_object_get(object, field));
}

#define assert_text(f, vm, field, is)                                                                        \
        do {                                                                                                 \
                json_t *asserted = record(f, vm);                                                            \
                assert_string_equal(text(asserted, field), is);                                              \
                json_decref(asserted);                                                                       \
        } while (0)

static void assert_reads(struct fixture *f, const struct uuid *vm, const char *device, const char *letters) {
        struct uuid vdi = kit_disk_of(&f->kit, vm, device);
        char is[KIT_BLOCKS + 1];

        assert_ok(kit_read(&f->kit, &vdi, is, &note));
        assert_string_equal(is, letters);
}

static struct uuid snapshot(struct fixture *f, const char *name) {
        const struct vms_request request = {.vm = f->vm, .name = name};
        struct uuid made;

        assert_ok(vms_snapshot(&f->kit.host, &request, &made, &note));
        return made;
}

static void fill(struct fixture *f, size_t sr, const struct uuid *vdi, const char *letters) {
        assert_ok(kit_fill(f->kit.srs[sr].sr, vdi, letters, &note));
}

/* ---- records ---- */

static void a_vm_has_its_disks_in_order(void **state) {
        struct fixture *f = *state;
        struct uuid vdi = kit_disk_of(&f->kit, &f->vm, "0");
        json_t *its = record(f, &f->vm), *free_ones = vms_free_devices(&f->kit.host, &f->vm), *vbds;

        assert_true(uuid_equal(&vdi, &f->a));
        vdi = kit_disk_of(&f->kit, &f->vm, "1");
        assert_true(uuid_equal(&vdi, &f->b));
        assert_string_equal(text(its, "name_label"), "web");
        assert_string_equal(text(its, "power_state"), "Halted");
        assert_string_equal(json_string_value(json_array_get(free_ones, 0)), "2");
        vbds = vms_vbds_of_vdi(f->kit.objects, &f->a);
        assert_true(json_equal(json_array_get(vbds, 0), json_array_get(json_object_get(its, "VBDs"), 0)));
        json_decref(vbds);
        json_decref(free_ones);
        json_decref(its);
}

static void fields_are_taken_but_for_what_is_the_host_s(void **state) {
        struct fixture *f = *state;
        json_t *fields = json_pack("{s:s, s:s, s:[s], s:i, s:s}", "name_label", "db", "power_state",
                                   "Running", "VBDs", "OpaqueRef:x", "memory_static_max", 4096, "uuid", "no");
        const struct vms_options options = {.fields = fields};
        struct uuid vm;
        json_t *its;

        assert_ok(vms_create(&f->kit.host, &options, &vm, &note));
        its = record(f, &vm);
        assert_string_equal(text(its, "name_label"), "db");
        assert_string_equal(text(its, "power_state"), "Halted");
        assert_string_equal(text(its, "uuid"), uuid_format(&vm).s);
        assert_int_equal(json_array_size(json_object_get(its, "VBDs")), 0);
        assert_int_equal(json_integer_value(json_object_get(its, "memory_static_max")), 4096);
        json_decref(its);
        json_decref(fields);
}

static void disks_come_and_go(void **state) {
        struct fixture *f = *state;
        struct uuid c, vbd, none = {{9}};
        struct vms_disk disk;

        assert_ok(kit_disk(&f->kit, 0, "c", "C", &c, &note));
        disk = (struct vms_disk){.vdi = c, .userdevice = "1"};
        assert_err(vms_attach(&f->kit.host, &f->vm, &disk, &vbd, &note), ERR_EXISTS, "disk 1 already");
        disk.userdevice = "x";
        assert_err(vms_attach(&f->kit.host, &f->vm, &disk, &vbd, &note), ERR_INVALID, "no userdevice");
        disk.userdevice = NULL;
        assert_err(vms_attach(&f->kit.host, &none, &disk, &vbd, &note), ERR_NOT_FOUND, "no VM");
        assert_ok(vms_attach(&f->kit.host, &f->vm, &disk, &vbd, &note));
        assert_reads(f, &f->vm, "2", "C.");
        assert_ok(vms_detach(&f->kit.host, &f->vm, &f->a, &note));
        assert_err(vms_detach(&f->kit.host, &f->vm, &f->a, &note), ERR_NOT_FOUND, "no disk of VM web");
        assert_ok(vms_attach(&f->kit.host, &f->vm, &disk, &vbd, &note));
        assert_reads(f, &f->vm, "0", "C.");
        assert_int_equal(kit_n_vdis(&f->kit), 3);
        disk.vdi = none;
        assert_err(vms_attach(&f->kit.host, &f->vm, &disk, &vbd, &note), ERR_NOT_FOUND, "no VDI");
}

static void a_power_state_is_a_note_of_what_somebody_did(void **state) {
        struct fixture *f = *state;
        struct uuid s;

        f->kit.host.uuid = (struct uuid){{5}};
        assert_ok(vms_set_power_state(&f->kit.host, &f->vm, "Running", &note));
        assert_text(f, &f->vm, "resident_on", xapi_ref_of(&f->kit.host.uuid).s);
        assert_err(vms_destroy(&f->kit.host, &f->vm, false, &note), ERR_INVALID, "web is Running");
        assert_err(vms_detach(&f->kit.host, &f->vm, &f->a, &note), ERR_BUSY, "that runs");
        s = snapshot(f, NULL);
        assert_err(vms_set_power_state(&f->kit.host, &s, "Running", &note), ERR_INVALID, "snapshot");
        assert_err(vms_set_power_state(&f->kit.host, &f->vm, "On", &note), ERR_INVALID, "Halted");
        assert_ok(vms_set_power_state(&f->kit.host, &f->vm, "Halted", &note));
        assert_text(f, &f->vm, "resident_on", XAPI_NULL_REF);
        assert_ok(vms_destroy(&f->kit.host, &f->vm, false, &note));
        assert_int_equal(kit_n_vdis(&f->kit), 4);
}

static void a_vm_is_deleted_with_those_disks_that_no_other_has(void **state) {
        struct fixture *f = *state;
        const struct vms_disk shared = {.vdi = f->b};
        const struct vms_options options = {.name = "db", .disks = &shared, .n_disks = 1};
        struct uuid other;

        assert_ok(vms_create(&f->kit.host, &options, &other, &note));
        assert_ok(vms_destroy(&f->kit.host, &f->vm, true, &note));
        assert_null(objects_get(f->kit.objects, XAPI_VM, &f->vm));
        assert_int_equal(objects_count(f->kit.objects, XAPI_VBD), 1);
        assert_int_equal(objects_count(f->kit.objects, XAPI_VM_METRICS), 1);
        assert_int_equal(kit_n_vdis(&f->kit), 1);
        assert_reads(f, &other, "0", "B.");
        assert_err(vms_destroy(&f->kit.host, &f->vm, true, &note), ERR_NOT_FOUND, "no VM");
}

static void vms_are_found_by_a_name_that_one_has(void **state) {
        struct fixture *f = *state;
        struct uuid found, other;

        assert_ok(vms_find(&f->kit.host, "web", &found, &note));
        assert_true(uuid_equal(&found, &f->vm));
        assert_ok(vms_find(&f->kit.host, uuid_format(&f->vm).s, &found, &note));
        assert_ok(vms_create(&f->kit.host, &(struct vms_options){.name = "web"}, &other, &note));
        assert_err(vms_find(&f->kit.host, "web", &found, &note), ERR_INVALID, "two VMs");
        assert_err(vms_find(&f->kit.host, "x", &found, &note), ERR_NOT_FOUND, "\"x\"");
}

static void what_is_blocked_is_not_done(void **state) {
        struct fixture *f = *state;
        const struct vms_request request = {.vm = f->vm};
        struct objects_change *change;
        struct uuid made;

        objects_begin(f->kit.objects, &change);
        assert_true(objects_set(change, XAPI_VM, &f->vm, "blocked_operations",
                                json_pack("{s:s, s:s}", "snapshot", "not now", "destroy", "never")));
        assert_ok(objects_commit(change, NULL, &note));
        assert_err(vms_snapshot(&f->kit.host, &request, &made, &note), ERR_DENIED, "not now");
        assert_err(vms_destroy(&f->kit.host, &f->vm, true, &note), ERR_DENIED, "never");
        assert_err(vms_check_blocked(&f->kit.host, &f->vm, "destroy", &note), ERR_DENIED, "never");
        assert_ok(vms_clone(&f->kit.host, &request, &made, &note));
        assert_int_equal(kit_n_vdis(&f->kit), 4);
}

/* ---- snapshot ---- */

static void a_snapshot_is_a_vm_of_snapshots(void **state) {
        struct fixture *f = *state;
        struct uuid s = snapshot(f, "monday"), t, vdi = kit_disk_of(&f->kit, &s, "1");
        json_t *its = record(f, &s);
        const struct vdi *disk = sr_get_vdi(f->kit.srs[1].sr, &vdi);

        assert_non_null(disk);
        assert_true(disk->row.is_snapshot);
        assert_string_equal(disk->row.name, "b");
        assert_string_equal(text(its, "name_label"), "monday");
        assert_string_equal(text(its, "snapshot_of"), xapi_ref_of(&f->vm).s);
        assert_true(json_is_true(json_object_get(its, "is_a_snapshot")));
        json_decref(its);
        assert_text(f, &f->vm, "parent", xapi_ref_of(&s).s);
        t = snapshot(f, NULL);
        assert_text(f, &t, "parent", xapi_ref_of(&s).s);
        assert_text(f, &t, "name_label", "web");
        its = record(f, &s);
        assert_int_equal(json_array_size(json_object_get(its, "children")), 1);
        json_decref(its);
        its = record(f, &f->vm);
        assert_int_equal(json_array_size(json_object_get(its, "snapshots")), 2);
        assert_int_equal(json_object_size(json_object_get(its, "current_operations")), 0);
        json_decref(its);
        assert_ok(vms_destroy(&f->kit.host, &t, true, &note));
        assert_text(f, &f->vm, "parent", xapi_ref_of(&s).s);
        fill(f, 0, &f->a, "X");
        assert_reads(f, &s, "0", "A.");
        assert_err(vms_snapshot(&f->kit.host, &(struct vms_request){.vm = s}, &t, &note), ERR_INVALID,
                   "snapshot itself");
}

static void a_disk_is_left_out_where_it_is_to_be(void **state) {
        struct fixture *f = *state;
        const struct vms_request request = {.vm = f->vm, .ignore = &f->b, .n_ignore = 1};
        struct uuid made, vdi;

        assert_ok(vms_snapshot(&f->kit.host, &request, &made, &note));
        assert_reads(f, &made, "0", "A.");
        vdi = kit_disk_of(&f->kit, &made, "1");
        assert_true(uuid_is_null(&vdi));
        assert_int_equal(kit_n_vdis(&f->kit), 3);
}

/* Both SRs stand still before the first is cut; where the second cannot be, nothing of the first stays. */
static void where_one_disk_cannot_be_snapshotted_none_is(void **state) {
        struct fixture *f = *state;
        const struct vms_request request = {.vm = f->vm};
        unsigned max_depth = 1;
        struct uuid made;

        assert_ok(sr_set(f->kit.srs[1].sr, &(struct sr_settings){.max_depth = &max_depth}, &note));
        assert_err(vms_snapshot(&f->kit.host, &request, &made, &note), ERR_TOO_LARGE, "max-depth");
        assert_int_equal(kit_n_vdis(&f->kit), 2);
        assert_int_equal(objects_count(f->kit.objects, XAPI_VM), 1);
        max_depth = 0;
        assert_ok(sr_set(f->kit.srs[1].sr, &(struct sr_settings){.max_depth = &max_depth}, &note));
        assert_ok(vms_snapshot(&f->kit.host, &request, &made, &note));
}

struct order {
        bool did_link, is_late; /* something was prepared after the first cut */
};

static void note_order(void *user, const char *verb, const char *path) {
        struct order *order = user;
        const char *dot = strrchr(path, '.');

        order->did_link |= strcmp(verb, "link") == 0;
        order->is_late |= order->did_link && strcmp(verb, "create") == 0 && dot && strcmp(dot, ".new") == 0;
}

static void both_srs_stand_still_before_the_first_is_cut(void **state) {
        struct fixture *f = *state;
        struct order order = {false, false};

        io_sim_set_watch(f->io, note_order, &order);
        (void)snapshot(f, "s");
        io_sim_set_watch(f->io, NULL, NULL);
        assert_true(order.did_link);
        assert_false(order.is_late);
}

/* ---- clone, copy ---- */

static void a_clone_goes_its_own_way(void **state) {
        struct fixture *f = *state;
        struct uuid s = snapshot(f, "s"), clone, vdi;
        const struct vms_request request = {.vm = f->vm, .name = "web2"}, of_snapshot = {.vm = s};

        fill(f, 0, &f->a, "X");
        assert_ok(vms_clone(&f->kit.host, &request, &clone, &note));
        assert_reads(f, &clone, "0", "X.");
        assert_text(f, &clone, "name_label", "web2");
        assert_text(f, &clone, "parent", XAPI_NULL_REF);
        vdi = kit_disk_of(&f->kit, &clone, "0");
        fill(f, 0, &vdi, "Y");
        assert_reads(f, &f->vm, "0", "X.");
        assert_ok(vms_clone(&f->kit.host, &of_snapshot, &clone, &note));
        assert_reads(f, &clone, "0", "A.");
        assert_text(f, &clone, "snapshot_of", XAPI_NULL_REF);
        assert_ok(vms_set_power_state(&f->kit.host, &f->vm, "Running", &note));
        assert_err(vms_clone(&f->kit.host, &request, &clone, &note), ERR_INVALID, "web is Running");
        assert_err(vms_copy(&f->kit.host, &request, &clone, &note), ERR_INVALID, "web is Running");
}

static void a_copy_goes_where_it_is_told(void **state) {
        struct fixture *f = *state;
        struct vms_request request = {.vm = f->vm, .name = "copy", .sr = f->kit.srs[1].uuid};
        struct uuid copy, vdi;

        assert_ok(vms_copy(&f->kit.host, &request, &copy, &note));
        assert_reads(f, &copy, "0", "A.");
        assert_reads(f, &copy, "1", "B.");
        vdi = kit_disk_of(&f->kit, &copy, "0");
        assert_non_null(sr_get_vdi(f->kit.srs[1].sr, &vdi));
        assert_int_equal(sr_get_vdi(f->kit.srs[1].sr, &vdi)->node->depth, 1);
        request.sr = (struct uuid){{0}};
        assert_ok(vms_copy(&f->kit.host, &request, &copy, &note));
        vdi = kit_disk_of(&f->kit, &copy, "0");
        assert_non_null(sr_get_vdi(f->kit.srs[0].sr, &vdi));
        request.sr = (struct uuid){{9}};
        assert_err(vms_copy(&f->kit.host, &request, &copy, &note), ERR_NOT_FOUND, "no SR");
}

static void a_copy_that_is_stopped_leaves_nothing(void **state) {
        struct fixture *f = *state;
        atomic_bool stops = true;
        struct progress progress = {.io = f->io, .is_cancelled = &stops};
        const struct vms_request request = {.vm = f->vm, .progress = &progress};
        struct uuid copy;

        assert_err(vms_copy(&f->kit.host, &request, &copy, &note), ERR_CANCELLED, "");
        assert_int_equal(kit_n_vdis(&f->kit), 2);
        assert_int_equal(objects_count(f->kit.objects, XAPI_VM), 1);
}

/* ---- revert ---- */

static void revert_gives_the_disks_and_settings_of_the_snapshot(void **state) {
        struct fixture *f = *state;
        struct objects_change *change;
        struct vms_disk disk = {{{0}}, NULL, false, false};
        struct uuid s, vdi, vbd;

        s = snapshot(f, "s");
        fill(f, 0, &f->a, "XX");
        fill(f, 1, &f->b, "YY");
        assert_ok(kit_disk(&f->kit, 0, "c", "C", &disk.vdi, &note));
        assert_ok(vms_attach(&f->kit.host, &f->vm, &disk, &vbd, &note));
        objects_begin(f->kit.objects, &change);
        assert_true(objects_set(change, XAPI_VM, &f->vm, "memory_static_max", json_integer(77)));
        assert_true(objects_set(change, XAPI_VM, &f->vm, "name_label", json_string("renamed")));
        assert_ok(objects_commit(change, NULL, &note));
        assert_ok(vms_revert(&f->kit.host, &s, &note));
        vdi = kit_disk_of(&f->kit, &f->vm, "0");
        assert_true(uuid_equal(&vdi, &f->a));
        assert_reads(f, &f->vm, "0", "A.");
        assert_reads(f, &f->vm, "1", "B.");
        vdi = kit_disk_of(&f->kit, &f->vm, "2");
        assert_true(uuid_is_null(&vdi));
        assert_text(f, &f->vm, "name_label", "renamed");
        assert_text(f, &f->vm, "parent", xapi_ref_of(&s).s);
        assert_text(f, &f->vm, "snapshot_of", XAPI_NULL_REF);
        assert_int_equal(kit_n_vdis(&f->kit), 5);
        assert_reads(f, &s, "0", "A.");
        assert_err(vms_revert(&f->kit.host, &f->vm, &note), ERR_INVALID, "no snapshot");
}

static void a_disk_that_is_gone_is_cloned_from_the_snapshot(void **state) {
        struct fixture *f = *state;
        struct uuid s = snapshot(f, "s"), vdi;

        assert_ok(vms_detach(&f->kit.host, &f->vm, &f->a, &note));
        assert_ok(sr_vdi_delete(f->kit.srs[0].sr, &f->a, &note));
        assert_ok(vms_revert(&f->kit.host, &s, &note));
        vdi = kit_disk_of(&f->kit, &f->vm, "0");
        assert_false(uuid_equal(&vdi, &f->a));
        assert_reads(f, &f->vm, "0", "A.");
        assert_false(sr_get_vdi(f->kit.srs[0].sr, &vdi)->row.is_snapshot);
}

static void an_open_disk_keeps_all_from_being_reverted(void **state) {
        struct fixture *f = *state;
        struct uuid s = snapshot(f, "s");
        struct chain *chain;

        fill(f, 0, &f->a, "X");
        assert_ok(sr_open_chain(f->kit.srs[1].sr, &f->b, CHAIN_WRITE, &chain, &note));
        assert_err(vms_revert(&f->kit.host, &s, &note), ERR_BUSY, "before you revert it");
        assert_ok(sr_close_chain(f->kit.srs[1].sr, chain, &note));
        assert_reads(f, &f->vm, "0", "X.");
}

/* ---- the command's words ---- */

static json_t *call(struct fixture *f, const char *verb, json_t *params) {
        json_t *result = NULL;

        assert_ok(host_call(&f->kit.host, "vm", verb, params, NULL, &result, &note));
        return result;
}

static void the_verbs_say_the_same(void **state) {
        struct fixture *f = *state;
        json_t *made = call(f, "create", json_pack("{s:s, s:[s]}", "name", "db", "disk", "a"));
        json_t *shown, *list;

        json_decref(call(f, "attach", json_pack("{s:s, s:s, s:b}", "vm", "db", "vdi", "b", "read-only", 1)));
        shown = call(f, "show", json_pack("{s:s}", "vm", text(made, "uuid")));
        assert_int_equal(json_array_size(json_object_get(shown, "vbds")), 2);
        json_decref(shown);
        json_decref(call(f, "snapshot", json_pack("{s:s, s:s}", "vm", "db", "name", "s")));
        json_decref(call(f, "copy", json_pack("{s:s, s:s, s:s}", "vm", "s", "name", "c", "to", "/two")));
        json_decref(call(f, "clone", json_pack("{s:s, s:s}", "vm", "s", "name", "d")));
        json_decref(call(f, "revert", json_pack("{s:s}", "snapshot", "s")));
        json_decref(call(f, "detach", json_pack("{s:s, s:s}", "vm", "db", "vdi", "b")));
        json_decref(call(f, "set", json_pack("{s:s, s:s}", "vm", "c", "state", "Running")));
        json_decref(call(f, "delete", json_pack("{s:s, s:b}", "vm", "d", "disks", 1)));
        list = call(f, "list", json_object());
        assert_int_equal(json_array_size(json_object_get(list, "vms")), 4);
        json_decref(list);
        json_decref(made);
}

static void without_a_daemon_the_verbs_say_what_they_need(void **state) {
        struct fixture *f = *state;
        const struct verb *verb = verbs_find(verbs_find_noun("vm"), "list");
        AUTO(json_decref) json_t *params = json_object();
        AUTO(verb_call_fini) struct verb_call alone = {.io = f->io, .verb = verb, .params = params};

        assert_true(verb->needs_host);
        assert_err(verb_call_run(&alone, &note), ERR_NOT_FOUND, "catenad");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_vm_has_its_disks_in_order),
                TEST(fields_are_taken_but_for_what_is_the_host_s),
                TEST(disks_come_and_go),
                TEST(a_power_state_is_a_note_of_what_somebody_did),
                TEST(a_vm_is_deleted_with_those_disks_that_no_other_has),
                TEST(vms_are_found_by_a_name_that_one_has),
                TEST(what_is_blocked_is_not_done),
                TEST(a_snapshot_is_a_vm_of_snapshots),
                TEST(a_disk_is_left_out_where_it_is_to_be),
                TEST(where_one_disk_cannot_be_snapshotted_none_is),
                TEST(both_srs_stand_still_before_the_first_is_cut),
                TEST(a_clone_goes_its_own_way),
                TEST(a_copy_goes_where_it_is_told),
                TEST(a_copy_that_is_stopped_leaves_nothing),
                TEST(revert_gives_the_disks_and_settings_of_the_snapshot),
                TEST(a_disk_that_is_gone_is_cloned_from_the_snapshot),
                TEST(an_open_disk_keeps_all_from_being_reverted),
                TEST(the_verbs_say_the_same),
                TEST(without_a_daemon_the_verbs_say_what_they_need),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
