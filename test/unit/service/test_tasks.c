// SPDX-License-Identifier: Apache-2.0
#include "objects_kit.h"

#include "tasks.h"

#define SECOND 1000000000ull
#define DAY    (24 * 3600 * SECOND)

struct fixture {
        struct kit kit;
        struct tasks *tasks; /* owned */
};

static struct fixture begin_fixture(void) {
        struct fixture f = {.kit = kit_open()};

        io_sim_set_wall(f.kit.io, 1742357784ll * 1000000000);
        f.tasks = tasks_new(f.kit.io, f.kit.objects);
        return f;
}

static void restart(struct fixture *f) {
        tasks_free(f->tasks);
        kit_restart(&f->kit);
        f->tasks = tasks_new(f->kit.io, f->kit.objects);
}

static void end_fixture(struct fixture *f) {
        tasks_free(f->tasks);
        kit_close(&f->kit);
}

static struct task *begin_task(struct fixture *f, const char *label) {
        struct err_note note = {0};
        struct task *task;

        assert_ok(tasks_begin(f->tasks, &(struct task_options){.label = label}, &task, &note));
        return task;
}

/* A field as JSON text; good until the next call. */
static const char *look(struct fixture *f, const struct uuid *uuid, const char *field) {
        static char text[256];
        json_t *value = objects_field(f->kit.objects, XAPI_TASK, uuid, field);
        char *dumped = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

        snprintf(text, sizeof text, "%s", dumped ? dumped : "gone");
        free(dumped);
        json_decref(value);
        return text;
}

static void a_task_that_succeeds_says_so_with_its_result(void **state) {
        struct fixture f = begin_fixture();
        struct task *task = begin_task(&f, "VDI.copy");
        struct uuid uuid = *task_uuid(task);

        (void)state;
        assert_string_equal(look(&f, &uuid, "status"), "\"pending\"");
        assert_string_equal(look(&f, &uuid, "name_label"), "\"VDI.copy\"");
        assert_string_equal(look(&f, &uuid, "created"), "\"20250319T04:16:24Z\"");
        assert_string_equal(look(&f, &uuid, "allowed_operations"), "[\"cancel\",\"destroy\"]");
        io_sim_advance(f.kit.io, 7 * SECOND);
        task_succeed(task, "<value>x</value>");
        assert_string_equal(look(&f, &uuid, "status"), "\"success\"");
        assert_string_equal(look(&f, &uuid, "result"), "\"<value>x</value>\"");
        assert_string_equal(look(&f, &uuid, "progress"), "1.0");
        assert_string_equal(look(&f, &uuid, "finished"), "\"20250319T04:16:31Z\"");
        assert_string_equal(look(&f, &uuid, "allowed_operations"), "[\"destroy\"]");
        task_unref(task);
        assert_string_equal(look(&f, &uuid, "status"), "\"success\"");
        end_fixture(&f);
}

static void a_task_that_fails_says_why(void **state) {
        struct fixture f = begin_fixture();
        struct task *task = begin_task(&f, "VDI.copy");
        struct uuid uuid = *task_uuid(task);

        (void)state;
        task_fail(task, json_pack("[s,s]", "SR_FULL", "it is full"));
        /* The first end is the one that counts. */
        task_succeed(task, "");
        task_unref(task);
        assert_string_equal(look(&f, &uuid, "status"), "\"failure\"");
        assert_string_equal(look(&f, &uuid, "error_info"), "[\"SR_FULL\",\"it is full\"]");
        end_fixture(&f);
}

static void a_task_that_nobody_ended_has_failed(void **state) {
        struct fixture f = begin_fixture();
        struct task *task = begin_task(&f, "VDI.copy");
        struct uuid uuid = *task_uuid(task);

        (void)state;
        task_ref(task);
        task_unref(task);
        assert_string_equal(look(&f, &uuid, "status"), "\"pending\"");
        task_unref(task);
        assert_string_equal(look(&f, &uuid, "status"), "\"failure\"");
        assert_string_equal(look(&f, &uuid, "error_info"),
                            "[\"INTERNAL_ERROR\",\"the work ended without a result\"]");
        end_fixture(&f);
}

static void progress_is_published_ten_times_a_second_at_most(void **state) {
        struct fixture f = begin_fixture();
        struct task *task = begin_task(&f, "VDI.copy");
        struct progress *progress = task_progress(task);
        struct err_note note = {0};
        uint64_t start = objects_generation(f.kit.objects), calls = store_sim_calls(kit_sim);
        struct task_look seen;

        (void)state;
        assert_true(tasks_look(f.tasks, task_uuid(task), &seen));
        assert_string_equal(seen.doing, "");
        progress_begin(progress, "copy", 1000);
        for (uint64_t i = 1; i <= 500; i++) {
                io_sim_advance(f.kit.io, SECOND / 100);
                assert_ok(progress_step(progress, i, &note));
        }
        assert_in_range(objects_generation(f.kit.objects) - start, 40, 50);
        assert_int_equal(store_sim_calls(kit_sim), calls);
        assert_string_equal(look(&f, task_uuid(task), "progress"), "0.5");
        assert_true(tasks_look(f.tasks, task_uuid(task), &seen));
        assert_string_equal(seen.doing, "copy");
        assert_int_equal(seen.done, 500);
        assert_int_equal(seen.total, 1000);
        assert_in_range(seen.rate, 95, 105);
        assert_in_range(seen.left_ns, 4 * SECOND, 6 * SECOND);
        task_succeed(task, "");
        assert_false(tasks_look(f.tasks, task_uuid(task), &seen));
        task_unref(task);
        end_fixture(&f);
}

static void progress_of_unknown_length_stays_at_nothing(void **state) {
        struct fixture f = begin_fixture();
        struct task *task = begin_task(&f, "VDI.copy");
        struct err_note note = {0};

        (void)state;
        progress_begin(task_progress(task), "copy", 0);
        io_sim_advance(f.kit.io, SECOND);
        assert_ok(progress_step(task_progress(task), 77, &note));
        assert_string_equal(look(&f, task_uuid(task), "progress"), "0.0");
        task_succeed(task, "");
        task_unref(task);
        end_fixture(&f);
}

static void cancelling_reaches_whoever_works(void **state) {
        struct fixture f = begin_fixture();
        struct task *task = begin_task(&f, "VDI.copy");
        struct uuid uuid = *task_uuid(task);
        struct err_note note = {0};

        (void)state;
        progress_begin(task_progress(task), "copy", 10);
        assert_ok(progress_step(task_progress(task), 1, &note));
        assert_false(task_is_cancelled(task));
        assert_ok(tasks_cancel(f.tasks, &uuid, &note));
        assert_ok(tasks_cancel(f.tasks, &uuid, &note));
        assert_true(task_is_cancelled(task));
        assert_string_equal(look(&f, &uuid, "status"), "\"cancelling\"");
        assert_string_equal(look(&f, &uuid, "allowed_operations"), "[\"destroy\"]");
        assert_err(progress_step(task_progress(task), 2, &note), ERR_CANCELLED, "interrupted");
        task_end_cancelled(task);
        assert_string_equal(look(&f, &uuid, "status"), "\"cancelled\"");
        assert_err(tasks_cancel(f.tasks, &uuid, &note), ERR_BUSY, "has ended");
        task_unref(task);
        end_fixture(&f);
}

static void all_are_cancelled_when_the_end_comes(void **state) {
        struct fixture f = begin_fixture();
        struct task *one = begin_task(&f, "one"), *two = begin_task(&f, "two");

        (void)state;
        tasks_cancel_all(f.tasks);
        assert_true(task_is_cancelled(one));
        assert_true(task_is_cancelled(two));
        task_end_cancelled(one);
        task_end_cancelled(two);
        task_unref(one);
        task_unref(two);
        end_fixture(&f);
}

static void a_task_of_a_client_is_joined_once(void **state) {
        struct fixture f = begin_fixture();
        struct err_note note = {0};
        struct task *task, *second;
        struct uuid uuid, none = kit_uuid(77);

        (void)state;
        assert_ok(tasks_create(f.tasks, &(struct task_options){.label = "x", .description = "y"}, &uuid,
                               &note));
        assert_string_equal(look(&f, &uuid, "name_description"), "\"y\"");
        assert_err(tasks_join(f.tasks, &none, &task, &note), ERR_NOT_FOUND, "no task");
        assert_ok(tasks_join(f.tasks, &uuid, &task, &note));
        assert_err(tasks_join(f.tasks, &uuid, &second, &note), ERR_BUSY, "works on");
        task_succeed(task, "");
        assert_err(tasks_join(f.tasks, &uuid, &second, &note), ERR_BUSY, "has ended");
        task_unref(task);
        end_fixture(&f);
}

static void a_task_that_nobody_works_on_is_cancelled_at_once(void **state) {
        struct fixture f = begin_fixture();
        struct err_note note = {0};
        struct uuid uuid, none = kit_uuid(77);
        struct task *task;

        (void)state;
        assert_ok(tasks_create(f.tasks, &(struct task_options){.label = "x"}, &uuid, &note));
        assert_ok(tasks_cancel(f.tasks, &uuid, &note));
        assert_string_equal(look(&f, &uuid, "status"), "\"cancelled\"");
        assert_err(tasks_join(f.tasks, &uuid, &task, &note), ERR_BUSY, "has ended");
        assert_err(tasks_cancel(f.tasks, &none, &note), ERR_NOT_FOUND, "no task");
        end_fixture(&f);
}

static void one_that_is_destroyed_stops_and_does_not_come_back(void **state) {
        struct fixture f = begin_fixture();
        struct task *task = begin_task(&f, "x");
        struct uuid uuid = *task_uuid(task);
        struct err_note note = {0};

        (void)state;
        assert_ok(tasks_destroy(f.tasks, &uuid, &note));
        assert_true(task_is_cancelled(task));
        assert_string_equal(look(&f, &uuid, "status"), "gone");
        progress_begin(task_progress(task), "copy", 10);
        task_end_cancelled(task);
        task_unref(task);
        assert_string_equal(look(&f, &uuid, "status"), "gone");
        assert_err(tasks_destroy(f.tasks, &uuid, &note), ERR_NOT_FOUND, "no task");
        end_fixture(&f);
}

static void subtasks_are_named_by_their_parent_while_they_are_there(void **state) {
        struct fixture f = begin_fixture();
        struct task *parent = begin_task(&f, "parent");
        struct err_note note = {0};
        struct uuid child;
        char want[64];

        (void)state;
        assert_ok(tasks_create(f.tasks,
                               &(struct task_options){.label = "c", .subtask_of = *task_uuid(parent)}, &child,
                               &note));
        snprintf(want, sizeof want, "[\"%s\"]", xapi_ref_of(&child).s);
        assert_string_equal(look(&f, task_uuid(parent), "subtasks"), want);
        snprintf(want, sizeof want, "\"%s\"", xapi_ref_of(task_uuid(parent)).s);
        assert_string_equal(look(&f, &child, "subtask_of"), want);
        assert_ok(tasks_destroy(f.tasks, &child, &note));
        assert_string_equal(look(&f, task_uuid(parent), "subtasks"), "[]");
        task_succeed(parent, "");
        task_unref(parent);
        end_fixture(&f);
}

static void a_task_names_its_host_where_that_is_known(void **state) {
        struct fixture f = begin_fixture();
        struct uuid host = kit_uuid(5);
        struct task *task;
        char want[64];

        (void)state;
        kit_put(&f.kit, XAPI_HOST, 5, "host");
        task = begin_task(&f, "x");
        snprintf(want, sizeof want, "\"%s\"", xapi_ref_of(&host).s);
        assert_string_equal(look(&f, task_uuid(task), "resident_on"), want);
        task_succeed(task, "");
        task_unref(task);
        end_fixture(&f);
}

static void ended_tasks_survive_a_restart_and_pending_ones_have_failed(void **state) {
        struct fixture f = begin_fixture();
        struct task *done = begin_task(&f, "done"), *pending = begin_task(&f, "pending");
        struct uuid done_uuid = *task_uuid(done), pending_uuid = *task_uuid(pending), stopping_uuid;
        struct err_note note = {0};
        struct task *stopping = begin_task(&f, "stopping");

        (void)state;
        stopping_uuid = *task_uuid(stopping);
        task_succeed(done, "r");
        task_unref(done);
        assert_ok(tasks_cancel(f.tasks, &stopping_uuid, &note));
        /* As if the process had died: what the two would say at their end is not written down. */
        store_sim_crash_at(kit_sim, 1, false);
        task_unref(pending);
        task_unref(stopping);
        tasks_free(f.tasks);
        objects_close(f.kit.objects);
        store_sim_restart(kit_sim);
        kit_reopen(&f.kit);
        assert_string_equal(look(&f, &pending_uuid, "status"), "\"pending\"");
        assert_string_equal(look(&f, &stopping_uuid, "status"), "\"cancelling\"");
        f.tasks = tasks_new(f.kit.io, f.kit.objects);
        assert_string_equal(look(&f, &done_uuid, "status"), "\"success\"");
        assert_string_equal(look(&f, &done_uuid, "result"), "\"r\"");
        assert_string_equal(look(&f, &pending_uuid, "status"), "\"failure\"");
        assert_string_equal(look(&f, &pending_uuid, "error_info"),
                            "[\"INTERNAL_ERROR\",\"the host was restarted\"]");
        assert_string_equal(look(&f, &stopping_uuid, "status"), "\"failure\"");
        restart(&f);
        assert_string_equal(look(&f, &pending_uuid, "status"), "\"failure\"");
        end_fixture(&f);
}

static void work_goes_on_where_the_store_cannot_be_written(void **state) {
        struct fixture f = begin_fixture();
        struct uuid uuid;
        struct task *task;

        (void)state;
        store_sim_fail_at(kit_sim, 1, ERR_NO_SPACE, false);
        task = begin_task(&f, "x");
        uuid = *task_uuid(task);
        assert_string_equal(look(&f, &uuid, "status"), "\"pending\"");
        store_sim_fail_at(kit_sim, 1, ERR_NO_SPACE, false);
        task_succeed(task, "");
        task_unref(task);
        assert_string_equal(look(&f, &uuid, "status"), "\"success\"");
        restart(&f);
        assert_string_equal(look(&f, &uuid, "status"), "gone");
        end_fixture(&f);
}

static void what_ended_a_day_ago_goes_and_what_somebody_works_on_stays(void **state) {
        struct fixture f = begin_fixture();
        struct task *done = begin_task(&f, "done"), *running = begin_task(&f, "running");
        struct uuid done_uuid = *task_uuid(done), running_uuid = *task_uuid(running), idle;
        struct err_note note = {0};

        (void)state;
        assert_ok(tasks_create(f.tasks, &(struct task_options){.label = "idle"}, &idle, &note));
        io_sim_advance(f.kit.io, DAY / 2);
        task_succeed(done, "");
        task_unref(done);
        io_sim_advance(f.kit.io, DAY / 2 + 2 * SECOND);
        tasks_tick(f.tasks);
        assert_string_equal(look(&f, &idle, "status"), "gone");
        assert_string_equal(look(&f, &done_uuid, "status"), "\"success\"");
        io_sim_advance(f.kit.io, DAY / 2);
        tasks_tick(f.tasks);
        assert_string_equal(look(&f, &done_uuid, "status"), "gone");
        assert_string_equal(look(&f, &running_uuid, "status"), "\"pending\"");
        task_succeed(running, "");
        task_unref(running);
        end_fixture(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_task_that_succeeds_says_so_with_its_result),
                cmocka_unit_test(a_task_that_fails_says_why),
                cmocka_unit_test(a_task_that_nobody_ended_has_failed),
                cmocka_unit_test(progress_is_published_ten_times_a_second_at_most),
                cmocka_unit_test(progress_of_unknown_length_stays_at_nothing),
                cmocka_unit_test(cancelling_reaches_whoever_works),
                cmocka_unit_test(all_are_cancelled_when_the_end_comes),
                cmocka_unit_test(a_task_of_a_client_is_joined_once),
                cmocka_unit_test(a_task_that_nobody_works_on_is_cancelled_at_once),
                cmocka_unit_test(one_that_is_destroyed_stops_and_does_not_come_back),
                cmocka_unit_test(subtasks_are_named_by_their_parent_while_they_are_there),
                cmocka_unit_test(a_task_names_its_host_where_that_is_known),
                cmocka_unit_test(ended_tasks_survive_a_restart_and_pending_ones_have_failed),
                cmocka_unit_test(work_goes_on_where_the_store_cannot_be_written),
                cmocka_unit_test(what_ended_a_day_ago_goes_and_what_somebody_works_on_stays),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
