// SPDX-License-Identifier: Apache-2.0
/* Points as a prune sees them: all manifests, those that will never count, and those that are let go. */
#include <stdlib.h>

#include "mem.h"
#include "points.h"
#include "prune_inside.h"
#include "taints.h"
#include "text.h"

void prune_manifests_fini(struct prune_manifests *manifests) {
        VEC_EACH (&manifests->list, each)
                vault_manifest_fini(&each->manifest);
        vec_fini(&manifests->list);
        vec_fini(&manifests->orphans);
}

void prune_drops_fini(struct prune_drops *drops) {
        VEC_EACH (&drops->list, each)
                vault_drop_fini(&each->drop);
        vec_fini(&drops->list);
}

/* ---- drop records ---- */

enum err prune_load_drops(struct vault *vault, struct prune_drops *ret, struct err_note *note) {
        AUTO(vault_names_fini) struct vault_names names = {0};

        if (vault_list_names(vault, "drops/", "", &names, note))
                return note->code;
        VEC_EACH (&names.list, name) {
                AUTO(buf_fini) struct buf body = {0};
                struct prune_drop drop = {.name = *name};
                enum err err = vault_get_object(vault, VAULT_DROP, name, &body, NULL, NULL, note);

                if (err == ERR_NOT_FOUND)
                        continue;
                if (err || vault_drop_decode((struct span){body.data, body.n}, &drop.drop, note))
                        return err_wrap(note, "read which points were let go");
                *vec_add(&ret->list) = drop;
        }
        return ERR_NONE;
}

bool prune_drops_have(const struct prune_drops *drops, const struct vault_name *point) {
        VEC_EACH (&drops->list, each)
                VEC_EACH (&each->drop.points, name)
                        if (vault_name_compare(name, point) == 0)
                                return true;
        return false;
}

/* ---- all manifests ---- */

static int compare_names(const void *a, const void *b) {
        return vault_name_compare(a, b);
}

static bool is_among(const struct vault_names *names, const struct vault_name *name) {
        return names->list.n > 0 &&
               bsearch(name, names->list.data, names->list.n, sizeof *name, compare_names);
}

static enum err load_unsealed(struct vault *vault, struct prune_manifest *manifest, struct err_note *note) {
        AUTO(buf_fini) struct buf body = {0};
        enum err err = vault_get_object(vault, VAULT_MANIFEST, &manifest->name, &body, NULL, NULL, note);

        if (!err)
                err = vault_manifest_decode((struct span){body.data, body.n}, &manifest->manifest, note);
        manifest->is_damaged = err == ERR_CORRUPT || err == ERR_UNSUPPORTED;
        return manifest->is_damaged ? ERR_NONE : err;
}

static enum err load_sealed(struct vault *vault, struct prune_manifest *manifest, struct err_note *note) {
        struct point point;
        enum err err = points_get(vault, &manifest->name, &point, note);

        if (!err)
                manifest->manifest = point.manifest;
        else if (manifest->is_dropped && err == ERR_CORRUPT) {
                manifest->is_damaged = true;
                err = ERR_NONE;
        }
        return err;
}

/* What pruning does not ask for is not kept: there may be many. */
static void forget_details(struct vault_manifest *manifest) {
        json_decref(manifest->vm);
        manifest->vm = NULL;
        VEC_EACH (&manifest->disks, disk) {
                json_decref(disk->source);
                disk->source = NULL;
        }
}

/* Whether it has its seal by now is the target's word on the name, not a listing's. */
static enum err load_one(struct vault *vault, const struct vault_names *seals, const struct vault_name *name,
                         const struct prune_drops *drops, struct prune_manifests *ret,
                         struct err_note *note) {
        struct prune_manifest manifest = {.name = *name, .is_sealed = is_among(seals, name)};
        uint64_t ignored;
        enum err err;

        manifest.is_dropped = prune_drops_have(drops, name);
        if (!manifest.is_sealed) {
                err = target_size(vault->target, vault_path_of(VAULT_SEAL, name).s, &ignored, note);
                if (err && err != ERR_NOT_FOUND)
                        return err;
                manifest.is_sealed = err == ERR_NONE;
        }
        err = manifest.is_sealed ? load_sealed(vault, &manifest, note)
                                 : load_unsealed(vault, &manifest, note);
        if (err == ERR_NOT_FOUND && manifest.is_sealed) { /* it is just let go */
                manifest.is_sealed = false;
                err = load_unsealed(vault, &manifest, note);
        }
        if (err == ERR_NOT_FOUND)
                return ERR_NONE;
        if (err)
                return err_wrap(note, "a point that counts cannot be read, so nothing is removed");
        forget_details(&manifest.manifest);
        *vec_add(&ret->list) = manifest;
        return ERR_NONE;
}

enum err prune_load_manifests(struct vault *vault, const struct prune_drops *drops,
                              struct prune_manifests *ret, struct err_note *note) {
        AUTO(vault_names_fini) struct vault_names names = {0};
        AUTO(vault_names_fini) struct vault_names seals = {0};

        if (vault_list_names(vault, "points/", ".ok", &seals, note) ||
            vault_list_names(vault, "points/", "", &names, note))
                return note->code;
        VEC_EACH (&names.list, name)
                if (load_one(vault, &seals, name, drops, ret, note))
                        return note->code;
        VEC_EACH (&seals.list, name)
                if (!is_among(&names, name))
                        *vec_add(&ret->orphans) = *name;
        return ERR_NONE;
}

/* ---- removing ---- */

/* The seal first: what has none is nobody's parent, and what it names stays until it is gone, too. */
static enum err remove_point(struct vault *vault, const struct vault_name *name, struct err_note *note) {
        if (target_remove(vault->target, vault_path_of(VAULT_SEAL, name).s, note))
                return note->code;
        return target_remove(vault->target, vault_path_of(VAULT_MANIFEST, name).s, note);
}

/* The record first, and in every listing: without it a point that is gone is a listing that lies. */
static enum err drop(struct vault *vault, const struct vault_drop *record, struct err_note *note) {
        AUTO(buf_fini) struct buf body = {0};
        struct vault_name name;

        vault_drop_encode(record, &body);
        vault_name_random(vault->io, &name);
        if (vault_put_object(vault, VAULT_DROP, &name, (struct span){body.data, body.n}, NULL, note))
                return err_wrap(note, "say which points are let go");
        vault_wait_for_listing(vault);
        VEC_EACH (&record->points, point)
                if (remove_point(vault, point, note))
                        return err_wrap(note, "let point %s go", vault_name_format(point).s);
        return ERR_NONE;
}

enum err prune_forget(struct vault *vault, const struct vault_name *point, const char *why,
                      struct err_note *note) {
        const struct vault_drop record = {.points = {(struct vault_name *)point, 1, 0}, .why = (char *)why};

        if (!keyring_is_plain(vault->keyring) && !keyring_can_admin(vault->keyring))
                return err_set(note, ERR_DENIED, "only an admin's key may let a point go");
        return drop(vault, &record, note);
}

bool prune_was_over(const struct prune *prune, const struct vault_sessions *now,
                    const struct vault_name *session) {
        return vault_sessions_is_over(&prune->sessions, session) &&
               (vault_sessions_find(&prune->sessions, session) || !vault_sessions_find(now, session));
}

static enum err remove_orphan(struct vault *vault, const struct vault_name *name, struct err_note *note) {
        uint64_t ignored;
        enum err err = target_size(vault->target, vault_path_of(VAULT_MANIFEST, name).s, &ignored, note);

        if (err == ERR_NOT_FOUND)
                err = target_remove(vault->target, vault_path_of(VAULT_SEAL, name).s, note);
        return err;
}

/* A seal may come late to one that will never count: another prune has then seen a point.  So it is said that
 * they go, as of points. */
static enum err remove_dead(struct prune *prune, struct err_note *note) {
        AUTO(prune_manifests_fini) struct prune_manifests manifests = {0};
        AUTO(vault_sessions_fini) struct vault_sessions now = {0};
        struct vault_drop dead = {.why = (char *)"it never counted"};
        struct vault *vault = prune->vault;
        enum err err = ERR_NONE;

        if (prune_load_manifests(vault, &prune->drops, &manifests, note) ||
            vault_sessions_list(vault, &now, note))
                return note->code;
        VEC_EACH (&manifests.list, each) {
                bool is_dead = !each->is_sealed && !each->is_damaged &&
                               prune_was_over(prune, &now, &each->manifest.session);

                if (is_dead && !each->is_dropped)
                        *vec_add(&dead.points) = each->name;
                else if (each->is_dropped && !err)
                        err = remove_point(vault, &each->name, note);
                prune->report.n_unsealed += is_dead;
        }
        if (!err && dead.points.n > 0)
                err = drop(vault, &dead, note);
        vec_fini(&dead.points);
        VEC_EACH (&manifests.orphans, each)
                if (!err)
                        err = remove_orphan(vault, each, note);
        return err;
}

/* Who writes and is waited for no time at all is broken here, so that what it left goes at once. */
enum err prune_tidy(struct prune *prune, struct err_note *note) {
        bool is_over;

        if (vault_sessions_list(prune->vault, &prune->sessions, note) ||
            vault_sessions_read(prune->vault, &prune->sessions, note))
                return note->code;
        if (prune->options.grace_ns == 0) {
                vault_sessions_wait_for(prune->vault, &prune->sessions, &prune->waiting);
                if (vault_sessions_wait_step(prune->vault, &prune->waiting, 0, &is_over, note) ||
                    vault_sessions_list(prune->vault, &prune->sessions, note))
                        return note->code;
                prune->report.n_broken = prune->waiting.n_broken;
        }
        vault_wait_for_listing(prune->vault);
        if (remove_dead(prune, note))
                return note->code;
        return vault_sessions_clean(prune->vault, &prune->sessions, false, &prune->report.n_cleaned, note);
}

/* ---- the rule ---- */

bool prune_is_seen(const struct prune *prune, const struct vault_name *point) {
        VEC_EACH (&prune->state.seen, each)
                if (vault_name_compare(&each->point, point) == 0)
                        return true;
        return false;
}

static int64_t first_seen(const struct vault_state *state, const struct vault_name *point, int64_t now) {
        VEC_EACH (&state->seen, each)
                if (vault_name_compare(&each->point, point) == 0)
                        return each->time;
        return now;
}

static int64_t now_seconds(struct vault *vault) {
        return io_wall_ns(vault->io) / 1000000000;
}

/* Besides the manifests: what is recorded as damaged, and what is read. */
struct candidates {
        struct vault_taint taint; /* owned */
        struct vault_names read;  /* owned */
};
static void candidates_fini(struct candidates *candidates) {
        vault_taint_fini(&candidates->taint);
        vault_names_fini(&candidates->read);
}
DEFINE_AUTO_IN_PLACE(struct candidates, candidates_fini);

static struct keep_point *list_candidates(struct prune *prune, const struct prune_manifests *manifests,
                                          const struct candidates *candidates, size_t *ret_n) {
        struct keep_point *points = mem_grow(NULL, manifests->list.n + 1, sizeof *points);
        int64_t now = now_seconds(prune->vault);
        size_t n = 0;

        /* What comes later was seen later, whatever the clock says of whoever prunes this time. */
        VEC_EACH (&prune->state.seen, each)
                now = each->time > now ? each->time : now;
        VEC_EACH (&manifests->list, each)
                if (each->is_sealed && !each->is_dropped)
                        points[n++] = (struct keep_point){
                                .point = each->name,
                                .name = each->manifest.name,
                                .time = each->manifest.time,
                                .sequence = each->manifest.sequence,
                                .first_seen = first_seen(&prune->state, &each->name, now),
                                .is_good = !taint_has_point(&candidates->taint, &each->name),
                                .is_in_use = is_among(&candidates->read, &each->name)};
        *ret_n = n;
        return points;
}

/* The new state: what is there, but for what goes. */
static void note_seen(struct prune *prune, const struct keep_point *points, size_t n) {
        struct vault_state state = {.sequence = prune->state.sequence, .packs = prune->state.packs};

        for (size_t i = 0; i < n; i++) {
                if (points[i].why != KEEP_NOT) {
                        prune->is_state_new |= !prune_is_seen(prune, &points[i].point);
                        *vec_add(&state.seen) = (struct vault_seen){points[i].point, points[i].first_seen};
                }
                *vec_add(&prune->report.points) = (struct prune_point){
                        points[i].point, mem_text(points[i].name), points[i].time, points[i].why};
                prune->report.n_let_go += points[i].why == KEEP_NOT;
        }
        prune->is_state_new |= state.seen.n != prune->state.seen.n;
        vault_state_fini(&prune->state);
        prune->state = state;
}

enum err prune_let_go(struct prune *prune, struct err_note *note) {
        AUTO(prune_manifests_fini) struct prune_manifests manifests = {0};
        AUTO(candidates_fini) struct candidates candidates = {0};
        AUTO_FREE struct keep_point *points = NULL;
        AUTO(vault_drop_fini) struct vault_drop record = {0};
        size_t n;

        if (prune_load_manifests(prune->vault, &prune->drops, &manifests, note) ||
            taints_read(prune->vault, &candidates.taint, note) ||
            prune_list_read(prune, &candidates.read, note))
                return note->code;
        points = list_candidates(prune, &manifests, &candidates, &n);
        keep_choose(points, n, &prune->options.keep);
        note_seen(prune, points, n);
        if (prune->options.is_dry || prune->report.n_let_go == 0)
                return ERR_NONE;
        for (size_t i = 0; i < n; i++)
                if (points[i].why == KEEP_NOT)
                        *vec_add(&record.points) = points[i].point;
        record.why = mem_format("keep-last %u", prune->options.keep.last);
        return drop(prune->vault, &record, note);
}
