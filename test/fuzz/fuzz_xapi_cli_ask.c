// SPDX-License-Identifier: Apache-2.0
/* A command of `xe` as its request's body has it: refused with a reason, or words that are the body's, not
 * too many, each found by its name. */
#include "fuzz.h"

#include <string.h>

#include "xapi_cli_ask.h"

static void is_of_text(const struct xapi_cli_ask *ask, const char *word) {
        MUST_HOLD(word >= ask->text && word + strlen(word) <= ask->text + ask->n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AUTO(xapi_cli_ask_fini) struct xapi_cli_ask ask = {0};
        const struct buf body = {.data = (uint8_t *)data, .n = size};
        struct err_note note = {0};

        if (xapi_cli_ask_parse(&body, &ask, &note)) {
                MUST_HOLD((note.code == ERR_CORRUPT || note.code == ERR_TOO_LARGE) && note.text[0]);
                return 0;
        }
        MUST_HOLD(ask.named.n <= XAPI_CLI_WORDS_MAX);
        MUST_HOLD(!strpbrk(ask.command, "=\n"));
        VEC_EACH (&ask.named, each) {
                is_of_text(&ask, each->name);
                MUST_HOLD(!strchr(each->name, '=') && !strchr(each->value, '\n'));
                MUST_HOLD(xapi_cli_named(&ask, each->name));
        }
        return 0;
}
