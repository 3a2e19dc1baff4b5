// SPDX-License-Identifier: Apache-2.0
/* Sessions: logging in and out, and what a client asks before it has one. */
#include <string.h>

#include "xapi_error.h"
#include "xapi_inside.h"
#include "xapi_method.h"

/* One that is given too much is not told which part of it was wrong. */
static bool login(struct xapi_call *call) {
        struct auth_session session;
        const char *originator = xapi_has_arg(call, 3) ? xapi_arg_text(call, 3) : "";
        const char *user = xapi_arg_text(call, 0);
        struct err_note note;
        bool is_done;

        if (auth_login(xapi_host(call)->auth, user, xapi_arg_text(call, 1), originator, &session, &note))
                return xapi_fail(call, "SESSION_AUTHENTICATION_FAILED", user, note.text, NULL);
        is_done = xapi_give_text(call, session.ref);
        memset(&session, 0, sizeof session);
        return is_done;
}

static bool logout(struct xapi_call *call) {
        xapi_registered_forget(call->xapi->registered, &call->who.session);
        auth_logout(xapi_host(call)->auth, call->session);
        return xapi_give_nothing(call);
}

static bool list_methods(struct xapi_call *call) {
        return xapi_give(call, xapi_method_list());
}

static const struct xapi_param no_params[] = {{{0}, 0}};
static const struct xapi_param login_params[] = {
        XAPI_TEXT_PARAM("uname"),
        XAPI_TEXT_PARAM("pwd"),
        {.field = {.name = "version", .type = XAPI_STRING}, .flags = XAPI_OPTIONAL},
        {.field = {.name = "originator", .type = XAPI_STRING}, .flags = XAPI_OPTIONAL},
        {{0}, 0},
};

const struct xapi_method xapi_session_methods[] = {
        {"session.login_with_password", login_params, XAPI_GIVES(XAPI_STRING), ROLE_READ_ONLY,
         XAPI_SESSIONLESS | XAPI_LOGIN, login},
        {"session.logout", no_params, XAPI_GIVES_NOTHING, ROLE_READ_ONLY, XAPI_NOW, logout},
        {"session.local_logout", no_params, XAPI_GIVES_NOTHING, ROLE_READ_ONLY, XAPI_NOW, logout},
        {"system.listMethods", no_params, XAPI_GIVES(XAPI_STRINGS), ROLE_READ_ONLY, XAPI_SESSIONLESS,
         list_methods},
        {0},
};
