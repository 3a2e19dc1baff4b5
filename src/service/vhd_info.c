// SPDX-License-Identifier: Apache-2.0
#include "vhd_info.h"

#include <inttypes.h>
#include <string.h>

#include "file_intent.h"
#include "image.h"
#include "mem.h"
#include "verbs.h"
#include "vhd_bitmap.h"
#include "vhd_locator.h"
#include "vhd_meta.h"
#include "parent_search.h"

enum { DEPTH_MAX = 100000 };

static void put(json_t *object, const char *key, json_t *value) {
        json_object_set_new_nocheck(object, key, value);
}

static json_t *json_of_uuid(const struct uuid *uuid) {
        return uuid_is_null(uuid) ? json_null() : json_string(uuid_format(uuid).s);
}

static const char *state_name(enum vhd_part_state state) {
        switch (state) {
        case VHD_PART_VALID:
                return "valid";
        case VHD_PART_DAMAGED:
                return "damaged";
        case VHD_PART_DIFFERS:
                return "differs";
        }
        return "unknown";
}

/* ---- the parts ---- */

static json_t *json_of_version(uint32_t version) {
        AUTO_FREE char *text = mem_format("%u.%u", version >> 16, version & 0xffff);

        return json_string(text);
}

/* Four characters as they stand, but for those that cannot be shown. */
static json_t *json_of_code(const char code[4]) {
        char text[5] = {0};

        for (unsigned i = 0; i < 4 && code[i]; i++)
                text[i] = code[i] >= 0x20 && code[i] < 0x7f ? code[i] : '?';
        return json_string(text);
}

static json_t *json_of_footer(const struct vhd_meta *meta) {
        const struct vhd_footer *f = &meta->footer;
        json_t *o = json_object();

        put(o, "copy", json_string(state_name(meta->copy_state)));
        put(o, "end", json_string(state_name(meta->end_state)));
        put(o, "end_at", json_of_u64(meta->end_footer_at));
        put(o, "features", json_integer(f->features));
        put(o, "data_offset", f->type == VHD_FIXED ? json_null() : json_of_u64(f->data_offset));
        put(o, "created", json_integer(vhd_time_to_unix(f->timestamp)));
        put(o, "creator", json_of_code(f->creator));
        put(o, "creator_version", json_of_version(f->creator_version));
        put(o, "creator_os", json_integer(f->creator_os));
        put(o, "original_size", json_of_u64(f->original_size_bytes));
        put(o, "current_size", json_of_u64(f->size_bytes));
        put(o, "geometry",
            json_pack("{s:i, s:i, s:i}", "cylinders", (int)f->geometry.cylinders, "heads",
                      (int)f->geometry.heads, "sectors", (int)f->geometry.sectors));
        put(o, "saved", json_boolean(f->saved));
        put(o, "poisoned", json_boolean(f->is_poisoned));
        return o;
}

static json_t *json_of_header(const struct vhd_header *h) {
        json_t *o = json_object();
        AUTO_FREE char *name = NULL;
        struct err_note note;

        if (vhd_header_name(h, &name, &note))
                name = NULL;
        put(o, "table_offset", json_of_u64(h->table_offset));
        put(o, "max_bat_entries", json_integer(h->max_bat_entries));
        put(o, "block_size", json_of_u64(h->block_size));
        put(o, "parent_uuid", json_of_uuid(&h->parent_uuid));
        put(o, "parent_name", name && *name ? json_of_text(name) : json_null());
        put(o, "parent_time",
            h->parent_timestamp ? json_integer(vhd_time_to_unix(h->parent_timestamp)) : json_null());
        return o;
}

static json_t *json_of_locator(struct io_file *file, const struct vhd_locator *locator) {
        json_t *o = json_object();
        AUTO_FREE uint8_t *data = NULL;
        AUTO_FREE char *path = NULL;
        struct err_note note = {0};
        enum err failed = vhd_locator_check(locator, &note);

        put(o, "code", json_string(vhd_locator_name(locator->code)));
        put(o, "offset", json_of_u64(locator->offset));
        put(o, "space", json_integer(locator->space));
        put(o, "length", json_integer(locator->length));
        if (!failed && locator->length <= VHD_LOCATOR_MAX) {
                data = mem_zero(locator->length + 1);
                failed = io_read(file, data, locator->length, locator->offset, &note);
                if (!failed)
                        failed = vhd_locator_decode(locator, (struct span){data, locator->length}, &path,
                                                    &note);
        }
        put(o, "path", json_of_text(path));
        if (failed)
                put(o, "error", json_of_text(note.text));
        return o;
}

static json_t *json_of_locators(struct io_file *file, const struct vhd_header *header) {
        json_t *list = json_array();

        for (unsigned i = 0; i < VHD_LOCATORS; i++)
                if (header->locator[i].code != VHD_LOCATOR_NONE)
                        json_array_append_new(list, json_of_locator(file, &header->locator[i]));
        return list;
}

static json_t *json_of_batmap(struct io_file *file, const struct vhd_meta *meta) {
        uint64_t n = vhd_meta_blocks(meta);
        AUTO_FREE uint8_t *map = mem_try((size_t)round_up(div_up(n, 8) + 8, 512), 1);
        struct err_note note = {0};
        json_t *o = json_object();

        put(o, "header_at", json_of_u64(meta->batmap_header_at));
        put(o, "offset", json_of_u64(meta->batmap.map_offset));
        put(o, "size", json_of_u64(meta->batmap.map_size_bytes));
        put(o, "version", json_of_version(meta->batmap.version));
        put(o, "marker", json_integer(meta->batmap.marker));
        put(o, "encrypted", json_boolean(meta->batmap.has_key));
        if (!map || vhd_meta_read_batmap(file, meta, map, n, &note)) {
                put(o, "checksum", json_string("damaged"));
                return o;
        }
        put(o, "checksum", json_string("valid"));
        put(o, "blocks_full", json_integer(vhd_bitmap_count(map, 0, (uint32_t)n)));
        return o;
}

static enum err add_bat(struct io_file *file, const struct vhd_meta *meta, json_t *ret,
                        struct err_note *note) {
        uint64_t n = vhd_meta_blocks(meta), used = 0;
        AUTO_FREE uint32_t *bat = mem_try((size_t)n, sizeof *bat);

        if (!bat)
                return err_set(note, ERR_NO_MEMORY, "no memory for a BAT of %" PRIu64 " entries", n);
        if (vhd_meta_read_bat(file, meta, bat, n, note))
                return note->code;
        used = vhd_bat_count(bat, (uint32_t)n);
        put(ret, "blocks", json_of_u64(n));
        put(ret, "blocks_allocated", json_of_u64(used));
        return ERR_NONE;
}

/* ---- parents ---- */

/* The uuid of a file; null for a raw one. */
static enum err uuid_of(struct io *io, const char *path, struct uuid *ret, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_meta meta;

        if (io_open(io, path, IO_READ, &file, note) || vhd_meta_read_footers(file, 0, &meta, note))
                return err_wrap(note, "%s", path);
        *ret = meta.footer.uuid;
        return ERR_NONE;
}

static json_t *json_of_parent(struct io *io, struct io_file *file, const struct vhd_meta *meta,
                              unsigned *ret_depth) {
        const char *path = io_path(file);
        bool is_raw = vhd_header_has_raw_parent(&meta->header, meta->footer.type);
        AUTO_FREE char *parent = NULL;
        struct err_note note = {0};
        struct uuid uuid = {0};
        json_t *o = json_object();

        put(o, "uuid", json_of_uuid(&meta->header.parent_uuid));
        put(o, "raw", json_boolean(is_raw));
        *ret_depth = 0;
        if (parent_search(io, file, path, &meta->header, &parent, &note)) {
                put(o, "path", json_null());
                put(o, "found", json_false());
                put(o, "error", json_of_text(note.text));
                return o;
        }
        put(o, "path", json_of_text(parent));
        put(o, "found", json_true());
        if (!is_raw && uuid_of(io, parent, &uuid, &note))
                put(o, "error", json_of_text(note.text));
        else if (!is_raw)
                put(o, "uuid_matches", json_boolean(uuid_equal(&uuid, &meta->header.parent_uuid)));
        *ret_depth = is_raw ? 1 : vhd_info_depth(io, parent);
        return o;
}

/* *ret_parent: NULL where path is the last of its chain; the caller's to free. */
static enum err parent_of(struct io *io, const char *path, char **ret_parent, bool *ret_is_raw,
                          struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_meta meta;

        *ret_parent = NULL;
        *ret_is_raw = false;
        if (io_open(io, path, IO_READ, &file, note) || vhd_meta_read_footers(file, 0, &meta, note))
                return note->code;
        if (meta.footer.type != VHD_DIFFERENCING)
                return ERR_NONE;
        if (vhd_meta_read_header(file, &meta, note))
                return note->code;
        *ret_is_raw = vhd_header_has_raw_parent(&meta.header, meta.footer.type);
        return parent_search(io, file, path, &meta.header, ret_parent, note);
}

unsigned vhd_info_depth(struct io *io, const char *path) {
        AUTO_FREE char *at = mem_text(path);
        struct err_note note;

        for (unsigned depth = 1; depth < DEPTH_MAX; depth++) {
                char *parent = NULL;
                bool is_raw;

                if (parent_of(io, at, &parent, &is_raw, &note))
                        return 0;
                if (!parent)
                        return depth;
                free(at);
                at = parent;
                if (is_raw)
                        return depth + 1;
        }
        return 0;
}

/* ---- a coalesce that was interrupted, or goes on ---- */

static enum err add_coalesce(struct io *io, const char *path, json_t *ret, struct err_note *note) {
        AUTO(vhd_intent_fini) struct vhd_intent intent = {0};
        AUTO_FREE char *command = NULL;
        bool is_found;

        if (file_intent_find(io, path, &is_found, &intent, note))
                return note->code;
        if (!is_found) {
                put(ret, "coalesce", json_null());
                return ERR_NONE;
        }
        command = file_intent_command(&intent);
        put(ret, "coalesce",
            json_pack("{s:o, s:o, s:I, s:o}", "child", json_of_text(file_intent_child(&intent)->path), "into",
                      json_of_text(intent.nodes.data[0].path), "begun", (json_int_t)intent.begun, "command",
                      json_of_text(command)));
        return ERR_NONE;
}

/* ---- all of it ---- */

static enum err describe_blocks(struct io *io, struct io_file *file, struct vhd_meta *meta, json_t *ret,
                                struct err_note *note) {
        unsigned depth = 1;

        if (vhd_meta_read_header(file, meta, note) || vhd_meta_read_batmap_header(file, meta, note) ||
            add_bat(file, meta, ret, note))
                return note->code;
        if (meta->footer.type == VHD_DIFFERENCING) {
                json_t *parent = json_of_parent(io, file, meta, &depth);

                put(ret, "parent", parent);
                depth = depth ? depth + 1 : 0;
        } else {
                put(ret, "parent", json_null());
        }
        put(ret, "depth", depth ? json_integer(depth) : json_null());
        put(ret, "header", json_of_header(&meta->header));
        put(ret, "batmap", meta->has_batmap ? json_of_batmap(file, meta) : json_null());
        put(ret, "locators", json_of_locators(file, &meta->header));
        return ERR_NONE;
}

enum err vhd_info_describe(struct io *io, const char *path, json_t *ret, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_meta meta;
        struct io_stat stat;

        if (io_open(io, path, IO_READ, &file, note) || io_stat(file, &stat, note))
                return note->code;
        if (vhd_meta_read_footers(file, 0, &meta, note))
                return err_wrap(note, "%s", path);
        put(ret, "file", json_of_text(path));
        put(ret, "format", json_string("vhd"));
        put(ret, "type", json_string(vhd_type_name(meta.footer.type)));
        put(ret, "uuid", json_of_uuid(&meta.footer.uuid));
        put(ret, "size", json_of_u64(meta.footer.size_bytes));
        put(ret, "allocated", json_of_u64(stat.allocated));
        put(ret, "file_size", json_of_u64(stat.size));
        put(ret, "hidden", json_boolean(meta.footer.is_hidden));
        if (meta.footer.type == VHD_FIXED) {
                put(ret, "parent", json_null());
                put(ret, "depth", json_integer(1));
        } else if (describe_blocks(io, file, &meta, ret, note)) {
                return err_wrap(note, "%s", path);
        }
        put(ret, "footer", json_of_footer(&meta));
        return add_coalesce(io, path, ret, note);
}

/* ---- in brief ---- */

static enum err brief_of_vhd(struct io *io, struct io_file *file, const char *path, struct vhd_brief *ret,
                             struct err_note *note) {
        struct vhd_meta meta;
        struct err_note missing = {0};
        char *parent = NULL;

        if (vhd_meta_read_footers(file, 0, &meta, note))
                return note->code;
        ret->size = meta.footer.size_bytes;
        ret->uuid = meta.footer.uuid;
        ret->is_hidden = meta.footer.is_hidden;
        if (meta.footer.type != VHD_DIFFERENCING)
                return ERR_NONE;
        if (vhd_meta_read_header(file, &meta, note))
                return note->code;
        if (parent_search(io, file, path, &meta.header, &parent, &missing)) {
                struct err_note ignored;

                if (vhd_header_name(&meta.header, &ret->looked_for, &ignored))
                        ret->looked_for = NULL;
                return err_set(note, missing.code, "%s", missing.text);
        }
        if (io_canonical(io, parent, &ret->parent, note)) {
                free(parent);
                return note->code;
        }
        free(parent);
        return ERR_NONE;
}

static enum err brief_read(struct io *io, const char *path, struct vhd_brief *ret, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct io_stat stat;

        if (io_canonical(io, path, &ret->path, note) || io_open(io, path, IO_READ, &file, note) ||
            io_stat(file, &stat, note))
                return note->code;
        ret->allocated = stat.allocated;
        if (image_kind_of_path(path) == IMAGE_VHD)
                return brief_of_vhd(io, file, path, ret, note);
        ret->size = stat.size;
        return ERR_NONE;
}

void vhd_brief_read(struct io *io, const char *path, struct vhd_brief *ret) {
        *ret = (struct vhd_brief){0};
        if (brief_read(io, path, ret, &ret->error) && !ret->path)
                ret->path = mem_text(path);
}

void vhd_brief_fini(struct vhd_brief *brief) {
        free(brief->path);
        free(brief->parent);
        free(brief->looked_for);
        *brief = (struct vhd_brief){0};
}
