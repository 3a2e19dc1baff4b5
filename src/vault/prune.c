// SPDX-License-Identifier: Apache-2.0
#include "prune.h"

#include <stdlib.h>

#include "mem.h"
#include "prune_inside.h"

/* ---- small things ---- */

const char *prune_why_text(enum prune_why why) {
        switch (why) {
        case PRUNE_UNNEEDED:
                return "no point needs it";
        case PRUNE_COPIED:
                return "other packs have all that is needed of it";
        case PRUNE_DOOMED_BEFORE:
                return "a prune that did not end was to remove it";
        case PRUNE_SPARSE:
                return "little of it is needed";
        }
        return "";
}

static int compare_names(const void *a, const void *b) {
        return vault_name_compare(a, b);
}

void prune_sort_names(struct vault_name *names, size_t n) {
        if (n > 1)
                qsort(names, n, sizeof *names, compare_names);
}

enum err prune_tick(struct prune *prune, struct err_note *note) {
        return prune->options.tick ? prune->options.tick(prune->options.user, note) : ERR_NONE;
}

void prune_pause(struct prune *prune) {
        io_sleep_ns(prune->vault->io, (uint64_t)1000000000);
        vault_wait_for_listing(prune->vault);
}

/* ---- steps ---- */

/* What lacks may only not be listed yet. */
static enum err try_again(struct prune *prune, enum err err, bool *ret_is_done) {
        *ret_is_done = err == ERR_NONE;
        if (err != ERR_BUSY || prune->n_tries > PRUNE_TRIES_TO_WALK)
                return err;
        prune_pause(prune);
        return ERR_NONE;
}

static enum err choose(struct prune *prune, bool *ret_is_done, struct err_note *note) {
        return try_again(prune, prune_choose(prune, note), ret_is_done);
}

/* [F1] Durable, and in every listing, before anybody is waited for: who begins later reads it. */
static enum err doom(struct prune *prune, bool *ret_is_done, struct err_note *note) {
        AUTO(buf_fini) struct buf body = {0};
        struct vault_doom doom = {.packs = {prune->doomed.packs.data, prune->doomed.packs.n, 0}};
        enum err err;

        *ret_is_done = true;
        if (prune->doomed.packs.n == 0 && prune->others.list.n == 0)
                return ERR_NONE;
        VEC_EACH (&prune->others.list, each)
                *vec_add(&doom.instead_of) = each->name;
        vault_doom_encode(&doom, &body);
        vec_fini(&doom.instead_of);
        vault_name_random(prune->vault->io, &prune->name);
        err = vault_put_object(prune->vault, VAULT_DOOM, &prune->name, (struct span){body.data, body.n}, NULL,
                               note);
        if (err)
                return err_wrap(note, "say what is to go");
        vault_wait_for_listing(prune->vault);
        return ERR_NONE;
}

static bool has_doom(const struct prune *prune) {
        return !vault_name_is_null(&prune->name);
}

/* Only where something may be let go that is read. */
static enum err hear(struct prune *prune, bool *ret_is_done, struct err_note *note) {
        *ret_is_done = true;
        if (prune->options.keep.last == 0)
                return ERR_NONE;
        if (prune_hear_readers(prune, prune->n_tries == 1, ret_is_done, note))
                return note->code;
        if (!*ret_is_done)
                prune_pause(prune);
        return ERR_NONE;
}

static enum err sessions(struct prune *prune, bool *ret_is_done, struct err_note *note) {
        AUTO(vault_sessions_fini) struct vault_sessions list = {0};

        *ret_is_done = true;
        if (!has_doom(prune))
                return ERR_NONE;
        if (vault_sessions_list(prune->vault, &list, note) || vault_sessions_read(prune->vault, &list, note))
                return note->code;
        vault_sessions_wait_for(prune->vault, &list, &prune->waiting);
        return ERR_NONE;
}

/* [F2]; and of [F7] who reads what is gone. */
static enum err wait(struct prune *prune, bool *ret_is_done, struct err_note *note) {
        *ret_is_done = true;
        if (!has_doom(prune))
                return ERR_NONE;
        if (vault_sessions_wait_step(prune->vault, &prune->waiting, prune->options.grace_ns, ret_is_done,
                                     note))
                return note->code;
        prune->report.n_broken = prune->waiting.n_broken;
        if (*ret_is_done)
                vault_wait_for_listing(prune->vault);
        else
                prune_pause(prune);
        return ERR_NONE;
}

static enum err again(struct prune *prune, bool *ret_is_done, struct err_note *note) {
        *ret_is_done = true;
        return has_doom(prune) ? try_again(prune, prune_take_back(prune, note), ret_is_done) : ERR_NONE;
}

static enum err readers(struct prune *prune, bool *ret_is_done, struct err_note *note) {
        *ret_is_done = true;
        return has_doom(prune) ? prune_see_readers(prune, note) : ERR_NONE;
}

static enum err delete_all(struct prune *prune, bool *ret_is_done, struct err_note *note) {
        *ret_is_done = true;
        return has_doom(prune) ? prune_delete(prune, note) : ERR_NONE;
}

static enum err gone(struct prune *prune, bool *ret_is_done, struct err_note *note) {
        *ret_is_done = true;
        if (!has_doom(prune))
                return ERR_NONE;
        if (prune_see_gone(prune, ret_is_done, note))
                return note->code;
        if (*ret_is_done)
                return ERR_NONE;
        if (prune->n_tries >= PRUNE_TRIES)
                return err_set(note, ERR_BUSY,
                               "packs that were removed are there still; a later prune goes on");
        prune_pause(prune);
        return ERR_NONE;
}

static enum err entries(struct prune *prune, bool *ret_is_done, struct err_note *note) {
        *ret_is_done = true;
        return prune_drop_entries(prune, note);
}

static enum err dooms(struct prune *prune, bool *ret_is_done, struct err_note *note) {
        *ret_is_done = true;
        return has_doom(prune) ? prune_drop_dooms(prune, note) : ERR_NONE;
}

static enum err clean(struct prune *prune, bool *ret_is_done, struct err_note *note) {
        *ret_is_done = true;
        return prune_clean(prune, note);
}

static enum err look(struct prune *prune, bool *ret_is_done, struct err_note *note) {
        *ret_is_done = true;
        return prune_look(prune, note);
}

static enum err tidy(struct prune *prune, bool *ret_is_done, struct err_note *note) {
        *ret_is_done = true;
        return prune_tidy(prune, note);
}

static enum err let_go(struct prune *prune, bool *ret_is_done, struct err_note *note) {
        *ret_is_done = true;
        return prune_let_go(prune, note);
}

static enum err repack(struct prune *prune, bool *ret_is_done, struct err_note *note) {
        *ret_is_done = true;
        return prune_repack(prune, note);
}

static const struct prune_step {
        enum err (*run)(struct prune *, bool *ret_is_done, struct err_note *);
        const char *text;
        bool is_dry; /* it changes nothing, or knows itself when not to */
} steps[] = {
        {look, "look at the vault", true},
        {tidy, "remove points that will never count", false},
        {hear, "look who reads and is alive", false},
        {let_go, "let points go", true},
        {repack, "copy what is needed of packs nearly empty", false},
        {choose, "choose what goes", true},
        {doom, "say what is to go", false},
        {sessions, "look who is at work", false},
        {wait, "wait for those who are at work", false},
        {again, "look again what is needed", false},
        {readers, "look who reads", false},
        {wait, "wait for those who read what was let go", false},
        {delete_all, "delete", false},
        {gone, "look whether it is gone", false},
        {entries, "drop index entries", false},
        {dooms, "drop the doom record", false},
        {clean, "remove what is over", false},
};
enum { STEPS = sizeof steps / sizeof *steps };

const char *prune_doing(const struct prune *prune) {
        return prune->at < STEPS ? steps[prune->at].text : "over";
}

/* Where nothing was deleted its record would only make others store again what is there. */
static void give_up(struct prune *prune) {
        struct err_note ignored;

        if (has_doom(prune) && !prune->has_deleted)
                (void)!target_remove(prune->vault->target, vault_path_of(VAULT_DOOM, &prune->name).s,
                                     &ignored);
}

enum err prune_step(struct prune *prune, bool *ret_is_over, struct err_note *note) {
        bool is_done = true;

        if (prune_tick(prune, note))
                return note->code;
        prune->n_tries++;
        if (prune->at < STEPS && (steps[prune->at].is_dry || !prune->options.is_dry) &&
            steps[prune->at].run(prune, &is_done, note)) {
                give_up(prune);
                return err_wrap(note, "%s", steps[prune->at].text);
        }
        if (is_done) {
                prune->at += prune->at < STEPS;
                prune->n_tries = 0;
        }
        *ret_is_over = prune->at == STEPS;
        return ERR_NONE;
}

/* ---- beginning and end ---- */

enum err prune_begin(struct vault *vault, const struct prune_options *options, struct prune **ret,
                     struct err_note *note) {
        struct prune *prune;

        if (!keyring_is_plain(vault->keyring) && !keyring_can_admin(vault->keyring) && !options->is_dry)
                return err_set(note, ERR_DENIED, "%s: only an admin's key may prune", vault->target->where);
        prune = mem_new(struct prune);
        prune->vault = vault;
        prune->options = *options;
        *ret = prune;
        return ERR_NONE;
}

const struct prune_report *prune_report(const struct prune *prune) {
        return &prune->report;
}

void prune_dooms_fini(struct prune_dooms *dooms) {
        VEC_EACH (&dooms->list, each)
                vault_doom_fini(&each->doom);
        vec_fini(&dooms->list);
}

void prune_free(struct prune *prune) {
        if (!prune)
                return;
        VEC_EACH (&prune->report.points, each)
                free(each->name);
        vec_fini(&prune->report.points);
        vec_fini(&prune->report.packs);
        vault_sessions_fini(&prune->sessions);
        vault_sessions_waiting_fini(&prune->waiting);
        prune_drops_fini(&prune->drops);
        prune_manifests_fini(&prune->again);
        vault_state_fini(&prune->state);
        vec_fini(&prune->states);
        vec_fini(&prune->doomed.packs);
        vec_fini(&prune->going.packs);
        prune_dooms_fini(&prune->others);
        free(prune);
}
