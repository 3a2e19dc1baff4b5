// SPDX-License-Identifier: Apache-2.0
/* Sweeps: an operation is run once and its calls are counted; then the machine dies at each of them, under
 * many seeds; then each of them fails, once and from then on; then the disk has too few blocks for it.
 * After each the operation's own check recovers and looks at the invariants.
 *
 *      static const struct sweep rename_sweep = {
 *              .name = "replace", .setup = make_old, .operate = replace, .check = is_old_or_new };
 *      assert_int_equal(sweep_all(&rename_sweep, 0), 0);
 *
 * What a sweep asks of its operation:
 *   - it can run again on another machine in the same state: it opens what it needs by path and closes it
 *   - what it writes down in ctx (acknowledged so far: …) it resets at its start; check only reads it
 *   - check may run on any machine that a crash left, more than once, and may itself be cut off by a crash
 *
 * A violation is printed with the point where it happened, and the first of each sweep with every call that
 * led there. CATENA_SWEEP=name:kind:n:seed[:again] runs just that point, with its trace; CATENA_SEEDS=N tries
 * N seeds a point and leaves out no point, CATENA_SOAK=1 leaves out none either; CATENA_SHARE=N tries one of
 * N calls, where a build is slow; CATENA_FIRST=1 ends the program at the first violation.
 *
 * Errors: the number of violations; 0 is good.  Threads: one.
 */
#ifndef TEST_SIM_SWEEP_H
#define TEST_SIM_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "io_sim.h"

enum sweep_outcome {
        SWEEP_DONE,   /* it said success: everything must be there, whatever came after */
        SWEEP_DIED,   /* the machine died under it: old or new, as the operation promises */
        SWEEP_FAILED, /* it said failure: so too, and what it worked on must be usable */
};

struct sweep {
        const char *name;
        void *ctx; /* borrowed; handed to each */

        /* What is there before; durable when it returns, whether it was synced or not. */
        enum err (*setup)(struct io *, void *ctx, struct err_note *);
        enum err (*operate)(struct io *, void *ctx, struct err_note *);
        /* An error is a violation, and its note says of what. */
        enum err (*check)(struct io *, void *ctx, enum sweep_outcome, struct err_note *);

        uint64_t size;       /* of the file system; 0: plenty */
        unsigned lacks;      /* enum io_sim_lack */
        unsigned max_points; /* calls at which a fault is tried, evenly spread; 0: 300 */
        unsigned recoveries; /* crashes within check's own recovery, for one seed of each point; 0: 4 */
        bool may_fail;       /* operate may say failure without a fault (ENOSPC on a small size, say) */
        bool is_quiet;       /* prints nothing: violations are expected */
};

unsigned sweep_crash(const struct sweep *, unsigned seeds); /* seeds a point; 0: 18 */
unsigned sweep_fail(const struct sweep *, unsigned seeds);  /* EIO, ENOSPC, a full disk */
unsigned sweep_all(const struct sweep *, unsigned seeds);   /* both */

/* "return sweep_violation(note, "block %u is gone", i)" */
enum err sweep_violation(struct err_note *, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
