// SPDX-License-Identifier: Apache-2.0
/* What io.c does for every maker, seen through one that leaves out all it may. */
#include <stdlib.h>

#include "check.h"
#include "io_ops.h"

struct small_io {
        struct io io;
        char bytes[100];
        struct io_request *submitted[4]; /* each borrowed */
        unsigned n_submitted;
        unsigned n_calls; /* those that reached the maker */
        enum err list_fails;
};

static struct small_io *small(struct io *io) {
        return (struct small_io *)io;
}

static enum err small_open(struct io *io, const char *path, unsigned flags, struct io_file **ret,
                           struct err_note *note) {
        (void)note;
        *ret = mem_new(struct io_file);
        io_file_init(*ret, io, path, flags);
        return ERR_NONE;
}

static void small_close(struct io_file *file) {
        io_file_fini(file);
        free(file);
}

static enum err small_stat(struct io_file *file, struct io_stat *ret, struct err_note *note) {
        (void)note;
        *ret = (struct io_stat){.size = sizeof small(file->io)->bytes};
        return ERR_NONE;
}

static enum err small_read_some(struct io_file *file, void *ret, size_t n, uint64_t at, size_t *ret_n,
                                struct err_note *note) {
        struct small_io *self = small(file->io);

        (void)note;
        self->n_calls++;
        assert_true(n > 0 && at + n <= INT64_MAX);
        *ret_n = at >= sizeof self->bytes ? 0 : n < sizeof self->bytes - at ? n : sizeof self->bytes - at;
        memcpy(ret, self->bytes + (*ret_n ? at : 0), *ret_n);
        return ERR_NONE;
}

static enum err small_write(struct io_file *file, const void *data, size_t n, uint64_t at,
                            struct err_note *note) {
        struct small_io *self = small(file->io);

        self->n_calls++;
        if (at + n > sizeof self->bytes)
                return err_set(note, ERR_NO_SPACE, "write %zu at %d: no space left", n, (int)at);
        memcpy(self->bytes + at, data, n);
        return ERR_NONE;
}

static enum err small_list(struct io *io, const char *path, struct io_names *ret, struct err_note *note) {
        (void)path;
        *vec_add(&ret->names) = mem_text("b");
        *vec_add(&ret->names) = mem_text("a");
        return small(io)->list_fails ? err_set(note, small(io)->list_fails, "list") : ERR_NONE;
}

static void small_random(struct io *io, void *ret, size_t n) {
        (void)io;
        memset(ret, 0x11, n);
}

static void small_submit(struct io_queue *queue, struct io_request *request) {
        struct small_io *self = small(queue->io);

        assert_true(self->n_submitted < 4);
        self->submitted[self->n_submitted++] = request;
}

static unsigned small_reap(struct io_queue *queue, unsigned min, struct io_request **ret, unsigned max) {
        struct small_io *self = small(queue->io);

        assert_true(max > 0 && min <= max && min <= self->n_submitted);
        if (min == 0)
                return 0; /* as late as is allowed */
        ret[0] = self->submitted[--self->n_submitted];
        io_request_run(ret[0]);
        return min == 1 ? 1 : 1 + small_reap(queue, min - 1, ret + 1, max - 1);
}

static void small_queue_free(struct io_queue *queue) {
        assert_int_equal(small(queue->io)->n_submitted, 0);
        free(queue);
}

static enum err small_queue_new(struct io *io, unsigned depth, struct io_queue **ret, struct err_note *note) {
        static const struct io_queue_ops ops = {
                .free = small_queue_free, .submit = small_submit, .reap = small_reap};

        (void)io;
        (void)depth;
        (void)note;
        *ret = mem_new(struct io_queue);
        (*ret)->ops = &ops;
        return ERR_NONE;
}

static const struct io_ops small_ops = {
        .open = small_open,
        .close = small_close,
        .stat = small_stat,
        .read_some = small_read_some,
        .write = small_write,
        .list = small_list,
        .random = small_random,
        .queue_new = small_queue_new,
};

static struct io_file *open_small(struct small_io *self, unsigned flags) {
        struct io_file *file = NULL;
        struct err_note note;

        *self = (struct small_io){.io = {.ops = &small_ops}, .bytes = "0123456789"};
        assert_ok(io_open(&self->io, "x", flags, &file, &note));
        return file;
}

static void what_a_maker_leaves_out_has_a_default(void **state) {
        struct small_io io;
        AUTO(io_close) struct io_file *file = open_small(&io, IO_WRITE);
        struct io_file *standard;
        uint64_t start, end;
        struct err_note note;

        (void)state;
        assert_err(io_punch(file, 1, 5, &note), ERR_UNSUPPORTED, "punch 1 at 5");
        assert_err(io_clone_range(file, 2, file, 4, 6, &note), ERR_UNSUPPORTED, "clone 6 at 2");
        assert_err(io_link(&io.io, "a", "b", &note), ERR_UNSUPPORTED, "link a to b");
        assert_err(io_open_standard(&io.io, IO_STDIN, &standard, &note), ERR_UNSUPPORTED, "standard input");
        assert_ok(io_next_data(file, 30, &start, &end, &note));
        assert_true(start == 30 && end == 100);
        assert_ok(io_next_data(file, 300, &start, &end, &note));
        assert_true(start == 100 && end == 100);
}

static void a_maker_sees_only_what_a_file_could_hold(void **state) {
        struct small_io io;
        AUTO(io_close) struct io_file *file = open_small(&io, IO_WRITE);
        struct err_note note;
        char text[10];
        size_t n;

        (void)state;
        assert_ok(io_write(file, "", 0, UINT64_MAX, &note));
        assert_ok(io_punch(file, 0, UINT64_MAX, &note));
        assert_ok(io_clone_range(file, UINT64_MAX, file, 0, 0, &note));
        assert_err(io_write(file, "x", 1, INT64_MAX, &note), ERR_TOO_LARGE, "write 1 at");
        assert_err(io_read(file, text, 10, UINT64_MAX - 2, &note), ERR_CUT_SHORT, "past the end");
        assert_err(io_clone_range(file, UINT64_MAX, file, 0, 5, &note), ERR_CUT_SHORT, "past the end");
        assert_err(io_clone_range(file, 0, file, UINT64_MAX, 5, &note), ERR_TOO_LARGE, "clone 5");
        assert_int_equal(io.n_calls, 0);
        assert_ok(io_read_some(file, text, 10, INT64_MAX - 5, &n,
                               &note)); /* asks for the 5 that there could be */
        assert_int_equal(io.n_calls, 1);
        assert_int_equal(n, 0);
}

static void create_means_write(void **state) {
        struct small_io io;
        AUTO(io_close) struct io_file *file = open_small(&io, IO_CREATE);
        struct err_note note;

        (void)state;
        assert_ok(io_write(file, "abc", 3, 0, &note));
        assert_memory_equal(io.bytes, "abc3", 4);
}

static void names_are_sorted_and_a_failed_list_leaves_none(void **state) {
        struct small_io io = {.io = {.ops = &small_ops}};
        AUTO(io_names_fini) struct io_names names = {0};
        struct err_note note;

        (void)state;
        io.list_fails = ERR_IO;
        assert_err(io_list(&io.io, "d", &names, &note), ERR_IO, "list");
        assert_int_equal(names.names.n, 0);
        io.list_fails = ERR_NONE;
        assert_ok(io_list(&io.io, "d", &names, &note));
        assert_int_equal(names.names.n, 2);
        assert_string_equal(names.names.data[0], "a");
        assert_string_equal(names.names.data[1], "b");
}

static void a_number_is_eight_bytes_of_dice(void **state) {
        struct small_io io = {.io = {.ops = &small_ops}};

        (void)state;
        assert_true(io_random_u64(&io.io) == UINT64_C(0x1111111111111111));
}

static void a_request_run_by_plain_calls_names_the_whole_of_it(void **state) {
        struct small_io io;
        AUTO(io_close) struct io_file *file = open_small(&io, IO_WRITE);
        char one[60], two[60];
        struct iovec vec[] = {{one, 60}, {NULL, 0}, {two, 60}};
        struct io_request request = {.op = IO_OP_READ, .file = file, .vec = vec, .n_vec = 3};
        struct err_note note;

        (void)state;
        io_request_run(&request);
        note = request.note;
        assert_err(request.result, ERR_CUT_SHORT, "read 120 at 0 is past the end");
        vec[2].iov_len = 40;
        io_request_run(&request);
        assert_int_equal(request.result, ERR_NONE);
        assert_memory_equal(one, "0123456789", 10);
        request = (struct io_request){.op = IO_OP_WRITE, .file = file, .vec = vec, .n_vec = 3, .at = 50};
        io_request_run(&request);
        assert_int_equal(request.result, ERR_NO_SPACE);
}

static void mistakes_and_results_are_reaped_alike_and_counted(void **state) {
        struct small_io io;
        AUTO(io_close) struct io_file *file = open_small(&io, IO_WRITE);
        AUTO(io_queue_free) struct io_queue *queue = NULL;
        char text[4];
        struct iovec vec = {text, 4};
        struct io_request good = {.op = IO_OP_READ, .file = file, .vec = &vec, .n_vec = 1, .at = 3};
        struct io_request bad = good, again = good, *ended[4];
        struct err_note note;

        (void)state;
        bad.at = UINT64_MAX;
        assert_ok(io_queue_new(&io.io, 4, &queue, &note));
        io_submit(queue, &good);
        io_submit(queue, &bad);
        io_submit(queue, &again);
        assert_int_equal(io_in_flight(queue), 3);
        assert_int_equal(io_reap(queue, 1, ended, 4), 1);
        assert_ptr_equal(ended[0], &bad);
        assert_int_equal(bad.result, ERR_CUT_SHORT);
        assert_int_equal(io_in_flight(queue), 2);
        assert_int_equal(io_reap(queue, 0, ended, 4), 0);
        assert_int_equal(io_reap(queue, 1, ended, 1), 1);
        assert_ptr_equal(ended[0], &again);
        assert_memory_equal(text, "3456", 4);
        assert_int_equal(io_reap(queue, 4, ended, 4), 1);
        assert_int_equal(io_in_flight(queue), 0);
        io_submit(queue, &good);
        io_submit(queue, &bad);
        io_queue_free(TAKE(queue)); /* reaps what is left, or small_queue_free objects */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_a_maker_leaves_out_has_a_default),
                cmocka_unit_test(a_maker_sees_only_what_a_file_could_hold),
                cmocka_unit_test(create_means_write),
                cmocka_unit_test(names_are_sorted_and_a_failed_list_leaves_none),
                cmocka_unit_test(a_number_is_eight_bytes_of_dice),
                cmocka_unit_test(a_request_run_by_plain_calls_names_the_whole_of_it),
                cmocka_unit_test(mistakes_and_results_are_reaped_alike_and_counted),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
