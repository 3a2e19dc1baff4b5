// SPDX-License-Identifier: Apache-2.0
/* The configuration of a vault. */
#include "vault_member.h"

enum { FORMAT = 1, LEVEL_MAX = 22, LAG_MAX = 24 * 60 * 60, PACK_MAX = 1 << 30 };
enum { METHOD_NONE, METHOD_ZSTD };
enum { ENCRYPTION_NONE, ENCRYPTION_AES_256_GCM };
static const char *const methods[] = {"none", "zstd"};
static const char *const encryptions[] = {"none", "aes-256-gcm"};

void vault_config_defaults(struct vault_config *config) {
        *config = (struct vault_config){
                .chunk = 256 * KIB, .pack = 32 * MIB, .compresses = true, .level = 1, .is_encrypted = true};
}

static json_t *compression_of(const struct vault_config *config) {
        json_t *compression = json_object();

        vault_put_text(compression, "method", methods[config->compresses ? METHOD_ZSTD : METHOD_NONE]);
        if (config->compresses)
                vault_put_number(compression, "level", (uint64_t)config->level);
        return compression;
}

void vault_config_encode(const struct vault_config *config, struct buf *ret) {
        json_t *body = json_object();

        vault_put_number(body, "format", FORMAT);
        vault_put_time(body, "created", config->created);
        vault_put_number(body, "chunk", config->chunk);
        vault_put_number(body, "pack", config->pack);
        json_object_set_new(body, "compression", compression_of(config));
        vault_put_text(body, "encryption",
                       encryptions[config->is_encrypted ? ENCRYPTION_AES_256_GCM : ENCRYPTION_NONE]);
        vault_put_bool(body, "append_only", config->is_append_only);
        vault_put_number(body, "list_lag_seconds", config->list_lag_seconds);
        json_object_set_new(body, "incompatible", json_array());
        json_object_set_new(body, "compatible", json_array());
        json_object_set_new(body, "autoclear", json_array());
        if (config->is_encrypted) {
                vault_put_hex(body, "admin", config->admin, sizeof config->admin);
                vault_put_hex(body, "mac", config->mac, sizeof config->mac);
        }
        vault_body_add(body, ret);
}

/* Before anything else is believed: what a newer format means by its members is not known. */
static enum err check_features(const json_t *body, struct err_note *note) {
        json_t *features, *first;
        uint64_t format;

        if (vault_take_number(body, "format", 0, INT64_MAX, &format, note) ||
            vault_take_array(body, "incompatible", &features, note))
                return note->code;
        if (format != FORMAT)
                return err_set(note, ERR_UNSUPPORTED, "format %llu", (unsigned long long)format);
        first = json_array_get(features, 0);
        if (first)
                return err_set(note, ERR_UNSUPPORTED, "feature \"%s\"",
                               json_is_string(first) ? json_string_value(first) : "?");
        return ERR_NONE;
}

static enum err take_compression(const json_t *body, struct vault_config *ret, struct err_note *note) {
        json_t *compression;
        uint64_t level;
        unsigned method;

        if (vault_take_object(body, "compression", &compression, note) ||
            vault_take_word(compression, "method", methods, 2, &method, note))
                return note->code;
        ret->compresses = method == METHOD_ZSTD;
        if (!ret->compresses)
                return ERR_NONE;
        if (vault_take_number(compression, "level", 1, LEVEL_MAX, &level, note))
                return note->code;
        ret->level = (int)level;
        return ERR_NONE;
}

static enum err take_encryption(const json_t *body, struct vault_config *ret, struct err_note *note) {
        unsigned encryption;

        if (vault_take_word(body, "encryption", encryptions, 2, &encryption, note))
                return note->code;
        ret->is_encrypted = encryption == ENCRYPTION_AES_256_GCM;
        if (!ret->is_encrypted)
                return ERR_NONE;
        if (vault_take_hex(body, "admin", ret->admin, sizeof ret->admin, note) ||
            vault_take_hex(body, "mac", ret->mac, sizeof ret->mac, note))
                return note->code;
        return ERR_NONE;
}

static enum err take_use(const json_t *body, struct vault_config *ret, struct err_note *note) {
        uint64_t lag;

        if (vault_take_time(body, "created", &ret->created, note) ||
            vault_take_bool(body, "append_only", &ret->is_append_only, note) ||
            vault_take_number(body, "list_lag_seconds", 0, LAG_MAX, &lag, note))
                return note->code;
        ret->list_lag_seconds = (uint32_t)lag;
        return ERR_NONE;
}

enum err vault_config_decode(struct span text, struct vault_config *ret, struct err_note *note) {
        AUTO(json_decref) json_t *body = NULL;
        struct vault_config config = {0};

        if (vault_body_load(text, &body, note) || check_features(body, note) ||
            vault_take_chunk(body, &config.chunk, note) ||
            vault_take_number(body, "pack", config.chunk, PACK_MAX, &config.pack, note) ||
            take_compression(body, &config, note) || take_encryption(body, &config, note) ||
            take_use(body, &config, note))
                return err_wrap(note, "configuration");
        *ret = config;
        return ERR_NONE;
}

enum err vault_config_mac_text(struct span text, struct buf *ret, struct err_note *note) {
        AUTO(json_decref) json_t *body = NULL;

        if (vault_body_load(text, &body, note))
                return err_wrap(note, "configuration");
        json_object_del(body, "mac");
        vault_body_add(TAKE(body), ret);
        return ERR_NONE;
}
