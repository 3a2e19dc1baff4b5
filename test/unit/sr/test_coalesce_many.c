// SPDX-License-Identifier: Apache-2.0
/* Many at once: a run of 500 nodes in one pass, and gc with ten trees of which all run. */
#include "sr_kit.h"

#include "coalesce.h"
#include "fixture.h"
#include "gc.h"
#include "vhd_create.h"
#include "vhd_edit.h"

/* ---- 500 nodes ---- */

enum { NODES = 500 };

static struct uuid node_uuid(unsigned i) {
        struct uuid uuid = {{0}};

        uuid.b[0] = 1;
        uuid.b[14] = (uint8_t)(i >> 8);
        uuid.b[15] = (uint8_t)i;
        return uuid;
}

static char *node_path(unsigned i) {
        struct uuid uuid = node_uuid(i);

        return mem_format("%s/%s.vhd", KIT_DIR, uuid_format(&uuid).s);
}

/* Layer i has a page of its own, and one that each layer above covers. */
static void write_layer(struct images *images, const char *path, unsigned i) {
        uint8_t page[4096];
        struct err_note note;
        struct chain *chain;

        memset(page, (int)(1 + i % 255), sizeof page);
        assert_ok(chain_open(images, path, CHAIN_WRITE, &chain, &note));
        assert_ok(chain_write(chain, page, sizeof page, 0, &note));
        assert_ok(chain_write(chain, page, sizeof page, (i + 1) * sizeof page, &note));
        assert_ok(chain_close(chain, &note));
}

/* As another tool would leave them: files, of which all but the last are hidden. */
static void make_files(struct io *io) {
        struct images images;
        struct err_note note;

        assert_ok(io_make_dir(io, KIT_DIR, &note));
        images_init(&images, io, &kit_images);
        for (unsigned i = 0; i < NODES; i++) {
                AUTO_FREE char *path = node_path(i), *parent = i ? node_path(i - 1) : NULL;
                AUTO(io_close) struct io_file *file = NULL;

                assert_ok(fixture_vhd(io, path, KIT_SIZE, parent, &note));
                write_layer(&images, path, i);
                if (i == 0)
                        continue;
                assert_ok(io_open(io, parent, IO_WRITE, &file, &note));
                assert_ok(vhd_edit_set_hidden(file, true, &note));
        }
        images_fini(&images);
        assert_ok(io_sync_dir(io, KIT_DIR, &note));
}

static void reads_as_all_layers(struct sr *sr, const struct uuid *vdi) {
        struct err_note note;
        struct chain *chain;
        uint8_t page[4096];

        assert_ok(sr_open_chain(sr, vdi, CHAIN_READ, &chain, &note));
        for (unsigned i = 0; i <= NODES; i++) {
                unsigned layer = i == 0 ? NODES - 1 : i - 1;

                assert_ok(chain_read(chain, page, sizeof page, i * sizeof page, &note));
                assert_int_equal(page[0], 1 + layer % 255);
                assert_int_equal(page[4095], 1 + layer % 255);
        }
        assert_ok(sr_close_chain(sr, chain, &note));
}

static void five_hundred_nodes_go_in_one_run(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct uuid vdi = node_uuid(NODES - 1), unused;
        struct coalesce_progress progress;
        struct coalesce_run run = {.target = node_uuid(0), .top = vdi, .n = NODES, .is_leaf = true};
        struct err_note note;
        struct coalesce *c;
        bool is_done = false;
        struct sr *sr;

        (void)state;
        make_files(io);
        assert_ok(sr_adopt(io, KIT_DIR, "main", NULL, &unused, &note));
        sr = kit_open(io);
        assert_int_equal(kit_depth(sr, &vdi), NODES);
        reads_as_all_layers(sr, &vdi);
        assert_ok(coalesce_begin(sr, &run, NULL, &c, &note));
        while (!is_done)
                assert_ok(coalesce_step(c, &is_done, &note));
        coalesce_progress_of(c, &progress);
        assert_int_equal(progress.layers, NODES);
        assert_int_equal(progress.bytes_done,
                         (NODES - 1) * 4096 + 4096); /* once each, whatever covers what */
        coalesce_end(c);
        assert_int_equal(kit_n_files(io), 1);
        reads_as_all_layers(sr, &vdi);
        sr_close(sr);
}

/* ---- ten trees ---- */

enum { TREES = 10 };

struct tree_of {
        struct uuid vdi;
        struct chain *chain; /* every second one is written to; else NULL */
        char reads[KIT_BLOCKS + 1];
};

static void make_tree(struct sr *sr, struct tree_of *tree, unsigned i) {
        static const char *const layers[] = {"AA.A", ".BB.", "C..C"};
        AUTO_FREE char *name = mem_format("v%u", i);
        struct uuid snapshots[2];
        struct err_note note;

        tree->vdi = kit_vdi(sr, name);
        memcpy(tree->reads, "CBBC", KIT_BLOCKS + 1);
        for (unsigned n = 0; n < 3; n++) {
                kit_write(sr, &tree->vdi, layers[n]);
                if (n < 2)
                        snapshots[n] = kit_snapshot(sr, &tree->vdi, "s");
        }
        for (unsigned n = 0; n < 2; n++)
                kit_delete(sr, &snapshots[n]);
        if (i % 2)
                assert_ok(sr_open_chain(sr, &tree->vdi, CHAIN_WRITE, &tree->chain, &note));
}

static void write_to_all(struct tree_of *trees, unsigned turn) {
        for (unsigned i = 0; i < TREES; i++) {
                unsigned block = (turn + i) % KIT_BLOCKS;

                if (!trees[i].chain)
                        continue;
                trees[i].reads[block] = (char)('a' + (turn + i) % 26);
                kit_put(trees[i].chain, block, trees[i].reads[block]);
                assert_string_equal(kit_read_chain(trees[i].chain).s, trees[i].reads);
        }
}

static void ten_trees_go_at_once(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        const struct gc_options options = {.max_running = TREES};
        struct tree_of trees[TREES] = {{.chain = NULL}};
        unsigned most = 0, turns = 0;
        struct sr *sr = kit_create(io);
        struct gc_turn turn;
        struct err_note note;
        struct gc *gc;

        (void)state;
        for (unsigned i = 0; i < TREES; i++)
                make_tree(sr, &trees[i], i);
        assert_int_equal(kit_n_files(io), 3 * TREES);
        assert_ok(gc_new(sr, &options, &gc, &note));
        do {
                assert_true(turns < 2000);
                assert_ok(gc_step(gc, &turn, &note));
                write_to_all(trees, turns++);
                most = gc_sums(gc).n_running > most ? gc_sums(gc).n_running : most;
        } while (turn.what != GC_IDLE);
        assert_int_equal(most, TREES);
        assert_int_equal(gc_sums(gc).n_done, TREES);
        assert_int_equal(gc_sums(gc).n_failed, 0);
        gc_free(gc);
        assert_int_equal(kit_n_files(io), TREES);
        for (unsigned i = 0; i < TREES; i++) {
                if (trees[i].chain)
                        assert_ok(sr_close_chain(sr, trees[i].chain, &note));
                assert_reads(sr, &trees[i].vdi, trees[i].reads);
                assert_int_equal(kit_depth(sr, &trees[i].vdi), 1);
        }
        sr_close(sr);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(five_hundred_nodes_go_in_one_run),
                cmocka_unit_test(ten_trees_go_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
