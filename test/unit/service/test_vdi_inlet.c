// SPDX-License-Identifier: Apache-2.0
#include "call_kit.h"

#include "fixture.h"
#include "vdi_inlet.h"
#include "vdi_outlet.h"

enum { SIZE = 5 * 1024 * 1024 + 512, LARGER = 6 * 1024 * 1024 };

/* An SR in /sr, and of a disk of random content as much as is asked for. */
struct world {
        struct io *io; /* owned */
        struct sr *sr; /* owned */
        uint8_t *data; /* owned; SIZE bytes */
};

static void world_init(struct world *w) {
        struct fixture_dice dice = {5};
        struct err_note note;

        w->io = io_sim_new(1, 0);
        w->data = mem_zero(SIZE);
        for (unsigned i = 0; i < SIZE; i += 1 + (unsigned)fixture_roll(&dice, 40000))
                w->data[i] = (uint8_t)(1 + i % 251);
        kit_do(w->io, "sr", "create", "{'dir': '/sr', 'name': 'main'}");
        assert_ok(sr_open(w->io, "/sr", NULL, &w->sr, &note));
}

static void world_fini(struct world *w) {
        sr_close(w->sr);
        free(w->data);
        io_free(w->io);
}

static struct uuid create(struct world *w, uint64_t size) {
        const struct vdi_options options = {.size = size, .kind = IMAGE_VHD};
        struct err_note note;
        struct uuid uuid;

        assert_ok(sr_vdi_create(w->sr, &options, &uuid, &note));
        return uuid;
}

static enum err push_all(struct vdi_inlet *inlet, const uint8_t *data, size_t n, struct err_note *note) {
        for (size_t at = 0; at < n; at += 70000) {
                size_t piece = n - at < 70000 ? n - at : 70000;

                if (vdi_inlet_push(inlet, data + at, piece, note))
                        return note->code;
        }
        return ERR_NONE;
}

static void take_raw(struct world *w, const struct uuid *onto, uint64_t total, size_t n,
                     struct vdi_inlet_result *ret) {
        const struct vdi_inlet_ask ask = {.sr = w->sr,
                                          .format = STREAM_RAW,
                                          .total = total,
                                          .onto = *onto,
                                          .takes_any = true,
                                          .keeps_size = true};
        AUTO(vdi_inlet_free) struct vdi_inlet *inlet = NULL;
        struct err_note note;

        assert_ok(vdi_inlet_new(&ask, &inlet, &note));
        assert_ok(push_all(inlet, w->data, n, &note));
        assert_true(vdi_inlet_is_whole(inlet));
        assert_ok(vdi_inlet_commit(inlet, ret, &note));
}

static void assert_holds(struct world *w, const struct uuid *vdi, const uint8_t *data, size_t n,
                         uint64_t size) {
        AUTO_FREE uint8_t *got = mem_zero(size);
        struct chain *chain;
        struct err_note note;

        assert_ok(sr_open_chain(w->sr, vdi, CHAIN_READ, &chain, &note));
        assert_int_equal(chain_size(chain), size);
        assert_ok(chain_read(chain, got, size, 0, &note));
        assert_memory_equal(got, data, n);
        assert_true(size == n || bytes_are_zero(got + n, size - n));
        assert_ok(sr_close_chain(w->sr, chain, &note));
}

static void a_raw_disk_of_known_length_becomes_a_vdi(void **state) {
        const struct uuid none = {{0}};
        struct vdi_inlet_result result;
        struct world w;

        (void)state;
        world_init(&w);
        take_raw(&w, &none, SIZE, SIZE, &result);
        assert_int_equal(result.taken, SIZE);
        assert_holds(&w, &result.vdi, w.data, SIZE, SIZE);
        world_fini(&w);
}

static void onto_a_vdi_a_raw_disk_is_as_long_as_that(void **state) {
        struct vdi_inlet_result result;
        struct uuid vdi;
        struct world w;

        (void)state;
        world_init(&w);
        vdi = create(&w, SIZE);
        take_raw(&w, &vdi, UINT64_MAX, SIZE, &result);
        assert_true(uuid_equal(&result.vdi, &vdi));
        assert_holds(&w, &vdi, w.data, SIZE, SIZE);
        world_fini(&w);
}

static void what_is_less_than_a_block_smaller_is_its_beginning(void **state) {
        struct vdi_inlet_result result;
        struct uuid vdi;
        struct world w;

        (void)state;
        world_init(&w);
        vdi = create(&w, LARGER);
        take_raw(&w, &vdi, SIZE, SIZE, &result);
        assert_holds(&w, &vdi, w.data, SIZE, LARGER);
        world_fini(&w);
}

static void what_was_not_committed_did_not_happen(void **state) {
        const struct uuid none = {{0}};
        struct vdi_inlet_result result;
        struct err_note note;
        struct uuid vdi;
        struct world w;

        (void)state;
        world_init(&w);
        vdi = create(&w, SIZE);
        take_raw(&w, &vdi, SIZE, SIZE, &result);
        for (unsigned is_new = 0; is_new < 2; is_new++) {
                const struct vdi_inlet_ask ask = {.sr = w.sr,
                                                  .format = STREAM_RAW,
                                                  .total = SIZE,
                                                  .onto = is_new ? none : vdi,
                                                  .takes_any = true};
                AUTO(vdi_inlet_free) struct vdi_inlet *inlet = NULL;
                AUTO_FREE uint8_t *other = mem_zero(SIZE);

                memset(other, 'x', SIZE);
                assert_ok(vdi_inlet_new(&ask, &inlet, &note));
                assert_ok(push_all(inlet, other, SIZE - 1, &note));
                assert_false(vdi_inlet_is_whole(inlet));
                assert_int_equal(vdi_inlet_commit(inlet, &result, &note), ERR_CUT_SHORT);
        }
        assert_int_equal(sr_n_vdis(w.sr), 1);
        assert_holds(&w, &vdi, w.data, SIZE, SIZE);
        world_fini(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_raw_disk_of_known_length_becomes_a_vdi),
                cmocka_unit_test(onto_a_vdi_a_raw_disk_is_as_long_as_that),
                cmocka_unit_test(what_is_less_than_a_block_smaller_is_its_beginning),
                cmocka_unit_test(what_was_not_committed_did_not_happen),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
