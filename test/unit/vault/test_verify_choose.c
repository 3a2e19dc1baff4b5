// SPDX-License-Identifier: Apache-2.0
/* Which packs a run reads: all, those never read, a share; and going on after an interrupt. */
#include "verify_room.h"

#include "read_record.h"

#define RECORD "/record"

static const struct verify_options everything = {.record = RECORD, .n_threads = 1};

static void later(struct room *room) {
        io_sleep_ns(room->io, (uint64_t)3600 * 1000000000);
}

static uint64_t read_with(struct room *room, struct verify_options options) {
        AUTO(verify_report_fini) struct verify_report report = {0};

        later(room);
        options.record = RECORD;
        room_verify(room, &options, &report);
        assert_int_equal(report.findings.n, 0);
        return report.n_packs_read;
}

static void init(struct room *room) {
        room_init(room, true, 100);
        assert_true(blobs_count(room->vault->blobs).n_packs >= 5);
}

static uint64_t n_packs(struct room *room) {
        return blobs_count(room->vault->blobs).n_packs;
}

static void new_ones_are_those_never_read_at_that_level(void **state) {
        const struct verify_options tags = {.which = VERIFY_NEW, .levels = VERIFY_TAGS},
                                    content = {.which = VERIFY_NEW, .levels = VERIFY_CONTENT};
        AUTO(room_fini) struct room room;
        uint64_t all;

        (void)state;
        init(&room);
        all = n_packs(&room);
        assert_int_equal(read_with(&room, tags), all);
        assert_int_equal(read_with(&room, tags), 0);
        assert_int_equal(read_with(&room, content), all); /* tags said nothing of it */
        assert_int_equal(read_with(&room, content), 0);
        room_fill(&room, 0, FIXTURE_CHUNK);
        room_put(&room);
        assert_true(n_packs(&room) > all);
        assert_int_equal(read_with(&room, content), n_packs(&room) - all);
        assert_int_equal(read_with(&room, tags), 0); /* content says it, too */
}

static void shares_go_through_all_before_any_is_read_twice(void **state) {
        const struct verify_options share = {.which = VERIFY_SHARE, .percent = 30};
        AUTO(room_fini) struct room room;
        AUTO(read_record_fini) struct read_record record = {0};
        uint64_t read = 0, least = UINT64_MAX;
        struct err_note note;

        (void)state;
        init(&room);
        for (unsigned run = 0; run < 4; run++) {
                uint64_t n = read_with(&room, share);

                assert_true(n >= 1 && n < n_packs(&room));
                read += n;
        }
        assert_true(read >= n_packs(&room) && read < 2 * n_packs(&room));
        assert_ok(read_record_load(room.io, RECORD, &room.vault->config.id, &record, &note));
        assert_int_equal(record.rows.n, n_packs(&room));
        VEC_EACH (&record.rows, each)
                least = min_u64(least, each->content_at);
        assert_true(least > 0);
}

static void a_share_of_all_is_all(void **state) {
        const struct verify_options share = {.which = VERIFY_SHARE, .percent = 100};
        AUTO(room_fini) struct room room;

        (void)state;
        init(&room);
        assert_int_equal(read_with(&room, share), n_packs(&room));
}

/* ---- interrupts ---- */

static enum err stop(void *user, uint64_t done, uint64_t all, struct err_note *note) {
        const uint64_t *percent = user;

        return done > 0 && done >= all * *percent / 100 ? err_set(note, ERR_CANCELLED, "stopped") : ERR_NONE;
}

static void interrupt(struct room *room, uint64_t percent) {
        AUTO(verify_report_fini) struct verify_report report = {0};
        struct verify_options options = everything;
        struct err_note note;

        later(room);
        options.step = stop;
        options.user = &percent;
        assert_err(verify(room->vault, &options, &report, &note), ERR_CANCELLED, "stopped");
}

static void an_interrupted_run_is_gone_on_with(void **state) {
        AUTO(room_fini) struct room room;
        AUTO(verify_report_fini) struct verify_report rest = {0};
        uint64_t all;

        (void)state;
        init(&room);
        all = n_packs(&room);
        interrupt(&room, 1);
        later(&room);
        room_verify(&room, &everything, &rest);
        assert_true(rest.has_resumed);
        assert_true(rest.n_packs_read >= 1 && rest.n_packs_read < all);
        assert_int_equal(read_with(&room, everything), all); /* that one was over */
}

static void who_begins_anew_reads_all(void **state) {
        AUTO(room_fini) struct room room;
        struct verify_options anew = everything;

        (void)state;
        init(&room);
        interrupt(&room, 1);
        anew.begins_anew = true;
        assert_int_equal(read_with(&room, anew), n_packs(&room));
}

static void what_went_is_forgotten(void **state) {
        AUTO(room_fini) struct room room;
        AUTO(read_record_fini) struct read_record record = {0};
        AUTO(verify_report_fini) struct verify_report report = {0};
        uint64_t all;
        struct err_note note;

        (void)state;
        init(&room);
        all = n_packs(&room);
        assert_int_equal(read_with(&room, everything), all);
        room_remove(&room, "packs/", 1);
        room_verify(&room, &everything, &report);
        assert_ok(read_record_load(room.io, RECORD, &room.vault->config.id, &record, &note));
        assert_int_equal(record.rows.n, all - 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(new_ones_are_those_never_read_at_that_level),
                cmocka_unit_test(shares_go_through_all_before_any_is_read_twice),
                cmocka_unit_test(a_share_of_all_is_all),
                cmocka_unit_test(an_interrupted_run_is_gone_on_with),
                cmocka_unit_test(who_begins_anew_reads_all),
                cmocka_unit_test(what_went_is_forgotten),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
