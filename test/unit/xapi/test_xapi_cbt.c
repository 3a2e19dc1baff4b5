// SPDX-License-Identifier: Apache-2.0
#include "house.h"

#include "cbt_log.h"

enum { BLOCK = 2 << 20, BLOCKS = 4, BITS = BLOCKS * BLOCK / CBT_BLOCK_SIZE };

static char *tracked(struct house *house) {
        char *vdi = house_make_vdi(house, "web", BLOCKS * BLOCK);

        (void)house_ok(house, "VDI.enable_cbt", json_pack("[s]", vdi));
        return vdi;
}

static void write_at(struct house *house, const char *ref, uint64_t at) {
        struct host_sr *sr = &house->srs[0];
        struct err_note note = {0};
        struct chain *chain;
        struct uuid vdi;

        assert_true(xapi_ref_parse(ref, &vdi));
        turn_take(sr->turn, "test");
        assert_ok(sr_open_chain(sr->sr, &vdi, CHAIN_WRITE, &chain, &note));
        assert_ok(chain_write(chain, "x", 1, at, &note));
        assert_ok(sr_close_chain(sr->sr, chain, &note));
        turn_give(sr->turn);
}

static char *snapshot(struct house *house, const char *vdi) {
        return house_text(house, "VDI.snapshot", json_pack("[s, {}]", vdi));
}

static void assert_changed(struct house *house, const char *from, const char *to, unsigned block) {
        AUTO_FREE char *text = house_text(house, "VDI.list_changed_blocks", json_pack("[s, s]", from, to));
        uint8_t bits[BITS / 8] = {0};
        struct err_note note = {0};

        assert_int_equal(strlen(text), (BITS / 8 + 2) / 3 * 4);
        assert_ok(cbt_bitmap_from_text((struct span){(const uint8_t *)text, strlen(text)}, BLOCKS * BLOCK,
                                       bits, &note));
        for (unsigned i = 0; i < BITS; i++)
                assert_int_equal(cbt_bitmap_test(bits, i), i == block);
}

static void a_snapshot_without_data_is_compared_with_the_next(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = tracked(house);
        AUTO_FREE char *first = snapshot(house, vdi);
        AUTO_FREE char *second = NULL;
        AUTO_FREE char *third = NULL;

        assert_true(house_field_is(house, "VDI", vdi, "cbt_enabled", json_true()));
        assert_true(house_field_is(house, "VDI", first, "cbt_enabled", json_true()));
        (void)house_ok(house, "VDI.data_destroy", json_pack("[s]", first));
        assert_true(house_field_is(house, "VDI", first, "type", json_string("cbt_metadata")));
        assert_true(house_field_is(house, "VDI", first, "snapshot_of", json_string(vdi)));
        write_at(house, vdi, 5 * CBT_BLOCK_SIZE);
        second = snapshot(house, vdi);
        assert_changed(house, first, second, 5);
        (void)house_ok(house, "VDI.data_destroy", json_pack("[s]", second));
        write_at(house, vdi, 9 * CBT_BLOCK_SIZE);
        third = snapshot(house, vdi);
        /* Now the first is a name and a log, and a VDI still. */
        assert_changed(house, first, second, 5);
        assert_changed(house, second, third, 9);
        assert_true(house_field_is(house, "VDI", first, "managed", json_true()));
        assert_true(house_field_is(house, "VDI", first, "virtual_size", json_integer(BLOCKS * BLOCK)));
        (void)house_ok(house, "VDI.destroy", json_pack("[s]", first));
        house_fails(house, "VDI.get_record", json_pack("[s]", first), "HANDLE_INVALID", "VDI");
}

struct watched {
        struct io *io;       /* borrowed */
        uint64_t n_reads[4]; /* when the turn was given back */
        unsigned n;
};

static void on_given(void *user) {
        struct watched *watched = user;

        if (watched->n < 4)
                watched->n_reads[watched->n++] = io_sim_traffic(watched->io).reads;
}

/* What there is between two snapshots is read when others may have the SR. */
static void nobody_waits_while_snapshots_are_compared(void **state) {
        struct house *house = *state;
        struct watched watched = {.io = house->io};
        AUTO_FREE char *vdi = tracked(house);
        AUTO_FREE char *first = snapshot(house, vdi);
        AUTO_FREE char *second = NULL;

        write_at(house, vdi, 5 * CBT_BLOCK_SIZE);
        second = snapshot(house, vdi);
        turn_set_given(house->srs[0].turn, on_given, &watched);
        assert_changed(house, first, second, 5);
        assert_int_equal(watched.n, 1);
        assert_true(io_sim_traffic(house->io).reads > watched.n_reads[0]);
        turn_set_given(house->srs[0].turn, NULL, NULL);
}

static void what_cannot_be_compared_is_said_as_clients_know_it(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = tracked(house);
        AUTO_FREE char *first = snapshot(house, vdi);
        AUTO_FREE char *other = house_make_vdi(house, "other", BLOCK);
        AUTO_FREE char *plain = snapshot(house, other);

        house_fails(house, "VDI.list_changed_blocks", json_pack("[s, s]", first, first),
                    "SR_BACKEND_FAILURE_460", "");
        house_fails(house, "VDI.list_changed_blocks", json_pack("[s, s]", vdi, first),
                    "SR_BACKEND_FAILURE_460", "");
        house_fails(house, "VDI.list_changed_blocks", json_pack("[s, s]", first, other),
                    "SR_BACKEND_FAILURE_460", "");
        house_fails(house, "VDI.data_destroy", json_pack("[s]", plain), "VDI_NO_CBT_METADATA", plain);
        house_fails(house, "VDI.data_destroy", json_pack("[s]", vdi), "OPERATION_NOT_ALLOWED", NULL);
        house_fails(house, "VDI.enable_cbt", json_pack("[s]", first), "OPERATION_NOT_ALLOWED", NULL);
        (void)house_ok(house, "VDI.data_destroy", json_pack("[s]", first));
        (void)house_ok(house, "VDI.data_destroy", json_pack("[s]", first));
        house_fails(house, "VDI.enable_cbt", json_pack("[s]", first), "VDI_INCOMPATIBLE_TYPE", first);
        house_fails(house, "VDI.get_nbd_info", json_pack("[s]", first), "VDI_INCOMPATIBLE_TYPE", first);
        (void)house_ok(house, "VDI.disable_cbt", json_pack("[s]", vdi));
        assert_true(house_field_is(house, "VDI", vdi, "cbt_enabled", json_false()));
}

static void nbd_is_told_with_the_session_in_the_name(void **state) {
        struct house *house = *state;
        AUTO(certificate_free) struct certificate *certificate = certificate_new("PEM");
        AUTO_FREE char *vdi = house_make_vdi(house, "web", BLOCK);
        AUTO_FREE char *name =
                mem_format("/%s?session_id=%s", vdi + strlen(XAPI_REF_PREFIX), house->session.ref);
        static const struct host_place places[] = {{"192.0.2.7", 10809}, {"2001:db8::7", 7}};
        const json_t *info;

        assert_int_equal(json_array_size(house_ok(house, "VDI.get_nbd_info", json_pack("[s]", vdi))), 0);
        house->host.nbd_places = places;
        house->host.n_nbd_places = 2;
        house->host.certificate = certificate;
        info = json_array_get(house_ok(house, "VDI.get_nbd_info", json_pack("[s]", vdi)), 0);
        assert_string_equal(json_string_value(json_object_get(info, "exportname")), name);
        assert_string_equal(json_string_value(json_object_get(info, "address")), "192.0.2.7");
        assert_int_equal(json_integer_value(json_object_get(info, "port")), 10809);
        assert_string_equal(json_string_value(json_object_get(info, "cert")), "");
        info = json_array_get(house->call.result, 1);
        assert_string_equal(json_string_value(json_object_get(info, "exportname")), name);
        assert_string_equal(json_string_value(json_object_get(info, "address")), "2001:db8::7");
        assert_int_equal(json_integer_value(json_object_get(info, "port")), 7);
        house->host.nbd_has_tls = true;
        info = json_array_get(house_ok(house, "VDI.get_nbd_info", json_pack("[s]", vdi)), 0);
        assert_string_equal(json_string_value(json_object_get(info, "cert")), "PEM");
        assert_string_equal(json_string_value(json_object_get(info, "subject")), "192.0.2.7");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_snapshot_without_data_is_compared_with_the_next,
                                                house_set_up, house_tear_down),
                cmocka_unit_test_setup_teardown(nobody_waits_while_snapshots_are_compared, house_set_up,
                                                house_tear_down),
                cmocka_unit_test_setup_teardown(what_cannot_be_compared_is_said_as_clients_know_it,
                                                house_set_up, house_tear_down),
                cmocka_unit_test_setup_teardown(nbd_is_told_with_the_session_in_the_name, house_set_up,
                                                house_tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
