// SPDX-License-Identifier: Apache-2.0
#include "sr_kit.h"

#include "coalesce.h"
#include "vhd_create.h"

/* A VDI "a" over hidden layers, each of which holds one block of its own and the first of all: of n layers
 * the chain is  A...  <-  BB..  <-  C.C.  <-  D..D, the last being a. */
static const char *const layers[] = {"A...", "BB..", "C.C.", "D..D"};
static const char *const reads[] = {"A...", "BB..", "CBC.", "DBCD"};

struct tall {
        struct uuid vdi;
        struct uuid snapshot[4]; /* of each layer below the last; deleted but for the last of them */
        struct uuid base[4];     /* from the bottom */
        unsigned n;              /* layers, the leaf counted */
};

static struct tall make_tall(struct sr *sr, unsigned n) {
        struct tall tall = {.vdi = kit_vdi(sr, "a"), .n = n};
        const struct node *node;

        for (unsigned i = 0; i < n; i++) {
                kit_write(sr, &tall.vdi, layers[i]);
                if (i + 1 < n)
                        tall.snapshot[i] = kit_snapshot(sr, &tall.vdi, "s");
        }
        for (unsigned i = 0; i + 2 < n; i++)
                kit_delete(sr, &tall.snapshot[i]);
        node = tree_find(sr_tree(sr), &tall.vdi);
        assert_int_equal(node->depth, n);
        for (unsigned i = n - 1; node->parent; node = node->parent)
                tall.base[--i] = node->parent->uuid;
        return tall;
}

/* The layers first … last of it. */
static struct coalesce_run run_of(const struct tall *tall, unsigned first, unsigned last) {
        bool is_leaf = last + 1 == tall->n;

        return (struct coalesce_run){.target = tall->base[first],
                                     .top = is_leaf ? tall->vdi : tall->base[last],
                                     .n = last - first + 1,
                                     .is_leaf = is_leaf};
}

static struct coalesce *begin(struct sr *sr, struct coalesce_run run) {
        struct err_note note = {0};
        struct coalesce *c = NULL;

        assert_ok(coalesce_begin(sr, &run, &(struct coalesce_options){.batch_bytes = 2 * MIB}, &c, &note));
        return c;
}

static void step_to(struct coalesce *c, enum coalesce_state state) {
        struct coalesce_progress progress;
        struct err_note note = {0};
        bool is_done = false;

        coalesce_progress_of(c, &progress);
        while (progress.state != state) {
                assert_false(is_done);
                assert_ok(coalesce_step(c, &is_done, &note));
                coalesce_progress_of(c, &progress);
        }
        assert_int_equal(is_done, state == COALESCE_DONE);
}

static void coalesce_all(struct sr *sr, struct coalesce_run run) {
        struct coalesce *c = begin(sr, run);

        step_to(c, COALESCE_DONE);
        coalesce_end(c);
}

static enum coalesce_state state_of(struct coalesce *c) {
        struct coalesce_progress progress;

        coalesce_progress_of(c, &progress);
        return progress.state;
}

static unsigned n_intents(struct sr *sr) {
        struct err_note note = {0};

        assert_ok(sr_scan(sr, &note));
        return (unsigned)sr->unfinished.list.n;
}

static void assert_refused(struct sr *sr, struct coalesce_run run, enum err err, const char *text) {
        struct err_note note = {0};
        struct coalesce *c = NULL;

        assert_err(coalesce_begin(sr, &run, NULL, &c, &note), err, text);
        assert_int_equal(n_intents(sr), 0);
}

/* ---- to the end ---- */

static void an_inner_run_leaves_every_chain(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 4);

        (void)state;
        coalesce_all(sr, run_of(&tall, 0, 2));
        assert_reads(sr, &tall.vdi, reads[3]);
        assert_reads(sr, &tall.snapshot[2], reads[2]);
        assert_int_equal(kit_depth(sr, &tall.vdi), 2);
        assert_int_equal(kit_depth(sr, &tall.snapshot[2]), 2);
        assert_int_equal(kit_n_files(io), 3);
        assert_int_equal(n_intents(sr), 0);
        sr_close(sr);
        sr = kit_open(io);
        assert_reads(sr, &tall.vdi, reads[3]);
        assert_reads(sr, &tall.snapshot[2], reads[2]);
        sr_close(sr);
}

static void a_middle_of_a_chain_too(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 4);

        (void)state;
        coalesce_all(sr, run_of(&tall, 1, 2));
        assert_reads(sr, &tall.vdi, reads[3]);
        assert_reads(sr, &tall.snapshot[2], reads[2]);
        assert_int_equal(kit_depth(sr, &tall.vdi), 3);
        sr_close(sr);
}

static void an_emptied_leaf_gives_its_name_to_its_parent(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 3);
        struct err_note note = {0};
        struct uuid footer;

        (void)state;
        kit_delete(sr, &tall.snapshot[1]);
        assert_ok(sr_vdi_set(sr, &tall.vdi, &(struct vdi_settings){.description = "kept"}, &note));
        footer = tree_find(sr_tree(sr), &tall.base[0])->footer_uuid;
        coalesce_all(sr, run_of(&tall, 0, 2));
        assert_reads(sr, &tall.vdi, reads[2]);
        assert_int_equal(kit_depth(sr, &tall.vdi), 1);
        assert_int_equal(kit_n_files(io), 1);
        assert_int_equal(sr_n_vdis(sr), 1);
        assert_string_equal(sr_vdi_at(sr, 0)->row.name, "a");
        assert_string_equal(sr_vdi_at(sr, 0)->row.description, "kept");
        assert_false(tree_find(sr_tree(sr), &tall.vdi)->is_hidden);
        assert_true(uuid_equal(&tree_find(sr_tree(sr), &tall.vdi)->footer_uuid, &footer));
        assert_int_equal(n_intents(sr), 0);
        /* It is a disk like any other. */
        kit_write(sr, &tall.vdi, "...E");
        (void)kit_snapshot(sr, &tall.vdi, "t");
        assert_reads(sr, &tall.vdi, "CBCE");
        sr_close(sr);
}

/* ---- pulls ---- */

static struct coalesce_run pull_of(const struct tall *tall, unsigned first, unsigned last) {
        struct coalesce_run run = run_of(tall, first, last);

        run.is_pull = true;
        return run;
}

static void an_inner_run_is_pulled_out_of_every_chain(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 4);

        (void)state;
        coalesce_all(sr, pull_of(&tall, 0, 2));
        assert_reads(sr, &tall.vdi, reads[3]);
        assert_reads(sr, &tall.snapshot[2], reads[2]);
        assert_int_equal(kit_depth(sr, &tall.vdi), 2);
        assert_int_equal(kit_n_files(io), 3);
        assert_non_null(tree_find(sr_tree(sr), &tall.base[2])); /* the top is what is left */
        assert_null(tree_find(sr_tree(sr), &tall.base[0]));
        assert_int_equal(n_intents(sr), 0);
        sr_close(sr);
        sr = kit_open(io);
        assert_reads(sr, &tall.vdi, reads[3]);
        assert_reads(sr, &tall.snapshot[2], reads[2]);
        sr_close(sr);
}

static void a_leaf_pulls_and_keeps_its_name_and_its_uuid(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 3);
        struct uuid footer;

        (void)state;
        kit_delete(sr, &tall.snapshot[1]);
        footer = tree_find(sr_tree(sr), &tall.vdi)->footer_uuid;
        coalesce_all(sr, pull_of(&tall, 1, 2));
        assert_reads(sr, &tall.vdi, reads[2]);
        assert_int_equal(kit_depth(sr, &tall.vdi), 2);
        tall.n = 2;
        coalesce_all(
                sr,
                (struct coalesce_run){
                        .target = tall.base[0], .top = tall.vdi, .n = 2, .is_leaf = true, .is_pull = true});
        assert_reads(sr, &tall.vdi, reads[2]);
        assert_int_equal(kit_depth(sr, &tall.vdi), 1);
        assert_int_equal(kit_n_files(io), 1);
        assert_true(uuid_equal(&tree_find(sr_tree(sr), &tall.vdi)->footer_uuid, &footer));
        assert_false(tree_find(sr_tree(sr), &tall.vdi)->has_parent);
        kit_write(sr, &tall.vdi, "...E");
        (void)kit_snapshot(sr, &tall.vdi, "t");
        assert_reads(sr, &tall.vdi, "CBCE");
        sr_close(sr);
}

/* The other direction would take its name away from what reads through it. */
static void a_visible_node_with_children_pulls(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 4);
        struct place_name name = place_name_of(&tall.base[2], IMAGE_VHD);
        struct err_note note = {0};

        (void)state;
        assert_ok(place_set_hidden(sr->place, &name, false, &note));
        assert_ok(sr_scan(sr, &note));
        coalesce_all(sr, (struct coalesce_run){.target = tall.base[0],
                                               .top = tall.base[2],
                                               .n = 3,
                                               .is_leaf = true,
                                               .is_pull = true});
        assert_reads(sr, &tall.vdi, reads[3]);
        assert_reads(sr, &tall.snapshot[2], reads[2]);
        assert_reads(sr, &tall.base[2], reads[2]);
        assert_int_equal(kit_depth(sr, &tall.vdi), 2);
        sr_close(sr);
}

static void what_stands_on_the_top_of_a_pull_may_become_more(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 4);
        struct coalesce *c = begin(sr, pull_of(&tall, 0, 2));
        struct uuid clone;

        (void)state;
        step_to(c, COALESCE_RELINKED);
        clone = kit_clone(sr, &tall.snapshot[2], "c");
        step_to(c, COALESCE_DONE);
        coalesce_end(c);
        assert_reads(sr, &clone, reads[2]);
        assert_reads(sr, &tall.vdi, reads[3]);
        sr_close(sr);
}

static void a_pull_that_was_ended_anywhere_costs_nothing(void **state) {
        bool is_done = false;

        (void)state;
        for (unsigned stop = 0; !is_done; stop++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                struct sr *sr = kit_create(io);
                struct tall tall = make_tall(sr, 4);
                struct coalesce *c = begin(sr, pull_of(&tall, 0, 2));
                struct err_note note = {0};

                for (unsigned i = 0; i < stop && !is_done; i++)
                        assert_ok(coalesce_step(c, &is_done, &note));
                coalesce_end(c);
                assert_int_equal(n_intents(sr), 0);
                assert_reads(sr, &tall.vdi, reads[3]);
                assert_reads(sr, &tall.snapshot[2], reads[2]);
                sr_close(sr);
                sr = kit_open(io);
                assert_reads(sr, &tall.vdi, reads[3]);
                assert_reads(sr, &tall.snapshot[2], reads[2]);
                sr_close(sr);
        }
}

static void nothing_is_pulled_out_of_a_raw_disk(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct err_note note = {0};
        struct uuid vdi, snapshot;

        (void)state;
        assert_ok(sr_vdi_create(sr, &(struct vdi_options){.name = "a", .size = KIT_SIZE, .kind = IMAGE_RAW},
                                &vdi, &note));
        kit_write(sr, &vdi, "AAAA");
        snapshot = kit_snapshot(sr, &vdi, "s");
        kit_delete(sr, &snapshot);
        assert_refused(sr,
                       (struct coalesce_run){.target = tree_find(sr_tree(sr), &vdi)->parent->uuid,
                                             .top = vdi,
                                             .n = 2,
                                             .is_leaf = true,
                                             .is_pull = true},
                       ERR_UNSUPPORTED, "is raw: only what others are pushed into can be");
        sr_close(sr);
}

/* ---- a pivot that was cut short ---- */

static void fail_rename(void *user, const char *verb, const char *path) {
        (void)path;
        if (strcmp(verb, "rename") == 0)
                io_sim_fail_at(user, 1, ERR_IO, false);
}

/* He would hold the files that must be renamed. */
static void who_reads_a_disk_whose_pivot_was_cut_short_holds_up_no_change(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 2);
        struct err_note note = {0};
        enum err err = ERR_NONE;
        struct coalesce *c;
        struct chain *chain;
        bool is_done = false;

        (void)state;
        kit_delete(sr, &tall.snapshot[0]);
        c = begin(sr, run_of(&tall, 0, 1));
        io_sim_set_watch(io, fail_rename, io);
        while (!err && !is_done)
                err = coalesce_step(c, &is_done, &note);
        assert_int_equal(err, ERR_IO);
        io_sim_set_watch(io, NULL, NULL);
        io_sim_heal(io);
        coalesce_end(c);
        assert_ok(sr_open_chain(sr, &tall.vdi, CHAIN_READ, &chain, &note));
        assert_string_equal(kit_read_chain(chain).s, reads[1]);
        (void)kit_vdi(sr, "b");
        assert_ok(sr_close_chain(sr, chain, &note));
        assert_int_equal(n_intents(sr), 0);
        assert_int_equal(kit_depth(sr, &tall.vdi), 1);
        sr_close(sr);
}

/* ---- flat targets ---- */

static void a_raw_base_is_a_target_and_no_heir(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct err_note note = {0};
        struct tall tall = {.n = 3};

        (void)state;
        assert_ok(sr_vdi_create(sr, &(struct vdi_options){.name = "a", .size = KIT_SIZE, .kind = IMAGE_RAW},
                                &tall.vdi, &note));
        kit_write(sr, &tall.vdi, "AAAA");
        tall.snapshot[0] = kit_snapshot(sr, &tall.vdi, "s");
        kit_write(sr, &tall.vdi, ".B..");
        tall.snapshot[1] = kit_snapshot(sr, &tall.vdi, "t");
        kit_write(sr, &tall.vdi, "..C.");
        kit_delete(sr, &tall.snapshot[0]);
        tall.base[1] = tree_find(sr_tree(sr), &tall.vdi)->parent->uuid;
        tall.base[0] = tree_find(sr_tree(sr), &tall.base[1])->parent->uuid;
        coalesce_all(sr, run_of(&tall, 0, 1));
        assert_reads(sr, &tall.vdi, "ABCA");
        assert_reads(sr, &tall.snapshot[1], "ABAA");
        assert_int_equal(kit_depth(sr, &tall.vdi), 2);
        kit_delete(sr, &tall.snapshot[1]);
        assert_refused(
                sr, (struct coalesce_run){.target = tall.base[0], .top = tall.vdi, .n = 2, .is_leaf = true},
                ERR_UNSUPPORTED, "is raw, and cannot take the name");
        sr_close(sr);
}

static void a_fixed_base_takes_the_name_of_a_leaf(void **state) {
        const struct vdi_options options = {.name = "a", .size = KIT_SIZE, .is_fixed = true};
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct err_note note = {0};
        struct uuid vdi, snapshot, base;

        (void)state;
        assert_ok(sr_vdi_create(sr, &options, &vdi, &note));
        kit_write(sr, &vdi, "ABC.");
        snapshot = kit_snapshot(sr, &vdi, "s");
        kit_write(sr, &vdi, "..DE");
        kit_delete(sr, &snapshot);
        base = tree_find(sr_tree(sr), &vdi)->parent->uuid;
        coalesce_all(sr, (struct coalesce_run){.target = base, .top = vdi, .n = 2, .is_leaf = true});
        assert_reads(sr, &vdi, "ABDE");
        assert_int_equal(kit_depth(sr, &vdi), 1);
        assert_int_equal(kit_n_files(io), 1);
        kit_write(sr, &vdi, "F...");
        sr_close(sr);
        sr = kit_open(io);
        assert_reads(sr, &vdi, "FBDE");
        sr_close(sr);
}

static void a_snapshot_that_is_all_there_is_stays_one(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 3);
        struct err_note note = {0};
        struct chain *chain;

        (void)state;
        kit_delete(sr, &tall.vdi);
        coalesce_all(sr, (struct coalesce_run){
                                 .target = tall.base[0], .top = tall.snapshot[1], .n = 3, .is_leaf = true});
        assert_reads(sr, &tall.snapshot[1], reads[1]);
        assert_int_equal(kit_n_files(io), 1);
        assert_true(sr_vdi_at(sr, 0)->row.is_snapshot);
        assert_err(sr_open_chain(sr, &tall.snapshot[1], CHAIN_WRITE, &chain, &note), ERR_READ_ONLY,
                   "snapshot");
        sr_close(sr);
}

static void smaller_nodes_are_grown_first(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct err_note note = {0};
        struct uuid vdi = kit_vdi(sr, "a"), snapshot, base;
        struct chain *chain;
        uint8_t byte;

        (void)state;
        kit_write(sr, &vdi, "ABCD");
        snapshot = kit_snapshot(sr, &vdi, "s");
        assert_ok(sr_vdi_resize(sr, &vdi, 3 * KIT_SIZE, &note));
        assert_ok(sr_open_chain(sr, &vdi, CHAIN_WRITE, &chain, &note));
        assert_ok(chain_write(chain, "E", 1, 3 * KIT_SIZE - 1, &note));
        assert_ok(sr_close_chain(sr, chain, &note));
        kit_delete(sr, &snapshot);
        base = tree_find(sr_tree(sr), &vdi)->parent->uuid;
        coalesce_all(sr, (struct coalesce_run){.target = base, .top = vdi, .n = 2, .is_leaf = true});
        assert_reads(sr, &vdi, "ABCD");
        assert_int_equal(tree_find(sr_tree(sr), &vdi)->size, 3 * KIT_SIZE);
        assert_ok(sr_open_chain(sr, &vdi, CHAIN_READ, &chain, &note));
        assert_ok(chain_read(chain, &byte, 1, 3 * KIT_SIZE - 1, &note));
        assert_int_equal(byte, 'E');
        assert_ok(sr_close_chain(sr, chain, &note));
        sr_close(sr);
}

/* ---- under open chains ---- */

static void chains_go_on_reading_and_writing(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 4);
        struct chain *writer, *reader;
        struct err_note note = {0};
        bool is_done = false;
        struct coalesce *c;

        (void)state;
        assert_ok(sr_open_chain(sr, &tall.vdi, CHAIN_WRITE, &writer, &note));
        assert_ok(sr_open_chain(sr, &tall.snapshot[2], CHAIN_READ, &reader, &note));
        c = begin(sr, run_of(&tall, 0, 2));
        while (!is_done) {
                assert_ok(coalesce_step(c, &is_done, &note));
                kit_put(writer, 3, 'W');
                assert_string_equal(kit_read_chain(writer).s, "DBCW");
                assert_string_equal(kit_read_chain(reader).s, reads[2]);
        }
        coalesce_end(c);
        assert_int_equal(chain_depth(writer), 2);
        assert_int_equal(chain_depth(reader), 2);
        assert_int_equal(kit_n_files(io), 3);
        assert_ok(sr_close_chain(sr, writer, &note));
        assert_reads(sr, &tall.vdi, "DBCW");
        /* One that is opened while another is open follows the new parents. */
        assert_int_equal(kit_depth(sr, &tall.snapshot[2]), 2);
        assert_ok(sr_close_chain(sr, reader, &note));
        sr_close(sr);
}

static void a_chain_that_is_opened_in_the_middle_reads_the_same(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 4);
        struct chain *chains[64];
        struct err_note note = {0};
        bool is_done = false;
        struct coalesce *c;
        unsigned n = 0;

        (void)state;
        c = begin(sr, run_of(&tall, 0, 2));
        while (!is_done) {
                assert_true(n < 64);
                assert_ok(sr_open_chain(sr, &tall.snapshot[2], CHAIN_READ, &chains[n++], &note));
                assert_ok(coalesce_step(c, &is_done, &note));
                for (unsigned i = 0; i < n; i++)
                        assert_string_equal(kit_read_chain(chains[i]).s, reads[2]);
        }
        coalesce_end(c);
        while (n > 0) {
                assert_int_equal(chain_depth(chains[--n]), 2);
                assert_ok(sr_close_chain(sr, chains[n], &note));
        }
        sr_close(sr);
}

static void an_import_onto_a_child_of_the_top_goes_on(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 4);
        const struct uuid stream = {{7}};
        struct sr_import *import;
        struct err_note note = {0};
        struct uuid clone, uuid;
        struct coalesce *c;

        (void)state;
        clone = kit_clone(sr, &tall.snapshot[2], "c");
        assert_ok(sr_import_begin_onto(sr, &clone, KIT_SIZE, &import, &note));
        c = begin(sr, run_of(&tall, 0, 2));
        kit_put(sr_import_chain(import), 3, 'I');
        step_to(c, COALESCE_DONE);
        coalesce_end(c);
        assert_string_equal(kit_read_chain(sr_import_chain(import)).s, "CBCI");
        assert_ok(sr_import_commit(import, &stream, &uuid, &note));
        assert_reads(sr, &clone, "CBCI");
        assert_reads(sr, &tall.vdi, reads[3]);
        sr_close(sr);
}

/* ---- what is claimed ---- */

static void what_cannot_be_claimed_is_refused_with_its_reason(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 4);
        struct err_note note = {0};
        struct coalesce_run run;
        struct chain *chain;
        struct uuid lease;
        struct coalesce *c;

        (void)state;
        run = run_of(&tall, 0, 3);
        assert_refused(sr, run, ERR_INVALID, "has 2 children");
        run = run_of(&tall, 0, 2);
        run.n = 2;
        assert_refused(sr, run, ERR_INVALID, "is not 1 layers below");
        run = run_of(&tall, 0, 2);
        run.is_leaf = true;
        assert_refused(sr, run, ERR_INVALID, "is no VDI");
        run = (struct coalesce_run){.target = tall.base[2], .top = tall.snapshot[2], .n = 2};
        assert_refused(sr, run, ERR_INVALID, "has 2 children");
        kit_delete(sr, &tall.snapshot[2]);
        run = run_of(&tall, 2, 3);
        assert_ok(sr_open_chain(sr, &tall.vdi, CHAIN_READ, &chain, &note));
        assert_refused(sr, run, ERR_BUSY, "is open");
        assert_ok(sr_close_chain(sr, chain, &note));
        assert_ok(sr_lease(sr, &tall.vdi, "export", "nightly", &lease, &note));
        assert_refused(sr, run, ERR_BUSY, "leased by nightly");
        assert_ok(sr_lease_end(sr, &lease, &note));
        c = begin(sr, run_of(&tall, 0, 1));
        struct coalesce *other = NULL;
        run = run_of(&tall, 1, 2);
        assert_err(coalesce_begin(sr, &run, NULL, &other, &note), ERR_BUSY, "being coalesced already");
        run = run_of(&tall, 2, 3);
        assert_err(coalesce_begin(sr, &run, NULL, &other, &note), ERR_BUSY, "next to the run");
        coalesce_end(c);
        assert_reads(sr, &tall.vdi, reads[3]);
        sr_close(sr);
}

static void every_node_of_a_run_must_be_free(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), snapshot, lease[3], middle[3];
        struct coalesce_run run = {.top = vdi, .n = 4, .is_leaf = true};
        struct err_note note = {0};

        (void)state;
        for (unsigned i = 0; i < 3; i++) {
                kit_write(sr, &vdi, layers[i]);
                snapshot = kit_snapshot(sr, &vdi, "s");
                middle[i] = tree_find(sr_tree(sr), &vdi)->parent->uuid;
                kit_delete(sr, &snapshot);
        }
        kit_write(sr, &vdi, layers[3]);
        run.target = middle[0];
        for (unsigned i = 0; i < 3; i++) {
                AUTO(store_abort) struct store_change *change = NULL;
                struct lease row = {
                        .uuid = {{1}}, .node = middle[i], .holder = (char *)"h", .kind = (char *)"k"};

                /* Taken while the node was a VDI. */
                lease[i] = row.uuid;
                assert_ok(catalog_begin(sr->catalog, &change, &note));
                assert_ok(catalog_put_lease(change, &row, &note));
                assert_ok(store_commit(TAKE(change), &note));
                assert_refused(sr, run, ERR_BUSY, "leased by h");
                assert_ok(sr_lease_end(sr, &lease[i], &note));
        }
        coalesce_all(sr, run);
        assert_reads(sr, &vdi, reads[3]);
        assert_int_equal(kit_n_files(io), 1);
        sr_close(sr);
}

static void a_claim_is_durable_before_anything_moves(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 4);
        struct coalesce *c = begin(sr, run_of(&tall, 0, 2));
        struct io *after;

        (void)state;
        after = io_sim_fork(io);
        io_sim_crash(after, 1);
        struct sr *seen = kit_open_as(after, SR_READ_ONLY);
        assert_int_equal(seen->unfinished.list.n, 1);
        for (unsigned i = 0; i < 3; i++)
                assert_non_null(claim_of(seen, &tall.base[i]));
        assert_null(claim_of(seen, &tall.vdi));
        sr_close(seen);
        /* The next owner drops it. */
        seen = kit_open(after);
        assert_int_equal(seen->unfinished.list.n, 0);
        assert_reads(seen, &tall.vdi, reads[3]);
        sr_close(seen);
        io_free(after);
        coalesce_end(c);
        sr_close(sr);
}

static struct uuid make_node(struct io *io, uint8_t number, uint64_t size, bool is_hidden,
                             const struct uuid *parent, const struct uuid *parent_footer,
                             struct uuid *ret_footer) {
        struct uuid uuid = {{number}};
        AUTO_FREE char *path = mem_format("%s/%s.vhd", KIT_DIR, uuid_format(&uuid).s);
        AUTO_FREE char *below = parent ? mem_format("%s/%s.vhd", KIT_DIR, uuid_format(parent).s) : NULL;
        struct vhd_parent link = {.path = below};
        struct vhd_create_options options = {.type = VHD_DYNAMIC, .size = size, .is_hidden = is_hidden};
        struct err_note note = {0};

        if (parent) {
                link.uuid = *parent_footer;
                options.type = VHD_DIFFERENCING;
                options.parent = &link;
        }
        assert_ok(vhd_create(io, path, &options, ret_footer, &note));
        return uuid;
}

static void no_node_grows_where_a_larger_one_would_show(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct uuid base, middle, leaf, footer[3];
        struct sr *sr;

        (void)state;
        sr_close(kit_create(io));
        base = make_node(io, 1, 4 * KIT_SIZE, true, NULL, NULL, &footer[0]);
        middle = make_node(io, 2, KIT_SIZE, true, &base, &footer[0], &footer[1]);
        leaf = make_node(io, 3, 2 * KIT_SIZE, false, &middle, &footer[1], &footer[2]);
        sr = kit_open(io);
        assert_refused(sr, (struct coalesce_run){.target = middle, .top = leaf, .n = 2, .is_leaf = true},
                       ERR_UNSUPPORTED, "would have to grow");
        assert_refused(sr, (struct coalesce_run){.target = base, .top = middle, .n = 2}, ERR_UNSUPPORTED,
                       "is larger than");
        sr_close(sr);
}

/* ---- what meets a claim ---- */

static void a_claim_stays_while_another_verb_recovers(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 4);
        struct coalesce *c = begin(sr, run_of(&tall, 0, 2));

        (void)state;
        step_to(c, COALESCE_MOVING);
        sr->must_recover = true;
        (void)kit_vdi(sr, "b");
        assert_false(sr->must_recover);
        assert_int_equal(n_intents(sr), 1);
        step_to(c, COALESCE_DONE);
        coalesce_end(c);
        assert_reads(sr, &tall.vdi, reads[3]);
        sr_close(sr);
}

static void garbage_passes_over_claimed_nodes_and_ends_what_nothing_needs(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_notices_fini) struct sr_notices waiting = {0};
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 4);
        struct err_note note = {0};
        struct coalesce *c;
        uint64_t bytes;
        bool is_done;
        unsigned n;

        (void)state;
        c = begin(sr, run_of(&tall, 0, 2));
        step_to(c, COALESCE_RELINKED);
        assert_ok(sr_garbage(sr, &n, &bytes, &waiting, &note));
        assert_int_equal(n, 0);
        assert_int_equal(waiting.list.n, 1);
        assert_string_equal(waiting.list.data[0].text, "being coalesced");
        step_to(c, COALESCE_DONE);
        coalesce_end(c);
        kit_delete(sr, &tall.vdi);
        kit_delete(sr, &tall.snapshot[2]);
        assert_int_equal(kit_n_files(io), 0);
        sr_close(sr);

        sr = kit_open(io);
        tall = make_tall(sr, 4);
        c = begin(sr, run_of(&tall, 0, 2));
        step_to(c, COALESCE_MOVING);
        kit_delete(sr, &tall.vdi);
        assert_int_equal(state_of(c), COALESCE_MOVING);
        kit_delete(sr, &tall.snapshot[2]);
        assert_int_equal(state_of(c), COALESCE_ENDED);
        assert_err(coalesce_step(c, &is_done, &note), ERR_NOT_FOUND, "nothing needs");
        coalesce_end(c);
        assert_int_equal(kit_n_files(io), 0);
        sr_close(sr);
}

/* In every state of it: a clone of a disk that is empty takes its parent, unless that is about to go. */
static void nothing_new_hangs_on_a_node_that_goes(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 4);
        struct err_note note = {0};
        struct uuid clones[16];
        struct coalesce *c;
        bool is_done = false;
        unsigned n = 0;

        (void)state;
        c = begin(sr, run_of(&tall, 0, 2));
        for (enum coalesce_state was = COALESCE_ENDED; !is_done;) {
                if (state_of(c) != was)
                        clones[n++] = kit_clone(sr, &tall.snapshot[2], "c");
                was = state_of(c);
                assert_ok(coalesce_step(c, &is_done, &note));
        }
        coalesce_end(c);
        assert_int_equal(n, 4);
        while (n-- > 0)
                assert_reads(sr, &clones[n], reads[2]);
        sr_close(sr);
        sr = kit_open(io);
        assert_int_equal(kit_depth(sr, &tall.vdi), 2);
        assert_reads(sr, &clones[3], reads[2]);
        sr_close(sr);
}

static void a_leaf_makes_way_for_whoever_wants_it(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 3);
        struct err_note note = {0};
        struct uuid uuid;
        struct chain *chain;
        struct coalesce *c;

        (void)state;
        kit_delete(sr, &tall.snapshot[1]);
        for (unsigned i = 0; i < 5; i++) {
                c = begin(sr, run_of(&tall, 0, 2));
                step_to(c, COALESCE_MOVING);
                switch (i) {
                case 0:
                        assert_ok(sr_open_chain(sr, &tall.vdi, CHAIN_WRITE, &chain, &note));
                        kit_put(chain, 3, 'W');
                        assert_ok(sr_close_chain(sr, chain, &note));
                        break;
                case 1:
                        uuid = kit_snapshot(sr, &tall.vdi, "t");
                        kit_delete(sr, &uuid);
                        /* It has a layer more now. */
                        coalesce_end(c);
                        tall.base[2] = tree_find(sr_tree(sr), &tall.vdi)->parent->uuid;
                        tall.n = 4;
                        c = begin(sr, run_of(&tall, 1, 2));
                        step_to(c, COALESCE_DONE);
                        coalesce_end(c);
                        tall.n = 3;
                        continue;
                case 2:
                        assert_ok(sr_lease(sr, &tall.vdi, "k", "h", &uuid, &note));
                        assert_ok(sr_lease_end(sr, &uuid, &note));
                        break;
                case 3:
                        assert_ok(sr_vdi_resize(sr, &tall.vdi, 2 * KIT_SIZE, &note));
                        break;
                default:
                        kit_delete(sr, &tall.vdi);
                        assert_int_equal(kit_n_files(io), 0);
                }
                assert_int_equal(state_of(c), COALESCE_ENDED);
                assert_int_equal(coalesce_reason(c)->code, ERR_BUSY);
                assert_non_null(strstr(coalesce_reason(c)->text, "was wanted"));
                coalesce_end(c);
                if (i < 4)
                        assert_reads(sr, &tall.vdi, "CBCW");
        }
        assert_int_equal(n_intents(sr), 0);
        sr_close(sr);
}

/* ---- ends in the middle ---- */

static void put_pivot_intent(struct sr *sr, const struct uuid *leaf, const struct uuid *parent) {
        AUTO(intent_fini)
        struct intent intent = {.uuid = {{9}}, .kind = INTENT_LEAF_PIVOT, .vdi = *leaf, .other = *parent};
        struct err_note note = {0};

        *vec_add(&intent.nodes) = *parent;
        *vec_add(&intent.nodes) = *leaf;
        assert_ok(sr_note_change(sr, NULL, &intent, NULL, &note));
}

/* A pivot that waits for its recovery, with a leaf that is not as it was left. */
static void a_pivot_is_finished_only_over_an_emptied_leaf(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 2);
        AUTO_FREE char *path = mem_format("%s/%s.vhd", KIT_DIR, uuid_format(&tall.vdi).s);
        struct err_note note = {0};

        (void)state;
        kit_delete(sr, &tall.snapshot[0]);
        put_pivot_intent(sr, &tall.vdi, &tall.base[0]);
        sr_close(sr);
        sr = kit_open(io);
        assert_int_equal(n_intents(sr), 0);
        assert_reads(sr, &tall.vdi, reads[1]);
        assert_true(tree_find(sr_tree(sr), &tall.base[0])->is_hidden_in_both);
        /* One whose name somebody took away: its parent has all that it held. */
        put_pivot_intent(sr, &tall.vdi, &tall.base[0]);
        sr_close(sr);
        assert_ok(io_unlink(io, path, &note));
        sr = kit_open(io);
        assert_int_equal(n_intents(sr), 0);
        assert_reads(sr, &tall.vdi, reads[0]);
        assert_int_equal(kit_n_files(io), 1);
        sr_close(sr);
}

/* What is damaged by another hand while a crash waits for its recovery is its own tree's trouble. */
static void a_damaged_run_does_not_keep_the_sr_from_being_changed(void **state) {
        static const enum coalesce_state at[] = {COALESCE_MOVING, COALESCE_RELINKED};

        (void)state;
        for (unsigned i = 0; i < 4; i++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                struct sr *sr = kit_create(io), *seen;
                struct tall tall = make_tall(sr, 4);
                struct coalesce *c = begin(sr, run_of(&tall, 0, 2));
                const struct uuid *which = i / 2 ? &tall.vdi : &tall.base[0];
                AUTO_FREE char *path = mem_format("%s/%s.vhd", KIT_DIR, uuid_format(which).s);
                struct err_note note = {0};
                struct io_file *file;
                struct io *after;
                struct uuid other;

                step_to(c, at[i % 2]);
                after = io_sim_fork(io);
                io_sim_crash(after, 1);
                assert_ok(io_open(after, path, IO_WRITE, &file, &note));
                assert_ok(io_write(file, "xxxx", 4, 512 + 44, &note));
                io_close(file);
                seen = kit_open(after);
                assert_int_equal(seen->unfinished.list.n, 0);
                other = kit_vdi(seen, "b");
                kit_write(seen, &other, "B...");
                assert_reads(seen, &other, "B...");
                sr_close(seen);
                io_free(after);
                coalesce_end(c);
                sr_close(sr);
        }
}

static void it_may_end_at_any_step_and_the_next_goes_on(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 4);
        struct err_note note = {0};
        struct chain *writer;

        (void)state;
        assert_ok(sr_open_chain(sr, &tall.vdi, CHAIN_WRITE, &writer, &note));
        for (unsigned steps = 0; steps < 100; steps++) {
                struct coalesce *c = begin(sr, run_of(&tall, 0, 2));
                bool is_done = false;

                for (unsigned i = 0; i < steps && !is_done; i++)
                        assert_ok(coalesce_step(c, &is_done, &note));
                coalesce_end(c);
                assert_int_equal(n_intents(sr), 0);
                assert_string_equal(kit_read_chain(writer).s, reads[3]);
                assert_reads(sr, &tall.snapshot[2], reads[2]);
                if (is_done || kit_depth(sr, &tall.vdi) < 4)
                        break;
        }
        assert_int_equal(kit_depth(sr, &tall.vdi), 2);
        assert_ok(sr_close_chain(sr, writer, &note));
        assert_reads(sr, &tall.vdi, reads[3]);
        sr_close(sr);
}

/* What has left the lower layer for the target must not come there again by a coalesce of fewer layers: the
 * target has what the upper ones had of it. */
static void where_one_ended_half_way_another_may_take_fewer_layers(void **state) {
        bool was_done = false;

        (void)state;
        for (unsigned steps = 0; !was_done; steps++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                struct sr *sr = kit_create(io);
                struct tall tall = make_tall(sr, 4);
                struct coalesce *c = NULL;
                struct err_note note = {0};
                struct chain *writer;

                assert_ok(sr_open_chain(sr, &tall.vdi, CHAIN_WRITE, &writer, &note));
                c = begin(sr, run_of(&tall, 0, 2));
                for (unsigned i = 0; i < steps && !was_done; i++)
                        assert_ok(coalesce_step(c, &was_done, &note));
                coalesce_end(c);
                if (kit_depth(sr, &tall.vdi) == 4)
                        coalesce_all(sr, run_of(&tall, 0, 1));
                assert_string_equal(kit_read_chain(writer).s, reads[3]);
                assert_ok(sr_close_chain(sr, writer, &note));
                sr_close(sr);
                sr = kit_open(io);
                assert_reads(sr, &tall.vdi, reads[3]);
                assert_reads(sr, &tall.snapshot[2], reads[2]);
                sr_close(sr);
        }
}

/* One that failed between two clears, and cannot be gone on with, is left alone until its disk is closed. */
static void what_failed_half_way_is_gone_on_with_as_a_whole(void **state) {
        unsigned n_refused = 0;
        bool did_fire = true;

        (void)state;
        for (unsigned n = 1; did_fire; n++) {
                AUTO(io_free) struct io *io = io_sim_new(n, 0);
                struct sr *sr = kit_create(io);
                struct tall tall = make_tall(sr, 4);
                struct coalesce_run lower = run_of(&tall, 0, 1);
                struct err_note note = {0};
                bool is_done = false;
                struct chain *writer;
                struct coalesce *c;

                assert_ok(sr_open_chain(sr, &tall.vdi, CHAIN_WRITE, &writer, &note));
                c = begin(sr, run_of(&tall, 0, 2));
                step_to(c, COALESCE_MOVING);
                io_sim_fail_at(io, n, ERR_IO, true);
                while (!is_done && coalesce_step(c, &is_done, &note) == ERR_NONE)
                        ;
                coalesce_end(c);
                did_fire = io_sim_fired(io);
                io_sim_heal(io);
                assert_ok(sr_scan(sr, &note));
                if (kit_depth(sr, &tall.vdi) == 4 && coalesce_begin(sr, &lower, NULL, &c, &note)) {
                        n_refused += strstr(note.text, "half-way") != NULL;
                } else if (kit_depth(sr, &tall.vdi) == 4) {
                        step_to(c, COALESCE_DONE);
                        coalesce_end(c);
                }
                assert_string_equal(kit_read_chain(writer).s, reads[3]);
                sr_abandon_chain(sr, writer);
                sr_close(sr);
                sr = kit_open(io);
                assert_reads(sr, &tall.vdi, reads[3]);
                assert_reads(sr, &tall.snapshot[2], reads[2]);
                sr_close(sr);
        }
        assert_true(n_refused > 0);
}

static void an_sr_that_closes_ends_what_runs_in_it(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 4);
        struct coalesce *c = begin(sr, run_of(&tall, 0, 2));
        struct err_note note = {0};
        bool is_done;

        (void)state;
        step_to(c, COALESCE_MOVING);
        sr_close(sr);
        assert_err(coalesce_step(c, &is_done, &note), ERR_CANCELLED, "closed");
        coalesce_end(c);
        sr = kit_open(io);
        assert_int_equal(n_intents(sr), 0);
        assert_reads(sr, &tall.vdi, reads[3]);
        coalesce_all(sr, run_of(&tall, 0, 2));
        assert_reads(sr, &tall.vdi, reads[3]);
        sr_close(sr);
}

static void progress_is_told_in_bytes(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct tall tall = make_tall(sr, 4);
        struct coalesce *c = begin(sr, run_of(&tall, 0, 2));
        struct coalesce_progress progress;

        (void)state;
        step_to(c, COALESCE_MOVING);
        coalesce_progress_of(c, &progress);
        /* Blocks 0, 1 and 2 are another's than the target's; of block 0 only the newest is moved. */
        assert_int_equal(progress.bytes_total, 3 * (4096 + 1536));
        assert_int_equal(progress.bytes_done, 0);
        assert_int_equal(progress.layers, 3);
        assert_string_equal(progress.direction, "push");
        step_to(c, COALESCE_EMPTY);
        coalesce_progress_of(c, &progress);
        assert_int_equal(progress.bytes_done, progress.bytes_total);
        coalesce_end(c);
        sr_close(sr);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_inner_run_leaves_every_chain),
                cmocka_unit_test(a_middle_of_a_chain_too),
                cmocka_unit_test(an_emptied_leaf_gives_its_name_to_its_parent),
                cmocka_unit_test(an_inner_run_is_pulled_out_of_every_chain),
                cmocka_unit_test(a_leaf_pulls_and_keeps_its_name_and_its_uuid),
                cmocka_unit_test(a_visible_node_with_children_pulls),
                cmocka_unit_test(what_stands_on_the_top_of_a_pull_may_become_more),
                cmocka_unit_test(a_pull_that_was_ended_anywhere_costs_nothing),
                cmocka_unit_test(nothing_is_pulled_out_of_a_raw_disk),
                cmocka_unit_test(who_reads_a_disk_whose_pivot_was_cut_short_holds_up_no_change),
                cmocka_unit_test(a_raw_base_is_a_target_and_no_heir),
                cmocka_unit_test(a_fixed_base_takes_the_name_of_a_leaf),
                cmocka_unit_test(a_snapshot_that_is_all_there_is_stays_one),
                cmocka_unit_test(smaller_nodes_are_grown_first),
                cmocka_unit_test(chains_go_on_reading_and_writing),
                cmocka_unit_test(a_chain_that_is_opened_in_the_middle_reads_the_same),
                cmocka_unit_test(an_import_onto_a_child_of_the_top_goes_on),
                cmocka_unit_test(what_cannot_be_claimed_is_refused_with_its_reason),
                cmocka_unit_test(every_node_of_a_run_must_be_free),
                cmocka_unit_test(a_claim_is_durable_before_anything_moves),
                cmocka_unit_test(no_node_grows_where_a_larger_one_would_show),
                cmocka_unit_test(a_claim_stays_while_another_verb_recovers),
                cmocka_unit_test(garbage_passes_over_claimed_nodes_and_ends_what_nothing_needs),
                cmocka_unit_test(nothing_new_hangs_on_a_node_that_goes),
                cmocka_unit_test(a_leaf_makes_way_for_whoever_wants_it),
                cmocka_unit_test(a_damaged_run_does_not_keep_the_sr_from_being_changed),
                cmocka_unit_test(a_pivot_is_finished_only_over_an_emptied_leaf),
                cmocka_unit_test(it_may_end_at_any_step_and_the_next_goes_on),
                cmocka_unit_test(where_one_ended_half_way_another_may_take_fewer_layers),
                cmocka_unit_test(what_failed_half_way_is_gone_on_with_as_a_whole),
                cmocka_unit_test(an_sr_that_closes_ends_what_runs_in_it),
                cmocka_unit_test(progress_is_told_in_bytes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
