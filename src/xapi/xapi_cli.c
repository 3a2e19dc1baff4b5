// SPDX-License-Identifier: Apache-2.0
#include "xapi_cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "xapi_inside.h"
#include "xe_cli.h"

/* ---- what the client is told ----------------------------------------------------------------- */

static void tell(struct xapi_cli *cli, enum xe_kind kind, const char *before, const char *fmt, va_list args) {
        struct xe_message message;
        AUTO_FREE char *text = NULL;
        AUTO_FREE char *all = NULL;

        if (vasprintf(&text, fmt, args) < 0)
                abort();
        all = mem_format("%s%s%s", before, text, kind == XE_PRINT_STDERR ? "\n" : "");
        message = xe_message_of(kind, all);
        xe_encode(&message, &cli->out);
}

void xapi_cli_print(struct xapi_cli *cli, const char *fmt, ...) {
        va_list args;

        va_start(args, fmt);
        tell(cli, XE_PRINT, "", fmt, args);
        va_end(args);
}

enum xapi_cli_next xapi_cli_give_uuid(struct xapi_cli *cli, const json_t *ref) {
        if (json_is_string(ref))
                xapi_cli_print(cli, "%s", json_string_value(ref) + strlen(XAPI_REF_PREFIX));
        return XAPI_CLI_ENDS;
}

/* To standard error as it is, with an end of line. */
static enum xapi_cli_next complain(struct xapi_cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);
static enum xapi_cli_next complain(struct xapi_cli *cli, const char *fmt, ...) {
        va_list args;

        va_start(args, fmt);
        tell(cli, XE_PRINT_STDERR, "", fmt, args);
        va_end(args);
        cli->exit_code = 1;
        return XAPI_CLI_ENDS;
}

enum xapi_cli_next xapi_cli_fail(struct xapi_cli *cli, const char *fmt, ...) {
        va_list args;

        va_start(args, fmt);
        tell(cli, XE_PRINT_STDERR, "Error: ", fmt, args);
        va_end(args);
        cli->exit_code = 1;
        return XAPI_CLI_ENDS;
}

#define WHERE_HELP_IS "For usage run: 'xe help'"

enum xapi_cli_next xapi_cli_misused(struct xapi_cli *cli, const char *what, const char *which) {
        return complain(cli, "%s: %s\n" WHERE_HELP_IS, what, which);
}

/* Whoever has a command line knows objects by their uuids. */
static struct span param_of(const json_t *param) {
        const char *text = json_string_value(param);
        size_t n = text && text_starts_with(text, XAPI_REF_PREFIX) ? strlen(XAPI_REF_PREFIX) : 0;

        return (struct span){(const uint8_t *)text + n, json_string_length(param) - n};
}

void xapi_cli_tell_error(struct xapi_cli *cli, const json_t *error) {
        const char *code = json_string_value(json_array_get(error, 0));
        struct xe_message message = xe_message_of(XE_ERROR, code ? code : "INTERNAL_ERROR");

        for (size_t i = 1; i < json_array_size(error) && message.n_params < XE_PARAMS_MAX; i++)
                if (json_is_string(json_array_get(error, i)))
                        message.params[message.n_params++] = param_of(json_array_get(error, i));
        xe_encode(&message, &cli->out);
        cli->exit_code = 1;
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* *ret_error: a new reference, where it is NULL that is given. */
static json_t *call(struct xapi_cli *cli, const char *method, const json_t *params, json_t **ret_error) {
        AUTO(xapi_call_fini)
        struct xapi_call made = {.xapi = cli->xapi, .name = method, .given = params, .peer = cli->peer};

        xapi_call_run(&made);
        if (!made.error)
                return made.result ? TAKE(made.result) : json_null();
        *ret_error = TAKE(made.error);
        return NULL;
}

static json_t *call_in_session(struct xapi_cli *cli, const char *method, json_t *params, json_t **ret_error) {
        AUTO(json_decref) json_t *given = params;

        json_array_insert_new(given, 0, json_string(cli->session));
        return call(cli, method, given, ret_error);
}

json_t *xapi_cli_call(struct xapi_cli *cli, const char *method, json_t *params) {
        AUTO(json_decref) json_t *error = NULL;
        json_t *result = call_in_session(cli, method, params, &error);

        if (!result)
                xapi_cli_tell_error(cli, error);
        return result;
}

json_t *xapi_cli_try(struct xapi_cli *cli, const char *method, json_t *params) {
        AUTO(json_decref) json_t *unused = NULL;

        return call_in_session(cli, method, params, &unused);
}

const char *xapi_cli_needed(struct xapi_cli *cli, const char *name) {
        const char *value = xapi_cli_named(&cli->ask, name);

        if (!value)
                (void)xapi_cli_misused(cli, "Required parameter not found", name);
        return value;
}

char *xapi_cli_ref(struct xapi_cli *cli, enum xapi_class_id class, const char *name) {
        AUTO_FREE char *method = mem_format("%s.get_by_uuid", xapi_classes[class].name);
        AUTO(json_decref) json_t *ref = NULL;
        const char *uuid = xapi_cli_needed(cli, name);

        if (uuid)
                ref = xapi_cli_call(cli, method, json_pack("[s]", uuid));
        return ref ? mem_text(json_string_value(ref)) : NULL;
}

char *xapi_cli_ref_or_none(struct xapi_cli *cli, enum xapi_class_id class, const char *name) {
        return xapi_cli_named(&cli->ask, name) ? xapi_cli_ref(cli, class, name) : mem_text(XAPI_NULL_REF);
}

/* ---- who asks -------------------------------------------------------------------------------- */

/* Which tells nobody anything that the documentation does not. */
static bool is_help(const struct xapi_cli *cli) {
        return !*cli->ask.command || strcmp(cli->ask.command, "help") == 0;
}

static void take_session(struct xapi_cli *cli, const char *ref) {
        snprintf(cli->session, sizeof cli->session, "%s", ref);
}

static enum xapi_cli_next refuse(struct xapi_cli *cli, const json_t *error) {
        bool has_user = xapi_cli_named(&cli->ask, "username");

        if (strcmp(json_string_value(json_array_get(error, 0)), "SESSION_AUTHENTICATION_FAILED") != 0) {
                xapi_cli_tell_error(cli, error);
                return XAPI_CLI_ENDS;
        }
        return complain(cli, "%s\n" WHERE_HELP_IS,
                        has_user ? "Authentication failed" : "Username/password must be specified");
}

enum xapi_cli_next xapi_cli_log_in(struct xapi_cli *cli) {
        const char *user = xapi_cli_named(&cli->ask, "username"),
                   *password = xapi_cli_named(&cli->ask, "password"),
                   *session = xapi_cli_named(&cli->ask, "session_id");
        AUTO(json_decref) json_t *params = NULL;
        AUTO(json_decref) json_t *ref = NULL;
        AUTO(json_decref) json_t *error = NULL;

        if (is_help(cli))
                return XAPI_CLI_RUNS;
        if (session) {
                take_session(cli, session);
                return XAPI_CLI_RUNS;
        }
        params = json_pack("[s, s, s, s]", user ? user : "", password ? password : "", "1.0", "xe");
        ref = call(cli, "session.login_with_password", params, &error);
        if (!ref)
                return refuse(cli, error);
        take_session(cli, json_string_value(ref));
        cli->is_our_session = true;
        return XAPI_CLI_RUNS;
}

/* What goes wrong here is nothing of the command's. */
void xapi_cli_end(struct xapi_cli *cli) {
        struct xe_message bye = {.kind = XE_EXIT, .number = cli->exit_code};

        if (cli->task)
                json_decref(xapi_cli_try(cli, "task.destroy", json_pack("[s]", cli->task)));
        if (cli->is_our_session)
                json_decref(xapi_cli_try(cli, "session.logout", json_array()));
        cli->is_our_session = false;
        free(TAKE(cli->task));
        xe_encode(&bye, &cli->out);
}

void xapi_cli_fini(struct xapi_cli *cli) {
        xapi_cli_ask_fini(&cli->ask);
        explicit_bzero(cli->session, sizeof cli->session);
        json_decref(TAKE(cli->held));
        free(TAKE(cli->task));
        buf_fini(&cli->out);
}

/* ---- commands -------------------------------------------------------------------------------- */

static const struct xapi_cli_action *const tables[] = {xapi_cli_vdi_actions, xapi_cli_vm_actions,
                                                       xapi_cli_transfer_actions, xapi_cli_wait_actions};
enum { N_TABLES = sizeof tables / sizeof *tables };

static enum xapi_cli_next help(struct xapi_cli *cli) {
        for (unsigned i = 0; i < N_TABLES; i++)
                for (const struct xapi_cli_action *each = tables[i]; each->name; each++)
                        xapi_cli_print(cli, "%s", each->name);
        for (const struct xapi_cli_plain *each = xapi_cli_plains; each->name; each++)
                xapi_cli_print(cli, "%s", each->name);
        xapi_cli_help_records(cli);
        return XAPI_CLI_ENDS;
}

static xapi_cli_command find_action(const char *name) {
        for (unsigned i = 0; i < N_TABLES; i++)
                for (const struct xapi_cli_action *each = tables[i]; each->name; each++)
                        if (strcmp(each->name, name) == 0)
                                return each->run;
        return NULL;
}

static enum xapi_cli_next run_plain(struct xapi_cli *cli, const struct xapi_cli_plain *plain) {
        AUTO_FREE char *ref = xapi_cli_ref(cli, plain->class, "uuid");
        AUTO(json_decref)
        json_t *result = ref ? xapi_cli_call(cli, plain->method, json_pack("[s]", ref)) : NULL;

        return XAPI_CLI_ENDS;
}

enum xapi_cli_next xapi_cli_run(struct xapi_cli *cli) {
        const char *name = cli->ask.command;
        xapi_cli_command run = find_action(name);

        if (is_help(cli))
                return help(cli);
        if (run)
                return run(cli);
        for (const struct xapi_cli_plain *each = xapi_cli_plains; each->name; each++)
                if (strcmp(each->name, name) == 0)
                        return run_plain(cli, each);
        if (xapi_cli_records(cli, name))
                return XAPI_CLI_ENDS;
        return xapi_cli_misused(cli, "Unknown command", name);
}

bool xapi_cli_only_looks(const struct xapi_cli *cli) {
        const char *name = cli->ask.command;

        return is_help(cli) || text_ends_with(name, "-list") || text_ends_with(name, "-param-get");
}

enum xapi_cli_next xapi_cli_go_on(struct xapi_cli *cli) {
        return cli->then(cli);
}
