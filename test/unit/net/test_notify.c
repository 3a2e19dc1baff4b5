// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "notify.h"

/* Bound; name: "@…", or a path. */
static int manager(const char *name) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        memcpy(address.sun_path, name, strlen(name));
        if (*name == '@')
                address.sun_path[0] = '\0';
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address,
                              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                         0);
        return fd;
}

static void check_told(const char *name) {
        struct err_note note = {0};
        int fd = manager(name);
        char got[64] = "";

        assert_ok(notify_send(name, "READY=1", &note));
        assert_int_equal(recv(fd, got, sizeof got - 1, 0), 7);
        assert_string_equal(got, "READY=1");
        close(fd);
}

static void the_manager_is_told_by_a_path(void **state) {
        const char *folder = getenv("TMPDIR");
        char path[100];

        (void)state;
        snprintf(path, sizeof path, "%s/notify-%d", folder && strlen(folder) < 60 ? folder : "/tmp",
                 (int)getpid());
        check_told(path);
        unlink(path);
}

static void the_manager_is_told_by_an_abstract_name(void **state) {
        char name[100];

        (void)state;
        snprintf(name, sizeof name, "@catena-notify-%d", (int)getpid());
        check_told(name);
}

static void nobody_there_is_an_error(void **state) {
        struct err_note note = {0};

        (void)state;
        assert_err(notify_send("@catena-nobody-at-all", "READY=1", &note), ERR_CLOSED, "catena-nobody");
        assert_err(notify_send("relative", "READY=1", &note), ERR_INVALID, "no socket");
        assert_err(notify_send("", "READY=1", &note), ERR_INVALID, "no socket");
        assert_err(notify_send("/", "READY=1", &note), ERR_INVALID, "no socket");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_manager_is_told_by_a_path),
                cmocka_unit_test(the_manager_is_told_by_an_abstract_name),
                cmocka_unit_test(nobody_there_is_an_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
