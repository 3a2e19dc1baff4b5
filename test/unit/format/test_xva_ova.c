// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "xva_ova.h"

DEFINE_AUTO(json_t *, json_decref);

static const struct xapi_field fields_of_vm[] = {
        {.name = "uuid", .type = XAPI_STRING},        {.name = "snapshot_time", .type = XAPI_TIME},
        {.name = "VCPUs_max", .type = XAPI_INT},      {.name = "HVM_shadow_multiplier", .type = XAPI_FLOAT},
        {.name = "is_a_template", .type = XAPI_BOOL}, {0},
};

static const struct xapi_field *fields_of(const json_t *object) {
        return strcmp(json_string_value(json_object_get(object, "class")), "VM") == 0 ? fields_of_vm : NULL;
}

static struct span span_of(const char *text) {
        return (struct span){(const uint8_t *)text, strlen(text)};
}

#define AT(name, value) "<member><name>" name "</name><value>" value "</value></member>"
#define VALUE(xml)      "<value>" xml "</value>"
#define STRUCT(xml)     "<struct>" xml "</struct>"
#define ARRAY(xml)      "<array><data>" xml "</data></array>"

static void what_was_exported_is_imported(void **state) {
        AUTO(xva_ova_fini) struct xva_ova ova = {0}, again = {0};
        AUTO(buf_fini) struct buf xml = {0};
        struct err_note note = {0};

        (void)state;
        ova.version = xva_version_new("host", "2026-01-02", "Catena", "0.1.0", 2, 20);
        ova.objects =
                json_pack("[{s:s, s:s, s:{s:s, s:s, s:i, s:f, s:b}}, {s:s, s:s, s:{s:s}}]", "class", "VM",
                          "id", "Ref:0", "snapshot", "uuid", "u", "snapshot_time", "19700101T00:00:00Z",
                          "VCPUs_max", 2, "HVM_shadow_multiplier", 1.0, "is_a_template", 0, "class", "VTPM",
                          "id", "Ref:1", "snapshot", "contents", "12");
        xva_ova_encode(&ova, fields_of, &xml);
        assert_non_null(strstr(buf_text(&xml), "<dateTime.iso8601>19700101T00:00:00Z</dateTime.iso8601>"));
        assert_ok(xva_ova_decode((struct span){xml.data, xml.n}, fields_of, &again, &note));
        assert_true(json_equal(ova.objects, again.objects));
        assert_true(xva_ova_has_checksums(&again));
        assert_string_equal(json_string_value(json_object_get(again.version, "xapi_major")), "2");
}

static void an_archive_says_whether_it_has_checksums(void **state) {
        static const struct {
                const char *version;
                bool has;
        } table[] = {
                {STRUCT(""), false},
                {STRUCT(AT("export_vsn", "0")), false},
                {STRUCT(AT("export_vsn", "2")), true},
                {STRUCT(AT("export_vsn", "<i4>1</i4>")), true},
                {STRUCT(AT("export_vsn", "x")), false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(xva_ova_fini) struct xva_ova ova = {0};
                AUTO(buf_fini) struct buf xml = {0};
                struct err_note note = {0};

                buf_print(&xml, VALUE(STRUCT(AT("version", "%s") AT("objects", ARRAY("")))),
                          table[i].version);
                assert_ok(xva_ova_decode((struct span){xml.data, xml.n}, fields_of, &ova, &note));
                assert_int_equal(xva_ova_has_checksums(&ova), table[i].has);
        }
}

#define OVA(object) VALUE(STRUCT(AT("version", STRUCT("")) AT("objects", ARRAY(VALUE(object)))))

static void what_is_no_ova_xml_is_refused(void **state) {
        static const struct {
                const char *xml, *words;
        } table[] = {
                {"", "ova.xml: XML-RPC: line 1"},
                {"<appliance version='0.1'/>", "<appliance> is not of XML-RPC"},
                {VALUE("x"), "there is no version"},
                {VALUE(STRUCT(AT("version", STRUCT("")))), "there are no objects"},
                {VALUE(STRUCT(AT("version", "2") AT("objects", ARRAY("")))), "there is no version"},
                {OVA("x"), "object 0 has no class and id"},
                {OVA(STRUCT(AT("class", "VM"))), "object 0 has no class and id"},
                {OVA(STRUCT(AT("class", "VM") AT("id", "Ref:0"))), "object 0 has no record"},
                {OVA(STRUCT(AT("class", "VM") AT("id", "Ref:0") AT("snapshot", ARRAY("")))), "has no record"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct xva_ova ova = {0};
                struct err_note note = {0};

                assert_err(xva_ova_decode(span_of(table[i].xml), fields_of, &ova, &note), ERR_CORRUPT,
                           table[i].words);
                assert_true(!ova.version && !ova.objects);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_exported_is_imported),
                cmocka_unit_test(an_archive_says_whether_it_has_checksums),
                cmocka_unit_test(what_is_no_ova_xml_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
