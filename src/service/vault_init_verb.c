// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "mem.h"
#include "text.h"
#include "vault_call.h"
#include "vault_verbs.h"

static const struct param init_params[] = {
        {.name = "vault",
         .kind = PARAM_PATH,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .shown = "VAULT",
         .help = "Where it will be: a directory that is empty or not there, or s3://BUCKET/PREFIX."},
        WHERE_PARAMS,
        {.name = "key-file",
         .kind = PARAM_PATH,
         .shown = "KEY",
         .help = "The key file that opens it; made, readable by you alone, where it is not there."},
        {.name = "passphrase-file",
         .kind = PARAM_PATH,
         .shown = "FILE",
         .help = "The passphrase that opens it: this file's first line."},
        {.name = "no-encryption",
         .kind = PARAM_FLAG,
         .help = "Whoever can read the directory can read what is in it. This is for ever."},
        {.name = "chunk",
         .kind = PARAM_SIZE,
         .fallback = "256K",
         .help = "Bytes of a chunk: a power of two, 64K to 4M. Small ones find more that is equal."},
        {.name = "compression",
         .kind = PARAM_CHOICE,
         .choices = "zstd|none",
         .fallback = "zstd",
         .help = "Of chunks."},
        {.name = "list-lag",
         .kind = PARAM_NUMBER,
         .shown = "SECONDS",
         .fallback = "0",
         .help = "How long its listings may lack what was put: 0 for a local directory and S3, 120 for NFS "
                 "and SMB, where each step of a run that lists waits for it."},
        {.name = "level", .kind = PARAM_NUMBER, .fallback = "1", .help = "Of zstd: 1 to 19."},
        {0},
};

static const struct field init_fields[] = {
        {"vault", FIELD_TEXT, "where it is", false},
        {"id", FIELD_TEXT, "its id", false},
        {"encrypted", FIELD_BOOL, "it has keys", false},
        {"key_file", FIELD_TEXT, "that opens it; null: none", false},
        {0},
};

static enum err take_key(struct verb_call *call, struct vault_key *ret, bool *ret_has,
                         struct err_note *note) {
        const char *file = call_text(call, "key-file"), *passphrase = call_text(call, "passphrase-file");

        if (call_flag(call, "no-encryption") ? file || passphrase : !file && !passphrase)
                return call_usage(call, note,
                                  "say --key-file KEY, --passphrase-file FILE or --no-encryption");
        if (!file || passphrase)
                return vault_call_key(call, ret, ret_has, note);
        *ret_has = true;
        return vault_call_key_file(call->io, file, ret, note);
}

static enum err take_config(struct verb_call *call, struct vault_config *ret, struct err_note *note) {
        uint64_t chunk = call_number(call, "chunk"), level = call_number(call, "level");

        vault_config_defaults(ret);
        if (chunk < VAULT_CHUNK_MIN || chunk > VAULT_CHUNK_MAX || (chunk & (chunk - 1)) != 0)
                return call_usage(call, note, "--chunk is a power of two from 64K to 4M");
        if (level < 1 || level > 19)
                return call_usage(call, note, "--level is 1 to 19");
        ret->chunk = (uint32_t)chunk;
        if (call_number(call, "list-lag") > 3600)
                return call_usage(call, note, "--list-lag is 0 to 3600 seconds");
        ret->list_lag_seconds = (uint32_t)call_number(call, "list-lag");
        ret->compresses = strcmp(call_text(call, "compression"), "zstd") == 0;
        ret->level = (int)level;
        ret->is_encrypted = !call_flag(call, "no-encryption");
        return ERR_NONE;
}

/* To stderr and not into the result, which others may keep. */
static void tell_recovery(struct verb_call *call, struct vault_recovery_text *text) {
        AUTO_FREE char *line = mem_format("recovery key, shown this once: %s", text->s);

        progress_say(call->progress, line);
        explicit_bzero(line, strlen(line));
        explicit_bzero(text, sizeof *text);
}

static enum err run_init(struct verb_call *call, struct err_note *note) {
        const char *where = call_text(call, "vault");
        AUTO(vault_key_fini) struct vault_key key = {0};
        AUTO(target_close) struct target *target = NULL;
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO_FREE char *cache = vault_call_cache(call);
        struct vault_init_options options = {.cache = cache};
        struct vault_recovery_text recovery;
        bool has_key = false;

        if (take_config(call, &options.config, note) || take_key(call, &key, &has_key, note))
                return note->code;
        options.key = has_key ? &key : NULL;
        if (vault_where_open(call, where, true, &target, note) ||
            vault_init(call->io, target, &options, &vault, &recovery, note))
                return err_wrap(note, "make vault %s", where);
        (void)TAKE(target);
        if (vault->config.is_encrypted)
                tell_recovery(call, &recovery);
        call_put(call, "vault", json_of_text(where));
        call_put(call, "id", json_string(vault_name_format(&vault->config.id).s));
        call_put(call, "encrypted", json_boolean(vault->config.is_encrypted));
        call_put(call, "key_file", json_of_text(call_text(call, "key-file")));
        return ERR_NONE;
}

const struct verb vault_init_verb = {
        .name = "init",
        .summary = "Makes a vault.",
        .details =
                "It is encrypted unless --no-encryption says otherwise. Who loses every key and the recovery "
                "key, which is told once on the error stream, loses what is in it: write it down.",
        .params = init_params,
        .shape = SHAPE_RECORD,
        .fields = init_fields,
        .run = run_init,
        .is_local = true,
};
