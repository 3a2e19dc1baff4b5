// SPDX-License-Identifier: Apache-2.0
/* Making a point: disks are read, what the vault lacks is stored, and at last the point counts.
 *
 *      put_begin(vault, &options, &put, note)           a session; what is known
 *      put_disk(put, &disk, note)                       for each disk, one after the other
 *      put_commit(put, &point, note)   or   put_abort(put)
 *
 * The threads are in put_pipeline.h and pack_writer.h.
 *
 *   [P1] success is told only when packs, index, manifest, seal and the session's end are durable, in this
 *        order, and the session was not broken before the seal, nor a list lag after it
 *   [P2] a chunk counts as known only if its pack was listed after the session was put, and no doom names it
 *   [P3] a parent counts only if its manifest and its seal were fetched after the session was put
 *   [P6] what is recorded as damaged (taints.h) counts as not there, and a damaged point as no parent
 *
 * A run that fails or dies leaves objects that no sealed point names: prune takes them.
 *
 * Errors: those of the source, of target.h and blobs.h; ERR_CANCELLED; ERR_BUSY, the session was broken:
 * begin again.  After an error of put_disk nothing but put_abort is of use.
 * Threads: one at a time, and one put at a time in a struct vault; `read` is called in threads of ours.
 */
#ifndef VAULT_PUT_H
#define VAULT_PUT_H

#include "vault.h"

/* Whatever can be read as a disk. */
struct put_source {
        uint64_t size; /* bytes */
        /* All n; called by several threads at once. */
        enum err (*read)(void *user, void *ret, size_t n, uint64_t at, struct err_note *); /* borrowed */
        /* The first run of data at or behind at, [*ret_start, *ret_end); both size where only zeros follow.
         * By one thread at a time.  NULL: all is data. */
        enum err (*next_data)(void *user, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                              struct err_note *); /* borrowed */
        void *user;                               /* borrowed; handed to them */
};
struct put_extent {
        uint64_t at, n; /* bytes; ascending, apart */
};
struct put_disk {
        const char *name; /* borrowed */
        struct put_source source;
        const struct vault_disk *parent; /* borrowed; one of put_parent's; NULL: none */
        /* borrowed; with a parent: what alone can differ from it, as far as both reach; behind that all is
         * looked at.  changed NULL: all is read */
        const struct put_extent *changed;
        size_t n_changed;
        const json_t *about; /* borrowed; the manifest's `source`; NULL */
};

struct put_options {
        const char *name;                /* borrowed; the point's */
        int64_t time;                    /* seconds since 1970 */
        const struct vault_name *parent; /* borrowed; NULL: none */
        const json_t *vm;                /* borrowed; NULL: none */
        unsigned n_threads;              /* 0: as many as cores */
        /* Bytes of the disks gone through, holes too; of those with `changed`, of what that touches.  May
         * cancel.  In the caller's thread. */
        enum err (*step)(void *user, uint64_t done, struct err_note *); /* borrowed; NULL: none */
        void *user;                                                     /* borrowed; handed to step */
};

struct put;
MUST_USE enum err put_begin(struct vault *, const struct put_options *, struct put **ret, struct err_note *);
/* The parent's manifest, as it counts for this run; NULL: none. */
const struct vault_manifest *put_parent(const struct put *);
MUST_USE enum err put_disk(struct put *, const struct put_disk *, struct err_note *);

struct put_count {
        uint64_t read;   /* bytes of the sources */
        uint64_t zeros;  /* of these, in chunks of nothing else */
        uint64_t known;  /* of these, in chunks that the vault had */
        uint64_t added;  /* in chunks that it had not */
        uint64_t stored; /* bytes that these and nodes take in packs */
        uint64_t n_packs;
};
struct put_count put_count(const struct put *); /* of packs: so far */
/* The put is gone when it returns. */
/* ret_count: of all of it; NULL: nobody asks. */
MUST_USE enum err put_commit(struct put *, struct vault_name *ret_point, struct put_count *ret_count,
                             struct err_note *);
/* All that was stored counts, and no point is made of it: what points that are there need of it is healed. */
MUST_USE enum err put_commit_chunks(struct put *, struct put_count *ret_count, struct err_note *);
const struct vault_id *put_root(const struct put *, size_t nth); /* of the nth disk that was put */
void put_abort(struct put *);
DEFINE_AUTO(struct put *, put_abort);

#endif
