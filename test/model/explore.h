// SPDX-License-Identifier: Apache-2.0
/* Every state that a small machine can come to, breadth first: each step of each process from each state,
 * with every choice it may make.
 *
 *      explore(&machine, &found)         … machine.step(state, process) calls explore_choose(n) …
 *
 * A state is machine.size bytes without padding.  Where a state is bad, the shortest way to it is printed.
 * Threads: one.
 */
#ifndef TEST_MODEL_EXPLORE_H
#define TEST_MODEL_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct explore_machine {
        size_t size;
        const void *first; /* borrowed; the state it begins in */
        unsigned n_processes;
        const void *user; /* borrowed; handed to all three */
        /* Changes the state; false: this process cannot go on here. */
        bool (*step)(const void *user, void *state, unsigned process);
        bool (*is_bad)(const void *user, const void *state);
        const char *(*tell)(const void *user, const void *state, unsigned process); /* what step would do */
        bool is_quiet;
        size_t n_states_max; /* more is a mistake of the test: it ends the program */
};
struct explore_found {
        size_t n_states;
        bool is_bad;
        unsigned n_steps; /* to the bad one */
};
void explore(const struct explore_machine *, struct explore_found *ret);

/* Within step: 0 to n - 1, each of them in turn. */
unsigned explore_choose(unsigned n);

#endif
