// SPDX-License-Identifier: Apache-2.0
#include "sr_kit.h"

#include "place.h"
#include "sr_state.h"

/* Folders as sm leaves them: made by an SR of ours that is then released, so that only the files are left. */

static void release(struct sr *sr) {
        struct err_note note = {0};

        assert_ok(sr_release(sr, &note));
        sr_close(sr);
}

static char *path_of(const struct uuid *uuid) {
        return mem_format("%s/%s.vhd", KIT_DIR, uuid_format(uuid).s);
}

static void make_journal(struct io *io, const char *start, const struct uuid *uuid, const char *value) {
        AUTO_FREE char *path = mem_format("%s/%s%s", KIT_DIR, start, uuid_format(uuid).s);
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note = {0};

        assert_ok(io_open(io, path, IO_WRITE | IO_CREATE, &file, &note));
        if (*value)
                assert_ok(io_write(file, value, strlen(value), 0, &note));
}

static void rename_file(struct io *io, const struct uuid *from, const char *start, const struct uuid *to) {
        AUTO_FREE char *from_path = path_of(from);
        AUTO_FREE char *to_path = mem_format("%s/%s%s.vhd", KIT_DIR, start, uuid_format(to).s);
        struct err_note note = {0};

        assert_ok(io_rename(io, from_path, to_path, &note));
}

static void set_hidden(struct io *io, const struct uuid *uuid, bool is_hidden) {
        AUTO(place_free) struct place *place = NULL;
        struct place_name name = place_name_of(uuid, IMAGE_VHD);
        struct err_note note = {0};

        assert_ok(place_dir_open(io, KIT_DIR, &place, &note));
        assert_ok(place_set_hidden(place, &name, is_hidden, &note));
}

static void adopt(struct io *io) {
        struct err_note note = {0};
        struct uuid uuid;

        assert_ok(sr_adopt(io, KIT_DIR, "adopted", NULL, &uuid, &note));
}

/* Listing says the words and changes nothing. */
static void assert_listed(struct io *io, const char *words, bool is_refused) {
        AUTO(adoption_fini) struct adoption adoption = {0};
        struct io_sim_count before = io_sim_count(io);
        struct err_note note = {0};
        bool is_said = false;

        assert_ok(sr_adopt_list(io, KIT_DIR, &adoption, &note));
        assert_int_equal(io_sim_count(io).changing, before.changing);
        VEC_EACH (&adoption.steps, each) {
                is_said |= strstr(each->text, words) && each->is_refused == is_refused;
        }
        assert_true(is_said);
}

struct chain_of_two {
        struct uuid vdi, snapshot, base; /* base: hidden, "AB.."; vdi: "ACC." upon it */
};

/* With `snapshot` deleted, so that vdi is the base's only child. */
static struct chain_of_two make_two(struct io *io) {
        struct sr *sr = kit_create(io);
        struct chain_of_two two = {.vdi = kit_vdi(sr, "a")};

        kit_write(sr, &two.vdi, "AB");
        two.snapshot = kit_snapshot(sr, &two.vdi, "s");
        kit_write(sr, &two.vdi, ".CC");
        two.base = tree_find(sr_tree(sr), &two.vdi)->parent->uuid;
        kit_delete(sr, &two.snapshot);
        release(sr);
        return two;
}

static void a_folder_of_disks_becomes_an_sr_and_goes_back(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct chain_of_two two = make_two(io);
        AUTO(adoption_fini) struct adoption adoption = {0};
        struct err_note note = {0};
        struct uuid uuid;
        struct sr *sr;

        (void)state;
        assert_err(sr_open(io, KIT_DIR, NULL, &sr, &note), ERR_INVALID, "is not an SR");
        assert_err(sr_create(io, KIT_DIR, "x", NULL, &uuid, &note), ERR_EXISTS, "2 disks lie in");
        assert_ok(sr_adopt_list(io, KIT_DIR, &adoption, &note));
        assert_int_equal(adoption.n_vdis, 1);
        assert_int_equal(adoption.n_hidden, 1);
        adopt(io);
        sr = kit_open(io);
        assert_string_equal(sr_info(sr)->name, "adopted");
        assert_int_equal(sr_n_vdis(sr), 1);
        assert_reads(sr, &two.vdi, "ACC.");
        release(sr);
        AUTO(io_names_fini) struct io_names names = {0};
        assert_ok(io_list(io, KIT_DIR, &names, &note));
        assert_int_equal(names.names.n, 2);
}

static void read_only_needs_no_catena_and_changes_nothing(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct chain_of_two two = make_two(io);
        struct io_sim_count before = io_sim_count(io);
        struct sr *sr = kit_open_as(io, SR_READ_ONLY);
        struct err_note note = {0};
        struct chain *chain;

        (void)state;
        assert_reads(sr, &two.vdi, "ACC.");
        assert_string_equal(sr_vdi_at(sr, 0)->row.name, uuid_format(&two.vdi).s);
        assert_err(sr_open_chain(sr, &two.vdi, CHAIN_WRITE, &chain, &note), ERR_READ_ONLY, "read-only");
        assert_err(sr_vdi_delete(sr, &two.vdi, &note), ERR_READ_ONLY, "read-only");
        sr_close(sr);
        assert_int_equal(io_sim_count(io).changing, before.changing);
}

static void a_coalesce_marker_is_removed(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct chain_of_two two = make_two(io);
        struct err_note note = {0};
        struct sr *sr;

        (void)state;
        make_journal(io, "coalesce_", &two.base, "1");
        assert_listed(io, "did no harm", false);
        adopt(io);
        sr = kit_open(io);
        assert_reads(sr, &two.vdi, "ACC.");
        assert_int_equal(kit_n_files(io), 2);
        sr_close(sr);
        make_journal(io, "coalesce_", &two.base, "1");
        assert_err(sr_open(io, KIT_DIR, NULL, &sr, &note), ERR_INVALID, "sr adopt");
}

/* The host used the folder once more. */
static void an_sr_that_sm_used_since_is_adopted_again_and_keeps_its_names(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), was = sr_info(sr)->uuid, uuid;
        struct err_note note = {0};

        (void)state;
        kit_write(sr, &vdi, "AB");
        sr_close(sr);
        assert_err(sr_adopt(io, KIT_DIR, NULL, NULL, &uuid, &note), ERR_EXISTS, "is an SR already");
        make_journal(io, "coalesce_", &vdi, "1");
        assert_err(sr_open(io, KIT_DIR, NULL, &sr, &note), ERR_INVALID, "sr adopt");
        assert_ok(sr_adopt(io, KIT_DIR, NULL, NULL, &uuid, &note));
        assert_true(uuid_equal(&uuid, &was));
        sr = kit_open(io);
        assert_string_equal(sr_info(sr)->name, "main");
        assert_string_equal(sr_get_vdi(sr, &vdi)->row.name, "a");
        assert_reads(sr, &vdi, "AB..");
        sr_close(sr);
}

static void two_that_were_cut_short_in_one_folder_are_left_to_people(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), uuid;
        const struct intent ours = {.uuid = {{1}}, .kind = INTENT_PIVOT, .vdi = vdi, .other = {{2}}};
        struct err_note note = {0};

        (void)state;
        assert_ok(sr_note_change(sr, NULL, &ours, NULL, &note));
        sr_close(sr);
        make_journal(io, "coalesce_", &vdi, "1");
        assert_err(sr_adopt(io, KIT_DIR, NULL, NULL, &uuid, &note), ERR_BUSY, "neither is one by sm");
        assert_listed(io, "did no harm", false);
}

/* base <- middle <- vdi; the middle holds nothing that the base does not. */
static void a_relink_is_finished_and_the_emptied_node_is_garbage(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), clone, middle, base;
        struct err_note note = {0};
        uint64_t bytes;
        unsigned n;

        (void)state;
        kit_write(sr, &vdi, "AB");
        (void)kit_snapshot(sr, &vdi, "s");
        kit_write(sr, &vdi, "AB");
        clone = kit_clone(sr, &vdi, "c");
        kit_write(sr, &vdi, "..C");
        middle = tree_find(sr_tree(sr), &vdi)->parent->uuid;
        base = tree_find(sr_tree(sr), &middle)->parent->uuid;
        release(sr);
        make_journal(io, "relink_", &middle, "1");
        assert_listed(io, "2 children of it are given its parent", false);
        adopt(io);
        sr = kit_open(io);
        assert_true(uuid_equal(&tree_find(sr_tree(sr), &vdi)->parent->uuid, &base));
        assert_true(uuid_equal(&tree_find(sr_tree(sr), &clone)->parent->uuid, &base));
        assert_ok(sr_garbage(sr, &n, &bytes, NULL, &note));
        assert_int_equal(n, 1);
        assert_null(tree_find(sr_tree(sr), &middle));
        assert_reads(sr, &vdi, "ABC.");
        assert_reads(sr, &clone, "AB..");
        sr_close(sr);
}

static void assert_as_before(struct io *io, const struct chain_of_two *two) {
        struct sr *sr;

        assert_listed(io, "the leaf coalesce is undone", false);
        adopt(io);
        sr = kit_open(io);
        assert_int_equal(sr_n_vdis(sr), 1);
        assert_reads(sr, &two->vdi, "ACC.");
        assert_true(tree_find(sr_tree(sr), &two->base)->is_hidden_in_both);
        assert_int_equal(kit_n_files(io), 2);
        sr_close(sr);
}

static void a_leaf_coalesce_is_undone_before_its_renames(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct chain_of_two two = make_two(io);

        (void)state;
        set_hidden(io, &two.base, false);
        make_journal(io, "leaf_", &two.vdi, uuid_format(&two.base).s);
        assert_as_before(io, &two);
}

static void a_leaf_coalesce_is_undone_between_its_renames(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct chain_of_two two = make_two(io);

        (void)state;
        set_hidden(io, &two.base, false);
        make_journal(io, "leaf_", &two.vdi, uuid_format(&two.base).s);
        rename_file(io, &two.vdi, "OLD_", &two.vdi);
        assert_as_before(io, &two);
}

static void a_leaf_coalesce_is_undone_after_both_its_renames(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct chain_of_two two = make_two(io);

        (void)state;
        set_hidden(io, &two.base, false);
        set_hidden(io, &two.vdi, true);
        make_journal(io, "leaf_", &two.vdi, uuid_format(&two.base).s);
        rename_file(io, &two.vdi, "OLD_", &two.vdi);
        rename_file(io, &two.base, "", &two.vdi);
        assert_as_before(io, &two);
}

static void a_leaf_coalesce_whose_files_are_gone_is_finished(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct chain_of_two two = make_two(io);
        AUTO_FREE char *old = path_of(&two.vdi);
        struct err_note note = {0};
        struct sr *sr;

        (void)state;
        set_hidden(io, &two.base, false);
        assert_ok(io_unlink(io, old, &note));
        rename_file(io, &two.base, "", &two.vdi);
        make_journal(io, "leaf_", &two.vdi, uuid_format(&two.base).s);
        assert_listed(io, "had ended", false);
        adopt(io);
        sr = kit_open(io);
        assert_reads(sr, &two.vdi, "AB..");
        assert_int_equal(kit_n_files(io), 1);
        sr_close(sr);
}

static void an_old_leaf_without_a_journal_is_deleted_if_it_is_hidden(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct chain_of_two two = make_two(io);
        struct sr *sr;

        (void)state;
        set_hidden(io, &two.base, false);
        set_hidden(io, &two.vdi, true);
        rename_file(io, &two.vdi, "OLD_", &two.vdi);
        rename_file(io, &two.base, "", &two.vdi);
        assert_listed(io, "it is deleted", false);
        adopt(io);
        sr = kit_open(io);
        assert_reads(sr, &two.vdi, "AB..");
        assert_int_equal(kit_n_files(io), 1);
        sr_close(sr);
}

static void an_empty_leaf_journal_is_refused_and_nothing_is_touched(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct chain_of_two two = make_two(io);
        struct err_note note = {0};
        struct uuid uuid;

        (void)state;
        make_journal(io, "leaf_", &two.vdi, "");
        assert_listed(io, "it is empty", true);
        struct io_sim_count before = io_sim_count(io);
        assert_err(sr_adopt(io, KIT_DIR, "x", NULL, &uuid, &note), ERR_CORRUPT, "it is empty");
        assert_int_equal(io_sim_count(io).changing, before.changing);
}

static void a_leaf_journal_that_names_a_stranger_is_refused(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid a = kit_vdi(sr, "a"), b = kit_vdi(sr, "b"), uuid;
        struct err_note note = {0};

        (void)state;
        release(sr);
        make_journal(io, "leaf_", &a, uuid_format(&b).s);
        assert_listed(io, "is not the parent of", true);
        assert_err(sr_adopt(io, KIT_DIR, "x", NULL, &uuid, &note), ERR_CORRUPT, "is not the parent of");
}

/* L linked to B, the new file half-written. */
static void an_unfinished_snapshot_of_sm_is_undone(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), base = {{9}};
        AUTO_FREE char *path = path_of(&vdi);
        AUTO_FREE char *base_path = path_of(&base);
        AUTO_FREE char *new_path = mem_format("%s.new", path);
        struct err_note note = {0};

        (void)state;
        kit_write(sr, &vdi, "AB");
        release(sr);
        assert_ok(io_link(io, path, base_path, &note));
        AUTO(io_close) struct io_file *file = NULL;
        assert_ok(io_open(io, new_path, IO_WRITE | IO_CREATE, &file, &note));
        assert_ok(io_write(file, "conectix", 8, 0, &note));
        assert_listed(io, "a snapshot was not finished", false);
        adopt(io);
        sr = kit_open(io);
        assert_int_equal(kit_n_files(io), 1);
        assert_reads(sr, &vdi, "AB..");
        kit_write(sr, &vdi, "C");
        sr_close(sr);
}

static void two_names_of_one_file_are_shown_and_not_written(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), base = {{9}};
        AUTO_FREE char *path = path_of(&vdi);
        AUTO_FREE char *base_path = path_of(&base);
        AUTO(adoption_fini) struct adoption adoption = {0};
        struct err_note note = {0};
        struct chain *chain;

        (void)state;
        release(sr);
        assert_ok(io_link(io, path, base_path, &note));
        assert_ok(sr_adopt_list(io, KIT_DIR, &adoption, &note));
        assert_int_equal(adoption.findings.list.n, 2);
        adopt(io);
        sr = kit_open(io);
        assert_err(sr_open_chain(sr, &vdi, CHAIN_WRITE, &chain, &note), ERR_BUSY, "two names");
        assert_err(sr_vdi_delete(sr, &vdi, &note), ERR_BUSY, "two names");
        sr_close(sr);
}

static void what_is_leased_or_open_is_not_released(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), lease;
        struct err_note note = {0};
        struct chain *chain;

        (void)state;
        assert_ok(sr_lease(sr, &vdi, "export", "nightly", &lease, &note));
        assert_err(sr_release(sr, &note), ERR_BUSY, "leased by nightly");
        assert_ok(sr_lease_end(sr, &lease, &note));
        assert_ok(sr_open_chain(sr, &vdi, CHAIN_READ, &chain, &note));
        assert_err(sr_release(sr, &note), ERR_BUSY, "open");
        assert_ok(sr_close_chain(sr, chain, &note));
        release(sr);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_folder_of_disks_becomes_an_sr_and_goes_back),
                cmocka_unit_test(read_only_needs_no_catena_and_changes_nothing),
                cmocka_unit_test(a_coalesce_marker_is_removed),
                cmocka_unit_test(an_sr_that_sm_used_since_is_adopted_again_and_keeps_its_names),
                cmocka_unit_test(two_that_were_cut_short_in_one_folder_are_left_to_people),
                cmocka_unit_test(a_relink_is_finished_and_the_emptied_node_is_garbage),
                cmocka_unit_test(a_leaf_coalesce_is_undone_before_its_renames),
                cmocka_unit_test(a_leaf_coalesce_is_undone_between_its_renames),
                cmocka_unit_test(a_leaf_coalesce_is_undone_after_both_its_renames),
                cmocka_unit_test(a_leaf_coalesce_whose_files_are_gone_is_finished),
                cmocka_unit_test(an_old_leaf_without_a_journal_is_deleted_if_it_is_hidden),
                cmocka_unit_test(an_empty_leaf_journal_is_refused_and_nothing_is_touched),
                cmocka_unit_test(a_leaf_journal_that_names_a_stranger_is_refused),
                cmocka_unit_test(an_unfinished_snapshot_of_sm_is_undone),
                cmocka_unit_test(two_names_of_one_file_are_shown_and_not_written),
                cmocka_unit_test(what_is_leased_or_open_is_not_released),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
