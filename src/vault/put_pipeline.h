// SPDX-License-Identifier: Apache-2.0
/* What happens to the chunks of a disk on their way into packs.
 *
 *   the caller        plans: which chunks to read, which are zeros                     (put_plan.h)
 *      │ batches of chunks, bounded
 *   threads           read -> zero? -> id -> known? -> compress, each batch by one of them
 *      │ in order again, one batch at a time
 *   whoever is free   new? -> a number in a pack, sealed into it -> the tree of ids
 *      │ packs, bounded
 *   threads           put                                                              (pack_writer.h)
 *
 * A chunk is read into the batch, compressed within the batch, and sealed into its pack: nothing else moves
 * it, and nothing is allocated for it.
 *
 * Errors: of the source, with what was read of which disk; of the target; sticky.
 * Threads: one at a time.
 */
#ifndef VAULT_PUT_PIPELINE_H
#define VAULT_PUT_PIPELINE_H

#include "id_tree.h"
#include "pack_writer.h"
#include "put.h"

struct put_pipeline;
struct put_pipeline_options {
        struct vault *vault;        /* borrowed, outlives it */
        struct known *known;        /* borrowed, outlives it */
        struct pack_writer *writer; /* borrowed, outlives it */
        unsigned n_threads;         /* 0: as many as cores */
        /* While something is waited for, and after each batch; may cancel. */
        enum err (*tick)(void *user, uint64_t done, struct err_note *); /* borrowed */
        void *user;                                                     /* borrowed; handed to tick */
};
MUST_USE enum err put_pipeline_new(const struct put_pipeline_options *, struct put_pipeline **ret,
                                   struct err_note *);
void put_pipeline_free(struct put_pipeline *);
DEFINE_AUTO(struct put_pipeline *, put_pipeline_free);

/* All of a disk, or what changed since the parent, whose tree walk reads; NULL: none. */
MUST_USE enum err put_pipeline_disk(struct put_pipeline *, const struct put_disk *, struct id_walk *parent,
                                    struct vault_id *ret_root, struct err_note *);
/* Until all packs were put. */
MUST_USE enum err put_pipeline_settle(struct put_pipeline *, struct err_note *);
struct put_count put_pipeline_count(const struct put_pipeline *);

#endif
