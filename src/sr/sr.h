// SPDX-License-Identifier: Apache-2.0
/* A storage repository: many disks that share parents, in one folder laid out as XCP-ng's file SR.
 *
 *      <uuid>.vhd, <uuid>.raw   nodes (place.h)       files are the truth about data and parents
 *      <uuid>.cbtlog            changed blocks        (changes.h) of snapshots whose data is gone
 *      .catena/catalog.db       names and relations   (catalog.h): rebuilt where lost, repaired at each scan
 *      .catena/owner            who owns the SR now   locked by its owner; host, pid, command, since
 *      .catena/ballast          zeros                 space that a full SR keeps for coalescing (ballast.h)
 *
 * Words: a VDI is a visible node, a leaf or a snapshot; the rest are hidden base copies.  VDIs are named by
 * uuid, or by a name that no other VDI of the SR has.
 *
 * Promises, at every instant and after any crash:
 *   [S1] every visible VDI reads what it must: what a snapshot, clone or revert did not finish did not
 *        happen, or is finished by the next owner's open; what was reported done is there
 *   [S2] every state that an intent protects is a legal chain without it
 *   [S3] opening twice after a crash changes nothing more than opening once
 *   [S4] of several VDIs that are snapshotted at once all snapshots are there or none, and they are of one
 *        instant
 *   [C2] a file's last name goes only when it is hidden in both footers and no other file names it, nothing
 *        leases it and nobody has it open
 *   [C4] a lease or an open by itself begins on a visible node only
 *   an SR opened SR_READ_ONLY is never changed by a byte, and needs no .catena
 *
 * A verb that failed says so and the SR stays usable: what it could not undo at once is recovered before the
 * next verb that changes something, or at the next open.
 *
 * Errors: ERR_BUSY names who; ERR_READ_ONLY; ERR_NOT_FOUND; ERR_EXISTS; ERR_INVALID where a name fits several
 * (with their uuids) or a VDI is not of the kind that the verb needs; ERR_CORRUPT for a VDI whose chain is
 * broken.
 * Threads: the owner of the SR, for all of it.  Chains that were opened here may be read and written by any.
 * Ownership: what is returned as pointer to const is the SR's and lives until the next call that changes or
 * scans it.
 */
#ifndef SR_SR_H
#define SR_SR_H

#include "catalog.h"
#include "chain.h"
#include "tree.h"

struct sr;

/* ---- making, opening ---- */

enum sr_mode { SR_OWN, SR_READ_ONLY };

/* Who we are, for .catena/owner; io.h knows neither host nor process. */
struct sr_self {
        const char *host; /* borrowed for the call */
        uint64_t pid;
        const char *command; /* borrowed for the call; for people: "catena vdi import" */
        /* Called once the SR is ours and before anybody can know: makes the socket in that folder by which
         * others reach us.  Its name there, static, or NULL.  NULL: there is none. */
        const char *(*open_door)(void *user, const char *folder);
        void *user; /* borrowed; handed to open_door */
};

struct sr_options {
        enum sr_mode mode;
        const struct sr_self *self;          /* borrowed for the call; NULL: nobody in particular */
        catalog_open_store open_store;       /* NULL: store_sqlite_open */
        const struct images_options *images; /* borrowed for the call; NULL: the defaults */
        /* kept for coalescing (ballast.h), less on a small file system; 0: none */
        uint64_t ballast_bytes;
        bool rebuild_catalog; /* a damaged catalog is set aside and made afresh: names are lost, disks are not
                               */
};

/* Makes an SR of a folder (made if missing) in which no node lies yet; ERR_EXISTS where there are some (the
 * text counts them and says "sr adopt"), or where it is an SR already.  options' mode is of no matter. */
MUST_USE enum err sr_create(struct io *, const char *dir, const char *name, const struct sr_options *,
                            struct uuid *ret, struct err_note *);
/* SR_OWN takes the owner's lock, recovers what a crash left, and scans.  options may be NULL: SR_OWN and
 * defaults. */
MUST_USE enum err sr_open(struct io *, const char *dir, const struct sr_options *, struct sr **ret,
                          struct err_note *);
void sr_close(struct sr *); /* all chains are closed by then */
DEFINE_AUTO(struct sr *, sr_close);

const struct sr_row *sr_info(
        const struct sr *);              /* read-only without a catalog: null uuid, named as the folder */
const char *sr_where(const struct sr *); /* the folder's canonical path */
bool sr_is_read_only(const struct sr *);
MUST_USE enum err sr_space(struct sr *, struct io_space *ret, struct err_note *);

/* ---- who owns it ---- */

struct sr_owner {
        char host[128], command[128], since[64], socket[65]; /* empty: not told */
        uint64_t pid;
        char *folder; /* owned; where the socket is */
};
void sr_owner_fini(struct sr_owner *);
DEFINE_AUTO_IN_PLACE(struct sr_owner, sr_owner_fini);

/* What the owner of the SR at dir says of himself, who may be gone by now.  ERR_NOT_FOUND: nobody says so. */
MUST_USE enum err sr_owner_of(struct io *, const char *dir, struct sr_owner *ret, struct err_note *);

/* ---- looking ---- */

/* A VDI as people see it: what the catalog says of it and its file. */
struct vdi {
        struct vdi_row row;
        const struct node *node; /* borrowed from the SR's tree; without data a stand-in with a size */
        bool is_read_only;       /* a snapshot, or a node with children */
        bool is_metadata;        /* a snapshot without data: only what changed is told of it */
        bool has_data;           /* its file is there still; of metadata: nobody is let at it */
        bool is_open;            /* a chain of ours goes through it by its own name */
};

/* Finishes or undoes now what a verb that failed has left: what there is afterwards stays.  Nothing,
 * mostly. */
MUST_USE enum err sr_recover(struct sr *, struct err_note *);
/* Reads the folder anew and mends the catalog by it. */
MUST_USE enum err sr_scan(struct sr *, struct err_note *);
const struct tree *sr_tree(const struct sr *);
size_t sr_n_vdis(const struct sr *);
const struct vdi *sr_vdi_at(const struct sr *, size_t i); /* in the order of name, then uuid */
/* By uuid, or by a name that one VDI has. */
MUST_USE enum err sr_find_vdi(struct sr *, const char *uuid_or_name, const struct vdi **ret,
                              struct err_note *);
const struct vdi *sr_get_vdi(const struct sr *, const struct uuid *); /* or NULL */

/* Nodes that wait to be deleted or cannot be shown, and why. */
struct sr_notice {
        struct uuid uuid;
        char text[ERR_TEXT_SIZE];
};
struct sr_notices {
        VEC(struct sr_notice) list; /* owned */
};
void sr_notices_fini(struct sr_notices *);
DEFINE_AUTO_IN_PLACE(struct sr_notices, sr_notices_fini);

/* ---- reading and writing a VDI ---- */

/* CHAIN_WRITE is refused for what is read-only; the VDI then counts as written (its stream_uuid is
 * forgotten). */
MUST_USE enum err sr_open_chain(struct sr *, const struct uuid *vdi, enum chain_mode, struct chain **ret,
                                struct err_note *);
/* For reading, the same chain for all who ask so: each closes it once. */
MUST_USE enum err sr_share_chain(struct sr *, const struct uuid *vdi, struct chain **ret, struct err_note *);
bool sr_is_written(const struct sr *, const struct uuid *vdi); /* a chain of ours may write to it */
/* ERR_BUSY, where a chain is open by the VDI's own name that somebody wants; what nobody wants any more is
 * closed.  verb is for people: "copy". */
MUST_USE enum err sr_vdi_need_closed(struct sr *, const struct uuid *vdi, const char *verb,
                                     struct err_note *);
/* Flushes and closes.  The chain is gone also where that failed. */
MUST_USE enum err sr_close_chain(struct sr *, struct chain *, struct err_note *);
/* Who has a chain open for as long as others want it: he can tell of them, and do without it for a moment.
 * All are called by the owner of the SR, within verbs on the VDI. */
struct sr_opener {
        /* Says who wants it, as "2 clients are connected"; where nobody does any more, closes the chain and
         * says false. */
        bool (*is_wanted)(void *user, char *ret_who, size_t size); /* borrowed */
        /* What uses the chain waits from then on, all that it was told is durable, and the chain is closed.
         * Where that fails all is as it was. */
        enum err (*step_aside)(void *user, struct err_note *); /* borrowed */
        void (*step_back)(void *user);                         /* borrowed; opens it again */
        /* Whether he can have it from that SR as well, should it move there.  NULL: he cannot. */
        bool (*may_follow)(void *user, const struct sr *to); /* borrowed */
        /* After step_aside, and instead of step_back: opens it there.  By the owner of both SRs. */
        void (*step_over)(void *user, const struct sr *to); /* borrowed; NULL: he cannot follow */
        void *user;                                         /* borrowed; handed to all */
};
/* Those who stepped aside, to be called back. */
struct sr_aside {
        VEC(struct sr_opener) all; /* owned */
};
/* Copied; until the chain is closed. */
void sr_set_opener(struct sr *, struct chain *, const struct sr_opener *);
/* How long requests of users of its VDIs took, all that were made through chains of this SR. */
void sr_latency(const struct sr *, struct latency_counts *ret);
/* Remembers the footer uuid of what a VDI gave out or took in, until it is written to.  Forgotten at once
 * where the VDI is open for writing. */
MUST_USE enum err sr_vdi_set_stream(struct sr *, const struct uuid *vdi, const struct uuid *stream,
                                    struct err_note *);

/* ---- verbs ---- */

struct sr_settings {               /* NULL: as it is */
        const char *name;          /* borrowed */
        const char *description;   /* borrowed */
        const unsigned *max_depth; /* borrowed */
};
MUST_USE enum err sr_set(struct sr *, const struct sr_settings *, struct err_note *);

struct vdi_options {
        const char *name;        /* borrowed; NULL: the uuid */
        const char *description; /* borrowed; NULL: "" */
        uint64_t size;           /* create, import: bytes; rounded up to 512, at most 2040 GiB for a VHD */
        enum image_kind kind;    /* create: IMAGE_RAW is not sparse-proof, see docs */
        bool is_fixed;           /* create: a fixed VHD */
        const struct uuid *uuid; /* borrowed; ERR_EXISTS where a disk has it; NULL: a fresh one */
        /* borrowed; create, import: what name and description are where they are not given, the tags, and
         * whether it is a snapshot, and of what; NULL: nothing */
        const struct vdi_row *like;
};
MUST_USE enum err sr_vdi_create(struct sr *, const struct vdi_options *, struct uuid *ret, struct err_note *);

/* Of an open or closed VDI.  ERR_TOO_LARGE where the SR's max-depth stands against it. */
MUST_USE enum err sr_vdi_snapshot(struct sr *, const struct uuid *vdi, const struct vdi_options *,
                                  struct uuid *ret, struct err_note *);
MUST_USE enum err sr_vdi_clone(struct sr *, const struct uuid *vdi, const struct vdi_options *,
                               struct uuid *ret, struct err_note *);

/* Several VDIs at one instant: their writers are all stopped before the first is cut, so what is written to
 * one after a write to another had ended is in no snapshot without that other write.  All of them or none
 * [S1]: a crash in the middle leaves no snapshot, or all (cut.h). */
struct sr_snapshot_ask {
        struct uuid vdi;            /* each once */
        struct vdi_options options; /* name, description, uuid */
        bool is_clone;              /* a clone, and no snapshot */
};
/* ret: n, in the order of asks. */
MUST_USE enum err sr_vdis_snapshot(struct sr *, const struct sr_snapshot_ask *asks, size_t n,
                                   struct uuid *ret, struct err_note *);
/* The same in two, so that disks of several SRs are one instant: all begun, then all committed.  In between
 * writers wait and the SR's turn is kept: nothing else is called but for this.  Of several SRs each is all
 * or none by itself. */
struct sr_cut;
MUST_USE enum err sr_cut_begin(struct sr *, const struct sr_snapshot_ask *asks, size_t n, struct sr_cut **ret,
                               struct err_note *);
/* Both end it, and writers go on. */
MUST_USE enum err sr_cut_commit(struct sr_cut *, struct uuid *ret, struct err_note *);
void sr_cut_abort(struct sr_cut *);
DEFINE_AUTO(struct sr_cut *, sr_cut_abort);

/* vdi, closed, reads as snapshot does from now on; what it held is deleted. */
MUST_USE enum err sr_vdi_revert(struct sr *, const struct uuid *vdi, const struct uuid *snapshot,
                                struct err_note *);
/* Hides it, and removes it where nothing needs it. */
MUST_USE enum err sr_vdi_delete(struct sr *, const struct uuid *vdi, struct err_note *);
/* Whoever has it open must be one who steps aside. */
MUST_USE enum err sr_vdi_resize(struct sr *, const struct uuid *vdi, uint64_t size, struct err_note *);

/* Whether list of changed blocks between its snapshots is wanted (changes.h).  ERR_INVALID of a snapshot,
 * ERR_UNSUPPORTED of a raw disk.  Where it was so already nothing happens. */
MUST_USE enum err sr_vdi_set_cbt(struct sr *, const struct uuid *vdi, bool has_cbt, struct err_note *);
/* A closed snapshot, made while its VDI had change tracking, is from now on metadata: its name and what
 * changed up to it and since.  Its data goes as soon as that can be told without it. */
MUST_USE enum err sr_vdi_data_destroy(struct sr *, const struct uuid *snapshot, struct err_note *);
/* What was written from `from` to `to`: a bit for each 64 KiB of `to`, as cbt_log.h has them.  ERR_INVALID
 * where they are the same, or the wrong way round; ERR_MISMATCH where neither came of the other, or what
 * leads from one to the other is gone.
 *
 *      sr_changed_begin(sr, from, to, &changed, note)
 *      sr_changed_read(changed, &blocks, note)           once; any thread, others may have the SR
 *      sr_changed_end(changed)
 *
 * What is read lies still until the end: a snapshot that is compared is open. */
struct changed_blocks {
        uint8_t *bits; /* owned */
        uint64_t size_bytes;
};
void changed_blocks_fini(struct changed_blocks *);
DEFINE_AUTO_IN_PLACE(struct changed_blocks, changed_blocks_fini);
struct sr_changed;
MUST_USE enum err sr_changed_begin(struct sr *, const struct uuid *from, const struct uuid *to,
                                   struct sr_changed **ret, struct err_note *);
MUST_USE enum err sr_changed_read(struct sr_changed *, struct changed_blocks *ret, struct err_note *);
void sr_changed_end(struct sr_changed *);
DEFINE_AUTO(struct sr_changed *, sr_changed_end);

struct vdi_settings {            /* NULL: as it is */
        const char *name;        /* borrowed */
        const char *description; /* borrowed */
        const char *const *tags; /* borrowed; ended by NULL */
};
MUST_USE enum err sr_vdi_set(struct sr *, const struct uuid *vdi, const struct vdi_settings *,
                             struct err_note *);

/* ---- import: a VDI that is there whole or not at all ---- */

struct sr_import;

/* A new VDI that nobody sees before its commit. */
MUST_USE enum err sr_import_begin(struct sr *, const struct vdi_options *, struct sr_import **ret,
                                  struct err_note *);
/* New content for a closed VDI, beginning as what it holds now; until the commit it reads as before.  size:
 * what it will have, not less than it has. */
MUST_USE enum err sr_import_begin_onto(struct sr *, const struct uuid *vdi, uint64_t size,
                                       struct sr_import **ret, struct err_note *);
struct chain *sr_import_chain(struct sr_import *); /* to write to */
/* What the VDI is called once it is committed; where that failed at its very end it may be there. */
struct uuid sr_import_vdi(const struct sr_import *);
/* What it is called and described as, and its tags, from now on: as that one. */
void sr_import_say(struct sr_import *, const struct vdi_row *like);
/* Durable and seen when it returns; stream (may be null) is remembered as in sr_vdi_set_stream.  Ends the
 * import, also where it fails: nothing half-made is left. */
MUST_USE enum err sr_import_commit(struct sr_import *, const struct uuid *stream, struct uuid *ret_vdi,
                                   struct err_note *);
void sr_import_abort(struct sr_import *);
DEFINE_AUTO(struct sr_import *, sr_import_abort);

/* ---- leases and garbage ---- */

MUST_USE enum err sr_lease(struct sr *, const struct uuid *vdi, const char *kind, const char *holder,
                           struct uuid *ret_lease, struct err_note *);
MUST_USE enum err sr_lease_end(struct sr *, const struct uuid *lease, struct err_note *);
MUST_USE enum err sr_leases(struct sr *, struct leases *ret, struct err_note *);

/* Removes hidden nodes that nothing references, leases or has open, and says (waiting may be NULL) which
 * could not go. */
MUST_USE enum err sr_garbage(struct sr *, unsigned *ret_n_removed, uint64_t *ret_bytes,
                             struct sr_notices *waiting, struct err_note *);

/* ---- taking over a folder, giving it back ---- */

/* What adopting would meet and do. */
struct adoption {
        unsigned n_vdis, n_hidden, n_damaged, n_others;
        struct sr_notices findings; /* owned; what is wrong, by node */
        VEC(struct adopt_step {
                enum place_mark mark;
                struct uuid uuid;
                char text[ERR_TEXT_SIZE]; /* what was left, and what will be done */
                bool is_refused;          /* adopting would stop here: the text says why */
        })
        steps; /* owned */
};
void adoption_fini(struct adoption *);
DEFINE_AUTO_IN_PLACE(struct adoption, adoption_fini);

/* Lists; changes nothing. */
MUST_USE enum err sr_adopt_list(struct io *, const char *dir, struct adoption *ret, struct err_note *);
/* Finishes or undoes what sm left, and makes an SR of the folder.  One that is an SR already, and that sm
 * used since, stays what it was; ERR_EXISTS where there is nothing to finish in it.  name NULL: as it is, or
 * the folder's. */
MUST_USE enum err sr_adopt(struct io *, const char *dir, const char *name, const struct sr_options *,
                           struct uuid *ret, struct err_note *);
/* Hands the folder back: collects garbage, looks that nothing is pending, leased or open, removes .catena.
 * The SR is read-only afterwards, and still the caller's to close. */
MUST_USE enum err sr_release(struct sr *, struct err_note *);

#endif
