// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "mem.h"
#include "text.h"
#include "uuid.h"
#include "sr_call.h"
#include "config_verbs.h"
#include "gc_verbs.h"
#include "sr_verbs.h"
#include "vault_verbs.h"
#include "vdi_verbs.h"
#include "token_verbs.h"
#include "vhd_verbs.h"
#include "vm_verbs.h"

const struct noun verb_nouns[] = {
        {"vhd", "VHD files by themselves, with no SR",
         "These work on files. A file in an SR that is in use is locked by it, and they say so.", vhd_verbs},
        {"sr", "storage repositories: directories of disks that share parents",
         "An SR is named by its directory, its uuid or its name; names are those made or adopted here. One "
         "process at a time owns an SR. Another command of the same host and user that comes meanwhile is "
         "carried out by it, with the same result, so that a slow export or 'gc run' keeps nobody waiting; "
         "an owner on another host is named.\n"
         "A command whose work is done stays as long as others still use the SR through it, and says for "
         "whom it waits. Ctrl-C then stops those too.",
         sr_verbs},
        {"vdi", "disks in an SR", "A VDI is named by its uuid, or by a name that no other VDI of the SR has.",
         vdi_verbs},
        {"gc", "coalescing: making chains shorter while disks are in use",
         "What a deleted snapshot leaves behind is hidden and still in the chain of its disk; these take it "
         "out. "
         "Nothing has to be set up: 'gc run' does all there is to do.",
         gc_verbs},
        {"vault", "backups: points in time of disks, deduplicated, encrypted, each proof of itself",
         "A vault is a directory. Points never depend on one another, and are never merged. What opens a "
         "vault is a key file or a passphrase in a file; nothing asks for one.",
         vault_verbs},
        {"config", "how a daemon is configured",
         "catenad(8) is the daemon, catena.conf(5) its configuration.", config_verbs},
        {"vm", "machines: disks that belong together",
         "A VM is a record that a daemon keeps: which disks it has, and what is said of it. Nothing here "
         "runs one. It is named by its uuid, or by a name that no other VM has.",
         vm_verbs},
        {"token", "ways in to a daemon, for programs",
         "A token is a secret with a name, a role and perhaps an end. Who reaches the daemon's control "
         "socket may make them.",
         token_verbs},
        {0},
};

/* ---- looking up ---- */

bool noun_is_verb(const struct noun *noun) {
        return strcmp(noun->name, noun->verbs[0]->name) == 0;
}

const struct noun *verbs_find_noun(const char *name) {
        for (const struct noun *noun = verb_nouns; noun->name; noun++)
                if (strcmp(noun->name, name) == 0)
                        return noun;
        return NULL;
}

const struct verb *verbs_find(const struct noun *noun, const char *name) {
        for (const struct verb *const *verb = noun->verbs; *verb; verb++)
                if (strcmp((*verb)->name, name) == 0)
                        return *verb;
        return NULL;
}

const struct param *verbs_find_param(const struct verb *verb, const char *name) {
        for (const struct param *param = verb->params; param->name; param++)
                if (strcmp(param->name, name) == 0)
                        return param;
        return NULL;
}

const char *param_shown(const struct param *param) {
        if (param->shown)
                return param->shown;
        switch (param->kind) {
        case PARAM_TEXT:
                return "TEXT";
        case PARAM_PATH:
                return "FILE";
        case PARAM_UUID:
                return "UUID";
        case PARAM_SIZE:
                return "SIZE";
        case PARAM_NUMBER:
                return "N";
        case PARAM_CHOICE:
                return param->choices;
        case PARAM_FLAG:
                return "";
        }
        return "";
}

/* ---- values ---- */

static bool is_choice(const char *choices, const char *text) {
        size_t n = strlen(text);

        for (const char *at = choices; n > 0 && at; at = strchr(at, '|')) {
                at += *at == '|';
                if (strncmp(at, text, n) == 0 && (at[n] == '|' || at[n] == '\0'))
                        return true;
        }
        return false;
}

/* How the parameter is called towards the one who gave it. */
static struct text param_title(const struct param *param) {
        struct text title;

        if (param->flags & PARAM_POSITIONAL)
                snprintf(title.s, sizeof title.s, "%s", param_shown(param));
        else
                snprintf(title.s, sizeof title.s, "--%s", param->name);
        return title;
}

static enum err value_of_text(const struct param *param, const char *text, json_t **ret,
                              struct err_note *note) {
        const struct text title = param_title(param);
        uint64_t number;
        struct uuid uuid;

        switch (param->kind) {
        case PARAM_TEXT:
        case PARAM_PATH:
                if (param->kind == PARAM_PATH && !*text)
                        return err_set(note, ERR_INVALID, "%s is empty", title.s);
                *ret = param->kind == PARAM_PATH ? json_string_nocheck(text) : json_string(text);
                if (!*ret)
                        return err_set(note, ERR_INVALID, "%s: not UTF-8 text", title.s);
                return ERR_NONE;
        case PARAM_UUID:
                if (!uuid_parse(text, &uuid))
                        return err_set(note, ERR_INVALID, "%s: '%s' is not a uuid", title.s, text);
                *ret = json_string(uuid_format(&uuid).s);
                return ERR_NONE;
        case PARAM_SIZE:
                if (!text_parse_size(text, &number) || number > INT64_MAX)
                        return err_set(note, ERR_INVALID, "%s: '%s' is not a size such as 65536, 64M or 1.5T",
                                       title.s, text);
                *ret = json_integer((json_int_t)number);
                return ERR_NONE;
        case PARAM_NUMBER:
                if (!text_parse_u64(text, &number) || number > INT64_MAX)
                        return err_set(note, ERR_INVALID, "%s: '%s' is not a number", title.s, text);
                *ret = json_integer((json_int_t)number);
                return ERR_NONE;
        case PARAM_CHOICE:
                if (!is_choice(param->choices, text))
                        return err_set(note, ERR_INVALID, "%s: '%s' is none of %s", title.s, text,
                                       param->choices);
                *ret = json_string(text);
                return ERR_NONE;
        case PARAM_FLAG:
                *ret = json_true();
                return ERR_NONE;
        }
        return err_set(note, ERR_INVALID, "%s: of no known kind", title.s);
}

enum err verbs_set_param(json_t *params, const struct param *param, const char *text, struct err_note *note) {
        json_t *value = NULL, *list;

        if (value_of_text(param, text, &value, note))
                return note->code;
        if (!(param->flags & PARAM_REPEATED)) {
                json_object_set_new_nocheck(params, param->name, value);
                return ERR_NONE;
        }
        list = json_object_get(params, param->name);
        if (!list) {
                list = json_array();
                json_object_set_new_nocheck(params, param->name, list);
        }
        json_array_append_new(list, value);
        return ERR_NONE;
}

/* Whether a value that came as JSON is one that value_of_text could have made. */
static enum err check_value(const struct param *param, const json_t *value, struct err_note *note) {
        const struct text title = param_title(param);
        AUTO(json_decref) json_t *same = NULL;

        if (param->flags & PARAM_REPEATED) {
                size_t i;
                json_t *each;

                if (!json_is_array(value) || json_array_size(value) == 0)
                        return err_set(note, ERR_INVALID, "%s: a list is wanted", title.s);
                json_array_foreach(value, i, each) if (!json_is_string(each)) return err_set(
                        note, ERR_INVALID, "%s: a list of text is wanted", title.s);
                return ERR_NONE;
        }
        switch (param->kind) {
        case PARAM_SIZE:
        case PARAM_NUMBER:
                if (!json_is_integer(value) || json_integer_value(value) < 0)
                        return err_set(note, ERR_INVALID, "%s: a number is wanted", title.s);
                return ERR_NONE;
        case PARAM_FLAG:
                if (!json_is_boolean(value))
                        return err_set(note, ERR_INVALID, "%s: true or false is wanted", title.s);
                return ERR_NONE;
        case PARAM_TEXT:
        case PARAM_PATH:
        case PARAM_UUID:
        case PARAM_CHOICE:
                if (!json_is_string(value))
                        return err_set(note, ERR_INVALID, "%s: text is wanted", title.s);
                return value_of_text(param, json_string_value(value), &same, note);
        }
        return ERR_NONE;
}

static enum err check_params(const struct verb *verb, json_t *params, struct err_note *note) {
        const char *name;
        json_t *value;

        json_object_foreach(params, name, value) {
                const struct param *param = verbs_find_param(verb, name);

                if (!param)
                        return err_set(note, ERR_INVALID, "no parameter is named '%s'", name);
                if (check_value(param, value, note))
                        return note->code;
        }
        for (const struct param *param = verb->params; param->name; param++) {
                if (json_object_get(params, param->name))
                        continue;
                if (param->flags & PARAM_REQUIRED)
                        return err_set(note, ERR_INVALID, "%s is missing", param_title(param).s);
                if (param->fallback && verbs_set_param(params, param, param->fallback, note))
                        return note->code;
        }
        return ERR_NONE;
}

/* ---- calls ---- */

enum { SEEK_EVERY_NS = 10000000 };
static const uint64_t SEEK_OWNER_NS = UINT64_C(10000000000);

/* Where the SR is another's, whoever that is by then: owners come and go. */
static enum err run_elsewhere(struct verb_call *call, bool *ret_is_gone, struct err_note *note) {
        enum err failed;

        json_object_clear(call->result);
        call->outcome = VERB_DONE;
        failed = call->elsewhere->run(call->elsewhere->user, call, ret_is_gone, note);
        sr_owner_fini(&call->owner);
        return failed;
}

static enum err run_where_it_is(struct verb_call *call, struct err_note *note) {
        uint64_t until = 0;

        for (;;) {
                enum err failed = call->verb->run(call, note);
                bool is_gone = false;

                sr_call_end(call);
                if (!call->owner.folder)
                        return failed;
                if (until == 0)
                        until = io_now_ns(call->io) + SEEK_OWNER_NS;
                failed = run_elsewhere(call, &is_gone, note);
                if (!is_gone || io_now_ns(call->io) >= until)
                        return failed;
                io_sleep_ns(call->io, SEEK_EVERY_NS);
        }
}

/* All of it, whatever the verb works on. */
static enum err run_in_daemon(struct verb_call *call, struct err_note *note) {
        const char *slash = strrchr(call->socket, '/'), *name = slash ? slash + 1 : call->socket;
        bool unused;

        if (strlen(name) >= sizeof call->owner.socket)
                return err_set(note, ERR_INVALID, "%s: the name of a socket is not as long", call->socket);
        call->owner.folder =
                slash ? mem_format("%.*s", (int)(slash - call->socket) + 1, call->socket) : mem_text(".");
        snprintf(call->owner.socket, sizeof call->owner.socket, "%s", name);
        return run_elsewhere(call, &unused, note);
}

enum err verb_call_run(struct verb_call *call, struct err_note *note) {
        if (check_params(call->verb, call->params, note)) {
                call->outcome = VERB_USAGE;
                return note->code;
        }
        call->result = json_object();
        if (call->socket)
                return run_in_daemon(call, note);
        if (call->verb->needs_host && !call->host)
                return err_set(note, ERR_NOT_FOUND,
                               "this is done by a daemon, and none runs: start catenad, or say --socket");
        return run_where_it_is(call, note);
}

void verb_call_fini(struct verb_call *call) {
        json_decref(call->result);
        call->result = NULL;
        sr_owner_fini(&call->owner);
}

static const json_t *call_value(const struct verb_call *call, const char *name) {
        assert(verbs_find_param(call->verb, name));
        return json_object_get(call->params, name);
}

const char *call_text(const struct verb_call *call, const char *name) {
        return json_string_value(call_value(call, name));
}

bool call_has(const struct verb_call *call, const char *name) {
        return call_value(call, name) != NULL;
}

bool call_flag(const struct verb_call *call, const char *name) {
        return json_is_true(call_value(call, name));
}

uint64_t call_number(const struct verb_call *call, const char *name) {
        return (uint64_t)json_integer_value(call_value(call, name));
}

const json_t *call_list(const struct verb_call *call, const char *name) {
        return call_value(call, name);
}

enum err call_need_input(const struct verb_call *call, struct err_note *note) {
        return call->input ? ERR_NONE : err_set(note, ERR_INVALID, "there is no standard input");
}

enum err call_need_output(const struct verb_call *call, struct err_note *note) {
        return call->output ? ERR_NONE : err_set(note, ERR_INVALID, "there is no standard output");
}

enum err call_usage(struct verb_call *call, struct err_note *note, const char *fmt, ...) {
        char text[ERR_TEXT_SIZE];
        va_list args;

        va_start(args, fmt);
        vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        call->outcome = VERB_USAGE;
        return err_set(note, ERR_INVALID, "%s", text);
}

void call_put(struct verb_call *call, const char *key, json_t *value) {
        json_object_set_new_nocheck(call->result, key, value);
}

/* ---- JSON ---- */

/* Length of the well-formed UTF-8 character at s; 0: there is none. */
static size_t utf8_length(const uint8_t *s) {
        size_t n = s[0] < 0x80                   ? 1
                   : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
                   : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
                   : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                                 : 0;

        for (size_t i = 1; i < n; i++)
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
            (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
                return 0;
        return n;
}

json_t *json_of_text(const char *text) {
        AUTO(buf_fini) struct buf clean = {0};
        json_t *value;

        if (!text)
                return json_null();
        value = json_string(text);
        if (value)
                return value;
        for (const uint8_t *at = (const uint8_t *)text; *at;) {
                size_t n = utf8_length(at);

                if (n)
                        buf_add(&clean, at, n);
                else
                        buf_print(&clean, "?");
                at += n ? n : 1;
        }
        return json_string(buf_text(&clean));
}

json_t *json_of_u64(uint64_t number) {
        return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}
