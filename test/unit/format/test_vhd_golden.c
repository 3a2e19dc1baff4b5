// SPDX-License-Identifier: Apache-2.0
/* Our reading of what vhd-util and vhd-tool wrote (test/golden/README.md), and our bytes against theirs. */
#include "check.h"

#include "golden.h"
#include "mem.h"
#include "vhd_bat.h"
#include "vhd_batmap.h"
#include "vhd_bitmap.h"
#include "vhd_footer.h"
#include "vhd_header.h"
#include "vhd_layout.h"
#include "vhd_locator.h"

struct row {
        const char *name;
        enum vhd_type type;
        bool is_hidden;
        uint64_t file_size, size;
        unsigned cylinders, heads, sectors;
        const char *uuid;
        uint64_t table_offset;
        uint32_t max_bat_entries;
        const char *parent_name; /* NULL: none */
        const char *parent_uuid;
        uint64_t locator_at;            /* of the first */
        uint32_t blocks, first, stride; /* allocated blocks; where the first is, and each next */
        bool has_batmap;
        uint32_t map_checksum;
};

static const struct row rows[] = {
        {"empty-64M.vhd", VHD_DYNAMIC, false, 3584, 64 * MIB, 963, 8, 17,
         "3173a002-d75f-496d-b3fc-069e7de9b988", 1536, 32, NULL, NULL, 0, 0, 0, 0, true, 0xFFFFFFFF},
        {"odd-1001M.vhd", VHD_DYNAMIC, false, 5120, 1002 * MIB, 2035, 16, 63,
         "0505a831-057b-4378-aa0b-894aec18bb5d", 1536, 501, NULL, NULL, 0, 0, 0, 0, true, 0xFFFFFFFF},
        {"prealloc-64M-of-2040G.vhd", VHD_DYNAMIC, false, 4311040, 64 * MIB, 963, 8, 17,
         "2b30a96d-f06e-463b-bd3f-e15bcd37aae9", 1536, VHD_MAX_BLOCKS, NULL, NULL, 0, 0, 0, 0, true,
         0xFFFFFFFF},
        {"snap-of-empty-e.vhd", VHD_DIFFERENCING, false, 5120, 64 * MIB, 963, 8, 17,
         "9b711f3d-fed0-4868-94f6-fc0efbbd61d1", 1536, 32, "empty-64M.vhd",
         "3173a002-d75f-496d-b3fc-069e7de9b988", 3072, 0, 0, 0, true, 0xFFFFFFFF},
        {"coalesced-8M.vhd", VHD_DYNAMIC, false, 8405504, 8 * MIB, 240, 4, 17,
         "4a4e0ecd-7b0d-41cd-8804-98e869742e34", 1536, 4, NULL, NULL, 0, 4, 7, 4104, true, 0xFFFFFF0F},
        {"base.vhd", VHD_DYNAMIC, true, 8405504, 8 * MIB, 240, 4, 17, "4a4e0ecd-7b0d-41cd-8804-98e869742e34",
         1536, 4, NULL, NULL, 0, 4, 7, 4104, true, 0xFFFFFF0F},
        {"mid.vhd", VHD_DIFFERENCING, true, 5120, 8 * MIB, 240, 4, 17, "22b340b8-f4fc-42c0-a52c-7c4c3ffabefd",
         1536, 4, "base.vhd", "4a4e0ecd-7b0d-41cd-8804-98e869742e34", 3072, 0, 0, 0, true, 0xFFFFFFFF},
        {"leaf.vhd", VHD_DIFFERENCING, false, 5120, 8 * MIB, 240, 4, 17,
         "6f2c76c9-1403-4bbe-97a7-36df9974ea61", 1536, 4, "mid.vhd", "22b340b8-f4fc-42c0-a52c-7c4c3ffabefd",
         3072, 0, 0, 0, true, 0xFFFFFFFF},
        {"leafdata.vhd", VHD_DIFFERENCING, false, 8409600, 8 * MIB, 240, 4, 17,
         "6a4ac289-8750-4058-9479-79251a6b4bc1", 1536, 4, "base.vhd", "4a4e0ecd-7b0d-41cd-8804-98e869742e34",
         3072, 4, 15, 4104, true, 0xFFFFFF0F},
        {"raw-child.vhd", VHD_DIFFERENCING, false, 8409600, 8 * MIB, 240, 4, 17,
         "6a2d46a4-18e9-4018-8243-0e01afe60b5f", 1536, 4, "coalesced-8M.vhd",
         "4a4e0ecd-7b0d-41cd-8804-98e869742e34", 3072, 4, 15, 4104, true, 0xFFFFFF0F},
        {"vhdtool-full.vhd", VHD_DYNAMIC, false, 8393728, 8 * MIB, 240, 4, 17,
         "d8fc0c5e-15eb-4338-9ba3-1c6a6d76a994", 2048, 4, NULL, NULL, 0, 4, 5, 4097, false, 0},
        {"vhdtool-delta.vhd", VHD_DIFFERENCING, false, 8393728, 8 * MIB, 240, 4, 17,
         "4428278b-9fd5-4056-9ae9-28cd8639994a", 2048, 4, "/sr/base.vhd",
         "4a4e0ecd-7b0d-41cd-8804-98e869742e34", 1536, 4, 5, 4097, false, 0},
};

static struct buf files[sizeof rows / sizeof *rows]; /* opened once; each test borrows */

#define EACH_ROW(row) for (const struct row *row = rows; row < rows + sizeof rows / sizeof *rows; row++)

static int open_all(void **state) {
        (void)state;
        EACH_ROW(row)
        files[row - rows] = golden_load(row->name);
        return 0;
}

static int close_all(void **state) {
        (void)state;
        EACH_ROW(row)
        buf_fini(&files[row - rows]);
        return 0;
}

static const uint8_t *at(const struct buf *file, uint64_t offset, uint64_t n) {
        assert_true(range_fits(offset, n, file->n));
        return file->data + offset;
}

static struct vhd_footer footer_at(const struct buf *file, uint64_t offset) {
        struct vhd_footer_disk again;
        struct vhd_footer footer;
        struct err_note note;

        assert_ok(vhd_footer_decode_span((struct span){at(file, offset, 512), 512}, &footer, &note));
        vhd_footer_encode(&footer, &again);
        assert_memory_equal(&again, at(file, offset, 512), 512);
        return footer;
}

static struct vhd_header header_of(const struct buf *file) {
        struct vhd_header_disk again;
        struct vhd_header header;
        struct err_note note;

        assert_ok(vhd_header_decode_span((struct span){at(file, 512, 1024), 1024}, &header, &note));
        vhd_header_encode(&header, &again);
        assert_memory_equal(&again, at(file, 512, 1024), 1024);
        return header;
}

static void footers_say_what_is_known(void **state) {
        (void)state;
        EACH_ROW(row) {
                const struct buf file = files[row - rows];
                struct vhd_footer footer = footer_at(&file, file.n - 512), copy = footer_at(&file, 0);
                struct vhd_geometry geometry = vhd_geometry_of(footer.size_bytes);

                assert_true(vhd_footer_equal(&footer, &copy));
                assert_true(file.n == row->file_size);
                assert_int_equal(footer.type, row->type);
                assert_int_equal(footer.is_hidden, row->is_hidden);
                assert_true(footer.size_bytes == row->size && footer.original_size_bytes == row->size);
                assert_int_equal(footer.geometry.cylinders, row->cylinders);
                assert_int_equal(footer.geometry.heads, row->heads);
                assert_int_equal(footer.geometry.sectors, row->sectors);
                assert_memory_equal(&geometry, &footer.geometry, sizeof geometry);
                assert_string_equal(uuid_format(&footer.uuid).s, row->uuid);
                assert_true(footer.data_offset == 512);
                assert_int_equal(vhd_footer_is_by_tapdisk(&footer), row->has_batmap);
                assert_int_equal(footer.creator_version, row->has_batmap ? VHD_CREATOR_VERSION(1, 3) : 1);
        }
}

static void headers_say_what_is_known(void **state) {
        (void)state;
        EACH_ROW(row) {
                const struct buf file = files[row - rows];
                struct vhd_header header = header_of(&file);
                AUTO_FREE char *name = NULL;
                struct err_note note;

                assert_true(header.table_offset == row->table_offset);
                assert_int_equal(header.max_bat_entries, row->max_bat_entries);
                assert_ok(vhd_header_check_type(&header, row->type, &note));
                assert_ok(vhd_header_check_size(&header, row->size, &note));
                assert_ok(vhd_header_name(&header, &name, &note));
                assert_string_equal(name, row->parent_name ? row->parent_name : "");
                if (row->parent_uuid)
                        assert_string_equal(uuid_format(&header.parent_uuid).s, row->parent_uuid);
                assert_int_equal(uuid_is_null(&header.parent_uuid), !row->parent_uuid);
                assert_false(vhd_header_has_raw_parent(&header, row->type));
        }
}

static void check_payload(const struct buf *file, const struct vhd_locator *locator, const char *want) {
        AUTO(buf_fini) struct buf payload = {0};
        AUTO_FREE char *path = NULL;
        struct err_note note;

        assert_ok(vhd_locator_decode(locator, (struct span){at(file, locator->offset, 512), 512}, &path,
                                     &note));
        assert_string_equal(path, want);
        assert_ok(vhd_locator_encode(locator->code, path, &payload, &note));
        assert_int_equal(payload.n, locator->length);
        assert_memory_equal(payload.data, file->data + locator->offset, payload.n);
        assert_true(bytes_are_zero(file->data + locator->offset + payload.n, 512 - payload.n));
}

static void locators_hold_the_same_path_three_times(void **state) {
        unsigned seen = 0;

        (void)state;
        EACH_ROW(row) {
                const struct buf file = files[row - rows];
                struct vhd_header header = header_of(&file);
                unsigned n = row->parent_name && row->has_batmap ? 3 : 0;

                for (unsigned i = 0; i < n; i++) {
                        assert_int_equal(header.locator[i].code, vhd_locator_order[i]);
                        assert_int_equal(header.locator[i].space, 512);
                        assert_true(header.locator[i].offset == row->locator_at + 512 * i);
                        check_payload(&file, &header.locator[i], row->parent_name);
                        seen++;
                }
                for (unsigned i = n ? n : 1; i < VHD_LOCATORS; i++)
                        assert_int_equal(header.locator[i].code, VHD_LOCATOR_NONE);
        }
        assert_int_equal(seen, 15);
}

static void the_locator_of_an_export_is_legal_but_empty(void **state) {
        AUTO(buf_fini) struct buf file = golden_load("vhdtool-delta.vhd");
        struct vhd_header header = header_of(&file);
        struct err_note note;
        uint64_t space;
        char *path;

        (void)state;
        assert_ok(vhd_locator_check(&header.locator[0], &note));
        assert_int_equal(header.locator[0].space, 1); /* in sectors */
        assert_true(vhd_locator_space(&header.locator[0], &space) && space == 512);
        assert_err(vhd_locator_decode(&header.locator[0], (struct span){at(&file, 1536, 512), 512}, &path,
                                      &note),
                   ERR_CORRUPT, "locator MacX");
}

static void tables_name_their_blocks(void **state) {
        (void)state;
        EACH_ROW(row) {
                const struct buf file = files[row - rows];
                struct vhd_footer footer = footer_at(&file, 0);
                struct vhd_header header = header_of(&file);
                uint32_t n = header.max_bat_entries;
                const be32 *bat = (const be32 *)at(&file, header.table_offset, (uint64_t)n * 4);
                AUTO_FREE uint32_t *entries = mem_try(n, sizeof *entries);
                struct vhd_reserved reserved;
                struct err_note note;

                vhd_bat_decode(bat, n, entries);
                assert_int_equal(vhd_bat_count(entries, n), row->blocks);
                assert_ok(vhd_reserved_of(&footer, &header, row->has_batmap,
                                          vhd_batmap_header_at(&header) + 512, vhd_batmap_size(n), &reserved,
                                          &note));
                assert_ok(vhd_bat_check_overlaps(entries, n, NULL, &note));
                for (uint32_t i = 0; i < row->blocks; i++) {
                        assert_int_equal(entries[i], row->first + i * row->stride);
                        assert_ok(vhd_bat_check_entry(i, entries[i], &reserved, file.n - 512, &note));
                        assert_true(vhd_bitmap_is_full(at(&file, (uint64_t)entries[i] * 512, 512)));
                }
                if (row->blocks)
                        assert_true(vhd_bat_end_sector(entries, n) * 512 == file.n - 512);
        }
}

static void batmaps_are_where_they_must_be_and_sum_up(void **state) {
        (void)state;
        EACH_ROW(row) {
                const struct buf file = files[row - rows];
                struct vhd_footer footer = footer_at(&file, 0);
                struct vhd_header header = header_of(&file);
                struct vhd_batmap_disk again;
                struct vhd_batmap batmap;
                struct err_note note;
                const uint8_t *disk;
                struct span map;

                assert_int_equal(vhd_batmap_presence(&footer),
                                 row->has_batmap ? VHD_BATMAP_YES : VHD_BATMAP_NO);
                if (!row->has_batmap)
                        continue;
                disk = at(&file, vhd_batmap_header_at(&header), 512);
                assert_ok(vhd_batmap_decode_span((struct span){disk, 512}, &batmap, &note));
                vhd_batmap_encode(&batmap, &again);
                assert_memory_equal(&again, disk, 512);
                assert_int_equal(batmap.checksum, row->map_checksum);
                assert_true(batmap.map_size_bytes == vhd_batmap_size(header.max_bat_entries));
                assert_ok(vhd_batmap_check_size(&batmap, row->size, &note));
                map = (struct span){at(&file, batmap.map_offset, batmap.map_size_bytes),
                                    batmap.map_size_bytes};
                assert_ok(vhd_batmap_check_map(&batmap, map, row->size, &note));
                assert_ok(vhd_batmap_check_plain(&batmap, &note));
                assert_int_equal(vhd_bitmap_count(map.data, 0, header.max_bat_entries), row->blocks);
        }
}

static void blocks_read_as_the_pattern(void **state) {
        static const struct {
                const char *image, *raw;
        } pairs[] = {{"base.vhd", "pattern-8M.raw"},         {"coalesced-8M.vhd", "pattern-8M.raw"},
                     {"raw-child.vhd", "pattern-8M.raw"},    {"leafdata.vhd", "pattern2-8M.raw"},
                     {"vhdtool-full.vhd", "pattern-8M.raw"}, {"vhdtool-delta.vhd", "pattern2-8M.raw"}};

        (void)state;
        for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
                AUTO(buf_fini) struct buf file = golden_load(pairs[i].image);
                AUTO(buf_fini) struct buf raw = golden_load(pairs[i].raw);
                struct vhd_header header = header_of(&file);

                assert_true(raw.n == 8 * MIB);
                for (uint32_t block = 0; block < 4; block++) {
                        uint32_t entry = vhd_bat_get((const be32 *)at(&file, header.table_offset, 16), block);

                        assert_true(!memcmp(at(&file, vhd_block_data_at(entry), VHD_BLOCK_SIZE),
                                            raw.data + block * VHD_BLOCK_SIZE, VHD_BLOCK_SIZE));
                }
        }
}

static void the_fixed_image_is_data_and_a_footer(void **state) {
        AUTO(buf_fini) struct buf file = golden_load("fixed-4M.vhd");
        struct vhd_footer footer = footer_at(&file, file.n - 512);
        struct vhd_footer_disk disk;
        struct vhd_footer fresh;
        struct vhd_layout l;

        (void)state;
        vhd_layout_init(&l, VHD_FIXED, 4 * MIB, 0, NULL);
        assert_true(l.footer_at == file.n - 512);
        assert_int_equal(footer.type, VHD_FIXED);
        assert_true(footer.data_offset == VHD_NO_OFFSET);
        vhd_footer_init(&fresh, VHD_FIXED, 4 * MIB, &footer.uuid, footer.timestamp);
        vhd_footer_encode(&fresh, &disk);
        assert_memory_equal(&disk, file.data + file.n - 512, 512);
}

/* ---- our bytes against theirs ---- */

/* An image without blocks, of the same parameters and with uuids and times taken over. */
static void build(const struct vhd_footer *theirs, const struct vhd_header *their_header, const char *parent,
                  struct buf *ret) {
        struct buf payload[VHD_NEW_LOCATORS] = {{0}};
        size_t payload_size[VHD_NEW_LOCATORS] = {0};
        struct vhd_footer footer;
        struct vhd_header header;
        struct vhd_batmap batmap;
        struct vhd_layout l;
        struct err_note note;
        uint8_t *file;

        for (unsigned i = 0; parent && i < VHD_NEW_LOCATORS; i++) {
                assert_ok(vhd_locator_encode(vhd_locator_order[i], parent, &payload[i], &note));
                payload_size[i] = payload[i].n;
        }
        vhd_layout_init(&l, theirs->type, theirs->size_bytes, their_header->max_bat_entries, payload_size);
        file = buf_extend(ret, l.footer_at + VHD_FOOTER_SIZE);
        vhd_footer_init(&footer, theirs->type, theirs->size_bytes, &theirs->uuid, theirs->timestamp);
        footer.is_hidden = theirs->is_hidden;
        vhd_footer_encode(&footer, (struct vhd_footer_disk *)file);
        memcpy(file + l.footer_at, file, VHD_FOOTER_SIZE);
        vhd_header_init(&header, l.bat_at, l.max_bat_entries);
        if (parent)
                assert_ok(vhd_header_set_parent(&header, &their_header->parent_uuid,
                                                their_header->parent_timestamp, parent, &note));
        for (unsigned i = 0; i < l.n_locators; i++) {
                header.locator[i] = (struct vhd_locator){vhd_locator_order[i], (uint32_t)l.locator_space[i],
                                                         (uint32_t)payload[i].n, 0, l.locator_at[i]};
                memcpy(file + l.locator_at[i], payload[i].data, payload[i].n);
        }
        vhd_header_encode(&header, (struct vhd_header_disk *)(file + l.header_at));
        memset(file + l.bat_at, 0xFF, (size_t)l.max_bat_entries * 4);
        vhd_batmap_init(&batmap, l.batmap_at, l.max_bat_entries);
        vhd_batmap_encode(&batmap, (struct vhd_batmap_disk *)(file + l.batmap_header_at));
        for (unsigned i = 0; i < VHD_NEW_LOCATORS; i++)
                buf_fini(&payload[i]);
}

static void an_image_without_blocks_is_theirs_byte_for_byte(void **state) {
        unsigned compared = 0;

        (void)state;
        EACH_ROW(row) {
                const struct buf theirs = files[row - rows];
                AUTO(buf_fini) struct buf ours = {0};
                struct vhd_footer footer = footer_at(&theirs, 0);
                struct vhd_header header = header_of(&theirs);

                if (row->blocks)
                        continue;
                build(&footer, &header, row->parent_name, &ours);
                assert_int_equal(ours.n, theirs.n);
                assert_memory_equal(ours.data, theirs.data, ours.n);
                compared++;
        }
        assert_int_equal(compared, 6);
}

static void every_single_bit_error_of_theirs_is_refused(void **state) {
        AUTO(buf_fini) struct buf file = golden_load("leaf.vhd");
        struct vhd_footer footer;
        struct vhd_header header;
        struct err_note note;

        (void)state;
        for (unsigned bit = 0; bit < 1536 * 8; bit++) {
                uint8_t *byte = file.data + bit / 8, flip = (uint8_t)(1u << bit % 8);
                enum err err;

                *byte ^= flip;
                err = bit < 512 * 8
                              ? vhd_footer_decode_span((struct span){file.data, 512}, &footer, &note)
                              : vhd_header_decode_span((struct span){file.data + 512, 1024}, &header, &note);
                if (err != ERR_CORRUPT)
                        fail_msg("bit %u of byte %u was flipped and nobody noticed", bit % 8, bit / 8);
                *byte ^= flip;
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(footers_say_what_is_known),
                cmocka_unit_test(headers_say_what_is_known),
                cmocka_unit_test(locators_hold_the_same_path_three_times),
                cmocka_unit_test(the_locator_of_an_export_is_legal_but_empty),
                cmocka_unit_test(tables_name_their_blocks),
                cmocka_unit_test(batmaps_are_where_they_must_be_and_sum_up),
                cmocka_unit_test(blocks_read_as_the_pattern),
                cmocka_unit_test(the_fixed_image_is_data_and_a_footer),
                cmocka_unit_test(an_image_without_blocks_is_theirs_byte_for_byte),
                cmocka_unit_test(every_single_bit_error_of_theirs_is_refused),
        };
        return cmocka_run_group_tests(tests, open_all, close_all);
}
