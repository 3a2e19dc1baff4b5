// SPDX-License-Identifier: Apache-2.0
/* The SRs that a process has for as long as it serves, each open, with a keeper and a door of its own.
 *
 *      house_add(&house, doors, &call, "main", note)    once for each SR; its turn is not held afterwards
 *      … house.shelves …                                what NBD serves
 *      house_tell(&house, &served)                      the verbs on the SRs tell of it from then on
 *      house_tell(&house, NULL)
 *      house_fini(&house)                               before doors_free, which lets go of the SRs
 *
 * Errors: those of opening an SR; ERR_READ_ONLY where it was adopted so; ERR_EXISTS where it is in the
 * house already.
 * Threads: the one that the process was started with; it holds none of the turns.
 */
#ifndef APP_HOUSE_H
#define APP_HOUSE_H

#include "doors.h"
#include "nbd_shelf.h"
#include "served.h"
#include "verbs.h"

struct house {
        VEC(struct verb_call) calls; /* owned, and the params of each; they have the SRs open */
        VEC(struct nbd_shelf) each;
        struct nbd_shelves shelves; /* of these */
};
void house_fini(struct house *);
DEFINE_AUTO_IN_PLACE(struct house, house_fini);

/* sr: its folder, name or uuid.  Of call, what says where it runs: io, state_dir, self, progress. */
MUST_USE enum err house_add(struct house *, struct doors *, const struct verb_call *call, const char *sr,
                            struct err_note *);
void house_tell(struct house *, const struct served *);

#endif
