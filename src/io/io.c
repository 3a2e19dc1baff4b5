// SPDX-License-Identifier: Apache-2.0
/* What is the same for every maker: asserts the caller's plain mistakes, turns ranges that no file can have
 * into errors (they may come from a damaged file), fills in defaults, and hands the rest on. */
#include "io_ops.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

/* ---- opening ---- */

void io_file_init(struct io_file *file, struct io *io, const char *path, unsigned flags) {
        *file = (struct io_file){.io = io, .path = mem_text(path), .flags = flags};
}

void io_file_fini(struct io_file *file) {
        free(TAKE(file->path));
}

enum err io_open(struct io *io, const char *path, unsigned flags, struct io_file **ret,
                 struct err_note *note) {
        assert((flags & ~(unsigned)(IO_WRITE | IO_CREATE | IO_DIRECT | IO_PRIVATE)) == 0);
        assert(!(flags & IO_PRIVATE) || (flags & IO_CREATE));

        if (flags & IO_CREATE)
                flags |= IO_WRITE;
        return io->ops->open(io, path, flags, ret, note);
}

void io_close(struct io_file *file) {
        file->io->ops->close(file);
}

const char *io_path(const struct io_file *file) {
        return file->path;
}

enum err io_stat(struct io_file *file, struct io_stat *ret, struct err_note *note) {
        assert(!file->is_stream);
        return file->io->ops->stat(file, ret, note);
}

enum err io_stat_path(struct io *io, const char *path, struct io_stat *ret, struct err_note *note) {
        return io->ops->stat_path(io, path, ret, note);
}

/* ---- bytes ---- */

static bool is_writable(const struct io_file *file) {
        return !file->is_stream && (file->flags & IO_WRITE);
}

/* No file reaches further; off_t could not say it. */
static bool offset_fits(uint64_t at, uint64_t n) {
        return range_fits(at, n, INT64_MAX);
}

static bool is_aligned(const struct io_file *file, const void *data, uint64_t n, uint64_t at) {
        return !(file->flags & IO_DIRECT) || is_multiple((uintptr_t)data | n | at, IO_DIRECT_ALIGNMENT);
}

static enum err refuse_unaligned(const char *verb, uint64_t n, uint64_t at, struct err_note *note) {
        return err_set(note, ERR_INVALID,
                       "%s %" PRIu64 " at %" PRIu64 ": not aligned to %d, as direct I/O must be", verb, n, at,
                       IO_DIRECT_ALIGNMENT);
}

static enum err refuse_past_end(uint64_t n, uint64_t at, struct err_note *note) {
        return err_set(note, ERR_CUT_SHORT, "read %" PRIu64 " at %" PRIu64 " is past the end", n, at);
}

static enum err refuse_too_far(const char *verb, uint64_t n, uint64_t at, struct err_note *note) {
        return err_set(note, ERR_TOO_LARGE, "%s %" PRIu64 " at %" PRIu64 ": past what a file can hold", verb,
                       n, at);
}

enum err io_read_some(struct io_file *file, void *ret, size_t n, uint64_t at, size_t *ret_n,
                      struct err_note *note) {
        assert(!file->is_stream);
        if (n == 0 || at > INT64_MAX) {
                *ret_n = 0;
                return ERR_NONE;
        }
        if (!offset_fits(at, n)) /* the end of any file lies before: cut, so that off_t can say it */
                n = (size_t)round_down(INT64_MAX - at, file->flags & IO_DIRECT ? IO_DIRECT_ALIGNMENT : 1);
        if (!is_aligned(file, ret, n, at))
                return refuse_unaligned("read", n, at, note);
        return file->io->ops->read_some(file, ret, n, at, ret_n, note);
}

enum err io_read(struct io_file *file, void *ret, size_t n, uint64_t at, struct err_note *note) {
        size_t done;

        if (io_read_some(file, ret, n, at, &done, note))
                return note->code;
        return done < n ? refuse_past_end(n, at, note) : ERR_NONE;
}

enum err io_write(struct io_file *file, const void *data, size_t n, uint64_t at, struct err_note *note) {
        assert(is_writable(file));
        if (n == 0)
                return ERR_NONE;
        if (!offset_fits(at, n))
                return refuse_too_far("write", n, at, note);
        if (!is_aligned(file, data, n, at))
                return refuse_unaligned("write", n, at, note);
        return file->io->ops->write(file, data, n, at, note);
}

enum err io_sync(struct io_file *file, struct err_note *note) {
        assert(!file->is_stream);
        return file->io->ops->sync(file, note);
}

enum err io_truncate(struct io_file *file, uint64_t size, struct err_note *note) {
        assert(is_writable(file));
        if (!offset_fits(size, 0))
                return refuse_too_far("truncate to", 0, size, note);
        return file->io->ops->truncate(file, size, note);
}

enum err io_punch(struct io_file *file, uint64_t n, uint64_t at, struct err_note *note) {
        assert(is_writable(file));
        if (n == 0)
                return ERR_NONE;
        if (!offset_fits(at, n))
                return refuse_too_far("punch", n, at, note);
        if (!file->io->ops->punch)
                return err_set(note, ERR_UNSUPPORTED, "punch %" PRIu64 " at %" PRIu64 ": not supported here",
                               n, at);
        return file->io->ops->punch(file, n, at, note);
}

enum err io_clone_range(struct io_file *from, uint64_t from_at, struct io_file *to, uint64_t to_at,
                        uint64_t n, struct err_note *note) {
        assert(from->io == to->io && !from->is_stream && is_writable(to));
        if (n == 0) /* to the kernel 0 means "to the end" */
                return ERR_NONE;
        if (!offset_fits(from_at, n))
                return refuse_past_end(n, from_at, note);
        if (!offset_fits(to_at, n))
                return refuse_too_far("clone", n, to_at, note);
        if (!from->io->ops->clone_range)
                return err_set(note, ERR_UNSUPPORTED, "clone %" PRIu64 " at %" PRIu64 ": not supported here",
                               n, from_at);
        return from->io->ops->clone_range(from, from_at, to, to_at, n, note);
}

enum err io_next_data(struct io_file *file, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                      struct err_note *note) {
        struct io_stat stat;

        assert(!file->is_stream);
        if (file->io->ops->next_data && offset_fits(at, 0))
                return file->io->ops->next_data(file, at, ret_start, ret_end, note);
        if (io_stat(file, &stat, note))
                return note->code;
        *ret_start = min_u64(at, stat.size);
        *ret_end = stat.size;
        return ERR_NONE;
}

/* ---- names ---- */

enum err io_rename(struct io *io, const char *from, const char *to, struct err_note *note) {
        return io->ops->rename(io, from, to, note);
}

enum err io_link(struct io *io, const char *from, const char *to, struct err_note *note) {
        if (!io->ops->link)
                return err_set(note, ERR_UNSUPPORTED, "link %s to %s: not supported here", from, to);
        return io->ops->link(io, from, to, note);
}

enum err io_unlink(struct io *io, const char *path, struct err_note *note) {
        return io->ops->unlink(io, path, note);
}

enum err io_make_dir(struct io *io, const char *path, struct err_note *note) {
        return io->ops->make_dir(io, path, false, note);
}

enum err io_make_private_dir(struct io *io, const char *path, struct err_note *note) {
        return io->ops->make_dir(io, path, true, note);
}

enum err io_remove_dir(struct io *io, const char *path, struct err_note *note) {
        return io->ops->remove_dir(io, path, note);
}

enum err io_sync_dir(struct io *io, const char *path, struct err_note *note) {
        return io->ops->sync_dir(io, path, note);
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

enum err io_list(struct io *io, const char *path, struct io_names *ret, struct err_note *note) {
        AUTO(io_names_fini) struct io_names names = {0};

        if (io->ops->list(io, path, &names, note))
                return note->code;
        if (names.names.n > 0)
                qsort(names.names.data, names.names.n, sizeof *names.names.data, compare_names);
        *ret = names;
        names = (struct io_names){0};
        return ERR_NONE;
}

void io_names_fini(struct io_names *names) {
        VEC_EACH (&names->names, each)
                free(*each);
        vec_fini(&names->names);
}

enum err io_canonical(struct io *io, const char *path, char **ret, struct err_note *note) {
        return io->ops->canonical(io, path, ret, note);
}

enum err io_space(struct io *io, const char *path, struct io_space *ret, struct err_note *note) {
        return io->ops->space(io, path, ret, note);
}

/* ---- locks ---- */

enum err io_lock(struct io_file *file, enum io_lock lock, struct err_note *note) {
        assert(!file->is_stream);
        assert(lock != IO_EXCLUSIVE || is_writable(file));
        return file->io->ops->lock(file, lock, note);
}

void io_find_opener(struct io *io, struct io_file *const *files, size_t n, struct io_openers *ret) {
        *ret = (struct io_openers){0};
        if (io->ops->find_opener)
                io->ops->find_opener(io, files, n, ret);
}

/* ---- streams ---- */

enum err io_open_standard(struct io *io, enum io_standard which, struct io_file **ret,
                          struct err_note *note) {
        if (!io->ops->open_standard)
                return err_set(note, ERR_UNSUPPORTED, "there is no standard %s here",
                               which == IO_STDIN ? "input" : "output");
        return io->ops->open_standard(io, which, ret, note);
}

void io_set_stop(struct io *io, const atomic_bool *stop) {
        io->stop = stop;
}

enum err io_adopt_stream(struct io *io, int fd, unsigned flags, const char *name, const atomic_bool *stop,
                         struct io_file **ret, struct err_note *note) {
        assert((flags & ~(unsigned)IO_WRITE) == 0);
        if (!io->ops->adopt_stream)
                return err_set(note, ERR_UNSUPPORTED, "there are no descriptors here");
        if (io->ops->adopt_stream(io, fd, flags, name, ret, note))
                return note->code;
        (*ret)->stop = stop;
        return ERR_NONE;
}

bool io_is_stopped(const struct io_file *file) {
        const atomic_bool *stop = file->stop ? file->stop : file->io->stop;

        return stop && atomic_load_explicit(stop, memory_order_relaxed);
}

enum err io_stream_read(struct io_file *file, void *ret, size_t n, size_t *ret_n, struct err_note *note) {
        assert(file->is_stream && !(file->flags & IO_WRITE));
        assert(n > 0); /* an answer of 0 would look like the end */
        if (io_is_stopped(file))
                return err_set(note, ERR_CANCELLED, "read %s: interrupted", file->path);
        return file->io->ops->stream_read(file, ret, n, ret_n, note);
}

enum err io_stream_write(struct io_file *file, const void *data, size_t n, struct err_note *note) {
        assert(file->is_stream && (file->flags & IO_WRITE));
        if (n == 0)
                return ERR_NONE;
        if (io_is_stopped(file))
                return err_set(note, ERR_CANCELLED, "write %s: interrupted", file->path);
        return file->io->ops->stream_write(file, data, n, note);
}

/* ---- clock, dice, self ---- */

uint64_t io_now_ns(struct io *io) {
        return io->ops->now_ns(io);
}

int64_t io_wall_ns(struct io *io) {
        return io->ops->wall_ns(io);
}

void io_sleep_ns(struct io *io, uint64_t ns) {
        io->ops->sleep_ns(io, ns);
}

void io_random(struct io *io, void *ret, size_t n) {
        if (n > 0)
                io->ops->random(io, ret, n);
}

uint64_t io_random_u64(struct io *io) {
        uint64_t dice;

        io_random(io, &dice, sizeof dice);
        return dice;
}

void io_free(struct io *io) {
        io->ops->free(io);
}

/* ---- queue ---- */

uint64_t io_request_size(const struct io_request *request) {
        uint64_t n = 0;

        if (request->op == IO_OP_SYNC)
                return 0;
        for (unsigned i = 0; i < request->n_vec; i++)
                n += request->vec[i].iov_len;
        return n;
}

void io_request_run(struct io_request *request) {
        struct io_file *file = request->file;
        uint64_t n = io_request_size(request), at = request->at;
        enum err err = ERR_NONE;

        if (request->op == IO_OP_SYNC)
                err = io_sync(file, &request->note);
        else
                for (unsigned i = 0; i < request->n_vec && !err; i++) {
                        struct iovec *vec = &request->vec[i];

                        if (request->op == IO_OP_READ)
                                err = io_read(file, vec->iov_base, vec->iov_len, at, &request->note);
                        else
                                err = io_write(file, vec->iov_base, vec->iov_len, at, &request->note);
                        at += vec->iov_len;
                }
        if (err == ERR_CUT_SHORT) /* name what was asked for, not the piece that failed */
                err = refuse_past_end(n, request->at, &request->note);
        request->result = err;
}

enum err io_queue_new(struct io *io, unsigned depth, struct io_queue **ret, struct err_note *note) {
        struct io_queue *queue;

        assert(depth > 0);
        if (io->ops->queue_new(io, depth, &queue, note))
                return note->code;
        queue->io = io;
        queue->depth = depth;
        queue->in_flight = 0;
        memset(&queue->refused, 0, sizeof queue->refused);
        *ret = queue;
        return ERR_NONE;
}

void io_queue_free(struct io_queue *queue) {
        struct io_request *ended[16];

        while (queue->in_flight > 0)
                io_reap(queue, 1, ended, 16);
        vec_fini(&queue->refused);
        queue->ops->free(queue);
}

/* The maker is asked only for what some file could hold. */
static enum err check_request(struct io_request *request) {
        struct io_file *file = request->file;
        const char *verb = request->op == IO_OP_READ ? "read" : "write";
        uint64_t n = io_request_size(request);

        if (request->op == IO_OP_SYNC)
                return ERR_NONE;
        if (!offset_fits(request->at, n))
                return request->op == IO_OP_READ ? refuse_past_end(n, request->at, &request->note)
                                                 : refuse_too_far(verb, n, request->at, &request->note);
        for (unsigned i = 0; i < request->n_vec; i++)
                if (!is_aligned(file, request->vec[i].iov_base, request->vec[i].iov_len, request->at))
                        return refuse_unaligned(verb, n, request->at, &request->note);
        return ERR_NONE;
}

void io_submit(struct io_queue *queue, struct io_request *request) {
        assert(queue->in_flight < queue->depth);
        assert((queue->takes_any || request->file->io == queue->io) && !request->file->is_stream);
        assert(request->op != IO_OP_WRITE || is_writable(request->file));

        queue->in_flight++;
        request->result = check_request(request);
        if (request->result || (request->op != IO_OP_SYNC && io_request_size(request) == 0))
                *vec_add(&queue->refused) = request;
        else
                queue->ops->submit(queue, request);
}

unsigned io_reap(struct io_queue *queue, unsigned min, struct io_request **ret, unsigned max) {
        unsigned n = 0;

        min = min < max ? min : max;
        min = min < queue->in_flight ? min : queue->in_flight;
        while (n < max && queue->refused.n > 0)
                ret[n++] = queue->refused.data[--queue->refused.n];
        if (n < max && n + queue->refused.n < queue->in_flight)
                n += queue->ops->reap(queue, min > n ? min - n : 0, ret + n, max - n);
        assert(n >= min && n <= max);
        queue->in_flight -= n;
        return n;
}

unsigned io_in_flight(const struct io_queue *queue) {
        return queue->in_flight;
}

int io_queue_fd(struct io_queue *queue) {
        return queue->ops->fd ? queue->ops->fd(queue) : -1;
}
