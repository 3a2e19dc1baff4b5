// SPDX-License-Identifier: Apache-2.0
/* Images by the qemu-img of this machine, made as the test runs, and ours read by it.  Skipped where there is
 * none. */
#include "check.h"

#include <inttypes.h>
#include <unistd.h>

#include "buf.h"
#include "mem.h"
#include "vhd_bat.h"
#include "vhd_batmap.h"
#include "vhd_bitmap.h"
#include "vhd_footer.h"
#include "vhd_header.h"
#include "vhd_layout.h"

enum { SKIPPED = 77 };

static char folder[] = "/tmp/vhd_qemu.XXXXXX";

static int make_folder(void **state) {
        (void)state;
        return mkdtemp(folder) ? 0 : -1;
}

static void run(const char *command) {
        AUTO_FREE char *line = mem_format("cd '%s' && %s >log 2>&1 || { cat log; exit 1; }", folder, command);

        if (system(line) != 0)
                fail_msg("%s", command);
}

static int remove_folder(void **state) {
        AUTO_FREE char *command = mem_format("rm -f '%s'/*; rmdir '%s'", folder, folder);

        (void)state;
        return system(command);
}

static struct buf load(const char *name) {
        AUTO_FREE char *path = mem_format("%s/%s", folder, name);
        FILE *file = fopen(path, "rb");
        struct buf data = {0};
        size_t n;

        if (!file)
                fail_msg("cannot open %s", path);
        do {
                void *room = buf_extend(&data, 1 << 16);

                n = fread(room, 1, 1 << 16, file);
                data.n -= (1 << 16) - n;
        } while (n > 0);
        fclose(file);
        return data;
}

static void save(const char *name, const struct buf *data) {
        AUTO_FREE char *path = mem_format("%s/%s", folder, name);
        FILE *file = fopen(path, "wb");

        if (!file || fwrite(data->data, 1, data->n, file) != data->n || fclose(file) != 0)
                fail_msg("cannot write %s", path);
}

static struct vhd_footer footer_of(const struct buf *file, uint64_t at) {
        struct vhd_footer_disk again;
        struct vhd_footer footer;
        struct err_note note;

        assert_true(range_fits(at, 512, file->n));
        assert_ok(vhd_footer_decode_span((struct span){file->data + at, 512}, &footer, &note));
        vhd_footer_encode(&footer, &again);
        assert_memory_equal(&again, file->data + at, 512);
        return footer;
}

static struct vhd_header header_of(const struct buf *file, const struct vhd_footer *footer) {
        struct vhd_header_disk again;
        struct vhd_header header;
        struct err_note note;

        assert_true(range_fits(footer->data_offset, 1024, file->n));
        assert_ok(vhd_header_decode_span((struct span){file->data + footer->data_offset, 1024}, &header,
                                         &note));
        vhd_header_encode(&header, &again);
        assert_memory_equal(&again, file->data + footer->data_offset, 1024);
        return header;
}

static void its_dynamic_images_are_read(void **state) {
        static const struct {
                const char *options;
                uint64_t asked;
                bool is_exact; /* the size is what was asked for; otherwise rounded up to whole cylinders */
                const char *creator;
        } rows[] = {
                {"subformat=dynamic", 64 * MIB, false, "qemu"},
                {"subformat=dynamic", 1000 * MIB, false, "qemu"},
                {"subformat=dynamic,force_size=on", 64 * MIB, true, "qem2"},
                {"subformat=dynamic,force_size=on", 1001 * MIB + 512, true, "qem2"},
                {"subformat=dynamic,force_size=on", VHD_MAX_SIZE, true, "qem2"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO_FREE char *command = mem_format("qemu-img create -q -f vpc -o %s a.vhd %" PRIu64,
                                                     rows[i].options, rows[i].asked);
                AUTO(buf_fini) struct buf file = {0};
                struct vhd_footer footer, copy;
                struct vhd_header header;
                struct err_note note;

                run(command);
                file = load("a.vhd");
                footer = footer_of(&file, file.n - 512);
                copy = footer_of(&file, 0);
                header = header_of(&file, &footer);
                assert_true(vhd_footer_equal(&footer, &copy));
                assert_int_equal(footer.type, VHD_DYNAMIC);
                assert_memory_equal(footer.creator, rows[i].creator, 4);
                assert_int_equal(vhd_batmap_presence(&footer), VHD_BATMAP_NO);
                assert_true(rows[i].is_exact
                                    ? footer.size_bytes == rows[i].asked
                                    : footer.size_bytes > rows[i].asked &&
                                              footer.size_bytes == vhd_geometry_bytes(footer.geometry));
                assert_int_equal(header.max_bat_entries, vhd_blocks_of(footer.size_bytes));
                assert_ok(vhd_header_check_size(&header, footer.size_bytes, &note));
                assert_ok(vhd_header_check_type(&header, VHD_DYNAMIC, &note));
                for (uint32_t b = 0; b < header.max_bat_entries; b++)
                        assert_int_equal(vhd_bat_get((be32 *)(file.data + header.table_offset), b),
                                         VHD_BAT_UNUSED);
        }
}

static void its_fixed_images_are_read(void **state) {
        static const char *const options[] = {"subformat=fixed", "subformat=fixed,force_size=on"};

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                AUTO_FREE char *command =
                        mem_format("qemu-img create -q -f vpc -o %s a.vhd 4195328", options[i]);
                AUTO(buf_fini) struct buf file = {0};
                struct vhd_footer footer;

                run(command);
                file = load("a.vhd");
                footer = footer_of(&file, file.n - 512);
                assert_int_equal(footer.type, VHD_FIXED);
                assert_true(footer.size_bytes == file.n - 512);
                assert_true(i == 0 ? footer.size_bytes >= 4195328 : footer.size_bytes == 4195328);
        }
}

/* 9 MiB with something in blocks 1 and 4; the rest empty. */
static struct buf some_disk(void) {
        struct buf raw = {0};

        buf_extend(&raw, 9 * MIB);
        for (size_t i = 0; i < MIB; i++) {
                raw.data[VHD_BLOCK_SIZE + i] = (uint8_t)(i * 7 + i / 512);
                raw.data[4 * VHD_BLOCK_SIZE + i] = (uint8_t)(i * 11 + 1);
        }
        return raw;
}

static void its_blocks_are_found_though_not_aligned(void **state) {
        AUTO(buf_fini) struct buf raw = some_disk();
        AUTO(buf_fini) struct buf file = {0};
        struct vhd_reserved reserved;
        struct vhd_footer footer;
        struct vhd_header header;
        struct err_note note;
        uint32_t entries[5];

        (void)state;
        save("a.raw", &raw);
        run("qemu-img convert -f raw -O vpc -o subformat=dynamic,force_size=on a.raw a.vhd");
        file = load("a.vhd");
        footer = footer_of(&file, file.n - 512);
        header = header_of(&file, &footer);
        assert_true(footer.size_bytes == 9 * MIB);
        assert_int_equal(header.max_bat_entries, 5);
        vhd_bat_decode((be32 *)(file.data + header.table_offset), 5, entries);
        assert_int_equal(vhd_bat_count(entries, 5), 2);
        assert_ok(vhd_reserved_of(&footer, &header, false, 0, 0, &reserved, &note));
        assert_ok(vhd_bat_check_overlaps(entries, 5, NULL, &note));
        for (uint32_t b = 1; b < 5; b += 3) {
                assert_ok(vhd_bat_check_entry(b, entries[b], &reserved, file.n - 512, &note));
                assert_true(vhd_bitmap_is_full(file.data + (uint64_t)entries[b] * 512));
                assert_memory_equal(file.data + vhd_block_data_at(entries[b]), raw.data + b * VHD_BLOCK_SIZE,
                                    MIB);
        }
}

/* The same disk, laid out by us. */
static struct buf image_of(const struct buf *raw) {
        const struct uuid uuid = uuid_from_random((const uint8_t[16]){9, 9, 9});
        struct vhd_batmap batmap;
        struct vhd_footer footer;
        struct vhd_header header;
        struct buf file = {0};
        struct vhd_layout l;
        uint8_t *map;
        be32 *bat;

        vhd_layout_init(&l, VHD_DYNAMIC, raw->n, vhd_blocks_of(raw->n), NULL);
        buf_extend(&file,
                   vhd_block_end((uint32_t)vhd_slot_sector(l.first_block_sector, 1)) + VHD_FOOTER_SIZE);
        vhd_footer_init(&footer, VHD_DYNAMIC, raw->n, &uuid, 848545653);
        vhd_footer_encode(&footer, (struct vhd_footer_disk *)file.data);
        memcpy(file.data + file.n - VHD_FOOTER_SIZE, file.data, VHD_FOOTER_SIZE);
        vhd_header_init(&header, l.bat_at, l.max_bat_entries);
        vhd_header_encode(&header, (struct vhd_header_disk *)(file.data + l.header_at));
        bat = (be32 *)(file.data + l.bat_at);
        map = file.data + l.batmap_at;
        memset(bat, 0xFF, l.max_bat_entries * sizeof *bat);
        for (uint32_t k = 0; k < 2; k++) {
                uint32_t block = k ? 1 : 4, entry = (uint32_t)vhd_slot_sector(l.first_block_sector, k);

                vhd_bat_put(bat, block, entry);
                vhd_bitmap_set_range(file.data + (uint64_t)entry * 512, 0, VHD_BLOCK_SECTORS);
                memcpy(file.data + vhd_block_data_at(entry), raw->data + block * VHD_BLOCK_SIZE,
                       min_u64(VHD_BLOCK_SIZE, raw->n - block * VHD_BLOCK_SIZE));
                vhd_bitmap_set(map, block);
        }
        vhd_batmap_init(&batmap, l.batmap_at, l.max_bat_entries);
        vhd_batmap_seal(&batmap, (struct span){map, l.batmap_size}, raw->n);
        vhd_batmap_encode(&batmap, (struct vhd_batmap_disk *)(file.data + l.batmap_header_at));
        return file;
}

static void it_reads_ours(void **state) {
        AUTO(buf_fini) struct buf raw = some_disk();
        AUTO(buf_fini) struct buf file = image_of(&raw);
        AUTO(buf_fini) struct buf back = {0};

        (void)state;
        save("a.vhd", &file);
        run("qemu-img convert -f vpc -O raw a.vhd b.raw");
        back = load("b.raw");
        assert_int_equal(back.n, raw.n);
        assert_memory_equal(back.data, raw.data, raw.n);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(its_dynamic_images_are_read),
                cmocka_unit_test(its_fixed_images_are_read),
                cmocka_unit_test(its_blocks_are_found_though_not_aligned),
                cmocka_unit_test(it_reads_ours),
        };

        if (system("qemu-img --version >/dev/null 2>&1") != 0) {
                puts("skipped: there is no qemu-img");
                return SKIPPED;
        }
        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
