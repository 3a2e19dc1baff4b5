// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <pthread.h>

#include "turn.h"

enum { THREADS = 6, ROUNDS = 300 };

struct game {
        struct io *io; /* owned */
        struct turn turn;
        atomic_bool stop;
        unsigned counter;   /* guarded by the turn: the thread sanitizer looks whether it is */
        unsigned n_inside;  /* likewise */
        unsigned order[64]; /* likewise */
        unsigned n_order;
};

static int set_up(void **state) {
        struct game *game = calloc(1, sizeof *game);

        game->io = io_posix_new();
        turn_init(&game->turn, game->io);
        *state = game;
        return 0;
}

static int tear_down(void **state) {
        struct game *game = *state;

        turn_fini(&game->turn);
        io_free(game->io);
        free(game);
        return 0;
}

static void *take_and_count(void *user) {
        struct game *game = user;

        for (unsigned i = 0; i < ROUNDS; i++) {
                turn_take(&game->turn, "count");
                assert_int_equal(++game->n_inside, 1);
                game->counter++;
                game->n_inside--;
                turn_give(&game->turn);
        }
        return NULL;
}

static void one_at_a_time_has_the_turn(void **state) {
        struct game *game = *state;
        pthread_t threads[THREADS];

        for (unsigned i = 0; i < THREADS; i++)
                pthread_create(&threads[i], NULL, take_and_count, game);
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(game->counter, THREADS * ROUNDS);
}

/* ---- order ---- */

struct player {
        struct game *game; /* borrowed */
        unsigned number;
        bool may_stop;
        enum err got;
        pthread_t thread;
};

static void *take_once(void *user) {
        struct player *player = user;
        struct game *game = player->game;
        struct err_note note;

        player->got = turn_take_unless(&game->turn, "player", player->may_stop ? &game->stop : NULL, &note);
        if (player->got)
                return NULL;
        game->order[game->n_order++] = player->number;
        turn_give(&game->turn);
        return NULL;
}

static void wait_for_waiting(struct game *game, unsigned n) {
        while (turn_n_waiting(&game->turn) != n)
                io_sleep_ns(game->io, 100000);
}

static void start(struct game *game, struct player *players, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                players[i].game = game;
                players[i].number = i;
                pthread_create(&players[i].thread, NULL, take_once, &players[i]);
                wait_for_waiting(game, i + 1);
        }
}

static void who_comes_first_has_it_first(void **state) {
        struct game *game = *state;
        struct player players[THREADS] = {0};
        char holder[TURN_HOLDER_SIZE];

        turn_take(&game->turn, "gc run");
        start(game, players, THREADS);
        turn_holder(&game->turn, holder);
        assert_string_equal(holder, "gc run");
        turn_give(&game->turn);
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(players[i].thread, NULL);
        for (unsigned i = 0; i < THREADS; i++)
                assert_int_equal(game->order[i], i);
        turn_holder(&game->turn, holder);
        assert_string_equal(holder, "");
}

static void who_gives_and_takes_in_a_loop_lets_others_in(void **state) {
        struct game *game = *state;
        struct player players[2] = {0};

        turn_take(&game->turn, "gc run");
        start(game, players, 2);
        turn_give(&game->turn);
        turn_take(&game->turn, "gc run");
        assert_int_equal(game->n_order, 2);
        turn_give(&game->turn);
        for (unsigned i = 0; i < 2; i++)
                pthread_join(players[i].thread, NULL);
}

static void who_stops_waiting_is_skipped(void **state) {
        struct game *game = *state;
        struct player players[5] = {0};

        players[0].may_stop = players[2].may_stop = players[3].may_stop = true;
        turn_take(&game->turn, "gc run");
        start(game, players, 5);
        game->stop = true;
        wait_for_waiting(game, 2);
        turn_give(&game->turn);
        for (unsigned i = 0; i < 5; i++)
                pthread_join(players[i].thread, NULL);
        assert_int_equal(game->n_order, 2);
        assert_int_equal(game->order[0], 1);
        assert_int_equal(game->order[1], 4);
        assert_int_equal(players[3].got, ERR_CANCELLED);
        turn_take(&game->turn, "again");
        turn_give(&game->turn);
}

static void no_turn_is_everybodys(void **state) {
        struct err_note note = {0};
        atomic_bool stop = true;

        (void)state;
        turn_take(NULL, "x");
        turn_give(NULL);
        assert_ok(turn_take_unless(NULL, "x", &stop, &note));
        assert_int_equal(turn_n_waiting(NULL), 0);
}

static void count(void *user) {
        ++*(unsigned *)user;
}

static void who_wants_to_know_is_told_when_it_was_given_back(void **state) {
        struct game *game = *state;
        unsigned n = 0;

        turn_set_given(&game->turn, count, &n);
        turn_take(&game->turn, "x");
        assert_int_equal(n, 0);
        turn_give(&game->turn);
        assert_int_equal(n, 1);
        turn_take(&game->turn, "x");
        turn_give_unchanged(&game->turn);
        assert_int_equal(n, 1);
        turn_set_given(&game->turn, NULL, NULL);
        turn_take(&game->turn, "x");
        turn_give(&game->turn);
        assert_int_equal(n, 1);
        turn_set_given(NULL, count, &n);
        turn_give_unchanged(NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(one_at_a_time_has_the_turn, set_up, tear_down),
                cmocka_unit_test_setup_teardown(who_comes_first_has_it_first, set_up, tear_down),
                cmocka_unit_test_setup_teardown(who_gives_and_takes_in_a_loop_lets_others_in, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(who_stops_waiting_is_skipped, set_up, tear_down),
                cmocka_unit_test(no_turn_is_everybodys),
                cmocka_unit_test_setup_teardown(who_wants_to_know_is_told_when_it_was_given_back, set_up,
                                                tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
