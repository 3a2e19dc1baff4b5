// SPDX-License-Identifier: Apache-2.0
/* Points of a vault: manifests, and what seals them. */
#include <inttypes.h>

#include "mem.h"
#include "vault_member.h"
#include "vault_pack.h"
#include "vault_sum.h"

unsigned vault_disk_height(uint64_t size, uint32_t chunk) {
        uint64_t n = div_up(size, chunk);
        unsigned height = 0;

        for (; n > 1; n = div_up(n, VAULT_NODE_IDS))
                height++;
        return height;
}

void vault_disk_fini(struct vault_disk *disk) {
        free(disk->name);
        json_decref(disk->source);
        *disk = (struct vault_disk){0};
}

void vault_manifest_fini(struct vault_manifest *manifest) {
        VEC_EACH (&manifest->disks, each) {
                vault_disk_fini(each);
        }
        vec_fini(&manifest->disks);
        json_decref(manifest->vm);
        free(manifest->name);
        *manifest = (struct vault_manifest){0};
}

/* ---- encoding -------------------------------------------------------------------------------- */

static json_t *disk_of(const struct vault_disk *disk) {
        json_t *json = json_object();

        vault_put_text(json, "name", disk->name);
        vault_put_number(json, "size", disk->size);
        vault_put_number(json, "chunk", disk->chunk);
        vault_put_number(json, "height", disk->height);
        vault_put_hex(json, "root", disk->root.b, sizeof disk->root.b);
        vault_put_hex(json, "id", disk->id.b, sizeof disk->id.b);
        vault_put_json(json, "source", disk->source);
        vault_put_number(json, "written", disk->written);
        return json;
}

static void put_hex_or_null(json_t *body, const char *key, bool has, const uint8_t *bytes, size_t n) {
        if (has)
                vault_put_hex(body, key, bytes, n);
        else
                vault_put_json(body, key, NULL);
}

void vault_manifest_encode(const struct vault_manifest *manifest, struct buf *ret) {
        json_t *body = json_object(), *disks = json_array();

        vault_put_text(body, "name", manifest->name);
        vault_put_time(body, "time", manifest->time);
        vault_put_hex(body, "session", manifest->session.b, sizeof manifest->session.b);
        put_hex_or_null(body, "parent", !vault_name_is_null(&manifest->parent), manifest->parent.b,
                        sizeof manifest->parent.b);
        put_hex_or_null(body, "writer", manifest->has_writer, manifest->writer, sizeof manifest->writer);
        vault_put_number(body, "sequence", manifest->sequence);
        put_hex_or_null(body, "previous", manifest->has_previous, manifest->previous,
                        sizeof manifest->previous);
        vault_put_json(body, "vm", manifest->vm);
        VEC_EACH (&manifest->disks, each) {
                json_array_append_new(disks, disk_of(each));
        }
        json_object_set_new(body, "disks", disks);
        vault_body_add(body, ret);
}

/* ---- decoding -------------------------------------------------------------------------------- */

static enum err take_shape(const json_t *json, struct vault_disk *ret, struct err_note *note) {
        uint64_t height;

        if (vault_take_number(json, "size", 0, INT64_MAX, &ret->size, note) ||
            vault_take_chunk(json, &ret->chunk, note))
                return note->code;
        ret->height = vault_disk_height(ret->size, ret->chunk);
        if (vault_take_number(json, "height", ret->height, ret->height, &height, note))
                return note->code;
        return ERR_NONE;
}

static enum err take_disk(const json_t *json, struct vault_disk *ret, struct err_note *note) {
        const char *name;

        if (vault_take_text(json, "name", &name, note) || take_shape(json, ret, note) ||
            vault_take_hex(json, "root", ret->root.b, sizeof ret->root.b, note) ||
            vault_take_hex(json, "id", ret->id.b, sizeof ret->id.b, note) ||
            vault_take_number(json, "written", 0, INT64_MAX, &ret->written, note))
                return note->code;
        if (ret->size == 0 && !vault_id_is_null(&ret->root))
                return err_set(note, ERR_CORRUPT, "a disk of no bytes has a root");
        if (!vault_member_is_null(json, "source"))
                ret->source = json_incref(json_object_get(json, "source"));
        ret->name = mem_text(name);
        return ERR_NONE;
}

static enum err take_disks(const json_t *body, struct vault_manifest *ret, struct err_note *note) {
        json_t *disks, *each;
        size_t i;

        if (vault_take_array(body, "disks", &disks, note))
                return note->code;
        json_array_foreach(disks, i, each) if (take_disk(each, vec_add(&ret->disks), note)) return err_wrap(
                note, "disk %zu", i);
        return ERR_NONE;
}

/* In a plain vault nobody has signed. */
static enum err take_writer(const json_t *body, struct vault_manifest *ret, struct err_note *note) {
        ret->has_writer = !vault_member_is_null(body, "writer");
        ret->has_previous = !vault_member_is_null(body, "previous");
        if (vault_take_number(body, "sequence", ret->has_writer, ret->has_writer ? INT64_MAX : 0,
                              &ret->sequence, note))
                return note->code;
        if (ret->has_writer && vault_take_hex(body, "writer", ret->writer, sizeof ret->writer, note))
                return note->code;
        if (ret->has_previous && !ret->has_writer)
                return err_set(note, ERR_CORRUPT, "\"previous\" is not null, \"writer\" is");
        if (ret->has_previous && vault_take_hex(body, "previous", ret->previous, sizeof ret->previous, note))
                return note->code;
        return ERR_NONE;
}

static enum err take_origin(const json_t *body, struct vault_manifest *ret, struct err_note *note) {
        const char *name;

        if (vault_take_text(body, "name", &name, note) || vault_take_time(body, "time", &ret->time, note) ||
            vault_take_hex(body, "session", ret->session.b, sizeof ret->session.b, note))
                return note->code;
        if (!vault_member_is_null(body, "parent") &&
            vault_take_hex(body, "parent", ret->parent.b, sizeof ret->parent.b, note))
                return note->code;
        if (!vault_member_is_null(body, "vm"))
                ret->vm = json_incref(json_object_get(body, "vm"));
        ret->name = mem_text(name);
        return ERR_NONE;
}

enum err vault_manifest_decode(struct span text, struct vault_manifest *ret, struct err_note *note) {
        AUTO(vault_manifest_fini) struct vault_manifest manifest = {0};
        AUTO(json_decref) json_t *body = NULL;

        if (vault_body_load(text, &body, note) || take_origin(body, &manifest, note) ||
            take_writer(body, &manifest, note) || take_disks(body, &manifest, note))
                return err_wrap(note, "manifest");
        *ret = manifest;
        manifest = (struct vault_manifest){0};
        return ERR_NONE;
}

/* ---- seals ----------------------------------------------------------------------------------- */

void vault_point_seal_encode(const uint8_t manifest_sum[VAULT_SUM_SIZE], struct buf *ret) {
        json_t *body = json_object();

        vault_put_hex(body, "manifest", manifest_sum, VAULT_SUM_SIZE);
        vault_body_add(body, ret);
}

enum err vault_point_seal_decode(struct span text, uint8_t ret_manifest_sum[VAULT_SUM_SIZE],
                                 struct err_note *note) {
        AUTO(json_decref) json_t *body = NULL;

        if (vault_body_load(text, &body, note) ||
            vault_take_hex(body, "manifest", ret_manifest_sum, VAULT_SUM_SIZE, note))
                return err_wrap(note, "seal");
        return ERR_NONE;
}
