// SPDX-License-Identifier: Apache-2.0
#include "sr_kit.h"

#include "sr_check.h"

static bool cancel(void *user, uint64_t done, uint64_t total) {
        (void)total;
        *(uint64_t *)user = done;
        return done < 1;
}

static void a_sound_sr_has_no_findings(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_findings_fini) struct sr_findings findings = {0};
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a");
        struct err_note note = {0};

        (void)state;
        kit_write(sr, &vdi, "AB");
        (void)kit_snapshot(sr, &vdi, "s");
        assert_ok(sr_check(sr, VHD_CHECK_BITMAPS, NULL, NULL, &findings, &note));
        assert_int_equal(findings.n_files, 3);
        assert_int_equal(findings.n_errors + findings.n_warnings, 0);
        sr_close(sr);
}

static void one_damaged_file_is_found_and_the_others_are_looked_at(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_findings_fini) struct sr_findings findings = {0};
        struct sr *sr = kit_create(io);
        struct uuid a = kit_vdi(sr, "a"), b = kit_vdi(sr, "b");
        AUTO_FREE char *path = mem_format("%s/%s.vhd", KIT_DIR, uuid_format(&a).s);
        struct io_file *file;
        struct err_note note = {0};
        bool is_said = false;

        (void)state;
        assert_ok(io_open(io, path, IO_WRITE, &file, &note));
        assert_ok(io_write(file, "xxxx", 4, 512, &note));
        io_close(file);
        assert_ok(sr_scan(sr, &note));
        assert_ok(sr_check(sr, 0, NULL, NULL, &findings, &note));
        assert_int_equal(findings.n_files, 2);
        assert_true(findings.n_errors > 0);
        VEC_EACH (&findings.list, each) {
                is_said |= strstr(each->name, uuid_format(&a).s) != NULL;
                assert_true(uuid_equal(&each->uuid, &a));
        }
        assert_true(is_said);
        assert_reads(sr, &b, "....");
        sr_close(sr);
}

static void a_check_can_be_cancelled_and_changes_nothing(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_findings_fini) struct sr_findings findings = {0};
        struct sr *sr = kit_create(io);
        struct err_note note = {0};
        struct io_sim_count before;
        uint64_t done = 0;

        (void)state;
        (void)kit_vdi(sr, "a");
        (void)kit_vdi(sr, "b");
        before = io_sim_count(io);
        assert_err(sr_check(sr, 0, cancel, &done, &findings, &note), ERR_CANCELLED, "cancelled");
        assert_int_equal(done, 1);
        assert_int_equal(io_sim_count(io).changing, before.changing);
        sr_close(sr);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_sound_sr_has_no_findings),
                cmocka_unit_test(one_damaged_file_is_found_and_the_others_are_looked_at),
                cmocka_unit_test(a_check_can_be_cancelled_and_changes_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
