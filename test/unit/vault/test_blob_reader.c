// SPDX-License-Identifier: Apache-2.0
#include "blobs_room.h"
#include "mem.h"

enum { CHUNKS = 60 };

struct disk {
        struct room room;
        struct kit_pack pack;
        struct blob_reader *reader; /* owned */
};

static void disk_init(struct disk *disk, bool is_plain) {
        memset(disk, 0, sizeof *disk);
        room_init(&disk->room, is_plain);
        room_pack(&disk->room, 100, CHUNKS, &disk->pack);
        (void)room_index(&disk->room, &disk->pack, 1, NULL, 0);
        room_refresh(&disk->room);
        disk->reader = blob_reader_new(disk->room.blobs);
}

static void disk_fini(struct disk *disk) {
        blob_reader_free(disk->reader);
        kit_pack_fini(&disk->pack);
        room_fini(&disk->room);
}

static const char *pack_path(const struct kit_pack *pack) {
        static struct vault_path path;

        path = vault_pack_path(&pack->pack.head.name);
        return path.s;
}

static void assert_reads(struct disk *disk, uint64_t number) {
        AUTO_FREE uint8_t *got = mem_zero(KIT_CHUNK), *want = mem_zero(KIT_CHUNK);
        struct blob_place place;
        struct err_note note;

        kit_chunk(number, want);
        assert_true(room_find(&disk->room, number, &place));
        assert_ok(blob_read(disk->reader, &place, true, got, &note));
        assert_memory_equal(got, want, KIT_CHUNK);
}

static void what_was_stored_is_read(void **state) {
        (void)state;
        for (unsigned plain = 0; plain < 2; plain++) {
                struct disk disk;
                struct vault_id got[VAULT_NODE_IDS], want[VAULT_NODE_IDS], id;
                struct blob_place place;
                struct err_note note;

                disk_init(&disk, plain);
                for (uint64_t i = 0; i < CHUNKS; i++)
                        assert_reads(&disk, 100 + i);
                for (uint64_t i = CHUNKS; i-- > 0;)
                        assert_reads(&disk, 100 + i * 7 % CHUNKS);
                id = kit_node_id(disk.room.kit.keyring, 100);
                kit_node(100, want);
                assert_true(blobs_find(disk.room.blobs, &id, &place));
                assert_ok(blob_read(disk.reader, &place, true, got, &note));
                assert_memory_equal(got, want, sizeof want);
                disk_fini(&disk);
        }
}

/* 60 chunks of some 2.9 MiB: one, then 256 KiB, 512 KiB, 1 MiB, 2 MiB. */
static void neighbours_are_fetched_together(void **state) {
        struct disk disk;
        struct target_sim_count before, after;

        (void)state;
        disk_init(&disk, false);
        before = target_sim_count(disk.room.sim);
        for (uint64_t i = 0; i < CHUNKS; i++)
                assert_reads(&disk, 100 + i);
        after = target_sim_count(disk.room.sim);
        assert_in_range(after.reads - before.reads, 2, 6);
        assert_true(after.bytes_read - before.bytes_read <= disk.pack.pack.length * 11 / 10 + 6 * KIT_CHUNK);
        disk_fini(&disk);
}

static void what_has_no_neighbours_is_fetched_alone(void **state) {
        struct disk disk;
        struct target_sim_count before;

        (void)state;
        disk_init(&disk, false);
        before = target_sim_count(disk.room.sim);
        for (uint64_t i = CHUNKS; i-- > 0;)
                assert_reads(&disk, 100 + i);
        assert_true(target_sim_count(disk.room.sim).bytes_read - before.bytes_read <= disk.pack.pack.length);
        disk_fini(&disk);
}

static void packs_by_turns_do_not_drive_each_other_out(void **state) {
        struct disk disk;
        struct kit_pack other = {0};
        struct target_sim_count before;

        (void)state;
        disk_init(&disk, false);
        room_pack(&disk.room, 1000, CHUNKS, &other);
        (void)room_index(&disk.room, &other, 1, NULL, 0);
        room_refresh(&disk.room);
        before = target_sim_count(disk.room.sim);
        for (uint64_t i = 0; i < CHUNKS; i++) {
                assert_reads(&disk, 100 + i);
                assert_reads(&disk, 1000 + i);
        }
        assert_in_range(target_sim_count(disk.room.sim).reads - before.reads, 4, 12);
        kit_pack_fini(&other);
        disk_fini(&disk);
}

static void many_packs_take_turns_in_the_windows(void **state) {
        struct disk disk;
        struct kit_pack others[9] = {0};

        (void)state;
        disk_init(&disk, false);
        for (unsigned i = 0; i < 9; i++)
                room_pack(&disk.room, 1000 + 10 * i, 4, &others[i]);
        room_refresh(&disk.room);
        for (uint64_t i = 0; i < 4; i++)
                for (uint64_t j = 0; j < 9; j++)
                        assert_reads(&disk, 1000 + 10 * j + i);
        for (unsigned i = 0; i < 9; i++)
                kit_pack_fini(&others[i]);
        disk_fini(&disk);
}

static void any_damage_is_noticed_and_named(void **state) {
        (void)state;
        for (unsigned plain = 0; plain < 2; plain++) {
                struct disk disk;
                AUTO_FREE uint8_t *got = mem_zero(KIT_CHUNK);
                struct blob_place place;
                struct err_note note;

                disk_init(&disk, plain);
                for (uint64_t number = 100; number < 102; number++) {
                        assert_true(room_find(&disk.room, number, &place));
                        for (uint64_t at = 0; at < place.blob.stored; at += 1 + at % 997 * 3) {
                                AUTO(blob_reader_free)
                                struct blob_reader *reader = blob_reader_new(disk.room.blobs);

                                assert_true(target_sim_flip(disk.room.sim, pack_path(&disk.pack),
                                                            place.at + at, 4));
                                assert_err(blob_read(reader, &place, false, got, &note), ERR_CORRUPT, "blob");
                                assert_non_null(
                                        strstr(note.text, vault_name_format(&disk.pack.pack.head.name).s));
                                assert_true(target_sim_flip(disk.room.sim, pack_path(&disk.pack),
                                                            place.at + at, 4));
                        }
                }
                disk_fini(&disk);
        }
}

static void another_copy_is_read_where_one_is_damaged_or_gone(void **state) {
        struct disk disk;
        struct kit_pack copy = {0};
        struct blob_place place;
        struct err_note note;
        AUTO_FREE uint8_t *got = mem_zero(KIT_CHUNK);

        (void)state;
        disk_init(&disk, false);
        room_pack(&disk.room, 100, 4, &copy);
        (void)room_index(&disk.room, &copy, 1, NULL, 0);
        room_refresh(&disk.room);
        assert_true(target_sim_flip(disk.room.sim, pack_path(&copy), 100, 1));
        assert_reads(&disk, 100);
        assert_true(target_sim_flip(disk.room.sim, pack_path(&copy), 100, 1));
        assert_true(target_sim_flip(disk.room.sim, pack_path(&disk.pack), 100, 1));
        assert_reads(&disk, 100);
        room_remove(&disk.room, pack_path(&disk.pack));
        assert_reads(&disk, 100);
        room_remove(&disk.room, pack_path(&copy));
        blob_reader_free(disk.reader);
        disk.reader = blob_reader_new(disk.room.blobs);
        assert_true(room_find(&disk.room, 100, &place));
        assert_err(blob_read(disk.reader, &place, true, got, &note), ERR_NOT_FOUND, "blob 0");
        kit_pack_fini(&copy);
        disk_fini(&disk);
}

static void one_copy_alone_is_read_where_that_is_asked_for(void **state) {
        struct disk disk;
        struct kit_pack copy = {0};
        struct vault_id id;
        AUTO_FREE uint8_t *got = mem_zero(KIT_CHUNK);
        unsigned good = 0;
        struct err_note note;

        (void)state;
        disk_init(&disk, false);
        room_pack(&disk.room, 100, 4, &copy);
        room_refresh(&disk.room);
        assert_true(target_sim_flip(disk.room.sim, pack_path(&disk.pack), 100, 1));
        id = kit_chunk_id(disk.room.kit.keyring, 100);
        for (unsigned i = 0; i < 2; i++) {
                struct blob_place place;

                assert_true(blobs_find_copy(disk.room.blobs, &id, i, &place));
                good += blob_read_copy(disk.reader, &place, true, got, &note) == ERR_NONE;
        }
        assert_int_equal(good, 1);
        kit_pack_fini(&copy);
        disk_fini(&disk);
}

/* Sealed by one who has the key, and not what its id says. */
static void content_of_another_id_is_noticed(void **state) {
        struct room room;
        struct kit_pack pack = {0};
        AUTO_FREE uint8_t *got = mem_zero(KIT_CHUNK);
        struct blob_place place;
        struct err_note note;

        (void)state;
        room_init(&room, true);
        room_pack(&room, 100, 2, &pack);
        room_refresh(&room);
        assert_true(room_find(&room, 100, &place));
        {
                AUTO(blob_reader_free) struct blob_reader *reader = blob_reader_new(room.blobs);
                AUTO(pack_key_free) struct pack_key *key = NULL;
                AUTO_FREE uint8_t *forged = mem_zero(KIT_CHUNK + VAULT_TAG_SIZE), *old = mem_zero(KIT_CHUNK);

                kit_chunk(200, forged);
                kit_chunk(100, old);
                assert_ok(pack_key_new(room.kit.keyring, &pack.pack.head, &key, &note));
                assert_ok(blob_read(reader, &place, true, got, &note));
                old = (free(old), mem_zero(KIT_CHUNK + VAULT_TAG_SIZE));
                kit_chunk(100, old);
                pack_key_seal(key, 0, &place.blob, forged, KIT_CHUNK, forged);
                pack_key_seal(key, 0, &place.blob, old, KIT_CHUNK, old);
                for (size_t i = 0; i < KIT_CHUNK + VAULT_TAG_SIZE; i++)
                        assert_true(target_sim_flip(room.sim, pack_path(&pack), place.at + i,
                                                    forged[i] ^ old[i]));
        }
        {
                AUTO(blob_reader_free) struct blob_reader *reader = blob_reader_new(room.blobs);

                assert_ok(blob_read(reader, &place, false, got, &note));
                assert_err(blob_read(reader, &place, true, got, &note), ERR_CORRUPT, "another id");
        }
        kit_pack_fini(&pack);
        room_fini(&room);
}

static void what_is_checked_is_opened_in_place_and_can_be_had_again(void **state) {
        (void)state;
        for (unsigned plain = 0; plain < 2; plain++) {
                struct disk disk;
                struct blob_place place;
                struct err_note note;

                disk_init(&disk, plain);
                for (uint64_t i = 0; i < 2 * CHUNKS; i++) {
                        assert_true(room_find(&disk.room, 100 + i / 2, &place));
                        assert_ok(blob_check(disk.reader, &place, i % 3 == 0, &note));
                }
                assert_reads(&disk, 100 + CHUNKS - 1);
                assert_reads(&disk, 100);
                assert_true(target_sim_flip(disk.room.sim, pack_path(&disk.pack), place.at + 1, 1));
                blob_reader_leave(disk.reader);
                assert_err(blob_check(disk.reader, &place, false, &note), ERR_CORRUPT, "is damaged");
                disk_fini(&disk);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_stored_is_read),
                cmocka_unit_test(neighbours_are_fetched_together),
                cmocka_unit_test(what_has_no_neighbours_is_fetched_alone),
                cmocka_unit_test(packs_by_turns_do_not_drive_each_other_out),
                cmocka_unit_test(many_packs_take_turns_in_the_windows),
                cmocka_unit_test(any_damage_is_noticed_and_named),
                cmocka_unit_test(another_copy_is_read_where_one_is_damaged_or_gone),
                cmocka_unit_test(one_copy_alone_is_read_where_that_is_asked_for),
                cmocka_unit_test(content_of_another_id_is_noticed),
                cmocka_unit_test(what_is_checked_is_opened_in_place_and_can_be_had_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
