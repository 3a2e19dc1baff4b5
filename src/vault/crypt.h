// SPDX-License-Identifier: Apache-2.0
/* The few primitives that a vault's keys need, by GnuTLS: HKDF-SHA-256, HMAC-SHA-256, AES-256-GCM, Ed25519;
 * and wiping.
 *
 * Errors: opening and checking say whether it fits.  All else fails only by a mistake of ours, or where the
 * library cannot have a few hundred bytes, and then ends the process as mem.h does.
 * Threads: any; a cipher is one thread's at a time.
 * Ownership: what held a key is wiped before it is given back.
 */
#ifndef VAULT_CRYPT_H
#define VAULT_CRYPT_H

#include <sys/uio.h>

#include "bytes.h"
#include "vault_docs.h"

/* A secret of 32 bytes. */
struct crypt_key {
        uint8_t b[VAULT_KEY_SIZE];
};
void crypt_key_fini(struct crypt_key *);
DEFINE_AUTO_IN_PLACE(struct crypt_key, crypt_key_fini);
void crypt_wipe(void *, size_t n);
/* How long it takes says nothing of where they differ. */
MUST_USE bool crypt_equal(const void *, const void *, size_t n);

static inline struct span crypt_span(const void *data, size_t n) {
        return (struct span){data, n};
}

/* ---- deriving ---- */

/* RFC 5869, extract and expand. */
void crypt_hkdf(struct span input, struct span salt, struct span info, void *ret, size_t n);
/* What a key is derived for: a text without its terminator, and bytes behind it. */
enum { CRYPT_INFO_MAX = 96 };
struct crypt_info {
        uint8_t b[CRYPT_INFO_MAX];
        size_t n;
};
void crypt_info_text(struct crypt_info *, const char *text);
void crypt_info_add(struct crypt_info *, const void *, size_t n);
void crypt_derive(const uint8_t input[VAULT_KEY_SIZE], struct span salt, const struct crypt_info *,
                  struct crypt_key *ret);

/* HMAC-SHA-256 of the parts, one behind the other. */
void crypt_mac(const struct crypt_key *, const struct span *parts, unsigned n, uint8_t ret[32]);

/* The same of a key of any length, and one part. */
void crypt_hmac(struct span key, struct span data, uint8_t ret[32]);

/* MD5, in base64: what servers ask for as a sum of what was sent.  It protects nothing. */
enum { CRYPT_MD5_TEXT = 25 };
void crypt_md5_text(const struct iovec *, unsigned n, char ret[CRYPT_MD5_TEXT]);

/* ---- AES-256-GCM ---- */

struct crypt_cipher;
struct crypt_cipher *crypt_cipher_new(const struct crypt_key *);
void crypt_cipher_free(struct crypt_cipher *);
DEFINE_AUTO(struct crypt_cipher *, crypt_cipher_free);

struct crypt_nonce {
        uint8_t b[12];
};
struct crypt_nonce crypt_nonce_of(uint64_t number); /* big-endian */
/* n bytes and VAULT_TAG_SIZE more; ret may be data. */
void crypt_cipher_seal(struct crypt_cipher *, const struct crypt_nonce *, struct span bound, const void *data,
                       size_t n, void *ret);
/* n - VAULT_TAG_SIZE bytes; ret may be data.  Where it does not fit, ret's bytes are anything. */
MUST_USE bool crypt_cipher_open(struct crypt_cipher *, const struct crypt_nonce *, struct span bound,
                                const void *data, size_t n, void *ret);
/* The same once, under a key that is used for nothing else: nonce 0. */
void crypt_seal_once(const struct crypt_key *, struct span bound, const void *data, size_t n, void *ret);
MUST_USE bool crypt_open_once(const struct crypt_key *, struct span bound, const void *data, size_t n,
                              void *ret);

/* ---- Ed25519 ---- */

void crypt_public_of(const uint8_t seed[VAULT_KEY_SIZE], uint8_t ret[VAULT_KEY_SIZE]);
void crypt_sign(const uint8_t seed[VAULT_KEY_SIZE], const uint8_t public[VAULT_KEY_SIZE], struct span,
                uint8_t ret[VAULT_SIGNATURE_SIZE]);
MUST_USE bool crypt_verify(const uint8_t public[VAULT_KEY_SIZE], struct span,
                           const uint8_t signature[VAULT_SIGNATURE_SIZE]);

#endif
