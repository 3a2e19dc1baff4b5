// SPDX-License-Identifier: Apache-2.0
/* Space that a full SR still has: a file of zeros, .catena/ballast, which a coalesce lets go of when it
 * needs room for its next batch and takes back from what the batch gave up.  So an SR with 0 bytes free is
 * coalesced to the end.
 *
 *      let go     the file is cut to nothing; from here on new blocks of guests get ERR_NO_SPACE
 *                 (images_hold_back), so that what was let go is the coalesce's
 *      take back  after the batch's punch: filled again as far as space goes; once it is whole guests may
 *                 allocate again
 *
 * The file is not data: nothing of it is synced for its own sake, a crash may leave it at any size, and the
 * next owner fills it.
 *
 * Units: bytes.  Errors: those of io; no space is not one.  Threads: the owner of the SR.
 */
#ifndef SR_BALLAST_H
#define SR_BALLAST_H

#include "image.h"
#include "io.h"

struct ballast;

/* What an SR on a file system of that size should have, wanted at most. */
uint64_t ballast_size_for(uint64_t total, uint64_t wanted);

/* Makes the file where it is missing and fills it as far as space goes without leaving less than its own size
 * free.  images: whose guests are held back; borrowed, outlives us. */
MUST_USE enum err ballast_open(struct io *, const char *path, uint64_t size, struct images *,
                               struct ballast **ret, struct err_note *);
void ballast_close(struct ballast *); /* the file stays as it is; guests are held back no longer */
DEFINE_AUTO(struct ballast *, ballast_close);

uint64_t ballast_held(const struct ballast *); /* bytes that it takes now */
/* Guests are held back when this returns, also where it failed. */
MUST_USE enum err ballast_let_go(struct ballast *, struct err_note *);
/* *ret_is_whole: it is as large as it should be, and guests may allocate. */
MUST_USE enum err ballast_take_back(struct ballast *, bool *ret_is_whole, struct err_note *);

#endif
