// SPDX-License-Identifier: Apache-2.0
/* Copies of a blob, and many who look at once. */
#include <pthread.h>

#include "blobs_room.h"

static void copies_are_numbered_those_that_count_first(void **state) {
        struct room room;
        struct kit_pack packs[3] = {0};
        struct blobs_excluded excluded = {0};
        struct vault_id id;
        struct blob_place place;
        struct err_note note;
        bool is_seen[3] = {0};

        (void)state;
        room_init(&room, false);
        for (unsigned i = 0; i < 3; i++)
                room_pack(&room, 10, 2, &packs[i]);
        (void)room_index(&room, packs, 2, NULL, 0);
        (void)room_index(&room, &packs[2], 1, NULL, 0);
        *vec_add(&excluded.packs) = packs[2].pack.head.name;
        assert_ok(blobs_refresh(room.blobs, &excluded, &note));
        id = kit_chunk_id(room.kit.keyring, 11);
        for (unsigned copy = 0; copy < 3; copy++) {
                assert_true(blobs_find_copy(room.blobs, &id, copy, &place));
                assert_int_equal(place.pack->is_excluded, copy == 2);
                for (unsigned i = 0; i < 3; i++)
                        if (vault_name_compare(&packs[i].pack.head.name, &place.pack->pack.head.name) == 0) {
                                assert_false(is_seen[i]);
                                is_seen[i] = true;
                        }
        }
        assert_true(is_seen[0] && is_seen[1] && is_seen[2]);
        assert_false(blobs_find_copy(room.blobs, &id, 3, &place));
        vec_fini(&excluded.packs);
        for (unsigned i = 0; i < 3; i++)
                kit_pack_fini(&packs[i]);
        room_fini(&room);
}

static void what_is_tainted_does_not_count_and_comes_last(void **state) {
        struct room room;
        struct kit_pack packs[2] = {0};
        struct vault_id id;
        struct blob_place place;

        (void)state;
        room_init(&room, false);
        for (unsigned i = 0; i < 2; i++)
                room_pack(&room, 10, 2, &packs[i]);
        (void)room_index(&room, packs, 2, NULL, 0);
        room_refresh(&room);
        id = kit_chunk_id(room.kit.keyring, 11);
        for (unsigned i = 0; i < 4; i++) {
                const struct vault_name *name = &packs[i / 2].pack.head.name;
                const struct vault_place taint = {*name, i % 2 ? VAULT_WHOLE_PACK : 1};

                blobs_taint(room.blobs, &taint, 1);
                room_refresh(&room); /* it stays so */
                assert_true(blobs_find(room.blobs, &id, &place) && place.counts);
                assert_int_not_equal(vault_name_compare(&place.pack->pack.head.name, name), 0);
                assert_true(blobs_find_copy(room.blobs, &id, 1, &place) && !place.counts);
                assert_int_equal(vault_name_compare(&place.pack->pack.head.name, name), 0);
                /* Its neighbour counts still, unless all of the pack is tainted. */
                id = kit_chunk_id(room.kit.keyring, 10);
                assert_true(blobs_find_copy(room.blobs, &id, 1, &place) && place.counts == !(i % 2));
                id = kit_chunk_id(room.kit.keyring, 11);
        }
        blobs_taint(room.blobs, NULL, 0);
        assert_true(blobs_find_copy(room.blobs, &id, 1, &place) && place.counts);
        for (unsigned i = 0; i < 2; i++)
                kit_pack_fini(&packs[i]);
        room_fini(&room);
}

static void entries_have_numbers_and_packs_their_entries(void **state) {
        struct room room;
        struct kit_pack packs[2] = {0};
        uint8_t is_seen[6] = {0};
        struct err_note note;

        (void)state;
        room_init(&room, false);
        for (unsigned i = 0; i < 2; i++)
                room_pack(&room, 10 * i, 2, &packs[i]); /* and a node each */
        (void)room_index(&room, packs, 1, NULL, 0);
        (void)room_index(&room, &packs[1], 1, NULL, 0);
        room_refresh(&room);
        assert_int_equal(blobs_number(room.blobs), 6);
        for (unsigned i = 0; i < 2; i++) {
                AUTO(blob_places_fini) struct blob_places places = {0};

                assert_ok(blobs_of_pack(room.blobs, &packs[i].pack.head.name, &places, &note));
                assert_int_equal(places.list.n, 3);
                for (unsigned j = 0; j < 3; j++) {
                        const struct blob_place *place = &places.list.data[j];
                        struct blob_place found;

                        assert_int_equal(place->number, j);
                        assert_int_equal(is_seen[place->entry]++, 0);
                        assert_true(blobs_find(room.blobs, &place->blob.id, &found));
                        assert_int_equal(found.entry, place->entry);
                }
                kit_pack_fini(&packs[i]);
        }
        room_fini(&room);
}

static void nodes_are_found_as_chunks_are(void **state) {
        struct room room;
        AUTO(kit_pack_fini) struct kit_pack pack = {0};
        struct vault_id id;
        struct blob_place place;

        (void)state;
        room_init(&room, true);
        room_pack(&room, 10, 2, &pack);
        (void)room_index(&room, &pack, 1, NULL, 0);
        room_refresh(&room);
        id = kit_node_id(room.kit.keyring, 10);
        assert_true(blobs_find(room.blobs, &id, &place));
        assert_int_equal(place.blob.type, VAULT_NODE);
        assert_int_equal(place.blob.level, 1);
        assert_int_equal(place.number, 2);
        room_fini(&room);
}

/* ---- many at once ---- */

enum { THREADS = 3, ROUNDS = 15, CHUNKS = 12 };

struct crowd {
        struct room *room; /* borrowed from the case */
        unsigned failed;
};

static void *look_and_read(void *user) {
        struct crowd *crowd = user;
        AUTO(blob_reader_free) struct blob_reader *reader = blob_reader_new(crowd->room->blobs);
        uint8_t got[KIT_CHUNK], want[KIT_CHUNK];
        struct err_note note;

        for (unsigned round = 0; round < ROUNDS; round++)
                for (uint64_t i = 0; i < CHUNKS; i++) {
                        struct blob_place place;

                        kit_chunk(10 + i, want);
                        if (!room_find(crowd->room, 10 + i, &place) ||
                            blob_read(reader, &place, true, got, &note) || memcmp(got, want, sizeof got) != 0)
                                __atomic_add_fetch(&crowd->failed, 1, __ATOMIC_RELAXED);
                        (void)room_knows(crowd->room, 500 + i);
                }
        return NULL;
}

/* While others put packs and indexes, and refresh. */
static void many_look_and_read_while_packs_come(void **state) {
        struct room room;
        AUTO(kit_pack_fini) struct kit_pack first = {0};
        struct crowd crowd = {.room = &room};
        pthread_t threads[THREADS];

        (void)state;
        room_init(&room, false);
        room_pack(&room, 10, CHUNKS, &first);
        (void)room_index(&room, &first, 1, NULL, 0);
        room_refresh(&room);
        for (unsigned i = 0; i < THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, look_and_read, &crowd), 0);
        for (unsigned i = 0; i < ROUNDS; i++) {
                AUTO(kit_pack_fini) struct kit_pack pack = {0};

                room_pack(&room, 100 + i, 1, &pack);
                blobs_add(room.blobs, &pack.pack, pack.entries.list.data, (unsigned)pack.entries.list.n);
                if (i % 3 == 0)
                        (void)room_index(&room, &pack, 1, NULL, 0);
                room_refresh(&room);
                (void)blobs_count(room.blobs);
        }
        for (unsigned i = 0; i < THREADS; i++)
                assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(crowd.failed, 0);
        for (unsigned i = 0; i < ROUNDS; i++)
                assert_true(room_knows(&room, 100 + i));
        room_fini(&room);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(copies_are_numbered_those_that_count_first),
                cmocka_unit_test(what_is_tainted_does_not_count_and_comes_last),
                cmocka_unit_test(entries_have_numbers_and_packs_their_entries),
                cmocka_unit_test(nodes_are_found_as_chunks_are),
                cmocka_unit_test(many_look_and_read_while_packs_come),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
