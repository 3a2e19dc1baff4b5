// SPDX-License-Identifier: Apache-2.0
/* The server's ear: what a client sends, as events.  No socket, no buffer, no clock.
 *
 *      nbd_wire_init(&wire, NBD_TLS_OFFERED);          … the greeting is sent (nbd_reply.h) …
 *      do {
 *              if (nbd_wire_next(&wire, in, &used, &event, note))
 *                      the session is over: close without a word
 *              … look at the event, answer …
 *              in.data += used, in.n -= used;
 *      } while (event.kind != NBD_MORE);
 *
 * `in` is whatever has arrived and was not used before; what an event points at lies within it.  A header, or
 * an option with its data, is used as a whole or not at all, so the caller must be able to hold NBD_WIRE_NEED
 * bytes.  The same bytes give the same events, in whichever pieces they come; only a write's data comes in
 * as many pieces as it arrived in.  The data need not go through here: nbd_wire_left says how much is to
 * come, the caller may receive it where it belongs, and says so with nbd_wire_took.
 *
 *      GREETED ──flags──> HAGGLING ──option──> HAGGLING        the caller answers each
 *                            │  └─STARTTLS──> SECURING ──nbd_wire_secured──> HAGGLING, all forgotten
 *                            └─GO, EXPORT_NAME──> nbd_wire_start ──> REQUESTS <──> DATA (of a WRITE)
 *      ABORT, DISC ──> ENDED: what still comes is ignored
 *
 * Between an option and its answer nothing is asked of it: GO may take its time while a disk is opened.
 *
 * An option with a mistake is NBD_REFUSED: the caller sends what stands in the event, and the haggling goes
 * on.  Checked are sizes, names (UTF-8 without zeros, NBD_NAME_MAX bytes), counts, their order, and before
 * anything else TLS where it is required.  Requests are handed out as they come, also unknown ones:
 * nbd_request.h says what is wrong with one.
 *
 * Errors: ERR_CORRUPT and ERR_DENIED where the session cannot go on: another protocol, unknown client flags,
 * EXPORT_NAME that cannot be answered, NBD_OPTIONS_MAX options, bytes between STARTTLS and TLS.
 * Threads: its owner's.  Ownership: spans are borrowed from the caller's bytes.  Memory: the name of the
 * export that contexts were set for, until nbd_wire_start; none after.
 */
#ifndef FORMAT_NBD_WIRE_H
#define FORMAT_NBD_WIRE_H

#include "buf.h"
#include "err.h"
#include "nbd.h"

enum {
        NBD_WIRE_NEED = sizeof(struct nbd_option_wire) + NBD_OPTION_MAX,
        NBD_OPTIONS_MAX = 256, /* of one client */
};

/* NONE: STARTTLS is refused.  REQUIRED: all else is, until it has come. */
enum nbd_tls { NBD_TLS_NONE, NBD_TLS_OFFERED, NBD_TLS_REQUIRED };

enum nbd_wire_state {
        NBD_GREETED,
        NBD_HAGGLING,
        NBD_SKIPPING, /* the data of an option that will be refused */
        NBD_SECURING,
        NBD_REQUESTS,
        NBD_DATA, /* of a write */
        NBD_ENDED,
};

struct nbd_refusal {
        uint32_t option, type; /* NBD_REP_ERR_* */
        const char *text;      /* borrowed, lives forever; for the user of the client */
};

struct nbd_wire {
        enum nbd_wire_state state;
        enum nbd_tls tls;
        bool is_secure;
        bool is_fixed, no_zeroes; /* as the client said */
        bool has_structured;
        unsigned n_options;
        uint32_t last_option;
        uint64_t left; /* DATA, SKIPPING: bytes to come */
        struct nbd_refusal refusal;
        bool has_contexts;
        struct buf contexts_of; /* the export's name */
};

enum nbd_event_kind {
        NBD_MORE,         /* nothing until `need` bytes lie there */
        NBD_CLIENT_FLAGS, /* the greeting was answered: nothing to do */
        NBD_OPTION,       /* to be answered; ABORT: by an ack, then close */
        NBD_REFUSED,      /* to be answered by nbd_put_refusal */
        NBD_REQUEST,      /* of a WRITE the data follows */
        NBD_PAYLOAD,      /* a piece of it */
};

struct nbd_option {
        uint32_t code;
        struct span name;    /* EXPORT_NAME, INFO, GO, *_META_CONTEXT; UTF-8; empty: the default export */
        unsigned infos;      /* INFO, GO: a bit 1 << nbd_info for each that was asked for and is known */
        uint32_t n_queries;  /* *_META_CONTEXT */
        struct span queries; /* likewise; nbd_query_take (nbd_context.h) takes one after another */
        bool has_contexts;   /* EXPORT_NAME, GO: the contexts that were set last were set for this name */
};

struct nbd_event {
        enum nbd_event_kind kind;
        size_t need;
        struct nbd_option option;
        struct nbd_refusal refusal;
        struct nbd_request request;
        struct span data;
};

void nbd_wire_init(struct nbd_wire *, enum nbd_tls);
void nbd_wire_fini(struct nbd_wire *);
DEFINE_AUTO_IN_PLACE(struct nbd_wire, nbd_wire_fini);

MUST_USE enum err nbd_wire_next(struct nbd_wire *, struct span in, size_t *ret_used, struct nbd_event *ret,
                                struct err_note *);

/* After STARTTLS was acknowledged and TLS stands: what was agreed on in clear text is forgotten. */
void nbd_wire_secured(struct nbd_wire *);
/* After GO or EXPORT_NAME was granted, and the answer is on its way. */
void nbd_wire_start(struct nbd_wire *);

/* Of a write's data: how much is to come, and how much of that the caller took by itself. */
uint64_t nbd_wire_left(const struct nbd_wire *);
void nbd_wire_took(struct nbd_wire *, size_t n);

#endif
