// SPDX-License-Identifier: Apache-2.0
/* What the tests of the file-level VHD rooms share: small images on a simulated machine, a writer and a
 * reader of blocks that follow the format's text and nothing else of ours but its codecs, and ways to damage
 * bytes.
 *
 * Errors: each ends the test.  Threads: one.
 */
#ifndef TEST_UNIT_DISK_VHD_KIT_H
#define TEST_UNIT_DISK_VHD_KIT_H

#include "check.h"

#include "io_sim.h"
#include "mem.h"
#include "vhd_bitmap.h"
#include "vhd_create.h"
#include "vhd_edit.h"
#include "vhd_meta.h"

UNUSED static struct io_file *kit_open(struct io *io, const char *path) {
        struct err_note note = {0};
        struct io_file *file = NULL;

        assert_ok(io_open(io, path, IO_WRITE, &file, &note));
        return file;
}

UNUSED static uint64_t kit_size(struct io *io, const char *path) {
        struct err_note note = {0};
        struct io_stat stat;

        assert_ok(io_stat_path(io, path, &stat, &note));
        return stat.size;
}

UNUSED static void kit_read_at(struct io *io, const char *path, void *ret, size_t n, uint64_t at) {
        struct err_note note = {0};
        AUTO(io_close) struct io_file *file = NULL;

        assert_ok(io_open(io, path, IO_READ, &file, &note));
        assert_ok(io_read(file, ret, n, at, &note));
}

UNUSED static void kit_write_at(struct io *io, const char *path, const void *data, size_t n, uint64_t at) {
        struct err_note note = {0};
        AUTO(io_close) struct io_file *file = kit_open(io, path);

        assert_ok(io_write(file, data, n, at, &note));
        assert_ok(io_sync(file, &note));
}

UNUSED static void kit_truncate(struct io *io, const char *path, uint64_t size) {
        struct err_note note = {0};
        AUTO(io_close) struct io_file *file = kit_open(io, path);

        assert_ok(io_truncate(file, size, &note));
        assert_ok(io_sync(file, &note));
}

UNUSED static void kit_flip(struct io *io, const char *path, uint64_t at) {
        uint8_t byte;

        kit_read_at(io, path, &byte, 1, at);
        byte ^= 0x40;
        kit_write_at(io, path, &byte, 1, at);
}

UNUSED static struct vhd_meta kit_meta(struct io *io, const char *path) {
        struct err_note note = {0};
        struct vhd_meta meta;
        AUTO(io_close) struct io_file *file = NULL;

        assert_ok(io_open(io, path, IO_READ, &file, &note));
        assert_ok(vhd_meta_read(file, 0, &meta, &note));
        return meta;
}

/* The names of a machine: each made, its folder synced. */
UNUSED static void kit_create(struct io *io, const char *path, enum vhd_type type, uint64_t size,
                              const char *parent_path) {
        struct err_note note = {0};
        struct vhd_parent parent = {.path = parent_path, .modified_seconds = 1600000000};

        if (parent_path)
                parent.uuid = kit_meta(io, parent_path).footer.uuid;
        assert_ok(vhd_create(io, path,
                             &(struct vhd_create_options){
                                     .type = type, .size = size, .parent = parent_path ? &parent : NULL},
                             NULL, &note));
        assert_ok(io_sync_dir(io, "/", &note));
}

UNUSED static void kit_write_footers(struct io *io, const char *path, const struct vhd_meta *meta) {
        struct err_note note = {0};
        AUTO(io_close) struct io_file *file = kit_open(io, path);

        assert_ok(vhd_edit_write_footers(file, meta, &meta->footer, &note));
}

UNUSED static void kit_write_header(struct io *io, const char *path, const struct vhd_meta *meta) {
        struct vhd_header_disk disk;

        vhd_header_encode(&meta->header, &disk);
        kit_write_at(io, path, &disk, sizeof disk, meta->footer.data_offset);
}

UNUSED static uint32_t kit_bat(struct io *io, const char *path, uint32_t block) {
        struct vhd_meta meta = kit_meta(io, path);
        be32 entry;

        kit_read_at(io, path, &entry, sizeof entry, meta.header.table_offset + (uint64_t)block * 4);
        return be32_get(entry);
}

UNUSED static void kit_set_bat(struct io *io, const char *path, uint32_t block, uint32_t sector) {
        struct vhd_meta meta = kit_meta(io, path);
        be32 entry = be32_put(sector);

        kit_write_at(io, path, &entry, sizeof entry, meta.header.table_offset + (uint64_t)block * 4);
}

/* A batmap bit, sealed. */
UNUSED static void kit_set_batmap(struct io *io, const char *path, uint32_t block, bool is_set) {
        struct vhd_meta meta = kit_meta(io, path);
        uint64_t n = round_up(div_up(meta.header.max_bat_entries, 8), VHD_SECTOR);
        AUTO_FREE uint8_t *map = mem_zero((size_t)n);
        struct vhd_batmap_disk disk;

        assert_true(meta.has_batmap);
        kit_read_at(io, path, map, (size_t)n, meta.batmap.map_offset);
        (is_set ? vhd_bitmap_set : vhd_bitmap_clear)(map, block);
        vhd_batmap_seal(&meta.batmap, (struct span){map, (size_t)n}, meta.footer.size_bytes);
        vhd_batmap_encode(&meta.batmap, &disk);
        kit_write_at(io, path, map, (size_t)n, meta.batmap.map_offset);
        kit_write_at(io, path, &disk, sizeof disk, meta.batmap_header_at);
}

/* What sector s of block b holds where it was put: no two are equal. */
UNUSED static void kit_pattern(uint8_t ret[VHD_SECTOR], uint32_t block, uint32_t sector, uint8_t salt) {
        memset(ret, salt, VHD_SECTOR);
        memcpy(ret, &block, sizeof block);
        memcpy(ret + 4, &sector, sizeof sector);
}

/* Allocates a block at the end as tapdisk does, with n sectors from `from` present. */
UNUSED static void kit_put_block(struct io *io, const char *path, uint32_t block, uint32_t from, uint32_t n,
                                 uint8_t salt) {
        struct err_note note = {0};
        struct vhd_meta meta = kit_meta(io, path);
        AUTO_FREE uint32_t *bat = mem_zero((size_t)meta.header.max_bat_entries * 4);
        AUTO_FREE uint8_t *data = mem_zero((size_t)n * VHD_SECTOR);
        uint8_t bitmap[VHD_BITMAP_SIZE] = {0};
        AUTO(io_close) struct io_file *file = kit_open(io, path);
        struct vhd_footer_disk footer;
        be32 entry;
        uint64_t sector;

        assert_ok(vhd_meta_read_bat(file, &meta, bat, vhd_meta_blocks(&meta), &note));
        assert_true(block < vhd_meta_blocks(&meta) && bat[block] == VHD_BAT_UNUSED);
        sector = vhd_slot_align(vhd_meta_data_end(&meta, bat, vhd_meta_blocks(&meta)) / VHD_SECTOR);
        vhd_bitmap_set_range(bitmap, from, n);
        for (uint32_t i = 0; i < n; i++)
                kit_pattern(data + (size_t)i * VHD_SECTOR, block, from + i, salt);
        vhd_footer_encode(&meta.footer, &footer);
        entry = be32_put((uint32_t)sector);
        assert_ok(io_truncate(file, vhd_block_end((uint32_t)sector) + VHD_SECTOR, &note));
        assert_ok(io_write(file, &footer, sizeof footer, vhd_block_end((uint32_t)sector), &note));
        assert_ok(io_punch(file, VHD_SECTOR, meta.end_footer_at, &note)); /* the old footer is no data */
        assert_ok(io_write(file, data, (size_t)n * VHD_SECTOR,
                           vhd_block_data_at((uint32_t)sector) + (uint64_t)from * VHD_SECTOR, &note));
        assert_ok(io_write(file, bitmap, sizeof bitmap, sector * VHD_SECTOR, &note));
        assert_ok(
                io_write(file, &entry, sizeof entry, meta.header.table_offset + (uint64_t)block * 4, &note));
        assert_ok(io_sync(file, &note));
        if (n == VHD_BLOCK_SECTORS && meta.has_batmap)
                kit_set_batmap(io, path, block, true);
}

/* Which sectors of a block are present; false where it has none. */
UNUSED static bool kit_bitmap(struct io *io, const char *path, uint32_t block, uint8_t ret[VHD_BITMAP_SIZE]) {
        uint32_t entry = kit_bat(io, path, block);

        if (entry == VHD_BAT_UNUSED)
                return false;
        kit_read_at(io, path, ret, VHD_BITMAP_SIZE, (uint64_t)entry * VHD_SECTOR);
        return true;
}

/* The sectors [from, from + n) of the block are present and hold the pattern; no others are present. */
UNUSED static void kit_expect_block(struct io *io, const char *path, uint32_t block, uint32_t from,
                                    uint32_t n, uint8_t salt) {
        uint8_t bitmap[VHD_BITMAP_SIZE], want[VHD_BITMAP_SIZE] = {0}, sector[VHD_SECTOR];
        AUTO_FREE uint8_t *data = mem_zero((size_t)n * VHD_SECTOR);

        assert_true(kit_bitmap(io, path, block, bitmap));
        vhd_bitmap_set_range(want, from, n);
        assert_memory_equal(bitmap, want, sizeof want);
        kit_read_at(io, path, data, (size_t)n * VHD_SECTOR,
                    vhd_block_data_at(kit_bat(io, path, block)) + (uint64_t)from * VHD_SECTOR);
        for (uint32_t i = 0; i < n; i++) {
                kit_pattern(sector, block, from + i, salt);
                assert_memory_equal(sector, data + (size_t)i * VHD_SECTOR, VHD_SECTOR);
        }
}

#endif
