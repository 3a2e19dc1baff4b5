// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "chain.h"
#include "file_coalesce.h"
#include "file_intent.h"
#include "fixture.h"
#include "io_sim.h"
#include "mem.h"
#include "vhd_create.h"
#include "vhd_edit.h"

enum { BLOCK = 2 * 1024 * 1024, BLOCKS = 5, DISK = BLOCKS * BLOCK };

static const struct images_options images_options = {.growth_bytes = 4 * MIB};

/* ---- files ---- */

static struct io *machine(void) {
        return io_sim_new(1, 0);
}

static void put(struct io *io, const char *path, const void *data, size_t n) {
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note = {0};

        assert_ok(io_open(io, path, IO_CREATE, &file, &note));
        assert_ok(io_write(file, data, n, 0, &note));
}

static bool is_there(struct io *io, const char *path) {
        struct err_note unused;
        struct io_stat stat;

        return io_stat_path(io, path, &stat, &unused) == ERR_NONE;
}

/* Blocks first … first + n - 1 of the disk get a generation. */
static void write_blocks(struct io *io, const char *path, uint64_t first, uint64_t n, uint64_t generation) {
        AUTO_FREE uint8_t *data = mem_zero(n * BLOCK);
        struct err_note note = {0};
        struct images images;
        struct chain *chain;

        images_init(&images, io, &images_options);
        assert_ok(chain_open(&images, path, CHAIN_WRITE, &chain, &note));
        fixture_fill(data, n * BLOCK, first * BLOCK, generation);
        assert_ok(chain_write(chain, data, n * BLOCK, first * BLOCK, &note));
        assert_ok(chain_close(chain, &note));
        images_fini(&images);
}

/* Of each block, as one word: what its first and last sector are; '?': whatever. */
static void assert_reads(struct io *io, const char *path, const char *want) {
        struct err_note note = {0};
        struct images images;
        struct chain *chain;

        images_init(&images, io, &images_options);
        assert_ok(chain_open(&images, path, CHAIN_READ, &chain, &note));
        for (uint64_t block = 0; block < strlen(want); block++)
                for (unsigned i = 0; i < 2 && want[block] != '?'; i++) {
                        uint64_t at = block * BLOCK + i * (BLOCK - 512);
                        uint8_t sector[512];
                        bool is_sound;

                        assert_ok(chain_read(chain, sector, 512, at, &note));
                        assert_int_equal(fixture_generation(sector, at, &is_sound), want[block] - '0');
                        assert_true(is_sound);
                }
        chain_abandon(chain);
        images_fini(&images);
}

/* /a.vhd has 11100, /b.vhd over it 02200, /c.vhd over that 00330: it reads 12330. */
static void make_chain(struct io *io) {
        struct err_note note = {0};

        assert_ok(fixture_vhd(io, "/a.vhd", DISK, NULL, &note));
        write_blocks(io, "/a.vhd", 0, 3, 1);
        assert_ok(fixture_vhd(io, "/b.vhd", DISK, "/a.vhd", &note));
        write_blocks(io, "/b.vhd", 1, 2, 2);
        assert_ok(fixture_vhd(io, "/c.vhd", DISK, "/b.vhd", &note));
        write_blocks(io, "/c.vhd", 2, 2, 3);
        io_sim_settle(io);
}

/* ---- calls ---- */

static enum err begin(struct io *io, const char *child, const char *target, struct file_coalesce **ret,
                      struct err_note *note) {
        const struct file_coalesce_options options = {
                .target = target, .batch_bytes = 1, .growth_bytes = 4 * MIB};

        return file_coalesce_begin(io, child, &options, ret, note);
}

/* To the end, or for so many steps; what it moved. */
static uint64_t run_steps(struct io *io, const char *child, const char *target, unsigned n_steps) {
        struct file_coalesce *c;
        struct file_coalesce_run run;
        struct err_note note = {0};
        bool is_done = false;

        assert_ok(begin(io, child, target, &c, &note));
        for (unsigned i = 0; i < n_steps && !is_done; i++)
                assert_ok(file_coalesce_step(c, &is_done, &note));
        file_coalesce_look(c, &run);
        file_coalesce_free(c);
        return run.bytes_done;
}

static uint64_t run_all(struct io *io, const char *child, const char *target) {
        uint64_t moved = run_steps(io, child, target, UINT32_MAX);

        assert_false(is_there(io, "/.c.vhd.coalesce"));
        return moved;
}

/* It is refused, and changes nothing. */
static void refused(struct io *io, const char *child, const char *target, enum err want, const char *words) {
        uint64_t n = io_sim_count(io).changing;
        struct err_note note = {0};
        struct file_coalesce *c;

        assert_err(begin(io, child, target, &c, &note), want, words);
        assert_int_equal(io_sim_count(io).changing, n);
        assert_int_equal(io_sim_open_files(io), 0);
}

/* ---- what it does ---- */

static void a_child_is_emptied_into_its_parent(void **state) {
        struct io *io = machine();

        (void)state;
        make_chain(io);
        assert_int_equal(run_all(io, "/c.vhd", NULL), 2 * BLOCK);
        assert_reads(io, "/c.vhd", "12330");
        assert_reads(io, "/b.vhd", "12330"); /* it reads as the child does now */
        assert_reads(io, "/a.vhd", "11100");
        assert_int_equal(run_all(io, "/c.vhd", NULL), 0);
        io_free(io);
}

static void a_whole_run_is_emptied_in_one_pass(void **state) {
        struct io *io = machine();

        (void)state;
        make_chain(io);
        assert_int_equal(run_all(io, "/c.vhd", "/a.vhd"), 3 * BLOCK); /* what is covered is not moved */
        assert_reads(io, "/c.vhd", "12330");
        assert_reads(io, "/b.vhd", "12330");
        assert_reads(io, "/a.vhd", "12330");
        io_free(io);
}

/* The children of the child are in nobody's way. */
static void what_lies_above_reads_as_before(void **state) {
        struct io *io = machine();
        struct err_note note = {0};

        (void)state;
        make_chain(io);
        assert_ok(fixture_vhd(io, "/d.vhd", DISK, "/c.vhd", &note));
        write_blocks(io, "/d.vhd", 0, 1, 4);
        (void)run_all(io, "/c.vhd", "/a.vhd");
        assert_reads(io, "/d.vhd", "42330");
        io_free(io);
}

static void it_may_be_ended_at_any_step_and_goes_on(void **state) {
        (void)state;
        for (unsigned n = 0;; n++) {
                struct io *io = machine();
                uint64_t moved;

                make_chain(io);
                moved = run_steps(io, "/c.vhd", "/a.vhd", n);
                assert_reads(io, "/c.vhd", "12330");
                if (n > 0 && is_there(io, "/.c.vhd.coalesce"))
                        refused(io, "/c.vhd", NULL, ERR_BUSY,
                                "'catena vhd coalesce /c.vhd --into /a.vhd' ends it");
                moved += run_all(io, "/c.vhd", "/a.vhd");
                /* [C6] one batch twice at most; one that was cleared and not yet counted is less */
                assert_in_range(moved, 2 * BLOCK, 4 * BLOCK);
                assert_reads(io, "/a.vhd", "12330");
                io_free(io);
                if (n > 0 && moved == 3 * BLOCK && n > 40)
                        break;
        }
}

/* A good moment to stop leaves no emptied block its space. */
static void between_two_batches_it_may_stop(void **state) {
        struct io *io = machine();
        struct err_note note = {0};
        struct file_coalesce *c;
        struct io_stat before, stat;
        bool is_done = false;

        (void)state;
        make_chain(io);
        assert_ok(io_stat_path(io, "/c.vhd", &before, &note));
        assert_ok(begin(io, "/c.vhd", NULL, &c, &note));
        do
                assert_ok(file_coalesce_step(c, &is_done, &note));
        while (file_coalesce_state_of(c) != FILE_COALESCE_MOVING || file_coalesce_may_stop(c));
        while (!file_coalesce_may_stop(c))
                assert_ok(file_coalesce_step(c, &is_done, &note));
        assert_false(is_done);
        file_coalesce_free(c);
        assert_ok(io_stat_path(io, "/c.vhd", &stat, &note));
        assert_true(stat.allocated + BLOCK <= before.allocated);
        io_free(io);
}

/* ---- the intent ---- */

struct watched {
        struct io *io;
        bool did_look;
        unsigned n_changes;
};

/* [C4] But for the hole past the end that is tried. */
static void intent_is_there(void *user, const char *verb, const char *path) {
        struct watched *watched = user;

        if (strcmp(verb, "punch") == 0 || strstr(path, ".coalesce") || strcmp(path, "/") == 0)
                return;
        watched->n_changes++;
        if (!is_there(watched->io, "/.c.vhd.coalesce"))
                fail_msg("%s of %s, and no intent says why", verb, path);
}

static void the_intent_stands_while_anything_changes(void **state) {
        struct io *io = machine();
        struct watched watched = {.io = io};

        (void)state;
        make_chain(io);
        io_sim_set_watch(io, intent_is_there, &watched);
        (void)run_all(io, "/c.vhd", "/a.vhd");
        io_sim_set_watch(io, NULL, NULL);
        assert_true(watched.n_changes > 5);
        io_free(io);
}

static void assert_found(struct io *io, const char *path, bool is_wanted) {
        AUTO(vhd_intent_fini) struct vhd_intent intent = {0};
        struct err_note note = {0};
        bool is_found;

        assert_ok(file_intent_find(io, path, &is_found, &intent, &note));
        assert_int_equal(is_found, is_wanted);
        if (is_found)
                assert_string_equal(file_intent_child(&intent)->path, "/c.vhd");
}

static void the_intent_is_found_by_each_file_of_the_run(void **state) {
        struct io *io = machine();
        struct err_note note = {0};

        (void)state;
        make_chain(io);
        assert_found(io, "/c.vhd", false);
        (void)run_steps(io, "/c.vhd", "/b.vhd", 3);
        assert_found(io, "/c.vhd", true);
        assert_found(io, "/b.vhd", true);
        assert_found(io, "/a.vhd", false);
        assert_ok(io_rename(io, "/b.vhd", "/x.vhd", &note));
        assert_found(io, "/x.vhd", true); /* by its uuid */
        assert_ok(io_rename(io, "/x.vhd", "/b.vhd", &note));
        (void)run_all(io, "/c.vhd", "/b.vhd");
        assert_found(io, "/b.vhd", false);
        io_free(io);
}

static void another_coalesce_waits_until_one_that_was_interrupted_is_ended(void **state) {
        struct io *io = machine();

        (void)state;
        make_chain(io);
        (void)run_steps(io, "/c.vhd", NULL, 3);
        refused(io, "/b.vhd", NULL, ERR_BUSY, "'catena vhd coalesce /c.vhd' ends it");
        refused(io, "/c.vhd", "/a.vhd", ERR_BUSY, "'catena vhd coalesce /c.vhd' ends it");
        (void)run_all(io, "/c.vhd", NULL);
        (void)run_all(io, "/b.vhd", NULL);
        assert_reads(io, "/c.vhd", "12330");
        io_free(io);
}

static void an_intent_that_cannot_be_read_or_is_anothers_is_refused(void **state) {
        struct io *io = machine();
        struct err_note note = {0};

        (void)state;
        make_chain(io);
        put(io, "/.c.vhd.coalesce", "nonsense", 8);
        refused(io, "/c.vhd", NULL, ERR_CORRUPT, "/.c.vhd.coalesce");
        refused(io, "/b.vhd", NULL, ERR_CORRUPT, "/.c.vhd.coalesce");
        assert_ok(io_unlink(io, "/.c.vhd.coalesce", &note));
        (void)run_steps(io, "/c.vhd", NULL, 3);
        assert_ok(io_rename(io, "/c.vhd", "/old.vhd", &note));
        assert_ok(fixture_vhd(io, "/c.vhd", DISK, "/b.vhd", &note));
        assert_ok(io_unlink(io, "/old.vhd", &note));
        refused(io, "/c.vhd", NULL, ERR_MISMATCH, "another file that had its name");
        io_free(io);
}

/* ---- sizes ---- */

static void a_smaller_parent_is_grown(void **state) {
        for (enum vhd_type type = VHD_FIXED; type <= VHD_DYNAMIC; type++) {
                struct io *io = machine();
                struct vhd_create_options options = {.type = type, .size = 2 * BLOCK};
                struct err_note note = {0};

                (void)state;
                assert_ok(vhd_create(io, "/a.vhd", &options, NULL, &note));
                write_blocks(io, "/a.vhd", 0, 2, 1);
                assert_ok(fixture_vhd(io, "/c.vhd", DISK, "/a.vhd", &note));
                write_blocks(io, "/c.vhd", 1, 3, 3);
                assert_int_equal(run_all(io, "/c.vhd", NULL), 3 * BLOCK);
                assert_reads(io, "/a.vhd", "13330");
                io_free(io);
        }
}

static void a_parent_of_another_size_is_refused_where_bytes_would_show(void **state) {
        struct io *io = machine();
        struct err_note note = {0};

        (void)state;
        assert_ok(fixture_vhd(io, "/a.vhd", DISK, NULL, &note));
        write_blocks(io, "/a.vhd", 0, 5, 1);
        assert_ok(fixture_vhd(io, "/b.vhd", 3 * BLOCK, "/a.vhd", &note));
        write_blocks(io, "/b.vhd", 0, 1, 2);
        refused(io, "/b.vhd", NULL, ERR_UNSUPPORTED, "larger than /b.vhd");
        assert_ok(fixture_vhd(io, "/c.vhd", 4 * BLOCK, "/b.vhd", &note));
        write_blocks(io, "/c.vhd", 3, 1, 3);
        refused(io, "/c.vhd", NULL, ERR_UNSUPPORTED, "/a.vhd below it is larger");
        io_free(io);
}

/* ---- who else ---- */

static void another_child_is_refused(void **state) {
        struct io *io = machine();
        struct err_note note = {0};

        (void)state;
        make_chain(io);
        assert_ok(fixture_vhd(io, "/other", DISK, "/a.vhd", &note)); /* whatever its name */
        refused(io, "/c.vhd", "/a.vhd", ERR_BUSY, "/other names /a.vhd as its parent");
        (void)run_all(io, "/c.vhd", NULL); /* which does not change /a.vhd */
        assert_ok(io_unlink(io, "/other", &note));
        assert_ok(fixture_vhd(io, "/.b2.vhd", DISK, "/b.vhd", &note));
        write_blocks(io, "/c.vhd", 0, 1, 4);
        refused(io, "/c.vhd", NULL, ERR_BUSY, "/.b2.vhd names /b.vhd as its parent");
        refused(io, "/c.vhd", "/a.vhd", ERR_BUSY, "/.b2.vhd names /b.vhd as its parent");
        io_free(io);
}

static void a_child_in_the_folder_of_the_parent_is_found(void **state) {
        struct io *io = machine();
        struct err_note note = {0};

        (void)state;
        assert_ok(io_make_dir(io, "/p", &note));
        assert_ok(fixture_vhd(io, "/p/a.vhd", DISK, NULL, &note));
        write_blocks(io, "/p/a.vhd", 0, 1, 1);
        assert_ok(fixture_vhd(io, "/c.vhd", DISK, "/p/a.vhd", &note));
        write_blocks(io, "/c.vhd", 1, 1, 3);
        assert_ok(fixture_vhd(io, "/p/other.vhd", DISK, "/p/a.vhd", &note));
        refused(io, "/c.vhd", NULL, ERR_BUSY, "/p/other.vhd names");
        assert_ok(io_unlink(io, "/p/other.vhd", &note));
        assert_int_equal(run_all(io, "/c.vhd", NULL), BLOCK);
        assert_reads(io, "/p/a.vhd", "13000");
        io_free(io);
}

/* A raw parent has no uuid: whose name leads to it is its child. */
static void another_child_of_a_raw_parent_is_refused(void **state) {
        struct io *io = machine();
        struct vhd_parent raw = {.path = "/a.raw", .is_raw = true};
        struct vhd_create_options over = {.type = VHD_DIFFERENCING, .size = DISK, .parent = &raw};
        struct err_note note = {0};

        (void)state;
        put(io, "/a.raw", "x", 1); /* grown from a part of a sector */
        assert_ok(vhd_create(io, "/c.vhd", &over, NULL, &note));
        assert_ok(vhd_create(io, "/other.vhd", &over, NULL, &note));
        write_blocks(io, "/c.vhd", 1, 2, 3);
        refused(io, "/c.vhd", NULL, ERR_BUSY, "/other.vhd names /a.raw");
        assert_ok(io_unlink(io, "/other.vhd", &note));
        assert_int_equal(run_all(io, "/c.vhd", NULL), 2 * BLOCK);
        assert_reads(io, "/a.raw", "?3300");
        io_free(io);
}

static void what_cannot_be_read_may_be_a_child(void **state) {
        struct file_coalesce_options options = {.ignores_unreadable = true};
        struct io *io = machine();
        struct err_note note = {0};
        struct file_coalesce *c;

        (void)state;
        make_chain(io);
        put(io, "/text", "no VHD", 6);
        put(io, "/zero.vhd", "no VHD either", 13);
        assert_ok(fixture_vhd(io, "/x.vhd", DISK, NULL, &note));
        io_sim_break(io, "/x.vhd", 1 << 20, 0);
        refused(io, "/c.vhd", NULL, ERR_BUSY, "/x.vhd may be a child of /b.vhd");
        assert_ok(file_coalesce_begin(io, "/c.vhd", &options, &c, &note));
        file_coalesce_free(c);
        io_sim_break(io, "/x.vhd", 0, 0);
        (void)run_all(io, "/c.vhd", NULL);
        io_free(io);
}

static void a_damaged_child_is_one_where_its_header_says_so(void **state) {
        static const uint8_t zeros[512];
        struct io *io = machine();
        struct err_note note = {0};
        struct io_file *file;
        struct io_stat stat;

        (void)state;
        make_chain(io);
        assert_ok(fixture_vhd(io, "/x.vhd", DISK, "/b.vhd", &note));
        assert_ok(io_open(io, "/x.vhd", IO_WRITE, &file, &note));
        assert_ok(io_stat(file, &stat, &note));
        assert_ok(io_write(file, zeros, 512, 0, &note));
        assert_ok(io_write(file, zeros, 512, stat.size - 512, &note));
        io_close(file);
        refused(io, "/c.vhd", NULL, ERR_BUSY, "/x.vhd names /b.vhd");
        io_free(io);
}

static void what_is_open_is_refused(void **state) {
        static const char *const paths[] = {"/a.vhd", "/b.vhd", "/c.vhd"};
        struct io *io = machine();
        struct err_note note = {0};

        (void)state;
        make_chain(io);
        for (unsigned i = 0; i < 3; i++) {
                struct io_file *file;
                struct file_coalesce *c;

                assert_ok(io_open(io, paths[i], IO_READ, &file, &note));
                assert_ok(io_lock(file, IO_SHARED, &note));
                assert_err(begin(io, "/c.vhd", "/a.vhd", &c, &note), ERR_BUSY, "locked");
                io_close(file);
        }
        (void)run_all(io, "/c.vhd", "/a.vhd");
        io_free(io);
}

static void nobody_else_gets_in_meanwhile(void **state) {
        struct io *io = machine();
        struct err_note note = {0};
        struct file_coalesce *c;
        bool is_done = false;

        (void)state;
        make_chain(io);
        assert_ok(begin(io, "/c.vhd", NULL, &c, &note));
        for (unsigned i = 0; i < 5; i++) {
                AUTO(io_close) struct io_file *file = NULL;

                assert_ok(io_open(io, i % 2 ? "/b.vhd" : "/c.vhd", IO_READ, &file, &note));
                assert_err(io_lock(file, IO_SHARED, &note), ERR_BUSY, "");
                assert_ok(file_coalesce_step(c, &is_done, &note));
        }
        file_coalesce_free(c);
        io_free(io);
}

/* ---- what cannot be ---- */

static void what_is_no_run_is_refused(void **state) {
        struct io *io = machine();
        struct err_note note = {0};

        (void)state;
        make_chain(io);
        put(io, "/d.raw", "x", 1);
        refused(io, "/a.vhd", NULL, ERR_INVALID, "/a.vhd has no parent");
        refused(io, "/d.raw", NULL, ERR_INVALID, "not that of a VHD");
        refused(io, "/c.vhd", "/d.raw", ERR_INVALID, "/d.raw is no ancestor of /c.vhd");
        refused(io, "/b.vhd", "/c.vhd", ERR_INVALID, "/c.vhd is no ancestor of /b.vhd");
        refused(io, "/c.vhd", "/c.vhd", ERR_INVALID, "/c.vhd is no ancestor of /c.vhd");
        refused(io, "/c.vhd", "/none.vhd", ERR_NOT_FOUND, "/none.vhd");
        assert_ok(io_link(io, "/b.vhd", "/b2", &note));
        refused(io, "/c.vhd", NULL, ERR_BUSY, "/b.vhd has another name");
        assert_ok(io_unlink(io, "/b2", &note));
        put(io, "/.b.vhd.resize", "x", 1);
        refused(io, "/c.vhd", NULL, ERR_BUSY, "a resize of /b.vhd was interrupted");
        assert_ok(io_unlink(io, "/.b.vhd.resize", &note));
        assert_ok(io_make_dir(io, "/.catena", &note));
        refused(io, "/c.vhd", NULL, ERR_UNSUPPORTED, "'catena gc run --sr /'");
        io_free(io);
}

/* ---- space ---- */

static void it_takes_a_batch_of_space_at_most(void **state) {
        struct io *io = machine();
        uint64_t used;

        (void)state;
        make_chain(io);
        used = io_sim_used(io);
        assert_int_equal(run_all(io, "/c.vhd", NULL), 2 * BLOCK);
        assert_true(io_sim_peak(io) <= used + BLOCK + 64 * KIB); /* a batch is one block here */
        io_free(io);
}

static void where_nothing_is_given_back_the_space_is_looked_for_before(void **state) {
        struct io *io = machine();
        struct err_note note = {0};
        struct file_coalesce *c;

        (void)state;
        make_chain(io);
        io_sim_set_lacks(io, IO_SIM_NO_PUNCH | IO_SIM_NO_CLONE);
        io_sim_resize(io, io_sim_used(io) + BLOCK + BLOCK / 2); /* one of two is held by b already */
        assert_err(begin(io, "/c.vhd", NULL, &c, &note), ERR_NO_SPACE, "4.01 MiB are needed");
        assert_false(is_there(io, "/.c.vhd.coalesce"));
        assert_reads(io, "/c.vhd", "12330");
        io_sim_resize(io, io_sim_used(io) + 2 * BLOCK + 256 * KIB);
        assert_int_equal(run_all(io, "/c.vhd", NULL), 2 * BLOCK);
        assert_reads(io, "/c.vhd", "12330");
        io_free(io);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_child_is_emptied_into_its_parent),
                cmocka_unit_test(a_whole_run_is_emptied_in_one_pass),
                cmocka_unit_test(what_lies_above_reads_as_before),
                cmocka_unit_test(it_may_be_ended_at_any_step_and_goes_on),
                cmocka_unit_test(between_two_batches_it_may_stop),
                cmocka_unit_test(the_intent_stands_while_anything_changes),
                cmocka_unit_test(the_intent_is_found_by_each_file_of_the_run),
                cmocka_unit_test(another_coalesce_waits_until_one_that_was_interrupted_is_ended),
                cmocka_unit_test(an_intent_that_cannot_be_read_or_is_anothers_is_refused),
                cmocka_unit_test(a_smaller_parent_is_grown),
                cmocka_unit_test(a_parent_of_another_size_is_refused_where_bytes_would_show),
                cmocka_unit_test(another_child_is_refused),
                cmocka_unit_test(a_child_in_the_folder_of_the_parent_is_found),
                cmocka_unit_test(another_child_of_a_raw_parent_is_refused),
                cmocka_unit_test(what_cannot_be_read_may_be_a_child),
                cmocka_unit_test(a_damaged_child_is_one_where_its_header_says_so),
                cmocka_unit_test(what_is_open_is_refused),
                cmocka_unit_test(nobody_else_gets_in_meanwhile),
                cmocka_unit_test(what_is_no_run_is_refused),
                cmocka_unit_test(it_takes_a_batch_of_space_at_most),
                cmocka_unit_test(where_nothing_is_given_back_the_space_is_looked_for_before),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
