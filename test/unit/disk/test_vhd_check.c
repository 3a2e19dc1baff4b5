// SPDX-License-Identifier: Apache-2.0
#include "vhd_kit.h"

#include "golden.h"
#include "vhd_check.h"

static const uint64_t size = 9 * MIB + 512; /* 5 blocks, the last of 2049 sectors */

/* An image with blocks in all states: 0 whole, 1 in part, 3 in part behind it, 4 the last, whole. */
static struct io *make(void) {
        struct io *io = io_sim_new(1, 0);

        kit_create(io, "p", VHD_DYNAMIC, size, NULL);
        kit_create(io, "a", VHD_DIFFERENCING, size, "p");
        kit_put_block(io, "a", 3, 100, 50, 3);
        kit_put_block(io, "a", 0, 0, 4096, 0);
        kit_put_block(io, "a", 1, 4000, 96, 1);
        kit_put_block(io, "a", 4, 0, 2049, 4);
        kit_set_batmap(io, "a", 4, true);
        return io;
}

static void expect_data(struct io *io) {
        kit_expect_block(io, "a", 3, 100, 50, 3);
        kit_expect_block(io, "a", 0, 0, 4096, 0);
        kit_expect_block(io, "a", 1, 4000, 96, 1);
        kit_expect_block(io, "a", 4, 0, 2049, 4);
}

static void expect_clean(struct io *io, const char *path) {
        AUTO(findings_fini) struct findings found = {0};
        struct err_note note = {0};

        assert_ok(vhd_check(io, path, VHD_CHECK_BITMAPS | VHD_CHECK_PARENT, &found, &note));
        for (size_t i = 0; i < found.list.n; i++)
                print_error("%s: %s\n", found.list.data[i].part, found.list.data[i].text);
        assert_int_equal(found.n_errors + found.n_warnings, 0);
}

/* ---- the damages ---- */

static struct vhd_meta meta_of(struct io *io) {
        return kit_meta(io, "a");
}

static void copy_bad(struct io *io) {
        kit_flip(io, "a", 3);
}
static void end_bad(struct io *io) {
        kit_flip(io, "a", meta_of(io).end_footer_at + 50);
}
static void end_cut_off(struct io *io) {
        kit_truncate(io, "a", kit_size(io, "a") - 512);
}
static void hidden_in_one(struct io *io) {
        struct vhd_meta meta = meta_of(io);
        struct vhd_footer_disk disk;

        meta.footer.is_hidden = true;
        vhd_footer_encode(&meta.footer, &disk);
        kit_write_at(io, "a", &disk, sizeof disk, meta.end_footer_at);
}
static void poisoned(struct io *io) {
        struct vhd_meta meta = meta_of(io);

        meta.footer.is_poisoned = true;
        kit_write_footers(io, "a", &meta);
}
static void no_uuid(struct io *io) {
        struct vhd_meta meta = meta_of(io);

        meta.footer.uuid = (struct uuid){0};
        kit_write_footers(io, "a", &meta);
}
static void footer_reserved(struct io *io) {
        struct vhd_meta meta = meta_of(io);

        meta.footer.reserved[77] = 1;
        kit_write_footers(io, "a", &meta);
}
static void header_bad(struct io *io) {
        kit_flip(io, "a", 512 + 60);
}
static void header_reserved(struct io *io) {
        struct vhd_meta meta = meta_of(io);

        meta.header.rest[10] = 1;
        kit_write_header(io, "a", &meta);
}
static void header_torn(struct io *io) {
        struct vhd_meta meta = meta_of(io);
        uint8_t second[512];
        struct err_note note = {0};

        assert_ok(io_rename(io, "p", "longer", &note));
        assert_ok(io_sync_dir(io, "/", &note));
        kit_read_at(io, "a", second, 512, 1024);
        AUTO(io_close) struct io_file *file = kit_open(io, "a");
        assert_ok(vhd_edit_set_parent(
                io, file, &(struct vhd_parent){.path = "longer", .uuid = meta.header.parent_uuid}, &note));
        kit_write_at(io, "a", second, 512, 1024);
}
static void locators_on_bat(struct io *io) {
        struct vhd_meta meta = meta_of(io);

        meta.header.locator[2].offset = meta.header.table_offset;
        kit_write_header(io, "a", &meta);
}
static void entry_past_end(struct io *io) {
        kit_set_bat(io, "a", 2, 1000000);
}
static void entry_past_end_with_batmap(struct io *io) {
        kit_set_bat(io, "a", 2, 1000000);
        kit_set_batmap(io, "a", 2, true);
}
static void entry_on_header(struct io *io) {
        kit_set_bat(io, "a", 2, 2);
}
static void entry_on_footer_copy(struct io *io) {
        kit_set_bat(io, "a", 2, 0);
}
static void entry_twice(struct io *io) {
        kit_set_bat(io, "a", 2, kit_bat(io, "a", 0));
}
static void entries_overlap(struct io *io) {
        kit_set_bat(io, "a", 2, kit_bat(io, "a", 0) + 4000);
}
static void last_block_cut(struct io *io) {
        struct vhd_meta meta = meta_of(io);
        uint64_t end = meta.end_footer_at - 200 * 512;

        kit_truncate(io, "a", end);
        meta.end_footer_at = end;
        kit_write_footers(io, "a", &meta);
}
static void batmap_cookie(struct io *io) {
        kit_flip(io, "a", meta_of(io).batmap_header_at + 2);
}
static void batmap_checksum(struct io *io) {
        kit_flip(io, "a", meta_of(io).batmap_header_at + 25);
}
static void batmap_bytes(struct io *io) {
        kit_flip(io, "a", meta_of(io).batmap.map_offset + 400);
}
static void batmap_without_block(struct io *io) {
        kit_set_batmap(io, "a", 2, true);
}
static void batmap_past_last_block(struct io *io) {
        kit_set_batmap(io, "a", 5, true);
}
static void batmap_over_part_block(struct io *io) {
        kit_set_batmap(io, "a", 3, true);
}
static void locator_length(struct io *io) {
        struct vhd_meta meta = meta_of(io);

        meta.header.locator[1].length = 600;
        kit_write_header(io, "a", &meta);
}
static void locator_space(struct io *io) {
        struct vhd_meta meta = meta_of(io);

        meta.header.locator[0].space = 513;
        kit_write_header(io, "a", &meta);
}
static void locator_twice(struct io *io) {
        struct vhd_meta meta = meta_of(io);

        meta.header.locator[3] = meta.header.locator[2];
        meta.header.locator[3].offset = meta.header.locator[1].offset;
        meta.header.locator[1] = (struct vhd_locator){0};
        kit_write_header(io, "a", &meta);
}
static void locator_unknown(struct io *io) {
        struct vhd_meta meta = meta_of(io);

        meta.header.locator[1].code = 0x41414141;
        kit_write_header(io, "a", &meta);
}
static void locator_names_another(struct io *io) {
        kit_write_at(io, "a", "file://./q", 10, meta_of(io).header.locator[0].offset);
}
static void locator_garbage(struct io *io) {
        kit_write_at(io, "a", "\xFF\xFE\xFD", 3, meta_of(io).header.locator[0].offset);
}
static void parent_missing(struct io *io) {
        struct err_note note = {0};

        assert_ok(io_rename(io, "p", "elsewhere", &note));
        assert_ok(io_sync_dir(io, "/", &note));
}
static void parent_replaced(struct io *io) {
        struct err_note note = {0};

        assert_ok(io_rename(io, "p", "elsewhere", &note));
        assert_ok(io_sync_dir(io, "/", &note));
        kit_create(io, "p", VHD_DYNAMIC, size, NULL);
}
static void parent_no_vhd(struct io *io) {
        kit_truncate(io, "p", 0);
}
static void bat_cut_off(struct io *io) {
        kit_truncate(io, "a", 1540);
}

static const struct row {
        const char *name;
        void (*damage)(struct io *);
        enum finding_severity severity;
        const char *part, *words;
        bool is_repairable;
        const char *parent_path; /* for repair */
} table[] = {
        {"copy bad", copy_bad, FINDING_ERROR, "footer copy", "cookie", true, NULL},
        {"end bad", end_bad, FINDING_ERROR, "footer", "checksum", true, NULL},
        {"end cut off", end_cut_off, FINDING_ERROR, "footer", "cookie", true, NULL},
        {"hidden in one", hidden_in_one, FINDING_ERROR, "footer copy", "is not the footer at", true, NULL},
        {"poisoned", poisoned, FINDING_ERROR, "footer", "interrupted resize", false, NULL},
        {"no uuid", no_uuid, FINDING_ERROR, "footer", "no uuid", true, NULL},
        {"footer reserved", footer_reserved, FINDING_WARNING, "footer", "reserved", false, NULL},
        {"header bad", header_bad, FINDING_ERROR, "header", "checksum", false, NULL},
        {"header reserved", header_reserved, FINDING_WARNING, "header", "reserved", false, NULL},
        {"header torn", header_torn, FINDING_ERROR, "header", "cut short", true, NULL},
        {"locators on BAT", locators_on_bat, FINDING_ERROR, "header", "upon each other", false, NULL},
        {"entry past end", entry_past_end, FINDING_ERROR, "BAT", "past the end", true, NULL},
        {"entry past end, batmap", entry_past_end_with_batmap, FINDING_ERROR, "BAT", "entry 2", true, NULL},
        {"entry on header", entry_on_header, FINDING_ERROR, "BAT", "touches the header", false, NULL},
        {"entry on copy", entry_on_footer_copy, FINDING_ERROR, "BAT", "touches the footer copy", false, NULL},
        {"entry twice", entry_twice, FINDING_ERROR, "BAT", "entries 0 and 2", false, NULL},
        {"entries overlap", entries_overlap, FINDING_ERROR, "BAT", "entries 0 and 2", false, NULL},
        {"last block cut", last_block_cut, FINDING_WARNING, "BAT", "reads as zeros", false, NULL},
        {"batmap cookie", batmap_cookie, FINDING_ERROR, "batmap", "cookie", true, NULL},
        {"batmap checksum", batmap_checksum, FINDING_ERROR, "batmap", "checksum", true, NULL},
        {"batmap bytes", batmap_bytes, FINDING_ERROR, "batmap", "checksum", true, NULL},
        {"batmap without block", batmap_without_block, FINDING_ERROR, "batmap", "block 2", true, NULL},
        {"batmap past last", batmap_past_last_block, FINDING_ERROR, "batmap", "block 5", true, NULL},
        {"batmap over part", batmap_over_part_block, FINDING_ERROR, "bitmap", "50 of its 4096", true, NULL},
        {"locator length", locator_length, FINDING_ERROR, "locator", "length is 600", false, NULL},
        {"locator space", locator_space, FINDING_ERROR, "locator", "space is 513", false, NULL},
        {"locator twice", locator_twice, FINDING_ERROR, "locator", "W2ru is there twice", false, NULL},
        {"locator unknown", locator_unknown, FINDING_WARNING, "locator", "0x41414141", false, NULL},
        {"locator names another", locator_names_another, FINDING_ERROR, "locator", "\"q\"", true, "p"},
        {"locator garbage", locator_garbage, FINDING_ERROR, "locator", "MacX", true, "p"},
        {"parent missing", parent_missing, FINDING_ERROR, "parent", "not found", true, "elsewhere"},
        {"parent replaced", parent_replaced, FINDING_ERROR, "parent", "uuid", true, "elsewhere"},
        {"parent no VHD", parent_no_vhd, FINDING_ERROR, "parent", "not a VHD", true, NULL},
        {"BAT cut off", bat_cut_off, FINDING_ERROR, "BAT", "past the end of the file", false, NULL},
};
enum { N_ROWS = sizeof table / sizeof *table };

static const struct finding *find(const struct findings *found, const struct row *row) {
        for (size_t i = 0; i < found->list.n; i++)
                if (found->list.data[i].severity == row->severity &&
                    strcmp(found->list.data[i].part, row->part) == 0 &&
                    strstr(found->list.data[i].text, row->words))
                        return &found->list.data[i];
        for (size_t i = 0; i < found->list.n; i++)
                print_error("%s: %s: %s\n", row->name, found->list.data[i].part, found->list.data[i].text);
        return NULL;
}

static void each_damage_is_found_for_what_it_is(void **state) {
        (void)state;
        for (unsigned i = 0; i < N_ROWS; i++) {
                AUTO(io_free) struct io *io = make();
                AUTO(findings_fini) struct findings found = {0};
                struct err_note note = {0};
                const struct finding *finding;
                struct io_sim_traffic before;

                table[i].damage(io);
                before = io_sim_traffic(io);
                assert_ok(vhd_check(io, "a", VHD_CHECK_BITMAPS | VHD_CHECK_PARENT, &found, &note));
                finding = find(&found, &table[i]);
                assert_non_null(finding);
                if (finding->is_repairable != table[i].is_repairable)
                        print_error("%s\n", table[i].name);
                assert_int_equal(finding->is_repairable, table[i].is_repairable);
                assert_int_equal(*finding->repair != '\0', table[i].is_repairable);
                assert_true((table[i].severity == FINDING_ERROR ? found.n_errors : found.n_warnings) > 0);
                assert_int_equal(io_sim_traffic(io).writes, before.writes);
        }
}

static void what_can_be_repaired_is_and_the_data_stays(void **state) {
        (void)state;
        for (unsigned i = 0; i < N_ROWS; i++) {
                AUTO(io_free) struct io *io = make();
                AUTO(findings_fini) struct findings found = {0};
                struct err_note note = {0};
                struct io_sim_traffic before;

                if (!table[i].is_repairable || table[i].damage == parent_no_vhd)
                        continue;
                table[i].damage(io);
                before = io_sim_traffic(io);
                assert_ok(vhd_repair(io, "a", table[i].parent_path, true, &found, &note));
                if (!table[i].parent_path)
                        assert_non_null(find(&found, &table[i]));
                assert_int_equal(io_sim_traffic(io).writes, before.writes);
                assert_ok(vhd_repair(io, "a", table[i].parent_path, false, &found, &note));
                io_sim_crash(io, i);
                expect_clean(io, "a");
                expect_data(io);
        }
}

static void what_cannot_be_repaired_is_left_as_it_was(void **state) {
        (void)state;
        for (unsigned i = 0; i < N_ROWS; i++) {
                AUTO(io_free) struct io *io = make();
                AUTO(findings_fini) struct findings found = {0};
                struct err_note note = {0};
                struct io_sim_traffic before;

                if (table[i].is_repairable || table[i].damage == bat_cut_off)
                        continue;
                table[i].damage(io);
                before = io_sim_traffic(io);
                assert_ok(vhd_repair(io, "a", NULL, false, &found, &note));
                assert_int_equal(io_sim_traffic(io).writes, before.writes);
        }
}

static void sound_images_of_all_kinds_have_no_findings(void **state) {
        AUTO(io_free) struct io *io = make();

        (void)state;
        expect_clean(io, "a");
        expect_clean(io, "p");
        kit_create(io, "f", VHD_FIXED, size, NULL);
        expect_clean(io, "f");
        kit_create(io, "large", VHD_DYNAMIC, 8194 * MIB, NULL); /* the size that breaks libvhd's batmap */
        kit_put_block(io, "large", 4096, 0, 4096, 1);
        expect_clean(io, "large");
}

static void counts_are_those_of_the_image(void **state) {
        AUTO(io_free) struct io *io = make();
        AUTO(findings_fini) struct findings found = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(vhd_check(io, "a", VHD_CHECK_BITMAPS, &found, &note));
        assert_int_equal(found.n_blocks, 5);
        assert_int_equal(found.n_allocated, 4);
        assert_int_equal(found.n_sectors_held, 4096 + 96 + 50 + 2049);
}

/* Many faults: errors are kept before warnings, all are counted. */
static void a_million_blocks_are_looked_at_and_the_findings_bounded(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(findings_fini) struct findings found = {0};
        AUTO_FREE be32 *bat = mem_zero(VHD_MAX_BLOCKS * 4);
        struct err_note note = {0};
        struct vhd_meta meta;

        (void)state;
        kit_create(io, "a", VHD_DYNAMIC, 2040 * GIB, NULL);
        meta = kit_meta(io, "a");
        /* All allocated, from the last to the first, in slots of 4104 sectors. */
        for (uint32_t i = 0; i < VHD_MAX_BLOCKS; i++)
                bat[VHD_MAX_BLOCKS - 1 - i] =
                        be32_put((uint32_t)(vhd_slot_align(meta.end_footer_at / 512) + (uint64_t)i * 4104));
        kit_write_at(io, "a", bat, VHD_MAX_BLOCKS * 4, meta.header.table_offset);
        meta.end_footer_at = vhd_block_end(be32_get(bat[0]));
        kit_truncate(io, "a", meta.end_footer_at);
        kit_write_footers(io, "a", &meta);
        assert_ok(vhd_check(io, "a", 0, &found, &note));
        assert_int_equal(found.n_allocated, VHD_MAX_BLOCKS);
        assert_int_equal(found.n_errors + found.n_warnings, 0);

        for (uint32_t i = 0; i < 3000; i++)
                bat[i * 300] = be32_put(2); /* upon the header, and upon each other */
        kit_write_at(io, "a", bat, VHD_MAX_BLOCKS * 4, meta.header.table_offset);
        assert_ok(vhd_check(io, "a", 0, &found, &note));
        assert_int_equal(found.n_errors, 3000 + 2999);
        assert_int_equal(found.list.n, VHD_FINDINGS_MAX);
        for (size_t i = 1; i < found.list.n; i++)
                assert_true(found.list.data[i - 1].at <= found.list.data[i].at);
}

static void errors_push_out_warnings_and_come_first(void **state) {
        AUTO(findings_fini) struct findings found = {0};

        (void)state;
        for (uint64_t i = 0; i < VHD_FINDINGS_MAX; i++)
                findings_add(&found, FINDING_WARNING, "BAT", i, "", "w");
        findings_add(&found, FINDING_ERROR, "BAT", 5000, "", "e");
        findings_add(&found, FINDING_WARNING, "BAT", 5001, "", "w");
        findings_sort(&found);
        assert_int_equal(found.list.n, VHD_FINDINGS_MAX);
        assert_int_equal(found.list.data[0].severity, FINDING_ERROR);
        assert_int_equal(found.list.data[1].severity, FINDING_WARNING);
        assert_int_equal(found.n_warnings, VHD_FINDINGS_MAX + 1);
        assert_int_equal(found.n_errors, 1);
}

static void a_check_waits_for_no_writer_and_a_repair_for_nobody(void **state) {
        AUTO(io_free) struct io *io = make();
        AUTO(findings_fini) struct findings found = {0};
        struct err_note note = {0};
        AUTO(io_close) struct io_file *file = kit_open(io, "a");

        (void)state;
        assert_ok(io_lock(file, IO_SHARED, &note));
        assert_ok(vhd_check(io, "a", 0, &found, &note));
        assert_err(vhd_repair(io, "a", NULL, false, &found, &note), ERR_BUSY, "repair a");
        assert_ok(io_lock(file, IO_EXCLUSIVE, &note));
        assert_err(vhd_check(io, "a", 0, &found, &note), ERR_BUSY, "check a");
}

static void what_is_no_vhd_is_an_error_of_the_call(void **state) {
        AUTO(io_free) struct io *io = make();
        AUTO(findings_fini) struct findings found = {0};
        struct err_note note = {0};

        (void)state;
        kit_flip(io, "a", 3);
        kit_flip(io, "a", kit_size(io, "a") - 500);
        assert_err(vhd_check(io, "a", 0, &found, &note), ERR_CORRUPT, "not a VHD");
        assert_err(vhd_check(io, "none", 0, &found, &note), ERR_NOT_FOUND, "none");
        io_sim_break(io, "p", 512, 1536);
        assert_err(vhd_check(io, "p", 0, &found, &note), ERR_IO, "check p");
}

static void a_repair_does_not_relink_to_another_parent(void **state) {
        AUTO(io_free) struct io *io = make();
        AUTO(findings_fini) struct findings found = {0};
        struct err_note note = {0};

        (void)state;
        kit_create(io, "q", VHD_DYNAMIC, size, NULL);
        assert_err(vhd_repair(io, "a", "q", false, &found, &note), ERR_MISMATCH, "uuid");
        assert_err(vhd_repair(io, "p", "q", false, &found, &note), ERR_INVALID, "no parent");
        expect_clean(io, "a");
}

static void what_xenserver_wrote_has_nothing_to_find(void **state) {
        static const struct {
                const char *name;
                uint64_t n_allocated;
                bool has_parent; /* among the golden images, under its name */
        } rows[] = {
                {"empty-64M.vhd", 0, false},
                {"odd-1001M.vhd", 0, false},
                {"prealloc-64M-of-2040G.vhd", 0, false},
                {"fixed-4M.vhd", 0, false},
                {"coalesced-8M.vhd", 4, false},
                {"base.vhd", 4, false},
                {"mid.vhd", 0, true},
                {"leaf.vhd", 0, true},
                {"leafdata.vhd", 4, true},
                {"raw-child.vhd", 4, true},
                {"snap-of-empty-e.vhd", 0, true},
                {"vhdtool-full.vhd", 4, false},
        };
        enum { N_IMAGES = sizeof rows / sizeof *rows };
        AUTO(io_free) struct io *io = io_sim_new(1, 0);

        (void)state;
        for (unsigned i = 0; i < N_IMAGES; i++) {
                AUTO(buf_fini) struct buf file = golden_load(rows[i].name);

                AUTO(io_close) struct io_file *to = NULL;
                struct err_note note = {0};

                assert_ok(io_open(io, rows[i].name, IO_CREATE, &to, &note));
                assert_ok(io_write(to, file.data, file.n, 0, &note));
        }
        for (unsigned i = 0; i < N_IMAGES; i++) {
                AUTO(findings_fini) struct findings found = {0};
                struct err_note note = {0};

                assert_ok(vhd_check(io, rows[i].name,
                                    VHD_CHECK_BITMAPS | (rows[i].has_parent ? VHD_CHECK_PARENT : 0), &found,
                                    &note));
                for (size_t k = 0; k < found.list.n; k++)
                        print_error("%s: %s: %s\n", rows[i].name, found.list.data[k].part,
                                    found.list.data[k].text);
                assert_int_equal(found.list.n, 0);
                assert_int_equal(found.n_allocated, rows[i].n_allocated);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_damage_is_found_for_what_it_is),
                cmocka_unit_test(what_can_be_repaired_is_and_the_data_stays),
                cmocka_unit_test(what_cannot_be_repaired_is_left_as_it_was),
                cmocka_unit_test(sound_images_of_all_kinds_have_no_findings),
                cmocka_unit_test(counts_are_those_of_the_image),
                cmocka_unit_test(a_million_blocks_are_looked_at_and_the_findings_bounded),
                cmocka_unit_test(errors_push_out_warnings_and_come_first),
                cmocka_unit_test(a_check_waits_for_no_writer_and_a_repair_for_nobody),
                cmocka_unit_test(what_is_no_vhd_is_an_error_of_the_call),
                cmocka_unit_test(what_xenserver_wrote_has_nothing_to_find),
                cmocka_unit_test(a_repair_does_not_relink_to_another_parent),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
