// SPDX-License-Identifier: Apache-2.0
/* The names of the simulated machine: directories as every caller sees them now, as they are durable, and the
 * ordered log of changes between the two.  Files are numbers (inodes) here.
 *
 * A sync of a directory makes the changes of its names durable, and whatever earlier changes those stand on.
 * A crash, or a sync that fails, keeps each change or loses it, in order; one that no longer makes sense (its
 * name is not there, or another is) is lost.  After either, what is durable is what callers see.  A rename is
 * one change, also between directories.
 *
 * Errors: none; callers look before they change.  Threads: its machine's lock is held.
 */
#ifndef IO_SIM_NAMES_H
#define IO_SIM_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "map.h"
#include "sim_dice.h"
#include "vec.h"

struct sim_entry {
        char *name; /* owned */
        uint64_t inode;
        bool is_directory;
};

struct sim_entries {
        VEC(struct sim_entry) list; /* owned; sorted by name */
};

struct sim_dir {
        uint64_t inode;
        struct sim_entries now, durable;
};

/* A name in a directory; the text is the caller's. */
struct sim_place {
        uint64_t dir;
        const char *name; /* borrowed */
};

enum sim_name_kind { SIM_NAME_ADD, SIM_NAME_REMOVE, SIM_NAME_MOVE };

struct sim_name_change {
        enum sim_name_kind kind;
        uint64_t sequence;
        uint64_t inode;
        bool is_directory;
        uint64_t dir, to_dir;
        char *name, *to_name; /* owned; to: of a move */
};

struct sim_names {
        struct map dirs;                 /* inode -> struct sim_dir, owned */
        VEC(struct sim_name_change) log; /* owned */
};

enum { SIM_ROOT = 1 };

void sim_names_init(struct sim_names *);
void sim_names_copy(struct sim_names *, const struct sim_names *from);
void sim_names_fini(struct sim_names *);

struct sim_dir *sim_names_dir(const struct sim_names *, uint64_t inode);            /* NULL: no directory */
const struct sim_entry *sim_names_find(const struct sim_names *, struct sim_place); /* as seen now */

/* Each fits what is there now: the caller has looked. */
void sim_names_add(struct sim_names *, struct sim_place, uint64_t inode, bool is_directory,
                   uint64_t sequence);
void sim_names_remove(struct sim_names *, struct sim_place, uint64_t sequence);
void sim_names_move(struct sim_names *, struct sim_place from, struct sim_place to, uint64_t sequence);

void sim_names_sync(struct sim_names *, uint64_t dir);
void sim_names_keep(struct sim_names *, uint64_t dir,
                    struct sim_crash *); /* what a failed sync of dir leaves */
void sim_names_crash(struct sim_names *, struct sim_crash *);

/* How often each inode is named now (inode -> number), from the root. */
void sim_names_count(const struct sim_names *, struct map *links);
/* Whether a crash could still bring each inode back: named now, durably, or in the log. */
void sim_names_mark(const struct sim_names *, struct map *marked);
void sim_names_sweep(struct sim_names *, const struct map *marked); /* frees directories that are not */

#endif
