// SPDX-License-Identifier: Apache-2.0
#include "sr_move.h"

#include "changes.h"
#include "garbage.h"
#include "sr_move_mark.h"
#include "sr_state.h"

/* ---- a move that is over: it goes here ---- */

/* It is hidden; what it held goes where nothing else needs it. */
static enum err drop_intent(struct sr *sr, const struct intent *intent, struct err_note *note) {
        enum err err = sr_note_change(sr, NULL, NULL, &intent->uuid, note);

        return sr_refresh_after(sr, err, note);
}

static enum err hide(struct sr *sr, const struct uuid *uuid, struct err_note *note) {
        const struct vdi *vdi = sr_get_vdi(sr, uuid);

        if (vdi && changes_leave_line(sr, uuid, note))
                return note->code;
        vdi = sr_get_vdi(sr, uuid);
        return vdi ? sr_vdi_hide(sr, vdi, note) : ERR_NONE;
}

static enum err finish(struct sr *sr, const struct intent *intent, struct err_note *note) {
        if (hide(sr, &intent->vdi, note) || drop_intent(sr, intent, note))
                return note->code;
        *vec_add(&sr->went) = (struct sr_went){.vdi = intent->vdi, .to = intent->other};
        move_mark_drop(sr->io, intent->where, &intent->vdi);
        if (changes_settle(sr, NULL, note))
                return note->code;
        return garbage_collect_quietly(sr, note);
}

bool sr_move_went(const struct sr *sr, const struct uuid *vdi, struct uuid *ret_sr) {
        for (size_t i = sr->went.n; i-- > 0;)
                if (uuid_equal(&sr->went.data[i].vdi, vdi)) {
                        *ret_sr = sr->went.data[i].to;
                        return true;
                }
        return false;
}

/* ---- one that was cut short ---- */

static enum err settle(struct sr *sr, const struct intent *intent, struct err_note *note) {
        switch (move_mark_look(sr->io, intent->where, &intent->vdi)) {
        case MOVE_UNKNOWN:
                break;
        case MOVE_THERE:
                return finish(sr, intent, note);
        case MOVE_NOT_THERE:
                if (drop_intent(sr, intent, note))
                        return note->code;
                move_mark_drop(sr->io, intent->where, &intent->vdi);
                break;
        }
        return ERR_NONE;
}

enum err sr_move_recover(struct sr *sr, struct err_note *note) {
        AUTO(intents_fini) struct intents intents = {0};
        struct err_note later;
        enum err err = ERR_NONE;
        bool has_any = false;

        VEC_EACH (&sr->unfinished.list, each) {
                has_any |= each->kind == INTENT_MOVE;
        }
        if (!has_any)
                return ERR_NONE;
        /* Those of the SR are read anew at each refresh. */
        if (intents_read(sr->catalog, &intents, note))
                return note->code;
        VEC_EACH (&intents.list, each) {
                if (each->kind == INTENT_MOVE && settle(sr, each, err ? &later : note))
                        err = note->code;
        }
        return err;
}

static const struct intent *move_of(const struct sr *sr, const struct uuid *vdi) {
        VEC_EACH (&sr->unfinished.list, each) {
                if (each->kind == INTENT_MOVE && uuid_equal(&each->vdi, vdi))
                        return each;
        }
        return NULL;
}

enum err sr_move_need_here(struct sr *sr, const struct uuid *vdi, struct err_note *note) {
        const struct intent *intent = move_of(sr, vdi);

        if (!intent)
                return ERR_NONE;
        if (!sr->is_read_only && sr_move_recover(sr, note))
                return note->code;
        intent = move_of(sr, vdi);
        if (!intent)
                return ERR_NONE;
        return err_set(
                note, ERR_BUSY,
                "it was being moved to the SR at %s, which cannot be looked at and may have it by now: "
                "make that reachable; or clone what is here",
                intent->where);
}

enum err sr_move_need_settled(struct sr *sr, const struct uuid *vdi, struct err_note *note) {
        AUTO_FREE char *from = NULL;
        enum move_found found = move_mark_arrival(sr->place, vdi, &from);

        if (found == MOVE_NOT_THERE) {
                if (from)
                        move_mark_drop(sr->io, sr->place->where, vdi);
                return ERR_NONE;
        }
        return err_set(
                note, ERR_BUSY,
                "it was moved here from the SR at %s, which has it still: open that first (\"sr scan\")",
                from ? from : "an unknown place");
}

/* ---- the end ---- */

static enum err prepare(struct sr *sr, struct sr *to, struct sr_import *into, const struct intent *intent,
                        struct err_note *note) {
        if (sr_begin_change(sr, note) || chain_flush(sr_import_chain(into), note) ||
            move_mark_put(to->place, &intent->vdi, sr->place->where, note))
                return note->code;
        /* Where it fails it may be there all the same. */
        sr->must_recover = true;
        return sr_note_change(sr, NULL, intent, NULL, note);
}

/* Whatever failed, what is in the other folder says how it ended. */
static enum err settle_failed(struct sr *sr, const struct intent *intent, bool *ret_is_over,
                              struct err_note *note) {
        struct err_note later;

        sr->must_recover = true;
        if (sr_begin_change(sr, &later) || move_of(sr, &intent->vdi))
                return err_wrap(note, "whether it has moved to %s is not known yet", intent->where);
        *ret_is_over = !sr_get_vdi(sr, &intent->vdi);
        return *ret_is_over ? ERR_NONE : note->code;
}

enum err sr_move_commit(struct sr *sr, const struct uuid *vdi, struct sr *to, struct sr_import *into,
                        const struct uuid *stream, bool *ret_is_over, struct err_note *note) {
        AUTO(intent_fini)
        struct intent intent = {.uuid = sr_fresh_uuid(sr),
                                .kind = INTENT_MOVE,
                                .vdi = *vdi,
                                .vdi_kind = sr_get_vdi(sr, vdi)->node->kind,
                                .other = to->row.uuid,
                                .where = mem_text(to->place->where)};
        struct uuid unused;

        *ret_is_over = false;
        if (prepare(sr, to, into, &intent, note)) {
                sr_import_abort(into);
                return settle_failed(sr, &intent, ret_is_over, note);
        }
        if (sr_import_commit(into, stream, &unused, note))
                return settle_failed(sr, &intent, ret_is_over, note);
        *ret_is_over = true;
        if (finish(sr, &intent, note))
                return err_wrap(note, "it has moved to %s; take it out of %s", to->place->where,
                                sr->place->where);
        sr->must_recover = false;
        return ERR_NONE;
}
