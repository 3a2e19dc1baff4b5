// SPDX-License-Identifier: Apache-2.0
#include "xva_world.h"

#include "pack.h"
#include "vms.h"
#include "xva_inlet.h"

static const struct uuid task = {{9, 9}};

enum { PLAIN = 0, RESTORES = 1, FORCED = 2 };

static struct xva_inlet *begin(struct world *w, unsigned how) {
        const struct xva_inlet_ask ask = {.host = &w->host,
                                          .sr = &w->of_host,
                                          .restores = how & RESTORES,
                                          .is_forced = how & FORCED,
                                          .task = task};
        struct xva_inlet *inlet;
        struct err_note note = {0};

        assert_ok(xva_inlet_new(&ask, &inlet, &note));
        return inlet;
}

/* All of it, in pieces of n bytes, up to its end or an error. */
static enum err import(struct world *w, struct span data, size_t n, unsigned how, struct uuid *ret,
                       struct err_note *note) {
        AUTO(xva_inlet_free) struct xva_inlet *inlet = begin(w, how);

        for (size_t at = 0; at < data.n && !xva_inlet_is_whole(inlet); at += n)
                if (xva_inlet_push(inlet, data.data + at, (size_t)min_u64(n, data.n - at), note))
                        return note->code;
        return xva_inlet_commit(inlet, ret, note);
}

static struct buf archive_of(struct world *w) {
        struct xva_outlet *outlet = world_open_vm(w);
        struct buf all = world_read_all(w, outlet);

        world_close_vm(outlet);
        return all;
}

static struct span span_of(const struct buf *buf) {
        return (struct span){buf->data, buf->n};
}

/* An archive of the VM that came in is as the one that it came from. */
static void assert_same_vm(struct world *w, const struct uuid *vm, const struct buf *want) {
        AUTO(xva_kit_archive_fini) struct xva_kit_archive a = {0}, b = {0};
        const struct uuid old = w->vm;
        AUTO(buf_fini) struct buf got = {0};

        w->vm = *vm;
        got = archive_of(w);
        w->vm = old;
        xva_kit_take_apart(want->data, want->n, &a);
        xva_kit_take_apart(got.data, got.n, &b);
        assert_int_equal(a.n, b.n);
        for (unsigned i = 0; i < a.n; i++) {
                assert_int_equal(a.disks[i].size, b.disks[i].size);
                assert_memory_equal(a.disks[i].data, b.disks[i].data, (size_t)a.disks[i].size);
                assert_true(json_equal(json_object_get(a.disks[i].record, "name_label"),
                                       json_object_get(b.disks[i].record, "name_label")));
        }
}

static json_t *vm_field(struct world *w, const struct uuid *vm, const char *field) {
        return objects_field(w->objects, XAPI_VM, vm, field);
}

static void assert_nothing_came(struct world *w) {
        assert_int_equal(sr_n_vdis(w->sr), WORLD_DISKS);
        assert_int_equal(objects_count(w->objects, XAPI_VM), 1);
        assert_int_equal(objects_count(w->objects, XAPI_VBD), WORLD_DISKS + 1);
        assert_int_equal(objects_count(w->objects, XAPI_VIF), 1);
}

static void what_went_out_comes_in_in_pieces_of_any_size(void **state) {
        static const size_t pieces[] = {333, 512, 4096, 1000003, 100 * MIB};
        AUTO(buf_fini) struct buf archive = {0};
        struct world w;

        (void)state;
        world_init(&w);
        archive = archive_of(&w);
        for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++) {
                struct err_note note = {0};
                struct uuid vm;

                assert_ok(import(&w, span_of(&archive), pieces[i], PLAIN, &vm, &note));
                assert_same_vm(&w, &vm, &archive);
        }
        world_fini(&w);
}

static void compressed_archives_are_recognised(void **state) {
        static const enum pack_kind kinds[] = {PACK_GZIP, PACK_ZSTD};
        AUTO(buf_fini) struct buf archive = {0};
        struct world w;

        (void)state;
        world_init(&w);
        archive = archive_of(&w);
        for (unsigned i = 0; i < 4; i++) {
                AUTO(buf_fini) struct buf packed = {0};
                size_t each = i < 2 ? archive.n : 1000000, n;
                struct err_note note = {0};
                struct uuid vm;

                for (size_t at = 0; at < archive.n; at += each) {
                        size_t piece = (size_t)min_u64(each, archive.n - at);
                        AUTO_FREE uint8_t *frame = mem_zero(PACK_ROOM(piece));

                        assert_ok(pack_frame(kinds[i % 2], (struct span){archive.data + at, piece}, frame,
                                             PACK_ROOM(piece), &n, &note));
                        buf_add(&packed, frame, n);
                }
                assert_ok(import(&w, span_of(&packed), i % 2 ? 7 : 10000, PLAIN, &vm, &note));
                assert_same_vm(&w, &vm, &archive);
                /* Its last byte is missing. */
                assert_int_equal(
                        import(&w, (struct span){packed.data, packed.n - 1}, 5000, PLAIN, &vm, &note),
                        ERR_CUT_SHORT);
        }
        world_fini(&w);
}

static void the_vm_has_its_records_with_new_names(void **state) {
        AUTO(buf_fini) struct buf archive = {0};
        struct err_note note = {0};
        struct uuid vm, vif, network;
        json_t *record, *each;
        struct world w;
        size_t i;

        (void)state;
        world_init(&w);
        archive = archive_of(&w);
        assert_ok(import(&w, span_of(&archive), 100000, PLAIN, &vm, &note));
        assert_false(uuid_equal(&vm, &w.vm));
        {
                AUTO(json_decref) json_t *of_vm = objects_get(w.objects, XAPI_VM, &vm);

                assert_string_equal(json_string_value(json_object_get(of_vm, "name_label")), "web");
                assert_string_equal(json_string_value(json_object_get(of_vm, "power_state")), "Halted");
                assert_int_equal(json_integer_value(json_object_get(of_vm, "VCPUs_max")), 3);
                assert_int_equal(json_object_size(json_object_get(of_vm, "current_operations")), 0);
                assert_int_equal(json_array_size(json_object_get(of_vm, "VBDs")), WORLD_DISKS + 1);
                json_array_foreach(json_object_get(of_vm, "VBDs"), i, each) {
                        struct uuid vbd, vdi;

                        assert_true(xapi_ref_parse(json_string_value(each), &vbd));
                        AUTO(json_decref) json_t *of_vbd = objects_get(w.objects, XAPI_VBD, &vbd);

                        assert_string_equal(json_string_value(json_object_get(of_vbd, "VM")),
                                            xapi_ref_of(&vm).s);
                        if (json_is_true(json_object_get(of_vbd, "empty")))
                                continue;
                        assert_true(xapi_ref_parse(json_string_value(json_object_get(of_vbd, "VDI")), &vdi));
                        assert_non_null(sr_get_vdi(w.sr, &vdi));
                        AUTO(json_decref) json_t *vbds = objects_field(w.objects, XAPI_VDI, &vdi, "VBDs");

                        assert_string_equal(json_string_value(json_array_get(vbds, 0)),
                                            json_string_value(each));
                }
                assert_true(xapi_ref_parse(
                        json_string_value(json_array_get(json_object_get(of_vm, "VIFs"), 0)), &vif));
        }
        record = objects_get(w.objects, XAPI_VIF, &vif);
        network = xva_kit_uuid(2);
        assert_string_equal(json_string_value(json_object_get(record, "network")), xapi_ref_of(&network).s);
        assert_true(strcmp(json_string_value(json_object_get(record, "MAC")), "02:11:22:33:44:55") != 0);
        json_decref(record);
        assert_int_equal(objects_count(w.objects, XAPI_NETWORK), 1);
        world_fini(&w);
}

/* Of the VM that is there; nobody works on it. */
static void set_vm(struct world *w, int version, const char *state) {
        struct objects_change *change;
        struct err_note note = {0};

        objects_begin(w->objects, &change);
        (void)objects_set(change, XAPI_VM, &w->vm, "current_operations", json_object());
        (void)objects_set(change, XAPI_VM, &w->vm, "version", json_integer(version));
        (void)objects_set(change, XAPI_VM, &w->vm, "power_state", json_string(state));
        assert_ok(objects_commit(change, NULL, &note));
}

static unsigned n_vifs_with_the_old_mac(struct world *w) {
        AUTO(json_decref) json_t *all = objects_all(w->objects, XAPI_VIF);
        const char *ref;
        unsigned n = 0;
        json_t *vif;

        json_object_foreach(all, ref, vif) {
                n += strcmp(json_string_value(json_object_get(vif, "MAC")), "02:11:22:33:44:55") == 0;
        }
        return n;
}

static void a_vm_that_is_restored_has_its_uuid(void **state) {
        AUTO(buf_fini) struct buf archive = {0};
        struct objects_change *change;
        struct err_note note = {0};
        struct uuid vm, network = xva_kit_uuid(2);
        struct world w;

        (void)state;
        world_init(&w);
        set_vm(&w, 4, "Halted");
        archive = archive_of(&w);
        objects_begin(w.objects, &change);
        assert_true(objects_remove(change, XAPI_VM, &w.vm));
        assert_true(objects_remove(change, XAPI_NETWORK, &network));
        assert_ok(objects_commit(change, NULL, &note));
        assert_ok(import(&w, span_of(&archive), 100000, RESTORES, &vm, &note));
        assert_true(uuid_equal(&vm, &w.vm));
        assert_int_equal(objects_count(w.objects, XAPI_NETWORK), 1);
        assert_int_equal(n_vifs_with_the_old_mac(&w), 2);
        {
                AUTO(json_decref) json_t *version = vm_field(&w, &vm, "version");

                assert_int_equal(json_integer_value(version), 5);
        }
        world_fini(&w);
}

/* Its disks stay and belong to nobody. */
static void assert_replaced(struct world *w, const struct uuid *vm) {
        AUTO(json_decref) json_t *operations = vm_field(w, vm, "current_operations");
        AUTO(json_decref) json_t *vbds = vm_field(w, vm, "VBDs");

        assert_true(uuid_equal(vm, &w->vm));
        assert_int_equal(json_object_size(operations), 0);
        assert_int_equal(json_array_size(vbds), WORLD_DISKS + 1);
        assert_int_equal(objects_count(w->objects, XAPI_VM), 1);
        assert_int_equal(objects_count(w->objects, XAPI_VBD), WORLD_DISKS + 1);
        assert_int_equal(objects_count(w->objects, XAPI_VIF), 1);
        assert_int_equal(n_vifs_with_the_old_mac(w), 1);
        for (unsigned i = 0; i < WORLD_DISKS; i++) {
                AUTO(json_decref) json_t *of_old = objects_field(w->objects, XAPI_VDI, &w->vdis[i], "VBDs");

                assert_int_equal(json_array_size(of_old), 0);
                assert_non_null(sr_get_vdi(w->sr, &w->vdis[i]));
        }
}

static void a_vm_is_replaced_by_a_newer_one_or_where_that_is_forced(void **state) {
        static const struct {
                const char *state; /* borrowed, static */
                int version;
                unsigned how;
                enum err err;
        } rows[] = {
                {"Running", 3, RESTORES, ERR_BUSY},         {"Running", 3, RESTORES | FORCED, ERR_BUSY},
                {"Suspended", 3, RESTORES, ERR_BUSY},       {"Halted", 4, RESTORES, ERR_EXISTS},
                {"Halted", 5, RESTORES, ERR_EXISTS},        {"Halted", 3, RESTORES, ERR_NONE},
                {"Halted", 5, RESTORES | FORCED, ERR_NONE},
        };

        (void)state;
        for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO(buf_fini) struct buf archive = {0};
                struct err_note note = {0};
                struct world w;
                struct uuid vm;

                world_init(&w);
                set_vm(&w, 4, "Halted");
                archive = archive_of(&w);
                set_vm(&w, rows[i].version, rows[i].state);
                assert_int_equal(import(&w, span_of(&archive), 100000, rows[i].how, &vm, &note), rows[i].err);
                if (rows[i].err)
                        assert_nothing_came(&w);
                else
                        assert_replaced(&w, &vm);
                world_fini(&w);
        }
}

static void a_vm_that_is_to_be_replaced_is_what_it_was_until_then(void **state) {
        AUTO(buf_fini) struct buf archive = {0};
        struct xva_inlet *inlet;
        struct err_note note = {0};
        struct world w;

        (void)state;
        world_init(&w);
        archive = archive_of(&w);
        set_vm(&w, -1, "Halted");
        inlet = begin(&w, RESTORES);
        assert_ok(xva_inlet_push(inlet, archive.data, archive.n / 2, &note));
        assert_int_equal(vms_destroy(&w.host, &w.vm, false, &note), ERR_BUSY);
        xva_inlet_free(inlet);
        assert_nothing_came(&w);
        assert_ok(vms_destroy(&w.host, &w.vm, false, &note));
        world_fini(&w);
}

static void a_vm_is_seen_while_it_comes_and_goes_with_the_import(void **state) {
        AUTO(buf_fini) struct buf archive = {0};
        AUTO(json_decref) json_t *all = NULL;
        struct xva_inlet *inlet;
        struct err_note note = {0};
        unsigned n_seen = 0;
        struct world w;
        const char *ref;
        json_t *vm;

        (void)state;
        world_init(&w);
        archive = archive_of(&w);
        inlet = begin(&w, PLAIN);
        assert_ok(xva_inlet_push(inlet, archive.data, archive.n / 2, &note));
        all = objects_all(w.objects, XAPI_VM);
        assert_int_equal(json_object_size(all), 2);
        json_object_foreach(all, ref, vm) {
                const char *operation = json_string_value(
                        json_object_get(json_object_get(vm, "current_operations"), xapi_ref_of(&task).s));

                n_seen += operation && strcmp(operation, "import") == 0;
        }
        assert_int_equal(n_seen, 1);
        assert_int_equal(sr_n_vdis(w.sr), WORLD_DISKS);
        xva_inlet_free(inlet);
        assert_nothing_came(&w);
        world_fini(&w);
}

/* Members, each with its data. */
static size_t member_at(const struct buf *archive, unsigned i) {
        size_t at = 0;

        for (; i > 0; i--) {
                enum tar_kind kind;
                struct tar_member member = xva_kit_member(archive->data, archive->n, at, &kind);

                assert_int_equal(kind, TAR_MEMBER);
                at += (size_t)tar_member_size(member.size_bytes);
        }
        return at;
}

/* [A1] [A2]: a byte of a block, of a checksum, of a header. */
static void any_damage_is_noticed_and_nothing_stays(void **state) {
        AUTO(buf_fini) struct buf archive = {0};
        size_t places[7];
        struct world w;

        (void)state;
        world_init(&w);
        archive = archive_of(&w);
        for (unsigned i = 0; i < 3; i++) {
                places[i] = member_at(&archive, 1 + 2 * i) + TAR_BLOCK + 77;
                places[3 + i] = member_at(&archive, 2 + 2 * i) + TAR_BLOCK + 5;
        }
        places[6] = member_at(&archive, 3) + 3;
        for (unsigned i = 0; i < 7; i++) {
                struct err_note note = {0};
                struct uuid vm;

                archive.data[places[i]] ^= 1;
                assert_int_equal(import(&w, span_of(&archive), 65536, PLAIN, &vm, &note), ERR_CORRUPT);
                assert_nothing_came(&w);
                archive.data[places[i]] ^= 1;
        }
        world_fini(&w);
}

static void take_line(void *user, const char *line) {
        snprintf(user, 200, "%s", line);
}

static void a_block_that_is_wrong_is_taken_where_that_is_forced_and_told_of(void **state) {
        AUTO(buf_fini) struct buf archive = {0};
        struct err_note note = {0};
        char line[200] = "";
        struct world w;
        struct uuid vm;

        (void)state;
        world_init(&w);
        w.host.log = take_line;
        w.host.user = line;
        archive = archive_of(&w);
        assert_ok(import(&w, span_of(&archive), 65536, FORCED, &vm, &note));
        assert_string_equal(line, "");
        archive.data[member_at(&archive, 1) + TAR_BLOCK + 77] ^= 1;
        assert_ok(import(&w, span_of(&archive), 65536, FORCED, &vm, &note));
        assert_non_null(strstr(line, "with 1 blocks"));
        assert_int_equal(import(&w, (struct span){archive.data, archive.n / 2}, 65536, FORCED, &vm, &note),
                         ERR_CUT_SHORT);
        world_fini(&w);
}

static void a_cut_anywhere_leaves_nothing(void **state) {
        AUTO(buf_fini) struct buf archive = {0};
        uint32_t dice = 1;
        struct world w;

        (void)state;
        world_init(&w);
        archive = archive_of(&w);
        for (unsigned i = 0; i < 60; i++) {
                struct err_note note = {0};
                struct uuid vm;
                size_t n;

                dice = dice * 1664525 + 1013904223;
                n = i < 20 ? member_at(&archive, i) : dice % (archive.n - TAR_END_SIZE);
                assert_true(import(&w, (struct span){archive.data, n}, 1 << 20, PLAIN, &vm, &note) !=
                            ERR_NONE);
                assert_nothing_came(&w);
        }
        world_fini(&w);
}

/* Others write none. */
static void the_end_of_the_archive_may_be_missing(void **state) {
        AUTO(buf_fini) struct buf archive = {0};
        struct err_note note = {0};
        struct world w;
        struct uuid vm;

        (void)state;
        world_init(&w);
        archive = archive_of(&w);
        assert_ok(import(&w, (struct span){archive.data, archive.n - TAR_END_SIZE}, 1 << 20, PLAIN, &vm,
                         &note));
        assert_same_vm(&w, &vm, &archive);
        world_fini(&w);
}

static void add_member(struct buf *to, const char *name, const void *data, size_t n) {
        tar_encode(name, n, 0, buf_extend(to, TAR_BLOCK));
        buf_add(to, data, n);
        (void)buf_extend(to, (size_t)tar_padding(n));
}

static void members_out_of_order_or_unknown_are_refused(void **state) {
        AUTO(buf_fini) struct buf archive = {0}, swapped = {0}, twice = {0}, unknown = {0}, none = {0};
        struct err_note note = {0};
        size_t at[6];
        struct world w;
        struct uuid vm;

        (void)state;
        world_init(&w);
        archive = archive_of(&w);
        for (unsigned i = 0; i < 6; i++)
                at[i] = member_at(&archive, i);
        /* The second block before the first. */
        buf_add(&swapped, archive.data, at[1]);
        buf_add(&swapped, archive.data + at[3], at[5] - at[3]);
        buf_add(&swapped, archive.data + at[1], at[3] - at[1]);
        buf_add(&swapped, archive.data + at[5], archive.n - at[5]);
        assert_int_equal(import(&w, span_of(&swapped), 1 << 20, PLAIN, &vm, &note), ERR_CORRUPT);
        /* A block without its checksum. */
        buf_add(&twice, archive.data, at[2]);
        buf_add(&twice, archive.data + at[3], archive.n - at[3]);
        assert_int_equal(import(&w, span_of(&twice), 1 << 20, PLAIN, &vm, &note), ERR_CORRUPT);
        buf_add(&unknown, archive.data, at[1]);
        add_member(&unknown, "Ref:77/00000000", "x", 1);
        assert_int_equal(import(&w, span_of(&unknown), 1 << 20, PLAIN, &vm, &note), ERR_CORRUPT);
        /* It does not begin with ova.xml; it is no tar. */
        buf_add(&none, archive.data + at[1], archive.n - at[1]);
        assert_int_equal(import(&w, span_of(&none), 1 << 20, PLAIN, &vm, &note), ERR_CORRUPT);
        assert_non_null(strstr(note.text, "this is no XVA"));
        assert_int_equal(import(&w, (struct span){archive.data + 512, 5000}, 100, PLAIN, &vm, &note),
                         ERR_CORRUPT);
        assert_non_null(strstr(note.text, "this is no XVA"));
        assert_nothing_came(&w);
        world_fini(&w);
}

/* A small archive of others' making: SHA-1, a member without data that keeps the connection awake, a drive's
 * disk that is listed and does not come, a snapshot's record. */
static void archives_of_other_hosts_come_in(void **state) {
        static const char sha1_of_nothing[] = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
        static const char sha1_of_zeros[] = "5c3eb80066420002bc3dcc7ca4ab6efad7ed4ae5"; /* 512 of them */
        AUTO(json_decref)
        json_t *objects = json_pack(
                "[{s:s, s:s, s:{s:s, s:b}}, {s:s, s:s, s:{s:s, s:s}}, {s:s, s:s, s:{s:s, s:s, s:s, s:s}},"
                " {s:s, s:s, s:{s:s, s:s, s:s, s:s}}, {s:s, s:s, s:{s:s, s:s}}, {s:s, s:s, s:{s:s, s:s}},"
                " {s:s, s:s, s:{s:s}}]",
                "class", "VM", "id", "Ref:9", "snapshot", "name_label", "old", "is_a_snapshot", 1, "class",
                "VM", "id", "Ref:0", "snapshot", "name_label", "new", "memory_target", "1024", "class", "VBD",
                "id", "Ref:1", "snapshot", "VM", "Ref:0", "VDI", "Ref:2", "type", "Disk", "mode", "sideways",
                "class", "VBD", "id", "Ref:3", "snapshot", "VM", "Ref:0", "VDI", "Ref:4", "type", "CD",
                "mode", "RO", "class", "VDI", "id", "Ref:2", "snapshot", "name_label", "d", "virtual_size",
                "512", "class", "VDI", "id", "Ref:4", "snapshot", "name_label", "iso", "virtual_size",
                "1048576", "class", "gadget", "id", "Ref:5", "snapshot", "what", "ever");
        struct xva_ova ova = {.version = xva_version_new("h", "20200101T00:00:00Z", "X", "1", 2, 99),
                              .objects = objects};
        AUTO(buf_fini) struct buf xml = {0}, archive = {0};
        struct err_note note = {0};
        uint8_t zeros[512] = {0};
        struct world w;
        struct uuid vm;

        (void)state;
        world_init(&w);
        assert_non_null(objects);
        xva_ova_encode(&ova, xva_record_fields, &xml);
        add_member(&archive, "ova.xml", xml.data, xml.n);
        add_member(&archive, "Ref:2/00000000", "", 0);
        add_member(&archive, "Ref:2/00000000.checksum", sha1_of_nothing, 40);
        add_member(&archive, "Ref:2/00000001", zeros, 512);
        add_member(&archive, "Ref:2/00000001.checksum", sha1_of_zeros, 40);
        (void)buf_extend(&archive, 10240);
        assert_ok(import(&w, span_of(&archive), 999, PLAIN, &vm, &note));
        {
                AUTO(json_decref) json_t *name = vm_field(&w, &vm, "name_label");
                AUTO(json_decref) json_t *memory = vm_field(&w, &vm, "memory_target");
                AUTO(json_decref) json_t *vbds = vm_field(&w, &vm, "VBDs");

                assert_string_equal(json_string_value(name), "new");
                assert_int_equal(json_integer_value(memory), 1024);
                assert_int_equal(json_array_size(vbds), 2);
        }
        assert_int_equal(sr_n_vdis(w.sr), WORLD_DISKS + 1);
        json_decref(ova.version);
        world_fini(&w);
}

/* What came in goes again. */
static void forget(struct world *w, const struct uuid *vm) {
        AUTO(json_decref) json_t *vbds = vm_field(w, vm, "VBDs"), *vifs = vm_field(w, vm, "VIFs");
        struct objects_change *change;
        struct err_note note = {0};
        json_t *each;
        size_t i;

        objects_begin(w->objects, &change);
        json_array_foreach(vbds, i, each) {
                struct uuid vbd, vdi;

                assert_true(xapi_ref_parse(json_string_value(each), &vbd));
                AUTO(json_decref) json_t *ref = objects_field(w->objects, XAPI_VBD, &vbd, "VDI");

                if (xapi_ref_parse(json_string_value(ref), &vdi))
                        assert_ok(sr_vdi_delete(w->sr, &vdi, &note));
                (void)objects_remove(change, XAPI_VBD, &vbd);
        }
        json_array_foreach(vifs, i, each) {
                struct uuid vif;

                assert_true(xapi_ref_parse(json_string_value(each), &vif));
                (void)objects_remove(change, XAPI_VIF, &vif);
        }
        (void)objects_remove(change, XAPI_VM, vm);
        assert_ok(objects_commit(change, NULL, &note));
}

/* [A2]: any one call that finds no space, then any one that fails. */
static void one_failure_anywhere_leaves_all_or_nothing(void **state) {
        static const enum err errs[] = {ERR_NO_SPACE, ERR_IO};
        AUTO(buf_fini) struct buf archive = {0};
        unsigned n_failed = 0;
        struct world w;

        (void)state;
        world_init(&w);
        archive = archive_of(&w);
        for (unsigned i = 0; i < 2; i++) {
                bool has_fired = true;

                for (uint64_t n = 1; has_fired; n++) {
                        struct err_note note = {0};
                        struct uuid vm;
                        enum err err;

                        io_sim_fail_at(w.io, n, errs[i], false);
                        err = import(&w, span_of(&archive), 1 << 20, PLAIN, &vm, &note);
                        has_fired = io_sim_fired(w.io);
                        io_sim_heal(w.io);
                        n_failed += err != ERR_NONE;
                        assert_ok(sr_scan(w.sr, &note));
                        if (!err)
                                forget(&w, &vm);
                        assert_nothing_came(&w);
                }
        }
        assert_true(n_failed > 100);
        world_fini(&w);
}

/* The power goes; the next start. */
static void restart(struct world *w, uint64_t seed) {
        struct err_note note = {0};

        objects_close(w->objects);
        sr_close(w->sr);
        chain_batch_free(w->batch);
        io_sim_crash(w->io, seed);
        assert_ok(sr_open(w->io, "/sr", NULL, &w->sr, &note));
        assert_ok(objects_open(w->io, "/state/state.db", store_sqlite_open, &w->objects, &note));
        assert_ok(chain_batch_new(w->io, &w->batch, &note));
        w->of_host.sr = w->sr;
        w->host.objects = w->objects;
        assert_ok(vms_recover(&w->host, &note));
}

/* Whether the VM has the disks that it had at first. */
static bool has_first_disk(struct world *w) {
        AUTO(json_decref) json_t *vbds = vm_field(w, &w->vm, "VBDs");
        struct uuid vbd, vdi = {{0}};

        assert_true(xapi_ref_parse(json_string_value(json_array_get(vbds, 0)), &vbd));
        AUTO(json_decref) json_t *ref = objects_field(w->objects, XAPI_VBD, &vbd, "VDI");

        return xapi_ref_parse(json_string_value(ref), &vdi) && uuid_equal(&vdi, &w->vdis[0]);
}

/* False: the commit ended before the n-th call. */
static bool crash_once(uint64_t n, unsigned how) {
        AUTO(buf_fini) struct buf archive = {0};
        struct xva_inlet *inlet;
        struct err_note note = {0};
        bool is_done, has_died;
        struct world w;
        struct uuid vm;
        size_t n_new;

        world_init(&w);
        w.vm = xva_kit_vm(w.objects, &w.of_host.uuid, w.vdis, 2);
        archive = archive_of(&w);
        set_vm(&w, 0, "Halted");
        inlet = begin(&w, how);
        assert_ok(xva_inlet_push(inlet, archive.data, archive.n, &note));
        io_sim_die_at(w.io, n, n % 2 ? IO_SIM_BEFORE : IO_SIM_DURING);
        is_done = !xva_inlet_commit(inlet, &vm, &note);
        has_died = io_sim_is_dead(w.io);
        xva_inlet_free(inlet);
        restart(&w, n);
        n_new = sr_n_vdis(w.sr) - WORLD_DISKS;
        assert_true(n_new == 2 || (n_new == 0 && !is_done));
        assert_int_equal(objects_count(w.objects, XAPI_VM), n_new && !(how & RESTORES) ? 2 : 1);
        assert_true(!(how & RESTORES) || has_first_disk(&w) == (n_new == 0));
        if (is_done)
                assert_same_vm(&w, &vm, &archive);
        world_fini(&w);
        return has_died;
}

static void a_crash_anywhere_leaves_all_or_nothing(void **state) {
        static const unsigned hows[] = {PLAIN, RESTORES | FORCED};

        (void)state;
        for (unsigned i = 0; i < 2; i++) {
                uint64_t n = 1;

                while (crash_once(n, hows[i]))
                        n++;
                assert_true(n > 20);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_went_out_comes_in_in_pieces_of_any_size),
                cmocka_unit_test(compressed_archives_are_recognised),
                cmocka_unit_test(the_vm_has_its_records_with_new_names),
                cmocka_unit_test(a_vm_that_is_restored_has_its_uuid),
                cmocka_unit_test(a_vm_is_replaced_by_a_newer_one_or_where_that_is_forced),
                cmocka_unit_test(a_vm_that_is_to_be_replaced_is_what_it_was_until_then),
                cmocka_unit_test(a_vm_is_seen_while_it_comes_and_goes_with_the_import),
                cmocka_unit_test(any_damage_is_noticed_and_nothing_stays),
                cmocka_unit_test(a_block_that_is_wrong_is_taken_where_that_is_forced_and_told_of),
                cmocka_unit_test(a_cut_anywhere_leaves_nothing),
                cmocka_unit_test(the_end_of_the_archive_may_be_missing),
                cmocka_unit_test(members_out_of_order_or_unknown_are_refused),
                cmocka_unit_test(archives_of_other_hosts_come_in),
                cmocka_unit_test(one_failure_anywhere_leaves_all_or_nothing),
                cmocka_unit_test(a_crash_anywhere_leaves_all_or_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
