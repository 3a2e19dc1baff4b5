// SPDX-License-Identifier: Apache-2.0
/* One client over a bad network, in virtual time; the disk's threads are real, and waited for. */
#include "check.h"

#include <unistd.h>

#include "nbd_guest_inside.h"
#include "nbd_wire_client.h"
#include "net_sim.h"
#include "sr/sr_kit.h"

enum { COOKIES_MAX = 1024, HELD_MAX = 1 << 20 };

struct answer {
        unsigned n;     /* how often it was answered */
        uint32_t error; /* of the last */
        uint64_t bytes; /* of data and holes */
        uint8_t first, last;
};

struct scene {
        struct io *io; /* owned */
        struct sr *sr; /* owned */
        struct turn turn;
        struct nbd_shelf shelf;
        struct nbd_work *work;       /* owned */
        struct nbd_reads *reads;     /* owned */
        struct nbd_exports *exports; /* owned */
        struct loop *loop;           /* owned */
        struct net_sim *net;         /* owned */
        struct nbd_guest *guest;     /* owned by itself; NULL: gone */
        struct conn *conn;           /* owned; the client's */
        struct nbd_client client;
        struct buf said;
        struct answer answers[COOKIES_MAX];
        uint64_t read_length; /* of a simple reply to a read */
        unsigned n_logged, n_answered, n_away;
        unsigned cookie; /* of what is being heard */
        bool has_ended, stops_reading;
        char logged[ERR_TEXT_SIZE];
};

/* ---- the client ------------------------------------------------------------------------------ */

static unsigned cookie_of(const struct nbd_heard *heard) {
        return (unsigned)heard->cookie[0] << 8 | heard->cookie[1];
}

static void hear(struct scene *s, const struct nbd_heard *heard) {
        struct answer *answer;

        if (heard->kind == NBD_HEARD_OPTION) {
                buf_print(&s->said, "option %u %x\n", heard->option, heard->type);
                if (heard->option == NBD_OPT_GO && heard->type == NBD_REP_ACK)
                        nbd_client_start(&s->client);
                return;
        }
        if (heard->kind == NBD_HEARD_EXPORT)
                buf_print(&s->said, "export %u\n", (unsigned)(heard->size / MIB));
        if (heard->kind == NBD_HEARD_SIMPLE || heard->kind == NBD_HEARD_CHUNK)
                s->cookie = cookie_of(heard);
        answer = &s->answers[s->cookie];
        if (heard->kind == NBD_HEARD_SIMPLE || (heard->kind == NBD_HEARD_CHUNK && heard->is_last)) {
                answer->n++;
                s->n_answered++;
        }
        if (heard->kind == NBD_HEARD_SIMPLE || heard->kind == NBD_HEARD_CHUNK)
                answer->error = heard->error;
        if (heard->kind == NBD_HEARD_SIMPLE && !heard->error && s->read_length)
                nbd_client_expect(&s->client, s->read_length);
        if (heard->kind == NBD_HEARD_CHUNK && heard->type == NBD_CHUNK_HOLE)
                answer->bytes += heard->length;
        if (heard->kind != NBD_HEARD_DATA)
                return;
        if (answer->bytes == 0)
                answer->first = heard->data.data[0];
        answer->bytes += heard->data.n;
        answer->last = heard->data.data[heard->data.n - 1];
}

static void on_got(void *user) {
        struct scene *s = user;
        struct err_note note = {0};
        struct nbd_heard heard;

        do {
                size_t n, used;
                const uint8_t *data = conn_peek(s->conn, &n);

                if (s->stops_reading)
                        return;
                assert_ok(nbd_client_next(&s->client, (struct span){data, n}, &used, &heard, &note));
                hear(s, &heard);
                conn_skip(s->conn, used);
        } while (heard.kind != NBD_HEARD_NOTHING);
}

static void on_ended(void *user, const struct err_note *why) {
        struct scene *s = user;

        (void)why;
        s->has_ended = true;
}

static void say(struct scene *s, const struct buf *bytes) {
        struct err_note note = {0};

        if (!s->has_ended)
                assert_ok(conn_send(s->conn, bytes->data, bytes->n, &note));
}

static void ask(struct scene *s, unsigned cookie, uint16_t type, uint64_t at, uint32_t n, uint8_t letter) {
        struct nbd_request request = {.type = type, .offset = at, .length = n};
        AUTO(buf_fini) struct buf bytes = {0};

        request.cookie[0] = (uint8_t)(cookie >> 8);
        request.cookie[1] = (uint8_t)cookie;
        nbd_ask(&request, buf_extend(&bytes, sizeof(struct nbd_request_wire)));
        if (type == NBD_CMD_WRITE)
                memset(buf_extend(&bytes, n), letter, n);
        say(s, &bytes);
}

/* ---- the scene ------------------------------------------------------------------------------- */

static void on_log(void *user, const char *text) {
        struct scene *s = user;

        s->n_logged++;
        snprintf(s->logged, sizeof s->logged, "%s", text);
}

static void on_failed(void *user, const char *text) {
        (void)user;
        print_error("%s\n", text);
}

static void on_gone(void *user, struct nbd_guest *guest) {
        struct scene *s = user;

        assert_ptr_equal(guest, s->guest);
        s->guest = NULL;
}

static void connect_guest(struct scene *s, uint64_t seed, const struct net_weather *weather) {
        struct nbd_house house = {.loop = s->loop,
                                  .reads = s->reads,
                                  .n_away = &s->n_away,
                                  .exports = s->exports,
                                  .tls = NBD_TLS_NONE,
                                  .log = on_log,
                                  .user = s,
                                  .gone = on_gone,
                                  .host = s};
        struct conn_options options = {
                .in_max = HELD_MAX, .out_max = 64 << 20, .got = on_got, .ended = on_ended, .user = s};
        struct err_note note = {0};
        int fds[2];

        s->has_ended = false;
        buf_fini(&s->said);
        s->said = (struct buf){0};
        memset(s->answers, 0, sizeof s->answers);
        s->n_answered = 0;
        s->read_length = 0;
        assert_ok(net_sim_new(s->loop, seed, weather, fds, &s->net, &note));
        assert_ok(nbd_guest_new(&house, fds[0], "a test", &s->guest, &note));
        assert_ok(conn_new(s->loop, fds[1], &options, &s->conn, &note));
        nbd_client_init(&s->client);
}

static bool is_busy(const struct scene *s) {
        return s->guest && (s->guest->is_asking || s->guest->n_running > 0);
}

/* ns of virtual time, and then as long as the disk takes. */
static void run(struct scene *s, uint64_t ns) {
        net_sim_run(s->loop, ns);
        while (is_busy(s)) {
                usleep(200);
                net_sim_run(s->loop, NET_SIM_SECOND);
        }
        net_sim_run(s->loop, NET_SIM_SECOND);
}

static void run_until_answered(struct scene *s, unsigned n) {
        for (unsigned i = 0; s->n_answered < n && i < 100000 && !s->has_ended; i++)
                run(s, NET_SIM_SECOND);
}

static void disconnect(struct scene *s) {
        conn_free(TAKE(s->conn));
        for (unsigned i = 0; s->guest && i < 100; i++)
                run(s, NET_SIM_SECOND);
        assert_null(s->guest);
        net_sim_free(TAKE(s->net));
}

static void go(struct scene *s, bool has_structured) {
        AUTO(buf_fini) struct buf bytes = {0};

        nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES);
        if (has_structured)
                nbd_ask_option(&bytes, NBD_OPT_STRUCTURED_REPLY, (struct span){0});
        nbd_ask_export(&bytes, NBD_OPT_GO, (struct span){(const uint8_t *)"a", 1}, 0);
        say(s, &bytes);
        for (unsigned i = 0; i < 100 && s->client.state != NBD_CLIENT_REPLIES; i++)
                run(s, NET_SIM_SECOND);
        assert_int_equal(s->client.state, NBD_CLIENT_REPLIES);
}

static int set_up(void **state) {
        struct scene *s = calloc(1, sizeof *s);
        struct err_note note = {0};

        s->io = io_sim_new(1, 0);
        s->sr = kit_create(s->io);
        (void)kit_vdi(s->sr, "a");
        turn_init(&s->turn, s->io);
        s->work = nbd_work_new(4);
        s->shelf = (struct nbd_shelf){.sr = s->sr, .turn = &s->turn};
        s->exports = nbd_exports_new(&(struct nbd_exports_options){
                .shelves = {.each = &s->shelf, .n = 1}, .work = s->work, .failed = on_failed});
        assert_ok(loop_new(s->io, &s->loop, &note));
        assert_ok(nbd_reads_new(s->loop, &s->reads, &note));
        *state = s;
        return 0;
}

static int tear_down(void **state) {
        struct scene *s = *state;

        if (s->conn)
                disconnect(s);
        assert_int_equal(s->n_away, 0);
        nbd_exports_free(s->exports);
        nbd_work_free(s->work);
        nbd_reads_free(s->reads);
        turn_fini(&s->turn);
        loop_free(s->loop);
        sr_close(s->sr);
        io_free(s->io);
        buf_fini(&s->said);
        free(s);
        return 0;
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void many_requests_at_once_are_each_answered_once(void **state) {
        struct scene *s = *state;

        for (unsigned round = 0; round < 4; round++) {
                connect_guest(s, round, round % 2 ? &net_weather_bad : &net_weather_fine);
                go(s, round >= 2);
                for (unsigned i = 0; i < 200; i++)
                        ask(s, i, NBD_CMD_WRITE, i * 512, 512, (uint8_t)(i + round));
                run_until_answered(s, 200);
                s->read_length = 512;
                for (unsigned i = 200; i < 400; i++)
                        ask(s, i, NBD_CMD_READ, (i - 200) * 512, 512, 0);
                run_until_answered(s, 400);
                for (unsigned i = 0; i < 400; i++) {
                        assert_int_equal(s->answers[i].n, 1);
                        assert_int_equal(s->answers[i].error, NBD_OK);
                        assert_int_equal(s->answers[i].bytes, i < 200 ? 0 : 512);
                        if (i >= 200)
                                assert_int_equal(s->answers[i].first, (uint8_t)(i - 200 + round));
                        if (i >= 200)
                                assert_int_equal(s->answers[i].last, s->answers[i].first);
                }
                assert_null(s->guest->to_send);
                disconnect(s);
        }
        assert_int_equal(s->n_logged, 0);
}

static void what_is_refused_is_told_and_its_data_let_pass(void **state) {
        struct scene *s = *state;

        connect_guest(s, 1, &net_weather_bad);
        go(s, true);
        ask(s, 0, NBD_CMD_WRITE, KIT_SIZE, 70000, 'x');
        ask(s, 1, 77, 0, 0, 0);
        ask(s, 2, NBD_CMD_READ, KIT_SIZE - 1, 2, 0);
        ask(s, 3, NBD_CMD_WRITE, 0, 0, 0);
        ask(s, 4, NBD_CMD_BLOCK_STATUS, 0, 512, 0);
        ask(s, 5, NBD_CMD_WRITE, 0, 10, 'y');
        ask(s, 6, NBD_CMD_FLUSH, 0, 0, 0);
        run_until_answered(s, 7);
        assert_int_equal(s->answers[0].error, NBD_ENOSPC);
        for (unsigned i = 1; i < 5; i++)
                assert_int_equal(s->answers[i].error, NBD_EINVAL);
        assert_int_equal(s->answers[5].error, NBD_OK);
        assert_int_equal(s->answers[6].error, NBD_OK);
        assert_int_equal(s->n_answered, 7);
}

/* An hour in which it reads nothing, while it asks for a hundred times what may lie here. */
static void one_who_does_not_read_costs_bounded_memory_and_is_not_dropped(void **state) {
        enum { N = 2 * NBD_REQUESTS_MAX, BYTES = 384 << 10 };
        struct scene *s = *state;
        unsigned n_read = 0, n_held = 0;

        connect_guest(s, 1, &net_weather_fine);
        go(s, true);
        ask(s, 0, NBD_CMD_WRITE, 0, BYTES, 'a');
        run_until_answered(s, 1);
        net_sim_hold(s->net, 0, true);
        for (unsigned i = 1; i < N; i++)
                ask(s, i, NBD_CMD_READ, 0, BYTES, 0);
        run(s, 3600 * NET_SIM_SECOND);
        assert_non_null(s->guest);
        assert_int_equal(s->n_answered, 1);
        assert_true(conn_unsent(s->guest->conn) <= 384 << 10);
        assert_true(s->guest->is_waiting);
        assert_true(nbd_pool_touched(s->guest->pool) <= 6 * BYTES);
        for (struct nbd_slot *slot = s->guest->to_send; slot; slot = slot->next)
                n_read++;
        assert_true(n_read >= 1 && n_read <= 6);
        for (struct nbd_slot *slot = s->guest->held; slot; slot = slot->next)
                n_held++;
        assert_int_equal(n_read + n_held, NBD_REQUESTS_MAX);
        net_sim_hold(s->net, 0, false);
        run_until_answered(s, N);
        for (unsigned i = 1; i < N; i++) {
                assert_int_equal(s->answers[i].n, 1);
                assert_int_equal(s->answers[i].bytes, BYTES);
                assert_int_equal(s->answers[i].last, 'a');
        }
}

/* Requests without end whose answers nobody reads: small ones too stop being heard. */
static void there_are_never_more_requests_than_were_allowed(void **state) {
        struct scene *s = *state;

        connect_guest(s, 1, &net_weather_fine);
        go(s, true);
        net_sim_hold(s->net, 0, true);
        for (unsigned i = 0; i < COOKIES_MAX * 8; i++)
                ask(s, i % COOKIES_MAX, i % 2 ? 77 : NBD_CMD_READ, 0, 4000, 0);
        run(s, 60 * NET_SIM_SECOND);
        assert_true(s->guest->is_waiting);
        assert_true(conn_unsent(s->guest->conn) <= 384 << 10);
        net_sim_hold(s->net, 0, false);
        run_until_answered(s, COOKIES_MAX * 8);
        for (unsigned i = 0; i < COOKIES_MAX; i++)
                assert_int_equal(s->answers[i].n, 8);
}

/* All that it asks lies here; between each so many others of the loop have a turn. */
static void nobody_is_heard_for_long_without_a_break(void **state) {
        enum { N = 600, AT_ONCE = 64, ANSWER = 512 + 16 };
        struct scene *s = *state;
        uint64_t sent = 0;

        connect_guest(s, 1, &net_weather_fine);
        go(s, false);
        s->read_length = 512;
        for (unsigned i = 0; i < N; i++)
                ask(s, i, NBD_CMD_READ, 0, 512, 0);
        for (unsigned round = 0; s->n_answered < N && round < 100000; round++) {
                uint64_t before = conn_n_sent(s->guest->conn);

                io_sim_advance(s->io, NET_SIM_SECOND / 1000);
                (void)loop_round(s->loop, 0);
                sent = max_u64(sent, conn_n_sent(s->guest->conn) - before);
                assert_true(s->guest->n_heard <= AT_ONCE);
        }
        assert_int_equal(s->n_answered, N);
        assert_true(sent > ANSWER && sent <= (uint64_t)2 * AT_ONCE * ANSWER);
}

static void nobody_has_much_copied_without_a_break(void **state) {
        enum { N = 100, BYTES = 64 << 10, TURN = 256 << 10 };
        struct scene *s = *state;

        connect_guest(s, 1, &net_weather_fine);
        go(s, false);
        ask(s, 0, NBD_CMD_WRITE, 0, BYTES, 'a');
        run_until_answered(s, 1);
        s->read_length = BYTES;
        for (unsigned i = 1; i < N; i++)
                ask(s, i, NBD_CMD_READ, 0, BYTES, 0);
        for (unsigned round = 0; s->n_answered < N && round < 100000; round++) {
                io_sim_advance(s->io, NET_SIM_SECOND / 1000);
                (void)loop_round(s->loop, 0);
                assert_true(s->guest->n_copied <= TURN);
        }
        run(s, NET_SIM_SECOND);
        assert_int_equal(s->n_answered, N);
        for (unsigned i = 1; i < N; i++)
                assert_int_equal(s->answers[i].bytes, BYTES);
}

static bool is_open(struct scene *s) {
        bool is_open;

        turn_take(&s->turn, "test");
        is_open = sr_vdi_at(s->sr, 0)->is_open;
        turn_give(&s->turn);
        return is_open;
}

static char letter_at(struct scene *s, uint64_t at) {
        struct err_note note = {0};
        struct chain *chain;
        char letter;

        for (unsigned i = 0; i < 1000 && is_open(s); i++)
                usleep(1000);
        turn_take(&s->turn, "test");
        assert_ok(sr_open_chain(s->sr, &sr_vdi_at(s->sr, 0)->row.uuid, CHAIN_READ, &chain, &note));
        assert_ok(chain_read(chain, &letter, 1, at, &note));
        assert_ok(sr_close_chain(s->sr, chain, &note));
        turn_give(&s->turn);
        return letter;
}

/* At every so many bytes, in the middle of whatever it is. */
static void a_break_anywhere_leaves_nothing_behind(void **state) {
        struct scene *s = *state;
        unsigned n_done = 0, n_times = 0;

        for (uint64_t n = 1; n < 30000; n += 997) {
                uint64_t at = n / 997 * 65536;
                AUTO(buf_fini) struct buf bytes = {0};

                connect_guest(s, n, &net_weather_bad);
                net_sim_reset_at(s->net, 1, n);
                nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES);
                nbd_ask_export(&bytes, NBD_OPT_GO, (struct span){(const uint8_t *)"a", 1}, 0);
                say(s, &bytes);
                run(s, 2 * NET_SIM_SECOND);
                ask(s, 0, NBD_CMD_WRITE, at, 20000, 'w');
                ask(s, 1, NBD_CMD_WRITE, at + 4 * MIB, 20000, 'w');
                run(s, 60 * NET_SIM_SECOND);
                assert_null(s->guest);
                assert_true(s->has_ended);
                n_done += letter_at(s, at) == 'w';
                assert_int_equal(letter_at(s, at + 4 * MIB), 0);
                disconnect(s);
                n_times++;
        }
        assert_true(n_done > 5 && n_done < n_times - 5);
}

static void name_the_old_way(struct scene *s, const char *name) {
        AUTO(buf_fini) struct buf bytes = {0};

        connect_guest(s, 1, &net_weather_bad);
        nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE);
        nbd_ask_option(&bytes, NBD_OPT_EXPORT_NAME, (struct span){(const uint8_t *)name, strlen(name)});
        run(s, 20 * NET_SIM_SECOND);
        nbd_client_named(&s->client, false);
        say(s, &bytes);
        run(s, 60 * NET_SIM_SECOND);
}

static void the_old_way_to_name_an_export_works_and_its_refusal_is_the_end(void **state) {
        struct scene *s = *state;

        name_the_old_way(s, "b");
        assert_true(s->has_ended);
        assert_string_equal(buf_text(&s->said), "");
        disconnect(s);
        name_the_old_way(s, "a");
        assert_string_equal(buf_text(&s->said), "export 8\n");
        s->read_length = 3;
        ask(s, 9, NBD_CMD_READ, 0, 3, 0);
        run_until_answered(s, 1);
        assert_int_equal(s->answers[9].bytes, 3);
}

static void a_drain_answers_what_came_and_then_goes(void **state) {
        struct scene *s = *state;

        connect_guest(s, 1, &net_weather_fine);
        go(s, true);
        net_sim_hold(s->net, 0, true);
        for (unsigned i = 0; i < 20; i++)
                ask(s, i, NBD_CMD_READ, 0, 100000, 0);
        run(s, NET_SIM_SECOND);
        nbd_guest_drain(s->guest);
        net_sim_hold(s->net, 0, false);
        ask(s, 20, NBD_CMD_READ, 0, 512, 0);
        /* The disk's threads take real time, in which more of ours may pass than it has to go by itself. */
        for (unsigned i = 0; s->guest && i < 100; i++)
                run(s, NET_SIM_SECOND);
        assert_true(s->has_ended);
        assert_null(s->guest);
        assert_int_equal(s->n_answered, 20);
}

static void a_drain_does_not_wait_for_ever_for_one_who_does_not_read(void **state) {
        struct scene *s = *state;

        connect_guest(s, 1, &net_weather_fine);
        go(s, false);
        s->read_length = 4 << 20;
        net_sim_hold(s->net, 0, true);
        for (unsigned i = 0; i < 3; i++)
                ask(s, i, NBD_CMD_READ, 0, 4 << 20, 0);
        run(s, NET_SIM_SECOND);
        nbd_guest_drain(s->guest);
        net_sim_run(s->loop, NBD_DRAIN_NS - NET_SIM_SECOND);
        assert_non_null(s->guest);
        net_sim_run(s->loop, 2 * NET_SIM_SECOND);
        assert_null(s->guest);
        net_sim_hold(s->net, 0, false);
}

/* A guest tries again and again: one line. */
static void a_disk_that_fails_is_told_to_the_client_and_once_to_the_log(void **state) {
        struct scene *s = *state;

        connect_guest(s, 1, &net_weather_fine);
        go(s, true);
        ask(s, 0, NBD_CMD_WRITE, 4096, 4096, 'a');
        run_until_answered(s, 1);
        io_sim_fail_at(s->io, 1, ERR_IO, true);
        for (unsigned i = 1; i < 4; i++) {
                ask(s, i, NBD_CMD_READ, 4096, 4096, 0);
                run_until_answered(s, 1 + i);
                assert_int_equal(s->answers[i].error, NBD_EIO);
        }
        io_sim_heal(s->io);
        ask(s, 4, NBD_CMD_READ, 4096, 4096, 0);
        run_until_answered(s, 5);
        assert_int_equal(s->answers[4].error, NBD_OK);
        assert_int_equal(s->answers[4].first, 'a');
        assert_int_equal(s->n_logged, 1);
        assert_non_null(strstr(s->logged, "a: READ 4096 at 4096: "));
        assert_non_null(strstr(s->logged, ".vhd"));
}

/* ---- those who do not begin ---- */

enum { SECONDS_TO_BEGIN = NBD_BEGIN_NS / NET_SIM_SECOND };

static void say_option(struct scene *s, uint32_t code, bool is_first) {
        AUTO(buf_fini) struct buf bytes = {0};

        if (is_first)
                nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES);
        if (code == NBD_OPT_GO)
                nbd_ask_export(&bytes, code, (struct span){(const uint8_t *)"a", 1}, 0);
        else
                nbd_ask_option(&bytes, code, (struct span){0});
        say(s, &bytes);
}

static void one_who_says_nothing_loses_its_place(void **state) {
        struct scene *s = *state;

        connect_guest(s, 1, &net_weather_fine);
        net_sim_run(s->loop, (SECONDS_TO_BEGIN - 5) * NET_SIM_SECOND);
        assert_non_null(s->guest);
        net_sim_run(s->loop, 10 * NET_SIM_SECOND);
        assert_null(s->guest);
        assert_true(s->has_ended);
        assert_int_equal(s->n_logged, 1);
        assert_non_null(strstr(s->logged, "a test has not chosen an export"));
        assert_non_null(strstr(s->logged, "1m"));
}

static void one_who_haggles_without_end_does_too(void **state) {
        struct scene *s = *state;
        unsigned n = 0;

        connect_guest(s, 1, &net_weather_fine);
        for (; s->guest && n < 10 * SECONDS_TO_BEGIN; n++) {
                say_option(s, NBD_OPT_LIST, n == 0);
                run(s, NET_SIM_SECOND);
        }
        assert_null(s->guest);
        assert_int_equal(s->n_logged, 1);
}

static void one_who_is_served_may_be_silent_for_a_day(void **state) {
        struct scene *s = *state;

        connect_guest(s, 1, &net_weather_fine);
        go(s, true);
        net_sim_run(s->loop, 86400 * NET_SIM_SECOND);
        assert_non_null(s->guest);
        ask(s, 1, NBD_CMD_FLUSH, 0, 0, 0);
        run_until_answered(s, 1);
        assert_int_equal(s->answers[1].error, NBD_OK);
        assert_int_equal(s->n_logged, 0);
}

static void the_time_in_which_it_waits_for_us_is_not_its_own(void **state) {
        struct scene *s = *state;

        for (unsigned i = 0; i < 2; i++) {
                connect_guest(s, 1, &net_weather_fine);
                turn_take(&s->turn, "test");
                say_option(s, i ? NBD_OPT_LIST : NBD_OPT_GO, true);
                net_sim_run(s->loop, 10 * SECONDS_TO_BEGIN * NET_SIM_SECOND);
                assert_non_null(s->guest);
                assert_true(s->guest->is_asking);
                turn_give(&s->turn);
                run(s, 10 * NET_SIM_SECOND);
                assert_non_null(s->guest);
                assert_int_equal(s->guest->state, i ? GUEST_TALKING : GUEST_SERVING);
                net_sim_run(s->loop, (SECONDS_TO_BEGIN + 10) * NET_SIM_SECOND);
                assert_int_equal(s->n_logged, i);
                if (i == 0)
                        disconnect(s);
        }
        assert_null(s->guest);
}

/* A drop, a break and a drain all leave no timer behind. */
static void whoever_goes_before_it_begins_is_not_dropped_later(void **state) {
        struct scene *s = *state;

        connect_guest(s, 1, &net_weather_fine);
        run(s, NET_SIM_SECOND);
        disconnect(s);
        connect_guest(s, 2, &net_weather_fine);
        run(s, NET_SIM_SECOND);
        nbd_guest_drain(s->guest);
        net_sim_run(s->loop, 2 * SECONDS_TO_BEGIN * NET_SIM_SECOND);
        assert_null(s->guest);
        assert_int_equal(s->n_logged, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(many_requests_at_once_are_each_answered_once),
                CASE(what_is_refused_is_told_and_its_data_let_pass),
                CASE(one_who_does_not_read_costs_bounded_memory_and_is_not_dropped),
                CASE(there_are_never_more_requests_than_were_allowed),
                CASE(nobody_is_heard_for_long_without_a_break),
                CASE(nobody_has_much_copied_without_a_break),
                CASE(a_break_anywhere_leaves_nothing_behind),
                CASE(the_old_way_to_name_an_export_works_and_its_refusal_is_the_end),
                CASE(a_drain_answers_what_came_and_then_goes),
                CASE(a_drain_does_not_wait_for_ever_for_one_who_does_not_read),
                CASE(one_who_says_nothing_loses_its_place),
                CASE(one_who_haggles_without_end_does_too),
                CASE(one_who_is_served_may_be_silent_for_a_day),
                CASE(the_time_in_which_it_waits_for_us_is_not_its_own),
                CASE(whoever_goes_before_it_begins_is_not_dropped_later),
                CASE(a_disk_that_fails_is_told_to_the_client_and_once_to_the_log),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
