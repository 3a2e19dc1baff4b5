// SPDX-License-Identifier: Apache-2.0
#include "house.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xe_cli.h"

#define SECOND_NS (UINT64_C(1) * 1000000000)
enum { PATIENCE = 20000 }; /* rounds of half a millisecond */

/* The house behind a server, in one loop whose clock is the test's, and a client. */
struct street {
        struct house house;
        struct http_server *server; /* owned */
        struct loop *loop;          /* owned */
        int fd;                     /* the client's end; -1: it is gone */
        struct buf heard;
        bool is_over; /* nothing comes any more */
        bool is_deaf; /* reads nothing */
        unsigned n_sessions;
};

static int set_up(void **state) {
        struct street *street = calloc(1, sizeof *street);
        struct http_server_options options = {0};
        struct err_note note = {0};

        street->house.io = io_sim_new(1, 0);
        house_start(&street->house);
        options.routes = xapi_routes(street->house.xapi, &options.n_routes);
        assert_ok(http_server_new(&options, &street->server, &note));
        assert_ok(loop_new(street->house.io, &street->loop, &note));
        street->fd = -1;
        street->n_sessions = auth_n_sessions(street->house.host.auth);
        *state = street;
        return 0;
}

static void listen_to(struct street *street) {
        uint8_t some[4096];
        ssize_t n = 1;

        while (street->fd >= 0 && !street->is_deaf && n > 0) {
                n = recv(street->fd, some, sizeof some, MSG_DONTWAIT);
                if (n > 0)
                        buf_add(&street->heard, some, (size_t)n);
                street->is_over |= n == 0 || (n < 0 && errno != EAGAIN);
        }
}

static void go_round(struct street *street) {
        if (!loop_round(street->loop, 0))
                usleep(500);
        listen_to(street);
}

static void hang_up(struct street *street) {
        if (street->fd >= 0)
                close(street->fd);
        street->fd = -1;
}

/* Nobody talks any more: sessions and tasks are put away. */
static void is_put_away(struct street *street) {
        unsigned n = 0;

        while (auth_n_sessions(street->house.host.auth) != street->n_sessions && n++ < PATIENCE)
                go_round(street);
        assert_int_equal(auth_n_sessions(street->house.host.auth), street->n_sessions);
        assert_int_equal(json_array_size(house_ok(&street->house, "task.get_all", json_array())), 0);
}

static int tear_down(void **state) {
        struct street *street = *state;

        hang_up(street);
        xapi_drain(street->house.xapi);
        http_server_drain(street->server);
        for (unsigned n = 0; n < 50 || auth_n_sessions(street->house.host.auth) != street->n_sessions; n++)
                go_round(street);
        http_server_free(street->server);
        house_stop(&street->house);
        loop_free(street->loop);
        buf_fini(&street->heard);
        io_free(street->house.io);
        free(street);
        return 0;
}

/* ---- a client ---- */

static void say(struct street *street, const void *data, size_t n) {
        assert_int_equal(send(street->fd, data, n, MSG_NOSIGNAL), n);
}

static void say_message(struct street *street, const struct xe_message *message) {
        AUTO(buf_fini) struct buf bytes = {0};

        xe_encode(message, &bytes);
        say(street, bytes.data, bytes.n);
}

static void say_kind(struct street *street, enum xe_kind kind) {
        const struct xe_message message = {.kind = kind};

        say_message(street, &message);
}

static void begin(struct street *street, const char *command, bool has_banner) {
        AUTO_FREE char *password = house_password(&street->house);
        AUTO_FREE char *body = mem_format("%s\nusername=root\npassword=%s", command, password);
        AUTO_FREE char *head =
                mem_format("POST /cli HTTP/1.0\r\ncontent-length: %zu\r\n\r\n%s", strlen(body), body);
        AUTO(buf_fini) struct buf banner = {0};
        struct arrival arrival = {.peer = "a test"};
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        arrival.fd = pair[0];
        street->fd = pair[1];
        http_server_give(street->server, street->loop, &arrival);
        say(street, head, strlen(head));
        xe_banner_encode(&banner);
        if (has_banner)
                say(street, banner.data, banner.n);
}

/* Whether such a message was heard; *ret (may be NULL) borrows from what was. */
static bool has_heard(struct street *street, enum xe_kind kind, struct xe_message *ret) {
        size_t at = XE_BANNER_SIZE, used = 1;

        while (used && at < street->heard.n) {
                struct span rest = {street->heard.data + at, street->heard.n - at};
                struct xe_message message;
                struct err_note note = {0};

                assert_ok(xe_decode(rest, 1 << 24, &message, &used, &note));
                at += used;
                if (!used || message.kind != kind)
                        continue;
                if (ret)
                        *ret = message;
                return true;
        }
        return false;
}

static void hear(struct street *street, enum xe_kind kind, struct xe_message *ret) {
        unsigned n = 0;

        while (!has_heard(street, kind, ret) && !street->is_over && n++ < PATIENCE)
                go_round(street);
        assert_true(has_heard(street, kind, ret));
}

static void ends_with(struct street *street, int32_t code) {
        struct xe_message message;
        unsigned n = 0;

        hear(street, XE_EXIT, &message);
        assert_int_equal(message.number, code);
        while (!street->is_over && n++ < PATIENCE)
                go_round(street);
        assert_true(street->is_over);
        hang_up(street);
        is_put_away(street);
}

static void pass(struct street *street, uint64_t ns) {
        io_sim_advance(street->house.io, ns);
        for (unsigned n = 0; n < 20; n++)
                go_round(street);
}

/* What was begun is over without an end. */
static void is_cut_off(struct street *street) {
        unsigned n = 0;

        while (!street->is_over && n++ < PATIENCE)
                go_round(street);
        assert_true(street->is_over);
        assert_false(has_heard(street, XE_EXIT, NULL));
        is_put_away(street);
}

/* ---- cases ---- */

static void a_command_is_answered_and_the_connection_ends(void **state) {
        struct street *street = *state;
        struct xe_message message;

        begin(street, "sr-list\n--minimal\nname-label=one\nparams=name-label", true);
        hear(street, XE_PRINT, &message);
        assert_int_equal(message.text.n, 3);
        assert_memory_equal(message.text.data, "one", 3);
        ends_with(street, 0);
}

static void who_never_greets_is_cut_off(void **state) {
        struct street *street = *state;

        begin(street, "sr-list", false);
        for (unsigned n = 0; street->heard.n < XE_BANNER_SIZE && n < PATIENCE; n++)
                go_round(street);
        pass(street, 29 * SECOND_NS);
        assert_int_equal(street->heard.n, XE_BANNER_SIZE);
        assert_false(street->is_over);
        pass(street, 2 * SECOND_NS);
        is_cut_off(street);
}

static void begin_export(struct street *street) {
        AUTO_FREE char *vdi = house_make_vdi(&street->house, "web", 4 << 20);
        AUTO_FREE char *command =
                mem_format("vdi-export\nuuid=%s\nfilename=f", vdi + strlen(XAPI_REF_PREFIX));

        begin(street, command, true);
        hear(street, XE_HTTP_GET, NULL);
}

static struct task *join_transfer(struct street *street) {
        AUTO_FREE char *ref = mem_text(
                json_string_value(json_array_get(house_ok(&street->house, "task.get_all", json_array()), 0)));
        struct task *task = NULL;
        struct err_note note = {0};
        struct uuid uuid;

        assert_true(xapi_ref_parse(ref, &uuid));
        assert_ok(tasks_join(street->house.host.tasks, &uuid, &task, &note));
        return task;
}

static void who_transfers_nothing_and_says_nothing_is_cut_off(void **state) {
        struct street *street = *state;

        begin_export(street);
        pass(street, 599 * SECOND_NS);
        assert_false(street->is_over);
        pass(street, 2 * SECOND_NS);
        is_cut_off(street);
}

static void who_says_that_it_is_still_at_it_is_waited_for(void **state) {
        struct street *street = *state;

        begin_export(street);
        for (unsigned i = 0; i < 5; i++) {
                pass(street, 590 * SECOND_NS);
                say_kind(street, XE_WAIT);
        }
        assert_false(street->is_over);
        say_kind(street, XE_FAILED);
        ends_with(street, 1);
}

static void a_transfer_that_goes_on_is_waited_for_in_silence(void **state) {
        struct street *street = *state;
        struct task *task;

        begin_export(street);
        task = join_transfer(street);
        for (unsigned i = 0; i < 20; i++)
                pass(street, 601 * SECOND_NS);
        assert_false(street->is_over);
        say_kind(street, XE_OK);
        pass(street, SECOND_NS);
        assert_false(has_heard(street, XE_EXIT, NULL));
        task_succeed(task, "");
        task_unref(task);
        pass(street, 3 * SECOND_NS);
        ends_with(street, 0);
}

static void who_goes_in_the_middle_leaves_nothing(void **state) {
        struct street *street = *state;

        begin_export(street);
        hang_up(street);
        is_put_away(street);
}

static void who_goes_at_any_moment_leaves_nothing(void **state) {
        struct street *street = *state;
        AUTO_FREE char *vdi = house_make_vdi(&street->house, "web", 4 << 20);
        AUTO_FREE char *command =
                mem_format("vdi-export\nuuid=%s\nfilename=f", vdi + strlen(XAPI_REF_PREFIX));

        for (unsigned i = 0; i < 20; i++) {
                begin(street, command, true);
                while (i >= 5 && auth_n_sessions(street->house.host.auth) == street->n_sessions)
                        go_round(street);
                for (unsigned n = 0; n < i % 10; n++)
                        (void)loop_round(street->loop, 0);
                usleep(20000); /* a step is made meanwhile, and the loop finds both */
                hang_up(street);
                for (unsigned n = 0; n < 100; n++)
                        go_round(street);
                is_put_away(street);
        }
}

static void who_goes_while_its_task_is_waited_for_leaves_nothing(void **state) {
        struct street *street = *state;
        struct task *task;

        begin_export(street);
        task = join_transfer(street);
        say_kind(street, XE_OK);
        pass(street, SECOND_NS);
        hang_up(street);
        pass(street, SECOND_NS);
        task_end_cancelled(task);
        task_unref(task);
        is_put_away(street);
}

static void nonsense_where_an_answer_is_due_is_cut_off(void **state) {
        struct street *street = *state;

        begin_export(street);
        say_kind(street, XE_PRINT);
        is_cut_off(street);
}

static size_t n_vms(struct street *street) {
        return json_array_size(house_ok(&street->house, "VM.get_all", json_array()));
}

static void type(struct street *street, const char *text) {
        const struct xe_message chunk = {.kind = XE_CHUNK, .n = (uint32_t)strlen(text)};

        say_message(street, &chunk);
        for (const char *c = text; *c; c++) {
                say(street, c, 1);
                if ((c - text) % 100 == 0)
                        go_round(street);
        }
        say_kind(street, XE_END);
}

static void what_is_typed_may_come_in_pieces(void **state) {
        struct street *street = *state;

        free(house_make_vm(&street->house, "box"));
        begin(street, "vm-uninstall\nvm=box", true);
        hear(street, XE_PROMPT, NULL);
        type(street, "yes\n");
        ends_with(street, 0);
        assert_int_equal(n_vms(street), 0);
}

static void a_long_line_is_no_yes(void **state) {
        struct street *street = *state;
        char line[2001] = "";

        memset(line, 'y', sizeof line - 1);
        free(house_make_vm(&street->house, "box"));
        begin(street, "vm-uninstall\nvm=box", true);
        hear(street, XE_PROMPT, NULL);
        type(street, line);
        ends_with(street, 1);
        assert_int_equal(n_vms(street), 1);
}

static void a_line_without_an_end_to_it_is_not_taken(void **state) {
        const struct xe_message chunk = {.kind = XE_CHUNK, .n = UINT32_C(1) << 30};
        struct street *street = *state;

        free(house_make_vm(&street->house, "box"));
        begin(street, "vm-uninstall\nvm=box", true);
        hear(street, XE_PROMPT, NULL);
        say_message(street, &chunk);
        is_cut_off(street);
        assert_int_equal(n_vms(street), 1);
}

static void who_never_types_is_cut_off(void **state) {
        struct street *street = *state;

        free(house_make_vm(&street->house, "box"));
        begin(street, "vm-uninstall\nvm=box", true);
        hear(street, XE_PROMPT, NULL);
        pass(street, 601 * SECOND_NS);
        is_cut_off(street);
        assert_int_equal(n_vms(street), 1);
}

/* More than the kernel holds. */
static void begin_long_list(struct street *street) {
        AUTO_FREE char *text = mem_zero(100001);

        memset(text, 'x', 100000);
        for (unsigned i = 0; i < 30; i++)
                (void)house_ok(&street->house, "message.create",
                               json_pack("[s, i, s, s, s]", "n", 1, "VM", "", text));
        begin(street, "message-list", true);
}

static void who_does_not_read_is_cut_off(void **state) {
        struct street *street = *state;

        begin_long_list(street);
        street->is_deaf = true;
        for (unsigned n = 0; n < PATIENCE && auth_n_sessions(street->house.host.auth) == street->n_sessions;
             n++)
                go_round(street);
        is_put_away(street);
        for (unsigned n = 0; n < 60; n++)
                pass(street, SECOND_NS);
        street->is_deaf = false;
        is_cut_off(street);
}

static void who_reads_slowly_hears_all(void **state) {
        struct street *street = *state;
        bool is_first = true;

        begin_long_list(street);
        while (!has_heard(street, XE_EXIT, NULL) && !street->is_over) {
                street->is_deaf = true;
                if (!is_first)
                        pass(street, 20 * SECOND_NS);
                is_first = false;
                street->is_deaf = false;
                go_round(street);
        }
        ends_with(street, 0);
        assert_true(street->heard.n > 30 * 100000);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(a_command_is_answered_and_the_connection_ends),
                CASE(who_never_greets_is_cut_off),
                CASE(who_transfers_nothing_and_says_nothing_is_cut_off),
                CASE(who_says_that_it_is_still_at_it_is_waited_for),
                CASE(a_transfer_that_goes_on_is_waited_for_in_silence),
                CASE(who_goes_in_the_middle_leaves_nothing),
                CASE(who_goes_at_any_moment_leaves_nothing),
                CASE(who_goes_while_its_task_is_waited_for_leaves_nothing),
                CASE(nonsense_where_an_answer_is_due_is_cut_off),
                CASE(what_is_typed_may_come_in_pieces),
                CASE(a_long_line_is_no_yes),
                CASE(a_line_without_an_end_to_it_is_not_taken),
                CASE(who_never_types_is_cut_off),
                CASE(who_does_not_read_is_cut_off),
                CASE(who_reads_slowly_hears_all),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
