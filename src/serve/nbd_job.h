// SPDX-License-Identifier: Apache-2.0
/* One request of an NBD client, carried out on a chain: plain calls, which wait for the disk.
 *
 * Of a read that may have holes (structured form, no DF) the result is parts, in order: data, and holes of
 * NBD_HOLE_MIN bytes and more, as far as NBD_PARTS_MAX suffices.  FUA is the change and then a flush.
 * WRITE_ZEROES with NO_HOLE writes zeros as data.  BLOCK_STATUS tells as many extents as there is room for,
 * and at least one for each context.
 *
 * Errors: in the job: what the client is told, and the note for the log.  Threads: any; a job, one at a time.
 */
#ifndef SERVE_NBD_JOB_H
#define SERVE_NBD_JOB_H

#include "chain.h"
#include "nbd_reply.h"

enum {
        NBD_CONTEXTS_MAX = 4,
        NBD_PARTS_MAX = 16,
        NBD_HOLE_MIN = 4096,       /* bytes; smaller ones are sent as data */
        NBD_HOLES_FROM = 64 << 10, /* bytes; in shorter reads holes are not looked for */
        NBD_EXTENTS_MAX = 1024,    /* of one context in one answer */
        NBD_EXTENTS_BYTES = NBD_EXTENTS_MAX * (int)sizeof(struct nbd_extent_wire),
};

struct nbd_part {
        uint32_t at, n; /* bytes of the request */
        bool is_hole;
};

/* A context as it was set for a connection. */
struct nbd_asked {
        uint32_t id;
        struct chain *base; /* borrowed; catena:changed: the snapshot; NULL: base:allocation */
};

struct nbd_job {
        struct nbd_request request; /* checked: nbd_request.h */
        struct chain *chain;        /* borrowed; NULL: there is none, which is EIO */
        uint8_t *data;              /* borrowed; READ, WRITE: the bytes; BLOCK_STATUS: room for extents */
        bool may_have_holes;
        const struct nbd_asked *contexts; /* borrowed; BLOCK_STATUS */
        unsigned n_contexts;

        enum nbd_error error;                 /* the result */
        struct err_note note;                 /* of an error */
        struct nbd_part parts[NBD_PARTS_MAX]; /* READ */
        unsigned n_parts;
        /* BLOCK_STATUS: how many extents lie at data + i * NBD_EXTENTS_BYTES, as on the wire */
        unsigned n_extents[NBD_CONTEXTS_MAX];
};

/* How many bytes `data` must have; 0: none. */
size_t nbd_job_room(const struct nbd_request *, unsigned n_contexts);
void nbd_job_run(struct nbd_job *);
/* Of a READ: whether holes are looked for; and one more part of the result. */
bool nbd_job_finds_holes(const struct nbd_job *);
void nbd_job_add_part(struct nbd_job *, uint32_t at, uint32_t n, bool is_hole);

enum nbd_error nbd_error_of(enum err);

#endif
