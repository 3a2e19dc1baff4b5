// SPDX-License-Identifier: Apache-2.0
/* What objects.c (published records, watches), objects_change.c (changes) and objects_store.c (rows) share.
 *
 * A writer has the `turn` from begin to commit.  It changes copies of its own, writes rows with the turn
 * alone, and takes the `lock` only to publish what is durable; so readers never wait for a disk.  Locks, in
 * the order in which they may be taken: turn, lock.  watch_lock is taken alone.
 *
 * Errors: as objects.h.  Threads: see each.
 */
#ifndef SERVICE_OBJECTS_INSIDE_H
#define SERVICE_OBJECTS_INSIDE_H

#include <pthread.h>

#include "map.h"
#include "objects.h"
#include "store.h"
#include "vec.h"

enum { OBJECTS_FORMAT = 1 };

struct object {
        struct uuid uuid;
        enum xapi_class_id class;
        json_t *record;            /* shared, counted; never changes */
        json_t *extra;             /* owned; members of its row that this version does not know; or NULL */
        uint64_t born, generation; /* of its first and its last change */
        bool is_stored;            /* the store has a row of it */
        struct object *older;      /* borrowed; by generation */
        struct object *newer;      /* borrowed */
};

/* One that was there and is no more. */
struct gone {
        struct uuid uuid;
        enum xapi_class_id class;
        uint64_t born, generation;
};

struct objects_watch {
        void (*call)(void *user); /* borrowed */
        void *user;               /* borrowed; handed to call */
        unsigned n_calls;         /* under way */
        bool is_ending;
        struct objects_watch *next; /* owned */
};

struct objects {
        struct io *io;       /* borrowed */
        struct store *store; /* owned; who has the turn uses it */
        uint64_t epoch;

        pthread_mutex_t turn;                /* a change is under way */
        pthread_mutex_t lock;                /* guards what is published, to watch_lock */
        struct map of_class[XAPI_N_CLASSES]; /* of struct object, owned */
        struct object *oldest, *newest;      /* borrowed from the maps */
        uint64_t generation;
        uint64_t forgotten;            /* of the last that went out of `gone` */
        VEC(struct gone) gone;         /* a ring once it is full */
        size_t gone_oldest;            /* where the ring begins */
        pthread_mutex_t watch_lock;    /* guards watches */
        pthread_cond_t watch_idle;     /* a call has ended */
        struct objects_watch *watches; /* owned */
};

/* What a change does to one object. */
struct edit {
        struct uuid uuid;
        enum xapi_class_id class;
        struct object *object; /* borrowed; NULL: it is new */
        json_t *record;        /* shared, counted; as it will be; NULL: gone */
        bool is_own;           /* nobody else has that record */
        bool is_touched;
        char *row; /* owned; what its row will say; NULL: no row is written */
};

struct objects_change {
        struct objects *objects; /* borrowed */
        struct map of_class[XAPI_N_CLASSES];
        VEC(struct edit *) edits; /* owned, and each; in the order in which they were begun */
        bool is_volatile;
};

/* ---- objects.c ---- */

struct object *objects_find(struct objects *, enum xapi_class_id,
                            const struct uuid *); /* lock or turn held */
/* A new one, or record in place of its old one (takes record), as of the newest generation; lock held. */
struct object *objects_publish(struct objects *, struct object *, enum xapi_class_id, const struct uuid *,
                               json_t *record);
void objects_publish_gone(struct objects *, struct object *); /* lock held */
void objects_tell(struct objects *);                          /* the watches; nothing held */
/* Fills in what the record lacks; the record is nobody else's, or lacks nothing. */
void objects_complete(enum xapi_class_id, const struct uuid *, json_t *record);

/* ---- objects_store.c ---- */

MUST_USE enum err objects_store_open(struct objects *, const char *path, catalog_open_store,
                                     struct err_note *);
MUST_USE enum err objects_store_load(struct objects *, struct err_note *);
/* Durable, or an error and nothing of it; the turn is held. */
MUST_USE enum err objects_store_write(struct objects_change *, struct err_note *);

#endif
