// SPDX-License-Identifier: Apache-2.0
/* Who can open a vault: its key slots.
 *
 *      key_open(target, &config, &key, &keyring, note)     tries the slots that the key can be of
 *      key_slots_add(target, io, &config, keyring, …)      by an admin
 *
 * At every instant, and after a crash anywhere, each holder has a slot that opens; a slot that is being
 * replaced is there twice.
 *
 * Errors: ERR_DENIED, no slot opens by this key (says of how many), the vault is plain, or whoever asks is no
 * admin; ERR_NOT_FOUND, the vault has no slots; ERR_CORRUPT, a slot is damaged or not signed by the vault's
 * admin, or the configuration names another admin than the key's own slot.
 * Threads: any; one admin at a time.
 */
#ifndef VAULT_KEY_SLOTS_H
#define VAULT_KEY_SLOTS_H

#include "keyring.h"
#include "target.h"
#include "vault_key.h"

struct vault_slot_row {
        struct vault_name name;
        struct vault_slot slot;
};
struct vault_slot_rows {
        VEC(struct vault_slot_row) rows; /* owned, and each */
};
void vault_slot_rows_fini(struct vault_slot_rows *);
DEFINE_AUTO_IN_PLACE(struct vault_slot_rows, vault_slot_rows_fini);
/* Those that config's admin signed; the others are left out and counted. */
MUST_USE enum err key_slots_list(struct target *, const struct vault_config *, struct vault_slot_rows *ret,
                                 unsigned *ret_damaged, struct err_note *);

/* Of who signed an object that a writer signs: a slot names this key as a writer's and none as retired, or it
 * is the admin's. */
bool key_slots_may_write(const struct vault_slot_rows *, const struct vault_config *,
                         const uint8_t public[VAULT_KEY_SIZE]);
/* The same, or it once was so: points from before a writer was removed are good; that they are from before is
 * for an admin's state to say. */
bool key_slots_might_write(const struct vault_slot_rows *, const struct vault_config *,
                           const uint8_t public[VAULT_KEY_SIZE]);

/* config was not checked yet: let keyring_check_config do it, by what the key's own slot says.  With a
 * recovery key also where no recovery slot is left: what was sealed before the first rotation is then
 * readable, and it is keyring_check_config that tells a wrong key. */
MUST_USE enum err key_open(struct target *, const struct vault_config *, const struct vault_key *,
                           struct keyring **ret, struct err_note *);

struct key_slot_options {
        enum vault_role role;
        const char *label;              /* borrowed; NULL: none */
        struct vault_argon2id argon2id; /* of a passphrase; zeros: 64 MiB, 3 passes, 1 lane */
};
/* Writers and admins get a writer's key of their own.  ERR_EXISTS: the key has a slot already. */
MUST_USE enum err key_slots_add(struct target *, struct io *, const struct vault_config *,
                                const struct keyring *admin, const struct vault_key *,
                                const struct key_slot_options *, struct vault_name *ret, struct err_note *);
/* The last slot of an admin stays: ERR_INVALID.  A writer's leaves one behind that names him as retired.
 * Also for slots that are damaged.  What the holder read, and the masters until then, he has: rotate next. */
MUST_USE enum err key_slots_remove(struct target *, struct io *, const struct vault_config *,
                                   const struct keyring *admin, const struct vault_name *, struct err_note *);
/* A new master for all that is sealed from now on, in every slot, of absent holders too; or the end of a
 * rotation that was broken off.  The keyring has it then.  ERR_CORRUPT, nothing was done: a slot is damaged,
 * and its holder would be left behind; remove it first. */
MUST_USE enum err key_slots_rotate(struct target *, struct io *, const struct vault_config *,
                                   struct keyring *admin, struct err_note *);

#endif
