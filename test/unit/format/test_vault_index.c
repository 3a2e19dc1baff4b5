// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "hex.h"
#include "mem.h"
#include "vault_index.h"

/* Two packs that both have one node, written by hand from docs/format/vault.md: it may never look
 * otherwise. */
static const char golden[] = "4356494e44455831000000020000000100000000000000030000000000000000"
                             "0909090909090909090909090909090930303030303030303030303030303030"
                             "3131313131313131313131313131313132323232323232323232323232323232"
                             "3232323232323232323232323232323200000000000020d80001000000000001"
                             "4040404040404040404040404040404041414141414141414141414141414141"
                             "4242424242424242424242424242424242424242424242424242424242424242"
                             "000000000000211c000100000000000200000000000000030f0f0f0f0f0f0f0f"
                             "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0000000100000000"
                             "0000000000000048000000140001000001000100000000008080808080808080"
                             "8080808080808080808080808080808080808080808080800000000000000000"
                             "0000000000000048000020100000200002010000000000008080808080808080"
                             "8080808080808080808080808080808080808080808080800000000100000001"
                             "000000000000005c00002010000020000201000000000000";
enum { GOLDEN_SIZE = (sizeof golden - 1) / 2, PACKS = 48, FAN = 208, ENTRIES = 216 };

static struct span span_of(const struct buf *buf) {
        return (struct span){buf->data, buf->n};
}

static struct vault_id id_of(uint8_t byte) {
        struct vault_id id;

        memset(id.b, byte, sizeof id.b);
        return id;
}

static struct vault_pack_entry chunk_of(struct vault_id id) {
        return (struct vault_pack_entry){
                .type = VAULT_CHUNK, .codec = VAULT_ZSTD, .stored = 20, .length = 65536, .id = id};
}

static struct vault_pack_entry node_of(struct vault_id id) {
        return (struct vault_pack_entry){.type = VAULT_NODE,
                                         .level = 1,
                                         .codec = VAULT_AS_IS,
                                         .stored = VAULT_NODE_SIZE + VAULT_TAG_SIZE,
                                         .length = VAULT_NODE_SIZE,
                                         .id = id};
}

static struct vault_index_pack pack_of(uint8_t byte, uint32_t n_blobs, uint64_t stored) {
        struct vault_index_pack pack = {.head = {.epoch = 1},
                                        .length = VAULT_PACK_HEAD + stored +
                                                  vault_pack_trailer_size(n_blobs) + VAULT_PACK_END,
                                        .n_blobs = n_blobs};

        memset(pack.head.name.b, byte, sizeof pack.head.name.b);
        memset(pack.head.session.b, byte + 1, sizeof pack.head.session.b);
        memset(pack.head.salt, byte + 2, sizeof pack.head.salt);
        return pack;
}

static void add_packs_of_golden(struct vault_index_builder *builder) {
        struct vault_pack_entry chunk = chunk_of(id_of(0x0f)), node = node_of(id_of(0x80));
        struct vault_index_pack two = pack_of(0x40, 2, chunk.stored + node.stored),
                                one = pack_of(0x30, 1, node.stored);

        vault_index_add_pack(builder, &two);
        vault_index_add(builder, &chunk);
        vault_index_add(builder, &node);
        vault_index_add_pack(builder, &one);
        vault_index_add(builder, &node);
}

static void the_format_is_what_it_was(void **state) {
        AUTO(vault_index_builder_free) struct vault_index_builder *builder = vault_index_builder_new();
        AUTO(buf_fini) struct buf buf = {0};
        struct vault_name replaced;
        uint8_t want[GOLDEN_SIZE];

        (void)state;
        memset(replaced.b, 9, sizeof replaced.b);
        vault_index_replace(builder, &replaced);
        add_packs_of_golden(builder);
        vault_index_encode(builder, &buf);
        assert_true(hex_parse(golden, want, sizeof want));
        assert_int_equal(buf.n, sizeof want);
        assert_memory_equal(buf.data, want, sizeof want);
}

static void an_index_says_where_blobs_are(void **state) {
        struct vault_index_entry entry;
        struct vault_index_view view;
        struct vault_index_pack pack;
        struct err_note note = {0};
        struct vault_name replaced;
        uint8_t bytes[GOLDEN_SIZE];
        struct vault_id id;
        uint64_t i;

        (void)state;
        assert_true(hex_parse(golden, bytes, sizeof bytes));
        assert_ok(vault_index_view((struct span){bytes, sizeof bytes}, &view, &note));
        assert_true(view.n_packs == 2 && view.n_replaced == 1 && view.n_entries == 3);
        vault_index_replaced(&view, 0, &replaced);
        assert_int_equal(replaced.b[15], 9);
        assert_true(vault_index_first(&view, &(struct vault_id){0}, &i) == false);
        id = id_of(0x80);
        assert_true(vault_index_first(&view, &id, &i));
        assert_int_equal(i, 1);
        assert_ok(vault_index_entry(&view, 2, &entry, &note)); /* its copy */
        assert_int_equal(vault_id_compare(&entry.blob.id, &id), 0);
        assert_true(entry.pack == 1 && entry.number == 1 && entry.at == 92 && entry.blob.level == 1);
        assert_true(entry.blob.type == VAULT_NODE && entry.blob.codec == VAULT_AS_IS);
        assert_ok(vault_index_pack(&view, 1, &pack, &note));
        assert_true(pack.head.name.b[0] == 0x40 && pack.head.session.b[0] == 0x41 &&
                    pack.head.salt[31] == 0x42);
        assert_true(pack.head.epoch == 1 && pack.n_blobs == 2 && !pack.head.is_sealed);
}

/* All of a view is looked at; how many errors there were. */
static int look_at_all(const struct vault_index_view *view) {
        struct vault_index_entry entry;
        struct vault_index_pack pack;
        struct err_note note = {0};
        int errors = 0;

        for (uint32_t row = 0; row < view->n_packs; row++)
                errors += vault_index_pack(view, row, &pack, &note) != 0;
        for (uint64_t i = 0; i < view->n_entries; i++)
                errors += vault_index_entry(view, i, &entry, &note) != 0;
        return errors;
}

static void what_cannot_be_is_refused(void **state) {
        static const struct {
                size_t at;
                uint8_t value;
                const char *words; /* of opening; NULL: it is told when it is looked at */
        } table[] = {
                {0, 'X', "does not begin"},
                {11, 3, "3 packs, 1 indexes, 3 entries in 408 bytes"},
                {15, 0xff, "255 indexes"},
                {23, 4, "4 entries"},
                {16, 0x04, "fan-out of 0 bits"},
                {24, 1, "fan-out of 1 bits for 3"},
                {25, 1, "must be 0"},
                {PACKS, 0x41, "packs are not in order"},
                {FAN + 7, 2, "its fan-out is none"},
                {PACKS + 64, 1, NULL},         /* longer: any place in it is right, but not the entry's … */
                {PACKS + 80 + 71, 1, NULL},    /* shorter */
                {PACKS + 74, 1, NULL},         /* must be 0 */
                {PACKS + 80 + 76, 1, NULL},    /* 2^24 blobs */
                {PACKS + 80 + 79, 1, NULL},    /* one of two blobs is not there */
                {ENTRIES + 35, 2, NULL},       /* no such pack */
                {ENTRIES + 39, 2, NULL},       /* no such blob */
                {ENTRIES + 47, 71, NULL},      /* in the head */
                {ENTRIES + 40, 0xff, NULL},    /* far outside */
                {ENTRIES + 128 + 46, 1, NULL}, /* ends in the trailer */
                {ENTRIES + 51, 0, NULL},       /* no length */
                {ENTRIES + 56, 2, NULL},       /* no node has 64 KiB */
                {ENTRIES + 58, 2, NULL},       /* an unknown codec */
                {ENTRIES + 63, 1, NULL},       /* must be 0 */
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct err_note note = {0};
                struct vault_index_view view;
                uint8_t bytes[GOLDEN_SIZE];

                assert_true(hex_parse(golden, bytes, sizeof bytes));
                bytes[table[i].at] = table[i].value;
                if (table[i].words) {
                        assert_err(vault_index_view((struct span){bytes, sizeof bytes}, &view, &note),
                                   ERR_CORRUPT, table[i].words);
                        continue;
                }
                assert_ok(vault_index_view((struct span){bytes, sizeof bytes}, &view, &note));
                if (table[i].at != PACKS + 64)
                        assert_true(look_at_all(&view) > 0);
        }
}

static void every_other_length_is_refused(void **state) {
        uint8_t bytes[GOLDEN_SIZE + 1] = {0};
        struct err_note note = {0};
        struct vault_index_view view;

        (void)state;
        assert_true(hex_parse(golden, bytes, GOLDEN_SIZE));
        for (size_t n = 0; n <= sizeof bytes; n++)
                if (n != GOLDEN_SIZE)
                        assert_int_equal(vault_index_view((struct span){bytes, n}, &view, &note),
                                         ERR_CORRUPT);
}

static uint64_t dice(uint64_t *state) { /* splitmix64 */
        uint64_t z = *state += 0x9E3779B97F4A7C15;

        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        return z ^ z >> 31;
}

/* The n-th id; all begin alike where they are crowded. */
static struct vault_id nth_id(uint64_t n, bool are_crowded) {
        uint64_t state = n;
        struct vault_id id;

        for (int i = 0; i < 32; i += 8) {
                uint64_t v = dice(&state);

                memcpy(id.b + i, &v, sizeof v);
        }
        memset(id.b, 0x5a, are_crowded ? 24 : 0);
        return id;
}

/* Packs of up to 100 blobs each, in no order. */
static void build(struct vault_index_builder *builder, uint64_t from, uint64_t to, bool are_crowded) {
        for (uint64_t i = from; i < to; i++) {
                struct vault_pack_entry chunk = chunk_of(nth_id(i, are_crowded));
                uint32_t n = (uint32_t)(to - i < 100 ? to - i : 100);

                if ((i - from) % 100 == 0) {
                        struct vault_index_pack pack = pack_of((uint8_t)(i / 100 * 37), n, (uint64_t)n * 20);

                        vault_index_add_pack(builder, &pack);
                }
                vault_index_add(builder, &chunk);
        }
}

static void check_found(const struct vault_index_view *view, uint64_t from, uint64_t to, bool are_crowded) {
        struct err_note note = {0};

        for (uint64_t i = from; i < to; i++) {
                struct vault_id id = nth_id(i, are_crowded);
                struct vault_index_entry entry;
                struct vault_index_pack pack;
                uint64_t at;

                assert_true(vault_index_first(view, &id, &at));
                assert_ok(vault_index_entry(view, at, &entry, &note));
                assert_int_equal(vault_id_compare(&entry.blob.id, &id), 0);
                assert_int_equal(entry.number, (i - from) % 100);
                assert_int_equal(entry.at, VAULT_PACK_HEAD + 20 * entry.number);
                assert_ok(vault_index_pack(view, entry.pack, &pack, &note));
                assert_int_equal(pack.head.name.b[0], (uint8_t)(i / 100 * 37));
        }
}

static void all_that_was_added_is_found_and_nothing_else(void **state) {
        static const uint64_t counts[] = {0, 1, 2, 63, 64, 65, 128, 129, 1000, 9999};

        (void)state;
        for (size_t i = 0; i < 2 * sizeof counts / sizeof *counts; i++) {
                AUTO(vault_index_builder_free)
                struct vault_index_builder *builder = vault_index_builder_new();
                uint64_t n = counts[i / 2], at;
                struct vault_index_view view;
                AUTO(buf_fini) struct buf buf = {0};
                struct err_note note = {0};

                build(builder, 0, n, i % 2);
                vault_index_encode(builder, &buf);
                assert_ok(vault_index_view(span_of(&buf), &view, &note));
                assert_int_equal(view.n_entries, n);
                assert_true(((uint64_t)64 << view.fan_bits) >= n);
                check_found(&view, 0, n, i % 2);
                for (uint64_t k = n; k < n + 1000; k++) {
                        struct vault_id id = nth_id(k, false);

                        assert_false(vault_index_first(&view, &id, &at));
                }
        }
}

static void add_all(struct vault_index_builder *to, const struct vault_index_view *from) {
        AUTO_FREE uint32_t *rows = mem_zero((from->n_packs + 1) * sizeof *rows);
        struct vault_index_entry entry;
        struct vault_index_pack pack;
        struct err_note note = {0};

        for (uint32_t row = 0; row < from->n_packs; row++) {
                assert_ok(vault_index_pack(from, row, &pack, &note));
                rows[row] = vault_index_add_pack(to, &pack);
        }
        for (uint64_t i = 0; i < from->n_entries; i++) {
                assert_ok(vault_index_entry(from, i, &entry, &note));
                entry.pack = rows[entry.pack];
                vault_index_add_entry(to, &entry);
        }
}

static void several_indexes_become_one(void **state) {
        AUTO(vault_index_builder_free)
        struct vault_index_builder *first = vault_index_builder_new(), *second = vault_index_builder_new(),
                                   *all = vault_index_builder_new(), *want = vault_index_builder_new();
        AUTO(buf_fini) struct buf of_first = {0}, of_second = {0}, of_all = {0}, of_want = {0};
        const struct vault_name names[] = {{{7}}, {{3}}, {{7}}};
        struct err_note note = {0};
        struct vault_index_view a, b, view;
        struct vault_name name;

        (void)state;
        build(first, 0, 500, false);
        build(second, 300, 1000, false); /* some of the packs are in both */
        build(want, 0, 1000, false);
        vault_index_encode(first, &of_first);
        vault_index_encode(second, &of_second);
        assert_ok(vault_index_view(span_of(&of_first), &a, &note));
        assert_ok(vault_index_view(span_of(&of_second), &b, &note));
        add_all(all, &a);
        add_all(all, &b);
        for (size_t i = 0; i < 3; i++) {
                vault_index_replace(all, &names[i]);
                vault_index_replace(want, &names[2 - i]);
        }
        vault_index_encode(all, &of_all);
        vault_index_encode(want, &of_want);
        assert_int_equal(of_all.n, of_want.n);
        assert_memory_equal(of_all.data, of_want.data, of_all.n);
        assert_ok(vault_index_view(span_of(&of_all), &view, &note));
        assert_int_equal(view.n_replaced, 2);
        vault_index_replaced(&view, 0, &name);
        assert_int_equal(name.b[0], 3);
        check_found(&view, 0, 1000, false);
}

static void a_blob_in_two_packs_is_found_in_both(void **state) {
        AUTO(vault_index_builder_free) struct vault_index_builder *builder = vault_index_builder_new();
        struct vault_id id = nth_id(5, false);
        struct vault_index_entry entry;
        struct vault_index_view view;
        AUTO(buf_fini) struct buf buf = {0};
        struct err_note note = {0};
        uint64_t at;

        (void)state;
        build(builder, 0, 1000, false);
        for (uint8_t i = 0; i < 2; i++) {
                struct vault_index_pack pack = pack_of((uint8_t)(0xfe - i), 1, 20);
                struct vault_pack_entry chunk = chunk_of(id);

                vault_index_add_pack(builder, &pack);
                vault_index_add(builder, &chunk);
        }
        vault_index_encode(builder, &buf);
        assert_ok(vault_index_view(span_of(&buf), &view, &note));
        assert_int_equal(view.n_entries, 1002);
        assert_true(vault_index_first(&view, &id, &at));
        for (uint64_t i = 0; i < 3; i++) {
                assert_ok(vault_index_entry(&view, at + i, &entry, &note));
                assert_int_equal(vault_id_compare(&entry.blob.id, &id), 0);
                assert_true(i == 0 || entry.pack == view.n_packs - 3 + i);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_format_is_what_it_was),
                cmocka_unit_test(an_index_says_where_blobs_are),
                cmocka_unit_test(what_cannot_be_is_refused),
                cmocka_unit_test(every_other_length_is_refused),
                cmocka_unit_test(all_that_was_added_is_found_and_nothing_else),
                cmocka_unit_test(several_indexes_become_one),
                cmocka_unit_test(a_blob_in_two_packs_is_found_in_both),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
