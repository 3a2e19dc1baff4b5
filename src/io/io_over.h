// SPDX-License-Identifier: Apache-2.0
/* What an io that lies over another one passes on as it is: names, the clock, the dice.
 *
 *      static const struct io_ops ops = {IO_OVER_CLOCK, IO_OVER_LOOKS, IO_OVER_NAMES, .open = …};
 *
 * Errors: those of the io below.  Threads: as the io below has them.
 */
#ifndef IO_IO_OVER_H
#define IO_IO_OVER_H

#include "io_ops.h"

struct io_over {
        struct io io;     /* first */
        struct io *below; /* borrowed, outlives it */
};

static inline struct io *io_below(struct io *io) {
        return ((struct io_over *)io)->below;
}

/* ---- ops ---- */

uint64_t io_over_now_ns(struct io *);
int64_t io_over_wall_ns(struct io *);
void io_over_sleep_ns(struct io *, uint64_t ns);
void io_over_random(struct io *, void *ret, size_t n);
/* Files of both are read by a queue of the one above: it is one of plain calls. */
#define IO_OVER_CLOCK                                                                                        \
        .now_ns = io_over_now_ns, .wall_ns = io_over_wall_ns, .sleep_ns = io_over_sleep_ns,                  \
        .random = io_over_random, .queue_new = io_plain_queue_new

enum err io_over_list(struct io *, const char *path, struct io_names *ret, struct err_note *);
enum err io_over_space(struct io *, const char *path, struct io_space *ret, struct err_note *);
#define IO_OVER_LOOKS .list = io_over_list, .space = io_over_space

enum err io_over_rename(struct io *, const char *from, const char *to, struct err_note *);
enum err io_over_link(struct io *, const char *from, const char *to, struct err_note *);
enum err io_over_unlink(struct io *, const char *path, struct err_note *);
enum err io_over_make_dir(struct io *, const char *path, bool is_private, struct err_note *);
enum err io_over_remove_dir(struct io *, const char *path, struct err_note *);
enum err io_over_sync_dir(struct io *, const char *path, struct err_note *);
#define IO_OVER_NAMES                                                                                        \
        .rename = io_over_rename, .link = io_over_link, .unlink = io_over_unlink,                            \
        .make_dir = io_over_make_dir, .remove_dir = io_over_remove_dir, .sync_dir = io_over_sync_dir

#endif
