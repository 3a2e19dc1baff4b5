// SPDX-License-Identifier: Apache-2.0
#include "xapi_cli_ask.h"

#include <string.h>

#include <jansson.h>

#include "text.h"
#include "verbs.h"

const char *xapi_cli_named(const struct xapi_cli_ask *ask, const char *name) {
        VEC_EACH (&ask->named, each) {
                if (strcmp(each->name, name) == 0)
                        return each->value;
        }
        return NULL;
}

bool xapi_cli_says(const struct xapi_cli_ask *ask, const char *name) {
        static const char *const words[] = {"true", "t", "yes", "y", "1"};
        const char *value = xapi_cli_named(ask, name);

        for (unsigned i = 0; value && i < sizeof words / sizeof *words; i++)
                if (strcmp(value, words[i]) == 0)
                        return true;
        return false;
}

static void add_word(struct xapi_cli_ask *ask, char *word) {
        bool is_option = text_starts_with(word, "--");
        char *name = is_option ? word + 2 : word, *equals = strchr(name, '=');
        size_t n = strlen(word);

        if (n && word[n - 1] == '\r')
                word[n - 1] = 0;
        if (!*word)
                return;
        if (!is_option && !equals) {
                ask->command = *ask->command ? ask->command : word;
                return;
        }
        if (equals)
                *equals = 0;
        *vec_add(&ask->named) = (struct xapi_cli_pair){name, equals ? equals + 1 : "true"};
}

/* Everything that is answered is JSON at some time, which is UTF-8. */
static bool is_text(const struct buf *body) {
        AUTO(json_decref) json_t *text = json_stringn((const char *)body->data, body->n);

        return text && (!body->n || !memchr(body->data, 0, body->n));
}

enum err xapi_cli_ask_parse(const struct buf *body, struct xapi_cli_ask *ret, struct err_note *note) {
        char *at;

        *ret = (struct xapi_cli_ask){.n = body->n, .command = ""};
        if (body->n && !is_text(body))
                return err_set(note, ERR_CORRUPT, "xe: the command is not UTF-8");
        ret->text = mem_zero(body->n + 1);
        if (body->n)
                memcpy(ret->text, body->data, body->n);
        at = ret->text;
        for (char *word; (word = strsep(&at, "\n"));) {
                if (ret->named.n == XAPI_CLI_WORDS_MAX)
                        return err_set(note, ERR_TOO_LARGE, "xe: a command is of at most %d words",
                                       XAPI_CLI_WORDS_MAX);
                add_word(ret, word);
        }
        ret->is_minimal = xapi_cli_says(ret, "minimal");
        return ERR_NONE;
}

void xapi_cli_ask_fini(struct xapi_cli_ask *ask) {
        if (ask->text)
                explicit_bzero(ask->text, ask->n);
        free(TAKE(ask->text));
        vec_fini(&ask->named);
}
