// SPDX-License-Identifier: Apache-2.0
/* A directory with moods, for tests, by FUSE: another one as it is, but that calls fail, or hang, as a
 * control file says.
 *
 *      moody -f MOUNT         MOODY_BELOW: the directory; MOODY_CONTROL: the file
 *
 * The control file has words: "ERRNO N AFTER" lets N calls that change something, or read, fail by that error
 * (5: EIO), after so many that do not; "hang N AFTER" lets one take N tenths of a second.  An empty or absent
 * one: all is well.
 *
 * Errors: those of the calls below, and the ones that were asked for.  Threads: one (-s). */
#define FUSE_USE_VERSION 31
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static int below = -1; /* the directory */

static const char *relative(const char *path) {
        return path[1] ? path + 1 : ".";
}

static int result(int got) {
        return got < 0 ? -errno : 0;
}

/* ---- moods ----------------------------------------------------------------------------------- */

static void hang(int tenths) {
        const struct timespec wait = {tenths / 10, tenths % 10 * 100000000L};

        nanosleep(&wait, NULL);
}

struct words {
        char what[16]; /* "hang", or the number of an error */
        int n, after;
};

static bool read_words(const char *path, struct words *ret) {
        FILE *file = path ? fopen(path, "r") : NULL;
        bool are_there = file && fscanf(file, "%15s %d %d", ret->what, &ret->n, &ret->after) == 3;

        if (file)
                fclose(file);
        return are_there;
}

static void write_words(const char *path, const struct words *words) {
        FILE *file = fopen(path, "w");

        if (!file)
                return;
        if (words->n > 0)
                fprintf(file, "%s %d %d\n", words->what, words->n, words->after);
        fclose(file);
}

/* What this call is to fail by; 0: nothing. */
static int mood(void) {
        const char *path = getenv("MOODY_CONTROL");
        struct words words;
        bool hangs;
        int tenths;

        if (!read_words(path, &words))
                return 0;
        hangs = strcmp(words.what, "hang") == 0;
        tenths = words.n;
        if (words.after > 0) {
                words.after--;
                write_words(path, &words);
                return 0;
        }
        words.n = hangs ? 0 : words.n - 1;
        write_words(path, &words);
        if (hangs)
                hang(tenths);
        return hangs ? 0 : -atoi(words.what);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static int on_getattr(const char *path, struct stat *ret, struct fuse_file_info *info) {
        (void)info;
        return result(fstatat(below, relative(path), ret, AT_SYMLINK_NOFOLLOW));
}

static int on_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t at,
                      struct fuse_file_info *info, enum fuse_readdir_flags flags) {
        int failed = mood(), fd = failed ? -1 : openat(below, relative(path), O_RDONLY | O_DIRECTORY);
        DIR *folder = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;

        (void)at, (void)info, (void)flags;
        if (!folder)
                return failed ? failed : -errno;
        while ((entry = readdir(folder)))
                fill(buffer, entry->d_name, NULL, 0, 0);
        closedir(folder);
        return 0;
}

static int open_as(const char *path, struct fuse_file_info *info, int flags, mode_t mode) {
        int failed = mood(), fd = failed ? -1 : openat(below, relative(path), flags, mode);

        if (fd < 0)
                return failed ? failed : -errno;
        info->fh = (uint64_t)fd;
        info->direct_io = 1; /* every read asks us */
        return 0;
}

static int on_open(const char *path, struct fuse_file_info *info) {
        return open_as(path, info, info->flags & ~O_DIRECT, 0);
}

static int on_create(const char *path, mode_t mode, struct fuse_file_info *info) {
        return open_as(path, info, (info->flags & ~O_DIRECT) | O_CREAT, mode);
}

static int on_read(const char *path, char *into, size_t n, off_t at, struct fuse_file_info *info) {
        int failed = mood();
        ssize_t got = failed ? 0 : pread((int)info->fh, into, n, at);

        (void)path;
        return failed ? failed : got < 0 ? -errno : (int)got;
}

static int on_write(const char *path, const char *from, size_t n, off_t at, struct fuse_file_info *info) {
        int failed = mood();
        ssize_t did = failed ? 0 : pwrite((int)info->fh, from, n, at);

        (void)path;
        return failed ? failed : did < 0 ? -errno : (int)did;
}

static int on_release(const char *path, struct fuse_file_info *info) {
        (void)path;
        close((int)info->fh);
        return 0;
}

static int on_fsync(const char *path, int only_data, struct fuse_file_info *info) {
        int failed = mood();

        (void)path, (void)only_data;
        return failed ? failed : result(fsync((int)info->fh));
}

static int on_fsyncdir(const char *path, int only_data, struct fuse_file_info *info) {
        (void)path, (void)only_data, (void)info;
        return mood();
}

static int on_truncate(const char *path, off_t size, struct fuse_file_info *info) {
        int fd = openat(below, relative(path), O_WRONLY), got;

        (void)info;
        if (fd < 0)
                return -errno;
        got = result(ftruncate(fd, size));
        close(fd);
        return got;
}

static int on_unlink(const char *path) {
        int failed = mood();

        return failed ? failed : result(unlinkat(below, relative(path), 0));
}

static int on_rename(const char *from, const char *to, unsigned flags) {
        int failed = mood();

        if (flags)
                return -EINVAL;
        return failed ? failed : result(renameat(below, relative(from), below, relative(to)));
}

static int on_link(const char *from, const char *to) {
        int failed = mood();

        return failed ? failed : result(linkat(below, relative(from), below, relative(to), 0));
}

static int on_mkdir(const char *path, mode_t mode) {
        int failed = mood();

        return failed ? failed : result(mkdirat(below, relative(path), mode));
}

static int on_rmdir(const char *path) {
        return result(unlinkat(below, relative(path), AT_REMOVEDIR));
}

static int on_statfs(const char *path, struct statvfs *ret) {
        (void)path;
        return result(fstatvfs(below, ret));
}

static const struct fuse_operations moody = {.getattr = on_getattr,
                                             .readdir = on_readdir,
                                             .open = on_open,
                                             .create = on_create,
                                             .read = on_read,
                                             .write = on_write,
                                             .release = on_release,
                                             .fsync = on_fsync,
                                             .fsyncdir = on_fsyncdir,
                                             .truncate = on_truncate,
                                             .unlink = on_unlink,
                                             .rename = on_rename,
                                             .link = on_link,
                                             .mkdir = on_mkdir,
                                             .rmdir = on_rmdir,
                                             .statfs = on_statfs};

int main(int argc, char **argv) {
        const char *path = getenv("MOODY_BELOW");

        below = path ? open(path, O_RDONLY | O_DIRECTORY) : -1;
        if (below < 0) {
                fprintf(stderr, "moody: MOODY_BELOW is no directory\n");
                return 1;
        }
        return fuse_main(argc, argv, &moody, NULL);
}
