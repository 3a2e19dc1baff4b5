// SPDX-License-Identifier: Apache-2.0
/* A call as it comes over HTTP; the first byte says whether as XML.  What is understood is answered in its
 * own words, by JSON that is JSON and has the call's id. */
#include "fuzz.h"

#include <string.h>

#include "xapi_reply.h"

static void check_reply(const struct xapi_request *request, const struct buf *reply) {
        AUTO(json_decref) json_t *message = NULL;

        if (request->wire == XAPI_XML) {
                MUST_HOLD(reply->n > 5 && memcmp(reply->data, "<?xml", 5) == 0);
                return;
        }
        message = json_loadb((const char *)reply->data, reply->n, 0, NULL);
        MUST_HOLD(message && json_equal(json_object_get(message, "id"), request->id));
        MUST_HOLD((request->wire == XAPI_JSON_2) == (json_object_get(message, "jsonrpc") != NULL));
}

static void answer(const struct xapi_request *request, struct xapi_call *call) {
        AUTO(buf_fini) struct buf reply = {0};

        xapi_reply_add(request, call, &reply);
        check_reply(request, &reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AUTO(xapi_request_fini) struct xapi_request request = {0};
        AUTO(xapi_call_fini) struct xapi_call failed = {0}, done = {.shape.kind = XAPI_SHAPE_PLAIN};
        struct buf body = {.data = (uint8_t *)data + 1, .n = size - 1};
        struct err_note note = {0};

        if (!size)
                return 0;
        if (xapi_request_decode(data[0] & 1, &body, &request, &note)) {
                MUST_HOLD(note.code == ERR_CORRUPT && note.text[0]);
                return 0;
        }
        MUST_HOLD(json_is_array(request.params) && strlen(request.name) < XAPI_NAME_MAX);
        failed.error = json_pack("[s, s]", "MESSAGE_METHOD_UNKNOWN", request.name);
        done.result = json_incref(request.params);
        answer(&request, &failed);
        answer(&request, &done);
        return 0;
}
