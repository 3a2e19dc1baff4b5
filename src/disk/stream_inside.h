// SPDX-License-Identifier: Apache-2.0
/* What stream_sink.c and the readers of the two formats share; nobody else includes this.
 *
 * A reader asks for its stream in pieces: it says how many bytes it needs next, in one piece, or how many
 * nobody needs. Whoever feeds it gives it a piece where it lies if it lies in one, else gathers it.
 *
 * Threads: one at a time.
 */
#ifndef DISK_STREAM_INSIDE_H
#define DISK_STREAM_INSIDE_H

#include "stream.h"
#include "stream_target.h"
#include "vec.h"
#include "vhd_bat.h"
#include "vhd_batmap.h"
#include "vhd_footer.h"
#include "vhd_header.h"
#include "vhd_layout.h"

enum { STREAM_PIECE_MAX = VHD_BITMAP_SIZE + (int)VHD_BLOCK_SIZE };

struct stream_sink;

/* One format.  Both functions are called again and again until the stream ends. */
struct stream_reader_ops {
        /* What comes at byte `at`: *ret_skip bytes that nobody needs, or a piece of *ret_n bytes
         * (STREAM_PIECE_MAX at most); or neither: it has ended.  May refuse. */
        enum err (*next)(struct stream_sink *, uint64_t at, uint64_t *ret_skip, size_t *ret_n,
                         struct err_note *);
        enum err (*take)(struct stream_sink *, uint64_t at, const uint8_t *piece, struct err_note *);
        /* Of the next piece there are n bytes, and no more come.  ERR_CUT_SHORT unless that is a good end;
         * then the disk is zeros from *ret_data_end on. */
        enum err (*end)(struct stream_sink *, uint64_t at, const uint8_t *piece, size_t n,
                        uint64_t *ret_data_end, struct err_note *);
        bool (*is_whole)(const struct stream_sink *);
};

extern const struct stream_reader_ops stream_raw_ops, stream_vhd_ops, stream_chunks_ops;

/* A raw stream, or the data of a fixed VHD. */
struct stream_raw {
        uint64_t size; /* bytes of data; UINT64_MAX: not known yet */
        bool has_footer;
        bool is_ended;
};

/* Chunks: the one that is being taken. */
struct stream_chunks {
        uint64_t at, left; /* of the disk, bytes; left 0: a head comes */
        bool is_ended;
};

enum stream_vhd_step {
        STREAM_VHD_COPY,
        STREAM_VHD_HEADER,
        STREAM_VHD_BAT,
        STREAM_VHD_BATMAP,
        STREAM_VHD_BLOCKS,
        STREAM_VHD_FOOTER,
        STREAM_VHD_ENDED,
};

struct stream_vhd {
        enum stream_vhd_step step;
        struct vhd_footer footer;
        struct vhd_header header;
        struct vhd_batmap batmap;
        bool has_batmap;
        uint32_t n_blocks;    /* of the disk */
        uint32_t n_bat;       /* entries that have come */
        VEC(uint64_t) blocks; /* owned; sector << 32 | block of those in use, by sector once all have come */
        size_t n_taken;       /* blocks */
        uint64_t end;         /* of blocks and metadata: where the footer should stand */
        uint64_t n_after;     /* sectors there and behind that were no footer */
        struct vhd_footer_disk last; /* of them, the last one */
};

struct stream_sink {
        const struct stream_reader_ops *ops; /* borrowed, static */
        uint64_t total;                      /* bytes; UINT64_MAX: not known */
        uint64_t taken;
        stream_begin begin;
        void *user; /* borrowed: the caller's */
        struct stream_head head;
        struct stream_target target;
        bool has_ended;
        struct err_note failure; /* the first that went wrong */

        uint8_t *gathered; /* owned; STREAM_PIECE_MAX bytes */
        size_t n_gathered;
        struct stream_raw raw;
        struct stream_chunks chunks;
        struct stream_vhd vhd;
};

/* The head is known: asks for the chain, and whether the disk fits it. */
MUST_USE enum err stream_sink_begin(struct stream_sink *, struct err_note *);
/* "the stream ends at byte N of M"; M is UINT64_MAX where nobody knows. */
enum err stream_cut_short(uint64_t at, uint64_t of, struct err_note *);

#endif
