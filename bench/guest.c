// SPDX-License-Identifier: Apache-2.0
/* bench_guest FOLDER SIZE GUEST_SIZE read|write|flush SECONDS ROUNDS
 *
 * What a guest feels of a coalesce.  An SR with a VDI of SIZE, of which all was written twice with a snapshot
 * between that is gone: so SIZE bytes are to be coalesced; and one of GUEST_SIZE, that a guest works on: one
 * request of 4 KiB after another, at random places, read past what the page cache had; or written, or written
 * and flushed.
 *
 * In each round, by turns and SECONDS long: nothing is moved (idle); the coalesce goes at full speed (off);
 * at the pace that guests leave it (on).  Of that the first half is told by itself (settling): the governor
 * finds its pace then.
 *
 * Prints {"phases": [{"round", "phase", "n", "p50_ns", "p99_ns", "moved_bytes", "ns"}, …]}.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "gc.h"
#include "mem.h"
#include "sr.h"

enum { PAGE = 4096 };

struct bench {
        struct io *io;
        const char *folder, *what; /* borrowed */
        uint64_t size, guest_size, phase_ns;
        struct sr *sr;
        struct uuid guest;
        struct chain *chain; /* the guest's */
        _Atomic bool is_over;
        pthread_mutex_t lock;
        VEC(uint64_t) took; /* with lock; of this phase */
        unsigned n_phases;
};

/* ---- making ---- */

static void fill(struct bench *b, const struct uuid *vdi, uint64_t from, uint64_t n) {
        AUTO_FREE uint8_t *data = mem_aligned(PAGE, IMAGE_BLOCK_SIZE);
        struct chain *chain;
        struct err_note note;

        io_random(b->io, data, IMAGE_BLOCK_SIZE);
        must(sr_open_chain(b->sr, vdi, CHAIN_WRITE, &chain, &note), &note);
        for (uint64_t at = from; at < from + n; at += IMAGE_BLOCK_SIZE)
                must(chain_write(chain, data, min_u64(IMAGE_BLOCK_SIZE, from + n - at), at, &note), &note);
        must(sr_close_chain(b->sr, chain, &note), &note);
}

/* All of the upper node is to move down, since the lower one, which has its own elsewhere, has more. */
static void make_work(struct bench *b, const char *name) {
        uint64_t below = b->size + b->size / 8;
        const struct vdi_options options = {.name = name, .size = b->size + below}, snapshot = {.name = "s"};
        struct uuid vdi, taken;
        struct err_note note;

        must(sr_vdi_create(b->sr, &options, &vdi, &note), &note);
        fill(b, &vdi, b->size, below);
        must(sr_vdi_snapshot(b->sr, &vdi, &snapshot, &taken, &note), &note);
        fill(b, &vdi, 0, b->size);
        must(sr_vdi_delete(b->sr, &taken, &note), &note);
}

/* ---- the guest ---- */

static void ask(struct bench *b, uint8_t *page, uint64_t at) {
        struct err_note note;

        if (strcmp(b->what, "read") == 0) {
                must(chain_read(b->chain, page, PAGE, at, &note), &note);
                return;
        }
        must(chain_write(b->chain, page, PAGE, at, &note), &note);
        if (strcmp(b->what, "flush") == 0)
                must(chain_flush(b->chain, &note), &note);
}

static void *work(void *arg) {
        struct bench *b = arg;
        AUTO_FREE uint8_t *page = mem_aligned(PAGE, PAGE);
        struct dice dice = {3};

        memset(page, 7, PAGE);
        while (!atomic_load(&b->is_over)) {
                struct moment began = bench_now();
                uint64_t took;

                ask(b, page, dice_roll(&dice, b->guest_size / PAGE) * PAGE);
                took = bench_since(began).wall_ns;
                pthread_mutex_lock(&b->lock);
                *vec_add(&b->took) = took;
                pthread_mutex_unlock(&b->lock);
        }
        return NULL;
}

/* So that reads come from the device. */
static void forget_cached(struct bench *b) {
        AUTO_FREE char *path = path_of(b->folder, "%s.vhd", uuid_format(&b->guest).s);
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                abort();
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
}

/* ---- phases ---- */

static int compare(const void *a, const void *b) {
        const uint64_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

static void tell(struct bench *b, uint64_t round, const char *phase, uint64_t moved, uint64_t ns) {
        pthread_mutex_lock(&b->lock);
        if (b->took.n == 0) { /* all was done before it began */
                pthread_mutex_unlock(&b->lock);
                return;
        }
        qsort(b->took.data, b->took.n, sizeof *b->took.data, compare);
        printf("%s{\"round\": %llu, \"phase\": \"%s\", \"n\": %zu, \"p50_ns\": %llu, \"p99_ns\": %llu, "
               "\"moved_bytes\": %llu, \"ns\": %llu}",
               b->n_phases++ ? ",\n" : "", (unsigned long long)round, phase, b->took.n,
               (unsigned long long)b->took.data[b->took.n / 2],
               (unsigned long long)b->took.data[b->took.n * 99 / 100], (unsigned long long)moved,
               (unsigned long long)ns);
        fflush(stdout);
        b->took.n = 0;
        pthread_mutex_unlock(&b->lock);
}

static void begin(struct bench *b) {
        forget_cached(b);
        pthread_mutex_lock(&b->lock);
        b->took.n = 0;
        pthread_mutex_unlock(&b->lock);
}

static void go_on(struct bench *b, struct gc *gc, uint64_t round, const char *phase, uint64_t ns) {
        uint64_t began = io_now_ns(b->io), before = gc ? gc_sums(gc).bytes_done : 0, past;
        struct gc_turn turn = {.what = GC_WAITS, .wait_ns = UINT64_MAX};
        struct err_note note;

        while ((past = io_now_ns(b->io) - began) < ns) {
                if (gc)
                        must(gc_step(gc, &turn, &note), &note);
                if (turn.what == GC_WAITS)
                        io_sleep_ns(b->io, min_u64(min_u64(turn.wait_ns, 50 * 1000 * 1000), ns - past));
                else if (turn.what != GC_WORKED)
                        break; /* all is done: the phase is as long as that took */
        }
        tell(b, round, phase, gc ? gc_sums(gc).bytes_done - before : 0, io_now_ns(b->io) - began);
}

static void run_gc(struct bench *b, uint64_t round, bool ignores_guests) {
        const struct gc_options options = {0};
        const struct gc_settings settings = {.ignores_guests = ignores_guests};
        struct err_note note;
        struct gc *gc;

        must(gc_set(b->sr, &settings, &note), &note);
        must(gc_new(b->sr, &options, &gc, &note), &note);
        begin(b);
        if (!ignores_guests)
                go_on(b, gc, round, "settling", b->phase_ns / 2);
        go_on(b, gc, round, ignores_guests ? "off" : "on", ignores_guests ? b->phase_ns : b->phase_ns / 2);
        gc_free(gc);
}

static void run_round(struct bench *b, uint64_t round) {
        begin(b);
        go_on(b, NULL, round, "idle", b->phase_ns);
        run_gc(b, round, round % 2);
        begin(b);
        go_on(b, NULL, round, "idle", b->phase_ns);
        run_gc(b, round, !(round % 2));
}

int main(int argc, char **argv) {
        struct bench b = {0};
        struct vdi_options options = {.name = "guest"};
        struct err_note note;
        struct uuid uuid;
        pthread_t guest;
        uint64_t rounds;

        if (argc != 7) {
                fprintf(stderr, "usage: %s FOLDER SIZE GUEST_SIZE read|write|flush SECONDS ROUNDS\n",
                        argv[0]);
                return 2;
        }
        b = (struct bench){.io = io_uring_new(), .folder = argv[1], .what = argv[4]};
        b.size = number_of(argv[2]);
        b.guest_size = options.size = number_of(argv[3]);
        b.phase_ns = number_of(argv[5]) * 1000000000;
        rounds = number_of(argv[6]);
        pthread_mutex_init(&b.lock, NULL);
        must(sr_create(b.io, b.folder, "bench", NULL, &uuid, &note), &note);
        must(sr_open(b.io, b.folder, NULL, &b.sr, &note), &note);
        must(sr_vdi_create(b.sr, &options, &b.guest, &note), &note);
        fill(&b, &b.guest, 0, b.guest_size);
        make_work(&b, "work");
        must(sr_open_chain(b.sr, &b.guest, CHAIN_WRITE, &b.chain, &note), &note);
        if (pthread_create(&guest, NULL, work, &b) != 0)
                return 1;
        printf("{\"phases\": [");
        for (uint64_t i = 0; i < rounds; i++)
                run_round(&b, i);
        printf("]}\n");
        atomic_store(&b.is_over, true);
        pthread_join(guest, NULL);
        must(sr_close_chain(b.sr, b.chain, &note), &note);
        sr_close(b.sr);
        io_free(b.io);
        vec_fini(&b.took);
        return 0;
}
