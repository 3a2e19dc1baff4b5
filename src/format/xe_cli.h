// SPDX-License-Identifier: Apache-2.0
/* What `xe` and its server say to one another: the thin CLI protocol, both sides.
 *
 *      client    POST /cli, its arguments as the body                        (HTTP; not here)
 *      server    banner                                                      no HTTP answer before it
 *      client    banner
 *      server    PRINT, …                                                    what to show
 *                LOAD file         client: OK, CHUNK + bytes, …, END; or FAILED
 *                PROMPT            client: OK, CHUNK + bytes, END
 *                HTTP_GET, _PUT    client: WAIT, …, then OK or FAILED; the bytes go another way
 *                ERROR, EXIT     the end
 *
 * A message is its length and so many bytes; all numbers are little-endian, of 32 bits.  Bytes behind a CHUNK
 * are in no message.
 *
 * Errors: ERR_CORRUPT, ERR_TOO_LARGE, ERR_UNSUPPORTED, with a sentence.  Threads: any.
 * Ownership: a message borrows its texts; one that was decoded, from the bytes it was decoded of.
 */
#ifndef FORMAT_XE_CLI_H
#define FORMAT_XE_CLI_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "bytes.h"
#include "err.h"

enum {
        XE_MAJOR = 0,
        XE_MINOR = 2,
        XE_BANNER_SIZE = 35,
        XE_PARAMS_MAX = 16, /* of an error */
        XE_ANSWER_MAX = 64, /* bytes of a message; a client has nothing longer to say */
};

enum xe_kind {
        /* the server's */
        XE_PRINT,        /* text, to standard output */
        XE_PRINT_STDERR, /* text */
        XE_DEBUG,        /* text, shown on request */
        XE_LOAD,         /* text: a file's name */
        XE_HTTP_GET,     /* text: a file's name; path: fetched into it */
        XE_HTTP_PUT,     /* text: a file's name; path: where it is sent */
        XE_HTTP_CONNECT, /* path */
        XE_PROMPT,
        XE_EXIT,  /* number */
        XE_ERROR, /* text: the code; params */
        /* the client's */
        XE_OK,
        XE_WAIT, /* still at it */
        XE_FAILED,
        /* either's */
        XE_CHUNK, /* so many bytes follow the message */
        XE_END,
};

struct xe_message {
        enum xe_kind kind;
        struct span text, path;
        int32_t number;
        uint32_t n; /* of XE_CHUNK */
        struct span params[XE_PARAMS_MAX];
        uint32_t n_params;
};

void xe_banner_encode(struct buf *);
/* *ret_used: of the bytes there are, those of the banner; 0: it may yet become one, when there are more. */
MUST_USE enum err xe_banner_decode(struct span, size_t *ret_used, struct err_note *);

void xe_encode(const struct xe_message *, struct buf *);
/* *ret_used: of the bytes there are, those of the message; 0: it is not whole yet, and ret is left alone.
 * One of more than max bytes is refused as soon as its length is there. */
MUST_USE enum err xe_decode(struct span, size_t max, struct xe_message *ret, size_t *ret_used,
                            struct err_note *);

/* A message with just a text, or with nothing. */
struct xe_message xe_message_of(enum xe_kind, const char *text);

#endif
