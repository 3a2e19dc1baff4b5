// SPDX-License-Identifier: Apache-2.0
/* VMs as records, to be exported, and archives taken apart.  Threads: one.
 */
#ifndef TEST_UNIT_SERVICE_XVA_KIT_H
#define TEST_UNIT_SERVICE_XVA_KIT_H

#include "check.h"

#include "buf.h"
#include "host.h"
#include "mem.h"
#include "sr.h"
#include "xva.h"
#include "xva_ova.h"
#include "xva_records.h"

enum { XVA_KIT_DISKS_MAX = 8 };

static inline struct uuid xva_kit_uuid(unsigned i) {
        return (struct uuid){{0x77, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, (uint8_t)i}};
}

static inline json_t *xva_kit_ref(const struct uuid *uuid) {
        return json_string(xapi_ref_of(uuid).s);
}

/* A VM "web" with these disks in its order, an empty drive, and a VIF; uuids of xva_kit_uuid: 0 the VM, 1 its
 * VIF, 2 the network, 10 and on its VBDs, 20 the drive's. */
static inline struct uuid xva_kit_vm(struct objects *objects, const struct uuid *sr, const struct uuid *vdis,
                                     unsigned n) {
        const struct uuid vm = xva_kit_uuid(0), vif = xva_kit_uuid(1), network = xva_kit_uuid(2),
                          drive = xva_kit_uuid(20);
        json_t *vbds = json_array();
        struct objects_change *change;
        struct err_note note = {0};

        objects_begin(objects, &change);
        objects_put(change, XAPI_SR, sr, json_pack("{s:s}", "name_label", "main"));
        for (unsigned i = 0; i < n; i++) {
                const struct uuid vbd = xva_kit_uuid(10 + i);
                char text[16];

                snprintf(text, sizeof text, "%u", i);
                json_array_append_new(vbds, xva_kit_ref(&vbd));
                objects_put(change, XAPI_VBD, &vbd,
                            json_pack("{s:o, s:o, s:s, s:b}", "VM", xva_kit_ref(&vm), "VDI",
                                      xva_kit_ref(&vdis[i]), "userdevice", text, "bootable", i == 0));
                snprintf(text, sizeof text, "disk %u", i);
                objects_put(change, XAPI_VDI, &vdis[i],
                            json_pack("{s:s, s:s, s:o, s:[o]}", "name_label", text, "name_description", "<&>",
                                      "SR", xva_kit_ref(sr), "VBDs", xva_kit_ref(&vbd)));
        }
        json_array_append_new(vbds, xva_kit_ref(&drive));
        objects_put(change, XAPI_VBD, &drive,
                    json_pack("{s:o, s:s, s:b, s:s}", "VM", xva_kit_ref(&vm), "type", "CD", "empty", true,
                              "userdevice", "9"));
        objects_put(change, XAPI_NETWORK, &network,
                    json_pack("{s:s, s:[o]}", "name_label", "net", "VIFs", xva_kit_ref(&vif)));
        objects_put(change, XAPI_VIF, &vif,
                    json_pack("{s:s, s:o, s:o, s:s}", "device", "0", "network", xva_kit_ref(&network), "VM",
                              xva_kit_ref(&vm), "MAC", "02:11:22:33:44:55"));
        objects_put(change, XAPI_VM, &vm,
                    json_pack("{s:s, s:s, s:o, s:[o], s:i, s:s, s:{s:s}, s:{s:s}}", "name_label", "web",
                              "power_state", "Halted", "VBDs", vbds, "VIFs", xva_kit_ref(&vif), "VCPUs_max",
                              3, "affinity", "OpaqueRef:99999999-0000-4000-8000-000000000000", "other_config",
                              "a", "b", "current_operations", "OpaqueRef:t", "export"));
        assert_ok(objects_commit(change, NULL, &note));
        return vm;
}

/* ---- an archive, taken apart ---- */

struct xva_kit_disk {
        char ref[XVA_REF_MAX + 1];
        json_t *record; /* borrowed from the archive's ova */
        uint8_t *data;  /* owned; size_bytes */
        uint64_t size, n_blocks;
};
struct xva_kit_archive {
        struct xva_ova ova;
        struct xva_kit_disk disks[XVA_KIT_DISKS_MAX]; /* in the order of their coming */
        unsigned n;
};

static inline void xva_kit_archive_fini(struct xva_kit_archive *archive) {
        for (unsigned i = 0; i < archive->n; i++)
                free(archive->disks[i].data);
        xva_ova_fini(&archive->ova);
}
DEFINE_AUTO_IN_PLACE(struct xva_kit_archive, xva_kit_archive_fini);

/* The record of that class whose field says so; NULL: there is none. */
static inline json_t *xva_kit_find(const struct xva_ova *ova, const char *class, const char *field,
                                   const char *value) {
        json_t *object;
        size_t i;

        json_array_foreach(ova->objects, i, object) {
                json_t *record = json_object_get(object, "snapshot");
                const char *got =
                        json_string_value(json_object_get(field ? record : object, field ? field : "id"));

                if (strcmp(json_string_value(json_object_get(object, "class")), class) == 0 && got &&
                    (!value || strcmp(got, value) == 0))
                        return record;
        }
        return NULL;
}

static inline struct xva_kit_disk *xva_kit_disk_of(struct xva_kit_archive *archive,
                                                   const struct xva_disk *of) {
        struct xva_kit_disk *disk;

        if (archive->n > 0 && strcmp(archive->disks[archive->n - 1].ref, of->ref) == 0)
                return &archive->disks[archive->n - 1];
        assert_true(archive->n < XVA_KIT_DISKS_MAX);
        disk = &archive->disks[archive->n++];
        snprintf(disk->ref, sizeof disk->ref, "%s", of->ref);
        disk->size = of->size_bytes;
        disk->data = mem_zero((size_t)of->size_bytes + 1);
        disk->record = xva_kit_find(&archive->ova, "VDI", NULL, of->ref);
        return disk;
}

static inline struct tar_member xva_kit_member(const uint8_t *data, size_t n, size_t at,
                                               enum tar_kind *ret_kind) {
        struct tar_header_disk header;
        struct tar_member member;
        struct err_note note = {0};

        assert_true(range_fits(at, TAR_BLOCK, n));
        memcpy(&header, data + at, sizeof header);
        assert_ok(tar_decode(&header, ret_kind, &member, &note));
        return member;
}

/* Every checksum is looked at, and that nothing is missing or too much. */
static inline void xva_kit_take_apart(const uint8_t *data, size_t n, struct xva_kit_archive *ret) {
        struct xva_disk disks[XVA_KIT_DISKS_MAX] = {0};
        struct err_note note = {0};
        struct tar_member member;
        enum tar_kind kind;
        struct xva_walk walk;
        char checksum[XVA_XXH64_SIZE + 1] = "";
        json_t *object;
        size_t at, i, n_disks = 0;

        *ret = (struct xva_kit_archive){0};
        member = xva_kit_member(data, n, 0, &kind);
        assert_string_equal(member.name, "ova.xml");
        assert_ok(xva_ova_decode((struct span){data + TAR_BLOCK, (size_t)member.size_bytes},
                                 xva_record_fields, &ret->ova, &note));
        json_array_foreach(ret->ova.objects, i, object) {
                if (strcmp(json_string_value(json_object_get(object, "class")), "VDI") != 0)
                        continue;
                snprintf(disks[n_disks].ref, sizeof disks[n_disks].ref, "%s",
                         json_string_value(json_object_get(object, "id")));
                disks[n_disks++].size_bytes = (uint64_t)json_integer_value(
                        json_object_get(json_object_get(object, "snapshot"), "virtual_size"));
        }
        xva_walk_init(&walk, disks, n_disks, true);
        for (at = (size_t)tar_member_size(member.size_bytes);;
             at += (size_t)tar_member_size(member.size_bytes)) {
                const uint8_t *body = data + at + TAR_BLOCK;
                struct xva_step step;

                member = xva_kit_member(data, n, at, &kind);
                if (kind == TAR_END)
                        break;
                assert_ok(xva_walk_next(&walk, &member, &step, &note));
                if (step.what == XVA_TAKE_BLOCK) {
                        struct xva_kit_disk *disk = xva_kit_disk_of(ret, &disks[step.disk]);

                        memcpy(disk->data + step.at, body, (size_t)step.n);
                        disk->n_blocks++;
                        xva_xxh64((struct span){body, (size_t)step.n}, checksum);
                } else {
                        assert_int_equal(step.what, XVA_TAKE_CHECKSUM);
                        assert_memory_equal(body, checksum, XVA_XXH64_SIZE);
                }
        }
        assert_ok(xva_walk_end(&walk, &note));
        assert_int_equal(n - at, TAR_END_SIZE);
        assert_true(bytes_are_zero(data + at, n - at));
}

#endif
