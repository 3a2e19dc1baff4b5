// SPDX-License-Identifier: Apache-2.0
/* Which packs go, and which of them stay after all. */
#include <stdlib.h>

#include "mem.h"
#include "prune_inside.h"
#include "taints.h"

/* ---- what is needed ---- */

static bool is_let_go(const struct prune *prune, const struct vault_name *name) {
        VEC_EACH (&prune->report.points, each)
                if (each->why == KEEP_NOT && vault_name_compare(&each->point, name) == 0)
                        return true;
        return false;
}

/* One that will never be read: it is to go, or it has no seal and its session is over.  What is there of it
 * is kept while it is there, and what lacks is no reason to stop. */
static bool is_dead(const struct prune *prune, const struct prune_manifest *manifest,
                    const struct vault_sessions *now) {
        return manifest->is_dropped ||
               (!manifest->is_sealed && prune_was_over(prune, now, &manifest->manifest.session));
}

static bool lacks(enum err err) {
        return err == ERR_NOT_FOUND || err == ERR_CORRUPT || err == ERR_CUT_SHORT;
}

static enum err say_damaged(struct err_note *note) {
        struct err_note cause = *note;

        return err_set(note, ERR_CORRUPT, "a point that counts is damaged, and nothing is removed: %s",
                       cause.text);
}

/* Dead ones last: what they marked without seeing all below must not hide from others that it lacks. */
enum err prune_walk(struct prune *prune, const struct prune_manifests *manifests, bool but_let_go,
                    struct needs **ret, enum prune_lacks *ret_lacks, struct err_note *note) {
        AUTO(needs_free) struct needs *needs = needs_new(prune->vault);
        AUTO(vault_sessions_fini) struct vault_sessions now = {0};

        *ret_lacks = PRUNE_LACKS_NOTHING;
        /* What is recorded as damaged by now is no copy of anything. */
        if (taints_use(prune->vault, note) || vault_sessions_list(prune->vault, &now, note))
                return note->code;
        for (int of_dead = 0; of_dead < 2; of_dead++)
                VEC_EACH (&manifests->list, each) {
                        bool skips = each->is_damaged || (but_let_go && is_let_go(prune, &each->name));

                        if (skips || is_dead(prune, each, &now) != of_dead)
                                continue;
                        if (prune_tick(prune, note))
                                return note->code;
                        if (needs_add(needs, &each->manifest, &each->name, of_dead, note) == ERR_NONE)
                                continue;
                        if (!lacks(note->code))
                                return note->code;
                        if (each->is_sealed && prune->n_tries >= PRUNE_TRIES_TO_WALK)
                                return say_damaged(note);
                        if (each->is_sealed)
                                *ret_lacks = PRUNE_LACKS_SEALED;
                        else if (*ret_lacks == PRUNE_LACKS_NOTHING)
                                *ret_lacks = PRUNE_LACKS_UNSEALED;
                }
        if (blob_marks_sum(needs_marks(needs), note))
                return note->code;
        *ret = TAKE(needs);
        return ERR_NONE;
}

/* Those that stay.  What nobody needs is not counted: it may go, and come again, as it likes. */
static uint64_t count_needed(const struct prune *prune, struct blob_marks *marks) {
        uint64_t n_needed = 0;
        size_t n;
        const struct blob_marks_pack *packs = blob_marks_packs(marks, &n);

        for (size_t i = 0; i < n; i++)
                n_needed += packs[i].row->is_listed && packs[i].n_marked > 0 &&
                            !blobs_excludes(&prune->going, &packs[i].row->pack.head.name);
        return n_needed;
}

/* ---- choosing ---- */

struct choosing {
        struct prune *prune;               /* borrowed */
        struct needs *needs;               /* owned */
        struct vault_sessions before, now; /* owned; from before manifests were listed, and after packs */
        struct blobs_excluded doomed;      /* owned; sorted: all that any record names */
        struct blobs_excluded copied;      /* owned; sorted: of which all that is needed may be elsewhere */
        VEC(struct copied_blob) blobs;     /* owned; what is needed of these */
};
struct copied_blob {
        uint64_t fill; /* per 2^32, of its pack */
        struct vault_name pack;
        struct vault_id id;
};

static void choosing_fini(struct choosing *choosing) {
        needs_free(choosing->needs);
        vault_sessions_fini(&choosing->before);
        vault_sessions_fini(&choosing->now);
        vec_fini(&choosing->doomed.packs);
        vec_fini(&choosing->copied.packs);
        vec_fini(&choosing->blobs);
}
DEFINE_AUTO_IN_PLACE(struct choosing, choosing_fini);

static void report(struct prune *prune, const struct vault_name *name, const struct blob_marks_pack *pack,
                   enum prune_why why) {
        *vec_add(&prune->report.packs) = (struct prune_pack){.pack = *name, .why = why};
        if (pack && pack->row->is_listed) {
                prune->report.packs.data[prune->report.packs.n - 1].length = pack->row->pack.length;
                prune->report.packs.data[prune->report.packs.n - 1].needed = pack->bytes_marked;
        }
}

static void add_going(struct prune *prune, const struct vault_name *name) {
        *vec_add(&prune->going.packs) = *name;
}

/* Keeps them sorted, so that they may be looked for meanwhile. */
static void insert(struct blobs_excluded *set, const struct vault_name *name) {
        size_t at = set->packs.n;

        (void)vec_add(&set->packs);
        while (at > 0 && vault_name_compare(&set->packs.data[at - 1], name) > 0) {
                set->packs.data[at] = set->packs.data[at - 1];
                at--;
        }
        set->packs.data[at] = *name;
}

static void take_over(struct choosing *choosing) {
        struct prune *prune = choosing->prune;

        VEC_EACH (&prune->others.list, each)
                VEC_EACH (&each->doom.packs, pack)
                        if (!blobs_excludes(&choosing->doomed, pack)) {
                                insert(&choosing->doomed, pack);
                                add_going(prune, pack);
                                report(prune, pack, blob_marks_pack(needs_marks(choosing->needs), pack),
                                       PRUNE_DOOMED_BEFORE);
                        }
}

/* A pack of a session that was at work may be needed by what was not listed yet.  That only saves taking it
 * back. */
static bool may_go(const struct choosing *choosing, const struct blob_marks_pack *pack) {
        const struct vault_name *session = &pack->row->pack.head.session;

        return pack->row->is_listed && !blobs_excludes(&choosing->doomed, &pack->row->pack.head.name) &&
               vault_sessions_is_over(&choosing->before, session) &&
               (vault_sessions_find(&choosing->before, session) ||
                !vault_sessions_find(&choosing->now, session));
}

static void choose_unneeded(struct choosing *choosing) {
        size_t n;
        const struct blob_marks_pack *packs = blob_marks_packs(needs_marks(choosing->needs), &n);

        for (size_t i = 0; i < n; i++) {
                const struct vault_name *name = &packs[i].row->pack.head.name;

                if (!may_go(choosing, &packs[i]))
                        continue;
                if (packs[i].n_marked == 0) {
                        add_going(choosing->prune, name);
                        report(choosing->prune, name, &packs[i], PRUNE_UNNEEDED);
                } else if (packs[i].n_only == 0)
                        *vec_add(&choosing->copied.packs) = *name; /* they come in order */
        }
}

static int compare_copied(const void *a, const void *b) {
        const struct copied_blob *x = a, *y = b;

        if (x->fill != y->fill)
                return x->fill < y->fill ? -1 : 1;
        return vault_name_compare(&x->pack, &y->pack);
}

static enum err note_copied(void *user, const struct blob_marks_blob *blob, struct err_note *note) {
        struct choosing *choosing = user;
        const struct vault_name *name = &blob->row->pack.head.name;
        const struct blob_marks_pack *pack = blob_marks_pack(needs_marks(choosing->needs), name);

        (void)note;
        *vec_add(&choosing->blobs) = (struct copied_blob){
                (uint64_t)((double)pack->bytes_marked / (double)pack->bytes * 4294967296.0), *name,
                blob->blob.id};
        return ERR_NONE;
}

/* Of copies one stays: those of packs of which least is needed go first, and each pack that goes is looked
 * at as if the others that go were gone. */
static enum err choose_copied(struct choosing *choosing, struct err_note *note) {
        struct blob_marks *marks = needs_marks(choosing->needs);

        if (blob_marks_each(marks, &choosing->copied, note_copied, choosing, note))
                return note->code;
        if (choosing->blobs.n > 1)
                qsort(choosing->blobs.data, choosing->blobs.n, sizeof *choosing->blobs.data, compare_copied);
        for (size_t i = 0; i < choosing->blobs.n;) {
                const struct vault_name name = choosing->blobs.data[i].pack;
                bool has_copies = true;

                insert(&choosing->doomed, &name);
                for (; i < choosing->blobs.n && vault_name_compare(&choosing->blobs.data[i].pack, &name) == 0;
                     i++)
                        if (has_copies && blob_marks_has_copy(marks, &choosing->blobs.data[i].id,
                                                              &choosing->doomed, &has_copies, note))
                                return note->code;
                if (has_copies) {
                        add_going(choosing->prune, &name);
                        report(choosing->prune, &name, blob_marks_pack(marks, &name), PRUNE_COPIED);
                        continue;
                }
                for (size_t at = 0; at < choosing->doomed.packs.n; at++)
                        if (vault_name_compare(&choosing->doomed.packs.data[at], &name) == 0)
                                vec_remove_at(&choosing->doomed.packs, at);
        }
        return ERR_NONE;
}

static void report_sparse(struct choosing *choosing) {
        size_t n;
        const struct blob_marks_pack *packs = blob_marks_packs(needs_marks(choosing->needs), &n);

        for (size_t i = 0; i < n; i++)
                if (may_go(choosing, &packs[i]) && prune_is_sparse(choosing->prune, &packs[i]))
                        report(choosing->prune, &packs[i].row->pack.head.name, &packs[i], PRUNE_SPARSE);
}

/* Whoever put what is relied on from here on may have died before it was durable. */
static enum err refresh(struct prune *prune, struct err_note *note) {
        const struct blobs_excluded none = {0};
        struct vault *vault = prune->vault;

        if (blobs_refresh(vault->blobs, &none, note) || target_settle(vault->target, "packs/", note) ||
            target_settle(vault->target, "indexes/", note))
                return note->code;
        prune->report.n_damaged = blobs_count(vault->blobs).n_damaged_packs;
        return ERR_NONE;
}

static enum err look(struct choosing *choosing, struct err_note *note) {
        struct prune *prune = choosing->prune;
        AUTO(prune_manifests_fini) struct prune_manifests manifests = {0};
        static const struct vault_name none;
        enum prune_lacks lacks;

        prune_dooms_fini(&prune->others);
        if (prune_load_dooms(prune->vault, &none, &prune->others, note) ||
            vault_sessions_list(prune->vault, &choosing->before, note) ||
            prune_load_manifests(prune->vault, &prune->drops, &manifests, note) || refresh(prune, note) ||
            prune_walk(prune, &manifests, prune->options.is_dry, &choosing->needs, &lacks, note))
                return note->code;
        if (lacks == PRUNE_LACKS_SEALED)
                return err_set(note, ERR_BUSY, "a point was put whose packs are not listed yet");
        return vault_sessions_list(prune->vault, &choosing->now, note);
}

/* Manifests before packs: what they need is listed then, but for the lag. */
enum err prune_choose(struct prune *prune, struct err_note *note) {
        AUTO(choosing_fini) struct choosing choosing = {.prune = prune};

        if (look(&choosing, note))
                return note->code;
        take_over(&choosing);
        choose_unneeded(&choosing);
        if (choose_copied(&choosing, note))
                return note->code;
        if (prune->options.is_dry)
                report_sparse(&choosing);
        prune_sort_names(prune->going.packs.data, prune->going.packs.n);
        VEC_EACH (&prune->going.packs, each)
                *vec_add(&prune->doomed.packs) = *each;
        prune->n_needed = count_needed(prune, needs_marks(choosing.needs));
        prune->report.n_left = blobs_count(prune->vault->blobs).n_packs;
        prune->report.left = blobs_count(prune->vault->blobs).stored;
        return ERR_NONE;
}

/* ---- taking back ---- */

struct taking_back {
        struct blob_marks *marks;     /* borrowed */
        struct blobs_excluded doomed; /* owned; sorted: by any record, and ours */
        struct blobs_excluded kept;   /* owned; sorted */
};

static void taking_back_fini(struct taking_back *back) {
        vec_fini(&back->doomed.packs);
        vec_fini(&back->kept.packs);
}
DEFINE_AUTO_IN_PLACE(struct taking_back, taking_back_fini);

static enum err take_back_one(void *user, const struct blob_marks_blob *blob, struct err_note *note) {
        struct taking_back *back = user;
        const struct vault_name *name = &blob->row->pack.head.name;
        bool has_copy;

        if (blobs_excludes(&back->kept, name))
                return ERR_NONE;
        if (blob_marks_has_copy(back->marks, &blob->blob.id, &back->doomed, &has_copy, note))
                return note->code;
        if (!has_copy)
                insert(&back->kept, name);
        return ERR_NONE;
}

void prune_keep(struct prune *prune, const struct blobs_excluded *kept) {
        size_t n = 0;

        VEC_EACH (&prune->going.packs, each)
                if (!blobs_excludes(kept, each))
                        prune->going.packs.data[n++] = *each;
        prune->going.packs.n = n;
        VEC_EACH (&prune->report.packs, each)
                each->is_kept |= blobs_excludes(kept, &each->pack);
        prune->report.n_kept += kept->packs.n;
}

/* [F3] Records, then manifests, then packs: a copy whose record is gone by then is gone from the listing, and
 * a manifest's packs are there when it is.  Ours is ours to know, whatever became of the record. */
enum err prune_take_back(struct prune *prune, struct err_note *note) {
        AUTO(prune_dooms_fini) struct prune_dooms dooms = {0};
        AUTO(taking_back_fini) struct taking_back back = {0};
        AUTO(needs_free) struct needs *needs = NULL;
        enum prune_lacks lacks;

        prune_manifests_fini(&prune->again);
        if (prune_load_dooms(prune->vault, &prune->name, &dooms, note) ||
            prune_load_manifests(prune->vault, &prune->drops, &prune->again, note) || refresh(prune, note) ||
            prune_walk(prune, &prune->again, false, &needs, &lacks, note))
                return note->code;
        if (lacks != PRUNE_LACKS_NOTHING)
                return err_set(note, ERR_BUSY,
                               "a run that is at work put a point whose packs are not listed yet");
        back.marks = needs_marks(needs);
        VEC_EACH (&prune->doomed.packs, each)
                *vec_add(&back.doomed.packs) = *each;
        VEC_EACH (&dooms.list, doom)
                VEC_EACH (&doom->doom.packs, each)
                        *vec_add(&back.doomed.packs) = *each;
        prune_sort_names(back.doomed.packs.data, back.doomed.packs.n);
        if (blob_marks_each(back.marks, &prune->going, take_back_one, &back, note))
                return note->code;
        prune_keep(prune, &back.kept);
        prune->n_needed = count_needed(prune, back.marks);
        return ERR_NONE;
}
