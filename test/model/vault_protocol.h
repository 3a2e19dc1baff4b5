// SPDX-License-Identifier: Apache-2.0
/* The protocol by which writers and pruners share a vault (DESIGN §8), as a small machine of which every
 * state is looked at: two writers, two pruners, a point that is let go meanwhile, deletions that take effect
 * late, listings that lag.
 *
 * There is one chunk, and a pack of it for each who might write it: pack 0 was there before, with point 0.
 * All points need the chunk, any copy will do.  A state is bad where a point that was acknowledged and not
 * let go has no copy left, or no manifest and seal; or where of the copies that a reader found, who was not
 * broken, none is left.  Somebody who dies is somebody who makes no step any more.  Whatever others put or
 * removed is seen as in a listing: it may lag.
 *
 * Threads: one.
 */
#ifndef TEST_MODEL_VAULT_PROTOCOL_H
#define TEST_MODEL_VAULT_PROTOCOL_H

#include "explore.h"

enum rule {
        RULE_NONE,
        WRITER_SESSION_FIRST,
        WRITER_WAITS_AFTER_SESSION,
        WRITER_READS_DOOMS,
        WRITER_DOOMS_BEFORE_LISTING,
        WRITER_PARENT_AFTER_SESSION,
        WRITER_PARENT_SEALED,
        WRITER_INDEX_IN_LISTING,
        WRITER_WAITS_BEFORE_LOOK,
        WRITER_LOOKS,
        WRITER_SEALS_AFTER_LOOK,
        WRITER_WAITS_BEFORE_SECOND_LOOK,
        WRITER_LOOKS_AGAIN,
        PRUNER_COUNTS_UNSEALED,
        PRUNER_DOOMS_BEFORE_LOOK,
        PRUNER_WAITS_AFTER_DOOM,
        PRUNER_SESSIONS_AGAIN,
        PRUNER_BREAKS,
        PRUNER_WAITS_AFTER_BREAK,
        PRUNER_POINTS_AGAIN,
        PRUNER_ALL_DOOMS,
        PRUNER_DOOMS_BEFORE_COPIES,
        PRUNER_CLEANS_ENDED,
        PRUNER_WAITS_BEFORE_CLEANING,
        PRUNER_SEES_GONE,
        PRUNER_WAITS_AFTER_GONE,
        PRUNER_DOOM_LAST,
        PRUNER_TAKES_OVER,
        PRUNER_LEAVES_OTHERS_DOOM,
        PRUNER_PACKS_FIRST,
        PRUNER_SKIPS_LIVE,
        READER_SESSION_FIRST,
        READER_WAITS_AFTER_SESSION,
        READER_LISTS_AFTER_SESSION,
        READER_POINT_AFTER_SESSION,
        PRUNER_SEES_READERS,
        PRUNER_READERS_AFTER_POINTS,
        PRUNER_WAITS_BEFORE_READERS,
        PRUNER_KEEPS_WHAT_IS_READ,
        PRUNER_WAITS_FOR_READERS,
        RULES,
};

enum { PROTOCOL_WRITERS = 2, PROTOCOL_PROCESSES = 5 };

struct protocol_setting {
        enum rule without;
        bool lags;
        bool may_drop;                     /* point 0 */
        bool has_copy;                     /* there from the beginning: pack 1, or where somebody reads, 2 */
        bool reads;                        /* the second writer is a reader, of its parent */
        bool copies;                       /* writers put the chunk though it is known, as who repacks */
        bool cleans;                       /* unsealed manifests go whose session ended or was broken */
        bool is_in[PROTOCOL_PROCESSES];    /* two writers, two pruners, what happens by itself */
        unsigned parent[PROTOCOL_WRITERS]; /* 1 + the point; 0: none */
};

/* Quiet: the way to a bad state is not printed. */
struct explore_found protocol_try(const struct protocol_setting *, bool is_quiet);

#endif
