// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "tar.h"

/* What tarfile of Python writes for a member. */
static struct tar_header_disk made(const char *name, const char *size, char type, const char *magic) {
        struct tar_header_disk header = {0};
        unsigned sum = 0;

        memcpy(header.name, name, strlen(name));
        memcpy(header.mode, "0000644", 8);
        memcpy(header.uid, "0000000", 8);
        memcpy(header.gid, "0000000", 8);
        memcpy(header.size, size, 12);
        memcpy(header.mtime, "14716545010", 12);
        memset(header.checksum, ' ', 8);
        header.type = type;
        memcpy(header.magic, magic, 8);
        memcpy(header.major, "0000000", 8);
        memcpy(header.minor, "0000000", 8);
        for (size_t i = 0; i < sizeof header; i++)
                sum += ((uint8_t *)&header)[i];
        snprintf(header.checksum, sizeof header.checksum, "%06o", sum);
        return header;
}

/* After a change. */
static void seal(struct tar_header_disk *header) {
        unsigned sum = 0;

        memset(header->checksum, ' ', 8);
        for (size_t i = 0; i < sizeof *header; i++)
                sum += ((uint8_t *)header)[i];
        snprintf(header->checksum, sizeof header->checksum, "%06o", sum);
}

static void members_of_every_kind_are_read(void **state) {
        static const struct {
                const char *size;
                char type;
                const char *magic;
                uint64_t size_bytes;
                bool is_file;
        } table[] = {
                {"00004000000\0", '0',
                 "ustar\0"
                 "00",
                 1 << 20, true},
                {"00004000000\0", 0, "\0\0\0\0\0\0\0\0", 1 << 20, true}, /* version 7 */
                {"    4000000 ", '0', "ustar  \0", 1 << 20, true},       /* GNU */
                {"000000004000", '0',
                 "ustar\0"
                 "00",
                 2048, true}, /* no end but the field's */
                {"\0\0\0\0\0\0\0\0\0\0\0\0", '0',
                 "ustar\0"
                 "00",
                 0, true},
                {"77777777777\0", '0',
                 "ustar\0"
                 "00",
                 (UINT64_C(1) << 33) - 1, true},
                {"\x80\0\0\0\0\0\0\x02\0\0\0\1", '0', "ustar  \0", (UINT64_C(1) << 33) + 1, true},
                {"00000000010\0", '5',
                 "ustar\0"
                 "00",
                 0, false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct tar_header_disk header =
                        made("Ref:4/00000007", table[i].size, table[i].type, table[i].magic);
                struct err_note note = {0};
                struct tar_member member;
                enum tar_kind kind;

                assert_ok(tar_decode(&header, &kind, &member, &note));
                assert_int_equal(kind, TAR_MEMBER);
                assert_string_equal(member.name, "Ref:4/00000007");
                assert_true(member.size_bytes == table[i].size_bytes);
                assert_int_equal(member.is_file, table[i].is_file);
                assert_int_equal(member.time, 1731906056);
        }
}

static void names_may_fill_their_fields(void **state) {
        struct tar_header_disk header = made("x", "00000000000", '0',
                                             "ustar\0"
                                             "00");
        char want[TAR_NAME_READ_MAX + 1];
        struct err_note note = {0};
        struct tar_member member;
        enum tar_kind kind;

        (void)state;
        memset(header.name, 'n', sizeof header.name);
        memset(header.prefix, 'p', sizeof header.prefix);
        seal(&header);
        memset(want, 'p', 155);
        want[155] = '/';
        memset(want + 156, 'n', 100);
        want[256] = 0;
        assert_ok(tar_decode(&header, &kind, &member, &note));
        assert_string_equal(member.name, want);
        memcpy(header.magic, "ustar  ", 8); /* GNU has other things there */
        seal(&header);
        assert_ok(tar_decode(&header, &kind, &member, &note));
        assert_int_equal(strlen(member.name), 100);
}

static void the_end_is_a_block_of_zeros(void **state) {
        struct tar_header_disk header = {0};
        struct err_note note = {0};
        struct tar_member member;
        enum tar_kind kind;

        (void)state;
        assert_ok(tar_decode(&header, &kind, &member, &note));
        assert_int_equal(kind, TAR_END);
        header.rest[11] = 1;
        assert_err(tar_decode(&header, &kind, &member, &note), ERR_CORRUPT, "checksum");
}

static void what_is_no_header_is_refused(void **state) {
        static const struct {
                const char *name, *size;
                char type;
                enum err code;
                const char *words;
        } table[] = {
                {"a", "0000400000x", '0', ERR_CORRUPT, "size is no number"},
                {"a", "-0000000001", '0', ERR_CORRUPT, "size is no number"},
                {"a", "\x80\1\0\0\0\0\0\0\0\0\0", '0', ERR_CORRUPT, "size is no number"},
                {"a", "\x80\0\0\0\x80\0\0\0\0\0\0", '0', ERR_CORRUPT, "size is no number"},
                {"a", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", '0', ERR_CORRUPT, "size is no number"},
                {"", "00000000000", '0', ERR_CORRUPT, "without a name"},
                {"a", "00000000000", 'x', ERR_UNSUPPORTED, "type 120"},
                {"a", "00000000000", 'L', ERR_UNSUPPORTED, "type 76"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct tar_header_disk header = made(table[i].name, table[i].size, table[i].type,
                                                     "ustar\0"
                                                     "00");
                struct err_note note = {0};
                struct tar_member member;
                enum tar_kind kind;

                assert_err(tar_decode(&header, &kind, &member, &note), table[i].code, table[i].words);
        }
}

static void every_flipped_bit_is_noticed(void **state) {
        struct tar_header_disk header;
        struct err_note note = {0};
        struct tar_member member;
        enum tar_kind kind;

        (void)state;
        tar_encode("Ref:4/00000007.xxhash", 16, 1700000000, &header);
        for (size_t i = 0; i < 8 * sizeof header; i++) {
                ((uint8_t *)&header)[i / 8] ^= (uint8_t)(1u << i % 8);
                /* The blank behind the sum may be a zero. */
                if (tar_decode(&header, &kind, &member, &note) == ERR_NONE)
                        assert_in_range(i / 8, offsetof(struct tar_header_disk, checksum),
                                        offsetof(struct tar_header_disk, type) - 1);
                ((uint8_t *)&header)[i / 8] ^= (uint8_t)(1u << i % 8);
        }
}

static void what_we_write_is_read_as_it_was(void **state) {
        static const uint64_t sizes[] = {
                0, 1, 1 << 20, 0777, UINT64_C(077777777777), UINT64_C(0100000000000), INT64_MAX};
        char name[TAR_NAME_MAX + 1];

        (void)state;
        memset(name, 'n', TAR_NAME_MAX);
        name[TAR_NAME_MAX] = 0;
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                struct tar_header_disk header;
                struct err_note note = {0};
                struct tar_member member;
                enum tar_kind kind;

                tar_encode(name, sizes[i], 1700000000, &header);
                assert_ok(tar_decode(&header, &kind, &member, &note));
                assert_string_equal(member.name, name);
                assert_true(member.size_bytes == sizes[i] && member.time == 1700000000 && member.is_file);
        }
}

static void our_bytes_are_those_of_everyone(void **state) {
        struct tar_header_disk header, other = made("Ref:4/00000007", "00004000000", '0',
                                                    "ustar\0"
                                                    "00");

        (void)state;
        other.checksum[7] = ' ';
        tar_encode("Ref:4/00000007", 1 << 20, 1731906056, &header);
        assert_memory_equal(&header, &other, sizeof header);
}

static void data_are_filled_up_to_whole_blocks(void **state) {
        (void)state;
        assert_int_equal(tar_padding(0), 0);
        assert_int_equal(tar_padding(1), 511);
        assert_int_equal(tar_padding(512), 0);
        assert_int_equal(tar_padding(16), 496);
        assert_int_equal(tar_member_size(0), 512);
        assert_int_equal(tar_member_size(16), 1024);
        assert_int_equal(tar_member_size(MIB), MIB + 512);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(members_of_every_kind_are_read),
                cmocka_unit_test(names_may_fill_their_fields),
                cmocka_unit_test(the_end_is_a_block_of_zeros),
                cmocka_unit_test(what_is_no_header_is_refused),
                cmocka_unit_test(every_flipped_bit_is_noticed),
                cmocka_unit_test(what_we_write_is_read_as_it_was),
                cmocka_unit_test(our_bytes_are_those_of_everyone),
                cmocka_unit_test(data_are_filled_up_to_whole_blocks),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
