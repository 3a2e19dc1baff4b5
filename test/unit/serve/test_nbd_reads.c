// SPDX-License-Identifier: Apache-2.0
/* Reads by a queue: of a simulated machine, of the kernel's ring, and of the pool where there is no ring. */
#include "check.h"

#include "fixture.h"
#include "io/temp_dir.h"
#include "io_posix.h"
#include "io_sim.h"
#include "nbd_reads.h"

enum { BLOCK = 2 * 1024 * 1024, BLOCKS = 3, READS = 300, N = 4096 };

struct scene {
        struct io *io; /* owned */
        char *folder;  /* owned; NULL: a simulated machine */
        struct images images;
        struct chain *chain;     /* owned */
        struct loop *loop;       /* owned */
        struct nbd_reads *reads; /* owned */
        struct nbd_reader reader;
        unsigned n_ended, n_failed, n_rested, n_more;
        struct nbd_read read[READS];
        uint8_t data[READS][N];
};

static void begin_one(struct scene *s, unsigned i, uint64_t at, size_t n, bool is_taken) {
        s->read[i] = (struct nbd_read){
                .reader = &s->reader, .chain = s->chain, .data = s->data[i], .at = at, .n = n};
        memset(s->data[i], 0xee, N);
        assert_int_equal(nbd_reads_begin(s->reads, &s->read[i]), is_taken);
}

static void on_ended(void *user, struct nbd_read *read, bool is_ok) {
        struct scene *s = user;

        assert_true(read >= s->read && read < s->read + READS);
        s->n_ended++;
        s->n_failed += !is_ok;
}

/* Begins one more while there are any to begin, as a client who has sent more than there was room for. */
static void on_rested(void *user) {
        struct scene *s = user;

        s->n_rested++;
        if (s->n_more == 0)
                return;
        s->n_more--;
        begin_one(s, READS - 1, BLOCK, N, true);
        nbd_reads_go(s->reads);
}

static char *path_in(const struct scene *s, const char *name) {
        return mem_format("%s/%s", s->folder ? s->folder : "", name);
}

static void write_at(struct scene *s, uint64_t at, uint64_t generation) {
        struct err_note note;
        uint8_t data[N];

        fixture_fill(data, N, at, generation);
        assert_ok(chain_write(s->chain, data, N, at, &note));
}

/* Sector by sector in both layers: block 0 below, half of its pages above; block 1 above; block 2 nowhere. */
static void make_disk(struct scene *s) {
        AUTO_FREE char *below = path_in(s, "below.vhd");
        AUTO_FREE char *above = path_in(s, "above.vhd");
        struct err_note note;

        assert_ok(fixture_vhd(s->io, below, (uint64_t)BLOCKS * BLOCK, NULL, &note));
        assert_ok(chain_open(&s->images, below, CHAIN_WRITE, &s->chain, &note));
        for (uint64_t at = 0; at < BLOCK; at += N)
                write_at(s, at, 1);
        assert_ok(chain_close(s->chain, &note));
        assert_ok(fixture_vhd(s->io, above, (uint64_t)BLOCKS * BLOCK, below, &note));
        assert_ok(chain_open(&s->images, above, CHAIN_WRITE, &s->chain, &note));
        for (uint64_t at = 0; at < BLOCK; at += 2 * N)
                write_at(s, at, 2);
        write_at(s, BLOCK, 3);
        assert_ok(chain_close(s->chain, &note));
        assert_ok(chain_open(&s->images, above, CHAIN_WRITE, &s->chain, &note));
}

static int set_up(void **state, struct io *io, char *folder) {
        struct scene *s = calloc(1, sizeof *s);
        struct err_note note;

        s->io = io;
        s->folder = folder;
        s->reader = (struct nbd_reader){.ended = on_ended, .rested = on_rested, .user = s};
        images_init(&s->images, io, NULL);
        make_disk(s);
        assert_ok(loop_new(io, &s->loop, &note));
        assert_ok(nbd_reads_new(s->loop, &s->reads, &note));
        *state = s;
        return 0;
}

static int set_up_sim(void **state) {
        return set_up(state, io_sim_new(1, 0), NULL);
}

static int set_up_ring(void **state) {
        return set_up(state, io_uring_new(), temp_dir_new());
}

/* As with a disk that makes each request wait: all is told by the loop. */
static int set_up_workers(void **state) {
        struct io *io = io_uring_new();

        io_uring_use_workers(io);
        return set_up(state, io, temp_dir_new());
}

static int set_up_pool(void **state) {
        return set_up(state, io_posix_new(), temp_dir_new());
}

static int tear_down(void **state) {
        struct scene *s = *state;
        struct err_note note;

        nbd_reads_free(s->reads);
        loop_free(s->loop);
        assert_ok(chain_close(s->chain, &note));
        images_fini(&s->images);
        io_free(s->io);
        if (s->folder)
                temp_dir_free(s->folder);
        free(s);
        return 0;
}

static void wait_for(struct scene *s, unsigned n) {
        nbd_reads_go(s->reads);
        while (s->n_ended < n)
                (void)loop_round(s->loop, UINT64_MAX);
}

/* Makes known where all of it lies. */
static void read_by_plain_calls(struct scene *s, uint64_t at, void *ret) {
        struct err_note note;

        assert_ok(chain_read(s->chain, ret, N, at, &note));
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void what_is_read_is_what_the_chain_reads(void **state) {
        struct scene *s = *state;
        unsigned n = 0;

        for (uint64_t i = 0; i < 100; i++) {
                uint64_t at = i < 50 ? i * (N / 2) : i < 75 ? BLOCK + i * 100 : 2 * BLOCK + i * 512;
                uint8_t wanted[N];

                read_by_plain_calls(s, at, wanted);
                begin_one(s, n++, at, N, true);
                wait_for(s, n);
                assert_memory_equal(s->data[n - 1], wanted, N);
        }
        assert_int_equal(s->n_failed, 0);
}

static void many_at_once_are_told_of_together(void **state) {
        struct scene *s = *state;
        uint8_t wanted[N];

        read_by_plain_calls(s, 0, wanted);
        read_by_plain_calls(s, BLOCK, wanted);
        for (unsigned i = 0; i < 100; i++)
                begin_one(s, i, i % 64 * N, N, true);
        wait_for(s, 100);
        for (unsigned i = 0; i < 100; i++) {
                read_by_plain_calls(s, i % 64 * N, wanted);
                assert_memory_equal(s->data[i], wanted, N);
        }
        assert_int_equal(s->n_ended, 100);
        assert_true(s->n_rested >= 1 && s->n_rested <= 100);
}

static void what_is_none_for_here_is_not_begun(void **state) {
        struct scene *s = *state;
        static uint8_t large[NBD_READ_MAX + 1];
        struct err_note note;
        uint8_t room[N];

        /* Nobody knows yet who has which sector of block 0. */
        begin_one(s, 0, N, N, false);
        read_by_plain_calls(s, N, room);
        begin_one(s, 0, N, N, true);
        wait_for(s, 1);
        begin_one(s, 1, 0, 0, false);
        begin_one(s, 1, (uint64_t)BLOCKS * BLOCK - 100, 101, false);
        s->read[1] = (struct nbd_read){.reader = &s->reader,
                                       .chain = s->chain,
                                       .data = large,
                                       .at = 2 * BLOCK,
                                       .n = NBD_READ_MAX + 1};
        assert_false(nbd_reads_begin(s->reads, &s->read[1]));
        /* Five pages by turns in two layers. */
        s->read[1].at = 0;
        s->read[1].n = 5 * N;
        assert_false(nbd_reads_begin(s->reads, &s->read[1]));
        nbd_reads_go(s->reads);
        assert_int_equal(s->n_ended, 1);
        /* No hold was left: who waits for readers is not kept. */
        image_wait_readers((struct image *)(uintptr_t)chain_layer(s->chain, 0));
        assert_ok(chain_flush(s->chain, &note));
}

static void there_is_room_for_so_many_and_then_again(void **state) {
        struct scene *s = *state;
        struct nbd_read one_more = {.reader = &s->reader, .chain = s->chain, .at = BLOCK, .n = 512};
        uint8_t data[512];
        unsigned n = 0;

        read_by_plain_calls(s, BLOCK, s->data[0]);
        one_more.data = data;
        while (n < READS - 1) {
                s->read[n] = (struct nbd_read){
                        .reader = &s->reader, .chain = s->chain, .data = s->data[n], .at = BLOCK, .n = 512};
                if (!nbd_reads_begin(s->reads, &s->read[n]))
                        break;
                n++;
        }
        assert_true(n > 100 && n < READS - 1);
        assert_false(nbd_reads_begin(s->reads, &one_more));
        wait_for(s, n);
        begin_one(s, READS - 1, BLOCK, 512, true);
        wait_for(s, n + 1);
}

static void who_is_told_may_begin_more(void **state) {
        struct scene *s = *state;

        read_by_plain_calls(s, BLOCK, s->data[1]);
        s->n_more = 50;
        begin_one(s, 0, BLOCK, N, true);
        wait_for(s, 51);
        assert_int_equal(s->n_more, 0);
        assert_int_equal(s->n_rested, 51);
}

static void zeros_need_no_file(void **state) {
        struct scene *s = *state;
        uint64_t before = io_sim_count(s->io).all;

        begin_one(s, 0, 2 * BLOCK + 5, 1000, true);
        nbd_reads_go(s->reads);
        assert_int_equal(s->n_ended, 1);
        assert_int_equal(s->n_rested, 1);
        for (unsigned i = 0; i < 1000; i++)
                assert_int_equal(s->data[0][i], 0);
        assert_int_equal(s->data[0][1000], 0xee);
        assert_int_equal(io_sim_count(s->io).all, before);
}

/* The first page of block 1 is held, nothing behind it. */
static void holes_are_told_where_they_are_long_enough(void **state) {
        enum { MUCH = 64 << 10 };
        struct scene *s = *state;
        static uint8_t data[MUCH];

        read_by_plain_calls(s, BLOCK, s->data[0]);
        for (unsigned round = 0; round < 3; round++) {
                const size_t holes_from[] = {0, MUCH, N};

                memset(data, 0xee, MUCH);
                s->read[0] = (struct nbd_read){.reader = &s->reader,
                                               .chain = s->chain,
                                               .data = data,
                                               .at = BLOCK,
                                               .n = MUCH,
                                               .holes_from = holes_from[round]};
                assert_true(nbd_reads_begin(s->reads, &s->read[0]));
                wait_for(s, round + 1);
                assert_memory_equal(data, s->data[0], N);
                assert_int_equal(s->read[0].n_pieces, 2);
                assert_int_equal(s->read[0].pieces[0].n, N);
                assert_false(s->read[0].pieces[0].is_hole);
                assert_int_equal(s->read[0].pieces[1].n, MUCH - N);
                assert_int_equal(s->read[0].pieces[1].is_hole, round == 2);
                for (unsigned i = N; i < MUCH; i++)
                        assert_int_equal(data[i], round == 2 ? 0xee : 0);
        }
}

/* Each failing call in turn; of two files one is enough. */
static void what_cannot_be_read_is_told_as_failed(void **state) {
        struct scene *s = *state;
        uint8_t room[N];

        read_by_plain_calls(s, 0, room);
        for (unsigned at = 1; at <= 2; at++) {
                s->n_ended = s->n_failed = 0;
                begin_one(s, 0, N / 2, N, true);
                io_sim_fail_at(s->io, at, ERR_IO, false);
                wait_for(s, 1);
                assert_true(io_sim_fired(s->io));
                assert_int_equal(s->n_failed, 1);
                io_sim_heal(s->io);
        }
        begin_one(s, 0, N / 2, N, true);
        wait_for(s, 2);
        assert_int_equal(s->n_failed, 1);
}

static void what_took_time_is_counted_as_a_users_read(void **state) {
        struct scene *s = *state;
        struct latency_counts before, after;

        read_by_plain_calls(s, BLOCK, s->data[0]);
        chain_latency(s->chain, &before);
        for (unsigned i = 0; i < 200; i++)
                begin_one(s, i, BLOCK, N, true);
        wait_for(s, 200);
        chain_latency(s->chain, &after);
        assert_true(latency_n(&after, LATENCY_READ) > latency_n(&before, LATENCY_READ));
}

#define CASES(set_up)                                                                                        \
        CASE(set_up, what_is_read_is_what_the_chain_reads), CASE(set_up, many_at_once_are_told_of_together), \
                CASE(set_up, what_is_none_for_here_is_not_begun),                                            \
                CASE(set_up, there_is_room_for_so_many_and_then_again),                                      \
                CASE(set_up, who_is_told_may_begin_more)
#define CASE(set_up, name)                                                                                   \
        { #name " (" #set_up ")", name, set_up, tear_down, NULL }

int main(void) {
        const struct CMUnitTest tests[] = {
                CASES(set_up_sim),
                CASES(set_up_ring),
                CASES(set_up_workers),
                CASES(set_up_pool),
                CASE(set_up_sim, zeros_need_no_file),
                CASE(set_up_sim, holes_are_told_where_they_are_long_enough),
                CASE(set_up_sim, what_cannot_be_read_is_told_as_failed),
                CASE(set_up_sim, what_took_time_is_counted_as_a_users_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
