// SPDX-License-Identifier: Apache-2.0
/* Random histories against a model. Without --seed many short ones, by count and never by clock:
 *
 *      history chain|sr [--ops N]               so many operations in all
 *      history chain|sr --seed S [--ops N] [--trace]   one history, of so many operations
 *
 * A violation prints the seed and the latest operations, and the rest is not run. CATENA_SOAK=1: twenty times
 * as many; a build with sanitizers: fewer, and others. */
#include <inttypes.h>
#include <stdlib.h>

#include "history.h"
#include "text.h"

enum { OPS_OF_ONE = 400, SOAK = 20, LESS = 10 };

struct kind {
        const char *name;
        enum err (*run)(struct history *, struct err_note *);
        uint64_t n_ops;
};
static const struct kind kinds[] = {{"chain", history_chain, 160000}, {"sr", history_sr, 200000}};

struct options {
        const struct kind *kind; /* borrowed, static */
        uint64_t seed, n_ops;    /* 0: not given */
        bool is_traced;
};

static const struct kind *find_kind(const char *name) {
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
                if (strcmp(kinds[i].name, name) == 0)
                        return &kinds[i];
        return NULL;
}

static bool read_options(int argc, char **argv, struct options *ret) {
        *ret = (struct options){.kind = argc > 1 ? find_kind(argv[1]) : NULL};
        for (int i = 2; i < argc; i++) {
                bool has_value = i + 1 < argc;

                if (strcmp(argv[i], "--trace") == 0)
                        ret->is_traced = true;
                else if (strcmp(argv[i], "--seed") == 0 && has_value &&
                         text_parse_u64(argv[i + 1], &ret->seed))
                        i++;
                else if (strcmp(argv[i], "--ops") == 0 && has_value &&
                         text_parse_u64(argv[i + 1], &ret->n_ops))
                        i++;
                else
                        return false;
        }
        return ret->kind != NULL;
}

static void add(struct history_count *all, const struct history_count *one) {
        all->ops += one->ops;
        all->crashes += one->crashes;
        all->kills += one->kills;
        all->failures += one->failures;
        all->snapshots += one->snapshots;
        all->coalesces += one->coalesces;
        all->live_begun += one->live_begun;
        all->live_done += one->live_done;
        all->live_made_way += one->live_made_way;
        all->live_changes += one->live_changes;
        all->gc_coalesces += one->gc_coalesces;
        all->verified += one->verified;
}

static bool run_one(const struct kind *kind, uint64_t seed, uint64_t n_ops, bool is_traced,
                    struct history_count *count) {
        struct err_note note = {0};
        struct history h;
        bool is_good;

        history_init(&h, seed, n_ops, is_traced);
        is_good = kind->run(&h, &note) == ERR_NONE;
        add(count, &h.count);
        if (!is_good) {
                fprintf(stderr, "history %s: violated: %s\nthe latest operations:\n", kind->name, note.text);
                history_print_last(&h);
                fprintf(stderr, "again: history %s --seed %" PRIu64 " --ops %" PRIu64 " --trace\n",
                        kind->name, seed, n_ops);
                io_sim_abandon(h.io);
        } else if (io_sim_open_files(h.io)) {
                fprintf(stderr, "history %s: seed %" PRIu64 " left %u files open\n", kind->name, seed,
                        io_sim_open_files(h.io));
                io_sim_abandon(h.io);
                is_good = false;
        }
        history_fini(&h);
        return is_good;
}

static bool is_set(const char *name, const char *except) {
        const char *value = getenv(name);

        return value && *value && strcmp(value, except) != 0;
}

static bool run_many(const struct options *options, struct history_count *count) {
        uint64_t n = options->n_ops ? options->n_ops : options->kind->n_ops, seed = 1;

        if (is_set("CATENA_BUILD_KIND", "release")) {
                n /= LESS;
                seed += 1000000;
        }
        if (is_set("CATENA_SOAK", "0"))
                n *= SOAK;
        for (; count->ops < n; seed++)
                if (!run_one(options->kind, seed, OPS_OF_ONE, options->is_traced, count))
                        return false;
        return true;
}

/* That the mix really has them is seen, not hoped for. */
static void print_live(const struct history_count *count) {
        printf("of disks that were written to: %" PRIu64 " coalesces begun, %" PRIu64 " done, %" PRIu64
               " ended by a verb, %" PRIu64 " changes meanwhile; gc did %" PRIu64 " of all\n",
               count->live_begun, count->live_done, count->live_made_way, count->live_changes,
               count->gc_coalesces);
}

int main(int argc, char **argv) {
        struct history_count count = {0};
        struct options options;
        bool is_good;

        if (!read_options(argc, argv, &options)) {
                fprintf(stderr, "usage: history chain|sr [--seed S] [--ops N] [--trace]\n");
                return 2;
        }
        if (options.seed)
                is_good = run_one(options.kind, options.seed, options.n_ops ? options.n_ops : OPS_OF_ONE,
                                  options.is_traced, &count);
        else
                is_good = run_many(&options, &count);
        printf("history %s: %" PRIu64 " operations, %" PRIu64 " crashes, %" PRIu64 " kills, %" PRIu64
               " failures, %" PRIu64 " snapshots, %" PRIu64 " coalesces, all looked at %" PRIu64 " times%s\n",
               options.kind->name, count.ops, count.crashes, count.kills, count.failures, count.snapshots,
               count.coalesces, count.verified, is_good ? "" : ": VIOLATED");
        if (options.kind->run == history_sr)
                print_live(&count);
        return is_good ? 0 : 1;
}
