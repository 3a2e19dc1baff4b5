// SPDX-License-Identifier: Apache-2.0
/* ova.xml: what is read is written as a document that says the same. */
#include "fuzz.h"

#include <string.h>

#include "xva_ova.h"

static const struct xapi_field fields[] = {
        {.name = "uuid", .type = XAPI_STRING},      {.name = "snapshot_time", .type = XAPI_TIME},
        {.name = "virtual_size", .type = XAPI_INT}, {.name = "progress", .type = XAPI_FLOAT},
        {.name = "managed", .type = XAPI_BOOL},     {0},
};

static const struct xapi_field *fields_of(const json_t *object) {
        return strcmp(json_string_value(json_object_get(object, "class")), "VDI") == 0 ? fields : NULL;
}

static bool is_time(const json_t *value) {
        size_t n = json_string_length(value);

        return n == strlen("20250319T04:16:24Z") && json_string_value(value)[n - 1] == 'Z';
}

/* What a client gave for a time in a record need not be one; such a record would not be read again. */
static bool has_odd_times(const json_t *objects) {
        for (size_t i = 0; i < json_array_size(objects); i++) {
                json_t *record = json_object_get(json_array_get(objects, i), "snapshot"),
                       *time = json_object_get(record, "snapshot_time");

                if (json_is_string(time) && !is_time(time))
                        return true;
        }
        return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        AUTO(xva_ova_fini) struct xva_ova ova = {0}, again = {0};
        AUTO(buf_fini) struct buf once = {0}, twice = {0};
        struct err_note note = {0};

        if (xva_ova_decode((struct span){data, n}, fields_of, &ova, &note)) {
                MUST_HOLD(note.code == ERR_CORRUPT && note.text[0] && !ova.version && !ova.objects);
                return 0;
        }
        xva_ova_encode(&ova, fields_of, &once);
        if (xva_ova_decode((struct span){once.data, once.n}, fields_of, &again, &note)) {
                MUST_HOLD(has_odd_times(ova.objects));
                return 0;
        }
        xva_ova_encode(&again, fields_of, &twice);
        MUST_HOLD(once.n == twice.n && memcmp(once.data, twice.data, once.n) == 0);
        return 0;
}
