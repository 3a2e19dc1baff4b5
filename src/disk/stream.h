// SPDX-License-Identifier: Apache-2.0
/* A disk as a stream of bytes of known length, and its mirror.  docs/format/stream.md has the bytes.
 *
 * stream_source makes of (chain, base, format) something that is pulled: its length is known before the first
 * byte, it reads only as fast as it is asked, in fixed memory, so that a reader may be slow or pause for a
 * day. stream_sink takes such a stream in, byte by byte, never seeking, and writes it through a chain.
 *
 *   STREAM_RAW   every byte of the disk, zeros included
 *   STREAM_VHD   a dynamic VHD of all that is held; with a base, a differencing VHD of exactly the sectors
 *                that differ: real bitmaps, data 4 KiB aligned, blocks in order of the disk
 *
 * Errors: a sink says ERR_CUT_SHORT with "at byte N of M", ERR_CORRUPT with the offset in the stream,
 * ERR_MISMATCH where the stream's parent is another than expected.  Threads: one at a time each; the chain
 * may be used by others meanwhile.
 */
#ifndef DISK_STREAM_H
#define DISK_STREAM_H

#include "chain.h"
#include "uuid.h"

enum stream_format {
        STREAM_RAW,
        STREAM_VHD,
        /* In only: offset, length, data, as vhd-tool's "chunked"; what it lacks stays as it was. */
        STREAM_CHUNKS,
};

/* ---- out
 * ----------------------------------------------------------------------------------------------------------
 *
 * The chain should be one that does not change (a snapshot's): which blocks the stream has is decided when it
 * is made, which of their sectors when they come.  A block that the map holds and that turns out to have no
 * sector to show is sent with an empty bitmap, since the length has been told.  Memory: two blocks, and the
 * BAT until it is sent.
 *
 * The batmap, a hint, has a bit where the map alone says that a block is whole.  The others would need every
 * bitmap to be read before the first byte: they stay clear. */

struct stream_source_options {
        enum stream_format format;
        struct chain *base;      /* borrowed; NULL: the whole disk */
        struct uuid uuid;        /* the footer uuid of the VHD that is made; not null */
        struct uuid parent_uuid; /* with a base: the uuid of the VHD that the reader holds it as; not null */
        const char *parent_name; /* borrowed for the call; with a base: "<uuid>.vhd" */
        int64_t made_seconds;    /* of the VHD, since 1970; 0: now */
        bool has_whole_blocks;   /* a VHD block that is sent is sent whole: merged content, all bits set.  For
                                  * readers that do not look at bitmaps */
};
struct stream_source;

/* ERR_INVALID for options that contradict one another.  The chain, and the base, outlive the source. */
MUST_USE enum err stream_source_new(struct chain *, const struct stream_source_options *,
                                    struct stream_source **ret, struct err_note *);
uint64_t stream_source_length(const struct stream_source *); /* bytes, exact */
uint64_t stream_source_data(const struct stream_source *);   /* of these, bytes of blocks with guest data */
uint64_t stream_source_at(const struct stream_source *);     /* bytes pulled or skipped so far */
/* The next up to n bytes; *ret_n is less only at the end, or where what follows cannot be read: then the next
 * call says why.  A call that failed may be made again. */
MUST_USE enum err stream_source_pull(struct stream_source *, void *ret, size_t n, size_t *ret_n,
                                     struct err_note *);
/* The same without a copy: the next bytes where they lie, at least one but at the end; they stay until the
 * next call.  What was used of them is then skipped. */
MUST_USE enum err stream_source_peek(struct stream_source *, const void **ret, size_t *ret_n,
                                     struct err_note *);
/* How many bytes of zeros come next as far as is known without reading (0: data, or less than 64 KiB); a
 * writer that can seek skips them instead of pulling. */
uint64_t stream_source_hole(struct stream_source *);
void stream_source_skip(struct stream_source *, uint64_t n); /* not past the end */
void stream_source_free(struct stream_source *);
DEFINE_AUTO(struct stream_source *, stream_source_free);

/* ---- in
 * -----------------------------------------------------------------------------------------------------------
 *
 * A VHD ends where its blocks and metadata do and a footer stands that equals the copy in front; or, where a
 * writer left room before it, in the last 512 bytes of the stream.  Bytes behind the end are an error, unless
 * the total tells of them (an XAPI client that does not know the length declares 1 PiB).  A fixed VHD says
 * what it is in its last 512 bytes only: it is taken where the total is known.  Blocks may come in any order,
 * but behind the BAT.
 *
 * What a whole stream does not hold reads as zeros afterwards, whatever the disk held before; of a delta only
 * the sectors that it holds are touched.  A disk larger than a whole stream's is zeros behind it. */

/* What the first bytes of a stream said, before anything is made of it. */
struct stream_head {
        uint64_t size; /* of the disk, bytes, whole sectors; UINT64_MAX: raw, as long as the chain that begin
                          gives */
        struct uuid uuid; /* of the VHD's footer; null for raw, and for a fixed VHD until its end */
        bool is_delta;
        struct uuid parent_uuid; /* where is_delta; null: made over a raw disk */
};

struct stream_sink;

/* total: the stream's length where it is known, else UINT64_MAX (a raw stream then must be as long as the
 * disk). begin is called once, when the head is known and before any data: it gives the open chain to write
 * to (borrowed until the sink ends), or refuses.  The first error is the last: every later call gives it
 * again. */
typedef enum err (*stream_begin)(void *user, const struct stream_head *, struct chain **ret,
                                 struct err_note *);
MUST_USE enum err stream_sink_new(enum stream_format, uint64_t total, stream_begin, void *user,
                                  struct stream_sink **ret, struct err_note *);
MUST_USE enum err stream_sink_push(struct stream_sink *, const void *data, size_t n, struct err_note *);
/* The stream has ended: everything must have come.  The chain is flushed. */
MUST_USE enum err stream_sink_end(struct stream_sink *, struct err_note *);
uint64_t stream_sink_taken(const struct stream_sink *); /* bytes so far */
/* Everything has come: no further byte is needed, whatever total says. */
bool stream_sink_is_whole(const struct stream_sink *);
const struct stream_head *stream_sink_head(const struct stream_sink *); /* complete once the sink has ended */
void stream_sink_free(struct stream_sink *);
DEFINE_AUTO(struct stream_sink *, stream_sink_free);

#endif
