// SPDX-License-Identifier: Apache-2.0
#include "secret.h"

#include <argon2.h>
#include <assert.h>
#include <gnutls/crypto.h>
#include <string.h>

void secret_text(struct io *io, char *ret, size_t n) {
        static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";

        io_random(io, ret, n);
        for (size_t i = 0; i < n; i++)
                ret[i] = letters[(uint8_t)ret[i] % 32];
        ret[n] = 0;
}

struct secret_key secret_key(struct io *io) {
        struct secret_key key;

        io_random(io, key.b, sizeof key.b);
        return key;
}

struct secret_hash secret_quick(const char *text) {
        struct secret_hash hash;
        int error = gnutls_hash_fast(GNUTLS_DIG_SHA256, text, strlen(text), hash.b);

        assert(!error);
        return hash;
}

struct secret_hash secret_keyed(const struct secret_key *key, const char *text) {
        struct secret_hash hash;
        int error = gnutls_hmac_fast(GNUTLS_MAC_SHA256, key->b, sizeof key->b, text, strlen(text), hash.b);

        assert(!error);
        return hash;
}

enum err secret_slow(const struct secret_key *salt, const char *text, struct secret_hash *ret,
                     struct err_note *note) {
        int error = argon2id_hash_raw(SECRET_SLOW_PASSES, SECRET_SLOW_KIB, 1, text, strlen(text), salt->b,
                                      sizeof salt->b, ret->b, sizeof ret->b);

        if (error)
                return err_set(note, ERR_NO_MEMORY, "hash a password: %s", argon2_error_message(error));
        return ERR_NONE;
}

bool secret_equal(const struct secret_hash *a, const struct secret_hash *b) {
        uint8_t differing = 0;

        for (size_t i = 0; i < sizeof a->b; i++)
                differing |= a->b[i] ^ b->b[i];
        return differing == 0;
}

void secret_wipe(void *data, size_t n) {
        explicit_bzero(data, n);
}
