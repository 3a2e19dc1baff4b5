// SPDX-License-Identifier: Apache-2.0
/* An archive, behind a byte that says in pieces of which size it comes, and a byte whose first bit has the
 * checksums of its headers mended: the VM and its disks are there, or nothing is. */
#include "fuzz.h"

#include <string.h>

#include "io_sim.h"
#include "mem.h"
#include "sr.h"
#include "store_sqlite.h"
#include "tar.h"
#include "turn.h"
#include "xva_inlet.h"

/* One for all inputs, each of which leaves it as it was. */
static struct world {
        struct io *io;
        struct turn turn;
        struct host_sr of_host;
        struct host host;
} world;

static void begin(void) {
        struct err_note note;
        struct sr *sr;

        world.io = io_sim_new(1, 0);
        MUST_HOLD(!sr_create(world.io, "/sr", "main", NULL, &world.of_host.uuid, &note));
        MUST_HOLD(!sr_open(world.io, "/sr", NULL, &sr, &note));
        MUST_HOLD(!io_make_dir(world.io, "/state", &note));
        turn_init(&world.turn, world.io);
        world.of_host.sr = sr;
        world.of_host.turn = &world.turn;
        world.host = (struct host){.io = world.io, .state_dir = "/state", .srs = &world.of_host, .n_srs = 1};
        MUST_HOLD(!objects_open(world.io, "/state/state.db", store_sqlite_open, &world.host.objects, &note));
}

/* As far as members are told apart. */
static void mend(uint8_t *data, size_t n) {
        for (size_t at = 0; range_fits(at, TAR_BLOCK, n);) {
                struct tar_header_disk *header = (struct tar_header_disk *)(data + at);
                struct tar_member member;
                struct err_note note;
                enum tar_kind kind;
                unsigned sum = 0;

                memset(header->checksum, ' ', sizeof header->checksum);
                for (size_t i = 0; i < TAR_BLOCK; i++)
                        sum += data[at + i];
                if (bytes_are_zero(header->name, sizeof header->name))
                        return;
                snprintf(header->checksum, sizeof header->checksum - 1, "%06o", sum);
                if (tar_decode(header, &kind, &member, &note) || kind == TAR_END || member.size_bytes > n)
                        return;
                at += (size_t)tar_member_size(member.size_bytes);
        }
}

static void remove_all(void) {
        static const enum xapi_class_id classes[] = {XAPI_VM, XAPI_VBD, XAPI_VIF, XAPI_VDI, XAPI_NETWORK};
        struct objects_change *change;
        struct err_note note;

        while (sr_n_vdis(world.of_host.sr) > 0) {
                const struct uuid vdi = sr_vdi_at(world.of_host.sr, 0)->row.uuid;

                MUST_HOLD(!sr_vdi_delete(world.of_host.sr, &vdi, &note));
        }
        objects_begin(world.host.objects, &change);
        for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
                struct uuid uuid;

                json_t *all = objects_all(world.host.objects, classes[i]), *record;
                const char *ref;

                json_object_foreach(all, ref, record) {
                        MUST_HOLD(xapi_ref_parse(ref, &uuid));
                        MUST_HOLD(objects_remove(change, classes[i], &uuid));
                }
                json_decref(all);
        }
        MUST_HOLD(!objects_commit(change, NULL, &note));
}

static enum err import(const uint8_t *data, size_t n, size_t piece) {
        const struct xva_inlet_ask ask = {.host = &world.host, .sr = &world.of_host};
        AUTO(xva_inlet_free) struct xva_inlet *inlet = NULL;
        struct err_note note = {0};
        struct uuid vm;

        MUST_HOLD(!xva_inlet_new(&ask, &inlet, &note));
        for (size_t at = 0; at < n; at += piece)
                if (xva_inlet_push(inlet, data + at, (size_t)min_u64(piece, n - at), &note))
                        return note.code;
        return xva_inlet_commit(inlet, &vm, &note);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        uint8_t *copy;
        enum err err;

        if (!world.io)
                begin();
        if (n < 2)
                return 0;
        copy = mem_zero(n - 2 + 1);
        memcpy(copy, data + 2, n - 2);
        if (data[1] & 1)
                mend(copy, n - 2);
        err = import(copy, n - 2, (size_t)data[0] * 16 + 1);
        free(copy);
        if (err) {
                MUST_HOLD(sr_n_vdis(world.of_host.sr) == 0);
                MUST_HOLD(objects_count(world.host.objects, XAPI_VM) == 0);
        } else {
                MUST_HOLD(objects_count(world.host.objects, XAPI_VM) == 1);
                remove_all();
        }
        return 0;
}
