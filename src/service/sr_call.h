// SPDX-License-Identifier: Apache-2.0
/* What the verbs on SRs and VDIs share: opening the SR that a call names, and rows of JSON.
 *
 * Errors: those of registry.h and sr.h, with the SR in front.  Threads: the owner of the SR.
 */
#ifndef SERVICE_SR_CALL_H
#define SERVICE_SR_CALL_H

#include "sr.h"
#include "verbs.h"

/* By the parameter "sr".  SR_READ_ONLY also where the SR was adopted so, or the call has the flag
 * "read-only"; sr_call_is_read_only says so from then on.  *ret is the call's, which has the SR's turn: both
 * last until the handler has returned, and the handler returns with the turn.  Called before anything else is
 * done: where another process owns the SR, the whole call is sent there. */
MUST_USE enum err sr_call_open(struct verb_call *, enum sr_mode, struct sr **ret, struct err_note *);
bool sr_call_is_read_only(const struct verb_call *);
/* A verb that only moves bytes for a while, through chains that it has open, lets others use the SR
 * meanwhile.  After sr_call_resume, which waits for its turn, whatever was looked up before (struct vdi,
 * struct node) must be looked up again. */
void sr_call_rest(struct verb_call *);
void sr_call_resume(struct verb_call *);
void sr_call_end(struct verb_call *); /* by verb_call_run, once the handler has returned */
/* A second SR of a call that has one open, by a parameter of kind PARAM_TEXT: one that this process owns,
 * the same one, or one that is opened for this call alone.  ERR_BUSY where another process owns it.  Its
 * turn is not held when this returns; what was looked up in the first SR must be looked up again. */
struct sr_other {
        struct sr *sr;     /* borrowed from its keeper, from the call, or from own */
        struct turn *turn; /* borrowed; NULL: nobody else wants it */
        struct sr *own;    /* owned; NULL: it was open already */
};
void sr_other_fini(struct sr_other *);
DEFINE_AUTO_IN_PLACE(struct sr_other, sr_other_fini);
/* Before sr_call_open: what the parameter names is found here, where the caller is, and not where the call
 * may be sent to. */
void sr_call_name_other(struct verb_call *, const char *param);
MUST_USE enum err sr_call_open_other(struct verb_call *, const char *param, struct sr_other *ret,
                                     struct err_note *);
/* By a parameter that holds a uuid or name. */
MUST_USE enum err sr_call_find(struct verb_call *, struct sr *, const char *param, const struct vdi **ret,
                               struct err_note *);
/* Options as a call has them: who we are. */
struct sr_options sr_call_options(const struct verb_call *, enum sr_mode);

json_t *sr_json_of_uuid(const struct uuid *); /* null where it is null */
json_t *sr_json_of_vdi(const struct vdi *);
json_t *sr_json_of_node(struct sr *, const struct node *, unsigned level);
void sr_call_put_uuid(struct verb_call *, const struct uuid *);
void sr_call_warn(struct verb_call *, const char *text); /* shown although the call succeeds */

/* The parameter "name", or the last part of the path; the caller's to free. */
char *sr_call_name(const struct verb_call *, const char *path);
/* Puts the uuid of an SR that was just made, and makes its name known.  Where that fails the SR is there all
 * the same, by its path: a warning. */
void sr_call_register(struct verb_call *, const struct uuid *, const char *name, const char *path);

extern const struct field sr_vdi_fields[];

/* Parameters that many of them have. */
#define SR_PARAM                                                                                             \
        {                                                                                                    \
                .name = "sr", .kind = PARAM_PATH, .flags = PARAM_REQUIRED, .shown = "SR",                    \
                .help = "The SR: its directory, name or uuid."                                               \
        }
#define SR_POSITIONAL                                                                                        \
        {                                                                                                    \
                .name = "sr", .kind = PARAM_PATH, .flags = PARAM_POSITIONAL | PARAM_REQUIRED, .shown = "SR", \
                .help = "The SR: its directory, name or uuid. Also as --sr SR."                              \
        }
#define VDI_PARAM(its_name, its_shown, text)                                                                 \
        {                                                                                                    \
                .name = its_name, .kind = PARAM_TEXT, .flags = PARAM_POSITIONAL | PARAM_REQUIRED,            \
                .shown = its_shown, .help = text                                                             \
        }
#define NAME_PARAM                                                                                           \
        { .name = "name", .kind = PARAM_TEXT, .help = "Its name (its uuid where not given)." }
#define DESCRIPTION_PARAM                                                                                    \
        { .name = "description", .kind = PARAM_TEXT, .help = "Its description." }

#endif
