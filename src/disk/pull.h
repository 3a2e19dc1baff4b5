// SPDX-License-Identifier: Apache-2.0
/* A pull: what the lower layers of a run hold moves up into the run's top, batch by batch, until the top has
 * of its own all that is seen through it, and can do without them.
 *
 * run[0] is the lowest, run[n - 1] the top, each the parent of the next.  One pass over all of them: of each
 * sector that the top lacks the newest owner below it is copied once.  Nothing is taken from the lower
 * layers: they stay what they are until they go as a whole, so a pull needs the space of all that it copies.
 *
 *   COPY     present sectors that the top lacks are copied into it: in place, or into new blocks
 *   SYNC     the top's flush: the data is durable; then it is told of it; and once more: bitmaps and BAT
 *            entries are
 *   FULL     nothing is left: all that the lower layers hold and that can be seen, the top has, durably
 *
 * Whoever reads finds a sector in the top or below it, and the same bytes in both [C1]; so nothing need be
 * published before the lower layers leave the chains (chain_take_out_below), and a crash, push_free or an
 * error between any two steps leaves a legal chain.  The last step is a SYNC always: what a guest wrote to a
 * sector and did not flush must not be less durable than what lies below it, once that goes.
 *
 * While a guest writes to the top, the leaf of options.live: each block is held for its own copy, and what he
 * wrote before is not copied over: a sector is the copier's or the guest's, never both.  His writes go where
 * they ever went [C5].
 *
 * Errors: of the files, in words; ERR_NO_SPACE where not one block fits.  The pull stays as it was and may be
 * stepped again, or freed and begun anew; not after a sync that failed.
 * Threads: one at a time; no step touches anything but the run's images, and a block of the live chain.
 * Ownership: counts of the images are taken; each has its write side open as long as the pull lasts.
 */
#ifndef DISK_PULL_H
#define DISK_PULL_H

#include "mover.h"

struct pull;

enum pull_phase { PULL_COPY, PULL_SYNC, PULL_FULL };

MUST_USE enum err pull_new(struct image *const *run, size_t n, const struct mover_options *,
                           struct pull **ret, struct err_note *);
void pull_free(struct pull *); /* in any state */
DEFINE_AUTO(struct pull *, pull_free);

enum pull_phase pull_phase(const struct pull *); /* what the next step does; PULL_FULL: nothing is left */
void pull_pace(struct pull *, uint64_t batch_bytes, unsigned depth); /* as push_pace */
MUST_USE enum err pull_step(struct pull *, struct err_note *);

/* Payload to move, and how much of it was moved durably.  What guests write makes the total less. */
uint64_t pull_bytes_total(const struct pull *);
uint64_t pull_bytes_done(const struct pull *);

#endif
