// SPDX-License-Identifier: Apache-2.0
/* What S3 answers in XML: a listing (ListObjectsV2), the id of an upload in parts, how it ended, an error.
 *
 * Document types, and so entities, are refused; texts are bounded; members that are not asked for are passed
 * over.  Source: the Amazon S3 API Reference, of each action.
 *
 * Errors: ERR_CORRUPT, no such document, and where.  Threads: any.
 */
#ifndef FORMAT_S3_XML_H
#define FORMAT_S3_XML_H

#include <stdbool.h>

#include "bytes.h"
#include "err.h"
#include "vec.h"

enum { S3_TEXT_MAX = 2048 };

struct s3_listed {
        char *key; /* owned */
        uint64_t size;
};
struct s3_listing {
        VEC(struct s3_listed) each; /* owned, and each; as they came */
        char *next;                 /* owned; where the next page goes on; NULL: this is the last */
};
void s3_listing_fini(struct s3_listing *);
DEFINE_AUTO_IN_PLACE(struct s3_listing, s3_listing_fini);
MUST_USE enum err s3_listing_decode(struct span, struct s3_listing *ret, struct err_note *);

/* *ret: owned by the caller. */
MUST_USE enum err s3_upload_id_decode(struct span, char **ret, struct err_note *);

struct s3_error {
        char *code, *message; /* owned; NULL: it says none */
};
void s3_error_fini(struct s3_error *);
DEFINE_AUTO_IN_PLACE(struct s3_error, s3_error_fini);
/* false: the document is no error; what is no document at all is an error without a text. */
bool s3_error_decode(struct span, struct s3_error *ret);
/* The end of an upload in parts has the status 200 before it is known how it ended: false where this says
 * that it is whole. */
bool s3_complete_is_error(struct span, struct s3_error *ret);

#endif
