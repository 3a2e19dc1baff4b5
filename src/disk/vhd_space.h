// SPDX-License-Identifier: Apache-2.0
/* Where a leaf's new blocks go: the slots of its file.
 *
 *   file:  headers | block | free slot | block | … | slots not used yet | footer
 *                                                   ^ next                ^ limit
 *
 * A slot is free when no BAT entry names it that a crash could bring back and its bytes are punched, durably
 * [D2].  On its way there it is
 *      left      a trim let go of it; the BAT on disk may still name it
 *      punchable the BAT's clear is durable and no reader resolves to it: its bytes can go
 *      punched   waits for the next sync
 * Free slots are taken lowest first, then the ones not used yet.  The file grows in strides: space, then the
 * footer at the new end, sync; only then may data go below it, so one valid footer stands at each instant
 * [D4].
 *
 * Units: sectors.  Errors: ERR_NO_SPACE leaves everything as it was.  Threads: under its leaf's space_lock;
 * but punching only reads the struct.
 */
#ifndef DISK_VHD_SPACE_H
#define DISK_VHD_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "io.h"
#include "vec.h"
#include "vhd_footer.h"

struct vhd_slots {
        VEC(uint32_t) list; /* owned */
};

struct vhd_space {
        struct io_file *file;          /* borrowed from the image */
        struct vhd_footer_disk footer; /* what is written at the end */
        uint64_t end;          /* of the last block, or of the headers: where a tight file's footer stands */
        uint64_t next;         /* first sector that may hold a slot not used yet; aligned */
        uint64_t limit;        /* sector of the footer */
        uint64_t stride;       /* slots to grow by at least; a large file grows by half of itself */
        struct vhd_slots free; /* descending: the lowest is the last */
        struct vhd_slots punchable;
        struct vhd_slots punched;
        bool did_sync_fail; /* whatever the file held unsynced is unknown now: its leaf must say so [D6] */
};

/* blocks: the sectors of all blocks in use, in any order (sorted here).  Gaps between them that can hold a
 * slot become punchable: nobody knows what a crash left there. */
void vhd_space_init(struct vhd_space *, struct io_file *, const struct vhd_footer *, uint64_t headers_end,
                    uint64_t footer_at, uint64_t growth_bytes, struct vhd_slots *blocks);
void vhd_space_fini(struct vhd_space *);
/* n_wanted: how many more blocks the disk can have at all: there is no point in growing beyond. */
MUST_USE enum err vhd_space_take(struct vhd_space *, uint64_t n_wanted, uint32_t *ret_sector,
                                 struct err_note *);
/* What is punchable, to be punched by the caller, then given back. */
struct vhd_slots vhd_space_take_punchable(struct vhd_space *);
/* The first *n_done (in: 0) of them are punched when it returns.  File systems that cannot: they are zeroed
 * by writing. */
MUST_USE enum err vhd_space_punch(const struct vhd_space *, const struct vhd_slots *, size_t *n_done,
                                  struct err_note *);
void vhd_space_give_punched(struct vhd_space *, struct vhd_slots *, size_t n_done); /* frees the list */
/* A sync of the file has succeeded: the first n_punched of the punched slots (counted before the sync) are
 * free. */
void vhd_space_synced(struct vhd_space *, size_t n_punched);
/* Gives the unused end of the file back: footer behind the last block, sync, cut, sync. */
MUST_USE enum err vhd_space_tighten(struct vhd_space *, struct err_note *);

#endif
