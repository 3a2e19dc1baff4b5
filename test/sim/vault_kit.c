// SPDX-License-Identifier: Apache-2.0
#include "vault_kit.h"

#include <string.h>
#include <zstd.h>

#include "mem.h"
#include "sim_dice.h"
#include "vault_path.h"

void kit_pack_fini(struct kit_pack *pack) {
        vault_pack_entries_fini(&pack->entries);
}

void kit_chunk(uint64_t number, uint8_t ret[KIT_CHUNK]) {
        struct sim_dice dice = {.state = sim_hash(number, 5)};

        sim_fill(&dice, ret, KIT_CHUNK);
        if (number % 2)
                memset(ret, (int)(number % 251), KIT_CHUNK / 2);
}

struct vault_id kit_chunk_id(const struct keyring *keyring, uint64_t number) {
        AUTO_FREE uint8_t *chunk = mem_zero(KIT_CHUNK);
        struct vault_id id;

        kit_chunk(number, chunk);
        keyring_chunk_id(keyring, chunk, KIT_CHUNK, &id);
        return id;
}

void kit_node(uint64_t number, struct vault_id ret[VAULT_NODE_IDS]) {
        struct sim_dice dice = {.state = sim_hash(number, 6)};

        sim_fill(&dice, ret, VAULT_NODE_SIZE);
}

struct vault_id kit_node_id(const struct keyring *keyring, uint64_t number) {
        AUTO_FREE struct vault_id *ids = mem_zero(VAULT_NODE_SIZE);
        struct vault_id id;

        kit_node(number, ids);
        keyring_node_id(keyring, 1, ids, &id);
        return id;
}

/* A pack that is being made. */
struct making {
        const struct pack_key *key; /* borrowed */
        struct kit_pack *pack;      /* borrowed */
        struct buf bytes;
};

static void add_blob(struct making *making, struct vault_pack_entry entry, const void *content) {
        AUTO_FREE uint8_t *pressed = mem_zero(ZSTD_compressBound(entry.length));
        size_t n = entry.length;
        uint32_t number = (uint32_t)making->pack->entries.list.n;
        void *to;

        if (entry.codec == VAULT_ZSTD) {
                n = ZSTD_compress(pressed, ZSTD_compressBound(entry.length), content, entry.length, 1);
                content = pressed;
        }
        entry.stored = (uint32_t)n + VAULT_TAG_SIZE;
        to = buf_extend(&making->bytes, entry.stored);
        pack_key_seal(making->key, number, &entry, content, n, to);
        *vec_add(&making->pack->entries.list) = entry;
}

static void add_chunk(struct making *making, const struct keyring *keyring, uint64_t number) {
        AUTO_FREE uint8_t *chunk = mem_zero(KIT_CHUNK);

        kit_chunk(number, chunk);
        add_blob(making,
                 (struct vault_pack_entry){.type = VAULT_CHUNK,
                                           .codec = number % 2 ? VAULT_ZSTD : VAULT_AS_IS,
                                           .length = KIT_CHUNK,
                                           .id = kit_chunk_id(keyring, number)},
                 chunk);
}

static void add_node(struct making *making, const struct keyring *keyring, uint64_t number) {
        AUTO_FREE struct vault_id *ids = mem_zero(VAULT_NODE_SIZE);

        kit_node(number, ids);
        add_blob(making,
                 (struct vault_pack_entry){.type = VAULT_NODE,
                                           .level = 1,
                                           .length = VAULT_NODE_SIZE,
                                           .id = kit_node_id(keyring, number)},
                 ids);
}

static void add_end(struct making *making) {
        struct vault_pack_entries *entries = &making->pack->entries;
        struct vault_pack_end end = {.n_blobs = (uint32_t)entries->list.n, .trailer_at = making->bytes.n};
        size_t n = entries->list.n * VAULT_ENTRY_SIZE;
        AUTO_FREE uint8_t *trailer = mem_zero(n + VAULT_TAG_SIZE);
        uint8_t tail[VAULT_PACK_END];

        for (size_t i = 0; i < entries->list.n; i++)
                vault_pack_entry_encode(&entries->list.data[i], trailer + i * VAULT_ENTRY_SIZE);
        pack_key_seal(making->key, end.n_blobs, NULL, trailer, n, trailer);
        buf_add(&making->bytes, trailer, n + VAULT_TAG_SIZE);
        end.length = making->bytes.n + VAULT_PACK_END;
        vault_pack_end_encode(&end, making->bytes.data, (struct span){trailer, n + VAULT_TAG_SIZE}, tail);
        buf_add(&making->bytes, tail, sizeof tail);
        making->pack->pack.length = end.length;
        making->pack->pack.n_blobs = end.n_blobs;
}

enum err kit_put_pack(const struct kit *kit, uint64_t first, unsigned n, struct kit_pack *ret,
                      struct err_note *note) {
        AUTO(pack_key_free) struct pack_key *key = NULL;
        struct vault_pack_head *head = &ret->pack.head;
        struct making making = {.pack = ret};
        enum err err;

        *ret = (struct kit_pack){0};
        io_random(kit->dice, head->name.b, sizeof head->name.b);
        head->is_sealed = !keyring_is_plain(kit->keyring);
        if (head->is_sealed)
                io_random(kit->dice, head->salt, sizeof head->salt);
        if (pack_key_new(kit->keyring, head, &key, note))
                return note->code;
        making.key = key;
        vault_pack_head_encode(head, buf_extend(&making.bytes, VAULT_PACK_HEAD));
        for (unsigned i = 0; i < n; i++)
                add_chunk(&making, kit->keyring, first + i);
        add_node(&making, kit->keyring, first);
        add_end(&making);
        err = target_put(kit->target, vault_pack_path(&head->name).s, making.bytes.data, making.bytes.n,
                         note);
        buf_fini(&making.bytes);
        return err;
}

enum err kit_put_index(const struct kit *kit, const struct kit_pack *packs, unsigned n,
                       const struct vault_name *replaced, unsigned n_replaced, struct vault_name *ret,
                       struct buf *ret_body, struct err_note *note) {
        AUTO(vault_index_builder_free) struct vault_index_builder *builder = vault_index_builder_new();
        AUTO(buf_fini) struct buf object = {0};

        for (unsigned i = 0; i < n_replaced; i++)
                vault_index_replace(builder, &replaced[i]);
        for (unsigned i = 0; i < n; i++) {
                vault_index_add_pack(builder, &packs[i].pack);
                VEC_EACH (&packs[i].entries.list, each)
                        vault_index_add(builder, each);
        }
        vault_index_encode(builder, ret_body);
        io_random(kit->dice, ret->b, sizeof ret->b);
        if (keyring_seal_object(kit->keyring, kit->dice, VAULT_INDEX, ret,
                                (struct span){ret_body->data, ret_body->n}, &object, note))
                return note->code;
        return target_put(kit->target, vault_path_of(VAULT_INDEX, ret).s, object.data, object.n, note);
}
