// SPDX-License-Identifier: Apache-2.0
/* Storage repositories: looked at, named, their chains judged. */
#include "xapi_error.h"
#include "xapi_inside.h"
#include "xapi_method.h"

static const struct host_sr *find(struct xapi_call *call) {
        struct uuid uuid = xapi_arg_ref(call, 0);

        return xapi_sr_find(call, &uuid);
}

static bool scan(struct xapi_call *call) {
        const struct host_sr *sr = find(call);

        if (!sr || !xapi_sr_verb(call, sr, "sr", "scan", json_object(), NULL))
                return false;
        xapi_gc_kick(call->xapi->gc, sr);
        return xapi_give_nothing(call);
}

static bool update(struct xapi_call *call) {
        const struct host_sr *sr = find(call);

        if (!sr)
                return false;
        xapi_mirror_now(call->xapi->mirror, sr);
        return xapi_give_nothing(call);
}

static bool set(struct xapi_call *call, const char *key) {
        const struct host_sr *sr = find(call);

        return sr &&
               xapi_sr_verb(call, sr, "sr", "set", json_pack("{s:s}", key, xapi_arg_text(call, 1)), NULL) &&
               xapi_give_nothing(call);
}

static bool set_name_label(struct xapi_call *call) {
        return set(call, "name");
}

static bool set_name_description(struct xapi_call *call) {
        return set(call, "description");
}

static bool chain_health(struct xapi_call *call) {
        const struct host_sr *sr = find(call);
        json_t *health = NULL;

        return sr && xapi_sr_verb(call, sr, "sr", "health", json_pack("{s:b}", "all", true), &health) &&
               xapi_give(call, health);
}

static bool supported_types(struct xapi_call *call) {
        return xapi_give(call, json_pack("[s]", "file"));
}

#define END                                                                                                  \
        { {0}, 0 }
static const struct xapi_param no_params[] = {END};
static const struct xapi_param self_params[] = {XAPI_REF_PARAM("sr", "SR"), END};
static const struct xapi_param text_params[] = {XAPI_REF_PARAM("sr", "SR"), XAPI_TEXT_PARAM("value"), END};

const struct xapi_method xapi_sr_methods[] = {
        {"SR.scan", self_params, XAPI_GIVES_NOTHING, ROLE_OPERATOR, XAPI_SLOW, scan},
        {"SR.update", self_params, XAPI_GIVES_NOTHING, ROLE_OPERATOR, XAPI_SLOW, update},
        {"SR.set_name_label", text_params, XAPI_GIVES_NOTHING, ROLE_OPERATOR, XAPI_SLOW, set_name_label},
        {"SR.set_name_description", text_params, XAPI_GIVES_NOTHING, ROLE_OPERATOR, XAPI_SLOW,
         set_name_description},
        {"SR.get_chain_health",
         self_params,
         {.kind = XAPI_SHAPE_PLAIN},
         ROLE_READ_ONLY,
         XAPI_SLOW,
         chain_health},
        {"SR.get_supported_types", no_params, XAPI_GIVES(XAPI_STRINGS), ROLE_READ_ONLY, XAPI_NOW,
         supported_types},
        {0},
};
