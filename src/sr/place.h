// SPDX-License-Identifier: Apache-2.0
/* Where the bytes of an SR's nodes live: the one ops table that knows of names.  place_dir, its only maker so
 * far, keeps each node as a file of one folder, named as XCP-ng's file SR names it:
 *
 *      <uuid>.vhd, <uuid>.raw      a node
 *      <uuid>.cbtlog               a log of changed blocks (logbook.h)
 *      .<uuid>.vhd.new             one that is being made; no tool's *.vhd sees it, a scan ignores it, and an
 *                                  owner's open removes it where no intent names it
 *
 * Nothing here is durable before place_sync: two name changes before one place_sync may survive in either
 * order, or one without the other.  Whoever depends on an order puts a place_sync between.
 *
 * Errors: those of io.h; ERR_UNSUPPORTED from place_link where the file system has no links.
 * Threads: the owner of the SR.  Ownership: a place is the SR's; its io outlives it.
 */
#ifndef SR_PLACE_H
#define SR_PLACE_H

#include "image.h"
#include "io.h"
#include "uuid.h"
#include "vec.h"

/* What names a node's bytes. */
struct place_name {
        struct uuid uuid;
        enum image_kind kind;
        bool is_new; /* the temporary name */
};

static inline struct place_name place_name_of(const struct uuid *uuid, enum image_kind kind) {
        return (struct place_name){.uuid = *uuid, .kind = kind};
}
static inline struct place_name place_name_new(const struct uuid *uuid, enum image_kind kind) {
        return (struct place_name){.uuid = *uuid, .kind = kind, .is_new = true};
}

/* What sm or others left in the folder, as far as it means something (docs/format/layout.md). */
enum place_mark {
        PLACE_COALESCE, /* coalesce_<uuid>: a copy was under way */
        PLACE_RELINK,   /* relink_<uuid>: its children were being given its parent */
        PLACE_LEAF,     /* leaf_<uuid>: a leaf coalesce was under way; its content is the parent's uuid */
        PLACE_OLD,      /* OLD_<uuid>.vhd: what such a leaf was before */
        PLACE_UNDONE,   /* <uuid>.vhd.new: sm's snapshot was being made */
        PLACE_FOREIGN,  /* journals that belong to other kinds of SR (inflate_, clone_, …) */
};
const char *place_mark_name(enum place_mark);

struct place_marked {
        enum place_mark mark;
        struct uuid uuid;
        char *name; /* owned; of the file */
};

struct place_listing {
        VEC(struct place_name) nodes;     /* owned; without temporary ones */
        VEC(struct place_name) temporary; /* owned */
        VEC(struct place_marked) marked;  /* owned, and each name */
        VEC(struct uuid) logs;            /* owned; of whom there are logs of changed blocks, ordered */
        uint64_t n_others;                /* names that mean nothing to us */
};
void place_listing_fini(struct place_listing *);
DEFINE_AUTO_IN_PLACE(struct place_listing, place_listing_fini);

struct place;

struct place_ops {
        const char *kind; /* "directory" */

        enum err (*list)(struct place *, struct place_listing *ret, struct err_note *);
        /* What a child's locator says, relative to this place or absolute: the name of a node, if it is one
         */
        bool (*parse)(struct place *, const char *path, struct place_name *ret);
        char *(*path)(struct place *, const struct place_name *); /* what io.h opens; the caller's to free */
        char *(*mark_path)(struct place *, const struct place_marked *);
        char *(*log_path)(struct place *, const struct uuid *);
        /* `to` becomes a second name of from's bytes: ERR_EXISTS, ERR_UNSUPPORTED */
        enum err (*link)(struct place *, const struct place_name *from, const struct place_name *to,
                         struct err_note *);
        /* from's bytes get the name `to` and lose their own; what `to` named loses that name */
        enum err (*rename)(struct place *, const struct place_name *from, const struct place_name *to,
                           struct err_note *);
        enum err (*remove)(struct place *, const struct place_name *, struct err_note *);
        enum err (*rename_mark)(struct place *, const struct place_marked *from, const struct place_name *to,
                                struct err_note *);
        enum err (*remove_mark)(struct place *, const struct place_marked *, struct err_note *);
        enum err (*sync)(struct place *, struct err_note *);
        /* Gives back the space of a range; ERR_UNSUPPORTED where the place cannot. */
        enum err (*release)(struct place *, struct io_file *, uint64_t n, uint64_t at, struct err_note *);
        void (*free)(struct place *);
};

struct place {
        const struct place_ops *ops; /* borrowed, static */
        struct io *io;               /* borrowed, outlives us */
        char *where;                 /* owned; for messages, and as the folder of .catena */
};

/* A folder, by its canonical path.  It must be there: ERR_NOT_FOUND, ERR_INVALID where it is not a folder. */
MUST_USE enum err place_dir_open(struct io *, const char *path, struct place **ret, struct err_note *);
void place_free(struct place *);
DEFINE_AUTO(struct place *, place_free);

MUST_USE enum err place_list(struct place *, struct place_listing *ret, struct err_note *);
MUST_USE bool place_parse(struct place *, const char *path, struct place_name *ret);
MUST_USE char *place_path(struct place *, const struct place_name *); /* the caller's to free */
MUST_USE char *place_log_path(struct place *, const struct uuid *);   /* the caller's to free */
MUST_USE enum err place_link(struct place *, const struct place_name *from, const struct place_name *to,
                             struct err_note *);
MUST_USE enum err place_rename(struct place *, const struct place_name *from, const struct place_name *to,
                               struct err_note *);
MUST_USE enum err place_remove(struct place *, const struct place_name *, struct err_note *);
MUST_USE enum err place_rename_mark(struct place *, const struct place_marked *from,
                                    const struct place_name *to, struct err_note *);
MUST_USE enum err place_remove_mark(struct place *, const struct place_marked *, struct err_note *);
MUST_USE enum err place_sync(struct place *, struct err_note *);
MUST_USE enum err place_release(struct place *, struct io_file *, uint64_t n, uint64_t at, struct err_note *);

/* ---- made of those ---- */

/* Whether it is there, and what stat says of it. */
MUST_USE enum err place_find(struct place *, const struct place_name *, bool *ret_is_there,
                             struct io_stat *ret, struct err_note *);
MUST_USE enum err place_remove_if_there(struct place *, const struct place_name *, struct err_note *);
/* Hidden or not, in both footers of a VHD, durable.  ERR_BUSY where an outside tool has it open for writing.
 */
MUST_USE enum err place_set_hidden(struct place *, const struct place_name *, bool is_hidden,
                                   struct err_note *);
MUST_USE char *place_mark_path(struct place *, const struct place_marked *); /* the caller's to free */
/* Bytes of a mark's file, at most n (a journal's value). */
MUST_USE enum err place_read_mark(struct place *, const struct place_marked *, void *ret, size_t n,
                                  size_t *ret_n, struct err_note *);

#endif
