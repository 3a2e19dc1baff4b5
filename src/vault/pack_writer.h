// SPDX-License-Identifier: Apache-2.0
/* Blobs become packs, packs become objects, and an index says where all of them are.
 *
 *      pack_writer_new(&options, &writer, note)
 *      pack_writer_chunk(writer, &blob, note)   pack_writer_node(writer, level, &id, ids, note)
 *      pack_writer_flush(writer, note)   pack_writer_wait(writer, wait_ns, &is_idle, note)
 *      pack_writer_index(writer, note)
 *
 * A blob gets its number and is sealed as it comes; a full pack is put by threads of its own while the next
 * one fills.  Nodes wait on a shelf and go into a pack together, so that reading a tree does not go through
 * all the packs of its chunks.  An index is put when enough packs were, so that the memory of a run does not
 * grow with what it writes.
 *
 * A pack is put once: where that fails the run fails.
 *
 * Errors: those of the target, from then on always.  Threads: one at a time.
 * Memory: n_packs packs, a shelf of 4 MiB, and 64 bytes for each of at most PACK_WRITER_INDEX entries.
 */
#ifndef VAULT_PACK_WRITER_H
#define VAULT_PACK_WRITER_H

#include "known.h"
#include "vault.h"

enum {
        PACK_WRITER_INDEX = 1 << 17, /* entries */
        PACK_WRITER_SHELF = 512,     /* nodes */
};

struct pack_writer;
struct pack_writer_options {
        struct vault *vault; /* borrowed, outlives it */
        struct known *known; /* borrowed, outlives it; told of each pack that was put */
        struct vault_name session;
        size_t index_entries; /* 0: PACK_WRITER_INDEX */
};
MUST_USE enum err pack_writer_new(const struct pack_writer_options *, struct pack_writer **ret,
                                  struct err_note *);
void pack_writer_free(struct pack_writer *); /* what is being put is waited for, the rest is lost */
DEFINE_AUTO(struct pack_writer *, pack_writer_free);

struct pack_writer_blob {
        struct vault_id id;
        const void *data; /* borrowed for the call: as it will stand, but for its sealing */
        size_t n;
        enum vault_codec codec;
        uint32_t length; /* of the content */
};
MUST_USE enum err pack_writer_chunk(struct pack_writer *, const struct pack_writer_blob *, struct err_note *);
MUST_USE enum err pack_writer_node(struct pack_writer *, unsigned level, const struct vault_id *,
                                   const struct vault_id ids[VAULT_NODE_IDS], struct err_note *);
/* All that came goes on its way. */
MUST_USE enum err pack_writer_flush(struct pack_writer *, struct err_note *);
/* Whether it has got there, once it is so or the time is over. */
MUST_USE enum err pack_writer_wait(struct pack_writer *, uint64_t wait_ns, bool *ret_is_idle,
                                   struct err_note *);
/* Of the packs that no index has yet; when idle. */
MUST_USE enum err pack_writer_index(struct pack_writer *, struct err_note *);

struct pack_writer_count {
        uint64_t n_packs, stored; /* stored: bytes of the blobs in them, tags included */
};
struct pack_writer_count pack_writer_count(const struct pack_writer *); /* so far */

#endif
