// SPDX-License-Identifier: Apache-2.0
/* bench_coalesce guest FOLDER SIZE mixed|write first|last full
 *      A guest at queue depth 1 on a disk of that size, 4 KiB at random places: every other one a read, or
 *      writes only; by itself for some seconds (before or after), and while gc moves all of its leaf down and
 *      pivots.  Prints {"idle", "busy": {"n", "read_p99_ns", "write_p99_ns", "write_p999_ns",
 *      "write_most_ns", "with_syncs_p999_ns"}, "coalesce_ns", "bytes"}; but for the last, without the syncs
 *      that a write asked for itself.
 * bench_coalesce eta FOLDER SIZE full
 *      gc coalesces such a disk, which nobody has open.  Prints {"errors": of what is said to be left, over
 *      what was left, from 5 % on, "ns", "bytes"}.
 *
 * The last word is gc's priority: full, as fast as it goes.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "gc.h"
#include "mem.h"
#include "sr.h"

enum { PAGE = 4096, PIECE = 2 * 1024 * 1024 };
#define SECOND_NS ((uint64_t)1000000000)
#define IDLE_NS   (2 * SECOND_NS)
#define LOOK_NS   (SECOND_NS / 20)

struct bench {
        struct io *io;
        struct counts counts;
        const char *folder; /* borrowed */
        uint64_t size;
        struct sr *sr; /* owned */
        struct uuid vdi;
};

/* ---- a disk whose leaf has all that is used, over a hidden one that has a little more elsewhere ---- */

/* So that down is the way to go: what is above is less. */
static uint64_t below(const struct bench *b) {
        return b->size + b->size / 8;
}

static void fill_disk(struct bench *b, uint64_t from, uint64_t n) {
        AUTO_FREE uint8_t *data = mem_grow(NULL, PIECE, 1);
        struct dice dice = {11};
        struct chain *chain;
        struct err_note note;

        fill_random(data, PIECE, &dice);
        must(sr_open_chain(b->sr, &b->vdi, CHAIN_WRITE, &chain, &note), &note);
        for (uint64_t at = from; at < from + n; at += PIECE) {
                memcpy(data, &at, sizeof at);
                must(chain_write(chain, data, PIECE, at, &note), &note);
        }
        must(sr_close_chain(b->sr, chain, &note), &note);
}

static void make_disk(struct bench *b) {
        struct vdi_options disk = {.name = "disk", .size = b->size + below(b)},
                           snapshot = {.name = "snapshot"};
        struct err_note note;
        struct uuid uuid;

        b->io = bench_io_new(&b->counts);
        b->counts.are_syncs_skipped = true;
        must(sr_create(b->io, b->folder, "bench", NULL, &uuid, &note), &note);
        must(sr_open(b->io, b->folder, NULL, &b->sr, &note), &note);
        must(sr_vdi_create(b->sr, &disk, &b->vdi, &note), &note);
        fill_disk(b, b->size, below(b));
        must(sr_vdi_snapshot(b->sr, &b->vdi, &snapshot, &uuid, &note), &note);
        fill_disk(b, 0, b->size);
        must(sr_vdi_delete(b->sr, &uuid, &note), &note);
        b->counts.are_syncs_skipped = false;
        drop_cache_of_folder(b->folder);
}

static void end_disk(struct bench *b) {
        sr_close(b->sr);
        io_free(b->io);
}

/* ---- gc ---- */

struct look {
        uint64_t at_ns, left_ns;
};
struct looks {
        VEC(struct look) list; /* owned */
};

/* What gc status says of the coalesce that runs, once it has done 5 %. */
static void look(struct bench *b, struct looks *looks) {
        AUTO(gc_status_fini) struct gc_status status = {0};
        struct err_note note;

        must(gc_status(b->sr, NULL, &status, &note), &note);
        VEC_EACH (&status.items, each) {
                if (each->state == PLAN_RUNNING && each->bytes_done * 20 >= each->bytes_total)
                        *vec_add(&looks->list) = (struct look){bench_now().wall_ns, each->left_ns};
        }
}

static void note_end(void *user, const struct gc_event *event) {
        uint64_t *ended_ns = user;

        if (event->kind == GC_EVENT_DONE)
                *ended_ns = bench_now().wall_ns;
        else if (event->why)
                must(event->why->code, event->why);
}

static void say_why_not(struct bench *b) {
        AUTO(gc_status_fini) struct gc_status status = {0};
        struct err_note note;

        must(gc_status(b->sr, NULL, &status, &note), &note);
        fprintf(stderr, "bench: nothing was coalesced\n");
        VEC_EACH (&status.items, each)
                fprintf(stderr, "bench: %s: %s\n", plan_state_name(each->state), each->reason);
        exit(1);
}

/* Until nothing is left.  looks may be NULL.  When the coalesce was done. */
static uint64_t run_gc(struct bench *b, struct looks *looks, uint64_t *ret_bytes) {
        uint64_t ended_ns = 0, looked_ns = 0;
        struct gc_options options = {.tell = note_end, .user = &ended_ns};
        const struct gc_settings settings = {.ignores_guests = true};
        struct gc_turn turn;
        struct err_note note;
        struct gc *gc;

        must(gc_set(b->sr, &settings, &note), &note);
        must(gc_new(b->sr, &options, &gc, &note), &note);
        do {
                must(gc_step(gc, &turn, &note), &note);
                if (turn.what == GC_WAITS)
                        io_sleep_ns(b->io, turn.wait_ns);
                if (looks && bench_now().wall_ns - looked_ns >= LOOK_NS) {
                        look(b, looks);
                        looked_ns = bench_now().wall_ns;
                }
        } while (turn.what == GC_WORKED || turn.what == GC_WAITS);
        *ret_bytes = gc_sums(gc).bytes_done;
        gc_free(gc);
        if (!ended_ns)
                say_why_not(b);
        return ended_ns;
}

/* ---- the guest ---- */

struct times {
        VEC(uint64_t) reads, writes, with_syncs; /* owned; ns of each */
};

struct guest {
        struct chain *chain; /* borrowed, outlives the thread */
        uint64_t size;
        bool is_mixed;
        atomic_bool must_end;
        struct times times;
};

static void once(struct guest *guest, struct dice *dice, uint8_t *data, bool is_read) {
        uint64_t at = dice_roll(dice, guest->size / PAGE) * PAGE, syncs = bench_sync_ns_of_thread(), ns;
        struct moment began;
        struct err_note note;

        memcpy(data, &at, sizeof at);
        began = bench_now();
        must(is_read ? chain_read(guest->chain, data, PAGE, at, &note)
                     : chain_write(guest->chain, data, PAGE, at, &note),
             &note);
        ns = bench_since(began).wall_ns;
        syncs = bench_sync_ns_of_thread() - syncs;
        if (is_read) {
                *vec_add(&guest->times.reads) = ns;
                return;
        }
        *vec_add(&guest->times.writes) = ns - syncs;
        *vec_add(&guest->times.with_syncs) = ns;
}

static void *be_guest(void *arg) {
        static uint8_t data[PAGE];
        struct guest *guest = arg;
        struct dice dice = {13};

        for (uint64_t i = 0; !atomic_load(&guest->must_end); i++)
                once(guest, &dice, data, guest->is_mixed && i % 2);
        return NULL;
}

static int compare_u64(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

static uint64_t quantile(uint64_t *times, size_t n, double q) {
        if (n == 0)
                return 0;
        qsort(times, n, sizeof *times, compare_u64);
        return times[min_u64((uint64_t)(q * (double)n), n - 1)];
}

static void print_times(const char *name, struct times *t) {
        printf("\"%s\": {\"n\": %zu, \"read_p99_ns\": %llu, \"write_p99_ns\": %llu, \"write_p999_ns\": %llu, "
               "\"write_most_ns\": %llu, \"with_syncs_p999_ns\": %llu}",
               name, t->reads.n + t->writes.n, (unsigned long long)quantile(t->reads.data, t->reads.n, 0.99),
               (unsigned long long)quantile(t->writes.data, t->writes.n, 0.99),
               (unsigned long long)quantile(t->writes.data, t->writes.n, 0.999),
               (unsigned long long)quantile(t->writes.data, t->writes.n, 1),
               (unsigned long long)quantile(t->with_syncs.data, t->with_syncs.n, 0.999));
        vec_fini(&t->reads);
        vec_fini(&t->writes);
        vec_fini(&t->with_syncs);
}

/* gc: while it runs; else for a while.  Prints what the guest met. */
static void phase(struct bench *b, struct chain *chain, bool is_mixed, bool runs_gc) {
        struct guest guest = {.chain = chain, .size = b->size, .is_mixed = is_mixed};
        uint64_t bytes = 0, began, ended = 0;
        struct err_note note;
        pthread_t thread;

        must(chain_flush(chain, &note), &note);
        drop_cache_of_folder(b->folder);
        began = bench_now().wall_ns;
        if (pthread_create(&thread, NULL, be_guest, &guest))
                abort();
        if (runs_gc)
                ended = run_gc(b, NULL, &bytes);
        else
                io_sleep_ns(b->io, IDLE_NS);
        atomic_store(&guest.must_end, true);
        pthread_join(thread, NULL);
        print_times(runs_gc ? "busy" : "idle", &guest.times);
        if (runs_gc)
                printf(", \"coalesce_ns\": %llu, \"bytes\": %llu", (unsigned long long)(ended - began),
                       (unsigned long long)bytes);
}

static void guest(struct bench *b, bool is_mixed, bool is_idle_first) {
        struct chain *chain;
        struct err_note note;

        make_disk(b);
        must(sr_open_chain(b->sr, &b->vdi, CHAIN_WRITE, &chain, &note), &note);
        printf("{");
        phase(b, chain, is_mixed, !is_idle_first);
        printf(", ");
        phase(b, chain, is_mixed, is_idle_first);
        printf("}\n");
        must(sr_close_chain(b->sr, chain, &note), &note);
        end_disk(b);
}

/* ---- eta ---- */

static double error_of(const struct look *look, uint64_t ended_ns) {
        double was = (double)(ended_ns - look->at_ns), said = (double)look->left_ns;

        return look->left_ns == UINT64_MAX ? 1 : (said > was ? said - was : was - said) / was;
}

static void eta(struct bench *b) {
        struct looks looks = {0};
        uint64_t bytes, began, ended;
        size_t n = 0;

        make_disk(b);
        began = bench_now().wall_ns;
        ended = run_gc(b, &looks, &bytes);
        printf("{\"errors\": [");
        VEC_EACH (&looks.list, each) {
                if (each->at_ns < ended)
                        printf("%s%.4f", n++ ? ", " : "", error_of(each, ended));
        }
        printf("], \"ns\": %llu, \"bytes\": %llu}\n", (unsigned long long)(ended - began),
               (unsigned long long)bytes);
        vec_fini(&looks.list);
        end_disk(b);
}

static bool is_one_of(const char *word, const char *first, const char *second) {
        return strcmp(word, first) == 0 || strcmp(word, second) == 0;
}

int main(int argc, char **argv) {
        const char *verb = argc > 3 ? argv[1] : "";
        struct bench b = {0};

        if (argc > 3) {
                b.folder = argv[2];
                b.size = number_of(argv[3]);
        }
        if (argc == 7 && strcmp(verb, "guest") == 0 && is_one_of(argv[4], "mixed", "write") &&
            is_one_of(argv[5], "first", "last") && strcmp(argv[6], "full") == 0)
                guest(&b, strcmp(argv[4], "mixed") == 0, strcmp(argv[5], "first") == 0);
        else if (argc == 5 && strcmp(verb, "eta") == 0 && strcmp(argv[4], "full") == 0)
                eta(&b);
        else {
                fprintf(stderr,
                        "usage: %s guest FOLDER SIZE mixed|write first|last full | eta FOLDER SIZE full\n",
                        argv[0]);
                return 2;
        }
        return 0;
}
