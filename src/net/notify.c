// SPDX-License-Identifier: Apache-2.0
#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum err notify_send(const char *socket_name, const char *text, struct err_note *note) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        size_t n = strlen(socket_name);
        ssize_t sent;
        int fd;

        if (n < 2 || n >= sizeof address.sun_path || (*socket_name != '/' && *socket_name != '@'))
                return err_set(note, ERR_INVALID, "'%s' is no socket of a service manager", socket_name);
        memcpy(address.sun_path, socket_name, n);
        if (*socket_name == '@')
                address.sun_path[0] = '\0';
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return err_set(note, ERR_IO, "make a socket: %s", strerror(errno));
        sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
        if (sent < 0)
                (void)err_set(note, ERR_CLOSED, "tell %s: %s", socket_name, strerror(errno));
        close(fd);
        return sent < 0 ? note->code : ERR_NONE;
}
