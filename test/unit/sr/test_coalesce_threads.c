// SPDX-License-Identifier: Apache-2.0
/* Steps that are not the owner's are taken by another thread, while the owner goes on with verbs and guests
 * write and read. */
#include "sr_kit.h"

#include <pthread.h>
#include <sched.h>

#include "coalesce.h"

struct stepper {
        struct coalesce *c; /* borrowed */
        pthread_mutex_t turn;
        _Atomic bool is_done;
};

/* As a collector of garbage would: its own thread, and the turn only where a step needs it. */
static void *take_steps(void *user) {
        struct stepper *stepper = user;
        struct err_note note = {0};
        bool is_done = false;

        while (!is_done) {
                bool needs_turn = coalesce_needs_turn(stepper->c);

                if (needs_turn)
                        pthread_mutex_lock(&stepper->turn);
                assert_ok(coalesce_step(stepper->c, &is_done, &note));
                if (needs_turn)
                        pthread_mutex_unlock(&stepper->turn);
                sched_yield();
        }
        atomic_store(&stepper->is_done, true);
        return NULL;
}

static void *write_on(void *user) {
        struct chain *chain = user;

        for (char letter = 'a'; letter <= 'z'; letter++) {
                kit_put(chain, 3, letter);
                assert_memory_equal(kit_read_chain(chain).s, "CBC", 3);
                sched_yield();
        }
        return NULL;
}

/* Under the turn: a snapshot comes and goes, a reader opens and closes. */
static void take_verbs(struct sr *sr, const struct uuid *kept, const struct uuid *other, const char *reads) {
        struct uuid snapshot = kit_snapshot(sr, other, "t");

        assert_reads(sr, kept, reads);
        kit_delete(sr, &snapshot);
}

static void steps_go_on_beside_verbs_and_guests(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct stepper stepper = {.turn = PTHREAD_MUTEX_INITIALIZER};
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), other = kit_vdi(sr, "b"), kept = {{0}}, gone;
        struct err_note note = {0};
        struct coalesce_run run = {.n = 3};
        const struct node *node;
        pthread_t threads[2];
        struct chain *chain;

        (void)state;
        for (unsigned i = 0; i < 3; i++) {
                kit_write(sr, &vdi, (const char *const[]){"AAA.", "BB..", "C.C."}[i]);
                gone = kept;
                kept = kit_snapshot(sr, &vdi, "s");
                if (i > 0)
                        kit_delete(sr, &gone);
        }
        node = tree_find(sr_tree(sr), &vdi)->parent;
        run.top = node->uuid;
        run.target = node->parent->parent->uuid;
        assert_ok(sr_open_chain(sr, &vdi, CHAIN_WRITE, &chain, &note));
        assert_ok(
                coalesce_begin(sr, &run, &(struct coalesce_options){.batch_bytes = 4096}, &stepper.c, &note));
        assert_int_equal(pthread_create(&threads[0], NULL, take_steps, &stepper), 0);
        assert_int_equal(pthread_create(&threads[1], NULL, write_on, chain), 0);
        while (!atomic_load(&stepper.is_done)) {
                pthread_mutex_lock(&stepper.turn);
                take_verbs(sr, &kept, &other, "CBC.");
                pthread_mutex_unlock(&stepper.turn);
                sched_yield();
        }
        for (unsigned i = 0; i < 2; i++)
                assert_int_equal(pthread_join(threads[i], NULL), 0);
        coalesce_end(stepper.c);
        assert_int_equal(chain_depth(chain), 2);
        assert_ok(sr_close_chain(sr, chain, &note));
        assert_reads(sr, &vdi, "CBCz");
        assert_reads(sr, &kept, "CBC.");
        sr_close(sr);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(steps_go_on_beside_verbs_and_guests),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
