// SPDX-License-Identifier: Apache-2.0
#include "call_kit.h"

#include "vhd_info.h"

static json_int_t int_at(const json_t *o, const char *a, const char *b) {
        return json_integer_value(json_object_get(b ? json_object_get(o, a) : o, b ? b : a));
}
static const char *text_at(const json_t *o, const char *a, const char *b) {
        return json_string_value(json_object_get(b ? json_object_get(o, a) : o, b ? b : a));
}

static json_t *describe(struct io *io, const char *path) {
        json_t *o = json_object();
        struct err_note note = {0};

        assert_ok(vhd_info_describe(io, path, o, &note));
        return o;
}

static void all_that_a_differencing_vhd_says_is_told(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(json_decref) json_t *info = NULL;

        (void)state;
        kit_do(io, "vhd", "create", "{'file': '/base.vhd', 'size': 67108864}");
        kit_do(io, "vhd", "snapshot", "{'parent': '/base.vhd', 'file': '/top.vhd'}");
        info = describe(io, "/top.vhd");
        assert_string_equal(text_at(info, "type", NULL), "differencing");
        assert_int_equal(int_at(info, "size", NULL), 64 << 20);
        assert_int_equal(int_at(info, "depth", NULL), 2);
        assert_int_equal(int_at(info, "blocks", NULL), 32);
        assert_int_equal(int_at(info, "blocks_allocated", NULL), 0);
        assert_string_equal(text_at(info, "parent", "path"), "/base.vhd");
        assert_true(json_is_true(json_object_get(json_object_get(info, "parent"), "uuid_matches")));
        assert_string_equal(text_at(info, "footer", "creator"), "tap");
        assert_string_equal(text_at(info, "footer", "creator_version"), "1.3");
        assert_string_equal(text_at(info, "footer", "copy"), "valid");
        assert_string_equal(text_at(info, "header", "parent_name"), "base.vhd");
        assert_int_equal(int_at(info, "header", "table_offset"), 1536);
        assert_string_equal(text_at(info, "batmap", "checksum"), "valid");
        assert_int_equal(json_array_size(json_object_get(info, "locators")), 3);
}

static void a_fixed_vhd_has_no_header(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(json_decref) json_t *info = NULL;

        (void)state;
        kit_do(io, "vhd", "create", "{'file': '/f.vhd', 'size': 4194304, 'fixed': true}");
        info = describe(io, "/f.vhd");
        assert_string_equal(text_at(info, "type", NULL), "fixed");
        assert_null(json_object_get(info, "header"));
        assert_int_equal(int_at(info, "depth", NULL), 1);
}

static void what_is_damaged_is_told_where_the_rest_can_be_read(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(json_decref) json_t *info = NULL;
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note = {0};

        (void)state;
        kit_do(io, "vhd", "create", "{'file': '/f.vhd', 'size': 67108864}");
        assert_ok(io_open(io, "/f.vhd", IO_WRITE, &file, &note));
        assert_ok(io_write(file, "damage", 6, 3072, &note)); /* the footer at the end */
        assert_ok(io_write(file, "damage", 6, 2560, &note)); /* the batmap */
        info = describe(io, "/f.vhd");
        assert_string_equal(text_at(info, "footer", "end"), "damaged");
        assert_string_equal(text_at(info, "batmap", "checksum"), "damaged");
}

static void depth_is_not_told_where_the_chain_has_no_end(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};

        (void)state;
        kit_do(io, "vhd", "create", "{'file': '/a.vhd', 'size': 67108864}");
        kit_do(io, "vhd", "snapshot", "{'parent': '/a.vhd', 'file': '/b.vhd'}");
        kit_do(io, "vhd", "snapshot", "{'parent': '/b.vhd', 'file': '/c.vhd'}");
        assert_int_equal(vhd_info_depth(io, "/c.vhd"), 3);
        assert_ok(io_rename(io, "/b.vhd", "/a.vhd", &note)); /* its own parent now */
        assert_int_equal(vhd_info_depth(io, "/a.vhd"), 0);
        assert_int_equal(vhd_info_depth(io, "/c.vhd"), 0); /* b is missing */
}

/* ---- trees ----------------------------------------------------------------------------------- */

static void a_tree_shows_children_under_their_parents(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(json_decref) json_t *tree = NULL;
        struct err_note note = {0};
        static const struct {
                const char *file;
                int level, depth;
        } rows[] = {{"/d/a.vhd", 0, 1}, {"/d/b.vhd", 1, 2}, {"/d/c.vhd", 2, 3},
                    {"/d/e.vhd", 1, 2}, {"/x.raw", 0, 1},   {"/d/r.vhd", 1, 2}};

        (void)state;
        assert_ok(io_make_dir(io, "/d", &note));
        kit_put_file(io, "/x.raw", "raw", 3);
        kit_put_file(io, "/d/other.txt", "x", 1);
        kit_do(io, "vhd", "create", "{'file': '/d/a.vhd', 'size': 67108864}");
        kit_do(io, "vhd", "snapshot", "{'parent': '/d/a.vhd', 'file': '/d/b.vhd'}");
        kit_do(io, "vhd", "snapshot", "{'parent': '/d/b.vhd', 'file': '/d/c.vhd'}");
        kit_do(io, "vhd", "snapshot", "{'parent': '/d/a.vhd', 'file': '/d/e.vhd'}");
        kit_do(io, "vhd", "snapshot", "{'parent': '/x.raw', 'file': '/d/r.vhd'}");
        tree = kit_call(io, "vhd", "tree", "{'files': ['/d', '/d/a.vhd']}");
        assert_int_equal(json_array_size(json_object_get(tree, "nodes")), 6);
        for (size_t i = 0; i < 6; i++) {
                const json_t *row = json_array_get(json_object_get(tree, "nodes"), i);

                assert_string_equal(text_at(row, "file", NULL), rows[i].file);
                assert_int_equal(int_at(row, "level", NULL), rows[i].level);
                assert_int_equal(int_at(row, "depth", NULL), rows[i].depth);
                assert_true(json_is_null(json_object_get(row, "error")));
        }
}

static void a_tree_with_a_loop_or_a_gap_ends(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        enum verb_outcome outcome;
        json_t *tree = NULL;

        (void)state;
        kit_do(io, "vhd", "create", "{'file': '/a.vhd', 'size': 67108864}");
        kit_do(io, "vhd", "snapshot", "{'parent': '/a.vhd', 'file': '/b.vhd'}");
        kit_do(io, "vhd", "snapshot", "{'parent': '/b.vhd', 'file': '/c.vhd'}");
        assert_ok(io_rename(io, "/b.vhd", "/a.vhd", &note));
        assert_ok(kit_try(io, "vhd", "tree", "{'files': ['/']}", &tree, &outcome, &note));
        assert_int_equal(outcome, VERB_FINDINGS);
        assert_int_equal(json_array_size(json_object_get(tree, "nodes")), 2);
        json_decref(tree);
}

/* ---- maps ------------------------------------------------------------------------------------ */

static void a_map_covers_the_disk_and_names_the_file(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(json_decref) json_t *map = NULL;
        AUTO_FREE uint8_t *data = mem_zero(3 << 20);
        json_t *extents;

        (void)state;
        memset(data + MIB, 7, MIB);
        kit_put_file(io, "/a.raw", data, 3 << 20);
        kit_do(io, "vhd", "convert", "{'source': '/a.raw', 'file': '/a.vhd'}");
        kit_do(io, "vhd", "snapshot", "{'parent': '/a.vhd', 'file': '/b.vhd'}");
        map = kit_call(io, "vhd", "map", "{'file': '/b.vhd'}");
        extents = json_object_get(map, "extents");
        assert_int_equal(json_array_size(extents), 2);
        assert_int_equal(int_at(json_array_get(extents, 0), "length", NULL), 2 << 20);
        assert_int_equal(int_at(json_array_get(extents, 0), "depth", NULL), 1);
        assert_string_equal(text_at(json_array_get(extents, 0), "file", NULL), "/a.vhd");
        assert_true(json_is_true(json_object_get(json_array_get(extents, 1), "zero")));
        assert_int_equal(int_at(json_array_get(extents, 1), "start", NULL), 2 << 20);
        assert_int_equal(int_at(json_array_get(extents, 1), "length", NULL), 1 << 20);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_that_a_differencing_vhd_says_is_told),
                cmocka_unit_test(a_fixed_vhd_has_no_header),
                cmocka_unit_test(what_is_damaged_is_told_where_the_rest_can_be_read),
                cmocka_unit_test(depth_is_not_told_where_the_chain_has_no_end),
                cmocka_unit_test(a_tree_shows_children_under_their_parents),
                cmocka_unit_test(a_tree_with_a_loop_or_a_gap_ends),
                cmocka_unit_test(a_map_covers_the_disk_and_names_the_file),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
