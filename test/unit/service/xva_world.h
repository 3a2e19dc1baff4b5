// SPDX-License-Identifier: Apache-2.0
/* A host on a simulated machine, with an SR and a VM of five disks.  Threads: one.
 */
#ifndef TEST_UNIT_SERVICE_XVA_WORLD_H
#define TEST_UNIT_SERVICE_XVA_WORLD_H

#include "call_kit.h"

#include "store_sqlite.h"
#include "turn.h"
#include "xva_kit.h"
#include "xva_outlet.h"

enum { WORLD_DISKS = 5 };

/* Of world_sizes at which something happens, each with a little in it. */
static const uint64_t world_sizes[WORLD_DISKS] = {5 * MIB + 1536, 512, MIB, 12 * MIB, 3 * MIB};

struct world {
        struct io *io; /* owned */
        struct sr *sr; /* owned */
        struct turn turn;
        struct host_sr of_host;
        struct host host;
        struct objects *objects;   /* owned */
        struct chain_batch *batch; /* owned */
        struct uuid vdis[WORLD_DISKS], vm;
        uint8_t *data[WORLD_DISKS]; /* owned */
        uint8_t *memory;            /* owned */
};

static inline void world_fill(struct world *w, unsigned i, uint64_t at, size_t n) {
        struct chain *chain;
        struct err_note note;

        memset(w->data[i] + at, (int)('a' + i), n);
        assert_ok(sr_open_chain(w->sr, &w->vdis[i], CHAIN_WRITE, &chain, &note));
        assert_ok(chain_write(chain, w->data[i] + at, n, at, &note));
        assert_ok(sr_close_chain(w->sr, chain, &note));
}

static inline void world_init(struct world *w) {
        struct err_note note = {0};

        *w = (struct world){.io = io_sim_new(1, 0)};
        assert_ok(sr_create(w->io, "/sr", "main", NULL, &w->of_host.uuid, &note));
        assert_ok(sr_open(w->io, "/sr", NULL, &w->sr, &note));
        turn_init(&w->turn, w->io);
        assert_ok(io_make_dir(w->io, "/state", &note));
        assert_ok(io_sync_dir(w->io, "/", &note));
        assert_ok(objects_open(w->io, "/state/state.db", store_sqlite_open, &w->objects, &note));
        assert_ok(chain_batch_new(w->io, &w->batch, &note));
        w->of_host.sr = w->sr;
        w->of_host.turn = &w->turn;
        w->host = (struct host){
                .io = w->io, .state_dir = "/state", .objects = w->objects, .srs = &w->of_host, .n_srs = 1};
        for (unsigned i = 0; i < WORLD_DISKS; i++) {
                const struct vdi_options options = {.size = world_sizes[i], .kind = IMAGE_VHD};

                w->data[i] = mem_zero((size_t)world_sizes[i]);
                assert_ok(sr_vdi_create(w->sr, &options, &w->vdis[i], &note));
                world_fill(w, i, world_sizes[i] / 2, 200);
        }
        world_fill(w, 3, 11 * MIB + 5, 100);
        w->vm = xva_kit_vm(w->objects, &w->of_host.uuid, w->vdis, WORLD_DISKS);
        w->memory = mem_aligned(4096, XVA_OUTLET_ROOM);
}

static inline void world_fini(struct world *w) {
        for (unsigned i = 0; i < WORLD_DISKS; i++)
                free(w->data[i]);
        free(w->memory);
        chain_batch_free(w->batch);
        objects_close(w->objects);
        sr_close(w->sr);
        turn_fini(&w->turn);
        assert_int_equal(io_sim_open_files(w->io), 0);
        io_free(w->io);
}

static inline struct xva_outlet *world_open_vm(struct world *w) {
        struct xva_outlet *outlet;
        struct err_note note = {0};

        assert_ok(xva_outlet_open(&w->host, &w->vm, &outlet, &note));
        return outlet;
}

static inline void world_close_vm(struct xva_outlet *outlet) {
        struct err_note note = {0};

        assert_ok(xva_outlet_close(outlet, &note));
}

static inline struct buf world_read_all(struct world *w, struct xva_outlet *outlet) {
        struct err_note note = {0};
        struct buf all = {0};
        const uint8_t *data;
        size_t n;

        do {
                assert_ok(xva_outlet_read(outlet, w->batch, all.n, w->memory, &data, &n, &note));
                buf_add(&all, data, n);
        } while (n > 0);
        return all;
}

#endif
