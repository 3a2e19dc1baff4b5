// SPDX-License-Identifier: Apache-2.0
/* Reading a disk of a point: any range, or all of it in order with threads that read ahead.
 *
 *      get_open(vault, &disk, &options, &get, note)   get_read(get, buffer, n, at, note)   get_close(get)
 *      get_all(vault, &disk, &sink, note)             chunks to a sink, in any order, holes left out
 *
 * Every blob's tag is checked always; that its content has its id, unless told not to.
 *
 * Errors: those of blobs.h, with the disk's range in front; of the sink; ERR_CANCELLED.
 * Threads: get_read: any, at once; the rest: one.  get_all calls write in threads of its own, several at
 * once, of ranges that do not touch.
 */
#ifndef VAULT_GET_H
#define VAULT_GET_H

#include "id_tree.h"
#include "vault.h"

struct get;
struct get_options {
        bool trusts_tags;   /* ids are not checked */
        size_t cache_bytes; /* of chunks that were read; 0: 16 MiB */
};
MUST_USE enum err get_open(struct vault *, const struct vault_disk *, const struct get_options *,
                           struct get **ret, struct err_note *);
MUST_USE enum err get_read(struct get *, void *ret, size_t n, uint64_t at, struct err_note *);
/* The first run of what is not zeros, by whole chunks; both size where only zeros follow. */
MUST_USE enum err get_next_data(struct get *, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                                struct err_note *);
void get_close(struct get *);
DEFINE_AUTO(struct get *, get_close);

struct get_sink {
        enum err (*write)(void *user, const void *data, size_t n, uint64_t at,
                          struct err_note *); /* borrowed */
        /* Bytes of the disk gone through, holes too; in the caller's thread; may cancel.  NULL: none */
        enum err (*step)(void *user, uint64_t done, struct err_note *); /* borrowed */
        void *user;                                                     /* borrowed; handed to both */
        unsigned n_threads;                                             /* 0: as many as cores */
        bool trusts_tags;
};
struct get_count {
        uint64_t data, zeros; /* bytes of the disk */
};
MUST_USE enum err get_all(struct vault *, const struct vault_disk *, const struct get_sink *,
                          struct get_count *ret, struct err_note *);

#endif
