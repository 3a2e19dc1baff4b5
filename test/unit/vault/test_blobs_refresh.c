// SPDX-License-Identifier: Apache-2.0
/* What a refresh makes of what lies on the target, and of what is in the cache. */
#include "blobs_room.h"

/* Two packs, an index of both. */
struct two {
        struct room room;
        struct kit_pack packs[2];
        struct vault_name index;
};

static void two_init(struct two *two) {
        memset(two, 0, sizeof *two);
        room_init(&two->room, false);
        room_pack(&two->room, 10, 3, &two->packs[0]);
        room_pack(&two->room, 20, 3, &two->packs[1]);
        two->index = room_index(&two->room, two->packs, 2, NULL, 0);
}

static void two_fini(struct two *two) {
        kit_pack_fini(&two->packs[0]);
        kit_pack_fini(&two->packs[1]);
        room_fini(&two->room);
}

/* As another process would: nothing but the cache is kept. */
static void reopen(struct two *two, const char *cache) {
        blobs_free(two->room.blobs);
        two->room.blobs = room_blobs(&two->room, cache);
        room_refresh(&two->room);
}

static void assert_all_there(struct two *two) {
        for (uint64_t i = 0; i < 3; i++) {
                assert_true(room_knows(&two->room, 10 + i));
                assert_true(room_knows(&two->room, 20 + i));
        }
}

static void cache_path(const struct two *two, char ret[64]) {
        (void)snprintf(ret, 64, "/cache/%s", vault_name_format(&two->index).s);
}

static void indexes_are_opened_once(void **state) {
        struct two two;
        uint64_t reads;

        (void)state;
        two_init(&two);
        room_refresh(&two.room);
        assert_all_there(&two);
        reads = target_sim_count(two.room.sim).reads;
        room_refresh(&two.room);
        assert_all_there(&two);
        reopen(&two, "/cache");
        assert_all_there(&two);
        assert_int_equal(target_sim_count(two.room.sim).reads, reads);
        reopen(&two, NULL);
        assert_all_there(&two);
        assert_true(target_sim_count(two.room.sim).reads > reads);
        two_fini(&two);
}

static void packs_without_an_index_are_read_by_their_trailers(void **state) {
        struct two two;
        struct kit_pack third = {0};

        (void)state;
        two_init(&two);
        room_pack(&two.room, 30, 3, &third);
        room_refresh(&two.room);
        assert_all_there(&two);
        assert_true(room_knows(&two.room, 32));
        room_remove(&two.room, vault_path_of(VAULT_INDEX, &two.index).s);
        room_refresh(&two.room);
        assert_all_there(&two);
        assert_int_equal(blobs_count(two.room.blobs).n_indexes, 0);
        (void)room_index(&two.room, &third, 1, NULL, 0);
        room_refresh(&two.room);
        assert_all_there(&two);
        assert_true(room_knows(&two.room, 32));
        kit_pack_fini(&third);
        two_fini(&two);
}

static void a_pack_that_went_counts_no_more(void **state) {
        struct two two;

        (void)state;
        two_init(&two);
        room_refresh(&two.room);
        room_remove(&two.room, vault_pack_path(&two.packs[1].pack.head.name).s);
        room_refresh(&two.room);
        assert_true(room_knows(&two.room, 11));
        assert_false(room_knows(&two.room, 21));
        two_fini(&two);
}

static void an_excluded_pack_does_not_count_and_is_read(void **state) {
        struct two two;
        struct blobs_excluded excluded = {0};
        struct blob_place place;
        struct err_note note;

        (void)state;
        two_init(&two);
        *vec_add(&excluded.packs) = two.packs[1].pack.head.name;
        assert_ok(blobs_refresh(two.room.blobs, &excluded, &note));
        assert_true(room_knows(&two.room, 11));
        assert_false(room_knows(&two.room, 21));
        assert_true(room_find(&two.room, 21, &place));
        assert_true(place.pack->is_excluded);
        room_refresh(&two.room);
        assert_true(room_knows(&two.room, 21));
        vec_fini(&excluded.packs);
        two_fini(&two);
}

static void a_replaced_index_is_left_out(void **state) {
        struct two two;
        struct vault_name by;

        (void)state;
        two_init(&two);
        by = room_index(&two.room, two.packs, 2, &two.index, 1);
        room_refresh(&two.room);
        assert_all_there(&two);
        assert_int_equal(blobs_count(two.room.blobs).n_indexes, 1);
        room_remove(&two.room, vault_path_of(VAULT_INDEX, &by).s);
        room_refresh(&two.room);
        assert_all_there(&two);
        assert_int_equal(blobs_count(two.room.blobs).n_indexes, 1);
        two_fini(&two);
}

static void a_damaged_index_is_counted_and_its_packs_are_read(void **state) {
        struct two two;

        (void)state;
        two_init(&two);
        assert_true(target_sim_flip(two.room.sim, vault_path_of(VAULT_INDEX, &two.index).s, 200, 1));
        room_refresh(&two.room);
        assert_all_there(&two);
        assert_int_equal(blobs_count(two.room.blobs).n_damaged_indexes, 1);
        two_fini(&two);
}

static void a_damaged_pack_is_counted(void **state) {
        struct two two;
        struct kit_pack third = {0};

        (void)state;
        two_init(&two);
        room_pack(&two.room, 30, 3, &third);
        assert_true(target_sim_flip(two.room.sim, vault_pack_path(&third.pack.head.name).s,
                                    third.pack.length - 100, 1));
        room_refresh(&two.room);
        assert_all_there(&two);
        assert_false(room_has(&two.room, 30));
        assert_int_equal(blobs_count(two.room.blobs).n_damaged_packs, 1);
        kit_pack_fini(&third);
        two_fini(&two);
}

static void a_target_that_fails_fails_the_refresh(void **state) {
        struct two two;
        struct err_note note;

        (void)state;
        two_init(&two);
        for (uint64_t n = 1; n <= 3; n++) {
                target_sim_fail_at(two.room.sim, n, ERR_IO, false);
                assert_err(blobs_refresh(two.room.blobs, &room_none, &note), ERR_IO, "asked for");
        }
        room_refresh(&two.room);
        assert_all_there(&two);
        two_fini(&two);
}

static void break_byte(struct io *io, const char *path, uint64_t at) {
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note;
        uint8_t byte;

        assert_ok(io_open(io, path, IO_WRITE, &file, &note));
        assert_ok(io_read(file, &byte, 1, at, &note));
        byte ^= 0x10;
        assert_ok(io_write(file, &byte, 1, at, &note));
}

static uint64_t size_of(struct io *io, const char *path) {
        struct io_stat stat;
        struct err_note note;

        assert_ok(io_stat_path(io, path, &stat, &note));
        return stat.size;
}

/* Whichever byte of the cached file it is: the next process finds what is there. */
static void a_damaged_cache_is_made_again(void **state) {
        struct two two;
        char path[64];
        uint64_t size;

        (void)state;
        two_init(&two);
        room_refresh(&two.room);
        cache_path(&two, path);
        size = size_of(two.room.io, path);
        for (uint64_t at = 0; at < size; at += at < 900 ? 7 : size - at > 600 ? 509 : 11) {
                break_byte(two.room.io, path, at);
                reopen(&two, "/cache");
                assert_all_there(&two);
        }
        two_fini(&two);
}

static void a_cache_that_is_damaged_in_use_is_made_again(void **state) {
        struct two two;
        char path[64];

        (void)state;
        two_init(&two);
        room_refresh(&two.room);
        cache_path(&two, path);
        for (uint64_t i = 1; i <= 8 * VAULT_INDEX_ENTRY_SIZE; i += 13) {
                reopen(&two, "/cache");
                break_byte(two.room.io, path, size_of(two.room.io, path) - i);
                assert_all_there(&two);
        }
        two_fini(&two);
}

/* A disk that cannot be read does not make it go round and round. */
static void a_cache_that_stays_damaged_is_done_without(void **state) {
        struct two two;
        char path[64];

        (void)state;
        two_init(&two);
        cache_path(&two, path);
        room_refresh(&two.room);
        io_sim_break(two.room.io, path, 1 << 20, 0);
        (void)room_has(&two.room, 11);
        room_refresh(&two.room);
        assert_all_there(&two);
        two_fini(&two);
}

static void a_full_disk_costs_memory_alone(void **state) {
        struct two two;

        (void)state;
        two_init(&two);
        io_sim_resize(two.room.io, io_sim_used(two.room.io));
        room_refresh(&two.room);
        assert_all_there(&two);
        two_fini(&two);
}

static void what_is_listed_no_more_leaves_the_cache(void **state) {
        struct two two;
        AUTO(io_names_fini) struct io_names names = {0};
        struct err_note note;

        (void)state;
        two_init(&two);
        room_refresh(&two.room);
        room_remove(&two.room, vault_path_of(VAULT_INDEX, &two.index).s);
        room_refresh(&two.room);
        assert_ok(io_list(two.room.io, "/cache", &names, &note));
        assert_int_equal(names.names.n, 0);
        two_fini(&two);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(indexes_are_opened_once),
                cmocka_unit_test(packs_without_an_index_are_read_by_their_trailers),
                cmocka_unit_test(a_pack_that_went_counts_no_more),
                cmocka_unit_test(an_excluded_pack_does_not_count_and_is_read),
                cmocka_unit_test(a_replaced_index_is_left_out),
                cmocka_unit_test(a_damaged_index_is_counted_and_its_packs_are_read),
                cmocka_unit_test(a_damaged_pack_is_counted),
                cmocka_unit_test(a_target_that_fails_fails_the_refresh),
                cmocka_unit_test(a_damaged_cache_is_made_again),
                cmocka_unit_test(a_cache_that_is_damaged_in_use_is_made_again),
                cmocka_unit_test(a_cache_that_stays_damaged_is_done_without),
                cmocka_unit_test(a_full_disk_costs_memory_alone),
                cmocka_unit_test(what_is_listed_no_more_leaves_the_cache),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
