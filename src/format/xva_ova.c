// SPDX-License-Identifier: Apache-2.0
#include "xva_ova.h"

#include <string.h>

#include "xmlrpc.h"

DEFINE_AUTO(json_t *, json_decref);

void xva_ova_fini(struct xva_ova *ova) {
        json_decref(ova->version);
        json_decref(ova->objects);
        *ova = (struct xva_ova){0};
}

json_t *xva_version_new(const char *hostname, const char *date, const char *product_brand,
                        const char *product_version, int xapi_major, int xapi_minor) {
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i}", "hostname", hostname, "date", date,
                         "product_version", product_version, "product_brand", product_brand, "build_number",
                         "0", "xapi_major", xapi_major, "xapi_minor", xapi_minor, "export_vsn",
                         XVA_EXPORT_VERSION);
}

bool xva_ova_has_checksums(const struct xva_ova *ova) {
        AUTO(json_decref)
        json_t *number = xmlrpc_typed(json_object_get(ova->version, "export_vsn"), XAPI_INT);

        return json_integer_value(number) > 0;
}

void xva_ova_encode(const struct xva_ova *ova, xva_fields_of fields_of, struct buf *ret) {
        const struct xmlrpc_member of_object[] = {
                {"snapshot", {.form = XMLRPC_RECORD, .fields_of = fields_of}}, {0}};
        const struct xmlrpc_shape object = {.form = XMLRPC_STRUCT, .members = of_object};
        const struct xmlrpc_member of_all[] = {{"objects", {.form = XMLRPC_EACH, .each = &object}}, {0}};
        const struct xmlrpc_shape all = {.form = XMLRPC_STRUCT, .members = of_all};
        AUTO(json_decref) json_t *value = json_object();

        json_object_set(value, "version", ova->version);
        json_object_set(value, "objects", ova->objects);
        xmlrpc_add_value(ret, value, &all);
}

/* Integers of old hosts' versions and of records come as text. */
static void type_record(json_t *record, const struct xapi_field *fields) {
        for (const struct xapi_field *field = fields; field && field->name; field++) {
                json_t *value = json_object_get(record, field->name);

                if (value)
                        json_object_set_new(record, field->name, xmlrpc_typed(value, field->type));
        }
}

static enum err check_object(json_t *object, size_t i, xva_fields_of fields_of, struct err_note *note) {
        json_t *snapshot = json_object_get(object, "snapshot");

        if (!json_is_string(json_object_get(object, "class")) ||
            !json_is_string(json_object_get(object, "id")))
                return err_set(note, ERR_CORRUPT, "ova.xml: object %zu has no class and id", i);
        if (!json_is_object(snapshot))
                return err_set(note, ERR_CORRUPT, "ova.xml: object %zu has no record", i);
        type_record(snapshot, fields_of(object));
        return ERR_NONE;
}

enum err xva_ova_decode(struct span xml, xva_fields_of fields_of, struct xva_ova *ret,
                        struct err_note *note) {
        AUTO(json_decref) json_t *value = NULL;
        json_t *version, *objects;

        if (xmlrpc_decode_value(xml, &value, note))
                return err_wrap(note, "ova.xml");
        version = json_object_get(value, "version");
        objects = json_object_get(value, "objects");
        if (!json_is_object(version) || !json_is_array(objects))
                return err_set(note, ERR_CORRUPT, "ova.xml: there is no version, or there are no objects");
        for (size_t i = 0; i < json_array_size(objects); i++)
                if (check_object(json_array_get(objects, i), i, fields_of, note))
                        return note->code;
        ret->version = json_incref(version);
        ret->objects = json_incref(objects);
        return ERR_NONE;
}
