// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "mem.h"
#include "private_file.h"
#include "sr_call.h"
#include "vms_inside.h"

#define FOLDER "unfinished"

static const char *const kinds[] = {[VMS_MAKING] = "make", [VMS_REVERTING] = "revert"};

void vms_parts_fini(struct vms_parts *parts) {
        vec_fini(&parts->list);
}

void vms_unfinished_fini(struct vms_unfinished *unfinished) {
        vms_parts_fini(&unfinished->parts);
}

static char *path_of(struct host *host, const struct uuid *vm) {
        return mem_format("%s/" FOLDER "/%s.json", host->state_dir, uuid_format(vm).s);
}

/* ---- writing ---- */

static json_t *json_of_part(const struct vms_part *part) {
        json_t *o = json_object();

        json_object_set_new(o, "vbd", sr_json_of_uuid(&part->vbd));
        json_object_set_new(o, "vdi", sr_json_of_uuid(&part->vdi));
        json_object_set_new(o, "sr", sr_json_of_uuid(&part->sr));
        json_object_set_new(o, "to", sr_json_of_uuid(&part->to));
        json_object_set_new(o, "made", sr_json_of_uuid(&part->made));
        json_object_set_new(o, "content", sr_json_of_uuid(&part->content));
        json_object_set_new(o, "is_in_place", json_boolean(part->is_in_place));
        return o;
}

static json_t *json_of(const struct vms_unfinished *unfinished) {
        json_t *o = json_object(), *parts = json_array();

        json_object_set_new(o, "kind", json_string(kinds[unfinished->kind]));
        json_object_set_new(o, "vm", sr_json_of_uuid(&unfinished->vm));
        json_object_set_new(o, "snapshot", sr_json_of_uuid(&unfinished->snapshot));
        json_object_set_new(o, "parts", parts);
        VEC_EACH (&unfinished->parts.list, each) {
                json_array_append_new(parts, json_of_part(each));
        }
        return o;
}

static enum err make_folder(struct host *host, struct err_note *note) {
        AUTO_FREE char *folder = mem_format("%s/" FOLDER, host->state_dir);
        enum err failed = io_make_dir(host->io, folder, note);

        if (failed == ERR_EXISTS)
                return ERR_NONE;
        return failed ? failed : io_sync_dir(host->io, host->state_dir, note);
}

enum err vms_unfinished_put(struct host *host, const struct vms_unfinished *unfinished,
                            struct err_note *note) {
        AUTO_FREE char *path = path_of(host, &unfinished->vm);
        AUTO(json_decref) json_t *object = json_of(unfinished);
        AUTO_FREE char *text = json_dumps(object, JSON_INDENT(2));

        if (make_folder(host, note) || private_file_write(host->io, path, text, strlen(text), note))
                return err_wrap(note, "write down what is to be done");
        return ERR_NONE;
}

enum err vms_unfinished_drop(struct host *host, const struct uuid *vm, struct err_note *note) {
        AUTO_FREE char *path = path_of(host, vm);
        AUTO_FREE char *folder = mem_format("%s/" FOLDER, host->state_dir);
        enum err failed = io_unlink(host->io, path, note);

        if (failed && failed != ERR_NOT_FOUND)
                return failed;
        return io_sync_dir(host->io, folder, note);
}

/* ---- reading ---- */

static bool take_uuid(const json_t *o, const char *key, struct uuid *ret) {
        const json_t *value = json_object_get(o, key);

        return json_is_null(value) || (json_is_string(value) && uuid_parse(json_string_value(value), ret));
}

static bool take_part(const json_t *o, struct vms_part *ret) {
        ret->is_in_place = json_is_true(json_object_get(o, "is_in_place"));
        return take_uuid(o, "vbd", &ret->vbd) && take_uuid(o, "vdi", &ret->vdi) &&
               take_uuid(o, "sr", &ret->sr) && take_uuid(o, "to", &ret->to) &&
               take_uuid(o, "made", &ret->made) && take_uuid(o, "content", &ret->content);
}

static bool take_unfinished(const json_t *o, struct vms_unfinished *ret) {
        const char *kind = json_string_value(json_object_get(o, "kind"));
        json_t *parts = json_object_get(o, "parts"), *part;
        size_t i;

        for (ret->kind = VMS_MAKING; kind && strcmp(kind, kinds[ret->kind]) != 0; ret->kind++)
                if (ret->kind == VMS_REVERTING)
                        return false;
        if (!kind || !json_is_array(parts) || !take_uuid(o, "vm", &ret->vm) ||
            !take_uuid(o, "snapshot", &ret->snapshot))
                return false;
        json_array_foreach(parts, i, part) {
                if (!take_part(part, vec_add(&ret->parts.list)))
                        return false;
        }
        return true;
}

static enum err read_one(struct host *host, const char *name, vms_unfinished_fn call, struct err_note *note) {
        AUTO_FREE char *path = mem_format("%s/" FOLDER "/%s", host->state_dir, name);
        AUTO(vms_unfinished_fini) struct vms_unfinished unfinished = {0};
        AUTO(json_decref) json_t *object = NULL;
        AUTO(buf_fini) struct buf text = {0};

        if (private_file_read(host->io, path, &text, note))
                return note->code;
        object = json_loadb((const char *)text.data, text.n, 0, NULL);
        if (!object || !take_unfinished(object, &unfinished))
                return err_set(note, ERR_CORRUPT, "%s cannot be read", path);
        return call(host, &unfinished, note);
}

static bool is_one(const char *name) {
        char uuid[UUID_TEXT_SIZE];
        struct uuid unused;

        if (strlen(name) != UUID_TEXT_SIZE - 1 + strlen(".json") ||
            strcmp(name + UUID_TEXT_SIZE - 1, ".json") != 0)
                return false;
        memcpy(uuid, name, sizeof uuid - 1);
        uuid[sizeof uuid - 1] = 0;
        return uuid_parse(uuid, &unused);
}

/* What a crash left of one that was being written: nothing of what it says was begun. */
static enum err remove_half(struct host *host, const char *name, struct err_note *note) {
        AUTO_FREE char *path = mem_format("%s/" FOLDER "/%s", host->state_dir, name);

        return io_unlink(host->io, path, note);
}

enum err vms_unfinished_each(struct host *host, vms_unfinished_fn call, struct err_note *note) {
        AUTO_FREE char *folder = mem_format("%s/" FOLDER, host->state_dir);
        AUTO(io_names_fini) struct io_names names = {0};
        enum err failed = io_list(host->io, folder, &names, note);
        struct err_note later;

        if (failed)
                return failed == ERR_NOT_FOUND ? ERR_NONE : failed;
        VEC_EACH (&names.names, each) {
                struct err_note *say = failed ? &later : note;

                if ((is_one(*each) ? read_one(host, *each, call, say) : remove_half(host, *each, say)) &&
                    !failed)
                        failed = note->code;
        }
        return failed;
}
