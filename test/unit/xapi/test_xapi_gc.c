// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "xapi_gc.h"

/* As gc_run_verb.c tells it. */
static json_t *reason(const char *name, const char *state, const char *why) {
        return json_pack("{s:s, s:s, s:s}", "name", name, "state", state, "reason", why);
}

static void the_first_that_failed_is_told(void **state) {
        AUTO(json_decref)
        json_t *result = json_pack("{s:[o, o, o]}", "reasons", reason("a", "waiting", "a guest has it"),
                                   reason("b", "failed", "input/output error"),
                                   reason("c", "failed", "no space left"));
        struct err_note note;

        (void)state;
        assert_err(xapi_gc_failure(result, &note), ERR_IO, "b: input/output error");
}

static void who_only_waits_did_not_fail(void **state) {
        AUTO(json_decref)
        json_t *result = json_pack("{s:[o]}", "reasons", reason("a", "waiting", "a guest has it"));
        AUTO(json_decref) json_t *nothing = json_object();
        struct err_note note;

        (void)state;
        assert_ok(xapi_gc_failure(result, &note));
        assert_ok(xapi_gc_failure(nothing, &note));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_first_that_failed_is_told),
                cmocka_unit_test(who_only_waits_did_not_fail),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
