// SPDX-License-Identifier: Apache-2.0
/* A leaf is emptied into its parents and its name goes to the lowest, or it pulls up what they hold, while it
 * is written to. */
#include "sr_kit.h"

#include "chain_move.h"
#include "coalesce.h"

struct world {
        struct io *io;
        struct sr *sr;
        struct uuid vdi;
        struct coalesce_run run;
        struct chain *chain; /* that writes */
        struct coalesce *c;
        char want[KIT_BLOCKS + 1]; /* flushed */
        unsigned turn;
};

static bool pulls; /* the coalesces of a test */

/* A VDI over hidden layers, each of which holds something of its own; open for writing. */
static void world_init(struct world *w, uint64_t seed, unsigned n) {
        static const char *const layers[] = {"A..A", ".BB.", "C.C.", "..DD"};
        struct err_note note = {0};
        const struct node *node;
        struct uuid snapshot[4];

        memset(w, 0, sizeof *w);
        memset(w->want, '.', KIT_BLOCKS);
        w->io = io_sim_new(seed, 0);
        w->sr = kit_create(w->io);
        w->vdi = kit_vdi(w->sr, "a");
        for (unsigned i = 0; i < n; i++) {
                kit_write(w->sr, &w->vdi, layers[i]);
                for (unsigned b = 0; b < KIT_BLOCKS; b++)
                        if (layers[i][b] != '.')
                                w->want[b] = layers[i][b];
                if (i + 1 < n)
                        snapshot[i] = kit_snapshot(w->sr, &w->vdi, "s");
        }
        for (unsigned i = 0; i + 1 < n; i++)
                kit_delete(w->sr, &snapshot[i]);
        node = tree_find(sr_tree(w->sr), &w->vdi);
        assert_int_equal(node->depth, n);
        while (node->parent)
                node = node->parent;
        w->run = (struct coalesce_run){.target = node->uuid, .top = w->vdi, .n = n, .is_leaf = true};
        w->run.is_pull = pulls;
        assert_ok(sr_open_chain(w->sr, &w->vdi, CHAIN_WRITE, &w->chain, &note));
}

static void begin(struct world *w) {
        const struct coalesce_options options = {.batch_bytes = 2 * MIB};
        struct err_note note = {0};

        assert_ok(coalesce_begin(w->sr, &w->run, &options, &w->c, &note));
        assert_int_equal(chain_is_moving(w->chain), !pulls);
}

/* Another letter in another block, and it is durable. */
static void write_on(struct world *w) {
        unsigned block = w->turn % KIT_BLOCKS;
        struct err_note note = {0};

        w->want[block] = (char)('a' + w->turn++ % 26);
        kit_put(w->chain, block, w->want[block]);
        assert_ok(chain_flush(w->chain, &note));
        assert_string_equal(kit_read_chain(w->chain).s, w->want);
}

static bool step(struct world *w) {
        struct err_note note = {0};
        bool is_done;

        assert_ok(coalesce_step(w->c, &is_done, &note));
        return !is_done;
}

static void run_to_end(struct world *w) {
        while (step(w))
                write_on(w);
        coalesce_end(TAKE(w->c));
}

static void close_all(struct world *w) {
        struct err_note note = {0};

        if (w->chain)
                assert_ok(sr_close_chain(w->sr, TAKE(w->chain), &note));
        if (w->c)
                coalesce_end(TAKE(w->c));
        sr_close(TAKE(w->sr));
}

/* As another process finds it. */
static void reads_anew(const struct world *w, struct io *io) {
        struct sr *sr = kit_open(io);

        assert_reads(sr, &w->vdi, w->want);
        sr_close(sr);
}

static void world_fini(struct world *w) {
        close_all(w);
        reads_anew(w, w->io);
        io_free(w->io);
}

static void survives_crashes(const struct world *w) {
        for (uint64_t seed = 0; seed < 3; seed++) {
                struct io *io = io_sim_fork(w->io);

                io_sim_crash(io, seed + w->turn * 4);
                reads_anew(w, io);
                io_free(io);
        }
}

static void it_ends_in_one_file_under_the_vdis_name(void **state) {
        (void)state;
        for (unsigned n = 2; n <= 4; n++) {
                struct world w;

                world_init(&w, n, n);
                begin(&w);
                run_to_end(&w);
                assert_false(chain_is_moving(w.chain));
                assert_int_equal(chain_depth(w.chain), 1);
                assert_int_equal(kit_n_files(w.io), 1);
                assert_int_equal(kit_depth(w.sr, &w.vdi), 1);
                for (int i = 0; i < 9; i++)
                        write_on(&w);
                world_fini(&w);
        }
}

static void after_a_crash_at_any_step_all_that_was_flushed_is_there(void **state) {
        struct world w;
        bool goes_on;

        (void)state;
        for (unsigned n = 2; n <= 3; n++) {
                world_init(&w, 10 + n, n);
                begin(&w);
                do {
                        write_on(&w);
                        survives_crashes(&w);
                        goes_on = step(&w);
                } while (goes_on);
                world_fini(&w);
        }
}

/* Each of what may come in the middle. */
typedef void (*event)(struct world *);

static void snapshot_it(struct world *w) {
        struct uuid snapshot = kit_snapshot(w->sr, &w->vdi, "later");
        char then[sizeof w->want];

        memcpy(then, w->want, sizeof then);
        write_on(w);
        assert_reads(w->sr, &snapshot, then);
        kit_delete(w->sr, &snapshot);
}

static void close_it(struct world *w) {
        struct err_note note = {0};

        assert_ok(sr_close_chain(w->sr, TAKE(w->chain), &note));
        assert_reads(w->sr, &w->vdi, w->want);
        assert_ok(sr_open_chain(w->sr, &w->vdi, CHAIN_WRITE, &w->chain, &note));
}

static void end_it(struct world *w) {
        coalesce_end(TAKE(w->c));
}

static void lease_it(struct world *w) {
        struct err_note note = {0};
        struct uuid lease;

        assert_ok(sr_lease(w->sr, &w->vdi, "test", "me", &lease, &note));
        write_on(w);
        assert_ok(sr_lease_end(w->sr, &lease, &note));
}

static void clone_it(struct world *w) {
        struct uuid clone = kit_clone(w->sr, &w->vdi, "clone");

        assert_reads(w->sr, &clone, w->want);
        write_on(w);
        kit_delete(w->sr, &clone);
}

static enum err step_aside(void *user, struct err_note *note) {
        struct world *w = user;

        return sr_close_chain(w->sr, TAKE(w->chain), note);
}

static void step_back(void *user);

/* One who can do without it for a moment. */
static void open_as_guest(struct world *w) {
        const struct sr_opener opener = {.step_aside = step_aside, .step_back = step_back, .user = w};
        struct err_note note = {0};

        if (!w->chain)
                assert_ok(sr_open_chain(w->sr, &w->vdi, CHAIN_WRITE, &w->chain, &note));
        sr_set_opener(w->sr, w->chain, &opener);
}

static void step_back(void *user) {
        open_as_guest(user);
}

static void grow_it(struct world *w) {
        struct err_note note = {0};

        open_as_guest(w);
        assert_ok(sr_vdi_resize(w->sr, &w->vdi, 1 * GIB, &note));
        assert_int_equal(chain_size(w->chain), 1 * GIB);
        assert_string_equal(kit_read_chain(w->chain).s, w->want);
        kit_put(w->chain, 511, 'Z');
}

/* What lies below must grow first: who reads it and cannot step aside is in the way, and stays as he is. */
static void grow_and_stay(struct world *w) {
        struct err_note note = {0};
        const struct chain *chain;
        const struct node *node;
        uint64_t bytes;
        unsigned n;

        grow_it(w);
        if (w->c)
                coalesce_end(TAKE(w->c));
        assert_ok(sr_garbage(w->sr, &n, &bytes, NULL, &note));
        node = tree_find(sr_tree(w->sr), &w->vdi);
        if (pulls || node->depth < 2)
                return;
        w->run.n = node->depth;
        while (node->parent)
                node = node->parent;
        w->run.target = node->uuid;
        chain = w->chain;
        sr_set_opener(w->sr, w->chain, &(struct sr_opener){0});
        assert_err(coalesce_begin(w->sr, &w->run, NULL, &w->c, &note), ERR_BUSY,
                   "is read by a disk that is open");
        w->c = NULL;
        assert_ptr_equal(w->chain, chain);
        open_as_guest(w);
}

/* The next coalesce of what is left goes to the end. */
static void coalesce_again(struct world *w) {
        struct err_note note = {0};
        const struct node *node;
        uint64_t bytes;
        unsigned n;

        if (w->c)
                coalesce_end(TAKE(w->c));
        assert_ok(sr_garbage(w->sr, &n, &bytes, NULL, &note)); /* what was emptied, and not yet taken away */
        node = tree_find(sr_tree(w->sr), &w->vdi);
        w->run.n = node->depth;
        while (node->parent)
                node = node->parent;
        w->run.target = node->uuid;
        if (w->run.n < 2)
                return;
        begin(w);
        run_to_end(w);
        assert_int_equal(kit_n_files(w->io), 1);
}

static void comes_at_any_step(event happens) {
        bool was_done = false;

        for (unsigned stop = 0; !was_done; stop++) {
                struct world w;

                world_init(&w, 100 + stop, 3);
                begin(&w);
                for (unsigned i = 0; i < stop && !was_done; i++) {
                        write_on(&w);
                        was_done = !step(&w);
                }
                happens(&w);
                for (unsigned i = 0; i < KIT_BLOCKS; i++)
                        write_on(&w);
                survives_crashes(&w);
                coalesce_again(&w);
                write_on(&w);
                world_fini(&w);
        }
}

static void a_snapshot_may_come_at_any_step(void **state) {
        (void)state;
        comes_at_any_step(snapshot_it);
}
static void the_vdi_may_be_closed_at_any_step(void **state) {
        (void)state;
        comes_at_any_step(close_it);
}
static void it_may_be_ended_at_any_step(void **state) {
        (void)state;
        comes_at_any_step(end_it);
}
static void a_lease_may_come_at_any_step(void **state) {
        (void)state;
        comes_at_any_step(lease_it);
}
static void a_clone_may_be_made_at_any_step(void **state) {
        (void)state;
        comes_at_any_step(clone_it);
}

static void the_vdi_may_grow_at_any_step(void **state) {
        (void)state;
        comes_at_any_step(grow_it);
        comes_at_any_step(grow_and_stay);
}

/* One call fails: the disk reads what was flushed, and the SR works. */
static void an_error_at_any_call_costs_no_byte(void **state) {
        bool did_fire = true;

        (void)state;
        for (unsigned n = 1; did_fire; n += 3) {
                struct err_note note = {0};
                bool is_done = false;
                struct world w;

                world_init(&w, n, 3);
                io_sim_fail_at(w.io, n, ERR_IO, false);
                if (coalesce_begin(w.sr, &w.run, &(struct coalesce_options){.batch_bytes = 2 * MIB}, &w.c,
                                   &note) == ERR_NONE)
                        while (!is_done && coalesce_step(w.c, &is_done, &note) == ERR_NONE)
                                ;
                did_fire = io_sim_fired(w.io);
                io_sim_heal(w.io);
                assert_string_equal(kit_read_chain(w.chain).s, w.want);
                sr_abandon_chain(w.sr, TAKE(w.chain));
                assert_ok(sr_scan(w.sr, &note));
                assert_reads(w.sr, &w.vdi, w.want);
                assert_ok(sr_open_chain(w.sr, &w.vdi, CHAIN_WRITE, &w.chain, &note));
                write_on(&w);
                coalesce_again(&w);
                world_fini(&w);
        }
}

/* What a failed sync lost is not moved over what is below it: old or new, and never neither [D1] [C1]. */
static void lose_a_write(struct world *w, unsigned block, char letter) {
        struct err_note note = {0};

        for (unsigned n = 1;; n++) {
                char data[4096];

                memset(data, letter, sizeof data);
                assert_true(n < 200);
                /* Refused once a sync has failed. */
                if (chain_write(w->chain, data, sizeof data, block * 2 * MIB, &note))
                        return;
                kit_put(w->chain, block, letter);
                io_sim_fail_at(w->io, n, ERR_IO, false);
                if (!chain_flush(w->chain, &note))
                        w->want[block] = letter;
                io_sim_heal(w->io);
        }
}

/* Each of its sectors for itself. */
static void reads_old_or_new(struct world *w, unsigned block, char letter) {
        const uint64_t places[] = {0, 512, 4096 - 512, MIB + 77, MIB + 1000};
        struct err_note note = {0};
        struct chain *chain;

        (void)!sr_close_chain(w->sr, TAKE(w->chain), &note);
        assert_ok(sr_open_chain(w->sr, &w->vdi, CHAIN_WRITE, &chain, &note));
        for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
                char is = 0;

                assert_ok(chain_read(chain, &is, 1, block * 2 * MIB + places[i], &note));
                assert_true(is == w->want[block] || is == letter);
        }
        kit_put(chain, block, letter);
        w->want[block] = letter;
        assert_string_equal(kit_read_chain(chain).s, w->want);
        assert_ok(sr_close_chain(w->sr, chain, &note));
}

static void what_a_failed_sync_lost_is_not_moved(void **state) {
        bool was_done = false;

        (void)state;
        for (unsigned stop = 0; !was_done; stop++) {
                struct err_note note = {0};
                struct world w;
                bool is_done = false;

                /* Its block holds other sectors already: what is lost is bits that say more than there is. */
                world_init(&w, 300 + stop, 2);
                assert_ok(chain_write(w.chain, "other", 5, 65536, &note));
                assert_ok(chain_flush(w.chain, &note));
                if (stop > 0)
                        begin(&w);
                for (unsigned i = 1; i < stop && !was_done; i++)
                        was_done = !step(&w);
                lose_a_write(&w, 0, 'x');
                if (stop == 0)
                        assert_err(coalesce_begin(w.sr, &w.run, NULL, &w.c, &note), ERR_BUSY,
                                   "a sync of it failed");
                else
                        while (!is_done && !coalesce_step(w.c, &is_done, &note))
                                ;
                if (stop == 0)
                        w.c = NULL;
                else
                        coalesce_end(TAKE(w.c));
                reads_old_or_new(&w, 0, 'x');
                world_fini(&w);
        }
}

static void step_until(struct world *w, enum coalesce_state state) {
        struct coalesce_progress progress;

        do {
                assert_true(step(w));
                coalesce_progress_of(w->c, &progress);
        } while (progress.state < state);
}

/* What was written below the leaf, and could not be brought down when the coalesce ended, is nothing that a
 * flush of the leaf may tell of [D6], and no snapshot takes. */
static void what_the_target_could_not_keep_is_not_acknowledged(void **state) {
        unsigned n_lost = 0;

        (void)state;
        for (uint64_t i = 0; i < 40; i++) {
                struct err_note note = {0};
                struct world w;

                world_init(&w, i, 2);
                begin(&w);
                step_until(&w, COALESCE_PIVOTING);
                w.turn = (unsigned)i;
                kit_put(w.chain, 1, 'z');
                io_sim_fail_at(w.io, 1 + i % 4, ERR_IO, false); /* as the target is brought down */
                coalesce_end(TAKE(w.c));
                io_sim_heal(w.io);
                if (chain_flush(w.chain, &note) == ERR_NONE) {
                        w.want[1] = 'z';
                        survives_crashes(&w);
                } else {
                        const struct vdi_options options = {.name = "s"};
                        struct uuid unused;

                        assert_int_equal(sr_vdi_snapshot(w.sr, &w.vdi, &options, &unused, &note), ERR_IO);
                        n_lost++;
                }
                sr_abandon_chain(w.sr, w.chain);
                sr_close(w.sr);
                io_free(w.io);
        }
        assert_true(n_lost > 0);
}

/* What a process that was killed wrote and did not flush is there, wherever in the run it lies: whoever opens
 * the disk anew sees it, and it stays. */
static void what_is_seen_after_a_kill_stays(void **state) {
        (void)state;
        for (uint64_t seed = 0; seed < 20; seed++) {
                struct world w;
                struct io *io;
                struct sr *sr;
                struct kit_text seen;

                world_init(&w, seed, 3);
                begin(&w);
                for (unsigned block = 0; block < KIT_BLOCKS; block++) {
                        kit_put(w.chain, block, 'z');
                        w.want[block] = 'z';
                }
                io = io_sim_fork(w.io); /* no process has anything open there */
                sr = kit_open(io);
                (void)kit_vdi(sr, "b"); /* the first change recovers */
                seen = kit_read(sr, &w.vdi);
                if (!pulls) /* whose bits of new blocks were in memory alone */
                        assert_string_equal(seen.s, w.want);
                sr_close(sr);
                io_sim_crash(io, seed);
                sr = kit_open(io);
                assert_reads(sr, &w.vdi, seen.s);
                sr_close(sr);
                io_free(io);
                world_fini(&w);
        }
}

/* The next sync of the folder fails. */
static void fail_names(void *user, const char *verb, const char *path) {
        struct world *w = user;

        if (strcmp(verb, "sync directory") == 0 && strcmp(path, KIT_DIR) == 0)
                io_sim_fail_at(w->io, 1, ERR_IO, false);
}

/* A failed sync may have taken the new name back, or not: the chain acknowledges nothing any more, and goes
 * on holding the file. */
static void a_name_that_was_not_durable_holds_up_no_other_disk(void **state) {
        (void)state;
        for (uint64_t seed = 0; seed < 8; seed++) {
                struct err_note note = {0};
                enum err err = ERR_NONE;
                bool is_done = false;
                struct world w;

                world_init(&w, seed, 2);
                begin(&w);
                io_sim_set_watch(w.io, fail_names, &w);
                while (!is_done && err == ERR_NONE)
                        err = coalesce_step(w.c, &is_done, &note);
                assert_int_equal(err, ERR_IO);
                io_sim_set_watch(w.io, NULL, NULL);
                io_sim_heal(w.io);
                (void)kit_vdi(w.sr, "b");
                assert_int_equal(chain_flush(w.chain, &note), ERR_IO);
                sr_abandon_chain(w.sr, TAKE(w.chain));
                assert_reads(w.sr, &w.vdi, w.want);
                world_fini(&w);
        }
}

static void what_it_does_itself_counts_for_no_latency(void **state) {
        struct latency_counts before, now;
        struct world w;

        (void)state;
        world_init(&w, 5, 3);
        chain_latency(w.chain, &before);
        begin(&w);
        while (step(&w))
                ;
        coalesce_end(TAKE(w.c));
        chain_latency(w.chain, &now);
        assert_int_equal(chain_depth(w.chain), 1);
        assert_memory_equal(&now, &before, sizeof now);
        (void)kit_snapshot(w.sr, &w.vdi, "s");
        chain_latency(w.chain, &now);
        assert_memory_equal(&now, &before, sizeof now);
        (void)kit_read_chain(w.chain);
        chain_latency(w.chain, &now);
        assert_true(latency_n(&now, LATENCY_READ) > latency_n(&before, LATENCY_READ));
        world_fini(&w);
}

/* ---- of a pull alone ---- */

/* Before anybody recovers [S2]. */
static void reads_unrecovered(const struct world *w) {
        for (uint64_t seed = 0; seed < IO_SIM_STYLES; seed++) {
                struct io *io = io_sim_fork(w->io);
                struct sr *sr;

                io_sim_crash(io, seed);
                sr = kit_open_as(io, SR_READ_ONLY);
                assert_reads(sr, &w->vdi, w->want);
                sr_close(sr);
                io_free(io);
        }
}

/* At each call on the leaf's file, while it gets another parent. */
static void trim_meanwhile(void *user, const char *verb, const char *path) {
        struct world *w = user;
        struct uuid_text name = uuid_format(&w->vdi);
        struct err_note note = {0};

        (void)verb;
        if (!strstr(path, name.s))
                return;
        assert_ok(chain_trim(w->chain, 2 * MIB, 2 * MIB, &note));
        assert_ok(chain_flush(w->chain, &note));
        w->want[1] = '.';
        assert_string_equal(kit_read_chain(w->chain).s, w->want);
        reads_unrecovered(w);
        w->turn++;
}

/* As long as a crash can bring back the old parent, what it holds of a block must be covered. */
static void what_is_trimmed_while_a_leaf_gets_another_parent_stays_zero(void **state) {
        (void)state;
        pulls = true;
        for (uint64_t seed = 0; seed < 4; seed++) {
                struct world w;

                world_init(&w, seed, 3);
                w.run.target = tree_find(sr_tree(w.sr), &w.vdi)->parent->uuid;
                w.run.n = 2;
                begin(&w); /* block 1 is the parent's alone */
                step_until(&w, COALESCE_EMPTY);
                io_sim_set_watch(w.io, trim_meanwhile, &w);
                while (step(&w))
                        ;
                io_sim_set_watch(w.io, NULL, NULL);
                assert_true(w.turn > 0);
                assert_int_equal(chain_depth(w.chain), 2);
                coalesce_end(TAKE(w.c));
                write_on(&w);
                world_fini(&w);
        }
        pulls = false;
}

/* Neither the file nor what names it changes: only what it stands on. */
static void a_leaf_that_pulled_all_is_the_file_that_it_was(void **state) {
        struct uuid footer;
        struct world w;

        (void)state;
        pulls = true;
        world_init(&w, 9, 4);
        footer = tree_find(sr_tree(w.sr), &w.vdi)->footer_uuid;
        begin(&w);
        run_to_end(&w);
        assert_true(uuid_equal(&tree_find(sr_tree(w.sr), &w.vdi)->footer_uuid, &footer));
        assert_false(tree_find(sr_tree(w.sr), &w.vdi)->has_parent);
        world_fini(&w);
        pulls = false;
}

static int run_both_ways(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_ends_in_one_file_under_the_vdis_name),
                cmocka_unit_test(after_a_crash_at_any_step_all_that_was_flushed_is_there),
                cmocka_unit_test(a_snapshot_may_come_at_any_step),
                cmocka_unit_test(the_vdi_may_be_closed_at_any_step),
                cmocka_unit_test(it_may_be_ended_at_any_step),
                cmocka_unit_test(a_lease_may_come_at_any_step),
                cmocka_unit_test(a_clone_may_be_made_at_any_step),
                cmocka_unit_test(the_vdi_may_grow_at_any_step),
                cmocka_unit_test(what_a_failed_sync_lost_is_not_moved),
                cmocka_unit_test(an_error_at_any_call_costs_no_byte),
                cmocka_unit_test(what_is_seen_after_a_kill_stays),
        };
        int n_failed = cmocka_run_group_tests_name("push", tests, NULL, NULL);

        pulls = true;
        n_failed += cmocka_run_group_tests_name("pull", tests, NULL, NULL);
        pulls = false;
        return n_failed;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_the_target_could_not_keep_is_not_acknowledged),
                cmocka_unit_test(a_name_that_was_not_durable_holds_up_no_other_disk),
                cmocka_unit_test(what_is_trimmed_while_a_leaf_gets_another_parent_stays_zero),
                cmocka_unit_test(a_leaf_that_pulled_all_is_the_file_that_it_was),
                cmocka_unit_test(what_it_does_itself_counts_for_no_latency),
        };

        return run_both_ways() + cmocka_run_group_tests(tests, NULL, NULL);
}
