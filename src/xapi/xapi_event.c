// SPDX-License-Identifier: Apache-2.0
/* Events: what changed since, told at once where something did, and otherwise when it does. */
#include <math.h>

#include "xapi_error.h"
#include "xapi_inside.h"
#include "xapi_method.h"

/* A wait that is longer says the same as a connection that is kept. */
#define WAIT_MAX_S   86400.0
#define WAIT_NEXT_NS (UINT64_C(30) * 1000000000)

/* ---- waiting --------------------------------------------------------------------------------- */

static uint64_t ns_of(double seconds) {
        if (!isfinite(seconds) || seconds > WAIT_MAX_S)
                seconds = WAIT_MAX_S;
        return seconds <= 0 ? 0 : (uint64_t)(seconds * 1e9);
}

/* Whether to be called again instead of saying that nothing happened. */
static bool may_wait(struct xapi_call *call, uint64_t wait_ns, uint64_t now_generation) {
        uint64_t now_ns = io_now_ns(xapi_host(call)->io);

        if (!call->wait_until_ns)
                call->wait_until_ns = now_ns + wait_ns;
        if (now_ns >= call->wait_until_ns || atomic_load(&call->xapi->is_draining))
                return false;
        call->is_waiting = true;
        call->wait_generation = now_generation;
        return true;
}

/* ---- event.from ------------------------------------------------------------------------------ */

/* The generation after which the client wants to know. */
static bool read_token(struct xapi_call *call, const char *text, uint64_t *ret) {
        struct xapi_token token = {0};

        *ret = 0;
        if (!*text)
                return true;
        if (!xapi_token_parse(text, &token))
                return xapi_fail(call, "EVENT_FROM_TOKEN_PARSE_FAILURE", text, NULL);
        if (token.epoch != objects_epoch(xapi_host(call)->objects) ||
            token.generation > objects_generation(xapi_host(call)->objects))
                return xapi_fail(call, "EVENTS_LOST", NULL);
        *ret = token.generation;
        return true;
}

static bool read_interest(struct xapi_call *call, const json_t *classes, struct xapi_interest **ret) {
        const char *wrong = "";

        return xapi_interest_parse(classes, ret, &wrong) ||
               xapi_fail(call, "EVENT_SUBSCRIPTION_PARSE_FAILURE", wrong, NULL);
}

static bool since(struct xapi_call *call, const struct xapi_interest *interest, uint64_t generation,
                  json_t **ret, uint64_t *ret_now) {
        struct err_note note;

        if (!xapi_events_since(xapi_host(call)->objects, interest, generation, ret, ret_now, &note))
                return true;
        return xapi_fail(call, "EVENTS_LOST", NULL);
}

static bool from(struct xapi_call *call) {
        AUTO(xapi_interest_free) struct xapi_interest *interest = NULL;
        AUTO(json_decref) json_t *events = NULL;
        struct objects *objects = xapi_host(call)->objects;
        struct xapi_token now = {.epoch = objects_epoch(objects)};
        uint64_t generation;

        if (!read_interest(call, xapi_arg(call, 0), &interest) ||
            !read_token(call, xapi_arg_text(call, 1), &generation) ||
            !since(call, interest, generation, &events, &now.generation))
                return false;
        if (json_array_size(events) == 0 && may_wait(call, ns_of(xapi_arg_float(call, 2)), now.generation))
                return true;
        return xapi_give(call, json_pack("{s:O, s:o, s:s}", "events", events, "valid_ref_counts",
                                         xapi_events_counts(objects), "token", xapi_token_text(&now).s));
}

/* ---- inject ---------------------------------------------------------------------------------- */

static bool inject(struct xapi_call *call) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        struct objects *objects = xapi_host(call)->objects;
        enum xapi_class_id class = xapi_class_find(xapi_arg_text(call, 0));
        struct xapi_token token = {.epoch = objects_epoch(objects)};
        struct err_note note;
        struct uuid uuid;

        if (class == XAPI_N_CLASSES || !xapi_ref_parse(xapi_arg_text(call, 1), &uuid))
                return xapi_fail_handle(call, xapi_arg_text(call, 0), xapi_arg_text(call, 1));
        objects_begin(objects, &change);
        objects_change_is_volatile(change);
        if (!objects_touch(change, class, &uuid))
                return xapi_fail_handle(call, xapi_classes[class].name, xapi_arg_text(call, 1));
        if (objects_commit(TAKE(change), &token.generation, &note))
                return xapi_fail_of(call, &note, class, &uuid, "inject");
        return xapi_give_text(call, xapi_token_text(&token).s);
}

/* ---- the older way --------------------------------------------------------------------------- */

static bool register_for(struct xapi_call *call) {
        AUTO(xapi_interest_free) struct xapi_interest *interest = NULL;

        if (!read_interest(call, xapi_arg(call, 0), &interest))
                return false;
        xapi_registered_add(call->xapi->registered, &call->who.session, json_deep_copy(xapi_arg(call, 0)),
                            objects_generation(xapi_host(call)->objects));
        return xapi_give_nothing(call);
}

static bool unregister_from(struct xapi_call *call) {
        xapi_registered_remove(call->xapi->registered, &call->who.session, xapi_arg(call, 0));
        return xapi_give_nothing(call);
}

static bool next(struct xapi_call *call) {
        AUTO(xapi_interest_free) struct xapi_interest *interest = NULL;
        AUTO(json_decref) json_t *classes = NULL;
        AUTO(json_decref) json_t *events = NULL;
        uint64_t generation, now;

        if (!xapi_registered_find(call->xapi->registered, &call->who.session, &classes, &generation))
                return xapi_fail(call, "SESSION_NOT_REGISTERED", call->session, NULL);
        if (!read_interest(call, classes, &interest) || !since(call, interest, generation, &events, &now))
                return false;
        if (json_array_size(events) == 0 && may_wait(call, WAIT_NEXT_NS, now))
                return true;
        xapi_registered_reach(call->xapi->registered, &call->who.session, now);
        return xapi_give(call, TAKE(events));
}

static bool current_id(struct xapi_call *call) {
        return xapi_give(call, json_of_u64(objects_generation(xapi_host(call)->objects)));
}

static const struct xapi_param no_params[] = {{{0}, 0}};
static const struct xapi_param from_params[] = {XAPI_TYPED_PARAM("classes", XAPI_STRINGS),
                                                XAPI_TEXT_PARAM("token"),
                                                XAPI_TYPED_PARAM("timeout", XAPI_FLOAT),
                                                {{0}, 0}};
static const struct xapi_param classes_params[] = {XAPI_TYPED_PARAM("classes", XAPI_STRINGS), {{0}, 0}};
static const struct xapi_param inject_params[] = {XAPI_TEXT_PARAM("class"), XAPI_TEXT_PARAM("ref"), {{0}, 0}};

const struct xapi_method xapi_event_methods[] = {
        {"event.from", from_params, {.kind = XAPI_SHAPE_BATCH}, ROLE_READ_ONLY, XAPI_NOW, from},
        {"event.inject", inject_params, XAPI_GIVES(XAPI_STRING), ROLE_READ_ONLY, XAPI_NOW, inject},
        {"event.register", classes_params, XAPI_GIVES_NOTHING, ROLE_READ_ONLY, XAPI_NOW, register_for},
        {"event.unregister", classes_params, XAPI_GIVES_NOTHING, ROLE_READ_ONLY, XAPI_NOW, unregister_from},
        {"event.next", no_params, {.kind = XAPI_SHAPE_EVENTS}, ROLE_READ_ONLY, XAPI_NOW, next},
        {"event.get_current_id", no_params, XAPI_GIVES(XAPI_INT), ROLE_READ_ONLY, XAPI_NOW, current_id},
        {0},
};
