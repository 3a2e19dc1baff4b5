// SPDX-License-Identifier: Apache-2.0
/* A vault that is open: its configuration, its keys, its target, and where every chunk is.
 *
 *      vault_init(target, &options, &vault, note)    or    vault_open(target, &options, &vault, note)
 *      … put.h, get.h, points.h …
 *      vault_close(vault)
 *
 * Errors: ERR_EXISTS, init where a vault is; ERR_NOT_FOUND, open where none is; ERR_DENIED, no key, the wrong
 * one, or a key for a plain vault; ERR_MISMATCH, another vault than was expected; ERR_CORRUPT, the
 * configuration is damaged, or not the admin's; ERR_UNSUPPORTED, a feature by its name.
 * Threads: any, where a header does not say otherwise.  Ownership: the target is the vault's once it is open.
 */
#ifndef VAULT_VAULT_H
#define VAULT_VAULT_H

#include <pthread.h>

#include "blobs.h"
#include "key_slots.h"
#include "keyring.h"
#include "target.h"
#include "vault_path.h"

struct vault {
        struct io *io;         /* borrowed, outlives us; clock, dice, the cache */
        struct target *target; /* owned */
        struct vault_config config;
        struct keyring *keyring; /* owned */
        struct blobs *blobs;     /* owned */

        pthread_mutex_t lock; /* slots */
        struct vault_slot_rows
                slots; /* owned; who may write, as of when somebody asked for one we did not have */
};

struct vault_init_options {
        struct vault_config config;  /* id, created, admin, mac are filled in */
        const struct vault_key *key; /* borrowed; of the first admin; NULL: a plain vault */
        const char *cache;           /* borrowed; as below */
};
struct vault_open_options {
        const struct vault_key *key;          /* borrowed; NULL: none */
        const struct vault_name *expected_id; /* borrowed; the vault that was pinned; NULL: any */
        /* borrowed; a folder that is there, for those of vaults with their opened indexes, which nobody else
         * may enter; NULL: in memory */
        const char *cache;
};

/* The configuration goes last: without it there is no vault.  ret_recovery: of an encrypted one the recovery
 * key, which is told here and never again; the caller wipes it.  NULL: nobody wants it. */
MUST_USE enum err vault_init(struct io *, struct target *, const struct vault_init_options *,
                             struct vault **ret, struct vault_recovery_text *ret_recovery, struct err_note *);
MUST_USE enum err vault_open(struct io *, struct target *, const struct vault_open_options *,
                             struct vault **ret, struct err_note *);
void vault_close(struct vault *); /* and its target */
DEFINE_AUTO(struct vault *, vault_close);

/* ---- for those who do the work ---- */

void vault_name_random(struct io *, struct vault_name *ret);

/* The body of an object that is found under its name, opened and checked; ret_signer, ret_object: NULL where
 * nobody asks. */
MUST_USE enum err vault_get_object(struct vault *, enum vault_object_kind, const struct vault_name *,
                                   struct buf *ret_body, uint8_t ret_signer[VAULT_KEY_SIZE],
                                   struct buf *ret_object, struct err_note *);
/* That who signed an object that writers sign is one, or was.  ERR_CORRUPT */
MUST_USE enum err vault_check_writer(struct vault *, const uint8_t signer[VAULT_KEY_SIZE], struct err_note *);
/* ret_object, what was put: NULL where nobody asks. */
MUST_USE enum err vault_put_object(struct vault *, enum vault_object_kind, const struct vault_name *,
                                   struct span body, struct buf *ret_object, struct err_note *);
/* The same under another name than that of its kind. */
MUST_USE enum err vault_put_object_as(struct vault *, const char *path, enum vault_object_kind,
                                      const struct vault_name *, struct span body, struct buf *ret_object,
                                      struct err_note *);
/* Where listings lag: until one has all that was put by now. */
void vault_wait_for_listing(struct vault *);

/* The names of a folder's objects, those of "<name><suffix>"; what else lies there is left out. */
struct vault_names {
        VEC(struct vault_name) list; /* owned; ascending */
};
void vault_names_fini(struct vault_names *);
DEFINE_AUTO_IN_PLACE(struct vault_names, vault_names_fini);
MUST_USE enum err vault_list_names(struct vault *, const char *folder, const char *suffix,
                                   struct vault_names *ret, struct err_note *);

#endif
