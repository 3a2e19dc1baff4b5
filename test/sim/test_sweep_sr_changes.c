// SPDX-License-Identifier: Apache-2.0
/* Destroying the data of snapshots, and deleting what is left, under crashes and errors at every call.
 *
 * A disk "a" and its snapshots s1, s2, s3, each with one block more than the one before.  Whatever happened,
 * after recovery each pair that is there is told of exactly as what they held demands: a log is durable
 * before the data goes [K2], and no VDI is forgotten [K3].  Only a delete that was cut short may have cut the
 * way to the one it was about.
 */
#include "sweep_sr.h"

#include "cbt_log.h"

struct verb {
        const char *name;
        const char *victim; /* that is deleted; "": none */
        const char *gone;   /* of whom there is nothing left afterwards but a name: "s1 s2" */
        enum err (*setup)(struct sr *, struct err_note *);
        enum err (*operate)(struct sr *, struct err_note *);
};

static const struct {
        const char *name, *held;
} members[] = {{"s1", "A..."}, {"s2", "AB.."}, {"s3", "ABC."}, {"a", "ABCD"}};
enum { MEMBERS = sizeof members / sizeof *members };

/* ---- where verbs begin, and verbs ---- */

static enum err destroy(struct sr *sr, const char *name, struct err_note *note) {
        struct uuid uuid;

        if (find(sr, name, &uuid, note))
                return note->code;
        return sr_vdi_data_destroy(sr, &uuid, note);
}

static enum err track(struct sr *sr, bool has_cbt, struct err_note *note) {
        struct uuid uuid;

        if (find(sr, "a", &uuid, note))
                return note->code;
        return sr_vdi_set_cbt(sr, &uuid, has_cbt, note);
}

static enum err three(struct sr *sr, struct err_note *note) {
        if (create(sr, "a", IMAGE_VHD, note) || track(sr, true, note) || fill(sr, "a", "A", note) ||
            snapshot(sr, "a", "s1", note) || fill(sr, "a", ".B", note) || snapshot(sr, "a", "s2", note) ||
            fill(sr, "a", "..C", note) || snapshot(sr, "a", "s3", note))
                return note->code;
        return fill(sr, "a", "...D", note);
}

static enum err first_gone(struct sr *sr, struct err_note *note) {
        return three(sr, note) ? note->code : destroy(sr, "s1", note);
}

static enum err second_gone(struct sr *sr, struct err_note *note) {
        return three(sr, note) ? note->code : destroy(sr, "s2", note);
}

static enum err both_gone(struct sr *sr, struct err_note *note) {
        return first_gone(sr, note) ? note->code : destroy(sr, "s2", note);
}

static enum err last_is_metadata(struct sr *sr, struct err_note *note) {
        return three(sr, note) ? note->code : destroy(sr, "s3", note);
}

static enum err destroy_first(struct sr *sr, struct err_note *note) {
        return destroy(sr, "s1", note);
}

static enum err destroy_second(struct sr *sr, struct err_note *note) {
        return destroy(sr, "s2", note);
}

static enum err destroy_last(struct sr *sr, struct err_note *note) {
        return destroy(sr, "s3", note);
}

static enum err delete_first(struct sr *sr, struct err_note *note) {
        return delete (sr, "s1", note);
}

static enum err delete_second(struct sr *sr, struct err_note *note) {
        return delete (sr, "s2", note);
}

static enum err delete_last(struct sr *sr, struct err_note *note) {
        return delete (sr, "s3", note);
}

static enum err enable(struct sr *sr, struct err_note *note) {
        return track(sr, true, note);
}

static enum err disable(struct sr *sr, struct err_note *note) {
        return track(sr, false, note);
}

static const struct verb verbs[] = {
        {"destroy-first", "", "s1", three, destroy_first},
        {"destroy-second", "", "s2", three, destroy_second},
        {"destroy-last", "", "", three, destroy_last},
        {"destroy-beside-gone", "", "s1 s2", first_gone, destroy_second},
        {"destroy-before-gone", "", "s1 s2", second_gone, destroy_first},
        {"delete-gone-second", "s2", "", second_gone, delete_second},
        {"delete-gone-of-two", "s2", "s1", both_gone, delete_second},
        {"delete-gone-first", "s1", "s2", both_gone, delete_first},
        {"delete-behind-gone", "s2", "s1", first_gone, delete_second},
        {"delete-last-metadata", "s3", "", last_is_metadata, delete_last},
        {"disable", "", "s3", last_is_metadata, disable},
        {"enable", "", "", three, enable},
};

/* ---- what must hold ---- */

static enum err changed(struct sr *sr, const struct uuid *from, const struct uuid *to,
                        struct changed_blocks *ret, struct err_note *note) {
        AUTO(sr_changed_end) struct sr_changed *changed = NULL;

        if (sr_changed_begin(sr, from, to, &changed, note))
                return note->code;
        return sr_changed_read(changed, ret, note);
}

static enum err check_pair(struct sr *sr, unsigned older, unsigned newer, bool may_be_cut,
                           struct err_note *note) {
        AUTO(changed_blocks_fini) struct changed_blocks blocks = {0};
        struct uuid from, to;
        enum err err;

        if (find(sr, members[older].name, &from, note) || find(sr, members[newer].name, &to, note))
                return note->code;
        err = changed(sr, &from, &to, &blocks, note);
        if (err == ERR_MISMATCH && may_be_cut)
                return ERR_NONE;
        if (err)
                return err;
        for (unsigned i = 0; i < blocks.size_bytes / CBT_BLOCK_SIZE; i++) {
                unsigned letter = i / (BLOCK / CBT_BLOCK_SIZE);
                bool differs = i % (BLOCK / CBT_BLOCK_SIZE) == 0 &&
                               members[older].held[letter] != members[newer].held[letter];

                if (cbt_bitmap_test(blocks.bits, i) != differs)
                        return sweep_violation(note, "from %s to %s: block %u %s", members[older].name,
                                               members[newer].name, i,
                                               differs ? "is missing" : "is said to differ");
        }
        return ERR_NONE;
}

static enum err check_members(struct sr *sr, const struct verb *verb, enum sweep_outcome outcome,
                              struct err_note *note) {
        for (unsigned i = 0; i < MEMBERS; i++) {
                bool is_victim = strcmp(members[i].name, verb->victim) == 0;
                bool is_gone = *verb->gone && strstr(verb->gone, members[i].name);
                char letters[BLOCKS + 1];
                struct uuid uuid;
                enum err err = find(sr, members[i].name, &uuid, note);

                if (err == ERR_NOT_FOUND && is_victim)
                        continue;
                if (err)
                        return err;
                if (is_victim && outcome == SWEEP_DONE)
                        return sweep_violation(note, "%s is still there", members[i].name);
                /* A file that could not be read for a moment may have put it off; asked again it goes. */
                if (outcome == SWEEP_DONE && is_gone && sr_vdi_data_destroy(sr, &uuid, note))
                        return note->code;
                if (outcome == SWEEP_DONE && is_gone && sr_get_vdi(sr, &uuid)->has_data)
                        return sweep_violation(note, "%s has its data still", members[i].name);
                if (sr_get_vdi(sr, &uuid)->is_metadata)
                        continue;
                if (read_letters(sr, &uuid, letters, note))
                        return note->code;
                if (strcmp(letters, members[i].held) != 0)
                        return sweep_violation(note, "%s reads %s", members[i].name, letters);
        }
        return ERR_NONE;
}

/* No more can be asked of a disk that is not tracked since, and of one whose way leads over a victim. */
static bool may_be_cut(const struct verb *verb, unsigned older, unsigned newer) {
        if (verb->operate == disable || verb->operate == delete_last)
                return strcmp(members[newer].name, "a") == 0;
        return strcmp(members[older].name, verb->victim) == 0 ||
               strcmp(members[newer].name, verb->victim) == 0;
}

static enum err check_pairs(struct sr *sr, const struct verb *verb, struct err_note *note) {
        for (unsigned i = 0; i < MEMBERS; i++)
                for (unsigned j = i + 1; j < MEMBERS; j++) {
                        const struct vdi *unused;

                        if (sr_find_vdi(sr, members[i].name, &unused, note) ||
                            sr_find_vdi(sr, members[j].name, &unused, note))
                                continue;
                        if (check_pair(sr, i, j, may_be_cut(verb, i, j), note))
                                return note->code;
                }
        return ERR_NONE;
}

static enum err check_verb(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        const struct verb *verb = ctx;
        AUTO(sr_close) struct sr *sr = NULL;

        if (open_sr(io, &sr, note) || check_members(sr, verb, outcome, note) || check_pairs(sr, verb, note))
                return note->code;
        sr_close(TAKE(sr));
        if (check_again(io, note) || open_sr(io, &sr, note) || check_no_garbage(sr, note) ||
            check_members(sr, verb, outcome, note) || check_pairs(sr, verb, note))
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

static void what_changed_is_told_after_every_crash_and_error(void **state) {
        unsigned violations = 0;

        (void)state;
        for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
                struct verb verb = verbs[i];
                struct sweep sweep = {.name = verb.name,
                                      .ctx = &verb,
                                      .setup = setup_verb,
                                      .operate = operate_verb,
                                      .check = check_verb,
                                      .recoveries = 1};

                violations += sweep_crash(&sweep, IO_SIM_STYLES);
                sweep.max_points = 12;
                violations += sweep_fail(&sweep, 1);
        }
        assert_int_equal(violations, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_changed_is_told_after_every_crash_and_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
