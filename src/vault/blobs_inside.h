// SPDX-License-Identifier: Apache-2.0
/* What the files of blobs share; nobody else includes this.
 *
 * Errors: as blobs.h says.  Threads: `lock` is held, for writing where something changes.
 */
#ifndef VAULT_BLOBS_INSIDE_H
#define VAULT_BLOBS_INSIDE_H

#include <pthread.h>

#include "blobs.h"
#include "index_file.h"
#include "index_tiers.h"
#include "map.h"

/* An index that is in use, or known to be of no use. */
struct opened {
        struct vault_name name;  /* null: made here of trailers, of packs that no index knows */
        struct index_file *file; /* owned; NULL: damaged */
        struct pack_row **rows;  /* owned, each borrowed from blobs: the packs of its table */
        uint64_t first_entry;    /* its number (blobs_number) */
        bool is_listed, is_replaced;
        bool is_ours;      /* put or made by this process; listings may lack it */
        unsigned n_healed; /* how often its file here was damaged */
};

/* Entries of one pack that was added, until an index has them. */
struct recent {
        struct pack_row *row; /* borrowed from blobs */
        struct recent_blob {
                struct pack_row *row; /* borrowed from blobs */
                uint32_t number;
                uint64_t at;
                struct vault_pack_entry blob;
        } * blobs;  /* owned */
        unsigned n; /* of them */
};

struct blobs {
        struct io *io;                   /* borrowed, outlives us */
        struct target *target;           /* borrowed, outlives us */
        const struct keyring *keyring;   /* borrowed, outlives us */
        char *cache;                     /* owned; NULL: in memory */
        pthread_rwlock_t lock;           /* guards all below */
        VEC(struct opened *) indexes;    /* owned, and each; the newest last */
        VEC(struct pack_row *) rows;     /* owned, and each; never fewer */
        struct map row_of;               /* by a pack's name, borrowed from rows */
        VEC(struct recent) recent;       /* owned, and each */
        struct map recent_of;            /* by the first half of an id, borrowed from recent */
        VEC(struct vault_place) tainted; /* owned; sorted */
        uint64_t n_damaged_packs, n_damaged_indexes;
};

struct map_key blobs_key(const uint8_t bytes[16]);
struct pack_row *blobs_row(struct blobs *, const struct vault_index_pack *); /* found or made */
bool blobs_is_live(const struct opened *);
void blobs_mark_tainted(struct blobs *); /* its rows */
bool blobs_is_tainted(const struct blobs *, const struct pack_row *, uint32_t number);
void opened_free(struct opened *);
DEFINE_AUTO(struct opened *, opened_free);

/* ---- blobs_refresh.c ---- */

/* Opens from the cache, else from the target, into ret, which has a name and no file. */
MUST_USE enum err blobs_open_index(struct blobs *, struct opened *, struct err_note *);
/* The same of a body that is at hand. */
MUST_USE enum err blobs_open_body(struct blobs *, struct opened *, struct span body, struct err_note *);
/* Of one whose file here is damaged: from the target; where that is of no use, it has no file from now on. */
void blobs_open_again(struct blobs *, struct opened *);
/* Of packs that some live index has by now, nothing is kept beside it. */
void blobs_forget_recent(struct blobs *);

#endif
