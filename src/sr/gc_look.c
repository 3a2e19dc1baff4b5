// SPDX-License-Identifier: Apache-2.0
#include "gc_look.h"

#include <inttypes.h>

#include "sr_state.h"

void gc_prices_fini(struct gc_prices *prices) {
        vec_fini(&prices->list);
}

void gc_view_fini(struct gc_view *view) {
        plan_fini(&view->plan);
        VEC_EACH (&view->texts, each) {
                free(*each);
        }
        vec_fini(&view->texts);
        vec_fini(&view->nodes);
}

/* ---- nodes ---- */

static void add_node(struct gc_view *view, const struct node *node, const struct map *places) {
        struct plan_node *into = vec_add(&view->nodes);
        const struct node *parent = node->parent;

        *into = (struct plan_node){
                .uuid = node->uuid,
                .parent = PLAN_NO_PARENT,
                .kind = node->kind,
                .is_hidden = node->is_hidden,
                .is_half_hidden = node->kind == IMAGE_VHD && node->is_hidden && !node->is_hidden_in_both,
                /* A raw disk that others stand on is hidden by that alone: only the catalog lets it go. */
                .is_kept = node->kind == IMAGE_RAW && !node->is_hidden_in_both,
                .has_another_name = node->links > 1,
                .n_claims = node->n_claims,
                .size = node->size,
                .allocated = node->allocated,
                .error = node->error.code ? node->error.text : NULL,
        };
        if (parent)
                into->parent = (size_t)(uintptr_t)map_get(places, map_key_u64((uintptr_t)parent)) - 1;
}

static void add_nodes(struct sr *sr, struct gc_view *view) {
        AUTO(map_fini) struct map places = {0}; /* node -> its place, from 1 */

        for (size_t i = 0; i < sr->tree.nodes.n; i++)
                map_put(&places, map_key_u64((uintptr_t)sr->tree.nodes.data[i]), (void *)(uintptr_t)(i + 1));
        VEC_EACH (&sr->tree.nodes, each) {
                add_node(view, *each, &places);
        }
}

static struct plan_node *find_node(struct gc_view *view, const struct uuid *uuid) {
        VEC_EACH (&view->nodes, each) {
                if (uuid_equal(&each->uuid, uuid))
                        return each;
        }
        return NULL;
}

static enum err mark_leased(struct sr *sr, struct gc_view *view, struct err_note *note) {
        AUTO(leases_fini) struct leases leases = {0};

        if (sr_leases(sr, &leases, note))
                return note->code;
        VEC_EACH (&leases.list, each) {
                struct plan_node *node = find_node(view, &each->node);

                if (!node || node->leased_by)
                        continue;
                *vec_add(&view->texts) = mem_format("%s (%s)", each->holder, each->kind);
                node->leased_by = view->texts.data[view->texts.n - 1];
        }
        return ERR_NONE;
}

/* Whoever has a chain open is the owner, or speaks to him. */
static const char *owner_in_words(struct sr *sr, struct gc_view *view) {
        AUTO(sr_owner_fini) struct sr_owner owner = {0};
        struct err_note unused;

        if (sr_owner_of(sr->io, sr_where(sr), &owner, &unused) || !*owner.command)
                return NULL;
        *vec_add(&view->texts) = mem_format("a verb beside %s, pid %" PRIu64, owner.command, owner.pid);
        return view->texts.data[view->texts.n - 1];
}

static void mark_open(struct sr *sr, struct gc_view *view) {
        const char *opener = sr->chains.n ? owner_in_words(sr, view) : NULL;

        VEC_EACH (&sr->chains, each) {
                struct plan_node *node = find_node(view, &each->vdi);
                enum plan_open how = each->mode == CHAIN_WRITE ? PLAN_OPEN_TO_WRITE : PLAN_OPEN_TO_READ;

                if (!node || node->open >= how)
                        continue;
                node->open = how;
                node->opened_by = opener;
        }
}

static void mark_changing(struct sr *sr, struct gc_view *view) {
        VEC_EACH (&sr->unfinished.list, each) {
                VEC_EACH (&view->nodes, node) {
                        node->is_in_change |= intent_names(each, &node->uuid);
                }
        }
}

static void mark_claimed(const struct gc_look_options *options, struct gc_view *view) {
        for (size_t i = 0; i < options->n_claims; i++) {
                struct plan_node *node = find_node(view, &options->claims[i].node);

                if (node)
                        node->claimed_by = options->claims[i].coalesce;
        }
}

static void mark_held(const struct gc_look_options *options, struct gc_view *view) {
        if (!options->held)
                return;
        VEC_EACH (&options->held->list, each) {
                struct plan_node *node = find_node(view, &each->uuid);

                if (node)
                        node->held = each->text;
        }
}

/* ---- prices ---- */

static uint64_t mix(uint64_t state, uint64_t value) {
        return (state ^ value) * 0x9e3779b97f4a7c15u + (state >> 29);
}

static uint64_t state_of(const struct node *const *run, size_t n) {
        uint64_t state = n;

        for (size_t i = 0; i < n; i++) {
                state = mix(state, run[i]->device);
                state = mix(state, run[i]->inode);
                state = mix(state, run[i]->file_size);
                state = mix(state, run[i]->allocated);
                state = mix(state, (uint64_t)run[i]->modified_ns);
        }
        return state;
}

static struct gc_priced *find_price(struct gc_prices *prices, const struct node *const *run, size_t n) {
        VEC_EACH (&prices->list, each) {
                if (each->n == n && uuid_equal(&each->target, &run[0]->uuid) &&
                    uuid_equal(&each->top, &run[n - 1]->uuid))
                        return each;
        }
        return NULL;
}

/* One that is open for writing changes under the question: what its file takes is near enough. */
static struct plan_price guess(const struct node *const *run, size_t n) {
        struct plan_price price = {0};

        for (size_t i = 0; i < n; i++) {
                price.push_bytes += i ? run[i]->allocated : 0;
                price.pull_bytes += i + 1 < n ? run[i]->allocated : 0;
        }
        price.push_new_blocks = div_up(price.push_bytes, VHD_BLOCK_SIZE);
        price.pull_new_blocks = div_up(price.pull_bytes, VHD_BLOCK_SIZE);
        return price;
}

static void price_run(struct sr *sr, const struct gc_look_options *options, const struct node *const *run,
                      struct plan_candidate *candidate) {
        size_t n = candidate->run.n;
        uint64_t state = state_of(run, n);
        struct gc_priced *known = options->prices ? find_price(options->prices, run, n) : NULL;

        if (known && known->state == state) {
                candidate->price = known->price;
                return;
        }
        candidate->price = guess(run, n);
        if (options->engine->price(sr, run, n, &candidate->price, &candidate->price_error)) {
                candidate->price = guess(run, n);
                return;
        }
        if (!options->prices)
                return;
        if (!known)
                known = vec_add(&options->prices->list);
        *known = (struct gc_priced){.target = run[0]->uuid,
                                    .top = run[n - 1]->uuid,
                                    .n = n,
                                    .state = state,
                                    .price = candidate->price};
}

static void price_all(struct sr *sr, const struct gc_look_options *options, struct gc_view *view) {
        VEC(const struct node *) run = {0};

        VEC_EACH (&view->plan.list, each) {
                if (each->kind != PLAN_COALESCE || each->state == PLAN_RUNNING)
                        continue;
                run.n = 0;
                VEC_EACH (&each->run, at) {
                        *vec_add(&run) = sr->tree.nodes.data[*at];
                }
                price_run(sr, options, run.data, each);
        }
        vec_fini(&run);
}

/* What a full SR keeps for coalescing, whether we may let go of it or its owner. */
static uint64_t ballast_bytes(struct sr *sr) {
        AUTO_FREE char *path = sr_catena_path(sr, SR_BALLAST_FILE);
        struct io_stat stat;
        struct err_note unused;

        return io_stat_path(sr->io, path, &stat, &unused) ? 0 : stat.allocated;
}

enum err gc_look(struct sr *sr, const struct gc_look_options *options, struct gc_view *ret,
                 struct err_note *note) {
        AUTO(gc_view_fini) struct gc_view view = {0};
        struct io_space space;

        add_nodes(sr, &view);
        if (mark_leased(sr, &view, note) || sr_space(sr, &space, note))
                return err_wrap(note, "look what there is to coalesce");
        mark_open(sr, &view);
        mark_changing(sr, &view);
        mark_claimed(options, &view);
        mark_held(options, &view);
        view.policy = (struct plan_policy){
                .is_paused = options->is_paused,
                .shut = options->shut,
                .can_punch = true,
                .can_pull = true,
                .can_go_live = true,
                .batch_bytes = 0, /* where there is less room, a push makes smaller ones */
                .free_bytes = space.free + ballast_bytes(sr),
                .unknown = sr->tree.n_unknown ? sr->tree.unknown_name : NULL,
                .failures = options->failures,
                .n_failures = options->n_failures,
        };
        plan_find(view.nodes.data, view.nodes.n, &view.policy, &view.plan);
        price_all(sr, options, &view);
        plan_rank(&view.plan, view.nodes.data, &view.policy);
        *ret = view;
        view = (struct gc_view){0};
        return ERR_NONE;
}
