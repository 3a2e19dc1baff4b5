// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "tls_make.h"

static const int64_t now = 1800000000;
static const char *const hosts[] = {"localhost", "127.0.0.1", "::1", "storage-3.example"};
static const struct tls_wanted wanted = {.name = "storage-3", .hosts = hosts, .n_hosts = 4, .now = now};

static gnutls_x509_crt_t import(const struct tls_pair *pair) {
        gnutls_datum_t data = {(unsigned char *)pair->certificate, (unsigned)strlen(pair->certificate)};
        gnutls_x509_crt_t crt;

        assert_int_equal(gnutls_x509_crt_init(&crt), 0);
        assert_int_equal(gnutls_x509_crt_import(crt, &data, GNUTLS_X509_FMT_PEM), 0);
        return crt;
}

static void it_names_every_host_and_is_good_for_ten_years(void **state) {
        AUTO(tls_pair_fini) struct tls_pair pair = {0};
        struct err_note note = {0};
        gnutls_x509_crt_t crt;

        (void)state;
        assert_ok(tls_make_pair(&wanted, &pair, &note));
        crt = import(&pair);
        for (size_t i = 0; i < wanted.n_hosts; i++)
                assert_true(gnutls_x509_crt_check_hostname(crt, hosts[i]));
        assert_false(gnutls_x509_crt_check_hostname(crt, "elsewhere.example"));
        assert_false(gnutls_x509_crt_check_hostname(crt, "127.0.0.2"));
        assert_true(gnutls_x509_crt_get_activation_time(crt) < now);
        assert_true(gnutls_x509_crt_get_expiration_time(crt) > now + INT64_C(3650) * 86400);
        assert_int_equal(gnutls_x509_crt_get_ca_status(crt, NULL), 0);
        gnutls_x509_crt_deinit(crt);
}

static void key_and_certificate_fit(void **state) {
        AUTO(tls_pair_fini) struct tls_pair pair = {0}, other = {0};
        struct err_note note = {0};
        gnutls_certificate_credentials_t keys;
        gnutls_datum_t crt, key;

        (void)state;
        assert_ok(tls_make_pair(&wanted, &pair, &note));
        assert_ok(tls_make_pair(&wanted, &other, &note));
        assert_string_not_equal(pair.key, other.key);
        crt = (gnutls_datum_t){(unsigned char *)pair.certificate, (unsigned)strlen(pair.certificate)};
        key = (gnutls_datum_t){(unsigned char *)pair.key, (unsigned)strlen(pair.key)};
        assert_int_equal(gnutls_certificate_allocate_credentials(&keys), 0);
        assert_true(gnutls_certificate_set_x509_key_mem(keys, &crt, &key, GNUTLS_X509_FMT_PEM) >= 0);
        gnutls_certificate_free_credentials(keys);
}

static void who_is_given_it_believes_it(void **state) {
        AUTO(tls_pair_fini) struct tls_pair pair = {0};
        struct err_note note = {0};
        gnutls_x509_trust_list_t list;
        gnutls_x509_crt_t crt;
        unsigned status = 1;

        (void)state;
        assert_ok(tls_make_pair(&wanted, &pair, &note));
        crt = import(&pair);
        assert_int_equal(gnutls_x509_trust_list_init(&list, 0), 0);
        assert_int_equal(gnutls_x509_trust_list_add_cas(list, &crt, 1, 0), 1);
        assert_int_equal(gnutls_x509_trust_list_verify_crt(list, &crt, 1, GNUTLS_VERIFY_DISABLE_TIME_CHECKS,
                                                           &status, NULL),
                         0);
        assert_int_equal(status, 0);
        gnutls_x509_trust_list_deinit(list, 0);
        gnutls_x509_crt_deinit(crt);
}

static void its_fingerprint_is_what_others_show(void **state) {
        AUTO(tls_pair_fini) struct tls_pair pair = {0};
        struct tls_fingerprint one, other;
        struct err_note note = {0};

        (void)state;
        assert_ok(tls_make_pair(&wanted, &pair, &note));
        assert_ok(tls_fingerprint(pair.certificate, &one, &note));
        assert_ok(tls_fingerprint(pair.certificate, &other, &note));
        assert_string_equal(one.s, other.s);
        assert_int_equal(strlen(one.s), 95);
        for (size_t i = 2; i < 95; i += 3)
                assert_int_equal(one.s[i], ':');
        assert_err(tls_fingerprint("-----BEGIN NOTHING-----", &one, &note), ERR_CORRUPT, "no certificate");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_names_every_host_and_is_good_for_ten_years),
                cmocka_unit_test(key_and_certificate_fit),
                cmocka_unit_test(who_is_given_it_believes_it),
                cmocka_unit_test(its_fingerprint_is_what_others_show),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
