// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "auth_inside.h"
#include "mem.h"

#define SECOND_NS 1000000000ull

/* Sessions are used many times a second; their objects say so this often. */
#define SHOW_USE_EVERY_NS (300 * SECOND_NS)

/* ---- finding ---- */

/* Where a session is found by its secret: nothing that takes more or less time tells of a secret's bytes. */
static struct map_key key_of(struct auth *auth, const char *ref) {
        struct secret_hash hash = secret_keyed(&auth->key, ref);
        struct map_key key;

        memcpy(&key, hash.b, sizeof key);
        return key;
}

/* ---- the list, by when each was used last; lock held ---- */

static void unlink_session(struct auth *auth, struct session *session) {
        *(session->longer ? &session->longer->newer : &auth->longest) = session->newer;
        *(session->newer ? &session->newer->longer : &auth->latest) = session->longer;
        session->longer = session->newer = NULL;
}

static void link_latest(struct auth *auth, struct session *session) {
        session->longer = auth->latest;
        *(auth->latest ? &auth->latest->newer : &auth->longest) = session;
        auth->latest = session;
}

static void use(struct auth *auth, struct session *session) {
        session->used_ns = io_now_ns(auth->io);
        unlink_session(auth, session);
        link_latest(auth, session);
}

/* ---- ending ---- */

struct ended {
        VEC(struct uuid) list; /* owned */
};

/* Lock held; its object is for drop_objects. */
static void end_session(struct auth *auth, struct session *session, struct ended *ended) {
        *vec_add(&ended->list) = session->who.session;
        unlink_session(auth, session);
        (void)map_remove(&auth->by_secret, session->key);
        (void)map_remove(&auth->by_uuid, map_key_uuid(&session->who.session));
        secret_wipe(session, sizeof *session);
        free(session);
}

static void drop_objects(struct auth *auth, struct ended *ended) {
        struct objects_change *change;
        struct err_note unused;

        if (ended->list.n) {
                objects_begin(auth->objects, &change);
                objects_change_is_volatile(change);
                VEC_EACH (&ended->list, each) {
                        (void)objects_remove(change, XAPI_SESSION, each);
                }
                (void)!objects_commit(change, NULL, &unused); /* writes nothing, so it cannot fail */
        }
        vec_fini(&ended->list);
}

static bool is_over(struct auth *auth, const struct session *session) {
        if (session->ends && io_wall_ns(auth->io) / (int64_t)SECOND_NS >= session->ends)
                return true;
        return io_now_ns(auth->io) - session->used_ns >= SESSION_IDLE_SECONDS * SECOND_NS;
}

static void end_those_over(struct auth *auth, struct ended *ended) {
        struct session *next;

        for (struct session *session = auth->longest; session; session = next) {
                next = session->newer;
                if (is_over(auth, session))
                        end_session(auth, session, ended);
        }
}

void sessions_end_of(struct auth *auth, const char *user) {
        struct ended ended = {0};
        struct session *next;

        pthread_mutex_lock(&auth->lock);
        for (struct session *session = auth->longest; session; session = next) {
                next = session->newer;
                if (strcmp(session->who.user, user) == 0)
                        end_session(auth, session, &ended);
        }
        pthread_mutex_unlock(&auth->lock);
        drop_objects(auth, &ended);
}

void auth_logout(struct auth *auth, const char *ref) {
        struct map_key key = key_of(auth, ref);
        struct ended ended = {0};
        struct session *session;

        pthread_mutex_lock(&auth->lock);
        session = map_get(&auth->by_secret, key);
        if (session)
                end_session(auth, session, &ended);
        pthread_mutex_unlock(&auth->lock);
        drop_objects(auth, &ended);
}

void auth_tick(struct auth *auth) {
        struct ended ended = {0};

        pthread_mutex_lock(&auth->lock);
        end_those_over(auth, &ended);
        pthread_mutex_unlock(&auth->lock);
        drop_objects(auth, &ended);
}

void sessions_fini(struct auth *auth) {
        struct ended ended = {0};

        while (auth->longest)
                end_session(auth, auth->longest, &ended);
        drop_objects(auth, &ended);
        map_fini(&auth->by_secret);
        map_fini(&auth->by_uuid);
}

unsigned auth_n_sessions(struct auth *auth) {
        unsigned n;

        pthread_mutex_lock(&auth->lock);
        n = (unsigned)auth->by_uuid.n;
        pthread_mutex_unlock(&auth->lock);
        return n;
}

/* ---- beginning ---- */

/* Lock held.  Walks them only where there are so many that one account may have too many. */
static void make_room(struct auth *auth, const char *user, struct ended *ended) {
        struct session *first = NULL;
        unsigned n = 0;

        if (auth->by_uuid.n < SESSIONS_MAX)
                return;
        end_those_over(auth, ended);
        for (struct session *session = auth->longest; session; session = session->newer) {
                if (strcmp(session->who.user, user) != 0)
                        continue;
                first = first ? first : session;
                n++;
        }
        if (n >= SESSIONS_MAX)
                end_session(auth, first, ended);
}

static json_t *time_of_now(struct auth *auth) {
        return json_string(xapi_time_of(io_wall_ns(auth->io) / (int64_t)SECOND_NS).s);
}

static void put_object(struct auth *auth, const struct auth_who *who, const char *originator) {
        json_t *record = xapi_record_new(XAPI_SESSION, &who->session);
        struct objects_change *change;
        struct uuid host = {{0}};
        struct err_note unused;

        (void)objects_any(auth->objects, XAPI_HOST, &host);
        (void)json_object_set_new(record, "this_host", json_string(xapi_ref_of(&host).s));
        (void)json_object_set_new(record, "auth_user_name", json_string(who->user));
        (void)json_object_set_new(record, "is_local_superuser", json_boolean(who->role == ROLE_ADMIN));
        (void)json_object_set_new(record, "last_active", time_of_now(auth));
        (void)json_object_set_new(record, "validation_time", time_of_now(auth));
        (void)json_object_set_new(record, "originator", json_string(originator));
        objects_begin(auth->objects, &change);
        objects_change_is_volatile(change);
        objects_put(change, XAPI_SESSION, &who->session, record);
        (void)!objects_commit(change, NULL, &unused);
}

void sessions_add(struct auth *auth, const struct auth_who *who, int64_t ends, const char *originator,
                  struct auth_session *ret) {
        struct session *session = mem_new(struct session);
        struct ended ended = {0};
        struct uuid secret;
        uint8_t random[16];

        io_random(auth->io, secret.b, sizeof secret.b);
        io_random(auth->io, random, sizeof random);
        ret->who = *who;
        ret->who.session = uuid_from_random(random);
        memcpy(ret->ref, xapi_ref_of(&secret).s, sizeof ret->ref);
        session->who = ret->who;
        session->ends = ends;
        session->key = key_of(auth, ret->ref);
        session->used_ns = io_now_ns(auth->io);
        /* The object first: who has the reference finds it. */
        put_object(auth, &ret->who, originator);
        pthread_mutex_lock(&auth->lock);
        make_room(auth, who->user, &ended);
        map_put(&auth->by_secret, session->key, session);
        map_put(&auth->by_uuid, map_key_uuid(&session->who.session), session);
        link_latest(auth, session);
        pthread_mutex_unlock(&auth->lock);
        drop_objects(auth, &ended);
        secret_wipe(&secret, sizeof secret);
}

/* ---- using ---- */

static void show_use(struct auth *auth, const struct uuid *uuid) {
        struct objects_change *change;
        struct err_note unused;

        if (!objects_try_begin(auth->objects, &change))
                return;
        objects_change_is_volatile(change);
        (void)objects_set(change, XAPI_SESSION, uuid, "last_active", time_of_now(auth));
        (void)!objects_commit(change, NULL, &unused);
}

/* Lock held; true: its object should say so. */
static bool use_and_show(struct auth *auth, struct session *session) {
        uint64_t before_ns = session->used_ns;

        use(auth, session);
        return session->used_ns / SHOW_USE_EVERY_NS != before_ns / SHOW_USE_EVERY_NS;
}

bool sessions_check(struct auth *auth, const char *ref, struct auth_who *ret) {
        struct map_key key = key_of(auth, ref);
        struct ended ended = {0};
        struct session *session;
        bool is_found, is_shown = false;

        pthread_mutex_lock(&auth->lock);
        session = map_get(&auth->by_secret, key);
        if (session && is_over(auth, session)) {
                end_session(auth, session, &ended);
                session = NULL;
        }
        is_found = session != NULL;
        if (session) {
                *ret = session->who;
                is_shown = use_and_show(auth, session);
        }
        pthread_mutex_unlock(&auth->lock);
        drop_objects(auth, &ended);
        if (is_shown)
                show_use(auth, &ret->session);
        return is_found;
}

void auth_touch(struct auth *auth, const struct uuid *uuid) {
        struct session *session;
        bool is_shown;

        pthread_mutex_lock(&auth->lock);
        session = map_get(&auth->by_uuid, map_key_uuid(uuid));
        is_shown = session && use_and_show(auth, session);
        pthread_mutex_unlock(&auth->lock);
        if (is_shown)
                show_use(auth, uuid);
}
