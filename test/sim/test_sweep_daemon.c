// SPDX-License-Identifier: Apache-2.0
/* What a daemon makes at its first start: a certificate and its key, which fit whenever the first start
 * was cut off. */
#include "check.h"

#include <stdio.h>

#include "daemon_tls.h"
#include "mem.h"
#include "sweep.h"

static struct tls_pair real; /* owned by the group; making one takes too long for each point */
static unsigned n_made;

/* Pairs that can be told apart; text in front of a certificate is skipped. */
static enum err make_pair(const struct tls_wanted *wanted, struct tls_pair *ret, struct err_note *note) {
        (void)wanted;
        (void)note;
        n_made++;
        ret->certificate = mem_format("%06u\n%s", n_made, real.certificate);
        ret->key = mem_format("%06u\n", n_made);
        return ERR_NONE;
}

static const struct daemon_tls_options options = {.state_dir = "/state", .host = "alpha", .make = make_pair};

static enum err make_state_dir(struct io *io, void *ctx, struct err_note *note) {
        (void)ctx;
        return io_make_dir(io, "/state", note);
}

static enum err find(struct io *io, void *ctx, struct err_note *note) {
        AUTO(daemon_tls_fini) struct daemon_tls tls = {0};

        (void)ctx;
        return daemon_tls_find(io, &options, &tls, note);
}

static enum err they_fit(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        AUTO(daemon_tls_fini) struct daemon_tls tls = {0};
        AUTO(io_close) struct io_file *file = NULL;
        char key[8] = "";

        (void)ctx;
        if (daemon_tls_find(io, &options, &tls, note))
                return note->code;
        if (outcome == SWEEP_DONE && tls.was_made)
                return sweep_violation(note, "what was made is gone");
        if (io_open(io, tls.key_file, IO_READ, &file, note) || io_read(file, key, 7, 0, note))
                return note->code;
        return memcmp(key, tls.pem, 7) == 0 ? ERR_NONE : sweep_violation(note, "the key is of another pair");
}

static void a_first_start_that_is_cut_off_is_made_good(void **state) {
        static const struct sweep sweep = {
                .name = "daemon_tls", .setup = make_state_dir, .operate = find, .check = they_fit};

        (void)state;
        assert_int_equal(sweep_all(&sweep, 0), 0);
}

static int set_up(void **state) {
        const struct tls_wanted wanted = {.name = "alpha", .now = 1800000000};
        struct err_note note = {0};

        (void)state;
        return tls_make_pair(&wanted, &real, &note) ? -1 : 0;
}

static int tear_down(void **state) {
        (void)state;
        tls_pair_fini(&real);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_first_start_that_is_cut_off_is_made_good),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
