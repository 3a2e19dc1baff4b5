// SPDX-License-Identifier: Apache-2.0
/* What every unit test includes: cmocka in the order it needs, and assertions about errors that print the
 * note. */
#ifndef TEST_UNIT_CHECK_H
#define TEST_UNIT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "err.h"

#define assert_ok(call)                                                                       \
        do {                                                                                  \
                if ((call) != ERR_NONE) {                                                     \
                        print_error("%s:%d: %s: %s\n", __FILE__, __LINE__, #call, note.text); \
                        fail();                                                               \
                }                                                                             \
        } while (0)

/* The call fails with that code, and its text (in `note`) contains the words. */
#define assert_err(call, want, words)                                                                       \
        do {                                                                                                \
                enum err got_ = (call);                                                                     \
                if (got_ != (want) || !strstr(note.text, (words))) {                                        \
                        print_error("%s:%d: %s: got %s \"%s\", wanted %s \"%s\"\n", __FILE__, __LINE__,     \
                                    #call, err_name(got_), got_ ? note.text : "", err_name(want), (words)); \
                        fail();                                                                             \
                }                                                                                           \
        } while (0)

/* CATENA_CASE='a_vec_*' in the environment runs just the cases of that name. */
__attribute__((constructor)) static void choose_cases(void) {
        cmocka_set_test_filter(getenv("CATENA_CASE"));
}

/* Leaves the test, saying why at the end of the run.  A test that could run but does not is
 * worth a sentence. */
#define skip_because(why)             \
        do {                          \
                print_message("%s\n", (why)); \
                skip();               \
        } while (0)

#endif
