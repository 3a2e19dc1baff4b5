// SPDX-License-Identifier: Apache-2.0
/* A bucket of S3, or a part of one, as a vault's target: an object is an object, below a prefix.
 *
 * A put is whole or not there at all, and read and listed by everyone from then on (S3 promises that since
 * 2020, Ceph since always).  What is larger than part_size goes in parts, and is there when the last answer
 * says so: its status comes before that is known, so its text counts.  What a run that died left of an upload
 * in parts is invisible; a rule of the bucket that ends such uploads takes it away.
 *
 * With `lock_seconds` each object is put with a date until which the server lets nobody remove that version
 * of it, whoever he is (Object Lock, mode COMPLIANCE; the bucket must have been made with it).  One that goes
 * in parts gets it once more when it is whole, since some servers forget what an upload's beginning said.
 *
 * Errors: those of s3_client.h.  Threads: any.
 */
#ifndef VAULT_TARGET_S3_H
#define VAULT_TARGET_S3_H

#include "s3_client.h"
#include "target.h"

struct target_s3_options {
        struct s3_client_options client;
        const char *prefix;    /* borrowed; "a/b": objects are below "a/b/"; "" the whole bucket */
        uint64_t part_size;    /* S3 takes none below 5 MiB but the last */
        uint64_t lock_seconds; /* 0: none */
};

/* Nothing is asked yet. */
struct target *target_s3_new(struct io *, const struct target_s3_options *);

#endif
