// SPDX-License-Identifier: Apache-2.0
#include "rpc_wire.h"

#include <stdio.h>
#include <string.h>

bool rpc_find_line(const uint8_t *data, size_t n, struct span *ret, size_t *ret_n) {
        const uint8_t *end = memchr(data, '\n', n);

        if (!end)
                return false;
        *ret = (struct span){data, (size_t)(end - data)};
        *ret_n = ret->n + 1;
        return true;
}

static void add(const struct jsonrpc *message, struct buf *to) {
        struct err_note note;
        enum err failed = jsonrpc_encode(message, to, &note);

        /* Only of names and numbers of our own making, and of texts that were made UTF-8. */
        if (failed) {
                struct jsonrpc plain = {.kind = JSONRPC_ERROR,
                                        .id = message->id,
                                        .code = JSONRPC_VERB_FAILED,
                                        .message = "the answer is not UTF-8 text"};

                failed = jsonrpc_encode(&plain, to, &note);
        }
        (void)failed;
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* "vdi.snapshot" */
static bool name_of(const struct verb *verb, char ret[JSONRPC_METHOD_MAX + 1]) {
        for (const struct noun *noun = verb_nouns; noun->name; noun++) {
                for (const struct verb *const *each = noun->verbs; *each; each++) {
                        if (*each != verb)
                                continue;
                        snprintf(ret, JSONRPC_METHOD_MAX + 1, "%s.%s", noun->name, verb->name);
                        return true;
                }
        }
        return false;
}

static const struct verb *verb_of(const char *method) {
        const char *dot = strchr(method, '.');
        char noun_name[JSONRPC_METHOD_MAX + 1];
        const struct noun *noun;

        if (!dot)
                return NULL;
        snprintf(noun_name, sizeof noun_name, "%.*s", (int)(dot - method), method);
        noun = verbs_find_noun(noun_name);
        return noun ? verbs_find(noun, dot + 1) : NULL;
}

enum err rpc_put_call(const struct verb_call *call, json_t *params, bool has_input, bool has_output,
                      struct buf *to, struct err_note *note) {
        AUTO(jsonrpc_fini) struct jsonrpc message = {.kind = JSONRPC_CALL, .id = RPC_ID};
        size_t before = to->n;

        if (!name_of(call->verb, message.method))
                return err_set(note, ERR_UNSUPPORTED, "'%s' is no verb that others know", call->verb->name);
        message.params = json_pack("{s:O, s:s?, s:b, s:b}", "params", params, "state_dir", call->state_dir,
                                   "input", (int)has_input, "output", (int)has_output);
        if (!message.params)
                return err_set(note, ERR_UNSUPPORTED, "the state directory's name is not UTF-8 text");
        if (jsonrpc_encode(&message, to, note))
                return note->code;
        if (to->n - before > RPC_CALL_MAX) {
                to->n = before;
                return err_set(note, ERR_TOO_LARGE, "the parameters are more than %d bytes", RPC_CALL_MAX);
        }
        return ERR_NONE;
}

enum err rpc_take_call(const struct jsonrpc *message, bool takes_any, struct rpc_call *ret,
                       struct err_note *note) {
        json_t *params = json_object_get(message->params, "params");

        if (message->kind != JSONRPC_CALL)
                return err_set(note, ERR_CORRUPT, "a call is wanted");
        ret->verb = verb_of(message->method);
        if (!ret->verb || (!takes_any && !verbs_find_param(ret->verb, "sr")))
                return err_set(note, ERR_UNSUPPORTED, "'%s' is no verb%s", message->method,
                               takes_any ? "" : " on an SR");
        if (!json_is_object(params))
                return err_set(note, ERR_CORRUPT, "\"params\" of %s is not an object", message->method);
        ret->params = json_incref(params);
        ret->state_dir = json_string_value(json_object_get(message->params, "state_dir"));
        ret->has_input = json_is_true(json_object_get(message->params, "input"));
        ret->has_output = json_is_true(json_object_get(message->params, "output"));
        return ERR_NONE;
}

/* ---- answers --------------------------------------------------------------------------------- */

static enum err err_of_name(const char *name) {
        static const enum err codes[] = {
#define X(code, text) code,
                ERR_TABLE(X)
#undef X
        };

        for (size_t i = 0; name && i < sizeof codes / sizeof *codes; i++)
                if (codes[i] != ERR_NONE && strcmp(err_name(codes[i]), name) == 0)
                        return codes[i];
        return ERR_IO;
}

void rpc_put_error(int64_t code, enum verb_outcome outcome, const struct err_note *note, struct buf *to) {
        AUTO(jsonrpc_fini) struct jsonrpc message = {.kind = JSONRPC_ERROR, .id = RPC_ID, .code = code};

        message.data = json_pack("{s:s, s:i}", "code", err_name(note->code), "outcome", (int)outcome);
        snprintf(message.message, sizeof message.message, "%s", note->text);
        add(&message, to);
}

void rpc_put_answer(const struct verb_call *call, enum err failed, const struct err_note *failure,
                    struct buf *to) {
        AUTO(jsonrpc_fini) struct jsonrpc message = {.kind = JSONRPC_RESULT, .id = RPC_ID};
        size_t before = to->n;
        struct err_note note;

        if (failed) {
                rpc_put_error(JSONRPC_VERB_FAILED, call->outcome, failure, to);
                return;
        }
        message.result = json_pack("{s:O, s:i}", "result", call->result, "outcome", (int)call->outcome);
        add(&message, to);
        if (to->n - before <= RPC_ANSWER_MAX)
                return;
        (void)err_set(&note, ERR_TOO_LARGE, "it is done, but the answer has %zu bytes; %d can be sent",
                      to->n - before, RPC_ANSWER_MAX);
        to->n = before;
        rpc_put_error(JSONRPC_VERB_FAILED, call->outcome, &note, to);
}

static enum verb_outcome outcome_of(const json_t *from) {
        json_int_t number = json_integer_value(json_object_get(from, "outcome"));

        return number == VERB_PARTIAL    ? VERB_PARTIAL
               : number == VERB_FINDINGS ? VERB_FINDINGS
               : number == VERB_USAGE    ? VERB_USAGE
               : number == VERB_WRONG    ? VERB_WRONG
                                         : VERB_DONE;
}

enum err rpc_take_answer(const struct jsonrpc *message, struct verb_call *call, bool *ret_is_not_here,
                         struct err_note *note) {
        json_t *result = json_object_get(message->result, "result");

        *ret_is_not_here = message->kind == JSONRPC_ERROR && message->code == RPC_NOT_HERE;
        if (message->id != RPC_ID)
                return err_set(note, ERR_CORRUPT, "the answer is to another call");
        if (message->kind == JSONRPC_ERROR) {
                call->outcome = outcome_of(message->data);
                return err_set(note, err_of_name(json_string_value(json_object_get(message->data, "code"))),
                               "%s", message->message);
        }
        if (!json_is_object(result))
                return err_set(note, ERR_CORRUPT, "the answer has no result");
        call->outcome = outcome_of(message->result);
        json_object_update(call->result, result);
        return ERR_NONE;
}

/* ---- notifications --------------------------------------------------------------------------- */

void rpc_put_notice(const char *method, struct buf *to) {
        struct jsonrpc message = {.kind = JSONRPC_NOTIFICATION};

        snprintf(message.method, sizeof message.method, "%s", method);
        add(&message, to);
}

void rpc_put_progress(const struct rpc_progress *progress, struct buf *to) {
        AUTO(jsonrpc_fini) struct jsonrpc message = {.kind = JSONRPC_NOTIFICATION, .method = RPC_PROGRESS};

        message.params = json_pack("{s:s, s:o, s:o, s:b}", "doing", progress->doing, "done",
                                   json_of_u64(progress->done), "total", json_of_u64(progress->total),
                                   "has_ended", (int)progress->has_ended);
        add(&message, to);
}

void rpc_put_said(const char *line, struct buf *to) {
        AUTO(jsonrpc_fini) struct jsonrpc message = {.kind = JSONRPC_NOTIFICATION, .method = RPC_SAID};

        message.params = json_pack("{s:o}", "line", json_of_text(line));
        add(&message, to);
}

static bool take_number(const json_t *from, const char *key, uint64_t *ret) {
        json_t *value = json_object_get(from, key);

        if (!json_is_integer(value) || json_integer_value(value) < 0)
                return false;
        *ret = (uint64_t)json_integer_value(value);
        return true;
}

enum err rpc_take_progress(const struct jsonrpc *message, struct rpc_progress *ret, struct err_note *note) {
        const char *doing = json_string_value(json_object_get(message->params, "doing"));

        *ret = (struct rpc_progress){0};
        if (!doing || !take_number(message->params, "done", &ret->done) ||
            !take_number(message->params, "total", &ret->total))
                return err_set(note, ERR_CORRUPT, "what came is no progress");
        snprintf(ret->doing, sizeof ret->doing, "%s", doing);
        for (char *c = ret->doing; *c; c++) /* it is shown on a terminal, and within JSON */
                *c = *c < ' ' || *c > '~' || *c == '"' || *c == '\\' ? '?' : *c;
        ret->has_ended = json_is_true(json_object_get(message->params, "has_ended"));
        return ERR_NONE;
}
