// SPDX-License-Identifier: Apache-2.0
/* One file that can be a layer of a chain: the one ops table of whatever holds sectors.
 *
 * A disk is cut into blocks of 2 MiB (4096 sectors).  For each block an image says where its bytes lie, in a
 * slot: absent, whole (all 4096 sectors are here), or part (a bitmap says which are).  Bytes of a slot lie in
 * the image's file at where * 512 + data_skip, so that a caller who has looked up a slot reads the file
 * itself, plainly or by queue.
 *
 * An image is frozen or a leaf.  A frozen image's answers are stable, so chains copy its slots into their map
 * once.  A leaf is open for writing by exactly one chain: its slots change under the chain's readers and are
 * asked anew for each read.
 *
 * A frozen image is given a write side by who moves its blocks (a coalesce), with chains reading through it
 * all the time.  It then answers from memory, and its blocks change only so that these chains stay right:
 *   - a block that is new, or new sectors of one, are what an upper layer covers until they are published
 *     (chain_publish_moved)
 *   - a block goes in four steps, and reads and writes go on using its slot until the third:
 *        leave        the next flush takes it out of the batmap, then out of the BAT
 *        (published)  all chains read it elsewhere
 *        forget_left  it is absent from now on, for whoever asks
 *        punch_left   when no reader can resolve to it any more, image_wait_readers, its bytes go [C3]
 *   A write side that ends between leave and forget_left keeps the slots of such blocks in mind: chains may
 *   read there, so the next write side neither punches nor reuses them, and has them as held still.
 *
 * A file is opened once per process however many chains pass through it: struct images is the table of open
 * files, by device and inode.  Locks: a leaf holds an exclusive lock, a frozen image a shared one; after
 * locking, the path is looked at again, since a rename may have swapped the file in between.  They bind
 * Catena's own processes and qemu; a tool that takes no lock cannot be kept out.
 *
 * Errors: ERR_CORRUPT with file and offset where stored bytes contradict themselves, ERR_BUSY with the
 * holder.
 * Threads: struct images, opening, closing, beginning and ending a write side, forget_left: the owner of the
 * SR or command.  Reading a struct image, and the rest of its write side: any.
 * Ownership: struct images outlives its images; an image is counted, one count for each chain that passes
 * through it.
 */
#ifndef DISK_IMAGE_H
#define DISK_IMAGE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "err.h"
#include "io.h"
#include "map.h"
#include "uuid.h"
#include "vec.h"
#include "vhd.h"

#define IMAGE_BLOCK_SIZE ((uint64_t)VHD_BLOCK_SIZE)
enum { IMAGE_BLOCK_SECTORS = VHD_BLOCK_SECTORS, IMAGE_BITMAP_SIZE = VHD_BITMAP_SIZE };

/* ---- slots ---- */

/* bit 63: held; bit 62: whole; bits 31..0: where, in sectors of the image's file.  0 is "absent". */
typedef uint64_t image_slot;

#define SLOT_ABSENT ((image_slot)0)
#define SLOT_HELD   ((image_slot)1 << 63)
#define SLOT_WHOLE  ((image_slot)1 << 62)

static inline image_slot slot_make(uint32_t where, bool is_whole) {
        return SLOT_HELD | (is_whole ? SLOT_WHOLE : 0) | where;
}
static inline uint32_t slot_where(image_slot s) {
        return (uint32_t)s;
}

/* The blocks that an image holds, ascending; the absent ones are left out. */
struct image_held {
        uint64_t block;
        image_slot slot;
};
struct image_slots {
        VEC(struct image_held) held; /* owned */
};

/* ---- images ---- */

struct image;
struct readers;

struct image_ops {
        const char *kind; /* "vhd", "raw": what people see */

        /* Appends the slots of all blocks that are held: of a frozen image as they are in the file, of a leaf
         * as they are now.  Slots are checked to lie within the file. */
        enum err (*load)(struct image *, struct image_slots *ret, struct err_note *);
        /* Of a frozen image: which sectors of a part block are here, MSB first; from memory where they wait
         * there. Sectors past the image's size may be set: the caller cuts.  Under a hold of the chain's
         * readers. */
        enum err (*bitmap)(struct image *, uint64_t block, image_slot, uint8_t ret[IMAGE_BITMAP_SIZE],
                           struct err_note *);

        /* The write side; the chain serialises writers that touch one sector, see chain.h. */
        /* now; any thread, under a hold of the chain's readers */
        image_slot (*slot)(struct image *, uint64_t block);
        /* Those of n blocks at once, for whoever wants all of them while nobody writes. */
        void (*slots)(struct image *, uint64_t first, uint64_t n, image_slot *ret);
        /* Slot and bitmap of one instant: a trim may give the block another slot between two questions. */
        enum err (*look)(struct image *, uint64_t block, image_slot *ret, uint8_t ret_bits[IMAGE_BITMAP_SIZE],
                         struct err_note *);
        /* The same from memory alone, at once; false: it would have to read, or to wait. */
        bool (*look_now)(struct image *, uint64_t block, image_slot *ret,
                         uint8_t ret_bits[IMAGE_BITMAP_SIZE]);
        /* whole sectors */
        enum err (*write)(struct image *, const void *data, uint64_t n, uint64_t at, struct err_note *);
        /* The range (whole sectors, within one block) reads as zeros.  is_over_data: a lower layer holds some
         * of it, so that present zeros must be recorded.  may_free: the range is the whole block and nothing
         * lower holds it. */
        enum err (*zero)(struct image *, uint64_t n, uint64_t at, bool is_over_data, bool may_free,
                         struct err_note *);
        /* all completed writes are durable; then slots may be reused */
        enum err (*flush)(struct image *, struct err_note *);
        /* when the oldest bit that waits was set (io_now_ns); UINT64_MAX: none */
        uint64_t (*unflushed_since)(struct image *);

        /* Moving blocks, see above.  prepare: the slot to write to, allocated if need be.  wrote: data lies
         * in that many sectors of it now, so they are here from now on.  leave: of a block that is held;
         * twice is once.  punch_left: of what was forgotten, after image_wait_readers; it waits for a flush
         * in flight. */
        enum err (*prepare)(struct image *, uint64_t block, image_slot *ret, struct err_note *);
        enum err (*wrote)(struct image *, uint64_t block, uint32_t first_sector, uint32_t n,
                          struct err_note *);
        void (*leave)(struct image *, uint64_t block);
        void (*forget_left)(struct image *);
        enum err (*punch_left)(struct image *, struct err_note *);

        /* Says hidden or not in both footers, durable, through the write side.  NULL: it has none */
        enum err (*set_hidden)(struct image *, bool is_hidden, struct err_note *);

        /* Called by image_begin_write, and by image_begin_leaf. */
        enum err (*begin)(struct image *, struct err_note *);
        void (*begin_leaf)(struct image *);
        /* The end of the write side, with no writer in flight.  tidy: flushed, and as it should be on disk,
         * so that `bitmap` may be asked.  end, waits for readers: releases the rest. */
        enum err (*tidy)(struct image *, struct err_note *);
        void (*end)(struct image *);
        void (*free)(struct image *); /* releases what is not the struct's common part */
};

struct image {
        const struct image_ops *ops; /* borrowed, static */
        struct images *images;       /* borrowed, outlives us */
        struct io_file *file;        /* owned */
        char *path;                  /* owned; as last known */
        uint64_t device, inode;
        uint64_t size;      /* virtual bytes, a multiple of 512 */
        uint64_t data_skip; /* from a slot's first byte to its first data byte */
        /* of a frozen image: file bytes from here on read as zeros (a block cut short) */
        _Atomic uint64_t data_end;
        struct uuid uuid; /* of the VHD's footer; null for raw */
        struct uuid parent_uuid;
        bool has_parent;
        bool parent_is_raw;
        bool is_hidden;
        bool is_leaf;            /* a chain has it, or will have it, on top for writing */
        bool is_writable;        /* the file is open for writing */
        bool is_locked_alone;    /* it had a write side, and its lock could not be shared yet */
        _Atomic bool has_failed; /* a sync failed: nothing is acknowledged any more */
        unsigned references;
        _Atomic unsigned writers; /* who keeps the write side: the chain whose leaf it is, a coalesce */
        pthread_mutex_t readers_lock;
        VEC(struct readers *) readers; /* owned array; borrowed from each chain that passes through it */
        /* owned; blocks that left it, which chains may still read here: see above */
        VEC(struct image_held) unpublished;
};

/* What every maker of images begins with: the common part, zeroed before. */
void image_init(struct image *);

static inline uint64_t image_blocks(const struct image *image) {
        return div_up(image->size, IMAGE_BLOCK_SIZE);
}
static inline uint64_t image_data_at(const struct image *image, image_slot slot) {
        return (uint64_t)slot_where(slot) * SECTOR + image->data_skip;
}

/* [at, at + n) of the file reads as zeros: punched where the file system can, else written. */
MUST_USE enum err image_zero_file(struct io_file *, uint64_t n, uint64_t at, struct err_note *);

/* ---- the write side of a frozen image ---- */

/* Locks the file alone, looks at its metadata again (a larger size is taken over while its table is in the
 * same place), mends what a crash left, and opens the write side.  A hidden image stays hidden.  ERR_BUSY:
 * another process has the file, who; ERR_READ_ONLY; ERR_IO after a failed sync; ERR_CORRUPT also for what may
 * only be read (a block that the file cuts short).  Each must be ended once; a leaf of this process may have
 * one more, and it then keeps its write side until the last has ended. While it is open nobody changes the
 * file's footers and headers by other ways (vhd_edit, vhd_resize).
 */
MUST_USE enum err image_begin_write(struct image *, struct err_note *);
/* Flushed and tidied, its write side gone and the lock shared again; gone also where that failed. */
MUST_USE enum err image_end_write(struct image *, struct err_note *);
void image_abandon_write(struct image *); /* the same after an error: nothing more is written */
bool image_has_write(const struct image *);
/* In both footers, durable, while the write side is open.  ERR_UNSUPPORTED for what has no footers. */
MUST_USE enum err image_set_hidden(struct image *, bool is_hidden, struct err_note *);
/* Until every reader that may have found an old slot of it has gone, of all chains through it. */
void image_wait_readers(struct image *);
/* For chain.c alone: who passes through it; and the beginning and the end of being a leaf, of an image whose
 * write side is open. */
void image_add_readers(struct image *, struct readers *);
void image_remove_readers(struct image *, struct readers *);
void image_begin_leaf(struct image *);
void image_end_leaf(struct image *);
/* What a chain does before its leaf is frozen or closed: tidied, or only flushed where another writes too. */
MUST_USE enum err image_tidy(struct image *, struct err_note *);

/* ---- the table of open files ---- */

struct images_options {
        bool is_read_only;         /* not a byte is written, whatever is asked */
        uint64_t growth_bytes;     /* stride in which VHD files grow; 0: 64 MiB */
        uint64_t unflushed_limit;  /* bytes of metadata that may wait in memory over all leaves; 0: 16 MiB */
        uint64_t unflushed_age_ns; /* and for how long; 0: 5 s */
        uint64_t owners_cache_bytes; /* bound of each chain's per-sector cache; 0: 64 MiB */
};

struct images {
        struct io *io;                 /* borrowed, outlives us */
        struct images_options options; /* with defaults filled in */
        struct map open;               /* (device, inode) -> struct image, borrowed: each removes itself */
        _Atomic uint64_t unflushed;    /* bytes of metadata waiting in memory, over all leaves */
        _Atomic bool are_held_back;    /* leaves get no new blocks, see images_hold_back */
};

void images_init(struct images *, struct io *, const struct images_options *); /* options may be NULL */
void images_fini(struct images *); /* all images are closed by then */
/* Writes that need a new block in a leaf get ERR_NO_SPACE while they are held back: what space there is, is
 * another's.  Blocks that are there are written as ever.  Threads: any. */
void images_hold_back(struct images *, bool);

enum image_kind { IMAGE_VHD, IMAGE_RAW };

/* Which kind a path is, by its name alone: a raw disk's first bytes belong to the guest, so content is never
 * asked. */
enum image_kind image_kind_of_path(const char *path);

/* A counted image: the one that is open, or opened now.  as_leaf: for writing; ERR_BUSY where anybody has it
 * open. */
MUST_USE enum err images_open(struct images *, const char *path, enum image_kind, bool as_leaf,
                              struct image **ret, struct err_note *);
/* The same of a VHD that vhd_create has just made under a name that nobody else knows, for writing: it holds
 * nothing yet, so its tables, 4 MiB where the disk is large, are not read. */
MUST_USE enum err images_open_fresh(struct images *, const char *path, struct image **ret, struct err_note *);
/* One that was made elsewhere, of which the caller has the one count, is open under its device and inode from
 * now on: whoever opens what the io calls so gets it. */
void images_add(struct images *, struct image *);
/* Tries once more to share the locks of images that have a write side no longer; until then nobody else can
 * open them. */
MUST_USE enum err images_share_locks(struct images *, struct err_note *);
/* closes with the last count; a leaf is frozen first, by its chain */
void image_unref(struct image *);
static inline struct image *image_ref(struct image *image) {
        image->references++;
        return image;
}
DEFINE_AUTO(struct image *, image_unref);

/* The path of the parent as the image's own locators give it, resolved against the folder of the image; *ret
 * is the caller's to free.  ERR_NOT_FOUND names which names were looked for, and where. */
MUST_USE enum err image_parent_path(struct image *, char **ret, struct err_note *);
/* The same by the header's name of it alone, see parent_search_by_name. */
MUST_USE enum err image_parent_path_by_name(struct image *, char **ret, struct err_note *);

#endif
