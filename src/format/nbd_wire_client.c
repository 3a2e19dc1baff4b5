// SPDX-License-Identifier: Apache-2.0
#include "nbd_wire_client.h"

#include <assert.h>

/* ---- what it says ---------------------------------------------------------------------------- */

static void add_u16(struct buf *buf, uint16_t v) {
        be16 field = be16_put(v);

        buf_add(buf, &field, sizeof field);
}

static void add_u32(struct buf *buf, uint32_t v) {
        be32 field = be32_put(v);

        buf_add(buf, &field, sizeof field);
}

static void add_text(struct buf *buf, struct span text) {
        add_u32(buf, (uint32_t)text.n);
        if (text.n)
                buf_add(buf, text.data, text.n);
}

void nbd_ask_flags(struct buf *ret, uint32_t flags) {
        add_u32(ret, flags);
}

void nbd_ask_option(struct buf *ret, uint32_t code, struct span data) {
        struct nbd_option_wire header = {.magic = be64_put(NBD_OPTION_MAGIC),
                                         .option = be32_put(code),
                                         .length = be32_put((uint32_t)data.n)};

        buf_add(ret, &header, sizeof header);
        if (data.n)
                buf_add(ret, data.data, data.n);
}

void nbd_ask_export(struct buf *ret, uint32_t code, struct span name, unsigned infos) {
        AUTO(buf_fini) struct buf data = {0};

        add_text(&data, name);
        add_u16(&data, (uint16_t)__builtin_popcount(infos));
        for (uint16_t info = 0; info < 32; info++)
                if (infos >> info & 1)
                        add_u16(&data, info);
        nbd_ask_option(ret, code, (struct span){data.data, data.n});
}

void nbd_ask_contexts(struct buf *ret, uint32_t code, struct span name, const char *const *queries,
                      uint32_t n) {
        AUTO(buf_fini) struct buf data = {0};

        add_text(&data, name);
        add_u32(&data, n);
        for (uint32_t i = 0; i < n; i++)
                add_text(&data, (struct span){(const uint8_t *)queries[i], strlen(queries[i])});
        nbd_ask_option(ret, code, (struct span){data.data, data.n});
}

void nbd_ask(const struct nbd_request *request, uint8_t ret[sizeof(struct nbd_request_wire)]) {
        struct nbd_request_wire header = {.magic = be32_put(NBD_REQUEST_MAGIC),
                                          .flags = be16_put(request->flags),
                                          .type = be16_put(request->type),
                                          .offset = be64_put(request->offset),
                                          .length = be32_put(request->length)};

        memcpy(header.cookie, request->cookie, sizeof header.cookie);
        memcpy(ret, &header, sizeof header);
}

/* ---- what it hears --------------------------------------------------------------------------- */

void nbd_client_init(struct nbd_client *client) {
        *client = (struct nbd_client){0};
}

void nbd_client_named(struct nbd_client *client, bool no_zeroes) {
        assert(client->state == NBD_CLIENT_HAGGLING);
        client->state = NBD_CLIENT_EXPORT;
        client->no_zeroes = no_zeroes;
}

void nbd_client_start(struct nbd_client *client) {
        assert(client->state == NBD_CLIENT_HAGGLING);
        client->state = NBD_CLIENT_REPLIES;
}

void nbd_client_expect(struct nbd_client *client, uint64_t n) {
        assert(client->state == NBD_CLIENT_REPLIES);
        client->left = n;
        client->state = n ? NBD_CLIENT_DATA : NBD_CLIENT_REPLIES;
}

static enum err more(struct nbd_heard *ret, size_t need) {
        ret->kind = NBD_HEARD_NOTHING;
        ret->need = need;
        return ERR_NONE;
}

static enum err hear_greeting(struct nbd_client *client, struct span in, size_t *ret_used,
                              struct nbd_heard *ret, struct err_note *note) {
        struct nbd_greeting_wire greeting;

        if (in.n < sizeof greeting)
                return more(ret, sizeof greeting);
        memcpy(&greeting, in.data, sizeof greeting);
        if (be64_get(greeting.magic) != NBD_MAGIC)
                return err_set(note, ERR_CORRUPT, "this is not an NBD server");
        if (be64_get(greeting.option_magic) != NBD_OPTION_MAGIC)
                return err_set(note, ERR_CORRUPT, "this NBD server is of the old style");
        ret->kind = NBD_HEARD_GREETING;
        ret->flags = be16_get(greeting.flags);
        *ret_used = sizeof greeting;
        client->state = NBD_CLIENT_HAGGLING;
        return ERR_NONE;
}

/* ---- replies to options ---------------------------------------------------------------------- */

static bool take(struct span *data, void *ret, size_t n) {
        if (n > data->n)
                return false;
        memcpy(ret, data->data, n);
        data->data += n;
        data->n -= n;
        return true;
}

static void set_export(const struct nbd_export_wire *export, struct nbd_heard *ret) {
        ret->size = be64_get(export->size);
        ret->flags = be16_get(export->flags);
}

static bool take_info(struct span data, struct nbd_heard *ret) {
        struct nbd_export_wire export;
        be16 info;

        if (!take(&data, &info, sizeof info))
                return false;
        ret->info = be16_get(info);
        ret->text = data;
        if (ret->info == NBD_INFO_BLOCK_SIZE)
                return data.n == 3 * sizeof(be32);
        if (ret->info != NBD_INFO_EXPORT)
                return true;
        if (!take(&data, &export, sizeof export) || data.n > 0)
                return false;
        set_export(&export, ret);
        return true;
}

static bool take_reply(struct span data, struct nbd_heard *ret) {
        be32 number;

        ret->text = data;
        switch (ret->type) {
        case NBD_REP_ACK:
                return data.n == 0;
        case NBD_REP_INFO:
                return take_info(data, ret);
        case NBD_REP_SERVER:
                if (!take(&data, &number, sizeof number) || be32_get(number) > data.n)
                        return false;
                ret->text = (struct span){data.data, be32_get(number)};
                return true;
        case NBD_REP_META_CONTEXT:
                if (!take(&data, &number, sizeof number))
                        return false;
                ret->context = be32_get(number);
                ret->text = data;
                return true;
        default:
                return (ret->type & NBD_REP_IS_ERROR) != 0;
        }
}

static enum err hear_option(struct span in, size_t *ret_used, struct nbd_heard *ret, struct err_note *note) {
        struct nbd_option_reply_wire header;
        uint32_t length;

        if (in.n < sizeof header)
                return more(ret, sizeof header);
        memcpy(&header, in.data, sizeof header);
        length = be32_get(header.length);
        if (be64_get(header.magic) != NBD_REPLY_MAGIC)
                return err_set(note, ERR_CORRUPT, "no reply to an option begins here");
        if (length > NBD_CLIENT_REPLY_MAX - sizeof header)
                return err_set(note, ERR_TOO_LARGE, "a reply of %u bytes to an option", length);
        if (in.n - sizeof header < length)
                return more(ret, sizeof header + length);
        ret->kind = NBD_HEARD_OPTION;
        ret->option = be32_get(header.option);
        ret->type = be32_get(header.type);
        if (!take_reply((struct span){in.data + sizeof header, length}, ret))
                return err_set(note, ERR_CORRUPT, "reply %#x to option %u is not one", ret->type,
                               ret->option);
        *ret_used = sizeof header + length;
        return ERR_NONE;
}

static enum err hear_export(struct nbd_client *client, struct span in, size_t *ret_used,
                            struct nbd_heard *ret) {
        struct nbd_export_wire export;
        size_t n = sizeof export + (client->no_zeroes ? 0 : NBD_ZEROES);

        if (in.n < n)
                return more(ret, n);
        memcpy(&export, in.data, sizeof export);
        set_export(&export, ret);
        ret->kind = NBD_HEARD_EXPORT;
        *ret_used = n;
        client->state = NBD_CLIENT_REPLIES;
        return ERR_NONE;
}

/* ---- replies to requests --------------------------------------------------------------------- */

static enum err hear_simple(struct span in, size_t *ret_used, struct nbd_heard *ret) {
        struct nbd_simple_wire simple;

        if (in.n < sizeof simple)
                return more(ret, sizeof simple);
        memcpy(&simple, in.data, sizeof simple);
        ret->kind = NBD_HEARD_SIMPLE;
        ret->error = be32_get(simple.error);
        memcpy(ret->cookie, simple.cookie, sizeof simple.cookie);
        *ret_used = sizeof simple;
        return ERR_NONE;
}

static bool take_error(struct span data, struct nbd_heard *ret) {
        be32 error;
        be16 n;
        be64 at;

        if (!take(&data, &error, sizeof error) || !take(&data, &n, sizeof n) || be16_get(n) > data.n)
                return false;
        ret->error = be32_get(error);
        ret->text = (struct span){data.data, be16_get(n)};
        data = (struct span){data.data + ret->text.n, data.n - ret->text.n};
        if (ret->type == NBD_CHUNK_ERROR_OFFSET) {
                if (!take(&data, &at, sizeof at))
                        return false;
                ret->offset = be64_get(at);
        }
        return ret->error != NBD_OK;
}

static bool take_extents(struct span data, struct nbd_heard *ret) {
        be32 context;

        if (!take(&data, &context, sizeof context) || data.n == 0 ||
            data.n % sizeof(struct nbd_extent_wire) != 0)
                return false;
        ret->context = be32_get(context);
        ret->extents = data;
        for (; data.n > 0; data.data += 8, data.n -= 8)
                if (bytes_are_zero(data.data, sizeof(be32)))
                        return false;
        return true;
}

static bool take_hole(struct span data, struct nbd_heard *ret) {
        be64 offset;
        be32 n;

        if (!take(&data, &offset, sizeof offset) || !take(&data, &n, sizeof n) || data.n > 0)
                return false;
        ret->offset = be64_get(offset);
        ret->length = be32_get(n);
        return ret->length > 0;
}

/* Unknown errors are errors, anything else that is unknown ends the session: so the protocol. */
static bool take_chunk(struct span data, struct nbd_heard *ret) {
        switch (ret->type) {
        case NBD_CHUNK_NONE:
                return data.n == 0 && ret->is_last;
        case NBD_CHUNK_HOLE:
                return take_hole(data, ret);
        case NBD_CHUNK_BLOCK_STATUS:
                return take_extents(data, ret);
        default:
                return ret->type & 1 << 15 && take_error(data, ret);
        }
}

/* Its data is not waited for: it goes where it belongs. */
static enum err hear_data_head(struct nbd_client *client, struct span in, uint32_t length, size_t *ret_used,
                               struct nbd_heard *ret, struct err_note *note) {
        struct nbd_data_wire head;

        if (length <= sizeof head.offset)
                return err_set(note, ERR_CORRUPT, "a chunk without data");
        if (in.n < sizeof head)
                return more(ret, sizeof head);
        memcpy(&head, in.data, sizeof head);
        ret->offset = be64_get(head.offset);
        ret->length = length - sizeof head.offset;
        *ret_used = sizeof head;
        nbd_client_expect(client, ret->length);
        return ERR_NONE;
}

static enum err hear_chunk(struct nbd_client *client, struct span in, size_t *ret_used, struct nbd_heard *ret,
                           struct err_note *note) {
        struct nbd_chunk_wire chunk;
        uint32_t length;

        if (in.n < sizeof chunk)
                return more(ret, sizeof chunk);
        memcpy(&chunk, in.data, sizeof chunk);
        length = be32_get(chunk.length);
        ret->kind = NBD_HEARD_CHUNK;
        ret->type = be16_get(chunk.type);
        ret->is_last = be16_get(chunk.flags) & NBD_CHUNK_DONE;
        memcpy(ret->cookie, chunk.cookie, sizeof chunk.cookie);
        if (ret->type == NBD_CHUNK_DATA)
                return hear_data_head(client, in, length, ret_used, ret, note);
        if (length > NBD_CLIENT_REPLY_MAX - sizeof chunk)
                return err_set(note, ERR_TOO_LARGE, "a chunk of %u bytes", length);
        if (in.n - sizeof chunk < length)
                return more(ret, sizeof chunk + length);
        if (!take_chunk((struct span){in.data + sizeof chunk, length}, ret))
                return err_set(note, ERR_CORRUPT, "chunk %#x is not one", ret->type);
        *ret_used = sizeof chunk + length;
        return ERR_NONE;
}

static enum err hear_reply(struct nbd_client *client, struct span in, size_t *ret_used, struct nbd_heard *ret,
                           struct err_note *note) {
        be32 magic;

        if (in.n < sizeof magic)
                return more(ret, sizeof magic);
        memcpy(&magic, in.data, sizeof magic);
        if (be32_get(magic) == NBD_SIMPLE_MAGIC)
                return hear_simple(in, ret_used, ret);
        if (be32_get(magic) == NBD_STRUCTURED_MAGIC)
                return hear_chunk(client, in, ret_used, ret, note);
        return err_set(note, ERR_CORRUPT, "no reply begins here");
}

static enum err hear_data(struct nbd_client *client, struct span in, size_t *ret_used,
                          struct nbd_heard *ret) {
        size_t n = (size_t)min_u64(in.n, client->left);

        if (n == 0)
                return more(ret, 1);
        ret->kind = NBD_HEARD_DATA;
        ret->data = (struct span){in.data, n};
        *ret_used = n;
        client->left -= n;
        if (client->left == 0)
                client->state = NBD_CLIENT_REPLIES;
        return ERR_NONE;
}

enum err nbd_client_next(struct nbd_client *client, struct span in, size_t *ret_used, struct nbd_heard *ret,
                         struct err_note *note) {
        *ret = (struct nbd_heard){0};
        *ret_used = 0;
        switch (client->state) {
        case NBD_CLIENT_GREETING:
                return hear_greeting(client, in, ret_used, ret, note);
        case NBD_CLIENT_HAGGLING:
                return hear_option(in, ret_used, ret, note);
        case NBD_CLIENT_EXPORT:
                return hear_export(client, in, ret_used, ret);
        case NBD_CLIENT_REPLIES:
                return hear_reply(client, in, ret_used, ret, note);
        case NBD_CLIENT_DATA:
                return hear_data(client, in, ret_used, ret);
        }
        return ERR_NONE;
}
