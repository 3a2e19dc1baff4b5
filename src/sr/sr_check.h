// SPDX-License-Identifier: Apache-2.0
/* Looks at all of an SR: every file by vhd_check, the trees, and the catalog against both.
 *
 * Promises: changes nothing.  Errors: only what kept it from looking at all; what is wrong is a finding.
 * Threads: the owner of the SR.
 */
#ifndef SR_SR_CHECK_H
#define SR_SR_CHECK_H

#include "sr.h"
#include "vhd_check.h"

struct sr_finding {
        struct uuid uuid; /* of the node; null: of the SR */
        char *name;       /* owned; of the file, or "catalog" */
        struct finding finding;
};
struct sr_findings {
        VEC(struct sr_finding) list; /* owned, and each name */
        uint64_t n_errors, n_warnings, n_files;
};
void sr_findings_fini(struct sr_findings *);
DEFINE_AUTO_IN_PLACE(struct sr_findings, sr_findings_fini);

/* Called before each file; false ends the check (ERR_CANCELLED).  May be NULL. */
typedef bool (*sr_check_progress)(void *user, uint64_t done, uint64_t total);

/* flags: VHD_CHECK_BITMAPS. */
MUST_USE enum err sr_check(struct sr *, unsigned flags, sr_check_progress, void *user,
                           struct sr_findings *ret, struct err_note *);

#endif
