// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "fixture_vault.h"
#include "prune.h"
#include "reading.h"
#include "session.h"
#include "taints.h"
#include "target_sim.h"

struct place {
        struct io *io;              /* owned */
        struct target_sim *target;  /* owned */
        struct vault *vault;        /* owned */
        struct fixture_disk disk;   /* grows and changes from put to put */
        struct prune_report report; /* of the last prune: its numbers */
        int64_t time;
};

static void open_place(struct place *place, bool is_encrypted) {
        struct err_note note;

        place->io = io_sim_new(1, 0);
        place->target = target_sim_new(1);
        assert_ok(fixture_vault_make(place->io, target_sim_open(place->target), is_encrypted, &place->vault,
                                     &note));
        fixture_disk_resize(&place->disk, 4 * MIB);
}

static void close_place(struct place *place) {
        fixture_disk_fini(&place->disk);
        vault_close(place->vault);
        target_sim_free(place->target);
        io_free(place->io);
}
DEFINE_AUTO_IN_PLACE(struct place, close_place);

static size_t count_names(struct place *place, const char *prefix, const char *suffix) {
        size_t n = 0, n_suffix = strlen(suffix);
        const char *name;

        for (size_t i = 0; (name = target_sim_name(place->target, i)); i++)
                n += strncmp(name, prefix, strlen(prefix)) == 0 && strlen(name) >= n_suffix &&
                     strcmp(name + strlen(name) - n_suffix, suffix) == 0;
        return n;
}

static struct vault_name put(struct place *place) {
        struct fixture_put how = {.n_threads = 1};
        struct vault_name point;
        struct err_note note;

        how.time = ++place->time;
        assert_ok(fixture_put_disk(place->vault, &place->disk, &how, &point, &note));
        return point;
}

static enum err try_prune(struct place *place, const struct prune_options *options, struct err_note *note) {
        AUTO(prune_free) struct prune *prune = NULL;
        bool is_over = false;

        if (prune_begin(place->vault, options, &prune, note))
                return note->code;
        while (!is_over)
                if (prune_step(prune, &is_over, note))
                        return note->code;
        place->report = *prune_report(prune);
        return ERR_NONE;
}

static void prune_once(struct place *place, const struct prune_options *options) {
        struct err_note note;
        enum err err = try_prune(place, options, &note);

        if (err)
                print_message("%s\n", note.text);
        assert_int_equal(err, ERR_NONE);
}

static const struct prune_options keep_one = {.keep = {.last = 1}};

static void what_no_point_needs_goes(void **state) {
        (void)state;
        for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
                AUTO(close_place) struct place place = {0};
                struct vault_name last;
                struct err_note note;

                open_place(&place, is_encrypted);
                for (unsigned i = 1; i <= 3; i++) {
                        fixture_disk_write(&place.disk, 0, 3 * MIB, i);
                        last = put(&place);
                }
                assert_int_equal(count_names(&place, "points/", ".ok"), 3);
                prune_once(&place, &keep_one);
                assert_int_equal(place.report.n_let_go, 2);
                assert_true(place.report.n_removed >= 2 && place.report.removed > 300000);
                assert_int_equal(count_names(&place, "points/", ".ok"), 1);
                assert_int_equal(count_names(&place, "packs/", ""), place.report.n_left);
                assert_int_equal(count_names(&place, "doomed/", ""), 0);
                assert_ok(fixture_check_disk(place.vault, &last, &place.disk, &note));
                prune_once(&place, &keep_one);
                assert_int_equal(place.report.n_let_go + place.report.n_removed, 0);
        }
}

/* ---- what stays, and what stops it ---- */

static size_t fill(struct place *place, struct vault_name points[3]) {
        open_place(place, true);
        for (unsigned i = 0; i < 3; i++) {
                fixture_disk_write(&place->disk, 0, 3 * MIB, i + 1);
                points[i] = put(place);
        }
        return count_names(place, "", "");
}

static void a_dry_run_says_what_would_go_and_changes_nothing(void **state) {
        AUTO(close_place) struct place place = {0};
        const struct prune_options dry = {.keep = {.last = 1}, .is_dry = true, .fill = 50};
        AUTO(prune_free) struct prune *prune = NULL;
        struct vault_name points[3];
        struct target_sim_count before;
        struct err_note note;
        bool is_over = false;

        (void)state;
        (void)fill(&place, points);
        before = target_sim_count(place.target);
        assert_ok(prune_begin(place.vault, &dry, &prune, &note));
        while (!is_over)
                assert_ok(prune_step(prune, &is_over, &note));
        assert_int_equal(prune_report(prune)->n_let_go, 2);
        assert_int_equal(prune_report(prune)->packs.n, 2);
        assert_int_equal(prune_report(prune)->packs.data[0].why, PRUNE_UNNEEDED);
        assert_int_equal(target_sim_count(place.target).changes, before.changes);
}

static void a_point_let_go_by_name_takes_its_packs_with_it(void **state) {
        AUTO(close_place) struct place place = {0};
        const struct prune_options no_rule = {.grace_ns = 0};
        struct vault_name points[3];
        struct err_note note;

        (void)state;
        (void)fill(&place, points);
        assert_ok(prune_forget(place.vault, &points[2], "by hand", &note));
        assert_int_equal(count_names(&place, "points/", ".ok"), 2);
        prune_once(&place, &no_rule);
        assert_int_equal(place.report.n_let_go, 0);
        assert_int_equal(place.report.n_removed, 1);
}

static void a_damaged_point_that_counts_stops_it(void **state) {
        AUTO(close_place) struct place place = {0};
        struct vault_name points[3];
        struct err_note note;
        size_t n;

        (void)state;
        n = fill(&place, points);
        assert_true(target_sim_flip(place.target, vault_path_of(VAULT_MANIFEST, &points[0]).s, 100, 1));
        assert_err(try_prune(&place, &keep_one, &note), ERR_CORRUPT, "nothing is removed");
        assert_true(count_names(&place, "", "") >= n - 6); /* but what sessions left */
        assert_int_equal(count_names(&place, "points/", ".ok"), 3);
}

static void what_a_point_needs_and_is_gone_stops_it(void **state) {
        AUTO(close_place) struct place place = {0};
        const struct prune_options no_rule = {.grace_ns = 0};
        struct vault_name points[3];
        struct err_note note;
        size_t n_packs;

        (void)state;
        (void)fill(&place, points);
        n_packs = count_names(&place, "packs/", "");
        for (size_t i = 0; target_sim_name(place.target, i); i++)
                if (strncmp(target_sim_name(place.target, i), "packs/", 6) == 0) {
                        assert_ok(
                                target_remove(place.vault->target, target_sim_name(place.target, i), &note));
                        break;
                }
        assert_err(try_prune(&place, &no_rule, &note), ERR_CORRUPT, "nothing is removed");
        assert_int_equal(count_names(&place, "packs/", ""), n_packs - 1);
        assert_int_equal(count_names(&place, "doomed/", ""), 0);
}

static void a_listing_without_what_was_there_stops_it(void **state) {
        AUTO(close_place) struct place place = {0};
        const struct prune_options no_rule = {.grace_ns = 0};
        struct vault_name points[3];
        struct err_note note;

        (void)state;
        (void)fill(&place, points);
        prune_once(&place, &no_rule);
        assert_ok(target_remove(place.vault->target, vault_path_of(VAULT_SEAL, &points[1]).s, &note));
        assert_ok(target_remove(place.vault->target, vault_path_of(VAULT_MANIFEST, &points[1]).s, &note));
        assert_err(try_prune(&place, &no_rule, &note), ERR_CORRUPT, "nobody let it go");
        assert_int_equal(count_names(&place, "packs/", ""), 3);
}

/* ---- others at work ---- */

static void a_run_that_is_silent_is_waited_for_and_then_refused(void **state) {
        AUTO(close_place) struct place place = {0};
        const struct prune_options patient = {.grace_ns = 30000000000};
        struct put_options options = {.name = "vm", .time = 5, .n_threads = 1};
        AUTO(put_abort) struct put *put = NULL;
        struct put_disk disk = {.name = "d"};
        struct vault_name points[3], point;
        struct put_count count;
        struct err_note note;

        (void)state;
        (void)fill(&place, points);
        assert_ok(put_begin(place.vault, &options, &put, &note));
        disk.source = fixture_source(&place.disk);
        assert_ok(put_disk(put, &disk, &note));
        assert_ok(prune_forget(place.vault, &points[0], "by hand", &note));
        prune_once(&place, &patient);
        assert_int_equal(place.report.n_broken, 1);
        assert_err(put_commit(TAKE(put), &point, &count, &note), ERR_BUSY, "begin it again");
        assert_int_equal(count_names(&place, "points/", ".ok"), 2);
        /* What it left goes with the next one. */
        prune_once(&place, &patient);
        assert_int_equal(place.report.n_unsealed, 1);
        assert_int_equal(count_names(&place, "points/", ""), 4);
}

static void another_prune_that_died_is_taken_over(void **state) {
        AUTO(close_place) struct place place = {0};
        struct vault_name points[3];
        struct err_note note;

        (void)state;
        (void)fill(&place, points);
        for (uint64_t n = 1; n < 100 && count_names(&place, "doomed/", "") == 0; n++) {
                target_sim_die_at(place.target, n, true);
                (void)!try_prune(&place, &keep_one, &note);
                target_sim_restart(place.target);
        }
        assert_int_equal(count_names(&place, "doomed/", ""), 1);
        prune_once(&place, &keep_one);
        assert_int_equal(count_names(&place, "doomed/", ""), 0);
        assert_int_equal(count_names(&place, "packs/", ""), 1);
        assert_ok(fixture_check_disk(place.vault, &points[2], &place.disk, &note));
}

/* Two runs that know nothing of each other store the same. */
static void put_twice(struct place *place) {
        const struct vault_open_options how = {.key = fixture_key()};
        const struct put_options options = {.name = "vm", .time = 5, .n_threads = 1};
        struct put_disk disk = {.name = "d", .source = fixture_source(&place->disk)};
        AUTO(vault_close) struct vault *other = NULL;
        struct put *puts[2];
        struct vault_name point;
        struct put_count count;
        struct err_note note;

        assert_ok(vault_open(place->io, target_sim_open(place->target), &how, &other, &note));
        assert_ok(put_begin(place->vault, &options, &puts[0], &note));
        assert_ok(put_begin(other, &options, &puts[1], &note));
        for (int i = 0; i < 2; i++)
                assert_ok(put_disk(puts[i], &disk, &note));
        for (int i = 0; i < 2; i++)
                assert_ok(put_commit(puts[i], &point, &count, &note));
}

static void put_doom(struct place *place, const struct vault_name *pack) {
        const struct vault_doom doom = {.packs = {(struct vault_name *)pack, 1, 0}};
        AUTO(buf_fini) struct buf body = {0};
        struct vault_name name;
        struct err_note note;

        vault_doom_encode(&doom, &body);
        vault_name_random(place->io, &name);
        assert_ok(vault_put_object(place->vault, VAULT_DOOM, &name, (struct span){body.data, body.n}, NULL,
                                   &note));
}

static void of_two_copies_one_goes_unless_somebody_else_dooms_the_other(void **state) {
        (void)state;
        for (int is_doomed = 0; is_doomed < 2; is_doomed++) {
                const struct prune_options no_rule = {.grace_ns = 0};
                AUTO(close_place) struct place place = {0};
                AUTO(prune_free) struct prune *prune = NULL;
                struct vault_name pack, going;
                struct err_note note;
                bool is_over = false;

                open_place(&place, true);
                fixture_disk_write(&place.disk, 0, 3 * MIB, 1);
                put_twice(&place);
                assert_int_equal(count_names(&place, "packs/", ""), 2);
                assert_ok(prune_begin(place.vault, &no_rule, &prune, &note));
                while (strcmp(prune_doing(prune), "look again what is needed") != 0)
                        assert_ok(prune_step(prune, &is_over, &note));
                assert_int_equal(prune_report(prune)->packs.n, 1);
                going = prune_report(prune)->packs.data[0].pack;
                for (size_t i = 0; is_doomed && target_sim_name(place.target, i); i++)
                        if (strncmp(target_sim_name(place.target, i), "packs/", 6) == 0 &&
                            vault_path_parse(target_sim_name(place.target, i), &pack) &&
                            vault_name_compare(&pack, &going) != 0) {
                                put_doom(&place, &pack);
                                break;
                        }
                while (!is_over)
                        assert_ok(prune_step(prune, &is_over, &note));
                assert_int_equal(count_names(&place, "packs/", ""), is_doomed ? 2 : 1);
        }
}

static void a_record_stays_until_its_packs_are_gone(void **state) {
        const struct target_sim_weather slow = {.late_removes = 1000, .late = 30};
        AUTO(close_place) struct place place = {0};
        AUTO(prune_free) struct prune *prune = NULL;
        struct vault_name points[3];
        struct err_note note;
        bool is_over = false;
        unsigned n_late = 0;

        (void)state;
        (void)fill(&place, points);
        assert_ok(prune_begin(place.vault, &keep_one, &prune, &note));
        while (strcmp(prune_doing(prune), "delete") != 0)
                assert_ok(prune_step(prune, &is_over, &note));
        assert_int_equal(count_names(&place, "doomed/", ""), 1);
        target_sim_set_weather(place.target, &slow);
        while (strcmp(prune_doing(prune), "drop index entries") != 0) {
                n_late += count_names(&place, "packs/", "") > 1;
                assert_ok(prune_step(prune, &is_over, &note));
        }
        assert_true(n_late > 1);
        assert_int_equal(count_names(&place, "packs/", ""), 1);
}

static void anothers_record_stays_while_a_pack_of_it_is_there(void **state) {
        AUTO(close_place) struct place place = {0};
        const struct prune_options no_rule = {.grace_ns = 0};
        struct vault_name points[3], pack;

        (void)state;
        (void)fill(&place, points);
        for (size_t i = 0; target_sim_name(place.target, i); i++)
                if (strncmp(target_sim_name(place.target, i), "packs/", 6) == 0 &&
                    vault_path_parse(target_sim_name(place.target, i), &pack))
                        break;
        put_doom(&place, &pack);
        prune_once(&place, &no_rule);
        assert_int_equal(count_names(&place, "packs/", ""), 3);
        assert_int_equal(count_names(&place, "doomed/", ""), 1);
}

static void little_that_is_needed_of_a_pack_is_copied(void **state) {
        AUTO(close_place) struct place place = {0};
        const struct prune_options repacks = {.keep = {.last = 1}, .fill = 50};
        struct vault_name last;
        struct err_note note;

        (void)state;
        open_place(&place, true);
        fixture_disk_write(&place.disk, 0, 3 * MIB, 1);
        (void)put(&place);
        fixture_disk_write(&place.disk, FIXTURE_CHUNK, 3 * MIB - FIXTURE_CHUNK, 2);
        last = put(&place);
        prune_once(&place, &repacks);
        assert_int_equal(place.report.n_repacked, 1);
        assert_int_equal(place.report.n_removed, 1);
        assert_ok(fixture_check_disk(place.vault, &last, &place.disk, &note));
        prune_once(&place, &repacks);
        assert_int_equal(place.report.n_repacked + place.report.n_removed, 0);
}

/* ---- readers ---- */

static const struct prune_options keep_one_patiently = {
        .keep = {.last = 1}, .fill = 50, .grace_ns = (uint64_t)300 * 1000000000};

/* With somebody who reads beside it. */
static void prune_beside(struct place *place, const struct prune_options *options, struct reading *reading,
                         unsigned n_waits) {
        AUTO(prune_free) struct prune *prune = NULL;
        bool is_over = false, is_known = false;
        struct err_note note;

        assert_ok(prune_begin(place->vault, options, &prune, &note));
        while (!is_over) {
                assert_ok(prune_step(prune, &is_over, &note));
                is_known |= strcmp(prune_doing(prune), "wait for those who read what was let go") == 0;
                if (is_known && n_waits > 0 && --n_waits == 0)
                        reading_end(reading);
                reading_go_on(reading);
        }
        place->report = *prune_report(prune);
}

static void what_is_read_is_not_let_go(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(reading_end) struct reading reading = {0};
        AUTO(fixture_disk_fini) struct fixture_disk first = {0};
        struct vault_name points[3];
        struct err_note note;

        (void)state;
        (void)fill(&place, points);
        fixture_disk_resize(&first, 4 * MIB);
        fixture_disk_write(&first, 0, 3 * MIB, 1);
        assert_ok(reading_begin(place.vault, points, 1, &reading, &note));
        assert_true(reading.is_held);
        prune_beside(&place, &keep_one_patiently, &reading, 0);
        assert_int_equal(place.report.n_let_go, 1);
        assert_int_equal(place.report.n_broken, 0);
        assert_false(reading.is_broken);
        assert_ok(fixture_check_disk(place.vault, &points[0], &first, &note));
        reading_end(&reading);
        prune_once(&place, &keep_one_patiently);
        assert_int_equal(place.report.n_let_go, 1);
        assert_int_equal(count_names(&place, "points/", ".ok"), 1);
}

static void who_reads_and_is_silent_is_broken_and_sees_it(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(reading_end) struct reading reading = {0};
        struct vault_name points[3];
        struct err_note note;

        (void)state;
        (void)fill(&place, points);
        assert_ok(reading_begin(place.vault, points, 1, &reading, &note));
        prune_once(&place, &keep_one_patiently);
        assert_int_equal(place.report.n_broken, 1);
        assert_int_equal(place.report.n_let_go, 2);
        assert_int_equal(count_names(&place, "packs/", ""), 1);
        reading_go_on(&reading);
        assert_true(reading.is_broken);
}

/* By name, whatever anybody reads: what it needs goes when it is read no more. */
static void who_reads_what_was_forgotten_is_waited_for(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(reading_end) struct reading reading = {0};
        const struct prune_options no_rule = {.grace_ns = (uint64_t)300 * 1000000000};
        struct vault_name points[3];
        struct err_note note;

        (void)state;
        (void)fill(&place, points);
        assert_ok(reading_begin(place.vault, &points[1], 1, &reading, &note));
        assert_ok(prune_forget(place.vault, &points[1], "by hand", &note));
        prune_beside(&place, &no_rule, &reading, 700);
        assert_int_equal(place.report.n_broken, 0);
        assert_int_equal(place.report.n_removed, 1);
        assert_false(reading.is_held);
        assert_err(reading_begin(place.vault, &points[1], 1, &reading, &note), ERR_NOT_FOUND, "let go");
}

static void a_pack_that_is_read_stays_though_it_was_copied(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(reading_end) struct reading reading = {0};
        struct vault_name last;
        struct err_note note;

        (void)state;
        open_place(&place, true);
        fixture_disk_write(&place.disk, 0, 3 * MIB, 1);
        (void)put(&place);
        fixture_disk_write(&place.disk, FIXTURE_CHUNK, 3 * MIB - FIXTURE_CHUNK, 2);
        last = put(&place);
        assert_ok(reading_begin(place.vault, &last, 1, &reading, &note));
        prune_beside(&place, &keep_one_patiently, &reading, 0);
        assert_int_equal(place.report.n_repacked, 1);
        assert_int_equal(place.report.n_removed, 0);
        assert_int_equal(place.report.n_kept, 1);
        reading_end(&reading);
        prune_once(&place, &keep_one_patiently);
        assert_int_equal(place.report.n_removed, 1);
        assert_ok(fixture_check_disk(place.vault, &last, &place.disk, &note));
}

/* ---- damage ---- */

static void a_damaged_point_is_not_one_of_the_last(void **state) {
        AUTO(close_place) struct place place = {0};
        struct vault_taint nothing = {0}, taint = {0};
        struct vault_name points[3];
        struct err_note note;

        (void)state;
        (void)fill(&place, points);
        *vec_add(&taint.points) = points[2];
        assert_ok(taints_replace(place.vault, &nothing, &taint, &note));
        vault_taint_fini(&taint);
        prune_once(&place, &keep_one);
        assert_int_equal(place.report.n_let_go, 1);
        assert_int_equal(count_names(&place, "points/", ".ok"), 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_no_point_needs_goes),
                cmocka_unit_test(a_dry_run_says_what_would_go_and_changes_nothing),
                cmocka_unit_test(a_point_let_go_by_name_takes_its_packs_with_it),
                cmocka_unit_test(a_damaged_point_that_counts_stops_it),
                cmocka_unit_test(what_a_point_needs_and_is_gone_stops_it),
                cmocka_unit_test(a_listing_without_what_was_there_stops_it),
                cmocka_unit_test(a_run_that_is_silent_is_waited_for_and_then_refused),
                cmocka_unit_test(another_prune_that_died_is_taken_over),
                cmocka_unit_test(of_two_copies_one_goes_unless_somebody_else_dooms_the_other),
                cmocka_unit_test(a_record_stays_until_its_packs_are_gone),
                cmocka_unit_test(anothers_record_stays_while_a_pack_of_it_is_there),
                cmocka_unit_test(little_that_is_needed_of_a_pack_is_copied),
                cmocka_unit_test(what_is_read_is_not_let_go),
                cmocka_unit_test(who_reads_and_is_silent_is_broken_and_sees_it),
                cmocka_unit_test(who_reads_what_was_forgotten_is_waited_for),
                cmocka_unit_test(a_pack_that_is_read_stays_though_it_was_copied),
                cmocka_unit_test(a_damaged_point_is_not_one_of_the_last),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
