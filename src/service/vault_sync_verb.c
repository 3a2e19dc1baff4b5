// SPDX-License-Identifier: Apache-2.0
#include "mem.h"
#include "sync.h"
#include "text.h"
#include "vault_call.h"
#include "vault_verbs.h"

static const struct param sync_params[] = {
        {.name = "from",
         .kind = PARAM_PATH,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .shown = "VAULT",
         .help = "The vault whose points are sent: its directory, or s3://BUCKET/PREFIX."},
        {.name = "to",
         .kind = PARAM_PATH,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .shown = "VAULT2",
         .help = "The vault that gets them, said likewise."},
        KEY_PARAMS,
        {.name = "to-key-file",
         .kind = PARAM_PATH,
         .shown = "KEY",
         .help = "Opens the second one, where that is not by the first one's key."},
        {.name = "to-passphrase-file",
         .kind = PARAM_PATH,
         .shown = "FILE",
         .help = "Likewise, by the passphrase that is this file's first line."},
        {.name = "to-plain", .kind = PARAM_FLAG, .help = "The second one is not encrypted."},
        {.name = "name", .kind = PARAM_TEXT, .help = "Only points of this name."},
        {.name = "last", .kind = PARAM_NUMBER, .shown = "N", .help = "Only the newest N of each name."},
        {.name = "dry-run", .kind = PARAM_FLAG, .help = "Says what would be sent, and sends nothing."},
        WHERE_PARAMS,
        {0},
};

static const struct field sync_fields[] = {
        {"points", FIELD_NUMBER, "that were asked for", false},
        {"there", FIELD_NUMBER, "of these, that the second vault had", false},
        {"sent", FIELD_NUMBER, "of these, that it has now", false},
        {"read", FIELD_SIZE, "bytes of the first vault's disks", false},
        {"stored", FIELD_SIZE, "bytes that they take in the second", false},
        {"missing", FIELD_OBJECT, "what was to be sent: point, name, time, and bytes to read", true},
        {0},
};

struct syncing {
        struct verb_call *call;  /* borrowed */
        struct vault *from, *to; /* owned */
        struct sync *sync;       /* owned */
        uint64_t done;           /* bytes of the points before */
};

static void syncing_fini(struct syncing *syncing) {
        sync_free(syncing->sync);
        if (syncing->from)
                vault_close(syncing->from);
        if (syncing->to)
                vault_close(syncing->to);
}
DEFINE_AUTO_IN_PLACE(struct syncing, syncing_fini);

static enum err step(void *user, uint64_t done, struct err_note *note) {
        struct syncing *syncing = user;

        return progress_step(syncing->call->progress, syncing->done + done, note);
}

/* The second vault's; the first one's where none is named. */
static enum err other_key(struct verb_call *call, const struct vault_key *first, struct vault_key *own,
                          const struct vault_key **ret, struct err_note *note) {
        const char *file = call_text(call, "to-key-file"),
                   *passphrase = call_text(call, "to-passphrase-file");
        bool is_plain = call_flag(call, "to-plain");

        if ((file != NULL) + (passphrase != NULL) + is_plain > 1)
                return call_usage(call, note, "--to-key-file, --to-passphrase-file, --to-plain: one of them");
        *ret = is_plain ? NULL : file || passphrase ? own : first;
        if (file)
                return vault_key_read_file(call->io, file, own, note);
        return passphrase ? vault_key_read_passphrase(call->io, passphrase, own, note) : ERR_NONE;
}

static enum err open_both(struct syncing *syncing, struct err_note *note) {
        struct verb_call *call = syncing->call;
        AUTO(vault_key_fini) struct vault_key key = {0}, own = {0};
        const struct vault_key *other = NULL;
        bool has_key;

        if (vault_call_key(call, &key, &has_key, note) ||
            other_key(call, has_key ? &key : NULL, &own, &other, note))
                return note->code;
        if (vault_call_open_at(call, call_text(call, "from"), has_key ? &key : NULL, &syncing->from, note))
                return err_wrap(note, "open vault %s", call_text(call, "from"));
        if (vault_call_open_at(call, call_text(call, "to"), other, &syncing->to, note))
                return err_wrap(note, "open vault %s", call_text(call, "to"));
        return ERR_NONE;
}

static json_t *json_of_todo(const struct sync_todo *todo) {
        const struct vault_manifest *manifest = &todo->point->manifest;

        return json_pack("{s:s, s:o, s:s, s:o}", "point", vault_name_format(&todo->point->name).s, "name",
                         json_of_text(manifest->name), "time", text_time(manifest->time).s, "bytes",
                         json_of_u64(todo->bytes));
}

/* What is told first: how much, and that none of it goes over as it is sealed. */
static void say_first(struct syncing *syncing, const struct sync_todo *todo) {
        AUTO_FREE char *line =
                mem_format("%s of %s: %s to read, hash and seal anew", todo->point->manifest.name,
                           text_time(todo->point->manifest.time).s, text_size(todo->bytes).s);

        progress_say(syncing->call->progress, line);
}

static enum err send_all(struct syncing *syncing, json_t *missing, struct err_note *note) {
        struct progress *progress = syncing->call->progress;
        struct sync_todo todo;
        bool is_there;

        for (;;) {
                if (sync_todo(syncing->sync, &is_there, &todo, note))
                        return note->code;
                if (!is_there)
                        return ERR_NONE;
                json_array_append_new(missing, json_of_todo(&todo));
                if (call_flag(syncing->call, "dry-run")) {
                        sync_pass(syncing->sync);
                        continue;
                }
                say_first(syncing, &todo);
                progress->total += todo.bytes;
                if (sync_step(syncing->sync, note))
                        return note->code;
                syncing->done += todo.bytes;
        }
}

static void put_result(struct verb_call *call, const struct sync_count *count, json_t *missing) {
        call_put(call, "points", json_of_u64(count->n_points));
        call_put(call, "there", json_of_u64(count->n_there));
        call_put(call, "sent", json_of_u64(count->n_sent));
        call_put(call, "read", json_of_u64(count->read));
        call_put(call, "stored", json_of_u64(count->stored));
        call_put(call, "missing", missing);
}

static enum err run_sync(struct verb_call *call, struct err_note *note) {
        AUTO(syncing_fini) struct syncing syncing = {.call = call};
        const struct sync_options options = {
                .name = call_text(call, "name"),
                .last = call_has(call, "last") ? (unsigned)call_number(call, "last") : 0,
                .step = step,
                .user = &syncing};
        AUTO(json_decref) json_t *missing = json_array();
        struct sync_count count;

        if (open_both(&syncing, note) || sync_begin(syncing.from, syncing.to, &options, &syncing.sync, note))
                return err_wrap(note, "sync");
        progress_begin(call->progress, "sync", 0);
        if (send_all(&syncing, missing, note))
                return err_wrap(note, "sync %s to %s", call_text(call, "from"), call_text(call, "to"));
        progress_end(call->progress);
        count = sync_count(syncing.sync);
        put_result(call, &count, json_incref(missing));
        return ERR_NONE;
}

const struct verb vault_sync_verb = {
        .name = "sync",
        .summary = "Sends to another vault the points that it lacks.",
        .details =
                "Oldest first, each as what differs from its parent. Chunks are read and checked, and hashed "
                "and sealed anew by the other vault's keys; what it has is not stored again. Names, times "
                "and "
                "what is said of VMs stay. A point counts when all of it is durable there, so a sync that "
                "was "
                "stopped goes on where it was, and a second one sends nothing.",
        .params = sync_params,
        .shape = SHAPE_RECORD,
        .fields = sync_fields,
        .run = run_sync,
        .is_local = true,
};
