// SPDX-License-Identifier: Apache-2.0
/* Each promise of io.h in both directions: what may be lost is lost under some seed and kept under another,
 * and what may not be lost never is.  Then faults, and a random history of bytes against plain arrays. */
#include <pthread.h>

#include "bytes.h"
#include "check.h"
#include "io_sim.h"
#include "mem.h"
#include "sim_dice.h"

enum { SEEDS = 20 * IO_SIM_STYLES, PAGE = 4096 };

static uint8_t ones[8 * PAGE], twos[8 * PAGE], threes[8 * PAGE];

static int fill(void **state) {
        (void)state;
        memset(ones, 1, sizeof ones);
        memset(twos, 2, sizeof twos);
        memset(threes, 3, sizeof threes);
        return 0;
}

static struct io_file *open_file(struct io *io, const char *path, unsigned flags) {
        struct io_file *file = NULL;
        struct err_note note;

        assert_ok(io_open(io, path, flags, &file, &note));
        return file;
}

static bool exists(struct io *io, const char *path) {
        struct io_stat stat;
        struct err_note note;

        return io_stat_path(io, path, &stat, &note) == ERR_NONE;
}

static struct io_stat stat_of(struct io *io, const char *path) {
        struct io_stat stat = {0};
        struct err_note note;

        assert_ok(io_stat_path(io, path, &stat, &note));
        return stat;
}

static uint64_t free_pages(struct io *io) {
        struct io_space space = {0};
        struct err_note note;

        assert_ok(io_space(io, "/", &space, &note));
        return space.free / PAGE;
}

/* Writes without a sync. */
static void put(struct io *io, const char *path, unsigned flags, const void *data, size_t n, uint64_t at) {
        AUTO(io_close) struct io_file *file = open_file(io, path, flags | IO_WRITE);
        struct err_note note;

        assert_ok(io_write(file, data, n, at, &note));
}

static void make_file(struct io *io, const char *path, const void *data, size_t n) {
        put(io, path, IO_CREATE, data, n, 0);
        io_sim_settle(io);
}

/* The first byte of the file, which all bytes of each sector equal; 0 where it is empty. */
static uint8_t byte_at(struct io *io, const char *path, uint64_t at) {
        AUTO(io_close) struct io_file *file = open_file(io, path, IO_READ);
        uint8_t got[SECTOR] = {0};
        struct err_note note;
        size_t n;

        assert_ok(io_read_some(file, got, sizeof got, at, &n, &note));
        for (size_t i = 1; i < n; i++)
                assert_int_equal(got[i], got[0]);
        return got[0];
}

/* ---- bytes after a crash ---- */

static void an_unsynced_write_is_lost_or_kept_sector_by_sector(void **state) {
        AUTO(io_free) struct io *first = io_sim_new(1, 0);
        unsigned old = 0, new = 0, mixed = 0;

        (void)state;
        make_file(first, "a", ones, PAGE);
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                AUTO(io_free) struct io *io = io_sim_fork(first);
                unsigned n_new = 0;

                put(io, "a", 0, twos, PAGE, 0);
                assert_int_equal(byte_at(io, "a", 512), 2);
                io_sim_crash(io, seed);
                for (uint64_t at = 0; at < PAGE; at += SECTOR) {
                        uint8_t got = byte_at(io, "a", at);

                        assert_true(got == 1 || got == 2);
                        n_new += got == 2;
                }
                old += n_new == 0;
                new += n_new == 8;
                mixed += n_new > 0 && n_new < 8;
        }
        assert_true(old > 0 && new > 0 && mixed > 0);
}

static void a_synced_write_is_never_lost_but_its_name_may_be(void **state) {
        unsigned lost = 0;
        struct err_note note;

        (void)state;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                AUTO(io_close) struct io_file *file = open_file(io, "a", IO_CREATE);

                assert_ok(io_write(file, twos, PAGE, 0, &note));
                assert_ok(io_sync(file, &note));
                io_sim_crash(io, seed);
                lost += !exists(io, "a");
                if (exists(io, "a"))
                        for (uint64_t at = 0; at < PAGE; at += SECTOR)
                                assert_int_equal(byte_at(io, "a", at), 2);
        }
        assert_true(lost > 0 && lost < SEEDS);
}

static void of_several_writes_to_a_sector_any_may_be_there(void **state) {
        AUTO(io_free) struct io *first = io_sim_new(1, 0);
        unsigned seen[4] = {0};

        (void)state;
        make_file(first, "a", ones, SECTOR);
        put(first, "a", 0, twos, SECTOR, 0);
        put(first, "a", 0, threes, SECTOR, 0);
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                AUTO(io_free) struct io *io = io_sim_fork(first);

                io_sim_crash(io, seed);
                seen[byte_at(io, "a", 0)]++;
        }
        assert_true(seen[0] == 0 && seen[1] > 0 && seen[2] > 0 && seen[3] > 0);
}

static void what_a_write_added_may_be_zeros_or_missing(void **state) {
        AUTO(io_free) struct io *first = io_sim_new(1, 0);
        unsigned short_file = 0, zeros = 0, whole = 0;

        (void)state;
        make_file(first, "a", ones, PAGE);
        put(first, "a", 0, twos, PAGE, PAGE);
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                AUTO(io_free) struct io *io = io_sim_fork(first);
                uint64_t size;

                io_sim_crash(io, seed);
                size = stat_of(io, "a").size;
                assert_true(size >= PAGE && size <= 2 * PAGE);
                assert_int_equal(byte_at(io, "a", PAGE - SECTOR), 1);
                short_file += size == PAGE;
                zeros += size == 2 * PAGE && byte_at(io, "a", PAGE) == 0;
                whole += size == 2 * PAGE && byte_at(io, "a", PAGE) == 2;
        }
        assert_true(short_file > 0 && zeros > 0 && whole > 0);
}

static void unsynced_truncates_punches_and_clones_are_lost_or_kept(void **state) {
        AUTO(io_free) struct io *first = io_sim_new(1, 0);
        AUTO(io_close) struct io_file *a = NULL, *b = NULL, *c = NULL;
        unsigned cut = 0, punched[2] = {0}, cloned[2] = {0};
        struct err_note note;

        (void)state;
        make_file(first, "a", ones, 4 * PAGE);
        make_file(first, "b", ones, 4 * PAGE);
        make_file(first, "c", twos, 4 * PAGE);
        a = open_file(first, "a", IO_WRITE);
        b = open_file(first, "b", IO_WRITE);
        c = open_file(first, "c", IO_WRITE);
        assert_ok(io_truncate(a, SECTOR, &note));
        assert_ok(io_punch(b, 2 * PAGE, 0, &note));
        assert_ok(io_clone_range(c, 0, b, 2 * PAGE, 2 * PAGE, &note));
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                AUTO(io_free) struct io *io = io_sim_fork(first);

                io_sim_crash(io, seed);
                assert_true(stat_of(io, "a").size == SECTOR || stat_of(io, "a").size == 4 * PAGE);
                cut += stat_of(io, "a").size == SECTOR;
                for (uint64_t i = 0; i < 2; i++) {
                        assert_in_range(byte_at(io, "b", i * PAGE), 0, 1);
                        assert_in_range(byte_at(io, "b", (i + 2) * PAGE), 1, 2);
                        punched[i] += byte_at(io, "b", i * PAGE) == 0;
                        cloned[i] += byte_at(io, "b", (i + 2) * PAGE) == 2;
                }
        }
        assert_true(cut > 0 && cut < SEEDS);
        for (size_t i = 0; i < 2; i++) {
                assert_true(punched[i] > 0 && punched[i] < SEEDS);
                assert_true(cloned[i] > 0 && cloned[i] < SEEDS);
        }
}

static void a_sync_covers_its_file_only(void **state) {
        AUTO(io_free) struct io *first = io_sim_new(1, 0);
        AUTO(io_close) struct io_file *a = NULL;
        unsigned lost = 0;
        struct err_note note;

        (void)state;
        make_file(first, "a", ones, SECTOR);
        make_file(first, "b", ones, SECTOR);
        put(first, "b", 0, twos, SECTOR, 0);
        put(first, "a", 0, twos, SECTOR, 0);
        a = open_file(first, "a", IO_READ); /* through another opener, as good as any */
        assert_ok(io_sync(a, &note));
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                AUTO(io_free) struct io *io = io_sim_fork(first);

                io_sim_crash(io, seed);
                assert_int_equal(byte_at(io, "a", 0), 2);
                lost += byte_at(io, "b", 0) == 1;
        }
        assert_true(lost > 0 && lost < SEEDS);
}

/* ---- names after a crash ---- */

static void a_rename_is_atomic_and_lost_until_its_directory_is_synced(void **state) {
        AUTO(io_free) struct io *first = io_sim_new(1, 0);
        unsigned lost = 0;
        struct err_note note;

        (void)state;
        make_file(first, "a", ones, SECTOR);
        make_file(first, "b", twos, SECTOR);
        assert_ok(io_rename(first, "b", "a", &note));
        assert_int_equal(byte_at(first, "a", 0), 2);
        assert_false(exists(first, "b"));
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                AUTO(io_free) struct io *io = io_sim_fork(first);

                io_sim_crash(io, seed);
                assert_int_equal(byte_at(io, "a", 0), exists(io, "b") ? 1 : 2);
                lost += exists(io, "b");
        }
        assert_true(lost > 0 && lost < SEEDS);
        assert_ok(io_sync_dir(first, "/", &note));
        io_sim_crash(first, 0);
        assert_int_equal(byte_at(first, "a", 0), 2);
        assert_false(exists(first, "b"));
}

static void a_rename_between_directories_is_atomic_too(void **state) {
        AUTO(io_free) struct io *first = io_sim_new(1, 0);
        unsigned moved = 0;
        struct err_note note;

        (void)state;
        assert_ok(io_make_dir(first, "d", &note));
        assert_ok(io_make_dir(first, "e", &note));
        make_file(first, "d/a", ones, SECTOR);
        assert_ok(io_rename(first, "d/a", "e/b", &note));
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                AUTO(io_free) struct io *io = io_sim_fork(first);

                io_sim_crash(io, seed);
                assert_true(exists(io, "d/a") != exists(io, "e/b"));
                moved += exists(io, "e/b");
        }
        assert_true(moved > 0 && moved < SEEDS);
}

/* What breaks a snapshot that links and renames under one directory sync. */
static void link_and_rename_before_one_sync_survive_separately(void **state) {
        AUTO(io_free) struct io *first = io_sim_new(1, 0);
        unsigned none = 0, only_link = 0, only_rename = 0, both = 0;
        struct err_note note;

        (void)state;
        make_file(first, "leaf", ones, SECTOR);
        make_file(first, "new", twos, SECTOR);
        assert_ok(io_link(first, "leaf", "base", &note));
        assert_ok(io_rename(first, "new", "leaf", &note));
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                AUTO(io_free) struct io *io = io_sim_fork(first);
                bool linked, renamed;

                io_sim_crash(io, seed);
                linked = exists(io, "base");
                renamed = byte_at(io, "leaf", 0) == 2;
                none += !linked && !renamed;
                only_link += linked && !renamed;
                only_rename += !linked && renamed; /* the old leaf is lost */
                both += linked && renamed;
                if (linked)
                        assert_int_equal(stat_of(io, "base").links, renamed ? 1 : 2);
        }
        assert_true(none > 0 && only_link > 0 && only_rename > 0 && both > 0);
}

/* One style loses each change of names in turn, and nothing else. */
static void of_many_names_each_is_lost_alone(void **state) {
        enum { NAMES = 5 };
        bool was_lost[NAMES] = {false};

        (void)state;
        for (uint64_t turn = 0; turn < NAMES; turn++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                unsigned n = 0;

                for (unsigned i = 0; i < NAMES; i++) {
                        AUTO_FREE char *path = mem_format("/%u", i);

                        put(io, path, IO_CREATE, ones, PAGE, 0);
                }
                io_sim_crash(io, turn * IO_SIM_STYLES + CRASH_LOSES_A_NAME);
                for (unsigned i = 0; i < NAMES; i++) {
                        AUTO_FREE char *path = mem_format("/%u", i);
                        bool is_there = exists(io, path);

                        was_lost[i] |= !is_there;
                        n += is_there;
                        assert_true(!is_there || stat_of(io, path).size == PAGE);
                }
                assert_int_equal(n, NAMES - 1);
        }
        for (unsigned i = 0; i < NAMES; i++)
                assert_true(was_lost[i]);
}

static void a_synced_name_stands_on_what_made_it(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note;

        (void)state;
        assert_ok(io_make_dir(io, "d", &note));
        assert_ok(io_make_dir(io, "e", &note));
        io_sim_settle(io);
        put(io, "d/a", IO_CREATE, ones, SECTOR, 0);
        assert_ok(io_rename(io, "d/a", "e/b", &note));
        assert_ok(io_rename(io, "e/b", "e/c", &note));
        assert_ok(io_sync_dir(io, "e", &note));
        io_sim_crash(io, 0);
        assert_true(exists(io, "e/c"));
        assert_false(exists(io, "e/b") || exists(io, "d/a"));
}

static void a_directory_whose_own_name_was_not_synced_is_lost_with_all_in_it(void **state) {
        AUTO(io_free) struct io *first = io_sim_new(1, 0);
        unsigned lost = 0;
        struct err_note note;

        (void)state;
        assert_ok(io_make_dir(first, "d", &note));
        put(first, "d/a", IO_CREATE, ones, SECTOR, 0);
        assert_ok(io_sync_dir(first, "d", &note));
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                AUTO(io_free) struct io *io = io_sim_fork(first);

                io_sim_crash(io, seed);
                assert_true(exists(io, "d") == exists(io, "d/a"));
                lost += !exists(io, "d");
        }
        assert_true(lost > 0 && lost < SEEDS);
}

static void an_unlinked_name_may_come_back_with_its_bytes(void **state) {
        AUTO(io_free) struct io *first = io_sim_new(1, 0);
        unsigned back = 0;
        struct err_note note;

        (void)state;
        make_file(first, "a", ones, SECTOR);
        assert_ok(io_unlink(first, "a", &note));
        assert_int_equal(io_sim_used(first), 0);
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                AUTO(io_free) struct io *io = io_sim_fork(first);

                io_sim_crash(io, seed);
                if (!exists(io, "a"))
                        continue;
                back++;
                assert_int_equal(byte_at(io, "a", 0), 1);
                assert_int_equal(io_sim_used(io), PAGE);
        }
        assert_true(back > 0 && back < SEEDS);
        assert_ok(io_sync_dir(first, "/", &note));
        io_sim_crash(first, 0);
        assert_false(exists(first, "a"));
}

static void a_killed_process_loses_no_byte_and_makes_none_durable(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(io_close) struct io_file *file = NULL;
        uint8_t got;
        struct err_note note;

        (void)state;
        make_file(io, "a", ones, SECTOR);
        file = open_file(io, "a", IO_WRITE);
        assert_ok(io_lock(file, IO_EXCLUSIVE, &note));
        assert_ok(io_write(file, twos, SECTOR, 0, &note));
        io_sim_kill(io);
        assert_err(io_read(file, &got, 1, 0, &note), ERR_IO, "before the machine died");
        assert_int_equal(byte_at(io, "a", 0), 2);
        io_close(TAKE(file));
        file = open_file(io, "a", IO_WRITE);
        assert_ok(io_lock(file, IO_EXCLUSIVE, &note));
        io_sim_crash(io, 0);
        assert_int_equal(byte_at(io, "a", 0), 1);
}

/* ---- files, space ---- */

static void an_unlinked_file_lives_until_it_is_closed(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 16 * PAGE);
        AUTO(io_close) struct io_file *file = open_file(io, "a", IO_CREATE);
        struct io_stat stat;
        uint8_t got[SECTOR];
        struct err_note note;

        (void)state;
        assert_ok(io_write(file, ones, 2 * PAGE, 0, &note));
        assert_ok(io_unlink(io, "a", &note));
        assert_ok(io_sync_dir(io, "/", &note));
        put(io, "a", IO_CREATE, twos, PAGE, 0);
        assert_ok(io_read(file, got, SECTOR, 0, &note));
        assert_memory_equal(got, ones, SECTOR);
        assert_ok(io_stat(file, &stat, &note));
        assert_int_equal(stat.links, 0);
        assert_int_equal(stat.allocated, 2 * PAGE);
        assert_int_equal(free_pages(io), 13);
        io_close(TAKE(file));
        assert_int_equal(free_pages(io), 15);
}

static void a_full_disk_refuses_new_blocks_only(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 8 * PAGE);
        AUTO(io_close) struct io_file *file = open_file(io, "a", IO_CREATE);
        struct err_note note;

        (void)state;
        assert_ok(io_write(file, ones, 8 * PAGE, 0, &note));
        assert_int_equal(free_pages(io), 0);
        assert_err(io_write(file, ones, 1, 8 * PAGE, &note), ERR_NO_SPACE, "write 1 at 32768: no space left");
        assert_ok(io_write(file, twos, 8 * PAGE, 0, &note));
        assert_ok(io_truncate(file, 1024 * TIB, &note));
        assert_ok(io_punch(file, PAGE, PAGE, &note));
        assert_int_equal(free_pages(io), 1);
        assert_ok(io_write(file, ones, 1, 999 * TIB, &note));
        assert_err(io_write(file, ones, 1, PAGE, &note), ERR_NO_SPACE, "no space");
        put(io, "b", IO_CREATE, ones, 0, 0);
        assert_ok(io_unlink(io, "a", &note));
        assert_int_equal(free_pages(io), 0);
        io_close(TAKE(file));
        assert_int_equal(free_pages(io), 8);
}

static void a_write_without_space_stops_at_the_last_block(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 2 * PAGE);
        AUTO(io_close) struct io_file *file = open_file(io, "a", IO_CREATE);
        struct err_note note;

        (void)state;
        assert_err(io_write(file, ones, 3 * PAGE, 0, &note), ERR_NO_SPACE, "write 12288 at 0");
        assert_int_equal(stat_of(io, "a").size, 2 * PAGE);
        assert_int_equal(free_pages(io), 0);
}

static void cloned_blocks_cost_nothing_until_they_differ(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 6 * PAGE);
        AUTO(io_close) struct io_file *a = NULL, *b = NULL;
        struct err_note note;

        (void)state;
        make_file(io, "a", ones, 4 * PAGE);
        make_file(io, "b", twos, SECTOR);
        a = open_file(io, "a", IO_WRITE);
        b = open_file(io, "b", IO_WRITE);
        assert_err(io_clone_range(a, 100, b, 0, PAGE, &note), ERR_INVALID, "not aligned");
        assert_err(io_clone_range(a, 0, b, 0, 5 * PAGE, &note), ERR_INVALID, "ends before");
        assert_ok(io_clone_range(a, 0, b, 0, 4 * PAGE, &note));
        assert_int_equal(free_pages(io), 2);
        assert_int_equal(byte_at(io, "b", 3 * PAGE), 1);
        assert_ok(io_write(b, threes, 2 * PAGE, 0, &note));
        assert_int_equal(free_pages(io), 0);
        assert_err(io_write(a, threes, SECTOR, 3 * PAGE, &note), ERR_NO_SPACE, "no space");
        assert_int_equal(byte_at(io, "a", 0), 1);
        assert_ok(io_sync(a, &note));
        assert_ok(io_sync(b, &note));
        io_sim_crash(io, 0); /* counts anew */
        assert_int_equal(free_pages(io), 0);
        assert_ok(io_unlink(io, "a", &note));
        assert_int_equal(free_pages(io), 2);
        assert_int_equal(byte_at(io, "b", 2 * PAGE), 1);
        assert_ok(io_unlink(io, "b", &note));
        assert_int_equal(free_pages(io), 6);
}

static void a_sparse_file_costs_what_was_written(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(io_close) struct io_file *file = open_file(io, "a", IO_CREATE);
        uint64_t start, end;
        struct err_note note;

        (void)state;
        assert_ok(io_write(file, ones, 2 * PAGE, 2040 * GIB - 2 * PAGE, &note));
        assert_ok(io_write(file, ones, 1, GIB, &note));
        assert_int_equal(stat_of(io, "a").size, 2040 * GIB);
        assert_int_equal(stat_of(io, "a").allocated, 3 * PAGE);
        assert_ok(io_next_data(file, 0, &start, &end, &note));
        assert_true(start == GIB && end == GIB + PAGE);
        assert_ok(io_next_data(file, GIB + 5, &start, &end, &note));
        assert_true(start == GIB + 5 && end == GIB + PAGE);
        assert_ok(io_next_data(file, end, &start, &end, &note));
        assert_true(start == 2040 * GIB - 2 * PAGE && end == 2040 * GIB);
        assert_ok(io_punch(file, 2040 * GIB, 0, &note));
        assert_ok(io_next_data(file, 77, &start, &end, &note));
        assert_true(start == 2040 * GIB && end == 2040 * GIB);
        assert_int_equal(io_sim_used(io), 0);
}

static void names_behave_as_on_any_system(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(io_names_fini) struct io_names names = {0};
        AUTO_FREE char *path = NULL;
        struct io_file *file;
        struct err_note note;

        (void)state;
        assert_ok(io_make_dir(io, "/d", &note));
        assert_err(io_make_dir(io, "d", &note), ERR_EXISTS, "make directory d");
        make_file(io, "d/a", ones, SECTOR);
        assert_err(io_open(io, "d/a", IO_CREATE, &file, &note), ERR_EXISTS, "create d/a");
        assert_err(io_open(io, "d/x", IO_READ, &file, &note), ERR_NOT_FOUND, "open d/x: not found");
        assert_err(io_open(io, "x/a", IO_CREATE, &file, &note), ERR_NOT_FOUND, "create x/a");
        assert_err(io_open(io, "d/a/b", IO_READ, &file, &note), ERR_NOT_FOUND, "not a directory");
        assert_err(io_open(io, "d", IO_READ, &file, &note), ERR_INVALID, "a directory");
        assert_ok(io_link(io, "d/a", "/d/../b", &note));
        assert_err(io_link(io, "d/a", "b", &note), ERR_EXISTS, "link d/a to b");
        assert_int_equal(stat_of(io, "b").inode, stat_of(io, "d/a").inode);
        assert_ok(io_rename(io, "b", "d/a", &note)); /* one file: both names stay */
        assert_int_equal(stat_of(io, "b").links, 2);
        assert_err(io_rename(io, "d", "d/e", &note), ERR_INVALID, "into itself");
        assert_err(io_rename(io, "b", "d", &note), ERR_INVALID, "directory");
        assert_err(io_remove_dir(io, "d", &note), ERR_BUSY, "not empty");
        assert_err(io_unlink(io, "d", &note), ERR_INVALID, "directory");
        assert_ok(io_rename(io, "d", "c", &note));
        assert_ok(io_canonical(io, "./c//../c/./a", &path, &note));
        assert_string_equal(path, "/c/a");
        assert_ok(io_list(io, "/", &names, &note));
        assert_int_equal(names.names.n, 2);
        assert_string_equal(names.names.data[0], "b");
        assert_string_equal(names.names.data[1], "c");
        assert_ok(io_unlink(io, "c/a", &note));
        assert_ok(io_remove_dir(io, "c", &note));
        assert_err(io_list(io, "c", &names, &note), ERR_NOT_FOUND, "list c");
}

static void locks_conflict_between_openers(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(io_close) struct io_file *a = NULL, *b = NULL, *c = NULL;
        struct err_note note;

        (void)state;
        make_file(io, "a", ones, SECTOR);
        make_file(io, "c", ones, SECTOR);
        a = open_file(io, "a", IO_WRITE);
        b = open_file(io, "a", IO_WRITE);
        c = open_file(io, "c", IO_WRITE);
        assert_ok(io_lock(a, IO_SHARED, &note));
        assert_ok(io_lock(b, IO_SHARED, &note));
        assert_ok(io_lock(c, IO_EXCLUSIVE, &note));
        assert_err(io_lock(a, IO_EXCLUSIVE, &note), ERR_BUSY, "locked by another");
        assert_err(io_lock(b, IO_EXCLUSIVE, &note), ERR_BUSY, "locked by another"); /* a kept its lock */
        assert_ok(io_lock(b, IO_UNLOCKED, &note));
        assert_ok(io_lock(a, IO_EXCLUSIVE, &note));
        assert_err(io_lock(b, IO_SHARED, &note), ERR_BUSY, "locked by another");
        io_close(TAKE(a));
        assert_ok(io_lock(b, IO_EXCLUSIVE, &note));
}

static void what_the_file_system_lacks_is_unsupported(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(io_close) struct io_file *file = open_file(io, "a", IO_CREATE);
        uint64_t start, end;
        struct err_note note;

        (void)state;
        io_sim_set_lacks(io, IO_SIM_NO_LINK | IO_SIM_NO_PUNCH | IO_SIM_NO_CLONE | IO_SIM_NO_HOLES);
        assert_ok(io_truncate(file, 2 * PAGE, &note));
        assert_err(io_link(io, "a", "b", &note), ERR_UNSUPPORTED, "link a to b");
        assert_err(io_punch(file, PAGE, 0, &note), ERR_UNSUPPORTED, "punch");
        assert_err(io_clone_range(file, 0, file, PAGE, PAGE, &note), ERR_UNSUPPORTED, "clone");
        assert_ok(io_next_data(file, 5, &start, &end, &note));
        assert_true(start == 5 && end == 2 * PAGE);
}

/* ---- faults ---- */

static void a_dead_machine_answers_nothing_until_it_is_back(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(io_close) struct io_file *file = open_file(io, "a", IO_CREATE);
        struct io_stat stat;
        uint8_t got;
        struct err_note note;

        (void)state;
        io_sim_settle(io);
        io_sim_die_at(io, 2, IO_SIM_BEFORE);
        assert_ok(io_write(file, ones, SECTOR, 0, &note));
        assert_ok(io_read(file, &got, 1, 0, &note)); /* changes nothing, so does not count */
        assert_false(io_sim_is_dead(io));
        assert_err(io_write(file, twos, SECTOR, 0, &note), ERR_IO, "the machine dies here");
        assert_true(io_sim_is_dead(io) && io_sim_fired(io));
        assert_err(io_read(file, &got, 1, 0, &note), ERR_IO, "the machine is dead");
        assert_err(io_stat_path(io, "a", &stat, &note), ERR_IO, "the machine is dead");
        io_sim_crash(io, 1);
        assert_int_equal(byte_at(io, "a", 0), 1); /* the second write never was */
        assert_err(io_write(file, twos, SECTOR, 0, &note), ERR_IO, "before the machine died");
}

static void a_call_may_happen_while_the_machine_dies(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note;

        (void)state;
        make_file(io, "a", ones, SECTOR);
        io_sim_die_at(io, 1, IO_SIM_DURING);
        assert_err(io_rename(io, "a", "b", &note), ERR_IO, "the machine dies here");
        io_sim_crash(io, 1);
        assert_true(exists(io, "b"));
        io_sim_die_at(io, 1, IO_SIM_DURING);
        assert_err(io_rename(io, "b", "c", &note), ERR_IO, "the machine dies here");
        io_sim_crash(io, 0);
        assert_true(exists(io, "b"));
}

static void the_nth_call_fails_once_or_for_good(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct io_stat stat;
        struct err_note note;

        (void)state;
        make_file(io, "a", ones, SECTOR);
        io_sim_fail_at(io, 2, ERR_IO, false);
        assert_ok(io_stat_path(io, "a", &stat, &note));
        assert_false(io_sim_fired(io));
        assert_err(io_stat_path(io, "a", &stat, &note), ERR_IO, "stat a: input/output error (injected)");
        assert_true(io_sim_fired(io));
        assert_ok(io_stat_path(io, "a", &stat, &note));

        io_sim_fail_at(io, 1, ERR_NO_SPACE, true);
        assert_ok(io_stat_path(io, "a", &stat, &note)); /* needs no space */
        assert_err(io_link(io, "a", "b", &note), ERR_NO_SPACE, "injected");
        assert_err(io_make_dir(io, "b", &note), ERR_NO_SPACE, "injected");
        assert_ok(io_sync_dir(io, "/", &note));
        io_sim_heal(io);
        assert_ok(io_make_dir(io, "b", &note));
}

static void a_failed_write_may_have_written_some_sectors(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(io_close) struct io_file *file = NULL;
        unsigned n_new = 0;
        struct err_note note;

        (void)state;
        make_file(io, "a", ones, 8 * PAGE);
        file = open_file(io, "a", IO_WRITE);
        io_sim_fail_at(io, 1, ERR_IO, false);
        assert_err(io_write(file, twos, 8 * PAGE, 0, &note), ERR_IO, "injected");
        for (uint64_t at = 0; at < 8 * PAGE; at += SECTOR)
                n_new += byte_at(io, "a", at) == 2;
        assert_in_range(n_new, 1, 63);
}

static void what_a_failed_sync_lost_no_later_sync_brings_back(void **state) {
        unsigned lost = 0;
        struct err_note note;

        (void)state;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                AUTO(io_free) struct io *io = io_sim_new(seed, 0);
                AUTO(io_close) struct io_file *file = NULL;
                uint8_t seen;

                make_file(io, "a", ones, 2 * PAGE);
                file = open_file(io, "a", IO_WRITE);
                assert_ok(io_write(file, twos, SECTOR, 0, &note));
                io_sim_fail_at(io, 1, ERR_IO, false);
                assert_err(io_sync(file, &note), ERR_IO, "sync: input/output error (injected)");
                seen = byte_at(io, "a", 0);
                lost += seen == 1;
                assert_ok(io_write(file, threes, PAGE, PAGE, &note));
                assert_ok(io_sync(file, &note));
                io_sim_crash(io, seed);
                assert_int_equal(byte_at(io, "a", 0), seen); /* who looked saw the truth */
                assert_int_equal(byte_at(io, "a", PAGE), 3); /* what came later is as durable as ever */
        }
        assert_true(lost > 0 && lost < SEEDS);
}

static void what_a_failed_directory_sync_lost_is_lost_too(void **state) {
        unsigned lost = 0, back = 0;
        struct err_note note;

        (void)state;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                AUTO(io_free) struct io *io = io_sim_new(seed, 0);
                bool a, b;

                make_file(io, "b", ones, SECTOR);
                put(io, "a", IO_CREATE, ones, SECTOR, 0);
                assert_ok(io_unlink(io, "b", &note));
                io_sim_fail_at(io, 1, ERR_IO, false);
                assert_err(io_sync_dir(io, "/", &note), ERR_IO, "sync directory /");
                a = exists(io, "a");
                b = exists(io, "b");
                lost += !a;
                back += b;
                assert_int_equal(io_sim_used(io), (a + b) * PAGE);
                if (b)
                        assert_int_equal(byte_at(io, "b", 0), 1);
                assert_ok(io_sync_dir(io, "/", &note));
                io_sim_crash(io, seed);
                assert_true(exists(io, "a") == a && exists(io, "b") == b);
        }
        assert_true(lost > 0 && lost < SEEDS);
        assert_true(back > 0 && back < SEEDS);
}

static void broken_sectors_cannot_be_read(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(io_close) struct io_file *file = NULL;
        uint8_t got[PAGE];
        struct err_note note;

        (void)state;
        make_file(io, "a", ones, PAGE);
        io_sim_break(io, "a", SECTOR, SECTOR);
        file = open_file(io, "a", IO_READ);
        assert_ok(io_read(file, got, SECTOR, 0, &note));
        assert_err(io_read(file, got, PAGE, 0, &note), ERR_IO, "broken");
        assert_ok(io_read(file, got, 2 * SECTOR, 2 * SECTOR, &note));
        io_sim_break(io, "a", 0, 0);
        assert_ok(io_read(file, got, PAGE, 0, &note));
}

/* ---- queue ---- */

enum { DEPTH = 8 };

struct in_flight {
        struct io_request requests[DEPTH];
        struct iovec vecs[DEPTH];
};

static void submit_all(struct io_queue *queue, struct io_file *file, struct in_flight *flight) {
        for (size_t i = 0; i < DEPTH; i++) {
                flight->vecs[i] = (struct iovec){twos, SECTOR};
                flight->requests[i] = (struct io_request){.op = IO_OP_WRITE,
                                                          .file = file,
                                                          .vec = &flight->vecs[i],
                                                          .n_vec = 1,
                                                          .at = i * SECTOR};
                io_submit(queue, &flight->requests[i]);
        }
}

static void a_queue_does_its_requests_in_any_order(void **state) {
        bool reversed = false, seen_early = false;
        struct err_note note;

        (void)state;
        for (uint64_t seed = 0; seed < 50; seed++) {
                AUTO(io_free) struct io *io = io_sim_new(seed, 0);
                AUTO(io_close) struct io_file *file = open_file(io, "a", IO_CREATE);
                AUTO(io_queue_free) struct io_queue *queue = NULL;
                struct in_flight flight;
                struct io_request *ended[DEPTH];
                unsigned n;

                assert_ok(io_queue_new(io, DEPTH, &queue, &note));
                submit_all(queue, file, &flight);
                n = io_reap(queue, 1, ended, DEPTH);
                assert_in_range(n, 1, DEPTH);
                seen_early |= n > 1;
                n += io_reap(queue, DEPTH, ended + n, DEPTH - n);
                assert_int_equal(n, DEPTH);
                for (size_t i = 0; i < DEPTH; i++) {
                        assert_int_equal(ended[i]->result, ERR_NONE);
                        reversed |= i > 0 && ended[i] < ended[i - 1];
                }
                assert_int_equal(byte_at(io, "a", 7 * SECTOR), 2);
        }
        assert_true(reversed && seen_early);
}

static void of_what_is_in_flight_at_a_crash_any_may_be_done(void **state) {
        unsigned n_new = 0, n_mixed = 0;
        struct err_note note;

        (void)state;
        for (uint64_t seed = 0; seed < 50; seed++) {
                AUTO(io_free) struct io *io = io_sim_new(seed, 0);
                AUTO(io_close) struct io_file *file = NULL;
                AUTO(io_queue_free) struct io_queue *queue = NULL;
                struct in_flight flight;
                struct io_request *ended[DEPTH];
                unsigned n = 0;

                make_file(io, "a", ones, PAGE);
                file = open_file(io, "a", IO_WRITE);
                assert_ok(io_queue_new(io, DEPTH, &queue, &note));
                submit_all(queue, file, &flight);
                io_sim_die_at(io, 1, IO_SIM_BEFORE);
                assert_err(io_sync(file, &note), ERR_IO, "dies here");
                assert_int_equal(io_reap(queue, DEPTH, ended, DEPTH), DEPTH);
                for (size_t i = 0; i < DEPTH; i++)
                        assert_int_equal(ended[i]->result, ERR_IO);
                io_sim_crash(io, 1); /* keeps all there is */
                for (uint64_t at = 0; at < PAGE; at += SECTOR)
                        n += byte_at(io, "a", at) == 2;
                n_new += n;
                n_mixed += n > 0 && n < DEPTH;
        }
        assert_true(n_new > 0 && n_mixed > 0);
}

/* ---- streams, clock, dice, watching ---- */

static void streams_come_in_pieces_and_close(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(io_close) struct io_file *in = NULL, *out = NULL;
        char got[10];
        size_t n;
        struct err_note note;

        (void)state;
        io_sim_set_stdin(io, "abcde", 5, 3);
        io_sim_close_stdout_at(io, 4);
        assert_ok(io_open_standard(io, IO_STDIN, &in, &note));
        assert_ok(io_open_standard(io, IO_STDOUT, &out, &note));
        assert_ok(io_stream_read(in, got, 10, &n, &note));
        assert_int_equal(n, 3);
        assert_ok(io_stream_read(in, got + 3, 7, &n, &note));
        assert_int_equal(n, 2);
        assert_memory_equal(got, "abcde", 5);
        assert_ok(io_stream_read(in, got, 10, &n, &note));
        assert_int_equal(n, 0);
        assert_ok(io_stream_write(out, "abc", 3, &note));
        assert_err(io_stream_write(out, "def", 3, &note), ERR_CLOSED, "stream write: other end closed");
        assert_int_equal(io_sim_stdout(io).n, 4);
        assert_memory_equal(io_sim_stdout(io).data, "abcd", 4);
}

static void time_goes_on_when_told_and_dice_repeat(void **state) {
        AUTO(io_free) struct io *a = io_sim_new(7, 0);
        AUTO(io_free) struct io *b = io_sim_new(7, 0);
        AUTO(io_free) struct io *c = io_sim_new(8, 0);
        uint64_t now = io_now_ns(a), roll = io_random_u64(a);
        int64_t wall = io_wall_ns(a);

        (void)state;
        assert_true(io_now_ns(a) == now);
        io_sleep_ns(a, 5);
        io_sim_advance(a, 6);
        assert_true(io_now_ns(a) == now + 11 && io_wall_ns(a) == wall + 11);
        io_sim_set_wall(a, 1000);
        assert_true(io_now_ns(a) == now + 11 && io_wall_ns(a) == 1000);
        assert_true(roll == io_random_u64(b));
        assert_true(roll != io_random_u64(c));
        assert_true(io_random_u64(a) != roll);
}

static void a_fork_is_a_machine_of_its_own(void **state) {
        AUTO(io_free) struct io *first = io_sim_new(1, 0);
        AUTO(io_close) struct io_file *file = open_file(first, "a", IO_CREATE);
        AUTO(io_free) struct io *fork = NULL;
        struct err_note note;

        (void)state;
        assert_ok(io_write(file, ones, 2 * PAGE, 0, &note));
        assert_ok(io_lock(file, IO_EXCLUSIVE, &note));
        fork = io_sim_fork(first);
        put(fork, "a", 0, twos, SECTOR, 0);
        put(fork, "b", IO_CREATE, twos, SECTOR, 0);
        assert_ok(io_write(file, threes, SECTOR, 0, &note));
        assert_int_equal(byte_at(fork, "a", 0), 2);
        assert_int_equal(byte_at(first, "a", 0), 3);
        assert_int_equal(byte_at(fork, "a", PAGE), 1);
        assert_false(exists(first, "b"));
        assert_int_equal(io_sim_open_files(fork), 0);
        io_sim_crash(fork, 0); /* what was not durable in the first is not in the fork */
        assert_false(exists(fork, "a"));
        assert_true(exists(first, "a"));
}

static void calls_and_bytes_are_counted(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(io_close) struct io_file *file = open_file(io, "a", IO_CREATE);
        struct io_sim_count before = io_sim_count(io), after;
        uint8_t got[100];
        struct err_note note;

        (void)state;
        put(io, "b", IO_CREATE, ones, 10, 0);
        assert_ok(io_write(file, ones, 100, 0, &note));
        assert_ok(io_read(file, got, 50, 0, &note));
        assert_ok(io_sync(file, &note));
        assert_ok(io_sync_dir(io, "/", &note));
        after = io_sim_count(io);
        assert_int_equal(after.all - before.all, 6);
        assert_int_equal(after.changing - before.changing, 5);
        assert_int_equal(after.spacious - before.spacious, 3);
        assert_int_equal(io_sim_traffic(io).bytes_written, 110);
        assert_int_equal(io_sim_traffic(io).dir_syncs, 1);
        assert_int_equal(io_sim_file_traffic(io, "a").bytes_written, 100);
        assert_int_equal(io_sim_file_traffic(io, "a").bytes_read, 50);
        assert_int_equal(io_sim_file_traffic(io, "a").syncs, 1);
        assert_int_equal(io_sim_file_traffic(io, "b").writes, 1);
}

/* ---- a random history against plain arrays ---- */

enum { FILES = 3, LIMIT = 40 * PAGE, STEPS = 3000 };

struct model {
        uint8_t bytes[FILES][LIMIT];
        size_t size[FILES];
};

static const char *const paths[FILES] = {"a", "b", "c"};

static void write_both(struct model *model, struct io_file *file, unsigned i, struct sim_dice *dice) {
        size_t at = sim_below(dice, LIMIT - 1), n = 1 + sim_below(dice, min_u64(LIMIT - at, 3 * PAGE));
        uint8_t data[3 * PAGE];
        struct err_note note;

        sim_fill(dice, data, n);
        assert_ok(io_write(file, data, n, at, &note));
        memcpy(model->bytes[i] + at, data, n);
        model->size[i] = max_u64(model->size[i], at + n);
}

static void clone_both(struct model *model, struct io *io, struct io_file *to, unsigned i,
                       struct sim_dice *dice) {
        unsigned from = (i + 1 + (unsigned)sim_below(dice, FILES - 1)) % FILES;
        AUTO(io_close) struct io_file *file = open_file(io, paths[from], IO_READ);
        size_t pages = model->size[from] / PAGE, at, to_at, n;
        struct err_note note;

        if (pages == 0)
                return;
        at = sim_below(dice, pages);
        n = (1 + sim_below(dice, pages - at)) * PAGE;
        at *= PAGE;
        to_at = sim_below(dice, (LIMIT - n) / PAGE + 1) * PAGE;
        assert_ok(io_clone_range(file, at, to, to_at, n, &note));
        memcpy(model->bytes[i] + to_at, model->bytes[from] + at, n);
        model->size[i] = max_u64(model->size[i], to_at + n);
}

static void step_both(struct model *model, struct io *io, struct sim_dice *dice) {
        unsigned i = (unsigned)sim_below(dice, FILES);
        AUTO(io_close) struct io_file *file = open_file(io, paths[i], IO_WRITE);
        size_t at = sim_below(dice, LIMIT), n = 1 + sim_below(dice, LIMIT - at);
        struct err_note note;

        switch (sim_below(dice, 8)) {
        case 0:
                assert_ok(io_truncate(file, at, &note));
                if (at < model->size[i])
                        memset(model->bytes[i] + at, 0, model->size[i] - at);
                model->size[i] = at;
                break;
        case 1:
                assert_ok(io_punch(file, n, at, &note));
                if (at < model->size[i])
                        memset(model->bytes[i] + at, 0, min_u64(n, model->size[i] - at));
                break;
        case 2:
                clone_both(model, io, file, i, dice);
                break;
        case 3:
                assert_ok(io_sync(file, &note));
                break;
        default:
                write_both(model, file, i, dice);
        }
}

static void compare_both(const struct model *model, struct io *io) {
        static uint8_t got[LIMIT];
        struct err_note note;

        for (size_t i = 0; i < FILES; i++) {
                AUTO(io_close) struct io_file *file = open_file(io, paths[i], IO_READ);

                assert_int_equal(stat_of(io, paths[i]).size, model->size[i]);
                assert_ok(io_read(file, got, model->size[i], 0, &note));
                assert_memory_equal(got, model->bytes[i], model->size[i]);
        }
}

static void any_history_of_bytes_reads_as_plain_arrays_do(void **state) {
        static struct model model;
        struct sim_dice dice = {42};
        struct io *io = io_sim_new(1, 0);

        (void)state;
        for (size_t i = 0; i < FILES; i++)
                make_file(io, paths[i], ones, 0);
        for (unsigned step = 0; step < STEPS; step++) {
                uint64_t used;

                step_both(&model, io, &dice);
                if (step % 50 != 0)
                        continue;
                compare_both(&model, io);
                if (step % 100 == 0) { /* go on with a copy */
                        struct io *fork = io_sim_fork(io);

                        io_free(io);
                        io = fork;
                }
                used = io_sim_used(io);
                io_sim_crash(io, 1); /* keeps all, and counts the blocks anew */
                assert_int_equal(io_sim_used(io), used);
                compare_both(&model, io);
        }
        io_sim_settle(io);
        io_sim_crash(io, 0);
        compare_both(&model, io);
        io_free(io);
}

/* ---- a random history of names ---- */

enum { NAMES = 12 }; /* d/0 … d/5, e/0 … e/5 */

/* Which file each name means; 0: none. */
struct name_model {
        uint64_t inode[NAMES];
};

static void name_of(unsigned i, char ret[8]) {
        (void)snprintf(ret, 8, "%c/%u", i < NAMES / 2 ? 'd' : 'e', i % (NAMES / 2));
}

static void step_names(struct name_model *model, struct io *io, struct sim_dice *dice) {
        unsigned from = (unsigned)sim_below(dice, NAMES), to = (unsigned)sim_below(dice, NAMES);
        char from_name[8], to_name[8];
        struct err_note note;

        name_of(from, from_name);
        name_of(to, to_name);
        switch (sim_below(dice, 4)) {
        case 0:
                if (model->inode[to])
                        break;
                put(io, to_name, IO_CREATE, ones, 1, 0);
                model->inode[to] = stat_of(io, to_name).inode;
                break;
        case 1:
                if (!model->inode[from] || model->inode[to])
                        break;
                assert_ok(io_link(io, from_name, to_name, &note));
                model->inode[to] = model->inode[from];
                break;
        case 2:
                if (!model->inode[from])
                        break;
                assert_ok(io_rename(io, from_name, to_name, &note));
                if (model->inode[to] == model->inode[from])
                        break;
                model->inode[to] = model->inode[from];
                model->inode[from] = 0;
                break;
        default:
                if (!model->inode[from])
                        break;
                assert_ok(io_unlink(io, from_name, &note));
                model->inode[from] = 0;
        }
}

/* Names first … end - 1, and how many names each file has where all are looked at. */
static void compare_names(const struct name_model *model, struct io *io, unsigned first, unsigned end) {
        for (unsigned i = first; i < end; i++) {
                char name[8];
                unsigned links = 0;

                name_of(i, name);
                assert_int_equal(exists(io, name), model->inode[i] != 0);
                if (!model->inode[i])
                        continue;
                for (unsigned j = 0; j < NAMES; j++)
                        links += model->inode[j] == model->inode[i];
                assert_int_equal(stat_of(io, name).inode, model->inode[i]);
                if (first == 0 && end == NAMES)
                        assert_int_equal(stat_of(io, name).links, links);
        }
}

static void after_a_directory_sync_its_names_are_as_they_were_seen(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct name_model model = {0};
        struct sim_dice dice = {7};
        struct err_note note;

        (void)state;
        assert_ok(io_make_dir(io, "d", &note));
        assert_ok(io_make_dir(io, "e", &note));
        io_sim_settle(io);
        for (uint64_t step = 0; step < 4000; step++) {
                bool is_d = step % 20 == 0;

                step_names(&model, io, &dice);
                if (step % 10 == 0) {
                        AUTO(io_free) struct io *fork = NULL;

                        compare_names(&model, io, 0, NAMES);
                        assert_ok(io_sync_dir(io, is_d ? "d" : "e", &note));
                        fork = io_sim_fork(io);
                        io_sim_crash(fork, step / 10);
                        compare_names(&model, fork, is_d ? 0 : NAMES / 2, is_d ? NAMES / 2 : NAMES);
                }
        }
        io_sim_crash(io, 1); /* keeps all there is */
        compare_names(&model, io, 0, NAMES);
}

/* ---- threads ---- */

static void *write_and_read(void *arg) {
        struct io *io = arg;
        AUTO_FREE char *path = mem_format("thread-%llu", (unsigned long long)io_random_u64(io));
        struct err_note note;

        put(io, path, IO_CREATE, ones, PAGE, 0);
        for (unsigned i = 0; i < 200; i++) {
                put(io, "shared", 0, twos, SECTOR, i % 8 * SECTOR);
                put(io, path, 0, twos, SECTOR, 0);
                (void)byte_at(io, path, 0);
                assert_ok(io_sync_dir(io, "/", &note));
        }
        return NULL;
}

static void several_threads_may_use_one_machine(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        pthread_t threads[4];

        (void)state;
        make_file(io, "shared", ones, PAGE);
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, write_and_read, io), 0);
        for (size_t i = 0; i < 4; i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(byte_at(io, "shared", 0), 2);
        assert_int_equal(io_sim_open_files(io), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_unsynced_write_is_lost_or_kept_sector_by_sector),
                cmocka_unit_test(a_synced_write_is_never_lost_but_its_name_may_be),
                cmocka_unit_test(of_several_writes_to_a_sector_any_may_be_there),
                cmocka_unit_test(what_a_write_added_may_be_zeros_or_missing),
                cmocka_unit_test(unsynced_truncates_punches_and_clones_are_lost_or_kept),
                cmocka_unit_test(a_sync_covers_its_file_only),
                cmocka_unit_test(a_rename_is_atomic_and_lost_until_its_directory_is_synced),
                cmocka_unit_test(a_rename_between_directories_is_atomic_too),
                cmocka_unit_test(link_and_rename_before_one_sync_survive_separately),
                cmocka_unit_test(of_many_names_each_is_lost_alone),
                cmocka_unit_test(a_synced_name_stands_on_what_made_it),
                cmocka_unit_test(a_directory_whose_own_name_was_not_synced_is_lost_with_all_in_it),
                cmocka_unit_test(an_unlinked_name_may_come_back_with_its_bytes),
                cmocka_unit_test(a_killed_process_loses_no_byte_and_makes_none_durable),
                cmocka_unit_test(an_unlinked_file_lives_until_it_is_closed),
                cmocka_unit_test(a_full_disk_refuses_new_blocks_only),
                cmocka_unit_test(a_write_without_space_stops_at_the_last_block),
                cmocka_unit_test(cloned_blocks_cost_nothing_until_they_differ),
                cmocka_unit_test(a_sparse_file_costs_what_was_written),
                cmocka_unit_test(names_behave_as_on_any_system),
                cmocka_unit_test(locks_conflict_between_openers),
                cmocka_unit_test(what_the_file_system_lacks_is_unsupported),
                cmocka_unit_test(a_dead_machine_answers_nothing_until_it_is_back),
                cmocka_unit_test(a_call_may_happen_while_the_machine_dies),
                cmocka_unit_test(the_nth_call_fails_once_or_for_good),
                cmocka_unit_test(a_failed_write_may_have_written_some_sectors),
                cmocka_unit_test(what_a_failed_sync_lost_no_later_sync_brings_back),
                cmocka_unit_test(what_a_failed_directory_sync_lost_is_lost_too),
                cmocka_unit_test(broken_sectors_cannot_be_read),
                cmocka_unit_test(a_queue_does_its_requests_in_any_order),
                cmocka_unit_test(of_what_is_in_flight_at_a_crash_any_may_be_done),
                cmocka_unit_test(streams_come_in_pieces_and_close),
                cmocka_unit_test(time_goes_on_when_told_and_dice_repeat),
                cmocka_unit_test(a_fork_is_a_machine_of_its_own),
                cmocka_unit_test(calls_and_bytes_are_counted),
                cmocka_unit_test(any_history_of_bytes_reads_as_plain_arrays_do),
                cmocka_unit_test(after_a_directory_sync_its_names_are_as_they_were_seen),
                cmocka_unit_test(several_threads_may_use_one_machine),
        };

        return cmocka_run_group_tests(tests, fill, NULL);
}
