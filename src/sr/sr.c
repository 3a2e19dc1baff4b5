// SPDX-License-Identifier: Apache-2.0
#include "sr.h"

#include <assert.h>

#include "coalesce.h"
#include "logbook.h"
#include "owner.h"
#include "recover.h"
#include "sr_move.h"
#include "sr_state.h"
#include "store_sqlite.h"

#define CATENA  SR_CATENA_DIR
#define CATALOG SR_CATALOG_FILE
#define OWNER   SR_OWNER_FILE
#define BALLAST SR_BALLAST_FILE

/* ---- what verbs share ---- */

struct uuid sr_fresh_uuid(struct sr *sr) {
        uint8_t dice[16];

        io_random(sr->io, dice, sizeof dice);
        return uuid_from_random(dice);
}

int64_t sr_now(struct sr *sr) {
        return io_wall_ns(sr->io) / 1000000000;
}

char *sr_catena_in(struct place *place, const char *name) {
        return mem_format("%s/" CATENA "%s%s", place->where, *name ? "/" : "", name);
}

char *sr_catena_path(struct sr *sr, const char *name) {
        return sr_catena_in(sr->place, name);
}

enum err sr_begin_change(struct sr *sr, struct err_note *note) {
        bool may_clean;

        if (sr->is_read_only)
                return err_set(note, ERR_READ_ONLY, "SR %s was opened read-only", sr->place->where);
        /* An import's file is a temporary one too, and is being written to. */
        may_clean = sr->imports.n == 0;
        if (!sr->must_recover && !(sr->may_have_leftovers && may_clean))
                return ERR_NONE;
        if (images_share_locks(&sr->images, note) || recover_all(sr, note) ||
            (may_clean && recover_leftovers(sr, note)))
                return err_wrap(note, "finish what was begun in SR %s", sr->place->where);
        sr->may_have_leftovers = !may_clean;
        sr->must_recover = false;
        if (sr_refresh(sr, note))
                return note->code;
        return sr_move_recover(sr, note);
}

enum err sr_recover(struct sr *sr, struct err_note *note) {
        return sr_begin_change(sr, note);
}

enum err sr_sync_names(struct sr *sr, struct err_note *note) {
        if (place_sync(sr->place, note) == ERR_NONE)
                return ERR_NONE;
        /* What is seen now is durable, and may be neither before nor after.  Names that were removed may be
         * back, also such as undoing a pivot does not look at. */
        sr->must_recover = sr->may_have_leftovers = true;
        return note->code;
}

struct sr_open_chain *sr_writer_of(struct sr *sr, const struct uuid *vdi) {
        VEC_EACH (&sr->chains, each) {
                if (each->mode == CHAIN_WRITE && uuid_equal(&each->vdi, vdi))
                        return each;
        }
        return NULL;
}

enum err sr_note_change(struct sr *sr, const struct vdi_row *row, const struct intent *intent,
                        const struct uuid *done, struct err_note *note) {
        AUTO(store_abort) struct store_change *change = NULL;

        if (catalog_begin(sr->catalog, &change, note) || (row && catalog_put_vdi(change, row, note)) ||
            (intent && intent_put(change, intent, note)) || (done && intent_drop(change, done, note)))
                return note->code;
        return store_commit(TAKE(change), note);
}

enum err sr_check_text(const char *what, const char *text, struct err_note *note) {
        json_t *json = json_string(text); /* NULL where it is not UTF-8 */

        if (!json)
                return err_set(note, ERR_INVALID, "the %s is not text in UTF-8", what);
        json_decref(json);
        for (const char *c = text; *c; c++)
                if ((unsigned char)*c < ' ' || *c == 127)
                        return err_set(note, ERR_INVALID, "the %s has a control character in it", what);
        if (strlen(text) > SR_NAME_MAX)
                return err_set(note, ERR_TOO_LARGE, "the %s is longer than %d bytes", what, SR_NAME_MAX);
        return ERR_NONE;
}

/* ---- refreshing: files first, then the catalog by them ---- */

static void fini_vdis(struct sr *sr) {
        VEC_EACH (&sr->vdis, each) {
                vdi_row_fini(&each->row);
        }
        vec_fini(&sr->vdis);
        VEC_EACH (&sr->stand_ins, each) {
                free((*each)->name);
                free(*each);
        }
        vec_fini(&sr->stand_ins);
}

/* Nodes that an unfinished verb made, or made a base of: not VDIs, whatever their footers say by now. */
static bool is_in_making(const struct sr *sr, const struct uuid *uuid) {
        VEC_EACH (&sr->unfinished.list, each) {
                if (uuid_equal(uuid, &each->other) || uuid_equal(uuid, &each->new_node))
                        return true;
        }
        return false;
}

static bool is_named_by_intent(const struct sr *sr, const struct uuid *uuid) {
        VEC_EACH (&sr->unfinished.list, each) {
                if (uuid_equal(uuid, &each->vdi) || uuid_equal(uuid, &each->new_node))
                        return true;
        }
        return false;
}

/* A raw node has no footer; the catalog says whether it is hidden. */
static enum err mark_raw_hidden(struct sr *sr, struct err_note *note) {
        VEC_EACH (&sr->tree.nodes, each) {
                struct node *node = *each;
                bool is_hidden;

                if (node->kind != IMAGE_RAW || !sr->catalog)
                        continue;
                if (catalog_is_hidden(sr->catalog, &node->uuid, &is_hidden, note))
                        return note->code;
                node->is_hidden |= is_hidden;
                node->is_hidden_in_both = is_hidden;
        }
        return ERR_NONE;
}

static struct vdi_row *find_row(struct vdi_rows *rows, const struct uuid *uuid) {
        size_t low = 0, high = rows->list.n;

        while (low < high) {
                size_t mid = low + (high - low) / 2;
                int order = uuid_compare(uuid, &rows->list.data[mid].uuid);

                if (order == 0)
                        return &rows->list.data[mid];
                if (order < 0)
                        high = mid;
                else
                        low = mid + 1;
        }
        return NULL;
}

/* One whose footers cannot be read may be a base as well: it is a VDI only if the catalog has it as one. */
static bool is_vdi(const struct sr *sr, const struct node *node, const struct vdi_row *row) {
        if (node->is_hidden || is_in_making(sr, &node->uuid) || tree_find(&sr->tree, &node->uuid) != node)
                return false;
        return row || node->size > 0;
}

static void add_vdi(struct sr *sr, const struct node *node, const struct vdi_row *row) {
        struct vdi *vdi = vec_add(&sr->vdis);

        vdi->node = node;
        if (row) {
                vdi_row_copy(row, &vdi->row);
        } else {
                vdi->row.uuid = node->uuid;
                vdi->row.name = mem_text(uuid_format(&node->uuid).s);
                vdi->row.description = mem_text("");
                vdi->row.created = node->modified_ns / 1000000000;
        }
        vdi->has_data = true;
        vdi->is_metadata = vdi->row.is_metadata;
        vdi->is_read_only = vdi->row.is_snapshot || node->n_children > 0;
}

/* What its log says stands for the file that it has no more. */
static struct node *new_stand_in(struct sr *sr, const struct uuid *uuid) {
        struct node *node = mem_new(struct node);
        struct cbt_log head;

        node->uuid = *uuid;
        node->kind = IMAGE_VHD;
        node->name = mem_format("%s.cbtlog", uuid_format(uuid).s);
        if (logbook_head(sr, uuid, &head, &node->error))
                node->is_own_error = true;
        else
                node->size = head.size_bytes;
        *vec_add(&sr->stand_ins) = node;
        return node;
}

/* Logs whose data is gone are VDIs as well.  One that the catalog does not know, of no file at all, was kept
 * by sm, or its row was lost. */
static void add_metadata(struct sr *sr, struct vdi_rows *rows) {
        VEC_EACH (&sr->tree.listing.logs, uuid) {
                const struct vdi_row *row = find_row(rows, uuid);
                const struct node *node = tree_find(&sr->tree, uuid);
                struct vdi *vdi;

                if ((node && !node->is_hidden) || is_named_by_intent(sr, uuid) || is_in_making(sr, uuid))
                        continue;
                if (row ? !row->is_metadata : node != NULL)
                        continue;
                add_vdi(sr, new_stand_in(sr, uuid), row);
                vdi = &sr->vdis.data[sr->vdis.n - 1];
                vdi->row.is_snapshot = vdi->row.has_cbt = vdi->row.is_metadata = true;
                vdi->is_metadata = vdi->is_read_only = true;
                vdi->has_data = false;
        }
}

static int compare_vdis(const void *a, const void *b) {
        const struct vdi *x = a, *y = b;
        int order = strcmp(x->row.name, y->row.name);

        return order ? order : uuid_compare(&x->row.uuid, &y->row.uuid);
}

static void sort_vdis(struct sr *sr) {
        if (sr->vdis.n)
                qsort(sr->vdis.data, sr->vdis.n, sizeof *sr->vdis.data, compare_vdis);
}

void sr_take_row(struct sr *sr, struct vdi_row *row) {
        VEC_EACH (&sr->vdis, each) {
                bool is_renamed;

                if (!uuid_equal(&each->row.uuid, &row->uuid))
                        continue;
                is_renamed = strcmp(each->row.name, row->name) != 0;
                vdi_row_fini(&each->row);
                each->row = *row;
                *row = (struct vdi_row){0};
                if (is_renamed)
                        sort_vdis(sr);
                return;
        }
}

static void mark_open(struct sr *sr) {
        VEC_EACH (&sr->vdis, vdi) {
                vdi->is_open = false;
                VEC_EACH (&sr->chains, chain) {
                        vdi->is_open |= uuid_equal(&chain->vdi, &vdi->row.uuid);
                }
        }
}

/* It was a VDI: will it not be one again?  A delete that was cut short may have hidden it in one footer, or
 * not durably; a crash that took that back would show it once more, and it would want its row.  So the hide
 * is done again, to its end. */
static bool is_gone_for_good(struct sr *sr, const struct uuid *uuid) {
        struct node *node = tree_find(&sr->tree, uuid);
        struct place_name name;
        struct err_note unused;

        if (!node || node->kind == IMAGE_RAW || !node->is_hidden)
                return true;
        name = node_place_name(node);
        if (place_set_hidden(sr->place, &name, true, &unused))
                return false;
        node->is_hidden_in_both = true;
        node->footers_differ = false;
        return true;
}

/* The rows that are to be written or dropped, in one change; none where all is as it should be. */
static enum err mend_catalog(struct sr *sr, struct vdi_rows *rows, unsigned n_bad, struct err_note *note) {
        AUTO(store_abort) struct store_change *change = NULL;
        AUTO(map_fini) struct map seen = {0};
        bool is_changed = false;

        if (catalog_begin(sr->catalog, &change, note))
                return note->code;
        VEC_EACH (&sr->vdis, each) {
                map_put(&seen, map_key_uuid(&each->row.uuid), each);
                if (find_row(rows, &each->row.uuid))
                        continue;
                is_changed = true;
                if (catalog_put_vdi(change, &each->row, note))
                        return note->code;
        }
        VEC_EACH (&rows->list, each) {
                if (map_get(&seen, map_key_uuid(&each->uuid)) || is_named_by_intent(sr, &each->uuid) ||
                    !is_gone_for_good(sr, &each->uuid))
                        continue;
                is_changed = true;
                if (catalog_drop_vdi(change, &each->uuid, note))
                        return note->code;
        }
        (void)n_bad; /* a bad row of a file that is there was replaced above; one of no file harms nobody */
        if (!is_changed)
                return ERR_NONE;
        return store_commit(TAKE(change), note);
}

enum err sr_refresh(struct sr *sr, struct err_note *note) {
        AUTO(vdi_rows_fini) struct vdi_rows rows = {0};
        AUTO(intents_fini) struct intents unfinished = {0};
        struct tree tree;
        unsigned n_bad = 0;

        if (sr->catalog && (intents_read(sr->catalog, &unfinished, note) ||
                            catalog_each_vdi(sr->catalog, &rows, &n_bad, note)))
                return err_wrap(note, "scan SR %s", sr->place->where);
        if (tree_scan(sr->place, &tree, note))
                return note->code;
        fini_vdis(sr);
        tree_fini(&sr->tree);
        sr->tree = tree;
        intents_fini(&sr->unfinished);
        sr->unfinished = unfinished;
        unfinished = (struct intents){0};
        if (mark_raw_hidden(sr, note))
                return err_wrap(note, "scan SR %s", sr->place->where);
        VEC_EACH (&sr->tree.nodes, each) {
                struct vdi_row *row = find_row(&rows, &(*each)->uuid);

                if (is_vdi(sr, *each, row))
                        add_vdi(sr, *each, row);
        }
        add_metadata(sr, &rows);
        if (!sr->is_read_only && mend_catalog(sr, &rows, n_bad, note))
                return err_wrap(note, "mend the catalog of SR %s", sr->place->where);
        sort_vdis(sr);
        mark_open(sr);
        return ERR_NONE;
}

enum err sr_refresh_after(struct sr *sr, enum err err, struct err_note *note) {
        struct err_note later;

        if (sr_refresh(sr, err ? &later : note) && !err)
                return note->code;
        return err;
}

/* ---- opening ---- */

static catalog_open_store store_of(const struct sr_options *options) {
        return options && options->open_store ? options->open_store : store_sqlite_open;
}

static enum err set_aside(struct sr *sr, const char *path, struct err_note *note) {
        struct uuid dice = sr_fresh_uuid(sr);
        AUTO_FREE char *to = mem_format("%s.damaged-%.8s", path, uuid_format(&dice).s);

        return store_sqlite_set_aside(sr->io, path, to, note);
}

static enum err open_catalog(struct sr *sr, const struct sr_options *options, struct err_note *note) {
        AUTO_FREE char *path = sr_catena_path(sr, CATALOG);
        enum err err =
                catalog_open(sr->io, path, store_of(options), STORE_WRITE | STORE_CREATE, &sr->catalog, note);

        if (err == ERR_CORRUPT && options && options->rebuild_catalog) {
                if (set_aside(sr, path, note))
                        return note->code;
                err = catalog_open(sr->io, path, store_of(options), STORE_WRITE | STORE_CREATE, &sr->catalog,
                                   note);
        }
        return err;
}

/* Without a catalog an SR reads as a folder of disks that are named by their uuids. */
static enum err open_catalog_to_read(struct sr *sr, const struct sr_options *options, struct err_note *note) {
        AUTO_FREE char *path = sr_catena_path(sr, CATALOG);
        AUTO_FREE char *owner = sr_catena_path(sr, OWNER);
        enum err err = catalog_open(sr->io, path, store_of(options), STORE_READ_ONLY, &sr->catalog, note);

        if (err == ERR_BUSY)
                return owner_say_busy(sr->io, owner, note);
        return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

static const char *base_name(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash && slash[1] ? slash + 1 : path;
}

static enum err put_sr_row(struct sr *sr, const struct sr_row *row, struct err_note *note) {
        AUTO(store_abort) struct store_change *change = NULL;

        if (catalog_begin(sr->catalog, &change, note) || catalog_put_sr(change, row, note))
                return note->code;
        return store_commit(TAKE(change), note);
}

static enum err read_sr_row(struct sr *sr, struct err_note *note) {
        enum err err = sr->catalog ? catalog_get_sr(sr->catalog, &sr->row, note) : ERR_NOT_FOUND;

        if (err != ERR_NOT_FOUND)
                return err;
        /* Lost, or never there: an SR all the same. */
        sr->row = (struct sr_row){.name = mem_text(base_name(sr->place->where)), .description = mem_text("")};
        if (sr->is_read_only)
                return ERR_NONE;
        sr->row.uuid = sr_fresh_uuid(sr);
        sr->row.created = sr_now(sr);
        return put_sr_row(sr, &sr->row, note);
}

static enum err is_there(struct io *io, const char *path, bool *ret, struct err_note *note) {
        struct io_stat stat;
        enum err err = io_stat_path(io, path, &stat, note);

        if (err && err != ERR_NOT_FOUND)
                return err;
        *ret = err == ERR_NONE;
        return ERR_NONE;
}

const struct place_marked *sr_unfinished_mark(const struct place_listing *listing) {
        VEC_EACH (&listing->marked, each) {
                if (each->mark != PLACE_OLD && each->mark != PLACE_FOREIGN)
                        return each;
        }
        return NULL;
}

/* Another tool's change was cut short here: it is for that tool, or for adopting, to end it. */
static enum err refuse_marks(struct sr *sr, struct err_note *note) {
        AUTO(place_listing_fini) struct place_listing listing = {0};
        const struct place_marked *marked;

        if (place_list(sr->place, &listing, note))
                return note->code;
        marked = sr_unfinished_mark(&listing);
        if (!marked)
                return ERR_NONE;
        return err_set(
                note, ERR_INVALID,
                "%s/%s is left from a change by sm: \"sr adopt\" lists such and finishes or undoes them",
                sr->place->where, marked->name);
}

static enum err open_owned(struct sr *sr, const struct sr_options *options, struct err_note *note) {
        AUTO_FREE char *catena = sr_catena_path(sr, "");
        AUTO_FREE char *owner = sr_catena_path(sr, OWNER);
        struct err_note unused;
        bool is_sr;

        if (is_there(sr->io, catena, &is_sr, note))
                return note->code;
        if (!is_sr)
                return err_set(note, ERR_INVALID,
                               "%s is not an SR: there is no " CATENA
                               " in it; \"sr create\" makes an SR of an empty folder, \"sr adopt\" of one "
                               "with disks",
                               sr->place->where);
        if (owner_take(sr->io, owner, options ? options->self : NULL, &sr->owner, note) ||
            refuse_marks(sr, note) || open_catalog(sr, options, note) || read_sr_row(sr, note))
                return note->code;
        /* What cannot be recovered, its file being damaged, keeps the SR from being changed, not from being
         * read. */
        if (recover_all(sr, &unused))
                sr->must_recover = true;
        else if (recover_leftovers(sr, note))
                return err_wrap(note, "recover");
        return ERR_NONE;
}

static enum err finish_halves(struct sr *sr, struct err_note *note) {
        bool did_change = false;
        enum err err = recover_halves(sr, &did_change, note);

        if (err != ERR_NONE && err != ERR_BUSY && err != ERR_CORRUPT)
                return err_wrap(note, "open SR %s", sr->place->where);
        return did_change ? sr_refresh(sr, note) : ERR_NONE;
}

/* Without it only a full SR is worse off: that there is none is no reason not to open. */
static void open_ballast(struct sr *sr, const struct sr_options *options) {
        AUTO_FREE char *path = sr_catena_path(sr, BALLAST);
        struct err_note unused;
        struct io_space space;
        uint64_t size = 0;

        if (options && options->ballast_bytes && sr_space(sr, &space, &unused) == ERR_NONE)
                size = ballast_size_for(space.total, options->ballast_bytes);
        if (size > 0 && ballast_open(sr->io, path, size, &sr->images, &sr->ballast, &unused))
                sr->ballast = NULL;
}

enum err sr_open(struct io *io, const char *dir, const struct sr_options *options, struct sr **ret,
                 struct err_note *note) {
        AUTO(sr_close) struct sr *sr = mem_new(struct sr);
        struct images_options images =
                options && options->images ? *options->images : (struct images_options){0};

        sr->io = io;
        sr->is_read_only = options && options->mode == SR_READ_ONLY;
        images.is_read_only |= sr->is_read_only;
        images_init(&sr->images, io, &images);
        if (place_dir_open(io, dir, &sr->place, note))
                return err_wrap(note, "open SR %s", dir);
        if (sr->is_read_only ? (open_catalog_to_read(sr, options, note) || read_sr_row(sr, note))
                             : open_owned(sr, options, note))
                return err_wrap(note, "open SR %s", dir);
        if (sr_refresh(sr, note) || (!sr->is_read_only && finish_halves(sr, note)))
                return note->code;
        if (!sr->is_read_only) {
                struct err_note unused;

                open_ballast(sr, options);
                /* What cannot be settled now keeps its own disk from being opened, and nothing else. */
                (void)!sr_move_recover(sr, &unused);
        }
        *ret = TAKE(sr);
        return ERR_NONE;
}

void sr_close(struct sr *sr) {
        assert(sr->chains.n == 0 && sr->imports.n == 0);
        coalesce_end_all(sr);
        vec_fini(&sr->coalesces);
        vec_fini(&sr->chains);
        vec_fini(&sr->imports);
        vec_fini(&sr->went);
        fini_vdis(sr);
        tree_fini(&sr->tree);
        intents_fini(&sr->unfinished);
        if (sr->ballast)
                ballast_close(sr->ballast);
        images_fini(&sr->images);
        sr_row_fini(&sr->row);
        if (sr->catalog)
                catalog_close(sr->catalog);
        /* Last: whoever gets the lock finds all of the above closed. */
        if (sr->owner)
                owner_leave(sr->owner);
        if (sr->place)
                place_free(sr->place);
        free(sr);
}

/* ---- looking ---- */

const struct sr_row *sr_info(const struct sr *sr) {
        return &sr->row;
}

const char *sr_where(const struct sr *sr) {
        return sr->place->where;
}

bool sr_is_read_only(const struct sr *sr) {
        return sr->is_read_only;
}

enum err sr_space(struct sr *sr, struct io_space *ret, struct err_note *note) {
        return io_space(sr->io, sr->place->where, ret, note);
}

enum err sr_scan(struct sr *sr, struct err_note *note) {
        return sr_refresh(sr, note);
}

const struct tree *sr_tree(const struct sr *sr) {
        return &sr->tree;
}

size_t sr_n_vdis(const struct sr *sr) {
        return sr->vdis.n;
}

const struct vdi *sr_vdi_at(const struct sr *sr, size_t i) {
        assert(i < sr->vdis.n);
        return &sr->vdis.data[i];
}

const struct vdi *sr_get_vdi(const struct sr *sr, const struct uuid *uuid) {
        VEC_EACH (&sr->vdis, each) {
                if (uuid_equal(&each->row.uuid, uuid))
                        return each;
        }
        return NULL;
}

enum err sr_find_vdi(struct sr *sr, const char *uuid_or_name, const struct vdi **ret, struct err_note *note) {
        const struct vdi *found = NULL;
        struct uuid uuid;

        if (uuid_parse(uuid_or_name, &uuid)) {
                found = sr_get_vdi(sr, &uuid);
                if (found) {
                        *ret = found;
                        return ERR_NONE;
                }
        }
        VEC_EACH (&sr->vdis, vdi) {
                if (strcmp(vdi->row.name, uuid_or_name) != 0)
                        continue;
                if (found)
                        return err_set(note, ERR_INVALID,
                                       "two VDIs are named \"%s\": %s and %s; say which by its uuid",
                                       uuid_or_name, uuid_format(&found->row.uuid).s,
                                       uuid_format(&vdi->row.uuid).s);
                found = vdi;
        }
        if (!found)
                return err_set(note, ERR_NOT_FOUND, "no VDI in SR %s has the name or uuid \"%s\"",
                               sr->place->where, uuid_or_name);
        *ret = found;
        return ERR_NONE;
}

enum err sr_need_vdi(struct sr *sr, const struct uuid *uuid, const struct vdi **ret, struct err_note *note) {
        const struct vdi *vdi = sr_get_vdi(sr, uuid);

        if (!vdi)
                return err_set(note, ERR_NOT_FOUND, "no VDI %s in SR %s", uuid_format(uuid).s,
                               sr->place->where);
        if (vdi->is_metadata)
                return err_set(note, ERR_INVALID,
                               "VDI %s has no data: it was destroyed, and only what changed is kept",
                               vdi->row.name);
        if (vdi->node->error.code) {
                *note = vdi->node->error;
                return note->code;
        }
        *ret = vdi;
        return ERR_NONE;
}

/* ---- settings ---- */

enum err sr_set(struct sr *sr, const struct sr_settings *settings, struct err_note *note) {
        struct sr_row row = sr->row;

        if (sr_begin_change(sr, note) || (settings->name && sr_check_text("name", settings->name, note)) ||
            (settings->description && sr_check_text("description", settings->description, note)))
                return err_wrap(note, "set SR %s", sr->place->where);
        row.name = mem_text(settings->name ? settings->name : row.name);
        row.description = mem_text(settings->description ? settings->description : row.description);
        row.extra = json_incref(row.extra);
        row.max_depth = settings->max_depth ? *settings->max_depth : row.max_depth;
        if (put_sr_row(sr, &row, note)) {
                sr_row_fini(&row);
                return err_wrap(note, "set SR %s", sr->place->where);
        }
        sr_row_fini(&sr->row);
        sr->row = row;
        return ERR_NONE;
}

void sr_notices_fini(struct sr_notices *notices) {
        vec_fini(&notices->list);
}
