// SPDX-License-Identifier: Apache-2.0
/* A disk as a stream of bytes of known length, and its mirror (DESIGN §3 "disk/stream").
 *
 * stream_source makes of (chain, base, format) something that is pulled: its length is known before the first byte, it
 * reads only as fast as it is asked, in fixed memory, so that a reader may be slow or pause for a day.
 * stream_sink takes such a stream in, byte by byte, never seeking, and writes it through a chain.
 *
 *   STREAM_RAW   every byte of the disk, zeros included
 *   STREAM_VHD   a dynamic VHD of all that is held; with a base, a differencing VHD of exactly the sectors that differ:
 *                real bitmaps, data 4 KiB aligned, blocks in order of the disk
 *
 * Errors: a sink says ERR_CUT_SHORT with "at byte N of M", ERR_CORRUPT with the offset in the stream, ERR_MISMATCH where the
 * stream's parent is another than expected.  Threads: one at a time each; the chain may be used by others meanwhile.
 */
#ifndef DISK_STREAM_H
#define DISK_STREAM_H

#include "chain.h"
#include "uuid.h"

enum stream_format { STREAM_RAW, STREAM_VHD };

/* ---- out ---------------------------------------------------------------------------------------------------------- */

struct stream_source_options {
        enum stream_format format;
        struct chain      *base;        /* borrowed; NULL: the whole disk */
        struct uuid        uuid;        /* the footer uuid of the VHD that is made */
        struct uuid        parent_uuid; /* with a base: the uuid of the VHD that the reader holds it as */
        const char        *parent_name; /* borrowed; with a base: "<uuid>.vhd" */
};
struct stream_source;

MUST_USE enum err stream_source_new(struct chain *, const struct stream_source_options *, struct stream_source **ret,
                                    struct err_note *);
uint64_t          stream_source_length(const struct stream_source *); /* bytes, exact */
uint64_t          stream_source_data(const struct stream_source *);   /* of these, bytes of guest data */
/* The next up to n bytes; *ret_n = 0 at the end. */
MUST_USE enum err stream_source_pull(struct stream_source *, void *ret, size_t n, size_t *ret_n, struct err_note *);
/* How many bytes of zeros come next (0: data); a writer that can seek skips them instead of pulling. */
uint64_t          stream_source_hole(const struct stream_source *);
void              stream_source_skip(struct stream_source *, uint64_t n);
void              stream_source_free(struct stream_source *);
DEFINE_AUTO(struct stream_source *, stream_source_free);

/* ---- in ----------------------------------------------------------------------------------------------------------- */

/* What the first bytes of a stream said, before anything is made of it. */
struct stream_head {
        uint64_t    size;        /* of the disk, bytes */
        struct uuid uuid;        /* of the VHD's footer; null for raw */
        bool        is_delta;
        struct uuid parent_uuid; /* where is_delta */
};

struct stream_sink;

/* total: the stream's length where it is known, else UINT64_MAX (a raw stream then ends where it ends).
 * begin is called once, when the head is known and before any data: it gives the open chain to write to (borrowed until
 * the sink ends), or refuses. */
typedef enum err (*stream_begin)(void *user, const struct stream_head *, struct chain **ret, struct err_note *);
MUST_USE enum err stream_sink_new(enum stream_format, uint64_t total, stream_begin, void *user, struct stream_sink **ret,
                                  struct err_note *);
MUST_USE enum err stream_sink_push(struct stream_sink *, const void *data, size_t n, struct err_note *);
/* The stream has ended: everything must have come.  The chain is flushed. */
MUST_USE enum err stream_sink_end(struct stream_sink *, struct err_note *);
uint64_t          stream_sink_taken(const struct stream_sink *); /* bytes so far */
void              stream_sink_free(struct stream_sink *);
DEFINE_AUTO(struct stream_sink *, stream_sink_free);

#endif
