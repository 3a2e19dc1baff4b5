// SPDX-License-Identifier: Apache-2.0
#include "xapi_gc.h"

#include <pthread.h>
#include <string.h>

#include "mem.h"
#include "pool.h"
#include "xapi_message.h"

enum state { IDLE, ASKED, WORKS, WORKS_AND_ASKED };

struct round {
        struct xapi_gc *gc;       /* borrowed, outlives us */
        const struct host_sr *sr; /* borrowed, of the host */
        enum state state;         /* guarded by the mutex */
};

struct xapi_gc {
        struct host *host;    /* borrowed, outlives us */
        struct pool *workers; /* borrowed */
        pthread_mutex_t mutex;
        struct round *rounds; /* owned; one for each SR */
};

struct xapi_gc *xapi_gc_new(struct host *host, struct pool *workers) {
        struct xapi_gc *gc = mem_new(struct xapi_gc);

        gc->host = host;
        gc->workers = workers;
        gc->rounds = mem_zero((host->n_srs + 1) * sizeof *gc->rounds);
        for (size_t i = 0; i < host->n_srs; i++)
                gc->rounds[i] = (struct round){.gc = gc, .sr = &host->srs[i]};
        pthread_mutex_init(&gc->mutex, NULL);
        return gc;
}

void xapi_gc_free(struct xapi_gc *gc) {
        pthread_mutex_destroy(&gc->mutex);
        free(gc->rounds);
        free(gc);
}

static json_t *params_of(const struct host_sr *sr) {
        return json_pack("{s:o}", "sr", json_of_text(sr_where(sr->sr)));
}

static bool is_no(const json_t *config, const char *key) {
        const char *value = json_string_value(json_object_get(config, key));

        return value && strcmp(value, "false") == 0;
}

static bool is_wanted(struct host *host, const struct host_sr *sr) {
        AUTO(json_decref) json_t *config = objects_field(host->objects, XAPI_SR, &sr->uuid, "other_config");

        return !is_no(config, "gc") && !is_no(config, "coalesce");
}

static bool has_work(struct host *host, const struct host_sr *sr) {
        AUTO(json_decref) json_t *status = NULL;
        struct err_note unused;

        if (host_call(host, "gc", "status", params_of(sr), NULL, &status, &unused))
                return false;
        return json_array_size(json_object_get(status, "coalesces")) ||
               json_array_size(json_object_get(status, "garbage"));
}

static void end(struct task *task, enum err failed, const struct err_note *note) {
        if (failed == ERR_CANCELLED)
                task_end_cancelled(task);
        else if (failed)
                task_fail(task, json_pack("[s, s, s, s]", "SR_BACKEND_FAILURE_1", "", note->text, ""));
        else
                task_succeed(task, "");
}

static void say_failed(struct host *host, const struct host_sr *sr, const struct err_note *note) {
        AUTO(json_decref) json_t *priority = json_integer(3);
        const struct uuid_text uuid = uuid_format(&sr->uuid);
        const struct xapi_note of = {.name = "COALESCE_FAILED",
                                     .priority = priority,
                                     .cls = "SR",
                                     .obj_uuid = uuid.s,
                                     .body = note->text};

        xapi_message_leave(host, &of);
}

/* A run goes on with the rest where one coalesce fails; here that is a failure. */
enum err xapi_gc_failure(const json_t *result, struct err_note *note) {
        const json_t *each;
        size_t i;

        json_array_foreach(json_object_get(result, "reasons"), i, each) {
                const char *state = json_string_value(json_object_get(each, "state"));

                if (state && strcmp(state, "failed") == 0)
                        return err_set(note, ERR_IO, "%s: %s",
                                       json_string_value(json_object_get(each, "name")),
                                       json_string_value(json_object_get(each, "reason")));
        }
        return ERR_NONE;
}

static void collect(struct host *host, const struct host_sr *sr) {
        AUTO(json_decref) json_t *name = objects_field(host->objects, XAPI_SR, &sr->uuid, "name_label");
        AUTO_FREE char *label = mem_format("Garbage collection for SR %s", json_string_value(name));
        AUTO(task_unref) struct task *task = NULL;
        AUTO(json_decref) json_t *result = NULL;
        struct task_options options = {.label = label};
        struct err_note note = {0};
        enum err failed;

        if (tasks_begin(host->tasks, &options, &task, &note))
                return;
        failed = host_call(host, "gc", "run", params_of(sr), task_progress(task), &result, &note);
        if (!failed)
                failed = xapi_gc_failure(result, &note);
        if (failed && failed != ERR_CANCELLED)
                say_failed(host, sr, &note);
        end(task, failed, &note);
}

/* Whether there is a reason to look (again). */
static bool take_turn(struct round *round) {
        bool is_asked;

        pthread_mutex_lock(&round->gc->mutex);
        is_asked = round->state == ASKED || round->state == WORKS_AND_ASKED;
        round->state = is_asked ? WORKS : IDLE;
        pthread_mutex_unlock(&round->gc->mutex);
        return is_asked;
}

/* Whoever asks while we are at it is served by the look after. */
static void run(void *user) {
        struct round *round = user;
        struct host *host = round->gc->host;

        while (take_turn(round))
                if (is_wanted(host, round->sr) && has_work(host, round->sr))
                        collect(host, round->sr);
}

static void set_state(struct round *round, enum state state) {
        pthread_mutex_lock(&round->gc->mutex);
        round->state = state;
        pthread_mutex_unlock(&round->gc->mutex);
}

void xapi_gc_kick(struct xapi_gc *gc, const struct host_sr *sr) {
        struct round *round = &gc->rounds[sr - gc->host->srs];
        bool is_idle;

        pthread_mutex_lock(&gc->mutex);
        is_idle = round->state == IDLE;
        round->state = is_idle || round->state == ASKED ? ASKED : WORKS_AND_ASKED;
        pthread_mutex_unlock(&gc->mutex);
        if (is_idle && !pool_call(gc->workers, run, round))
                set_state(round, IDLE);
}
