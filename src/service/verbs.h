// SPDX-License-Identifier: Apache-2.0
/* What the product can do, declared once: each verb with its help, parameters, result and handler.
 *
 * The command line, its help and man page, and later the owner's socket and the web API are all made from
 * this table, so they cannot disagree.  Parameters and results are plain JSON: sizes and numbers are
 * integers, flags booleans, all else text.  What cannot be JSON (the bytes of an import or export) passes
 * through the call's input and output.
 *
 *      struct verb_call call = {.verb = verb, .params = params, .io = io, …};
 *      if (verb_call_run(&call, note))
 *              …
 *      … call.result, call.outcome …
 *      verb_call_fini(&call);
 *
 * Errors: those of the floor that did the work, with the file and what was being done in front.  Where the
 * caller used the verb wrongly, outcome is VERB_USAGE besides. Threads: the owner of what the verb works on;
 * the table itself never changes.
 */
#ifndef SERVICE_VERBS_H
#define SERVICE_VERBS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "err.h"
#include "io.h"
#include "progress.h"
#include "sr.h"

DEFINE_AUTO(json_t *, json_decref);

/* ---- parameters ---- */

enum param_kind {
        PARAM_TEXT,
        PARAM_PATH, /* of a file or directory, or "-" where the help says so */
        PARAM_UUID,
        PARAM_SIZE, /* bytes; people write 64M */
        PARAM_NUMBER,
        PARAM_CHOICE, /* one of `choices` */
        PARAM_FLAG,   /* given or not */
};

enum param_flags {
        PARAM_POSITIONAL = 1 << 0, /* by its place, not by --name */
        PARAM_REQUIRED = 1 << 1,
        PARAM_REPEATED = 1 << 2, /* one or more: a JSON array of text; only as the last positional */
};

struct param {
        const char *name; /* borrowed, static; --name, and the key in JSON; NULL ends a table */
        enum param_kind kind;
        unsigned flags;
        const char *shown; /* borrowed, static; what help calls the value: "FILE" */
        const char *help;  /* borrowed, static */
        const char
                *fallback; /* borrowed, static; the value where none is given, as people write it; or NULL */
        const char *choices; /* borrowed, static; "vhd|raw" */
        char letter;         /* -o; 0: none */
};

/* ---- results ---- */

enum field_kind {
        FIELD_TEXT,
        FIELD_UUID,
        FIELD_SIZE,
        FIELD_NUMBER,
        FIELD_BOOL,
        FIELD_TIME,
        FIELD_OBJECT,
        FIELD_LINES, /* text of several lines */
};

struct field {
        const char
                *name; /* borrowed, static; the key in JSON, "a.b" in an object within; NULL ends a table */
        enum field_kind kind;
        const char *help; /* borrowed, static */
        bool is_detail;   /* only in JSON */
};

/* How a person sees the result. */
enum verb_shape {
        SHAPE_NOTHING,  /* done is done */
        SHAPE_UUID,     /* the field "uuid", alone */
        SHAPE_FIRST,    /* the first field, alone */
        SHAPE_RECORD,   /* one field a line */
        SHAPE_TABLE,    /* one row for each object of the array `rows` */
        SHAPE_TREE,     /* the same, under their parents: each object has "depth" */
        SHAPE_FINDINGS, /* "findings": severity, part, at, text, repair */
};

/* ---- verbs ---- */

struct verb_call;
struct loose_disks;
typedef enum err (*verb_run)(struct verb_call *, struct err_note *);

struct verb {
        const char *name;           /* borrowed, static; NULL ends a table */
        const char *summary;        /* borrowed, static; one line */
        const char *details;        /* borrowed, static; paragraphs, or NULL */
        const struct param *params; /* borrowed, static */
        enum verb_shape shape;
        const char *rows;           /* borrowed, static; for tables and trees: the key of the array */
        const struct field *fields; /* borrowed, static; of the result, or of each row */
        verb_run run;
        /* Called again each second until it is stopped, or as often as its parameter "times" says; each
         * result takes the last one's place. */
        bool repeats;
        bool is_local;   /* never sent to a daemon */
        bool needs_host; /* works on what a daemon has, and is carried out in one: verb_call.host is set */
};

struct noun {
        const char *name;                /* borrowed, static; NULL ends the table */
        const char *summary;             /* borrowed, static */
        const char *details;             /* borrowed, static */
        const struct verb *const *verbs; /* borrowed, static; ended by NULL */
};

/* One whose only verb has its name: that is said once. */
bool noun_is_verb(const struct noun *);

extern const struct noun verb_nouns[];

const struct noun *verbs_find_noun(const char *name);                        /* or NULL */
const struct verb *verbs_find(const struct noun *, const char *name);        /* or NULL */
const struct param *verbs_find_param(const struct verb *, const char *name); /* or NULL */
const char *param_shown(const struct param *); /* "SIZE": what stands for its value in help */

/* Puts a value, as people write it, into params.  ERR_INVALID says what would be right. */
MUST_USE enum err verbs_set_param(json_t *params, const struct param *, const char *text, struct err_note *);

/* ---- calls ---- */

enum verb_outcome {
        VERB_DONE,
        VERB_PARTIAL,  /* done in part; the result says what not */
        VERB_FINDINGS, /* done; there is something to be looked at */
        VERB_USAGE,    /* with an error: the caller's mistake */
        VERB_WRONG,    /* done; what was looked at is no good, and the result says all of it */
};

struct host;
struct keeper;
struct keepers;
struct verb_elsewhere;

struct verb_call {
        const struct verb *verb;    /* borrowed, static */
        json_t *params;             /* borrowed; an object; values that are missing are filled in */
        struct io *io;              /* borrowed */
        const char *state_dir;      /* borrowed; where names of SRs are kept */
        struct io_file *input;      /* borrowed; stands for "-"; NULL: there is none */
        struct io_file *output;     /* borrowed; likewise */
        struct progress *progress;  /* borrowed */
        const struct sr_self *self; /* borrowed; who owns an SR meanwhile; NULL: nobody in particular */
        struct keeper *keeper; /* borrowed; keeps the SR for all calls of the process; NULL: one of its own */
        struct keepers *keepers; /* borrowed; of a process that owns several SRs: whichever the call names is
                                  * found in it; NULL: there is none */
        struct host *host;       /* borrowed; the daemon that it runs in (host.h); NULL: in none */
        bool is_of_other;        /* sent by another process, to the keeper's SR */
        bool is_not_here;        /* … which is not open, or not any more: it can be sent again */
        const struct verb_elsewhere *elsewhere; /* borrowed; NULL: an SR that another owns is in use */
        const char *socket; /* borrowed; a daemon's: the whole call goes there; NULL: it runs here */
        /* Serves disks that are in no SR (loose_disk.h), as the params of listen_params.h say, until it is
         * told to stop; NULL: this program serves none. */
        enum err (*serve)(struct verb_call *, const struct loose_disks *, struct err_note *);
        void *user; /* borrowed; what a program hands to a verb of its own */

        json_t *result; /* owned; an object, filled by the handler */
        enum verb_outcome outcome;

        /* Kept by sr_call.c, from sr_call_open until the handler has returned. */
        struct sr *sr;         /* owned, but the keeper's where it has one; NULL: none is open */
        struct turn *turn;     /* borrowed; of the SR; NULL: nobody else wants it */
        bool is_kept;          /* the keeper is one of `keepers` */
        bool is_read_only;     /* the verb may change nothing, whatever sr would allow */
        struct sr_owner owner; /* owned; where folder is set: the call goes there */
};

/* How a call reaches the process that owns its SR: handed down by who can speak to it. */
struct verb_elsewhere {
        /* Fills result and outcome as the handler would have.  *ret_is_gone: nobody was there, and nothing
         * was done. */
        enum err (*run)(void *user, struct verb_call *, bool *ret_is_gone, struct err_note *); /* borrowed */
        void *user; /* borrowed; handed to run */
};

MUST_USE enum err verb_call_run(struct verb_call *, struct err_note *);
void verb_call_fini(struct verb_call *);
DEFINE_AUTO_IN_PLACE(struct verb_call, verb_call_fini);

/* For handlers: the value of a declared parameter. */
const char *call_text(const struct verb_call *, const char *name); /* NULL: not given */
bool call_has(const struct verb_call *, const char *name);
bool call_flag(const struct verb_call *, const char *name);
uint64_t call_number(const struct verb_call *, const char *name); /* sizes too; 0: not given */
const json_t *call_list(const struct verb_call *,
                        const char *name); /* of a repeated one; borrowed from params */

/* For handlers: what stands for "-"; an error where there is none. */
MUST_USE enum err call_need_input(const struct verb_call *, struct err_note *);
MUST_USE enum err call_need_output(const struct verb_call *, struct err_note *);

/* For handlers: the caller's mistake, which only the values together show. */
enum err call_usage(struct verb_call *, struct err_note *, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* For handlers: into the result.  Text that is not UTF-8 has its bad bytes replaced, so that JSON can carry
 * it. */
void call_put(struct verb_call *, const char *key, json_t *value); /* takes value */
json_t *json_of_text(const char *text);                            /* NULL: null */
json_t *json_of_u64(uint64_t);

#endif
