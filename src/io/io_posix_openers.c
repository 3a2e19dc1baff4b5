// SPDX-License-Identifier: Apache-2.0
/* Who has a file open: what /proc says of the descriptors of other processes.
 *
 * A descriptor's fdinfo names the inode, and is asked first: looking at every file that every process has
 * open would hang at the first dead network mount.  Kernels before 5.14 do not name it; there the file itself
 * is looked at.
 *
 * Loop devices are asked too: the kernel has their files open, and no process.  Not seen: files that are only
 * mapped, swap.
 *
 * Threads: any.
 */
#include "io_posix.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem.h"

struct wanted {
        const struct stat *files; /* borrowed */
        size_t n;
        struct io_openers *ret; /* borrowed */
};

static bool is_one(const struct wanted *wanted, uint64_t inode) {
        for (size_t i = 0; i < wanted->n; i++)
                if (wanted->files[i].st_ino == inode)
                        return true;
        return false;
}

/* False only where fdinfo says that it is another file. */
static bool may_be_one(const struct wanted *wanted, const char *pid, const char *fd) {
        char path[64], line[256];
        bool may_be = true;
        uint64_t inode;
        FILE *info;

        snprintf(path, sizeof path, "/proc/%.20s/fdinfo/%.20s", pid, fd);
        info = fopen(path, "re");
        if (!info)
                return false; /* closed meanwhile */
        while (fgets(line, sizeof line, info)) {
                if (sscanf(line, "ino: %" SCNu64, &inode) != 1)
                        continue;
                may_be = is_one(wanted, inode);
                break;
        }
        fclose(info);
        return may_be;
}

static bool is_same_file(const struct stat *a, const struct stat *b) {
        return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Where it is one of those that are wanted it is found; who has it is for the caller to say. */
static bool compare(const struct wanted *wanted, const char *path) {
        struct stat open_one;

        if (stat(path, &open_one) < 0)
                return false;
        for (size_t i = 0; i < wanted->n && !wanted->ret->is_found; i++) {
                wanted->ret->is_found = is_same_file(&open_one, &wanted->files[i]);
                wanted->ret->which = i;
        }
        return wanted->ret->is_found;
}

static void look_at_fd(const struct wanted *wanted, const char *pid, const char *fd) {
        char path[64];

        if (!may_be_one(wanted, pid, fd))
                return;
        snprintf(path, sizeof path, "/proc/%.20s/fd/%.20s", pid, fd);
        if (!compare(wanted, path))
                return;
        wanted->ret->pid = strtol(pid, NULL, 10);
        io_posix_name_process(wanted->ret->pid, wanted->ret->name);
}

/* Kernel threads and what has ended have no command line, and no files. */
static bool has_files(const char *pid) {
        char path[64];
        FILE *line;
        bool has;

        snprintf(path, sizeof path, "/proc/%.20s/cmdline", pid);
        line = fopen(path, "re");
        if (!line)
                return false;
        has = fgetc(line) != EOF;
        fclose(line);
        return has;
}

static void look_at_process(const struct wanted *wanted, const char *pid) {
        char path[64];
        struct dirent *entry;
        DIR *dir;

        snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
        dir = opendir(path);
        if (!dir) {
                if (errno != ENOENT && errno != ESRCH && has_files(pid))
                        wanted->ret->n_unseen++;
                return;
        }
        while (!wanted->ret->is_found && (entry = readdir(dir)))
                if (entry->d_name[0] != '.')
                        look_at_fd(wanted, pid, entry->d_name);
        closedir(dir);
}

static void look_at_loop(const struct wanted *wanted, const char *device) {
        char path[4096 + 1];
        FILE *backing;

        snprintf(path, sizeof path, "/sys/block/%.20s/loop/backing_file", device);
        backing = fopen(path, "re");
        if (!backing)
                return; /* it has none */
        if (!fgets(path, sizeof path, backing))
                path[0] = '\0';
        fclose(backing);
        path[strcspn(path, "\n")] = '\0';
        if (compare(wanted, path))
                snprintf(wanted->ret->name, sizeof wanted->ret->name, "%.20s", device);
}

static void look_at_loops(const struct wanted *wanted) {
        struct dirent *entry;
        DIR *dir = opendir("/sys/block");

        if (!dir)
                return;
        while (!wanted->ret->is_found && (entry = readdir(dir)))
                if (strncmp(entry->d_name, "loop", 4) == 0)
                        look_at_loop(wanted, entry->d_name);
        closedir(dir);
}

void io_posix_find_opener(struct io *io, struct io_file *const *files, size_t n, struct io_openers *ret) {
        struct stat *stats = mem_zero(n * sizeof *stats);
        struct wanted wanted = {.files = stats, .n = n, .ret = ret};
        struct dirent *entry;
        DIR *dir = opendir("/proc");

        (void)io;
        ret->is_blind = !dir;
        for (size_t i = 0; i < n; i++)
                if (fstat(io_posix_file(files[i])->fd, &stats[i]) < 0)
                        ret->is_blind = true;
        while (dir && !ret->is_blind && !ret->is_found && (entry = readdir(dir))) {
                long pid = strtol(entry->d_name, NULL, 10);

                if (pid > 0 && pid != getpid())
                        look_at_process(&wanted, entry->d_name);
        }
        if (dir)
                closedir(dir);
        if (!ret->is_blind && !ret->is_found)
                look_at_loops(&wanted);
        free(stats);
}
