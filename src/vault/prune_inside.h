// SPDX-License-Identifier: Apache-2.0
/* What the files of prune share; nobody else includes this.
 *
 * Errors: as prune.h says.  Threads: one at a time.
 */
#ifndef VAULT_PRUNE_INSIDE_H
#define VAULT_PRUNE_INSIDE_H

#include "needs.h"
#include "prune.h"
#include "vault_sessions.h"

/* A manifest that was listed. */
struct prune_manifest {
        struct vault_name name;
        struct vault_manifest manifest; /* owned */
        bool is_sealed, is_dropped;     /* dropped: a drop record names it, and it was listed all the same */
        bool is_damaged;                /* and has no seal: it will never be read */
};
struct prune_manifests {
        VEC(struct prune_manifest) list; /* owned, and each; ascending by name */
        VEC(struct vault_name) orphans;  /* owned; seals without a manifest */
};
void prune_manifests_fini(struct prune_manifests *);
DEFINE_AUTO_IN_PLACE(struct prune_manifests, prune_manifests_fini);

struct prune_doom {
        struct vault_name name;
        struct vault_doom doom; /* owned */
        bool is_gone;           /* all that it names, by a listing */
};
struct prune_dooms {
        VEC(struct prune_doom) list; /* owned, and each */
};
void prune_dooms_fini(struct prune_dooms *);
DEFINE_AUTO_IN_PLACE(struct prune_dooms, prune_dooms_fini);

struct prune_drop {
        struct vault_name name;
        struct vault_drop drop; /* owned */
};
struct prune_drops {
        VEC(struct prune_drop) list; /* owned, and each */
};
void prune_drops_fini(struct prune_drops *);
DEFINE_AUTO_IN_PLACE(struct prune_drops, prune_drops_fini);

struct prune {
        struct vault *vault; /* borrowed, outlives it */
        struct prune_options options;
        unsigned at;                /* in the table of steps */
        struct prune_report report; /* owned */

        struct vault_sessions sessions;        /* owned; as they were when it began to tidy */
        struct vault_sessions_waiting waiting; /* owned */
        struct prune_drops drops;              /* owned; there when it began */
        struct vault_state state;              /* owned; the newest when it began; then what it leaves */
        bool is_state_new;                     /* it sees other points than the last one */
        VEC(struct vault_name) states;         /* owned; there when it began */

        struct vault_name name;       /* of its doom record; null: none was put */
        struct prune_manifests again; /* owned; as they were when it looked again */
        struct blobs_excluded doomed; /* owned; sorted: what its record names */
        struct blobs_excluded going;  /* owned; sorted: of these, what it deletes */
        struct prune_dooms others;    /* owned; which it took over */
        bool has_deleted;             /* from then on its record stays until all is gone */
        uint64_t n_needed;            /* packs, by the latest look */
        unsigned n_tries;             /* of the step that it is at */
};

enum { PRUNE_TRIES = 60, PRUNE_TRIES_TO_WALK = 4 };

enum err prune_tick(struct prune *, struct err_note *);
void prune_sort_names(struct vault_name *, size_t n);
/* A second, or a list lag: of time that others need. */
void prune_pause(struct prune *);

/* ---- prune_points.c ---- */

/* [F6] A sealed one that cannot be read ends it. */
MUST_USE enum err prune_load_manifests(struct vault *, const struct prune_drops *,
                                       struct prune_manifests *ret, struct err_note *);
/* [F5] It was over a list lag ago, when prune->sessions was listed, or there was none of it then and now. */
bool prune_was_over(const struct prune *, const struct vault_sessions *now, const struct vault_name *session);
MUST_USE enum err prune_load_drops(struct vault *, struct prune_drops *ret, struct err_note *);
bool prune_drops_have(const struct prune_drops *, const struct vault_name *point);
/* [F5] */
MUST_USE enum err prune_tidy(struct prune *, struct err_note *);
bool prune_is_seen(const struct prune *, const struct vault_name *point); /* in its state */
MUST_USE enum err prune_let_go(struct prune *, struct err_note *);

/* ---- prune_look.c ---- */

MUST_USE enum err prune_look(struct prune *, struct err_note *);
MUST_USE enum err prune_put_state(struct prune *, struct err_note *);
MUST_USE enum err prune_load_dooms(struct vault *, const struct vault_name *but, struct prune_dooms *ret,
                                   struct err_note *);

/* ---- prune_choose.c ---- */

/* Of all manifests, by the packs of the latest refresh.  but_let_go: but those of the report that may go (a
 * dry run).  What cannot be walked may only not be listed yet: ret_lacks says so, and its text is in note; of
 * a sealed one that lacks still after some tries it is an error [F6]. */
enum prune_lacks { PRUNE_LACKS_NOTHING, PRUNE_LACKS_UNSEALED, PRUNE_LACKS_SEALED };
MUST_USE enum err prune_walk(struct prune *, const struct prune_manifests *, bool but_let_go,
                             struct needs **ret, enum prune_lacks *ret_lacks, struct err_note *);
MUST_USE enum err prune_choose(struct prune *, struct err_note *);
MUST_USE enum err prune_take_back(struct prune *, struct err_note *);

/* Of those that were to go, these stay. */
void prune_keep(struct prune *, const struct blobs_excluded *kept);

/* ---- prune_readers.c: [F7] ---- */

/* One look: waits until it is known who of those that read is alive; who is not is broken. */
MUST_USE enum err prune_hear_readers(struct prune *, bool is_first, bool *ret_is_over, struct err_note *);
/* The points that are named by those who read now. */
MUST_USE enum err prune_list_read(struct prune *, struct vault_names *ret, struct err_note *);
/* After it was looked again: what they read stays, and who reads what is gone is waited for from now on. */
MUST_USE enum err prune_see_readers(struct prune *, struct err_note *);

/* ---- prune_repack.c ---- */

bool prune_is_sparse(const struct prune *, const struct blob_marks_pack *);
MUST_USE enum err prune_repack(struct prune *, struct err_note *);

/* ---- prune_end.c ---- */

MUST_USE enum err prune_delete(struct prune *, struct err_note *);
/* Whether all is gone; what is not is removed again. */
MUST_USE enum err prune_see_gone(struct prune *, bool *ret, struct err_note *);
MUST_USE enum err prune_drop_entries(struct prune *, struct err_note *);
MUST_USE enum err prune_drop_dooms(struct prune *, struct err_note *);
MUST_USE enum err prune_clean(struct prune *, struct err_note *);

#endif
