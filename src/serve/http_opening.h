// SPDX-License-Identifier: Apache-2.0
/* How a request that is answered by a long body begins: what it asks for is opened in a thread, since that
 * may wait; then it is answered, or refused with a status and a sentence that says why.
 *
 *      http_opening_begin(&options)
 *        ops->open                     in a thread: who asks, his task, what is to be sent
 *        ops->answer                   the loop's: the answer goes out (http_outflow.h); the rest is its
 *   or   ops->close, ops->refused      he was refused, or went away before the first byte
 *
 * It counts as a stream of the house until whoever it is over for, ops->refused or the flow's end, says
 * http_house_end.
 *
 * Errors: told to refused; ERR_CLOSED, the client went away.
 * Threads: the exchange's loop; open and close are called in threads of the pool, one at a time.
 */
#ifndef SERVE_HTTP_OPENING_H
#define SERVE_HTTP_OPENING_H

#include "http_house.h"

struct http_opening_ops {
        /* *ret_status: of the answer, where it is not as the failure's code has it.  One that fails has
         * closed what it opened. */
        enum err (*open)(void *user, unsigned *ret_status, struct err_note *); /* borrowed, as all here */
        enum err (*close)(void *user, struct err_note *);
        /* False: it cannot be answered so, why.  True: the exchange is its, and so is user. */
        bool (*answer)(void *user, struct http_exchange *, unsigned *ret_status, struct err_note *why);
        void (*refused)(void *user, const struct err_note *why); /* the client knows already */
};

struct http_opening_options {
        struct http_house *house;           /* borrowed, outlives it */
        struct http_exchange *exchange;     /* borrowed */
        const struct http_opening_ops *ops; /* borrowed, static */
        void *user;                         /* borrowed; handed to them */
};
void http_opening_begin(const struct http_opening_options *);

#endif
