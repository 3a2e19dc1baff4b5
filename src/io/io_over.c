// SPDX-License-Identifier: Apache-2.0
#include "io_over.h"

uint64_t io_over_now_ns(struct io *io) {
        return io_now_ns(io_below(io));
}

int64_t io_over_wall_ns(struct io *io) {
        return io_wall_ns(io_below(io));
}

void io_over_sleep_ns(struct io *io, uint64_t ns) {
        io_sleep_ns(io_below(io), ns);
}

void io_over_random(struct io *io, void *ret, size_t n) {
        io_random(io_below(io), ret, n);
}

/* Adds to what is there, as an op does: io_list would begin anew. */
enum err io_over_list(struct io *io, const char *path, struct io_names *ret, struct err_note *note) {
        return io_below(io)->ops->list(io_below(io), path, ret, note);
}

enum err io_over_space(struct io *io, const char *path, struct io_space *ret, struct err_note *note) {
        return io_space(io_below(io), path, ret, note);
}

enum err io_over_rename(struct io *io, const char *from, const char *to, struct err_note *note) {
        return io_rename(io_below(io), from, to, note);
}

enum err io_over_link(struct io *io, const char *from, const char *to, struct err_note *note) {
        return io_link(io_below(io), from, to, note);
}

enum err io_over_unlink(struct io *io, const char *path, struct err_note *note) {
        return io_unlink(io_below(io), path, note);
}

enum err io_over_make_dir(struct io *io, const char *path, bool is_private, struct err_note *note) {
        return is_private ? io_make_private_dir(io_below(io), path, note)
                          : io_make_dir(io_below(io), path, note);
}

enum err io_over_remove_dir(struct io *io, const char *path, struct err_note *note) {
        return io_remove_dir(io_below(io), path, note);
}

enum err io_over_sync_dir(struct io *io, const char *path, struct err_note *note) {
        return io_sync_dir(io_below(io), path, note);
}
