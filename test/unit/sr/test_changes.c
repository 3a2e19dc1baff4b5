// SPDX-License-Identifier: Apache-2.0
#include "changes.h"
#include "logbook.h"
#include "sr_kit.h"

enum { BITS = KIT_SIZE / CBT_BLOCK_SIZE, A_BLOCK = BITS / KIT_BLOCKS };

static struct uuid tracked_vdi(struct sr *sr, const char *name) {
        struct uuid vdi = kit_vdi(sr, name);
        struct err_note note = {0};

        assert_ok(sr_vdi_set_cbt(sr, &vdi, true, &note));
        return vdi;
}

static void destroy(struct sr *sr, const struct uuid *vdi) {
        struct err_note note = {0};

        assert_ok(sr_vdi_data_destroy(sr, vdi, &note));
}

static void write_one(struct sr *sr, const struct uuid *vdi, unsigned at) {
        struct err_note note = {0};
        struct chain *chain;

        assert_ok(sr_open_chain(sr, vdi, CHAIN_WRITE, &chain, &note));
        assert_ok(chain_write(chain, "x", 1, (uint64_t)at * CBT_BLOCK_SIZE + 5, &note));
        assert_ok(sr_close_chain(sr, chain, &note));
}

static enum err changed(struct sr *sr, const struct uuid *from, const struct uuid *to,
                        struct changed_blocks *ret, struct err_note *note) {
        AUTO(sr_changed_end) struct sr_changed *changed = NULL;

        if (sr_changed_begin(sr, from, to, &changed, note))
                return note->code;
        return sr_changed_read(changed, ret, note);
}

/* "3 17": the blocks that changed; "all". */
static char *told(struct sr *sr, const struct uuid *from, const struct uuid *to) {
        AUTO(changed_blocks_fini) struct changed_blocks blocks = {0};
        struct buf text = {0};
        struct err_note note = {0};
        unsigned n = 0;

        assert_ok(changed(sr, from, to, &blocks, &note));
        for (unsigned i = 0; i < blocks.size_bytes / CBT_BLOCK_SIZE; i++)
                if (cbt_bitmap_test(blocks.bits, i)) {
                        buf_print(&text, "%s%u", n ? " " : "", i);
                        n++;
                }
        if (n == blocks.size_bytes / CBT_BLOCK_SIZE) {
                buf_fini(&text);
                text = (struct buf){0};
                buf_print(&text, "all");
        }
        buf_print(&text, "%s", "");
        return (char *)text.data;
}
#define assert_changed(sr, from, to, blocks)                                                                 \
        do {                                                                                                 \
                AUTO_FREE char *is = told(sr, from, to);                                                     \
                                                                                                             \
                assert_string_equal(is ? is : "", blocks);                                                   \
        } while (0)

static enum err refused(struct sr *sr, const struct uuid *from, const struct uuid *to) {
        AUTO(changed_blocks_fini) struct changed_blocks blocks = {0};
        struct err_note note = {0};

        return changed(sr, from, to, &blocks, &note);
}

/* Three snapshots of a disk: blocks 1, 2 and 3 were written before each, and 4 since. */
struct three {
        struct io *io;
        struct sr *sr;
        struct uuid disk, s[3];
};

static struct three three_new(void) {
        struct three three = {.io = io_sim_new(1, 0)};

        three.sr = kit_create(three.io);
        three.disk = tracked_vdi(three.sr, "disk");
        for (unsigned i = 0; i < 3; i++) {
                AUTO_FREE char *name = mem_format("s%u", i + 1);

                write_one(three.sr, &three.disk, i + 1);
                three.s[i] = kit_snapshot(three.sr, &three.disk, name);
        }
        write_one(three.sr, &three.disk, 4);
        return three;
}

static void three_reopen(struct three *three) {
        sr_close(three->sr);
        three->sr = kit_open(three->io);
}

static void three_fini(struct three *three) {
        sr_close(three->sr);
        io_free(three->io);
}
DEFINE_AUTO_IN_PLACE(struct three, three_fini);

static bool holds_data(const struct three *three, unsigned i) {
        return sr_get_vdi(three->sr, &three->s[i])->has_data;
}

static void snapshots_with_their_data_are_compared_by_layers(void **state) {
        AUTO(three_fini) struct three three = three_new();

        (void)state;
        assert_changed(three.sr, &three.s[0], &three.s[1], "2");
        assert_changed(three.sr, &three.s[0], &three.s[2], "2 3");
        assert_changed(three.sr, &three.s[1], &three.disk, "3 4");
        assert_int_equal(sr_tree(three.sr)->listing.logs.n, 0);
}

/* Others have the SR between beginning and end: guests write, snapshots come and go. */
static void what_is_read_later_is_what_was_there(void **state) {
        AUTO(three_fini) struct three three = three_new();
        AUTO(changed_blocks_fini) struct changed_blocks blocks = {0};
        struct sr_changed *changed;
        struct err_note note = {0};
        struct uuid fourth;

        (void)state;
        assert_ok(sr_changed_begin(three.sr, &three.s[0], &three.s[2], &changed, &note));
        write_one(three.sr, &three.disk, 6);
        fourth = kit_snapshot(three.sr, &three.disk, "s4");
        kit_delete(three.sr, &three.s[1]);
        kit_delete(three.sr, &fourth);
        assert_int_equal(sr_vdi_delete(three.sr, &three.s[2], &note), ERR_BUSY);
        assert_ok(sr_changed_read(changed, &blocks, &note));
        for (unsigned i = 0; i < BITS; i++)
                assert_int_equal(cbt_bitmap_test(blocks.bits, i), i == 2 || i == 3);
        sr_changed_end(changed);
        kit_delete(three.sr, &three.s[2]);
}

/* Whoever wants to write to a disk is not kept from it by one who asks what changed. */
static void a_disk_that_is_compared_can_be_written_to_at_once(void **state) {
        AUTO(three_fini) struct three three = three_new();
        AUTO(changed_blocks_fini) struct changed_blocks blocks = {0};
        AUTO(sr_changed_end) struct sr_changed *changed = NULL;
        struct err_note note = {0};

        (void)state;
        assert_ok(sr_changed_begin(three.sr, &three.s[2], &three.disk, &changed, &note));
        write_one(three.sr, &three.disk, 6);
        assert_ok(sr_changed_read(changed, &blocks, &note));
        for (unsigned i = 0; i < BITS; i++)
                assert_int_equal(cbt_bitmap_test(blocks.bits, i), i == 4);
}

static void what_changed_is_told_also_when_the_data_is_gone(void **state) {
        AUTO(three_fini) struct three three = three_new();

        (void)state;
        destroy(three.sr, &three.s[1]);
        assert_false(holds_data(&three, 1));
        assert_true(sr_get_vdi(three.sr, &three.s[1])->is_metadata);
        for (unsigned i = 0; i < 2; i++) {
                assert_changed(three.sr, &three.s[0], &three.s[1], "2");
                assert_changed(three.sr, &three.s[1], &three.s[2], "3");
                assert_changed(three.sr, &three.s[0], &three.s[2], "2 3");
                three_reopen(&three);
        }
        destroy(three.sr, &three.s[0]);
        assert_false(holds_data(&three, 0));
        assert_changed(three.sr, &three.s[0], &three.s[1], "2");
        assert_changed(three.sr, &three.s[0], &three.s[2], "2 3");
        /* What comes after the last can be told only by the layer above it. */
        destroy(three.sr, &three.s[2]);
        assert_true(holds_data(&three, 2));
        assert_changed(three.sr, &three.s[0], &three.s[2], "2 3");
        assert_changed(three.sr, &three.s[0], &three.disk, "2 3 4");
}

static void the_last_ones_data_goes_with_the_next_destroy(void **state) {
        AUTO(three_fini) struct three three = three_new();
        struct uuid fourth;

        (void)state;
        destroy(three.sr, &three.s[2]);
        fourth = kit_snapshot(three.sr, &three.disk, "s4");
        write_one(three.sr, &three.disk, 5);
        assert_changed(three.sr, &three.s[2], &fourth, "4");
        destroy(three.sr, &fourth);
        assert_false(holds_data(&three, 2));
        assert_changed(three.sr, &three.s[2], &fourth, "4");
        assert_changed(three.sr, &three.s[0], &three.disk, "2 3 4 5");
        kit_delete(three.sr, &three.s[2]);
        assert_null(sr_get_vdi(three.sr, &three.s[2]));
        assert_changed(three.sr, &three.s[1], &fourth, "3 4");
}

static void a_failed_backups_snapshot_can_go_again(void **state) {
        AUTO(three_fini) struct three three = three_new();
        struct uuid failed, next, other;

        (void)state;
        destroy(three.sr, &three.s[2]);
        destroy(three.sr, &three.s[1]);
        failed = kit_snapshot(three.sr, &three.disk, "failed");
        write_one(three.sr, &three.disk, 6);
        /* Whatever else happens in the SR meanwhile. */
        other = kit_vdi(three.sr, "other");
        kit_delete(three.sr, &other);
        kit_delete(three.sr, &failed);
        next = kit_snapshot(three.sr, &three.disk, "next");
        assert_changed(three.sr, &three.s[2], &next, "4 6");
}

static void a_member_that_is_deleted_leaves_what_it_told_to_the_next(void **state) {
        AUTO(three_fini) struct three three = three_new();

        (void)state;
        destroy(three.sr, &three.s[0]);
        kit_delete(three.sr, &three.s[1]);
        assert_changed(three.sr, &three.s[0], &three.s[2], "2 3");
        three_reopen(&three);
        assert_changed(three.sr, &three.s[0], &three.s[2], "2 3");
        kit_delete(three.sr, &three.s[0]);
        assert_int_equal(sr_n_vdis(three.sr), 2);
        assert_changed(three.sr, &three.s[2], &three.disk, "4");
        three_reopen(&three);
        assert_int_equal(sr_n_vdis(three.sr), 2);
}

static void metadata_in_the_middle_can_be_deleted(void **state) {
        AUTO(three_fini) struct three three = three_new();

        (void)state;
        destroy(three.sr, &three.s[1]);
        kit_delete(three.sr, &three.s[1]);
        assert_changed(three.sr, &three.s[0], &three.s[2], "2 3");
        destroy(three.sr, &three.s[0]);
        assert_changed(three.sr, &three.s[0], &three.s[2], "2 3");
        three_reopen(&three);
        assert_int_equal(sr_n_vdis(three.sr), 3);
}

static void same_wrong_way_round_and_unrelated_are_told_apart(void **state) {
        AUTO(three_fini) struct three three = three_new();
        struct uuid other = tracked_vdi(three.sr, "other");

        (void)state;
        assert_int_equal(refused(three.sr, &three.s[0], &three.s[0]), ERR_INVALID);
        assert_int_equal(refused(three.sr, &three.s[1], &three.s[0]), ERR_INVALID);
        assert_int_equal(refused(three.sr, &three.s[1], &other), ERR_MISMATCH);
        destroy(three.sr, &three.s[0]);
        destroy(three.sr, &three.s[1]);
        assert_int_equal(refused(three.sr, &three.s[1], &three.s[0]), ERR_INVALID);
        assert_int_equal(refused(three.sr, &three.s[1], &other), ERR_MISMATCH);
}

static void metadata_is_not_opened_and_makes_no_children(void **state) {
        AUTO(three_fini) struct three three = three_new();
        struct err_note note = {0};
        struct chain *chain;
        struct uuid unused;

        (void)state;
        destroy(three.sr, &three.s[1]);
        destroy(three.sr, &three.s[2]);
        for (unsigned i = 1; i < 3; i++) {
                const struct uuid *gone = &three.s[i];

                assert_int_equal(sr_open_chain(three.sr, gone, CHAIN_READ, &chain, &note), ERR_INVALID);
                assert_int_equal(sr_vdi_clone(three.sr, gone, NULL, &unused, &note), ERR_INVALID);
                assert_int_equal(sr_vdi_revert(three.sr, &three.disk, gone, &note), ERR_INVALID);
                assert_ok(sr_vdi_data_destroy(three.sr, gone, &note));
        }
}

static void only_snapshots_made_with_tracking_are_destroyed(void **state) {
        AUTO(three_fini) struct three three = three_new();
        struct uuid plain = kit_vdi(three.sr, "plain"), snapshot = kit_snapshot(three.sr, &plain, "p1");
        struct err_note note = {0};

        (void)state;
        assert_int_equal(sr_vdi_data_destroy(three.sr, &three.disk, &note), ERR_INVALID);
        assert_int_equal(sr_vdi_data_destroy(three.sr, &snapshot, &note), ERR_INVALID);
        assert_int_equal(sr_vdi_set_cbt(three.sr, &snapshot, true, &note), ERR_INVALID);
}

static void without_tracking_nothing_is_kept_for_the_disk(void **state) {
        AUTO(three_fini) struct three three = three_new();
        struct err_note note = {0};

        (void)state;
        destroy(three.sr, &three.s[2]);
        assert_true(holds_data(&three, 2));
        assert_ok(sr_vdi_set_cbt(three.sr, &three.disk, false, &note));
        assert_false(holds_data(&three, 2));
        assert_changed(three.sr, &three.s[0], &three.s[2], "2 3");
        assert_int_equal(refused(three.sr, &three.s[2], &three.disk), ERR_MISMATCH);
}

static void a_disk_that_grew_says_that_all_behind_its_old_end_is_new(void **state) {
        AUTO(three_fini) struct three three = three_new();
        struct err_note note = {0};
        struct uuid grown;

        (void)state;
        assert_ok(sr_vdi_resize(three.sr, &three.disk, KIT_SIZE + 2 * CBT_BLOCK_SIZE, &note));
        grown = kit_snapshot(three.sr, &three.disk, "grown");
        destroy(three.sr, &three.s[1]);
        destroy(three.sr, &three.s[2]);
        assert_changed(three.sr, &three.s[1], &grown, "3 4 128 129");
        assert_int_equal(BITS, 128);
}

static void after_a_revert_there_are_two_branches(void **state) {
        AUTO(three_fini) struct three three = three_new();
        struct err_note note = {0};
        struct uuid branch;

        (void)state;
        assert_ok(sr_vdi_revert(three.sr, &three.disk, &three.s[0], &note));
        destroy(three.sr, &three.s[0]);
        assert_true(holds_data(&three, 0));
        write_one(three.sr, &three.disk, 7);
        branch = kit_snapshot(three.sr, &three.disk, "branch");
        destroy(three.sr, &branch);
        assert_false(holds_data(&three, 0));
        assert_changed(three.sr, &three.s[0], &branch, "7");
        assert_changed(three.sr, &three.s[0], &three.s[2], "2 3");
        assert_int_equal(refused(three.sr, &three.s[2], &branch), ERR_MISMATCH);
}

static void a_log_that_came_to_no_end_says_all(void **state) {
        AUTO(three_fini) struct three three = three_new();
        AUTO(change_log_fini) struct change_log log = {0};
        struct err_note note = {0};

        (void)state;
        destroy(three.sr, &three.s[0]);
        assert_ok(logbook_read(three.sr, &three.s[1], &log, &note));
        log.head.is_consistent = false;
        assert_ok(logbook_write(three.sr, &three.s[1], &log, &note));
        assert_changed(three.sr, &three.s[0], &three.s[1], "all");
}

/* What sm left of a disk: a log of its own, which says that block 50 was written since s3. */
static void leave_log(struct three *three) {
        AUTO(change_log_fini) struct change_log log = {0};
        struct err_note note = {0};

        assert_ok(change_log_init(&log, KIT_SIZE, &note));
        log.head.parent = three->s[2];
        cbt_bitmap_mark(log.bits, KIT_SIZE, 50 * CBT_BLOCK_SIZE, 1);
        assert_ok(logbook_write(three->sr, &three->disk, &log, &note));
        three_reopen(three);
        assert_true(logbook_has(three->sr, &three->disk));
}

static void a_log_that_sm_kept_goes_before_the_disk_is_changed(void **state) {
        AUTO(three_fini) struct three three = three_new();
        struct err_note note = {0};

        (void)state;
        leave_log(&three);
        write_one(three.sr, &three.disk, 9);
        assert_false(logbook_has(three.sr, &three.disk));
        leave_log(&three);
        assert_ok(sr_vdi_resize(three.sr, &three.disk, KIT_SIZE + 2 * MIB, &note));
        assert_false(logbook_has(three.sr, &three.disk));
        leave_log(&three);
        assert_ok(sr_vdi_revert(three.sr, &three.disk, &three.s[0], &note));
        assert_false(logbook_has(three.sr, &three.disk));
}

static void a_log_that_sm_kept_is_believed_until_then(void **state) {
        AUTO(three_fini) struct three three = three_new();
        struct err_note note = {0};

        (void)state;
        leave_log(&three);
        assert_ok(sr_vdi_set_cbt(three.sr, &three.disk, false, &note));
        destroy(three.sr, &three.s[2]);
        assert_false(holds_data(&three, 2));
        assert_changed(three.sr, &three.s[2], &three.disk, "50");
        assert_changed(three.sr, &three.s[1], &three.disk, "3 4");
}

static void metadata_outlives_the_catalog(void **state) {
        AUTO(three_fini) struct three three = three_new();
        struct err_note note = {0};
        struct uuid unused;

        (void)state;
        destroy(three.sr, &three.s[1]);
        assert_ok(sr_release(three.sr, &note));
        sr_close(TAKE(three.sr));
        assert_ok(sr_adopt(three.io, KIT_DIR, "again", NULL, &unused, &note));
        three.sr = kit_open(three.io);
        assert_int_equal(sr_n_vdis(three.sr), 4);
        assert_true(sr_get_vdi(three.sr, &three.s[1])->is_metadata);
        assert_int_equal(sr_get_vdi(three.sr, &three.s[1])->node->size, KIT_SIZE);
}

/* ---- against a model: what each snapshot held, by block ---- */

enum { STEPS = 60, MEMBERS = 64 };
struct model {
        struct three machine; /* s is not used */
        uint64_t dice;
        unsigned writes, disk[BITS];
        struct {
                struct uuid uuid;
                bool is_there;
                unsigned held[BITS];
        } members[MEMBERS];
        unsigned n;
};

static unsigned throw_dice(struct model *model, unsigned sides) {
        model->dice = model->dice * 6364136223846793005u + 1442695040888963407u;
        return (unsigned)(model->dice >> 33) % sides;
}

static void compare_pair(struct model *model, unsigned older, unsigned newer) {
        AUTO(changed_blocks_fini) struct changed_blocks blocks = {0};
        struct err_note note = {0};
        enum err err = changed(model->machine.sr, &model->members[older].uuid, &model->members[newer].uuid,
                               &blocks, &note);

        /* What leads to a later one may be gone with one that was the last; then it says so. */
        if (err == ERR_MISMATCH)
                return;
        /* Made at the same second with nothing written between: either may be the first. */
        if (err == ERR_INVALID && memcmp(model->members[older].held, model->members[newer].held,
                                         sizeof model->members[older].held) == 0)
                return;
        assert_ok(err);
        for (unsigned i = 0; i < BITS; i++)
                assert_int_equal(cbt_bitmap_test(blocks.bits, i),
                                 model->members[older].held[i] != model->members[newer].held[i]);
}

static void step(struct model *model) {
        struct sr *sr = model->machine.sr;
        unsigned which = model->n ? throw_dice(model, model->n) : 0;

        switch (throw_dice(model, 6)) {
        case 0:
        case 1: {
                unsigned at = throw_dice(model, 12) * 9;

                write_one(sr, &model->machine.disk, at);
                model->disk[at] = ++model->writes;
                return;
        }
        case 2:
        case 3:
                if (model->n == MEMBERS)
                        return;
                model->members[model->n].uuid = kit_snapshot(sr, &model->machine.disk, NULL);
                model->members[model->n].is_there = true;
                memcpy(model->members[model->n++].held, model->disk, sizeof model->disk);
                return;
        case 4:
                if (model->n && model->members[which].is_there)
                        destroy(sr, &model->members[which].uuid);
                return;
        default:
                if (model->n && model->members[which].is_there)
                        kit_delete(sr, &model->members[which].uuid);
                if (model->n)
                        model->members[which].is_there = false;
        }
}

static void histories_tell_of_every_pair_what_differs(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 12; seed++) {
                struct model *model = mem_new(struct model);

                model->dice = seed;
                model->machine.io = io_sim_new(seed, 0);
                model->machine.sr = kit_create(model->machine.io);
                model->machine.disk = tracked_vdi(model->machine.sr, "disk");
                for (unsigned i = 0; i < STEPS; i++)
                        step(model);
                for (unsigned i = 0; i < model->n; i++)
                        for (unsigned j = i + 1; j < model->n; j++)
                                if (model->members[i].is_there && model->members[j].is_there)
                                        compare_pair(model, i, j);
                three_fini(&model->machine);
                free(model);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(snapshots_with_their_data_are_compared_by_layers),
                cmocka_unit_test(what_is_read_later_is_what_was_there),
                cmocka_unit_test(a_disk_that_is_compared_can_be_written_to_at_once),
                cmocka_unit_test(what_changed_is_told_also_when_the_data_is_gone),
                cmocka_unit_test(the_last_ones_data_goes_with_the_next_destroy),
                cmocka_unit_test(a_failed_backups_snapshot_can_go_again),
                cmocka_unit_test(a_member_that_is_deleted_leaves_what_it_told_to_the_next),
                cmocka_unit_test(metadata_in_the_middle_can_be_deleted),
                cmocka_unit_test(same_wrong_way_round_and_unrelated_are_told_apart),
                cmocka_unit_test(metadata_is_not_opened_and_makes_no_children),
                cmocka_unit_test(only_snapshots_made_with_tracking_are_destroyed),
                cmocka_unit_test(without_tracking_nothing_is_kept_for_the_disk),
                cmocka_unit_test(a_disk_that_grew_says_that_all_behind_its_old_end_is_new),
                cmocka_unit_test(after_a_revert_there_are_two_branches),
                cmocka_unit_test(a_log_that_came_to_no_end_says_all),
                cmocka_unit_test(a_log_that_sm_kept_goes_before_the_disk_is_changed),
                cmocka_unit_test(a_log_that_sm_kept_is_believed_until_then),
                cmocka_unit_test(metadata_outlives_the_catalog),
                cmocka_unit_test(histories_tell_of_every_pair_what_differs),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
