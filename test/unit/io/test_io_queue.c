// SPDX-License-Identifier: Apache-2.0
/* The same tests over each queue of the real makers: the pool, the ring, and the ring where the kernel
 * forbids it. */
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "bytes.h"
#include "io.h"
#include "io_posix.h"
#include "temp_dir.h"

struct place {
        struct io *io;          /* owned */
        char *dir;              /* owned */
        struct io_queue *queue; /* owned; of depth 32 */
        struct io_file *file;   /* owned; written by the tests */
};

enum { DEPTH = 32 };

static int set_up(void **state, struct io *io) {
        struct place *place = mem_new(struct place);
        struct err_note note;
        char *path;

        place->io = io;
        place->dir = temp_dir_new();
        path = mem_format("%s/file", place->dir);
        assert_ok(io_open(io, path, IO_CREATE, &place->file, &note));
        assert_ok(io_queue_new(io, DEPTH, &place->queue, &note));
        free(path);
        *state = place;
        return 0;
}

static int set_up_pool(void **state) {
        return set_up(state, io_posix_new());
}

static int set_up_ring(void **state) {
        return set_up(state, io_uring_new());
}

static int set_up_forbidden(void **state) {
        struct io *io = io_uring_new();

        io_uring_forbid(io);
        return set_up(state, io);
}

static int set_up_workers(void **state) {
        struct io *io = io_uring_new();

        io_uring_use_workers(io);
        return set_up(state, io);
}

static int tear_down(void **state) {
        struct place *place = *state;

        if (place->queue)
                io_queue_free(place->queue);
        io_close(place->file);
        io_free(place->io);
        temp_dir_free(place->dir);
        free(place);
        return 0;
}

static struct io_request request_of(enum io_op op, struct io_file *file, struct iovec *vec, unsigned n_vec,
                                    uint64_t at) {
        return (struct io_request){
                .op = op, .file = file, .vec = vec, .n_vec = n_vec, .at = at, .result = ERR_CORRUPT};
}

/* Submits one request to an idle queue and waits for it. */
static enum err run_one(struct io_queue *queue, struct io_request *request, struct err_note *ret) {
        struct io_request *ended = NULL;

        io_submit(queue, request);
        assert_int_equal(io_in_flight(queue), 1);
        assert_int_equal(io_reap(queue, 1, &ended, 1), 1);
        assert_ptr_equal(ended, request);
        assert_int_equal(io_in_flight(queue), 0);
        *ret = request->note;
        return request->result;
}

/* ---- the tests ---- */

static void the_ring_is_used_unless_forbidden(void **state) {
        struct place *place = *state;
        struct io_posix *io = (struct io_posix *)place->io;

        if (io->ops.queue_new == io_pool_new || io->uring_is_forbidden)
                assert_false(io_uring_is_used(place->queue));
        else if (!io_uring_is_used(place->queue))
                skip_because("this kernel gives no rings: all below tries the pool once more");
}

enum { BLOCKS = 24, BLOCK = 12000 };

struct block {
        struct io_request request;
        struct iovec vec[3];
        uint8_t memory[BLOCK], wanted[BLOCK];
        bool is_busy;
};

/* One write or read of a block, in three pieces of random sizes. */
static void submit_block(struct place *place, struct block *block, unsigned index, bool is_write) {
        size_t cuts[4] = {0, (size_t)random() % (BLOCK / 2), BLOCK / 2 + (size_t)random() % (BLOCK / 2),
                          BLOCK};

        for (int i = 0; i < 3; i++)
                block->vec[i] = (struct iovec){block->memory + cuts[i], cuts[i + 1] - cuts[i]};
        if (is_write)
                for (size_t i = 0; i < BLOCK; i++)
                        block->memory[i] = block->wanted[i] = (uint8_t)random();
        else
                memset(block->memory, 0xee, BLOCK);
        block->request = request_of(is_write ? IO_OP_WRITE : IO_OP_READ, place->file, block->vec, 3,
                                    (uint64_t)index * BLOCK);
        block->request.user = block;
        block->is_busy = true;
        io_submit(place->queue, &block->request);
}

static void reap_blocks(struct place *place, unsigned min) {
        struct io_request *ended[5];
        unsigned n = io_reap(place->queue, min, ended, 5);

        for (unsigned i = 0; i < n; i++) {
                struct block *block = ended[i]->user;

                if (ended[i]->result)
                        fail_msg("%s", ended[i]->note.text);
                assert_true(block->is_busy); /* each is reaped once */
                assert_memory_equal(block->memory, block->wanted, BLOCK);
                block->is_busy = false;
        }
}

static void many_at_once_each_gets_its_own_bytes(void **state) {
        struct place *place = *state;
        struct block *blocks = mem_zero(BLOCKS * sizeof *blocks);
        struct err_note note;

        srandom(1);
        assert_ok(io_truncate(place->file, BLOCKS * BLOCK, &note));
        for (int i = 0; i < 1500; i++) {
                unsigned index = (unsigned)random() % BLOCKS;

                while (blocks[index].is_busy)
                        reap_blocks(place, 1);
                submit_block(place, &blocks[index], index, random() % 2);
                if (random() % 16 == 0)
                        reap_blocks(place, (unsigned)random() % 6);
        }
        while (io_in_flight(place->queue) > 0)
                reap_blocks(place, 1);
        for (unsigned i = 0; i < BLOCKS; i++) {
                assert_false(blocks[i].is_busy);
                assert_ok(io_read(place->file, blocks[i].memory, BLOCK, (uint64_t)i * BLOCK, &note));
                assert_memory_equal(blocks[i].memory, blocks[i].wanted, BLOCK);
        }
        free(blocks);
}

static void a_request_of_very_many_pieces_is_done_whole(void **state) {
        enum { PIECES = 1500, PIECE = 7 }; /* more than the kernel takes at once */
        struct place *place = *state;
        struct iovec *vec = mem_zero(PIECES * sizeof *vec);
        uint8_t *data = mem_zero(PIECES * PIECE), *back = mem_zero(PIECES * PIECE);
        struct io_request request;
        struct err_note note;

        for (size_t i = 0; i < PIECES * PIECE; i++)
                data[i] = (uint8_t)(i * 5 + i / 256);
        for (size_t i = 0; i < PIECES; i++)
                vec[i] = (struct iovec){data + i * PIECE, PIECE};
        request = request_of(IO_OP_WRITE, place->file, vec, PIECES, 100);
        assert_ok(run_one(place->queue, &request, &note));
        assert_ok(io_read(place->file, back, PIECES * PIECE, 100, &note));
        assert_memory_equal(back, data, PIECES * PIECE);

        memset(data, 0, PIECES * PIECE);
        request = request_of(IO_OP_READ, place->file, vec, PIECES, 100);
        assert_ok(run_one(place->queue, &request, &note));
        assert_memory_equal(back, data, PIECES * PIECE);
        free(vec);
        free(data);
        free(back);
}

static void a_read_past_the_end_is_cut_short(void **state) {
        struct place *place = *state;
        char text[10], more[10];
        struct iovec vec[] = {{text, 10}, {more, 10}};
        struct io_request request;
        struct err_note note;

        assert_ok(io_write(place->file, "0123456789abcde", 15, 0, &note));
        request = request_of(IO_OP_READ, place->file, vec, 2, 0);
        assert_err(run_one(place->queue, &request, &note), ERR_CUT_SHORT, "read 20 at 0 is past the end");
        request = request_of(IO_OP_READ, place->file, vec, 1, 15);
        assert_err(run_one(place->queue, &request, &note), ERR_CUT_SHORT, "read 10 at 15");
        request = request_of(IO_OP_READ, place->file, vec, 1, UINT64_MAX - 3);
        assert_err(run_one(place->queue, &request, &note), ERR_CUT_SHORT, "past the end");
        vec[1].iov_len = 5;
        request = request_of(IO_OP_READ, place->file, vec, 2, 0);
        assert_ok(run_one(place->queue, &request, &note));
        assert_memory_equal(more, "abcde", 5);
}

static void errors_are_reaped_like_results(void **state) {
        struct place *place = *state;
        AUTO(io_close) struct io_file *dir = NULL;
        AUTO(io_close) struct io_file *direct = NULL;
        char text[16] = "";
        struct iovec vec[] = {{text, 16}};
        AUTO_FREE char *path = mem_format("%s/direct", place->dir);
        struct io_request requests[4], *ended[4] = {NULL};
        unsigned seen = 0;
        struct err_note note;

        assert_ok(io_open(place->io, place->dir, IO_READ, &dir, &note));
        assert_ok(io_open(place->io, path, IO_CREATE | IO_DIRECT, &direct, &note));
        requests[0] = request_of(IO_OP_READ, dir, vec, 1, 0);
        requests[1] = request_of(IO_OP_WRITE, place->file, vec, 1, INT64_MAX);
        requests[2] = request_of(IO_OP_WRITE, direct, vec, 1, 0);
        requests[3] = request_of(IO_OP_WRITE, place->file, vec, 1, 0);
        for (int i = 0; i < 4; i++)
                io_submit(place->queue, &requests[i]);
        while (io_in_flight(place->queue) > 0)
                seen += io_reap(place->queue, 4, ended, 4);
        assert_int_equal(seen, 4);
        note = requests[0].note;
        assert_err(requests[0].result, ERR_INVALID, "read 16 at 0: is a directory");
        note = requests[1].note;
        assert_err(requests[1].result, ERR_TOO_LARGE, "write 16 at 9223372036854775807");
        note = requests[2].note;
        assert_err(requests[2].result, ERR_INVALID, "write 16 at 0: not aligned");
        assert_int_equal(requests[3].result, ERR_NONE);
}

static void a_write_done_in_part_is_an_error(void **state) {
        struct place *place = *state;
        struct rlimit old, small;
        AUTO_FREE uint8_t *data = mem_zero(8192);
        struct iovec vec[] = {{data, 4000}, {data + 4000, 4192}};
        struct io_request request = request_of(IO_OP_WRITE, place->file, vec, 2, 0);
        struct err_note note;
        enum err err;

        getrlimit(RLIMIT_FSIZE, &old);
        small = (struct rlimit){5000, old.rlim_max};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &small);
        err = run_one(place->queue, &request, &note);
        setrlimit(RLIMIT_FSIZE, &old);
        signal(SIGXFSZ, SIG_DFL);
        assert_err(err, ERR_TOO_LARGE, "write 8192 at 0");
}

static void direct_requests_move_whole_pages(void **state) {
        struct place *place = *state;
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE char *path = mem_format("%s/direct", place->dir);
        AUTO_FREE uint8_t *data = mem_aligned(4096, 16384);
        struct iovec vec[] = {{data, 4096}, {data + 8192, 8192}};
        struct io_request request;
        struct err_note note;

        assert_ok(io_open(place->io, path, IO_CREATE | IO_DIRECT, &file, &note));
        memset(data, 3, 16384);
        request = request_of(IO_OP_WRITE, file, vec, 2, 4096);
        assert_ok(run_one(place->queue, &request, &note));
        memset(data, 0, 16384);
        request = request_of(IO_OP_READ, file, vec, 2, 4096);
        assert_ok(run_one(place->queue, &request, &note));
        assert_true(data[0] == 3 && data[4095] == 3 && data[4096] == 0 && data[8192] == 3 &&
                    data[16383] == 3);
        /* An end off the alignment must not make the rest of the read an error of another kind. */
        assert_ok(io_truncate(file, 8192 + 512, &note));
        request = request_of(IO_OP_READ, file, vec, 2, 4096);
        assert_err(run_one(place->queue, &request, &note), ERR_CUT_SHORT,
                   "read 12288 at 4096 is past the end");
}

static void sync_and_nothing_are_requests_too(void **state) {
        struct place *place = *state;
        AUTO(io_close) struct io_file *reader = NULL;
        struct io_request request = request_of(IO_OP_SYNC, place->file, NULL, 0, 0);
        struct iovec none = {NULL, 0};
        struct err_note note;

        assert_ok(run_one(place->queue, &request, &note));
        assert_ok(io_open(place->io, io_path(place->file), IO_READ, &reader, &note));
        request = request_of(IO_OP_SYNC, reader, NULL, 0, 0);
        assert_ok(run_one(place->queue, &request, &note));
        request = request_of(IO_OP_WRITE, place->file, &none, 1, 10);
        assert_ok(run_one(place->queue, &request, &note));
        request = request_of(IO_OP_READ, place->file, NULL, 0, 10);
        assert_ok(run_one(place->queue, &request, &note));
}

static void reaping_waits_for_no_more_than_there_is(void **state) {
        struct place *place = *state;
        uint8_t byte = 1;
        struct iovec vec = {&byte, 1};
        struct io_request requests[8], *ended[8];
        unsigned n;

        assert_int_equal(io_reap(place->queue, 5, ended, 8), 0);
        for (unsigned i = 0; i < 8; i++) {
                requests[i] = request_of(IO_OP_WRITE, place->file, &vec, 1, i);
                io_submit(place->queue, &requests[i]);
        }
        n = io_reap(place->queue, 3, ended, 3); /* never more than there is room for */
        assert_int_equal(n, 3);
        assert_int_equal(io_in_flight(place->queue), 5);
        assert_int_equal(io_reap(place->queue, 100, ended, 8), 5);
        assert_int_equal(io_reap(place->queue, 0, ended, 8), 0);
        for (unsigned i = 0; i < 8; i++)
                assert_int_equal(requests[i].result, ERR_NONE);
}

static bool is_readable(int fd, int ms) {
        struct pollfd poll_of = {.fd = fd, .events = POLLIN};

        return poll(&poll_of, 1, ms) == 1;
}

static void the_descriptor_tells_that_something_ended(void **state) {
        struct place *place = *state;
        struct io_request *ended[2], requests[2];
        uint8_t memory[2][BLOCK] = {{0}};
        struct iovec vec[2] = {{memory[0], BLOCK}, {memory[1], BLOCK}};
        int fd = io_queue_fd(place->queue);
        unsigned n;

        assert_true(fd >= 0);
        assert_int_equal(io_queue_fd(place->queue), fd);
        assert_false(is_readable(fd, 0));
        for (int round = 0; round < 3; round++) {
                for (unsigned i = 0; i < 2; i++) {
                        requests[i] = request_of(IO_OP_WRITE, place->file, &vec[i], 1, i * BLOCK);
                        io_submit(place->queue, &requests[i]);
                }
                for (n = io_reap(place->queue, 0, ended, 1); n < 2; n += io_reap(place->queue, 0, ended, 1))
                        assert_true(is_readable(fd, -1));
                assert_false(is_readable(fd, 0));
        }
}

static void a_full_queue_may_be_filled_again_and_again(void **state) {
        struct place *place = *state;
        struct io_request requests[DEPTH], *ended[DEPTH];
        uint8_t bytes[DEPTH];
        struct iovec vec[DEPTH];

        for (unsigned round = 0; round < 20; round++) {
                for (unsigned i = 0; i < DEPTH; i++) {
                        bytes[i] = (uint8_t)(round + i);
                        vec[i] = (struct iovec){&bytes[i], 1};
                        requests[i] = request_of(IO_OP_WRITE, place->file, &vec[i], 1, i);
                        io_submit(place->queue, &requests[i]);
                }
                assert_int_equal(io_reap(place->queue, DEPTH, ended, DEPTH), DEPTH);
                for (unsigned i = 0; i < DEPTH; i++)
                        assert_int_equal(requests[i].result, ERR_NONE);
        }
}

static void freeing_waits_for_what_is_in_flight(void **state) {
        struct place *place = *state;
        enum { EACH = 100000 };
        uint8_t *data = mem_zero(EACH), *back = mem_zero(EACH);
        struct iovec vec = {data, EACH};
        struct io_request requests[DEPTH];
        struct err_note note;

        memset(data, 9, EACH);
        for (unsigned i = 0; i < DEPTH; i++) {
                requests[i] = request_of(IO_OP_WRITE, place->file, &vec, 1, (uint64_t)i * EACH);
                io_submit(place->queue, &requests[i]);
        }
        io_queue_free(TAKE(place->queue));
        memset(data, 0, EACH); /* ours again: nothing may still be on its way from here */
        for (unsigned i = 0; i < DEPTH; i++) {
                assert_int_equal(requests[i].result, ERR_NONE);
                assert_ok(io_read(place->file, back, EACH, (uint64_t)i * EACH, &note));
                assert_true(back[0] == 9 && memcmp(back, back + 1, EACH - 1) == 0);
        }
        free(data);
        free(back);
}

struct errand {
        struct io_queue *queue; /* borrowed */
        struct io_request requests[DEPTH];
};

static void *submit_and_leave(void *arg) {
        struct errand *errand = arg;

        for (unsigned i = 0; i < DEPTH; i++)
                io_submit(errand->queue, &errand->requests[i]);
        return NULL;
}

static void a_queue_goes_from_thread_to_thread(void **state) {
        struct place *place = *state;
        enum { EACH = 200000 };
        uint8_t *data = mem_zero(EACH);
        struct iovec vec = {data, EACH};
        struct errand errand = {.queue = place->queue};
        struct io_request *ended[DEPTH];
        struct err_note note;

        memset(data, 5, EACH);
        for (unsigned round = 0; round < 3; round++) {
                pthread_t thread;

                /* Something to sync, so that the syncs behind the first are still waiting when their thread
                 * ends. */
                assert_ok(io_write(place->file, data, EACH, round * EACH, &note));
                for (unsigned i = 0; i < DEPTH; i++)
                        errand.requests[i] = i % 8 ? request_of(IO_OP_SYNC, place->file, NULL, 0, 0)
                                                   : request_of(IO_OP_WRITE, place->file, &vec, 1, i * EACH);
                assert_int_equal(pthread_create(&thread, NULL, submit_and_leave, &errand), 0);
                pthread_join(thread, NULL);
                /* The kernel may take back what an ended thread had asked for; nobody shall see that. */
                assert_int_equal(io_reap(place->queue, DEPTH, ended, DEPTH), DEPTH);
                for (unsigned i = 0; i < DEPTH; i++)
                        if (errand.requests[i].result)
                                fail_msg("%s", errand.requests[i].note.text);
        }
        free(data);
}

static volatile sig_atomic_t was_disturbed;

static void disturb(int signal_) {
        (void)signal_;
        was_disturbed = 1;
}

static void a_queue_takes_no_signal_from_the_program(void **state) {
        struct place *place = *state;
        struct io_request request = request_of(IO_OP_SYNC, place->file, NULL, 0, 0);
        struct timespec soon = {0, 5000000};
        struct err_note note;
        sigset_t usr1;

        assert_ok(run_one(place->queue, &request, &note));
        signal(SIGUSR1, disturb);
        sigemptyset(&usr1);
        sigaddset(&usr1, SIGUSR1);
        sigprocmask(SIG_BLOCK, &usr1, NULL);
        kill(getpid(), SIGUSR1);
        /* Whoever takes it is the one who asked for it, later: no thread of the queue does meanwhile. */
        nanosleep(&soon, NULL);
        assert_false(was_disturbed);
        assert_int_equal(sigtimedwait(&usr1, NULL, &soon), SIGUSR1);
        sigprocmask(SIG_UNBLOCK, &usr1, NULL);
        signal(SIGUSR1, SIG_DFL);
}

static unsigned count_threads(void) {
        DIR *dir = opendir("/proc/self/task");
        struct dirent *entry;
        unsigned n = 0;

        assert_non_null(dir);
        while ((entry = readdir(dir)))
                n += entry->d_name[0] != '.';
        closedir(dir);
        return n;
}

static void a_pool_starts_no_thread_before_it_has_work_and_sixteen_at_most(void **state) {
        struct place *place = *state;
        AUTO(io_queue_free) struct io_queue *deep = NULL;
        struct io_request requests[64], *ended[64];
        unsigned before = count_threads();
        uint8_t byte = 1;
        struct iovec vec = {&byte, 1};
        struct err_note note;

        if (io_uring_is_used(place->queue))
                skip_because("this queue has a ring");
        assert_ok(io_queue_new(place->io, 64, &deep, &note));
        assert_int_equal(count_threads(), before);
        for (unsigned i = 0; i < 64; i++) {
                requests[i] = request_of(IO_OP_WRITE, place->file, &vec, 1, i);
                io_submit(deep, &requests[i]);
        }
        assert_true(count_threads() > before && count_threads() <= before + 16);
        assert_int_equal(io_reap(deep, 64, ended, 64), 64);
}

#define TESTS_OF(set_up)                                                                                     \
        TEST(set_up, the_ring_is_used_unless_forbidden), TEST(set_up, many_at_once_each_gets_its_own_bytes), \
                TEST(set_up, a_request_of_very_many_pieces_is_done_whole),                                   \
                TEST(set_up, a_read_past_the_end_is_cut_short),                                              \
                TEST(set_up, errors_are_reaped_like_results),                                                \
                TEST(set_up, a_write_done_in_part_is_an_error),                                              \
                TEST(set_up, direct_requests_move_whole_pages),                                              \
                TEST(set_up, sync_and_nothing_are_requests_too),                                             \
                TEST(set_up, reaping_waits_for_no_more_than_there_is),                                       \
                TEST(set_up, the_descriptor_tells_that_something_ended),                                     \
                TEST(set_up, a_full_queue_may_be_filled_again_and_again),                                    \
                TEST(set_up, freeing_waits_for_what_is_in_flight),                                           \
                TEST(set_up, a_queue_takes_no_signal_from_the_program),                                      \
                TEST(set_up, a_queue_goes_from_thread_to_thread),                                            \
                TEST(set_up, a_pool_starts_no_thread_before_it_has_work_and_sixteen_at_most)
#define TEST(set_up, name)                                                                                   \
        { #name " (" #set_up ")", name, set_up, tear_down, NULL }

int main(void) {
        const struct CMUnitTest tests[] = {TESTS_OF(set_up_pool), TESTS_OF(set_up_ring),
                                           TESTS_OF(set_up_forbidden), TESTS_OF(set_up_workers)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
