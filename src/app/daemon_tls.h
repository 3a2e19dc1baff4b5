// SPDX-License-Identifier: Apache-2.0
/* The certificate that a daemon shows: the one that it is told of, or one of its own, made at the first
 * start and kept in STATE-DIR/tls as server-cert.pem and server-key.pem, the key for its user alone.
 *
 * Both files are there whole or not at all, whenever the making was cut off: the certificate comes last,
 * and without one both are made anew.
 *
 * Errors: those of io and net; ERR_MISMATCH where the two do not fit.  Threads: the main one.
 */
#ifndef APP_DAEMON_TLS_H
#define APP_DAEMON_TLS_H

#include "io.h"
#include "tls_make.h"

struct daemon_tls {
        char *certificate_file, *key_file; /* owned */
        char *pem;                         /* owned; the certificate */
        struct tls_fingerprint fingerprint;
        bool was_made;
};
void daemon_tls_fini(struct daemon_tls *);
DEFINE_AUTO_IN_PLACE(struct daemon_tls, daemon_tls_fini);

struct daemon_tls_options {
        const char *state_dir;         /* borrowed */
        const char *certificate, *key; /* borrowed; both NULL: one of its own */
        const char *host;              /* borrowed; this host's name */
        const char *const *more;       /* borrowed; what it is called besides */
        size_t n_more;
        /* borrowed; how a pair is made; NULL: tls_make_pair */
        enum err (*make)(const struct tls_wanted *, struct tls_pair *ret, struct err_note *);
};
MUST_USE enum err daemon_tls_find(struct io *, const struct daemon_tls_options *, struct daemon_tls *ret,
                                  struct err_note *);

#endif
