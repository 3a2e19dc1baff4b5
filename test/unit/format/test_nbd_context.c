// SPDX-License-Identifier: Apache-2.0
#include "nbd_kit.h"

#define UUID "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"

static void a_context_is_found_by_its_name(void **state) {
        struct nbd_context allocation = {.kind = NBD_CONTEXT_ALLOCATION},
                           changed = {.kind = NBD_CONTEXT_CHANGED};
        struct nbd_query query;

        (void)state;
        assert_true(uuid_parse(UUID, &changed.snapshot));
        assert_string_equal(nbd_context_name(&allocation).s, "base:allocation");
        assert_string_equal(nbd_context_name(&changed).s, "catena:changed:" UUID);
        query = nbd_query_parse(kit_text(nbd_context_name(&changed).s));
        assert_int_equal(query.kind, NBD_QUERY_ONE);
        assert_int_equal(query.one.kind, NBD_CONTEXT_CHANGED);
        assert_true(uuid_equal(&query.one.snapshot, &changed.snapshot));
        query = nbd_query_parse(kit_text("base:allocation"));
        assert_int_equal(query.kind, NBD_QUERY_ONE);
        assert_int_equal(query.one.kind, NBD_CONTEXT_ALLOCATION);
}

static void a_query_is_for_one_for_all_of_a_kind_or_for_nothing(void **state) {
        static const struct {
                const char *text;
                enum nbd_query_kind want;
        } table[] = {
                {"base:", NBD_QUERY_ALL_BASE},
                {"catena:", NBD_QUERY_ALL_CHANGED},
                {"catena:changed:", NBD_QUERY_ALL_CHANGED},
                {"base:allocation", NBD_QUERY_ONE},
                {"catena:changed:" UUID, NBD_QUERY_ONE},
                {"catena:changed:0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0", NBD_QUERY_ONE},
                {"", NBD_QUERY_NOTHING},
                {"base", NBD_QUERY_NOTHING},
                {"base:alloc", NBD_QUERY_NOTHING},
                {"base:allocation2", NBD_QUERY_NOTHING},
                {"BASE:ALLOCATION", NBD_QUERY_NOTHING},
                {"catena:change", NBD_QUERY_NOTHING},
                {"catena:changed:" UUID "0", NBD_QUERY_NOTHING},
                {"catena:changed:0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f", NBD_QUERY_NOTHING},
                {"catena:changed:0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1fz", NBD_QUERY_NOTHING},
                {"catenb:changed:" UUID, NBD_QUERY_NOTHING},
                {"qemu:allocation-depth", NBD_QUERY_NOTHING},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                enum nbd_query_kind got = nbd_query_parse(kit_text(table[i].text)).kind;

                if (got != table[i].want) {
                        print_error("\"%s\": %u\n", table[i].text, (unsigned)got);
                        fail();
                }
        }
        /* The longest name fits its room. */
        assert_true(strlen("catena:changed:" UUID) < NBD_CONTEXT_NAME_SIZE);
}

static void queries_are_taken_one_after_another(void **state) {
        static const char bytes[] = "\0\0\0\5base:\0\0\0\0\0\0\0\17base:allocation";
        struct span left = {(const uint8_t *)bytes, sizeof bytes - 1};

        (void)state;
        assert_int_equal(nbd_query_take(&left).kind, NBD_QUERY_ALL_BASE);
        assert_int_equal(nbd_query_take(&left).kind, NBD_QUERY_NOTHING);
        assert_int_equal(nbd_query_take(&left).kind, NBD_QUERY_ONE);
        assert_int_equal(left.n, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_context_is_found_by_its_name),
                cmocka_unit_test(a_query_is_for_one_for_all_of_a_kind_or_for_nothing),
                cmocka_unit_test(queries_are_taken_one_after_another),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
