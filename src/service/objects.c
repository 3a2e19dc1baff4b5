// SPDX-License-Identifier: Apache-2.0
#include "objects.h"

#include <assert.h>

#include "mem.h"
#include "objects_inside.h"

/* ---- opening ---- */

static void init(struct objects *objects, struct io *io) {
        objects->io = io;
        /* 63 bits, so that JSON keeps it whole; never 0. */
        objects->epoch = io_random_u64(io) >> 1 | 1;
        objects->generation = 1;
        pthread_mutex_init(&objects->turn, NULL);
        pthread_mutex_init(&objects->lock, NULL);
        pthread_mutex_init(&objects->watch_lock, NULL);
        pthread_cond_init(&objects->watch_idle, NULL);
}

enum err objects_open(struct io *io, const char *path, catalog_open_store open_store, struct objects **ret,
                      struct err_note *note) {
        AUTO(objects_close) struct objects *objects = mem_new(struct objects);

        init(objects, io);
        if (objects_store_open(objects, path, open_store, note) || objects_store_load(objects, note))
                return err_wrap(note, "open %s", path);
        *ret = TAKE(objects);
        return ERR_NONE;
}

static void free_object(struct object *object) {
        json_decref(object->record);
        json_decref(object->extra);
        free(object);
}

void objects_close(struct objects *objects) {
        assert(!objects->watches);
        while (objects->oldest) {
                struct object *object = objects->oldest;

                objects->oldest = object->newer;
                free_object(object);
        }
        for (unsigned i = 0; i < XAPI_N_CLASSES; i++)
                map_fini(&objects->of_class[i]);
        vec_fini(&objects->gone);
        if (objects->store)
                store_close(objects->store);
        pthread_cond_destroy(&objects->watch_idle);
        pthread_mutex_destroy(&objects->watch_lock);
        pthread_mutex_destroy(&objects->lock);
        pthread_mutex_destroy(&objects->turn);
        free(objects);
}

/* ---- reading ---- */

struct object *objects_find(struct objects *objects, enum xapi_class_id class, const struct uuid *uuid) {
        return map_get(&objects->of_class[class], map_key_uuid(uuid));
}

json_t *objects_get(struct objects *objects, enum xapi_class_id class, const struct uuid *uuid) {
        struct object *object;
        json_t *record;

        pthread_mutex_lock(&objects->lock);
        object = objects_find(objects, class, uuid);
        record = object ? json_incref(object->record) : NULL;
        pthread_mutex_unlock(&objects->lock);
        return record;
}

json_t *objects_field(struct objects *objects, enum xapi_class_id class, const struct uuid *uuid,
                      const char *field) {
        json_t *record = objects_get(objects, class, uuid);
        json_t *value = json_incref(json_object_get(record, field));

        json_decref(record);
        return value;
}

size_t objects_count(struct objects *objects, enum xapi_class_id class) {
        size_t n;

        pthread_mutex_lock(&objects->lock);
        n = objects->of_class[class].n;
        pthread_mutex_unlock(&objects->lock);
        return n;
}

bool objects_any(struct objects *objects, enum xapi_class_id class, struct uuid *ret) {
        const struct object *object;
        size_t place = 0;

        pthread_mutex_lock(&objects->lock);
        object = map_next(&objects->of_class[class], &place);
        if (object)
                *ret = object->uuid;
        pthread_mutex_unlock(&objects->lock);
        return object != NULL;
}

uint64_t objects_generation(struct objects *objects) {
        uint64_t generation;

        pthread_mutex_lock(&objects->lock);
        generation = objects->generation;
        pthread_mutex_unlock(&objects->lock);
        return generation;
}

uint64_t objects_epoch(struct objects *objects) {
        return objects->epoch;
}

struct events {
        VEC(struct objects_event) list; /* owned, and a reference to each record */
};

static void events_fini(struct events *events) {
        VEC_EACH (&events->list, each) {
                json_decref(each->record);
        }
        vec_fini(&events->list);
}
DEFINE_AUTO_IN_PLACE(struct events, events_fini);

static void collect_object(struct events *events, const struct object *object,
                           enum objects_operation operation) {
        *vec_add(&events->list) = (struct objects_event){
                .operation = operation,
                .class = object->class,
                .uuid = object->uuid,
                .generation = object->generation,
                .record = json_incref(object->record),
        };
}

json_t *objects_all(struct objects *objects, enum xapi_class_id class) {
        AUTO(events_fini) struct events events = {0};
        json_t *all = json_object();
        struct object *object;
        size_t place = 0;

        /* Only references are taken under the lock; what takes time is done after. */
        pthread_mutex_lock(&objects->lock);
        vec_reserve(&events.list, objects->of_class[class].n);
        while ((object = map_next(&objects->of_class[class], &place)))
                collect_object(&events, object, OBJECT_ADD);
        pthread_mutex_unlock(&objects->lock);
        VEC_EACH (&events.list, each) {
                (void)json_object_set_nocheck(all, xapi_ref_of(&each->uuid).s, each->record);
        }
        return all;
}

/* ---- what changed ---- */

static void collect_gone(struct events *events, const struct gone *gone) {
        *vec_add(&events->list) = (struct objects_event){
                .operation = OBJECT_DEL,
                .class = gone->class,
                .uuid = gone->uuid,
                .generation = gone->generation,
        };
}

/* The i-th of those that are gone, the newest first. */
static const struct gone *gone_at(const struct objects *objects, size_t i) {
        return &objects->gone.data[(objects->gone_oldest + objects->gone.n - 1 - i) % objects->gone.n];
}

/* Whoever was never told of an object, or is told that it is there again, is not told that it is gone. */
static bool is_worth_telling(struct objects *objects, const struct gone *gone, uint64_t generation) {
        return gone->born <= generation && !objects_find(objects, gone->class, &gone->uuid);
}

/* From the newest backward, as far as they are newer than generation: the two lists merged. */
static void collect_backward(struct objects *objects, uint64_t generation, struct events *events) {
        const struct object *object = objects->newest;
        size_t i = 0;

        for (;;) {
                const struct gone *gone = generation && i < objects->gone.n ? gone_at(objects, i) : NULL;
                bool has_gone = gone && gone->generation > generation;
                bool has_object = object && object->generation > generation;

                if (!has_gone && !has_object)
                        return;
                if (has_gone && (!has_object || gone->generation > object->generation)) {
                        if (is_worth_telling(objects, gone, generation))
                                collect_gone(events, gone);
                        i++;
                        continue;
                }
                collect_object(events, object, object->born > generation ? OBJECT_ADD : OBJECT_MOD);
                object = object->older;
        }
}

enum err objects_since(struct objects *objects, uint64_t generation, objects_event_fn call, void *user,
                       uint64_t *ret_now, struct err_note *note) {
        AUTO(events_fini) struct events events = {0};
        bool is_known;

        pthread_mutex_lock(&objects->lock);
        is_known = generation <= objects->generation && (!generation || generation >= objects->forgotten);
        if (is_known) {
                *ret_now = objects->generation;
                collect_backward(objects, generation, &events);
        }
        pthread_mutex_unlock(&objects->lock);
        if (!is_known)
                return err_set(note, ERR_NOT_FOUND, "what changed since %llu is not known any more",
                               (unsigned long long)generation);
        for (size_t i = events.list.n; i-- > 0;)
                call(user, &events.list.data[i]);
        return ERR_NONE;
}

/* ---- publishing ---- */

static void unlink_object(struct objects *objects, struct object *object) {
        *(object->older ? &object->older->newer : &objects->oldest) = object->newer;
        *(object->newer ? &object->newer->older : &objects->newest) = object->older;
        object->older = object->newer = NULL;
}

static void link_newest(struct objects *objects, struct object *object) {
        object->older = objects->newest;
        *(objects->newest ? &objects->newest->newer : &objects->oldest) = object;
        objects->newest = object;
        object->generation = objects->generation;
}

struct object *objects_publish(struct objects *objects, struct object *object, enum xapi_class_id class,
                               const struct uuid *uuid, json_t *record) {
        if (object) {
                unlink_object(objects, object);
                json_decref(object->record);
        } else {
                object = mem_new(struct object);
                object->uuid = *uuid;
                object->class = class;
                object->born = objects->generation;
                map_put(&objects->of_class[class], map_key_uuid(uuid), object);
        }
        object->record = record;
        link_newest(objects, object);
        return object;
}

static void remember_gone(struct objects *objects, const struct object *object) {
        struct gone gone = {.uuid = object->uuid,
                            .class = object->class,
                            .born = object->born,
                            .generation = objects->generation};

        if (objects->gone.n < OBJECTS_GONE_MAX) {
                *vec_add(&objects->gone) = gone;
                return;
        }
        objects->forgotten = objects->gone.data[objects->gone_oldest].generation;
        objects->gone.data[objects->gone_oldest] = gone;
        objects->gone_oldest = (objects->gone_oldest + 1) % OBJECTS_GONE_MAX;
}

void objects_publish_gone(struct objects *objects, struct object *object) {
        remember_gone(objects, object);
        unlink_object(objects, object);
        (void)map_remove(&objects->of_class[object->class], map_key_uuid(&object->uuid));
        free_object(object);
}

void objects_complete(enum xapi_class_id class, const struct uuid *uuid, json_t *record) {
        for (const struct xapi_field *field = xapi_classes[class].fields; field->name; field++)
                if (!json_object_get(record, field->name))
                        (void)json_object_set_new(record, field->name,
                                                  strcmp(field->name, "uuid") == 0
                                                          ? json_string(uuid_format(uuid).s)
                                                          : xapi_field_default(field));
}

/* ---- waiting ---- */

struct objects_watch *objects_watch(struct objects *objects, void (*call)(void *user), void *user) {
        struct objects_watch *watch = mem_new(struct objects_watch);

        watch->call = call;
        watch->user = user;
        pthread_mutex_lock(&objects->watch_lock);
        watch->next = objects->watches;
        objects->watches = watch;
        pthread_mutex_unlock(&objects->watch_lock);
        return watch;
}

void objects_unwatch(struct objects *objects, struct objects_watch *watch) {
        struct objects_watch **link = &objects->watches;

        pthread_mutex_lock(&objects->watch_lock);
        watch->is_ending = true;
        while (watch->n_calls)
                pthread_cond_wait(&objects->watch_idle, &objects->watch_lock);
        while (*link != watch)
                link = &(*link)->next;
        *link = watch->next;
        pthread_mutex_unlock(&objects->watch_lock);
        free(watch);
}

/* One that is being called stays in the list, so where it leads is known when its call has ended. */
void objects_tell(struct objects *objects) {
        pthread_mutex_lock(&objects->watch_lock);
        for (struct objects_watch *watch = objects->watches; watch; watch = watch->next) {
                if (watch->is_ending)
                        continue;
                watch->n_calls++;
                pthread_mutex_unlock(&objects->watch_lock);
                watch->call(watch->user);
                pthread_mutex_lock(&objects->watch_lock);
                if (--watch->n_calls == 0)
                        pthread_cond_broadcast(&objects->watch_idle);
        }
        pthread_mutex_unlock(&objects->watch_lock);
}
