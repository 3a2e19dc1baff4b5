// SPDX-License-Identifier: Apache-2.0
/* `catena serve`: the command that stays.  It is declared as the verbs are, so that options, help and man
 * page are made as theirs; but it belongs to the program, and nobody can send it to another process.
 *
 * Errors: those of nbd_server.h.  Threads: the main one.
 */
#ifndef APP_SERVE_VERB_H
#define APP_SERVE_VERB_H

#include "doors.h"
#include "loose_disk.h"
#include "verbs.h"

extern const struct noun serve_noun;

/* A verb_call's serve. */
MUST_USE enum err serve_loose(struct verb_call *, const struct loose_disks *, struct err_note *);

/* What the program hands to it, as verb_call.user. */
struct serve_program {
        bool is_json;
        const atomic_bool *stop; /* borrowed */
        struct doors *doors;     /* borrowed; for the SRs */
};

#endif
