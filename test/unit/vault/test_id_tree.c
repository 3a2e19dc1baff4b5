// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "fixture.h"
#include "id_tree.h"
#include "mem.h"

enum { CHUNK = 65536 };

/* ---- nodes in memory ---- */

struct node {
        unsigned level;
        struct vault_id id;
        struct vault_id ids[VAULT_NODE_IDS];
};
struct shelf {
        struct keyring *keyring;
        VEC(struct node) nodes;
        unsigned n_reads, n_puts;
};

static struct node *find(struct shelf *shelf, const struct vault_id *id) {
        VEC_EACH (&shelf->nodes, node) {
                if (vault_id_compare(&node->id, id) == 0)
                        return node;
        }
        return NULL;
}

static enum err read_node(void *user, unsigned level, const struct vault_id *id,
                          struct vault_id ret[VAULT_NODE_IDS], struct err_note *note) {
        struct shelf *shelf = user;
        const struct node *node = find(shelf, id);

        if (!node || node->level != level)
                return err_set(note, ERR_NOT_FOUND, "no node");
        shelf->n_reads++;
        memcpy(ret, node->ids, sizeof node->ids);
        return ERR_NONE;
}

static enum err put_node(void *user, unsigned level, const struct vault_id *id,
                         const struct vault_id ids[VAULT_NODE_IDS], struct err_note *note) {
        struct shelf *shelf = user;
        struct node *node = find(shelf, id);

        (void)note;
        assert_false(vault_id_is_null(id));
        shelf->n_puts++;
        if (node)
                return ERR_NONE;
        node = vec_add(&shelf->nodes);
        node->level = level;
        node->id = *id;
        memcpy(node->ids, ids, sizeof node->ids);
        return ERR_NONE;
}

static int set_up(void **state) {
        struct shelf *shelf = mem_new(struct shelf);
        const struct vault_name vault = {{7}};

        shelf->keyring = keyring_new_plain(&vault);
        *state = shelf;
        return 0;
}

static int tear_down(void **state) {
        struct shelf *shelf = *state;

        keyring_free(shelf->keyring);
        vec_fini(&shelf->nodes);
        free(shelf);
        return 0;
}

/* ---- disks: what each chunk holds; 0 is zeros ---- */

struct disk {
        uint64_t n;
        uint8_t *content; /* owned */
        struct vault_id root;
};

static void disk_fini(struct disk *disk) {
        free(disk->content);
}
DEFINE_AUTO_IN_PLACE(struct disk, disk_fini);

static struct vault_id id_of(uint8_t content) {
        struct vault_id id = {{0}};

        id.b[5] = content;
        return id;
}

static struct id_tree_shape shape_of(const struct disk *disk) {
        struct id_tree_shape shape;

        id_tree_shape_of(disk->n * CHUNK, CHUNK, &shape);
        assert_int_equal(shape.n_chunks, disk->n);
        return shape;
}

static struct disk make_disk(uint64_t n, const uint8_t *content) {
        struct disk disk = {.n = n, .content = mem_zero(n + 1)};

        if (content)
                memcpy(disk.content, content, n);
        return disk;
}

static struct id_walk *walk(struct shelf *shelf, const struct disk *disk) {
        struct id_tree_shape shape = shape_of(disk);

        return id_walk_new(&(struct id_nodes){read_node, shelf}, &shape, &disk->root);
}

/* All of it in one go; holes by id_write_zeros, or not said at all. */
static void write_whole(struct shelf *shelf, struct disk *disk, bool says_zeros) {
        const struct id_write_options options = {
                .keyring = shelf->keyring, .shape = shape_of(disk), .put = put_node, .user = shelf};
        AUTO(id_write_free) struct id_write *write = id_write_new(&options);
        struct err_note note;

        for (uint64_t i = 0; i < disk->n; i++) {
                struct vault_id id = id_of(disk->content[i]);

                if (disk->content[i])
                        assert_ok(id_write_chunk(write, i, &id, &note));
                else if (says_zeros)
                        assert_ok(id_write_zeros(write, i, 1, &note));
        }
        assert_ok(id_write_end(write, &disk->root, &note));
}

/* What differs from the parent, and now and then something that does not. */
static void write_changes(struct shelf *shelf, struct disk *disk, const struct disk *parent,
                          struct fixture_dice *dice) {
        AUTO(id_walk_free) struct id_walk *of_parent = walk(shelf, parent);
        const struct id_write_options options = {.keyring = shelf->keyring,
                                                 .shape = shape_of(disk),
                                                 .parent = of_parent,
                                                 .put = put_node,
                                                 .user = shelf};
        AUTO(id_write_free) struct id_write *write = id_write_new(&options);
        struct err_note note;

        for (uint64_t i = 0; i < disk->n; i++) {
                struct vault_id id = id_of(disk->content[i]);

                if (disk->content[i] == (i < parent->n ? parent->content[i] : 0) &&
                    fixture_roll(dice, 50) > 0)
                        continue;
                assert_ok(id_write_chunk(write, i, &id, &note));
        }
        assert_ok(id_write_end(write, &disk->root, &note));
}

static void assert_same(const struct vault_id *a, const struct vault_id *b) {
        assert_string_equal(vault_id_format(a).s, vault_id_format(b).s);
}

/* ---- shapes ---- */

static void a_height_follows_from_the_size(void **state) {
        static const struct {
                uint64_t size, n;
                unsigned height;
        } cases[] = {
                {0, 0, 0},
                {1, 1, 0},
                {CHUNK, 1, 0},
                {CHUNK + 1, 2, 1},
                {256 * (uint64_t)CHUNK, 256, 1},
                {256 * (uint64_t)CHUNK + 1, 257, 2},
                {65536 * (uint64_t)CHUNK, 65536, 2},
                {65536 * (uint64_t)CHUNK + 1, 65537, 3},
                {UINT64_MAX, (uint64_t)1 << 48, 6},
        };

        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                struct id_tree_shape shape;

                id_tree_shape_of(cases[i].size, CHUNK, &shape);
                assert_int_equal(shape.n_chunks, cases[i].n);
                assert_int_equal(shape.height, cases[i].height);
        }
}

static void a_root_is_what_the_format_says(void **state) {
        struct shelf *shelf = *state;
        AUTO(disk_fini) struct disk one = make_disk(1, (const uint8_t[]){9});
        AUTO(disk_fini) struct disk two = make_disk(2, (const uint8_t[]){9, 3});
        AUTO(disk_fini) struct disk none = make_disk(0, NULL);
        struct vault_id ids[VAULT_NODE_IDS] = {0}, want = id_of(9);

        write_whole(shelf, &one, false);
        assert_same(&one.root, &want);
        ids[0] = id_of(9);
        ids[1] = id_of(3);
        keyring_node_id(shelf->keyring, 1, ids, &want);
        write_whole(shelf, &two, false);
        assert_same(&two.root, &want);
        write_whole(shelf, &none, false);
        assert_true(vault_id_is_null(&none.root));
}

static void zeros_are_stored_nowhere(void **state) {
        struct shelf *shelf = *state;
        AUTO(disk_fini) struct disk disk = make_disk(70000, NULL);

        write_whole(shelf, &disk, true);
        assert_true(vault_id_is_null(&disk.root));
        assert_int_equal(shelf->nodes.n, 0);
        disk.content[69999] = 1;
        write_whole(shelf, &disk, false);
        assert_int_equal(shelf->nodes.n, 3); /* its path alone */
}

/* ---- canonical ---- */

static const uint64_t sizes[] = {1, 2, 255, 256, 257, 300, 511, 512, 513, 700};
enum { N_SIZES = sizeof sizes / sizeof *sizes };

/* The same size, or longer, or shorter; some chunks other, some gone, a run of holes. */
static struct disk change(const struct disk *from, struct fixture_dice *dice) {
        struct disk disk =
                make_disk(fixture_roll(dice, 3) ? sizes[fixture_roll(dice, N_SIZES)] : from->n, NULL);
        uint64_t n_changes = fixture_roll(dice, 6);

        memcpy(disk.content, from->content, disk.n < from->n ? disk.n : from->n);
        for (uint64_t i = 0; i < n_changes; i++)
                disk.content[fixture_roll(dice, disk.n)] = (uint8_t)fixture_roll(dice, 4);
        if (fixture_roll(dice, 4) == 0) {
                uint64_t at = fixture_roll(dice, disk.n);

                memset(disk.content + at, 0, fixture_roll(dice, disk.n - at + 1));
        }
        return disk;
}

static void the_same_content_has_the_same_root_whatever_its_history(void **state) {
        struct shelf *shelf = *state;
        struct fixture_dice dice = {1};
        AUTO(disk_fini) struct disk disk = make_disk(1, NULL);

        write_whole(shelf, &disk, true);
        for (int i = 0; i < 300; i++) {
                struct disk next = change(&disk, &dice);
                struct vault_id incremental;

                write_changes(shelf, &next, &disk, &dice);
                incremental = next.root;
                write_whole(shelf, &next, i % 2);
                assert_same(&incremental, &next.root);
                disk_fini(&disk);
                disk = next;
        }
}

static void a_parent_of_another_size_is_taken_over_where_nothing_is_written(void **state) {
        static const uint64_t all[] = {0, 1, 2, 256, 257, 600, 65536, 65537};
        struct shelf *shelf = *state;
        struct err_note note;

        for (size_t i = 0; i < 64; i++) {
                AUTO(disk_fini) struct disk parent = make_disk(all[i / 8], NULL);
                AUTO(disk_fini) struct disk disk = make_disk(all[i % 8], NULL);
                AUTO(id_walk_free) struct id_walk *of_parent = NULL;
                AUTO(id_write_free) struct id_write *write = NULL;
                struct id_write_options options = {
                        .keyring = shelf->keyring, .shape = shape_of(&disk), .put = put_node, .user = shelf};
                struct vault_id root;

                memset(parent.content, 6, parent.n);
                memset(disk.content, 6, disk.n < parent.n ? disk.n : parent.n);
                write_whole(shelf, &parent, false);
                write_whole(shelf, &disk, false);
                of_parent = walk(shelf, &parent);
                options.parent = of_parent;
                write = id_write_new(&options);
                assert_ok(id_write_end(write, &root, &note));
                assert_same(&root, &disk.root);
        }
}

static void what_was_written_is_what_a_walk_finds(void **state) {
        struct shelf *shelf = *state;
        struct fixture_dice dice = {2};
        AUTO(disk_fini) struct disk disk = make_disk(66000, NULL);
        AUTO(id_walk_free) struct id_walk *of_disk = NULL;
        struct err_note note;
        uint64_t next = 0;

        for (int i = 0; i < 200; i++)
                disk.content[fixture_roll(&dice, disk.n)] = 5;
        write_whole(shelf, &disk, false);
        of_disk = walk(shelf, &disk);
        for (uint64_t i = 0; i < disk.n + 10; i++) {
                struct vault_id id, want = id_of(i < disk.n ? disk.content[i] : 0);

                assert_ok(id_walk_chunk(of_disk, i, &id, &note));
                assert_int_equal(vault_id_compare(&id, &want), 0);
        }
        for (uint64_t i = 0; i < disk.n; i++) {
                if (!disk.content[i])
                        continue;
                assert_ok(id_walk_next(of_disk, next, &next, &note));
                assert_int_equal(next, i);
                next++;
        }
        assert_ok(id_walk_next(of_disk, next, &next, &note));
        assert_int_equal(next, disk.n);
}

/* ---- cost ---- */

static void going_through_in_order_reads_each_node_once(void **state) {
        struct shelf *shelf = *state;
        AUTO(disk_fini) struct disk disk = make_disk(2000, NULL);
        AUTO(id_walk_free) struct id_walk *of_disk = NULL;
        struct err_note note;
        struct vault_id id;

        memset(disk.content, 1, disk.n);
        for (uint64_t i = 0; i < disk.n; i++)
                disk.content[i] = (uint8_t)(1 + i / 256);
        write_whole(shelf, &disk, false);
        of_disk = walk(shelf, &disk);
        for (uint64_t i = 0; i < disk.n; i++)
                assert_ok(id_walk_chunk(of_disk, i, &id, &note));
        assert_int_equal(shelf->n_reads, 1 + 8);
}

static void a_change_reads_and_writes_its_path_alone(void **state) {
        struct shelf *shelf = *state;
        struct fixture_dice dice = {3};
        AUTO(disk_fini) struct disk disk = make_disk(70000, NULL);
        AUTO(disk_fini) struct disk changed = {0};
        AUTO(id_walk_free) struct id_walk *of_disk = NULL;
        struct id_write_options options = {
                .keyring = shelf->keyring, .shape = shape_of(&disk), .put = put_node, .user = shelf};
        AUTO(id_write_free) struct id_write *write = NULL;
        struct vault_id id = id_of(77), root;
        struct err_note note;

        for (uint64_t i = 0; i < disk.n; i++)
                disk.content[i] = (uint8_t)(1 + fixture_roll(&dice, 255));
        write_whole(shelf, &disk, false);
        of_disk = walk(shelf, &disk);
        options.parent = of_disk;
        write = id_write_new(&options);
        shelf->n_reads = shelf->n_puts = 0;
        assert_ok(id_write_chunk(write, 30000, &id, &note));
        assert_ok(id_write_end(write, &root, &note));
        assert_int_equal(shelf->n_reads, 3);
        assert_int_equal(shelf->n_puts, 3);
}

static void differences_cost_what_differs(void **state) {
        struct shelf *shelf = *state;
        struct fixture_dice dice = {4};
        AUTO(disk_fini) struct disk a = make_disk(70000, NULL);
        AUTO(disk_fini) struct disk b = {0};
        AUTO(id_walk_free) struct id_walk *of_a = NULL;
        AUTO(id_walk_free) struct id_walk *of_b = NULL;
        struct err_note note;
        uint64_t n;

        for (uint64_t i = 0; i < a.n; i++)
                a.content[i] = (uint8_t)(1 + fixture_roll(&dice, 255));
        b = make_disk(a.n, a.content);
        b.content[12345] = 0;
        write_whole(shelf, &a, false);
        write_whole(shelf, &b, false);
        of_a = walk(shelf, &a);
        of_b = walk(shelf, &b);
        shelf->n_reads = 0;
        assert_ok(id_walk_differs(of_a, of_b, 0, &n, &note));
        assert_int_equal(n, 12345);
        assert_ok(id_walk_differs(of_a, of_b, n + 1, &n, &note));
        assert_int_equal(n, a.n);
        assert_int_equal(shelf->n_reads, 2 * 3);
}

static void differences_are_found_in_trees_of_any_two_sizes(void **state) {
        struct shelf *shelf = *state;
        struct fixture_dice dice = {5};
        AUTO(disk_fini) struct disk a = make_disk(300, NULL);
        struct err_note note;

        for (int i = 0; i < 150; i++) {
                struct disk b = change(&a, &dice);
                AUTO(id_walk_free) struct id_walk *of_a = NULL;
                AUTO(id_walk_free) struct id_walk *of_b = NULL;
                uint64_t n = 0, end = a.n > b.n ? a.n : b.n;

                write_whole(shelf, &a, false);
                write_whole(shelf, &b, false);
                of_a = walk(shelf, &a);
                of_b = walk(shelf, &b);
                for (uint64_t at = 0; at < end; at++) {
                        if ((at < a.n ? a.content[at] : 0) == (at < b.n ? b.content[at] : 0))
                                continue;
                        assert_ok(id_walk_differs(of_a, of_b, n, &n, &note));
                        assert_int_equal(n, at);
                        n++;
                }
                assert_ok(id_walk_differs(of_a, of_b, n, &n, &note));
                assert_int_equal(n, end);
                disk_fini(&a);
                a = b;
        }
}

/* ---- errors ---- */

static void a_node_that_cannot_be_read_is_an_error_and_may_be_asked_for_again(void **state) {
        struct shelf *shelf = *state;
        AUTO(disk_fini) struct disk disk = make_disk(300, NULL);
        AUTO(id_walk_free) struct id_walk *of_disk = NULL;
        struct err_note note;
        struct vault_id id;
        size_t n;

        memset(disk.content, 3, disk.n);
        write_whole(shelf, &disk, false);
        of_disk = walk(shelf, &disk);
        n = shelf->nodes.n;
        shelf->nodes.n = 0;
        assert_err(id_walk_chunk(of_disk, 299, &id, &note), ERR_NOT_FOUND, "no node");
        shelf->nodes.n = n;
        assert_ok(id_walk_chunk(of_disk, 299, &id, &note));
        assert_int_equal(id.b[5], 3);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
                TEST(a_height_follows_from_the_size),
                TEST(a_root_is_what_the_format_says),
                TEST(zeros_are_stored_nowhere),
                TEST(the_same_content_has_the_same_root_whatever_its_history),
                TEST(a_parent_of_another_size_is_taken_over_where_nothing_is_written),
                TEST(what_was_written_is_what_a_walk_finds),
                TEST(going_through_in_order_reads_each_node_once),
                TEST(a_change_reads_and_writes_its_path_alone),
                TEST(differences_cost_what_differs),
                TEST(differences_are_found_in_trees_of_any_two_sizes),
                TEST(a_node_that_cannot_be_read_is_an_error_and_may_be_asked_for_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
