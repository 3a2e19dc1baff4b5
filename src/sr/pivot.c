// SPDX-License-Identifier: Apache-2.0
#include "pivot.h"

/* The names that take part. */
struct names {
        struct place_name old;                 /* L as it was: <L>.vhd or <L>.raw */
        struct place_name leaf;                /* L as it will be: <L>.vhd */
        struct place_name prepared;            /* .<L>.vhd.new */
        struct place_name other;               /* B, of L's kind */
        struct place_name node, node_prepared; /* S and .S.new, where there is one */
        bool has_node;
};

static struct names names_of(const struct intent *intent) {
        return (struct names){
                .old = place_name_of(&intent->vdi, intent->vdi_kind),
                .leaf = place_name_of(&intent->vdi, IMAGE_VHD),
                .prepared = place_name_new(&intent->vdi, IMAGE_VHD),
                .other = place_name_of(&intent->other, intent->vdi_kind),
                .node = place_name_of(&intent->new_node, IMAGE_VHD),
                .node_prepared = place_name_new(&intent->new_node, IMAGE_VHD),
                .has_node = !uuid_is_null(&intent->new_node),
        };
}

static bool is_raw(const struct names *names) {
        return names->old.kind == IMAGE_RAW;
}

/* ---- what is on disk ---- */

struct found {
        bool has_old, has_leaf, has_other;
        bool is_one; /* old and other are two names of the same bytes */
};

static enum err look(struct sr *sr, const struct names *names, struct found *ret, struct err_note *note) {
        struct io_stat old, leaf, other;

        if (place_find(sr->place, &names->old, &ret->has_old, &old, note) ||
            place_find(sr->place, &names->leaf, &ret->has_leaf, &leaf, note) ||
            place_find(sr->place, &names->other, &ret->has_other, &other, note))
                return note->code;
        ret->is_one =
                ret->has_old && ret->has_other && old.device == other.device && old.inode == other.inode;
        return ERR_NONE;
}

/* L has its new file. */
static bool did_pivot(const struct names *names, const struct found *found) {
        if (is_raw(names))
                return found->has_leaf && found->has_other;
        return found->has_leaf && found->has_other && !found->is_one;
}

/* ---- ends ---- */

/* Nothing of it has happened.  Children go, durably, before what they name as their parent. */
static enum err undo_names(struct sr *sr, const struct names *names, const struct found *found,
                           struct err_note *note) {
        if (names->has_node && (place_remove_if_there(sr->place, &names->node, note) ||
                                place_remove_if_there(sr->place, &names->node_prepared, note)))
                return note->code;
        if (place_remove_if_there(sr->place, &names->prepared, note))
                return note->code;
        /* Without links: the content has only its new name.  Given back first of all. */
        if (!found->has_old && found->has_other && place_rename(sr->place, &names->other, &names->old, note))
                return note->code;
        if (sr_sync_names(sr, note))
                return note->code;
        /* [C2] not the last name: old is another of the same bytes. */
        if (found->is_one &&
            (place_remove_if_there(sr->place, &names->other, note) || sr_sync_names(sr, note)))
                return note->code;
        return ERR_NONE;
}

static enum err undo(struct sr *sr, const struct intent *intent, const struct names *names,
                     const struct found *found, struct err_note *note) {
        if (undo_names(sr, names, found, note))
                return note->code;
        return sr_note_change(sr, NULL, NULL, &intent->uuid, note);
}

static enum err hide(struct sr *sr, const struct names *names, struct store_change *change,
                     struct err_note *note) {
        if (is_raw(names))
                return catalog_set_hidden(change, &names->other.uuid, true, note);
        return place_set_hidden(sr->place, &names->other, true, note);
}

/* The new names are durable. */
static enum err finish_in(struct sr *sr, const struct intent *intent, const struct names *names,
                          struct store_change *change, struct err_note *note) {
        if (is_raw(names) && (place_remove_if_there(sr->place, &names->old, note) || sr_sync_names(sr, note)))
                return note->code;
        if (hide(sr, names, change, note) || (intent->has_row && catalog_put_vdi(change, &intent->row, note)))
                return note->code;
        return intent_drop(change, &intent->uuid, note);
}

static enum err finish(struct sr *sr, const struct intent *intent, const struct names *names,
                       struct err_note *note) {
        AUTO(store_abort) struct store_change *change = NULL;

        if (catalog_begin(sr->catalog, &change, note) || finish_in(sr, intent, names, change, note))
                return note->code;
        return store_commit(TAKE(change), note);
}

static enum err finish_node(struct sr *sr, const struct names *names, struct err_note *note) {
        bool is_there = false;
        struct io_stat stat;

        if (names->has_node && place_find(sr->place, &names->node_prepared, &is_there, &stat, note))
                return note->code;
        return is_there ? place_rename(sr->place, &names->node_prepared, &names->node, note) : ERR_NONE;
}

static enum err finish_names(struct sr *sr, const struct names *names, struct err_note *note) {
        if (finish_node(sr, names, note))
                return note->code;
        return sr_sync_names(sr, note);
}

enum err pivot_recover(struct sr *sr, const struct intent *intent, struct err_note *note) {
        struct names names = names_of(intent);
        struct found found;

        if (look(sr, &names, &found, note))
                return note->code;
        if (!did_pivot(&names, &found))
                return undo(sr, intent, &names, &found, note);
        if (finish_names(sr, &names, note))
                return note->code;
        return finish(sr, intent, &names, note);
}

/* ---- the dance itself ---- */

static enum err link_names(struct sr *sr, const struct names *names, struct err_note *note) {
        enum err err = place_link(sr->place, &names->old, &names->other, note);

        return err == ERR_UNSUPPORTED ? place_rename(sr->place, &names->old, &names->other, note) : err;
}

/* Up to where it can be undone by putting names back. */
static enum err give_second_name(struct sr *sr, const struct names *names, struct err_note *note) {
        if (link_names(sr, names, note))
                return note->code;
        /* The rename to come takes the content's first name away: its second must be durable before that. */
        return sr_sync_names(sr, note);
}

static enum err take_name(struct sr *sr, const struct names *names, struct err_note *note) {
        struct err_note unused;
        struct found found;

        if (names->has_node && place_rename(sr->place, &names->node_prepared, &names->node, note))
                return note->code;
        if (place_rename(sr->place, &names->prepared, &names->leaf, note) == ERR_NONE)
                return ERR_NONE;
        /* An error after it happened must not let a chain write on to what is a base by now. */
        if (look(sr, names, &found, &unused) == ERR_NONE && did_pivot(names, &found))
                return ERR_NONE;
        return note->code;
}

static void publish(struct sr *sr, const struct names *names, struct pivot_live *live) {
        AUTO_FREE char *base = place_path(sr->place, &names->other);
        AUTO_FREE char *leaf = place_path(sr->place, &names->leaf);

        chain_push_leaf(live->chain, TAKE(live->new_leaf), base, leaf);
}

/* Frozen: from the last state of the content to the new leaf. */
static enum err change_names(struct sr *sr, const struct names *names, struct pivot_live *live,
                             bool *ret_did_pivot, struct err_note *note) {
        if (give_second_name(sr, names, note) || take_name(sr, names, note))
                return note->code;
        *ret_did_pivot = true;
        if (live) {
                publish(sr, names, live);
                chain_hold_flush(live->chain);
        }
        return ERR_NONE;
}

static enum err dance(struct sr *sr, const struct names *names, struct pivot_live *live, bool *ret_did_pivot,
                      struct err_note *note) {
        enum err err;

        /* Once without stopping anybody, so that little is left to do while writers wait. */
        if (live && (chain_settle(live->chain, note) || chain_freeze(live->chain, note)))
                return note->code;
        err = change_names(sr, names, live, ret_did_pivot, note);
        if (live)
                chain_thaw(live->chain);
        if (!*ret_did_pivot)
                return err;
        err = sr_sync_names(sr, note);
        if (live)
                chain_release_flush(live->chain, err != ERR_NONE);
        return err;
}

enum err pivot_do(struct sr *sr, const struct intent *intent, struct pivot_live *live,
                  struct err_note *note) {
        struct names names = names_of(intent);
        struct err_note later;
        bool did_pivot = false;
        enum err err;

        sr->must_recover = true; /* until the intent is known to be gone */
        if (sr_note_change(sr, NULL, intent, NULL, note))
                return note->code;
        err = dance(sr, &names, live, &did_pivot, note);
        if (err == ERR_NONE)
                err = finish(sr, intent, &names, note);
        if (err && did_pivot)
                return err_wrap(note, "cut short; it is finished or undone before the SR is changed next");
        if (err && pivot_recover(sr, intent, &later))
                return err;
        sr->must_recover = false;
        return err;
}

/* ---- its steps, for several at once ---- */

enum err pivot_look(struct sr *sr, const struct intent *intent, bool *ret_did_pivot, struct err_note *note) {
        struct names names = names_of(intent);
        struct found found;

        if (look(sr, &names, &found, note))
                return note->code;
        *ret_did_pivot = did_pivot(&names, &found);
        return ERR_NONE;
}

enum err pivot_link(struct sr *sr, const struct intent *intent, struct err_note *note) {
        struct names names = names_of(intent);

        return link_names(sr, &names, note);
}

enum err pivot_take_name(struct sr *sr, const struct intent *intent, struct err_note *note) {
        struct names names = names_of(intent);

        return take_name(sr, &names, note);
}

void pivot_publish(struct sr *sr, const struct intent *intent, struct pivot_live *live) {
        struct names names = names_of(intent);

        publish(sr, &names, live);
        chain_hold_flush(live->chain);
}

enum err pivot_finish_node(struct sr *sr, const struct intent *intent, struct err_note *note) {
        struct names names = names_of(intent);

        return finish_node(sr, &names, note);
}

enum err pivot_finish_in(struct sr *sr, const struct intent *intent, struct store_change *change,
                         struct err_note *note) {
        struct names names = names_of(intent);

        return finish_in(sr, intent, &names, change, note);
}

/* The content has only its second name, or its first beside that of the new file, when it comes here.  The
 * new file may have been written to, but nobody was told that anything of that is durable. */
static enum err take_back(struct sr *sr, const struct names *names, struct err_note *note) {
        if (names->has_node && (place_remove_if_there(sr->place, &names->node, note) ||
                                place_remove_if_there(sr->place, &names->node_prepared, note)))
                return note->code;
        /* The snapshot's file names the content by its second name. */
        if (sr_sync_names(sr, note) ||
            (is_raw(names) ? place_remove_if_there(sr->place, &names->leaf, note)
                           : place_rename(sr->place, &names->other, &names->leaf, note)))
                return note->code;
        return sr_sync_names(sr, note);
}

enum err pivot_undo_names(struct sr *sr, const struct intent *intent, struct err_note *note) {
        struct names names = names_of(intent);
        struct found found;

        if (look(sr, &names, &found, note))
                return note->code;
        if (did_pivot(&names, &found) && (take_back(sr, &names, note) || look(sr, &names, &found, note)))
                return note->code;
        return undo_names(sr, &names, &found, note);
}
