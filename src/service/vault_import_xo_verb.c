// SPDX-License-Identifier: Apache-2.0
#include "crypt.h"
#include "mem.h"
#include "text.h"
#include "vault_call.h"
#include "vault_verbs.h"
#include "xo_import.h"

static const struct param import_params[] = {
        VAULT_PARAM,
        KEY_PARAMS,
        {.name = "dir",
         .kind = PARAM_PATH,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .shown = "DIR",
         .help = "The remote: the directory in which Xen Orchestra has its folder xo-vm-backups."},
        {.name = "xo-key-file",
         .kind = PARAM_PATH,
         .shown = "FILE",
         .help = "Where the remote is encrypted: a file with its key, the 32 characters given to Xen "
                 "Orchestra."},
        {.name = "vm",
         .kind = PARAM_UUID,
         .flags = PARAM_REPEATED,
         .help = "Only the VM with this uuid; may be given more than once."},
        {.name = "dry-run", .kind = PARAM_FLAG, .help = "Says what would be put, and puts nothing."},
        {0},
};

static const struct field import_fields[] = {
        {"points", FIELD_NUMBER, "that were asked for", false},
        {"there", FIELD_NUMBER, "of these, that the vault had", false},
        {"imported", FIELD_NUMBER, "of these, that it has now", false},
        {"left", FIELD_NUMBER, "of these, that could not be read", false},
        {"read", FIELD_SIZE, "bytes of the disks that were read", false},
        {"stored", FIELD_SIZE, "bytes that they take in the vault", false},
        {"missing", FIELD_OBJECT, "what was to be put: vm, name, point, and bytes to read", true},
        {"left_out", FIELD_OBJECT, "what could not be read: path, and why", true},
        {0},
};

struct importing {
        struct verb_call *call; /* borrowed */
        struct vault *vault;    /* owned */
        struct xo_remote remote;
        struct xo_import *import; /* owned */
        const char **vms;         /* owned, the texts the call's */
        uint64_t done;            /* bytes of the points before */
};

static void importing_fini(struct importing *importing) {
        xo_import_free(importing->import);
        xo_remote_fini(&importing->remote);
        if (importing->vault)
                vault_close(importing->vault);
        free(importing->vms);
}
DEFINE_AUTO_IN_PLACE(struct importing, importing_fini);

static enum err step(void *user, uint64_t done, struct err_note *note) {
        struct importing *importing = user;

        return progress_step(importing->call->progress, importing->done + done, note);
}

/* The first line, without its end. */
static enum err read_key(struct io *io, const char *path, uint8_t ret[XO_KEY_SIZE], struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        char text[XO_KEY_SIZE + 3];
        size_t n = 0;

        if (io_open(io, path, IO_READ, &file, note) || io_read_some(file, text, sizeof text, 0, &n, note))
                return err_wrap(note, "read %s", path);
        while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
                n--;
        if (n == XO_KEY_SIZE)
                memcpy(ret, text, XO_KEY_SIZE);
        crypt_wipe(text, sizeof text);
        return n == XO_KEY_SIZE
                       ? ERR_NONE
                       : err_set(note, ERR_INVALID, "%s: a key has %d characters", path, XO_KEY_SIZE);
}

static enum err open_remote(struct importing *importing, struct err_note *note) {
        struct verb_call *call = importing->call;
        const char *file = call_text(call, "xo-key-file");
        uint8_t key[XO_KEY_SIZE];
        enum err err;

        if (file && read_key(call->io, file, key, note))
                return note->code;
        err = xo_remote_open(call->io, call_text(call, "dir"), file ? key : NULL, &importing->remote, note);
        crypt_wipe(key, sizeof key);
        return err;
}

static enum err begin(struct importing *importing, struct err_note *note) {
        struct verb_call *call = importing->call;
        const json_t *list = call_list(call, "vm");
        size_t n = json_array_size(list);
        struct xo_import_options options = {.n_vms = n, .step = step, .user = importing};

        importing->vms = mem_zero(max_u64(1, n) * sizeof *importing->vms);
        for (size_t i = 0; i < n; i++)
                importing->vms[i] = json_string_value(json_array_get(list, i));
        options.vms = importing->vms;
        if (open_remote(importing, note))
                return note->code;
        if (vault_call_open(call, &importing->vault, note))
                return err_wrap(note, "open vault %s", call_text(call, "vault"));
        return xo_import_begin(importing->vault, &importing->remote, &options, &importing->import, note);
}

static json_t *json_of_todo(const struct xo_import_todo *todo) {
        const struct xo_meta *meta = &todo->point->meta;

        return json_pack("{s:s, s:o, s:s, s:o}", "vm", uuid_format(&meta->vm_uuid).s, "name",
                         json_of_text(meta->vm_name), "point", todo->point->name, "bytes",
                         json_of_u64(todo->bytes));
}

static enum err import_all(struct importing *importing, json_t *missing, struct err_note *note) {
        struct progress *progress = importing->call->progress;
        struct xo_import_todo todo;

        while (xo_import_todo(importing->import, &todo)) {
                json_array_append_new(missing, json_of_todo(&todo));
                if (call_flag(importing->call, "dry-run")) {
                        xo_import_pass(importing->import);
                        continue;
                }
                progress->total += todo.bytes;
                if (xo_import_step(importing->import, note))
                        return note->code;
                importing->done += todo.bytes;
        }
        return ERR_NONE;
}

/* One that could not be read stands in no other's way: the rest is put, and this is said at the end. */
static void put_left(struct importing *importing) {
        struct verb_call *call = importing->call;
        json_t *rows = json_array();
        size_t n;
        const struct xo_left *left = xo_import_left(importing->import, &n);

        for (size_t i = 0; i < n; i++) {
                AUTO_FREE char *line = mem_format("not imported: %s: %s", left[i].path, left[i].why);

                progress_say(call->progress, line);
                json_array_append_new(rows, json_pack("{s:o, s:o}", "path", json_of_text(left[i].path), "why",
                                                      json_of_text(left[i].why)));
        }
        call_put(call, "left", json_of_u64(n));
        call_put(call, "left_out", rows);
        if (n > 0)
                call->outcome = VERB_PARTIAL;
}

static void put_result(struct importing *importing, json_t *missing) {
        const struct xo_import_count count = xo_import_count(importing->import);
        struct verb_call *call = importing->call;

        call_put(call, "points", json_of_u64(count.n_points));
        call_put(call, "there", json_of_u64(count.n_there));
        call_put(call, "imported", json_of_u64(count.n_put));
        call_put(call, "read", json_of_u64(count.read));
        call_put(call, "stored", json_of_u64(count.stored));
        call_put(call, "missing", missing);
        put_left(importing);
}

static enum err run_import(struct verb_call *call, struct err_note *note) {
        AUTO(importing_fini) struct importing importing = {.call = call};
        AUTO(json_decref) json_t *missing = json_array();

        if (begin(&importing, note))
                return err_wrap(note, "import %s", call_text(call, "dir"));
        progress_begin(call->progress, "import", 0);
        if (import_all(&importing, missing, note))
                return err_wrap(note, "import %s", call_text(call, "dir"));
        progress_end(call->progress);
        put_result(&importing, json_incref(missing));
        return ERR_NONE;
}

const struct verb vault_import_xo_verb = {
        .name = "import-xo",
        .summary = "Makes points of the backups that Xen Orchestra has in a remote.",
        .details =
                "Oldest first, each as what its VHDs hold by themselves where the one before is in the "
                "vault. VHD files and directories are read, compressed by brotli or gzip or not, encrypted "
                "ones with the remote's key; and the XVAs of full backups, compressed or not, but no "
                "encrypted ones. Nothing is ever written there. A point that is broken, or that "
                "a merge is taking apart, stands in no other's way: it is left out, said at the end, and "
                "the exit status is that of something done in part. A second run goes on where this one "
                "ended. Have no backup run on the remote meanwhile: what a merge takes away under this "
                "is left out too, and comes with the next run.",
        .params = import_params,
        .shape = SHAPE_RECORD,
        .fields = import_fields,
        .run = run_import,
        .is_local = true,
};
