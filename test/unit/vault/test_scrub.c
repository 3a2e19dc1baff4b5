// SPDX-License-Identifier: Apache-2.0
#include "scrub.h"

#include "verify_room.h"

static struct vault_name first_pack(struct room *room) {
        struct vault_name name;

        assert_true(vault_path_parse(room_name(room, "packs/", 0), &name));
        return name;
}

static void scrub(struct room *room, bool content, struct scrubbed *ret) {
        struct vault_name name = first_pack(room);
        AUTO(blob_reader_free) struct blob_reader *reader = blob_reader_new(room->vault->blobs);
        uint64_t size;
        struct err_note note;

        assert_ok(target_size(room->vault->target, vault_pack_path(&name).s, &size, &note));
        assert_ok(scrub_pack(reader, room->vault, &name, size, content, ret, &note));
}

static void a_whole_pack_is_read_to_its_end_in_a_few_requests(void **state) {
        (void)state;
        for (int content = 0; content < 2; content++) {
                AUTO(room_fini) struct room room;
                AUTO(scrubbed_fini) struct scrubbed scrubbed = {0};
                uint64_t reads, size;
                struct err_note note;

                room_init(&room, true, ROOM_CHUNKS);
                reads = target_sim_count(room.sim).reads;
                scrub(&room, content, &scrubbed);
                assert_ok(target_size(room.vault->target, room_name(&room, "packs/", 0), &size, &note));
                assert_true(!scrubbed.text && !scrubbed.blobs.n && scrubbed.n_blobs >= 10);
                assert_int_equal(scrubbed.n_bytes, size);
                /* The trailer and the head, then the blobs, twice as many each time. */
                assert_true(target_sim_count(room.sim).reads - reads <= 6);
        }
}

static void each_damaged_blob_is_told(void **state) {
        AUTO(room_fini) struct room room;
        AUTO(scrubbed_fini) struct scrubbed whole = {0};
        AUTO(scrubbed_fini) struct scrubbed damaged = {0};
        uint64_t n;

        (void)state;
        room_init(&room, true, ROOM_CHUNKS);
        scrub(&room, true, &whole);
        n = whole.n_bytes;
        assert_true(target_sim_flip(room.sim, room_name(&room, "packs/", 0), 80, 1));
        assert_true(target_sim_flip(room.sim, room_name(&room, "packs/", 0), n / 2, 128));
        scrub(&room, false, &damaged);
        assert_int_equal(damaged.blobs.n, 2);
        assert_int_equal(damaged.blobs.data[0].number, 0);
        assert_true(damaged.blobs.data[1].at <= n / 2);
        assert_true(damaged.blobs.data[1].at + damaged.blobs.data[1].stored > n / 2);
        assert_null(damaged.text);
        assert_int_equal(damaged.n_blobs, whole.n_blobs);
}

static void without_its_trailer_a_pack_is_read_by_the_index(void **state) {
        AUTO(room_fini) struct room room;
        AUTO(scrubbed_fini) struct scrubbed whole = {0};
        AUTO(scrubbed_fini) struct scrubbed indexed = {0};
        AUTO(scrubbed_fini) struct scrubbed unknown = {0};

        (void)state;
        room_init(&room, true, ROOM_CHUNKS);
        scrub(&room, false, &whole);
        assert_true(target_sim_flip(room.sim, room_name(&room, "packs/", 0), whole.n_bytes - 100, 1));
        scrub(&room, true, &indexed);
        assert_non_null(strstr(indexed.text, "pack "));
        assert_int_equal(indexed.n_blobs, whole.n_blobs);
        assert_true(!indexed.is_unknown && indexed.blobs.n == 0);
        room_remove(&room, "indexes/", 0);
        room_reopen(&room);
        scrub(&room, true, &unknown);
        assert_true(unknown.text && unknown.is_unknown && unknown.n_blobs == 0);
}

static void a_pack_that_went_is_an_error_of_its_own(void **state) {
        AUTO(room_fini) struct room room;
        AUTO(blob_reader_free) struct blob_reader *reader = NULL;
        struct scrubbed scrubbed;
        struct vault_name name;
        struct err_note note;

        (void)state;
        room_init(&room, true, ROOM_CHUNKS);
        name = first_pack(&room);
        room_remove(&room, "packs/", 0);
        reader = blob_reader_new(room.vault->blobs);
        assert_int_equal(scrub_pack(reader, room.vault, &name, 1 << 20, true, &scrubbed, &note),
                         ERR_NOT_FOUND);
        blob_reader_free(TAKE(reader));
}

/* The neighbours that were fetched along are not what was asked for. */
static void a_failed_read_of_many_is_tried_for_one(void **state) {
        AUTO(room_fini) struct room room;
        unsigned n_told = 0;

        (void)state;
        room_init(&room, true, ROOM_CHUNKS);
        for (uint64_t n = 1; n < 6; n++) {
                AUTO(scrubbed_fini) struct scrubbed scrubbed = {0};
                AUTO(blob_reader_free) struct blob_reader *reader = blob_reader_new(room.vault->blobs);
                struct vault_name name = first_pack(&room);
                uint64_t size;
                struct err_note note;

                assert_ok(target_size(room.vault->target, vault_pack_path(&name).s, &size, &note));
                target_sim_fail_at(room.sim, n, ERR_IO, false);
                assert_ok(scrub_pack(reader, room.vault, &name, size, true, &scrubbed, &note));
                target_sim_fail_at(room.sim, 0, ERR_IO, false);
                n_told += (unsigned)scrubbed.blobs.n + (scrubbed.text != NULL);
                assert_true(scrubbed.blobs.n <= 1);
                blob_reader_free(TAKE(reader));
        }
        assert_true(n_told >= 2 && n_told <= 4); /* the trailer's reads, and the first blob's */
}

static void a_target_that_is_down_is_not_damage(void **state) {
        AUTO(room_fini) struct room room;
        struct err_note note;

        (void)state;
        room_init(&room, true, 3);
        assert_true(scrub_is_damage(room.vault, ERR_IO));
        assert_true(scrub_is_damage(room.vault, ERR_CORRUPT) && scrub_is_damage(room.vault, ERR_CUT_SHORT));
        assert_false(scrub_is_damage(room.vault, ERR_DENIED) || scrub_is_damage(room.vault, ERR_CANCELLED));
        target_sim_die_at(room.sim, 1, false);
        assert_int_not_equal(target_put(room.vault->target, "x", "x", 1, &note), ERR_NONE);
        assert_false(scrub_is_damage(room.vault, ERR_IO));
        target_sim_restart(room.sim);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_whole_pack_is_read_to_its_end_in_a_few_requests),
                cmocka_unit_test(each_damaged_blob_is_told),
                cmocka_unit_test(without_its_trailer_a_pack_is_read_by_the_index),
                cmocka_unit_test(a_pack_that_went_is_an_error_of_its_own),
                cmocka_unit_test(a_failed_read_of_many_is_tried_for_one),
                cmocka_unit_test(a_target_that_is_down_is_not_damage),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
