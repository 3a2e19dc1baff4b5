// SPDX-License-Identifier: Apache-2.0
#include "xo_crypt.h"

#include <gnutls/crypto.h>
#include <string.h>

enum err xo_cipher_named(const char *name, enum xo_cipher *ret, struct err_note *note) {
        if (strcmp(name, "none") == 0)
                *ret = XO_PLAIN;
        else if (strcmp(name, "chacha20-poly1305") == 0)
                *ret = XO_CHACHA20_POLY1305;
        else if (strcmp(name, "aes-256-gcm") == 0)
                *ret = XO_AES_256_GCM;
        else
                return err_set(note, ERR_UNSUPPORTED, "it is encrypted by \"%.40s\"", name);
        return ERR_NONE;
}

enum err xo_decrypt(enum xo_cipher cipher, const uint8_t key[XO_KEY_SIZE], uint8_t *data, size_t *n,
                    struct err_note *note) {
        gnutls_cipher_algorithm_t algorithm =
                cipher == XO_AES_256_GCM ? GNUTLS_CIPHER_AES_256_GCM : GNUTLS_CIPHER_CHACHA20_POLY1305;
        const gnutls_datum_t secret = {(unsigned char *)(uintptr_t)key, XO_KEY_SIZE};
        gnutls_aead_cipher_hd_t handle;
        uint8_t nonce[XO_NONCE_SIZE];
        size_t n_plain = *n;
        int failed;

        if (cipher == XO_PLAIN)
                return ERR_NONE;
        if (*n < XO_NONCE_SIZE + XO_TAG_SIZE)
                return err_set(note, ERR_CORRUPT, "%zu bytes are too few to be encrypted ones", *n);
        if (gnutls_aead_cipher_init(&handle, algorithm, &secret) < 0)
                return err_set(note, ERR_NO_MEMORY, "%s", err_text(ERR_NO_MEMORY));
        memcpy(nonce, data, sizeof nonce);
        failed = gnutls_aead_cipher_decrypt(handle, nonce, sizeof nonce, NULL, 0, XO_TAG_SIZE,
                                            data + XO_NONCE_SIZE, *n - XO_NONCE_SIZE, data + XO_NONCE_SIZE,
                                            &n_plain);
        gnutls_aead_cipher_deinit(handle);
        if (failed < 0)
                return err_set(note, ERR_CORRUPT, "the key does not fit, or the file is damaged");
        memmove(data, data + XO_NONCE_SIZE, n_plain);
        *n = n_plain;
        return ERR_NONE;
}
