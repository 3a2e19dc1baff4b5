// SPDX-License-Identifier: Apache-2.0
#include "vault_call.h"

#include <string.h>

#include "mem.h"
#include "registry.h"
#include "text.h"

char *vault_call_cache(const struct verb_call *call) {
        AUTO_FREE char *path = call->state_dir ? mem_format("%s/vault-indexes", call->state_dir) : NULL;
        struct err_note unused;

        /* Who cannot keep them there reads them each time. */
        if (!path || registry_make_folders(call->io, path, &unused))
                return NULL;
        return TAKE(path);
}

enum err vault_call_key_file(struct io *io, const char *path, struct vault_key *ret, struct err_note *note) {
        enum err failed = vault_key_read_file(io, path, ret, note);

        return failed == ERR_NOT_FOUND ? vault_key_make_file(io, path, ret, note) : failed;
}

enum err vault_call_key(struct verb_call *call, struct vault_key *ret, bool *ret_has, struct err_note *note) {
        const char *file = call_text(call, "key-file"), *passphrase = call_text(call, "passphrase-file");

        *ret_has = file || passphrase;
        if (file && passphrase)
                return call_usage(call, note, "--key-file and --passphrase-file exclude each other");
        if (file)
                return vault_key_read_file(call->io, file, ret, note);
        return passphrase ? vault_key_read_passphrase(call->io, passphrase, ret, note) : ERR_NONE;
}

enum err vault_call_open(struct verb_call *call, struct vault **ret, struct err_note *note) {
        AUTO(vault_key_fini) struct vault_key key = {0};
        bool has_key;

        if (vault_call_key(call, &key, &has_key, note))
                return note->code;
        return vault_call_open_at(call, call_text(call, "vault"), has_key ? &key : NULL, ret, note);
}

enum err vault_call_open_at(struct verb_call *call, const char *where, const struct vault_key *key,
                            struct vault **ret, struct err_note *note) {
        AUTO(target_close) struct target *target = NULL;
        AUTO_FREE char *cache = vault_call_cache(call);
        const struct vault_open_options options = {.cache = cache, .key = key};

        if (vault_where_open(call, where, false, &target, note))
                return note->code;
        if (vault_open(call->io, target, &options, ret, note))
                return note->code;
        (void)TAKE(target);
        return ERR_NONE;
}

enum err vault_call_disk(struct verb_call *call, const struct vault_manifest *manifest,
                         const struct vault_disk **ret, struct err_note *note) {
        const char *name = call_text(call, "disk");

        if (!name && manifest->disks.n == 1) {
                *ret = manifest->disks.data;
                return ERR_NONE;
        }
        VEC_EACH (&manifest->disks, each) {
                if (name && strcmp(each->name, name) == 0) {
                        *ret = each;
                        return ERR_NONE;
                }
        }
        if (!name)
                return call_usage(call, note, "the point has %zu disks: say which with --disk",
                                  manifest->disks.n);
        return err_set(note, ERR_NOT_FOUND, "the point has no disk '%s'", name);
}

json_t *vault_json_of_disk(const struct vault_disk *disk) {
        return json_pack("{s:s, s:I, s:s, s:I}", "name", disk->name, "size", (json_int_t)disk->size, "id",
                         vault_id_format(&disk->id).s, "added", (json_int_t)disk->written);
}

json_t *vault_json_of_point(const struct point *point) {
        const struct vault_manifest *manifest = &point->manifest;
        json_t *disks = json_array(), *row;
        uint64_t size = 0, added = 0;

        VEC_EACH (&manifest->disks, each) {
                size += each->size;
                added += each->written;
                json_array_append_new(disks, vault_json_of_disk(each));
        }
        row = json_pack("{s:s, s:s, s:s, s:I, s:I, s:o}", "point", vault_name_format(&point->name).s, "name",
                        manifest->name, "time", text_time(manifest->time).s, "size", (json_int_t)size,
                        "added", (json_int_t)added, "disks", disks);
        json_object_set_new(row, "parent",
                            vault_name_is_null(&manifest->parent)
                                    ? json_null()
                                    : json_string(vault_name_format(&manifest->parent).s));
        return row;
}
