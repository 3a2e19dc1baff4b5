// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "fixture_vault.h"
#include "needs.h"
#include "target_sim.h"

struct place {
        struct io *io;             /* owned */
        struct target_sim *target; /* owned */
        struct vault *vault;       /* owned */
        struct fixture_disk disk;  /* owned */
};

static void open_place(struct place *place) {
        struct err_note note;

        place->io = io_sim_new(1, 0);
        place->target = target_sim_new(1);
        assert_ok(fixture_vault_make(place->io, target_sim_open(place->target), true, &place->vault, &note));
        fixture_disk_resize(&place->disk, 8 * FIXTURE_CHUNK);
}

static void close_place(struct place *place) {
        fixture_disk_fini(&place->disk);
        vault_close(place->vault);
        target_sim_free(place->target);
        io_free(place->io);
}
DEFINE_AUTO_IN_PLACE(struct place, close_place);

/* A point with these chunks new, by which all its blobs are in one pack. */
static void put(struct place *place, unsigned first, unsigned n, unsigned generation, struct point *ret) {
        const struct blobs_excluded none = {0};
        struct vault_name name;
        struct err_note note;

        for (unsigned i = first; i < first + n; i++)
                fixture_disk_write(&place->disk, (uint64_t)i * FIXTURE_CHUNK, FIXTURE_CHUNK, generation + i);
        assert_ok(fixture_put_disk(place->vault, &place->disk, NULL, &name, &note));
        assert_ok(points_get(place->vault, &name, ret, &note));
        assert_ok(blobs_refresh(place->vault->blobs, &none, &note));
}

static const struct blob_marks_pack *pack_of(struct needs *needs, uint32_t n_blobs) {
        size_t n;
        const struct blob_marks_pack *packs = blob_marks_packs(needs_marks(needs), &n);

        for (size_t i = 0; i < n; i++)
                if (packs[i].n == n_blobs)
                        return &packs[i];
        return NULL;
}

static void what_points_need_of_each_pack_is_counted(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(point_fini) struct point first = {0};
        AUTO(point_fini) struct point second = {0};
        AUTO(needs_free) struct needs *needs = NULL;
        AUTO(needs_free) struct needs *both = NULL;
        struct err_note note;

        (void)state;
        open_place(&place);
        put(&place, 0, 8, 10, &first);  /* 8 chunks and a node */
        put(&place, 0, 3, 30, &second); /* 3 and a node */
        needs = needs_new(place.vault);
        assert_ok(needs_add(needs, &second.manifest, &second.name, false, &note));
        assert_ok(blob_marks_sum(needs_marks(needs), &note));
        assert_int_equal(needs_count(needs).n_chunks, 8);
        assert_int_equal(needs_count(needs).n_nodes, 1);
        assert_int_equal(pack_of(needs, 9)->n_marked, 5);
        assert_int_equal(pack_of(needs, 9)->n_only, 5);
        assert_true(pack_of(needs, 9)->bytes_marked < pack_of(needs, 9)->bytes);
        assert_int_equal(pack_of(needs, 4)->n_marked, 4);
        both = needs_new(place.vault);
        assert_ok(needs_add(both, &second.manifest, &second.name, false, &note));
        assert_ok(needs_add(both, &first.manifest, &first.name, false, &note));
        assert_ok(needs_add(both, &first.manifest, &first.name, false, &note));
        assert_ok(blob_marks_sum(needs_marks(both), &note));
        assert_int_equal(needs_count(both).n_chunks, 11); /* each once */
        assert_int_equal(needs_count(both).n_nodes, 2);
        assert_int_equal(pack_of(both, 9)->n_marked, 9);
}

static void a_tree_that_lacks_something_is_an_error_unless_nobody_will_read_it(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(point_fini) struct point point = {0};
        AUTO(needs_free) struct needs *strict = NULL;
        AUTO(needs_free) struct needs *tolerant = NULL;
        struct err_note note;

        (void)state;
        open_place(&place);
        put(&place, 0, 8, 10, &point);
        point.manifest.disks.data[0].root.b[5] ^= 1;
        strict = needs_new(place.vault);
        assert_err(needs_add(strict, &point.manifest, &point.name, false, &note), ERR_NOT_FOUND,
                   vault_name_format(&point.name).s);
        tolerant = needs_new(place.vault);
        assert_ok(needs_add(tolerant, &point.manifest, &point.name, true, &note));
        assert_int_equal(needs_count(tolerant).n_chunks, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_points_need_of_each_pack_is_counted),
                cmocka_unit_test(a_tree_that_lacks_something_is_an_error_unless_nobody_will_read_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
