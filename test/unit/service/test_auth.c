// SPDX-License-Identifier: Apache-2.0
#include "objects_kit.h"

#include "auth.h"
#include "private_file.h"

#define SECOND 1000000000ull
#define DAY    (24 * 3600 * SECOND)

struct fixture {
        struct kit kit;
        struct auth *auth; /* owned */
        char password[64];
};

static void open_auth(struct fixture *f) {
        AUTO(buf_fini) struct buf text = {0};
        struct err_note note = {0};

        assert_ok(auth_open(f->kit.io, "/state", f->kit.objects, &f->auth, &note));
        assert_ok(private_file_read(f->kit.io, "/state/admin-password", &text, &note));
        snprintf(f->password, sizeof f->password, "%.*s", (int)text.n - 1, (const char *)text.data);
}

static struct fixture begin_fixture(void) {
        struct fixture f = {.kit = kit_open()};
        struct err_note note = {0};

        io_sim_set_wall(f.kit.io, 1742357784ll * 1000000000);
        assert_ok(io_make_dir(f.kit.io, "/state", &note));
        open_auth(&f);
        return f;
}

static void end_fixture(struct fixture *f) {
        auth_close(f->auth);
        kit_close(&f->kit);
}

static struct auth_session login(struct fixture *f, const char *user, const char *password) {
        struct err_note note = {0};
        struct auth_session session;

        assert_ok(auth_login(f->auth, user, password, "test", &session, &note));
        return session;
}

static enum err check(struct fixture *f, const char *ref) {
        struct err_note note = {0};
        struct auth_who who;

        return auth_check(f->auth, ref, &who, &note);
}

static void write_password(struct fixture *f, const char *text) {
        struct err_note note = {0};

        assert_ok(private_file_write(f->kit.io, "/state/admin-password", text, strlen(text), &note));
}

/* ---- the password ---- */

static void a_password_is_made_at_the_first_start_and_kept(void **state) {
        struct fixture f = begin_fixture();
        AUTO(buf_fini) struct buf text = {0};
        struct err_note note = {0};
        char first[64];

        (void)state;
        assert_true(auth_made_password(f.auth));
        assert_string_equal(auth_password_path(f.auth), "/state/admin-password");
        assert_ok(private_file_read(f.kit.io, "/state/admin-password", &text, &note));
        assert_int_equal(text.n, 25);
        assert_int_equal(text.data[24], '\n');
        memcpy(first, f.password, sizeof first);
        auth_close(f.auth);
        open_auth(&f);
        assert_false(auth_made_password(f.auth));
        assert_string_equal(f.password, first);
        login(&f, "root", first);
        end_fixture(&f);
}

static void the_wrong_password_and_the_wrong_user_are_refused_alike(void **state) {
        struct fixture f = begin_fixture();
        struct err_note note = {0}, other = {0};
        struct auth_session session;
        struct auth_who who;

        (void)state;
        for (unsigned i = 0; i < 2; i++) {
                assert_err(auth_login(f.auth, "root", "wrong", "test", &session, &note), ERR_DENIED,
                           "wrong user or password");
                assert_int_equal(auth_login(f.auth, "toor", f.password, "test", &session, &other),
                                 ERR_DENIED);
                assert_string_equal(note.text, other.text);
                assert_err(auth_check_password(f.auth, "root", "", &who, &note), ERR_DENIED, "wrong");
                assert_ok(auth_check_password(f.auth, "root", f.password, &who, &note));
                assert_int_equal(who.role, ROLE_ADMIN);
                assert_true(uuid_is_null(&who.session));
        }
        assert_int_equal(auth_n_sessions(f.auth), 0);
        end_fixture(&f);
}

static void another_password_is_taken_when_told_and_ends_roots_sessions(void **state) {
        struct fixture f = begin_fixture();
        struct auth_session session = login(&f, "root", f.password);
        struct err_note note = {0};
        struct auth_who who;

        (void)state;
        assert_ok(auth_reload(f.auth, &note));
        assert_int_equal(check(&f, session.ref), ERR_NONE);
        write_password(&f, "my own\r\n");
        assert_ok(auth_check_password(f.auth, "root", f.password, &who, &note));
        assert_ok(auth_reload(f.auth, &note));
        assert_int_equal(check(&f, session.ref), ERR_DENIED);
        assert_int_equal(auth_check_password(f.auth, "root", f.password, &who, &note), ERR_DENIED);
        assert_ok(auth_check_password(f.auth, "root", "my own", &who, &note));
        write_password(&f, "\n");
        assert_err(auth_reload(f.auth, &note), ERR_INVALID, "holds no password");
        assert_ok(auth_check_password(f.auth, "root", "my own", &who, &note));
        end_fixture(&f);
}

static void no_object_holds_the_password(void **state) {
        struct fixture f = begin_fixture();
        json_t *sessions;
        char *text;

        (void)state;
        login(&f, "root", f.password);
        sessions = objects_all(f.kit.objects, XAPI_SESSION);
        text = json_dumps(sessions, 0);
        assert_null(strstr(text, f.password));
        free(text);
        json_decref(sessions);
        end_fixture(&f);
}

/* ---- sessions ---- */

static void a_session_is_known_by_its_secret_and_not_by_its_object(void **state) {
        struct fixture f = begin_fixture();
        struct auth_session session, second;
        struct uuid host = kit_uuid(5);
        struct err_note note = {0};
        struct auth_who who;
        json_t *record;

        (void)state;
        kit_put(&f.kit, XAPI_HOST, 5, "host");
        session = login(&f, "root", f.password);
        second = login(&f, "root", f.password);
        assert_string_not_equal(session.ref, second.ref);
        assert_ok(auth_check(f.auth, session.ref, &who, &note));
        assert_true(uuid_equal(&who.session, &session.who.session));
        assert_string_equal(who.user, "root");
        assert_int_equal(who.role, ROLE_ADMIN);
        record = objects_get(f.kit.objects, XAPI_SESSION, &who.session);
        assert_string_equal(json_string_value(json_object_get(record, "auth_user_name")), "root");
        assert_string_equal(json_string_value(json_object_get(record, "originator")), "test");
        assert_string_equal(json_string_value(json_object_get(record, "this_host")), xapi_ref_of(&host).s);
        assert_true(json_is_true(json_object_get(record, "is_local_superuser")));
        json_decref(record);
        assert_int_equal(check(&f, xapi_ref_of(&who.session).s), ERR_DENIED);
        assert_int_equal(check(&f, XAPI_NULL_REF), ERR_DENIED);
        assert_int_equal(check(&f, ""), ERR_DENIED);
        end_fixture(&f);
}

static void a_session_that_is_logged_out_is_gone_with_its_object(void **state) {
        struct fixture f = begin_fixture();
        struct auth_session one = login(&f, "root", f.password), two = login(&f, "root", f.password);

        (void)state;
        auth_logout(f.auth, one.ref);
        auth_logout(f.auth, one.ref);
        assert_int_equal(check(&f, one.ref), ERR_DENIED);
        assert_int_equal(check(&f, two.ref), ERR_NONE);
        assert_int_equal(objects_count(f.kit.objects, XAPI_SESSION), 1);
        end_fixture(&f);
}

static void a_session_ends_after_a_day_without_use(void **state) {
        struct fixture f = begin_fixture();
        struct auth_session idle = login(&f, "root", f.password), used = login(&f, "root", f.password),
                            touched = login(&f, "root", f.password);

        (void)state;
        io_sim_advance(f.kit.io, DAY - SECOND);
        assert_int_equal(check(&f, used.ref), ERR_NONE);
        auth_touch(f.auth, &touched.who.session);
        assert_string_equal(kit_text(&f.kit, XAPI_SESSION, &used.who.session, "last_active"),
                            "20250320T04:16:23Z");
        assert_string_equal(kit_text(&f.kit, XAPI_SESSION, &idle.who.session, "last_active"),
                            "20250319T04:16:24Z");
        io_sim_advance(f.kit.io, 2 * SECOND);
        assert_int_equal(check(&f, idle.ref), ERR_DENIED);
        assert_int_equal(check(&f, used.ref), ERR_NONE);
        assert_int_equal(check(&f, touched.ref), ERR_NONE);
        io_sim_advance(f.kit.io, DAY);
        auth_tick(f.auth);
        assert_int_equal(auth_n_sessions(f.auth), 0);
        assert_int_equal(objects_count(f.kit.objects, XAPI_SESSION), 0);
        end_fixture(&f);
}

static void sessions_end_with_the_process(void **state) {
        struct fixture f = begin_fixture();
        struct auth_session session = login(&f, "root", f.password);

        (void)state;
        auth_close(f.auth);
        kit_restart(&f.kit);
        open_auth(&f);
        assert_int_equal(check(&f, session.ref), ERR_DENIED);
        assert_int_equal(objects_count(f.kit.objects, XAPI_SESSION), 0);
        end_fixture(&f);
}

static void of_too_many_sessions_the_one_longest_unused_goes(void **state) {
        struct fixture f = begin_fixture();
        struct auth_session first = login(&f, "root", f.password), second = login(&f, "root", f.password),
                            third = login(&f, "root", f.password);

        (void)state;
        for (unsigned i = 3; i < SESSIONS_MAX; i++)
                login(&f, "root", f.password);
        assert_int_equal(check(&f, first.ref), ERR_NONE);
        login(&f, "root", f.password);
        assert_int_equal(auth_n_sessions(f.auth), SESSIONS_MAX);
        assert_int_equal(objects_count(f.kit.objects, XAPI_SESSION), SESSIONS_MAX);
        assert_int_equal(check(&f, second.ref), ERR_DENIED);
        assert_int_equal(check(&f, first.ref), ERR_NONE);
        auth_touch(f.auth, &third.who.session);
        login(&f, "root", f.password);
        assert_int_equal(check(&f, third.ref), ERR_NONE);
        end_fixture(&f);
}

static void one_accounts_many_sessions_leave_anothers_alone(void **state) {
        struct fixture f = begin_fixture();
        AUTO_FREE char *token = NULL;
        struct err_note note = {0};
        struct auth_session ours;

        (void)state;
        assert_ok(auth_token_create(f.auth, "backup", ROLE_OPERATOR, 0, &token, &note));
        ours = login(&f, "backup", token);
        for (unsigned i = 0; i < SESSIONS_MAX + 5; i++)
                login(&f, "root", f.password);
        assert_int_equal(check(&f, ours.ref), ERR_NONE);
        assert_int_equal(auth_n_sessions(f.auth), SESSIONS_MAX + 1);
        end_fixture(&f);
}

/* ---- tokens ---- */

static void a_token_goes_where_a_session_or_a_password_goes(void **state) {
        struct fixture f = begin_fixture();
        AUTO_FREE char *token = NULL;
        struct err_note note = {0};
        struct auth_session session;
        struct auth_who who;

        (void)state;
        assert_ok(auth_token_create(f.auth, "backup", ROLE_OPERATOR, 0, &token, &note));
        assert_ok(auth_check(f.auth, token, &who, &note));
        assert_string_equal(who.user, "backup");
        assert_int_equal(who.role, ROLE_OPERATOR);
        assert_true(uuid_is_null(&who.session));
        assert_ok(auth_check_password(f.auth, "backup", token, &who, &note));
        assert_err(auth_check_password(f.auth, "root", token, &who, &note), ERR_DENIED, "wrong");
        session = login(&f, "backup", token);
        assert_ok(auth_check(f.auth, session.ref, &who, &note));
        assert_int_equal(who.role, ROLE_OPERATOR);
        end_fixture(&f);
}

static void a_token_that_is_revoked_ends_and_so_do_its_sessions(void **state) {
        struct fixture f = begin_fixture();
        AUTO_FREE char *token = NULL, *other = NULL;
        struct err_note note = {0};
        struct auth_session session, others;

        (void)state;
        assert_ok(auth_token_create(f.auth, "backup", ROLE_ADMIN, 0, &token, &note));
        assert_ok(auth_token_create(f.auth, "other", ROLE_ADMIN, 0, &other, &note));
        session = login(&f, "backup", token);
        others = login(&f, "other", other);
        assert_ok(auth_token_revoke(f.auth, "backup", &note));
        assert_int_equal(check(&f, token), ERR_DENIED);
        assert_int_equal(check(&f, session.ref), ERR_DENIED);
        assert_int_equal(check(&f, other), ERR_NONE);
        assert_int_equal(check(&f, others.ref), ERR_NONE);
        assert_err(auth_token_revoke(f.auth, "backup", &note), ERR_NOT_FOUND, "no token backup");
        end_fixture(&f);
}

static void a_token_that_expires_takes_its_sessions_with_it(void **state) {
        struct fixture f = begin_fixture();
        AUTO_FREE char *token = NULL, *second = NULL;
        struct err_note note = {0};
        struct auth_session session;

        (void)state;
        assert_ok(auth_token_create(f.auth, "backup", ROLE_READ_ONLY, 60, &token, &note));
        session = login(&f, "backup", token);
        io_sim_advance(f.kit.io, 59 * SECOND);
        assert_int_equal(check(&f, token), ERR_NONE);
        assert_int_equal(check(&f, session.ref), ERR_NONE);
        io_sim_advance(f.kit.io, SECOND);
        assert_int_equal(check(&f, token), ERR_DENIED);
        assert_int_equal(check(&f, session.ref), ERR_DENIED);
        assert_ok(auth_token_create(f.auth, "backup", ROLE_READ_ONLY, 60, &second, &note));
        assert_int_equal(check(&f, token), ERR_DENIED);
        end_fixture(&f);
}

static void tokens_survive_a_restart_and_only_as_hashes(void **state) {
        struct fixture f = begin_fixture();
        AUTO_FREE char *token = NULL, *second = NULL, *listed = NULL;
        AUTO(buf_fini) struct buf text = {0};
        struct err_note note = {0};
        struct auth_who who;
        json_t *all;

        (void)state;
        assert_ok(auth_token_create(f.auth, "b", ROLE_READ_ONLY, 0, &token, &note));
        assert_ok(auth_token_create(f.auth, "a", ROLE_ADMIN, 60, &second, &note));
        assert_ok(private_file_read(f.kit.io, "/state/tokens.json", &text, &note));
        assert_null(strstr(buf_text(&text), token + 7));
        auth_close(f.auth);
        open_auth(&f);
        assert_ok(auth_check(f.auth, token, &who, &note));
        assert_int_equal(who.role, ROLE_READ_ONLY);
        assert_ok(auth_check(f.auth, second, &who, &note));
        all = auth_tokens(f.auth);
        listed = json_dumps(all, JSON_COMPACT);
        json_decref(all);
        assert_string_equal(listed, "[{\"name\":\"a\",\"role\":\"admin\",\"expires\":1742357844},"
                                    "{\"name\":\"b\",\"role\":\"read-only\",\"expires\":0}]");
        end_fixture(&f);
}

static void a_token_needs_a_name_of_its_own(void **state) {
        struct fixture f = begin_fixture();
        AUTO_FREE char *token = NULL, *second = NULL, *name = mem_format("%064d", 1);
        struct err_note note = {0};

        (void)state;
        assert_ok(auth_token_create(f.auth, name + 1, ROLE_ADMIN, 0, &token, &note));
        assert_err(auth_token_create(f.auth, name + 1, ROLE_ADMIN, 0, &second, &note), ERR_EXISTS, "already");
        assert_err(auth_token_create(f.auth, name, ROLE_ADMIN, 0, &second, &note), ERR_INVALID, "name");
        assert_err(auth_token_create(f.auth, "root", ROLE_ADMIN, 0, &second, &note), ERR_INVALID, "name");
        assert_err(auth_token_create(f.auth, "", ROLE_ADMIN, 0, &second, &note), ERR_INVALID, "name");
        assert_err(auth_token_create(f.auth, "a:b", ROLE_ADMIN, 0, &second, &note), ERR_INVALID, "name");
        assert_err(auth_token_create(f.auth, "x", ROLE_ADMIN, 1ull << 40, &second, &note), ERR_INVALID,
                   "68 years");
        end_fixture(&f);
}

static void a_file_of_tokens_that_is_none_is_refused(void **state) {
        static const struct {
                const char *text;
                enum err err;
                const char *words;
        } table[] = {
                {"", ERR_CORRUPT, "damaged"},
                {"[]", ERR_CORRUPT, "damaged"},
                {"{\"format\":2,\"tokens\":{}}", ERR_UNSUPPORTED, "later Catena"},
                {"{\"format\":1}", ERR_CORRUPT, "damaged"},
                {"{\"format\":1,\"tokens\":{\"a\":{}}}", ERR_CORRUPT, "damaged at token a"},
                {"{\"format\":1,\"tokens\":{\"a\":{\"role\":\"admin\",\"expires\":0,\"hash\":\"00\"}}}",
                 ERR_CORRUPT, "token a"},
                {"{\"format\":1,\"tokens\":{\"a\":{\"role\":\"god\",\"expires\":0,\"hash\":"
                 "\"0000000000000000000000000000000000000000000000000000000000000000\"}}}",
                 ERR_CORRUPT, "token a"},
                {"{\"format\":1,\"tokens\":{\"a\":{\"role\":\"admin\",\"expires\":0,\"hash\":"
                 "\"zz00000000000000000000000000000000000000000000000000000000000000\"}}}",
                 ERR_CORRUPT, "token a"},
        };
        struct fixture f = begin_fixture();

        (void)state;
        auth_close(f.auth);
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct err_note note = {0};

                assert_ok(private_file_write(f.kit.io, "/state/tokens.json", table[i].text,
                                             strlen(table[i].text), &note));
                assert_err(auth_open(f.kit.io, "/state", f.kit.objects, &f.auth, &note), table[i].err,
                           table[i].words);
        }
        kit_close(&f.kit);
}

static void roles_have_names(void **state) {
        enum role role;

        (void)state;
        for (unsigned i = 0; i <= ROLE_ADMIN; i++) {
                assert_true(role_parse(role_name((enum role)i), &role));
                assert_int_equal(role, i);
        }
        assert_false(role_parse("root", &role));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_password_is_made_at_the_first_start_and_kept),
                cmocka_unit_test(the_wrong_password_and_the_wrong_user_are_refused_alike),
                cmocka_unit_test(another_password_is_taken_when_told_and_ends_roots_sessions),
                cmocka_unit_test(no_object_holds_the_password),
                cmocka_unit_test(a_session_is_known_by_its_secret_and_not_by_its_object),
                cmocka_unit_test(a_session_that_is_logged_out_is_gone_with_its_object),
                cmocka_unit_test(a_session_ends_after_a_day_without_use),
                cmocka_unit_test(sessions_end_with_the_process),
                cmocka_unit_test(of_too_many_sessions_the_one_longest_unused_goes),
                cmocka_unit_test(one_accounts_many_sessions_leave_anothers_alone),
                cmocka_unit_test(a_token_goes_where_a_session_or_a_password_goes),
                cmocka_unit_test(a_token_that_is_revoked_ends_and_so_do_its_sessions),
                cmocka_unit_test(a_token_that_expires_takes_its_sessions_with_it),
                cmocka_unit_test(tokens_survive_a_restart_and_only_as_hashes),
                cmocka_unit_test(a_token_needs_a_name_of_its_own),
                cmocka_unit_test(a_file_of_tokens_that_is_none_is_refused),
                cmocka_unit_test(roles_have_names),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
