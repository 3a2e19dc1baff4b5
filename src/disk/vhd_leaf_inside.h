// SPDX-License-Identifier: Apache-2.0
/* What vhd_leaf.c (writing), vhd_flush.c (bringing down) and vhd_leave.c share; nobody else includes this.
 *
 * Threads: `space_lock` covers `space`, also while the file grows; `lock` covers the rest but the slots,
 * which readers load without it, and what only a flush touches, in its turn.  Readers wait for `lock` only,
 * so nothing is synced or punched under it.  Order: flush_turn, space_lock, lock.
 */
#ifndef DISK_VHD_LEAF_INSIDE_H
#define DISK_VHD_LEAF_INSIDE_H

#include <pthread.h>

#include "image.h"
#include "map.h"
#include "readers.h"
#include "vec.h"
#include "vhd_bitmap.h"
#include "vhd_image.h"
#include "vhd_leaf.h"
#include "vhd_space.h"

/* The bitmap of one block that is not whole, or whose bits wait. */
struct leaf_bitmap {
        uint64_t block;
        size_t at;      /* in `all` */
        uint32_t where; /* sector of its slot */
        bool is_dirty;  /* bits wait for a flush */
        bool is_new;    /* the BAT on disk does not name this slot */
        bool in_flush;  /* set aside by the flush that runs */
        uint8_t bits[IMAGE_BITMAP_SIZE];
};

/* A block whose slot was let go. */
struct left_slot {
        uint64_t block;
        uint32_t where;
};

/* A block on its way out, see vhd_leave.c: the slot stays its own until it is forgotten. */
enum leave_state {
        LEAVE_ASKED,     /* the next flush takes it out of the BAT */
        LEAVE_DONE,      /* the BAT on disk does not name it */
        LEAVE_FORGOTTEN, /* absent in memory too: its bytes can go */
};
struct leaver {
        uint64_t block;
        uint32_t where;
        enum leave_state state;
};

struct vhd_leaf {
        struct vhd_image *vhd; /* borrowed: the image that owns us */
        pthread_mutex_t flush_turn;
        pthread_mutex_t space_lock;
        pthread_mutex_t lock;

        uint64_t n_blocks;
        uint64_t n_held;
        _Atomic image_slot *slots; /* owned; what is true now */
        /* owned; what the BAT on disk is, or becomes with the write that is next: of pages that are known.  A
         * flush reads a page from the file before it first changes it: until then the file has what would
         * stand here, and memory is taken for what changes alone. */
        be32 *bat_image;
        uint64_t bat_bytes;
        uint8_t *bat_known;    /* owned; a bit for each page of it */
        uint8_t *batmap_image; /* owned; likewise; NULL where the file has none */
        uint64_t batmap_bytes;
        uint8_t *batmap_changed; /* owned; a bit for each sector of it that the file may have otherwise */
        /* bits were dropped: it must be written before the next BAT entry */
        bool is_batmap_stale;

        struct map bitmaps;            /* block -> struct leaf_bitmap, which `all` owns */
        VEC(struct leaf_bitmap *) all; /* owned, and each bitmap */
        size_t n_dirty;
        uint64_t dirty_since;         /* io_now_ns of the oldest */
        VEC(struct left_slot) left;   /* owned */
        struct map leaving;           /* block -> struct leaver, not yet forgotten, which `leavers` owns */
        VEC(struct leaver *) leavers; /* owned, and each */
        size_t n_asked;               /* of them in LEAVE_ASKED */
        struct vhd_space space;
        bool is_counted; /* its waiting bits count against the bound of all leaves */

        _Atomic bool has_unsynced; /* something was written since the last sync began */
};

/* Bytes of a bitmap with a bit for each sector of a table. */
static inline size_t leaf_marks_size(uint64_t table_bytes) {
        return (size_t)round_up(div_up(table_bytes / SECTOR, 8), sizeof(uint64_t));
}

/* Bytes of a bitmap with a bit for each page of the BAT. */
enum { LEAF_BAT_PAGE = 4096 };
static inline size_t leaf_pages_size(uint64_t bat_bytes) {
        return (size_t)round_up(div_up(div_up(bat_bytes, LEAF_BAT_PAGE), 8), sizeof(uint64_t));
}

/* [D6] Where it fails nothing is acknowledged any more. */
MUST_USE enum err leaf_sync(struct vhd_leaf *, struct err_note *);
/* In a flush's turn: punches what is punchable. */
MUST_USE enum err leaf_punch(struct vhd_leaf *, struct err_note *);
/* Under the lock.  The bitmap of a block that is held, read from the file where it is not in memory. */
MUST_USE enum err leaf_bitmap_get(struct vhd_leaf *, uint64_t block, struct leaf_bitmap **ret,
                                  struct err_note *);
void leaf_bitmap_set_dirty(struct vhd_leaf *, struct leaf_bitmap *);
void leaf_bitmap_forget(struct vhd_leaf *, struct leaf_bitmap *); /* frees it */
void leaf_bitmaps_trim(struct vhd_leaf *);                        /* lets go of clean ones over the bound */
void leaf_count_unflushed(struct vhd_leaf *, int64_t n_bitmaps);
void leaf_note_waiting(struct vhd_leaf *); /* before something begins to wait for a flush: since when */

/* Under the lock, for the flush: what leaves with it; and that it has. */
struct left_slots {
        VEC(struct left_slot) list; /* owned */
};
void leave_collect(struct vhd_leaf *, struct left_slots *ret);
void leave_done(struct vhd_leaf *, const struct left_slots *);
bool leave_is_under_way(const struct vhd_leaf *, uint64_t block);
/* At opening: what an earlier write side left unpublished is held still.  Its slots are added to blocks. */
void leave_take_unpublished(struct vhd_leaf *, struct vhd_slots *blocks);
void leave_fini(struct vhd_leaf *);

#endif
