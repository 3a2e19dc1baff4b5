// SPDX-License-Identifier: Apache-2.0
/* A push on file systems of the kernel that share blocks between files, or do not: each made in a file and
 * mounted where only this process sees it, so that nothing is left behind, however it ends.  Skipped where
 * that cannot be done. */
#include "check.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chain.h"
#include "fixture.h"
#include "io_posix.h"
#include "mem.h"
#include "push.h"
#include "vhd_check.h"

enum { BLOCK = 2 * 1024 * 1024, BLOCKS = 8, ODD = BLOCK / 2 - 1024 };
#define SIZE ((uint64_t)BLOCKS * BLOCK)

static char *folder; /* owned */

/* ---- a file system of our own ---- */

static bool run(const char *command) {
        AUTO_FREE char *line = mem_format("cd '%s' && { %s; } >log 2>&1", folder, command);

        return system(line) == 0;
}

/* Mounts made from now on are this process's alone, and end with it. */
static bool hide_mounts(void) {
        static int is_hidden = -1;

        if (is_hidden < 0)
                is_hidden =
                        unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
        return is_hidden;
}

/* NULL: it is mounted at folder/m. */
static const char *mount_new(const char *mkfs) {
        AUTO_FREE char *make = mem_format("truncate -s 512M image && %s image && mkdir -p m", mkfs);

        if (geteuid() != 0)
                return "only root can mount a file system";
        if (!hide_mounts())
                return "mounts cannot be made private here";
        if (!run(make))
                return "mkfs.xfs is absent, or cannot make such a file system (apt: xfsprogs)";
        return run("mount -o loop image m") ? NULL : "the kernel cannot mount it from a file here";
}

static int make_folder(void **state) {
        const char *tmp = getenv("TMPDIR");

        (void)state;
        folder = mem_format("%s/push_reflink.XXXXXX", tmp ? tmp : "/tmp");
        return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
        AUTO_FREE char *command = mem_format("cd '%s' && { umount m 2>/dev/null; rm -f image log; "
                                             "test ! -e m || rmdir m; cd ..; rmdir '%s'; }",
                                             folder, folder);

        (void)state;
        free(TAKE(folder));
        return system(command);
}

/* ---- what goes through the seam ---- */

static uint64_t written, cloned; /* bytes */
static struct io_ops plain;
static struct io_queue_ops plain_queue, counting_queue;

static enum err count_write(struct io_file *file, const void *data, size_t n, uint64_t at,
                            struct err_note *note) {
        written += n;
        return plain.write(file, data, n, at, note);
}

static enum err count_clone(struct io_file *from, uint64_t from_at, struct io_file *to, uint64_t to_at,
                            uint64_t n, struct err_note *note) {
        enum err e = plain.clone_range(from, from_at, to, to_at, n, note);

        cloned += e ? 0 : n;
        return e;
}

static void count_submit(struct io_queue *queue, struct io_request *request) {
        written += request->op == IO_OP_WRITE ? io_request_size(request) : 0;
        plain_queue.submit(queue, request);
}

static enum err count_queue(struct io *io, unsigned depth, struct io_queue **ret, struct err_note *note) {
        if (plain.queue_new(io, depth, ret, note))
                return note->code;
        plain_queue = counting_queue = *(*ret)->ops;
        counting_queue.submit = count_submit;
        (*ret)->ops = &counting_queue;
        return ERR_NONE;
}

static struct io *counting_io(void) {
        struct io *io = io_uring_new();
        struct io_ops *ops = &((struct io_posix *)io)->ops;

        plain = *ops;
        ops->write = count_write;
        ops->clone_range = count_clone;
        ops->queue_new = count_queue;
        return io;
}

/* ---- a push ---- */

struct world {
        struct io *io;
        struct images images;
        char *path[2]; /* owned */
        uint8_t *want; /* owned */
};

/* Whole blocks, and in every other one a run that begins and ends within a page. */
static void fill_child(struct world *w) {
        struct chain *chain;
        struct err_note note;

        assert_ok(chain_open(&w->images, w->path[1], CHAIN_WRITE, &chain, &note));
        for (uint64_t i = 0; i < BLOCKS; i++) {
                uint64_t at = i * BLOCK + (i % 2 ? 4096 - SECTOR : 0), n = i % 2 ? ODD : BLOCK;

                fixture_fill(w->want + at, n, at, 2);
                assert_ok(chain_write(chain, w->want + at, n, at, &note));
        }
        assert_ok(chain_close(chain, &note));
}

static void world_init(struct world *w) {
        struct chain *chain;
        struct err_note note;

        w->io = counting_io();
        images_init(&w->images, w->io, NULL);
        w->want = mem_zero(SIZE);
        for (unsigned i = 0; i < 2; i++) {
                w->path[i] = mem_format("%s/m/%u.vhd", folder, i);
                assert_ok(fixture_vhd(w->io, w->path[i], SIZE, i ? w->path[0] : NULL, &note));
        }
        assert_ok(chain_open(&w->images, w->path[0], CHAIN_WRITE, &chain, &note));
        fixture_fill(w->want + BLOCK, BLOCK, BLOCK, 1);
        assert_ok(chain_write(chain, w->want + BLOCK, BLOCK, BLOCK, &note));
        assert_ok(chain_close(chain, &note));
        fill_child(w);
}

static void world_fini(struct world *w) {
        images_fini(&w->images);
        io_free(w->io);
        free(w->path[0]);
        free(w->path[1]);
        free(w->want);
        assert_true(run("umount m"));
}

static void push_all(struct world *w) {
        struct image *run_[2];
        struct push *push;
        struct err_note note;

        for (unsigned i = 0; i < 2; i++) {
                assert_ok(images_open(&w->images, w->path[i], IMAGE_VHD, false, &run_[i], &note));
                assert_ok(image_begin_write(run_[i], &note));
        }
        written = cloned = 0;
        assert_ok(push_new(run_, 2, NULL, &push, &note));
        while (push_phase(push) != PUSH_EMPTY)
                assert_ok(push_step(push, NULL, 0, &note));
        push_free(push);
        for (unsigned i = 0; i < 2; i++) {
                assert_ok(image_end_write(run_[i], &note));
                image_unref(run_[i]);
        }
}

/* Of the disk, and of the target alone, from the platter. */
static void reads_as_it_must(struct world *w) {
        AUTO_FREE uint8_t *got = mem_zero(SIZE);

        assert_true(run("umount m && mount -o loop image m"));
        for (unsigned i = 0; i < 2; i++) {
                AUTO(findings_fini) struct findings found = {0};
                struct chain *chain;
                struct err_note note;

                assert_ok(chain_open(&w->images, w->path[i], CHAIN_READ, &chain, &note));
                assert_ok(chain_read(chain, got, SIZE, 0, &note));
                assert_memory_equal(got, w->want, SIZE);
                assert_ok(chain_close(chain, &note));
                assert_ok(vhd_check(w->io, w->path[i], VHD_CHECK_BITMAPS, &found, &note));
                assert_int_equal(found.list.n, 0);
        }
}

static void push_on(const char *mkfs, bool shares) {
        const uint64_t moved = BLOCKS / 2 * ((uint64_t)BLOCK + ODD),
                       ends = BLOCKS / 2 * (1 + 5) *
                              SECTOR; /* before its first whole page, behind the last */
        const char *why_not = mount_new(mkfs);
        struct world w;

        if (why_not)
                skip_because(why_not);
        world_init(&w);
        push_all(&w);
        if (shares) {
                assert_int_equal(cloned, moved - ends);
                assert_in_range(written, 1, 64 * KIB); /* ends, bitmaps, tables, footers */
        } else {
                assert_int_equal(cloned, 0);
                assert_in_range(written, moved, moved + 64 * KIB);
        }
        reads_as_it_must(&w);
        world_fini(&w);
}

static void on_xfs_long_runs_are_shared_and_only_odd_ends_copied(void **state) {
        (void)state;
        push_on("mkfs.xfs -q -f -m reflink=1", true);
}

static void on_xfs_that_cannot_share_all_is_copied(void **state) {
        (void)state;
        push_on("mkfs.xfs -q -f -m reflink=0", false);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(on_xfs_long_runs_are_shared_and_only_odd_ends_copied),
                cmocka_unit_test(on_xfs_that_cannot_share_all_is_copied),
        };

        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
