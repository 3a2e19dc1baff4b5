// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "fixture_vault.h"
#include "session.h"
#include "target_sim.h"

static bool is_there(struct vault *vault, const struct vault_name *name, const char *suffix) {
        AUTO_FREE char *path = mem_format("sessions/%s%s", vault_name_format(name).s, suffix);
        struct err_note note;
        uint64_t size;

        return target_size(vault->target, path, &size, &note) == ERR_NONE;
}

static void a_session_says_that_it_is_there_until_it_ends(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(target_sim_free) struct target_sim *place = target_sim_new(1);
        AUTO(vault_close) struct vault *vault = NULL;
        struct session session;
        struct err_note note;
        bool is_broken;

        (void)state;
        assert_ok(fixture_vault_make(io, target_sim_open(place), true, &vault, &note));
        assert_ok(session_begin(vault, VAULT_SESSION_WRITE, &session, &note));
        assert_true(is_there(vault, &session.name, ""));
        assert_ok(session_beat(&session, &note));
        assert_false(is_there(vault, &session.name, ".1"));
        for (unsigned i = 1; i <= 3; i++) {
                AUTO_FREE char *beat = mem_format(".%u", i);

                io_sim_advance(io, (uint64_t)SESSION_BEAT_SECONDS * 1000000000);
                assert_ok(session_beat(&session, &note));
                assert_ok(session_beat(&session, &note));
                assert_true(is_there(vault, &session.name, beat));
        }
        assert_false(is_there(vault, &session.name, ".4"));
        assert_ok(session_is_broken(&session, &is_broken, &note));
        assert_false(is_broken);
        assert_ok(vault_put_object(vault, VAULT_SESSION_BROKEN, &session.name,
                                   (struct span){(const uint8_t *)"{}", 2}, NULL, &note));
        assert_ok(session_is_broken(&session, &is_broken, &note));
        assert_true(is_broken);
        assert_ok(session_end(&session, &note));
        assert_true(is_there(vault, &session.name, ".done"));
        session_fini(&session);
}

static void a_beat_that_failed_is_not_put_again(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(target_sim_free) struct target_sim *place = target_sim_new(1);
        AUTO(vault_close) struct vault *vault = NULL;
        struct session session;
        struct err_note note;

        (void)state;
        assert_ok(fixture_vault_make(io, target_sim_open(place), true, &vault, &note));
        assert_ok(session_begin(vault, VAULT_SESSION_READ, &session, &note));
        io_sim_advance(io, (uint64_t)SESSION_BEAT_SECONDS * 1000000000);
        target_sim_fail_at(place, 1, ERR_IO, true);
        assert_int_equal(session_beat(&session, &note), ERR_IO);
        assert_true(is_there(vault, &session.name, ".1"));
        io_sim_advance(io, (uint64_t)SESSION_BEAT_SECONDS * 1000000000);
        assert_ok(session_beat(&session, &note));
        assert_true(is_there(vault, &session.name, ".2"));
        session_fini(&session);
}

static void a_listing_that_lags_is_waited_for(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(target_sim_free) struct target_sim *place = target_sim_new(1);
        AUTO(vault_close) struct vault *vault = NULL;
        struct session session;
        struct err_note note;
        uint64_t before;
        bool is_broken;

        (void)state;
        assert_ok(fixture_vault_make(io, target_sim_open(place), true, &vault, &note));
        vault->config.list_lag_seconds = 120;
        before = io_now_ns(io);
        assert_ok(session_begin(vault, VAULT_SESSION_WRITE, &session, &note));
        assert_int_equal(io_now_ns(io) - before, 120ull * 1000000000);
        assert_ok(session_is_broken(&session, &is_broken, &note));
        assert_int_equal(io_now_ns(io) - before, 240ull * 1000000000);
        session_fini(&session);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_session_says_that_it_is_there_until_it_ends),
                cmocka_unit_test(a_beat_that_failed_is_not_put_again),
                cmocka_unit_test(a_listing_that_lags_is_waited_for),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
