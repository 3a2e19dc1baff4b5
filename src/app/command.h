// SPDX-License-Identifier: Apache-2.0
/* From argv to an exit code: parses, calls the verb, prints.  The one place that looks at the environment,
 * sets signal handlers and writes to the terminal.
 *
 * Exit codes: 0 done, 1 failed, 2 usage, 3 partial, 4 done with findings, 130 interrupted.
 *
 * Threads: the main one.
 */
#ifndef APP_COMMAND_H
#define APP_COMMAND_H

enum {
        EXIT_DONE = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
        EXIT_PARTIAL = 3,
        EXIT_FINDINGS = 4,
        EXIT_INTERRUPTED = 130,
};

int command_main(int argc, char **argv);

#endif
