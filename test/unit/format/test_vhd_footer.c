// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "vhd_footer.h"

static const struct uuid some_uuid = {{1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16}};

static struct vhd_footer_disk fresh(enum vhd_type type) {
        struct vhd_footer_disk disk;
        struct vhd_footer footer;

        vhd_footer_init(&footer, type, 64 * MIB, &some_uuid, 848545653);
        vhd_footer_encode(&footer, &disk);
        return disk;
}

static void seal(struct vhd_footer_disk *disk) {
        disk->checksum = be32_put(vhd_checksum(disk, sizeof *disk, VHD_FOOTER_CHECKSUM));
}

static void a_fresh_footer_is_what_tapdisk_writes(void **state) {
        struct vhd_footer_disk disk = fresh(VHD_DYNAMIC);

        (void)state;
        assert_memory_equal(disk.cookie, "conectix\0\0\0\2\0\1\0\0\0\0\0\0\0\0\2\0", 24);
        assert_int_equal(be32_get(disk.timestamp), 848545653);
        assert_memory_equal(disk.creator, "tap\0\0\1\0\3\0\0\0\0", 12);
        assert_true(be64_get(disk.original_size) == 67108864);
        assert_true(be64_get(disk.current_size) == 67108864);
        assert_int_equal(be16_get(disk.cylinders), 963);
        assert_int_equal(disk.heads, 8);
        assert_int_equal(disk.sectors, 17);
        assert_int_equal(be32_get(disk.type), 3);
        assert_memory_equal(disk.uuid, some_uuid.b, 16);
        assert_true(bytes_are_zero(&disk.saved, 512 - 84));

        disk = fresh(VHD_FIXED);
        assert_true(be64_get(disk.data_offset) == UINT64_MAX);
        assert_int_equal(be32_get(disk.type), 2);
}

static void each_kind_survives_decoding_and_encoding(void **state) {
        static const enum vhd_type types[] = {VHD_FIXED, VHD_DYNAMIC, VHD_DIFFERENCING};

        (void)state;
        for (unsigned i = 0; i < 3; i++) {
                struct vhd_footer_disk disk = fresh(types[i]), again;
                struct vhd_footer footer;
                struct err_note note;

                disk.saved = 1;
                disk.hidden = 1;
                disk.features = be32_put(3);
                disk.reserved[0] = 0x5A; /* not understood: kept */
                disk.reserved[425] = 0xA5;
                seal(&disk);
                assert_ok(vhd_footer_decode(&disk, &footer, &note));
                assert_int_equal(footer.type, types[i]);
                assert_true(footer.is_hidden);
                assert_false(footer.is_poisoned);
                assert_int_equal(footer.saved, 1);
                assert_true(footer.size_bytes == 64 * MIB);
                vhd_footer_encode(&footer, &again);
                assert_memory_equal(&again, &disk, sizeof disk);
        }
}

static void every_single_bit_error_is_refused(void **state) {
        (void)state;
        for (unsigned bit = 0; bit < VHD_FOOTER_SIZE * 8; bit++) {
                struct vhd_footer_disk disk = fresh(VHD_DYNAMIC);
                struct vhd_footer footer;
                struct err_note note;

                ((uint8_t *)&disk)[bit / 8] ^= (uint8_t)(1u << bit % 8);
                if (!vhd_footer_decode(&disk, &footer, &note))
                        fail_msg("bit %u of byte %u was flipped and nobody noticed", bit % 8, bit / 8);
                assert_int_equal(note.code, ERR_CORRUPT);
        }
}

/* One field changed, the checksum right. */
#define ROW(name, type, code, words, change)                                                                 \
        static void name(void **state) {                                                                     \
                struct vhd_footer_disk disk = fresh(type);                                                   \
                struct vhd_footer footer;                                                                    \
                struct err_note note;                                                                        \
                                                                                                             \
                (void)state;                                                                                 \
                change;                                                                                      \
                seal(&disk);                                                                                 \
                assert_err(vhd_footer_decode(&disk, &footer, &note), (code), (words));                       \
        }

ROW(refuses_another_cookie, VHD_FIXED, ERR_CORRUPT, "cookie is 0x636f6e6563746979", disk.cookie[7] = 'y')
ROW(refuses_features_without_the_reserved_one, VHD_FIXED, ERR_CORRUPT, "features are 0x00000001",
    disk.features = be32_put(1))
ROW(refuses_features_of_a_later_time, VHD_FIXED, ERR_CORRUPT, "features are 0x00000006",
    disk.features = be32_put(6))
ROW(refuses_another_version, VHD_FIXED, ERR_UNSUPPORTED, "version is 0x00020000",
    disk.version = be32_put(0x20000))
ROW(refuses_type_0, VHD_FIXED, ERR_UNSUPPORTED, "type is 0", disk.type = be32_put(0))
ROW(refuses_the_deprecated_types, VHD_FIXED, ERR_UNSUPPORTED, "type is 5", disk.type = be32_put(5))
ROW(refuses_a_type_that_never_was, VHD_FIXED, ERR_CORRUPT, "type is 7", disk.type = be32_put(7))
ROW(refuses_size_0, VHD_FIXED, ERR_CORRUPT, "footer: current: size is 0", disk.current_size = be64_put(0))
ROW(refuses_an_odd_size, VHD_DYNAMIC, ERR_CORRUPT, "size is 67108863", disk.current_size = be64_put(67108863))
ROW(refuses_more_than_2040_gib, VHD_DYNAMIC, ERR_UNSUPPORTED, "2040 GiB",
    disk.current_size = be64_put(VHD_MAX_SIZE + 512))
ROW(refuses_more_than_2040_gib_fixed, VHD_FIXED, ERR_UNSUPPORTED, "2040 GiB",
    disk.current_size = be64_put(3 * TIB))
ROW(refuses_a_dynamic_one_without_header, VHD_DYNAMIC, ERR_CORRUPT,
    "data offset of a dynamic image is 0xffffffffffffffff", disk.data_offset = be64_put(UINT64_MAX))
ROW(refuses_a_header_inside_the_copy, VHD_DIFFERENCING, ERR_CORRUPT,
    "data offset of a differencing image is 0x0", disk.data_offset = be64_put(0))
ROW(refuses_a_header_between_sectors, VHD_DYNAMIC, ERR_CORRUPT, "0x201", disk.data_offset = be64_put(513))
ROW(refuses_a_fixed_one_with_header, VHD_FIXED, ERR_CORRUPT, "data offset of a fixed image is 0x200",
    disk.data_offset = be64_put(512))
ROW(refuses_a_hidden_that_is_neither, VHD_DYNAMIC, ERR_CORRUPT, "hidden is 2", disk.hidden = 2)
ROW(refuses_bitmaps_in_the_other_bit_order, VHD_DYNAMIC, ERR_UNSUPPORTED, "bit order",
    disk.creator_version = be32_put(1))

static void reads_what_others_write(void **state) {
        struct vhd_footer_disk disk = fresh(VHD_FIXED);
        struct vhd_footer footer;
        struct err_note note;

        (void)state;
        disk.data_offset = be64_put(UINT32_MAX); /* 32 ones in a field of 64 bits */
        memcpy(disk.creator, "qemu", 4);
        disk.cylinders = be16_put(65535); /* a geometry far too large */
        disk.heads = 16;
        disk.sectors = 255;
        disk.original_size = be64_put(0);
        seal(&disk);
        assert_ok(vhd_footer_decode(&disk, &footer, &note));
        assert_true(footer.size_bytes == 64 * MIB);
        assert_false(vhd_footer_is_by_tapdisk(&footer));
}

static void a_poisoned_footer_is_read_and_stays_so(void **state) {
        struct vhd_footer_disk disk = fresh(VHD_DYNAMIC), again;
        struct vhd_footer footer;
        struct err_note note;

        (void)state;
        memcpy(disk.cookie, "v_poison", 8);
        seal(&disk);
        assert_ok(vhd_footer_decode(&disk, &footer, &note));
        assert_true(footer.is_poisoned);
        vhd_footer_encode(&footer, &again);
        assert_memory_equal(&again, &disk, sizeof disk);
}

static void the_hidden_byte_that_1_1_forgot_is_forgiven(void **state) {
        struct vhd_footer_disk disk = fresh(VHD_DYNAMIC), healed;
        struct vhd_footer footer;
        struct err_note note;

        (void)state;
        disk.creator_version = be32_put(VHD_CREATOR_VERSION(1, 1));
        seal(&disk);
        disk.hidden = 1;
        assert_ok(vhd_footer_decode(&disk, &footer, &note));
        assert_true(footer.is_hidden);
        assert_true(footer.had_no_hidden);
        vhd_footer_encode(&footer, &healed);
        assert_ok(vhd_footer_decode(&healed, &footer, &note));
        assert_false(footer.had_no_hidden);

        disk.creator_version = be32_put(VHD_CREATOR_VERSION(1, 3)); /* 1.3 has no such excuse */
        disk.hidden = 0;
        seal(&disk);
        disk.hidden = 1;
        assert_err(vhd_footer_decode(&disk, &footer, &note), ERR_CORRUPT, "checksum is");

        disk.creator_version = be32_put(VHD_CREATOR_VERSION(1, 1)); /* nor has another creator */
        memcpy(disk.creator, "caml", 4);
        disk.hidden = 0;
        seal(&disk);
        disk.hidden = 1;
        assert_err(vhd_footer_decode(&disk, &footer, &note), ERR_CORRUPT, "checksum is");
}

static void the_footer_of_511_bytes_is_read(void **state) {
        struct vhd_footer_disk disk = fresh(VHD_FIXED), again;
        const uint8_t *bytes = (const uint8_t *)&disk;
        struct vhd_footer footer;
        struct err_note note;

        (void)state;
        assert_ok(vhd_footer_decode_span((struct span){bytes, 511}, &footer, &note));
        vhd_footer_encode(&footer, &again);
        assert_memory_equal(&again, &disk, sizeof disk);
        assert_ok(vhd_footer_decode_span((struct span){bytes, 512}, &footer, &note));
        assert_err(vhd_footer_decode_span((struct span){bytes, 510}, &footer, &note), ERR_CUT_SHORT,
                   "510 bytes");
        assert_err(vhd_footer_decode_span((struct span){bytes, 0}, &footer, &note), ERR_CUT_SHORT, "0 bytes");
}

static void a_refused_footer_leaves_the_callers_alone(void **state) {
        struct vhd_footer_disk disk = fresh(VHD_DYNAMIC);
        struct vhd_footer footer, before;
        struct err_note note;

        (void)state;
        memset(&footer, 0x33, sizeof footer);
        before = footer;
        disk.hidden = 2;
        seal(&disk);
        assert_err(vhd_footer_decode(&disk, &footer, &note), ERR_CORRUPT, "hidden");
        assert_memory_equal(&footer, &before, sizeof footer);
}

static void a_new_size_brings_its_geometry(void **state) {
        struct vhd_footer a, b;

        (void)state;
        vhd_footer_init(&a, VHD_DYNAMIC, 64 * MIB, &some_uuid, 1);
        b = a;
        assert_true(vhd_footer_equal(&a, &b));
        vhd_footer_resize(&b, 4 * GIB);
        assert_false(vhd_footer_equal(&a, &b));
        assert_true(b.size_bytes == 4 * GIB && b.original_size_bytes == 64 * MIB);
        assert_int_equal(b.geometry.cylinders, 8322);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_fresh_footer_is_what_tapdisk_writes),
                cmocka_unit_test(each_kind_survives_decoding_and_encoding),
                cmocka_unit_test(every_single_bit_error_is_refused),
                cmocka_unit_test(refuses_another_cookie),
                cmocka_unit_test(refuses_features_without_the_reserved_one),
                cmocka_unit_test(refuses_features_of_a_later_time),
                cmocka_unit_test(refuses_another_version),
                cmocka_unit_test(refuses_type_0),
                cmocka_unit_test(refuses_the_deprecated_types),
                cmocka_unit_test(refuses_a_type_that_never_was),
                cmocka_unit_test(refuses_size_0),
                cmocka_unit_test(refuses_an_odd_size),
                cmocka_unit_test(refuses_more_than_2040_gib),
                cmocka_unit_test(refuses_more_than_2040_gib_fixed),
                cmocka_unit_test(refuses_a_dynamic_one_without_header),
                cmocka_unit_test(refuses_a_header_inside_the_copy),
                cmocka_unit_test(refuses_a_header_between_sectors),
                cmocka_unit_test(refuses_a_fixed_one_with_header),
                cmocka_unit_test(refuses_a_hidden_that_is_neither),
                cmocka_unit_test(refuses_bitmaps_in_the_other_bit_order),
                cmocka_unit_test(reads_what_others_write),
                cmocka_unit_test(a_poisoned_footer_is_read_and_stays_so),
                cmocka_unit_test(the_hidden_byte_that_1_1_forgot_is_forgiven),
                cmocka_unit_test(the_footer_of_511_bytes_is_read),
                cmocka_unit_test(a_refused_footer_leaves_the_callers_alone),
                cmocka_unit_test(a_new_size_brings_its_geometry),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
