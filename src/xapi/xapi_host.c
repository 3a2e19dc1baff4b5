// SPDX-License-Identifier: Apache-2.0
/* The host itself and its pool: what clients ask of it beside its record. */
#include "xapi_error.h"
#include "xapi_inside.h"
#include "xapi_method.h"

static bool servertime(struct xapi_call *call) {
        return xapi_give_text(call, xapi_time_of((int64_t)(io_wall_ns(xapi_host(call)->io) / 1000000000)).s);
}

/* There are none. */
static bool call_plugin(struct xapi_call *call) {
        return xapi_fail(call, "XENAPI_MISSING_PLUGIN", xapi_arg_text(call, 1), NULL);
}

static bool has_extension(struct xapi_call *call) {
        return xapi_give(call, json_false());
}

static bool list_methods(struct xapi_call *call) {
        return xapi_give(call, xapi_method_list());
}

static bool server_certificate(struct xapi_call *call) {
        struct certificate *certificate = xapi_host(call)->certificate;
        AUTO_FREE char *pem = certificate ? certificate_pem(certificate) : NULL;

        return pem ? xapi_give_text(call, pem) : xapi_fail_not_allowed(call, "TLS is off on this host");
}

/* What is said to be done is durable: nothing is kept back. */
static bool sync_database(struct xapi_call *call) {
        return xapi_give_nothing(call);
}

static const struct xapi_param no_params[] = {{{0}, 0}};
static const struct xapi_param host_params[] = {XAPI_REF_PARAM("host", "host"), {{0}, 0}};
static const struct xapi_param plugin_params[] = {XAPI_REF_PARAM("host", "host"),
                                                  XAPI_TEXT_PARAM("plugin"),
                                                  XAPI_TEXT_PARAM("fn"),
                                                  XAPI_TYPED_PARAM("args", XAPI_MAP),
                                                  {{0}, 0}};
static const struct xapi_param extension_params[] = {
        XAPI_REF_PARAM("host", "host"), XAPI_TEXT_PARAM("name"), {{0}, 0}};

const struct xapi_method xapi_host_methods[] = {
        {"host.get_servertime", host_params, XAPI_GIVES(XAPI_TIME), ROLE_READ_ONLY, XAPI_NOW, servertime},
        {"host.call_plugin", plugin_params, XAPI_GIVES(XAPI_STRING), ROLE_OPERATOR, 0, call_plugin},
        {"host.has_extension", extension_params, XAPI_GIVES(XAPI_BOOL), ROLE_READ_ONLY, XAPI_NOW,
         has_extension},
        {"host.list_methods", no_params, XAPI_GIVES(XAPI_STRINGS), ROLE_READ_ONLY, XAPI_NOW, list_methods},
        {"host.get_server_certificate", host_params, XAPI_GIVES(XAPI_STRING), ROLE_READ_ONLY, 0,
         server_certificate},
        {"pool.sync_database", no_params, XAPI_GIVES_NOTHING, ROLE_OPERATOR, 0, sync_database},
        {0},
};
