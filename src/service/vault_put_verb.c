// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "mem.h"
#include "overlay_source.h"
#include "vault_call.h"
#include "vault_changed.h"
#include "vault_file.h"
#include "vault_verbs.h"

static const struct param put_params[] = {
        VAULT_PARAM,
        KEY_PARAMS,
        {.name = "name",
         .kind = PARAM_TEXT,
         .flags = PARAM_REQUIRED,
         .help = "Of what it is a point: points of one name belong together."},
        {.name = "parent",
         .kind = PARAM_TEXT,
         .shown = "POINT",
         .help = "The point to compare with: the first digits of its id, or \"latest\" of this name."},
        {.name = "changed",
         .kind = PARAM_PATH,
         .shown = "EXTENTS.json",
         .help = "What alone can differ from the parent; nothing else is read. It says since which point or "
                 "state."},
        {.name = "state",
         .kind = PARAM_TEXT,
         .help = "A name for what the disk holds now, for the next --changed."},
        {.name = "disks",
         .kind = PARAM_PATH,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED | PARAM_REPEATED,
         .shown = "DISK",
         .help = "A VHD, whose parents are followed, or a raw file or device. Of the overlay of 'vault nbd' "
                 "over "
                 "the parent only what it holds is read."},
        {0},
};

static const struct field put_fields[] = {
        {"point", FIELD_TEXT, "its id", false},
        {"name", FIELD_TEXT, "of what", false},
        {"parent", FIELD_TEXT, "null: none", false},
        {"read", FIELD_SIZE, "bytes of the disks that were read", false},
        {"zeros", FIELD_SIZE, "of these, in chunks of nothing else", false},
        {"known", FIELD_SIZE, "of these, in chunks that the vault had", false},
        {"added", FIELD_SIZE, "bytes of chunks that it had not", false},
        {"stored", FIELD_SIZE, "bytes that these take", false},
        {0},
};

struct putting {
        struct verb_call *call; /* borrowed */
        struct vault *vault;    /* borrowed */
        struct put *put;        /* owned; NULL: over */
        struct vault_name parent;
        bool has_parent;
        struct vault_changed changed;
};

static enum err step(void *user, uint64_t done, struct err_note *note) {
        struct putting *putting = user;

        return progress_step(putting->call->progress, done, note);
}

static const char *name_of(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash && slash[1] ? slash + 1 : path;
}

static const struct vault_disk *disk_of_parent(const struct putting *putting, const char *name) {
        const struct vault_manifest *manifest = put_parent(putting->put);

        if (manifest) {
                VEC_EACH (&manifest->disks, each) {
                        if (strcmp(each->name, name) == 0)
                                return each;
                }
        }
        return NULL;
}

static const struct put_extent nothing; /* what a list of none points to */

static enum err choose_changed(struct putting *putting, struct put_disk *disk, struct err_note *note) {
        if (!call_has(putting->call, "changed"))
                return ERR_NONE;
        if (!disk->parent)
                return err_set(note, ERR_MISMATCH, "--changed needs a parent with a disk '%s'", disk->name);
        if (vault_changed_check(&putting->changed, &putting->parent, disk->parent, note))
                return note->code;
        disk->n_changed = putting->changed.extents.n;
        disk->changed = disk->n_changed ? putting->changed.extents.data : &nothing;
        return ERR_NONE;
}

static json_t *about(const struct verb_call *call, const char *path) {
        return json_pack("{s:o, s:o}", "path", json_of_text(path), "state",
                         json_of_text(call_text(call, "state")));
}

/* That will be gone through; what a list of changes touches is about its extents. */
static uint64_t bytes_of(const struct put_disk *disk) {
        uint64_t n = 0;

        if (!disk->changed)
                return disk->source.size;
        for (size_t i = 0; i < disk->n_changed; i++)
                n += disk->changed[i].n;
        return n;
}

/* A VHD over a disk of the parent: false in *ret_is_done where it is none. */
static enum err put_overlay(struct putting *putting, const char *path, bool *ret_is_done,
                            struct err_note *note) {
        const struct vault_manifest *parent = put_parent(putting->put);
        AUTO(overlay_source_fini) struct overlay_source source = {0};
        AUTO(json_decref) json_t *said = about(putting->call, path);
        struct put_disk disk = {.about = said};

        *ret_is_done = false;
        if (!parent || image_kind_of_path(path) != IMAGE_VHD || call_has(putting->call, "changed"))
                return ERR_NONE;
        if (overlay_source_open(putting->vault, putting->call->io, parent, path, &source, note))
                return note->code;
        if (!source.below)
                return ERR_NONE;
        disk.name = source.below->name;
        disk.source = source.source;
        disk.parent = source.below;
        disk.changed = source.changed.n ? source.changed.data : &nothing;
        disk.n_changed = source.changed.n;
        putting->call->progress->total += bytes_of(&disk);
        *ret_is_done = true;
        return put_disk(putting->put, &disk, note) ? err_wrap(note, "%s", path) : ERR_NONE;
}

static enum err put_file(struct putting *putting, const char *path, struct err_note *note) {
        AUTO(vault_source_fini) struct vault_source source = {0};
        AUTO(json_decref) json_t *said = about(putting->call, path);
        struct put_disk disk = {.name = name_of(path), .about = said};

        if (vault_source_open(putting->call->io, path, &source, note))
                return note->code;
        disk.source = source.source;
        disk.parent = disk_of_parent(putting, disk.name);
        if (choose_changed(putting, &disk, note))
                return err_wrap(note, "%s", path);
        putting->call->progress->total += bytes_of(&disk);
        return put_disk(putting->put, &disk, note) ? err_wrap(note, "%s", path) : ERR_NONE;
}

static enum err put_files(struct putting *putting, struct err_note *note) {
        const json_t *paths = call_list(putting->call, "disks"), *path;
        size_t i;

        json_array_foreach(paths, i, path) {
                const char *text = json_string_value(path);
                bool is_done;

                if (put_overlay(putting, text, &is_done, note) || (!is_done && put_file(putting, text, note)))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err find_parent(struct putting *putting, struct vault *vault, struct err_note *note) {
        const char *text = call_text(putting->call, "parent");
        AUTO(point_fini) struct point point = {0};

        if (!text)
                return ERR_NONE;
        if (points_find(vault, text, strcmp(text, "latest") == 0 ? call_text(putting->call, "name") : NULL,
                        &point, note))
                return err_wrap(note, "--parent");
        putting->parent = point.name;
        putting->has_parent = true;
        return ERR_NONE;
}

static enum err check_usage(struct verb_call *call, struct err_note *note) {
        if (!call_has(call, "changed"))
                return ERR_NONE;
        if (!call_has(call, "parent"))
                return call_usage(call, note, "--changed is for --parent");
        if (json_array_size(call_list(call, "disks")) != 1)
                return call_usage(call, note, "--changed is for one disk");
        return ERR_NONE;
}

static void put_result(struct verb_call *call, const struct putting *putting, const struct vault_name *point,
                       const struct put_count *count) {
        call_put(call, "point", json_string(vault_name_format(point).s));
        call_put(call, "name", json_of_text(call_text(call, "name")));
        call_put(call, "parent",
                 putting->has_parent ? json_string(vault_name_format(&putting->parent).s) : json_null());
        call_put(call, "read", json_of_u64(count->read));
        call_put(call, "zeros", json_of_u64(count->zeros));
        call_put(call, "known", json_of_u64(count->known));
        call_put(call, "added", json_of_u64(count->added));
        call_put(call, "stored", json_of_u64(count->stored));
}

static enum err run_all(struct putting *putting, struct vault *vault, struct err_note *note) {
        struct verb_call *call = putting->call;
        struct put_options options = {.name = call_text(call, "name"),
                                      .time = io_wall_ns(call->io) / 1000000000,
                                      .step = step,
                                      .user = putting};
        struct put_count count;
        struct vault_name point;

        if (call_has(call, "changed") &&
            vault_changed_read(call->io, call_text(call, "changed"), &putting->changed, note))
                return note->code;
        if (find_parent(putting, vault, note))
                return note->code;
        options.parent = putting->has_parent ? &putting->parent : NULL;
        if (put_begin(vault, &options, &putting->put, note) || put_files(putting, note))
                return note->code;
        if (put_commit(TAKE(putting->put), &point, &count, note))
                return note->code;
        put_result(call, putting, &point, &count);
        return ERR_NONE;
}

static enum err run_put(struct verb_call *call, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        struct putting putting = {.call = call};
        enum err failed;

        if (check_usage(call, note))
                return note->code;
        if (vault_call_open(call, &vault, note))
                return err_wrap(note, "put into vault %s", call_text(call, "vault"));
        putting.vault = vault;
        progress_begin(call->progress, "back up", 0);
        failed = run_all(&putting, vault, note);
        if (putting.put)
                put_abort(putting.put);
        vault_changed_fini(&putting.changed);
        if (failed)
                return err_wrap(note, "put into vault %s", call_text(call, "vault"));
        progress_end(call->progress);
        return ERR_NONE;
}

const struct verb vault_put_verb = {
        .name = "put",
        .summary = "Backs disks up: makes a point.",
        .details = "Only chunks that the vault has not are stored. With --parent and --changed only these "
                   "extents are "
                   "read. The point counts when all of it is durable; a run that fails leaves nothing that "
                   "is shown.",
        .params = put_params,
        .shape = SHAPE_RECORD,
        .fields = put_fields,
        .run = run_put,
        .is_local = true,
};
