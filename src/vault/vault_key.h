// SPDX-License-Identifier: Apache-2.0
/* What somebody has who may open a vault: a key file, a passphrase, the recovery key.
 *
 * Errors: those of io.h; ERR_DENIED, others may read the file; ERR_INVALID, it is no key file, or an empty
 * passphrase; ERR_TOO_LARGE.  No text has any of a secret.
 * Threads: any.  Ownership: secret; whoever has a struct vault_key lets fini wipe it.
 */
#ifndef VAULT_VAULT_KEY_H
#define VAULT_VAULT_KEY_H

#include "io.h"
#include "vault_docs.h"

enum { VAULT_PASSPHRASE_MAX = 1024 };
struct vault_key {
        enum vault_slot_kind kind;
        uint8_t bytes[VAULT_KEY_SIZE];             /* key file, recovery */
        char passphrase[VAULT_PASSPHRASE_MAX + 1]; /* passphrase */
};
void vault_key_fini(struct vault_key *);
DEFINE_AUTO_IN_PLACE(struct vault_key, vault_key_fini);

/* Exactly 32 bytes, and nobody else may read it. */
MUST_USE enum err vault_key_read_file(struct io *, const char *path, struct vault_key *ret,
                                      struct err_note *);
/* 0600, durable and whole or not there at all, never replaced: ERR_EXISTS. */
MUST_USE enum err vault_key_make_file(struct io *, const char *path, struct vault_key *ret,
                                      struct err_note *);
/* The first line of the file, without its end.  Nobody else may read it. */
MUST_USE enum err vault_key_read_passphrase(struct io *, const char *path, struct vault_key *ret,
                                            struct err_note *);

/* "catena-recovery-1-XXXXX-…", and back, in either case, with any or no hyphens behind the first three words;
 * the vault's id is within.  The text is secret: the caller wipes it. */
enum { VAULT_RECOVERY_TEXT = 120 };
struct vault_recovery_text {
        char s[VAULT_RECOVERY_TEXT];
};
struct vault_recovery_text vault_recovery_format(const uint8_t recovery[VAULT_KEY_SIZE],
                                                 const struct vault_name *vault);
MUST_USE bool vault_recovery_parse(const char *text, struct vault_key *ret, struct vault_name *ret_vault);

#endif
