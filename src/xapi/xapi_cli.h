// SPDX-License-Identifier: Apache-2.0
/* One command of `xe`, carried out by calls of the XenAPI as any other client's.
 *
 *      cli.xapi = xapi, cli.peer = "…"; xapi_cli_ask_parse(body, &cli.ask, note)
 *      next = xapi_cli_log_in(&cli)        XAPI_CLI_RUNS, or it failed
 *      next = xapi_cli_run(&cli)           … and as long as it is not XAPI_CLI_ENDS:
 *      next = xapi_cli_go_on(&cli)         after what the client said (has_failed, typed), or some time
 *      xapi_cli_end(&cli)                  logs out
 *      … cli.out: messages for the client (xe_cli.h), to be sent and emptied after each step
 *
 * Commands: the tables at the ends of xapi_cli_*.c; <class>-list and <class>-param-… are made of the table of
 * classes.  What a client prints ends where it adds the end of a line itself; what goes to its standard error
 * has one.
 *
 * Errors: become messages to the client, and the exit code 1.
 * Threads: any, one at a time; steps may wait for an SR's turn, and logging in takes its time.
 */
#ifndef XAPI_XAPI_CLI_H
#define XAPI_XAPI_CLI_H

#include "xapi_call.h"
#include "xapi_cli_ask.h"

enum xapi_cli_next {
        XAPI_CLI_RUNS,
        XAPI_CLI_HEARS, /* goes on when the client has said how its transfer went */
        XAPI_CLI_ASKS,  /* goes on when somebody there has typed a line */
        XAPI_CLI_WAITS, /* goes on when objects are no longer of wait_generation, or after a while */
        XAPI_CLI_ENDS,
};

struct xapi_cli;
typedef enum xapi_cli_next (*xapi_cli_command)(struct xapi_cli *);

enum { XAPI_CLI_SESSION_SIZE = 256, XAPI_CLI_TYPED_SIZE = 128 };

struct xapi_cli {
        struct xapi *xapi; /* borrowed */
        const char *peer;  /* borrowed; for logs */
        struct xapi_cli_ask ask;
        char session[XAPI_CLI_SESSION_SIZE]; /* the secret of one, or a token */
        bool is_our_session;                 /* to be ended with the command */
        struct buf out;
        int exit_code;

        xapi_cli_command then; /* borrowed; what going on means */
        json_t *held;          /* owned; what that needs; NULL: nothing */
        char typed[XAPI_CLI_TYPED_SIZE];
        char *task;      /* owned; reference of a transfer's; NULL: there is none */
        bool has_failed; /* the client says so of its transfer */
        uint64_t heard_ns, wait_generation;
};

enum xapi_cli_next xapi_cli_log_in(struct xapi_cli *);
enum xapi_cli_next xapi_cli_run(struct xapi_cli *);
enum xapi_cli_next xapi_cli_go_on(struct xapi_cli *);
void xapi_cli_end(struct xapi_cli *);
void xapi_cli_fini(struct xapi_cli *);
DEFINE_AUTO_IN_PLACE(struct xapi_cli, xapi_cli_fini);

/* Its command never waits for an SR. */
bool xapi_cli_only_looks(const struct xapi_cli *);
/* Whether somebody works on its transfer; any thread, while no step is made. */
bool xapi_cli_is_moving(const struct xapi_cli *);

/* ---- for commands ---- */

/* Both take params; the session goes in front.  A new reference, json_null of void; NULL: it failed, and the
 * client is told; of try, nobody is. */
json_t *xapi_cli_call(struct xapi_cli *, const char *method, json_t *params);
json_t *xapi_cli_try(struct xapi_cli *, const char *method, json_t *params);
void xapi_cli_print(struct xapi_cli *, const char *fmt, ...) PRINTF_LIKE(2, 3);
enum xapi_cli_next xapi_cli_give_uuid(struct xapi_cli *, const json_t *ref); /* NULL: nothing */
enum xapi_cli_next xapi_cli_fail(struct xapi_cli *, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "WHAT: which", and where help is. */
enum xapi_cli_next xapi_cli_misused(struct xapi_cli *, const char *what, const char *which);
void xapi_cli_tell_error(struct xapi_cli *, const json_t *error); /* code and parameters */
/* NULL: it was not given, and the client is told. */
const char *xapi_cli_needed(struct xapi_cli *, const char *name);
/* The reference of the object whose uuid was given under this name; the caller's to free; NULL: as above. */
char *xapi_cli_ref(struct xapi_cli *, enum xapi_class_id, const char *name);
/* The same; left out, it is the null reference. */
char *xapi_cli_ref_or_none(struct xapi_cli *, enum xapi_class_id, const char *name);

/* False: no command of a class has this name. */
bool xapi_cli_records(struct xapi_cli *, const char *command);
void xapi_cli_help_records(struct xapi_cli *); /* prints their names */

struct xapi_cli_action {
        const char *name; /* borrowed, static; NULL ends a table */
        xapi_cli_command run;
};
extern const struct xapi_cli_action xapi_cli_vdi_actions[];
extern const struct xapi_cli_action xapi_cli_vm_actions[];
extern const struct xapi_cli_action xapi_cli_transfer_actions[];
extern const struct xapi_cli_action xapi_cli_wait_actions[];
/* Those that are one call of what uuid= names. */
struct xapi_cli_plain {
        const char *name, *method; /* borrowed, static; a name NULL ends the table */
        enum xapi_class_id class;
};
extern const struct xapi_cli_plain xapi_cli_plains[];

#endif
