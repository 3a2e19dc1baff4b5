// SPDX-License-Identifier: Apache-2.0
#include "xapi_class.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "text.h"
#include "xapi_classes.h"

#define EPOCH "19700101T00:00:00Z"

const struct xapi_class xapi_classes[XAPI_N_CLASSES] = {
        [XAPI_SESSION] = {"session", xapi_session_fields},
        [XAPI_POOL] = {"pool", xapi_pool_fields},
        [XAPI_HOST] = {"host", xapi_host_fields},
        [XAPI_HOST_METRICS] = {"host_metrics", xapi_host_metrics_fields},
        [XAPI_SR] = {"SR", xapi_sr_fields},
        [XAPI_PBD] = {"PBD", xapi_pbd_fields},
        [XAPI_SM] = {"SM", xapi_sm_fields},
        [XAPI_VDI] = {"VDI", xapi_vdi_fields},
        [XAPI_VBD] = {"VBD", xapi_vbd_fields},
        [XAPI_VM] = {"VM", xapi_vm_fields},
        [XAPI_VM_METRICS] = {"VM_metrics", xapi_vm_metrics_fields},
        [XAPI_VM_GUEST_METRICS] = {"VM_guest_metrics", xapi_vm_guest_metrics_fields},
        [XAPI_VIF] = {"VIF", xapi_vif_fields},
        [XAPI_NETWORK] = {"network", xapi_network_fields},
        [XAPI_PIF] = {"PIF", xapi_pif_fields},
        [XAPI_TASK] = {"task", xapi_task_fields},
        [XAPI_MESSAGE] = {"message", xapi_message_fields},
};

enum xapi_class_id xapi_class_find(const char *name) {
        for (unsigned i = 0; i < XAPI_N_CLASSES; i++)
                if (strcasecmp(xapi_classes[i].name, name) == 0)
                        return (enum xapi_class_id)i;
        return XAPI_N_CLASSES;
}

const struct xapi_field *xapi_field_find(enum xapi_class_id class, const char *name) {
        for (const struct xapi_field *field = xapi_classes[class].fields; field->name; field++)
                if (strcmp(field->name, name) == 0)
                        return field;
        return NULL;
}

/* ---- defaults ---- */

static json_t *first_choice(const struct xapi_field *field) {
        return json_stringn(field->of, strcspn(field->of, "|"));
}

static json_t *default_text(const struct xapi_field *field) {
        if (field->fallback)
                return json_string(field->fallback);
        if (field->type == XAPI_ENUM)
                return first_choice(field);
        if (field->type == XAPI_REF)
                return json_string(XAPI_NULL_REF);
        return json_string(field->type == XAPI_TIME ? EPOCH : "");
}

static json_t *default_set(const struct xapi_field *field) {
        json_t *set = json_array();

        if (field->fallback && field->type == XAPI_INTS)
                (void)json_array_append_new(set, json_integer(strtoll(field->fallback, NULL, 10)));
        return set;
}

json_t *xapi_field_default(const struct xapi_field *field) {
        const char *fallback = field->fallback;

        switch (field->type) {
        case XAPI_INT:
                return json_integer(fallback ? strtoll(fallback, NULL, 10) : 0);
        case XAPI_FLOAT:
                return json_real(fallback ? strtod(fallback, NULL) : 0);
        case XAPI_BOOL:
                return json_boolean(fallback && strcmp(fallback, "true") == 0);
        case XAPI_STRINGS:
        case XAPI_ENUMS:
        case XAPI_REFS:
        case XAPI_INTS:
                return default_set(field);
        case XAPI_MAP:
        case XAPI_ENUM_MAP:
        case XAPI_CHOICE_MAP:
        case XAPI_REF_MAP:
        case XAPI_INT_MAP:
                return json_object();
        case XAPI_STRING:
        case XAPI_TIME:
        case XAPI_ENUM:
        case XAPI_REF:
                break;
        }
        return default_text(field);
}

json_t *xapi_record_new(enum xapi_class_id class, const struct uuid *uuid) {
        json_t *record = json_object();

        for (const struct xapi_field *field = xapi_classes[class].fields; field->name; field++)
                (void)json_object_set_new(record, field->name, xapi_field_default(field));
        (void)json_object_set_new(record, "uuid", json_string(uuid_format(uuid).s));
        return record;
}

/* ---- checks of what clients send ---- */

static bool is_choice(const char *choices, const char *text) {
        size_t n = strlen(text);

        for (const char *at = choices; n; at++) {
                size_t n_choice = strcspn(at, "|");

                if (n_choice == n && memcmp(at, text, n) == 0)
                        return true;
                at += n_choice;
                if (!*at)
                        break;
        }
        return false;
}

/* Clients send no text, too, where they mean nothing. */
static bool is_ref(const char *text) {
        struct uuid unused;

        return !*text || strcmp(text, XAPI_NULL_REF) == 0 || xapi_ref_parse(text, &unused);
}

static enum err complain(struct err_note *note, const struct xapi_field *field, const char *right,
                         const char *of) {
        return err_set(note, ERR_INVALID, "%s: %s%s%s is wanted", field->name, right, of ? " " : "",
                       of ? of : "");
}

static enum err check_text(const struct xapi_field *field, const json_t *value, struct err_note *note) {
        const char *text = json_string_value(value);
        int64_t unused;

        if (!text)
                return complain(note, field, "text", NULL);
        if (field->type == XAPI_TIME && !xapi_time_parse(text, &unused))
                return complain(note, field, "a time like", "20250319T04:16:24Z");
        return ERR_NONE;
}

static enum err check_choice(const struct xapi_field *field, const char *text, struct err_note *note) {
        if (!text || !is_choice(field->of, text))
                return complain(note, field, "one of", field->of);
        return ERR_NONE;
}

static enum err check_ref(const struct xapi_field *field, const json_t *value, struct err_note *note) {
        if (!json_is_string(value) || !is_ref(json_string_value(value)))
                return complain(note, field, "a reference of class", field->of);
        return ERR_NONE;
}

static enum err check_one(const struct xapi_field *field, const json_t *value, struct err_note *note) {
        switch (field->type) {
        case XAPI_ENUM:
        case XAPI_ENUMS:
        case XAPI_ENUM_MAP:
                return check_choice(field, json_string_value(value), note);
        case XAPI_REF:
        case XAPI_REFS:
        case XAPI_REF_MAP:
                return check_ref(field, value, note);
        case XAPI_INT:
        case XAPI_INTS:
        case XAPI_INT_MAP:
                return json_is_integer(value) ? ERR_NONE : complain(note, field, "an integer", NULL);
        case XAPI_FLOAT:
                return json_is_number(value) ? ERR_NONE : complain(note, field, "a number", NULL);
        case XAPI_BOOL:
                return json_is_boolean(value) ? ERR_NONE : complain(note, field, "true or false", NULL);
        case XAPI_STRING:
        case XAPI_TIME:
        case XAPI_STRINGS:
        case XAPI_MAP:
        case XAPI_CHOICE_MAP:
                break;
        }
        return check_text(field, value, note);
}

static enum err check_set(const struct xapi_field *field, const json_t *set, struct err_note *note) {
        size_t i;
        json_t *each;

        if (!json_is_array(set))
                return complain(note, field, "a set", NULL);
        json_array_foreach(set, i, each) {
                if (check_one(field, each, note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err check_map(const struct xapi_field *field, const json_t *map, struct err_note *note) {
        /* The macros of jansson want it writable, and only read. */
        json_t *object = (json_t *)(uintptr_t)map;
        const char *key;
        json_t *each;

        if (!json_is_object(map))
                return complain(note, field, "a map", NULL);
        json_object_foreach(object, key, each) {
                if (field->type == XAPI_CHOICE_MAP && check_choice(field, key, note))
                        return note->code;
                if (check_one(field, each, note))
                        return note->code;
        }
        return ERR_NONE;
}

enum err xapi_value_check(const struct xapi_field *field, const json_t *value, struct err_note *note) {
        switch (field->type) {
        case XAPI_STRINGS:
        case XAPI_ENUMS:
        case XAPI_REFS:
        case XAPI_INTS:
                return check_set(field, value, note);
        case XAPI_MAP:
        case XAPI_ENUM_MAP:
        case XAPI_CHOICE_MAP:
        case XAPI_REF_MAP:
        case XAPI_INT_MAP:
                return check_map(field, value, note);
        case XAPI_STRING:
        case XAPI_INT:
        case XAPI_FLOAT:
        case XAPI_BOOL:
        case XAPI_TIME:
        case XAPI_ENUM:
        case XAPI_REF:
                break;
        }
        return check_one(field, value, note);
}

/* ---- times ---- */

/* The first second of the year 1, and the last of the year 9999. */
#define TIME_MIN (-62135596800)
#define TIME_MAX 253402300799

struct xapi_time xapi_time_of(int64_t unix_seconds) {
        int64_t within = unix_seconds < TIME_MIN   ? TIME_MIN
                         : unix_seconds > TIME_MAX ? TIME_MAX
                                                   : unix_seconds;
        struct text text = text_time(within); /* 2025-03-19T04:16:24Z */
        struct xapi_time ret = {{0}};
        size_t n = 0;

        /* Years of fewer than four digits come without their zeros. */
        for (size_t i = strcspn(text.s, "-"); i < 4; i++)
                ret.s[n++] = '0';
        for (size_t i = 0; text.s[i] && n < sizeof ret.s - 1; i++)
                if (text.s[i] != '-')
                        ret.s[n++] = text.s[i];
        return ret;
}

/* 9 stands for a digit. */
static bool has_shape(const char *text, const char *shape) {
        for (; *shape && *text; shape++, text++)
                if (*shape == '9' ? !isdigit((unsigned char)*text) : *shape != *text)
                        return false;
        return !*shape && !*text;
}

static int64_t number(const char *text, size_t n) {
        int64_t value = 0;

        for (size_t i = 0; i < n; i++)
                value = value * 10 + (text[i] - '0');
        return value;
}

/* Days since 1970 of the proleptic Gregorian calendar.  Years begin in March here, so that the leap day is a
 * year's last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
        int64_t since_march = month > 2 ? month - 3 : month + 9;

        if (month <= 2)
                year--;
        return year * 365 + year / 4 - year / 100 + year / 400 + (153 * since_march + 2) / 5 + day - 1 -
               719468;
}

bool xapi_time_parse(const char *text, int64_t *ret) {
        int64_t month, day, hour, minute, second;

        if (!has_shape(text, "99999999T99:99:99Z") && !has_shape(text, "99999999T99:99:99"))
                return false;
        month = number(text + 4, 2);
        day = number(text + 6, 2);
        hour = number(text + 9, 2);
        minute = number(text + 12, 2);
        second = number(text + 15, 2);
        if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
                return false;
        *ret = days_of(number(text, 4), month, day) * 86400 + hour * 3600 + minute * 60 + second;
        return true;
}

/* ---- references ---- */

struct xapi_ref xapi_ref_of(const struct uuid *uuid) {
        struct xapi_ref ref = {XAPI_NULL_REF};

        if (!uuid_is_null(uuid)) {
                memcpy(ref.s, XAPI_REF_PREFIX, sizeof XAPI_REF_PREFIX - 1);
                memcpy(ref.s + sizeof XAPI_REF_PREFIX - 1, uuid_format(uuid).s, UUID_TEXT_SIZE);
        }
        return ref;
}

bool xapi_ref_parse(const char *text, struct uuid *ret) {
        size_t n = sizeof XAPI_REF_PREFIX - 1;

        return strncmp(text, XAPI_REF_PREFIX, n) == 0 && uuid_parse(text + n, ret) && !uuid_is_null(ret);
}
