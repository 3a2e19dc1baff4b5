// SPDX-License-Identifier: Apache-2.0
/* Bytes of disks out of and into an SR: what `vdi export` and `vdi import` do, without their words.
 *
 * Errors: those of stream.h, sr.h and new_file.h.  Threads: the owner of the SR.
 */
#ifndef SERVICE_VDI_EXPORT_H
#define SERVICE_VDI_EXPORT_H

#include "progress.h"
#include "sr.h"
#include "stream.h"
#include "turn.h"

struct vdi_export {
        struct io *io;         /* borrowed */
        struct sr *sr;         /* borrowed */
        struct turn *turn;     /* borrowed; of sr, held; given back while bytes move; NULL: nobody waits */
        struct uuid vdi, base; /* base null: the whole disk */
        enum stream_format format;
        const char *path;       /* borrowed; a file that is made or replaced; NULL: to output */
        struct io_file *output; /* borrowed; a stream */
        bool ignore_space, is_read_only;
        struct progress *progress; /* borrowed */
};

struct vdi_export_result {
        uint64_t length, data; /* bytes of the stream; of blocks in it */
        uint64_t size;         /* of the disk */
        struct uuid uuid;      /* of the footer; null: raw */
        struct uuid parent;    /* null: no delta */
};

/* The VDI remembers the uuid, unless the call is to change nothing. */
MUST_USE enum err vdi_export_run(const struct vdi_export *, struct vdi_export_result *ret, struct err_note *);

#endif
