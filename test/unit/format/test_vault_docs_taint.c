// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "vault_docs.h"
#include "vault_kit.h"

#define A "0123456789abcdef0123456789abcdef"
#define B "ffffffffffffffffffffffffffffffff"

static const char text[] = "{\"instead_of\":[\"" B "\"],\"packs\":{\"" A "\":[0,7,1048575],\"" B
                           "\":null},\"points\":[\"" A "\"]}";

static void a_taint_is_read_and_written_as_it_was(void **state) {
        AUTO(vault_taint_fini) struct vault_taint taint = {0};
        AUTO(buf_fini) struct buf buf = {0}, again = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(vault_taint_decode(body_with(&buf, text, NULL, NULL), &taint, &note));
        assert_int_equal(taint.places.n, 4);
        assert_int_equal(taint.places.data[1].number, 7);
        assert_int_equal(taint.places.data[3].number, VAULT_WHOLE_PACK);
        assert_true(taint.points.n == 1 && taint.instead_of.n == 1);
        vault_taint_encode(&taint, &again);
        assert_string_equal(buf_text(&again), text);
}

static void what_is_no_place_is_refused(void **state) {
        static const struct {
                const char *member, *value, *words;
        } table[] = {
                {"packs", NULL, "taint: \"packs\" is missing"},
                {"packs", "[]", "packs"},
                {"packs", "{\"x\":null}", "what should be a name is none"},
                {"packs", "{\"" A "\":3}", "neither null nor numbers"},
                {"packs", "{\"" A "\":[-1]}", "0 is no number of a blob"},
                {"packs", "{\"" A "\":[0,1048576]}", "1 is no number of a blob"},
                {"packs", "{\"" A "\":[\"0\"]}", "is no number of a blob"},
                {"points", "[1]", "\"points\": 0 is not a name"},
                {"instead_of", "{}", "instead_of"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(buf_fini) struct buf buf = {0};
                struct vault_taint other;
                struct err_note note = {0};

                assert_err(vault_taint_decode(body_with(&buf, text, table[i].member, table[i].value), &other,
                                              &note),
                           ERR_CORRUPT, table[i].words);
        }
}

static void places_are_sorted_and_there_once(void **state) {
        AUTO(vault_taint_fini) struct vault_taint taint = {0};
        const struct vault_place places[] = {{{{9}}, 2}, {{{1}}, 5}, {{{9}}, 1}, {{{9}}, 2}};

        (void)state;
        for (size_t i = 0; i < 4; i++)
                *vec_add(&taint.places) = places[i];
        vault_taint_sort(&taint);
        assert_int_equal(taint.places.n, 3);
        assert_int_equal(taint.places.data[0].pack.b[0], 1);
        assert_int_equal(taint.places.data[1].number, 1);
        assert_int_equal(taint.places.data[2].number, 2);
}

/* A pack as a whole says all of its blobs. */
static void numbers_beside_the_whole_are_left_out(void **state) {
        AUTO(vault_taint_fini) struct vault_taint taint = {0}, read = {0};
        AUTO(buf_fini) struct buf buf = {0};
        struct err_note note;

        (void)state;
        *vec_add(&taint.places) = (struct vault_place){{{9}}, 2};
        *vec_add(&taint.places) = (struct vault_place){{{9}}, VAULT_WHOLE_PACK};
        vault_taint_encode(&taint, &buf);
        assert_ok(vault_taint_decode((struct span){buf.data, buf.n}, &read, &note));
        assert_int_equal(read.places.n, 1);
        assert_int_equal(read.places.data[0].number, VAULT_WHOLE_PACK);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_taint_is_read_and_written_as_it_was),
                cmocka_unit_test(what_is_no_place_is_refused),
                cmocka_unit_test(places_are_sorted_and_there_once),
                cmocka_unit_test(numbers_beside_the_whole_are_left_out),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
