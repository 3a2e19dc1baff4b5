// SPDX-License-Identifier: Apache-2.0
/* A disk that is served is made larger, under crashes and errors at every call.
 *
 *      block   0       1       2       3       the last of the new size
 *      before  A       B       .       .
 *              X                               then the resize, for which its export steps aside
 *                      Y               Z       by the chain that is there then; then a flush
 *                                              then the last client leaves
 *
 * What a flush acknowledged is in the disk, also what was written before the chain was closed and opened
 * again [D1] [D6]; what nothing acknowledged is old or new; the disk has the old size or the new one, and the
 * new one where the resize was acknowledged [S1].  The threads are those of the server; one at a time has
 * something to do.
 */
#include "sweep_sr.h"

#include <pthread.h>

#include "coalesce.h"
#include "nbd_export.h"

#define LARGE (1024 * MIB)
#define LAST  (LARGE / BLOCK - 1)

enum { SPOTS = 3 };
static const struct spot {
        uint64_t block;
        char old, fresh;
} spots[SPOTS] = {{0, 'A', 'X'}, {1, 'B', 'Y'}, {LAST, '.', 'Z'}};

struct serving {
        bool has_parent, is_raw;
        bool is_coalesced; /* its parent is hidden, and takes it in after the resize: it must grow first */

        bool is_written[SPOTS]; /* it was attempted */
        bool is_in[SPOTS];      /* it was done */
        bool is_sure[SPOTS];    /* and acknowledged */
        bool is_large;          /* the resize was acknowledged */

        struct sr *sr; /* borrowed */
        struct turn turn;
        struct nbd_exports *exports; /* borrowed */
        struct nbd_export *export;   /* shared, counted */
        enum err failed;             /* the first */
        struct err_note *note;       /* borrowed; of that */

        pthread_mutex_t mutex; /* guards what is below */
        pthread_cond_t moved;
        bool is_done;
};

/* ---- waiting for the threads ---- */

static void done(struct serving *s) {
        pthread_mutex_lock(&s->mutex);
        s->is_done = true;
        pthread_cond_signal(&s->moved);
        pthread_mutex_unlock(&s->mutex);
}

static void wait_until_done(struct serving *s) {
        pthread_mutex_lock(&s->mutex);
        while (!s->is_done)
                pthread_cond_wait(&s->moved, &s->mutex);
        s->is_done = false;
        pthread_mutex_unlock(&s->mutex);
}

static void note_error(struct serving *s, const struct err_note *why) {
        if (!s->failed)
                *s->note = *why;
        s->failed = s->failed ? s->failed : why->code;
}

static void on_answered(struct nbd_ask *ask) {
        done(ask->user);
}

static void on_failed(void *user, const char *text) {
        struct serving *s = user;
        struct err_note why;

        (void)err_set(&why, ERR_IO, "%s", text);
        note_error(s, &why);
}

/* ---- what a client asks for: in the lane ---- */

struct errand {
        struct nbd_errand errand;
        struct serving *s;
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
                e->failed = put(chain, (unsigned)spots[e->spot].block, spots[e->spot].fresh, &e->note);
        done(e->s);
}

static bool did(struct serving *s, int spot) {
        struct errand e = {.s = s, .spot = spot};

        e.errand = (struct nbd_errand){.run = run_errand, .user = &e};
        nbd_work_add(s->export->lane, &e.errand);
        wait_until_done(s);
        if (e.failed)
                note_error(s, &e.note);
        return !e.failed;
}

static void write_spot(struct serving *s, int spot) {
        s->is_written[spot] = true;
        s->is_in[spot] = did(s, spot);
}

static void flush(struct serving *s) {
        if (!did(s, -1))
                return;
        for (unsigned i = 0; i < SPOTS; i++)
                s->is_sure[i] = s->is_in[i];
}

/* ---- the history ---- */

static void grow(struct serving *s) {
        struct err_note note;
        struct uuid uuid;

        turn_take(&s->turn, "resize");
        if (find(s->sr, "a", &uuid, &note) || sr_vdi_resize(s->sr, &uuid, LARGE, &note))
                note_error(s, &note);
        else
                s->is_large = true;
        turn_give(&s->turn);
}

static enum err push_all(struct sr *sr, const struct uuid *vdi, struct err_note *note) {
        const struct node *node = tree_find(sr_tree(sr), vdi);
        const struct coalesce_options options = {.batch_bytes = BLOCK};
        struct coalesce_run run = {.top = *vdi, .n = 2, .is_leaf = true};
        struct coalesce *c;
        enum err failed = ERR_NONE;
        bool is_done = false;

        if (!node || !node->parent)
                return err_set(note, ERR_NOT_FOUND, "it has no parent");
        run.target = node->parent->uuid;
        if (coalesce_begin(sr, &run, &options, &c, note))
                return note->code;
        while (!is_done && !failed)
                failed = coalesce_step(c, &is_done, note);
        coalesce_end(c);
        return failed;
}

static void coalesce(struct serving *s) {
        struct err_note note;
        struct uuid uuid;

        turn_take(&s->turn, "coalesce");
        if (find(s->sr, "a", &uuid, &note) || push_all(s->sr, &uuid, &note))
                note_error(s, &note);
        turn_give(&s->turn);
}

static void serve_one(struct serving *s) {
        struct nbd_ask ask = {.kind = NBD_ASK_OPEN, .name = "a", .answered = on_answered, .user = s};

        nbd_exports_ask(s->exports, &ask);
        wait_until_done(s);
        if (ask.failed) {
                note_error(s, &ask.note);
        } else {
                s->export = TAKE(ask.export);
                write_spot(s, 0);
                grow(s);
                if (s->is_coalesced)
                        coalesce(s);
                write_spot(s, 1);
                if (s->is_large)
                        write_spot(s, 2);
                flush(s);
                nbd_export_release(s->exports, s->export);
        }
        nbd_ask_fini(s->exports, &ask);
}

static enum err operate(struct io *io, void *ctx, struct err_note *note) {
        struct serving *s = ctx;
        AUTO(sr_close) struct sr *sr = NULL;
        struct nbd_shelf shelf;
        struct nbd_work *work;

        *s = (struct serving){.has_parent = s->has_parent,
                              .is_raw = s->is_raw,
                              .is_coalesced = s->is_coalesced,
                              .note = note};
        if (open_sr(io, &sr, note))
                return note->code;
        s->sr = sr;
        turn_init(&s->turn, io);
        pthread_mutex_init(&s->mutex, NULL);
        pthread_cond_init(&s->moved, NULL);
        shelf = (struct nbd_shelf){.sr = sr, .turn = &s->turn};
        work = nbd_work_new(2);
        s->exports = nbd_exports_new(&(struct nbd_exports_options){
                .shelves = {.each = &shelf, .n = 1}, .work = work, .failed = on_failed, .user = s});
        serve_one(s);
        nbd_exports_free(s->exports);
        nbd_work_free(work);
        turn_fini(&s->turn);
        return s->failed;
}

static enum err setup(struct io *io, void *ctx, struct err_note *note) {
        const struct serving *s = ctx;
        AUTO(sr_close) struct sr *sr = NULL;
        struct uuid unused;

        if (sr_create(io, DIR, "main", NULL, &unused, note) || open_sr(io, &sr, note) ||
            create(sr, "a", s->is_raw ? IMAGE_RAW : IMAGE_VHD, note) || fill(sr, "a", "AB", note))
                return note->code;
        if (s->has_parent && snapshot(sr, "a", "s", note))
                return note->code;
        return s->is_coalesced ? delete (sr, "s", note) : ERR_NONE;
}

/* ---- what must hold ---- */

static enum err check_spot(const struct serving *s, struct chain *chain, unsigned i, struct err_note *note) {
        const struct spot *spot = &spots[i];
        uint8_t data[SECTOR];
        char is;

        if ((spot->block + 1) * BLOCK > chain_size(chain))
                return ERR_NONE;
        if (chain_read(chain, data, sizeof data, spot->block * BLOCK, note))
                return note->code;
        is = data[0] ? (char)data[0] : '.';
        for (unsigned j = 0; j < sizeof data; j++)
                is = data[j] == data[0] ? is : '?';
        if (s->is_sure[i] ? is == spot->fresh : is == spot->old || (s->is_written[i] && is == spot->fresh))
                return ERR_NONE;
        return sweep_violation(note, "block %u reads %c, and %s was acknowledged", (unsigned)spot->block, is,
                               s->is_sure[i] ? "another" : "nothing");
}

static enum err check_disk(const struct serving *s, struct sr *sr, struct err_note *note) {
        struct chain *chain;
        struct uuid uuid;
        uint64_t size;

        if (find(sr, "a", &uuid, note) || sr_open_chain(sr, &uuid, CHAIN_READ, &chain, note))
                return note->code;
        size = chain_size(chain);
        if (size != LARGE && (size != BLOCKS * BLOCK || s->is_large)) {
                abandon(sr, chain);
                return sweep_violation(note, "the disk has %llu MiB", (unsigned long long)(size / MIB));
        }
        for (unsigned i = 0; i < SPOTS; i++) {
                if (!check_spot(s, chain, i, note))
                        continue;
                abandon(sr, chain);
                return note->code;
        }
        return sr_close_chain(sr, chain, note);
}

static enum err check(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        const struct serving *s = ctx;
        AUTO(sr_close) struct sr *sr = NULL;

        (void)outcome;
        if (open_sr(io, &sr, note) || check_disk(s, sr, note) || check_nodes(io, sr, note))
                return note->code;
        sr_close(TAKE(sr));
        if (check_again(io, note) || open_sr(io, &sr, note) || check_no_garbage(sr, note) ||
            check_disk(s, sr, note))
                return note->code;
        return check_nodes(io, sr, note);
}

/* ---- the sweeps ---- */

static unsigned sweep_serving(const char *name, const struct serving *how) {
        struct serving serving = *how;
        struct sweep sweep = {.name = name,
                              .ctx = &serving,
                              .setup = setup,
                              .operate = operate,
                              .check = check,
                              .recoveries = 1};

        return sweep_crash(&sweep, IO_SIM_STYLES) + sweep_fail(&sweep, 1);
}

static void a_served_disk_grows_whatever_happens(void **state) {
        (void)state;
        assert_int_equal(sweep_serving("serve-resize", &(struct serving){0}), 0);
}

static void and_one_over_a_snapshot(void **state) {
        (void)state;
        assert_int_equal(sweep_serving("serve-resize-child", &(struct serving){.has_parent = true}), 0);
}

static void and_a_raw_one(void **state) {
        (void)state;
        assert_int_equal(sweep_serving("serve-resize-raw", &(struct serving){.is_raw = true}), 0);
}

static void and_one_that_is_then_pushed_into_a_parent_that_must_grow(void **state) {
        const struct serving how = {.has_parent = true, .is_coalesced = true};

        (void)state;
        assert_int_equal(sweep_serving("serve-resize-push", &how), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_served_disk_grows_whatever_happens),
                cmocka_unit_test(and_one_over_a_snapshot),
                cmocka_unit_test(and_a_raw_one),
                cmocka_unit_test(and_one_that_is_then_pushed_into_a_parent_that_must_grow),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
