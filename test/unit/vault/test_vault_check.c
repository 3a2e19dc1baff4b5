// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "fixture_vault.h"
#include "target_sim.h"
#include "vault_check.h"

struct place {
        struct io *io;             /* owned */
        struct target_sim *target; /* owned */
        struct vault *vault;       /* owned */
        struct vault_name point;
};

static void open_place(struct place *place) {
        AUTO(fixture_disk_fini) struct fixture_disk disk = {0};
        struct err_note note;

        place->io = io_sim_new(1, 0);
        place->target = target_sim_new(1);
        assert_ok(fixture_vault_make(place->io, target_sim_open(place->target), true, &place->vault, &note));
        fixture_disk_resize(&disk, 4 * FIXTURE_CHUNK);
        fixture_disk_write(&disk, 0, 4 * FIXTURE_CHUNK, 1);
        assert_ok(fixture_put_disk(place->vault, &disk, NULL, &place->point, &note));
}

static void close_place(struct place *place) {
        vault_close(place->vault);
        target_sim_free(place->target);
        io_free(place->io);
}
DEFINE_AUTO_IN_PLACE(struct place, close_place);

static void a_sound_vault_has_no_findings(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(vault_check_fini) struct vault_check check = {0};
        struct err_note note;

        (void)state;
        open_place(&place);
        assert_ok(vault_check(place.vault, &check, &note));
        assert_int_equal(check.findings.n, 0);
        assert_int_equal(check.n_points, 1);
        assert_int_equal(check.n_unsealed, 0);
        assert_int_equal(check.n_packs, 1);
}

static void a_damaged_object_is_found(void **state) {
        static const char *const folders[] = {"points/", "indexes/", "sessions/"};

        (void)state;
        for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
                AUTO(close_place) struct place place = {0};
                AUTO(vault_check_fini) struct vault_check check = {0};
                struct err_note note;

                open_place(&place);
                for (size_t j = 0; target_sim_name(place.target, j); j++)
                        if (strncmp(target_sim_name(place.target, j), folders[i], strlen(folders[i])) == 0) {
                                assert_true(target_sim_flip(place.target, target_sim_name(place.target, j),
                                                            70, 4));
                                break;
                        }
                assert_ok(vault_check(place.vault, &check, &note));
                assert_int_equal(check.findings.n, 1);
                assert_true(strncmp(check.findings.data[0].object, folders[i], strlen(folders[i])) == 0);
        }
}

static void a_point_whose_pack_is_gone_is_found(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(vault_check_fini) struct vault_check check = {0};
        struct err_note note;

        (void)state;
        open_place(&place);
        for (size_t j = 0; target_sim_name(place.target, j); j++)
                if (strncmp(target_sim_name(place.target, j), "packs/", 6) == 0) {
                        assert_ok(
                                target_remove(place.vault->target, target_sim_name(place.target, j), &note));
                        break;
                }
        assert_ok(vault_check(place.vault, &check, &note));
        assert_int_equal(check.findings.n, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_sound_vault_has_no_findings),
                cmocka_unit_test(a_damaged_object_is_found),
                cmocka_unit_test(a_point_whose_pack_is_gone_is_found),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
