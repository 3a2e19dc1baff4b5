// SPDX-License-Identifier: Apache-2.0
/* The objects of a host, as clients of the XenAPI and people see them: one record for each, in memory, kept
 * in a store, and whoever waits for changes is told.
 *
 *      objects_open(io, "STATE-DIR/state.db", store_sqlite_open, &objects, note);
 *
 *      objects_begin(objects, &change);
 *      objects_put(change, XAPI_VM, &uuid, record);
 *      objects_set(change, XAPI_VM, &other, "name_label", json_string("x"));
 *      objects_commit(TAKE(change), &generation, note);     durable, then seen, all of it at once
 *
 * A record is JSON with every field that its class has (xapi_class.h).  Records that were published never
 * change: a change replaces them, so a reference that was taken stays what it was and may be read by any
 * thread; nobody may write to it.
 *
 * Each commit has a generation, greater than all before; an object knows that of its last change.  So whoever
 * knows up to which generation he has seen is told what is new since (objects_since).  Objects that are gone
 * are remembered for OBJECTS_GONE_MAX changes; who comes later than that is told ERR_NOT_FOUND and reads all
 * anew.  Generations begin anew at each start: who keeps one keeps the epoch with it and compares.
 *
 * What is volatile (sessions, progress) is never written to the store, and is gone after a restart.
 *
 *      table           key     value
 *      meta            format  a number; an older one is migrated when it is opened, a later one is refused
 *      class's name    uuid    the record; members that this version does not know are kept
 *
 * Errors: those of the store; the change is lost then and nobody saw it.
 * Threads: any.  One change at a time: begin waits for the one under way, so what is between begin and commit
 * is short, calls nobody, and begins no second.
 * Ownership: records that are read are new references.
 */
#ifndef SERVICE_OBJECTS_H
#define SERVICE_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "catalog.h"
#include "cleanup.h"
#include "err.h"
#include "uuid.h"
#include "xapi_class.h"

struct objects;
struct objects_change;
struct objects_watch;

enum { OBJECTS_GONE_MAX = 65536 };

MUST_USE enum err objects_open(struct io *, const char *path, catalog_open_store, struct objects **ret,
                               struct err_note *);
void objects_close(struct objects *);
DEFINE_AUTO(struct objects *, objects_close);

/* ---- reading ---- */

json_t *objects_get(struct objects *, enum xapi_class_id, const struct uuid *); /* a new reference, or NULL */
json_t *objects_field(struct objects *, enum xapi_class_id, const struct uuid *,
                      const char *field); /* likewise */
/* All of a class, as an object of "OpaqueRef:…" -> record, a new reference; the records are shared. */
json_t *objects_all(struct objects *, enum xapi_class_id);
size_t objects_count(struct objects *, enum xapi_class_id);
/* Any one of a class: the host, the pool.  False: there is none. */
bool objects_any(struct objects *, enum xapi_class_id, struct uuid *ret);
uint64_t objects_generation(struct objects *);
uint64_t objects_epoch(struct objects *); /* another after each restart; part of tokens */

enum objects_operation { OBJECT_ADD, OBJECT_MOD, OBJECT_DEL };
struct objects_event {
        enum objects_operation operation;
        enum xapi_class_id class;
        struct uuid uuid;
        uint64_t generation;
        json_t *record; /* shared, counted, there while the call lasts; NULL: it is gone */
};
typedef void (*objects_event_fn)(void *user, const struct objects_event *);
/* What changed after that generation, in order, each object once as it is now; 0: everything there is.  call
 * is made with nothing held.
 * *ret_now: up to where this reaches.  ERR_NOT_FOUND: it is not known any more. */
MUST_USE enum err objects_since(struct objects *, uint64_t generation, objects_event_fn, void *user,
                                uint64_t *ret_now, struct err_note *);

/* ---- changing ---- */

void objects_begin(struct objects *, struct objects_change **ret);
/* False, and no change, where one is under way: for what may as well be left out, as a step of progress. */
MUST_USE bool objects_try_begin(struct objects *, struct objects_change **ret);
/* Within a change its own changes are seen: a new reference, or NULL. */
json_t *objects_change_get(struct objects_change *, enum xapi_class_id, const struct uuid *);
/* takes record; fields that it lacks are filled with their defaults, NULL is one that lacks all. */
void objects_put(struct objects_change *, enum xapi_class_id, const struct uuid *, json_t *record);
/* takes value; NULL (text that was no UTF-8, say): the field's default.  False: there is no such object or
 * field.  Nothing changes where it is equal already. */
bool objects_set(struct objects_change *, enum xapi_class_id, const struct uuid *, const char *field,
                 json_t *value);
bool objects_remove(struct objects_change *, enum xapi_class_id,
                    const struct uuid *); /* false: it was not there */
/* As if it had changed: event.inject. */
bool objects_touch(struct objects_change *, enum xapi_class_id, const struct uuid *);
/* Nothing of it goes to the store, but that an object is gone which the store has. */
void objects_change_is_volatile(struct objects_change *);
/* Ends the change in any case; *ret_generation (may be NULL) is its own. */
MUST_USE enum err objects_commit(struct objects_change *, uint64_t *ret_generation, struct err_note *);
void objects_abort(struct objects_change *);
DEFINE_AUTO(struct objects_change *, objects_abort);

/* ---- waiting ---- */

/* call is made after each commit that changed anything, by the thread that made it, with nothing held: it is
 * short, and posts. */
struct objects_watch *objects_watch(struct objects *, void (*call)(void *user), void *user);
/* No call is under way when it returns; not from within the call. */
void objects_unwatch(struct objects *, struct objects_watch *);

#endif
