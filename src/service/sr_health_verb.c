// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>

#include "gc_json.h"
#include "sr_call.h"
#include "sr_verbs.h"

static const struct param health_params[] = {
        SR_POSITIONAL,
        {.name = "all", .kind = PARAM_FLAG, .help = "Shows the healthy ones too."},
        {0},
};

static const struct field health_fields[] = {
        {"name", FIELD_TEXT, "of the VDI", false},
        {"depth", FIELD_NUMBER, "files in its chain; null: cannot be told", false},
        {"depth_then", FIELD_NUMBER, "when all of it is coalesced", false},
        {"bytes_to_move", FIELD_SIZE, "until then", false},
        {"eta_seconds", FIELD_NUMBER, "until then; null: cannot be told", false},
        {"state", FIELD_TEXT, "healthy, running, ready, waiting, failed, damaged, deep", false},
        {"reason", FIELD_TEXT, "why it is not healthy yet; null: it will be by itself", false},
        {"vdi", FIELD_UUID, "of the VDI", true},
        {0},
};

/* A chain, and what is to be done in it. */
struct chain_health {
        unsigned layers;
        uint64_t bytes, left_ns;
        bool is_unhealthy;
        const char *state;  /* borrowed, static */
        const char *reason; /* borrowed; or NULL */
        int rank;           /* of the state: the highest is shown */
};

static void set_state(struct chain_health *health, int rank, const char *state, const char *reason) {
        health->is_unhealthy = true;
        if (rank <= health->rank)
                return;
        health->rank = rank;
        health->state = state;
        health->reason = reason;
}

/* Failed is worse than waiting, and what runs is not what keeps it. */
static int rank_of(enum plan_state state) {
        switch (state) {
        case PLAN_READY:
                return 1;
        case PLAN_RUNNING:
                return 2;
        case PLAN_WAITING:
                return 3;
        case PLAN_FAILED:
                return 4;
        }
        return 0;
}

static void add_item(struct chain_health *health, const struct gc_item *item) {
        health->layers += item->layers;
        health->bytes += item->bytes_total -
                         (item->bytes_done < item->bytes_total ? item->bytes_done : item->bytes_total);
        if (item->left_ns == UINT64_MAX || health->left_ns == UINT64_MAX)
                health->left_ns = UINT64_MAX;
        else
                health->left_ns += item->left_ns;
        set_state(health, rank_of(item->state), plan_state_name(item->state),
                  *item->reason ? item->reason : NULL);
}

static struct chain_health health_of(struct sr *sr, const struct vdi *vdi, const struct gc_status *status) {
        struct chain_health health = {.state = "healthy"};

        if (vdi->node->error.code)
                set_state(&health, 9, "damaged", vdi->node->error.text);
        VEC_EACH (&status->items, each) {
                const struct node *target = tree_find(sr_tree(sr), &each->run.data[0]);

                if (each->kind == PLAN_COALESCE && target && node_is_above(vdi->node, target))
                        add_item(&health, each);
        }
        if (!health.is_unhealthy && sr_info(sr)->max_depth && vdi->node->depth > sr_info(sr)->max_depth)
                set_state(&health, 8, "deep",
                          "its chain is longer than max-depth, and each file in it is needed: delete "
                          "snapshots, or raise max-depth");
        return health;
}

static json_t *row_of(const struct vdi *vdi, const struct chain_health *health) {
        unsigned depth = vdi->node->depth;
        json_t *o = json_object();

        json_object_set_new(o, "vdi", sr_json_of_uuid(&vdi->row.uuid));
        json_object_set_new(o, "name", json_of_text(vdi->row.name));
        json_object_set_new(o, "depth", depth ? json_integer(depth) : json_null());
        json_object_set_new(o, "depth_then",
                            depth > health->layers ? json_integer(depth - health->layers) : json_null());
        json_object_set_new(o, "bytes_to_move", json_of_u64(health->bytes));
        json_object_set_new(o, "eta_seconds",
                            health->layers ? gc_json_of_seconds(health->left_ns) : json_null());
        json_object_set_new(o, "state", json_string(health->state));
        json_object_set_new(o, "reason", json_of_text(health->reason));
        return o;
}

static enum err run_health(struct verb_call *call, struct err_note *note) {
        AUTO(gc_status_fini) struct gc_status status = {0};
        json_t *rows = json_array();
        struct sr *sr;
        size_t n_healthy = 0, n_unhealthy = 0;

        call_put(call, "chains", rows);
        if (sr_call_open(call, SR_READ_ONLY, &sr, note) || gc_status(sr, NULL, &status, note))
                return note->code;
        for (size_t i = 0; i < sr_n_vdis(sr); i++) {
                const struct vdi *vdi = sr_vdi_at(sr, i);
                struct chain_health health = health_of(sr, vdi, &status);

                n_healthy += !health.is_unhealthy;
                n_unhealthy += health.is_unhealthy;
                if (!health.is_unhealthy && !call_flag(call, "all"))
                        continue;
                json_array_append_new(rows, row_of(vdi, &health));
                if (health.rank >= rank_of(PLAN_FAILED))
                        call->outcome = VERB_FINDINGS;
        }
        call_put(call, "healthy", json_of_u64(n_healthy));
        call_put(call, "unhealthy", json_of_u64(n_unhealthy));
        return ERR_NONE;
}

const struct verb sr_health_verb = {
        .name = "health",
        .summary = "Shows the disks whose chains should be shorter, and what that takes.",
        .details = "A disk is healthy when each file of its chain is needed. Prints nothing where all are, "
                   "but with --all. "
                   "Exits with 4 where somebody has to look: a coalesce failed, a file is damaged, or a "
                   "chain is longer than the SR's max-depth. Changes nothing.",
        .params = health_params,
        .shape = SHAPE_TABLE,
        .rows = "chains",
        .fields = health_fields,
        .run = run_health,
};
