// SPDX-License-Identifier: Apache-2.0
/* Anything long that a user waits for: an object of class task, with progress in bytes, rate and time left,
 * and a way to stop it.
 *
 *      tasks_begin(tasks, &options, &task, note)       or tasks_join: one that a client made by task.create
 *      … call.progress = task_progress(task) …         a verb's progress is the task's; so is its cancelling
 *      task_succeed(task, "<value>OpaqueRef:…</value>")   or task_fail, task_end_cancelled
 *      task_unref(task)                                one that was not ended has failed
 *
 *      pending ──> success | failure | cancelled     an ended one stays until it is destroyed, or for a day
 *         └──cancel──> cancelling ──> …              one that nobody works on is cancelled at once
 *
 * Ended tasks survive a restart; those that were pending have failed then, and say so.  Where the store
 * cannot be written, a disk that is full say, tasks go on in memory alone: their work must not stop for it.
 * Progress is published at most ten times a second, a step fewer where somebody else is changing objects.
 *
 * Errors: ERR_NOT_FOUND; ERR_BUSY where a task has ended or somebody works on it already.
 * Threads: any; one task's progress by one at a time.
 * Ownership: io and objects are borrowed and outlive the tasks.
 */
#ifndef SERVICE_TASKS_H
#define SERVICE_TASKS_H

#include "objects.h"
#include "progress.h"

struct tasks;
struct task;

struct tasks *tasks_new(struct io *, struct objects *);
void tasks_free(struct tasks *); /* no task is referenced any more */
DEFINE_AUTO(struct tasks *, tasks_free);

struct task_options {
        const char *label;       /* borrowed */
        const char *description; /* borrowed; NULL: "" */
        struct uuid subtask_of;  /* null: of none */
        struct uuid session;     /* null: of none; for the fields' sake alone */
};
MUST_USE enum err tasks_begin(struct tasks *, const struct task_options *, struct task **ret,
                              struct err_note *);
/* Work on a pending task that somebody made before. */
MUST_USE enum err tasks_join(struct tasks *, const struct uuid *, struct task **ret, struct err_note *);
MUST_USE enum err tasks_create(struct tasks *, const struct task_options *, struct uuid *ret,
                               struct err_note *);
MUST_USE enum err tasks_cancel(struct tasks *, const struct uuid *, struct err_note *);
MUST_USE enum err tasks_destroy(struct tasks *, const struct uuid *,
                                struct err_note *); /* pending: cancelled first */
void tasks_cancel_all(struct tasks *);              /* when the daemon stops */
void tasks_tick(struct tasks *);                    /* each minute or so: what ended long ago goes */

/* What the record does not say, of a task that somebody works on. */
struct task_look {
        const char *doing;    /* borrowed, static: "import"; "" before it began */
        uint64_t done, total; /* bytes; total 0: not known */
        uint64_t rate;        /* bytes a second; 0: too early to say */
        uint64_t left_ns;     /* UINT64_MAX: cannot be told */
};
/* False: nobody works on it. */
bool tasks_look(struct tasks *, const struct uuid *, struct task_look *ret);

const struct uuid *task_uuid(const struct task *);
/* borrowed from the task; progress_begin, progress_step and so on publish it */
struct progress *task_progress(struct task *);
bool task_is_cancelled(const struct task *);

void task_succeed(struct task *, const char *result); /* "" or an XML-RPC value */
/* takes error: an array of text, a code first. */
void task_fail(struct task *, json_t *error);
void task_end_cancelled(struct task *);
void task_ref(struct task *);
void task_unref(struct task *);
DEFINE_AUTO(struct task *, task_unref);

#endif
