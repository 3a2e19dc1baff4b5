// SPDX-License-Identifier: Apache-2.0
#include "blobs_room.h"
#include "pack_trailer.h"

static enum err read_it(struct room *room, const struct kit_pack *pack, uint64_t size,
                        struct err_note *note) {
        AUTO(vault_pack_entries_fini) struct vault_pack_entries entries = {0};
        struct vault_index_pack got;
        enum err err = pack_trailer_read(room->kit.target, room->kit.keyring, &pack->pack.head.name, size,
                                         &got, &entries, note);

        if (err)
                return err;
        assert_int_equal(got.length, pack->pack.length);
        assert_int_equal(got.n_blobs, pack->pack.n_blobs);
        assert_memory_equal(got.head.salt, pack->pack.head.salt, sizeof got.head.salt);
        assert_int_equal(entries.list.n, pack->entries.list.n);
        for (size_t i = 0; i < entries.list.n; i++) {
                assert_int_equal(entries.list.data[i].stored, pack->entries.list.data[i].stored);
                assert_int_equal(vault_id_compare(&entries.list.data[i].id, &pack->entries.list.data[i].id),
                                 0);
        }
        return ERR_NONE;
}

/* Small ones come whole, larger ones by their end and head, and those with a long trailer by its length. */
static void a_pack_says_what_it_has(void **state) {
        static const struct {
                unsigned n_chunks;
                uint64_t reads;
        } rows[] = {{0, 1}, {1, 2}, {20, 2}};

        (void)state;
        for (unsigned plain = 0; plain < 2; plain++)
                for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                        struct room room;
                        AUTO(kit_pack_fini) struct kit_pack pack = {0};
                        struct err_note note;

                        room_init(&room, plain);
                        room_pack(&room, 10, rows[i].n_chunks, &pack);
                        assert_ok(read_it(&room, &pack, pack.pack.length, &note));
                        assert_int_equal(target_sim_count(room.sim).reads, rows[i].reads);
                        room_fini(&room);
                }
}

static void a_long_trailer_is_read_whole(void **state) {
        struct room room;
        AUTO(kit_pack_fini) struct kit_pack pack = {0};
        struct err_note note;

        (void)state;
        room_init(&room, true);
        room_pack(&room, 1, 1500, &pack);
        assert_true(vault_pack_trailer_size(pack.pack.n_blobs) > 64 * 1024);
        assert_ok(read_it(&room, &pack, pack.pack.length, &note));
        room_fini(&room);
}

static void damage_outside_of_blobs_is_noticed(void **state) {
        struct room room;
        AUTO(kit_pack_fini) struct kit_pack pack = {0};
        struct vault_path path;
        struct err_note note;
        uint64_t length;

        (void)state;
        room_init(&room, false);
        room_pack(&room, 10, 1, &pack);
        path = vault_pack_path(&pack.pack.head.name);
        length = pack.pack.length;
        for (uint64_t at = 0; at < length;) {
                enum err err;

                assert_true(target_sim_flip(room.sim, path.s, at, 1));
                err = read_it(&room, &pack, length, &note);
                assert_true(err == ERR_CORRUPT || err == ERR_CUT_SHORT || err == ERR_UNSUPPORTED);
                assert_non_null(strstr(note.text, vault_name_format(&pack.pack.head.name).s));
                assert_true(target_sim_flip(room.sim, path.s, at, 1));
                at = at + 1 == VAULT_PACK_HEAD ? length - VAULT_PACK_END - 112 : at + 1;
        }
        room_fini(&room);
}

static void a_torn_pack_is_noticed(void **state) {
        struct room room;
        AUTO(kit_pack_fini) struct kit_pack pack = {0};
        struct err_note note;

        (void)state;
        room_init(&room, false);
        room_pack(&room, 10, 2, &pack);
        assert_err(read_it(&room, &pack, 10, &note), ERR_CUT_SHORT, "10 bytes");
        assert_err(read_it(&room, &pack, pack.pack.length - 1, &note), ERR_CUT_SHORT, "pack");
        assert_err(read_it(&room, &pack, pack.pack.length + 1, &note), ERR_CUT_SHORT, "pack");
        room_fini(&room);
}

static void a_pack_under_anothers_name_is_refused(void **state) {
        struct room room;
        AUTO(kit_pack_fini) struct kit_pack pack = {0};
        AUTO(buf_fini) struct buf bytes = {0};
        struct vault_path path;
        struct err_note note;

        (void)state;
        room_init(&room, true);
        room_pack(&room, 10, 2, &pack);
        path = vault_pack_path(&pack.pack.head.name);
        assert_ok(target_get(room.kit.target, path.s, 1 << 20, &bytes, &note));
        pack.pack.head.name.b[0] ^= 1;
        path = vault_pack_path(&pack.pack.head.name);
        assert_ok(target_put(room.kit.target, path.s, bytes.data, bytes.n, &note));
        assert_err(read_it(&room, &pack, bytes.n, &note), ERR_CORRUPT, "it is pack");
        room_fini(&room);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_pack_says_what_it_has),
                cmocka_unit_test(a_long_trailer_is_read_whole),
                cmocka_unit_test(damage_outside_of_blobs_is_noticed),
                cmocka_unit_test(a_torn_pack_is_noticed),
                cmocka_unit_test(a_pack_under_anothers_name_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
