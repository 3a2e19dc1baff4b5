// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>

#include "mem.h"
#include "vec.h"
#include "xapi_events.h"

struct entry {
        struct uuid session;
        json_t *classes; /* shared, counted; an array, never changed */
        uint64_t generation;
};

struct xapi_registered {
        pthread_mutex_t mutex;  /* guards what is below */
        VEC(struct entry) list; /* owned; the oldest first */
};

struct xapi_registered *xapi_registered_new(void) {
        struct xapi_registered *registered = mem_new(struct xapi_registered);

        pthread_mutex_init(&registered->mutex, NULL);
        return registered;
}

void xapi_registered_free(struct xapi_registered *registered) {
        VEC_EACH (&registered->list, entry)
                json_decref(entry->classes);
        vec_fini(&registered->list);
        pthread_mutex_destroy(&registered->mutex);
        free(registered);
}

/* The mutex is held for all of these. */
static struct entry *find(struct xapi_registered *registered, const struct uuid *session) {
        VEC_EACH (&registered->list, entry)
                if (uuid_equal(&entry->session, session))
                        return entry;
        return NULL;
}

static void drop(struct xapi_registered *registered, struct entry *entry) {
        json_decref(entry->classes);
        vec_remove_at(&registered->list, (size_t)(entry - registered->list.data));
}

static struct entry *add(struct xapi_registered *registered, const struct uuid *session,
                         uint64_t generation) {
        struct entry *entry;

        if (registered->list.n == XAPI_REGISTERED_MAX)
                drop(registered, registered->list.data);
        entry = vec_add(&registered->list);
        *entry = (struct entry){.session = *session, .classes = json_array(), .generation = generation};
        return entry;
}

void xapi_registered_add(struct xapi_registered *registered, const struct uuid *session, json_t *classes,
                         uint64_t generation) {
        struct entry *entry;

        pthread_mutex_lock(&registered->mutex);
        entry = find(registered, session);
        if (!entry)
                entry = add(registered, session, generation);
        json_array_extend(classes, entry->classes);
        json_decref(entry->classes);
        entry->classes = classes;
        pthread_mutex_unlock(&registered->mutex);
}

static bool has(const json_t *list, const json_t *value) {
        json_t *each;
        size_t i;

        json_array_foreach((json_t *)list, i, each) if (json_equal(each, value)) return true;
        return false;
}

void xapi_registered_remove(struct xapi_registered *registered, const struct uuid *session,
                            const json_t *classes) {
        json_t *kept = json_array();
        struct entry *entry;
        json_t *each;
        size_t i;

        pthread_mutex_lock(&registered->mutex);
        entry = find(registered, session);
        if (entry) {
                json_array_foreach(entry->classes, i, each) if (!has(classes, each))
                        json_array_append(kept, each);
                json_decref(entry->classes);
                entry->classes = json_incref(kept);
        }
        pthread_mutex_unlock(&registered->mutex);
        json_decref(kept);
}

void xapi_registered_forget(struct xapi_registered *registered, const struct uuid *session) {
        struct entry *entry;

        pthread_mutex_lock(&registered->mutex);
        entry = find(registered, session);
        if (entry)
                drop(registered, entry);
        pthread_mutex_unlock(&registered->mutex);
}

bool xapi_registered_find(struct xapi_registered *registered, const struct uuid *session,
                          json_t **ret_classes, uint64_t *ret_generation) {
        struct entry *entry;

        pthread_mutex_lock(&registered->mutex);
        entry = find(registered, session);
        if (entry) {
                *ret_classes = json_incref(entry->classes);
                *ret_generation = entry->generation;
        }
        pthread_mutex_unlock(&registered->mutex);
        return entry != NULL;
}

void xapi_registered_reach(struct xapi_registered *registered, const struct uuid *session,
                           uint64_t generation) {
        struct entry *entry;

        pthread_mutex_lock(&registered->mutex);
        entry = find(registered, session);
        if (entry)
                entry->generation = generation;
        pthread_mutex_unlock(&registered->mutex);
}
