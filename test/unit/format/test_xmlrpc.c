// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "xmlrpc.h"

DEFINE_AUTO(json_t *, json_decref);

static json_t *of(const char *text) {
        json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

        assert_non_null(json);
        return json;
}

static void assert_written(const char *json, const struct xmlrpc_shape *shape, const char *want) {
        AUTO(json_decref) json_t *value = of(json);
        AUTO(buf_fini) struct buf xml = {0};

        xmlrpc_add_value(&xml, value, shape);
        assert_string_equal(buf_text(&xml), want);
}

static void each_type_is_written_as_clients_know_it(void **state) {
        static const struct {
                const char *json, *want;
        } table[] = {
                {"\"OpaqueRef:NULL\"", "<value>OpaqueRef:NULL</value>"},
                {"\"\"", "<value></value>"},
                {"123", "<value>123</value>"},
                {"-9223372036854775808", "<value>-9223372036854775808</value>"},
                {"true", "<value><boolean>1</boolean></value>"},
                {"false", "<value><boolean>0</boolean></value>"},
                {"null", "<value><nil/></value>"},
                {"0.5", "<value><double>0.5</double></value>"},
                {"60.1", "<value><double>60.1</double></value>"},
                {"1.0", "<value><double>1.0</double></value>"},
                {"-0.0", "<value><double>-0.0</double></value>"},
                {"1e300", "<value><double>1e+300</double></value>"},
                {"1e15", "<value><double>1000000000000000.0</double></value>"},
                {"[]", "<value><array><data></data></array></value>"},
                {"[1,[\"a\"]]",
                 "<value><array><data><value>1</value><value><array><data><value>a</value></data></"
                 "array></value></data></array></value>"},
                {"{}", "<value><struct></struct></value>"},
                {"{\"b\":1,\"a<\":\"\"}",
                 "<value><struct><member><name>b</name><value>1</value></member>"
                 "<member><name>a&lt;</name><value></value></member></struct></value>"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)
                assert_written(table[i].json, NULL, table[i].want);
}

static void text_is_escaped_and_stays_xml(void **state) {
        static const struct {
                const char *text;
                size_t n;
                const char *want;
        } table[] = {
                {"a&b<c>\"d'", 10, "a&amp;b&lt;c&gt;&quot;d'"},
                {"tab\tline\ncr\r.", 13, "tab\tline\ncr&#13;."},
                {"\x01"
                 "bell\a"
                 "null\0"
                 "esc\x1b",
                 15, "bellnullesc"},
                {"\xc3\xbc\xe6\xbc\xa2\xf0\x9f\x92\xbe", 9, "\xc3\xbc\xe6\xbc\xa2\xf0\x9f\x92\xbe"},
                {"bad\xff.", 5, "bad?."},
                {"cut\xe6\xbc", 5, "cut??"},
                {"alone\x80", 6, "alone?"},
                {"long\xc0\x80", 6, "long??"},
                {"half\xed\xa0\x80", 7, "half???"},
                {"none\xef\xbf\xbf", 7, "none???"},
                {"far\xf4\x90\x80\x80", 7, "far????"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(json_decref) json_t *value = json_stringn_nocheck(table[i].text, table[i].n);
                AUTO(buf_fini) struct buf xml = {0}, want = {0};

                xmlrpc_add_value(&xml, value, NULL);
                buf_print(&want, "<value>%s</value>", table[i].want);
                assert_string_equal(buf_text(&xml), buf_text(&want));
        }
}

static void a_scalar_is_written_in_its_shape(void **state) {
        const struct xmlrpc_shape time = xmlrpc_shape_of(XAPI_TIME), real = xmlrpc_shape_of(XAPI_FLOAT),
                                  plain = xmlrpc_shape_of(XAPI_INT), i4 = {.form = XMLRPC_I4};

        (void)state;
        assert_written("\"20250319T04:16:24Z\"", &time,
                       "<value><dateTime.iso8601>20250319T04:16:24Z</dateTime.iso8601></value>");
        assert_written("0", &real, "<value><double>0.0</double></value>");
        assert_written("7", &plain, "<value>7</value>");
        assert_written("7", &i4, "<value><i4>7</i4></value>");
        assert_written("\"x\"", &i4, "<value>x</value>");
}

static const struct xapi_field task_fields[] = {
        {.name = "uuid", .type = XAPI_STRING},
        {.name = "created", .type = XAPI_TIME},
        {.name = "progress", .type = XAPI_FLOAT},
        {.name = "other_config", .type = XAPI_MAP},
        {0},
};

#define AT(name, value) "<member><name>" name "</name><value>" value "</value></member>"
#define TIME(text)      "<dateTime.iso8601>" text "</dateTime.iso8601>"

static void a_record_is_written_by_its_fields_in_any_order(void **state) {
        static const struct xmlrpc_shape record = {.form = XMLRPC_RECORD, .fields = task_fields};

        (void)state;
        assert_written("{\"uuid\":\"u\",\"created\":\"t\",\"progress\":1}", &record,
                       "<value><struct>" AT("uuid", "u") AT("created", TIME("t"))
                               AT("progress", "<double>1.0</double>") "</struct></value>");
        assert_written("{\"progress\":1,\"none\":\"t\",\"created\":\"t\",\"uuid\":1}", &record,
                       "<value><struct>" AT("progress", "<double>1.0</double>") AT("none", "t")
                               AT("created", TIME("t")) AT("uuid", "1") "</struct></value>");
}

static void what_a_map_holds_is_no_field(void **state) {
        static const struct xmlrpc_shape record = {.form = XMLRPC_RECORD, .fields = task_fields};

        (void)state;
        assert_written("{\"other_config\":{\"created\":\"t\"}}", &record,
                       "<value><struct>" AT("other_config",
                                            "<struct>" AT("created", "t") "</struct>") "</struct></value>");
}

static const struct xapi_field *fields_of(const json_t *event) {
        const char *class = json_string_value(json_object_get(event, "class"));

        return class && strcmp(class, "task") == 0 ? task_fields : NULL;
}

static void a_batch_of_events_is_written_in_one_shape(void **state) {
        static const struct xmlrpc_shape count = {.form = XMLRPC_I4};
        static const struct xmlrpc_member of_event[] = {
                {"snapshot", {.form = XMLRPC_RECORD, .fields_of = fields_of}}, {0}};
        static const struct xmlrpc_shape event = {.form = XMLRPC_STRUCT, .members = of_event};
        static const struct xmlrpc_member of_batch[] = {
                {"events", {.form = XMLRPC_EACH, .each = &event}},
                {"valid_ref_counts", {.form = XMLRPC_EACH, .each = &count}},
                {0},
        };
        static const struct xmlrpc_shape batch = {.form = XMLRPC_STRUCT, .members = of_batch};

        static const char *const parts[] = {
                AT("class", "task"),      AT("created", TIME("1")), AT("created", "2"),
                AT("task", "<i4>3</i4>"), AT("token", "4"),
        };
        AUTO(json_decref)
        json_t *value = of("{\"events\":[{\"class\":\"task\",\"snapshot\":{\"created\":\"1\"}},"
                           "{\"class\":\"vm\",\"snapshot\":{\"created\":\"2\"}}],"
                           "\"valid_ref_counts\":{\"task\":3},\"token\":\"4\"}");
        AUTO(buf_fini) struct buf xml = {0};

        (void)state;
        xmlrpc_add_value(&xml, value, &batch);
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
                assert_non_null(strstr(buf_text(&xml), parts[i]));
}

#define HEAD "<?xml version=\"1.0\"?>"

static void an_answer_says_whether_it_went_well(void **state) {
        AUTO(json_decref)
        json_t *value = of("\"v\""), *error = of("[\"HANDLE_INVALID\",\"VM\",\"<\"]"),
               *methods = of("[\"a.b\"]");
        AUTO(buf_fini) struct buf success = {0}, failure = {0}, bare = {0};

        (void)state;
        xmlrpc_add_success(&success, value, NULL);
        assert_string_equal(buf_text(&success),
                            HEAD "<methodResponse><params><param><value><struct>" AT("Status", "Success")
                                    AT("Value", "v") "</struct></value></param></params></methodResponse>");
        xmlrpc_add_failure(&failure, error);
        assert_string_equal(buf_text(&failure),
                            HEAD "<methodResponse><params><param><value><struct>" AT("Status", "Failure")
                                    AT("ErrorDescription",
                                       "<array><data><value>HANDLE_INVALID</value><value>VM</value>"
                                       "<value>&lt;</value></data></array>") "</struct></value></param></"
                                                                             "params></methodResponse>");
        xmlrpc_add_bare(&bare, methods, NULL);
        assert_string_equal(buf_text(&bare), HEAD "<methodResponse><params><param><value><array><data>"
                                                  "<value>a.b</value></data></array></value></param></params>"
                                                  "</methodResponse>");
}

static void a_call_holds_its_params(void **state) {
        AUTO(json_decref) json_t *params = of("[\"OpaqueRef:s\",1]");
        AUTO(buf_fini) struct buf call = {0}, none = {0};

        (void)state;
        xmlrpc_add_call(&call, "VM.start", params);
        assert_string_equal(buf_text(&call), HEAD
                            "<methodCall><methodName>VM.start</methodName><params><param><value>OpaqueRef:s"
                            "</value></param><param><value>1</value></param></params></methodCall>");
        xmlrpc_add_call(&none, "m", NULL);
        assert_string_equal(buf_text(&none),
                            HEAD "<methodCall><methodName>m</methodName><params></params></methodCall>");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_type_is_written_as_clients_know_it),
                cmocka_unit_test(text_is_escaped_and_stays_xml),
                cmocka_unit_test(a_scalar_is_written_in_its_shape),
                cmocka_unit_test(a_record_is_written_by_its_fields_in_any_order),
                cmocka_unit_test(what_a_map_holds_is_no_field),
                cmocka_unit_test(a_batch_of_events_is_written_in_one_shape),
                cmocka_unit_test(an_answer_says_whether_it_went_well),
                cmocka_unit_test(a_call_holds_its_params),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
