// SPDX-License-Identifier: Apache-2.0
/* A certificate of our own making, for a server that was given none: RSA of 2048 bits, which every client
 * knows, signed by itself, good for ten years.  Who connects compares its fingerprint, or is given the
 * certificate.
 *
 *      tls_make_pair(&wanted, &pair, note)     text: whoever has files writes them, the key for himself alone
 *      tls_fingerprint(pair.certificate, &fingerprint, note)
 *      tls_pair_fini(&pair)                    the key is wiped
 *
 * Errors: ERR_CORRUPT, it is no certificate; ERR_IO, no keys can be made here.  Threads: any.
 */
#ifndef NET_TLS_MAKE_H
#define NET_TLS_MAKE_H

#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "err.h"

struct tls_wanted {
        const char *name;         /* borrowed; the certificate's own, "storage-3" */
        const char *const *hosts; /* borrowed; names, and addresses in numbers, by which it is reached */
        size_t n_hosts;
        int64_t now; /* seconds since 1970 */
};

struct tls_pair {
        char *certificate, *key; /* owned; PEM */
};
void tls_pair_fini(struct tls_pair *);
DEFINE_AUTO_IN_PLACE(struct tls_pair, tls_pair_fini);

MUST_USE enum err tls_make_pair(const struct tls_wanted *, struct tls_pair *ret, struct err_note *);

struct tls_fingerprint {
        char s[32 * 3]; /* SHA-256: "AB:CD:…", as browsers and openssl show it */
};
/* Of the first certificate in PEM text. */
MUST_USE enum err tls_fingerprint(const char *pem, struct tls_fingerprint *ret, struct err_note *);

#endif
