// SPDX-License-Identifier: Apache-2.0
/* What may lie between a connection and its socket, and changes bytes on their way: TLS (tls.h).  conn_secure
 * puts one in; who uses the connection sees no difference afterwards.
 *
 * Nothing here waits.  A step that could not be done says what it waits for; it is tried again when the
 * descriptor is ready for that.
 *
 * Errors: COVER_FAILED, and the note says why; the connection is over then.  Threads: the connection's.
 * Ownership: a cover is its connection's, and freed with it.
 */
#ifndef NET_COVER_H
#define NET_COVER_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

struct cover;

enum cover_step { COVER_DONE, COVER_WANTS_READ, COVER_WANTS_WRITE, COVER_FAILED };

struct cover_ops {
        /* Agrees with the other side; fd stays the connection's. */
        enum cover_step (*begin)(struct cover *, int fd, struct err_note *); /* borrowed, as all here */
        /* DONE: n > 0 bytes came, or the other side has said its end (0). */
        enum cover_step (*receive)(struct cover *, void *ret, size_t n, size_t *ret_n, struct err_note *);
        /* DONE: n > 0 of these went.  Whoever is told to wait comes again with the same bytes in front. */
        enum cover_step (*send)(struct cover *, const void *data, size_t n, size_t *ret_n, struct err_note *);
        bool (*has_more)(struct cover *); /* bytes that the descriptor does not tell of any more */
        enum cover_step (*finish)(struct cover *, struct err_note *); /* says our end */
        void (*free)(struct cover *);
};

/* The first member of each. */
struct cover {
        const struct cover_ops *ops; /* borrowed, lives forever */
};

#endif
