// SPDX-License-Identifier: Apache-2.0
#include "changes.h"

#include "coalesce.h"
#include "compare.h"
#include "garbage.h"
#include "line.h"
#include "logbook.h"

/* ---- one step back: what a VDI tells of the snapshot before it ---- */

/* A log that cannot be read tells nothing; that is no reason not to go on. */
static enum err read_log(struct sr *sr, const struct uuid *uuid, struct change_log *ret,
                         struct err_note *note) {
        enum err err;

        if (!logbook_has(sr, uuid))
                return err_set(note, ERR_NOT_FOUND, "no log");
        err = logbook_read(sr, uuid, ret, note);
        if (err == ERR_CORRUPT || err == ERR_CUT_SHORT || err == ERR_MISMATCH)
                return err_set(note, ERR_NOT_FOUND, "no log that can be read");
        return err;
}

static bool has_data(struct sr *sr, const struct uuid *uuid) {
        const struct vdi *vdi = sr_get_vdi(sr, uuid);

        return vdi && vdi->has_data && !vdi->node->error.code;
}

static uint64_t size_of(struct sr *sr, const struct uuid *uuid) {
        const struct vdi *vdi = sr_get_vdi(sr, uuid);

        return vdi ? vdi->node->size : 0;
}

/* Where one step back leads, and what tells of it: a log, which was read, or the layers, which were not. */
struct step {
        struct uuid to; /* null: nowhere */
        bool is_by_layers;
        struct change_log log; /* owned; of what its own log says */
};

static void step_fini(struct step *step) {
        change_log_fini(&step->log);
}
DEFINE_AUTO_IN_PLACE(struct step, step_fini);

/* The log first: it knows of those that the layers know no more. */
static enum err find_step(struct sr *sr, const struct line *line, const struct uuid *uuid, struct step *ret,
                          struct err_note *note) {
        AUTO(change_log_fini) struct change_log log = {0};
        const struct line_member *member = line_find(line, uuid);
        enum err err = ERR_NOT_FOUND;

        /* A disk's own log, which sm kept, goes before it is changed: where it is there, it is true. */
        if (sr_get_vdi(sr, uuid))
                err = read_log(sr, uuid, &log, note);
        if (err && err != ERR_NOT_FOUND)
                return err;
        if (!err && !uuid_is_null(&log.head.parent)) {
                *ret = (struct step){.to = log.head.parent, .log = log};
                log = (struct change_log){0};
        } else {
                *ret = (struct step){.is_by_layers = true};
                if (member)
                        ret->to = member->before;
        }
        return ERR_NONE;
}

/* Its head says which; null: none. */
static enum err step_back(struct sr *sr, const struct line *line, const struct uuid *uuid,
                          struct change_log *ret, struct err_note *note) {
        AUTO(step_fini) struct step step = {0};

        if (find_step(sr, line, uuid, &step, note))
                return note->code;
        if (uuid_is_null(&step.to))
                return change_log_init(ret, size_of(sr, uuid), note);
        if (step.is_by_layers)
                return compare_layers(sr, &step.to, uuid, ret, note);
        *ret = step.log;
        step.log = (struct change_log){0};
        return ERR_NONE;
}

/* ---- from one to another ---- */

struct sr_changed {
        struct change_log sum;        /* of logs, and of what could not wait */
        VEC(struct compare) compares; /* owned, and each; not read yet */
};

/* A disk that may be written to would be in the way of who wants to write: it is compared at once. */
static enum err add_layers(struct sr *sr, struct sr_changed *changed, const struct uuid *older,
                           const struct uuid *newer, struct err_note *note) {
        AUTO(compare_close) struct compare compare = {0};
        AUTO(change_log_fini) struct change_log log = {0};
        const struct vdi *vdi = sr_get_vdi(sr, newer);
        bool can_wait = vdi && vdi->is_read_only;

        if (compare_open(sr, older, newer, &compare, note))
                return note->code;
        if (can_wait) {
                *vec_add(&changed->compares) = compare;
                compare = (struct compare){0};
                return ERR_NONE;
        }
        if (compare_read(&compare, &log, note))
                return note->code;
        change_log_add(&changed->sum, &log);
        return ERR_NONE;
}

static enum err add_step(struct sr *sr, struct sr_changed *changed, const struct step *step,
                         const struct uuid *at, struct err_note *note) {
        if (step->is_by_layers)
                return add_layers(sr, changed, &step->to, at, note);
        change_log_add(&changed->sum, &step->log);
        return ERR_NONE;
}

/* changed: what is found is added to it; NULL: only whether there is a way. */
static enum err walk_back(struct sr *sr, const struct line *line, const struct uuid *from,
                          const struct uuid *to, struct sr_changed *changed, struct err_note *note) {
        struct uuid at = *to;

        /* No way is longer than there are VDIs; logs that lead in a circle lead nowhere. */
        for (size_t i = 0; i <= sr->vdis.n && !uuid_equal(&at, from); i++) {
                AUTO(step_fini) struct step step = {.to = *from, .is_by_layers = true};
                bool is_direct = has_data(sr, from) && has_data(sr, &at) && line_leads(line, from, &at);

                if (!is_direct && find_step(sr, line, &at, &step, note))
                        return note->code;
                if (uuid_is_null(&step.to))
                        break;
                if (changed && add_step(sr, changed, &step, &at, note))
                        return note->code;
                at = step.to;
        }
        if (!uuid_equal(&at, from))
                return err_set(note, ERR_MISMATCH, "nothing leads from VDI %s to VDI %s", uuid_format(from).s,
                               uuid_format(to).s);
        return ERR_NONE;
}

static enum err need_both(struct sr *sr, const struct uuid *from, const struct uuid *to,
                          struct err_note *note) {
        const struct uuid *both[] = {from, to};

        for (unsigned i = 0; i < 2; i++) {
                const struct vdi *vdi = sr_get_vdi(sr, both[i]);

                if (!vdi)
                        return sr_need_vdi(sr, both[i], &vdi, note);
                if (vdi->node->error.code) {
                        *note = vdi->node->error;
                        return note->code;
                }
        }
        if (uuid_equal(from, to))
                return err_set(note, ERR_INVALID, "they are the same VDI");
        return ERR_NONE;
}

void sr_changed_end(struct sr_changed *changed) {
        VEC_EACH (&changed->compares, each) {
                compare_close(each);
        }
        vec_fini(&changed->compares);
        change_log_fini(&changed->sum);
        free(changed);
}

static enum err begin(struct sr *sr, const struct uuid *from, const struct uuid *to, struct sr_changed **ret,
                      struct err_note *note) {
        AUTO(line_fini) struct line line = {0};
        AUTO(sr_changed_end) struct sr_changed *changed = mem_new(struct sr_changed);
        struct err_note unused;
        enum err err;

        /* What is open until the end would be in the way of finishing a change that was cut short. */
        if (sr->must_recover)
                (void)!sr_begin_change(sr, &unused);
        if (need_both(sr, from, to, note) || line_read(sr, &line, note) ||
            change_log_init(&changed->sum, size_of(sr, to), note))
                return note->code;
        err = walk_back(sr, &line, from, to, changed, note);
        if (err == ERR_MISMATCH && walk_back(sr, &line, to, from, NULL, &unused) == ERR_NONE)
                return err_set(note, ERR_INVALID, "the first is the newer of the two");
        if (err)
                return err;
        *ret = TAKE(changed);
        return ERR_NONE;
}

enum err sr_changed_begin(struct sr *sr, const struct uuid *from, const struct uuid *to,
                          struct sr_changed **ret, struct err_note *note) {
        struct uuid_text from_room, to_room;

        if (begin(sr, from, to, ret, note))
                return err_wrap(note, "what changed from VDI %s to VDI %s", sr_called(sr, from, &from_room),
                                sr_called(sr, to, &to_room));
        return ERR_NONE;
}

enum err sr_changed_read(struct sr_changed *changed, struct changed_blocks *ret, struct err_note *note) {
        VEC_EACH (&changed->compares, each) {
                AUTO(change_log_fini) struct change_log log = {0};

                if (compare_read(each, &log, note))
                        return err_wrap(note, "what changed since VDI %s", uuid_format(&each->from).s);
                change_log_add(&changed->sum, &log);
        }
        *ret = (struct changed_blocks){.bits = TAKE(changed->sum.bits),
                                       .size_bytes = changed->sum.head.size_bytes};
        return ERR_NONE;
}

void changed_blocks_fini(struct changed_blocks *blocks) {
        free(blocks->bits);
        *blocks = (struct changed_blocks){0};
}

/* ---- data goes ---- */

/* For sm, which walks from the older to the newer: the older's log names who comes next. */
static enum err name_child(struct sr *sr, const struct uuid *older, const struct uuid *newer,
                           struct err_note *note) {
        AUTO(change_log_fini) struct change_log log = {0};
        enum err err = read_log(sr, older, &log, note);

        if (err)
                return err == ERR_NOT_FOUND ? ERR_NONE : err;
        log.head.child = *newer;
        return logbook_write(sr, older, &log, note);
}

/* Its log says durably what is told of the snapshot before it. */
static enum err write_step_back(struct sr *sr, const struct line *line, const struct uuid *uuid,
                                struct err_note *note) {
        AUTO(change_log_fini) struct change_log log = {0};

        if (step_back(sr, line, uuid, &log, note) || logbook_write(sr, uuid, &log, note))
                return note->code;
        if (uuid_is_null(&log.head.parent))
                return ERR_NONE;
        return name_child(sr, &log.head.parent, uuid, note);
}

/* Comes right before a disk whose next snapshot will be asked what changed since. */
static bool is_last(const struct line *line, const struct uuid *uuid) {
        VEC_EACH (&line->members, each) {
                if (uuid_equal(&each->before, uuid) && !each->is_snapshot && each->has_cbt)
                        return true;
        }
        return false;
}

/* The last may go again, as that of a backup that failed does: then the one before is the last.  So that one
 * stays until the last is metadata, or there is a later one. */
static bool is_last_but_one(struct sr *sr, const struct line *line, const struct uuid *uuid) {
        VEC_EACH (&line->members, each) {
                const struct vdi *vdi = sr_get_vdi(sr, &each->uuid);

                if (uuid_equal(&each->before, uuid) && each->is_snapshot && vdi && !vdi->is_metadata &&
                    is_last(line, &each->uuid))
                        return true;
        }
        return false;
}

static enum err release_data(struct sr *sr, const struct line *line, const struct uuid *uuid,
                             struct err_note *note) {
        const struct vdi *vdi = sr_get_vdi(sr, uuid);
        struct place_name name = node_place_name(vdi->node);

        /* [K2] those right after it, on each branch, then itself: all logs are durable before it is hidden,
         * for from then on anybody may collect it. */
        VEC_EACH (&line->members, each) {
                if (uuid_equal(&each->before, uuid) && each->is_snapshot &&
                    write_step_back(sr, line, &each->uuid, note))
                        return note->code;
        }
        if (!logbook_has(sr, uuid) && write_step_back(sr, line, uuid, note))
                return note->code;
        return place_set_hidden(sr->place, &name, true, note);
}

static const struct vdi *next_to_settle(struct sr *sr, const struct line *line, const struct uuid *wanted) {
        VEC_EACH (&sr->vdis, each) {
                const struct uuid *uuid = &each->row.uuid;

                if (!each->is_metadata || !each->has_data || each->is_open || each->node->is_alias ||
                    !line_find(line, uuid) || is_last(line, uuid))
                        continue;
                if ((wanted && uuid_equal(wanted, uuid)) || !is_last_but_one(sr, line, uuid))
                        return each;
        }
        return NULL;
}

static bool is_any_to_settle(const struct sr *sr) {
        VEC_EACH (&sr->vdis, each) {
                if (each->is_metadata && each->has_data)
                        return true;
        }
        return false;
}

/* The line is read anew each time: with each that goes another is right before those behind it. */
static enum err settle_one(struct sr *sr, const struct uuid *wanted, bool *ret_did, struct err_note *note) {
        AUTO(line_fini) struct line line = {0};
        const struct vdi *vdi;
        struct uuid uuid;
        enum err err;

        *ret_did = false;
        if (!is_any_to_settle(sr))
                return ERR_NONE;
        if (line_read(sr, &line, note))
                return note->code;
        vdi = next_to_settle(sr, &line, wanted);
        if (!vdi)
                return ERR_NONE;
        uuid = vdi->row.uuid;
        err = coalesce_make_way(sr, &uuid, "destroy the data of", note);
        if (!err && has_data(sr, &uuid))
                err = release_data(sr, &line, &uuid, note);
        *ret_did = true;
        if (sr_refresh_after(sr, err, note))
                return err_wrap(note, "destroy the data of VDI %s", uuid_format(&uuid).s);
        return ERR_NONE;
}

enum err changes_settle(struct sr *sr, const struct uuid *wanted, struct err_note *note) {
        bool did = true;

        while (did)
                if (settle_one(sr, wanted, &did, note))
                        return note->code;
        return ERR_NONE;
}

/* ---- data_destroy ---- */

static enum err need_destroyable(struct sr *sr, const struct vdi *vdi, struct err_note *note) {
        if (!vdi->row.is_snapshot)
                return err_set(note, ERR_INVALID, "VDI %s is no snapshot", vdi->row.name);
        if (!vdi->row.has_cbt)
                return err_set(note, ERR_INVALID, "VDI %s was made without change tracking", vdi->row.name);
        if (vdi->node->n_children > 0)
                return err_set(note, ERR_BUSY, "VDI %s has children that read through it", vdi->row.name);
        if (vdi->node->is_alias)
                return err_set(note, ERR_BUSY,
                               "%s is one of two names of the same file: find out which to remove",
                               vdi->node->name);
        return sr_need_closed(sr, vdi, "destroy the data of", note);
}

static enum err make_metadata(struct sr *sr, const struct uuid *uuid, struct err_note *note) {
        AUTO(line_fini) struct line line = {0};
        AUTO(vdi_row_fini) struct vdi_row row = {0};
        const struct vdi *vdi = sr_get_vdi(sr, uuid);

        if (vdi && vdi->is_metadata)
                return ERR_NONE;
        if (coalesce_make_way(sr, uuid, "destroy the data of", note) || sr_need_vdi(sr, uuid, &vdi, note) ||
            need_destroyable(sr, vdi, note) || line_read(sr, &line, note))
                return note->code;
        /* [K3] its log first: where the row is lost with the catalog, the log still names it. */
        if (write_step_back(sr, &line, uuid, note) || sr_need_vdi(sr, uuid, &vdi, note))
                return note->code;
        vdi_row_copy(&vdi->row, &row);
        row.is_metadata = true;
        return sr_note_change(sr, &row, NULL, NULL, note);
}

enum err sr_vdi_data_destroy(struct sr *sr, const struct uuid *uuid, struct err_note *note) {
        struct uuid_text room;
        enum err err = sr_begin_change(sr, note);

        if (!err)
                err = make_metadata(sr, uuid, note);
        if (sr_refresh_after(sr, err, note) || changes_settle(sr, uuid, note) ||
            garbage_collect_quietly(sr, note))
                return err_wrap(note, "destroy the data of VDI %s", sr_called(sr, uuid, &room));
        return ERR_NONE;
}

/* ---- deleting ---- */

/* newer came right after the one that goes, whose own step back is `gone`. */
static enum err take_over(struct sr *sr, const struct uuid *newer, struct change_log *own,
                          const struct change_log *gone, struct err_note *note) {
        own->head.parent = gone->head.parent;
        change_log_add(own, gone);
        if (logbook_write(sr, newer, own, note))
                return note->code;
        if (uuid_is_null(&own->head.parent))
                return ERR_NONE;
        return name_child(sr, &own->head.parent, newer, note);
}

static enum err take_over_logged(struct sr *sr, const struct uuid *uuid, const struct change_log *gone,
                                 struct err_note *note) {
        for (size_t i = 0; i < sr->vdis.n; i++) {
                struct uuid newer = sr->vdis.data[i].row.uuid;
                AUTO(change_log_fini) struct change_log own = {0};
                enum err err = read_log(sr, &newer, &own, note);

                if (err && err != ERR_NOT_FOUND)
                        return err;
                if (!err && uuid_equal(&own.head.parent, uuid) && take_over(sr, &newer, &own, gone, note))
                        return note->code;
        }
        return ERR_NONE;
}

/* Those after it that know it by their layers have no log; they need one where it has one. */
static enum err take_over_layered(struct sr *sr, const struct line *line, const struct uuid *uuid,
                                  const struct change_log *gone, struct err_note *note) {
        VEC_EACH (&line->members, each) {
                AUTO(change_log_fini) struct change_log own = {0};

                if (!each->is_snapshot || !uuid_equal(&each->before, uuid) || logbook_has(sr, &each->uuid))
                        continue;
                if (compare_layers(sr, uuid, &each->uuid, &own, note) ||
                    take_over(sr, &each->uuid, &own, gone, note))
                        return note->code;
        }
        return ERR_NONE;
}

/* One that is damaged can be deleted all the same; what came before it is lost then. */
static enum err step_back_of_gone(struct sr *sr, const struct line *line, const struct uuid *uuid,
                                  struct change_log *ret, struct err_note *note) {
        enum err err = step_back(sr, line, uuid, ret, note);

        if (err != ERR_CORRUPT && err != ERR_CUT_SHORT && err != ERR_MISMATCH && err != ERR_NOT_FOUND)
                return err;
        return change_log_init(ret, 0, note);
}

enum err changes_leave_line(struct sr *sr, const struct uuid *uuid, struct err_note *note) {
        AUTO(line_fini) struct line line = {0};
        AUTO(change_log_fini) struct change_log gone = {0};
        bool has_log = logbook_has(sr, uuid);

        if (sr->tree.listing.logs.n == 0)
                return ERR_NONE;
        if (line_read(sr, &line, note) || step_back_of_gone(sr, &line, uuid, &gone, note) ||
            take_over_logged(sr, uuid, &gone, note) ||
            (has_log && take_over_layered(sr, &line, uuid, &gone, note)))
                return err_wrap(note, "hand on what changed");
        /* [K3] before the row and the file: a log of neither would be taken for metadata again. */
        return logbook_remove(sr, uuid, note);
}

enum err changes_drop_row(struct sr *sr, const struct uuid *uuid, struct err_note *note) {
        AUTO(store_abort) struct store_change *change = NULL;

        if (catalog_begin(sr->catalog, &change, note) || catalog_drop_vdi(change, uuid, note))
                return note->code;
        return store_commit(TAKE(change), note);
}

/* ---- wanted or not ---- */

enum err sr_vdi_set_cbt(struct sr *sr, const struct uuid *uuid, bool has_cbt, struct err_note *note) {
        AUTO(vdi_row_fini) struct vdi_row row = {0};
        const char *verb = has_cbt ? "enable" : "disable";
        const struct vdi *vdi;
        struct uuid_text room;
        enum err err;

        if (sr_begin_change(sr, note) || sr_need_vdi(sr, uuid, &vdi, note))
                return err_wrap(note, "%s change tracking", verb);
        if (vdi->row.is_snapshot)
                return err_set(note, ERR_INVALID, "%s change tracking: VDI %s is a snapshot", verb,
                               vdi->row.name);
        if (has_cbt && vdi->node->kind == IMAGE_RAW)
                return err_set(note, ERR_UNSUPPORTED, "%s change tracking: VDI %s is raw", verb,
                               vdi->row.name);
        if (vdi->row.has_cbt == has_cbt)
                return ERR_NONE;
        vdi_row_copy(&vdi->row, &row);
        row.has_cbt = has_cbt;
        err = sr_note_change(sr, &row, NULL, NULL, note);
        if (sr_refresh_after(sr, err, note) || changes_settle(sr, NULL, note) ||
            garbage_collect_quietly(sr, note))
                return err_wrap(note, "%s change tracking of VDI %s", verb, sr_called(sr, uuid, &room));
        return ERR_NONE;
}
