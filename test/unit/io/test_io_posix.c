// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "bytes.h"
#include "io.h"
#include "io_posix.h"
#include "temp_dir.h"

struct place {
        struct io *io; /* owned */
        char *dir;     /* owned */
};

static int set_up(void **state) {
        struct place *place = mem_new(struct place);

        place->io = io_posix_new();
        place->dir = temp_dir_new();
        *state = place;
        return 0;
}

static int tear_down(void **state) {
        struct place *place = *state;

        io_free(place->io);
        temp_dir_free(place->dir);
        free(place);
        return 0;
}

static struct io *io_of(void **state) {
        return ((struct place *)*state)->io;
}

/* A path in the test's directory; good until the eighth call from now. */
static const char *in(struct place *place, const char *name) {
        static char paths[8][512];
        static unsigned turn;
        char *path = paths[turn++ % 8];

        snprintf(path, 512, "%s/%s", place->dir, name);
        return path;
}

static struct io_file *opened(struct place *place, const char *name, unsigned flags) {
        struct io_file *file = NULL;
        struct err_note note;

        assert_ok(io_open(place->io, in(place, name), flags, &file, &note));
        return file;
}

static struct io_file *made(struct place *place, const char *name, const char *content) {
        struct io_file *file = opened(place, name, IO_CREATE);
        struct err_note note;

        assert_ok(io_write(file, content, strlen(content), 0, &note));
        return file;
}

static uint64_t allocated(struct io_file *file) {
        struct io_stat stat;
        struct err_note note;

        assert_ok(io_stat(file, &stat, &note));
        return stat.allocated;
}

/* ---- opening ---- */

static void what_is_written_is_read(void **state) {
        AUTO(io_close) struct io_file *file = made(*state, "a", "hello, disk");
        struct err_note note;
        char text[6] = "";

        assert_ok(io_read(file, text, 5, 0, &note));
        assert_string_equal(text, "hello");
        assert_ok(io_write(file, "HELLO", 5, 100000, &note));
        assert_ok(io_read(file, text, 5, 100000, &note));
        assert_string_equal(text, "HELLO");
        assert_ok(io_read(file, text, 5, 50000, &note));
        assert_true(bytes_are_zero(text, 5));
        assert_ok(io_sync(file, &note));
        assert_string_equal(io_path(file), in(*state, "a"));
}

static void create_never_takes_over_a_file(void **state) {
        AUTO(io_close) struct io_file *file = made(*state, "a", "first");
        struct io_file *other;
        struct err_note note;

        assert_err(io_open(io_of(state), in(*state, "a"), IO_CREATE, &other, &note), ERR_EXISTS, "create");
}

static void modes_are_as_promised(void **state) {
        mode_t mask = umask(0);
        AUTO(io_close) struct io_file *unmasked = opened(*state, "unmasked", IO_CREATE);
        AUTO(io_close)
        struct io_file *unmasked_private = opened(*state, "unmasked private", IO_CREATE | IO_PRIVATE);
        struct stat stat_;
        struct err_note note;

        assert_ok(io_make_dir(io_of(state), in(*state, "folder"), &note));
        assert_ok(io_make_private_dir(io_of(state), in(*state, "private folder"), &note));
        umask(mask);
        assert_int_equal(stat(in(*state, "folder"), &stat_), 0);
        assert_int_equal(stat_.st_mode & 0777, 0755);
        assert_int_equal(stat(in(*state, "private folder"), &stat_), 0);
        assert_int_equal(stat_.st_mode & 0777, 0700);
        assert_int_equal(stat(io_path(unmasked), &stat_), 0);
        assert_int_equal(stat_.st_mode & 0777, 0644);
        assert_int_equal(stat(io_path(unmasked_private), &stat_), 0);
        assert_int_equal(stat_.st_mode & 0777, 0600);
}

static void who_else_may_at_a_file_is_told(void **state) {
        static const struct {
                mode_t mode;
                bool is_private;
        } cases[] = {{0600, true}, {0400, true}, {0644, false}, {0640, false}, {0604, false}, {0620, false}};
        AUTO(io_close) struct io_file *file = opened(*state, "a", IO_CREATE | IO_PRIVATE);
        struct io_stat stat_;
        struct err_note note;

        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                assert_int_equal(chmod(io_path(file), cases[i].mode), 0);
                assert_ok(io_stat(file, &stat_, &note));
                assert_int_equal(stat_.is_private, cases[i].is_private);
        }
}

static void files_do_not_leak_into_children(void **state) {
        AUTO(io_close) struct io_file *file = opened(*state, "a", IO_CREATE);

        assert_true(fcntl(io_posix_file(file)->fd, F_GETFD) & FD_CLOEXEC);
}

static void what_is_missing_is_not_found(void **state) {
        AUTO(io_close) struct io_file *file = made(*state, "a", "x");
        struct io *io = io_of(state);
        struct io_file *other;
        struct io_stat stat;
        struct err_note note;
        char *canonical;

        assert_err(io_open(io, in(*state, "b"), IO_READ, &other, &note), ERR_NOT_FOUND, "b: no such file");
        assert_err(io_open(io, in(*state, "a/b"), IO_READ, &other, &note), ERR_NOT_FOUND, "not a directory");
        assert_err(io_stat_path(io, in(*state, "b"), &stat, &note), ERR_NOT_FOUND, "stat ");
        assert_err(io_unlink(io, in(*state, "b"), &note), ERR_NOT_FOUND, "unlink ");
        assert_err(io_rename(io, in(*state, "b"), in(*state, "c"), &note), ERR_NOT_FOUND, "rename ");
        assert_err(io_link(io, in(*state, "b"), in(*state, "c"), &note), ERR_NOT_FOUND, "link ");
        assert_err(io_sync_dir(io, in(*state, "b"), &note), ERR_NOT_FOUND, "sync directory ");
        assert_err(io_remove_dir(io, in(*state, "b"), &note), ERR_NOT_FOUND, "remove directory ");
        assert_err(io_canonical(io, in(*state, "b"), &canonical, &note), ERR_NOT_FOUND, "resolve ");
}

static void a_pipe_is_refused_at_once(void **state) {
        struct io_file *file;
        struct err_note note;

        assert_int_equal(mkfifo(in(*state, "pipe"), 0600), 0);
        assert_err(io_open(io_of(state), in(*state, "pipe"), IO_READ, &file, &note), ERR_INVALID,
                   "neither a file nor a block device");
}

static void an_open_file_can_be_told_from_its_name(void **state) {
        AUTO(io_close) struct io_file *file = made(*state, "a", "12345");
        struct io *io = io_of(state);
        struct io_stat by_file, by_path;
        struct err_note note;

        assert_ok(io_link(io, in(*state, "a"), in(*state, "b"), &note));
        assert_ok(io_stat(file, &by_file, &note));
        assert_ok(io_stat_path(io, in(*state, "b"), &by_path, &note));
        assert_int_equal(by_file.size, 5);
        assert_int_equal(by_file.links, 2);
        assert_true(by_file.device == by_path.device && by_file.inode == by_path.inode);
        assert_false(by_file.is_directory || by_file.is_block_device);
        assert_true(by_file.modified_ns > 0 && by_file.modified_ns <= io_wall_ns(io));

        assert_ok(io_unlink(io, in(*state, "a"), &note));
        io_close(made(*state, "a", "6"));
        assert_ok(io_stat_path(io, in(*state, "a"), &by_path, &note));
        assert_true(by_file.inode != by_path.inode);
        assert_ok(io_stat_path(io, in(*state, "."), &by_path, &note));
        assert_true(by_path.is_directory);
}

/* ---- bytes ---- */

static void a_read_past_the_end_is_cut_short(void **state) {
        AUTO(io_close) struct io_file *file = made(*state, "a", "12345");
        struct err_note note;
        char text[8];
        size_t n = 99;

        assert_err(io_read(file, text, 6, 0, &note), ERR_CUT_SHORT, "read 6 at 0 is past the end");
        assert_err(io_read(file, text, 1, 5, &note), ERR_CUT_SHORT, "read 1 at 5");
        assert_err(io_read(file, text, 1, UINT64_MAX, &note), ERR_CUT_SHORT, "past the end");
        assert_err(io_read(file, text, 8, INT64_MAX - 3, &note), ERR_CUT_SHORT, "past the end");
        assert_ok(io_read_some(file, text, 8, 3, &n, &note));
        assert_int_equal(n, 2);
        assert_memory_equal(text, "45", 2);
        assert_ok(io_read_some(file, text, 8, 5, &n, &note));
        assert_int_equal(n, 0);
        assert_ok(io_read_some(file, text, 8, UINT64_MAX, &n, &note));
        assert_int_equal(n, 0);
        assert_ok(io_read(file, text, 0, 100, &note));
}

static void what_no_file_can_hold_is_too_large(void **state) {
        AUTO(io_close) struct io_file *file = made(*state, "a", "12345");
        struct err_note note;

        assert_err(io_write(file, "x", 1, INT64_MAX, &note), ERR_TOO_LARGE, "write 1 at 9223372036854775807");
        assert_err(io_write(file, "x", 1, UINT64_MAX, &note), ERR_TOO_LARGE, "write 1");
        assert_err(io_truncate(file, UINT64_MAX, &note), ERR_TOO_LARGE, "truncate");
        assert_err(io_punch(file, UINT64_MAX, 1, &note), ERR_TOO_LARGE, "punch");
}

static void a_file_size_limit_is_too_large_not_a_signal(void **state) {
        AUTO(io_close) struct io_file *file = made(*state, "a", "12345");
        struct rlimit old, small = {4096, 4096};
        struct err_note note;
        char data[8192] = "";

        getrlimit(RLIMIT_FSIZE, &old);
        small.rlim_max = old.rlim_max;
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &small);
        /* The first half goes through, the second does not: a short write is no success. */
        enum err err = io_write(file, data, sizeof data, 0, &note);

        setrlimit(RLIMIT_FSIZE, &old);
        signal(SIGXFSZ, SIG_DFL);
        assert_err(err, ERR_TOO_LARGE, "write 8192 at 0");
}

static void truncate_cuts_and_grows(void **state) {
        AUTO(io_close) struct io_file *file = made(*state, "a", "12345");
        struct err_note note;
        struct io_stat stat;
        char text[5];

        assert_ok(io_truncate(file, 2, &note));
        assert_ok(io_truncate(file, 5, &note));
        assert_ok(io_stat(file, &stat, &note));
        assert_int_equal(stat.size, 5);
        assert_ok(io_read(file, text, 5, 0, &note));
        assert_memory_equal(text, "12\0\0\0", 5);
}

static void punched_bytes_are_zeros_and_give_back_their_space(void **state) {
        AUTO(io_close) struct io_file *file = opened(*state, "a", IO_CREATE);
        AUTO_FREE uint8_t *data = mem_zero(MIB);
        struct err_note note;
        struct io_stat stat;
        uint64_t before;

        memset(data, 7, MIB);
        assert_ok(io_write(file, data, MIB, 0, &note));
        assert_ok(io_sync(file, &note));
        before = allocated(file);
        assert_ok(io_punch(file, MIB / 2, MIB / 4, &note));
        assert_ok(io_sync(file, &note));
        assert_true(allocated(file) + MIB / 4 < before);
        assert_ok(io_read(file, data, MIB, 0, &note));
        assert_true(data[MIB / 4 - 1] == 7 && data[MIB / 4 * 3] == 7);
        assert_true(bytes_are_zero(data + MIB / 4, MIB / 2));

        assert_ok(io_punch(file, MIB, MIB / 2, &note));
        assert_ok(io_stat(file, &stat, &note));
        assert_int_equal(stat.size, MIB);
        assert_ok(io_punch(file, 0, 0, &note));
}

static void data_and_holes_are_told_apart(void **state) {
        AUTO(io_close) struct io_file *file = opened(*state, "a", IO_CREATE);
        AUTO_FREE uint8_t *data = mem_zero(MIB);
        uint64_t start, end, seen = 0;
        struct err_note note;

        memset(data, 7, MIB);
        assert_ok(io_truncate(file, 16 * MIB, &note));
        assert_ok(io_write(file, data, MIB, 4 * MIB, &note));
        assert_ok(io_write(file, data, MIB, 8 * MIB, &note));
        for (uint64_t at = 0;; at = end) {
                assert_ok(io_next_data(file, at, &start, &end, &note));
                if (start == end)
                        break;
                assert_true(at <= start && start < end && end <= 16 * MIB);
                seen += end - start;
        }
        assert_int_equal(start, 16 * MIB);
        assert_true(seen >= 2 * MIB); /* what was written is seen, on any file system */
        assert_ok(io_next_data(file, 4 * MIB + 5, &start, &end, &note));
        assert_int_equal(start, 4 * MIB + 5);
        assert_ok(io_next_data(file, UINT64_MAX, &start, &end, &note));
        assert_true(start == 16 * MIB && end == 16 * MIB);
}

static void cloned_blocks_read_the_same_or_are_unsupported(void **state) {
        AUTO(io_close) struct io_file *from = opened(*state, "from", IO_CREATE);
        AUTO(io_close) struct io_file *to = opened(*state, "to", IO_CREATE);
        uint8_t data[8192], got[8192];
        struct err_note note;
        enum err err;

        memset(data, 7, sizeof data);
        assert_ok(io_write(from, data, sizeof data, 0, &note));
        assert_ok(io_clone_range(from, 0, to, 0, 0, &note));
        err = io_clone_range(from, 0, to, 4096, sizeof data, &note);
        if (err) {
                assert_err(err, ERR_UNSUPPORTED, "clone 8192 at 0");
                return;
        }
        assert_ok(io_read(to, got, sizeof got, 4096, &note));
        assert_memory_equal(got, data, sizeof data);
}

static void direct_files_take_aligned_requests_only(void **state) {
        AUTO(io_close) struct io_file *file = opened(*state, "a", IO_CREATE | IO_DIRECT);
        AUTO_FREE uint8_t *data = mem_aligned(4096, 8192);
        struct err_note note;
        size_t n;

        memset(data, 7, 8192);
        assert_ok(io_write(file, data, 8192, 4096, &note));
        memset(data, 1, 8192);
        assert_ok(io_read(file, data, 8192, 4096, &note));
        assert_true(data[0] == 7 && data[8191] == 7);
        assert_err(io_write(file, data, 512, 0, &note), ERR_INVALID, "write 512 at 0: not aligned");
        assert_err(io_write(file, data + 512, 4096, 0, &note), ERR_INVALID, "not aligned");
        assert_err(io_read(file, data, 4096, 512, &note), ERR_INVALID, "read 4096 at 512: not aligned");

        assert_ok(io_truncate(file, 4096 + 512, &note));
        assert_ok(io_read_some(file, data, 8192, 0, &n, &note));
        assert_int_equal(n, 4096 + 512);
        assert_err(io_read(file, data, 8192, 0, &note), ERR_CUT_SHORT, "past the end");
        assert_ok(io_read_some(file, data, 4096, 8192, &n, &note));
        assert_int_equal(n, 0);
}

static void a_directory_has_no_bytes(void **state) {
        AUTO(io_close) struct io_file *dir = opened(*state, ".", IO_READ);
        struct err_note note;
        char text[4];

        assert_err(io_read(dir, text, 4, 0, &note), ERR_INVALID, "is a directory");
}

/* A loop device over a file of the test, gone with its last close; -1 where this system or user has none. */
static int loop_new(const char *path, char device[32]) {
        struct loop_config config = {.info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
        int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
        int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
        int fd = -1;

        if (control >= 0)
                close(control);
        snprintf(device, 32, "/dev/loop%d", number);
        if (number >= 0)
                fd = open(device, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return -1;
        config.fd = (uint32_t)open(path, O_RDWR | O_CLOEXEC);
        number = ioctl(fd, LOOP_CONFIGURE, &config);
        close((int)config.fd);
        if (number == 0)
                return fd;
        close(fd);
        return -1;
}

static void a_block_device_has_a_size_and_can_be_punched(void **state) {
        struct io_file *file = opened(*state, "disk", IO_CREATE);
        AUTO(io_close) struct io_file *device = NULL;
        struct io_stat stat, by_path;
        uint8_t data[8192];
        struct err_note note;
        char path[32];
        int fd;

        assert_ok(io_truncate(file, MIB, &note));
        fd = loop_new(io_path(file), path);
        io_close(file);
        if (fd < 0)
                skip_because("no loop device to be had");
        assert_ok(io_open(io_of(state), path, IO_WRITE, &device, &note));
        close(fd);
        assert_ok(io_stat(device, &stat, &note));
        assert_true(stat.is_block_device && stat.size == MIB);
        assert_ok(io_stat_path(io_of(state), path, &by_path, &note));
        assert_true(by_path.size == MIB && by_path.device == stat.device && by_path.inode == stat.inode);

        memset(data, 7, sizeof data);
        assert_ok(io_write(device, data, sizeof data, 4096, &note));
        assert_ok(io_sync(device, &note));
        assert_ok(io_punch(device, 4096, 4096, &note));
        assert_ok(io_read(device, data, sizeof data, 4096, &note));
        assert_true(bytes_are_zero(data, 4096) && data[4096] == 7);
        assert_err(io_read(device, data, sizeof data, MIB - 4096, &note), ERR_CUT_SHORT, "past the end");
        assert_err(io_write(device, data, sizeof data, MIB - 4096, &note), ERR_NO_SPACE, "write 8192");
        assert_ok(io_lock(device, IO_EXCLUSIVE, &note));
}

/* ---- names ---- */

static void rename_replaces_and_link_does_not(void **state) {
        AUTO(io_close) struct io_file *a = made(*state, "a", "a");
        AUTO(io_close) struct io_file *b = made(*state, "b", "b");
        struct io *io = io_of(state);
        struct err_note note;
        char text[1];

        assert_err(io_link(io, in(*state, "a"), in(*state, "b"), &note), ERR_EXISTS, "link ");
        assert_ok(io_rename(io, in(*state, "a"), in(*state, "b"), &note));
        assert_ok(io_sync_dir(io, in(*state, "."), &note));

        AUTO(io_close) struct io_file *now = opened(*state, "b", IO_READ);

        assert_ok(io_read(now, text, 1, 0, &note));
        assert_int_equal(text[0], 'a');
        assert_ok(io_read(b, text, 1, 0, &note)); /* who has it open keeps it */
        assert_int_equal(text[0], 'b');
        assert_string_equal(io_path(a), in(*state, "a"));
}

static void directories_are_made_listed_and_removed(void **state) {
        struct io *io = io_of(state);
        AUTO(io_names_fini) struct io_names names = {0};
        AUTO(io_names_fini) struct io_names none = {0};
        struct err_note note;

        assert_ok(io_make_dir(io, in(*state, "d"), &note));
        assert_err(io_make_dir(io, in(*state, "d"), &note), ERR_EXISTS, "make directory ");
        assert_ok(io_list(io, in(*state, "d"), &none, &note));
        assert_int_equal(none.names.n, 0);
        io_close(made(*state, "d/z", ""));
        io_close(made(*state, "d/.hidden", ""));
        io_close(made(*state, "d/a", ""));
        assert_ok(io_list(io, in(*state, "d"), &names, &note));
        assert_int_equal(names.names.n, 3);
        assert_string_equal(names.names.data[0], ".hidden");
        assert_string_equal(names.names.data[1], "a");
        assert_string_equal(names.names.data[2], "z");

        assert_err(io_remove_dir(io, in(*state, "d"), &note), ERR_BUSY, "not empty");
        VEC_EACH (&names.names, each) {
                AUTO_FREE char *path = mem_format("d/%s", *each);

                assert_ok(io_unlink(io, in(*state, path), &note));
        }
        assert_ok(io_remove_dir(io, in(*state, "d"), &note));
        assert_err(io_list(io, in(*state, "d"), &none, &note), ERR_NOT_FOUND, "list ");
}

static void a_canonical_path_is_without_links_and_dots(void **state) {
        struct place *place = *state;
        AUTO_FREE char *dir = NULL, *file = NULL;
        struct err_note note;

        io_close(made(place, "a", ""));
        assert_int_equal(symlink("a", in(place, "link")), 0);
        assert_ok(io_canonical(place->io, place->dir, &dir, &note));
        assert_ok(io_canonical(place->io, in(place, "././link"), &file, &note));
        assert_int_equal(file[0], '/');
        assert_memory_equal(file, dir, strlen(dir));
        assert_string_equal(file + strlen(dir), "/a");
}

static void space_is_told(void **state) {
        struct place *place = *state;
        struct io_space space = {0};
        struct err_note note;

        assert_ok(io_space(place->io, place->dir, &space, &note));
        assert_true(space.total > 0 && space.free <= space.total);
}

/* ---- locks ---- */

/* A process that does `hold` to a file of its own opening, and keeps it until ended. */
struct other {
        pid_t pid;
        int to_child, from_child;
};

static struct other other_start(const char *path, void (*hold)(const char *path)) {
        int down[2], up[2];
        struct other other;
        char byte;

        assert_int_equal(pipe2(down, O_CLOEXEC), 0);
        assert_int_equal(pipe2(up, O_CLOEXEC), 0);
        other.pid = fork();
        if (other.pid == 0) {
                close(down[1]);
                close(up[0]);
                hold(path);
                if (write(up[1], "x", 1) == 1)
                        (void)!read(down[0], &byte, 1); /* ends with our parent, too */
                _exit(0);
        }
        close(down[0]);
        close(up[1]);
        assert_int_equal(read(up[0], &byte, 1), 1); /* else: it could not get its lock */
        return (struct other){other.pid, down[1], up[0]};
}

static void other_end(struct other other) {
        int status;

        close(other.to_child);
        assert_int_equal(waitpid(other.pid, &status, 0), other.pid);
        close(other.from_child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void hold_lock(const char *path, enum io_lock lock) {
        struct io_file *file;
        struct err_note note;

        if (io_open(io_posix_new(), path, IO_WRITE, &file, &note) || io_lock(file, lock, &note))
                _exit(1);
}

static void hold_exclusive(const char *path) {
        hold_lock(path, IO_EXCLUSIVE);
}

static void hold_shared(const char *path) {
        hold_lock(path, IO_SHARED);
}

static void hold_open(const char *path) {
        if (open(path, O_RDONLY | O_CLOEXEC) < 0)
                _exit(1);
}

static void who_has_a_file_open_is_found_also_without_a_lock(void **state) {
        struct place *place = *state;
        struct io_openers openers = {0};
        struct io_file *files[2];
        struct other other;

        io_close(made(place, "a", "a"));
        io_close(made(place, "b", "b"));
        assert_int_equal(link(in(place, "b"), in(place, "c")), 0);
        other = other_start(in(place, "c"), hold_open);
        files[0] = opened(place, "a", IO_WRITE);
        files[1] = opened(place, "b", IO_READ);
        io_find_opener(place->io, files, 2, &openers);
        assert_true(openers.is_found);
        assert_int_equal(openers.which, 1);
        assert_int_equal(openers.pid, other.pid);
        assert_true(openers.name[0] != '\0');
        io_find_opener(place->io, files, 1, &openers);
        assert_false(openers.is_found); /* we have it open, and do not count */
        assert_false(openers.is_blind);
        other_end(other);
        io_find_opener(place->io, files, 2, &openers);
        assert_false(openers.is_found);
        io_close(files[0]);
        io_close(files[1]);
}

static void a_loop_device_over_a_file_is_found(void **state) {
        struct io_file *file = opened(*state, "disk", IO_CREATE);
        struct io_openers openers = {0};
        struct err_note note;
        char path[32];
        int fd;

        assert_ok(io_truncate(file, MIB, &note));
        fd = loop_new(io_path(file), path);
        if (fd < 0) {
                io_close(file);
                skip_because("no loop device to be had");
        }
        io_find_opener(io_of(state), &file, 1, &openers);
        close(fd);
        io_close(file);
        assert_true(openers.is_found);
        assert_int_equal(openers.pid, 0);
        assert_string_equal(openers.name, path + strlen("/dev/"));
}

/* As qemu does: read locks on single bytes, tests for others'. */
static void hold_bytes(const char *path, const char *held) {
        int fd = open(path, O_RDWR | O_CLOEXEC);

        for (const char *at = held; fd >= 0 && *at;) {
                struct flock lock = {
                        .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = atoi(at), .l_len = 1};

                if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
                        _exit(1);
                at += strcspn(at, " ");
                at += strspn(at, " ");
        }
}

static void hold_as_qemu_reader(const char *path) {
        hold_bytes(path, "100 201 203");
}

static void hold_as_qemu_writer(const char *path) {
        hold_bytes(path, "100 101 103 201 203");
}

static void hold_as_raw_writer(const char *path) {
        hold_bytes(path, "101");
}

static void hold_as_old_program(const char *path) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

        if (fcntl(open(path, O_RDWR | O_CLOEXEC), F_SETLK, &lock) < 0)
                _exit(1);
}

static bool can_lock_byte(const char *path, off_t at) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
        int fd = open(path, O_RDWR | O_CLOEXEC);

        assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
        close(fd);
        return lock.l_type == F_UNLCK;
}

static void a_lock_binds_other_processes_and_names_its_holder(void **state) {
        static const struct {
                void (*hold)(const char *);
                enum err shared, exclusive;
        } cases[] = {
                {hold_exclusive, ERR_BUSY, ERR_BUSY},      {hold_shared, ERR_NONE, ERR_BUSY},
                {hold_as_qemu_reader, ERR_NONE, ERR_BUSY}, {hold_as_qemu_writer, ERR_BUSY, ERR_BUSY},
                {hold_as_raw_writer, ERR_BUSY, ERR_BUSY},  {hold_as_old_program, ERR_BUSY, ERR_BUSY},
        };

        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                AUTO_FREE char *name = mem_format("file %zu", i);
                AUTO(io_close) struct io_file *file = made(*state, name, "");
                struct other other = other_start(io_path(file), cases[i].hold);
                AUTO_FREE char *words = mem_format("locked by pid %d (test_io_posix)", (int)other.pid);
                struct err_note note;

                if (cases[i].shared)
                        assert_err(io_lock(file, IO_SHARED, &note), cases[i].shared, words);
                else
                        assert_ok(io_lock(file, IO_SHARED, &note));
                /* Also while we hold an equal lock ourselves: not taken for the one in the way. */
                assert_err(io_lock(file, IO_EXCLUSIVE, &note), cases[i].exclusive, words);
                other_end(other); /* a lock ends with its holder */
                assert_ok(io_lock(file, IO_EXCLUSIVE, &note));
        }
}

static void a_lock_binds_other_openers_in_this_process(void **state) {
        AUTO(io_close) struct io_file *first = made(*state, "a", "");
        AUTO(io_close) struct io_file *reader = opened(*state, "a", IO_READ);
        AUTO(io_close) struct io_file *writer = opened(*state, "a", IO_WRITE);
        struct err_note note;

        assert_ok(io_lock(first, IO_EXCLUSIVE, &note));
        assert_ok(io_lock(first, IO_EXCLUSIVE, &note));
        assert_err(io_lock(reader, IO_SHARED, &note), ERR_BUSY, "locked by this process");
        assert_err(io_lock(writer, IO_EXCLUSIVE, &note), ERR_BUSY, "locked by this process");
        io_close(opened(*state, "a", IO_WRITE)); /* unlike POSIX locks: another's close takes nothing away */
        assert_err(io_lock(reader, IO_SHARED, &note), ERR_BUSY, "locked by this process");
        io_close(TAKE(first));
        assert_ok(io_lock(reader, IO_SHARED, &note));
        assert_ok(io_lock(writer, IO_SHARED, &note));
        assert_err(io_lock(writer, IO_EXCLUSIVE, &note), ERR_BUSY, "locked by this process");
        assert_ok(io_lock(reader, IO_UNLOCKED, &note));
        assert_ok(io_lock(writer, IO_EXCLUSIVE, &note));
}

static void a_change_that_fails_keeps_the_old_lock(void **state) {
        AUTO(io_close) struct io_file *one = made(*state, "a", "");
        AUTO(io_close) struct io_file *two = opened(*state, "a", IO_WRITE);
        AUTO(io_close) struct io_file *three = opened(*state, "a", IO_WRITE);
        struct err_note note;

        assert_ok(io_lock(one, IO_SHARED, &note));
        assert_ok(io_lock(two, IO_SHARED, &note));
        assert_err(io_lock(one, IO_EXCLUSIVE, &note), ERR_BUSY, "");
        assert_ok(io_lock(two, IO_UNLOCKED, &note));
        assert_err(io_lock(three, IO_EXCLUSIVE, &note), ERR_BUSY, ""); /* one still has its own */
        assert_ok(io_lock(one, IO_UNLOCKED, &note));
        assert_ok(io_lock(three, IO_EXCLUSIVE, &note));
}

static void a_weakened_lock_lets_readers_in_and_holds_no_byte_more(void **state) {
        AUTO(io_close) struct io_file *one = made(*state, "a", "");
        AUTO(io_close) struct io_file *two = opened(*state, "a", IO_WRITE);
        struct err_note note;

        assert_ok(io_lock(one, IO_EXCLUSIVE, &note));
        assert_ok(io_lock(one, IO_SHARED, &note));
        for (off_t at = 0; at < 256; at++)
                assert_int_equal(can_lock_byte(io_path(one), at), at != 100 && at != 201 && at != 203);
        assert_ok(io_lock(two, IO_SHARED, &note));
        assert_ok(io_lock(two, IO_UNLOCKED, &note));
        assert_err(io_lock(two, IO_EXCLUSIVE, &note), ERR_BUSY, "");
        other_end(other_start(io_path(one), hold_as_qemu_reader));
}

static void a_refused_shared_lock_leaves_nothing_behind(void **state) {
        AUTO(io_close) struct io_file *file = made(*state, "a", "");
        struct other other = other_start(io_path(file), hold_as_raw_writer);
        struct err_note note;

        assert_err(io_lock(file, IO_SHARED, &note), ERR_BUSY, "");
        for (off_t at = 0; at < 256; at++)
                assert_int_equal(can_lock_byte(io_path(file), at), at != 101);
        other_end(other);
}

/* ---- streams ---- */

/* Puts fds in the place of standard input and output, and back. */
struct swapped {
        int saved[2];
};

static struct swapped swap_in(int in_fd, int out_fd) {
        struct swapped swapped = {{fcntl(0, F_DUPFD_CLOEXEC, 10), fcntl(1, F_DUPFD_CLOEXEC, 10)}};

        fflush(stdout);
        assert_int_equal(dup2(in_fd, 0), 0);
        assert_int_equal(dup2(out_fd, 1), 1);
        return swapped;
}

static void swap_back(struct swapped swapped) {
        for (int i = 0; i < 2; i++) {
                dup2(swapped.saved[i], i);
                close(swapped.saved[i]);
        }
}

enum { STREAM_BYTES = 300000 };

static uint8_t stream_byte(size_t at) {
        return (uint8_t)(at * 7 + at / 251);
}

static void *copy_slowly(void *arg) {
        int *fds = arg;
        size_t at = 0;
        uint8_t some[4096];
        ssize_t n;

        usleep(20000);
        while ((n = read(fds[0], some, sizeof some)) > 0)
                for (ssize_t i = 0; i < n; i++)
                        if (some[i] != stream_byte(at++))
                                return NULL;
        return at == STREAM_BYTES ? arg : NULL;
}

static void a_stream_waits_for_a_slow_reader(void **state) {
        struct place *place = *state;
        AUTO_FREE uint8_t *data = mem_zero(STREAM_BYTES);
        struct io_file *out = NULL;
        struct err_note note;
        enum err err;
        pthread_t reader;
        int fds[2];
        void *was_right;

        for (size_t i = 0; i < STREAM_BYTES; i++)
                data[i] = stream_byte(i);
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        fcntl(fds[1], F_SETFL, O_NONBLOCK); /* as a shell's other child may have left it */
        pthread_create(&reader, NULL, copy_slowly, fds);
        struct swapped swapped = swap_in(fds[0], fds[1]);

        close(fds[1]);
        err = io_open_standard(place->io, IO_STDOUT, &out, &note);
        if (!err)
                err = io_stream_write(out, data, STREAM_BYTES, &note);
        if (out)
                io_close(out);
        bool is_still_open = fcntl(1, F_GETFD) >= 0;

        swap_back(swapped);
        pthread_join(reader, &was_right);
        close(fds[0]);
        assert_ok(err);
        assert_true(is_still_open); /* closing our file does not close the process's output */
        assert_non_null(was_right);
}

static void *write_late(void *arg) {
        int *fds = arg;

        usleep(20000);
        (void)!write(fds[1], "late", 4);
        usleep(1000);
        close(fds[1]);
        return NULL;
}

static void a_stream_ends_when_its_writer_has_gone(void **state) {
        struct place *place = *state;
        struct io_file *in_file = NULL;
        struct err_note note;
        pthread_t writer;
        size_t n = 0, last = 99;
        char text[16];
        enum err err;
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        fcntl(fds[0], F_SETFL, O_NONBLOCK);
        pthread_create(&writer, NULL, write_late, fds);
        struct swapped swapped = swap_in(fds[0], 1);

        err = io_open_standard(place->io, IO_STDIN, &in_file, &note);
        if (!err)
                err = io_stream_read(in_file, text, sizeof text, &n, &note);
        if (!err)
                err = io_stream_read(in_file, text, sizeof text, &last, &note);
        swap_back(swapped);
        pthread_join(writer, NULL);
        close(fds[0]);
        if (in_file)
                io_close(in_file);
        assert_ok(err);
        assert_int_equal(n, 4);
        assert_int_equal(last, 0);
}

static void *stop_soon(void *stop) {
        usleep(20000);
        atomic_store((atomic_bool *)stop, true);
        return NULL;
}

static void a_stream_that_is_stopped_waits_no_longer(void **state) {
        struct place *place = *state;
        struct io_file *in = NULL;
        struct err_note note;
        atomic_bool stop = false;
        pthread_t thread;
        enum err err, again = ERR_NONE;
        char byte;
        size_t n;
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        struct swapped swapped = swap_in(fds[0], 1);

        io_set_stop(place->io, &stop);
        assert_int_equal(pthread_create(&thread, NULL, stop_soon, &stop), 0);
        err = io_open_standard(place->io, IO_STDIN, &in, &note);
        if (!err)
                err = io_stream_read(in, &byte, 1, &n, &note); /* nobody writes */
        if (in) {
                again = io_stream_read(in, &byte, 1, &n, &note);
                io_close(in);
        }
        io_set_stop(place->io, NULL);
        pthread_join(thread, NULL);
        swap_back(swapped);
        close(fds[0]);
        close(fds[1]);
        assert_int_equal(err, ERR_CANCELLED);
        assert_err(again, ERR_CANCELLED, "read standard input: interrupted");
}

static void a_stream_without_reader_is_closed(void **state) {
        struct place *place = *state;
        struct io_file *out = NULL;
        struct err_note note;
        enum err err;
        int fds[2];

        signal(SIGPIPE, SIG_IGN);
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        struct swapped swapped = swap_in(0, fds[1]);

        close(fds[0]);
        close(fds[1]);
        err = io_open_standard(place->io, IO_STDOUT, &out, &note);
        if (!err)
                err = io_stream_write(out, "x", 1, &note);
        if (out)
                io_close(out);
        swap_back(swapped);
        assert_err(err, ERR_CLOSED, "write standard output");
}

/* ---- streams that were handed over ---- */

/* An adopted end of a pipe or of a pair of sockets; *ret_other is the other one. */
static struct io_file *adopt(struct place *place, bool is_pipe, unsigned flags, const atomic_bool *stop,
                             int *ret_other) {
        struct io_file *file = NULL;
        struct err_note note;
        int fds[2], mine = flags & IO_WRITE ? 1 : 0;

        if (is_pipe)
                assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        else
                assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        *ret_other = fds[1 - mine];
        assert_ok(io_adopt_stream(place->io, fds[mine], flags, "it", stop, &file, &note));
        return file;
}

static void bytes_go_through_an_adopted_stream_however_slow_its_reader(void **state) {
        struct place *place = *state;
        AUTO_FREE uint8_t *data = mem_zero(STREAM_BYTES);

        for (size_t i = 0; i < STREAM_BYTES; i++)
                data[i] = stream_byte(i);
        for (unsigned is_pipe = 0; is_pipe < 2; is_pipe++) {
                struct err_note note;
                pthread_t reader;
                void *was_right;
                int fds[2];
                struct io_file *out = adopt(place, is_pipe, IO_WRITE, NULL, &fds[0]);

                pthread_create(&reader, NULL, copy_slowly, fds);
                assert_ok(io_stream_write(out, data, STREAM_BYTES, &note));
                io_close(out); /* its reader sees the end: it was the only writer */
                pthread_join(reader, &was_right);
                close(fds[0]);
                assert_non_null(was_right);
        }
}

static void an_adopted_stream_that_is_stopped_waits_no_longer(void **state) {
        struct place *place = *state;
        AUTO_FREE uint8_t *data = mem_zero(STREAM_BYTES);

        for (unsigned kind = 0; kind < 4; kind++) {
                unsigned flags = kind & 1 ? IO_WRITE : IO_READ;
                atomic_bool stop = false;
                struct err_note note;
                pthread_t thread;
                int other;
                struct io_file *file = adopt(place, kind & 2, flags, &stop, &other);
                size_t n;

                assert_int_equal(pthread_create(&thread, NULL, stop_soon, &stop), 0);
                if (flags & IO_WRITE) /* nobody reads */
                        assert_err(io_stream_write(file, data, STREAM_BYTES, &note), ERR_CANCELLED,
                                   "write it: interrupted");
                else
                        assert_err(io_stream_read(file, data, 1, &n, &note), ERR_CANCELLED,
                                   "read it: interrupted");
                pthread_join(thread, NULL);
                io_close(file);
                close(other);
        }
}

static void one_adopted_streams_stop_is_not_anothers(void **state) {
        struct place *place = *state;
        atomic_bool stop = true, all = true, never = false;
        struct io_file *stopped, *other;
        struct err_note note;
        char byte;
        int ends[2];
        size_t n;

        stopped = adopt(place, true, IO_READ, &stop, &ends[0]);
        other = adopt(place, true, IO_READ, &never, &ends[1]);
        io_set_stop(place->io, &all); /* of those that have no stop of their own */
        assert_int_equal(write(ends[1], "x", 1), 1);
        assert_ok(io_stream_read(other, &byte, 1, &n, &note));
        assert_err(io_stream_read(stopped, &byte, 1, &n, &note), ERR_CANCELLED, "interrupted");
        io_set_stop(place->io, NULL);
        io_close(stopped);
        io_close(other);
        close(ends[0]);
        close(ends[1]);
}

static void the_flags_of_who_handed_it_over_stay_his(void **state) {
        struct place *place = *state;
        struct io_file *out = NULL;
        struct err_note note;
        int fds[2], copy;

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        copy = dup(fds[1]); /* of one description, as a descriptor that was sent is */
        assert_ok(io_adopt_stream(place->io, copy, IO_WRITE, "it", NULL, &out, &note));
        assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
        assert_ok(io_stream_write(out, "x", 1, &note));
        assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
        io_close(out);
        close(fds[0]);
        close(fds[1]);
}

static void a_descriptor_of_the_wrong_kind_is_not_adopted(void **state) {
        struct place *place = *state;
        struct io_file *file = NULL;
        struct err_note note;
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        assert_err(io_adopt_stream(place->io, fds[0], IO_WRITE, "it", NULL, &file, &note), ERR_INVALID,
                   "it: it is not open for writing");
        assert_int_equal(fcntl(fds[0], F_GETFD), -1); /* ours, also where it fails */
        assert_err(io_adopt_stream(place->io, fds[1], IO_READ, "it", NULL, &file, &note), ERR_INVALID,
                   "it: it is not open for reading");
}

/* ---- clock, dice, errors ---- */

static void the_clock_goes_on_and_the_dice_fall(void **state) {
        struct io *io = io_of(state);
        uint64_t before = io_now_ns(io), dice[4] = {0};
        uint8_t more[300] = {0};

        io_sleep_ns(io, 2000000);
        assert_true(io_now_ns(io) >= before + 2000000);
        assert_true(io_wall_ns(io) > INT64_C(1700000000) * 1000000000);
        for (int i = 0; i < 4; i++)
                dice[i] = io_random_u64(io);
        assert_false(dice[0] == dice[1] && dice[1] == dice[2] && dice[2] == dice[3]);
        io_random(io, more, sizeof more);
        assert_false(bytes_are_zero(more + 256, 44)); /* more than one getrandom is sure to give at once */
}

static void errors_mean_what_a_caller_can_do(void **state) {
        static const struct {
                int errnum;
                enum err code;
                const char *text;
        } cases[] = {
                {ENOSPC, ERR_NO_SPACE, "write 512 at 4096: no space left"},
                {EDQUOT, ERR_NO_SPACE, "write 512 at 4096: quota exceeded"},
                {EIO, ERR_IO, "write 512 at 4096: input/output error"},
                {ESTALE, ERR_IO, "write 512 at 4096: Stale file handle"},
                {EROFS, ERR_READ_ONLY, "write 512 at 4096: read-only file system"},
                {EACCES, ERR_DENIED, "write 512 at 4096: permission denied"},
                {EPERM, ERR_DENIED, "write 512 at 4096: not permitted"},
                {EBUSY, ERR_BUSY, "write 512 at 4096: in use"},
                {ENOMEM, ERR_NO_MEMORY, "write 512 at 4096: out of memory"},
                {EOPNOTSUPP, ERR_UNSUPPORTED, "write 512 at 4096: not supported"},
                {ENOSYS, ERR_UNSUPPORTED, "write 512 at 4096: not supported"},
                {EPIPE, ERR_CLOSED, "write 512 at 4096: other end closed"},
        };
        struct err_note note;

        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                assert_int_equal(io_posix_fail(&note, cases[i].errnum, "write %d at %d", 512, 4096),
                                 cases[i].code);
                assert_int_equal(note.code, cases[i].code);
                assert_string_equal(note.text, cases[i].text);
        }
}

static void what_is_not_allowed_is_denied(void **state) {
        struct place *place = *state;
        struct io_file *file;
        struct err_note note;
        uid_t me = geteuid();
        enum err err;

        assert_int_equal(chmod(place->dir, 0500), 0);
        if (me == 0)
                assert_int_equal(seteuid(65534), 0); /* nothing is denied to root */
        err = io_open(place->io, in(place, "a"), IO_CREATE, &file, &note);
        assert_int_equal(seteuid(me), 0);
        chmod(place->dir, 0700);
        assert_err(err, ERR_DENIED, "permission denied");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(what_is_written_is_read),
                TEST(create_never_takes_over_a_file),
                TEST(modes_are_as_promised),
                TEST(who_else_may_at_a_file_is_told),
                TEST(files_do_not_leak_into_children),
                TEST(what_is_missing_is_not_found),
                TEST(a_pipe_is_refused_at_once),
                TEST(an_open_file_can_be_told_from_its_name),
                TEST(a_read_past_the_end_is_cut_short),
                TEST(what_no_file_can_hold_is_too_large),
                TEST(a_file_size_limit_is_too_large_not_a_signal),
                TEST(truncate_cuts_and_grows),
                TEST(punched_bytes_are_zeros_and_give_back_their_space),
                TEST(data_and_holes_are_told_apart),
                TEST(cloned_blocks_read_the_same_or_are_unsupported),
                TEST(direct_files_take_aligned_requests_only),
                TEST(a_directory_has_no_bytes),
                TEST(a_block_device_has_a_size_and_can_be_punched),
                TEST(rename_replaces_and_link_does_not),
                TEST(directories_are_made_listed_and_removed),
                TEST(a_canonical_path_is_without_links_and_dots),
                TEST(space_is_told),
                TEST(a_lock_binds_other_processes_and_names_its_holder),
                TEST(a_lock_binds_other_openers_in_this_process),
                TEST(who_has_a_file_open_is_found_also_without_a_lock),
                TEST(a_loop_device_over_a_file_is_found),
                TEST(a_change_that_fails_keeps_the_old_lock),
                TEST(a_weakened_lock_lets_readers_in_and_holds_no_byte_more),
                TEST(a_refused_shared_lock_leaves_nothing_behind),
                TEST(a_stream_waits_for_a_slow_reader),
                TEST(a_stream_ends_when_its_writer_has_gone),
                TEST(a_stream_that_is_stopped_waits_no_longer),
                TEST(a_stream_without_reader_is_closed),
                TEST(bytes_go_through_an_adopted_stream_however_slow_its_reader),
                TEST(an_adopted_stream_that_is_stopped_waits_no_longer),
                TEST(one_adopted_streams_stop_is_not_anothers),
                TEST(the_flags_of_who_handed_it_over_stay_his),
                TEST(a_descriptor_of_the_wrong_kind_is_not_adopted),
                TEST(the_clock_goes_on_and_the_dice_fall),
                TEST(errors_mean_what_a_caller_can_do),
                TEST(what_is_not_allowed_is_denied),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
