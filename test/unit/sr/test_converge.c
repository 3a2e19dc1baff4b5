// SPDX-License-Identifier: Apache-2.0
/* A coalesce ends however fast its disk is written to: guests rewrite it as fast as the machine lets them,
 * between the steps and during each of them.
 *
 *      top    A A A A A A A A A A A A . . . .     whole blocks
 *      low    B B B B . . . . B B B B B B B B
 *      base   C C C C C C C C C C C C C C C C
 *
 * Counted, never timed: blocks that layers hold, batches, payload, copies while a write waits.
 */
#include "sr_kit.h"

#include <pthread.h>
#include <time.h>

#include "chain_inside.h"
#include "chain_move.h"
#include "coalesce.h"
#include "fixture.h"

enum { BLOCKS = 16, LAYERS = 3, GUESTS = 2, PAGE = 4096 };
#define BLOCK ((uint64_t)2 * MIB)
#define PAGES (BLOCKS * BLOCK / PAGE)

enum pattern { UNIFORM, HOT, SEQUENTIAL, PATTERNS };

struct guest {
        struct scene *scene;
        unsigned me;
        _Atomic uint64_t n_writes;
        uint8_t *last; /* owned; of each page, what it wrote there */
        unsigned n_wrong;
        pthread_t thread;
};

struct scene {
        struct io *io;
        struct sr *sr;
        struct uuid vdi;
        struct chain *chain;
        struct coalesce *c;
        struct coalesce_run run;
        enum pattern pattern;
        _Atomic bool is_over;
        pthread_mutex_t lock;
        pthread_cond_t wrote; /* somebody did */
        struct guest guests[GUESTS];
        uint32_t held[LAYERS]; /* a bit for each block, from the top down */
};

/* ---- the disk ---- */

static void write_blocks(struct scene *s, const char *letters) {
        AUTO_FREE uint8_t *data = mem_zero(BLOCK);
        struct err_note note;
        struct chain *chain;

        assert_ok(sr_open_chain(s->sr, &s->vdi, CHAIN_WRITE, &chain, &note));
        for (uint64_t i = 0; i < BLOCKS; i++) {
                memset(data, letters[i], BLOCK);
                if (letters[i] != '.')
                        assert_ok(chain_write(chain, data, BLOCK, i * BLOCK, &note));
        }
        assert_ok(sr_close_chain(s->sr, chain, &note));
}

static void scene_init(struct scene *s, enum pattern pattern, unsigned lacks) {
        static const char *const layers[LAYERS] = {"CCCCCCCCCCCCCCCC", "BBBB....BBBBBBBB",
                                                   "AAAAAAAAAAAA...."};
        const struct vdi_options options = {.name = "a", .size = BLOCKS * BLOCK};
        struct uuid snapshots[LAYERS];
        const struct node *node;
        struct err_note note;

        memset(s, 0, sizeof *s);
        s->pattern = pattern;
        pthread_mutex_init(&s->lock, NULL);
        pthread_cond_init(&s->wrote, NULL);
        s->io = io_sim_new(1, 0);
        io_sim_set_lacks(s->io, lacks);
        s->sr = kit_create(s->io);
        assert_ok(sr_vdi_create(s->sr, &options, &s->vdi, &note));
        for (unsigned i = 0; i < LAYERS; i++) {
                write_blocks(s, layers[i]);
                if (i + 1 < LAYERS)
                        snapshots[i] = kit_snapshot(s->sr, &s->vdi, "s");
        }
        for (unsigned i = 0; i + 1 < LAYERS; i++)
                kit_delete(s->sr, &snapshots[i]);
        node = tree_find(sr_tree(s->sr), &s->vdi);
        s->run = (struct coalesce_run){
                .target = node->parent->parent->uuid, .top = s->vdi, .n = LAYERS, .is_leaf = true};
        assert_ok(sr_open_chain(s->sr, &s->vdi, CHAIN_WRITE, &s->chain, &note));
}

static void scene_fini(struct scene *s) {
        struct err_note note;

        assert_ok(sr_close_chain(s->sr, s->chain, &note));
        sr_close(s->sr);
        assert_int_equal(io_sim_open_files(s->io), 0);
        io_free(s->io);
        pthread_cond_destroy(&s->wrote);
        pthread_mutex_destroy(&s->lock);
}

/* ---- guests ---- */

static _Thread_local bool is_guest; /* its own calls are not watched */

static uint64_t next_page(struct guest *g, struct fixture_dice *dice) {
        uint64_t n = PAGES / GUESTS;

        switch (g->scene->pattern) {
        case UNIFORM:
                return fixture_roll(dice, n);
        case HOT: /* of one block, mostly */
                return fixture_roll(dice, fixture_roll(dice, 10) ? n / BLOCKS : n);
        case SEQUENTIAL:
        case PATTERNS:
                break;
        }
        return atomic_load(&g->n_writes) * 16 % n;
}

static uint64_t note_write(struct guest *g) {
        uint64_t n;

        pthread_mutex_lock(&g->scene->lock);
        n = atomic_fetch_add(&g->n_writes, 1) + 1;
        pthread_cond_broadcast(&g->scene->wrote);
        pthread_mutex_unlock(&g->scene->lock);
        return n;
}

/* Each owns the pages whose number is its own modulo their number, and must find what it wrote last. */
static void *rewrite(void *user) {
        struct guest *g = user;
        struct fixture_dice dice = {g->me + 1};
        struct err_note note;
        uint8_t page[PAGE];

        is_guest = true;
        while (!atomic_load(&g->scene->is_over)) {
                uint64_t i = next_page(g, &dice), at = (i * GUESTS + g->me) * PAGE;

                if (g->last[i] && (chain_read(g->scene->chain, page, PAGE, at, &note) ||
                                   page[0] != g->last[i] || page[PAGE - 1] != g->last[i]))
                        g->n_wrong++;
                g->last[i] = (uint8_t)(1 + fixture_roll(&dice, 255));
                memset(page, g->last[i], PAGE);
                if (chain_write(g->scene->chain, page, PAGE, at, &note))
                        g->n_wrong++;
                if ((note_write(g) & 63) == 0 && chain_flush(g->scene->chain, &note))
                        g->n_wrong++;
        }
        return NULL;
}

static void begin_guests(struct scene *s) {
        for (unsigned i = 0; i < GUESTS; i++) {
                struct guest *g = &s->guests[i];

                g->scene = s;
                g->me = i;
                g->last = mem_zero(PAGES / GUESTS);
                assert_int_equal(pthread_create(&g->thread, NULL, rewrite, g), 0);
        }
}

static void end_guests(struct scene *s) {
        atomic_store(&s->is_over, true);
        for (unsigned i = 0; i < GUESTS; i++) {
                struct guest *g = &s->guests[i];

                assert_int_equal(pthread_join(g->thread, NULL), 0);
                assert_int_equal(g->n_wrong, 0);
                free(g->last);
        }
}

static uint64_t writes_of(const struct scene *s) {
        uint64_t n = 0;

        for (unsigned i = 0; i < GUESTS; i++)
                n += atomic_load(&s->guests[i].n_writes);
        return n;
}

static void wait_for_writes(struct scene *s, uint64_t n) {
        pthread_mutex_lock(&s->lock);
        while (writes_of(s) < n)
                pthread_cond_wait(&s->wrote, &s->lock);
        pthread_mutex_unlock(&s->lock);
}

/* What a thread that may be held by us is given to go on. */
static struct timespec a_while(void) {
        struct timespec until;

        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 2 * 1000 * 1000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        return until;
}

/* Before each call that a step makes somebody writes, unless all wait for the step. */
static void let_write(void *user, const char *verb UNUSED, const char *path UNUSED) {
        struct scene *s = user;
        struct timespec until = a_while();
        uint64_t before = writes_of(s);

        if (is_guest)
                return;
        pthread_mutex_lock(&s->lock);
        while (writes_of(s) == before && pthread_cond_timedwait(&s->wrote, &s->lock, &until) == 0)
                ;
        pthread_mutex_unlock(&s->lock);
}

/* ---- what is counted ---- */

static uint32_t held_by(const struct image *image) {
        uint32_t held = 0;

        for (uint64_t i = 0; i < BLOCKS; i++)
                if (image->ops->slot((struct image *)image, i) & SLOT_HELD)
                        held |= 1u << i;
        return held;
}

static unsigned count_held(const struct scene *s) {
        unsigned n = 0;

        for (unsigned i = 0; i + 1 < LAYERS; i++)
                n += (unsigned)__builtin_popcount(s->held[i]);
        return n;
}

/* [C5] */
static void no_layer_gains_a_block(struct scene *s) {
        for (unsigned i = 0; i + 1 < LAYERS; i++) {
                uint32_t held = held_by(chain_layer(s->chain, i));

                assert_int_equal(held & ~s->held[i], 0);
                s->held[i] = held;
        }
}

static bool is_moving_blocks(struct scene *s, struct coalesce_progress *ret) {
        coalesce_progress_of(s->c, ret);
        return ret->state <= COALESCE_MOVING;
}

/* Each batch that is committed takes a block from a layer, and no layer gains one: so there are not more of
 * them than blocks that were there, at any rate of writing. */
static void run_to_end(struct scene *s, uint64_t union_blocks) {
        struct coalesce_progress progress;
        unsigned n_batches = 0;
        bool is_done = false;
        struct err_note note;

        while (!is_done) {
                uint64_t before = writes_of(s);

                if (is_moving_blocks(s, &progress)) {
                        no_layer_gains_a_block(s);
                        n_batches += progress.state == COALESCE_MOVING && progress.phase == PUSH_PUBLISH;
                        assert_true(n_batches <= union_blocks);
                }
                assert_ok(coalesce_step(s->c, &is_done, &note));
                wait_for_writes(s, before + GUESTS);
        }
        coalesce_progress_of(s->c, &progress);
        assert_int_equal(progress.bytes_done, progress.bytes_total);
        assert_true(progress.bytes_done <= union_blocks * BLOCK);
}

static void converges(enum pattern pattern, uint64_t batch_bytes) {
        const struct coalesce_options options = {.batch_bytes = batch_bytes};
        struct err_note note;
        struct scene s;

        scene_init(&s, pattern, IO_SIM_NO_CLONE);
        for (unsigned i = 0; i + 1 < LAYERS; i++)
                s.held[i] = UINT32_MAX;
        begin_guests(&s);
        wait_for_writes(&s, 50);
        assert_ok(coalesce_begin(s.sr, &s.run, &options, &s.c, &note));
        no_layer_gains_a_block(&s);
        assert_true(count_held(&s) >= 12 + 12);
        io_sim_set_watch(s.io, let_write, &s);
        run_to_end(&s, (uint64_t)__builtin_popcount(s.held[0] | s.held[1]));
        io_sim_set_watch(s.io, NULL, NULL);
        coalesce_end(s.c);
        end_guests(&s);
        assert_int_equal(chain_depth(s.chain), 1);
        assert_int_equal(kit_n_files(s.io), 1);
        scene_fini(&s);
}

static void it_ends_under_writes_all_over_the_disk(void **state) {
        (void)state;
        converges(UNIFORM, 4 * MIB);
}
static void it_ends_under_writes_to_one_block(void **state) {
        (void)state;
        converges(HOT, 4 * MIB);
}
static void it_ends_under_writes_from_front_to_back(void **state) {
        (void)state;
        converges(SEQUENTIAL, 4 * MIB);
}
static void it_ends_in_batches_of_one_block(void **state) {
        (void)state;
        converges(UNIFORM, 1);
}

/* ---- how long a write waits ---- */

struct waiter {
        struct scene *scene;
        uint64_t block;
        bool has_ended; /* under the scene's lock, wrote tells of it */
        bool is_running;
        pthread_t thread;
        unsigned n_waits, n_blocks; /* of all */
};

static void *write_once(void *user) {
        struct waiter *w = user;
        uint8_t page[PAGE];
        struct err_note note;

        is_guest = true;
        memset(page, 'w', PAGE);
        (void)!chain_write(w->scene->chain, page, PAGE, w->block * BLOCK + 5 * PAGE, &note);
        pthread_mutex_lock(&w->scene->lock);
        w->has_ended = true;
        pthread_cond_broadcast(&w->scene->wrote);
        pthread_mutex_unlock(&w->scene->lock);
        return NULL;
}

/* The block that the copier keeps guests from; BLOCKS: none. */
static uint64_t held_block(struct scene *s) {
        struct ranges *ranges = &s->chain->ranges;
        uint64_t block = BLOCKS;

        pthread_mutex_lock(&ranges->lock);
        for (const struct range *each = ranges->oldest; each; each = each->next)
                if (each->is_alone && each->end - each->first == BLOCK / SECTOR)
                        block = each->first / (BLOCK / SECTOR);
        pthread_mutex_unlock(&ranges->lock);
        return block;
}

static void join(struct waiter *w) {
        assert_int_equal(pthread_join(w->thread, NULL), 0);
        w->is_running = false;
}

/* One write to each block, begun as its copy begins.  When the copier comes to another block, or to none, the
 * write is waited for: were it held for more than its own block's copy, this would never end. */
static void one_write_a_copy(void *user, const char *verb UNUSED, const char *path UNUSED) {
        struct waiter *w = user;
        struct timespec until;
        uint64_t block;

        if (is_guest)
                return;
        block = held_block(w->scene);
        if (w->is_running && block == w->block)
                return;
        if (w->is_running)
                join(w);
        if (block == BLOCKS)
                return;
        w->block = block;
        w->n_blocks++;
        w->has_ended = false;
        w->is_running = true;
        assert_int_equal(pthread_create(&w->thread, NULL, write_once, w), 0);
        until = a_while();
        pthread_mutex_lock(&w->scene->lock);
        while (!w->has_ended && pthread_cond_timedwait(&w->scene->wrote, &w->scene->lock, &until) == 0)
                ;
        w->n_waits += !w->has_ended;
        pthread_mutex_unlock(&w->scene->lock);
}

static void a_write_waits_for_no_copy_but_that_of_its_block(void **state) {
        const struct coalesce_options options = {.batch_bytes = 64 * MIB}; /* all blocks in one batch */
        struct err_note note;
        bool is_done = false;
        struct waiter w;
        struct scene s;

        (void)state;
        scene_init(&s, UNIFORM, IO_SIM_NO_CLONE);
        memset(&w, 0, sizeof w);
        w.scene = &s;
        assert_ok(coalesce_begin(s.sr, &s.run, &options, &s.c, &note));
        io_sim_set_watch(s.io, one_write_a_copy, &w);
        while (!is_done)
                assert_ok(coalesce_step(s.c, &is_done, &note));
        io_sim_set_watch(s.io, NULL, NULL);
        if (w.is_running)
                join(&w);
        assert_int_equal(w.n_blocks, BLOCKS); /* each was copied once */
        assert_int_equal(w.n_waits, BLOCKS);  /* and kept the write that came meanwhile */
        coalesce_end(s.c);
        for (uint64_t block = 0; block < BLOCKS; block++) {
                uint8_t page[PAGE];

                assert_ok(chain_read(s.chain, page, PAGE, block * BLOCK + 5 * PAGE, &note));
                assert_int_equal(page[0], 'w');
        }
        scene_fini(&s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_ends_under_writes_all_over_the_disk),
                cmocka_unit_test(it_ends_under_writes_to_one_block),
                cmocka_unit_test(it_ends_under_writes_from_front_to_back),
                cmocka_unit_test(it_ends_in_batches_of_one_block),
                cmocka_unit_test(a_write_waits_for_no_copy_but_that_of_its_block),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
