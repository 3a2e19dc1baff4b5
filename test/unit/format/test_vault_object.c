// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "hex.h"
#include "mem.h"
#include "vault_object.h"
#include "vault_sum.h"

/* A signed drop, written by hand from docs/format/vault.md: it may never look otherwise. */
static const char golden[] = "43564c54010a0200000102030405060708090a0b0c0d0e0f0000000000000017"
                             "0000000000000000000000000000000000000000000000000000000000000000"
                             "7b22706f696e7473223a5b5d2c22776879223a2278227d555555555555555555"
                             "5555555555555555555555555555555555555555555555aaaaaaaaaaaaaaaaaa"
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac6bd45128beb10dcb7"
                             "aeddca28fe586c44bccd3634e13b88131db1a0f64cb629";
enum { GOLDEN_SIZE = (sizeof golden - 1) / 2, SEALED = 1, SIGNED = 2 };

static const struct vault_name name = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
static const char body[] = "{\"points\":[],\"why\":\"x\"}";

static struct span span_of(const struct buf *buf) {
        return (struct span){buf->data, buf->n};
}

static void make(const struct vault_object_head *head, size_t n, struct buf *ret) {
        AUTO_FREE uint8_t *bytes = mem_zero(n + 1);

        memset(bytes, 0x33, n);
        vault_object_begin(head, (struct span){bytes, n}, ret);
        if (head->is_signed)
                memset(buf_extend(ret, VAULT_SIGNER_SIZE + VAULT_SIGNATURE_SIZE), 0x44,
                       VAULT_SIGNER_SIZE + VAULT_SIGNATURE_SIZE);
        vault_object_end(ret);
}

/* Changes a byte and the sum with it: damage that the sum does not tell. */
static void forge(struct buf *object, size_t at, uint8_t value) {
        object->data[at] = value;
        object->n -= VAULT_OBJECT_SUM;
        vault_object_end(object);
}

static void the_format_is_what_it_was(void **state) {
        const struct vault_object_head head = {.kind = VAULT_DROP, .name = name, .is_signed = true};
        AUTO(buf_fini) struct buf object = {0};
        uint8_t want[GOLDEN_SIZE], *sign;

        (void)state;
        assert_true(hex_parse(golden, want, sizeof want));
        vault_object_begin(&head, (struct span){(const uint8_t *)body, strlen(body)}, &object);
        sign = buf_extend(&object, VAULT_SIGNER_SIZE + VAULT_SIGNATURE_SIZE);
        memset(sign, 0x55, VAULT_SIGNER_SIZE);
        memset(sign + VAULT_SIGNER_SIZE, 0xaa, VAULT_SIGNATURE_SIZE);
        vault_object_end(&object);
        assert_int_equal(object.n, sizeof want);
        assert_memory_equal(object.data, want, sizeof want);
}

static void an_object_says_what_lies_where(void **state) {
        struct err_note note = {0};
        struct vault_object object;
        uint8_t bytes[GOLDEN_SIZE];

        (void)state;
        assert_true(hex_parse(golden, bytes, sizeof bytes));
        assert_ok(vault_object_decode((struct span){bytes, sizeof bytes}, VAULT_DROP, &name, &object, &note));
        assert_true(object.head.is_signed && !object.head.is_sealed);
        assert_int_equal(vault_name_compare(&object.head.name, &name), 0);
        assert_int_equal(object.body.n, strlen(body));
        assert_memory_equal(object.body.data, body, object.body.n);
        assert_ptr_equal(object.signed_part.data, bytes);
        assert_int_equal(object.signed_part.n, 64 + strlen(body) + VAULT_SIGNER_SIZE);
        assert_ptr_equal(object.signer, bytes + 64 + strlen(body));
        assert_ptr_equal(object.signature, object.signer + VAULT_SIGNER_SIZE);
}

static void every_flipped_bit_is_noticed(void **state) {
        struct err_note note = {0};
        struct vault_object object;
        uint8_t bytes[GOLDEN_SIZE];

        (void)state;
        assert_true(hex_parse(golden, bytes, sizeof bytes));
        for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
                bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_true(vault_object_decode((struct span){bytes, sizeof bytes}, VAULT_DROP, NULL, &object,
                                                &note));
                assert_true(note.text[0]);
                bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
}

static void every_other_length_is_noticed(void **state) {
        uint8_t bytes[GOLDEN_SIZE + 2] = {0};
        struct err_note note = {0};
        struct vault_object object;

        (void)state;
        assert_true(hex_parse(golden, bytes, GOLDEN_SIZE));
        for (size_t n = 0; n <= sizeof bytes; n++)
                if (n != GOLDEN_SIZE)
                        assert_int_equal(vault_object_decode((struct span){bytes, n}, VAULT_DROP, NULL,
                                                             &object, &note),
                                         ERR_CORRUPT);
}

static void what_has_a_right_sum_and_is_wrong_is_refused(void **state) {
        static const struct {
                size_t at;
                uint8_t value;
                enum err code;
                const char *words;
        } table[] = {
                {0, 'X', ERR_CORRUPT, "does not begin"},
                {4, 2, ERR_UNSUPPORTED, "version 2"},
                {5, 5, ERR_CORRUPT, "drop: it is no drop but a seal (5)"},
                {5, 99, ERR_CORRUPT, "unknown kind (99)"},
                {6, SIGNED | 4, ERR_UNSUPPORTED, "flags 6"},
                {6, 0, ERR_CORRUPT, "does not fit"},
                {6, SEALED | SIGNED, ERR_NONE, ""},
                {7, 1, ERR_CORRUPT, "a key's salt or epoch"},
                {8, 1, ERR_CORRUPT, "within, it is named 0101"},
                {24, 0xff, ERR_CORRUPT, "does not fit"},
                {31, 22, ERR_CORRUPT, "22 bytes does not fit"},
                {63, 1, ERR_CORRUPT, "a key's salt or epoch"},
        };
        uint8_t bytes[GOLDEN_SIZE];

        (void)state;
        assert_true(hex_parse(golden, bytes, sizeof bytes));
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(buf_fini) struct buf buf = {0};
                struct err_note note = {0};
                struct vault_object object;

                buf_add(&buf, bytes, sizeof bytes);
                forge(&buf, table[i].at, table[i].value);
                assert_err(vault_object_decode(span_of(&buf), VAULT_DROP, &name, &object, &note),
                           table[i].code, table[i].words);
        }
}

static void every_kind_and_flag_comes_back(void **state) {
        struct err_note note = {0};

        (void)state;
        for (int kind = VAULT_CONFIG; kind <= VAULT_TAINT; kind++)
                for (int flags = 0; flags < 4; flags++) {
                        struct vault_object_head head = {.kind = (enum vault_object_kind)kind,
                                                         .name = name,
                                                         .is_sealed = flags & SEALED,
                                                         .is_signed = flags & SIGNED};
                        AUTO(buf_fini) struct buf buf = {0};
                        struct vault_object object;

                        memset(head.salt, head.is_sealed ? 0x66 : 0, sizeof head.salt);
                        make(&head, 40, &buf);
                        assert_ok(vault_object_decode(span_of(&buf), head.kind, NULL, &object, &note));
                        assert_memory_equal(object.head.salt, head.salt, sizeof head.salt);
                        assert_true(object.head.is_sealed == head.is_sealed);
                        assert_true(object.head.is_signed == head.is_signed);
                        assert_true((object.signer != NULL) == head.is_signed);
                        assert_true(strcmp(vault_object_kind_text(head.kind), "object of an unknown kind"));
                }
}

static void a_sealed_body_has_the_length_of_its_pieces(void **state) {
        static const uint64_t right[] = {
                0, 1, 2, VAULT_PIECE - 1, VAULT_PIECE, VAULT_PIECE + 1, 2 * VAULT_PIECE};
        static const uint64_t wrong[] = {0, 1, 15, VAULT_PIECE + 17, VAULT_PIECE + 31, VAULT_PIECE + 32};
        const struct vault_object_head head = {.kind = VAULT_INDEX, .is_sealed = true};
        struct err_note note = {0};
        struct vault_object object;

        (void)state;
        assert_int_equal(vault_object_sealed_size(0), 16);
        assert_int_equal(vault_object_sealed_size(VAULT_PIECE), VAULT_PIECE + 16);
        assert_int_equal(vault_object_sealed_size(VAULT_PIECE + 1), VAULT_PIECE + 33);
        for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
                AUTO(buf_fini) struct buf buf = {0};

                make(&head, vault_object_sealed_size(right[i]), &buf);
                assert_ok(vault_object_decode(span_of(&buf), VAULT_INDEX, NULL, &object, &note));
        }
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
                AUTO(buf_fini) struct buf buf = {0};

                make(&head, wrong[i], &buf);
                assert_err(vault_object_decode(span_of(&buf), VAULT_INDEX, NULL, &object, &note), ERR_CORRUPT,
                           "no sealed body");
        }
}

static void pieces_are_bound_to_all_but_the_length(void **state) {
        const struct vault_object_head head = {.kind = VAULT_MANIFEST, .name = name, .is_sealed = true};
        AUTO(buf_fini) struct buf buf = {0};
        uint8_t bound[VAULT_OBJECT_BOUND];

        (void)state;
        make(&head, 17, &buf);
        vault_object_bind(&head, bound);
        assert_memory_equal(bound, buf.data, 24);
        assert_true(bytes_are_zero(bound + 24, 8));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_format_is_what_it_was),
                cmocka_unit_test(an_object_says_what_lies_where),
                cmocka_unit_test(every_flipped_bit_is_noticed),
                cmocka_unit_test(every_other_length_is_noticed),
                cmocka_unit_test(what_has_a_right_sum_and_is_wrong_is_refused),
                cmocka_unit_test(every_kind_and_flag_comes_back),
                cmocka_unit_test(a_sealed_body_has_the_length_of_its_pieces),
                cmocka_unit_test(pieces_are_bound_to_all_but_the_length),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
