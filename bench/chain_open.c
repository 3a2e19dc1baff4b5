// SPDX-License-Identifier: Apache-2.0
/* bench_chain_open FOLDER SIZE DEPTH SPREAD ROUNDS
 *
 * Makes a chain and opens it again and again, with a table of open files of its own each time, so that every
 * file is opened, locked and read anew; the page cache is warm.  SPREAD says who holds which block:
 *
 *      one     each block wholly in one random layer
 *      backup  all blocks in the bottom; each layer above has 5 % of them, in part
 *      all     each layer has a part of each block: the worst that can be
 *
 * Prints {"rounds": [{"ns", "cpu_ns"}, …], "map_bytes", "expected_map_bytes": 8 a block and 8 per further
 * layer, "calls", "read_bytes": of one opening, "held": BAT entries in use, over all layers}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "chain.h"
#include "mem.h"

struct bench {
        struct io *io;
        struct counts counts;
        uint64_t size, n_blocks;
        unsigned depth;
        const char *spread;
        char *top;
        uint64_t held;     /* entries in use, over all layers */
        uint32_t *holders; /* layers that count of each block: down to the first that has it whole */
};

/* ---- making: from the bottom -------------------------------------------------------------------------- */

static bool is_one(const struct bench *b) {
        return strcmp(b->spread, "one") == 0;
}

static void choose(const struct bench *b, unsigned layer, const uint16_t *owner, struct dice *dice,
                   bool *ret) {
        for (uint64_t i = 0; i < b->n_blocks; i++) {
                if (is_one(b))
                        ret[i] = owner[i] == layer;
                else if (strcmp(b->spread, "backup") == 0)
                        ret[i] = layer == 0 || dice_roll(dice, 20) == 0;
                else
                        ret[i] = true;
        }
}

static void make_layer(struct bench *b, const char *folder, unsigned layer, const bool *is_held,
                       struct dice *dice) {
        char *path = path_of(folder, "%u.vhd", layer);
        bool is_whole = is_one(b) || layer == 0;

        make_vhd(b->io, path, b->size, b->top);
        allocate_blocks(b->io, path, is_held, is_whole, dice);
        free(b->top);
        b->top = path;
        for (uint64_t i = 0; i < b->n_blocks; i++) {
                b->held += is_held[i];
                if (is_held[i])
                        b->holders[i] = is_whole ? 1 : b->holders[i] + 1;
        }
}

static void make_chain(struct bench *b, const char *folder) {
        AUTO_FREE uint16_t *owner = mem_grow(NULL, b->n_blocks, sizeof *owner);
        AUTO_FREE bool *is_held = mem_grow(NULL, b->n_blocks, sizeof *is_held);
        struct dice dice = {7};

        for (uint64_t i = 0; i < b->n_blocks; i++)
                owner[i] = (uint16_t)dice_roll(&dice, b->depth);
        b->holders = mem_zero(b->n_blocks * sizeof *b->holders);
        for (unsigned layer = 0; layer < b->depth; layer++) {
                choose(b, layer, owner, &dice, is_held);
                make_layer(b, folder, layer, is_held, &dice);
        }
}

static uint64_t expected_bytes(const struct bench *b) {
        uint64_t bytes = 8 * b->n_blocks;

        for (uint64_t i = 0; i < b->n_blocks; i++)
                if (b->holders[i] > 1)
                        bytes += 8 * b->holders[i];
        return bytes;
}

/* ---- measuring ---------------------------------------------------------------------------------------- */

static struct moment open_once(struct bench *b, uint64_t *ret_map_bytes) {
        struct images_options options = {.is_read_only = true};
        struct images images;
        struct chain *chain;
        struct err_note note;
        struct moment began = bench_now(), took;

        images_init(&images, b->io, &options);
        must(chain_open(&images, b->top, CHAIN_READ, &chain, &note), &note);
        took = bench_since(began);
        *ret_map_bytes = chain_map_size(chain);
        chain_abandon(chain);
        images_fini(&images);
        return took;
}

static void measure(struct bench *b, uint64_t rounds) {
        uint64_t map_bytes;

        (void)open_once(b, &map_bytes); /* warms */
        b->counts = (struct counts){0};
        (void)open_once(b, &map_bytes);
        printf("{\"size\": %llu, \"depth\": %u, \"held\": %llu, \"map_bytes\": %llu, "
               "\"expected_map_bytes\": %llu, \"calls\": %llu, \"read_bytes\": %llu, \"rounds\": [",
               (unsigned long long)b->size, b->depth, (unsigned long long)b->held,
               (unsigned long long)map_bytes, (unsigned long long)expected_bytes(b),
               (unsigned long long)b->counts.calls, (unsigned long long)b->counts.read_bytes);
        for (uint64_t i = 0; i < rounds; i++) {
                struct moment took = open_once(b, &map_bytes);

                printf("%s{\"ns\": %llu, \"cpu_ns\": %llu}", i ? ", " : "", (unsigned long long)took.wall_ns,
                       (unsigned long long)took.cpu_ns);
        }
        printf("]}\n");
}

int main(int argc, char **argv) {
        struct bench b = {.counts.are_syncs_skipped = true};

        if (argc != 6) {
                fprintf(stderr, "usage: %s FOLDER SIZE DEPTH one|backup|all ROUNDS\n", argv[0]);
                return 2;
        }
        b.io = bench_io_new(&b.counts);
        b.size = number_of(argv[2]);
        b.n_blocks = b.size / IMAGE_BLOCK_SIZE;
        b.depth = (unsigned)number_of(argv[3]);
        b.spread = argv[4];
        make_chain(&b, argv[1]);
        measure(&b, number_of(argv[5]));
        free(b.top);
        free(b.holders);
        io_free(b.io);
        return 0;
}
