// SPDX-License-Identifier: Apache-2.0
/* A request's body, taken in at its sender's pace by somebody who may wait: in errands, one at a time, in
 * memory that is borrowed while bytes move.
 *
 *      http_inflow_begin(&options)
 *        ops->open                     may refuse
 *        ops->push … ops->push         until ops->is_whole, or the body is
 *        ops->commit
 *        ops->discard                  once, in any case that open was called in
 *        ops->ended                    once: it is over, and how; then the sender is answered
 *
 *      OPENING ──> RECEIVING ──all that is needed has come──> COMMITTING ──> answered
 *         │            └ the body ended early, an error: answered at once, in the middle of the upload
 *         └ refused
 *
 * 200 says that it is committed.  A sender that stops costs its connection, and what ops hold.  One that goes
 * when all that is needed has come has imported; else he has not.
 *
 * Errors: told to ended: ERR_CLOSED, the sender is gone; ERR_CANCELLED; those of ops.
 * Threads: the exchange's loop; open, push, commit and discard are called in threads of the pool, is_whole
 * and taken between these.
 */
#ifndef SERVE_HTTP_INFLOW_H
#define SERVE_HTTP_INFLOW_H

#include "http_house.h"

struct http_inflow_ops {
        /* *ret_status: of the answer, where it is not as the failure's code has it. */
        enum err (*open)(void *user, unsigned *ret_status, struct err_note *); /* borrowed, as all here */
        enum err (*push)(void *user, const void *data, size_t n, struct err_note *);
        bool (*is_whole)(const void *user);
        uint64_t (*taken)(const void *user); /* bytes */
        enum err (*commit)(void *user, struct err_note *);
        void (*discard)(void *user);
        void (*ended)(void *user, const struct err_note *why); /* code ERR_NONE: it is committed */
};

struct http_inflow_options {
        struct http_house *house;          /* borrowed, outlives it */
        struct http_exchange *exchange;    /* borrowed */
        struct http_asker *asker;          /* borrowed until ended */
        uint64_t total;                    /* bytes that will come, for people; UINT64_MAX: not known */
        const char *what;                  /* borrowed, static; in front of what failed: "import VDI" */
        const struct http_inflow_ops *ops; /* borrowed, static */
        void *user;                        /* borrowed; handed to them */
};
void http_inflow_begin(const struct http_inflow_options *);

#endif
