// SPDX-License-Identifier: Apache-2.0
/* The VDIs of some SRs as NBD exports: found by uuid or name (nbd_shelf.h), opened when the first client
 * comes, shared by all of them, closed when the last has gone.
 *
 *      nbd_exports_new(&options)
 *      ask->kind = NBD_ASK_OPEN; … nbd_exports_ask(exports, ask)  … ask->answered(ask), in another thread
 *      … ask->export->chain is read and written …
 *      nbd_export_release(export)
 *      nbd_exports_free(exports)       once all are released: all are flushed and closed when it returns
 *
 * What needs an SR waits for its turn (turn.h) in a thread of our own, one question after the other, so
 * whoever asks never waits.  While an export is open its chain counts as open with the SR: the VDI may be
 * snapshotted, cloned and coalesced below its clients, but not deleted or reverted.  For a resize we step
 * aside (sr.h): requests wait, the chain is closed, and opened again at its new size.  Who is connected then
 * keeps the size that he was told.  So we do where it moves to an SR of another shelf, and open it there.
 *
 * Snapshots, VDIs that others read through, and those that the shelves say, are read-only: their chains are
 * opened for reading [D5].
 *
 * Errors: in the answer: those of nbd_shelf.h and of sr_open_chain.  What fails when a chain is closed, or
 * between requests, is told to `failed`.
 * Threads: any; free, the one that made it.  `answered` and `failed` are called in threads of ours.
 */
#ifndef SERVE_NBD_EXPORT_H
#define SERVE_NBD_EXPORT_H

#include "nbd.h"
#include "nbd_context.h"
#include "nbd_shelf.h"
#include "nbd_work.h"

struct nbd_exports;

struct nbd_exports_options {
        struct nbd_shelves shelves;                   /* borrowed; their turns are not held by the caller */
        struct nbd_work *work;                        /* borrowed */
        void (*failed)(void *user, const char *text); /* borrowed; for the log */
        void *user;                                   /* borrowed; handed to it */
};

/* One that is open; nothing of it but the chain changes until it is released. */
struct nbd_export {
        struct uuid vdi;
        char *name;        /* owned; the VDI's, for people */
        char *description; /* owned */
        /* owned; for errands of the lane alone, which ask for it when they run: it is another after a resize,
         * and NULL where it could not be opened again */
        struct chain *chain;
        struct nbd_lane *lane; /* owned; for all that is done with the chain */
        bool is_read_only;
};

struct nbd_exports *nbd_exports_new(const struct nbd_exports_options *);
void nbd_exports_free(struct nbd_exports *);
DEFINE_AUTO(struct nbd_exports *, nbd_exports_free);

/* ---- questions ---- */

enum nbd_ask_kind {
        NBD_ASK_LIST,     /* all that there is */
        NBD_ASK_OPEN,     /* name */
        NBD_ASK_CONTEXTS, /* name, queries; with is_list none of them is opened */
};

struct nbd_offer {
        struct nbd_context context;
        struct nbd_export *base; /* shared, counted; catena:changed: the snapshot; NULL: not opened */
};

struct nbd_ask {
        enum nbd_ask_kind kind;
        char name[NBD_NAME_MAX + 1];
        uint32_t n_queries;
        struct buf queries; /* as nbd_query_take takes them */
        bool is_list;
        bool needs_session;                 /* of the name (nbd_shelf.h); nothing is listed then */
        void (*answered)(struct nbd_ask *); /* borrowed */
        void *user;                         /* borrowed; for whoever asked */

        enum err failed; /* the answer */
        struct err_note note;
        struct nbd_list list;
        struct nbd_export *export; /* shared, counted */
        uint64_t size;             /* of the export, bytes: for as long as whoever asked is connected */
        bool is_read_only;         /* for whoever asked, whatever the export is for others */
        VEC(struct nbd_offer) offers;

        struct nbd_ask *next; /* borrowed; the table's */
};
/* What was answered and not taken is released. */
void nbd_ask_fini(struct nbd_exports *, struct nbd_ask *);

/* The ask is the caller's again when it is answered. */
void nbd_exports_ask(struct nbd_exports *, struct nbd_ask *);

void nbd_export_release(struct nbd_exports *, struct nbd_export *);

/* To be called about each second: what waits in memory too long is flushed. */
void nbd_exports_tick(struct nbd_exports *);

#endif
