// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "mem.h"
#include "vhd_bat.h"

enum { LENGTH = 4097 };

static uint64_t dice(uint64_t *seed) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        return *seed >> 33;
}

static void tables_are_decoded_in_place(void **state) {
        union {
                be32 disk[3];
                uint32_t entries[3];
        } bat;

        (void)state;
        vhd_bat_put(bat.disk, 0, 7);
        vhd_bat_put(bat.disk, 1, VHD_BAT_UNUSED);
        vhd_bat_put(bat.disk, 2, 0x01020304);
        assert_memory_equal(&bat.disk[2], "\1\2\3\4", 4);
        assert_int_equal(vhd_bat_get(bat.disk, 0), 7);
        vhd_bat_decode(bat.disk, 3, bat.entries);
        assert_int_equal(bat.entries[0], 7);
        assert_int_equal(bat.entries[1], VHD_BAT_UNUSED);
        assert_int_equal(bat.entries[2], 0x01020304);
        assert_int_equal(vhd_bat_count(bat.entries, 3), 2);
        assert_true(vhd_bat_end_sector(bat.entries, 3) == 0x01020304 + LENGTH);
        vhd_bat_encode(bat.entries, 3, bat.disk);
        assert_memory_equal(&bat.disk[2], "\1\2\3\4", 4);
        vhd_bat_clear(bat.entries, 3);
        assert_int_equal(vhd_bat_count(bat.entries, 3), 0);
        assert_true(vhd_bat_end_sector(bat.entries, 3) == 0);
}

static void entries_in_use_are_found_wherever_they_stand(void **state) {
        be32 bat[VHD_BAT_GROUP + 1];
        uint64_t seed = 9;

        (void)state;
        for (unsigned mask = 0; mask < 1 << VHD_BAT_GROUP; mask++) {
                /* Also entries of which only one bit tells them from unused, and memory at any address. */
                uint8_t *at = (uint8_t *)bat + mask % 4;

                for (unsigned i = 0; i < VHD_BAT_GROUP; i++) {
                        uint32_t bit = (uint32_t)1 << dice(&seed) % 32;
                        be32 entry = be32_put(mask >> i & 1 ? VHD_BAT_UNUSED ^ bit : VHD_BAT_UNUSED);

                        memcpy(at + i * sizeof entry, &entry, sizeof entry);
                }
                assert_int_equal(vhd_bat_used_of((const be32 *)(const void *)at), mask);
        }
}

/* A fresh image of 8 MiB: headers to 3072, then blocks from sector 7. */
static struct vhd_reserved some_reserved(void) {
        const struct uuid uuid = {{1}};
        struct vhd_reserved reserved;
        struct vhd_footer footer;
        struct vhd_header header;
        struct err_note note;

        vhd_footer_init(&footer, VHD_DYNAMIC, 8 * MIB, &uuid, 0);
        vhd_header_init(&header, 1536, 4);
        assert_ok(vhd_reserved_of(&footer, &header, true, 2560, 512, &reserved, &note));
        assert_true(reserved.end == 3072);
        return reserved;
}

static void each_fault_of_an_entry_is_told(void **state) {
        const uint64_t end = (uint64_t)(6 + LENGTH) * 512;
        const struct vhd_reserved reserved = some_reserved();
        static const struct {
                uint32_t entry;
                enum vhd_bat_fault fault;
                const char *words;
        } rows[] = {
                {VHD_BAT_UNUSED, VHD_BAT_GOOD, ""},
                {6, VHD_BAT_GOOD, ""}, /* not aligned, but free */
                {0, VHD_BAT_IN_HEADERS, "BAT entry 9: the block at sector 0 touches the footer copy"},
                {1, VHD_BAT_IN_HEADERS, "touches the header"},
                {3, VHD_BAT_IN_HEADERS, "touches the BAT"},
                {5, VHD_BAT_IN_HEADERS, "touches the batmap"},
                {7, VHD_BAT_CUT, "ends at 2101248, past the end, 2100736 bytes"},
                {6 + LENGTH - 1, VHD_BAT_CUT, "past the end"},
                {6 + LENGTH, VHD_BAT_OUTSIDE, "sector 4103 is past the end"},
                {0xFFFFFFFE, VHD_BAT_OUTSIDE, "sector 4294967294"},
        };
        struct err_note note;

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                note.text[0] = '\0';
                assert_int_equal(vhd_bat_fault_of(rows[i].entry, &reserved, end), rows[i].fault);
                assert_err(vhd_bat_check_entry(9, rows[i].entry, &reserved, end, &note),
                           rows[i].fault ? ERR_CORRUPT : ERR_NONE, rows[i].words);
        }
}

static void what_is_plainly_good_has_no_fault(void **state) {
        const struct vhd_reserved reserved = some_reserved();

        (void)state;
        for (uint32_t entry = 0; entry < 3 * LENGTH; entry++)
                for (uint64_t end = 0; end <= (uint64_t)3 * LENGTH * 512; end += 512 * 97) {
                        bool is_good = vhd_bat_fault_of(entry, &reserved, end) == VHD_BAT_GOOD;

                        assert_true(vhd_bat_is_plainly_good(entry, &reserved, end) == is_good);
                }
        assert_true(vhd_bat_is_plainly_good(6, &reserved, (uint64_t)(6 + LENGTH) * 512));
        assert_false(vhd_bat_is_plainly_good(6, &reserved, (uint64_t)(6 + LENGTH) * 512 - 1));
        assert_false(vhd_bat_is_plainly_good(5, &reserved, (uint64_t)(6 + LENGTH) * 512));
}

static void blocks_that_only_touch_do_not_overlap(void **state) {
        uint32_t bat[] = {7 + 2 * LENGTH, VHD_BAT_UNUSED, 7, 7 + LENGTH, VHD_BAT_UNUSED};
        struct vhd_overlaps overlaps;
        struct err_note note;

        (void)state;
        assert_ok(vhd_bat_check_overlaps(bat, 5, &overlaps, &note));
        assert_int_equal(overlaps.n, 0);
        assert_ok(vhd_bat_check_overlaps(bat, 0, &overlaps, &note));
        assert_ok(vhd_bat_check_overlaps(bat, 1, NULL, &note));
}

static void one_sector_too_near_is_found_and_named(void **state) {
        uint32_t bat[] = {7 + 2 * LENGTH, VHD_BAT_UNUSED, 7, 7 + LENGTH - 1};
        uint32_t same[] = {100, 100};
        struct vhd_overlaps overlaps;
        struct err_note note;

        (void)state;
        assert_err(vhd_bat_check_overlaps(bat, 4, &overlaps, &note), ERR_CORRUPT,
                   "BAT entries 2 and 3: the blocks at sectors 7 and 4103");
        assert_int_equal(overlaps.n, 1);
        assert_int_equal(overlaps.shown[0].block, 3);
        assert_int_equal(overlaps.shown[0].other, 2);
        assert_err(vhd_bat_check_overlaps(same, 2, NULL, &note), ERR_CORRUPT, "entries 0 and 1");
}

static bool slow_overlaps(const uint32_t *bat, uint32_t n) {
        for (uint32_t a = 0; a < n; a++)
                for (uint32_t b = 0; b < a; b++)
                        if (bat[a] != VHD_BAT_UNUSED && bat[b] != VHD_BAT_UNUSED &&
                            (bat[a] > bat[b] ? bat[a] - bat[b] : bat[b] - bat[a]) < LENGTH)
                                return true;
        return false;
}

static void the_sort_agrees_with_each_against_each(void **state) {
        unsigned overlapping = 0;
        uint64_t seed = 3;

        (void)state;
        for (unsigned round = 0; round < 2000; round++) {
                uint32_t bat[40], n = (uint32_t)(dice(&seed) % 41);
                struct err_note note;
                bool want;

                for (uint32_t i = 0; i < n; i++)
                        bat[i] = dice(&seed) % 5 ? (uint32_t)(dice(&seed) * 3) : VHD_BAT_UNUSED;
                if (round & 1) /* crowded */
                        for (uint32_t i = 0; i < n; i++)
                                bat[i] = bat[i] == VHD_BAT_UNUSED ? bat[i] : bat[i] % (LENGTH * 400);
                want = slow_overlaps(bat, n);
                assert_int_equal(vhd_bat_check_overlaps(bat, n, NULL, &note) == ERR_CORRUPT, want);
                overlapping += want;
        }
        assert_true(overlapping > 200 && overlapping < 1800); /* both were tried */
}

/* libvhd compares each with each: a trillion steps here. */
static void the_largest_image_is_checked_whole(void **state) {
        uint32_t n = VHD_MAX_BLOCKS;
        AUTO_FREE uint32_t *bat = mem_try(n, sizeof *bat);
        struct vhd_overlaps overlaps;
        struct err_note note;
        uint64_t seed = 11;

        (void)state;
        for (uint32_t i = 0; i < n; i++)
                bat[i] = (uint32_t)vhd_slot_sector(10247, i);
        for (uint32_t i = n - 1; i > 0; i--) {
                uint32_t other = (uint32_t)(dice(&seed) % (i + 1)), keep = bat[i];

                bat[i] = bat[other];
                bat[other] = keep;
        }
        assert_ok(vhd_bat_check_overlaps(bat, n, &overlaps, &note));
        assert_int_equal(overlaps.n, 0);
        bat[n / 2] = bat[n / 3] + LENGTH - 1;
        assert_err(vhd_bat_check_overlaps(bat, n, &overlaps, &note), ERR_CORRUPT, "lie upon each other");
        assert_true(overlaps.n >= 1 && overlaps.n <= 2);
        memset(bat, 0, (size_t)n * sizeof *bat); /* all at one place */
        assert_err(vhd_bat_check_overlaps(bat, n, &overlaps, &note), ERR_CORRUPT, "entries 0 and 1");
        assert_int_equal(overlaps.n, n - 1);
        assert_int_equal(overlaps.shown[15].block, 16);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(tables_are_decoded_in_place),
                cmocka_unit_test(each_fault_of_an_entry_is_told),
                cmocka_unit_test(entries_in_use_are_found_wherever_they_stand),
                cmocka_unit_test(what_is_plainly_good_has_no_fault),
                cmocka_unit_test(blocks_that_only_touch_do_not_overlap),
                cmocka_unit_test(one_sector_too_near_is_found_and_named),
                cmocka_unit_test(the_sort_agrees_with_each_against_each),
                cmocka_unit_test(the_largest_image_is_checked_whole),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
