// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "chain.h"
#include "fixture.h"
#include "io_sim.h"
#include "mem.h"
#include "mover.h"
#include "push.h"
#include "vhd_bitmap.h"
#include "vhd_check.h"

enum { BLOCK = 2 * 1024 * 1024, LAYERS_MAX = 64 };

/* A chain /0.vhd … /<n - 1>.vhd, a run of all but the leaf, and what the leaf must read as. */
struct world {
        struct io *io;
        struct images images;
        struct fixture_dice dice;
        unsigned n; /* of the run; the leaf is one more */
        uint64_t size;
        uint8_t *want; /* owned; size */
        struct image *run[LAYERS_MAX];
        struct chain *chain; /* of the leaf */
        const char *target;  /* borrowed; NULL: /0.vhd */
};

static const char *path_of_layer(const struct world *w, unsigned i) {
        static char paths[4][32];
        static unsigned turn;
        char *path = paths[turn++ % 4];

        if (i == 0 && w->target)
                return w->target;
        snprintf(path, sizeof paths[0], "/%u.vhd", i);
        return path;
}

static void world_init(struct world *w, uint64_t seed, uint64_t size) {
        const struct images_options options = {.growth_bytes = 8 * MIB, .owners_cache_bytes = 1 * MIB};

        memset(w, 0, sizeof *w);
        w->io = io_sim_new(seed, 0);
        w->dice.state = seed;
        w->size = size;
        w->want = mem_zero(size);
        images_init(&w->images, w->io, &options);
}

static void world_fini(struct world *w) {
        images_fini(&w->images);
        assert_int_equal(io_sim_open_files(w->io), 0);
        io_free(w->io);
        free(w->want);
}

/* ---- what is written ---- */

static void write_at(struct world *w, struct chain *chain, uint64_t n, uint64_t at) {
        AUTO_FREE uint8_t *data = mem_zero(n);
        struct err_note note;

        fixture_fill(data, n, at, 1 + fixture_roll(&w->dice, 1u << 30));
        assert_ok(chain_write(chain, data, n, at, &note));
        if (at < w->size)
                memcpy(w->want + at, data, min_u64(n, w->size - at));
}

static void zero_at(struct world *w, struct chain *chain, uint64_t n, uint64_t at, bool is_trim) {
        struct err_note note;

        assert_ok(is_trim ? chain_trim(chain, n, at, &note) : chain_write_zeroes(chain, n, at, &note));
        if (at < w->size)
                memset(w->want + at, 0, min_u64(n, w->size - at));
}

/* Sectors, runs, whole blocks, zeros. */
static void change_once(struct world *w, struct chain *chain) {
        uint64_t sectors = chain_size(chain) / SECTOR, at = fixture_roll(&w->dice, sectors), n;

        switch (fixture_roll(&w->dice, 10)) {
        case 0:
                at = round_down(at, 4096);
                n = 4096;
                break;
        case 1:
        case 2:
                n = 1 + fixture_roll(&w->dice, 2500);
                break;
        case 3: /* every other sector */
                for (n = 0; n < 40 && at + 2 * n < sectors; n++)
                        write_at(w, chain, SECTOR, (at + 2 * n) * SECTOR);
                return;
        case 4:
        case 5:
                n = min_u64(1 + fixture_roll(&w->dice, 5000), sectors - at);
                zero_at(w, chain, n * SECTOR, at * SECTOR, n % 2);
                return;
        default:
                n = 1 + fixture_roll(&w->dice, 16);
        }
        n = min_u64(n, sectors - at);
        write_at(w, chain, n * SECTOR, at * SECTOR);
}

typedef void (*fill_layer)(struct world *, struct chain *, unsigned layer);

static void fill_at_random(struct world *w, struct chain *chain, unsigned layer) {
        unsigned n = w->n > 8 ? 3 : 12;

        (void)layer;
        for (unsigned i = 0; i < n; i++)
                change_once(w, chain);
}

static void fill_one(struct world *w, unsigned i, fill_layer fill) {
        struct chain *chain;
        struct err_note note;

        assert_ok(chain_open(&w->images, path_of_layer(w, i), CHAIN_WRITE, &chain, &note));
        fill(w, chain, i);
        assert_ok(chain_close(chain, &note));
}

/* sizes: of each layer, the leaf too; NULL: all as the world. */
static void make_layers(struct world *w, unsigned n, const uint64_t *sizes, fill_layer fill) {
        struct err_note note;

        w->n = n;
        for (unsigned i = 0; i <= n; i++) {
                uint64_t size = sizes ? sizes[i] : w->size;

                if (i > 0 || !w->target)
                        assert_ok(fixture_vhd(w->io, path_of_layer(w, i), size,
                                              i ? path_of_layer(w, i - 1) : NULL, &note));
                if (size < w->size)
                        memset(w->want + size, 0, w->size - size); /* nothing is seen through it */
                fill_one(w, i, fill);
        }
        io_sim_settle(w->io);
}

/* ---- the run ---- */

static enum image_kind kind_of_layer(const struct world *w, unsigned i) {
        return image_kind_of_path(path_of_layer(w, i));
}

static void open_run(struct world *w) {
        struct err_note note;

        for (unsigned i = 0; i < w->n; i++) {
                assert_ok(images_open(&w->images, path_of_layer(w, i), kind_of_layer(w, i), false, &w->run[i],
                                      &note));
                assert_ok(image_begin_write(w->run[i], &note));
        }
}

static void close_run(struct world *w) {
        struct err_note note;

        for (unsigned i = 0; i < w->n; i++) {
                assert_ok(image_end_write(w->run[i], &note));
                image_unref(w->run[i]);
        }
}

static void open_all(struct world *w) {
        struct err_note note;

        assert_ok(chain_open(&w->images, path_of_layer(w, w->n), CHAIN_WRITE, &w->chain, &note));
        open_run(w);
}

static void close_all(struct world *w) {
        struct err_note note;

        close_run(w);
        assert_ok(chain_close(w->chain, &note));
}

/* ---- what is read ---- */

static void same(const struct world *w, struct chain *chain, const char *who) {
        AUTO_FREE uint8_t *got = mem_zero(w->size);
        struct err_note note;

        assert_ok(chain_read(chain, got, w->size, 0, &note));
        if (memcmp(got, w->want, w->size) == 0)
                return;
        for (uint64_t i = 0; i < w->size; i++)
                if (got[i] != w->want[i]) {
                        print_error("%s: byte %llu (block %llu, sector %llu) is %u, not %u\n", who,
                                    (unsigned long long)i, (unsigned long long)(i / BLOCK),
                                    (unsigned long long)(i % BLOCK / SECTOR), got[i], w->want[i]);
                        fail();
                }
}

static void same_files(const struct world *w, struct io *io, const char *who) {
        struct images images;
        struct chain *chain;
        struct err_note note;

        images_init(&images, io, NULL);
        assert_ok(chain_open(&images, path_of_layer(w, w->n), CHAIN_READ, &chain, &note));
        same(w, chain, who);
        assert_ok(chain_close(chain, &note));
        images_fini(&images);
}

/* The open chain; what a process finds that starts after this one was killed; and after a power cut. */
static void same_to_everybody(const struct world *w, uint64_t seed) {
        struct io *io = io_sim_fork(w->io);

        same(w, w->chain, "the open chain");
        same_files(w, io, "after a kill");
        for (unsigned i = 0; i < 3; i++) {
                struct io *crashed = io_sim_fork(io);

                io_sim_crash(crashed, seed * 3 + i);
                same_files(w, crashed, "after a crash");
                io_free(crashed);
        }
        io_free(io);
}

static uint64_t held_by(struct image *image) {
        struct image_slots slots = {0};
        struct err_note note;
        uint64_t n;

        assert_ok(image->ops->load(image, &slots, &note));
        n = slots.held.n;
        vec_fini(&slots.held);
        return n;
}

static void only_the_target_holds_anything(struct world *w) {
        for (unsigned i = 1; i < w->n; i++)
                assert_int_equal(held_by(w->run[i]), 0);
}

static void files_are_sound(struct world *w) {
        for (unsigned i = 0; i < w->n; i++) {
                AUTO(findings_fini) struct findings found = {0};
                struct err_note note;

                if (kind_of_layer(w, i) == IMAGE_RAW)
                        continue;
                assert_ok(vhd_check(w->io, path_of_layer(w, i), VHD_CHECK_BITMAPS, &found, &note));
                VEC_EACH (&found.list, each)
                        print_error("%u: %s: %s\n", i, each->part, each->text);
                assert_int_equal(found.list.n, 0);
        }
}

static struct push *push_of(struct world *w, uint64_t batch_bytes, bool never_clones) {
        const struct mover_options options = {.batch_bytes = batch_bytes, .never_clones = never_clones};
        struct push *push;
        struct err_note note;

        assert_ok(push_new(w->run, w->n, &options, &push, &note));
        return push;
}

static void step(struct world *w, struct push *push) {
        struct err_note note;

        assert_ok(push_step(push, &w->chain, w->chain ? 1 : 0, &note));
}

static void push_all(struct world *w, struct push *push) {
        while (push_phase(push) != PUSH_EMPTY)
                step(w, push);
}

/* ---- one pass ---- */

static void push_with_a_look_after_each_step(unsigned n, uint64_t seed, uint64_t batch_bytes,
                                             bool never_clones) {
        struct mover_price price, before;
        struct err_note note;
        struct world w;
        struct push *push;
        uint64_t looks = 0;

        world_init(&w, seed, 2 * BLOCK + BLOCK / 2 + 1536);
        make_layers(&w, n, NULL, fill_at_random);
        open_all(&w);
        assert_ok(mover_price(w.run, w.n, 0, &before, &note));
        push = push_of(&w, batch_bytes, never_clones);
        assert_int_equal(push_bytes_total(push), before.bytes);
        assert_int_equal(push_bytes_done(push), 0);
        while (push_phase(push) != PUSH_EMPTY) {
                same_to_everybody(&w, ++looks);
                step(&w, push);
        }
        same_to_everybody(&w, looks);
        assert_int_equal(push_bytes_done(push), before.bytes);
        only_the_target_holds_anything(&w);
        assert_ok(mover_price(w.run, w.n, 0, &price, &note));
        assert_int_equal(price.bytes + price.blocks, 0);
        push_free(push);
        close_all(&w);
        same_files(&w, w.io, "at the end");
        files_are_sound(&w);
        world_fini(&w);
}

static void a_run_of_two_moves_and_reads_the_same_after_each_step(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 4; seed++)
                push_with_a_look_after_each_step(2, seed, seed % 2 ? 0 : 1, seed > 2);
}

static void a_run_of_three_moves_and_reads_the_same_after_each_step(void **state) {
        (void)state;
        for (uint64_t seed = 11; seed <= 14; seed++)
                push_with_a_look_after_each_step(3, seed, seed % 2 ? 0 : 1, seed > 12);
}

static void a_run_of_thirty_moves_in_one_pass(void **state) {
        (void)state;
        push_with_a_look_after_each_step(30, 21, 0, true);
}

/* ---- in between ---- */

static void begin_anew(struct world *w, struct push **push, bool at_once) {
        struct err_note note;

        push_free(*push);
        if (!at_once) {
                close_run(w);
                if (fixture_roll(&w->dice, 2)) {
                        assert_ok(chain_close(w->chain, &note));
                        same_files(w, w->io, "all closed");
                        assert_ok(chain_open(&w->images, path_of_layer(w, w->n), CHAIN_WRITE, &w->chain,
                                             &note));
                }
                open_run(w);
        }
        *push = push_of(w, 1, fixture_roll(&w->dice, 2));
}

/* The leaf above the run is written, zeroed, flushed; the push is freed and begun anew. */
static void anything_may_happen_between_two_steps(void **state) {
        struct err_note note;

        (void)state;
        for (uint64_t seed = 31; seed < 37; seed++) {
                struct world w;
                struct push *push;
                uint64_t steps = 0;

                world_init(&w, seed, 3 * BLOCK + 512);
                make_layers(&w, 2 + (unsigned)(seed % 3), NULL, fill_at_random);
                open_all(&w);
                push = push_of(&w, 1, false);
                while (push_phase(push) != PUSH_EMPTY) {
                        uint64_t kind = fixture_roll(&w.dice, 10);

                        if (kind < 3)
                                change_once(&w, w.chain);
                        else if (kind < 4)
                                assert_ok(chain_flush(w.chain, &note));
                        else if (kind < 5 && steps < 100)
                                begin_anew(&w, &push, push_phase(push) == PUSH_COPY);
                        else
                                step(&w, push);
                        same(&w, w.chain, "in between");
                        steps++;
                }
                only_the_target_holds_anything(&w);
                push_free(push);
                close_all(&w);
                same_files(&w, w.io, "at the end");
                files_are_sound(&w);
                world_fini(&w);
        }
}

static void a_push_that_was_stopped_anywhere_goes_on_with_what_is_left(void **state) {
        (void)state;
        for (unsigned stop = 0; stop < 16; stop++) {
                struct world w;
                struct push *push;
                bool is_unpublished;
                uint64_t total;

                world_init(&w, 41, 2 * BLOCK);
                make_layers(&w, 3, NULL, fill_at_random);
                open_all(&w);
                push = push_of(&w, 1, true);
                total = push_bytes_total(push);
                for (unsigned i = 0; i < stop && push_phase(push) != PUSH_EMPTY; i++)
                        step(&w, push);
                is_unpublished = push_phase(push) == PUSH_PUBLISH;
                total -= push_bytes_done(push);
                push_free(push);
                close_run(&w);
                same_to_everybody(&w, stop);
                open_run(&w);
                push = push_of(&w, 0, true);
                if (!is_unpublished) /* else chains may read there yet, and it counts as there */
                        assert_in_range(push_bytes_total(push), 0, total);
                push_all(&w, push);
                same_to_everybody(&w, stop);
                only_the_target_holds_anything(&w);
                push_free(push);
                close_all(&w);
                files_are_sound(&w);
                world_fini(&w);
        }
}

/* ---- sizes ---- */

static void fill_to_the_end(struct world *w, struct chain *chain, unsigned layer) {
        uint64_t size = chain_size(chain);

        write_at(w, chain, size - layer * 3072, layer * 3072);
}

static uint64_t sectors_held(struct image *image, uint64_t block) {
        uint8_t bits[IMAGE_BITMAP_SIZE];
        struct err_note note;
        image_slot slot;

        assert_ok(image->ops->look(image, block, &slot, bits, &note));
        if (!(slot & SLOT_HELD))
                return 0;
        return slot & SLOT_WHOLE ? IMAGE_BLOCK_SECTORS : vhd_bitmap_count(bits, 0, IMAGE_BLOCK_SECTORS);
}

static void a_last_block_that_is_short_moves_as_far_as_it_goes(void **state) {
        struct mover_price price;
        struct err_note note;
        struct push *push;
        struct world w;

        (void)state;
        world_init(&w, 51, BLOCK + 5 * 512);
        make_layers(&w, 3, NULL, fill_to_the_end);
        open_all(&w);
        assert_ok(mover_price(w.run, w.n, 0, &price, &note));
        assert_int_equal(price.bytes, w.size - 3072);
        push = push_of(&w, 0, true);
        push_all(&w, push);
        assert_int_equal(sectors_held(w.run[0], 1), 5);
        same_to_everybody(&w, 1);
        push_free(push);
        close_all(&w);
        files_are_sound(&w);
        world_fini(&w);
}

/* The middle layer is larger than the top: what it holds past the top's end nobody sees. */
static void what_lies_past_the_end_of_a_layer_above_is_not_copied(void **state) {
        const uint64_t sizes[] = {3 * BLOCK, 3 * BLOCK, BLOCK + 512 * 7, 3 * BLOCK};
        struct push *push;
        struct world w;

        (void)state;
        world_init(&w, 52, 3 * BLOCK);
        w.n = 3;
        make_layers(&w, 3, sizes, fill_at_random);
        open_all(&w);
        push = push_of(&w, 0, true);
        assert_in_range(push_bytes_total(push), 1, sizes[2]);
        push_all(&w, push);
        assert_int_equal(push_bytes_total(push), push_bytes_done(push));
        only_the_target_holds_anything(&w);
        same(&w, w.chain, "the open chain");
        push_free(push);
        close_all(&w);
        world_fini(&w);
}

static void a_layer_that_is_smaller_than_the_top_must_be_grown_first(void **state) {
        const uint64_t sizes[] = {2 * BLOCK, BLOCK, 2 * BLOCK, 2 * BLOCK};
        struct err_note note;
        struct push *push;
        struct world w;

        (void)state;
        world_init(&w, 53, 2 * BLOCK);
        make_layers(&w, 3, sizes, fill_at_random);
        open_all(&w);
        assert_err(push_new(w.run, w.n, NULL, &push, &note), ERR_INVALID, "/1.vhd has 2097152 bytes");
        close_all(&w);
        world_fini(&w);
}

static void fill_but_the_leaf(struct world *w, struct chain *chain, unsigned layer) {
        if (layer < w->n)
                fill_to_the_end(w, chain, layer);
}

/* A file that was cut in the middle of its last block. */
static void what_a_file_lacks_at_its_end_moves_as_zeros(void **state) {
        const uint64_t whole = 7 * 4096; /* of block 1; the rest of the block is gone */
        struct push *push;
        struct world w;

        (void)state;
        world_init(&w, 54, 2 * BLOCK);
        make_layers(&w, 2, NULL, fill_but_the_leaf);
        open_all(&w);
        w.run[1]->data_end = image_data_at(w.run[1], w.run[1]->ops->slot(w.run[1], 1)) + whole;
        memset(w.want + BLOCK + whole, 0, BLOCK - whole);
        write_at(&w, w.chain, 4096, BLOCK + 3 * 4096);
        same(&w, w.chain, "before");
        push = push_of(&w, 0, false);
        push_all(&w, push);
        same(&w, w.chain, "after");
        push_free(push);
        close_all(&w);
        same_files(&w, w.io, "at the end");
        world_fini(&w);
}

/* ---- targets that are flat ---- */

static void push_into_flat(const char *target, uint64_t seed) {
        const struct vhd_create_options fixed = {.type = VHD_FIXED, .size = 2 * BLOCK + 1024};
        struct vhd_parent parent = {.path = target, .is_raw = true};
        struct vhd_create_options child = {
                .type = VHD_DIFFERENCING, .size = 2 * BLOCK + 1024, .parent = &parent};
        struct io_file *file;
        struct err_note note;
        struct push *push;
        struct world w;

        world_init(&w, seed, 2 * BLOCK + 1024);
        w.target = target;
        w.n = 2;
        if (kind_of_layer(&w, 0) == IMAGE_VHD) {
                parent.is_raw = false;
                assert_ok(vhd_create(w.io, target, &fixed, &parent.uuid, &note));
        } else {
                assert_ok(io_open(w.io, target, IO_CREATE, &file, &note));
                assert_ok(io_truncate(file, w.size, &note));
                io_close(file);
        }
        fill_one(&w, 0, fill_at_random);
        assert_ok(vhd_create(w.io, "/1.vhd", &child, NULL, &note));
        fill_one(&w, 1, fill_at_random);
        assert_ok(fixture_vhd(w.io, "/2.vhd", w.size, "/1.vhd", &note));
        fill_one(&w, 2, fill_at_random);
        io_sim_settle(w.io);
        open_all(&w);
        push = push_of(&w, 1, seed % 2);
        while (push_phase(push) != PUSH_EMPTY) {
                step(&w, push);
                same_to_everybody(&w, seed);
        }
        only_the_target_holds_anything(&w);
        push_free(push);
        close_all(&w);
        world_fini(&w);
}

static void a_raw_file_may_be_the_target(void **state) {
        (void)state;
        push_into_flat("/0.raw", 61);
        push_into_flat("/0.raw", 62);
}

static void a_fixed_vhd_may_be_the_target(void **state) {
        (void)state;
        push_into_flat("/0.vhd", 63);
        push_into_flat("/0.vhd", 64);
}

static void a_flat_image_is_never_emptied(void **state) {
        struct mover_price price;
        struct err_note note;
        struct image *run[2];
        struct io_file *file;
        struct world w;

        (void)state;
        world_init(&w, 65, BLOCK);
        assert_ok(io_open(w.io, "/a.raw", IO_CREATE, &file, &note));
        assert_ok(io_truncate(file, w.size, &note));
        io_close(file);
        assert_ok(fixture_vhd(w.io, "/b.vhd", w.size, NULL, &note));
        assert_ok(images_open(&w.images, "/b.vhd", IMAGE_VHD, false, &run[0], &note));
        assert_ok(images_open(&w.images, "/a.raw", IMAGE_RAW, false, &run[1], &note));
        assert_err(mover_price(run, 2, 0, &price, &note), ERR_UNSUPPORTED, "cannot be emptied");
        image_unref(run[0]);
        image_unref(run[1]);
        world_fini(&w);
}

/* ---- how much is moved ---- */

/* Target and middle and top hold all of it; the top of each block's first half, so both layers count. */
static void fill_whole_blocks(struct world *w, struct chain *chain, unsigned layer) {
        for (uint64_t at = 0; at < w->size && layer < w->n; at += BLOCK)
                write_at(w, chain, layer == 2 ? BLOCK / 2 : BLOCK, at);
}

static void each_byte_is_written_once_and_little_else(void **state) {
        struct io_sim_traffic before, after;
        struct push *push;
        struct world w;
        uint64_t bytes;

        (void)state;
        world_init(&w, 71, 24 * (uint64_t)BLOCK);
        make_layers(&w, 3, NULL, fill_whole_blocks);
        open_all(&w);
        push = push_of(&w, 8 * MIB, true);
        assert_int_equal(push_bytes_total(push), w.size);
        before = io_sim_traffic(w.io);
        push_all(&w, push);
        after = io_sim_traffic(w.io);
        bytes = after.bytes_written - before.bytes_written;
        assert_in_range(bytes, w.size, w.size + w.size / 50); /* 1.02 */
        assert_in_range(after.bytes_read - before.bytes_read, w.size, w.size + w.size / 50);
        /* Six batches of four blocks: one sync of the target, where no block is new; two of each layer. */
        assert_int_equal(after.syncs - before.syncs, 6 * (1 + 2 + 2));
        same(&w, w.chain, "the open chain");
        push_free(push);
        close_all(&w);
        world_fini(&w);
}

static void a_committed_batch_is_never_moved_again(void **state) {
        struct world w;
        uint64_t total, written = 0, batches = 0;

        (void)state;
        world_init(&w, 72, 12 * (uint64_t)BLOCK);
        make_layers(&w, 2, NULL, fill_whole_blocks);
        for (open_all(&w); held_by(w.run[1]) > 0; batches++) {
                /* Each batch by a push of its own, as after a restart. */
                struct io_sim_traffic before = io_sim_file_traffic(w.io, "/0.vhd");
                struct push *push = push_of(&w, 3 * (BLOCK + 4096), true);

                total = push_bytes_total(push);
                do
                        step(&w, push);
                while (push_phase(push) != PUSH_COPY && push_phase(push) != PUSH_EMPTY);
                assert_int_equal(total - push_bytes_done(push), (uint64_t)(held_by(w.run[1]) * BLOCK));
                written += io_sim_file_traffic(w.io, "/0.vhd").bytes_written - before.bytes_written;
                push_free(push);
        }
        assert_int_equal(batches, 4);
        assert_in_range(written, w.size, w.size + w.size / 50);
        same_to_everybody(&w, 1);
        close_all(&w);
        world_fini(&w);
}

static void a_batch_is_all_the_space_that_it_takes(void **state) {
        const uint64_t batch = 4 * (BLOCK + 4096);
        struct push *push;
        struct world w;
        uint64_t used;

        (void)state;
        world_init(&w, 73, 16 * (uint64_t)BLOCK);
        make_layers(&w, 2, NULL, fill_whole_blocks);
        /* The target is emptied, so that each of the top's blocks is new below. */
        fill_one(&w, 1, fill_whole_blocks);
        open_all(&w);
        io_sim_settle(w.io);
        used = io_sim_used(w.io);
        push = push_of(&w, batch, true);
        while (push_phase(push) != PUSH_EMPTY) {
                step(&w, push);
                assert_in_range(io_sim_used(w.io), 0, used + batch + 64 * KIB);
        }
        push_free(push);
        close_all(&w);
        world_fini(&w);
}

static void fill_zeros_over_data(struct world *w, struct chain *chain, unsigned layer) {
        if (layer == 0)
                write_at(w, chain, w->size, 0);
        else if (layer == 1)
                zero_at(w, chain, w->size, 0, false);
}

static void present_zeros_are_carried_as_holes(void **state) {
        struct push *push;
        struct world w;

        (void)state;
        world_init(&w, 74, 3 * BLOCK);
        make_layers(&w, 2, NULL, fill_zeros_over_data);
        open_all(&w);
        push = push_of(&w, 0, true);
        assert_int_equal(push_bytes_total(push), w.size);
        push_all(&w, push);
        assert_int_equal(sectors_held(w.run[0], 2), IMAGE_BLOCK_SECTORS);
        same_to_everybody(&w, 1);
        assert_in_range(io_sim_used(w.io), 0, 256 * KIB);
        push_free(push);
        close_all(&w);
        world_fini(&w);
}

static void where_files_can_share_blocks_nothing_is_copied(void **state) {
        struct io_sim_traffic before, after;
        struct push *push;
        struct world w;

        (void)state;
        world_init(&w, 75, 8 * (uint64_t)BLOCK);
        make_layers(&w, 2, NULL, fill_whole_blocks);
        open_all(&w);
        push = push_of(&w, 0, false);
        before = io_sim_traffic(w.io);
        push_all(&w, push);
        after = io_sim_traffic(w.io);
        assert_int_equal(after.clones - before.clones, 8);
        assert_in_range(after.bytes_written - before.bytes_written, 1, 64 * KIB);
        same_to_everybody(&w, 1);
        push_free(push);
        close_all(&w);
        world_fini(&w);
}

/* The first block is whole, the others have runs that are too short to be shared. */
static void fill_short_runs(struct world *w, struct chain *chain, unsigned layer) {
        for (uint64_t at = 0; layer > 0 && at + 64 * KIB <= w->size; at += 64 * KIB)
                write_at(w, chain, at < BLOCK ? 64 * KIB : 32 * KIB, at);
}

static unsigned batches_of(unsigned n_blocks, fill_layer fill, bool never_clones, uint64_t batch_bytes) {
        unsigned n = 0;
        struct push *push;
        struct world w;

        world_init(&w, 77, n_blocks * (uint64_t)BLOCK);
        make_layers(&w, 2, NULL, fill);
        open_all(&w);
        push = push_of(&w, batch_bytes, never_clones);
        while (push_phase(push) != PUSH_EMPTY) {
                n += push_phase(push) == PUSH_COPY;
                step(&w, push);
        }
        push_free(push);
        close_all(&w);
        world_fini(&w);
        return n;
}

/* The first shows that they can be shared. */
static void batches_of_shared_blocks_are_larger_unless_small_ones_are_asked_for(void **state) {
        (void)state;
        assert_int_equal(batches_of(44, fill_whole_blocks, true, 0), 3);
        assert_int_equal(batches_of(44, fill_whole_blocks, false, 0), 2);
        assert_int_equal(batches_of(44, fill_whole_blocks, false, 16 * MIB), 6);
}

static void what_is_copied_beside_shared_blocks_takes_no_more_than_a_batch(void **state) {
        (void)state;
        assert_int_equal(batches_of(80, fill_short_runs, true, 0), 3);
        assert_int_equal(batches_of(80, fill_short_runs, false, 0), 3);
}

/* In each block one long run that begins and ends within a page. */
static void fill_odd_runs(struct world *w, struct chain *chain, unsigned layer) {
        for (uint64_t block = 0; layer > 0 && (block + 1) * BLOCK <= w->size; block++)
                write_at(w, chain, BLOCK / 2 - 1024, block * BLOCK + 4096 - SECTOR);
}

static void of_a_run_with_odd_ends_only_these_are_copied(void **state) {
        struct io_sim_traffic before, after;
        struct push *push;
        struct world w;

        (void)state;
        world_init(&w, 76, 8 * (uint64_t)BLOCK);
        make_layers(&w, 2, NULL, fill_odd_runs);
        open_all(&w);
        push = push_of(&w, 0, false);
        before = io_sim_traffic(w.io);
        push_all(&w, push);
        after = io_sim_traffic(w.io);
        assert_int_equal(after.clones - before.clones, 8);
        assert_in_range(after.bytes_written - before.bytes_written, 8 * (1 + 6) * SECTOR, 64 * KIB);
        same_to_everybody(&w, 1);
        push_free(push);
        close_all(&w);
        world_fini(&w);
}

/* ---- faults ---- */

static void fill_top_only(struct world *w, struct chain *chain, unsigned layer) {
        if (layer == w->n - 1)
                fill_whole_blocks(w, chain, 0);
        if (layer == 0)
                write_at(w, chain, 4096, 0); /* block 0 has a place below */
}

static void where_space_is_short_a_batch_is_as_large_as_fits(void **state) {
        struct err_note note;
        struct push *push;
        struct world w;

        (void)state;
        world_init(&w, 81, 8 * (uint64_t)BLOCK);
        make_layers(&w, 2, NULL, fill_top_only);
        open_all(&w);
        /* Nothing at all: the batch fails, and all is as it was. */
        io_sim_resize(w.io, io_sim_used(w.io));
        push = push_of(&w, 0, true);
        assert_err(push_step(push, &w.chain, 1, &note), ERR_NO_SPACE, "no space left");
        assert_int_equal(push_phase(push), PUSH_COPY);
        same_to_everybody(&w, 1);
        /* A little more than one block, and it goes to the end. */
        io_sim_resize(w.io, io_sim_used(w.io) + BLOCK + 64 * KIB);
        push_all(&w, push);
        assert_int_equal(push_bytes_done(push), w.size);
        same_to_everybody(&w, 2);
        only_the_target_holds_anything(&w);
        push_free(push);
        close_all(&w);
        world_fini(&w);
}

/* How many reads of the layer come before a write into the target, at most, while a batch is copied. */
static unsigned reads_in_a_row(struct world *w, struct push *push) {
        AUTO_FREE char *text = NULL;
        unsigned n = 0, most = 0;
        size_t size;
        FILE *trace = open_memstream(&text, &size);

        assert_int_equal(push_phase(push), PUSH_COPY);
        io_sim_trace(w->io, trace);
        step(w, push);
        io_sim_trace(w->io, NULL);
        (void)fclose(trace);
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
                n = strstr(line, "/0.vhd: write") ? 0 : n + (strstr(line, "/1.vhd: read") != NULL);
                most = n > most ? n : most;
        }
        while (push_phase(push) != PUSH_COPY && push_phase(push) != PUSH_EMPTY)
                step(w, push);
        return most;
}

static void it_goes_at_the_pace_that_it_is_given(void **state) {
        struct push *push;
        struct world w;
        unsigned gentle;

        (void)state;
        world_init(&w, 82, 8 * (uint64_t)BLOCK);
        make_layers(&w, 2, NULL, fill_top_only);
        open_all(&w);
        push = push_of(&w, 0, true);
        push_pace(push, 1, 1);
        (void)reads_in_a_row(&w, push); /* looks into bitmaps for the first time */
        assert_int_equal(push_bytes_done(push), BLOCK);
        gentle = reads_in_a_row(&w, push);
        assert_true(gentle <= 2); /* a piece, and what is read to find it */
        assert_int_equal(push_bytes_done(push), 2 * BLOCK);
        push_pace(push, 0, 0);
        assert_true(reads_in_a_row(&w, push) >= gentle + 2); /* as many as the bytes at work allow */
        assert_int_equal(push_bytes_done(push), 8 * BLOCK);
        same_to_everybody(&w, 1);
        push_free(push);
        close_all(&w);
        world_fini(&w);
}

static void a_read_that_fails_leaves_all_as_it_was(void **state) {
        struct err_note note;
        struct push *push;
        struct world w;

        (void)state;
        world_init(&w, 82, 4 * (uint64_t)BLOCK);
        make_layers(&w, 2, NULL, fill_top_only);
        open_all(&w);
        push = push_of(&w, 0, true);
        io_sim_break(w.io, "/1.vhd", 512, image_data_at(w.run[1], w.run[1]->ops->slot(w.run[1], 2)) + 512);
        assert_err(push_step(push, &w.chain, 1, &note), ERR_IO, "read /1.vhd, block 2");
        assert_int_equal(push_phase(push), PUSH_COPY);
        io_sim_break(w.io, "/1.vhd", 0, 0);
        same_to_everybody(&w, 1);
        push_all(&w, push);
        same_to_everybody(&w, 2);
        push_free(push);
        close_all(&w);
        files_are_sound(&w);
        world_fini(&w);
}

/* Every call of a push fails once; the step is taken again, or all is begun anew where a sync failed. */
static void any_call_may_fail_once(void **state) {
        struct err_note note;

        (void)state;
        for (uint64_t n = 1; n < 400; n += 1 + n / 16) {
                struct world w;
                struct push *push;
                bool has_fired;

                world_init(&w, 83, BLOCK + 4096);
                make_layers(&w, 3, NULL, fill_at_random);
                open_all(&w);
                push = push_of(&w, 1, n % 2);
                io_sim_fail_at(w.io, n, ERR_IO, false);
                while (push_phase(push) != PUSH_EMPTY) {
                        if (!push_step(push, &w.chain, 1, &note))
                                continue;
                        assert_int_equal(note.code, ERR_IO);
                        if (w.run[0]->has_failed || w.run[1]->has_failed || w.run[2]->has_failed)
                                break;
                }
                has_fired = io_sim_fired(w.io);
                io_sim_heal(w.io);
                same(&w, w.chain, "the open chain");
                if (push_phase(push) == PUSH_EMPTY)
                        only_the_target_holds_anything(&w);
                push_free(push);
                for (unsigned i = 0; i < w.n; i++) {
                        image_abandon_write(w.run[i]);
                        image_unref(w.run[i]);
                }
                chain_abandon(w.chain);
                w.chain = NULL;
                same_files(&w, w.io, "after the failure");
                open_run(&w);
                push = push_of(&w, 0, true);
                push_all(&w, push);
                push_free(push);
                only_the_target_holds_anything(&w);
                close_run(&w);
                same_files(&w, w.io, "at the end");
                files_are_sound(&w);
                world_fini(&w);
                if (!has_fired)
                        break;
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_run_of_two_moves_and_reads_the_same_after_each_step),
                cmocka_unit_test(a_run_of_three_moves_and_reads_the_same_after_each_step),
                cmocka_unit_test(a_run_of_thirty_moves_in_one_pass),
                cmocka_unit_test(anything_may_happen_between_two_steps),
                cmocka_unit_test(a_push_that_was_stopped_anywhere_goes_on_with_what_is_left),
                cmocka_unit_test(a_last_block_that_is_short_moves_as_far_as_it_goes),
                cmocka_unit_test(what_lies_past_the_end_of_a_layer_above_is_not_copied),
                cmocka_unit_test(a_layer_that_is_smaller_than_the_top_must_be_grown_first),
                cmocka_unit_test(what_a_file_lacks_at_its_end_moves_as_zeros),
                cmocka_unit_test(a_raw_file_may_be_the_target),
                cmocka_unit_test(a_fixed_vhd_may_be_the_target),
                cmocka_unit_test(a_flat_image_is_never_emptied),
                cmocka_unit_test(each_byte_is_written_once_and_little_else),
                cmocka_unit_test(a_committed_batch_is_never_moved_again),
                cmocka_unit_test(a_batch_is_all_the_space_that_it_takes),
                cmocka_unit_test(present_zeros_are_carried_as_holes),
                cmocka_unit_test(where_files_can_share_blocks_nothing_is_copied),
                cmocka_unit_test(batches_of_shared_blocks_are_larger_unless_small_ones_are_asked_for),
                cmocka_unit_test(what_is_copied_beside_shared_blocks_takes_no_more_than_a_batch),
                cmocka_unit_test(of_a_run_with_odd_ends_only_these_are_copied),
                cmocka_unit_test(where_space_is_short_a_batch_is_as_large_as_fits),
                cmocka_unit_test(it_goes_at_the_pace_that_it_is_given),
                cmocka_unit_test(a_read_that_fails_leaves_all_as_it_was),
                cmocka_unit_test(any_call_may_fail_once),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
