// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "cbt_log.h"

/* The file that cbt-util makes for a disk of 10 MiB, but for its bits. */
static const uint8_t header[CBT_HEADER_SIZE] =
        "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"
        "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"
        "\x01\x00\x00\x00\xde\xad\xbe\xef\x00\x00\xa0\x00\x00\x00\x00"; /* and a last zero */

static struct cbt_log_disk disk_of(const uint8_t *bytes) {
        struct cbt_log_disk disk;

        memcpy(&disk, bytes, sizeof disk);
        return disk;
}

static void a_header_is_read_and_written_as_it_was(void **state) {
        struct cbt_log_disk disk = disk_of(header), again;
        struct err_note note = {0};
        struct cbt_log log;

        (void)state;
        assert_ok(cbt_log_decode(&disk, 68, &log, &note));
        assert_string_equal(uuid_format(&log.parent).s, "00112233-4455-6677-8899-aabbccddeeff");
        assert_string_equal(uuid_format(&log.child).s, "10111213-1415-1617-1819-1a1b1c1d1e1f");
        assert_true(log.is_consistent);
        assert_int_equal(log.size_bytes, 10 * MIB);
        cbt_log_encode(&log, &again);
        assert_memory_equal(&again, header, sizeof again);
}

static void what_is_no_log_is_refused(void **state) {
        struct cbt_log_disk disk = disk_of(header);
        struct err_note note = {0};
        struct cbt_log log;

        (void)state;
        assert_err(cbt_log_decode(&disk, 67, &log, &note), ERR_CUT_SHORT, "67 bytes, its disk needs 68");
        assert_ok(cbt_log_decode(&disk, 4 * MIB, &log, &note)); /* a logical volume is larger */
        disk.is_consistent = le32_put(2);
        assert_err(cbt_log_decode(&disk, 68, &log, &note), ERR_CORRUPT, "neither");
        disk = disk_of(header);
        disk.size_bytes = le64_put(CBT_SIZE_MAX + 1);
        assert_err(cbt_log_decode(&disk, UINT64_MAX, &log, &note), ERR_CORRUPT, "a disk of");
        disk.size_bytes = le64_put(UINT64_MAX);
        assert_err(cbt_log_decode(&disk, UINT64_MAX, &log, &note), ERR_CORRUPT, "a disk of");
}

static void a_bitmap_has_a_bit_for_each_64_kib(void **state) {
        static const struct {
                uint64_t disk, bitmap;
        } table[] = {
                {0, 0},
                {1, 1},
                {CBT_BLOCK_SIZE, 1},
                {8 * CBT_BLOCK_SIZE, 1},
                {10 * MIB, 20},
                {512 * KIB + 1, 2},
                {CBT_SIZE_MAX, 128 * MIB},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)
                assert_int_equal(cbt_bitmap_size(table[i].disk), table[i].bitmap);
}

static void every_range_marks_just_the_blocks_it_touches(void **state) {
        enum { BLOCKS = 37, SIZE = BLOCKS * CBT_BLOCK_SIZE - 512 };

        (void)state;
        for (uint64_t from = 0; from < BLOCKS; from++)
                for (uint64_t to = from; to < BLOCKS; to++)
                        for (int edge = -1; edge <= 1; edge++) {
                                uint64_t at = from * CBT_BLOCK_SIZE + (edge < 0 ? CBT_BLOCK_SIZE - 1024 : 0);
                                uint64_t end = to * CBT_BLOCK_SIZE + (edge > 0 ? 512 : CBT_BLOCK_SIZE);
                                uint8_t bits[8] = {0};

                                cbt_bitmap_mark(bits, SIZE, at, end - at);
                                for (uint64_t i = 0; i < 64; i++)
                                        assert_int_equal(cbt_bitmap_test(bits, i), i >= from && i <= to);
                        }
}

static void what_lies_behind_the_end_is_not_marked(void **state) {
        uint8_t bits[2] = {0};

        (void)state;
        cbt_bitmap_mark(bits, 3 * CBT_BLOCK_SIZE, 0, 0);
        cbt_bitmap_mark(bits, 3 * CBT_BLOCK_SIZE, 3 * CBT_BLOCK_SIZE, 512);
        cbt_bitmap_mark(bits, 3 * CBT_BLOCK_SIZE, UINT64_MAX, UINT64_MAX);
        assert_memory_equal(bits, "\0\0", 2);
        cbt_bitmap_mark(bits, 3 * CBT_BLOCK_SIZE, CBT_BLOCK_SIZE, UINT64_MAX);
        assert_memory_equal(bits, "\6\0", 2);
}

static void logs_are_united(void **state) {
        uint8_t bits[2] = {0x01, 0x80}, older[2] = {0x10, 0xff};
        struct err_note note = {0};

        (void)state;
        assert_ok(cbt_bitmap_unite(bits, 16 * CBT_BLOCK_SIZE, older, 9 * CBT_BLOCK_SIZE, &note));
        assert_memory_equal(bits, "\x11\x81", 2); /* of older no bit behind its disk's end */
        assert_err(cbt_bitmap_unite(bits, 16 * CBT_BLOCK_SIZE, older, 16 * CBT_BLOCK_SIZE + 512, &note),
                   ERR_MISMATCH, "the older disk has");
        assert_memory_equal(bits, "\x11\x81", 2);
}

static void the_text_has_the_highest_bit_first_and_whole_groups(void **state) {
        static const struct {
                uint8_t bits[6];
                uint64_t size;
                const char *text;
        } table[] = {
                {{0x01}, CBT_BLOCK_SIZE, "gAAAAA=="},                /* 80 00 00 00 */
                {{0xff}, 3 * CBT_BLOCK_SIZE, "4AAAAA=="},            /* e0 00 00 00 */
                {{0x02, 0, 0, 0x80}, 2 * MIB, "QAAAAQ=="},           /* 40 00 00 01 */
                {{0, 0, 0, 0, 0x03}, 2 * MIB + 512, "AAAAAIAAAAA="}, /* 00 00 00 00 80 00 00 00 */
                {{0x35, 0x53}, 16 * CBT_BLOCK_SIZE, "rMoAAA=="},     /* ac ca 00 00 */
                {{0}, 0, ""},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(buf_fini) struct buf text = {0};
                uint8_t again[6] = {0};
                struct err_note note = {0};

                cbt_bitmap_to_text(table[i].bits, table[i].size, &text);
                assert_string_equal(buf_text(&text), table[i].text);
                assert_ok(
                        cbt_bitmap_from_text((struct span){text.data, text.n}, table[i].size, again, &note));
                for (uint64_t b = 0; b < div_up(table[i].size, CBT_BLOCK_SIZE); b++)
                        assert_int_equal(cbt_bitmap_test(again, b), cbt_bitmap_test(table[i].bits, b));
        }
}

static void a_text_that_is_too_short_is_refused(void **state) {
        struct err_note note = {0};
        uint8_t bits[5];

        (void)state;
        assert_err(cbt_bitmap_from_text((struct span){(const uint8_t *)"AAA", 3}, MIB, bits, &note),
                   ERR_CORRUPT, "base64");
        assert_err(
                cbt_bitmap_from_text((struct span){(const uint8_t *)"AAAAAA==", 8}, 2 * MIB + 1, bits, &note),
                ERR_CUT_SHORT, "4 bytes, the disk needs 5");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_header_is_read_and_written_as_it_was),
                cmocka_unit_test(what_is_no_log_is_refused),
                cmocka_unit_test(a_bitmap_has_a_bit_for_each_64_kib),
                cmocka_unit_test(every_range_marks_just_the_blocks_it_touches),
                cmocka_unit_test(what_lies_behind_the_end_is_not_marked),
                cmocka_unit_test(logs_are_united),
                cmocka_unit_test(the_text_has_the_highest_bit_first_and_whole_groups),
                cmocka_unit_test(a_text_that_is_too_short_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
