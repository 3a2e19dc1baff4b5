// SPDX-License-Identifier: Apache-2.0
/* A disk taken into an SR, as a VDI of its own or as the new content of one: there whole or not at all.
 *
 * Errors: those of stream.h and sr.h; ERR_MISMATCH where a delta was made against another state than the VDI
 * is in. Threads: the owner of the SR.
 */
#ifndef SERVICE_VDI_IMPORT_H
#define SERVICE_VDI_IMPORT_H

#include "progress.h"
#include "sr.h"
#include "stream.h"
#include "turn.h"
#include "vdi_inlet.h"

struct vdi_import {
        struct io *io;     /* borrowed */
        struct sr *sr;     /* borrowed */
        struct turn *turn; /* borrowed; of sr, held; given back while bytes move; NULL: nobody waits */
        enum stream_format format;
        const char *path;          /* borrowed; NULL: from input */
        struct io_file *input;     /* borrowed; a stream */
        uint64_t size;             /* of a raw disk that comes as a stream; 0: not known */
        const char *name;          /* borrowed; of the new VDI */
        const char *description;   /* borrowed */
        struct uuid onto;          /* null: a new VDI */
        bool force;                /* whatever onto holds, and however little space there seems to be */
        struct progress *progress; /* borrowed */
};

MUST_USE enum err vdi_import_run(const struct vdi_import *, struct vdi_inlet_result *ret, struct err_note *);

#endif
