// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <pthread.h>
#include <time.h>

#include "nbd_export.h"
#include "nbd_wire_client.h"
#include "sr/sr_kit.h"
#include "thread.h"
#include "vdi_move.h"

struct scene {
        struct io *io; /* owned */
        struct sr *sr; /* owned */
        struct turn turn;
        struct nbd_shelf shelf;
        struct nbd_work *work;       /* owned */
        struct nbd_exports *exports; /* owned */
        struct uuid a, b, snapshot;

        pthread_mutex_t mutex; /* guards what is below */
        pthread_cond_t moved;
        unsigned n_answered, n_failed;
        char failed[ERR_TEXT_SIZE];
};

static void on_answered(struct nbd_ask *ask) {
        struct scene *s = ask->user;

        pthread_mutex_lock(&s->mutex);
        s->n_answered++;
        pthread_cond_signal(&s->moved);
        pthread_mutex_unlock(&s->mutex);
}

static void on_failed(void *user, const char *text) {
        struct scene *s = user;

        pthread_mutex_lock(&s->mutex);
        s->n_failed++;
        snprintf(s->failed, sizeof s->failed, "%s", text);
        pthread_mutex_unlock(&s->mutex);
}

static void open_exports(struct scene *s) {
        s->shelf = (struct nbd_shelf){.sr = s->sr, .turn = &s->turn};
        s->exports = nbd_exports_new(&(struct nbd_exports_options){
                .shelves = {.each = &s->shelf, .n = 1}, .work = s->work, .failed = on_failed, .user = s});
}

static int set_up(void **state) {
        struct scene *s = calloc(1, sizeof *s);

        s->io = io_sim_new(1, 0);
        s->sr = kit_create(s->io);
        s->a = kit_vdi(s->sr, "a");
        turn_init(&s->turn, s->io);
        s->work = nbd_work_new(2);
        pthread_mutex_init(&s->mutex, NULL);
        pthread_cond_init(&s->moved, NULL);
        open_exports(s);
        *state = s;
        return 0;
}

static int tear_down(void **state) {
        struct scene *s = *state;

        if (s->exports)
                nbd_exports_free(s->exports);
        nbd_work_free(s->work);
        turn_fini(&s->turn);
        if (s->sr)
                sr_close(s->sr);
        io_free(s->io);
        free(s);
        return 0;
}

/* The answer, waited for; the caller releases what it holds. */
static void ask(struct scene *s, struct nbd_ask *ask, enum nbd_ask_kind kind, const char *name) {
        unsigned before = s->n_answered;

        ask->kind = kind;
        ask->answered = on_answered;
        ask->user = s;
        snprintf(ask->name, sizeof ask->name, "%s", name);
        nbd_exports_ask(s->exports, ask);
        pthread_mutex_lock(&s->mutex);
        while (s->n_answered == before)
                pthread_cond_wait(&s->moved, &s->mutex);
        pthread_mutex_unlock(&s->mutex);
}

static struct nbd_export *open_one(struct scene *s, const char *name) {
        struct nbd_ask one = {0};
        struct nbd_export *export;

        ask(s, &one, NBD_ASK_OPEN, name);
        if (one.failed)
                print_error("%s\n", one.note.text);
        assert_int_equal(one.failed, ERR_NONE);
        export = TAKE(one.export);
        nbd_ask_fini(s->exports, &one);
        return export;
}

static void assert_refused(struct scene *s, const char *name, enum err code, const char *words,
                           const char *more) {
        struct nbd_ask one = {0};

        ask(s, &one, NBD_ASK_OPEN, name);
        assert_int_equal(one.failed, code);
        assert_non_null(strstr(one.note.text, words));
        assert_non_null(strstr(one.note.text, more));
        assert_null(one.export);
        nbd_ask_fini(s->exports, &one);
}

/* Until nobody has it open: it is closed in its own time. */
static bool is_closed(struct scene *s, const struct uuid *vdi) {
        for (unsigned i = 0; i < 3000; i++) {
                bool is_open;

                turn_take(&s->turn, "test");
                is_open = sr_get_vdi(s->sr, vdi)->is_open;
                turn_give(&s->turn);
                if (!is_open)
                        return true;
                nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
        return false;
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void a_name_leads_to_one_vdi_or_says_why_not(void **state) {
        struct scene *s = *state;
        struct nbd_export *by_name = open_one(s, "a"), *by_uuid, *only = open_one(s, "");

        by_uuid = open_one(s, uuid_format(&s->a).s);
        assert_ptr_equal(by_name, by_uuid);
        assert_ptr_equal(by_name, only);
        assert_true(uuid_equal(&by_name->vdi, &s->a));
        assert_int_equal(chain_size(by_name->chain), KIT_SIZE);
        assert_false(by_name->is_read_only);
        assert_refused(s, "nobody", ERR_NOT_FOUND, "nobody", "");
        turn_take(&s->turn, "test");
        s->b = kit_vdi(s->sr, "a");
        turn_give(&s->turn);
        assert_refused(s, "a", ERR_INVALID, uuid_format(&s->a).s, uuid_format(&s->b).s);
        assert_refused(s, "", ERR_NOT_FOUND, "2 VDIs", "");
        for (unsigned i = 0; i < 3; i++)
                nbd_export_release(s->exports, by_name);
}

static void what_is_shared_is_closed_when_the_last_leaves(void **state) {
        struct scene *s = *state;
        struct nbd_export *first = open_one(s, "a"), *second = open_one(s, "a");
        struct err_note note = {0};
        char read = 0;

        assert_ptr_equal(first->chain, second->chain);
        assert_ok(chain_write(first->chain, "x", 1, 77, &note));
        assert_ok(chain_read(second->chain, &read, 1, 77, &note));
        assert_int_equal(read, 'x');
        nbd_export_release(s->exports, first);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        turn_take(&s->turn, "test");
        assert_true(sr_get_vdi(s->sr, &s->a)->is_open);
        assert_err(sr_vdi_delete(s->sr, &s->a, &note), ERR_BUSY, "1 NBD client is connected");
        turn_give(&s->turn);
        nbd_export_release(s->exports, second);
        assert_true(is_closed(s, &s->a));
        turn_take(&s->turn, "test");
        assert_ok(sr_vdi_delete(s->sr, &s->a, &note));
        turn_give(&s->turn);
        assert_int_equal(s->n_failed, 0);
}

static void a_snapshot_is_read_only_and_a_base_of_contexts(void **state) {
        struct scene *s = *state;
        struct nbd_export *export;
        struct nbd_context changed = {.kind = NBD_CONTEXT_CHANGED};
        struct err_note note = {0};
        struct nbd_ask one = {0};
        AUTO_FREE char *name = NULL;
        be32 n;

        s->snapshot = kit_snapshot(s->sr, &s->a, "s");
        export = open_one(s, "s");
        assert_true(export->is_read_only);
        assert_err(chain_write(export->chain, "x", 1, 0, &note), ERR_READ_ONLY, "");
        nbd_export_release(s->exports, export);

        changed.snapshot = s->snapshot;
        name = mem_text(nbd_context_name(&changed).s);
        n = be32_put((uint32_t)strlen(name));
        buf_add(&one.queries, &n, sizeof n);
        buf_add(&one.queries, name, strlen(name));
        one.n_queries = 1;
        ask(s, &one, NBD_ASK_CONTEXTS, "a");
        assert_int_equal(one.failed, ERR_NONE);
        assert_int_equal(one.offers.n, 1);
        assert_true(uuid_equal(&one.offers.data[0].base->vdi, &s->snapshot));
        nbd_ask_fini(s->exports, &one);
        assert_true(is_closed(s, &s->snapshot));

        one = (struct nbd_ask){.is_list = true};
        ask(s, &one, NBD_ASK_CONTEXTS, "a");
        assert_int_equal(one.offers.n, 2);
        assert_int_equal(one.offers.data[0].context.kind, NBD_CONTEXT_ALLOCATION);
        assert_true(uuid_equal(&one.offers.data[1].context.snapshot, &s->snapshot));
        assert_null(one.offers.data[1].base);
        nbd_ask_fini(s->exports, &one);
}

static void write_letter(void *user) {
        struct nbd_export *export = user;
        struct err_note note = {0};

        assert_ok(chain_write(export->chain, "y", 1, 78, &note));
}

/* What came while it is resized is done to the chain that is there then. */
static void a_resize_is_stepped_aside_for(void **state) {
        struct scene *s = *state;
        struct nbd_ask one = {0}, two = {0};
        struct nbd_export *export = open_one(s, "a");
        struct nbd_errand errand = {.run = write_letter, .user = export};
        struct err_note note = {0};
        char read[2] = "";

        ask(s, &one, NBD_ASK_OPEN, "a");
        assert_int_equal(one.size, KIT_SIZE);
        assert_ok(chain_write(export->chain, "x", 1, 77, &note));
        turn_take(&s->turn, "test");
        assert_err(sr_vdi_resize(s->sr, &s->a, KIT_SIZE / 2, &note), ERR_INVALID, "can only grow");
        assert_ok(sr_vdi_resize(s->sr, &s->a, 2 * KIT_SIZE, &note));
        assert_true(sr_get_vdi(s->sr, &s->a)->is_open);
        assert_err(sr_vdi_delete(s->sr, &s->a, &note), ERR_BUSY, "2 NBD clients are connected");
        turn_give(&s->turn);
        nbd_work_add(export->lane, &errand);
        ask(s, &two, NBD_ASK_OPEN, "a");
        assert_int_equal(two.size, 2 * KIT_SIZE);
        assert_ptr_equal(two.export, export);
        nbd_lane_freeze(export->lane);
        while (read[1] != 'y') {
                nbd_lane_thaw(export->lane);
                nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
                nbd_lane_freeze(export->lane);
                assert_ok(chain_read(export->chain, read, 2, 77, &note));
        }
        nbd_lane_thaw(export->lane);
        assert_memory_equal(read, "xy", 2);
        assert_ok(chain_write(export->chain, "z", 1, 2 * KIT_SIZE - 1, &note));
        nbd_export_release(s->exports, export);
        nbd_ask_fini(s->exports, &one);
        nbd_ask_fini(s->exports, &two);
        assert_true(is_closed(s, &s->a));
        assert_int_equal(s->n_failed, 0);
}

/* [D6] A later flush cannot speak for what an earlier chain acknowledged. */
static void a_disk_that_cannot_be_flushed_is_not_stepped_aside_from(void **state) {
        struct scene *s = *state;
        struct nbd_export *export = open_one(s, "a");
        struct chain *chain = export->chain;
        struct err_note note = {0};

        assert_ok(chain_write(chain, "x", 1, 77, &note));
        turn_take(&s->turn, "test");
        io_sim_fail_at(s->io, 1, ERR_IO, false);
        assert_int_equal(sr_vdi_resize(s->sr, &s->a, 2 * KIT_SIZE, &note), ERR_IO);
        assert_ptr_equal(export->chain, chain);
        assert_int_equal(sr_get_vdi(s->sr, &s->a)->node->size, KIT_SIZE);
        turn_give(&s->turn);
        nbd_export_release(s->exports, export);
        assert_true(is_closed(s, &s->a));
}

static void what_nobody_wants_any_more_is_closed_for_a_verb(void **state) {
        struct scene *s = *state;
        struct nbd_export *export = open_one(s, "a");
        struct err_note note = {0};

        turn_take(&s->turn, "test");
        nbd_export_release(s->exports, export);
        assert_true(sr_get_vdi(s->sr, &s->a)->is_open);
        assert_ok(sr_vdi_delete(s->sr, &s->a, &note));
        turn_give(&s->turn);
        assert_refused(s, "a", ERR_NOT_FOUND, "a", "");
}

/* All that fails from the resize on, one call at a time: whatever it is, in the end the disk is there. */
static void a_disk_that_could_not_be_opened_again_is_tried_again(void **state) {
        struct scene *s = *state;
        struct nbd_export *export = open_one(s, "a");
        struct err_note note = {0};
        unsigned n_lost = 0;
        bool did_fail = true;
        char read = 0;

        for (unsigned n = 1; did_fail; n++) {
                nbd_lane_freeze(export->lane);
                assert_ok(chain_write(export->chain, "x", 1, 77, &note));
                assert_ok(chain_flush(export->chain, &note));
                nbd_lane_thaw(export->lane);
                turn_take(&s->turn, "test");
                io_sim_fail_at(s->io, n, ERR_IO, false);
                (void)!sr_vdi_resize(s->sr, &s->a, KIT_SIZE + n * MIB, &note);
                did_fail = io_sim_fired(s->io);
                io_sim_heal(s->io);
                n_lost += !export->chain;
                turn_give(&s->turn);
                for (unsigned i = 0; i < 3000; i++) {
                        bool is_there;

                        turn_take(&s->turn, "test");
                        is_there = export->chain != NULL;
                        turn_give(&s->turn);
                        if (is_there)
                                break;
                        nbd_exports_tick(s->exports);
                        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
                }
                assert_non_null(export->chain);
                if (atomic_load(&chain_layer(export->chain, 0)->has_failed)) {
                        nbd_export_release(s->exports, export);
                        assert_true(is_closed(s, &s->a));
                        export = open_one(s, "a");
                }
        }
        assert_true(n_lost > 0);
        assert_ok(chain_read(export->chain, &read, 1, 77, &note));
        assert_int_equal(read, 'x');
        nbd_export_release(s->exports, export);
}

/* [D5] Several clients share it; all that has changed at the end is what it does not write. */
static void what_the_server_says_is_read_only_is_not_written(void **state) {
        struct scene *s = *state;
        struct err_note note = {0};
        struct nbd_export *first, *second, *other;
        uint64_t n_changes;

        s->b = kit_vdi(s->sr, "b");
        nbd_exports_free(TAKE(s->exports));
        s->exports = nbd_exports_new(&(struct nbd_exports_options){
                .shelves = {.each = &s->shelf, .n = 1, .read_only = &s->a, .n_read_only = 1},
                .work = s->work,
                .failed = on_failed,
                .user = s});
        n_changes = io_sim_count(s->io).changing;
        first = open_one(s, "a");
        second = open_one(s, "a");
        assert_ptr_equal(first, second);
        assert_true(first->is_read_only);
        assert_err(chain_write(first->chain, "x", 1, 0, &note), ERR_READ_ONLY, "");
        assert_err(chain_trim(first->chain, 512, 0, &note), ERR_READ_ONLY, "");
        nbd_exports_tick(s->exports);
        nbd_export_release(s->exports, first);
        nbd_export_release(s->exports, second);
        assert_true(is_closed(s, &s->a));
        assert_int_equal(io_sim_count(s->io).changing, n_changes);
        other = open_one(s, "b");
        assert_false(other->is_read_only);
        nbd_export_release(s->exports, other);
        nbd_exports_free(TAKE(s->exports));
        s->exports = nbd_exports_new(
                &(struct nbd_exports_options){.shelves = {.each = &s->shelf, .n = 1, .are_read_only = true},
                                              .work = s->work,
                                              .failed = on_failed,
                                              .user = s});
        other = open_one(s, "b");
        assert_true(other->is_read_only);
        nbd_export_release(s->exports, other);
}

static void the_list_says_names_that_lead_to_one_and_else_uuids(void **state) {
        struct scene *s = *state;
        struct nbd_ask one = {0};

        turn_take(&s->turn, "test");
        (void)kit_vdi(s->sr, "b");
        (void)kit_vdi(s->sr, "c");
        (void)kit_vdi(s->sr, "b");
        turn_give(&s->turn);
        ask(s, &one, NBD_ASK_LIST, "");
        assert_int_equal(one.list.all.n, 4);
        assert_string_equal(one.list.all.data[0].name, "a");
        assert_string_equal(one.list.all.data[1].name, uuid_format(&sr_vdi_at(s->sr, 1)->row.uuid).s);
        assert_string_equal(one.list.all.data[2].name, uuid_format(&sr_vdi_at(s->sr, 2)->row.uuid).s);
        assert_string_equal(one.list.all.data[3].name, "c");
        nbd_ask_fini(s->exports, &one);
}

static void whoever_asks_waits_for_the_turn_and_nobody_else(void **state) {
        struct scene *s = *state;
        struct nbd_ask one = {.kind = NBD_ASK_OPEN, .name = "a", .answered = on_answered, .user = s};

        turn_take(&s->turn, "test");
        nbd_exports_ask(s->exports, &one);
        while (turn_n_waiting(&s->turn) == 0)
                nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        assert_int_equal(s->n_answered, 0);
        turn_give(&s->turn);
        pthread_mutex_lock(&s->mutex);
        while (s->n_answered == 0)
                pthread_cond_wait(&s->moved, &s->mutex);
        pthread_mutex_unlock(&s->mutex);
        assert_int_equal(one.failed, ERR_NONE);
        nbd_ask_fini(s->exports, &one);
}

/* Two seconds too long in memory, then the power fails. */
static void what_waits_too_long_is_flushed_by_ticks(void **state) {
        struct scene *s = *state;
        struct nbd_export *export = open_one(s, "a");
        struct err_note note = {0};
        struct chain *chain;
        char read = 0;

        assert_ok(chain_write(export->chain, "x", 1, 77, &note));
        for (unsigned i = 0; i < 7; i++) {
                io_sim_advance(s->io, 1000000000);
                nbd_exports_tick(s->exports);
                nbd_exports_tick(s->exports); /* one of them at a time */
                nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        }
        io_sim_kill(s->io);
        nbd_export_release(s->exports, export);
        nbd_exports_free(TAKE(s->exports));
        assert_int_equal(s->n_failed, 1);
        assert_non_null(strstr(s->failed, "close a"));
        sr_close(TAKE(s->sr));
        io_sim_crash(s->io, 3);
        s->sr = kit_open(s->io);
        assert_ok(sr_open_chain(s->sr, &s->a, CHAIN_READ, &chain, &note));
        assert_ok(chain_read(chain, &read, 1, 77, &note));
        assert_int_equal(read, 'x');
        assert_ok(sr_close_chain(s->sr, chain, &note));
}

/* ---- another SR ------------------------------------------------------------------------------ */

/* The exports of two SRs; the second is /two. */
struct two {
        struct scene *s;  /* borrowed */
        struct sr *other; /* owned */
        struct turn turn;
        struct nbd_shelf shelves[2];
};

static void open_two(struct two *two, struct scene *s) {
        const struct sr_options options = {.images = &kit_images};
        struct err_note note = {0};
        struct uuid unused;

        nbd_exports_free(TAKE(s->exports));
        two->s = s;
        assert_ok(sr_create(s->io, "/two", "two", NULL, &unused, &note));
        assert_ok(sr_open(s->io, "/two", &options, &two->other, &note));
        turn_init(&two->turn, s->io);
        two->shelves[0] = (struct nbd_shelf){.sr = s->sr, .turn = &s->turn};
        two->shelves[1] = (struct nbd_shelf){.sr = two->other, .turn = &two->turn};
        s->exports = nbd_exports_new(&(struct nbd_exports_options){
                .shelves = {.each = two->shelves, .n = 2}, .work = s->work, .failed = on_failed, .user = s});
}

static void close_two(struct two *two) {
        nbd_exports_free(TAKE(two->s->exports));
        turn_fini(&two->turn);
        sr_close(two->other);
}

/* From one to the other, or back. */
static struct vdi_copy order_of(struct two *two, unsigned from, struct progress *progress) {
        const struct nbd_shelf *source = &two->shelves[from], *target = &two->shelves[!from];

        *progress = (struct progress){.io = two->s->io};
        return (struct vdi_copy){.sr = source->sr,
                                 .turn = source->turn,
                                 .to = target->sr,
                                 .to_turn = target->turn,
                                 .vdi = two->s->a,
                                 .progress = progress};
}

static enum err move(struct two *two, unsigned from, struct err_note *note) {
        struct progress progress;
        const struct vdi_copy order = order_of(two, from, &progress);
        enum err failed;

        turn_take(order.turn, "move");
        failed = vdi_move_run(&order, note);
        turn_give(order.turn);
        return failed;
}

/* Both turns are the test's, all the while. */
static void move_at_once(struct two *two) {
        struct progress progress;
        struct vdi_copy order = order_of(two, 0, &progress);
        struct err_note note = {0};

        order.turn = order.to_turn = NULL;
        assert_ok(vdi_move_run(&order, &note));
}

/* Not for ever: who does not come is noticed by what is asked then. */
static void wait_for_one_who_waits(struct turn *turn) {
        for (unsigned i = 0; i < 3000 && turn_n_waiting(turn) == 0; i++)
                nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void a_disk_that_moves_is_followed(void **state) {
        struct scene *s = *state;
        struct nbd_export *export, *again;
        struct err_note note = {0};
        char read[2] = "";
        struct two two;

        open_two(&two, s);
        export = open_one(s, "a");
        assert_ok(chain_write(export->chain, "x", 1, 77, &note));
        assert_ok(move(&two, 0, &note));
        assert_int_equal(sr_n_vdis(s->sr), 0);
        assert_true(sr_get_vdi(two.other, &s->a)->is_open);
        write_letter(export);
        assert_ok(chain_read(export->chain, read, 2, 77, &note));
        assert_memory_equal(read, "xy", 2);
        again = open_one(s, "a");
        assert_ptr_equal(again, export);
        turn_take(&two.turn, "test");
        assert_err(sr_vdi_delete(two.other, &s->a, &note), ERR_BUSY, "2 NBD clients");
        assert_ok(sr_vdi_resize(two.other, &s->a, 2 * KIT_SIZE, &note));
        turn_give(&two.turn);
        nbd_export_release(s->exports, export);
        nbd_export_release(s->exports, again);
        close_two(&two);
        assert_int_equal(s->n_failed, 0);
}

/* It is about to be closed, and waits for a turn that is not the right one any more. */
static void one_that_moves_while_it_is_closed_is_closed_with_the_turn_of_where_it_is(void **state) {
        struct scene *s = *state;
        struct nbd_export *export;
        struct two two;

        open_two(&two, s);
        export = open_one(s, "a");
        turn_take(&s->turn, "test");
        turn_take(&two.turn, "test");
        nbd_export_release(s->exports, export);
        wait_for_one_who_waits(&s->turn);
        move_at_once(&two);
        turn_give(&s->turn);
        wait_for_one_who_waits(&two.turn);
        assert_true(sr_get_vdi(two.other, &s->a)->is_open);
        turn_give(&two.turn);
        close_two(&two);
        assert_int_equal(s->n_failed, 0);
}

/* Who asks has looked at the one SR, and it goes to the other before that is looked at. */
static void who_asks_while_a_disk_moves_finds_it(void **state) {
        struct scene *s = *state;
        struct nbd_ask one = {.kind = NBD_ASK_OPEN, .name = "a", .answered = on_answered, .user = s};
        struct nbd_export *export;
        unsigned before;
        struct two two;

        open_two(&two, s);
        export = open_one(s, "a");
        before = s->n_answered;
        turn_take(&two.turn, "test");
        nbd_exports_ask(s->exports, &one);
        wait_for_one_who_waits(&two.turn);
        turn_take(&s->turn, "test");
        move_at_once(&two);
        turn_give(&s->turn);
        turn_give(&two.turn);
        pthread_mutex_lock(&s->mutex);
        while (s->n_answered == before)
                pthread_cond_wait(&s->moved, &s->mutex);
        pthread_mutex_unlock(&s->mutex);
        assert_int_equal(one.failed, ERR_NONE);
        assert_ptr_equal(one.export, export);
        nbd_ask_fini(s->exports, &one);
        nbd_export_release(s->exports, export);
        close_two(&two);
}

static void a_disk_whose_target_is_not_served_here_stays(void **state) {
        struct scene *s = *state;
        struct nbd_export *export = open_one(s, "a");
        struct two two = {.s = s};
        struct err_note note = {0};
        struct uuid unused;

        assert_ok(sr_create(s->io, "/two", "two", NULL, &unused, &note));
        assert_ok(sr_open(s->io, "/two", NULL, &two.other, &note));
        two.shelves[0] = s->shelf;
        two.shelves[1] = (struct nbd_shelf){.sr = two.other};
        assert_err(move(&two, 0, &note), ERR_BUSY, "1 NBD client is connected");
        assert_ok(chain_write(export->chain, "x", 1, 77, &note));
        nbd_export_release(s->exports, export);
        assert_true(is_closed(s, &s->a));
        assert_ok(move(&two, 0, &note));
        sr_close(two.other);
}

/* One writes counters in turn, another connects and leaves, while it goes back and forth. */
struct crowd {
        struct scene *s;           /* borrowed */
        struct nbd_export *export; /* shared, counted */
        atomic_bool stops;
        uint64_t n_written;    /* the errand's; the test's once the writer has ended */
        pthread_mutex_t mutex; /* guards n_done */
        pthread_cond_t moved;
        uint64_t n_done;
};

static void write_next(void *user) {
        struct crowd *crowd = user;
        struct err_note note = {0};
        uint64_t value = crowd->n_written + 1, at = value % 64 * 8192;

        assert_ok(chain_write(crowd->export->chain, &value, sizeof value, at, &note));
        crowd->n_written = value;
        pthread_mutex_lock(&crowd->mutex);
        crowd->n_done++;
        pthread_cond_signal(&crowd->moved);
        pthread_mutex_unlock(&crowd->mutex);
}

static void *write_on(void *user) {
        struct crowd *crowd = user;

        for (uint64_t n = 0; !atomic_load(&crowd->stops); n++) {
                struct nbd_errand errand = {.run = write_next, .user = crowd};

                nbd_work_add(crowd->export->lane, &errand);
                pthread_mutex_lock(&crowd->mutex);
                while (crowd->n_done == n)
                        pthread_cond_wait(&crowd->moved, &crowd->mutex);
                pthread_mutex_unlock(&crowd->mutex);
        }
        return NULL;
}

static void *connect_on(void *user) {
        struct crowd *crowd = user;

        while (!atomic_load(&crowd->stops)) {
                struct nbd_export *mine = open_one(crowd->s, uuid_format(&crowd->s->a).s);

                assert_ptr_equal(mine, crowd->export);
                nbd_exports_tick(crowd->s->exports);
                nbd_export_release(crowd->s->exports, mine);
        }
        return NULL;
}

static void many_moves_below_a_writer_lose_nothing(void **state) {
        struct scene *s = *state;
        struct crowd crowd = {.s = s, .mutex = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
        struct err_note note = {0};
        pthread_t writer, guest;
        struct two two;

        open_two(&two, s);
        crowd.export = open_one(s, "a");
        assert_int_equal(thread_start(&writer, write_on, &crowd), 0);
        assert_int_equal(thread_start(&guest, connect_on, &crowd), 0);
        for (unsigned i = 0; i < 20; i++)
                assert_ok(move(&two, i % 2, &note));
        atomic_store(&crowd.stops, true);
        pthread_join(writer, NULL);
        pthread_join(guest, NULL);
        assert_in_range(crowd.n_written, 1, UINT64_MAX);
        for (uint64_t i = 0; i < 64 && i < crowd.n_written; i++) {
                uint64_t want = crowd.n_written - i, is = 0;

                assert_ok(chain_read(crowd.export->chain, &is, sizeof is, want % 64 * 8192, &note));
                assert_int_equal(is, want);
        }
        nbd_export_release(s->exports, crowd.export);
        close_two(&two);
        assert_int_equal(s->n_failed, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(a_name_leads_to_one_vdi_or_says_why_not),
                CASE(what_is_shared_is_closed_when_the_last_leaves),
                CASE(a_snapshot_is_read_only_and_a_base_of_contexts),
                CASE(a_resize_is_stepped_aside_for),
                CASE(a_disk_that_cannot_be_flushed_is_not_stepped_aside_from),
                CASE(what_nobody_wants_any_more_is_closed_for_a_verb),
                CASE(a_disk_that_could_not_be_opened_again_is_tried_again),
                CASE(what_the_server_says_is_read_only_is_not_written),
                CASE(the_list_says_names_that_lead_to_one_and_else_uuids),
                CASE(whoever_asks_waits_for_the_turn_and_nobody_else),
                CASE(what_waits_too_long_is_flushed_by_ticks),
                CASE(a_disk_that_moves_is_followed),
                CASE(one_that_moves_while_it_is_closed_is_closed_with_the_turn_of_where_it_is),
                CASE(who_asks_while_a_disk_moves_finds_it),
                CASE(a_disk_whose_target_is_not_served_here_stays),
                CASE(many_moves_below_a_writer_lose_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
