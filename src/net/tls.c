// SPDX-License-Identifier: Apache-2.0
#include "tls.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "mem.h"

enum { PSK_LINE_MAX = 1024, HOST_MAX = 256 };

static const char priority_x509[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
static const char priority_psk[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-PSK:+DHE-PSK";

/* Of one loading; as long as keys or a session have it. */
struct secrets {
        atomic_uint n_users;
        bool is_client, verifies_peer;
        gnutls_certificate_credentials_t x509;      /* owned; NULL: PSK */
        gnutls_psk_server_credentials_t psk;        /* owned */
        gnutls_psk_client_credentials_t psk_client; /* owned */
};

struct tls_keys {
        pthread_mutex_t mutex;   /* guards what is below */
        struct secrets *secrets; /* shared, counted */
};

static void secrets_unref(struct secrets *secrets) {
        if (atomic_fetch_sub(&secrets->n_users, 1) > 1)
                return;
        if (secrets->x509)
                gnutls_certificate_free_credentials(secrets->x509);
        if (secrets->psk)
                gnutls_psk_free_server_credentials(secrets->psk);
        if (secrets->psk_client)
                gnutls_psk_free_client_credentials(secrets->psk_client);
        free(secrets);
}
DEFINE_AUTO(struct secrets *, secrets_unref);

static struct secrets *current_of(struct tls_keys *keys) {
        struct secrets *secrets;

        pthread_mutex_lock(&keys->mutex);
        secrets = keys->secrets;
        atomic_fetch_add(&secrets->n_users, 1);
        pthread_mutex_unlock(&keys->mutex);
        return secrets;
}

/* ---- loading: x509 --------------------------------------------------------------------------- */

static char *path_of(const char *folder, const char *name) {
        return mem_format("%s/%s", folder, name);
}

static bool is_there(const char *folder, const char *name) {
        AUTO_FREE char *path = path_of(folder, name);

        return access(path, F_OK) == 0;
}

static enum err fail_load(const char *path, int got, struct err_note *note) {
        if (access(path, R_OK) < 0)
                return err_set(note, errno == ENOENT ? ERR_NOT_FOUND : ERR_DENIED, "read %s: %s", path,
                               strerror(errno));
        return err_set(note, got == GNUTLS_E_CERTIFICATE_KEY_MISMATCH ? ERR_MISMATCH : ERR_CORRUPT,
                       "read %s: %s", path, gnutls_strerror(got));
}

static enum err load_ca(struct secrets *keys, const char *folder, struct err_note *note) {
        AUTO_FREE char *ca = path_of(folder, "ca-cert.pem");
        AUTO_FREE char *crl = path_of(folder, "ca-crl.pem");
        int got = gnutls_certificate_set_x509_trust_file(keys->x509, ca, GNUTLS_X509_FMT_PEM);

        if (got <= 0)
                return fail_load(ca, got ? got : GNUTLS_E_NO_CERTIFICATE_FOUND, note);
        if (!is_there(folder, "ca-crl.pem"))
                return ERR_NONE;
        got = gnutls_certificate_set_x509_crl_file(keys->x509, crl, GNUTLS_X509_FMT_PEM);
        return got < 0 ? fail_load(crl, got, note) : ERR_NONE;
}

static enum err load_pair(struct secrets *keys, const char *cert, const char *key, struct err_note *note) {
        int got;

        if (access(cert, R_OK) < 0)
                return fail_load(cert, 0, note);
        if (access(key, R_OK) < 0)
                return fail_load(key, 0, note);
        got = gnutls_certificate_set_x509_key_file(keys->x509, cert, key, GNUTLS_X509_FMT_PEM);
        if (got < 0)
                return err_wrap((fail_load(key, got, note), note), "with %s", cert);
        return ERR_NONE;
}

static enum err load_pair_of(struct secrets *keys, const char *folder, const char *side,
                             struct err_note *note) {
        AUTO_FREE char *cert = mem_format("%s/%s-cert.pem", folder, side);
        AUTO_FREE char *key = mem_format("%s/%s-key.pem", folder, side);

        return load_pair(keys, cert, key, note);
}

static enum err new_x509(struct secrets *keys, struct err_note *note) {
        return gnutls_certificate_allocate_credentials(&keys->x509) < 0
                       ? err_set(note, ERR_NO_MEMORY, "make TLS keys")
                       : ERR_NONE;
}

/* A server that asks nobody for a certificate needs no CA; a client believes nobody without one. */
static enum err load_x509(struct secrets *keys, const char *folder, struct err_note *note) {
        bool needs_ca = keys->is_client || keys->verifies_peer || is_there(folder, "ca-cert.pem");

        if (new_x509(keys, note) || (needs_ca && load_ca(keys, folder, note)))
                return note->code;
        if (keys->is_client && !is_there(folder, "client-cert.pem"))
                return ERR_NONE;
        return load_pair_of(keys, folder, keys->is_client ? "client" : "server", note);
}

/* ---- loading: PSK ---------------------------------------------------------------------------- */

static bool is_hex(const char *text) {
        return *text && text[strspn(text, "0123456789abcdefABCDEF")] == 0 && strlen(text) % 2 == 0;
}

/* user: whose line is wanted, or NULL: any.  The key is put into ret. */
static enum err find_psk(const char *path, const char *user, char ret[PSK_LINE_MAX], struct err_note *note) {
        FILE *file = fopen(path, "re");
        char line[PSK_LINE_MAX];
        bool found = false;

        if (!file)
                return err_set(note, errno == ENOENT ? ERR_NOT_FOUND : ERR_DENIED, "read %s: %s", path,
                               strerror(errno));
        while (!found && fgets(line, sizeof line, file)) {
                char *colon = strchr(line, ':');

                line[strcspn(line, "\r\n")] = 0;
                if (!colon || *line == '#')
                        continue;
                *colon = 0;
                found = is_hex(colon + 1) && (!user || strcmp(line, user) == 0);
                if (found)
                        snprintf(ret, PSK_LINE_MAX, "%s", colon + 1);
        }
        fclose(file);
        gnutls_memset(line, 0, sizeof line);
        if (found)
                return ERR_NONE;
        return user ? err_set(note, ERR_NOT_FOUND, "read %s: it has no key of %s", path, user)
                    : err_set(note, ERR_CORRUPT, "read %s: no line of it is USER:HEX", path);
}

static enum err load_psk(struct secrets *keys, const char *path, const char *user, struct err_note *note) {
        char hex[PSK_LINE_MAX];
        gnutls_datum_t key;
        int got;

        if (find_psk(path, keys->is_client ? user : NULL, hex, note))
                return note->code;
        if (keys->is_client) {
                key = (gnutls_datum_t){(unsigned char *)hex, (unsigned)strlen(hex)};
                got = gnutls_psk_allocate_client_credentials(&keys->psk_client);
                if (got >= 0)
                        got = gnutls_psk_set_client_credentials(keys->psk_client, user, &key,
                                                                GNUTLS_PSK_KEY_HEX);
        } else {
                got = gnutls_psk_allocate_server_credentials(&keys->psk);
                if (got >= 0)
                        got = gnutls_psk_set_server_credentials_file(keys->psk, path);
        }
        gnutls_memset(hex, 0, sizeof hex);
        return got < 0 ? err_set(note, ERR_CORRUPT, "read %s: %s", path, gnutls_strerror(got)) : ERR_NONE;
}

static enum err load(struct secrets *keys, const struct tls_options *options, struct err_note *note) {
        if (options->psk_file)
                return load_psk(keys, options->psk_file, options->psk_user, note);
        if (options->x509_folder)
                return load_x509(keys, options->x509_folder, note);
        return new_x509(keys, note) ? note->code
                                    : load_pair(keys, options->certificate_file, options->key_file, note);
}

static enum err load_secrets(const struct tls_options *options, struct secrets **ret, struct err_note *note) {
        AUTO(secrets_unref) struct secrets *secrets = mem_new(struct secrets);

        assert(!!options->x509_folder + !!options->psk_file + !!options->certificate_file == 1);
        assert(!options->certificate_file ||
               (options->key_file && !options->is_client && !options->verifies_peer));
        assert(!options->is_client || !options->psk_file || options->psk_user);
        atomic_init(&secrets->n_users, 1);
        secrets->is_client = options->is_client;
        secrets->verifies_peer = options->verifies_peer;
        if (load(secrets, options, note))
                return err_wrap(note, "load TLS keys");
        *ret = TAKE(secrets);
        return ERR_NONE;
}

enum err tls_keys_load(const struct tls_options *options, struct tls_keys **ret, struct err_note *note) {
        struct secrets *secrets = NULL;

        if (load_secrets(options, &secrets, note))
                return note->code;
        *ret = mem_new(struct tls_keys);
        pthread_mutex_init(&(*ret)->mutex, NULL);
        (*ret)->secrets = secrets;
        return ERR_NONE;
}

enum err tls_keys_reload(struct tls_keys *keys, const struct tls_options *options, struct err_note *note) {
        struct secrets *secrets = NULL, *old;

        if (load_secrets(options, &secrets, note))
                return note->code;
        pthread_mutex_lock(&keys->mutex);
        old = keys->secrets;
        keys->secrets = secrets;
        pthread_mutex_unlock(&keys->mutex);
        secrets_unref(old);
        return ERR_NONE;
}

void tls_keys_free(struct tls_keys *keys) {
        secrets_unref(keys->secrets);
        pthread_mutex_destroy(&keys->mutex);
        free(keys);
}

/* ---- the cover ------------------------------------------------------------------------------- */

struct tls {
        struct cover cover;
        struct secrets *secrets;  /* shared, counted */
        gnutls_session_t session; /* owned */
        size_t n_sending;         /* of a record that is under way: it must be finished before the next */
        bool has_ended;           /* the other side said its end, or failed: it stays so */
        struct err_note why;      /* code: 0 where it said its end */
        char host[HOST_MAX];      /* empty: any; GnuTLS looks at it when it verifies */
};
_Static_assert(offsetof(struct tls, cover) == 0, "a cover is the first member");

static void tls_free(struct cover *cover) {
        struct tls *tls = (struct tls *)cover;

        if (tls->session)
                gnutls_deinit(tls->session);
        if (tls->secrets)
                secrets_unref(tls->secrets);
        free(tls);
}
DEFINE_AUTO(struct cover *, tls_free);

static void say_not_believed(struct tls *tls, struct err_note *note) {
        unsigned status = gnutls_session_get_verify_cert_status(tls->session);
        gnutls_datum_t text = {0};

        if (gnutls_certificate_verification_status_print(status, gnutls_certificate_type_get(tls->session),
                                                         &text, 0) < 0)
                (void)err_set(note, ERR_DENIED, "TLS: the other side's certificate is not believed");
        else
                (void)err_set(note, ERR_DENIED, "TLS: the other side's certificate: %s", text.data);
        gnutls_free(text.data);
}

static void say_alert(struct tls *tls, struct err_note *note) {
        const char *name = gnutls_alert_get_name(gnutls_alert_get(tls->session));

        (void)err_set(note, ERR_DENIED, "TLS: the other side says: %s", name ? name : "an alert");
}

static enum cover_step fail(struct tls *tls, int got, struct err_note *note) {
        switch (got) {
        case GNUTLS_E_PREMATURE_TERMINATION:
        case GNUTLS_E_PULL_ERROR:
        case GNUTLS_E_PUSH_ERROR:
                (void)err_set(note, ERR_CUT_SHORT, "the other side left without ending TLS");
                break;
        case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
        case GNUTLS_E_CERTIFICATE_ERROR:
                say_not_believed(tls, note);
                break;
        case GNUTLS_E_NO_CERTIFICATE_FOUND:
        case GNUTLS_E_CERTIFICATE_REQUIRED:
                (void)err_set(note, ERR_DENIED, "TLS: the other side shows no certificate");
                break;
        case GNUTLS_E_FATAL_ALERT_RECEIVED:
                say_alert(tls, note);
                break;
        default:
                (void)err_set(note, ERR_CORRUPT, "TLS: %s", gnutls_strerror(got));
        }
        return COVER_FAILED;
}

/* got < 0. */
static enum cover_step step_of(struct tls *tls, int got, struct err_note *note) {
        if (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED)
                return gnutls_record_get_direction(tls->session) ? COVER_WANTS_WRITE : COVER_WANTS_READ;
        return fail(tls, got, note);
}

/* What we did not like is told to the other side, as far as it hears it; so is why. */
static enum cover_step tls_begin(struct cover *cover, int fd, struct err_note *note) {
        struct tls *tls = (struct tls *)cover;
        enum cover_step step;
        int got;

        gnutls_transport_set_int(tls->session, fd);
        do
                got = gnutls_handshake(tls->session);
        while (got < 0 && got != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(got));
        if (got >= 0)
                return COVER_DONE;
        step = step_of(tls, got, note);
        if (step == COVER_FAILED && got != GNUTLS_E_FATAL_ALERT_RECEIVED)
                (void)gnutls_alert_send_appropriate(tls->session, got);
        return step == COVER_FAILED ? (err_wrap(note, "agree on TLS"), step) : step;
}

/* The end, and what failed, stay: GnuTLS tells of them once. */
static enum cover_step tls_receive(struct cover *cover, void *ret, size_t n, size_t *ret_n,
                                   struct err_note *note) {
        struct tls *tls = (struct tls *)cover;
        enum cover_step step;
        ssize_t got;

        *ret_n = 0;
        while (!tls->has_ended) {
                got = gnutls_record_recv(tls->session, ret, n);
                if (got > 0) {
                        *ret_n = (size_t)got;
                        return COVER_DONE;
                }
                if (got < 0 && got != GNUTLS_E_AGAIN && got != GNUTLS_E_REHANDSHAKE &&
                    !gnutls_error_is_fatal((int)got))
                        continue; /* a warning, a ticket */
                step = got < 0 ? step_of(tls, (int)got, &tls->why) : COVER_DONE;
                if (step == COVER_WANTS_READ || step == COVER_WANTS_WRITE)
                        return step;
                tls->has_ended = true;
        }
        if (!tls->why.code)
                return COVER_DONE;
        *note = tls->why;
        return COVER_FAILED;
}

static enum cover_step tls_send(struct cover *cover, const void *data, size_t n, size_t *ret_n,
                                struct err_note *note) {
        struct tls *tls = (struct tls *)cover;
        ssize_t sent = tls->n_sending ? gnutls_record_send(tls->session, NULL, 0)
                                      : gnutls_record_send(tls->session, data, n);

        if (sent < 0) {
                enum cover_step step = step_of(tls, (int)sent, note);

                tls->n_sending = step == COVER_FAILED ? 0 : n;
                return step;
        }
        tls->n_sending = 0;
        *ret_n = (size_t)sent;
        return COVER_DONE;
}

static bool tls_has_more(struct cover *cover) {
        struct tls *tls = (struct tls *)cover;

        return tls->has_ended || gnutls_record_check_pending(tls->session) > 0;
}

static enum cover_step tls_finish(struct cover *cover, struct err_note *note) {
        struct tls *tls = (struct tls *)cover;
        int got = gnutls_bye(tls->session, GNUTLS_SHUT_WR);

        return got < 0 ? step_of(tls, got, note) : COVER_DONE;
}

static const struct cover_ops tls_ops = {
        .begin = tls_begin,
        .receive = tls_receive,
        .send = tls_send,
        .has_more = tls_has_more,
        .finish = tls_finish,
        .free = tls_free,
};

static int set_up(struct tls *tls) {
        const struct secrets *keys = tls->secrets;
        int got = gnutls_priority_set_direct(tls->session, keys->x509 ? priority_x509 : priority_psk, NULL);

        if (got < 0)
                return got;
        if (!keys->x509)
                return gnutls_credentials_set(tls->session, GNUTLS_CRD_PSK,
                                              keys->is_client ? (void *)keys->psk_client : (void *)keys->psk);
        if (keys->is_client)
                gnutls_session_set_verify_cert(tls->session, *tls->host ? tls->host : NULL, 0);
        if (!keys->is_client && keys->verifies_peer) {
                gnutls_certificate_server_set_request(tls->session, GNUTLS_CERT_REQUIRE);
                gnutls_session_set_verify_cert(tls->session, NULL, 0);
        }
        if (keys->is_client && *tls->host)
                (void)gnutls_server_name_set(tls->session, GNUTLS_NAME_DNS, tls->host, strlen(tls->host));
        return gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, keys->x509);
}

enum err tls_cover_new(const struct tls_keys *keys, const char *host, struct cover **ret,
                       struct err_note *note) {
        AUTO(tls_free) struct cover *cover = NULL;
        struct tls *tls = mem_new(struct tls);
        int got;

        cover = &tls->cover;
        cover->ops = &tls_ops;
        if (host && strlen(host) >= HOST_MAX)
                return err_set(note, ERR_INVALID, "begin TLS: a host's name of %zu bytes", strlen(host));
        snprintf(tls->host, sizeof tls->host, "%s", host ? host : "");
        /* Taken, not changed: who has keys to use may not change them, but they may be changed for him. */
        tls->secrets = current_of((struct tls_keys *)keys);
        got = gnutls_init(&tls->session, (tls->secrets->is_client ? GNUTLS_CLIENT : GNUTLS_SERVER) |
                                                 GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS);
        if (got >= 0)
                got = set_up(tls);
        if (got < 0)
                return err_set(note, ERR_NO_MEMORY, "begin TLS: %s", gnutls_strerror(got));
        *ret = TAKE(cover);
        return ERR_NONE;
}
