// SPDX-License-Identifier: Apache-2.0
/* The one seam to files, clock and dice.  Everything above reaches the outside world through a struct io;
 * whoever passes it decides whether that world is real (io_posix, io_uring) or a machine in memory whose
 * crashes, torn writes and errors follow from a seed (io_sim).
 *
 * What a caller may count on, the same for every maker:
 *   - a write, truncate, punch or clone is visible to later reads at once, durable only after io_sync of that
 *     file
 *   - after a crash each unsynced 512-byte sector is old or new, in any mix; so are unsynced truncates,
 *     punches, clones
 *   - a created, renamed, linked or unlinked name is durable only after io_sync_dir of its directory.  Rename
 *     and link are atomic each, but two of them before one io_sync_dir may survive in either order, or one
 *     without the other
 *   - a file's bytes are as durable as its io_sync made them, whatever its name
 *   - a sync that failed is never retried as if it could succeed: what it covered is unknown.  Reopen and
 *     look: what is seen then is what is durable
 *   - a lock binds every opener that takes locks, in this process and others; it ends with its file's close
 *   - what is punched reads as zeros and gives its space back
 *
 * Two kinds of call: plain ones, which block; and a queue, for many requests at once.
 *
 * Errors: every call that can fail fills the note with what was asked ("write 512 at 4096: no space left"),
 * with the path where the call was given one ("rename a to b: not found"); why it was wanted, and of which
 * open file, the caller wraps in front.  A range that no file can hold is an error, never asserted: it may
 * come from a damaged file.
 * Threads: a struct io and the plain calls on a struct io_file: any.  A struct io_queue: one at a time.
 * Ownership: a struct io outlives its files and queues.
 */
#ifndef IO_IO_H
#define IO_IO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "cleanup.h"
#include "err.h"
#include "vec.h"

struct io;
struct io_file;

/* ---- opening ---- */

enum io_flags {
        IO_READ = 0,
        IO_WRITE = 1 << 0,  /* read and write */
        IO_CREATE = 1 << 1, /* must not exist (ERR_EXISTS); implies IO_WRITE; mode 0644 */
        /* past the page cache where the maker can; offsets, sizes and memory are then 4 KiB aligned, else
         * ERR_INVALID */
        IO_DIRECT = 1 << 2,
        IO_PRIVATE = 1 << 3, /* with IO_CREATE: mode 0600 */
};

/* Files, directories (to stat them), block devices; pipes, terminals and such are ERR_INVALID. */
MUST_USE enum err io_open(struct io *, const char *path, unsigned flags, struct io_file **ret,
                          struct err_note *);
void io_close(struct io_file *);             /* drops its lock; syncs nothing */
const char *io_path(const struct io_file *); /* as it was opened */

DEFINE_AUTO(struct io_file *, io_close);

struct io_stat {
        uint64_t size;
        uint64_t allocated;     /* bytes of blocks in use */
        uint64_t device, inode; /* together: which file it is, whatever its name */
        uint64_t links;
        int64_t modified_ns; /* since 1970 */
        bool is_directory;
        bool is_block_device;
        bool is_private; /* its mode lets nobody but its owner at it */
};
MUST_USE enum err io_stat(struct io_file *, struct io_stat *ret, struct err_note *);
MUST_USE enum err io_stat_path(struct io *, const char *path, struct io_stat *ret, struct err_note *);

/* ---- bytes ---- */

/* All n or an error: a read past the end is ERR_CUT_SHORT and says so. */
MUST_USE enum err io_read(struct io_file *, void *ret, size_t n, uint64_t at, struct err_note *);
/* Up to n; fewer only at the end of the file. */
MUST_USE enum err io_read_some(struct io_file *, void *ret, size_t n, uint64_t at, size_t *ret_n,
                               struct err_note *);
MUST_USE enum err io_write(struct io_file *, const void *data, size_t n, uint64_t at, struct err_note *);
MUST_USE enum err io_sync(struct io_file *, struct err_note *);
/* shorter or longer (zeros) */
MUST_USE enum err io_truncate(struct io_file *, uint64_t size, struct err_note *);
/* n bytes become zeros and give back their space; ERR_UNSUPPORTED where the file system cannot.  The size
 * stays. */
MUST_USE enum err io_punch(struct io_file *, uint64_t n, uint64_t at, struct err_note *);
/* Shares blocks between files; ERR_UNSUPPORTED where the file system cannot.  Block-aligned. */
MUST_USE enum err io_clone_range(struct io_file *from, uint64_t from_at, struct io_file *to, uint64_t to_at,
                                 uint64_t n, struct err_note *);
/* The first run of data at or behind at: [*ret_start, *ret_end); both are the file's size where only a hole
 * is left. A maker that cannot tell says that all is data. */
MUST_USE enum err io_next_data(struct io_file *, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                               struct err_note *);

/* ---- names ---- */

/* replaces to */
MUST_USE enum err io_rename(struct io *, const char *from, const char *to, struct err_note *);
/* ERR_EXISTS, ERR_UNSUPPORTED */
MUST_USE enum err io_link(struct io *, const char *from, const char *to, struct err_note *);
MUST_USE enum err io_unlink(struct io *, const char *path, struct err_note *);
/* ERR_EXISTS; mode 0755, and of a private one 0700 */
MUST_USE enum err io_make_dir(struct io *, const char *path, struct err_note *);
MUST_USE enum err io_make_private_dir(struct io *, const char *path, struct err_note *);
/* must be empty: ERR_BUSY */
MUST_USE enum err io_remove_dir(struct io *, const char *path, struct err_note *);
MUST_USE enum err io_sync_dir(struct io *, const char *path, struct err_note *);

struct io_names {
        VEC(char *) names; /* owned, and each name; without . and .. ; sorted */
};
MUST_USE enum err io_list(struct io *, const char *path, struct io_names *ret, struct err_note *);
void io_names_fini(struct io_names *);
DEFINE_AUTO_IN_PLACE(struct io_names, io_names_fini);

/* The absolute path without links, "." or "..".  *ret is the caller's to free. */
MUST_USE enum err io_canonical(struct io *, const char *path, char **ret, struct err_note *);

struct io_space {
        uint64_t total, free; /* bytes of the file system; free as an ordinary user sees it */
};
MUST_USE enum err io_space(struct io *, const char *path, struct io_space *ret, struct err_note *);

/* ---- locks ---- */

enum io_lock { IO_UNLOCKED, IO_SHARED, IO_EXCLUSIVE };

/* Never waits.  IO_EXCLUSIVE needs a file opened with IO_WRITE.  ERR_BUSY names the holder where the maker
 * can find out ("locked by pid 4711 (qemu-img)").  Changing from one lock to another is not atomic towards an
 * older holder: it may fail, and the old lock then stays. */
MUST_USE enum err io_lock(struct io_file *, enum io_lock, struct err_note *);

/* Another process, or a loop device, that has one of the files open, whether it takes locks or not; as they
 * are now. */
struct io_openers {
        bool is_found;
        size_t which;      /* of the files */
        long pid;          /* who; 0: the kernel, for a device */
        char name[32];     /* and what that is called */
        unsigned n_unseen; /* processes that we may not look at */
        bool is_blind;     /* none can be looked at */
};
void io_find_opener(struct io *, struct io_file *const *files, size_t n, struct io_openers *ret);

/* ---- streams: bytes in order, no seeking ---- */

enum io_standard { IO_STDIN, IO_STDOUT };

/* The process's own standard input or output, as a file on which only the two calls below work. */
MUST_USE enum err io_open_standard(struct io *, enum io_standard, struct io_file **ret, struct err_note *);
/* A descriptor that came from elsewhere, ours to close from now on also where it fails: a stream to read
 * (IO_READ) or to write (IO_WRITE).  name is for messages.  While it waits, *stop is looked at several times
 * a second, whatever the other side does; stop is borrowed, NULL: that of io_set_stop. */
MUST_USE enum err io_adopt_stream(struct io *, int fd, unsigned flags, const char *name,
                                  const atomic_bool *stop, struct io_file **ret, struct err_note *);
/* 0: the end */
MUST_USE enum err io_stream_read(struct io_file *, void *ret, size_t n, size_t *ret_n, struct err_note *);
/* ERR_CLOSED: no reader */
MUST_USE enum err io_stream_write(struct io_file *, const void *data, size_t n, struct err_note *);
/* From when *stop is true the two calls above are ERR_CANCELLED, also those that wait for the other side: it
 * is looked at when a signal ends the wait, and while waiting to read twice a second.  stop is borrowed;
 * NULL: never. */
void io_set_stop(struct io *, const atomic_bool *stop);

/* ---- clock, dice, self ---- */

uint64_t io_now_ns(struct io *); /* monotonic */
int64_t io_wall_ns(struct io *); /* since 1970 */
void io_sleep_ns(struct io *, uint64_t ns);
void io_random(struct io *, void *ret, size_t n);
uint64_t io_random_u64(struct io *);

/* ---- queue ---- */

enum io_op { IO_OP_READ, IO_OP_WRITE, IO_OP_SYNC };

/* One request: filled by the caller, who keeps it and its memory untouched until it is reaped. */
struct io_request {
        enum io_op op;
        struct io_file *file; /* borrowed until reaped */
        struct iovec *vec;    /* borrowed until reaped; IO_OP_SYNC has none */
        unsigned n_vec;
        uint64_t at;
        void *user; /* borrowed; the caller's own */
        /* filled at reap: all bytes, or an error; a read past the end is ERR_CUT_SHORT */
        enum err result;
        struct err_note note; /* filled where result is an error */
};

struct io_queue;

/* depth: how many may be in flight; io_submit of more is the caller's mistake. */
MUST_USE enum err io_queue_new(struct io *, unsigned depth, struct io_queue **ret, struct err_note *);
void io_queue_free(struct io_queue *); /* waits for what is in flight */
/* an error that comes at once is reaped like any other */
void io_submit(struct io_queue *, struct io_request *);
/* Waits until at least min have ended (but never for more than are in flight); returns how many were put into
 * ret. */
unsigned io_reap(struct io_queue *, unsigned min, struct io_request **ret, unsigned max);
unsigned io_in_flight(const struct io_queue *); /* submitted, not reaped */
/* For who waits for other things too: a descriptor of the queue's, readable while something has ended that
 * was not reaped.  What was submitted is on its way no later than at the next io_reap.  -1: this maker has
 * none, and whoever wants to know reaps. */
int io_queue_fd(struct io_queue *);
DEFINE_AUTO(struct io_queue *, io_queue_free);

/* ---- makers ---- */

struct io *io_posix_new(void); /* plain calls; a thread pool behind the queue.  Never fails */
/* io_posix with io_uring behind the queue; a pool where the kernel forbids it */
struct io *io_uring_new(void);
void io_free(struct io *);
DEFINE_AUTO(struct io *, io_free);

/* The ops table of a maker; only the makers and io.c look inside. */
struct io_ops;

#endif
