// SPDX-License-Identifier: Apache-2.0
/* Everybody at once: writers, readers, followers of what is new, watches that come and go, tasks that are
 * cancelled while they work, and sessions that begin and end.  The thread sanitizer looks on.
 */
#include "objects_kit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "auth.h"
#include "private_file.h"
#include "tasks.h"
#include "thread.h"

enum { WRITERS = 3, ROUNDS = 150, OBJECTS = 8 };

struct crowd {
        struct kit kit;
        struct tasks *tasks; /* owned */
        struct auth *auth;   /* owned */
        char password[32];
        atomic_uint n_writing;
        atomic_uint n_calls;
        atomic_uint n_wrong; /* what did not hold: cmocka's assertions are for its own thread */
};

static void must(struct crowd *crowd, bool holds) {
        if (!holds)
                atomic_fetch_add(&crowd->n_wrong, 1);
}

/* ---- those who change ---- */

static void write_once(struct crowd *crowd, unsigned i) {
        struct uuid uuid = kit_uuid(i % OBJECTS), pair = kit_uuid(OBJECTS + i % OBJECTS);
        struct objects_change *change;
        struct err_note note = {0};

        objects_begin(crowd->kit.objects, &change);
        if (i % 3 == 0)
                objects_change_is_volatile(change);
        if (i % 7 == 6) {
                (void)objects_remove(change, XAPI_VDI, &uuid);
                (void)objects_remove(change, XAPI_VDI, &pair);
        } else {
                char label[16];

                snprintf(label, sizeof label, "%u", i);
                if (!objects_set(change, XAPI_VDI, &uuid, "name_label", json_string(label)))
                        objects_put(change, XAPI_VDI, &uuid, json_pack("{s:s}", "name_label", label));
                if (!objects_set(change, XAPI_VDI, &pair, "name_label", json_string(label)))
                        objects_put(change, XAPI_VDI, &pair, json_pack("{s:s}", "name_label", label));
        }
        if (i % 11 == 10)
                objects_abort(change);
        else
                must(crowd, !objects_commit(change, NULL, &note));
}

static void *write_many(void *user) {
        struct crowd *crowd = user;

        for (unsigned i = 0; i < ROUNDS; i++)
                write_once(crowd, i);
        atomic_fetch_sub(&crowd->n_writing, 1);
        return NULL;
}

/* ---- those who read ---- */

static const char *label_of(const json_t *all, unsigned i) {
        struct uuid uuid = kit_uuid(i);
        const json_t *record = json_object_get(all, xapi_ref_of(&uuid).s);

        return record ? json_string_value(json_object_get(record, "name_label")) : "";
}

static void read_one(struct crowd *crowd, unsigned i) {
        struct uuid uuid = kit_uuid(i);
        json_t *record = objects_get(crowd->kit.objects, XAPI_VDI, &uuid);

        must(crowd, !record || json_object_get(record, "uuid"));
        json_decref(record);
}

/* Each change sets or removes a pair, so nobody ever sees one half of it. */
static void *read_many(void *user) {
        struct crowd *crowd = user;

        while (atomic_load(&crowd->n_writing)) {
                json_t *all = objects_all(crowd->kit.objects, XAPI_VDI);

                for (unsigned i = 0; i < OBJECTS; i++)
                        must(crowd, strcmp(label_of(all, i), label_of(all, OBJECTS + i)) == 0);
                json_decref(all);
                for (unsigned i = 0; i < OBJECTS; i++)
                        read_one(crowd, i);
        }
        return NULL;
}

static void follow_one(void *user, const struct objects_event *event) {
        json_t *copy = user;

        if (event->class != XAPI_VDI)
                return;
        if (event->operation == OBJECT_DEL)
                (void)json_object_del(copy, xapi_ref_of(&event->uuid).s);
        else
                (void)json_object_set(copy, xapi_ref_of(&event->uuid).s, event->record);
}

/* Whoever applies what is new has in the end what there is. */
static void *follow(void *user) {
        struct crowd *crowd = user;
        json_t *copy = json_object(), *all;
        struct err_note note = {0};
        uint64_t seen = 0;
        bool is_last;

        do {
                is_last = !atomic_load(&crowd->n_writing);
                must(crowd, !objects_since(crowd->kit.objects, seen, follow_one, copy, &seen, &note));
        } while (!is_last);
        all = objects_all(crowd->kit.objects, XAPI_VDI);
        must(crowd, json_equal(copy, all));
        json_decref(all);
        json_decref(copy);
        return NULL;
}

static void count_call(void *user) {
        atomic_fetch_add(&((struct crowd *)user)->n_calls, 1);
}

static void *watch_many(void *user) {
        struct crowd *crowd = user;

        while (atomic_load(&crowd->n_writing)) {
                struct objects_watch *watch = objects_watch(crowd->kit.objects, count_call, crowd);

                (void)objects_generation(crowd->kit.objects);
                objects_unwatch(crowd->kit.objects, watch);
        }
        return NULL;
}

/* ---- tasks and sessions ---- */

struct job {
        struct crowd *crowd; /* borrowed */
        struct uuid uuid;
};

static void *cancel_it(void *user) {
        struct job *job = user;
        struct task_look unused;
        struct err_note note;

        (void)tasks_look(job->crowd->tasks, &job->uuid, &unused);
        (void)!tasks_cancel(job->crowd->tasks, &job->uuid, &note);
        return NULL;
}

static void work_once(struct crowd *crowd) {
        struct job job = {.crowd = crowd};
        struct err_note note = {0};
        struct task *task;
        pthread_t canceller;
        bool has_one;

        must(crowd, !tasks_begin(crowd->tasks, &(struct task_options){.label = "x"}, &task, &note));
        job.uuid = *task_uuid(task);
        has_one = !thread_start(&canceller, cancel_it, &job);
        progress_begin(task_progress(task), "work", 100);
        for (uint64_t i = 1; i <= 100; i++) {
                task_progress(task)->shown_ns = 0; /* each step is published */
                if (progress_step(task_progress(task), i, &note))
                        break;
        }
        if (task_is_cancelled(task))
                task_end_cancelled(task);
        else
                task_succeed(task, "");
        task_unref(task);
        if (has_one)
                pthread_join(canceller, NULL);
        must(crowd, !tasks_destroy(crowd->tasks, &job.uuid, &note));
}

static void *work_many(void *user) {
        struct crowd *crowd = user;

        for (unsigned i = 0; i < ROUNDS / 10; i++)
                work_once(crowd);
        return NULL;
}

static void *log_in_many(void *user) {
        struct crowd *crowd = user;

        for (unsigned i = 0; i < ROUNDS; i++) {
                struct auth_session session;
                struct err_note note = {0};
                struct auth_who who;

                must(crowd, !auth_login(crowd->auth, "root", crowd->password, "x", &session, &note));
                must(crowd, !auth_check(crowd->auth, session.ref, &who, &note));
                auth_touch(crowd->auth, &who.session);
                auth_tick(crowd->auth);
                auth_logout(crowd->auth, session.ref);
                must(crowd, auth_check(crowd->auth, session.ref, &who, &note) == ERR_DENIED);
        }
        return NULL;
}

static void *change_tokens(void *user) {
        struct crowd *crowd = user;

        for (unsigned i = 0; i < ROUNDS / 10; i++) {
                struct err_note note = {0};
                AUTO_FREE char *token = NULL;
                struct auth_who who;

                must(crowd, !auth_token_create(crowd->auth, "t", ROLE_OPERATOR, 0, &token, &note));
                must(crowd, !auth_check(crowd->auth, token, &who, &note));
                must(crowd, !auth_token_revoke(crowd->auth, "t", &note));
        }
        return NULL;
}

/* ---- all of them ---- */

static void open_crowd(struct crowd *crowd) {
        AUTO(buf_fini) struct buf text = {0};
        struct err_note note = {0};

        crowd->kit = kit_open();
        crowd->tasks = tasks_new(crowd->kit.io, crowd->kit.objects);
        assert_ok(io_make_dir(crowd->kit.io, "/state", &note));
        assert_ok(auth_open(crowd->kit.io, "/state", crowd->kit.objects, &crowd->auth, &note));
        assert_ok(private_file_read(crowd->kit.io, "/state/admin-password", &text, &note));
        snprintf(crowd->password, sizeof crowd->password, "%.*s", 24, (const char *)text.data);
}

static void everybody_at_once(void **state) {
        static void *(*const roles[])(void *) = {write_many, write_many,  write_many,  read_many,
                                                 read_many,  follow,      watch_many,  work_many,
                                                 work_many,  log_in_many, log_in_many, change_tokens};
        enum { N = sizeof roles / sizeof *roles };
        struct crowd crowd = {.n_writing = WRITERS};
        pthread_t threads[N];

        (void)state;
        open_crowd(&crowd);
        for (unsigned i = 0; i < N; i++)
                assert_int_equal(thread_start(&threads[i], roles[i], &crowd), 0);
        for (unsigned i = 0; i < N; i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(crowd.n_wrong, 0);
        assert_int_equal(objects_count(crowd.kit.objects, XAPI_SESSION), 0);
        assert_int_equal(objects_count(crowd.kit.objects, XAPI_TASK), 0);
        auth_close(crowd.auth);
        tasks_free(crowd.tasks);
        kit_close(&crowd.kit);
}

/* ---- a watch that is given up while it is called ---- */

struct visit {
        struct kit kit;
        struct objects_watch *watch; /* owned */
        atomic_bool is_inside, may_leave, is_asking, is_unwatched;
};

static void stay(void *user) {
        struct visit *visit = user;

        atomic_store(&visit->is_inside, true);
        while (!atomic_load(&visit->may_leave))
                sched_yield();
}

static void *commit_one(void *user) {
        struct visit *visit = user;

        kit_put(&visit->kit, XAPI_VDI, 1, "one");
        return NULL;
}

static void *unwatch(void *user) {
        struct visit *visit = user;

        atomic_store(&visit->is_asking, true);
        objects_unwatch(visit->kit.objects, visit->watch);
        atomic_store(&visit->is_unwatched, true);
        return NULL;
}

static void wait_for(atomic_bool *flag) {
        while (!atomic_load(flag))
                sched_yield();
}

static void a_watch_is_not_gone_while_it_is_called(void **state) {
        struct visit visit = {.kit = kit_open()};
        pthread_t committer, asker;

        (void)state;
        visit.watch = objects_watch(visit.kit.objects, stay, &visit);
        assert_int_equal(thread_start(&committer, commit_one, &visit), 0);
        wait_for(&visit.is_inside);
        assert_int_equal(thread_start(&asker, unwatch, &visit), 0);
        wait_for(&visit.is_asking);
        for (unsigned i = 0; i < 2000; i++)
                sched_yield();
        assert_false(atomic_load(&visit.is_unwatched));
        atomic_store(&visit.may_leave, true);
        pthread_join(committer, NULL);
        pthread_join(asker, NULL);
        kit_put(&visit.kit, XAPI_VDI, 1, "uno");
        kit_close(&visit.kit);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(everybody_at_once),
                cmocka_unit_test(a_watch_is_not_gone_while_it_is_called),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
