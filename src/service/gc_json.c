// SPDX-License-Identifier: Apache-2.0
#include "gc_json.h"

#include "sr_call.h"

const struct field gc_coalesce_fields[] = {
        {"name", FIELD_TEXT, "of a VDI that reads through it", false},
        {"state", FIELD_TEXT, "running, ready, waiting, failed", false},
        {"direction", FIELD_TEXT, "push or pull", false},
        {"layers", FIELD_NUMBER, "files that go", false},
        {"bytes_total", FIELD_SIZE, "to move", false},
        {"bytes_done", FIELD_SIZE, "moved", false},
        {"bytes_per_second", FIELD_SIZE, "over the last seconds; null: not known", false},
        {"eta_seconds", FIELD_NUMBER, "until it is done; null: cannot be told", false},
        {"reason", FIELD_TEXT, "why it waits, or what failed; null: it does neither", false},
        {"phase", FIELD_TEXT, "what it does now; null: it does not run", true},
        {"started", FIELD_TIME, "seconds since 1970; null: it does not run", true},
        {"vdi", FIELD_UUID, "of that VDI; null: none does", true},
        {"tree", FIELD_UUID, "root of its tree", true},
        {"nodes", FIELD_OBJECT, "uuids, from the one that takes the others in, upwards", true},
        {"pivot", FIELD_BOOL, "the lowest takes the highest one's name in the end", true},
        {"space", FIELD_SIZE, "that must be free meanwhile", true},
        {"frees", FIELD_SIZE, "when it is done", true},
        {0},
};

static bool find_visible(struct sr *sr, const struct node *node, const struct vdi **ret) {
        *ret = sr_get_vdi(sr, &node->uuid);
        for (const struct node *child = node->first_child; child && !*ret; child = child->next_sibling)
                (void)!find_visible(sr, child, ret);
        return *ret != NULL;
}

const struct vdi *gc_vdi_above(struct sr *sr, const struct gc_item *item) {
        const struct vdi *vdi = NULL;

        for (size_t i = item->run.n; i-- > 0 && !vdi;) {
                const struct node *node = tree_find(sr_tree(sr), &item->run.data[i]);

                if (node)
                        (void)!find_visible(sr, node, &vdi);
        }
        return vdi;
}

json_t *gc_json_of_seconds(uint64_t ns) {
        if (ns == UINT64_MAX)
                return json_null();
        return json_of_u64(ns / 1000000000 + (ns % 1000000000 != 0));
}

json_t *gc_json_of_limit(const struct gc_settings *settings) {
        return settings->limit ? json_of_u64(settings->limit) : json_null();
}

json_t *gc_json_of_windows(const struct gc_settings *settings) {
        json_t *windows = json_array();

        for (unsigned i = 0; i < settings->windows.n; i++)
                json_array_append_new(windows, json_of_text(window_format(&settings->windows.list[i]).s));
        return windows;
}

static json_t *json_of_verdict(const struct governor_verdict *verdict) {
        return json_pack("{s:s, s:i, s:f, s:f, s:I}", "request", latency_kind_name(verdict->kind),
                         "percentile", (int)verdict->percent, "milliseconds", (double)verdict->took_ns / 1e6,
                         "milliseconds_at_rest", (double)verdict->at_rest_ns / 1e6, "requests",
                         (json_int_t)verdict->n);
}

json_t *gc_json_of_held(const struct gc_held *held) {
        bool is_free = held->guests_window == GOVERNOR_FREE_WINDOW;
        json_t *o = json_object();

        json_object_set_new(o, "bytes_per_second", held->allowed ? json_of_u64(held->allowed) : json_null());
        json_object_set_new(o, "guests", json_string(governor_state_name(held->guests)));
        json_object_set_new(o, "guests_bytes_per_second",
                            is_free ? json_null() : json_of_u64(held->guests_window));
        json_object_set_new(o, "latency", held->verdict.n ? json_of_verdict(&held->verdict) : json_null());
        json_object_set_new(o, "window_open", json_boolean(held->opens_at == 0));
        json_object_set_new(o, "window_opens",
                            held->opens_at && held->opens_at != INT64_MAX ? json_integer(held->opens_at)
                                                                          : json_null());
        return o;
}

static json_t *json_of_run(const struct gc_item *item) {
        json_t *nodes = json_array();

        VEC_EACH (&item->run, each) {
                json_array_append_new(nodes, sr_json_of_uuid(each));
        }
        return nodes;
}

static json_t *json_of_filled(const char *text) {
        return *text ? json_of_text(text) : json_null();
}

json_t *gc_json_of_coalesce(struct sr *sr, const struct gc_item *item) {
        const struct vdi *vdi = gc_vdi_above(sr, item);
        json_t *o = json_object();

        json_object_set_new(o, "name", json_of_text(vdi ? vdi->row.name : NULL));
        json_object_set_new(o, "state", json_string(plan_state_name(item->state)));
        json_object_set_new(o, "direction", json_string(plan_direction_name(item->direction)));
        json_object_set_new(o, "layers", json_integer(item->layers));
        json_object_set_new(o, "bytes_total", json_of_u64(item->bytes_total));
        json_object_set_new(o, "bytes_done", json_of_u64(item->bytes_done));
        json_object_set_new(o, "bytes_per_second", item->rate ? json_of_u64(item->rate) : json_null());
        json_object_set_new(o, "eta_seconds", gc_json_of_seconds(item->left_ns));
        json_object_set_new(o, "reason", json_of_filled(item->reason));
        json_object_set_new(o, "phase", json_of_filled(item->phase));
        json_object_set_new(o, "started", item->began ? json_integer(item->began) : json_null());
        json_object_set_new(o, "vdi", vdi ? sr_json_of_uuid(&vdi->row.uuid) : json_null());
        json_object_set_new(o, "tree", sr_json_of_uuid(&item->tree));
        json_object_set_new(o, "nodes", json_of_run(item));
        json_object_set_new(o, "pivot", json_boolean(item->is_leaf));
        json_object_set_new(o, "space", json_of_u64(item->space_bytes));
        json_object_set_new(o, "frees", json_of_u64(item->freed_bytes));
        return o;
}

json_t *gc_json_of_garbage(const struct gc_item *item) {
        json_t *o = json_object();

        json_object_set_new(o, "uuid", sr_json_of_uuid(&item->run.data[0]));
        json_object_set_new(o, "state", json_string(plan_state_name(item->state)));
        json_object_set_new(o, "frees", json_of_u64(item->freed_bytes));
        json_object_set_new(o, "reason", json_of_filled(item->reason));
        return o;
}

json_t *gc_json_of_past(const struct gc_past *past) {
        json_t *o = json_object();

        json_object_set_new(o, "number", json_of_u64(past->number));
        json_object_set_new(o, "name", json_of_filled(past->name));
        json_object_set_new(o, "target", sr_json_of_uuid(&past->target));
        json_object_set_new(o, "top", sr_json_of_uuid(&past->top));
        json_object_set_new(o, "direction", json_of_text(past->direction));
        json_object_set_new(o, "layers", json_integer(past->layers));
        json_object_set_new(o, "bytes", json_of_u64(past->bytes));
        json_object_set_new(o, "started", json_integer(past->began));
        json_object_set_new(o, "ended", json_integer(past->ended));
        json_object_set_new(o, "seconds", json_real((double)past->lasted_ms / 1000));
        json_object_set_new(o, "result", json_of_text(past->result));
        json_object_set_new(o, "reason", json_of_filled(past->text));
        return o;
}
