// SPDX-License-Identifier: Apache-2.0
#include "xva_world.h"

#include <stdio.h>

static void an_archive_has_the_length_that_was_said_and_every_byte_of_the_disks(void **state) {
        AUTO(xva_kit_archive_fini) struct xva_kit_archive archive = {0};
        AUTO(buf_fini) struct buf all = {0};
        struct xva_outlet *outlet;
        struct world w;

        (void)state;
        world_init(&w);
        outlet = world_open_vm(&w);
        all = world_read_all(&w, outlet);
        assert_int_equal(all.n, xva_outlet_length(outlet));
        xva_kit_take_apart(all.data, all.n, &archive);
        assert_int_equal(archive.n, WORLD_DISKS);
        for (unsigned i = 0; i < WORLD_DISKS; i++) {
                const char *name = json_string_value(json_object_get(archive.disks[i].record, "name_label"));
                unsigned of = (unsigned)(name[5] - '0');

                assert_int_equal(archive.disks[i].size, world_sizes[of]);
                assert_memory_equal(archive.disks[i].data, w.data[of], (size_t)world_sizes[of]);
                assert_true(i == 0 || strcmp(archive.disks[i - 1].ref, archive.disks[i].ref) < 0);
        }
        world_close_vm(outlet);
        world_fini(&w);
}

/* A disk of 12 MiB: the first, the last, and the four of the two image blocks that hold anything. */
static void blocks_that_nothing_holds_are_left_out(void **state) {
        AUTO(xva_kit_archive_fini) struct xva_kit_archive archive = {0};
        AUTO(buf_fini) struct buf all = {0};
        struct xva_outlet *outlet;
        bool was_there = false;
        struct world w;

        (void)state;
        world_init(&w);
        outlet = world_open_vm(&w);
        all = world_read_all(&w, outlet);
        xva_kit_take_apart(all.data, all.n, &archive);
        for (unsigned i = 0; i < archive.n; i++)
                if (archive.disks[i].size == 12 * MIB) {
                        was_there = true;
                        assert_int_equal(archive.disks[i].n_blocks, 5);
                }
        assert_true(was_there);
        world_close_vm(outlet);
        world_fini(&w);
}

/* Python's tarfile: a reader that others wrote. */
static void others_read_the_archive(void **state) {
        static const char program[] =
                "import sys, tarfile, hashlib\n"
                "names, data = [], 0\n"
                "with tarfile.open(fileobj=sys.stdin.buffer, mode='r|') as tar:\n"
                "    for member in tar:\n"
                "        body = tar.extractfile(member).read()\n"
                "        assert member.isreg() and len(body) == member.size\n"
                "        names.append(member.name)\n"
                "        data += len(body) if len(member.name) == len('Ref:2/00000000') else 0\n"
                "assert names[0] == 'ova.xml' and len(names) % 2 == 1, names\n"
                "assert all(b == a + '.xxhash' for a, b in zip(names[1::2], names[2::2])), names\n"
                "assert names[1::2] == sorted(names[1::2]), names\n"
                "assert data == 9439232, data\n";
        AUTO_FREE char *command = mem_format("python3 -c \"%s\"", program);
        AUTO(buf_fini) struct buf all = {0};
        struct xva_outlet *outlet;
        struct world w;
        FILE *python;

        (void)state;
        if (system("python3 -c 'import tarfile' 2>/dev/null") != 0)
                skip_because("there is no python3 with tarfile");
        world_init(&w);
        outlet = world_open_vm(&w);
        all = world_read_all(&w, outlet);
        python = popen(command, "w");
        assert_non_null(python);
        assert_int_equal(fwrite(all.data, 1, all.n, python), all.n);
        assert_int_equal(pclose(python), 0);
        world_close_vm(outlet);
        world_fini(&w);
}

static void any_part_is_read_again_as_it_was(void **state) {
        AUTO(buf_fini) struct buf all = {0};
        struct xva_outlet *outlet;
        uint32_t dice = 7;
        struct world w;

        (void)state;
        world_init(&w);
        outlet = world_open_vm(&w);
        all = world_read_all(&w, outlet);
        for (unsigned i = 0; i < 300; i++) {
                struct err_note note = {0};
                const uint8_t *data;
                size_t at, n;

                dice = dice * 1664525 + 1013904223;
                at = i < 3 ? all.n - i : (dice >> 4) % all.n;
                assert_ok(xva_outlet_read(outlet, w.batch, at, w.memory, &data, &n, &note));
                assert_true(n > 0 || at == all.n);
                assert_true(n <= all.n - at);
                assert_memory_equal(data, all.data + at, n);
        }
        world_close_vm(outlet);
        world_fini(&w);
}

static void records_refer_to_each_other_by_their_ids(void **state) {
        AUTO(xva_kit_archive_fini) struct xva_kit_archive archive = {0};
        AUTO(buf_fini) struct buf all = {0};
        struct xva_outlet *outlet;
        json_t *vm, *vif, *network, *vdi, *vbd, *sr;
        struct world w;

        (void)state;
        world_init(&w);
        outlet = world_open_vm(&w);
        all = world_read_all(&w, outlet);
        xva_kit_take_apart(all.data, all.n, &archive);
        vm = xva_kit_find(&archive.ova, "VM", "name_label", "web");
        vif = xva_kit_find(&archive.ova, "VIF", "device", "0");
        network = xva_kit_find(&archive.ova, "network", "name_label", "net");
        vbd = xva_kit_find(&archive.ova, "VBD", "userdevice", "3");
        vdi = xva_kit_find(&archive.ova, "VDI", "name_label", "disk 3");
        sr = xva_kit_find(&archive.ova, "SR", "name_label", "main");
        assert_true(vm && vif && network && vbd && vdi && sr);
        assert_ptr_equal(xva_kit_find(&archive.ova, "VM", NULL, "Ref:0"), vm);
        assert_int_equal(json_array_size(json_object_get(vm, "VBDs")), WORLD_DISKS + 1);
        assert_int_equal(json_integer_value(json_object_get(vm, "VCPUs_max")), 3);
        assert_string_equal(json_string_value(json_object_get(vm, "affinity")), XAPI_NULL_REF);
        assert_int_equal(json_object_size(json_object_get(vm, "current_operations")), 0);
        assert_string_equal(json_string_value(json_object_get(json_object_get(vm, "other_config"), "a")),
                            "b");
        assert_ptr_equal(xva_kit_find(&archive.ova, "network", NULL,
                                      json_string_value(json_object_get(vif, "network"))),
                         network);
        assert_ptr_equal(
                xva_kit_find(&archive.ova, "VDI", NULL, json_string_value(json_object_get(vbd, "VDI"))), vdi);
        assert_ptr_equal(
                xva_kit_find(&archive.ova, "SR", NULL, json_string_value(json_object_get(vdi, "SR"))), sr);
        assert_string_equal(json_string_value(json_object_get(vdi, "name_description")), "<&>");
        world_close_vm(outlet);
        world_fini(&w);
}

static void a_vm_without_disks_is_an_archive_too(void **state) {
        AUTO(xva_kit_archive_fini) struct xva_kit_archive archive = {0};
        AUTO(buf_fini) struct buf all = {0};
        struct xva_outlet *outlet;
        struct world w;

        (void)state;
        world_init(&w);
        w.vm = xva_kit_vm(w.objects, &w.of_host.uuid, w.vdis, 0);
        outlet = world_open_vm(&w);
        all = world_read_all(&w, outlet);
        xva_kit_take_apart(all.data, all.n, &archive);
        assert_int_equal(archive.n, 0);
        world_close_vm(outlet);
        world_fini(&w);
}

static void what_cannot_go_is_said_and_nothing_stays_open(void **state) {
        const struct uuid nobody = xva_kit_uuid(200);
        struct xva_outlet *outlet;
        struct err_note note;
        struct chain *writer;
        struct world w;

        (void)state;
        world_init(&w);
        assert_int_equal(xva_outlet_open(&w.host, &nobody, &outlet, &note), ERR_NOT_FOUND);
        assert_ok(sr_open_chain(w.sr, &w.vdis[4], CHAIN_WRITE, &writer, &note));
        assert_int_equal(xva_outlet_open(&w.host, &w.vm, &outlet, &note), ERR_BUSY);
        assert_non_null(strstr(note.text, "export a snapshot"));
        assert_ok(sr_close_chain(w.sr, writer, &note));
        assert_ok(sr_vdi_delete(w.sr, &w.vdis[0], &note));
        assert_int_equal(xva_outlet_open(&w.host, &w.vm, &outlet, &note), ERR_NOT_FOUND);
        for (unsigned i = 1; i < WORLD_DISKS; i++)
                assert_ok(sr_vdi_delete(w.sr, &w.vdis[i], &note));
        world_fini(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_archive_has_the_length_that_was_said_and_every_byte_of_the_disks),
                cmocka_unit_test(blocks_that_nothing_holds_are_left_out),
                cmocka_unit_test(others_read_the_archive),
                cmocka_unit_test(any_part_is_read_again_as_it_was),
                cmocka_unit_test(records_refer_to_each_other_by_their_ids),
                cmocka_unit_test(a_vm_without_disks_is_an_archive_too),
                cmocka_unit_test(what_cannot_go_is_said_and_nothing_stays_open),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
