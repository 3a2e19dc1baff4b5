// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "fixture_vault.h"
#include "reading.h"
#include "target_sim.h"

struct place {
        struct io *io;             /* owned */
        struct target_sim *target; /* owned */
        struct vault *vault;       /* owned */
        struct vault_name point;
};

static void open_place(struct place *place) {
        AUTO(fixture_disk_fini) struct fixture_disk disk = {0};
        struct err_note note;

        place->io = io_sim_new(1, 0);
        place->target = target_sim_new(1);
        assert_ok(fixture_vault_make(place->io, target_sim_open(place->target), true, &place->vault, &note));
        fixture_disk_resize(&disk, MIB);
        fixture_disk_write(&disk, 0, MIB, 1);
        assert_ok(fixture_put_disk(place->vault, &disk, NULL, &place->point, &note));
}

static void close_place(struct place *place) {
        vault_close(place->vault);
        target_sim_free(place->target);
        io_free(place->io);
}
DEFINE_AUTO_IN_PLACE(struct place, close_place);

static bool is_there(struct place *place, const struct vault_name *session, const char *suffix) {
        AUTO_FREE char *path = mem_format("sessions/%s%s", vault_name_format(session).s, suffix);
        struct err_note note;
        uint64_t size;

        return target_size(place->vault->target, path, &size, &note) == ERR_NONE;
}

static void a_reading_says_what_it_reads_until_it_ends(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(buf_fini) struct buf body = {0};
        AUTO(vault_session_doc_fini) struct vault_session_doc doc = {0};
        struct reading reading;
        struct vault_name name;
        struct err_note note;

        (void)state;
        open_place(&place);
        assert_ok(reading_begin(place.vault, &place.point, 1, &reading, &note));
        name = reading.session.name;
        assert_ok(vault_get_object(place.vault, VAULT_SESSION, &name, &body, NULL, NULL, &note));
        assert_ok(vault_session_decode((struct span){body.data, body.n}, &doc, &note));
        assert_int_equal(doc.kind, VAULT_SESSION_READ);
        assert_int_equal(doc.points.n, 1);
        assert_int_equal(vault_name_compare(doc.points.data, &place.point), 0);
        reading_go_on(&reading);
        assert_false(is_there(&place, &name, ".1"));
        io_sim_advance(place.io, (uint64_t)SESSION_BEAT_SECONDS * 1000000000);
        reading_go_on(&reading);
        assert_true(is_there(&place, &name, ".1"));
        reading_end(&reading);
        assert_true(is_there(&place, &name, ".done"));
        reading_end(&reading);
}

static void a_point_that_went_is_told_of(void **state) {
        AUTO(close_place) struct place place = {0};
        struct reading reading;
        struct err_note note;

        (void)state;
        open_place(&place);
        assert_ok(target_remove(place.vault->target, vault_path_of(VAULT_SEAL, &place.point).s, &note));
        assert_err(reading_begin(place.vault, &place.point, 1, &reading, &note), ERR_NOT_FOUND, "let go");
}

static void who_was_broken_sees_it_when_he_says_that_he_goes_on(void **state) {
        AUTO(close_place) struct place place = {0};
        struct reading reading;
        struct err_note note;

        (void)state;
        open_place(&place);
        assert_ok(reading_begin(place.vault, &place.point, 1, &reading, &note));
        assert_ok(vault_put_object(place.vault, VAULT_SESSION_BROKEN, &reading.session.name,
                                   (struct span){(const uint8_t *)"{}", 2}, NULL, &note));
        reading_go_on(&reading);
        assert_false(reading.is_broken);
        io_sim_advance(place.io, (uint64_t)SESSION_BEAT_SECONDS * 1000000000);
        reading_go_on(&reading);
        assert_true(reading.is_broken);
        reading_end(&reading);
}

/* Full, or for readers alone: what is there can be read. */
static void where_nothing_can_be_put_it_is_read_all_the_same(void **state) {
        static const enum err table[] = {ERR_NO_SPACE, ERR_DENIED, ERR_IO};

        (void)state;
        for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(close_place) struct place place = {0};
                struct reading reading;
                struct err_note note;

                open_place(&place);
                target_sim_fail_at(place.target, 1, table[i], false);
                assert_ok(reading_begin(place.vault, &place.point, 1, &reading, &note));
                assert_false(reading.is_held);
                io_sim_advance(place.io, (uint64_t)SESSION_BEAT_SECONDS * 1000000000);
                reading_go_on(&reading);
                assert_false(reading.is_broken);
                reading_end(&reading);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_reading_says_what_it_reads_until_it_ends),
                cmocka_unit_test(a_point_that_went_is_told_of),
                cmocka_unit_test(who_was_broken_sees_it_when_he_says_that_he_goes_on),
                cmocka_unit_test(where_nothing_can_be_put_it_is_read_all_the_same),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
