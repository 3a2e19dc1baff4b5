// SPDX-License-Identifier: Apache-2.0
#include "xapi_where.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "vec.h"

enum node_kind { NODE_TRUE, NODE_FALSE, NODE_NOT, NODE_AND, NODE_OR, NODE_EQUAL };

struct operand {
        char *text; /* owned */
        bool is_field;
};

struct node {
        enum node_kind kind;
        unsigned left, right; /* places of others, which stand before */
        struct operand a, b;  /* of NODE_EQUAL */
};

struct xapi_where {
        VEC(struct node) nodes; /* owned, and their operands' texts */
        unsigned top;
};

void xapi_where_free(struct xapi_where *where) {
        VEC_EACH (&where->nodes, node) {
                free(node->a.text);
                free(node->b.text);
        }
        vec_fini(&where->nodes);
        free(where);
}

/* ---- words ----------------------------------------------------------------------------------- */

struct parser {
        const char *text;         /* borrowed */
        size_t at;                /* behind the word that was read */
        struct xapi_where *where; /* borrowed */
        unsigned depth;
        struct err_note *note; /* borrowed */
};

static enum err refuse(struct parser *parser, const char *wanted) {
        return err_set(parser->note, ERR_INVALID, "at %zu: %s was expected", parser->at, wanted);
}

static void skip_spaces(struct parser *parser) {
        while (isspace((unsigned char)parser->text[parser->at]))
                parser->at++;
}

static bool take_sign(struct parser *parser, char sign) {
        skip_spaces(parser);
        if (parser->text[parser->at] != sign)
                return false;
        parser->at++;
        return true;
}

static bool take_word(struct parser *parser, const char *word) {
        size_t n = strlen(word);

        skip_spaces(parser);
        if (strncasecmp(parser->text + parser->at, word, n) != 0 ||
            isalnum((unsigned char)parser->text[parser->at + n]))
                return false;
        parser->at += n;
        return true;
}

static enum err take_string(struct parser *parser, char **ret) {
        AUTO(buf_fini) struct buf value = {0};
        char quote;

        skip_spaces(parser);
        quote = parser->text[parser->at];
        if (quote != '"' && quote != '\'')
                return refuse(parser, "a text in quotes");
        for (parser->at++; parser->text[parser->at] != quote; parser->at++) {
                if (parser->text[parser->at] == '\\')
                        parser->at++;
                if (!parser->text[parser->at])
                        return refuse(parser, "the end of a text");
                buf_add(&value, parser->text + parser->at, 1);
        }
        parser->at++;
        *ret = mem_text(buf_text(&value));
        return ERR_NONE;
}

/* ---- expressions ----------------------------------------------------------------------------- */

static enum err parse_or(struct parser *, unsigned *ret);

static enum err add_node(struct parser *parser, const struct node *node, unsigned *ret) {
        if (parser->where->nodes.n == WHERE_NODES_MAX)
                return err_set(parser->note, ERR_TOO_LARGE, "more than %d comparisons", WHERE_NODES_MAX);
        *ret = (unsigned)parser->where->nodes.n;
        *vec_add(&parser->where->nodes) = *node;
        return ERR_NONE;
}

static enum err parse_operand(struct parser *parser, struct operand *ret) {
        ret->is_field = take_word(parser, "field");
        return take_string(parser, &ret->text);
}

static enum err parse_equal(struct parser *parser, unsigned *ret) {
        struct node node = {.kind = NODE_EQUAL};
        unsigned place;

        /* The node is there first, so that its texts are released with it. */
        if (add_node(parser, &node, &place) || parse_operand(parser, &parser->where->nodes.data[place].a))
                return parser->note->code;
        if (!take_sign(parser, '='))
                return refuse(parser, "=");
        *ret = place;
        return parse_operand(parser, &parser->where->nodes.data[place].b);
}

static enum err parse_within(struct parser *parser, unsigned *ret) {
        if (parse_or(parser, ret))
                return parser->note->code;
        return take_sign(parser, ')') ? ERR_NONE : refuse(parser, ")");
}

static enum err parse_not(struct parser *parser, unsigned *ret);

static enum err parse_negation(struct parser *parser, unsigned *ret) {
        struct node node = {.kind = NODE_NOT};

        if (parse_not(parser, &node.left))
                return parser->note->code;
        return add_node(parser, &node, ret);
}

static enum err parse_not(struct parser *parser, unsigned *ret) {
        enum err failed;

        if (++parser->depth > WHERE_DEPTH_MAX)
                return err_set(parser->note, ERR_TOO_LARGE, "more than %d within one another",
                               WHERE_DEPTH_MAX);
        if (take_word(parser, "not"))
                failed = parse_negation(parser, ret);
        else if (take_sign(parser, '('))
                failed = parse_within(parser, ret);
        else if (take_word(parser, "true"))
                failed = add_node(parser, &(struct node){.kind = NODE_TRUE}, ret);
        else if (take_word(parser, "false"))
                failed = add_node(parser, &(struct node){.kind = NODE_FALSE}, ret);
        else
                failed = parse_equal(parser, ret);
        parser->depth--;
        return failed;
}

static enum err parse_and(struct parser *parser, unsigned *ret) {
        if (parse_not(parser, ret))
                return parser->note->code;
        while (take_word(parser, "and")) {
                struct node node = {.kind = NODE_AND, .left = *ret};

                if (parse_not(parser, &node.right) || add_node(parser, &node, ret))
                        return parser->note->code;
        }
        return ERR_NONE;
}

static enum err parse_or(struct parser *parser, unsigned *ret) {
        if (parse_and(parser, ret))
                return parser->note->code;
        while (take_word(parser, "or")) {
                struct node node = {.kind = NODE_OR, .left = *ret};

                if (parse_and(parser, &node.right) || add_node(parser, &node, ret))
                        return parser->note->code;
        }
        return ERR_NONE;
}

enum err xapi_where_parse(const char *text, struct xapi_where **ret, struct err_note *note) {
        AUTO(xapi_where_free) struct xapi_where *where = mem_new(struct xapi_where);
        struct parser parser = {.text = text, .where = where, .note = note};

        note->code = ERR_NONE;
        if (parse_or(&parser, &where->top))
                return note->code;
        skip_spaces(&parser);
        if (text[parser.at])
                return refuse(&parser, "the end");
        *ret = TAKE(where);
        return ERR_NONE;
}

/* ---- matching -------------------------------------------------------------------------------- */

struct as_text {
        const char *text; /* borrowed; NULL: there is none */
        char *own;        /* owned; or NULL */
        char number[32];
};

static void text_of(const struct operand *operand, const json_t *record, struct as_text *ret) {
        const json_t *value = operand->is_field ? json_object_get(record, operand->text) : NULL;

        ret->text = operand->is_field ? NULL : operand->text;
        if (json_is_string(value)) {
                ret->text = json_string_value(value);
        } else if (json_is_boolean(value)) {
                ret->text = json_is_true(value) ? "true" : "false";
        } else if (json_is_integer(value)) {
                snprintf(ret->number, sizeof ret->number, "%lld", (long long)json_integer_value(value));
                ret->text = ret->number;
        } else if (value) {
                ret->own = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
                ret->text = ret->own;
        }
}

static bool is_equal(const struct node *node, const json_t *record) {
        struct as_text a = {0}, b = {0};
        bool equal;

        text_of(&node->a, record, &a);
        text_of(&node->b, record, &b);
        equal = a.text && b.text && strcmp(a.text, b.text) == 0;
        free(a.own);
        free(b.own);
        return equal;
}

static bool matches(const struct node *node, const bool *is_so, const json_t *record) {
        switch (node->kind) {
        case NODE_TRUE:
                return true;
        case NODE_FALSE:
                return false;
        case NODE_NOT:
                return !is_so[node->left];
        case NODE_AND:
                return is_so[node->left] && is_so[node->right];
        case NODE_OR:
                return is_so[node->left] || is_so[node->right];
        case NODE_EQUAL:
                return is_equal(node, record);
        }
        return false;
}

/* Each node stands behind those that it is made of. */
bool xapi_where_matches(const struct xapi_where *where, const json_t *record) {
        bool is_so[WHERE_NODES_MAX];

        for (size_t i = 0; i < where->nodes.n; i++)
                is_so[i] = matches(&where->nodes.data[i], is_so, record);
        return is_so[where->top];
}
