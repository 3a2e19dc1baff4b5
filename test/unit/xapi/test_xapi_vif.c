// SPDX-License-Identifier: Apache-2.0
#include "house.h"

#include "xapi_method.h"

/* The caller's to free. */
static char *make_vm(struct house *house) {
        const struct uuid uuid = {{9}};
        struct objects_change *change;
        struct err_note note = {0};

        objects_begin(house->host.objects, &change);
        objects_put(change, XAPI_VM, &uuid, NULL);
        assert_ok(objects_commit(change, NULL, &note));
        return mem_text(xapi_ref_of(&uuid).s);
}

static char *network_of(struct house *house) {
        return mem_text(
                json_string_value(json_array_get(house_ok(house, "network.get_all", json_array()), 0)));
}

static void a_card_ties_a_vm_to_a_network(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vm = make_vm(house);
        AUTO_FREE char *network = network_of(house);
        AUTO_FREE char *vif = house_text(
                house, "VIF.create",
                json_pack("[{s:s, s:s, s:s, s:s}]", "VM", vm, "network", network, "device", "0", "MAC", ""));
        AUTO(json_decref) json_t *mac = house_field(house, "VIF", vif, "MAC");

        assert_int_equal(strlen(json_string_value(mac)), 17);
        assert_true(house_field_is(house, "VM", vm, "VIFs", json_pack("[s]", vif)));
        assert_true(house_field_is(house, "network", network, "VIFs", json_pack("[s]", vif)));
        assert_int_equal(json_array_size(house_ok(house, "VM.get_allowed_VIF_devices", json_pack("[s]", vm))),
                         6);
        (void)house_ok(house, "VIF.destroy", json_pack("[s]", vif));
        assert_true(house_field_is(house, "VM", vm, "VIFs", json_array()));
        assert_true(house_field_is(house, "network", network, "VIFs", json_array()));
        house_fails(house, "VIF.destroy", json_pack("[s]", vif), "HANDLE_INVALID", "VIF");
        house_fails(house, "VIF.create",
                    json_pack("[{s:s, s:s, s:s}]", "VM", vm, "network", vm, "device", "0"), "HANDLE_INVALID",
                    "network");
        house_fails(house, "VIF.create", json_pack("[{s:s}]", "network", network), "FIELD_TYPE_ERROR", NULL);
}

static void settings_of_a_vm_have_setters_of_their_own(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vm = make_vm(house);

        (void)house_ok(house, "VM.set_memory_limits", json_pack("[s, i, s, i, i]", vm, 1, "4", 2, 3));
        assert_true(house_field_is(house, "VM", vm, "memory_static_min", json_integer(1)));
        assert_true(house_field_is(house, "VM", vm, "memory_static_max", json_integer(4)));
        assert_true(house_field_is(house, "VM", vm, "memory_dynamic_min", json_integer(2)));
        assert_true(house_field_is(house, "VM", vm, "memory_dynamic_max", json_integer(3)));
        (void)house_ok(house, "VM.set_VCPUs_max", json_pack("[s, s]", vm, "8"));
        assert_true(house_field_is(house, "VM", vm, "VCPUs_max", json_integer(8)));
        (void)house_ok(house, "VM.set_bios_strings", json_pack("[s, {s:s}]", vm, "bios-vendor", "Xen"));
        assert_true(
                house_field_is(house, "VM", vm, "bios_strings", json_pack("{s:s}", "bios-vendor", "Xen")));
        (void)house_ok(house, "VM.set_HVM_shadow_multiplier", json_pack("[s, i]", vm, 2));
        house_fails(house, "VM.set_order", json_pack("[s, s]", vm, "first"), "FIELD_TYPE_ERROR", "order");
        house_fails(house, "VM.set_domain_type", json_pack("[s, s]", vm, "flat"), "FIELD_TYPE_ERROR",
                    "domain_type");
}

/* Whatever is declared can be called: fields that setters name are there. */
static void every_setter_knows_its_field(void **state) {
        (void)state;
        for (const struct xapi_method *method = xapi_vm_field_methods; method->name; method++)
                if (xapi_method_n_params(method) == 2)
                        assert_non_null(xapi_field_find(XAPI_VM, method->name + strlen("VM.set_")));
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, house_set_up, house_tear_down)
        const struct CMUnitTest tests[] = {
                CASE(a_card_ties_a_vm_to_a_network),
                CASE(settings_of_a_vm_have_setters_of_their_own),
                cmocka_unit_test(every_setter_knows_its_field),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
