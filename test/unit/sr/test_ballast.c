// SPDX-License-Identifier: Apache-2.0
#include "sr_kit.h"

#include "ballast.h"
#include "chain.h"
#include "coalesce.h"
#include "fixture.h"
#include "sr_state.h"

#define FILE_SYSTEM (32 * MIB)
#define SIZE        (4 * MIB)

struct world {
        struct io *io;
        struct images images;
};

static void world_init(struct world *w) {
        const struct images_options options = {.growth_bytes = 2 * MIB};

        w->io = io_sim_new(1, FILE_SYSTEM);
        images_init(&w->images, w->io, &options);
}

static void world_fini(struct world *w) {
        images_fini(&w->images);
        assert_int_equal(io_sim_open_files(w->io), 0);
        io_free(w->io);
}

static uint64_t free_space(struct world *w) {
        struct io_space space;
        struct err_note note;

        assert_ok(io_space(w->io, "/", &space, &note));
        return space.free;
}

static struct ballast *open_ballast(struct world *w) {
        struct ballast *ballast;
        struct err_note note;

        assert_ok(ballast_open(w->io, "/ballast", SIZE, &w->images, &ballast, &note));
        return ballast;
}

/* A file that takes all but `leave` bytes. */
static void fill_up(struct world *w, const char *path, uint64_t leave) {
        struct io_file *file;
        struct err_note note;
        uint8_t page[4096] = {1};

        assert_ok(io_open(w->io, path, IO_CREATE, &file, &note));
        for (uint64_t at = 0; free_space(w) > leave; at += sizeof page)
                assert_ok(io_write(file, page, sizeof page, at, &note));
        io_close(file);
}

static void it_takes_its_space_and_is_found_again(void **state) {
        struct ballast *ballast;
        struct world w;
        uint64_t before;

        (void)state;
        world_init(&w);
        before = free_space(&w);
        for (int i = 0; i < 2; i++) {
                ballast = open_ballast(&w);
                assert_int_equal(ballast_held(ballast), SIZE);
                assert_int_equal(before - free_space(&w), SIZE);
                ballast_close(ballast);
        }
        world_fini(&w);
}

static void what_a_crash_left_of_it_is_filled_again(void **state) {
        struct ballast *ballast;
        struct world w;

        (void)state;
        world_init(&w);
        ballast_close(open_ballast(&w));
        io_sim_crash(w.io, 3);
        ballast = open_ballast(&w);
        assert_int_equal(ballast_held(ballast), SIZE);
        assert_true(FILE_SYSTEM - free_space(&w) >= SIZE);
        ballast_close(ballast);
        world_fini(&w);
}

static void a_nearly_full_file_system_is_not_filled_by_it(void **state) {
        struct ballast *ballast;
        struct world w;

        (void)state;
        world_init(&w);
        fill_up(&w, "/data", SIZE + MIB);
        ballast = open_ballast(&w);
        assert_int_equal(ballast_held(ballast), 0);
        ballast_close(ballast);
        world_fini(&w);
}

static void what_is_let_go_is_not_for_guests(void **state) {
        struct ballast *ballast;
        struct chain *chain;
        struct err_note note;
        uint8_t page[4096] = {1};
        struct world w;
        bool is_whole;

        (void)state;
        world_init(&w);
        assert_ok(fixture_vhd(w.io, "/a.vhd", 16 * MIB, NULL, &note));
        assert_ok(chain_open(&w.images, "/a.vhd", CHAIN_WRITE, &chain, &note));
        assert_ok(chain_write(chain, page, sizeof page, 0, &note));
        ballast = open_ballast(&w);
        fill_up(&w, "/data", 0);
        assert_ok(ballast_let_go(ballast, &note));
        assert_int_equal(free_space(&w), SIZE);
        assert_err(chain_write(chain, page, sizeof page, 4 * MIB, &note), ERR_NO_SPACE,
                   "kept for the coalesce");
        assert_ok(chain_write(chain, page, sizeof page, 4096, &note));

        /* The batch has taken some of it, and has not yet given any back. */
        fill_up(&w, "/batch", MIB);
        assert_ok(ballast_take_back(ballast, &is_whole, &note));
        assert_false(is_whole);
        assert_err(chain_write(chain, page, sizeof page, 4 * MIB, &note), ERR_NO_SPACE,
                   "kept for the coalesce");

        assert_ok(io_unlink(w.io, "/data", &note));
        assert_ok(ballast_take_back(ballast, &is_whole, &note));
        assert_true(is_whole);
        assert_int_equal(ballast_held(ballast), SIZE);
        assert_ok(chain_write(chain, page, sizeof page, 4 * MIB, &note));
        assert_ok(chain_close(chain, &note));
        ballast_close(ballast);
        world_fini(&w);
}

static void a_small_file_system_has_little_of_it(void **state) {
        (void)state;
        assert_int_equal(ballast_size_for(100 * GIB, 40 * MIB), 40 * MIB);
        assert_int_equal(ballast_size_for(1 * GIB, 40 * MIB), 4 * MIB);
        assert_int_equal(ballast_size_for(100 * MIB, 40 * MIB), 0);
}

static void an_sr_has_one_where_it_is_wanted(void **state) {
        const struct sr_options options = {.mode = SR_OWN, .images = &kit_images, .ballast_bytes = SIZE};
        AUTO(io_free) struct io *io = io_sim_new(1, 2 * GIB);
        struct io_stat stat;
        struct err_note note;
        struct sr *sr;

        (void)state;
        sr_close(kit_create(io));
        assert_err(io_stat_path(io, KIT_DIR "/.catena/ballast", &stat, &note), ERR_NOT_FOUND, "ballast");
        assert_ok(sr_open(io, KIT_DIR, &options, &sr, &note));
        assert_ok(io_stat_path(io, KIT_DIR "/.catena/ballast", &stat, &note));
        assert_int_equal(stat.allocated, SIZE);
        assert_ok(sr_release(sr, &note));
        sr_close(sr);
        assert_err(io_stat_path(io, KIT_DIR "/.catena", &stat, &note), ERR_NOT_FOUND, ".catena");
}

/* ---- a full SR ---- */

static struct sr *open_with_ballast(struct io *io) {
        const struct sr_options options = {.mode = SR_OWN, .images = &kit_images, .ballast_bytes = SIZE};
        struct err_note note;
        struct sr *sr;

        assert_ok(sr_open(io, KIT_DIR, &options, &sr, &note));
        return sr;
}

static void write_all(struct sr *sr, const struct uuid *vdi, const char *letters) {
        AUTO_FREE uint8_t *data = mem_zero(2 * MIB);
        struct err_note note;
        struct chain *chain;

        assert_ok(sr_open_chain(sr, vdi, CHAIN_WRITE, &chain, &note));
        for (uint64_t i = 0; letters[i]; i++) {
                memset(data, letters[i], 2 * MIB);
                if (letters[i] != '.')
                        assert_ok(chain_write(chain, data, 2 * MIB, i * 2 * MIB, &note));
        }
        assert_ok(sr_close_chain(sr, chain, &note));
}

/* Two layers with nothing in common, so that each block needs a new place below. */
static struct coalesce_run make_run(struct sr *sr, struct uuid *ret_vdi) {
        struct uuid first, second;
        const struct node *base;

        *ret_vdi = kit_vdi(sr, "a");
        write_all(sr, ret_vdi, "A...");
        first = kit_snapshot(sr, ret_vdi, "s");
        write_all(sr, ret_vdi, ".BCD");
        second = kit_snapshot(sr, ret_vdi, "t");
        kit_delete(sr, &first);
        kit_delete(sr, &second);
        base = tree_find(sr_tree(sr), ret_vdi)->parent;
        return (struct coalesce_run){.target = base->parent->uuid, .top = base->uuid, .n = 2};
}

static enum err coalesce_to_end(struct sr *sr, const struct coalesce_run *run, struct err_note *note) {
        struct coalesce *c;
        bool is_done = false;
        enum err err = ERR_NONE;

        if (coalesce_begin(sr, run, NULL, &c, note))
                return note->code;
        while (!is_done && !err)
                err = coalesce_step(c, &is_done, note);
        coalesce_end(c);
        return err;
}

static void a_full_sr_is_coalesced_to_the_end(void **state) {
        (void)state;
        for (unsigned with_ballast = 0; with_ballast < 2; with_ballast++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 2 * GIB);
                struct coalesce_run run;
                struct err_note note;
                struct uuid vdi;
                struct sr *sr;

                io_sim_set_lacks(io, IO_SIM_NO_CLONE); /* or nothing would be needed at all */
                sr_close(kit_create(io));
                sr = with_ballast ? open_with_ballast(io) : kit_open(io);
                run = make_run(sr, &vdi);
                io_sim_resize(io, io_sim_used(io) + 64 * 1024); /* next to nothing is free: a catalog's row */
                if (with_ballast) {
                        assert_ok(coalesce_to_end(sr, &run, &note));
                        assert_int_equal(kit_depth(sr, &vdi), 2);
                        assert_false(atomic_load(&sr->images.are_held_back));
                } else {
                        assert_err(coalesce_to_end(sr, &run, &note), ERR_NO_SPACE, "no space left");
                }
                assert_reads(sr, &vdi, "ABCD");
                sr_close(sr);
        }
}

/* ---- a full SR whose disk is written to ---- */

struct guest {
        struct chain *chain;
        char reads[KIT_BLOCKS + 1];
        unsigned turn;
};

/* Over what is there: it needs no space, and none may be said to lack. */
static void rewrite(struct guest *guest) {
        AUTO_FREE uint8_t *data = mem_zero(64 * 1024);
        unsigned block = guest->turn % KIT_BLOCKS;
        struct err_note note;

        guest->reads[block] = (char)('a' + guest->turn++ % 26);
        memset(data, guest->reads[block], 64 * 1024);
        for (uint64_t at = 0; at < 2 * MIB; at += 64 * 1024)
                assert_ok(chain_write(guest->chain, data, 64 * 1024, block * 2 * MIB + at, &note));
        assert_ok(chain_flush(guest->chain, &note));
}

/* As full as it gets: a catalog's row fits, and no block. */
static void leave_no_space(struct io *io) {
        io_sim_resize(io, io_sim_used(io) + 64 * 1024);
}

static void a_full_sr_is_coalesced_to_the_end_while_its_disk_is_written_to(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 2 * GIB);
        struct guest guest = {.reads = "ABCD"};
        struct coalesce_run run;
        struct err_note note;
        bool is_done = false;
        struct coalesce *c;
        struct uuid vdi;
        struct sr *sr;

        (void)state;
        io_sim_set_lacks(io, IO_SIM_NO_CLONE);
        sr_close(kit_create(io));
        sr = open_with_ballast(io);
        run = make_run(sr, &vdi);
        write_all(sr, &vdi, "EFGH");
        run.top = vdi;
        run.n = 3;
        run.is_leaf = true;
        assert_ok(sr_open_chain(sr, &vdi, CHAIN_WRITE, &guest.chain, &note));
        leave_no_space(io);
        assert_ok(coalesce_begin(sr, &run, &(struct coalesce_options){.batch_bytes = 2 * MIB}, &c, &note));
        for (memcpy(guest.reads, "EFGH", KIT_BLOCKS); !is_done; rewrite(&guest))
                assert_ok(coalesce_step(c, &is_done, &note));
        coalesce_end(c);
        for (unsigned i = 0; i < KIT_BLOCKS; i++)
                rewrite(&guest);
        assert_int_equal(chain_depth(guest.chain), 1);
        assert_false(atomic_load(&sr->images.are_held_back));
        assert_ok(sr_close_chain(sr, guest.chain, &note));
        assert_reads(sr, &vdi, guest.reads);
        assert_int_equal(kit_n_files(io), 1);
        sr_close(sr);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_takes_its_space_and_is_found_again),
                cmocka_unit_test(what_a_crash_left_of_it_is_filled_again),
                cmocka_unit_test(a_nearly_full_file_system_is_not_filled_by_it),
                cmocka_unit_test(what_is_let_go_is_not_for_guests),
                cmocka_unit_test(an_sr_has_one_where_it_is_wanted),
                cmocka_unit_test(a_full_sr_is_coalesced_to_the_end),
                cmocka_unit_test(a_full_sr_is_coalesced_to_the_end_while_its_disk_is_written_to),
                cmocka_unit_test(a_small_file_system_has_little_of_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
