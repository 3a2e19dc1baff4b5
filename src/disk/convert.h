// SPDX-License-Identifier: Apache-2.0
/* A disk copied into one file of its own: a chain or a raw file becomes a dynamic VHD, a fixed VHD or a raw
 * file.
 *
 * Built for speed: holes of the source are never read (the file system is asked where data is), zeros that
 * were read are not written, and many reads and writes of a block each are in flight at once.  The new file
 * is written from front to back, its metadata last; it is there whole or not at all (new_file.h).
 *
 * Errors: ERR_NO_SPACE before the start where what has to be written does not fit; those of io, new_file and
 * chain. Threads: any, one call at a time for a source.
 */
#ifndef DISK_CONVERT_H
#define DISK_CONVERT_H

#include <stdbool.h>
#include <stdint.h>

#include "chain.h"
#include "io.h"
#include "uuid.h"

enum convert_format { CONVERT_VHD, CONVERT_FIXED, CONVERT_RAW };

/* AUTO writes past the page cache, which a whole disk would only push everything else out of, and reads
 * through it, since part of the source may be there. */
enum convert_cache { CONVERT_CACHE_AUTO, CONVERT_CACHED, CONVERT_DIRECT };

/* Called now and then with bytes of the disk; an error ends the copy. */
typedef enum err (*convert_progress)(void *user, uint64_t done, uint64_t total, struct err_note *);

struct convert_options {
        enum convert_format format;
        enum convert_cache cache;
        bool is_full;              /* zeros are written too, where a fixed VHD or a raw file has them */
        bool may_replace;          /* the destination may be there already */
        bool ignore_space;         /* begins although there seems to be too little room */
        struct uuid uuid;          /* of the VHD; null: fresh dice */
        convert_progress progress; /* borrowed; may be NULL */
        void *user;                /* borrowed; handed to progress */
};

struct convert_result {
        uint64_t size;    /* of the disk */
        uint64_t read;    /* bytes that were read */
        uint64_t written; /* bytes of data that were written */
        struct uuid uuid; /* of the VHD that was made */
};

MUST_USE enum err convert_chain(struct io *, struct chain *, const char *to, const struct convert_options *,
                                struct convert_result *ret, struct err_note *);
/* size is rounded up to 512 bytes; the last sector is filled with zeros. */
MUST_USE enum err convert_raw(struct io *, const char *from, const char *to, const struct convert_options *,
                              struct convert_result *ret, struct err_note *);

#endif
