// SPDX-License-Identifier: Apache-2.0
#include "tls_kit.h"

#include <pthread.h>
#include <sys/socket.h>

#include "buf.h"
#include "conn.h"
#include "io_sim.h"
#include "local.h"
#include "net_sim.h"
#include "tls.h"

enum { IN_MAX = 1000, OUT_MAX = 1 << 20, MUCH = 200000 };

static struct tls_kit kit;
static struct tls_keys *server_keys, *client_keys; /* owned by the group */

/* ---- two sides ------------------------------------------------------------------------------- */

struct side {
        struct conn *conn; /* owned; NULL: freed */
        struct buf got;
        unsigned n_secured, n_drained, n_ended;
        bool pauses, frees_when_secured;
        struct err_note why;
};

enum { CLIENT, SERVER };

struct pair {
        struct io *io;       /* owned */
        struct loop *loop;   /* owned */
        struct net_sim *net; /* owned */
        struct side sides[2];
};

static void on_got(void *user) {
        struct side *side = user;
        size_t n;
        const uint8_t *data = conn_peek(side->conn, &n);

        assert_true(n <= IN_MAX);
        if (side->pauses)
                return;
        buf_add(&side->got, data, n);
        conn_skip(side->conn, n);
}

static void on_drained(void *user) {
        ((struct side *)user)->n_drained++;
}

static void on_secured(void *user) {
        struct side *side = user;

        side->n_secured++;
        if (side->frees_when_secured)
                conn_free(TAKE(side->conn));
}

static void on_ended(void *user, const struct err_note *why) {
        struct side *side = user;

        side->n_ended++;
        side->why = *why;
}

static struct pair *new_pair(uint64_t seed, const struct net_weather *weather) {
        struct pair *pair = calloc(1, sizeof *pair);
        struct err_note note = {0};
        int fds[2];

        pair->io = io_sim_new(1, 0);
        assert_ok(loop_new(pair->io, &pair->loop, &note));
        assert_ok(net_sim_new(pair->loop, seed, weather, fds, &pair->net, &note));
        for (unsigned i = 0; i < 2; i++) {
                struct conn_options options = {.in_max = IN_MAX,
                                               .out_max = OUT_MAX,
                                               .got = on_got,
                                               .drained = on_drained,
                                               .secured = on_secured,
                                               .ended = on_ended,
                                               .user = &pair->sides[i]};

                assert_ok(conn_new(pair->loop, fds[i], &options, &pair->sides[i].conn, &note));
        }
        return pair;
}

static void free_pair(struct pair *pair) {
        for (unsigned i = 0; i < 2; i++) {
                if (pair->sides[i].conn)
                        conn_free(pair->sides[i].conn);
                buf_fini(&pair->sides[i].got);
        }
        net_sim_free(pair->net);
        loop_free(pair->loop);
        io_free(pair->io);
        free(pair);
}

static void secure(struct side *side, const struct tls_keys *keys, const char *host) {
        struct err_note note = {0};
        struct cover *cover;

        assert_ok(tls_cover_new(keys, host, &cover, &note));
        conn_secure(side->conn, cover, TLS_PATIENCE_NS);
}

static struct pair *new_secure_pair(uint64_t seed, const struct net_weather *weather) {
        struct pair *pair = new_pair(seed, weather);

        secure(&pair->sides[SERVER], server_keys, NULL);
        secure(&pair->sides[CLIENT], client_keys, "catena.test");
        net_sim_run(pair->loop, 10 * NET_SIM_SECOND);
        for (unsigned i = 0; i < 2; i++) {
                if (pair->sides[i].n_ended)
                        print_error("%u: %s\n", i, pair->sides[i].why.text);
                assert_int_equal(pair->sides[i].n_secured, 1);
                assert_int_equal(pair->sides[i].n_ended, 0);
        }
        return pair;
}

static void send_much(struct pair *pair, unsigned from, size_t n) {
        AUTO_FREE uint8_t *data = malloc(n);
        struct err_note note = {0};

        for (size_t i = 0; i < n; i++)
                data[i] = (uint8_t)(i * 31 + i / 253 + from);
        assert_ok(conn_send(pair->sides[from].conn, data, n, &note));
}

static void check_much(const struct pair *pair, unsigned from, size_t n) {
        const struct buf *got = &pair->sides[1 - from].got;

        assert_int_equal(got->n, n);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(got->data[i], (uint8_t)(i * 31 + i / 253 + from));
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static void bytes_go_both_ways_in_any_weather(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 6; seed++) {
                struct pair *pair = new_secure_pair(seed, seed & 1 ? &net_weather_bad : &net_weather_fine);

                send_much(pair, CLIENT, MUCH);
                send_much(pair, SERVER, MUCH / 3);
                net_sim_run(pair->loop, 3600 * NET_SIM_SECOND);
                check_much(pair, CLIENT, MUCH);
                check_much(pair, SERVER, MUCH / 3);
                assert_int_equal(conn_n_sent(pair->sides[CLIENT].conn), MUCH);
                assert_true(pair->sides[CLIENT].n_drained >= 1);
                /* It was not in clear text. */
                assert_true(net_sim_arrived(pair->net, CLIENT) > MUCH);
                free_pair(pair);
        }
}

/* In the weather where a record stops in the middle, too, the same bytes come first again. */
static void what_is_offered_goes_through_the_cover_in_any_weather(void **state) {
        (void)state;
        for (unsigned seed = 1; seed <= 20; seed++) {
                struct pair *pair = new_secure_pair(seed, seed & 1 ? &net_weather_bad : &net_weather_fine);
                AUTO_FREE uint8_t *data = malloc(MUCH);
                struct err_note note = {0};
                size_t at = 0, taken;

                for (size_t i = 0; i < MUCH; i++)
                        data[i] = (uint8_t)(i * 31 + i / 253 + CLIENT);
                for (unsigned i = 0; i < 100000 && at < MUCH; i++) {
                        size_t half = (MUCH - at) / 2;
                        struct iovec vec[2] = {{data + at, half}, {data + at + half, MUCH - at - half}};

                        assert_ok(conn_offer(pair->sides[CLIENT].conn, vec, 2, &taken, &note));
                        at += taken;
                        net_sim_run(pair->loop, NET_SIM_SECOND);
                }
                net_sim_run(pair->loop, 3600 * NET_SIM_SECOND);
                check_much(pair, CLIENT, MUCH);
                assert_true(net_sim_arrived(pair->net, CLIENT) > MUCH);
                free_pair(pair);
        }
}

/* STARTTLS: the answer to it goes in clear text, whether or not the socket has room for it just then. */
static void what_was_sent_before_goes_in_clear_text_before(void **state) {
        (void)state;
        for (size_t n = 10; n <= 100000; n *= 100) {
                struct pair *pair = new_pair(1, &net_weather_bad);

                send_much(pair, SERVER, n);
                secure(&pair->sides[SERVER], server_keys, NULL);
                for (unsigned i = 0; i < 10000 && pair->sides[CLIENT].got.n < n; i++)
                        net_sim_run(pair->loop, NET_SIM_SECOND / 100);
                check_much(pair, SERVER, n);
                assert_int_equal(net_sim_arrived(pair->net, SERVER), n);
                secure(&pair->sides[CLIENT], client_keys, NULL);
                net_sim_run(pair->loop, 10 * NET_SIM_SECOND);
                assert_int_equal(pair->sides[CLIENT].n_secured, 1);
                assert_int_equal(pair->sides[SERVER].n_secured, 1);
                free_pair(pair);
        }
}

/* A record has more bytes than a connection may hold, and the descriptor tells of it once. */
static void what_the_cover_holds_is_shown_when_there_is_room(void **state) {
        struct pair *pair = new_secure_pair(1, &net_weather_fine);
        size_t n;

        (void)state;
        pair->sides[SERVER].pauses = true;
        send_much(pair, CLIENT, 10 * IN_MAX);
        net_sim_run(pair->loop, 3600 * NET_SIM_SECOND);
        (void)conn_peek(pair->sides[SERVER].conn, &n);
        assert_int_equal(n, IN_MAX);
        pair->sides[SERVER].pauses = false;
        on_got(&pair->sides[SERVER]);
        net_sim_run(pair->loop, NET_SIM_SECOND);
        check_much(pair, CLIENT, 10 * IN_MAX);
        free_pair(pair);
}

static void who_does_not_read_is_waited_for_in_bounded_memory(void **state) {
        struct pair *pair = new_secure_pair(1, &net_weather_bad);
        struct err_note note = {0};
        size_t unsent;

        (void)state;
        pair->sides[SERVER].pauses = true;
        send_much(pair, CLIENT, OUT_MAX - 1000);
        net_sim_run(pair->loop, 5 * 3600 * NET_SIM_SECOND);
        unsent = conn_unsent(pair->sides[CLIENT].conn);
        assert_true(unsent > OUT_MAX - 100000);
        assert_err(conn_send(pair->sides[CLIENT].conn, &kit, OUT_MAX - unsent + 1, &note), ERR_TOO_LARGE,
                   "has not read");
        pair->sides[SERVER].pauses = false;
        on_got(&pair->sides[SERVER]);
        net_sim_run(pair->loop, 5 * 3600 * NET_SIM_SECOND);
        check_much(pair, CLIENT, OUT_MAX - 1000);
        free_pair(pair);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void an_end_that_was_said_is_told_from_one_that_was_not(void **state) {
        static const struct {
                void (*close)(struct conn *);
                enum err code;
        } table[] = {{conn_finish, ERR_CLOSED}, {conn_free, ERR_CUT_SHORT}, {conn_abort, ERR_CUT_SHORT}};

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct pair *pair = new_secure_pair(i, &net_weather_bad);

                send_much(pair, CLIENT, 500);
                net_sim_run(pair->loop, NET_SIM_SECOND);
                table[i].close(pair->sides[CLIENT].conn);
                if (i > 0)
                        pair->sides[CLIENT].conn = NULL;
                net_sim_run(pair->loop, NET_SIM_SECOND);
                check_much(pair, CLIENT, 500);
                assert_int_equal(pair->sides[SERVER].n_ended, 1);
                assert_int_equal(pair->sides[SERVER].why.code, table[i].code);
                free_pair(pair);
        }
}

static void the_end_follows_all_that_was_sent(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 4; seed++) {
                struct pair *pair = new_secure_pair(seed, seed & 1 ? &net_weather_bad : &net_weather_fine);
                struct err_note note = {0};

                send_much(pair, CLIENT, MUCH);
                conn_finish(pair->sides[CLIENT].conn);
                assert_err(conn_send(pair->sides[CLIENT].conn, "x", 1, &note), ERR_CLOSED,
                           "the end was said");
                net_sim_run(pair->loop, 3600 * NET_SIM_SECOND);
                check_much(pair, CLIENT, MUCH);
                assert_int_equal(pair->sides[SERVER].why.code, ERR_CLOSED);
                /* Who finished still hears, until the other side closes. */
                assert_int_equal(pair->sides[CLIENT].n_ended, 0);
                conn_free(TAKE(pair->sides[SERVER].conn));
                net_sim_run(pair->loop, NET_SIM_SECOND);
                assert_int_equal(pair->sides[CLIENT].n_ended, 1);
                free_pair(pair);
        }
}

static void a_connection_that_breaks_in_the_middle_is_cut_short(void **state) {
        (void)state;
        for (uint64_t at = 0; at < 3000; at += 177) {
                struct pair *pair = new_pair(at, &net_weather_bad);

                net_sim_reset_at(pair->net, SERVER, at);
                secure(&pair->sides[SERVER], server_keys, NULL);
                secure(&pair->sides[CLIENT], client_keys, NULL);
                net_sim_run(pair->loop, NET_SIM_SECOND);
                if (pair->sides[SERVER].n_secured)
                        send_much(pair, SERVER, 5000);
                net_sim_run(pair->loop, NET_SIM_SECOND);
                for (unsigned i = 0; i < 2; i++) {
                        assert_int_equal(pair->sides[i].n_ended, 1);
                        assert_true(pair->sides[i].why.code == ERR_CUT_SHORT ||
                                    pair->sides[i].why.code == ERR_CLOSED);
                }
                assert_true(pair->sides[CLIENT].got.n < 5000);
                if (pair->sides[CLIENT].n_secured)
                        assert_int_equal(pair->sides[CLIENT].why.code, ERR_CUT_SHORT);
                free_pair(pair);
        }
}

static void a_callback_may_free_the_connection(void **state) {
        struct pair *pair = new_pair(1, &net_weather_fine);

        (void)state;
        pair->sides[CLIENT].frees_when_secured = true;
        secure(&pair->sides[SERVER], server_keys, NULL);
        secure(&pair->sides[CLIENT], client_keys, NULL);
        net_sim_run(pair->loop, NET_SIM_SECOND);
        assert_null(pair->sides[CLIENT].conn);
        assert_int_equal(pair->sides[SERVER].n_ended, 1);
        free_pair(pair);
}

/* ---- agreeing -------------------------------------------------------------------------------- */

static void who_does_not_agree_in_time_is_left(void **state) {
        struct pair *pair = new_pair(1, &net_weather_bad);

        (void)state;
        secure(&pair->sides[SERVER], server_keys, NULL);
        net_sim_run(pair->loop, TLS_PATIENCE_NS - 1);
        assert_int_equal(pair->sides[SERVER].n_ended, 0);
        net_sim_run(pair->loop, 1);
        assert_int_equal(pair->sides[SERVER].n_ended, 1);
        assert_int_equal(pair->sides[SERVER].why.code, ERR_CUT_SHORT);
        free_pair(pair);
        /* Who did is not, whatever comes later. */
        pair = new_secure_pair(1, &net_weather_bad);
        net_sim_run(pair->loop, 24 * 3600 * NET_SIM_SECOND);
        assert_int_equal(pair->sides[SERVER].n_ended, 0);
        free_pair(pair);
}

static void who_speaks_another_protocol_is_refused(void **state) {
        struct pair *pair = new_pair(1, &net_weather_bad);
        struct err_note note = {0};

        (void)state;
        assert_ok(conn_send(pair->sides[CLIENT].conn, "GET / HTTP/1.1\r\n\r\n", 18, &note));
        secure(&pair->sides[SERVER], server_keys, NULL);
        net_sim_run(pair->loop, NET_SIM_SECOND);
        assert_int_equal(pair->sides[SERVER].n_ended, 1);
        assert_int_equal(pair->sides[SERVER].why.code, ERR_CORRUPT);
        assert_non_null(strstr(pair->sides[SERVER].why.text, "agree on TLS: TLS: "));
        free_pair(pair);
}

/* Each row: the two sides' keys, and what is told to which. */
static void check_refusal(const struct tls_options *server, const struct tls_options *client,
                          const char *host, unsigned who, const char *words) {
        struct pair *pair = new_pair(1, &net_weather_fine);
        AUTO(tls_keys_free) struct tls_keys *of_server = NULL, *of_client = NULL;
        struct err_note note = {0};
        const struct side *side = &pair->sides[who];

        assert_ok(tls_keys_load(server, &of_server, &note));
        assert_ok(tls_keys_load(client, &of_client, &note));
        secure(&pair->sides[SERVER], of_server, NULL);
        secure(&pair->sides[CLIENT], of_client, host);
        net_sim_run(pair->loop, NET_SIM_SECOND);
        assert_int_equal(side->n_ended, 1);
        if (side->why.code != ERR_DENIED || !strstr(side->why.text, words)) {
                print_error("%s: %s\n", err_name(side->why.code), side->why.text);
                fail();
        }
        assert_int_equal(pair->sides[SERVER].n_secured, 0);
        net_sim_run(pair->loop, NET_SIM_SECOND);
        assert_int_equal(pair->sides[SERVER].n_ended, 1);
        free_pair(pair);
}

static void who_is_not_believed_is_refused(void **state) {
        struct tls_kit other, old;
        struct tls_options server = {.x509_folder = kit.folder, .verifies_peer = true},
                           client = {.is_client = true, .x509_folder = kit.folder},
                           of_other = {.is_client = true}, of_old = {0};

        (void)state;
        tls_kit_init(&other, 10);
        tls_kit_init(&old, -1);
        of_other.x509_folder = other.folder;
        of_old.x509_folder = old.folder;
        check_refusal(&server, &client, "another.test", CLIENT, "does not match the expected");
        check_refusal(&server, &of_other, NULL, CLIENT, "issuer is unknown");
        check_refusal(&server, &of_other, NULL, SERVER, "agree on TLS: TLS: the other side says: ");
        client.x509_folder = old.folder;
        check_refusal(&of_old, &client, NULL, CLIENT, "expired");
        tls_kit_fini(&other);
        tls_kit_fini(&old);
}

/* The client's folder: the CA of this test, and as asked a certificate of its own. */
static unsigned try_client(bool verifies, bool shows_certificate, bool of_other_ca) {
        struct tls_kit mine;
        AUTO(tls_keys_free) struct tls_keys *of_server = NULL, *of_client = NULL;
        struct tls_options server = {.x509_folder = kit.folder, .verifies_peer = verifies},
                           client = {.is_client = true};
        struct pair *pair = new_pair(1, &net_weather_fine);
        AUTO_FREE char *from = mem_format("%s/ca-cert.pem", kit.folder);
        char text[4096];
        FILE *file = fopen(from, "r");
        struct err_note note = {0};
        unsigned n_secured;

        tls_kit_init(&mine, 10);
        client.x509_folder = mine.folder;
        tls_kit_text(&mine, "ca-cert.pem", text, fread(text, 1, sizeof text, file));
        fclose(file);
        if (!shows_certificate)
                tls_kit_remove(&mine, "client-cert.pem");
        if (shows_certificate && !of_other_ca)
                client.x509_folder = kit.folder;
        assert_ok(tls_keys_load(&server, &of_server, &note));
        assert_ok(tls_keys_load(&client, &of_client, &note));
        secure(&pair->sides[SERVER], of_server, NULL);
        secure(&pair->sides[CLIENT], of_client, NULL);
        net_sim_run(pair->loop, NET_SIM_SECOND);
        n_secured = pair->sides[SERVER].n_secured;
        if (!n_secured) {
                assert_int_equal(pair->sides[SERVER].why.code, ERR_DENIED);
                assert_int_equal(pair->sides[CLIENT].n_ended, 1);
        }
        free_pair(pair);
        tls_kit_fini(&mine);
        return n_secured;
}

static void a_server_asks_for_a_certificate_where_it_is_told_to(void **state) {
        (void)state;
        assert_int_equal(try_client(false, false, false), 1);
        assert_int_equal(try_client(true, true, false), 1);
        assert_int_equal(try_client(true, false, false), 0);
        assert_int_equal(try_client(true, true, true), 0);
        assert_int_equal(try_client(false, true, true), 1); /* not asked for, not looked at */
}

static void who_is_believed_no_more_is_refused(void **state) {
        struct tls_kit mine;
        struct tls_kit_cert ca, client;
        struct tls_options options = {.verifies_peer = true}, of_client = {.is_client = true};
        gnutls_x509_crl_t crl;
        gnutls_datum_t text;
        time_t now = time(NULL);

        (void)state;
        ca = tls_kit_cert("a CA that changes its mind", NULL, 10);
        tls_kit_init(&mine, 10);
        options.x509_folder = of_client.x509_folder = mine.folder;
        tls_kit_put(&mine, "ca", &ca);
        client = tls_kit_cert("catena.test", &ca, 10);
        tls_kit_put(&mine, "server", &client);
        tls_kit_free(&client);
        client = tls_kit_cert("client.test", &ca, 10);
        tls_kit_put(&mine, "client", &client);
        KIT_OK(gnutls_x509_crl_init(&crl));
        KIT_OK(gnutls_x509_crl_set_version(crl, 2));
        KIT_OK(gnutls_x509_crl_set_this_update(crl, now - 86400));
        KIT_OK(gnutls_x509_crl_set_next_update(crl, now + 86400));
        KIT_OK(gnutls_x509_crl_set_crt(crl, client.cert, now - 86400));
        KIT_OK(gnutls_x509_crl_sign2(crl, ca.cert, ca.key, GNUTLS_DIG_SHA256, 0));
        KIT_OK(gnutls_x509_crl_export2(crl, GNUTLS_X509_FMT_PEM, &text));
        tls_kit_text(&mine, "ca-crl.pem", text.data, text.size);
        check_refusal(&options, &of_client, "catena.test", SERVER, "revoked");
        gnutls_free(text.data);
        gnutls_x509_crl_deinit(crl);
        tls_kit_free(&client);
        tls_kit_free(&ca);
        tls_kit_fini(&mine);
}

/* ---- keys of many ---------------------------------------------------------------------------- */

static void *talk_often(void *user) {
        unsigned *n_secured = user;

        for (uint64_t seed = 1; seed <= 5; seed++) {
                struct pair *pair = new_pair(seed, &net_weather_fine);

                secure(&pair->sides[SERVER], server_keys, NULL);
                secure(&pair->sides[CLIENT], client_keys, "catena.test");
                net_sim_run(pair->loop, NET_SIM_SECOND);
                *n_secured += pair->sides[SERVER].n_secured;
                free_pair(pair);
        }
        return NULL;
}

static void keys_are_used_by_many_threads_at_once(void **state) {
        pthread_t threads[3];
        unsigned n_secured[3] = {0};

        (void)state;
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, talk_often, &n_secured[i]), 0);
        for (unsigned i = 0; i < 3; i++) {
                pthread_join(threads[i], NULL);
                assert_int_equal(n_secured[i], 5);
        }
}

static void shared_keys_do_as_well(void **state) {
        AUTO_FREE char *path = mem_format("%s/keys.psk", kit.folder);
        AUTO_FREE char *wrong_path = mem_format("%s/client-key.pem", kit.folder);
        struct tls_kit other;
        struct tls_options server = {.psk_file = path},
                           client = {.is_client = true, .psk_file = path, .psk_user = "alice"};
        AUTO(tls_keys_free) struct tls_keys *of_server = NULL, *of_client = NULL, *of_none = NULL;
        struct pair *pair = new_pair(1, &net_weather_bad);
        AUTO_FREE char *other_path = NULL;
        struct err_note note = {0};

        (void)state;
        assert_ok(tls_keys_load(&server, &of_server, &note));
        assert_ok(tls_keys_load(&client, &of_client, &note));
        secure(&pair->sides[SERVER], of_server, NULL);
        secure(&pair->sides[CLIENT], of_client, NULL);
        net_sim_run(pair->loop, 10 * NET_SIM_SECOND);
        assert_int_equal(pair->sides[SERVER].n_secured, 1);
        send_much(pair, CLIENT, MUCH);
        net_sim_run(pair->loop, 3600 * NET_SIM_SECOND);
        check_much(pair, CLIENT, MUCH);
        free_pair(pair);

        client.psk_user = "carol";
        assert_err(tls_keys_load(&client, &of_none, &note), ERR_NOT_FOUND, "it has no key of carol");
        server.psk_file = wrong_path;
        assert_err(tls_keys_load(&server, &of_none, &note), ERR_CORRUPT, "no line of it is USER:HEX");
        server.psk_file = path;

        /* A key that is another's. */
        tls_kit_init(&other, 10);
        tls_kit_text(&other, "keys.psk", "alice:ffffffffffffffff\n", 23);
        other_path = mem_format("%s/keys.psk", other.folder);
        client.psk_user = "alice";
        client.psk_file = other_path;
        tls_keys_free(TAKE(of_client));
        assert_ok(tls_keys_load(&client, &of_client, &note));
        pair = new_pair(1, &net_weather_fine);
        secure(&pair->sides[SERVER], of_server, NULL);
        secure(&pair->sides[CLIENT], of_client, NULL);
        net_sim_run(pair->loop, NET_SIM_SECOND);
        assert_int_equal(pair->sides[SERVER].n_secured, 0);
        assert_int_equal(pair->sides[SERVER].n_ended, 1);
        free_pair(pair);
        tls_kit_fini(&other);
}

/* ---- loading --------------------------------------------------------------------------------- */

static void a_pair_may_be_named_by_its_files(void **state) {
        AUTO(tls_keys_free) struct tls_keys *keys = NULL, *of_none = NULL;
        AUTO_FREE char *cert = mem_format("%s/server-cert.pem", kit.folder);
        AUTO_FREE char *key = mem_format("%s/server-key.pem", kit.folder);
        struct err_note note = {0};
        struct tls_options options = {.certificate_file = cert, .key_file = key};

        (void)state;
        assert_ok(tls_keys_load(&options, &keys, &note));
        options.key_file = cert;
        assert_err(tls_keys_load(&options, &of_none, &note), ERR_CORRUPT, "server-cert.pem");
        options.key_file = "/nowhere/key.pem";
        assert_err(tls_keys_load(&options, &of_none, &note), ERR_NOT_FOUND, "/nowhere/key.pem");
}

/* Of the one side; what the other shows does not matter. */
static void keys_are_changed_under_those_who_use_them(void **state) {
        AUTO(tls_keys_free) struct tls_keys *keys = NULL;
        AUTO_FREE char *cert = mem_format("%s/server-cert.pem", kit.folder);
        AUTO_FREE char *key = mem_format("%s/server-key.pem", kit.folder);
        struct tls_options options = {.certificate_file = cert, .key_file = key};
        struct cover *old, *new;
        struct err_note note = {0};

        (void)state;
        assert_ok(tls_keys_load(&options, &keys, &note));
        assert_ok(tls_cover_new(keys, NULL, &old, &note));
        assert_ok(tls_keys_reload(keys, &options, &note));
        assert_ok(tls_cover_new(keys, NULL, &new, &note));
        options.key_file = "/nowhere/key.pem";
        assert_err(tls_keys_reload(keys, &options, &note), ERR_NOT_FOUND, "/nowhere/key.pem");
        old->ops->free(old);
        assert_ok(tls_cover_new(keys, NULL, &old, &note));
        old->ops->free(old);
        new->ops->free(new);
}

static void rename_in(const struct tls_kit *in, const char *from, const char *to) {
        AUTO_FREE char *old = mem_format("%s/%s", in->folder, from);
        AUTO_FREE char *new = mem_format("%s/%s", in->folder, to);

        assert_int_equal(rename(old, new), 0);
}

static void keys_that_cannot_be_read_are_named(void **state) {
        struct tls_kit mine;
        struct tls_options server = {.verifies_peer = true}, client = {.is_client = true};
        struct tls_kit_cert ca = tls_kit_cert("another CA", NULL, 10), made;
        struct tls_keys *keys;
        struct err_note note = {0};

        (void)state;
        tls_kit_init(&mine, 10);
        server.x509_folder = client.x509_folder = mine.folder;
        made = tls_kit_cert("catena.test", &ca, 10);
        tls_kit_put(&mine, "ca", &made); /* leaves the others as they are */
        assert_ok(tls_keys_load(&server, &keys, &note));
        tls_keys_free(keys);
        tls_kit_put(&mine, "other", &made);
        rename_in(&mine, "other-key.pem", "server-key.pem");
        assert_err(tls_keys_load(&server, &keys, &note), ERR_MISMATCH, "server-key.pem: ");
        assert_non_null(strstr(note.text, "server-cert.pem"));
        tls_kit_text(&mine, "server-cert.pem", "nothing", 7);
        assert_err(tls_keys_load(&server, &keys, &note), ERR_CORRUPT, "server-cert.pem");
        tls_kit_remove(&mine, "server-key.pem");
        assert_err(tls_keys_load(&server, &keys, &note), ERR_NOT_FOUND, "server-key.pem: No such file");
        tls_kit_remove(&mine, "server-cert.pem");
        assert_err(tls_keys_load(&server, &keys, &note), ERR_NOT_FOUND, "server-cert.pem: No such file");
        tls_kit_text(&mine, "ca-cert.pem", "nothing", 7);
        assert_err(tls_keys_load(&server, &keys, &note), ERR_CORRUPT, "ca-cert.pem: ");
        tls_kit_remove(&mine, "ca-cert.pem");
        assert_err(tls_keys_load(&server, &keys, &note), ERR_NOT_FOUND, "ca-cert.pem: No such file");
        assert_err(tls_keys_load(&client, &keys, &note), ERR_NOT_FOUND, "load TLS keys: read ");
        tls_kit_fini(&mine);
        tls_kit_free(&made);
        tls_kit_free(&ca);
}

static int set_up_group(void **state) {
        struct tls_options server = {0}, client = {.is_client = true};
        struct err_note note = {0};

        (void)state;
        tls_kit_init(&kit, 10);
        server.x509_folder = client.x509_folder = kit.folder;
        assert_ok(tls_keys_load(&server, &server_keys, &note));
        assert_ok(tls_keys_load(&client, &client_keys, &note));
        return 0;
}

static int tear_down_group(void **state) {
        (void)state;
        tls_keys_free(server_keys);
        tls_keys_free(client_keys);
        tls_kit_fini(&kit);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bytes_go_both_ways_in_any_weather),
                cmocka_unit_test(what_is_offered_goes_through_the_cover_in_any_weather),
                cmocka_unit_test(what_was_sent_before_goes_in_clear_text_before),
                cmocka_unit_test(what_the_cover_holds_is_shown_when_there_is_room),
                cmocka_unit_test(who_does_not_read_is_waited_for_in_bounded_memory),
                cmocka_unit_test(an_end_that_was_said_is_told_from_one_that_was_not),
                cmocka_unit_test(the_end_follows_all_that_was_sent),
                cmocka_unit_test(a_connection_that_breaks_in_the_middle_is_cut_short),
                cmocka_unit_test(a_callback_may_free_the_connection),
                cmocka_unit_test(who_does_not_agree_in_time_is_left),
                cmocka_unit_test(who_speaks_another_protocol_is_refused),
                cmocka_unit_test(who_is_not_believed_is_refused),
                cmocka_unit_test(a_server_asks_for_a_certificate_where_it_is_told_to),
                cmocka_unit_test(who_is_believed_no_more_is_refused),
                cmocka_unit_test(keys_are_used_by_many_threads_at_once),
                cmocka_unit_test(shared_keys_do_as_well),
                cmocka_unit_test(a_pair_may_be_named_by_its_files),
                cmocka_unit_test(keys_are_changed_under_those_who_use_them),
                cmocka_unit_test(keys_that_cannot_be_read_are_named),
        };

        return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
