// SPDX-License-Identifier: Apache-2.0
/* Whether what is listed can be so [F6]; what other prunes left; and what the next one shall know. */
#include "mem.h"
#include "prune_inside.h"

/* ---- other prunes' doom records ---- */

enum err prune_load_dooms(struct vault *vault, const struct vault_name *but, struct prune_dooms *ret,
                          struct err_note *note) {
        AUTO(vault_names_fini) struct vault_names names = {0};

        if (vault_list_names(vault, "doomed/", "", &names, note))
                return note->code;
        VEC_EACH (&names.list, name) {
                AUTO(buf_fini) struct buf body = {0};
                struct prune_doom doom = {.name = *name};
                enum err err;

                if (vault_name_compare(name, but) == 0)
                        continue;
                err = vault_get_object(vault, VAULT_DOOM, name, &body, NULL, NULL, note);
                if (err == ERR_NOT_FOUND) /* with all its packs, since it was listed */
                        continue;
                if (err || vault_doom_decode((struct span){body.data, body.n}, &doom.doom, note))
                        return err_wrap(note, "read what is doomed");
                *vec_add(&ret->list) = doom;
        }
        return ERR_NONE;
}

/* ---- the admin's state ---- */

/* Of two prunes at once both may have the highest sequence: the one that left fewer packs is believed, and
 * of points what either saw, first. */
static void take_state(struct vault_state *newest, struct vault_state *other) {
        bool is_newer = other->sequence > newest->sequence;

        if (is_newer || (other->sequence == newest->sequence && other->packs < newest->packs))
                newest->packs = other->packs;
        if (is_newer) {
                newest->sequence = other->sequence;
                newest->seen.n = 0;
        }
        if (other->sequence == newest->sequence)
                VEC_EACH (&other->seen, each)
                        *vec_add(&newest->seen) = *each;
}

struct states {
        struct vault_state newest;    /* owned */
        VEC(struct vault_name) names; /* owned; of all */
};

static void states_fini(struct states *states) {
        vault_state_fini(&states->newest);
        vec_fini(&states->names);
}
DEFINE_AUTO_IN_PLACE(struct states, states_fini);

static enum err load_states(struct vault *vault, struct states *ret, struct err_note *note) {
        AUTO(vault_names_fini) struct vault_names names = {0};

        if (vault_list_names(vault, "admin/", "", &names, note))
                return note->code;
        VEC_EACH (&names.list, name) {
                AUTO(buf_fini) struct buf body = {0};
                AUTO(vault_state_fini) struct vault_state state = {0};
                enum err err = vault_get_object(vault, VAULT_ADMIN_STATE, name, &body, NULL, NULL, note);

                if (err == ERR_NOT_FOUND)
                        continue;
                if (err || vault_state_decode((struct span){body.data, body.n}, &state, note))
                        return err_wrap(note, "read what the last prune left");
                take_state(&ret->newest, &state);
                *vec_add(&ret->names) = *name;
        }
        return ERR_NONE;
}

static enum err put_state(struct prune *prune, struct err_note *note) {
        AUTO(buf_fini) struct buf body = {0};
        struct vault_name name;

        vault_state_encode(&prune->state, &body);
        vault_name_random(prune->vault->io, &name);
        return vault_put_object(prune->vault, VAULT_ADMIN_STATE, &name, (struct span){body.data, body.n},
                                NULL, note);
}

/* Of two prunes at once neither knows what the other removes: where there is a newer state by now, the
 * smaller number is noted. */
enum err prune_put_state(struct prune *prune, struct err_note *note) {
        AUTO(states_fini) struct states states = {0};
        uint64_t n = prune->n_needed;

        if (load_states(prune->vault, &states, note))
                return err_wrap(note, "note what is left");
        if (states.newest.sequence > prune->state.sequence && states.newest.packs < n)
                n = states.newest.packs;
        /* Also where a listing hides what another prune noted: what went, and by whom, is noted always. */
        prune->is_state_new |= states.names.n != 1 || prune->state.packs != n || prune->has_deleted ||
                               states.newest.sequence != prune->state.sequence;
        if (!prune->is_state_new)
                return ERR_NONE;
        prune->state.packs = n;
        prune->state.sequence = max_u64(states.newest.sequence, prune->state.sequence) + 1;
        return put_state(prune, note) ? err_wrap(note, "note what is left") : ERR_NONE;
}

/* ---- is it plausible? ---- */

/* Whatever else is read through it may be of another vault, or of none. */
static enum err check_config(struct vault *vault, struct err_note *note) {
        AUTO(buf_fini) struct buf object = {0};

        if (target_get(vault->target, vault_path_of(VAULT_CONFIG, NULL).s, VAULT_BODY_MAX, &object, note) ||
            keyring_check_config(vault->keyring, (struct span){object.data, object.n}, note))
                return err_wrap(note, "the configuration cannot be read, so nothing is removed");
        return ERR_NONE;
}

static bool is_listed(const struct target_list *objects, const struct vault_name *name) {
        struct vault_name each_name;

        VEC_EACH (&objects->items, each)
                if (vault_path_parse(each->name, &each_name) && vault_name_compare(&each_name, name) == 0)
                        return true;
        return false;
}

/* Packs that are gone and that a doom record names were removed by a prune that did not say so yet. */
static uint64_t count_packs(const struct target_list *packs, const struct prune_dooms *dooms) {
        uint64_t n = packs->items.n;

        VEC_EACH (&dooms->list, each)
                VEC_EACH (&each->doom.packs, pack)
                        n += !is_listed(packs, pack);
        return n;
}

static enum err check_points(struct prune *prune, const struct vault_state *before,
                             const struct vault_names *points, struct err_note *note) {
        VEC_EACH (&before->seen, seen) {
                bool is_there = prune_drops_have(&prune->drops, &seen->point);

                for (size_t i = 0; i < points->list.n && !is_there; i++)
                        is_there = vault_name_compare(&points->list.data[i], &seen->point) == 0;
                if (!is_there)
                        return err_set(
                                note, ERR_CORRUPT,
                                "point %s was there at the last prune, nobody let it go, and it is not "
                                "listed: nothing is removed",
                                vault_name_format(&seen->point).s);
        }
        return ERR_NONE;
}

static enum err check_packs(const struct target_list *packs, const struct prune_dooms *dooms, uint64_t n_left,
                            struct err_note *note) {
        uint64_t n = count_packs(packs, dooms);

        if (n < n_left)
                return err_set(note, ERR_CORRUPT,
                               "the last prune left %llu packs that points need, and %llu are listed: "
                               "nothing is removed",
                               (unsigned long long)n_left, (unsigned long long)n);
        return ERR_NONE;
}

/* What must be there is read before it is listed, for more may come.  What could explain that it is not is
 * read after it: a prune notes what it leaves before it drops its doom record, and drops a point after it
 * said so. */
enum err prune_look(struct prune *prune, struct err_note *note) {
        AUTO(target_list_fini) struct target_list packs = {0};
        AUTO(vault_names_fini) struct vault_names points = {0};
        AUTO(prune_dooms_fini) struct prune_dooms dooms = {0};
        AUTO(states_fini) struct states before = {0}, states = {0};
        static const struct vault_name none;

        if (check_config(prune->vault, note) || load_states(prune->vault, &before, note) ||
            target_list(prune->vault->target, "packs/", &packs, note) ||
            vault_list_names(prune->vault, "points/", ".ok", &points, note) ||
            prune_load_dooms(prune->vault, &none, &dooms, note) ||
            prune_load_drops(prune->vault, &prune->drops, note) || load_states(prune->vault, &states, note))
                return note->code;
        prune->state = states.newest;
        states.newest = (struct vault_state){0};
        VEC_EACH (&states.names, each)
                *vec_add(&prune->states) = *each;
        if (check_packs(&packs, &dooms, min_u64(before.newest.packs, prune->state.packs), note))
                return note->code;
        return check_points(prune, &before.newest, &points, note);
}
