// SPDX-License-Identifier: Apache-2.0
/* Where a vault is, as people write it: a directory, or s3://BUCKET/PREFIX, and what else must be known of a
 * bucket.  What does not answer is waited for, and it is told.
 *
 * Errors: those of target_dir.h, target_s3.h, s3_credentials.h; the caller's mistakes.  Threads: the call's.
 */
#ifndef SERVICE_VAULT_WHERE_H
#define SERVICE_VAULT_WHERE_H

#include "target.h"
#include "verbs.h"

#define WHERE_PARAMS                                                                                         \
        {.name = "patience",                                                                                 \
         .kind = PARAM_NUMBER,                                                                               \
         .shown = "SECONDS",                                                                                 \
         .fallback = "60",                                                                                   \
         .help = "How long what the target fails at, is full for, or does not answer is tried again."},      \
                {.name = "limit-up",                                                                         \
                 .kind = PARAM_SIZE,                                                                         \
                 .help = "Puts at most so many bytes a second: 50M."},                                       \
                {.name = "limit-down", .kind = PARAM_SIZE, .help = "Reads at most so many bytes a second."}, \
                {.name = "s3-endpoint",                                                                      \
                 .kind = PARAM_TEXT,                                                                         \
                 .shown = "URL",                                                                             \
                 .help = "The server of an s3:// vault, as https://HOST[:PORT]. Without it, that of AWS in " \
                         "the region."},                                                                     \
                {.name = "s3-region",                                                                        \
                 .kind = PARAM_TEXT,                                                                         \
                 .shown = "REGION",                                                                          \
                 .fallback = "us-east-1",                                                                    \
                 .help = "The bucket's region."},                                                            \
                {.name = "s3-style",                                                                         \
                 .kind = PARAM_CHOICE,                                                                       \
                 .choices = "path|host",                                                                     \
                 .help = "Whether the bucket is in the path or in the host's name. Without it: host for "    \
                         "AWS, path for others."},                                                           \
                {.name = "s3-credentials",                                                                   \
                 .kind = PARAM_PATH,                                                                         \
                 .shown = "FILE",                                                                            \
                 .help = "INI as ~/.aws/credentials has it, which is read without it, after the "            \
                         "environment's AWS_ACCESS_KEY_ID."},                                                \
                {.name = "s3-ca",                                                                            \
                 .kind = PARAM_PATH,                                                                         \
                 .shown = "FILE",                                                                            \
                 .help = "Certificates (PEM) by which the server is known; without it, the system's."},      \
                {.name = "s3-part",                                                                          \
                 .kind = PARAM_SIZE,                                                                         \
                 .fallback = "64M",                                                                          \
                 .help = "Objects that are larger are sent in parts of so many bytes; 5M to 1G."},           \
        {                                                                                                    \
                .name = "s3-lock", .kind = PARAM_NUMBER, .shown = "DAYS",                                    \
                .help = "Locks each object that is put for so long (Object Lock): nobody can remove it."     \
        }

/* may_make: a directory that is not there is made, and one that is not empty refused. */
MUST_USE enum err vault_where_open(struct verb_call *, const char *where, bool may_make, struct target **ret,
                                   struct err_note *);

#endif
