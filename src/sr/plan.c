// SPDX-License-Identifier: Apache-2.0
#include "plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "text.h"
#include "vhd.h"

/* What a layer less is worth, in bytes freed, for each layer of the deepest chain: the longer a chain, the
 * sooner it is made shorter. */
#define LAYER_WORTH (16 * (uint64_t)MIB)
/* Claims, syncs and relinks cost about what moving this does. */
#define RUN_COST (4 * (uint64_t)MIB)
/* What a block takes in a VHD, with its bitmap and what aligns it. */
#define BLOCK_STRIDE ((uint64_t)VHD_STRIDE_SECTORS * SECTOR)
/* What an image takes in memory, for each of its blocks, while a coalesce has it; and a run may take. */
#define WRITE_SIDE_BLOCK ((uint64_t)12)
#define RUN_MEMORY       ((uint64_t)GIB)
/* Beyond one batch: metadata, and what waits to be punched. */
#define BATCH_SLACK (8 * (uint64_t)MIB)

struct place_in_tree {
        size_t root;
        unsigned n_children;
        unsigned n_live;   /* children that are not about to be collected */
        size_t live_child; /* one of these */
        unsigned depth, deepest;
        bool is_garbage;  /* also where it must wait */
        bool goes;        /* garbage that nothing holds */
        bool is_followed; /* a run goes on from it */
        bool is_above;    /* … into it */
};

/* One step of a run: `upper`, the only child of `lower`, would be gone. */
struct edge {
        size_t lower, upper;
        enum plan_state state;
        char reason[PLAN_REASON_SIZE];
};

struct search {
        const struct plan_node *nodes; /* borrowed */
        size_t n;
        const struct plan_policy *policy; /* borrowed */
        struct place_in_tree *places;     /* owned; one a node */
        struct plan *plan;                /* borrowed */
        VEC(struct edge) edges;           /* owned; of the run at hand, from below */
};

const char *plan_direction_name(enum plan_direction direction) {
        return direction == PLAN_PUSH ? "push" : "pull";
}

const char *plan_state_name(enum plan_state state) {
        switch (state) {
        case PLAN_RUNNING:
                return "running";
        case PLAN_READY:
                return "ready";
        case PLAN_FAILED:
                return "failed";
        case PLAN_WAITING:
                return "waiting";
        }
        return "";
}

void plan_fini(struct plan *plan) {
        VEC_EACH (&plan->list, each) {
                vec_fini(&each->run);
        }
        vec_fini(&plan->list);
}

static bool say(char reason[PLAN_REASON_SIZE], const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool say(char reason[PLAN_REASON_SIZE], const char *fmt, ...) {
        va_list args;

        va_start(args, fmt);
        (void)vsnprintf(reason, PLAN_REASON_SIZE, fmt, args);
        va_end(args);
        return true;
}

/* ---- the trees ---- */

static void measure_trees(struct search *search) {
        for (size_t i = 0; i < search->n; i++) {
                struct place_in_tree *place = &search->places[i];
                size_t parent = search->nodes[i].parent;

                if (parent != PLAN_NO_PARENT)
                        search->places[parent].n_children++;
                place->root = i;
                place->depth = 1;
                for (; parent != PLAN_NO_PARENT; parent = search->nodes[parent].parent) {
                        place->root = parent;
                        place->depth++;
                }
                for (size_t at = i; at != PLAN_NO_PARENT && search->places[at].deepest < place->depth;
                     at = search->nodes[at].parent)
                        search->places[at].deepest = place->depth;
        }
}

static struct plan_candidate *add_candidate(struct search *search, enum plan_kind kind, size_t node) {
        struct plan_candidate *candidate = vec_add(&search->plan->list);

        candidate->kind = kind;
        candidate->tree = search->places[node].root;
        candidate->deepest = search->places[node].deepest;
        *vec_add(&candidate->run) = node;
        return candidate;
}

/* ---- what keeps a node as it is ---- */

/* Whoever changes or removes a node must answer these; true where one stands against it. */
static bool is_held(const struct search *search, size_t i, char reason[PLAN_REASON_SIZE]) {
        const struct plan_node *node = &search->nodes[i];

        if (node->error)
                return say(reason, "%s", node->error);
        if (search->policy->unknown)
                return say(reason, "%s is damaged and may be its child: repair it, or take it away",
                           search->policy->unknown);
        if (node->has_another_name)
                return say(reason, "the file of %s has another name", uuid_format(&node->uuid).s);
        if (node->n_claims > search->places[i].n_children)
                return say(reason, "a file that is damaged or being made has %s as its parent",
                           uuid_format(&node->uuid).s);
        if (node->is_in_change)
                return say(reason, "a change that names %s is not finished", uuid_format(&node->uuid).s);
        if (node->leased_by)
                return say(reason, "leased by %s", node->leased_by); /* [C1] */
        if (node->held)
                return say(reason, "%s", node->held);
        return false;
}

static const char *opener_of(const struct plan_node *node) {
        return node->opened_by ? node->opened_by : "this process";
}

static bool is_held_hidden(const struct search *search, size_t i, char reason[PLAN_REASON_SIZE]) {
        const struct plan_node *node = &search->nodes[i];

        if (is_held(search, i, reason))
                return true;
        if (node->is_half_hidden)
                return say(reason, "hiding %s was cut short", uuid_format(&node->uuid).s);
        if (node->open)
                return say(reason, "open by %s", opener_of(node));
        return false;
}

/* ---- garbage ---- */

static void collect_if_garbage(struct search *search, size_t i) {
        const struct plan_node *node = &search->nodes[i];
        struct place_in_tree *place = &search->places[i];
        struct plan_candidate *candidate;

        if (!node->is_hidden || node->is_kept || node->claimed_by)
                return;
        candidate = add_candidate(search, PLAN_GARBAGE, i);
        candidate->freed_bytes = node->allocated;
        candidate->benefit = place->depth; /* so that what stands on it comes first */
        place->is_garbage = true;
        /* One footer that says hidden is enough to begin with: the collector finishes the other. */
        place->goes = !is_held(search, i, candidate->reason) &&
                      !(node->open && say(candidate->reason, "open by %s", opener_of(node)));
        candidate->state = place->goes ? PLAN_READY : PLAN_WAITING;
}

/* What stands on a node comes before it. */
static void find_garbage(struct search *search) {
        VEC(size_t) next = {0};
        unsigned *n_left = mem_zero((search->n + 1) * sizeof *n_left);

        for (size_t i = 0; i < search->n; i++) {
                n_left[i] = search->places[i].n_children;
                if (n_left[i] == 0)
                        *vec_add(&next) = i;
        }
        while (next.n > 0) {
                size_t i = next.data[--next.n], parent = search->nodes[i].parent;

                collect_if_garbage(search, i);
                if (search->places[i].goes && parent != PLAN_NO_PARENT && --n_left[parent] == 0)
                        *vec_add(&next) = parent;
        }
        vec_fini(&next);
        free(n_left);
}

/* ---- runs ---- */

static void find_steps(struct search *search) {
        for (size_t i = 0; i < search->n; i++) {
                size_t parent = search->nodes[i].parent;

                if (parent == PLAN_NO_PARENT || search->places[i].goes)
                        continue;
                search->places[parent].n_live++;
                search->places[parent].live_child = i;
        }
        for (size_t i = 0; i < search->n; i++) {
                struct place_in_tree *place = &search->places[i];

                if (!search->nodes[i].is_hidden || place->n_live != 1 || place->is_garbage ||
                    search->places[place->live_child].is_garbage)
                        continue;
                place->is_followed = true;
                search->places[place->live_child].is_above = true;
        }
}

/* A visible top goes by a pivot, if it is a leaf. */
static bool is_held_top(const struct search *search, const struct edge *edge, char reason[PLAN_REASON_SIZE]) {
        const struct plan_node *top = &search->nodes[edge->upper];

        if (is_held(search, edge->upper, reason))
                return true;
        if (search->places[edge->upper].n_live > 0 && !search->policy->can_pull)
                return say(reason, "%s is visible and has children: only a pull could help",
                           uuid_format(&top->uuid).s);
        if (search->nodes[edge->lower].kind == IMAGE_RAW)
                return say(reason, "raw parent at a leaf's pivot");
        if (top->open == PLAN_OPEN_TO_WRITE && !search->policy->can_go_live)
                return say(reason, "open for writing by %s", opener_of(top));
        if (top->open == PLAN_OPEN_TO_READ)
                return say(reason, "open for reading by %s", opener_of(top));
        return false;
}

static void judge_edge(const struct search *search, struct edge *edge) {
        const struct plan_node *lower = &search->nodes[edge->lower], *upper = &search->nodes[edge->upper];

        edge->state = PLAN_WAITING;
        if (lower->claimed_by && lower->claimed_by == upper->claimed_by) {
                edge->state = PLAN_RUNNING;
                return;
        }
        if (lower->claimed_by || upper->claimed_by) {
                (void)say(edge->reason, "another coalesce has %s",
                          uuid_format(lower->claimed_by ? &lower->uuid : &upper->uuid).s);
                return;
        }
        if (is_held_hidden(search, edge->lower, edge->reason))
                return;
        if (upper->is_hidden ? is_held_hidden(search, edge->upper, edge->reason)
                             : is_held_top(search, edge, edge->reason))
                return;
        /* What lies in the lower one past the upper's end would come to light. */
        if (lower->size > upper->size) {
                (void)say(edge->reason, "the parent is larger than the child: %s and %s",
                          text_size(lower->size).s, text_size(upper->size).s);
                return;
        }
        edge->state = PLAN_READY;
}

static void list_edges(struct search *search, size_t from) {
        struct edge *last;
        bool is_whole = true;

        search->edges.n = 0;
        for (size_t at = from; search->places[at].is_followed; at = search->places[at].live_child) {
                struct edge *edge = vec_add(&search->edges);

                edge->lower = at;
                edge->upper = search->places[at].live_child;
                judge_edge(search, edge);
                is_whole &= edge->state == PLAN_READY;
        }
        /* A raw target cannot take a leaf's name: all but the leaf goes. */
        last = &search->edges.data[search->edges.n - 1];
        if (is_whole && search->nodes[from].kind == IMAGE_RAW && !search->nodes[last->upper].is_hidden) {
                last->state = PLAN_WAITING;
                (void)say(last->reason, "raw parent at a leaf's pivot");
        }
}

/* A target that grows would show what lies deeper past its old end. */
static bool may_grow(const struct search *search, const struct plan_candidate *candidate,
                     char reason[PLAN_REASON_SIZE]) {
        const struct plan_node *target = &search->nodes[candidate->run.data[0]];
        const struct plan_node *top = &search->nodes[candidate->run.data[candidate->run.n - 1]];

        if (top->size <= target->size)
                return true;
        for (size_t at = target->parent; at != PLAN_NO_PARENT; at = search->nodes[at].parent) {
                if (search->nodes[at].size <= target->size)
                        continue;
                return !say(reason, "%s would have to grow to %s over %s, which holds more than it showed",
                            uuid_format(&target->uuid).s, text_size(top->size).s,
                            uuid_format(&search->nodes[at].uuid).s);
        }
        return true;
}

static const struct plan_failure *failure_of(const struct plan_policy *policy, const struct uuid *tree) {
        for (size_t i = 0; i < policy->n_failures; i++)
                if (uuid_equal(&policy->failures[i].tree, tree))
                        return &policy->failures[i];
        return NULL;
}

/* What is ready by its own nodes may wait all the same. */
static void judge_run(const struct search *search, struct plan_candidate *candidate) {
        const struct plan_failure *failure = failure_of(search->policy, &search->nodes[candidate->tree].uuid);

        if (candidate->state != PLAN_READY)
                return;
        if (!may_grow(search, candidate, candidate->reason)) {
                candidate->state = PLAN_WAITING;
        } else if (failure && failure->is_wait) {
                candidate->state = PLAN_WAITING;
                (void)say(candidate->reason, "%s", failure->text);
        } else if (failure) {
                candidate->state = PLAN_FAILED;
                (void)say(candidate->reason, "error of tree %s: %s; tried again in %s",
                          uuid_format(&failure->tree).s, failure->text,
                          text_duration(failure->again_in_ns).s);
        }
}

static bool is_one_group(const struct search *search, const struct edge *a, const struct edge *b) {
        if (a->state != b->state)
                return false;
        if (a->state == PLAN_RUNNING)
                return search->nodes[a->upper].claimed_by == search->nodes[b->upper].claimed_by;
        return strcmp(a->reason, b->reason) == 0;
}

/* Of one that is ready: no more nodes than memory is there for; the rest is another's. */
static bool is_too_long(const struct search *search, const struct plan_candidate *candidate) {
        uint64_t blocks = div_up(search->nodes[candidate->run.data[0]].size, VHD_BLOCK_SIZE);

        return candidate->state == PLAN_READY && candidate->run.n >= 2 &&
               (candidate->run.n + 1) * blocks * WRITE_SIDE_BLOCK > RUN_MEMORY;
}

static void add_runs(struct search *search) {
        for (size_t i = 0; i < search->edges.n;) {
                const struct edge *first = &search->edges.data[i];
                struct plan_candidate *candidate = add_candidate(search, PLAN_COALESCE, first->lower);

                candidate->state = first->state;
                candidate->claimed_by =
                        first->state == PLAN_RUNNING ? search->nodes[first->lower].claimed_by : 0;
                memcpy(candidate->reason, first->reason, sizeof candidate->reason);
                for (; i < search->edges.n && is_one_group(search, first, &search->edges.data[i]) &&
                       !is_too_long(search, candidate);
                     i++) {
                        size_t upper = search->edges.data[i].upper;

                        *vec_add(&candidate->run) = upper;
                        candidate->is_leaf = !search->nodes[upper].is_hidden;
                        candidate->only_pull = candidate->is_leaf && search->places[upper].n_live > 0;
                }
                judge_run(search, candidate);
        }
}

void plan_find(const struct plan_node *nodes, size_t n, const struct plan_policy *policy, struct plan *ret) {
        struct search search = {.nodes = nodes, .n = n, .policy = policy, .plan = ret};

        *ret = (struct plan){0};
        search.places = mem_zero((n + 1) * sizeof *search.places);
        measure_trees(&search);
        find_garbage(&search);
        find_steps(&search);
        for (size_t i = 0; i < n; i++) {
                if (!search.places[i].is_followed || search.places[i].is_above)
                        continue;
                list_edges(&search, i);
                add_runs(&search);
        }
        vec_fini(&search.edges);
        free(search.places);
}

/* ---- ranking ---- */

static uint64_t space_of(const struct plan_policy *policy, enum plan_direction direction, uint64_t n_blocks) {
        uint64_t all = n_blocks * BLOCK_STRIDE, batch = policy->batch_bytes + BATCH_SLACK;

        /* A pull keeps the lower nodes' bytes until it is done; a push punches what it has moved. */
        if (direction == PLAN_PULL || !policy->can_punch)
                return all;
        return all < batch ? all : batch;
}

static void set_direction(struct plan_candidate *candidate, const struct plan_policy *policy,
                          enum plan_direction direction) {
        const struct plan_price *price = &candidate->price;
        bool is_push = direction == PLAN_PUSH;

        candidate->direction = direction;
        candidate->bytes_total = is_push ? price->push_bytes : price->pull_bytes;
        candidate->space_bytes =
                space_of(policy, direction, is_push ? price->push_new_blocks : price->pull_new_blocks);
}

/* The cheaper that fits. */
static void choose_direction(struct plan_candidate *candidate, const struct plan_policy *policy) {
        const struct plan_price *price = &candidate->price;
        uint64_t push_space = space_of(policy, PLAN_PUSH, price->push_new_blocks);
        uint64_t pull_space = space_of(policy, PLAN_PULL, price->pull_new_blocks);
        bool is_pull_better = price->pull_bytes < price->push_bytes || push_space > policy->free_bytes;
        bool may_pull = policy->can_pull && price->may_pull && pull_space <= policy->free_bytes;

        set_direction(candidate, policy,
                      candidate->only_pull || (may_pull && is_pull_better) ? PLAN_PULL : PLAN_PUSH);
}

static void weigh(struct plan_candidate *candidate, const struct plan_node *nodes) {
        uint64_t taken = 0, added = candidate->direction == PLAN_PUSH ? candidate->price.push_new_blocks
                                                                      : candidate->price.pull_new_blocks;
        size_t n_gone = candidate->run.n - 1;

        /* Of a push all but the lowest file goes, of a pull all but the highest. */
        for (size_t i = 0; i < candidate->run.n; i++)
                if (i != (candidate->direction == PLAN_PUSH ? 0 : n_gone))
                        taken += nodes[candidate->run.data[i]].allocated;
        added *= BLOCK_STRIDE;
        candidate->freed_bytes = taken > added ? taken - added : 0;
        candidate->benefit = (double)(candidate->freed_bytes + LAYER_WORTH * n_gone * candidate->deepest) /
                             (double)(candidate->bytes_total + RUN_COST);
}

static void judge_price(struct plan_candidate *candidate, const struct plan_policy *policy) {
        if (candidate->state != PLAN_READY)
                return;
        if (candidate->price_error.code) {
                candidate->state = candidate->price_error.code == ERR_BUSY ? PLAN_WAITING : PLAN_FAILED;
                (void)say(candidate->reason, "%s", candidate->price_error.text);
        } else if (candidate->only_pull && !candidate->price.may_pull) {
                candidate->state = PLAN_WAITING;
                (void)say(candidate->reason, "it has children, and a parent that nothing can be pulled from");
        } else if (candidate->space_bytes > policy->free_bytes) {
                candidate->state = PLAN_WAITING;
                (void)say(candidate->reason, "no space: needs %s, has %s",
                          text_size(candidate->space_bytes).s, text_size(policy->free_bytes).s);
        }
}

static void wait_if_paused(struct plan_candidate *candidate, const struct plan_policy *policy) {
        if (!policy->is_paused || candidate->state != PLAN_READY)
                return;
        candidate->state = PLAN_WAITING;
        (void)say(candidate->reason, "paused");
}

static void wait_if_shut(struct plan_candidate *candidate, const struct plan_policy *policy) {
        if (!policy->shut || candidate->state != PLAN_READY)
                return;
        candidate->state = PLAN_WAITING;
        candidate->is_shut = true;
        (void)say(candidate->reason, "%s", policy->shut);
}

struct order {
        const struct plan_node *nodes; /* borrowed */
};

static int compare(const void *a, const void *b, void *user) {
        const struct plan_candidate *x = a, *y = b;
        const struct order *order = user;

        if (x->kind != y->kind)
                return x->kind == PLAN_GARBAGE ? -1 : 1;
        if (x->state != y->state)
                return (int)x->state - (int)y->state;
        if (x->benefit < y->benefit || x->benefit > y->benefit)
                return x->benefit > y->benefit ? -1 : 1;
        return uuid_compare(&order->nodes[x->run.data[0]].uuid, &order->nodes[y->run.data[0]].uuid);
}

/* Two coalesces of one tree would relink and write the same files. */
static void one_per_tree(struct plan *plan) {
        for (size_t i = 0; i < plan->list.n; i++) {
                struct plan_candidate *later = &plan->list.data[i];

                if (later->kind != PLAN_COALESCE || later->state != PLAN_READY)
                        continue;
                for (size_t j = 0; j < i; j++) {
                        const struct plan_candidate *first = &plan->list.data[j];

                        if (first->kind != PLAN_COALESCE || first->tree != later->tree ||
                            (first->state != PLAN_READY && first->state != PLAN_RUNNING))
                                continue;
                        later->state = PLAN_WAITING;
                        (void)say(later->reason, "another coalesce of its tree comes first");
                        break;
                }
        }
}

void plan_rank(struct plan *plan, const struct plan_node *nodes, const struct plan_policy *policy) {
        struct order order = {.nodes = nodes};

        for (size_t i = 0; i < plan->list.n; i++) {
                struct plan_candidate *candidate = &plan->list.data[i];

                if (candidate->kind == PLAN_GARBAGE) {
                        wait_if_paused(candidate, policy);
                        continue;
                }
                choose_direction(candidate, policy);
                weigh(candidate, nodes);
                judge_price(candidate, policy);
                wait_if_paused(candidate, policy);
                wait_if_shut(candidate, policy);
        }
        if (plan->list.n)
                qsort_r(plan->list.data, plan->list.n, sizeof *plan->list.data, compare, &order);
        one_per_tree(plan);
        if (plan->list.n)
                qsort_r(plan->list.data, plan->list.n, sizeof *plan->list.data, compare, &order);
}
