// SPDX-License-Identifier: Apache-2.0
/* A directory as a target, through crashes and errors: what was acknowledged is there and whole; what was not
 * is whole or absent, and never half under its name. */
#include "check.h"

#include "sweep.h"
#include "target_dir.h"

enum { SIZE = 3 * 4096 + 100, N_PUTS = 3 };

static const char *const names[N_PUTS] = {"packs/3f/3f01", "packs/3f/3f02", "points/a.ok"};

/* Written by operate: how many of its steps were acknowledged. */
struct progress {
        unsigned n;
};

static void fill(uint8_t ret[SIZE], unsigned salt) {
        for (size_t i = 0; i < SIZE; i++)
                ret[i] = (uint8_t)(1 + (i * 31 + i / 512 * 7 + salt * 13) % 255);
}

static enum err put(struct target *target, const char *name, unsigned salt, bool replace,
                    struct err_note *note) {
        uint8_t bytes[SIZE];

        fill(bytes, salt);
        if (replace)
                return target_replace(target, name, bytes, SIZE, note);
        return target_put(target, name, bytes, SIZE, note);
}

/* ERR_NOT_FOUND, or it is whole and of one of the two. */
static enum err look(struct target *target, const char *name, unsigned salt, unsigned or_salt,
                     struct err_note *note) {
        AUTO(buf_fini) struct buf got = {0};
        uint8_t one[SIZE], other[SIZE];

        if (target_get(target, name, SIZE + 1, &got, note))
                return note->code;
        fill(one, salt);
        fill(other, or_salt);
        if (got.n != SIZE || (memcmp(got.data, one, SIZE) != 0 && memcmp(got.data, other, SIZE) != 0))
                return sweep_violation(note, "%s is half", name);
        return ERR_NONE;
}

static enum err make(struct io *io, void *ctx, struct err_note *note) {
        AUTO(target_close) struct target *target = NULL;

        (void)ctx;
        if (target_dir_create(io, "/vault", &target, note))
                return note->code;
        return put(target, "config", 100, true, note);
}

static enum err open_vault(struct io *io, struct target **ret, struct err_note *note) {
        return target_dir_open(io, "/vault", ret, note);
}

/* ---- put ---- */

static enum err put_operate(struct io *io, void *ctx, struct err_note *note) {
        AUTO(target_close) struct target *target = NULL;
        struct progress *done = ctx;

        done->n = 0;
        if (open_vault(io, &target, note))
                return note->code;
        for (; done->n < N_PUTS; done->n++)
                if (put(target, names[done->n], done->n, false, note))
                        return note->code;
        return ERR_NONE;
}

static enum err put_check(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        AUTO(target_close) struct target *target = NULL;
        AUTO(target_list_fini) struct target_list list = {0};
        const struct progress *done = ctx;

        (void)outcome;
        if (open_vault(io, &target, note))
                return note->code;
        for (unsigned i = 0; i < N_PUTS; i++) {
                enum err err = look(target, names[i], i, i, note);

                if (err == ERR_NOT_FOUND && i < done->n)
                        return sweep_violation(note, "%s was acknowledged and is gone", names[i]);
                if (err && err != ERR_NOT_FOUND)
                        return err;
        }
        if (target_list(target, "", &list, note))
                return note->code;
        VEC_EACH (&list.items, each)
                if (each->size != SIZE)
                        return sweep_violation(note, "%s is listed with half its size", each->name);
        return put(target, "points/after.ok", 0, true, note);
}

static struct progress put_progress;
static const struct sweep put_sweep = {
        .name = "put", .ctx = &put_progress, .setup = make, .operate = put_operate, .check = put_check};
static const struct sweep put_by_rename_sweep = {.name = "put-by-rename",
                                                 .ctx = &put_progress,
                                                 .setup = make,
                                                 .operate = put_operate,
                                                 .check = put_check,
                                                 .lacks = IO_SIM_NO_LINK};

/* ---- replace ---- */

static enum err replace_operate(struct io *io, void *ctx, struct err_note *note) {
        AUTO(target_close) struct target *target = NULL;
        struct progress *done = ctx;

        done->n = 0;
        if (open_vault(io, &target, note))
                return note->code;
        for (; done->n < 2; done->n++)
                if (put(target, "config", 101 + done->n, true, note))
                        return note->code;
        return ERR_NONE;
}

/* As it was acknowledged last, or as the one after. */
static enum err replace_check(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        AUTO(target_close) struct target *target = NULL;
        const struct progress *done = ctx;

        if (open_vault(io, &target, note))
                return note->code;
        if (look(target, "config", 100 + done->n, outcome == SWEEP_DONE ? 102 : 101 + done->n, note))
                return err_wrap(note, "neither old nor new");
        return ERR_NONE;
}

static struct progress replace_progress;
static const struct sweep replace_sweep = {.name = "replace",
                                           .ctx = &replace_progress,
                                           .setup = make,
                                           .operate = replace_operate,
                                           .check = replace_check};

/* ---- remove ---- */

static enum err remove_setup(struct io *io, void *ctx, struct err_note *note) {
        AUTO(target_close) struct target *target = NULL;

        if (make(io, ctx, note) || open_vault(io, &target, note))
                return note->code;
        return put(target, names[0], 0, false, note) || put(target, names[1], 1, false, note) ? note->code
                                                                                              : ERR_NONE;
}

static enum err remove_operate(struct io *io, void *ctx, struct err_note *note) {
        AUTO(target_close) struct target *target = NULL;

        (void)ctx;
        if (open_vault(io, &target, note))
                return note->code;
        return target_remove(target, names[0], note);
}

static enum err remove_check(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        AUTO(target_close) struct target *target = NULL;
        enum err err;

        (void)ctx;
        if (open_vault(io, &target, note))
                return note->code;
        if (look(target, names[1], 1, 1, note) || look(target, "config", 100, 100, note))
                return err_wrap(note, "another object");
        err = look(target, names[0], 0, 0, note);
        if (!err && outcome == SWEEP_DONE)
                return sweep_violation(note, "what was removed is there");
        if (err && err != ERR_NOT_FOUND)
                return err;
        if (target_remove(target, names[0], note))
                return err_wrap(note, "again");
        return ERR_NONE;
}

static const struct sweep remove_sweep = {
        .name = "remove", .setup = remove_setup, .operate = remove_operate, .check = remove_check};

/* ---- create ---- */

static enum err nothing(struct io *io, void *ctx, struct err_note *note) {
        (void)io;
        (void)ctx;
        (void)note;
        return ERR_NONE;
}

/* There, or to be made again. */
static enum err create_check(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        AUTO(target_close) struct target *target = NULL;
        enum err err;

        if (open_vault(io, &target, note))
                return outcome == SWEEP_DONE ? note->code : make(io, ctx, note);
        err = look(target, "config", 100, 100, note);
        if (err == ERR_NOT_FOUND && outcome != SWEEP_DONE)
                return make(io, ctx, note);
        return err;
}

static const struct sweep create_sweep = {
        .name = "create", .setup = nothing, .operate = make, .check = create_check};

#define SWEPT(name)                                                                                          \
        static void name##_survives(void **state) {                                                          \
                (void)state;                                                                                 \
                assert_int_equal(sweep_all(&name##_sweep, 0), 0);                                            \
        }
SWEPT(put)
SWEPT(put_by_rename)
SWEPT(replace)
SWEPT(remove)
SWEPT(create)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(put_survives),     cmocka_unit_test(put_by_rename_survives),
                cmocka_unit_test(replace_survives), cmocka_unit_test(remove_survives),
                cmocka_unit_test(create_survives),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
