// SPDX-License-Identifier: Apache-2.0
/* gc with an engine that moves nothing: each coalesce takes some steps of a MiB, and in the end its leaf is
 * deleted, so that there is nothing more to do in its tree.  What gc asks of it is written down in words:
 * "b" begin, "s" step, "d" the step that ended it, "e" end, each with the name of the leaf.
 */
#include "sr_kit.h"

#include "buf.h"
#include "gc.h"

#define SECOND ((uint64_t)1000000000)

static struct fake {
        struct buf log;
        unsigned n_steps;
        enum err begin_error, step_error; /* of the tree whose leaf is named `bad` */
        const char *bad;
        unsigned n_priced;
        unsigned n_open;
} fake;

struct fake_coalesce {
        struct sr *sr;
        struct uuid top;
        char name[8];
        unsigned n;
};

static void write_down(const char *what, const char *name) {
        buf_print(&fake.log, "%s%s%s", fake.log.n ? " " : "", what, name);
}

static enum err fake_price(struct sr *sr UNUSED, const struct node *const *run UNUSED, size_t n UNUSED,
                           struct plan_price *ret, struct err_note *note UNUSED) {
        *ret = (struct plan_price){.push_bytes = fake.n_steps * MIB};
        fake.n_priced++;
        return ERR_NONE;
}

static bool is_bad(const char *name) {
        return fake.bad && strcmp(fake.bad, name) == 0;
}

static enum err fake_begin(struct sr *sr, const struct gc_run *run, void **ret, struct err_note *note) {
        const struct vdi *vdi = sr_get_vdi(sr, &run->nodes[run->n - 1]);
        struct fake_coalesce *coalesce;

        assert_true(run->is_leaf && vdi);
        write_down("b", vdi->row.name);
        if (fake.begin_error && is_bad(vdi->row.name))
                return err_set(note, fake.begin_error, "in the way");
        coalesce = mem_new(struct fake_coalesce);
        coalesce->sr = sr;
        coalesce->top = vdi->row.uuid;
        (void)snprintf(coalesce->name, sizeof coalesce->name, "%s", vdi->row.name);
        *ret = coalesce;
        fake.n_open++;
        return ERR_NONE;
}

/* Each other step. */
static bool fake_needs_turn(void *user) {
        const struct fake_coalesce *coalesce = user;

        return coalesce->n % 2 || coalesce->n + 1 >= fake.n_steps;
}

static void fake_pace(void *user UNUSED, const struct gc_pace *pace) {
        assert_true(pace->batch_bytes > 0);
}

static enum err fake_step(void *user, bool *ret_is_done, struct err_note *note) {
        struct fake_coalesce *coalesce = user;

        if (fake.step_error && is_bad(coalesce->name)) {
                write_down("s", coalesce->name);
                return err_set(note, fake.step_error, "the device said no");
        }
        if (++coalesce->n < fake.n_steps) {
                write_down("s", coalesce->name);
                return ERR_NONE;
        }
        write_down("d", coalesce->name);
        *ret_is_done = true;
        return sr_vdi_delete(coalesce->sr, &coalesce->top, note);
}

static void fake_progress(void *user, struct gc_progress *ret) {
        const struct fake_coalesce *coalesce = user;

        *ret = (struct gc_progress){
                .bytes_total = fake.n_steps * MIB, .bytes_done = coalesce->n * MIB, .phase = "copy"};
}

static void fake_end(void *user) {
        struct fake_coalesce *coalesce = user;

        write_down("e", coalesce->name);
        fake.n_open--;
        free(coalesce);
}

static const struct gc_engine fake_engine = {fake_price, fake_begin,    fake_needs_turn, fake_pace,
                                             fake_step,  fake_progress, fake_end};

static int set_up(void **state UNUSED) {
        fake = (struct fake){.n_steps = 2};
        return 0;
}

static int tear_down(void **state UNUSED) {
        buf_fini(&fake.log);
        return fake.n_open != 0; /* all that began was ended */
}

/* A hidden base, and upon it the VDI: what a deleted snapshot leaves. */
static struct uuid make_run(struct sr *sr, const char *name) {
        struct uuid vdi = kit_vdi(sr, name), snapshot;

        kit_write(sr, &vdi, "A");
        snapshot = kit_snapshot(sr, &vdi, "s");
        kit_delete(sr, &snapshot);
        return vdi;
}

static struct gc *new_gc_of(struct sr *sr, unsigned max_running) {
        struct gc_options options = {.engine = &fake_engine, .max_running = max_running};
        struct err_note note = {0};
        struct gc *gc = NULL;

        assert_ok(gc_new(sr, &options, &gc, &note));
        return gc;
}

/* Until there is nothing to do now; time stands still. */
static struct gc_turn run(struct gc *gc) {
        struct gc_turn turn;
        struct err_note note = {0};

        for (unsigned i = 0; i < 1000; i++) {
                assert_ok(gc_step(gc, &turn, &note));
                if (turn.what != GC_WORKED)
                        return turn;
        }
        fail();
        return turn;
}

#define assert_log(want)                                                                                     \
        do {                                                                                                 \
                assert_string_equal(buf_text(&fake.log), want);                                              \
                fake.log.n = 0;                                                                              \
        } while (0)

static void an_sr_without_work_is_idle(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(gc_free) struct gc *gc = new_gc_of(sr, 0);
        struct gc_turn turn;

        (void)kit_vdi(sr, "a");
        turn = run(gc);
        assert_int_equal(turn.what, GC_IDLE);
        assert_true(turn.wait_ns == UINT64_MAX);
        assert_log("");
}

static void each_tree_is_taken_to_its_end(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(gc_free) struct gc *gc = new_gc_of(sr, 1);
        struct gc_sums sums;

        (void)make_run(sr, "a");
        assert_int_equal(run(gc).what, GC_IDLE);
        assert_log("ba sa da ea");
        sums = gc_sums(gc);
        assert_int_equal(sums.bytes_total, 2 * MIB);
        assert_int_equal(sums.bytes_done, 2 * MIB);
        assert_int_equal(sums.n_done, 1);
        (void)make_run(sr, "b");
        assert_int_equal(run(gc).what, GC_IDLE);
        assert_log("");
        gc_look_again(gc);
        assert_int_equal(run(gc).what, GC_IDLE);
        assert_log("bb sb db eb");
}

static void independent_trees_go_by_turns(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(gc_free) struct gc *gc = new_gc_of(sr, 2);

        (void)make_run(sr, "a");
        (void)make_run(sr, "a");
        (void)make_run(sr, "a");
        fake.n_steps = 3;
        assert_int_equal(run(gc).what, GC_IDLE);
        /* The third begins when one of the first two has ended. */
        assert_log("ba ba sa sa sa sa da ea ba sa da ea sa da ea");
}

/* ---- garbage ---- */

static struct events { char s[64]; } events;

static void write_event(void *user UNUSED, const struct gc_event *event) {
        static const char letters[] = {
                [GC_EVENT_GARBAGE] = 'g', [GC_EVENT_BEGINS] = 'b', [GC_EVENT_PHASE] = 'p',
                [GC_EVENT_DONE] = 'd',    [GC_EVENT_FAILED] = 'f', [GC_EVENT_STOPPED] = 's'};
        size_t n = strlen(events.s);

        assert_true(event->kind == GC_EVENT_GARBAGE || event->n == 2);
        assert_true((event->kind >= GC_EVENT_FAILED) == (event->why != NULL));
        if (n + 1 < sizeof events.s)
                events.s[n] = letters[event->kind];
}

static struct gc *new_telling_gc(struct sr *sr) {
        struct gc_options options = {.engine = &fake_engine, .tell = write_event};
        struct err_note note = {0};
        struct gc *gc = NULL;

        events = (struct events){0};
        assert_ok(gc_new(sr, &options, &gc, &note));
        return gc;
}

static char *path_of(const struct uuid *uuid) {
        return mem_format("%s/%s.vhd", KIT_DIR, uuid_format(uuid).s);
}

/* Hidden while somebody else had it open, so that its verb could not delete it. */
static struct io_file *make_garbage(struct io *io, struct sr *sr, struct uuid *ret) {
        struct uuid vdi = kit_vdi(sr, "g");
        AUTO_FREE char *path = path_of(&vdi);
        struct err_note note = {0};
        struct io_file *file;

        assert_ok(io_open(io, path, IO_READ, &file, &note));
        assert_ok(io_lock(file, IO_SHARED, &note));
        kit_delete(sr, &vdi);
        *ret = vdi;
        return file;
}

static void garbage_goes_before_a_coalesce_begins(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        struct uuid vdi = make_run(sr, "a"), snapshot, lease;
        struct err_note note = {0};
        struct gc *gc;

        /* What stands on the base as well: no run before it has gone. */
        snapshot = kit_snapshot(sr, &vdi, "s");
        assert_ok(sr_lease(sr, &snapshot, "backup", "nightly", &lease, &note));
        kit_delete(sr, &snapshot);
        assert_ok(sr_lease_end(sr, &lease, &note));
        assert_int_equal(kit_n_files(io), 3);
        gc = new_telling_gc(sr);
        assert_int_equal(run(gc).what, GC_IDLE);
        assert_string_equal(events.s, "gbpd");
        assert_int_equal(gc_sums(gc).n_garbage, 1);
        gc_free(gc);
}

static void garbage_that_cannot_go_holds_nothing_up(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(gc_status_fini) struct gc_status status = {0};
        struct uuid garbage;
        struct io_file *file = make_garbage(io, sr, &garbage);
        struct err_note note = {0};
        struct gc *gc;

        (void)make_run(sr, "a");
        gc = new_telling_gc(sr);
        assert_int_equal(run(gc).what, GC_IDLE);
        assert_log("ba sa da ea");
        assert_ok(gc_status(sr, &fake_engine, &status, &note));
        assert_int_equal(status.items.n, 1);
        assert_int_equal(status.items.data[0].kind, PLAN_GARBAGE);
        assert_int_equal(status.items.data[0].state, PLAN_WAITING);
        assert_true(uuid_equal(&status.items.data[0].run.data[0], &garbage));
        assert_non_null(strstr(status.items.data[0].reason, "lock"));
        io_close(file);
        assert_int_equal(run(gc).what, GC_IDLE);
        assert_int_equal(kit_n_files(io), 1);
        gc_look_again(gc);
        assert_int_equal(run(gc).what, GC_IDLE);
        assert_int_equal(kit_n_files(io), 0);
        gc_free(gc);
}

/* ---- failures ---- */

static void a_failure_stops_no_other_tree(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(gc_free) struct gc *gc = new_gc_of(sr, 1);
        AUTO(gc_status_fini) struct gc_status status = {0};
        struct err_note note = {0};
        struct gc_turn turn;

        (void)make_run(sr, "a");
        (void)make_run(sr, "b");
        fake.bad = "a";
        fake.step_error = ERR_IO;
        turn = run(gc);
        assert_int_equal(turn.what, GC_IDLE);
        assert_true(turn.wait_ns > 0 && turn.wait_ns <= 30 * SECOND);
        assert_int_equal(gc_sums(gc).n_failed, 1);
        assert_int_equal(gc_sums(gc).n_done, 1);
        assert_non_null(strstr(buf_text(&fake.log), "db eb"));
        assert_ok(gc_status(sr, &fake_engine, &status, &note));
        assert_int_equal(status.items.n, 1);
        assert_int_equal(status.items.data[0].state, PLAN_FAILED);
        assert_non_null(strstr(status.items.data[0].reason, "the device said no; tried again in 30s"));
}

static void what_failed_is_tried_again_each_time_later(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(gc_free) struct gc *gc = new_gc_of(sr, 1);

        (void)make_run(sr, "a");
        fake.bad = "a";
        fake.step_error = ERR_IO;
        (void)run(gc);
        assert_log("ba sa ea");
        io_sim_advance(io, 29 * SECOND);
        (void)run(gc);
        assert_log("");
        io_sim_advance(io, 2 * SECOND);
        (void)run(gc);
        assert_log("ba sa ea");
        io_sim_advance(io, 59 * SECOND);
        (void)run(gc);
        assert_log("");
        fake.step_error = ERR_NONE;
        io_sim_advance(io, 2 * SECOND);
        assert_true(run(gc).wait_ns == UINT64_MAX);
        assert_log("ba sa da ea");
}

static void the_next_process_knows_what_failed(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct gc_options asked = {.engine = &fake_engine, .tries_failed = true};
        struct err_note note = {0};
        struct gc *gc = new_gc_of(sr, 1);

        (void)make_run(sr, "a");
        fake.bad = "a";
        fake.begin_error = ERR_CORRUPT;
        (void)run(gc);
        assert_log("ba");
        gc_free(gc);
        sr_close(sr);

        sr = kit_open(io);
        gc = new_gc_of(sr, 1);
        (void)run(gc);
        assert_log("");
        gc_free(gc);
        assert_ok(gc_new(sr, &asked, &gc, &note));
        assert_true(run(gc).wait_ns > 30 * SECOND); /* the second time */
        assert_log("ba");
        gc_free(gc);
        fake.begin_error = ERR_NONE;
        assert_ok(gc_new(sr, &asked, &gc, &note));
        assert_true(run(gc).wait_ns == UINT64_MAX);
        assert_log("ba sa da ea");
        gc_free(gc);
        sr_close(sr);
}

static void somebody_in_the_way_is_asked_again_soon(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(gc_free) struct gc *gc = new_gc_of(sr, 1);
        AUTO(gc_history_fini) struct gc_history history = {0};
        AUTO(gc_status_fini) struct gc_status status = {0};
        struct err_note note = {0};

        (void)make_run(sr, "a");
        fake.bad = "a";
        fake.begin_error = ERR_BUSY;
        assert_true(run(gc).wait_ns <= 5 * SECOND);
        assert_log("ba");
        assert_int_equal(gc_sums(gc).n_failed, 0);
        assert_ok(gc_status(sr, &fake_engine, &status, &note));
        assert_int_equal(status.items.data[0].state, PLAN_WAITING);
        assert_string_equal(status.items.data[0].reason, "in the way");
        assert_ok(gc_history_of(sr, &history, &note));
        assert_int_equal(history.list.n, 0);
        fake.begin_error = ERR_NONE;
        io_sim_advance(io, 6 * SECOND);
        (void)run(gc);
        assert_log("ba sa da ea");
}

/* ---- pause, limit, stop ---- */

static void who_wants_the_disk_gets_it(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        struct gc *gc;

        (void)make_run(sr, "a");
        gc = new_telling_gc(sr);
        fake.bad = "a";
        fake.step_error = ERR_BUSY;
        assert_true(run(gc).wait_ns <= 5 * SECOND);
        assert_log("ba sa ea");
        assert_string_equal(events.s, "bps");
        assert_int_equal(gc_sums(gc).n_failed, 0);
        gc_free(gc);
}

static void a_pause_ends_what_runs_and_lasts(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct gc_settings paused = {.is_paused = true}, going = {0};
        struct err_note note = {0};
        struct gc_turn turn;
        struct gc *gc = new_gc_of(sr, 1);

        (void)make_run(sr, "a");
        assert_ok(gc_step(gc, &turn, &note));
        assert_ok(gc_step(gc, &turn, &note));
        assert_log("ba sa");
        assert_ok(gc_set(sr, &paused, &note));
        assert_int_equal(run(gc).what, GC_PAUSED);
        assert_log("ea");
        gc_free(gc);
        sr_close(sr);

        sr = kit_open(io);
        gc = new_gc_of(sr, 1);
        assert_int_equal(run(gc).what, GC_PAUSED);
        assert_log("");
        assert_ok(gc_set(sr, &going, &note));
        assert_int_equal(run(gc).what, GC_IDLE);
        assert_log("ba sa da ea");
        gc_free(gc);
        sr_close(sr);
}

static void a_limit_is_kept(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(gc_free) struct gc *gc = new_gc_of(sr, 2);
        struct gc_settings settings = {.limit = 4 * MIB};
        struct err_note note = {0};
        uint64_t began, waits = 0;
        struct gc_turn turn = {0};

        (void)make_run(sr, "a");
        (void)make_run(sr, "b");
        fake.n_steps = 40;
        assert_ok(gc_set(sr, &settings, &note));
        io_sim_advance(io, 1000 * SECOND); /* what was not used then is gone */
        began = io_now_ns(io);
        while (turn.what != GC_IDLE) {
                uint64_t most = (io_now_ns(io) - began) * 4 * MIB / SECOND + 2 * MIB;

                assert_ok(gc_step(gc, &turn, &note));
                assert_true(gc_sums(gc).bytes_done <= most);
                waits += turn.what == GC_WAITS;
                if (turn.what == GC_WAITS)
                        io_sim_advance(io, turn.wait_ns);
        }
        assert_true(waits >= 70);
        /* 80 MiB at 4 MiB/s; and not much slower than it may be. */
        assert_true(io_now_ns(io) - began >= 19 * SECOND && io_now_ns(io) - began <= 21 * SECOND);
}

static void stopped_it_goes_on_another_time(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(gc_history_fini) struct gc_history history = {0};
        struct err_note note = {0};
        struct gc_turn turn;
        struct gc *gc = new_telling_gc(sr);

        (void)make_run(sr, "a");
        assert_ok(gc_step(gc, &turn, &note));
        assert_ok(gc_step(gc, &turn, &note));
        gc_free(gc);
        assert_log("ba sa ea");
        assert_string_equal(events.s, "bps");
        assert_ok(gc_history_of(sr, &history, &note));
        assert_int_equal(history.list.n, 1);
        assert_string_equal(history.list.data[0].result, "cancelled");
        gc = new_gc_of(sr, 1);
        (void)run(gc);
        assert_log("ba sa da ea");
        gc_free(gc);
}

static void an_sr_has_one_gc(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        struct gc_options options = {.engine = &fake_engine};
        struct gc *gc = new_gc_of(sr, 1), *other = NULL;
        struct err_note note = {0};

        assert_ptr_equal(gc_of(sr), gc);
        assert_err(gc_new(sr, &options, &other, &note), ERR_BUSY, "running already");
        gc_free(gc);
        assert_null(gc_of(sr));
        gc = new_gc_of(sr, 1);
        gc_free(gc);
}

/* Another verb, while bytes move. */
static void rest(void *user) {
        struct gc_settings paused = {.is_paused = true};
        AUTO(gc_status_fini) struct gc_status status = {0};
        struct err_note note = {0};
        struct sr *sr = user;

        write_down("rest", "");
        assert_ok(gc_status(sr, &fake_engine, &status, &note));
        assert_int_equal(status.items.data[0].state, PLAN_RUNNING);
        assert_ok(gc_set(sr, &paused, &note));
}

static void resume(void *user UNUSED) {
        write_down("resume", "");
}

static void others_work_beside_a_step_that_moves_bytes(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        struct gc_options options = {.engine = &fake_engine, .rest = rest, .resume = resume, .user = sr};
        struct err_note note = {0};
        struct gc *gc;

        (void)make_run(sr, "a");
        fake.n_steps = 4;
        assert_ok(gc_new(sr, &options, &gc, &note));
        assert_int_equal(run(gc).what, GC_PAUSED);
        assert_log("ba rest sa resume ea");
        gc_free(gc);
}

static void books_that_cannot_be_kept_stop_nothing_and_are_said(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(gc_free) struct gc *gc = new_gc_of(sr, 1);
        struct err_note note = {0};
        struct gc_turn turn;

        (void)make_run(sr, "a");
        assert_ok(gc_step(gc, &turn, &note));
        assert_int_equal(gc_trouble(gc)->code, ERR_NONE);
        io_sim_fail_at(io, 1, ERR_NO_SPACE, true);
        gc_stop(gc);
        io_sim_heal(io);
        assert_log("ba ea");
        assert_int_equal(gc_trouble(gc)->code, ERR_NO_SPACE);
        assert_non_null(strstr(gc_trouble(gc)->text, "remember what was done"));
        gc_look_again(gc);
        assert_int_equal(run(gc).what, GC_IDLE);
        assert_log("ba sa da ea");
}

/* ---- what is shown ---- */

static void what_runs_shows_how_far_it_is(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(gc_free) struct gc *gc = new_gc_of(sr, 1);
        AUTO(gc_status_fini) struct gc_status status = {0};
        struct uuid vdi = make_run(sr, "a"), other = make_run(sr, "b"), lease;
        struct err_note note = {0};
        struct gc_turn turn;
        const struct gc_item *item;

        assert_ok(sr_lease(sr, &other, "export", "nightly", &lease, &note));
        fake.n_steps = 100;
        for (unsigned i = 0; i < 11; i++) {
                io_sim_advance(io, SECOND / 2);
                assert_ok(gc_step(gc, &turn, &note));
        }
        assert_ok(gc_status(sr, &fake_engine, &status, &note));
        assert_int_equal(status.items.n, 2);
        item = &status.items.data[0];
        assert_int_equal(item->state, PLAN_RUNNING);
        assert_int_equal(item->run.n, 2);
        assert_true(uuid_equal(&item->run.data[1], &vdi));
        assert_int_equal(item->bytes_total, 100 * MIB);
        assert_int_equal(item->bytes_done, 10 * MIB);
        assert_int_equal(item->rate, 2 * MIB);
        assert_int_equal(item->left_ns, 45 * SECOND);
        assert_int_equal(item->layers, 1);
        assert_string_equal(item->phase, "copy");
        assert_true(item->began > 0 && item->is_leaf);
        /* It stands still. */
        gc_status_fini(&status);
        io_sim_advance(io, 5 * SECOND);
        assert_ok(gc_status(sr, &fake_engine, &status, &note));
        item = &status.items.data[0];
        assert_int_equal(item->rate, MIB);
        assert_int_equal(item->left_ns, 90 * SECOND);
        item = &status.items.data[1];
        assert_int_equal(item->state, PLAN_WAITING);
        assert_string_equal(item->reason, "leased by nightly (export)");
        assert_int_equal(item->bytes_total, 100 * MIB);
        assert_true(item->left_ns == UINT64_MAX);
}

static void an_sr_that_is_read_only_shows_what_there_is(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(gc_status_fini) struct gc_status status = {0};
        struct sr *sr = kit_create(io);
        struct err_note note = {0};

        (void)make_run(sr, "a");
        sr_close(sr);
        sr = kit_open_as(io, SR_READ_ONLY);
        assert_ok(gc_status(sr, &fake_engine, &status, &note));
        assert_int_equal(status.items.n, 1);
        assert_int_equal(status.items.data[0].state, PLAN_READY);
        assert_log("");
        sr_close(sr);
}

static void what_ended_is_in_the_history(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(gc_free) struct gc *gc = new_gc_of(sr, 1);
        AUTO(gc_history_fini) struct gc_history history = {0};
        struct err_note note = {0};
        struct uuid vdi = make_run(sr, "a");
        struct gc_turn turn;
        const struct gc_past *past;

        (void)make_run(sr, "b");
        fake.bad = "b";
        fake.step_error = ERR_NO_SPACE;
        do {
                assert_ok(gc_step(gc, &turn, &note));
                io_sim_advance(io, SECOND);
        } while (turn.what == GC_WORKED);
        assert_ok(gc_history_of(sr, &history, &note));
        assert_int_equal(history.list.n, 2);
        past = &history.list.data[strcmp(history.list.data[0].result, "done") != 0];
        assert_true(uuid_equal(&past->top, &vdi));
        assert_string_equal(past->direction, "push");
        assert_string_equal(past->text, "");
        assert_int_equal(past->bytes, 2 * MIB);
        assert_int_equal(past->layers, 1);
        assert_int_equal(past->lasted_ms, 2000);
        assert_int_equal(past->ended - past->began, 2);
        past = &history.list.data[strcmp(history.list.data[0].result, "done") == 0];
        assert_string_equal(past->name, "b");
        assert_string_equal(past->result, "no_space");
        assert_string_equal(past->text, "the device said no");
}

static void what_has_not_changed_is_priced_once(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(gc_free) struct gc *gc = new_gc_of(sr, 1);

        (void)make_run(sr, "a");
        (void)make_run(sr, "b");
        (void)make_run(sr, "c");
        (void)run(gc);
        assert_int_equal(fake.n_priced, 3);
        assert_int_equal(gc_sums(gc).n_done, 3);
}

static void what_was_written_to_is_priced_again(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        struct uuid vdi = make_run(sr, "a"), lease;
        struct err_note note = {0};
        struct gc *gc;

        assert_ok(sr_lease(sr, &vdi, "export", "nightly", &lease, &note));
        gc = new_gc_of(sr, 1);
        (void)run(gc);
        assert_int_equal(fake.n_priced, 1);
        gc_look_again(gc);
        (void)run(gc);
        assert_int_equal(fake.n_priced, 1);
        kit_write(sr, &vdi, "..B");
        gc_look_again(gc);
        (void)run(gc);
        assert_int_equal(fake.n_priced, 2);
        gc_free(gc);
}

#define with_fake(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                with_fake(an_sr_without_work_is_idle),
                with_fake(each_tree_is_taken_to_its_end),
                with_fake(independent_trees_go_by_turns),
                with_fake(garbage_goes_before_a_coalesce_begins),
                with_fake(garbage_that_cannot_go_holds_nothing_up),
                with_fake(a_failure_stops_no_other_tree),
                with_fake(what_failed_is_tried_again_each_time_later),
                with_fake(the_next_process_knows_what_failed),
                with_fake(somebody_in_the_way_is_asked_again_soon),
                with_fake(who_wants_the_disk_gets_it),
                with_fake(a_pause_ends_what_runs_and_lasts),
                with_fake(a_limit_is_kept),
                with_fake(stopped_it_goes_on_another_time),
                with_fake(books_that_cannot_be_kept_stop_nothing_and_are_said),
                with_fake(an_sr_has_one_gc),
                with_fake(others_work_beside_a_step_that_moves_bytes),
                with_fake(what_runs_shows_how_far_it_is),
                with_fake(an_sr_that_is_read_only_shows_what_there_is),
                with_fake(what_ended_is_in_the_history),
                with_fake(what_has_not_changed_is_priced_once),
                with_fake(what_was_written_to_is_priced_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
