// SPDX-License-Identifier: Apache-2.0
/* What can be called: names, parameters, results and who may, declared once; checks and system.listMethods
 * are made of it.
 *
 * Methods are of two kinds.  What a class can do is declared here, with its handler.  What every class has
 * (get_record, get_all_records, getters and setters of its fields, …) follows from the table of classes
 * (xapi_class.h) and is carried out by xapi_fields.h.  A name that is declared hides one that would follow.
 *
 * Names are "Class.verb"; "Class_verb" and, for what is declared and changes something, "Async.Class.verb"
 * too.
 *
 * Errors: none; a handler that failed has set the call's error and says false.  Threads: any; nothing here
 * changes.
 */
#ifndef XAPI_XAPI_METHOD_H
#define XAPI_XAPI_METHOD_H

#include "xapi_call.h"

enum xapi_param_flags {
        XAPI_OPTIONAL = 1 << 0, /* may be left out, as all behind it: older clients do */
        XAPI_NULLABLE = 1 << 1, /* OpaqueRef:NULL is fine */
        XAPI_RECORD = 1 << 2,   /* an object whose members are fields of class `of` */
        XAPI_ANY = 1 << 3,      /* whatever JSON it is */
};

struct xapi_param {
        struct xapi_field field; /* its name, type, choices or class */
        unsigned flags;
};

enum xapi_method_flags {
        XAPI_SESSIONLESS = 1 << 0, /* no session is given */
        XAPI_SLOW = 1 << 1,        /* waits for an SR's turn, or works long */
        XAPI_LOGIN = 1 << 3,       /* tries a password, which takes its time */
        XAPI_NOW = 1 << 2,         /* not to be had as a task */
};

enum { XAPI_PARAMS_MAX = 20 };

typedef bool (*xapi_handler)(struct xapi_call *);

struct xapi_method {
        const char *name; /* borrowed, static; NULL ends a table; of an implicit one its verb */
        const struct xapi_param
                *params; /* borrowed, static; without the session; ended by a field without a name */
        struct xapi_shape result;
        enum role role;
        unsigned flags;
        xapi_handler run;
};

/* Whom a name means. */
struct xapi_target {
        const struct xapi_method *method; /* borrowed, static; NULL: nobody */
        enum xapi_class_id class;         /* of implicit methods */
        const struct xapi_field *field;   /* borrowed, static; likewise */
        bool is_async;
};
struct xapi_target xapi_method_find(const char *name);

unsigned xapi_method_n_params(const struct xapi_method *);
unsigned xapi_method_n_needed(const struct xapi_method *);
json_t *xapi_method_list(void); /* all names, in order; a new reference */

extern const struct xapi_method xapi_session_methods[];
extern const struct xapi_method xapi_event_methods[];
extern const struct xapi_method xapi_task_methods[];
extern const struct xapi_method xapi_host_methods[];
extern const struct xapi_method xapi_message_methods[];
extern const struct xapi_method xapi_sr_methods[];
extern const struct xapi_method xapi_vbd_methods[];
extern const struct xapi_method xapi_vdi_methods[];
extern const struct xapi_method xapi_vdi_copy_methods[];
extern const struct xapi_method xapi_cbt_methods[];
extern const struct xapi_method xapi_vif_methods[];
extern const struct xapi_method xapi_vm_methods[];
extern const struct xapi_method xapi_vm_field_methods[];

/* For tables. */
#define XAPI_TEXT_PARAM(its_name)                                                                            \
        {                                                                                                    \
                .field = {.name = its_name, .type = XAPI_STRING }                                            \
        }
#define XAPI_REF_PARAM(its_name, class_name)                                                                 \
        {                                                                                                    \
                .field = {.name = its_name, .type = XAPI_REF, .of = class_name }                             \
        }
#define XAPI_TYPED_PARAM(its_name, its_type)                                                                 \
        {                                                                                                    \
                .field = {.name = its_name, .type = its_type }                                               \
        }
#define XAPI_GIVES(its_type)                                                                                 \
        { .kind = XAPI_SHAPE_VALUE, .type = its_type }
#define XAPI_GIVES_NOTHING                                                                                   \
        { .kind = XAPI_SHAPE_VOID }

#endif
