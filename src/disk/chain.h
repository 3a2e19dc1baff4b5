// SPDX-License-Identifier: Apache-2.0
/* One disk as its user sees it: a leaf and its ancestors, read and written as one.
 *
 * Opening builds one map: for each block the layer that holds it and where, so that a read is one look-up and
 * one file read at any depth.  Blocks whose sectors lie in several layers are resolved when first needed and
 * kept in a bounded cache that belongs to this generation of the map.  Blocks may move between the layers
 * below the leaf all the time (a coalesce): that is published block by block, and a reader sees either place.
 *
 * Invariants, at every instant and after any crash (docs/invariants.md has their tests):
 *   [D1] what a flush acknowledged is there after any crash; an unflushed write is old or new per sector,
 *        then stays so
 *   [D2] bytes of a slot are reused only after no reader can resolve to them and no BAT entry that a crash
 *        could bring back names them
 *   [D3] a BAT entry is durable only after its bitmap, a bitmap bit only after its data, a batmap bit only
 *        after its bitmap
 *   [D4] one valid footer stands at each instant, and guest data is never taken for one
 *   [D5] a chain opened read-only writes nothing, ever
 *   [D6] after a failed sync nothing is acknowledged any more until the chain is opened anew
 *
 * Offsets and sizes are bytes; any alignment is accepted, sub-sector writes are read-modify-write, serialised
 * per sector.
 *
 * Errors: ERR_INVALID past the end; ERR_READ_ONLY; ERR_IO after a failed sync; ERR_NO_SPACE leaves the disk
 * as it was.
 * Threads: read, write, trim, flush, extents: any, at once.  Open, close, layers, changing the shape: the
 * owner of the disk.
 */
#ifndef DISK_CHAIN_H
#define DISK_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "image.h"
#include "latency.h"

struct chain;

/* ---- open, close ---- */

enum chain_mode { CHAIN_READ, CHAIN_WRITE };

/* Follows the parents from path down.  ERR_NOT_FOUND: a parent is missing (which name, looked for where);
 * ERR_MISMATCH: a parent's uuid differs, or the parents form a loop. */
MUST_USE enum err chain_open(struct images *, const char *path, enum chain_mode, struct chain **ret,
                             struct err_note *);
/* Flushes and tidies a writable chain.  The chain is gone also where that failed. */
MUST_USE enum err chain_close(struct chain *, struct err_note *);
void chain_abandon(struct chain *); /* after an error: nothing more is written */
DEFINE_AUTO(struct chain *, chain_abandon);

uint64_t chain_size(const struct chain *);                         /* bytes */
unsigned chain_depth(const struct chain *);                        /* layers */
const struct image *chain_layer(const struct chain *, unsigned i); /* 0 is the top; for the owner */
struct images *chain_images(const struct chain *);
uint64_t chain_map_size(struct chain *); /* memory that the present map takes */

/* ---- reading ---- */

MUST_USE enum err chain_read(struct chain *, void *ret, size_t n, uint64_t at, struct err_note *);

/* Where bytes come from, for those who read files by queue.  A segment never crosses a block. */
struct chain_segment {
        uint64_t at, n;
        struct io_file *file; /* borrowed under the hold; NULL: zeros */
        uint64_t file_at;
        unsigned layer; /* of file, counted from the bottom: chain_layer's chain_depth - 1 - layer */
};
/* A hold keeps every segment found under it valid: bytes are neither punched nor reused before it ends.
 * Short: one I/O, never across a wait for a socket. */
struct chain_hold {
        unsigned phase, shard;
};
struct chain_hold chain_hold_begin(struct chain *);
void chain_hold_end(struct chain *, struct chain_hold);
/* The first segment of [at, at + n). */
MUST_USE enum err chain_segment_at(struct chain *, uint64_t at, uint64_t n, struct chain_segment *ret,
                                   struct err_note *);
/* The same for who must not wait: from memory alone.  False: a bitmap would have to be read, or a lock waited
 * for, or the range is not the disk's. */
bool chain_segment_now(struct chain *, uint64_t at, uint64_t n, struct chain_segment *ret);

/* Runs of one kind, exact to 512 bytes.  HOLE: no layer asked for holds it.  DATA: some layer does, be it
 * zeros: a present zero is data to everyone. */
enum extent_kind { EXTENT_HOLE, EXTENT_DATA };
struct extent {
        uint64_t at, n;
        enum extent_kind kind;
};
/* The run that begins at `at` (a multiple of 512), no longer than n.  With a base, DATA is what lies above
 * the layers that the two share, in either: the sectors that may differ; base may be NULL.  A base that
 * shares no layer makes all that either holds DATA. */
MUST_USE enum err chain_extent_at(struct chain *, struct chain *base, uint64_t at, uint64_t n,
                                  struct extent *ret, struct err_note *);
/* Whether block is allocated above the layers shared with base (may be NULL); from the map alone, no I/O. */
bool chain_block_is_held(struct chain *, struct chain *base, uint64_t block);
/* Whether the map alone says that each sector of block is held there: chain_extent_at then says DATA of all
 * of it.  False also where only the bitmaps would tell. */
bool chain_block_is_whole(struct chain *, struct chain *base, uint64_t block);

/* ---- writing ---- */

MUST_USE enum err chain_write(struct chain *, const void *data, size_t n, uint64_t at, struct err_note *);
/* Reads as zeros afterwards.  Trim may be declined without an error where space is short; zeroing may not. */
MUST_USE enum err chain_trim(struct chain *, uint64_t n, uint64_t at, struct err_note *);
MUST_USE enum err chain_write_zeroes(struct chain *, uint64_t n, uint64_t at, struct err_note *);
/* Everything that ended before the call is durable when it returns. */
MUST_USE enum err chain_flush(struct chain *, struct err_note *);
/* To be called every second or so by whoever has a clock: flushes when bits have waited too long. */
MUST_USE enum err chain_tick(struct chain *, struct err_note *);

/* ---- how long it took ---- */

/* How long requests of this chain's users took, from call to return: those that succeeded.  What our own work
 * reads and writes meanwhile is not counted; that requests waited for it is. */
void chain_latency(const struct chain *, struct latency_counts *ret);
/* For who reads by queue: when a request begins, and that one of n bytes which began then has just ended. */
#define CHAIN_UNTIMED UINT64_MAX
uint64_t chain_begins(struct chain *); /* CHAIN_UNTIMED: this one is passed over (latency.h) */
void chain_took(struct chain *, enum latency_kind, uint64_t n, uint64_t began_ns);

/* ---- changing the shape, for sr/ ---- */

/* As chain_flush, for ourselves: no user waits for it. */
MUST_USE enum err chain_settle(struct chain *, struct err_note *);

/* Writers wait from freeze to thaw; reads go on.  freeze returns when nothing is in flight and all is
 * durable. */
MUST_USE enum err chain_freeze(struct chain *, struct err_note *);
void chain_thaw(struct chain *);
/* Between the two: what was the leaf becomes a frozen layer that is now named base_path, and new_leaf (opened
 * as a leaf by the caller, whose count the chain takes) is on top, named leaf_path.  Cannot fail: all that
 * could was done before. */
void chain_push_leaf(struct chain *, struct image *new_leaf, const char *base_path, const char *leaf_path);
/* Blocks moved between frozen layers: of each of the n blocks, what the layers above target and down from top
 * held is target's now, where it has it at this moment.  target has a write side.  A chain without target is
 * left as it is; in one without top, or with top as its leaf, all its frozen layers above target count.
 * Readers that came before may read the old places until image_wait_readers of the images that lost the
 * blocks: their owner calls forget_left, then that, once for all chains. */
void chain_publish_moved(struct chain *, const struct image *target, const struct image *top,
                         const uint64_t *blocks, size_t n);
/* A layer below the top whose blocks were all moved, and that published, is no part of the chain any more;
 * its count is given back.  Nothing where the chain does not have it.  What is above it must read the same
 * without it: whoever moves blocks sees to it that target is at least as large as all that is taken out, and
 * that nothing of target and below shows that a smaller layer had covered. */
void chain_take_out(struct chain *, const struct image *layer);
/* The n layers right below top, which has its write side open or is the leaf, are no part of the chain any
 * more: top holds all of them that is seen through it, and their counts are given back. */
void chain_take_out_below(struct chain *, const struct image *top, unsigned n);
bool chain_passes(const struct chain *, const struct image *);

/* From hold to release FLUSH waits: the new names are not durable yet.  With did_fail it is an error from
 * then on [D6]. */
void chain_hold_flush(struct chain *);
void chain_release_flush(struct chain *, bool did_fail);

#endif
