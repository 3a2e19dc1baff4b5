// SPDX-License-Identifier: Apache-2.0
/* Locks that bind other Catenas, this process's other openers, and qemu's tools.
 *
 * They are open file description locks (fcntl F_OFD_SETLK): owned by one opening of the file, not by the
 * process, gone with its close, and seen by every other fcntl lock.
 *
 * qemu keeps what it does with a file in single bytes.  Whoever uses permission p holds a read lock on byte
 * 100 + p; whoever forbids p to others holds one on byte 200 + p; each first takes its bytes and then tests
 * with a write lock that nobody holds 200 + p of what it uses and 100 + p of what it forbids.  Permissions
 * are 0 consistent read, 1 write, 2 write unchanged, 3 resize.  A reader of a format (qemu-img info, convert)
 * holds 100, 201 and 203 and tests 200, 101 and 103; a writer holds 101 and 103 besides and tests 201 and
 * 203.
 *
 *   IO_SHARED     speaks that protocol as a reader: holds 100, 201, 203, tests 101, 103.  So qemu's readers
 *                 and other shared holders pass, and a qemu writer is kept out, whichever came first: both
 *                 take before they test, so at least one sees the other.
 *   IO_EXCLUSIVE  a write lock on all bytes: a holder of any byte keeps us out, and we keep out all of them.
 *
 * Threads: any.
 */
#include "io_posix.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
        USES_CONSISTENT_READ = 100,
        USES_WRITE = 101,
        USES_RESIZE = 103,
        FORBIDS_WRITE = 201,
        FORBIDS_RESIZE = 203,
};

static const off_t shared_bytes[] = {USES_CONSISTENT_READ, FORBIDS_WRITE, FORBIDS_RESIZE};
static const off_t tested_bytes[] = {USES_WRITE, USES_RESIZE};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* l_pid must be 0 for these commands. */
static struct flock lock_of(short type, off_t at, off_t n) {
        return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = n};
}

static int set_lock(int fd, short type, off_t at, off_t n) {
        struct flock lock = lock_of(type, at, n);

        return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? errno : 0;
}

/* ---- who is it? ---- */

/* One line of /proc/<pid>/fdinfo/<fd>: is it the lock that the kernel told us of? */
static bool is_that_lock(const char *line, const struct flock *lock, uint64_t inode) {
        char type[8], end[24];
        unsigned long long line_inode, start;

        if (sscanf(line, "lock: %*d: %*s %*s %7s %*d %*x:%*x:%llu %llu %23s", type, &line_inode, &start,
                   end) != 4)
                return false;
        if (line_inode != inode || start != (uint64_t)lock->l_start)
                return false;
        if (strcmp(type, lock->l_type == F_WRLCK ? "WRITE" : "READ") != 0)
                return false;
        if (lock->l_len == 0)
                return strcmp(end, "EOF") == 0;
        return strtoull(end, NULL, 10) == (uint64_t)(lock->l_start + lock->l_len - 1);
}

static bool fd_holds(const char *pid, const char *fd, const struct flock *lock, const struct stat *file) {
        char path[64], line[256];
        struct stat other;
        bool found = false;
        FILE *info;

        snprintf(path, sizeof path, "/proc/%.20s/fdinfo/%.20s", pid, fd);
        info = fopen(path, "re");
        if (!info)
                return false;
        while (!found && fgets(line, sizeof line, info))
                found = is_that_lock(line, lock, file->st_ino);
        fclose(info);
        if (!found)
                return false;
        /* The inode's number alone may be another file system's.  Asked only now: looking at every file that
         * every process has open would hang at the first dead network mount. */
        snprintf(path, sizeof path, "/proc/%.20s/fd/%.20s", pid, fd);
        return stat(path, &other) == 0 && other.st_dev == file->st_dev && other.st_ino == file->st_ino;
}

/* own_fd is the asker's, or -1 in another process: it may hold an equal lock and is not the one. */
static bool process_holds(const char *pid, int own_fd, const struct flock *lock, const struct stat *file) {
        char path[64];
        struct dirent *entry;
        bool found = false;
        DIR *dir;

        snprintf(path, sizeof path, "/proc/%.20s/fdinfo", pid);
        dir = opendir(path);
        if (!dir)
                return false; /* has ended, or is not for us to see */
        while (!found && (entry = readdir(dir)))
                if (entry->d_name[0] != '.' && atoi(entry->d_name) != own_fd)
                        found = fd_holds(pid, entry->d_name, lock, file);
        closedir(dir);
        return found;
}

/* The kernel does not say whose an open file description's lock is, since many processes may share one. */
static long find_pid(int fd, const struct flock *lock) {
        struct dirent *entry;
        struct stat file;
        long found = 0;
        DIR *dir;

        if (lock->l_pid > 0)
                return lock->l_pid;
        if (fstat(fd, &file) < 0)
                return 0;
        dir = opendir("/proc");
        if (!dir)
                return 0;
        while (!found && (entry = readdir(dir))) {
                long pid = strtol(entry->d_name, NULL, 10);

                if (pid > 0 && process_holds(entry->d_name, pid == getpid() ? fd : -1, lock, &file))
                        found = pid;
        }
        closedir(dir);
        return found;
}

void io_posix_name_process(long pid, char name[32]) {
        char path[64];
        FILE *comm;

        snprintf(path, sizeof path, "/proc/%ld/comm", pid);
        comm = fopen(path, "re");
        if (!comm || !fgets(name, 32, comm))
                snprintf(name, 32, "unknown");
        name[strcspn(name, "\n")] = '\0';
        if (comm)
                fclose(comm);
}

/* Says who keeps us from a lock of that type, which was just refused. */
static enum err name_holder(int fd, const struct flock *wanted, struct err_note *note) {
        struct flock lock = *wanted;
        char name[32];
        long pid;

        if (fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
                return err_set(note, ERR_BUSY, "locked a moment ago by another process");
        pid = find_pid(fd, &lock);
        if (pid == 0)
                return err_set(note, ERR_BUSY, "locked by another process");
        if (pid == getpid())
                return err_set(note, ERR_BUSY, "locked by this process");
        io_posix_name_process(pid, name);
        return err_set(note, ERR_BUSY, "locked by pid %ld (%s)", pid, name);
}

static enum err refuse(int fd, int errnum, short type, off_t at, off_t n, struct err_note *note) {
        struct flock wanted = lock_of(type, at, n);

        if (errnum != EAGAIN && errnum != EACCES) /* POSIX lets a conflict be either */
                return io_posix_fail(note, errnum, "lock");
        return name_holder(fd, &wanted, note);
}

/* ---- the three states ---- */

static enum err unlock(int fd, struct err_note *note) {
        int errnum = set_lock(fd, F_UNLCK, 0, 0);

        return errnum ? io_posix_fail(note, errnum, "unlock") : ERR_NONE;
}

static enum err lock_all(int fd, struct err_note *note) {
        int errnum = set_lock(fd, F_WRLCK, 0, 0);

        return errnum ? refuse(fd, errnum, F_WRLCK, 0, 0, note) : ERR_NONE;
}

static enum err take_shared(int fd, struct err_note *note) {
        for (size_t i = 0; i < COUNT(shared_bytes); i++) {
                int errnum = set_lock(fd, F_RDLCK, shared_bytes[i], 1);

                if (errnum)
                        return refuse(fd, errnum, F_RDLCK, shared_bytes[i], 1, note);
        }
        return ERR_NONE;
}

static enum err test_shared(int fd, struct err_note *note) {
        for (size_t i = 0; i < COUNT(tested_bytes); i++) {
                struct flock test = lock_of(F_WRLCK, tested_bytes[i], 1);

                if (fcntl(fd, F_OFD_GETLK, &test) < 0)
                        return io_posix_fail(note, errno, "lock");
                if (test.l_type != F_UNLCK)
                        return refuse(fd, EAGAIN, F_WRLCK, tested_bytes[i], 1, note);
        }
        return ERR_NONE;
}

static enum err lock_shared(int fd, struct err_note *note) {
        struct err_note ignored;

        if (!take_shared(fd, note) && !test_shared(fd, note))
                return ERR_NONE;
        (void)!unlock(fd, &ignored); /* the reason for being here matters more */
        return note->code;
}

/* From exclusive: the bytes of a reader become a reader's, then all others are let go.  Nobody can come
 * between. */
static enum err weaken(int fd, struct err_note *note) {
        off_t at = 0;

        if (take_shared(fd, note))
                return note->code;
        for (size_t i = 0; i <= COUNT(shared_bytes); i++) {
                bool is_last = i == COUNT(shared_bytes);
                int errnum = set_lock(fd, F_UNLCK, at, is_last ? 0 : shared_bytes[i] - at);

                if (errnum)
                        return io_posix_fail(note, errnum, "lock");
                at = is_last ? 0 : shared_bytes[i] + 1;
        }
        return ERR_NONE;
}

static enum err change(int fd, enum io_lock from, enum io_lock to, struct err_note *note) {
        switch (to) {
        case IO_UNLOCKED:
                return unlock(fd, note);
        case IO_SHARED:
                return from == IO_EXCLUSIVE ? weaken(fd, note) : lock_shared(fd, note);
        case IO_EXCLUSIVE:
                return lock_all(fd, note); /* all or nothing: what was held stays where it fails */
        }
        assert(!"a lock that is none");
        return ERR_NONE;
}

enum err io_posix_lock(struct io_file *file, enum io_lock lock, struct err_note *note) {
        struct io_posix_file *self = io_posix_file(file);
        enum err err = ERR_NONE;

        pthread_mutex_lock(&self->mutex);
        if (lock != self->lock)
                err = change(self->fd, self->lock, lock, note);
        if (!err)
                self->lock = lock;
        pthread_mutex_unlock(&self->mutex);
        return err;
}
