// SPDX-License-Identifier: Apache-2.0
/* A host of two SRs and objects, as the tests of VMs need it, on a machine that may crash.
 *
 * Errors: of open, returned; of the rest, each ends the test.  Threads: one.
 */
#ifndef TEST_UNIT_SERVICE_VMS_KIT_H
#define TEST_UNIT_SERVICE_VMS_KIT_H

#include "check.h"

#include "io_sim.h"
#include "mem.h"
#include "store_sqlite.h"
#include "vms.h"

enum { KIT_SRS = 2, KIT_BLOCKS = 2 };
#define KIT_SIZE (KIT_BLOCKS * 2 * MIB)

struct kit {
        struct io *io;                  /* borrowed */
        struct keepers *keepers;        /* owned */
        struct keeper *keeper[KIT_SRS]; /* owned */
        struct objects *objects;        /* owned */
        struct host_sr srs[KIT_SRS];
        struct host host;
};

static const struct sr_self kit_self = {.host = "alpha", .pid = 7, .command = "catenad"};
static const char *const kit_folders[KIT_SRS] = {"/one", "/two"};

UNUSED static void kit_close(struct kit *kit) {
        if (kit->objects)
                objects_close(kit->objects);
        for (size_t i = 0; i < KIT_SRS; i++)
                if (kit->keeper[i])
                        keeper_free(kit->keeper[i]);
        if (kit->keepers)
                keepers_free(kit->keepers);
        *kit = (struct kit){0};
}
DEFINE_AUTO_IN_PLACE(struct kit, kit_close);

UNUSED static enum err kit_make(struct io *io, struct err_note *note) {
        struct uuid unused;

        for (size_t i = 0; i < KIT_SRS; i++)
                if (sr_create(io, kit_folders[i], kit_folders[i] + 1, NULL, &unused, note))
                        return note->code;
        if (io_make_dir(io, "/state", note))
                return note->code;
        return io_sync_dir(io, "/", note);
}

static enum err kit_open_sr(struct kit *kit, size_t i, struct err_note *note) {
        struct host_sr *sr = &kit->srs[i];

        sr->keeper = kit->keeper[i] = keeper_new(kit->io, &kit_self, NULL);
        if (keeper_enter(sr->keeper, kit_folders[i], "open", NULL, &sr->sr, &sr->turn, note))
                return note->code;
        keeper_leave(sr->keeper);
        sr->uuid = sr_info(sr->sr)->uuid;
        keepers_add(kit->keepers, sr_where(sr->sr), sr->keeper);
        return ERR_NONE;
}

/* As a daemon's start does, recovery included. */
UNUSED static enum err kit_open(struct io *io, struct kit *ret, struct err_note *note) {
        *ret = (struct kit){.io = io, .keepers = keepers_new()};
        for (size_t i = 0; i < KIT_SRS; i++)
                if (kit_open_sr(ret, i, note))
                        return note->code;
        if (objects_open(io, "/state/state.db", store_sqlite_open, &ret->objects, note))
                return note->code;
        ret->host = (struct host){.io = io,
                                  .state_dir = "/state",
                                  .self = &kit_self,
                                  .keepers = ret->keepers,
                                  .objects = ret->objects,
                                  .srs = ret->srs,
                                  .n_srs = KIT_SRS};
        return vms_recover(&ret->host, note);
}

/* ---- disks: a letter at the head of each block ---- */

UNUSED static enum err kit_put(struct chain *chain, unsigned block, char letter, struct err_note *note) {
        uint8_t data[SECTOR];

        memset(data, letter, sizeof data);
        return chain_write(chain, data, sizeof data, block * 2 * MIB, note);
}

UNUSED static enum err kit_fill(struct sr *sr, const struct uuid *vdi, const char *letters,
                                struct err_note *note) {
        struct chain *chain;

        if (sr_open_chain(sr, vdi, CHAIN_WRITE, &chain, note))
                return note->code;
        for (unsigned i = 0; letters[i]; i++)
                if (letters[i] != '.' && kit_put(chain, i, letters[i], note)) {
                        struct err_note unused;

                        (void)!sr_close_chain(sr, chain, &unused);
                        return note->code;
                }
        return sr_close_chain(sr, chain, note);
}

UNUSED static enum err kit_disk(struct kit *kit, size_t sr, const char *name, const char *letters,
                                struct uuid *ret, struct err_note *note) {
        const struct vdi_options options = {.name = name, .size = KIT_SIZE};

        if (sr_vdi_create(kit->srs[sr].sr, &options, ret, note))
                return note->code;
        return kit_fill(kit->srs[sr].sr, ret, letters, note);
}

UNUSED static enum err kit_read(struct kit *kit, const struct uuid *vdi, char ret[KIT_BLOCKS + 1],
                                struct err_note *note) {
        const struct host_sr *sr = host_sr_of_vdi(&kit->host, vdi);
        struct chain *chain;

        memset(ret, 0, KIT_BLOCKS + 1);
        if (!sr)
                return err_set(note, ERR_NOT_FOUND, "disk %s is gone", uuid_format(vdi).s);
        if (sr_open_chain(sr->sr, vdi, CHAIN_READ, &chain, note))
                return note->code;
        for (unsigned i = 0; i < KIT_BLOCKS; i++) {
                uint8_t head = 0;
                struct err_note unused;

                if (chain_read(chain, &head, 1, i * 2 * MIB, note)) {
                        (void)!sr_close_chain(sr->sr, chain, &unused);
                        return note->code;
                }
                ret[i] = head ? (char)head : '.';
        }
        return sr_close_chain(sr->sr, chain, note);
}

/* ---- records ---- */

/* The disk on a device of a VM; the null uuid: there is none. */
UNUSED static struct uuid kit_disk_of(struct kit *kit, const struct uuid *vm, const char *device) {
        json_t *record = objects_get(kit->objects, XAPI_VM, vm), *refs = json_object_get(record, "VBDs"),
               *ref;
        struct uuid found = {{0}}, uuid;
        size_t i;

        json_array_foreach(refs, i, ref) {
                json_t *vbd = xapi_ref_parse(json_string_value(ref), &uuid)
                                      ? objects_get(kit->objects, XAPI_VBD, &uuid)
                                      : NULL;

                if (strcmp(json_string_value(json_object_get(vbd, "userdevice")), device) == 0)
                        (void)xapi_ref_parse(json_string_value(json_object_get(vbd, "VDI")), &found);
                json_decref(vbd);
        }
        json_decref(record);
        return found;
}

UNUSED static size_t kit_n_vdis(struct kit *kit) {
        size_t n = 0;

        for (size_t i = 0; i < KIT_SRS; i++)
                n += sr_n_vdis(kit->srs[i].sr);
        return n;
}

#endif
