// SPDX-License-Identifier: Apache-2.0
#include "call_kit.h"

#include "config.h"

static void take(struct config *config, const char *file, const char *text) {
        config_take(config, file, text, strlen(text));
}

/* One file, settled. */
static void read_text(struct config *config, const char *text) {
        config_init(config);
        take(config, "c.conf", text);
        config_settle(config);
}

static void nothing_said_lets_only_this_host_in(void **state) {
        AUTO(config_fini) struct config config = {0};

        (void)state;
        read_text(&config, "");
        assert_int_equal(config.errors.n, 0);
        assert_int_equal(config.http.each.list.n, 0);
        assert_int_equal(config.http.tls, CONFIG_TLS_REQUIRED);
        assert_false(config.http.allows_plain);
        assert_null(config.state_dir);
}

static void all_that_may_stand_there_is_understood(void **state) {
        AUTO(config_fini) struct config config = {0};

        (void)state;
        read_text(&config, "# a comment\n"
                           "[daemon]\nstate-dir = /state ; another\nlog = debug\naddress = storage-3\n"
                           "[http]\n\tlisten = 127.0.0.1:80 [::1]:80\nlisten: localhost:0\ntls = off\n"
                           "certificate = c.pem\nkey = /k.pem\nconnections = 7\nallow-plain = no\n"
                           "[nbd]\nlisten = 127.0.0.1:10809 [::1]:10809\nunix = nbd.sock\ntls = required\n"
                           "[sr main]\ndir = /srs/main\ncreate = yes\n[sr other]\ndir=/srs/other\n");
        assert_int_equal(config.errors.n, 0);
        assert_string_equal(config.state_dir, "/state");
        assert_string_equal(config.address, "storage-3");
        assert_int_equal(config.log, CONFIG_LOG_DEBUG);
        assert_int_equal(config.http.each.list.n, 3);
        assert_string_equal(config.http.each.list.data[1].text, "[::1]:80");
        assert_string_equal(config.http.each.list.data[2].where, "c.conf:8");
        assert_int_equal(config.http.tls, CONFIG_TLS_OFF);
        assert_int_equal(config.http.n_connections, 7);
        assert_string_equal(config.certificate, "c.pem");
        assert_string_equal(config.key, "/k.pem");
        assert_string_equal(config.nbd.each.list.data[0].text, "127.0.0.1:10809");
        assert_string_equal(config.nbd.each.list.data[1].text, "[::1]:10809");
        assert_int_equal(config.nbd.tls, CONFIG_TLS_REQUIRED);
        assert_string_equal(config.nbd_unix, "nbd.sock");
        assert_int_equal(config.srs.n, 2);
        assert_string_equal(config.srs.data[0].name, "main");
        assert_string_equal(config.srs.data[0].dir, "/srs/main");
        assert_true(config.srs.data[0].may_create && !config.srs.data[1].may_create);
}

static void what_is_wrong_is_told_with_its_place_and_what_was_meant(void **state) {
        static const struct {
                const char *text, *error;
        } rows[] = {
                {"[http]\nlisen = 127.0.0.1:80\n",
                 "c.conf:2: unknown key 'lisen' in [http]; did you mean 'listen'?"},
                {"[http]\nunix = /s\n", "c.conf:2: unknown key 'unix' in [http]; it belongs to [nbd]"},
                {"[http]\nzzzzzzz = 1\n", "c.conf:2: unknown key 'zzzzzzz' in [http]"},
                {"\n[htpp]\nlisten = 127.0.0.1:80\n",
                 "c.conf:2: unknown section [htpp]; did you mean [http]?"},
                {"[mail]\n", "c.conf:1: unknown section [mail]"},
                {"listen = 127.0.0.1:80\n", "c.conf:1: 'listen' stands in no section"},
                {"[http]\nlisten\n", "c.conf:2: neither a [section] nor key = value"},
                {"[http\n", "c.conf:1: neither a [section] nor key = value"},
                {"[http]\nlisten = 127.0.0.1\n",
                 "c.conf:2: '127.0.0.1' is not HOST:PORT, [V6]:PORT or :PORT"},
                {"[http]\nlisten =\n", "c.conf:2: an address is wanted, HOST:PORT, or none"},
                {"[http]\ntls = maybe\n", "c.conf:2: 'maybe' is neither yes nor no"},
                {"[http]\ntls = on\n\ntls = on\n", "c.conf:4: 'tls' is given twice"},
                {"[http]\nconnections = 0\n", "c.conf:2: '0' is not a number from 1 to 16384"},
                {"[nbd]\ntls = require\n",
                 "c.conf:2: 'require' is none of off, on, required; did you mean 'required'?"},
                {"[daemon]\nlog = loud\n", "c.conf:2: 'loud' is none of error, info, debug"},
                {"[daemon]\nstate-dir =\n", "c.conf:2: a path is wanted"},
                {"[daemon main]\n", "c.conf:1: [daemon] has no name of its own: 'main'"},
                {"[daemon]\naddress = a b\n", "c.conf:2: 'a b' is not the name or address of a host"},
                {"[sr]\ndir = /a\n",
                 "c.conf:1: [sr NAME]: a name without blanks, quotes and slashes is wanted"},
                {"[sr a]\ncreate = yes\n", "c.conf:1: [sr a] has no dir"},
                {"[sr a]\ndir = /a\n[sr b]\ndir = /a\n", "c.conf:3: [sr b] and [sr a] are of one dir, /a"},
                {"[http]\ncertificate = /a\n", "c.conf: certificate and key go together: key is missing"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO(config_fini) struct config config = {0};

                read_text(&config, rows[i].text);
                if (config.errors.n != 1)
                        print_message("%s", rows[i].text);
                assert_int_equal(config.errors.n, 1);
                assert_string_equal(config.errors.data[0], rows[i].error);
        }
}

static void all_that_is_wrong_is_told_at_once(void **state) {
        AUTO(config_fini) struct config config = {0};

        (void)state;
        read_text(&config, "[http]\na = 1\nb = 2\n[c]\n");
        assert_int_equal(config.errors.n, 3);
}

static void plain_text_to_other_hosts_must_be_meant(void **state) {
        static const struct {
                const char *text;
                bool is_good;
        } rows[] = {
                {"[http]\nlisten = 0.0.0.0:80\ntls = off\n", false},
                {"[http]\nlisten = :80\ntls = off\n", false},
                {"[http]\nlisten = 127.0.0.1:80 10.0.0.1:80\ntls = off\n", false},
                {"[http]\nlisten = 0.0.0.0:80\ntls = off\nallow-plain = yes\n", true},
                {"[http]\nlisten = 0.0.0.0:443\n", true},
                {"[http]\nlisten = 127.0.0.1:80\ntls = off\n", true},
                {"[nbd]\nlisten = 0.0.0.0:10809\n", false},
                {"[nbd]\nlisten = 0.0.0.0:10809\ntls = on\n", false},
                {"[nbd]\nlisten = 0.0.0.0:10809\ntls = required\n", true},
                {"[nbd]\nlisten = 0.0.0.0:10809\nallow-plain = yes\n", true},
                {"[nbd]\nlisten = [::1]:10809\n", true},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO(config_fini) struct config config = {0};

                read_text(&config, rows[i].text);
                assert_int_equal(config.errors.n == 0, rows[i].is_good);
                if (!rows[i].is_good)
                        assert_non_null(strstr(config.errors.data[0], "allow-plain = yes if that is meant"));
        }
}

static void lines_that_inih_would_misread_are_told_of(void **state) {
        AUTO(config_fini) struct config config = {0}, nul = {0}, section = {0};
        char text[1000] = "[daemon]\nstate-dir = /";

        (void)state;
        memset(text + strlen(text), 'a', 500);
        strcat(text, "\nlog = debug");
        read_text(&config, text);
        assert_int_equal(config.errors.n, 1);
        assert_non_null(strstr(config.errors.data[0], "c.conf:2: the line is longer than"));
        assert_int_equal(config.log, CONFIG_LOG_DEBUG);
        config_init(&nul);
        config_take(&nul, "c.conf", "[http]\ntls\0 = off\n", 18);
        assert_string_equal(nul.errors.data[0], "c.conf:2: this is not text");
        snprintf(text, sizeof text, "[sr %060d]\ndir = /a\n", 7);
        read_text(&section, text);
        assert_int_equal(section.errors.n, 1);
        assert_non_null(strstr(section.errors.data[0], "name is longer than 49 bytes"));
        assert_int_equal(section.srs.n, 0);
}

static void a_line_with_blanks_in_front_is_a_line_of_its_own(void **state) {
        AUTO(config_fini) struct config config = {0};

        (void)state;
        read_text(&config, "[daemon]\n  log = error\n  address = a\n");
        assert_int_equal(config.errors.n, 0);
        assert_int_equal(config.log, CONFIG_LOG_ERROR);
        assert_string_equal(config.address, "a");
}

static void a_later_file_wins(void **state) {
        AUTO(config_fini) struct config config = {0};

        (void)state;
        config_init(&config);
        take(&config, "a",
             "[daemon]\nlog = debug\n[http]\nlisten = 127.0.0.1:1\nlisten = 127.0.0.1:2\n[sr m]\ndir = /a\n");
        take(&config, "b", "[daemon]\nlog = error\n[http]\nlisten = 127.0.0.1:3\n[sr m]\ncreate = yes\n");
        config_settle(&config);
        assert_int_equal(config.errors.n, 0);
        assert_int_equal(config.log, CONFIG_LOG_ERROR);
        assert_int_equal(config.http.each.list.n, 1);
        assert_string_equal(config.http.each.list.data[0].text, "127.0.0.1:3");
        assert_int_equal(config.srs.n, 1);
        assert_true(config.srs.data[0].may_create);
        assert_string_equal(config.srs.data[0].dir, "/a");
}

static void what_needs_a_restart_is_named(void **state) {
        static const struct {
                const char *now, *names;
        } rows[] = {
                {"[http]\nlisten = 127.0.0.1:1\n[sr a]\ndir = /a\n", NULL},
                {"[daemon]\nlog = debug\n[http]\nlisten = 127.0.0.1:1\nkey = /k\ncertificate = /c\n[sr "
                 "a]\ndir = /a\n",
                 NULL},
                {"[http]\nlisten = 127.0.0.1:2\n[sr a]\ndir = /a\n", "[http]"},
                {"[http]\nlisten = none\n[sr a]\ndir = /b\n", "[http], [sr a]"},
                {"[http]\nlisten = 127.0.0.1:1\n[sr b]\ndir = /a\n", "[sr a], [sr b]"},
                {"[daemon]\nstate-dir = /s\n[http]\nlisten = 127.0.0.1:1\n[nbd]\nunix = /n\n[sr a]\ndir = "
                 "/a\n",
                 "[daemon], [nbd]"},
        };
        AUTO(config_fini) struct config old = {0};

        (void)state;
        read_text(&old, rows[0].now);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO(config_fini) struct config now = {0};
                AUTO_FREE char *names = NULL;

                read_text(&now, rows[i].now);
                names = config_needs_restart(&old, &now);
                if (rows[i].names)
                        assert_string_equal(names, rows[i].names);
                else
                        assert_null(names);
        }
}

static void none_listens_nowhere(void **state) {
        AUTO(config_fini) struct config config = {0};

        (void)state;
        read_text(&config, "[http]\nlisten = none\n");
        assert_int_equal(config.errors.n, 0);
        assert_true(config.http.is_off);
}

static void put(struct io *io, const char *path, const char *text) {
        kit_put_file(io, path, text, strlen(text));
}

static void files_are_read_in_order_and_paths_lie_beside_them(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(config_fini) struct config config = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(io_make_dir(io, "/etc", &note));
        assert_ok(io_make_dir(io, "/etc/conf.d", &note));
        assert_ok(io_make_dir(io, "/etc/c.conf.d", &note));
        put(io, "/etc/c.conf", "[daemon]\nstate-dir = state\nlog = debug\n");
        put(io, "/etc/conf.d/b.conf", "[daemon]\nlog = info\naddress = b\n");
        put(io, "/etc/conf.d/a.conf", "[daemon]\naddress = a\n");
        put(io, "/etc/conf.d/a.conf.old", "nonsense");
        put(io, "/etc/conf.d/.a.conf", "nonsense");
        put(io, "/etc/c.conf.d/z.conf", "[daemon]\nlog = error\n[sr x]\ndir = ../x\n");
        assert_ok(config_read(io, "/etc/c.conf", &config, &note));
        assert_string_equal(config.state_dir, "/etc/state");
        assert_string_equal(config.address, "b");
        assert_int_equal(config.log, CONFIG_LOG_ERROR);
        assert_string_equal(config.srs.data[0].dir, "/etc/c.conf.d/../x");
        assert_int_equal(config.files.n, 4);
}

static void a_wrong_file_is_named(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(config_fini) struct config config = {0}, other = {0}, none = {0};
        struct err_note note = {0};

        (void)state;
        assert_err(config_read(io, "/none.conf", &none, &note), ERR_NOT_FOUND, "/none.conf");
        put(io, "/one.conf", "[http]\na = 1\n");
        assert_err(config_read(io, "/one.conf", &config, &note), ERR_INVALID, "/one.conf:2: unknown key 'a'");
        put(io, "/two.conf", "[http]\na = 1\nb = 2\nc = 3\n");
        assert_err(config_read(io, "/two.conf", &other, &note), ERR_INVALID, "and 2 more");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_said_lets_only_this_host_in),
                cmocka_unit_test(all_that_may_stand_there_is_understood),
                cmocka_unit_test(what_is_wrong_is_told_with_its_place_and_what_was_meant),
                cmocka_unit_test(all_that_is_wrong_is_told_at_once),
                cmocka_unit_test(plain_text_to_other_hosts_must_be_meant),
                cmocka_unit_test(lines_that_inih_would_misread_are_told_of),
                cmocka_unit_test(a_line_with_blanks_in_front_is_a_line_of_its_own),
                cmocka_unit_test(a_later_file_wins),
                cmocka_unit_test(what_needs_a_restart_is_named),
                cmocka_unit_test(none_listens_nowhere),
                cmocka_unit_test(files_are_read_in_order_and_paths_lie_beside_them),
                cmocka_unit_test(a_wrong_file_is_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
