// SPDX-License-Identifier: Apache-2.0
/* A disk that is served goes to another SR while its client writes, under crashes and errors at every call.
 *
 *      block   0       1       2       3       4
 *      before  A       B       .       .       .
 *              X                               then the move begins
 *                      Y                       while all of it is copied; then a flush
 *                              Z               while what was written meanwhile is copied
 *                                      V       once it has moved, or not, by the chain that is there; a flush
 *
 * Once both SRs have owners again one of them has the disk, whichever is opened first, with all that a flush
 * acknowledged; what nothing acknowledged is old or new; and it is the second where the move was
 * acknowledged [M1] [M2].  The threads are those of the server; one at a time has something to do.
 */
#include "sweep_sr.h"

#include <pthread.h>

#include "nbd_export.h"
#include "vdi_move.h"

#define OTHER "/two"

enum { SPOTS = 4, SIZE = 64 * MIB };
static const struct spot {
        unsigned block;
        char old, fresh;
} spots[SPOTS] = {{0, 'A', 'X'}, {1, 'B', 'Y'}, {2, '.', 'Z'}, {3, '.', 'V'}};

struct scene {
        bool has_parent;     /* a snapshot, which stays */
        bool is_raw;         /* the disk, where it is first */
        bool is_other_first; /* who is opened first afterwards */
        bool is_quiet;       /* nobody has it open */

        bool is_written[SPOTS]; /* it was attempted */
        bool is_in[SPOTS];      /* it was done */
        bool is_sure[SPOTS];    /* and acknowledged */
        bool is_moved;          /* which was acknowledged */

        struct io *io;        /* borrowed */
        struct sr *one, *two; /* borrowed */
        struct turn turns[2];
        struct nbd_exports *exports; /* borrowed */
        struct nbd_export *export;   /* shared, counted */
        unsigned n_shown;
        uint64_t total;        /* of the progress, when it was shown last */
        enum err failed;       /* the first */
        struct err_note *note; /* borrowed; of that */

        pthread_mutex_t mutex; /* guards what is below */
        pthread_cond_t moved;
        bool is_done;
};

/* ---- waiting for the threads ---- */

static void done(struct scene *s) {
        pthread_mutex_lock(&s->mutex);
        s->is_done = true;
        pthread_cond_signal(&s->moved);
        pthread_mutex_unlock(&s->mutex);
}

static void wait_until_done(struct scene *s) {
        pthread_mutex_lock(&s->mutex);
        while (!s->is_done)
                pthread_cond_wait(&s->moved, &s->mutex);
        s->is_done = false;
        pthread_mutex_unlock(&s->mutex);
}

static void note_error(struct scene *s, const struct err_note *why) {
        if (!s->failed)
                *s->note = *why;
        s->failed = s->failed ? s->failed : why->code;
}

static void on_answered(struct nbd_ask *ask) {
        done(ask->user);
}

static void on_failed(void *user, const char *text) {
        struct scene *s = user;
        struct err_note why;

        (void)err_set(&why, ERR_IO, "%s", text);
        note_error(s, &why);
}

/* ---- what a client asks for: in the lane ---- */

struct errand {
        struct nbd_errand errand;
        struct scene *s;
        int spot; /* to write to; -1: flush */
        enum err failed;
        struct err_note note;
};

static void run_errand(void *user) {
        struct errand *e = user;
        struct chain *chain = e->s->export->chain;

        if (!chain)
                e->failed = err_set(&e->note, ERR_IO, "it is not open");
        else if (e->spot < 0)
                e->failed = chain_flush(chain, &e->note);
        else
                e->failed = put(chain, spots[e->spot].block, spots[e->spot].fresh, &e->note);
        done(e->s);
}

static bool did(struct scene *s, int spot) {
        struct errand e = {.s = s, .spot = spot};

        e.errand = (struct nbd_errand){.run = run_errand, .user = &e};
        nbd_work_add(s->export->lane, &e.errand);
        wait_until_done(s);
        if (e.failed)
                note_error(s, &e.note);
        return !e.failed;
}

static void write_spot(struct scene *s, int spot) {
        s->is_written[spot] = true;
        s->is_in[spot] = did(s, spot);
}

static void flush(struct scene *s) {
        if (!did(s, -1))
                return;
        for (unsigned i = 0; i < SPOTS; i++)
                s->is_sure[i] = s->is_in[i];
}

/* ---- the history ---- */

/* Time goes on with each call, so that progress is shown. */
static void pass_time(void *user, const char *verb, const char *path) {
        (void)verb, (void)path;
        io_sim_advance(user, 200 * 1000 * 1000);
}

/* Without a turn, in the middle of a round. */
static void write_meanwhile(void *user, const struct progress *progress) {
        struct scene *s = user;

        if (!s->export || progress->has_ended)
                return;
        s->n_shown++;
        if (s->n_shown == 1) {
                write_spot(s, 1);
                flush(s);
        }
        if (s->n_shown > 1 && progress->total > s->total && !s->is_written[2])
                write_spot(s, 2);
        s->total = progress->total;
}

static void move(struct scene *s) {
        struct progress progress = {.io = s->io, .show = write_meanwhile, .user = s};
        struct vdi_copy order = {.sr = s->one,
                                 .turn = &s->turns[0],
                                 .to = s->two,
                                 .to_turn = &s->turns[1],
                                 .progress = &progress};
        struct err_note note;

        io_sim_set_watch(s->io, pass_time, s->io);
        turn_take(&s->turns[0], "move");
        if (find(s->one, "a", &order.vdi, &note) || vdi_move_run(&order, &note))
                note_error(s, &note);
        else
                s->is_moved = true;
        turn_give(&s->turns[0]);
        io_sim_set_watch(s->io, NULL, NULL);
}

static void serve_one(struct scene *s) {
        struct nbd_ask ask = {.kind = NBD_ASK_OPEN, .name = "a", .answered = on_answered, .user = s};

        nbd_exports_ask(s->exports, &ask);
        wait_until_done(s);
        if (ask.failed) {
                note_error(s, &ask.note);
        } else {
                s->export = TAKE(ask.export);
                write_spot(s, 0);
                move(s);
                write_spot(s, 3);
                flush(s);
                nbd_export_release(s->exports, TAKE(s->export));
        }
        nbd_ask_fini(s->exports, &ask);
}

static void serve(struct scene *s) {
        const struct nbd_shelf shelves[2] = {{.sr = s->one, .turn = &s->turns[0]},
                                             {.sr = s->two, .turn = &s->turns[1]}};
        struct nbd_work *work = nbd_work_new(2);

        s->exports = nbd_exports_new(&(struct nbd_exports_options){
                .shelves = {.each = shelves, .n = 2}, .work = work, .failed = on_failed, .user = s});
        if (s->is_quiet)
                move(s);
        else
                serve_one(s);
        nbd_exports_free(s->exports);
        nbd_work_free(work);
}

static enum err open_at(struct io *io, const char *dir, struct sr **ret, struct err_note *note) {
        return sr_open(io, dir, &(struct sr_options){.images = &images}, ret, note);
}

static enum err operate(struct io *io, void *ctx, struct err_note *note) {
        struct scene *s = ctx;
        AUTO(sr_close) struct sr *one = NULL, *two = NULL;

        *s = (struct scene){.has_parent = s->has_parent,
                            .is_raw = s->is_raw,
                            .is_other_first = s->is_other_first,
                            .is_quiet = s->is_quiet,
                            .io = io,
                            .note = note};
        if (open_at(io, DIR, &one, note) || open_at(io, OTHER, &two, note))
                return note->code;
        s->one = one;
        s->two = two;
        turn_init(&s->turns[0], io);
        turn_init(&s->turns[1], io);
        pthread_mutex_init(&s->mutex, NULL);
        pthread_cond_init(&s->moved, NULL);
        serve(s);
        turn_fini(&s->turns[0]);
        turn_fini(&s->turns[1]);
        return s->failed;
}

static enum err setup(struct io *io, void *ctx, struct err_note *note) {
        const struct scene *s = ctx;
        const struct vdi_options options = {
                .name = "a", .size = SIZE, .kind = s->is_raw ? IMAGE_RAW : IMAGE_VHD};
        AUTO(sr_close) struct sr *sr = NULL;
        struct uuid unused;

        if (sr_create(io, DIR, "one", NULL, &unused, note) ||
            sr_create(io, OTHER, "two", NULL, &unused, note) || open_sr(io, &sr, note) ||
            sr_vdi_create(sr, &options, &unused, note) || fill(sr, "a", "AB", note))
                return note->code;
        return s->has_parent ? snapshot(sr, "a", "s", note) : ERR_NONE;
}

/* ---- what must hold ---- */

static enum err check_spot(const struct scene *s, struct chain *chain, unsigned i, struct err_note *note) {
        const struct spot *spot = &spots[i];
        uint8_t data[SECTOR];
        char is;

        if (chain_read(chain, data, sizeof data, spot->block * BLOCK, note))
                return note->code;
        is = data[0] ? (char)data[0] : '.';
        for (unsigned j = 0; j < sizeof data; j++)
                is = data[j] == data[0] ? is : '?';
        if (s->is_sure[i] ? is == spot->fresh : is == spot->old || (s->is_written[i] && is == spot->fresh))
                return ERR_NONE;
        return sweep_violation(note, "block %u reads %c, and %s was acknowledged", spot->block, is,
                               s->is_sure[i] ? "another" : "nothing");
}

static enum err check_disk(const struct scene *s, struct sr *sr, bool *ret_is_there, struct err_note *note) {
        struct chain *chain;
        struct uuid uuid;

        if (sr_tree(sr)->listing.temporary.n)
                return sweep_violation(note, "something half-made is in %s", sr_where(sr));
        *ret_is_there = find(sr, "a", &uuid, note) == ERR_NONE;
        if (!*ret_is_there)
                return ERR_NONE;
        if (sr_open_chain(sr, &uuid, CHAIN_WRITE, &chain, note))
                return note->code;
        for (unsigned i = 0; i < SPOTS; i++) {
                if (!check_spot(s, chain, i, note))
                        continue;
                abandon(sr, chain);
                return note->code;
        }
        return sr_close_chain(sr, chain, note);
}

static enum err check_both(const struct scene *s, struct sr *one, struct sr *two, struct err_note *note) {
        bool in_one, in_two;

        if (check_disk(s, one, &in_one, note) || check_disk(s, two, &in_two, note) ||
            check_no_garbage(one, note) || check_no_garbage(two, note))
                return note->code;
        if (in_one == in_two)
                return sweep_violation(note, "the disk is in %s", in_one ? "both" : "neither");
        if (s->is_moved && in_one)
                return sweep_violation(note, "the disk has moved, and is where it was");
        if (sr_n_vdis(one) != (size_t)in_one + s->has_parent || sr_n_vdis(two) != in_two)
                return sweep_violation(note, "another disk is there");
        return ERR_NONE;
}

static enum err check(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        const struct scene *s = ctx;
        AUTO(sr_close) struct sr *one = NULL, *two = NULL;

        (void)outcome;
        if (s->is_other_first && open_at(io, OTHER, &two, note))
                return note->code;
        if (open_at(io, DIR, &one, note) || (!two && open_at(io, OTHER, &two, note)) ||
            check_both(s, one, two, note) || check_nodes(io, one, note))
                return note->code;
        sr_close(TAKE(one));
        return check_again(io, note);
}

/* ---- the sweeps ---- */

static unsigned sweep_moves(const char *name, const struct scene *how, unsigned max_points) {
        struct scene scene = *how;
        struct sweep sweep = {.name = name,
                              .ctx = &scene,
                              .setup = setup,
                              .operate = operate,
                              .check = check,
                              .max_points = max_points,
                              .recoveries = 1};

        return sweep_crash(&sweep, IO_SIM_STYLES) + sweep_fail(&sweep, 1);
}

static void without_a_fault_all_is_written_where_it_should_be(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct scene scene = {.has_parent = true};
        struct err_note note = {0};

        (void)state;
        assert_ok(setup(io, &scene, &note));
        assert_ok(operate(io, &scene, &note));
        assert_true(scene.is_moved);
        for (unsigned i = 0; i < SPOTS; i++)
                assert_true(scene.is_sure[i]);
        /* The first round, and another that had two spots to copy. */
        assert_int_equal(scene.total, SIZE + 2 * SECTOR);
        assert_ok(check(io, &scene, SWEEP_DONE, &note));
}

static void a_served_disk_moves_whatever_happens(void **state) {
        (void)state;
        assert_int_equal(sweep_moves("move-served", &(struct scene){0}, 150), 0);
}

static void and_whichever_sr_is_opened_first(void **state) {
        const struct scene how = {.is_other_first = true, .has_parent = true};

        (void)state;
        assert_int_equal(sweep_moves("move-served-other", &how, 60), 0);
}

static void and_a_raw_one(void **state) {
        (void)state;
        assert_int_equal(sweep_moves("move-served-raw", &(struct scene){.is_raw = true}, 60), 0);
}

static void and_one_that_nobody_has_open(void **state) {
        const struct scene how = {.is_quiet = true, .is_other_first = true};

        (void)state;
        assert_int_equal(sweep_moves("move-closed", &how, 60), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(without_a_fault_all_is_written_where_it_should_be),
                cmocka_unit_test(a_served_disk_moves_whatever_happens),
                cmocka_unit_test(and_whichever_sr_is_opened_first),
                cmocka_unit_test(and_a_raw_one),
                cmocka_unit_test(and_one_that_nobody_has_open),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
