// SPDX-License-Identifier: Apache-2.0
/* Who reads, and what stays therefore [F7]. */
#include <stdlib.h>

#include "prune_inside.h"

static enum err list_sessions(struct prune *prune, struct vault_sessions *ret, struct err_note *note) {
        return vault_sessions_list(prune->vault, ret, note) ? note->code
                                                            : vault_sessions_read(prune->vault, ret, note);
}

static bool reads(const struct vault_sessions_row *row) {
        return row->is_reader && vault_sessions_row_is_live(row);
}

/* One that died without a word would keep what it read for ever. */
enum err prune_hear_readers(struct prune *prune, bool is_first, bool *ret_is_over, struct err_note *note) {
        AUTO(vault_sessions_fini) struct vault_sessions sessions = {0};

        if (is_first) {
                if (list_sessions(prune, &sessions, note))
                        return note->code;
                vault_sessions_wait_for_word(prune->vault, &sessions, &prune->waiting);
        }
        if (vault_sessions_wait_step(prune->vault, &prune->waiting, prune->options.grace_ns, ret_is_over,
                                     note))
                return note->code;
        prune->report.n_broken = prune->waiting.n_broken;
        return ERR_NONE;
}

enum err prune_list_read(struct prune *prune, struct vault_names *ret, struct err_note *note) {
        AUTO(vault_sessions_fini) struct vault_sessions sessions = {0};

        if (list_sessions(prune, &sessions, note))
                return note->code;
        VEC_EACH (&sessions.list, row)
                if (reads(row))
                        VEC_EACH (&row->points, point)
                                *vec_add(&ret->list) = *point;
        prune_sort_names(ret->list.data, ret->list.n);
        return ERR_NONE;
}

/* ---- packs ---- */

static int compare_manifests(const void *name, const void *manifest) {
        return vault_name_compare(name, &((const struct prune_manifest *)manifest)->name);
}

/* NULL: it was not there when it was looked again. */
static const struct prune_manifest *find_again(const struct prune *prune, const struct vault_name *point) {
        return prune->again.list.n == 0 ? NULL
                                        : bsearch(point, prune->again.list.data, prune->again.list.n,
                                                  sizeof *prune->again.list.data, compare_manifests);
}

/* What it reads is marked. */
static enum err mark_read(struct prune *prune, const struct vault_sessions_row *row, struct needs *needs,
                          struct err_note *note) {
        VEC_EACH (&row->points, point) {
                const struct prune_manifest *manifest = find_again(prune, point);

                if (!manifest)
                        vault_sessions_wait_for_one(prune->vault, row, &prune->waiting);
                else if (prune_tick(prune, note) ||
                         needs_add(needs, &manifest->manifest, &manifest->name, true, note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err keep_marked(struct prune *prune, struct blob_marks *marks, struct err_note *note) {
        struct blobs_excluded kept = {0};

        if (blob_marks_sum(marks, note))
                return note->code;
        VEC_EACH (&prune->going.packs, each) {
                const struct blob_marks_pack *pack = blob_marks_pack(marks, each);

                if (pack && pack->n_marked > 0)
                        *vec_add(&kept.packs) = *each; /* they come in order */
        }
        prune_keep(prune, &kept);
        vec_fini(&kept.packs);
        return ERR_NONE;
}

/* Copies elsewhere are no reason to delete what is read: whoever reads may not know of them. */
enum err prune_see_readers(struct prune *prune, struct err_note *note) {
        AUTO(vault_sessions_fini) struct vault_sessions sessions = {0};
        AUTO(needs_free) struct needs *needs = NULL;
        bool is_read = false;

        vault_wait_for_listing(prune->vault);
        if (list_sessions(prune, &sessions, note))
                return note->code;
        VEC_EACH (&sessions.list, row)
                is_read |= reads(row);
        if (!is_read || prune->going.packs.n == 0)
                return ERR_NONE;
        needs = needs_new(prune->vault);
        VEC_EACH (&sessions.list, row)
                if (reads(row) && mark_read(prune, row, needs, note))
                        return note->code;
        return keep_marked(prune, needs_marks(needs), note);
}
