// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "mem.h"
#include "xmlrpc.h"

DEFINE_AUTO(json_t *, json_decref);

static struct span span_of(const char *text) {
        return (struct span){(const uint8_t *)text, strlen(text)};
}

static void each_type_is_read(void **state) {
        static const struct {
                const char *xml, *json;
        } table[] = {
                {"<value>OpaqueRef:NULL</value>", "\"OpaqueRef:NULL\""},
                {"<value/>", "\"\""},
                {"<value> as it is\n</value>", "\" as it is\\n\""},
                {"<value><string> a </string></value>", "\" a \""},
                {"<value>\n  <string/>\n</value>", "\"\""},
                {"<value>a&amp;&#x42;<![CDATA[<c>]]><!-- no -->d</value>", "\"a&B<c>d\""},
                {"<value>\xc3\xbc</value>", "\"\xc3\xbc\""},
                {"<?xml version='1.0' encoding='iso-8859-1'?><value>\xfc</value>", "\"\xc3\xbc\""},
                {"<value>12</value>", "\"12\""},
                {"<value><int>12</int></value>", "12"},
                {"<value><i4> -12\n</i4></value>", "-12"},
                {"<value><i8>9223372036854775807</i8></value>", "9223372036854775807"},
                {"<value><int>+1</int></value>", "1"},
                {"<value><boolean>1</boolean></value>", "true"},
                {"<value><boolean>0</boolean></value>", "false"},
                {"<value><double>60.1</double></value>", "60.1"},
                {"<value><double>2</double></value>", "2.0"},
                {"<value><double>-1e+3</double></value>", "-1000.0"},
                {"<value><nil/></value>", "null"},
                {"<value><dateTime.iso8601>20250319T04:16:24Z</dateTime.iso8601></value>",
                 "\"20250319T04:16:24Z\""},
                {"<value><dateTime.iso8601>20250319T04:16:24</dateTime.iso8601></value>",
                 "\"20250319T04:16:24Z\""},
                {"<value><dateTime.iso8601> 2025-03-19T04:16:24Z </dateTime.iso8601></value>",
                 "\"20250319T04:16:24Z\""},
                {"<value><base64>\n YWJj\n ZA==\n</base64></value>", "\"YWJjZA==\""},
                {"<value><base64/></value>", "\"\""},
                {"<value><array><data/></array></value>", "[]"},
                {"<value> <array> <data> <value>1</value>\t<value><int>2</int></value> </data> </array> "
                 "</value>",
                 "[\"1\", 2]"},
                {"<value><struct/></value>", "{}"},
                {"<value><struct><member><name>b</name><value>1</value></member>\n<member><value><struct/></"
                 "value>"
                 "<name> a</name></member></struct></value>",
                 "{\"b\": \"1\", \" a\": {}}"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(json_decref) json_t *value = NULL, *want = NULL;
                struct err_note note = {0};

                assert_ok(xmlrpc_decode_value(span_of(table[i].xml), &value, &note));
                want = json_loads(table[i].json, JSON_DECODE_ANY, NULL);
                if (!json_equal(value, want))
                        fail_msg("%s", table[i].xml);
        }
}

static void what_is_no_value_is_refused_with_a_reason(void **state) {
        static const struct {
                const char *xml, *words;
        } table[] = {
                {"", "line 1: no element found"},
                {"<value>", "line 1: "},
                {"<value>\n</valve>", "line 2: mismatched tag"},
                {"<value>&nbsp;</value>", "undefined entity"},
                {"<value>\xff</value>", "not well-formed"},
                {"<value>\xed\xa0\x80</value>", "not well-formed"},
                {"<value>&#0;</value>", "reference to invalid character"},
                {"<valve/>", "<valve> is not of XML-RPC"},
                {"<string/>", "<string> may not stand here"},
                {"<methodCall/>", "<methodCall> may not stand here"},
                {"<value><value/></value>", "<value> may not stand in value"},
                {"<value><data/></value>", "<data> may not stand in value"},
                {"<value><array><value/></array></value>", "<value> may not stand in array"},
                {"<value><string/><string/></value>", "<string> is one too many in value"},
                {"<value><string/><int>1</int></value>", "<int> is one too many in value"},
                {"<value>a<string>b</string></value>", "text before <string>"},
                {"<value><string>b</string>a</value>", "text before </value>"},
                {"<value><array>x<data/></array></value>", "text before <data>"},
                {"<value><array><data>x</data></array></value>", "text before </data>"},
                {"<value><array/></value>", "an array without data"},
                {"<value><array><data/><data/></array></value>", "<data> is one too many in array"},
                {"<value><struct><member/></struct></value>", "a member without a name"},
                {"<value><struct><member><name>a</name></member></struct></value>",
                 "a member without a value"},
                {"<value><struct><member><name>a</name><value/><value/></member></struct></value>",
                 "two values"},
                {"<value><struct><member><name>a</name><name>a</name></member></struct></value>",
                 "<name> is one too many"},
                {"<value><struct><member><name>a</name><value/></member><member><name>a</name><value/></"
                 "member>"
                 "</struct></value>",
                 "member a twice"},
                {"<value><int></int></value>", "this is no int"},
                {"<value><int>-</int></value>", "this is no int"},
                {"<value><int>1 2</int></value>", "this is no int"},
                {"<value><int>0x1</int></value>", "this is no int"},
                {"<value><i8>9223372036854775808</i8></value>", "this is no i8"},
                {"<value><boolean>2</boolean></value>", "this is no boolean"},
                {"<value><double>nan</double></value>", "this is no double"},
                {"<value><double>1e999</double></value>", "this is no double"},
                {"<value><double>1.0.0</double></value>", "this is no double"},
                {"<value><double/></value>", "this is no double"},
                {"<value><nil>0</nil></value>", "this is no nil"},
                {"<value><dateTime.iso8601>20250319</dateTime.iso8601></value>", "this is no dateTime"},
                {"<value><dateTime.iso8601>20250319T04:16:24ZZ</dateTime.iso8601></value>",
                 "this is no dateTime"},
                {"<value><dateTime.iso8601>2025031\xc3\xbcT04:16:24</dateTime.iso8601></value>",
                 "this is no dateTime"},
                {"<value><base64>YWJ</base64></value>", "this is no base64"},
                {"<value><base64>Y===</base64></value>", "this is no base64"},
                {"<value><base64>Y=Jj</base64></value>", "this is no base64"},
                {"<value><base64>Y(Jj</base64></value>", "this is no base64"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                json_t *value = NULL;
                struct err_note note = {0};

                assert_err(xmlrpc_decode_value(span_of(table[i].xml), &value, &note), ERR_CORRUPT,
                           table[i].words);
                assert_null(value);
        }
}

static void a_document_type_is_refused_before_its_entities(void **state) {
        static const char *const table[] = {
                "<!DOCTYPE value><value/>",
                ("<!DOCTYPE v [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>"
                 "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'>]><value>&c;</value>"),
                "<!DOCTYPE v [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><value>&a;</value>",
                "<!DOCTYPE v SYSTEM 'http://127.0.0.1/a.dtd'><value/>",
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                json_t *value = NULL;
                struct err_note note = {0};

                assert_err(xmlrpc_decode_value(span_of(table[i]), &value, &note), ERR_CORRUPT,
                           "a document type is not taken");
        }
}

/* A value in so many others, all of them arrays or all structs. */
static void nest(struct buf *xml, unsigned depth, bool is_struct) {
        for (unsigned i = 1; i < depth; i++)
                buf_print(xml, is_struct ? "<value><struct><member><name>n</name>" : "<value><array><data>");
        buf_print(xml, "<value><struct><member><name>n</name><value>v</value></member></struct></value>");
        for (unsigned i = 1; i < depth; i++)
                buf_print(xml, is_struct ? "</member></struct></value>" : "</data></array></value>");
}

static void values_may_be_so_deep_and_no_deeper(void **state) {
        (void)state;
        for (unsigned more = 0; more < 2; more++)
                for (unsigned is_struct = 0; is_struct < 2; is_struct++) {
                        AUTO(buf_fini) struct buf xml = {0};
                        AUTO(xmlrpc_call_fini) struct xmlrpc_call call = {0};
                        struct err_note note = {0};

                        buf_print(&xml, "<methodCall><methodName>m</methodName><params><param>");
                        nest(&xml, XMLRPC_DEPTH_MAX - 1 + more, is_struct);
                        buf_print(&xml, "</param></params></methodCall>");
                        if (more)
                                assert_err(xmlrpc_decode_call(span_of(buf_text(&xml)), &call, &note),
                                           ERR_CORRUPT, "deeper than");
                        else
                                assert_ok(xmlrpc_decode_call(span_of(buf_text(&xml)), &call, &note));
                }
}

static void many_open_tags_end_at_the_limit(void **state) {
        enum { TIMES = 50000 };
        AUTO(buf_fini) struct buf xml = {0};
        struct err_note note = {0};
        json_t *value = NULL;

        (void)state;
        for (unsigned i = 0; i < TIMES; i++)
                buf_print(&xml, "<value><array><data>");
        assert_err(xmlrpc_decode_value(span_of(buf_text(&xml)), &value, &note), ERR_CORRUPT, "deeper than");
}

static void a_call_is_read(void **state) {
        AUTO(xmlrpc_call_fini) struct xmlrpc_call call = {0}, none = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(
                xmlrpc_decode_call(span_of("<?xml version='1.0'?>\n<methodCall>\n"
                                           "<methodName>session.login_with_password</methodName>\n<params>\n"
                                           "<param>\n<value><string>root</string></value>\n</param>\n"
                                           "<param>\n<value>secret</value>\n</param>\n</params>\n"
                                           "</methodCall>\n"),
                                   &call, &note));
        assert_string_equal(call.method, "session.login_with_password");
        assert_int_equal(json_array_size(call.params), 2);
        assert_string_equal(json_string_value(json_array_get(call.params, 1)), "secret");
        assert_ok(xmlrpc_decode_call(span_of("<methodCall><methodName> m\n</methodName></methodCall>"), &none,
                                     &note));
        assert_string_equal(none.method, "m");
        assert_int_equal(json_array_size(none.params), 0);
}

static void what_is_no_call_is_refused(void **state) {
        static const struct {
                const char *xml, *words;
        } table[] = {
                {"<methodCall/>", "a call without a method's name"},
                {"<methodCall><params/></methodCall>", "a call without a method's name"},
                {"<methodCall><methodName/></methodCall>", "this is no method's name"},
                {"<methodCall><methodName>a b</methodName></methodCall>", "this is no method's name"},
                {"<methodCall><methodName>\xc3\xbc</methodName></methodCall>", "this is no method's name"},
                {"<methodCall><methodName>a</methodName><methodName>b</methodName></methodCall>",
                 "one too many"},
                {"<methodCall><params/><params/></methodCall>", "one too many"},
                {"<methodCall><params><param/></params></methodCall>", "a param without a value"},
                {"<methodCall><params><param><value/><value/></param></params></methodCall>", "two values"},
                {"<methodCall><fault/></methodCall>", "<fault> may not stand in methodCall"},
                {"<methodCall><methodName>a</methodName></methodCall><methodCall/>", "junk after document"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct xmlrpc_call call = {0};
                struct err_note note = {0};

                assert_err(xmlrpc_decode_call(span_of(table[i].xml), &call, &note), ERR_CORRUPT,
                           table[i].words);
                assert_null(call.params);
        }
}

static void a_method_may_not_be_longer_than_its_room(void **state) {
        AUTO_FREE char *name = mem_zero(XMLRPC_METHOD_MAX + 2);

        (void)state;
        for (unsigned more = 0; more < 2; more++) {
                AUTO(buf_fini) struct buf xml = {0};
                AUTO(xmlrpc_call_fini) struct xmlrpc_call call = {0};
                struct err_note note = {0};

                memset(name, 'm', XMLRPC_METHOD_MAX + more);
                xmlrpc_add_call(&xml, name, NULL);
                assert_int_equal(xmlrpc_decode_call(span_of(buf_text(&xml)), &call, &note),
                                 more ? ERR_CORRUPT : ERR_NONE);
        }
}

static void an_answer_is_taken_out_of_its_envelope(void **state) {
        AUTO(json_decref)
        json_t *value = json_pack("{s:[s,b,n,f]}", "a", "b", 1, 0.5),
               *error = json_pack("[s,s]", "UUID_INVALID", "VM");
        AUTO(buf_fini) struct buf success = {0}, failure = {0}, bare = {0}, fault = {0};
        struct xmlrpc_reply replies[4] = {0};
        struct err_note note = {0};

        (void)state;
        xmlrpc_add_success(&success, value, NULL);
        assert_ok(xmlrpc_decode_reply(span_of(buf_text(&success)), &replies[0], &note));
        assert_true(json_equal(replies[0].value, value) && !replies[0].error);
        xmlrpc_add_failure(&failure, error);
        assert_ok(xmlrpc_decode_reply(span_of(buf_text(&failure)), &replies[1], &note));
        assert_true(json_equal(replies[1].error, error) && !replies[1].value);
        xmlrpc_add_bare(&bare, value, NULL);
        assert_ok(xmlrpc_decode_reply(span_of(buf_text(&bare)), &replies[2], &note));
        assert_true(json_equal(replies[2].value, value));
        xmlrpc_add_fault(&fault, -32, "a <fault>");
        assert_ok(xmlrpc_decode_reply(span_of(buf_text(&fault)), &replies[3], &note));
        assert_string_equal(json_string_value(json_array_get(replies[3].error, 1)), "-32");
        assert_string_equal(json_string_value(json_array_get(replies[3].error, 2)), "a <fault>");
        for (unsigned i = 0; i < 4; i++)
                xmlrpc_reply_fini(&replies[i]);
}

#define REPLY(xml) "<methodResponse>" xml "</methodResponse>"
#define STATUS(status)                                                                                       \
        REPLY("<params><param><value><struct><member><name>Status</name><value>" status                      \
              "</value></member></struct></value></param></params>")

static void what_is_no_answer_is_refused(void **state) {
        static const struct {
                const char *xml, *words;
        } table[] = {
                {REPLY(""), "a response without a value"},
                {REPLY("<params/>"), "a response has one value"},
                {REPLY("<fault/>"), "a response without a value"},
                {REPLY("<params><param><value/></param><param><value/></param></params>"),
                 "a response has one value"},
                {REPLY("<params><param><value/></param></params><fault><value/></fault>"), "one too many"},
                {STATUS("Success"), "a success without a value"},
                {STATUS("Failure"), "a failure without a description"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct xmlrpc_reply reply = {0};
                struct err_note note = {0};

                assert_err(xmlrpc_decode_reply(span_of(table[i].xml), &reply, &note), ERR_CORRUPT,
                           table[i].words);
                assert_true(!reply.value && !reply.error);
        }
}

static void what_is_written_is_read_again(void **state) {
        AUTO(json_decref)
        json_t *value = NULL, *params = json_pack("[s, b, f, [], {}, n, {s:{s:s}}]", "a\r\n\t&<>\"\xc3\xbc ",
                                                  0, 0.1, "other_config", "k", "");
        AUTO(buf_fini) struct buf xml = {0};
        struct err_note note = {0};

        (void)state;
        xmlrpc_add_value(&xml, params, NULL);
        assert_ok(xmlrpc_decode_value((struct span){xml.data, xml.n}, &value, &note));
        assert_true(json_equal(params, value));
}

static void text_is_taken_for_what_its_type_wants(void **state) {
        static const struct {
                const char *from;
                enum xapi_type type;
                const char *to;
        } table[] = {
                {"\"12\"", XAPI_INT, "12"},
                {"\"x\"", XAPI_INT, "\"x\""},
                {"12", XAPI_INT, "12"},
                {"\"12\"", XAPI_STRING, "\"12\""},
                {"\"0.5\"", XAPI_FLOAT, "0.5"},
                {"1", XAPI_FLOAT, "1.0"},
                {"\"true\"", XAPI_BOOL, "true"},
                {"false", XAPI_BOOL, "false"},
                {"[\"1\",2]", XAPI_INTS, "[1,2]"},
                {"\"1\"", XAPI_INTS, "\"1\""},
                {"{\"a\":\"1\"}", XAPI_INT_MAP, "{\"a\":1}"},
                {"{\"a\":\"1\"}", XAPI_MAP, "{\"a\":\"1\"}"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(json_decref)
                json_t *from = json_loads(table[i].from, JSON_DECODE_ANY, NULL),
                       *to = json_loads(table[i].to, JSON_DECODE_ANY, NULL),
                       *got = xmlrpc_typed(from, table[i].type);

                if (!json_equal(got, to))
                        fail_msg("%s", table[i].from);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_type_is_read),
                cmocka_unit_test(what_is_no_value_is_refused_with_a_reason),
                cmocka_unit_test(a_document_type_is_refused_before_its_entities),
                cmocka_unit_test(values_may_be_so_deep_and_no_deeper),
                cmocka_unit_test(many_open_tags_end_at_the_limit),
                cmocka_unit_test(a_call_is_read),
                cmocka_unit_test(what_is_no_call_is_refused),
                cmocka_unit_test(a_method_may_not_be_longer_than_its_room),
                cmocka_unit_test(an_answer_is_taken_out_of_its_envelope),
                cmocka_unit_test(what_is_no_answer_is_refused),
                cmocka_unit_test(what_is_written_is_read_again),
                cmocka_unit_test(text_is_taken_for_what_its_type_wants),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
