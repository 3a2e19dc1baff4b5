// SPDX-License-Identifier: Apache-2.0
#include "latency.h"

#include <stddef.h>

#include "bytes.h"

enum { FIRST_BIT = 7, PARTS = 4, PART_BITS = 2 };

static _Atomic unsigned next_shard;
static _Thread_local unsigned my_shard = LATENCY_SHARDS;

const char *latency_kind_name(enum latency_kind kind) {
        static const char *const names[LATENCY_KINDS] = {
                [LATENCY_READ] = "read",   [LATENCY_WRITE] = "write", [LATENCY_TRIM] = "trim",
                [LATENCY_FLUSH] = "flush", [LATENCY_BULK] = "bulk",
        };

        return names[kind];
}

/* ---- steps ---- */

unsigned latency_step_of(uint64_t ns) {
        unsigned bit, step;

        if (ns >> FIRST_BIT == 0)
                return 0;
        bit = 63 - (unsigned)__builtin_clzll(ns);
        step = 1 + (bit - FIRST_BIT) * PARTS + (unsigned)(ns >> (bit - PART_BITS) & (PARTS - 1));
        return step < LATENCY_STEPS ? step : LATENCY_STEPS - 1;
}

static uint64_t step_begin_ns(unsigned step) {
        unsigned bit = FIRST_BIT + (step - 1) / PARTS, part = (step - 1) % PARTS;

        return step == 0 ? 0 : (uint64_t)(PARTS + part) << (bit - PART_BITS);
}

uint64_t latency_step_end_ns(unsigned step) {
        return step + 1 < LATENCY_STEPS ? step_begin_ns(step + 1) : UINT64_MAX;
}

/* ---- counting ---- */

static unsigned shard_of_thread(void) {
        if (my_shard == LATENCY_SHARDS)
                my_shard = atomic_fetch_add_explicit(&next_shard, 1, memory_order_relaxed) % LATENCY_SHARDS;
        return my_shard;
}

/* Threads of one shard may take each other's turn: it is about how many, not about which. */
bool latency_is_wanted(struct latency *latency) {
        _Atomic unsigned *to_pass = &latency->shard[shard_of_thread()].to_pass;
        unsigned n = atomic_load_explicit(to_pass, memory_order_relaxed);

        if (n > 0)
                atomic_store_explicit(to_pass, n - 1, memory_order_relaxed);
        return n == 0;
}

/* By chance: every fourth would of two kinds by turns always be the same. */
static unsigned roll(_Atomic unsigned *dice) {
        unsigned rolled = atomic_load_explicit(dice, memory_order_relaxed) * 1664525 + 1013904223;

        atomic_store_explicit(dice, rolled, memory_order_relaxed);
        return (rolled >> 16) % (LATENCY_PASSED_MAX + 1);
}

/* For how many it stands. */
static uint64_t weigh(struct latency *latency, enum latency_kind kind, uint64_t ns) {
        unsigned shard = shard_of_thread(), passed, next = 0;

        if (kind == LATENCY_TRIM || kind == LATENCY_FLUSH)
                return 1;
        passed = atomic_load_explicit(&latency->shard[shard].passed, memory_order_relaxed);
        if (ns < LATENCY_SHORT_NS)
                next = roll(&latency->shard[shard].dice);
        if (passed || next) {
                atomic_store_explicit(&latency->shard[shard].passed, next, memory_order_relaxed);
                atomic_store_explicit(&latency->shard[shard].to_pass, next, memory_order_relaxed);
        }
        return 1 + passed;
}

void latency_add(struct latency *latency, enum latency_kind kind, uint64_t ns) {
        uint64_t weight = weigh(latency, kind, ns);
        unsigned shard = shard_of_thread();

        atomic_fetch_add_explicit(&latency->shard[shard].n[kind][latency_step_of(ns)], weight,
                                  memory_order_relaxed);
        atomic_fetch_add_explicit(&latency->shard[shard].sum_ns[kind], ns * weight, memory_order_relaxed);
}

void latency_look(const struct latency *latency, struct latency_counts *ret) {
        *ret = (struct latency_counts){0};
        for (unsigned s = 0; s < LATENCY_SHARDS; s++)
                for (unsigned kind = 0; kind < LATENCY_KINDS; kind++) {
                        for (unsigned i = 0; i < LATENCY_STEPS; i++)
                                ret->n[kind][i] += atomic_load_explicit(&latency->shard[s].n[kind][i],
                                                                        memory_order_relaxed);
                        ret->sum_ns[kind] +=
                                atomic_load_explicit(&latency->shard[s].sum_ns[kind], memory_order_relaxed);
                }
}

/* ---- counts ---- */

void latency_counts_add(struct latency_counts *counts, const struct latency_counts *more) {
        for (unsigned kind = 0; kind < LATENCY_KINDS; kind++) {
                for (unsigned i = 0; i < LATENCY_STEPS; i++)
                        counts->n[kind][i] += more->n[kind][i];
                counts->sum_ns[kind] += more->sum_ns[kind];
        }
}

void latency_since(struct latency_counts *counts, const struct latency_counts *before) {
        for (unsigned kind = 0; kind < LATENCY_KINDS; kind++) {
                for (unsigned i = 0; i < LATENCY_STEPS; i++)
                        counts->n[kind][i] -= before->n[kind][i];
                counts->sum_ns[kind] -= before->sum_ns[kind];
        }
}

void latency_fade(struct latency_counts *counts) {
        for (unsigned kind = 0; kind < LATENCY_KINDS; kind++) {
                for (unsigned i = 0; i < LATENCY_STEPS; i++)
                        counts->n[kind][i] -= div_up(counts->n[kind][i], 4);
                counts->sum_ns[kind] -= div_up(counts->sum_ns[kind], 4);
        }
}

uint64_t latency_n(const struct latency_counts *counts, enum latency_kind kind) {
        uint64_t n = 0;

        for (unsigned i = 0; i < LATENCY_STEPS; i++)
                n += counts->n[kind][i];
        return n;
}

uint64_t latency_mean_ns(const struct latency_counts *counts, enum latency_kind kind) {
        uint64_t n = latency_n(counts, kind);

        return n ? counts->sum_ns[kind] / n : 0;
}

uint64_t latency_percentile_ns(const struct latency_counts *counts, enum latency_kind kind,
                               unsigned percent) {
        uint64_t n = latency_n(counts, kind), before = 0;
        double rank = (double)n * percent / 100;

        for (unsigned i = 0; i < LATENCY_STEPS; i++) {
                uint64_t here = counts->n[kind][i], from = step_begin_ns(i);

                if (here && (double)(before + here) >= rank) {
                        /* Those of one step are taken to lie evenly in it. */
                        double share = rank > (double)before ? (rank - (double)before) / (double)here : 0;
                        uint64_t width = i + 1 < LATENCY_STEPS ? step_begin_ns(i + 1) - from : 0;

                        return from + (uint64_t)(share * (double)width);
                }
                before += here;
        }
        return 0;
}
