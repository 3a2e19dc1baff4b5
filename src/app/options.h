// SPDX-License-Identifier: Apache-2.0
/* From the words of a command line to what is to be done, by the table of verbs.
 *
 *      catena [--json] [--socket PATH] NOUN VERB [--option VALUE | -o VALUE]… [--] POSITIONAL…
 *
 * Options may stand anywhere before "--".  A word that is almost right is answered with the right one.
 *
 * Errors: ERR_INVALID, the text says what is wrong and what would be right; for what the table wants of a
 * whole call (something missing, say) see verb_call_run.  Threads: any.
 */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include <stdbool.h>

#include "verbs.h"

enum task {
        TASK_CALL, /* noun, verb, params */
        TASK_HELP, /* of noun and verb, where set */
        TASK_MAN,  /* the man page */
        TASK_VERSION,
};

enum when { WHEN_USEFUL, WHEN_ALWAYS, WHEN_NEVER };

struct options {
        enum task task;
        const struct noun *noun; /* borrowed, static; or NULL */
        const struct verb *verb; /* borrowed, static; or NULL; of a noun that is a verb, that */
        json_t *params;          /* owned; an object */
        bool is_json;
        const char *socket; /* borrowed from the words; --socket; NULL: not given */
        enum when progress;
};

/* Words without the program's name.  ret is filled as far as it was understood also on failure, so that an
 * error can be shown the way that was asked for; the caller releases it in any case. */
MUST_USE enum err options_parse(const char *const *words, size_t n, struct options *ret, struct err_note *);
void options_fini(struct options *);
DEFINE_AUTO_IN_PLACE(struct options, options_fini);

#endif
