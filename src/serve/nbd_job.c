// SPDX-License-Identifier: Apache-2.0
#include "nbd_job.h"

#include <string.h>

#include "bytes.h"

enum { ZEROS_SIZE = 256 << 10 };

/* A status that is asked of a whole disk with many small extents does not keep others waiting. */
enum { LOOKS_MAX = 8192 };

enum nbd_error nbd_error_of(enum err failed) {
        switch (failed) {
        case ERR_NONE:
                return NBD_OK;
        case ERR_NO_SPACE:
                return NBD_ENOSPC;
        case ERR_READ_ONLY:
        case ERR_DENIED:
                return NBD_EPERM;
        case ERR_INVALID:
                return NBD_EINVAL;
        case ERR_UNSUPPORTED:
                return NBD_ENOTSUP;
        case ERR_TOO_LARGE:
                return NBD_EOVERFLOW;
        case ERR_NO_MEMORY:
                return NBD_ENOMEM;
        case ERR_CANCELLED:
                return NBD_ESHUTDOWN;
        case ERR_IO:
        case ERR_CORRUPT:
        case ERR_CUT_SHORT:
        case ERR_NOT_FOUND:
        case ERR_EXISTS:
        case ERR_BUSY:
        case ERR_MISMATCH:
        case ERR_CLOSED:
                return NBD_EIO;
        }
        return NBD_EIO;
}

size_t nbd_job_room(const struct nbd_request *request, unsigned n_contexts) {
        switch (request->type) {
        case NBD_CMD_READ:
        case NBD_CMD_WRITE:
                return request->length;
        case NBD_CMD_BLOCK_STATUS:
                return (size_t)n_contexts * NBD_EXTENTS_BYTES;
        default:
                return 0;
        }
}

/* ---- reading --------------------------------------------------------------------------------- */

bool nbd_job_finds_holes(const struct nbd_job *job) {
        const struct nbd_request *request = &job->request;

        return job->may_have_holes && request->length >= NBD_HOLES_FROM &&
               is_multiple(request->offset | request->length, SECTOR);
}

void nbd_job_add_part(struct nbd_job *job, uint32_t at, uint32_t n, bool is_hole) {
        struct nbd_part *last = job->n_parts ? &job->parts[job->n_parts - 1] : NULL;

        if (last && last->is_hole == is_hole)
                last->n += n;
        else
                job->parts[job->n_parts++] = (struct nbd_part){.at = at, .n = n, .is_hole = is_hole};
}

static enum err find_parts(struct nbd_job *job, struct err_note *note) {
        const struct nbd_request *request = &job->request;
        uint32_t at = 0;

        while (at < request->length && job->n_parts < NBD_PARTS_MAX - 1) {
                struct extent extent;

                if (chain_extent_at(job->chain, NULL, request->offset + at, request->length - at, &extent,
                                    note))
                        return note->code;
                nbd_job_add_part(job, at, (uint32_t)extent.n,
                                 extent.kind == EXTENT_HOLE && extent.n >= NBD_HOLE_MIN);
                at += (uint32_t)extent.n;
        }
        if (at < request->length)
                nbd_job_add_part(job, at, request->length - at, false);
        return ERR_NONE;
}

static enum err run_read(struct nbd_job *job, struct err_note *note) {
        const struct nbd_request *request = &job->request;
        if (!nbd_job_finds_holes(job))
                nbd_job_add_part(job, 0, request->length, false);
        else if (find_parts(job, note))
                return note->code;
        for (unsigned i = 0; i < job->n_parts; i++) {
                const struct nbd_part *part = &job->parts[i];

                if (!part->is_hole &&
                    chain_read(job->chain, job->data + part->at, part->n, request->offset + part->at, note))
                        return note->code;
        }
        return ERR_NONE;
}

/* ---- changing -------------------------------------------------------------------------------- */

static enum err write_zeros(struct nbd_job *job, struct err_note *note) {
        static const uint8_t zeros[ZEROS_SIZE];
        uint64_t at = job->request.offset, end = at + job->request.length;

        while (at < end) {
                size_t n = (size_t)min_u64(end - at, sizeof zeros);

                if (chain_write(job->chain, zeros, n, at, note))
                        return note->code;
                at += n;
        }
        return ERR_NONE;
}

static enum err run_zeroes(struct nbd_job *job, struct err_note *note) {
        const struct nbd_request *request = &job->request;

        if (!(request->flags & NBD_CMD_NO_HOLE))
                return chain_write_zeroes(job->chain, request->length, request->offset, note);
        if (request->flags & NBD_CMD_FAST_ZERO)
                return err_set(note, ERR_UNSUPPORTED, "zeros that take up space are not fast");
        return write_zeros(job, note);
}

static enum err then_flush(struct nbd_job *job, struct err_note *note) {
        return job->request.flags & NBD_CMD_FUA ? chain_flush(job->chain, note) : ERR_NONE;
}

/* ---- status ---------------------------------------------------------------------------------- */

static uint32_t status_of(const struct nbd_asked *context, const struct extent *extent) {
        if (context->base)
                return extent->kind == EXTENT_DATA ? NBD_STATE_CHANGED : 0;
        return extent->kind == EXTENT_HOLE ? (unsigned)NBD_STATE_HOLE | (unsigned)NBD_STATE_ZERO : 0;
}

struct extents {
        uint8_t *to; /* borrowed */
        unsigned n, max;
        uint32_t length, status; /* the one that still grows */
};

static bool add_extent(struct extents *extents, uint32_t n, uint32_t status) {
        if (extents->length > 0 && extents->status == status) {
                extents->length += n;
                return true;
        }
        if (extents->length > 0) {
                nbd_put_extent(extents->length, extents->status,
                               extents->to + extents->n++ * sizeof(struct nbd_extent_wire));
                extents->length = 0;
        }
        if (extents->n == extents->max)
                return false;
        extents->length = n;
        extents->status = status;
        return true;
}

/* Extents are exact to a sector, requests to a byte: what lies before and behind is cut off. */
static enum err tell_extents(struct nbd_job *job, unsigned i, struct err_note *note) {
        const struct nbd_request *request = &job->request;
        uint64_t at = request->offset, end = at + request->length;
        struct extents extents = {.to = job->data + (size_t)i * NBD_EXTENTS_BYTES,
                                  .max = request->flags & NBD_CMD_REQ_ONE ? 1 : NBD_EXTENTS_MAX};

        for (unsigned looks = 0; at < end && looks < LOOKS_MAX; looks++) {
                uint64_t from = round_down(at, SECTOR), until;
                struct extent extent;

                if (chain_extent_at(job->chain, job->contexts[i].base, from, round_up(end, SECTOR) - from,
                                    &extent, note))
                        return note->code;
                until = min_u64(extent.at + extent.n, end);
                if (!add_extent(&extents, (uint32_t)(until - at), status_of(&job->contexts[i], &extent)))
                        break;
                at = until;
        }
        (void)add_extent(&extents, 0, ~extents.status);
        job->n_extents[i] = extents.n;
        return ERR_NONE;
}

static enum err run_status(struct nbd_job *job, struct err_note *note) {
        for (unsigned i = 0; i < job->n_contexts; i++) {
                if (tell_extents(job, i, note))
                        return note->code;
        }
        return ERR_NONE;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static enum err run(struct nbd_job *job, struct err_note *note) {
        const struct nbd_request *request = &job->request;

        switch (request->type) {
        case NBD_CMD_READ:
                return run_read(job, note);
        case NBD_CMD_WRITE:
                return chain_write(job->chain, job->data, request->length, request->offset, note)
                               ? note->code
                               : then_flush(job, note);
        case NBD_CMD_FLUSH:
                return chain_flush(job->chain, note);
        case NBD_CMD_TRIM:
                return chain_trim(job->chain, request->length, request->offset, note) ? note->code
                                                                                      : then_flush(job, note);
        case NBD_CMD_WRITE_ZEROES:
                return run_zeroes(job, note) ? note->code : then_flush(job, note);
        case NBD_CMD_BLOCK_STATUS:
                return run_status(job, note);
        case NBD_CMD_CACHE:
                return ERR_NONE;
        default:
                return err_set(note, ERR_INVALID, "the command is not known");
        }
}

void nbd_job_run(struct nbd_job *job) {
        job->n_parts = 0;
        job->note.code = ERR_NONE;
        job->error =
                nbd_error_of(job->chain ? run(job, &job->note)
                                        : err_set(&job->note, ERR_IO, "the disk could not be opened again"));
}
