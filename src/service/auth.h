// SPDX-License-Identifier: Apache-2.0
/* Who may do what: accounts, roles, and the sessions and tokens that stand for them.
 *
 *      auth_open(io, state_dir, objects, &auth, note)
 *      auth_login(auth, "root", password, "who asks", &session, note)   clients send session.ref afterwards
 *      auth_check(auth, ref, &who, note)
 *
 * The administrator is root.  His password is made at the first start and lies in STATE-DIR/admin-password,
 * mode 0600; who wants another writes it there and reloads.  Only its Argon2id hash is kept in memory, and a
 * quick one, under a key of this process, of the last right one, so that many logins cost little.
 *
 * A session's reference is its secret: 128 random bits, in no log and no event.  Its object of class session
 * has another, public reference, by which it cannot be used.  Sessions end by logout, after a day without use
 * (use is also bytes that flow, auth_touch), where the password or token that they came from is no more, and
 * with the process; at most SESSIONS_MAX of one account: then the one longest unused goes.
 *
 * Tokens are for programs: a role, an expiry, a name; shown once, kept as a hash in STATE-DIR/tokens.json,
 * mode 0600.  A token goes where a session's reference goes, and where the password of a user of its name
 * goes.
 *
 * Wrong passwords cost time, one at a time whoever asks: each failure of a peer delays its next answer, which
 * is for the caller to wait.
 *
 * Errors: ERR_DENIED, wrong password, or ended; texts never hold a secret.
 * Threads: any.
 * Ownership: io and objects are borrowed and outlive it.
 */
#ifndef SERVICE_AUTH_H
#define SERVICE_AUTH_H

#include "objects.h"

struct auth;

enum {
        SESSIONS_MAX = 10000,
        SESSION_IDLE_SECONDS = 24 * 60 * 60,
        AUTH_USER_SIZE = 64,
        AUTH_REF_SIZE = sizeof XAPI_REF_PREFIX + 36,
};

enum role { ROLE_READ_ONLY, ROLE_OPERATOR, ROLE_ADMIN }; /* each may do what those before it may */
const char *role_name(enum role);                        /* "read-only", "operator", "admin" */
bool role_parse(const char *name, enum role *ret);

struct auth_who {
        struct uuid session; /* of the object of class session; null: there is no session */
        char user[AUTH_USER_SIZE];
        enum role role;
};
struct auth_session {
        char ref[AUTH_REF_SIZE]; /* the secret */
        struct auth_who who;
};

MUST_USE enum err auth_open(struct io *, const char *state_dir, struct objects *, struct auth **ret,
                            struct err_note *);
void auth_close(struct auth *);
DEFINE_AUTO(struct auth *, auth_close);
/* The password's file is read again.  Where it is another, root's sessions end. */
MUST_USE enum err auth_reload(struct auth *, struct err_note *);
const char *auth_password_path(const struct auth *);
bool auth_made_password(const struct auth *); /* at this start */

MUST_USE enum err auth_login(struct auth *, const char *user, const char *password, const char *originator,
                             struct auth_session *ret, struct err_note *);
/* Also "USER:PASSWORD" of HTTP Basic, without a session; who->session is null then. */
MUST_USE enum err auth_check_password(struct auth *, const char *user, const char *password,
                                      struct auth_who *ret, struct err_note *);
/* A session's secret, or a token. */
MUST_USE enum err auth_check(struct auth *, const char *ref, struct auth_who *ret, struct err_note *);
void auth_touch(struct auth *, const struct uuid *session);
void auth_logout(struct auth *, const char *ref);
void auth_tick(struct auth *); /* each minute or so: sessions that were not used for long go */
unsigned auth_n_sessions(struct auth *);

/* name: 1 to 63 letters, digits, '-', '_', '.', and not root: ERR_INVALID; ERR_EXISTS.  seconds: until it
 * expires; 0: never.  *ret_token: the caller's to free. */
MUST_USE enum err auth_token_create(struct auth *, const char *name, enum role, uint64_t seconds,
                                    char **ret_token, struct err_note *);
MUST_USE enum err auth_token_revoke(struct auth *, const char *name, struct err_note *); /* ERR_NOT_FOUND */
/* An array of {"name", "role", "expires": unix seconds, 0: never}, by name; a new reference. */
json_t *auth_tokens(struct auth *);

#endif
