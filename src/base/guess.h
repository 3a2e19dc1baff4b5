// SPDX-License-Identifier: Apache-2.0
/* Which of some words was meant by one that is almost right.
 *
 *      struct guess guess = {.word = "lsit"};
 *      guess_try(&guess, "show");  guess_try(&guess, "list");
 *      … guess.best …                          "list"; NULL: none is near
 *
 * Errors: none.  Threads: any.
 */
#ifndef BASE_GUESS_H
#define BASE_GUESS_H

struct guess {
        const char *word; /* borrowed; what was written */
        const char *best; /* borrowed; or NULL */
        unsigned distance;
};

void guess_try(struct guess *, const char *candidate);

/* How many letters to change, add, drop or swap to make one of the other. */
unsigned guess_distance(const char *a, const char *b);

#endif
