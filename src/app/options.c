// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <stdio.h>
#include <string.h>

#include "guess.h"
#include "serve_verb.h"
#include "text.h"

struct parser {
        const char *const *words; /* borrowed */
        size_t n, i;
        size_t n_positional;  /* so far */
        bool only_positional; /* "--" was there */
        struct options *ret;  /* borrowed */
};

/* ---- almost right ---- */

/* "unknown verb 'lst' of vdi; did you mean 'list'?" */
static enum err unknown(struct err_note *note, const char *what, const struct guess *guess,
                        const char *dashes, const char *help) {
        if (guess->best)
                return err_set(note, ERR_INVALID, "unknown %s '%s%s'; did you mean '%s%s'?", what, dashes,
                               guess->word, dashes, guess->best);
        return err_set(note, ERR_INVALID, "unknown %s '%s%s'; 'catena %s' lists them", what, dashes,
                       guess->word, help);
}

/* ---- words ---- */

static enum err find_noun(struct parser *p, const char *word, struct err_note *note) {
        struct guess guess = {.word = word};

        p->ret->noun = strcmp(word, serve_noun.name) == 0 ? &serve_noun : verbs_find_noun(word);
        if (p->ret->noun && noun_is_verb(p->ret->noun))
                p->ret->verb = p->ret->noun->verbs[0];
        if (p->ret->noun)
                return ERR_NONE;
        for (const struct noun *noun = verb_nouns; noun->name; noun++)
                guess_try(&guess, noun->name);
        guess_try(&guess, serve_noun.name);
        guess_try(&guess, "help");
        return unknown(note, "command", &guess, "", "help");
}

static enum err find_verb(struct parser *p, const char *word, struct err_note *note) {
        struct guess guess = {.word = word};
        p->ret->verb = verbs_find(p->ret->noun, word);
        if (p->ret->verb)
                return ERR_NONE;
        for (const struct verb *const *verb = p->ret->noun->verbs; *verb; verb++)
                guess_try(&guess, (*verb)->name);
        return guess.best ? err_set(note, ERR_INVALID, "unknown command '%s %s'; did you mean '%s %s'?",
                                    p->ret->noun->name, word, p->ret->noun->name, guess.best)
                          : err_set(note, ERR_INVALID, "unknown command '%s %s'; 'catena %s' lists them",
                                    p->ret->noun->name, word, p->ret->noun->name);
}

static enum err add_positional(struct parser *p, const char *word, struct err_note *note) {
        const struct param *last = NULL;

        if (p->ret->task != TASK_CALL)
                return ERR_NONE; /* "catena vdi export a b --help" */
        for (const struct param *param = p->ret->verb->params; param->name; param++) {
                if (!(param->flags & PARAM_POSITIONAL))
                        continue;
                last = param;
                if (!json_object_get(p->ret->params, param->name)) /* else given as --name */
                        return verbs_set_param(p->ret->params, param, word, note);
        }
        if (last && last->flags & PARAM_REPEATED)
                return verbs_set_param(p->ret->params, last, word, note);
        return err_set(note, ERR_INVALID, "'%s' is one word too many", word);
}

static enum err take_word(struct parser *p, const char *word, struct err_note *note) {
        struct options *ret = p->ret;

        if (!ret->noun && strcmp(word, "help") == 0) {
                ret->task = TASK_HELP;
                return ERR_NONE;
        }
        if (!ret->noun)
                return find_noun(p, word, note);
        if (!ret->verb)
                return find_verb(p, word, note);
        return add_positional(p, word, note);
}

/* ---- options ---- */

struct general {
        const char *name; /* borrowed, static */
        char letter;
        bool takes_value;
        void (*apply)(struct options *, const char *value);
};

static void apply_json(struct options *o, const char *value) {
        (void)value;
        o->is_json = true;
}
static void apply_help(struct options *o, const char *value) {
        (void)value;
        o->task = TASK_HELP;
}
static void apply_version(struct options *o, const char *value) {
        (void)value;
        o->task = TASK_VERSION;
}
static void apply_man(struct options *o, const char *value) {
        (void)value;
        o->task = TASK_MAN;
}
static void apply_progress(struct options *o, const char *value) {
        (void)value;
        o->progress = WHEN_ALWAYS;
}
static void apply_no_progress(struct options *o, const char *value) {
        (void)value;
        o->progress = WHEN_NEVER;
}

static void apply_socket(struct options *o, const char *value) {
        o->socket = value;
}

static const struct general generals[] = {
        {"json", 0, false, apply_json},
        {"socket", 0, true, apply_socket},
        {"help", 'h', false, apply_help},
        {"progress", 0, false, apply_progress},
        {"no-progress", 0, false, apply_no_progress},
        {"version", 0, false, apply_version},
        {"man", 0, false, apply_man},
        {0},
};

static const struct general *find_general(const char *name, size_t n, char letter) {
        for (const struct general *g = generals; g->name; g++)
                if (letter ? g->letter == letter : strncmp(g->name, name, n) == 0 && g->name[n] == '\0')
                        return g;
        return NULL;
}

static const struct param *find_option(const struct verb *verb, const char *name, size_t n, char letter) {
        for (const struct param *param = verb ? verb->params : NULL; param && param->name; param++) {
                if (letter ? param->letter == letter
                           : strncmp(param->name, name, n) == 0 && param->name[n] == '\0')
                        return param;
        }
        return NULL;
}

static enum err unknown_option(const struct parser *p, const char *name, struct err_note *note) {
        const struct options *o = p->ret;
        struct guess guess = {.word = name};
        char help[80] = "help";

        if (o->noun && o->verb) {
                for (const struct param *param = o->verb->params; param->name; param++)
                        if (!(param->flags & PARAM_POSITIONAL))
                                guess_try(&guess, param->name);
                snprintf(help, sizeof help, "%s%s%s --help", o->noun->name, noun_is_verb(o->noun) ? "" : " ",
                         noun_is_verb(o->noun) ? "" : o->verb->name);
        }
        for (const struct general *g = generals; g->name; g++)
                guess_try(&guess, g->name);
        return unknown(note, "option", &guess, "--", help);
}

/* value: what stood behind "=" or the letter; NULL: the next word, if one is wanted. */
static enum err take_param(struct parser *p, const struct param *param, const char *value,
                           struct err_note *note) {
        if (param->kind == PARAM_FLAG) {
                if (value)
                        return err_set(note, ERR_INVALID, "--%s takes no value", param->name);
                value = "";
        } else if (!value) {
                if (p->i == p->n)
                        return err_set(note, ERR_INVALID, "--%s needs a value (%s)", param->name,
                                       param_shown(param));
                value = p->words[p->i++];
        }
        if (json_object_get(p->ret->params, param->name) && !(param->flags & PARAM_REPEATED) &&
            param->kind != PARAM_FLAG)
                return err_set(note, ERR_INVALID, "--%s is given twice", param->name);
        return verbs_set_param(p->ret->params, param, value, note);
}

static enum err take_general(struct parser *p, const struct general *general, const char *value,
                             struct err_note *note) {
        if (value && !general->takes_value)
                return err_set(note, ERR_INVALID, "--%s takes no value", general->name);
        if (general->takes_value && !value) {
                if (p->i == p->n)
                        return err_set(note, ERR_INVALID, "--%s needs a value", general->name);
                value = p->words[p->i++];
        }
        if (general->takes_value && !*value)
                return err_set(note, ERR_INVALID, "--%s is empty", general->name);
        general->apply(p->ret, value);
        return ERR_NONE;
}

static enum err take_long(struct parser *p, const char *word, struct err_note *note) {
        const char *equals = strchr(word, '=');
        size_t n = equals ? (size_t)(equals - word) : strlen(word);
        const struct param *param = find_option(p->ret->verb, word, n, 0);
        const struct general *general = find_general(word, n, 0);
        char name[100];

        if (param)
                return take_param(p, param, equals ? equals + 1 : NULL, note);
        snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), word);
        if (!general)
                return unknown_option(p, name, note);
        return take_general(p, general, equals ? equals + 1 : NULL, note);
}

static enum err take_short(struct parser *p, const char *word, struct err_note *note) {
        const struct param *param = find_option(p->ret->verb, NULL, 0, word[0]);
        const struct general *general = find_general(NULL, 0, word[0]);

        if (param)
                return take_param(p, param, word[1] ? word + 1 : NULL, note);
        if (!general || word[1])
                return err_set(note, ERR_INVALID, "unknown option '-%s'", word);
        return take_general(p, general, NULL, note);
}

static enum err take(struct parser *p, struct err_note *note) {
        const char *word = p->words[p->i++];

        if (p->only_positional || word[0] != '-' || word[1] == '\0')
                return take_word(p, word, note);
        if (strcmp(word, "--") == 0) {
                p->only_positional = true;
                return ERR_NONE;
        }
        return word[1] == '-' ? take_long(p, word + 2, note) : take_short(p, word + 1, note);
}

/* These count wherever they stand: an error before --json is to be shown as JSON, and before --help none. */
static bool has_word(const char *const *words, size_t n, const char *word) {
        for (size_t i = 0; i < n && strcmp(words[i], "--") != 0; i++)
                if (strcmp(words[i], word) == 0)
                        return true;
        return false;
}

enum err options_parse(const char *const *words, size_t n, struct options *ret, struct err_note *note) {
        struct parser p = {.words = words, .n = n, .ret = ret};

        *ret = (struct options){.params = json_object(),
                                .is_json = has_word(words, n, "--json"),
                                .task = has_word(words, n, "--help") ? TASK_HELP : TASK_CALL};
        while (p.i < p.n)
                if (take(&p, note))
                        return note->code;
        if (ret->task == TASK_CALL && !ret->verb)
                ret->task = TASK_HELP;
        return ERR_NONE;
}

void options_fini(struct options *options) {
        json_decref(options->params);
        options->params = NULL;
}
