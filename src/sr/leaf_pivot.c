// SPDX-License-Identifier: Apache-2.0
#include "leaf_pivot.h"

#include "chain_move.h"
#include "vhd_edit.h"

/* Both files, and nobody else has them. */
struct pair {
        struct place_name leaf_name, parent_name;
        struct io_file *leaf;   /* owned */
        struct io_file *parent; /* owned */
        bool is_written;        /* a chain of ours writes to the parent, and has it locked */
};

static void pair_fini(struct pair *pair) {
        if (pair->leaf)
                io_close(pair->leaf);
        if (pair->parent)
                io_close(pair->parent);
}
DEFINE_AUTO_IN_PLACE(struct pair, pair_fini);

static struct pair pair_of(const struct intent *intent) {
        return (struct pair){.leaf_name = place_name_of(&intent->vdi, IMAGE_VHD),
                             .parent_name = place_name_of(&intent->other, IMAGE_VHD)};
}

static enum err open_file(struct sr *sr, const struct place_name *name, bool is_alone, struct io_file **ret,
                          struct err_note *note) {
        AUTO_FREE char *path = place_path(sr->place, name);
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(sr->io, path, is_alone ? IO_WRITE : IO_READ, &file, note) ||
            (is_alone && io_lock(file, IO_EXCLUSIVE, note)))
                return err_wrap(note, "open %s", path);
        *ret = TAKE(file);
        return ERR_NONE;
}

/* What goes with its name must be nothing. */
static enum err check_pair(const struct pair *pair, struct err_note *note) {
        struct vhd_meta leaf, parent;
        bool is_empty;

        if (vhd_meta_read(pair->leaf, 0, &leaf, note) || vhd_meta_read(pair->parent, 0, &parent, note) ||
            sr_file_is_empty(pair->leaf, &leaf, &is_empty, note))
                return note->code;
        if (!is_empty)
                return err_set(note, ERR_MISMATCH, "%s holds blocks still", io_path(pair->leaf));
        if (leaf.footer.type != VHD_DIFFERENCING ||
            !uuid_equal(&leaf.header.parent_uuid, &parent.footer.uuid))
                return err_set(note, ERR_MISMATCH, "%s is not a child of %s", io_path(pair->leaf),
                               io_path(pair->parent));
        if (parent.footer.size_bytes != leaf.footer.size_bytes)
                return err_set(note, ERR_MISMATCH, "%s and %s differ in size", io_path(pair->leaf),
                               io_path(pair->parent));
        return ERR_NONE;
}

static enum err open_pair(struct sr *sr, struct pair *pair, struct err_note *note) {
        if (open_file(sr, &pair->leaf_name, true, &pair->leaf, note) ||
            open_file(sr, &pair->parent_name, !pair->is_written, &pair->parent, note))
                return note->code;
        return check_pair(pair, note);
}

/* Under the intent.  What is written to was unhidden before. */
static enum err take_name(struct sr *sr, const struct pair *pair, struct err_note *note) {
        if ((!pair->is_written && vhd_edit_set_hidden(pair->parent, false, note)) ||
            place_rename(sr->place, &pair->parent_name, &pair->leaf_name, note))
                return note->code;
        return sr_sync_names(sr, note);
}

enum err leaf_pivot_do(struct sr *sr, const struct intent *intent, struct err_note *note) {
        AUTO(pair_fini) struct pair pair = pair_of(intent);

        if (open_pair(sr, &pair, note))
                return note->code;
        sr->must_recover = true; /* until the intent is known to be gone */
        if (sr_note_change(sr, NULL, intent, NULL, note))
                return note->code;
        if (take_name(sr, &pair, note) || sr_note_change(sr, NULL, NULL, &intent->uuid, note))
                return err_wrap(note, "cut short; it is finished before the SR is changed next");
        sr->must_recover = false;
        return ERR_NONE;
}

/* ---- from under a chain that writes ---- */

/* An error after it happened must not let the chain write on to a file whose name is gone. */
static enum err rename_live(struct sr *sr, const struct pair *pair, struct err_note *note) {
        struct err_note unused;
        struct io_stat stat;
        bool is_there;

        if (place_rename(sr->place, &pair->parent_name, &pair->leaf_name, note) == ERR_NONE)
                return ERR_NONE;
        if (place_find(sr->place, &pair->parent_name, &is_there, &stat, &unused) || is_there)
                return note->code;
        return ERR_NONE;
}

/* Writers wait between freeze and thaw: no sync lies between, but what the last flush left to bring down. */
static enum err swap_live(struct sr *sr, const struct pair *pair, struct chain *chain,
                          struct err_note *note) {
        AUTO_FREE char *path = place_path(sr->place, &pair->leaf_name);
        enum err err;

        if (chain_freeze(chain, note))
                return note->code;
        err = rename_live(sr, pair, note);
        if (err == ERR_NONE) {
                chain_pivot(chain, path);
                chain_hold_flush(chain);
        }
        chain_thaw(chain);
        if (err)
                return err;
        err = sr_sync_names(sr, note);
        chain_release_flush(chain, err != ERR_NONE);
        return err;
}

/* Recovery could not lock what the chain has open: undone at once. */
static void undo_live(struct sr *sr, const struct intent *intent, struct image *target) {
        struct err_note unused;

        if (image_set_hidden(target, true, &unused) == ERR_NONE &&
            sr_note_change(sr, NULL, NULL, &intent->uuid, &unused) == ERR_NONE)
                sr->must_recover = false;
}

enum err leaf_pivot_live(struct sr *sr, const struct intent *intent, struct chain *chain,
                         struct image *target, struct err_note *note) {
        struct pair pair = pair_of(intent);

        if (chain_prepare_pivot(chain, note))
                return note->code;
        sr->must_recover = true; /* until the intent is known to be gone */
        if (sr_note_change(sr, NULL, intent, NULL, note) || image_set_hidden(target, false, note) ||
            swap_live(sr, &pair, chain, note) || sr_note_change(sr, NULL, NULL, &intent->uuid, note)) {
                if (chain_is_moving(chain))
                        undo_live(sr, intent, target);
                return err_wrap(note, "let %s take the name of its leaf", target->path);
        }
        sr->must_recover = false;
        return ERR_NONE;
}

/* ---- recovery ---- */

/* L is not what it was when the intent was written, by another hand: P stays its parent. */
static enum err undo(struct sr *sr, const struct pair *pair, struct err_note *note) {
        return place_set_hidden(sr->place, &pair->parent_name, true, note);
}

/* Where L is gone, by another hand, P holds what it was. */
static enum err open_again(struct sr *sr, struct pair *pair, struct err_note *note) {
        struct io_stat stat;
        bool has_leaf;

        if (place_find(sr->place, &pair->leaf_name, &has_leaf, &stat, note))
                return note->code;
        return has_leaf ? open_pair(sr, pair, note)
                        : open_file(sr, &pair->parent_name, !pair->is_written, &pair->parent, note);
}

/* The chain pivoted, and the sync of P's new name failed and took it back: the chain acknowledges nothing any
 * more, and whoever else changes the SR need not wait for it to be closed. */
static bool is_written(struct sr *sr, const struct intent *intent, const struct io_stat *parent) {
        const struct sr_open_chain *writer = sr_writer_of(sr, &intent->vdi);
        const struct image *leaf = writer ? chain_layer(writer->chain, 0) : NULL;

        return leaf && leaf->device == parent->device && leaf->inode == parent->inode;
}

static enum err finish_or_undo(struct sr *sr, const struct intent *intent, const struct io_stat *parent,
                               struct err_note *note) {
        AUTO(pair_fini) struct pair pair = pair_of(intent);
        enum err err;

        pair.is_written = is_written(sr, intent, parent);
        err = open_again(sr, &pair, note);
        if (err == ERR_MISMATCH) {
                pair_fini(&pair);
                pair = pair_of(intent);
                return undo(sr, &pair, note);
        }
        if (!err)
                err = take_name(sr, &pair, note);
        /* Damaged meanwhile: what can be seen of the two is shown, and nobody goes on by himself. */
        return err == ERR_CORRUPT ? ERR_NONE : err;
}

enum err leaf_pivot_recover(struct sr *sr, const struct intent *intent, struct err_note *note) {
        struct place_name parent = place_name_of(&intent->other, IMAGE_VHD);
        struct io_stat stat;
        bool is_there;

        if (place_find(sr->place, &parent, &is_there, &stat, note) ||
            (is_there && finish_or_undo(sr, intent, &stat, note)))
                return err_wrap(note, "finish a coalesce");
        return sr_note_change(sr, NULL, NULL, &intent->uuid, note);
}
