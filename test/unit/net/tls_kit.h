// SPDX-License-Identifier: Apache-2.0
/* Certificates and keys of a test's own, in a folder of its own, under the names that tls.h reads.
 * Threads: one.
 */
#ifndef TEST_UNIT_NET_TLS_KIT_H
#define TEST_UNIT_NET_TLS_KIT_H

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "check.h"
#include "io/temp_dir.h"
#include "mem.h"

struct tls_kit {
        char *folder; /* owned */
};

struct tls_kit_cert {
        gnutls_x509_privkey_t key;
        gnutls_x509_crt_t cert;
};

#define KIT_OK(call) assert_true((call) >= 0)

static inline struct tls_kit_cert tls_kit_cert(const char *name, const struct tls_kit_cert *ca, int days) {
        struct tls_kit_cert made;
        static uint8_t serial = 1;
        time_t now = time(NULL);

        KIT_OK(gnutls_x509_privkey_init(&made.key));
        KIT_OK(gnutls_x509_privkey_generate(made.key, GNUTLS_PK_ECDSA,
                                            GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
        KIT_OK(gnutls_x509_crt_init(&made.cert));
        KIT_OK(gnutls_x509_crt_set_version(made.cert, 3));
        KIT_OK(gnutls_x509_crt_set_serial(made.cert, &serial, 1));
        serial++;
        KIT_OK(gnutls_x509_crt_set_dn_by_oid(made.cert, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                             (unsigned)strlen(name)));
        KIT_OK(gnutls_x509_crt_set_activation_time(made.cert, now - 10 * 86400));
        KIT_OK(gnutls_x509_crt_set_expiration_time(made.cert, now + days * 86400));
        KIT_OK(gnutls_x509_crt_set_key(made.cert, made.key));
        KIT_OK(gnutls_x509_crt_set_basic_constraints(made.cert, ca ? 0 : 1, -1));
        if (ca)
                KIT_OK(gnutls_x509_crt_set_subject_alt_name(made.cert, GNUTLS_SAN_DNSNAME, name,
                                                            (unsigned)strlen(name), GNUTLS_FSAN_SET));
        else
                KIT_OK(gnutls_x509_crt_set_key_usage(made.cert, GNUTLS_KEY_KEY_CERT_SIGN));
        KIT_OK(gnutls_x509_crt_sign2(made.cert, ca ? ca->cert : made.cert, ca ? ca->key : made.key,
                                     GNUTLS_DIG_SHA256, 0));
        return made;
}

static inline void tls_kit_free(struct tls_kit_cert *made) {
        gnutls_x509_crt_deinit(made->cert);
        gnutls_x509_privkey_deinit(made->key);
}

static inline void tls_kit_text(const struct tls_kit *kit, const char *name, const void *data, size_t n) {
        AUTO_FREE char *path = mem_format("%s/%s", kit->folder, name);
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, n, file), n);
        fclose(file);
}

static inline void tls_kit_put(const struct tls_kit *kit, const char *side, const struct tls_kit_cert *made) {
        AUTO_FREE char *cert = mem_format("%s-cert.pem", side);
        AUTO_FREE char *key = mem_format("%s-key.pem", side);
        gnutls_datum_t text;

        KIT_OK(gnutls_x509_crt_export2(made->cert, GNUTLS_X509_FMT_PEM, &text));
        tls_kit_text(kit, cert, text.data, text.size);
        gnutls_free(text.data);
        KIT_OK(gnutls_x509_privkey_export2(made->key, GNUTLS_X509_FMT_PEM, &text));
        tls_kit_text(kit, key, text.data, text.size);
        gnutls_free(text.data);
}

/* A CA, a server "catena.test" and a client of it, and a PSK file with two users. */
static inline void tls_kit_init(struct tls_kit *kit, int days) {
        static unsigned n_made;
        AUTO_FREE char *name = mem_format("CA %u of a test", n_made++);
        struct tls_kit_cert ca = tls_kit_cert(name, NULL, 10), made;
        static const char psk[] = "# who may come\nalice:00112233445566778899aabbccddeeff\nbob:ffff\n";

        kit->folder = temp_dir_new();
        tls_kit_put(kit, "ca", &ca);
        made = tls_kit_cert("catena.test", &ca, days);
        tls_kit_put(kit, "server", &made);
        tls_kit_free(&made);
        made = tls_kit_cert("client.test", &ca, days);
        tls_kit_put(kit, "client", &made);
        tls_kit_free(&made);
        tls_kit_free(&ca);
        tls_kit_text(kit, "keys.psk", psk, sizeof psk - 1);
}

static inline void tls_kit_remove(const struct tls_kit *kit, const char *name) {
        AUTO_FREE char *path = mem_format("%s/%s", kit->folder, name);

        (void)unlink(path);
}

static inline void tls_kit_fini(struct tls_kit *kit) {
        temp_dir_free(TAKE(kit->folder));
}

#endif
