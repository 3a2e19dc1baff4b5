// SPDX-License-Identifier: Apache-2.0
#include "catalog.h"

#include <assert.h>
#include <string.h>

#include "mem.h"

#define TABLE_SR     "sr"
#define TABLE_VDI    "vdi"
#define TABLE_HIDDEN "hidden"
#define TABLE_LEASE  "lease"
#define KEY_SR       "sr"

struct catalog {
        struct store *store; /* owned */
};

/* ---- rows as JSON ---- */

static void json_decref_any(json_t *json) {
        json_decref(json);
}
DEFINE_AUTO(json_t *, json_decref_any);

static void set_text(json_t *json, const char *member, const char *text) {
        /* What is not UTF-8 was refused by whoever took it in; here it must not cost the row. */
        if (json_object_set_new(json, member, json_string(text ? text : "")) < 0)
                (void)json_object_set_new(json, member, json_string("?"));
}

static void set_uuid(json_t *json, const char *member, const struct uuid *uuid) {
        if (uuid_is_null(uuid))
                (void)json_object_del(json, member);
        else
                (void)json_object_set_new(json, member, json_string(uuid_format(uuid).s));
}

/* Not there: false, as in rows of before there was such a flag. */
static void set_flag(json_t *json, const char *member, bool value) {
        if (value)
                (void)json_object_set_new(json, member, json_true());
        else
                (void)json_object_del(json, member);
}

static void set_integer(json_t *json, const char *member, int64_t value) {
        (void)json_object_set_new(json, member, json_integer(value));
}

static char *take_text(json_t *json, const char *member) {
        const char *text = json_string_value(json_object_get(json, member));

        return mem_text(text ? text : "");
}

/* Null where there is none, and where it is none. */
static struct uuid take_uuid(json_t *json, const char *member) {
        const char *text = json_string_value(json_object_get(json, member));
        struct uuid uuid = {0};

        if (text && !uuid_parse(text, &uuid))
                return (struct uuid){0};
        return uuid;
}

static int64_t take_integer(json_t *json, const char *member) {
        return (int64_t)json_integer_value(json_object_get(json, member));
}

static enum err parse_row(const char *table, const char *key, const void *value, size_t n, json_t **ret,
                          struct err_note *note) {
        json_error_t error;
        json_t *json = json_loadb(value, n, 0, &error);

        if (!json || !json_is_object(json)) {
                json_decref(json);
                return err_set(note, ERR_CORRUPT, "the catalog's row %s of %s is damaged: %s", key, table,
                               json ? "not an object" : error.text);
        }
        *ret = json;
        return ERR_NONE;
}

static enum err put_row(struct store_change *change, const char *table, const char *key, json_t *json,
                        struct err_note *note) {
        AUTO_FREE char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);

        if (!text)
                return err_set(note, ERR_NO_MEMORY, "write row %s of %s: out of memory", key, table);
        return store_put(change, table, key, text, strlen(text), note);
}

static enum err get_row(struct catalog *catalog, const char *table, const char *key, json_t **ret,
                        struct err_note *note) {
        AUTO(buf_fini) struct buf value = {0};

        if (store_get(catalog->store, table, key, &value, note))
                return note->code;
        return parse_row(table, key, value.data, value.n, ret, note);
}

/* ---- the SR's row ---- */

static const char *const sr_members[] = {"uuid", "name", "description", "max_depth", "created", "format"};

/* What a later Catena keeps in the row is given back as it was. */
static json_t *take_extra(json_t *json, const char *const *members, size_t n) {
        json_t *extra = json_copy(json);

        for (size_t i = 0; i < n; i++)
                (void)json_object_del(extra, members[i]);
        return extra;
}

void sr_row_fini(struct sr_row *row) {
        free(row->name);
        free(row->description);
        json_decref(row->extra);
        *row = (struct sr_row){0};
}

enum err catalog_get_sr(struct catalog *catalog, struct sr_row *ret, struct err_note *note) {
        AUTO(json_decref_any) json_t *json = NULL;
        int64_t format;

        if (get_row(catalog, TABLE_SR, KEY_SR, &json, note))
                return note->code;
        format = take_integer(json, "format");
        if (format > CATALOG_FORMAT)
                return err_set(note, ERR_UNSUPPORTED,
                               "%s is a catalog of format %lld, written by a later Catena",
                               store_name(catalog->store), (long long)format);
        *ret = (struct sr_row){
                .uuid = take_uuid(json, "uuid"),
                .name = take_text(json, "name"),
                .description = take_text(json, "description"),
                .max_depth = (unsigned)take_integer(json, "max_depth"),
                .created = take_integer(json, "created"),
                .extra = take_extra(json, sr_members, sizeof sr_members / sizeof *sr_members),
        };
        return ERR_NONE;
}

enum err catalog_put_sr(struct store_change *change, const struct sr_row *row, struct err_note *note) {
        AUTO(json_decref_any) json_t *json = row->extra ? json_copy(row->extra) : json_object();

        set_uuid(json, "uuid", &row->uuid);
        set_text(json, "name", row->name);
        set_text(json, "description", row->description);
        set_integer(json, "max_depth", row->max_depth);
        set_integer(json, "created", row->created);
        set_integer(json, "format", CATALOG_FORMAT);
        return put_row(change, TABLE_SR, KEY_SR, json, note);
}

/* ---- VDIs ---- */

static const char *const vdi_members[] = {"name",        "description",   "tags",    "is_snapshot",
                                          "snapshot_of", "snapshot_time", "created", "stream_uuid",
                                          "has_cbt",     "is_metadata"};

static void fini_tags(struct vdi_row *row) {
        VEC_EACH (&row->tags, each) {
                free(*each);
        }
        vec_fini(&row->tags);
}

void vdi_row_fini(struct vdi_row *row) {
        free(row->name);
        free(row->description);
        fini_tags(row);
        json_decref(row->extra);
        *row = (struct vdi_row){0};
}

void vdi_row_copy(const struct vdi_row *row, struct vdi_row *ret) {
        *ret = *row;
        ret->name = mem_text(row->name ? row->name : "");
        ret->description = mem_text(row->description ? row->description : "");
        memset(&ret->tags, 0, sizeof ret->tags);
        VEC_EACH (&row->tags, each) {
                *vec_add(&ret->tags) = mem_text(*each);
        }
        ret->extra = json_incref(row->extra);
}

bool vdi_row_has_name(const struct vdi_row *row) {
        return strcmp(row->name, uuid_format(&row->uuid).s) != 0;
}

json_t *vdi_row_to_json(const struct vdi_row *row) {
        json_t *json = row->extra ? json_copy(row->extra) : json_object();
        json_t *tags = json_array();

        VEC_EACH (&row->tags, each) {
                (void)json_array_append_new(tags, json_string(*each));
        }
        set_text(json, "name", row->name);
        set_text(json, "description", row->description);
        (void)json_object_set_new(json, "tags", tags);
        (void)json_object_set_new(json, "is_snapshot", json_boolean(row->is_snapshot));
        set_uuid(json, "snapshot_of", &row->snapshot_of);
        set_integer(json, "snapshot_time", row->snapshot_time);
        set_integer(json, "created", row->created);
        set_uuid(json, "stream_uuid", &row->stream_uuid);
        set_flag(json, "has_cbt", row->has_cbt);
        set_flag(json, "is_metadata", row->is_metadata);
        return json;
}

void vdi_row_from_json(json_t *json, const struct uuid *uuid, struct vdi_row *ret) {
        json_t *tag;
        size_t i;

        *ret = (struct vdi_row){
                .uuid = *uuid,
                .name = take_text(json, "name"),
                .description = take_text(json, "description"),
                .is_snapshot = json_is_true(json_object_get(json, "is_snapshot")),
                .snapshot_of = take_uuid(json, "snapshot_of"),
                .snapshot_time = take_integer(json, "snapshot_time"),
                .created = take_integer(json, "created"),
                .stream_uuid = take_uuid(json, "stream_uuid"),
                .has_cbt = json_is_true(json_object_get(json, "has_cbt")),
                .is_metadata = json_is_true(json_object_get(json, "is_metadata")),
        };
        json_array_foreach(json_object_get(json, "tags"), i, tag) {
                if (json_is_string(tag))
                        *vec_add(&ret->tags) = mem_text(json_string_value(tag));
        }
        ret->extra = take_extra(json, vdi_members, sizeof vdi_members / sizeof *vdi_members);
}

enum err catalog_get_vdi(struct catalog *catalog, const struct uuid *uuid, struct vdi_row *ret,
                         struct err_note *note) {
        AUTO(json_decref_any) json_t *json = NULL;

        if (get_row(catalog, TABLE_VDI, uuid_format(uuid).s, &json, note))
                return note->code;
        vdi_row_from_json(json, uuid, ret);
        return ERR_NONE;
}

void vdi_rows_fini(struct vdi_rows *rows) {
        VEC_EACH (&rows->list, each) {
                vdi_row_fini(each);
        }
        vec_fini(&rows->list);
}

struct vdi_walk {
        struct vdi_rows *rows; /* borrowed */
        unsigned n_bad;
};

static enum err add_vdi(void *user, const char *key, const void *value, size_t n,
                        struct err_note *note UNUSED) {
        AUTO(json_decref_any) json_t *json = NULL;
        struct vdi_walk *walk = user;
        struct err_note unused;
        struct uuid uuid;

        if (!uuid_parse(key, &uuid) || parse_row(TABLE_VDI, key, value, n, &json, &unused)) {
                walk->n_bad++;
                return ERR_NONE;
        }
        vdi_row_from_json(json, &uuid, vec_add(&walk->rows->list));
        return ERR_NONE;
}

enum err catalog_each_vdi(struct catalog *catalog, struct vdi_rows *ret, unsigned *ret_n_bad,
                          struct err_note *note) {
        AUTO(vdi_rows_fini) struct vdi_rows rows = {0};
        struct vdi_walk walk = {.rows = &rows};

        if (store_each(catalog->store, TABLE_VDI, "", add_vdi, &walk, note))
                return note->code;
        *ret = rows;
        rows = (struct vdi_rows){0};
        *ret_n_bad = walk.n_bad;
        return ERR_NONE;
}

enum err catalog_put_vdi(struct store_change *change, const struct vdi_row *row, struct err_note *note) {
        AUTO(json_decref_any) json_t *json = vdi_row_to_json(row);

        return put_row(change, TABLE_VDI, uuid_format(&row->uuid).s, json, note);
}

enum err catalog_drop_vdi(struct store_change *change, const struct uuid *uuid, struct err_note *note) {
        return store_delete(change, TABLE_VDI, uuid_format(uuid).s, note);
}

/* ---- raw nodes that are hidden ---- */

enum err catalog_is_hidden(struct catalog *catalog, const struct uuid *uuid, bool *ret,
                           struct err_note *note) {
        AUTO(buf_fini) struct buf value = {0};
        enum err err = store_get(catalog->store, TABLE_HIDDEN, uuid_format(uuid).s, &value, note);

        if (err && err != ERR_NOT_FOUND)
                return err;
        *ret = err == ERR_NONE;
        return ERR_NONE;
}

enum err catalog_set_hidden(struct store_change *change, const struct uuid *uuid, bool is_hidden,
                            struct err_note *note) {
        if (is_hidden)
                return store_put(change, TABLE_HIDDEN, uuid_format(uuid).s, "{}", 2, note);
        return store_delete(change, TABLE_HIDDEN, uuid_format(uuid).s, note);
}

/* ---- leases ---- */

void leases_fini(struct leases *leases) {
        VEC_EACH (&leases->list, each) {
                free(each->holder);
                free(each->kind);
        }
        vec_fini(&leases->list);
}

/* A lease that cannot be read would be a lease broken: unlike a bad VDI row it fails the call. */
static enum err add_lease(void *user, const char *key, const void *value, size_t n, struct err_note *note) {
        AUTO(json_decref_any) json_t *json = NULL;
        struct leases *leases = user;
        struct uuid uuid;

        if (!uuid_parse(key, &uuid))
                return err_set(note, ERR_CORRUPT, "the catalog's row %s of lease has no uuid as its key",
                               key);
        if (parse_row(TABLE_LEASE, key, value, n, &json, note))
                return note->code;
        *vec_add(&leases->list) = (struct lease){
                .uuid = uuid,
                .node = take_uuid(json, "node"),
                .holder = take_text(json, "holder"),
                .kind = take_text(json, "kind"),
                .since = take_integer(json, "since"),
        };
        return ERR_NONE;
}

enum err catalog_leases(struct catalog *catalog, struct leases *ret, struct err_note *note) {
        AUTO(leases_fini) struct leases leases = {0};

        if (store_each(catalog->store, TABLE_LEASE, "", add_lease, &leases, note))
                return note->code;
        *ret = leases;
        leases = (struct leases){0};
        return ERR_NONE;
}

enum err catalog_put_lease(struct store_change *change, const struct lease *lease, struct err_note *note) {
        AUTO(json_decref_any) json_t *json = json_object();

        set_uuid(json, "node", &lease->node);
        set_text(json, "holder", lease->holder);
        set_text(json, "kind", lease->kind);
        set_integer(json, "since", lease->since);
        return put_row(change, TABLE_LEASE, uuid_format(&lease->uuid).s, json, note);
}

enum err catalog_drop_lease(struct store_change *change, const struct uuid *uuid, struct err_note *note) {
        return store_delete(change, TABLE_LEASE, uuid_format(uuid).s, note);
}

/* ---- the catalog itself ---- */

enum err catalog_open(struct io *io, const char *path, catalog_open_store open_store, unsigned flags,
                      struct catalog **ret, struct err_note *note) {
        struct store *store;
        struct catalog *catalog;

        if (open_store(io, path, flags, &store, note))
                return err_wrap(note, "open the catalog");
        catalog = mem_new(struct catalog);
        catalog->store = store;
        *ret = catalog;
        return ERR_NONE;
}

void catalog_close(struct catalog *catalog) {
        store_close(catalog->store);
        free(catalog);
}

enum err catalog_begin(struct catalog *catalog, struct store_change **ret, struct err_note *note) {
        return store_begin(catalog->store, ret, note);
}

struct store *catalog_store(struct catalog *catalog) {
        return catalog->store;
}
