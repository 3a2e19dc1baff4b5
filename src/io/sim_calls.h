// SPDX-License-Identifier: Apache-2.0
/* Each call on the simulated machine as one record: counted, traced, and met by the fault that was set for
 * it.
 *
 * Errors: none.  Threads: its machine's lock is held.
 */
#ifndef IO_SIM_CALLS_H
#define IO_SIM_CALLS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "err.h"
#include "io_sim.h"

enum sim_call_flags {
        CALL_CHANGES = 1 << 0,
        CALL_SPACIOUS = 1 << 1, /* may find no space */
        CALL_PARTLY = 1 << 2,   /* when it fails, some of it may have happened: the op sees to that */
        CALL_RANGE = 1 << 3,    /* has n and at */
        CALL_SIZE = 1 << 4,     /* has at: a size */
        CALL_ON_FILE = 1 << 5,  /* its caller knows the path */
};

enum sim_fate {
        FATE_NONE,
        FATE_DEAD,  /* the machine was dead before */
        FATE_STALE, /* the file was opened before the last crash */
        FATE_FAIL,
        FATE_DIE_BEFORE,
        FATE_DIE_DURING,
};

struct sim_call {
        const char *verb;      /* borrowed */
        const char *path, *to; /* borrowed; to may be NULL */
        uint64_t n, at;
        unsigned flags;
        enum sim_fate fate; /* filled by sim_calls_begin */
        const char *why;    /* borrowed, or NULL; beside the error's own text */
};

struct sim_calls {
        struct io_sim_count count;
        uint64_t die_in; /* changing calls; 0: not */
        enum io_sim_death death;
        uint64_t fail_in; /* calls; 0: not */
        enum err fail_with;
        bool fail_forever, is_failing;
        bool has_fired, is_dead;
        FILE *trace; /* borrowed, or NULL */
};

void sim_calls_heal(struct sim_calls *);
/* Decides what becomes of the call; is_stale: its file is of an earlier life. */
void sim_calls_begin(struct sim_calls *, struct sim_call *, bool is_stale);
/* What its caller hears; err is how it went by itself. */
enum err sim_calls_end(struct sim_calls *, const struct sim_call *, enum err, struct err_note *);

#endif
