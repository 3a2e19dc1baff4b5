// SPDX-License-Identifier: Apache-2.0
#include "objects.h"

#include "mem.h"
#include "objects_inside.h"

/* The turn is held. */
static struct objects_change *new_change(struct objects *objects) {
        struct objects_change *change = mem_new(struct objects_change);

        change->objects = objects;
        return change;
}

void objects_begin(struct objects *objects, struct objects_change **ret) {
        pthread_mutex_lock(&objects->turn);
        *ret = new_change(objects);
}

bool objects_try_begin(struct objects *objects, struct objects_change **ret) {
        if (pthread_mutex_trylock(&objects->turn))
                return false;
        *ret = new_change(objects);
        return true;
}

static void free_edit(struct edit *edit) {
        json_decref(edit->record);
        free(edit->row);
        free(edit);
}

static void end(struct objects_change *change) {
        pthread_mutex_unlock(&change->objects->turn);
        VEC_EACH (&change->edits, each) {
                free_edit(*each);
        }
        vec_fini(&change->edits);
        for (unsigned i = 0; i < XAPI_N_CLASSES; i++)
                map_fini(&change->of_class[i]);
        free(change);
}

void objects_abort(struct objects_change *change) {
        end(change);
}

void objects_change_is_volatile(struct objects_change *change) {
        change->is_volatile = true;
}

/* ---- edits ---- */

static struct edit *add_edit(struct objects_change *change, enum xapi_class_id class,
                             const struct uuid *uuid) {
        struct edit *edit = mem_new(struct edit);

        edit->uuid = *uuid;
        edit->class = class;
        /* Who has the turn is alone in changing the maps, so it looks without the lock. */
        edit->object = objects_find(change->objects, class, uuid);
        edit->record = edit->object ? json_incref(edit->object->record) : NULL;
        map_put(&change->of_class[class], map_key_uuid(uuid), edit);
        *vec_add(&change->edits) = edit;
        return edit;
}

static struct edit *find_edit(struct objects_change *change, enum xapi_class_id class,
                              const struct uuid *uuid) {
        struct edit *edit = map_get(&change->of_class[class], map_key_uuid(uuid));

        return edit ? edit : add_edit(change, class, uuid);
}

/* Of an object that is there; else NULL. */
static struct edit *edit_present(struct objects_change *change, enum xapi_class_id class,
                                 const struct uuid *uuid) {
        struct edit *edit = find_edit(change, class, uuid);

        return edit->record ? edit : NULL;
}

json_t *objects_change_get(struct objects_change *change, enum xapi_class_id class, const struct uuid *uuid) {
        struct edit *edit = map_get(&change->of_class[class], map_key_uuid(uuid));
        struct object *object;

        if (edit) {
                edit->is_own = false;
                return json_incref(edit->record);
        }
        object = objects_find(change->objects, class, uuid);
        return object ? json_incref(object->record) : NULL;
}

void objects_put(struct objects_change *change, enum xapi_class_id class, const struct uuid *uuid,
                 json_t *record) {
        struct edit *edit = find_edit(change, class, uuid);

        if (!record)
                record = xapi_record_new(class, uuid);
        objects_complete(class, uuid, record);
        json_decref(edit->record);
        edit->record = record;
        edit->is_own = false;
}

bool objects_set(struct objects_change *change, enum xapi_class_id class, const struct uuid *uuid,
                 const char *field, json_t *value) {
        const struct xapi_field *known = xapi_field_find(class, field);
        struct edit *edit = edit_present(change, class, uuid);

        if (!edit || !known) {
                json_decref(value);
                return false;
        }
        if (!value)
                value = xapi_field_default(known);
        if (json_equal(json_object_get(edit->record, field), value)) {
                json_decref(value);
                return true;
        }
        if (!edit->is_own) {
                json_t *copy = json_copy(edit->record);

                json_decref(edit->record);
                edit->record = copy;
                edit->is_own = true;
        }
        (void)json_object_set_new(edit->record, field, value);
        return true;
}

bool objects_remove(struct objects_change *change, enum xapi_class_id class, const struct uuid *uuid) {
        struct edit *edit = edit_present(change, class, uuid);

        if (!edit)
                return false;
        json_decref(edit->record);
        edit->record = NULL;
        edit->is_own = false;
        return true;
}

bool objects_touch(struct objects_change *change, enum xapi_class_id class, const struct uuid *uuid) {
        struct edit *edit = edit_present(change, class, uuid);

        if (edit)
                edit->is_touched = true;
        return edit != NULL;
}

/* ---- the end ---- */

static bool has_effect(const struct edit *edit) {
        json_t *old = edit->object ? edit->object->record : NULL;

        if (edit->is_touched && edit->record)
                return true;
        return edit->record != old && !(old && edit->record && json_equal(old, edit->record));
}

static void drop_what_changes_nothing(struct objects_change *change) {
        size_t n = 0;

        for (size_t i = 0; i < change->edits.n; i++) {
                struct edit *edit = change->edits.data[i];

                if (has_effect(edit))
                        change->edits.data[n++] = edit;
                else
                        free_edit(edit);
        }
        change->edits.n = n;
}

static void publish_one(struct objects *objects, struct edit *edit) {
        struct object *object;

        if (!edit->record) {
                objects_publish_gone(objects, edit->object);
                return;
        }
        object = objects_publish(objects, edit->object, edit->class, &edit->uuid, TAKE(edit->record));
        object->is_stored = object->is_stored || edit->row;
}

static uint64_t publish(struct objects_change *change) {
        struct objects *objects = change->objects;
        uint64_t generation;

        pthread_mutex_lock(&objects->lock);
        if (change->edits.n)
                objects->generation++;
        VEC_EACH (&change->edits, each) {
                publish_one(objects, *each);
        }
        generation = objects->generation;
        pthread_mutex_unlock(&objects->lock);
        return generation;
}

enum err objects_commit(struct objects_change *change, uint64_t *ret_generation, struct err_note *note) {
        struct objects *objects = change->objects;
        uint64_t generation;
        bool has_changed;

        drop_what_changes_nothing(change);
        if (objects_store_write(change, note)) {
                end(change);
                return note->code;
        }
        has_changed = change->edits.n > 0;
        generation = publish(change);
        end(change);
        if (has_changed)
                objects_tell(objects);
        if (ret_generation)
                *ret_generation = generation;
        return ERR_NONE;
}
