// SPDX-License-Identifier: Apache-2.0
/* What auth.c (the password, who asks), auth_sessions.c and auth_tokens.c share.
 *
 * Locks, in the order in which they may be taken: `guess`, `lock`.  No call of objects.h is made with either.
 *
 * Errors: as auth.h.  Threads: see each.
 */
#ifndef SERVICE_AUTH_INSIDE_H
#define SERVICE_AUTH_INSIDE_H

#include <pthread.h>

#include "auth.h"
#include "map.h"
#include "secret.h"
#include "vec.h"

#define AUTH_ROOT "root"

struct session {
        struct map_key key; /* of its secret */
        struct auth_who who;
        uint64_t used_ns;
        int64_t ends;           /* unix seconds, with its token; 0: never */
        struct session *longer; /* borrowed; unused for longer */
        struct session *newer;  /* borrowed; used since */
};

struct token {
        char name[AUTH_USER_SIZE];
        enum role role;
        int64_t expires; /* unix seconds; 0: never */
        struct secret_hash hash;
};

struct auth {
        struct io *io;           /* borrowed */
        struct objects *objects; /* borrowed */
        char *password_path;     /* owned */
        char *tokens_path;       /* owned */
        bool made_password;
        struct secret_key key; /* of this process */

        pthread_mutex_t
                guess; /* one slow hash at a time: together they would need more memory than there is */
        struct secret_key salt;   /* guarded by guess */
        struct secret_hash admin; /* guarded by guess; slow */

        pthread_mutex_t lock; /* guards all below */
        bool has_good;
        struct secret_hash good;  /* keyed; of the last right password */
        struct map by_secret;     /* of struct session, owned */
        struct map by_uuid;       /* of struct session */
        struct session *longest;  /* borrowed from the map; unused for longest */
        struct session *latest;   /* borrowed from the map */
        VEC(struct token) tokens; /* owned; by name */
};

/* ---- auth_sessions.c ---- */

void sessions_add(struct auth *, const struct auth_who *, int64_t ends, const char *originator,
                  struct auth_session *ret);
bool sessions_check(struct auth *, const char *ref, struct auth_who *ret);
void sessions_end_of(struct auth *, const char *user);
void sessions_fini(struct auth *);

/* ---- auth_tokens.c ---- */

MUST_USE enum err tokens_load(struct auth *, struct err_note *);
/* user: NULL for any.  False: there is none, or it has expired. */
bool tokens_check(struct auth *, const char *user, const char *token, struct auth_who *ret,
                  int64_t *ret_ends);

#endif
