// SPDX-License-Identifier: Apache-2.0
/* One test for each "why" of the order in which a leaf is brought down (vhd_leaf.h): something happens
 * between two of its steps, or the machine dies there, and the danger that the rule keeps out is looked
 * for. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "chain.h"
#include "fixture.h"
#include "io_sim.h"
#include "mem.h"
#include "vhd_bat.h"
#include "vhd_batmap.h"
#include "vhd_bitmap.h"
#include "vhd_meta.h"

enum { BLOCK = 2 * 1024 * 1024, SEEDS = 40 };

struct world {
        struct io *io;
        struct images images;
        struct chain *chain;
};

static const struct images_options options = {.growth_bytes = 3 * MIB};

/* A leaf over a parent whose blocks 0 to 3 are whole, generation 1. */
static void world_init(struct world *w) {
        AUTO_FREE uint8_t *data = mem_zero(4 * BLOCK);
        struct err_note note;

        w->io = io_sim_new(1, 0);
        images_init(&w->images, w->io, &options);
        assert_ok(fixture_vhd(w->io, "/base.vhd", 8 * BLOCK, NULL, &note));
        assert_ok(chain_open(&w->images, "/base.vhd", CHAIN_WRITE, &w->chain, &note));
        fixture_fill(data, 4 * BLOCK, 0, 1);
        assert_ok(chain_write(w->chain, data, 4 * BLOCK, 0, &note));
        assert_ok(chain_close(w->chain, &note));
        assert_ok(fixture_vhd(w->io, "/leaf.vhd", 8 * BLOCK, "/base.vhd", &note));
        assert_ok(chain_open(&w->images, "/leaf.vhd", CHAIN_WRITE, &w->chain, &note));
}

static void world_fini(struct world *w) {
        if (w->chain)
                chain_abandon(w->chain);
        images_fini(&w->images);
        io_free(w->io);
}

static void put(struct world *w, uint64_t sector, uint64_t n, uint64_t generation) {
        AUTO_FREE uint8_t *data = mem_zero(n * 512);
        struct err_note note;

        fixture_fill(data, n * 512, sector * 512, generation);
        assert_ok(chain_write(w->chain, data, n * 512, sector * 512, &note));
}

static void flush(struct world *w) {
        struct err_note note;

        assert_ok(chain_flush(w->chain, &note));
}

static void reopen(struct world *w) {
        struct err_note note;

        assert_ok(chain_close(TAKE(w->chain), &note));
        assert_ok(chain_open(&w->images, "/leaf.vhd", CHAIN_WRITE, &w->chain, &note));
}

/* What a sector reads as on a copy of the machine that has been through a crash. */
static void must_be_one_of(struct io *io, uint64_t sector, uint64_t a, uint64_t b) {
        struct images images;
        struct chain *chain;
        struct err_note note;
        uint8_t data[512];
        uint64_t got;
        bool is_sound;

        images_init(&images, io, &options);
        assert_ok(chain_open(&images, "/leaf.vhd", CHAIN_READ, &chain, &note));
        assert_ok(chain_read(chain, data, 512, sector * 512, &note));
        got = fixture_generation(data, sector * 512, &is_sound);
        if (!is_sound || (got != a && got != b)) {
                print_error("sector %llu: %llu, neither %llu nor %llu\n", (unsigned long long)sector,
                            (unsigned long long)got, (unsigned long long)a, (unsigned long long)b);
                fail();
        }
        assert_ok(chain_close(chain, &note));
        images_fini(&images);
}

/* ---- something happens in the middle ---- */

/* Watches a flush: at the first change behind its first sync, the write of `sector` happens; at its second
 * sync, the machine is copied, as a crash there would find it. */
struct middle {
        struct world *w;
        uint64_t sector;
        unsigned n_syncs;
        bool has_written;
        struct io *then; /* owned */
};

static void in_the_middle(void *user, const char *verb, const char *path) {
        struct middle *middle = user;

        (void)path;
        if (strcmp(verb, "sync") == 0) {
                if (++middle->n_syncs == 2)
                        middle->then = io_sim_fork(middle->w->io);
        } else if (middle->n_syncs == 1 && !middle->has_written) {
                middle->has_written = true;
                put(middle->w, middle->sector, 1, 9);
        }
}

static void flush_with_a_write_in_the_middle(struct world *w, uint64_t sector, uint64_t before) {
        struct middle middle = {.w = w, .sector = sector};

        io_sim_set_watch(w->io, in_the_middle, &middle);
        flush(w);
        io_sim_set_watch(w->io, NULL, NULL);
        assert_true(middle.has_written);
        assert_non_null(middle.then);
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
                struct io *crashed = io_sim_fork(middle.then);

                io_sim_crash(crashed, seed);
                must_be_one_of(crashed, sector, before, 9);
                io_free(crashed);
        }
        io_free(middle.then);
        flush(w);
        io_sim_crash(w->io, 7);
        must_be_one_of(w->io, sector, 9, 9);
}

static void a_flush_writes_only_bits_whose_data_was_there_before_its_first_sync(void **state) {
        struct world w;

        (void)state;
        world_init(&w);
        put(&w, 10, 1, 2);
        flush(&w);
        put(&w, 11, 1, 3);
        flush_with_a_write_in_the_middle(&w, 12, 1);
        world_fini(&w);
}

/* The new block's slot is where the footer stood: were its BAT entry to land without its bitmap, the footer's
 * bytes would be its bits. */
static void the_bat_names_only_blocks_whose_bitmaps_this_flush_has_synced(void **state) {
        struct world w;

        (void)state;
        world_init(&w);
        put(&w, 10, 1, 2);
        reopen(&w);
        put(&w, 11, 1, 3);
        put(&w, 8192 + 5, 1, 4);
        flush_with_a_write_in_the_middle(&w, 4096 + 7, 1);
        world_fini(&w);
}

/* [D3] Where a batmap bit is on disk, so is the full bitmap, whatever a crash left of the rest. */
static void batmap_is_true(struct io *io) {
        AUTO(io_close) struct io_file *file = NULL;
        uint8_t map[512] = {0}, bits[512];
        struct vhd_meta meta;
        struct err_note note;
        uint32_t bat[8];

        assert_ok(io_open(io, "/leaf.vhd", IO_READ, &file, &note));
        assert_ok(vhd_meta_read(file, 0, &meta, &note));
        assert_ok(vhd_meta_read_bat(file, &meta, bat, 8, &note));
        if (vhd_meta_read_batmap(file, &meta, map, 8, &note))
                return; /* torn: nobody believes it */
        for (uint32_t block = 0; block < 8; block++) {
                if (bat[block] == VHD_BAT_UNUSED || !vhd_bitmap_test(map, block))
                        continue;
                assert_ok(io_read(file, bits, 512, (uint64_t)bat[block] * 512, &note));
                assert_true(vhd_bitmap_is_full(bits));
        }
}

/* Dies at each changing call, under all styles; then every sector named must be old or new, and the batmap
 * true. */
static void crash_everywhere(struct world *w, void (*act)(struct world *), const uint64_t *sectors, size_t n,
                             uint64_t old, uint64_t fresh) {
        struct io *real = w->io;

        for (uint64_t at = 1;; at++) {
                struct world copy = {.io = io_sim_fork(real)};
                struct err_note note;
                bool did_die;

                io_sim_settle(copy.io);
                images_init(&copy.images, copy.io, &options);
                assert_ok(chain_open(&copy.images, "/leaf.vhd", CHAIN_WRITE, &copy.chain, &note));
                io_sim_die_at(copy.io, at, IO_SIM_BEFORE);
                act(&copy);
                did_die = io_sim_is_dead(copy.io);
                for (uint64_t seed = 1; seed <= 20; seed++) {
                        struct io *crashed = io_sim_fork(copy.io);

                        io_sim_crash(crashed, seed * 31 + at);
                        for (size_t i = 0; i < n; i++)
                                must_be_one_of(crashed, sectors[i], old, fresh);
                        batmap_is_true(crashed);
                        io_free(crashed);
                }
                world_fini(&copy);
                if (!did_die)
                        break;
        }
}

static void write_quietly(struct world *w, uint64_t sector, uint64_t n, uint64_t generation) {
        AUTO_FREE uint8_t *data = mem_zero(n * 512);
        struct err_note note;

        fixture_fill(data, n * 512, sector * 512, generation);
        if (chain_write(w->chain, data, n * 512, sector * 512, &note) || chain_flush(w->chain, &note))
                return;
}

/* Block 6 has nothing below: a trim lets its slot go, and a write gives it another. */
static void trim_and_write_a_little(struct world *w) {
        struct err_note note;

        if (chain_trim(w->chain, BLOCK, 6 * (uint64_t)BLOCK, &note))
                return;
        write_quietly(w, 6 * 4096 + 3, 1, 6);
        if (chain_flush(w->chain, &note))
                return;
}

static void a_block_that_gets_another_slot_is_not_taken_for_whole(void **state) {
        const uint64_t others[] = {6 * 4096, 6 * 4096 + 100, 6 * 4096 + 4095};
        struct world w;

        (void)state;
        world_init(&w);
        put(&w, 6 * 4096, 4096, 5);
        flush(&w);
        reopen(&w);
        crash_everywhere(&w, trim_and_write_a_little, others, 3, 5, 0);
        world_fini(&w);
}

/* A slot that a trim let go of is not used for another block while a crash can bring its old block back. */
static void trim_and_write_elsewhere(struct world *w) {
        struct err_note note;

        if (chain_trim(w->chain, BLOCK, 6 * (uint64_t)BLOCK, &note))
                return;
        write_quietly(w, 7 * 4096, 4096, 8);
        write_quietly(w, 5 * 4096, 4096, 8);
        write_quietly(w, 4 * 4096, 4096, 8);
}

static void a_slot_is_used_again_only_when_no_crash_can_bring_its_block_back(void **state) {
        const uint64_t there[] = {6 * 4096, 6 * 4096 + 2000};
        struct world w;

        (void)state;
        world_init(&w);
        put(&w, 6 * 4096, 4096, 5);
        flush(&w);
        reopen(&w);
        crash_everywhere(&w, trim_and_write_elsewhere, there, 2, 5, 0);
        world_fini(&w);
}

/* ---- footers ---- */

/* [D4] At each instant and after any crash: the copy is good, and what stands at the end is a footer or
 *      zeros. */
static void end_is_no_guest_data(struct io *io) {
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note;
        struct vhd_meta meta;

        assert_ok(io_open(io, "/leaf.vhd", IO_READ, &file, &note));
        assert_ok(vhd_meta_read(file, 0, &meta, &note));
        assert_int_equal(meta.copy_state, VHD_PART_VALID);
        assert_true(meta.end_state == VHD_PART_VALID);
}

static void grow_and_close(struct world *w) {
        struct err_note note;

        for (uint64_t block = 4; block < 8; block++)
                write_quietly(w, block * 4096, 4096, block);
        if (chain_close(TAKE(w->chain), &note))
                return;
}

static void a_footer_stands_at_the_end_whenever_data_does_below_it(void **state) {
        struct world w;

        (void)state;
        world_init(&w);
        put(&w, 0, 1, 2);
        flush(&w);
        for (uint64_t at = 1, is_over = 0; !is_over; at++) {
                struct world copy = {.io = io_sim_fork(w.io)};
                struct err_note note;

                io_sim_settle(copy.io);
                images_init(&copy.images, copy.io, &options);
                assert_ok(chain_open(&copy.images, "/leaf.vhd", CHAIN_WRITE, &copy.chain, &note));
                io_sim_die_at(copy.io, at, IO_SIM_BEFORE);
                grow_and_close(&copy);
                is_over = !io_sim_is_dead(copy.io);
                for (uint64_t seed = 1; seed <= 20; seed++) {
                        struct io *crashed = io_sim_fork(copy.io);
                        AUTO(io_close) struct io_file *file = NULL;
                        uint8_t end[512];
                        struct io_stat stat;

                        io_sim_crash(crashed, seed * 17 + at);
                        assert_ok(io_open(crashed, "/leaf.vhd", IO_READ, &file, &note));
                        assert_ok(io_stat(file, &stat, &note));
                        assert_ok(io_read(file, end, 512, stat.size - 512, &note));
                        assert_true(bytes_are_zero(end, 512) || memcmp(end, "conectix", 8) == 0);
                        io_close(TAKE(file));
                        io_free(crashed);
                }
                if (is_over)
                        end_is_no_guest_data(copy.io);
                world_fini(&copy);
        }
        world_fini(&w);
}

static uint64_t size_of_leaf(struct io *io) {
        struct io_stat stat = {0};
        struct err_note note;

        assert_ok(io_stat_path(io, "/leaf.vhd", &stat, &note));
        return stat.size;
}

/* A growth puts zeros behind the footer that stands; giving the end back need not: a footer ends the file at
 * every instant. */
static void a_close_cuts_the_end_of_the_file_behind_a_footer(void **state) {
        uint64_t before, after;
        struct world w;

        (void)state;
        world_init(&w);
        w.images.options.growth_bytes = 9 * MIB;
        reopen(&w);
        put(&w, 0, 1, 2);
        flush(&w);
        before = after = size_of_leaf(w.io);
        for (uint64_t at = 1, is_over = 0; !is_over; at++) {
                struct world copy = {.io = io_sim_fork(w.io)};
                struct err_note note;

                io_sim_settle(copy.io);
                images_init(&copy.images, copy.io, &options);
                assert_ok(chain_open(&copy.images, "/leaf.vhd", CHAIN_WRITE, &copy.chain, &note));
                io_sim_die_at(copy.io, at, IO_SIM_BEFORE);
                is_over = chain_close(TAKE(copy.chain), &note) == ERR_NONE;
                for (uint64_t seed = 0; seed < 2 * IO_SIM_STYLES; seed++) {
                        struct io *crashed = io_sim_fork(copy.io);

                        io_sim_crash(crashed, seed);
                        end_is_no_guest_data(crashed);
                        io_free(crashed);
                }
                if (is_over)
                        after = size_of_leaf(copy.io);
                world_fini(&copy);
        }
        assert_true(after < before);
        world_fini(&w);
}

/* What a growth syncs is the whole file: where that fails, data that waits for its bits is unknown too [D6].
 * */
static void a_failed_sync_of_a_growth_ends_all_acknowledging(void **state) {
        uint8_t data[512];
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w);
        put(&w, 7, 1, 2);
        fixture_fill(data, 512, BLOCK, 2);
        io_sim_fail_at(w.io, 3, ERR_IO, false); /* truncate, footer, sync */
        assert_err(chain_write(w.chain, data, 512, BLOCK, &note), ERR_IO, "grow the file");
        io_sim_heal(w.io);
        assert_true(atomic_load(&chain_layer(w.chain, 0)->has_failed));
        assert_err(chain_flush(w.chain, &note), ERR_IO, "open the disk anew");
        world_fini(&w);
}

/* The machine dies when the file is longer and the footer not yet there, and then no block is free. */
static void a_growth_that_was_cut_short_is_taken_back_where_there_is_no_space(void **state) {
        uint8_t data[512];
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w);
        put(&w, 0, 1, 2);
        flush(&w);
        fixture_fill(data, 512, BLOCK, 2);
        io_sim_die_at(w.io, 2, IO_SIM_BEFORE); /* truncate, footer */
        assert_err(chain_write(w.chain, data, 512, BLOCK, &note), ERR_IO, "dies");
        chain_abandon(TAKE(w.chain));
        io_sim_kill(w.io);
        io_sim_resize(w.io, io_sim_used(w.io));
        assert_ok(chain_open(&w.images, "/leaf.vhd", CHAIN_WRITE, &w.chain, &note));
        put(&w, 0, 1, 3);
        assert_ok(chain_close(TAKE(w.chain), &note));
        must_be_one_of(w.io, 0, 3, 3);
        end_is_no_guest_data(w.io);
        world_fini(&w);
}

static void a_leaf_is_closed_where_there_is_no_space_to_tighten_it(void **state) {
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w);
        w.images.options.growth_bytes = 9 * MIB;
        reopen(&w);
        put(&w, 0, 1, 2);
        flush(&w);
        io_sim_resize(w.io, io_sim_used(w.io));
        assert_ok(chain_close(TAKE(w.chain), &note));
        must_be_one_of(w.io, 0, 2, 2);
        end_is_no_guest_data(w.io);
        world_fini(&w);
}

/* ---- batmap ---- */

static void a_writer_drops_batmap_bits_of_blocks_that_the_bat_lacks(void **state) {
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_batmap_disk disk;
        struct vhd_meta meta;
        struct err_note note;
        uint8_t map[512] = {0};
        struct world w;

        (void)state;
        world_init(&w);
        assert_ok(chain_close(TAKE(w.chain), &note));
        assert_ok(io_open(w.io, "/leaf.vhd", IO_WRITE, &file, &note));
        assert_ok(vhd_meta_read(file, 0, &meta, &note));
        vhd_bitmap_set(map, 2);
        vhd_batmap_seal(&meta.batmap, (struct span){map, sizeof map}, meta.footer.size_bytes);
        vhd_batmap_encode(&meta.batmap, &disk);
        assert_ok(io_write(file, map, sizeof map, meta.batmap.map_offset, &note));
        assert_ok(io_write(file, &disk, sizeof disk, meta.batmap_header_at, &note));
        io_close(TAKE(file));

        assert_ok(chain_open(&w.images, "/leaf.vhd", CHAIN_WRITE, &w.chain, &note));
        put(&w, 2 * 4096 + 9, 1, 2);
        assert_ok(chain_close(TAKE(w.chain), &note));
        must_be_one_of(w.io, 2 * 4096 + 9, 2, 2);
        must_be_one_of(w.io, 2 * 4096 + 10, 1, 1);
        world_fini(&w);
}

static void a_batmap_that_cannot_be_believed_is_written_anew_by_a_close(void **state) {
        AUTO(io_close) struct io_file *file = NULL;
        uint8_t map[512] = {0xff};
        struct vhd_meta meta;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w);
        assert_ok(chain_close(TAKE(w.chain), &note));
        assert_ok(io_open(w.io, "/leaf.vhd", IO_WRITE, &file, &note));
        assert_ok(vhd_meta_read(file, 0, &meta, &note));
        assert_ok(io_write(file, map, sizeof map, meta.batmap.map_offset, &note));
        assert_err(vhd_meta_read_batmap(file, &meta, map, 8, &note), ERR_CORRUPT, "checksum");
        io_close(TAKE(file));

        assert_ok(chain_open(&w.images, "/leaf.vhd", CHAIN_WRITE, &w.chain, &note));
        assert_ok(chain_close(TAKE(w.chain), &note));
        assert_ok(io_open(w.io, "/leaf.vhd", IO_READ, &file, &note));
        assert_ok(vhd_meta_read(file, 0, &meta, &note));
        assert_ok(vhd_meta_read_batmap(file, &meta, map, 8, &note));
        io_close(TAKE(file));
        world_fini(&w);
}

static void write_whole_blocks(struct world *w) {
        write_quietly(w, 1 * 4096, 4096, 3);
        write_quietly(w, 5 * 4096, 2048, 3);
        write_quietly(w, 5 * 4096 + 2048, 2048, 3);
}

/* The batmap of a large disk has blocks of the file system to itself.  It has them from the beginning: were
 * they taken when the first bit is set, a full file system would fail every flush from then on, for the sake
 * of a hint. */
static void a_flush_needs_no_space(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO_FREE uint8_t *data = mem_zero(BLOCK);
        struct images images;
        struct io_space space;
        struct chain *chain;
        struct err_note note;

        (void)state;
        images_init(&images, io, &options);
        assert_ok(fixture_vhd(io, "/a.vhd", 256 * GIB, NULL, &note));
        assert_ok(chain_open(&images, "/a.vhd", CHAIN_WRITE, &chain, &note));
        fixture_fill(data, BLOCK, 0, 1);
        assert_ok(chain_write(chain, data, BLOCK, 0, &note));
        assert_ok(io_space(io, "/", &space, &note));
        io_sim_resize(io, space.total - space.free);
        assert_ok(chain_flush(chain, &note));
        fixture_fill(data, BLOCK, 0, 2);
        assert_ok(chain_write(chain, data, 512, 0, &note));
        assert_ok(chain_flush(chain, &note));
        assert_ok(chain_close(chain, &note));
        images_fini(&images);
}

/* ---- what of the tables is written: of a disk whose batmap has many sectors ---- */

enum { WIDE_BLOCKS = 16384, APART = 4096 }; /* so many blocks to a sector of the batmap */

static struct chain *open_wide(struct images *images, struct io *io) {
        struct chain *chain;
        struct err_note note;

        images_init(images, io, &options);
        assert_ok(chain_open(images, "/wide.vhd", CHAIN_WRITE, &chain, &note));
        return chain;
}

static struct io *make_wide(void) {
        struct io *io = io_sim_new(1, 0);
        struct err_note note;

        assert_ok(fixture_vhd(io, "/wide.vhd", (uint64_t)WIDE_BLOCKS * BLOCK, NULL, &note));
        return io;
}

static enum err write_wide(struct chain *chain, uint64_t block, struct err_note *note) {
        AUTO_FREE uint8_t *data = mem_zero(BLOCK);

        fixture_fill(data, BLOCK, block * BLOCK, 1);
        return chain_write(chain, data, BLOCK, block * BLOCK, note);
}

/* The batmap as the file has it; its checksum must fit. */
static void read_wide_batmap(struct io *io, uint8_t map[WIDE_BLOCKS / 8]) {
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_meta meta;
        struct err_note note;

        assert_ok(io_open(io, "/wide.vhd", IO_READ, &file, &note));
        assert_ok(vhd_meta_read(file, 0, &meta, &note));
        assert_ok(vhd_meta_read_batmap(file, &meta, map, WIDE_BLOCKS, &note));
}

static void a_flush_writes_only_the_sectors_that_changed(void **state) {
        AUTO(io_free) struct io *io = make_wide();
        uint8_t map[WIDE_BLOCKS / 8];
        struct images images;
        struct chain *chain = open_wide(&images, io);
        struct err_note note;

        (void)state;
        for (uint64_t block = 1; block < WIDE_BLOCKS; block += APART) {
                uint64_t before;

                assert_ok(write_wide(chain, block, &note));
                before = io_sim_traffic(io).bytes_written;
                assert_ok(chain_flush(chain, &note));
                /* of bitmap, BAT and batmap one each, and the batmap's header */
                assert_int_equal(io_sim_traffic(io).bytes_written - before, 4 * 512);
        }
        assert_ok(chain_close(chain, &note));
        read_wide_batmap(io, map);
        for (uint32_t block = 0; block < WIDE_BLOCKS; block++)
                assert_int_equal(vhd_bitmap_test(map, block), block % APART == 1);
        images_fini(&images);
}

/* Whatever sectors a failed write of it has written or left. */
static void a_batmap_whose_write_failed_is_right_after_the_next(void **state) {
        bool has_fired = true;

        (void)state;
        for (uint64_t n = 1; has_fired; n++) {
                AUTO(io_free) struct io *io = make_wide();
                uint8_t map[WIDE_BLOCKS / 8];
                struct images images;
                struct chain *chain = open_wide(&images, io);
                struct err_note note;

                assert_ok(write_wide(chain, 1, &note));
                io_sim_fail_at(io, n, ERR_IO, false);
                if (chain_flush(chain, &note) == ERR_NONE)
                        has_fired = io_sim_fired(io); /* of the batmap a failure is no flush's */
                io_sim_heal(io);
                if (write_wide(chain, 1 + APART, &note)) { /* it was a sync that failed */
                        chain_abandon(chain);
                        images_fini(&images);
                        continue;
                }
                assert_ok(chain_close(chain, &note));
                read_wide_batmap(io, map);
                assert_true(vhd_bitmap_test(map, 1 + APART));
                images_fini(&images);
        }
}

/* A bit of a block that the BAT lacks; sealed or not. */
static void set_stray_bit(struct io *io, bool is_sealed) {
        AUTO(io_close) struct io_file *file = NULL;
        uint8_t map[WIDE_BLOCKS / 8] = {0};
        struct vhd_batmap_disk disk;
        struct vhd_meta meta;
        struct err_note note;

        assert_ok(io_open(io, "/wide.vhd", IO_WRITE, &file, &note));
        assert_ok(vhd_meta_read(file, 0, &meta, &note));
        vhd_bitmap_set(map, 2 * APART);
        if (is_sealed)
                vhd_batmap_seal(&meta.batmap, (struct span){map, sizeof map}, meta.footer.size_bytes);
        vhd_batmap_encode(&meta.batmap, &disk);
        assert_ok(io_write(file, map, sizeof map, meta.batmap.map_offset, &note));
        assert_ok(io_write(file, &disk, sizeof disk, meta.batmap_header_at, &note));
}

static void bits_that_a_writers_open_drops_are_gone_from_the_file(void **state) {
        (void)state;
        for (unsigned is_sealed = 0; is_sealed < 2; is_sealed++) {
                AUTO(io_free) struct io *io = make_wide();
                uint8_t map[WIDE_BLOCKS / 8];
                struct images images;
                struct err_note note;

                set_stray_bit(io, is_sealed);
                assert_ok(chain_close(open_wide(&images, io), &note));
                read_wide_batmap(io, map);
                assert_false(vhd_bitmap_test(map, 2 * APART));
                images_fini(&images);
        }
}

static void a_batmap_bit_never_lands_before_its_bitmap(void **state) {
        struct world w;

        (void)state;
        world_init(&w);
        flush(&w);
        for (uint64_t at = 1, is_over = 0; !is_over; at++) {
                struct world copy = {.io = io_sim_fork(w.io)};
                struct err_note note;

                io_sim_settle(copy.io);
                images_init(&copy.images, copy.io, &options);
                assert_ok(chain_open(&copy.images, "/leaf.vhd", CHAIN_WRITE, &copy.chain, &note));
                io_sim_die_at(copy.io, at, IO_SIM_BEFORE);
                write_whole_blocks(&copy);
                is_over = !io_sim_is_dead(copy.io);
                for (uint64_t seed = 1; seed <= 40; seed++) {
                        struct io *crashed = io_sim_fork(copy.io);

                        io_sim_crash(crashed, seed * 13 + at);
                        batmap_is_true(crashed);
                        io_free(crashed);
                }
                world_fini(&copy);
        }
        world_fini(&w);
}

/* ---- readers ---- */

struct punching {
        struct world *w;
        _Atomic unsigned n_syncs, n_punches;
};

static void count_punches(void *user, const char *verb, const char *path) {
        struct punching *punching = user;

        (void)path;
        if (strcmp(verb, "sync") == 0)
                atomic_fetch_add(&punching->n_syncs, 1);
        if (strcmp(verb, "punch") == 0)
                atomic_fetch_add(&punching->n_punches, 1);
}

static void *flush_once(void *arg) {
        flush(((struct punching *)arg)->w);
        return NULL;
}

/* [D2] */
static void a_slot_is_not_punched_under_a_reader_that_found_it(void **state) {
        const struct timespec a_while = {.tv_nsec = 20000000};
        struct punching punching = {0};
        struct chain_segment segment;
        struct chain_hold hold;
        struct err_note note;
        pthread_t thread;
        struct world w;

        (void)state;
        world_init(&w);
        put(&w, 6 * 4096, 4096, 5);
        flush(&w);
        hold = chain_hold_begin(w.chain);
        assert_ok(chain_segment_at(w.chain, 6 * (uint64_t)BLOCK, 512, &segment, &note));
        assert_non_null(segment.file);
        assert_ok(chain_trim(w.chain, BLOCK, 6 * (uint64_t)BLOCK, &note));

        punching.w = &w;
        io_sim_set_watch(w.io, count_punches, &punching);
        assert_int_equal(pthread_create(&thread, NULL, flush_once, &punching), 0);
        while (atomic_load(&punching.n_syncs) < 2)
                nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        nanosleep(&a_while, NULL);
        assert_int_equal(atomic_load(&punching.n_punches), 0);
        chain_hold_end(w.chain, hold);
        pthread_join(thread, NULL);
        assert_int_equal(atomic_load(&punching.n_punches), 1);
        io_sim_set_watch(w.io, NULL, NULL);
        world_fini(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_flush_writes_only_bits_whose_data_was_there_before_its_first_sync),
                cmocka_unit_test(the_bat_names_only_blocks_whose_bitmaps_this_flush_has_synced),
                cmocka_unit_test(a_block_that_gets_another_slot_is_not_taken_for_whole),
                cmocka_unit_test(a_slot_is_used_again_only_when_no_crash_can_bring_its_block_back),
                cmocka_unit_test(a_footer_stands_at_the_end_whenever_data_does_below_it),
                cmocka_unit_test(a_writer_drops_batmap_bits_of_blocks_that_the_bat_lacks),
                cmocka_unit_test(a_flush_needs_no_space),
                cmocka_unit_test(a_close_cuts_the_end_of_the_file_behind_a_footer),
                cmocka_unit_test(a_failed_sync_of_a_growth_ends_all_acknowledging),
                cmocka_unit_test(a_growth_that_was_cut_short_is_taken_back_where_there_is_no_space),
                cmocka_unit_test(a_leaf_is_closed_where_there_is_no_space_to_tighten_it),
                cmocka_unit_test(a_batmap_that_cannot_be_believed_is_written_anew_by_a_close),
                cmocka_unit_test(a_flush_writes_only_the_sectors_that_changed),
                cmocka_unit_test(a_batmap_whose_write_failed_is_right_after_the_next),
                cmocka_unit_test(bits_that_a_writers_open_drops_are_gone_from_the_file),
                cmocka_unit_test(a_batmap_bit_never_lands_before_its_bitmap),
                cmocka_unit_test(a_slot_is_not_punched_under_a_reader_that_found_it),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
