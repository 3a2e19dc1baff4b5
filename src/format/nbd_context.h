// SPDX-License-Identifier: Apache-2.0
/* Metadata contexts: what BLOCK_STATUS can tell about a disk, by name.
 *
 *      base:allocation                 holes and zeros, as the protocol defines them
 *      catena:changed:UUID             what differs from the snapshot of that uuid
 *
 * A query asks for one, or in LIST for all that begin as it does: "base:", "catena:", "catena:changed:".
 * Other servers' names ask for nothing, which is no mistake.
 *
 * Errors: none; a query is one of ours, or for nothing.  Threads: any.
 */
#ifndef FORMAT_NBD_CONTEXT_H
#define FORMAT_NBD_CONTEXT_H

#include "bytes.h"
#include "uuid.h"

enum { NBD_CONTEXT_NAME_SIZE = 64 }; /* with its terminator */

enum nbd_context_kind { NBD_CONTEXT_ALLOCATION, NBD_CONTEXT_CHANGED };

struct nbd_context {
        enum nbd_context_kind kind;
        struct uuid snapshot; /* CHANGED */
};

struct nbd_context_name {
        char s[NBD_CONTEXT_NAME_SIZE];
};

struct nbd_context_name nbd_context_name(const struct nbd_context *);

enum nbd_query_kind {
        NBD_QUERY_NOTHING,
        NBD_QUERY_ONE,
        NBD_QUERY_ALL_BASE,    /* only LIST */
        NBD_QUERY_ALL_CHANGED, /* only LIST */
};

struct nbd_query {
        enum nbd_query_kind kind;
        struct nbd_context one; /* NBD_QUERY_ONE */
};

struct nbd_query nbd_query_parse(struct span text);
/* The first of an option's queries, whose bytes nbd_wire_next has checked; *queries begins behind it then. */
struct nbd_query nbd_query_take(struct span *queries);

#endif
