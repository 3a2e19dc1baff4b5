// SPDX-License-Identifier: Apache-2.0
#include "vhd_verbs.h"

#include "vhd_info.h"
#include "vhd_map.h"
#include "vhd_tree.h"

/* ---- info ---- */

static const struct param info_params[] = {
        FILE_PARAM("The VHD to look at."),
        {0},
};

static const struct field info_fields[] = {
        {"file", FIELD_TEXT, "as it was given", false},
        {"format", FIELD_TEXT, "vhd", true},
        {"type", FIELD_TEXT, "fixed, dynamic or differencing", false},
        {"uuid", FIELD_UUID, "of its footer", false},
        {"size", FIELD_SIZE, "of the disk, bytes", false},
        {"allocated", FIELD_SIZE, "bytes that the file takes in the file system", false},
        {"file_size", FIELD_SIZE, "bytes from the file's start to its end", false},
        {"hidden", FIELD_BOOL, "whether users do not see it", false},
        {"depth", FIELD_NUMBER, "files in its chain, itself counted; null where a parent is missing", false},
        {"blocks", FIELD_NUMBER, "of 2 MiB in the disk", false},
        {"blocks_allocated", FIELD_NUMBER, "that this file holds", false},
        {"parent.path", FIELD_TEXT, "of the parent that was found; null where it is missing", false},
        {"parent.uuid", FIELD_UUID, "that the parent must have; null: a raw parent", false},
        {"parent.found", FIELD_BOOL, "whether a file is there by that name", false},
        {"parent.uuid_matches", FIELD_BOOL, "whether that file has this uuid", false},
        {"parent.raw", FIELD_BOOL, "whether the parent is a raw file", false},
        {"parent.error", FIELD_TEXT, "what was looked for, and where", false},
        {"coalesce.child", FIELD_TEXT,
         "the VHD that is emptied by a coalesce of which the file is part; coalesce is null: it is of none",
         false},
        {"coalesce.into", FIELD_TEXT, "what that is moved into", false},
        {"coalesce.begun", FIELD_TIME, "seconds since 1970", false},
        {"coalesce.command", FIELD_TEXT, "what ends it, where it was interrupted", false},
        {"footer.copy", FIELD_TEXT, "valid, damaged, or differs from the one at the end", false},
        {"footer.end", FIELD_TEXT, "the same of the one at the end", false},
        {"footer.end_at", FIELD_NUMBER, "offset of the footer at the end", false},
        {"footer.created", FIELD_TIME, "seconds since 1970", false},
        {"footer.creator", FIELD_TEXT, "who made it; \"tap\" is XenServer and Catena", false},
        {"footer.creator_version", FIELD_TEXT, "such as 1.3", false},
        {"footer.creator_os", FIELD_NUMBER, "as it stands there", false},
        {"footer.features", FIELD_NUMBER, "as it stands there", false},
        {"footer.data_offset", FIELD_NUMBER, "of the header; null for fixed", false},
        {"footer.original_size", FIELD_SIZE, "of the disk when it was made, bytes", false},
        {"footer.current_size", FIELD_SIZE, "of the disk, bytes", false},
        {"footer.geometry.cylinders", FIELD_NUMBER, "not to be trusted", false},
        {"footer.geometry.heads", FIELD_NUMBER, "likewise", false},
        {"footer.geometry.sectors", FIELD_NUMBER, "likewise", false},
        {"footer.saved", FIELD_BOOL, "as it stands there", false},
        {"footer.poisoned", FIELD_BOOL, "a resize by another tool was interrupted", false},
        {"header.table_offset", FIELD_NUMBER, "of the BAT", false},
        {"header.max_bat_entries", FIELD_NUMBER, "blocks that the BAT has room for", false},
        {"header.block_size", FIELD_SIZE, "always 2 MiB", false},
        {"header.parent_name", FIELD_TEXT, "of the parent's file", false},
        {"header.parent_uuid", FIELD_UUID, "of the parent's footer; null: none, or a raw parent", false},
        {"header.parent_time", FIELD_TIME, "when the parent was last changed", false},
        {"batmap.header_at", FIELD_NUMBER, "offset", false},
        {"batmap.offset", FIELD_NUMBER, "of the map itself", false},
        {"batmap.size", FIELD_SIZE, "bytes of the map", false},
        {"batmap.version", FIELD_TEXT, "such as 1.2", false},
        {"batmap.marker", FIELD_NUMBER, "as it stands there", false},
        {"batmap.encrypted", FIELD_BOOL, "a key hash is set", false},
        {"batmap.checksum", FIELD_TEXT, "valid or damaged", false},
        {"batmap.blocks_full", FIELD_NUMBER, "whose bitmaps need not be read", false},
        {"locators", FIELD_OBJECT, "each with code, offset, space, length, path", false},
        {0},
};

static enum err run_info(struct verb_call *call, struct err_note *note) {
        return vhd_info_describe(call->io, call_text(call, "file"), call->result, note);
}

const struct verb vhd_info_verb = {
        .name = "info",
        .summary = "Shows all that a VHD says of itself.",
        .details = "Takes no lock and changes nothing.",
        .params = info_params,
        .shape = SHAPE_RECORD,
        .fields = info_fields,
        .run = run_info,
};

/* ---- tree ---- */

static const struct param tree_params[] = {
        FILES_PARAM("A VHD, or a directory of which all VHDs are taken. Parents elsewhere are shown too."),
        {0},
};

static const struct field tree_fields[] = {
        {"file", FIELD_TEXT, "its path", false},
        {"uuid", FIELD_UUID, "of its footer; null for a raw file", false},
        {"parent", FIELD_TEXT, "path of its parent; null where there is none or it is missing", true},
        {"hidden", FIELD_BOOL, "whether users do not see it", false},
        {"depth", FIELD_NUMBER, "files in its chain, itself counted; null where a parent is missing", false},
        {"size", FIELD_SIZE, "of the disk, bytes", false},
        {"allocated", FIELD_SIZE, "bytes that the file takes in the file system", false},
        {"level", FIELD_NUMBER, "how far to the right it stands in the tree", true},
        {"error", FIELD_TEXT, "why it or its parent could not be read; null: nothing is wrong", false},
        {0},
};

static enum err run_tree(struct verb_call *call, struct err_note *note) {
        json_t *nodes = NULL;
        bool has_errors = false;

        if (vhd_tree_describe(call->io, call_list(call, "files"), &nodes, &has_errors, note))
                return note->code;
        call_put(call, "nodes", nodes);
        if (has_errors)
                call->outcome = VERB_FINDINGS;
        return ERR_NONE;
}

const struct verb vhd_tree_verb = {
        .name = "tree",
        .summary = "Shows VHDs under their parents.",
        .details = "Exits with 4 where a file cannot be read or a parent is missing; the rest is shown all "
                   "the same.",
        .params = tree_params,
        .shape = SHAPE_TREE,
        .rows = "nodes",
        .fields = tree_fields,
        .run = run_tree,
};

/* ---- map ---- */

static const struct param map_params[] = {
        FILE_PARAM("The VHD whose disk is mapped, through all its parents."),
        {0},
};

const struct field vhd_map_fields[] = {
        {"start", FIELD_NUMBER, "where in the disk, bytes", false},
        {"length", FIELD_NUMBER, "bytes", false},
        {"depth", FIELD_NUMBER, "of the file that holds it: 0 is the one given, 1 its parent", false},
        {"present", FIELD_BOOL, "some file of the chain holds it", true},
        {"zero", FIELD_BOOL, "it reads as zeros, without a look at any data", true},
        {"data", FIELD_BOOL, "there are bytes of it in a file", false},
        {"offset", FIELD_NUMBER, "where in that file, bytes; only where data", false},
        {"file", FIELD_TEXT, "that file; only where data", false},
        {0},
};

static enum err run_map(struct verb_call *call, struct err_note *note) {
        struct images images;
        json_t *extents = NULL;
        enum err failed;

        images_init(&images, call->io, &(struct images_options){.is_read_only = true});
        failed = vhd_map_describe(&images, call_text(call, "file"), &extents, note);
        images_fini(&images);
        if (failed)
                return err_wrap(note, "map %s", call_text(call, "file"));
        call_put(call, "extents", extents);
        return ERR_NONE;
}

const struct verb vhd_map_verb = {
        .name = "map",
        .summary = "Shows which bytes lie where.",
        .details = "One row for each run of bytes that lie together, through the chain.",
        .params = map_params,
        .shape = SHAPE_TABLE,
        .rows = "extents",
        .fields = vhd_map_fields,
        .run = run_map,
};
