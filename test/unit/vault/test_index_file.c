// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "index_file.h"
#include "io_sim.h"
#include "mem.h"
#include "sim_dice.h"

enum { PACKS = 7 };

static const struct vault_name name = {{9, 8, 7}};

/* n entries over some packs, every tenth id twice. */
static void make_body(unsigned n, struct buf *ret) {
        AUTO(vault_index_builder_free) struct vault_index_builder *builder = vault_index_builder_new();

        for (unsigned p = 0; p < PACKS; p++) {
                struct vault_index_pack pack = {.head.name.b = {(uint8_t)(p + 1)},
                                                .length = VAULT_PACK_HEAD + VAULT_PACK_END,
                                                .n_blobs = 0};
                unsigned first = n * p / PACKS, end = n * (p + 1) / PACKS;

                pack.n_blobs = end - first;
                pack.length += (uint64_t)pack.n_blobs * (1000 + VAULT_TAG_SIZE) +
                               vault_pack_trailer_size(pack.n_blobs);
                (void)vault_index_add_pack(builder, &pack);
                for (unsigned i = first; i < end; i++) {
                        struct vault_pack_entry entry = {.type = VAULT_CHUNK,
                                                         .codec = VAULT_ZSTD,
                                                         .stored = 1000 + VAULT_TAG_SIZE,
                                                         .length = VAULT_CHUNK_MIN};
                        struct sim_dice dice = {.state = sim_hash(i % 10 == 9 ? i - 1 : i, 3)};

                        sim_fill(&dice, entry.id.b, sizeof entry.id.b);
                        vault_index_add(builder, &entry);
                }
        }
        vault_index_encode(builder, ret);
}

static struct vault_id id_of(unsigned i) {
        struct sim_dice dice = {.state = sim_hash(i, 3)};
        struct vault_id id;

        sim_fill(&dice, id.b, sizeof id.b);
        return id;
}

static void assert_finds(const struct index_file *index, unsigned i, uint64_t want) {
        struct index_pieces pieces;
        struct vault_index_entry entry;
        struct vault_id id = id_of(i);
        uint64_t at, n;
        struct err_note note;

        index_pieces_init(&pieces);
        assert_ok(index_file_find(index, &pieces, &id, &at, &n, &note));
        assert_int_equal(n, want);
        if (n)
                assert_true(index_file_may_have(index, &id));
        for (uint64_t j = 0; j < n; j++) {
                assert_ok(index_file_entry(index, &pieces, at + j, &entry, &note));
                assert_int_equal(vault_id_compare(&entry.blob.id, &id), 0);
        }
}

static void check(const struct index_file *index, unsigned n) {
        assert_int_equal(index_file_tables(index)->n_entries, n);
        assert_int_equal(index_file_tables(index)->n_packs, PACKS);
        for (unsigned i = 0; i < n; i++)
                assert_finds(index, i, i % 10 == 9 ? 0 : i % 10 == 8 && i + 1 < n ? 2 : 1);
        for (unsigned i = n; i < 2 * n + 10; i++)
                assert_finds(index, i, 0);
}

static const unsigned sizes[] = {0, 1, 63, 64, 65, 1000, 5000};

static void what_is_in_an_index_is_found(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                AUTO(buf_fini) struct buf body = {0};
                AUTO(index_file_free) struct index_file *in_memory = NULL;
                AUTO(index_file_free) struct index_file *made = NULL;
                AUTO(index_file_free) struct index_file *opened = NULL;
                struct err_note note;

                make_body(sizes[i], &body);
                assert_ok(index_file_make(io, NULL, &name, (struct span){body.data, body.n}, &in_memory,
                                          &note));
                assert_ok(index_file_make(io, "/x", &name, (struct span){body.data, body.n}, &made, &note));
                assert_ok(index_file_open(io, "/x", &name, &opened, &note));
                check(in_memory, sizes[i]);
                check(made, sizes[i]);
                check(opened, sizes[i]);
        }
}

static void all_tables_are_those_of_the_body(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(buf_fini) struct buf body = {0};
        AUTO(index_file_free) struct index_file *index = NULL;
        struct vault_index_view view;
        struct err_note note;

        (void)state;
        make_body(1000, &body);
        assert_ok(vault_index_view((struct span){body.data, body.n}, &view, &note));
        assert_ok(index_file_make(io, "/x", &name, (struct span){body.data, body.n}, &index, &note));
        for (uint32_t i = 0; i < view.n_packs; i++) {
                struct vault_index_pack want, got;

                assert_ok(vault_index_pack(&view, i, &want, &note));
                assert_ok(vault_index_pack(index_file_tables(index), i, &got, &note));
                assert_memory_equal(want.head.name.b, got.head.name.b, sizeof got.head.name.b);
                assert_int_equal(want.length, got.length);
        }
}

/* Opening reads the front alone; a look one or two pieces. */
static void entries_are_read_when_they_are_asked_for(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(buf_fini) struct buf body = {0};
        AUTO(index_file_free) struct index_file *made = NULL;
        AUTO(index_file_free) struct index_file *index = NULL;
        uint64_t before;
        struct err_note note;

        (void)state;
        make_body(50000, &body);
        assert_ok(index_file_make(io, "/x", &name, (struct span){body.data, body.n}, &made, &note));
        before = io_sim_file_traffic(io, "/x").bytes_read;
        assert_ok(index_file_open(io, "/x", &name, &index, &note));
        assert_true(io_sim_file_traffic(io, "/x").bytes_read - before < 50000 * 3);
        before = io_sim_file_traffic(io, "/x").reads;
        for (unsigned i = 0; i < 1000; i++)
                assert_finds(index, i * 10, 1);
        assert_in_range(io_sim_file_traffic(io, "/x").reads - before, 1000, 2500);
}

static void what_is_missing_or_anothers_is_told(void **state) {
        static const struct vault_name other = {{1}};
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(buf_fini) struct buf body = {0};
        AUTO(index_file_free) struct index_file *index = NULL;
        struct index_file *none;
        struct err_note note;

        (void)state;
        make_body(100, &body);
        assert_err(index_file_open(io, "/x", &name, &none, &note), ERR_NOT_FOUND, "/x");
        assert_ok(index_file_make(io, "/x", &name, (struct span){body.data, body.n}, &index, &note));
        assert_err(index_file_open(io, "/x", &other, &none, &note), ERR_CORRUPT, "head");
        assert_err(index_file_make(io, "/y", &name, (struct span){body.data, body.n - 1}, &none, &note),
                   ERR_CORRUPT, "index");
}

/* Each byte: noticed at the opening, or at the look; between the tables and the entries there is nothing. */
static void each_flipped_byte_is_noticed(void **state) {
        enum { N = 70 };
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(buf_fini) struct buf body = {0};
        AUTO(index_file_free) struct index_file *made = NULL;
        AUTO(io_close) struct io_file *file = NULL;
        uint64_t size, unnoticed = 0;
        struct io_stat stat;
        struct err_note note;

        (void)state;
        make_body(N, &body);
        assert_ok(index_file_make(io, "/x", &name, (struct span){body.data, body.n}, &made, &note));
        assert_ok(io_open(io, "/x", IO_WRITE, &file, &note));
        assert_ok(io_stat(file, &stat, &note));
        size = stat.size;
        for (uint64_t at = 0; at < size; at++) {
                AUTO(index_file_free) struct index_file *index = NULL;
                struct index_pieces pieces;
                struct vault_index_entry entry;
                uint8_t byte;
                enum err err;

                assert_ok(io_read(file, &byte, 1, at, &note));
                byte ^= 0x20;
                assert_ok(io_write(file, &byte, 1, at, &note));
                err = index_file_open(io, "/x", &name, &index, &note);
                index_pieces_init(&pieces);
                for (uint64_t i = 0; i < N && !err; i++)
                        err = index_file_entry(index, &pieces, i, &entry, &note);
                unnoticed += err == ERR_NONE;
                byte ^= 0x20;
                assert_ok(io_write(file, &byte, 1, at, &note));
        }
        assert_true(unnoticed < 4096);
        assert_true(unnoticed ==
                    round_up(size - N * VAULT_INDEX_ENTRY_SIZE, 4096) - size + N * VAULT_INDEX_ENTRY_SIZE +
                            (4096 - (128 + 128 + 16 + (uint64_t)(body.n - N * VAULT_INDEX_ENTRY_SIZE))));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_in_an_index_is_found),
                cmocka_unit_test(all_tables_are_those_of_the_body),
                cmocka_unit_test(entries_are_read_when_they_are_asked_for),
                cmocka_unit_test(what_is_missing_or_anothers_is_told),
                cmocka_unit_test(each_flipped_byte_is_noticed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
