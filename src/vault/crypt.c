// SPDX-License-Identifier: Apache-2.0
#include "crypt.h"

#include <assert.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <string.h>

/* GnuTLS takes no const. */
static gnutls_datum_t datum(struct span span) {
        return (gnutls_datum_t){(unsigned char *)(uintptr_t)span.data, (unsigned)span.n};
}

void crypt_wipe(void *data, size_t n) {
        gnutls_memset(data, 0, n);
}

void crypt_key_fini(struct crypt_key *key) {
        crypt_wipe(key, sizeof *key);
}

bool crypt_equal(const void *a, const void *b, size_t n) {
        return gnutls_memcmp(a, b, n) == 0;
}

/* ---- deriving ---- */

void crypt_hkdf(struct span input, struct span salt, struct span info, void *ret, size_t n) {
        AUTO(crypt_key_fini) struct crypt_key extracted = {0};
        gnutls_datum_t in = datum(input), with = datum(salt), what = datum(info);
        gnutls_datum_t middle = datum(crypt_span(extracted.b, sizeof extracted.b));
        int error = gnutls_hkdf_extract(GNUTLS_MAC_SHA256, &in, &with, extracted.b);

        assert(!error);
        error = gnutls_hkdf_expand(GNUTLS_MAC_SHA256, &middle, &what, ret, n);
        assert(!error);
}

void crypt_info_add(struct crypt_info *info, const void *data, size_t n) {
        assert(n <= sizeof info->b - info->n);
        if (n)
                memcpy(info->b + info->n, data, n);
        info->n += n;
}

void crypt_info_text(struct crypt_info *info, const char *text) {
        info->n = 0;
        crypt_info_add(info, text, strlen(text));
}

void crypt_derive(const uint8_t input[VAULT_KEY_SIZE], struct span salt, const struct crypt_info *info,
                  struct crypt_key *ret) {
        crypt_hkdf(crypt_span(input, VAULT_KEY_SIZE), salt, crypt_span(info->b, info->n), ret->b,
                   sizeof ret->b);
}

void crypt_mac(const struct crypt_key *key, const struct span *parts, unsigned n, uint8_t ret[32]) {
        gnutls_hmac_hd_t mac = NULL;
        int error = gnutls_hmac_init(&mac, GNUTLS_MAC_SHA256, key->b, sizeof key->b);

        for (unsigned i = 0; i < n && !error; i++)
                error = gnutls_hmac(mac, parts[i].data, parts[i].n);
        assert(!error);
        gnutls_hmac_deinit(mac, ret);
}

void crypt_hmac(struct span key, struct span data, uint8_t ret[32]) {
        int error = gnutls_hmac_fast(GNUTLS_MAC_SHA256, key.data, key.n, data.data, data.n, ret);

        assert(!error);
}

void crypt_md5_text(const struct iovec *data, unsigned n, char ret[CRYPT_MD5_TEXT]) {
        uint8_t sum[16];
        gnutls_hash_hd_t hash = NULL;
        gnutls_datum_t bytes = {sum, sizeof sum}, text;
        int error = gnutls_hash_init(&hash, GNUTLS_DIG_MD5);

        for (unsigned i = 0; i < n && !error; i++)
                error = gnutls_hash(hash, data[i].iov_base, data[i].iov_len);
        assert(!error);
        gnutls_hash_deinit(hash, sum);
        error = gnutls_base64_encode2(&bytes, &text);
        assert(!error && text.size == CRYPT_MD5_TEXT - 1);
        memcpy(ret, text.data, CRYPT_MD5_TEXT - 1);
        ret[CRYPT_MD5_TEXT - 1] = 0;
        gnutls_free(text.data);
}

/* ---- AES-256-GCM ---- */

struct crypt_cipher {
        gnutls_aead_cipher_hd_t handle; /* owned; keeps the nonce of its last use, so it is one thread's */
};

struct crypt_cipher *crypt_cipher_new(const struct crypt_key *key) {
        struct crypt_cipher *cipher = mem_new(struct crypt_cipher);
        gnutls_datum_t secret = datum(crypt_span(key->b, sizeof key->b));
        int error = gnutls_aead_cipher_init(&cipher->handle, GNUTLS_CIPHER_AES_256_GCM, &secret);

        assert(!error);
        return cipher;
}

void crypt_cipher_free(struct crypt_cipher *cipher) {
        gnutls_aead_cipher_deinit(cipher->handle); /* wipes its key schedule */
        free(cipher);
}

struct crypt_nonce crypt_nonce_of(uint64_t number) {
        struct crypt_nonce nonce = {0};
        be64 low = be64_put(number);

        memcpy(nonce.b + 4, low.b, sizeof low.b);
        return nonce;
}

void crypt_cipher_seal(struct crypt_cipher *cipher, const struct crypt_nonce *nonce, struct span bound,
                       const void *data, size_t n, void *ret) {
        size_t sealed = n + VAULT_TAG_SIZE;
        int error = gnutls_aead_cipher_encrypt(cipher->handle, nonce->b, sizeof nonce->b, bound.data, bound.n,
                                               VAULT_TAG_SIZE, n ? data : "", n, ret, &sealed);

        assert(!error && sealed == n + VAULT_TAG_SIZE);
}

bool crypt_cipher_open(struct crypt_cipher *cipher, const struct crypt_nonce *nonce, struct span bound,
                       const void *data, size_t n, void *ret) {
        size_t opened = n - VAULT_TAG_SIZE;
        uint8_t nothing[1];
        int error;

        if (n < VAULT_TAG_SIZE)
                return false;
        error = gnutls_aead_cipher_decrypt(cipher->handle, nonce->b, sizeof nonce->b, bound.data, bound.n,
                                           VAULT_TAG_SIZE, data, n, opened ? ret : nothing, &opened);
        return error == 0 && opened == n - VAULT_TAG_SIZE;
}

void crypt_seal_once(const struct crypt_key *key, struct span bound, const void *data, size_t n, void *ret) {
        AUTO(crypt_cipher_free) struct crypt_cipher *cipher = crypt_cipher_new(key);
        struct crypt_nonce first = crypt_nonce_of(0);

        crypt_cipher_seal(cipher, &first, bound, data, n, ret);
}

bool crypt_open_once(const struct crypt_key *key, struct span bound, const void *data, size_t n, void *ret) {
        AUTO(crypt_cipher_free) struct crypt_cipher *cipher = crypt_cipher_new(key);
        struct crypt_nonce first = crypt_nonce_of(0);

        return crypt_cipher_open(cipher, &first, bound, data, n, ret);
}

/* ---- Ed25519 ---- */

DEFINE_AUTO(gnutls_privkey_t, gnutls_privkey_deinit);
DEFINE_AUTO(gnutls_pubkey_t, gnutls_pubkey_deinit);

void crypt_public_of(const uint8_t seed[VAULT_KEY_SIZE], uint8_t ret[VAULT_KEY_SIZE]) {
        /* PKCS #8 with a seed and nothing else (RFC 8410): the way in that computes the public key. */
        static const uint8_t head[16] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                         0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
        AUTO(gnutls_privkey_deinit) gnutls_privkey_t private = NULL;
        AUTO(gnutls_pubkey_deinit) gnutls_pubkey_t public = NULL;
        uint8_t der[sizeof head + VAULT_KEY_SIZE];
        gnutls_datum_t whole = {der, sizeof der}, x = {0};
        int error = gnutls_privkey_init(&private);

        memcpy(der, head, sizeof head);
        memcpy(der + sizeof head, seed, VAULT_KEY_SIZE);
        error = error ? error : gnutls_pubkey_init(&public);
        error = error ? error : gnutls_privkey_import_x509_raw(private, &whole, GNUTLS_X509_FMT_DER, NULL, 0);
        crypt_wipe(der, sizeof der);
        error = error ? error : gnutls_pubkey_import_privkey(public, private, 0, 0);
        error = error ? error : gnutls_pubkey_export_ecc_raw(public, NULL, &x, NULL);
        assert(!error && x.size == VAULT_KEY_SIZE);
        memcpy(ret, x.data, VAULT_KEY_SIZE);
        gnutls_free(x.data);
}

void crypt_sign(const uint8_t seed[VAULT_KEY_SIZE], const uint8_t public[VAULT_KEY_SIZE], struct span data,
                uint8_t ret[VAULT_SIGNATURE_SIZE]) {
        AUTO(gnutls_privkey_deinit) gnutls_privkey_t private = NULL;
        gnutls_datum_t x = datum(crypt_span(public, VAULT_KEY_SIZE)),
                       k = datum(crypt_span(seed, VAULT_KEY_SIZE)), what = datum(data), signature = {0};
        int error = gnutls_privkey_init(&private);

        error = error ? error
                      : gnutls_privkey_import_ecc_raw(private, GNUTLS_ECC_CURVE_ED25519, &x, NULL, &k);
        error = error ? error
                      : gnutls_privkey_sign_data2(private, GNUTLS_SIGN_EDDSA_ED25519, 0, &what, &signature);
        assert(!error && signature.size == VAULT_SIGNATURE_SIZE);
        memcpy(ret, signature.data, VAULT_SIGNATURE_SIZE);
        gnutls_free(signature.data);
}

bool crypt_verify(const uint8_t public[VAULT_KEY_SIZE], struct span data,
                  const uint8_t signature[VAULT_SIGNATURE_SIZE]) {
        AUTO(gnutls_pubkey_deinit) gnutls_pubkey_t key = NULL;
        gnutls_datum_t x = datum(crypt_span(public, VAULT_KEY_SIZE)), what = datum(data),
                       signed_by = datum(crypt_span(signature, VAULT_SIGNATURE_SIZE));
        int error = gnutls_pubkey_init(&key);

        assert(!error);
        return !gnutls_pubkey_import_ecc_raw(key, GNUTLS_ECC_CURVE_ED25519, &x, NULL) &&
               gnutls_pubkey_verify_data2(key, GNUTLS_SIGN_EDDSA_ED25519, 0, &what, &signed_by) >= 0;
}
