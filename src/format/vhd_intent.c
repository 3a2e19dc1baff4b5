// SPDX-License-Identifier: Apache-2.0
#include "vhd_intent.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "mem.h"
#include "vhd.h"

static const char magic[8] = "catcoal";

enum { CHECKSUM_AT = offsetof(struct vhd_intent_disk, checksum) };

void vhd_intent_fini(struct vhd_intent *intent) {
        VEC_EACH (&intent->nodes, each)
                free(each->path);
        vec_fini(&intent->nodes);
        *intent = (struct vhd_intent){0};
}

/* ---- decoding ---- */

static enum err check_head(const struct vhd_intent_disk *disk, struct span all, struct err_note *note) {
        if (memcmp(disk->magic, magic, sizeof magic) != 0)
                return err_set(note, ERR_CORRUPT, "it is no note of a coalesce");
        if (be32_get(disk->version) != VHD_INTENT_VERSION || be64_get(disk->incompatible))
                return err_set(note, ERR_UNSUPPORTED, "it is of a later version (%" PRIu32 ")",
                               be32_get(disk->version));
        if (be32_get(disk->length) != all.n)
                return err_set(note, ERR_CORRUPT, "it has %zu bytes and not %" PRIu32, all.n,
                               be32_get(disk->length));
        if (be32_get(disk->checksum) != vhd_checksum(all.data, all.n, CHECKSUM_AT))
                return err_set(note, ERR_CORRUPT, "its checksum is wrong");
        if (be32_get(disk->n) < 2)
                return err_set(note, ERR_CORRUPT, "it names no run");
        return ERR_NONE;
}

static bool is_path(struct span path) {
        return path.n > 1 && path.n <= VHD_INTENT_PATH_MAX && path.data[0] == '/' &&
               !memchr(path.data, '\0', path.n);
}

/* Takes one node off the front of rest. */
static enum err decode_node(struct span *rest, bool is_target, struct vhd_intent *ret,
                            struct err_note *note) {
        struct vhd_intent_node_disk disk;
        struct vhd_intent_node *node;
        struct span path;
        bool is_raw;

        if (rest->n < sizeof disk)
                return err_set(note, ERR_CORRUPT, "it ends in the middle of a node");
        memcpy(&disk, rest->data, sizeof disk);
        path = (struct span){rest->data + sizeof disk, be32_get(disk.path_length)};
        if (path.n > rest->n - sizeof disk || !is_path(path))
                return err_set(note, ERR_CORRUPT, "a node in it has no path");
        is_raw = be32_get(disk.is_raw) == 1;
        node = vec_add(&ret->nodes);
        *node = (struct vhd_intent_node){.size = be64_get(disk.size), .is_raw = is_raw};
        memcpy(node->uuid.b, disk.uuid, sizeof disk.uuid);
        node->path = mem_zero(path.n + 1);
        memcpy(node->path, path.data, path.n);
        if (be32_get(disk.is_raw) > 1 || (is_raw && !is_target) || is_raw != uuid_is_null(&node->uuid))
                return err_set(note, ERR_CORRUPT, "a node in it is neither raw nor a VHD");
        *rest = (struct span){path.data + path.n, rest->n - sizeof disk - path.n};
        return ERR_NONE;
}

enum err vhd_intent_decode(struct span all, struct vhd_intent *ret, struct err_note *note) {
        AUTO(vhd_intent_fini) struct vhd_intent intent = {0};
        struct vhd_intent_disk disk;
        struct span rest;

        if (all.n < sizeof disk)
                return err_set(note, ERR_CORRUPT, "it has %zu bytes only", all.n);
        memcpy(&disk, all.data, sizeof disk);
        if (check_head(&disk, all, note))
                return note->code;
        intent.begun = (int64_t)be64_get(disk.begun);
        intent.compatible = be64_get(disk.compatible);
        rest = (struct span){all.data + sizeof disk, all.n - sizeof disk};
        for (uint32_t i = 0; i < be32_get(disk.n); i++)
                if (decode_node(&rest, i == 0, &intent, note))
                        return note->code;
        if (rest.n > 0)
                return err_set(note, ERR_CORRUPT, "there is something behind its last node");
        *ret = intent;
        intent = (struct vhd_intent){0};
        return ERR_NONE;
}

/* ---- encoding ---- */

static void encode_node(const struct vhd_intent_node *node, struct buf *ret) {
        size_t length = strlen(node->path);
        struct vhd_intent_node_disk disk = {.size = be64_put(node->size),
                                            .is_raw = be32_put(node->is_raw),
                                            .path_length = be32_put((uint32_t)length)};

        memcpy(disk.uuid, node->uuid.b, sizeof disk.uuid);
        buf_add(ret, &disk, sizeof disk);
        buf_add(ret, node->path, length);
}

void vhd_intent_encode(const struct vhd_intent *intent, struct buf *ret) {
        struct vhd_intent_disk disk = {.version = be32_put(VHD_INTENT_VERSION),
                                       .compatible = be64_put(intent->compatible),
                                       .n = be32_put((uint32_t)intent->nodes.n),
                                       .begun = be64_put((uint64_t)intent->begun)};
        size_t at = ret->n;

        assert(intent->nodes.n >= 2);
        memcpy(disk.magic, magic, sizeof magic);
        buf_add(ret, &disk, sizeof disk);
        VEC_EACH (&intent->nodes, each)
                encode_node(each, ret);
        disk.length = be32_put((uint32_t)(ret->n - at));
        memcpy(ret->data + at, &disk, sizeof disk);
        disk.checksum = be32_put(vhd_checksum(ret->data + at, ret->n - at, CHECKSUM_AT));
        memcpy(ret->data + at, &disk, sizeof disk);
}
