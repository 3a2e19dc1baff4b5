// SPDX-License-Identifier: Apache-2.0
#include "sr_call.h"

#include <string.h>

#include "keeper.h"
#include "keepers.h"
#include "mem.h"
#include "registry.h"
#include "turn.h"

enum { WAIT_FOR_OWNER_NS = 1000000000, WAIT_EVERY_NS = 20000000 };

/* A coalesce's batch and what goes with it. */
#define BALLAST_BYTES (40 * MIB)

struct sr_options sr_call_options(const struct verb_call *call, enum sr_mode mode) {
        return (struct sr_options){.mode = mode, .self = call->self, .ballast_bytes = BALLAST_BYTES};
}

static const atomic_bool *stop_of(const struct verb_call *call) {
        return call->progress ? call->progress->is_cancelled : NULL;
}

/* Of the SRs that this process owns, the one that is meant. */
static void find_keeper(struct verb_call *call, const char *path) {
        AUTO_FREE char *canonical = NULL;
        struct keeper *keeper;
        struct err_note unused;

        if (!call->keepers || io_canonical(call->io, path, &canonical, &unused))
                return;
        keeper = keepers_find(call->keepers, canonical);
        if (keeper)
                call->keeper = keeper;
        call->is_kept = keeper != NULL;
}

/* A call that only looks leaves the SR to others; it needs no keeper unless that has the SR already. */
static enum err open_once(struct verb_call *call, const char *path, const struct sr_options *options,
                          struct err_note *note) {
        if (call->is_of_other || call->is_kept) {
                enum err failed = keeper_join(call->keeper, path, call->verb->name, stop_of(call), &call->sr,
                                              &call->turn, note);

                call->is_not_here = call->is_of_other && failed == ERR_CLOSED;
                return failed;
        }
        if (call->keeper && options->mode == SR_OWN)
                return keeper_enter(call->keeper, path, call->verb->name, stop_of(call), &call->sr,
                                    &call->turn, note);
        return sr_open(call->io, path, options, &call->sr, note);
}

/* Whether the owner can be called: a process of this host that told how. */
static bool is_owner_callable(struct verb_call *call, const char *path) {
        AUTO_FREE char *canonical = NULL;
        struct sr_owner owner = {0};
        struct err_note unused;

        if (!call->elsewhere || call->is_of_other || !call->self || !call->self->host ||
            io_canonical(call->io, path, &canonical, &unused) ||
            sr_owner_of(call->io, canonical, &owner, &unused))
                return false;
        if (!*owner.socket || strcmp(owner.host, call->self->host) != 0) {
                sr_owner_fini(&owner);
                return false;
        }
        call->owner = owner;
        return true;
}

/* Most owners are done in a moment.  may_call: this call may be sent to the owner. */
static enum err open_patiently(struct verb_call *call, const char *path, const struct sr_options *options,
                               bool may_call, struct err_note *note) {
        uint64_t until = io_now_ns(call->io) + WAIT_FOR_OWNER_NS;

        for (;;) {
                enum err failed = open_once(call, path, options, note);

                if (failed != ERR_BUSY || io_now_ns(call->io) >= until ||
                    (may_call && is_owner_callable(call, path)))
                        return failed;
                if (stop_of(call) && atomic_load(stop_of(call)))
                        return err_set(note, ERR_CANCELLED, "interrupted");
                io_sleep_ns(call->io, WAIT_EVERY_NS);
        }
}

/* Any folder can be looked at as if it were an SR; one without a disk was not meant. */
static enum err need_disks(const struct sr *sr, const char *text, struct err_note *note) {
        if (!uuid_is_null(&sr_info(sr)->uuid) || sr_tree(sr)->nodes.n > 0)
                return ERR_NONE;
        return err_set(
                note, ERR_NOT_FOUND,
                "%s is not an SR: there is neither .catena nor a disk in it; \"sr create\" makes an SR of it",
                text);
}

enum err sr_call_open(struct verb_call *call, enum sr_mode mode, struct sr **ret, struct err_note *note) {
        const char *text = call_text(call, "sr");
        AUTO_FREE char *path = NULL;
        struct sr_options options = sr_call_options(call, mode);
        bool read_only = false;

        if (registry_resolve(call->io, call->state_dir, text, &path, &read_only, note))
                return note->code;
        if (read_only || (verbs_find_param(call->verb, "read-only") && call_flag(call, "read-only")))
                options.mode = SR_READ_ONLY;
        call->is_read_only = options.mode == SR_READ_ONLY;
        find_keeper(call, path);
        /* One that was adopted read-only is not changed by way of its owner either. */
        if (open_patiently(call, path, &options, !read_only, note) || need_disks(call->sr, text, note))
                return note->code;
        *ret = call->sr;
        return ERR_NONE;
}

bool sr_call_is_read_only(const struct verb_call *call) {
        return call->is_read_only;
}

void sr_call_rest(struct verb_call *call) {
        turn_give(call->turn);
}

void sr_call_resume(struct verb_call *call) {
        turn_take(call->turn, call->verb->name);
}

void sr_call_end(struct verb_call *call) {
        if (call->turn)
                keeper_leave(call->keeper);
        else if (call->sr)
                sr_close(call->sr);
        call->turn = NULL;
        call->sr = NULL;
}

/* ---- a second SR ----------------------------------------------------------------------------- */

void sr_other_fini(struct sr_other *other) {
        if (other->own)
                sr_close(other->own);
        *other = (struct sr_other){0};
}

void sr_call_name_other(struct verb_call *call, const char *param) {
        AUTO_FREE char *path = NULL, *canonical = NULL;
        struct err_note unused;
        bool read_only;

        /* Where it cannot be found here, the owner of the first may know it. */
        if (!registry_resolve(call->io, call->state_dir, call_text(call, param), &path, &read_only,
                              &unused) &&
            !io_canonical(call->io, path, &canonical, &unused))
                json_object_set_new(call->params, param, json_of_text(canonical));
}

static enum err join_other(struct verb_call *call, struct keeper *keeper, const char *folder,
                           struct sr_other *ret, struct err_note *note) {
        if (keeper_join(keeper, folder, call->verb->name, stop_of(call), &ret->sr, &ret->turn, note))
                return note->code;
        keeper_leave(keeper);
        return ERR_NONE;
}

/* Nobody else of this process has it, and nobody comes to us for it. */
static enum err open_own(struct verb_call *call, const char *folder, struct sr_other *ret,
                         struct err_note *note) {
        struct sr_options options = sr_call_options(call, SR_OWN);
        struct sr_self self = call->self ? *call->self : (struct sr_self){0};
        uint64_t until = io_now_ns(call->io) + WAIT_FOR_OWNER_NS;

        self.open_door = NULL;
        options.self = call->self ? &self : NULL;
        while (sr_open(call->io, folder, &options, &ret->own, note)) {
                if (note->code != ERR_BUSY || io_now_ns(call->io) >= until)
                        return note->code;
                if (stop_of(call) && atomic_load(stop_of(call)))
                        return err_set(note, ERR_CANCELLED, "interrupted");
                io_sleep_ns(call->io, WAIT_EVERY_NS);
        }
        ret->sr = ret->own;
        return ERR_NONE;
}

static enum err find_other(struct verb_call *call, const char *folder, struct sr_other *ret,
                           struct err_note *note) {
        struct keeper *keeper = call->keepers ? keepers_find(call->keepers, folder) : NULL;
        enum err failed;

        if (strcmp(folder, sr_where(call->sr)) == 0) {
                *ret = (struct sr_other){.sr = call->sr, .turn = call->turn};
                return ERR_NONE;
        }
        /* Never two turns at once: whoever copies the other way has the one that we wait for. */
        sr_call_rest(call);
        failed = keeper ? join_other(call, keeper, folder, ret, note) : open_own(call, folder, ret, note);
        sr_call_resume(call);
        return failed;
}

enum err sr_call_open_other(struct verb_call *call, const char *param, struct sr_other *ret,
                            struct err_note *note) {
        const char *text = call_text(call, param);
        AUTO_FREE char *path = NULL, *folder = NULL;
        bool read_only = false;

        *ret = (struct sr_other){0};
        if (registry_resolve(call->io, call->state_dir, text, &path, &read_only, note) ||
            io_canonical(call->io, path, &folder, note))
                return note->code;
        if (read_only)
                return err_set(note, ERR_READ_ONLY, "SR %s was adopted read-only", text);
        if (find_other(call, folder, ret, note))
                return note->code;
        if (!sr_is_read_only(ret->sr))
                return ERR_NONE;
        sr_other_fini(ret);
        return err_set(note, ERR_READ_ONLY, "SR %s is read-only", text);
}

enum err sr_call_find(struct verb_call *call, struct sr *sr, const char *param, const struct vdi **ret,
                      struct err_note *note) {
        return sr_find_vdi(sr, call_text(call, param), ret, note);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

json_t *sr_json_of_uuid(const struct uuid *uuid) {
        return uuid_is_null(uuid) ? json_null() : json_string(uuid_format(uuid).s);
}

static json_t *json_of_tags(const struct vdi_row *row) {
        json_t *tags = json_array();

        for (size_t i = 0; i < row->tags.n; i++)
                json_array_append_new(tags, json_of_text(row->tags.data[i]));
        return tags;
}

static const char *kind_name(enum image_kind kind) {
        return kind == IMAGE_RAW ? "raw" : "vhd";
}

const struct field sr_vdi_fields[] = {
        {"uuid", FIELD_UUID, "of the VDI", false},
        {"name", FIELD_TEXT, "as it was named", false},
        {"size", FIELD_SIZE, "of the disk, bytes", false},
        {"allocated", FIELD_SIZE, "bytes that its own file takes", false},
        {"depth", FIELD_NUMBER, "files in its chain, itself counted", false},
        {"snapshot", FIELD_BOOL, "whether it is a snapshot", false},
        {"snapshot_of", FIELD_UUID, "of which VDI; null: of none that is known", true},
        {"snapshot_time", FIELD_TIME, "when it was taken, seconds since 1970; null: it is none", true},
        {"created", FIELD_TIME, "seconds since 1970", false},
        {"read_only", FIELD_BOOL, "a snapshot, or others stand on it", true},
        {"description", FIELD_TEXT, "as it was described", true},
        {"tags", FIELD_OBJECT, "a list of text", true},
        {"kind", FIELD_TEXT, "of its file: vhd or raw", true},
        {"parent", FIELD_UUID, "of the node below it; null: none", true},
        {"stream", FIELD_UUID,
         "footer uuid of what it last took in or gave out; null: none, or written since", true},
        {0},
};

json_t *sr_json_of_vdi(const struct vdi *vdi) {
        const struct vdi_row *row = &vdi->row;
        const struct node *node = vdi->node;
        json_t *o = json_object();

        json_object_set_new(o, "uuid", sr_json_of_uuid(&row->uuid));
        json_object_set_new(o, "name", json_of_text(row->name));
        json_object_set_new(o, "size", json_of_u64(node->size));
        json_object_set_new(o, "allocated", json_of_u64(node->allocated));
        json_object_set_new(o, "depth", node->depth ? json_integer(node->depth) : json_null());
        json_object_set_new(o, "snapshot", json_boolean(row->is_snapshot));
        json_object_set_new(o, "snapshot_of", sr_json_of_uuid(&row->snapshot_of));
        json_object_set_new(o, "snapshot_time",
                            row->is_snapshot ? json_integer(row->snapshot_time) : json_null());
        json_object_set_new(o, "created", json_integer(row->created));
        json_object_set_new(o, "read_only", json_boolean(vdi->is_read_only));
        json_object_set_new(o, "cbt", json_boolean(row->has_cbt));
        json_object_set_new(o, "metadata", json_boolean(vdi->is_metadata));
        json_object_set_new(o, "description", json_of_text(row->description));
        json_object_set_new(o, "tags", json_of_tags(row));
        json_object_set_new(o, "kind", json_string(kind_name(node->kind)));
        json_object_set_new(o, "parent", node->parent ? sr_json_of_uuid(&node->parent->uuid) : json_null());
        json_object_set_new(o, "stream", sr_json_of_uuid(&row->stream_uuid));
        return o;
}

json_t *sr_json_of_node(struct sr *sr, const struct node *node, unsigned level) {
        const struct vdi *vdi = sr_get_vdi(sr, &node->uuid);
        json_t *o = json_object();

        json_object_set_new(o, "uuid", sr_json_of_uuid(&node->uuid));
        json_object_set_new(o, "name", json_of_text(vdi ? vdi->row.name : NULL));
        json_object_set_new(o, "parent", node->parent ? sr_json_of_uuid(&node->parent->uuid) : json_null());
        json_object_set_new(o, "hidden", json_boolean(node->is_hidden));
        json_object_set_new(o, "snapshot", json_boolean(vdi && vdi->row.is_snapshot));
        json_object_set_new(o, "depth", node->depth ? json_integer(node->depth) : json_null());
        json_object_set_new(o, "size", json_of_u64(node->size));
        json_object_set_new(o, "allocated", json_of_u64(node->allocated));
        json_object_set_new(o, "kind", json_string(kind_name(node->kind)));
        json_object_set_new(o, "file", json_of_text(node->name));
        json_object_set_new(o, "level", json_integer(level));
        json_object_set_new(o, "error", json_of_text(node->error.code ? node->error.text : NULL));
        return o;
}

void sr_call_put_uuid(struct verb_call *call, const struct uuid *uuid) {
        call_put(call, "uuid", json_string(uuid_format(uuid).s));
}

void sr_call_warn(struct verb_call *call, const char *text) {
        json_t *list = json_object_get(call->result, "warnings");

        if (!list) {
                list = json_array();
                call_put(call, "warnings", list);
        }
        json_array_append_new(list, json_of_text(text));
}

/* ---- new SRs --------------------------------------------------------------------------------- */

char *sr_call_name(const struct verb_call *call, const char *path) {
        AUTO_FREE char *canonical = NULL;
        struct err_note ignored;
        const char *slash;

        if (call_has(call, "name"))
                return mem_text(call_text(call, "name"));
        if (!io_canonical(call->io, path, &canonical, &ignored))
                path = canonical;
        slash = strrchr(path, '/');
        return mem_text(slash && slash[1] ? slash + 1 : path);
}

void sr_call_register(struct verb_call *call, const struct uuid *uuid, const char *name, const char *path) {
        struct err_note note = {0};

        sr_call_put_uuid(call, uuid);
        if (!registry_put(call->io, call->state_dir, uuid, name, path, false, &note))
                return;
        (void)err_wrap(&note, "the SR is there, but only its path names it");
        sr_call_warn(call, note.text);
}
