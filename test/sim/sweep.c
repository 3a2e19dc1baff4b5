// SPDX-License-Identifier: Apache-2.0
#include "sweep.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_dice.h"
#include "text.h"

enum { SEEDS = 2 * IO_SIM_STYLES, MAX_POINTS = 300, RECOVERIES = 4, MAX_VIOLATIONS = 10, BLOCK = 4096 };

/* A failure leaves something to chance (what a failed sync kept): so each is tried in rounds.  Seeds of a
 * round count from ROUND * its number. */
enum { FAIL_ROUNDS = 3, ROUND = 1000 };

enum kind { KIND_CRASH, KIND_KILL, KIND_EIO, KIND_EIO_FOREVER, KIND_ENOSPC, KIND_ENOSPC_FOREVER, KIND_FULL };

static const char *const kind_names[] = {"crash",  "kill",           "eio", "eio-forever",
                                         "enospc", "enospc-forever", "full"};

/* One thing that is tried. */
struct point {
        enum kind kind;
        uint64_t n; /* the call */
        uint64_t seed;
        uint64_t again; /* the changing call of check's recovery at which the machine dies once more; 0: none
                         */
};

struct run {
        const struct sweep *sweep; /* borrowed from the caller */
        struct io *base;           /* owned; the machine after setup, never changed */
        unsigned seeds;
        uint64_t share; /* one of so many calls is tried, of those that would be */
        bool is_whole;  /* no point is left out */
        bool is_quiet;
        bool has_only; /* just that one, with its trace */
        struct point only;
        uint64_t n_calls, n_points;
        unsigned violations;
};

enum err sweep_violation(struct err_note *note, const char *fmt, ...) {
        char text[ERR_TEXT_SIZE];
        va_list args;

        va_start(args, fmt);
        (void)vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        return err_set(note, ERR_MISMATCH, "%s", text);
}

/* ---- points ---- */

static bool is_wanted(const struct run *run, const struct point *point) {
        const struct point *only = &run->only;

        if (!run->has_only)
                return run->violations < MAX_VIOLATIONS;
        return only->kind == point->kind && only->n == point->n && only->seed == point->seed &&
               only->again == point->again;
}

/* Is there anything to try at that call? */
static bool is_call_wanted(const struct run *run, enum kind kind, uint64_t n) {
        if (!run->has_only)
                return run->violations < MAX_VIOLATIONS;
        return run->only.kind == kind && run->only.n == n;
}

static void try_call(struct run *run, enum kind kind, uint64_t n);

static void trace(const struct run *run, struct io *io, const char *title) {
        if (!run->has_only || run->sweep->is_quiet)
                return;
        fprintf(stderr, "  ---- %s\n", title);
        io_sim_trace(io, stderr);
}

/* Runs the point once more, by itself, so that its trace is printed. */
static void print_trace(const struct run *run, const struct point *point) {
        struct run again = *run;

        again.has_only = true;
        again.only = *point;
        again.is_quiet = true;
        again.violations = 0;
        try_call(&again, point->kind, point->n);
}

static void report(struct run *run, const struct point *point, const char *text) {
        char again[40] = "";

        run->violations++;
        if (run->is_quiet)
                return;
        if (point->again)
                (void)snprintf(again, sizeof again, ":%" PRIu64, point->again);
        fprintf(stderr, "sweep %s: violated: %s\n  CATENA_SWEEP=%s:%s:%" PRIu64 ":%" PRIu64 "%s\n",
                run->sweep->name, text, run->sweep->name, kind_names[point->kind], point->n, point->seed,
                again);
        if (getenv("CATENA_FIRST"))
                exit(1);
        if (run->violations == 1 && !run->has_only)
                print_trace(run, point);
}

static const char *outcome_text(enum sweep_outcome outcome) {
        return outcome == SWEEP_DONE ? "done" : outcome == SWEEP_DIED ? "died" : "failed";
}

/* ---- one look ---- */

static bool all_closed(struct run *run, struct io *io, const struct point *point, const char *who) {
        unsigned n = io_sim_open_files(io);
        char text[80];

        if (n == 0)
                return true;
        (void)snprintf(text, sizeof text, "%s left %u files open", who, n);
        report(run, point, text);
        io_sim_abandon(io);
        return false;
}

/* when: what was done to the machine before this look. */
static bool look(struct run *run, struct io *io, enum sweep_outcome outcome, const struct point *point,
                 const char *when) {
        char text[ERR_TEXT_SIZE + 100];
        struct err_note note;

        trace(run, io, when);
        run->n_points++;
        if (run->sweep->check(io, run->sweep->ctx, outcome, &note)) {
                (void)snprintf(text, sizeof text, "%s, operation %s: %s", when, outcome_text(outcome),
                               note.text);
                report(run, point, text);
                return false;
        }
        return all_closed(run, io, point, "check");
}

/* The machine dies in the middle of check's own recovery, and comes back once more. */
static void look_again(struct run *run, struct io *dead, enum sweep_outcome outcome, struct point point) {
        AUTO(io_free) struct io *io = io_sim_fork(dead);
        struct err_note note;

        io_sim_crash(io, point.seed);
        io_sim_die_at(io, point.again, IO_SIM_BEFORE);
        trace(run, io, "recovery that a crash cuts off");
        (void)!run->sweep->check(io, run->sweep->ctx, outcome, &note);
        (void)all_closed(run, io, &point, "check, when it failed,");
        io_sim_crash(io, point.seed + point.again + point.n);
        (void)look(run, io, outcome, &point, "after a crash within recovery");
}

static void look_after_crash(struct run *run, struct io *dead, enum sweep_outcome outcome,
                             struct point point) {
        AUTO(io_free) struct io *io = io_sim_fork(dead);
        unsigned recoveries = run->sweep->recoveries ? run->sweep->recoveries : RECOVERIES;
        uint64_t n;

        if (run->has_only && run->only.again > 0 && run->only.seed == point.seed)
                point.again = run->only.again;
        if (!is_wanted(run, &point))
                return;
        if (point.again > 0) {
                look_again(run, dead, outcome, point);
                return;
        }
        io_sim_crash(io, point.seed);
        if (!look(run, io, outcome, &point, "after the crash") || run->has_only ||
            point.seed != point.n % run->seeds)
                return;
        n = io_sim_count(io).changing;
        for (unsigned i = 0; i < recoveries && i < n; i++) {
                point.again = n <= recoveries ? i + 1 : 1 + sim_hash(point.n, i) % n;
                if (is_wanted(run, &point))
                        look_again(run, dead, outcome, point);
        }
}

static void look_after_late_crash(struct run *run, struct io *recovered, enum sweep_outcome outcome,
                                  const struct point *point) {
        AUTO(io_free) struct io *io = io_sim_fork(recovered);

        io_sim_crash(io, point->seed);
        (void)look(run, io, outcome, point, "after a kill, a recovery and a crash");
}

/* The process ends, the machine goes on; and only after the recovery is power lost: for every second round of
 * the styles of crashes. */
static void look_after_kill(struct run *run, struct io *dead, enum sweep_outcome outcome,
                            struct point point) {
        AUTO(io_free) struct io *io = io_sim_fork(dead);

        point.kind = KIND_KILL;
        io_sim_kill(io);
        if (!is_call_wanted(run, KIND_KILL, point.n) || !look(run, io, outcome, &point, "after a kill"))
                return;
        for (point.seed = 0; point.seed < run->seeds; point.seed++)
                if (is_wanted(run, &point) && (point.seed / IO_SIM_STYLES + point.n) % 2 == 0)
                        look_after_late_crash(run, io, outcome, &point);
}

/* ---- one call ---- */

/* The operation on a machine that has its fault set. */
static void operate(struct run *run, struct io *io, const struct point *point, enum sweep_outcome *ret) {
        struct err_note note = {0};
        enum err err;

        trace(run, io, "operation");
        err = run->sweep->operate(io, run->sweep->ctx, &note);
        *ret = !err ? SWEEP_DONE : io_sim_is_dead(io) ? SWEEP_DIED : SWEEP_FAILED;
        if (err && !io_sim_fired(io) && point->kind != KIND_FULL && !run->sweep->may_fail)
                report(run, point, note.text);
        (void)all_closed(run, io, point, "the operation");
        io_sim_trace(io, NULL);
}

static void try_death(struct run *run, uint64_t n) {
        AUTO(io_free) struct io *io = io_sim_fork(run->base);
        struct point point = {.kind = KIND_CRASH, .n = n};
        enum sweep_outcome outcome;

        io_sim_reseed(io, n);
        io_sim_die_at(io, n, IO_SIM_BEFORE);
        operate(run, io, &point, &outcome);
        for (; point.seed < run->seeds && is_call_wanted(run, KIND_CRASH, n); point.seed++)
                look_after_crash(run, io, outcome, point);
        point.seed = 0;
        look_after_kill(run, io, outcome, point);
}

static void set_fault(struct io *io, enum kind kind, uint64_t n) {
        bool is_space = kind == KIND_ENOSPC || kind == KIND_ENOSPC_FOREVER;

        if (kind == KIND_FULL)
                io_sim_resize(io, io_sim_used(io) + (n - 1) * BLOCK);
        else
                io_sim_fail_at(io, n, is_space ? ERR_NO_SPACE : ERR_IO,
                               kind == KIND_EIO_FOREVER || kind == KIND_ENOSPC_FOREVER);
}

/* A machine on which the call failed goes on, or crashes too. */
static void look_after_failure(struct run *run, struct io *failed, enum sweep_outcome outcome,
                               struct point point, bool has_crashed) {
        AUTO(io_free) struct io *io = io_sim_fork(failed); /* without the fault */

        if (!is_wanted(run, &point))
                return;
        io_sim_resize(io, io_sim_size(run->base));
        if (has_crashed) {
                io_sim_crash(io, point.seed);
                (void)look(run, io, outcome, &point, "after a failure and a crash");
        } else if (look(run, io, outcome, &point, "after a failure")) {
                io_sim_crash(io, point.seed + point.n);
                (void)look(run, io, outcome, &point, "after a failure, a recovery and a crash");
        }
}

static void try_failure(struct run *run, enum kind kind, uint64_t n) {
        uint64_t each = min_u64(run->seeds / FAIL_ROUNDS + 1, ROUND);

        for (uint64_t round = 0; round < FAIL_ROUNDS; round++) {
                AUTO(io_free) struct io *io = NULL;
                struct point point = {.kind = kind, .n = n, .seed = round * ROUND};
                enum sweep_outcome outcome;

                if (run->has_only && run->only.seed / ROUND != round)
                        continue;
                io = io_sim_fork(run->base);
                io_sim_reseed(io, sim_hash(n, round));
                set_fault(io, kind, n);
                operate(run, io, &point, &outcome);
                if (!io_sim_fired(io) && kind != KIND_FULL)
                        continue;
                for (uint64_t i = 0; i < each; i++, point.seed++)
                        look_after_failure(run, io, outcome, point, i > 0);
        }
}

static void try_call(struct run *run, enum kind kind, uint64_t n) {
        if (kind == KIND_CRASH || kind == KIND_KILL)
                try_death(run, n);
        else
                try_failure(run, kind, n);
}

/* ---- all calls ---- */

static void try_calls(struct run *run, enum kind kind, uint64_t n_calls) {
        uint64_t points = run->sweep->max_points ? run->sweep->max_points : MAX_POINTS;

        run->n_calls += n_calls;
        if (run->is_whole || run->has_only || points > n_calls)
                points = n_calls;
        if (!run->is_whole && !run->has_only)
                points = div_up(points, run->share);
        for (uint64_t i = 0; i < points; i++) {
                uint64_t n = 1 + i * n_calls / points;

                if (is_call_wanted(run, kind, n) || (kind == KIND_CRASH && is_call_wanted(run, KIND_KILL, n)))
                        try_call(run, kind, n);
        }
}

static void read_only(struct run *run) {
        const char *text = getenv("CATENA_SWEEP");
        char name[64], kind[20];
        int n_read;

        if (!text)
                return;
        n_read = sscanf(text, "%63[^:]:%19[^:]:%" SCNu64 ":%" SCNu64 ":%" SCNu64, name, kind, &run->only.n,
                        &run->only.seed, &run->only.again);
        run->has_only = n_read >= 4 && strcmp(name, run->sweep->name) == 0;
        for (size_t i = 0; i < sizeof kind_names / sizeof kind_names[0]; i++)
                if (run->has_only && strcmp(kind, kind_names[i]) == 0)
                        run->only.kind = (enum kind)i;
}

static uint64_t number_in(const char *variable) {
        const char *text = getenv(variable);
        uint64_t n;

        return text && text_parse_u64(text, &n) && n < 1000000 ? n : 0;
}

static bool begin(struct run *run, const struct sweep *sweep, unsigned seeds) {
        uint64_t more = number_in("CATENA_SEEDS"), share = number_in("CATENA_SHARE");
        struct err_note note;

        *run = (struct run){.sweep = sweep,
                            .seeds = seeds ? seeds : SEEDS,
                            .share = max_u64(1, share),
                            .is_whole = more > 0 || getenv("CATENA_SOAK"),
                            .is_quiet = sweep->is_quiet};
        if (more)
                run->seeds = (unsigned)more;
        read_only(run);
        run->base = io_sim_new(1, sweep->size);
        io_sim_set_lacks(run->base, sweep->lacks);
        if (sweep->setup && sweep->setup(run->base, sweep->ctx, &note)) {
                if (!run->is_quiet)
                        fprintf(stderr, "sweep %s: setup: %s\n", sweep->name, note.text);
                return false;
        }
        io_sim_settle(run->base);
        return true;
}

/* Without a fault it succeeds, and check agrees; this counts the calls. */
static bool try_once(struct run *run, struct io_sim_count *ret, uint64_t *ret_blocks) {
        AUTO(io_free) struct io *io = io_sim_fork(run->base);
        struct point point = {.kind = KIND_CRASH};
        enum sweep_outcome outcome;

        operate(run, io, &point, &outcome);
        *ret = io_sim_count(io);
        *ret_blocks = (io_sim_peak(io) - io_sim_used(run->base)) / BLOCK;
        return run->violations == 0 && look(run, io, outcome, &point, "without a fault");
}

static unsigned finish(struct run *run) {
        if (!run->is_quiet)
                fprintf(stderr, "sweep %s: %" PRIu64 " calls, %" PRIu64 " points%s\n", run->sweep->name,
                        run->n_calls, run->n_points, run->violations ? ", VIOLATED" : "");
        io_free(run->base);
        return run->violations;
}

unsigned sweep_crash(const struct sweep *sweep, unsigned seeds) {
        struct io_sim_count count;
        uint64_t blocks;
        struct run run;

        if (!begin(&run, sweep, seeds) || !try_once(&run, &count, &blocks)) {
                run.violations += run.violations == 0;
                return finish(&run);
        }
        try_calls(&run, KIND_CRASH, count.changing + 1); /* the last: a crash after success */
        return finish(&run);
}

unsigned sweep_fail(const struct sweep *sweep, unsigned seeds) {
        struct io_sim_count count;
        uint64_t blocks;
        struct run run;

        if (!begin(&run, sweep, seeds) || !try_once(&run, &count, &blocks)) {
                run.violations += run.violations == 0;
                return finish(&run);
        }
        try_calls(&run, KIND_EIO, count.all);
        try_calls(&run, KIND_EIO_FOREVER, count.all);
        try_calls(&run, KIND_ENOSPC, count.spacious);
        try_calls(&run, KIND_ENOSPC_FOREVER, count.spacious);
        try_calls(&run, KIND_FULL, blocks); /* all but the last of the blocks it needs */
        return finish(&run);
}

unsigned sweep_all(const struct sweep *sweep, unsigned seeds) {
        return sweep_crash(sweep, seeds) + sweep_fail(sweep, seeds);
}
