// SPDX-License-Identifier: Apache-2.0
#include "guess.h"

#include <stddef.h>
#include <string.h>

#include "text.h"

enum { WORD_MAX = 30 };

static unsigned min3(unsigned a, unsigned b, unsigned c) {
        return a < b ? (a < c ? a : c) : (b < c ? b : c);
}

unsigned guess_distance(const char *a, const char *b) {
        size_t n_a = strlen(a), n_b = strlen(b);
        unsigned d[WORD_MAX + 1][WORD_MAX + 1];

        if (n_a > WORD_MAX || n_b > WORD_MAX)
                return WORD_MAX;
        for (size_t i = 0; i <= n_a; i++) {
                for (size_t j = 0; j <= n_b; j++) {
                        if (i == 0 || j == 0) {
                                d[i][j] = (unsigned)(i + j);
                                continue;
                        }
                        d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
                                       d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                d[i][j] = min3(d[i][j], d[i - 2][j - 2] + 1, WORD_MAX);
                }
        }
        return d[n_a][n_b];
}

void guess_try(struct guess *guess, const char *candidate) {
        unsigned distance = guess_distance(guess->word, candidate), limit = strlen(guess->word) > 3 ? 2 : 1;

        if (strlen(guess->word) > 1 && text_starts_with(candidate, guess->word))
                distance = distance < limit ? distance : limit;
        if (distance <= limit && (!guess->best || distance < guess->distance)) {
                guess->best = candidate;
                guess->distance = distance;
        }
}
