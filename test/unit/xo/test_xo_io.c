// SPDX-License-Identifier: Apache-2.0
#include "xo_io.h"

#include "chain.h"
#include "check.h"
#include "fixture_xo.h"
#include "io_sim.h"
#include "mem.h"

#define CHILD  "/there/2.alias.vhd"
#define PARENT "/there/1.alias.vhd"

struct place {
        struct io *below, *io; /* owned */
        struct xo_remote remote;
};

static void add(struct place *place, unsigned day, const char *path) {
        AUTO_FREE char *point = fixture_xo_point(day);
        AUTO_FREE char *dir = mem_format(FIXTURE_XO_FOLDER "/data/%s.vhd", point);
        struct xo_vhd_dir *opened;
        struct err_note note;

        assert_ok(xo_vhd_dir_open(&place->remote, dir, &opened, &note));
        if (xo_vhd_dir_has_parent(opened))
                assert_ok(xo_vhd_dir_set_parent(opened, "1.alias.vhd", &note));
        xo_io_add(place->io, path, opened);
}

static void open_place(struct place *place) {
        struct err_note note;

        place->below = io_sim_new(1, 0);
        place->io = xo_io_new(place->below);
        fixture_xo_disk(place->below, 1, "abc", 0);
        fixture_xo_disk(place->below, 2, "x.z", 1);
        assert_ok(xo_remote_open(place->below, FIXTURE_XO, NULL, &place->remote, &note));
        add(place, 1, PARENT);
        add(place, 2, CHILD);
}

static void close_place(struct place *place) {
        io_free(place->io);
        xo_remote_fini(&place->remote);
        io_free(place->below);
}
DEFINE_AUTO_IN_PLACE(struct place, close_place);

static void directories_are_a_chain_like_any_other(void **state) {
        AUTO(close_place) struct place place = {0};
        struct images images;
        struct chain *chain;
        struct err_note note;
        uint8_t byte;

        (void)state;
        open_place(&place);
        images_init(&images, place.io, &(struct images_options){.is_read_only = true});
        assert_ok(chain_open(&images, CHILD, CHAIN_READ, &chain, &note));
        assert_int_equal(chain_depth(chain), 2);
        for (unsigned i = 0; i < FIXTURE_XO_BLOCKS; i++) {
                assert_ok(chain_read(chain, &byte, 1, i * VHD_BLOCK_SIZE + 77, &note));
                assert_int_equal(byte, "xbz"[i]);
        }
        chain_abandon(chain);
        images_fini(&images);
}

static void files_below_are_read_and_nothing_is_changed(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(io_close) struct io_file *file = NULL;
        struct io_file *none;
        struct io_stat stat, opened;
        struct err_note note;

        (void)state;
        open_place(&place);
        assert_null(xo_io_find(place.io, "/there/3.alias.vhd"));
        assert_non_null(xo_io_find(place.io, CHILD));
        assert_ok(io_open(place.io, CHILD, IO_READ, &file, &note));
        assert_ok(io_stat(file, &opened, &note));
        assert_ok(io_stat_path(place.io, CHILD, &stat, &note));
        assert_true(stat.inode == opened.inode && stat.device == opened.device && stat.size == opened.size);
        assert_ok(io_lock(file, IO_SHARED, &note));
        assert_int_equal(io_open(place.io, CHILD, IO_WRITE, &none, &note), ERR_READ_ONLY);
        assert_int_equal(io_open(place.io, "/new", IO_CREATE, &none, &note), ERR_READ_ONLY);
        assert_int_equal(io_unlink(place.io, CHILD, &note), ERR_READ_ONLY);
        assert_int_equal(io_rename(place.io, CHILD, "/new", &note), ERR_READ_ONLY);
        assert_int_equal(io_make_dir(place.io, "/new", &note), ERR_READ_ONLY);
        assert_int_equal(io_stat_path(place.io, "/new", &stat, &note), ERR_NOT_FOUND);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(directories_are_a_chain_like_any_other),
                cmocka_unit_test(files_below_are_read_and_nothing_is_changed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
