// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "io_posix.h"

enum { STOP_EVERY_MS = 500, ADOPTED_STOP_EVERY_MS = 100, ATOMIC_PIECE = 4096 };

static int fd_of(struct io_file *file) {
        return io_posix_file(file)->fd;
}

enum err io_posix_open_standard(struct io *io, enum io_standard which, struct io_file **ret,
                                struct err_note *note) {
        struct io_file *file;
        int fd = which == IO_STDIN ? STDIN_FILENO : STDOUT_FILENO;
        const char *name = which == IO_STDIN ? "standard input" : "standard output";

        if (fcntl(fd, F_GETFD) < 0)
                return io_posix_fail(note, errno, "open %s", name);
        file = io_posix_file_new(io, name, which == IO_STDIN ? IO_READ : IO_WRITE, fd);
        file->is_stream = true;
        *ret = file;
        return ERR_NONE;
}

/* The one who gave it to us still has it: its description's flags are not ours to change.  A pipe can be
 * opened anew, without waiting; of anything else little is written at a time, when it says that it has room.
 */
static void reopen_pipe(struct io_posix_file *file, unsigned flags) {
        char path[40];
        struct stat stat_;
        int fd;

        file->may_block = true;
        if (fstat(file->fd, &stat_) < 0)
                return;
        file->may_block = !S_ISREG(stat_.st_mode) && !S_ISBLK(stat_.st_mode);
        if (!S_ISFIFO(stat_.st_mode))
                return;
        snprintf(path, sizeof path, "/proc/self/fd/%d", file->fd);
        fd = open(path, (flags & IO_WRITE ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return;
        close(file->fd);
        file->fd = fd;
        file->may_block = false;
}

enum err io_posix_adopt_stream(struct io *io, int fd, unsigned flags, const char *name, struct io_file **ret,
                               struct err_note *note) {
        struct io_file *file = io_posix_file_new(io, name, flags, fd);
        int mode = fcntl(fd, F_GETFL), wanted = flags & IO_WRITE ? O_WRONLY : O_RDONLY;

        file->is_stream = true;
        io_posix_file(file)->is_adopted = true;
        if (mode < 0 || ((mode & O_ACCMODE) != O_RDWR && (mode & O_ACCMODE) != wanted)) {
                io_close(file);
                return err_set(note, ERR_INVALID, "%s: it is not open for %s", name,
                               flags & IO_WRITE ? "writing" : "reading");
        }
        reopen_pipe(io_posix_file(file), flags);
        *ret = file;
        return ERR_NONE;
}

/* After a call on fd failed: whether it is worth asking again, having waited where the other side made it
 * non-blocking.  However long: a reader may be slow for a day. */
static bool may_try_again(struct io_file *file, short events) {
        struct pollfd wait = {.fd = fd_of(file), .events = events};

        if (errno == EINTR)
                return true;
        if (errno != EAGAIN)
                return false;
        if (poll(&wait, 1, io_posix_file(file)->is_adopted ? ADOPTED_STOP_EVERY_MS : -1) < 0 &&
            errno != EINTR)
                return false;
        return true; /* also after POLLERR and POLLHUP: the call itself says what happened */
}

/* Waits until it can go on, or until it is to end: a signal may come just before a call would begin to wait,
 * or come to another thread, so the wait is cut into pieces. */
static void wait_for(struct io_file *file, short events) {
        struct pollfd wait = {.fd = fd_of(file), .events = events};
        int ms = io_posix_file(file)->is_adopted ? ADOPTED_STOP_EVERY_MS : STOP_EVERY_MS;

        while ((file->stop || file->io->stop) && !io_is_stopped(file) && poll(&wait, 1, ms) == 0)
                ;
}

enum err io_posix_stream_read(struct io_file *file, void *ret, size_t n, size_t *ret_n,
                              struct err_note *note) {
        ssize_t moved;

        do {
                wait_for(file, POLLIN);
                if (io_is_stopped(file))
                        return err_set(note, ERR_CANCELLED, "read %s: interrupted", file->path);
                moved = read(fd_of(file), ret, n);
        } while (moved < 0 && may_try_again(file, POLLIN));
        if (moved < 0)
                return io_posix_fail(note, errno, "read %s", file->path);
        *ret_n = (size_t)moved;
        return ERR_NONE;
}

enum err io_posix_stream_write(struct io_file *file, const void *data, size_t n, struct err_note *note) {
        bool may_block = io_posix_file(file)->may_block;
        size_t done = 0;

        while (done < n) {
                ssize_t moved;

                if (may_block)
                        wait_for(file, POLLOUT);
                if (io_is_stopped(file))
                        return err_set(note, ERR_CANCELLED, "write %s: interrupted", file->path);
                moved = write(fd_of(file), (const char *)data + done,
                              may_block ? (size_t)min_u64(n - done, ATOMIC_PIECE) : n - done);
                if (moved < 0 && may_try_again(file, POLLOUT))
                        continue;
                if (moved < 0)
                        return io_posix_fail(note, errno, "write %s", file->path);
                done += (size_t)moved;
        }
        return ERR_NONE;
}
