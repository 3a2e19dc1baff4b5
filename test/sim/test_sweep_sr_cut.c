// SPDX-License-Identifier: Apache-2.0
/* Four disks that are snapshotted at one instant, under crashes and errors at every call [S4].
 *
 *              a          b          c               d
 *              running    running    running, as     closed
 *                                    its snapshot
 *      before  AB..       CD..       EF..            GH..
 *              X          X
 *      s.      XB..       XD..       EF..            GH..       all four at once
 *               Y          Y                                    then a flush of both
 *      t.      XY..       XY..       EF..            GH..       likewise
 *                Z          Z                                   then the end
 *
 * All snapshots of one instant are there or none, and each holds what was written before it and nothing
 * after.
 */
#include "sweep_sr.h"

enum { DISKS = 4, RUNNING = 3, WRITTEN = 2 };
static const char *const disks[DISKS] = {"a", "b", "c", "d"};
static const char *const old[DISKS] = {"AB..", "CD..", "EF..", "GH.."};
static const char *const at_s[DISKS] = {"XB..", "XD..", "EF..", "GH.."};
static const char *const at_t[DISKS] = {"XY..", "XY..", "EF..", "GH.."};
static const char *const new[DISKS] = {"XYZ.", "XYZ.", "EF..", "GH.."};

struct cut {
        unsigned n_cuts;              /* acknowledged */
        char sure[DISKS][BLOCKS + 1]; /* what each must read, where it is known: else '*' */
        enum image_kind kind;         /* of b */
        bool is_split;                /* begun and committed by themselves */
};

static enum err setup(struct io *io, void *ctx, struct err_note *note) {
        const struct cut *cut = ctx;
        AUTO(sr_close) struct sr *sr = NULL;
        struct uuid unused;

        if (sr_create(io, DIR, "main", NULL, &unused, note) || open_sr(io, &sr, note))
                return note->code;
        for (unsigned i = 0; i < DISKS; i++)
                if (create(sr, disks[i], i == 1 ? cut->kind : IMAGE_VHD, note) ||
                    fill(sr, disks[i], old[i], note))
                        return note->code;
        return snapshot(sr, "c", "r", note);
}

static void be_sure(struct cut *cut, const char *const *letters) {
        for (unsigned i = 0; i < DISKS; i++)
                for (unsigned j = 0; j < BLOCKS; j++)
                        if (cut->sure[i][j] == '*')
                                cut->sure[i][j] = letters[i][j];
}

static enum err put_both(struct cut *cut, struct chain **chains, unsigned block, char letter,
                         struct err_note *note) {
        for (unsigned i = 0; i < WRITTEN; i++) {
                cut->sure[i][block] = '*';
                if (put(chains[i], block, letter, note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err cut_all(struct sr *sr, const struct cut *cut, char prefix, struct err_note *note) {
        struct sr_snapshot_ask asks[DISKS] = {0};
        struct uuid made[DISKS];
        char names[DISKS][3];
        struct sr_cut *parts;

        for (unsigned i = 0; i < DISKS; i++) {
                (void)snprintf(names[i], sizeof names[i], "%c%s", prefix, disks[i]);
                asks[i].options.name = names[i];
                if (find(sr, disks[i], &asks[i].vdi, note))
                        return note->code;
        }
        if (!cut->is_split)
                return sr_vdis_snapshot(sr, asks, DISKS, made, note);
        if (sr_cut_begin(sr, asks, DISKS, &parts, note))
                return note->code;
        sr_cut_abort(parts);
        if (sr_cut_begin(sr, asks, DISKS, &parts, note))
                return note->code;
        return sr_cut_commit(parts, made, note);
}

/* One that fails must leave the disks as usable as they were: the writer goes on, the error is reported
 * last. */
static void cut_live(struct sr *sr, struct cut *cut, char prefix, const char *const *letters, enum err *ret,
                     struct err_note *note) {
        struct err_note why;

        if (cut_all(sr, cut, prefix, *ret ? &why : note)) {
                *ret = *ret ? *ret : note->code;
                return;
        }
        cut->n_cuts++;
        be_sure(cut, letters);
}

static enum err write_on(struct sr *sr, struct cut *cut, struct chain **chains, enum err *ret,
                         struct err_note *note) {
        struct err_note why, *says;

        if (put_both(cut, chains, 0, 'X', note))
                return note->code;
        cut_live(sr, cut, 's', at_s, ret, note);
        says = *ret ? &why : note;
        if (put_both(cut, chains, 1, 'Y', says) || chain_flush(chains[0], says) ||
            chain_flush(chains[1], says))
                return says->code;
        be_sure(cut, at_t);
        if (*ret == ERR_NONE)
                cut_live(sr, cut, 't', at_t, ret, note);
        return put_both(cut, chains, 2, 'Z', *ret ? &why : note);
}

static enum err open_all(struct sr *sr, struct chain **chains, struct err_note *note) {
        struct uuid uuid;

        for (unsigned i = 0; i < RUNNING; i++)
                if (find(sr, disks[i], &uuid, note) ||
                    sr_open_chain(sr, &uuid, CHAIN_WRITE, &chains[i], note))
                        return note->code;
        return ERR_NONE;
}

static enum err operate(struct io *io, void *ctx, struct err_note *note) {
        struct cut *cut = ctx;
        AUTO(sr_close) struct sr *sr = NULL;
        struct chain *chains[RUNNING] = {NULL};
        struct err_note why;
        enum err err = ERR_NONE, failed;

        cut->n_cuts = 0;
        for (unsigned i = 0; i < DISKS; i++)
                strcpy(cut->sure[i], old[i]);
        if (open_sr(io, &sr, note))
                return note->code;
        failed = open_all(sr, chains, note);
        if (!failed)
                failed = write_on(sr, cut, chains, &err, note);
        err = err ? err : failed;
        for (unsigned i = 0; i < RUNNING; i++)
                if (chains[i] && sr_close_chain(sr, chains[i], err ? &why : note))
                        err = failed = err ? err : note->code;
        if (!failed)
                be_sure(cut, new);
        return err;
}

static enum err check_cut(struct sr *sr, char prefix, const char *const *letters, bool must_be,
                          struct err_note *note) {
        unsigned n = 0;

        for (unsigned i = 0; i < DISKS; i++) {
                char name[3] = {prefix, *disks[i], 0}, is[BLOCKS + 1];
                struct uuid uuid;

                if (find(sr, name, &uuid, note))
                        continue;
                n++;
                if (read_letters(sr, &uuid, is, note))
                        return note->code;
                if (strcmp(is, letters[i]) != 0)
                        return sweep_violation(note, "snapshot %s reads %s and not %s", name, is, letters[i]);
        }
        if (n != 0 && n != DISKS)
                return sweep_violation(note, "%u of %d snapshots of one instant are there", n, DISKS);
        if (n == 0 && must_be)
                return sweep_violation(note, "the snapshots %c. were acknowledged and are not there", prefix);
        return ERR_NONE;
}

static enum err check_disks(struct sr *sr, const struct cut *cut, struct err_note *note) {
        for (unsigned i = 0; i < DISKS; i++) {
                char is[BLOCKS + 1];
                struct uuid uuid;

                if (find(sr, disks[i], &uuid, note) || read_letters(sr, &uuid, is, note))
                        return note->code;
                for (unsigned j = 0; j < BLOCKS; j++) {
                        bool is_sure = cut->sure[i][j] != '*';

                        if (is_sure ? is[j] != cut->sure[i][j] : is[j] != old[i][j] && is[j] != new[i][j])
                                return sweep_violation(note, "disk %s reads %s, sure was %s", disks[i], is,
                                                       cut->sure[i]);
                }
        }
        return ERR_NONE;
}

static enum err check(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        const struct cut *cut = ctx;
        AUTO(sr_close) struct sr *sr = NULL;

        (void)outcome;
        if (open_sr(io, &sr, note) || check_disks(sr, cut, note) ||
            check_cut(sr, 's', at_s, cut->n_cuts >= 1, note) ||
            check_cut(sr, 't', at_t, cut->n_cuts >= 2, note) || check_nodes(io, sr, note))
                return note->code;
        sr_close(TAKE(sr));
        if (check_again(io, note) || open_sr(io, &sr, note) || check_no_garbage(sr, note) ||
            check_disks(sr, cut, note))
                return note->code;
        return check_nodes(io, sr, note);
}

static unsigned sweep_cut(const char *name, struct cut cut, unsigned lacks, unsigned points) {
        struct sweep sweep = {.name = name,
                              .ctx = &cut,
                              .setup = setup,
                              .operate = operate,
                              .check = check,
                              .lacks = lacks,
                              .max_points = points,
                              .recoveries = 1};
        unsigned violations = sweep_crash(&sweep, IO_SIM_STYLES);

        return violations + sweep_fail(&sweep, 1);
}

static void disks_of_one_instant_have_all_their_snapshots_or_none(void **state) {
        (void)state;
        assert_int_equal(sweep_cut("cut", (struct cut){0}, 0, 100), 0);
}

static void without_links_too(void **state) {
        (void)state;
        assert_int_equal(sweep_cut("cut-no-links", (struct cut){0}, IO_SIM_NO_LINK, 30), 0);
}

static void and_where_one_is_raw(void **state) {
        (void)state;
        assert_int_equal(sweep_cut("cut-raw", (struct cut){.kind = IMAGE_RAW}, 0, 30), 0);
        assert_int_equal(sweep_cut("cut-raw-no-links", (struct cut){.kind = IMAGE_RAW}, IO_SIM_NO_LINK, 20),
                         0);
}

static void and_where_one_was_begun_and_given_up_before(void **state) {
        (void)state;
        assert_int_equal(sweep_cut("cut-twice", (struct cut){.is_split = true}, 0, 30), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(disks_of_one_instant_have_all_their_snapshots_or_none),
                cmocka_unit_test(without_links_too),
                cmocka_unit_test(and_where_one_is_raw),
                cmocka_unit_test(and_where_one_was_begun_and_given_up_before),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
