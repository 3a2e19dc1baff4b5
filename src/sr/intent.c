// SPDX-License-Identifier: Apache-2.0
#include "intent.h"

#include <string.h>

#include "mem.h"

#define TABLE_INTENT "intent"
#define TABLE_PLAN   "plan"

static const char *const kind_names[] = {
        [INTENT_PIVOT] = "pivot",   [INTENT_RESIZE] = "resize",
        [INTENT_NODE] = "node",     [INTENT_COALESCE] = "coalesce",
        [INTENT_RELINK] = "relink", [INTENT_LEAF_PIVOT] = "leaf_pivot",
        [INTENT_PULL] = "pull",     [INTENT_RELINK_TOP] = "relink_top",
        [INTENT_MOVE] = "move",
};
static const char *const image_names[] = {[IMAGE_VHD] = "vhd", [IMAGE_RAW] = "raw"};

static void json_decref_any(json_t *json) {
        json_decref(json);
}
DEFINE_AUTO(json_t *, json_decref_any);

void intent_fini(struct intent *intent) {
        if (intent->has_row)
                vdi_row_fini(&intent->row);
        buf_fini(&intent->plan);
        vec_fini(&intent->nodes);
        free(intent->where);
        *intent = (struct intent){0};
}

bool intent_is_of_coalesce(const struct intent *intent) {
        switch (intent->kind) {
        case INTENT_PIVOT:
        case INTENT_NODE:
        case INTENT_RESIZE:
        case INTENT_MOVE:
                return false;
        case INTENT_COALESCE:
        case INTENT_RELINK:
        case INTENT_LEAF_PIVOT:
        case INTENT_PULL:
        case INTENT_RELINK_TOP:
                return true;
        }
        return false;
}

bool intent_names(const struct intent *intent, const struct uuid *node) {
        if (uuid_equal(&intent->vdi, node) || uuid_equal(&intent->other, node) ||
            uuid_equal(&intent->new_node, node))
                return true;
        VEC_EACH (&intent->nodes, each) {
                if (uuid_equal(each, node))
                        return true;
        }
        return false;
}

void intents_fini(struct intents *intents) {
        VEC_EACH (&intents->list, each) {
                intent_fini(each);
        }
        vec_fini(&intents->list);
}

/* ---- writing ---- */

static void set_uuid(json_t *json, const char *member, const struct uuid *uuid) {
        if (!uuid_is_null(uuid))
                (void)json_object_set_new(json, member, json_string(uuid_format(uuid).s));
}

static void set_nodes(json_t *json, const struct intent *intent) {
        json_t *list = json_array();

        VEC_EACH (&intent->nodes, each) {
                (void)json_array_append_new(list, json_string(uuid_format(each).s));
        }
        (void)json_object_set_new(json, "nodes", list);
}

static json_t *to_json(const struct intent *intent) {
        json_t *json = json_object();

        (void)json_object_set_new(json, "kind", json_string(kind_names[intent->kind]));
        set_uuid(json, "vdi", &intent->vdi);
        (void)json_object_set_new(json, "vdi_kind", json_string(image_names[intent->vdi_kind]));
        set_uuid(json, "other", &intent->other);
        set_uuid(json, "new_node", &intent->new_node);
        set_uuid(json, "together", &intent->together);
        if (intent_is_of_coalesce(intent))
                set_nodes(json, intent);
        if (intent->where)
                (void)json_object_set_new(json, "where", json_string(intent->where));
        if (intent->has_row) {
                set_uuid(json, "row_uuid", &intent->row.uuid);
                (void)json_object_set_new(json, "row", vdi_row_to_json(&intent->row));
        }
        return json;
}

enum err intent_put(struct store_change *change, const struct intent *intent, struct err_note *note) {
        AUTO(json_decref_any) json_t *json = to_json(intent);
        AUTO_FREE char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
        struct uuid_text uuid = uuid_format(&intent->uuid);
        const char *key = uuid.s;

        if (!text)
                return err_set(note, ERR_NO_MEMORY, "write an intent: out of memory");
        if (intent->plan.n && store_put(change, TABLE_PLAN, key, intent->plan.data, intent->plan.n, note))
                return note->code;
        return store_put(change, TABLE_INTENT, key, text, strlen(text), note);
}

enum err intent_drop(struct store_change *change, const struct uuid *uuid, struct err_note *note) {
        struct uuid_text key = uuid_format(uuid);

        if (store_delete(change, TABLE_PLAN, key.s, note))
                return note->code;
        return store_delete(change, TABLE_INTENT, key.s, note);
}

/* ---- reading ---- */

static bool take_uuid(json_t *json, const char *member, struct uuid *ret) {
        const char *text = json_string_value(json_object_get(json, member));

        return text && uuid_parse(text, ret);
}

static bool take_name(json_t *json, const char *member, const char *const *names, unsigned n, unsigned *ret) {
        const char *text = json_string_value(json_object_get(json, member));

        for (*ret = 0; text && *ret < n; ++*ret)
                if (strcmp(names[*ret], text) == 0)
                        return true;
        return false;
}

static bool take_nodes(json_t *json, struct intent *ret) {
        json_t *list = json_object_get(json, "nodes"), *each;
        size_t i;

        if (!json_is_array(list) || json_array_size(list) < 2)
                return false;
        json_array_foreach(list, i, each) {
                if (!json_is_string(each) || !uuid_parse(json_string_value(each), vec_add(&ret->nodes)))
                        return false;
        }
        return true;
}

static bool take_where(json_t *json, struct intent *ret) {
        const char *text = json_string_value(json_object_get(json, "where"));

        if (text)
                ret->where = mem_text(text);
        return text;
}

static bool from_json(json_t *json, struct intent *ret) {
        json_t *row = json_object_get(json, "row");
        unsigned kind, vdi_kind;
        struct uuid row_uuid;

        if (!take_name(json, "kind", kind_names, sizeof kind_names / sizeof *kind_names, &kind) ||
            !take_name(json, "vdi_kind", image_names, sizeof image_names / sizeof *image_names, &vdi_kind) ||
            !take_uuid(json, "vdi", &ret->vdi))
                return false;
        ret->kind = (enum intent_kind)kind;
        ret->vdi_kind = (enum image_kind)vdi_kind;
        if (json_object_get(json, "new_node") && !take_uuid(json, "new_node", &ret->new_node))
                return false;
        if (json_object_get(json, "together") && !take_uuid(json, "together", &ret->together))
                return false;
        if (ret->kind == INTENT_NODE ? uuid_is_null(&ret->new_node) || uuid_is_null(&ret->together)
                                     : ret->kind != INTENT_RESIZE && !take_uuid(json, "other", &ret->other))
                return false;
        if (intent_is_of_coalesce(ret) && !take_nodes(json, ret))
                return false;
        if (ret->kind == INTENT_MOVE && !take_where(json, ret))
                return false;
        if (row) {
                if (!json_is_object(row) || !take_uuid(json, "row_uuid", &row_uuid))
                        return false;
                vdi_row_from_json(row, &row_uuid, &ret->row);
                ret->has_row = true;
        }
        return true;
}

static enum err add_intent(void *user, const char *key, const void *value, size_t n, struct err_note *note) {
        AUTO(json_decref_any) json_t *json = json_loadb(value, n, 0, NULL);
        struct intents *intents = user;
        struct intent *intent = vec_add(&intents->list);

        if (!uuid_parse(key, &intent->uuid) || !json_is_object(json) || !from_json(json, intent))
                return err_set(note, ERR_CORRUPT, "the catalog's intent %s cannot be read", key);
        return ERR_NONE;
}

enum err intents_read(struct catalog *catalog, struct intents *ret, struct err_note *note) {
        AUTO(intents_fini) struct intents intents = {0};
        struct store *store = catalog_store(catalog);

        if (store_each(store, TABLE_INTENT, "", add_intent, &intents, note))
                return note->code;
        VEC_EACH (&intents.list, each) {
                if (each->kind == INTENT_RESIZE &&
                    store_get(store, TABLE_PLAN, uuid_format(&each->uuid).s, &each->plan, note) &&
                    note->code != ERR_NOT_FOUND)
                        return note->code;
        }
        *ret = intents;
        intents = (struct intents){0};
        return ERR_NONE;
}
