// SPDX-License-Identifier: Apache-2.0
/* XML-RPC as the XenAPI speaks it, to JSON and from it.
 *
 *      JSON            written as                                read from
 *      text            <value>text</value>                       that, <string>
 *      integer         <value>123</value>, which is text to      <int>, <i4>, <i8>
 *                      others; <i4> where the shape says so
 *      real            <double>, with a point or an exponent     <double>
 *      boolean         <boolean>                                 <boolean>
 *      null            <nil/>                                    <nil/>
 *      array, object   <array>, <struct>                         these; no member twice
 *      text            <dateTime.iso8601>, where the shape       that, as 20250319T04:16:24Z
 *                      says so
 *      text            -                                         <base64>, its digits without blanks
 *
 * So what was written as an integer is read as text: who wants an integer takes its digits too.
 *
 * JSON knows no times, and not which integers are to have a type.  So a value is written in a *shape*: what
 * JSON does not say of it.  NULL says nothing more.  The shape of a record is the table of its class, so
 * records are written as they are, without a copy; what holds records has a shape made of these:
 *
 *      static const struct xmlrpc_shape count = {.form = XMLRPC_I4};
 *      static const struct xmlrpc_member batch[] = {
 *              {"valid_ref_counts", {.form = XMLRPC_EACH, .each = &count}}, {"events", …}, {0}};
 *      static const struct xmlrpc_shape shape = {.form = XMLRPC_STRUCT, .members = batch};
 *
 * Writing cannot fail.  Control characters but TAB, LF and CR are left out, bytes that are no UTF-8 and what
 * else XML cannot carry become '?'; a CR is written by its number, since readers make LF of it otherwise.
 *
 * Reading refuses document types and so entities, what is nested deeper than XMLRPC_DEPTH_MAX values, and
 * whatever is not XML-RPC.  Memory is a small multiple of the document, whose size is the caller's to bound.
 *
 * Errors: ERR_CORRUPT, the text says in which line and why; ERR_NO_MEMORY; ERR_TOO_LARGE above 2 GiB.
 * Threads: any.  Ownership: what is read is a new reference, the caller's.
 */
#ifndef FORMAT_XMLRPC_H
#define FORMAT_XMLRPC_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "buf.h"
#include "bytes.h"
#include "err.h"
#include "xapi_class.h"

enum {
        XMLRPC_DEPTH_MAX = 32, /* of values within one another */
        XMLRPC_METHOD_MAX = 128,
};

/* ---- writing ---- */

enum xmlrpc_form {
        XMLRPC_PLAIN,
        XMLRPC_TIME,   /* text is a time */
        XMLRPC_I4,     /* an integer has its type */
        XMLRPC_DOUBLE, /* also where JSON has an integer */
        XMLRPC_EACH,   /* each element of an array, or member of an object, is as `each` */
        XMLRPC_STRUCT, /* the object's members are as `members`, others plain */
        XMLRPC_RECORD, /* the object's members are as the types of `fields` or `fields_of` */
};

struct xmlrpc_shape {
        enum xmlrpc_form form;
        const struct xmlrpc_shape *each;     /* borrowed; NULL: plain */
        const struct xmlrpc_member *members; /* borrowed; a name of NULL ends them */
        const struct xapi_field *fields;     /* borrowed, static; a name of NULL ends them */
        /* Where `fields` is NULL: which class it is stands beside the record, as in an event.  Is asked with
         * the object that holds the record; NULL: plain. */
        const struct xapi_field *(*fields_of)(const json_t *holder);
};
struct xmlrpc_member {
        const char *name; /* borrowed */
        struct xmlrpc_shape shape;
};

struct xmlrpc_shape xmlrpc_shape_of(enum xapi_type); /* of a field by itself */

/* All of them add to the buf; a shape may be NULL, and is of the value. */
void xmlrpc_add_success(struct buf *, const json_t *value, const struct xmlrpc_shape *);
void xmlrpc_add_failure(struct buf *, const json_t *description); /* an array of text, the code first */
/* A response without the status around its value: system.listMethods. */
void xmlrpc_add_bare(struct buf *, const json_t *value, const struct xmlrpc_shape *);
void xmlrpc_add_fault(struct buf *, int code, const char *text); /* what came is no call */
void xmlrpc_add_call(struct buf *, const char *method, const json_t *params); /* params: an array, or NULL */
/* "<value>…</value>" and nothing else: a task's result. */
void xmlrpc_add_value(struct buf *, const json_t *value, const struct xmlrpc_shape *);

/* ---- reading ---- */

struct xmlrpc_call {
        char method[XMLRPC_METHOD_MAX + 1];
        json_t *params; /* owned; an array */
};
void xmlrpc_call_fini(struct xmlrpc_call *);
DEFINE_AUTO_IN_PLACE(struct xmlrpc_call, xmlrpc_call_fini);

struct xmlrpc_reply {
        json_t *value; /* owned; what was asked for, bare or not; else NULL */
        json_t *error; /* owned; an array of text, the code first; of a fault "FAULT", its number, its text */
};
void xmlrpc_reply_fini(struct xmlrpc_reply *);
DEFINE_AUTO_IN_PLACE(struct xmlrpc_reply, xmlrpc_reply_fini);

MUST_USE enum err xmlrpc_decode_call(struct span, struct xmlrpc_call *ret, struct err_note *);
MUST_USE enum err xmlrpc_decode_reply(struct span, struct xmlrpc_reply *ret, struct err_note *);
MUST_USE enum err xmlrpc_decode_value(struct span, json_t **ret, struct err_note *);

/* What came, as JSON of that type where its text says one: "12" as 12 for XAPI_INT, ["1"] as [1] for
 * XAPI_INTS, 1 as 1.0 for XAPI_FLOAT.  Else as it is, for xapi_value_check to refuse.  A new reference. */
json_t *xmlrpc_typed(json_t *value, enum xapi_type);

#endif
