// SPDX-License-Identifier: Apache-2.0
/* Each promise of io.h in both directions: what may be lost is lost under some seed and kept under another,
 * and what may not be lost never is. */
#include "check.h"
#include "io_sim.h"

enum { SEEDS = 20 * IO_SIM_STYLES };

static uint8_t ones[8192], twos[8192];

static int fill(void **state) {
        (void)state;
        memset(ones, 1, sizeof ones);
        memset(twos, 2, sizeof twos);
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

/* A file of n bytes, durable with its name. */
static void make_file(struct io *io, const char *path, const void *data, size_t n) {
        AUTO(io_close) struct io_file *file = open_file(io, path, IO_CREATE);
        struct err_note note;

        assert_ok(io_write(file, data, n, 0, &note));
        assert_ok(io_sync(file, &note));
        assert_ok(io_sync_dir(io, "/", &note));
}

static void an_unsynced_write_is_lost_or_kept_sector_by_sector(void **state) {
        AUTO(io_free) struct io *first = io_sim_new(1, 0);
        unsigned old = 0, new = 0, mixed = 0;
        struct err_note note;

        (void)state;
        make_file(first, "a", ones, 4096);
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                AUTO(io_free) struct io *io = io_sim_fork(first);
                AUTO(io_close) struct io_file *file = open_file(io, "a", IO_WRITE);
                uint8_t got[4096];
                unsigned n_new = 0;

                assert_ok(io_write(file, twos, 4096, 0, &note));
                assert_ok(io_read(file, got, 4096, 0, &note));
                assert_memory_equal(got, twos, 4096);
                io_sim_crash(io, seed);
                assert_err(io_read(file, got, 1, 0, &note), ERR_IO, "before the machine died");
                io_close(TAKE(file));
                file = open_file(io, "a", IO_READ);
                assert_ok(io_read(file, got, 4096, 0, &note));
                for (size_t at = 0; at < 4096; at += 512) {
                        assert_true(memcmp(got + at, ones, 512) == 0 || memcmp(got + at, twos, 512) == 0);
                        n_new += got[at] == 2;
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
                uint8_t got[4096];

                assert_ok(io_write(file, twos, 4096, 0, &note));
                assert_ok(io_sync(file, &note));
                io_sim_crash(io, seed);
                io_close(TAKE(file));
                if (!exists(io, "a")) {
                        lost++;
                        continue;
                }
                file = open_file(io, "a", IO_READ);
                assert_ok(io_read(file, got, 4096, 0, &note));
                assert_memory_equal(got, twos, 4096);
        }
        assert_true(lost > 0 && lost < SEEDS);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_unsynced_write_is_lost_or_kept_sector_by_sector),
                cmocka_unit_test(a_synced_write_is_never_lost_but_its_name_may_be),
        };

        return cmocka_run_group_tests(tests, fill, NULL);
}
