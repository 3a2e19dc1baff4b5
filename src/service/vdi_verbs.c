// SPDX-License-Identifier: Apache-2.0
#include "vdi_verbs.h"

#include "keeper.h"
#include "mem.h"
#include "served.h"
#include "sr_call.h"

const struct verb *const vdi_verbs[] = {
        &vdi_create_verb, &vdi_list_verb,     &vdi_show_verb,
        &vdi_tree_verb,   &vdi_import_verb,   &vdi_export_verb,
        &vdi_write_verb,  &vdi_snapshot_verb, &vdi_clone_verb,
        &vdi_revert_verb, &vdi_delete_verb,   &vdi_resize_verb,
        &vdi_copy_verb,   &vdi_move_verb,     &vdi_map_verb,
        &vdi_diff_verb,   &vdi_set_verb,      NULL,
};

/* ---- list ------------------------------------------------------------------------------------ */

static const struct param list_params[] = {SR_PARAM, {0}};

static enum err run_list(struct verb_call *call, struct err_note *note) {
        struct sr *sr;
        json_t *rows = json_array();

        call_put(call, "vdis", rows);
        if (sr_call_open(call, SR_READ_ONLY, &sr, note))
                return note->code;
        for (size_t i = 0; i < sr_n_vdis(sr); i++)
                json_array_append_new(rows, sr_json_of_vdi(sr_vdi_at(sr, i)));
        return ERR_NONE;
}

const struct verb vdi_list_verb = {
        .name = "list",
        .summary = "Lists the disks of an SR.",
        .details = "Those that users see; 'vdi tree' shows all files.",
        .params = list_params,
        .shape = SHAPE_TABLE,
        .rows = "vdis",
        .fields = sr_vdi_fields,
        .run = run_list,
};

/* ---- show ------------------------------------------------------------------------------------ */

static const struct param show_params[] = {
        SR_PARAM, VDI_PARAM("vdi", "VDI", "The disk: its uuid or name."), {0}};

static const struct field show_fields[] = {
        {"uuid", FIELD_UUID, "of the VDI", false},
        {"name", FIELD_TEXT, "as it was named", false},
        {"description", FIELD_TEXT, "as it was described", false},
        {"tags", FIELD_OBJECT, "a list of text", false},
        {"size", FIELD_SIZE, "of the disk, bytes", false},
        {"allocated", FIELD_SIZE, "bytes that its own file takes", false},
        {"depth", FIELD_NUMBER, "files in its chain, itself counted", false},
        {"snapshot", FIELD_BOOL, "whether it is a snapshot", false},
        {"snapshot_of", FIELD_UUID, "of which VDI; null: of none that is known", false},
        {"snapshot_time", FIELD_TIME, "when it was taken, seconds since 1970; null: it is none", false},
        {"created", FIELD_TIME, "seconds since 1970", false},
        {"read_only", FIELD_BOOL, "a snapshot, or others stand on it", false},
        {"cbt", FIELD_BOOL, "whether what changes between its snapshots is told when their data is gone",
         false},
        {"metadata", FIELD_BOOL, "a snapshot whose data was destroyed: only what changed is told", false},
        {"kind", FIELD_TEXT, "of its file: vhd or raw", false},
        {"parent", FIELD_UUID, "of the node below it; null: none", false},
        {"stream", FIELD_UUID,
         "footer uuid of what it last took in or gave out; null: none, or written since", false},
        {"chain", FIELD_OBJECT, "uuids from itself to the last ancestor", false},
        {"nbd_uris", FIELD_OBJECT, "where it is served; not there where it is not", false},
        {"qemu", FIELD_TEXT, "a command line with it; likewise", false},
        {"libvirt", FIELD_LINES, "a disk of a domain; likewise", false},
        {0},
};

static json_t *json_of_chain(const struct node *node) {
        json_t *chain = json_array();

        for (; node && json_array_size(chain) < 100000; node = node->parent)
                json_array_append_new(chain, sr_json_of_uuid(&node->uuid));
        return chain;
}

/* Who serves the SR owns it, and the call was sent there. */
static void put_served(struct verb_call *call, struct sr *sr, const struct vdi *vdi) {
        const struct served *served = call->turn ? keeper_served(call->keeper) : NULL;
        struct served_disk disk = {.uuid = vdi->row.uuid, .is_read_only = vdi->is_read_only};
        AUTO_FREE char *qemu = NULL, *libvirt = NULL;
        struct err_note unused;
        const struct vdi *named;

        if (!served)
                return;
        disk.is_read_only = disk.is_read_only || served_forbids_writing(served, &vdi->row.uuid);
        if (!sr_find_vdi(sr, vdi->row.name, &named, &unused) && named == vdi)
                disk.name = vdi->row.name;
        qemu = served_qemu(served, &disk);
        libvirt = served_libvirt(served, &disk);
        call_put(call, "nbd_uris", served_uris(served, &disk));
        call_put(call, "qemu", json_of_text(qemu));
        call_put(call, "libvirt", json_of_text(libvirt));
}

static enum err run_show(struct verb_call *call, struct err_note *note) {
        struct sr *sr;
        AUTO(json_decref) json_t *row = NULL;
        const struct vdi *vdi;

        if (sr_call_open(call, SR_READ_ONLY, &sr, note) || sr_call_find(call, sr, "vdi", &vdi, note))
                return note->code;
        row = sr_json_of_vdi(vdi);
        json_object_update(call->result, row);
        call_put(call, "chain", json_of_chain(vdi->node));
        put_served(call, sr, vdi);
        return ERR_NONE;
}

const struct verb vdi_show_verb = {
        .name = "show",
        .summary = "Shows a disk.",
        .details =
                "While 'catena serve' has the SR also how a guest gets it: its URIs, a command line of qemu, "
                "a disk for libvirt.",
        .params = show_params,
        .shape = SHAPE_RECORD,
        .fields = show_fields,
        .run = run_show,
};

/* ---- tree ------------------------------------------------------------------------------------ */

static const struct field tree_fields[] = {
        {"uuid", FIELD_UUID, "of the node; its file is named by it", false},
        {"name", FIELD_TEXT, "of the VDI; null: hidden, or damaged", false},
        {"parent", FIELD_UUID, "of the node that it stands on; null: none, or it is missing", true},
        {"hidden", FIELD_BOOL, "an inner node, or it waits to be deleted", false},
        {"snapshot", FIELD_BOOL, "whether it is a snapshot", false},
        {"depth", FIELD_NUMBER, "files in its chain, itself counted; null where one is missing", false},
        {"size", FIELD_SIZE, "of the disk, bytes", false},
        {"allocated", FIELD_SIZE, "bytes that its file takes", false},
        {"kind", FIELD_TEXT, "of its file: vhd or raw", true},
        {"file", FIELD_TEXT, "its file's name", true},
        {"level", FIELD_NUMBER, "how far to the right it stands in the tree", true},
        {"error", FIELD_TEXT, "why it or what is below it cannot be read; null: nothing is wrong", false},
        {0},
};

static void show_branch(struct sr *sr, const struct node *node, unsigned level, json_t *rows) {
        json_array_append_new(rows, sr_json_of_node(sr, node, level));
        for (const struct node *child = node->first_child; child; child = child->next_sibling)
                show_branch(sr, child, level + 1, rows);
}

static enum err run_tree(struct verb_call *call, struct err_note *note) {
        struct sr *sr;
        const struct tree *tree;
        json_t *rows = json_array();

        call_put(call, "nodes", rows);
        if (sr_call_open(call, SR_READ_ONLY, &sr, note))
                return note->code;
        tree = sr_tree(sr);
        for (size_t i = 0; i < tree->nodes.n; i++)
                if (!tree->nodes.data[i]->parent)
                        show_branch(sr, tree->nodes.data[i], 0, rows);
        return ERR_NONE;
}

const struct verb vdi_tree_verb = {
        .name = "tree",
        .summary = "Shows all files of an SR under their parents.",
        .params = list_params,
        .shape = SHAPE_TREE,
        .rows = "nodes",
        .fields = tree_fields,
        .run = run_tree,
};

/* ---- set ------------------------------------------------------------------------------------- */

static const struct param set_params[] = {
        SR_PARAM,
        VDI_PARAM("vdi", "VDI", "The disk: its uuid or name."),
        {.name = "name", .kind = PARAM_TEXT, .help = "Its new name."},
        {.name = "description", .kind = PARAM_TEXT, .help = "Its new description."},
        {.name = "tag",
         .kind = PARAM_TEXT,
         .flags = PARAM_REPEATED,
         .help = "A tag; may be given several times. All tags it had before go."},
        {.name = "no-tags", .kind = PARAM_FLAG, .help = "Takes all tags away."},
        {0},
};

static enum err run_set(struct verb_call *call, struct err_note *note) {
        struct sr *sr;
        VEC(const char *) tags = {0};
        const struct vdi *vdi;
        struct vdi_settings settings = {.name = call_text(call, "name"),
                                        .description = call_text(call, "description")};
        json_t *each;
        size_t i;
        struct uuid uuid;
        enum err failed;

        if (!settings.name && !settings.description && !call_has(call, "tag") && !call_flag(call, "no-tags"))
                return call_usage(call, note, "nothing to set: --name, --description, --tag or --no-tags");
        if (sr_call_open(call, SR_OWN, &sr, note) || sr_call_find(call, sr, "vdi", &vdi, note))
                return note->code;
        json_array_foreach(call_list(call, "tag"), i, each) * vec_add(&tags) = json_string_value(each);
        *vec_add(&tags) = NULL;
        if (tags.n > 1 || call_flag(call, "no-tags"))
                settings.tags = tags.data;
        uuid = vdi->row.uuid; /* which a scan within lets go */
        sr_call_put_uuid(call, &uuid);
        failed = sr_vdi_set(sr, &uuid, &settings, note);
        vec_fini(&tags);
        return failed;
}

static const struct field uuid_fields[] = {{"uuid", FIELD_UUID, "of the VDI", false}, {0}};

const struct verb vdi_set_verb = {
        .name = "set",
        .summary = "Changes a disk's name, description or tags.",
        .params = set_params,
        .shape = SHAPE_NOTHING,
        .fields = uuid_fields,
        .run = run_set,
};
