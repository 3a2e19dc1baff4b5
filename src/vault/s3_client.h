// SPDX-License-Identifier: Apache-2.0
/* One request to S3 after the other, each signed, many at once: by libcurl, whose connections are kept.
 *
 *      s3_client_new(io, &options)   s3_client_call(client, &call, &answer, note)   s3_client_free(client)
 *
 * Whatever is sent is signed with its hash, so a server takes nothing else than what was meant.
 *
 * Errors: of a call that was not answered, or not whole, and of answers that say to come again (5xx, 429,
 * SlowDown, an upload that is gone): ERR_IO, or ERR_BUSY; these may be tried again with the same bytes.
 * ERR_NOT_FOUND; ERR_DENIED, with what the server says; ERR_INVALID, all else that it refuses;
 * ERR_TOO_LARGE, more than max came.
 * Threads: call: any, at once.
 */
#ifndef VAULT_S3_CLIENT_H
#define VAULT_S3_CLIENT_H

#include <stdbool.h>
#include <sys/uio.h>

#include "err.h"
#include "io.h"
#include "s3_sign.h"

struct s3_client;

struct s3_client_options {
        const char *endpoint; /* borrowed, as all here, and copied; a URL of http or https, without a path */
        const char *bucket, *region; /* borrowed */
        const char *ca_file; /* borrowed; of the server's certificate; NULL: those that the system trusts */
        bool is_in_path;     /* the bucket is the path's first part, and not of the host's name */
        const struct s3_credentials *credentials; /* borrowed */
};

struct s3_client *s3_client_new(struct io *, const struct s3_client_options *);
void s3_client_free(struct s3_client *); /* nobody calls any more */
DEFINE_AUTO(struct s3_client *, s3_client_free);

struct s3_call {
        const char *method;          /* borrowed */
        const char *key;             /* borrowed; "" the bucket */
        const struct s3_pair *query; /* borrowed; by name */
        unsigned n_query;
        const struct s3_pair *headers; /* borrowed; by name */
        unsigned n_headers;
        const struct iovec *body; /* borrowed; what is sent */
        unsigned n_body;
        void *into; /* borrowed; where the answer's bytes go; NULL: to answer->body */
        size_t max; /* at most so many */
};
struct s3_answer {
        long status;
        uint64_t length; /* of the object, by Content-Length: of a HEAD */
        uint64_t
                range_at; /* where the bytes that came begin, by Content-Range; UINT64_MAX: it says nothing */
        size_t n;         /* bytes that came */
        struct buf body;  /* owned */
        char etag[256];   /* with its quotes; "" where there was none */
};
void s3_answer_fini(struct s3_answer *);
DEFINE_AUTO_IN_PLACE(struct s3_answer, s3_answer_fini);

/* Succeeds with a status of 2xx, and 416 of a range behind the end; else what it says is in the note. */
MUST_USE enum err s3_client_call(struct s3_client *, const struct s3_call *, struct s3_answer *ret,
                                 struct err_note *);

#endif
