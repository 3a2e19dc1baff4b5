// SPDX-License-Identifier: Apache-2.0
/* catenad: from argv to an exit code.
 *
 *      catenad [--config FILE] [--check] [--help] [--version]
 *
 * Exit codes: 0 stopped as it was asked to, 1 failed, 2 usage.
 *
 * Threads: the main one.
 */
#ifndef APP_CATENAD_H
#define APP_CATENAD_H

int catenad_main(int argc, char **argv);

#endif
