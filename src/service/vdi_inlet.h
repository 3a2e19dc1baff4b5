// SPDX-License-Identifier: Apache-2.0
/* A disk on its way into an SR, byte by byte as it comes, to be a VDI of its own or the new content of
 * one: there whole or not at all.
 *
 *      vdi_inlet_new(&ask, &inlet, note)
 *      vdi_inlet_push(inlet, data, n, note)    … until all has come, or vdi_inlet_is_whole
 *      vdi_inlet_commit(inlet, &result, note)  durable, and seen
 *      vdi_inlet_free(inlet)                   without a commit nothing has happened
 *
 * Errors: those of stream.h and sr.h; ERR_MISMATCH where a delta was made against another state than the
 * VDI is in, ERR_INVALID where a whole disk would replace what a VDI holds, both unless takes_any.
 * Threads: one at a time, without the SR's turn: new, push and commit take it where they need it.
 */
#ifndef SERVICE_VDI_INLET_H
#define SERVICE_VDI_INLET_H

#include "sr.h"
#include "stream.h"
#include "turn.h"

struct vdi_inlet_ask {
        struct sr *sr;     /* borrowed */
        struct turn *turn; /* borrowed; of sr; NULL: nobody else wants it */
        enum stream_format format;
        uint64_t total;          /* bytes that will come; UINT64_MAX: not known */
        const char *name;        /* borrowed; of the new VDI; NULL: its uuid */
        const char *description; /* borrowed; or NULL */
        struct uuid onto;        /* null: a new VDI */
        bool takes_any;          /* whatever onto holds */
        bool keeps_size; /* onto does: a VHD of a smaller disk is its beginning, a larger one is refused */
};

struct vdi_inlet_result {
        struct uuid vdi;
        struct uuid stream;   /* of the footer; null: raw */
        uint64_t size, taken; /* of the disk; bytes of the stream */
        bool is_delta;
};

struct vdi_inlet;

MUST_USE enum err vdi_inlet_new(const struct vdi_inlet_ask *, struct vdi_inlet **ret, struct err_note *);
void vdi_inlet_free(struct vdi_inlet *);
DEFINE_AUTO(struct vdi_inlet *, vdi_inlet_free);

MUST_USE enum err vdi_inlet_push(struct vdi_inlet *, const void *data, size_t n, struct err_note *);
uint64_t vdi_inlet_taken(const struct vdi_inlet *);
bool vdi_inlet_is_whole(const struct vdi_inlet *); /* no further byte is needed */
MUST_USE enum err vdi_inlet_commit(struct vdi_inlet *, struct vdi_inlet_result *ret, struct err_note *);

#endif
