// SPDX-License-Identifier: Apache-2.0
#include "token_verbs.h"

#include <string.h>

#include "host.h"
#include "mem.h"

#define SECONDS_A_DAY UINT64_C(86400)

#define NAME_OF_TOKEN(text)                                                                                  \
        {                                                                                                    \
                .name = "name", .kind = PARAM_TEXT, .flags = PARAM_POSITIONAL | PARAM_REQUIRED,              \
                .shown = "NAME", .help = text                                                                \
        }

/* ---- create ---- */

static const struct param create_params[] = {
        NAME_OF_TOKEN("What it is for: letters, digits, '-', '_', '.'. Its user has this name."),
        {.name = "role",
         .kind = PARAM_CHOICE,
         .flags = PARAM_REQUIRED,
         .choices = "read-only|operator|admin",
         .shown = "ROLE",
         .help = "read-only looks and exports, operator changes disks and VMs too, admin all."},
        {.name = "days",
         .kind = PARAM_NUMBER,
         .help = "How long it is good; without an end where not given."},
        {0},
};

static const struct field create_fields[] = {
        {"token", FIELD_TEXT, "the secret, which is shown this once", false},
        {"name", FIELD_TEXT, "of it, and of its user", true},
        {"role", FIELD_TEXT, "read-only, operator or admin", true},
        {"expires", FIELD_TIME, "seconds since 1970; null: never", true},
        {0},
};

static json_t *time_or_null(const json_t *expires) {
        json_int_t seconds = json_integer_value(expires);

        return seconds ? json_integer(seconds) : json_null();
}

static const json_t *find_token(const json_t *all, const char *name) {
        json_t *each;
        size_t i;

        json_array_foreach((json_t *)all, i, each) {
                if (strcmp(json_string_value(json_object_get(each, "name")), name) == 0)
                        return each;
        }
        return NULL;
}

static enum err run_create(struct verb_call *call, struct err_note *note) {
        struct auth *auth = call->host->auth;
        const char *name = call_text(call, "name");
        uint64_t days = call_number(call, "days");
        AUTO(json_decref) json_t *all = NULL;
        AUTO_FREE char *token = NULL;
        enum role role = ROLE_READ_ONLY;

        if (call_has(call, "days") && (days == 0 || days > INT32_MAX / SECONDS_A_DAY))
                return call_usage(call, note, "--days: 1 to %d", (int)(INT32_MAX / SECONDS_A_DAY));
        (void)role_parse(call_text(call, "role"), &role);
        if (auth_token_create(auth, name, role, days * SECONDS_A_DAY, &token, note))
                return note->code;
        all = auth_tokens(auth);
        call_put(call, "token", json_string(token));
        call_put(call, "name", json_of_text(name));
        call_put(call, "role", json_string(role_name(role)));
        call_put(call, "expires", time_or_null(json_object_get(find_token(all, name), "expires")));
        explicit_bzero(token, strlen(token));
        return ERR_NONE;
}

static const struct verb create_verb = {
        .name = "create",
        .summary = "Lets a program in.",
        .details = "Prints the token, which is shown this once; the daemon keeps a hash. It is good as a "
                   "session of the "
                   "XenAPI, as 'Authorization: Bearer' of HTTP, and as the password of a user of its name.",
        .params = create_params,
        .shape = SHAPE_FIRST,
        .fields = create_fields,
        .run = run_create,
        .needs_host = true,
};

/* ---- list ---- */

static const struct param list_params[] = {{0}};

static const struct field list_fields[] = {
        {"name", FIELD_TEXT, "of the token, and of its user", false},
        {"role", FIELD_TEXT, "read-only, operator or admin", false},
        {"expires", FIELD_TIME, "seconds since 1970; null: never", false},
        {0},
};

static enum err run_list(struct verb_call *call, struct err_note *note) {
        json_t *all = auth_tokens(call->host->auth), *each;
        size_t i;

        (void)note;
        json_array_foreach(all, i, each) {
                json_object_set_new(each, "expires", time_or_null(json_object_get(each, "expires")));
        }
        call_put(call, "tokens", all);
        return ERR_NONE;
}

static const struct verb list_verb = {
        .name = "list",
        .summary = "Lists the tokens that are good.",
        .params = list_params,
        .shape = SHAPE_TABLE,
        .rows = "tokens",
        .fields = list_fields,
        .run = run_list,
        .needs_host = true,
};

/* ---- revoke ---- */

static const struct param revoke_params[] = {NAME_OF_TOKEN("The token's name."), {0}};

static const struct field revoke_fields[] = {{"name", FIELD_TEXT, "of the token", false}, {0}};

static enum err run_revoke(struct verb_call *call, struct err_note *note) {
        call_put(call, "name", json_of_text(call_text(call, "name")));
        return auth_token_revoke(call->host->auth, call_text(call, "name"), note);
}

static const struct verb revoke_verb = {
        .name = "revoke",
        .summary = "Ends a token, and the sessions that it began.",
        .params = revoke_params,
        .shape = SHAPE_NOTHING,
        .fields = revoke_fields,
        .run = run_revoke,
        .needs_host = true,
};

const struct verb *const token_verbs[] = {&create_verb, &list_verb, &revoke_verb, NULL};
