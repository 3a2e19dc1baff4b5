// SPDX-License-Identifier: Apache-2.0
#include "xapi_look.h"

#include <string.h>

#include "mem.h"
#include "xapi_records.h"

struct seen_node {
        struct uuid uuid;
        uint64_t number;
        uint64_t look; /* in which it was there last */
};

void xapi_seen_fini(struct xapi_seen *seen) {
        struct seen_node *node;
        size_t place = 0;

        while ((node = map_next(&seen->nodes, &place)))
                free(node);
        map_fini(&seen->nodes);
        json_decref(TAKE(seen->refs));
        json_decref(TAKE(seen->sr));
}

void xapi_look_fini(struct xapi_look *look) {
        json_decref(TAKE(look->changed));
        json_decref(TAKE(look->refs));
        json_decref(TAKE(look->sr));
        vec_fini(&look->marks);
        vec_fini(&look->gone);
}

/* ---- numbers --------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t number, const void *data, size_t n) {
        const uint8_t *bytes = data;

        for (; n >= 8; n -= 8, bytes += 8) {
                uint64_t word;

                memcpy(&word, bytes, 8);
                number = (number ^ word) * UINT64_C(0x9e3779b97f4a7c15);
                number ^= number >> 29;
        }
        for (; n; n--, bytes++)
                number = (number ^ *bytes) * UINT64_C(0x9e3779b97f4a7c15);
        return number;
}

static uint64_t mix_u64(uint64_t number, uint64_t value) {
        return mix(number, &value, sizeof value);
}

static uint64_t mix_text(uint64_t number, const char *text) {
        return mix(mix_u64(number, strlen(text)), text, strlen(text));
}

static uint64_t number_of_row(uint64_t number, const struct vdi_row *row) {
        number = mix_text(mix_text(number, row->name), row->description);
        VEC_EACH (&row->tags, tag)
                number = mix_text(number, *tag);
        number = mix_u64(mix_u64(number, row->tags.n), row->is_snapshot);
        number = mix_u64(mix_u64(number, row->has_cbt), row->is_metadata);
        number = mix(number, row->snapshot_of.b, sizeof row->snapshot_of.b);
        return mix_u64(number, (uint64_t)row->snapshot_time);
}

/* Of all that its record follows from, but for its snapshots. */
static uint64_t number_of_node(const struct node *node, const struct vdi *vdi) {
        uint64_t number = mix_u64(mix_u64(1, node->size), node->allocated);

        number = mix_u64(mix_u64(number, node->kind), node->error.code != ERR_NONE);
        number = mix_u64(mix_u64(number, vdi != NULL), node->parent != NULL);
        if (node->parent)
                number = mix(number, node->parent->uuid.b, sizeof node->parent->uuid.b);
        return vdi ? number_of_row(number, &vdi->row) : number;
}

/* ---- who is whose ---------------------------------------------------------------------------- */

struct family {
        json_t *snapshots; /* owned; references */
        uint64_t number;   /* of them all */
};

struct looker {
        struct xapi_seen *seen;        /* borrowed */
        const struct host_sr *host_sr; /* borrowed */
        struct xapi_look *look;        /* borrowed */
        struct map vdis;         /* uuid -> struct vdi, borrowed; the SR itself looks them up one by one */
        struct map families;     /* uuid of what they are of -> struct family, borrowed */
        VEC(struct family) list; /* owned; has room for all from the start, so they stay where they are */
};

static void looker_fini(struct looker *looker) {
        VEC_EACH (&looker->list, each)
                json_decref(each->snapshots);
        vec_fini(&looker->list);
        map_fini(&looker->families);
        map_fini(&looker->vdis);
}
DEFINE_AUTO_IN_PLACE(struct looker, looker_fini);

static void add_snapshot(struct looker *looker, const struct vdi_row *row) {
        struct family *family = map_get(&looker->families, map_key_uuid(&row->snapshot_of));

        if (!family) {
                family = vec_add(&looker->list);
                *family = (struct family){.snapshots = json_array(), .number = 1};
                map_put(&looker->families, map_key_uuid(&row->snapshot_of), family);
        }
        json_array_append_new(family->snapshots, json_string(xapi_ref_of(&row->uuid).s));
        family->number = mix(family->number, row->uuid.b, sizeof row->uuid.b);
}

static void find_vdis(struct looker *looker) {
        struct sr *sr = looker->host_sr->sr;

        vec_reserve(&looker->list, sr_n_vdis(sr));
        for (size_t i = 0; i < sr_n_vdis(sr); i++) {
                const struct vdi *vdi = sr_vdi_at(sr, i);

                map_put(&looker->vdis, map_key_uuid(&vdi->row.uuid), (void *)vdi);
                if (vdi->row.is_snapshot)
                        add_snapshot(looker, &vdi->row);
        }
}

/* ---- looking --------------------------------------------------------------------------------- */

static void put_changed(struct looker *looker, const struct node *node, uint64_t number,
                        const struct xapi_kin *kin) {
        *vec_add(&looker->look->marks) = (struct xapi_mark){.uuid = node->uuid, .number = number};
        json_object_set_new(looker->look->changed, xapi_ref_of(&node->uuid).s,
                            xapi_record_of_node(looker->host_sr, node, kin));
}

static void look_at_node(struct looker *looker, const struct node *node) {
        struct xapi_kin kin = {.vdi = map_get(&looker->vdis, map_key_uuid(&node->uuid))};
        struct family *family = map_get(&looker->families, map_key_uuid(&node->uuid));
        struct seen_node *seen = map_get(&looker->seen->nodes, map_key_uuid(&node->uuid));
        uint64_t number = number_of_node(node, kin.vdi);

        kin.has_origin = kin.vdi && map_get(&looker->vdis, map_key_uuid(&kin.vdi->row.snapshot_of));
        kin.snapshots = family ? family->snapshots : NULL;
        number = mix_u64(mix_u64(number, kin.has_origin), family ? family->number : 0);
        if (seen)
                seen->look = looker->seen->n_looks;
        if (!seen || seen->number != number)
                put_changed(looker, node, number, &kin);
}

static void find_gone(const struct xapi_seen *seen, struct xapi_look *look) {
        const struct seen_node *node;
        size_t place = 0;

        while ((node = map_next(&seen->nodes, &place)))
                if (node->look != seen->n_looks)
                        *vec_add(&look->gone) = node->uuid;
}

/* Metadata without data has no file, and so no place in the tree.  Its log stands for it. */
static bool is_outside_tree(const struct sr *sr, const struct vdi *vdi) {
        return !vdi->has_data && !tree_find(sr_tree(sr), &vdi->row.uuid);
}

static uint64_t number_of_members(const struct sr *sr) {
        const struct tree *tree = sr_tree(sr);
        uint64_t number = mix_u64(1, tree->nodes.n);

        for (size_t i = 0; i < tree->nodes.n; i++)
                number = mix(number, tree->nodes.data[i]->uuid.b, sizeof tree->nodes.data[i]->uuid.b);
        for (size_t i = 0; i < sr_n_vdis(sr); i++) {
                const struct vdi *vdi = sr_vdi_at(sr, i);

                if (is_outside_tree(sr, vdi))
                        number = mix(number, vdi->row.uuid.b, sizeof vdi->row.uuid.b);
        }
        return number;
}

static json_t *refs_of(const struct sr *sr) {
        const struct tree *tree = sr_tree(sr);
        json_t *refs = json_array();

        for (size_t i = 0; i < tree->nodes.n; i++)
                json_array_append_new(refs, json_string(xapi_ref_of(&tree->nodes.data[i]->uuid).s));
        for (size_t i = 0; i < sr_n_vdis(sr); i++) {
                const struct vdi *vdi = sr_vdi_at(sr, i);

                if (is_outside_tree(sr, vdi))
                        json_array_append_new(refs, json_string(xapi_ref_of(&vdi->row.uuid).s));
        }
        return refs;
}

static void look_at_all(struct looker *looker) {
        const struct sr *sr = looker->host_sr->sr;
        const struct tree *tree = sr_tree(sr);

        for (size_t i = 0; i < tree->nodes.n; i++)
                look_at_node(looker, tree->nodes.data[i]);
        for (size_t i = 0; i < sr_n_vdis(sr); i++) {
                const struct vdi *vdi = sr_vdi_at(sr, i);

                if (is_outside_tree(sr, vdi))
                        look_at_node(looker, vdi->node);
        }
}

void xapi_look_at(struct xapi_seen *seen, const struct host *host, const struct host_sr *host_sr,
                  struct xapi_look *ret) {
        AUTO(looker_fini) struct looker looker = {.seen = seen, .host_sr = host_sr, .look = ret};

        *ret = (struct xapi_look){.changed = json_object(), .members = number_of_members(host_sr->sr)};
        seen->n_looks++;
        find_vdis(&looker);
        look_at_all(&looker);
        find_gone(seen, ret);
        ret->refs =
                seen->refs && seen->members == ret->members ? json_incref(seen->refs) : refs_of(host_sr->sr);
        ret->sr = xapi_record_of_sr(host, host_sr, ret->refs);
        ret->is_sr_same = seen->sr && json_equal(seen->sr, ret->sr);
}

bool xapi_look_is_same(const struct xapi_look *look) {
        return look->marks.n == 0 && look->gone.n == 0 && look->is_sr_same;
}

/* ---- taking it in ---------------------------------------------------------------------------- */

static void take_mark(struct xapi_seen *seen, const struct xapi_mark *mark) {
        struct seen_node *node = map_get(&seen->nodes, map_key_uuid(&mark->uuid));

        if (!node) {
                node = mem_new(struct seen_node);
                node->uuid = mark->uuid;
                map_put(&seen->nodes, map_key_uuid(&mark->uuid), node);
        }
        node->number = mark->number;
        node->look = seen->n_looks;
}

void xapi_seen_take(struct xapi_seen *seen, struct xapi_look *look) {
        VEC_EACH (&look->marks, mark)
                take_mark(seen, mark);
        VEC_EACH (&look->gone, uuid)
                free(map_remove(&seen->nodes, map_key_uuid(uuid)));
        json_decref(seen->refs);
        json_decref(seen->sr);
        seen->refs = TAKE(look->refs);
        seen->sr = TAKE(look->sr);
        seen->members = look->members;
}
