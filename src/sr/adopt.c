// SPDX-License-Identifier: Apache-2.0
/* What sm leaves, and what is done with it:
 *
 *      coalesce_C         C was being copied into its parent.  The marker is removed: the copy did no harm
 *      relink_C           C's content is in its parent, its children were being given that parent.  The
 *                         others get it too
 *      leaf_L, value P    L was being copied into P, and P renamed to L.  While P or OLD_L is there: undone,
 *                         names and hidden marks as before; else it is finished
 *      OLD_L.vhd alone    the file that L was before.  Deleted, if it is hidden and unneeded
 *      L.vhd.new          a snapshot of L was being made.  Undone: its base gets L's name back
 *
 * A journal is removed last, when all that it stands for is durable; each step begins by looking at what is
 * there.  So a crash at any point is followed by adopting again.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "adopt.h"
#include "owner.h"
#include "store_sqlite.h"
#include "sr_state.h"
#include "vhd_edit.h"
#include "vhd_meta.h"

struct adopter {
        struct io *io;       /* borrowed */
        struct place *place; /* borrowed */
        struct tree tree;    /* as it is now */
};

static void adopter_fini(struct adopter *adopter) {
        tree_fini(&adopter->tree);
}
DEFINE_AUTO_IN_PLACE(struct adopter, adopter_fini);

void adoption_fini(struct adoption *adoption) {
        sr_notices_fini(&adoption->findings);
        vec_fini(&adoption->steps);
}

static void say(struct adopt_step *step, bool is_refused, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void say(struct adopt_step *step, bool is_refused, const char *fmt, ...) {
        va_list args;

        va_start(args, fmt);
        (void)vsnprintf(step->text, sizeof step->text, fmt, args);
        va_end(args);
        step->is_refused = is_refused;
}

static enum err rescan(struct adopter *adopter, struct err_note *note) {
        struct tree tree;

        if (tree_scan(adopter->place, &tree, note))
                return note->code;
        tree_fini(&adopter->tree);
        adopter->tree = tree;
        return ERR_NONE;
}

/* The last of what a step does: the journal goes when all it stands for is durable. */
static enum err end_step(struct adopter *adopter, const struct place_marked *marked, struct err_note *note) {
        if (place_sync(adopter->place, note) || place_remove_mark(adopter->place, marked, note))
                return note->code;
        return place_sync(adopter->place, note);
}

static const struct place_marked *find_mark(const struct adopter *adopter, enum place_mark mark,
                                            const struct uuid *uuid) {
        VEC_EACH (&adopter->tree.listing.marked, each) {
                if (each->mark == mark && uuid_equal(&each->uuid, uuid))
                        return each;
        }
        return NULL;
}

/* ---- relink_C ---- */

/* One that names C in any way, also half: its locators say the new parent already, its header not yet. */
static bool is_child_of(const struct node *node, const struct node *parent) {
        if (!node->has_parent || node == parent)
                return false;
        for (size_t i = 0; i < node->claims.n; i++)
                if (node->claims.data[i] == parent)
                        return true;
        return !uuid_is_null(&parent->footer_uuid) &&
               uuid_equal(&node->parent_footer_uuid, &parent->footer_uuid);
}

static void plan_relink(struct adopter *adopter, const struct place_marked *marked, struct adopt_step *step) {
        const struct node *node = tree_find(&adopter->tree, &marked->uuid);
        unsigned n = 0;

        if (!node) {
                say(step, false, "%s: the node is gone already: the journal is removed", marked->name);
                return;
        }
        if (node->error.code || !node->parent) {
                say(step, true, "%s: the node's parent cannot be told: %s", marked->name,
                    node->error.code ? node->error.text : "it has none");
                return;
        }
        VEC_EACH (&adopter->tree.nodes, each) {
                n += is_child_of(*each, node);
        }
        say(step, false, "%s: %u children of it are given its parent, %s", marked->name, n,
            node->parent->name);
}

static enum err relink_child(struct adopter *adopter, const struct node *child, const struct node *to,
                             struct err_note *note) {
        struct place_name child_name = node_place_name(child), to_name = node_place_name(to);
        AUTO_FREE char *path = place_path(adopter->place, &child_name);
        AUTO_FREE char *to_path = place_path(adopter->place, &to_name);
        AUTO(io_close) struct io_file *file = NULL;
        const struct vhd_parent parent = {
                .path = to_path,
                .uuid = to->footer_uuid,
                .is_raw = to->kind == IMAGE_RAW,
                .modified_seconds = to->modified_ns / 1000000000,
        };

        if (io_open(adopter->io, path, IO_WRITE, &file, note) || io_lock(file, IO_EXCLUSIVE, note) ||
            vhd_edit_set_parent(adopter->io, file, &parent, note))
                return err_wrap(note, "give %s the parent %s", child->name, to->name);
        return ERR_NONE;
}

/* A child that has its new parent already may have it from a run that was cut short before its sync. */
static enum err sync_child(struct adopter *adopter, const struct node *child, struct err_note *note) {
        struct place_name name = node_place_name(child);
        AUTO_FREE char *path = place_path(adopter->place, &name);
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(adopter->io, path, IO_WRITE, &file, note) || io_sync(file, note))
                return err_wrap(note, "sync %s", child->name);
        return ERR_NONE;
}

static enum err do_relink(struct adopter *adopter, const struct place_marked *marked, struct err_note *note) {
        const struct node *node = tree_find(&adopter->tree, &marked->uuid);

        if (node && !node->parent)
                return err_set(note, ERR_CORRUPT, "%s: the node's parent cannot be told", marked->name);
        VEC_EACH (&adopter->tree.nodes, each) {
                if (node && is_child_of(*each, node) && relink_child(adopter, *each, node->parent, note))
                        return note->code;
                if ((!node || (*each)->parent == node->parent) && (*each)->has_parent &&
                    sync_child(adopter, *each, note))
                        return note->code;
        }
        return end_step(adopter, marked, note);
}

/* ---- leaf_L ---- */

struct leaf {
        struct uuid parent;             /* P, as the journal says */
        const struct place_marked *old; /* borrowed; OLD_L, or NULL */
        struct place_name leaf_name, parent_name;
        bool has_leaf, has_parent;
};

/* ERR_CORRUPT where the journal says nothing: a power loss after sm made it. */
static enum err read_leaf(struct adopter *adopter, const struct place_marked *marked, struct leaf *ret,
                          struct err_note *note) {
        char value[64] = "";
        struct io_stat unused;
        size_t n;

        if (place_read_mark(adopter->place, marked, value, sizeof value - 1, &n, note))
                return note->code;
        value[n] = 0;
        value[strcspn(value, "\r\n \t")] = 0;
        if (!uuid_parse(value, &ret->parent))
                return err_set(note, ERR_CORRUPT, "%s: %s", marked->name,
                               n ? "its content is no uuid"
                                 : "it is empty; which parent it was about cannot be told");
        ret->old = find_mark(adopter, PLACE_OLD, &marked->uuid);
        ret->leaf_name = place_name_of(&marked->uuid, IMAGE_VHD);
        ret->parent_name = place_name_of(&ret->parent, IMAGE_VHD);
        if (place_find(adopter->place, &ret->leaf_name, &ret->has_leaf, &unused, note) ||
            place_find(adopter->place, &ret->parent_name, &ret->has_parent, &unused, note))
                return note->code;
        return ERR_NONE;
}

static enum err read_meta(struct adopter *adopter, const char *path, struct vhd_meta *ret,
                          struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(adopter->io, path, IO_READ, &file, note) || vhd_meta_read(file, 0, ret, note))
                return err_wrap(note, "read %s", path);
        return ERR_NONE;
}

/* One was made upon the other, by their uuids. */
static enum err check_pair(struct adopter *adopter, const char *child_path, const char *parent_path,
                           struct err_note *note) {
        struct vhd_meta child, parent;

        if (read_meta(adopter, child_path, &child, note) || read_meta(adopter, parent_path, &parent, note))
                return note->code;
        if (child.footer.type != VHD_DIFFERENCING ||
            !uuid_equal(&child.header.parent_uuid, &parent.footer.uuid))
                return err_set(note, ERR_MISMATCH, "%s is not the parent of %s", parent_path, child_path);
        return ERR_NONE;
}

/* What will be named and hidden as the parent must be it. */
static enum err check_leaf(struct adopter *adopter, const struct leaf *leaf, struct err_note *note) {
        AUTO_FREE char *leaf_path = place_path(adopter->place, &leaf->leaf_name);
        AUTO_FREE char *parent_path = place_path(adopter->place, &leaf->parent_name);
        AUTO_FREE char *old_path = leaf->old ? place_mark_path(adopter->place, leaf->old) : NULL;

        if (leaf->old && leaf->has_leaf && leaf->has_parent)
                return err_set(note, ERR_MISMATCH, "%s is there as well as the leaf and its parent",
                               leaf->old->name);
        if (leaf->old && leaf->has_leaf)
                return check_pair(adopter, old_path, leaf_path, note);
        if (leaf->old && leaf->has_parent)
                return check_pair(adopter, old_path, parent_path, note);
        if (leaf->old)
                return err_set(note, ERR_NOT_FOUND, "the parent %s is missing", uuid_format(&leaf->parent).s);
        if (leaf->has_leaf && leaf->has_parent)
                return check_pair(adopter, leaf_path, parent_path, note);
        return ERR_NONE;
}

static void plan_leaf(struct adopter *adopter, const struct place_marked *marked, struct adopt_step *step) {
        struct err_note why;
        struct leaf leaf;

        if (read_leaf(adopter, marked, &leaf, &why) || check_leaf(adopter, &leaf, &why))
                say(step, true, "%s: %s", marked->name, why.text);
        else if (leaf.old || leaf.has_parent)
                say(step, false, "%s: the leaf coalesce is undone: the leaf is as before, %s is hidden",
                    marked->name, uuid_format(&leaf.parent).s);
        else
                say(step, false, "%s: the leaf coalesce had ended: the journal is removed", marked->name);
}

static enum err undo_leaf(struct adopter *adopter, struct leaf *leaf, struct err_note *note) {
        struct place *place = adopter->place;

        /* In reverse, one durable name change at a time: two under one sync could lose the leaf. */
        if (leaf->old && leaf->has_leaf) {
                if (place_rename(place, &leaf->leaf_name, &leaf->parent_name, note) ||
                    place_sync(place, note))
                        return note->code;
                leaf->has_parent = true;
        }
        if (leaf->old) {
                if (place_rename_mark(place, leaf->old, &leaf->leaf_name, note) || place_sync(place, note))
                        return note->code;
                leaf->has_leaf = true;
        }
        /* The leaf is shown before its parent is hidden: at no instant is there neither. */
        if (leaf->has_leaf && place_set_hidden(place, &leaf->leaf_name, false, note))
                return note->code;
        if (leaf->has_leaf && leaf->has_parent)
                return place_set_hidden(place, &leaf->parent_name, true, note);
        return ERR_NONE;
}

static enum err do_leaf(struct adopter *adopter, const struct place_marked *marked, struct err_note *note) {
        struct leaf leaf;

        if (read_leaf(adopter, marked, &leaf, note) || check_leaf(adopter, &leaf, note))
                return note->code;
        if (leaf.old || leaf.has_parent) {
                if (undo_leaf(adopter, &leaf, note))
                        return note->code;
        } else if (leaf.has_leaf && place_set_hidden(adopter->place, &leaf.leaf_name, false, note)) {
                return note->code;
        }
        return end_step(adopter, marked, note);
}

/* ---- OLD_L without a journal: the last thing sm did not come to ---- */

static enum err old_may_go(struct adopter *adopter, const struct place_marked *marked, bool *ret,
                           struct err_note *note) {
        const struct node *leaf = tree_find(&adopter->tree, &marked->uuid);
        AUTO_FREE char *path = place_mark_path(adopter->place, marked);
        struct vhd_meta meta;

        *ret = false;
        if (find_mark(adopter, PLACE_LEAF, &marked->uuid) || !leaf || leaf->error.code)
                return ERR_NONE;
        if (read_meta(adopter, path, &meta, note))
                return note->code;
        *ret = meta.footer.is_hidden && meta.copy_state == VHD_PART_VALID && meta.end_state == VHD_PART_VALID;
        return ERR_NONE;
}

static void plan_old(struct adopter *adopter, const struct place_marked *marked, struct adopt_step *step) {
        struct err_note unused;
        bool may_go = false;

        if (find_mark(adopter, PLACE_LEAF, &marked->uuid))
                say(step, false, "%s: what the leaf was before its coalesce: see its journal", marked->name);
        else if (!old_may_go(adopter, marked, &may_go, &unused) && may_go)
                say(step, false, "%s: what the leaf was before its coalesce, which has ended: it is deleted",
                    marked->name);
        else
                say(step, false,
                    "%s: what a leaf was before its coalesce; it is not hidden, or its leaf is not whole: it "
                    "stays",
                    marked->name);
}

static enum err do_old(struct adopter *adopter, const struct place_marked *marked, bool *ret_did_go,
                       struct err_note *note) {
        *ret_did_go = false;
        if (old_may_go(adopter, marked, ret_did_go, note))
                return note->code == ERR_CORRUPT ? ERR_NONE : note->code;
        return *ret_did_go ? end_step(adopter, marked, note) : ERR_NONE;
}

enum err adopt_collect_old(struct sr *sr, bool *ret_did_change, struct err_note *note) {
        struct adopter adopter = {
                .io = sr->io, .place = sr->place, .tree = sr->tree}; /* the SR's tree stays the SR's */

        *ret_did_change = false;
        VEC_EACH (&adopter.tree.listing.marked, each) {
                bool did_go = false;

                if (each->mark == PLACE_OLD && do_old(&adopter, each, &did_go, note))
                        return note->code;
                *ret_did_change |= did_go;
        }
        return ERR_NONE;
}

/* ---- L.vhd.new: sm links (or renames) L to a base B, makes L.vhd.new upon B, renames it over L ---- */

struct undone {
        struct place_name leaf, base;
        bool has_leaf, has_base; /* base: that the new file names, and that is L's bytes */
        bool is_one;
};

/* The base that the new file names, if there is one. */
static bool base_of_new(struct adopter *adopter, const struct place_marked *marked, struct place_name *ret) {
        AUTO_FREE char *path = place_mark_path(adopter->place, marked);
        AUTO_FREE char *name = NULL;
        struct err_note unused;
        struct vhd_meta meta;

        return read_meta(adopter, path, &meta, &unused) == ERR_NONE && meta.footer.type == VHD_DIFFERENCING &&
               vhd_header_name(&meta.header, &name, &unused) == ERR_NONE &&
               place_parse(adopter->place, name, ret);
}

static struct node *find_alias(const struct adopter *adopter, const struct node *node) {
        VEC_EACH (&adopter->tree.nodes, each) {
                if (*each != node && (*each)->device == node->device && (*each)->inode == node->inode)
                        return *each;
        }
        return NULL;
}

static enum err read_undone(struct adopter *adopter, const struct place_marked *marked, struct undone *ret,
                            struct err_note *note) {
        const struct node *leaf = tree_find(&adopter->tree, &marked->uuid),
                          *alias = leaf ? find_alias(adopter, leaf) : NULL;
        const struct node *base;

        *ret = (struct undone){.leaf = place_name_of(&marked->uuid, IMAGE_VHD), .has_leaf = leaf != NULL};
        if (alias) { /* linked; the new file may be half-written */
                ret->base = node_place_name(alias);
                ret->has_base = ret->is_one = true;
        } else if (!leaf && base_of_new(adopter, marked, &ret->base)) {
                ret->has_base = tree_find(&adopter->tree, &ret->base.uuid) != NULL;
        }
        if (leaf && leaf->kind == IMAGE_RAW)
                ret->leaf.kind = IMAGE_RAW;
        else if (!leaf && ret->has_base)
                ret->leaf.kind = ret->base.kind;
        base = ret->has_base ? tree_find(&adopter->tree, &ret->base.uuid) : NULL;
        if (base && base->n_children > 0)
                return err_set(note, ERR_MISMATCH, "the base %s has children already", base->name);
        if (!leaf && !ret->has_base)
                return err_set(note, ERR_NOT_FOUND, "the disk it is a snapshot of is missing");
        return ERR_NONE;
}

static void plan_undone(struct adopter *adopter, const struct place_marked *marked, struct adopt_step *step) {
        struct undone undone;
        struct err_note why;

        if (read_undone(adopter, marked, &undone, &why))
                say(step, true, "%s: %s", marked->name, why.text);
        else
                say(step, false, "%s: a snapshot was not finished: it is undone", marked->name);
}

static enum err do_undone(struct adopter *adopter, const struct place_marked *marked, struct err_note *note) {
        struct place *place = adopter->place;
        struct undone undone;

        if (read_undone(adopter, marked, &undone, note))
                return note->code;
        if (!undone.has_leaf &&
            (place_rename(place, &undone.base, &undone.leaf, note) || place_sync(place, note)))
                return note->code;
        /* [C2] not the last name: the leaf's is another. */
        if (undone.is_one && place_remove_if_there(place, &undone.base, note))
                return note->code;
        return end_step(adopter, marked, note);
}

/* ---- all of it ---- */

static void plan_step(struct adopter *adopter, const struct place_marked *marked, struct adopt_step *step) {
        step->mark = marked->mark;
        step->uuid = marked->uuid;
        switch (marked->mark) {
        case PLACE_COALESCE:
                say(step, false,
                    "%s: a copy into the parent was cut short, which did no harm: the marker is removed",
                    marked->name);
                break;
        case PLACE_RELINK:
                plan_relink(adopter, marked, step);
                break;
        case PLACE_LEAF:
                plan_leaf(adopter, marked, step);
                break;
        case PLACE_OLD:
                plan_old(adopter, marked, step);
                break;
        case PLACE_UNDONE:
                plan_undone(adopter, marked, step);
                break;
        case PLACE_FOREIGN:
                say(step, false, "%s: belongs to another kind of SR: it stays", marked->name);
                break;
        }
}

static enum err do_step(struct adopter *adopter, const struct place_marked *marked, struct err_note *note) {
        bool unused;

        switch (marked->mark) {
        case PLACE_COALESCE:
                return end_step(adopter, marked, note);
        case PLACE_RELINK:
                return do_relink(adopter, marked, note);
        case PLACE_LEAF:
                return do_leaf(adopter, marked, note);
        case PLACE_OLD:
                return do_old(adopter, marked, &unused, note);
        case PLACE_UNDONE:
                return do_undone(adopter, marked, note);
        case PLACE_FOREIGN:
                return ERR_NONE;
        }
        return ERR_NONE;
}

static void list_findings(const struct tree *tree, struct adoption *ret) {
        VEC_EACH (&tree->nodes, each) {
                const struct node *node = *each;

                if (node->error.code || node->is_alias) {
                        struct sr_notice *notice = vec_add(&ret->findings.list);

                        notice->uuid = node->uuid;
                        (void)snprintf(notice->text, sizeof notice->text, "%s",
                                       node->error.code ? node->error.text : "its file has two names");
                }
                if (node->error.code)
                        ret->n_damaged++;
                else if (node->is_hidden)
                        ret->n_hidden++;
                else
                        ret->n_vdis++;
        }
}

static enum err list(struct adopter *adopter, struct adoption *ret, struct err_note *note) {
        if (rescan(adopter, note))
                return note->code;
        list_findings(&adopter->tree, ret);
        ret->n_others = (unsigned)adopter->tree.listing.n_others;
        VEC_EACH (&adopter->tree.listing.marked, each) {
                plan_step(adopter, each, vec_add(&ret->steps));
        }
        return ERR_NONE;
}

enum err sr_adopt_list(struct io *io, const char *dir, struct adoption *ret, struct err_note *note) {
        AUTO(adoption_fini) struct adoption adoption = {0};
        AUTO(place_free) struct place *place = NULL;
        AUTO(adopter_fini) struct adopter adopter = {.io = io};

        if (place_dir_open(io, dir, &place, note))
                return err_wrap(note, "look at %s", dir);
        adopter.place = place;
        if (list(&adopter, &adoption, note))
                return err_wrap(note, "look at %s", dir);
        *ret = adoption;
        adoption = (struct adoption){0};
        return ERR_NONE;
}

static enum err refuse(const struct adoption *adoption, struct err_note *note) {
        VEC_EACH (&adoption->steps, each) {
                if (each->is_refused)
                        return err_set(note, ERR_CORRUPT, "%s", each->text);
        }
        return ERR_NONE;
}

/* OLD_ files come after the journals that they may belong to, since they decide which way those go. */
static enum err do_steps(struct adopter *adopter, struct err_note *note) {
        static const enum place_mark order[] = {PLACE_UNDONE, PLACE_COALESCE, PLACE_RELINK, PLACE_LEAF,
                                                PLACE_OLD};

        for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
                /* Each step is judged by what the ones before it left. */
                for (size_t j = 0; j < adopter->tree.listing.marked.n; j++) {
                        size_t n = adopter->tree.listing.marked.n;

                        if (adopter->tree.listing.marked.data[j].mark != order[i])
                                continue;
                        if (do_step(adopter, &adopter->tree.listing.marked.data[j], note) ||
                            rescan(adopter, note))
                                return note->code;
                        if (adopter->tree.listing.marked.n < n)
                                j = (size_t)-1;
                }
        }
        return ERR_NONE;
}

/* Of an SR: what we cut short there ourselves, and what sm did, may be about the same files. */
static enum err refuse_unfinished(struct io *io, struct place *place, const struct sr_options *options,
                                  struct err_note *note) {
        AUTO_FREE char *path = sr_catena_in(place, SR_CATALOG_FILE);
        AUTO(intents_fini) struct intents intents = {0};
        AUTO(catalog_close) struct catalog *catalog = NULL;
        enum err err = catalog_open(io, path,
                                    options && options->open_store ? options->open_store : store_sqlite_open,
                                    STORE_WRITE, &catalog, note);

        /* One that is damaged says nothing, and is not opened before it is made afresh. */
        if (err == ERR_NOT_FOUND || err == ERR_CORRUPT)
                return ERR_NONE;
        if (err || intents_read(catalog, &intents, note))
                return note->code;
        if (intents.list.n == 0)
                return ERR_NONE;
        return err_set(
                note, ERR_BUSY,
                "a change of VDI %s by Catena is not finished here, and neither is one by sm: which came "
                "first cannot be told",
                uuid_format(&intents.list.data[0].vdi).s);
}

static enum err finish_sm(struct io *io, struct place *place, const struct sr_options *options,
                          struct err_note *note) {
        AUTO(adoption_fini) struct adoption adoption = {0};
        AUTO(adopter_fini) struct adopter adopter = {.io = io, .place = place};
        AUTO(owner_leave) struct io_file *owner = NULL;
        AUTO_FREE char *catena = sr_catena_in(place, "");
        AUTO_FREE char *owner_path = sr_catena_in(place, SR_OWNER_FILE);
        enum err err;

        if (list(&adopter, &adoption, note) || refuse(&adoption, note))
                return note->code;
        if (adoption.steps.n == 0)
                return ERR_NONE;
        err = io_make_dir(io, catena, note);
        if (err && err != ERR_EXISTS)
                return err;
        if (owner_take(io, owner_path, options ? options->self : NULL, &owner, note) ||
            refuse_unfinished(io, place, options, note))
                return note->code;
        /* As in recovery: what is judged must not change with a crash. */
        if (place_sync(place, note) || rescan(&adopter, note))
                return note->code;
        return do_steps(&adopter, note);
}

/* An SR that was used by sm meanwhile is taken over again; it keeps its catalog. */
static enum err refuse_whole_sr(struct io *io, struct place *place, struct err_note *note) {
        AUTO(place_listing_fini) struct place_listing listing = {0};
        enum err err;

        if (place_list(place, &listing, note))
                return note->code;
        err = sr_refuse_sr(io, place, note);
        return err == ERR_EXISTS && sr_unfinished_mark(&listing) ? ERR_NONE : err;
}

enum err sr_adopt(struct io *io, const char *dir, const char *name, const struct sr_options *options,
                  struct uuid *ret, struct err_note *note) {
        AUTO(place_free) struct place *place = NULL;

        if ((name && sr_check_text("name", name, note)) || place_dir_open(io, dir, &place, note) ||
            refuse_whole_sr(io, place, note) || finish_sm(io, place, options, note) ||
            sr_make(io, dir, name, options, ret, note))
                return err_wrap(note, "adopt %s", dir);
        return ERR_NONE;
}
