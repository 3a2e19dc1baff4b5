// SPDX-License-Identifier: Apache-2.0
/* The XenAPI's classes: their fields, the fields' types, defaults and who may set them, declared once.
 * Records, checks of what clients send, getters, setters and the list of methods are all made from this
 * table.
 *
 * A value is JSON: text for strings, enums, references ("OpaqueRef:…") and times ("20250319T04:16:24Z"),
 * integers, reals, booleans, arrays for sets, objects for maps and records.
 *
 * Source: facts of the XenAPI's data model.  Fields that only xapi itself sees are left out.  Maps of numbers
 * (VM_metrics.VCPUs_utilisation, VCPUs_flags; network.assigned_ips) are declared as maps of text: nothing
 * here fills them.
 *
 * Errors: xapi_value_check says what would be right.  Threads: any; the table never changes.
 */
#ifndef FORMAT_XAPI_CLASS_H
#define FORMAT_XAPI_CLASS_H

#include <stdbool.h>

#include <jansson.h>

#include "err.h"
#include "uuid.h"

#define XAPI_REF_PREFIX "OpaqueRef:"
#define XAPI_NULL_REF   "OpaqueRef:NULL"

enum xapi_class_id {
        XAPI_SESSION,
        XAPI_POOL,
        XAPI_HOST,
        XAPI_HOST_METRICS,
        XAPI_SR,
        XAPI_PBD,
        XAPI_SM,
        XAPI_VDI,
        XAPI_VBD,
        XAPI_VM,
        XAPI_VM_METRICS,
        XAPI_VM_GUEST_METRICS,
        XAPI_VIF,
        XAPI_NETWORK,
        XAPI_PIF,
        XAPI_TASK,
        XAPI_MESSAGE,
        XAPI_N_CLASSES, /* more may stand before it */
};

enum xapi_type {
        XAPI_STRING,
        XAPI_INT,
        XAPI_FLOAT,
        XAPI_BOOL,
        XAPI_TIME,
        XAPI_ENUM,       /* one of `choices` */
        XAPI_REF,        /* of class `of` */
        XAPI_STRINGS,    /* a set */
        XAPI_ENUMS,      /* a set */
        XAPI_REFS,       /* a set */
        XAPI_INTS,       /* a set */
        XAPI_MAP,        /* string -> string */
        XAPI_ENUM_MAP,   /* string -> one of `choices`: current_operations */
        XAPI_CHOICE_MAP, /* one of `choices` -> string: blocked_operations */
        XAPI_REF_MAP,    /* string -> reference: blobs */
        XAPI_INT_MAP,    /* string -> int: features */
};

enum xapi_access {
        XAPI_READ_ONLY,   /* the host's */
        XAPI_CONSTRUCTED, /* given to create, and read-only then */
        XAPI_WRITABLE,    /* set_…, add_to_…, remove_from_… */
};

struct xapi_field {
        const char *name; /* borrowed, static; NULL ends a table */
        enum xapi_type type;
        enum xapi_access access;
        const char *fallback; /* borrowed, static; as text: "true", "0:0"; NULL: the type's empty value */
        const char *of;       /* borrowed, static; the class of references; the choices of enums: "a|b|c" */
        bool is_required;     /* create needs it */
};

struct xapi_class {
        const char *name;                /* borrowed, static; "VM_guest_metrics" */
        const struct xapi_field *fields; /* borrowed, static; uuid is the first */
};

extern const struct xapi_class xapi_classes[XAPI_N_CLASSES];

/* By name, upper and lower case alike; XAPI_N_CLASSES: there is none. */
enum xapi_class_id xapi_class_find(const char *name);
const struct xapi_field *xapi_field_find(enum xapi_class_id, const char *name); /* or NULL */

json_t *xapi_field_default(const struct xapi_field *); /* a new reference */
/* All fields, as their defaults say, but for its uuid; a new reference. */
json_t *xapi_record_new(enum xapi_class_id, const struct uuid *);
MUST_USE enum err xapi_value_check(const struct xapi_field *, const json_t *, struct err_note *);

/* "20250319T04:16:24Z", and back; "20250319T04:16:24" means the same. */
struct xapi_time {
        char s[20];
};
struct xapi_time xapi_time_of(int64_t unix_seconds); /* held to the years 1 to 9999 */
bool xapi_time_parse(const char *text, int64_t *ret_unix_seconds);

/* References hold the uuid of what they mean. */
struct xapi_ref {
        char s[sizeof XAPI_REF_PREFIX + 36];
};
struct xapi_ref xapi_ref_of(const struct uuid *);        /* the null uuid: OpaqueRef:NULL */
bool xapi_ref_parse(const char *text, struct uuid *ret); /* false: it is none, or OpaqueRef:NULL */

#endif
