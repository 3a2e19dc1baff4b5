// SPDX-License-Identifier: Apache-2.0
/* bench_chain_read FOLDER SIZE block|page ROUNDS READS DEPTH…
 *
 * Makes for each depth a chain of that many layers (at most 200), in which every sector of the disk is held:
 * each 2 MiB block wholly in one random layer, or each 4 KiB in a random layer.  The disk of depth 1 was
 * written by the same writes in the same order, without snapshots between them.  Then reads 4 KiB at random
 * places through each chain, with the page cache warm, the chains taking turns in each round.
 *
 * Beside it, at the same places: plain pread of the very same bytes of the very same files, without any of
 * our code, which is what the kernel alone makes of depth.
 *
 * Prints {"rounds": [{"round", "depth", "ns", "cpu_ns", "plain_ns", "plain_cpu_ns"}, …], …}: per read, for
 * each round and depth.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "chain.h"
#include "mem.h"

enum { PAGE = 4096, DEPTHS_MAX = 16, TURNS = 200 };

/* The same bytes, found beforehand. */
struct place {
        int fd;
        uint64_t at;
};

struct subject {
        unsigned depth;
        char *top;
        struct chain *chain;
        int *fd;             /* of each layer, from the bottom */
        struct place *place; /* of each page */
};

struct bench {
        struct io *io;
        struct images images;
        const char *folder;
        uint64_t size;
        bool is_by_page;
        unsigned n;
        struct subject subject[DEPTHS_MAX];
};

/* ---- making ------------------------------------------------------------------------------------------ */

/* The disk is written once, page by page or block by block, in so many turns. */
static uint16_t *turns_of(const struct bench *b) {
        uint64_t n = b->size / PAGE, each = b->is_by_page ? 1 : IMAGE_BLOCK_SIZE / PAGE;
        uint16_t *turn = mem_grow(NULL, n, sizeof *turn);
        struct dice dice = {11};

        for (uint64_t i = 0; i < n; i++)
                turn[i] = i % each ? turn[i - 1] : (uint16_t)dice_roll(&dice, TURNS);
        return turn;
}

/* Every page says which it is. */
static void fill_page(uint64_t *page, uint64_t number) {
        for (unsigned i = 0; i < PAGE / sizeof *page; i++)
                page[i] = number + i;
}

/* One turn: the writes that belong to it, through a chain as it stands then. */
static void write_turn(struct bench *b, const char *path, const uint16_t *turn, unsigned now) {
        AUTO_FREE uint8_t *data = mem_aligned(PAGE, IMAGE_BLOCK_SIZE);
        struct images images;
        struct chain *chain;
        struct err_note note;
        uint64_t n = b->size / PAGE;

        images_init(&images, b->io, NULL);
        must(chain_open(&images, path, CHAIN_WRITE, &chain, &note), &note);
        for (uint64_t i = 0, end; i < n; i = end) {
                for (end = i; end < n && turn[end] == now && end < i + IMAGE_BLOCK_SIZE / PAGE; end++)
                        fill_page((uint64_t *)(void *)(data + (end - i) * PAGE), end);
                if (end == i)
                        end++;
                else
                        must(chain_write(chain, data, (end - i) * PAGE, i * PAGE, &note), &note);
        }
        must(chain_close(chain, &note), &note);
        images_fini(&images);
}

/* All chains are made by the same writes in the same order; what differs is only how many snapshots were
 * taken between the turns. */
static void make_chain(struct bench *b, struct subject *s, const uint16_t *turn) {
        unsigned layers = 0;

        for (unsigned now = 0; now < TURNS; now++) {
                for (; layers <= now * s->depth / TURNS; layers++) {
                        char *path = path_of(b->folder, "%u-%u.vhd", s->depth, layers);

                        make_vhd(b->io, path, b->size, s->top);
                        free(s->top);
                        s->top = path;
                }
                write_turn(b, s->top, turn, now);
        }
}

/* ---- opening, warming, looking whether it is right --------------------------------------------------- */

static void open_plain(struct bench *b, struct subject *s) {
        struct chain_hold hold = chain_hold_begin(s->chain);
        uint64_t n = b->size / PAGE;

        s->fd = mem_grow(NULL, s->depth, sizeof *s->fd);
        s->place = mem_grow(NULL, n, sizeof *s->place);
        for (unsigned i = 0; i < s->depth; i++)
                s->fd[i] = open(chain_layer(s->chain, s->depth - 1 - i)->path, O_RDONLY | O_CLOEXEC);
        for (uint64_t i = 0; i < n; i++) {
                struct chain_segment segment;
                struct err_note note;

                must(chain_segment_at(s->chain, i * PAGE, PAGE, &segment, &note), &note);
                if (!segment.file || segment.n < PAGE)
                        abort(); /* not the disk that was to be made */
                s->place[i] = (struct place){s->fd[segment.layer], segment.file_at};
        }
        chain_hold_end(s->chain, hold);
}

static void read_all(struct bench *b, struct subject *s) {
        uint64_t page[PAGE / 8], plain[PAGE / 8], expected[PAGE / 8];
        struct err_note note;

        for (uint64_t i = 0; i < b->size / PAGE; i++) {
                fill_page(expected, i);
                must(chain_read(s->chain, page, PAGE, i * PAGE, &note), &note);
                if (memcmp(page, expected, PAGE) != 0 ||
                    pread(s->place[i].fd, plain, PAGE, (off_t)s->place[i].at) != PAGE ||
                    memcmp(plain, expected, PAGE) != 0) {
                        fprintf(stderr, "bench: depth %u reads wrongly at page %llu\n", s->depth,
                                (unsigned long long)i);
                        exit(1);
                }
        }
}

static void open_subject(struct bench *b, struct subject *s) {
        struct err_note note;

        must(chain_open(&b->images, s->top, CHAIN_READ, &s->chain, &note), &note);
        open_plain(b, s);
        read_all(b, s);
}

/* ---- measuring ---------------------------------------------------------------------------------------- */

struct per_read {
        double ns, cpu_ns;
};

static struct per_read per_read(struct moment took, uint64_t n) {
        return (struct per_read){(double)took.wall_ns / (double)n, (double)took.cpu_ns / (double)n};
}

static struct per_read time_chain(struct subject *s, const uint32_t *page, uint64_t n) {
        static uint8_t room[PAGE];
        struct err_note note;
        struct moment began = bench_now();

        for (uint64_t i = 0; i < n; i++)
                must(chain_read(s->chain, room, PAGE, (uint64_t)page[i] * PAGE, &note), &note);
        return per_read(bench_since(began), n);
}

static struct per_read time_plain(struct subject *s, const uint32_t *page, uint64_t n) {
        static uint8_t room[PAGE];
        struct moment began = bench_now();

        for (uint64_t i = 0; i < n; i++) {
                const struct place *place = &s->place[page[i]];

                if (pread(place->fd, room, PAGE, (off_t)place->at) != PAGE)
                        abort();
        }
        return per_read(bench_since(began), n);
}

/* The order is another in each round, so that no one always comes behind the same. */
static void measure(struct bench *b, uint64_t rounds, uint64_t reads) {
        AUTO_FREE uint32_t *page = mem_grow(NULL, reads, sizeof *page);
        struct dice dice = {1};

        printf("{\"size\": %llu, \"reads\": %llu, \"rounds\": [", (unsigned long long)b->size,
               (unsigned long long)reads);
        for (uint64_t round = 0; round < rounds; round++) {
                for (uint64_t i = 0; i < reads; i++)
                        page[i] = (uint32_t)dice_roll(&dice, b->size / PAGE);
                for (unsigned i = 0; i < b->n; i++) {
                        struct subject *s = &b->subject[(round + i) % b->n];
                        struct per_read chain = time_chain(s, page, reads),
                                        plain = time_plain(s, page, reads);

                        printf("%s{\"round\": %llu, \"depth\": %u, \"ns\": %.1f, \"cpu_ns\": %.1f, "
                               "\"plain_ns\": %.1f, \"plain_cpu_ns\": %.1f}",
                               round + i ? ", " : "", (unsigned long long)round, s->depth, chain.ns,
                               chain.cpu_ns, plain.ns, plain.cpu_ns);
                        fflush(stdout);
                }
        }
        printf("], \"map_bytes\": [");
        for (unsigned i = 0; i < b->n; i++)
                printf("%s%llu", i ? ", " : "", (unsigned long long)chain_map_size(b->subject[i].chain));
        printf("]}\n");
}

static void close_subject(struct subject *s) {
        chain_abandon(s->chain);
        for (unsigned i = 0; i < s->depth; i++)
                close(s->fd[i]);
        free(s->fd);
        free(s->place);
        free(s->top);
}

int main(int argc, char **argv) {
        struct counts counts = {.are_syncs_skipped = true};
        struct images_options options = {.is_read_only = true};
        AUTO(io_free) struct io *making = NULL;
        AUTO(io_free) struct io *io = NULL;
        AUTO_FREE uint16_t *turn = NULL;
        struct bench b = {0};

        if (argc < 7 || argc - 6 > DEPTHS_MAX) {
                fprintf(stderr, "usage: %s FOLDER SIZE block|page ROUNDS READS DEPTH...\n", argv[0]);
                return 2;
        }
        b.folder = argv[1];
        b.size = number_of(argv[2]);
        b.is_by_page = strcmp(argv[3], "page") == 0;
        b.n = (unsigned)(argc - 6);
        b.io = making = bench_io_new(&counts);
        turn = turns_of(&b);
        for (unsigned i = 0; i < b.n; i++) {
                b.subject[i].depth = (unsigned)number_of(argv[6 + i]);
                if (b.subject[i].depth < 1 || b.subject[i].depth > TURNS) {
                        fprintf(stderr, "bench: a depth is 1 to %d\n", TURNS);
                        return 2;
                }
                make_chain(&b, &b.subject[i], turn);
        }
        b.io = io = io_posix_new(); /* read without being counted */
        images_init(&b.images, io, &options);
        for (unsigned i = 0; i < b.n; i++)
                open_subject(&b, &b.subject[i]);
        measure(&b, number_of(argv[4]), number_of(argv[5]));
        for (unsigned i = 0; i < b.n; i++)
                close_subject(&b.subject[i]);
        images_fini(&b.images);
        return 0;
}
