// SPDX-License-Identifier: Apache-2.0
/* One call of the XenAPI, from its name and parameters to its result or error, whatever protocol it came by.
 *
 *      struct xapi_call call = {.xapi = xapi, .name = "VDI.snapshot", .given = params};
 *      xapi_call_run(&call);
 *      … call.error, else call.result, whose kind is call.shape … or call.is_waiting
 *      xapi_call_fini(&call);
 *
 * A method that has nothing to say yet (event.from) sets is_waiting instead: the call is run again once the
 * objects' generation is no longer wait_generation, or the time has come; nothing waits meanwhile, and no
 * thread is held.
 *
 * Errors: call.error, an array of text with a code of the XenAPI first (xapi_error.h).
 * Threads: any, one at a time.  Handlers may wait for an SR's turn.
 */
#ifndef XAPI_XAPI_CALL_H
#define XAPI_XAPI_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "host.h"
#include "xapi_class.h"

struct xapi;
struct xapi_method;
struct pool;

/* What a result is, for protocols that write down types. */
enum xapi_shape_kind {
        XAPI_SHAPE_VOID,
        XAPI_SHAPE_VALUE,   /* of `type` */
        XAPI_SHAPE_RECORD,  /* of `class` */
        XAPI_SHAPE_RECORDS, /* reference -> record of `class` */
        XAPI_SHAPE_EVENTS,  /* of event.next */
        XAPI_SHAPE_BATCH,   /* of event.from */
        XAPI_SHAPE_PLAIN,   /* as the JSON is */
};
struct xapi_shape {
        enum xapi_shape_kind kind;
        enum xapi_type type;
        enum xapi_class_id class;
};

enum { XAPI_NAME_MAX = 128 };

struct xapi_call {
        struct xapi *xapi;   /* borrowed */
        const char *name;    /* borrowed; as the client wrote it */
        const json_t *given; /* borrowed; the parameters as they came, an array, the session first */
        const char *peer;    /* borrowed; who asks, for logs */

        /* Set by xapi_call_prepare. */
        const struct xapi_method *method; /* borrowed, static */
        enum xapi_class_id class;         /* of implicit methods */
        const struct xapi_field *field;   /* borrowed, static; likewise; NULL: of none */
        bool is_async;
        char session[AUTH_REF_SIZE]; /* the secret; empty: without one */
        struct auth_who who;
        json_t *params;    /* owned; an array: one for each of the method's parameters, null: left out */
        struct task *task; /* borrowed; of a call that runs as a task; NULL: it does not */

        json_t *result; /* owned; NULL: void */
        struct xapi_shape shape;
        json_t *error; /* owned; NULL: none */

        bool is_waiting;
        uint64_t wait_generation;
        uint64_t wait_until_ns; /* by the io's clock; 0 at first: set when the call is run the first time */
};

/* Finds the method and checks parameters, session and role.  False: error is set. */
bool xapi_call_prepare(struct xapi_call *);
/* Who carries it out, after prepare; NULL: whoever has it may, since it only looks. */
struct pool *xapi_call_workers(const struct xapi_call *);
/* Runs it: for an Async one that means that its task has begun. */
void xapi_call_run(struct xapi_call *);
void xapi_call_fini(struct xapi_call *);
DEFINE_AUTO_IN_PLACE(struct xapi_call, xapi_call_fini);

/* ---- for handlers: parameters ---- */

struct host *xapi_host(const struct xapi_call *);
const json_t *xapi_arg(const struct xapi_call *, unsigned i);
bool xapi_has_arg(const struct xapi_call *, unsigned i);
const char *xapi_arg_text(const struct xapi_call *, unsigned i); /* "": left out */
int64_t xapi_arg_int(const struct xapi_call *, unsigned i);
double xapi_arg_float(const struct xapi_call *, unsigned i);
bool xapi_arg_bool(const struct xapi_call *, unsigned i);
struct uuid xapi_arg_ref(const struct xapi_call *, unsigned i); /* null: OpaqueRef:NULL, or left out */
struct progress *xapi_progress(const struct xapi_call *);       /* of its task, or NULL */

/* ---- for handlers: results; all return true, so that "return xapi_give(…)" reads as one sentence ---- */

bool xapi_give(struct xapi_call *, json_t *value); /* takes value */
bool xapi_give_text(struct xapi_call *, const char *);
bool xapi_give_ref(struct xapi_call *, const struct uuid *);
bool xapi_give_nothing(struct xapi_call *);

#endif
