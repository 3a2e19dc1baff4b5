// SPDX-License-Identifier: Apache-2.0
#include "auth.h"

#include <string.h>

#include "auth_inside.h"
#include "mem.h"
#include "private_file.h"

enum { PASSWORD_LETTERS = 24 };

static const char *const role_names[] = {
        [ROLE_READ_ONLY] = "read-only",
        [ROLE_OPERATOR] = "operator",
        [ROLE_ADMIN] = "admin",
};

const char *role_name(enum role role) {
        return role_names[role];
}

bool role_parse(const char *name, enum role *ret) {
        for (unsigned i = 0; i < sizeof role_names / sizeof *role_names; i++) {
                if (strcmp(role_names[i], name) != 0)
                        continue;
                *ret = (enum role)i;
                return true;
        }
        return false;
}

/* ---- the administrator's password ---- */

static enum err make_password(struct auth *auth, struct err_note *note) {
        char text[PASSWORD_LETTERS + 2];
        enum err err;

        secret_text(auth->io, text, PASSWORD_LETTERS);
        text[PASSWORD_LETTERS] = '\n';
        err = private_file_write(auth->io, auth->password_path, text, PASSWORD_LETTERS + 1, note);
        secret_wipe(text, sizeof text);
        auth->made_password = !err;
        return err;
}

static void wipe_buf(struct buf *buf) {
        if (buf->data)
                secret_wipe(buf->data, buf->room);
        buf_fini(buf);
}
DEFINE_AUTO_IN_PLACE(struct buf, wipe_buf);

/* Whoever edits the file by hand leaves a line's end behind the password. */
static enum err read_password(struct auth *auth, struct buf *ret, struct err_note *note) {
        if (private_file_read(auth->io, auth->password_path, ret, note))
                return note->code;
        while (ret->n && (ret->data[ret->n - 1] == '\n' || ret->data[ret->n - 1] == '\r'))
                ret->n--;
        if (!ret->n)
                return err_set(note, ERR_INVALID, "%s holds no password", auth->password_path);
        return ERR_NONE;
}

/* Hashes it anew; *ret_is_other: it is not the one that was known. */
static enum err take_password(struct auth *auth, const char *password, bool *ret_is_other,
                              struct err_note *note) {
        struct secret_key salt = secret_key(auth->io);
        struct secret_hash as_before, hash;

        pthread_mutex_lock(&auth->guess);
        if (secret_slow(&auth->salt, password, &as_before, note) ||
            secret_slow(&salt, password, &hash, note)) {
                pthread_mutex_unlock(&auth->guess);
                return note->code;
        }
        *ret_is_other = !secret_equal(&as_before, &auth->admin);
        auth->salt = salt;
        auth->admin = hash;
        if (*ret_is_other) {
                pthread_mutex_lock(&auth->lock);
                auth->has_good = false;
                pthread_mutex_unlock(&auth->lock);
        }
        pthread_mutex_unlock(&auth->guess);
        return ERR_NONE;
}

enum err auth_reload(struct auth *auth, struct err_note *note) {
        AUTO(wipe_buf) struct buf password = {0};
        bool is_other = false;

        if (read_password(auth, &password, note) || take_password(auth, buf_text(&password), &is_other, note))
                return err_wrap(note, "read the administrator's password");
        if (is_other)
                sessions_end_of(auth, AUTH_ROOT);
        return ERR_NONE;
}

static enum err load_password(struct auth *auth, struct err_note *note) {
        struct io_stat unused;
        enum err err = io_stat_path(auth->io, auth->password_path, &unused, note);

        if (err && err != ERR_NOT_FOUND)
                return err;
        if (err && make_password(auth, note))
                return err_wrap(note, "make the administrator's password");
        return auth_reload(auth, note);
}

const char *auth_password_path(const struct auth *auth) {
        return auth->password_path;
}

bool auth_made_password(const struct auth *auth) {
        return auth->made_password;
}

/* ---- opening ---- */

enum err auth_open(struct io *io, const char *state_dir, struct objects *objects, struct auth **ret,
                   struct err_note *note) {
        AUTO(auth_close) struct auth *auth = mem_new(struct auth);

        auth->io = io;
        auth->objects = objects;
        auth->password_path = mem_format("%s/admin-password", state_dir);
        auth->tokens_path = mem_format("%s/tokens.json", state_dir);
        auth->key = secret_key(io);
        auth->salt = secret_key(io);
        pthread_mutex_init(&auth->guess, NULL);
        pthread_mutex_init(&auth->lock, NULL);
        if (load_password(auth, note) || tokens_load(auth, note))
                return note->code;
        *ret = TAKE(auth);
        return ERR_NONE;
}

void auth_close(struct auth *auth) {
        sessions_fini(auth);
        vec_fini(&auth->tokens);
        pthread_mutex_destroy(&auth->lock);
        pthread_mutex_destroy(&auth->guess);
        free(auth->password_path);
        free(auth->tokens_path);
        secret_wipe(auth, sizeof *auth);
        free(auth);
}

/* ---- who asks ---- */

static bool is_last_good(struct auth *auth, const char *password) {
        struct secret_hash hash = secret_keyed(&auth->key, password);
        bool is_good;

        pthread_mutex_lock(&auth->lock);
        is_good = secret_equal(&hash, &auth->good) && auth->has_good;
        pthread_mutex_unlock(&auth->lock);
        return is_good;
}

/* The guess is held from the hash to what is remembered of it: a reload comes before or after. */
static bool is_good(struct auth *auth, const char *password) {
        struct secret_hash hash, quick = secret_keyed(&auth->key, password);
        struct err_note unused;
        bool is_right;

        pthread_mutex_lock(&auth->guess);
        /* Of many who come at once with the same, the first one pays. */
        if (is_last_good(auth, password)) {
                pthread_mutex_unlock(&auth->guess);
                return true;
        }
        is_right = !secret_slow(&auth->salt, password, &hash, &unused) && secret_equal(&hash, &auth->admin);
        if (is_right) {
                pthread_mutex_lock(&auth->lock);
                auth->good = quick;
                auth->has_good = true;
                pthread_mutex_unlock(&auth->lock);
        }
        pthread_mutex_unlock(&auth->guess);
        return is_right;
}

static enum err check_password(struct auth *auth, const char *user, const char *password,
                               struct auth_who *ret, int64_t *ret_ends, struct err_note *note) {
        *ret_ends = 0;
        if (tokens_check(auth, user, password, ret, ret_ends))
                return ERR_NONE;
        /* Of a user that is not there a wrong password takes as long as of one that is. */
        if ((is_last_good(auth, password) || is_good(auth, password)) && strcmp(user, AUTH_ROOT) == 0) {
                *ret = (struct auth_who){.user = AUTH_ROOT, .role = ROLE_ADMIN};
                return ERR_NONE;
        }
        return err_set(note, ERR_DENIED, "wrong user or password");
}

enum err auth_check_password(struct auth *auth, const char *user, const char *password, struct auth_who *ret,
                             struct err_note *note) {
        int64_t unused;

        return check_password(auth, user, password, ret, &unused, note);
}

enum err auth_login(struct auth *auth, const char *user, const char *password, const char *originator,
                    struct auth_session *ret, struct err_note *note) {
        struct auth_who who;
        int64_t ends;

        if (check_password(auth, user, password, &who, &ends, note))
                return note->code;
        sessions_add(auth, &who, ends, originator, ret);
        return ERR_NONE;
}

enum err auth_check(struct auth *auth, const char *ref, struct auth_who *ret, struct err_note *note) {
        int64_t unused;

        if (sessions_check(auth, ref, ret) || tokens_check(auth, NULL, ref, ret, &unused))
                return ERR_NONE;
        return err_set(note, ERR_DENIED, "the session has ended, or never was");
}
