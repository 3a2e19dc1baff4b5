// SPDX-License-Identifier: Apache-2.0
/* Which changes a client wants to hear of, up to where it has heard them, and what is new since.
 *
 * A token is 20 digits of the generation, a comma, 20 digits of the epoch: of two tokens of one run of the
 * daemon the greater text is the later one.  A token of another epoch, from before a restart say, is of no
 * use any more.
 *
 * Sessions are told of to nobody.
 *
 * Errors: as said at each.  Threads: any; an interest is never changed.
 */
#ifndef XAPI_XAPI_EVENTS_H
#define XAPI_XAPI_EVENTS_H

#include <jansson.h>

#include "objects.h"

/* ---- which ---- */

struct xapi_interest;

/* classes: an array of "*", "vm", "VM/OpaqueRef:…", upper and lower case alike; a class that there is not
 * is a wish that nothing meets.  *ret_wrong: the first that says nothing of that kind; false then. */
bool xapi_interest_parse(const json_t *classes, struct xapi_interest **ret, const char **ret_wrong);
void xapi_interest_free(struct xapi_interest *);
DEFINE_AUTO(struct xapi_interest *, xapi_interest_free);
bool xapi_interest_has(const struct xapi_interest *, enum xapi_class_id, const struct uuid *);

/* ---- up to where ---- */

enum { XAPI_TOKEN_SIZE = 42 };

struct xapi_token {
        uint64_t generation, epoch;
};
struct xapi_token_text {
        char s[XAPI_TOKEN_SIZE];
};
bool xapi_token_parse(const char *text, struct xapi_token *ret);
struct xapi_token_text xapi_token_text(const struct xapi_token *);

/* ---- what is new ---- */

/* Records of events as clients see them, in order; *ret_now: up to where.  ERR_NOT_FOUND: what was after that
 * generation is not known any more. */
MUST_USE enum err xapi_events_since(struct objects *, const struct xapi_interest *, uint64_t generation,
                                    json_t **ret, uint64_t *ret_now, struct err_note *);
/* How many objects of each class there are, by the class's name in lower case. */
json_t *xapi_events_counts(struct objects *);
/* "vdi": a class as events name it; the caller's to free. */
char *xapi_events_class(enum xapi_class_id);

/* ---- event.register: what sessions want, remembered for them ---- */

struct xapi_registered;

enum { XAPI_REGISTERED_MAX = 1000 };

struct xapi_registered *xapi_registered_new(void);
void xapi_registered_free(struct xapi_registered *);
DEFINE_AUTO(struct xapi_registered *, xapi_registered_free);
/* Adds to what the session wants; takes classes.  Of XAPI_REGISTERED_MAX sessions the oldest is forgotten. */
void xapi_registered_add(struct xapi_registered *, const struct uuid *session, json_t *classes,
                         uint64_t generation);
void xapi_registered_remove(struct xapi_registered *, const struct uuid *session, const json_t *classes);
void xapi_registered_forget(struct xapi_registered *, const struct uuid *session);
/* *ret_classes: a new reference.  False: it has not registered. */
bool xapi_registered_find(struct xapi_registered *, const struct uuid *session, json_t **ret_classes,
                          uint64_t *ret_generation);
void xapi_registered_reach(struct xapi_registered *, const struct uuid *session, uint64_t generation);

#endif
