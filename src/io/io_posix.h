// SPDX-License-Identifier: Apache-2.0
/* What the makers on a real kernel share: io_posix.c, its locks, and the two queues behind it.  Nobody else
 * includes this (tests of these files do).
 *
 * Threads: any, but for what a struct io_queue says.  Errors: as io.h says.
 */
#ifndef IO_IO_POSIX_H
#define IO_IO_POSIX_H

#include <pthread.h>

#include "io_ops.h"

struct io_posix {
        struct io io;
        struct io_ops ops; /* io.ops points here, so that io_uring can put its queue into it */
        bool uring_is_forbidden;
        bool uring_uses_workers;
};

struct io_posix_file {
        struct io_file file;
        int fd; /* a stream's is not ours to close, unless it was adopted */
        bool is_adopted;
        bool may_block;        /* an adopted one whose writes may wait however little they write */
        pthread_mutex_t mutex; /* guards lock */
        enum io_lock lock;
};

static inline struct io_posix_file *io_posix_file(struct io_file *file) {
        return (struct io_posix_file *)file;
}

/* "<what was asked>: <why not>".  Returns the code that errnum stands for. */
enum err io_posix_fail(struct err_note *, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* fd is the file's from then on, but for a stream that was not adopted. */
struct io_file *io_posix_file_new(struct io *, const char *path, unsigned flags, int fd);

/* io_posix_stream.c */
enum err io_posix_open_standard(struct io *, enum io_standard, struct io_file **ret, struct err_note *);
enum err io_posix_adopt_stream(struct io *, int fd, unsigned flags, const char *name, struct io_file **ret,
                               struct err_note *);
enum err io_posix_stream_read(struct io_file *, void *ret, size_t n, size_t *ret_n, struct err_note *);
enum err io_posix_stream_write(struct io_file *, const void *data, size_t n, struct err_note *);

/* io_posix_lock.c */
enum err io_posix_lock(struct io_file *, enum io_lock, struct err_note *);
void io_posix_name_process(long pid, char ret[32]);

/* io_posix_openers.c */
void io_posix_find_opener(struct io *, struct io_file *const *files, size_t n, struct io_openers *ret);

/* ---- requests: the same words for both queues ---- */

/* What is left of a request after its first `done` bytes, as up to max iovecs; returns how many. */
unsigned io_posix_rest(const struct io_request *, uint64_t done, struct iovec *ret, unsigned max);
void io_posix_end(struct io_request *, int errnum); /* sets result and note; 0 is success */
void io_posix_end_short(struct io_request *);       /* a read past the end */
void io_posix_run(struct io_request *);             /* does all of it and ends it; blocks */

/* ---- queues ---- */

enum err io_pool_new(struct io *, unsigned depth, struct io_queue **ret, struct err_note *);

/* Queues made from now on behave as if the kernel forbade io_uring. */
void io_uring_forbid(struct io *);
/* In queues made from now on the kernel does each request in a thread of its own making, as it otherwise does
 * only with what would block. */
void io_uring_use_workers(struct io *);
/* Whether this queue got a ring of its own. */
bool io_uring_is_used(const struct io_queue *);

#endif
