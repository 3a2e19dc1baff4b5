// SPDX-License-Identifier: Apache-2.0
#include "house.h"

static void a_host_says_what_clients_ask_of_it(void **state) {
        struct house *house = *state;
        AUTO_FREE char *host = mem_text(xapi_ref_of(&house->host.uuid).s);
        AUTO(json_decref) json_t *metrics = NULL;
        int64_t now;

        assert_true(xapi_time_parse(
                json_string_value(house_ok(house, "host.get_servertime", json_pack("[s]", host))), &now));
        assert_true(json_is_false(house_ok(house, "host.has_extension", json_pack("[s, s]", host, "x"))));
        assert_true(json_array_size(house_ok(house, "host.list_methods", json_array())) > 500);
        assert_true(house_field_is(house, "host", host, "address", json_string("192.0.2.7")));
        metrics = house_field(house, "host", host, "metrics");
        assert_true(house_field_is(house, "host_metrics", json_string_value(metrics), "live", json_true()));
        (void)house_ok(house, "pool.sync_database", json_array());
}

static void what_it_has_not_it_says(void **state) {
        struct house *house = *state;
        AUTO(certificate_free) struct certificate *certificate = certificate_new("a certificate");
        AUTO_FREE char *host = mem_text(xapi_ref_of(&house->host.uuid).s);

        house_fails(house, "host.call_plugin", json_pack("[s, s, s, {}]", host, "updater", "check"),
                    "XENAPI_MISSING_PLUGIN", "updater");
        house_fails(house, "host.get_server_certificate", json_pack("[s]", host), "OPERATION_NOT_ALLOWED",
                    NULL);
        house->host.certificate = certificate;
        assert_string_equal(
                json_string_value(house_ok(house, "host.get_server_certificate", json_pack("[s]", host))),
                "a certificate");
        certificate_set(certificate, "another");
        assert_string_equal(
                json_string_value(house_ok(house, "host.get_server_certificate", json_pack("[s]", host))),
                "another");
}

static void its_parts_name_each_other(void **state) {
        struct house *house = *state;
        AUTO_FREE char *host = mem_text(xapi_ref_of(&house->host.uuid).s);
        AUTO_FREE char *pool = mem_text(xapi_ref_of(&house->host.pool).s);
        AUTO_FREE char *sr = house_sr(house, 1);
        AUTO(json_decref) json_t *pbds = house_field(house, "SR", sr, "PBDs");
        AUTO(json_decref) json_t *pifs = house_field(house, "host", host, "PIFs");
        const char *pbd = json_string_value(json_array_get(pbds, 0));
        const char *pif = json_string_value(json_array_get(pifs, 0));
        AUTO(json_decref) json_t *all = house_field(house, "host", host, "PBDs");
        AUTO(json_decref) json_t *network = house_field(house, "PIF", pif, "network");

        assert_true(house_field_is(house, "pool", pool, "master", json_string(host)));
        assert_true(house_field_is(house, "PBD", pbd, "SR", json_string(sr)));
        assert_true(house_field_is(house, "PBD", pbd, "host", json_string(host)));
        assert_true(house_field_is(house, "PBD", pbd, "currently_attached", json_true()));
        assert_int_equal(json_array_size(all), N_SRS);
        assert_true(house_field_is(house, "PIF", pif, "IP", json_string("192.0.2.7")));
        assert_true(
                house_field_is(house, "network", json_string_value(network), "PIFs", json_pack("[s]", pif)));
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, house_set_up, house_tear_down)
        const struct CMUnitTest tests[] = {
                CASE(a_host_says_what_clients_ask_of_it),
                CASE(what_it_has_not_it_says),
                CASE(its_parts_name_each_other),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
