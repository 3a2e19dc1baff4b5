// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "mem.h"
#include "vhd_batmap.h"
#include "vhd_bitmap.h"
#include "vhd_layout.h"

static struct vhd_batmap_disk fresh(void) {
        struct vhd_batmap_disk disk;
        struct vhd_batmap batmap;

        vhd_batmap_init(&batmap, 2560, 32);
        vhd_batmap_encode(&batmap, &disk);
        return disk;
}

static void a_fresh_one_is_what_tapdisk_writes(void **state) {
        struct vhd_batmap_disk disk = fresh();

        (void)state;
        assert_memory_equal(&disk, "tdbatmap\0\0\0\0\0\0\12\0\0\0\0\1\0\1\0\2\377\377\377\377", 28);
        assert_true(bytes_are_zero(&disk.marker, 512 - 28));
}

static void it_survives_with_marker_key_and_what_we_do_not_know(void **state) {
        struct vhd_batmap_disk disk = fresh(), again;
        struct vhd_batmap batmap;
        struct err_note note;

        (void)state;
        disk.marker = 3;
        disk.has_key = 1;
        memset(disk.nonce, 0x11, sizeof disk.nonce);
        memset(disk.hash, 0x22, sizeof disk.hash);
        disk.reserved[417] = 0x33;
        disk.version = be32_put(VHD_BATMAP_1_1);
        assert_ok(vhd_batmap_decode_span((struct span){(const uint8_t *)&disk, 512}, &batmap, &note));
        assert_int_equal(batmap.marker, 3);
        assert_true(batmap.map_offset == 2560 && batmap.map_size_bytes == 512);
        vhd_batmap_encode(&batmap, &again);
        assert_memory_equal(&again, &disk, sizeof disk);
        assert_err(vhd_batmap_check_plain(&batmap, &note), ERR_UNSUPPORTED, "encrypted");
        batmap.has_key = 0;
        assert_ok(vhd_batmap_check_plain(&batmap, &note));
        assert_err(vhd_batmap_decode_span((struct span){(const uint8_t *)&disk, 511}, &batmap, &note),
                   ERR_CUT_SHORT, "511");
}

static void each_field_is_checked(void **state) {
        struct vhd_batmap_disk disk = fresh();
        struct vhd_batmap batmap;
        struct err_note note;

        (void)state;
        disk.cookie[0] = 'T';
        assert_err(vhd_batmap_decode(&disk, &batmap, &note), ERR_CORRUPT, "cookie is 0x5464626174");
        disk = fresh();
        disk.version = be32_put(0x00010003);
        assert_err(vhd_batmap_decode(&disk, &batmap, &note), ERR_UNSUPPORTED, "version is 0x00010003");
        disk = fresh();
        disk.map_sectors = be32_put(0);
        assert_err(vhd_batmap_decode(&disk, &batmap, &note), ERR_CORRUPT, "0 sectors");
        disk = fresh();
        disk.map_offset = be64_put(2561);
        assert_err(vhd_batmap_decode(&disk, &batmap, &note), ERR_CORRUPT, "map offset is 0xa01");
        disk.map_offset = be64_put(UINT64_MAX - 511);
        assert_err(vhd_batmap_decode(&disk, &batmap, &note), ERR_CORRUPT, "map offset");
        disk.map_offset = be64_put(0);
        assert_err(vhd_batmap_decode(&disk, &batmap, &note), ERR_CORRUPT, "map offset is 0x0");
}

static void creator_and_version_say_whether_there_is_one(void **state) {
        static const struct {
                const char *creator;
                uint32_t version;
                enum vhd_type type;
                enum vhd_batmap_presence want;
        } rows[] = {
                {"tap\0", VHD_CREATOR_VERSION(1, 3), VHD_DYNAMIC, VHD_BATMAP_YES},
                {"tap\0", VHD_CREATOR_VERSION(1, 2), VHD_DIFFERENCING, VHD_BATMAP_YES},
                {"tap\0", VHD_CREATOR_VERSION(1, 1), VHD_DYNAMIC, VHD_BATMAP_MAYBE},
                {"tap\0", VHD_CREATOR_VERSION(0, 1), VHD_DYNAMIC, VHD_BATMAP_NO},
                {"tap\0", 0, VHD_DYNAMIC, VHD_BATMAP_NO},
                {"tap\0", VHD_CREATOR_VERSION(1, 3), VHD_FIXED, VHD_BATMAP_NO},
                {"caml", VHD_CREATOR_VERSION(1, 3), VHD_DYNAMIC, VHD_BATMAP_NO},
                {"tap ", VHD_CREATOR_VERSION(1, 3), VHD_DYNAMIC, VHD_BATMAP_NO},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                const struct uuid uuid = {{1}};
                struct vhd_footer footer;

                vhd_footer_init(&footer, rows[i].type, 64 * MIB, &uuid, 0);
                memcpy(footer.creator, rows[i].creator, 4);
                footer.creator_version = rows[i].version;
                assert_int_equal(vhd_batmap_presence(&footer), rows[i].want);
        }
}

static void the_checksum_is_of_the_map(void **state) {
        uint8_t map[512] = {0xF0, 0x7F};
        const struct span span = {map, sizeof map};
        struct vhd_batmap batmap;
        struct err_note note;

        (void)state;
        vhd_batmap_init(&batmap, 2560, 4);
        assert_err(vhd_batmap_check_map(&batmap, span, 8 * MIB, &note), ERR_CORRUPT, "bytes give 0xfffffe90");
        vhd_batmap_seal(&batmap, span, 8 * MIB);
        assert_int_equal(batmap.checksum, ~(uint32_t)(0xF0 + 0x7F));
        assert_ok(vhd_batmap_check_map(&batmap, span, 8 * MIB, &note));
        batmap.version = VHD_BATMAP_1_1;
        assert_int_equal(vhd_batmap_checksum(&batmap, span, 8 * MIB), ~(uint32_t)(0xF0 - 256 + 0x7F));
}

/* An image of 8194 MiB has 4097 blocks: a map of 513 bytes, of which libvhd's sum covers 512 (and libvhd
 * reads past its buffer). */
static void the_map_is_longer_than_what_is_summed_up(void **state) {
        const uint64_t size = 8194 * MIB;
        uint8_t map[1024] = {0};
        const struct span span = {map, sizeof map};
        struct vhd_batmap batmap;
        struct err_note note;

        (void)state;
        vhd_batmap_init(&batmap, 20480, vhd_blocks_of(size));
        assert_true(batmap.map_size_bytes == 1024);
        assert_true(vhd_batmap_sum_length(size) == 512);
        assert_true(vhd_batmap_sum_length(8192 * MIB) == 512);
        assert_true(vhd_batmap_sum_length(8192 * MIB + 16 * MIB) == 1024);
        assert_true(vhd_batmap_sum_length(512) == 512);
        assert_true(vhd_batmap_sum_length(VHD_MAX_SIZE) == 130560);
        vhd_bitmap_set(map, 4096);
        assert_ok(vhd_batmap_check_map(&batmap, span, size, &note)); /* the last block's bit is not covered */
        assert_ok(vhd_batmap_check_size(&batmap, size, &note));
        batmap.map_size_bytes = 512;
        assert_err(vhd_batmap_check_size(&batmap, size, &note), ERR_CORRUPT,
                   "512 bytes, 4097 blocks need 513");
        assert_int_equal(vhd_batmap_checksum(&batmap, (struct span){map, 0}, size),
                         UINT32_MAX); /* reads nothing */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_fresh_one_is_what_tapdisk_writes),
                cmocka_unit_test(it_survives_with_marker_key_and_what_we_do_not_know),
                cmocka_unit_test(each_field_is_checked),
                cmocka_unit_test(creator_and_version_say_whether_there_is_one),
                cmocka_unit_test(the_checksum_is_of_the_map),
                cmocka_unit_test(the_map_is_longer_than_what_is_summed_up),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
