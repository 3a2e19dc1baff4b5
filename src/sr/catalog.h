// SPDX-License-Identifier: Apache-2.0
/* What files cannot say of themselves: names, descriptions, tags, which VDI is a snapshot of which, leases,
 * and the intents that recovery finishes or undoes.  Kept in a store, one row each, as JSON.
 *
 * The files are the truth about data and parents.  What the catalog says of a VDI that is gone is dropped, a
 * VDI that it does not know gets a row named by its uuid; so it can be lost, and what is lost with it is
 * names.
 *
 *      table     key             value
 *      sr        "sr"            uuid, name, description, max_depth, created, format
 *      vdi       uuid            struct vdi_row
 *      hidden    uuid            {}: a raw node that is hidden; it has no footer to say so
 *      lease     lease's uuid    node, holder, kind, since
 *      intent    intent's uuid   kind, and what its kind needs (intent.h)
 *      plan      intent's uuid   the bytes of vhd_resize_plan
 *
 * Members of a row that this version does not know are kept.
 *
 * Errors: those of store.h; ERR_CORRUPT names the row; ERR_UNSUPPORTED where a later version wrote the
 * catalog. Threads: the owner of the SR. Ownership: rows that are read are the caller's, released by their
 * fini.
 */
#ifndef SR_CATALOG_H
#define SR_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "io.h"
#include "store.h"
#include "uuid.h"
#include "vec.h"

enum { CATALOG_FORMAT = 1 };

struct sr_row {
        struct uuid uuid;
        char *name;         /* owned */
        char *description;  /* owned */
        unsigned max_depth; /* layers that a snapshot may lead to; 0: no limit */
        int64_t created;    /* unix seconds */
        json_t *extra;      /* shared, counted; members of the row that we do not know; or NULL */
};
void sr_row_fini(struct sr_row *);
DEFINE_AUTO_IN_PLACE(struct sr_row, sr_row_fini);

struct vdi_row {
        struct uuid uuid;
        char *name;              /* owned; its uuid's text: it has none */
        char *description;       /* owned */
        VEC(char *) tags;        /* owned, and each tag */
        bool is_snapshot;        /* never written */
        struct uuid snapshot_of; /* null: of nothing that is known */
        int64_t snapshot_time;   /* unix seconds */
        int64_t created;         /* unix seconds */
        bool has_cbt;            /* changes between its snapshots are asked for; of a snapshot: were, then */
        bool is_metadata;        /* a snapshot whose data is not wanted any more, only what changed since */
        struct uuid stream_uuid; /* footer uuid of what it last took in or gave out; null: none, or written
                                    since */
        json_t *extra;           /* shared, counted; members of the row that we do not know; or NULL */
};
void vdi_row_fini(struct vdi_row *);
void vdi_row_copy(const struct vdi_row *, struct vdi_row *ret);
DEFINE_AUTO_IN_PLACE(struct vdi_row, vdi_row_fini);
bool vdi_row_has_name(const struct vdi_row *);
json_t *vdi_row_to_json(
        const struct vdi_row *); /* the caller's reference; without the uuid, which is its key */
void vdi_row_from_json(json_t *, const struct uuid *, struct vdi_row *ret);

struct lease {
        struct uuid uuid; /* the lease's own */
        struct uuid node;
        char *holder;  /* owned; who, for people: "export of job nightly" */
        char *kind;    /* owned; one word: "export", "backup", "tool" */
        int64_t since; /* unix seconds */
};
struct leases {
        VEC(struct lease) list; /* owned, and each lease's texts */
};
void leases_fini(struct leases *);
DEFINE_AUTO_IN_PLACE(struct leases, leases_fini);

/* How a store is opened: store_sqlite_open, or a test's. */
typedef enum err (*catalog_open_store)(struct io *, const char *path, unsigned flags, struct store **ret,
                                       struct err_note *);

struct catalog;

/* flags: as store.h has them.  A catalog that is made has no sr row yet. */
MUST_USE enum err catalog_open(struct io *, const char *path, catalog_open_store, unsigned flags,
                               struct catalog **ret, struct err_note *);
void catalog_close(struct catalog *);
DEFINE_AUTO(struct catalog *, catalog_close);

/* ---- reading: ERR_NOT_FOUND where there is no such row ---- */

struct vdi_rows {
        VEC(struct vdi_row) list; /* owned, and what each holds; ordered by uuid */
};
void vdi_rows_fini(struct vdi_rows *);
DEFINE_AUTO_IN_PLACE(struct vdi_rows, vdi_rows_fini);

MUST_USE enum err catalog_get_sr(struct catalog *, struct sr_row *ret, struct err_note *);
MUST_USE enum err catalog_get_vdi(struct catalog *, const struct uuid *, struct vdi_row *ret,
                                  struct err_note *);
/* A row that cannot be read is left out and counted: one bad row costs its own VDI's name. */
MUST_USE enum err catalog_each_vdi(struct catalog *, struct vdi_rows *ret, unsigned *ret_n_bad,
                                   struct err_note *);
MUST_USE enum err catalog_leases(struct catalog *, struct leases *ret, struct err_note *);
MUST_USE enum err catalog_is_hidden(struct catalog *, const struct uuid *, bool *ret, struct err_note *);

/* ---- changing: several rows in one change, durable at its commit ---- */

MUST_USE enum err catalog_begin(struct catalog *, struct store_change **ret, struct err_note *);
MUST_USE enum err catalog_put_sr(struct store_change *, const struct sr_row *, struct err_note *);
MUST_USE enum err catalog_put_vdi(struct store_change *, const struct vdi_row *, struct err_note *);
MUST_USE enum err catalog_drop_vdi(struct store_change *, const struct uuid *, struct err_note *);
MUST_USE enum err catalog_set_hidden(struct store_change *, const struct uuid *, bool is_hidden,
                                     struct err_note *);
MUST_USE enum err catalog_put_lease(struct store_change *, const struct lease *, struct err_note *);
MUST_USE enum err catalog_drop_lease(struct store_change *, const struct uuid *, struct err_note *);

struct store *catalog_store(struct catalog *); /* for intent.c */

#endif
