// SPDX-License-Identifier: Apache-2.0
/* What is added by hand, and what is counted. */
#include "blobs_room.h"

static void what_was_added_is_found_at_once(void **state) {
        struct room room;
        AUTO(kit_pack_fini) struct kit_pack pack = {0};
        struct blob_place place;

        (void)state;
        room_init(&room, false);
        room_pack(&room, 10, 3, &pack);
        assert_false(room_has(&room, 10));
        blobs_add(room.blobs, &pack.pack, pack.entries.list.data, (unsigned)pack.entries.list.n);
        for (uint64_t i = 0; i < 3; i++) {
                assert_true(room_find(&room, 10 + i, &place));
                assert_int_equal(place.number, i);
                assert_true(room_knows(&room, 10 + i));
        }
        assert_int_equal(place.at, VAULT_PACK_HEAD + pack.entries.list.data[0].stored +
                                           pack.entries.list.data[1].stored);
        assert_int_equal(vault_name_compare(&place.pack->pack.head.name, &pack.pack.head.name), 0);
        assert_false(room_has(&room, 13));
        room_fini(&room);
}

static void an_index_takes_over_what_was_added(void **state) {
        struct room room;
        AUTO(kit_pack_fini) struct kit_pack pack = {0};
        AUTO(buf_fini) struct buf body = {0};
        struct vault_name name;
        struct blob_place before, after;
        struct err_note note;

        (void)state;
        room_init(&room, false);
        room_pack(&room, 10, 3, &pack);
        blobs_add(room.blobs, &pack.pack, pack.entries.list.data, (unsigned)pack.entries.list.n);
        assert_true(room_find(&room, 11, &before));
        assert_ok(kit_put_index(&room.kit, &pack, 1, NULL, 0, &name, &body, &note));
        assert_ok(blobs_add_index(room.blobs, &name, (struct span){body.data, body.n}, &note));
        assert_true(room_find(&room, 11, &after));
        assert_ptr_equal(before.pack, after.pack);
        assert_int_equal(before.at, after.at);
        assert_int_equal(before.number, after.number);
        assert_int_equal(blobs_count(room.blobs).n_indexes, 1);
        room_refresh(&room);
        assert_true(room_knows(&room, 11));
        assert_int_equal(blobs_count(room.blobs).n_indexes, 1);
        room_fini(&room);
}

/* Listings may lack it yet: it is ours, and in use all the same. */
static void an_index_of_ours_stays_until_it_is_listed(void **state) {
        struct room room;
        AUTO(kit_pack_fini) struct kit_pack pack = {0};
        AUTO(buf_fini) struct buf body = {0};
        struct vault_name name;
        struct err_note note;

        (void)state;
        room_init(&room, false);
        room_pack(&room, 10, 3, &pack);
        target_sim_set_weather(room.sim, &(struct target_sim_weather){.list_lag = 1000});
        assert_ok(kit_put_index(&room.kit, &pack, 1, NULL, 0, &name, &body, &note));
        assert_ok(blobs_add_index(room.blobs, &name, (struct span){body.data, body.n}, &note));
        room_refresh(&room);
        assert_true(room_knows(&room, 10));
        target_sim_settle(room.sim);
        room_refresh(&room);
        room_remove(&room, vault_path_of(VAULT_INDEX, &name).s);
        target_sim_settle(room.sim);
        room_refresh(&room);
        assert_int_equal(blobs_count(room.blobs).n_indexes, 0);
        assert_true(room_knows(&room, 10));
        room_fini(&room);
}

static void packs_and_bytes_are_counted(void **state) {
        struct room room;
        AUTO(kit_pack_fini) struct kit_pack one = {0};
        AUTO(kit_pack_fini) struct kit_pack two = {0};
        struct blobs_count count;

        (void)state;
        room_init(&room, true);
        room_pack(&room, 10, 3, &one);
        room_pack(&room, 20, 2, &two);
        (void)room_index(&room, &one, 1, NULL, 0);
        room_refresh(&room);
        count = blobs_count(room.blobs);
        assert_int_equal(count.n_packs, 2);
        assert_int_equal(count.n_indexes, 1);
        assert_int_equal(count.n_blobs, 4 + 3);
        assert_int_equal(count.stored, one.pack.length + two.pack.length);
        assert_int_equal(count.n_damaged_packs + count.n_damaged_indexes, 0);
        room_fini(&room);
}

static void the_caches_folder_must_lie_somewhere(void **state) {
        struct room room;
        struct blobs *blobs;
        struct err_note note;

        (void)state;
        room_init(&room, true);
        assert_err(blobs_new(&(struct blobs_options){room.io, room.kit.target, room.kit.keyring, "/no/cache"},
                             &blobs, &note),
                   ERR_NOT_FOUND, "/no/cache");
        room_fini(&room);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_added_is_found_at_once),
                cmocka_unit_test(an_index_takes_over_what_was_added),
                cmocka_unit_test(an_index_of_ours_stays_until_it_is_listed),
                cmocka_unit_test(packs_and_bytes_are_counted),
                cmocka_unit_test(the_caches_folder_must_lie_somewhere),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
