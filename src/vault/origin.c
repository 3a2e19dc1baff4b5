// SPDX-License-Identifier: Apache-2.0
#include "origin.h"

#include <string.h>

static const char *text_of(const json_t *json, const char *key) {
        const char *text = json_string_value(json_object_get(json, key));

        return text && strlen(text) == 32 ? text : NULL;
}

void origin_of(const struct vault *vault, const struct point *point, struct origin *ret) {
        const json_t *source = point->manifest.disks.n ? point->manifest.disks.data[0].source : NULL;
        const json_t *origin = json_object_get(source, "origin");
        const char *of_vault = text_of(origin, "vault"), *of_point = text_of(origin, "point");
        bool is_copy = of_vault && of_point;

        snprintf(ret->vault, sizeof ret->vault, "%s",
                 is_copy ? of_vault : vault_name_format(&vault->config.id).s);
        snprintf(ret->point, sizeof ret->point, "%s", is_copy ? of_point : vault_name_format(&point->name).s);
}

bool origin_equal(const struct origin *a, const struct origin *b) {
        return strcmp(a->vault, b->vault) == 0 && strcmp(a->point, b->point) == 0;
}
