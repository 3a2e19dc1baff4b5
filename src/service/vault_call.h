// SPDX-License-Identifier: Apache-2.0
/* What the verbs of `catena vault` share: where the vault is, who opens it, and points as JSON.
 *
 * Errors: those of vault.h; ERR_INVALID, the caller's mistake.  Threads: the call's.
 */
#ifndef SERVICE_VAULT_CALL_H
#define SERVICE_VAULT_CALL_H

#include "points.h"
#include "vault.h"
#include "vault_where.h"
#include "verbs.h"

#define VAULT_PARAM                                                                                          \
        {.name = "vault",                                                                                    \
         .kind = PARAM_PATH,                                                                                 \
         .flags = PARAM_REQUIRED,                                                                            \
         .shown = "VAULT",                                                                                   \
         .help = "The vault: its directory, or s3://BUCKET/PREFIX."},                                        \
                WHERE_PARAMS
/* None of these holds a secret itself: what is on a command line, others see. */
#define KEY_PARAMS                                                                                           \
        {.name = "key-file", .kind = PARAM_PATH, .shown = "KEY", .help = "Opens it by this key file."}, {    \
                .name = "passphrase-file", .kind = PARAM_PATH, .shown = "FILE",                              \
                .help = "Opens it by the passphrase that is this file's first line."                         \
        }
#define POINT_PARAM(text)                                                                                    \
        {                                                                                                    \
                .name = "point", .kind = PARAM_TEXT, .flags = PARAM_POSITIONAL | PARAM_REQUIRED,             \
                .shown = "POINT", .help = text                                                               \
        }
#define DISK_PARAM(text)                                                                                     \
        { .name = "disk", .kind = PARAM_TEXT, .help = text }
#define POINT_HELP                                                                                           \
        "The point: the first digits of its id, or \"latest\": the newest that is not known to be damaged."

/* What a reader says whom a prune took for dead (reading.h). */
#define VAULT_READING_BROKEN                                                                                 \
        "a prune took this run for dead, since it heard nothing of it: what it reads may go meanwhile"

/* The key file's, which is made where it is not there. */
MUST_USE enum err vault_call_key_file(struct io *, const char *path, struct vault_key *ret,
                                      struct err_note *);
/* false: none was named. */
MUST_USE enum err vault_call_key(struct verb_call *, struct vault_key *ret, bool *ret_has, struct err_note *);
MUST_USE enum err vault_call_open(struct verb_call *, struct vault **ret, struct err_note *);
/* One that is elsewhere, by that key; NULL: none. */
MUST_USE enum err vault_call_open_at(struct verb_call *, const char *where, const struct vault_key *,
                                     struct vault **ret, struct err_note *);
/* Where opened indexes are kept, made if need be; NULL: in memory alone.  The caller's to free. */
char *vault_call_cache(const struct verb_call *);

/* The one that --disk says, or the only one. */
MUST_USE enum err vault_call_disk(struct verb_call *, const struct vault_manifest *,
                                  const struct vault_disk **ret, struct err_note *);

json_t *vault_json_of_disk(const struct vault_disk *);
json_t *vault_json_of_point(const struct point *);

#endif
