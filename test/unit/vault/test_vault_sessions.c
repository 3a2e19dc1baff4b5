// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "fixture_vault.h"
#include "session.h"
#include "vault_sessions.h"
#include "target_sim.h"

#define SECOND ((uint64_t)1000000000)

struct place {
        struct io *io;             /* owned */
        struct target_sim *target; /* owned */
        struct vault *vault;       /* owned */
};

static void open_place(struct place *place) {
        struct err_note note;

        place->io = io_sim_new(1, 0);
        place->target = target_sim_new(1);
        assert_ok(fixture_vault_make(place->io, target_sim_open(place->target), true, &place->vault, &note));
}

static void close_place(struct place *place) {
        vault_close(place->vault);
        target_sim_free(place->target);
        io_free(place->io);
}
DEFINE_AUTO_IN_PLACE(struct place, close_place);

static void begin(struct place *place, struct session *ret) {
        struct err_note note;

        assert_ok(session_begin(place->vault, VAULT_SESSION_WRITE, ret, &note));
}

static struct vault_sessions_row look(struct place *place, const struct session *session) {
        AUTO(vault_sessions_fini) struct vault_sessions list = {0};
        const struct vault_sessions_row *row;
        struct err_note note;

        assert_ok(vault_sessions_list(place->vault, &list, &note));
        row = vault_sessions_find(&list, &session->name);
        return row ? *row : (struct vault_sessions_row){.beats = 0};
}

static bool wait_once(struct place *place, struct vault_sessions_waiting *waiting, uint64_t grace_ns) {
        struct err_note note;
        bool is_over;

        assert_ok(vault_sessions_wait_step(place->vault, waiting, grace_ns, &is_over, &note));
        return is_over;
}

static void wait_for_all(struct place *place, struct vault_sessions_waiting *waiting) {
        AUTO(vault_sessions_fini) struct vault_sessions list = {0};
        struct err_note note;

        assert_ok(vault_sessions_list(place->vault, &list, &note));
        vault_sessions_wait_for(place->vault, &list, waiting);
}

static void a_session_is_live_until_it_ends(void **state) {
        AUTO(close_place) struct place place = {0};
        struct session session = {0};
        struct vault_sessions_row row;
        struct err_note note;

        (void)state;
        open_place(&place);
        begin(&place, &session);
        row = look(&place, &session);
        assert_true(row.is_there && vault_sessions_row_is_live(&row));
        io_sleep_ns(place.io, 61 * SECOND);
        assert_ok(session_beat(&session, &note));
        row = look(&place, &session);
        assert_true(row.n_beats == 1 && row.beats == 1);
        assert_ok(session_end(&session, &note));
        row = look(&place, &session);
        assert_true(row.is_done && !vault_sessions_row_is_live(&row));
}

static void who_beats_is_waited_for_and_who_is_silent_is_broken(void **state) {
        AUTO(close_place) struct place place = {0};
        struct session session = {0};
        AUTO(vault_sessions_waiting_fini) struct vault_sessions_waiting waiting = {0};
        struct err_note note;
        bool is_broken;

        (void)state;
        open_place(&place);
        begin(&place, &session);
        wait_for_all(&place, &waiting);
        for (int i = 0; i < 5; i++) {
                io_sleep_ns(place.io, 61 * SECOND);
                assert_ok(session_beat(&session, &note));
                assert_false(wait_once(&place, &waiting, 100 * SECOND));
        }
        io_sleep_ns(place.io, 99 * SECOND);
        assert_false(wait_once(&place, &waiting, 100 * SECOND));
        io_sleep_ns(place.io, 2 * SECOND);
        assert_true(wait_once(&place, &waiting, 100 * SECOND));
        assert_int_equal(waiting.n_broken, 1);
        assert_ok(session_is_broken(&session, &is_broken, &note));
        assert_true(is_broken);
}

static void who_ends_is_not_waited_for_and_not_broken(void **state) {
        AUTO(close_place) struct place place = {0};
        struct session session = {0};
        AUTO(vault_sessions_waiting_fini) struct vault_sessions_waiting waiting = {0};
        struct err_note note;

        (void)state;
        open_place(&place);
        begin(&place, &session);
        wait_for_all(&place, &waiting);
        assert_false(wait_once(&place, &waiting, SECOND));
        assert_ok(session_end(&session, &note));
        io_sleep_ns(place.io, 2 * SECOND);
        assert_true(wait_once(&place, &waiting, SECOND));
        assert_int_equal(waiting.n_broken, 0);
        assert_false(look(&place, &session).is_broken);
}

static void what_ended_is_removed_and_that_it_was_broken_stays(void **state) {
        AUTO(close_place) struct place place = {0};
        struct session ended = {0};
        struct session broken = {0};
        struct session live = {0};
        struct err_note note;
        struct vault_sessions_row row;

        (void)state;
        open_place(&place);
        begin(&place, &ended);
        begin(&place, &broken);
        begin(&place, &live);
        assert_ok(session_end(&ended, &note));
        assert_ok(vault_sessions_break(place.vault, &broken.name, &note));
        for (int i = 0; i < 2; i++) {
                AUTO(vault_sessions_fini) struct vault_sessions list = {0};
                uint64_t n = 0;

                assert_ok(vault_sessions_list(place.vault, &list, &note));
                assert_ok(vault_sessions_clean(place.vault, &list, true, &n, &note));
                assert_int_equal(n, i == 0 ? 2 : 1);
                row = look(&place, &ended);
                assert_true(row.is_done == (i == 0) && !row.is_there);
        }
        row = look(&place, &broken);
        assert_true(row.is_broken && !row.is_there);
        row = look(&place, &live);
        assert_true(vault_sessions_row_is_live(&row));
}

/* ---- readers ---- */

static void who_reads_is_told_apart_and_waited_for_until_it_is_heard(void **state) {
        const struct vault_name points[2] = {{{1}}, {{2}}};
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(target_sim_free) struct target_sim *place = target_sim_new(1);
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(vault_sessions_fini) struct vault_sessions sessions = {0};
        AUTO(vault_sessions_waiting_fini) struct vault_sessions_waiting waiting = {0};
        const struct vault_sessions_row *row;
        struct session reader, silent, writer;
        struct err_note note;
        bool is_over;

        (void)state;
        assert_ok(fixture_vault_make(io, target_sim_open(place), true, &vault, &note));
        assert_ok(session_begin_reading(vault, points, 2, &reader, &note));
        assert_ok(session_begin_reading(vault, points, 1, &silent, &note));
        assert_ok(session_begin(vault, VAULT_SESSION_WRITE, &writer, &note));
        assert_ok(vault_sessions_list(vault, &sessions, &note));
        assert_ok(vault_sessions_read(vault, &sessions, &note));
        row = vault_sessions_find(&sessions, &reader.name);
        assert_true(row->is_reader && row->points.n == 2);
        assert_int_equal(vault_name_compare(&row->points.data[1], &points[1]), 0);
        assert_false(vault_sessions_find(&sessions, &writer.name)->is_reader);
        vault_sessions_wait_for_word(vault, &sessions, &waiting);
        vault_sessions_wait_for_word(vault, &sessions, &waiting);
        assert_int_equal(waiting.list.n, 2);
        io_sim_advance(io, (uint64_t)SESSION_BEAT_SECONDS * 1000000000);
        assert_ok(session_beat(&reader, &note));
        assert_ok(vault_sessions_wait_step(vault, &waiting, 100000000000, &is_over, &note));
        assert_false(is_over);
        assert_int_equal(waiting.list.n, 1);
        io_sim_advance(io, 100000000000);
        assert_ok(vault_sessions_wait_step(vault, &waiting, 100000000000, &is_over, &note));
        assert_true(is_over);
        assert_int_equal(waiting.n_broken, 1);
        vault_sessions_fini(&sessions);
        assert_ok(vault_sessions_list(vault, &sessions, &note));
        assert_true(vault_sessions_row_is_live(vault_sessions_find(&sessions, &reader.name)));
        assert_false(vault_sessions_row_is_live(vault_sessions_find(&sessions, &silent.name)));
        vault_sessions_wait_for(vault, &sessions, &waiting);
        assert_int_equal(waiting.list.n, 2); /* who was not asked for what he does may write */
        session_fini(&reader);
        session_fini(&silent);
        session_fini(&writer);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_session_is_live_until_it_ends),
                cmocka_unit_test(who_beats_is_waited_for_and_who_is_silent_is_broken),
                cmocka_unit_test(who_ends_is_not_waited_for_and_not_broken),
                cmocka_unit_test(what_ended_is_removed_and_that_it_was_broken_stays),
                cmocka_unit_test(who_reads_is_told_apart_and_waited_for_until_it_is_heard),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
