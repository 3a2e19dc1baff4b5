// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "host.h"
#include "io_sim.h"

enum { N_SRS = 2 };

struct house {
        struct io *io;                     /* owned */
        struct keepers *keepers;           /* owned */
        struct keeper *each_keeper[N_SRS]; /* owned */
        struct host_sr srs[N_SRS];
        struct host host;
};

static const struct sr_self self = {.host = "alpha", .pid = 7, .command = "catenad"};
static const char *const folders[N_SRS] = {"/one", "/two"};

static void open_sr(struct house *house, size_t i) {
        struct host_sr *sr = &house->srs[i];
        struct err_note note = {0};

        assert_ok(sr_create(house->io, folders[i], folders[i] + 1, NULL, &sr->uuid, &note));
        sr->keeper = house->each_keeper[i] = keeper_new(house->io, &self, NULL);
        assert_ok(keeper_enter(sr->keeper, folders[i], "open", NULL, &sr->sr, &sr->turn, &note));
        keeper_leave(sr->keeper);
        keepers_add(house->keepers, sr_where(sr->sr), sr->keeper);
}

static int set_up(void **state) {
        struct house *house = calloc(1, sizeof *house);

        house->io = io_sim_new(1, 0);
        house->keepers = keepers_new();
        for (size_t i = 0; i < N_SRS; i++)
                open_sr(house, i);
        house->host = (struct host){.io = house->io,
                                    .state_dir = "/state",
                                    .self = &self,
                                    .keepers = house->keepers,
                                    .srs = house->srs,
                                    .n_srs = N_SRS};
        *state = house;
        return 0;
}

static int tear_down(void **state) {
        struct house *house = *state;

        for (size_t i = 0; i < N_SRS; i++)
                keeper_free(house->each_keeper[i]);
        keepers_free(house->keepers);
        io_free(house->io);
        free(house);
        return 0;
}

static struct uuid make_vdi(struct house *house, const char *folder, const char *name) {
        AUTO(json_decref) json_t *result = NULL;
        struct err_note note = {0};
        struct uuid uuid;

        assert_ok(host_call(
                &house->host, "vdi", "create",
                json_pack("{s:s, s:s, s:I}", "sr", folder, "name", name, "size", (json_int_t)4 << 20), NULL,
                &result, &note));
        assert_true(uuid_parse(json_string_value(json_object_get(result, "uuid")), &uuid));
        return uuid;
}

static void a_call_finds_whichever_sr_it_names_open(void **state) {
        struct house *house = *state;
        struct uuid a = make_vdi(house, "/one", "a"), b = make_vdi(house, "/two/../two", "b");

        /* Another opening of either would have been refused: both are owned. */
        assert_non_null(sr_get_vdi(house->srs[0].sr, &a));
        assert_non_null(sr_get_vdi(house->srs[1].sr, &b));
        assert_null(sr_get_vdi(house->srs[0].sr, &b));
}

static void a_call_that_only_looks_sees_the_open_sr(void **state) {
        struct house *house = *state;
        AUTO(json_decref) json_t *result = NULL;
        struct err_note note = {0};

        (void)make_vdi(house, "/one", "a");
        assert_ok(host_call(&house->host, "vdi", "list", json_pack("{s:s}", "sr", "/one"), NULL, &result,
                            &note));
        assert_int_equal(json_array_size(json_object_get(result, "vdis")), 1);
}

static void the_turn_is_given_back_after_an_error(void **state) {
        struct house *house = *state;
        struct err_note note = {0};

        assert_err(host_call(&house->host, "vdi", "show",
                             json_pack("{s:s, s:s}", "sr", "/one", "vdi", "none"), NULL, NULL, &note),
                   ERR_NOT_FOUND, "none");
        (void)make_vdi(house, "/one", "a");
}

static void an_sr_of_nobody_is_opened_for_the_call(void **state) {
        struct house *house = *state;
        AUTO(json_decref) json_t *result = NULL;
        struct err_note note = {0};
        struct uuid uuid;

        assert_ok(sr_create(house->io, "/three", "three", NULL, &uuid, &note));
        assert_ok(host_call(&house->host, "sr", "show", json_pack("{s:s}", "sr", "/three"), NULL, &result,
                            &note));
        assert_string_equal(json_string_value(json_object_get(result, "name")), "three");
}

static void what_is_no_verb_is_refused(void **state) {
        struct house *house = *state;
        struct err_note note = {0};

        assert_err(host_call(&house->host, "vdi", "fly", json_object(), NULL, NULL, &note), ERR_UNSUPPORTED,
                   "'vdi fly'");
        assert_err(host_call(&house->host, "bird", "fly", json_object(), NULL, NULL, &note), ERR_UNSUPPORTED,
                   "'bird fly'");
}

static void the_sr_of_a_vdi_is_found(void **state) {
        struct house *house = *state;
        struct uuid b = make_vdi(house, "/two", "b");

        assert_ptr_equal(host_sr_of_vdi(&house->host, &b), &house->srs[1]);
        assert_null(host_sr_of_vdi(&house->host, &house->srs[0].uuid));
        assert_ptr_equal(host_sr_find(&house->host, &house->srs[1].uuid), &house->srs[1]);
        assert_null(host_sr_find(&house->host, &b));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_call_finds_whichever_sr_it_names_open, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_call_that_only_looks_sees_the_open_sr, set_up, tear_down),
                cmocka_unit_test_setup_teardown(the_turn_is_given_back_after_an_error, set_up, tear_down),
                cmocka_unit_test_setup_teardown(an_sr_of_nobody_is_opened_for_the_call, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_is_no_verb_is_refused, set_up, tear_down),
                cmocka_unit_test_setup_teardown(the_sr_of_a_vdi_is_found, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
