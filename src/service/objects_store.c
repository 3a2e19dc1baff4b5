// SPDX-License-Identifier: Apache-2.0
/* The rows of objects: a table for each class, by uuid, each row the record as JSON; and `meta`, which says
 * in which format they are. */
#include <string.h>

#include "mem.h"
#include "objects_inside.h"

#define TABLE_META "meta"
#define KEY_FORMAT "format"

static void decref(json_t *json) {
        json_decref(json);
}
DEFINE_AUTO(json_t *, decref);

/* ---- the format ---- */

static enum err read_format(struct store *store, uint64_t *ret, struct err_note *note) {
        AUTO(buf_fini) struct buf value = {0};
        AUTO(decref) json_t *json = NULL;
        enum err err = store_get(store, TABLE_META, KEY_FORMAT, &value, note);

        *ret = 0;
        if (err)
                return err == ERR_NOT_FOUND ? ERR_NONE : err;
        json = json_loadb((const char *)value.data, value.n, JSON_DECODE_ANY, NULL);
        if (!json_is_integer(json) || json_integer_value(json) < 0)
                return err_set(note, ERR_CORRUPT, "%s does not say of which format it is", store_name(store));
        *ret = (uint64_t)json_integer_value(json);
        return ERR_NONE;
}

static enum err write_format(struct store *store, struct err_note *note) {
        AUTO(store_abort) struct store_change *change = NULL;
        AUTO_FREE char *text = mem_format("%d", OBJECTS_FORMAT);

        if (store_begin(store, &change, note) ||
            store_put(change, TABLE_META, KEY_FORMAT, text, strlen(text), note))
                return note->code;
        return store_commit(TAKE(change), note);
}

/* Rows of before there was a format are as those of format 1 but for fields that came later, and these are
 * filled in whenever a row is read.  So all that a migration has to do is to say that it was done. */
static enum err migrate(struct store *store, struct err_note *note) {
        uint64_t format;

        if (read_format(store, &format, note))
                return note->code;
        if (format > OBJECTS_FORMAT)
                return err_set(note, ERR_UNSUPPORTED, "%s is of format %llu, written by a later Catena",
                               store_name(store), (unsigned long long)format);
        return format < OBJECTS_FORMAT ? write_format(store, note) : ERR_NONE;
}

enum err objects_store_open(struct objects *objects, const char *path, catalog_open_store open_store,
                            struct err_note *note) {
        if (open_store(objects->io, path, STORE_CREATE, &objects->store, note))
                return note->code;
        return migrate(objects->store, note);
}

/* ---- reading ---- */

struct load {
        struct objects *objects; /* borrowed */
        enum xapi_class_id class;
};

/* What the row has and the class has not; NULL: nothing. */
static json_t *take_extra(enum xapi_class_id class, json_t *row) {
        json_t *extra = NULL, *value;
        const char *key;
        void *next;

        json_object_foreach_safe(row, next, key, value) {
                if (xapi_field_find(class, key))
                        continue;
                if (!extra)
                        extra = json_object();
                (void)json_object_set(extra, key, value);
                (void)json_object_del(row, key);
        }
        return extra;
}

/* A value that an older version wrote, and that is none any more, is the default. */
static void drop_what_does_not_fit(enum xapi_class_id class, json_t *row) {
        struct err_note unused;

        for (const struct xapi_field *field = xapi_classes[class].fields; field->name; field++) {
                const json_t *value = json_object_get(row, field->name);

                if (value && xapi_value_check(field, value, &unused))
                        (void)json_object_del(row, field->name);
        }
}

static enum err load_row(void *user, const char *key, const void *value, size_t n, struct err_note *note) {
        struct load *load = user;
        json_error_t error;
        AUTO(decref) json_t *row = json_loadb(value, n, 0, &error);
        struct object *object;
        struct uuid uuid;
        json_t *extra;

        if (!uuid_parse(key, &uuid) || !json_is_object(row))
                return err_set(note, ERR_CORRUPT, "row %s of %s is damaged: %s", key,
                               xapi_classes[load->class].name, row ? "no object of that name" : error.text);
        extra = take_extra(load->class, row);
        drop_what_does_not_fit(load->class, row);
        (void)json_object_del(row, "uuid");
        objects_complete(load->class, &uuid, row);
        object = objects_publish(load->objects, NULL, load->class, &uuid, TAKE(row));
        object->extra = extra;
        object->is_stored = true;
        return ERR_NONE;
}

enum err objects_store_load(struct objects *objects, struct err_note *note) {
        for (unsigned i = 0; i < XAPI_N_CLASSES; i++) {
                struct load load = {.objects = objects, .class = (enum xapi_class_id)i};

                if (store_each(objects->store, xapi_classes[i].name, "", load_row, &load, note))
                        return note->code;
        }
        return ERR_NONE;
}

/* ---- writing ---- */

static char *make_row(const struct edit *edit) {
        AUTO(decref) json_t *row = NULL;

        if (!edit->object || !edit->object->extra)
                return json_dumps(edit->record, JSON_COMPACT);
        row = json_copy(edit->record);
        (void)json_object_update(row, edit->object->extra);
        return json_dumps(row, JSON_COMPACT);
}

static bool is_just_touched(const struct edit *edit) {
        return edit->object && edit->object->is_stored && edit->record == edit->object->record;
}

static bool is_for_the_store(const struct objects_change *change, const struct edit *edit) {
        /* A row that is there must go with its object, or the object would be back after a restart. */
        if (!edit->record)
                return edit->object->is_stored;
        return !change->is_volatile && !is_just_touched(edit);
}

static enum err write_one(struct store_change *change, struct edit *edit, struct err_note *note) {
        const char *table = xapi_classes[edit->class].name;
        struct uuid_text key = uuid_format(&edit->uuid);

        if (!edit->record)
                return store_delete(change, table, key.s, note);
        edit->row = make_row(edit);
        if (!edit->row)
                return err_set(note, ERR_NO_MEMORY, "write %s %s: out of memory", table, key.s);
        return store_put(change, table, key.s, edit->row, strlen(edit->row), note);
}

static enum err write_all(struct objects_change *change, struct err_note *note) {
        AUTO(store_abort) struct store_change *store_change = NULL;

        if (store_begin(change->objects->store, &store_change, note))
                return note->code;
        VEC_EACH (&change->edits, each) {
                if (is_for_the_store(change, *each) && write_one(store_change, *each, note))
                        return note->code;
        }
        return store_commit(TAKE(store_change), note);
}

/* ---- a commit that failed at its last step may have happened all the same ---- */

static bool is_written(struct store *store, const struct edit *edit) {
        AUTO(buf_fini) struct buf value = {0};
        struct uuid_text key = uuid_format(&edit->uuid);
        struct err_note unused;
        enum err err = store_get(store, xapi_classes[edit->class].name, key.s, &value, &unused);

        if (!edit->record)
                return err == ERR_NOT_FOUND;
        return !err && edit->row && value.n == strlen(edit->row) &&
               memcmp(value.data, edit->row, value.n) == 0;
}

static bool are_written(const struct objects_change *change) {
        VEC_EACH (&change->edits, each) {
                if (is_for_the_store(change, *each) && !is_written(change->objects->store, *each))
                        return false;
        }
        return true;
}

static bool has_rows(const struct objects_change *change) {
        VEC_EACH (&change->edits, each) {
                if (is_for_the_store(change, *each))
                        return true;
        }
        return false;
}

enum err objects_store_write(struct objects_change *change, struct err_note *note) {
        if (!has_rows(change) || !write_all(change, note))
                return ERR_NONE;
        /* What a read shows now no crash takes back.  To say that it failed would leave memory and disk
         * disagreeing until the next start. */
        return are_written(change) ? ERR_NONE : err_wrap(note, "write objects");
}
