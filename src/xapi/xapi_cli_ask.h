// SPDX-License-Identifier: Apache-2.0
/* What `xe` was asked, as its request's body says it: a line for each word of its command line.
 *
 *      vdi-list                  the command: the first word that is neither of the others
 *      sr-uuid=…                 a named value; of several with one name the first
 *      --minimal                 an option: the same as minimal=true
 *      username=…, password=…    or session_id=…
 *
 * Errors: ERR_CORRUPT, it is no text; ERR_TOO_LARGE, it has too many words.  Threads: any.
 * Ownership: has a copy of all, which is wiped when it goes, since a password is in it.
 */
#ifndef XAPI_XAPI_CLI_ASK_H
#define XAPI_XAPI_CLI_ASK_H

#include <stdbool.h>

#include "buf.h"
#include "err.h"
#include "vec.h"

enum { XAPI_CLI_WORDS_MAX = 1000 }; /* named values and options */

struct xapi_cli_pair {
        const char *name, *value; /* borrowed from the text */
};

struct xapi_cli_ask {
        char *text;          /* owned */
        size_t n;            /* bytes of it */
        const char *command; /* borrowed from text; "": there is none */
        bool is_minimal;
        VEC(struct xapi_cli_pair) named; /* owned */
};

MUST_USE enum err xapi_cli_ask_parse(const struct buf *, struct xapi_cli_ask *ret, struct err_note *);
void xapi_cli_ask_fini(struct xapi_cli_ask *);
DEFINE_AUTO_IN_PLACE(struct xapi_cli_ask, xapi_cli_ask_fini);

const char *xapi_cli_named(const struct xapi_cli_ask *, const char *name); /* NULL: it was not given */
bool xapi_cli_says(const struct xapi_cli_ask *, const char *name);         /* it was given, and is true */

#endif
