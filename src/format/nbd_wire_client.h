// SPDX-License-Identifier: Apache-2.0
/* The client's side of NBD: what it says, and what a server's bytes mean.  As nbd_wire.h in every respect: no
 * socket, a header is used as a whole or not at all, the same bytes give the same events however they come.
 *
 *      GREETING ──> HAGGLING ──nbd_client_start──> REPLIES <──> DATA (of a read)
 *                      └─nbd_client_named──> EXPORT ──> REPLIES         (EXPORT_NAME)
 *
 * A simple reply does not say whether data follows it: the caller knows by the cookie, and says so with
 * nbd_client_expect.  A chunk of data does.
 *
 * Errors: ERR_CORRUPT where the session cannot go on; ERR_TOO_LARGE.  Threads: its owner's.
 * Ownership: spans are borrowed from the caller's bytes.  Memory: none.
 */
#ifndef FORMAT_NBD_WIRE_CLIENT_H
#define FORMAT_NBD_WIRE_CLIENT_H

#include "buf.h"
#include "err.h"
#include "nbd.h"

enum {
        NBD_CLIENT_REPLY_MAX =
                1 << 20 /* of anything but a read's data; what the caller must be able to hold */
};

/* ---- what it says ---------------------------------------------------------------------------- */

void nbd_ask_flags(struct buf *, uint32_t flags);
void nbd_ask_option(struct buf *, uint32_t code, struct span data);
/* code: INFO or GO; infos: a bit 1 << nbd_info each. */
void nbd_ask_export(struct buf *, uint32_t code, struct span name, unsigned infos);
/* code: LIST_ or SET_META_CONTEXT. */
void nbd_ask_contexts(struct buf *, uint32_t code, struct span name, const char *const *queries, uint32_t n);
void nbd_ask(const struct nbd_request *, uint8_t ret[sizeof(struct nbd_request_wire)]);

/* ---- what it hears --------------------------------------------------------------------------- */

enum nbd_client_state {
        NBD_CLIENT_GREETING,
        NBD_CLIENT_HAGGLING,
        NBD_CLIENT_EXPORT,
        NBD_CLIENT_REPLIES,
        NBD_CLIENT_DATA,
};

struct nbd_client {
        enum nbd_client_state state;
        bool no_zeroes;
        uint64_t left; /* DATA: bytes to come */
};

enum nbd_heard_kind {
        NBD_HEARD_NOTHING, /* until `need` bytes lie there */
        NBD_HEARD_GREETING,
        NBD_HEARD_OPTION, /* one reply to an option */
        NBD_HEARD_EXPORT, /* the answer to EXPORT_NAME */
        NBD_HEARD_SIMPLE,
        NBD_HEARD_CHUNK,
        NBD_HEARD_DATA, /* a piece of a read's data */
};

struct nbd_heard {
        enum nbd_heard_kind kind;
        size_t need;
        uint16_t flags;        /* GREETING: nbd_handshake_flags; EXPORT, OPTION with an export: nbd_flags */
        uint32_t option, type; /* OPTION: NBD_REP_*; CHUNK: nbd_chunk_type */
        uint16_t info;         /* OPTION, NBD_REP_INFO: nbd_info */
        uint64_t size;         /* EXPORT, OPTION with an export */
        struct span text;      /* OPTION: a name, or what is wrong; else its data; CHUNK: what is wrong */
        uint8_t cookie[8];
        uint32_t error;      /* SIMPLE, CHUNK: nbd_error */
        bool is_last;        /* CHUNK */
        uint64_t offset;     /* CHUNK: of data, a hole, an error at an offset */
        uint64_t length;     /* CHUNK: of data or a hole */
        uint32_t context;    /* CHUNK of extents, OPTION with a context: its id */
        struct span extents; /* CHUNK: nbd_extent_wire each */
        struct span data;    /* DATA */
};

void nbd_client_init(struct nbd_client *);
MUST_USE enum err nbd_client_next(struct nbd_client *, struct span in, size_t *ret_used,
                                  struct nbd_heard *ret, struct err_note *);
void nbd_client_named(struct nbd_client *, bool no_zeroes); /* EXPORT_NAME was sent */
void nbd_client_start(struct nbd_client *);                 /* GO was acknowledged */
void nbd_client_expect(struct nbd_client *, uint64_t n);    /* after a simple reply to a READ */

#endif
