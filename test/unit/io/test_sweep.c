// SPDX-License-Identifier: Apache-2.0
/* A sweep is trusted once it catches planted bugs: a right operation passes, and each of its sensible-looking
 * wrong versions does not. */
#include <stdlib.h>

#include "check.h"
#include "sweep.h"

enum { SIZE = 3 * 4096 };

/* What replace does wrong. */
enum bug {
        NO_BUG,
        BUG_NO_SYNC,         /* the bytes are not durable before their name */
        BUG_NO_DIR_SYNC,     /* success before the name is durable */
        BUG_DIR_SYNC_FIRST,  /* the directory is synced before the rename */
        BUG_SYNC_AFTERWARDS, /* renamed first, then synced */
        BUG_IN_PLACE,        /* the old file is written over */
        BUG_UNLINK_FIRST,    /* the old name goes before the new one comes */
        BUG_SYNC_AGAIN,      /* a failed sync is tried once more */
        BUG_IGNORES_FAILURE, /* of the directory's sync */
        BUG_LEAVES_OPEN,     /* after a failed write */
};

static uint8_t content[2][SIZE];

static enum err make(struct io *io, const char *path, int which, enum bug bug, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;

        if (bug == BUG_IN_PLACE ? io_open(io, path, IO_WRITE, &file, note)
                                : io_open(io, path, IO_CREATE, &file, note))
                return note->code;
        for (size_t at = 0; at < SIZE; at += 4096)
                if (io_write(file, content[which] + at, 4096, at, note)) {
                        if (bug == BUG_LEAVES_OPEN)
                                file = NULL;
                        return note->code;
                }
        if (bug == BUG_NO_SYNC || bug == BUG_SYNC_AFTERWARDS)
                return ERR_NONE;
        if (bug == BUG_SYNC_AGAIN && io_sync(file, note) == ERR_NONE)
                return ERR_NONE;
        return io_sync(file, note);
}

static enum err set_up(struct io *io, void *ctx, struct err_note *note) {
        (void)ctx;
        return make(io, "file", 0, NO_BUG, note);
}

static enum err sync_path(struct io *io, const char *path, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(io, path, IO_WRITE, &file, note))
                return note->code;
        return io_sync(file, note);
}

static enum err sync_root(struct io *io, enum bug bug, struct err_note *note) {
        enum err err = io_sync_dir(io, "/", note);

        return bug == BUG_IGNORES_FAILURE ? ERR_NONE : err;
}

/* The new content takes the old one's name. */
static enum err replace(struct io *io, void *ctx, struct err_note *note) {
        enum bug bug = *(enum bug *)ctx;

        if (io_unlink(io, "file.new", note) && note->code != ERR_NOT_FOUND)
                return note->code;
        if (bug == BUG_IN_PLACE)
                return make(io, "file", 1, bug, note);
        if (make(io, "file.new", 1, bug, note))
                return note->code;
        if (bug == BUG_DIR_SYNC_FIRST && sync_root(io, bug, note))
                return note->code;
        if (bug == BUG_UNLINK_FIRST && io_unlink(io, "file", note))
                return note->code;
        if (io_rename(io, "file.new", "file", note))
                return note->code;
        if (bug == BUG_SYNC_AFTERWARDS && sync_path(io, "file", note))
                return note->code;
        return bug == BUG_NO_DIR_SYNC || bug == BUG_DIR_SYNC_FIRST ? ERR_NONE : sync_root(io, bug, note);
}

/* Old or new, whole; new where success was said. */
static enum err is_old_or_new(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        uint8_t got[SIZE];

        (void)ctx;
        if (io_open(io, "file", IO_READ, &file, note) || io_read(file, got, SIZE, 0, note))
                return note->code;
        if (memcmp(got, content[1], SIZE) == 0)
                return ERR_NONE;
        if (memcmp(got, content[0], SIZE) != 0)
                return sweep_violation(note, "neither old nor new");
        if (outcome == SWEEP_DONE)
                return sweep_violation(note, "success was said, and the old is back");
        return ERR_NONE;
}

static struct sweep sweep_of(enum bug *bug) {
        memset(content[0], 'o', SIZE);
        memset(content[1], 'n', SIZE);
        return (struct sweep){.name = "replace",
                              .is_quiet = *bug != NO_BUG,
                              .ctx = bug,
                              .setup = set_up,
                              .operate = replace,
                              .check = is_old_or_new};
}

static unsigned crash_with(enum bug bug) {
        struct sweep sweep = sweep_of(&bug);

        return sweep_crash(&sweep, 0);
}

static unsigned fail_with(enum bug bug) {
        struct sweep sweep = sweep_of(&bug);

        return sweep_fail(&sweep, 0);
}

/* ---- two renames under an intent: what is wrong is the recovery ---- */

enum recovery_bug {
        RECOVERS_WELL,
        RECOVERY_FORGETS_FIRST,   /* the intent goes before what it protects is done */
        RECOVERY_TRUSTS_ITS_EYES, /* what it sees done it takes for durable, and drops the intent */
        RECOVERY_NEVER,           /* the intent is not looked at */
};

static enum err touch(struct io *io, const char *path, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(io, path, IO_CREATE, &file, note))
                return note->code;
        return io_sync(file, note);
}

static bool exists(struct io *io, const char *path) {
        struct io_stat stat;
        struct err_note note;

        return io_stat_path(io, path, &stat, &note) == ERR_NONE;
}

static enum err set_up_pair(struct io *io, void *ctx, struct err_note *note) {
        (void)ctx;
        if (io_make_dir(io, "state", note) || touch(io, "a.old", note))
                return note->code;
        return touch(io, "b.old", note);
}

static enum err rename_if_there(struct io *io, const char *from, const char *to, struct err_note *note) {
        if (io_rename(io, from, to, note) && note->code != ERR_NOT_FOUND)
                return note->code;
        return ERR_NONE;
}

static enum err rename_pair(struct io *io, struct err_note *note) {
        if (rename_if_there(io, "a.old", "a.new", note) || rename_if_there(io, "b.old", "b.new", note))
                return note->code;
        return ERR_NONE;
}

static enum err drop_intent(struct io *io, struct err_note *note) {
        if (io_unlink(io, "state/intent", note))
                return note->code;
        return io_sync_dir(io, "state", note);
}

static enum err move_pair(struct io *io, void *ctx, struct err_note *note) {
        (void)ctx;
        if (touch(io, "state/intent", note) || io_sync_dir(io, "state", note) || rename_pair(io, note) ||
            io_sync_dir(io, "/", note))
                return note->code;
        return drop_intent(io, note);
}

static enum err recover_pair(struct io *io, enum recovery_bug bug, struct err_note *note) {
        if (bug == RECOVERY_NEVER || !exists(io, "state/intent"))
                return ERR_NONE;
        if (bug == RECOVERY_FORGETS_FIRST && drop_intent(io, note))
                return note->code;
        if (bug == RECOVERY_TRUSTS_ITS_EYES && exists(io, "a.new") && exists(io, "b.new"))
                return drop_intent(io, note);
        if (rename_pair(io, note) || io_sync_dir(io, "/", note))
                return note->code;
        return bug == RECOVERY_FORGETS_FIRST ? ERR_NONE : drop_intent(io, note);
}

/* Both or neither. */
static enum err are_both_moved(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        if (recover_pair(io, *(enum recovery_bug *)ctx, note))
                return note->code;
        if (exists(io, "a.new") != exists(io, "b.new"))
                return sweep_violation(note, "one is moved, the other is not");
        if (exists(io, "a.new") == exists(io, "a.old") || exists(io, "b.new") == exists(io, "b.old"))
                return sweep_violation(note, "one is lost or doubled");
        if (outcome == SWEEP_DONE && exists(io, "a.old"))
                return sweep_violation(note, "success was said, and the old is back");
        return ERR_NONE;
}

static unsigned move_with(enum recovery_bug bug) {
        struct sweep sweep = {.name = "move pair",
                              .is_quiet = bug != RECOVERS_WELL,
                              .ctx = &bug,
                              .setup = set_up_pair,
                              .operate = move_pair,
                              .check = are_both_moved};

        return sweep_crash(&sweep, 0) + (bug == RECOVERS_WELL ? sweep_fail(&sweep, 0) : 0);
}

static void crashes_within_a_recovery_and_after_it_find_its_mistakes(void **state) {
        (void)state;
        assert_int_equal(move_with(RECOVERS_WELL), 0);
        assert_int_not_equal(move_with(RECOVERY_NEVER), 0);
        assert_int_not_equal(move_with(RECOVERY_FORGETS_FIRST), 0);
        assert_int_not_equal(move_with(RECOVERY_TRUSTS_ITS_EYES), 0);
}

/* ---- the sweep itself ---- */

static void one_point_can_be_run_again(void **state) {
        (void)state;
        setenv("CATENA_SWEEP", "replace:crash:8:0", 1);
        assert_int_equal(crash_with(BUG_NO_DIR_SYNC), 1);
        setenv("CATENA_SWEEP", "replace:crash:8:1", 1); /* this seed keeps all: nothing is wrong */
        assert_int_equal(crash_with(BUG_NO_DIR_SYNC), 0);
        setenv("CATENA_SWEEP", "replace:eio:8:1", 1);
        assert_int_equal(fail_with(BUG_IGNORES_FAILURE), 1);
        unsetenv("CATENA_SWEEP");
}

static enum err fail_always(struct io *io, void *ctx, struct err_note *note) {
        (void)io;
        (void)ctx;
        return err_set(note, ERR_INVALID, "no");
}

static void an_operation_that_never_succeeds_is_no_operation(void **state) {
        enum bug bug = BUG_NO_SYNC; /* quiet */
        struct sweep sweep = sweep_of(&bug);

        (void)state;
        sweep.operate = fail_always;
        assert_int_equal(sweep_crash(&sweep, 0), 1);
        sweep.setup = fail_always;
        assert_int_equal(sweep_fail(&sweep, 0), 1);
}

static void a_right_operation_passes(void **state) {
        (void)state;
        assert_int_equal(crash_with(NO_BUG), 0);
        assert_int_equal(fail_with(NO_BUG), 0);
}

static void wrong_orders_are_caught_by_crashes(void **state) {
        (void)state;
        assert_int_not_equal(crash_with(BUG_NO_SYNC), 0);
        assert_int_not_equal(crash_with(BUG_NO_DIR_SYNC), 0);
        assert_int_not_equal(crash_with(BUG_DIR_SYNC_FIRST), 0);
        assert_int_not_equal(crash_with(BUG_SYNC_AFTERWARDS), 0);
        assert_int_not_equal(crash_with(BUG_IN_PLACE), 0);
        assert_int_not_equal(crash_with(BUG_UNLINK_FIRST), 0);
}

static void wrong_answers_to_failures_are_caught(void **state) {
        (void)state;
        assert_int_not_equal(fail_with(BUG_SYNC_AGAIN), 0);
        assert_int_not_equal(fail_with(BUG_IGNORES_FAILURE), 0);
        assert_int_not_equal(fail_with(BUG_LEAVES_OPEN), 0);
}

int main(void) {
        (void)unsetenv("CATENA_SHARE"); /* what a sweep finds is looked for at every call */
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_right_operation_passes),
                cmocka_unit_test(wrong_orders_are_caught_by_crashes),
                cmocka_unit_test(wrong_answers_to_failures_are_caught),
                cmocka_unit_test(crashes_within_a_recovery_and_after_it_find_its_mistakes),
                cmocka_unit_test(one_point_can_be_run_again),
                cmocka_unit_test(an_operation_that_never_succeeds_is_no_operation),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
