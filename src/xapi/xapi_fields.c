// SPDX-License-Identifier: Apache-2.0
#include "xapi_fields.h"

#include <string.h>

#include "text.h"
#include "xapi_check.h"
#include "xapi_error.h"
#include "xapi_inside.h"
#include "xapi_records.h"
#include "xapi_where.h"

/* ---- of a class ------------------------------------------------------------------------------ */

static bool give_all(struct xapi_call *call) {
        AUTO(json_decref) json_t *all = objects_all(xapi_host(call)->objects, call->class);
        json_t *refs = json_array();
        json_t *record;
        const char *ref;

        json_object_foreach(all, ref, record) json_array_append_new(refs, json_string(ref));
        return xapi_give(call, refs);
}

static bool give_all_records(struct xapi_call *call) {
        return xapi_give(call, objects_all(xapi_host(call)->objects, call->class));
}

static bool give_where(struct xapi_call *call) {
        AUTO(json_decref) json_t *all = NULL;
        AUTO(xapi_where_free) struct xapi_where *where = NULL;
        json_t *chosen, *record;
        struct err_note note;
        const char *ref;

        if (xapi_where_parse(xapi_arg_text(call, 0), &where, &note))
                return xapi_fail_value(call, "expr", xapi_arg_text(call, 0), note.text);
        all = objects_all(xapi_host(call)->objects, call->class);
        chosen = json_object();
        json_object_foreach(all, ref, record) if (xapi_where_matches(where, record))
                json_object_set(chosen, ref, record);
        return xapi_give(call, chosen);
}

static bool give_by_uuid(struct xapi_call *call) {
        AUTO(json_decref) json_t *record = NULL;
        const char *text = xapi_arg_text(call, 0);
        struct uuid uuid;

        if (uuid_parse(text, &uuid))
                record = objects_get(xapi_host(call)->objects, call->class, &uuid);
        if (!record)
                return xapi_fail(call, "UUID_INVALID", xapi_classes[call->class].name, text, NULL);
        return xapi_give_ref(call, &uuid);
}

static bool give_by_name(struct xapi_call *call) {
        AUTO(json_decref) json_t *all = objects_all(xapi_host(call)->objects, call->class);
        json_t *refs = json_array();
        json_t *record;
        const char *ref;

        json_object_foreach(all, ref,
                            record) if (strcmp(json_string_value(json_object_get(record, "name_label")),
                                               xapi_arg_text(call, 0)) == 0)
                json_array_append_new(refs, json_string(ref));
        return xapi_give(call, refs);
}

/* ---- of an object ---------------------------------------------------------------------------- */

json_t *xapi_fields_record(struct xapi_call *call, enum xapi_class_id class, const struct uuid *uuid) {
        json_t *record = objects_get(xapi_host(call)->objects, class, uuid);

        if (!record)
                (void)xapi_fail_handle(call, xapi_classes[class].name, xapi_ref_of(uuid).s);
        return record;
}

static bool find_self(struct xapi_call *call, struct uuid *ret) {
        return xapi_check_ref(call, xapi_classes[call->class].name, xapi_arg_text(call, 0), ret);
}

static bool give_record(struct xapi_call *call) {
        struct uuid uuid;
        json_t *record;

        if (!find_self(call, &uuid))
                return false;
        record = xapi_fields_record(call, call->class, &uuid);
        return record && xapi_give(call, record);
}

static bool give_field(struct xapi_call *call) {
        AUTO(json_decref) json_t *record = NULL;
        struct uuid uuid;

        if (!find_self(call, &uuid))
                return false;
        record = xapi_fields_record(call, call->class, &uuid);
        if (!record)
                return false;
        call->shape = (struct xapi_shape){.kind = XAPI_SHAPE_VALUE, .type = call->field->type};
        return xapi_give(call, json_incref(json_object_get(record, call->field->name)));
}

/* ---- changes --------------------------------------------------------------------------------- */

/* What follows from the disk's own file; whoever sets the rest must not take it away, not even for a
 * moment. */
static void keep_derived(const json_t *old, json_t *value) {
        json_t *each;
        const char *key;
        void *next;

        json_object_foreach_safe(value, next, key, each) if (xapi_is_derived_sm_config(key))
                json_object_del(value, key);
        json_object_foreach((json_t *)old, key, each) if (xapi_is_derived_sm_config(key))
                json_object_set(value, key, each);
}

/* Makes the new value of the old one; NULL: the call's error is set. */
typedef json_t *(*edit_fn)(struct xapi_call *, const struct uuid *, const json_t *old);

static json_t *edited(struct xapi_call *call, struct objects_change *change, const struct uuid *uuid,
                      edit_fn edit) {
        AUTO(json_decref) json_t *record = objects_change_get(change, call->class, uuid);
        const json_t *old = json_object_get(record, call->field->name);
        json_t *value = old ? edit(call, uuid, old) : NULL;

        if (!old)
                (void)xapi_fail_handle(call, xapi_classes[call->class].name, xapi_ref_of(uuid).s);
        if (value && call->class == XAPI_VDI && strcmp(call->field->name, "sm_config") == 0)
                keep_derived(old, value);
        return value;
}

/* Tags of a disk are its folder's to remember: its catalog first, then what everybody sees. */
static bool set_tags_of_vdi(struct xapi_call *call, const struct uuid *uuid, json_t *tags) {
        AUTO(json_decref) json_t *value = tags;

        return xapi_vdi_set(call, uuid,
                            json_array_size(value) ? json_pack("{s:O}", "tag", value)
                                                   : json_pack("{s:b}", "no-tags", 1));
}

static bool commit(struct xapi_call *call, struct objects_change *change, const struct uuid *uuid) {
        struct err_note note;

        if (objects_commit(change, NULL, &note))
                return xapi_fail_of(call, &note, call->class, uuid, call->name);
        return xapi_give_nothing(call);
}

static bool change_field(struct xapi_call *call, edit_fn edit) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        struct uuid uuid;
        json_t *value;

        if (!find_self(call, &uuid))
                return false;
        objects_begin(xapi_host(call)->objects, &change);
        value = edited(call, change, &uuid, edit);
        if (!value)
                return false;
        if (call->class == XAPI_VDI && strcmp(call->field->name, "tags") == 0) {
                objects_abort(TAKE(change));
                return set_tags_of_vdi(call, &uuid, value);
        }
        if (!objects_set(change, call->class, &uuid, call->field->name, value))
                return xapi_fail_handle(call, xapi_classes[call->class].name, xapi_ref_of(&uuid).s);
        return commit(call, TAKE(change), &uuid);
}

static json_t *checked(struct xapi_call *call, json_t *made) {
        json_t *value = xapi_check_value(call->field, made);

        json_decref(made);
        if (!value)
                (void)xapi_fail_type(call, call->field->name);
        return value;
}

static json_t *edit_whole(struct xapi_call *call, const struct uuid *uuid, const json_t *old) {
        (void)uuid;
        (void)old;
        return checked(call, json_deep_copy(xapi_arg(call, 1)));
}

static bool set_field(struct xapi_call *call) {
        return change_field(call, edit_whole);
}

static json_t *edit_add_to(struct xapi_call *call, const struct uuid *uuid, const json_t *old) {
        const char *key = xapi_arg_text(call, 1);
        json_t *map;

        if (json_object_get(old, key)) {
                (void)xapi_fail(call, "MAP_DUPLICATE_KEY", xapi_classes[call->class].name, call->field->name,
                                xapi_ref_of(uuid).s, key, NULL);
                return NULL;
        }
        map = json_deep_copy(old);
        json_object_set_new(map, key, json_deep_copy(xapi_arg(call, 2)));
        return checked(call, map);
}

static bool add_to_field(struct xapi_call *call) {
        return change_field(call, edit_add_to);
}

/* Of a key that is not there nothing is left to do. */
static json_t *edit_remove_from(struct xapi_call *call, const struct uuid *uuid, const json_t *old) {
        json_t *map = json_deep_copy(old);

        (void)uuid;
        json_object_del(map, xapi_arg_text(call, 1));
        return map;
}

static bool remove_from_field(struct xapi_call *call) {
        return change_field(call, edit_remove_from);
}

static json_t *without(const json_t *old, const json_t *value) {
        json_t *set = json_array();
        json_t *each;
        size_t i;

        json_array_foreach((json_t *)old, i, each) if (!json_equal(each, value)) json_array_append(set, each);
        return set;
}

static json_t *edit_add(struct xapi_call *call, const struct uuid *uuid, const json_t *old) {
        json_t *set = without(old, xapi_arg(call, 1));

        (void)uuid;
        json_array_append_new(set, json_deep_copy(xapi_arg(call, 1)));
        return checked(call, set);
}

static bool add_value(struct xapi_call *call) {
        return change_field(call, edit_add);
}

static json_t *edit_remove(struct xapi_call *call, const struct uuid *uuid, const json_t *old) {
        (void)uuid;
        return without(old, xapi_arg(call, 1));
}

static bool remove_value(struct xapi_call *call) {
        return change_field(call, edit_remove);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct xapi_param no_params[] = {{{0}, 0}};
static const struct xapi_param text_param[] = {XAPI_TEXT_PARAM("value"), {{0}, 0}};
static const struct xapi_param any_params[] = {
        XAPI_TEXT_PARAM("self"), {.field = {.name = "value"}, .flags = XAPI_ANY}, {{0}, 0}};
static const struct xapi_param key_params[] = {XAPI_TEXT_PARAM("self"), XAPI_TEXT_PARAM("key"), {{0}, 0}};
static const struct xapi_param pair_params[] = {XAPI_TEXT_PARAM("self"),
                                                XAPI_TEXT_PARAM("key"),
                                                {.field = {.name = "value"}, .flags = XAPI_ANY},
                                                {{0}, 0}};

enum applies {
        TO_CLASS,
        TO_LISTED_CLASS,
        TO_NAMED_CLASS,
        TO_FIELD,
        TO_WRITABLE,
        TO_WRITABLE_MAP,
        TO_WRITABLE_SET
};

struct implicit {
        const char *start; /* borrowed, static; the verb, or what stands before the field's name */
        enum applies applies;
        struct xapi_method method;
};

#define IMPLICIT(its_start, its_applies, its_params, its_kind, its_type, its_role, its_flags, its_run)       \
        {                                                                                                    \
                its_start, its_applies, {                                                                    \
                        .name = its_start, .params = its_params, .result.kind = its_kind,                    \
                        .result.type = its_type, .role = its_role, .flags = (its_flags) | XAPI_NOW,          \
                        .run = its_run,                                                                      \
                }                                                                                            \
        }

/* Whole names before those that begin likewise; setters may end in the SR's catalog, and wait for its turn.
 * */
static const struct implicit implicits[] = {
        IMPLICIT("get_record", TO_CLASS, text_param, XAPI_SHAPE_RECORD, 0, ROLE_READ_ONLY, 0, give_record),
        IMPLICIT("get_all_records_where", TO_LISTED_CLASS, text_param, XAPI_SHAPE_RECORDS, 0, ROLE_READ_ONLY,
                 0, give_where),
        IMPLICIT("get_all_records", TO_LISTED_CLASS, no_params, XAPI_SHAPE_RECORDS, 0, ROLE_READ_ONLY, 0,
                 give_all_records),
        IMPLICIT("get_all", TO_LISTED_CLASS, no_params, XAPI_SHAPE_VALUE, XAPI_REFS, ROLE_READ_ONLY, 0,
                 give_all),
        IMPLICIT("get_by_uuid", TO_CLASS, text_param, XAPI_SHAPE_VALUE, XAPI_REF, ROLE_READ_ONLY, 0,
                 give_by_uuid),
        IMPLICIT("get_by_name_label", TO_NAMED_CLASS, text_param, XAPI_SHAPE_VALUE, XAPI_REFS, ROLE_READ_ONLY,
                 0, give_by_name),
        IMPLICIT("get_", TO_FIELD, text_param, XAPI_SHAPE_PLAIN, 0, ROLE_READ_ONLY, 0, give_field),
        IMPLICIT("set_", TO_WRITABLE, any_params, XAPI_SHAPE_VOID, 0, ROLE_OPERATOR, XAPI_SLOW, set_field),
        IMPLICIT("add_to_", TO_WRITABLE_MAP, pair_params, XAPI_SHAPE_VOID, 0, ROLE_OPERATOR, 0, add_to_field),
        IMPLICIT("remove_from_", TO_WRITABLE_MAP, key_params, XAPI_SHAPE_VOID, 0, ROLE_OPERATOR, 0,
                 remove_from_field),
        IMPLICIT("add_", TO_WRITABLE_SET, any_params, XAPI_SHAPE_VOID, 0, ROLE_OPERATOR, XAPI_SLOW,
                 add_value),
        IMPLICIT("remove_", TO_WRITABLE_SET, any_params, XAPI_SHAPE_VOID, 0, ROLE_OPERATOR, XAPI_SLOW,
                 remove_value),
};

enum { N_IMPLICITS = sizeof implicits / sizeof *implicits };

static bool is_set(enum xapi_type type) {
        return type == XAPI_STRINGS || type == XAPI_ENUMS || type == XAPI_REFS || type == XAPI_INTS;
}

static bool is_map(enum xapi_type type) {
        return type == XAPI_MAP || type == XAPI_ENUM_MAP || type == XAPI_CHOICE_MAP || type == XAPI_REF_MAP ||
               type == XAPI_INT_MAP;
}

static bool applies_to_class(const struct implicit *implicit, enum xapi_class_id class) {
        switch (implicit->applies) {
        case TO_CLASS:
                return true;
        case TO_LISTED_CLASS:
                return class != XAPI_SESSION;
        case TO_NAMED_CLASS:
                return xapi_field_find(class, "name_label") != NULL;
        case TO_FIELD:
        case TO_WRITABLE:
        case TO_WRITABLE_MAP:
        case TO_WRITABLE_SET:
                break;
        }
        return false;
}

static bool applies_to_field(const struct implicit *implicit, const struct xapi_field *field) {
        bool is_writable = field->access == XAPI_WRITABLE;

        switch (implicit->applies) {
        case TO_FIELD:
                return true;
        case TO_WRITABLE:
                return is_writable;
        case TO_WRITABLE_MAP:
                return is_writable && is_map(field->type);
        case TO_WRITABLE_SET:
                return is_writable && is_set(field->type);
        case TO_CLASS:
        case TO_LISTED_CLASS:
        case TO_NAMED_CLASS:
                break;
        }
        return false;
}

const struct xapi_method *xapi_fields_find(enum xapi_class_id class, const char *verb,
                                           const struct xapi_field **ret_field) {
        for (unsigned i = 0; i < N_IMPLICITS; i++) {
                const struct implicit *implicit = &implicits[i];
                const struct xapi_field *field;

                *ret_field = NULL;
                if (strcmp(verb, implicit->start) == 0 && applies_to_class(implicit, class))
                        return &implicit->method;
                if (implicit->applies < TO_FIELD || !text_starts_with(verb, implicit->start))
                        continue;
                field = xapi_field_find(class, verb + strlen(implicit->start));
                *ret_field = field;
                if (field && applies_to_field(implicit, field))
                        return &implicit->method;
        }
        return NULL;
}

static void tell_fields(const struct implicit *implicit, enum xapi_class_id class,
                        void (*tell)(void *user, const char *name), void *user) {
        for (const struct xapi_field *field = xapi_classes[class].fields; field->name; field++) {
                AUTO_FREE char *name =
                        mem_format("%s.%s%s", xapi_classes[class].name, implicit->start, field->name);

                if (applies_to_field(implicit, field))
                        tell(user, name);
        }
}

void xapi_fields_each(enum xapi_class_id class, void (*tell)(void *user, const char *name), void *user) {
        for (unsigned i = 0; i < N_IMPLICITS; i++) {
                AUTO_FREE char *name = mem_format("%s.%s", xapi_classes[class].name, implicits[i].start);

                if (applies_to_class(&implicits[i], class))
                        tell(user, name);
                tell_fields(&implicits[i], class, tell, user);
        }
}

bool xapi_fields_set(struct xapi_call *call, enum xapi_class_id class, const struct uuid *uuid,
                     const char *name, json_t *value) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        struct err_note note;

        objects_begin(xapi_host(call)->objects, &change);
        if (!objects_set(change, class, uuid, name, value))
                return xapi_fail_handle(call, xapi_classes[class].name, xapi_ref_of(uuid).s);
        if (objects_commit(TAKE(change), NULL, &note))
                return xapi_fail_of(call, &note, class, uuid, call->name);
        return xapi_give_nothing(call);
}
