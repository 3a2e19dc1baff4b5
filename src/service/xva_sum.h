// SPDX-License-Identifier: Apache-2.0
/* The checksum of a block of an XVA, made while the block comes: of which kind is known only when the first
 * block has come, so both are made for that one, and the right one from then on.
 *
 *      xva_sum_begin(sum, note)  xva_sum_add(sum, data, n) …  xva_sum_check(sum, XVA_SHA1, text, note)
 *
 * Errors: ERR_CORRUPT: it is another; ERR_UNSUPPORTED: another kind than before; ERR_NO_MEMORY.
 * Threads: one at a time.  Valid when zeroed.
 */
#ifndef SERVICE_XVA_SUM_H
#define SERVICE_XVA_SUM_H

#include "cleanup.h"
#include "xva.h"

struct xva_sum {
        bool is_known;
        enum xva_kind kind; /* XVA_SHA1 or XVA_XXH64, once it is known */
        void *xxh64, *sha1; /* owned; NULL: not wanted */
};
void xva_sum_fini(struct xva_sum *);
DEFINE_AUTO_IN_PLACE(struct xva_sum, xva_sum_fini);

MUST_USE enum err xva_sum_begin(struct xva_sum *, struct err_note *);
void xva_sum_add(struct xva_sum *, const void *data, size_t n);
/* text: as many digits as the kind has. */
MUST_USE enum err xva_sum_check(struct xva_sum *, enum xva_kind, const char *text, struct err_note *);

#endif
