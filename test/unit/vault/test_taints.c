// SPDX-License-Identifier: Apache-2.0
#include "taints.h"

#include "verify_room.h"

static const struct vault_name pack = {{5}}, point = {{6}};

static void set(struct vault_taint *taint, unsigned n) {
        taint->places.n = 0;
        for (unsigned i = 0; i < n; i++)
                *vec_add(&taint->places) = (struct vault_place){pack, i};
}

static unsigned n_objects(struct room *room) {
        unsigned n = 0;

        while (room_name(room, "taints/", n))
                n++;
        return n;
}

static void replace(struct room *room, unsigned n, struct vault_taint *ret) {
        AUTO(vault_taint_fini) struct vault_taint old = {0};
        AUTO(vault_taint_fini) struct vault_taint new = {0};
        struct err_note note;

        assert_ok(taints_read(room->vault, &old, &note));
        set(&new, n);
        assert_ok(taints_replace(room->vault, &old, &new, &note));
        assert_ok(taints_read(room->vault, ret, &note));
}

static void one_object_says_it_all(void **state) {
        AUTO(room_fini) struct room room;

        (void)state;
        room_init(&room, true, 3);
        for (unsigned n = 3; n-- > 0;) {
                AUTO(vault_taint_fini) struct vault_taint read = {0};
                AUTO_FREE char *name = NULL;
                AUTO(vault_taint_fini) struct vault_taint same = {0};

                replace(&room, n, &read);
                assert_int_equal(read.places.n, n);
                assert_int_equal(n_objects(&room), 1);
                name = mem_text(room_name(&room, "taints/", 0));
                replace(&room, n, &same); /* nothing new */
                assert_string_equal(room_name(&room, "taints/", 0), name);
        }
}

/* In a vault to which one may only add, replaced ones stay and count no more. */
static void what_was_replaced_counts_no_more(void **state) {
        AUTO(room_fini) struct room room;
        AUTO(vault_taint_fini) struct vault_taint first = {0};
        AUTO(vault_taint_fini) struct vault_taint second = {0};
        AUTO(buf_fini) struct buf kept = {0};
        AUTO_FREE char *name = NULL;
        struct err_note note;

        (void)state;
        room_init(&room, true, 3);
        replace(&room, 2, &first);
        name = mem_text(room_name(&room, "taints/", 0));
        assert_ok(target_get(room.vault->target, name, 1 << 20, &kept, &note));
        replace(&room, 1, &second);
        assert_ok(target_put(room.vault->target, name, kept.data, kept.n, &note));
        vault_taint_fini(&second);
        second = (struct vault_taint){0};
        assert_ok(taints_read(room.vault, &second, &note));
        assert_int_equal(second.places.n, 1);
        assert_int_equal(second.instead_of.n, 2);
}

static void two_that_know_nothing_of_each_other_both_count(void **state) {
        AUTO(room_fini) struct room room;
        AUTO(vault_taint_fini) struct vault_taint none = {0};
        AUTO(vault_taint_fini) struct vault_taint one = {0};
        AUTO(vault_taint_fini) struct vault_taint two = {0};
        AUTO(vault_taint_fini) struct vault_taint read = {0};
        struct err_note note;

        (void)state;
        room_init(&room, true, 3);
        set(&one, 1);
        set(&two, 2);
        *vec_add(&two.points) = point;
        assert_ok(taints_replace(room.vault, &none, &one, &note));
        assert_ok(taints_replace(room.vault, &none, &two, &note));
        assert_ok(taints_read(room.vault, &read, &note));
        assert_int_equal(read.places.n, 2);
        assert_true(read.points.n == 1 && taint_has_point(&read, &point) && !taint_has_point(&read, &pack));
}

static void a_damaged_one_is_passed_over(void **state) {
        AUTO(room_fini) struct room room;
        AUTO(vault_taint_fini) struct vault_taint read = {0};
        AUTO(vault_taint_fini) struct vault_taint again = {0};
        AUTO(verify_report_fini) struct verify_report report = {0};
        struct err_note note;

        (void)state;
        room_init(&room, true, 3);
        replace(&room, 1, &read);
        assert_true(target_sim_flip(room.sim, room_name(&room, "taints/", 0), 70, 1));
        assert_ok(taints_read(room.vault, &again, &note));
        assert_int_equal(again.places.n, 0);
        room_verify(&room, NULL, &report);
        assert_int_equal(room_count(&report, VERIFY_IN_OBJECT), 1);
}

static void who_opens_the_vault_is_told(void **state) {
        AUTO(room_fini) struct room room;
        AUTO(vault_taint_fini) struct vault_taint none = {0};
        AUTO(vault_taint_fini) struct vault_taint taint = {0};
        AUTO(point_fini) struct point found = {0};
        struct vault_id root;
        struct blob_place place;
        struct err_note note;

        (void)state;
        room_init(&room, true, ROOM_CHUNKS);
        assert_ok(points_get(room.vault, &room.point, &found, &note));
        root = found.manifest.disks.data[0].root;
        assert_true(blobs_knows(room.vault->blobs, &root));
        assert_true(blobs_find(room.vault->blobs, &root, &place) && place.counts);
        *vec_add(&taint.places) = (struct vault_place){place.pack->pack.head.name, place.number};
        assert_ok(taints_replace(room.vault, &none, &taint, &note));
        room_reopen(&room);
        assert_false(blobs_knows(room.vault->blobs, &root));
        /* Whoever reads may still try. */
        assert_true(blobs_find(room.vault->blobs, &root, &place) && !place.counts);
        assert_ok(fixture_check_disk(room.vault, &room.point, &room.disk, &note));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_object_says_it_all),
                cmocka_unit_test(what_was_replaced_counts_no_more),
                cmocka_unit_test(two_that_know_nothing_of_each_other_both_count),
                cmocka_unit_test(a_damaged_one_is_passed_over),
                cmocka_unit_test(who_opens_the_vault_is_told),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
