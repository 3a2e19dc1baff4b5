// SPDX-License-Identifier: Apache-2.0
/* tokens.json: {"format": 1, "tokens": {"NAME": {"role": "operator", "expires": 0, "hash": "HEX"}}} */
#include <string.h>

#include "auth_inside.h"
#include "mem.h"
#include "private_file.h"

enum { TOKENS_FORMAT = 1, TOKEN_LETTERS = 32 };

#define TOKEN_PREFIX "catena_"

static void decref(json_t *json) {
        json_decref(json);
}
DEFINE_AUTO(json_t *, decref);

struct tokens {
        VEC(struct token) list; /* owned; by name */
};

/* ---- the file ---- */

static void write_hex(const struct secret_hash *hash, char ret[2 * sizeof hash->b + 1]) {
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < sizeof hash->b; i++) {
                ret[2 * i] = digits[hash->b[i] >> 4];
                ret[2 * i + 1] = digits[hash->b[i] & 15];
        }
        ret[2 * sizeof hash->b] = 0;
}

static bool read_hex(const char *text, struct secret_hash *ret) {
        static const char digits[] = "0123456789abcdef";

        if (!text || strlen(text) != 2 * sizeof ret->b)
                return false;
        for (size_t i = 0; i < sizeof ret->b; i++) {
                const char *high = strchr(digits, text[2 * i]), *low = strchr(digits, text[2 * i + 1]);

                if (!high || !low)
                        return false;
                ret->b[i] = (uint8_t)((high - digits) << 4 | (low - digits));
        }
        return true;
}

static bool is_name(const char *name) {
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

        return n > 0 && n < AUTH_USER_SIZE && !name[n] && strcmp(name, AUTH_ROOT) != 0;
}

static bool token_from_json(const char *name, const json_t *json, struct token *ret) {
        const char *role = json_string_value(json_object_get(json, "role"));
        const json_t *expires = json_object_get(json, "expires");

        if (!is_name(name) || !role || !role_parse(role, &ret->role) || !json_is_integer(expires))
                return false;
        memcpy(ret->name, name, strlen(name) + 1);
        ret->expires = json_integer_value(expires);
        return read_hex(json_string_value(json_object_get(json, "hash")), &ret->hash);
}

static json_t *token_to_json(const struct token *token) {
        char hex[2 * sizeof token->hash.b + 1];

        write_hex(&token->hash, hex);
        return json_pack("{s:s,s:I,s:s}", "role", role_name(token->role), "expires",
                         (json_int_t)token->expires, "hash", hex);
}

static int by_name(const void *a, const void *b) {
        return strcmp(((const struct token *)a)->name, ((const struct token *)b)->name);
}

static enum err read_tokens(struct auth *auth, json_t *json, struct err_note *note) {
        json_t *tokens = json_object_get(json, "tokens"), *each;
        json_t *format = json_object_get(json, "format");
        const char *name;

        if (json_is_integer(format) && json_integer_value(format) > TOKENS_FORMAT)
                return err_set(note, ERR_UNSUPPORTED, "%s was written by a later Catena", auth->tokens_path);
        if (!json_is_integer(format) || !json_is_object(tokens))
                return err_set(note, ERR_CORRUPT, "%s is damaged", auth->tokens_path);
        json_object_foreach(tokens, name, each) {
                struct token *token = vec_add(&auth->tokens);

                if (!token_from_json(name, each, token))
                        return err_set(note, ERR_CORRUPT, "%s is damaged at token %.63s", auth->tokens_path,
                                       name);
        }
        if (auth->tokens.n)
                qsort(auth->tokens.data, auth->tokens.n, sizeof *auth->tokens.data, by_name);
        return ERR_NONE;
}

enum err tokens_load(struct auth *auth, struct err_note *note) {
        AUTO(buf_fini) struct buf text = {0};
        AUTO(decref) json_t *json = NULL;
        json_error_t error;
        enum err err = private_file_read(auth->io, auth->tokens_path, &text, note);

        if (err)
                return err == ERR_NOT_FOUND ? ERR_NONE : err_wrap(note, "read tokens");
        json = json_loadb((const char *)text.data, text.n, 0, &error);
        if (!json)
                return err_set(note, ERR_CORRUPT, "%s is damaged: %s", auth->tokens_path, error.text);
        return read_tokens(auth, json, note);
}

static enum err write_tokens(struct auth *auth, const struct tokens *tokens, struct err_note *note) {
        json_t *all = json_object();
        AUTO(decref) json_t *json = json_pack("{s:i,s:o}", "format", TOKENS_FORMAT, "tokens", all);
        AUTO_FREE char *text = NULL;

        VEC_EACH (&tokens->list, each) {
                (void)json_object_set_new(all, each->name, token_to_json(each));
        }
        text = json_dumps(json, JSON_INDENT(2));
        if (private_file_write(auth->io, auth->tokens_path, text, strlen(text), note))
                return err_wrap(note, "write tokens");
        return ERR_NONE;
}

/* ---- who asks ---- */

static bool has_expired(struct auth *auth, const struct token *token) {
        return token->expires && io_wall_ns(auth->io) / 1000000000 >= token->expires;
}

bool tokens_check(struct auth *auth, const char *user, const char *text, struct auth_who *ret,
                  int64_t *ret_ends) {
        struct secret_hash hash = secret_quick(text);
        bool is_found = false;

        pthread_mutex_lock(&auth->lock);
        VEC_EACH (&auth->tokens, each) {
                if (!secret_equal(&each->hash, &hash) || has_expired(auth, each) ||
                    (user && strcmp(user, each->name) != 0))
                        continue;
                *ret = (struct auth_who){.role = each->role};
                memcpy(ret->user, each->name, sizeof ret->user);
                *ret_ends = each->expires;
                is_found = true;
        }
        pthread_mutex_unlock(&auth->lock);
        return is_found;
}

/* ---- changing ---- */

/* Those that hold, but for the one of that name; lock held. */
static void copy_others(struct auth *auth, const char *name, struct tokens *ret, bool *ret_was_there) {
        *ret_was_there = false;
        VEC_EACH (&auth->tokens, each) {
                bool is_it = strcmp(each->name, name) == 0;

                if (is_it && !has_expired(auth, each))
                        *ret_was_there = true;
                if (!is_it && !has_expired(auth, each))
                        *vec_add(&ret->list) = *each;
        }
}

/* What is written is what holds; lock held. */
static enum err replace_tokens(struct auth *auth, struct tokens *tokens, struct err_note *note) {
        if (tokens->list.n)
                qsort(tokens->list.data, tokens->list.n, sizeof *tokens->list.data, by_name);
        if (write_tokens(auth, tokens, note))
                return note->code;
        free(auth->tokens.data);
        auth->tokens.data = tokens->list.data;
        auth->tokens.n = tokens->list.n;
        auth->tokens.room = tokens->list.room;
        memset(tokens, 0, sizeof *tokens);
        return ERR_NONE;
}

static enum err add_token(struct auth *auth, const struct token *token, struct err_note *note) {
        struct tokens tokens = {0};
        bool is_there;

        pthread_mutex_lock(&auth->lock);
        copy_others(auth, token->name, &tokens, &is_there);
        if (is_there) {
                (void)!err_set(note, ERR_EXISTS, "there is a token %s already", token->name);
        } else {
                *vec_add(&tokens.list) = *token;
                is_there = replace_tokens(auth, &tokens, note) != ERR_NONE;
        }
        pthread_mutex_unlock(&auth->lock);
        vec_fini(&tokens.list);
        return is_there ? note->code : ERR_NONE;
}

enum err auth_token_create(struct auth *auth, const char *name, enum role role, uint64_t seconds,
                           char **ret_token, struct err_note *note) {
        char text[sizeof TOKEN_PREFIX + TOKEN_LETTERS] = TOKEN_PREFIX;
        struct token token = {.role = role};

        if (!is_name(name))
                return err_set(note, ERR_INVALID,
                               "a token's name is 1 to %d letters, digits, '-', '_' and '.', and not root",
                               AUTH_USER_SIZE - 1);
        memcpy(token.name, name, strlen(name) + 1);
        if (seconds > INT32_MAX)
                return err_set(note, ERR_INVALID, "a token that expires does so within 68 years");
        token.expires = seconds ? io_wall_ns(auth->io) / 1000000000 + (int64_t)seconds : 0;
        secret_text(auth->io, text + sizeof TOKEN_PREFIX - 1, TOKEN_LETTERS);
        token.hash = secret_quick(text);
        if (add_token(auth, &token, note))
                return note->code;
        *ret_token = mem_text(text);
        secret_wipe(text, sizeof text);
        return ERR_NONE;
}

enum err auth_token_revoke(struct auth *auth, const char *name, struct err_note *note) {
        struct tokens tokens = {0};
        enum err err = ERR_NONE;
        bool was_there;

        pthread_mutex_lock(&auth->lock);
        copy_others(auth, name, &tokens, &was_there);
        if (!was_there)
                err = err_set(note, ERR_NOT_FOUND, "there is no token %.63s", name);
        else
                err = replace_tokens(auth, &tokens, note);
        pthread_mutex_unlock(&auth->lock);
        vec_fini(&tokens.list);
        if (!err)
                sessions_end_of(auth, name);
        return err;
}

json_t *auth_tokens(struct auth *auth) {
        json_t *all = json_array();

        pthread_mutex_lock(&auth->lock);
        VEC_EACH (&auth->tokens, each) {
                if (!has_expired(auth, each))
                        (void)json_array_append_new(all, json_pack("{s:s,s:s,s:I}", "name", each->name,
                                                                   "role", role_name(each->role), "expires",
                                                                   (json_int_t)each->expires));
        }
        pthread_mutex_unlock(&auth->lock);
        return all;
}
