// SPDX-License-Identifier: Apache-2.0
/* Files of an encrypted remote of Xen Orchestra: nonce, what was encrypted, tag; nothing else is bound.  The
 * key is 32 bytes as they were typed.
 *
 * Errors: ERR_CORRUPT, it does not fit, be it the key or the bytes; ERR_UNSUPPORTED, another cipher.
 * Threads: any.
 */
#ifndef XO_CRYPT_H
#define XO_CRYPT_H

#include "bytes.h"
#include "err.h"

enum xo_cipher { XO_PLAIN, XO_CHACHA20_POLY1305, XO_AES_256_GCM };
enum { XO_KEY_SIZE = 32, XO_NONCE_SIZE = 12, XO_TAG_SIZE = 16 };

MUST_USE enum err xo_cipher_named(const char *name, enum xo_cipher *ret, struct err_note *);
/* data becomes what was encrypted, at its beginning: *n becomes smaller. */
MUST_USE enum err xo_decrypt(enum xo_cipher, const uint8_t key[XO_KEY_SIZE], uint8_t *data, size_t *n,
                             struct err_note *);

#endif
