// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "xapi_method.h"

static void names_find_their_methods(void **state) {
        static const struct {
                const char *name, *found; /* borrowed, static; NULL: nobody */
                enum xapi_class_id class;
                const char *field; /* borrowed, static; or NULL */
        } rows[] = {
                {"VDI.snapshot", "VDI.snapshot", XAPI_N_CLASSES, NULL},
                {"VDI_snapshot", "VDI.snapshot", XAPI_N_CLASSES, NULL},
                {"task_create", "task.create", XAPI_N_CLASSES, NULL},
                {"task_set_status", "task.set_status", XAPI_N_CLASSES, NULL},
                {"event.from", "event.from", XAPI_N_CLASSES, NULL},
                {"VDI.get_record", "get_record", XAPI_VDI, NULL},
                {"VDI.get_all_records_where", "get_all_records_where", XAPI_VDI, NULL},
                {"VM_guest_metrics.get_all_records", "get_all_records", XAPI_VM_GUEST_METRICS, NULL},
                {"VM_guest_metrics_get_all", "get_all", XAPI_VM_GUEST_METRICS, NULL},
                {"VM.get_metrics", "get_", XAPI_VM, "metrics"},
                {"VM_get_guest_metrics", "get_", XAPI_VM, "guest_metrics"},
                {"VDI.get_virtual_size", "get_", XAPI_VDI, "virtual_size"},
                {"VM.set_name_label", "set_", XAPI_VM, "name_label"},
                {"VM.add_to_other_config", "add_to_", XAPI_VM, "other_config"},
                {"VM.remove_from_other_config", "remove_from_", XAPI_VM, "other_config"},
                {"VM.add_tags", "add_", XAPI_VM, "tags"},
                {"VM.remove_tags", "remove_", XAPI_VM, "tags"},
                {"VDI.set_name_label", "VDI.set_name_label", XAPI_N_CLASSES, NULL}, /* the catalog's */
                {"VDI.set_virtual_size", NULL, 0, NULL},                            /* not to be set */
                {"VDI.set_uuid", NULL, 0, NULL},
                {"VM.add_to_tags", NULL, 0, NULL},    /* a set */
                {"VM.add_name_label", NULL, 0, NULL}, /* neither */
                {"VDI.get_no_such", NULL, 0, NULL},
                {"vdi.get_record", NULL, 0, NULL}, /* cases tell apart */
                {"session.get_all", NULL, 0, NULL},
                {"session.get_all_records", NULL, 0, NULL},
                {"PBD.get_by_name_label", NULL, 0, NULL},
                {"VDI", NULL, 0, NULL},
                {"", NULL, 0, NULL},
                {".", NULL, 0, NULL},
                {"VDI.", NULL, 0, NULL},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                struct xapi_target target = xapi_method_find(rows[i].name);

                print_message("%s\n", rows[i].name);
                assert_int_equal(target.method != NULL, rows[i].found != NULL);
                if (!rows[i].found)
                        continue;
                assert_string_equal(target.method->name, rows[i].found);
                assert_int_equal(target.class, rows[i].class);
                if (rows[i].field)
                        assert_string_equal(target.field->name, rows[i].field);
                else
                        assert_null(target.field);
                assert_false(target.is_async);
        }
}

static void what_is_declared_and_long_can_be_a_task(void **state) {
        struct xapi_target target = xapi_method_find("Async.VDI.snapshot");

        (void)state;
        assert_string_equal(target.method->name, "VDI.snapshot");
        assert_true(target.is_async);
        assert_null(xapi_method_find("Async.VDI.get_record").method);
        assert_null(xapi_method_find("Async.session.login_with_password").method);
        assert_null(xapi_method_find("Async.event.from").method);
        assert_null(xapi_method_find("Async.Async.VDI.snapshot").method);
}

static void a_name_of_any_length_is_no_harm(void **state) {
        char name[1000];

        (void)state;
        for (size_t n = 1; n < sizeof name; n++) {
                memset(name, 'a', n);
                name[n] = 0;
                assert_null(xapi_method_find(name).method);
        }
}

static void every_listed_name_is_found_and_in_order(void **state) {
        AUTO(json_decref) json_t *list = xapi_method_list();
        const char *last = "";
        json_t *each;
        size_t i;

        (void)state;
        assert_true(json_array_size(list) > 500);
        json_array_foreach(list, i, each) {
                const char *name = json_string_value(each);

                assert_true(strcmp(name, last) > 0);
                assert_non_null(xapi_method_find(name).method);
                last = name;
        }
}

static void clients_learn_from_the_list_which_classes_there_are(void **state) {
        AUTO(json_decref) json_t *list = xapi_method_list();
        unsigned n = 0;
        json_t *each;
        size_t i;

        (void)state;
        json_array_foreach(list, i, each) {
                const char *dot = strchr(json_string_value(each), '.');

                n += dot && strcmp(dot, ".get_all_records") == 0;
        }
        assert_int_equal(n, XAPI_N_CLASSES - 1); /* all but sessions */
}

static void declared_methods_have_parameters_that_make_sense(void **state) {
        AUTO(json_decref) json_t *list = xapi_method_list();
        json_t *each;
        size_t i;

        (void)state;
        json_array_foreach(list, i, each) {
                const struct xapi_method *method = xapi_method_find(json_string_value(each)).method;
                unsigned n = xapi_method_n_params(method);

                assert_true(n <= XAPI_PARAMS_MAX && xapi_method_n_needed(method) <= n);
                for (unsigned p = 0; p < n; p++) {
                        const struct xapi_field *field = &method->params[p].field;

                        if (field->type == XAPI_REF)
                                assert_int_not_equal(xapi_class_find(field->of), XAPI_N_CLASSES);
                        if (p >= xapi_method_n_needed(method))
                                assert_true(method->params[p].flags & XAPI_OPTIONAL);
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_find_their_methods),
                cmocka_unit_test(what_is_declared_and_long_can_be_a_task),
                cmocka_unit_test(a_name_of_any_length_is_no_harm),
                cmocka_unit_test(every_listed_name_is_found_and_in_order),
                cmocka_unit_test(clients_learn_from_the_list_which_classes_there_are),
                cmocka_unit_test(declared_methods_have_parameters_that_make_sense),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
