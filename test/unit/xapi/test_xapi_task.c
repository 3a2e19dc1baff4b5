// SPDX-License-Identifier: Apache-2.0
#include "house.h"

#include <unistd.h>

#include "turn.h"

static void clients_make_tasks_and_end_them(void **state) {
        struct house *house = *state;
        AUTO_FREE char *task = house_text(house, "task_create", json_pack("[s, s]", "export", "of web"));

        assert_true(house_field_is(house, "task", task, "status", json_string("pending")));
        assert_true(house_field_is(house, "task", task, "name_label", json_string("export")));
        (void)house_ok(house, "task.set_progress", json_pack("[s, f]", task, 0.5));
        assert_true(house_field_is(house, "task", task, "progress", json_real(0.5)));
        (void)house_ok(house, "task.set_progress", json_pack("[s, i]", task, 7));
        assert_true(house_field_is(house, "task", task, "progress", json_real(1)));
        (void)house_ok(house, "task.add_to_other_config", json_pack("[s, s, s]", task, "a", "b"));
        (void)house_ok(house, "task.set_result", json_pack("[s, s]", task, "<value>x</value>"));
        (void)house_ok(house, "task_set_status", json_pack("[s, s]", task, "success"));
        assert_true(house_field_is(house, "task", task, "status", json_string("success")));
        assert_true(house_field_is(house, "task", task, "result", json_string("<value>x</value>")));
        (void)house_ok(house, "task.set_status", json_pack("[s, s]", task, "success"));
        house_fails(house, "task.set_status", json_pack("[s, s]", task, "failure"),
                    "OTHER_OPERATION_IN_PROGRESS", "task");
        (void)house_ok(house, "task.cancel", json_pack("[s]", task));
        (void)house_ok(house, "task.destroy", json_pack("[s]", task));
        house_fails(house, "task.get_status", json_pack("[s]", task), "HANDLE_INVALID", "task");
        house_fails(house, "task.cancel", json_pack("[s]", task), "HANDLE_INVALID", "task");
}

static void a_task_can_fail_or_be_cancelled(void **state) {
        struct house *house = *state;
        AUTO_FREE char *a = house_text(house, "task.create", json_pack("[s, s]", "a", ""));
        AUTO_FREE char *b = house_text(house, "task.create", json_pack("[s, s]", "b", ""));
        AUTO_FREE char *c = house_text(house, "task.create", json_pack("[s, s]", "c", ""));

        (void)house_ok(house, "task.set_error_info", json_pack("[s, [s, s]]", a, "VDI_IO_ERROR", "why"));
        (void)house_ok(house, "task.set_status", json_pack("[s, s]", a, "failure"));
        assert_true(house_field_is(house, "task", a, "status", json_string("failure")));
        assert_true(
                house_field_is(house, "task", a, "error_info", json_pack("[s, s]", "VDI_IO_ERROR", "why")));
        (void)house_ok(house, "task.set_status", json_pack("[s, s]", b, "cancelled"));
        assert_true(house_field_is(house, "task", b, "status", json_string("cancelled")));
        (void)house_ok(house, "task.cancel", json_pack("[s]", c));
        assert_true(house_field_is(house, "task", c, "status", json_string("cancelled")));
        house_fails(house, "task.set_status", json_pack("[s, s]", c, "tired"), "FIELD_TYPE_ERROR", "value");
}

/* Until it has ended. */
static void wait_for_task(struct house *house, const char *task) {
        for (unsigned i = 0; i < 10000; i++) {
                AUTO(json_decref) json_t *status = house_field(house, "task", task, "status");

                if (strcmp(json_string_value(status), "pending") != 0)
                        return;
                usleep(1000);
        }
        fail();
}

static void what_runs_as_a_task_says_there_what_came_of_it(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);
        AUTO_FREE char *task = house_text(house, "Async.VDI.snapshot", json_pack("[s]", vdi));
        AUTO(json_decref) json_t *snapshots = NULL;
        AUTO_FREE char *want = NULL;

        wait_for_task(house, task);
        snapshots = house_field(house, "VDI", vdi, "snapshots");
        assert_int_equal(json_array_size(snapshots), 1);
        want = mem_format("<value>%s</value>", json_string_value(json_array_get(snapshots, 0)));
        assert_true(house_field_is(house, "task", task, "status", json_string("success")));
        assert_true(house_field_is(house, "task", task, "result", json_string(want)));
        assert_true(house_field_is(house, "task", task, "name_label", json_string("Async.VDI.snapshot")));
        assert_true(house_field_is(house, "task", task, "progress", json_real(1)));
}

static void what_gives_nothing_has_an_empty_result(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);
        AUTO_FREE char *task = house_text(house, "Async.VDI.destroy", json_pack("[s]", vdi));

        wait_for_task(house, task);
        assert_true(house_field_is(house, "task", task, "status", json_string("success")));
        assert_true(house_field_is(house, "task", task, "result", json_string("")));
}

static void what_fails_as_a_task_says_why(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 4 << 20);
        AUTO_FREE char *task = house_text(house, "Async.VDI.resize", json_pack("[s, i]", vdi, 1));
        AUTO(json_decref) json_t *why = NULL;

        wait_for_task(house, task);
        assert_true(house_field_is(house, "task", task, "status", json_string("failure")));
        why = house_field(house, "task", task, "error_info");
        assert_string_equal(json_string_value(json_array_get(why, 0)), "OPERATION_NOT_ALLOWED");
        /* What is wrong with the call itself is said at once. */
        house_fails(house, "Async.VDI.destroy", json_pack("[s]", "x"), "HANDLE_INVALID", "VDI");
        house_fails(house, "Async.VDI.destroy", json_array(), "MESSAGE_PARAMETER_COUNT_MISMATCH", NULL);
}

static void tasks_that_wait_when_the_daemon_stops_are_cancelled(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);

        turn_take(house->srs[0].turn, "test");
        for (unsigned i = 0; i < 40; i++)
                house_run(house, "Async.VDI.snapshot", json_pack("[s]", vdi));
        assert_null(house->call.error);
        tasks_cancel_all(house->host.tasks);
        turn_give(house->srs[0].turn);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, house_set_up, house_tear_down)
        const struct CMUnitTest tests[] = {
                CASE(clients_make_tasks_and_end_them),
                CASE(a_task_can_fail_or_be_cancelled),
                CASE(what_runs_as_a_task_says_there_what_came_of_it),
                CASE(what_gives_nothing_has_an_empty_result),
                CASE(what_fails_as_a_task_says_why),
                CASE(tasks_that_wait_when_the_daemon_stops_are_cancelled),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
