// SPDX-License-Identifier: Apache-2.0
#include "xo_vhd_file.h"

#include <string.h>

#include "chain.h"
#include "check.h"
#include "fixture_xo.h"
#include "io_sim.h"
#include "vhd.h"

struct disk {
        unsigned n_ticks, ends_at;
};

/* Each byte says in which block it is. */
static enum err read_disk(void *user, void *ret, size_t n, uint64_t at, struct err_note *note) {
        (void)user, (void)note;
        memset(ret, 'a' + (int)(at / VHD_BLOCK_SIZE), n);
        return ERR_NONE;
}

static enum err tick(void *user, struct err_note *note) {
        struct disk *disk = user;

        return ++disk->n_ticks == disk->ends_at ? err_set(note, ERR_CANCELLED, "stop") : ERR_NONE;
}

static struct xo_vhd_file file_of(struct disk *disk, unsigned day, const char *parent) {
        return (struct xo_vhd_file){.size = 2 * VHD_BLOCK_SIZE + 1000,
                                    .uuid = fixture_xo_uuid(day),
                                    .parent = fixture_xo_uuid(day - 1),
                                    .parent_name = parent,
                                    .time = 1767232800,
                                    .read = read_disk,
                                    .tick = tick,
                                    .user = disk};
}

static void files_are_a_chain_like_any_other(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct disk disk = {0};
        struct xo_vhd_file first = file_of(&disk, 1, NULL), second = file_of(&disk, 2, "1.vhd");
        struct images images;
        struct chain *chain;
        struct err_note note;
        uint8_t bytes[2];

        (void)state;
        *vec_add(&first.blocks) = 0;
        *vec_add(&first.blocks) = 2;
        *vec_add(&second.blocks) = 1;
        assert_ok(xo_vhd_file_write(io, "/1.vhd", &first, &note));
        assert_ok(xo_vhd_file_write(io, "/2.vhd", &second, &note));
        assert_int_equal(disk.n_ticks, 3);
        images_init(&images, io, &(struct images_options){.is_read_only = true});
        assert_ok(chain_open(&images, "/2.vhd", CHAIN_READ, &chain, &note));
        assert_int_equal(chain_depth(chain), 2);
        assert_int_equal(chain_size(chain), 2 * VHD_BLOCK_SIZE + 1024);
        for (unsigned i = 0; i < 3; i++) {
                assert_ok(chain_read(chain, bytes, 1, i * VHD_BLOCK_SIZE + 7, &note));
                assert_int_equal(bytes[0], 'a' + i);
        }
        /* The disk ends within a sector. */
        assert_ok(chain_read(chain, bytes, 2, 2 * VHD_BLOCK_SIZE + 999, &note));
        assert_true(bytes[0] == 'c' && bytes[1] == 0);
        chain_abandon(chain);
        images_fini(&images);
        vec_fini(&first.blocks);
        vec_fini(&second.blocks);
}

static void who_asks_it_to_stop_is_heard_and_what_is_too_large_refused(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct disk disk = {.ends_at = 1};
        struct xo_vhd_file file = file_of(&disk, 1, NULL);
        struct err_note note;

        (void)state;
        *vec_add(&file.blocks) = 0;
        *vec_add(&file.blocks) = 1;
        assert_int_equal(xo_vhd_file_write(io, "/1.vhd", &file, &note), ERR_CANCELLED);
        assert_int_equal(disk.n_ticks, 1);
        assert_int_equal(xo_vhd_file_write(io, "/1.vhd", &file, &note), ERR_EXISTS);
        file.size = VHD_MAX_SIZE + 1;
        assert_err(xo_vhd_file_write(io, "/2.vhd", &file, &note), ERR_TOO_LARGE, "2040 GiB");
        vec_fini(&file.blocks);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(files_are_a_chain_like_any_other),
                cmocka_unit_test(who_asks_it_to_stop_is_heard_and_what_is_too_large_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
