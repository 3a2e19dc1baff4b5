// SPDX-License-Identifier: Apache-2.0
/* Whose bucket it is: what other tools for S3 read, in the order in which they read it.
 *
 *   1. the file that the caller names, a profile's section of it
 *   2. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, where the first two are there
 *   3. $AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/credentials
 *
 * A file is INI: sections of profiles (AWS_PROFILE, else "default") with aws_access_key_id,
 * aws_secret_access_key and aws_session_token.  Nothing of it is ever said in a message.
 *
 * Errors: ERR_NOT_FOUND, there are none, and where was looked; ERR_CORRUPT, the file's line that is wrong.
 * Threads: any that does not change the environment.
 */
#ifndef SERVICE_S3_CREDENTIALS_H
#define SERVICE_S3_CREDENTIALS_H

#include "io.h"
#include "s3_sign.h"

/* file: NULL, the caller names none. */
MUST_USE enum err s3_credentials_find(struct io *, const char *file, struct s3_credentials *ret,
                                      struct err_note *);

#endif
