// SPDX-License-Identifier: Apache-2.0
#include "s3_credentials.h"

#include "check.h"
#include "io_sim.h"
#include "mem.h"
#include "private_file.h"

static void clear_environment(void) {
        static const char *const names[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE",
                                            "AWS_SESSION_TOKEN", "AWS_SHARED_CREDENTIALS_FILE"};

        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                unsetenv(names[i]);
        setenv("HOME", "/user", 1);
}

static struct io *make_files(void) {
        static const char usual[] = "[default]\naws_access_key_id = usual\naws_secret_access_key=s1\n"
                                    "[other]\naws_access_key_id = other\naws_secret_access_key = s2\n"
                                    "aws_session_token = t2\n";
        static const char named[] = "[default]\nregion = x\naws_access_key_id = named\n"
                                    "aws_secret_access_key = s3\n";
        struct io *io = io_sim_new(1, 0);
        struct err_note note;

        clear_environment();
        assert_ok(io_make_dir(io, "/user", &note));
        assert_ok(io_make_dir(io, "/user/.aws", &note));
        assert_ok(private_file_write(io, "/user/.aws/credentials", usual, sizeof usual - 1, &note));
        assert_ok(private_file_write(io, "/user/named", named, sizeof named - 1, &note));
        return io;
}

static void assert_found(struct io *io, const char *file, const char *key_id, const char *secret) {
        AUTO(s3_credentials_fini) struct s3_credentials got = {0};
        struct err_note note;

        assert_ok(s3_credentials_find(io, file, &got, &note));
        assert_string_equal(got.key_id, key_id);
        assert_string_equal(got.secret, secret);
}

static void the_nearest_counts(void **state) {
        AUTO(io_free) struct io *io = make_files();

        (void)state;
        assert_found(io, NULL, "usual", "s1");
        setenv("AWS_PROFILE", "other", 1);
        assert_found(io, NULL, "other", "s2");
        unsetenv("AWS_PROFILE");
        setenv("AWS_SHARED_CREDENTIALS_FILE", "/user/named", 1);
        assert_found(io, NULL, "named", "s3");
        setenv("AWS_ACCESS_KEY_ID", "variable", 1);
        assert_found(io, NULL, "named", "s3"); /* half of one is none */
        setenv("AWS_SECRET_ACCESS_KEY", "s4", 1);
        assert_found(io, NULL, "variable", "s4");
        assert_found(io, "/user/named", "named", "s3");
}

static void what_is_missing_is_said_and_nothing_secret(void **state) {
        AUTO(io_free) struct io *io = make_files();
        AUTO(s3_credentials_fini) struct s3_credentials got = {0};
        struct err_note note;

        (void)state;
        setenv("AWS_PROFILE", "third", 1);
        assert_err(s3_credentials_find(io, NULL, &got, &note), ERR_NOT_FOUND, "--s3-credentials");
        assert_err(s3_credentials_find(io, "/user/.aws/credentials", &got, &note), ERR_NOT_FOUND,
                   "of profile [third]");
        assert_err(s3_credentials_find(io, "/nowhere", &got, &note), ERR_NOT_FOUND, "/nowhere");
        assert_ok(private_file_write(io, "/user/bad", "[default]\nsecret words", 22, &note));
        assert_err(s3_credentials_find(io, "/user/bad", &got, &note), ERR_CORRUPT, "line 2");
        assert_null(strstr(note.text, "secret words"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_nearest_counts),
                cmocka_unit_test(what_is_missing_is_said_and_nothing_secret),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
