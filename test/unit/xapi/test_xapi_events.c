// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "verbs.h"
#include "xapi_events.h"

static void a_token_is_its_text(void **state) {
        static const uint64_t numbers[] = {0, 1, 42, UINT64_C(1) << 63, UINT64_MAX};

        (void)state;
        for (size_t i = 0; i < 5; i++)
                for (size_t j = 0; j < 5; j++) {
                        struct xapi_token token = {.generation = numbers[i], .epoch = numbers[j]}, read = {0};

                        assert_true(xapi_token_parse(xapi_token_text(&token).s, &read));
                        assert_int_equal(read.generation, numbers[i]);
                        assert_int_equal(read.epoch, numbers[j]);
                }
}

static void later_tokens_are_greater_texts(void **state) {
        struct xapi_token early = {.generation = 9, .epoch = 5}, late = {.generation = 10, .epoch = 5};

        (void)state;
        assert_true(strcmp(xapi_token_text(&early).s, xapi_token_text(&late).s) < 0);
}

static bool wants(const char *wish, enum xapi_class_id class, const struct uuid *uuid) {
        AUTO(json_decref) json_t *classes = json_pack("[s]", wish);
        AUTO(xapi_interest_free) struct xapi_interest *interest = NULL;
        const char *wrong;

        assert_true(xapi_interest_parse(classes, &interest, &wrong));
        return xapi_interest_has(interest, class, uuid);
}

static void wishes_are_met_by_what_they_name(void **state) {
        const struct uuid a = {{1}}, b = {{2}};
        AUTO_FREE char *one = mem_format("vdi/%s", xapi_ref_of(&a).s);
        AUTO_FREE char *loud = mem_format("VDI/%s", xapi_ref_of(&a).s);

        (void)state;
        assert_true(wants("*", XAPI_VDI, &a));
        assert_true(wants("vdi", XAPI_VDI, &a));
        assert_true(wants("VDI", XAPI_VDI, &a));
        assert_true(wants("vdi/*", XAPI_VDI, &a));
        assert_false(wants("vdi/*", XAPI_VM, &a));
        assert_false(wants("vdi", XAPI_VM, &a));
        assert_false(wants("vdis", XAPI_VDI, &a));
        assert_true(wants(one, XAPI_VDI, &a));
        assert_true(wants(loud, XAPI_VDI, &a));
        assert_false(wants(one, XAPI_VDI, &b));
        assert_false(wants(one, XAPI_VM, &a));
        assert_false(wants("vdi/OpaqueRef:nobody", XAPI_VDI, &a));
}

static void nobody_hears_of_sessions(void **state) {
        const struct uuid a = {{1}};
        AUTO_FREE char *one = mem_format("session/%s", xapi_ref_of(&a).s);

        (void)state;
        assert_false(wants("*", XAPI_SESSION, &a));
        assert_false(wants("session", XAPI_SESSION, &a));
        assert_false(wants("session/*", XAPI_SESSION, &a));
        assert_false(wants(one, XAPI_SESSION, &a));
}

static void what_is_no_wish_is_named(void **state) {
        static const char *const wrong_ones[] = {"", "/x", "a/b/c"};

        (void)state;
        for (size_t i = 0; i < sizeof wrong_ones / sizeof *wrong_ones; i++) {
                AUTO(json_decref) json_t *classes = json_pack("[s, s]", "vdi", wrong_ones[i]);
                AUTO(xapi_interest_free) struct xapi_interest *interest = NULL;
                const char *wrong = NULL;

                assert_false(xapi_interest_parse(classes, &interest, &wrong));
                assert_string_equal(wrong, wrong_ones[i]);
        }
}

static void of_too_many_sessions_the_oldest_is_forgotten(void **state) {
        AUTO(xapi_registered_free) struct xapi_registered *registered = xapi_registered_new();
        struct uuid session = {{0}};
        json_t *classes = NULL;
        uint64_t generation;

        (void)state;
        for (unsigned i = 0; i <= XAPI_REGISTERED_MAX; i++) {
                session.b[0] = (uint8_t)i;
                session.b[1] = (uint8_t)(i >> 8);
                xapi_registered_add(registered, &session, json_pack("[s]", "vm"), i);
        }
        assert_true(xapi_registered_find(registered, &session, &classes, &generation));
        assert_int_equal(generation, XAPI_REGISTERED_MAX);
        json_decref(classes);
        session = (struct uuid){{0}};
        assert_false(xapi_registered_find(registered, &session, &classes, &generation));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_token_is_its_text),
                cmocka_unit_test(later_tokens_are_greater_texts),
                cmocka_unit_test(wishes_are_met_by_what_they_name),
                cmocka_unit_test(nobody_hears_of_sessions),
                cmocka_unit_test(what_is_no_wish_is_named),
                cmocka_unit_test(of_too_many_sessions_the_oldest_is_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
