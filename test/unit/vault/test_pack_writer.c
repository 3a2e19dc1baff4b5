// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "crew.h"
#include "fixture_vault.h"
#include "pack_trailer.h"
#include "pack_writer.h"
#include "target_sim.h"

struct place {
        struct io *io;
        struct target_sim *target;
        struct vault *vault;
        struct known *known;
        struct pack_writer *writer;
};

static void open_place(struct place *place, size_t index_entries) {
        struct pack_writer_options options = {.session = {{9}}, .index_entries = index_entries};
        struct err_note note;

        place->io = io_sim_new(1, 0);
        place->target = target_sim_new(1);
        assert_ok(fixture_vault_make(place->io, target_sim_open(place->target), true, &place->vault, &note));
        place->known = known_new(place->vault->blobs);
        options.vault = place->vault;
        options.known = place->known;
        assert_ok(pack_writer_new(&options, &place->writer, &note));
}

static void close_place(struct place *place) {
        pack_writer_free(place->writer);
        known_free(place->known);
        vault_close(place->vault);
        target_sim_free(place->target);
        io_free(place->io);
}
DEFINE_AUTO_IN_PLACE(struct place, close_place);

/* A chunk that does not compress, and says which it is. */
static void add_chunk(struct place *place, unsigned i) {
        static uint8_t content[FIXTURE_CHUNK];
        struct pack_writer_blob blob = {
                .data = content, .n = sizeof content, .codec = VAULT_AS_IS, .length = sizeof content};
        struct err_note note;

        memset(content, (int)i + 1, sizeof content);
        keyring_chunk_id(place->vault->keyring, content, sizeof content, &blob.id);
        assert_true(known_add(place->known, &blob.id));
        assert_ok(pack_writer_chunk(place->writer, &blob, &note));
}

static void end(struct place *place) {
        struct err_note note;
        bool is_idle;

        assert_ok(pack_writer_flush(place->writer, &note));
        assert_ok(pack_writer_wait(place->writer, CREW_FOREVER, &is_idle, &note));
        assert_true(is_idle);
        assert_ok(pack_writer_index(place->writer, &note));
}

static size_t count(struct place *place, const char *folder) {
        AUTO(target_list_fini) struct target_list list = {0};
        struct err_note note;

        assert_ok(target_list(place->vault->target, folder, &list, &note));
        return list.items.n;
}

static void packs_are_full_and_no_larger(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(target_list_fini) struct target_list list = {0};
        struct err_note note;

        (void)state;
        open_place(&place, 0);
        for (unsigned i = 0; i < 40; i++)
                add_chunk(&place, i);
        end(&place);
        assert_ok(target_list(place.vault->target, "packs/", &list, &note));
        assert_int_equal(list.items.n, 3); /* 15 chunks and their end fit into 1 MiB */
        VEC_EACH (&list.items, item)
                assert_true(item->size <= MIB);
        assert_int_equal(pack_writer_count(place.writer).n_packs, 3);
        assert_int_equal(pack_writer_count(place.writer).stored, 40 * (FIXTURE_CHUNK + VAULT_TAG_SIZE));
        assert_int_equal(count(&place, "indexes/"), 1);
}

static void what_was_written_is_found_by_who_opens_the_vault_anew(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(blob_reader_free) struct blob_reader *reader = NULL;
        struct err_note note;

        (void)state;
        open_place(&place, 0);
        for (unsigned i = 0; i < 20; i++)
                add_chunk(&place, i);
        end(&place);
        pack_writer_free(TAKE(place.writer));
        known_free(TAKE(place.known));
        vault_close(TAKE(place.vault));
        assert_ok(fixture_vault_open(place.io, target_sim_open(place.target), true, &place.vault, &note));
        reader = blob_reader_new(place.vault->blobs);
        for (unsigned i = 0; i < 20; i++) {
                uint8_t content[FIXTURE_CHUNK], got[FIXTURE_CHUNK];
                struct blob_place found;
                struct vault_id id;

                memset(content, (int)i + 1, sizeof content);
                keyring_chunk_id(place.vault->keyring, content, sizeof content, &id);
                assert_true(blobs_find(place.vault->blobs, &id, &found));
                assert_int_equal(found.pack->pack.head.session.b[0], 9);
                assert_ok(blob_read(reader, &found, true, got, &note));
                assert_memory_equal(got, content, sizeof got);
        }
}

static void an_index_is_put_every_so_many_entries(void **state) {
        AUTO(close_place) struct place place = {0};

        (void)state;
        open_place(&place, 30);
        for (unsigned i = 0; i < 100; i++)
                add_chunk(&place, i);
        end(&place);
        assert_int_equal(count(&place, "packs/"), 7);
        assert_int_equal(count(&place, "indexes/"), 4);
        assert_int_equal(known_pending(place.known), 0);
}

static void nodes_lie_together_behind_the_chunks(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(target_list_fini) struct target_list list = {0};
        AUTO(vault_pack_entries_fini) struct vault_pack_entries entries = {0};
        struct vault_id ids[VAULT_NODE_IDS] = {0}, id;
        struct vault_index_pack pack;
        struct vault_name name;
        struct err_note note;

        (void)state;
        open_place(&place, 0);
        for (unsigned i = 0; i < 10; i++) {
                add_chunk(&place, i);
                ids[0].b[0] = (uint8_t)(i + 1);
                keyring_node_id(place.vault->keyring, 1 + i % 2, ids, &id);
                assert_ok(pack_writer_node(place.writer, 1 + i % 2, &id, ids, &note));
        }
        end(&place);
        assert_ok(target_list(place.vault->target, "packs/", &list, &note));
        assert_int_equal(list.items.n, 1);
        assert_true(vault_path_parse(list.items.data[0].name, &name));
        assert_ok(pack_trailer_read(place.vault->target, place.vault->keyring, &name, list.items.data[0].size,
                                    &pack, &entries, &note));
        assert_int_equal(entries.list.n, 20);
        for (unsigned i = 0; i < 20; i++) {
                assert_int_equal(entries.list.data[i].type, i < 10 ? VAULT_CHUNK : VAULT_NODE);
                assert_int_equal(entries.list.data[i].level, i < 10 ? 0 : 1 + i % 2);
        }
}

static void a_pack_that_cannot_be_put_ends_it(void **state) {
        AUTO(close_place) struct place place = {0};
        struct err_note note;
        bool is_idle;

        (void)state;
        open_place(&place, 0);
        add_chunk(&place, 1);
        target_sim_fail_at(place.target, 1, ERR_NO_SPACE, false);
        assert_ok(pack_writer_flush(place.writer, &note));
        assert_err(pack_writer_wait(place.writer, CREW_FOREVER, &is_idle, &note), ERR_NO_SPACE, "put packs/");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(packs_are_full_and_no_larger),
                cmocka_unit_test(what_was_written_is_found_by_who_opens_the_vault_anew),
                cmocka_unit_test(an_index_is_put_every_so_many_entries),
                cmocka_unit_test(nodes_lie_together_behind_the_chunks),
                cmocka_unit_test(a_pack_that_cannot_be_put_ends_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
