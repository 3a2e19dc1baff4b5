// SPDX-License-Identifier: Apache-2.0
/* Snapshots of a disk that is being written, under crashes and errors at every call.
 *
 *      block   0       1       2       3
 *      before  A       B       .       .
 *              X                               then snapshot s
 *                      Y                       then snapshot t, while a reader of s stays open
 *                              Z               then a flush
 *                                      W       then the end
 *
 * A snapshot that is there holds exactly what was written before it and nothing after; what a flush, a
 * snapshot or the close acknowledged is in the disk; what nothing acknowledged is old or new [D1] [S1].
 */
#include "sweep_sr.h"

struct live {
        unsigned n_snapshots;  /* acknowledged */
        char sure[BLOCKS + 1]; /* what the disk must read, where it is known: else '*' */
        bool is_raw;
};

static enum err setup_live(struct io *io, void *ctx, struct err_note *note) {
        const struct live *live = ctx;
        AUTO(sr_close) struct sr *sr = NULL;
        struct uuid unused;

        if (sr_create(io, DIR, "main", NULL, &unused, note) || open_sr(io, &sr, note) ||
            create(sr, "a", live->is_raw ? IMAGE_RAW : IMAGE_VHD, note))
                return note->code;
        return fill(sr, "a", "AB", note);
}

/* The letter is in flight until something acknowledges it. */
static enum err put_unsure(struct live *live, struct chain *chain, unsigned block, char letter,
                           struct err_note *note) {
        live->sure[block] = '*';
        return put(chain, block, letter, note);
}

static void be_sure(struct live *live, const char *letters) {
        for (unsigned i = 0; i < BLOCKS; i++)
                if (live->sure[i] == '*')
                        live->sure[i] = letters[i];
}

/* A snapshot that fails must leave the disk as usable as it was: the writer goes on, and the error is
 * reported last. */
static void snapshot_live(struct sr *sr, struct live *live, const char *as, const char *letters,
                          enum err *ret, struct err_note *note) {
        struct err_note why;

        if (snapshot(sr, "a", as, *ret ? &why : note)) {
                *ret = *ret ? *ret : note->code;
                return;
        }
        live->n_snapshots++;
        be_sure(live, letters);
}

static enum err write_on(struct sr *sr, struct live *live, struct chain *chain, struct chain **reader,
                         enum err *ret, struct err_note *note) {
        struct uuid uuid;
        struct err_note why;

        if (put_unsure(live, chain, 0, 'X', note))
                return note->code;
        snapshot_live(sr, live, "s", "XB..", ret, note);
        if (*ret == ERR_NONE &&
            (find(sr, "s", &uuid, note) || sr_open_chain(sr, &uuid, CHAIN_READ, reader, note)))
                return note->code;
        if (put_unsure(live, chain, 1, 'Y', *ret ? &why : note))
                return *ret ? *ret : note->code;
        if (*ret == ERR_NONE)
                snapshot_live(sr, live, "t", "XY..", ret, note);
        if (put_unsure(live, chain, 2, 'Z', *ret ? &why : note) || chain_flush(chain, *ret ? &why : note))
                return *ret ? *ret : note->code;
        be_sure(live, "XYZ.");
        return put_unsure(live, chain, 3, 'W', *ret ? &why : note);
}

static enum err operate_live(struct io *io, void *ctx, struct err_note *note) {
        struct live *live = ctx;
        AUTO(sr_close) struct sr *sr = NULL;
        struct chain *chain, *reader = NULL;
        struct err_note why;
        struct uuid uuid;
        enum err err = ERR_NONE, failed;

        live->n_snapshots = 0;
        strcpy(live->sure, "AB..");
        if (open_sr(io, &sr, note) || find(sr, "a", &uuid, note) ||
            sr_open_chain(sr, &uuid, CHAIN_WRITE, &chain, note))
                return note->code;
        failed = write_on(sr, live, chain, &reader, &err, note);
        err = err ? err : failed;
        if (reader && sr_close_chain(sr, reader, err ? &why : note))
                err = err ? err : note->code;
        if (sr_close_chain(sr, chain, err ? &why : note))
                return err ? err : note->code;
        if (!failed)
                be_sure(live, "XYZW");
        return err;
}

static enum err check_snapshot(struct sr *sr, const char *name, const char *letters, bool must_be,
                               struct err_note *note) {
        char is[BLOCKS + 1];
        struct uuid uuid;

        if (find(sr, name, &uuid, note))
                return must_be ? sweep_violation(note, "snapshot %s was acknowledged and is not there", name)
                               : ERR_NONE;
        if (read_letters(sr, &uuid, is, note))
                return note->code;
        if (strcmp(is, letters) != 0)
                return sweep_violation(note, "snapshot %s reads %s and not %s", name, is, letters);
        return ERR_NONE;
}

static enum err check_disk(struct sr *sr, const struct live *live, struct err_note *note) {
        static const char old[] = "AB..", new[] = "XYZW";
        char is[BLOCKS + 1];
        struct uuid uuid;

        if (find(sr, "a", &uuid, note) || read_letters(sr, &uuid, is, note))
                return note->code;
        for (unsigned i = 0; i < BLOCKS; i++) {
                bool is_sure = live->sure[i] != '*';

                if (is_sure ? is[i] != live->sure[i] : is[i] != old[i] && is[i] != new[i])
                        return sweep_violation(note, "the disk reads %s, sure was %s", is, live->sure);
        }
        return ERR_NONE;
}

static enum err check_live(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        const struct live *live = ctx;
        AUTO(sr_close) struct sr *sr = NULL;

        (void)outcome;
        if (open_sr(io, &sr, note) || check_disk(sr, live, note) ||
            check_snapshot(sr, "s", "XB..", live->n_snapshots >= 1, note) ||
            check_snapshot(sr, "t", "XY..", live->n_snapshots >= 2, note) || check_nodes(io, sr, note))
                return note->code;
        sr_close(TAKE(sr));
        if (check_again(io, note) || open_sr(io, &sr, note) || check_no_garbage(sr, note) ||
            check_disk(sr, live, note))
                return note->code;
        return check_nodes(io, sr, note);
}

static unsigned sweep_live(const char *name, bool is_raw, unsigned lacks) {
        struct live live = {.is_raw = is_raw};
        struct sweep sweep = {.name = name,
                              .ctx = &live,
                              .setup = setup_live,
                              .operate = operate_live,
                              .check = check_live,
                              .lacks = lacks,
                              .recoveries = 1};
        unsigned violations = sweep_crash(&sweep, IO_SIM_STYLES);

        sweep.max_points = is_raw || lacks ? 20 : 0;
        return violations + sweep_fail(&sweep, 1);
}

static void a_running_disk_is_snapshotted_whatever_happens(void **state) {
        (void)state;
        assert_int_equal(sweep_live("live", false, 0), 0);
}

static void without_links_too(void **state) {
        (void)state;
        assert_int_equal(sweep_live("live-no-links", false, IO_SIM_NO_LINK), 0);
}

static void and_a_raw_one(void **state) {
        (void)state;
        assert_int_equal(sweep_live("live-raw", true, 0), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_running_disk_is_snapshotted_whatever_happens),
                cmocka_unit_test(without_links_too),
                cmocka_unit_test(and_a_raw_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
