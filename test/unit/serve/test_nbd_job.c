// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "fixture.h"
#include "io_sim.h"
#include "mem.h"
#include "nbd_job.h"

#define SIZE (8 * MIB)

struct world {
        struct io *io; /* owned */
        struct images images;
        struct chain *parent, *chain; /* owned */
        uint8_t *data;                /* owned */
        struct nbd_job job;
};

static int set_up(void **state) {
        struct images_options options = {.growth_bytes = 4 * MIB};
        struct world *w = calloc(1, sizeof *w);
        struct err_note note = {0};

        w->io = io_sim_new(1, 0);
        w->data = calloc(1, SIZE);
        images_init(&w->images, w->io, &options);
        assert_ok(fixture_vhd(w->io, "/p.vhd", SIZE, NULL, &note));
        assert_ok(fixture_vhd(w->io, "/c.vhd", SIZE, "/p.vhd", &note));
        assert_ok(chain_open(&w->images, "/c.vhd", CHAIN_WRITE, &w->chain, &note));
        assert_ok(chain_open(&w->images, "/p.vhd", CHAIN_READ, &w->parent, &note));
        *state = w;
        return 0;
}

static int tear_down(void **state) {
        struct world *w = *state;

        chain_abandon(w->chain);
        chain_abandon(w->parent);
        images_fini(&w->images);
        io_free(w->io);
        free(w->data);
        free(w);
        return 0;
}

static enum nbd_error run(struct world *w, uint16_t type, uint16_t flags, uint64_t at, uint32_t n) {
        static const struct nbd_asked allocation = {.id = 1};

        w->job.request = (struct nbd_request){.type = type, .flags = flags, .offset = at, .length = n};
        w->job.chain = w->chain;
        w->job.data = w->data;
        w->job.contexts = &allocation;
        w->job.n_contexts = 1;
        nbd_job_run(&w->job);
        return w->job.error;
}

static void write_letters(struct world *w, char letter, uint64_t at, uint32_t n) {
        memset(w->data, letter, n);
        assert_int_equal(run(w, NBD_CMD_WRITE, 0, at, n), NBD_OK);
}

static bool reads_as(struct world *w, char letter, uint64_t at, uint32_t n) {
        memset(w->data, 1, n);
        assert_int_equal(run(w, NBD_CMD_READ, 0, at, n), NBD_OK);
        for (uint32_t i = 0; i < n; i++)
                if (w->data[i] != (uint8_t)letter)
                        return false;
        return true;
}

static void each_command_does_what_it_says(void **state) {
        struct world *w = *state;

        write_letters(w, 'a', 1000, 200000);
        assert_true(reads_as(w, 'a', 1000, 200000));
        assert_true(reads_as(w, 0, 0, 1000));
        assert_int_equal(run(w, NBD_CMD_WRITE_ZEROES, 0, 3000, 5000), NBD_OK);
        assert_true(reads_as(w, 0, 3000, 5000));
        assert_int_equal(run(w, NBD_CMD_TRIM, 0, 100000, 50000), NBD_OK);
        assert_true(reads_as(w, 0, 100000, 50000));
        assert_true(reads_as(w, 'a', 8000, 92000));
        assert_int_equal(run(w, NBD_CMD_CACHE, 0, 0, 50000), NBD_OK);
        assert_int_equal(run(w, NBD_CMD_FLUSH, 0, 0, 0), NBD_OK);
        assert_int_equal(run(w, 77, 0, 0, 0), NBD_EINVAL);
}

static void what_fua_acknowledged_is_there_after_a_crash(void **state) {
        static const uint16_t types[] = {NBD_CMD_WRITE, NBD_CMD_WRITE_ZEROES, NBD_CMD_TRIM, NBD_CMD_FLUSH};

        for (unsigned i = 0; i < 4; i++) {
                struct world *w;
                struct err_note note = {0};
                bool is_flush = types[i] == NBD_CMD_FLUSH;

                tear_down(state);
                set_up(state);
                w = *state;
                write_letters(w, 'a', 0, 4096);
                assert_int_equal(run(w, NBD_CMD_FLUSH, 0, 0, 0), NBD_OK);
                write_letters(w, 'b', 8192, 4096);
                assert_int_equal(run(w, types[i], NBD_CMD_FUA, 0, is_flush ? 0 : 4096), NBD_OK);
                chain_abandon(w->chain);
                chain_abandon(w->parent);
                images_fini(&w->images);
                io_sim_crash(w->io, i);
                images_init(&w->images, w->io, &(struct images_options){.growth_bytes = 4 * MIB});
                assert_ok(chain_open(&w->images, "/c.vhd", CHAIN_WRITE, &w->chain, &note));
                assert_ok(chain_open(&w->images, "/p.vhd", CHAIN_READ, &w->parent, &note));
                assert_true(reads_as(w, 'b', 8192, 4096));
                assert_true(reads_as(w, types[i] == NBD_CMD_WRITE ? 'b' : is_flush ? 'a' : 0, 0, 4096));
        }
}

static void zeros_may_have_to_take_up_space_which_is_not_fast(void **state) {
        struct world *w = *state;
        struct extent extent;
        struct err_note note = {0};

        assert_int_equal(run(w, NBD_CMD_WRITE_ZEROES, NBD_CMD_NO_HOLE | NBD_CMD_FAST_ZERO, 0, MIB),
                         NBD_ENOTSUP);
        assert_int_equal(run(w, NBD_CMD_WRITE_ZEROES, NBD_CMD_FAST_ZERO, 0, MIB), NBD_OK);
        assert_int_equal(run(w, NBD_CMD_WRITE_ZEROES, NBD_CMD_NO_HOLE, 512, MIB), NBD_OK);
        assert_ok(chain_extent_at(w->chain, NULL, 512, 2 * MIB - 512, &extent, &note));
        assert_true(extent.kind == EXTENT_DATA && extent.n == MIB);
        assert_true(reads_as(w, 0, 0, 2 * MIB));
}

static void holes_are_parts_of_their_own_as_far_as_there_is_room(void **state) {
        struct world *w = *state;
        uint32_t at = 0;

        write_letters(w, 'a', 65536, 65536);
        write_letters(w, 'b', 131072 + 512, 512); /* the hole before it is too small to be told */
        w->job.may_have_holes = true;
        assert_int_equal(run(w, NBD_CMD_READ, 0, 0, MIB), NBD_OK);
        assert_int_equal(w->job.n_parts, 3);
        assert_true(w->job.parts[0].is_hole && w->job.parts[0].n == 65536);
        assert_true(!w->job.parts[1].is_hole && w->job.parts[1].n == 65536 + 1024);
        assert_true(w->job.parts[2].is_hole && w->job.parts[2].at + w->job.parts[2].n == MIB);
        for (unsigned i = 0; i < 40; i++)
                write_letters(w, 'c', 2 * MIB + i * 16384, 8192);
        assert_int_equal(run(w, NBD_CMD_READ, 0, 2 * MIB, 40 * 16384), NBD_OK);
        assert_true(w->job.n_parts >= NBD_PARTS_MAX - 1 && w->job.n_parts <= NBD_PARTS_MAX);
        for (unsigned i = 0; i < w->job.n_parts; i++) {
                assert_int_equal(w->job.parts[i].at, at);
                at += w->job.parts[i].n;
        }
        assert_int_equal(at, 40 * 16384);
        assert_int_equal(w->data[39 * 16384], 'c');
        assert_int_equal(w->data[39 * 16384 + 8192], 0);
        assert_int_equal(run(w, NBD_CMD_READ, 0, 1, MIB), NBD_OK); /* not whole sectors */
        assert_int_equal(w->job.n_parts, 1);
        w->job.may_have_holes = false;
        assert_int_equal(run(w, NBD_CMD_READ, 0, 0, MIB), NBD_OK);
        assert_int_equal(w->job.n_parts, 1);
}

static uint32_t extent_of(const struct world *w, unsigned context, unsigned i, uint32_t *ret_status) {
        struct nbd_extent_wire extent;

        memcpy(&extent, w->data + context * NBD_EXTENTS_BYTES + i * sizeof extent, sizeof extent);
        *ret_status = be32_get(extent.status);
        return be32_get(extent.length);
}

static void status_is_exact_and_as_long_as_there_is_room(void **state) {
        struct world *w = *state;
        const struct nbd_asked both[] = {{.id = 1}, {.id = 2, .base = w->parent}};
        uint32_t status;

        write_letters(w, 'a', 4096, 4096);
        assert_int_equal(run(w, NBD_CMD_BLOCK_STATUS, 0, 100, 20000), NBD_OK);
        assert_int_equal(w->job.n_extents[0], 3);
        assert_int_equal(extent_of(w, 0, 0, &status), 3996);
        assert_int_equal(status, 3);
        assert_int_equal(extent_of(w, 0, 1, &status), 4096);
        assert_int_equal(status, 0);
        assert_int_equal(extent_of(w, 0, 2, &status), 20100 - 8192);
        assert_int_equal(run(w, NBD_CMD_BLOCK_STATUS, NBD_CMD_REQ_ONE, 100, 20000), NBD_OK);
        assert_int_equal(w->job.n_extents[0], 1);
        w->job.contexts = both;
        w->job.n_contexts = 2;
        nbd_job_run(&w->job);
        w->job.request.flags = 0;
        nbd_job_run(&w->job);
        assert_int_equal(w->job.n_extents[1], 3);
        assert_int_equal(extent_of(w, 1, 1, &status), 4096);
        assert_int_equal(status, 1);
        for (unsigned i = 0; i < NBD_EXTENTS_MAX; i++)
                write_letters(w, 'b', 2 * MIB + i * 1024, 512);
        assert_int_equal(run(w, NBD_CMD_BLOCK_STATUS, 0, 2 * MIB, 4 * MIB), NBD_OK);
        assert_int_equal(w->job.n_extents[0], NBD_EXTENTS_MAX);
        assert_int_equal(extent_of(w, 0, NBD_EXTENTS_MAX - 1, &status), 512);
}

static void each_failure_is_told_and_the_next_request_works(void **state) {
        struct world *w = *state;

        write_letters(w, 'a', 0, 4096);
        io_sim_fail_at(w->io, 1, ERR_IO, false);
        assert_int_equal(run(w, NBD_CMD_READ, 0, 0, 4096), NBD_EIO);
        assert_non_null(strstr(w->job.note.text, "c.vhd"));
        assert_true(reads_as(w, 'a', 0, 4096));
        io_sim_fail_at(w->io, 1, ERR_NO_SPACE, false);
        assert_int_equal(run(w, NBD_CMD_WRITE, 0, 0, 4096), NBD_ENOSPC);
        write_letters(w, 'b', 0, 4096);
        io_sim_fail_at(w->io, 1, ERR_IO, false);
        assert_int_equal(run(w, NBD_CMD_FLUSH, 0, 0, 0), NBD_EIO);
        assert_int_equal(nbd_error_of(ERR_NONE), NBD_OK);
        assert_int_equal(nbd_error_of(ERR_READ_ONLY), NBD_EPERM);
        assert_int_equal(nbd_error_of(ERR_INVALID), NBD_EINVAL);
        assert_int_equal(nbd_error_of(ERR_TOO_LARGE), NBD_EOVERFLOW);
        assert_int_equal(nbd_error_of(ERR_CANCELLED), NBD_ESHUTDOWN);
        assert_int_equal(nbd_error_of(ERR_CORRUPT), NBD_EIO);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(each_command_does_what_it_says),
                CASE(what_fua_acknowledged_is_there_after_a_crash),
                CASE(zeros_may_have_to_take_up_space_which_is_not_fast),
                CASE(holes_are_parts_of_their_own_as_far_as_there_is_room),
                CASE(status_is_exact_and_as_long_as_there_is_room),
                CASE(each_failure_is_told_and_the_next_request_works),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
