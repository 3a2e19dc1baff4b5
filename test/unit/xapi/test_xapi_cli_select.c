// SPDX-License-Identifier: Apache-2.0
#include "house.h"

#include "xapi_cli.h"
#include "xapi_cli_select.h"

static void start(struct house *house, struct xapi_cli *cli, const char *words) {
        AUTO(buf_fini) struct buf body = {0};
        struct err_note note = {0};

        *cli = (struct xapi_cli){.xapi = house->xapi, .peer = "test"};
        snprintf(cli->session, sizeof cli->session, "%s", house->session.ref);
        buf_print(&body, "%s", words);
        assert_ok(xapi_cli_ask_parse(&body, &cli->ask, &note));
}

/* want: NULL: none is meant, and the client is told. */
static void means(struct house *house, char *(*choose)(struct xapi_cli *), const char *words,
                  const char *want) {
        AUTO(xapi_cli_fini) struct xapi_cli cli;
        AUTO_FREE char *ref = NULL;

        start(house, &cli, words);
        ref = choose(&cli);
        if (want)
                assert_string_equal(ref, want);
        else
                assert_null(ref);
        assert_int_equal(cli.exit_code, want ? 0 : 1);
}

static void a_vm_is_meant_by_uuid_name_or_fields(void **state) {
        struct house *house = *state;
        AUTO_FREE char *box = house_make_vm(house, "box");
        AUTO_FREE char *other = house_make_vm(house, "other");
        AUTO_FREE char *uuid = mem_format("vm=%s", box + strlen(XAPI_REF_PREFIX));
        AUTO_FREE char *field = mem_format("uuid=%s", other + strlen(XAPI_REF_PREFIX));

        means(house, xapi_cli_vm, "vm=box", box);
        means(house, xapi_cli_vm, uuid, box);
        means(house, xapi_cli_vm, field, other);
        means(house, xapi_cli_vm, "name-label=other\nfilename=x", other);
        means(house, xapi_cli_vm, "name-label=other\npower-state=running", NULL);
        means(house, xapi_cli_vm, "vm=nobody", NULL);
        means(house, xapi_cli_vm, "power-state=halted", NULL);
        means(house, xapi_cli_vm, "filename=x", NULL);
}

static void a_name_means_no_snapshot_unless_one_is_asked_for(void **state) {
        struct house *house = *state;
        AUTO_FREE char *box = house_make_vm(house, "box");
        AUTO_FREE char *snapshot = house_text(house, "VM.snapshot", json_pack("[s, s]", box, "box"));
        AUTO_FREE char *uuid = mem_format("snapshot-uuid=%s", snapshot + strlen(XAPI_REF_PREFIX));
        AUTO_FREE char *of_vm = mem_format("uuid=%s", box + strlen(XAPI_REF_PREFIX));

        means(house, xapi_cli_vm, "vm=box", box);
        means(house, xapi_cli_snapshot, "snapshot=box", snapshot);
        means(house, xapi_cli_snapshot, uuid, snapshot);
        means(house, xapi_cli_snapshot, of_vm, NULL);
        means(house, xapi_cli_snapshot, "name-label=box", NULL);
}

static size_t n_chosen(struct house *house, const char *kind_name, const char *words) {
        const struct xapi_cli_kind *kind = xapi_cli_kind_named(kind_name);
        AUTO(xapi_cli_fini) struct xapi_cli cli;
        AUTO(json_decref) json_t *chosen = NULL;
        xapi_cli_filters filters = {0};

        start(house, &cli, words);
        assert_true(xapi_cli_filters_make(&cli, kind, true, "colour", &filters));
        chosen = xapi_cli_select(&cli, kind, &filters);
        vec_fini(&filters);
        return json_object_size(chosen);
}

static void every_filter_has_to_hold(void **state) {
        struct house *house = *state;

        free(house_make_vdi(house, "a", 4 << 20));
        free(house_make_vdi(house, "b", 4 << 20));
        assert_int_equal(n_chosen(house, "vdi", ""), 2);
        assert_int_equal(n_chosen(house, "vdi", "virtual-size=4194304"), 2);
        assert_int_equal(n_chosen(house, "vdi", "virtual-size=4194304\nname-label=a\ncolour=red"), 1);
        assert_int_equal(n_chosen(house, "vdi", "type=USER\nsr-name-label=one\nminimal=true"), 2);
        assert_int_equal(n_chosen(house, "vdi", "sr-name-label=two"), 0);
        assert_int_equal(n_chosen(house, "vdi", "allowed-operations:contains=snapshot"), 2);
        assert_int_equal(n_chosen(house, "vdi", "allowed-operations:lacks=snapshot"), 0);
        assert_int_equal(n_chosen(house, "vdi", "other-config:none=x"), 0);
}

static void each_kind_shows_what_it_has(void **state) {
        struct house *house = *state;

        for (const struct xapi_cli_kind *kind = xapi_cli_kinds; kind->name; kind++) {
                AUTO(xapi_cli_fini) struct xapi_cli cli;
                xapi_cli_columns columns = {0};

                start(house, &cli, "");
                assert_true(xapi_cli_columns_choose(&cli, kind, kind->shown, &columns));
                assert_string_equal(columns.data[0].name, "uuid");
                vec_fini(&columns);
        }
        assert_null(xapi_cli_kind_named("colour"));
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, house_set_up, house_tear_down)
        const struct CMUnitTest tests[] = {
                CASE(a_vm_is_meant_by_uuid_name_or_fields),
                CASE(a_name_means_no_snapshot_unless_one_is_asked_for),
                CASE(every_filter_has_to_hold),
                CASE(each_kind_shows_what_it_has),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
