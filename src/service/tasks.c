// SPDX-License-Identifier: Apache-2.0
#include "tasks.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "map.h"
#include "mem.h"
#include "vec.h"

enum { KEEP_SECONDS = 24 * 60 * 60 };

/* No call of objects.h is made with `lock` held; within a change it may be taken. */
struct tasks {
        struct io *io;           /* borrowed */
        struct objects *objects; /* borrowed */
        pthread_mutex_t lock;    /* guards running, and of each of these: n_refs, look */
        struct map running;      /* of struct task, each owned by its references */
};

struct task {
        struct tasks *tasks; /* borrowed */
        struct uuid uuid;
        struct progress progress;
        atomic_bool is_cancelled;
        bool has_ended;
        unsigned n_refs;
        struct task_look look;
};

static void decref(json_t *json) {
        json_decref(json);
}
DEFINE_AUTO(json_t *, decref);

/* ---- records ---- */

static json_t *now(struct tasks *tasks) {
        return json_string(xapi_time_of(io_wall_ns(tasks->io) / 1000000000).s);
}

static bool is_status(const json_t *record, const char *status) {
        return strcmp(json_string_value(json_object_get(record, "status")), status) == 0;
}

static bool is_under_way(const json_t *record) {
        return is_status(record, "pending") || is_status(record, "cancelling");
}

static void set(struct objects_change *change, const struct uuid *uuid, const char *field, json_t *value) {
        (void)objects_set(change, XAPI_TASK, uuid, field, value);
}

/* The one host that there is, where it is known already. */
static struct xapi_ref this_host(struct tasks *tasks) {
        struct uuid uuid = {{0}};

        (void)objects_any(tasks->objects, XAPI_HOST, &uuid);
        return xapi_ref_of(&uuid);
}

static json_t *operations_of(const char *status) {
        json_t *operations = json_array();

        if (strcmp(status, "pending") == 0)
                (void)json_array_append_new(operations, json_string("cancel"));
        (void)json_array_append_new(operations, json_string("destroy"));
        return operations;
}

static void set_status(struct objects_change *change, const struct uuid *uuid, const char *status) {
        set(change, uuid, "status", json_string(status));
        set(change, uuid, "allowed_operations", operations_of(status));
}

static json_t *new_record(struct tasks *tasks, const struct task_options *options, const struct uuid *uuid) {
        json_t *record = xapi_record_new(XAPI_TASK, uuid);

        (void)json_object_set_new(record, "name_label", json_string(options->label));
        (void)json_object_set_new(record, "name_description",
                                  json_string(options->description ? options->description : ""));
        (void)json_object_set_new(record, "allowed_operations", operations_of("pending"));
        (void)json_object_set_new(record, "created", now(tasks));
        (void)json_object_set_new(record, "resident_on", json_string(this_host(tasks).s));
        (void)json_object_set_new(record, "type", json_string("<none/>"));
        (void)json_object_set_new(record, "subtask_of", json_string(xapi_ref_of(&options->subtask_of).s));
        return record;
}

/* A task's record names its subtasks. */
static void change_subtasks(struct objects_change *change, const struct uuid *parent, const struct uuid *uuid,
                            bool is_added) {
        AUTO(decref) json_t *record = objects_change_get(change, XAPI_TASK, parent);
        struct xapi_ref ref = xapi_ref_of(uuid);
        json_t *subtasks, *each;
        size_t i;

        if (!record)
                return;
        subtasks = json_array();
        json_array_foreach(json_object_get(record, "subtasks"), i, each) {
                if (strcmp(json_string_value(each), ref.s) != 0)
                        (void)json_array_append(subtasks, each);
        }
        if (is_added)
                (void)json_array_append_new(subtasks, json_string(ref.s));
        set(change, parent, "subtasks", subtasks);
}

/* ---- changes: written down where that can be done, else in memory alone ---- */

typedef void (*change_fn)(struct objects_change *, void *user);

static void change_objects(struct tasks *tasks, change_fn make, void *user) {
        for (unsigned i = 0; i < 2; i++) {
                struct objects_change *change;
                struct err_note unused;

                objects_begin(tasks->objects, &change);
                if (i)
                        objects_change_is_volatile(change);
                make(change, user);
                if (!objects_commit(change, NULL, &unused))
                        return;
        }
}

/* ---- at the start ---- */

static void fail_one(struct objects_change *change, const struct uuid *uuid, json_t *finished) {
        set_status(change, uuid, "failure");
        set(change, uuid, "finished", finished);
        set(change, uuid, "error_info", json_pack("[s,s]", "INTERNAL_ERROR", "the host was restarted"));
}

static void fail_what_was_pending(struct objects_change *change, void *user) {
        struct tasks *tasks = user;
        AUTO(decref) json_t *all = objects_all(tasks->objects, XAPI_TASK);
        const char *ref;
        json_t *record;
        struct uuid uuid;

        json_object_foreach(all, ref, record) {
                if (is_under_way(record) && xapi_ref_parse(ref, &uuid))
                        fail_one(change, &uuid, now(tasks));
        }
}

struct tasks *tasks_new(struct io *io, struct objects *objects) {
        struct tasks *tasks = mem_new(struct tasks);

        tasks->io = io;
        tasks->objects = objects;
        pthread_mutex_init(&tasks->lock, NULL);
        change_objects(tasks, fail_what_was_pending, tasks);
        return tasks;
}

void tasks_free(struct tasks *tasks) {
        assert(tasks->running.n == 0);
        map_fini(&tasks->running);
        pthread_mutex_destroy(&tasks->lock);
        free(tasks);
}

/* ---- making ---- */

struct create {
        struct tasks *tasks;                /* borrowed */
        const struct task_options *options; /* borrowed */
        struct uuid uuid;
};

static void create(struct objects_change *change, void *user) {
        struct create *c = user;

        objects_put(change, XAPI_TASK, &c->uuid, new_record(c->tasks, c->options, &c->uuid));
        if (!uuid_is_null(&c->options->subtask_of))
                change_subtasks(change, &c->options->subtask_of, &c->uuid, true);
}

enum err tasks_create(struct tasks *tasks, const struct task_options *options, struct uuid *ret,
                      struct err_note *note) {
        struct create c = {.tasks = tasks, .options = options};
        uint8_t random[16];

        (void)note;
        io_random(tasks->io, random, sizeof random);
        c.uuid = uuid_from_random(random);
        change_objects(tasks, create, &c);
        *ret = c.uuid;
        return ERR_NONE;
}

/* ---- progress ---- */

static double share_done(const struct progress *progress) {
        if (!progress->total)
                return 0;
        return progress->done >= progress->total ? 1 : (double)progress->done / (double)progress->total;
}

static void publish_progress(struct task *task) {
        struct objects_change *change;
        struct err_note unused;

        if (!objects_try_begin(task->tasks->objects, &change))
                return;
        objects_change_is_volatile(change);
        set(change, &task->uuid, "progress", json_real(share_done(&task->progress)));
        (void)!objects_commit(change, NULL, &unused);
}

static void show(void *user, const struct progress *progress) {
        struct task *task = user;
        struct task_look look = {
                .doing = progress->doing,
                .done = progress->done,
                .total = progress->total,
                .rate = progress_rate(progress),
                .left_ns = progress_left_ns(progress),
        };

        pthread_mutex_lock(&task->tasks->lock);
        task->look = look;
        pthread_mutex_unlock(&task->tasks->lock);
        publish_progress(task);
}

bool tasks_look(struct tasks *tasks, const struct uuid *uuid, struct task_look *ret) {
        struct task *task;

        pthread_mutex_lock(&tasks->lock);
        task = map_get(&tasks->running, map_key_uuid(uuid));
        if (task)
                *ret = task->look;
        pthread_mutex_unlock(&tasks->lock);
        return task != NULL;
}

/* ---- working on one ---- */

static struct task *new_task(struct tasks *tasks, const struct uuid *uuid) {
        struct task *task = mem_new(struct task);

        task->tasks = tasks;
        task->uuid = *uuid;
        task->n_refs = 1;
        task->look = (struct task_look){.doing = "", .left_ns = UINT64_MAX};
        task->progress = (struct progress){
                .io = tasks->io, .show = show, .user = task, .is_cancelled = &task->is_cancelled};
        return task;
}

/* False: somebody works on it. */
static bool add_running(struct tasks *tasks, struct task *task) {
        bool is_free;

        pthread_mutex_lock(&tasks->lock);
        is_free = !map_get(&tasks->running, map_key_uuid(&task->uuid));
        if (is_free)
                map_put(&tasks->running, map_key_uuid(&task->uuid), task);
        pthread_mutex_unlock(&tasks->lock);
        return is_free;
}

static void remove_running(struct tasks *tasks, struct task *task) {
        pthread_mutex_lock(&tasks->lock);
        if (map_get(&tasks->running, map_key_uuid(&task->uuid)) == task)
                (void)map_remove(&tasks->running, map_key_uuid(&task->uuid));
        pthread_mutex_unlock(&tasks->lock);
}

static enum err check_pending(struct tasks *tasks, const struct uuid *uuid, struct err_note *note) {
        AUTO(decref) json_t *record = objects_get(tasks->objects, XAPI_TASK, uuid);

        if (!record)
                return err_set(note, ERR_NOT_FOUND, "there is no task %s", uuid_format(uuid).s);
        if (!is_status(record, "pending"))
                return err_set(note, ERR_BUSY, "task %s has ended", uuid_format(uuid).s);
        return ERR_NONE;
}

enum err tasks_join(struct tasks *tasks, const struct uuid *uuid, struct task **ret, struct err_note *note) {
        struct task *task = new_task(tasks, uuid);

        if (!add_running(tasks, task)) {
                free(task);
                return err_set(note, ERR_BUSY, "somebody works on task %s already", uuid_format(uuid).s);
        }
        /* Looked at last: from here on whoever cancels it finds it running. */
        if (check_pending(tasks, uuid, note)) {
                task->has_ended = true;
                task_unref(task);
                return note->code;
        }
        *ret = task;
        return ERR_NONE;
}

enum err tasks_begin(struct tasks *tasks, const struct task_options *options, struct task **ret,
                     struct err_note *note) {
        struct uuid uuid;

        if (tasks_create(tasks, options, &uuid, note))
                return note->code;
        return tasks_join(tasks, &uuid, ret, note);
}

const struct uuid *task_uuid(const struct task *task) {
        return &task->uuid;
}

struct progress *task_progress(struct task *task) {
        return &task->progress;
}

bool task_is_cancelled(const struct task *task) {
        return atomic_load(&task->is_cancelled);
}

void task_ref(struct task *task) {
        pthread_mutex_lock(&task->tasks->lock);
        task->n_refs++;
        pthread_mutex_unlock(&task->tasks->lock);
}

void task_unref(struct task *task) {
        unsigned n;

        pthread_mutex_lock(&task->tasks->lock);
        n = --task->n_refs;
        pthread_mutex_unlock(&task->tasks->lock);
        if (n)
                return;
        /* Nobody but tasks_cancel can find it now, which takes a reference only of one that has some. */
        if (!task->has_ended)
                task_fail(task, json_pack("[s,s]", "INTERNAL_ERROR", "the work ended without a result"));
        remove_running(task->tasks, task);
        free(task);
}

/* ---- the end ---- */

struct end {
        struct task *task;  /* borrowed */
        const char *status; /* borrowed */
        const char *result; /* borrowed */
        json_t *error;      /* borrowed; NULL: none */
        bool is_whole;      /* all of it was done */
};

static void end(struct objects_change *change, void *user) {
        const struct end *e = user;
        const struct uuid *uuid = &e->task->uuid;
        AUTO(decref) json_t *record = objects_change_get(change, XAPI_TASK, uuid);

        /* It was destroyed meanwhile, or a client said itself how it ended. */
        if (!record || !is_under_way(record))
                return;
        set_status(change, uuid, e->status);
        set(change, uuid, "finished", now(e->task->tasks));
        set(change, uuid, "result", json_string(e->result));
        set(change, uuid, "error_info", e->error ? json_incref(e->error) : json_array());
        if (e->is_whole)
                set(change, uuid, "progress", json_real(1));
}

static void end_task(struct task *task, const struct end *e) {
        if (task->has_ended)
                return;
        task->has_ended = true;
        change_objects(task->tasks, end, (void *)(uintptr_t)e);
        remove_running(task->tasks, task);
}

void task_succeed(struct task *task, const char *result) {
        end_task(task, &(struct end){.task = task, .status = "success", .result = result, .is_whole = true});
}

void task_fail(struct task *task, json_t *error) {
        end_task(task, &(struct end){.task = task, .status = "failure", .result = "", .error = error});
        json_decref(error);
}

void task_end_cancelled(struct task *task) {
        end_task(task, &(struct end){.task = task, .status = "cancelled", .result = ""});
}

/* ---- cancelling ---- */

/* A reference to one that somebody works on, told to stop; NULL: nobody does. */
static struct task *stop_running(struct tasks *tasks, const struct uuid *uuid) {
        struct task *task;

        pthread_mutex_lock(&tasks->lock);
        task = map_get(&tasks->running, map_key_uuid(uuid));
        if (task && task->n_refs) {
                task->n_refs++;
                atomic_store(&task->is_cancelled, true);
        } else {
                task = NULL;
        }
        pthread_mutex_unlock(&tasks->lock);
        return task;
}

struct cancel {
        struct tasks *tasks;     /* borrowed */
        const struct uuid *uuid; /* borrowed */
        bool is_running;
        bool was_there, had_ended;
};

static void cancel(struct objects_change *change, void *user) {
        struct cancel *c = user;
        AUTO(decref) json_t *record = objects_change_get(change, XAPI_TASK, c->uuid);

        c->was_there = record != NULL;
        c->had_ended = record && !is_under_way(record);
        if (!record || c->had_ended)
                return;
        set_status(change, c->uuid, c->is_running ? "cancelling" : "cancelled");
        if (!c->is_running)
                set(change, c->uuid, "finished", now(c->tasks));
}

enum err tasks_cancel(struct tasks *tasks, const struct uuid *uuid, struct err_note *note) {
        AUTO(task_unref) struct task *task = stop_running(tasks, uuid);
        struct cancel c = {.tasks = tasks, .uuid = uuid, .is_running = task != NULL};

        change_objects(tasks, cancel, &c);
        if (!c.was_there)
                return err_set(note, ERR_NOT_FOUND, "there is no task %s", uuid_format(uuid).s);
        if (c.had_ended)
                return err_set(note, ERR_BUSY, "task %s has ended", uuid_format(uuid).s);
        return ERR_NONE;
}

struct uuids {
        VEC(struct uuid) list; /* owned */
};

void tasks_cancel_all(struct tasks *tasks) {
        struct uuids uuids = {0};
        struct err_note unused;
        struct task *task;
        size_t place = 0;

        pthread_mutex_lock(&tasks->lock);
        while ((task = map_next(&tasks->running, &place)))
                *vec_add(&uuids.list) = task->uuid;
        pthread_mutex_unlock(&tasks->lock);
        VEC_EACH (&uuids.list, each) {
                (void)!tasks_cancel(tasks, each, &unused);
        }
        vec_fini(&uuids.list);
}

/* ---- going ---- */

static bool drop(struct objects_change *change, const struct uuid *uuid) {
        AUTO(decref) json_t *record = objects_change_get(change, XAPI_TASK, uuid);
        struct uuid parent;

        if (!record)
                return false;
        if (xapi_ref_parse(json_string_value(json_object_get(record, "subtask_of")), &parent))
                change_subtasks(change, &parent, uuid, false);
        return objects_remove(change, XAPI_TASK, uuid);
}

enum err tasks_destroy(struct tasks *tasks, const struct uuid *uuid, struct err_note *note) {
        AUTO(task_unref) struct task *task = stop_running(tasks, uuid);
        struct objects_change *change;

        objects_begin(tasks->objects, &change);
        if (!drop(change, uuid)) {
                objects_abort(change);
                return err_set(note, ERR_NOT_FOUND, "there is no task %s", uuid_format(uuid).s);
        }
        return objects_commit(change, NULL, note);
}

/* When it ended, or began where nobody works on it; the end of time where somebody does. */
static int64_t last_heard_of(struct tasks *tasks, const struct uuid *uuid, const json_t *record) {
        int64_t created = 0, finished = 0;
        struct task_look unused;

        if (tasks_look(tasks, uuid, &unused))
                return INT64_MAX;
        (void)xapi_time_parse(json_string_value(json_object_get(record, "created")), &created);
        (void)xapi_time_parse(json_string_value(json_object_get(record, "finished")), &finished);
        return finished > created ? finished : created;
}

static void drop_old(struct objects_change *change, void *user) {
        struct tasks *tasks = user;
        AUTO(decref) json_t *all = objects_all(tasks->objects, XAPI_TASK);
        int64_t since = io_wall_ns(tasks->io) / 1000000000 - KEEP_SECONDS;
        struct uuid uuid;
        json_t *record;
        const char *ref;

        json_object_foreach(all, ref, record) {
                if (xapi_ref_parse(ref, &uuid) && last_heard_of(tasks, &uuid, record) < since)
                        (void)drop(change, &uuid);
        }
}

void tasks_tick(struct tasks *tasks) {
        struct objects_change *change;
        struct err_note unused;

        objects_begin(tasks->objects, &change);
        drop_old(change, tasks);
        (void)!objects_commit(change, NULL, &unused); /* the next tick tries again */
}
