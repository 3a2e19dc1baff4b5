// SPDX-License-Identifier: Apache-2.0
#include "sync.h"

#include "get.h"
#include "prune.h"
#include "sync_inside.h"
#include "taints.h"
#include "verify_room.h"

/* A vault with two points of one disk, and another one that has none. */
struct pair {
        struct room room;
        struct fixture_disk first; /* as it was in the first point */
        struct vault_name second;
        VEC(char *) packs;      /* owned; names of those that the second point brought */
        struct target_sim *sim; /* owned; of the other */
        struct vault *other;    /* owned */
};

static bool is_new(const char *const *old, size_t n, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(old[i], name) == 0)
                        return false;
        return true;
}

static void put_second(struct pair *pair) {
        struct room *room = &pair->room;
        struct fixture_put options = {.parent = &room->point, .time = 2000};
        VEC(char *) old = {0};
        struct err_note note;
        const char *name;

        for (unsigned i = 0; (name = room_name(room, "packs/", i)); i++)
                *vec_add(&old) = mem_text(name);
        room_fill(room, 5, FIXTURE_CHUNK);
        assert_ok(fixture_put_disk(room->vault, &room->disk, &options, &pair->second, &note));
        for (unsigned i = 0; (name = room_name(room, "packs/", i)); i++)
                if (is_new((const char *const *)old.data, old.n, name))
                        *vec_add(&pair->packs) = mem_text(name);
        VEC_EACH (&old, each)
                free(*each);
        vec_fini(&old);
}

static void open_pair(struct pair *pair) {
        struct err_note note;

        *pair = (struct pair){0};
        room_init(&pair->room, true, ROOM_CHUNKS);
        fixture_disk_resize(&pair->first, pair->room.disk.size);
        memcpy(pair->first.bytes.data, pair->room.disk.bytes.data, pair->first.size);
        put_second(pair);
        pair->sim = target_sim_new(12);
        assert_ok(fixture_vault_make(pair->room.io, target_sim_open(pair->sim), false, &pair->other, &note));
}

static void close_pair(struct pair *pair) {
        VEC_EACH (&pair->packs, each)
                free(*each);
        vec_fini(&pair->packs);
        vault_close(pair->other);
        target_sim_free(pair->sim);
        fixture_disk_fini(&pair->first);
        room_fini(&pair->room);
}
DEFINE_AUTO_IN_PLACE(struct pair, close_pair);

static void third_point(struct pair *pair) {
        struct fixture_put options = {.parent = &pair->second, .time = 3000};
        struct vault_name third;
        struct err_note note;

        room_fill(&pair->room, 9, FIXTURE_CHUNK);
        assert_ok(fixture_put_disk(pair->room.vault, &pair->room.disk, &options, &third, &note));
}

/* why: of the first that was left out, where one was. */
static struct sync_count sync_pair(struct pair *pair, unsigned want_left, const char *why) {
        const struct sync_options options = {0};
        AUTO(sync_free) struct sync *sync = NULL;
        const struct sync_left *left;
        struct sync_todo todo;
        struct err_note note;
        size_t n;

        assert_ok(sync_begin(pair->room.vault, pair->other, &options, &sync, &note));
        while (sync_todo(sync, &todo))
                assert_ok(sync_step(sync, &note));
        left = sync_left(sync, &n);
        assert_int_equal(n, want_left);
        if (n > 0)
                assert_non_null(strstr(left[0].why, why));
        return sync_count(sync);
}

static void assert_other_has(struct pair *pair, const struct fixture_disk *const *disks, size_t n) {
        AUTO(points_fini) struct points points = {0};
        struct err_note note;

        assert_ok(points_list(pair->other, &points, &note));
        assert_int_equal(points.list.n, n);
        for (size_t i = 0; i < n; i++)
                assert_ok(fixture_check_disk(pair->other, &points.list.data[i].name, disks[i], &note));
}

/* [Y1] */
static void no_prune_takes_away_what_is_being_sent(void **state) {
        const struct prune_options keep_one = {.keep = {.last = 1}, .grace_ns = 3600ull * 1000000000};
        const struct sync_options all = {0};
        AUTO(close_pair) struct pair pair;
        AUTO(vault_close) struct vault *admin = NULL;
        AUTO(prune_free) struct prune *prune = NULL;
        AUTO(sync_free) struct sync *sync = NULL;
        const struct fixture_disk *disks[] = {&pair.first, &pair.room.disk};
        struct sync_todo todo;
        struct err_note note;
        bool is_done = false;

        (void)state;
        open_pair(&pair);
        assert_ok(sync_begin(pair.room.vault, pair.other, &all, &sync, &note));
        assert_ok(fixture_vault_open(pair.room.io, target_sim_open(pair.room.sim), true, &admin, &note));
        assert_ok(prune_begin(admin, &keep_one, &prune, &note));
        while (!is_done) {
                assert_ok(prune_step(prune, &is_done, &note));
                reading_go_on(&sync->reading); /* as a step does */
        }
        assert_int_equal(prune_report(prune)->n_let_go, 0);
        while (sync_todo(sync, &todo))
                assert_ok(sync_step(sync, &note));
        assert_int_equal(sync_count(sync).n_sent, 2);
        assert_other_has(&pair, disks, 2);
}

/* [Y2] */
static void a_point_that_is_gone_is_passed_over(void **state) {
        const struct sync_options all = {0};
        AUTO(close_pair) struct pair pair;
        AUTO(sync_free) struct sync *sync = NULL;
        const struct fixture_disk *disks[] = {&pair.room.disk};
        AUTO_FREE char *seal = NULL;
        struct sync_todo todo;
        struct err_note note;
        size_t n;

        (void)state;
        open_pair(&pair);
        assert_ok(sync_begin(pair.room.vault, pair.other, &all, &sync, &note));
        seal = mem_format("points/%s.ok", vault_name_format(&pair.room.point).s);
        assert_ok(target_remove(pair.room.vault->target, seal, &note));
        while (sync_todo(sync, &todo))
                assert_ok(sync_step(sync, &note));
        assert_non_null(strstr(sync_left(sync, &n)->why, "was just let go"));
        assert_int_equal(n, 1);
        assert_other_has(&pair, disks, 1);
}

static void a_point_that_is_recorded_as_damaged_stands_in_no_others_way(void **state) {
        AUTO(close_pair) struct pair pair;
        AUTO(vault_taint_fini) struct vault_taint none = {0};
        AUTO(vault_taint_fini) struct vault_taint taint = {0};
        const struct fixture_disk *disks[] = {&pair.first, &pair.room.disk};
        struct sync_count count;
        struct err_note note;

        (void)state;
        open_pair(&pair);
        third_point(&pair);
        *vec_add(&taint.points) = pair.second;
        assert_ok(taints_replace(pair.room.vault, &none, &taint, &note));
        count = sync_pair(&pair, 1, "recorded as damaged");
        assert_int_equal(count.n_points, 3);
        assert_int_equal(count.n_sent, 2);
        assert_other_has(&pair, disks, 2);
}

static void nor_does_one_whose_damage_nobody_knew(void **state) {
        AUTO(close_pair) struct pair pair;
        const struct fixture_disk *disks[] = {&pair.first};
        struct sync_count count;

        (void)state;
        open_pair(&pair);
        VEC_EACH (&pair.packs, each)
                assert_true(target_sim_flip(pair.room.sim, *each, 3000, 1));
        room_reopen(&pair.room);
        count = sync_pair(&pair, 1, "");
        assert_int_equal(count.n_sent, 1);
        assert_other_has(&pair, disks, 1);
        /* Nothing half-made counts there, and it is tried again. */
        count = sync_pair(&pair, 1, "");
        assert_int_equal(count.n_there, 1);
}

/* [Y3] */
static void a_copy_that_is_damaged_is_sent_again(void **state) {
        struct verify_options how = {.records_taint = true, .n_threads = 1};
        AUTO(close_pair) struct pair pair;
        AUTO(verify_report_fini) struct verify_report report = {0};
        AUTO(verify_report_fini) struct verify_report after = {0};
        struct err_note note;
        const char *name;
        size_t n_flipped = 0;

        (void)state;
        open_pair(&pair);
        assert_int_equal(sync_pair(&pair, 0, NULL).n_sent, 2);
        for (size_t i = 0; (name = target_sim_name(pair.sim, i)); i++)
                if (strncmp(name, "packs/", 6) == 0)
                        n_flipped += target_sim_flip(pair.sim, name, 3000, 1);
        assert_true(n_flipped > 0);
        assert_ok(verify(pair.other, &how, &report, &note));
        assert_true(report.findings.n > 0);
        vault_close(pair.other);
        assert_ok(fixture_vault_open(pair.room.io, target_sim_open(pair.sim), false, &pair.other, &note));
        assert_true(sync_pair(&pair, 0, NULL).n_sent > 0);
        assert_int_equal(sync_pair(&pair, 0, NULL).n_sent, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(no_prune_takes_away_what_is_being_sent),
                cmocka_unit_test(a_point_that_is_gone_is_passed_over),
                cmocka_unit_test(a_point_that_is_recorded_as_damaged_stands_in_no_others_way),
                cmocka_unit_test(nor_does_one_whose_damage_nobody_knew),
                cmocka_unit_test(a_copy_that_is_damaged_is_sent_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
