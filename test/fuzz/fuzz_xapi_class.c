// SPDX-License-Identifier: Apache-2.0
/* What clients send for fields: a line of class, field and value as JSON.  A value that a field takes passes
 * again when it went through a record's text; a reference and a time that are read are written as they were.
 */
#include "fuzz.h"

#include <string.h>

#include "mem.h"
#include "xapi_class.h"

static void check_ref(const char *text) {
        struct uuid uuid, again;

        if (!xapi_ref_parse(text, &uuid))
                return;
        MUST_HOLD(xapi_ref_parse(xapi_ref_of(&uuid).s, &again) && uuid_equal(&uuid, &again));
        MUST_HOLD(strlen(xapi_ref_of(&uuid).s) == strlen(text));
}

static void check_time(const char *text) {
        int64_t seconds, again;

        if (!xapi_time_parse(text, &seconds))
                return;
        MUST_HOLD(strlen(text) >= 17);
        MUST_HOLD(xapi_time_parse(xapi_time_of(seconds).s, &again));
        MUST_HOLD(again == seconds || strncmp(text, "0000", 4) == 0 || strncmp(text, "99991231", 8) == 0);
}

static void check_value(const struct xapi_field *field, const char *text) {
        json_t *value = json_loads(text, JSON_DECODE_ANY, NULL), *again;
        struct err_note note = {0};
        char *dumped;

        if (!value)
                return;
        if (xapi_value_check(field, value, &note)) {
                MUST_HOLD(note.code == ERR_INVALID && strstr(note.text, field->name));
        } else {
                dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
                again = json_loads(dumped, JSON_DECODE_ANY, NULL);
                MUST_HOLD(!xapi_value_check(field, again, &note));
                free(dumped);
                json_decref(again);
        }
        json_decref(value);
}

/* Cuts the word that ends at a blank off. */
static char *cut(char **rest) {
        char *word = *rest, *blank = strchr(word, ' ');

        *rest = blank ? blank + 1 : word + strlen(word);
        if (blank)
                *blank = 0;
        return word;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AUTO_FREE char *text = mem_zero(size + 1);
        const struct xapi_field *field;
        enum xapi_class_id class;
        char *rest = text;

        if (size)
                memcpy(text, data, size);
        check_ref(text);
        check_time(text);
        class = xapi_class_find(cut(&rest));
        field = class == XAPI_N_CLASSES ? NULL : xapi_field_find(class, cut(&rest));
        if (field)
                check_value(field, rest);
        return 0;
}
