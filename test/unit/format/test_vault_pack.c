// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "hex.h"
#include "vault_pack.h"

/* A pack of a chunk and a node, written by hand from docs/format/vault.md (its blobs and tags are not real):
 * it may never look otherwise. */
static const char golden[] = "4356504b01010002000102030405060708090a0b0c0d0e0f1011121314151617"
                             "18191a1b1c1d1e1f404142434445464748494a4b4c4d4e4f5051525354555657"
                             "58595a5b5c5d5e5f7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a6e6e6e6e"
                             "6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e010001000000001400010000"
                             "0000000011111111111111111111111111111111111111111111111111111111"
                             "1111111102010100000000180000200000000000222222222222222222222222"
                             "22222222222222222222222222222222222222226120746167206f6620313620"
                             "6279746543565045000000020000000000000074000000000000000000000000"
                             "0000012490dfff6d25b6769c7e310943808b35e43e0ea892cf766b7d2f3112c1"
                             "474b0ca7";
enum { GOLDEN_SIZE = (sizeof golden - 1) / 2, BLOBS = 44, TRAILER = VAULT_PACK_HEAD + BLOBS };

static void load(uint8_t ret[GOLDEN_SIZE]) {
        assert_true(hex_parse(golden, ret, GOLDEN_SIZE));
}

static struct vault_pack_head a_head(void) {
        struct vault_pack_head head = {.is_sealed = true, .epoch = 2};

        for (int i = 0; i < 16; i++) {
                head.name.b[i] = (uint8_t)i;
                head.session.b[i] = (uint8_t)(16 + i);
        }
        for (int i = 0; i < VAULT_SALT_SIZE; i++)
                head.salt[i] = (uint8_t)(0x40 + i);
        return head;
}

static struct vault_pack_entry a_chunk(void) {
        struct vault_pack_entry entry = {
                .type = VAULT_CHUNK, .codec = VAULT_ZSTD, .stored = 20, .length = 65536};

        memset(entry.id.b, 0x11, sizeof entry.id.b);
        return entry;
}

static struct vault_pack_entry a_node(void) {
        struct vault_pack_entry entry = {
                .type = VAULT_NODE, .level = 1, .codec = VAULT_ZSTD, .stored = 24, .length = VAULT_NODE_SIZE};

        memset(entry.id.b, 0x22, sizeof entry.id.b);
        return entry;
}

static void the_format_is_what_it_was(void **state) {
        const struct vault_pack_head head = a_head();
        const struct vault_pack_entry chunk = a_chunk(), node = a_node();
        const struct vault_pack_end end = {.n_blobs = 2, .trailer_at = TRAILER, .length = GOLDEN_SIZE};
        uint8_t want[GOLDEN_SIZE], got[GOLDEN_SIZE];
        struct span trailer;

        (void)state;
        load(want);
        memcpy(got, want, sizeof got);
        trailer = (struct span){got + TRAILER, vault_pack_trailer_size(2)};
        vault_pack_head_encode(&head, got);
        vault_pack_entry_encode(&chunk, got + TRAILER);
        vault_pack_entry_encode(&node, got + TRAILER + VAULT_ENTRY_SIZE);
        vault_pack_end_encode(&end, got, trailer, got + TRAILER + trailer.n);
        assert_memory_equal(got, want, sizeof want);
}

/* All that a reader does but opening the trailer. */
static enum err read_pack(const uint8_t *bytes, size_t n, struct vault_pack_head *ret_head,
                          struct vault_pack_entries *ret_entries, struct err_note *note) {
        const uint8_t *last = bytes + n - VAULT_PACK_END;
        struct vault_pack_end end;
        struct span trailer;

        if (vault_pack_head_decode(bytes, ret_head, note) || vault_pack_end_decode(last, n, &end, note))
                return note->code;
        trailer = (struct span){bytes + end.trailer_at, vault_pack_trailer_size(end.n_blobs)};
        if (vault_pack_end_check(&end, last, bytes, trailer, note))
                return note->code;
        trailer.n -= VAULT_TAG_SIZE;
        return vault_pack_entries_decode(trailer, &end, ret_entries, note);
}

static void check_entry(const struct vault_pack_entry *got, const struct vault_pack_entry *want) {
        uint8_t bytes[VAULT_ENTRY_SIZE], wanted[VAULT_ENTRY_SIZE];

        vault_pack_entry_encode(got, bytes);
        vault_pack_entry_encode(want, wanted);
        assert_memory_equal(bytes, wanted, sizeof bytes);
}

static void a_pack_is_read_as_it_was_made(void **state) {
        AUTO(vault_pack_entries_fini) struct vault_pack_entries entries = {0};
        struct vault_pack_head head, made = a_head();
        struct vault_pack_entry chunk = a_chunk(), node = a_node();
        struct err_note note = {0};
        uint8_t bytes[GOLDEN_SIZE];

        (void)state;
        load(bytes);
        assert_ok(read_pack(bytes, sizeof bytes, &head, &entries, &note));
        assert_true(head.is_sealed);
        assert_int_equal(head.epoch, 2);
        assert_memory_equal(&head.name, &made.name, sizeof head.name);
        assert_memory_equal(&head.session, &made.session, sizeof head.session);
        assert_memory_equal(head.salt, made.salt, sizeof head.salt);
        assert_int_equal(entries.list.n, 2);
        check_entry(&entries.list.data[0], &chunk);
        check_entry(&entries.list.data[1], &node);
}

static void every_flipped_bit_outside_the_blobs_is_noticed(void **state) {
        AUTO(vault_pack_entries_fini) struct vault_pack_entries entries = {0};
        struct err_note note = {0};
        struct vault_pack_head head;
        uint8_t bytes[GOLDEN_SIZE];

        (void)state;
        load(bytes);
        for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
                if (bit / 8 >= VAULT_PACK_HEAD && bit / 8 < TRAILER)
                        continue; /* the tags of these are for another floor */
                bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_true(read_pack(bytes, sizeof bytes, &head, &entries, &note));
                assert_true(note.text[0]);
                bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
}

static void a_pack_that_ends_too_early_is_noticed(void **state) {
        struct err_note note = {0};
        uint8_t bytes[GOLDEN_SIZE];
        struct vault_pack_end end;

        (void)state;
        load(bytes);
        for (size_t n = VAULT_PACK_END; n < GOLDEN_SIZE; n++)
                assert_int_equal(vault_pack_end_decode(bytes + n - VAULT_PACK_END, n, &end, &note),
                                 ERR_CUT_SHORT);
        assert_err(vault_pack_end_decode(bytes + GOLDEN_SIZE - VAULT_PACK_END, GOLDEN_SIZE + 1, &end, &note),
                   ERR_CORRUPT, "by its end");
}

static void an_end_that_names_impossible_places_is_refused(void **state) {
        static const struct {
                struct vault_pack_end end;
                enum err code;
        } table[] = {
                {{.n_blobs = 0, .trailer_at = 72, .length = 72 + 16 + 64}, ERR_NONE},
                {{.n_blobs = 1, .trailer_at = 72 + 17, .length = 72 + 17 + 64 + 64}, ERR_NONE},
                {{.n_blobs = 1, .trailer_at = 72 + 17, .length = 72 + 17 + 64 + 63}, ERR_CORRUPT},
                {{.n_blobs = 0, .trailer_at = 71, .length = 71 + 16 + 64}, ERR_CORRUPT},
                {{.n_blobs = 0, .trailer_at = (uint64_t)-80, .length = 0}, ERR_CORRUPT},
                {{.n_blobs = VAULT_PACK_BLOBS_MAX,
                  .trailer_at = GIB,
                  .length = GIB + 48 * (uint64_t)VAULT_PACK_BLOBS_MAX + 16 + 64},
                 ERR_NONE},
                {{.n_blobs = VAULT_PACK_BLOBS_MAX + 1,
                  .trailer_at = GIB,
                  .length = GIB + 48 * ((uint64_t)VAULT_PACK_BLOBS_MAX + 1) + 16 + 64},
                 ERR_CORRUPT},
        };
        uint8_t head[VAULT_PACK_HEAD] = {0}, bytes[VAULT_PACK_END];

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct err_note note = {0};
                struct vault_pack_end end;

                vault_pack_end_encode(&table[i].end, head, (struct span){NULL, 0}, bytes);
                assert_err(vault_pack_end_decode(bytes, table[i].end.length, &end, &note), table[i].code, "");
        }
}

static void a_head_that_is_none_is_refused(void **state) {
        static const struct {
                size_t at;
                uint8_t value;
                enum err code;
        } table[] = {{0, 'X', ERR_CORRUPT},   {4, 2, ERR_UNSUPPORTED},
                     {5, 3, ERR_UNSUPPORTED}, {5, 0, ERR_CORRUPT}, /* a salt, and not sealed */
                     {8, 0xff, ERR_NONE},     {7, 3, ERR_NONE}};

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct err_note note = {0};
                struct vault_pack_head head;
                uint8_t bytes[GOLDEN_SIZE];

                load(bytes);
                bytes[table[i].at] = table[i].value;
                assert_err(vault_pack_head_decode(bytes, &head, &note), table[i].code, "");
        }
}

static void a_plain_head_has_no_salt_and_no_epoch(void **state) {
        struct vault_pack_head head = a_head(), again;
        uint8_t bytes[VAULT_PACK_HEAD];
        struct err_note note = {0};

        (void)state;
        head.is_sealed = false;
        vault_pack_head_encode(&head, bytes);
        assert_ok(vault_pack_head_decode(bytes, &again, &note));
        assert_true(!again.is_sealed && again.epoch == 0 && bytes_are_zero(again.salt, sizeof again.salt));
        bytes[7] = 1;
        assert_err(vault_pack_head_decode(bytes, &again, &note), ERR_CORRUPT, "is not sealed");
}

static void entries_that_cannot_be_are_refused(void **state) {
        const struct vault_pack_entry chunk = a_chunk(), node = a_node();
        struct {
                struct vault_pack_entry entry;
                const char *words; /* "": it is right */
        } table[] = {
                {chunk, ""},
                {node, ""},
                {chunk, "type 0"},
                {chunk, "type 3"},
                {chunk, "level"},
                {node, "level"},
                {node, "level"},
                {node, ""},
                {node, "type"},
                {chunk, "type"},
                {chunk, "type"},
                {chunk, "type"},
                {chunk, ""},
                {chunk, "codec"},
                {chunk, "codec"},
                {chunk, "codec"},
                {chunk, "codec"},
                {chunk, ""},
                {chunk, "a blob of zeros"},
        };

        (void)state;
        table[2].entry.type = (enum vault_blob_type)0;
        table[3].entry.type = (enum vault_blob_type)3;
        table[4].entry.level = 1;
        table[5].entry.level = 0;
        table[6].entry.level = VAULT_HEIGHT_MAX + 1;
        table[7].entry.level = VAULT_HEIGHT_MAX;
        table[8].entry.length = VAULT_NODE_SIZE + 1;
        table[9].entry.length = VAULT_CHUNK_MIN / 2;
        table[10].entry.length = VAULT_CHUNK_MAX * 2;
        table[11].entry.length = VAULT_CHUNK_MIN * 3;
        table[12].entry.length = VAULT_CHUNK_MAX;
        table[13].entry.codec = (enum vault_codec)2;
        table[14].entry.codec = VAULT_AS_IS; /* of another length */
        table[15].entry.stored = 16;
        table[16].entry.stored = table[16].entry.length + 16; /* not shorter */
        table[17].entry.codec = VAULT_AS_IS;
        table[17].entry.stored = table[17].entry.length + 16;
        memset(&table[18].entry.id, 0, sizeof table[18].entry.id);
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct vault_pack_end end = {.n_blobs = 1,
                                             .trailer_at = VAULT_PACK_HEAD + (uint64_t)table[i].entry.stored};
                AUTO(vault_pack_entries_fini) struct vault_pack_entries entries = {0};
                uint8_t bytes[VAULT_ENTRY_SIZE];
                struct err_note note = {0};

                vault_pack_entry_encode(&table[i].entry, bytes);
                assert_err(
                        vault_pack_entries_decode((struct span){bytes, sizeof bytes}, &end, &entries, &note),
                        *table[i].words ? ERR_CORRUPT : ERR_NONE, table[i].words);
        }
}

static void blobs_fill_the_place_before_the_trailer(void **state) {
        struct vault_pack_end end = {.n_blobs = 2, .trailer_at = TRAILER + 1, .length = GOLDEN_SIZE};
        AUTO(vault_pack_entries_fini) struct vault_pack_entries entries = {0};
        struct err_note note = {0};
        uint8_t bytes[GOLDEN_SIZE];

        (void)state;
        load(bytes);
        assert_err(vault_pack_entries_decode((struct span){bytes + TRAILER, 96}, &end, &entries, &note),
                   ERR_CORRUPT, "its blobs end at 116, its trailer begins at 117");
        assert_err(vault_pack_entries_decode((struct span){bytes + TRAILER, 95}, &end, &entries, &note),
                   ERR_CORRUPT, "a trailer of 95 bytes for 2 blobs");
        end.n_blobs = 1;
        assert_err(vault_pack_entries_decode((struct span){bytes + TRAILER, 96}, &end, &entries, &note),
                   ERR_CORRUPT, "a trailer of 96 bytes for 1 blobs");
}

static void a_blob_is_bound_to_its_entry_and_pack(void **state) {
        const struct vault_pack_head head = a_head();
        struct vault_pack_entry chunk = a_chunk();
        uint8_t bound[VAULT_PACK_BOUND], other[VAULT_PACK_BOUND], entry[VAULT_ENTRY_SIZE];

        (void)state;
        assert_int_equal(vault_pack_bind(&head, &chunk, bound), 64);
        chunk.stored = 0;
        vault_pack_entry_encode(&chunk, entry);
        assert_memory_equal(bound, entry, sizeof entry);
        assert_memory_equal(bound + VAULT_ENTRY_SIZE, head.name.b, 16);
        chunk.stored = 1000; /* is not known when it is sealed */
        assert_int_equal(vault_pack_bind(&head, &chunk, other), 64);
        assert_memory_equal(bound, other, sizeof bound);
        assert_int_equal(vault_pack_bind(&head, NULL, other), 16);
        assert_memory_equal(other, head.name.b, 16);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_format_is_what_it_was),
                cmocka_unit_test(a_pack_is_read_as_it_was_made),
                cmocka_unit_test(every_flipped_bit_outside_the_blobs_is_noticed),
                cmocka_unit_test(a_pack_that_ends_too_early_is_noticed),
                cmocka_unit_test(an_end_that_names_impossible_places_is_refused),
                cmocka_unit_test(a_head_that_is_none_is_refused),
                cmocka_unit_test(a_plain_head_has_no_salt_and_no_epoch),
                cmocka_unit_test(entries_that_cannot_be_are_refused),
                cmocka_unit_test(blobs_fill_the_place_before_the_trailer),
                cmocka_unit_test(a_blob_is_bound_to_its_entry_and_pack),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
