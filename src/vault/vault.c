// SPDX-License-Identifier: Apache-2.0
#include "vault.h"

#include "mem.h"
#include "taints.h"

/* Of objects but packs and indexes; a manifest with records of a thousand disks has room in it. */
enum { OBJECT_MAX = 1 << 30 };

/* ---- names ---- */

void vault_name_random(struct io *io, struct vault_name *ret) {
        do
                io_random(io, ret, sizeof *ret);
        while (vault_name_is_null(ret));
}

/* ---- objects ---- */

enum err vault_get_object(struct vault *vault, enum vault_object_kind kind, const struct vault_name *name,
                          struct buf *ret_body, uint8_t ret_signer[VAULT_KEY_SIZE], struct buf *ret_object,
                          struct err_note *note) {
        struct vault_path path = vault_path_of(kind, name);
        AUTO(buf_fini) struct buf object = {0};

        if (target_get(vault->target, path.s, OBJECT_MAX, &object, note))
                return note->code;
        if (keyring_open_object(vault->keyring, (struct span){object.data, object.n}, kind, name, ret_body,
                                ret_signer, note))
                return err_wrap(note, "%s", path.s);
        if (ret_object) {
                buf_fini(ret_object);
                *ret_object = object;
                object = (struct buf){0};
        }
        return ERR_NONE;
}

enum err vault_put_object_as(struct vault *vault, const char *path, enum vault_object_kind kind,
                             const struct vault_name *name, struct span body, struct buf *ret_object,
                             struct err_note *note) {
        AUTO(buf_fini) struct buf object = {0};

        if (keyring_seal_object(vault->keyring, vault->io, kind, name, body, &object, note) ||
            target_put(vault->target, path, object.data, object.n, note))
                return note->code;
        if (ret_object) {
                buf_fini(ret_object);
                *ret_object = object;
                object = (struct buf){0};
        }
        return ERR_NONE;
}

enum err vault_put_object(struct vault *vault, enum vault_object_kind kind, const struct vault_name *name,
                          struct span body, struct buf *ret_object, struct err_note *note) {
        struct vault_path path = vault_path_of(kind, name);

        return vault_put_object_as(vault, path.s, kind, name, body, ret_object, note);
}

static enum err list_slots(struct vault *vault, struct err_note *note) {
        struct vault_slot_rows slots = {0};
        unsigned n_damaged;

        if (key_slots_list(vault->target, &vault->config, &slots, &n_damaged, note))
                return note->code;
        vault_slot_rows_fini(&vault->slots);
        vault->slots = slots;
        return ERR_NONE;
}

/* A writer may have come since the slots were listed. */
enum err vault_check_writer(struct vault *vault, const uint8_t signer[VAULT_KEY_SIZE],
                            struct err_note *note) {
        enum err failed = ERR_NONE;
        bool may_write;

        if (!vault->config.is_encrypted)
                return ERR_NONE;
        pthread_mutex_lock(&vault->lock);
        may_write = key_slots_might_write(&vault->slots, &vault->config, signer);
        if (!may_write)
                failed = list_slots(vault, note);
        if (!may_write && !failed)
                may_write = key_slots_might_write(&vault->slots, &vault->config, signer);
        pthread_mutex_unlock(&vault->lock);
        if (failed)
                return failed;
        return may_write ? ERR_NONE : err_set(note, ERR_CORRUPT, "it is signed by nobody who may write");
}

void vault_wait_for_listing(struct vault *vault) {
        if (vault->config.list_lag_seconds > 0)
                io_sleep_ns(vault->io, (uint64_t)vault->config.list_lag_seconds * 1000000000);
}

void vault_names_fini(struct vault_names *names) {
        vec_fini(&names->list);
}

enum err vault_list_names(struct vault *vault, const char *folder, const char *suffix,
                          struct vault_names *ret, struct err_note *note) {
        AUTO(target_list_fini) struct target_list objects = {0};
        struct vault_names names = {0};

        if (target_list(vault->target, folder, &objects, note))
                return note->code;
        VEC_EACH (&objects.items, item) {
                size_t n = strlen(item->name), n_suffix = strlen(suffix);
                struct vault_name parsed;

                if (n < n_suffix || strcmp(item->name + n - n_suffix, suffix) != 0)
                        continue;
                item->name[n - n_suffix] = 0;
                if (vault_path_parse(item->name, &parsed))
                        *vec_add(&names.list) = parsed;
        }
        *ret = names;
        return ERR_NONE;
}

/* ---- opening ---- */

void vault_close(struct vault *vault) {
        if (!vault)
                return;
        blobs_free_auto(&vault->blobs);
        keyring_free_auto(&vault->keyring);
        target_close_auto(&vault->target);
        vault_slot_rows_fini(&vault->slots);
        pthread_mutex_destroy(&vault->lock);
        free(vault);
}

/* The configuration as it says of itself: whether it is the admin's, only a key can tell. */
static enum err read_config(struct vault *vault, struct buf *ret_object, struct err_note *note) {
        struct vault_path path = vault_path_of(VAULT_CONFIG, NULL);
        enum err failed = target_get(vault->target, path.s, OBJECT_MAX, ret_object, note);

        if (failed == ERR_NOT_FOUND)
                return err_set(note, ERR_NOT_FOUND, "%s: there is no vault", vault->target->where);
        if (failed)
                return note->code;
        if (config_open((struct span){ret_object->data, ret_object->n}, &vault->config, note))
                return err_wrap(note, "%s", path.s);
        return ERR_NONE;
}

static enum err check_expected(const struct vault *vault, const struct vault_open_options *options,
                               struct err_note *note) {
        const struct vault_name *expected = options->expected_id;

        if (expected && vault_name_compare(expected, &vault->config.id) != 0)
                return err_set(note, ERR_MISMATCH, "%s: this is the vault %s, not %s", vault->target->where,
                               vault_name_format(&vault->config.id).s, vault_name_format(expected).s);
        if (vault->config.is_encrypted && !options->key)
                return err_set(note, ERR_DENIED, "%s: the vault is encrypted; a key is needed",
                               vault->target->where);
        if (!vault->config.is_encrypted && options->key)
                return err_set(note, ERR_DENIED, "%s: the vault is not encrypted, but a key was given",
                               vault->target->where);
        return ERR_NONE;
}

static enum err open_blobs(struct vault *vault, const char *cache, struct err_note *note) {
        AUTO_FREE char *own =
                cache ? mem_format("%s/%s", cache, vault_name_format(&vault->config.id).s) : NULL;
        const struct blobs_excluded none = {0};
        const struct blobs_options options = {
                .io = vault->io, .target = vault->target, .keyring = vault->keyring, .cache = own};

        if (blobs_new(&options, &vault->blobs, note))
                return note->code;
        if (blobs_refresh(vault->blobs, &none, note))
                return note->code;
        return taints_use(vault, note);
}

static enum err open_opened(struct vault *vault, const struct vault_open_options *options,
                            struct err_note *note) {
        AUTO(buf_fini) struct buf object = {0};

        if (read_config(vault, &object, note) || check_expected(vault, options, note))
                return note->code;
        if (!vault->config.is_encrypted)
                vault->keyring = keyring_new_plain(&vault->config.id);
        else if (key_open(vault->target, &vault->config, options->key, &vault->keyring, note))
                return note->code;
        if (keyring_check_config(vault->keyring, (struct span){object.data, object.n}, note))
                return err_wrap(note, "%s", vault->target->where);
        return open_blobs(vault, options->cache, note);
}

static struct vault *vault_new(struct io *io, struct target *target) {
        struct vault *vault = mem_new(struct vault);

        vault->io = io;
        vault->target = target;
        pthread_mutex_init(&vault->lock, NULL);
        return vault;
}

enum err vault_open(struct io *io, struct target *target, const struct vault_open_options *options,
                    struct vault **ret, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = vault_new(io, target);

        if (open_opened(vault, options, note)) {
                vault->target = NULL; /* it is the caller's still */
                return note->code;
        }
        *ret = TAKE(vault);
        return ERR_NONE;
}
