// SPDX-License-Identifier: Apache-2.0
/* One file of the simulated machine, whatever its names: the bytes as every reader sees them now, the bytes
 * that are durable, and the ordered log of changes between the two.
 *
 * A sync makes the log durable.  A crash, and a sync that fails, keep some of it: each sector of a write by
 * itself, a truncate whole or not at all, a punch or clone block by block.  After either, what is durable is
 * what readers see, and the rest is gone.
 *
 * Errors: a write that finds no block says how far it came.  Threads: its machine's lock is held.
 */
#ifndef IO_SIM_FILE_H
#define IO_SIM_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "sim_dice.h"
#include "sim_image.h"

struct sim_change;

struct sim_file {
        uint64_t inode;
        struct sim_image now, durable;
        VEC(struct sim_change *) log; /* owned; each shared, counted */
        bool may_share;               /* took part in a clone */
        unsigned links;               /* names it has now */
        unsigned opens;
        bool is_gone; /* no name, not open; only a crash or a failed sync brings it back */
        bool is_private; /* made with IO_PRIVATE */
        int64_t modified_ns;
        uint64_t n_reads, n_writes, n_syncs, bytes_read, bytes_written;
};

struct sim_file *sim_file_new(uint64_t inode);
struct sim_file *sim_file_copy(const struct sim_file *); /* without opens and counters */
void sim_file_free(struct sim_file *); /* its blocks are not given back: the space goes too, or was */

/* Each change bears a number of its own, growing over the whole machine. */
size_t sim_file_write(struct sim_file *, struct sim_space *, const void *data, size_t n, uint64_t at,
                      uint64_t sequence);
void sim_file_truncate(struct sim_file *, struct sim_space *, uint64_t size, uint64_t sequence);
void sim_file_punch(struct sim_file *, struct sim_space *, uint64_t n, uint64_t at, uint64_t sequence);
/* Pages from from_at on; only the last may be part of one. */
void sim_file_clone(struct sim_file *, struct sim_space *, const struct sim_file *from, uint64_t from_at,
                    uint64_t to_at, uint64_t n, uint64_t sequence);

void sim_file_sync(struct sim_file *);
void sim_file_keep(struct sim_file *,
                   struct sim_crash *); /* some of the log is durable, the rest never will be */
/* Readers see what is durable and the log on top of it.  The space is to be counted anew. */
void sim_file_show_durable(struct sim_file *);
void sim_file_give_back(struct sim_file *, struct sim_space *); /* the last name and opener are gone */
bool sim_file_unsynced(const struct sim_file *, uint64_t *ret_first,
                       uint64_t *ret_last); /* numbers; false: none */

#endif
