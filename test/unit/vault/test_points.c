// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "fixture_vault.h"
#include "taints.h"
#include "target_sim.h"

struct place {
        struct io *io;
        struct target_sim *target;
        struct vault *vault;
};

static void open_place(struct place *place) {
        struct err_note note;

        place->io = io_sim_new(1, 0);
        place->target = target_sim_new(1);
        assert_ok(fixture_vault_make(place->io, target_sim_open(place->target), true, &place->vault, &note));
}

static void close_place(struct place *place) {
        vault_close(place->vault);
        target_sim_free(place->target);
        io_free(place->io);
}
DEFINE_AUTO_IN_PLACE(struct place, close_place);

static struct vault_name put(struct place *place, const char *name, int64_t time) {
        const struct put_options options = {.name = name, .time = time};
        AUTO(put_abort) struct put *put = NULL;
        struct vault_name point;
        struct err_note note;

        assert_ok(put_begin(place->vault, &options, &put, &note));
        assert_ok(put_commit(TAKE(put), &point, NULL, &note));
        return point;
}

static void points_come_oldest_first(void **state) {
        static const int64_t times[] = {30, 10, 20};
        AUTO(close_place) struct place place = {0};
        AUTO(points_fini) struct points points = {0};
        struct err_note note;

        (void)state;
        open_place(&place);
        for (unsigned i = 0; i < 3; i++)
                put(&place, "web", times[i]);
        assert_ok(points_list(place.vault, &points, &note));
        assert_int_equal(points.list.n, 3);
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(points.list.data[i].manifest.time, 10 * (i + 1));
}

static void points_of_one_second_come_as_they_were_made(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(points_fini) struct points points = {0};
        struct vault_name names[8];
        struct err_note note;

        (void)state;
        open_place(&place);
        for (unsigned i = 0; i < 8; i++)
                names[i] = put(&place, "web", 7);
        assert_ok(points_list(place.vault, &points, &note));
        assert_int_equal(points.list.n, 8);
        for (unsigned i = 0; i < 8; i++)
                assert_int_equal(vault_name_compare(&points.list.data[i].name, &names[i]), 0);
}

static void without_its_seal_there_is_no_point(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(points_fini) struct points points = {0};
        struct point point;
        struct vault_name name;
        struct err_note note;

        (void)state;
        open_place(&place);
        name = put(&place, "web", 1);
        assert_ok(target_remove(place.vault->target, vault_path_of(VAULT_SEAL, &name).s, &note));
        assert_ok(points_list(place.vault, &points, &note));
        assert_int_equal(points.list.n, 0);
        assert_int_equal(points.n_unsealed, 1);
        assert_err(points_get(place.vault, &name, &point, &note), ERR_NOT_FOUND, "");
}

static void a_seal_of_another_manifest_does_not_fit(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(points_fini) struct points points = {0};
        AUTO(buf_fini) struct buf body = {0};
        const uint8_t sum[32] = {1};
        struct point point;
        struct vault_name name;
        struct err_note note;

        (void)state;
        open_place(&place);
        name = put(&place, "web", 1);
        assert_ok(target_remove(place.vault->target, vault_path_of(VAULT_SEAL, &name).s, &note));
        vault_point_seal_encode(sum, &body);
        assert_ok(vault_put_object(place.vault, VAULT_SEAL, &name, (struct span){body.data, body.n}, NULL,
                                   &note));
        assert_err(points_get(place.vault, &name, &point, &note), ERR_CORRUPT, "of another manifest");
        assert_ok(points_list(place.vault, &points, &note));
        assert_int_equal(points.n_damaged, 1);
}

/* He has the vault's keys, but no admin gave him a slot to write with. */
static void a_point_of_nobody_who_may_write_is_refused(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(points_fini) struct points points = {0};
        struct vault_payload payload;
        struct keyring *ours;
        struct point point;
        struct vault_name name;
        struct err_note note;

        (void)state;
        open_place(&place);
        ours = place.vault->keyring;
        payload = *keyring_payload(ours);
        payload.writer[3] ^= 1;
        assert_ok(keyring_new(&place.vault->config.id, &payload, &place.vault->keyring, &note));
        name = put(&place, "web", 1);
        keyring_free(place.vault->keyring);
        place.vault->keyring = ours;
        assert_err(points_get(place.vault, &name, &point, &note), ERR_CORRUPT, "nobody who may write");
        assert_ok(points_list(place.vault, &points, &note));
        assert_int_equal(points.n_damaged, 1);
}

static void a_point_is_found_by_what_people_say(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(point_fini) struct point web = {0};
        AUTO(point_fini) struct point newest = {0};
        AUTO(point_fini) struct point by_digits = {0};
        struct point none;
        struct vault_name_text text;
        struct err_note note;

        (void)state;
        open_place(&place);
        assert_err(points_find(place.vault, "latest", NULL, &none, &note), ERR_NOT_FOUND,
                   "there is no point in this vault");
        put(&place, "web", 1);
        put(&place, "db", 2);
        assert_ok(points_find(place.vault, "latest", "web", &web, &note));
        assert_string_equal(web.manifest.name, "web");
        assert_ok(points_find(place.vault, "latest", NULL, &newest, &note));
        assert_string_equal(newest.manifest.name, "db");
        text = vault_name_format(&web.name);
        text.s[8] = 0;
        assert_ok(points_find(place.vault, text.s, NULL, &by_digits, &note));
        assert_int_equal(vault_name_compare(&by_digits.name, &web.name), 0);
        text.s[3] = 0;
        assert_err(points_find(place.vault, text.s, NULL, &none, &note), ERR_INVALID, "at least 4 digits");
        assert_err(points_find(place.vault, "latest", "mail", &none, &note), ERR_NOT_FOUND,
                   "there is no point latest of mail; of 2 the newest is");
}

static void record_as_damaged(struct place *place, const struct vault_name *point) {
        AUTO(vault_taint_fini) struct vault_taint old = {0}, new = {0};
        struct err_note note;

        assert_ok(taints_read(place->vault, &old, &note));
        VEC_EACH (&old.points, each)
                *vec_add(&new.points) = *each;
        *vec_add(&new.points) = *point;
        assert_ok(taints_replace(place->vault, &old, &new, &note));
}

static void the_latest_is_one_that_is_not_damaged(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(point_fini) struct point found = {0};
        AUTO(point_fini) struct point by_digits = {0};
        struct point none;
        struct vault_name first, second;
        struct err_note note;

        (void)state;
        open_place(&place);
        first = put(&place, "web", 1);
        second = put(&place, "web", 2);
        record_as_damaged(&place, &second);
        assert_ok(points_find(place.vault, "latest", "web", &found, &note));
        assert_int_equal(vault_name_compare(&found.name, &first), 0);
        assert_ok(points_find(place.vault, vault_name_format(&second).s, NULL, &by_digits, &note));
        record_as_damaged(&place, &first);
        assert_err(points_find(place.vault, "latest", "web", &none, &note), ERR_NOT_FOUND,
                   "every point of web is damaged");
}

static void a_writers_last_point_is_found_sealed_or_not(void **state) {
        AUTO(close_place) struct place place = {0};
        uint8_t writer[VAULT_KEY_SIZE], other[VAULT_KEY_SIZE] = {1};
        struct points_last last;
        struct vault_name name;
        struct err_note note;

        (void)state;
        open_place(&place);
        assert_true(keyring_writer_public(place.vault->keyring, writer));
        assert_ok(points_last_of(place.vault, writer, &last, &note));
        assert_int_equal(last.sequence, 0);
        put(&place, "web", 1);
        name = put(&place, "web", 1);
        assert_ok(target_remove(place.vault->target, vault_path_of(VAULT_SEAL, &name).s, &note));
        assert_ok(points_last_of(place.vault, writer, &last, &note));
        assert_int_equal(last.sequence, 2);
        assert_ok(points_last_of(place.vault, other, &last, &note));
        assert_int_equal(last.sequence, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(points_come_oldest_first),
                cmocka_unit_test(points_of_one_second_come_as_they_were_made),
                cmocka_unit_test(without_its_seal_there_is_no_point),
                cmocka_unit_test(a_seal_of_another_manifest_does_not_fit),
                cmocka_unit_test(a_point_of_nobody_who_may_write_is_refused),
                cmocka_unit_test(a_point_is_found_by_what_people_say),
                cmocka_unit_test(the_latest_is_one_that_is_not_damaged),
                cmocka_unit_test(a_writers_last_point_is_found_sealed_or_not),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
