// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "chain.h"
#include "fixture.h"
#include "io_sim.h"
#include "mem.h"
#include "vhd_meta.h"

enum { BLOCK = 2 * 1024 * 1024 };

struct world {
        struct io *io;
        struct images images;
};

static void world_init(struct world *w, uint64_t seed) {
        const struct images_options options = {.growth_bytes = 8 * MIB, .owners_cache_bytes = 1 * MIB};

        w->io = io_sim_new(seed, 0);
        images_init(&w->images, w->io, &options);
}

static void world_fini(struct world *w) {
        images_fini(&w->images);
        assert_int_equal(io_sim_open_files(w->io), 0);
        io_free(w->io);
}

/* ---- against a model ---- */

struct model {
        uint8_t *bytes; /* owned */
        uint64_t size;
};

static void same_as_model(struct chain *chain, const struct model *model) {
        AUTO_FREE uint8_t *got = mem_zero(model->size);
        struct err_note note;

        assert_ok(chain_read(chain, got, model->size, 0, &note));
        if (memcmp(got, model->bytes, model->size) == 0)
                return;
        for (uint64_t i = 0; i < model->size; i++)
                if (got[i] != model->bytes[i]) {
                        print_error("byte %llu: %u, not %u\n", (unsigned long long)i, got[i],
                                    model->bytes[i]);
                        fail();
                }
}

static void change_once(struct chain *chain, struct model *model, struct fixture_dice *dice) {
        uint64_t at = fixture_roll(dice, model->size),
                 n = 1 + fixture_roll(dice, fixture_roll(dice, 8) ? 9000 : 3 * BLOCK);
        uint64_t kind = fixture_roll(dice, 10);
        struct err_note note;

        n = min_u64(n, model->size - at);
        if (fixture_roll(dice, 4)) {
                at = round_down(at, 4096);
                n = min_u64(round_up(n, 4096), model->size - at);
        }
        if (kind < 6) {
                AUTO_FREE uint8_t *data = mem_zero(n);

                memset(data, (int)(1 + fixture_roll(dice, 255)), n);
                assert_ok(chain_write(chain, data, n, at, &note));
                memcpy(model->bytes + at, data, n);
        } else if (kind < 9) {
                assert_ok(kind == 6 ? chain_write_zeroes(chain, n, at, &note)
                                    : chain_trim(chain, n, at, &note));
                memset(model->bytes + at, 0, n);
        } else {
                assert_ok(chain_flush(chain, &note));
        }
}

static void random_changes_read_back_at_any_depth(void **state) {
        struct fixture_dice dice = {7};
        struct model model = {mem_zero(10 * BLOCK + 4096), 5 * BLOCK + 1536};
        char path[32] = "/0.vhd", parent[32];
        struct chain *chain;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        assert_ok(fixture_vhd(w.io, path, model.size, NULL, &note));
        for (int depth = 1; depth <= 6; depth++) {
                for (int open = 0; open < 3; open++) {
                        assert_ok(chain_open(&w.images, path, CHAIN_WRITE, &chain, &note));
                        assert_int_equal(chain_depth(chain), depth);
                        for (int i = 0; i < 40; i++)
                                change_once(chain, &model, &dice);
                        same_as_model(chain, &model);
                        assert_ok(chain_close(chain, &note));
                        assert_ok(chain_open(&w.images, path, CHAIN_READ, &chain, &note));
                        same_as_model(chain, &model);
                        assert_ok(chain_close(chain, &note));
                }
                strcpy(parent, path);
                snprintf(path, sizeof path, "/%d.vhd", depth);
                if (depth % 2)
                        model.size += BLOCK / 2 + 512 * (uint64_t)depth;
                assert_ok(fixture_vhd(w.io, path, model.size, parent, &note));
        }
        free(model.bytes);
        world_fini(&w);
}

static void a_raw_parent_is_read_through(void **state) {
        struct model model = {mem_zero(3 * BLOCK), 3 * BLOCK};
        struct vhd_parent parent = {.path = "/base.raw", .is_raw = true};
        struct vhd_create_options options = {.type = VHD_DIFFERENCING, .size = 3 * BLOCK, .parent = &parent};
        struct fixture_dice dice = {3};
        struct io_file *file;
        struct chain *chain;
        struct err_note note;
        struct uuid uuid;
        struct world w;

        (void)state;
        world_init(&w, 1);
        fixture_fill(model.bytes, 2 * BLOCK + 512, 0, 5);
        assert_ok(io_open(w.io, "/base.raw", IO_CREATE, &file, &note));
        assert_ok(io_write(file, model.bytes, 2 * BLOCK + 300, 0, &note));
        memset(model.bytes + 2 * BLOCK + 300, 0, 212);
        io_close(file);
        assert_ok(vhd_create(w.io, "/top.vhd", &options, &uuid, &note));
        assert_ok(chain_open(&w.images, "/top.vhd", CHAIN_WRITE, &chain, &note));
        same_as_model(chain, &model);
        for (int i = 0; i < 50; i++)
                change_once(chain, &model, &dice);
        same_as_model(chain, &model);
        assert_ok(chain_close(chain, &note));
        free(model.bytes);
        world_fini(&w);
}

static void a_child_reads_zeros_past_its_parents_end_whatever_lies_below(void **state) {
        AUTO_FREE uint8_t *data = mem_zero(3 * BLOCK);
        struct model model = {mem_zero(3 * BLOCK), 3 * BLOCK};
        const uint64_t short_end = BLOCK + 512 * 20;
        struct chain *chain;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        fixture_fill(data, 3 * BLOCK, 0, 1);
        memcpy(model.bytes, data, short_end);
        assert_ok(fixture_vhd(w.io, "/a.vhd", 3 * BLOCK, NULL, &note));
        assert_ok(chain_open(&w.images, "/a.vhd", CHAIN_WRITE, &chain, &note));
        assert_ok(chain_write(chain, data, 3 * BLOCK, 0, &note));
        assert_ok(chain_close(chain, &note));
        assert_ok(fixture_vhd(w.io, "/b.vhd", short_end, "/a.vhd", &note));
        assert_ok(fixture_vhd(w.io, "/c.vhd", 3 * BLOCK, "/b.vhd", &note));
        for (enum chain_mode mode = CHAIN_READ; mode <= CHAIN_WRITE; mode++) {
                assert_ok(chain_open(&w.images, "/c.vhd", mode, &chain, &note));
                same_as_model(chain, &model);
                assert_ok(chain_close(chain, &note));
        }
        free(model.bytes);
        world_fini(&w);
}

/* libvhd reads over its buffer's end here. */
static void a_block_that_the_file_cuts_short_reads_as_zeros_from_there(void **state) {
        AUTO_FREE uint8_t *data = mem_zero(BLOCK);
        AUTO(io_close) struct io_file *file = NULL;
        struct model model = {mem_zero(2 * BLOCK), 2 * BLOCK};
        struct vhd_footer_disk footer;
        struct chain *chain;
        struct io_stat stat;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        fixture_fill(data, BLOCK, BLOCK, 1);
        assert_ok(fixture_vhd(w.io, "/a.vhd", 2 * BLOCK, NULL, &note));
        assert_ok(chain_open(&w.images, "/a.vhd", CHAIN_WRITE, &chain, &note));
        assert_ok(chain_write(chain, data, BLOCK, BLOCK, &note));
        assert_ok(chain_close(chain, &note));
        assert_ok(io_open(w.io, "/a.vhd", IO_WRITE, &file, &note));
        assert_ok(io_stat(file, &stat, &note));
        assert_ok(io_read(file, &footer, sizeof footer, stat.size - 512, &note));
        assert_ok(io_truncate(file, stat.size - BLOCK / 2, &note));
        assert_ok(io_write(file, &footer, sizeof footer, stat.size - BLOCK / 2 - 512, &note));
        memcpy(model.bytes + BLOCK, data, BLOCK / 2);
        assert_ok(chain_open(&w.images, "/a.vhd", CHAIN_READ, &chain, &note));
        same_as_model(chain, &model);
        assert_ok(chain_close(chain, &note));
        assert_err(chain_open(&w.images, "/a.vhd", CHAIN_WRITE, &chain, &note), ERR_CORRUPT,
                   "catena vhd check");
        io_close(TAKE(file));
        free(model.bytes);
        world_fini(&w);
}

/* ---- the shape ---- */

static void a_pushed_leaf_takes_the_writes_and_the_old_one_stays(void **state) {
        struct model model = {mem_zero(3 * BLOCK), 3 * BLOCK}, then = {mem_zero(3 * BLOCK), 3 * BLOCK};
        struct fixture_dice dice = {11};
        struct chain *chain, *old;
        struct image *leaf;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        assert_ok(fixture_vhd(w.io, "/leaf.vhd", model.size, NULL, &note));
        assert_ok(chain_open(&w.images, "/leaf.vhd", CHAIN_WRITE, &chain, &note));
        for (int depth = 1; depth < 5; depth++) {
                char base[32];

                for (int i = 0; i < 20; i++)
                        change_once(chain, &model, &dice);
                memcpy(then.bytes, model.bytes, model.size);
                snprintf(base, sizeof base, "/base%d.vhd", depth);
                assert_ok(chain_freeze(chain, &note));
                assert_ok(io_rename(w.io, "/leaf.vhd", base, &note));
                assert_ok(fixture_vhd(w.io, "/leaf.vhd", model.size, base, &note));
                assert_ok(images_open(&w.images, "/leaf.vhd", IMAGE_VHD, true, &leaf, &note));
                chain_push_leaf(chain, leaf, base, "/leaf.vhd");
                chain_thaw(chain);
                assert_int_equal(chain_depth(chain), depth + 1);
                same_as_model(chain, &model);
                for (int i = 0; i < 20; i++)
                        change_once(chain, &model, &dice);
                same_as_model(chain, &model);
                assert_ok(chain_open(&w.images, base, CHAIN_READ, &old, &note));
                same_as_model(old, &then);
                assert_ok(chain_close(old, &note));
        }
        assert_ok(chain_close(chain, &note));
        free(model.bytes);
        free(then.bytes);
        world_fini(&w);
}

static void what_differs_is_exact(void **state) {
        struct fixture_dice dice = {5};
        struct model model = {mem_zero(3 * BLOCK), 3 * BLOCK};
        uint8_t touched[3 * BLOCK / 512] = {0};
        struct chain *chain, *base;
        struct extent extent;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        assert_ok(fixture_vhd(w.io, "/a.vhd", model.size, NULL, &note));
        assert_ok(chain_open(&w.images, "/a.vhd", CHAIN_WRITE, &chain, &note));
        for (int i = 0; i < 30; i++)
                change_once(chain, &model, &dice);
        assert_ok(chain_close(chain, &note));
        assert_ok(fixture_vhd(w.io, "/b.vhd", model.size, "/a.vhd", &note));
        assert_ok(fixture_vhd(w.io, "/c.vhd", model.size, "/b.vhd", &note));
        for (int layer = 0; layer < 2; layer++) {
                assert_ok(chain_open(&w.images, layer ? "/c.vhd" : "/b.vhd", CHAIN_WRITE, &chain, &note));
                for (int i = 0; i < 25; i++) {
                        uint64_t sector = fixture_roll(&dice, sizeof touched),
                                 n = 1 + fixture_roll(&dice, 20);
                        uint8_t data[20 * 512];

                        n = min_u64(n, sizeof touched - sector);
                        memset(data, i, sizeof data);
                        assert_ok(chain_write(chain, data, n * 512, sector * 512, &note));
                        memset(touched + sector, 1, n);
                }
                assert_ok(chain_close(chain, &note));
        }
        assert_ok(chain_open(&w.images, "/a.vhd", CHAIN_READ, &base, &note));
        assert_ok(chain_open(&w.images, "/c.vhd", CHAIN_READ, &chain, &note));
        for (uint64_t at = 0; at < model.size; at += extent.n) {
                assert_ok(chain_extent_at(chain, base, at, model.size - at, &extent, &note));
                assert_true(extent.n > 0);
                for (uint64_t s = at / 512; s < (at + extent.n) / 512; s++)
                        assert_int_equal(touched[s], extent.kind == EXTENT_DATA);
                assert_true(at + extent.n == model.size ||
                            touched[(at + extent.n) / 512] != touched[at / 512]);
        }
        assert_ok(chain_close(chain, &note));
        assert_ok(chain_close(base, &note));
        free(model.bytes);
        world_fini(&w);
}

/* ---- what opening costs ---- */

static void a_fresh_leaf_is_opened_without_a_look_at_its_tables(void **state) {
        const uint64_t size = 2040 * GIB;
        struct io_sim_traffic before;
        struct image *leaf;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        assert_ok(fixture_vhd(w.io, "/a.vhd", size, NULL, &note));
        before = io_sim_traffic(w.io);
        assert_ok(images_open_fresh(&w.images, "/a.vhd", &leaf, &note));
        assert_true(io_sim_traffic(w.io).bytes_read - before.bytes_read < 8192);
        assert_int_equal(io_sim_traffic(w.io).syncs, before.syncs);
        assert_int_equal(leaf->ops->slot(leaf, size / BLOCK - 1), SLOT_ABSENT);
        image_unref(leaf);
        world_fini(&w);
}

static void a_fresh_leaf_takes_writes_as_any_other(void **state) {
        uint8_t data[4096], got[4096];
        struct chain *chain;
        struct image *leaf;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        assert_ok(fixture_vhd(w.io, "/base.vhd", 64 * MIB, NULL, &note));
        assert_ok(chain_open(&w.images, "/base.vhd", CHAIN_WRITE, &chain, &note));
        assert_ok(fixture_vhd(w.io, "/leaf.vhd", 64 * MIB, "/base.vhd", &note));
        assert_ok(images_open_fresh(&w.images, "/leaf.vhd", &leaf, &note));
        assert_ok(chain_freeze(chain, &note));
        chain_push_leaf(chain, leaf, "/base.vhd", "/leaf.vhd");
        chain_thaw(chain);
        memset(data, 7, sizeof data);
        for (uint64_t at = 0; at < 64 * MIB; at += 8 * MIB)
                assert_ok(chain_write(chain, data, sizeof data, at, &note));
        assert_ok(chain_close(chain, &note));
        assert_ok(chain_open(&w.images, "/leaf.vhd", CHAIN_READ, &chain, &note));
        for (uint64_t at = 0; at < 64 * MIB; at += 8 * MIB) {
                assert_ok(chain_read(chain, got, sizeof got, at, &note));
                assert_memory_equal(got, data, sizeof got);
        }
        assert_ok(chain_close(chain, &note));
        world_fini(&w);
}

/* ---- refusals ---- */

static void what_cannot_be_a_chain_is_refused_by_name(void **state) {
        struct chain *chain;
        struct err_note note;
        uint8_t byte = 0;
        struct world w;

        (void)state;
        world_init(&w, 1);
        assert_ok(fixture_vhd(w.io, "/a.vhd", BLOCK, NULL, &note));
        assert_ok(fixture_vhd(w.io, "/b.vhd", BLOCK, "/a.vhd", &note));
        assert_ok(chain_open(&w.images, "/b.vhd", CHAIN_READ, &chain, &note));
        assert_err(chain_write(chain, &byte, 1, 0, &note), ERR_READ_ONLY, "opened for reading");
        assert_err(chain_read(chain, &byte, 1, BLOCK, &note), ERR_INVALID, "the disk ends at 2097152");
        assert_ok(chain_close(chain, &note));

        assert_ok(io_rename(w.io, "/a.vhd", "/other.vhd", &note));
        assert_err(chain_open(&w.images, "/b.vhd", CHAIN_READ, &chain, &note), ERR_NOT_FOUND, "looked for ");
        assert_true(strstr(note.text, "a.vhd") != NULL);
        assert_ok(fixture_vhd(w.io, "/a.vhd", BLOCK, NULL, &note));
        assert_err(chain_open(&w.images, "/b.vhd", CHAIN_READ, &chain, &note), ERR_MISMATCH, "was made over");
        assert_ok(io_rename(w.io, "/other.vhd", "/a.vhd", &note));

        assert_ok(chain_open(&w.images, "/b.vhd", CHAIN_WRITE, &chain, &note));
        {
                struct chain *second;

                assert_err(chain_open(&w.images, "/b.vhd", CHAIN_READ, &second, &note), ERR_BUSY,
                           "for writing");
        }
        assert_ok(chain_close(chain, &note));
        world_fini(&w);
}

static void parents_that_form_a_loop_are_refused(void **state) {
        struct chain *chain;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        assert_ok(fixture_vhd(w.io, "/a.vhd", BLOCK, NULL, &note));
        assert_ok(fixture_vhd(w.io, "/b.vhd", BLOCK, "/a.vhd", &note));
        assert_ok(fixture_vhd(w.io, "/c.vhd", BLOCK, "/b.vhd", &note));
        assert_ok(io_rename(w.io, "/c.vhd", "/a.vhd", &note));
        assert_err(chain_open(&w.images, "/b.vhd", CHAIN_READ, &chain, &note), ERR_MISMATCH, "");
        world_fini(&w);
}

/* [D5] */
static void a_chain_for_reading_writes_nothing(void **state) {
        struct io_sim_traffic before, after;
        const struct images_options options = {.is_read_only = true};
        struct chain *chain;
        uint8_t data[4096];
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        assert_ok(fixture_vhd(w.io, "/a.vhd", 4 * BLOCK, NULL, &note));
        assert_ok(fixture_vhd(w.io, "/b.vhd", 4 * BLOCK, "/a.vhd", &note));
        images_fini(&w.images);
        images_init(&w.images, w.io, &options);
        before = io_sim_traffic(w.io);
        assert_ok(chain_open(&w.images, "/b.vhd", CHAIN_READ, &chain, &note));
        assert_ok(chain_read(chain, data, sizeof data, 0, &note));
        assert_ok(chain_flush(chain, &note));
        assert_ok(chain_close(chain, &note));
        assert_err(chain_open(&w.images, "/b.vhd", CHAIN_WRITE, &chain, &note), ERR_READ_ONLY, "read-only");
        after = io_sim_traffic(w.io);
        assert_int_equal(after.writes, before.writes);
        assert_int_equal(after.syncs, before.syncs);
        world_fini(&w);
}

/* [D6] */
static void after_a_failed_sync_nothing_is_acknowledged(void **state) {
        struct chain *chain;
        uint8_t data[4096] = {1};
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        assert_ok(fixture_vhd(w.io, "/a.vhd", 4 * BLOCK, NULL, &note));
        assert_ok(chain_open(&w.images, "/a.vhd", CHAIN_WRITE, &chain, &note));
        assert_ok(chain_write(chain, data, sizeof data, 0, &note));
        io_sim_fail_at(w.io, 2, ERR_IO, false); /* the bitmap's write, then the sync */
        assert_err(chain_flush(chain, &note), ERR_IO, "flush /a.vhd");
        io_sim_heal(w.io);
        assert_err(chain_flush(chain, &note), ERR_IO, "an earlier sync failed");
        assert_err(chain_write(chain, data, sizeof data, 0, &note), ERR_IO, "open the disk anew");
        chain_abandon(chain);
        world_fini(&w);
}

/* ---- counts ---- */

static void a_trimmed_block_gives_its_slot_back_and_it_is_used_again(void **state) {
        struct io_stat before, after;
        struct chain *chain;
        AUTO_FREE uint8_t *data = mem_zero(BLOCK);
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        memset(data, 9, BLOCK);
        assert_ok(fixture_vhd(w.io, "/a.vhd", 64 * (uint64_t)BLOCK, NULL, &note));
        assert_ok(chain_open(&w.images, "/a.vhd", CHAIN_WRITE, &chain, &note));
        for (uint64_t block = 0; block < 4; block++)
                assert_ok(chain_write(chain, data, BLOCK, block * BLOCK, &note));
        assert_ok(chain_flush(chain, &note));
        assert_ok(io_stat_path(w.io, "/a.vhd", &before, &note));
        for (int round = 0; round < 20; round++) {
                assert_ok(chain_trim(chain, 2 * BLOCK, BLOCK, &note));
                assert_ok(chain_flush(chain, &note));
                assert_ok(io_stat_path(w.io, "/a.vhd", &after, &note));
                assert_true(after.allocated + 2 * BLOCK <= before.allocated + 64 * KIB);
                assert_ok(chain_write(chain, data, 512, 20 * BLOCK, &note));
                assert_ok(chain_flush(chain, &note));
                assert_ok(chain_trim(chain, BLOCK, 20 * BLOCK, &note));
                assert_ok(chain_flush(chain, &note));
                assert_ok(chain_write(chain, data, BLOCK, BLOCK, &note));
                assert_ok(chain_write(chain, data, BLOCK, 2 * BLOCK, &note));
                assert_ok(chain_flush(chain, &note));
        }
        assert_ok(chain_close(chain, &note));
        assert_ok(io_stat_path(w.io, "/a.vhd", &after, &note));
        assert_true(after.size < 8 * BLOCK);
        world_fini(&w);
}

static void a_read_costs_one_file_read_at_any_depth(void **state) {
        struct io_sim_traffic before, after;
        char path[32] = "/0.vhd", parent[32];
        struct chain *chain;
        uint8_t data[4096];
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        assert_ok(fixture_vhd(w.io, path, 8 * BLOCK, NULL, &note));
        for (int depth = 1; depth <= 30; depth++) {
                assert_ok(chain_open(&w.images, path, CHAIN_WRITE, &chain, &note));
                memset(data, depth, sizeof data);
                for (uint64_t block = 0; block < 8; block++)
                        assert_ok(chain_write(chain, data, 4096, block * BLOCK + 4096 * (uint64_t)depth,
                                              &note));
                assert_ok(chain_close(chain, &note));
                strcpy(parent, path);
                snprintf(path, sizeof path, "/%d.vhd", depth);
                assert_ok(fixture_vhd(w.io, path, 8 * BLOCK, parent, &note));
        }
        assert_ok(chain_open(&w.images, path, CHAIN_READ, &chain, &note));
        for (uint64_t block = 0; block < 8; block++)
                assert_ok(chain_read(chain, data, 512, block * BLOCK, &note));
        before = io_sim_traffic(w.io);
        for (uint64_t block = 0; block < 8; block++)
                for (int depth = 1; depth <= 30; depth++) {
                        assert_ok(
                                chain_read(chain, data, 4096, block * BLOCK + 4096 * (uint64_t)depth, &note));
                        assert_int_equal(data[0], depth);
                        assert_int_equal(data[4095], depth);
                }
        after = io_sim_traffic(w.io);
        assert_int_equal(after.reads - before.reads, 8 * 30);
        assert_ok(chain_close(chain, &note));
        world_fini(&w);
}

/* Each changing call takes 50 µs. */
static void pass_time(void *user, const char *verb UNUSED, const char *path UNUSED) {
        io_sim_advance(user, 50000);
}

static void how_long_requests_of_users_took_is_told(void **state) {
        AUTO_FREE uint8_t *data = mem_zero(MIB);
        struct latency_counts counts;
        struct err_note note;
        struct chain *chain;
        struct world w;

        (void)state;
        world_init(&w, 1);
        assert_ok(fixture_vhd(w.io, "/a.vhd", 4 * BLOCK, NULL, &note));
        assert_ok(chain_open(&w.images, "/a.vhd", CHAIN_WRITE, &chain, &note));
        io_sim_set_watch(w.io, pass_time, w.io);
        assert_ok(chain_write(chain, data, 4096, 0, &note));
        assert_ok(
                chain_write(chain, data, 1000, 77, &note)); /* reads first, which is no read of the user's */
        assert_ok(chain_write(chain, data, MIB, 0, &note));
        assert_ok(chain_write_zeroes(chain, 4096, 0, &note));
        assert_ok(chain_trim(chain, 4096, BLOCK, &note));
        assert_ok(chain_flush(chain, &note));
        assert_true(chain_write(chain, data, 4096, 4 * BLOCK, &note) == ERR_INVALID);
        assert_ok(chain_freeze(chain, &note)); /* flushes for itself */
        chain_thaw(chain);
        chain_latency(chain, &counts);
        assert_int_equal(latency_n(&counts, LATENCY_READ), 0);
        assert_int_equal(latency_n(&counts, LATENCY_WRITE), 2);
        assert_true(latency_mean_ns(&counts, LATENCY_WRITE) >= 50000);
        assert_int_equal(latency_n(&counts, LATENCY_TRIM), 2);
        assert_int_equal(latency_n(&counts, LATENCY_FLUSH), 1);
        assert_int_equal(latency_n(&counts, LATENCY_BULK), 1);
        for (int i = 0; i < 100; i++) /* in no time: some stand for others */
                assert_ok(chain_read(chain, data, 4096, 0, &note));
        chain_latency(chain, &counts);
        assert_true(latency_n(&counts, LATENCY_READ) <= 100);
        assert_true(latency_n(&counts, LATENCY_READ) >= 100 - LATENCY_PASSED_MAX);
        io_sim_set_watch(w.io, NULL, NULL);
        assert_ok(chain_close(chain, &note));
        world_fini(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(random_changes_read_back_at_any_depth),
                cmocka_unit_test(a_raw_parent_is_read_through),
                cmocka_unit_test(a_child_reads_zeros_past_its_parents_end_whatever_lies_below),
                cmocka_unit_test(a_block_that_the_file_cuts_short_reads_as_zeros_from_there),
                cmocka_unit_test(a_pushed_leaf_takes_the_writes_and_the_old_one_stays),
                cmocka_unit_test(what_differs_is_exact),
                cmocka_unit_test(a_fresh_leaf_is_opened_without_a_look_at_its_tables),
                cmocka_unit_test(a_fresh_leaf_takes_writes_as_any_other),
                cmocka_unit_test(what_cannot_be_a_chain_is_refused_by_name),
                cmocka_unit_test(parents_that_form_a_loop_are_refused),
                cmocka_unit_test(a_chain_for_reading_writes_nothing),
                cmocka_unit_test(after_a_failed_sync_nothing_is_acknowledged),
                cmocka_unit_test(a_trimmed_block_gives_its_slot_back_and_it_is_used_again),
                cmocka_unit_test(a_read_costs_one_file_read_at_any_depth),
                cmocka_unit_test(how_long_requests_of_users_took_is_told),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
