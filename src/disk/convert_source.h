// SPDX-License-Identifier: Apache-2.0
/* Where the bytes of a disk that is copied lie, block by block (2 MiB), as pieces of files that can be read
 * by queue. Holes of the file system are left out, also those inside blocks that a VHD holds.
 *
 * Errors: those of io and chain.  Threads: one at a time.
 */
#ifndef DISK_CONVERT_SOURCE_H
#define DISK_CONVERT_SOURCE_H

#include "chain.h"
#include "io.h"
#include "vec.h"

struct convert_piece {
        uint32_t at, n;       /* in the block */
        struct io_file *file; /* borrowed from the source */
        uint64_t file_at;
};

struct convert_pieces {
        VEC(struct convert_piece) list; /* owned */
};

struct convert_source {
        struct chain *chain;    /* borrowed; NULL: a raw file */
        struct io_file *plain;  /* owned; a raw file, through the page cache; or NULL */
        struct io_file *direct; /* owned; the same, past it; or NULL.  A last page that is not whole is read
                                   by plain */
        uint64_t raw_size;      /* of the raw file */
        uint64_t size;          /* of the disk: a multiple of 512 */
        /* The last answer of io_next_data: [hole_start, data_start) of file is a hole, then data to data_end.
         */
        struct {
                struct io_file *file; /* borrowed */
                uint64_t hole_start, data_start, data_end;
        } seen;
};

MUST_USE enum err convert_source_open(struct io *, const char *path, bool is_direct,
                                      struct convert_source *ret, struct err_note *);
void convert_source_of_chain(struct chain *, struct convert_source *ret);
void convert_source_fini(struct convert_source *);
DEFINE_AUTO_IN_PLACE(struct convert_source, convert_source_fini);

/* The first block at or behind `block` that may hold data; UINT64_MAX where there is none. */
MUST_USE enum err convert_source_next(struct convert_source *, uint64_t block, uint64_t *ret,
                                      struct err_note *);
/* The pieces of one block, by place; what lies between them is zeros.  Of a chain they are valid under the
 * hold. */
MUST_USE enum err convert_source_pieces(struct convert_source *, uint64_t block, struct convert_pieces *ret,
                                        struct err_note *);
/* At most this many bytes of data there are. */
MUST_USE enum err convert_source_data(struct convert_source *, uint64_t *ret, struct err_note *);

#endif
