// SPDX-License-Identifier: Apache-2.0
#include "verify_room.h"

#include "taints.h"

static void a_vault_that_is_whole_has_no_findings(void **state) {
        (void)state;
        for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
                AUTO(room_fini) struct room room;
                AUTO(verify_report_fini) struct verify_report report = {0};

                room_init(&room, is_encrypted, ROOM_CHUNKS);
                room_verify(&room, NULL, &report);
                assert_int_equal(report.findings.n, 0);
                assert_true(report.n_packs >= 2 && report.n_packs_read == report.n_packs);
                assert_int_equal(report.n_bytes_read, report.n_bytes);
                assert_int_equal(report.n_blobs_read, ROOM_CHUNKS * 3 / 4 + 1);
                assert_int_equal(report.n_points, 1);
                assert_false(report.has_taint);
                assert_null(room_name(&room, "taints/", 0));
        }
}

/* Whatever is said of it: a vault that cannot be opened any more is noticed, too. */
static bool is_noticed(struct target_sim *sim, struct io *io, bool is_encrypted,
                       const struct verify_options *options) {
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(verify_report_fini) struct verify_report report = {0};
        struct err_note note;

        if (fixture_vault_open(io, target_sim_open(sim), is_encrypted, &vault, &note) ||
            verify(vault, options, &report, &note))
                return true;
        return report.findings.n > 0;
}

/* Where a build is slow: one of so many bytes. */
static uint64_t stride(void) {
        const char *share = getenv("CATENA_SHARE");
        uint64_t n = share ? strtoull(share, NULL, 10) : 1;

        return n ? n : 1;
}

/* A bit of every byte of every object; which of them changes from byte to byte. */
static void flip_each_byte(bool is_encrypted, unsigned levels) {
        const struct verify_options options = {.levels = levels, .n_threads = 1};
        AUTO(room_fini) struct room room;
        uint64_t n = 0;
        const char *name;

        room_init(&room, is_encrypted, 3);
        for (size_t i = 0; (name = target_sim_name(room.sim, i)); i++) {
                AUTO_FREE char *kept = mem_text(name);

                for (uint64_t at = i % stride(); target_sim_flip(room.sim, kept, at, (uint8_t)(1 << at % 8));
                     at += stride()) {
                        if (!is_noticed(room.sim, room.io, is_encrypted, &options))
                                fail_msg("byte %llu of %s", (unsigned long long)at, kept);
                        assert_true(target_sim_flip(room.sim, kept, at, (uint8_t)(1 << at % 8)));
                        n++;
                }
        }
        assert_true(n > 2500 / stride() && n < 64 * 1024);
        assert_false(is_noticed(room.sim, room.io, is_encrypted, &options));
}

static void every_damaged_byte_of_a_plain_vault_is_found(void **state) {
        (void)state;
        flip_each_byte(false, VERIFY_TAGS);
}

static void every_damaged_byte_of_an_encrypted_vault_is_found(void **state) {
        (void)state;
        flip_each_byte(true, VERIFY_TAGS);
}

static void a_damaged_blob_is_told_with_the_range_that_needs_it(void **state) {
        AUTO(room_fini) struct room room;
        AUTO(verify_report_fini) struct verify_report report = {0};
        AUTO(vault_taint_fini) struct vault_taint taint = {0};
        const struct verify_finding *blob, *disk;
        struct err_note note;

        (void)state;
        room_init(&room, true, ROOM_CHUNKS);
        assert_true(target_sim_flip(room.sim, room_name(&room, "packs/", 0), 100, 1));
        room_verify(&room, NULL, &report);
        assert_int_equal(room_count(&report, VERIFY_IN_BLOB), 1);
        blob = room_first(&report, VERIFY_IN_BLOB);
        assert_int_equal(blob->blob.number, 0);
        assert_int_equal(blob->at, VAULT_PACK_HEAD);
        assert_non_null(strstr(blob->text, "damaged"));
        disk = room_first(&report, VERIFY_IN_DISK);
        assert_non_null(disk);
        assert_true(room_count(&report, VERIFY_IN_DISK) == 1 || blob->id.b[0] == 0);
        assert_string_equal(disk->of, "vm");
        assert_string_equal(disk->disk, "d");
        assert_int_equal(vault_name_compare(&disk->point, &room.point), 0);
        assert_int_equal(disk->at % FIXTURE_CHUNK, 0);
        assert_int_equal(report.n_damaged_points, 1);
        assert_true(report.has_taint);
        assert_ok(taints_read(room.vault, &taint, &note));
        assert_true(taint.places.n == 1 && taint.points.n == 1);
        assert_true(taint_has_point(&taint, &room.point));
}

/* The first blob of each pack that the first point made, and the others need, too. */
static void each_point_that_needs_it_is_told(void **state) {
        AUTO(room_fini) struct room room;
        AUTO(verify_report_fini) struct verify_report report = {0};
        char *packs[8];
        unsigned n = 0;

        (void)state;
        room_init(&room, true, ROOM_CHUNKS);
        for (const char *name; (name = room_name(&room, "packs/", n)); n++)
                packs[n] = mem_text(name);
        room_fill(&room, 20, 100);
        room_put(&room);
        room_put(&room);
        for (unsigned i = 0; i < n; i++) {
                assert_true(target_sim_flip(room.sim, packs[i], 100, 1));
                free(packs[i]);
        }
        room_verify(&room, NULL, &report);
        assert_int_equal(room_count(&report, VERIFY_IN_BLOB), n);
        assert_int_equal(report.n_damaged_points, 3);
        assert_true(room_count(&report, VERIFY_IN_DISK) >= 3);
}

static void what_is_damaged_is_put_anew_by_the_next_put(void **state) {
        (void)state;
        for (unsigned pack = 0; pack < 2; pack++) {
                AUTO(room_fini) struct room room;
                AUTO(verify_report_fini) struct verify_report report = {0};
                AUTO(verify_report_fini) struct verify_report after = {0};
                struct fixture_put how = {.n_threads = 1};
                struct vault_name first, second;
                struct err_note note;

                room_init(&room, true, ROOM_CHUNKS);
                first = room.point;
                assert_true(target_sim_flip(room.sim, room_name(&room, "packs/", pack), 100, 1));
                room_verify(&room, NULL, &report);
                assert_int_equal(report.n_damaged_points, 1);

                /* A damaged point is nobody's parent. */
                room_reopen(&room);
                how.parent = &first;
                assert_err(fixture_put_disk(room.vault, &room.disk, &how, &second, &note), ERR_INVALID,
                           "is damaged: without a parent");
                how.parent = NULL;
                assert_ok(fixture_put_disk(room.vault, &room.disk, &how, &second, &note));
                assert_int_equal(how.count.n_packs, 1);
                assert_ok(fixture_check_disk(room.vault, &second, &room.disk, &note));
                assert_ok(fixture_check_disk(room.vault, &first, &room.disk, &note));

                /* The damaged copy is there still, and nobody needs it. */
                room_reopen(&room);
                room_verify(&room, NULL, &after);
                assert_int_equal(room_count(&after, VERIFY_IN_BLOB), 1);
                assert_int_equal(room_count(&after, VERIFY_IN_DISK), 0);
                assert_int_equal(after.n_damaged_points, 0);
        }
}

static void what_fits_again_is_recorded_no_more(void **state) {
        AUTO(room_fini) struct room room;
        AUTO(verify_report_fini) struct verify_report report = {0};
        AUTO(verify_report_fini) struct verify_report after = {0};
        const struct verify_options again = {.levels = VERIFY_TREE, .records_taint = true};

        (void)state;
        room_init(&room, true, ROOM_CHUNKS);
        assert_true(target_sim_flip(room.sim, room_name(&room, "packs/", 0), 100, 1));
        room_verify(&room, NULL, &report);
        assert_true(report.has_taint);
        assert_true(target_sim_flip(room.sim, room_name(&room, "packs/", 0), 100, 1));
        room_reopen(&room);
        room_verify(&room, &again, &after); /* it is read, whatever is asked for */
        assert_int_equal(after.n_packs_read, 1);
        assert_int_equal(after.findings.n, 0);
        assert_false(after.has_taint);
        assert_int_equal(blobs_count(room.vault->blobs).n_damaged_packs, 0);
}

static void a_pack_that_is_gone_is_told_by_who_needs_it(void **state) {
        (void)state;
        for (unsigned pack = 0; pack < 2; pack++) {
                AUTO(room_fini) struct room room;
                AUTO(verify_report_fini) struct verify_report report = {0};
                struct vault_name second;
                struct err_note note;

                room_init(&room, true, ROOM_CHUNKS);
                room_remove(&room, "packs/", pack);
                room_reopen(&room);
                room_verify(&room, NULL, &report);
                assert_true(room_count(&report, VERIFY_IN_DISK) >= 1);
                assert_non_null(strstr(room_first(&report, VERIFY_IN_DISK)->text, "is gone"));
                assert_int_equal(report.n_damaged_points, 1);
                assert_ok(fixture_put_disk(room.vault, &room.disk, NULL, &second, &note));
                assert_ok(fixture_check_disk(room.vault, &room.point, &room.disk, &note));
        }
}

static void an_index_that_is_gone_is_no_damage(void **state) {
        AUTO(room_fini) struct room room;
        AUTO(verify_report_fini) struct verify_report report = {0};

        (void)state;
        room_init(&room, true, ROOM_CHUNKS);
        room_remove(&room, "indexes/", 0);
        room_reopen(&room);
        room_verify(&room, NULL, &report);
        assert_int_equal(report.findings.n, 0);
        assert_int_equal(report.n_loose, report.n_packs);
}

/* The first pack, put anew without its last n bytes. */
static void cut_pack(struct room *room, size_t n) {
        AUTO_FREE char *name = mem_text(room_name(room, "packs/", 0));
        AUTO(buf_fini) struct buf bytes = {0};
        struct err_note note;

        assert_ok(target_get(room->vault->target, name, 1 << 30, &bytes, &note));
        assert_ok(target_remove(room->vault->target, name, &note));
        assert_ok(target_put(room->vault->target, name, bytes.data, bytes.n - n, &note));
}

static void of_a_pack_that_is_cut_what_is_left_is_told_apart(void **state) {
        AUTO(room_fini) struct room room;
        AUTO(verify_report_fini) struct verify_report report = {0};
        AUTO(verify_report_fini) struct verify_report after = {0};
        struct vault_name second;
        struct err_note note;

        (void)state;
        room_init(&room, true, ROOM_CHUNKS);
        cut_pack(&room, 10);
        room_reopen(&room);
        room_verify(&room, NULL, &report);
        assert_int_equal(room_count(&report, VERIFY_IN_PACK), 1);
        assert_int_equal(room_count(&report, VERIFY_IN_BLOB), 0); /* an index leads to each */
        assert_int_equal(report.n_damaged_points, 0);
        cut_pack(&room, 2000);
        room_reopen(&room);
        room_verify(&room, NULL, &after);
        assert_int_equal(room_count(&after, VERIFY_IN_PACK), 1);
        assert_true(room_count(&after, VERIFY_IN_BLOB) >= 1);
        assert_int_equal(after.n_damaged_points, 1);
        /* None of it counts for the next put. */
        assert_ok(fixture_put_disk(room.vault, &room.disk, NULL, &second, &note));
        assert_ok(fixture_check_disk(room.vault, &room.point, &room.disk, &note));
}

/* Which runs that record something leave behind until the next prune. */
static void remove_sessions(struct room *room) {
        AUTO(target_list_fini) struct target_list list = {0};
        struct err_note note;

        assert_ok(target_list(room->vault->target, "sessions/", &list, &note));
        VEC_EACH (&list.items, each)
                assert_ok(target_remove(room->vault->target, each->name, &note));
}

static void a_target_that_does_not_answer_is_an_error_and_no_damage(void **state) {
        AUTO(room_fini) struct room room;
        const struct verify_options options = {.records_taint = true, .n_threads = 1};
        unsigned n_errors = 0;

        (void)state;
        room_init(&room, true, 3);
        for (uint64_t n = 1;; n++) {
                AUTO(verify_report_fini) struct verify_report report = {0};
                struct err_note note;
                uint64_t calls = target_sim_count(room.sim).calls;

                target_sim_fail_at(room.sim, n, ERR_IO, false);
                n_errors += verify(room.vault, &options, &report, &note) != ERR_NONE;
                target_sim_fail_at(room.sim, 0, ERR_IO, false);
                if (target_sim_count(room.sim).calls - calls < n)
                        break;
                remove_sessions(&room);
        }
        assert_true(n_errors > 5);
        /* A single failure of a read while all else can be read is told as such, and passes. */
        room_reopen(&room);
        {
                AUTO(verify_report_fini) struct verify_report report = {0};

                room_verify(&room, &options, &report);
                assert_int_equal(report.findings.n, 0);
                assert_false(report.has_taint);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_vault_that_is_whole_has_no_findings),
                cmocka_unit_test(every_damaged_byte_of_a_plain_vault_is_found),
                cmocka_unit_test(every_damaged_byte_of_an_encrypted_vault_is_found),
                cmocka_unit_test(a_damaged_blob_is_told_with_the_range_that_needs_it),
                cmocka_unit_test(each_point_that_needs_it_is_told),
                cmocka_unit_test(what_is_damaged_is_put_anew_by_the_next_put),
                cmocka_unit_test(what_fits_again_is_recorded_no_more),
                cmocka_unit_test(a_pack_that_is_gone_is_told_by_who_needs_it),
                cmocka_unit_test(an_index_that_is_gone_is_no_damage),
                cmocka_unit_test(of_a_pack_that_is_cut_what_is_left_is_told_apart),
                cmocka_unit_test(a_target_that_does_not_answer_is_an_error_and_no_damage),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
