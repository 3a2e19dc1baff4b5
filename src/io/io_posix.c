// SPDX-License-Identifier: Apache-2.0
#include "io_posix.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"

/* ---- errors ---- */

/* What is not here is ERR_IO in the C library's words. */
static const struct {
        int errnum;
        enum err code;
        const char *text; /* borrowed, static; NULL: the code's own */
} meanings[] = {
        {ENOSPC, ERR_NO_SPACE, NULL},
        {EDQUOT, ERR_NO_SPACE, "quota exceeded"},
        {EEXIST, ERR_EXISTS, NULL},
        {ENOENT, ERR_NOT_FOUND, "no such file or directory"},
        {ENOTDIR, ERR_NOT_FOUND, "a part of the path is not a directory"},
        {EACCES, ERR_DENIED, NULL},
        {EPERM, ERR_DENIED, "not permitted"},
        {EROFS, ERR_READ_ONLY, "read-only file system"},
        {EBUSY, ERR_BUSY, NULL},
        {EAGAIN, ERR_BUSY, NULL},
        {ETXTBSY, ERR_BUSY, NULL},
        {ENOTEMPTY, ERR_BUSY, "not empty"},
        {EOPNOTSUPP, ERR_UNSUPPORTED, NULL},
        {ENOSYS, ERR_UNSUPPORTED, NULL},
        {ENOLCK, ERR_UNSUPPORTED, "the file system has no locks to give"},
        {EXDEV, ERR_UNSUPPORTED, "not on the same file system"},
        {EPIPE, ERR_CLOSED, NULL},
        {ECONNRESET, ERR_CLOSED, NULL},
        {EFBIG, ERR_TOO_LARGE, NULL},
        {ENOMEM, ERR_NO_MEMORY, NULL},
        {EMFILE, ERR_NO_MEMORY, "too many open files"},
        {ENFILE, ERR_NO_MEMORY, "too many open files in the system"},
        {EINVAL, ERR_INVALID, NULL},
        {EISDIR, ERR_INVALID, "is a directory"},
        {ENAMETOOLONG, ERR_INVALID, "name too long"},
        {ELOOP, ERR_INVALID, "too many symbolic links"},
};

enum err io_posix_fail(struct err_note *note, int errnum, const char *fmt, ...) {
        char what[ERR_TEXT_SIZE];
        va_list args;

        va_start(args, fmt);
        vsnprintf(what, sizeof what, fmt, args);
        va_end(args);
        for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
                if (meanings[i].errnum == errnum) {
                        const char *why = meanings[i].text ? meanings[i].text : err_text(meanings[i].code);

                        err_set(note, meanings[i].code, "%s", why);
                        return err_wrap(note, "%s", what);
                }
        err_set(note, ERR_IO, "%s", errnum == EIO ? err_text(ERR_IO) : strerrordesc_np(errnum));
        return err_wrap(note, "%s", what);
}

/* ---- opening ---- */

static int fd_of(struct io_file *file) {
        return io_posix_file(file)->fd;
}

struct io_file *io_posix_file_new(struct io *io, const char *path, unsigned flags, int fd) {
        struct io_posix_file *file = mem_new(struct io_posix_file);

        io_file_init(&file->file, io, path, flags);
        file->fd = fd;
        pthread_mutex_init(&file->mutex, NULL);
        return &file->file;
}

static void posix_close(struct io_file *file) {
        struct io_posix_file *self = io_posix_file(file);

        if (!file->is_stream || self->is_adopted)
                close(self->fd);
        pthread_mutex_destroy(&self->mutex);
        io_file_fini(file);
        free(self);
}

/* A pipe would be waited for, a terminal has no offsets: neither is a file to us.  Asked before opening,
 * because opening is what would hang. */
static enum err check_kind(const char *path, struct err_note *note) {
        struct stat stat_;

        if (stat(path, &stat_) < 0 || S_ISREG(stat_.st_mode) || S_ISDIR(stat_.st_mode) ||
            S_ISBLK(stat_.st_mode))
                return ERR_NONE; /* open itself says what is wrong with the path */
        return err_set(note, ERR_INVALID, "open %s: is neither a file nor a block device", path);
}

static enum err posix_open(struct io *io, const char *path, unsigned flags, struct io_file **ret,
                           struct err_note *note) {
        int how = O_CLOEXEC | O_NOCTTY | (flags & IO_WRITE ? O_RDWR : O_RDONLY);
        int fd;

        if (flags & IO_CREATE)
                how |= O_CREAT | O_EXCL;
        else if (check_kind(path, note))
                return note->code;
        do
                fd = open(path, how, flags & IO_PRIVATE ? 0600 : 0644);
        while (fd < 0 && errno == EINTR);
        if (fd < 0)
                return io_posix_fail(note, errno, "%s %s", flags & IO_CREATE ? "create" : "open", path);

        /* Not O_DIRECT in open itself: where the file system refuses it, open would have created the file
         * already. Refused here means that the page cache is used, which io.h allows. */
        if (flags & IO_DIRECT)
                (void)!fcntl(fd, F_SETFL, O_DIRECT);
        *ret = io_posix_file_new(io, path, flags, fd);
        return ERR_NONE;
}

static enum err fill_stat(const struct stat *from, int fd, struct io_stat *ret) {
        *ret = (struct io_stat){
                .size = (uint64_t)from->st_size,
                .allocated = (uint64_t)from->st_blocks * 512,
                .device = from->st_dev,
                .inode = from->st_ino,
                .links = from->st_nlink,
                .modified_ns = from->st_mtim.tv_sec * INT64_C(1000000000) + from->st_mtim.tv_nsec,
                .is_directory = S_ISDIR(from->st_mode),
                .is_block_device = S_ISBLK(from->st_mode),
                .is_private = (from->st_mode & 077) == 0,
        };
        if (ret->is_block_device) {
                if (ioctl(fd, BLKGETSIZE64, &ret->size) < 0)
                        return ERR_IO; /* errno says what */
                ret->allocated = ret->size;
                /* Two nodes of one device are one file; no file has inode 0. */
                ret->device = from->st_rdev;
                ret->inode = 0;
        }
        return ERR_NONE;
}

static enum err posix_stat(struct io_file *file, struct io_stat *ret, struct err_note *note) {
        struct io_stat result;
        struct stat from;

        if (fstat(fd_of(file), &from) < 0 || fill_stat(&from, fd_of(file), &result))
                return io_posix_fail(note, errno, "stat");
        *ret = result;
        return ERR_NONE;
}

static enum err posix_stat_path(struct io *io, const char *path, struct io_stat *ret, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct stat from;

        if (stat(path, &from) < 0)
                return io_posix_fail(note, errno, "stat %s", path);
        if (!S_ISBLK(from.st_mode)) {
                (void)fill_stat(&from, -1, ret);
                return ERR_NONE;
        }
        /* A device tells its size only to who has it open. */
        if (posix_open(io, path, IO_READ, &file, note) || posix_stat(file, ret, note))
                return err_wrap(note, "stat %s", path);
        return ERR_NONE;
}

/* ---- bytes ---- */

static enum err posix_read_some(struct io_file *file, void *ret, size_t n, uint64_t at, size_t *ret_n,
                                struct err_note *note) {
        size_t done = 0;

        while (done < n) {
                ssize_t moved = pread(fd_of(file), (char *)ret + done, n - done, (off_t)(at + done));

                if (moved < 0 && errno == EINTR)
                        continue;
                if (moved < 0)
                        return io_posix_fail(note, errno, "read %zu at %" PRIu64, n, at);
                done += (size_t)moved;
                if (moved == 0)
                        break;
        }
        *ret_n = done;
        return ERR_NONE;
}

static enum err posix_write(struct io_file *file, const void *data, size_t n, uint64_t at,
                            struct err_note *note) {
        size_t done = 0;

        while (done < n) {
                ssize_t moved = pwrite(fd_of(file), (const char *)data + done, n - done, (off_t)(at + done));

                if (moved < 0 && errno == EINTR)
                        continue;
                if (moved <= 0)
                        return io_posix_fail(note, moved < 0 ? errno : EIO, "write %zu at %" PRIu64, n, at);
                done += (size_t)moved;
        }
        return ERR_NONE;
}

static int sync_fd(int fd) {
        int failed;

        /* fdatasync leaves out times only: a changed size and new blocks are on the platter with it. */
        do
                failed = fdatasync(fd);
        while (failed && errno == EINTR);
        return failed ? errno : 0;
}

/* After a sync that failed the kernel calls the pages clean and goes on showing them, though they are not on
 * the platter.  Without them whoever looks again sees what is there. */
static enum err fail_sync(struct io_file *file, int errnum, struct err_note *note) {
        (void)posix_fadvise(fd_of(file), 0, 0, POSIX_FADV_DONTNEED);
        return io_posix_fail(note, errnum, "sync");
}

static enum err posix_sync(struct io_file *file, struct err_note *note) {
        int errnum = sync_fd(fd_of(file));

        return errnum ? fail_sync(file, errnum, note) : ERR_NONE;
}

static enum err posix_truncate(struct io_file *file, uint64_t size, struct err_note *note) {
        int failed;

        do
                failed = ftruncate(fd_of(file), (off_t)size);
        while (failed && errno == EINTR);
        return failed ? io_posix_fail(note, errno, "truncate to %" PRIu64, size) : ERR_NONE;
}

static enum err posix_punch(struct io_file *file, uint64_t n, uint64_t at, struct err_note *note) {
        int failed;

        do
                failed = fallocate(fd_of(file), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
                                   (off_t)n);
        while (failed && errno == EINTR);
        return failed ? io_posix_fail(note, errno, "punch %" PRIu64 " at %" PRIu64, n, at) : ERR_NONE;
}

static enum err posix_clone_range(struct io_file *from, uint64_t from_at, struct io_file *to, uint64_t to_at,
                                  uint64_t n, struct err_note *note) {
        struct file_clone_range range = {fd_of(from), from_at, n, to_at};
        int errnum;

        if (ioctl(fd_of(to), FICLONERANGE, &range) == 0)
                return ERR_NONE;
        /* File systems say "cannot" in each of these ways; EINVAL also means "not at this alignment", which
         * is the same to a caller who then copies. */
        errnum = errno == EINVAL || errno == ENOTTY ? EOPNOTSUPP : errno;
        return io_posix_fail(note, errnum, "clone %" PRIu64 " at %" PRIu64, n, from_at);
}

static enum err posix_next_data(struct io_file *file, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                                struct err_note *note) {
        struct io_stat stat_;
        off_t start, end;

        if (posix_stat(file, &stat_, note))
                return note->code;
        *ret_start = *ret_end = stat_.size;
        if (at >= stat_.size)
                return ERR_NONE;
        start = lseek(fd_of(file), (off_t)at, SEEK_DATA);
        if (start < 0 && errno == ENXIO)
                return ERR_NONE;
        end = start < 0 ? -1 : lseek(fd_of(file), start, SEEK_HOLE);
        if (end < 0 && errno != EINVAL && errno != EOPNOTSUPP && errno != ENXIO)
                return io_posix_fail(note, errno, "seek data at %" PRIu64, at);
        if (end < 0) { /* cannot tell, or was cut under our eyes: all is data */
                *ret_start = at;
                return ERR_NONE;
        }
        *ret_start = (uint64_t)start;
        *ret_end = (uint64_t)end;
        return ERR_NONE;
}

/* ---- names ---- */

static enum err posix_rename(struct io *io, const char *from, const char *to, struct err_note *note) {
        (void)io;
        return rename(from, to) < 0 ? io_posix_fail(note, errno, "rename %s to %s", from, to) : ERR_NONE;
}

static enum err posix_link(struct io *io, const char *from, const char *to, struct err_note *note) {
        int errnum;

        (void)io;
        if (link(from, to) == 0)
                return ERR_NONE;
        /* EPERM: no links here at all.  EMLINK: no more of them.  The caller's way out is one: without links.
         */
        errnum = errno == EPERM || errno == EMLINK ? EOPNOTSUPP : errno;
        return io_posix_fail(note, errnum, "link %s to %s", from, to);
}

static enum err posix_unlink(struct io *io, const char *path, struct err_note *note) {
        (void)io;
        return unlink(path) < 0 ? io_posix_fail(note, errno, "unlink %s", path) : ERR_NONE;
}

static enum err posix_make_dir(struct io *io, const char *path, bool is_private, struct err_note *note) {
        (void)io;
        return mkdir(path, is_private ? 0700 : 0755) < 0
                       ? io_posix_fail(note, errno, "make directory %s", path)
                       : ERR_NONE;
}

static enum err posix_remove_dir(struct io *io, const char *path, struct err_note *note) {
        (void)io;
        if (rmdir(path) == 0)
                return ERR_NONE;
        /* POSIX lets a file system say either. */
        return io_posix_fail(note, errno == EEXIST ? ENOTEMPTY : errno, "remove directory %s", path);
}

static enum err posix_sync_dir(struct io *io, const char *path, struct err_note *note) {
        int fd, failed;

        (void)io;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return io_posix_fail(note, errno, "sync directory %s", path);
        do
                failed = fsync(fd);
        while (failed && errno == EINTR);
        failed = failed ? errno : 0;
        close(fd);
        /* EINVAL: it cannot.  Never passed over: what is built on it would not be durable. */
        return failed ? io_posix_fail(note, failed == EINVAL ? EOPNOTSUPP : failed, "sync directory %s", path)
                      : ERR_NONE;
}

static enum err posix_list(struct io *io, const char *path, struct io_names *ret, struct err_note *note) {
        struct dirent *entry;
        DIR *dir = opendir(path);
        int errnum;

        (void)io;
        if (!dir)
                return io_posix_fail(note, errno, "list %s", path);
        while ((errno = 0, entry = readdir(dir)))
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        *vec_add(&ret->names) = mem_text(entry->d_name);
        errnum = errno;
        closedir(dir);
        return errnum ? io_posix_fail(note, errnum, "list %s", path) : ERR_NONE;
}

static enum err posix_canonical(struct io *io, const char *path, char **ret, struct err_note *note) {
        char *result = realpath(path, NULL);

        (void)io;
        if (!result)
                return io_posix_fail(note, errno, "resolve %s", path);
        *ret = result;
        return ERR_NONE;
}

static enum err posix_space(struct io *io, const char *path, struct io_space *ret, struct err_note *note) {
        struct statvfs from;

        (void)io;
        if (statvfs(path, &from) < 0)
                return io_posix_fail(note, errno, "ask for the space of %s", path);
        *ret = (struct io_space){.total = from.f_blocks * from.f_frsize,
                                 .free = from.f_bavail * from.f_frsize};
        return ERR_NONE;
}

/* ---- clock, dice ---- */

static int64_t clock_ns(clockid_t clock) {
        struct timespec now;

        clock_gettime(clock, &now);
        return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static uint64_t posix_now_ns(struct io *io) {
        (void)io;
        return (uint64_t)clock_ns(CLOCK_MONOTONIC);
}

static int64_t posix_wall_ns(struct io *io) {
        (void)io;
        return clock_ns(CLOCK_REALTIME);
}

static void posix_sleep_ns(struct io *io, uint64_t ns) {
        uint64_t until = posix_now_ns(io) + min_u64(ns, INT64_MAX / 2);
        struct timespec at = {(time_t)(until / 1000000000), (long)(until % 1000000000)};

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
                ;
}

static void posix_random(struct io *io, void *ret, size_t n) {
        (void)io;
        for (size_t done = 0; done < n;) {
                ssize_t got = getrandom((char *)ret + done, n - done, 0);

                assert(got > 0 || errno == EINTR); /* nothing else can happen since Linux 3.17 */
                if (got > 0)
                        done += (size_t)got;
        }
}

/* ---- requests ---- */

unsigned io_posix_rest(const struct io_request *request, uint64_t done, struct iovec *ret, unsigned max) {
        unsigned n = 0;

        for (unsigned i = 0; i < request->n_vec && n < max; i++) {
                struct iovec vec = request->vec[i];
                size_t skip = (size_t)min_u64(done, vec.iov_len);

                done -= skip;
                if (skip < vec.iov_len)
                        ret[n++] = (struct iovec){(char *)vec.iov_base + skip, vec.iov_len - skip};
        }
        return n;
}

void io_posix_end(struct io_request *request, int errnum) {
        if (!errnum)
                request->result = ERR_NONE;
        else if (request->op == IO_OP_SYNC)
                request->result = fail_sync(request->file, errnum, &request->note);
        else
                request->result = io_posix_fail(&request->note, errnum, "%s %" PRIu64 " at %" PRIu64,
                                                request->op == IO_OP_READ ? "read" : "write",
                                                io_request_size(request), request->at);
}

void io_posix_end_short(struct io_request *request) {
        request->result =
                err_set(&request->note, ERR_CUT_SHORT, "read %" PRIu64 " at %" PRIu64 " is past the end",
                        io_request_size(request), request->at);
}

static void run_vectors(struct io_request *request) {
        uint64_t n = io_request_size(request), done = 0;
        int fd = fd_of(request->file);
        struct iovec rest[64];

        while (done < n) {
                int n_rest = (int)io_posix_rest(request, done, rest, sizeof rest / sizeof *rest);
                off_t at = (off_t)(request->at + done);
                ssize_t moved = request->op == IO_OP_READ ? preadv(fd, rest, n_rest, at)
                                                          : pwritev(fd, rest, n_rest, at);

                if (moved < 0 && errno == EINTR)
                        continue;
                if (moved < 0 || (moved == 0 && request->op == IO_OP_WRITE)) {
                        io_posix_end(request, moved < 0 ? errno : EIO);
                        return;
                }
                if (moved == 0) {
                        io_posix_end_short(request);
                        return;
                }
                done += (uint64_t)moved;
        }
        io_posix_end(request, 0);
}

void io_posix_run(struct io_request *request) {
        if (request->op == IO_OP_SYNC)
                io_posix_end(request, sync_fd(fd_of(request->file)));
        else
                run_vectors(request);
}

/* ---- the maker ---- */

static void posix_free(struct io *io) {
        free((struct io_posix *)io);
}

static const struct io_ops posix_ops = {
        .free = posix_free,
        .open = posix_open,
        .close = posix_close,
        .stat = posix_stat,
        .stat_path = posix_stat_path,
        .read_some = posix_read_some,
        .write = posix_write,
        .sync = posix_sync,
        .truncate = posix_truncate,
        .punch = posix_punch,
        .clone_range = posix_clone_range,
        .next_data = posix_next_data,
        .rename = posix_rename,
        .link = posix_link,
        .unlink = posix_unlink,
        .make_dir = posix_make_dir,
        .remove_dir = posix_remove_dir,
        .sync_dir = posix_sync_dir,
        .list = posix_list,
        .canonical = posix_canonical,
        .space = posix_space,
        .lock = io_posix_lock,
        .find_opener = io_posix_find_opener,
        .open_standard = io_posix_open_standard,
        .adopt_stream = io_posix_adopt_stream,
        .stream_read = io_posix_stream_read,
        .stream_write = io_posix_stream_write,
        .now_ns = posix_now_ns,
        .wall_ns = posix_wall_ns,
        .sleep_ns = posix_sleep_ns,
        .random = posix_random,
        .queue_new = io_pool_new,
};

struct io *io_posix_new(void) {
        struct io_posix *self = mem_new(struct io_posix);

        self->ops = posix_ops;
        self->io.ops = &self->ops;
        return &self->io;
}
