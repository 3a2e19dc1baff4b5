// SPDX-License-Identifier: Apache-2.0
/* What the tests of blocks that move under a guest share: layers on a simulated machine, a guest who changes
 * the disk on top as dice have it, and what he, and who comes after a crash, must read.
 *
 * Errors: each ends the test.  Threads: one, but for who reads.
 */
#ifndef TEST_UNIT_DISK_GUEST_KIT_H
#define TEST_UNIT_DISK_GUEST_KIT_H

#include "check.h"

#include "chain.h"
#include "fixture.h"
#include "io_sim.h"
#include "mem.h"

enum { BLOCK = 2 * 1024 * 1024, N_BLOCKS = 5, LAYERS_MAX = 8 };
#define SIZE ((uint64_t)N_BLOCKS * BLOCK - 3 * 512)

struct push;
struct pull;

/* /0.vhd … /<n - 1>.vhd; the last is the leaf, which is written to.  The run is [below, above). */
struct world {
        struct io *io;
        struct images images;
        struct fixture_dice dice;
        unsigned n, below, above;
        uint8_t *want;    /* owned; SIZE: as it was written last */
        uint8_t *durable; /* owned; SIZE: as of the last flush */
        bool *may_differ; /* owned; of each sector: written since */
        struct chain *chain;
        struct image *run[LAYERS_MAX]; /* counted, with a write side */
        size_t n_run;
        bool is_in_leaf[N_BLOCKS];
        bool never_clones;
        struct push *push; /* owned; one of these, or none */
        struct pull *pull; /* owned */
};

UNUSED static const char *path_of(unsigned i) {
        static char paths[4][32];
        static unsigned turn;
        char *path = paths[turn++ % 4];

        snprintf(path, sizeof paths[0], "/%u.vhd", i);
        return path;
}

/* ---- a guest ---- */

UNUSED static void note_change(struct world *w, uint64_t n, uint64_t at) {
        for (uint64_t s = at / SECTOR; s < div_up(at + n, SECTOR); s++)
                w->may_differ[s] = true;
}

UNUSED static void note_flush(struct world *w) {
        memcpy(w->durable, w->want, SIZE);
        memset(w->may_differ, 0, SIZE / SECTOR);
}

UNUSED static void flush(struct world *w) {
        struct err_note note;

        assert_ok(chain_flush(w->chain, &note));
        note_flush(w);
}

UNUSED static void zero(struct world *w, uint64_t n, uint64_t at, bool is_trim) {
        struct err_note note;

        assert_ok(is_trim ? chain_trim(w->chain, n, at, &note) : chain_write_zeroes(w->chain, n, at, &note));
        memset(w->want + at, 0, n);
        note_change(w, n, at);
}

UNUSED static void change_once(struct world *w) {
        uint64_t at = fixture_roll(&w->dice, SIZE), kind = fixture_roll(&w->dice, 12), n;
        struct err_note note;

        n = 1 + fixture_roll(&w->dice, kind % 3 ? 20000 : 700000);
        if (kind % 2)
                at = round_down(at, 4096);
        if (kind == 10) { /* a whole block */
                at = round_down(at, BLOCK);
                n = BLOCK;
        }
        n = min_u64(n, SIZE - at);
        if (kind == 11) {
                flush(w);
        } else if (kind >= 8) {
                zero(w, n, at, kind > 8);
        } else {
                memset(w->want + at, (int)(1 + fixture_roll(&w->dice, 255)), n);
                assert_ok(chain_write(w->chain, w->want + at, n, at, &note));
                note_change(w, n, at);
        }
}

UNUSED static void change(struct world *w, unsigned n) {
        for (unsigned i = 0; i < n; i++)
                change_once(w);
}

/* ---- what is read ---- */

UNUSED static void same_to_readers(const struct world *w) {
        AUTO_FREE uint8_t *got = mem_zero(SIZE);
        struct err_note note;

        assert_ok(chain_read(w->chain, got, SIZE, 0, &note));
        for (uint64_t i = 0; i < SIZE; i++)
                if (got[i] != w->want[i]) {
                        print_error("byte %llu (block %llu, sector %llu) is %u, not %u\n",
                                    (unsigned long long)i, (unsigned long long)(i / BLOCK),
                                    (unsigned long long)(i % BLOCK / SECTOR), got[i], w->want[i]);
                        fail();
                }
}

/* Sectors that were not written since the last flush are as it left them. */
UNUSED static void same_after(const struct world *w, struct io *io, const char *path, const char *who) {
        AUTO_FREE uint8_t *got = mem_zero(SIZE);
        struct images images;
        struct chain *chain;
        struct err_note note;

        images_init(&images, io, NULL);
        assert_ok(chain_open(&images, path, CHAIN_READ, &chain, &note));
        assert_ok(chain_read(chain, got, SIZE, 0, &note));
        for (uint64_t s = 0; s < SIZE / SECTOR; s++)
                if (!w->may_differ[s] && memcmp(got + s * SECTOR, w->durable + s * SECTOR, SECTOR) != 0) {
                        print_error("%s: sector %llu of block %llu is not what was flushed\n", who,
                                    (unsigned long long)(s % (BLOCK / SECTOR)),
                                    (unsigned long long)(s / (BLOCK / SECTOR)));
                        fail();
                }
        assert_ok(chain_close(chain, &note));
        images_fini(&images);
}

UNUSED static void survives_crashes(const struct world *w, const char *path, uint64_t seed) {
        for (unsigned i = 0; i < 4; i++) {
                struct io *crashed = io_sim_fork(w->io);

                io_sim_crash(crashed, seed * 4 + i);
                same_after(w, crashed, path, "after a crash");
                io_free(crashed);
        }
}

/* ---- the scene ---- */

UNUSED static void world_init(struct world *w, uint64_t seed, unsigned n, unsigned below, unsigned above) {
        const struct images_options options = {.growth_bytes = 8 * MIB, .owners_cache_bytes = 1 * MIB};
        struct err_note note;

        memset(w, 0, sizeof *w);
        w->io = io_sim_new(seed, 0);
        w->dice.state = seed;
        w->n = n;
        w->below = below;
        w->above = above;
        w->want = mem_zero(SIZE);
        w->durable = mem_zero(SIZE);
        w->may_differ = mem_zero(SIZE / SECTOR * sizeof *w->may_differ);
        images_init(&w->images, w->io, &options);
        for (unsigned i = 0; i < n; i++) {
                assert_ok(fixture_vhd(w->io, path_of(i), SIZE, i ? path_of(i - 1) : NULL, &note));
                assert_ok(chain_open(&w->images, path_of(i), CHAIN_WRITE, &w->chain, &note));
                change(w, 6);
                if (i < n - 1)
                        assert_ok(chain_close(w->chain, &note));
        }
        flush(w);
        io_sim_settle(w->io);
}

/* Whoever moved blocks has ended. */
UNUSED static void world_fini(struct world *w) {
        struct err_note note;

        if (w->chain)
                assert_ok(chain_close(w->chain, &note));
        images_fini(&w->images);
        assert_int_equal(io_sim_open_files(w->io), 0);
        io_free(w->io);
        free(w->want);
        free(w->durable);
        free(w->may_differ);
}

#endif
