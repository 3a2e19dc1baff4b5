// SPDX-License-Identifier: Apache-2.0
/* What is opened for an answer, over the simulated net. */
#include "check.h"

#include <semaphore.h>

#include "../net/http_kit.h"
#include "http_opening.h"

struct opened {
        struct http_kit kit;
        struct host host;
        struct pool *pool;        /* owned */
        struct http_house *house; /* owned */
        bool is_slow;             /* open waits for `goes_on` */
        sem_t has_come, goes_on;
        enum err fails;  /* open, with this */
        unsigned status; /* of the answer then; 0: as the failure has it */
        bool has_no_answer;
        unsigned n_opened, n_closed, n_answered, n_refused;
        struct err_note why;
};

static enum err open_it(void *user, unsigned *ret_status, struct err_note *note) {
        struct opened *opened = user;

        opened->n_opened++;
        if (opened->is_slow) {
                sem_post(&opened->has_come);
                sem_wait(&opened->goes_on);
        }
        if (!opened->fails)
                return ERR_NONE;
        *ret_status = opened->status;
        return err_set(note, opened->fails, "it cannot be");
}

static enum err close_it(void *user, struct err_note *note) {
        struct opened *opened = user;

        (void)note;
        opened->n_closed++;
        return ERR_NONE;
}

static bool answer_it(void *user, struct http_exchange *exchange, unsigned *ret_status,
                      struct err_note *why) {
        const struct http_answer answer = {.status = 204};
        struct opened *opened = user;

        if (opened->has_no_answer) {
                *ret_status = 416;
                (void)err_set(why, ERR_INVALID, "not that part");
                return false;
        }
        opened->n_answered++;
        http_leave(exchange);
        http_answer(exchange, &answer);
        http_answer_end(exchange);
        http_house_end(opened->house);
        return true;
}

static void refused(void *user, const struct err_note *why) {
        struct opened *opened = user;

        opened->n_refused++;
        opened->why = *why;
        http_house_end(opened->house);
}

static const struct http_opening_ops ops = {
        .open = open_it, .close = close_it, .answer = answer_it, .refused = refused};

static void begin(void *user, struct http_exchange *exchange) {
        struct opened *opened = user;
        const struct http_opening_options options = {
                .house = opened->house, .exchange = exchange, .ops = &ops, .user = opened};

        http_opening_begin(&options);
}

static int set_up(void **state) {
        struct opened *opened = mem_new(struct opened);

        http_kit_init_with(&opened->kit, NULL, &(struct http_route){"/it", HTTP_GET, begin, opened}, 1);
        opened->host = (struct host){.io = opened->kit.io};
        sem_init(&opened->has_come, 0, 0);
        sem_init(&opened->goes_on, 0, 0);
        opened->pool = pool_new(0);
        opened->house = http_house_new(&opened->host, opened->pool);
        *state = opened;
        return 0;
}

static int tear_down(void **state) {
        struct opened *opened = *state;

        http_kit_hang_up(&opened->kit);
        http_kit_run(&opened->kit, 7200);
        http_house_free(opened->house); /* every stream has said its end */
        pool_free(opened->pool);
        http_kit_fini(&opened->kit);
        free(opened);
        return 0;
}

static void ask(struct opened *opened) {
        http_kit_connect(&opened->kit, 1, &net_weather_fine);
        http_kit_tell(&opened->kit, "GET /it HTTP/1.1\r\nHost: h\r\n\r\n");
        http_kit_run(&opened->kit, 60);
        assert_int_equal(opened->n_opened, 1);
}

static void what_was_opened_is_answered(void **state) {
        struct opened *opened = *state;

        ask(opened);
        assert_heard(&opened->kit, "HTTP/1.1 204 ");
        assert_int_equal(opened->n_answered, 1);
        assert_int_equal(opened->n_closed + opened->n_refused, 0);
}

static void what_cannot_be_opened_is_refused_with_the_reason(void **state) {
        struct opened *opened = *state;

        opened->fails = ERR_NOT_FOUND;
        ask(opened);
        assert_heard(&opened->kit, "HTTP/1.1 404 ");
        assert_heard(&opened->kit, "it cannot be");
        assert_int_equal(opened->n_refused, 1);
        assert_int_equal(opened->why.code, ERR_NOT_FOUND);
        assert_int_equal(opened->n_closed + opened->n_answered, 0);
}

static void it_says_its_own_status(void **state) {
        struct opened *opened = *state;

        opened->fails = ERR_DENIED;
        opened->status = 401;
        ask(opened);
        assert_heard(&opened->kit, "HTTP/1.1 401 ");
}

static void who_went_meanwhile_gets_nothing_and_it_is_closed(void **state) {
        struct opened *opened = *state;

        http_house_free(opened->house);
        pool_free(opened->pool);
        opened->pool = pool_new(1);
        opened->house = http_house_new(&opened->host, opened->pool);
        opened->is_slow = true;
        http_kit_connect(&opened->kit, 1, &net_weather_fine);
        http_kit_tell(&opened->kit, "GET /it HTTP/1.1\r\nHost: h\r\n\r\n");
        http_kit_run(&opened->kit, 1);
        sem_wait(&opened->has_come);
        http_kit_hang_up(&opened->kit);
        http_kit_run(&opened->kit, 60);
        sem_post(&opened->goes_on);
        while (opened->n_refused == 0)
                http_kit_run(&opened->kit, 1);
        assert_int_equal(opened->n_closed, 1);
        assert_int_equal(opened->n_answered, 0);
        assert_int_equal(opened->n_refused, 1);
        assert_int_equal(opened->why.code, ERR_CLOSED);
}

static void what_has_no_answer_is_closed_before_the_refusal(void **state) {
        struct opened *opened = *state;

        opened->has_no_answer = true;
        ask(opened);
        assert_heard(&opened->kit, "HTTP/1.1 416 ");
        assert_heard(&opened->kit, "not that part");
        assert_int_equal(opened->n_closed, 1);
        assert_int_equal(opened->n_refused, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_was_opened_is_answered, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_cannot_be_opened_is_refused_with_the_reason, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(it_says_its_own_status, set_up, tear_down),
                cmocka_unit_test_setup_teardown(who_went_meanwhile_gets_nothing_and_it_is_closed, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(what_has_no_answer_is_closed_before_the_refusal, set_up,
                                                tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
