// SPDX-License-Identifier: Apache-2.0
/* The reads that a reactor does by itself, by an io queue of its own: those of which the map says from
 * memory where their bytes lie.  What the page cache holds is there when nbd_reads_go returns; the rest comes
 * as the disk gives it, told by the loop.
 *
 *      if (!nbd_reads_begin(reads, read))      … whoever may wait does it (nbd_work.h)
 *      nbd_reads_go(reads)                     … reader->ended(read, is_ok) of each; then reader->rested once
 *
 * A chain's hold lasts from begin to ended: one I/O, whatever the client does.  Larger reads are not for
 * here: they would keep the reactor's other clients waiting while they are copied.
 *
 * Errors: is_ok false: the bytes did not come; whoever wants to know why reads again by plain calls.
 * Threads: the loop's.  Ownership: a read and its memory are the caller's, who leaves them alone until ended.
 */
#ifndef SERVE_NBD_READS_H
#define SERVE_NBD_READS_H

#include "chain.h"
#include "loop.h"

struct nbd_reads;
struct nbd_read;

enum {
        NBD_READ_MAX = 256 << 10, /* bytes; larger ones are refused */
        NBD_READ_PIECES = 4,      /* files that the bytes may lie in, or places of one */
};

struct nbd_reader {
        void (*ended)(void *user, struct nbd_read *, bool is_ok); /* borrowed */
        void (*rested)(void *user); /* borrowed; after some of its reads have ended; it may begin more */
        void *user;                 /* borrowed; handed to both */

        bool is_told;            /* ours: it is in the list of those who will be called */
        struct nbd_reader *next; /* borrowed; ours */
};

struct nbd_read {
        struct nbd_reader *reader; /* borrowed */
        struct chain *chain;       /* borrowed */
        uint8_t *data;             /* borrowed; n bytes */
        uint64_t at;
        size_t n;
        /* What no file holds, in pieces of so many bytes and more, is told as a hole, and data is left alone
         * there; 0: all of data is filled. */
        size_t holes_from;

        struct { /* filled by begin: in order, n_pieces of them */
                uint32_t n;
                bool is_hole;
        } pieces[NBD_READ_PIECES];
        unsigned n_pieces;

        struct chain_hold hold; /* from here on: ours */
        uint64_t began_ns;
        unsigned n_left;
        bool has_failed;
};

MUST_USE enum err nbd_reads_new(struct loop *, struct nbd_reads **ret, struct err_note *);
void nbd_reads_free(struct nbd_reads *); /* nothing is under way */
DEFINE_AUTO(struct nbd_reads *, nbd_reads_free);

/* False: it is none for here, or there is no room for it, and nothing was begun. */
bool nbd_reads_begin(struct nbd_reads *, struct nbd_read *);
/* To be called after some were begun. */
void nbd_reads_go(struct nbd_reads *);

#endif
