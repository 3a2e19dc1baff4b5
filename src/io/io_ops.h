// SPDX-License-Identifier: Apache-2.0
/* What a maker of the I/O seam fills in.  io.c is the only caller: it checks what is the same for all makers,
 * so an op may count on the following.
 *
 *   - flags are consistent: IO_CREATE comes with IO_WRITE, IO_PRIVATE only with IO_CREATE
 *   - ranges are not empty (but those of a request's iovecs may be) and end below 2^63
 *   - of an IO_DIRECT file offsets, sizes and memory are multiples of IO_DIRECT_ALIGNMENT
 *   - files that are written, truncated, punched, cloned to or locked exclusively were opened with IO_WRITE
 *   - streams get only the stream calls, files never get them
 *   - `ret` is filled only on success; the note always on failure
 *
 * A maker embeds the structs here as the first member of its own and converts by cast.
 *
 * Threads: as io.h says of the call.  Errors: as io.h says.
 */
#ifndef IO_IO_OPS_H
#define IO_IO_OPS_H

#include "io.h"

enum { IO_DIRECT_ALIGNMENT = 4096 };

struct io {
        const struct io_ops *ops; /* borrowed, static */
        const atomic_bool *stop;  /* borrowed; NULL: never; kept by io.c */
};

struct io_file {
        struct io *io;  /* borrowed, outlives us */
        char *path;     /* owned; as it was opened */
        unsigned flags; /* enum io_flags */
        bool is_stream;
        const atomic_bool *stop; /* borrowed; an adopted stream's; NULL: the io's */
};

/* Whether waiting for a stream is to end. */
bool io_is_stopped(const struct io_file *);

/* The maker's part of opening and closing: sets and releases the members above, nothing else. */
void io_file_init(struct io_file *, struct io *, const char *path, unsigned flags);
void io_file_fini(struct io_file *);

struct io_queue {
        const struct io_queue_ops *ops; /* borrowed, static */
        struct io *io;                  /* borrowed, outlives us */
        unsigned depth;
        unsigned in_flight; /* submitted, not reaped; kept by io.c */
        bool takes_any;     /* files of other makers too */
        /* owned; each borrowed until reaped: those whose mistake io.c found itself */
        VEC(struct io_request *) refused;
};

/* Ops marked "or NULL" have the default that stands behind. */
struct io_ops {
        void (*free)(struct io *);

        enum err (*open)(struct io *, const char *path, unsigned flags, struct io_file **ret,
                         struct err_note *);
        void (*close)(struct io_file *);
        enum err (*stat)(struct io_file *, struct io_stat *ret, struct err_note *);
        enum err (*stat_path)(struct io *, const char *path, struct io_stat *ret, struct err_note *);

        /* Fewer than n only at the end of the file.  io_read is made of it. */
        enum err (*read_some)(struct io_file *, void *ret, size_t n, uint64_t at, size_t *ret_n,
                              struct err_note *);
        enum err (*write)(struct io_file *, const void *data, size_t n, uint64_t at, struct err_note *);
        enum err (*sync)(struct io_file *, struct err_note *);
        enum err (*truncate)(struct io_file *, uint64_t size, struct err_note *);
        /* or NULL: ERR_UNSUPPORTED */
        enum err (*punch)(struct io_file *, uint64_t n, uint64_t at, struct err_note *);
        /* or NULL: ERR_UNSUPPORTED.  Both files are of this io */
        enum err (*clone_range)(struct io_file *from, uint64_t from_at, struct io_file *to, uint64_t to_at,
                                uint64_t n, struct err_note *);
        /* or NULL: all is data */
        enum err (*next_data)(struct io_file *, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                              struct err_note *);

        enum err (*rename)(struct io *, const char *from, const char *to, struct err_note *);
        enum err (*link)(struct io *, const char *from, const char *to,
                         struct err_note *); /* or NULL: ERR_UNSUPPORTED */
        enum err (*unlink)(struct io *, const char *path, struct err_note *);
        enum err (*make_dir)(struct io *, const char *path, bool is_private, struct err_note *);
        enum err (*remove_dir)(struct io *, const char *path, struct err_note *);
        enum err (*sync_dir)(struct io *, const char *path, struct err_note *);
        /* Adds to an empty ret in any order, without . and ..; on failure io.c releases what is there. */
        enum err (*list)(struct io *, const char *path, struct io_names *ret, struct err_note *);
        enum err (*canonical)(struct io *, const char *path, char **ret, struct err_note *);
        enum err (*space)(struct io *, const char *path, struct io_space *ret, struct err_note *);

        enum err (*lock)(struct io_file *, enum io_lock, struct err_note *);
        /* or NULL: nobody.  ret is zeroed before */
        void (*find_opener)(struct io *, struct io_file *const *files, size_t n, struct io_openers *ret);

        /* or NULL, and then all four: ERR_UNSUPPORTED.  The first two set is_stream */
        enum err (*open_standard)(struct io *, enum io_standard, struct io_file **ret, struct err_note *);
        enum err (*adopt_stream)(struct io *, int fd, unsigned flags, const char *name, struct io_file **ret,
                                 struct err_note *);
        enum err (*stream_read)(struct io_file *, void *ret, size_t n, size_t *ret_n, struct err_note *);
        enum err (*stream_write)(struct io_file *, const void *data, size_t n, struct err_note *);

        uint64_t (*now_ns)(struct io *);
        int64_t (*wall_ns)(struct io *);
        void (*sleep_ns)(struct io *, uint64_t ns);
        void (*random)(struct io *, void *ret, size_t n);

        /* Makes the queue and sets its ops; io.c sets the other members of struct io_queue. */
        enum err (*queue_new)(struct io *, unsigned depth, struct io_queue **ret, struct err_note *);
};

struct io_queue_ops {
        void (*free)(
                struct io_queue *); /* nothing is in flight any more; io.c has released its own members */
        void (*submit)(struct io_queue *, struct io_request *);
        /* As io_reap, with 0 <= min <= max, 0 < max, and min no more than what this maker has in flight.
         * Fills result and note of each. */
        unsigned (*reap)(struct io_queue *, unsigned min, struct io_request **ret, unsigned max);
        int (*fd)(struct io_queue *); /* or NULL: -1 */
};

/* Does one request by the plain calls of its file's maker, fills result and note: for a queue that has
 * nothing better. */
void io_request_run(struct io_request *);
/* A queue_new of such: threads that do that, of files of any maker. */
enum err io_plain_queue_new(struct io *, unsigned depth, struct io_queue **ret, struct err_note *);

/* How many bytes its iovecs hold. */
uint64_t io_request_size(const struct io_request *);

#endif
