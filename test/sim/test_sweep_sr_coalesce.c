// SPDX-License-Identifier: Apache-2.0
/* Coalesces under crashes and errors at every call.
 *
 *      layer   0       1       2       3 (a)           s hangs off layer 2
 *              AA..    .BB.    ..C.    ...D
 *
 * Whatever happened: before anybody recovers, an SR that is opened read-only reads as it must (the intents
 * protect states that are legal chains without them [S2]); after recovery every VDI and snapshot reads as
 * before [C1], every file and chain is whole, a second recovery changes nothing [S3], no garbage stays; and a
 * second coalesce of what is left goes on to the end.  Where a guest writes to a all the time, what a flush
 * acknowledged is there, and what it did not is old or new.
 */
#include "coalesce.h"
#include "sr_state.h"
#include "sweep_sr.h"

struct kind {
        const char *name;
        unsigned first, last; /* of the run, layers from the bottom */
        bool has_snapshot;
        bool is_raw;         /* layer 0 */
        bool is_grown;       /* a has twice the size of what lies below */
        bool is_open;        /* a is open for writing, s for reading */
        unsigned depth;      /* of a, when all is done */
        unsigned max_points; /* at which it dies; 0: all */
        bool is_live;        /* a is written to while it is emptied, or while it pulls */
        bool is_pull;

        /* what the guest wrote to the second sector of each block */
        unsigned turn;
        char written[BLOCKS], acknowledged[BLOCKS];
};

enum { LAYERS = 4 };

/* ---- before ---- */

static const char *const written[LAYERS] = {"AA..", ".BB.", "..C.", "...D"};

static enum err make_layers(struct sr *sr, const struct kind *kind, struct err_note *note) {
        struct uuid uuid;

        if (create(sr, "a", kind->is_raw ? IMAGE_RAW : IMAGE_VHD, note))
                return note->code;
        for (unsigned i = 0; i < LAYERS; i++) {
                if (kind->is_grown && i == LAYERS - 1 &&
                    (find(sr, "a", &uuid, note) || sr_vdi_resize(sr, &uuid, 2 * BLOCKS * BLOCK, note)))
                        return note->code;
                if (fill(sr, "a", written[i], note) || (i + 1 < LAYERS && snapshot(sr, "a", "s", note)))
                        return note->code;
                if ((i + 2 < LAYERS || (i + 1 < LAYERS && !kind->has_snapshot)) && delete (sr, "s", note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err setup_kind(struct io *io, void *ctx, struct err_note *note) {
        AUTO(sr_close) struct sr *sr = NULL;
        struct uuid unused;

        if (sr_create(io, DIR, "main", NULL, &unused, note) || open_sr(io, &sr, note))
                return note->code;
        return make_layers(sr, ctx, note);
}

/* The run as it is now: of what is left of the layers that were to go.  n < 2: nothing is. */
static enum err find_run(struct sr *sr, const struct kind *kind, struct coalesce_run *ret,
                         struct err_note *note) {
        const struct node *node;
        struct uuid uuid;
        unsigned left;

        if (find(sr, "a", &uuid, note))
                return note->code;
        node = tree_find(sr_tree(sr), &uuid);
        if (node->error.code) {
                *note = node->error;
                return note->code;
        }
        left = node->depth - kind->depth; /* that are still to go */
        *ret = (struct coalesce_run){
                .n = left + 1, .is_leaf = kind->last == LAYERS - 1, .is_pull = kind->is_pull};
        for (unsigned above = LAYERS - 1 - kind->last; above > 0; above--)
                node = node->parent;
        ret->top = node->uuid;
        for (; left > 0; left--)
                node = node->parent;
        ret->target = node->uuid;
        return ERR_NONE;
}

/* ---- the coalesce ---- */

static enum err look(struct chain *chain, unsigned n, const char *wanted, struct err_note *note) {
        uint8_t data[SECTOR];

        for (unsigned i = 0; chain && i < n; i++) {
                if (chain_read(chain, data, sizeof data, i * BLOCK, note))
                        return note->code;
                if ((data[0] ? (char)data[0] : '.') != wanted[i])
                        return sweep_violation(note, "block %u of an open disk reads %c, not %c", i, data[0],
                                               wanted[i]);
        }
        return ERR_NONE;
}

struct open {
        struct chain *writer, *reader;
        struct kind *guest; /* borrowed; NULL: writer does not write */
};

static enum err write_on(const struct open *open, struct err_note *note) {
        struct kind *guest = open->guest;
        unsigned block = guest->turn % BLOCKS;
        uint8_t data[SECTOR];

        guest->written[block] = (char)('a' + guest->turn++ % 26);
        memset(data, guest->written[block], sizeof data);
        if (chain_write(open->writer, data, sizeof data, block * BLOCK + SECTOR, note) ||
            chain_flush(open->writer, note))
                return note->code;
        guest->acknowledged[block] = guest->written[block];
        return ERR_NONE;
}

static enum err run_all(struct sr *sr, const struct coalesce_run *run, const struct open *open,
                        struct err_note *note) {
        AUTO(coalesce_end) struct coalesce *c = NULL;
        struct err_note why;
        bool is_done = false;
        enum err err = coalesce_begin(sr, run, &(struct coalesce_options){.batch_bytes = BLOCK}, &c, note);

        while (!err && !is_done) {
                err = open->guest ? write_on(open, note) : ERR_NONE;
                if (!err)
                        err = coalesce_step(c, &is_done, note);
                if (look(open->writer, BLOCKS, "ABCD", &why) || look(open->reader, BLOCKS, "ABC.", &why)) {
                        if (!err || why.code == ERR_MISMATCH)
                                *note = why;
                        err = note->code;
                }
        }
        return err;
}

static enum err open_disks(struct sr *sr, struct open *ret, struct err_note *note) {
        struct uuid uuid;

        if (find(sr, "a", &uuid, note) || sr_open_chain(sr, &uuid, CHAIN_WRITE, &ret->writer, note))
                return note->code;
        if (ret->guest)
                return ERR_NONE;
        if (find(sr, "s", &uuid, note) || sr_open_chain(sr, &uuid, CHAIN_READ, &ret->reader, note))
                return note->code;
        return ERR_NONE;
}

static enum err close_disks(struct sr *sr, struct open *open, enum err err, struct err_note *note) {
        struct err_note why;

        if (open->reader && sr_close_chain(sr, TAKE(open->reader), err ? &why : note))
                err = err ? err : note->code;
        if (open->writer && sr_close_chain(sr, TAKE(open->writer), err ? &why : note))
                err = err ? err : note->code;
        return err;
}

static enum err coalesce_now(struct sr *sr, const struct kind *kind, struct kind *guest,
                             struct err_note *note) {
        struct open open = {.guest = guest};
        struct coalesce_run run;
        enum err err = kind->is_open || guest ? open_disks(sr, &open, note) : ERR_NONE;

        if (!err)
                err = find_run(sr, kind, &run, note);
        if (!err)
                err = run_all(sr, &run, &open, note);
        return close_disks(sr, &open, err, note);
}

static enum err operate_kind(struct io *io, void *ctx, struct err_note *note) {
        AUTO(sr_close) struct sr *sr = NULL;
        struct kind *kind = ctx;

        kind->turn = 0;
        memset(kind->written, 0, sizeof kind->written);
        memset(kind->acknowledged, 0, sizeof kind->acknowledged);
        if (open_sr(io, &sr, note))
                return note->code;
        return coalesce_now(sr, kind, kind->is_live ? kind : NULL, note);
}

/* ---- after ---- */

static enum err check_guest(struct sr *sr, const struct kind *kind, struct err_note *note) {
        struct err_note unused;
        struct chain *chain;
        struct uuid uuid;
        enum err err = ERR_NONE;

        if (find(sr, "a", &uuid, note) || sr_open_chain(sr, &uuid, CHAIN_READ, &chain, note))
                return note->code;
        for (unsigned i = 0; i < BLOCKS && !err; i++) {
                uint8_t data[SECTOR];

                err = chain_read(chain, data, sizeof data, i * BLOCK + SECTOR, note);
                if (!err && (char)data[0] != kind->written[i] && (char)data[0] != kind->acknowledged[i])
                        err = sweep_violation(note, "block %u reads %c, and %c was acknowledged, %c written",
                                              i, data[0], kind->acknowledged[i], kind->written[i]);
        }
        return sr_close_chain(sr, chain, err ? &unused : note) && !err ? note->code : err;
}

static enum err check_state(struct sr *sr, const struct kind *kind, struct err_note *note) {
        AUTO(buf_fini) struct buf state = {0};
        AUTO(buf_fini) struct buf wanted = {0};

        buf_print(&wanted, "a=ABCD%s%s", kind->is_grown ? "/16M" : "", kind->has_snapshot ? " s=ABC." : "");
        if (state_of(sr, &state, note))
                return note->code;
        if (strcmp(buf_text(&state), buf_text(&wanted)) != 0)
                return sweep_violation(note, "the SR reads \"%s\", not \"%s\"", buf_text(&state),
                                       buf_text(&wanted));
        return kind->is_live ? check_guest(sr, kind, note) : ERR_NONE;
}

/* [S2] before anybody recovers. */
static enum err check_unrecovered(struct io *io, const struct kind *kind, struct err_note *note) {
        const struct sr_options options = {.mode = SR_READ_ONLY, .images = &images};
        AUTO(sr_close) struct sr *sr = NULL;

        if (sr_open(io, DIR, &options, &sr, note) || check_state(sr, kind, note))
                return err_wrap(note, "before recovery");
        return ERR_NONE;
}

static enum err go_on(struct io *io, const struct kind *kind, struct err_note *note) {
        AUTO(sr_close) struct sr *sr = NULL;
        struct coalesce_run run;
        struct uuid uuid;

        if (open_sr(io, &sr, note) || check_no_garbage(sr, note) || find_run(sr, kind, &run, note))
                return note->code;
        if (run.n >= 2 && coalesce_now(sr, kind, NULL, note))
                return err_wrap(note, "going on");
        if (find(sr, "a", &uuid, note) || check_state(sr, kind, note) || check_nodes(io, sr, note))
                return note->code;
        if (tree_find(sr_tree(sr), &uuid)->depth != kind->depth)
                return sweep_violation(note, "a has %u layers, not %u", tree_find(sr_tree(sr), &uuid)->depth,
                                       kind->depth);
        return check_no_garbage(sr, note);
}

static enum err check_kind(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        const struct kind *kind = ctx;
        AUTO(sr_close) struct sr *sr = NULL;

        if (check_unrecovered(io, kind, note) || open_sr(io, &sr, note) || check_state(sr, kind, note) ||
            check_nodes(io, sr, note))
                return note->code;
        if (sr->unfinished.list.n)
                return sweep_violation(note, "an intent is left");
        sr_close(TAKE(sr));
        (void)outcome;
        if (check_again(io, note))
                return note->code;
        return go_on(io, kind, note);
}

static unsigned sweep_kind(const struct kind *which) {
        struct kind kind = *which;
        struct sweep sweep = {.name = kind.name,
                              .ctx = &kind,
                              .setup = setup_kind,
                              .operate = operate_kind,
                              .check = check_kind,
                              .max_points = kind.max_points,
                              .recoveries = 1};
        unsigned violations = sweep_crash(&sweep, IO_SIM_STYLES);

        sweep.max_points = 10;
        return violations + sweep_fail(&sweep, 1);
}

static const struct kind kinds[] = {
        {.name = "inner", .first = 1, .last = 2, .has_snapshot = true, .depth = 3, .max_points = 15},
        {.name = "inner-open",
         .first = 0,
         .last = 2,
         .has_snapshot = true,
         .is_open = true,
         .depth = 2,
         .max_points = 24},
        {.name = "inner-raw",
         .first = 0,
         .last = 2,
         .has_snapshot = true,
         .is_raw = true,
         .is_open = true,
         .depth = 2,
         .max_points = 15},
        {.name = "leaf", .first = 2, .last = 3, .depth = 3, .max_points = 24},
        {.name = "leaf-of-all", .first = 0, .last = 3, .depth = 1, .max_points = 18},
        {.name = "leaf-grown", .first = 2, .last = 3, .is_grown = true, .depth = 3, .max_points = 10},
        {.name = "live", .first = 2, .last = 3, .depth = 3, .max_points = 24, .is_live = true},
        {.name = "live-of-all", .first = 0, .last = 3, .depth = 1, .max_points = 24, .is_live = true},
        {.name = "pull-inner",
         .first = 1,
         .last = 2,
         .has_snapshot = true,
         .depth = 3,
         .max_points = 15,
         .is_pull = true},
        {.name = "pull-inner-open",
         .first = 0,
         .last = 2,
         .has_snapshot = true,
         .is_open = true,
         .depth = 2,
         .max_points = 24,
         .is_pull = true},
        {.name = "pull-leaf", .first = 2, .last = 3, .depth = 3, .max_points = 15, .is_pull = true},
        {.name = "pull-leaf-of-all", .first = 0, .last = 3, .depth = 1, .max_points = 18, .is_pull = true},
        {.name = "pull-leaf-grown",
         .first = 1,
         .last = 3,
         .is_grown = true,
         .depth = 2,
         .max_points = 10,
         .is_pull = true},
        {.name = "pull-live",
         .first = 2,
         .last = 3,
         .depth = 3,
         .max_points = 24,
         .is_live = true,
         .is_pull = true},
        {.name = "pull-live-of-all",
         .first = 0,
         .last = 3,
         .depth = 1,
         .max_points = 24,
         .is_live = true,
         .is_pull = true},
};

static void whatever_happens_every_disk_reads_the_same(void **state) {
        unsigned violations = 0;

        (void)state;
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
                violations += sweep_kind(&kinds[i]);
        assert_int_equal(violations, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(whatever_happens_every_disk_reads_the_same),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
