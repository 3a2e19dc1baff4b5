// SPDX-License-Identifier: Apache-2.0
/* Whether a request may be carried out, against what was advertised and agreed on.  Which errors stand for
 * what is the protocol's; the session goes on after each of them.
 *
 * Of a WRITE that is refused the data follows all the same: the caller lets it pass, then answers.
 *
 * Errors: the verdict.  Threads: any.
 */
#ifndef FORMAT_NBD_REQUEST_H
#define FORMAT_NBD_REQUEST_H

#include "cleanup.h"
#include "nbd.h"

/* What a connection's requests are measured by, from GO on. */
struct nbd_session {
        uint64_t size;       /* bytes, as advertised */
        uint16_t flags;      /* nbd_flags, as advertised */
        bool has_structured; /* structured replies were agreed on */
        unsigned n_contexts; /* that were set for this export */
};

struct nbd_verdict {
        enum nbd_error error; /* NBD_OK: carry it out */
        const char *text;     /* borrowed, lives forever; for the user of the client; NULL: all is well */
};

/* The flags of an export: all that we serve.  A read-only one does not offer what would change it. */
uint16_t nbd_session_flags(bool is_read_only, bool has_structured);

/* Not for DISC, which has no answer: its length and offset do not matter. */
MUST_USE struct nbd_verdict nbd_request_check(const struct nbd_request *, const struct nbd_session *);

const char *nbd_command_name(uint16_t type); /* "READ"; "?" */

#endif
