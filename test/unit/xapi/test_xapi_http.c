// SPDX-License-Identifier: Apache-2.0
#include "house.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io_posix.h"
#include "xapi_http.h"

/* The house, behind a server whose loop runs in a thread. */
struct street {
        struct house house;
        struct http_server *server; /* owned */
        struct loop *loop;          /* owned */
        pthread_t thread;
        char dir[64];
        int fd; /* a client's end */
        int given;
        bool is_empty;            /* nobody is connected, and the XenAPI is gone */
        atomic_bool has_finished; /* what kept the loop busy */
};

static void *run_loop(void *user) {
        loop_run(((struct street *)user)->loop);
        return NULL;
}

static void give(void *user) {
        struct street *street = user;
        struct arrival arrival = {.fd = street->given, .peer = "a test"};

        http_server_give(street->server, street->loop, &arrival);
}

static int connect_to(struct street *street) {
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        street->given = pair[0];
        loop_post(street->loop, give, street);
        return pair[1];
}

static int set_up(void **state) {
        struct street *street = calloc(1, sizeof *street);
        const char *base = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
        struct http_server_options options = {0};
        struct err_note note = {0};

        snprintf(street->dir, sizeof street->dir, "%.30s/catena-xapi-XXXXXX", base);
        assert_non_null(mkdtemp(street->dir));
        snprintf(street->house.dir, sizeof street->house.dir, "%s", street->dir);
        street->house.io = io_posix_new();
        house_start(&street->house);
        options.routes = xapi_routes(street->house.xapi, &options.n_routes);
        assert_ok(http_server_new(&options, &street->server, &note));
        assert_ok(loop_new(street->house.io, &street->loop, &note));
        pthread_create(&street->thread, NULL, run_loop, street);
        street->fd = connect_to(street);
        *state = street;
        return 0;
}

static void leave(struct street *street) {
        close(street->fd);
        xapi_drain(street->house.xapi);
        http_server_free(street->server);
        street->is_empty = true;
}

static int tear_down(void **state) {
        struct street *street = *state;
        AUTO_FREE char *command = mem_format("rm -rf '%s'", street->dir);

        if (!street->is_empty) {
                leave(street);
                house_stop(&street->house);
        }
        loop_stop(street->loop);
        pthread_join(street->thread, NULL);
        loop_free(street->loop);
        io_free(street->house.io);
        assert_int_equal(system(command), 0);
        free(street);
        return 0;
}

/* ---- a client ---- */

static void say(int fd, const char *path, const char *type, const char *body) {
        AUTO_FREE char *text =
                mem_format("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
                           path, type, strlen(body), body);

        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

struct heard {
        unsigned status;
        char *head; /* owned */
        char *body; /* owned */
};

static void heard_fini(struct heard *heard) {
        free(heard->head);
        free(heard->body);
}
DEFINE_AUTO_IN_PLACE(struct heard, heard_fini);

static void hear(int fd, struct heard *ret) {
        AUTO(buf_fini) struct buf all = {0};
        char *end = NULL, *length;
        size_t n = 0;

        while (!end) {
                assert_int_equal(read(fd, buf_extend(&all, 1), 1), 1);
                (void)buf_text(&all);
                end = strstr((char *)all.data, "\r\n\r\n");
        }
        ret->head = mem_text((char *)all.data);
        length = strstr(ret->head, "Content-Length: ");
        assert_non_null(length);
        n = strtoul(length + 16, NULL, 10);
        ret->body = mem_zero(n + 1);
        for (size_t got = 0; got < n;) {
                ssize_t more = read(fd, ret->body + got, n - got);

                assert_true(more > 0);
                got += (size_t)more;
        }
        ret->status = (unsigned)strtoul(ret->head + strlen("HTTP/1.1 "), NULL, 10);
}

static void ask(int fd, const char *path, const char *body, struct heard *ret) {
        say(fd, path, "application/json", body);
        hear(fd, ret);
}

/* A call of JSON-RPC 2.0 with the session in front; more: further parameters, as JSON. */
static json_t *ask_json(struct street *street, int fd, const char *method, const char *more) {
        AUTO_FREE char *body =
                mem_format("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"%s\",\"params\":[\"%s\"%s%s]}", method,
                           street->house.session.ref, *more ? "," : "", more);
        AUTO(heard_fini) struct heard heard = {0};

        ask(fd, "/jsonrpc", body, &heard);
        assert_int_equal(heard.status, 200);
        return json_loads(heard.body, 0, NULL);
}

/* ---- cases ---- */

static void each_version_of_json_rpc_has_its_frame(void **state) {
        struct street *street = *state;
        static const struct {
                const char *asked, *said; /* borrowed, static */
        } rows[] = {
                {"{\"method\":\"x.y\",\"params\":[],\"id\":1}",
                 "{\"result\":null,\"error\":[\"MESSAGE_METHOD_UNKNOWN\",\"x.y\"],\"id\":1}"},
                {"{\"jsonrpc\":\"2.0\",\"method\":\"x.y\",\"params\":[],\"id\":0}",
                 "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,\"message\":\"MESSAGE_METHOD_UNKNOWN\",\"data\":"
                 "[\"x.y\"]},"
                 "\"id\":0}"},
                {"{\"jsonrpc\":\"2.0\",\"method\":\"pool.get_all\",\"params\":[\"x\"],\"id\":\"a\"}",
                 "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,\"message\":\"SESSION_INVALID\",\"data\":[\"x\"]"
                 "},"
                 "\"id\":\"a\"}"},
        };

        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO(heard_fini) struct heard heard = {0};

                ask(street->fd, "/jsonrpc", rows[i].asked, &heard);
                assert_int_equal(heard.status, 200);
                assert_string_equal(heard.body, rows[i].said);
                /* Exactly this: clients compare it. */
                assert_non_null(strstr(heard.head, "Content-Type: application/json\r\n"));
                assert_non_null(strstr(heard.head, "Access-Control-Allow-Origin: *\r\n"));
        }
}

static void numbers_are_numbers_in_json_and_text_in_xml(void **state) {
        struct street *street = *state;
        AUTO_FREE char *vdi = house_make_vdi(&street->house, "web", 2 << 20);
        AUTO_FREE char *param = mem_format("\"%s\"", vdi);
        AUTO_FREE char *call = mem_format(
                "<?xml "
                "version='1.0'?><methodCall><methodName>VDI.get_record</methodName><params><param><value>"
                "<string>%s</string></value></param><param><value><string>%s</string></value></param></"
                "params>"
                "</methodCall>",
                street->house.session.ref, vdi);
        AUTO(json_decref) json_t *reply = ask_json(street, street->fd, "VDI.get_virtual_size", param);
        AUTO(heard_fini) struct heard heard = {0};

        assert_int_equal(json_integer_value(json_object_get(reply, "result")), 2 << 20);
        say(street->fd, "/", "text/xml", call);
        hear(street->fd, &heard);
        assert_non_null(strstr(heard.head, "Content-Type: text/xml\r\n"));
        assert_non_null(strstr(heard.body, "<name>virtual_size</name><value>2097152</value>"));
        assert_non_null(strstr(heard.body, "<name>managed</name><value><boolean>1</boolean></value>"));
        assert_non_null(strstr(heard.body,
                               "<name>snapshot_time</name><value><dateTime.iso8601>19700101T00:00:00Z</"
                               "dateTime.iso8601></value>"));
        assert_non_null(strstr(heard.body, "<name>name_label</name><value>web</value>"));
}

static void what_is_no_call_is_refused_with_the_reason(void **state) {
        struct street *street = *state;
        static const char *const wrong[] = {
                "",
                "{",
                "[]",
                "{\"method\":\"x\",\"params\":[]}",
                "{\"method\":\"x\",\"params\":[],\"id\":null}",
                "{\"method\":5,\"params\":[],\"id\":1}",
                "{\"method\":\"x\",\"params\":{},\"id\":1}",
                "{\"method\":\"x\",\"method\":\"y\",\"params\":[],\"id\":1}",
                "{\"method\":\"a\\u0000b\",\"params\":[],\"id\":1}",
                "{\"method\":\"x\",\"params\":[99999999999999999999999],\"id\":1}",
        };

        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
                AUTO(heard_fini) struct heard heard = {0};

                ask(street->fd, "/jsonrpc", wrong[i], &heard);
                assert_int_equal(heard.status, 400);
                assert_non_null(strstr(heard.body, "\"code\":-32600"));
        }
        for (size_t i = 0; i < 3; i++) {
                AUTO(heard_fini) struct heard heard = {0};

                ask(street->fd, i ? "/RPC2" : "/xmlrpc", wrong[i], &heard);
                assert_int_equal(heard.status, 200);
                assert_non_null(strstr(heard.body, "<fault>"));
        }
}

static void scripts_of_other_pages_may_call(void **state) {
        struct street *street = *state;
        static const char options[] = "OPTIONS /jsonrpc HTTP/1.1\r\nHost: x\r\n\r\n";
        AUTO(heard_fini) struct heard heard = {0};

        assert_int_equal(write(street->fd, options, sizeof options - 1), sizeof options - 1);
        hear(street->fd, &heard);
        assert_int_equal(heard.status, 200);
        assert_non_null(strstr(heard.head, "Access-Control-Allow-Methods: POST\r\n"));
}

static void what_nobody_has_is_not_found(void **state) {
        struct street *street = *state;
        static const char get[] = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n";
        AUTO(heard_fini) struct heard heard = {0};

        assert_int_equal(write(street->fd, get, sizeof get - 1), sizeof get - 1);
        hear(street->fd, &heard);
        assert_int_equal(heard.status, 404);
}

static void a_body_that_is_too_long_is_not_taken(void **state) {
        struct street *street = *state;
        static const char head[] = "POST /jsonrpc HTTP/1.1\r\nHost: x\r\nContent-Length: 307201\r\n\r\n";
        AUTO(heard_fini) struct heard heard = {0};

        assert_int_equal(write(street->fd, head, sizeof head - 1), sizeof head - 1);
        hear(street->fd, &heard);
        assert_int_equal(heard.status, 413);
}

static void a_chunked_body_that_grows_too_long_is_not_taken(void **state) {
        struct street *street = *state;
        static const char head[] =
                "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n64000\r\n";
        AUTO_FREE char *spaces = mem_zero(0x64000);
        AUTO(heard_fini) struct heard heard = {0};

        memset(spaces, ' ', 0x64000);
        assert_int_equal(write(street->fd, head, sizeof head - 1), sizeof head - 1);
        (void)!send(street->fd, spaces, 0x64000, MSG_NOSIGNAL);
        (void)!send(street->fd, "\r\n0\r\n\r\n", 7, MSG_NOSIGNAL);
        hear(street->fd, &heard);
        assert_int_equal(heard.status, 413);
}

static char *token_of(struct street *street) {
        AUTO(json_decref) json_t *reply = ask_json(street, street->fd, "event.from", "[\"*\"],\"\",0.0");

        return mem_text(json_string_value(json_object_get(json_object_get(reply, "result"), "token")));
}

/* More than there are threads: none of them is held by a wait. */
static void many_wait_for_events_and_calls_go_on(void **state) {
        enum { N_WAITING = 100 };
        struct street *street = *state;
        AUTO_FREE char *token = token_of(street);
        AUTO_FREE char *body =
                mem_format("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"event.from\",\"params\":[\"%s\","
                           "[\"vdi\"],\"%s\",600.1]}",
                           street->house.session.ref, token);
        AUTO(json_decref) json_t *reply = NULL;
        int waiting[N_WAITING];

        for (unsigned i = 0; i < N_WAITING; i++) {
                waiting[i] = connect_to(street);
                say(waiting[i], "/jsonrpc", "application/json", body);
                /* The loop has taken the connection before the next is given. */
                json_decref(ask_json(street, street->fd, "pool.get_all", ""));
        }
        free(house_make_vdi(&street->house, "web", 1));
        for (unsigned i = 0; i < N_WAITING; i++) {
                AUTO(heard_fini) struct heard heard = {0};

                hear(waiting[i], &heard);
                assert_non_null(strstr(heard.body, "\"operation\":\"add\""));
                close(waiting[i]);
        }
        reply = ask_json(street, street->fd, "VDI.get_all", "");
        assert_int_equal(json_array_size(json_object_get(reply, "result")), 1);
}

static void a_wait_ends_with_its_time(void **state) {
        struct street *street = *state;
        AUTO_FREE char *token = token_of(street);
        AUTO_FREE char *more = mem_format("[\"vdi\"],\"%s\",0.05", token);
        AUTO(json_decref) json_t *reply = ask_json(street, street->fd, "event.from", more);

        assert_int_equal(json_array_size(json_object_get(json_object_get(reply, "result"), "events")), 0);
        assert_non_null(json_object_get(reply, "result"));
}

static void who_goes_away_meanwhile_is_no_trouble(void **state) {
        struct street *street = *state;
        AUTO_FREE char *token = token_of(street);
        AUTO_FREE char *body =
                mem_format("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"event.from\",\"params\":[\"%s\","
                           "[\"vdi\"],\"%s\",600.1]}",
                           street->house.session.ref, token);

        for (unsigned i = 0; i < 30; i++) {
                int fd = connect_to(street);

                say(fd, "/jsonrpc", "application/json", body);
                if (i % 2)
                        json_decref(ask_json(street, street->fd, "pool.get_all", ""));
                close(fd);
                if (i % 3 == 0)
                        free(house_make_vdi(&street->house, "web", 1));
                json_decref(ask_json(street, street->fd, "pool.get_all", ""));
        }
}

static void keep_busy(void *user) {
        struct street *street = user;

        usleep(100000);
        atomic_store(&street->has_finished, true);
}

/* The worker's last word comes to the loop when connection and server are gone. */
static void a_call_whose_client_is_gone_ends_before_the_api_does(void **state) {
        struct street *street = *state;
        struct turn *turn = street->house.srs[0].turn;
        AUTO_FREE char *sr = house_sr(&street->house, 0);
        AUTO_FREE char *body = mem_format("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"SR.get_chain_health\","
                                          "\"params\":[\"%s\",\"%s\"]}",
                                          street->house.session.ref, sr);

        turn_take(turn, "test");
        say(street->fd, "/jsonrpc", "application/json", body);
        while (turn_n_waiting(turn) == 0)
                usleep(1000);
        leave(street);
        loop_post(street->loop, keep_busy, street);
        turn_give(turn);
        house_stop(&street->house);
        assert_true(atomic_load(&street->has_finished));
}

static void a_large_answer_comes_whole(void **state) {
        struct street *street = *state;
        AUTO_FREE char *long_text = mem_zero(100001);
        AUTO(json_decref) json_t *reply = NULL;

        memset(long_text, 'x', 100000);
        for (unsigned i = 0; i < 30; i++)
                (void)house_ok(&street->house, "message.create",
                               json_pack("[s, i, s, s, s]", "n", 1, "VM", "", long_text));
        reply = ask_json(street, street->fd, "message.get_all_records", "");
        assert_int_equal(json_object_size(json_object_get(reply, "result")), 30);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(each_version_of_json_rpc_has_its_frame),
                CASE(numbers_are_numbers_in_json_and_text_in_xml),
                CASE(what_is_no_call_is_refused_with_the_reason),
                CASE(scripts_of_other_pages_may_call),
                CASE(what_nobody_has_is_not_found),
                CASE(a_body_that_is_too_long_is_not_taken),
                CASE(a_chunked_body_that_grows_too_long_is_not_taken),
                CASE(many_wait_for_events_and_calls_go_on),
                CASE(a_wait_ends_with_its_time),
                CASE(who_goes_away_meanwhile_is_no_trouble),
                CASE(a_call_whose_client_is_gone_ends_before_the_api_does),
                CASE(a_large_answer_comes_whole),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
