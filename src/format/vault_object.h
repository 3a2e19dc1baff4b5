// SPDX-License-Identifier: Apache-2.0
/* The envelope of a vault's objects, all but packs: what it is, its name, its body, who signed it, and a
 * sum over all.  docs/format/vault.md "The envelope".
 *
 * The body is carried as it stands: whether it is sealed the flag says, opening it is for vault/seal.h.
 * Signing and checking a signature, too: the codec says what is signed.
 *
 *      struct vault_object object;
 *      if (vault_object_decode(span, VAULT_MANIFEST, &name, &object, note)) …
 *      … object.body, object.is_signed: object.signer, object.signature over object.signed_part …
 *
 * Errors: ERR_CORRUPT says what is wrong (magic, kind, name, length, sum); ERR_UNSUPPORTED, a newer version.
 * Threads: any.  Ownership: what a decoded object points at lies within the span.
 */
#ifndef FORMAT_VAULT_OBJECT_H
#define FORMAT_VAULT_OBJECT_H

#include "buf.h"
#include "bytes.h"
#include "err.h"
#include "vault_name.h"

enum vault_object_kind {
        VAULT_CONFIG = 1,
        VAULT_KEY_SLOT = 2,
        VAULT_INDEX = 3,
        VAULT_MANIFEST = 4,
        VAULT_SEAL = 5,
        VAULT_SESSION = 6,
        VAULT_SESSION_DONE = 7,
        VAULT_SESSION_BROKEN = 8,
        VAULT_DOOM = 9,
        VAULT_DROP = 10,
        VAULT_ADMIN_STATE = 11,
        VAULT_TAINT = 12,
};
const char *vault_object_kind_text(enum vault_object_kind); /* "manifest" */

enum {
        VAULT_OBJECT_HEAD = 64,
        VAULT_OBJECT_SUM = 32,
        VAULT_SIGNER_SIZE = 32,
        VAULT_SIGNATURE_SIZE = 64,
        VAULT_SALT_SIZE = 32,
        VAULT_TAG_SIZE = 16,
        VAULT_PIECE = 1 << 20, /* of a sealed body, before its tag */
};

struct vault_object_head {
        enum vault_object_kind kind;
        struct vault_name name;
        bool is_sealed, is_signed;
        uint8_t epoch;                 /* of the seal master; 0 where not sealed */
        uint8_t salt[VAULT_SALT_SIZE]; /* zeros where not sealed */
};

struct vault_object {
        struct vault_object_head head;
        struct span body;
        const uint8_t *signer, *signature; /* borrowed from the span; NULL where not signed */
        struct span signed_part;           /* head, body and signer */
};

/* Associated data of its pieces: the first 32 bytes, the length zeroed. */
enum { VAULT_OBJECT_BOUND = 32 };
void vault_object_bind(const struct vault_object_head *, uint8_t ret[VAULT_OBJECT_BOUND]);
uint64_t vault_object_sealed_size(uint64_t body); /* of a body that will be sealed */

/* name NULL: whatever it says.  Where sealed, the body's length is one that pieces have. */
MUST_USE enum err vault_object_decode(struct span, enum vault_object_kind, const struct vault_name *name,
                                      struct vault_object *ret, struct err_note *);

/* Into an empty buf: head and body.  Where head says that it is signed, the caller adds the signer, then the
 * signature of all that is there by then; end adds the sum. */
void vault_object_begin(const struct vault_object_head *, struct span body, struct buf *);
void vault_object_end(struct buf *);

#endif
