// SPDX-License-Identifier: Apache-2.0
/* Who can open a vault: vault key. */
#include <string.h>

#include "text.h"
#include "vault_call.h"
#include "vault_verbs.h"

static const struct param key_params[] = {
        VAULT_PARAM,
        KEY_PARAMS,
        {.name = "action",
         .kind = PARAM_CHOICE,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .shown = "ACTION",
         .choices = "list|add|remove|rotate",
         .help = "list: who can open it. add: lets one more. remove: takes SLOT away. rotate: what is sealed "
                 "from "
                 "now on has a new key, for all who are left."},
        {.name = "slot",
         .kind = PARAM_TEXT,
         .flags = PARAM_POSITIONAL,
         .shown = "SLOT",
         .help = "For remove."},
        {.name = "new-key-file",
         .kind = PARAM_PATH,
         .shown = "KEY",
         .help = "For add: this key file opens it; made, readable by you alone, where it is not there."},
        {.name = "new-passphrase-file",
         .kind = PARAM_PATH,
         .shown = "FILE",
         .help = "For add: the passphrase that is this file's first line opens it."},
        {.name = "role",
         .kind = PARAM_CHOICE,
         .choices = "reader|writer|admin",
         .fallback = "reader",
         .help = "For add: a reader restores, a writer also backs up, an admin may do everything."},
        {.name = "label", .kind = PARAM_TEXT, .help = "For add: who it is, for people."},
        {0},
};

static const struct field key_fields[] = {
        {"slot", FIELD_TEXT, "its name", false},
        {"kind", FIELD_TEXT, "key-file, passphrase, recovery; retired: a writer that was removed", false},
        {"role", FIELD_TEXT, "reader, writer, admin", false},
        {"label", FIELD_TEXT, "for people; null: none", false},
        {"created", FIELD_TIME, "when it was added", false},
        {0},
};

static json_t *json_of_slot(const struct vault_slot_row *row) {
        const struct vault_slot *slot = &row->slot;

        return json_pack("{s:s, s:s, s:s, s:o, s:s}", "slot", vault_name_format(&row->name).s, "kind",
                         vault_slot_kind_text(slot->kind), "role", vault_role_text(slot->role), "label",
                         json_of_text(slot->label && *slot->label ? slot->label : NULL), "created",
                         text_time(slot->created).s);
}

/* Whatever was done, the slots as they are now are the result. */
static enum err list(struct verb_call *call, struct vault *vault, struct err_note *note) {
        AUTO(vault_slot_rows_fini) struct vault_slot_rows slots = {0};
        json_t *rows;
        unsigned damaged;

        if (key_slots_list(vault->target, &vault->config, &slots, &damaged, note))
                return note->code;
        rows = json_array();
        VEC_EACH (&slots.rows, each) {
                json_array_append_new(rows, json_of_slot(each));
        }
        call_put(call, "slots", rows);
        call_put(call, "damaged", json_of_u64(damaged));
        if (damaged)
                call->outcome = VERB_FINDINGS;
        return ERR_NONE;
}

static enum err take_new_key(struct verb_call *call, struct vault_key *ret, struct err_note *note) {
        const char *file = call_text(call, "new-key-file"),
                   *passphrase = call_text(call, "new-passphrase-file");

        if (!file == !passphrase)
                return call_usage(call, note, "add needs --new-key-file or --new-passphrase-file");
        return file ? vault_call_key_file(call->io, file, ret, note)
                    : vault_key_read_passphrase(call->io, passphrase, ret, note);
}

static enum err add(struct verb_call *call, struct vault *vault, struct err_note *note) {
        struct key_slot_options options = {.label = call_text(call, "label")};
        AUTO(vault_key_fini) struct vault_key key = {0};
        struct vault_name unused;

        if (!vault_role_parse(call_text(call, "role"), &options.role))
                return call_usage(call, note, "--role is reader, writer or admin");
        if (take_new_key(call, &key, note))
                return note->code;
        return key_slots_add(vault->target, call->io, &vault->config, vault->keyring, &key, &options, &unused,
                             note);
}

static enum err take_away(struct verb_call *call, struct vault *vault, struct err_note *note) {
        const char *text = call_text(call, "slot");
        struct vault_name name;

        if (!text)
                return call_usage(call, note, "remove needs SLOT: 'key list' tells their names");
        if (!vault_name_parse(text, &name))
                return err_set(note, ERR_INVALID, "'%s' is no name of a slot: 'key list' tells them", text);
        return key_slots_remove(vault->target, call->io, &vault->config, vault->keyring, &name, note);
}

static enum err act(struct verb_call *call, struct vault *vault, const char *action, struct err_note *note) {
        if (!vault->config.is_encrypted)
                return err_set(note, ERR_UNSUPPORTED, "the vault is not encrypted: it has no keys");
        if (strcmp(action, "list") != 0 && !keyring_can_admin(vault->keyring))
                return err_set(note, ERR_DENIED, "this key's role is not admin");
        if (strcmp(action, "add") == 0 && add(call, vault, note))
                return note->code;
        if (strcmp(action, "remove") == 0 && take_away(call, vault, note))
                return note->code;
        if (strcmp(action, "rotate") == 0 &&
            key_slots_rotate(vault->target, call->io, &vault->config, vault->keyring, note))
                return note->code;
        return list(call, vault, note);
}

static enum err run_key(struct verb_call *call, struct err_note *note) {
        const char *action = call_text(call, "action");
        AUTO(vault_close) struct vault *vault = NULL;

        if (vault_call_open(call, &vault, note) || act(call, vault, action, note))
                return err_wrap(note, "vault %s: key %s", call_text(call, "vault"), action);
        return ERR_NONE;
}

const struct verb vault_key_verb = {
        .name = "key",
        .summary = "Lists, adds and removes who can open a vault, and gives it new keys.",
        .details = "Each holder has a slot of his own, and opens the vault by a file or passphrase of his "
                   "own. Who was "
                   "removed keeps what he has read and the keys until then: rotate after it.",
        .params = key_params,
        .shape = SHAPE_TABLE,
        .rows = "slots",
        .fields = key_fields,
        .run = run_key,
        .is_local = true,
};
