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
        {.name = "name",
         .kind = PARAM_TEXT,
         .flags = PARAM_REPEATED,
         .help = "Only points of this name; may be given more than once."},
        {.name = "vm",
         .kind = PARAM_UUID,
         .flags = PARAM_REPEATED,
         .help = "Only points of the VM with this uuid, likewise."},
        {.name = "newer-than",
         .kind = PARAM_TEXT,
         .shown = "AGE",
         .help = "Only points that are not older, such as 36h or 30d; or a time, such as "
                 "2026-11-21T03:20:42Z."},
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
        {"left", FIELD_NUMBER, "of these, that could not be had: damaged, or let go meanwhile", false},
        {"bytes", FIELD_SIZE, "that were to be read", true},
        {"missing", FIELD_OBJECT, "what was to be sent: point, name, time, and bytes to read", true},
        {"left_out", FIELD_OBJECT, "what could not be had: point, name, time, and why", true},
        {0},
};

struct syncing {
        struct verb_call *call;    /* borrowed */
        struct vault *from, *to;   /* owned */
        struct sync *sync;         /* owned */
        uint64_t done;             /* bytes gone through of the points before */
        const char **names, **vms; /* owned, the texts the call's */
};

static void syncing_fini(struct syncing *syncing) {
        sync_free(syncing->sync);
        free(syncing->names);
        free(syncing->vms);
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
static void say_first(struct syncing *syncing, uint64_t n_to_send, uint64_t bytes) {
        AUTO_FREE char *line = mem_format("%llu points are to be sent: %s to read, hash and seal anew",
                                          (unsigned long long)n_to_send, text_size(bytes).s);

        progress_say(syncing->call->progress, line);
}

static enum err send_all(struct syncing *syncing, json_t *missing, struct err_note *note) {
        struct sync_todo todo;

        while (sync_todo(syncing->sync, &todo)) {
                json_array_append_new(missing, json_of_todo(&todo));
                if (call_flag(syncing->call, "dry-run")) {
                        sync_pass(syncing->sync);
                        continue;
                }
                if (sync_step(syncing->sync, note))
                        return note->code;
                syncing->done += todo.through;
        }
        return ERR_NONE;
}

static json_t *json_of_left(const struct sync_left *left) {
        const struct vault_manifest *manifest = &left->point->manifest;

        return json_pack("{s:s, s:o, s:s, s:o}", "point", vault_name_format(&left->point->name).s, "name",
                         json_of_text(manifest->name), "time", text_time(manifest->time).s, "why",
                         json_of_text(left->why));
}

/* One that could not be had is nobody's secret: the rest is sent, and this is said at the end. */
static void put_left(struct syncing *syncing) {
        struct verb_call *call = syncing->call;
        json_t *rows = json_array();
        size_t n;
        const struct sync_left *left = sync_left(syncing->sync, &n);

        for (size_t i = 0; i < n; i++) {
                AUTO_FREE char *line = mem_format("not sent: %s of %s: %s", left[i].point->manifest.name,
                                                  text_time(left[i].point->manifest.time).s, left[i].why);

                progress_say(call->progress, line);
                json_array_append_new(rows, json_of_left(&left[i]));
        }
        call_put(call, "left", json_of_u64(n));
        call_put(call, "left_out", rows);
        if (n > 0)
                call->outcome = VERB_PARTIAL;
}

static void put_result(struct verb_call *call, const struct sync_count *count, json_t *missing) {
        call_put(call, "points", json_of_u64(count->n_points));
        call_put(call, "there", json_of_u64(count->n_there));
        call_put(call, "sent", json_of_u64(count->n_sent));
        call_put(call, "read", json_of_u64(count->read));
        call_put(call, "stored", json_of_u64(count->stored));
        call_put(call, "bytes", json_of_u64(count->bytes));
        call_put(call, "missing", missing);
}

/* ---- what is asked for ---- */

static const char **texts_of(struct verb_call *call, const char *param, size_t *ret_n) {
        const json_t *list = call_list(call, param);
        const char **texts = mem_zero(max_u64(1, json_array_size(list)) * sizeof *texts);

        *ret_n = json_array_size(list);
        for (size_t i = 0; i < *ret_n; i++)
                texts[i] = json_string_value(json_array_get(list, i));
        return texts;
}

static enum err take_since(struct verb_call *call, int64_t *ret, struct err_note *note) {
        const char *text = call_text(call, "newer-than");
        uint64_t age;

        if (!text || text_parse_time(text, ret))
                return ERR_NONE;
        if (!text_parse_seconds(text, &age))
                return call_usage(call, note,
                                  "--newer-than wants an age, such as 36h or 30d, or a time, such as "
                                  "2026-11-21T03:20:42Z, not '%s'",
                                  text);
        *ret = io_wall_ns(call->io) / 1000000000 - (int64_t)age;
        return ERR_NONE;
}

static enum err take_options(struct syncing *syncing, struct sync_options *ret, struct err_note *note) {
        struct verb_call *call = syncing->call;

        *ret = (struct sync_options){.last = call_has(call, "last") ? (unsigned)call_number(call, "last") : 0,
                                     .step = step,
                                     .user = syncing};
        syncing->names = texts_of(call, "name", &ret->n_names);
        syncing->vms = texts_of(call, "vm", &ret->n_vms);
        ret->names = syncing->names;
        ret->vms = syncing->vms;
        return take_since(call, &ret->since, note);
}

static enum err run_sync(struct verb_call *call, struct err_note *note) {
        AUTO(syncing_fini) struct syncing syncing = {.call = call};
        AUTO(json_decref) json_t *missing = json_array();
        struct sync_options options;
        struct sync_count count;
        size_t n_left;

        if (take_options(&syncing, &options, note))
                return note->code;
        if (open_both(&syncing, note) || sync_begin(syncing.from, syncing.to, &options, &syncing.sync, note))
                return err_wrap(note, "sync");
        count = sync_count(syncing.sync);
        (void)sync_left(syncing.sync, &n_left);
        say_first(&syncing, count.n_points - count.n_there - n_left, count.bytes);
        progress_begin(call->progress, "sync", count.through);
        if (send_all(&syncing, missing, note))
                return err_wrap(note, "sync %s to %s", call_text(call, "from"), call_text(call, "to"));
        progress_end(call->progress);
        count = sync_count(syncing.sync);
        put_result(call, &count, json_incref(missing));
        put_left(&syncing);
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
                "stopped goes on where it was, and a second one sends nothing. A point that is damaged "
                "stands in no other's way: it is left out, said at the end, and the exit status is that of "
                "something done in part. A copy that is recorded as damaged is sent again.",
        .params = sync_params,
        .shape = SHAPE_RECORD,
        .fields = sync_fields,
        .run = run_sync,
        .is_local = true,
};
