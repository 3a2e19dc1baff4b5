// SPDX-License-Identifier: Apache-2.0
/* Memory that streams borrow while bytes move, and give back when they wait for their other side: a
 * bounded number of parts for any number of streams.
 *
 *      part = parts_take(parts, &wait)         NULL: wait.call is made when it pays to ask again
 *      … part->memory is filled, and sent …
 *      parts_give(parts, part)
 *
 * Who waits is called in the order of asking, one for each part that is given back.  By then he may need none
 * any more: whoever was called says parts_pass when he has looked, so that the next one is called then.
 *
 * Errors: none.  Threads: any; a wait's are its loop's.
 * Ownership: a part is the taker's until he gives it back.  A wait is the asker's, and waits until it was
 * called or parts_forget.
 */
#ifndef SERVE_PARTS_H
#define SERVE_PARTS_H

#include "chain_batch.h"
#include "loop.h"

enum { PART_SIZE = 1024 * 1024 + 8192, PARTS_MAX = 16 };

struct parts;

struct part {
        uint8_t *memory;           /* owned; PART_SIZE bytes, at a page */
        struct chain_batch *batch; /* owned; to fill it by; NULL: there was none to be had */
        struct part *next;         /* borrowed; the pool's */
};

struct parts_wait {
        void (*call)(void *user); /* borrowed */
        void *user;               /* borrowed; handed to call */
        struct loop *loop;        /* borrowed */
        bool is_waiting;          /* ours, as what follows */
        struct parts_wait *next;  /* borrowed */
};

struct parts *parts_new(struct io *);
void parts_free(struct parts *); /* all are given back, nobody waits */
DEFINE_AUTO(struct parts *, parts_free);

struct part *parts_take(struct parts *, struct parts_wait *);
void parts_give(struct parts *, struct part *);
/* The next one who waits is called, if there is a part for him. */
void parts_pass(struct parts *);
/* The wait is called no more.  False: it was posted already, and will be. */
bool parts_forget(struct parts *, struct parts_wait *);

#endif
