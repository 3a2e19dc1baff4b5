// SPDX-License-Identifier: Apache-2.0
/* The points of a vault: those with a seal that fits.
 *
 * Errors: ERR_NOT_FOUND, no such point (says what there is); ERR_INVALID, a beginning that several have,
 * with their names; ERR_CORRUPT, a manifest that is damaged, or whose seal is of another.
 * Threads: any.
 */
#ifndef VAULT_POINTS_H
#define VAULT_POINTS_H

#include "vault.h"

struct point {
        struct vault_name name;
        struct vault_manifest manifest;
        uint8_t sum[32]; /* SHA-256 of the manifest's object */
};
void point_fini(struct point *);
DEFINE_AUTO_IN_PLACE(struct point, point_fini);
struct points {
        VEC(struct point)
        list; /* owned, and each; oldest first, and of one writer in the order in which he made them */
        unsigned n_unsealed; /* manifests without a seal: at work, or left by a run that died */
        unsigned n_damaged;
};
void points_fini(struct points *);
DEFINE_AUTO_IN_PLACE(struct points, points_fini);

/* Damaged ones are left out and counted. */
MUST_USE enum err points_list(struct vault *, struct points *ret, struct err_note *);
MUST_USE enum err points_get(struct vault *, const struct vault_name *, struct point *ret, struct err_note *);
/* A name's first digits, at least 4, or "latest": the newest that is not recorded as damaged (taints.h);
 * of_name: of those points alone. */
MUST_USE enum err points_find(struct vault *, const char *text, const char *of_name, struct point *ret,
                              struct err_note *);

/* ---- for those who make points ---- */

/* The last of a writer's manifests, sealed or not: what a run that died left behind is one, too.  Sequence 0:
 * there is none. */
struct points_last {
        uint64_t sequence;
        uint8_t sum[32];
};
MUST_USE enum err points_last_of(struct vault *, const uint8_t writer[VAULT_KEY_SIZE],
                                 struct points_last *ret, struct err_note *);

#endif
