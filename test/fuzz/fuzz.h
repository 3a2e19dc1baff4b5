// SPDX-License-Identifier: Apache-2.0
/* What each fuzz target has: the entry that libFuzzer calls (and main.c where there is no libFuzzer), and the
 * way to say what must hold.  A target never reads outside its input; what decodes, encodes to the same
 * bytes.
 *
 * Errors: what does not hold ends the process.  Threads: one.
 */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MUST_HOLD(claim)                                                                                     \
        do {                                                                                                 \
                if (!(claim)) {                                                                              \
                        fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #claim);           \
                        abort();                                                                             \
                }                                                                                            \
        } while (0)

#endif
