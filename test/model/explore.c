// SPDX-License-Identifier: Apache-2.0
#include "explore.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { CHOICES_MAX = 40 };

static struct { unsigned made[CHOICES_MAX], of[CHOICES_MAX], n, at; } choices;

unsigned explore_choose(unsigned n) {
        assert(n > 0 && choices.at < CHOICES_MAX);
        if (choices.at == choices.n) {
                choices.made[choices.n] = 0;
                choices.of[choices.n++] = n;
        }
        return choices.made[choices.at++];
}

/* The next way to choose; false: all were tried. */
static bool choose_otherwise(void) {
        while (choices.n > 0 && choices.made[choices.n - 1] + 1 == choices.of[choices.n - 1])
                choices.n--;
        if (choices.n == 0)
                return false;
        choices.made[choices.n - 1]++;
        return true;
}

struct search {
        const struct explore_machine *machine; /* borrowed */
        uint8_t *states;                       /* owned; one behind the other */
        uint32_t *from;                        /* owned; of which state each came */
        uint8_t *by;                           /* owned; by which process */
        size_t n, room;
        uint32_t *table; /* owned; number of a state + 1; 0: empty */
        size_t n_table;  /* a power of two */
};

static uint8_t *state_at(const struct search *search, size_t i) {
        return search->states + i * search->machine->size;
}

static uint64_t hash(const uint8_t *bytes, size_t n) {
        uint64_t h = UINT64_C(1469598103934665603);

        for (size_t i = 0; i < n; i++)
                h = (h ^ bytes[i]) * UINT64_C(1099511628211);
        return h ^ h >> 29;
}

static uint32_t *place_of(const struct search *search, const uint8_t *state) {
        size_t at = hash(state, search->machine->size) & (search->n_table - 1);

        while (search->table[at] &&
               memcmp(state_at(search, search->table[at] - 1), state, search->machine->size) != 0)
                at = (at + 1) & (search->n_table - 1);
        return &search->table[at];
}

static void grow_table(struct search *search) {
        free(search->table);
        search->n_table *= 2;
        search->table = mem_zero(search->n_table * sizeof *search->table);
        for (size_t i = 0; i < search->n; i++)
                *place_of(search, state_at(search, i)) = (uint32_t)i + 1;
}

/* False: it was known. */
static bool add(struct search *search, const uint8_t *state, size_t from, unsigned by) {
        uint32_t *place = place_of(search, state);

        if (*place)
                return false;
        assert(search->n < search->machine->n_states_max);
        if (search->n == search->room) {
                search->room = search->room ? 2 * search->room : 1024;
                search->states = mem_grow(search->states, search->room, search->machine->size);
                search->from = mem_grow(search->from, search->room, sizeof *search->from);
                search->by = mem_grow(search->by, search->room, 1);
        }
        memcpy(state_at(search, search->n), state, search->machine->size);
        search->from[search->n] = (uint32_t)from;
        search->by[search->n] = (uint8_t)by;
        *place = (uint32_t)++search->n;
        if (2 * search->n > search->n_table)
                grow_table(search);
        return true;
}

static unsigned tell_way(const struct search *search, size_t to) {
        const struct explore_machine *machine = search->machine;
        unsigned n = 0;

        if (to == 0)
                return 0;
        n = tell_way(search, search->from[to]) + 1;
        if (!machine->is_quiet)
                printf("%4u  %s\n", n,
                       machine->tell(machine->user, state_at(search, search->from[to]), search->by[to]));
        return n;
}

/* False: a bad one was found, the last. */
static bool go_on(struct search *search, size_t from, unsigned process, uint8_t *scratch) {
        const struct explore_machine *machine = search->machine;

        choices.n = 0;
        do {
                choices.at = 0;
                memcpy(scratch, state_at(search, from), machine->size);
                if (machine->step(machine->user, scratch, process) && add(search, scratch, from, process) &&
                    machine->is_bad(machine->user, scratch))
                        return false;
        } while (choose_otherwise());
        return true;
}

static bool look_at_all(struct search *search) {
        uint8_t *scratch = mem_zero(search->machine->size);
        bool is_good = true;

        for (size_t i = 0; is_good && i < search->n; i++)
                for (unsigned process = 0; is_good && process < search->machine->n_processes; process++)
                        is_good = go_on(search, i, process, scratch);
        free(scratch);
        return is_good;
}

void explore(const struct explore_machine *machine, struct explore_found *ret) {
        struct search search = {.machine = machine, .n_table = 4096};

        search.table = mem_zero(search.n_table * sizeof *search.table);
        (void)add(&search, machine->first, 0, 0);
        *ret = (struct explore_found){.is_bad = !look_at_all(&search)};
        if (ret->is_bad)
                ret->n_steps = tell_way(&search, search.n - 1);
        ret->n_states = search.n;
        free(search.states);
        free(search.from);
        free(search.by);
        free(search.table);
}
