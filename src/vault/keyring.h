// SPDX-License-Identifier: Apache-2.0
/* The keys of one vault, as far as whoever opened it has them; and what is done with them: ids, sealing,
 * signing.  A plain vault's keyring has none: ids are sums, seals are none, tags tell damage alone.
 *
 *      keyring_new_plain(&id)   keyring_new_random(io, …)   key_slots.h opens one by a key
 *
 * An object's kind decides what is sealed and who must have signed (docs/format/vault.md "Who signs what");
 * neither is the caller's to choose.
 *
 * Errors: ERR_CORRUPT, a tag or signature does not fit: damaged, or not made by a holder of the key;
 * ERR_DENIED, the role has no such key, or sealed with a newer master than the keyring has.
 * Threads: any; a keyring never changes but by keyring_rotate, which is its owner's.
 * Ownership: memory that held keys is wiped before it is given back.
 */
#ifndef VAULT_KEYRING_H
#define VAULT_KEYRING_H

#include "io.h"
#include "vault_docs.h"
#include "vault_index.h"
#include "vault_object.h"
#include "vault_pack.h"

struct keyring;

struct keyring *keyring_new_plain(const struct vault_name *vault);
/* With the keys of a payload. */
MUST_USE enum err keyring_new(const struct vault_name *vault, const struct vault_payload *,
                              struct keyring **ret, struct err_note *);
/* Of a new vault.  The recovery key opens all of it, and is told only here: the caller wipes it.  There is an
 * admin's key and no writer's: whoever wants to write adds a slot and opens it. */
struct keyring *keyring_new_random(struct io *dice, const struct vault_name *vault,
                                   uint8_t ret_recovery[VAULT_KEY_SIZE]);
/* The first master, of a recovery key. */
void keyring_first_master(const struct vault_name *vault, const uint8_t recovery[VAULT_KEY_SIZE],
                          uint8_t ret[VAULT_KEY_SIZE]);
void keyring_free(struct keyring *);
DEFINE_AUTO(struct keyring *, keyring_free);

bool keyring_is_plain(const struct keyring *);
const struct vault_payload *keyring_payload(const struct keyring *); /* NULL: plain */
bool keyring_can_write(const struct keyring *);                      /* has a writer's key, or is plain */
bool keyring_can_admin(const struct keyring *);
unsigned keyring_epoch(const struct keyring *); /* the newest */
/* One more master, from now on the newest.  ERR_TOO_LARGE: there are as many as there can be. */
MUST_USE enum err keyring_rotate(struct keyring *, const uint8_t master[VAULT_KEY_SIZE], struct err_note *);
/* Of the writer's key; false: it has none. */
MUST_USE bool keyring_writer_public(const struct keyring *, uint8_t ret[VAULT_KEY_SIZE]);
/* Of the vault's admin, whether this one is it or not; false: plain. */
MUST_USE bool keyring_admin_public(const struct keyring *, uint8_t ret[VAULT_KEY_SIZE]);

/* ---- ids ---- */

/* Null for zeros: n bytes, filled up with zeros to the chunk's size by the caller. */
void keyring_chunk_id(const struct keyring *, const void *chunk, size_t n, struct vault_id *ret);
void keyring_node_id(const struct keyring *, unsigned level, const struct vault_id ids[VAULT_NODE_IDS],
                     struct vault_id *ret);
void keyring_disk_id(const struct keyring *, uint64_t size, uint32_t chunk, const struct vault_id *root,
                     struct vault_id *ret);
void keyring_config_mac(const struct keyring *, struct span text, uint8_t ret[32]);

/* ---- objects ---- */

/* A whole object, sealed and signed as its kind wants it where the vault is encrypted. */
MUST_USE enum err keyring_seal_object(const struct keyring *, struct io *dice, enum vault_object_kind,
                                      const struct vault_name *, struct span body, struct buf *ret,
                                      struct err_note *);
/* The body, opened.  What must be sealed is; what an admin must have signed was signed by this vault's admin;
 * what a writer must have signed, by whom is told (ret_signer may be NULL; zeros: nobody, as readers'
 * sessions and indexes are): whether that one may is for key_slots_may_write. */
MUST_USE enum err keyring_open_object(const struct keyring *, struct span object, enum vault_object_kind,
                                      const struct vault_name *, struct buf *ret_body,
                                      uint8_t ret_signer[VAULT_KEY_SIZE], struct err_note *);

/* ---- configuration ---- */

/* The object `config`; the struct's id, admin and mac are filled in. */
MUST_USE enum err keyring_seal_config(const struct keyring *, struct vault_config *, struct buf *ret,
                                      struct err_note *);
/* By whom has no key yet: whole, and signed by whoever it says is its admin.  ERR_CORRUPT */
MUST_USE enum err config_open(struct span object, struct vault_config *ret, struct err_note *);
/* That it is of this keyring's vault and by its admin.  Nothing that it says may be relied on before.
 * ERR_DENIED: encrypted, and the keyring is of none, or the other way round; ERR_MISMATCH: another vault;
 * ERR_CORRUPT: altered. */
MUST_USE enum err keyring_check_config(const struct keyring *, struct span object, struct err_note *);

/* ---- packs ---- */

/* The key of one pack, derived once.  One thread's at a time: more make one each, of the same head. */
struct pack_key;
MUST_USE enum err pack_key_new(const struct keyring *, const struct vault_pack_head *, struct pack_key **ret,
                               struct err_note *);
void pack_key_free(struct pack_key *);
DEFINE_AUTO(struct pack_key *, pack_key_free);
/* n bytes and VAULT_TAG_SIZE more; entry NULL: the trailer, whose number is that of blobs.  ret may be
 * data. */
void pack_key_seal(const struct pack_key *, uint32_t number, const struct vault_pack_entry *,
                   const void *data, size_t n, void *ret);
/* n bytes with their tag; ret has room for n - VAULT_TAG_SIZE, and may be data. */
MUST_USE enum err pack_key_open(const struct pack_key *, uint32_t number, const struct vault_pack_entry *,
                                const void *data, size_t n, void *ret, struct err_note *);

#endif
