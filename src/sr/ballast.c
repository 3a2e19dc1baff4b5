// SPDX-License-Identifier: Apache-2.0
#include "ballast.h"

#include "mem.h"

enum { PIECE = 1024 * 1024, PART_OF_TOTAL = 256 };

struct ballast {
        struct io *io;         /* borrowed, outlives us */
        struct images *images; /* borrowed, outlives us */
        struct io_file *file;  /* owned */
        char *path;            /* owned */
        uint64_t size, held;
};

uint64_t ballast_size_for(uint64_t total, uint64_t wanted) {
        return round_down(min_u64(wanted, total / PART_OF_TOTAL), PIECE);
}

/* As far as space goes; that it ends is no error. */
static enum err fill(struct ballast *ballast, struct err_note *note) {
        AUTO_FREE uint8_t *zeros = mem_zero(PIECE);

        while (ballast->held < ballast->size) {
                uint64_t n = min_u64(PIECE, ballast->size - ballast->held);
                enum err err = io_write(ballast->file, zeros, n, ballast->held, note);

                if (err == ERR_NO_SPACE)
                        return ERR_NONE;
                if (err)
                        return err_wrap(note, "fill %s", ballast->path);
                ballast->held += n;
        }
        return ERR_NONE;
}

static enum err empty(struct ballast *ballast, struct err_note *note) {
        if (io_truncate(ballast->file, 0, note))
                return err_wrap(note, "empty %s", ballast->path);
        ballast->held = 0;
        return ERR_NONE;
}

/* What an earlier owner left.  A crash may have kept the size of a file that was being filled, and not its
 * blocks: such a one begins again. */
static enum err look(struct ballast *ballast, struct err_note *note) {
        struct io_stat stat;

        if (io_stat(ballast->file, &stat, note))
                return note->code;
        if (stat.size > ballast->size || stat.allocated < stat.size)
                return empty(ballast, note);
        ballast->held = stat.size;
        return ERR_NONE;
}

static enum err open_file(struct ballast *ballast, struct err_note *note) {
        unsigned flags = IO_WRITE | IO_CREATE | IO_PRIVATE;
        enum err err = io_open(ballast->io, ballast->path, flags, &ballast->file, note);

        return err == ERR_EXISTS ? io_open(ballast->io, ballast->path, IO_WRITE, &ballast->file, note) : err;
}

enum err ballast_open(struct io *io, const char *path, uint64_t size, struct images *images,
                      struct ballast **ret, struct err_note *note) {
        AUTO(ballast_close) struct ballast *ballast = mem_new(struct ballast);
        struct io_space space;

        *ballast = (struct ballast){.io = io, .images = images, .path = mem_text(path), .size = size};
        if (open_file(ballast, note) || look(ballast, note) || io_space(io, path, &space, note))
                return note->code;
        /* It is for others' good: what is nearly full is not filled by it. */
        if (space.free >= 2 * (size - ballast->held) && fill(ballast, note))
                return note->code;
        *ret = TAKE(ballast);
        return ERR_NONE;
}

void ballast_close(struct ballast *ballast) {
        images_hold_back(ballast->images, false);
        if (ballast->file)
                io_close(ballast->file);
        free(ballast->path);
        free(ballast);
}

uint64_t ballast_held(const struct ballast *ballast) {
        return ballast->held;
}

enum err ballast_let_go(struct ballast *ballast, struct err_note *note) {
        images_hold_back(ballast->images, true);
        return ballast->held > 0 ? empty(ballast, note) : ERR_NONE;
}

enum err ballast_take_back(struct ballast *ballast, bool *ret_is_whole, struct err_note *note) {
        if (fill(ballast, note))
                return note->code;
        *ret_is_whole = ballast->held == ballast->size;
        if (*ret_is_whole)
                images_hold_back(ballast->images, false);
        return ERR_NONE;
}
