// SPDX-License-Identifier: Apache-2.0
/* Where every chunk and node of a vault is, and reading one.
 *
 * All index objects of the vault, each opened once into a local cache file (index_file.h); a filter in front
 * of each says for most ids that it is not there without touching the file.  Those that another names as
 * replaced are left out.  Packs that no index knows are read by their trailers.
 *
 * A place counts if its pack was in the listing that blobs_refresh took, and is not excluded, and if nobody
 * found it damaged: the rule of writers (put.h [P2]), which blobs_knows goes by.  blobs_find takes such a
 * place where there is one, else any: whoever reads tries it, and a pack that went is ERR_NOT_FOUND.
 *
 *      blobs_refresh(blobs, excluded, note)       lists packs and indexes, and opens what is new
 *      blobs_find(blobs, &id, &place)
 *      blob_read(reader, &place, checks_id, content, note)
 *
 * Errors: ERR_NOT_FOUND; ERR_CORRUPT: a blob whose tag or id does not fit, with its pack and place; those of
 * target.h and io.h.  An object that is damaged does not fail a refresh: it is counted.
 * Threads: any.  Ownership: what the options point at outlives it; places are good until blobs_free.
 * Memory: 11 bits an entry (64 bytes with no cache, and in packs that no index knows), 150 bytes a pack.
 */
#ifndef VAULT_BLOBS_H
#define VAULT_BLOBS_H

#include "keyring.h"
#include "target.h"
#include "vault_docs.h"
#include "vault_index.h"

struct blobs;

struct blobs_options {
        struct io *io;                 /* borrowed, outlives it */
        struct target *target;         /* borrowed, outlives it */
        const struct keyring *keyring; /* borrowed, outlives it */
        const char *cache;             /* borrowed; a folder of this vault's own; NULL: in memory */
};
/* The folder is made, for this user alone, where it is not there; the one above it must be. */
MUST_USE enum err blobs_new(const struct blobs_options *, struct blobs **ret, struct err_note *);
void blobs_free(struct blobs *);
DEFINE_AUTO(struct blobs *, blobs_free);

/* Names of packs that do not count; sorted. */
struct blobs_excluded {
        VEC(struct vault_name) packs; /* owned */
};
bool blobs_excludes(const struct blobs_excluded *, const struct vault_name *);
MUST_USE enum err blobs_refresh(struct blobs *, const struct blobs_excluded *, struct err_note *);
/* Where verify found damage (taints.h), instead of what was told before; n places, sorted. */
void blobs_taint(struct blobs *, const struct vault_place *, size_t n);
/* Of packs that were just put, by whoever put them: found from now on. */
void blobs_add(struct blobs *, const struct vault_index_pack *, const struct vault_pack_entry *, unsigned n);
/* Of an index that was just put: its packs need no memory of blobs_add's any more.  body: as it is opened. */
MUST_USE enum err blobs_add_index(struct blobs *, const struct vault_name *, struct span body,
                                  struct err_note *);

/* A pack that is known of. */
struct pack_row {
        struct vault_index_pack pack;
        bool is_listed, is_excluded; /* by the latest refresh; blobs_add lists */
        bool is_tainted;             /* some place in it */
};
struct blob_place {
        const struct pack_row *pack; /* borrowed from blobs */
        uint32_t number;
        uint64_t at;
        struct vault_pack_entry blob;
        uint64_t entry; /* see blobs_number */
        bool counts;
};
MUST_USE bool blobs_find(struct blobs *, const struct vault_id *, struct blob_place *ret);
/* In a pack that counts. */
bool blobs_knows(struct blobs *, const struct vault_id *);
/* The copies of a blob are numbered from 0, those that count first; false: there are not so many. */
MUST_USE bool blobs_find_copy(struct blobs *, const struct vault_id *, unsigned copy, struct blob_place *ret);

/* Numbers all entries of indexes, so that a bit can be kept for each: how many.  A place's own is below that
 * (UINT64_MAX: it is in no index yet), until the next refresh. */
uint64_t blobs_number(struct blobs *);
/* All that indexes know of a pack, in the order of the pack: for one that does not tell it itself.  Goes
 * through all entries. */
struct blob_places {
        VEC(struct blob_place) list; /* owned */
};
void blob_places_fini(struct blob_places *);
DEFINE_AUTO_IN_PLACE(struct blob_places, blob_places_fini);
MUST_USE enum err blobs_of_pack(struct blobs *, const struct vault_name *, struct blob_places *ret,
                                struct err_note *);

/* What one thread reads blobs with.  Blobs that lie behind one another are fetched in one request, the more
 * the longer they were read so.  Memory: bounded by 4 windows of 2 MiB (of a blob, where that is larger), and
 * one blob. */
struct blob_reader;
struct blob_reader *blob_reader_new(struct blobs *);
void blob_reader_free(struct blob_reader *);
DEFINE_AUTO(struct blob_reader *, blob_reader_free);
/* The content: place->blob.length bytes; where this copy is damaged or gone, of another one.  checks_id: that
 * its id is what was asked for, too. */
MUST_USE enum err blob_read(struct blob_reader *, const struct blob_place *, bool checks_id, void *ret,
                            struct err_note *);
/* Of this copy and no other. */
MUST_USE enum err blob_read_copy(struct blob_reader *, const struct blob_place *, bool checks_id, void *ret,
                                 struct err_note *);

/* That this copy is as it was stored: its tag, and its id where that is asked for.  What lies behind it is
 * fetched, too: for whoever goes through a pack in order. */
MUST_USE enum err blob_check(struct blob_reader *, const struct blob_place *, bool checks_id,
                             struct err_note *);
/* Nothing of any pack is kept: rows that are not of blobs may go. */
void blob_reader_leave(struct blob_reader *);

struct blobs_count {
        uint64_t n_packs, n_blobs, stored;           /* listed packs, what is in them, their bytes */
        uint64_t n_indexes;                          /* in use */
        uint64_t n_loose;                            /* listed packs that none of them knows */
        uint64_t n_damaged_packs, n_damaged_indexes; /* at the latest refresh */
};
struct blobs_count blobs_count(struct blobs *);

#endif
