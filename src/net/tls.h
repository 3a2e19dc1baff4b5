// SPDX-License-Identifier: Apache-2.0
/* TLS over a connection: a cover for conn_secure, by GnuTLS.  1.2 and 1.3, nothing older.
 *
 *      tls_keys_load(&options, &keys, note);           once
 *      tls_cover_new(keys, NULL, &cover, note);        for each connection
 *      conn_secure(conn, cover, TLS_PATIENCE_NS);
 *
 * Keys are x509 from a folder, under the names that qemu, libvirt and nbdkit use, or a PSK file:
 *
 *      ca-cert.pem                     whose certificates are believed
 *      ca-crl.pem                      of these, what is believed no more; may be missing
 *      server-cert.pem, server-key.pem of a server
 *      client-cert.pem, client-key.pem of a client; may be missing
 * A server's certificate and key may also be named by themselves (certificate_file, key_file).
 *
 *      keys.psk                        lines of USER:HEX, as psktool writes them
 *
 * A server asks clients for a certificate only with verifies_peer; with x509 a client always asks the server.
 * A connection whose TLS was not ended is ERR_CUT_SHORT, so nobody takes half of something for the whole.
 *
 * Errors: of loading, ERR_NOT_FOUND, ERR_CORRUPT, ERR_MISMATCH (key and certificate), with the file's name.
 * Of a connection, as `ended` tells it: ERR_DENIED, the other side is not believed, or does not believe us;
 * ERR_CORRUPT, what came is no TLS; ERR_CUT_SHORT.
 * Threads: keys, any, once loaded, reloading too; a cover, its connection's.  Ownership: keys outlive
 * their covers.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"
#include "err.h"
#include "cover.h"

#define TLS_PATIENCE_NS (UINT64_C(20) * 1000000000) /* for both sides to agree */

struct tls_options {
        bool is_client;
        bool verifies_peer;           /* a server, with x509: clients must show a certificate of the CA */
        const char *x509_folder;      /* borrowed; one of these three; the others are NULL */
        const char *psk_file;         /* borrowed */
        const char *certificate_file; /* borrowed; a server's */
        const char *key_file;         /* borrowed; with that */
        const char *psk_user;         /* borrowed; a client's, with PSK */
};

struct tls_keys;

MUST_USE enum err tls_keys_load(const struct tls_options *, struct tls_keys **ret, struct err_note *);
/* Other files, or the same ones after they were replaced: connections from now on have what they say;
 * those there keep what they have.  What cannot be loaded changes nothing.  Of one side and kind of keys. */
MUST_USE enum err tls_keys_reload(struct tls_keys *, const struct tls_options *, struct err_note *);
void tls_keys_free(struct tls_keys *);
DEFINE_AUTO(struct tls_keys *, tls_keys_free);

/* host: a client's, with x509: whom the server's certificate must name; NULL: whoever has one of the CA. */
MUST_USE enum err tls_cover_new(const struct tls_keys *, const char *host, struct cover **ret,
                                struct err_note *);

#endif
