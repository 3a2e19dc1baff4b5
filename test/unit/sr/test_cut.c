// SPDX-License-Identifier: Apache-2.0
#include "sr_kit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "io/temp_dir.h"

static struct sr_snapshot_ask ask(const struct uuid *vdi, const char *name) {
        return (struct sr_snapshot_ask){.vdi = *vdi, .options = {.name = name}};
}

static void several_disks_are_snapshotted_at_once(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid a = kit_vdi(sr, "a"), b = kit_vdi(sr, "b"), made[2];
        struct sr_snapshot_ask asks[] = {ask(&a, "sa"), ask(&b, "sb")};
        struct err_note note = {0};
        struct chain *chain;

        (void)state;
        kit_write(sr, &b, "B");
        assert_ok(sr_open_chain(sr, &a, CHAIN_WRITE, &chain, &note));
        kit_put(chain, 0, 'A');
        assert_ok(sr_vdis_snapshot(sr, asks, 2, made, &note));
        kit_put(chain, 1, 'X');
        assert_ok(sr_close_chain(sr, chain, &note));
        assert_reads(sr, &a, "AX..");
        assert_reads(sr, &made[0], "A...");
        assert_reads(sr, &made[1], "B...");
        assert_true(sr_get_vdi(sr, &made[1])->row.is_snapshot);
        assert_true(uuid_equal(&sr_get_vdi(sr, &made[1])->row.snapshot_of, &b));
        assert_int_equal(sr_get_vdi(sr, &made[0])->row.snapshot_time,
                         sr_get_vdi(sr, &made[1])->row.snapshot_time);
        sr_close(sr);
}

static void clones_and_snapshots_have_the_uuids_that_were_asked_for(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid a = kit_vdi(sr, "a"), want = {{1, 2, 3, 4}}, made;
        struct sr_snapshot_ask asks[] = {ask(&a, "c")};
        struct err_note note = {0};

        (void)state;
        asks[0].is_clone = true;
        asks[0].options.uuid = &want;
        assert_ok(sr_vdis_snapshot(sr, asks, 1, &made, &note));
        assert_true(uuid_equal(&made, &want));
        assert_false(sr_get_vdi(sr, &made)->row.is_snapshot);
        kit_write(sr, &made, "C");
        assert_reads(sr, &a, "....");
        assert_err(sr_vdis_snapshot(sr, asks, 1, &made, &note), ERR_EXISTS, "has a disk 01020304");
        sr_close(sr);
}

static void a_disk_that_is_unchanged_gets_no_layer(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid a = kit_vdi(sr, "a"), b = kit_vdi(sr, "b"), made[2];
        struct sr_snapshot_ask asks[] = {ask(&a, NULL), ask(&b, NULL)};
        struct err_note note = {0};

        (void)state;
        assert_ok(sr_vdis_snapshot(sr, asks, 2, made, &note));
        kit_write(sr, &b, "B");
        assert_ok(sr_vdis_snapshot(sr, asks, 2, made, &note));
        assert_int_equal(kit_depth(sr, &a), 2);
        assert_int_equal(kit_depth(sr, &b), 3);
        assert_reads(sr, &made[0], "....");
        assert_reads(sr, &made[1], "B...");
        sr_close(sr);
}

static void one_that_cannot_be_keeps_the_others_from_it(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid a = kit_vdi(sr, "a"), b = kit_vdi(sr, "b"), none = {{9}}, made[2];
        struct sr_snapshot_ask asks[] = {ask(&a, NULL), ask(&none, NULL)};
        struct sr_snapshot_ask twice[] = {ask(&a, NULL), ask(&a, NULL)};
        struct sr_snapshot_ask deep[] = {ask(&a, NULL), ask(&b, NULL)};
        struct err_note note = {0};
        unsigned max_depth = 1, n_files = kit_n_files(io);

        (void)state;
        assert_err(sr_vdis_snapshot(sr, asks, 2, made, &note), ERR_NOT_FOUND, "no VDI");
        assert_err(sr_vdis_snapshot(sr, twice, 2, made, &note), ERR_INVALID, "named twice");
        assert_ok(sr_set(sr, &(struct sr_settings){.max_depth = &max_depth}, &note));
        assert_err(sr_vdis_snapshot(sr, deep, 2, made, &note), ERR_TOO_LARGE, "max-depth");
        assert_int_equal(kit_n_files(io), n_files);
        assert_int_equal(sr_n_vdis(sr), 2);
        sr_close(sr);
}

static void what_was_begun_and_given_up_leaves_nothing_and_writers_go_on(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid a = kit_vdi(sr, "a"), b = kit_vdi(sr, "b");
        struct sr_snapshot_ask asks[] = {ask(&a, NULL), ask(&b, NULL)};
        struct err_note note = {0};
        struct sr_cut *cut;
        struct chain *chain;
        unsigned n_files = kit_n_files(io);

        (void)state;
        assert_ok(sr_open_chain(sr, &a, CHAIN_WRITE, &chain, &note));
        kit_put(chain, 0, 'A');
        assert_ok(sr_cut_begin(sr, asks, 2, &cut, &note));
        sr_cut_abort(cut);
        kit_put(chain, 1, 'B');
        assert_ok(sr_close_chain(sr, chain, &note));
        assert_int_equal(kit_n_files(io), n_files);
        assert_reads(sr, &a, "AB..");
        sr_close(sr);
}

/* An import onto a disk keeps its file under the name that a pivot of that disk would prepare. */
static void an_import_onto_a_disk_survives_a_snapshot_that_fails(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid a = kit_vdi(sr, "a"), none = {{9}}, made[2];
        struct sr_snapshot_ask asks[] = {ask(&a, NULL), ask(&none, NULL)};
        struct err_note note = {0};
        struct sr_import *import;

        (void)state;
        kit_write(sr, &a, "A");
        assert_ok(sr_import_begin_onto(sr, &a, KIT_SIZE, &import, &note));
        kit_put(sr_import_chain(import), 1, 'N');
        assert_err(sr_vdis_snapshot(sr, asks, 2, made, &note), ERR_NOT_FOUND, "");
        assert_ok(sr_vdis_snapshot(sr, asks, 1, made, &note));
        assert_ok(sr_import_commit(import, &(struct uuid){{0}}, &made[1], &note));
        assert_reads(sr, &a, "AN..");
        assert_reads(sr, &made[0], "A...");
        sr_close(sr);
}

/* ---- names that do not become durable ---- */

struct fault {
        struct io *io; /* borrowed */
        unsigned n_renames;
};

/* The sync that follows the last rename. */
static void fail_the_names(void *user, const char *verb, const char *path) {
        struct fault *fault = user;

        fault->n_renames += strcmp(verb, "rename") == 0;
        if (fault->n_renames == 4 && strcmp(verb, "sync directory") == 0 && strcmp(path, KIT_DIR) == 0) {
                io_sim_fail_at(fault->io, 1, ERR_IO, false);
                fault->n_renames++;
        }
}

static void where_the_names_fail_neither_flush_nor_close_says_that_all_is_well(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid disks[] = {kit_vdi(sr, "a"), kit_vdi(sr, "b")}, made[2];
        struct sr_snapshot_ask asks[] = {ask(&disks[0], NULL), ask(&disks[1], NULL)};
        struct fault fault = {.io = io};
        struct err_note note = {0};
        struct chain *chains[2];

        (void)state;
        for (unsigned i = 0; i < 2; i++) {
                assert_ok(sr_open_chain(sr, &disks[i], CHAIN_WRITE, &chains[i], &note));
                kit_put(chains[i], 0, 'A');
        }
        io_sim_set_watch(io, fail_the_names, &fault);
        assert_err(sr_vdis_snapshot(sr, asks, 2, made, &note), ERR_IO, "cut short");
        io_sim_set_watch(io, NULL, NULL);
        assert_int_equal(fault.n_renames, 5);
        kit_put(chains[0], 1, 'X');
        assert_err(chain_flush(chains[0], &note), ERR_IO, "open the disk anew");
        assert_err(sr_close_chain(sr, chains[0], &note), ERR_IO, "open the disk anew");
        assert_err(sr_close_chain(sr, chains[1], &note), ERR_IO, "open the disk anew");
        assert_ok(sr_vdis_snapshot(sr, asks, 2, made, &note));
        assert_reads(sr, &disks[1], "A...");
        assert_reads(sr, &made[1], "A...");
        sr_close(sr);
}

/* ---- one instant ---- */

/* Between the look at an empty leaf and its freeze, as the intents are written down. */
static void write_late(void *user, const char *verb, const char *path) {
        struct chain **chain = user;

        (void)verb;
        if (*chain && strstr(path, "/.catena/"))
                kit_put(TAKE(*chain), 1, 'L');
}

static void a_leaf_that_is_empty_no_more_when_it_is_frozen_is_cut(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid a = kit_vdi(sr, "a"), b = kit_vdi(sr, "b"), made[2];
        struct sr_snapshot_ask asks[] = {ask(&a, NULL), ask(&b, NULL)};
        struct err_note note = {0};
        struct chain *chain, *late;

        (void)state;
        kit_write(sr, &a, "A");
        assert_ok(sr_open_chain(sr, &a, CHAIN_WRITE, &chain, &note));
        assert_ok(sr_vdis_snapshot(sr, asks, 2, made, &note));
        late = chain;
        io_sim_set_watch(io, write_late, &late);
        assert_ok(sr_vdis_snapshot(sr, asks, 2, made, &note));
        io_sim_set_watch(io, NULL, NULL);
        assert_null(late);
        assert_reads(sr, &made[0], "AL..");
        kit_put(chain, 2, 'Z');
        assert_ok(sr_close_chain(sr, chain, &note));
        assert_reads(sr, &made[0], "AL..");
        assert_reads(sr, &a, "ALZ.");
        assert_int_equal(kit_depth(sr, &b), 2);
        sr_close(sr);
}

struct waiting {
        struct chain *chain; /* borrowed */
        atomic_bool did_write;
};

static void *write_once(void *user) {
        struct waiting *waiting = user;

        kit_put(waiting->chain, 1, 'W');
        atomic_store(&waiting->did_write, true);
        return NULL;
}

static void every_writer_waits_between_begin_and_commit(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid disks[] = {kit_vdi(sr, "a"), kit_vdi(sr, "b")}, made[2];
        struct sr_snapshot_ask asks[] = {ask(&disks[0], NULL), ask(&disks[1], NULL)};
        struct waiting waiting[2] = {0};
        struct err_note note = {0};
        struct sr_cut *cut;
        pthread_t threads[2];

        (void)state;
        for (unsigned i = 0; i < 2; i++)
                assert_ok(sr_open_chain(sr, &disks[i], CHAIN_WRITE, &waiting[i].chain, &note));
        assert_ok(sr_cut_begin(sr, asks, 2, &cut, &note));
        for (unsigned i = 0; i < 2; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, write_once, &waiting[i]), 0);
        usleep(100000); /* for one that does not wait to be found out */
        assert_false(atomic_load(&waiting[0].did_write) || atomic_load(&waiting[1].did_write));
        assert_ok(sr_cut_commit(cut, made, &note));
        for (unsigned i = 0; i < 2; i++) {
                pthread_join(threads[i], NULL);
                assert_ok(sr_close_chain(sr, waiting[i].chain, &note));
                assert_reads(sr, &made[i], "....");
                assert_reads(sr, &disks[i], ".W..");
        }
        sr_close(sr);
}

/* Numbers that grow, written to one disk and then, once that has ended, to the other. */
struct alternating {
        struct chain *chains[2]; /* borrowed */
        atomic_bool stops;
        atomic_ullong written;
};

static void *alternate(void *user) {
        struct alternating *run = user;
        struct err_note note;

        for (uint64_t i = 1; !atomic_load(&run->stops); i++) {
                for (unsigned j = 0; j < 2; j++)
                        if (chain_write(run->chains[j], &i, sizeof i, 0, &note))
                                return (void *)1;
                atomic_store(&run->written, i);
        }
        return NULL;
}

static uint64_t number_in(struct sr *sr, const struct uuid *vdi) {
        struct err_note note = {0};
        struct chain *chain;
        uint64_t number = 0;

        assert_ok(sr_open_chain(sr, vdi, CHAIN_READ, &chain, &note));
        assert_ok(chain_read(chain, &number, sizeof number, 0, &note));
        assert_ok(sr_close_chain(sr, chain, &note));
        return number;
}

static void cut_while_it_runs(struct sr *sr, const struct uuid disks[2], struct alternating *run) {
        struct sr_snapshot_ask asks[] = {ask(&disks[1], NULL), ask(&disks[0], NULL)};
        struct err_note note = {0};
        struct uuid made[2];

        for (unsigned i = 0; i < 20; i++) {
                uint64_t before = atomic_load(&run->written), first, second;

                /* Else the leaves are empty when the next begins, and not any more when it stops the
                 * writer. */
                while (i % 2 && atomic_load(&run->written) < before + 3)
                        ;
                before = atomic_load(&run->written);
                assert_ok(sr_vdis_snapshot(sr, asks, 2, made, &note));
                first = number_in(sr, &made[1]);
                second = number_in(sr, &made[0]);
                assert_true(first >= before && second >= before);
                assert_true(first == second || first == second + 1);
        }
}

static void what_is_written_to_one_disk_after_another_is_in_no_snapshot_without_it(void **state) {
        AUTO(temp_dir_free) char *dir = temp_dir_new();
        AUTO(io_free) struct io *io = io_posix_new();
        AUTO_FREE char *at = mem_format("%s/sr", dir);
        const struct sr_options options = {.images = &kit_images};
        struct alternating run = {0};
        struct err_note note = {0};
        struct uuid disks[2], uuid;
        pthread_t thread;
        struct sr *sr;
        void *failed;

        (void)state;
        assert_ok(sr_create(io, at, "main", NULL, &uuid, &note));
        assert_ok(sr_open(io, at, &options, &sr, &note));
        for (unsigned i = 0; i < 2; i++) {
                disks[i] = kit_vdi(sr, i ? "b" : "a");
                assert_ok(sr_open_chain(sr, &disks[i], CHAIN_WRITE, &run.chains[i], &note));
        }
        assert_int_equal(pthread_create(&thread, NULL, alternate, &run), 0);
        cut_while_it_runs(sr, disks, &run);
        atomic_store(&run.stops, true);
        pthread_join(thread, &failed);
        assert_null(failed);
        for (unsigned i = 0; i < 2; i++)
                assert_ok(sr_close_chain(sr, run.chains[i], &note));
        sr_close(sr);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(several_disks_are_snapshotted_at_once),
                cmocka_unit_test(clones_and_snapshots_have_the_uuids_that_were_asked_for),
                cmocka_unit_test(a_disk_that_is_unchanged_gets_no_layer),
                cmocka_unit_test(one_that_cannot_be_keeps_the_others_from_it),
                cmocka_unit_test(what_was_begun_and_given_up_leaves_nothing_and_writers_go_on),
                cmocka_unit_test(an_import_onto_a_disk_survives_a_snapshot_that_fails),
                cmocka_unit_test(where_the_names_fail_neither_flush_nor_close_says_that_all_is_well),
                cmocka_unit_test(a_leaf_that_is_empty_no_more_when_it_is_frozen_is_cut),
                cmocka_unit_test(every_writer_waits_between_begin_and_commit),
                cmocka_unit_test(what_is_written_to_one_disk_after_another_is_in_no_snapshot_without_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
