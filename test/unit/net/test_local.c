// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <sys/stat.h>
#include <unistd.h>

#include "local.h"
#include "mem.h"

struct place {
        char folder[64];
        char *deep; /* owned; a folder whose path is longer than a socket's address may be */
};

static int set_up(void **state) {
        struct place *place = calloc(1, sizeof *place);

        snprintf(place->folder, sizeof place->folder, "/tmp/catena-local-XXXXXX");
        assert_non_null(mkdtemp(place->folder));
        place->deep = mem_format("%s/%0120d", place->folder, 1);
        assert_int_equal(mkdir(place->deep, 0700), 0);
        *state = place;
        return 0;
}

static int tear_down(void **state) {
        struct place *place = *state;

        local_unlisten(place->deep, "s");
        local_unlisten(place->folder, "s");
        rmdir(place->deep);
        rmdir(place->folder);
        free(place->deep);
        free(place);
        return 0;
}

static void check_talk(const char *folder) {
        struct err_note note = {0};
        struct local_peer peer;
        int listener, client, server, none;
        char byte = 0;

        assert_ok(local_listen(folder, "s", &listener, &note));
        assert_ok(local_accept(listener, &none, &peer, &note));
        assert_int_equal(none, -1);
        assert_ok(local_connect(folder, "s", &client, &note));
        assert_ok(local_accept(listener, &server, &peer, &note));
        assert_int_equal(peer.uid, geteuid());
        assert_int_equal(peer.pid, getpid());
        assert_int_equal(write(client, "x", 1), 1);
        assert_int_equal(read(server, &byte, 1), 1);
        assert_int_equal(byte, 'x');
        close(client);
        close(server);
        close(listener);
}

static void two_talk_through_a_folder_of_any_length(void **state) {
        struct place *place = *state;

        assert_true(strlen(place->deep) > 108);
        check_talk(place->folder);
        check_talk(place->deep);
}

static void a_socket_is_its_owners_alone(void **state) {
        struct place *place = *state;
        AUTO_FREE char *path = mem_format("%s/s", place->folder);
        struct err_note note = {0};
        struct stat stat_buf;
        mode_t before = umask(0);
        int listener;

        assert_ok(local_listen(place->folder, "s", &listener, &note));
        umask(before);
        assert_int_equal(stat(path, &stat_buf), 0);
        assert_true(S_ISSOCK(stat_buf.st_mode));
        assert_int_equal(stat_buf.st_mode & 0777, 0600);
        close(listener);
}

static void what_a_dead_one_left_is_replaced(void **state) {
        struct place *place = *state;
        struct err_note note = {0};
        int listener, client;

        assert_ok(local_listen(place->folder, "s", &listener, &note));
        close(listener);
        assert_err(local_connect(place->folder, "s", &client, &note), ERR_CLOSED, "/s: ");
        check_talk(place->folder);
        local_unlisten(place->folder, "s");
        assert_err(local_connect(place->folder, "s", &client, &note), ERR_NOT_FOUND, "/s: ");
}

static void root_and_we_ourselves_are_trusted_and_nobody_else(void **state) {
        (void)state;
        assert_true(local_is_trusted(0));
        assert_true(local_is_trusted(geteuid()));
        assert_false(local_is_trusted(geteuid() + 1));
}

static void a_name_that_leads_elsewhere_is_refused(void **state) {
        struct place *place = *state;
        struct err_note note = {0};
        int fd;

        assert_err(local_connect(place->folder, "../x", &fd, &note), ERR_INVALID, "no name of a socket");
        assert_err(local_listen(place->folder, "", &fd, &note), ERR_INVALID, "no name of a socket");
}

static void by_a_path_only_a_socket_that_nobody_listens_on_is_replaced(void **state) {
        struct place *place = *state;
        AUTO_FREE char *path = mem_format("%s/s", place->deep);
        struct err_note note = {0};
        struct stat about;
        int listener, client, server;
        FILE *file;

        assert_ok(local_listen_at(path, &listener, &note));
        assert_int_equal(stat(path, &about), 0);
        assert_int_equal(about.st_mode & 0777, 0600);
        assert_ok(local_accept_any(listener, &server, &note));
        assert_int_equal(server, -1);
        assert_ok(local_connect(place->deep, "s", &client, &note));
        assert_ok(local_accept_any(listener, &server, &note));
        assert_true(server >= 0);
        close(client);
        close(server);
        assert_err(local_listen_at(path, &server, &note), ERR_BUSY, "another process listens");
        close(listener);
        assert_ok(local_listen_at(path, &listener, &note));
        close(listener);
        local_unlisten_at(path);
        assert_int_not_equal(stat(path, &about), 0);
        file = fopen(path, "w");
        fclose(file);
        assert_err(local_listen_at(path, &listener, &note), ERR_EXISTS, "is no socket");
        assert_int_equal(stat(path, &about), 0);
        unlink(path);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(two_talk_through_a_folder_of_any_length),
                CASE(a_socket_is_its_owners_alone),
                CASE(what_a_dead_one_left_is_replaced),
                CASE(root_and_we_ourselves_are_trusted_and_nobody_else),
                CASE(a_name_that_leads_elsewhere_is_refused),
                CASE(by_a_path_only_a_socket_that_nobody_listens_on_is_replaced),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
