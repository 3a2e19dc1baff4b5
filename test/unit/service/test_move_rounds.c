// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "move_rounds.h"

#define MEGA (UINT64_C(1024) * 1024)

/* What each round copied, in MiB, 0 ends them; and after which of them it is enough. */
static const struct {
        unsigned rounds[10];
        unsigned n_enough;
} cases[] = {
        {{16, 99}, 1},                                      /* a small disk */
        {{17, 16, 99}, 2},                                  /* a small rest */
        {{100000, 2000, 300, 40, 5, 99}, 5},                /* it shrinks as it should */
        {{1000, 1000, 99}, 2},                              /* it is rewritten as fast as it is copied */
        {{1000, 900, 99}, 2},                               /* an eighth less is no shrinking */
        {{1000, 875, 800, 99}, 3},                          /* a little more than that is */
        {{1000, 400, 500, 99}, 3},                          /* it grows again */
        {{9000, 5000, 3000, 2000, 1000, 500, 250, 120}, 8}, /* a bound */
        {{17, 0}, 0},                                       /* one is never enough for what is large */
};

static void rounds_go_on_while_they_shrink(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                struct move_rounds rounds = {0};
                unsigned n_enough = 0;

                assert_false(move_rounds_are_over(&rounds));
                for (unsigned r = 0; cases[i].rounds[r] && !n_enough; r++) {
                        move_rounds_add(&rounds, cases[i].rounds[r] * MEGA);
                        if (move_rounds_are_over(&rounds))
                                n_enough = r + 1;
                }
                if (n_enough != cases[i].n_enough)
                        print_error("case %zu: after %u\n", i, n_enough);
                assert_int_equal(n_enough, cases[i].n_enough);
        }
}

static void nothing_that_was_written_is_enough_at_once(void **state) {
        struct move_rounds rounds = {0};

        (void)state;
        move_rounds_add(&rounds, UINT64_MAX);
        assert_false(move_rounds_are_over(&rounds));
        move_rounds_add(&rounds, 0);
        assert_true(move_rounds_are_over(&rounds));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rounds_go_on_while_they_shrink),
                cmocka_unit_test(nothing_that_was_written_is_enough_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
