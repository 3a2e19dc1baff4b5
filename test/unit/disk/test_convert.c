// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "chain.h"
#include "convert.h"
#include "fixture.h"
#include "io_sim.h"
#include "mem.h"
#include "sweep.h"
#include "vhd_check.h"
#include "vhd_create.h"

enum { BLOCK = 2 * 1024 * 1024 };

/* ---- making and reading disks ---- */

static void write_raw(struct io *io, const char *path, uint64_t size, uint64_t seed) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE uint8_t *data = mem_zero(3 * BLOCK);
        struct fixture_dice dice = {seed};
        struct err_note note = {0};

        assert_ok(io_open(io, path, IO_WRITE | IO_CREATE, &file, &note));
        assert_ok(io_truncate(file, size, &note));
        for (unsigned i = 0; i < 12; i++) {
                uint64_t at = fixture_roll(&dice, size),
                         n = 1 + fixture_roll(&dice, i % 3 ? 9000 : 2 * BLOCK);

                n = min_u64(n, size - at);
                memset(data, (int)(i % 4 ? 1 + fixture_roll(&dice, 255) : 0), n);
                assert_ok(io_write(file, data, n, at, &note));
        }
        assert_ok(io_write(file, "the end", 7, size - 7, &note));
        assert_ok(io_sync(file, &note));
}

/* size bytes of the disk, as its format says; zeros behind a raw file's end. */
static uint8_t *read_disk(struct io *io, const char *path, enum convert_format format, uint64_t size) {
        uint8_t *bytes = mem_zero(size);
        struct err_note note = {0};
        size_t n;

        if (format == CONVERT_RAW) {
                AUTO(io_close) struct io_file *file = NULL;

                assert_ok(io_open(io, path, IO_READ, &file, &note));
                assert_ok(io_read_some(file, bytes, size, 0, &n, &note));
                return bytes;
        }
        struct images images;
        struct chain *chain = NULL;

        images_init(&images, io, NULL);
        assert_ok(chain_open(&images, path, CHAIN_READ, &chain, &note));
        assert_int_equal(chain_size(chain), size);
        assert_ok(chain_read(chain, bytes, size, 0, &note));
        assert_ok(chain_close(chain, &note));
        images_fini(&images);
        return bytes;
}

static void assert_valid(struct io *io, const char *path) {
        AUTO(findings_fini) struct findings findings = {0};
        struct err_note note = {0};

        assert_ok(vhd_check(io, path, VHD_CHECK_BITMAPS | VHD_CHECK_PARENT, &findings, &note));
        VEC_EACH (&findings.list, finding)
                print_error("%s\n", finding->text);
        assert_int_equal(findings.n_errors + findings.n_warnings, 0);
}

/* ---- whole disks ---- */

static void a_raw_file_reads_the_same_in_every_format(void **state) {
        static const uint64_t sizes[] = {
                1, 512, 5000, BLOCK, 5 * BLOCK + 1536, 40 * (uint64_t)BLOCK, 9 * BLOCK - 100};

        (void)state;
        for (unsigned i = 0; i < 3 * 3 * sizeof sizes / sizeof *sizes; i++) {
                AUTO(io_free) struct io *io = io_sim_new(i, 0);
                struct convert_options options = {.format = i % 3, .cache = i / 3 % 3};
                uint64_t size = sizes[i / 9] + (sizes[i / 9] < 7 ? 7 : 0), whole = round_up(size, 512);
                struct convert_result result = {0};
                struct err_note note = {0};

                write_raw(io, "/from", size, i);
                assert_ok(convert_raw(io, "/from", "/to.vhd", &options, &result, &note));
                assert_int_equal(result.size, whole);
                AUTO_FREE uint8_t *want = read_disk(io, "/from", CONVERT_RAW, whole);
                AUTO_FREE uint8_t *got = read_disk(io, "/to.vhd", options.format, whole);
                assert_memory_equal(got, want, whole);
                if (options.format != CONVERT_RAW)
                        assert_valid(io, "/to.vhd");
                assert_int_equal(io_sim_open_files(io), 0);
        }
}

static void a_chain_becomes_one_file(void **state) {
        const uint64_t size = 7 * (uint64_t)BLOCK + 1024;

        (void)state;
        for (unsigned i = 0; i < 9; i++) {
                AUTO(io_free) struct io *io = io_sim_new(i, 0);
                struct convert_options options = {.format = i % 3, .cache = i / 3, .may_replace = true};
                struct vhd_parent parent = {.path = "/base.raw", .is_raw = true};
                struct convert_result result;
                struct fixture_dice dice = {i};
                struct err_note note = {0};
                struct chain *chain = NULL;
                struct images images;
                AUTO_FREE uint8_t *want = NULL, *got = NULL, *data = mem_zero(BLOCK);

                write_raw(io, "/base.raw", size, i);
                assert_ok(vhd_create(io, "/top.vhd",
                                     &(struct vhd_create_options){
                                             .type = VHD_DIFFERENCING, .size = size, .parent = &parent},
                                     NULL, &note));
                images_init(&images, io, NULL);
                assert_ok(chain_open(&images, "/top.vhd", CHAIN_WRITE, &chain, &note));
                for (unsigned k = 0; k < 20; k++) {
                        uint64_t at = fixture_roll(&dice, size - 70000);

                        memset(data, (int)k, 70000);
                        assert_ok(chain_write(chain, data, 1 + fixture_roll(&dice, 70000), at, &note));
                }
                assert_ok(chain_close(chain, &note));
                assert_ok(chain_open(&images, "/top.vhd", CHAIN_READ, &chain, &note));
                assert_ok(convert_chain(io, chain, "/to.vhd", &options, &result, &note));
                assert_ok(chain_close(chain, &note));
                images_fini(&images);
                want = read_disk(io, "/top.vhd", CONVERT_VHD, size);
                got = read_disk(io, "/to.vhd", options.format, size);
                assert_memory_equal(got, want, size);
        }
}

/* ---- what is not done ---- */

static void holes_are_not_read_and_zeros_not_written(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct convert_options options = {.format = CONVERT_VHD};
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE uint8_t *data = mem_zero(BLOCK);
        struct convert_result result;
        struct err_note note = {0};

        (void)state;
        assert_ok(io_open(io, "/from", IO_WRITE | IO_CREATE, &file, &note));
        assert_ok(io_truncate(file, 1 * GIB, &note));
        assert_ok(io_write(file, data, BLOCK, 100 * (uint64_t)BLOCK, &note)); /* zeros that are data */
        memset(data, 7, BLOCK);
        assert_ok(io_write(file, data, BLOCK, 200 * (uint64_t)BLOCK, &note));
        assert_ok(io_write(file, data, 4096, 300 * (uint64_t)BLOCK + MIB, &note));
        assert_ok(convert_raw(io, "/from", "/to.vhd", &options, &result, &note));
        assert_true(result.read <= 2 * BLOCK + 65536);
        assert_true(result.written <= BLOCK + 65536);
        assert_true(io_sim_file_traffic(io, "/from").bytes_read == result.read);
        assert_true(io_sim_file_traffic(io, "/to.vhd").bytes_written < result.written + 65536);
}

static void a_full_copy_takes_all_its_space(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct convert_options options = {.format = CONVERT_RAW, .is_full = true};
        struct convert_result result;
        struct err_note note = {0};
        struct io_stat stat;

        (void)state;
        write_raw(io, "/from", 9 * BLOCK, 3);
        assert_ok(convert_raw(io, "/from", "/to", &options, &result, &note));
        assert_ok(io_stat_path(io, "/to", &stat, &note));
        assert_int_equal(stat.allocated, 9 * BLOCK);
}

static void too_little_space_is_said_before_anything_is_written(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 14 * (uint64_t)BLOCK);
        struct convert_options options = {.format = CONVERT_VHD};
        AUTO_FREE uint8_t *data = mem_zero(10 * BLOCK);
        AUTO(io_close) struct io_file *file = NULL;
        struct convert_result result;
        struct err_note note = {0};
        uint64_t used;

        (void)state;
        memset(data, 7, 10 * BLOCK);
        assert_ok(io_open(io, "/from", IO_WRITE | IO_CREATE, &file, &note));
        assert_ok(io_write(file, data, 10 * BLOCK, 0, &note));
        used = io_sim_used(io);
        assert_err(convert_raw(io, "/from", "/to", &options, &result, &note), ERR_NO_SPACE, "are needed");
        assert_int_equal(io_sim_peak(io), used);
        options.ignore_space = true;
        assert_err(convert_raw(io, "/from", "/to", &options, &result, &note), ERR_NO_SPACE, "");
        assert_int_equal(io_sim_used(io), used); /* nothing half-made is left */
}

static enum err stop_half_way(void *user, uint64_t done, uint64_t total, struct err_note *note) {
        (void)user;
        return done > total / 2 ? err_set(note, ERR_CANCELLED, "stop") : ERR_NONE;
}

static void a_copy_that_is_stopped_leaves_what_was_there(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct convert_options options = {.format = CONVERT_VHD, .may_replace = true};
        struct convert_result result;
        struct err_note note = {0};
        AUTO(io_names_fini) struct io_names names = {0};

        (void)state;
        write_raw(io, "/from", 20 * BLOCK, 3);
        assert_ok(convert_raw(io, "/from", "/to.vhd", &options, &result, &note));
        options.progress = stop_half_way;
        assert_err(convert_raw(io, "/from", "/to.vhd", &options, &result, &note), ERR_CANCELLED, "stop");
        assert_valid(io, "/to.vhd");
        assert_ok(io_list(io, "/", &names, &note));
        assert_int_equal(names.names.n, 2);
}

static void what_no_vhd_can_hold_is_refused(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct convert_options options = {.format = CONVERT_VHD};
        AUTO(io_close) struct io_file *file = NULL;
        struct convert_result result;
        struct err_note note = {0};

        (void)state;
        assert_ok(io_open(io, "/from", IO_WRITE | IO_CREATE, &file, &note));
        assert_ok(io_truncate(file, 2041 * GIB, &note));
        assert_err(convert_raw(io, "/from", "/to", &options, &result, &note), ERR_UNSUPPORTED, "2040 GiB");
        assert_err(convert_raw(io, "/none", "/to", &options, &result, &note), ERR_NOT_FOUND, "/none");
        assert_err(convert_raw(io, "/", "/to", &options, &result, &note), ERR_INVALID, "directory");
}

/* ---- at every instant ---- */

static enum err set_up(struct io *io, void *ctx, struct err_note *note) {
        (void)ctx;
        write_raw(io, "/from", 3 * BLOCK + 512, 5);
        return io_sync_dir(io, "/", note);
}

static enum err convert(struct io *io, void *ctx, struct err_note *note) {
        struct convert_result result;

        (void)ctx;
        return convert_raw(io, "/from", "/to.vhd", &(struct convert_options){.format = CONVERT_VHD}, &result,
                           note);
}

static enum err is_whole_or_none(struct io *io, void *ctx, enum sweep_outcome outcome,
                                 struct err_note *note) {
        struct io_stat stat;

        (void)ctx;
        if (io_stat_path(io, "/to.vhd", &stat, note))
                return outcome == SWEEP_DONE ? sweep_violation(note, "/to.vhd is gone") : ERR_NONE;
        AUTO_FREE uint8_t *want = read_disk(io, "/from", CONVERT_RAW, 3 * BLOCK + 512);
        AUTO_FREE uint8_t *got = read_disk(io, "/to.vhd", CONVERT_VHD, 3 * BLOCK + 512);
        if (memcmp(got, want, 3 * BLOCK + 512) != 0)
                return sweep_violation(note, "/to.vhd differs");
        return ERR_NONE;
}

static void a_crash_leaves_a_whole_copy_or_none(void **state) {
        (void)state;
        assert_int_equal(sweep_all(&(struct sweep){.name = "convert",
                                                   .setup = set_up,
                                                   .operate = convert,
                                                   .check = is_whole_or_none,
                                                   .max_points = 40},
                                   2),
                         0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_raw_file_reads_the_same_in_every_format),
                cmocka_unit_test(a_chain_becomes_one_file),
                cmocka_unit_test(holes_are_not_read_and_zeros_not_written),
                cmocka_unit_test(a_full_copy_takes_all_its_space),
                cmocka_unit_test(too_little_space_is_said_before_anything_is_written),
                cmocka_unit_test(a_copy_that_is_stopped_leaves_what_was_there),
                cmocka_unit_test(what_no_vhd_can_hold_is_refused),
                cmocka_unit_test(a_crash_leaves_a_whole_copy_or_none),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
