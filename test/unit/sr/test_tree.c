// SPDX-License-Identifier: Apache-2.0
#include "sr_kit.h"

#include "tree.h"
#include "vhd_create.h"
#include "vhd_edit.h"

/* A folder of VHDs made one by one, named by one letter: 'a' is aaaaaaaa-aaaa-…. */

struct world {
        struct io *io;       /* owned */
        struct place *place; /* owned */
        struct tree tree;
};

static struct uuid uuid_of(char letter) {
        char text[UUID_TEXT_SIZE] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
        struct uuid uuid;

        for (char *c = text; *c; c++)
                if (*c == 'x')
                        *c = letter;
        assert_true(uuid_parse(text, &uuid));
        return uuid;
}

static struct world world_new(void) {
        struct world w = {.io = io_sim_new(3, 0)};
        struct err_note note = {0};

        assert_ok(io_make_dir(w.io, KIT_DIR, &note));
        assert_ok(place_dir_open(w.io, KIT_DIR, &w.place, &note));
        return w;
}

static void world_fini(struct world *w) {
        tree_fini(&w->tree);
        place_free(w->place);
        io_free(w->io);
}

static char *path_of(struct world *w, char letter) {
        struct uuid uuid = uuid_of(letter);
        struct place_name name = place_name_of(&uuid, IMAGE_VHD);

        return place_path(w->place, &name);
}

static const struct node *scan(struct world *w, char letter) {
        struct uuid uuid = uuid_of(letter);
        struct err_note note = {0};

        tree_fini(&w->tree);
        w->tree = (struct tree){0};
        assert_ok(tree_scan(w->place, &w->tree, &note));
        return tree_find(&w->tree, &uuid);
}

static void make(struct world *w, char letter, char parent) {
        AUTO_FREE char *path = path_of(w, letter);
        AUTO_FREE char *parent_path = parent ? path_of(w, parent) : NULL;
        struct vhd_create_options options = {.type = VHD_DYNAMIC, .size = KIT_SIZE, .uuid = uuid_of(letter)};
        struct vhd_parent link = {.path = parent_path};
        struct err_note note = {0};
        struct uuid unused;

        options.uuid.b[0] ^= 0xff; /* a footer's uuid is not the name's */
        if (parent) {
                link.uuid = uuid_of(parent);
                link.uuid.b[0] ^= 0xff;
                options.type = VHD_DIFFERENCING;
                options.parent = &link;
        }
        assert_ok(vhd_create(w->io, path, &options, &unused, &note));
}

static void damage(struct world *w, char letter, uint64_t at, size_t n) {
        AUTO_FREE char *path = path_of(w, letter);
        AUTO_FREE void *zeros = mem_zero(n);
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note = {0};

        assert_ok(io_open(w->io, path, IO_WRITE, &file, &note));
        assert_ok(io_write(file, zeros, n, at, &note));
}

static void drop(struct world *w, char letter) {
        AUTO_FREE char *path = path_of(w, letter);
        struct err_note note = {0};

        assert_ok(io_unlink(w->io, path, &note));
}

static void parents_children_and_depth_follow_from_the_files(void **state) {
        struct world w = world_new();

        (void)state;
        make(&w, 'a', 0);
        make(&w, 'b', 'a');
        make(&w, 'c', 'b');
        make(&w, 'd', 'b');
        make(&w, 'e', 0);
        const struct node *b = scan(&w, 'b');
        assert_int_equal(w.tree.nodes.n, 5);
        assert_int_equal(b->n_children, 2);
        assert_int_equal(b->n_claims, 2);
        assert_int_equal(b->depth, 2);
        assert_ptr_equal(b->first_child->parent, b);
        assert_ptr_equal(b->first_child->next_sibling->parent, b);
        assert_null(b->first_child->next_sibling->next_sibling);
        struct uuid c = uuid_of('c'), e = uuid_of('e'), a = uuid_of('a');
        assert_int_equal(tree_find(&w.tree, &c)->depth, 3);
        assert_int_equal(tree_find(&w.tree, &e)->depth, 1);
        assert_true(node_is_above(tree_find(&w.tree, &c), tree_find(&w.tree, &a)));
        assert_false(node_is_above(tree_find(&w.tree, &e), tree_find(&w.tree, &a)));
        assert_int_equal(b->size, KIT_SIZE);
        assert_true(b->allocated > 0 && b->allocated <= round_up(b->file_size, 4096));
        world_fini(&w);
}

static void a_missing_parent_is_an_error_of_its_tree_and_of_nobody_else(void **state) {
        struct world w = world_new();

        (void)state;
        make(&w, 'a', 0);
        make(&w, 'b', 'a');
        make(&w, 'c', 'b');
        make(&w, 'e', 0);
        drop(&w, 'a');
        const struct node *b = scan(&w, 'b');
        struct uuid c = uuid_of('c'), e = uuid_of('e');
        assert_int_equal(b->error.code, ERR_NOT_FOUND);
        assert_non_null(strstr(b->error.text, "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa.vhd in " KIT_DIR));
        assert_true(b->is_own_error);
        assert_int_equal(tree_find(&w.tree, &c)->error.code, ERR_NOT_FOUND);
        assert_false(tree_find(&w.tree, &c)->is_own_error);
        assert_int_equal(tree_find(&w.tree, &c)->depth, 0);
        assert_int_equal(tree_find(&w.tree, &e)->error.code, ERR_NONE);
        world_fini(&w);
}

static void another_file_under_the_parent_s_name_is_told_by_its_uuid(void **state) {
        struct world w = world_new();

        (void)state;
        make(&w, 'a', 0);
        make(&w, 'b', 'a');
        make(&w, 'e', 0);
        drop(&w, 'a');
        AUTO_FREE char *from = path_of(&w, 'e');
        AUTO_FREE char *to = path_of(&w, 'a');
        struct err_note note = {0};
        assert_ok(io_rename(w.io, from, to, &note));
        const struct node *b = scan(&w, 'b');
        assert_int_equal(b->error.code, ERR_MISMATCH);
        assert_non_null(strstr(b->error.text, "was made for a parent with uuid"));
        struct uuid a = uuid_of('a');
        assert_int_equal(tree_find(&w.tree, &a)->n_children, 0);
        assert_int_equal(tree_find(&w.tree, &a)->n_claims, 1);
        world_fini(&w);
}

/* a -> c -> b -> a, d above it; the uuids fit. */
static void a_loop_of_parents_ends_and_is_told(void **state) {
        struct world w = world_new();
        struct err_note note = {0};

        (void)state;
        make(&w, 'c', 0);
        make(&w, 'a', 'c');
        make(&w, 'b', 'a');
        make(&w, 'd', 'b');
        make(&w, 'e', 0);
        drop(&w, 'c');
        make(&w, 'c', 'b');
        const struct node *d = scan(&w, 'd');
        struct uuid e = uuid_of('e');
        unsigned n_own = 0;
        assert_true(d->error.code != ERR_NONE);
        VEC_EACH (&w.tree.nodes, each) {
                if ((*each)->error.code)
                        n_own += (*each)->is_own_error && strstr((*each)->error.text, "its own ancestor");
                else
                        assert_true(uuid_equal(&(*each)->uuid, &e));
        }
        assert_true(n_own >= 1);
        (void)note;
        world_fini(&w);
}

static void a_damaged_child_still_claims_its_parent(void **state) {
        struct world w = world_new();
        struct uuid a = uuid_of('a');

        (void)state;
        make(&w, 'a', 0);
        make(&w, 'b', 'a');
        damage(&w, 'b', 512 + 44, 4); /* in the header: its checksum is wrong */
        const struct node *b = scan(&w, 'b');
        assert_int_equal(b->error.code, ERR_CORRUPT);
        assert_int_equal(tree_find(&w.tree, &a)->n_children, 0);
        assert_true(tree_find(&w.tree, &a)->n_claims > 0);
        assert_int_equal(w.tree.n_unknown, 0);
        damage(&w, 'b', 0, 512); /* the copy, too */
        (void)scan(&w, 'b');
        assert_true(tree_find(&w.tree, &a)->n_claims > 0);
        world_fini(&w);
}

static void a_child_whose_header_is_gone_may_be_anybody_s(void **state) {
        struct world w = world_new();

        (void)state;
        make(&w, 'a', 0);
        make(&w, 'b', 'a');
        damage(&w, 'b', 512, 1024);
        (void)scan(&w, 'b');
        assert_int_equal(w.tree.n_unknown, 1);
        assert_string_equal(w.tree.unknown_name, "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb.vhd");
        world_fini(&w);
}

static void what_is_no_vhd_at_all_is_nobody_s_child(void **state) {
        struct world w = world_new();

        (void)state;
        make(&w, 'a', 0);
        make(&w, 'b', 0);
        AUTO_FREE char *path = path_of(&w, 'b');
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note = {0};
        assert_ok(io_open(w.io, path, IO_WRITE, &file, &note));
        assert_ok(io_truncate(file, 0, &note));
        io_close(TAKE(file));
        const struct node *b = scan(&w, 'b');
        assert_int_equal(b->error.code, ERR_CORRUPT);
        assert_int_equal(w.tree.n_unknown, 0);
        world_fini(&w);
}

static void files_that_are_being_made_claim_their_parents(void **state) {
        struct world w = world_new();
        struct uuid a = uuid_of('a'), b = uuid_of('b');
        struct place_name from = place_name_of(&b, IMAGE_VHD), to = place_name_new(&b, IMAGE_VHD);
        struct err_note note = {0};

        (void)state;
        make(&w, 'a', 0);
        make(&w, 'b', 'a');
        assert_ok(place_rename(w.place, &from, &to, &note));
        assert_null(scan(&w, 'b'));
        assert_int_equal(w.tree.listing.temporary.n, 1);
        assert_int_equal(tree_find(&w.tree, &a)->n_claims, 1);
        assert_int_equal(tree_find(&w.tree, &a)->n_children, 0);
        world_fini(&w);
}

static void two_names_of_one_file_are_aliases(void **state) {
        struct world w = world_new();
        struct uuid a = uuid_of('a'), b = uuid_of('b');
        struct place_name from = place_name_of(&a, IMAGE_VHD), to = place_name_of(&b, IMAGE_VHD);
        struct err_note note = {0};

        (void)state;
        make(&w, 'a', 0);
        make(&w, 'c', 0);
        assert_ok(place_link(w.place, &from, &to, &note));
        assert_true(scan(&w, 'a')->is_alias);
        assert_true(scan(&w, 'b')->is_alias);
        assert_false(scan(&w, 'c')->is_alias);
        world_fini(&w);
}

static void a_raw_disk_with_children_is_a_base(void **state) {
        struct world w = world_new();
        struct uuid a = uuid_of('a'), b = uuid_of('b');
        struct place_name raw = place_name_of(&a, IMAGE_RAW);
        AUTO_FREE char *raw_path = place_path(w.place, &raw);
        AUTO_FREE char *path = path_of(&w, 'b');
        struct vhd_parent link = {.path = raw_path, .is_raw = true};
        struct vhd_create_options options = {.type = VHD_DIFFERENCING, .size = KIT_SIZE, .parent = &link};
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note = {0};
        struct uuid unused;

        (void)state;
        assert_ok(io_open(w.io, raw_path, IO_WRITE | IO_CREATE, &file, &note));
        assert_ok(io_truncate(file, KIT_SIZE, &note));
        io_close(TAKE(file));
        assert_false(scan(&w, 'a')->is_hidden);
        assert_ok(vhd_create(w.io, path, &options, &unused, &note));
        assert_true(scan(&w, 'a')->is_hidden);
        assert_false(scan(&w, 'a')->is_hidden_in_both);
        assert_ptr_equal(tree_find(&w.tree, &b)->parent, tree_find(&w.tree, &a));
        world_fini(&w);
}

static void names_that_are_no_nodes_are_counted_or_known(void **state) {
        static const struct {
                const char *name;
                bool is_marked;
                enum place_mark mark;
        } table[] = {
                {"filelog.txt", false, PLACE_OLD},
                {"AAAAAAAA-aaaa-aaaa-aaaa-aaaaaaaaaaaa.vhd", false, PLACE_OLD},
                {"aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa.vhdx", false, PLACE_OLD},
                {"coalesce_aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", true, PLACE_COALESCE},
                {"relink_aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", true, PLACE_RELINK},
                {"leaf_aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", true, PLACE_LEAF},
                {"leaf_of_a_tree", false, PLACE_OLD},
                {"OLD_aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa.vhd", true, PLACE_OLD},
                {"aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa.vhd.new", true, PLACE_UNDONE},
                {"inflate_aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa_1234", true, PLACE_FOREIGN},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct world w = world_new();
                AUTO_FREE char *path = mem_format("%s/%s", KIT_DIR, table[i].name);
                AUTO(io_close) struct io_file *file = NULL;
                struct err_note note = {0};

                assert_ok(io_open(w.io, path, IO_WRITE | IO_CREATE, &file, &note));
                (void)scan(&w, 'a');
                assert_int_equal(w.tree.nodes.n, 0);
                assert_int_equal(w.tree.listing.marked.n, table[i].is_marked);
                assert_int_equal(w.tree.listing.n_others, !table[i].is_marked);
                if (table[i].is_marked)
                        assert_int_equal(w.tree.listing.marked.data[0].mark, table[i].mark);
                io_close(TAKE(file));
                world_fini(&w);
        }
}

static void a_scan_changes_nothing_and_reads_little(void **state) {
        struct world w = world_new();
        struct io_sim_count before;
        struct io_sim_traffic reads, after;

        (void)state;
        make(&w, 'a', 0);
        make(&w, 'b', 'a');
        before = io_sim_count(w.io);
        reads = io_sim_traffic(w.io);
        (void)scan(&w, 'a');
        after = io_sim_traffic(w.io);
        assert_int_equal(io_sim_count(w.io).changing, before.changing);
        assert_true(after.reads - reads.reads <= 2 * 8);
        assert_true(after.bytes_read - reads.bytes_read <= 2 * 8192);
        world_fini(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(parents_children_and_depth_follow_from_the_files),
                cmocka_unit_test(a_missing_parent_is_an_error_of_its_tree_and_of_nobody_else),
                cmocka_unit_test(another_file_under_the_parent_s_name_is_told_by_its_uuid),
                cmocka_unit_test(a_loop_of_parents_ends_and_is_told),
                cmocka_unit_test(a_damaged_child_still_claims_its_parent),
                cmocka_unit_test(a_child_whose_header_is_gone_may_be_anybody_s),
                cmocka_unit_test(what_is_no_vhd_at_all_is_nobody_s_child),
                cmocka_unit_test(files_that_are_being_made_claim_their_parents),
                cmocka_unit_test(two_names_of_one_file_are_aliases),
                cmocka_unit_test(a_raw_disk_with_children_is_a_base),
                cmocka_unit_test(names_that_are_no_nodes_are_counted_or_known),
                cmocka_unit_test(a_scan_changes_nothing_and_reads_little),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
