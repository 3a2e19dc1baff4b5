// SPDX-License-Identifier: Apache-2.0
#include "keyring.h"

#include "keyring_inside.h"
#include "vault_sum.h"

/* What an id is of, so that no content of one sort is one of another. */
enum { OF_CHUNK = 1, OF_NODE = 2, OF_DISK = 3 };

_Static_assert(sizeof(struct vault_id[VAULT_NODE_IDS]) == VAULT_NODE_SIZE,
               "a node's ids lie as they are stored");

void keyring_sum(const struct keyring *keyring, const struct span *parts, unsigned n, uint8_t ret[32]) {
        if (keyring->is_plain)
                vault_sum(parts, n, ret);
        else
                crypt_mac(&keyring->id, parts, n, ret);
}

/* The id of `head` and n bytes behind it; null where these are zeros. */
static void id_of(const struct keyring *keyring, const uint8_t *head, size_t n_head, const void *data,
                  size_t n, struct vault_id *ret) {
        struct span parts[] = {crypt_span(head, n_head), crypt_span(data, n)};

        if (bytes_are_zero(data, n))
                *ret = (struct vault_id){0};
        else
                keyring_sum(keyring, parts, 2, ret->b);
}

void keyring_chunk_id(const struct keyring *keyring, const void *chunk, size_t n, struct vault_id *ret) {
        const uint8_t head[] = {OF_CHUNK};

        id_of(keyring, head, sizeof head, chunk, n, ret);
}

void keyring_node_id(const struct keyring *keyring, unsigned level, const struct vault_id ids[VAULT_NODE_IDS],
                     struct vault_id *ret) {
        const uint8_t head[] = {OF_NODE, (uint8_t)level};

        id_of(keyring, head, sizeof head, ids, VAULT_NODE_SIZE, ret);
}

void keyring_disk_id(const struct keyring *keyring, uint64_t size, uint32_t chunk,
                     const struct vault_id *root, struct vault_id *ret) {
        const struct {
                uint8_t what;
                be64 size;
                be32 chunk;
                struct vault_id root;
        } all = {OF_DISK, be64_put(size), be32_put(chunk), *root};
        struct span part = crypt_span(&all, sizeof all);

        _Static_assert(sizeof all == 1 + 8 + 4 + 32, "nothing between");
        /* Never null, also of an empty disk: its size is within. */
        keyring_sum(keyring, &part, 1, ret->b);
}

void keyring_config_mac(const struct keyring *keyring, struct span text, uint8_t ret[32]) {
        crypt_mac(&keyring->config, &text, 1, ret);
}
