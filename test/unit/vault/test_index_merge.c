// SPDX-License-Identifier: Apache-2.0
#include "blobs_room.h"
#include "index_merge.h"

enum { PACKS = 8 };

/* As many packs, with an index each. */
struct shelf {
        struct room room;
        struct kit_pack packs[PACKS];
        struct vault_name indexes[PACKS];
};

static void shelf_init(struct shelf *shelf) {
        memset(shelf, 0, sizeof *shelf);
        room_init(&shelf->room, false);
        for (unsigned i = 0; i < PACKS; i++) {
                room_pack(&shelf->room, 100 * i, 2, &shelf->packs[i]);
                shelf->indexes[i] = room_index(&shelf->room, &shelf->packs[i], 1, NULL, 0);
        }
        room_refresh(&shelf->room);
}

static void shelf_fini(struct shelf *shelf) {
        for (unsigned i = 0; i < PACKS; i++)
                kit_pack_fini(&shelf->packs[i]);
        room_fini(&shelf->room);
}

static void assert_all_there(struct shelf *shelf, unsigned but) {
        for (unsigned i = 0; i < PACKS; i++) {
                struct blob_place place;

                assert_int_equal(room_knows(&shelf->room, 100 * i + 1), i != but);
                if (i == but)
                        continue;
                assert_true(room_find(&shelf->room, 100 * i + 1, &place));
                assert_int_equal(place.number, 1);
                assert_int_equal(place.at, VAULT_PACK_HEAD + shelf->packs[i].entries.list.data[0].stored);
                assert_memory_equal(place.pack->pack.head.salt, shelf->packs[i].pack.head.salt, 32);
        }
}

static uint64_t in_use(struct shelf *shelf) {
        return blobs_count(shelf->room.blobs).n_indexes;
}

static void sizes_of(struct shelf *shelf, size_t n, struct index_sizes *ret) {
        ret->list.n = 0;
        for (size_t i = 0; i < n; i++)
                *vec_add(&ret->list) = (struct index_size){shelf->indexes[i], 3};
}

static void eight_become_one(void **state) {
        struct shelf shelf;
        unsigned made;
        struct err_note note;

        (void)state;
        shelf_init(&shelf);
        assert_int_equal(in_use(&shelf), PACKS);
        assert_ok(index_merge_tiers(shelf.room.blobs, &made, &note));
        assert_int_equal(made, 1);
        assert_int_equal(in_use(&shelf), 1);
        assert_all_there(&shelf, PACKS);
        room_refresh(&shelf.room);
        assert_int_equal(in_use(&shelf), 1);
        assert_all_there(&shelf, PACKS);
        assert_ok(index_merge_tiers(shelf.room.blobs, &made, &note));
        assert_int_equal(made, 0);
        /* The replaced ones may go, or stay. */
        for (unsigned i = 0; i < PACKS; i++)
                room_remove(&shelf.room, vault_path_of(VAULT_INDEX, &shelf.indexes[i]).s);
        room_refresh(&shelf.room);
        assert_int_equal(in_use(&shelf), 1);
        assert_all_there(&shelf, PACKS);
        assert_int_equal(blobs_count(shelf.room.blobs).n_packs, PACKS);
        shelf_fini(&shelf);
}

static void two_who_do_the_same_cost_a_copy_alone(void **state) {
        struct shelf shelf;
        struct blobs *first, *second;
        unsigned made;
        struct err_note note;

        (void)state;
        shelf_init(&shelf);
        first = shelf.room.blobs;
        second = room_blobs(&shelf.room, "/other");
        assert_ok(blobs_refresh(second, &room_none, &note));
        assert_ok(index_merge_tiers(first, &made, &note));
        assert_ok(index_merge_tiers(second, &made, &note));
        assert_int_equal(made, 1);
        room_refresh(&shelf.room);
        assert_int_equal(in_use(&shelf), 2);
        assert_all_there(&shelf, PACKS);
        blobs_free(second);
        shelf_fini(&shelf);
}

/* What the merged ones replaced stays replaced when they are gone. */
static void what_was_replaced_stays_so(void **state) {
        struct shelf shelf;
        AUTO(index_sizes_fini) struct index_sizes sizes = {0};
        struct vault_name once, twice;
        struct err_note note;

        (void)state;
        shelf_init(&shelf);
        sizes_of(&shelf, 2, &sizes);
        assert_ok(index_merge(shelf.room.blobs, &sizes, &room_none, &once, &note));
        sizes.list.data[0].name = once;
        sizes.list.data[1].name = shelf.indexes[2];
        assert_ok(index_merge(shelf.room.blobs, &sizes, &room_none, &twice, &note));
        room_remove(&shelf.room, vault_path_of(VAULT_INDEX, &once).s);
        room_refresh(&shelf.room);
        assert_int_equal(in_use(&shelf), 1 + PACKS - 3);
        assert_all_there(&shelf, PACKS);
        shelf_fini(&shelf);
}

static void packs_can_be_left_out(void **state) {
        struct shelf shelf;
        AUTO(index_sizes_fini) struct index_sizes sizes = {0};
        struct blobs_excluded out = {0};
        struct vault_name name;
        struct err_note note;

        (void)state;
        shelf_init(&shelf);
        sizes_of(&shelf, PACKS, &sizes);
        *vec_add(&out.packs) = shelf.packs[3].pack.head.name;
        room_remove(&shelf.room, vault_pack_path(&shelf.packs[3].pack.head.name).s);
        assert_ok(index_merge(shelf.room.blobs, &sizes, &out, &name, &note));
        room_refresh(&shelf.room);
        assert_all_there(&shelf, 3);
        assert_false(room_has(&shelf.room, 301));
        vec_fini(&out.packs);
        shelf_fini(&shelf);
}

static void a_failure_leaves_all_as_it_was(void **state) {
        struct shelf shelf;
        AUTO(index_sizes_fini) struct index_sizes sizes = {0};
        struct vault_name name;
        struct err_note note;

        (void)state;
        shelf_init(&shelf);
        sizes_of(&shelf, 2, &sizes);
        target_sim_fail_at(shelf.room.sim, 1, ERR_NO_SPACE, false);
        assert_err(index_merge(shelf.room.blobs, &sizes, &room_none, &name, &note), ERR_NO_SPACE,
                   "2 indexes");
        sizes.list.data[1].name.b[0] ^= 1;
        assert_err(index_merge(shelf.room.blobs, &sizes, &room_none, &name, &note), ERR_NOT_FOUND,
                   "not in use");
        assert_int_equal(in_use(&shelf), PACKS);
        assert_all_there(&shelf, PACKS);
        shelf_fini(&shelf);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(eight_become_one),
                cmocka_unit_test(two_who_do_the_same_cost_a_copy_alone),
                cmocka_unit_test(what_was_replaced_stays_so),
                cmocka_unit_test(packs_can_be_left_out),
                cmocka_unit_test(a_failure_leaves_all_as_it_was),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
