// SPDX-License-Identifier: Apache-2.0
/* The verbs of an SR under crashes and errors at every call.
 *
 * A state of an SR is a text, "a=AB.. s=A...": the name of each VDI and a letter for each of its blocks. Each
 * verb says in which state it begins, in which it ends, and in which others a crash or an error may leave it;
 * whatever happened, after recovery the SR must be in one of these [S1], with every file whole, every chain
 * whole, nothing half-made, no garbage that could go, and a second opening must find nothing more to do [S3].
 */
#include "sweep_sr.h"

struct verb {
        const char *name;
        const char *before, *after; /* states */
        const char *also;           /* states that may be met on the way, separated by " | "; or NULL */
        enum err (*setup)(struct sr *, struct err_note *);
        enum err (*operate)(struct sr *, struct err_note *);
        unsigned lacks;
        unsigned
                /* of crash styles; 0: 1.  More where the order of names matters, which few crashes show */
                rounds;
};

/* ---- where verbs begin ---- */

static enum err nothing(struct sr *sr, struct err_note *note) {
        (void)sr, (void)note;
        return ERR_NONE;
}

static enum err one_vdi(struct sr *sr, struct err_note *note) {
        if (create(sr, "a", IMAGE_VHD, note))
                return note->code;
        return fill(sr, "a", "AB", note);
}

static enum err one_raw(struct sr *sr, struct err_note *note) {
        if (create(sr, "a", IMAGE_RAW, note))
                return note->code;
        return fill(sr, "a", "AB", note);
}

static enum err with_snapshot(struct sr *sr, struct err_note *note) {
        if (one_vdi(sr, note) || snapshot(sr, "a", "s", note))
                return note->code;
        return fill(sr, "a", ".CC", note);
}

static enum err raw_with_snapshot(struct sr *sr, struct err_note *note) {
        if (one_raw(sr, note) || snapshot(sr, "a", "s", note))
                return note->code;
        return fill(sr, "a", ".CC", note);
}

static enum err unchanged_since_snapshot(struct sr *sr, struct err_note *note) {
        if (one_vdi(sr, note))
                return note->code;
        return snapshot(sr, "a", "s", note);
}

/* a's chain: base, base, base, a; s and t hang off it. */
static enum err deep(struct sr *sr, struct err_note *note) {
        if (with_snapshot(sr, note) || snapshot(sr, "a", "t", note))
                return note->code;
        return fill(sr, "a", "...D", note);
}

/* ---- verbs ---- */

static enum err do_create(struct sr *sr, struct err_note *note) {
        return create(sr, "n", IMAGE_VHD, note);
}

static enum err do_create_raw(struct sr *sr, struct err_note *note) {
        return create(sr, "n", IMAGE_RAW, note);
}

static enum err do_write(struct sr *sr, struct err_note *note) {
        return fill(sr, "a", "X", note);
}

static enum err do_snapshot(struct sr *sr, struct err_note *note) {
        return snapshot(sr, "a", "s", note);
}

static enum err do_second_snapshot(struct sr *sr, struct err_note *note) {
        return snapshot(sr, "a", "t", note);
}

static enum err do_clone(struct sr *sr, struct err_note *note) {
        return clone_as(sr, "a", "c", note);
}

static enum err do_clone_of_snapshot(struct sr *sr, struct err_note *note) {
        return clone_as(sr, "s", "c", note);
}

static enum err do_revert(struct sr *sr, struct err_note *note) {
        return revert(sr, "a", "s", note);
}

static enum err do_delete(struct sr *sr, struct err_note *note) {
        return delete (sr, "a", note);
}

static enum err do_delete_snapshot(struct sr *sr, struct err_note *note) {
        return delete (sr, "s", note);
}

static enum err do_delete_all(struct sr *sr, struct err_note *note) {
        if (delete (sr, "t", note) || delete (sr, "a", note))
                return note->code;
        return delete (sr, "s", note);
}

static enum err import_letters(struct sr *sr, struct sr_import *import, const char *letters,
                               struct err_note *note) {
        const struct uuid stream = {{7}};
        struct uuid unused;

        (void)sr;
        if (put_all(sr_import_chain(import), letters, note) || chain_flush(sr_import_chain(import), note)) {
                sr_import_abort(import);
                return note->code;
        }
        return sr_import_commit(import, &stream, &unused, note);
}

static enum err do_import(struct sr *sr, struct err_note *note) {
        struct sr_import *import;

        if (sr_import_begin(sr, &(struct vdi_options){.name = "n", .size = BLOCKS * BLOCK}, &import, note))
                return note->code;
        return import_letters(sr, import, "NN", note);
}

static enum err do_import_onto(struct sr *sr, struct err_note *note) {
        struct sr_import *import;
        struct uuid uuid;

        if (find(sr, "a", &uuid, note) || sr_import_begin_onto(sr, &uuid, BLOCKS * BLOCK, &import, note))
                return note->code;
        return import_letters(sr, import, ".NN", note);
}

static enum err resize_to(struct sr *sr, uint64_t size, struct err_note *note) {
        struct uuid uuid;

        if (find(sr, "a", &uuid, note))
                return note->code;
        return sr_vdi_resize(sr, &uuid, size, note);
}

static enum err do_resize(struct sr *sr, struct err_note *note) {
        return resize_to(sr, 12 * MIB, note);
}

/* The BAT must grow. */
static enum err do_resize_far(struct sr *sr, struct err_note *note) {
        return resize_to(sr, 1024 * MIB, note);
}

static enum err do_rename(struct sr *sr, struct err_note *note) {
        struct uuid uuid;

        if (find(sr, "a", &uuid, note))
                return note->code;
        return sr_vdi_set(sr, &uuid, &(struct vdi_settings){.name = "z"}, note);
}

static const struct verb verbs[] = {
        {"create", "", "n=....", NULL, nothing, do_create, 0, 0},
        {"create-raw", "", "n=....", NULL, nothing, do_create_raw, 0, 0},
        {"write", "a=AB..", "a=XB..", NULL, one_vdi, do_write, 0, 0},
        {"snapshot", "a=AB..", "a=AB.. s=AB..", NULL, one_vdi, do_snapshot, 0, 4},
        {"snapshot-no-links", "a=AB..", "a=AB.. s=AB..", NULL, one_vdi, do_snapshot, IO_SIM_NO_LINK, 4},
        {"snapshot-raw", "a=AB..", "a=AB.. s=AB..", NULL, one_raw, do_snapshot, 0, 0},
        {"snapshot-raw-no-links", "a=AB..", "a=AB.. s=AB..", NULL, one_raw, do_snapshot, IO_SIM_NO_LINK, 0},
        {"snapshot-again", "a=AB.. s=AB..", "a=AB.. s=AB.. t=AB..", NULL, unchanged_since_snapshot,
         do_second_snapshot, 0, 0},
        {"clone", "a=AB..", "a=AB.. c=AB..", NULL, one_vdi, do_clone, 0, 0},
        {"clone-of-snapshot", "a=ACC. s=AB..", "a=ACC. c=AB.. s=AB..", NULL, with_snapshot,
         do_clone_of_snapshot, 0, 0},
        {"revert", "a=ACC. s=AB..", "a=AB.. s=AB..", NULL, with_snapshot, do_revert, 0, 4},
        {"revert-no-links", "a=ACC. s=AB..", "a=AB.. s=AB..", NULL, with_snapshot, do_revert, IO_SIM_NO_LINK,
         0},
        {"revert-raw", "a=ACC. s=AB..", "a=AB.. s=AB..", NULL, raw_with_snapshot, do_revert, 0, 4},
        {"delete", "a=AB..", "", NULL, one_vdi, do_delete, 0, 0},
        {"delete-raw", "a=AB..", "", NULL, one_raw, do_delete, 0, 0},
        {"delete-snapshot", "a=ACC. s=AB..", "a=ACC.", NULL, with_snapshot, do_delete_snapshot, 0, 0},
        {"delete-all", "a=ACCD s=AB.. t=ACC.", "", "a=ACCD s=AB.. | s=AB..", deep, do_delete_all, 0, 0},
        {"import", "a=AB..", "a=AB.. n=NN..", NULL, one_vdi, do_import, 0, 0},
        {"import-onto", "a=AB..", "a=ANN.", NULL, one_vdi, do_import_onto, 0, 0},
        {"import-onto-no-links", "a=AB..", "a=ANN.", NULL, one_vdi, do_import_onto, IO_SIM_NO_LINK, 0},
        {"resize", "a=AB..", "a=AB../12M", NULL, one_vdi, do_resize, 0, 0},
        {"resize-raw", "a=AB..", "a=AB../12M", NULL, one_raw, do_resize, 0, 0},
        {"resize-far", "a=ACC. s=AB..", "a=ACC./1024M s=AB..", NULL, with_snapshot, do_resize_far, 0, 0},
        {"rename", "a=AB..", "z=AB..", NULL, one_vdi, do_rename, 0, 0},
};

static bool is_one_of(const char *state, const char *states) {
        size_t n = strlen(state);

        while (states) {
                const char *end = strstr(states, " | ");
                size_t length = end ? (size_t)(end - states) : strlen(states);

                if (length == n && memcmp(state, states, n) == 0)
                        return true;
                states = end ? end + 3 : NULL;
        }
        return false;
}

static enum err check_state(struct sr *sr, const struct verb *verb, enum sweep_outcome outcome,
                            struct err_note *note) {
        AUTO(buf_fini) struct buf state = {0};
        const char *is;

        if (state_of(sr, &state, note))
                return note->code;
        is = state.n ? buf_text(&state) : "";
        if (strcmp(is, verb->after) == 0 ||
            (outcome != SWEEP_DONE && (strcmp(is, verb->before) == 0 || is_one_of(is, verb->also))))
                return ERR_NONE;
        return sweep_violation(note, "the SR reads \"%s\", and was \"%s\" before \"%s\"", is, verb->before,
                               verb->after);
}

static enum err check_verb(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        const struct verb *verb = ctx;
        AUTO(sr_close) struct sr *sr = NULL;

        if (open_sr(io, &sr, note) || check_state(sr, verb, outcome, note) || check_nodes(io, sr, note))
                return note->code;
        sr_close(TAKE(sr));
        if (check_again(io, note) || open_sr(io, &sr, note) || check_no_garbage(sr, note) ||
            check_state(sr, verb, outcome, note))
                return note->code;
        return check_nodes(io, sr, note);
}

/* ---- the sweeps ---- */

static enum err setup_verb(struct io *io, void *ctx, struct err_note *note) {
        const struct verb *verb = ctx;
        AUTO(sr_close) struct sr *sr = NULL;
        struct uuid unused;

        if (sr_create(io, DIR, "main", NULL, &unused, note) || open_sr(io, &sr, note))
                return note->code;
        return verb->setup(sr, note);
}

static enum err operate_verb(struct io *io, void *ctx, struct err_note *note) {
        const struct verb *verb = ctx;
        AUTO(sr_close) struct sr *sr = NULL;

        if (open_sr(io, &sr, note))
                return note->code;
        return verb->operate(sr, note);
}

/* A crash at each call; errors, of which there are far more, at some. */
static unsigned sweep_verb(const struct verb *which) {
        struct verb verb = *which;
        struct sweep sweep = {.name = verb.name,
                              .ctx = &verb,
                              .setup = setup_verb,
                              .operate = operate_verb,
                              .check = check_verb,
                              .lacks = verb.lacks,
                              .recoveries = 1};
        unsigned violations = sweep_crash(&sweep, (verb.rounds ? verb.rounds : 1) * IO_SIM_STYLES);

        sweep.max_points = 12;
        return violations + sweep_fail(&sweep, 1);
}

static void every_verb_survives_crashes_and_errors(void **state) {
        unsigned violations = 0;

        (void)state;
        for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
                violations += sweep_verb(&verbs[i]);
        assert_int_equal(violations, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_verb_survives_crashes_and_errors),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
