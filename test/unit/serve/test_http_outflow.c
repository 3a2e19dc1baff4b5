// SPDX-License-Identifier: Apache-2.0
/* Bodies of a pattern, sent over the simulated net. */
#include "check.h"

#include <pthread.h>

#include "../net/http_kit.h"
#include "http_outflow.h"

enum { BODY = 3 * 1024 * 1024 + 777, TAIL = 5 };

struct flow {
        struct http_kit kit;
        struct host host;
        struct pool *pool;        /* owned */
        struct http_house *house; /* owned */
        uint64_t at, n;           /* of the body, what is asked for */
        bool has_no_body;
        uint64_t fail_at; /* reading this byte fails */
        bool is_endless;  /* its length is known once all but the tail was read */
        uint64_t known;   /* all before was read at some time */
        uint64_t n_read;  /* bytes, ever */
        unsigned n_closed, n_whole, n_ended;
        struct err_note why;

        /* A gate before a read: the thread that reads waits there. */
        pthread_mutex_t mutex;
        pthread_cond_t moved;
        unsigned n_reads, hold_at; /* this read, counted from 1; 0: none */
        bool is_there, is_open;
};

static void pass_gate(struct flow *flow) {
        pthread_mutex_lock(&flow->mutex);
        if (++flow->n_reads == flow->hold_at) {
                flow->is_there = true;
                while (!flow->is_open)
                        pthread_cond_wait(&flow->moved, &flow->mutex);
        }
        pthread_mutex_unlock(&flow->mutex);
}

static uint8_t byte_at(uint64_t at) {
        return (uint8_t)(at * 7 + at / 4096);
}

static enum err flow_read(void *user, struct part *part, uint64_t at, const uint8_t **ret, size_t *ret_n,
                          struct err_note *note) {
        struct flow *flow = user;

        assert_true(at < BODY && flow->n_closed == 0);
        pass_gate(flow);
        if (at >= flow->fail_at)
                return err_set(note, ERR_IO, "the disk says no at %llu", (unsigned long long)at);
        /* Not always as much as there is room for. */
        *ret_n = (size_t)min_u64(
                min_u64(flow->is_endless && at < BODY - TAIL ? BODY - TAIL : BODY, flow->fail_at) - at,
                1 + (PART_SIZE - 1) / (1 + at % 3));
        for (size_t i = 0; i < *ret_n; i++)
                part->memory[i] = byte_at(at + i);
        *ret = part->memory;
        flow->n_read += *ret_n;
        flow->known = max_u64(flow->known, at + *ret_n);
        return ERR_NONE;
}

static enum err flow_close(void *user, bool is_whole, struct err_note *note) {
        struct flow *flow = user;

        (void)note;
        flow->n_closed++;
        flow->n_whole += is_whole;
        return ERR_NONE;
}

static uint64_t flow_length(const void *user) {
        const struct flow *flow = user;

        return flow->known < BODY - TAIL ? UINT64_MAX : BODY;
}

static void flow_ended(void *user, const struct err_note *why) {
        struct flow *flow = user;

        flow->n_ended++;
        flow->why = *why;
}

static const struct http_outflow_ops flow_ops = {
        .read = flow_read, .close = flow_close, .ended = flow_ended, .length = flow_length};

static void begin(void *user, struct http_exchange *exchange) {
        struct flow *flow = user;
        const struct http_outflow_options options = {
                .house = flow->house,
                .exchange = exchange,
                .answer = {.status = 200, .length = flow->is_endless ? HTTP_UNTIL_CLOSE : flow->n},
                .at = flow->at,
                .has_no_body = flow->has_no_body,
                .ops = &flow_ops,
                .user = flow};

        flow->n_closed = flow->n_whole = flow->n_ended = 0;
        flow->n_read = flow->known = 0;
        http_outflow_begin(&options);
}

/* Jobs run in a thread of their own, or where they are added. */
static void flow_init_with(struct flow *flow, unsigned n_threads) {
        *flow = (struct flow){.n = BODY, .fail_at = UINT64_MAX};
        pthread_mutex_init(&flow->mutex, NULL);
        pthread_cond_init(&flow->moved, NULL);
        http_kit_init_with(&flow->kit, NULL, &(struct http_route){"/flow", HTTP_GET | HTTP_HEAD, begin, flow},
                           1);
        flow->kit.in_max = 64 * 1024;
        flow->host = (struct host){.io = flow->kit.io};
        flow->pool = pool_new(n_threads);
        flow->house = http_house_new(&flow->host, flow->pool);
}

static void flow_init(struct flow *flow) {
        flow_init_with(flow, 0);
}

static void flow_fini(struct flow *flow) {
        http_kit_hang_up(&flow->kit);
        http_kit_run(&flow->kit, 7200);
        http_house_free(flow->house); /* all parts are back */
        pool_free(flow->pool);
        http_kit_fini(&flow->kit);
        pthread_cond_destroy(&flow->moved);
        pthread_mutex_destroy(&flow->mutex);
}

/* Of what was heard: the body. */
static const uint8_t *body_of(struct flow *flow, size_t *ret_n) {
        const char *text = http_kit_heard(&flow->kit), *end = strstr(text, "\r\n\r\n");

        assert_non_null(end);
        *ret_n = flow->kit.heard.n - (size_t)(end + 4 - text);
        return (const uint8_t *)end + 4;
}

static void assert_body(struct flow *flow, uint64_t at, uint64_t n) {
        size_t got;
        const uint8_t *body = body_of(flow, &got);

        assert_int_equal(got, n);
        for (size_t i = 0; i < got; i++)
                if (body[i] != byte_at(at + i))
                        fail_msg("byte %zu is wrong", i);
}

static void a_body_goes_out_whole_in_any_weather(void **state) {
        (void)state;
        for (uint64_t seed = 0; seed < 4; seed++) {
                struct flow flow;

                flow_init(&flow);
                http_kit_connect(&flow.kit, seed, seed ? &net_weather_bad : &net_weather_fine);
                http_kit_tell(&flow.kit, "GET /flow HTTP/1.1\r\nHost: h\r\n\r\n");
                http_kit_run(&flow.kit, 3600);
                assert_body(&flow, 0, BODY);
                assert_int_equal(flow.n_whole, 1);
                assert_int_equal(flow.n_ended, 1);
                assert_int_equal(flow.why.code, ERR_NONE);
                flow_fini(&flow);
        }
}

static void any_range_and_a_head_alone_are_answered(void **state) {
        static const struct {
                uint64_t at, n;
        } ranges[] = {{0, 1}, {BODY - 1, 1}, {0, OUTFLOW_TAIL}, {5000, OUTFLOW_TAIL + 1}, {BODY, 0}, {0, 0}};
        struct flow flow;

        (void)state;
        flow_init(&flow);
        for (unsigned i = 0; i < sizeof ranges / sizeof *ranges; i++) {
                flow.at = ranges[i].at;
                flow.n = ranges[i].n;
                http_kit_connect(&flow.kit, 1, &net_weather_fine);
                http_kit_tell(&flow.kit, "GET /flow HTTP/1.1\r\nHost: h\r\n\r\n");
                assert_body(&flow, flow.at, flow.n);
                assert_int_equal(flow.n_whole, 1);
                assert_int_equal(flow.why.code, ERR_NONE);
        }
        flow.at = 0;
        flow.n = BODY;
        flow.has_no_body = true;
        http_kit_connect(&flow.kit, 1, &net_weather_fine);
        http_kit_tell(&flow.kit, "HEAD /flow HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_heard(&flow.kit, "Content-Length: 3146505");
        assert_body(&flow, 0, 0);
        assert_int_equal(flow.n_read, 0);
        assert_int_equal(flow.n_ended, 1);
        flow_fini(&flow);
}

/* The parts that the house has, taken by a test that wants to know whether all are there. */
static void assert_no_part_is_out(struct flow *flow) {
        struct parts *parts = http_house_parts(flow->house);
        struct parts_wait wait = {.loop = flow->kit.loop};
        struct part *taken[PARTS_MAX];

        for (unsigned i = 0; i < PARTS_MAX; i++) {
                taken[i] = parts_take(parts, &wait);
                assert_non_null(taken[i]);
        }
        for (unsigned i = 0; i < PARTS_MAX; i++)
                parts_give(parts, taken[i]);
}

static void a_reader_that_pauses_for_a_day_costs_no_part_and_gets_the_rest(void **state) {
        struct flow flow;

        (void)state;
        flow_init(&flow);
        http_kit_connect(&flow.kit, 1, &net_weather_bad);
        flow.kit.is_deaf = true;
        http_kit_tell(&flow.kit, "GET /flow HTTP/1.1\r\nHost: h\r\n\r\n");
        for (unsigned i = 0; i < 3; i++) {
                http_kit_run(&flow.kit, 24 * 3600);
                assert_no_part_is_out(&flow);
                assert_int_equal(flow.n_closed, 0);
                /* He takes what lies there, and pauses again. */
                flow.kit.is_deaf = false;
                http_kit_got(&flow.kit);
                flow.kit.is_deaf = true;
        }
        flow.kit.is_deaf = false;
        http_kit_got(&flow.kit);
        http_kit_run(&flow.kit, 3600);
        assert_body(&flow, 0, BODY);
        assert_int_equal(flow.why.code, ERR_NONE);
        flow_fini(&flow);
}

static bool is_at_gate(struct flow *flow) {
        bool is_there;

        pthread_mutex_lock(&flow->mutex);
        is_there = flow->is_there;
        pthread_mutex_unlock(&flow->mutex);
        return is_there;
}

static void open_gate(struct flow *flow) {
        pthread_mutex_lock(&flow->mutex);
        flow->is_open = true;
        pthread_cond_broadcast(&flow->moved);
        pthread_mutex_unlock(&flow->mutex);
}

/* The part before it was given back while it was read, and the reader goes on before it comes. */
static void a_body_of_unknown_length_ends_when_the_connection_does(void **state) {
        (void)state;
        for (uint64_t seed = 0; seed < 6; seed++) {
                bool pauses = seed % 2;
                struct flow flow;

                flow_init(&flow);
                flow.is_endless = true;
                http_kit_connect(&flow.kit, seed, &net_weather_bad);
                flow.kit.is_deaf = pauses;
                http_kit_tell(&flow.kit, "GET /flow HTTP/1.1\r\nHost: h\r\n\r\n");
                if (pauses) {
                        http_kit_run(&flow.kit, 3600);
                        assert_no_part_is_out(&flow);
                        flow.kit.is_deaf = false;
                        http_kit_got(&flow.kit);
                }
                http_kit_run(&flow.kit, 3600);
                assert_body(&flow, 0, BODY);
                assert_non_null(strstr(flow.kit.why.text, "the other side closed the connection"));
                assert_int_equal(flow.n_whole, 1);
                assert_int_equal(flow.why.code, ERR_NONE);
                flow_fini(&flow);
        }
}

static void what_was_read_ahead_goes_in_its_place_or_not_at_all(void **state) {
        struct flow flow;

        (void)state;
        flow_init_with(&flow, 1);
        flow.hold_at = 2;
        http_kit_connect(&flow.kit, 1, &net_weather_bad);
        flow.kit.is_deaf = true;
        http_kit_tell(&flow.kit, "GET /flow HTTP/1.1\r\nHost: h\r\n\r\n");
        while (!is_at_gate(&flow))
                http_kit_run(&flow.kit, 1);
        http_kit_run(&flow.kit, 60);
        flow.kit.is_deaf = false;
        http_kit_got(&flow.kit);
        http_kit_run(&flow.kit, 60);
        open_gate(&flow);
        while (flow.n_ended == 0)
                http_kit_run(&flow.kit, 1);
        http_kit_run(&flow.kit, 60);
        assert_body(&flow, 0, BODY);
        assert_int_equal(flow.why.code, ERR_NONE);
        flow_fini(&flow);
}

static void note_call(void *user) {
        ++*(unsigned *)user;
}

/* A reader stopped while he waits for one more: others may have it. */
static void a_part_that_is_not_needed_any_more_goes_to_the_next(void **state) {
        static const char get[] = "GET /flow HTTP/1.1\r\nHost: h\r\n\r\n";
        struct parts_wait unused = {0}, other = {.call = note_call};
        struct part *out[PARTS_MAX];
        unsigned n_calls = 0;
        struct parts *parts;
        struct flow flow;

        (void)state;
        flow_init(&flow);
        parts = http_house_parts(flow.house);
        unused.loop = other.loop = flow.kit.loop;
        other.user = &n_calls;
        for (unsigned i = 1; i < PARTS_MAX; i++)
                out[i] = parts_take(parts, &unused);
        http_kit_connect(&flow.kit, 1, &net_weather_fine);
        flow.kit.is_deaf = true;
        http_kit_say(&flow.kit, get, sizeof get - 1);
        net_sim_run(flow.kit.loop, OUTFLOW_PATIENCE_NS / 2);
        assert_true(flow.n_read > 0);
        assert_null(parts_take(parts, &other));
        parts_give(parts, out[1]);
        net_sim_run(flow.kit.loop, OUTFLOW_PATIENCE_NS / 4);
        assert_int_equal(n_calls, 1);
        for (unsigned i = 2; i < PARTS_MAX; i++)
                parts_give(parts, out[i]);
        flow.kit.is_deaf = false;
        http_kit_got(&flow.kit);
        http_kit_run(&flow.kit, 60);
        assert_body(&flow, 0, BODY);
        flow_fini(&flow);
}

static void what_cannot_be_read_is_no_end(void **state) {
        static const uint64_t places[] = {0, 1, PART_SIZE, BODY - OUTFLOW_TAIL, BODY - 1};
        struct flow flow;

        (void)state;
        flow_init(&flow);
        for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
                size_t n;

                flow.fail_at = places[i];
                http_kit_connect(&flow.kit, i + 1, &net_weather_fine);
                http_kit_tell(&flow.kit, "GET /flow HTTP/1.1\r\nHost: h\r\n\r\n");
                http_kit_run(&flow.kit, 60);
                assert_true(flow.kit.has_ended);
                if (flow.kit.heard.n > 0) {
                        (void)body_of(&flow, &n);
                        assert_true(n < BODY);
                }
                assert_int_equal(flow.n_closed, 1);
                assert_int_equal(flow.n_whole, 0);
                assert_int_equal(flow.n_ended, 1);
                assert_int_equal(flow.why.code, ERR_IO);
        }
        flow_fini(&flow);
}

static void a_reader_that_goes_is_noticed_at_any_byte(void **state) {
        static const uint64_t places[] = {1, 300, 70000, BODY / 2, BODY, BODY + 100};
        struct flow flow;

        (void)state;
        flow_init(&flow);
        for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
                http_kit_connect(&flow.kit, i + 1, &net_weather_bad);
                net_sim_reset_at(flow.kit.net, KIT_SERVER, places[i]);
                http_kit_tell(&flow.kit, "GET /flow HTTP/1.1\r\nHost: h\r\n\r\n");
                http_kit_run(&flow.kit, 3600);
                assert_int_equal(flow.n_closed, 1);
                assert_int_equal(flow.n_ended, 1);
                assert_true(flow.why.code == ERR_CLOSED || places[i] >= BODY);
                assert_no_part_is_out(&flow);
        }
        flow_fini(&flow);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_body_goes_out_whole_in_any_weather),
                cmocka_unit_test(any_range_and_a_head_alone_are_answered),
                cmocka_unit_test(a_reader_that_pauses_for_a_day_costs_no_part_and_gets_the_rest),
                cmocka_unit_test(a_body_of_unknown_length_ends_when_the_connection_does),
                cmocka_unit_test(a_part_that_is_not_needed_any_more_goes_to_the_next),
                cmocka_unit_test(what_was_read_ahead_goes_in_its_place_or_not_at_all),
                cmocka_unit_test(what_cannot_be_read_is_no_end),
                cmocka_unit_test(a_reader_that_goes_is_noticed_at_any_byte),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
