// SPDX-License-Identifier: Apache-2.0
#include "local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"

enum { BACKLOG = 64 };

static enum err fail(struct err_note *note, const char *what, const char *folder, const char *name) {
        int errnum = errno;
        enum err code = errnum == ENOENT                                                ? ERR_NOT_FOUND
                        : errnum == EACCES || errnum == EPERM                           ? ERR_DENIED
                        : errnum == ECONNREFUSED || errnum == ECONNRESET                ? ERR_CLOSED
                        : errnum == EOPNOTSUPP || errnum == ENOTSUP || errnum == ENOSYS ? ERR_UNSUPPORTED
                        : errnum == EAGAIN                                              ? ERR_BUSY
                                                                                        : ERR_IO;

        return err_set(note, code, "%s %s/%s: %s", what, folder, name, strerror(errnum));
}

static enum err open_folder(const char *folder, const char *name, struct fd *ret, struct err_note *note) {
        ret->fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return ret->fd < 0 ? fail(note, "open the socket", folder, name) : ERR_NONE;
}

/* However long the folder's path is, this one is short. */
static enum err address_of(const struct fd *folder, const char *name, struct sockaddr_un *ret,
                           struct err_note *note) {
        if (!*name || strlen(name) > LOCAL_NAME_MAX || strchr(name, '/'))
                return err_set(note, ERR_INVALID, "'%s' is no name of a socket", name);
        *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
        snprintf(ret->sun_path, sizeof ret->sun_path, "/proc/self/fd/%d/%s", folder->fd, name);
        return ERR_NONE;
}

static int make_socket(void) {
        return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

bool local_is_trusted(uint32_t uid) {
        return uid == geteuid() || uid == 0;
}

enum err local_listen(const char *folder, const char *name, int *ret_fd, struct err_note *note) {
        AUTO(fd_fini) struct fd dir = {-1}, fd = {-1};
        struct sockaddr_un address;

        if (open_folder(folder, name, &dir, note) || address_of(&dir, name, &address, note))
                return note->code;
        fd.fd = make_socket();
        /* Before bind: the file is made with the mode that the socket has. */
        if (fd.fd < 0 || fchmod(fd.fd, 0600) < 0 || (unlinkat(dir.fd, name, 0) < 0 && errno != ENOENT) ||
            bind(fd.fd, (struct sockaddr *)&address, sizeof address) < 0)
                return fail(note, "make the socket", folder, name);
        if (listen(fd.fd, BACKLOG) < 0) {
                (void)fail(note, "listen on", folder, name);
                (void)unlinkat(dir.fd, name, 0);
                return note->code;
        }
        *ret_fd = fd_take(&fd);
        return ERR_NONE;
}

void local_unlisten(const char *folder, const char *name) {
        AUTO(fd_fini) struct fd dir = {-1};
        struct err_note unused;

        if (!open_folder(folder, name, &dir, &unused))
                (void)unlinkat(dir.fd, name, 0);
}

static enum err check_peer(int fd, struct local_peer *ret, struct err_note *note) {
        struct ucred who;
        socklen_t n = sizeof who;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
                return err_set(note, ERR_DENIED, "ask who is connected: %s", strerror(errno));
        if (!local_is_trusted(who.uid))
                return err_set(note, ERR_DENIED, "pid %d of uid %u is neither of uid %u nor root", who.pid,
                               who.uid, geteuid());
        *ret = (struct local_peer){.uid = who.uid, .pid = (uint64_t)who.pid};
        return ERR_NONE;
}

enum err local_accept_any(int listener, int *ret_fd, struct err_note *note) {
        int fd;

        do
                fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
        if (fd < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
                return err_set(note, ERR_IO, "accept a connection: %s", strerror(errno));
        *ret_fd = fd;
        return ERR_NONE;
}

enum err local_accept(int listener, int *ret_fd, struct local_peer *ret, struct err_note *note) {
        AUTO(fd_fini) struct fd fd = {-1};

        if (local_accept_any(listener, &fd.fd, note) || (fd.fd >= 0 && check_peer(fd.fd, ret, note)))
                return note->code;
        *ret_fd = fd_take(&fd);
        return ERR_NONE;
}

enum err local_connect(const char *folder, const char *name, int *ret_fd, struct err_note *note) {
        AUTO(fd_fini) struct fd dir = {-1}, fd = {-1};
        struct sockaddr_un address;
        struct local_peer peer;

        if (open_folder(folder, name, &dir, note) || address_of(&dir, name, &address, note))
                return note->code;
        fd.fd = make_socket();
        if (fd.fd < 0 || connect(fd.fd, (struct sockaddr *)&address, sizeof address) < 0)
                return fail(note, "connect to", folder, name);
        if (check_peer(fd.fd, &peer, note))
                return err_wrap(note, "connect to %s/%s", folder, name);
        *ret_fd = fd_take(&fd);
        return ERR_NONE;
}

/* ---- by a path ------------------------------------------------------------------------------- */

/* *ret_name lies within path; *ret_folder is the caller's to free. */
static void split(const char *path, char **ret_folder, const char **ret_name) {
        const char *slash = strrchr(path, '/');

        *ret_name = slash ? slash + 1 : path;
        *ret_folder = slash == path ? mem_text("/")
                      : slash       ? mem_format("%.*s", (int)(slash - path), path)
                                    : mem_text(".");
}

/* Whether the name is free, or that of a socket that nobody listens on. */
static enum err check_free(const char *path, const char *folder, const char *name, struct err_note *note) {
        struct stat stat;
        enum err failed;
        int fd = -1;

        if (lstat(path, &stat) < 0)
                return ERR_NONE;
        if (!S_ISSOCK(stat.st_mode))
                return err_set(note, ERR_EXISTS, "%s is there, and is no socket", path);
        failed = local_connect(folder, name, &fd, note);
        if (fd >= 0)
                close(fd);
        if (!failed || failed == ERR_DENIED)
                return err_set(note, ERR_BUSY, "another process listens on %s", path);
        return failed == ERR_CLOSED || failed == ERR_NOT_FOUND ? ERR_NONE : failed;
}

enum err local_listen_at(const char *path, int *ret_fd, struct err_note *note) {
        AUTO_FREE char *folder = NULL;
        const char *name;

        split(path, &folder, &name);
        if (check_free(path, folder, name, note))
                return note->code;
        return local_listen(folder, name, ret_fd, note);
}

void local_unlisten_at(const char *path) {
        (void)unlink(path);
}

enum err local_pair(int ret_fds[2], struct err_note *note) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) < 0)
                return err_set(note, ERR_IO, "make a pair of sockets: %s", strerror(errno));
        return ERR_NONE;
}

bool local_is_open(int fd) {
        return fd >= 0 && fcntl(fd, F_GETFD) >= 0;
}

void local_close(int fd) {
        close(fd);
}
