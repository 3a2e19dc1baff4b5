// SPDX-License-Identifier: Apache-2.0
#include "file_coalesce.h"

#include <assert.h>

#include "file_intent.h"
#include "file_run.h"
#include "mem.h"
#include "push.h"
#include "vhd_edit.h"
#include "vhd_resize_file.h"

struct file_coalesce {
        struct io *io;            /* borrowed, outlives us */
        char *child;              /* owned; canonical */
        char *target;             /* owned; canonical; as it was asked for, NULL: the parent */
        char *intent_path;        /* owned */
        struct vhd_intent intent; /* owned; of this run, kept or not */
        uint64_t batch_bytes;
        struct file_run_options options; /* its pointers are ours */
        struct file_run run;             /* while it is open */
        size_t n_writing;                /* nodes whose write side is open, from the target up */
        struct push *push;               /* owned; while MOVING */
        enum file_coalesce_state state;
        bool is_resumed;
        unsigned n_grown;
        uint64_t bytes_total, bytes_done;
};

/* ---- states ---- */

#define TO(state) (1u << (state))

static const unsigned allowed[FILE_COALESCE_STATES] = {
        [FILE_COALESCE_LOOKED] = TO(FILE_COALESCE_CLAIMED) | TO(FILE_COALESCE_DONE) | TO(FILE_COALESCE_ENDED),
        [FILE_COALESCE_CLAIMED] = TO(FILE_COALESCE_MOVING) | TO(FILE_COALESCE_ENDED),
        [FILE_COALESCE_MOVING] = TO(FILE_COALESCE_EMPTY) | TO(FILE_COALESCE_ENDED),
        [FILE_COALESCE_EMPTY] = TO(FILE_COALESCE_DONE) | TO(FILE_COALESCE_ENDED),
};

/* What must hold in a state, as it is entered. */
static bool is_sound(const struct file_coalesce *c) {
        bool is_open = c->run.nodes.n >= 2, is_writing = is_open && c->n_writing == c->run.nodes.n;

        switch (c->state) {
        case FILE_COALESCE_LOOKED:
        case FILE_COALESCE_CLAIMED:
                return is_open && c->n_writing == 0 && !c->push;
        case FILE_COALESCE_MOVING:
                return is_writing && c->push;
        case FILE_COALESCE_EMPTY:
                return is_writing && !c->push;
        case FILE_COALESCE_DONE:
        case FILE_COALESCE_ENDED:
                return c->run.nodes.n == 0 && c->n_writing == 0 && !c->push;
        case FILE_COALESCE_STATES:
                break;
        }
        return false;
}

static void enter(struct file_coalesce *c, enum file_coalesce_state state) {
        assert(allowed[c->state] & TO(state));
        c->state = state;
        assert(is_sound(c));
}

/* ---- the beginning ---- */

/* A fixed VHD that was being grown may have no footer, and the others wait for their plans too. */
static enum err finish_growth(struct file_coalesce *c, struct err_note *note) {
        VEC_EACH (&c->intent.nodes, node)
                if (!node->is_raw && vhd_resize_file_recover(c->io, node->path, note))
                        return note->code;
        return ERR_NONE;
}

static enum err refuse_other(struct file_coalesce *c, struct err_note *note) {
        const struct image *top = c->run.nodes.data[c->run.nodes.n - 1];
        AUTO_FREE char *command = file_intent_command(&c->intent);

        if (!uuid_equal(&top->uuid, &file_intent_child(&c->intent)->uuid))
                return err_set(note, ERR_MISMATCH,
                               "%s tells of a coalesce of another file that had its name; remove it if that "
                               "file is gone",
                               c->intent_path);
        return err_set(note, ERR_BUSY, "another coalesce of it was interrupted: '%s' ends it", command);
}

/* Of all the run's files, each time anew: between two of these others may have come. */
static enum err look(struct file_coalesce *c, struct err_note *note) {
        bool has_intent = c->is_resumed || c->state == FILE_COALESCE_CLAIMED;

        if (file_run_open(c->io, c->child, &c->options, &c->run, note))
                return note->code;
        if (has_intent && !file_run_is_of(&c->run, &c->intent))
                return refuse_other(c, note);
        if (!has_intent && file_run_describe(&c->run, io_wall_ns(c->io) / 1000000000, &c->intent, note))
                return note->code;
        return file_run_check_space(&c->run, note);
}

static enum err begin(struct file_coalesce *c, const char *child, const char *target, struct err_note *note) {
        if (image_kind_of_path(child) != IMAGE_VHD)
                return err_set(note, ERR_INVALID, "its name is not that of a VHD");
        if (io_canonical(c->io, child, &c->child, note) ||
            (target && io_canonical(c->io, target, &c->target, note)))
                return note->code;
        c->intent_path = file_intent_path(c->child);
        c->options.target = c->target;
        c->options.intent = c->intent_path;
        if (file_intent_read(c->io, c->intent_path, &c->is_resumed, &c->intent, note) ||
            finish_growth(c, note) || look(c, note))
                return note->code;
        c->bytes_total = c->run.price.bytes;
        return ERR_NONE;
}

enum err file_coalesce_begin(struct io *io, const char *child, const struct file_coalesce_options *options,
                             struct file_coalesce **ret, struct err_note *note) {
        AUTO(file_coalesce_free) struct file_coalesce *c = mem_new(struct file_coalesce);

        c->io = io;
        c->batch_bytes = options->batch_bytes;
        c->options.growth_bytes = options->growth_bytes;
        c->options.ignores_unreadable = options->ignores_unreadable;
        if (begin(c, child, options->target, note))
                return err_wrap(note, "coalesce %s", child);
        assert(is_sound(c));
        *ret = TAKE(c);
        return ERR_NONE;
}

/* ---- the end ---- */

static void close_run(struct file_coalesce *c) {
        while (c->n_writing > 0)
                image_abandon_write(c->run.nodes.data[--c->n_writing]);
        file_run_close(&c->run);
}

/* The target's bits first: what lies there is what the others may not have any more. */
static enum err end_writes(struct file_coalesce *c, struct err_note *note) {
        enum err err = ERR_NONE;
        struct err_note later;

        for (size_t i = 0; i < c->n_writing; i++) {
                if (err)
                        image_abandon_write(c->run.nodes.data[i]);
                else
                        err = image_end_write(c->run.nodes.data[i], &later);
        }
        c->n_writing = 0;
        if (err)
                *note = later;
        return err;
}

void file_coalesce_free(struct file_coalesce *c) {
        struct err_note unused;

        if (c->push)
                push_free(TAKE(c->push));
        (void)!end_writes(c, &unused);
        close_run(c);
        vhd_intent_fini(&c->intent);
        free(c->intent_path);
        free(c->target);
        free(c->child);
        free(c);
}

/* What no hole could be made of goes too.  Who came to read it since its write side ended is left alone. */
static enum err cut(const struct image *image, struct err_note *note) {
        enum err err = io_lock(image->file, IO_EXCLUSIVE, note);

        if (err)
                return err == ERR_BUSY ? ERR_NONE : err;
        return vhd_edit_cut(image->file, note);
}

static enum err finish(struct file_coalesce *c, struct err_note *note) {
        if (end_writes(c, note))
                return note->code;
        for (size_t i = 1; i < c->run.nodes.n; i++)
                if (cut(c->run.nodes.data[i], note))
                        return note->code;
        close_run(c);
        if (file_intent_drop(c->io, c->intent_path, note))
                return note->code;
        enter(c, FILE_COALESCE_DONE);
        return ERR_NONE;
}

/* ---- claim, growth ---- */

static enum err claim(struct file_coalesce *c, struct err_note *note) {
        if (c->run.n_held == 0 && !c->is_resumed) {
                close_run(c);
                enter(c, FILE_COALESCE_DONE);
                return ERR_NONE;
        }
        /* [C4] durable before a byte changes. */
        if (!c->is_resumed && file_intent_keep(c->io, c->intent_path, &c->intent, note))
                return note->code;
        enter(c, FILE_COALESCE_CLAIMED);
        return ERR_NONE;
}

static enum err grow_raw(struct io *io, const char *path, uint64_t size, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(io, path, IO_WRITE, &file, note) || io_lock(file, IO_EXCLUSIVE, note) ||
            io_truncate(file, size, note) || io_sync(file, note))
                return note->code;
        return ERR_NONE;
}

/* Nobody of ours may have it open meanwhile: its blocks may have to make room for a larger table. */
static enum err grow(struct file_coalesce *c, const struct image *node, uint64_t size,
                     struct err_note *note) {
        AUTO_FREE char *path = mem_text(node->path);
        bool is_raw = image_kind_of_path(path) == IMAGE_RAW;
        uint64_t old_size, new_size;

        close_run(c);
        if (is_raw ? grow_raw(c->io, path, size, note)
                   : vhd_resize_file(c->io, path, size, &old_size, &new_size, note))
                return err_wrap(note, "grow %s", path);
        c->n_grown++;
        return look(c, note);
}

static enum err start_moving(struct file_coalesce *c, struct err_note *note) {
        const struct mover_options options = {.batch_bytes = c->batch_bytes};

        for (; c->n_writing < c->run.nodes.n; c->n_writing++)
                if (image_begin_write(c->run.nodes.data[c->n_writing], note))
                        return note->code;
        if (push_new(c->run.nodes.data, c->run.nodes.n, &options, &c->push, note))
                return note->code;
        enter(c, FILE_COALESCE_MOVING);
        return ERR_NONE;
}

static enum err grow_or_move(struct file_coalesce *c, struct err_note *note) {
        uint64_t size = c->run.nodes.data[c->run.nodes.n - 1]->size;

        VEC_EACH (&c->run.nodes, node)
                if ((*node)->size < size)
                        return grow(c, *node, size, note);
        return start_moving(c, note);
}

/* ---- moving ---- */

static enum err move(struct file_coalesce *c, struct err_note *note) {
        if (push_phase(c->push) == PUSH_EMPTY) {
                push_free(TAKE(c->push));
                enter(c, FILE_COALESCE_EMPTY);
                return ERR_NONE;
        }
        if (push_step(c->push, NULL, 0, note))
                return note->code;
        c->bytes_total = push_bytes_total(c->push);
        c->bytes_done = push_bytes_done(c->push);
        return ERR_NONE;
}

static enum err take_step(struct file_coalesce *c, struct err_note *note) {
        switch (c->state) {
        case FILE_COALESCE_LOOKED:
                return claim(c, note);
        case FILE_COALESCE_CLAIMED:
                return grow_or_move(c, note);
        case FILE_COALESCE_MOVING:
                return move(c, note);
        case FILE_COALESCE_EMPTY:
                return finish(c, note);
        case FILE_COALESCE_DONE:
        case FILE_COALESCE_ENDED:
        case FILE_COALESCE_STATES:
                break;
        }
        return ERR_NONE;
}

enum err file_coalesce_step(struct file_coalesce *c, bool *ret_is_done, struct err_note *note) {
        *ret_is_done = false;
        assert(c->state != FILE_COALESCE_ENDED);
        if (take_step(c, note)) {
                if (c->push)
                        push_free(TAKE(c->push));
                close_run(c);
                enter(c, FILE_COALESCE_ENDED);
                return err_wrap(note, "coalesce %s", c->child);
        }
        *ret_is_done = c->state == FILE_COALESCE_DONE;
        return ERR_NONE;
}

bool file_coalesce_may_stop(const struct file_coalesce *c) {
        return !c->push || push_phase(c->push) == PUSH_COPY;
}

enum file_coalesce_state file_coalesce_state_of(const struct file_coalesce *c) {
        return c->state;
}

void file_coalesce_look(const struct file_coalesce *c, struct file_coalesce_run *ret) {
        *ret = (struct file_coalesce_run){
                .child = c->child,
                .target = c->intent.nodes.data[0].path,
                .n = c->intent.nodes.n,
                .is_resumed = c->is_resumed,
                .n_grown = c->n_grown,
                .bytes_total = c->bytes_total,
                .bytes_done = c->bytes_done,
                .n_unseen = c->run.openers.n_unseen,
                .is_blind = c->run.openers.is_blind,
        };
}
