// SPDX-License-Identifier: Apache-2.0
#include "xmlrpc.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <expat.h>

#include "mem.h"

DEFINE_AUTO(XML_Parser, XML_ParserFree);

void xmlrpc_call_fini(struct xmlrpc_call *call) {
        json_decref(call->params);
        *call = (struct xmlrpc_call){0};
}

void xmlrpc_reply_fini(struct xmlrpc_reply *reply) {
        json_decref(reply->value);
        json_decref(reply->error);
        *reply = (struct xmlrpc_reply){0};
}

/* ---- the grammar ----------------------------------------------------------------------------------- */

enum element {
        CALL,
        METHOD,
        RESPONSE,
        FAULT,
        PARAMS,
        PARAM,
        VALUE,
        INTEGER,
        STRING,
        BOOLEAN,
        DOUBLE,
        TIME,
        BASE64,
        NIL,
        ARRAY,
        DATA,
        STRUCT,
        MEMBER,
        NAME,
};
enum { NOWHERE = 0 };
#define IN(element) (1u << (element))

/* What may stand where; the first of a document stands in nothing. */
static const struct {
        const char *name;
        enum element element;
        uint32_t holders; /* in which elements */
        bool is_once;     /* in its holder */
} grammar[] = {
        {"methodCall", CALL, NOWHERE, true},
        {"methodName", METHOD, IN(CALL), true},
        {"methodResponse", RESPONSE, NOWHERE, true},
        {"fault", FAULT, IN(RESPONSE), true},
        {"params", PARAMS, IN(CALL) | IN(RESPONSE), true},
        {"param", PARAM, IN(PARAMS), false},
        {"value", VALUE, IN(PARAM) | IN(FAULT) | IN(DATA) | IN(MEMBER), false},
        {"int", INTEGER, IN(VALUE), true},
        {"i4", INTEGER, IN(VALUE), true},
        {"i8", INTEGER, IN(VALUE), true},
        {"string", STRING, IN(VALUE), true},
        {"boolean", BOOLEAN, IN(VALUE), true},
        {"double", DOUBLE, IN(VALUE), true},
        {"dateTime.iso8601", TIME, IN(VALUE), true},
        {"base64", BASE64, IN(VALUE), true},
        {"nil", NIL, IN(VALUE), true},
        {"array", ARRAY, IN(VALUE), true},
        {"data", DATA, IN(ARRAY), true},
        {"struct", STRUCT, IN(VALUE), true},
        {"member", MEMBER, IN(STRUCT), false},
        {"name", NAME, IN(MEMBER), true},
};

/* One open element. */
struct level {
        enum element element;
        const char *name; /* borrowed, static */
        uint32_t had;     /* elements that were in it */
        json_t *value;    /* owned; what it holds so far, or NULL */
        char *member;     /* owned; a member's name */
};

/* Each value within another stands in two elements more; besides there are what surrounds the first, and the
 * last one's type. */
enum { LEVELS_MAX = 3 * XMLRPC_DEPTH_MAX + 5 };

struct reader {
        XML_Parser parser; /* borrowed from read_document, for its call */
        enum element root; /* which one is wanted */
        struct level levels[LEVELS_MAX];
        unsigned n, depth; /* open elements; values among them */
        struct buf text;   /* since the last tag */
        char method[XMLRPC_METHOD_MAX + 1];
        json_t *result;        /* owned */
        bool is_fault;         /* the result is one */
        bool has_failed;       /* the note says why; whatever else comes is skipped */
        struct err_note *note; /* borrowed from the caller */
};

static void reader_fini(struct reader *reader) {
        for (unsigned i = 0; i < reader->n; i++) {
                json_decref(reader->levels[i].value);
                free(reader->levels[i].member);
        }
        json_decref(reader->result);
        buf_fini(&reader->text);
}
DEFINE_AUTO_IN_PLACE(struct reader, reader_fini);

static void PRINTF_LIKE(2, 3) refuse(struct reader *reader, const char *fmt, ...) {
        char why[ERR_TEXT_SIZE];
        va_list args;

        va_start(args, fmt);
        vsnprintf(why, sizeof why, fmt, args);
        va_end(args);
        err_set(reader->note, ERR_CORRUPT, "XML-RPC: line %lu: %s",
                (unsigned long)XML_GetCurrentLineNumber(reader->parser), why);
        reader->has_failed = true;
        XML_StopParser(reader->parser, XML_FALSE);
}

/* ---- what scalars say ------------------------------------------------------------------------------ */

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_all_blank(const char *text) {
        return text[strspn(text, " \t\n\r")] == 0;
}

/* The text without the blanks around it, in its place. */
static char *trimmed(struct reader *reader) {
        char *text = (char *)(uintptr_t)buf_text(&reader->text), *end = text + strlen(text);

        while (is_blank(*text))
                text++;
        while (end > text && is_blank(end[-1]))
                end--;
        *end = 0;
        return text;
}

static json_t *integer_of(const char *text) {
        const char *digits = text + (*text == '-' || *text == '+');
        long long number;

        if (!*digits || digits[strspn(digits, "0123456789")])
                return NULL;
        errno = 0;
        number = strtoll(text, NULL, 10);
        return errno ? NULL : json_integer(number);
}

static json_t *double_of(const char *text) {
        double number;
        char *end;

        if (text[strspn(text, "0123456789+-.eE")])
                return NULL; /* "inf", "0x1p3" */
        number = strtod(text, &end);
        return end == text || *end || !isfinite(number) ? NULL : json_real(number);
}

static json_t *boolean_of(const char *text) {
        if (strcmp(text, "1") == 0 || strcmp(text, "true") == 0)
                return json_true();
        return strcmp(text, "0") == 0 || strcmp(text, "false") == 0 ? json_false() : NULL;
}

static bool is_like(const char *text, const char *form) {
        for (; *form; text++, form++)
                if (*form == '0' ? *text < '0' || *text > '9' : *text != *form)
                        return false;
        return *text == 0 || (*text == 'Z' && text[1] == 0);
}

/* With or without dashes and Z; without it is UTC too. */
static json_t *time_of(const char *text) {
        if (is_like(text, "00000000T00:00:00"))
                return json_sprintf("%.17sZ", text);
        if (is_like(text, "0000-00-00T00:00:00"))
                return json_sprintf("%.4s%.2s%.11sZ", text, text + 5, text + 8);
        return NULL;
}

static json_t *base64_of(char *text) {
        size_t n = 0, length;

        for (const char *from = text; *from; from++)
                if (!is_blank(*from))
                        text[n++] = *from;
        text[n] = 0;
        length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
        if (n % 4 || n - length > 2 || text[length + strspn(text + length, "=")])
                return NULL;
        return json_string(text);
}

/* NULL: the text is no such thing. */
static json_t *scalar_of(struct reader *reader, enum element element) {
        if (element == STRING || element == VALUE)
                return json_stringn((const char *)buf_text(&reader->text), reader->text.n);
        switch ((int)element) {
        case INTEGER:
                return integer_of(trimmed(reader));
        case DOUBLE:
                return double_of(trimmed(reader));
        case BOOLEAN:
                return boolean_of(trimmed(reader));
        case TIME:
                return time_of(trimmed(reader));
        case BASE64:
                return base64_of(trimmed(reader));
        default:
                return *trimmed(reader) ? NULL : json_null();
        }
}

/* ---- ends: what was said goes to whom holds it ------------------------------------------------------ */

static bool take_method(struct reader *reader) {
        const char *name = trimmed(reader);
        size_t n = strlen(name);

        if (n == 0 || n > XMLRPC_METHOD_MAX)
                return false;
        for (const char *c = name; *c; c++)
                if (*c <= ' ' || *c > '~')
                        return false;
        memcpy(reader->method, name, n + 1);
        return true;
}

/* A value is at its end; `value` is given away. */
static void give(struct reader *reader, struct level *holder, json_t *value) {
        if (!holder || holder->element == PARAM || holder->element == FAULT || holder->element == MEMBER) {
                json_t **place = holder ? &holder->value : &reader->result;

                if (!*place) {
                        *place = value;
                        return;
                }
                json_decref(value);
                refuse(reader, "two values where one goes");
        } else if (json_array_append_new(holder->value, value)) {
                refuse(reader, "a value cannot be kept");
        }
}

static void end_member(struct reader *reader, struct level *member, struct level *holder) {
        if (!member->member || !member->value)
                refuse(reader, "a member without %s", member->member ? "a value" : "a name");
        else if (json_object_get(holder->value, member->member))
                refuse(reader, "member %.100s twice", member->member);
        else if (json_object_set_new(holder->value, member->member, TAKE(member->value)))
                refuse(reader, "a member's name is no text");
}

static void end_scalar(struct reader *reader, struct level *level, struct level *holder) {
        holder->value = scalar_of(reader, level->element);
        if (!holder->value)
                refuse(reader, "this is no %s", level->name);
}

/* PARAMS of a response hold one, which is the result. */
static void end_params(struct reader *reader, struct level *level, struct level *holder) {
        if (holder->element == CALL)
                reader->result = TAKE(level->value);
        else if (json_array_size(level->value) == 1)
                reader->result = json_incref(json_array_get(level->value, 0));
        else
                refuse(reader, "a response has one value");
}

/* Those that hold others. */
static void end_holder(struct reader *reader, struct level *level, struct level *holder) {
        switch ((int)level->element) {
        case VALUE:
                give(reader, holder, TAKE(level->value));
                break;
        case ARRAY:
                if (!level->value)
                        refuse(reader, "an array without data");
                else
                        holder->value = TAKE(level->value);
                break;
        case DATA:
        case STRUCT:
                holder->value = TAKE(level->value);
                break;
        case MEMBER:
                end_member(reader, level, holder);
                break;
        case PARAM:
                if (!level->value)
                        refuse(reader, "a param without a value");
                else if (json_array_append_new(holder->value, TAKE(level->value)))
                        refuse(reader, "a param cannot be kept");
                break;
        case PARAMS:
                end_params(reader, level, holder);
                break;
        case FAULT:
                reader->result = TAKE(level->value);
                reader->is_fault = true;
                break;
        default:
                break;
        }
}

static void end_element(struct reader *reader, struct level *level, struct level *holder) {
        bool is_text = level->element == VALUE && !level->had;

        if (is_text)
                level->value = scalar_of(reader, VALUE);
        if (is_text && !level->value) {
                refuse(reader, "this is no text");
        } else if (level->element == NAME) {
                holder->member = mem_text(buf_text(&reader->text));
        } else if (level->element == METHOD) {
                if (!take_method(reader))
                        refuse(reader, "this is no method's name");
        } else if (level->element >= INTEGER && level->element <= NIL) {
                end_scalar(reader, level, holder);
        } else if (!is_text && !is_all_blank(buf_text(&reader->text))) {
                refuse(reader, "text before </%s>", level->name);
        } else {
                end_holder(reader, level, holder);
        }
}

/* ---- what expat calls ------------------------------------------------------------------------------- */

static void on_text(void *user, const char *text, int n) {
        struct reader *reader = user;

        if (!reader->has_failed)
                buf_add(&reader->text, text, (size_t)n);
}

static void on_end(void *user, const char *name) {
        struct reader *reader = user;
        struct level *level;

        (void)name; /* expat saw to it that it is the one that was opened last */
        if (reader->has_failed)
                return; /* it may be one that was not taken */
        level = &reader->levels[reader->n - 1];
        end_element(reader, level, reader->n > 1 ? level - 1 : NULL);
        reader->depth -= level->element == VALUE;
        json_decref(level->value);
        free(level->member);
        *level = (struct level){0};
        reader->n--;
        reader->text.n = 0;
}

static json_t *container_of(enum element element) {
        if (element == STRUCT)
                return json_object();
        return element == DATA || element == PARAMS ? json_array() : NULL;
}

/* A value is of one type, and a response one of its two kinds. */
static bool is_one_too_many(const struct level *holder, size_t row) {
        if (holder->element == VALUE || holder->element == RESPONSE)
                return holder->had;
        return grammar[row].is_once && holder->had & IN(grammar[row].element);
}

static void open_element(struct reader *reader, size_t row) {
        struct level *holder = reader->n ? &reader->levels[reader->n - 1] : NULL;
        enum element element = grammar[row].element;

        if (holder ? !(grammar[row].holders & IN(holder->element)) : element != reader->root) {
                refuse(reader, "<%s> may not stand %s%s", grammar[row].name, holder ? "in " : "here",
                       holder ? holder->name : "");
                return;
        }
        if (holder && is_one_too_many(holder, row)) {
                refuse(reader, "<%s> is one too many in %s", grammar[row].name, holder->name);
                return;
        }
        if (element == VALUE && ++reader->depth > XMLRPC_DEPTH_MAX) {
                refuse(reader, "deeper than %d values", XMLRPC_DEPTH_MAX);
                return;
        }
        if (holder)
                holder->had |= IN(element);
        reader->levels[reader->n++] =
                (struct level){.element = element, .name = grammar[row].name, .value = container_of(element)};
}

static void on_start(void *user, const char *name, const char **attributes) {
        struct reader *reader = user;

        (void)attributes; /* XML-RPC has none, and none means anything */
        if (reader->has_failed)
                return;
        if (!is_all_blank(buf_text(&reader->text))) {
                refuse(reader, "text before <%.100s>", name);
                return;
        }
        reader->text.n = 0;
        for (size_t i = 0; i < sizeof grammar / sizeof *grammar; i++)
                if (strcmp(grammar[i].name, name) == 0) {
                        open_element(reader, i);
                        return;
                }
        refuse(reader, "<%.100s> is not of XML-RPC", name);
}

/* Before any entity could be declared. */
static void on_doctype(void *user, const char *name, const char *system, const char *public, int has_subset) {
        (void)name;
        (void)system;
        (void)public;
        (void)has_subset;
        refuse(user, "a document type is not taken");
}

static enum err say_why(struct reader *reader, struct err_note *note) {
        enum XML_Error error = XML_GetErrorCode(reader->parser);

        if (reader->has_failed)
                return note->code;
        if (error == XML_ERROR_NO_MEMORY)
                return err_set(note, ERR_NO_MEMORY, "XML-RPC: out of memory");
        return err_set(note, ERR_CORRUPT, "XML-RPC: line %lu: %s",
                       (unsigned long)XML_GetCurrentLineNumber(reader->parser), XML_ErrorString(error));
}

static enum err read_document(struct reader *reader, enum element root, struct span xml,
                              struct err_note *note) {
        AUTO(XML_ParserFree) XML_Parser parser = XML_ParserCreate(NULL);

        if (!parser)
                return err_set(note, ERR_NO_MEMORY, "XML-RPC: out of memory");
        if (xml.n > INT_MAX)
                return err_set(note, ERR_TOO_LARGE, "XML-RPC: larger than 2 GiB");
        reader->parser = parser;
        reader->root = root;
        reader->note = note;
        XML_SetUserData(parser, reader);
        XML_SetElementHandler(parser, on_start, on_end);
        XML_SetCharacterDataHandler(parser, on_text);
        XML_SetStartDoctypeDeclHandler(parser, on_doctype);
        if (XML_Parse(parser, (const char *)xml.data, (int)xml.n, XML_TRUE) != XML_STATUS_OK)
                return say_why(reader, note);
        return ERR_NONE;
}

/* ---- types ------------------------------------------------------------------------------------------- */

static json_t *typed_scalar(json_t *value, enum xapi_type type) {
        const char *text = json_string_value(value);
        json_t *typed = NULL;

        if (type == XAPI_FLOAT && json_is_integer(value))
                typed = json_real((double)json_integer_value(value));
        else if (text && (type == XAPI_INT || type == XAPI_INTS || type == XAPI_INT_MAP))
                typed = integer_of(text);
        else if (text && type == XAPI_FLOAT)
                typed = double_of(text);
        else if (text && type == XAPI_BOOL)
                typed = boolean_of(text);
        return typed ? typed : json_incref(value);
}

json_t *xmlrpc_typed(json_t *value, enum xapi_type type) {
        json_t *typed;

        if (type == XAPI_INTS && json_is_array(value)) {
                typed = json_array();
                for (size_t i = 0; i < json_array_size(value); i++)
                        json_array_append_new(typed, typed_scalar(json_array_get(value, i), type));
                return typed;
        }
        if (type == XAPI_INT_MAP && json_is_object(value)) {
                typed = json_object();
                for (void *at = json_object_iter(value); at; at = json_object_iter_next(value, at))
                        json_object_set_new(typed, json_object_iter_key(at),
                                            typed_scalar(json_object_iter_value(at), type));
                return typed;
        }
        return type == XAPI_INTS || type == XAPI_INT_MAP ? json_incref(value) : typed_scalar(value, type);
}

/* ---- documents --------------------------------------------------------------------------------------- */

enum err xmlrpc_decode_call(struct span xml, struct xmlrpc_call *ret, struct err_note *note) {
        AUTO(reader_fini) struct reader reader = {0};

        if (read_document(&reader, CALL, xml, note))
                return note->code;
        if (!reader.method[0])
                return err_set(note, ERR_CORRUPT, "XML-RPC: a call without a method's name");
        memcpy(ret->method, reader.method, sizeof ret->method);
        ret->params = reader.result ? TAKE(reader.result) : json_array();
        return ERR_NONE;
}

enum err xmlrpc_decode_value(struct span xml, json_t **ret, struct err_note *note) {
        AUTO(reader_fini) struct reader reader = {0};

        if (read_document(&reader, VALUE, xml, note))
                return note->code;
        *ret = TAKE(reader.result);
        return ERR_NONE;
}

static json_t *fault_of(const json_t *fault) {
        const char *text = json_string_value(json_object_get(fault, "faultString"));

        return json_pack("[s, o, s]", "FAULT",
                         json_sprintf("%" JSON_INTEGER_FORMAT,
                                      json_integer_value(json_object_get(fault, "faultCode"))),
                         text ? text : "");
}

static bool is_description(const json_t *error) {
        for (size_t i = 0; i < json_array_size(error); i++)
                if (!json_is_string(json_array_get(error, i)))
                        return false;
        return json_array_size(error) > 0;
}

/* Within its envelope, or bare. */
static enum err open_envelope(json_t *result, struct xmlrpc_reply *ret, struct err_note *note) {
        const char *status = json_string_value(json_object_get(result, "Status"));
        json_t *value = json_object_get(result, "Value"),
               *error = json_object_get(result, "ErrorDescription");

        if (status && strcmp(status, "Failure") == 0) {
                if (!is_description(error))
                        return err_set(note, ERR_CORRUPT, "XML-RPC: a failure without a description");
                ret->error = json_incref(error);
        } else if (status && strcmp(status, "Success") == 0) {
                if (!value)
                        return err_set(note, ERR_CORRUPT, "XML-RPC: a success without a value");
                ret->value = json_incref(value);
        } else {
                ret->value = json_incref(result);
        }
        return ERR_NONE;
}

enum err xmlrpc_decode_reply(struct span xml, struct xmlrpc_reply *ret, struct err_note *note) {
        AUTO(reader_fini) struct reader reader = {0};
        struct xmlrpc_reply reply = {0};

        if (read_document(&reader, RESPONSE, xml, note))
                return note->code;
        if (!reader.result)
                return err_set(note, ERR_CORRUPT, "XML-RPC: a response without a value");
        if (reader.is_fault)
                reply.error = fault_of(reader.result);
        else if (open_envelope(reader.result, &reply, note))
                return note->code;
        *ret = reply;
        return ERR_NONE;
}
