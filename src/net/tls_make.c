// SPDX-License-Identifier: Apache-2.0
#include "tls_make.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "mem.h"

enum { RSA_BITS = 2048, SERIAL_BYTES = 16, SHA256_BYTES = 32 };
#define A_DAY     (INT64_C(24) * 3600)
#define TEN_YEARS (3652 * A_DAY)

struct making {
        gnutls_x509_privkey_t key; /* owned */
        gnutls_x509_crt_t crt;     /* owned */
        gnutls_datum_t pem_of_crt; /* owned */
        gnutls_datum_t pem_of_key; /* owned */
};

static void making_fini(struct making *making) {
        if (making->crt)
                gnutls_x509_crt_deinit(making->crt);
        if (making->key)
                gnutls_x509_privkey_deinit(making->key);
        if (making->pem_of_key.data)
                gnutls_memset(making->pem_of_key.data, 0, making->pem_of_key.size);
        gnutls_free(making->pem_of_key.data);
        gnutls_free(making->pem_of_crt.data);
}
DEFINE_AUTO_IN_PLACE(struct making, making_fini);

void tls_pair_fini(struct tls_pair *pair) {
        if (pair->key)
                gnutls_memset(pair->key, 0, strlen(pair->key));
        free(TAKE(pair->key));
        free(TAKE(pair->certificate));
}

static int add_host(gnutls_x509_crt_t crt, const char *host) {
        uint8_t number[16];
        unsigned n = 0;

        if (inet_pton(AF_INET, host, number) == 1)
                n = 4;
        else if (inet_pton(AF_INET6, host, number) == 1)
                n = 16;
        if (n)
                return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, number, n,
                                                            GNUTLS_FSAN_APPEND);
        return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, host, (unsigned)strlen(host),
                                                    GNUTLS_FSAN_APPEND);
}

/* A serial number that is positive, and whose first byte counts. */
static int set_serial(gnutls_x509_crt_t crt) {
        uint8_t serial[SERIAL_BYTES];
        int got = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial);

        serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40);
        return got < 0 ? got : gnutls_x509_crt_set_serial(crt, serial, sizeof serial);
}

static int fill(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const struct tls_wanted *wanted) {
        int got = gnutls_x509_crt_set_version(crt, 3);

        if (got >= 0)
                got = set_serial(crt);
        if (got >= 0)
                got = gnutls_x509_crt_set_key(crt, key);
        if (got >= 0)
                got = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, wanted->name,
                                                    (unsigned)strlen(wanted->name));
        /* Clocks differ: what was made a moment ago is good for who is a little behind. */
        if (got >= 0)
                got = gnutls_x509_crt_set_activation_time(crt, (time_t)(wanted->now - A_DAY));
        if (got >= 0)
                got = gnutls_x509_crt_set_expiration_time(crt, (time_t)(wanted->now + TEN_YEARS));
        for (size_t i = 0; got >= 0 && i < wanted->n_hosts; i++)
                got = add_host(crt, wanted->hosts[i]);
        return got;
}

/* It may be given to a client as the one authority that he believes, and can make no others. */
static int set_uses(gnutls_x509_crt_t crt) {
        int got = gnutls_x509_crt_set_basic_constraints(crt, 0, -1);

        if (got >= 0)
                got = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE |
                                                                 GNUTLS_KEY_KEY_ENCIPHERMENT);
        if (got >= 0)
                got = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
        return got;
}

static int make(struct making *making, const struct tls_wanted *wanted) {
        int got = gnutls_x509_privkey_init(&making->key);

        if (got >= 0)
                got = gnutls_x509_privkey_generate(making->key, GNUTLS_PK_RSA, RSA_BITS, 0);
        if (got >= 0)
                got = gnutls_x509_crt_init(&making->crt);
        if (got >= 0)
                got = fill(making->crt, making->key, wanted);
        if (got >= 0)
                got = set_uses(making->crt);
        if (got >= 0)
                got = gnutls_x509_crt_sign2(making->crt, making->crt, making->key, GNUTLS_DIG_SHA256, 0);
        if (got >= 0)
                got = gnutls_x509_crt_export2(making->crt, GNUTLS_X509_FMT_PEM, &making->pem_of_crt);
        if (got >= 0)
                got = gnutls_x509_privkey_export2(making->key, GNUTLS_X509_FMT_PEM, &making->pem_of_key);
        return got;
}

static char *text_of(const gnutls_datum_t *datum) {
        return mem_format("%.*s", (int)datum->size, (const char *)datum->data);
}

enum err tls_make_pair(const struct tls_wanted *wanted, struct tls_pair *ret, struct err_note *note) {
        AUTO(making_fini) struct making making = {0};
        int got = make(&making, wanted);

        if (got < 0)
                return err_set(note, ERR_IO, "make a certificate: %s", gnutls_strerror(got));
        ret->certificate = text_of(&making.pem_of_crt);
        ret->key = text_of(&making.pem_of_key);
        return ERR_NONE;
}

enum err tls_fingerprint(const char *pem, struct tls_fingerprint *ret, struct err_note *note) {
        AUTO(making_fini) struct making making = {0};
        gnutls_datum_t data = {(unsigned char *)pem, (unsigned)strlen(pem)};
        uint8_t sum[SHA256_BYTES];
        size_t n = sizeof sum;
        int got = gnutls_x509_crt_init(&making.crt);

        if (got >= 0)
                got = gnutls_x509_crt_import(making.crt, &data, GNUTLS_X509_FMT_PEM);
        if (got >= 0)
                got = gnutls_x509_crt_get_fingerprint(making.crt, GNUTLS_DIG_SHA256, sum, &n);
        if (got < 0)
                return err_set(note, ERR_CORRUPT, "this is no certificate: %s", gnutls_strerror(got));
        for (size_t i = 0; i < sizeof sum; i++)
                snprintf(ret->s + 3 * i, 4, i + 1 < sizeof sum ? "%02X:" : "%02X", sum[i]);
        return ERR_NONE;
}
