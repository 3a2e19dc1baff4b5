// SPDX-License-Identifier: Apache-2.0
/* bench_push make FOLDER SIZE DIRTY EVERY LAYERS OVERLAP
 *      0.vhd … LAYERS-1.vhd, each the parent of the next.  The lowest is empty, except that it has every
 *      sector where DIRTY is less than EVERY and EVERY no more than a block: then the others change it in
 *      place.  The rest hold DIRTY bytes of every EVERY, of which OVERLAP % are in each of the layers and the
 *      others in one of them.
 * bench_push push FOLDER LAYERS one|pairs
 *      Moves all of it into 0.vhd, read from the disk; in one pass, or layer by layer from below.
 * bench_push cost FOLDER LAYERS
 *      The same in one pass, not timed: {"bytes", "written": by all calls and requests, "cloned", "extra":
 *      space that the files take after any step, over what they took before, at most}.
 * bench_push sum FOLDER LAYERS
 *      What the disk reads as.
 * bench_push bound FOLDER SIZE DIRTY EVERY
 *      What the device can do: as many bytes at the same places read from one file and written to another,
 *      past the page cache, 32 at a time, and one sync.
 *
 * push and bound print {"ns", "cpu_ns", "bytes"}, push also "punch_ns", which are part of ns: what it takes
 * to give the emptied bytes back, a matter of the file system alone.  sum prints {"sum"}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "chain.h"
#include "mem.h"
#include "push.h"

enum { DEPTH = 32, PIECE = 2 * 1024 * 1024 };

static char *path_of_layer(const char *folder, uint64_t i) {
        return path_of(folder, "%llu.vhd", (unsigned long long)i);
}

/* ---- make -------------------------------------------------------------------------------------------- */

static void write_layer(struct chain *chain, uint64_t size, uint64_t dirty, uint64_t every,
                        const uint32_t *owner, uint32_t layer, struct dice *dice) {
        AUTO_FREE uint8_t *data = mem_grow(NULL, dirty, 1);
        struct err_note note;

        fill_random(data, dirty, dice);
        for (uint64_t i = 0; i * every + dirty <= size; i++) {
                if (owner && owner[i] && owner[i] != layer)
                        continue;
                memcpy(data, &i, sizeof i);
                must(chain_write(chain, data, dirty, i * every, &note), &note);
        }
}

static void make(struct io *io, const char *folder, uint64_t size, uint64_t dirty, uint64_t every,
                 uint64_t layers, uint64_t overlap) {
        AUTO_FREE uint32_t *owner = mem_zero((size / every + 1) * sizeof *owner);
        AUTO_FREE char *below = NULL;
        struct images images;
        struct dice dice = {7};
        struct err_note note;

        for (uint64_t i = 0; i <= size / every; i++)
                if (dice_roll(&dice, 100) >= overlap)
                        owner[i] = 1 + (uint32_t)dice_roll(&dice, layers - 1);
        images_init(&images, io, NULL);
        for (uint32_t layer = 0; layer < layers; layer++) {
                char *path = path_of_layer(folder, layer);
                struct chain *chain;

                make_vhd(io, path, size, below);
                must(chain_open(&images, path, CHAIN_WRITE, &chain, &note), &note);
                if (layer > 0)
                        write_layer(chain, size, dirty, every, owner, layer, &dice);
                else if (dirty < every && every <= PIECE)
                        write_layer(chain, size, PIECE, PIECE, NULL, 0, &dice);
                must(chain_close(chain, &note), &note);
                free(below);
                below = path;
        }
        images_fini(&images);
}

/* ---- push -------------------------------------------------------------------------------------------- */

/* Called after each step. */
typedef void after_step(void *user, bool was_punch, uint64_t ns);

static uint64_t mover_run(struct image **run, size_t n, after_step *after, void *user) {
        struct err_note note;
        struct push *push;
        uint64_t bytes;

        must(push_new(run, n, NULL, &push, &note), &note);
        while (push_phase(push) != PUSH_EMPTY) {
                bool is_punch = push_phase(push) == PUSH_PUNCH;
                struct moment began = bench_now();

                must(push_step(push, NULL, 0, &note), &note);
                after(user, is_punch, bench_since(began).wall_ns);
        }
        bytes = push_bytes_done(push);
        push_free(push);
        return bytes;
}

static void add_punch(void *user, bool was_punch, uint64_t ns) {
        *(uint64_t *)user += was_punch ? ns : 0;
}

static struct image **open_run(struct images *images, const char *folder, uint64_t layers) {
        struct image **run = mem_zero(layers * sizeof(struct image *));
        struct err_note note;

        for (uint64_t i = 0; i < layers; i++) {
                AUTO_FREE char *path = path_of_layer(folder, i);

                drop_cache(path);
                must(images_open(images, path, IMAGE_VHD, false, &run[i], &note), &note);
        }
        return run;
}

static void push(struct io *io, const char *folder, uint64_t layers, bool in_one) {
        AUTO_FREE struct image **run = NULL;
        struct moment began, took;
        struct images images;
        struct err_note note;
        uint64_t bytes = 0, punch_ns = 0;

        images_init(&images, io, NULL);
        run = open_run(&images, folder, layers);
        began = bench_now();
        for (uint64_t i = 0; i < layers; i++)
                must(image_begin_write(run[i], &note), &note);
        if (in_one)
                bytes = mover_run(run, layers, add_punch, &punch_ns);
        for (uint64_t i = 1; i < layers && !in_one; i++)
                bytes += mover_run((struct image *[]){run[0], run[i]}, 2, add_punch, &punch_ns);
        for (uint64_t i = 0; i < layers; i++)
                must(image_end_write(run[i], &note), &note);
        took = bench_since(began);
        for (uint64_t i = 0; i < layers; i++)
                image_unref(run[i]);
        images_fini(&images);
        printf("{\"ns\": %llu, \"cpu_ns\": %llu, \"bytes\": %llu, \"punch_ns\": %llu}\n",
               (unsigned long long)took.wall_ns, (unsigned long long)took.cpu_ns, (unsigned long long)bytes,
               (unsigned long long)punch_ns);
}

/* ---- cost -------------------------------------------------------------------------------------------- */

struct space {
        const char *folder; /* borrowed */
        uint64_t layers, before, most;
};

static uint64_t space_now(const struct space *space) {
        uint64_t sum = 0;

        for (uint64_t i = 0; i < space->layers; i++) {
                AUTO_FREE char *path = path_of_layer(space->folder, i);

                sum += space_of_file(path);
        }
        return sum;
}

static void note_space(void *user, bool was_punch, uint64_t ns) {
        struct space *space = user;

        (void)was_punch;
        (void)ns;
        space->most = max_u64(space->most, space_now(space));
}

static void cost(const char *folder, uint64_t layers) {
        struct counts counts = {0};
        AUTO(io_free) struct io *io = bench_io_new(&counts);
        struct space space = {.folder = folder, .layers = layers};
        AUTO_FREE struct image **run = NULL;
        struct images images;
        struct err_note note;
        uint64_t bytes;

        images_init(&images, io, NULL);
        run = open_run(&images, folder, layers);
        space.before = space.most = space_now(&space);
        for (uint64_t i = 0; i < layers; i++)
                must(image_begin_write(run[i], &note), &note);
        bytes = mover_run(run, layers, note_space, &space);
        for (uint64_t i = 0; i < layers; i++) {
                must(image_end_write(run[i], &note), &note);
                image_unref(run[i]);
        }
        images_fini(&images);
        printf("{\"bytes\": %llu, \"written\": %llu, \"cloned\": %llu, \"extra\": %llu}\n",
               (unsigned long long)bytes, (unsigned long long)counts.written_bytes,
               (unsigned long long)counts.cloned_bytes, (unsigned long long)(space.most - space.before));
}

/* ---- sum --------------------------------------------------------------------------------------------- */

static void sum(struct io *io, const char *folder, uint64_t layers) {
        AUTO_FREE char *path = path_of_layer(folder, layers - 1);
        AUTO_FREE uint64_t *data = mem_grow(NULL, PIECE, 1);
        struct images images;
        struct chain *chain;
        struct err_note note;
        uint64_t total = 0;

        images_init(&images, io, NULL);
        must(chain_open(&images, path, CHAIN_READ, &chain, &note), &note);
        for (uint64_t at = 0; at < chain_size(chain); at += PIECE) {
                uint64_t n = min_u64(PIECE, chain_size(chain) - at);

                must(chain_read(chain, data, n, at, &note), &note);
                for (uint64_t i = 0; i < n / 8; i++)
                        total = (total ^ data[i]) * 0x9e3779b97f4a7c15u;
        }
        must(chain_close(chain, &note), &note);
        images_fini(&images);
        printf("{\"sum\": %llu}\n", (unsigned long long)(total >> 11)); /* as JSON's numbers can say it */
}

/* ---- bound ------------------------------------------------------------------------------------------- */

struct hand {
        struct io_request request;
        struct iovec vec;
};

struct bound {
        struct io_file *from, *to; /* owned by the caller */
        struct io_queue *queue;    /* owned by the caller */
        uint64_t next, n, dirty, every;
};

static void read_next(struct bound *b, struct hand *hand) {
        if (b->next == b->n)
                return;
        hand->vec.iov_len = b->dirty;
        hand->request = (struct io_request){.op = IO_OP_READ,
                                            .file = b->from,
                                            .vec = &hand->vec,
                                            .n_vec = 1,
                                            .at = b->next++ * b->every,
                                            .user = hand};
        io_submit(b->queue, &hand->request);
}

static void take(struct bound *b, struct io_request *done) {
        struct hand *hand = done->user;

        must(done->result, &done->note);
        if (done->op == IO_OP_WRITE) {
                read_next(b, hand);
                return;
        }
        hand->request.op = IO_OP_WRITE;
        hand->request.file = b->to;
        io_submit(b->queue, &hand->request);
}

static void copy_bound(struct bound *b) {
        AUTO_FREE uint8_t *memory = mem_aligned(4096, DEPTH * b->dirty);
        struct hand hands[DEPTH];

        memset(memory, 1, DEPTH * b->dirty);
        for (unsigned i = 0; i < DEPTH; i++) {
                hands[i].vec.iov_base = memory + i * b->dirty;
                read_next(b, &hands[i]);
        }
        while (io_in_flight(b->queue)) {
                struct io_request *done[DEPTH];
                unsigned n = io_reap(b->queue, 1, done, DEPTH);

                for (unsigned i = 0; i < n; i++)
                        take(b, done[i]);
        }
}

static void make_raw(struct io *io, const char *path, uint64_t size) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE uint8_t *data = mem_grow(NULL, PIECE, 1);
        struct dice dice = {9};
        struct err_note note;

        must(io_open(io, path, IO_CREATE, &file, &note), &note);
        fill_random(data, PIECE, &dice);
        for (uint64_t at = 0; at < size; at += PIECE)
                must(io_write(file, data, PIECE, at, &note), &note);
        must(io_sync(file, &note), &note);
}

static void bound(struct io *io, const char *folder, uint64_t size, uint64_t dirty, uint64_t every) {
        AUTO_FREE char *from = path_of(folder, "from.raw"), *to = path_of(folder, "to.raw");
        struct bound b = {.dirty = dirty, .every = every, .n = size / every};
        struct moment began, took;
        struct err_note note;

        make_raw(io, from, size);
        make_raw(io, to, size);
        must(io_open(io, from, IO_DIRECT, &b.from, &note), &note);
        must(io_open(io, to, IO_DIRECT | IO_WRITE, &b.to, &note), &note);
        must(io_queue_new(io, DEPTH, &b.queue, &note), &note);
        began = bench_now();
        copy_bound(&b);
        must(io_sync(b.to, &note), &note);
        took = bench_since(began);
        io_queue_free(b.queue);
        io_close(b.from);
        io_close(b.to);
        printf("{\"ns\": %llu, \"cpu_ns\": %llu, \"bytes\": %llu}\n", (unsigned long long)took.wall_ns,
               (unsigned long long)took.cpu_ns, (unsigned long long)(b.n * dirty));
}

int main(int argc, char **argv) {
        AUTO(io_free) struct io *io = io_uring_new();
        const char *verb = argc > 2 ? argv[1] : "";

        if (argc == 8 && strcmp(verb, "make") == 0)
                make(io, argv[2], number_of(argv[3]), number_of(argv[4]), number_of(argv[5]),
                     number_of(argv[6]), number_of(argv[7]));
        else if (argc == 5 && strcmp(verb, "push") == 0)
                push(io, argv[2], number_of(argv[3]), strcmp(argv[4], "one") == 0);
        else if (argc == 4 && strcmp(verb, "cost") == 0)
                cost(argv[2], number_of(argv[3]));
        else if (argc == 4 && strcmp(verb, "sum") == 0)
                sum(io, argv[2], number_of(argv[3]));
        else if (argc == 6 && strcmp(verb, "bound") == 0)
                bound(io, argv[2], number_of(argv[3]), number_of(argv[4]), number_of(argv[5]));
        else {
                fprintf(stderr, "usage: %s make|push|cost|sum|bound FOLDER …\n", argv[0]);
                return 2;
        }
        return 0;
}
