// SPDX-License-Identifier: Apache-2.0
#include "call_kit.h"

#include "vdi_outlet.h"

/* An SR in /sr with a VDI that has a snapshot. */
struct world {
        struct io *io; /* owned */
        struct sr *sr; /* owned */
        struct uuid vdi, snapshot;
};

static void world_init(struct world *w) {
        const struct vdi_options options = {.name = "a", .size = 4096 * 1024, .kind = IMAGE_VHD};
        const struct vdi_options of_snapshot = {.name = "s"};
        struct err_note note;

        w->io = io_sim_new(1, 0);
        kit_do(w->io, "sr", "create", "{'dir': '/sr', 'name': 'main'}");
        assert_ok(sr_open(w->io, "/sr", NULL, &w->sr, &note));
        assert_ok(sr_vdi_create(w->sr, &options, &w->vdi, &note));
        assert_ok(sr_vdi_snapshot(w->sr, &w->vdi, &of_snapshot, &w->snapshot, &note));
}

static void world_fini(struct world *w) {
        sr_close(w->sr);
        assert_int_equal(io_sim_open_files(w->io), 0);
        io_free(w->io);
}

static void a_state_keeps_its_name_until_it_is_written(void **state) {
        struct vdi_outlet outlet;
        struct err_note note;
        struct uuid first;
        struct world w;

        (void)state;
        world_init(&w);
        for (int i = 0; i < 3; i++) {
                const struct vdi_outlet_ask ask = {.vdi = w.vdi, .format = STREAM_VHD};

                assert_ok(vdi_outlet_open(w.sr, w.io, &ask, &outlet, &note));
                assert_int_equal(i > 1 && uuid_equal(&first, &outlet.uuid), i > 1);
                first = outlet.uuid;
                /* The first time the reader went away, and nobody has that state. */
                assert_ok(vdi_outlet_close(&outlet, i > 0, &note));
        }
        world_fini(&w);
}

static void a_delta_says_of_what(void **state) {
        const struct vdi_outlet_ask ask = {.format = STREAM_VHD};
        struct vdi_outlet_ask delta = ask;
        struct stream_source_options options;
        struct vdi_outlet outlet;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w);
        delta.vdi = w.vdi;
        delta.base = w.snapshot;
        assert_ok(vdi_outlet_open(w.sr, w.io, &delta, &outlet, &note));
        options = vdi_outlet_options(&outlet);
        assert_ptr_equal(options.base, outlet.base);
        assert_false(uuid_is_null(&options.parent_uuid));
        assert_memory_equal(options.parent_name, uuid_format(&w.snapshot).s, 36);
        assert_ok(vdi_outlet_close(&outlet, true, &note));
        delta.base = w.vdi;
        assert_int_equal(vdi_outlet_open(w.sr, w.io, &delta, &outlet, &note), ERR_INVALID);
        assert_ok(vdi_outlet_close(&outlet, false, &note));
        world_fini(&w);
}

static void one_that_is_written_to_can_be_refused(void **state) {
        struct vdi_outlet_ask ask = {.format = STREAM_RAW, .is_quiet = true};
        struct vdi_outlet outlet;
        struct chain *writer;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w);
        ask.vdi = w.vdi;
        assert_ok(sr_open_chain(w.sr, &w.vdi, CHAIN_WRITE, &writer, &note));
        assert_int_equal(vdi_outlet_open(w.sr, w.io, &ask, &outlet, &note), ERR_BUSY);
        ask.vdi = w.snapshot;
        assert_ok(vdi_outlet_open(w.sr, w.io, &ask, &outlet, &note));
        assert_ok(vdi_outlet_close(&outlet, true, &note));
        assert_ok(sr_close_chain(w.sr, writer, &note));
        ask.vdi = w.vdi;
        assert_ok(vdi_outlet_open(w.sr, w.io, &ask, &outlet, &note));
        assert_ok(vdi_outlet_close(&outlet, true, &note));
        ask.vdi.b[3] ^= 1;
        assert_int_equal(vdi_outlet_open(w.sr, w.io, &ask, &outlet, &note), ERR_NOT_FOUND);
        world_fini(&w);
}

/* A thousand readers of one disk cost one map; it is open until the last has gone. */
static void readers_of_one_disk_share_its_chain(void **state) {
        const struct vdi_outlet_ask ask = {.format = STREAM_RAW};
        struct vdi_outlet_ask of_vdi = ask;
        struct vdi_outlet first, second;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w);
        of_vdi.vdi = w.vdi;
        assert_ok(vdi_outlet_open(w.sr, w.io, &of_vdi, &first, &note));
        assert_ok(vdi_outlet_open(w.sr, w.io, &of_vdi, &second, &note));
        assert_ptr_equal(first.chain, second.chain);
        assert_ok(vdi_outlet_close(&first, true, &note));
        assert_int_equal(sr_vdi_delete(w.sr, &w.vdi, &note), ERR_BUSY);
        {
                uint8_t byte;

                assert_ok(chain_read(second.chain, &byte, 1, 0, &note));
        }
        assert_ok(vdi_outlet_close(&second, true, &note));
        assert_ok(sr_vdi_delete(w.sr, &w.vdi, &note));
        world_fini(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_state_keeps_its_name_until_it_is_written),
                cmocka_unit_test(a_delta_says_of_what),
                cmocka_unit_test(one_that_is_written_to_can_be_refused),
                cmocka_unit_test(readers_of_one_disk_share_its_chain),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
