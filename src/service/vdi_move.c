// SPDX-License-Identifier: Apache-2.0
#include "vdi_move.h"

#include "chain_copy.h"
#include "move_rounds.h"
#include "sr_move.h"

struct move {
        const struct vdi_copy *order; /* borrowed */
        bool is_written;              /* or may be, by who has it open */
        struct chain *seen;           /* owned by the SR; what has gone over reads as this; or NULL */
        struct sr_import *into;       /* owned */
        struct sr_aside aside;        /* owned */
        struct uuid stream;           /* what it took in or gave out last, where that is still so */
};

/* ---- turns ---- */

static void to_other(const struct vdi_copy *order) {
        turn_give(order->turn);
        turn_take(order->to_turn, "vdi move");
}

static void to_own(const struct vdi_copy *order) {
        turn_give(order->to_turn);
        turn_take(order->turn, "vdi move");
}

/* Of several turns that of the lesser uuid comes first, whoever takes them. */
static void to_both(const struct vdi_copy *order) {
        bool is_first = uuid_compare(&sr_info(order->sr)->uuid, &sr_info(order->to)->uuid) < 0;

        turn_give(order->turn);
        turn_take(is_first ? order->turn : order->to_turn, "vdi move");
        turn_take(is_first ? order->to_turn : order->turn, "vdi move");
}

/* ---- looks at the source: with its turn ---- */

static void forget_seen(struct move *move) {
        struct err_note unused;

        /* Whatever it says, nothing was to be written. */
        if (move->seen)
                (void)!sr_close_chain(move->order->sr, TAKE(move->seen), &unused);
}

static enum err look(struct move *move, struct chain **ret, struct err_note *note) {
        const struct vdi_copy *order = move->order;

        return move->is_written ? sr_move_look(order->sr, &order->vdi, ret, note)
                                : sr_open_chain(order->sr, &order->vdi, CHAIN_READ, ret, note);
}

/* What a look reads may be smaller: it was made larger, and nothing written to it since. */
static enum err check_size(const struct move *move, struct err_note *note) {
        const struct vdi *vdi = sr_get_vdi(move->order->sr, &move->order->vdi);

        if (!vdi)
                return err_set(note, ERR_NOT_FOUND, "it was deleted while it was moved");
        if (vdi->node->size == chain_size(sr_import_chain(move->into)))
                return ERR_NONE;
        return err_set(note, ERR_INVALID, "it was resized while it was moved: move it again");
}

/* ---- bytes: without a turn, but for the end ---- */

/* What differs between chain and what has gone over. */
static enum err copy_more(const struct move *move, struct chain *chain, uint64_t *ret_n,
                          struct err_note *note) {
        struct progress *progress = move->order->progress;
        const struct chain_copy copy = {
                .from = chain, .base = move->seen, .to = sr_import_chain(move->into), .progress = progress};

        if (chain_copy_count(&copy, ret_n, note))
                return note->code;
        progress->total += *ret_n;
        return chain_copy_run(&copy, note);
}

static enum err copy_all(const struct move *move, struct err_note *note) {
        struct progress *progress = move->order->progress;
        const struct chain_copy copy = {.from = move->seen,
                                        .to = sr_import_chain(move->into),
                                        .is_fresh = true,
                                        .progress = progress};

        progress_begin(progress, "move", chain_size(move->seen));
        return chain_copy_run(&copy, note);
}

/* The turn is held when it begins and when it ends. */
static enum err another_round(struct move *move, struct move_rounds *rounds, struct err_note *note) {
        struct chain *now;
        uint64_t n = 0;
        enum err err;

        if (look(move, &now, note))
                return note->code;
        err = check_size(move, note);
        turn_give(move->order->turn);
        if (!err)
                err = copy_more(move, now, &n, note);
        turn_take(move->order->turn, "vdi move");
        forget_seen(move);
        move->seen = now;
        move_rounds_add(rounds, n);
        return err;
}

static enum err go_over(struct move *move, struct err_note *note) {
        struct move_rounds rounds = {0};
        enum err err;

        turn_give(move->order->turn);
        err = copy_all(move, note);
        turn_take(move->order->turn, "vdi move");
        move_rounds_add(&rounds, chain_size(move->seen));
        while (!err && move->is_written && !move_rounds_are_over(&rounds))
                err = another_round(move, &rounds, note);
        return err;
}

/* ---- the end: with both turns ---- */

/* Nobody writes any more. */
static enum err copy_rest(struct move *move, struct err_note *note) {
        const struct vdi_copy *order = move->order;
        struct err_note unused;
        struct chain *last;
        uint64_t n;
        enum err err;

        if (!move->is_written)
                return ERR_NONE;
        if (sr_open_chain(order->sr, &order->vdi, CHAIN_READ, &last, note))
                return note->code;
        err = check_size(move, note);
        if (!err)
                err = copy_more(move, last, &n, note);
        (void)!sr_close_chain(order->sr, last, &unused);
        return err;
}

static enum err commit(struct move *move, bool *ret_is_over, struct err_note *note) {
        const struct vdi_copy *order = move->order;
        const struct vdi *vdi;

        /* Our own look at one that nobody writes to is by its own name. */
        if (!move->is_written)
                forget_seen(move);
        if (sr_move_ask_aside(order->sr, &order->vdi, order->to, &move->aside, note) || copy_rest(move, note))
                return note->code;
        forget_seen(move);
        vdi = sr_get_vdi(order->sr, &order->vdi);
        sr_import_say(move->into, &vdi->row);
        return sr_move_commit(order->sr, &order->vdi, order->to, TAKE(move->into), &move->stream, ret_is_over,
                              note);
}

static enum err end(struct move *move, struct err_note *note) {
        bool is_over = false;
        enum err err;

        to_both(move->order);
        err = commit(move, &is_over, note);
        sr_move_let_in(&move->aside, is_over ? move->order->to : NULL);
        turn_give(move->order->to_turn);
        if (!err)
                progress_end(move->order->progress);
        return err;
}

/* ---- the whole ---- */

static enum err begin(struct move *move, struct vdi_row *ret_row, uint64_t *ret_size, struct err_note *note) {
        const struct vdi_copy *order = move->order;
        const struct vdi *vdi;

        if (order->sr == order->to)
                return err_set(note, ERR_INVALID, "VDI %s is in SR %s already", uuid_format(&order->vdi).s,
                               sr_where(order->to));
        if (sr_move_check(order->sr, &order->vdi, order->to, note))
                return note->code;
        vdi = sr_get_vdi(order->sr, &order->vdi);
        vdi_row_copy(&vdi->row, ret_row);
        *ret_size = vdi->node->size;
        move->is_written = vdi->is_open && !vdi->is_read_only;
        if (!move->is_written)
                move->stream = vdi->row.stream_uuid;
        return look(move, &move->seen, note);
}

static enum err begin_import(struct move *move, const struct vdi_row *row, uint64_t size,
                             struct err_note *note) {
        const struct vdi_copy *order = move->order;
        const struct vdi_options options = {
                .size = size, .kind = IMAGE_VHD, .uuid = &order->vdi, .like = row};
        enum err err;

        to_other(order);
        err = sr_import_begin(order->to, &options, &move->into, note);
        to_own(order);
        return err;
}

static void stop(struct move *move) {
        forget_seen(move);
        if (!move->into)
                return;
        to_other(move->order);
        sr_import_abort(TAKE(move->into));
        to_own(move->order);
}

enum err vdi_move_run(const struct vdi_copy *order, struct err_note *note) {
        AUTO(vdi_row_fini) struct vdi_row row = {0};
        struct move move = {.order = order};
        uint64_t size = 0;
        enum err err = begin(&move, &row, &size, note);

        if (!err)
                err = begin_import(&move, &row, size, note);
        if (!err)
                err = go_over(&move, note);
        if (!err)
                err = end(&move, note);
        stop(&move);
        return err;
}
