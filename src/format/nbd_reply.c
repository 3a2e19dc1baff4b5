// SPDX-License-Identifier: Apache-2.0
#include "nbd_reply.h"

#include <assert.h>

/* ---- the handshake --------------------------------------------------------------------------- */

void nbd_put_greeting(uint8_t ret[sizeof(struct nbd_greeting_wire)]) {
        struct nbd_greeting_wire greeting = {.magic = be64_put(NBD_MAGIC),
                                             .option_magic = be64_put(NBD_OPTION_MAGIC),
                                             .flags = be16_put(NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES)};

        memcpy(ret, &greeting, sizeof greeting);
}

size_t nbd_put_export(uint64_t size, uint16_t flags, bool no_zeroes, uint8_t ret[NBD_EXPORT_REPLY_MAX]) {
        struct nbd_export_wire export = {.size = be64_put(size), .flags = be16_put(flags)};

        memset(ret, 0, NBD_EXPORT_REPLY_MAX);
        memcpy(ret, &export, sizeof export);
        return no_zeroes ? sizeof export : (size_t)NBD_EXPORT_REPLY_MAX;
}

static size_t add(uint8_t *ret, struct span piece) {
        if (piece.n)
                memcpy(ret, piece.data, piece.n);
        return piece.n;
}

/* Two pieces of data behind a header. */
static size_t put_option(uint32_t option, uint32_t type, struct span a, struct span b,
                         uint8_t ret[NBD_OPTION_REPLY_MAX]) {
        struct nbd_option_reply_wire header = {.magic = be64_put(NBD_REPLY_MAGIC),
                                               .option = be32_put(option),
                                               .type = be32_put(type),
                                               .length = be32_put((uint32_t)(a.n + b.n))};
        size_t n = sizeof header;

        assert(a.n + b.n <= NBD_OPTION_REPLY_MAX - sizeof header);
        memcpy(ret, &header, sizeof header);
        n += add(ret + n, a);
        return n + add(ret + n, b);
}

static struct span cut(struct span text) {
        return (struct span){text.data, (size_t)min_u64(text.n, NBD_NAME_MAX)};
}

static struct span span_of(const void *data, size_t n) {
        return (struct span){data, n};
}

size_t nbd_put_ack(uint32_t option, uint8_t ret[NBD_OPTION_REPLY_MAX]) {
        return put_option(option, NBD_REP_ACK, (struct span){0}, (struct span){0}, ret);
}

size_t nbd_put_refusal(const struct nbd_refusal *refusal, uint8_t ret[NBD_OPTION_REPLY_MAX]) {
        struct span text = span_of(refusal->text, refusal->text ? strlen(refusal->text) : 0);

        assert(refusal->type & NBD_REP_IS_ERROR);
        return put_option(refusal->option, refusal->type, cut(text), (struct span){0}, ret);
}

size_t nbd_put_server(struct span name, struct span description, uint8_t ret[NBD_OPTION_REPLY_MAX]) {
        uint8_t data[sizeof(be32) + NBD_NAME_MAX];
        be32 n = be32_put((uint32_t)cut(name).n);

        memcpy(data, &n, sizeof n);
        (void)add(data + sizeof n, cut(name));
        return put_option(NBD_OPT_LIST, NBD_REP_SERVER, span_of(data, sizeof n + cut(name).n),
                          cut(description), ret);
}

size_t nbd_put_info_export(uint32_t option, uint64_t size, uint16_t flags,
                           uint8_t ret[NBD_OPTION_REPLY_MAX]) {
        be16 type = be16_put(NBD_INFO_EXPORT);
        struct nbd_export_wire export = {.size = be64_put(size), .flags = be16_put(flags)};

        return put_option(option, NBD_REP_INFO, span_of(&type, sizeof type), span_of(&export, sizeof export),
                          ret);
}

size_t nbd_put_info_block_size(uint32_t option, uint8_t ret[NBD_OPTION_REPLY_MAX]) {
        be16 type = be16_put(NBD_INFO_BLOCK_SIZE);
        be32 sizes[] = {be32_put(NBD_BLOCK_MIN), be32_put(NBD_BLOCK_PREFERRED), be32_put(NBD_BLOCK_MAX)};

        return put_option(option, NBD_REP_INFO, span_of(&type, sizeof type), span_of(sizes, sizeof sizes),
                          ret);
}

size_t nbd_put_info_text(uint32_t option, enum nbd_info info, struct span text,
                         uint8_t ret[NBD_OPTION_REPLY_MAX]) {
        be16 type = be16_put((uint16_t)info);

        assert(info == NBD_INFO_NAME || info == NBD_INFO_DESCRIPTION);
        return put_option(option, NBD_REP_INFO, span_of(&type, sizeof type), cut(text), ret);
}

size_t nbd_put_context(uint32_t option, uint32_t id, const struct nbd_context *context,
                       uint8_t ret[NBD_OPTION_REPLY_MAX]) {
        struct nbd_context_name name = nbd_context_name(context);
        be32 number = be32_put(id);

        return put_option(option, NBD_REP_META_CONTEXT, span_of(&number, sizeof number),
                          span_of(name.s, strlen(name.s)), ret);
}

/* ---- transmission ---------------------------------------------------------------------------- */

static struct nbd_chunk_wire chunk_of(const struct nbd_request *request, enum nbd_chunk_type type,
                                      bool is_last, size_t length) {
        struct nbd_chunk_wire chunk = {.magic = be32_put(NBD_STRUCTURED_MAGIC),
                                       .flags = be16_put(is_last ? NBD_CHUNK_DONE : 0),
                                       .type = be16_put((uint16_t)type),
                                       .length = be32_put((uint32_t)length)};

        memcpy(chunk.cookie, request->cookie, sizeof chunk.cookie);
        return chunk;
}

static size_t put_simple(const struct nbd_request *request, enum nbd_error error,
                         uint8_t ret[NBD_ANSWER_MAX]) {
        struct nbd_simple_wire simple = {.magic = be32_put(NBD_SIMPLE_MAGIC), .error = be32_put(error)};

        memcpy(simple.cookie, request->cookie, sizeof simple.cookie);
        memcpy(ret, &simple, sizeof simple);
        return sizeof simple;
}

size_t nbd_put_simple(const struct nbd_request *request, uint8_t ret[NBD_ANSWER_MAX]) {
        return put_simple(request, NBD_OK, ret);
}

size_t nbd_put_end(const struct nbd_request *request, uint8_t ret[NBD_ANSWER_MAX]) {
        struct nbd_chunk_wire chunk = chunk_of(request, NBD_CHUNK_NONE, true, 0);

        memcpy(ret, &chunk, sizeof chunk);
        return sizeof chunk;
}

/* As much as fits, never half a character. */
static size_t text_bytes(const char *text) {
        size_t n = text ? strnlen(text, NBD_REPLY_TEXT_MAX + 1) : 0;

        if (n <= NBD_REPLY_TEXT_MAX)
                return n;
        for (n = NBD_REPLY_TEXT_MAX; n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80;)
                n--;
        return n;
}

/* more: what stands behind the text. */
static size_t put_error(const struct nbd_request *request, enum nbd_chunk_type type, enum nbd_error error,
                        const char *text, struct span more, uint8_t ret[NBD_ANSWER_MAX]) {
        struct nbd_error_wire head = {.error = be32_put(error)};
        size_t n = text_bytes(text), whole = sizeof head + n + more.n;

        head.chunk = chunk_of(request, type, true, whole - sizeof head.chunk);
        head.text_length = be16_put((uint16_t)n);
        memcpy(ret, &head, sizeof head);
        (void)add(ret + sizeof head, span_of(text, n));
        (void)add(ret + sizeof head + n, more);
        return whole;
}

/* READ and BLOCK_STATUS have structured answers only; others may be answered in either form, and the text of
 * an error has room in just one. */
size_t nbd_put_answer(const struct nbd_session *session, const struct nbd_request *request,
                      enum nbd_error error, const char *text, uint8_t ret[NBD_ANSWER_MAX]) {
        assert(error != NBD_OK || (request->type != NBD_CMD_READ && request->type != NBD_CMD_BLOCK_STATUS));
        if (!session->has_structured || error == NBD_OK)
                return put_simple(request, error, ret);
        return put_error(request, NBD_CHUNK_ERROR, error, text, (struct span){0}, ret);
}

size_t nbd_put_error_at(const struct nbd_request *request, enum nbd_error error, uint64_t at,
                        const char *text, uint8_t ret[NBD_ANSWER_MAX]) {
        be64 offset = be64_put(at);

        return put_error(request, NBD_CHUNK_ERROR_OFFSET, error, text, span_of(&offset, sizeof offset), ret);
}

size_t nbd_put_data(const struct nbd_request *request, uint64_t at, uint32_t n, bool is_last,
                    uint8_t ret[NBD_ANSWER_MAX]) {
        struct nbd_data_wire head = {
                .chunk = chunk_of(request, NBD_CHUNK_DATA, is_last, sizeof head.offset + n),
                .offset = be64_put(at)};

        assert(n > 0);
        memcpy(ret, &head, sizeof head);
        return sizeof head;
}

size_t nbd_put_hole(const struct nbd_request *request, uint64_t at, uint32_t n, bool is_last,
                    uint8_t ret[NBD_ANSWER_MAX]) {
        struct nbd_hole_wire hole = {
                .chunk = chunk_of(request, NBD_CHUNK_HOLE, is_last, sizeof hole - sizeof hole.chunk),
                .offset = be64_put(at),
                .length = be32_put(n)};

        assert(n > 0);
        memcpy(ret, &hole, sizeof hole);
        return sizeof hole;
}

size_t nbd_put_status(const struct nbd_request *request, uint32_t context, uint32_t n_extents, bool is_last,
                      uint8_t ret[NBD_ANSWER_MAX]) {
        size_t bytes = sizeof(be32) + n_extents * sizeof(struct nbd_extent_wire);
        struct nbd_status_wire head = {.chunk = chunk_of(request, NBD_CHUNK_BLOCK_STATUS, is_last, bytes),
                                       .context = be32_put(context)};

        assert(n_extents > 0 && (n_extents == 1 || !(request->flags & NBD_CMD_REQ_ONE)));
        memcpy(ret, &head, sizeof head);
        return sizeof head;
}

void nbd_put_extent(uint32_t n, uint32_t status, uint8_t ret[sizeof(struct nbd_extent_wire)]) {
        struct nbd_extent_wire extent = {.length = be32_put(n), .status = be32_put(status)};

        assert(n > 0);
        memcpy(ret, &extent, sizeof extent);
}
