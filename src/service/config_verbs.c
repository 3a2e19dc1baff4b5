// SPDX-License-Identifier: Apache-2.0
#include "config_verbs.h"

#include "buf.h"
#include "config.h"

static const struct param check_params[] = {
        {.name = "file",
         .kind = PARAM_PATH,
         .flags = PARAM_POSITIONAL,
         .shown = "FILE",
         .help = "The file that catenad is started with.",
         .fallback = CONFIG_USUAL},
        {0},
};

static const struct field check_fields[] = {
        {"file", FIELD_TEXT, "that was given", false},
        {"files", FIELD_OBJECT, "a list of text: it, and those beside it that were read", true},
        {"ok", FIELD_BOOL, "nothing is wrong", false},
        {"errors", FIELD_OBJECT, "a list of text, each with file and line", true},
        {"wrong", FIELD_LINES, "the same, for people", false},
        {0},
};

static json_t *list_of(char *const *texts, size_t n) {
        json_t *list = json_array();

        for (size_t i = 0; i < n; i++)
                json_array_append_new(list, json_of_text(texts[i]));
        return list;
}

static enum err run_check(struct verb_call *call, struct err_note *note) {
        const char *file = call_text(call, "file");
        AUTO(config_fini) struct config config = {0};
        AUTO(buf_fini) struct buf lines = {0};
        enum err failed = config_read(call->io, file, &config, note);

        if (failed && config.errors.n == 0)
                return failed;
        VEC_EACH (&config.errors, each) {
                buf_print(&lines, "%s%s", lines.n ? "\n" : "", *each);
        }
        call_put(call, "file", json_of_text(file));
        call_put(call, "files", list_of(config.files.data, config.files.n));
        call_put(call, "ok", json_boolean(config.errors.n == 0));
        call_put(call, "errors", list_of(config.errors.data, config.errors.n));
        call_put(call, "wrong", json_of_text(lines.n ? buf_text(&lines) : NULL));
        if (config.errors.n)
                call->outcome = VERB_WRONG;
        return ERR_NONE;
}

static const struct verb check_verb = {
        .name = "check",
        .summary = "Says whether a daemon's configuration is good, or all that is wrong with it.",
        .details = "Files ending in .conf in FILE.d, and in conf.d beside it, are looked at as the daemon "
                   "would. "
                   "Exits with 1 where anything is wrong.",
        .params = check_params,
        .shape = SHAPE_RECORD,
        .fields = check_fields,
        .run = run_check,
        .is_local = true,
};

const struct verb *const config_verbs[] = {&check_verb, NULL};
