// SPDX-License-Identifier: Apache-2.0
/* A VDI that is open to be streamed out, and its base: what `vdi export`, HTTP and others need before the
 * first byte and after the last one.  In between they read through the chains without the SR's turn, at
 * their reader's pace.
 *
 *      vdi_outlet_open(sr, io, &ask, &outlet, note)            with the turn
 *      options = vdi_outlet_options(&outlet)  … stream_plan_new(outlet.chain, &options, …)
 *      vdi_outlet_close(&outlet, remembers, note)              with the turn
 *
 * The state that goes out has a uuid: what it was called last time, if the VDI was not written since; of a
 * snapshot its file's own, so that it is called the same by everyone who can only read.
 *
 * Errors: ERR_NOT_FOUND; ERR_INVALID, the base is no snapshot; ERR_BUSY, somebody writes to the VDI and
 * is_quiet was asked for; those of sr_open_chain.
 * Threads: the owner of the SR.  Ownership: the chains are the outlet's; valid when zeroed, for close too.
 */
#ifndef SERVICE_VDI_OUTLET_H
#define SERVICE_VDI_OUTLET_H

#include "sr.h"
#include "stream.h"

struct vdi_outlet_ask {
        struct uuid vdi, base; /* base null: the whole disk */
        enum stream_format format;
        bool has_whole_blocks; /* as stream.h has it */
        bool is_quiet;         /* refused while somebody writes */
};

struct vdi_outlet {
        struct sr *sr; /* borrowed; NULL: it is closed */
        struct vdi_outlet_ask ask;
        struct chain *chain, *base; /* owned; base NULL: none */
        struct uuid uuid, parent;   /* of the states; null: raw, no delta */
        int64_t made_seconds; /* when a snapshot was taken: it goes out the same each time; 0: it is none */
        char *parent_name;    /* owned; NULL: no delta */
};

MUST_USE enum err vdi_outlet_open(struct sr *, struct io *, const struct vdi_outlet_ask *,
                                  struct vdi_outlet *ret, struct err_note *);
struct stream_source_options vdi_outlet_options(const struct vdi_outlet *); /* borrows from the outlet */
/* remembers: all of it went out, and the VDI knows from now on under which uuid.  Closed also where that
 * failed. */
MUST_USE enum err vdi_outlet_close(struct vdi_outlet *, bool remembers, struct err_note *);

#endif
