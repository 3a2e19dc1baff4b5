// SPDX-License-Identifier: Apache-2.0
#include "recover.h"

#include "coalesce.h"
#include "cut.h"
#include "leaf_pivot.h"
#include "pivot.h"
#include "relink.h"
#include "sr_resize.h"

static enum err recover_one(struct sr *sr, const struct intent *intent, struct err_note *note) {
        if (coalesce_is_running(sr, intent))
                return ERR_NONE;
        switch (intent->kind) {
        case INTENT_PIVOT:
                return pivot_recover(sr, intent, note);
        case INTENT_NODE: /* never alone */
                return err_set(note, ERR_CORRUPT, "the intent %s stands alone", uuid_format(&intent->uuid).s);
        case INTENT_RESIZE:
                return sr_resize_recover(sr, intent, note);
        case INTENT_COALESCE:
        case INTENT_PULL:
                return claim_recover(sr, intent, note);
        case INTENT_RELINK:
        case INTENT_RELINK_TOP:
                return relink_recover(sr, intent, note);
        case INTENT_LEAF_PIVOT:
                return leaf_pivot_recover(sr, intent, note);
        case INTENT_MOVE: /* by sr_move_recover, once it is known what there is */
                return ERR_NONE;
        }
        return ERR_NONE;
}

enum err recover_all(struct sr *sr, struct err_note *note) {
        AUTO(intents_fini) struct intents intents = {0};
        struct err_note later;
        enum err err = ERR_NONE;

        /* A process that was killed may have changed names and not lived to sync them: what is judged from
         * here on, and written down of it, must not change with a crash. */
        if (place_sync(sr->place, note) || intents_read(sr->catalog, &intents, note))
                return note->code;
        /* One that cannot be recovered, a file of it being damaged, must not keep the others from it. */
        VEC_EACH (&intents.list, each) {
                if (uuid_is_null(&each->together) ? recover_one(sr, each, err ? &later : note)
                                                  : cut_recover(sr, &intents, each, err ? &later : note))
                        err = note->code;
        }
        return err;
}

enum err recover_leftovers(struct sr *sr, struct err_note *note) {
        AUTO(place_listing_fini) struct place_listing listing = {0};

        if (place_list(sr->place, &listing, note))
                return note->code;
        VEC_EACH (&listing.temporary, each) {
                if (place_remove_if_there(sr->place, each, note))
                        return note->code;
        }
        return ERR_NONE;
}

enum err recover_halves(struct sr *sr, bool *ret_did_change, struct err_note *note) {
        *ret_did_change = false;
        VEC_EACH (&sr->tree.nodes, each) {
                struct place_name name = node_place_name(*each);

                if (!(*each)->is_hidden || !(*each)->footers_differ || (*each)->is_own_error)
                        continue;
                if (place_set_hidden(sr->place, &name, true, note))
                        return note->code;
                *ret_did_change = true;
        }
        return ERR_NONE;
}
