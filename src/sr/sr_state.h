// SPDX-License-Identifier: Apache-2.0
/* The inside of a struct sr, for the files of this floor only, and what its verbs share.
 *
 * A verb that changes something goes:  sr_begin_change, look (sr_need_…), do, sr_refresh.  Name changes
 * become durable by sr_sync_names only: where that fails, what is seen afterwards is durable (io.h), and the
 * next change begins by recovering from it.
 *
 * Threads: the owner of the SR.
 */
#ifndef SR_SR_STATE_H
#define SR_SR_STATE_H

#include "ballast.h"
#include "intent.h"
#include "sr.h"

struct coalesce;
struct vhd_meta;

struct sr_open_chain {
        struct uuid vdi;
        enum chain_mode mode;
        struct chain *chain;     /* borrowed; its opener's, until sr_close_chain */
        struct sr_opener opener; /* zeros: one who cannot be asked */
        unsigned n_more;         /* who share it, but for the first */
        bool is_shared;
};

struct sr_went {
        struct uuid vdi, to; /* to: the SR's */
};

struct sr {
        struct io *io;           /* borrowed, outlives us */
        struct place *place;     /* owned */
        struct catalog *catalog; /* owned; NULL: read-only, and there is none */
        struct io_file *owner;   /* owned; NULL: read-only */
        struct ballast *ballast; /* owned; NULL: none is wanted, or it could not be had */
        struct images images;
        struct sr_row row;
        struct tree tree;
        VEC(struct vdi) vdis;             /* owned; in the order of name, then uuid */
        VEC(struct node *) stand_ins;     /* owned, and each; the nodes of VDIs that have no data */
        VEC(struct sr_open_chain) chains; /* owned; the chains are their openers' */
        VEC(struct sr_import *) imports;  /* owned array; each its caller's */
        VEC(struct coalesce *) coalesces; /* owned array; each its caller's; those that run */
        struct intents unfinished;        /* as the last refresh saw them */
        struct gc *gc;                    /* borrowed; whose caller steps it; NULL: nobody does */
        struct latency_counts latency;    /* of chains that are closed */
        VEC(struct sr_went) went;         /* owned; VDIs that moved away while it was open, oldest first */
        bool is_read_only;
        bool must_recover;       /* a verb left an intent behind */
        bool may_have_leftovers; /* temporary files that no verb works on any more */
};

MUST_USE enum err sr_begin_change(struct sr *, struct err_note *);
MUST_USE enum err sr_sync_names(struct sr *, struct err_note *);
/* Scans, and makes the list of VDIs; an owner also mends the catalog. */
MUST_USE enum err sr_refresh(struct sr *, struct err_note *);
/* After a verb that failed: as sr_refresh, but the verb's error stays. */
enum err sr_refresh_after(struct sr *, enum err, struct err_note *);

/* After a change of a VDI's names alone: what was put in the catalog is seen, and no file is looked at.
 * Takes what row holds. */
void sr_take_row(struct sr *, struct vdi_row *row);

/* A VDI whose chain is whole. */
MUST_USE enum err sr_need_vdi(struct sr *, const struct uuid *, const struct vdi **ret, struct err_note *);
/* A chain of it for our own reading, also of one that clients may not open; ends with sr_close_chain. */
MUST_USE enum err sr_open_layers(struct sr *, const struct vdi *, enum chain_mode, struct chain **ret,
                                 struct err_note *);
/* … that nobody of us has open, or is importing onto.  What nobody wants any more is closed. */
MUST_USE enum err sr_need_closed(struct sr *, const struct vdi *, const char *verb, struct err_note *);
/* … but who can follow it to that SR (may be NULL: nobody can). */
MUST_USE enum err sr_need_closed_but(struct sr *, const struct vdi *, const char *verb, const struct sr *to,
                                     struct err_note *);
/* Asks all whose chains `has` says yes of.  Where one refuses, those that stepped aside are still to be
 * called back. */
MUST_USE enum err sr_ask_aside(struct sr *, bool (*has)(const struct sr_open_chain *, const void *what),
                               const void *what, struct sr_aside *, struct err_note *);
void sr_step_back(struct sr_aside *);
struct sr_open_chain *sr_writer_of(struct sr *, const struct uuid *vdi); /* NULL: nobody writes to it */

/* Makes .catena and opens it once; refuses nothing.  What sr_create and sr_adopt have in common. */
MUST_USE enum err sr_make(struct io *, const char *dir, const char *name, const struct sr_options *,
                          struct uuid *ret, struct err_note *);
MUST_USE enum err sr_refuse_sr(struct io *, struct place *,
                               struct err_note *); /* ERR_EXISTS where it is one */
/* What sm left that keeps an SR from being opened for change; NULL: nothing. */
const struct place_marked *sr_unfinished_mark(const struct place_listing *);
MUST_USE enum err sr_remove_catena(struct io *, const char *where, struct err_note *);

/* The name of a VDI in messages, also where there is none; room lasts as long as the text is used. */
const char *sr_called(const struct sr *, const struct uuid *, struct uuid_text *room);

struct uuid sr_fresh_uuid(struct sr *);
int64_t sr_now(struct sr *); /* unix seconds */
#define SR_CATENA_DIR   ".catena"
#define SR_OWNER_FILE   "owner"
#define SR_CATALOG_FILE "catalog.db"
#define SR_BALLAST_FILE "ballast"
char *sr_catena_in(struct place *, const char *name); /* the folder itself for "" */
char *sr_catena_path(struct sr *, const char *name);  /* .catena/name; the caller's to free */
enum { SR_NAME_MAX = 1000 };
/* A name that can be kept: UTF-8 without control characters, not longer than SR_NAME_MAX. */
MUST_USE enum err sr_check_text(const char *what, const char *text, struct err_note *);

/* One change of the catalog: puts row (may be NULL), puts intent (may be NULL), drops intent `done` (may be
 * NULL). */
MUST_USE enum err sr_note_change(struct sr *, const struct vdi_row *row, const struct intent *intent,
                                 const struct uuid *done, struct err_note *);

/* ERR_MISMATCH unless the layers from `first` down are node and its ancestors.  A chain follows whatever
 * locators find first, in any folder; the tree knows only this one's files, and so must who reads its disks.
 * */
MUST_USE enum err sr_check_layers(const struct chain *, unsigned first, const struct node *,
                                  struct err_note *);
/* Whether a VHD, whose metadata was read, holds no block at all. */
MUST_USE enum err sr_file_is_empty(struct io_file *, const struct vhd_meta *, bool *ret, struct err_note *);
/* A chain that failed: nothing more is written. */
void sr_abandon_chain(struct sr *, struct chain *);
bool sr_import_is_onto(const struct sr_import *, const struct uuid *vdi);
bool sr_import_makes(const struct sr_import *, const struct uuid *vdi);

/* A leaf that is a disk of its own: no snapshot, nobody's parent. */
MUST_USE enum err sr_vdi_need_leaf(const struct vdi *, struct err_note *);
/* … that is closed, and may be given other content. */
MUST_USE enum err sr_vdi_need_replaceable(struct sr *, const struct vdi *, const char *verb,
                                          struct err_note *);
/* Hidden in its files, and no VDI any more; what holds it stays. */
MUST_USE enum err sr_vdi_hide(struct sr *, const struct vdi *, struct err_note *);
/* The prepared file under vdi's temporary name takes its place; what it held becomes garbage.  row is put. */
MUST_USE enum err sr_vdi_replace(struct sr *, const struct vdi *, const struct vdi_row *row,
                                 struct err_note *);

#endif
