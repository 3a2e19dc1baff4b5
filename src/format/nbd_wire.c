// SPDX-License-Identifier: Apache-2.0
#include "nbd_wire.h"

#include <assert.h>

#include "utf16.h"

void nbd_wire_init(struct nbd_wire *wire, enum nbd_tls tls) {
        *wire = (struct nbd_wire){.state = NBD_GREETED, .tls = tls};
}

void nbd_wire_fini(struct nbd_wire *wire) {
        buf_fini(&wire->contexts_of);
}

/* ---- the data of options --------------------------------------------------------------------- */

/* Takes from the front of data; false: there is less. */
static bool take(struct span *data, size_t n, struct span *ret) {
        if (n > data->n)
                return false;
        *ret = (struct span){data->data, n};
        data->data += n;
        data->n -= n;
        return true;
}

static bool take_u16(struct span *data, uint16_t *ret) {
        struct span field;
        be16 number;

        if (!take(data, sizeof number, &field))
                return false;
        memcpy(&number, field.data, sizeof number);
        *ret = be16_get(number);
        return true;
}

static bool take_u32(struct span *data, uint32_t *ret) {
        struct span field;
        be32 number;

        if (!take(data, sizeof number, &field))
                return false;
        memcpy(&number, field.data, sizeof number);
        *ret = be32_get(number);
        return true;
}

/* What is wrong with an option: a type of NBD_REP_ERR_*, or 0. */
static uint32_t wrong(struct nbd_refusal *ret, uint32_t type, const char *text) {
        ret->type = type;
        ret->text = text;
        return type;
}

static uint32_t check_name(struct span name, struct nbd_refusal *ret) {
        struct err_note unused;

        if (name.n > NBD_NAME_MAX)
                return wrong(ret, NBD_REP_ERR_TOO_BIG, "the export's name is longer than 4096 bytes");
        if (utf8_check(name, &unused))
                return wrong(ret, NBD_REP_ERR_INVALID, "the export's name is not UTF-8");
        return 0;
}

static uint32_t take_name(struct span *data, struct nbd_option *ret, struct nbd_refusal *refusal) {
        uint32_t n;

        if (!take_u32(data, &n) || !take(data, n, &ret->name))
                return wrong(refusal, NBD_REP_ERR_INVALID, "the export's name is longer than the option");
        return check_name(ret->name, refusal);
}

static uint32_t take_infos(struct span data, struct nbd_option *ret, struct nbd_refusal *refusal) {
        uint16_t n, type;

        if (take_name(&data, ret, refusal))
                return refusal->type;
        if (!take_u16(&data, &n) || data.n != 2 * (size_t)n)
                return wrong(refusal, NBD_REP_ERR_INVALID, "there are not as many requests as it says");
        while (take_u16(&data, &type))
                if (type <= NBD_INFO_BLOCK_SIZE)
                        ret->infos |= 1u << type;
        return 0;
}

/* Each query takes at least 4 bytes: the loop is no longer than the data, whatever the count says. */
static uint32_t take_queries(struct span data, struct nbd_option *ret, struct nbd_refusal *refusal) {
        struct span query;
        uint32_t n;

        if (take_name(&data, ret, refusal))
                return refusal->type;
        if (!take_u32(&data, &ret->n_queries))
                return wrong(refusal, NBD_REP_ERR_INVALID, "the number of queries is missing");
        ret->queries = data;
        for (uint32_t i = 0; i < ret->n_queries; i++) {
                if (!take_u32(&data, &n) || !take(&data, n, &query))
                        return wrong(refusal, NBD_REP_ERR_INVALID, "a query is longer than the option");
                if (n > NBD_NAME_MAX)
                        return wrong(refusal, NBD_REP_ERR_TOO_BIG, "a query is longer than 4096 bytes");
        }
        if (data.n > 0)
                return wrong(refusal, NBD_REP_ERR_INVALID, "there is more behind the queries");
        return 0;
}

static uint32_t take_nothing(struct span data, struct nbd_refusal *refusal) {
        return data.n ? wrong(refusal, NBD_REP_ERR_INVALID, "this option has no data") : 0;
}

static uint32_t take_start(const struct nbd_wire *wire, struct span data, struct nbd_refusal *refusal) {
        if (take_nothing(data, refusal))
                return refusal->type;
        if (wire->is_secure)
                return wrong(refusal, NBD_REP_ERR_INVALID, "TLS is there already");
        if (wire->tls == NBD_TLS_NONE)
                return wrong(refusal, NBD_REP_ERR_POLICY, "this server has no TLS set up");
        return 0;
}

static uint32_t take_option(const struct nbd_wire *wire, struct span data, struct nbd_option *ret,
                            struct nbd_refusal *refusal) {
        switch (ret->code) {
        case NBD_OPT_EXPORT_NAME:
                ret->name = data;
                return check_name(data, refusal);
        case NBD_OPT_INFO:
        case NBD_OPT_GO:
                return take_infos(data, ret, refusal);
        case NBD_OPT_LIST_META_CONTEXT:
        case NBD_OPT_SET_META_CONTEXT:
                if (!wire->has_structured)
                        return wrong(refusal, NBD_REP_ERR_INVALID, "ask for structured replies first");
                return take_queries(data, ret, refusal);
        case NBD_OPT_STARTTLS:
                return take_start(wire, data, refusal);
        default: /* ABORT is granted whatever comes with it: the client leaves */
                return ret->code == NBD_OPT_ABORT ? 0 : take_nothing(data, refusal);
        }
}

/* ---- options --------------------------------------------------------------------------------- */

static bool is_known(uint32_t option) {
        switch (option) {
        case NBD_OPT_EXPORT_NAME:
        case NBD_OPT_ABORT:
        case NBD_OPT_LIST:
        case NBD_OPT_STARTTLS:
        case NBD_OPT_INFO:
        case NBD_OPT_GO:
        case NBD_OPT_STRUCTURED_REPLY:
        case NBD_OPT_LIST_META_CONTEXT:
        case NBD_OPT_SET_META_CONTEXT:
                return true;
        default:
                return false;
        }
}

/* What can be said of an option before its data is there. */
static uint32_t check_header(const struct nbd_wire *wire, uint32_t code, uint32_t length,
                             struct nbd_refusal *ret) {
        if (wire->tls == NBD_TLS_REQUIRED && !wire->is_secure && code != NBD_OPT_STARTTLS &&
            code != NBD_OPT_ABORT)
                return wrong(ret, NBD_REP_ERR_TLS_REQD, "this server wants TLS");
        if (!is_known(code))
                return wrong(ret, NBD_REP_ERR_UNSUP, "this server does not know the option");
        if (length > NBD_OPTION_MAX)
                return wrong(ret, NBD_REP_ERR_TOO_BIG, "the option is longer than 64 KiB");
        return 0;
}

/* A set of contexts replaces the one before, also where it is refused. */
static void remember(struct nbd_wire *wire, const struct nbd_option *option, bool is_refused) {
        wire->last_option = is_refused ? 0 : option->code;
        if (option->code == NBD_OPT_STRUCTURED_REPLY && !is_refused)
                wire->has_structured = true;
        if (option->code != NBD_OPT_SET_META_CONTEXT)
                return;
        wire->has_contexts = !is_refused;
        wire->contexts_of.n = 0;
        if (!is_refused)
                buf_add(&wire->contexts_of, option->name.data, option->name.n);
}

static bool has_contexts(const struct nbd_wire *wire, struct span name) {
        return wire->has_contexts && name.n == wire->contexts_of.n &&
               (name.n == 0 || memcmp(name.data, wire->contexts_of.data, name.n) == 0);
}

/* EXPORT_NAME has no reply but the export: what is wrong with it ends the session. */
static enum err refuse(struct nbd_wire *wire, struct nbd_event *ret, struct err_note *note) {
        struct nbd_option option = {.code = wire->refusal.option};

        if (option.code == NBD_OPT_EXPORT_NAME)
                return err_set(note, wire->refusal.type == NBD_REP_ERR_TLS_REQD ? ERR_DENIED : ERR_CORRUPT,
                               "option EXPORT_NAME: %s", wire->refusal.text);
        remember(wire, &option, true);
        wire->state = NBD_HAGGLING;
        ret->kind = NBD_REFUSED;
        ret->refusal = wire->refusal;
        return ERR_NONE;
}

/* Whatever came in clear text behind STARTTLS would be taken for said under TLS: an old attack. */
static enum err leave_haggling(struct nbd_wire *wire, uint32_t option, bool has_more, struct err_note *note) {
        if (option == NBD_OPT_ABORT)
                wire->state = NBD_ENDED;
        if (option == NBD_OPT_STARTTLS) {
                if (has_more)
                        return err_set(note, ERR_DENIED, "bytes came between STARTTLS and TLS");
                wire->state = NBD_SECURING;
        }
        return ERR_NONE;
}

static enum err whole_option(struct nbd_wire *wire, uint32_t code, struct span data, bool has_more,
                             struct nbd_event *ret, struct err_note *note) {
        struct nbd_option option = {.code = code};

        wire->refusal = (struct nbd_refusal){.option = code};
        if (take_option(wire, data, &option, &wire->refusal))
                return refuse(wire, ret, note);
        option.has_contexts = has_contexts(wire, option.name);
        remember(wire, &option, false);
        ret->kind = NBD_OPTION;
        ret->option = option;
        return leave_haggling(wire, code, has_more, note);
}

static enum err check_session(const struct nbd_wire *wire, const struct nbd_option_wire *header,
                              struct err_note *note) {
        uint32_t code = be32_get(header->option);

        if (be64_get(header->magic) != NBD_OPTION_MAGIC)
                return err_set(note, ERR_CORRUPT, "no option begins here");
        if (wire->last_option == NBD_OPT_EXPORT_NAME)
                return err_set(note, ERR_CORRUPT, "an option follows EXPORT_NAME");
        if (wire->n_options >= NBD_OPTIONS_MAX)
                return err_set(note, ERR_CORRUPT, "more than %d options", NBD_OPTIONS_MAX);
        if (!wire->is_fixed && code != NBD_OPT_EXPORT_NAME)
                return err_set(note, ERR_CORRUPT, "option %u of a client that is not fixed newstyle", code);
        if (code == NBD_OPT_EXPORT_NAME && be32_get(header->length) > NBD_NAME_MAX)
                return err_set(note, ERR_CORRUPT, "option EXPORT_NAME: a name of %u bytes",
                               be32_get(header->length));
        return ERR_NONE;
}

static enum err more(struct nbd_event *ret, size_t need) {
        ret->kind = NBD_MORE;
        ret->need = need;
        return ERR_NONE;
}

static enum err skip_data(struct nbd_wire *wire, struct span in, size_t *ret_used, struct nbd_event *ret,
                          struct err_note *note) {
        size_t n = (size_t)min_u64(in.n, wire->left);

        *ret_used += n;
        wire->left -= n;
        return wire->left > 0 ? more(ret, 1) : refuse(wire, ret, note);
}

static enum err next_option(struct nbd_wire *wire, struct span in, size_t *ret_used, struct nbd_event *ret,
                            struct err_note *note) {
        struct nbd_option_wire header;
        uint32_t code, length;

        if (in.n < sizeof header)
                return more(ret, sizeof header);
        memcpy(&header, in.data, sizeof header);
        if (check_session(wire, &header, note))
                return note->code;
        code = be32_get(header.option);
        length = be32_get(header.length);
        wire->refusal = (struct nbd_refusal){.option = code};
        if (check_header(wire, code, length, &wire->refusal)) {
                wire->n_options++;
                wire->state = NBD_SKIPPING;
                wire->left = length;
                *ret_used = sizeof header;
                in = (struct span){in.data + sizeof header, in.n - sizeof header};
                return skip_data(wire, in, ret_used, ret, note);
        }
        if (in.n - sizeof header < length)
                return more(ret, sizeof header + length);
        wire->n_options++;
        *ret_used = sizeof header + length;
        return whole_option(wire, code, (struct span){in.data + sizeof header, length}, in.n > *ret_used, ret,
                            note);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static enum err next_flags(struct nbd_wire *wire, struct span in, size_t *ret_used, struct nbd_event *ret,
                           struct err_note *note) {
        uint32_t flags;

        if (!take_u32(&in, &flags))
                return more(ret, sizeof flags);
        if (flags & ~(uint32_t)(NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES))
                return err_set(note, ERR_CORRUPT, "client flags 0x%x are not known", flags);
        wire->is_fixed = flags & NBD_FIXED_NEWSTYLE;
        wire->no_zeroes = flags & NBD_NO_ZEROES;
        wire->state = NBD_HAGGLING;
        *ret_used = sizeof flags;
        ret->kind = NBD_CLIENT_FLAGS;
        return ERR_NONE;
}

static enum err next_request(struct nbd_wire *wire, struct span in, size_t *ret_used, struct nbd_event *ret,
                             struct err_note *note) {
        struct nbd_request_wire header;

        if (in.n < sizeof header)
                return more(ret, sizeof header);
        memcpy(&header, in.data, sizeof header);
        if (be32_get(header.magic) != NBD_REQUEST_MAGIC)
                return err_set(note, ERR_CORRUPT, "no request begins here");
        ret->kind = NBD_REQUEST;
        ret->request = (struct nbd_request){.flags = be16_get(header.flags),
                                            .type = be16_get(header.type),
                                            .offset = be64_get(header.offset),
                                            .length = be32_get(header.length)};
        memcpy(ret->request.cookie, header.cookie, sizeof header.cookie);
        *ret_used = sizeof header;
        if (ret->request.type == NBD_CMD_DISC)
                wire->state = NBD_ENDED;
        if (ret->request.type == NBD_CMD_WRITE && ret->request.length > 0) {
                wire->state = NBD_DATA;
                wire->left = ret->request.length;
        }
        return ERR_NONE;
}

static enum err next_data(struct nbd_wire *wire, struct span in, size_t *ret_used, struct nbd_event *ret) {
        size_t n = (size_t)min_u64(in.n, wire->left);

        if (n == 0)
                return more(ret, 1);
        ret->kind = NBD_PAYLOAD;
        ret->data = (struct span){in.data, n};
        *ret_used = n;
        nbd_wire_took(wire, n);
        return ERR_NONE;
}

enum err nbd_wire_next(struct nbd_wire *wire, struct span in, size_t *ret_used, struct nbd_event *ret,
                       struct err_note *note) {
        *ret_used = 0;
        switch (wire->state) {
        case NBD_GREETED:
                return next_flags(wire, in, ret_used, ret, note);
        case NBD_HAGGLING:
                return next_option(wire, in, ret_used, ret, note);
        case NBD_SKIPPING:
                return skip_data(wire, in, ret_used, ret, note);
        case NBD_SECURING:
                return in.n > 0 ? err_set(note, ERR_DENIED, "bytes came between STARTTLS and TLS")
                                : more(ret, 1);
        case NBD_REQUESTS:
                return next_request(wire, in, ret_used, ret, note);
        case NBD_DATA:
                return next_data(wire, in, ret_used, ret);
        case NBD_ENDED:
                *ret_used = in.n;
                return more(ret, 1);
        }
        return more(ret, 1);
}

void nbd_wire_secured(struct nbd_wire *wire) {
        assert(wire->state == NBD_SECURING);
        wire->state = NBD_HAGGLING;
        wire->is_secure = true;
        wire->has_structured = wire->has_contexts = false;
}

void nbd_wire_start(struct nbd_wire *wire) {
        assert(wire->state == NBD_HAGGLING &&
               (wire->last_option == NBD_OPT_GO || wire->last_option == NBD_OPT_EXPORT_NAME));
        wire->state = NBD_REQUESTS;
        buf_fini(&wire->contexts_of);
        wire->contexts_of = (struct buf){0};
}

uint64_t nbd_wire_left(const struct nbd_wire *wire) {
        return wire->state == NBD_DATA ? wire->left : 0;
}

void nbd_wire_took(struct nbd_wire *wire, size_t n) {
        assert(wire->state == NBD_DATA && n <= wire->left);
        wire->left -= n;
        if (wire->left == 0)
                wire->state = NBD_REQUESTS;
}
