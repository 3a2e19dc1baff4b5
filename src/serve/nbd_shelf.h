// SPDX-License-Identifier: Apache-2.0
/* The SRs of one server, and which of their VDIs the name of an export means.  A shelf may also hold disks
 * that are in no SR, each open already (a point's, say); to a guest there is no difference.
 *
 * A name is a VDI's uuid, or the name that it alone has over all shelves; the empty name is the only VDI,
 * where there is just one.  Each shelf is looked at in its SR's turn, one after the other and never two at
 * once: what was found may be gone when it is opened.
 *
 * "/UUID?session_id=REF" is the disk UUID for who has the session REF of another protocol, which may_read
 * judges; by such a name it is only read.  REF is a secret: no text of ours has a name of this form in it.
 *
 * Errors: ERR_DENIED where a session is needed or not good; ERR_NOT_FOUND; ERR_INVALID where two VDIs have
 * the name, with both uuids, or two SRs the uuid.
 * Threads: any that holds none of the turns.
 */
#ifndef SERVE_NBD_SHELF_H
#define SERVE_NBD_SHELF_H

#include "loose_disk.h"
#include "sr.h"
#include "turn.h"

struct nbd_shelf {
        struct sr *sr;                /* borrowed; NULL: it has disks */
        struct turn *turn;            /* borrowed; of the SR, or of the disks */
        const struct loose_disk *disks; /* borrowed, and each */
        size_t n_disks;
};

/* What a shelf has, whichever kind it is; with its turn. */
struct nbd_item {
        struct uuid uuid;
        const char *name, *description; /* borrowed while the turn is held */
        bool is_read_only;              /* whoever serves it */
        const struct vdi *vdi;          /* borrowed likewise; NULL: a disk */
        struct chain *chain;            /* borrowed; a disk's */
};
/* false: there is none; metadata is none, it has no data to serve. */
bool nbd_shelf_get(const struct nbd_shelf *, const struct uuid *, struct nbd_item *ret);

struct nbd_shelves {
        const struct nbd_shelf *each; /* borrowed */
        size_t n;
        bool are_read_only;           /* all VDIs */
        const struct uuid *read_only; /* borrowed; only these, and what is so by itself */
        size_t n_read_only;
        /* Whether that session may read that VDI, should there be one; any thread.  NULL: there are none. */
        bool (*may_read)(void *user, const char *session, const struct uuid *vdi); /* borrowed */
        void *user; /* borrowed; handed to it */
};

struct nbd_found {
        const struct nbd_shelf *shelf; /* borrowed */
        struct uuid vdi;
        bool is_by_session; /* it may be read and no more */
};
/* needs_session: no other name will do. */
MUST_USE enum err nbd_shelves_find(const struct nbd_shelves *, const char *name, bool needs_session,
                                   struct nbd_found *ret, struct err_note *);

/* Whether nobody may write to it by way of this server, or at all. */
bool nbd_shelves_forbid_writing(const struct nbd_shelves *, const struct nbd_item *);

struct nbd_listed {
        char *name;        /* owned; one that leads to it: its uuid, where its own does not */
        char *description; /* owned */
};
struct nbd_list {
        VEC(struct nbd_listed) all; /* owned, and what each holds; by name */
};
void nbd_list_fini(struct nbd_list *);
DEFINE_AUTO_IN_PLACE(struct nbd_list, nbd_list_fini);

void nbd_shelves_list(const struct nbd_shelves *, struct nbd_list *ret);

#endif
