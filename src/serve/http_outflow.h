// SPDX-License-Identifier: Apache-2.0
/* A body that can be read from anywhere, sent at its reader's pace.
 *
 *      http_outflow_begin(&options)    the answer's head goes out
 *        ops->read … ops->read         ahead of the socket by one part, as long as it takes bytes
 *        ops->close                    once: nothing is read any more; before the last bytes go
 *        ops->ended                    once: all is with the other side's connection, or why it is not
 *
 * A reader who stops: within OUTFLOW_PATIENCE_NS the parts that were read for him are given back, and read
 * again when he goes on.  What stays is this struct, 512 bytes of the end, and what ops hold.
 *
 * What fails, also a task that is cancelled, ends in a reset, so that nobody takes what came for the whole.
 *
 * Errors: told to ended: ERR_CLOSED, the reader is gone; ERR_CANCELLED; those of read and close.
 * Threads: the exchange's loop; read and close are called in threads of the pool, one at a time.
 */
#ifndef SERVE_HTTP_OUTFLOW_H
#define SERVE_HTTP_OUTFLOW_H

#include "http_house.h"

#define OUTFLOW_PATIENCE_NS UINT64_C(50000000)
enum { OUTFLOW_TAIL = 512 };

struct http_outflow_ops {
        /* Bytes from `at` on, as many as part has room for, at least one and not past the end; *ret lies in
         * part's memory. */
        enum err (*read)(void *user, struct part *, uint64_t at, const uint8_t **ret, size_t *ret_n,
                         struct err_note *); /* borrowed, as all here */
        enum err (*close)(void *user, bool is_whole, struct err_note *);
        void (*ended)(void *user, const struct err_note *why); /* code ERR_NONE: all went */
        /* Of a body whose length the answer does not know, HTTP_UNTIL_CLOSE (how it is framed is read's part
         * then): its length, or UINT64_MAX while even read does not know.  Asked between reads; at most
         * OUTFLOW_TAIL bytes are behind the read after which it is known.  Else NULL. */
        uint64_t (*length)(const void *user);
        /* Of a body that is made of another, compressed, say: how far in that one `read` has come, which
         * progress is told in.  Asked as length is.  NULL: progress is in bytes of the body. */
        uint64_t (*taken)(const void *user);
};

struct http_outflow_options {
        struct http_house *house;       /* borrowed, outlives it */
        struct http_exchange *exchange; /* borrowed until ended */
        /* With the body's length, at + length is the end; or HTTP_UNTIL_CLOSE, and `at` is 0.  Borrowed for
         * the call. */
        struct http_answer answer;
        uint64_t at;                        /* the first byte that is sent */
        uint64_t total;                     /* with ops->taken: the length of that one */
        bool has_no_body;                   /* a HEAD: only the answer */
        struct task *task;                  /* borrowed until ended; NULL: none */
        struct uuid session;                /* counts as used while bytes move; null: none */
        const struct http_outflow_ops *ops; /* borrowed, static */
        void *user;                         /* borrowed; handed to them */
};

void http_outflow_begin(const struct http_outflow_options *);

#endif
