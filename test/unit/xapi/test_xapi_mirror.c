// SPDX-License-Identifier: Apache-2.0
#include "house.h"

#include <unistd.h>

#include "turn.h"

/* By somebody else: the command, say. */
static struct uuid make_vdi_by_verb(struct house *house, const char *name) {
        AUTO(json_decref) json_t *result = NULL;
        struct err_note note = {0};

        assert_ok(host_call(
                &house->host, "vdi", "create",
                json_pack("{s:s, s:s, s:i}", "sr", sr_where(house->srs[0].sr), "name", name, "size", 1 << 21),
                NULL, &result, &note));
        return xapi_uuid_of(result);
}

/* Whether it comes to be within seconds; it takes milliseconds. */
#define comes_true(claim)                                                                                    \
        __extension__({                                                                                      \
                bool is_true_ = false;                                                                       \
                for (unsigned i_ = 0; i_ < 5000 && !is_true_; i_++) {                                        \
                        is_true_ = (claim);                                                                  \
                        if (!is_true_)                                                                       \
                                usleep(1000);                                                                \
                }                                                                                            \
                is_true_;                                                                                    \
        })

static bool has_vdi(struct house *house, const struct uuid *uuid) {
        AUTO(json_decref) json_t *record = objects_get(house->host.objects, XAPI_VDI, uuid);

        return record != NULL;
}

static void what_others_do_to_an_sr_is_seen(void **state) {
        struct house *house = *state;
        struct err_note note = {0};
        struct uuid uuid = make_vdi_by_verb(house, "web");
        AUTO_FREE char *ref = mem_text(xapi_ref_of(&uuid).s);

        assert_true(comes_true(has_vdi(house, &uuid)));
        assert_true(house_field_is(house, "VDI", ref, "name_label", json_string("web")));
        assert_ok(host_call(&house->host, "vdi", "delete",
                            json_pack("{s:s, s:s}", "sr", sr_where(house->srs[0].sr), "vdi", "web"), NULL,
                            NULL, &note));
        assert_true(comes_true(!has_vdi(house, &uuid)));
}

/* Whichever SR is looked at first; also by a look of the next start. */
static void a_disk_that_moves_keeps_what_clients_said_of_it(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);
        struct err_note note = {0};

        (void)house_ok(house, "VDI.add_to_other_config", json_pack("[s, s, s]", vdi, "a", "b"));
        (void)house_ok(house, "VDI.add_to_sm_config", json_pack("[s, s, s]", vdi, "mine", "1"));
        for (unsigned i = 0; i < 4; i++) {
                const struct host_sr *from = &house->srs[i % 2], *to = &house->srs[!(i % 2)];
                AUTO_FREE char *sr = house_sr(house, !(i % 2));

                assert_ok(host_call(&house->host, "vdi", "move",
                                    json_pack("{s:s, s:s, s:s}", "sr", sr_where(from->sr), "vdi", "web", "to",
                                              sr_where(to->sr)),
                                    NULL, NULL, &note));
                xapi_mirror_now(house->xapi->mirror, i / 2 ? to : from);
                xapi_mirror_now(house->xapi->mirror, i / 2 ? from : to);
                assert_true(house_field_is(house, "VDI", vdi, "SR", json_string(sr)));
                assert_true(house_field_is(house, "VDI", vdi, "other_config", json_pack("{s:s}", "a", "b")));
                assert_true(house_field_is(house, "VDI", vdi, "sm_config",
                                           json_pack("{s:s, s:s}", "mine", "1", "image-format", "vhd")));
        }
        house_stop(house);
        memset(&house->call, 0, sizeof house->call);
        house_start(house);
        assert_true(house_field_is(house, "VDI", vdi, "other_config", json_pack("{s:s}", "a", "b")));
}

static void nothing_changes_where_nothing_did(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);
        AUTO_FREE char *snapshot = house_text(house, "VDI.snapshot", json_pack("[s]", vdi));
        uint64_t generation = objects_generation(house->host.objects);

        for (unsigned i = 0; i < 10; i++) {
                turn_take(house->srs[0].turn, "test");
                turn_give(house->srs[0].turn);
                xapi_mirror_now(house->xapi->mirror, &house->srs[0]);
        }
        assert_int_equal(objects_generation(house->host.objects), generation);
}

static void all_of_an_srs_changes_are_seen_at_once(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);
        uint64_t before = objects_generation(house->host.objects);

        /* The snapshot, the base copy, the parents of two disks and the SR; then what clients own of the
         * new one. */
        free(house_text(house, "VDI.snapshot", json_pack("[s]", vdi)));
        assert_int_equal(objects_generation(house->host.objects), before + 2 - 1);
}

static void what_went_while_nobody_looked_is_gone_after_a_restart(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);
        struct err_note note = {0};
        struct sr *sr;
        struct uuid uuid;

        (void)house_ok(house, "VDI.add_to_other_config", json_pack("[s, s, s]", vdi, "a", "b"));
        house_stop(house);
        memset(&house->call, 0, sizeof house->call);
        assert_true(xapi_ref_parse(vdi, &uuid));
        assert_ok(sr_open(house->io, "/one", NULL, &sr, &note));
        assert_ok(sr_vdi_delete(sr, &uuid, &note));
        sr_close(sr);
        house_start(house);
        house_fails(house, "VDI.get_record", json_pack("[s]", vdi), "HANDLE_INVALID", "VDI");
}

static void the_host_is_the_same_after_a_restart(void **state) {
        static const char *const classes[] = {"host",    "host_metrics", "pool", "SM",
                                              "network", "PIF",          "PBD",  "SR"};
        struct house *house = *state;
        AUTO(json_decref) json_t *before = json_object();

        for (unsigned i = 0; i < 2; i++) {
                for (size_t c = 0; c < sizeof classes / sizeof *classes; c++) {
                        AUTO_FREE char *name = mem_format("%s.get_all", classes[c]);
                        json_t *refs = house_ok(house, name, json_array());

                        assert_true(json_array_size(refs) > 0);
                        if (i)
                                assert_int_equal(json_array_size(refs),
                                                 json_array_size(json_object_get(before, classes[c])));
                        else
                                json_object_set(before, classes[c], refs);
                        if (json_array_size(refs) == 1)
                                assert_true(json_equal(refs, json_object_get(before, classes[c])));
                }
                house_stop(house);
                memset(&house->call, 0, sizeof house->call);
                house_start(house);
        }
}

static void an_sr_that_is_not_here_any_more_goes_with_its_disks(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);
        AUTO_FREE char *sr = house_sr(house, 0);
        AUTO_FREE char *other = house_sr(house, 1);
        AUTO_FREE char *pool = mem_text(xapi_ref_of(&house->host.pool).s);
        struct err_note note = {0};

        (void)house_ok(house, "VDI.add_to_other_config", json_pack("[s, s, s]", vdi, "a", "b"));
        xapi_call_fini(&house->call);
        xapi_free(house->xapi);
        house->host.srs = &house->srs[1];
        house->host.n_srs = 1;
        assert_ok(xapi_new(&house->host, &house->xapi, &note));
        house_fails(house, "VDI.get_record", json_pack("[s]", vdi), "HANDLE_INVALID", "VDI");
        house_fails(house, "SR.get_record", json_pack("[s]", sr), "HANDLE_INVALID", "SR");
        assert_int_equal(json_array_size(house_ok(house, "PBD.get_all", json_array())), 1);
        assert_true(house_field_is(house, "pool", pool, "default_SR", json_string(other)));
}

static void a_coalesce_is_a_task_and_shortens_chains_for_all_to_see(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);
        AUTO_FREE char *sr = house_sr(house, 0);
        AUTO_FREE char *snapshot = house_text(house, "VDI.snapshot", json_pack("[s]", vdi));
        AUTO(json_decref) json_t *tasks = NULL;

        assert_int_equal(json_array_size(house_ok(house, "VDI.get_all", json_array())), 3);
        (void)house_ok(house, "VDI.destroy", json_pack("[s]", snapshot));
        assert_true(comes_true(json_array_size(house_ok(house, "VDI.get_all", json_array())) == 1));
        assert_true(
                house_field_is(house, "VDI", vdi, "sm_config", json_pack("{s:s}", "image-format", "vhd")));
        tasks = json_incref(
                house_ok(house, "task.get_by_name_label", json_pack("[s]", "Garbage collection for SR one")));
        assert_int_equal(json_array_size(tasks), 1);
        assert_true(comes_true(house_field_is(house, "task", json_string_value(json_array_get(tasks, 0)),
                                              "status", json_string("success"))));
}

static void who_says_no_has_no_coalesce(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);
        AUTO_FREE char *sr = house_sr(house, 0);
        AUTO_FREE char *snapshot = house_text(house, "VDI.snapshot", json_pack("[s]", vdi));

        (void)house_ok(house, "SR.add_to_other_config", json_pack("[s, s, s]", sr, "gc", "false"));
        (void)house_ok(house, "VDI.destroy", json_pack("[s]", snapshot));
        (void)house_ok(house, "SR.scan", json_pack("[s]", sr));
        usleep(50000);
        assert_int_equal(json_array_size(house_ok(house, "task.get_all", json_array())), 0);
        assert_int_equal(json_array_size(house_ok(house, "VDI.get_all", json_array())), 2);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, house_set_up, house_tear_down)
        const struct CMUnitTest tests[] = {
                CASE(what_others_do_to_an_sr_is_seen),
                CASE(a_disk_that_moves_keeps_what_clients_said_of_it),
                CASE(nothing_changes_where_nothing_did),
                CASE(all_of_an_srs_changes_are_seen_at_once),
                CASE(what_went_while_nobody_looked_is_gone_after_a_restart),
                CASE(the_host_is_the_same_after_a_restart),
                CASE(an_sr_that_is_not_here_any_more_goes_with_its_disks),
                CASE(a_coalesce_is_a_task_and_shortens_chains_for_all_to_see),
                CASE(who_says_no_has_no_coalesce),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
