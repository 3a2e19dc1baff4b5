// SPDX-License-Identifier: Apache-2.0
/* Readers of the disk above, on threads of their own, while a push goes on below it. */
#include "move_kit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "push.h"

struct world {
        struct kit_world kit;
        struct image *run[3];
        struct push *push;
        _Atomic bool is_over, did_misread;
};

static void world_init(struct world *w) {
        const struct mover_options options = {.batch_bytes = 1, .never_clones = true};
        struct err_note note;

        memset(w, 0, sizeof *w);
        kit_world_init(&w->kit);
        w->run[0] = w->kit.base;
        w->run[1] = w->kit.low;
        w->run[2] = w->kit.mid;
        for (unsigned i = 0; i < 3; i++)
                kit_begin(w->run[i]);
        assert_ok(push_new(w->run, 3, &options, &w->push, &note));
}

static void world_fini(struct world *w) {
        push_free(w->push);
        for (unsigned i = 0; i < 3; i++)
                kit_end(w->run[i]);
        kit_world_fini(&w->kit);
}

static void *read_all_the_time(void *user) {
        struct world *w = user;
        struct fixture_dice dice = {(uint64_t)(uintptr_t)&dice};
        AUTO_FREE uint8_t *data = mem_zero(KIT_BLOCK);
        struct err_note note;

        while (!atomic_load(&w->is_over)) {
                uint64_t sector = fixture_roll(&dice, KIT_SECTORS), n = 1 + fixture_roll(&dice, 600);

                n = min_u64(n, KIT_SECTORS - sector);
                if (chain_read(w->kit.chain, data, n * 512, sector * 512, &note) ||
                    memcmp(data, w->kit.before + sector * 512, n * 512) != 0)
                        atomic_store(&w->did_misread, true);
        }
        return NULL;
}

static void readers_see_the_same_bytes_while_blocks_move(void **state) {
        (void)state;
        for (unsigned round = 0; round < 4; round++) {
                pthread_t readers[2];
                struct err_note note;
                struct world w;

                world_init(&w);
                for (unsigned i = 0; i < 2; i++)
                        assert_int_equal(pthread_create(&readers[i], NULL, read_all_the_time, &w), 0);
                while (push_phase(w.push) != PUSH_EMPTY)
                        assert_ok(push_step(w.push, &w.kit.chain, 1, &note));
                atomic_store(&w.is_over, true);
                for (unsigned i = 0; i < 2; i++)
                        pthread_join(readers[i], NULL);
                assert_false(atomic_load(&w.did_misread));
                assert_int_equal(kit_held(w.run[1]) + kit_held(w.run[2]), 0);
                kit_same(&w.kit, w.kit.chain);
                world_fini(&w);
        }
}

/* ---- a reader that takes its time ---- */

static void *publish_and_punch(void *user) {
        struct world *w = user;
        struct err_note note;

        while (push_phase(w->push) == PUSH_PUBLISH || push_phase(w->push) == PUSH_PUNCH)
                if (push_step(w->push, &w->kit.chain, 1, &note))
                        break;
        return NULL;
}

/* It found its bytes before the publication: they stay until it has gone [C3]. */
static void what_a_reader_found_is_there_until_it_has_gone(void **state) {
        const struct timespec a_while = {.tv_nsec = 20 * 1000 * 1000};
        struct chain_segment segment;
        struct chain_hold hold;
        struct err_note note;
        pthread_t publisher;
        uint8_t data[512];
        struct world w;

        (void)state;
        world_init(&w);
        /* The block that only /mid.vhd has, whole. */
        hold = chain_hold_begin(w.kit.chain);
        assert_ok(chain_segment_at(w.kit.chain, 3 * (uint64_t)KIT_BLOCK + 512, 512, &segment, &note));
        chain_hold_end(w.kit.chain, hold);
        assert_ptr_equal(segment.file, w.run[2]->file);
        for (;;) {
                while (push_phase(w.push) != PUSH_PUBLISH)
                        assert_ok(push_step(w.push, &w.kit.chain, 1, &note));
                hold = chain_hold_begin(w.kit.chain);
                assert_int_equal(pthread_create(&publisher, NULL, publish_and_punch, &w), 0);
                nanosleep(&a_while, NULL);
                assert_ok(io_read(segment.file, data, 512, segment.file_at, &note));
                assert_memory_equal(data, w.kit.before + segment.at, 512);
                chain_hold_end(w.kit.chain, hold);
                pthread_join(publisher, NULL);
                assert_ok(io_read(segment.file, data, 512, segment.file_at, &note));
                if (bytes_are_zero(data, 512))
                        break; /* it was this batch, and they are gone now */
                assert_int_not_equal(push_phase(w.push), PUSH_EMPTY);
        }
        kit_same(&w.kit, w.kit.chain);
        world_fini(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(readers_see_the_same_bytes_while_blocks_move),
                cmocka_unit_test(what_a_reader_found_is_there_until_it_has_gone),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
