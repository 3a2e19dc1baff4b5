// SPDX-License-Identifier: Apache-2.0
/* Requests to S3, signed: AWS Signature Version 4 over the hash of what is sent, in headers.
 *
 *      s3_sign(&credentials, &request, &signed)    the headers to send besides those that were signed too
 *
 * Source: "Signature Version 4 signing process" of the AWS General Reference; test_s3_sign.c has its
 * published vectors.
 *
 * Errors: none.  Threads: any.
 */
#ifndef VAULT_S3_SIGN_H
#define VAULT_S3_SIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

struct s3_credentials {
        char *key_id; /* owned */
        char *secret; /* owned; wiped */
        char *token;  /* owned; of a session; NULL: none */
};
void s3_credentials_fini(struct s3_credentials *);
DEFINE_AUTO_IN_PLACE(struct s3_credentials, s3_credentials_fini);

struct s3_pair {
        const char *name, *value; /* borrowed; of a header: the name in lower case */
};
struct s3_request {
        const char *method, *host, *path; /* borrowed; path as it goes over the wire, "/bucket/a%20b" */
        const struct s3_pair *query;      /* borrowed; by name, not escaped */
        unsigned n_query;
        const struct s3_pair
                *headers; /* borrowed; by name; signed besides host and those that signing adds */
        unsigned n_headers;
        const char *region;      /* borrowed */
        uint8_t payload_sum[32]; /* SHA-256 of what is sent; of nothing, where nothing is */
        int64_t time;            /* seconds since 1970 */
};

enum { S3_SUM_TEXT = 65, S3_TIME_TEXT = 17 };
struct s3_signed {
        char payload_sum[S3_SUM_TEXT]; /* x-amz-content-sha256 */
        char time[S3_TIME_TEXT];       /* x-amz-date */
        struct buf authorization;      /* owned; authorization */
};
void s3_signed_fini(struct s3_signed *);
DEFINE_AUTO_IN_PLACE(struct s3_signed, s3_signed_fini);

void s3_sign(const struct s3_credentials *, const struct s3_request *, struct s3_signed *ret);

/* As URIs have it: all but letters, digits and -._~ by %XX; of a path slashes stay. */
void s3_escape(struct buf *, const char *text, bool is_path);
/* name=value&…, as it is signed and sent. */
void s3_put_query(struct buf *, const struct s3_pair *, unsigned n);

#endif
