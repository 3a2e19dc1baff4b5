// SPDX-License-Identifier: Apache-2.0
/* Whom a request is given to, and how a server ends. */
#include "http_kit.h"

#include "http_inside.h"
#include "local.h"

static int set_up(void **state) {
        struct http_kit *kit = calloc(1, sizeof *kit);

        http_kit_init(kit, NULL);
        *state = kit;
        return 0;
}

static int tear_down(void **state) {
        http_kit_fini(*state);
        free(*state);
        return 0;
}

/* ---- routes ---- */

static void the_longest_path_that_is_above_wins(void **state) {
        static const struct http_route routes[] = {
                {.path = "/a"}, {.path = "/"}, {.path = "/a/b"}, {.path = "/c/"}};
        static const struct {
                const char *path;
                int want;
        } rows[] = {{"/a", 0}, {"/a/", 0}, {"/a/c", 0}, {"/ab", 1},  {"/a/b", 2}, {"/a/b/c", 2}, {"/a/bc", 0},
                    {"/", 1},  {"/c", 1},  {"/c/", 3},  {"/c/d", 3}, {"/x", 1},   {"//a", 1},    {"*", -1}};
        const struct http_server_options options = {.routes = routes, .n_routes = 4};
        AUTO(http_server_free) struct http_server *server = NULL;
        struct err_note note = {0};

        (void)state;
        assert_ok(http_server_new(&options, &server, &note));
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
                assert_ptr_equal(http_server_route(server, rows[i].path),
                                 rows[i].want < 0 ? NULL : &routes[rows[i].want]);
}

static void what_is_not_there_is_said_and_the_connection_is_kept(void **state) {
        struct http_kit *kit = *state;

        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "GET /nowhere HTTP/1.1\r\n\r\n");
        assert_heard(kit, "HTTP/1.1 404 Not Found\r\n");
        http_kit_tell(kit, "DELETE /hello HTTP/1.1\r\n\r\n");
        assert_heard(kit, "HTTP/1.1 405 Method Not Allowed\r\n");
        assert_heard(kit, "\r\nAllow: GET, HEAD, PUT\r\n");
        http_kit_tell(kit, "POST /nowhere HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
        http_kit_tell(kit, "GET /hello HTTP/1.1\r\n\r\n");
        assert_heard(kit, "\r\n\r\n/hello");
        assert_int_equal(kit->n_begun, 1);
        assert_false(kit->has_ended);
}

/* ---- the end ---- */

static void draining_closes_who_waits_at_once(void **state) {
        static const char *const said[] = {"", "GET / HT", "GET /hello HTTP/1.1\r\n\r\n"};

        for (unsigned i = 0; i < 3; i++) {
                struct http_kit *kit = *state;

                http_kit_connect(kit, 1, &net_weather_fine);
                http_kit_tell(kit, said[i]);
                assert_int_equal(http_server_n_connections(kit->server), 1);
                http_server_drain(kit->server);
                http_kit_run(kit, 1);
                assert_true(kit->has_ended);
                http_kit_hang_up(kit);
                http_kit_run(kit, 1);
                assert_int_equal(http_server_n_connections(kit->server), 0);
                tear_down(state);
                set_up(state);
        }
}

static void draining_lets_an_answer_end(void **state) {
        static const char text[] = "GET /zeros HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n\r\n";
        struct http_kit *kit = *state;

        kit->to_send = 50000;
        http_kit_connect(kit, 1, &net_weather_bad);
        http_kit_say(kit, text, sizeof text - 1);
        while (kit->n_begun == 0)
                net_sim_run(kit->loop, NET_SIM_SECOND / 100);
        http_server_drain(kit->server);
        http_kit_run(kit, 9);
        assert_true(kit->heard.n > 50000);
        assert_int_equal(kit->n_fine, 1);
        /* The next request is nobody's any more. */
        assert_int_equal(kit->n_begun, 1);
        assert_true(kit->has_ended);
}

static void draining_has_a_bound(void **state) {
        struct http_kit *kit = *state;

        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "GET /silent HTTP/1.1\r\n\r\n");
        http_server_drain(kit->server);
        http_kit_run(kit, HTTP_DRAIN_NS / NET_SIM_SECOND - 1);
        assert_int_equal(kit->n_gone, 0);
        http_kit_run(kit, 2);
        assert_int_equal(kit->n_gone, 1);
        assert_int_equal(kit->gone_why.code, ERR_CANCELLED);
        assert_int_equal(http_server_n_connections(kit->server), 0);
        assert_int_equal(kit->n_closed, 1);
}

static void who_comes_while_it_drains_is_turned_away(void **state) {
        struct http_kit *kit = *state;

        http_server_drain(kit->server);
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "GET /hello HTTP/1.1\r\n\r\n");
        assert_true(kit->has_ended);
        assert_int_equal(kit->n_begun, 0);
        assert_int_equal(kit->n_closed, 1);
}

/* More than one connection, in more than one loop: each is told of once. */
static void connections_of_several_loops_are_counted_together(void **state) {
        struct http_kit *kit = *state;
        struct err_note note = {0};
        struct loop *loops[3];
        int fds[9][2];

        for (unsigned i = 0; i < 3; i++)
                assert_ok(loop_new(kit->io, &loops[i], &note));
        for (unsigned i = 0; i < 9; i++) {
                struct arrival arrival = {.peer = "one", .closed = http_kit_closed, .user = kit};

                assert_ok(local_pair(fds[i], &note));
                arrival.fd = fds[i][0];
                http_server_give(kit->server, loops[i % 3], &arrival);
        }
        assert_int_equal(http_server_n_connections(kit->server), 9);
        for (unsigned i = 0; i < 4; i++)
                local_close(fds[i][1]);
        for (unsigned i = 0; i < 30; i++)
                (void)loop_round(loops[i % 3], 0);
        assert_int_equal(http_server_n_connections(kit->server), 5);
        http_server_drain(kit->server);
        for (unsigned i = 0; i < 3; i++)
                for (unsigned k = 0; k < 10; k++)
                        (void)loop_round(loops[i], 0);
        for (unsigned i = 4; i < 9; i++)
                local_close(fds[i][1]);
        for (unsigned i = 0; i < 30; i++)
                (void)loop_round(loops[i % 3], 0);
        assert_int_equal(http_server_n_connections(kit->server), 0);
        assert_int_equal(kit->n_closed, 9);
        for (unsigned i = 0; i < 3; i++)
                loop_free(loops[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_longest_path_that_is_above_wins),
                cmocka_unit_test_setup_teardown(what_is_not_there_is_said_and_the_connection_is_kept, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(draining_closes_who_waits_at_once, set_up, tear_down),
                cmocka_unit_test_setup_teardown(draining_lets_an_answer_end, set_up, tear_down),
                cmocka_unit_test_setup_teardown(draining_has_a_bound, set_up, tear_down),
                cmocka_unit_test_setup_teardown(who_comes_while_it_drains_is_turned_away, set_up, tear_down),
                cmocka_unit_test_setup_teardown(connections_of_several_loops_are_counted_together, set_up,
                                                tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
