// SPDX-License-Identifier: Apache-2.0
/* A document from a client: what is read is written as a document that is read and written as the same.
 * (Read again it need not be equal: an integer is written as its digits, and read as text.) */
#include "fuzz.h"

#include <string.h>

#include "xmlrpc.h"

DEFINE_AUTO(json_t *, json_decref);

static struct span all_of(const struct buf *xml) {
        return (struct span){xml->data, xml->n};
}

static bool is_same(const struct buf *a, const struct buf *b) {
        return a->n == b->n && memcmp(a->data, b->data, a->n) == 0;
}

static void try_value(struct span input) {
        AUTO(buf_fini) struct buf once = {0}, twice = {0};
        AUTO(json_decref) json_t *value = NULL, *again = NULL;
        struct err_note note = {0};

        if (xmlrpc_decode_value(input, &value, &note)) {
                MUST_HOLD(note.code == ERR_CORRUPT && note.text[0] && !value);
                return;
        }
        xmlrpc_add_value(&once, value, NULL);
        if (xmlrpc_decode_value(all_of(&once), &again, &note))
                abort();
        xmlrpc_add_value(&twice, again, NULL);
        MUST_HOLD(is_same(&once, &twice));
}

static void try_call(struct span input) {
        AUTO(buf_fini) struct buf once = {0}, twice = {0};
        AUTO(xmlrpc_call_fini) struct xmlrpc_call call = {0}, again = {0};
        struct err_note note = {0};

        if (xmlrpc_decode_call(input, &call, &note)) {
                MUST_HOLD(note.code == ERR_CORRUPT && note.text[0] && !call.params);
                return;
        }
        MUST_HOLD(call.method[0] && json_is_array(call.params));
        xmlrpc_add_call(&once, call.method, call.params);
        if (xmlrpc_decode_call(all_of(&once), &again, &note))
                abort();
        xmlrpc_add_call(&twice, again.method, again.params);
        MUST_HOLD(is_same(&once, &twice));
}

static void add_reply(struct buf *xml, const struct xmlrpc_reply *reply) {
        if (reply->error)
                xmlrpc_add_failure(xml, reply->error);
        else
                xmlrpc_add_success(xml, reply->value, NULL);
}

static void try_reply(struct span input) {
        AUTO(buf_fini) struct buf once = {0}, twice = {0};
        AUTO(xmlrpc_reply_fini) struct xmlrpc_reply reply = {0}, again = {0};
        struct err_note note = {0};

        if (xmlrpc_decode_reply(input, &reply, &note)) {
                MUST_HOLD(note.code == ERR_CORRUPT && note.text[0] && !reply.value && !reply.error);
                return;
        }
        MUST_HOLD(!reply.value != !reply.error);
        add_reply(&once, &reply);
        /* The envelope is one level more than a bare value may have had. */
        if (xmlrpc_decode_reply(all_of(&once), &again, &note)) {
                MUST_HOLD(strstr(note.text, "deeper than"));
                return;
        }
        add_reply(&twice, &again);
        MUST_HOLD(is_same(&once, &twice));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct span input = {data, size};

        try_value(input);
        try_call(input);
        try_reply(input);
        return 0;
}
