// SPDX-License-Identifier: Apache-2.0
#include "xo_vhd_dir.h"

#include <string.h>

#include "chunk_cache.h"
#include "json_text.h"
#include "mem.h"
#include "vhd_bat.h"
#include "vhd_footer.h"
#include "vhd_header.h"
#include "xo_unpack.h"

enum {
        HEADER_AT = sizeof(struct vhd_footer_disk),
        TABLE_AT = HEADER_AT + VHD_HEADER_SIZE,
        BLOCK_FILE = VHD_BITMAP_SIZE + VHD_BLOCK_SIZE, /* bytes, unpacked */
        PACKED_SPARE = 64 << 10,                       /* what packing may add */
        CACHE_BLOCKS = 8,
        FOLDER = 1000, /* blocks in a folder */
};

struct xo_vhd_dir {
        const struct xo_remote *remote; /* borrowed */
        char *path;                     /* owned */
        enum xo_filter filter;
        struct vhd_footer footer;
        struct vhd_header header;
        struct vhd_footer_disk tail;
        VEC(uint32_t) held;        /* owned; numbers of the blocks, ascending: the nth is the file's nth */
        struct buf head;           /* owned; the file up to its first block */
        struct chunk_cache *cache; /* owned; of what the held blocks hold, by their place in held */
        const struct xo_vhd_dir *moved; /* borrowed; where missing blocks are; NULL: nowhere */
};

/* ---- its files ---- */

static enum err read_part(const struct xo_vhd_dir *dir, const char *name, size_t room, struct buf *ret,
                          struct err_note *note) {
        AUTO_FREE char *path = mem_format("%s/%s", dir->path, name);
        AUTO(buf_fini) struct buf packed = {0};
        size_t n = 0;

        if (dir->filter == XO_AS_IS)
                return xo_remote_read(dir->remote, path, room, ret, note);
        if (xo_remote_read(dir->remote, path, room + PACKED_SPARE, &packed, note))
                return note->code;
        buf_extend(ret, room);
        if (xo_unpack(dir->filter, (struct span){packed.data, packed.n}, ret->data, room, &n, note))
                return err_wrap(note, "read %s", path);
        ret->n = n;
        return ERR_NONE;
}

static enum err of_size(const struct xo_vhd_dir *dir, const char *name, const struct buf *got, size_t want,
                        struct err_note *note) {
        if (got->n != want)
                return err_set(note, ERR_CORRUPT, "read %s/%s: it has %zu bytes instead of %zu", dir->path,
                               name, got->n, want);
        return ERR_NONE;
}

/* Whether there is one, and which. */
static enum err read_filter(struct xo_vhd_dir *dir, struct err_note *note) {
        AUTO_FREE char *path = mem_format("%s/chunk-filters.json", dir->path);
        AUTO(buf_fini) struct buf text = {0};
        AUTO(json_decref) json_t *json = NULL;
        enum err err = xo_remote_read(dir->remote, path, XO_JSON_MAX, &text, note);

        if (err)
                return err == ERR_NOT_FOUND ? ERR_NONE : err;
        if (json_text_decode((struct span){text.data, text.n}, &json, note))
                return err_wrap(note, "read %s", path);
        if (json_array_size(json) > 1 ||
            (json_array_size(json) == 1 && !json_is_string(json_array_get(json, 0))))
                return err_set(note, ERR_UNSUPPORTED, "read %s: it is no list of one filter", path);
        if (json_array_size(json) == 0)
                return ERR_NONE;
        return xo_filter_named(json_string_value(json_array_get(json, 0)), &dir->filter, note);
}

static enum err read_footer(struct xo_vhd_dir *dir, struct err_note *note) {
        AUTO(buf_fini) struct buf bytes = {0};

        if (read_part(dir, "footer", sizeof(struct vhd_footer_disk), &bytes, note) ||
            of_size(dir, "footer", &bytes, sizeof(struct vhd_footer_disk), note))
                return note->code;
        if (vhd_footer_decode_span((struct span){bytes.data, bytes.n}, &dir->footer, note))
                return err_wrap(note, "read %s/footer", dir->path);
        if (dir->footer.type == VHD_FIXED)
                return err_set(note, ERR_CORRUPT, "read %s/footer: it is of a fixed image", dir->path);
        return ERR_NONE;
}

static enum err read_header(struct xo_vhd_dir *dir, struct err_note *note) {
        AUTO(buf_fini) struct buf bytes = {0};

        if (read_part(dir, "header", VHD_HEADER_SIZE, &bytes, note) ||
            of_size(dir, "header", &bytes, VHD_HEADER_SIZE, note))
                return note->code;
        if (vhd_header_decode_span((struct span){bytes.data, bytes.n}, &dir->header, note) ||
            vhd_header_check_size(&dir->header, dir->footer.size_bytes, note))
                return err_wrap(note, "read %s/header", dir->path);
        return ERR_NONE;
}

/* A bit for each block, the highest of a byte first. */
static enum err read_bat(struct xo_vhd_dir *dir, struct err_note *note) {
        uint32_t n = dir->header.max_bat_entries;
        AUTO(buf_fini) struct buf bits = {0};

        if (read_part(dir, "bat", max_u64(n, SECTOR), &bits, note))
                return note->code;
        for (uint32_t block = 0; block < n && block / 8 < bits.n; block++)
                if (bits.data[block / 8] & 0x80 >> block % 8)
                        *vec_add(&dir->held) = block;
        return ERR_NONE;
}

/* ---- blocks ---- */

static enum err load_own(const struct xo_vhd_dir *dir, uint32_t block, void *ret, struct err_note *note) {
        AUTO_FREE char *name = mem_format("blocks/%u/%u", block / FOLDER, block % FOLDER);
        AUTO(buf_fini) struct buf bytes = {0};

        if (read_part(dir, name, BLOCK_FILE, &bytes, note) || of_size(dir, name, &bytes, BLOCK_FILE, note))
                return note->code;
        memcpy(ret, bytes.data + VHD_BITMAP_SIZE, VHD_BLOCK_SIZE);
        return ERR_NONE;
}

static enum err load_block(void *user, uint64_t nth, void *ret, struct err_note *note) {
        const struct xo_vhd_dir *dir = user;
        uint32_t block = dir->held.data[nth];
        enum err err = load_own(dir, block, ret, note);

        if (err == ERR_NOT_FOUND && dir->moved)
                err = load_own(dir->moved, block, ret, note);
        if (err == ERR_NOT_FOUND)
                return err_set(note, ERR_CORRUPT, "%s: block %u is not there", dir->path, block);
        return err;
}

/* ---- the file that it stands for ---- */

static uint64_t nth_at(const struct xo_vhd_dir *dir, size_t nth) {
        return dir->head.n + nth * (uint64_t)BLOCK_FILE;
}

static void write_head(struct xo_vhd_dir *dir) {
        uint32_t n = dir->header.max_bat_entries;
        uint32_t *entries = mem_grow(NULL, max_u64(n, 1), sizeof *entries);

        dir->head.n = 0;
        buf_extend(&dir->head, TABLE_AT + round_up(n * (uint64_t)sizeof(be32), SECTOR));
        vhd_bat_clear(entries, n);
        for (size_t i = 0; i < dir->held.n; i++)
                entries[dir->held.data[i]] = (uint32_t)(nth_at(dir, i) / SECTOR);
        memset(dir->head.data + TABLE_AT, 0xff, dir->head.n - TABLE_AT);
        vhd_bat_encode(entries, n, (be32 *)(void *)(dir->head.data + TABLE_AT));
        vhd_footer_encode(&dir->footer, &dir->tail);
        memcpy(dir->head.data, &dir->tail, sizeof dir->tail);
        vhd_header_encode(&dir->header, (struct vhd_header_disk *)(void *)(dir->head.data + HEADER_AT));
        free(entries);
}

/* It has no payloads of locators, and its table is where write_head puts it. */
static void take_place(struct xo_vhd_dir *dir) {
        dir->footer.data_offset = HEADER_AT;
        dir->header.table_offset = TABLE_AT;
        memset(dir->header.locator, 0, sizeof dir->header.locator);
        write_head(dir);
}

enum err xo_vhd_dir_open(const struct xo_remote *remote, const char *path, struct xo_vhd_dir **ret,
                         struct err_note *note) {
        AUTO(xo_vhd_dir_free) struct xo_vhd_dir *dir = mem_new(struct xo_vhd_dir);
        struct chunk_cache_options cache = {.chunk = VHD_BLOCK_SIZE,
                                            .bytes = (size_t)CACHE_BLOCKS * VHD_BLOCK_SIZE,
                                            .load = load_block,
                                            .user = dir};

        dir->remote = remote;
        dir->path = mem_text(path);
        if (read_filter(dir, note) || read_footer(dir, note) || read_header(dir, note) || read_bat(dir, note))
                return note->code;
        take_place(dir);
        dir->cache = chunk_cache_new(&cache);
        *ret = TAKE(dir);
        return ERR_NONE;
}

void xo_vhd_dir_free(struct xo_vhd_dir *dir) {
        if (!dir)
                return;
        if (dir->cache)
                chunk_cache_free(dir->cache);
        vec_fini(&dir->held);
        buf_fini(&dir->head);
        free(dir->path);
        free(dir);
}

struct uuid xo_vhd_dir_uuid(const struct xo_vhd_dir *dir) {
        return dir->footer.uuid;
}

bool xo_vhd_dir_has_parent(const struct xo_vhd_dir *dir) {
        return dir->footer.type == VHD_DIFFERENCING;
}

struct uuid xo_vhd_dir_parent(const struct xo_vhd_dir *dir) {
        return dir->header.parent_uuid;
}

enum err xo_vhd_dir_set_parent(struct xo_vhd_dir *dir, const char *name, struct err_note *note) {
        const struct uuid uuid = dir->header.parent_uuid;

        if (vhd_header_set_parent(&dir->header, &uuid, dir->header.parent_timestamp, name, note))
                return note->code;
        take_place(dir);
        return ERR_NONE;
}

void xo_vhd_dir_set_moved(struct xo_vhd_dir *dir, const struct xo_vhd_dir *below) {
        dir->moved = below;
}

uint64_t xo_vhd_dir_size(const struct xo_vhd_dir *dir) {
        return nth_at(dir, dir->held.n) + sizeof dir->tail;
}

/* What of n bytes at `at` lies in one part of the file: the head, a bitmap, a block, the footer. */
static enum err read_run(struct xo_vhd_dir *dir, uint8_t *ret, size_t n, uint64_t at, size_t *ret_n,
                         struct err_note *note) {
        uint64_t blocks_end = nth_at(dir, dir->held.n), in = (at - dir->head.n) % BLOCK_FILE;

        if (at < dir->head.n) {
                *ret_n = min_u64(n, dir->head.n - at);
                memcpy(ret, dir->head.data + at, *ret_n);
        } else if (at >= blocks_end) {
                *ret_n = min_u64(n, sizeof dir->tail - (at - blocks_end));
                memcpy(ret, (const uint8_t *)&dir->tail + (at - blocks_end), *ret_n);
        } else if (in < VHD_BITMAP_SIZE) {
                *ret_n = min_u64(n, VHD_BITMAP_SIZE - in);
                memset(ret, 0xff, *ret_n);
        } else {
                *ret_n = min_u64(n, BLOCK_FILE - in);
                return chunk_cache_read(dir->cache, (at - dir->head.n) / BLOCK_FILE, in - VHD_BITMAP_SIZE,
                                        ret, *ret_n, note);
        }
        return ERR_NONE;
}

enum err xo_vhd_dir_read(struct xo_vhd_dir *dir, void *ret, size_t n, uint64_t at, size_t *ret_n,
                         struct err_note *note) {
        uint64_t size = xo_vhd_dir_size(dir);
        size_t there = at < size ? (size_t)min_u64(n, size - at) : 0;

        for (size_t done = 0, run; done < there; done += run)
                if (read_run(dir, (uint8_t *)ret + done, there - done, at + done, &run, note))
                        return note->code;
        *ret_n = there;
        return ERR_NONE;
}
