// SPDX-License-Identifier: Apache-2.0
#include "help.h"

#include <stdio.h>
#include <string.h>

#include "serve_verb.h"
#include "text.h"

enum { WIDTH = 79, INDENT = 2, HELP_AT = 26 };

/* ---- plain text ---- */

/* Adds text word by word, each line beginning behind `indent` blanks; the cursor is at column `at` already.
 */
static void wrap(struct buf *buf, const char *text, size_t indent, size_t at) {
        bool is_first = true;

        while (*text) {
                size_t n = strcspn(text, " \n");

                if (!is_first && at + 1 + n > WIDTH) {
                        buf_print(buf, "\n%*s", (int)indent, "");
                        at = indent;
                } else if (!is_first) {
                        buf_print(buf, " ");
                        at++;
                }
                buf_add(buf, text, n);
                at += n;
                text += n;
                is_first = false;
                if (*text == '\n') {
                        text += strspn(text, "\n");
                        buf_print(buf, "\n\n%*s", (int)indent, "");
                        at = indent;
                        is_first = true;
                }
                text += strspn(text, " ");
        }
        buf_print(buf, "\n");
}

static void entry(struct buf *buf, const char *title, const char *text) {
        size_t n = strlen(title) + INDENT;

        buf_print(buf, "%*s%s", INDENT, "", title);
        if (n + 2 > HELP_AT) {
                buf_print(buf, "\n");
                n = 0;
        }
        buf_print(buf, "%*s", (int)(HELP_AT - n), "");
        wrap(buf, text, HELP_AT, HELP_AT);
}

static void synopsis_of(struct buf *buf, const struct noun *noun, const struct verb *verb) {
        bool has_options = false;

        buf_print(buf, "catena %s", noun->name);
        if (!noun_is_verb(noun))
                buf_print(buf, " %s", verb->name);
        for (const struct param *param = verb->params; param->name; param++) {
                if (param->flags & PARAM_POSITIONAL)
                        continue;
                if (param->flags & PARAM_REQUIRED)
                        buf_print(buf, " --%s %s", param->name, param_shown(param));
                else
                        has_options = true;
        }
        if (has_options)
                buf_print(buf, " [OPTIONS]");
        for (const struct param *param = verb->params; param->name; param++) {
                if (!(param->flags & PARAM_POSITIONAL))
                        continue;
                buf_print(buf, param->flags & PARAM_REQUIRED ? " %s%s" : " [%s%s]", param_shown(param),
                          param->flags & PARAM_REPEATED ? "…" : "");
        }
}

static void option_title(struct buf *buf, const struct param *param) {
        if (param->flags & PARAM_POSITIONAL) {
                buf_print(buf, "%s", param_shown(param));
                return;
        }
        if (param->letter)
                buf_print(buf, "-%c, ", param->letter);
        buf_print(buf, "--%s%s%s", param->name, param->kind == PARAM_FLAG ? "" : " ",
                  param->kind == PARAM_FLAG ? "" : param_shown(param));
}

static void option_text(struct buf *buf, const struct param *param) {
        buf_print(buf, "%s", param->help);
        if (param->fallback)
                buf_print(buf, " (%s where not given)", param->fallback);
}

static void params_of(struct buf *buf, const struct verb *verb, bool positional) {
        bool is_first = true;

        for (const struct param *param = verb->params; param->name; param++) {
                AUTO(buf_fini) struct buf title = {0}, text = {0};

                if (!!(param->flags & PARAM_POSITIONAL) != positional)
                        continue;
                if (is_first)
                        buf_print(buf, "\n%s:\n", positional ? "Arguments" : "Options");
                is_first = false;
                option_title(&title, param);
                option_text(&text, param);
                entry(buf, buf_text(&title), buf_text(&text));
        }
}

static const char *json_shape(const struct verb *verb) {
        return verb->rows ? verb->rows : NULL;
}

static void result_of(struct buf *buf, const struct verb *verb) {
        if (!verb->fields || !verb->fields->name)
                return;
        if (json_shape(verb))
                buf_print(buf, "\nResult (--json), each of \"%s\":\n", json_shape(verb));
        else
                buf_print(buf, "\nResult (--json):\n");
        for (const struct field *field = verb->fields; field->name; field++)
                entry(buf, field->name, field->help);
}

static void help_of_verb(struct buf *buf, const struct noun *noun, const struct verb *verb) {
        buf_print(buf, "Usage: ");
        synopsis_of(buf, noun, verb);
        buf_print(buf, "\n\n");
        wrap(buf, verb->summary, 0, 0);
        if (verb->details) {
                buf_print(buf, "\n");
                wrap(buf, verb->details, 0, 0);
        }
        params_of(buf, verb, true);
        params_of(buf, verb, false);
        result_of(buf, verb);
}

static void help_of_noun(struct buf *buf, const struct noun *noun) {
        buf_print(buf, "Usage: catena %s COMMAND\n\n", noun->name);
        wrap(buf, noun->summary, 0, 0);
        buf_print(buf, "\n");
        wrap(buf, noun->details, 0, 0);
        buf_print(buf, "\nCommands:\n");
        for (const struct verb *const *verb = noun->verbs; *verb; verb++)
                entry(buf, (*verb)->name, (*verb)->summary);
        buf_print(buf, "\n'catena %s COMMAND --help' says more.\n", noun->name);
}

struct pair {
        const char *title, *text; /* borrowed, static */
};

static const struct pair general_options[] = {
        {"--json", "The result as one JSON object on standard output; an error as {\"error\": {\"code\", "
                   "\"message\"}}. "
                   "Where standard output carries a disk, the object goes to standard error."},
        {"--progress",
         "Shows progress also where standard error is no terminal, a line each second (with --json: an "
         "object)."},
        {"--no-progress", "Never shows progress."},
        {"--socket PATH", "Sends the command to the daemon that listens there, as STATE-DIR/control.sock."},
        {"-h, --help", "Says what the command does."},
        {"--version", "Says which version this is."},
        {0},
};

static const struct pair exit_codes[] = {
        {"0", "done"},
        {"1", "failed; the line on standard error says what, of which file, and why"},
        {"2", "the command line was wrong; nothing was done"},
        {"3", "done in part"},
        {"4", "done, and there are findings to look at (check, repair)"},
        {"130", "interrupted; what was half made is removed"},
        {0},
};

static const struct pair variables[] = {
        {"XDG_STATE_HOME",
         "Names of SRs are kept in $XDG_STATE_HOME/catena; where it is not set, in /var/lib/catena for "
         "root and ~/.local/state/catena for others."},
        {"CATENA_SOCKET", "As --socket, where that is not given."},
        {"NO_COLOR", "Where set, nothing is coloured."},
        {0},
};

static void entries(struct buf *buf, const char *title, const struct pair *pairs) {
        buf_print(buf, "\n%s:\n", title);
        for (; pairs->title; pairs++)
                entry(buf, pairs->title, pairs->text);
}

static void help_of_all(struct buf *buf) {
        buf_print(buf, "Usage: catena NOUN COMMAND [OPTIONS] ARGUMENTS\n\n"
                       "Keeps virtual disks as chains of VHD files: snapshots, streams, checks.\n");
        for (const struct noun *noun = verb_nouns; noun->name; noun++) {
                buf_print(buf, "\ncatena %s: %s\n", noun->name, noun->summary);
                for (const struct verb *const *verb = noun->verbs; *verb; verb++)
                        entry(buf, (*verb)->name, (*verb)->summary);
        }
        buf_print(buf, "\n");
        entry(buf, "catena serve", serve_noun.summary);
        entries(buf, "Everywhere", general_options);
        entries(buf, "Exit codes", exit_codes);
        buf_print(buf, "\n'catena NOUN COMMAND --help' says more; 'man catena' says all.\n");
}

void help_write(struct buf *buf, const struct noun *noun, const struct verb *verb) {
        if (verb)
                help_of_verb(buf, noun, verb);
        else if (noun)
                help_of_noun(buf, noun);
        else
                help_of_all(buf);
}

/* ---- man page ---- */

/* Text in roff: backslashes and hyphens escaped, no line begins with a control character. */
static void roff(struct buf *buf, const char *text) {
        for (const char *at = text; *at; at++) {
                bool begins = at == text || at[-1] == '\n';

                if (begins && (*at == '.' || *at == '\''))
                        buf_print(buf, "\\&");
                if (*at == '\\')
                        buf_print(buf, "\\e");
                else if (*at == '-')
                        buf_print(buf, "\\-");
                else if (*at == '\n')
                        buf_print(buf, "\n.PP\n");
                else
                        buf_add(buf, at, 1);
        }
}

static void man_item(struct buf *buf, const char *title, const char *text) {
        buf_print(buf, ".TP\n.B ");
        roff(buf, title);
        buf_print(buf, "\n");
        roff(buf, text);
        buf_print(buf, "\n");
}

static void man_verb(struct buf *buf, const struct noun *noun, const struct verb *verb) {
        AUTO(buf_fini) struct buf synopsis = {0};

        synopsis_of(&synopsis, noun, verb);
        buf_print(buf, ".SS \"");
        roff(buf, buf_text(&synopsis));
        buf_print(buf, "\"\n");
        roff(buf, verb->summary);
        buf_print(buf, "\n");
        if (verb->details) {
                buf_print(buf, ".PP\n");
                roff(buf, verb->details);
                buf_print(buf, "\n");
        }
        for (const struct param *param = verb->params; param->name; param++) {
                AUTO(buf_fini) struct buf title = {0}, text = {0};

                option_title(&title, param);
                option_text(&text, param);
                man_item(buf, buf_text(&title), buf_text(&text));
        }
        if (!verb->fields || !verb->fields->name)
                return;
        buf_print(buf, ".PP\nResult");
        if (json_shape(verb))
                buf_print(buf, ", each of \"%s\"", json_shape(verb));
        buf_print(buf, ":\n");
        for (const struct field *field = verb->fields; field->name; field++) {
                buf_print(buf, ".br\n.I ");
                roff(buf, field->name);
                buf_print(buf, "\n(");
                roff(buf, field->help);
                buf_print(buf, ")\n");
        }
}

static const char *const caveats[] = {
        "A file that another program writes at the same time is not safe: the locks taken here bind Catena "
        "and qemu, "
        "not tools that take none (vhd-util, cp).",
        "A raw disk is never recognised by its content, since its first bytes belong to the guest: a name "
        "that ends in "
        "\".vhd\" is a VHD, any other is raw, unless a format is given.",
        "qemu-img does not follow parents: of a VHD that has one it shows a disk with holes. Convert it "
        "first.",
        "A VHD holds at most 2040 GiB.",
        NULL,
};

static void man_pairs(struct buf *buf, const char *title, const struct pair *pairs) {
        buf_print(buf, ".SH %s\n", title);
        for (; pairs->title; pairs++)
                man_item(buf, pairs->title, pairs->text);
}

void help_write_man(struct buf *buf) {
        buf_print(buf, ".\\\" SPDX-License-Identifier: Apache-2.0\n"
                       ".\\\" Made by 'catena help --man' from the table of verbs; do not edit.\n"
                       ".TH CATENA 1 \"\" \"catena " CATENA_VERSION "\" \"Catena\"\n"
                       ".SH NAME\ncatena \\- virtual disks as chains of VHD files\n"
                       ".SH SYNOPSIS\n.B catena\n.I NOUN COMMAND\n[OPTIONS] ARGUMENTS\n"
                       ".SH CAVEATS\n");
        for (const char *const *caveat = caveats; *caveat; caveat++) {
                buf_print(buf, "%s", caveat == caveats ? "" : ".PP\n");
                roff(buf, *caveat);
                buf_print(buf, "\n");
        }
        buf_print(buf, ".SH DESCRIPTION\n");
        roff(buf,
             "Keeps virtual disks as chains of VHD files, snapshots them, streams them out and in, and "
             "checks "
             "them. Sizes may be written as 65536, 64M or 1.5T; the letters are powers of 1024. What was "
             "asked for "
             "is on disk for good when the command has ended with 0. Data and results go to standard output, "
             "progress and errors to standard error.");
        buf_print(buf, "\n");
        man_pairs(buf, "OPTIONS OF EVERY COMMAND", general_options);
        for (const struct noun *noun = verb_nouns; noun->name; noun++) {
                buf_print(buf, ".SH \"CATENA %s\"\n", noun->name);
                roff(buf, noun->summary);
                buf_print(buf, ".\n");
                roff(buf, noun->details);
                buf_print(buf, "\n");
                for (const struct verb *const *verb = noun->verbs; *verb; verb++)
                        man_verb(buf, noun, *verb);
        }
        buf_print(buf, ".SH \"CATENA serve\"\n");
        man_verb(buf, &serve_noun, serve_noun.verbs[0]);
        man_pairs(buf, "EXIT STATUS", exit_codes);
        man_pairs(buf, "ENVIRONMENT", variables);
        buf_print(buf, ".SH SEE ALSO\n.BR qemu\\-img (1),\n.BR vhdiinfo (1)\n");
}
