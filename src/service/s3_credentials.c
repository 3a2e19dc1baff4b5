// SPDX-License-Identifier: Apache-2.0
#include "s3_credentials.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "private_file.h"

static const char *variable(const char *name) {
        const char *value = getenv(name);

        return value && *value ? value : NULL;
}

struct reading {
        const char *profile;        /* borrowed */
        struct s3_credentials *ret; /* borrowed */
};

static int on_key(void *user, const char *section, const char *name, const char *value) {
        struct reading *reading = user;
        char **to = NULL;

        if (strcmp(section, reading->profile) != 0)
                return 1;
        if (strcmp(name, "aws_access_key_id") == 0)
                to = &reading->ret->key_id;
        else if (strcmp(name, "aws_secret_access_key") == 0)
                to = &reading->ret->secret;
        else if (strcmp(name, "aws_session_token") == 0)
                to = &reading->ret->token;
        if (to) {
                free(*to);
                *to = mem_text(value);
        }
        return 1;
}

static enum err read_profile(struct io *io, const char *path, struct s3_credentials *ret,
                             struct err_note *note) {
        const char *named = variable("AWS_PROFILE");
        struct reading reading = {.profile = named ? named : "default", .ret = ret};
        AUTO(buf_fini) struct buf text = {0};
        int wrong;

        if (private_file_read(io, path, &text, note))
                return note->code == ERR_NOT_FOUND ? note->code : err_wrap(note, "read credentials");
        wrong = ini_parse_string(buf_text(&text), on_key, &reading);
        explicit_bzero(text.data, text.n);
        if (wrong)
                return err_set(note, ERR_CORRUPT, "credentials in %s: line %d cannot be read", path, wrong);
        if (!ret->key_id || !ret->secret)
                return err_set(note, ERR_NOT_FOUND,
                               "%s has no aws_access_key_id and aws_secret_access_key of profile [%s]", path,
                               reading.profile);
        return ERR_NONE;
}

static bool take_environment(struct s3_credentials *ret) {
        const char *key_id = variable("AWS_ACCESS_KEY_ID"), *secret = variable("AWS_SECRET_ACCESS_KEY"),
                   *token = variable("AWS_SESSION_TOKEN");

        if (!key_id || !secret)
                return false;
        ret->key_id = mem_text(key_id);
        ret->secret = mem_text(secret);
        ret->token = token ? mem_text(token) : NULL;
        return true;
}

static enum err read_usual(struct io *io, struct s3_credentials *ret, struct err_note *note) {
        const char *said = variable("AWS_SHARED_CREDENTIALS_FILE"), *home = variable("HOME");
        AUTO_FREE char *path = said ? mem_text(said) : mem_format("%s/.aws/credentials", home ? home : "");
        enum err failed = read_profile(io, path, ret, note);

        if (failed == ERR_NOT_FOUND)
                return err_set(note, failed,
                               "there are no credentials of S3: not in AWS_ACCESS_KEY_ID, not in %s; say "
                               "--s3-credentials FILE",
                               path);
        return failed;
}

enum err s3_credentials_find(struct io *io, const char *file, struct s3_credentials *ret,
                             struct err_note *note) {
        AUTO(s3_credentials_fini) struct s3_credentials found = {0};

        if (file ? read_profile(io, file, &found, note)
                 : !take_environment(&found) && read_usual(io, &found, note))
                return note->code;
        *ret = found;
        found = (struct s3_credentials){0};
        return ERR_NONE;
}
